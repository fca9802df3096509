/*
 * tables.c: the fixed tables (FACS, FADT, MADT, HPET, MCFG, WAET, RSDT or XSDT, RSDP) and their way to firmware.
 *
 * All tables but the RSDP are one fw_cfg file, in which offsets stand where addresses will be; the linker's script
 * (linker.h) tells firmware which. Files keep the size they had when the board was built, since firmware takes it from
 * the directory: they are padded with room to spare.
 *
 * Specification: ACPI 6.5, chapter 5.2; WAET: "Windows ACPI Emulated Devices Table", HPET: IA-PC HPET 1.0a, 3.2.4.
 */
#include "hw/acpi-arm.h"
#include "hw/acpi/internal.h"
#include "hw/fw_cfg.h"
#include "softmmu/numa.h"
#include "util/bits.h"

enum {
    HEADER_LENGTH = 4, HEADER_CHECKSUM = 9,
    FADT_FACS = 36, FADT_DSDT = 40, FADT_X_FACS = 132, FADT_X_DSDT = 140,
    FADT_BYTES_1 = 116, FADT_BYTES_3 = 244, FADT_BYTES_6 = 276,
    TABLES_ALIGN = 64, TABLES_STEP = 64 * 1024, LOADER_STEP = 4096, MAX_ROOT_ENTRIES = 64,
};
enum { /* FADT flags (5.2.9, table 5.10) */
    FADT_WBINVD = 1 << 0, FADT_PROC_C1 = 1 << 2, FADT_SLP_BUTTON = 1 << 5, FADT_RTC_S4 = 1 << 7,
    FADT_RESET_REG = 1 << 10, FADT_PLATFORM_CLOCK = 1 << 15, FADT_APIC_CLUSTER = 1 << 18, FADT_HW_REDUCED = 1 << 20,
};
enum { GAS_MEMORY = 0, GAS_IO = 1 };
enum { /* interrupt source override flags (5.2.12.5) */
    MPS_ACTIVE_HIGH = 1, MPS_LEVEL = 3 << 2,
};

/* ---- single tables ---- */

static void facs(Aml *a)
{
    aml_raw(a, "FACS", 4);
    aml_le(a, 64, 4);
    aml_le(a, 0, 8);
    aml_le(a, 0, 8);
    aml_le(a, 0, 8);
    for (unsigned i = 32; i < 64; i++) {
        aml_byte(a, 0);
    }
}

/* Generic address structure (5.2.3.2). */
static void put_gas(uint8_t *at, unsigned space, unsigned bits, uint64_t addr)
{
    at[0] = (uint8_t)space;
    at[1] = (uint8_t)bits;
    at[2] = at[3] = 0;
    stle64(at + 4, addr);
}

static void fadt_pm_block(uint8_t *t, const AcpiBoard *b)
{
    stle16(t + 46, b->sci_irq);
    stle32(t + 48, b->acpi_enable ? 0xb2 : 0);
    t[52] = b->acpi_enable;
    t[53] = b->acpi_disable;
    stle32(t + 56, b->pm_base);
    stle32(t + 64, b->pm_base + 4u);
    stle32(t + 76, b->pm_base + 8u);
    stle32(t + 80, b->gpe0_base);
    t[88] = 4; /* lengths: PM1 event, control, timer, GPE0 */
    t[89] = 2;
    t[91] = 4;
    t[92] = b->gpe0_bytes;
}

static void fadt(Aml *a, const AcpiBoard *b)
{
    unsigned revision = b->hw_reduced ? 6 : b->chipset == ACPI_CHIPSET_PIIX ? 1 : 3;
    unsigned len = revision == 1 ? FADT_BYTES_1 : revision == 3 ? FADT_BYTES_3 : FADT_BYTES_6;
    size_t at = a->bytes.n;

    acpi_header(a, "FACP", (uint8_t)revision, acpi_oem_id(b), acpi_oem_table_id(b));
    while (a->bytes.n - at < len) {
        aml_byte(a, 0);
    }
    uint8_t *t = a->bytes.at + at;
    if (b->arm) {
        acpi_arm_fadt(t, b);
        return;
    }
    if (b->hw_reduced) {
        stle32(t + 112, FADT_HW_REDUCED | (b->ged.size_bytes ? FADT_RESET_REG : 0));
        if (b->ged.size_bytes) {
            put_gas(t + 116, GAS_MEMORY, 8, b->ged.base + 0x202);
            t[128] = 0x42;
            put_gas(t + 244, GAS_MEMORY, 8, b->ged.base + 0x200); /* sleep control, status */
            put_gas(t + 256, GAS_MEMORY, 8, b->ged.base + 0x201);
        }
        return;
    }
    t[44] = 1; /* interrupt model: the PICs and APICs of a PC (reserved since revision 2) */
    fadt_pm_block(t, b);
    stle16(t + 96, 0xfff); /* C2 and C3 are not there: latencies past their limits */
    stle16(t + 98, 0xfff);
    t[108] = 0x32;         /* century, in the RTC's memory */
    stle32(t + 112, FADT_WBINVD | FADT_PROC_C1 | FADT_SLP_BUTTON | FADT_RTC_S4 | FADT_PLATFORM_CLOCK |
           (revision > 1 && b->reset_register ? FADT_RESET_REG : 0) |
           (b->max_cpus > 8 ? FADT_APIC_CLUSTER : 0)); /* flat logical mode reaches eight */
    if (revision > 1) {
        stle16(t + 109, b->i8042 ? 2 : 0);
        if (b->reset_register) {
            put_gas(t + 116, GAS_IO, 8, 0xcf9);
            t[128] = 0x0f;
        }
        put_gas(t + 148, GAS_IO, 32, b->pm_base);
        put_gas(t + 172, GAS_IO, 16, b->pm_base + 4u);
        put_gas(t + 208, GAS_IO, 32, b->pm_base + 8u);
        put_gas(t + 220, GAS_IO, b->gpe0_bytes * 8u, b->gpe0_base);
    }
}

static void madt_processor(Aml *a, unsigned i, uint32_t apic_id, bool enabled)
{
    if (apic_id < 255 && i < 255) {
        aml_byte(a, 0);
        aml_byte(a, 8);
        aml_byte(a, (uint8_t)i);
        aml_byte(a, (uint8_t)apic_id);
        aml_le(a, enabled, 4);
    } else { /* local x2APIC (5.2.12.12) */
        aml_byte(a, 9);
        aml_byte(a, 16);
        aml_le(a, 0, 2);
        aml_le(a, apic_id, 4);
        aml_le(a, enabled, 4);
        aml_le(a, i, 4);
    }
}

static void madt_io_apic(Aml *a, uint8_t id, uint64_t base, uint32_t first)
{
    aml_byte(a, 1);
    aml_byte(a, 12);
    aml_byte(a, id);
    aml_byte(a, 0);
    aml_le(a, base, 4);
    aml_le(a, first, 4);
}

static void madt_override(Aml *a, unsigned irq, uint32_t input, unsigned flags)
{
    aml_byte(a, 2);
    aml_byte(a, 10);
    aml_byte(a, 0);
    aml_byte(a, (uint8_t)irq);
    aml_le(a, input, 4);
    aml_le(a, flags, 2);
}

static void madt(Aml *a, const AcpiBoard *b)
{
    bool x2apic = false;

    acpi_header(a, "APIC", 3, acpi_oem_id(b), acpi_oem_table_id(b));
    aml_le(a, 0xfee00000, 4);
    aml_le(a, 1, 4); /* there are 8259s too */
    for (unsigned i = 0; i < b->max_cpus; i++) {
        madt_processor(a, i, b->apic_ids[i], i < b->n_cpus);
        x2apic |= b->apic_ids[i] >= 255 || i >= 255;
    }
    if (b->io_apic.size_bytes) {
        madt_io_apic(a, b->io_apic_id, b->io_apic.base, 0);
    }
    if (b->io_apic2.size_bytes) {
        madt_io_apic(a, b->io_apic2_id, b->io_apic2.base, b->io_apic2_first);
    }
    if (b->irq0_override) {
        madt_override(a, 0, 2, 0);
    }
    for (unsigned i = 1; i < 16; i++) {
        if (b->level_irqs >> i & 1) {
            madt_override(a, i, i, MPS_ACTIVE_HIGH | MPS_LEVEL);
        }
    }
    if (x2apic) { /* NMI at LINT1 of all processors */
        aml_byte(a, 10);
        aml_byte(a, 12);
        aml_le(a, 0, 2);
        aml_le(a, UINT32_MAX, 4);
        aml_byte(a, 1);
        aml_le(a, 0, 3);
    } else {
        aml_byte(a, 4);
        aml_byte(a, 6);
        aml_byte(a, 0xff);
        aml_le(a, 0, 2);
        aml_byte(a, 1);
    }
}

static void hpet(Aml *a, const AcpiBoard *b)
{
    acpi_header(a, "HPET", 1, acpi_oem_id(b), acpi_oem_table_id(b));
    aml_le(a, 0x8086a201, 4); /* capabilities register, low half */
    aml_le(a, GAS_MEMORY, 4);
    aml_le(a, ACPI_HPET_BASE, 8);
    aml_byte(a, 0);
    aml_le(a, 0, 2);
    aml_byte(a, 0);
}

static void mcfg(Aml *a, const AcpiBoard *b, const AcpiRange *ecam)
{
    acpi_header(a, "MCFG", 1, acpi_oem_id(b), acpi_oem_table_id(b));
    aml_le(a, 0, 8);
    aml_le(a, ecam->base, 8);
    aml_le(a, 0, 2);                                        /* segment */
    aml_byte(a, 0);                                         /* buses */
    aml_byte(a, (uint8_t)(ecam->size_bytes / MiB - 1));
    aml_le(a, 0, 4);
}

static void waet(Aml *a, const AcpiBoard *b)
{
    acpi_header(a, "WAET", 1, acpi_oem_id(b), acpi_oem_table_id(b));
    aml_le(a, 2, 4); /* one read of the PM timer is enough */
}

/* ---- putting them together ---- */

typedef struct Linking {
    const AcpiBoard *board;
    Aml *tables;
    AcpiLinker *linker;
    uint32_t root[MAX_ROOT_ENTRIES];
    unsigned n_root;
} Linking;

/* The table begun at `start` is complete. */
static void finish_table(Linking *l, size_t start)
{
    uint32_t len = (uint32_t)(l->tables->bytes.n - start);

    stle32(l->tables->bytes.at + start + HEADER_LENGTH, len);
    linker_add_checksum(l->linker, ACPI_FILE_TABLES, (uint32_t)start + HEADER_CHECKSUM, (uint32_t)start, len);
}

static void add_root(Linking *l, size_t start)
{
    assert(l->n_root < MAX_ROOT_ENTRIES);
    l->root[l->n_root++] = (uint32_t)start;
}

static void add_table(Linking *l, void (*build)(Aml *a, const AcpiBoard *b))
{
    size_t start = l->tables->bytes.n;

    build(l->tables, l->board);
    finish_table(l, start);
    add_root(l, start);
}

/* The number there becomes the address of `target` in the same file. */
static void point(Linking *l, size_t at, unsigned size, uint32_t target)
{
    uint8_t *p = l->tables->bytes.at + at;

    stle32(p, target);
    linker_add_pointer(l->linker, ACPI_FILE_TABLES, (uint32_t)at, size, ACPI_FILE_TABLES);
}

static void add_fadt(Linking *l, uint32_t facs_at, uint32_t dsdt_at)
{
    const AcpiBoard *b = l->board;
    size_t start = l->tables->bytes.n;

    fadt(l->tables, b);
    if (b->hw_reduced) {
        if (!b->arm) { /* SeaBIOS, which looks for its disks in the DSDT, reads the 32-bit field */
            point(l, start + FADT_DSDT, 4, dsdt_at);
        }
        point(l, start + FADT_X_DSDT, 8, dsdt_at);
    } else {
        point(l, start + FADT_FACS, 4, facs_at);
        point(l, start + FADT_DSDT, 4, dsdt_at);
        if (b->chipset != ACPI_CHIPSET_PIIX) {
            point(l, start + FADT_X_DSDT, 8, dsdt_at);
        }
    }
    finish_table(l, start);
    add_root(l, start);
}

static uint32_t add_root_table(Linking *l, bool wide)
{
    const AcpiBoard *b = l->board;
    unsigned size = wide ? 8 : 4;
    size_t start = l->tables->bytes.n;

    acpi_header(l->tables, wide ? "XSDT" : "RSDT", 1, acpi_oem_id(b), acpi_oem_table_id(b));
    for (unsigned i = 0; i < l->n_root; i++) {
        size_t at = l->tables->bytes.n;
        aml_le(l->tables, 0, size);
        point(l, at, size, l->root[i]);
    }
    finish_table(l, start);
    return (uint32_t)start;
}

static void add_rsdp(Linking *l, Aml *rsdp, bool wide, uint32_t root)
{
    char oem[7] = "      ";
    const char *id = acpi_oem_id(l->board);

    memcpy(oem, id, MIN(strlen(id), 6));
    aml_raw(rsdp, "RSD PTR ", 8);
    aml_byte(rsdp, 0);
    aml_raw(rsdp, oem, 6);
    aml_byte(rsdp, wide ? 2 : 0);
    aml_le(rsdp, wide ? 0 : root, 4);
    if (wide) {
        aml_le(rsdp, 36, 4);
        aml_le(rsdp, root, 8);
        aml_le(rsdp, 0, 4);
    }
    linker_add_pointer(l->linker, ACPI_FILE_RSDP, wide ? 24 : 16, wide ? 8 : 4, ACPI_FILE_TABLES);
    linker_add_checksum(l->linker, ACPI_FILE_RSDP, 8, 0, 20);
    if (wide) {
        linker_add_checksum(l->linker, ACPI_FILE_RSDP, 32, 0, 36);
    }
}

void acpi_build_tables(const AcpiBoard *b, Aml *tables, Aml *rsdp, AcpiLinker *linker)
{
    Linking l = { .board = b, .tables = tables, .linker = linker };
    AcpiRange range;
    const AcpiRange *ecam = b->ecam && b->ecam(b->opaque, &range) ? &range : NULL;
    const Aml *user;
    size_t n_user = acpi_user_tables(&user);

    linker_allocate(linker, ACPI_FILE_RSDP, 16, LINKER_ZONE_FSEG);
    linker_allocate(linker, ACPI_FILE_TABLES, TABLES_ALIGN, LINKER_ZONE_HIGH);
    uint32_t facs_at = 0;
    if (!b->hw_reduced) {
        facs(tables);
    }
    uint32_t dsdt_at = (uint32_t)tables->bytes.n;
    acpi_build_dsdt(tables, b, ecam);
    finish_table(&l, dsdt_at);
    add_fadt(&l, facs_at, dsdt_at);
    add_table(&l, b->arm ? acpi_arm_madt : madt);
    if (b->arm) {
        add_table(&l, acpi_arm_pptt);
        add_table(&l, acpi_arm_gtdt);
        add_table(&l, acpi_arm_spcr);
        add_table(&l, acpi_arm_dbg2);
        if (b->arm->its.size_bytes || b->arm->smmu.size_bytes) {
            add_table(&l, acpi_arm_iort);
        }
    }
    if (b->machine->numa) {
        add_table(&l, acpi_srat);
        if (b->machine->numa->have_distances) {
            add_table(&l, acpi_slit);
        }
    }
    if (b->hpet) {
        add_table(&l, hpet);
    }
    if (ecam) {
        size_t start = tables->bytes.n;
        mcfg(tables, b, ecam);
        finish_table(&l, start);
        add_root(&l, start);
    }
    if (!b->hw_reduced) {
        add_table(&l, waet);
    }
    for (size_t i = 0; i < n_user; i++) {
        size_t start = tables->bytes.n;
        aml_raw(tables, user[i].bytes.at, user[i].bytes.n);
        finish_table(&l, start);
        add_root(&l, start);
    }
    add_rsdp(&l, rsdp, b->hw_reduced, add_root_table(&l, b->hw_reduced));
}

/* ---- fw_cfg ---- */

typedef struct Installed {
    AcpiBoard board;
    bool fresh; /* since the last reset */
} Installed;

static void pad(Aml *a, size_t len)
{
    while (a->bytes.n < len) {
        aml_byte(a, 0);
    }
}

/* Sizes as they are, or, the first time (old sizes 0), with room for what firmware may add. */
static bool put_files(const AcpiBoard *b, Error **errp)
{
    Aml tables = {0}, rsdp = {0};
    AcpiLinker linker = {0};
    uint32_t tables_len = 0, script_len = 0;
    bool ok;

    acpi_build_tables(b, &tables, &rsdp, &linker);
    if (fw_cfg_file(b->fw_cfg, ACPI_FILE_TABLES, &tables_len)) {
        fw_cfg_file(b->fw_cfg, ACPI_FILE_LOADER, &script_len);
        assert(tables.bytes.n <= tables_len && linker.script.bytes.n <= script_len);
    } else {
        tables_len = (uint32_t)ROUND_UP(tables.bytes.n + LOADER_STEP, TABLES_STEP);
        script_len = (uint32_t)ROUND_UP(linker.script.bytes.n + 4 * LINKER_ENTRY_BYTES, LOADER_STEP);
    }
    pad(&tables, tables_len);
    pad(&linker.script, script_len);
    ok = fw_cfg_set_file(b->fw_cfg, ACPI_FILE_TABLES, tables.bytes.at, tables_len, errp) &&
         fw_cfg_set_file(b->fw_cfg, ACPI_FILE_RSDP, rsdp.bytes.at, (uint32_t)rsdp.bytes.n, errp) &&
         fw_cfg_set_file(b->fw_cfg, ACPI_FILE_LOADER, linker.script.bytes.at, script_len, errp);
    aml_free(&tables);
    aml_free(&rsdp);
    aml_free(&linker.script);
    return ok;
}

static void on_select(void *opaque)
{
    Installed *in = opaque;
    Error *err = NULL;

    if (!in->fresh) {
        in->fresh = true;
        if (!put_files(&in->board, &err)) {
            error_report_free(err);
        }
    }
}

static void on_reset(void *opaque)
{
    ((Installed *)opaque)->fresh = false;
}

bool acpi_install(const AcpiBoard *board, Error **errp)
{
    static const char *const files[] = { ACPI_FILE_TABLES, ACPI_FILE_RSDP, ACPI_FILE_LOADER };
    Installed *in = xnew(Installed);

    in->board = *board; /* lives as long as the machine */
    if (!put_files(board, errp)) {
        free(in);
        return false;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(files); i++) {
        fw_cfg_on_select(board->fw_cfg, files[i], on_select, in);
    }
    machine_add_reset(on_reset, in);
    if (!board->hw_reduced) {
        /* S0 to S5: bit 7 there, else the SLP_TYP value. */
        uint8_t states[6] = { 0x80, 0, 0, board->no_s3 ? 0 : 0x81, board->no_s4 ? 0 : 0x80 | board->s4_value, 0x80 };
        return fw_cfg_add_file(board->fw_cfg, "etc/system-states", states, sizeof(states), errp);
    }
    return true;
}
