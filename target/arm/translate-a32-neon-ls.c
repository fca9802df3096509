/*
 * translate-a32-neon-ls.c: loads and stores of elements and structures of AArch32's Advanced SIMD (Arm ARM DDI 0487, F4.1.17, F6.1). Nothing is
 * written before the last access that may fault. Left out: faults for the alignment an instruction asks for.
 */
#include "target/arm/translate-a32-simd.h"

enum { MAX_D = 4 };

/* rm 15: no write-back, 13: by the bytes accessed, else by the register. */
static void write_back(TransCtx *ctx, int rn, int rm, IrRef base, unsigned bytes)
{
    if (rm != A32_PC) {
        IrRef by = rm == A32_SP ? ir_i32(ctx->b, bytes) : a32_r(ctx, (unsigned)rm);
        a32_put(ctx, (unsigned)rn, ir_op2(ctx->b, IR_add, IR_I32, base, by));
    }
}

/* -- whole registers ------------------------------------------------------------------------------------------ */

/* Structures of n elements, r times the registers of one, inc apart. */
typedef struct Shape { uint8_t n, r, inc; } Shape;

static bool shape_of(const A32ArgsNls *a, Shape *ret)
{
    static const Shape shapes[11] = {
        [0] = { 4, 1, 1 }, [1] = { 4, 1, 2 }, [2] = { 1, 4, 1 }, [3] = { 2, 2, 2 }, [4] = { 3, 1, 1 }, [5] = { 3, 1, 2 }, [6] = { 1, 3, 1 },
        [7] = { 1, 1, 1 }, [8] = { 2, 1, 1 }, [9] = { 2, 1, 2 }, [10] = { 1, 2, 1 },
    };
    if (a->typ > 10 || (a->size == 3 && a->typ != 2 && a->typ != 6 && a->typ != 7 && a->typ != 10)) {
        return false;
    }
    *ret = shapes[a->typ];
    /* Alignments that do not exist: 32 bytes for up to three registers, 16 for one or three. */
    return !((a->typ == 6 || a->typ == 7) && a->align & 2) && !(a->typ == 10 && a->align == 3) && !((a->typ == 8 || a->typ == 9) && a->align == 3) &&
           !((a->typ == 4 || a->typ == 5) && a->align & 2);
}

/* The register of element k of the structures of row j. */
static int reg_of(const A32ArgsNls *a, Shape s, unsigned j, unsigned k) { return a->d + (int)(s.n == 1 ? j : j + k * s.inc); }

static void many(TransCtx *ctx, const A32ArgsNls *a, bool load)
{
    Shape s;
    IrRef value[MAX_D] = { 0 };

    if (!shape_of(a, &s) || reg_of(a, s, s.r - 1u, s.n - 1u) > 31 || a->rn == A32_PC) {
        a32_undefined(ctx);
        return;
    }
    IrRef base = a32_r(ctx, (unsigned)a->rn);
    int disp = 0;
    for (unsigned j = 0; j < s.r; j++) {
        if (s.n == 1 && !a32_big_endian(ctx)) { /* else elements change their bytes */
            if (load) {
                value[j] = ir_op1(ctx->b, IR_vzext, IR_V128, ir_load(ctx->b, IR_F64, base, IR_NONE, a32_access(ctx, 3, false, disp)));
            } else {
                ir_store(ctx->b, base, IR_NONE, ir_op1(ctx->b, IR_vlow, IR_F64, a32_get_d(ctx, reg_of(a, s, j, 0))), a32_access(ctx, 3, false, disp));
            }
            disp += 8;
            continue;
        }
        for (unsigned e = 0; e < 8u >> a->size; e++) {
            for (unsigned k = 0; k < s.n; k++, disp += 1 << a->size) {
                unsigned at = j * s.n + k;
                if (load) {
                    IrRef x = ir_load(ctx->b, IR_I64, base, IR_NONE, a32_access(ctx, (unsigned)a->size, false, disp));
                    value[at] = e ? arm_v2(ctx, IR_vset_lane, (unsigned)a->size | e << 4, value[at], x) : ir_op1(ctx->b, IR_vzext, IR_V128, x);
                } else {
                    IrRef x = arm_lane(ctx, a32_get_d(ctx, reg_of(a, s, j, k)), a->size, e);
                    ir_store(ctx->b, base, IR_NONE, x, a32_access(ctx, (unsigned)a->size, false, disp));
                }
            }
        }
    }
    write_back(ctx, a->rn, a->rm, base, (unsigned)disp);
    for (unsigned j = 0; load && j < s.r; j++) {
        for (unsigned k = 0; k < s.n; k++) {
            a32_put_d(ctx, reg_of(a, s, j, k), value[j * s.n + k]);
        }
    }
}

void a32_trans_n_vld_many(TransCtx *ctx, const A32ArgsNls *a) { many(ctx, a, true); }
void a32_trans_n_vst_many(TransCtx *ctx, const A32ArgsNls *a) { many(ctx, a, false); }

/* -- one structure ----------------------------------------------------------------------------------------------- */

/* Values of index_align that do not exist, by size and number of elements. */
static bool lane_valid(const A32ArgsNl1 *a)
{
    int low = a->ia & 3;

    switch (a->n) {
    case 0: return a->size == 2 ? !(a->ia & 4) && (low == 0 || low == 3) : !(a->ia >> a->size & 1);
    case 1: return a->size < 2 || !(a->ia & 2);
    case 2: return !(a->size == 2 ? low : low & 1);
    default: return a->size < 2 || low != 3;
    }
}

static void lane(TransCtx *ctx, const A32ArgsNl1 *a, bool load)
{
    unsigned size = (unsigned)a->size, index = (unsigned)a->ia >> (size + 1), n = (unsigned)a->n + 1;
    int inc = size == 1 ? 1 + (a->ia >> 1 & 1) : size == 2 ? 1 + (a->ia >> 2 & 1) : 1;
    IrRef value[MAX_D];

    if (a->d + (int)(n - 1) * inc > 31 || a->rn == A32_PC || !lane_valid(a)) {
        a32_undefined(ctx);
        return;
    }
    IrRef base = a32_r(ctx, (unsigned)a->rn);
    for (unsigned k = 0; k < n; k++) {
        int reg = a->d + (int)k * inc;
        IrMem mem = a32_access(ctx, size, false, (int)(k << size));
        if (load) {
            value[k] = ir_load(ctx->b, IR_I64, base, IR_NONE, mem);
        } else {
            ir_store(ctx->b, base, IR_NONE, arm_lane(ctx, a32_get_d(ctx, reg), (int)size, index), mem);
        }
    }
    write_back(ctx, a->rn, a->rm, base, n << size);
    for (unsigned k = 0; load && k < n; k++) {
        int reg = a->d + (int)k * inc;
        a32_put_d(ctx, reg, arm_v2(ctx, IR_vset_lane, size | index << 4, a32_get_d(ctx, reg), value[k]));
    }
}

void a32_trans_n_vld_lane(TransCtx *ctx, const A32ArgsNl1 *a) { lane(ctx, a, true); }
void a32_trans_n_vst_lane(TransCtx *ctx, const A32ArgsNl1 *a) { lane(ctx, a, false); }

/* To all lanes; ia: size in bits 3:2, T in bit 1: every second register, for one element: two registers. */
void a32_trans_n_vld_all(TransCtx *ctx, const A32ArgsNl1 *a)
{
    unsigned n = (unsigned)a->n + 1, size = (unsigned)a->ia >> 2;
    int two = a->ia >> 1 & 1, inc = 1 + two;
    IrRef value[MAX_D];

    bool align = a->ia & 1;

    size = size == 3 && n == 4 && align ? 2 : size; /* 32-bit elements with an alignment of 16 bytes */
    if (size == 3 || (align && (n == 3 || (n == 1 && size == 0))) || a->d + (n == 1 ? two : (int)(n - 1) * inc) > 31 || a->rn == A32_PC) {
        a32_undefined(ctx);
        return;
    }
    IrRef base = a32_r(ctx, (unsigned)a->rn);
    for (unsigned k = 0; k < n; k++) {
        value[k] = ir_load(ctx->b, IR_I64, base, IR_NONE, a32_access(ctx, size, false, (int)(k << size)));
    }
    write_back(ctx, a->rn, a->rm, base, n << size);
    for (unsigned k = 0; k < n; k++) {
        IrRef v = arm_dup(ctx, (int)size, value[k]);
        a32_put_d(ctx, a->d + (n == 1 ? 0 : (int)k * inc), v);
        if (n == 1 && two) {
            a32_put_d(ctx, a->d + 1, v);
        }
    }
}
