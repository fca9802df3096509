/*
 * lower-fp.c: scalar floating point on the host's SSE unit.
 *
 * MXCSR holds the guest's rounding mode and sticky flags. An operation is one instruction and a test for
 * an unordered result; NaNs of a policy other than the host's are made out of line. Rare operations and
 * operands go to the interpreter's definition by a host call that keeps every register; running an
 * operation twice only raises the same flags again.
 *
 * x86 detects tininess after rounding. Before rounding differs only where the result is the smallest normal number, of either sign, and
 * sums and square roots are never inexact there. So under FP_NAN_ARM results that are NaNs or, of other operations, of that magnitude
 * are made again out of line by the interpreter's definition; operands stay in their registers for that.
 */
#include "tcg/x86_64/host.h"

static inline uint32_t bit_of(Reg r) { return 1u << r; }
static inline bool is_free(const HostCompiler *hc, Reg r) { return !(hc->used >> r & 1); }
static inline uint32_t scalar_prefix(bool wide) { return wide ? P_F2 : P_F3; }

static uint64_t default_nan(unsigned type)
{
    return type == IR_F64 ? 0x7ff8000000000000 : 0x7fc00000;
}

static void emit_canonical_nan(HostCompiler *hc, const Ool *o)
{
    x_mov_ri(&hc->as, REG_TMP, o->imm);
    sse_rr(hc, I_MOVQ_XR | X_W, o->r[0], REG_TMP);
    ool_back(hc, o);
}

static void ucomis(HostCompiler *hc, bool wide, Reg a, Reg b)
{
    sse_rr(hc, wide ? I_UCOMISD : I_UCOMISS, a, b);
}

/* The result in d is complete but for NaNs. */
static void check_nan(HostCompiler *hc, Reg d, unsigned type)
{
    if (hc->target->fp.nan != FP_NAN_CANONICAL) {
        return;
    }
    ucomis(hc, type == IR_F64, d, d);
    Ool *o = ool_jcc(hc, CC_P, emit_canonical_nan);
    o->r[0] = d;
    o->imm = default_nan(type);
}

/* ---- by the interpreter's rule, out of line: operands and result in registers ---- */

/* r[0] result, r[1] to r[3] operands (NO_REG none); imm = what. */
static void emit_call_ool(HostCompiler *hc, const Ool *o)
{
    for (unsigned k = 0; k < 3; k++) {
        Reg r = o->r[1 + k];
        if (r != NO_REG) {
            ra_store(hc, arg_mem(k), reg_is_vec(r) ? IR_F64 : IR_I64, r);
        }
    }
    emit_host_call(hc, HOST_CALL_FP, o->imm);
    ra_load(hc, o->r[0], hc->insns[o->insn].type, arg_mem(0));
    ool_back(hc, o);
}

static size_t call_ool(HostCompiler *hc, unsigned cc, const IrInsn *in, unsigned operand_type, Reg d, Reg a, Reg b)
{
    Ool *o = ool_jcc(hc, cc, emit_call_ool);
    o->r[0] = d;
    o->r[1] = a;
    o->r[2] = b;
    o->r[3] = NO_REG;
    o->imm = host_call_what(in->op, in->type, operand_type, in->aux);
    return o - hc->ool.at;
}

static inline void ool_back_here(HostCompiler *hc, size_t index)
{
    hc->ool.at[index].back = x_offset(&hc->as);
}

/* Policies under which the result's NaN depends on the operands, which have to be there still when it is looked at. */
static inline bool keeps_operands(const HostCompiler *hc) { return hc->target->fp.nan == FP_NAN_ARM; }

/* FP_NAN_ARM: the result in d is complete but for NaNs and, if it `may_underflow`, for the flag of tininess before rounding. */
static void check_arm(HostCompiler *hc, const IrInsn *in, Reg d, bool may_underflow, Reg a, Reg b, Reg c)
{
    bool wide = in->type == IR_F64;
    unsigned cc = CC_P;
    if (may_underflow && hc->target->fp.tininess_before) {
        /* Equal and unordered both set ZF. */
        sse_rrm(hc, I_ANDPS, REG_VTMP, d, pool_u64x2(hc, wide ? 0x7fffffffffffffff : 0x7fffffff, 0));
        sse_rm(hc, wide ? I_UCOMISD : I_UCOMISS, REG_VTMP, pool_u64x2(hc, wide ? 0x0010000000000000 : 0x00800000, 0));
        cc = CC_E;
    } else {
        ucomis(hc, wide, d, d);
    }
    size_t slow = call_ool(hc, cc, in, hc->insns[in->a].type, d, a, b);
    hc->ool.at[slow].r[3] = c;
    ool_back_here(hc, slow);
}

/* Rounding mode switched to `rm` around what is emitted between begin and end; DYN: nothing to do. */
static void rounding_begin(HostCompiler *hc, unsigned rm)
{
    static const uint8_t control[] = { [IR_RM_NEAREST_EVEN] = 0, [IR_RM_ZERO] = 3, [IR_RM_DOWN] = 1, [IR_RM_UP] = 2 };
    Asm *as = &hc->as;
    if (rm == IR_RM_DYN) {
        return;
    }
    sse_rm(hc, M_0F | 0xae, 3, arg_mem(0)); /* stmxcsr */
    x_load(as, 2, false, false, REG_TMP, arg_mem(0));
    x_alu_ri(as, false, A_AND, REG_TMP, ~0x6000);
    if (control[rm]) {
        x_alu_ri(as, false, A_OR, REG_TMP, control[rm] << 13);
    }
    x_store(as, 2, arg_mem(1), REG_TMP);
    sse_rm(hc, M_0F | 0xae, 2, arg_mem(1)); /* ldmxcsr */
}

static void rounding_end(HostCompiler *hc, unsigned rm)
{
    Asm *as = &hc->as;
    if (rm == IR_RM_DYN) {
        return;
    }
    sse_rm(hc, M_0F | 0xae, 3, arg_mem(1));
    x_load(as, 2, false, false, REG_TMP, arg_mem(1));
    x_alu_ri(as, false, A_AND, REG_TMP, 0x3f);
    x_alu_mr(as, false, A_OR, arg_mem(0), REG_TMP);
    sse_rm(hc, M_0F | 0xae, 2, arg_mem(0));
}

/* ---- a OP b ---- */

static void lower_arith(HostCompiler *hc, const IrInsn *in)
{
    static const uint8_t opcode[] = { 0x58, 0x5c, 0x59, 0x5e };
    bool wide = in->type == IR_F64, comm = in->op == IR_fadd || in->op == IR_fmul;
    uint32_t op = M_0F | scalar_prefix(wide) | opcode[in->op - IR_fadd];
    unsigned rm = in->aux & IR_RM_MASK;
    bool keep_order = hc->target->fp.nan != FP_NAN_CANONICAL;
    Mem m;
    static_assert(IR_fdiv - IR_fadd == 3, "opcode[] follows the order of ops.def");

    if (keeps_operands(hc)) {
        Reg ra = ra_use(hc, hc->ops[0]), rb = ra_use(hc, hc->ops[1]);
        ra_consume(hc);
        Reg d = ra_dest(hc, NO_REG, bit_of(ra) | bit_of(rb));
        rounding_begin(hc, rm);
        sse_rrr(hc, op, d, ra, rb);
        rounding_end(hc, rm);
        check_arm(hc, in, d, in->op == IR_fmul || in->op == IR_fdiv, ra, rb, NO_REG);
        ra_done(hc);
        return;
    }
    IrRef a = hc->ops[0], b = hc->ops[1];
    if (comm && !keep_order && ra_is_memory(hc, a, &m)) {
        a = hc->ops[1];
        b = hc->ops[0];
    }
    Reg ra = ra_use(hc, a);
    if (ra_is_memory(hc, b, &m)) {
        ra_consume(hc);
        Reg d = ra_dest(hc, is_free(hc, ra) ? ra : NO_REG, 0);
        rounding_begin(hc, rm);
        sse_rrm(hc, op, d, ra, m);
        rounding_end(hc, rm);
        check_nan(hc, d, in->type);
        ra_done(hc);
        return;
    }
    Reg rb = ra_use(hc, b);
    ra_consume(hc);
    bool avx = has(hc, X_AVX);
    if (!avx && comm && !keep_order && !is_free(hc, ra) && is_free(hc, rb)) {
        Reg t = ra;
        ra = rb;
        rb = t;
    }
    uint32_t avoid = avx || ra == rb || (comm && !keep_order) ? 0 : bit_of(rb);
    Reg d = ra_dest(hc, is_free(hc, ra) ? ra : NO_REG, avoid);
    if (!avx && d == rb && d != ra) {
        rb = ra;
        ra = d;
    }
    rounding_begin(hc, rm);
    sse_rrr(hc, op, d, ra, rb);
    rounding_end(hc, rm);
    check_nan(hc, d, in->type);
    ra_done(hc);
}

static void lower_sqrt(HostCompiler *hc, const IrInsn *in)
{
    bool wide = in->type == IR_F64;
    uint32_t op = M_0F | scalar_prefix(wide) | 0x51;
    unsigned rm = in->aux & IR_RM_MASK;
    Reg ra = ra_use(hc, hc->ops[0]);
    ra_consume(hc);
    bool keep = keeps_operands(hc);
    Reg d = ra_dest(hc, !keep && is_free(hc, ra) ? ra : NO_REG, keep ? bit_of(ra) : 0);
    rounding_begin(hc, rm);
    if (has(hc, X_AVX)) {
        v_rrr(&hc->as, op, d, ra, ra);
    } else {
        x_rr(&hc->as, op, d, ra);
    }
    rounding_end(hc, rm);
    if (keep) {
        check_arm(hc, in, d, false, ra, NO_REG, NO_REG);
    } else {
        check_nan(hc, d, in->type);
    }
    ra_done(hc);
}

/*
 * A NaN came out of a fused multiply-add. Infinity times zero is invalid even when a quiet NaN is added
 * (RISC-V F 1.0, section on fused multiply-add), which the host's instruction does not raise: only the
 * product's invalid flag is taken over.
 */
static void emit_fma_nan(HostCompiler *hc, const Ool *o)
{
    Asm *as = &hc->as;
    bool wide = hc->insns[o->insn].type == IR_F64;
    sse_rm(hc, M_0F | 0xae, 3, arg_mem(0));
    sse_rrr(hc, M_0F | scalar_prefix(wide) | 0x59, REG_VTMP, o->r[1], o->r[2]);
    sse_rm(hc, M_0F | 0xae, 3, arg_mem(1));
    x_load(as, 2, false, false, REG_TMP, arg_mem(1));
    x_alu_ri(as, false, A_AND, REG_TMP, 1);
    x_alu_mr(as, false, A_OR, arg_mem(0), REG_TMP);
    sse_rm(hc, M_0F | 0xae, 2, arg_mem(0));
    emit_canonical_nan(hc, o);
}

static void lower_fma(HostCompiler *hc, const IrInsn *in)
{
    bool wide = in->type == IR_F64;
    unsigned rm = in->aux & IR_RM_MASK;
    bool keep = keeps_operands(hc);
    if (!has(hc, X_FMA) || (hc->target->fp.nan != FP_NAN_CANONICAL && !keep)) {
        lower_by_call(hc, in);
        return;
    }
    uint32_t op = M_38 | P_66 | x_w(wide) | (0xb9 + (in->aux & IR_FMA_NEG_ADDEND ? 2 : 0) + (in->aux & IR_FMA_NEG_PRODUCT ? 4 : 0));
    Reg ra = ra_use(hc, hc->ops[0]), rb = ra_use(hc, hc->ops[1]), rc = ra_use(hc, hc->ops[2]);
    ra_consume(hc);
    Reg d = ra_dest(hc, !keep && is_free(hc, rc) ? rc : NO_REG, bit_of(ra) | bit_of(rb) | (keep ? bit_of(rc) : 0));
    ra_move(hc, d, rc, in->type);
    rounding_begin(hc, rm);
    v_rrr(&hc->as, op, d, ra, rb);
    rounding_end(hc, rm);
    if (keep) {
        check_arm(hc, in, d, true, ra, rb, rc);
        ra_done(hc);
        return;
    }
    ucomis(hc, wide, d, d);
    Ool *o = ool_jcc(hc, CC_P, emit_fma_nan);
    o->r[0] = d;
    o->r[1] = ra;
    o->r[2] = rb;
    o->imm = default_nan(in->type);
    ra_done(hc);
}

static void lower_minmax(HostCompiler *hc, const IrInsn *in)
{
    bool wide = in->type == IR_F64, max = in->op == IR_fmax;
    uint32_t op = M_0F | scalar_prefix(wide) | (max ? 0x5f : 0x5d);
    Reg ra = ra_use(hc, hc->ops[0]), rb = ra_use(hc, hc->ops[1]);
    if (in->aux == IR_MINMAX_X86) {
        ra_consume(hc);
        Reg d = ra_dest(hc, is_free(hc, ra) ? ra : NO_REG, ra == rb ? 0 : bit_of(rb));
        sse_rrr(hc, op, d, ra, rb);
        ra_done(hc);
        return;
    }
    ra_consume(hc);
    Reg d = ra_dest(hc, NO_REG, bit_of(ra) | bit_of(rb));
    ucomis(hc, wide, ra, rb);
    size_t nan = call_ool(hc, CC_P, in, in->type, d, ra, rb);
    /* Both orders: they differ for zeros of different sign only, and then or/and picks the right one. */
    sse_rrr(hc, op, REG_VTMP, rb, ra);
    sse_rrr(hc, op, d, ra, rb);
    sse_rrr(hc, max ? I_ANDPS : I_ORPS, d, d, REG_VTMP);
    ool_back_here(hc, nan);
    ra_done(hc);
}

unsigned lower_fp_compare(HostCompiler *hc, const IrInsn *test, bool *ret_parity)
{
    bool wide = hc->insns[test->a].type == IR_F64;
    Reg ra = ra_use(hc, hc->ops[0]), rb = ra_use(hc, hc->ops[1]);
    bool signalling = test->aux == IR_FLT_SIG || test->aux == IR_FLE_SIG || test->aux == IR_FEQ_SIG;
    uint32_t op = (signalling ? I_COMISS : I_UCOMISS) | (wide ? P_66 : 0);
    *ret_parity = false;
    switch (test->aux) {
    case IR_FEQ: case IR_FEQ_SIG:
        sse_rr(hc, op, ra, rb);
        *ret_parity = true;
        return CC_E;
    case IR_FLT: case IR_FLT_SIG:
        sse_rr(hc, op, rb, ra);
        return CC_A;
    case IR_FLE: case IR_FLE_SIG:
        sse_rr(hc, op, rb, ra);
        return CC_AE;
    default:
        sse_rr(hc, op, ra, rb);
        return CC_P;
    }
}

static void lower_fcmp(HostCompiler *hc, const IrInsn *in)
{
    Asm *as = &hc->as;
    bool parity;
    unsigned cc = lower_fp_compare(hc, in, &parity);
    ra_consume(hc);
    Reg d = ra_dest(hc, NO_REG, 0);
    x_setcc(as, cc, d);
    if (parity) {
        x_setcc(as, CC_NP, REG_TMP);
        x_alu_rr(as, false, A_AND, d, REG_TMP);
    }
    x_rr(as, I_MOVZX8, d, d);
    if (!parity) {
        hc->flags_val = hc->i;
        hc->flags_cc = cc;
    }
    ra_done(hc);
    hc->flags_at = parity ? NO_POS : x_offset(as);
}

/* By the host's flags, which are laid out like the result. */
static void lower_frel(HostCompiler *hc, const IrInsn *in)
{
    Asm *as = &hc->as;
    bool wide = hc->insns[in->a].type == IR_F64;
    uint32_t op = (in->aux ? I_COMISS : I_UCOMISS) | (wide ? P_66 : 0);
    bool lahf = has(hc, X_SSE41); /* x86-64-v2 has it in 64-bit mode */
    if (lahf) {
        ra_take(hc, RAX);
    }
    Reg ra = ra_use(hc, hc->ops[0]), rb = ra_use(hc, hc->ops[1]);
    Reg t = lahf ? NO_REG : ra_temp(hc, REGS_GPR);
    ra_consume(hc);
    if (lahf) {
        ra_dest_in(hc, RAX);
        sse_rr(hc, op, ra, rb);
        x_u8(as, 0x9f);
        as->n_insns++;
        x_rr(as, M_0F | 0xb6, RAX, 4); /* movzx eax, ah */
        x_alu_ri(as, false, A_AND, RAX, 0x45);
    } else {
        Reg d = ra_dest(hc, NO_REG, 0);
        sse_rr(hc, op, ra, rb);
        x_setcc(as, CC_E, d);
        x_setcc(as, CC_P, REG_TMP);
        x_setcc(as, CC_B, t);
        x_rr(as, I_MOVZX8, d, d);
        x_rr(as, I_MOVZX8, REG_TMP, REG_TMP);
        x_rr(as, I_MOVZX8, t, t);
        x_shift_ri(as, false, S_SHL, d, 6);
        x_lea(as, false, t, mem_bi(t, REG_TMP, 2, 0));
        x_alu_rr(as, false, A_OR, d, t);
    }
    ra_done(hc);
}

/* ---- conversions ---- */

/* t = a rounded by a static mode, without the inexact flag (SSE4.1). To nearest away is to nearest even but for ties, which are left to
 * the definition: returns the index of that out-of-line code, which is to come back behind everything else; else SIZE_MAX. */
static size_t round_static(HostCompiler *hc, const IrInsn *in, bool wide, unsigned rm, Reg t, Reg d, Reg a)
{
    static const uint8_t imm[] = { [IR_RM_NEAREST_EVEN] = 8, [IR_RM_ZERO] = 11, [IR_RM_DOWN] = 9, [IR_RM_UP] = 10, [IR_RM_NEAREST_AWAY] = 8 };
    Asm *as = &hc->as;
    sse_rrr(hc, M_3A | P_66 | (wide ? 0x0b : 0x0a), t, a, a);
    x_u8(as, imm[rm]);
    if (rm != IR_RM_NEAREST_AWAY) {
        return SIZE_MAX;
    }
    Mem magnitude = pool_u64x2(hc, wide ? 0x7fffffffffffffff : 0x7fffffff, 0);
    /* From 2^52 (2^23) on there are integers only; an infinity must not be subtracted from itself. */
    sse_rrm(hc, I_ANDPS, REG_VTMP, a, magnitude);
    sse_rm(hc, wide ? I_UCOMISD : I_UCOMISS, REG_VTMP, pool_u64x2(hc, wide ? 0x4330000000000000 : 0x4b000000, 0));
    uint8_t *integral = x_jcc8(as, CC_AE);
    sse_rrr(hc, M_0F | scalar_prefix(wide) | 0x5c, REG_VTMP, a, t); /* exact */
    sse_rrm(hc, I_ANDPS, REG_VTMP, REG_VTMP, magnitude);
    sse_rm(hc, wide ? I_UCOMISD : I_UCOMISS, REG_VTMP, pool_u64x2(hc, wide ? 0x3fe0000000000000 : 0x3f000000, 0));
    size_t slow = call_ool(hc, CC_E, in, hc->insns[in->a].type, d, a, NO_REG);
    x_bind8(as, integral);
    return slow;
}

/* Is this rounding done before the conversion, rather than by switching modes? */
static inline bool rounds_before(const HostCompiler *hc, unsigned rm)
{
    return has(hc, X_SSE41) && rm != IR_RM_DYN && rm != IR_RM_ZERO && rm != IR_RM_ODD;
}

static void lower_f2i(HostCompiler *hc, const IrInsn *in)
{
    Asm *as = &hc->as;
    unsigned from = hc->insns[in->a].type, rm = in->aux & IR_RM_MASK;
    bool wide = from == IR_F64, w = in->type == IR_I64, is_signed = in->op == IR_f2i;
    /* cvttsd2si, cvtsd2si */
    uint32_t op = M_0F | scalar_prefix(wide) | (rm == IR_RM_ZERO ? 0x2c : 0x2d);
    unsigned toggle = rm == IR_RM_ZERO ? IR_RM_DYN : rm;
    size_t slow[3] = { 0 };
    unsigned n_slow = 0;

    if (hc->target->fp.to_int == FP_TO_INT_X86 && is_signed) {
        Reg ra = ra_use(hc, hc->ops[0]);
        ra_consume(hc);
        Reg d = ra_dest(hc, NO_REG, 0);
        rounding_begin(hc, toggle);
        sse_rr(hc, op | x_w(w), d, ra);
        rounding_end(hc, toggle);
        ra_done(hc);
        return;
    }
    Reg ra = ra_use(hc, hc->ops[0]);
    bool before = rounds_before(hc, rm);
    Reg t = before ? ra_temp(hc, REGS_VEC) : ra;
    ra_consume(hc);
    Reg d = ra_dest(hc, NO_REG, 0);
    if (before) {
        size_t tie = round_static(hc, in, wide, rm, t, d, ra);
        if (tie != SIZE_MAX) {
            slow[n_slow++] = tie;
        }
        toggle = IR_RM_DYN;
        op = M_0F | scalar_prefix(wide) | 0x2c;
    }
    if (is_signed) {
        rounding_begin(hc, toggle);
        sse_rr(hc, op | x_w(w), d, t);
        rounding_end(hc, toggle);
        /* The host answers MIN for everything it cannot convert. */
        x_alu_ri(as, w, A_CMP, d, 1);
        slow[n_slow++] = call_ool(hc, CC_O, in, from, d, ra, NO_REG);
    } else {
        /* Out of range must not raise inexact, so the range is checked first: 0 <= a < limit. */
        uint64_t limit = w ? (wide ? 0x43e0000000000000 : 0x5f000000) : (wide ? 0x41efffffffe00000 : 0x4f7fffff);
        x_mov_ri(as, REG_TMP, limit);
        sse_rr(hc, I_MOVQ_XR | X_W, REG_VTMP, REG_TMP);
        ucomis(hc, wide, REG_VTMP, ra);
        /* limit <= a, or a NaN */
        slow[n_slow++] = call_ool(hc, CC_BE, in, from, d, ra, NO_REG);
        sse_rrr(hc, I_XORPS, REG_VTMP, REG_VTMP, REG_VTMP);
        ucomis(hc, wide, ra, REG_VTMP);
        slow[n_slow++] = call_ool(hc, CC_B, in, from, d, ra, NO_REG);
        rounding_begin(hc, toggle);
        sse_rr(hc, op | X_W, d, t);
        rounding_end(hc, toggle);
    }
    if (before) { /* for the inexact flag; in range by now */
        sse_rr(hc, op | x_w(w || !is_signed), REG_TMP, ra);
    }
    while (n_slow) {
        ool_back_here(hc, slow[--n_slow]);
    }
    ra_done(hc);
}

static void lower_i2f(HostCompiler *hc, const IrInsn *in)
{
    Asm *as = &hc->as;
    unsigned from = hc->insns[in->a].type, rm = in->aux & IR_RM_MASK;
    bool wide = in->type == IR_F64, w = from == IR_I64, is_signed = in->op == IR_i2f;
    uint32_t op = M_0F | scalar_prefix(wide) | 0x2a;
    if (!w && wide) {
        rm = IR_RM_DYN; /* exact */
    }
    Reg ra = ra_use(hc, hc->ops[0]);
    ra_consume(hc);
    Reg d = ra_dest(hc, NO_REG, 0);
    size_t slow = SIZE_MAX;
    if (!is_signed && w) {
        x_test_rr(as, true, ra, ra);
        slow = call_ool(hc, CC_S, in, from, d, ra, NO_REG);
    }
    rounding_begin(hc, rm);
    if (!is_signed && !w) {
        x_mov_rr(as, false, REG_TMP, ra);
        ra = REG_TMP;
        w = true;
    }
    sse_rrr(hc, I_XORPS, d, d, d);
    if (has(hc, X_AVX)) {
        v_rrr(as, op | x_w(w), d, d, ra);
    } else {
        x_rr(as, op | x_w(w), d, ra);
    }
    rounding_end(hc, rm);
    if (slow != SIZE_MAX) {
        ool_back_here(hc, slow);
    }
    ra_done(hc);
}

static void lower_fcvt(HostCompiler *hc, const IrInsn *in)
{
    bool widen = in->type == IR_F64;
    unsigned rm = widen ? IR_RM_DYN : in->aux & IR_RM_MASK;
    uint32_t op = M_0F | (widen ? P_F3 : P_F2) | 0x5a;
    Reg ra = ra_use(hc, hc->ops[0]);
    ra_consume(hc);
    /* A NaN is quieted and keeps its leading bits, as under FP_NAN_ARM. */
    bool keep = keeps_operands(hc) && !widen;
    Reg d = ra_dest(hc, !keep && is_free(hc, ra) ? ra : NO_REG, keep ? bit_of(ra) : 0);
    rounding_begin(hc, rm);
    if (has(hc, X_AVX)) {
        v_rrr(&hc->as, op, d, ra, ra);
    } else {
        x_rr(&hc->as, op, d, ra);
    }
    rounding_end(hc, rm);
    if (keep) {
        check_arm(hc, in, d, true, ra, NO_REG, NO_REG);
    } else {
        check_nan(hc, d, in->type);
    }
    ra_done(hc);
}

static int fround_imm(unsigned aux)
{
    static const uint8_t mode[] = { [IR_RM_DYN] = 4, [IR_RM_NEAREST_EVEN] = 0, [IR_RM_DOWN] = 1, [IR_RM_UP] = 2,
                                    [IR_RM_ZERO] = 3 };
    return mode[aux & IR_RM_MASK] | (aux & IR_ROUND_EXACT ? 0 : 8);
}

static void lower_fround(HostCompiler *hc, const IrInsn *in)
{
    bool wide = in->type == IR_F64;
    uint32_t op = M_3A | P_66 | (wide ? 0x0b : 0x0a);
    if (!has(hc, X_SSE41)) {
        lower_by_call(hc, in);
        return;
    }
    Reg ra = ra_use(hc, hc->ops[0]);
    ra_consume(hc);
    if ((in->aux & IR_RM_MASK) == IR_RM_NEAREST_AWAY) {
        Reg d = ra_dest(hc, NO_REG, bit_of(ra));
        size_t tie = round_static(hc, in, wide, IR_RM_NEAREST_AWAY, d, d, ra);
        ool_back_here(hc, tie);
        check_nan(hc, d, in->type);
        ra_done(hc);
        return;
    }
    Reg d = ra_dest(hc, is_free(hc, ra) ? ra : NO_REG, 0);
    if (has(hc, X_AVX)) {
        v_rrr(&hc->as, op, d, ra, ra);
    } else {
        x_rr(&hc->as, op, d, ra);
    }
    x_u8(&hc->as, fround_imm(in->aux));
    check_nan(hc, d, in->type);
    ra_done(hc);
}

/* ---- bits ---- */

static void lower_bitcast(HostCompiler *hc, const IrInsn *in)
{
    Mem m;
    if (ra_is_memory(hc, hc->ops[0], &m)) {
        ra_consume(hc);
        Reg d = ra_dest(hc, NO_REG, 0);
        ra_load(hc, d, in->type, m);
        ra_done(hc);
        return;
    }
    Reg ra = ra_use(hc, hc->ops[0]);
    ra_consume(hc);
    bool same_class = reg_is_vec(ra) == !ir_type_is_int(in->type);
    Reg d = ra_dest(hc, same_class && is_free(hc, ra) ? ra : NO_REG, 0);
    ra_move(hc, d, ra, in->type);
    ra_done(hc);
}

static void lower_fbox(HostCompiler *hc, const IrInsn *in)
{
    Reg ra = ra_use(hc, hc->ops[0]);
    ra_consume(hc);
    Reg d = ra_dest(hc, is_free(hc, ra) ? ra : NO_REG, 0);
    sse_rrm(hc, I_ORPS, d, ra, pool_u64x2(hc, 0xffffffff00000000, 0));
    ra_done(hc);
}

static void lower_funbox(HostCompiler *hc, const IrInsn *in)
{
    Asm *as = &hc->as;
    Reg ra = ra_use(hc, hc->ops[0]);
    ra_consume(hc);
    Reg d = ra_dest(hc, is_free(hc, ra) ? ra : NO_REG, 0);
    sse_rr(hc, I_MOVQ_RX | X_W, ra, REG_TMP);
    ra_move(hc, d, ra, IR_F64);
    x_shift_ri(as, true, S_SAR, REG_TMP, 32);
    x_alu_ri(as, false, A_CMP, REG_TMP, -1);
    Ool *o = ool_jcc(hc, CC_NE, emit_canonical_nan);
    o->r[0] = d;
    o->imm = default_nan(IR_F32);
    ra_done(hc);
}

uint32_t x64_fp_unary(const IrInsn *in, unsigned operand_type, int *ret_imm)
{
    bool wide = in->type == IR_F64;
    *ret_imm = -1;
    switch (in->op) {
    case IR_i2f: return M_0F | scalar_prefix(wide) | 0x2a | x_w(operand_type == IR_I64);
    case IR_fsqrt: return M_0F | scalar_prefix(wide) | 0x51;
    case IR_fcvt: return M_0F | (wide ? P_F3 : P_F2) | 0x5a;
    default: /* fround */
        *ret_imm = fround_imm(in->aux);
        return M_3A | P_66 | (wide ? 0x0b : 0x0a);
    }
}

void lower_fp(HostCompiler *hc, const IrInsn *in)
{
    bool rounds = in->op != IR_fmin && in->op != IR_fmax && in->op != IR_fcmp && in->op != IR_frel && in->op < IR_fclass;
    unsigned rm = in->aux & IR_RM_MASK;
    bool odd = rounds && (rm == IR_RM_NEAREST_AWAY || rm == IR_RM_ODD);
    bool odd_policy = hc->target->fp.tininess_before && !keeps_operands(hc);
    bool exact = (in->op == IR_fcvt && in->type == IR_F64) ||
                 ((in->op == IR_i2f || in->op == IR_u2f) && in->type == IR_F64 && hc->insns[in->a].type == IR_I32);
    /* Ties are the only difference (round_static). */
    bool away = rm == IR_RM_NEAREST_AWAY && has(hc, X_SSE41) && hc->target->fp.to_int != FP_TO_INT_X86 &&
                (in->op == IR_f2i || in->op == IR_f2u || (in->op == IR_fround && !(in->aux & IR_ROUND_EXACT)));
    if ((odd && !exact && !away) || (odd_policy && in->op < IR_fclass && in->op != IR_fcmp && in->op != IR_frel)) {
        lower_by_call(hc, in);
        return;
    }
    switch (in->op) {
    case IR_fadd: case IR_fsub: case IR_fmul: case IR_fdiv: lower_arith(hc, in); break;
    case IR_fsqrt: lower_sqrt(hc, in); break;
    case IR_fma: lower_fma(hc, in); break;
    case IR_fmin: case IR_fmax: lower_minmax(hc, in); break;
    case IR_fcmp: lower_fcmp(hc, in); break;
    case IR_frel: lower_frel(hc, in); break;
    case IR_fcvt: lower_fcvt(hc, in); break;
    case IR_f2u:
        if (hc->target->fp.nan == FP_NAN_X86) {
            lower_by_call(hc, in); /* its comparisons would raise the denormal flag */
            break;
        } /* fall through */
    case IR_f2i: lower_f2i(hc, in); break;
    case IR_i2f: case IR_u2f: lower_i2f(hc, in); break;
    case IR_fround: lower_fround(hc, in); break;
    case IR_bitcast: lower_bitcast(hc, in); break;
    case IR_fbox: lower_fbox(hc, in); break;
    case IR_funbox: lower_funbox(hc, in); break;
    default: lower_by_call(hc, in); break;
    }
}
