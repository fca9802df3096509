/*
 * cpus-target.c: a PC's processors as vCPUs of target/x86: the platform behind port I/O, INTA, the local APIC's MSRs, the time stamp
 * counter and SMM.
 *
 * Threads: created and reset under the BQL; the platform's callbacks are called by the vCPU's thread, mostly without it.
 */
#include "accel/accel.h"
#include "accel/kvm.h"
#include "accel/tcg.h"
#include "hw/i386/cpus.h"
#include "hw/i386/kvm-irqchip.h"
#include "hw/i386/pc.h"
#include "softmmu/bql.h"
#include "target/x86/cpu.h"

#define TSC_HZ UINT64_C(1000000000) /* one per nanosecond of guest time */

static _Thread_local X86Cpu *current_cpu; /* whose port access is under way in this thread */

/* -- ports -------------------------------------------------------------------------------------------------------------- */

static uint32_t plat_io_read(void *opaque, Vcpu *vcpu, uint16_t port, unsigned size)
{
    X86Cpu *cpu = opaque;
    uint64_t value = UINT64_MAX;

    current_cpu = cpu;
    if (memory_load(&cpu->machine->io, port, size, MEM_LITTLE_ENDIAN, &value, MEM_ATTRS_NONE) != MEM_OK) {
        value = UINT64_MAX; /* nobody drives the bus */
    }
    current_cpu = NULL;
    return (uint32_t)value;
}

static void plat_io_write(void *opaque, Vcpu *vcpu, uint16_t port, unsigned size, uint32_t value)
{
    X86Cpu *cpu = opaque;

    current_cpu = cpu;
    memory_store(&cpu->machine->io, port, size, MEM_LITTLE_ENDIAN, value, MEM_ATTRS_NONE);
    current_cpu = NULL;
}

static X86Cpu *ops_current(void)
{
    return current_cpu;
}

/* -- local APIC ----------------------------------------------------------------------------------------------------------- */

static int plat_interrupt_ack(void *opaque, Vcpu *vcpu)
{
    bool took = bql_enter();
    int vector = apic_acknowledge(((X86Cpu *)opaque)->lapic);

    bql_leave(took);
    return vector;
}

/* Only this thread writes the TPR. */
static uint8_t plat_tpr_get(void *opaque, Vcpu *vcpu)
{
    return apic_tpr(((X86Cpu *)opaque)->lapic) >> 4;
}

static void plat_tpr_set(void *opaque, Vcpu *vcpu, uint8_t cr8)
{
    bool took = bql_enter();

    apic_set_tpr(((X86Cpu *)opaque)->lapic, (uint8_t)(cr8 << 4));
    bql_leave(took);
}

static bool plat_msr_read(void *opaque, Vcpu *vcpu, uint32_t msr, uint64_t *ret)
{
    bool took = bql_enter(), ok = apic_msr_read(((X86Cpu *)opaque)->lapic, msr, ret);

    bql_leave(took);
    return ok;
}

static bool plat_msr_write(void *opaque, Vcpu *vcpu, uint32_t msr, uint64_t value)
{
    bool took = bql_enter(), ok = apic_msr_write(((X86Cpu *)opaque)->lapic, msr, value);

    bql_leave(took);
    return ok;
}

/* -- the rest ------------------------------------------------------------------------------------------------------------- */

static uint64_t plat_tsc(void *opaque)
{
    return (uint64_t)clock_get_ns(VM_CLOCK_VIRTUAL);
}

static int64_t tsc_deadline_ns(void *opaque, uint64_t tsc)
{
    return tsc > INT64_MAX ? INT64_MAX : (int64_t)tsc;
}

static void plat_end_of_interrupt(void *opaque, Vcpu *vcpu, uint8_t vector)
{
    bool took = bql_enter();

    apic_bus_eoi(((X86Machine *)((X86Cpu *)opaque)->machine)->apics, vector);
    bql_leave(took);
}

static void plat_smm_changed(void *opaque, Vcpu *vcpu, bool in_smm)
{
    X86Cpu *cpu = opaque;

    vcpu->as = in_smm ? &cpu->smm : &cpu->memory;
    vcpu->secure = in_smm;
    tlb_flush(vcpu);
}

static void plat_ferr(void *opaque, bool level)
{
    bool took = bql_enter();

    x86_cpus_ferr(((X86Cpu *)opaque)->machine, level);
    bql_leave(took);
}

static void plat_triple_fault(void *opaque, Vcpu *vcpu)
{
    machine_request_reset(SHUTDOWN_CAUSE_GUEST_RESET);
}

static const X86Platform platform = {
    .io_read = plat_io_read, .io_write = plat_io_write, .interrupt_ack = plat_interrupt_ack, .tpr_get = plat_tpr_get,
    .tpr_set = plat_tpr_set, .msr_read = plat_msr_read, .msr_write = plat_msr_write, .tsc = plat_tsc, .tsc_hz = TSC_HZ,
    .end_of_interrupt = plat_end_of_interrupt,
    .smm_changed = plat_smm_changed, .ferr = plat_ferr, .triple_fault = plat_triple_fault,
};

static Vcpu *ops_create(X86Cpu *cpu, const char *model, Error **errp)
{
    Machine *m = cpu->machine;
    Vcpu *vcpu = vcpu_new(strcmp(m->arch, "i386") ? &target_x86_64 : &target_i386, true);

    vcpu->index = (int)cpu->index;
    vcpu->machine = m;
    vcpu->as = &cpu->memory;
    vcpu->phys_ptr = memory_ram_of_vcpu;
    vcpu->parallel = m->smp.cpus > 1;
    x86_cpu_connect(vcpu, cpu->apic_id, cpu->index == 0, &platform, cpu);
    x86_cpu_set_topology(vcpu, (X86Topology){ .n_dies = (uint16_t)m->smp.dies, .n_threads = (uint16_t)m->smp.threads,
                                              .n_cores = (uint16_t)(m->smp.cores * m->smp.modules * m->smp.clusters) });
    if (!vcpu->target->cpu_init(vcpu, model, errp)) {
        vcpu_free(vcpu);
        return NULL;
    }
    vcpu->target->cpu_reset(vcpu);
    if (kvm_enabled(m->accel) && !cpu->index && !m->no_smm) {
        kvm_add_space(&cpu->smm, KVM_SPACE_SMM); /* all processors see the same RAM there */
    }
    return vcpu;
}

static void ops_line(Vcpu *vcpu, X86Line line, bool level)
{
    static const uint8_t lines[X86_N_LINES] = { X86_IRQ_INTR, X86_IRQ_NMI, X86_IRQ_SMI, X86_IRQ_INIT, X86_IRQ_SIPI };

    vcpu->target->irq_set(vcpu, lines[line], level);
}

typedef struct A20Work {
    Timer timer;
    X86Cpu *cpu;
    bool on;
} A20Work;

static void set_a20(Vcpu *vcpu, void *opaque)
{
    x86_cpu_set_a20(vcpu, ((A20Work *)opaque)->on);
}

static void a20_work(void *opaque)
{
    A20Work *work = opaque;

    work->cpu->machine->accel->run_on(work->cpu->vcpu, set_a20, work);
    free(work);
}

/* The processor that writes to the port sees it at once. The others are asked from the main loop, where waiting for them
 * blocks nobody. */
static void ops_set_a20(X86Cpu *cpu, bool on)
{
    if (current_cpu == cpu || !cpu->machine->running) {
        x86_cpu_set_a20(cpu->vcpu, on);
        return;
    }
    A20Work *work = xnew(A20Work);
    work->cpu = cpu;
    work->on = on;
    timer_init(&work->timer, VM_CLOCK_REALTIME, a20_work, work);
    timer_set_ns(&work->timer, 0);
}

static const X86Irqchip *ops_irqchip(Machine *m)
{
    return kvm_irqchip_of_pc(m->accel);
}

static bool ops_has_x2apic(Vcpu *vcpu)
{
    return x86_has(vcpu, X86_FEAT_X2APIC);
}

static unsigned ops_phys_bits(Vcpu *vcpu)
{
    return x86_model(vcpu)->phys_bits;
}

/* Under KVM the counter is the host's, and the paravirtual clock tells. */
static uint64_t ops_tsc_hz(Vcpu *vcpu)
{
    return strcmp(vcpu->machine->accel->name, "tcg") ? 0 : TSC_HZ;
}

static void ops_memory_changed(X86Cpu *cpu)
{
    tlb_flush_all_vcpus(cpu->machine);
    if (current_cpu == cpu) {
        tlb_flush(cpu->vcpu); /* its own access has changed the map: at once */
    }
}

const X86CpuOps x86_cpus_target_ops = {
    .create = ops_create, .line = ops_line, .sipi = x86_cpu_sipi, .set_a20 = ops_set_a20, .has_x2apic = ops_has_x2apic,
    .phys_bits = ops_phys_bits, .cpuid = x86_cpuid, .memory_changed = ops_memory_changed, .current = ops_current, .tsc_deadline_ns = tsc_deadline_ns,
    .tsc_hz = ops_tsc_hz,
    .irqchip = ops_irqchip,
};
