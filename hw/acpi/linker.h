/*
 * linker.h: the script by which firmware places tables and fixes addresses and checksums (fw_cfg "etc/table-loader").
 *
 * Firmware allocates memory for named files, then adds the address of one file to pointers in another, then makes
 * checksums. Commands are 128 bytes each, little-endian, executed in order.
 */
#ifndef HW_ACPI_LINKER_H
#define HW_ACPI_LINKER_H

#include "hw/acpi/aml.h"

enum { LINKER_ENTRY_BYTES = 128, LINKER_NAME_BYTES = 56 };
enum { LINKER_ALLOCATE = 1, LINKER_ADD_POINTER = 2, LINKER_ADD_CHECKSUM = 3, LINKER_WRITE_POINTER = 4 };
enum { LINKER_ZONE_HIGH = 1, LINKER_ZONE_FSEG = 2 };

typedef struct AcpiLinker {
    Aml script;
} AcpiLinker;

void linker_allocate(AcpiLinker *l, const char *file, uint32_t align, unsigned zone);
/* Adds the address of `target` to the `size`-byte number at `offset` of `file`. */
void linker_add_pointer(AcpiLinker *l, const char *file, uint32_t offset, unsigned size, const char *target);
/* The byte at `offset` of `file` makes the bytes [start, start + len) add up to zero. */
void linker_add_checksum(AcpiLinker *l, const char *file, uint32_t offset, uint32_t start, uint32_t len);
/* Writes the address of `target` plus target_offset into the writable fw_cfg file `file`. */
void linker_write_pointer(AcpiLinker *l, const char *file, uint32_t offset, unsigned size, const char *target,
                          uint32_t target_offset);

#endif
