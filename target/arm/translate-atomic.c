/*
 * translate-atomic.c: exclusive, ordered and atomic accesses (Arm ARM DDI 0487, C4.1.96; B2.3, B2.9).
 *
 * Alignment: exclusives fault unless aligned. With LSE2 the others may lie anywhere within 16 aligned bytes (B2.2.2; SCTLR_ELx.nAA
 * counts as 0), else they must be aligned, too. 16 bytes at once are helper-atomic.c.
 * DEVIATION: the two halves of LDIAPP and STILP are two accesses.
 */
#include "target/arm/translate.h"

typedef const ArmArgsOrd ArgsOrd;
typedef const ArmArgsCas ArgsCas;

/* Nobody else looks: no ordering is needed. */
static bool alone(const TransCtx *ctx)
{
    return ctx->b->unit->exclusive || (!ctx->vcpu->softmmu && !ctx->vcpu->parallel && !ctx->b->unit->parallel && !ctx->vcpu->single_step);
}

static IrMem mem_of(TransCtx *ctx, unsigned size, unsigned order)
{
    return (IrMem){ .size_log2 = (uint8_t)size, .mmu_index = (uint8_t)arm_mmu(ctx), .align = IR_ALIGN_FAULT, .order = (uint8_t)order,
                    .big_endian = arm_be(ctx) };
}

/* The same for an access to bytes of Xn + disp that LSE2 allows to be misaligned. */
static IrMem checked_mem(TransCtx *ctx, unsigned rn, int disp, unsigned size, unsigned order, bool write)
{
    IrMem mem = mem_of(ctx, size, order);

    mem.disp = disp;
    if (arm_has(ctx->vcpu, LSE2) && size) {
        IrRef addr = ir_op2_imm(ctx->b, IR_add, IR_I64, arm_xsp(ctx, rn), (uint64_t)(int64_t)disp);
        IrRef low = ir_op2_imm(ctx->b, IR_and, IR_I64, addr, 15);
        trans_raise_if(ctx, IR_GTU, low, ir_i64(ctx->b, 16 - (1u << size)), ARM_HELPER_unaligned,
                       rn | ((uint32_t)disp & 511) << 5 | (uint32_t)write << 14);
        mem.align = IR_ALIGN_ANY;
    }
    return mem;
}

static unsigned order_of(int acquire, int release)
{
    return (acquire ? IR_ORDER_ACQUIRE : 0) | (release ? IR_ORDER_RELEASE : 0);
}

/* Argument of helpers: MMU index, and whether everybody else is stopped. */
static IrRef how(TransCtx *ctx) { return ir_i32(ctx->b, arm_mmu(ctx) | (alone(ctx) ? ARM_PAIR_ALONE : 0)); }

/* Two 32-bit registers as one value, the first at the lower address. */
static IrRef join(TransCtx *ctx, unsigned first, unsigned second)
{
    bool be = arm_be(ctx);
    return ir_emit(ctx->b, IR_bfi, IR_I64, 32 | 32 << 8, arm_x(ctx, be ? second : first), arm_x(ctx, be ? first : second), IR_NONE);
}

static void split(TransCtx *ctx, unsigned first, unsigned second, IrRef value)
{
    bool be = arm_be(ctx);
    arm_set_x(ctx, be ? second : first, ir_op1(ctx->b, IR_zext32, IR_I64, value));
    arm_set_x(ctx, be ? first : second, ir_op2_imm(ctx->b, IR_shr, IR_I64, value, 32));
}

/* Helpers for 16 bytes have each half as it lies in memory. */
static IrRef half(TransCtx *ctx, IrRef value) { return arm_be(ctx) ? ir_op1(ctx->b, IR_bswap, IR_I64, value) : value; }

/* The upper half of what a helper has found in memory. */
static IrRef pair_high(TransCtx *ctx)
{
    return half(ctx, ir_ldenv(ctx->b, IR_I64, VCPU_JIT_OFFSET(monitor_value[1]), 8, false));
}

/* -- exclusives ------------------------------------------------------------------------------------------ */

void arm_trans_ldxr(TransCtx *ctx, ArgsOrd *a)
{
    arm_set_x(ctx, a->rt, ir_ll(ctx->b, IR_I64, arm_xsp(ctx, a->rn), mem_of(ctx, a->size, IR_ORDER_ACQUIRE)));
}

void arm_trans_stxr(TransCtx *ctx, const ArmArgsExs *a)
{
    IrRef failed = ir_sc(ctx->b, IR_I64, arm_xsp(ctx, a->rn), arm_x(ctx, a->rt), mem_of(ctx, a->size, order_of(0, a->release)));
    arm_set_x(ctx, a->rs, failed);
}

void arm_trans_ldxp(TransCtx *ctx, const ArmArgsExlp *a)
{
    if (a->size == 2) {
        split(ctx, a->rt, a->rt2, ir_ll(ctx->b, IR_I64, arm_xsp(ctx, a->rn), mem_of(ctx, 3, IR_ORDER_ACQUIRE)));
        return;
    }
    IrRef low = half(ctx, ir_call(ctx->b, ARM_HELPER_ldxp, 2, (IrRef[]){ arm_xsp(ctx, a->rn), how(ctx) }));
    IrRef high = pair_high(ctx);
    arm_set_x(ctx, a->rt, low);
    arm_set_x(ctx, a->rt2, high);
}

void arm_trans_stxp(TransCtx *ctx, const ArmArgsExp *a)
{
    if (a->size == 2) {
        IrRef value = join(ctx, a->rt, a->rt2);
        arm_set_x(ctx, a->rs, ir_sc(ctx->b, IR_I64, arm_xsp(ctx, a->rn), value, mem_of(ctx, 3, order_of(0, a->release))));
        return;
    }
    arm_set_x(ctx, a->rs, ir_call(ctx->b, ARM_HELPER_stxp, 4,
                                  (IrRef[]){ arm_xsp(ctx, a->rn), half(ctx, arm_x(ctx, a->rt)), half(ctx, arm_x(ctx, a->rt2)), how(ctx) }));
}

/* -- ordered loads and stores ------------------------------------------------------------------------------ */

/* opc as of plain loads: 1 zero-extended, 2 sign-extended to 64 bits, 3 to 32. */
static IrRef load_acquire(TransCtx *ctx, unsigned rn, int disp, unsigned size, unsigned opc)
{
    IrMem mem = checked_mem(ctx, rn, disp, size, IR_ORDER_ACQUIRE, false);

    mem.sign = opc >= 2;
    IrType type = opc == 3 ? IR_I32 : IR_I64;
    IrRef v = ir_load(ctx->b, type, arm_xsp(ctx, rn), IR_NONE, mem);
    if (!alone(ctx)) {
        ir_fence(ctx->b, IR_FENCE_RR | IR_FENCE_RW);
    }
    return arm_widen(ctx, type == IR_I64, v);
}

/* before_loads: no later load-acquire may overtake it (STLR; LDAPR does not mind). */
static void store_release(TransCtx *ctx, unsigned rn, int disp, unsigned size, IrRef value, bool before_loads)
{
    IrMem mem = checked_mem(ctx, rn, disp, size, IR_ORDER_RELEASE, true);

    if (!alone(ctx)) {
        ir_fence(ctx->b, IR_FENCE_RW | IR_FENCE_WW);
    }
    ir_store(ctx->b, arm_xsp(ctx, rn), IR_NONE, value, mem);
    if (before_loads && !alone(ctx)) {
        ir_fence(ctx->b, IR_FENCE_WR);
    }
}

void arm_trans_ldar(TransCtx *ctx, ArgsOrd *a) { arm_set_x(ctx, a->rt, load_acquire(ctx, a->rn, 0, a->size, 1)); }
void arm_trans_ldapr(TransCtx *ctx, ArgsOrd *a) { arm_set_x(ctx, a->rt, load_acquire(ctx, a->rn, 0, a->size, 1)); }
void arm_trans_stlr(TransCtx *ctx, ArgsOrd *a) { store_release(ctx, a->rn, 0, a->size, arm_x(ctx, a->rt), true); }

void arm_trans_ldapur(TransCtx *ctx, const ArmArgsLs *a)
{
    arm_set_x(ctx, a->rt, load_acquire(ctx, a->rn, a->imm, a->size, a->opc));
}

void arm_trans_stlur(TransCtx *ctx, const ArmArgsLs *a) { store_release(ctx, a->rn, a->imm, a->size, arm_x(ctx, a->rt), true); }

static void move_base(TransCtx *ctx, unsigned rn, int by)
{
    arm_set_xsp(ctx, rn, ir_op2_imm(ctx->b, IR_add, IR_I64, arm_xsp(ctx, rn), (uint64_t)(int64_t)by));
}

void arm_trans_ldapr_wb(TransCtx *ctx, ArgsOrd *a)
{
    IrRef v = load_acquire(ctx, a->rn, 0, a->size, 1);
    move_base(ctx, a->rn, 1 << a->size);
    arm_set_x(ctx, a->rt, v);
}

void arm_trans_stlr_wb(TransCtx *ctx, ArgsOrd *a)
{
    int by = -(1 << a->size);
    store_release(ctx, a->rn, by, a->size, arm_x(ctx, a->rt), true);
    move_base(ctx, a->rn, by);
}

/* Both lie within 16 aligned bytes, as if they were one. */
void arm_trans_ldiapp(TransCtx *ctx, const ArmArgsOrp *a)
{
    IrMem mem = checked_mem(ctx, a->rn, 0, a->size + 1, IR_ORDER_ACQUIRE, false), second;

    mem.size_log2 = (uint8_t)a->size;
    second = mem;
    second.disp = 1 << a->size;
    IrRef base = arm_xsp(ctx, a->rn);
    IrRef x = ir_load(ctx->b, IR_I64, base, IR_NONE, mem), y = ir_load(ctx->b, IR_I64, base, IR_NONE, second);
    if (!alone(ctx)) {
        ir_fence(ctx->b, IR_FENCE_RR | IR_FENCE_RW);
    }
    if (a->wb) {
        move_base(ctx, a->rn, 2 << a->size);
    }
    arm_set_x(ctx, a->rt, x);
    arm_set_x(ctx, a->rt2, y);
}

void arm_trans_stilp(TransCtx *ctx, const ArmArgsOrp *a)
{
    int disp = a->wb ? -(2 << a->size) : 0;
    IrMem mem = checked_mem(ctx, a->rn, disp, a->size + 1, IR_ORDER_RELEASE, true), second;

    mem.size_log2 = (uint8_t)a->size;
    second = mem;
    second.disp += 1 << a->size;
    if (!alone(ctx)) {
        ir_fence(ctx->b, IR_FENCE_RW | IR_FENCE_WW);
    }
    IrRef base = arm_xsp(ctx, a->rn), x = arm_x(ctx, a->rt), y = arm_x(ctx, a->rt2);
    ir_store(ctx->b, base, IR_NONE, x, mem);
    ir_store(ctx->b, base, IR_NONE, y, second);
    if (!alone(ctx)) {
        ir_fence(ctx->b, IR_FENCE_WR);
    }
    if (a->wb) {
        move_base(ctx, a->rn, disp);
    }
}

/* -- read-modify-write ------------------------------------------------------------------------------------------ */

static IrRef extend(TransCtx *ctx, IrRef v, unsigned size, bool sign)
{
    static const IrOp op[2][3] = { { IR_zext8, IR_zext16, IR_zext32 }, { IR_sext8, IR_sext16, IR_sext32 } };
    return size == 3 ? v : ir_op1(ctx->b, op[sign][size], IR_I64, v);
}

/* What is stored, in its low bytes. */
static IrRef combined(TransCtx *ctx, IrRmw op, unsigned size, IrRef old, IrRef operand)
{
    static const IrOp ops[] = { [IR_RMW_ADD] = IR_add, [IR_RMW_AND] = IR_and, [IR_RMW_OR] = IR_or, [IR_RMW_XOR] = IR_xor, [IR_RMW_MINS] = IR_mins,
                                [IR_RMW_MAXS] = IR_maxs, [IR_RMW_MINU] = IR_minu, [IR_RMW_MAXU] = IR_maxu };
    bool sign = op == IR_RMW_MINS || op == IR_RMW_MAXS;

    if (op == IR_RMW_XCHG) {
        return operand;
    }
    if (op >= IR_RMW_MINS) {
        old = extend(ctx, old, size, sign);
        operand = extend(ctx, operand, size, sign);
    }
    return ir_op2(ctx->b, ops[op], IR_I64, old, operand);
}

static void atomic(TransCtx *ctx, ArgsCas *a, IrRmw op, bool invert)
{
    IrMem mem = checked_mem(ctx, a->rn, 0, a->size, order_of(a->acquire, a->release), true);
    IrRef operand = arm_x(ctx, a->rs), base = arm_xsp(ctx, a->rn), old;

    operand = invert ? ir_op1(ctx->b, IR_not, IR_I64, operand) : operand;
    if (alone(ctx)) {
        old = ir_load(ctx->b, IR_I64, base, IR_NONE, mem);
        ir_store(ctx->b, base, IR_NONE, combined(ctx, op, a->size, old, operand), mem);
    } else {
        mem.rmw = op;
        old = ir_rmw(ctx->b, IR_I64, base, operand, mem);
    }
    arm_set_x(ctx, a->rt, old);
}

void arm_trans_ldadd(TransCtx *ctx, ArgsCas *a) { atomic(ctx, a, IR_RMW_ADD, false); }
void arm_trans_ldclr(TransCtx *ctx, ArgsCas *a) { atomic(ctx, a, IR_RMW_AND, true); }
void arm_trans_ldeor(TransCtx *ctx, ArgsCas *a) { atomic(ctx, a, IR_RMW_XOR, false); }
void arm_trans_ldset(TransCtx *ctx, ArgsCas *a) { atomic(ctx, a, IR_RMW_OR, false); }
void arm_trans_ldsmax(TransCtx *ctx, ArgsCas *a) { atomic(ctx, a, IR_RMW_MAXS, false); }
void arm_trans_ldsmin(TransCtx *ctx, ArgsCas *a) { atomic(ctx, a, IR_RMW_MINS, false); }
void arm_trans_ldumax(TransCtx *ctx, ArgsCas *a) { atomic(ctx, a, IR_RMW_MAXU, false); }
void arm_trans_ldumin(TransCtx *ctx, ArgsCas *a) { atomic(ctx, a, IR_RMW_MINU, false); }
void arm_trans_swp(TransCtx *ctx, ArgsCas *a) { atomic(ctx, a, IR_RMW_XCHG, false); }

void arm_trans_cas(TransCtx *ctx, ArgsCas *a)
{
    IrMem mem = checked_mem(ctx, a->rn, 0, a->size, order_of(a->acquire, a->release), true);
    IrRef base = arm_xsp(ctx, a->rn), expected = arm_x(ctx, a->rs), desired = arm_x(ctx, a->rt), old;

    if (alone(ctx)) {
        old = ir_load(ctx->b, IR_I64, base, IR_NONE, mem);
        /* A comparison that fails may write what was there (C6.2, CAS). */
        IrRef same = ir_setcond(ctx->b, IR_I32, IR_EQ, old, extend(ctx, expected, a->size, false));
        ir_store(ctx->b, base, IR_NONE, ir_select(ctx->b, IR_I64, same, desired, old), mem);
    } else {
        old = ir_cas(ctx->b, IR_I64, base, expected, desired, mem);
    }
    arm_set_x(ctx, a->rs, old);
}

/* size: 0 pairs of 32 bits, 1 of 64 (bit 30 alone says so here). */
void arm_trans_casp(TransCtx *ctx, ArgsCas *a)
{
    if ((a->rs | a->rt) & 1) {
        arm_undefined(ctx);
        return;
    }
    unsigned rs2 = (unsigned)a->rs + 1;
    if (a->size == 0) {
        IrMem mem = checked_mem(ctx, a->rn, 0, 3, order_of(a->acquire, a->release), true);
        IrRef old = ir_cas(ctx->b, IR_I64, arm_xsp(ctx, a->rn), join(ctx, a->rs, rs2), join(ctx, a->rt, (unsigned)a->rt + 1), mem);
        split(ctx, a->rs, rs2, old);
        return;
    }
    uint32_t regs = (uint32_t)a->rs | (uint32_t)a->rt << 5 | (uint32_t)arm_be(ctx) << 10;
    IrRef low = half(ctx, ir_call(ctx->b, ARM_HELPER_casp, 3, (IrRef[]){ arm_xsp(ctx, a->rn), ir_i32(ctx->b, regs), how(ctx) }));
    IrRef high = pair_high(ctx);
    arm_set_x(ctx, a->rs, low);
    arm_set_x(ctx, rs2, high);
}

/* LSE128. Register 31 is reserved for both operands. */
static void atomic_pair(TransCtx *ctx, const ArmArgsAmp *a, IrRmw op, bool invert)
{
    if (a->rt == ARM_ZR || a->rt2 == ARM_ZR || a->rt == a->rt2) {
        arm_undefined(ctx);
        return;
    }
    IrRef x = half(ctx, arm_x(ctx, a->rt)), y = half(ctx, arm_x(ctx, a->rt2));
    if (invert) {
        x = ir_op1(ctx->b, IR_not, IR_I64, x);
        y = ir_op1(ctx->b, IR_not, IR_I64, y);
    }
    IrRef low = half(ctx, ir_call(ctx->b, ARM_HELPER_rmwp, 5, (IrRef[]){ arm_xsp(ctx, a->rn), x, y, ir_i32(ctx->b, op), how(ctx) }));
    IrRef high = pair_high(ctx);
    arm_set_x(ctx, a->rt, low);
    arm_set_x(ctx, a->rt2, high);
}

void arm_trans_ldclrp(TransCtx *ctx, const ArmArgsAmp *a) { atomic_pair(ctx, a, IR_RMW_AND, true); }
void arm_trans_ldsetp(TransCtx *ctx, const ArmArgsAmp *a) { atomic_pair(ctx, a, IR_RMW_OR, false); }
void arm_trans_swpp(TransCtx *ctx, const ArmArgsAmp *a) { atomic_pair(ctx, a, IR_RMW_XCHG, false); }
