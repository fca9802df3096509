/*
 * fuzz-mmio.c: a guest that pokes every device of the `virt` board: registers by the devices' own
 * tables, any other offset of their regions, PCI configuration space, and guest memory
 * for DMA. Nothing may crash, hang or leave the process.
 *
 * Input: operations of 12 bytes: kind, region, offset (4), size, flags, value (4).
 * Addresses written to devices are often made to point into RAM, so that rings can be met. Some operations are
 * hostile drivers in short form (hostile_*): a virtqueue with made-up contents, a fw_cfg DMA descriptor, a BAR that
 * moves, a reset, a device that comes or goes; OP_BURST is a row of those from a random number generator.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "block/block.h"
#include "softmmu/bql.h"
#include "softmmu/loop.h"
#include "softmmu/machine.h"
#include "softmmu/system-priv.h"
#include "softmmu/system.h"
#include "tests/fuzz/fuzz.h"

enum { OP_BYTES = 12, MAX_REGIONS = 128, RAM_BYTES = 2 << 20 };
#define RAM_BASE UINT64_C(0x80000000)

const char *const fuzz_seeds[] = {
    "\x01\x06\x01\x01\x01\x01\x04\x01\x01\x01\x01\x01\x02\x03\x70\x01\x01\x01\x04\x01\x0f\x01\x01\x01",
    "\x01\x05\x14\x01\x01\x01\x04\x01\x01\x01\x01\x01\x01\x05\x70\x01\x01\x01\x04\x01\x03\x01\x01\x01",
    "\x01\x05\x30\x01\x01\x01\x04\x01\x01\x01\x01\x01\x01\x05\x38\x01\x01\x01\x04\x01\x10\x01\x01\x01"
    "\x01\x05\x80\x01\x01\x01\x04\x03\x01\x10\x01\x01\x01\x05\x44\x01\x01\x01\x04\x01\x01\x01\x01\x01"
    "\x03\x01\x01\x10\x01\x01\x04\x03\x01\x20\x01\x01\x01\x05\x50\x01\x01\x01\x04\x01\x01\x01\x01\x01",
    "\x02\x07\x10\x01\x01\x01\x08\x01\x01\x01\x01\x01\x04\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01",
    "\x06\x01\x02\x03\x04\x05\x04\x01\x06\x07\x08\x09", NULL
};
const char *const fuzz_words[] = {
    "\x01\x02\x10\x01\x01\x01\x04\x01\xff\xff\xff\xff", "\x03\x01\x01\x10\x01\x01\x08\x03\x01\x20\x01\x01",
    "\x05\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01", "\x80\x80\x80\x80", "\xff\xff\xff\xff", "\x40", "\x08",
    "\x06\x01\x55\x01\x01\x01\x01\x01\x66\x01\x01\x01", "\x30\x01\x01\x01\x04\x03", "\x70\x01\x01\x01\x04\x01\x0f", NULL
};

/* Addresses of the board (hw/riscv/virt.c). */
#define FW_CFG_DMA UINT64_C(0x10100010)
#define VIRTIO_MMIO UINT64_C(0x10001000)
#define PCI_CONFIG UINT64_C(0x30000000)
#define PCI_WINDOW UINT64_C(0x40000000)
enum { N_VIRTIO_MMIO = 8, N_SLOTS = 8, RING_PAGE = 0x1000, OP_BURST = 6, BURST_OPS = 64 };

typedef struct Region {
    MemoryRegion *mr;
    Device *dev;
    const RegisterBank *bank;
} Region;

static Machine *machine;
static Region regions[MAX_REGIONS];
static size_t n_regions;

static void collect(Device *dev, void *opaque)
{
    const DeviceType *type = device_type(dev);

    for (unsigned i = 0; i < dev->n_mmio && n_regions < MAX_REGIONS; i++) {
        regions[n_regions++] = (Region){ device_mmio(dev, i), dev,
                                         i < type->n_banks ? &type->banks[i] : NULL };
    }
}

static void add(const char *type, const char *key, const char *value)
{
    const char *opts[] = { key, value, NULL };
    Error *err = NULL;

    if (!device_add(type, opts, &err)) {
        fprintf(stderr, "fuzz-mmio: %s: %s\n", type, error_message(err));
        exit(1);
    }
}

static void start(void)
{
    static const char *const disks[] = { "d0", "d1" };
    Error *err = NULL;

    error_set_program("fuzz-mmio");
    bql_lock();
    loop_set_lock(loop_main(), bql_lock, bql_unlock);
    system_init_backends();
    machine = machine_new(machine_type_find("virt", "riscv64"), "riscv64");
    machine->firmware = xstrdup("none");
    machine->ram_bytes = RAM_BYTES;
    for (size_t i = 0; i < ARRAY_SIZE(disks); i++) {
        char *text = xasprintf("{\"driver\": \"null-co\", \"size\": 1048576, \"node-name\": \"%s\"}",
                               disks[i]);
        Json *options = json_parse_string(text, NULL);
        if (!blockdev_add(options, &err)) {
            fprintf(stderr, "fuzz-mmio: %s\n", error_message(err));
            exit(1);
        }
        json_free(options);
        free(text);
    }
    if (!machine_build(machine, &err)) {
        fprintf(stderr, "fuzz-mmio: %s\n", error_message(err));
        exit(1);
    }
    add("virtio-blk-device", "drive", "d0");
    add("virtio-rng-device", "id", "r0");
    add("virtio-net-device", "id", "n0");
    add("virtio-serial-device", "id", "s0");
    add("virtio-balloon-device", "id", "b0");
    add("virtio-blk-pci", "drive", "d1");
    add("virtio-rng-pci", "id", "r1");
    add("virtio-net-pci", "id", "n1");
    add("virtio-serial-pci", "id", "s1");
    add("virtconsole", "bus", "s1.0");
    add("virtserialport", "bus", "s1.0");
    if (!machine_ready(machine, &err)) {
        fprintf(stderr, "fuzz-mmio: %s\n", error_message(err));
        exit(1);
    }
    machine_reset(machine, RESET_COLD);
    vm_start(machine);
    device_foreach(collect, NULL);
}

/* -- hostile drivers ---------------------------------------------------------------------------------- */

static uint64_t rng_state;

static uint32_t pick(uint32_t below)
{
    rng_state = rng_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((rng_state >> 33) % below);
}

static void poke(gpa addr, unsigned size, uint64_t value)
{
    memory_store(&machine->memory, addr, size, MEM_LITTLE_ENDIAN, value, MEM_ATTRS_NONE);
}

/* An address a careless or hostile driver would give: mostly RAM, also its last bytes, devices, nothing at all. */
static gpa some_address(void)
{
    static const gpa odd[] = { RAM_BASE + RAM_BYTES - 8, RAM_BASE - 4, 0, VIRTIO_MMIO, FW_CFG_DMA, PCI_CONFIG, UINT64_MAX - 7,
                               UINT64_C(1) << 63, PCI_WINDOW, 0x10000000, 0x20000000, 0x0c000000 };
    return pick(8) ? RAM_BASE + pick(64) * 0x100 + pick(4) * pick(4) : odd[pick(ARRAY_SIZE(odd))];
}

static uint32_t some_length(void)
{
    static const uint32_t odd[] = { 0, 1, 7, 8, 10, 12, 16, 17, 512, 4096, 0x10000, RAM_BYTES, 0x7fffffff, UINT32_MAX };
    return pick(4) ? odd[pick(ARRAY_SIZE(odd))] : pick(9000);
}

/* One page of ring: descriptors that chain, loop, point out of memory; indices that run ahead. */
static void hostile_ring(gpa page, unsigned num, bool packed)
{
    for (unsigned i = 0; i < num; i++) {
        gpa d = page + i * 16;
        unsigned flags = pick(3) ? pick(2) | (i ? pick(2) * 2 : 0) : pick(8);
        poke(d, 8, some_address());
        poke(d + 8, 4, pick(16) ? pick(64) : some_length());
        if (packed) {
            flags |= pick(8) ? 1 << 7 : pick(4) << 7 | pick(2) << 15;
            poke(d + 12, 2, pick(4) ? i : pick(65536));
            poke(d + 14, 2, flags);
        } else {
            poke(d + 12, 2, flags);
            poke(d + 14, 2, pick(8) ? (i + 1) % num : pick(65536));
        }
    }
    /* Requests of the block device begin with a type and a sector; network headers are mostly zeros. */
    for (unsigned i = 0; i < 16; i++) {
        gpa at = RAM_BASE + pick(64) * 0x100;
        poke(at, 4, pick(8) ? pick(14) : pick(UINT32_MAX));
        poke(at + 8, 8, pick(4) ? pick(2100) : UINT64_MAX - pick(8));
    }
    gpa avail = page + num * 16;
    poke(avail, 2, pick(2));
    for (unsigned i = 0; i < num; i++) {
        poke(avail + 4 + i * 2, 2, pick(16) ? i : pick(65536));
    }
    poke(avail + 4 + num * 2, 2, pick(65536));
    poke(avail + 2, 2, pick(8) ? pick(num + 1) : pick(65536));
}

static unsigned ring_num(void)
{
    return pick(8) ? 1u << pick(7) : pick(1100);
}

/* The whole set-up by the book, then ring contents that are not. */
static void hostile_virtio_mmio(void)
{
    gpa base = VIRTIO_MMIO + pick(N_VIRTIO_MMIO) * 0x1000, page = RAM_BASE + 0x8000 + pick(4) * RING_PAGE;
    unsigned queue = pick(8) ? pick(4) : pick(70), num = ring_num();
    uint32_t features_high = 1 | (pick(2) ? 4 : 0); /* VERSION_1, RING_PACKED */
    static const uint8_t alignments[] = { 4, 8, 16 };

    if (pick(4)) {
        poke(base + 0x70, 4, 0);
        poke(base + 0x70, 4, 3);
        poke(base + 0x24, 4, 0);
        poke(base + 0x20, 4, pick(2) ? UINT32_MAX : pick(UINT32_MAX));
        poke(base + 0x24, 4, 1);
        poke(base + 0x20, 4, features_high);
        poke(base + 0x70, 4, 11);
    }
    poke(base + 0x28, 4, 4096);
    poke(base + 0x30, 4, queue);
    poke(base + 0x38, 4, num);
    poke(base + 0x3c, 4, pick(4) ? 4096 : 1u << alignments[pick(3)]);
    hostile_ring(page, MIN(num, 64), features_high & 4);
    poke(base + 0x40, 4, page >> 12);
    poke(base + 0x80, 4, page);
    poke(base + 0x90, 4, pick(8) ? page + MIN(num, 64) * 16 : some_address());
    poke(base + 0xa0, 4, pick(8) ? page + 0x800 : page + MIN(num, 64) * 16); /* used on top of available */
    poke(base + 0x44, 4, 1);
    poke(base + 0x70, 4, 15);
    for (unsigned kicks = pick(4); kicks; kicks--) {
        poke(base + 0x50, 4, pick(4) ? queue : pick(70));
    }
}

/* Gives a slot's BARs a place (or moves them, also onto each other), then the modern set-up through BAR 4. */
static void hostile_virtio_pci(void)
{
    unsigned slot = pick(N_SLOTS), num = ring_num(), queue = pick(8) ? pick(4) : pick(70);
    gpa config = PCI_CONFIG + (slot << 15), bar = PCI_WINDOW + pick(N_SLOTS) * 0x10000;
    gpa page = RAM_BASE + 0xc000 + pick(4) * RING_PAGE;
    uint32_t features_high = 1 | (pick(2) ? 4 : 0);

    if (pick(3)) {
        poke(config + 4, 2, 0);
        poke(config + 0x20, 4, pick(8) ? bar : pick(UINT32_MAX));
        poke(config + 0x24, 4, 0);
        poke(config + 0x14, 4, pick(4) ? bar + 0x8000 : bar);
        poke(config + 0x10, 4, pick(0x10000));
    }
    poke(config + 4, 2, pick(8) ? 7 : pick(65536));
    poke(bar + 20, 1, 0);
    poke(bar + 20, 1, 3);
    poke(bar + 8, 4, 0);
    poke(bar + 12, 4, pick(2) ? UINT32_MAX : pick(UINT32_MAX));
    poke(bar + 8, 4, 1);
    poke(bar + 12, 4, features_high);
    poke(bar + 20, 1, 11);
    poke(bar + 22, 2, queue);
    poke(bar + 24, 2, num);
    poke(bar + 26, 2, pick(4) ? pick(4) : 0xffff);
    hostile_ring(page, MIN(num, 64), features_high & 4);
    poke(bar + 32, 8, page);
    poke(bar + 40, 8, pick(8) ? page + MIN(num, 64) * 16 : some_address());
    poke(bar + 48, 8, pick(8) ? page + 0x800 : some_address());
    poke(bar + 28, 2, 1);
    poke(bar + 20, 1, 15);
    for (unsigned i = 0; i < 4; i++) { /* MSI-X entries, and the switch for them */
        poke(bar + 0x8000 + pick(8) * 16 + pick(4) * 4, 4, pick(2) ? some_address() : pick(2));
    }
    poke(config + pick(64) * 4, 1u << pick(3), pick(2) ? 0xffff : pick(UINT32_MAX));
    for (unsigned kicks = pick(4); kicks; kicks--) {
        poke(bar + 0x3000 + (pick(4) ? queue : pick(70)) * 4, 2, queue);
    }
}

/* fw_cfg: a descriptor in RAM (or wherever), big-endian, and the kick. */
static void hostile_fw_cfg(void)
{
    gpa at = pick(8) ? RAM_BASE + pick(0x1000) : some_address();
    uint32_t control = (pick(2) ? pick(64) : pick(65536)) << 16 | pick(32);

    memory_store(&machine->memory, at, 4, MEM_BIG_ENDIAN, control, MEM_ATTRS_NONE);
    memory_store(&machine->memory, at + 4, 4, MEM_BIG_ENDIAN, some_length(), MEM_ATTRS_NONE);
    memory_store(&machine->memory, at + 8, 8, MEM_BIG_ENDIAN, some_address(), MEM_ATTRS_NONE);
    memory_store(&machine->memory, FW_CFG_DMA, 4, MEM_BIG_ENDIAN, at >> 32, MEM_ATTRS_NONE);
    memory_store(&machine->memory, FW_CFG_DMA + 4, 4, MEM_BIG_ENDIAN, (uint32_t)at, MEM_ATTRS_NONE);
}

static void hot_plug(void)
{
    static const char *const types[] = { "virtio-rng-pci", "virtio-net-pci", "virtio-serial-pci" };
    const char *opts[] = { "id", "hot", NULL };

    /* Both may be refused: the guest has not let go of the old one, or there is none. */
    if (!pick(2) || !device_add(types[pick(ARRAY_SIZE(types))], opts, NULL)) {
        (void)!device_del("hot", NULL);
    }
}

static void burst(uint64_t seed)
{
    rng_state = seed;
    for (unsigned i = 0; i < BURST_OPS; i++) {
        switch (pick(32)) {
        default: hostile_virtio_mmio(); break;
        case 16: case 17: case 18: case 19: case 20: case 21: case 22: case 23: case 24: case 25:
            hostile_virtio_pci();
            break;
        case 26: case 27: case 28: hostile_fw_cfg(); break;
        case 29: hot_plug(); break;
        case 30: /* the guest rewrites a ring while the device is at work */
            hostile_ring(RAM_BASE + 0x8000 + pick(8) * RING_PAGE, 64, pick(2));
            break;
        case 31:
            if (!pick(4)) {
                machine_reset(machine, RESET_COLD);
            }
            break;
        }
        if (!pick(4)) {
            loop_run_once(loop_main(), false);
        }
    }
}

/* -- input ---------------------------------------------------------------------------------------------- */

static uint32_t word(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void operation(const uint8_t *op)
{
    const Region *region = &regions[op[1] % n_regions];
    unsigned size = 1u << op[6] % 4;
    uint64_t value = word(op + 8), offset = word(op + 2), mr_size = memory_region_size(region->mr);
    uint8_t flags = op[7];
    uint64_t got;

    if (flags & 2) {
        value = RAM_BASE + value % RAM_BYTES;
    }
    if (flags & 4) {
        value |= value << 32;
    }
    if (region->bank && region->bank->n_regs && !(flags & 8)) {
        const Register *reg = &region->bank->regs[offset % region->bank->n_regs];
        offset = reg->offset + (reg->count ? offset >> 8 & 3 : 0) * (reg->stride ? reg->stride : reg->size);
        size = flags & 16 ? size : MIN(reg->size, 8);
    }
    switch (op[0] % 7) {
    case OP_BURST:
        burst(word(op + 8) | (uint64_t)word(op + 2) << 32);
        break;
    case 0:
        memory_region_read(region->mr, offset % mr_size, size, MEM_LITTLE_ENDIAN, &got, MEM_ATTRS_NONE);
        break;
    case 1:
        /* Small windows are hit more often, low offsets in particular. */
        offset = mr_size > 0x1000 && flags & 32 ? offset % 0x1000 : offset % mr_size;
        memory_region_write(region->mr, offset & ~(uint64_t)(size - 1), size, MEM_LITTLE_ENDIAN, value,
                            MEM_ATTRS_NONE);
        break;
    case 2:
        memory_load(&machine->memory, offset | (uint64_t)(flags >> 6) << 32, size, MEM_LITTLE_ENDIAN, &got,
                    MEM_ATTRS_NONE);
        break;
    case 3:
        memory_store(&machine->memory, RAM_BASE + offset % 0x10000, size,
                     flags & 64 ? MEM_BIG_ENDIAN : MEM_LITTLE_ENDIAN, value, MEM_ATTRS_NONE);
        break;
    case 4:
        /* PCI: configuration space of the first slots, then what the BARs were set to. */
        memory_store(&machine->memory, 0x30000000 + (offset & 0x3ffff & ~(uint64_t)(size - 1)), MIN(size, 4),
                     MEM_LITTLE_ENDIAN, flags & 128 ? 0x40000000 + (value & 0xff000) : value, MEM_ATTRS_NONE);
        break;
    case 5:
        memory_store(&machine->memory, 0x40000000 + (offset & 0xfffff & ~(uint64_t)(size - 1)), size,
                     MEM_LITTLE_ENDIAN, value, MEM_ATTRS_NONE);
        break;
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
        if (at % (16 * OP_BYTES) == 0) {
            loop_run_once(loop_main(), false);
        }
    }
    for (unsigned i = 0; i < 4 && loop_run_once(loop_main(), false); i++) {
    }
    machine_reset(machine, RESET_COLD);
    return 0;
}
