/*
 * internal.h: between the files that make ACPI tables.
 */
#ifndef HW_ACPI_INTERNAL_H
#define HW_ACPI_INTERNAL_H

#include "hw/acpi.h"
#include "hw/acpi/aml.h"
#include "hw/acpi/linker.h"

#define ACPI_FILE_TABLES "etc/acpi/tables"
#define ACPI_FILE_RSDP "etc/acpi/rsdp"
#define ACPI_FILE_LOADER "etc/table-loader"

enum { ACPI_HPET_BASE = 0xfed00000 };

/* Each appends one table. ecam: NULL when there is no ECAM now. */
void acpi_build_dsdt(Aml *a, const AcpiBoard *b, const AcpiRange *ecam);
/* The PCI host bridge, interrupt links and routing; `ports` of the ISA bridge go inside by isa(). */
void acpi_dsdt_pci(Aml *a, const AcpiBoard *b, const AcpiRange *ecam, void (*isa)(Aml *a, const AcpiBoard *b));
/* numa.c. Where the machine has nodes. */
void acpi_srat(Aml *a, const AcpiBoard *b);
void acpi_slit(Aml *a, const AcpiBoard *b);
/* arm.c, arm-dsdt.c: those of an Arm board (b->arm). */
void acpi_arm_fadt(uint8_t *table, const AcpiBoard *b);
void acpi_arm_madt(Aml *a, const AcpiBoard *b);
void acpi_arm_gtdt(Aml *a, const AcpiBoard *b);
void acpi_arm_spcr(Aml *a, const AcpiBoard *b);
void acpi_arm_dbg2(Aml *a, const AcpiBoard *b);
void acpi_arm_iort(Aml *a, const AcpiBoard *b);
void acpi_arm_pptt(Aml *a, const AcpiBoard *b);
void acpi_arm_dsdt(Aml *a, const AcpiBoard *b);
/* dsdt.c */
void acpi_dsdt_ged(Aml *a, const AcpiBoard *b);
void acpi_dsdt_virtio(Aml *a, const AcpiBoard *b);
/* Everything, linked. rsdp and tables are appended to; so is the linker's script. */
void acpi_build_tables(const AcpiBoard *b, Aml *tables, Aml *rsdp, AcpiLinker *linker);

static inline const char *acpi_oem_id(const AcpiBoard *b) { return b->oem_id ? b->oem_id : "BOCHS "; }
static inline const char *acpi_oem_table_id(const AcpiBoard *b) { return b->oem_table_id ? b->oem_table_id : "BXPC    "; }

/* -acpitable tables, in the order given. */
size_t acpi_user_tables(const Aml **ret);

#endif
