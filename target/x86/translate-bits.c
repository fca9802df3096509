/*
 * translate-bits.c: bit tests and scans, BMI1, BMI2, ADX, MOVBE, CRC32 (SDM volume 2).
 */
#include "target/x86/translate.h"

enum { BT, BTS, BTR, BTC };

static IrRef changed(TransCtx *ctx, unsigned which, IrType type, IrRef x, IrRef mask)
{
    return ir_op2(ctx->b, which == BTS ? IR_or : which == BTR ? IR_andn : IR_xor, type, x, mask);
}

void x86_trans_bt(TransCtx *ctx, const X86Insn *in)
{
    IrBuilder *b = ctx->b;
    unsigned which = in->row->aux, size = in->op[0].size, bits = 8 * size;
    IrType type = x86_type(size);
    IrRef offset = x86_op_load(ctx, in, 1), bit, mask, x;
    X86Mem m = { .base = IR_NONE };

    bit = ir_op2_imm(b, IR_and, type, x86_to_type(ctx, offset, type), bits - 1);
    if (in->op[0].kind == X86_OP_MEM) {
        if (in->op[1].kind == X86_OP_REG) {
            /* The bit string begins at the operand and goes on in both directions. */
            IrRef far = ir_op2_imm(b, IR_sar, type, x86_sext(ctx, offset, size), x86_log2(bits));
            far = ir_op2_imm(b, IR_shl, type, far, x86_log2(size));
            IrType addr_type = in->addrsize == 8 ? IR_I64 : IR_I32;
            if (addr_type != type) {
                far = addr_type == IR_I64 ? ir_op1(b, IR_ext_s, IR_I64, far) : ir_op1(b, IR_trunc, IR_I32, far);
            }
            IrRef at = ir_op2(b, IR_add, addr_type, x86_to_type(ctx, x86_ea_offset(ctx, in), addr_type), far);
            at = x86_to_wt(ctx, in->addrsize == 2 ? x86_zext(ctx, at, 2) : at);
            m = x86_linear(ctx, in->seg, at, in->addrsize, size, which != BT);
        } else {
            m = x86_ea(ctx, in, size, which != BT);
        }
    }
    mask = which == BT ? IR_NONE : ir_op2(b, IR_shl, type, ir_const(b, type, 1), bit);
    if (in->prefixes & X86_PFX_LOCK) {
        IrMem mem = x86_ir_mem(ctx, m, size);
        mem.order = IR_ORDER_SEQ_CST;
        mem.rmw = which == BTS ? IR_RMW_OR : which == BTR ? IR_RMW_AND : IR_RMW_XOR;
        mem.disp = 0;
        mem.scale_log2 = 0;
        IrRef addr = x86_mem_addr_wt(ctx, m);
        x = ir_rmw(b, type, addr, which == BTR ? ir_op1(b, IR_not, type, mask) : mask, mem);
    } else {
        x = m.base == IR_NONE ? x86_op_load(ctx, in, 0) : x86_load(ctx, m, size);
        if (which != BT && m.base != IR_NONE) {
            x86_store(ctx, m, size, changed(ctx, which, type, x, mask));
        } else if (which != BT) {
            x86_op_store(ctx, in, 0, changed(ctx, which, type, x, mask));
        }
    }
    /* C is the bit, Z stays, and so do in fact the others. */
    IrRef src = ir_op2(b, IR_shr, type, x86_zext(ctx, x, size), bit), dst, vector;
    unsigned old_size;
    if (x86_cc_result(ctx, &dst, &vector, &old_size)) {
        x86_cc_set(ctx, (uint32_t)X86_CCK_RES << 2 | old_size | ((uint32_t)X86_CARRY_BIT0 << 2 | x86_log2(size)) << 8, dst, src, IR_NONE);
    } else {
        IrRef flags = ir_op2_imm(b, IR_and, IR_I32, x86_cc_get_flags(ctx), X86_ARITH_FLAGS & ~X86_CF);
        IrRef c = ir_op2_imm(b, IR_and, IR_I32, x86_to_i32(ctx, src), 1);
        x86_cc_set_flags(ctx, ir_op2(b, IR_or, IR_I32, flags, c));
    }
}

/* Without a one the destination stays as it was (APM; SDM: undefined). */
static void scan(TransCtx *ctx, const X86Insn *in, IrOp op)
{
    IrBuilder *b = ctx->b;
    unsigned size = in->op[0].size;
    IrType type = x86_type(size);
    IrRef x = x86_zext(ctx, x86_op_load(ctx, in, 1), size);
    IrRef r = ir_op1(b, op, type, x);

    if (op == IR_clz) {
        r = ir_op2_imm(b, IR_xor, type, r, 8 * MAX(size, 4) - 1);
    }
    IrRef old = ir_get(b, X86_SLOT_GPR + in->op[0].reg);
    x86_op_store(ctx, in, 0, r);
    IrRef now = ir_get(b, X86_SLOT_GPR + in->op[0].reg);
    ir_put(b, X86_SLOT_GPR + in->op[0].reg, ir_select(b, x86_wt(ctx), x, now, old));
    x86_cc_set(ctx, X86_CC(X86_CCK_ZF, X86_CARRY_0, x86_log2(size)), x, IR_NONE, IR_NONE);
}

void x86_trans_bsf(TransCtx *ctx, const X86Insn *in) { scan(ctx, in, IR_ctz); }
void x86_trans_bsr(TransCtx *ctx, const X86Insn *in) { scan(ctx, in, IR_clz); }

static void count_zeros(TransCtx *ctx, const X86Insn *in, bool leading)
{
    IrBuilder *b = ctx->b;
    unsigned size = in->op[0].size;
    IrType type = x86_type(size);
    IrRef x = x86_op_load(ctx, in, 1), v = x, r;

    if (size == 2) {
        v = leading ? ir_op2_imm(b, IR_or, IR_I32, ir_op2_imm(b, IR_shl, IR_I32, x, 16), 0x8000) : ir_op2_imm(b, IR_or, IR_I32, x, 0x10000);
    }
    r = ir_op1(b, leading ? IR_clz : IR_ctz, type, v);
    x86_op_store(ctx, in, 0, r);
    x86_cc_set(ctx, X86_CC(X86_CCK_ZF, X86_CARRY_Z, x86_log2(size)), r, x, IR_NONE);
}

void x86_trans_tzcnt(TransCtx *ctx, const X86Insn *in) { count_zeros(ctx, in, false); }
void x86_trans_lzcnt(TransCtx *ctx, const X86Insn *in) { count_zeros(ctx, in, true); }

void x86_trans_popcnt(TransCtx *ctx, const X86Insn *in)
{
    unsigned size = in->op[0].size;
    IrRef x = x86_zext(ctx, x86_op_load(ctx, in, 1), size);
    IrRef r = ir_op1(ctx->b, IR_popcnt, x86_type(size), x);
    x86_op_store(ctx, in, 0, r);
    x86_cc_set(ctx, X86_CC(X86_CCK_ZF, X86_CARRY_0, x86_log2(size)), r, IR_NONE, IR_NONE);
}

void x86_trans_bswap(TransCtx *ctx, const X86Insn *in)
{
    unsigned size = in->op[0].size;
    IrRef x = x86_op_load(ctx, in, 0);
    /* 16 bits: undefined; processors give 0. */
    x86_op_store(ctx, in, 0, size == 2 ? ir_i32(ctx->b, 0) : ir_op1(ctx->b, IR_bswap, x86_type(size), x));
}

static IrRef swapped(TransCtx *ctx, IrRef x, unsigned size)
{
    IrBuilder *b = ctx->b;
    if (size == 2) {
        return ir_op2_imm(b, IR_shr, IR_I32, ir_op1(b, IR_bswap, IR_I32, x), 16);
    }
    return ir_op1(b, IR_bswap, x86_type(size), x);
}

void x86_trans_movbe(TransCtx *ctx, const X86Insn *in)
{
    x86_op_store(ctx, in, 0, swapped(ctx, x86_op_load(ctx, in, 1), in->op[0].size));
}

/* -- BMI ------------------------------------------------------------------------------------------------------ */

void x86_trans_andn(TransCtx *ctx, const X86Insn *in)
{
    unsigned size = in->op[0].size;
    IrRef y = x86_op_load(ctx, in, 2), r = ir_op2(ctx->b, IR_andn, x86_type(size), y, x86_op_load(ctx, in, 1));
    x86_op_store(ctx, in, 0, r);
    x86_cc_set(ctx, X86_CC(X86_CCK_RES, X86_CARRY_0, x86_log2(size)), r, IR_NONE, IR_NONE);
}

void x86_trans_bls(TransCtx *ctx, const X86Insn *in)
{
    IrBuilder *b = ctx->b;
    unsigned size = in->op[0].size, which = in->row->aux;
    IrType type = x86_type(size);
    IrRef x = x86_op_load(ctx, in, 1), less = ir_op2_imm(b, IR_sub, type, x, 1);
    IrRef r = which == 1 ? ir_op2(b, IR_and, type, x, less) : which == 2 ? ir_op2(b, IR_xor, type, x, less)
              : ir_op2(b, IR_and, type, x, ir_op1(b, IR_neg, type, x));

    x86_op_store(ctx, in, 0, r);
    x86_cc_set(ctx, X86_CC(X86_CCK_RES, which == 3 ? X86_CARRY_NZ : X86_CARRY_Z, x86_log2(size)), r, x, IR_NONE);
}

/* x with only its low n bits, n an I32 below 256. */
static IrRef low_bits(TransCtx *ctx, unsigned size, IrRef x, IrRef n)
{
    IrBuilder *b = ctx->b;
    IrType type = x86_type(size);
    IrRef mask = ir_op2_imm(b, IR_sub, type, ir_op2(b, IR_shl, type, ir_const(b, type, 1), x86_to_type(ctx, n, type)), 1);
    IrRef fits = ir_setcond(b, IR_I32, IR_LTU, n, ir_i32(b, 8 * size));
    return ir_select(b, type, fits, ir_op2(b, IR_and, type, x, mask), x);
}

void x86_trans_bextr(TransCtx *ctx, const X86Insn *in)
{
    IrBuilder *b = ctx->b;
    unsigned size = in->op[0].size;
    IrType type = x86_type(size);
    IrRef x = x86_op_load(ctx, in, 1), control = x86_to_i32(ctx, x86_op_load(ctx, in, 2));
    IrRef start = x86_zext(ctx, control, 1), n = ir_emit(b, IR_bfx, IR_I32, 8 | 8 << 8, control, IR_NONE, IR_NONE);
    IrRef inside = ir_setcond(b, IR_I32, IR_LTU, start, ir_i32(b, 8 * size));
    IrRef r = ir_op2(b, IR_shr, type, x, x86_to_type(ctx, start, type));

    r = low_bits(ctx, size, ir_select(b, type, inside, r, ir_const(b, type, 0)), n);
    x86_op_store(ctx, in, 0, r);
    x86_cc_set(ctx, X86_CC(X86_CCK_RES, X86_CARRY_0, x86_log2(size)), r, IR_NONE, IR_NONE);
}

void x86_trans_bzhi(TransCtx *ctx, const X86Insn *in)
{
    IrBuilder *b = ctx->b;
    unsigned size = in->op[0].size;
    IrRef x = x86_op_load(ctx, in, 1), n = x86_zext(ctx, x86_to_i32(ctx, x86_op_load(ctx, in, 2)), 1);
    IrRef r = low_bits(ctx, size, x, n);
    IrRef c = ir_setcond(b, IR_I32, IR_GEU, n, ir_i32(b, 8 * size));

    x86_op_store(ctx, in, 0, r);
    x86_cc_set(ctx, X86_CC(X86_CCK_RES, X86_CARRY_BIT0, x86_log2(size)), r, c, IR_NONE);
}

static void pdep_pext(TransCtx *ctx, const X86Insn *in, X86Helper helper)
{
    unsigned size = in->op[0].size;
    IrRef x = x86_to_i64(ctx, x86_op_load(ctx, in, 1)), mask = x86_to_i64(ctx, x86_op_load(ctx, in, 2));
    x86_op_store(ctx, in, 0, x86_to_type(ctx, x86_call(ctx, helper, 2, (IrRef[]){ x, mask }), x86_type(size)));
}

void x86_trans_pdep(TransCtx *ctx, const X86Insn *in) { pdep_pext(ctx, in, X86_HELPER_pdep); }
void x86_trans_pext(TransCtx *ctx, const X86Insn *in) { pdep_pext(ctx, in, X86_HELPER_pext); }

/* ADCX and ADOX: an addition whose only carry flag is `which`. */
void x86_trans_adcx(TransCtx *ctx, const X86Insn *in)
{
    IrBuilder *b = ctx->b;
    unsigned size = in->op[0].size;
    IrType type = x86_type(size);
    uint32_t which = in->row->aux;
    IrRef x = x86_op_load(ctx, in, 0), y = x86_op_load(ctx, in, 1), flags = x86_cc_get_flags_apart(ctx);
    IrRef carry = ir_emit(b, IR_bfx, IR_I32, (unsigned)__builtin_ctz(which) | 1 << 8, flags, IR_NONE, IR_NONE);
    IrRef sum = ir_op2(b, IR_add, type, x, y), r = ir_op2(b, IR_add, type, sum, x86_to_type(ctx, carry, type));
    IrRef out = ir_op2(b, IR_or, IR_I32, ir_setcond(b, IR_I32, IR_LTU, sum, x), ir_setcond(b, IR_I32, IR_LTU, r, sum));

    x86_op_store(ctx, in, 0, r);
    x86_cc_set_flags(ctx, ir_emit(b, IR_bfi, IR_I32, (unsigned)__builtin_ctz(which) | 1 << 8, flags, out, IR_NONE));
}

void x86_trans_crc32(TransCtx *ctx, const X86Insn *in)
{
    IrRef crc = x86_get(ctx, in->op[0].reg, 4), x = x86_to_i64(ctx, x86_op_load(ctx, in, 1));
    IrRef r = ir_emit(ctx->b, IR_crc32c, IR_I32, (unsigned)__builtin_ctz(in->op[1].size), crc, x, IR_NONE);
    x86_put(ctx, in->op[0].reg, 4, r);
}
