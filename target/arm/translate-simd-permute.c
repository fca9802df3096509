/*
 * translate-simd-permute.c: Advanced SIMD instructions that rearrange lanes (Arm ARM C7.2): EXT, REV, TBL, TBX, TRN, UZP, ZIP.
 *
 * The 8-byte form of one that takes lanes of two registers works on both low halves put together.
 */
#include "target/arm/translate-simd.h"

static IrRef both_low(TransCtx *ctx, ArgsV3 *a) { return arm_vjoin(ctx, arm_v(ctx, a->n), arm_v(ctx, a->m)); }

void arm_trans_v_ext(TransCtx *ctx, ArgsVex *a)
{
    IrRef n = arm_v(ctx, a->n), m = arm_v(ctx, a->m);

    if (!a->q) {
        n = m = arm_vjoin(ctx, n, m);
    }
    arm_put_v(ctx, a->d, a->q, 0, 0, arm_v2(ctx, IR_vext, (unsigned)a->imm4, n, m));
}

/* Lanes of size within containers of `container`, in reverse order. */
static void reverse(TransCtx *ctx, ArgsV2 *a, int container)
{
    uint8_t from[16];
    IrRef v = arm_v(ctx, a->n);

    if (container == 3 && a->size == 2) {
        v = arm_v1(ctx, IR_vperm32, 0xb1, v);
    } else {
        for (unsigned i = 0; i < 16; i++) {
            from[i] = (uint8_t)(i ^ (((1u << container) - 1) & ~((1u << a->size) - 1)));
        }
        v = arm_v2(ctx, IR_vtbl, 0, v, arm_vbytes(ctx, from));
    }
    arm_put2(ctx, a, v);
}

void arm_trans_v_rev16(TransCtx *ctx, ArgsV2 *a) { reverse(ctx, a, 1); }
void arm_trans_v_rev32(TransCtx *ctx, ArgsV2 *a) { reverse(ctx, a, 2); }
void arm_trans_v_rev64(TransCtx *ctx, ArgsV2 *a) { reverse(ctx, a, 3); }

/* -- two registers ------------------------------------------------------------------------------------ */

void arm_trans_v_zip1(TransCtx *ctx, ArgsV3 *a)
{
    arm_put3(ctx, a, arm_v2(ctx, IR_vzip_lo, (unsigned)a->size, arm_v(ctx, a->n), arm_v(ctx, a->m)));
}

void arm_trans_v_zip2(TransCtx *ctx, ArgsV3 *a)
{
    IrRef n = arm_v(ctx, a->n), m = arm_v(ctx, a->m);
    IrRef v = a->q ? arm_v2(ctx, IR_vzip_hi, (unsigned)a->size, n, m)
                   : arm_vupper(ctx, arm_v2(ctx, IR_vzip_lo, (unsigned)a->size, n, m));

    ir_put(ctx->b, ARM_SLOT_V + (unsigned)a->d, v);
}

/* Bytes and 16-bit lanes: as lanes twice as wide without the other half, which fit the narrower kind. */
IrRef arm_unzip(TransCtx *ctx, int size, bool odd, IrRef a, IrRef b)
{
    int bits = 8 << size;

    if (size == 3) {
        return arm_v2(ctx, odd ? IR_vzip_hi : IR_vzip_lo, 3, a, b);
    }
    if (size == 2) {
        return arm_v2(ctx, IR_vsel32, odd ? 0xdd : 0x88, a, b);
    }
    if (odd) {
        IrRef x = arm_vshift(ctx, IR_vshr, size + 1, a, bits);

        return arm_v2(ctx, IR_vpack_u, (unsigned)size + 1, x, a == b ? x : arm_vshift(ctx, IR_vshr, size + 1, b, bits));
    }
    IrRef mask = arm_vall(ctx, size + 1, ((uint64_t)1 << bits) - 1), x = arm_v2(ctx, IR_vand, 0, a, mask);

    return arm_v2(ctx, IR_vpack_u, (unsigned)size + 1, x, a == b ? x : arm_v2(ctx, IR_vand, 0, b, mask));
}

static void unzip(TransCtx *ctx, ArgsV3 *a, bool odd)
{
    IrRef n = arm_v(ctx, a->n), m = arm_v(ctx, a->m);

    if (!a->q) {
        n = m = both_low(ctx, a);
    }
    arm_put3(ctx, a, arm_unzip(ctx, a->size, odd, n, m));
}

void arm_trans_v_uzp1(TransCtx *ctx, ArgsV3 *a) { unzip(ctx, a, false); }
void arm_trans_v_uzp2(TransCtx *ctx, ArgsV3 *a) { unzip(ctx, a, true); }

/* Even lanes of n (of TRN2: the odd ones, moved) stay where the even ones of the result are. */
static void transpose(TransCtx *ctx, ArgsV3 *a, bool odd)
{
    IrRef n = arm_v(ctx, a->n), m = arm_v(ctx, a->m);
    int bits = 8 << a->size;

    if (a->size == 3) {
        arm_put3(ctx, a, arm_v2(ctx, odd ? IR_vzip_hi : IR_vzip_lo, 3, n, m));
        return;
    }
    if (odd) {
        n = arm_vshift(ctx, IR_vshr, a->size + 1, n, bits);
    } else {
        m = arm_vshift(ctx, IR_vshl, a->size + 1, m, bits);
    }
    if (a->size == 0) {
        arm_put3(ctx, a, odd ? arm_select_bits(ctx, arm_vall(ctx, 1, 0xff00), m, n)
                             : arm_v2(ctx, IR_vor, 0, m, arm_v2(ctx, IR_vand, 0, n, arm_vall(ctx, 1, 0xff))));
        return;
    }
    arm_put3(ctx, a, arm_v2(ctx, IR_vblend, (unsigned)a->size | (a->size == 1 ? 0xaau : 0xau) << 4, n, m));
}

void arm_trans_v_trn1(TransCtx *ctx, ArgsV3 *a) { transpose(ctx, a, false); }
void arm_trans_v_trn2(TransCtx *ctx, ArgsV3 *a) { transpose(ctx, a, true); }

/* -- tables ------------------------------------------------------------------------------------------- */

/* Indices of a table's register n are 16 * n to 16 * n + 15; others get bit 7 by a saturating addition. */
static IrRef looked_up(TransCtx *ctx, ArgsVtb *a, int registers)
{
    IrRef index = arm_v(ctx, a->m), v = IR_NONE;

    for (int r = 0; r < registers; r++) {
        IrRef i = r ? arm_v2(ctx, IR_vsub, 0, index, arm_vall(ctx, 0, (uint64_t)r * 16)) : index;
        IrRef x = arm_v2(ctx, IR_vtbl, 0, arm_v(ctx, a->n + r), arm_v2(ctx, IR_vsaddu, 0, i, arm_vall(ctx, 0, 0x70)));

        v = r ? arm_v2(ctx, IR_vor, 0, v, x) : x;
    }
    return v;
}

static void table(TransCtx *ctx, ArgsVtb *a, int registers)
{
    arm_put_v(ctx, a->d, a->q, 0, 0, looked_up(ctx, a, registers));
}

/* What is not in the table stays. */
static void table_extension(TransCtx *ctx, ArgsVtb *a, int registers)
{
    IrRef beyond = arm_v2(ctx, IR_vsaddu, 0, arm_v(ctx, a->m), arm_vall(ctx, 0, (uint64_t)(128 - 16 * registers)));
    IrRef v = looked_up(ctx, a, registers);

    arm_put_v(ctx, a->d, a->q, 0, 0, ir_emit(ctx->b, IR_vblendv, IR_V128, 0, beyond, arm_v(ctx, a->d), v));
}

void arm_trans_v_tbl1(TransCtx *ctx, ArgsVtb *a) { table(ctx, a, 1); }
void arm_trans_v_tbl2(TransCtx *ctx, ArgsVtb *a) { table(ctx, a, 2); }
void arm_trans_v_tbl3(TransCtx *ctx, ArgsVtb *a) { table(ctx, a, 3); }
void arm_trans_v_tbl4(TransCtx *ctx, ArgsVtb *a) { table(ctx, a, 4); }
void arm_trans_v_tbx1(TransCtx *ctx, ArgsVtb *a) { table_extension(ctx, a, 1); }
void arm_trans_v_tbx2(TransCtx *ctx, ArgsVtb *a) { table_extension(ctx, a, 2); }
void arm_trans_v_tbx3(TransCtx *ctx, ArgsVtb *a) { table_extension(ctx, a, 3); }
void arm_trans_v_tbx4(TransCtx *ctx, ArgsVtb *a) { table_extension(ctx, a, 4); }
