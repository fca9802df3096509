/*
 * kvm-apic.c: "kvm-apic", a local APIC that the kernel has: reset, state for monitors and migration, and its pins.
 *
 * Facts: Linux Documentation/virt/kvm/api.rst, KVM_GET_LAPIC; SDM volume 3, table 11-1. LINT0 from outside matters only where the 8259s
 * are ours (split): the processor's thread injects what they have. Threads: BQL; vCPUs stand still, except for "info lapic".
 */
#include "hw/i386/apic-state.h"
#include "hw/i386/cpus.h"
#include "target/x86/kvm.h"

static X86Cpu *cpu_of(Lapic *s)
{
    return (X86Cpu *)s->dev.obj.parent;
}

static void copy_set(uint32_t to[8], const X86KvmLapic *l, unsigned first)
{
    for (unsigned i = 0; i < 8; i++) {
        to[i] = x86_kvm_lapic_reg(l, first + i);
    }
}

static void take(Lapic *s, const X86KvmLapic *l)
{
    s->base = l->base;
    s->id = (l->base & APIC_BASE_X2) ? s->initial_id & 0xff : x86_kvm_lapic_reg(l, LAPIC_ID) >> 24;
    s->tpr = (uint8_t)x86_kvm_lapic_reg(l, LAPIC_TPR);
    s->ldr = x86_kvm_lapic_reg(l, LAPIC_LDR);
    s->dfr = x86_kvm_lapic_reg(l, LAPIC_DFR);
    s->svr = x86_kvm_lapic_reg(l, LAPIC_SVR);
    copy_set(s->isr, l, LAPIC_ISR);
    copy_set(s->tmr, l, LAPIC_TMR);
    copy_set(s->irr, l, LAPIC_IRR);
    s->esr = s->esr_shadow = x86_kvm_lapic_reg(l, LAPIC_ESR);
    s->icr[0] = x86_kvm_lapic_reg(l, LAPIC_ICR);
    s->icr[1] = x86_kvm_lapic_reg(l, LAPIC_ICR_HIGH);
    for (unsigned n = 0; n < N_LVT; n++) {
        s->lvt[n] = x86_kvm_lapic_reg(l, LAPIC_LVT + n);
    }
    s->initial = x86_kvm_lapic_reg(l, LAPIC_INITIAL);
    s->divide = x86_kvm_lapic_reg(l, LAPIC_DIVIDE);
    s->counting = x86_kvm_lapic_reg(l, LAPIC_CURRENT) != 0;
    s->started_ns = apic_started_ns(s, x86_kvm_lapic_reg(l, LAPIC_CURRENT));
}

static void give_set(const uint32_t from[8], X86KvmLapic *l, unsigned first)
{
    for (unsigned i = 0; i < 8; i++) {
        x86_kvm_lapic_set_reg(l, first + i, from[i]);
    }
}

static void give(const Lapic *s, X86KvmLapic *l)
{
    l->base = s->base;
    /* The kernel takes the 32-bit id of x2APIC mode from the vCPU's number, and checks it. */
    x86_kvm_lapic_set_reg(l, LAPIC_ID, (s->base & APIC_BASE_X2) ? s->initial_id : s->id << 24);
    x86_kvm_lapic_set_reg(l, LAPIC_VERSION, LAPIC_VERSION_VALUE);
    x86_kvm_lapic_set_reg(l, LAPIC_TPR, s->tpr);
    x86_kvm_lapic_set_reg(l, LAPIC_LDR, s->ldr);
    x86_kvm_lapic_set_reg(l, LAPIC_DFR, s->dfr);
    x86_kvm_lapic_set_reg(l, LAPIC_SVR, s->svr);
    give_set(s->isr, l, LAPIC_ISR);
    give_set(s->tmr, l, LAPIC_TMR);
    give_set(s->irr, l, LAPIC_IRR);
    x86_kvm_lapic_set_reg(l, LAPIC_ESR, s->esr);
    x86_kvm_lapic_set_reg(l, LAPIC_ICR, s->icr[0]);
    x86_kvm_lapic_set_reg(l, LAPIC_ICR_HIGH, s->icr[1]);
    for (unsigned n = 0; n < N_LVT; n++) {
        x86_kvm_lapic_set_reg(l, LAPIC_LVT + n, s->lvt[n]);
    }
    x86_kvm_lapic_set_reg(l, LAPIC_INITIAL, s->initial);
    x86_kvm_lapic_set_reg(l, LAPIC_CURRENT, apic_current_count(s));
    x86_kvm_lapic_set_reg(l, LAPIC_DIVIDE, s->divide);
}

static void load(Lapic *s)
{
    X86Cpu *cpu = cpu_of(s);
    X86KvmLapic l = { 0 };

    if (cpu->vcpu) {
        give(s, &l);
        x86_kvm_lapic_load(cpu->vcpu, &l);
    }
}

static void fetch_here(Vcpu *vcpu, void *opaque)
{
    X86KvmLapic l;

    if (x86_kvm_lapic_get(vcpu, &l)) {
        take(opaque, &l);
    }
}

/* In the vCPU's thread: the kernel answers nobody else while that runs. */
static void fetch(Lapic *s)
{
    X86Cpu *cpu = cpu_of(s);

    if (cpu->vcpu) {
        cpu->machine->accel->run_on(cpu->vcpu, fetch_here, s);
    }
}

static void set_lint(Lapic *s, unsigned pin, bool level)
{
    device_set_irq(&s->dev, pin ? "nmi" : "intr", 0, level);
}

static bool kvm_apic_realize(Device *dev, Error **errp)
{
    Lapic *s = (Lapic *)dev;

    if (!s->bus) {
        error_set(errp, "a 'kvm-apic' is part of a processor");
        return false;
    }
    s->fetch = fetch;
    s->load = load;
    s->set_lint = set_lint;
    return true;
}

static void kvm_apic_reset(Device *dev, ResetKind kind)
{
    apic_power_up((Lapic *)dev);
    load((Lapic *)dev);
}

static const DeviceType kvm_apic_type = {
    .type = { .name = "kvm-apic", .parent = "device", .summary = "local APIC in the kernel", .size_bytes = sizeof(Lapic), .props = apic_props,
              .n_props = ARRAY_SIZE(apic_props) },
    .category = DEVICE_MISC, .irqs_out = apic_irqs, .n_irqs_out = APIC_N_IRQS, .state = &apic_state, .realize = kvm_apic_realize,
    .reset_enter = kvm_apic_reset,
};
DEVICE_TYPE_REGISTER(kvm_apic_type);
