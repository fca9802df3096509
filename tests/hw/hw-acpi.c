/*
 * hw-acpi.c: AML encoding against bytes an ASL compiler makes, and whole sets of tables as firmware would see them.
 *
 * For each board the linker's script is executed here, at an address of our choosing; then every pointer must lead to a
 * table and every checksum be right. With a directory as argument the tables are written there, one file each
 * (BOARD-SIGNATURE.aml), for hw-acpi-iasl.py.
 */
#include "hw/acpi-arm.h"
#include "hw/acpi/internal.h"
#include "hw/fw_cfg.h"
#include "softmmu/bql.h"
#include "tests/test.h"
#include "util/bits.h"

/* ---- AML ---- */

/* The source of these bytes, compiled without optimizing names (0 and 1 are ZeroOp and OneOp):
 *   Name (AA, 0x12) Name (B, 0x1234) Name (CCC, 0x12345678) Name (DDDD, "text") Name (E1, EisaId ("PNP0A03"))
 *   Name (U1, ToUUID ("33db4d5b-1ff7-401c-9657-7441c03dd766")) Device (\_SB.RTC) { Name (ZZ, 0) Name (_CRS, … ) }
 *   OperationRegion (REGN, SystemIO, 0x402, 0x20) Field (REGN, ByteAcc, NoLock, WriteAsZeros) { AB, 8, , 100, CD, 4 }
 *   Method (FUN, 2, Serialized) { … } Name (PK, Package (2) { 0, 1 }) Mutex (MX, 0) Processor (C001, 1, 0, 0) { } */
static const uint8_t golden[] = {
    0x08, 0x41, 0x41, 0x5f, 0x5f, 0x0a, 0x12, 0x08, 0x42, 0x5f, 0x5f, 0x5f, 0x0b, 0x34, 0x12, 0x08,
    0x43, 0x43, 0x43, 0x5f, 0x0c, 0x78, 0x56, 0x34, 0x12, 0x08, 0x44, 0x44, 0x44, 0x44, 0x0d, 0x74,
    0x65, 0x78, 0x74, 0x00, 0x08, 0x45, 0x31, 0x5f, 0x5f, 0x0c, 0x41, 0xd0, 0x0a, 0x03, 0x08, 0x55,
    0x31, 0x5f, 0x5f, 0x11, 0x13, 0x0a, 0x10, 0x5b, 0x4d, 0xdb, 0x33, 0xf7, 0x1f, 0x1c, 0x40, 0x96,
    0x57, 0x74, 0x41, 0xc0, 0x3d, 0xd7, 0x66, 0x5b, 0x82, 0x4a, 0x0b, 0x5c, 0x2e, 0x5f, 0x53, 0x42,
    0x5f, 0x52, 0x54, 0x43, 0x5f, 0x08, 0x5a, 0x5a, 0x5f, 0x5f, 0x00, 0x08, 0x5f, 0x43, 0x52,
    0x53, 0x11, 0x42, 0x0a, 0x0a, 0x9e, 0x47, 0x01, 0x70, 0x00, 0x70, 0x00, 0x01, 0x08, 0x22, 0x00,
    0x01, 0x2a, 0x04, 0x00, 0x86, 0x09, 0x00, 0x00, 0x00, 0x00, 0xd0, 0xfe, 0x00, 0x04, 0x00, 0x00,
    0x89, 0x0e, 0x00, 0x09, 0x03, 0x05, 0x00, 0x00, 0x00, 0x0a, 0x00, 0x00, 0x00, 0x0b, 0x00, 0x00,
    0x00, 0x89, 0x06, 0x00, 0x03, 0x01, 0x09, 0x00, 0x00, 0x00, 0x88, 0x0d, 0x00, 0x02, 0x0c, 0x00,
    0x00, 0x00, 0x00, 0x00, 0xff, 0x00, 0x00, 0x00, 0x00, 0x01, 0x88, 0x0d, 0x00, 0x01, 0x0c, 0x03,
    0x00, 0x00, 0x00, 0x0d, 0xff, 0xff, 0x00, 0x00, 0x00, 0xf3, 0x87, 0x17, 0x00, 0x00, 0x0c, 0x01,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xc0, 0xff, 0xff, 0xbf, 0xfe, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0xc0, 0x3e, 0x8a, 0x2b, 0x00, 0x00, 0x0c, 0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0x08, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x08, 0x00,
    0x00, 0x00, 0x79, 0x00, 0x5b, 0x80, 0x52, 0x45, 0x47, 0x4e, 0x01, 0x0b, 0x02, 0x04, 0x0a, 0x20,
    0x5b, 0x81, 0x13, 0x52, 0x45, 0x47, 0x4e, 0x41, 0x41, 0x42, 0x5f, 0x5f, 0x08, 0x00, 0x44, 0x06,
    0x43, 0x44, 0x5f, 0x5f, 0x04, 0x14, 0x4b, 0x04, 0x46, 0x55, 0x4e, 0x5f, 0x0a, 0x70, 0x00,
    0x60, 0x70, 0x00, 0x61, 0x8a, 0x68, 0x0a, 0x05, 0x49, 0x52, 0x51, 0x4e, 0xa0, 0x0d, 0x93,
    0x69, 0x60, 0xa4, 0x7b, 0x41, 0x41, 0x5f, 0x5f, 0x0a, 0x80, 0x00, 0xa1, 0x12, 0x70, 0x68, 0x5c,
    0x2f, 0x03, 0x5f, 0x53, 0x42, 0x5f, 0x52, 0x54, 0x43, 0x5f, 0x5a, 0x5a, 0x5f, 0x5f, 0xa2, 0x07,
    0x95, 0x61, 0x0a, 0x03, 0x75, 0x61, 0x86, 0x5c, 0x2e, 0x5f, 0x53, 0x42, 0x5f, 0x52, 0x54, 0x43,
    0x5f, 0x0a, 0x80, 0x08, 0x50, 0x4b, 0x5f, 0x5f, 0x12, 0x04, 0x02, 0x00, 0x01, 0x5b, 0x01, 0x4d,
    0x58, 0x5f, 0x5f, 0x00, 0x5b, 0x83, 0x0b, 0x43, 0x30, 0x30, 0x31, 0x01, 0x00, 0x00, 0x00, 0x00,
    0x00,
};

static void build_golden(Aml *a)
{
    static const uint32_t irqs[] = { 5, 10, 11 };
    Aml r = {0};

    aml_name_int(a, "AA", 0x12);
    aml_name_int(a, "B", 0x1234);
    aml_name_int(a, "CCC", 0x12345678);
    aml_name_string(a, "DDDD", "text");
    aml_name_eisa_id(a, "E1", "PNP0A03");
    aml_name(a, "U1");
    aml_uuid(a, "33db4d5b-1ff7-401c-9657-7441c03dd766");
    aml_device(a, "\\_SB.RTC");
    aml_name_int(a, "ZZ", 0);
    aml_name(a, "_CRS");
    aml_res_io(&r, 0x70, 1, 8);
    aml_res_irq(&r, 8);
    aml_res_dma(&r, 2);
    aml_res_memory32(&r, 0xfed00000, 0x400, false);
    aml_res_interrupts(&r, irqs, 3);
    aml_res_interrupt_edge(&r, 9);
    aml_res_bus_numbers(&r, 0, 256);
    aml_res_io_window(&r, 0xd00, 0xf300);
    aml_res_memory_window(&r, 0xc0000000, 0x3ec00000, false);
    aml_res_memory_window(&r, UINT64_C(1) << 32, UINT64_C(0x800000000), true);
    aml_resources(a, &r);
    aml_end(a);
    aml_region(a, "REGN", AML_SYSTEM_IO, 0x402, 0x20);
    aml_field(a, "REGN", AML_BYTE_ACC | AML_ZEROS);
    aml_field_unit(a, "AB", 8);
    aml_field_unit(a, NULL, 100);
    aml_field_unit(a, "CD", 4);
    aml_end(a);
    aml_method(a, "FUN", 2, AML_SERIALIZED);
    aml_op(a, AML_STORE), aml_int(a, 0), aml_local(a, 0);
    aml_op(a, AML_STORE), aml_int(a, 0), aml_local(a, 1);
    aml_create_dword_field_arg(a, 0, 5, "IRQN");
    aml_if(a);
    aml_op(a, AML_EQUAL), aml_arg(a, 1), aml_local(a, 0);
    aml_op(a, AML_RETURN), aml_op(a, AML_AND), aml_path(a, "AA"), aml_int(a, 0x80), aml_no_target(a);
    aml_end(a);
    aml_else(a);
    aml_op(a, AML_STORE), aml_arg(a, 0), aml_path(a, "\\_SB.RTC.ZZ");
    aml_end(a);
    aml_while(a);
    aml_op(a, AML_LESS), aml_local(a, 1), aml_int(a, 3);
    aml_op(a, AML_INCREMENT), aml_local(a, 1);
    aml_end(a);
    aml_op(a, AML_NOTIFY), aml_path(a, "\\_SB.RTC"), aml_int(a, 0x80);
    aml_end(a);
    aml_name(a, "PK");
    aml_package(a, 2);
    aml_int(a, 0);
    aml_int(a, 1);
    aml_end(a);
    aml_mutex(a, "MX");
    aml_processor(a, "C001", 1);
    aml_end(a);
}

static void test_aml(void)
{
    Aml a = {0};

    build_golden(&a);
    CHECK_EQ(a.depth, 0);
    CHECK_EQ(a.bytes.n, sizeof(golden));
    for (size_t i = 0; i < MIN(a.bytes.n, sizeof(golden)); i++) {
        if (a.bytes.at[i] != golden[i]) {
            fprintf(stderr, "byte %zu differs\n", i);
            CHECK_EQ(a.bytes.at[i], golden[i]);
            break;
        }
    }
    aml_free(&a);
}

/* A package length is the shortest that holds what follows and itself (20.2.4). */
static void test_package_length(void)
{
    static const struct {
        size_t body;
        unsigned bytes;
    } cases[] = {
        { 0, 1 }, { 62, 1 }, { 63, 2 }, { 4093, 2 }, { 4094, 3 }, { 1048572, 3 }, { 1048573, 4 },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        Aml a = {0};
        aml_if(&a);
        for (size_t n = 0; n < cases[i].body; n++) {
            aml_byte(&a, 0xa3);
        }
        aml_end(&a);
        const uint8_t *p = a.bytes.at + 1;
        unsigned more = p[0] >> 6;
        size_t len = more ? p[0] & 0xfu : p[0];
        for (unsigned k = 0; k < more; k++) {
            len |= (size_t)p[1 + k] << (4 + 8 * k);
        }
        CHECK_EQ(more + 1, cases[i].bytes);
        CHECK_EQ(len, cases[i].body + cases[i].bytes);
        CHECK_EQ(a.bytes.n, 1 + len);
        aml_free(&a);
    }
}

/* ---- boards ---- */

static Machine *machine;
static uint32_t ids[300];
static bool have_ecam;

static bool ecam(void *opaque, AcpiRange *ret)
{
    *ret = (AcpiRange){ 0xb0000000, 256 * MiB };
    return have_ecam;
}

static AcpiBoard board_pc(void)
{
    static PciBus bus;

    return (AcpiBoard){
        .machine = machine, .chipset = ACPI_CHIPSET_PIIX, .apic_ids = ids, .n_cpus = 2, .max_cpus = 2,
        .io_apic = { 0xfec00000, 0x1000 }, .irq0_override = true, .sci_irq = 9, .level_irqs = 0x0e20,
        .root = &bus, .pci_hole = { 0x8000000, 0xfec00000 - 0x8000000 }, .lpc_devfn = 0x08,
        .pm_base = 0x600, .gpe0_base = 0xafe0, .gpe0_bytes = 4, .acpi_enable = 0xf1, .acpi_disable = 0xf0, .s4_value = 2,
        .hpet = true, .rtc = true, .i8042 = true, .floppy = true, .floppy_type = { 4, 5 },
        .serial = { { 0x3f8, 4 }, { 0x2f8, 3 } }, .parallel = { { 0x378, 7 } }, .fw_cfg_port = 0x510, .pvpanic_port = 0x505,
    };
}

static AcpiBoard board_q35(void)
{
    AcpiBoard b = board_pc();

    b.chipset = ACPI_CHIPSET_ICH9;
    b.ecam = ecam;
    b.pci_hole64 = (AcpiRange){ UINT64_C(0x100000000), UINT64_C(0x800000000) };
    b.lpc_devfn = 0xf8;
    b.gpe0_base = 0x620;
    b.gpe0_bytes = 16;
    b.acpi_enable = 2;
    b.acpi_disable = 3;
    b.reset_register = true;
    return b;
}

static AcpiBoard board_many(void)
{
    AcpiBoard b = board_q35();

    b.n_cpus = 290;
    b.max_cpus = 300;
    b.no_s3 = b.no_s4 = true;
    b.floppy = false;
    return b;
}

static AcpiBoard board_microvm(void)
{
    return (AcpiBoard){
        .machine = machine, .chipset = ACPI_CHIPSET_MICROVM, .apic_ids = ids, .n_cpus = 1, .max_cpus = 1,
        .io_apic = { 0xfec00000, 0x1000 }, .io_apic2 = { 0xfec10000, 0x1000 }, .io_apic2_id = 1, .io_apic2_first = 24,
        .rtc = true, .serial = { { 0x3f8, 4 } }, .fw_cfg_port = 0x510, .hw_reduced = true,
        .ged = { 0xfea00000, 0x1000 }, .ged_irq = 9, .virtio = { { 0 }, { 0xfeb00200, 512 } }, .virtio_irq = { 0, 17 },
    };
}

static uint64_t arm_affinity(void *opaque, unsigned cpu)
{
    return cpu / 16 << 8 | cpu % 16;
}

static bool arm_ecam(void *opaque, AcpiRange *ret)
{
    *ret = (AcpiRange){ UINT64_C(0x4010000000), 0x10000000 };
    return true;
}

static const AcpiArm arm_v2 = {
    .gic_version = 2, .gic_dist = { 0x8000000, 0x10000 }, .gic_cpu = { 0x8010000, 0x10000 }, .v2m = { 0x8020000, 0x1000 }, .v2m_first = 80,
    .v2m_count = 64, .affinity = arm_affinity, .has_pmu = true, .psci = true, .psci_hvc = true, .pmu_irq = 23, .timer_secure = 29,
    .timer_phys = 30, .timer_virt = 27, .timer_hyp = 26, .uart = { 0x9000000, 0x1000 }, .uart_irq = 33,
    .flash = { { 0, 0x4000000 }, { 0x4000000, 0x4000000 } }, .fw_cfg = { 0x9020000, 0x18 }, .pio = { 0x3eff0000, 0x10000 },
    .ecam = { UINT64_C(0x4010000000), 0x10000000 }, .pci_irq = 35,
}, arm_v3 = {
    .gic_version = 3, .gic_dist = { 0x8000000, 0x10000 }, .gic_redist = { { 0x80a0000, 0xf60000 }, { UINT64_C(0x4000000000), 0x4000000 } },
    .its = { 0x8080000, 0x20000 }, .affinity = arm_affinity, .has_el2 = true, .psci = true, .maintenance_irq = 25,
    .timer_secure = 29, .timer_phys = 30, .timer_virt = 27, .timer_hyp = 26, .uart = { 0x9000000, 0x1000 }, .uart_irq = 33,
    .flash = { { 0 }, { 0x4000000, 0x4000000 } }, .fw_cfg = { 0x9020000, 0x18 }, .pio = { 0x3eff0000, 0x10000 },
    .ecam = { UINT64_C(0x4010000000), 0x10000000 }, .pci_irq = 35,
};

static AcpiBoard board_arm(const AcpiArm *arm, unsigned n_cpus)
{
    return (AcpiBoard){
        .machine = machine, .chipset = ACPI_CHIPSET_ARM, .n_cpus = n_cpus, .max_cpus = n_cpus, .pci_hole = { 0x10000000, 0x2eff0000 },
        .pci_hole64 = { UINT64_C(0x8000000000), UINT64_C(0x8000000000) }, .ecam = arm_ecam, .hw_reduced = true, .ged = { 0x9080000, 0x1000 },
        .ged_irq = 41, .virtio = { { 0xa000000, 512 } }, .virtio_irq = { 48 }, .arm = arm,
    };
}

/* ---- firmware ---- */

#define BASE 0x07fe0040u

typedef struct Placed {
    const char *name;
    uint8_t *data;
    uint32_t len, addr;
} Placed;

static Placed placed[4];
static unsigned n_placed;

static Placed *placed_find(const char *name)
{
    for (unsigned i = 0; i < n_placed; i++) {
        if (!strcmp(placed[i].name, name)) {
            return &placed[i];
        }
    }
    return NULL;
}

static uint8_t *at_address(uint64_t addr)
{
    for (unsigned i = 0; i < n_placed; i++) {
        if (addr >= placed[i].addr && addr - placed[i].addr < placed[i].len) {
            return placed[i].data + (addr - placed[i].addr);
        }
    }
    return NULL;
}

static void run_command(Device *fw_cfg, const uint8_t *c)
{
    const char *name = (const char *)c + 4, *other = (const char *)c + 60;
    Placed *file = placed_find(name), *target;

    switch (ldle32(c)) {
    case LINKER_ALLOCATE: {
        uint32_t len, align = ldle32(c + 60);
        const uint8_t *data = fw_cfg_file(fw_cfg, name, &len);
        CHECK(data && !file && bits_is_pow2(align) && (c[64] == LINKER_ZONE_HIGH || c[64] == LINKER_ZONE_FSEG));
        CHECK(n_placed < ARRAY_SIZE(placed));
        placed[n_placed++] = (Placed){ name, xmemdup(data, len), len,
                                       c[64] == LINKER_ZONE_FSEG ? 0xf5000 : ROUND_UP(BASE, align) };
        break;
    }
    case LINKER_ADD_POINTER: {
        uint32_t offset = ldle32(c + 116);
        target = placed_find(other);
        CHECK(file && target && (c[120] == 4 || c[120] == 8) && offset + c[120] <= file->len);
        CHECK(ldle32(file->data + offset) < target->len);
        stle32(file->data + offset, ldle32(file->data + offset) + target->addr);
        break;
    }
    case LINKER_ADD_CHECKSUM: {
        uint32_t offset = ldle32(c + 60), start = ldle32(c + 64), len = ldle32(c + 68);
        uint8_t sum = 0;
        CHECK(file && start + len <= file->len && offset >= start && offset < start + len);
        for (uint32_t i = 0; i < len; i++) {
            sum = (uint8_t)(sum + file->data[start + i]);
        }
        file->data[offset] = (uint8_t)(file->data[offset] - sum);
        break;
    }
    default:
        CHECK(ldle32(c) == 0);
    }
}

static uint8_t sum(const uint8_t *p, uint32_t len)
{
    uint8_t s = 0;

    for (uint32_t i = 0; i < len; i++) {
        s = (uint8_t)(s + p[i]);
    }
    return s;
}

static const char *directory, *board_name;
static char seen[1024];

static const uint8_t *check_table(uint64_t addr)
{
    const uint8_t *t = at_address(addr);
    char sig[5] = {0};

    CHECK(t);
    if (!t) {
        return NULL;
    }
    memcpy(sig, t, 4);
    uint32_t len = ldle32(t + 4);
    CHECK(len >= 36 && at_address(addr + len - 1) == t + len - 1);
    if (strcmp(sig, "FACS")) {
        CHECK_EQ(sum(t, len), 0);
    }
    size_t at = strlen(seen);
    snprintf(seen + at, sizeof(seen) - at, "%s ", sig);
    if (directory) {
        char *path = xasprintf("%s/%s-%s.aml", directory, board_name, sig);
        FILE *f = fopen(path, "wb");
        CHECK(f && fwrite(t, 1, len, f) == len);
        if (f) {
            fclose(f);
        }
        free(path);
    }
    return t;
}

static void check_fadt(const uint8_t *t, const AcpiBoard *b)
{
    if (b->hw_reduced) {
        CHECK_EQ(ldle32(t + 4), 276);
        CHECK(!memcmp(check_table(ldle64(t + 140)), "DSDT", 4));
        CHECK_EQ(ldle32(t + 40), b->arm ? 0 : ldle64(t + 140)); /* SeaBIOS looks there */
        CHECK_EQ(ldle32(t + 112) >> 20 & 1, 1);
        return;
    }
    uint32_t facs = ldle32(t + 36);
    CHECK_EQ(facs % 64, 0);
    CHECK(at_address(facs) && !memcmp(at_address(facs), "FACS", 4));
    CHECK(!memcmp(check_table(ldle32(t + 40)), "DSDT", 4));
    CHECK_EQ(ldle16(t + 46), 9);
    CHECK_EQ(ldle32(t + 56), b->pm_base);
    CHECK_EQ(t[52], b->acpi_enable);
    if (t[8] >= 3) {
        CHECK_EQ(ldle64(t + 140), ldle32(t + 40));
        CHECK_EQ(ldle64(t + 120), 0xcf9);
    }
}

static void check_madt(const uint8_t *t, const AcpiBoard *b)
{
    unsigned local = 0, enabled = 0, io = 0, overrides = 0;

    for (uint32_t at = 44; at < ldle32(t + 4); at += t[at + 1]) {
        CHECK(t[at + 1]);
        local += t[at] == 0 || t[at] == 9;
        enabled += (t[at] == 0 && t[at + 4]) || (t[at] == 9 && t[at + 8]);
        io += t[at] == 1;
        overrides += t[at] == 2;
        if (!t[at + 1]) {
            break;
        }
    }
    CHECK_EQ(local, b->max_cpus);
    CHECK_EQ(enabled, b->n_cpus);
    CHECK_EQ(io, b->io_apic2.size_bytes ? 2 : 1);
    CHECK_EQ(overrides, b->irq0_override ? 5 : 0);
}

/* Structures by type: GICC, GICD, MSI frame, GICR, ITS; processors in order of their numbers. */
static void check_arm_madt(const uint8_t *t, const AcpiBoard *b)
{
    unsigned n[16] = {0};

    for (uint32_t at = 44; at < ldle32(t + 4) && t[at + 1]; at += t[at + 1]) {
        CHECK(t[at] >= 0x0b && t[at] <= 0x0f);
        if (t[at] == 0x0b) {
            CHECK_EQ(ldle32(t + at + 8), n[0x0b]);
            CHECK_EQ(ldle64(t + at + 68), arm_affinity(NULL, n[0x0b]));
            CHECK_EQ(ldle64(t + at + 32), b->arm->gic_cpu.base);
            CHECK_EQ(ldle32(t + at + 56), b->arm->maintenance_irq);
        } else if (t[at] == 0x0c) {
            CHECK(ldle64(t + at + 8) == b->arm->gic_dist.base && t[at + 20] == b->arm->gic_version);
        } else if (t[at] == 0x0d) {
            CHECK(ldle64(t + at + 8) == b->arm->v2m.base && ldle16(t + at + 20) == 64 && ldle16(t + at + 22) == 80);
        } else if (t[at] == 0x0e) {
            CHECK_EQ(ldle64(t + at + 4), b->arm->gic_redist[n[0x0e]].base);
        } else {
            CHECK_EQ(ldle64(t + at + 8), b->arm->its.base);
        }
        n[t[at]]++;
    }
    bool v2 = b->arm->gic_version == 2;
    CHECK(n[0x0b] == b->n_cpus && n[0x0c] == 1 && n[0x0d] == v2 && n[0x0e] == (v2 ? 0 : 2) && n[0x0f] == !v2);
}

static void check_arm_table(const uint8_t *t, const AcpiBoard *b)
{
    if (!memcmp(t, "FACP", 4)) {
        check_fadt(t, b);
        CHECK_EQ(ldle16(t + 129), b->arm->psci_hvc ? 3 : 1);
    } else if (!memcmp(t, "APIC", 4)) {
        check_arm_madt(t, b);
    } else if (!memcmp(t, "GTDT", 4)) {
        CHECK(ldle32(t + 4) == 104 && ldle32(t + 48) == 29 && ldle32(t + 56) == 30 && ldle32(t + 60) == 4 && ldle32(t + 64) == 27 && ldle32(t + 72) == 26);
    } else if (!memcmp(t, "SPCR", 4)) {
        CHECK(ldle32(t + 4) == 80 && t[36] == 3 && ldle64(t + 44) == 0x9000000 && ldle32(t + 54) == 33);
    } else if (!memcmp(t, "DBG2", 4)) {
        CHECK(ldle32(t + 36) == 44 && 44 + (uint32_t)ldle16(t + 45) == ldle32(t + 4) && ldle64(t + 44 + 22 + 4) == 0x9000000);
    } else if (!memcmp(t, "IORT", 4)) {
        CHECK(ldle32(t + 40) == 48 && ldle16(t + 49) == 24 && ldle32(t + 48 + 24 + 36 + 12) == 48 && 48 + 24u + ldle16(t + 73) == ldle32(t + 4));
    } else if (!memcmp(t, "MCFG", 4)) {
        CHECK(ldle64(t + 44) == UINT64_C(0x4010000000) && t[55] == 255);
    }
}

static void check_set(Device *fw_cfg, const AcpiBoard *b, const char *name, const char *expected)
{
    uint32_t len;
    const uint8_t *script = fw_cfg_file(fw_cfg, ACPI_FILE_LOADER, &len);

    board_name = name;
    seen[0] = 0;
    for (uint32_t i = 0; i + LINKER_ENTRY_BYTES <= len; i += LINKER_ENTRY_BYTES) {
        run_command(fw_cfg, script + i);
    }
    const uint8_t *rsdp = at_address(0xf5000);
    CHECK(rsdp && !memcmp(rsdp, "RSD PTR ", 8));
    CHECK_EQ(sum(rsdp, 20), 0);
    bool wide = rsdp[15] == 2;
    CHECK_EQ(wide, b->hw_reduced);
    if (wide) {
        CHECK_EQ(sum(rsdp, 36), 0);
    }
    const uint8_t *root = check_table(wide ? ldle64(rsdp + 24) : ldle32(rsdp + 16));
    for (uint32_t at = 36; root && at < ldle32(root + 4); at += wide ? 8 : 4) {
        const uint8_t *t = check_table(wide ? ldle64(root + at) : ldle32(root + at));
        if (t && b->arm) {
            check_arm_table(t, b);
        } else if (t && !memcmp(t, "FACP", 4)) {
            check_fadt(t, b);
        } else if (t && !memcmp(t, "APIC", 4)) {
            check_madt(t, b);
        } else if (t && !memcmp(t, "MCFG", 4)) {
            CHECK_EQ(ldle64(t + 44), 0xb0000000);
            CHECK_EQ(t[55], 255);
        }
    }
    if (strcmp(seen, expected)) {
        fprintf(stderr, "%s has %s\n", name, seen);
    }
    CHECK(!strcmp(seen, expected));
    for (unsigned i = 0; i < n_placed; i++) {
        free(placed[i].data);
    }
    n_placed = 0;
}

static Device *new_fw_cfg(void)
{
    Error *err = NULL;
    Device *fw_cfg = device_create("fw_cfg_mem", sysbus_get(), NULL, &err);

    if (!fw_cfg) {
        fprintf(stderr, "%s\n", error_message(err));
        exit(1);
    }
    return fw_cfg;
}

static void test_board(AcpiBoard b, const char *name, const char *expected)
{
    Device *fw_cfg = new_fw_cfg();
    Error *err = NULL;
    uint32_t len;

    b.fw_cfg = fw_cfg;
    CHECK(acpi_install(&b, &err));
    check_set(fw_cfg, &b, name, expected);
    CHECK(fw_cfg_file(fw_cfg, "etc/system-states", &len) ? !b.hw_reduced && len == 6 : b.hw_reduced);
}

/* Tables follow what firmware has done before it selects one of the files, once after a reset; sizes stay. */
static void test_refresh(void)
{
    Device *fw_cfg = new_fw_cfg();
    AcpiBoard b = board_q35();
    Error *err = NULL;
    uint32_t len, len2, dir_len, key = 0;

    b.fw_cfg = fw_cfg;
    have_ecam = false;
    CHECK(acpi_install(&b, &err));
    fw_cfg_file(fw_cfg, ACPI_FILE_TABLES, &len);
    check_set(fw_cfg, &b, "q35-early", "RSDT FACP DSDT APIC HPET WAET ");
    have_ecam = true;
    check_set(fw_cfg, &b, "q35-early", "RSDT FACP DSDT APIC HPET WAET ");
    const uint8_t *dir = fw_cfg_item(fw_cfg, FW_CFG_FILE_DIR, &dir_len);
    for (uint32_t i = 0; i < ldbe32(dir); i++) {
        if (!strcmp((const char *)dir + 4 + 64 * i + 8, ACPI_FILE_LOADER)) {
            key = ldbe16(dir + 4 + 64 * i + 4);
        }
    }
    CHECK(key >= FW_CFG_FILE_FIRST);
    CHECK_EQ(memory_region_write(device_mmio(fw_cfg, 0), 0, 2, MEM_BIG_ENDIAN, key, MEM_ATTRS_NONE), MEM_OK);
    fw_cfg_file(fw_cfg, ACPI_FILE_TABLES, &len2);
    CHECK_EQ(len, len2);
    check_set(fw_cfg, &b, "q35-late", "RSDT FACP DSDT APIC HPET MCFG WAET ");
}

int main(int argc, char **argv)
{
    Error *err = NULL;

    directory = argc > 1 ? argv[1] : NULL;
    for (unsigned i = 0; i < ARRAY_SIZE(ids); i++) {
        ids[i] = i;
    }
    bql_lock();
    machine = machine_new(machine_type_find("none", "riscv64"), "riscv64");
    if (!machine_build(machine, &err)) {
        fprintf(stderr, "%s\n", error_message(err));
        return 1;
    }
    test_aml();
    test_package_length();
    have_ecam = true;
    test_board(board_pc(), "pc", "RSDT FACP DSDT APIC HPET WAET ");
    test_board(board_q35(), "q35", "RSDT FACP DSDT APIC HPET MCFG WAET ");
    test_board(board_many(), "many", "RSDT FACP DSDT APIC HPET MCFG WAET ");
    test_board(board_microvm(), "microvm", "XSDT FACP DSDT APIC ");
    test_board(board_arm(&arm_v2, 3), "arm-v2", "XSDT FACP DSDT APIC PPTT GTDT SPCR DBG2 MCFG ");
    machine->smp = (SmpConfig){ 300, 300, 1, 1, 5, 1, 3, 1, 10, 2 };
    test_board(board_arm(&arm_v3, 300), "arm-v3", "XSDT FACP DSDT APIC PPTT GTDT SPCR DBG2 IORT MCFG ");
    test_refresh();
    return test_result();
}
