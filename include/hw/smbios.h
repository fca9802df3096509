/*
 * smbios.h: the SMBIOS tables of a PC, from -smbios and the machine.
 *
 * Specification: SMBIOS 3.6 (DSP0134).
 */
#ifndef HW_SMBIOS_H
#define HW_SMBIOS_H

#include "softmmu/machine.h"
#include "util/json.h"

typedef enum SmbiosEntry { SMBIOS_ENTRY_32, SMBIOS_ENTRY_64, SMBIOS_ENTRY_AUTO } SmbiosEntry;

typedef struct SmbiosRange {
    uint64_t base, size_bytes;
} SmbiosRange;

typedef struct SmbiosBoard {
    Machine *machine;
    const char *manufacturer, *product, *version; /* "QEMU", "Standard PC (i440FX + PIIX, 1996)", "pc-i440fx-7.2" */
    SmbiosEntry entry;         /* which anchor; AUTO: the 2.1 one unless the tables are too large for it */
    uint32_t cpu_signature, cpu_features; /* CPUID 1: EAX and EDX */
    const SmbiosRange *memory; /* RAM as the guest sees it (type 19) */
    unsigned n_memory;
} SmbiosBoard;

/* -smbios file=… or type=N,…: checked, kept until the tables are made. `text` is the option as it was given. */
NODISCARD bool smbios_add_option(const Json *opts, const char *text, Error **errp);
/* Both malloc'd; from the board's ready(). */
NODISCARD bool smbios_build(const SmbiosBoard *board, uint8_t **ret_tables, size_t *ret_tables_len,
                            uint8_t **ret_anchor, size_t *ret_anchor_len, Error **errp);
/* The same, as fw_cfg files etc/smbios/smbios-tables and -anchor. */
NODISCARD bool smbios_install(const SmbiosBoard *board, Device *fw_cfg, Error **errp);

#endif
