/*
 * eval.c: what each pure scalar operation computes, on constants.
 *
 * The folder and the interpreter both come here, so that an operation has one definition in C. I32 and
 * F32 values are held zero-extended in the uint64_t; operands need not be.
 */
#include "tcg/ir.h"

static uint64_t mask_to(IrType type, uint64_t v)
{
    return type == IR_I32 || type == IR_F32 ? (uint32_t)v : v;
}

bool ir_cond_eval(IrCond cond, IrType type, uint64_t a, uint64_t b)
{
    uint64_t ua = mask_to(type, a), ub = mask_to(type, b);
    int64_t sa = type == IR_I32 ? (int32_t)a : (int64_t)a;
    int64_t sb = type == IR_I32 ? (int32_t)b : (int64_t)b;

    switch (cond) {
    case IR_EQ: return ua == ub;
    case IR_NE: return ua != ub;
    case IR_LT: return sa < sb;
    case IR_GE: return sa >= sb;
    case IR_LE: return sa <= sb;
    case IR_GT: return sa > sb;
    case IR_LTU: return ua < ub;
    case IR_GEU: return ua >= ub;
    case IR_LEU: return ua <= ub;
    case IR_GTU: return ua > ub;
    case IR_TSTEQ: return (ua & ub) == 0;
    case IR_TSTNE: return (ua & ub) != 0;
    default: return false;
    }
}

static uint64_t brev8(uint64_t v)
{
    v = (v >> 1 & 0x5555555555555555) | (v & 0x5555555555555555) << 1;
    v = (v >> 2 & 0x3333333333333333) | (v & 0x3333333333333333) << 2;
    return (v >> 4 & 0x0f0f0f0f0f0f0f0f) | (v & 0x0f0f0f0f0f0f0f0f) << 4;
}

static uint64_t orcb(uint64_t v)
{
    /* bit 7 of each byte: set when any bit of the byte is */
    uint64_t any = ((v & 0x7f7f7f7f7f7f7f7f) + 0x7f7f7f7f7f7f7f7f) | v;

    any = any >> 7 & 0x0101010101010101;
    return any * 0xff;
}

static unsigned __int128 clmul128(uint64_t a, uint64_t b)
{
    unsigned __int128 r = 0;

    for (unsigned i = 0; i < 64; i++) {
        if (b >> i & 1) {
            r ^= (unsigned __int128)a << i;
        }
    }
    return r;
}

/* RISC-V F, table "Format of result of FCLASS instruction"; the widths are of exponent and fraction. */
static unsigned fclass(uint64_t v, unsigned exp_bits, unsigned frac_bits)
{
    bool neg = v >> (exp_bits + frac_bits) & 1;
    uint64_t exp = bits_get(v, frac_bits, exp_bits), frac = bits_get(v, 0, frac_bits);
    uint64_t exp_max = bits_mask(0, exp_bits);

    if (exp == exp_max) {
        if (frac) {
            return frac >> (frac_bits - 1) & 1 ? 1 << 9 : 1 << 8;
        }
        return neg ? 1 << 0 : 1 << 7;
    }
    if (!exp) {
        if (!frac) {
            return neg ? 1 << 3 : 1 << 4;
        }
        return neg ? 1 << 2 : 1 << 5;
    }
    return neg ? 1 << 1 : 1 << 6;
}

static uint64_t divide(IrOp op, int64_t sa, int64_t sb, uint64_t a, uint64_t b, unsigned width)
{
    int64_t min = (int64_t)(~(uint64_t)0 << (width - 1));

    switch (op) {
    case IR_divs: return !b ? ~(uint64_t)0 : sb == -1 ? (uint64_t)0 - a : (uint64_t)(sa / sb);
    case IR_divu: return !b ? ~(uint64_t)0 : a / b;
    case IR_rems: return !b ? a : sb == -1 || (sa == min && sb == -1) ? 0 : (uint64_t)(sa % sb);
    default: return !b ? a : a % b;
    }
}

uint64_t ir_eval(IrOp op, IrType type, IrType operand_type, uint16_t aux, uint64_t a, uint64_t b,
                 uint64_t c)
{
    bool narrow = type == IR_I32;
    unsigned width = narrow ? 32 : 64;
    unsigned pos = aux & 0xff, len = aux >> 8;
    uint64_t r;

    if (op == IR_setcond) {
        return ir_cond_eval(aux, operand_type, a, b);
    }
    if (op == IR_select) {
        return mask_to(type, mask_to(operand_type, a) ? b : c);
    }
    if (op == IR_fclass) {
        return operand_type == IR_F32 ? fclass((uint32_t)a, 8, 23) : fclass(a, 11, 52);
    }

    if (narrow && op != IR_trunc) {
        a = (uint32_t)a;
        b = (uint32_t)b;
    }
    int64_t sa = narrow ? (int32_t)a : (int64_t)a;
    int64_t sb = narrow ? (int32_t)b : (int64_t)b;
    unsigned n = b & (width - 1);

    switch (op) {
    case IR_add: r = a + b; break;
    case IR_sub: r = a - b; break;
    case IR_mul: r = a * b; break;
    case IR_mulhs: r = (uint64_t)((__int128)sa * sb >> width); break;
    case IR_mulhu: r = (uint64_t)((unsigned __int128)a * b >> width); break;
    case IR_mulhsu: r = (uint64_t)((__int128)sa * (__int128)b >> width); break;
    case IR_divs: case IR_divu: case IR_rems: case IR_remu:
        r = divide(op, sa, sb, a, b, width);
        break;
    case IR_neg: r = (uint64_t)0 - a; break;
    case IR_not: r = ~a; break;
    case IR_and: r = a & b; break;
    case IR_or: r = a | b; break;
    case IR_xor: r = a ^ b; break;
    case IR_andn: r = a & ~b; break;
    case IR_orn: r = a | ~b; break;
    case IR_xnor: r = ~(a ^ b); break;
    case IR_shl: r = a << n; break;
    case IR_shr: r = a >> n; break;
    case IR_sar: r = (uint64_t)(sa >> n); break;
    case IR_rotl: r = a << n | a >> (-n & (width - 1)); break;
    case IR_rotr: r = a >> n | a << (-n & (width - 1)); break;
    case IR_clz: r = a ? (unsigned)__builtin_clzll(a) - (64 - width) : width; break;
    case IR_ctz: r = a ? (unsigned)__builtin_ctzll(a) : width; break;
    case IR_popcnt: r = (unsigned)__builtin_popcountll(a); break;
    case IR_bswap: r = narrow ? __builtin_bswap32((uint32_t)a) : __builtin_bswap64(a); break;
    case IR_brev8: r = brev8(a); break;
    case IR_orcb: r = orcb(a); break;
    case IR_clmul: r = (uint64_t)clmul128(a, b); break;
    case IR_clmulh: r = (uint64_t)(clmul128(a, b) >> width); break;
    case IR_sext8: r = (uint64_t)(int8_t)a; break;
    case IR_sext16: r = (uint64_t)(int16_t)a; break;
    case IR_sext32: r = (uint64_t)(int32_t)a; break;
    case IR_zext8: r = (uint8_t)a; break;
    case IR_zext16: r = (uint16_t)a; break;
    case IR_zext32: r = (uint32_t)a; break;
    case IR_bfx: r = bits_get(a, pos, len); break;
    case IR_bfxs: r = (uint64_t)bits_get_signed(a, pos, len); break;
    case IR_bfi: r = bits_set(a, pos, len, b); break;
    case IR_trunc: r = (uint32_t)a; break;
    case IR_ext_s: r = (uint64_t)(int32_t)a; break;
    case IR_ext_u: r = (uint32_t)a; break;
    case IR_mins: r = sa < sb ? a : b; break;
    case IR_maxs: r = sa > sb ? a : b; break;
    case IR_minu: r = a < b ? a : b; break;
    case IR_maxu: r = a > b ? a : b; break;
    case IR_bitcast: r = a; break;
    case IR_fbox: r = (uint32_t)a | ~(uint64_t)UINT32_MAX; break;
    case IR_funbox: r = a >> 32 == UINT32_MAX ? (uint32_t)a : 0x7fc00000; break;
    case IR_flow: r = (uint32_t)a; break;
    default:
        assert(!"not a pure scalar operation");
        r = 0;
        break;
    }
    return mask_to(type, r);
}
