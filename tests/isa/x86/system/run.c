/*
 * run.c: runs a 64 KiB ROM image on nothing but a processor, 16 MiB of memory and a few ports, and ends with the status the image writes to
 * port F4h. Arguments: IMAGE [interp] [cpu=MODEL].
 *
 * Ports: E9h prints, F4h ends (0: passed). What only this board has, for images that find 58h in port 503h: 500h an SMI, 501h as many
 * NMIs at once as is written, 502h an interrupt of the vector written. A device of 8 KiB at E0000000h
 * keeps what is written to it.
 */
#include <stdio.h>
#include <unistd.h>
#include "../../../../accel/tcg/tlb.h"
#include "softmmu/bql.h"
#include "target/x86/cpu.h"
#include "util/log.h"

enum { ROM_BYTES = 0x10000, RAM_BYTES = 16 * MiB, PORT_PRINT = 0xe9, PORT_EXIT = 0xf4, PORT_SMI = 0x500, PORT_NMI, PORT_INTR, PORT_MAGIC };

static MemoryRegion root, ram, rom, rom_top, device;
static uint8_t device_bytes[0x2000];
static AddressSpace as;
static int vector = -1;

static uint32_t io_read(void *opaque, Vcpu *vcpu, uint16_t port, unsigned size)
{
    return port == PORT_MAGIC ? 0x58 : UINT32_MAX;
}

static void io_write(void *opaque, Vcpu *vcpu, uint16_t port, unsigned size, uint32_t value)
{
    switch (port) {
    case PORT_PRINT:
        putchar((int)value);
        break;
    case PORT_EXIT:
        fflush(stdout);
        _exit((int)value);
    case PORT_SMI:
        x86_irq_set(vcpu, X86_IRQ_SMI, true);
        break;
    case PORT_NMI:
        for (; value; value--) {
            x86_irq_set(vcpu, X86_IRQ_NMI, true);
        }
        break;
    case PORT_INTR:
        vector = (int)(value & 0xff);
        x86_irq_set(vcpu, X86_IRQ_INTR, true);
        break;
    }
}

static int interrupt_ack(void *opaque, Vcpu *vcpu)
{
    int v = vector;
    vector = -1;
    x86_irq_set(vcpu, X86_IRQ_INTR, false);
    return v;
}

static void triple_fault(void *opaque, Vcpu *vcpu)
{
    fflush(stdout);
    fprintf(stderr, "triple fault\n");
    _exit(99);
}

static const X86Platform platform = {
    .io_read = io_read, .io_write = io_write, .interrupt_ack = interrupt_ack, .triple_fault = triple_fault,
};

static MemResult device_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    *ret = 0;
    memcpy(ret, device_bytes + offset, size);
    return MEM_OK;
}

static MemResult device_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    memcpy(device_bytes + offset, &value, size);
    return MEM_OK;
}

static const MemoryOps device_ops = { .read = device_read, .write = device_write, .valid = { 1, 8, true }, .impl = { 1, 8, true } };

static bool board(const char *path)
{
    bql_lock();
    memory_begin();
    memory_region_init(&root, NULL, "root", MEMORY_SIZE_ALL);
    if (!memory_region_init_ram(&ram, NULL, "ram", RAM_BYTES, error_fatal) ||
        !memory_region_init_rom(&rom, NULL, "rom", ROM_BYTES, error_fatal)) {
        return false;
    }
    memory_region_init_mmio(&device, NULL, &device_ops, NULL, "device", sizeof(device_bytes));
    memory_region_add(&root, 0xe0000000, &device);
    memory_region_init_alias(&rom_top, NULL, "rom at the top", &rom, 0, ROM_BYTES);
    memory_region_add(&root, 0, &ram);
    memory_region_add_overlap(&root, 0xf0000, &rom, 1);
    memory_region_add(&root, 0xffff0000, &rom_top);
    memory_commit();
    address_space_init(&as, &root, "test");
    bql_unlock();
    tlb_log_code(ram.ram);
    memory_set_code_hook(ldst_code_written);
    FILE *in = fopen(path, "rb");
    bool ok = in && fread(memory_region_host(&rom), 1, ROM_BYTES, in) == ROM_BYTES;
    if (in) {
        fclose(in);
    }
    return ok;
}

int main(int argc, char **argv)
{
    TcgOptions options = { .verify = true, .cache_bytes = 16 * MiB };
    const char *model = "max";
    Error *err = NULL;

    for (int i = 2; i < argc; i++) {
        options.interpreter |= !strcmp(argv[i], "interp");
        model = !strncmp(argv[i], "cpu=", 4) ? argv[i] + 4 : model;
        if (!strncmp(argv[i], "log=", 4)) {
            log_set_items(argv[i] + 4, error_fatal);
        }
    }
    tcg_system = &tcg_system_ops;
    if (argc < 2 || !tcg_init(&options, &err) || !board(argv[1])) {
        fprintf(stderr, "cannot run %s\n", argc < 2 ? "nothing" : argv[1]);
        return 2;
    }
    Vcpu *vcpu = vcpu_new(&target_x86_64, true);
    vcpu->as = &as;
    vcpu->phys_ptr = memory_ram_of_vcpu;
    x86_cpu_connect(vcpu, 0, true, &platform, NULL);
    if (!vcpu->target->cpu_init(vcpu, model, &err)) {
        error_report_free(err);
        return 2;
    }
    vcpu->target->cpu_reset(vcpu);
    for (;;) {
        VcpuExit reason = tcg_run(vcpu);
        if (reason == VCPU_EXIT_HALTED && !vcpu->target->has_work(vcpu)) {
            fflush(stdout);
            fprintf(stderr, "halted for good at %#llx\n", (unsigned long long)vcpu->target->get_pc(vcpu));
            return 98;
        }
        atomic_store(&vcpu->halted, false);
    }
}
