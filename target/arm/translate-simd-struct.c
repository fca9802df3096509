/*
 * translate-simd-struct.c: how LD2 to LD4 and ST2 to ST4 of whole vectors rearrange what lies in memory (Arm ARM C7.2).
 *
 * Memory is up to four pieces of 16 bytes (of 8-byte vectors of three registers the last has 8); structures lie one behind the
 * other. Lane i of register r is at lane i * regs + r of the pieces together.
 */
#include "target/arm/translate-simd.h"

/* Bytes of up to four values, by their position in all of them; -1: zero. */
static IrRef gather(TransCtx *ctx, const IrRef *from, unsigned n, const int position[16])
{
    IrRef v = IR_NONE;

    for (unsigned k = 0; k < n; k++) {
        uint8_t table[16];
        bool any = false;

        for (unsigned i = 0; i < 16; i++) {
            bool here = position[i] >= 0 && (unsigned)position[i] / 16 == k;

            table[i] = here ? (uint8_t)(position[i] % 16) : 0x80;
            any |= here;
        }
        if (any) {
            IrRef x = arm_v2(ctx, IR_vtbl, 0, from[k], arm_vbytes(ctx, table));

            v = v == IR_NONE ? x : arm_v2(ctx, IR_vor, 0, v, x);
        }
    }
    return v;
}

/* Four rows of four 32-bit lanes to columns. */
static void transpose(TransCtx *ctx, const IrRef x[4], IrRef ret[4])
{
    IrRef low01 = arm_v2(ctx, IR_vzip_lo, 2, x[0], x[1]), low23 = arm_v2(ctx, IR_vzip_lo, 2, x[2], x[3]);
    IrRef high01 = arm_v2(ctx, IR_vzip_hi, 2, x[0], x[1]), high23 = arm_v2(ctx, IR_vzip_hi, 2, x[2], x[3]);

    ret[0] = arm_v2(ctx, IR_vzip_lo, 3, low01, low23);
    ret[1] = arm_v2(ctx, IR_vzip_hi, 3, low01, low23);
    ret[2] = arm_v2(ctx, IR_vzip_lo, 3, high01, high23);
    ret[3] = arm_v2(ctx, IR_vzip_hi, 3, high01, high23);
}

/* Within a piece, structures of four lanes to words of one register's lanes each, or back. */
static IrRef group(TransCtx *ctx, int size, bool back, IrRef v)
{
    uint8_t table[16];
    unsigned lane = 1u << size;

    if (size >= 2) {
        return v;
    }
    for (unsigned r = 0; r < 4; r++) {
        for (unsigned i = 0; i < 4; i++) {
            unsigned word = r * 4 + i, structure = (i / lane * 4 + r) * lane + i % lane;

            table[back ? structure : word] = (uint8_t)(back ? word : structure);
        }
    }
    return arm_v2(ctx, IR_vtbl, 0, v, arm_vbytes(ctx, table));
}

/* Registers from pieces. */
void arm_deinterleave(TransCtx *ctx, int size, int q, unsigned regs, const IrRef *piece, IrRef *ret)
{
    unsigned bytes = q ? 16 : 8, lane = 1u << size, n = (regs * bytes + 15) / 16;

    if (size == 3 && regs == 4) {
        for (unsigned r = 0; r < 4; r++) {
            ret[r] = arm_v2(ctx, r & 1 ? IR_vzip_hi : IR_vzip_lo, 3, piece[r / 2], piece[2 + r / 2]);
        }
    } else if (size == 3 && regs == 3) {
        ret[0] = arm_v2(ctx, IR_vsel64, 2, piece[0], piece[1]);
        ret[1] = arm_v2(ctx, IR_vsel64, 1, piece[0], piece[2]);
        ret[2] = arm_v2(ctx, IR_vsel64, 2, piece[1], piece[2]);
    } else if (regs == 4 && q) {
        IrRef x[4];

        for (unsigned k = 0; k < 4; k++) {
            x[k] = group(ctx, size, false, piece[k]);
        }
        transpose(ctx, x, ret);
    } else if (regs == 2 && q) {
        ret[0] = arm_unzip(ctx, size, false, piece[0], piece[1]);
        ret[1] = arm_unzip(ctx, size, true, piece[0], piece[1]);
    } else {
        for (unsigned r = 0; r < regs; r++) {
            int position[16];

            for (unsigned i = 0; i < 16; i++) {
                position[i] = i < bytes ? (int)((i / lane * regs + r) * lane + i % lane) : -1;
            }
            ret[r] = gather(ctx, piece, n, position);
        }
    }
}

/* Pieces from registers. */
void arm_interleave(TransCtx *ctx, int size, int q, unsigned regs, const IrRef *reg, IrRef *ret)
{
    unsigned bytes = q ? 16 : 8, lane = 1u << size, n = (regs * bytes + 15) / 16;

    if (size == 3 && regs == 4) {
        for (unsigned k = 0; k < 4; k++) {
            ret[k] = arm_v2(ctx, k < 2 ? IR_vzip_lo : IR_vzip_hi, 3, reg[k % 2 * 2], reg[k % 2 * 2 + 1]);
        }
    } else if (size == 3 && regs == 3) {
        ret[0] = arm_v2(ctx, IR_vzip_lo, 3, reg[0], reg[1]);
        ret[1] = arm_v2(ctx, IR_vsel64, 2, reg[2], reg[0]);
        ret[2] = arm_v2(ctx, IR_vzip_hi, 3, reg[1], reg[2]);
    } else if (regs == 4 && q) {
        IrRef x[4];

        transpose(ctx, reg, x);
        for (unsigned k = 0; k < 4; k++) {
            ret[k] = group(ctx, size, true, x[k]);
        }
    } else if (regs == 2) {
        ret[0] = arm_v2(ctx, IR_vzip_lo, (unsigned)size, reg[0], reg[1]);
        ret[1] = q ? arm_v2(ctx, IR_vzip_hi, (unsigned)size, reg[0], reg[1]) : IR_NONE;
    } else {
        for (unsigned k = 0; k < n; k++) {
            int position[16];

            for (unsigned i = 0; i < 16; i++) {
                unsigned at = (k * 16 + i) / lane, inside = i % lane;

                position[i] = at / regs * lane < bytes ? (int)(at % regs * 16 + at / regs * lane + inside) : -1;
            }
            ret[k] = gather(ctx, reg, regs, position);
        }
    }
}
