/*
 * e820.h: the memory map handed to firmware and kernels.
 */
#ifndef HW_I386_E820_H
#define HW_I386_E820_H

#include "hw/device.h"

enum { E820_RAM = 1, E820_RESERVED = 2, E820_ACPI = 3, E820_NVS = 4, E820_UNUSABLE = 5 };

typedef struct E820Entry {
    uint64_t base, size_bytes;
    uint32_t type;
} E820Entry;

enum { E820_ENTRY_BYTES = 20 };
/* The entries as the interface has them (20 bytes each, little-endian); malloc'd. */
uint8_t *e820_encode(const E820Entry *entries, size_t n, size_t *ret_len);
/* As fw_cfg etc/e820. */
NODISCARD bool e820_install(Device *fw_cfg, const E820Entry *entries, size_t n, Error **errp);

#endif
