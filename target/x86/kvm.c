/*
 * kvm.c: x86 under KVM: what a virtual machine needs before its processors, events that go into them, exits.
 *
 * Facts: Linux Documentation/virt/kvm/api.rst, uapi asm/kvm.h. Leaves out nested state, Hyper-V and Xen emulation, MSRs in user space.
 * Threads: the vCPU's own, or the vCPU stands still.
 */
#include "hw/i386/apic-state.h"
#include "softmmu/machine.h"
#include "target/x86/kvm.h"

enum { N_GSIS = 2 * IOAPIC_PINS, XAPIC_IDS = 255 };

/* -- making ------------------------------------------------------------------------------------------------------ */

/* GSI 0 is the timer's, which the I/O APIC has at pin 2. Pin 2's own line comes first: the kernel keeps the last for its timer. */
static void route_all(void)
{
    for (unsigned gsi = IOAPIC_PINS; gsi-- > 0;) {
        if (gsi < 16 && gsi != 2) {
            kvm_route_irqchip(gsi, gsi < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE, gsi & 7);
        }
        kvm_route_irqchip(gsi, KVM_IRQCHIP_IOAPIC, gsi ? gsi : 2);
    }
    kvm_route_commit();
}

static bool vm_init(Machine *machine, int vm_fd, KvmIrqchip irqchip, Error **errp)
{
    /* Three pages below the firmware for real mode on processors that lack it, and one for its page table. */
    uint64_t identity = 0xfeffc000;

    if (x86_kvm_failed("KVM: identity map", kvm_vm_ioctl(KVM_SET_IDENTITY_MAP_ADDR, &identity), errp) ||
        x86_kvm_failed("KVM: task state segment", kvm_vm_ioctl(KVM_SET_TSS_ADDR, (void *)(intptr_t)(identity + 0x1000)), errp)) {
        return false;
    }
    x86_kvm_find_msrs();
    if (irqchip == KVM_IRQCHIP_SPLIT && !kvm_enable_cap(KVM_CAP_SPLIT_IRQCHIP, N_GSIS)) {
        error_set(errp, "KVM: split irqchip refused");
        return false;
    }
    if (irqchip == KVM_IRQCHIP_ON) {
        if (x86_kvm_failed("KVM: interrupt controllers", kvm_vm_ioctl(KVM_CREATE_IRQCHIP, NULL), errp)) {
            return false;
        }
        route_all();
    }
    if (machine->smp.max_cpus > XAPIC_IDS &&
        (irqchip == KVM_IRQCHIP_OFF ||
         !kvm_enable_cap(KVM_CAP_X2APIC_API, KVM_X2APIC_API_USE_32BIT_IDS | KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK))) {
        error_set(errp, "more than %d CPUs need a local APIC in the kernel that has x2APIC ids", XAPIC_IDS);
        return false;
    }
    return x86_kvm_host_init(machine->arch, errp);
}

static bool vcpu_init(Vcpu *vcpu, Error **errp)
{
    return x86_kvm_set_tsc_khz(vcpu, errp) && x86_kvm_set_cpuid(vcpu, errp);
}

static void reset(Vcpu *vcpu)
{
    x86_kvm(vcpu)->after_reset = true;
    x86_state(vcpu)->kvm_halted = false;
}

/* -- into the processor ------------------------------------------------------------------------------------------------ */

enum { EVENTS = 1u << X86_IRQ_INIT | 1u << X86_IRQ_SIPI };

static bool take_line(Vcpu *vcpu, unsigned line)
{
    return atomic_load(&vcpu->interrupt_request) >> line & 1 && atomic_fetch_and(&vcpu->interrupt_request, ~(1u << line)) >> line & 1;
}

/* With a local APIC in the kernel the line is its LINT1 pin; else ours has decided. */
static bool nmi_passes(Vcpu *vcpu)
{
    X86KvmLapic l;

    if (kvm_irqchip() == KVM_IRQCHIP_OFF || !x86_kvm_lapic_get(vcpu, &l)) {
        return true;
    }
    uint32_t lvt = x86_kvm_lapic_reg(&l, LAPIC_LVT + LVT_LINT1);
    return !(l.base & APIC_BASE_ENABLE) || (!(lvt & LVT_MASKED) && (lvt >> 8 & 7) == APIC_NMI);
}

/* The 8259s' or our local APIC's vector goes in when the processor is ready; until then the kernel is asked to say when. */
static void inject(Vcpu *vcpu)
{
    X86State *s = x86_state(vcpu);
    struct kvm_run *run = kvm_run_area(vcpu);

    run->request_interrupt_window = 0;
    if (!(atomic_load(&vcpu->interrupt_request) >> X86_IRQ_INTR & 1)) {
        return;
    }
    if (run->ready_for_interrupt_injection && run->if_flag) {
        int vector = s->platform->interrupt_ack(s->platform_opaque, vcpu);
        if (vector >= 0) {
            kvm_vcpu_ioctl(vcpu, KVM_INTERRUPT, &(struct kvm_interrupt){ .irq = (uint32_t)vector });
        }
    }
    run->request_interrupt_window = atomic_load(&vcpu->interrupt_request) >> X86_IRQ_INTR & 1;
}

/* HLT and start-up of a processor whose local APIC is ours; false: it has nothing to do. */
static bool is_awake(Vcpu *vcpu, bool nmi, bool smi)
{
    X86State *s = x86_state(vcpu);
    uint32_t lines = atomic_load(&vcpu->interrupt_request);

    if (lines & EVENTS) {
        kvm_sync_state(vcpu);
        x86_take_init_sipi(vcpu);
        s->kvm_halted = false;
    }
    if (s->wait_sipi) {
        return false;
    }
    if (s->kvm_halted && !nmi && !smi && !((lines >> X86_IRQ_INTR & 1) && kvm_run_area(vcpu)->if_flag)) {
        return false;
    }
    s->kvm_halted = false;
    return true;
}

static bool before_run(Vcpu *vcpu)
{
    X86State *s = x86_state(vcpu);
    bool nmi = false, smi = take_line(vcpu, X86_IRQ_SMI);

    while (x86_take_nmi(vcpu)) {
        nmi = true;
        if (nmi_passes(vcpu)) {
            kvm_vcpu_ioctl(vcpu, KVM_NMI, NULL);
        }
    }
    if (smi && !vcpu->machine->no_smm) {
        kvm_vcpu_ioctl(vcpu, KVM_SMI, NULL);
    }
    switch (kvm_irqchip()) {
    case KVM_IRQCHIP_ON:
        return true;
    case KVM_IRQCHIP_SPLIT:
        inject(vcpu);
        return true;
    case KVM_IRQCHIP_OFF:
        break;
    }
    if (!is_awake(vcpu, nmi, smi)) {
        return false;
    }
    inject(vcpu);
    kvm_run_area(vcpu)->cr8 = s->platform->tpr_get(s->platform_opaque, vcpu);
    return true;
}

/* -- out of it --------------------------------------------------------------------------------------------------------- */

static void after_run(Vcpu *vcpu)
{
    X86State *s = x86_state(vcpu);
    struct kvm_run *run = kvm_run_area(vcpu);
    bool in_smm = (run->flags & KVM_RUN_X86_SMM) != 0;

    if (in_smm != x86_kvm(vcpu)->smm_view) {
        x86_kvm(vcpu)->smm_view = in_smm;
        s->platform->smm_changed(s->platform_opaque, vcpu, in_smm);
    }
    if (kvm_irqchip() != KVM_IRQCHIP_OFF) {
        return;
    }
    if (run->cr8 != s->platform->tpr_get(s->platform_opaque, vcpu)) {
        s->platform->tpr_set(s->platform_opaque, vcpu, (uint8_t)run->cr8);
    }
    uint64_t base;
    if (s->platform->msr_read(s->platform_opaque, vcpu, 0x1b, &base) && base != run->apic_base) {
        s->platform->msr_write(s->platform_opaque, vcpu, 0x1b, run->apic_base);
    }
}

static void port_io(Vcpu *vcpu, struct kvm_run *run)
{
    const X86State *s = x86_state(vcpu);
    uint8_t *data = (uint8_t *)run + run->io.data_offset;
    unsigned size = run->io.size;

    for (uint32_t i = 0; i < run->io.count; i++, data += size) {
        uint32_t value = 0;
        if (run->io.direction == KVM_EXIT_IO_OUT) {
            memcpy(&value, data, size);
            s->platform->io_write(s->platform_opaque, vcpu, run->io.port, size, value);
        } else {
            value = s->platform->io_read(s->platform_opaque, vcpu, run->io.port, size);
            memcpy(data, &value, size);
        }
    }
}

static bool handle_exit(Vcpu *vcpu)
{
    X86State *s = x86_state(vcpu);
    struct kvm_run *run = kvm_run_area(vcpu);

    switch (run->exit_reason) {
    case KVM_EXIT_IO:
        port_io(vcpu, run);
        return true;
    case KVM_EXIT_HLT:
        s->kvm_halted = true;
        return true;
    case KVM_EXIT_SET_TPR: /* after_run has it */
        return true;
    case KVM_EXIT_IOAPIC_EOI:
        s->platform->end_of_interrupt(s->platform_opaque, vcpu, run->eoi.vector);
        return true;
    default:
        return false;
    }
}

/* -- standing still ---------------------------------------------------------------------------------------------------- */

/* The paravirtual clock stands with the machine; a guest's watchdog that looks at it does not bark afterwards. */
static struct kvm_clock_data clock_at_stop;
static bool clock_stopped;

static void vm_paused(Machine *machine)
{
    if (!kvm_check_extension(KVM_CAP_ADJUST_CLOCK) || clock_stopped) {
        return;
    }
    clock_stopped = kvm_vm_ioctl(KVM_GET_CLOCK, &clock_at_stop) >= 0;
}

static void vm_resumed(Machine *machine)
{
    struct kvm_clock_data set = { .clock = clock_at_stop.clock };

    if (!clock_stopped) {
        return;
    }
    clock_stopped = false;
    kvm_vm_ioctl(KVM_SET_CLOCK, &set);
    for (unsigned i = 0; kvm_check_extension(KVM_CAP_KVMCLOCK_CTRL) && i < machine->n_vcpus; i++) {
        kvm_vcpu_ioctl(machine->vcpus[i], KVM_KVMCLOCK_CTRL, NULL); /* EINVAL: the guest does not use it */
    }
}

const KvmTargetOps x86_kvm_ops = {
    .vm_init = vm_init,
    .vcpu_init = vcpu_init,
    .reset = reset,
    .get_state = x86_kvm_get_state,
    .put_state = x86_kvm_put_state,
    .before_run = before_run,
    .after_run = after_run,
    .handle_exit = handle_exit,
    .update_debug = x86_kvm_update_debug,
    .debug_exit = x86_kvm_debug_exit,
    .vm_paused = vm_paused,
    .vm_resumed = vm_resumed,
};
