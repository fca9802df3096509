/*
 * translate-system.c: traps, CSR instructions, privileged instructions, cache-block operations, may-be-operations and
 * the push/pop group (Zcmp, Zcmt).
 */
#include "target/riscv/translate.h"

void riscv_trans_ecall(TransCtx *ctx, const RiscvArgsNone *a)
{
    if (ctx->vcpu->softmmu) {
        rv_raise(ctx, RISCV_EXC_ECALL_U + rv_priv(ctx), 0);
    } else {
        trans_leave(ctx, VCPU_EXIT_SYSCALL, ctx->pc);
    }
}

void riscv_trans_ebreak(TransCtx *ctx, const RiscvArgsNone *a)
{
    if (ctx->vcpu->softmmu) {
        rv_raise(ctx, RISCV_EXC_BREAKPOINT, ctx->pc);
    } else {
        trans_leave(ctx, VCPU_EXIT_BREAKPOINT, ctx->pc);
    }
}

/* -- CSRs ------------------------------------------------------------------------------------------ */

enum { CSR_FFLAGS = 1, CSR_FRM = 2, CSR_FCSR = 3, CSR_SEED = 0x015, CSR_SSTATUS = 0x100, CSR_MSTATUS = 0x300, CSR_TIME = 0xc01 };

bool rv_csr_write_ends(unsigned csr, unsigned set_clear_imm)
{
    switch (csr) {
    case CSR_FFLAGS:
    case CSR_SEED:
    case 0x104: /* sie */
    case 0x140: /* sscratch */
    case 0x141: /* sepc */
    case 0x142: /* scause */
    case 0x143: /* stval */
    case 0x144: /* sip */
    case 0x14d: /* stimecmp */
    case 0x304: /* mie */
    case 0x340: /* mscratch */
    case 0x341: /* mepc */
    case 0x342: /* mcause */
    case 0x343: /* mtval */
    case 0x344: /* mip */
        return false; /* an interrupt that becomes possible is noticed at the next poll (vcpu_kick) */
    case CSR_SSTATUS:
        return !set_clear_imm || (set_clear_imm & ~(unsigned)MSTATUS_SIE);
    case CSR_MSTATUS:
        return !set_clear_imm || (set_clear_imm & ~(unsigned)(MSTATUS_SIE | MSTATUS_MIE));
    default:
        return true;
    }
}

typedef enum CsrOp { CSR_WRITE, CSR_SET, CSR_CLEAR, CSR_READ } CsrOp;

/* CSRs that are plain 64-bit fields of the state for a hart that may access them at all: offset, -1 if not one. */
static int plain_field(TransCtx *ctx, unsigned csr, uint64_t *ret_write_mask)
{
    bool rv64 = rv_xt(ctx) == IR_I64;

    if (!ctx->vcpu->softmmu || rv_priv(ctx) < (csr >> 8 & 3) || !rv_has_ext(ctx, RISCV_EXT_S) ||
        !rv_has_ext(ctx, RISCV_EXT_Zca)) {
        return -1;
    }
    *ret_write_mask = ~(uint64_t)0;
    switch (csr) {
    case 0x140: return offsetof(RiscvState, sscratch);
    case 0x141: *ret_write_mask = ~(uint64_t)1; return offsetof(RiscvState, sepc);
    case 0x142: return rv64 ? (int)offsetof(RiscvState, scause) : -1;
    case 0x143: return offsetof(RiscvState, stval);
    case 0x340: return offsetof(RiscvState, mscratch);
    case 0x341: *ret_write_mask = ~(uint64_t)1; return offsetof(RiscvState, mepc);
    case 0x342: return rv64 ? (int)offsetof(RiscvState, mcause) : -1;
    case 0x343: return offsetof(RiscvState, mtval);
    default: return -1;
    }
}

static void csr_plain(TransCtx *ctx, const RiscvArgsCsr *a, CsrOp op, IrRef operand, int field, uint64_t write_mask)
{
    IrBuilder *b = ctx->b;
    IrRef old = IR_NONE;

    if (a->rd || op != CSR_WRITE) {
        old = ir_ldenv(b, IR_I64, field, 8, false);
    }
    if (op != CSR_READ) {
        IrRef v = rv_zext_i64(ctx, operand);
        v = op == CSR_SET ? ir_op2(b, IR_or, IR_I64, old, v) : op == CSR_CLEAR ? ir_op2(b, IR_andn, IR_I64, old, v) : v;
        if (write_mask != ~(uint64_t)0) {
            v = ir_op2_imm(b, IR_and, IR_I64, v, write_mask);
        }
        ir_stenv(b, field, 8, v);
    }
    if (a->rd) {
        rv_set_x(ctx, a->rd, rv_from_i64(ctx, old));
    }
}

/* csrrsi/csrrci of SIE or MIE: what locks are made of. */
static void csr_interrupt_enable(TransCtx *ctx, const RiscvArgsCsr *a, bool set)
{
    IrBuilder *b = ctx->b;
    const int field = offsetof(RiscvState, mstatus);
    IrRef old = ir_ldenv(b, IR_I64, field, 8, false);

    if (set) {
        ir_stenv(b, field, 8, ir_op2_imm(b, IR_or, IR_I64, old, a->rs1));
        ir_call(b, RV_HELPER_irq_check, 0, NULL);
    } else {
        ir_stenv(b, field, 8, ir_op2_imm(b, IR_and, IR_I64, old, ~(uint64_t)a->rs1));
    }
    if (a->rd) {
        /* SD is known: a state that becomes dirty changes the mode. */
        bool dirty = bits_get(ctx->mode, RISCV_MODE_FS, 2) == 2 || bits_get(ctx->mode, RISCV_MODE_VS, 2) == 2;
        if (a->csr == CSR_SSTATUS) {
            old = ir_op2_imm(b, IR_and, IR_I64, old, SSTATUS_MASK);
        }
        if (dirty) {
            old = ir_op2_imm(b, IR_or, IR_I64, old, BIT(rv_xlen(ctx) - 1));
        }
        rv_set_x(ctx, a->rd, rv_from_i64(ctx, old));
    }
    if (set) {
        trans_interrupts_changed(ctx);
    }
}

/* `operand` is IR_NONE for a plain read. */
static void csr_access(TransCtx *ctx, const RiscvArgsCsr *a, CsrOp op, IrRef operand)
{
    IrBuilder *b = ctx->b;

    /* Writing a read-only CSR; seed must be written by what reads it (Unprivileged 30.5.1). */
    if ((op != CSR_READ && a->csr >> 10 == 3) || (op == CSR_READ && a->csr == CSR_SEED)) {
        rv_illegal(ctx);
        return;
    }
    if (op == CSR_READ && a->csr == CSR_FFLAGS && rv_has_ext(ctx, RISCV_EXT_F)) {
        if (rv_fp_enter(ctx, false)) {
            IrRef v = ir_call(b, RV_HELPER_fflags_get, 0, NULL);
            rv_set_x(ctx, a->rd, rv_from_i64(ctx, v));
        }
        return;
    }
    if (op == CSR_WRITE && a->csr == CSR_FFLAGS && rv_has_ext(ctx, RISCV_EXT_F)) {
        if (rv_fp_enter(ctx, true)) {
            IrRef v = a->rd ? ir_call(b, RV_HELPER_fflags_get, 0, NULL) : IR_NONE;
            ir_call(b, RV_HELPER_fflags_set, 1, (IrRef[]){ rv_zext_i64(ctx, operand) });
            if (a->rd) {
                rv_set_x(ctx, a->rd, rv_from_i64(ctx, v));
            }
        }
        return;
    }
    if (op == CSR_READ && a->csr == CSR_TIME && !ctx->vcpu->softmmu && rv_xt(ctx) == IR_I64) {
        rv_set_x(ctx, a->rd, ir_call(b, RV_HELPER_time, 0, NULL));
        return;
    }
    uint64_t write_mask;
    int field = plain_field(ctx, a->csr, &write_mask);
    if (field >= 0) {
        csr_plain(ctx, a, op, operand, field, write_mask);
        return;
    }
    /* Bit 14: rd is x0, so a write has no read side effects. */
    unsigned how = a->csr | op << 12 | (a->rd ? 0 : 1 << 14);
    IrRef args[] = { ir_i32(b, how), operand == IR_NONE ? ir_i64(b, 0) : rv_zext_i64(ctx, operand) };
    IrRef old = ir_call(b, a->csr <= CSR_FCSR ? RV_HELPER_csr_fp : RV_HELPER_csr, 2, args);
    rv_set_x(ctx, a->rd, rv_from_i64(ctx, old));
    if (op != CSR_READ && rv_csr_write_ends(a->csr, 0)) {
        trans_leave(ctx, VCPU_EXIT_NONE, ctx->next_pc);
    } else if (op != CSR_READ) {
        trans_interrupts_changed(ctx);
    }
}

void riscv_trans_csrrw(TransCtx *ctx, const RiscvArgsCsr *a) { csr_access(ctx, a, CSR_WRITE, rv_x(ctx, a->rs1)); }
void riscv_trans_csrrwi(TransCtx *ctx, const RiscvArgsCsr *a) { csr_access(ctx, a, CSR_WRITE, rv_const(ctx, a->rs1)); }

static void set_clear(TransCtx *ctx, const RiscvArgsCsr *a, CsrOp op, bool imm)
{
    if (!a->rs1) {
        csr_access(ctx, a, CSR_READ, IR_NONE);
    } else if (imm && (a->csr == CSR_SSTATUS || a->csr == CSR_MSTATUS) && !rv_csr_write_ends(a->csr, a->rs1) &&
               ctx->vcpu->softmmu && rv_priv(ctx) >= (unsigned)(a->csr >> 8 & 3) && rv_has_ext(ctx, RISCV_EXT_S)) {
        csr_interrupt_enable(ctx, a, op == CSR_SET);
    } else {
        csr_access(ctx, a, op, imm ? rv_const(ctx, a->rs1) : rv_x(ctx, a->rs1));
    }
}

void riscv_trans_csrrs(TransCtx *ctx, const RiscvArgsCsr *a) { set_clear(ctx, a, CSR_SET, false); }
void riscv_trans_csrrc(TransCtx *ctx, const RiscvArgsCsr *a) { set_clear(ctx, a, CSR_CLEAR, false); }
void riscv_trans_csrrsi(TransCtx *ctx, const RiscvArgsCsr *a) { set_clear(ctx, a, CSR_SET, true); }
void riscv_trans_csrrci(TransCtx *ctx, const RiscvArgsCsr *a) { set_clear(ctx, a, CSR_CLEAR, true); }

/* -- privileged ---------------------------------------------------------------------------------------- */

/* Returns from a trap: the helper changes the mode and gives the new pc. */
static void trap_return(TransCtx *ctx, unsigned min_priv, RiscvHelper helper)
{
    if (!ctx->vcpu->softmmu || rv_priv(ctx) < min_priv) {
        rv_illegal(ctx);
        return;
    }
    IrRef pc = ir_call(ctx->b, helper, 0, NULL);
    ir_exit(ctx->b, (IrExit){ .kind = IR_EXIT_LEAVE, .reason = VCPU_EXIT_NONE }, pc);
    ctx->ended = true;
}

void riscv_trans_mret(TransCtx *ctx, const RiscvArgsNone *a) { trap_return(ctx, RISCV_M, RV_HELPER_mret); }
void riscv_trans_sret(TransCtx *ctx, const RiscvArgsNone *a) { trap_return(ctx, RISCV_S, RV_HELPER_sret); }

void riscv_trans_wfi(TransCtx *ctx, const RiscvArgsNone *a)
{
    if (!ctx->vcpu->softmmu) {
        trans_jump(ctx, ctx->next_pc); /* may return at once */
        return;
    }
    ir_call(ctx->b, RV_HELPER_wfi, 0, NULL);
    trans_leave(ctx, VCPU_EXIT_HALTED, ctx->next_pc);
}

void riscv_trans_sfence_vma(TransCtx *ctx, const RiscvArgsSfence *a)
{
    if (!ctx->vcpu->softmmu || rv_priv(ctx) == RISCV_U) {
        rv_illegal(ctx);
        return;
    }
    ir_call(ctx->b, RV_HELPER_sfence_vma, 3,
            (IrRef[]){ rv_zext_i64(ctx, rv_x(ctx, a->rs1)), rv_zext_i64(ctx, rv_x(ctx, a->rs2)),
                       ir_i32(ctx->b, (a->rs1 != 0) | (a->rs2 != 0) << 1) });
    trans_leave(ctx, VCPU_EXIT_NONE, ctx->next_pc);
}

void riscv_trans_sfence_inval(TransCtx *ctx, const RiscvArgsNone *a)
{
    if (!ctx->vcpu->softmmu || rv_priv(ctx) == RISCV_U) {
        rv_illegal(ctx);
    }
}

/* -- cache blocks ---------------------------------------------------------------------------------------- */

static void cbo(TransCtx *ctx, const RiscvArgsAddr *a, bool inval)
{
    ir_call(ctx->b, RV_HELPER_cbo, 3, (IrRef[]){ rv_zext_i64(ctx, rv_x(ctx, a->rs1)), ir_i32(ctx->b, rv_mmu(ctx)),
                                                ir_i32(ctx->b, inval) });
}

void riscv_trans_cbo_inval(TransCtx *ctx, const RiscvArgsAddr *a) { cbo(ctx, a, true); }
void riscv_trans_cbo_clean(TransCtx *ctx, const RiscvArgsAddr *a) { cbo(ctx, a, false); }
void riscv_trans_cbo_flush(TransCtx *ctx, const RiscvArgsAddr *a) { cbo(ctx, a, false); }
void riscv_trans_cbo_zero(TransCtx *ctx, const RiscvArgsAddr *a)
{
    ir_call(ctx->b, RV_HELPER_cbo_zero, 2,
            (IrRef[]){ rv_zext_i64(ctx, rv_x(ctx, a->rs1)), ir_i32(ctx->b, rv_mmu(ctx)) });
}
void riscv_trans_prefetch(TransCtx *ctx, const RiscvArgsPrefetch *a) { }

/* -- may-be-operations ------------------------------------------------------------------------------------ */

void riscv_trans_mop_r(TransCtx *ctx, const RiscvArgsMop *a) { rv_set_x(ctx, a->rd, rv_const(ctx, 0)); }
void riscv_trans_mop_rr(TransCtx *ctx, const RiscvArgsMop2 *a) { rv_set_x(ctx, a->rd, rv_const(ctx, 0)); }
void riscv_trans_c_mop(TransCtx *ctx, const RiscvArgsCmop *a) { }

/* -- Zcmp, Zcmt (Unprivileged 28.4, 28.5) ------------------------------------------------------------------- */

/* Registers of an rlist, lowest address last: ra, s0, s1, s2 … s11. Returns how many. */
static unsigned rlist_regs(unsigned rlist, uint8_t regs[13])
{
    unsigned n = rlist == 15 ? 13 : rlist - 3;

    for (unsigned i = 0; i < n; i++) {
        regs[i] = i == 0 ? 1 : i <= 2 ? 7 + i : 15 + i;
    }
    return n;
}

static unsigned stack_adjust(TransCtx *ctx, const RiscvArgsZcpush *a, unsigned n_regs)
{
    return ROUND_UP(n_regs * rv_xlen(ctx) / 8, 16) + a->imm;
}

void riscv_trans_cm_push(TransCtx *ctx, const RiscvArgsZcpush *a)
{
    uint8_t regs[13];
    unsigned bytes = rv_xlen(ctx) / 8;

    if (a->rlist < 4) {
        rv_illegal(ctx);
        return;
    }
    unsigned n = rlist_regs(a->rlist, regs);
    IrRef sp = rv_x(ctx, 2);
    for (unsigned i = 0; i < n; i++) { /* the highest register at the highest address */
        ir_store(ctx->b, sp, IR_NONE, rv_x(ctx, regs[n - 1 - i]),
                 rv_mem(ctx, bytes == 8 ? 3 : 2, false, -(int)((i + 1) * bytes)));
    }
    rv_set_x(ctx, 2, ir_op2(ctx->b, IR_sub, rv_xt(ctx), sp, rv_const(ctx, stack_adjust(ctx, a, n))));
}

static bool pop(TransCtx *ctx, const RiscvArgsZcpush *a)
{
    uint8_t regs[13];
    unsigned bytes = rv_xlen(ctx) / 8;

    if (a->rlist < 4) {
        rv_illegal(ctx);
        return false;
    }
    unsigned n = rlist_regs(a->rlist, regs), adjust = stack_adjust(ctx, a, n);
    IrRef sp = rv_x(ctx, 2);
    for (unsigned i = 0; i < n; i++) {
        IrRef v = ir_load(ctx->b, rv_xt(ctx), sp, IR_NONE,
                          rv_mem(ctx, bytes == 8 ? 3 : 2, true, adjust - (int)((i + 1) * bytes)));
        rv_set_x(ctx, regs[n - 1 - i], v);
    }
    rv_set_x(ctx, 2, ir_op2(ctx->b, IR_add, rv_xt(ctx), sp, rv_const(ctx, adjust)));
    return true;
}

static void ret(TransCtx *ctx)
{
    IrRef target = ir_op2(ctx->b, IR_and, rv_xt(ctx), rv_x(ctx, 1), rv_const(ctx, ~(uint64_t)1));
    trans_jump_indirect(ctx, IR_EXIT_RETURN, rv_zext_i64(ctx, target), ctx->next_pc);
}

void riscv_trans_cm_pop(TransCtx *ctx, const RiscvArgsZcpush *a) { pop(ctx, a); }
void riscv_trans_cm_popret(TransCtx *ctx, const RiscvArgsZcpush *a)
{
    if (pop(ctx, a)) {
        ret(ctx);
    }
}
void riscv_trans_cm_popretz(TransCtx *ctx, const RiscvArgsZcpush *a)
{
    if (pop(ctx, a)) {
        rv_set_x(ctx, 10, rv_const(ctx, 0));
        ret(ctx);
    }
}

/* s0, s1, s2 … s7 by three-bit number. */
static unsigned sreg(unsigned n) { return n < 2 ? 8 + n : 16 + n; }

void riscv_trans_cm_mvsa01(TransCtx *ctx, const RiscvArgsZcmv *a)
{
    if (a->r1s == a->r2s) {
        rv_illegal(ctx);
        return;
    }
    rv_set_x(ctx, sreg(a->r1s), rv_x(ctx, 10));
    rv_set_x(ctx, sreg(a->r2s), rv_x(ctx, 11));
}

void riscv_trans_cm_mva01s(TransCtx *ctx, const RiscvArgsZcmv *a)
{
    rv_set_x(ctx, 10, rv_x(ctx, sreg(a->r1s)));
    rv_set_x(ctx, 11, rv_x(ctx, sreg(a->r2s)));
}

void riscv_trans_cm_jt(TransCtx *ctx, const RiscvArgsZcjt *a)
{
    unsigned log2 = rv_xlen(ctx) == 64 ? 3 : 2;
    IrRef base = ir_ldenv(ctx->b, rv_xt(ctx), offsetof(RiscvState, jvt), rv_xlen(ctx) / 8, false);
    IrRef target = ir_load(ctx->b, rv_xt(ctx), base, IR_NONE, rv_mem(ctx, log2, false, a->index << log2));
    bool link = a->index >= 32;

    target = ir_op2(ctx->b, IR_and, rv_xt(ctx), target, rv_const(ctx, ~(uint64_t)1));
    if (link) {
        rv_set_x(ctx, 1, rv_const(ctx, ctx->next_pc));
    }
    trans_jump_indirect(ctx, link ? IR_EXIT_INDIRECT_CALL : IR_EXIT_INDIRECT, rv_zext_i64(ctx, target), ctx->next_pc);
}
