/*
 * fuzz-mmio.c: a guest that pokes every device of the `virt` board: registers by the devices' own
 * tables, any other offset of their regions, PCI configuration space, and guest memory
 * for DMA. Nothing may crash, hang or leave the process.
 *
 * Input: operations of 12 bytes: kind, region, offset (4), size, flags, value (4).
 * Addresses written to devices are often made to point into RAM, so that rings can be met.
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
    "\x02\x07\x10\x01\x01\x01\x08\x01\x01\x01\x01\x01\x04\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01", NULL
};
const char *const fuzz_words[] = {
    "\x01\x02\x10\x01\x01\x01\x04\x01\xff\xff\xff\xff", "\x03\x01\x01\x10\x01\x01\x08\x03\x01\x20\x01\x01",
    "\x05\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01", "\x80\x80\x80\x80", "\xff\xff\xff\xff", "\x40", "\x08",
    "\x30\x01\x01\x01\x04\x03", "\x70\x01\x01\x01\x04\x01\x0f", NULL
};

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
    if (!machine_ready(machine, &err)) {
        fprintf(stderr, "fuzz-mmio: %s\n", error_message(err));
        exit(1);
    }
    machine_reset(machine, RESET_COLD);
    vm_start(machine);
    device_foreach(collect, NULL);
}

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
    switch (op[0] % 6) {
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
    for (size_t at = 0; at + OP_BYTES <= size && at < 400 * OP_BYTES; at += OP_BYTES) {
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
