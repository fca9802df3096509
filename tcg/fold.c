/*
 * fold.c: constant folding and identities, applied to each instruction as it is emitted.
 *
 * A rule looks at the instruction and at the definitions of its operands, one or two levels deep, and
 * answers with a value that exists already, or with a cheaper instruction. What a new rule must keep:
 *  - only PURE operations are touched, and the result must be equal for every operand (the text of the
 *    operation in ops.def is the law; tests/fuzz/ir-fuzz compares folded units with unfolded ones);
 *  - operands seen through another instruction must be visible here: they are, because the folder only
 *    walks down definitions of visible values, and visibility covers whole chains of blocks;
 *  - a rule that looks through an operand makes that operand's operands live longer: it must save an
 *    instruction or shorten the critical path;
 *  - constants end up on the right of commutative operations and comparisons;
 *  - bounded work: no rule loops over anything, recursion is limited by DEPTH.
 */
#include "tcg/fold.h"
#include "target/target.h"

enum { DEPTH = 4 };

typedef struct Fold {
    IrBuilder *b;
    IrUnit *unit;
    IrInsn *insn;
    uint64_t ones; /* all ones of the instruction's type */
    unsigned width;
} Fold;

static const IrInsn *def(const IrUnit *unit, IrRef ref)
{
    return &unit->insns.at[ref];
}

static bool const_of(const IrUnit *unit, IrRef ref, uint64_t *ret)
{
    const IrInsn *in = def(unit, ref);

    if (in->op != IR_const) {
        return false;
    }
    *ret = in->imm;
    return true;
}

/* -- known bits -------------------------------------------------------------------------------- */

static unsigned width_of(IrType type)
{
    return type == IR_I32 ? 32 : 64;
}

static unsigned bit_length(uint64_t v)
{
    return v ? 64 - (unsigned)__builtin_clzll(v) : 0;
}

static unsigned zext_bits(const IrUnit *unit, IrRef ref, unsigned depth)
{
    const IrInsn *in = def(unit, ref);
    unsigned width = width_of(in->type);
    uint64_t imm;

    if (!depth) {
        return width;
    }
    switch (in->op) {
    case IR_const: return bit_length(in->imm);
    case IR_zext8: return MIN(8, zext_bits(unit, in->a, depth - 1));
    case IR_zext16: return MIN(16, zext_bits(unit, in->a, depth - 1));
    case IR_zext32: return MIN(32, zext_bits(unit, in->a, depth - 1));
    case IR_ext_u: return MIN(32, zext_bits(unit, in->a, depth - 1));
    case IR_trunc: return MIN(32, zext_bits(unit, in->a, depth - 1));
    case IR_bfx: return in->aux >> 8;
    case IR_setcond: case IR_fcmp: case IR_sc: return 1;
    case IR_clz: case IR_ctz: case IR_popcnt: return 7;
    case IR_fclass: return 10;
    case IR_ld: case IR_ll: {
        const IrMem *mem = &unit->mem.at[in->aux];
        return mem->sign ? width : MIN(width, 8u << mem->size_log2);
    }
    case IR_ldenv:
        return in->aux & IR_ENV_SIGN ? width : MIN(width, 8u << (in->aux & 7));
    case IR_vget_lane: return MIN(width, 8u << (in->aux & 15));
    case IR_and: {
        unsigned x = zext_bits(unit, in->a, depth - 1), y = zext_bits(unit, in->b, depth - 1);
        return MIN(x, y);
    }
    case IR_or: case IR_xor: {
        unsigned x = zext_bits(unit, in->a, depth - 1), y = zext_bits(unit, in->b, depth - 1);
        return MAX(x, y);
    }
    case IR_select: {
        unsigned x = zext_bits(unit, in->b, depth - 1), y = zext_bits(unit, in->c, depth - 1);
        return MAX(x, y);
    }
    case IR_shr:
        if (const_of(unit, in->b, &imm)) {
            unsigned n = zext_bits(unit, in->a, depth - 1), s = imm & (width - 1);
            return n > s ? n - s : 0;
        }
        return zext_bits(unit, in->a, depth - 1);
    case IR_shl:
        if (const_of(unit, in->b, &imm)) {
            return MIN(width, zext_bits(unit, in->a, depth - 1) + (imm & (width - 1)));
        }
        return width;
    default:
        return width;
    }
}

static unsigned sext_bits(const IrUnit *unit, IrRef ref, unsigned depth)
{
    const IrInsn *in = def(unit, ref);
    unsigned width = width_of(in->type);
    uint64_t imm;

    if (!depth) {
        return width;
    }
    switch (in->op) {
    case IR_const: {
        int64_t v = in->type == IR_I32 ? (int32_t)in->imm : (int64_t)in->imm;
        return bit_length((uint64_t)(v < 0 ? ~v : v)) + 1;
    }
    case IR_sext8: return MIN(8, sext_bits(unit, in->a, depth - 1));
    case IR_sext16: return MIN(16, sext_bits(unit, in->a, depth - 1));
    case IR_sext32: return MIN(32, sext_bits(unit, in->a, depth - 1));
    case IR_ext_s: return sext_bits(unit, in->a, depth - 1);
    case IR_bfxs: return in->aux >> 8;
    case IR_ld: case IR_ll: {
        const IrMem *mem = &unit->mem.at[in->aux];
        return MIN(width, (8u << mem->size_log2) + !mem->sign);
    }
    case IR_ldenv:
        return MIN(width, (8u << (in->aux & 7)) + !(in->aux & IR_ENV_SIGN));
    case IR_sar:
        if (const_of(unit, in->b, &imm)) {
            unsigned n = sext_bits(unit, in->a, depth - 1), s = imm & (width - 1);
            return n > s + 1 ? n - s : 1;
        }
        return sext_bits(unit, in->a, depth - 1);
    case IR_not:
        return sext_bits(unit, in->a, depth - 1);
    case IR_or: case IR_xor: case IR_andn: case IR_orn: case IR_xnor: {
        unsigned x = sext_bits(unit, in->a, depth - 1), y = sext_bits(unit, in->b, depth - 1);
        return MAX(x, y);
    }
    case IR_and: {
        unsigned x = sext_bits(unit, in->a, depth - 1), y = sext_bits(unit, in->b, depth - 1);
        unsigned z = zext_bits(unit, ref, depth - 1);
        return MIN(MAX(x, y), MIN(width, z + 1));
    }
    case IR_select: {
        unsigned x = sext_bits(unit, in->b, depth - 1), y = sext_bits(unit, in->c, depth - 1);
        return MAX(x, y);
    }
    case IR_mins: case IR_maxs: {
        unsigned x = sext_bits(unit, in->a, depth - 1), y = sext_bits(unit, in->b, depth - 1);
        return MAX(x, y);
    }
    default:
        return MIN(width, zext_bits(unit, ref, depth) + 1);
    }
}

unsigned ir_zext_bits(const IrUnit *unit, IrRef ref)
{
    return zext_bits(unit, ref, DEPTH);
}

unsigned ir_sext_bits(const IrUnit *unit, IrRef ref)
{
    return sext_bits(unit, ref, DEPTH);
}

/* -- helpers of the rules --------------------------------------------------------------------------- */

static IrRef make_const(Fold *f, uint64_t imm)
{
    return ir_const(f->b, f->insn->type, imm);
}

/* Turns the instruction into another of the same type. */
static IrRef become(Fold *f, IrOp op, IrRef a, IrRef b)
{
    f->insn->op = op;
    f->insn->aux = 0;
    f->insn->a = a;
    f->insn->b = b;
    f->insn->c = IR_NONE;
    return ir_fold(f->b, f->insn);
}

static IrRef become_imm(Fold *f, IrOp op, IrRef a, uint64_t imm)
{
    return become(f, op, a, make_const(f, imm));
}

/* Extensions that leave the low `bits` bits alone are not needed below an operation that looks only at those. */
static IrRef strip_ext(const IrUnit *unit, IrRef ref, unsigned bits)
{
    for (;;) {
        const IrInsn *in = def(unit, ref);
        unsigned keeps;
        switch (in->op) {
        case IR_sext8: case IR_zext8: keeps = 8; break;
        case IR_sext16: case IR_zext16: keeps = 16; break;
        case IR_sext32: case IR_zext32: keeps = 32; break;
        case IR_bfi: /* the low part is all b */
            if (in->aux & 0xff || in->aux >> 8 < bits) {
                return ref;
            }
            ref = in->b;
            continue;
        default: return ref;
        }
        if (keeps < bits) {
            return ref;
        }
        ref = in->a;
    }
}

/* A shift count is read modulo the width: masks and extensions that keep those bits go. */
static IrRef strip_count(const IrUnit *unit, IrRef ref, unsigned width)
{
    for (;;) {
        const IrInsn *in = def(unit, ref);
        uint64_t imm;
        if (in->op == IR_and && const_of(unit, in->b, &imm) && (imm & (width - 1)) == width - 1) {
            ref = in->a;
            continue;
        }
        IrRef next = strip_ext(unit, ref, 6);
        if (next == ref) {
            return ref;
        }
        ref = next;
    }
}

static IrRef extend(Fold *f, IrRef x, unsigned bits, bool sign)
{
    IrOp op = bits == 8 ? (sign ? IR_sext8 : IR_zext8) : bits == 16 ? (sign ? IR_sext16 : IR_zext16)
            : (sign ? IR_sext32 : IR_zext32);
    return become(f, op, x, IR_NONE);
}

/* -- rules ------------------------------------------------------------------------------------------ */

/*
 * (x << c) combined with (x >> (width - c)) by an operation that equals `or` on disjoint bits is a rotation;
 * so are slliw and srliw: the one a sign-extended 32-bit shift, the other a bit field (fold_widths).
 */
static bool match_rotation(const IrUnit *unit, IrRef left, IrRef right, IrRef *ret_x, unsigned *ret_count)
{
    const IrInsn *l = def(unit, left), *r = def(unit, right);
    uint64_t c, d;

    if (l->op == IR_ext_s && r->op == IR_bfx) {
        const IrInsn *shift = def(unit, l->a);
        if (shift->op != IR_shl || def(unit, shift->a)->op != IR_trunc ||
            def(unit, shift->a)->a != r->a || !const_of(unit, shift->b, &c) ||
            r->aux != ((32 - c) | c << 8)) {
            return false;
        }
        *ret_x = shift->a;
        *ret_count = c;
        return true;
    }
    if (l->op != IR_shl || r->op != IR_shr || l->a != r->a || !const_of(unit, l->b, &c) ||
        !const_of(unit, r->b, &d) || c + d != width_of(l->type)) {
        return false;
    }
    *ret_x = l->a;
    *ret_count = c;
    return true;
}

static IrRef fold_rotation(Fold *f)
{
    IrInsn *i = f->insn;
    const IrInsn *x = def(f->unit, i->a);
    unsigned count;
    IrRef v;

    if (x->op != IR_shl && x->op != IR_shr && x->op != IR_ext_s && x->op != IR_bfx) {
        return IR_NONE;
    }
    if (!match_rotation(f->unit, i->a, i->b, &v, &count) && !match_rotation(f->unit, i->b, i->a, &v, &count)) {
        return IR_NONE;
    }
    if (def(f->unit, v)->type == i->type) {
        return become_imm(f, IR_rotl, v, count);
    }
    return become(f, IR_ext_s, ir_op2_imm(f->b, IR_rotl, IR_I32, v, count), IR_NONE);
}

static IrRef fold_add(Fold *f)
{
    IrInsn *i = f->insn;
    const IrInsn *x = def(f->unit, i->a), *y = def(f->unit, i->b);
    uint64_t c, d;

    if (const_of(f->unit, i->b, &c)) {
        if (!c) {
            return i->a;
        }
        if (x->op == IR_add && const_of(f->unit, x->b, &d)) {
            return become_imm(f, IR_add, x->a, c + d);
        }
        return IR_NONE;
    }
    if (y->op == IR_neg) {
        return become(f, IR_sub, i->a, y->a);
    }
    if (x->op == IR_neg) {
        return become(f, IR_sub, i->b, x->a);
    }
    return fold_rotation(f);
}

static IrRef fold_sub(Fold *f)
{
    IrInsn *i = f->insn;
    uint64_t c;

    if (i->a == i->b) {
        return make_const(f, 0);
    }
    if (const_of(f->unit, i->b, &c)) {
        return become_imm(f, IR_add, i->a, 0 - c);
    }
    if (const_of(f->unit, i->a, &c) && !c) {
        return become(f, IR_neg, i->b, IR_NONE);
    }
    return IR_NONE;
}

static IrRef fold_mul(Fold *f)
{
    IrInsn *i = f->insn;
    uint64_t c;

    if (!const_of(f->unit, i->b, &c)) {
        return IR_NONE;
    }
    if (!c) {
        return i->b;
    }
    if (bits_is_pow2(c)) {
        return become_imm(f, IR_shl, i->a, (unsigned)__builtin_ctzll(c));
    }
    if (c == f->ones) {
        return become(f, IR_neg, i->a, IR_NONE);
    }
    return IR_NONE;
}

static IrRef fold_div(Fold *f)
{
    IrInsn *i = f->insn;
    uint64_t c;

    if (!const_of(f->unit, i->b, &c)) {
        return IR_NONE;
    }
    if (c == 1) {
        return i->op == IR_divs || i->op == IR_divu ? i->a : make_const(f, 0);
    }
    if (i->op == IR_divu && bits_is_pow2(c)) {
        return become_imm(f, IR_shr, i->a, (unsigned)__builtin_ctzll(c));
    }
    if (i->op == IR_remu && bits_is_pow2(c)) {
        return become_imm(f, IR_and, i->a, c - 1);
    }
    return IR_NONE;
}

static IrRef fold_and(Fold *f)
{
    IrInsn *i = f->insn;
    const IrInsn *x = def(f->unit, i->a), *y = def(f->unit, i->b);
    uint64_t c, d;

    if (i->a == i->b) {
        return i->a;
    }
    if (const_of(f->unit, i->b, &c)) {
        if (!c) {
            return i->b;
        }
        if (c == f->ones) {
            return i->a;
        }
        /* a mask of low ones that covers all bits in use */
        if (!(c & (c + 1)) && ir_zext_bits(f->unit, i->a) <= bit_length(c)) {
            return i->a;
        }
        if (x->op == IR_and && const_of(f->unit, x->b, &d)) {
            return become_imm(f, IR_and, x->a, c & d);
        }
        i->a = strip_ext(f->unit, i->a, bit_length(c));
        if (c == 0xff || c == 0xffff || (c == 0xffffffff && f->width == 64)) {
            return extend(f, i->a, bit_length(c), false);
        }
        return IR_NONE;
    }
    if (y->op == IR_not) {
        return become(f, IR_andn, i->a, y->a);
    }
    if (x->op == IR_not) {
        return become(f, IR_andn, i->b, x->a);
    }
    return IR_NONE;
}

static IrRef fold_or(Fold *f)
{
    IrInsn *i = f->insn;
    const IrInsn *x = def(f->unit, i->a);
    uint64_t c, d;

    if (i->a == i->b) {
        return i->a;
    }
    if (const_of(f->unit, i->b, &c)) {
        if (!c) {
            return i->a;
        }
        if (c == f->ones) {
            return i->b;
        }
        if (x->op == IR_or && const_of(f->unit, x->b, &d)) {
            return become_imm(f, IR_or, x->a, c | d);
        }
        return IR_NONE;
    }
    return fold_rotation(f);
}

static IrRef fold_xor(Fold *f)
{
    IrInsn *i = f->insn;
    const IrInsn *x = def(f->unit, i->a);
    uint64_t c, d;

    if (i->a == i->b) {
        return make_const(f, 0);
    }
    if (const_of(f->unit, i->b, &c)) {
        if (!c) {
            return i->a;
        }
        if (c == f->ones) {
            return become(f, IR_not, i->a, IR_NONE);
        }
        if (c == 1 && x->op == IR_setcond) {
            IrCond cond = ir_cond_invert(x->aux);
            IrRef xa = x->a, xb = x->b;
            i->op = IR_setcond;
            i->aux = cond;
            i->a = xa;
            i->b = xb;
            return ir_fold(f->b, i);
        }
        if (x->op == IR_xor && const_of(f->unit, x->b, &d)) {
            return become_imm(f, IR_xor, x->a, c ^ d);
        }
        return IR_NONE;
    }
    return fold_rotation(f);
}

static IrRef fold_logic_not(Fold *f)
{
    IrInsn *i = f->insn;
    uint64_t c;

    switch (i->op) {
    case IR_andn:
        if (i->a == i->b) {
            return make_const(f, 0);
        }
        return const_of(f->unit, i->b, &c) ? become_imm(f, IR_and, i->a, ~c) : IR_NONE;
    case IR_orn:
        if (i->a == i->b) {
            return make_const(f, f->ones);
        }
        return const_of(f->unit, i->b, &c) ? become_imm(f, IR_or, i->a, ~c) : IR_NONE;
    default:
        if (i->a == i->b) {
            return make_const(f, f->ones);
        }
        return const_of(f->unit, i->b, &c) ? become_imm(f, IR_xor, i->a, ~c) : IR_NONE;
    }
}

/* A left shift by `left` followed by a right shift by `right` is a bit field, or an extension. */
static IrRef fold_shift_pair(Fold *f, IrRef x, unsigned left, unsigned right, bool sign)
{
    IrInsn *i = f->insn;

    if (left == right) {
        unsigned bits = f->width - left;
        if (bits == 8 || bits == 16 || bits == 32) {
            return extend(f, x, bits, sign);
        }
    }
    if (left <= right) {
        i->op = sign ? IR_bfxs : IR_bfx;
        i->aux = (right - left) | (f->width - right) << 8;
        i->a = x;
        i->b = IR_NONE;
        return ir_fold(f->b, i);
    }
    if (left == 32 && f->width == 64) {
        IrRef ext = ir_op1(f->b, sign ? IR_sext32 : IR_zext32, IR_I64, x);
        return become_imm(f, IR_shl, ext, left - right);
    }
    return IR_NONE;
}

static IrRef fold_shift(Fold *f)
{
    IrInsn *i = f->insn;
    uint64_t c, d;

    i->b = strip_count(f->unit, i->b, f->width);
    if (!const_of(f->unit, i->b, &c)) {
        if (const_of(f->unit, i->a, &c) && !c) {
            return i->a;
        }
        return IR_NONE;
    }
    unsigned n = c & (f->width - 1);
    if (!n) {
        return i->a;
    }
    if (n != c) {
        return become_imm(f, i->op, i->a, n);
    }
    const IrInsn *x = def(f->unit, i->a);
    switch (i->op) {
    case IR_shl:
        if (x->op == IR_shl && const_of(f->unit, x->b, &d)) {
            return n + d < f->width ? become_imm(f, IR_shl, x->a, n + d) : make_const(f, 0);
        }
        i->a = strip_ext(f->unit, i->a, f->width - n);
        return IR_NONE;
    case IR_shr:
        if (x->op == IR_shr && const_of(f->unit, x->b, &d)) {
            return n + d < f->width ? become_imm(f, IR_shr, x->a, n + d) : make_const(f, 0);
        }
        if (x->op == IR_shl && const_of(f->unit, x->b, &d)) {
            return fold_shift_pair(f, x->a, d, n, false);
        }
        return IR_NONE;
    case IR_sar:
        if (x->op == IR_sar && const_of(f->unit, x->b, &d)) {
            return become_imm(f, IR_sar, x->a, MIN(n + d, f->width - 1));
        }
        if (x->op == IR_shl && const_of(f->unit, x->b, &d)) {
            return fold_shift_pair(f, x->a, d, n, true);
        }
        return IR_NONE;
    default:
        return IR_NONE;
    }
}

static IrRef fold_extension(Fold *f)
{
    IrInsn *i = f->insn;
    bool sign = i->op == IR_sext8 || i->op == IR_sext16 || i->op == IR_sext32;
    unsigned bits = i->op == IR_sext8 || i->op == IR_zext8 ? 8
                  : i->op == IR_sext16 || i->op == IR_zext16 ? 16 : 32;
    const IrInsn *x;

    if ((sign ? ir_sext_bits(f->unit, i->a) : ir_zext_bits(f->unit, i->a)) <= bits) {
        return i->a;
    }
    IrRef stripped = strip_ext(f->unit, i->a, bits);
    if (stripped != i->a) {
        i->a = stripped;
        if ((sign ? ir_sext_bits(f->unit, i->a) : ir_zext_bits(f->unit, i->a)) <= bits) {
            return i->a;
        }
    }
    x = def(f->unit, i->a);
    /* the low bits of a sum do not depend on the upper bits of its operands: W-form chains get shorter */
    if (bits == 32 && (x->op == IR_add || x->op == IR_sub)) {
        IrRef p = strip_ext(f->unit, x->a, 32), q = strip_ext(f->unit, x->b, 32);
        if (p != x->a || q != x->b) {
            i->a = ir_op2(f->b, x->op, IR_I64, p, q);
            if ((sign ? ir_sext_bits(f->unit, i->a) : ir_zext_bits(f->unit, i->a)) <= bits) {
                return i->a;
            }
        }
    }
    return IR_NONE;
}

static IrRef fold_widths(Fold *f)
{
    IrInsn *i = f->insn;
    const IrInsn *x;

    switch (i->op) {
    case IR_trunc:
        i->a = strip_ext(f->unit, i->a, 32);
        x = def(f->unit, i->a);
        return x->op == IR_ext_s || x->op == IR_ext_u ? x->a : IR_NONE;
    case IR_ext_s:
    case IR_ext_u:
        x = def(f->unit, i->a);
        if (x->op == IR_trunc) {
            return become(f, i->op == IR_ext_s ? IR_sext32 : IR_zext32, x->a, IR_NONE);
        }
        /* srliw: the top bit is clear, so either extension is the same bit field */
        uint64_t c;
        if (x->op == IR_shr && def(f->unit, x->a)->op == IR_trunc && const_of(f->unit, x->b, &c) && c) {
            i->a = def(f->unit, x->a)->a;
            i->op = IR_bfx;
            i->aux = c | (32 - c) << 8;
            return ir_fold(f->b, i);
        }
        return IR_NONE;
    default:
        return IR_NONE;
    }
}

static IrRef fold_bitfield(Fold *f)
{
    IrInsn *i = f->insn;
    unsigned pos = i->aux & 0xff, len = i->aux >> 8;
    const IrInsn *x = def(f->unit, i->a);
    uint64_t c;

    if (i->op == IR_bfi) {
        if (len == f->width) {
            return i->b;
        }
        i->b = strip_ext(f->unit, i->b, len);
        if (pos == 0 && (len == 8 || len == 16 || len == 32) && const_of(f->unit, i->a, &c) && !(c >> len)) {
            return extend(f, i->b, len, false);
        }
        if (x->op == IR_bfi && (x->aux & 0xffu) >= pos && (x->aux & 0xffu) + (x->aux >> 8) <= pos + len) { /* overwritten */
            i->a = x->a;
            return ir_fold(f->b, i);
        }
        return IR_NONE;
    }
    if (len == f->width) {
        return i->a;
    }
    /* AH and its like: the register is wider than what is done with its parts. */
    bool narrowed = x->op == IR_trunc && def(f->unit, x->a)->op == IR_bfi;
    if (narrowed) {
        x = def(f->unit, x->a);
    }
    if (x->op == IR_bfi && i->op == IR_bfx) {
        unsigned at = x->aux & 0xff, n = x->aux >> 8;
        bool beside = pos >= at + n || pos + len <= at, within = pos >= at && pos + len <= at + n;
        if (pos == at && len == n && !narrowed && ir_zext_bits(f->unit, x->b) <= len) {
            return x->b;
        }
        if (beside || within) {
            IrRef from = beside ? x->a : x->b;
            i->aux = (pos - (within ? at : 0)) | len << 8;
            i->a = narrowed ? ir_op1(f->b, IR_trunc, IR_I32, from) : from;
            return ir_fold(f->b, i);
        }
    }
    x = def(f->unit, i->a);
    if (pos == 0 && (len == 8 || len == 16 || len == 32)) {
        return extend(f, i->a, len, i->op == IR_bfxs);
    }
    if (pos + len == f->width) {
        return become_imm(f, i->op == IR_bfxs ? IR_sar : IR_shr, i->a, pos);
    }
    if (x->op == IR_shr && const_of(f->unit, x->b, &c) && pos + c + len <= f->width) {
        i->a = x->a;
        i->aux = (pos + c) | len << 8;
        return ir_fold(f->b, i);
    }
    if (pos == 0 && i->op == IR_bfx && ir_zext_bits(f->unit, i->a) <= len) {
        return i->a;
    }
    if (pos == 0 && i->op == IR_bfxs && ir_sext_bits(f->unit, i->a) <= len) {
        return i->a;
    }
    i->a = strip_ext(f->unit, i->a, pos + len);
    return IR_NONE;
}

static IrRef fold_setcond(Fold *f)
{
    IrInsn *i = f->insn;
    IrCond cond = i->aux;
    IrRef a = i->a, b = i->b;
    int known = ir_fold_cond(f->b, &cond, &a, &b);

    if (known >= 0) {
        return make_const(f, (unsigned)known);
    }
    i->aux = cond;
    i->a = a;
    i->b = b;
    /* (bool) != 0 */
    const IrInsn *x = def(f->unit, a);
    uint64_t c;
    if (cond == IR_NE && const_of(f->unit, b, &c) && !c && x->type == i->type &&
        ir_zext_bits(f->unit, a) <= 1) {
        return a;
    }
    return IR_NONE;
}

static IrRef fold_select(Fold *f)
{
    IrInsn *i = f->insn;
    uint64_t c, d;

    if (i->b == i->c) {
        return i->b;
    }
    if (const_of(f->unit, i->a, &c)) {
        return c ? i->b : i->c;
    }
    const IrInsn *x = def(f->unit, i->a);
    /* select(bool ^ 1, b, c) is select(bool, c, b) */
    if (x->op == IR_setcond && (x->aux == IR_EQ || x->aux == IR_NE) &&
        const_of(f->unit, x->b, &c) && !c) {
        const IrInsn *y = def(f->unit, x->a);
        if (y->op == IR_setcond || y->op == IR_fcmp) {
            IrRef b = i->b;
            if (x->aux == IR_EQ) {
                i->b = i->c;
                i->c = b;
            }
            i->a = x->a;
            return ir_fold(f->b, i);
        }
    }
    if (!ir_type_is_int(i->type)) {
        return IR_NONE;
    }
    if (const_of(f->unit, i->b, &c) && const_of(f->unit, i->c, &d) && x->op == IR_setcond) {
        if (c == 1 && d == 0) {
            i->op = IR_setcond;
            i->aux = x->aux;
            i->b = x->b;
            i->a = x->a;
            i->c = IR_NONE;
            return ir_fold(f->b, i);
        }
        if (c == 0 && d == 1) {
            i->op = IR_setcond;
            i->aux = ir_cond_invert(x->aux);
            i->b = x->b;
            i->a = x->a;
            i->c = IR_NONE;
            return ir_fold(f->b, i);
        }
    }
    return IR_NONE;
}

static IrRef fold_fp_bits(Fold *f)
{
    IrInsn *i = f->insn;
    const IrInsn *x = def(f->unit, i->a);

    switch (i->op) {
    case IR_bitcast:
        if (x->type == i->type) {
            return i->a;
        }
        if (x->op == IR_bitcast) {
            i->a = x->a;
            return def(f->unit, i->a)->type == i->type ? i->a : IR_NONE;
        }
        return IR_NONE;
    case IR_funbox:
    case IR_flow:
        return x->op == IR_fbox ? x->a : IR_NONE;
    default:
        return IR_NONE;
    }
}

/* The upper 64 bits of a V128 are known to be zero: an operation on 8-byte vectors need not clear them again. */
static bool upper_is_zero(const IrUnit *unit, IrRef v, unsigned depth)
{
    const IrInsn *x = def(unit, v);

    if (x->type != IR_V128 || !depth) {
        return false;
    }
    switch (x->op) {
    case IR_const: return !unit->vconst.at[x->imm].u64[1];
    case IR_vzext: return true;
    case IR_ld: return unit->mem.at[x->aux].size_log2 < 4;
    case IR_vshr_bytes: return x->aux >= 8;
    case IR_vand: return upper_is_zero(unit, x->a, depth - 1) || upper_is_zero(unit, x->b, depth - 1);
    case IR_vandn: case IR_vneg: case IR_vabs: case IR_vshl: case IR_vshr: case IR_vsar: case IR_vshl_each: case IR_vshr_each: case IR_vsar_each:
        return upper_is_zero(unit, x->a, depth - 1);
    case IR_vor: case IR_vxor: case IR_vadd: case IR_vsub: case IR_vmul: case IR_vmins: case IR_vmaxs: case IR_vminu: case IR_vmaxu:
    case IR_vsadds: case IR_vsaddu: case IR_vssubs: case IR_vssubu: case IR_vavgu: case IR_vmulhr: case IR_vmaddus: case IR_vmadds:
        return upper_is_zero(unit, x->a, depth - 1) && upper_is_zero(unit, x->b, depth - 1);
    case IR_vbsel: return upper_is_zero(unit, x->b, depth - 1) && upper_is_zero(unit, x->c, depth - 1);
    case IR_vtbl: {
        const IrInsn *table = def(unit, x->b);
        uint64_t high = table->op == IR_const ? unit->vconst.at[table->imm].u64[1] : 0;
        return (high & 0x8080808080808080) == 0x8080808080808080;
    }
    default: return false;
    }
}

static IrRef fold_vzext(Fold *f)
{
    const IrInsn *x = def(f->unit, f->insn->a);

    if (x->op == IR_const) {
        return ir_vconst(f->b, IR_V128, &(IrVecConst){ .u64 = { x->imm } });
    }
    if (x->op != IR_vlow || x->type != IR_F64) {
        return IR_NONE;
    }
    return upper_is_zero(f->unit, x->a, DEPTH) ? x->a : IR_NONE;
}

/* x << n combined with x >> (width - n), which have no bit in common. */
static IrRef fold_vector_rotation(Fold *f)
{
    const IrInsn *x = def(f->unit, f->insn->a), *y = def(f->unit, f->insn->b);
    uint64_t left, right;

    if (x->op == IR_vshr) {
        const IrInsn *t = x;
        x = y;
        y = t;
    }
    if (x->op != IR_vshl || y->op != IR_vshr || x->a != y->a || x->aux != y->aux || (x->aux & 3) == IR_LANE_8 ||
        !const_of(f->unit, x->b, &left) || !const_of(f->unit, y->b, &right)) {
        return IR_NONE;
    }
    unsigned width = 8u << (x->aux & 3);
    left &= width - 1;
    if (!left || left + (right & (width - 1)) != width) {
        return IR_NONE;
    }
    f->insn->op = IR_vrotl;
    f->insn->aux = (x->aux & 3) | (unsigned)left << 4;
    f->insn->a = x->a;
    f->insn->b = IR_NONE;
    return IR_NONE;
}

static IrRef fold_vector(Fold *f)
{
    IrInsn *i = f->insn;

    switch (i->op) {
    case IR_vadd: return fold_vector_rotation(f);
    case IR_vor: return i->a == i->b ? i->a : fold_vector_rotation(f);
    case IR_vand: case IR_vmins: case IR_vmaxs: case IR_vminu: case IR_vmaxu:
        return i->a == i->b ? i->a : IR_NONE;
    case IR_vxor: case IR_vsub: case IR_vandn:
        if (i->a != i->b) {
            return i->op == IR_vxor ? fold_vector_rotation(f) : IR_NONE;
        }
        return ir_vconst(f->b, i->type, &(IrVecConst){ .u64 = { 0 } });
    case IR_vbsel:
        return i->b == i->c ? i->b : IR_NONE;
    case IR_vlow: {
        const IrInsn *x = def(f->unit, i->a);
        if (x->op == IR_const) {
            const IrVecConst *c = &f->unit->vconst.at[x->imm];
            return ir_const(f->b, i->type, i->type == IR_F32 ? c->u32[0] : c->u64[0]);
        }
        IrRef scalar = x->op == IR_vset_low ? x->b : x->op == IR_vzext ? x->a : IR_NONE;
        return scalar != IR_NONE && def(f->unit, scalar)->type == i->type ? scalar : IR_NONE;
    }
    case IR_vzext: return fold_vzext(f);
    case IR_vset_low: {
        const IrInsn *x = def(f->unit, i->a), *y = def(f->unit, i->b);
        if (x->op == IR_vset_low && def(f->unit, x->b)->type == y->type) {
            i->a = x->a;
        }
        return y->op == IR_vlow && y->a == i->a ? i->a : IR_NONE;
    }
    case IR_vdup: {
        IrVecConst c = { .u64 = { 0 } };
        unsigned bytes = 1u << (i->aux & 3);
        uint64_t x;
        if (!const_of(f->unit, i->a, &x)) {
            return IR_NONE;
        }
        for (unsigned at = 0; at < ir_type_bytes(i->type); at += bytes) {
            memcpy(c.u8 + at, &x, bytes);
        }
        return ir_vconst(f->b, i->type, &c);
    }
    case IR_vnot:
        return def(f->unit, i->a)->op == IR_vnot ? def(f->unit, i->a)->a : IR_NONE;
    default:
        return IR_NONE;
    }
}

/* -- comparisons --------------------------------------------------------------------------------------- */

/* (x - y) or (x ^ y) against zero: x against y. */
static bool equality_of_difference(const IrInsn *x)
{
    return x->op == IR_sub || x->op == IR_xor;
}

static void test_bits(IrBuilder *b, IrCond *cond, IrRef *x, IrRef *y, IrRef p, IrRef q)
{
    *cond = *cond == IR_EQ ? IR_TSTEQ : IR_TSTNE;
    *x = p;
    *y = q;
}

int ir_fold_cond(IrBuilder *b, IrCond *cond, IrRef *x, IrRef *y)
{
    IrUnit *unit = b->unit;

    for (unsigned round = 0; round < DEPTH; round++) {
        const IrInsn *p = def(unit, *x), *q = def(unit, *y);
        IrType type = p->type;
        uint64_t ones = type == IR_I32 ? UINT32_MAX : UINT64_MAX;

        if (p->op == IR_const) {
            if (q->op == IR_const) {
                return ir_cond_eval(*cond, type, p->imm, q->imm);
            }
            IrRef t = *x;
            *x = *y;
            *y = t;
            *cond = ir_cond_swap(*cond);
            continue;
        }
        if (*x == *y) {
            switch (*cond) {
            case IR_EQ: case IR_GE: case IR_LE: case IR_GEU: case IR_LEU: return 1;
            case IR_NE: case IR_LT: case IR_GT: case IR_LTU: case IR_GTU: return 0;
            default:
                *cond = *cond == IR_TSTEQ ? IR_EQ : IR_NE;
                *y = ir_const(b, type, 0);
                continue;
            }
        }
        if (q->op != IR_const) {
            return -1;
        }
        uint64_t c = q->imm, d;
        switch (*cond) {
        case IR_LTU:
            if (c == 0) {
                return 0;
            }
            if (c == 1) {
                *cond = IR_EQ;
                *y = ir_const(b, type, 0);
                continue;
            }
            return -1;
        case IR_GEU:
            if (c == 0) {
                return 1;
            }
            if (c == 1) {
                *cond = IR_NE;
                *y = ir_const(b, type, 0);
                continue;
            }
            return -1;
        case IR_GTU: case IR_LEU:
            if (c == 0) {
                *cond = *cond == IR_GTU ? IR_NE : IR_EQ;
                continue;
            }
            if (c == ones) {
                return *cond == IR_LEU;
            }
            return -1;
        case IR_TSTEQ: case IR_TSTNE:
            if (c == 0) {
                return *cond == IR_TSTEQ;
            }
            if (c == ones) {
                *cond = *cond == IR_TSTEQ ? IR_EQ : IR_NE;
                *y = ir_const(b, type, 0);
                continue;
            }
            *x = strip_ext(unit, *x, bit_length(c));
            return -1;
        case IR_EQ: case IR_NE:
            break;
        default:
            return -1;
        }
        /* equality with a constant */
        if (p->op == IR_add && const_of(unit, p->b, &d)) {
            *x = p->a;
            *y = ir_const(b, type, c - d);
            continue;
        }
        if (c == 0) {
            if (equality_of_difference(p)) {
                *x = p->a;
                *y = p->b;
                continue;
            }
            IrRef pa = p->a, pb = p->b;
            uint64_t mask;
            switch (p->op) {
            case IR_and:
                test_bits(b, cond, x, y, pa, pb);
                continue;
            case IR_zext8: case IR_sext8: mask = 0xff; break;
            case IR_zext16: case IR_sext16: mask = 0xffff; break;
            case IR_bfx: case IR_bfxs: mask = bits_mask(p->aux & 0xff, p->aux >> 8); break;
            case IR_ext_s: case IR_ext_u:
                *x = pa;
                *y = ir_const(b, IR_I32, 0);
                continue;
            case IR_neg:
                *x = pa;
                continue;
            default: mask = 0; break;
            }
            if (mask) {
                test_bits(b, cond, x, y, pa, ir_const(b, type, mask));
                continue;
            }
        }
        if (p->op == IR_setcond && c <= 1) {
            bool keep = (*cond == IR_NE) == (c == 0);
            *cond = keep ? (IrCond)p->aux : ir_cond_invert(p->aux);
            *x = p->a;
            *y = p->b;
            continue;
        }
        return -1;
    }
    return -1;
}

/* -- dispatch ---------------------------------------------------------------------------------------------- */

static bool all_const(const IrUnit *unit, const IrInsn *i, unsigned n, uint64_t v[3])
{
    v[0] = v[1] = v[2] = 0;
    return const_of(unit, i->a, &v[0]) && (n < 2 || const_of(unit, i->b, &v[1])) &&
           (n < 3 || const_of(unit, i->c, &v[2]));
}

IrRef ir_fold(IrBuilder *b, IrInsn *insn)
{
    IrUnit *unit = b->unit;
    const IrOpInfo *info = &ir_op_info[insn->op];
    Fold f = { .b = b, .unit = unit, .insn = insn, .width = width_of(insn->type),
               .ones = insn->type == IR_I32 ? UINT32_MAX : UINT64_MAX };
    uint64_t v[3];

    if (!(info->flags & IR_OP_PURE)) {
        return IR_NONE;
    }
    if (insn->op >= IR_vget_lane) {
        return fold_vector(&f);
    }
    if (def(unit, insn->a)->op == IR_const && !ir_type_is_vec(insn->type) &&
        all_const(unit, insn, info->n_operands, v)) {
        return make_const(&f, ir_eval(insn->op, insn->type, def(unit, insn->a)->type, insn->aux,
                                      v[0], v[1], v[2]));
    }
    if (info->flags & IR_OP_COMM && def(unit, insn->a)->op == IR_const) {
        IrRef t = insn->a;
        insn->a = insn->b;
        insn->b = t;
    }

    switch (insn->op) {
    case IR_add: return fold_add(&f);
    case IR_sub: return fold_sub(&f);
    case IR_mul: return fold_mul(&f);
    case IR_mulhs: case IR_mulhu: case IR_mulhsu: case IR_clmul: case IR_clmulh:
        return const_of(unit, insn->b, &v[0]) && !v[0] ? insn->b : IR_NONE;
    case IR_divs: case IR_divu: case IR_rems: case IR_remu: return fold_div(&f);
    case IR_neg: case IR_not: {
        const IrInsn *x = def(unit, insn->a);
        return x->op == insn->op ? x->a : IR_NONE;
    }
    case IR_clz: {
        /* of all bits reversed, as A64 counts trailing zeros */
        const IrInsn *x = def(unit, insn->a);
        return x->op == IR_brev8 && def(unit, x->a)->op == IR_bswap ? become(&f, IR_ctz, def(unit, x->a)->a, IR_NONE) : IR_NONE;
    }
    case IR_and: return fold_and(&f);
    case IR_or: return fold_or(&f);
    case IR_xor: return fold_xor(&f);
    case IR_andn: case IR_orn: case IR_xnor: return fold_logic_not(&f);
    case IR_shl: case IR_shr: case IR_sar: case IR_rotl: case IR_rotr: return fold_shift(&f);
    case IR_sext8: case IR_sext16: case IR_sext32:
    case IR_zext8: case IR_zext16: case IR_zext32: return fold_extension(&f);
    case IR_trunc: case IR_ext_s: case IR_ext_u: return fold_widths(&f);
    case IR_bfx: case IR_bfxs: case IR_bfi: return fold_bitfield(&f);
    case IR_setcond: return fold_setcond(&f);
    case IR_select: return fold_select(&f);
    case IR_mins: case IR_maxs: case IR_minu: case IR_maxu:
        return insn->a == insn->b ? insn->a : IR_NONE;
    case IR_bitcast: case IR_funbox: case IR_flow: return fold_fp_bits(&f);
    default: return IR_NONE;
    }
}
