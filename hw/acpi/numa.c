/*
 * numa.c: SRAT and SLIT, from Machine.numa. Memory that a node's part of RAM has in several stretches has several rows.
 * Specification: ACPI 6.3, 5.2.16 and 5.2.17.
 */
#include "hw/acpi.h"
#include "hw/acpi-arm.h"
#include "hw/acpi/internal.h"
#include "softmmu/numa.h"

enum { SRAT_APIC = 0, SRAT_MEMORY = 1, SRAT_X2APIC = 2, SRAT_GICC = 3, ENABLED = 1 };

static void srat_cpu(Aml *a, const AcpiBoard *b, unsigned i)
{
    unsigned node = numa_node_of(b->machine, i);

    if (b->arm) {
        aml_byte(a, SRAT_GICC);
        aml_byte(a, 18);
        aml_le(a, node, 4);
        aml_le(a, i, 4);
        aml_le(a, ENABLED, 4);
        aml_le(a, 0, 4);
    } else if (b->apic_ids[i] < 255) {
        aml_byte(a, SRAT_APIC);
        aml_byte(a, 16);
        aml_byte(a, (uint8_t)node);
        aml_byte(a, (uint8_t)b->apic_ids[i]);
        aml_le(a, ENABLED, 4);
        aml_byte(a, 0);
        aml_le(a, 0, 3);
        aml_le(a, 0, 4);
    } else {
        aml_byte(a, SRAT_X2APIC);
        aml_byte(a, 24);
        aml_le(a, 0, 2);
        aml_le(a, node, 4);
        aml_le(a, b->apic_ids[i], 4);
        aml_le(a, ENABLED, 4);
        aml_le(a, 0, 4);
        aml_le(a, 0, 4);
    }
}

static void srat_memory(Aml *a, uint64_t base, uint64_t bytes, unsigned node)
{
    aml_byte(a, SRAT_MEMORY);
    aml_byte(a, 40);
    aml_le(a, node, 4);
    aml_le(a, 0, 2);
    aml_le(a, base, 8);
    aml_le(a, bytes, 8);
    aml_le(a, 0, 4);
    aml_le(a, ENABLED, 4);
    aml_le(a, 0, 8);
}

/* A PC's memory has video memory and ROMs in it. */
static void srat_stretch(Aml *a, const AcpiBoard *b, uint64_t base, uint64_t bytes, unsigned node)
{
    enum { HOLE = 0xa0000, HOLE_END = 0x100000 };

    if (b->arm || base || bytes <= HOLE_END) {
        srat_memory(a, base, bytes, node);
    } else {
        srat_memory(a, 0, HOLE, node);
        srat_memory(a, HOLE_END, bytes - HOLE_END, node);
    }
}

void acpi_srat(Aml *a, const AcpiBoard *b)
{
    const Machine *m = b->machine;
    unsigned node = 0;
    uint64_t node_left = m->numa->nodes[0].bytes;

    acpi_header(a, "SRAT", 3, acpi_oem_id(b), acpi_oem_table_id(b));
    aml_le(a, 1, 4);
    aml_le(a, 0, 8);
    for (unsigned i = 0; i < b->max_cpus; i++) {
        srat_cpu(a, b, i);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(b->ram); i++) {
        AcpiRange r = b->ram[i];

        while (r.size_bytes) {
            while (!node_left && node + 1 < m->numa->n_nodes) {
                node_left = m->numa->nodes[++node].bytes;
            }
            uint64_t bytes = node_left ? MIN(node_left, r.size_bytes) : r.size_bytes;
            srat_stretch(a, b, r.base, bytes, node);
            r.base += bytes;
            r.size_bytes -= bytes;
            node_left -= MIN(bytes, node_left);
        }
    }
}

void acpi_slit(Aml *a, const AcpiBoard *b)
{
    const Machine *m = b->machine;

    acpi_header(a, "SLIT", 1, acpi_oem_id(b), acpi_oem_table_id(b));
    aml_le(a, m->numa->n_nodes, 8);
    for (unsigned from = 0; from < m->numa->n_nodes; from++) {
        for (unsigned to = 0; to < m->numa->n_nodes; to++) {
            aml_byte(a, (uint8_t)numa_distance(m, from, to));
        }
    }
}
