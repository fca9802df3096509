/*
 * dsdt.c: the DSDT: legacy devices, processors, sleep states, and what the board has besides PCI.
 *
 * Specifications: ACPI 6.5, chapters 5.6.5 (generic event device), 7.4.2 (_Sx), 9 (devices), 19 (ASL). The AML is made
 * from the AcpiBoard alone; nothing is patched by firmware.
 */
#include <stdio.h>

#include "hw/acpi/internal.h"

/* ---- ISA devices ---- */

static void port_device(Aml *a, const char *name, const char *hid, unsigned uid, uint16_t port, unsigned len, unsigned irq)
{
    Aml r = {0};

    aml_device(a, name);
    aml_name_eisa_id(a, "_HID", hid);
    if (uid) {
        aml_name_int(a, "_UID", uid);
    }
    aml_name_int(a, "_STA", 0x0f);
    aml_name(a, "_CRS");
    if (len) {
        aml_res_io(&r, port, 1, len);
    }
    aml_res_irq(&r, irq);
    aml_resources(a, &r);
    aml_end(a);
}

static void keyboard_and_mouse(Aml *a)
{
    Aml r = {0};

    aml_device(a, "KBD");
    aml_name_eisa_id(a, "_HID", "PNP0303");
    aml_name_int(a, "_STA", 0x0f);
    aml_name(a, "_CRS");
    aml_res_io(&r, 0x60, 1, 1);
    aml_res_io(&r, 0x64, 1, 1);
    aml_res_irq(&r, 1);
    aml_resources(a, &r);
    aml_end(a);
    port_device(a, "MOU", "PNP0F13", 0, 0, 0, 12);
}

/* A drive as INT 13h function 8 describes it (9.9.2, _FDI): CMOS type, geometry, the BIOS's diskette parameters. */
static void floppy_drive(Aml *a, unsigned n, uint8_t type)
{
    static const struct {
        uint8_t last_track, last_sector, eot, gap, format_gap;
    } geometry[] = {
        [1] = { 39, 9, 9, 0x2a, 0x50 },  /* 360 KiB */
        [2] = { 79, 15, 15, 0x1b, 0x54 },/* 1.2 MiB */
        [3] = { 79, 9, 9, 0x2a, 0x50 },  /* 720 KiB */
        [4] = { 79, 18, 18, 0x1b, 0x6c },/* 1.44 MiB */
        [5] = { 79, 36, 36, 0x1b, 0x54 },/* 2.88 MiB */
    };
    if (!type || type >= ARRAY_SIZE(geometry)) {
        return;
    }
    const uint64_t fdi[16] = {
        n, type, geometry[type].last_track, geometry[type].last_sector, 1, /* two heads */
        0xaf, 2, 0x25, 2, geometry[type].eot, geometry[type].gap, 0xff, geometry[type].format_gap, 0xf6, 15, 8,
    };

    aml_device(a, n ? "FLPB" : "FLPA");
    aml_name_int(a, "_ADR", n);
    aml_name(a, "_FDI");
    aml_package(a, ARRAY_SIZE(fdi));
    for (unsigned i = 0; i < ARRAY_SIZE(fdi); i++) {
        aml_int(a, fdi[i]);
    }
    aml_end(a);
    aml_end(a);
}

static void floppy(Aml *a, const AcpiBoard *b)
{
    uint8_t present[20] = { b->floppy_type[0] != 0, 0, 0, 0, b->floppy_type[1] != 0 };
    Aml r = {0};

    present[16] = 2; /* no tape, ever */
    aml_device(a, "FDC0");
    aml_name_eisa_id(a, "_HID", "PNP0700");
    aml_name_int(a, "_STA", 0x0f);
    aml_name(a, "_CRS");
    aml_res_io(&r, 0x3f2, 0, 4);
    aml_res_io(&r, 0x3f7, 0, 1);
    aml_res_irq(&r, 6);
    aml_res_dma(&r, 2);
    aml_resources(a, &r);
    for (unsigned i = 0; i < 2; i++) {
        floppy_drive(a, i, b->floppy_type[i]);
    }
    aml_name(a, "_FDE");
    aml_buffer(a, present, sizeof(present));
    aml_end(a);
}

static void rtc(Aml *a)
{
    Aml r = {0};

    aml_device(a, "RTC");
    aml_name_eisa_id(a, "_HID", "PNP0B00");
    aml_name(a, "_CRS");
    aml_res_io(&r, 0x70, 1, 8);
    aml_res_irq(&r, 8);
    aml_resources(a, &r);
    aml_end(a);
}

static void pvpanic(Aml *a, const AcpiBoard *b)
{
    Aml r = {0};

    aml_device(a, "PEVT");
    aml_name_string(a, "_HID", "QEMU0001");
    aml_name_int(a, "_STA", 0x0f);
    aml_name(a, "_CRS");
    aml_res_io(&r, b->pvpanic_port, 1, 1);
    aml_resources(a, &r);
    aml_region(a, "PEOR", AML_SYSTEM_IO, b->pvpanic_port, 1);
    aml_field(a, "PEOR", AML_BYTE_ACC);
    aml_field_unit(a, "PEPT", 8);
    aml_end(a);
    aml_method(a, "RDPT", 0, AML_NOT_SERIALIZED);
    aml_op(a, AML_RETURN), aml_path(a, "PEPT");
    aml_end(a);
    aml_method(a, "WRPT", 1, AML_NOT_SERIALIZED);
    aml_op(a, AML_STORE), aml_arg(a, 0), aml_path(a, "PEPT");
    aml_end(a);
    aml_end(a);
}

static void isa_devices(Aml *a, const AcpiBoard *b)
{
    char name[5];

    if (b->rtc) {
        rtc(a);
    }
    if (b->i8042) {
        keyboard_and_mouse(a);
    }
    if (b->floppy) {
        floppy(a, b);
    }
    for (unsigned i = 0; i < ACPI_MAX_PARALLEL; i++) {
        if (b->parallel[i].port) {
            snprintf(name, sizeof(name), "LPT%u", i + 1);
            port_device(a, name, "PNP0400", i + 1, b->parallel[i].port, 8, b->parallel[i].irq);
        }
    }
    for (unsigned i = 0; i < ACPI_MAX_SERIAL; i++) {
        if (b->serial[i].port) {
            snprintf(name, sizeof(name), "COM%u", i + 1);
            port_device(a, name, "PNP0501", i + 1, b->serial[i].port, 8, b->serial[i].irq);
        }
    }
    if (b->pvpanic_port) {
        pvpanic(a, b);
    }
}

/* ---- below \_SB ---- */

static void hpet(Aml *a)
{
    Aml r = {0};

    aml_device(a, "HPET");
    aml_name_eisa_id(a, "_HID", "PNP0103");
    aml_name_int(a, "_UID", 0);
    aml_name_int(a, "_STA", 0x0f);
    aml_name(a, "_CRS");
    aml_res_memory32(&r, ACPI_HPET_BASE, 0x400, false);
    aml_resources(a, &r);
    aml_end(a);
}

static void fw_cfg_device(Aml *a, const AcpiBoard *b)
{
    Aml r = {0};

    aml_device(a, "FWCF");
    aml_name_string(a, "_HID", "QEMU0002");
    aml_name_int(a, "_STA", 0x0b);
    aml_name(a, "_CRS");
    aml_res_io(&r, b->fw_cfg_port, 1, 12);
    aml_resources(a, &r);
    aml_end(a);
}

/* What belongs to the board itself and must be left alone. */
static void motherboard(Aml *a, const AcpiBoard *b, const AcpiRange *ecam)
{
    Aml r = {0};

    aml_device(a, "MRES");
    aml_name_eisa_id(a, "_HID", "PNP0C02");
    aml_name_int(a, "_UID", 1);
    aml_name(a, "_CRS");
    if (b->pm_base) {
        aml_res_io(&r, b->pm_base, 1, b->chipset == ACPI_CHIPSET_ICH9 ? 0x80 : 0x40);
    }
    if (b->gpe0_base && b->chipset == ACPI_CHIPSET_PIIX) {
        aml_res_io(&r, b->gpe0_base, 1, b->gpe0_bytes);
    }
    if (ecam && ecam->base + ecam->size_bytes <= UINT64_C(1) << 32) {
        aml_res_memory32(&r, (uint32_t)ecam->base, (uint32_t)ecam->size_bytes, true);
    }
    aml_resources(a, &r);
    aml_end(a);
}

/* Old systems know Processor objects alone; ids from 255 on need devices (8.4). */
static void processors(Aml *a, const AcpiBoard *b)
{
    char name[5];

    aml_scope(a, "_SB");
    for (unsigned i = 0; i < b->n_cpus; i++) {
        snprintf(name, sizeof(name), "C%03X", i & 0xfff);
        if (b->apic_ids[i] < 255 && i < 255) {
            aml_processor(a, name, (uint8_t)i);
        } else {
            aml_device(a, name);
            aml_name_string(a, "_HID", "ACPI0007");
            aml_name_int(a, "_UID", i);
        }
        aml_end(a);
    }
    aml_end(a);
}

/* SLP_TYP values for PM1a and PM1b control. */
static void sleep_state(Aml *a, const char *name, unsigned type, unsigned type_b)
{
    aml_name(a, name);
    aml_package(a, 4);
    aml_int(a, type);
    aml_int(a, type_b);
    aml_int(a, 0);
    aml_int(a, 0);
    aml_end(a);
}

/* ---- machines without fixed hardware ---- */

/* The event register says what happened since it was read (bit 1: power button). */
void acpi_dsdt_ged(Aml *a, const AcpiBoard *b)
{
    Aml r = {0};

    aml_device(a, "PWRB");
    aml_name_eisa_id(a, "_HID", "PNP0C0C");
    aml_name_int(a, "_UID", 0);
    aml_end(a);
    aml_device(a, "GED");
    aml_name_string(a, "_HID", "ACPI0013");
    aml_name_string(a, "_UID", "GED");
    aml_name(a, "_CRS");
    aml_res_interrupt_edge(&r, b->ged_irq);
    aml_resources(a, &r);
    aml_region(a, "EREG", AML_SYSTEM_MEMORY, b->ged.base, 4);
    aml_field(a, "EREG", AML_DWORD_ACC | AML_ZEROS);
    aml_field_unit(a, "ESEL", 32);
    aml_end(a);
    aml_method(a, "_EVT", 1, AML_SERIALIZED);
    aml_op(a, AML_STORE), aml_path(a, "ESEL"), aml_local(a, 0);
    aml_if(a);
    aml_op(a, AML_AND), aml_local(a, 0), aml_int(a, 2), aml_no_target(a);
    aml_op(a, AML_NOTIFY), aml_path(a, "PWRB"), aml_int(a, 0x80);
    aml_end(a);
    aml_end(a);
    aml_end(a);
}

void acpi_dsdt_virtio(Aml *a, const AcpiBoard *b)
{
    for (unsigned i = 0; i < ACPI_MAX_VIRTIO; i++) {
        char name[5];
        Aml r = {0};
        if (!b->virtio[i].size_bytes) {
            continue;
        }
        snprintf(name, sizeof(name), "VR%02u", i);
        aml_device(a, name);
        aml_name_string(a, "_HID", "LNRO0005");
        aml_name_int(a, "_UID", i);
        aml_name_int(a, "_CCA", 1);
        aml_name(a, "_CRS");
        aml_res_memory32(&r, (uint32_t)b->virtio[i].base, (uint32_t)b->virtio[i].size_bytes, true);
        aml_res_interrupt_edge(&r, b->virtio_irq[i]);
        aml_resources(a, &r);
        aml_end(a);
    }
}

void acpi_build_dsdt(Aml *a, const AcpiBoard *b, const AcpiRange *ecam)
{
    if (b->arm) {
        acpi_arm_dsdt(a, b);
        return;
    }
    acpi_header(a, "DSDT", b->hw_reduced ? 2 : 1, acpi_oem_id(b), acpi_oem_table_id(b));
    if (b->root && !b->hw_reduced) {
        acpi_dsdt_pci(a, b, ecam, isa_devices);
    }
    aml_scope(a, "_SB");
    if (!b->root || b->hw_reduced) {
        isa_devices(a, b);
    }
    if (b->pm_base || ecam) {
        motherboard(a, b, ecam);
    }
    if (b->hpet) {
        hpet(a);
    }
    if (b->fw_cfg_port) {
        fw_cfg_device(a, b);
    }
    if (b->ged.size_bytes) {
        acpi_dsdt_ged(a, b);
    }
    acpi_dsdt_virtio(a, b);
    aml_end(a);
    if (!b->hw_reduced) {
        processors(a, b);
        if (!b->no_s3) {
            sleep_state(a, "\\_S3", 1, 1);
        }
        if (!b->no_s4) {
            sleep_state(a, "\\_S4", b->s4_value, b->s4_value);
        }
        sleep_state(a, "\\_S5", 0, 0);
    } else if (b->ged.size_bytes) {
        sleep_state(a, "\\_S5", 5, 0);
    }
}
