/*
 * translate-fp.c: F, D, Zfh, Zfhmin, Zfa (Unprivileged chapters 21-24, 26).
 *
 * Single and double precision are inline. Rounding: frm is part of the translation mode, so a dynamic mode is known
 * here; a static one equal to it costs nothing, other static ones are fixed in the operation. Nearest-away (RMM) and
 * half precision go to the helper. Flags raised inline stay in the host's mode register (fp-status.c).
 */
#include "target/riscv/fp-ops.h"
#include "target/riscv/translate.h"

typedef const RiscvArgsFr ArgsFr;
typedef const RiscvArgsFr1 ArgsFr1;
typedef const RiscvArgsFr3 ArgsFr3;
typedef const RiscvArgsR ArgsR;
typedef const RiscvArgsR1 ArgsR1;

enum { RM_RNE, RM_RTZ, RM_RDN, RM_RUP, RM_RMM, RM_DYN = 7 };

bool rv_fp_enter(TransCtx *ctx, bool writes)
{
    switch (bits_get(ctx->mode, RISCV_MODE_FS, 2)) {
    case 0:
        rv_illegal(ctx);
        return false;
    case 1:
        if (writes) {
            /* Once per FS clean -> dirty: the instruction begins again in the other mode. */
            ir_call(ctx->b, RV_HELPER_fs_dirty, 0, NULL);
            trans_leave(ctx, VCPU_EXIT_NONE, ctx->pc);
            return false;
        }
        return true;
    default:
        return true;
    }
}

/* The frm in force, 5 if invalid. */
static unsigned frm(TransCtx *ctx) { return bits_get(ctx->mode, RISCV_MODE_FRM, 3); }

/* A rounding mode field that is, or leads to, a reserved value is illegal (21.2). */
static bool rm_ok(TransCtx *ctx, unsigned rm)
{
    if (rm <= RM_RMM || (rm == RM_DYN && frm(ctx) <= RM_RMM)) {
        return true;
    }
    rv_illegal(ctx);
    return false;
}

static unsigned rm_effective(TransCtx *ctx, unsigned rm) { return rm == RM_DYN ? frm(ctx) : rm; }

static bool rm_is_host(TransCtx *ctx, unsigned rm) { return rm_effective(ctx, rm) != RM_RMM; }

static IrRounding rm_ir(TransCtx *ctx, unsigned rm)
{
    static const uint8_t fixed[] = { IR_RM_NEAREST_EVEN, IR_RM_ZERO, IR_RM_DOWN, IR_RM_UP, IR_RM_NEAREST_AWAY };

    return rm == RM_DYN || rm == frm(ctx) ? IR_RM_DYN : (IrRounding)fixed[rm];
}

static IrRef get_d(TransCtx *ctx, unsigned n) { return ir_get(ctx->b, RISCV_SLOT_F + n); }
static void set_d(TransCtx *ctx, unsigned n, IrRef v) { ir_put(ctx->b, RISCV_SLOT_F + n, v); }
static IrRef get_s(TransCtx *ctx, unsigned n) { return ir_op1(ctx->b, IR_funbox, IR_F32, get_d(ctx, n)); }
static void set_s(TransCtx *ctx, unsigned n, IrRef v) { set_d(ctx, n, ir_op1(ctx->b, IR_fbox, IR_F64, v)); }
static IrRef get_bits(TransCtx *ctx, unsigned n) { return ir_op1(ctx->b, IR_bitcast, IR_I64, get_d(ctx, n)); }
static void set_bits(TransCtx *ctx, unsigned n, IrRef v) { set_d(ctx, n, ir_op1(ctx->b, IR_bitcast, IR_F64, v)); }

static IrType type_of(RiscvFpFormat fmt) { return fmt == RISCV_FP_S ? IR_F32 : IR_F64; }
static IrRef get_f(TransCtx *ctx, RiscvFpFormat fmt, unsigned n)
{
    return fmt == RISCV_FP_S ? get_s(ctx, n) : get_d(ctx, n);
}
static void set_f(TransCtx *ctx, RiscvFpFormat fmt, unsigned n, IrRef v)
{
    (fmt == RISCV_FP_S ? set_s : set_d)(ctx, n, v);
}

/* The helper on raw register bits; absent operands are IR_NONE. */
static IrRef slow(TransCtx *ctx, RiscvFpOp op, RiscvFpFormat fmt, unsigned rm, IrRef a, IrRef b, IrRef c)
{
    IrRef zero = ir_i64(ctx->b, 0);

    return ir_call(ctx->b, RV_HELPER_fp, 4,
                   (IrRef[]){ ir_i32(ctx->b, op | fmt << 8 | rm_effective(ctx, rm) << 16),
                              a == IR_NONE ? zero : a, b == IR_NONE ? zero : b, c == IR_NONE ? zero : c });
}

/* -- moves, loads, stores --------------------------------------------------------------------------- */

static void load(TransCtx *ctx, const RiscvArgsI *a, unsigned size_log2)
{
    if (!rv_fp_enter(ctx, true)) {
        return;
    }
    IrMem mem = rv_mem(ctx, size_log2, false, a->imm);
    IrRef base = rv_x(ctx, a->rs1);
    if (size_log2 == 3) {
        set_d(ctx, a->rd, ir_load(ctx->b, IR_F64, base, IR_NONE, mem));
    } else if (size_log2 == 2) {
        set_s(ctx, a->rd, ir_load(ctx->b, IR_F32, base, IR_NONE, mem));
    } else {
        IrRef v = ir_load(ctx->b, IR_I64, base, IR_NONE, mem);
        set_bits(ctx, a->rd, ir_op2_imm(ctx->b, IR_or, IR_I64, v, 0xffffffffffff0000));
    }
}

static void store(TransCtx *ctx, const RiscvArgsS *a, unsigned size_log2)
{
    if (!rv_fp_enter(ctx, false)) {
        return;
    }
    IrRef v = size_log2 == 3 ? get_d(ctx, a->rs2)
              : size_log2 == 2 ? ir_op1(ctx->b, IR_flow, IR_F32, get_d(ctx, a->rs2)) : get_bits(ctx, a->rs2);
    ir_store(ctx->b, rv_x(ctx, a->rs1), IR_NONE, v, rv_mem(ctx, size_log2, false, a->imm));
}

void riscv_trans_flh(TransCtx *ctx, const RiscvArgsI *a) { load(ctx, a, 1); }
void riscv_trans_flw(TransCtx *ctx, const RiscvArgsI *a) { load(ctx, a, 2); }
void riscv_trans_fld(TransCtx *ctx, const RiscvArgsI *a) { load(ctx, a, 3); }
void riscv_trans_fsh(TransCtx *ctx, const RiscvArgsS *a) { store(ctx, a, 1); }
void riscv_trans_fsw(TransCtx *ctx, const RiscvArgsS *a) { store(ctx, a, 2); }
void riscv_trans_fsd(TransCtx *ctx, const RiscvArgsS *a) { store(ctx, a, 3); }

void riscv_trans_fmv_x_h(TransCtx *ctx, ArgsR1 *a)
{
    if (rv_fp_enter(ctx, false)) {
        IrRef v = ir_op1(ctx->b, IR_sext16, IR_I64, get_bits(ctx, a->rs1));
        rv_set_x(ctx, a->rd, rv_from_i64(ctx, v));
    }
}

void riscv_trans_fmv_h_x(TransCtx *ctx, ArgsR1 *a)
{
    if (rv_fp_enter(ctx, true)) {
        IrRef v = rv_zext_i64(ctx, rv_x(ctx, a->rs1));
        set_bits(ctx, a->rd, ir_op2_imm(ctx->b, IR_or, IR_I64, v, 0xffffffffffff0000));
    }
}

void riscv_trans_fmv_x_w(TransCtx *ctx, ArgsR1 *a)
{
    if (rv_fp_enter(ctx, false)) {
        IrRef v = ir_op1(ctx->b, IR_flow, IR_F32, get_d(ctx, a->rs1));
        rv_set_x(ctx, a->rd, rv_from_w(ctx, ir_op1(ctx->b, IR_bitcast, IR_I32, v)));
    }
}

void riscv_trans_fmv_w_x(TransCtx *ctx, ArgsR1 *a)
{
    if (rv_fp_enter(ctx, true)) {
        set_s(ctx, a->rd, ir_op1(ctx->b, IR_bitcast, IR_F32, rv_w(ctx, rv_x(ctx, a->rs1))));
    }
}

void riscv_trans_fmv_x_d(TransCtx *ctx, ArgsR1 *a)
{
    if (rv_fp_enter(ctx, false)) {
        rv_set_x(ctx, a->rd, get_bits(ctx, a->rs1));
    }
}

void riscv_trans_fmv_d_x(TransCtx *ctx, ArgsR1 *a)
{
    if (rv_fp_enter(ctx, true)) {
        set_bits(ctx, a->rd, rv_x(ctx, a->rs1));
    }
}

void riscv_trans_fmvh_x_d(TransCtx *ctx, ArgsR1 *a)
{
    if (rv_fp_enter(ctx, false)) {
        IrRef v = ir_op2_imm(ctx->b, IR_shr, IR_I64, get_bits(ctx, a->rs1), 32);
        rv_set_x(ctx, a->rd, ir_op1(ctx->b, IR_trunc, IR_I32, v));
    }
}

void riscv_trans_fmvp_d_x(TransCtx *ctx, ArgsR *a)
{
    if (rv_fp_enter(ctx, true)) {
        IrRef hi = ir_op2_imm(ctx->b, IR_shl, IR_I64, rv_zext_i64(ctx, rv_x(ctx, a->rs2)), 32);
        set_bits(ctx, a->rd, ir_op2(ctx->b, IR_or, IR_I64, hi, rv_zext_i64(ctx, rv_x(ctx, a->rs1))));
    }
}

/* -- sign injection: integer operations on the bits ------------------------------------------------- */

typedef enum SignOp { SIGN_COPY, SIGN_NOT, SIGN_XOR } SignOp;

static void sign_inject(TransCtx *ctx, ArgsR *a, RiscvFpFormat fmt, SignOp op)
{
    IrBuilder *b = ctx->b;
    IrType t = fmt == RISCV_FP_D ? IR_I64 : IR_I32;
    IrRef x, y, v;

    if (!rv_fp_enter(ctx, true)) {
        return;
    }
    if (a->rs1 == a->rs2 && op == SIGN_COPY && fmt != RISCV_FP_H) { /* fmv */
        set_f(ctx, fmt, a->rd, get_f(ctx, fmt, a->rs1));
        return;
    }
    uint64_t sign = fmt == RISCV_FP_D ? BIT(63) : fmt == RISCV_FP_S ? BIT(31) : BIT(15);
    if (fmt == RISCV_FP_H) {
        IrRef r[2];
        for (int i = 0; i < 2; i++) {
            IrRef bits = get_bits(ctx, i ? a->rs2 : a->rs1);
            IrRef boxed = ir_setcond(b, IR_I32, IR_GEU, bits, ir_i64(b, 0xffffffffffff0000));
            r[i] = ir_select(b, IR_I32, boxed, ir_op1(b, IR_trunc, IR_I32, bits), ir_i32(b, 0x7e00));
        }
        x = r[0];
        y = r[1];
    } else {
        x = ir_op1(b, IR_bitcast, t, get_f(ctx, fmt, a->rs1));
        y = ir_op1(b, IR_bitcast, t, get_f(ctx, fmt, a->rs2));
    }
    if (a->rs1 == a->rs2 && op != SIGN_COPY) { /* fneg, fabs */
        v = op == SIGN_NOT ? ir_op2_imm(b, IR_xor, t, x, sign) : ir_op2_imm(b, IR_and, t, x, ~sign);
    } else {
        IrRef s = y;
        if (op == SIGN_NOT) {
            s = ir_op1(b, IR_not, t, s);
        }
        s = ir_op2_imm(b, IR_and, t, s, sign);
        v = op == SIGN_XOR ? ir_op2(b, IR_xor, t, x, s)
                           : ir_op2(b, IR_or, t, ir_op2_imm(b, IR_and, t, x, ~sign), s);
    }
    if (fmt == RISCV_FP_H) {
        v = ir_op1(b, IR_ext_u, IR_I64, v);
        set_bits(ctx, a->rd, ir_op2_imm(b, IR_or, IR_I64, v, 0xffffffffffff0000));
    } else {
        set_f(ctx, fmt, a->rd, ir_op1(b, IR_bitcast, type_of(fmt), v));
    }
}

#define SIGN(name, op)                                                                            \
    void riscv_trans_##name##_s(TransCtx *ctx, ArgsR *a) { sign_inject(ctx, a, RISCV_FP_S, op); }  \
    void riscv_trans_##name##_d(TransCtx *ctx, ArgsR *a) { sign_inject(ctx, a, RISCV_FP_D, op); }  \
    void riscv_trans_##name##_h(TransCtx *ctx, ArgsR *a) { sign_inject(ctx, a, RISCV_FP_H, op); }
SIGN(fsgnj, SIGN_COPY)
SIGN(fsgnjn, SIGN_NOT)
SIGN(fsgnjx, SIGN_XOR)

/* -- arithmetic ---------------------------------------------------------------------------------------- */

static void arith(TransCtx *ctx, ArgsFr *a, RiscvFpFormat fmt, IrOp op, RiscvFpOp slow_op)
{
    if (!rv_fp_enter(ctx, true) || !rm_ok(ctx, a->rm)) {
        return;
    }
    if (fmt == RISCV_FP_H || !rm_is_host(ctx, a->rm)) {
        set_bits(ctx, a->rd, slow(ctx, slow_op, fmt, a->rm, get_bits(ctx, a->rs1), get_bits(ctx, a->rs2), IR_NONE));
        return;
    }
    set_f(ctx, fmt, a->rd, ir_emit(ctx->b, op, type_of(fmt), rm_ir(ctx, a->rm), get_f(ctx, fmt, a->rs1),
                                   get_f(ctx, fmt, a->rs2), IR_NONE));
}

#define ARITH(name, op, slow_op)                                                                          \
    void riscv_trans_##name##_s(TransCtx *ctx, ArgsFr *a) { arith(ctx, a, RISCV_FP_S, op, slow_op); }      \
    void riscv_trans_##name##_d(TransCtx *ctx, ArgsFr *a) { arith(ctx, a, RISCV_FP_D, op, slow_op); }      \
    void riscv_trans_##name##_h(TransCtx *ctx, ArgsFr *a) { arith(ctx, a, RISCV_FP_H, op, slow_op); }
ARITH(fadd, IR_fadd, RISCV_FP_ADD)
ARITH(fsub, IR_fsub, RISCV_FP_SUB)
ARITH(fmul, IR_fmul, RISCV_FP_MUL)
ARITH(fdiv, IR_fdiv, RISCV_FP_DIV)

/* One operand, same format, rounding: square root and round to integral. */
static void unary(TransCtx *ctx, ArgsFr1 *a, RiscvFpFormat fmt, IrOp op, unsigned aux, RiscvFpOp slow_op)
{
    if (!rv_fp_enter(ctx, true) || !rm_ok(ctx, a->rm)) {
        return;
    }
    if (fmt == RISCV_FP_H || !rm_is_host(ctx, a->rm)) {
        set_bits(ctx, a->rd, slow(ctx, slow_op, fmt, a->rm, get_bits(ctx, a->rs1), IR_NONE, IR_NONE));
        return;
    }
    set_f(ctx, fmt, a->rd, ir_emit(ctx->b, op, type_of(fmt), rm_ir(ctx, a->rm) | aux, get_f(ctx, fmt, a->rs1),
                                   IR_NONE, IR_NONE));
}

#define UNARY(name, op, aux, slow_op)                                                                       \
    void riscv_trans_##name##_s(TransCtx *ctx, ArgsFr1 *a) { unary(ctx, a, RISCV_FP_S, op, aux, slow_op); }  \
    void riscv_trans_##name##_d(TransCtx *ctx, ArgsFr1 *a) { unary(ctx, a, RISCV_FP_D, op, aux, slow_op); }  \
    void riscv_trans_##name##_h(TransCtx *ctx, ArgsFr1 *a) { unary(ctx, a, RISCV_FP_H, op, aux, slow_op); }
UNARY(fsqrt, IR_fsqrt, 0, RISCV_FP_SQRT)
UNARY(fround, IR_fround, 0, RISCV_FP_ROUND)
UNARY(froundnx, IR_fround, IR_ROUND_EXACT, RISCV_FP_ROUNDNX)

static void fused(TransCtx *ctx, ArgsFr3 *a, RiscvFpFormat fmt, unsigned aux, RiscvFpOp slow_op)
{
    if (!rv_fp_enter(ctx, true) || !rm_ok(ctx, a->rm)) {
        return;
    }
    if (fmt == RISCV_FP_H || !rm_is_host(ctx, a->rm)) {
        set_bits(ctx, a->rd, slow(ctx, slow_op, fmt, a->rm, get_bits(ctx, a->rs1), get_bits(ctx, a->rs2),
                                  get_bits(ctx, a->rs3)));
        return;
    }
    set_f(ctx, fmt, a->rd, ir_emit(ctx->b, IR_fma, type_of(fmt), rm_ir(ctx, a->rm) | aux, get_f(ctx, fmt, a->rs1),
                                   get_f(ctx, fmt, a->rs2), get_f(ctx, fmt, a->rs3)));
}

#define FUSED(name, aux, slow_op)                                                                        \
    void riscv_trans_##name##_s(TransCtx *ctx, ArgsFr3 *a) { fused(ctx, a, RISCV_FP_S, aux, slow_op); }   \
    void riscv_trans_##name##_d(TransCtx *ctx, ArgsFr3 *a) { fused(ctx, a, RISCV_FP_D, aux, slow_op); }   \
    void riscv_trans_##name##_h(TransCtx *ctx, ArgsFr3 *a) { fused(ctx, a, RISCV_FP_H, aux, slow_op); }
FUSED(fmadd, 0, RISCV_FP_MADD)
FUSED(fmsub, IR_FMA_NEG_ADDEND, RISCV_FP_MSUB)
FUSED(fnmsub, IR_FMA_NEG_PRODUCT, RISCV_FP_NMSUB)
FUSED(fnmadd, IR_FMA_NEG_PRODUCT | IR_FMA_NEG_ADDEND, RISCV_FP_NMADD)

static void minmax(TransCtx *ctx, ArgsR *a, RiscvFpFormat fmt, IrOp op, IrFpMinMax rule, RiscvFpOp slow_op)
{
    if (!rv_fp_enter(ctx, true)) {
        return;
    }
    if (fmt == RISCV_FP_H) {
        set_bits(ctx, a->rd, slow(ctx, slow_op, fmt, 0, get_bits(ctx, a->rs1), get_bits(ctx, a->rs2), IR_NONE));
        return;
    }
    set_f(ctx, fmt, a->rd, ir_emit(ctx->b, op, type_of(fmt), rule, get_f(ctx, fmt, a->rs1), get_f(ctx, fmt, a->rs2),
                                   IR_NONE));
}

#define MINMAX(name, op, rule, slow_op)                                                                      \
    void riscv_trans_##name##_s(TransCtx *ctx, ArgsR *a) { minmax(ctx, a, RISCV_FP_S, op, rule, slow_op); }   \
    void riscv_trans_##name##_d(TransCtx *ctx, ArgsR *a) { minmax(ctx, a, RISCV_FP_D, op, rule, slow_op); }   \
    void riscv_trans_##name##_h(TransCtx *ctx, ArgsR *a) { minmax(ctx, a, RISCV_FP_H, op, rule, slow_op); }
MINMAX(fmin, IR_fmin, IR_MINMAX_NUMBER, RISCV_FP_MIN)
MINMAX(fmax, IR_fmax, IR_MINMAX_NUMBER, RISCV_FP_MAX)
MINMAX(fminm, IR_fmin, IR_MINMAX_NAN, RISCV_FP_MINM)
MINMAX(fmaxm, IR_fmax, IR_MINMAX_NAN, RISCV_FP_MAXM)

/* -- comparisons, classification -------------------------------------------------------------------------- */

static void compare(TransCtx *ctx, ArgsR *a, RiscvFpFormat fmt, IrFpCond cond, RiscvFpOp slow_op)
{
    IrRef v;

    if (!rv_fp_enter(ctx, false)) {
        return;
    }
    if (fmt == RISCV_FP_H) {
        v = rv_from_i64(ctx, slow(ctx, slow_op, fmt, 0, get_bits(ctx, a->rs1), get_bits(ctx, a->rs2), IR_NONE));
    } else {
        v = ir_emit(ctx->b, IR_fcmp, rv_xt(ctx), cond, get_f(ctx, fmt, a->rs1), get_f(ctx, fmt, a->rs2), IR_NONE);
    }
    rv_set_x(ctx, a->rd, v);
}

#define COMPARE(name, cond, slow_op)                                                                    \
    void riscv_trans_##name##_s(TransCtx *ctx, ArgsR *a) { compare(ctx, a, RISCV_FP_S, cond, slow_op); } \
    void riscv_trans_##name##_d(TransCtx *ctx, ArgsR *a) { compare(ctx, a, RISCV_FP_D, cond, slow_op); } \
    void riscv_trans_##name##_h(TransCtx *ctx, ArgsR *a) { compare(ctx, a, RISCV_FP_H, cond, slow_op); }
COMPARE(feq, IR_FEQ, RISCV_FP_EQ)
COMPARE(flt, IR_FLT_SIG, RISCV_FP_LT)
COMPARE(fle, IR_FLE_SIG, RISCV_FP_LE)
COMPARE(fltq, IR_FLT, RISCV_FP_LTQ)
COMPARE(fleq, IR_FLE, RISCV_FP_LEQ)

static void classify(TransCtx *ctx, ArgsR1 *a, RiscvFpFormat fmt)
{
    IrRef v;

    if (!rv_fp_enter(ctx, false)) {
        return;
    }
    if (fmt == RISCV_FP_H) {
        v = rv_from_i64(ctx, slow(ctx, RISCV_FP_CLASS, fmt, 0, get_bits(ctx, a->rs1), IR_NONE, IR_NONE));
    } else {
        v = ir_op1(ctx->b, IR_fclass, rv_xt(ctx), get_f(ctx, fmt, a->rs1));
    }
    rv_set_x(ctx, a->rd, v);
}

void riscv_trans_fclass_s(TransCtx *ctx, ArgsR1 *a) { classify(ctx, a, RISCV_FP_S); }
void riscv_trans_fclass_d(TransCtx *ctx, ArgsR1 *a) { classify(ctx, a, RISCV_FP_D); }
void riscv_trans_fclass_h(TransCtx *ctx, ArgsR1 *a) { classify(ctx, a, RISCV_FP_H); }

/* -- conversions ------------------------------------------------------------------------------------------ */

static void to_int(TransCtx *ctx, ArgsFr1 *a, RiscvFpFormat fmt, IrOp op, IrType type, RiscvFpOp slow_op)
{
    IrRef v;

    /* Raises flags, so FS becomes dirty although no f register is written. */
    if (!rv_fp_enter(ctx, true) || !rm_ok(ctx, a->rm)) {
        return;
    }
    if (fmt == RISCV_FP_H || !rm_is_host(ctx, a->rm)) {
        v = rv_from_i64(ctx, slow(ctx, slow_op, fmt, a->rm, get_bits(ctx, a->rs1), IR_NONE, IR_NONE));
    } else {
        v = ir_emit(ctx->b, op, type, rm_ir(ctx, a->rm), get_f(ctx, fmt, a->rs1), IR_NONE, IR_NONE);
        v = type == IR_I32 ? rv_from_w(ctx, v) : v;
    }
    rv_set_x(ctx, a->rd, v);
}

static void from_int(TransCtx *ctx, ArgsFr1 *a, RiscvFpFormat fmt, IrOp op, IrType type, RiscvFpOp slow_op)
{
    if (!rv_fp_enter(ctx, true) || !rm_ok(ctx, a->rm)) {
        return;
    }
    IrRef x = rv_x(ctx, a->rs1);
    bool exact = fmt == RISCV_FP_D && type == IR_I32;
    if (fmt == RISCV_FP_H || !(exact || rm_is_host(ctx, a->rm))) {
        set_bits(ctx, a->rd, slow(ctx, slow_op, fmt, a->rm, rv_zext_i64(ctx, x), IR_NONE, IR_NONE));
        return;
    }
    x = type == IR_I32 ? rv_w(ctx, x) : x;
    set_f(ctx, fmt, a->rd, ir_emit(ctx->b, op, type_of(fmt), exact ? IR_RM_DYN : rm_ir(ctx, a->rm), x, IR_NONE, IR_NONE));
}

#define CONVERT_INT(n, type, N, f2i, i2f)                                                                 \
    void riscv_trans_fcvt_##n##_s(TransCtx *ctx, ArgsFr1 *a)                                               \
    { to_int(ctx, a, RISCV_FP_S, f2i, type, RISCV_FP_TO_##N); }                                            \
    void riscv_trans_fcvt_##n##_d(TransCtx *ctx, ArgsFr1 *a)                                               \
    { to_int(ctx, a, RISCV_FP_D, f2i, type, RISCV_FP_TO_##N); }                                            \
    void riscv_trans_fcvt_##n##_h(TransCtx *ctx, ArgsFr1 *a)                                               \
    { to_int(ctx, a, RISCV_FP_H, f2i, type, RISCV_FP_TO_##N); }                                            \
    void riscv_trans_fcvt_s_##n(TransCtx *ctx, ArgsFr1 *a)                                                 \
    { from_int(ctx, a, RISCV_FP_S, i2f, type, RISCV_FP_FROM_##N); }                                        \
    void riscv_trans_fcvt_d_##n(TransCtx *ctx, ArgsFr1 *a)                                                 \
    { from_int(ctx, a, RISCV_FP_D, i2f, type, RISCV_FP_FROM_##N); }                                        \
    void riscv_trans_fcvt_h_##n(TransCtx *ctx, ArgsFr1 *a)                                                 \
    { from_int(ctx, a, RISCV_FP_H, i2f, type, RISCV_FP_FROM_##N); }
CONVERT_INT(w, IR_I32, W, IR_f2i, IR_i2f)
CONVERT_INT(wu, IR_I32, WU, IR_f2u, IR_u2f)
CONVERT_INT(l, IR_I64, L, IR_f2i, IR_i2f)
CONVERT_INT(lu, IR_I64, LU, IR_f2u, IR_u2f)

static void convert_slow(TransCtx *ctx, ArgsFr1 *a, RiscvFpFormat from, RiscvFpOp op)
{
    if (rv_fp_enter(ctx, true) && rm_ok(ctx, a->rm)) {
        set_bits(ctx, a->rd, slow(ctx, op, from, a->rm, get_bits(ctx, a->rs1), IR_NONE, IR_NONE));
    }
}

void riscv_trans_fcvt_s_h(TransCtx *ctx, ArgsFr1 *a) { convert_slow(ctx, a, RISCV_FP_H, RISCV_FP_TO_S); }
void riscv_trans_fcvt_d_h(TransCtx *ctx, ArgsFr1 *a) { convert_slow(ctx, a, RISCV_FP_H, RISCV_FP_TO_D); }
void riscv_trans_fcvt_h_s(TransCtx *ctx, ArgsFr1 *a) { convert_slow(ctx, a, RISCV_FP_S, RISCV_FP_TO_H); }
void riscv_trans_fcvt_h_d(TransCtx *ctx, ArgsFr1 *a) { convert_slow(ctx, a, RISCV_FP_D, RISCV_FP_TO_H); }

void riscv_trans_fcvt_s_bf16(TransCtx *ctx, ArgsFr1 *a) { convert_slow(ctx, a, RISCV_FP_B, RISCV_FP_TO_S); }
void riscv_trans_fcvt_bf16_s(TransCtx *ctx, ArgsFr1 *a) { convert_slow(ctx, a, RISCV_FP_S, RISCV_FP_TO_B); }

void riscv_trans_fcvt_s_d(TransCtx *ctx, ArgsFr1 *a)
{
    if (rm_effective(ctx, a->rm) == RM_RMM) {
        convert_slow(ctx, a, RISCV_FP_D, RISCV_FP_TO_S);
    } else if (rv_fp_enter(ctx, true) && rm_ok(ctx, a->rm)) {
        set_s(ctx, a->rd, ir_emit(ctx->b, IR_fcvt, IR_F32, rm_ir(ctx, a->rm), get_d(ctx, a->rs1), IR_NONE, IR_NONE));
    }
}

void riscv_trans_fcvt_d_s(TransCtx *ctx, ArgsFr1 *a)
{
    if (rv_fp_enter(ctx, true) && rm_ok(ctx, a->rm)) { /* exact */
        set_d(ctx, a->rd, ir_emit(ctx->b, IR_fcvt, IR_F64, IR_RM_DYN, get_s(ctx, a->rs1), IR_NONE, IR_NONE));
    }
}

void riscv_trans_fcvtmod_w_d(TransCtx *ctx, ArgsR1 *a)
{
    if (rv_fp_enter(ctx, true)) {
        IrRef v = slow(ctx, RISCV_FP_CVTMOD, RISCV_FP_D, RM_RTZ, get_bits(ctx, a->rs1), IR_NONE, IR_NONE);
        rv_set_x(ctx, a->rd, rv_from_i64(ctx, v));
    }
}

/* -- fli: 32 constants (Zfa table 26.1), as binary64; narrower formats hold them exactly but for the noted ------ */

static const uint64_t fli_d[32] = {
    0xbff0000000000000, /* -1 */
    0x0010000000000000, /* smallest normal: per format */
    0x3ef0000000000000, /* 2^-16 */
    0x3f00000000000000, /* 2^-15 */
    0x3f70000000000000, /* 2^-8 */
    0x3f80000000000000, /* 2^-7 */
    0x3fb0000000000000, /* 0.0625 */
    0x3fc0000000000000, /* 0.125 */
    0x3fd0000000000000, 0x3fd4000000000000, 0x3fd8000000000000, 0x3fdc000000000000, /* 0.25 0.3125 0.375 0.4375 */
    0x3fe0000000000000, 0x3fe4000000000000, 0x3fe8000000000000, 0x3fec000000000000, /* 0.5 … 0.875 */
    0x3ff0000000000000, 0x3ff4000000000000, 0x3ff8000000000000, 0x3ffc000000000000, /* 1 … 1.75 */
    0x4000000000000000, 0x4004000000000000, 0x4008000000000000, /* 2 2.5 3 */
    0x4010000000000000, 0x4020000000000000, 0x4030000000000000, /* 4 8 16 */
    0x4060000000000000, 0x4070000000000000, /* 128 256 */
    0x40e0000000000000, 0x40f0000000000000, /* 2^15 2^16 */
    0x7ff0000000000000, 0x7ff8000000000000, /* inf NaN */
};

/* Re-biases an exactly representable binary64 constant. */
static uint64_t narrow_const(uint64_t d, unsigned exp_bits, unsigned frac_bits)
{
    int bias = (1 << (exp_bits - 1)) - 1;
    int exp = (int)bits_get(d, 52, 11);
    uint64_t sign = (d >> 63) << (exp_bits + frac_bits), frac = (d & bits_mask(0, 52)) >> (52 - frac_bits);

    if (exp == 0x7ff) {
        return sign | bits_mask(frac_bits, exp_bits) | frac;
    }
    int e = exp - 1023 + bias;
    if (e <= 0) { /* binary16: 2^-15 and 2^-16 are subnormal */
        return sign | ((BIT(frac_bits) | frac) >> (1 - e));
    }
    return sign | (uint64_t)e << frac_bits | frac;
}

static void load_imm(TransCtx *ctx, ArgsR1 *a, RiscvFpFormat fmt)
{
    if (!rv_fp_enter(ctx, true)) {
        return;
    }
    uint64_t v = fli_d[a->rs1];
    if (fmt == RISCV_FP_S) {
        v = (a->rs1 == 1 ? 0x00800000 : narrow_const(v, 8, 23)) | 0xffffffff00000000;
    } else if (fmt == RISCV_FP_H) {
        /* 2^16 is infinity in binary16 (26.1). */
        v = (a->rs1 == 1 ? 0x0400 : a->rs1 == 29 ? 0x7c00 : narrow_const(v, 5, 10)) | 0xffffffffffff0000;
    }
    set_d(ctx, a->rd, ir_const(ctx->b, IR_F64, v));
}

void riscv_trans_fli_s(TransCtx *ctx, ArgsR1 *a) { load_imm(ctx, a, RISCV_FP_S); }
void riscv_trans_fli_d(TransCtx *ctx, ArgsR1 *a) { load_imm(ctx, a, RISCV_FP_D); }
void riscv_trans_fli_h(TransCtx *ctx, ArgsR1 *a) { load_imm(ctx, a, RISCV_FP_H); }
