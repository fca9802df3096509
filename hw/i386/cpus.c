/*
 * cpus.c: see cpus.h.
 */
#include <stdio.h>

#include "hw/i386/cpus.h"
#include "hw/i386/pc.h"

static const X86CpuOps *cpu_ops;

void x86_cpus_set_ops(const X86CpuOps *ops)
{
    cpu_ops = ops;
}

static const ObjectType cpu_type = {
    .name = "x86-cpu", .parent = "object", .summary = "an x86 processor", .size_bytes = sizeof(X86Cpu),
};
OBJECT_TYPE_REGISTER(cpu_type);

/* -- interrupt controllers ---------------------------------------------------------------------------------------------- */

static const X86CpuOps *ops(void)
{
    if (!cpu_ops && &x86_cpus_target_ops) {
        cpu_ops = &x86_cpus_target_ops;
    }
    return cpu_ops;
}

const X86Irqchip *x86_irqchip(Machine *m)
{
    static const X86Irqchip ours = { .apic = "apic", .ioapic = "ioapic", .pic = "isa-i8259" };
    const X86Irqchip *chip = ops() && ops()->irqchip ? ops()->irqchip(m) : NULL;

    return chip ? chip : &ours;
}

/* -- topology ---------------------------------------------------------------------------------------------------------- */

static unsigned width(unsigned n)
{
    return n <= 1 ? 0 : 32 - (unsigned)__builtin_clz(n - 1);
}

uint32_t x86_apic_id(const SmpConfig *smp, unsigned index)
{
    unsigned cores = smp->clusters * smp->modules * smp->cores;
    unsigned thread = index % smp->threads, core = index / smp->threads % cores;
    unsigned die = index / (smp->threads * cores) % smp->dies, socket = index / (smp->threads * cores * smp->dies);

    return ((((socket << width(smp->dies)) | die) << width(cores)) | core) << width(smp->threads) | thread;
}

/* -- lines ---------------------------------------------------------------------------------------------------------------- */

static void cpu_line(void *opaque, int n, int level)
{
    X86Cpu *cpu = opaque;

    if (n == X86_LINE_INIT) {
        apic_init_reset(cpu->lapic);
    }
    if (!cpu_ops || !cpu->vcpu || (!level && n != X86_LINE_INTR)) {
        return;
    }
    if (n == X86_LINE_SIPI) {
        cpu_ops->sipi(cpu->vcpu, (uint8_t)(level - 1));
    } else {
        cpu_ops->line(cpu->vcpu, (X86Line)n, level != 0);
    }
}

X86Cpu *x86_cpu(Machine *m, unsigned index)
{
    return ((X86Machine *)m)->cpus[index];
}

void x86_cpus_set_lint0(Machine *m, bool level)
{
    for (unsigned i = 0; i < m->smp.cpus; i++) {
        apic_set_lint(x86_cpu(m, i)->lapic, 0, level);
    }
}

void x86_cpus_nmi(Machine *m)
{
    for (unsigned i = 0; i < m->smp.cpus; i++) {
        apic_set_lint(x86_cpu(m, i)->lapic, 1, true);
        apic_set_lint(x86_cpu(m, i)->lapic, 1, false);
    }
}

void x86_cpus_smi(Machine *m, bool all)
{
    if (all) {
        for (unsigned i = 0; i < m->smp.cpus; i++) {
            irq_set(&x86_cpu(m, i)->lines[X86_LINE_SMI], 1);
        }
        return;
    }
    X86Cpu *cpu = cpu_ops && cpu_ops->current ? cpu_ops->current() : NULL;

    cpu = cpu ? cpu : x86_cpu(m, 0);
    irq_set(&cpu->lines[X86_LINE_SMI], 1);
}

void x86_cpus_set_a20(Machine *m, bool on)
{
    for (unsigned i = 0; cpu_ops && i < m->smp.cpus; i++) {
        if (x86_cpu(m, i)->vcpu) {
            cpu_ops->set_a20(x86_cpu(m, i), on);
        }
    }
}

void x86_cpus_cpuid(Machine *m, uint32_t leaf, uint32_t subleaf, uint32_t ret_regs[4])
{
    memset(ret_regs, 0, 4 * sizeof(ret_regs[0]));
    if (cpu_ops && x86_cpu(m, 0)->vcpu) {
        cpu_ops->cpuid(x86_cpu(m, 0)->vcpu, leaf, subleaf, ret_regs);
    }
}

uint64_t x86_cpus_tsc_hz(Machine *m)
{
    return cpu_ops && cpu_ops->tsc_hz && x86_cpu(m, 0)->vcpu ? cpu_ops->tsc_hz(x86_cpu(m, 0)->vcpu) : 0;
}

/* -- master abort ------------------------------------------------------------------------------------------------------- */

/* What nothing answers ends in a master abort (PCI Local Bus 3.0, 3.3.3.1): reads give ones, writes are lost. A processor never
 * hears of it. */
static MemResult abort_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    *ret = UINT64_MAX;
    return MEM_OK;
}

static MemResult abort_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    return MEM_OK;
}

static const MemoryOps abort_ops = { .read = abort_read, .write = abort_write, .valid = { 1, 8, true }, .impl = { 1, 8, true } };

void x86_init_master_abort(MemoryRegion *mr, Object *owner, uint64_t size_bytes)
{
    memory_region_init_mmio(mr, owner, &abort_ops, NULL, "master-abort", size_bytes);
    mr->lockless = true;
}

/* -- memory ----------------------------------------------------------------------------------------------------------------- */

static void apic_moved(void *opaque, uint64_t base)
{
    X86Cpu *cpu = opaque;

    if (base == cpu->apic_base) {
        return;
    }
    memory_begin();
    memory_region_set_enabled(&cpu->apic_mr, false);
    if (base != UINT64_MAX) {
        memory_region_set_address(&cpu->apic_mr, base);
        memory_region_set_enabled(&cpu->apic_mr, true);
    }
    cpu->apic_base = base;
    memory_commit();
}

static void changed(X86Cpu *cpu)
{
    if (cpu_ops && cpu->vcpu) {
        cpu_ops->memory_changed(cpu);
    }
}

static void memory_changed(MemoryListener *listener)
{
    changed(container_of(listener, X86Cpu, memory_listener));
}

static void smm_changed(MemoryListener *listener)
{
    changed(container_of(listener, X86Cpu, smm_listener));
}

static void make_views(X86Cpu *cpu, MemoryRegion *smram)
{
    Machine *m = cpu->machine;
    Object *owner = &cpu->obj;
    char name[32];

    memory_begin();
    memory_region_init(&cpu->root, owner, "memory", MEMORY_SIZE_ALL);
    memory_region_init_alias(&cpu->system, owner, "memory", &m->system_memory, 0, MEMORY_SIZE_ALL);
    x86_init_master_abort(&cpu->nothing, owner, MEMORY_SIZE_ALL);
    memory_region_add(&cpu->root, 0, &cpu->system);
    memory_region_add_overlap(&cpu->root, 0, &cpu->nothing, -1);
    if (!x86_irqchip(m)->send_msi) { /* an accelerator's local APIC answers before memory is asked */
        memory_region_init_alias(&cpu->apic_mr, owner, "apic", device_mmio(cpu->lapic, 0), 0, APIC_BYTES);
        memory_region_set_enabled(&cpu->apic_mr, false);
        memory_region_add_overlap(&cpu->root, APIC_BASE_ADDR, &cpu->apic_mr, 0x1000);
    }
    memory_region_init(&cpu->smm_root, owner, "memory", MEMORY_SIZE_ALL);
    memory_region_init_alias(&cpu->smm_memory, owner, "memory", &cpu->root, 0, MEMORY_SIZE_ALL);
    memory_region_init_alias(&cpu->smm_smram, owner, "smram", smram, 0, 4 * GiB);
    memory_region_add(&cpu->smm_root, 0, &cpu->smm_memory);
    memory_region_add_overlap(&cpu->smm_root, 0, &cpu->smm_smram, 1);
    snprintf(name, sizeof(name), "cpu-memory-%u", cpu->index);
    address_space_init(&cpu->memory, &cpu->root, name);
    snprintf(name, sizeof(name), "cpu-smm-%u", cpu->index);
    address_space_init(&cpu->smm, &cpu->smm_root, name);
    memory_commit();
    cpu->apic_base = UINT64_MAX;
    cpu->memory_listener.commit = memory_changed;
    cpu->smm_listener.commit = smm_changed;
    memory_listener_add(&cpu->memory_listener, &cpu->memory);
    memory_listener_add(&cpu->smm_listener, &cpu->smm);
}

/* -- life --------------------------------------------------------------------------------------------------------------------- */

static void cpu_reset(void *opaque)
{
    device_reset(((X86Cpu *)opaque)->lapic, RESET_COLD);
}

static bool cpu_create(const X86CpusConfig *config, unsigned index, Error **errp)
{
    static const char *const line_names[X86_N_LINES] = { "intr", "nmi", "smi", "init", "sipi" };
    Machine *m = config->machine;
    X86Cpu *cpu = (X86Cpu *)object_new(&cpu_type);

    ((X86Machine *)m)->cpus[index] = cpu;
    cpu->machine = m;
    cpu->index = index;
    cpu->apic_id = x86_apic_id(&m->smp, index);
    object_add_child(object_container("/machine/unattached"), "device[*]", &cpu->obj);
    object_unref(&cpu->obj);
    for (int n = 0; n < X86_N_LINES; n++) {
        irq_init(&cpu->lines[n], cpu_line, cpu, n);
    }
    cpu->lapic = device_new(x86_irqchip(m)->apic, errp);
    if (!cpu->lapic) {
        return false;
    }
    object_add_child(&cpu->obj, "lapic", &cpu->lapic->obj);
    object_unref(&cpu->lapic->obj);
    apic_connect(cpu->lapic, config->apics, cpu->apic_id, index == 0);
    if (!device_realize(cpu->lapic, NULL, errp)) {
        return false;
    }
    for (unsigned n = 0; n < X86_N_LINES; n++) {
        device_connect_irq(cpu->lapic, line_names[n], 0, &cpu->lines[n]);
    }
    apic_set_pic(cpu->lapic, config->pic_ack, config->opaque);
    make_views(cpu, config->smram);
    apic_set_moved(cpu->lapic, apic_moved, cpu);
    if (cpu_ops) {
        apic_set_tsc(cpu->lapic, cpu_ops->tsc_deadline_ns, cpu);
        cpu->vcpu = cpu_ops->create(cpu, m->cpu_type, errp);
        if (!cpu->vcpu) {
            return false;
        }
        apic_set_x2(cpu->lapic, cpu_ops->has_x2apic(cpu->vcpu));
        apic_set_phys_bits(cpu->lapic, cpu_ops->phys_bits(cpu->vcpu));
        m->vcpus[m->n_vcpus++] = cpu->vcpu;
    }
    machine_add_reset(cpu_reset, cpu);
    return true;
}

bool x86_cpus_create(const X86CpusConfig *config, Error **errp)
{
    Machine *m = config->machine;

    ops();
    ((X86Machine *)m)->cpus = xnew_array(X86Cpu *, m->smp.cpus);
    m->vcpus = xnew_array(struct Vcpu *, m->smp.cpus);
    for (unsigned i = 0; i < m->smp.cpus; i++) {
        if (!cpu_create(config, i, errp)) {
            return false;
        }
    }
    return true;
}
