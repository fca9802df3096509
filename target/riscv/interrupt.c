/*
 * interrupt.c: reset, traps and interrupts (Privileged 3.1.6-3.1.9, 3.4, 10.1.2-10.1.3).
 *
 * Threads: riscv_irq_set() may run in any thread (device lock held): it changes vcpu->interrupt_request only, one bit
 * of mip per line. Everything else belongs to the vCPU's thread.
 */
#include "target/riscv/tlb.h"
#include "target/riscv/trigger.h"
#include "target/riscv/cpu.h"
#include "util/log.h"

uint64_t riscv_mip(const Vcpu *vcpu)
{
    return riscv_state(vcpu)->mip | atomic_load_explicit(&vcpu->interrupt_request, memory_order_relaxed);
}

void riscv_irq_set(Vcpu *vcpu, unsigned line, bool level)
{
    uint32_t bit = 1u << line;

    if (level) {
        atomic_fetch_or(&vcpu->interrupt_request, bit);
        vcpu_kick(vcpu);
    } else {
        atomic_fetch_and(&vcpu->interrupt_request, ~bit);
    }
}

/* Interrupts that would be taken now, of the most privileged mode that has any. */
static uint64_t takeable(const Vcpu *vcpu)
{
    const RiscvState *s = riscv_state(vcpu);
    uint64_t pending = riscv_mip(vcpu) & s->mie;

    if (!pending) {
        return 0;
    }
    if (s->priv < RISCV_M || (s->mstatus & MSTATUS_MIE)) {
        uint64_t machine = pending & ~s->mideleg;
        if (machine) {
            return machine;
        }
    }
    if (s->priv < RISCV_S || (s->priv == RISCV_S && (s->mstatus & MSTATUS_SIE))) {
        return pending & s->mideleg;
    }
    return 0;
}

bool riscv_interrupt_pending(Vcpu *vcpu)
{
    return takeable(vcpu) != 0;
}

bool riscv_has_work(Vcpu *vcpu)
{
    /* wfi resumes for enabled interrupts whatever the global enables (3.3.3). */
    return (riscv_mip(vcpu) & riscv_state(vcpu)->mie) != 0;
}

static void enter(Vcpu *vcpu, bool interrupt, unsigned code, uint64_t value)
{
    RiscvState *s = riscv_state(vcpu);
    bool rv32 = riscv_model(vcpu)->xlen == 32;
    uint64_t deleg = interrupt ? s->mideleg : s->medeleg;
    uint64_t cause = code | (interrupt ? BIT(63) : 0), tvec;
    bool to_s = s->priv <= RISCV_S && (deleg >> code & 1);
    uint64_t st = s->mstatus;

    if (log_enabled(LOG_INT)) {
        log_printf("hart %" PRIu64 ": %s %u to %c, from %c, epc " VADDR_FMT ", tval " VADDR_FMT "\n", s->hartid,
                   interrupt ? "interrupt" : "exception", code, to_s ? 'S' : 'M', "US?M"[s->priv & 3], s->pc, value);
    }
    value = rv32 ? (uint32_t)value : value;
    vcpu->jit.monitor_addr = ~(uint64_t)0;
    if (to_s) {
        st = st & MSTATUS_SIE ? st | MSTATUS_SPIE : st & ~MSTATUS_SPIE;
        st &= ~(MSTATUS_SIE | MSTATUS_SPP);
        st |= s->priv == RISCV_S ? MSTATUS_SPP : 0;
        s->scause = cause;
        s->sepc = s->pc;
        s->stval = value;
        tvec = s->stvec;
        s->priv = RISCV_S;
    } else {
        st = st & MSTATUS_MIE ? st | MSTATUS_MPIE : st & ~MSTATUS_MPIE;
        st &= ~MSTATUS_MIE;
        st = bits_set(st, 11, 2, s->priv);
        s->mcause = cause;
        s->mepc = s->pc;
        s->mtval = value;
        tvec = s->mtvec;
        s->priv = RISCV_M;
    }
    s->mstatus = st;
    s->pc = (tvec & ~(uint64_t)3) + (interrupt && (tvec & 1) ? 4 * code : 0);
    s->pc = rv32 ? (uint32_t)s->pc : s->pc;
}

bool riscv_interrupt_take(Vcpu *vcpu)
{
    /* Priority: external, software, timer; machine before supervisor (3.1.9). */
    static const uint8_t order[] = { RISCV_IRQ_MEI, RISCV_IRQ_MSI, RISCV_IRQ_MTI, RISCV_IRQ_SEI, RISCV_IRQ_SSI,
                                     RISCV_IRQ_STI };
    uint64_t ready = takeable(vcpu);

    for (unsigned i = 0; i < ARRAY_SIZE(order); i++) {
        if (ready >> order[i] & 1) {
            vcpu->halted = false;
            enter(vcpu, true, order[i], 0);
            return true;
        }
    }
    return false;
}

/*
 * RISC-V Semihosting 0.4, 2: an ebreak between slli x0, x0, 31 and srai x0, x0, 7, none of them compressed, all on one page. The call's
 * number is in a0, its parameter in a1, the result comes back in a0.
 */
bool riscv_semihosting_call(Vcpu *vcpu, const uint8_t *code)
{
    enum { SLLI_X0_31 = 0x01f01013, EBREAK = 0x00100073, SRAI_X0_7 = 0x40705013 };
    RiscvState *s = riscv_state(vcpu);
    bool rv32 = riscv_model(vcpu)->xlen == 32;
    uint64_t mask = rv32 ? UINT32_MAX : UINT64_MAX, result;

    if (ldle32(code) != SLLI_X0_31 || ldle32(code + 4) != EBREAK || ldle32(code + 8) != SRAI_X0_7) {
        return false;
    }
    if (vcpu->semihost(vcpu, rv32 ? 4 : 8, s->x[10] & mask, s->x[11] & mask, &result)) {
        s->x[10] = result & mask;
        s->pc = (s->pc + 4) & mask;
    }
    return true;
}

static bool semihosting_call(Vcpu *vcpu)
{
    const RiscvState *s = riscv_state(vcpu);
    vaddr first = s->pc - 4;

    if (!vcpu->semihost || (s->priv == RISCV_U && !vcpu->semihost_user) || (first & 4095) > 4096 - 12) {
        return false;
    }
    const uint8_t *p = guest_ptr_probe(vcpu, first, 12, MMU_FETCH, riscv_mmu_index(vcpu, MMU_FETCH));
    return p && riscv_semihosting_call(vcpu, p);
}

void riscv_exception_enter(Vcpu *vcpu)
{
    if (vcpu->exception.cause == RISCV_EXC_BREAKPOINT && semihosting_call(vcpu)) {
        return;
    }
    enter(vcpu, false, (unsigned)vcpu->exception.cause, vcpu->exception.value);
}

void riscv_cpu_connect(Vcpu *vcpu, uint64_t hartid, uint64_t reset_pc, const RiscvPlatform *platform, void *opaque)
{
    RiscvState *s = riscv_state(vcpu);

    s->hartid = hartid;
    s->reset_pc = reset_pc;
    s->platform = platform;
    s->platform_opaque = opaque;
}

void riscv_cpu_reset(Vcpu *vcpu)
{
    RiscvState *s = riscv_state(vcpu);
    const RiscvModel *m = riscv_model(vcpu);
    RiscvState old = *s;

    *s = (RiscvState){ .platform = old.platform, .platform_opaque = old.platform_opaque, .hartid = old.hartid,
                       .reset_pc = old.reset_pc };
    s->pc = s->reset_pc;
    s->priv = vcpu->softmmu ? RISCV_M : RISCV_U;
    s->mstatus = m->xlen == 64 ? 2 * BIT(32) | 2 * BIT(34) : 0;
    if (!vcpu->softmmu) {
        s->mstatus |= MSTATUS_FS | MSTATUS_VS;
    }
    for (unsigned c = 0; c < 26; c++) {
        static const uint8_t letter[26] = {
            ['a' - 'a'] = RISCV_EXT_A, ['b' - 'a'] = RISCV_EXT_B, ['c' - 'a'] = RISCV_EXT_C, ['d' - 'a'] = RISCV_EXT_D,
            ['f' - 'a'] = RISCV_EXT_F, ['i' - 'a'] = RISCV_EXT_I, ['m' - 'a'] = RISCV_EXT_M, ['s' - 'a'] = RISCV_EXT_S,
            ['u' - 'a'] = RISCV_EXT_U, ['v' - 'a'] = RISCV_EXT_V,
        };
        s->misa |= letter[c] && m->ext[letter[c]] ? BIT(c) : 0;
    }
    s->misa |= m->xlen == 64 ? 2 * BIT(62) : BIT(30);
    s->stimecmp = UINT64_MAX;
    /* With Svadu alone, hardware updates A and D from the start; with Svade it must be asked for. */
    s->menvcfg = m->ext[RISCV_EXT_Svadu] && !m->ext[RISCV_EXT_Svade] ? MENVCFG_ADUE : 0;
    rvv_reset(&s->vector, m->vlen_bits, m->elen_bits);
    vcpu->jit.monitor_addr = ~(uint64_t)0;
    vcpu->halted = false;
    riscv_trigger_reset(vcpu);
    riscv_fflags_set(vcpu, 0);
    riscv_frm_set(vcpu, 0);
    if (vcpu->softmmu) {
        tlb_set_asid(vcpu, 0, 0);
        tlb_flush(vcpu);
    }
}
