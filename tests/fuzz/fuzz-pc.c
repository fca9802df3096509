/*
 * fuzz-pc.c: a guest that pokes every device of a PC: I/O ports, registers by the devices' own tables, memory around them, PCI
 * configuration space through ports and memory, DMA descriptors in RAM, MSI writes, the processors' local APICs and their MSRs. Nothing may
 * crash, hang or leave the process. There are no processors: what a board does with them is in hw:pc.
 *
 * Input: operations of 12 bytes: kind, selector, offset (4), size, flags, value (4).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hw/i386/pc.h"
#include "softmmu/bql.h"
#include "softmmu/loop.h"
#include "softmmu/system-priv.h"
#include "tests/fuzz/fuzz-pc.h"
#include "tests/fuzz/fuzz.h"

enum { OP_BYTES = 12, MAX_REGIONS = 256, RAM_BYTES = 16 << 20, N_KINDS = 9 };

const char *const fuzz_seeds[] = {
    /* ICW1 to ICW4, the PIT, a CMOS read, the DMA controllers */
    "\x01\x01\x20\x01\x01\x01\x01\x01\x11\x01\x01\x01\x01\x01\x21\x01\x01\x01\x01\x01\x08\x01\x01\x01",
    "\x01\x01\x43\x01\x01\x01\x01\x01\x34\x01\x01\x01\x01\x01\x40\x01\x01\x01\x01\x01\x02\x01\x01\x01",
    "\x05\x01\x60\x01\x01\x01\x04\x01\x01\x01\xb0\x01\x05\x01\x90\x01\x01\x01\x01\x01\x33\x01\x01\x01",
    "\x07\x01\x30\x03\x01\x01\x04\x01\x51\x40\x01\x01", NULL
};
const char *const fuzz_words[] = {
    "\x01\x01\xf8\x0c\x01\x01\x04\x01\x01\x01\x01\x80", "\x05\x01\x9d\x01\x01\x01\x01\x01\x4a\x01\x01\x01", "\x70\x01", "\xf9\x0c", NULL
};

typedef struct Region {
    MemoryRegion *mr;
    const RegisterBank *bank;
} Region;

static X86Machine *pc;
static Region regions[MAX_REGIONS];
static size_t n_regions;

static void collect(Device *dev, void *opaque)
{
    const DeviceType *type = device_type(dev);

    for (unsigned i = 0; i < dev->n_mmio && n_regions < MAX_REGIONS; i++) {
        regions[n_regions++] = (Region){ device_mmio(dev, i), i < type->n_banks ? &type->banks[i] : NULL };
    }
}

static void fail(Error *err)
{
    fprintf(stderr, "fuzz-pc: %s\n", error_message(err));
    exit(1);
}

static void add(const char *type, const char *key, const char *value)
{
    const char *opts[] = { key, value, NULL };
    Error *err = NULL;

    if (!device_add(type, opts, &err)) {
        fail(err);
    }
}

static void start(void)
{
    static char file[] = "/tmp/fuzz-pc-bios-XXXXXX";
    Error *err = NULL;

    error_set_program("fuzz-pc");
    bql_lock();
    loop_set_lock(loop_main(), bql_lock, bql_unlock);
    system_init_backends();
    Machine *m = machine_new(machine_type_find(fuzz_pc_board, "x86_64"), "x86_64");
    pc = (X86Machine *)m;
    int fd = mkstemp(file);
    if (fd < 0 || ftruncate(fd, 256 * 1024)) {
        perror("fuzz-pc");
        exit(1);
    }
    m->firmware = xstrdup(file);
    m->ram_bytes = RAM_BYTES;
    bool ok = machine_set_smp(m, &(SmpConfig){ .cpus = 2 }, &err) && machine_build(m, &err);
    remove(file);
    if (!ok) {
        fail(err);
    }
    if (pc->root) {
        add(pc->root->is_express ? "pcie-root-port" : "pci-bridge", "id", "bridge");
        add("virtio-rng-pci", "id", "r0");
        add("virtio-balloon-pci", "bus", "bridge");
    }
    if (!machine_ready(m, &err)) {
        fail(err);
    }
    machine_reset(m, RESET_COLD);
    vm_start(m);
    device_foreach(collect, NULL);
    for (unsigned i = 0; i < m->smp.cpus; i++) {
        collect(x86_cpu(m, i)->lapic, NULL);
    }
}

static uint32_t word(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Ports that somebody answers, mostly. */
static uint16_t some_port(uint32_t n, uint8_t flags)
{
    static const uint16_t first[] = { 0x00, 0x20, 0x40, 0x60, 0x70, 0x80, 0xa0, 0xb0, 0xc0, 0xf0, 0x170, 0x1f0, 0x370, 0x3b0, 0x3f0, 0x4d0,
                                      0x510, 0x600, 0x620, 0xcf8, 0xafe0, 0xb100, 0xc000 };
    return (uint16_t)(flags & 1 ? n : first[(n >> 8) % ARRAY_SIZE(first)] + (n & 15));
}

static void reset_soon(void)
{
    machine_reset(&pc->machine, RESET_COLD);
}

static void operation(const uint8_t *op)
{
    unsigned size = 1u << op[6] % 4, cpu = op[1] % 2;
    uint64_t value = word(op + 8), offset = word(op + 2), got;
    uint8_t flags = op[7];
    AddressSpace *as = flags & 4 ? &x86_cpu(&pc->machine, cpu)->smm : &x86_cpu(&pc->machine, cpu)->memory;
    Device *lapic = x86_cpu(&pc->machine, cpu)->lapic;

    value = flags & 2 ? value % RAM_BYTES : value;
    switch (op[0] % N_KINDS) {
    case 0:
        memory_load(&pc->machine.io, some_port((uint32_t)offset, flags), MIN(size, 4), MEM_LITTLE_ENDIAN, &got, MEM_ATTRS_NONE);
        break;
    case 1:
        memory_store(&pc->machine.io, some_port((uint32_t)offset, flags), MIN(size, 4), MEM_LITTLE_ENDIAN, value, MEM_ATTRS_NONE);
        break;
    case 2: case 3: {
        const Region *region = &regions[op[1] % n_regions];
        uint64_t bytes = memory_region_size(region->mr);
        if (region->bank && region->bank->n_regs && !(flags & 8)) {
            const Register *reg = &region->bank->regs[offset % region->bank->n_regs];
            offset = reg->offset + (reg->count ? offset >> 8 & 3 : 0) * (reg->stride ? reg->stride : reg->size);
            size = MIN(reg->size, 8);
        }
        offset = flags & 32 ? offset % MIN(bytes, 0x400) : offset % bytes;
        if (op[0] % N_KINDS == 2) {
            memory_region_read(region->mr, offset, size, MEM_LITTLE_ENDIAN, &got, MEM_ATTRS_NONE);
        } else {
            memory_region_write(region->mr, offset & ~(uint64_t)(size - 1), size, MEM_LITTLE_ENDIAN, value, MEM_ATTRS_NONE);
        }
        break;
    }
    case 4: /* as a processor sees it: RAM, shadow memory, APICs, BARs */
        offset = flags & 16 ? offset % (2 * MiB) : flags & 8 ? 0xfe000000 | (offset & 0x1ffffff) : offset;
        memory_store(as, offset, size, MEM_LITTLE_ENDIAN, value, MEM_ATTRS_NONE);
        memory_load(as, offset, size, MEM_LITTLE_ENDIAN, &got, MEM_ATTRS_NONE);
        break;
    case 5: /* configuration space of a function that is there */
        if (pc->root) {
            unsigned devfn = flags & 8 ? op[1] : (unsigned)(uint8_t[]){ 0, 0x08, 0x09, 0x0b, 0x10, 0x18, 0xf8, 0xfa, 0xfb }[op[1] % 9];
            unsigned bus = flags & 16 ? offset >> 8 & 3 : 0;
            memory_store(&pc->machine.io, 0xcf8, 4, MEM_LITTLE_ENDIAN, 0x80000000 | bus << 16 | devfn << 8 | (offset & 0xfc),
                         MEM_ATTRS_NONE);
            memory_store(&pc->machine.io, 0xcfc + (offset & 3 & ~(MIN(size, 4) - 1)), MIN(size, 4), MEM_LITTLE_ENDIAN, value,
                         MEM_ATTRS_NONE);
        }
        break;
    case 6: /* MSI */
        memory_store(&pc->machine.memory, 0xfee00000 | (offset & 0xfffff), 4, MEM_LITTLE_ENDIAN, value, MEM_ATTRS_NONE);
        apic_acknowledge(lapic);
        break;
    case 7: /* the local APIC's MSRs, INTA, pins */
        apic_set_x2(lapic, flags & 64);
        if (apic_msr_write(lapic, flags & 16 ? 0x1b : flags & 32 ? 0x6e0 : 0x800 + (uint32_t)(offset & 0x3f),
                           value | (flags & 8 ? (uint64_t)offset << 32 : 0))) {
            apic_msr_read(lapic, 0x800 + (uint32_t)(offset & 0x3f), &got);
        }
        apic_acknowledge(lapic);
        apic_set_lint(lapic, flags & 1, flags & 128);
        break;
    case 8:
        irq_set(x86_gsi(pc, (unsigned)(offset % IOAPIC_PINS)), flags & 1);
        apic_acknowledge(lapic);
        break;
    }
    if (flags == 0xff && op[1] == 0xff) {
        reset_soon();
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
    reset_soon();
    return 0;
}
