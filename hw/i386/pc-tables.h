/*
 * pc-tables.h: between the PC boards and the rooms of tables (hw/acpi, SMBIOS, kernel loader) and storage.
 */
#ifndef HW_I386_PC_TABLES_H
#define HW_I386_PC_TABLES_H

#include "hw/i386/pc.h"

/* After -device: memory map, ACPI, SMBIOS, boot order, kernel. */
NODISCARD bool pc_finish_tables(X86Machine *x, Error **errp);
NODISCARD bool pc_add_spd(X86Machine *x, Device *controller, Error **errp);
/* IDE or AHCI controller with the -drive if=ide drives, and the floppy controller. */
NODISCARD bool pc_create_storage(X86Machine *x, const char *type, const char *addr, bool multifunction, unsigned units_per_bus,
                                 Error **errp);

#endif
