/*
 * arm.c: the tables that Arm boards have besides, or instead of, a PC's: interrupt controllers, timers, console, topology, message routing.
 *
 * Specifications: ACPI 6.5, 5.2.9 (FADT), 5.2.12 (MADT: GICC, GICD, GIC MSI frame, GICR, GIC ITS), 5.2.25 (GTDT), 5.2.30 (PPTT);
 * Microsoft "Serial Port Console Redirection Table" revision 2, "Debug Port Table 2" revision 0; Arm DEN 0049E (IORT).
 */
#include "hw/acpi-arm.h"
#include "hw/acpi/internal.h"
#include "util/bits.h"

enum { FADT_HW_REDUCED = 1 << 20, ARM_PSCI = 1 << 0, ARM_PSCI_HVC = 1 << 1 };
enum { GAS_MEMORY = 0, GAS_DWORD = 3, PL011_TYPE = 3, SPCR_GIC = 8 };
enum { NO_PARENT = 0 };

static void zeros(Aml *a, unsigned n)
{
    while (n--) {
        aml_byte(a, 0);
    }
}

static void generic_address(Aml *a, unsigned bits, unsigned access, uint64_t addr)
{
    aml_byte(a, GAS_MEMORY);
    aml_byte(a, (uint8_t)bits);
    aml_byte(a, 0);
    aml_byte(a, (uint8_t)access);
    aml_le(a, addr, 8);
}

void acpi_arm_fadt(uint8_t *t, const AcpiBoard *b)
{
    stle32(t + 112, FADT_HW_REDUCED);
    stle16(t + 129, (uint16_t)(b->arm->psci ? ARM_PSCI | (b->arm->psci_hvc ? ARM_PSCI_HVC : 0) : 0)); /* ARM_BOOT_ARCH */
    t[131] = 3; /* minor version: 6.3 */
}

/* -- MADT -------------------------------------------------------------------------------------------------------------------- */

static void madt_cpu(Aml *a, const AcpiBoard *b, unsigned i)
{
    const AcpiArm *arm = b->arm;
    bool v2 = arm->gic_version == 2;

    aml_byte(a, 0x0b);
    aml_byte(a, 80);
    aml_le(a, 0, 2);
    aml_le(a, i, 4);                                       /* CPU interface number */
    aml_le(a, i, 4);                                       /* processor's _UID */
    aml_le(a, 1, 4);                                       /* enabled */
    aml_le(a, 0, 4);                                       /* parking protocol */
    aml_le(a, arm->has_pmu ? arm->pmu_irq : 0, 4);
    aml_le(a, 0, 8);
    aml_le(a, v2 ? arm->gic_cpu.base : 0, 8);
    aml_le(a, v2 && arm->has_el2 ? arm->gic_vcpu.base : 0, 8);
    aml_le(a, v2 && arm->has_el2 ? arm->gic_hyp.base : 0, 8);
    aml_le(a, arm->has_el2 ? arm->maintenance_irq : 0, 4);
    aml_le(a, 0, 8);                                       /* redistributors are in structures of their own */
    aml_le(a, arm->affinity(b->opaque, i), 8);
    aml_byte(a, 0);                                        /* power efficiency class */
    aml_byte(a, 0);
    aml_le(a, 0, 2);                                       /* statistical profiling */
}

static void madt_redist(Aml *a, const AcpiRange *range)
{
    aml_byte(a, 0x0e);
    aml_byte(a, 16);
    aml_le(a, 0, 2);
    aml_le(a, range->base, 8);
    aml_le(a, range->size_bytes, 4);
}

void acpi_arm_madt(Aml *a, const AcpiBoard *b)
{
    const AcpiArm *arm = b->arm;

    acpi_header(a, "APIC", 4, acpi_oem_id(b), acpi_oem_table_id(b));
    aml_le(a, 0, 8);
    aml_byte(a, 0x0c);                                     /* GICD */
    aml_byte(a, 24);
    aml_le(a, 0, 2);
    aml_le(a, 0, 4);
    aml_le(a, arm->gic_dist.base, 8);
    aml_le(a, 0, 4);
    aml_byte(a, (uint8_t)arm->gic_version);
    zeros(a, 3);
    for (unsigned i = 0; i < b->n_cpus; i++) {
        madt_cpu(a, b, i);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(arm->gic_redist); i++) {
        if (arm->gic_redist[i].size_bytes) {
            madt_redist(a, &arm->gic_redist[i]);
        }
    }
    if (arm->its.size_bytes) {
        aml_byte(a, 0x0f);
        aml_byte(a, 20);
        aml_le(a, 0, 2);
        aml_le(a, 0, 4);                                   /* its number, which IORT refers to */
        aml_le(a, arm->its.base, 8);
        aml_le(a, 0, 4);
    }
    if (arm->v2m.size_bytes) {
        aml_byte(a, 0x0d);
        aml_byte(a, 24);
        aml_le(a, 0, 2);
        aml_le(a, 0, 4);
        aml_le(a, arm->v2m.base, 8);
        aml_le(a, 1, 4);                                   /* the numbers here count, not the frame's */
        aml_le(a, arm->v2m_count, 2);
        aml_le(a, arm->v2m_first, 2);
    }
}

/* -- timers, console ------------------------------------------------------------------------------------------------------------ */

void acpi_arm_gtdt(Aml *a, const AcpiBoard *b)
{
    const AcpiArm *arm = b->arm;
    const uint32_t timers[4] = { arm->timer_secure, arm->timer_phys, arm->timer_virt, arm->timer_hyp };

    acpi_header(a, "GTDT", 3, acpi_oem_id(b), acpi_oem_table_id(b));
    aml_le(a, UINT64_MAX, 8);                              /* no counter in memory */
    aml_le(a, 0, 4);
    for (unsigned i = 0; i < ARRAY_SIZE(timers); i++) {
        aml_le(a, timers[i], 4);
        aml_le(a, i == 1 ? 4 : 0, 4);                      /* level, active high; the physical one is always on */
    }
    aml_le(a, UINT64_MAX, 8);
    aml_le(a, 0, 4);                                       /* no platform timers */
    aml_le(a, 0, 4);
    aml_le(a, 0, 4);                                       /* EL2's virtual timer: not described */
    aml_le(a, 0, 4);
}

void acpi_arm_spcr(Aml *a, const AcpiBoard *b)
{
    acpi_header(a, "SPCR", 2, acpi_oem_id(b), acpi_oem_table_id(b));
    aml_byte(a, PL011_TYPE);
    zeros(a, 3);
    generic_address(a, 32, GAS_DWORD, b->arm->uart.base);
    aml_byte(a, SPCR_GIC);
    aml_byte(a, 0);
    aml_le(a, b->arm->uart_irq, 4);
    aml_byte(a, 3);                                        /* 9600 */
    aml_byte(a, 0);                                        /* no parity */
    aml_byte(a, 1);                                        /* one stop bit */
    aml_byte(a, 1 << 1);                                   /* RTS and CTS */
    aml_byte(a, 0);                                        /* VT100 */
    aml_byte(a, 0);
    aml_le(a, 0xffff, 2);                                  /* not a PCI device */
    aml_le(a, 0xffff, 2);
    zeros(a, 3);
    aml_le(a, 0, 4);
    aml_byte(a, 0);
    aml_le(a, 0, 4);
}

void acpi_arm_dbg2(Aml *a, const AcpiBoard *b)
{
    static const char name[] = "COM0";
    enum { DEVICE = 22, ADDRESS = DEVICE, SIZE = ADDRESS + 12, NAME = SIZE + 4, BYTES = NAME + sizeof(name) };

    acpi_header(a, "DBG2", 0, acpi_oem_id(b), acpi_oem_table_id(b));
    aml_le(a, 44, 4);                                      /* offset of the first device */
    aml_le(a, 1, 4);
    aml_byte(a, 0);                                        /* revision */
    aml_le(a, BYTES, 2);
    aml_byte(a, 1);                                        /* one register range */
    aml_le(a, sizeof(name), 2);
    aml_le(a, NAME, 2);
    aml_le(a, 0, 2);                                       /* no OEM data */
    aml_le(a, 0, 2);
    aml_le(a, 0x8000, 2);                                  /* serial */
    aml_le(a, PL011_TYPE, 2);
    aml_le(a, 0, 2);
    aml_le(a, ADDRESS, 2);
    aml_le(a, SIZE, 2);
    generic_address(a, 32, GAS_DWORD, b->arm->uart.base);
    aml_le(a, b->arm->uart.size_bytes, 4);
    aml_raw(a, name, sizeof(name));
}

/* -- PCI functions are known to the SMMU and to the ITS by their requester ids ---------------------------------------------------------- */

enum { IORT_ITS_AT = 48, IORT_ITS_BYTES = 24, IORT_SMMU_AT = IORT_ITS_AT + IORT_ITS_BYTES, IORT_SMMU_BYTES = 68, IORT_ROOT_BYTES = 36, IORT_MAPPING_BYTES = 20 };

static void iort_node(Aml *a, unsigned type, unsigned bytes, unsigned revision, uint32_t id, unsigned n_mappings, unsigned mappings_at)
{
    aml_byte(a, (uint8_t)type);
    aml_le(a, bytes + n_mappings * IORT_MAPPING_BYTES, 2);
    aml_byte(a, (uint8_t)revision);
    aml_le(a, id, 4);
    aml_le(a, n_mappings, 4);
    aml_le(a, n_mappings ? mappings_at : 0, 4);
}

/* All ids from 0 on, as they are. */
static void iort_mapping(Aml *a, uint32_t to)
{
    aml_le(a, 0, 4);
    aml_le(a, 0xffff, 4);
    aml_le(a, 0, 4);
    aml_le(a, to, 4);
    aml_le(a, 0, 4);
}

static void iort_smmu(Aml *a, const AcpiArm *arm, bool has_its)
{
    iort_node(a, 4, IORT_SMMU_BYTES, 4, 1, has_its, IORT_SMMU_BYTES);
    aml_le(a, arm->smmu.base, 8);
    aml_le(a, 1, 4);                                       /* coherent */
    aml_le(a, 0, 4);
    aml_le(a, 0, 8);                                       /* VATOS */
    aml_le(a, 0, 4);                                       /* a generic SMMUv3 */
    aml_le(a, arm->smmu_irq, 4);                           /* events */
    aml_le(a, arm->smmu_irq + 1, 4);                       /* PRI */
    aml_le(a, arm->smmu_irq + 3, 4);                       /* errors */
    aml_le(a, arm->smmu_irq + 2, 4);                       /* synchronization */
    aml_le(a, 0, 4);                                       /* proximity domain: not said */
    aml_le(a, 0, 4);                                       /* which mapping is for its own messages: it has none */
    if (has_its) {
        iort_mapping(a, IORT_ITS_AT);
    }
}

void acpi_arm_iort(Aml *a, const AcpiBoard *b)
{
    bool its = b->arm->its.size_bytes, smmu = b->arm->smmu.size_bytes;

    acpi_header(a, "IORT", 3, acpi_oem_id(b), acpi_oem_table_id(b));
    aml_le(a, 1u + its + smmu, 4);                         /* nodes */
    aml_le(a, IORT_ITS_AT, 4);
    aml_le(a, 0, 4);
    if (its) {
        iort_node(a, 0, IORT_ITS_BYTES, 1, 0, 0, 0);
        aml_le(a, 1, 4);                                   /* one ITS: number 0 */
        aml_le(a, 0, 4);
    }
    if (smmu) {
        iort_smmu(a, b->arm, its);
    }
    iort_node(a, 2, IORT_ROOT_BYTES, 3, 1u + smmu, 1, IORT_ROOT_BYTES);
    aml_le(a, 1, 4);                                       /* fully coherent */
    aml_byte(a, 0);
    aml_le(a, 0, 2);
    aml_byte(a, 3);                                        /* cacheable, as the processors */
    aml_le(a, 0, 4);                                       /* no ATS */
    aml_le(a, 0, 4);                                       /* segment */
    aml_byte(a, 64);                                       /* address bits */
    zeros(a, 3);
    iort_mapping(a, smmu && its ? IORT_SMMU_AT : IORT_ITS_AT); /* the first node that is there, but for an ITS behind an SMMU */
}

/* -- topology -------------------------------------------------------------------------------------------------------------------------- */

enum { PPTT_PACKAGE = 1 << 0, PPTT_ID_VALID = 1 << 1, PPTT_THREAD = 1 << 2, PPTT_LEAF = 1 << 3, PPTT_NODE_BYTES = 20 };

static void pptt_node(Aml *a, uint32_t flags, uint32_t parent, uint32_t id)
{
    aml_byte(a, 0);
    aml_byte(a, PPTT_NODE_BYTES);
    aml_le(a, 0, 2);
    aml_le(a, flags, 4);
    aml_le(a, parent, 4);
    aml_le(a, id, 4);
    aml_le(a, 0, 4);
}

void acpi_arm_pptt(Aml *a, const AcpiBoard *b)
{
    const SmpConfig *smp = &b->machine->smp;
    size_t table = a->bytes.n;
    uint32_t socket = 0, cluster = 0, core = 0;
    unsigned per_core = smp->threads, per_cluster = smp->cores * per_core, per_socket = smp->clusters * per_cluster;

    acpi_header(a, "PPTT", 2, acpi_oem_id(b), acpi_oem_table_id(b));
    for (unsigned i = 0; i < b->n_cpus; i++) {
        if (i % per_socket == 0) {
            socket = (uint32_t)(a->bytes.n - table);
            pptt_node(a, PPTT_PACKAGE, NO_PARENT, i / per_socket);
        }
        if (smp->clusters > 1 && i % per_cluster == 0) {
            cluster = (uint32_t)(a->bytes.n - table);
            pptt_node(a, 0, socket, i / per_cluster);
        }
        uint32_t above = smp->clusters > 1 ? cluster : socket;
        if (smp->threads == 1) {
            pptt_node(a, PPTT_ID_VALID | PPTT_LEAF, above, i);
            continue;
        }
        if (i % per_core == 0) {
            core = (uint32_t)(a->bytes.n - table);
            pptt_node(a, 0, above, i / per_core);
        }
        pptt_node(a, PPTT_ID_VALID | PPTT_THREAD | PPTT_LEAF, core, i);
    }
}
