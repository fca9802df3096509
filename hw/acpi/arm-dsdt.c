/*
 * arm-dsdt.c: the DSDT of an Arm board: processors, console, flash, fw_cfg, virtio transports, PCI Express, power button.
 *
 * Specifications: ACPI 6.5, chapters 6.2 and 9; Arm DEN 0093 (ids of devices); PCI Firmware 3.3, 4.1.2 and 4.5.1 (_OSC).
 */
#include <stdio.h>
#include "hw/acpi-arm.h"
#include "hw/acpi/internal.h"

enum { N_SLOTS = 32, N_PINS = 4, OSC_CONTROLS = 0x1f };

static void processors(Aml *a, const AcpiBoard *b)
{
    char name[5];

    for (unsigned i = 0; i < b->n_cpus; i++) {
        snprintf(name, sizeof(name), "C%03X", i & 0xfff);
        aml_device(a, name);
        aml_name_string(a, "_HID", "ACPI0007");
        aml_name_int(a, "_UID", i);
        aml_end(a);
    }
}

/* A device of one range of memory and perhaps an interrupt. */
static void device(Aml *a, const char *name, const char *hid, unsigned uid, const AcpiRange *range, const uint32_t *irq)
{
    Aml r = {0};

    aml_device(a, name);
    aml_name_string(a, "_HID", hid);
    aml_name_int(a, "_UID", uid);
    aml_name(a, "_CRS");
    aml_res_memory32(&r, (uint32_t)range->base, (uint32_t)range->size_bytes, true);
    if (irq) {
        aml_res_interrupt_level(&r, *irq);
    }
    aml_resources(a, &r);
    aml_end(a);
}

static void fw_cfg(Aml *a, const AcpiBoard *b)
{
    Aml r = {0};

    aml_device(a, "FWCF");
    aml_name_string(a, "_HID", "QEMU0002");
    aml_name_int(a, "_STA", 0x0b);
    aml_name_int(a, "_CCA", 1);
    aml_name(a, "_CRS");
    aml_res_memory32(&r, (uint32_t)b->arm->fw_cfg.base, (uint32_t)b->arm->fw_cfg.size_bytes, true);
    aml_resources(a, &r);
    aml_end(a);
}

/* -- PCI Express --------------------------------------------------------------------------------------------------------------- */

/* Pins rotate with the slot; the interrupts cannot be moved, so no links are needed. */
static void routing(Aml *a, const AcpiArm *arm)
{
    aml_name(a, "_PRT");
    aml_package(a, N_SLOTS * N_PINS);
    for (unsigned slot = 0; slot < N_SLOTS; slot++) {
        for (unsigned pin = 0; pin < N_PINS; pin++) {
            char link[5];

            snprintf(link, sizeof(link), "GSI%u", (slot + pin) % N_PINS);
            aml_package(a, 4);
            aml_int(a, slot << 16 | 0xffff);
            aml_int(a, pin);
            aml_path(a, link);
            aml_int(a, 0);
            aml_end(a);
        }
    }
    aml_end(a);
    for (unsigned i = 0; i < N_PINS; i++) {
        uint32_t irq = arm->pci_irq + i;
        char link[5];
        Aml r = {0};

        snprintf(link, sizeof(link), "GSI%u", i);
        aml_device(a, link);
        aml_name_eisa_id(a, "_HID", "PNP0C0F");
        aml_name_int(a, "_UID", i);
        for (unsigned k = 0; k < 2; k++) {
            aml_name(a, k ? "_CRS" : "_PRS");
            aml_res_interrupts(&r, &irq, 1);
            aml_resources(a, &r);
        }
        aml_method(a, "_SRS", 1, AML_NOT_SERIALIZED);
        aml_end(a);
        aml_end(a);
    }
}

/* Everything that is asked for is granted, if the caller knows how to ask. */
static void capabilities(Aml *a)
{
    aml_method(a, "_OSC", 4, AML_NOT_SERIALIZED);
    aml_create_dword_field_arg(a, 3, 0, "CDW1");
    aml_if(a);
    aml_op(a, AML_EQUAL), aml_arg(a, 0), aml_uuid(a, "33DB4D5B-1FF7-401C-9657-7441C03DD766");
    aml_create_dword_field_arg(a, 3, 4, "CDW2");
    aml_create_dword_field_arg(a, 3, 8, "CDW3");
    aml_op(a, AML_AND), aml_path(a, "CDW3"), aml_int(a, OSC_CONTROLS), aml_local(a, 0);
    aml_if(a);
    aml_op(a, AML_LNOT), aml_op(a, AML_EQUAL), aml_arg(a, 1), aml_int(a, 1);
    aml_op(a, AML_OR), aml_path(a, "CDW1"), aml_int(a, 0x08), aml_path(a, "CDW1"); /* unknown revision */
    aml_end(a);
    aml_if(a);
    aml_op(a, AML_LNOT), aml_op(a, AML_EQUAL), aml_path(a, "CDW3"), aml_local(a, 0);
    aml_op(a, AML_OR), aml_path(a, "CDW1"), aml_int(a, 0x10), aml_path(a, "CDW1"); /* bits were masked */
    aml_end(a);
    aml_op(a, AML_STORE), aml_local(a, 0), aml_path(a, "CDW3");
    aml_op(a, AML_RETURN), aml_arg(a, 3);
    aml_end(a);
    aml_else(a);
    aml_op(a, AML_OR), aml_path(a, "CDW1"), aml_int(a, 0x04), aml_path(a, "CDW1"); /* unknown UUID */
    aml_op(a, AML_RETURN), aml_arg(a, 3);
    aml_end(a);
    aml_end(a);
}

static void pci(Aml *a, const AcpiBoard *b)
{
    const AcpiArm *arm = b->arm;
    Aml r = {0};

    aml_device(a, "PCI0");
    aml_name_string(a, "_HID", "PNP0A08");
    aml_name_string(a, "_CID", "PNP0A03");
    aml_name_int(a, "_SEG", 0);
    aml_name_int(a, "_BBN", 0);
    aml_name_int(a, "_UID", 0);
    aml_name_int(a, "_CCA", 1);
    routing(a, arm);
    aml_method(a, "_CBA", 0, AML_NOT_SERIALIZED);
    aml_op(a, AML_RETURN), aml_int(a, arm->ecam.base);
    aml_end(a);
    aml_name(a, "_CRS");
    aml_res_bus_numbers(&r, 0, (unsigned)(arm->ecam.size_bytes / MiB));
    aml_res_memory_window(&r, b->pci_hole.base, b->pci_hole.size_bytes, false);
    aml_res_io_window_in_memory(&r, 0, (uint32_t)arm->pio.size_bytes, arm->pio.base);
    if (b->pci_hole64.size_bytes) {
        aml_res_memory_window(&r, b->pci_hole64.base, b->pci_hole64.size_bytes, false);
    }
    aml_resources(a, &r);
    capabilities(a);
    aml_device(a, "RES0"); /* configuration space is the host bridge's */
    aml_name_string(a, "_HID", "PNP0C02");
    aml_name(a, "_CRS");
    aml_res_memory64(&r, arm->ecam.base, arm->ecam.size_bytes);
    aml_resources(a, &r);
    aml_end(a);
    aml_end(a);
}

void acpi_arm_dsdt(Aml *a, const AcpiBoard *b)
{
    const AcpiArm *arm = b->arm;
    char name[5];

    acpi_header(a, "DSDT", 2, acpi_oem_id(b), acpi_oem_table_id(b));
    aml_scope(a, "\\_SB");
    processors(a, b);
    device(a, "COM0", "ARMH0011", 0, &arm->uart, &arm->uart_irq);
    for (unsigned i = 0; i < ACPI_ARM_MAX_FLASH; i++) {
        if (arm->flash[i].size_bytes) {
            snprintf(name, sizeof(name), "FLS%u", i);
            device(a, name, "LNRO0015", i, &arm->flash[i], NULL);
        }
    }
    fw_cfg(a, b);
    acpi_dsdt_virtio(a, b);
    pci(a, b);
    acpi_dsdt_ged(a, b);
    aml_end(a);
}
