/*
 * interrupt.c: asynchronous exceptions: which line is taken when, and to which level (Arm ARM DDI 0487, D1.3.6).
 *
 * Threads: arm_irq_set() may run in any thread (device lock held): it changes vcpu->interrupt_request only. Everything else belongs to
 * the vCPU's thread.
 */
#include "target/arm/system.h"

void arm_irq_set(Vcpu *vcpu, unsigned line, bool level)
{
    uint32_t bit = 1u << line;

    if (level) {
        uint32_t old = atomic_fetch_or(&vcpu->interrupt_request, bit);
        if (!(old & bit)) {
            vcpu_kick(vcpu);
        }
    } else {
        atomic_fetch_and(&vcpu->interrupt_request, ~bit);
    }
}

/* SCR_EL3 and HCR_EL2 bits that route a physical line, and PSTATE's mask; a virtual line's enable and HCR_EL2's own pending bit. */
typedef struct Line { uint64_t scr, hcr, mask, pending; uint8_t virtual_line; } Line;
static const Line lines[] = {
    [ARM_IRQ_IRQ]    = { SCR_IRQ, HCR_IMO, PSTATE_I, HCR_VI, ARM_IRQ_VIRQ },
    [ARM_IRQ_FIQ]    = { SCR_FIQ, HCR_FMO, PSTATE_F, HCR_VF, ARM_IRQ_VFIQ },
    [ARM_IRQ_SERROR] = { SCR_EA,  HCR_AMO, PSTATE_A, HCR_VSE, ARM_N_IRQS },
};

/* EL3 in AArch32 takes interrupts in Monitor mode, or, while the state is secure, in modes of its own (table G1-19). */
static unsigned physical_target_a32_el3(const Vcpu *vcpu, const Line *l, bool *ret_monitor)
{
    const ArmState *s = arm_state(vcpu);
    uint64_t hcr = s->el == 3 ? 0 : arm_hcr(vcpu);
    unsigned target = s->scr_el3 & l->scr ? 3 : hcr & (l->hcr | HCR_TGE) ? 2 : arm_pl1(vcpu);

    *ret_monitor = s->scr_el3 & l->scr;
    if (target < s->el) {
        return 0;
    }
    bool masks = !(s->el < 2 && (hcr & l->hcr));
    return masks && (s->pstate & l->mask) ? 0 : target;
}

/* The level a physical line goes to now; 0: it waits. */
static unsigned physical_target(const Vcpu *vcpu, const Line *l, bool *ret_monitor)
{
    const ArmState *s = arm_state(vcpu);
    uint64_t hcr = arm_hcr(vcpu);
    unsigned target = 1;

    *ret_monitor = false;
    if (arm_has(vcpu, EL3) && !arm_model(vcpu)->aarch64) {
        return physical_target_a32_el3(vcpu, l, ret_monitor);
    }

    if (arm_has(vcpu, EL3) && (s->scr_el3 & l->scr)) {
        target = 3;
    } else if (hcr & (l->hcr | HCR_TGE)) {
        target = 2;
    }
    if (target < s->el) {
        return 0;
    }
    /* From below, EL2 and EL3 cannot be held off, but for the host's programs, whose EL2 is as EL1 to them. */
    bool masks = target == s->el || target == 1 || (target == 2 && arm_is_host(hcr));
    return masks && (s->pstate & l->mask) ? 0 : target;
}

static bool virtual_pending(const Vcpu *vcpu, const Line *l, uint32_t request)
{
    const ArmState *s = arm_state(vcpu);
    uint64_t hcr = arm_hcr(vcpu);

    return s->el < 2 && (hcr & l->hcr) && !(hcr & HCR_TGE) && !(s->pstate & l->mask) && ((hcr & l->pending) || (request >> l->virtual_line & 1));
}

/* The first line that would be taken, ARM_N_IRQS: none. */
static unsigned takeable(const Vcpu *vcpu, unsigned *ret_target, bool *ret_monitor)
{
    static const uint8_t order[] = { ARM_IRQ_FIQ, ARM_IRQ_IRQ, ARM_IRQ_SERROR };
    const ArmState *s = arm_state(vcpu);
    uint32_t request = atomic_load_explicit(&vcpu->interrupt_request, memory_order_relaxed);

    if (!request && !(s->hcr_el2 & (HCR_VI | HCR_VF | HCR_VSE))) {
        return ARM_N_IRQS;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(order); i++) {
        const Line *l = &lines[order[i]];
        *ret_target = request >> order[i] & 1 ? physical_target(vcpu, l, ret_monitor) : 0;
        if (*ret_target) {
            return order[i];
        }
        if (virtual_pending(vcpu, l, request)) {
            *ret_monitor = false;
            *ret_target = 1;
            return order[i] == ARM_IRQ_SERROR ? ARM_IRQ_SERROR : l->virtual_line;
        }
    }
    return ARM_N_IRQS;
}

bool arm_interrupt_pending(Vcpu *vcpu)
{
    unsigned target;
    bool monitor;
    return takeable(vcpu, &target, &monitor) != ARM_N_IRQS;
}

/* WFI ends for what would be taken if it were not masked by PSTATE (D1.6.1). */
bool arm_has_work(Vcpu *vcpu)
{
    ArmState *s = arm_state(vcpu);
    uint64_t hcr = arm_hcr(vcpu);
    uint32_t request = atomic_load_explicit(&vcpu->interrupt_request, memory_order_relaxed);

    if (atomic_load(&s->powered_off)) {
        return false;
    }
    if (s->starting) {
        return true;
    }
    bool virtual = s->el < 2 && !(hcr & HCR_TGE);
    return (request & (1u << ARM_IRQ_IRQ | 1u << ARM_IRQ_FIQ | 1u << ARM_IRQ_SERROR)) ||
           (virtual && (hcr & HCR_IMO) && ((hcr & HCR_VI) || (request >> ARM_IRQ_VIRQ & 1))) ||
           (virtual && (hcr & HCR_FMO) && ((hcr & HCR_VF) || (request >> ARM_IRQ_VFIQ & 1))) ||
           (virtual && (hcr & HCR_AMO) && (hcr & HCR_VSE));
}

bool arm_interrupt_take(Vcpu *vcpu)
{
    ArmState *s = arm_state(vcpu);
    bool monitor = false;
    unsigned target, line = takeable(vcpu, &target, &monitor);

    if (line == ARM_N_IRQS) {
        return false;
    }
    if (line == ARM_IRQ_SERROR) {
        bool is_virtual = target == 1 && (s->hcr_el2 & HCR_VSE) && arm_el2_enabled(vcpu);
        s->esr[target] = (uint64_t)ARM_EC_SERROR << 26 | BIT(25) | (is_virtual ? s->vsesr_el2 & 0x1ffffff : 0);
        if (is_virtual) {
            s->hcr_el2 &= ~HCR_VSE; /* taken once */
        } else {
            arm_irq_set(vcpu, ARM_IRQ_SERROR, false);
        }
    }
    atomic_store(&vcpu->halted, false);
    arm_interrupt_enter(vcpu, line, target, monitor);
    return true;
}

void arm_irq_check(Vcpu *vcpu)
{
    if (arm_interrupt_pending(vcpu)) {
        vcpu_kick(vcpu);
    }
}

bool arm_gic_virtual(const Vcpu *vcpu, unsigned group)
{
    const ArmState *s = arm_state(vcpu);
    return s->el == 1 && (arm_hcr(vcpu) & (group ? HCR_IMO : HCR_FMO));
}
