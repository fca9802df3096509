/*
 * fuzz-arm.c: a guest that pokes the Arm board's interrupt controllers and its SMMU: GICv3 with redistributors, ITS and the processors' system
 * registers, stream tables, context descriptors and page tables in any state, commands of both queues, DMA of PCI functions through all that.
 * Nothing may crash, hang or leave the process. FUZZ_GIC=2: a GICv2 with its message frame instead.
 *
 * Input: operations of 12 bytes: kind, region, offset (4), size, flags, value (4), as fuzz-mmio's; OP_BURST is a row of hostile ones from a random
 * number generator.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "hw/arm/cpus.h"
#include "hw/intc/gicv3.h"
#include "hw/pci.h"
#include "softmmu/bql.h"
#include "softmmu/loop.h"
#include "softmmu/system-priv.h"
#include "softmmu/system.h"
#include "tests/fuzz/fuzz.h"

enum { OP_BYTES = 12, MAX_REGIONS = 128, N_CPUS = 4, OP_BURST = 5, BURST_OPS = 64, N_FUNCTIONS = 3 };
enum { RAM = 0x40000000, RAM_BYTES = 4 << 20, SMMU = 0x9050000, ITS = 0x8080000, DIST = 0x8000000, REDIST = 0x80a0000, SPACE = 0x200000 };

const char *const fuzz_seeds[] = {
    "\x01\x06\x01\x01\x01\x01\x04\x01\x01\x01\x01\x01\x05\x03\x70\x01\x01\x01\x04\x01\x0f\x01\x01\x01",
    "\x05\x05\x14\x01\x01\x01\x04\x01\x01\x01\x01\x01\x03\x05\x70\x01\x01\x01\x04\x01\x03\x01\x01\x01\x04\x05\x70\x01\x01\x01\x04\x01\x03\x01\x01\x01", NULL
};
const char *const fuzz_words[] = {
    "\x05\x02\x10\x01\x01\x01\x04\x01\xff\xff\xff\xff", "\x03\x01\x01\x10\x01\x01\x08\x03\x01\x20\x01\x01", "\x80\x80\x80\x80", "\xff\xff\xff\xff", NULL
};

typedef struct Region {
    MemoryRegion *mr;
    const RegisterBank *bank;
} Region;

static Machine *machine;
static Device *gic;
static Region regions[MAX_REGIONS];
static size_t n_regions;
static PciDevice *functions[N_FUNCTIONS];
static unsigned lines_up[N_CPUS];
static bool is_v2;

static struct Vcpu *fake_create(ArmCpu *cpu, const char *model, Error **errp)
{
    return (struct Vcpu *)&lines_up[cpu->index];
}

static void fake_nothing(ArmCpu *cpu)
{
}

static void fake_line(ArmCpu *cpu, ArmLine line, bool level)
{
    lines_up[cpu->index] = level ? lines_up[cpu->index] | 1u << line : lines_up[cpu->index] & ~(1u << line);
}

static void fake_info(ArmCpu *cpu, ArmCpuInfo *ret)
{
}

static const ArmCpuOps fake_ops = {
    .create = fake_create, .start = fake_nothing, .line = fake_line, .info = fake_info, .memory_changed = fake_nothing,
};

static void collect(Device *dev, void *opaque)
{
    const DeviceType *type = device_type(dev);

    for (unsigned i = 0; i < dev->n_mmio && n_regions < MAX_REGIONS; i++) {
        regions[n_regions++] = (Region){ device_mmio(dev, i), i < type->n_banks ? &type->banks[i] : NULL };
    }
    if (strstr(type->type.name, "arm_gic") || !strcmp(type->type.name, "arm-gicv3")) {
        gic = dev;
    }
}

static void must(bool ok, Error *err)
{
    if (!ok) {
        fprintf(stderr, "fuzz-arm: %s\n", error_message(err));
        exit(1);
    }
}

static void start(void)
{
    static const char *const types[N_FUNCTIONS] = { "virtio-rng-pci", "virtio-net-pci", "e1000" };
    const char *version = getenv("FUZZ_GIC");
    Error *err = NULL;

    is_v2 = version && *version == '2';
    error_set_program("fuzz-arm");
    bql_lock();
    loop_set_lock(loop_main(), bql_lock, bql_unlock);
    system_init_backends();
    arm_cpus_set_ops(&fake_ops);
    machine = machine_new(machine_type_find("virt", "aarch64"), "aarch64");
    machine->ram_bytes = RAM_BYTES;
    must(machine_set_smp(machine, &(SmpConfig){ .cpus = N_CPUS }, &err), err);
    must(object_property_parse(&machine->obj, "gic-version", is_v2 ? "2" : "3", &err), err);
    must(object_property_parse(&machine->obj, "virtualization", "on", &err), err);
    must(object_property_parse(&machine->obj, "iommu", "smmuv3", &err), err);
    must(machine_build(machine, &err), err);
    for (unsigned i = 0; i < N_FUNCTIONS; i++) {
        const char *opts[] = { "iommu_platform", "on", NULL };
        functions[i] = PCI_DEVICE(device_add(types[i], i < 2 ? opts : opts + 2, &err));
        must(functions[i] != NULL, err);
    }
    must(machine_ready(machine, &err), err);
    machine_reset(machine, RESET_COLD);
    vm_start(machine);
    device_foreach(collect, NULL);
}

/* -- hostile guests ---------------------------------------------------------------------------------------------------------------- */

static uint64_t rng_state;

static uint32_t pick(uint32_t below)
{
    rng_state = rng_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((rng_state >> 33) % below);
}

static uint64_t any(void)
{
    return (uint64_t)pick(UINT32_MAX) << 33 ^ (uint64_t)pick(UINT32_MAX) << 8 ^ pick(UINT32_MAX);
}

static void poke(gpa addr, unsigned size, uint64_t value)
{
    memory_store(&machine->memory, addr, size, MEM_LITTLE_ENDIAN, value, MEM_ATTRS_NONE);
}

static gpa page(void)
{
    static const gpa odd[] = { 0, RAM - 0x1000, RAM + RAM_BYTES - 0x1000, SMMU, ITS, REDIST, UINT64_C(0xfffffffff000), UINT64_C(0x8000000000) };

    return pick(12) ? RAM + SPACE + pick(64) * 0x1000 : odd[pick(ARRAY_SIZE(odd))];
}

static uint32_t sid_of(unsigned n)
{
    return pci_attrs(functions[n]).requester_id;
}

static void smmu_setup(void)
{
    poke(SMMU + 0x20, 4, 0);
    poke(SMMU + 0x80, 8, RAM + SPACE);
    poke(SMMU + 0x88, 4, pick(4) ? 8 : pick(2) ? 1 << 16 | 8 << 6 | 16 : any());
    poke(SMMU + 0x90, 8, pick(8) ? (RAM + 0x10000) | pick(8) : any());
    poke(SMMU + 0xa0, 8, pick(8) ? (RAM + 0x20000) | pick(8) : any());
    poke(SMMU + 0x98, 4, 0);
    poke(SMMU + 0x9c, 4, 0);
    poke(SMMU + 0x2c, 4, pick(8));
    poke(SMMU + 0x50, 4, 5);
    poke(SMMU + 0x20, 4, pick(8) ? 0xd : pick(16));
}

static void smmu_tables(void)
{
    gpa ste = RAM + SPACE + 64 * sid_of(pick(N_FUNCTIONS)), cd = page();
    uint64_t config = 4 + pick(4);

    poke(ste, 8, (pick(8) ? 1 : 0) | config << 1 | cd | (pick(8) ? 0 : any() << 59));
    poke(ste + 8, 8, pick(4) ? 0 : any());
    poke(ste + 16, 8, (pick(4) ? 25 : (uint64_t)pick(64)) << 32 | (uint64_t)pick(4) << 38 | (uint64_t)pick(4) << 46 | (uint64_t)pick(8) << 48 |
                          (pick(16) ? BIT(51) : 0) | BIT(58) | pick(4));
    poke(ste + 24, 8, page());
    poke(cd, 8, (pick(4) ? 25 : pick(64)) | pick(4) << 6 | (uint64_t)(pick(4) ? 25 : pick(64)) << 16 | pick(4) << 22 | BIT(31) | (uint64_t)pick(8) << 32 |
                    BIT(41) | BIT(45) | (uint64_t)pick(4) << 48 | (pick(8) ? 0 : any()));
    poke(cd + 8, 8, page() | (pick(2) ? 0 : 2));
    poke(cd + 16, 8, page());
    for (unsigned n = pick(64); n; n--) { /* descriptors: tables, pages, blocks, anything */
        poke(page() + pick(8) * 8, 8, pick(8) ? page() | 1 << 10 | pick(16) << 4 | pick(4) : any());
    }
}

static void smmu_commands(void)
{
    static const uint8_t numbers[] = { 1, 3, 4, 5, 6, 0x10, 0x11, 0x12, 0x13, 0x28, 0x2a, 0x30, 0x46, 0x40, 0 };

    for (unsigned i = 0; i < 16; i++) {
        poke(RAM + 0x10000 + i * 16, 8, numbers[pick(ARRAY_SIZE(numbers))] | (any() & ~UINT64_C(0xff)));
        poke(RAM + 0x10000 + i * 16 + 8, 8, any());
    }
    poke(SMMU + 0x98, 4, pick(16) ? pick(32) : any());
    poke(SMMU + 0x64, 4, pick(2) ? 1 : any());
    poke(SMMU + 0x100ac, 4, pick(2) ? pick(16) : any());
}

static void dma(void)
{
    PciDevice *pci = functions[pick(N_FUNCTIONS)];
    uint64_t addr = pick(4) ? pick(1u << 31) & ~7u : any(), value;
    uint8_t buf[300];

    pci_config_write(pci_first_root(), sid_of((unsigned)pick(N_FUNCTIONS)), PCI_COMMAND, 2, PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY);
    switch (pick(4)) {
    case 0: memory_load(&pci->dma, addr, 1u << pick(4), MEM_LITTLE_ENDIAN, &value, pci_attrs(pci)); break;
    case 1: memory_store(&pci->dma, addr, 1u << pick(4), MEM_LITTLE_ENDIAN, any(), pci_attrs(pci)); break;
    case 2: memory_read(&pci->dma, addr, buf, pick(sizeof(buf)), MEM_ATTRS_NONE); break;
    default:
        value = pick(0x20000);
        void *host = memory_map(&pci->dma, addr, &value, pick(2), MEM_ATTRS_NONE);
        if (host) {
            memory_unmap(&pci->dma, host, value, false, 0);
        }
    }
}

static void its(void)
{
    static const uint8_t numbers[] = { 1, 3, 4, 5, 8, 9, 0xa, 0xb, 0xc, 0xd, 0xe, 0xf, 0x21, 0x2a, 0 };

    if (!pick(4)) {
        poke(ITS, 4, 0);
        poke(ITS + 0x80, 8, pick(8) ? BIT(63) | (RAM + 0x30000) | pick(2) : any());
        poke(ITS + 0x100 + pick(8) * 8, 8, pick(8) ? BIT(63) | (uint64_t)pick(2) << 62 | page() | pick(4) << 8 | pick(4) : any());
        for (unsigned c = 0; c < N_CPUS; c++) {
            poke(REDIST + c * 0x20000 + 0x70, 8, pick(8) ? (RAM + 0x80000) | pick(32) : any());
            poke(REDIST + c * 0x20000 + 0x78, 8, pick(8) ? RAM + 0x100000 + c * 0x10000 : any());
            poke(REDIST + c * 0x20000, 4, pick(8) ? 1 : 0);
        }
        poke(ITS, 4, 1);
    }
    for (unsigned i = 0; i < 16; i++) {
        gpa at = RAM + 0x30000 + pick(128) * 32;

        poke(at, 8, numbers[pick(ARRAY_SIZE(numbers))] | (uint64_t)(pick(4) ? sid_of(pick(N_FUNCTIONS)) : pick(UINT32_MAX)) << 32);
        poke(at + 8, 8, (pick(4) ? pick(32) : pick(UINT32_MAX)) | (uint64_t)(8192 + pick(64)) << 32);
        poke(at + 16, 8, pick(4) ? BIT(63) | page() | pick(4) << 16 | pick(4) : any());
        poke(at + 24, 8, pick(4) ? (uint64_t)pick(5) << 16 : any());
    }
    poke(ITS + 0x88, 8, pick(8) ? pick(128) * 32 : any());
    memory_store(&machine->memory, ITS + 0x10040, 4, MEM_LITTLE_ENDIAN, pick(40), pci_attrs(functions[pick(N_FUNCTIONS)]));
}

/* Any register that may be one of the interface's: op0 3, CRn 4 or 12. */
static void sysregs(void)
{
    static const uint8_t op1s[] = { 0, 0, 0, 4, 6 };
    GicV3Access how = { .el = (uint8_t)(1 + pick(2)), .el2 = true, .virtual0 = pick(2), .virtual1 = pick(2) };
    uint32_t reg = 3u << 14 | (uint32_t)op1s[pick(ARRAY_SIZE(op1s))] << 11 | (pick(8) ? 12u : 4u) << 7 | pick(16) << 3 | pick(8);
    unsigned cpu = pick(N_CPUS);
    uint64_t value;

    if (pick(2)) {
        gicv3_sysreg_read(gic, cpu, reg, &how, &value);
    } else {
        gicv3_sysreg_write(gic, cpu, reg, &how, pick(2) ? pick(1100) : any());
    }
}

static void burst(uint64_t seed)
{
    rng_state = seed;
    for (unsigned i = 0; i < BURST_OPS; i++) {
        switch (pick(16)) {
        case 0: smmu_setup(); break;
        case 1: case 2: smmu_tables(); break;
        case 3: smmu_commands(); break;
        case 4: case 5: case 6: case 7: dma(); break;
        case 8: case 9: is_v2 ? dma() : its(); break;
        case 10: irq_set(gic_spi(gic, pick(256)), (int)pick(2)); break;
        case 11: poke(DIST + pick(0x1000) * 4, 4, pick(2) ? UINT32_MAX : any()); break;
        case 12: poke(is_v2 ? 0x8010000 + pick(0x8000) * 4 : REDIST + pick(N_CPUS * 0x8000) * 4, 4, pick(2) ? UINT32_MAX : any()); break;
        case 13: loop_run_once(loop_main(), false); break;
        default: is_v2 ? poke(0x8010000 + pick(64) * 4, 4, pick(1100)) : sysregs();
        }
    }
}

/* -- input ------------------------------------------------------------------------------------------------------------------------- */

static uint32_t word(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void operation(const uint8_t *op)
{
    const Region *region = &regions[op[1] % n_regions];
    uint64_t value = word(op + 8), offset = word(op + 2), got, mr_size = memory_region_size(region->mr);
    unsigned size = 1u << op[6] % 4;
    uint8_t flags = op[7];

    value = flags & 2 ? RAM + value % RAM_BYTES : flags & 4 ? value | value << 32 : value;
    if (region->bank && region->bank->n_regs && !(flags & 8)) {
        const Register *reg = &region->bank->regs[offset % region->bank->n_regs];

        offset = reg->offset + (reg->count ? offset >> 8 & 3 : 0) * (reg->stride ? reg->stride : reg->size);
        size = MIN(reg->size, 8);
    }
    switch (op[0] % 6) {
    case 0: memory_region_read(region->mr, offset % mr_size, size, MEM_LITTLE_ENDIAN, &got, MEM_ATTRS_NONE); break;
    case 1: memory_region_write(region->mr, (offset % mr_size) & ~(uint64_t)(size - 1), size, MEM_LITTLE_ENDIAN, value, MEM_ATTRS_NONE); break;
    case 2: poke(RAM + offset % RAM_BYTES, size, value); break;
    case 3: poke(RAM + SPACE + offset % 0x40000, 8, value | (uint64_t)offset << 32); break;
    case 4:
        rng_state = value;
        dma();
        break;
    default: burst(value | offset << 32);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool started;

    if (!started) {
        started = true;
        start();
    }
    for (size_t at = 0; at + OP_BYTES <= size && at < 100 * OP_BYTES; at += OP_BYTES) {
        operation(data + at);
    }
    for (unsigned i = 0; i < 4 && loop_run_once(loop_main(), false); i++) {
    }
    machine_reset(machine, RESET_COLD);
    return 0;
}
