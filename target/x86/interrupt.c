/*
 * interrupt.c: reset, INIT and SIPI, interrupt lines and their priority (SDM 6.9, 9.1, 9.4.4; 6.7.1 NMI).
 *
 * Threads: x86_irq_set() and x86_cpu_sipi() may run in any thread (device lock held): they change vcpu->interrupt_request and
 * the vector of the SIPI only. Everything else belongs to the vCPU's thread.
 */
#include "target/x86/system.h"
#include "util/log.h"

void x86_cpu_connect(Vcpu *vcpu, uint32_t apic_id, bool is_bsp, const X86Platform *platform, void *opaque)
{
    X86State *s = x86_state(vcpu);

    s->apic_id = apic_id;
    s->is_bsp = is_bsp;
    s->platform = platform;
    s->platform_opaque = opaque;
}

void x86_cpu_set_topology(Vcpu *vcpu, X86Topology topology)
{
    x86_state(vcpu)->topology = topology;
}

/* -- reset (SDM table 9-1) --------------------------------------------------------------------------------- */

#define REAL_DATA (X86_ATTR_P | X86_ATTR_S | X86_ATTR_W | X86_ATTR_A)

static void reset_user(Vcpu *vcpu)
{
    X86State *s = x86_state(vcpu);
    bool is64 = vcpu->target->word_bits == 64;
    uint32_t data = REAL_DATA | X86_ATTR_DPL | X86_ATTR_G;

    s->cr0 = X86_CR0_PE | X86_CR0_MP | X86_CR0_ET | X86_CR0_NE | X86_CR0_WP | X86_CR0_AM | X86_CR0_PG;
    s->cr4 = X86_CR4_DE | X86_CR4_PSE | X86_CR4_PAE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT;
    s->cr4 |= x86_has(vcpu, X86_FEAT_XSAVE) ? X86_CR4_OSXSAVE : 0;
    s->cr4 |= x86_has(vcpu, X86_FEAT_FSGSBASE) ? X86_CR4_FSGSBASE : 0;
    s->cr4 |= x86_has(vcpu, X86_FEAT_PKU) ? X86_CR4_PKE : 0;
    s->efer = X86_EFER_NXE | (is64 ? X86_EFER_SCE | X86_EFER_LME | X86_EFER_LMA : 0);
    s->xcr0 = x86_xcr0_supported(vcpu);
    s->eflags = X86_IF | 2;
    s->gdt_limit = 0xffff; /* where linux-user puts it, and what is in it, is linux-user's */
    for (unsigned seg = 0; seg < X86_N_SEGS; seg++) {
        x86_seg_set(vcpu, seg, 0, 0, UINT32_MAX, data | X86_ATTR_B);
    }
    x86_seg_set(vcpu, X86_CS, 0, 0, UINT32_MAX, data | X86_ATTR_CODE | (is64 ? X86_ATTR_L : X86_ATTR_B));
}

/* What reset and INIT have in common. */
static void reset_common(Vcpu *vcpu)
{
    X86State *s = x86_state(vcpu);

    memset(s->gpr, 0, sizeof(s->gpr));
    uint32_t regs[4];
    x86_cpuid(vcpu, 1, 0, regs);
    s->gpr[X86_RDX] = regs[0];
    x86_eflags_set(vcpu, 2);
    s->cr2 = s->cr3 = s->cr4 = s->efer = 0;
    for (unsigned seg = 0; seg < X86_N_SEGS; seg++) {
        x86_seg_set(vcpu, seg, 0, 0, 0xffff, REAL_DATA);
    }
    x86_seg_set(vcpu, X86_CS, 0xf000, 0xffff0000, 0xffff, REAL_DATA | X86_ATTR_CODE);
    s->pc = 0xfffffff0;
    s->gdt_base = s->idt_base = s->ldt_base = s->tr_base = 0;
    s->gdt_limit = s->idt_limit = s->ldt_limit = s->tr_limit = 0xffff;
    s->ldt_sel = s->tr_sel = 0;
    s->ldt_attr = X86_ATTR_P | X86_SYS_LDT << 8;
    s->tr_attr = X86_ATTR_P | X86_SYS_TSS_BUSY << 8;
    memset(s->dr, 0, sizeof(s->dr));
    s->dr[6] = 0xffff0ff0;
    s->dr[7] = 0x400;
    s->inhibit = s->nmi_blocked = s->shutdown = s->mwait_irq = s->wait_sipi = 0;
    s->db_pending = 0;
    s->delivering = 0;
    s->ext = false;
    atomic_store(&vcpu->halted, false);
    x86_debug_update(vcpu);
    tlb_set_asid(vcpu, 0, 0);
    tlb_flush(vcpu);
}

static void leave_smm(Vcpu *vcpu)
{
    X86State *s = x86_state(vcpu);

    if (s->in_smm) {
        s->in_smm = 0;
        if (s->platform && s->platform->smm_changed) {
            s->platform->smm_changed(s->platform_opaque, vcpu, false);
        }
    }
}

void x86_cpu_reset(Vcpu *vcpu)
{
    X86State *s = x86_state(vcpu);

    if (vcpu->softmmu) {
        leave_smm(vcpu);
    }
    X86State old = *s;
    *s = (X86State){ .platform = old.platform, .platform_opaque = old.platform_opaque, .apic_id = old.apic_id, .is_bsp = old.is_bsp,
                     .topology = old.topology, .kvm = old.kvm, .a20_off = old.a20_off };
    s->xcr0 = 1;
    s->pat = 0x0007040600070406;
    s->smbase = 0x30000;
    s->misc_enable = BIT(0); /* fast strings */
    s->mcg_ctl = UINT64_MAX;
    s->ftop = 0;
    s->cr0 = X86_CR0_ET | X86_CR0_NW | X86_CR0_CD;
    if (!vcpu->softmmu) {
        reset_user(vcpu);
        x86_eflags_set(vcpu, X86_IF | 2);
    } else {
        reset_common(vcpu);
        atomic_store(&vcpu->interrupt_request, atomic_load(&vcpu->interrupt_request) & 1u << X86_IRQ_INTR);
        s->wait_sipi = !s->is_bsp && s->platform;
        atomic_store(&vcpu->halted, s->wait_sipi != 0);
    }
    x86_fpu_init(vcpu);
    x86_mxcsr_set(vcpu, 0x1f80);
    if (vcpu->softmmu) {
        s->fcw = 0x0040; /* after RESET# or power-up; FINIT gives 037Fh */
        s->fempty = 0;
    }
}

/* INIT keeps caches, MSRs, FPU and vector registers (SDM table 9-1). */
static void take_init(Vcpu *vcpu)
{
    X86State *s = x86_state(vcpu);

    leave_smm(vcpu);
    s->cr0 = X86_CR0_ET | (s->cr0 & (X86_CR0_NW | X86_CR0_CD));
    reset_common(vcpu);
    __atomic_store_n(&s->wait_sipi, !s->is_bsp, __ATOMIC_RELEASE);
    atomic_store(&vcpu->halted, s->wait_sipi != 0);
}

static void take_sipi(Vcpu *vcpu)
{
    X86State *s = x86_state(vcpu);
    unsigned vector = s->sipi_vector;

    s->wait_sipi = 0;
    atomic_store(&vcpu->halted, false);
    x86_seg_set(vcpu, X86_CS, (uint16_t)(vector << 8), vector << 12, 0xffff, REAL_DATA | X86_ATTR_CODE);
    s->pc = vector << 12;
}

void x86_take_init_sipi(Vcpu *vcpu)
{
    uint32_t bits = 1u << X86_IRQ_INIT | 1u << X86_IRQ_SIPI;
    uint32_t request = atomic_fetch_and(&vcpu->interrupt_request, ~bits) & bits;

    if (request & 1u << X86_IRQ_INIT) {
        take_init(vcpu);
    }
    if ((request & 1u << X86_IRQ_SIPI) && x86_state(vcpu)->wait_sipi) {
        take_sipi(vcpu);
    }
}

void x86_cpu_sipi(Vcpu *vcpu, uint8_t vector)
{
    x86_state(vcpu)->sipi_vector = vector;
    x86_irq_set(vcpu, X86_IRQ_SIPI, true);
}

void x86_cpu_set_a20(Vcpu *vcpu, bool on)
{
    X86State *s = x86_state(vcpu);

    if (s->a20_off == on) {
        s->a20_off = !on;
        tlb_flush(vcpu);
    }
}

/* -- NMI -------------------------------------------------------------------------------------------------------- */

/*
 * SDM 6.7.1: while one is handled, one more is held. A processor takes the first at the next instruction boundary, so that an NMI close
 * behind it counts too; here the boundary may be further away than the sender's next instruction, and the second is remembered.
 */
static void latch_nmi(Vcpu *vcpu)
{
    uint32_t was = atomic_load(&vcpu->interrupt_request), latched;

    do {
        latched = was | (was >> X86_IRQ_NMI & 1 ? 1u << X86_IRQ_NMI_AGAIN : 1u << X86_IRQ_NMI);
    } while (!atomic_compare_exchange_weak(&vcpu->interrupt_request, &was, latched));
}

bool x86_take_nmi(Vcpu *vcpu)
{
    uint32_t was = atomic_load(&vcpu->interrupt_request), bit;

    do {
        if (!(was >> X86_IRQ_NMI & 1)) {
            return false;
        }
        bit = was >> X86_IRQ_NMI_AGAIN & 1 ? 1u << X86_IRQ_NMI_AGAIN : 1u << X86_IRQ_NMI;
    } while (!atomic_compare_exchange_weak(&vcpu->interrupt_request, &was, was & ~bit));
    return true;
}

void x86_block_nmi(Vcpu *vcpu, bool blocked)
{
    X86State *s = x86_state(vcpu);

    if (s->nmi_blocked && !blocked) {
        atomic_fetch_and(&vcpu->interrupt_request, ~(1u << X86_IRQ_NMI_AGAIN));
    }
    s->nmi_blocked = blocked;
}

/* -- lines ------------------------------------------------------------------------------------------------------ */

void x86_irq_set(Vcpu *vcpu, unsigned line, bool level)
{
    uint32_t bit = 1u << line;

    if (line == X86_IRQ_SIPI && !__atomic_load_n(&x86_state(vcpu)->wait_sipi, __ATOMIC_ACQUIRE) &&
        !(atomic_load(&vcpu->interrupt_request) & 1u << X86_IRQ_INIT)) {
        return; /* nobody waits for it: the second one of the usual two */
    }
    if (level && line == X86_IRQ_NMI) {
        latch_nmi(vcpu);
        vcpu_kick(vcpu);
    } else if (level) {
        atomic_fetch_or(&vcpu->interrupt_request, bit);
        vcpu_kick(vcpu);
    } else if (line == X86_IRQ_INTR) {
        atomic_fetch_and(&vcpu->interrupt_request, ~bit);
    }
}

/* The lines that would be acted upon now. */
static uint32_t takeable(const Vcpu *vcpu, uint32_t request)
{
    const X86State *s = x86_state(vcpu);
    uint32_t mask;

    if (s->wait_sipi) {
        return request & (1u << X86_IRQ_SIPI | 1u << X86_IRQ_INIT);
    }
    mask = s->in_smm ? 0 : 1u << X86_IRQ_SMI | 1u << X86_IRQ_INIT;
    mask |= s->nmi_blocked || s->inhibit ? 0 : 1u << X86_IRQ_NMI;
    if (!s->shutdown) {
        mask |= s->cr4 & X86_CR4_MCE ? 1u << X86_IRQ_MCE : 0;
        mask |= (s->eflags & X86_IF) && !s->inhibit ? 1u << X86_IRQ_INTR : 0;
    }
    return request & mask;
}

static bool trap_waits(const X86State *s) { return s->db_pending && !(s->inhibit & X86_INHIBIT_ALL) && !s->shutdown; }

bool x86_interrupt_pending(Vcpu *vcpu)
{
    uint32_t request = atomic_load_explicit(&vcpu->interrupt_request, memory_order_relaxed);

    return (request && takeable(vcpu, request)) || trap_waits(x86_state(vcpu));
}

bool x86_has_work(Vcpu *vcpu)
{
    const X86State *s = x86_state(vcpu);

    return x86_interrupt_pending(vcpu) ||
           (s->mwait_irq && (atomic_load(&vcpu->interrupt_request) & 1u << X86_IRQ_INTR));
}

static bool take_line(Vcpu *vcpu, uint32_t ready, unsigned line)
{
    if (!(ready >> line & 1)) {
        return false;
    }
    atomic_fetch_and(&vcpu->interrupt_request, ~(1u << line));
    return true;
}

static void wake(Vcpu *vcpu)
{
    X86State *s = x86_state(vcpu);

    s->shutdown = s->mwait_irq = 0;
    atomic_store(&vcpu->halted, false);
}

static bool take_intr(Vcpu *vcpu)
{
    X86State *s = x86_state(vcpu);
    int vector = s->platform ? s->platform->interrupt_ack(s->platform_opaque, vcpu) : -1;

    if (vector < 0) {
        return false;
    }
    wake(vcpu);
    if (log_enabled(LOG_INT)) {
        log_printf("CPU %d: interrupt %#x ip %04x:" VADDR_FMT "\n", vcpu->index, (unsigned)vector, s->seg_sel[X86_CS], x86_ip(vcpu));
    }
    x86_deliver(vcpu, (unsigned)vector, false, NULL, true, x86_ip(vcpu), false);
    return true;
}

/* In the order of SDM table 6-2. */
bool x86_interrupt_take(Vcpu *vcpu)
{
    X86State *s = x86_state(vcpu);
    uint32_t ready = takeable(vcpu, atomic_load(&vcpu->interrupt_request));

    if (ready >> X86_IRQ_INIT & 1) {
        take_init(vcpu); /* before the line is cleared: x86_irq_set() looks at it for a SIPI */
        return take_line(vcpu, ready, X86_IRQ_INIT);
    }
    if (take_line(vcpu, ready, X86_IRQ_SIPI)) {
        take_sipi(vcpu);
        return true;
    }
    if (take_line(vcpu, ready, X86_IRQ_MCE)) {
        wake(vcpu);
        x86_deliver(vcpu, X86_EXC_MC, false, NULL, true, x86_ip(vcpu), false);
        return true;
    }
    if (take_line(vcpu, ready, X86_IRQ_SMI)) {
        /* Whether it was halted goes into the save map. */
        x86_smm_enter(vcpu);
        wake(vcpu);
        return true;
    }
    if (trap_waits(s)) {
        x86_debug_enter(vcpu, s->db_pending);
        s->db_pending = 0;
        wake(vcpu);
        x86_deliver(vcpu, X86_EXC_DB, false, NULL, false, x86_ip(vcpu), false);
        return true;
    }
    if ((ready >> X86_IRQ_NMI & 1) && x86_take_nmi(vcpu)) {
        wake(vcpu);
        x86_block_nmi(vcpu, true);
        x86_deliver(vcpu, X86_EXC_NMI, false, NULL, true, x86_ip(vcpu), false);
        return true;
    }
    return (ready >> X86_IRQ_INTR & 1) && take_intr(vcpu);
}
