/*
 * dsdt-pci.c: the part of the DSDT about PCI: host bridge, windows, interrupt links, routing.
 *
 * An interrupt link (PNP0C0F) stands for one PIRQ router register in the ISA bridge's configuration space: bits 3:0 are
 * the ISA line, bit 7 set means off. The PIIX has four (60h-63h), the ICH9 eight (60h-63h, 68h-6Bh). With the I/O APIC in
 * use the ICH9's lines arrive at inputs 16 to 23 as well, which is what _PRT says then (_PIC tells the mode).
 *
 * Specifications: ACPI 6.5, 6.2.13 (_PRT), 6.2.11 (_OSC); PCI Firmware 3.3, 4.1.2 (ECAM reserved in a motherboard
 * resource), 4.5.1 (_OSC of a host bridge); 82371AB 4.1.9, ICH9 13.1.17.
 */
#include <stdio.h>

#include "hw/acpi/internal.h"

enum { LINK_OFF = 0x80, N_SLOTS = 32, OSC_CONTROLS = 0x1f };

static bool is_ich9(const AcpiBoard *b)
{
    return b->chipset == ACPI_CHIPSET_ICH9;
}

/* ---- interrupt links ---- */

static void link_name(char name[5], const char *prefix, unsigned n)
{
    snprintf(name, 5, "%s%c", prefix, 'A' + n % 26);
}

static void link_device(Aml *a, unsigned n)
{
    static const uint32_t possible[] = { 5, 10, 11 };
    char name[5], reg[5];
    Aml r = {0};

    link_name(name, "LNK", n);
    link_name(reg, "PRQ", n);
    aml_device(a, name);
    aml_name_eisa_id(a, "_HID", "PNP0C0F");
    aml_name_int(a, "_UID", n);
    aml_name(a, "_PRS");
    aml_res_interrupts(&r, possible, ARRAY_SIZE(possible));
    aml_resources(a, &r);
    aml_method(a, "_STA", 0, AML_NOT_SERIALIZED);
    aml_op(a, AML_RETURN), aml_path(a, "LSTA"), aml_path(a, reg);
    aml_end(a);
    aml_method(a, "_DIS", 0, AML_NOT_SERIALIZED);
    aml_op(a, AML_OR), aml_path(a, reg), aml_int(a, LINK_OFF), aml_path(a, reg);
    aml_end(a);
    aml_method(a, "_CRS", 0, AML_NOT_SERIALIZED);
    aml_op(a, AML_RETURN), aml_path(a, "LCRS"), aml_path(a, reg);
    aml_end(a);
    aml_method(a, "_SRS", 1, AML_NOT_SERIALIZED);
    aml_create_dword_field_arg(a, 0, 5, "IRQN"); /* the number in an extended interrupt descriptor */
    aml_op(a, AML_STORE), aml_path(a, "IRQN"), aml_path(a, reg);
    aml_end(a);
    aml_end(a);
}

/* A line that cannot be moved: the SCI, or an I/O APIC input. */
static void fixed_link_device(Aml *a, const char *name, unsigned uid, uint32_t irq)
{
    Aml r = {0};

    aml_device(a, name);
    aml_name_eisa_id(a, "_HID", "PNP0C0F");
    aml_name_int(a, "_UID", uid);
    for (unsigned i = 0; i < 2; i++) {
        aml_name(a, i ? "_CRS" : "_PRS");
        aml_res_interrupts(&r, &irq, 1);
        aml_resources(a, &r);
    }
    aml_name_int(a, "_STA", 0x0b);
    aml_method(a, "_DIS", 0, AML_NOT_SERIALIZED);
    aml_end(a);
    aml_method(a, "_SRS", 1, AML_NOT_SERIALIZED);
    aml_end(a);
    aml_end(a);
}

static void links(Aml *a, const AcpiBoard *b)
{
    uint32_t none = 0;
    Aml r = {0};

    /* Status and current setting from a router register. */
    aml_method(a, "LSTA", 1, AML_NOT_SERIALIZED);
    aml_if(a);
    aml_op(a, AML_AND), aml_arg(a, 0), aml_int(a, LINK_OFF), aml_no_target(a);
    aml_op(a, AML_RETURN), aml_int(a, 0x09);
    aml_end(a);
    aml_op(a, AML_RETURN), aml_int(a, 0x0b);
    aml_end(a);
    aml_method(a, "LCRS", 1, AML_SERIALIZED);
    aml_name(a, "BUF0");
    aml_res_interrupts(&r, &none, 1);
    aml_resources(a, &r);
    aml_create_dword_field(a, "BUF0", 5, "IRQN");
    aml_if(a);
    aml_op(a, AML_LESS), aml_arg(a, 0), aml_int(a, LINK_OFF);
    aml_op(a, AML_AND), aml_arg(a, 0), aml_int(a, 0x0f), aml_path(a, "IRQN");
    aml_end(a);
    aml_op(a, AML_RETURN), aml_path(a, "BUF0");
    aml_end(a);

    for (unsigned i = 0; i < (is_ich9(b) ? 8u : 4u); i++) {
        link_device(a, i);
    }
    if (is_ich9(b)) {
        for (unsigned i = 0; i < 8; i++) {
            char name[5];
            link_name(name, "GSI", i);
            fixed_link_device(a, name, 16 + i, 16 + i);
        }
    } else {
        fixed_link_device(a, "LNKS", 4, b->sci_irq);
    }
}

/* ---- routing ---- */

static void prt_entry(Aml *a, unsigned slot, unsigned pin, const char *link)
{
    aml_package(a, 4);
    aml_int(a, slot << 16 | 0xffff); /* all functions */
    aml_int(a, pin);
    aml_path(a, link);
    aml_int(a, 0);
    aml_end(a);
}

/* 440FX boards shift the lines by one for each slot; PIIX4's power management is on the SCI. */
static void piix_prt(Aml *a)
{
    char name[5];

    aml_name(a, "_PRT");
    aml_package(a, N_SLOTS * 4);
    for (unsigned slot = 0; slot < N_SLOTS; slot++) {
        for (unsigned pin = 0; pin < 4; pin++) {
            link_name(name, "LNK", (slot + pin + 3) % 4);
            prt_entry(a, slot, pin, slot == 1 && pin == 0 ? "LNKS" : name);
        }
    }
    aml_end(a);
}

/* Slots 25 to 29 and 31 are the chipset's own (ICH9 10.1.24, DxxIR at their reset values); the others shift over E to H. */
static void ich9_prt(Aml *a, const char *table, const char *link)
{
    char name[5];

    aml_name(a, table);
    aml_package(a, N_SLOTS * 4);
    for (unsigned slot = 0; slot < N_SLOTS; slot++) {
        bool own = (slot >= 25 && slot <= 29) || slot == 31;
        for (unsigned pin = 0; pin < 4; pin++) {
            unsigned shift = slot == 30 ? 0 : slot;
            link_name(name, link, own ? pin : 4 + (shift + pin) % 4);
            prt_entry(a, slot, pin, name);
        }
    }
    aml_end(a);
}

static void routing(Aml *a, const AcpiBoard *b)
{
    if (!is_ich9(b)) {
        piix_prt(a);
        return;
    }
    ich9_prt(a, "PRTP", "LNK");
    ich9_prt(a, "PRTA", "GSI");
    aml_method(a, "_PRT", 0, AML_NOT_SERIALIZED);
    aml_if(a);
    aml_path(a, "\\PICF");
    aml_op(a, AML_RETURN), aml_path(a, "PRTA");
    aml_end(a);
    aml_op(a, AML_RETURN), aml_path(a, "PRTP");
    aml_end(a);
}

/* ---- the host bridge ---- */

static void window(Aml *r, uint64_t base, uint64_t end)
{
    if (base < end) {
        aml_res_memory_window(r, base, end - base, false);
    }
}

static void host_resources(Aml *a, const AcpiBoard *b, const AcpiRange *ecam)
{
    uint64_t low = b->pci_hole.base, end = low + b->pci_hole.size_bytes;
    Aml r = {0};

    aml_name(a, "_CRS");
    aml_res_bus_numbers(&r, 0, 256);
    aml_res_io(&r, 0xcf8, 1, 8);
    aml_res_io_window(&r, 0, 0xcf8);
    aml_res_io_window(&r, 0xd00, 0x10000 - 0xd00);
    aml_res_memory_window(&r, 0xa0000, 0x20000, true); /* VGA */
    if (b->pci_hole.size_bytes) {
        if (ecam && ecam->base >= low && ecam->base < end) {
            window(&r, low, ecam->base);
            low = MIN(ecam->base + ecam->size_bytes, end);
        }
        window(&r, low, end);
    }
    if (b->pci_hole64.size_bytes) {
        aml_res_memory_window(&r, b->pci_hole64.base, b->pci_hole64.size_bytes, true);
    }
    aml_resources(a, &r);
}

/* Grants native control of everything an Express port has. Bits of the first word: 2 unknown UUID, 3 unknown revision,
 * 4 something was masked. */
static void osc(Aml *a)
{
    aml_method(a, "_OSC", 4, AML_NOT_SERIALIZED);
    aml_create_dword_field_arg(a, 3, 0, "CDW1");
    aml_if(a);
    aml_op(a, AML_EQUAL), aml_arg(a, 0), aml_uuid(a, "33db4d5b-1ff7-401c-9657-7441c03dd766");
    aml_create_dword_field_arg(a, 3, 8, "CDW3");
    aml_op(a, AML_AND), aml_path(a, "CDW3"), aml_int(a, OSC_CONTROLS), aml_local(a, 0);
    aml_if(a);
    aml_op(a, AML_LNOT), aml_op(a, AML_EQUAL), aml_arg(a, 1), aml_int(a, 1);
    aml_op(a, AML_OR), aml_path(a, "CDW1"), aml_int(a, 0x08), aml_path(a, "CDW1");
    aml_end(a);
    aml_if(a);
    aml_op(a, AML_LNOT), aml_op(a, AML_EQUAL), aml_path(a, "CDW3"), aml_local(a, 0);
    aml_op(a, AML_OR), aml_path(a, "CDW1"), aml_int(a, 0x10), aml_path(a, "CDW1");
    aml_end(a);
    aml_op(a, AML_STORE), aml_local(a, 0), aml_path(a, "CDW3");
    aml_end(a);
    aml_else(a);
    aml_op(a, AML_OR), aml_path(a, "CDW1"), aml_int(a, 0x04), aml_path(a, "CDW1");
    aml_end(a);
    aml_op(a, AML_RETURN), aml_arg(a, 3);
    aml_end(a);
}

/* The bridge to ISA, with the router registers seen from \_SB as PRQA, PRQB, … */
static void isa_bridge(Aml *a, const AcpiBoard *b, void (*isa)(Aml *a, const AcpiBoard *b))
{
    char name[5];

    aml_device(a, "ISA");
    aml_name_int(a, "_ADR", (uint64_t)(b->lpc_devfn >> 3) << 16 | (b->lpc_devfn & 7));
    aml_region(a, "PIRR", AML_PCI_CONFIG, 0x60, 12);
    aml_scope(a, "\\_SB");
    aml_field(a, "PCI0.ISA.PIRR", AML_BYTE_ACC);
    for (unsigned i = 0; i < (is_ich9(b) ? 8u : 4u); i++) {
        if (i == 4) {
            aml_field_unit(a, NULL, 32);
        }
        link_name(name, "PRQ", i);
        aml_field_unit(a, name, 8);
    }
    aml_end(a);
    aml_end(a);
    isa(a, b);
    aml_end(a);
}

void acpi_dsdt_pci(Aml *a, const AcpiBoard *b, const AcpiRange *ecam, void (*isa)(Aml *a, const AcpiBoard *b))
{
    bool express = is_ich9(b);

    if (express) { /* which interrupt controllers the system uses: 0 PICs, 1 I/O APIC (5.8.1) */
        aml_name_int(a, "PICF", 0);
        aml_method(a, "_PIC", 1, AML_NOT_SERIALIZED);
        aml_op(a, AML_STORE), aml_arg(a, 0), aml_path(a, "PICF");
        aml_end(a);
    }
    aml_scope(a, "_SB");
    aml_device(a, "PCI0");
    aml_name_eisa_id(a, "_HID", express ? "PNP0A08" : "PNP0A03");
    if (express) {
        aml_name_eisa_id(a, "_CID", "PNP0A03");
        osc(a);
    }
    aml_name_int(a, "_ADR", 0);
    aml_name_int(a, "_UID", 0);
    host_resources(a, b, ecam);
    isa_bridge(a, b, isa);
    aml_end(a);
    links(a, b);
    aml_scope(a, "PCI0"); /* after the links it names */
    routing(a, b);
    aml_end(a);
    aml_end(a);
}
