/*
 * translate-simd-ls.c: loads and stores of the SIMD and floating-point registers (Arm ARM C7.2, LD1 to STUR).
 *
 * A register of less than 16 bytes is loaded with zeros above (C1.2.5). Several registers or lanes are accessed in
 * ascending order; nothing but memory changes before the last access that may fault, so an instruction that faults can
 * be begun again.
 */
#include "target/arm/translate-simd.h"

typedef const ArmArgsVls ArgsVls;
typedef const ArmArgsVlsr ArgsVlsr;
typedef const ArmArgsVlit ArgsVlit;
typedef const ArmArgsVlsp ArgsVlsp;
typedef const ArmArgsVlsm ArgsVlsm;
typedef const ArmArgsVlss ArgsVlss;
typedef const ArmArgsVlsd ArgsVlsd;

enum { OFFSET, POST, PRE };

static IrRef get_v(TransCtx *ctx, unsigned n) { return ir_get(ctx->b, ARM_SLOT_V + (n & 31)); }
static void set_v(TransCtx *ctx, unsigned n, IrRef v) { ir_put(ctx->b, ARM_SLOT_V + (n & 31), v); }

static IrMem mem_of(TransCtx *ctx, unsigned log2, int disp)
{
    return (IrMem){ .disp = disp, .size_log2 = (uint8_t)log2, .mmu_index = (uint8_t)arm_mmu(ctx), .align = arm_align(ctx) };
}

/* Bytes reversed within each 1 << unit of the low 1 << log2, where data is big-endian; zeros above. */
static IrRef in_order(TransCtx *ctx, IrRef v, unsigned unit, unsigned log2)
{
    uint8_t table[16];

    if (!arm_be(ctx) || !unit) {
        return v;
    }
    for (unsigned i = 0; i < 16; i++) {
        table[i] = i < 1u << log2 ? (uint8_t)(i ^ ((1u << unit) - 1)) : 0x80;
    }
    return arm_v2(ctx, IR_vtbl, 0, v, arm_vbytes(ctx, table));
}

/* The low 1 << log2 bytes of a register from memory, zeros above; lanes of 1 << unit bytes are in memory's order. */
static IrRef load_lanes(TransCtx *ctx, IrRef base, IrRef index, unsigned log2, unsigned unit, int disp)
{
    if (log2 >= 2) {
        return in_order(ctx, ir_load(ctx->b, IR_V128, base, index, mem_of(ctx, log2, disp)), unit, log2);
    }
    IrMem mem = mem_of(ctx, log2, disp);
    mem.big_endian = arm_be(ctx);
    return ir_op1(ctx->b, IR_vzext, IR_V128, ir_load(ctx->b, IR_I64, base, index, mem));
}

static void store_lanes(TransCtx *ctx, IrRef base, IrRef index, unsigned log2, unsigned unit, int disp, IrRef v)
{
    IrMem mem = mem_of(ctx, log2, disp);

    if (log2 < 2) {
        mem.big_endian = arm_be(ctx);
        v = ir_emit(ctx->b, IR_vget_lane, IR_I32, log2, v, IR_NONE, IR_NONE);
    } else {
        v = in_order(ctx, v, unit, log2);
    }
    ir_store(ctx->b, base, index, v, mem);
}

/* As one number. */
static IrRef load(TransCtx *ctx, IrRef base, IrRef index, unsigned log2, int disp) { return load_lanes(ctx, base, index, log2, log2, disp); }

static void store(TransCtx *ctx, IrRef base, IrRef index, unsigned log2, int disp, IrRef v)
{
    store_lanes(ctx, base, index, log2, log2, disp, v);
}

static IrRef plus(TransCtx *ctx, IrRef base, int64_t n) { return ir_op2_imm(ctx->b, IR_add, IR_I64, base, (uint64_t)n); }

static void write_back(TransCtx *ctx, unsigned vn, IrRef base, int imm, int wb)
{
    if (wb != OFFSET) {
        arm_set_xsp(ctx, vn, plus(ctx, base, imm));
    }
}

void arm_trans_v_ldr(TransCtx *ctx, ArgsVls *a)
{
    IrRef base = arm_xsp(ctx, (unsigned)a->vn);
    IrRef v = load(ctx, base, IR_NONE, (unsigned)a->log2, a->wb == POST ? 0 : a->imm);

    write_back(ctx, (unsigned)a->vn, base, a->imm, a->wb);
    set_v(ctx, (unsigned)a->vt, v);
}

void arm_trans_v_str(TransCtx *ctx, ArgsVls *a)
{
    IrRef base = arm_xsp(ctx, (unsigned)a->vn);

    store(ctx, base, IR_NONE, (unsigned)a->log2, a->wb == POST ? 0 : a->imm, get_v(ctx, (unsigned)a->vt));
    write_back(ctx, (unsigned)a->vn, base, a->imm, a->wb);
}

static IrRef index_of(TransCtx *ctx, ArgsVlsr *a)
{
    return arm_extend_reg(ctx, (unsigned)a->vm, (unsigned)a->opt, a->s ? (unsigned)a->log2 : 0);
}

void arm_trans_v_ldr_reg(TransCtx *ctx, ArgsVlsr *a)
{
    set_v(ctx, (unsigned)a->vt, load(ctx, arm_xsp(ctx, (unsigned)a->vn), index_of(ctx, a), (unsigned)a->log2, 0));
}

void arm_trans_v_str_reg(TransCtx *ctx, ArgsVlsr *a)
{
    store(ctx, arm_xsp(ctx, (unsigned)a->vn), index_of(ctx, a), (unsigned)a->log2, 0, get_v(ctx, (unsigned)a->vt));
}

void arm_trans_v_ldr_lit(TransCtx *ctx, ArgsVlit *a)
{
    IrRef address = ir_i64(ctx->b, ctx->pc + (uint64_t)(int64_t)a->imm);

    set_v(ctx, (unsigned)a->vt, load(ctx, address, IR_NONE, (unsigned)a->log2, 0));
}

/* The registers of a load pair must differ: else the result is CONSTRAINED UNPREDICTABLE, here the second value. */
void arm_trans_v_ldp(TransCtx *ctx, ArgsVlsp *a)
{
    IrRef base = arm_xsp(ctx, (unsigned)a->vn);
    int disp = a->wb == POST ? 0 : a->imm;
    IrRef v = load(ctx, base, IR_NONE, (unsigned)a->log2, disp);
    IrRef v2 = load(ctx, base, IR_NONE, (unsigned)a->log2, disp + (1 << a->log2));

    write_back(ctx, (unsigned)a->vn, base, a->imm, a->wb);
    set_v(ctx, (unsigned)a->vt, v);
    set_v(ctx, (unsigned)a->vt2, v2);
}

void arm_trans_v_stp(TransCtx *ctx, ArgsVlsp *a)
{
    IrRef base = arm_xsp(ctx, (unsigned)a->vn);
    int disp = a->wb == POST ? 0 : a->imm;

    store(ctx, base, IR_NONE, (unsigned)a->log2, disp, get_v(ctx, (unsigned)a->vt));
    store(ctx, base, IR_NONE, (unsigned)a->log2, disp + (1 << a->log2), get_v(ctx, (unsigned)a->vt2));
    write_back(ctx, (unsigned)a->vn, base, a->imm, a->wb);
}

/* Post-index: by the bytes accessed if Rm is 31, else by X[m]; vm -1: none. */
static void post_index(TransCtx *ctx, int vn, int vm, IrRef base, int bytes)
{
    if (vm >= 0) {
        arm_set_xsp(ctx, (unsigned)vn, vm == ARM_ZR ? plus(ctx, base, bytes)
                                                    : ir_op2(ctx->b, IR_add, IR_I64, base, arm_x(ctx, (unsigned)vm)));
    }
}

static IrRef lane_get(TransCtx *ctx, IrRef v, unsigned log2, unsigned lane)
{
    return ir_emit(ctx->b, IR_vget_lane, IR_I64, log2 | lane << 4, v, IR_NONE, IR_NONE);
}

static IrRef lane_set(TransCtx *ctx, IrRef v, unsigned log2, unsigned lane, IrRef x)
{
    return ir_emit(ctx->b, IR_vset_lane, IR_V128, log2 | lane << 4, v, x, IR_NONE);
}

/* Size 3 needs 128 bits unless it is LD1 or ST1: one lane cannot be interleaved. */
static bool multiple_ok(TransCtx *ctx, ArgsVlsm *a)
{
    if (a->size == 3 && !a->q && a->regs > 1) {
        arm_undefined(ctx);
        return false;
    }
    return true;
}

void arm_trans_v_ldm(TransCtx *ctx, ArgsVlsm *a)
{
    unsigned log2 = (unsigned)a->size, regs = (unsigned)a->regs, n = regs * (unsigned)a->reps;
    IrRef base = arm_xsp(ctx, (unsigned)a->vn), v[4];
    int bytes = a->q ? 16 : 8;

    if (!multiple_ok(ctx, a)) {
        return;
    }
    if (regs == 1) {
        for (unsigned r = 0; r < n; r++) {
            v[r] = load_lanes(ctx, base, IR_NONE, a->q ? 4 : 3, log2, (int)r * bytes);
        }
    } else {
        IrRef piece[4];

        for (int at = 0; at < (int)regs * bytes; at += 16) {
            piece[at / 16] = load_lanes(ctx, base, IR_NONE, (int)regs * bytes - at < 16 ? 3 : 4, log2, at);
        }
        arm_deinterleave(ctx, (int)log2, a->q, regs, piece, v);
    }
    post_index(ctx, a->vn, a->vm, base, (int)n * bytes);
    for (unsigned r = 0; r < n; r++) {
        set_v(ctx, (unsigned)a->vt + r, v[r]);
    }
}

void arm_trans_v_stm(TransCtx *ctx, ArgsVlsm *a)
{
    unsigned log2 = (unsigned)a->size, regs = (unsigned)a->regs, n = regs * (unsigned)a->reps;
    IrRef base = arm_xsp(ctx, (unsigned)a->vn);
    int bytes = a->q ? 16 : 8;

    if (!multiple_ok(ctx, a)) {
        return;
    }
    if (regs == 1) {
        for (unsigned r = 0; r < n; r++) {
            store_lanes(ctx, base, IR_NONE, a->q ? 4 : 3, log2, (int)r * bytes, get_v(ctx, (unsigned)a->vt + r));
        }
    } else {
        IrRef reg[4], piece[4];

        for (unsigned r = 0; r < regs; r++) {
            reg[r] = get_v(ctx, (unsigned)a->vt + r);
        }
        arm_interleave(ctx, (int)log2, a->q, regs, reg, piece);
        for (int at = 0; at < (int)regs * bytes; at += 16) {
            store_lanes(ctx, base, IR_NONE, (int)regs * bytes - at < 16 ? 3 : 4, log2, at, piece[at / 16]);
        }
    }
    post_index(ctx, a->vn, a->vm, base, (int)n * bytes);
}

static IrMem lane_mem(TransCtx *ctx, unsigned log2, int disp)
{
    IrMem mem = mem_of(ctx, log2, disp);
    mem.big_endian = arm_be(ctx);
    return mem;
}

void arm_trans_v_ld1(TransCtx *ctx, ArgsVlss *a)
{
    unsigned log2 = (unsigned)a->log2, regs = (unsigned)a->regs;
    IrRef base = arm_xsp(ctx, (unsigned)a->vn), x[4];

    for (unsigned r = 0; r < regs; r++) {
        x[r] = ir_load(ctx->b, IR_I64, base, IR_NONE, lane_mem(ctx, log2, (int)(r << log2)));
    }
    post_index(ctx, a->vn, a->vm, base, (int)(regs << log2));
    for (unsigned r = 0; r < regs; r++) {
        unsigned t = (unsigned)a->vt + r;

        set_v(ctx, t, lane_set(ctx, get_v(ctx, t), log2, (unsigned)a->index, x[r]));
    }
}

void arm_trans_v_st1(TransCtx *ctx, ArgsVlss *a)
{
    unsigned log2 = (unsigned)a->log2, regs = (unsigned)a->regs;
    IrRef base = arm_xsp(ctx, (unsigned)a->vn);

    for (unsigned r = 0; r < regs; r++) {
        ir_store(ctx->b, base, IR_NONE, lane_get(ctx, get_v(ctx, (unsigned)a->vt + r), log2, (unsigned)a->index),
                 lane_mem(ctx, log2, (int)(r << log2)));
    }
    post_index(ctx, a->vn, a->vm, base, (int)(regs << log2));
}

/* LD1R to LD4R: one structure to all lanes. */
void arm_trans_v_ldr_all(TransCtx *ctx, ArgsVlsd *a)
{
    unsigned log2 = (unsigned)a->size, regs = (unsigned)a->regs;
    IrRef base = arm_xsp(ctx, (unsigned)a->vn), v[4];

    for (unsigned r = 0; r < regs; r++) {
        IrRef x = ir_load(ctx->b, IR_I64, base, IR_NONE, lane_mem(ctx, log2, (int)(r << log2)));

        v[r] = ir_emit(ctx->b, IR_vdup, IR_V128, log2, x, IR_NONE, IR_NONE);
        if (!a->q) {
            v[r] = ir_op1(ctx->b, IR_vzext, IR_V128, lane_get(ctx, v[r], 3, 0));
        }
    }
    post_index(ctx, a->vn, a->vm, base, (int)(regs << log2));
    for (unsigned r = 0; r < regs; r++) {
        set_v(ctx, (unsigned)a->vt + r, v[r]);
    }
}
