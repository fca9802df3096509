/*
 * helper-system.c: what translated code calls for traps, CSRs, privileged instructions and cache blocks.
 */
#include <sched.h>

#include "target/riscv/tlb.h"
#include "target/riscv/translate.h"

void riscv_helper_raise(Vcpu *vcpu, uint32_t cause, uint64_t value)
{
    vcpu_raise(vcpu, (int32_t)cause, value);
}

/* The instruction at pc, for tval; it was translated, so it can be read. */
static uint32_t current_insn(Vcpu *vcpu)
{
    unsigned mmu = vcpu->target->mmu_index(vcpu, MMU_FETCH);
    vaddr pc = vcpu->target->get_pc(vcpu);
    const uint8_t *lo = guest_ptr_probe(vcpu, pc, 2, MMU_FETCH, mmu);
    const uint8_t *hi = lo && (lo[0] & 3) == 3 ? guest_ptr_probe(vcpu, pc + 2, 2, MMU_FETCH, mmu) : NULL;

    return (lo ? ldle16(lo) : 0) | (hi ? (uint32_t)ldle16(hi) << 16 : 0);
}

static noreturn void illegal(Vcpu *vcpu)
{
    vcpu_raise(vcpu, RISCV_EXC_ILLEGAL, current_insn(vcpu));
}

void riscv_helper_check_target(Vcpu *vcpu, uint64_t taken, uint64_t target)
{
    if (taken) {
        vcpu_raise(vcpu, RISCV_EXC_FETCH_MISALIGNED, target);
    }
}

void riscv_helper_fence_i(Vcpu *vcpu)
{
    tcg_icache_sync(vcpu);
}

/* how: number | operation (write, set, clear, read) << 12 | no-read << 14. */
uint64_t riscv_helper_csr(Vcpu *vcpu, uint32_t how, uint64_t operand)
{
    unsigned csr = how & 0xfff, op = how >> 12 & 3;
    uint64_t old = 0;

    if (!(op == 0 && how >> 14 & 1) && !riscv_csr_read(vcpu, csr, &old)) {
        illegal(vcpu);
    }
    if (op != 3) {
        uint64_t value = op == 0 ? operand : op == 1 ? old | operand : old & ~operand;
        /* A set or clear of mip must not make a line's level sticky: read-modify-write of the writable part. */
        if ((csr == 0x344 || csr == 0x144) && op != 0) {
            uint64_t soft = riscv_state(vcpu)->mip;
            value = op == 1 ? soft | operand : soft & ~operand;
        }
        if (!riscv_csr_write(vcpu, csr, value)) {
            illegal(vcpu);
        }
    }
    return old;
}

/* fflags, frm, fcsr: with the flags that generated code has raised. */
uint64_t riscv_helper_csr_fp(Vcpu *vcpu, uint32_t how, uint64_t operand)
{
    riscv_fp_sync(vcpu);
    return riscv_helper_csr(vcpu, how, operand);
}

void riscv_helper_irq_check(Vcpu *vcpu)
{
    if (riscv_interrupt_pending(vcpu)) {
        vcpu_kick(vcpu);
    }
}

uint64_t riscv_helper_fflags_get(Vcpu *vcpu) { return riscv_fflags_get(vcpu); }
void riscv_helper_fflags_set(Vcpu *vcpu, uint64_t flags) { riscv_fflags_set(vcpu, (uint32_t)flags); }
void riscv_helper_fs_dirty(Vcpu *vcpu) { riscv_state(vcpu)->mstatus |= MSTATUS_FS; }
uint64_t riscv_helper_time(Vcpu *vcpu) { return riscv_time(vcpu); }

/* -- trap returns (Privileged 3.3.2) ------------------------------------------------------------------- */

static uint64_t pc_mask(Vcpu *vcpu)
{
    uint64_t align = riscv_has(vcpu, Zca) ? ~(uint64_t)1 : ~(uint64_t)3;
    return riscv_model(vcpu)->xlen == 64 ? align : (uint32_t)align;
}

static void enter_priv(Vcpu *vcpu, unsigned priv)
{
    RiscvState *s = riscv_state(vcpu);

    s->priv = priv;
    if (riscv_interrupt_pending(vcpu)) {
        vcpu_kick(vcpu);
    }
}

uint64_t riscv_helper_mret(Vcpu *vcpu)
{
    RiscvState *s = riscv_state(vcpu);
    unsigned mpp = bits_get(s->mstatus, 11, 2);
    uint64_t st = s->mstatus;

    st = st & MSTATUS_MPIE ? st | MSTATUS_MIE : st & ~MSTATUS_MIE;
    st |= MSTATUS_MPIE;
    st = bits_set(st, 11, 2, riscv_has(vcpu, U) ? RISCV_U : RISCV_M);
    if (mpp != RISCV_M) {
        st &= ~MSTATUS_MPRV;
    }
    s->mstatus = st;
    enter_priv(vcpu, mpp);
    return s->mepc & pc_mask(vcpu);
}

uint64_t riscv_helper_sret(Vcpu *vcpu)
{
    RiscvState *s = riscv_state(vcpu);
    unsigned spp = s->mstatus & MSTATUS_SPP ? RISCV_S : RISCV_U;
    uint64_t st = s->mstatus;

    if (s->priv == RISCV_S && (st & MSTATUS_TSR)) {
        illegal(vcpu);
    }
    st = st & MSTATUS_SPIE ? st | MSTATUS_SIE : st & ~MSTATUS_SIE;
    st |= MSTATUS_SPIE;
    st &= ~(MSTATUS_SPP | MSTATUS_MPRV);
    s->mstatus = st;
    enter_priv(vcpu, spp);
    return s->sepc & pc_mask(vcpu);
}

/* A hint in spin loops: what is waited for may need this host CPU to happen. */
void riscv_helper_pause(Vcpu *vcpu)
{
    if (vcpu->parallel) {
        sched_yield();
    }
}

void riscv_helper_wfi(Vcpu *vcpu)
{
    RiscvState *s = riscv_state(vcpu);

    /* With TW the time limit is zero; from U it is when S mode exists (3.1.6.5). */
    if ((s->priv == RISCV_S && (s->mstatus & MSTATUS_TW)) ||
        (s->priv == RISCV_U && ((s->mstatus & MSTATUS_TW) || riscv_has(vcpu, S)))) {
        illegal(vcpu);
    }
    vcpu->halted = true;
}

void riscv_helper_sfence_vma(Vcpu *vcpu, uint64_t addr, uint64_t asid, uint32_t which)
{
    RiscvState *s = riscv_state(vcpu);

    if (s->priv == RISCV_S && (s->mstatus & MSTATUS_TVM)) {
        illegal(vcpu);
    }
    switch (which) {
    case 0:
        tlb_flush(vcpu);
        break;
    case 2:
        tlb_flush_asid(vcpu, asid & 0xffff);
        break;
    default:
        tlb_flush_page(vcpu, addr);
        break;
    }
}

/* -- cache blocks (CMO 2.5, Privileged 3.1.18) ----------------------------------------------------------- */

static void check_envcfg(Vcpu *vcpu, uint64_t bits)
{
    RiscvState *s = riscv_state(vcpu);

    if (!vcpu->softmmu) {
        return;
    }
    if ((s->priv < RISCV_M && !(s->menvcfg & bits)) || (s->priv == RISCV_U && riscv_has(vcpu, S) && !(s->senvcfg & bits))) {
        illegal(vcpu);
    }
}

void riscv_helper_cbo_zero(Vcpu *vcpu, uint64_t addr, uint32_t mmu)
{
    unsigned size = riscv_model(vcpu)->cboz_bytes;

    check_envcfg(vcpu, ENVCFG_CBZE);
    addr = ROUND_DOWN(addr, (uint64_t)size);
    void *p = guest_ptr_access(vcpu, addr, size, MMU_WRITE, mmu);
    if (p) {
        memset(p, 0, size);
    } else {
        for (unsigned i = 0; i < size; i += 8) {
            guest_store(vcpu, addr + i, 0, 8, mmu);
        }
    }
}

void riscv_helper_cbo(Vcpu *vcpu, uint64_t addr, uint32_t mmu, uint32_t inval)
{
    check_envcfg(vcpu, inval ? ENVCFG_CBIE : ENVCFG_CBCFE);
    addr = ROUND_DOWN(addr, (uint64_t)riscv_model(vcpu)->cbom_bytes);
    /* Permitted where a load or a store is; caches are not modelled. Faults are a store's. */
    if (vcpu->softmmu && !guest_ptr_probe(vcpu, addr, 1, MMU_READ, mmu)) {
        guest_ptr_access(vcpu, addr, 1, MMU_WRITE, mmu);
    }
}

/* -- amocas.q ----------------------------------------------------------------------------------------------- */

static bool cas128(void *p, unsigned __int128 *expected, unsigned __int128 desired)
{
#if defined(__x86_64__)
    uint64_t lo = (uint64_t)*expected, hi = (uint64_t)(*expected >> 64);
    bool ok;
    __asm__ volatile("lock cmpxchg16b %1" : "=@ccz"(ok), "+m"(*(unsigned __int128 *)p), "+a"(lo), "+d"(hi)
                     : "b"((uint64_t)desired), "c"((uint64_t)(desired >> 64)) : "memory");
    *expected = (unsigned __int128)hi << 64 | lo;
    return ok;
#else
    return __atomic_compare_exchange((unsigned __int128 *)p, expected, &desired, false, __ATOMIC_SEQ_CST,
                                     __ATOMIC_SEQ_CST);
#endif
}

void riscv_helper_amocas_q(Vcpu *vcpu, uint64_t addr, uint32_t regs, uint32_t mmu)
{
    RiscvState *s = riscv_state(vcpu);
    unsigned rd = regs & 31, rs2 = regs >> 8 & 31;
    unsigned __int128 expected = 0, desired = 0;

    if (addr & 15) {
        vcpu_raise(vcpu, RISCV_EXC_STORE_MISALIGNED, addr);
    }
    void *p = guest_ptr_access(vcpu, addr, 16, MMU_WRITE, mmu);
    if (!p) {
        vcpu_raise(vcpu, RISCV_EXC_STORE_ACCESS, addr);
    }
    if (rd) {
        expected = (unsigned __int128)s->x[rd + 1] << 64 | s->x[rd];
    }
    if (rs2) {
        desired = (unsigned __int128)s->x[rs2 + 1] << 64 | s->x[rs2];
    }
    cas128(p, &expected, desired);
    if (rd) {
        s->x[rd] = (uint64_t)expected;
        s->x[rd + 1] = (uint64_t)(expected >> 64);
    }
}
