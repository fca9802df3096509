/*
 * disas-simd.c: operands of floating-point and Advanced SIMD instructions in the assembler's syntax (Arm ARM DDI 0487, C4.1.96, C4.1.97), by the
 * groups of the encoding, as the rows have none: which arrangement an operand has follows from few fields for nearly all of a group.
 *
 * Leaves out (the mnemonic stands alone): immediates of the modified-immediate group, instructions by element, cryptography, complex arithmetic and
 * BFloat16.
 */
#include "target/arm/cpu.h"
#include "target/arm/disas.h"
#include "target/decode.h"

typedef struct Out {
    char *at;
    size_t size;
    size_t *used;
    unsigned n; /* operands so far */
} Out;

static unsigned f(uint32_t insn, unsigned low, unsigned n) { return (unsigned)bits_get(insn, low, n); }

static void next(Out *o) { decode_append(o->at, o->size, o->used, "%s", o->n++ ? "," : "\t"); }

static void general(Out *o, bool wide, unsigned n)
{
    next(o);
    n == 31 ? decode_append(o->at, o->size, o->used, wide ? "xzr" : "wzr") : decode_append(o->at, o->size, o->used, "%c%u", wide ? 'x' : 'w', n);
}

/* By size: b h s d q. */
static void scalar(Out *o, unsigned log2, unsigned n)
{
    next(o);
    decode_append(o->at, o->size, o->used, "%c%u", "bhsdq"[log2], n);
}

static void vector(Out *o, unsigned log2, bool q, unsigned n)
{
    next(o);
    decode_append(o->at, o->size, o->used, "v%u.%u%c", n, (q ? 16u : 8u) >> log2, "bhsd"[log2]);
}

static void element(Out *o, unsigned log2, unsigned n, unsigned index)
{
    next(o);
    decode_append(o->at, o->size, o->used, "v%u.%c[%u]", n, "bhsd"[log2], index);
}

static void number(Out *o, int n)
{
    next(o);
    decode_append(o->at, o->size, o->used, "#%d", n);
}

static void part2(Out *o) { decode_append(o->at, o->size, o->used, "2"); }

/* -- scalar floating point ---------------------------------------------------------------------------------------- */

/* ftype: single, double, -, half. */
static int float_log2(unsigned type) { return type == 0 ? 2 : type == 1 ? 3 : type == 3 ? 1 : -1; }

static void scalar_fp(Out *o, uint32_t insn)
{
    static const char *const conditions[16] = { "eq", "ne", "cs", "cc", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le", "al", "nv" };
    int type = float_log2(f(insn, 22, 2));
    unsigned rd = f(insn, 0, 5), rn = f(insn, 5, 5), rm = f(insn, 16, 5), opcode = f(insn, 15, 6);
    bool wide = insn >> 31;

    if ((insn & 0x5f200000) == 0x1e000000 || (insn & 0x5f20fc00) == 0x1e200000) { /* conversions with and without a scale */
        bool top = f(insn, 16, 5) == 15 || f(insn, 16, 5) == 14, has_scale = !(insn & BIT(21));
        unsigned op = f(insn, 16, 3), mode = f(insn, 19, 2);
        bool from = has_scale ? op == 2 || op == 3 : op == 2 || op == 3 || (op == 7 && mode <= 1);
        if (f(insn, 22, 2) == 2 && (op == 6 || op == 7) && mode == 1 && wide && !has_scale) { /* FMOV of an upper half */
            op == 6 ? general(o, true, rd) : element(o, 3, rd, 1);
            op == 6 ? element(o, 3, rn, 1) : general(o, true, rn);
            return;
        }
        if (type < 0 || top) {
            return;
        }
        from ? scalar(o, (unsigned)type, rd) : general(o, wide, rd);
        from ? general(o, wide, rn) : scalar(o, (unsigned)type, rn);
        if (has_scale) {
            number(o, 64 - (int)f(insn, 10, 6));
        }
        return;
    }
    if (type < 0) {
        return;
    }
    unsigned t = (unsigned)type;
    if ((insn & 0xff000000) == 0x1f000000) { /* four registers */
        scalar(o, t, rd);
        scalar(o, t, rn);
        scalar(o, t, rm);
        scalar(o, t, f(insn, 10, 5));
    } else if (f(insn, 10, 5) == 16) { /* one register: conversions name the other size, but for BFCVT's */
        bool brain = opcode == 6 && type == 3;
        int to = brain ? 1 : (opcode & 0x3c) == 4 ? float_log2(opcode & 3) : type;
        scalar(o, to < 0 ? t : (unsigned)to, rd);
        scalar(o, brain ? 2 : t, rn);
    } else if (f(insn, 10, 4) == 8) { /* comparisons */
        scalar(o, t, rn);
        if (insn & BIT(3)) {
            next(o);
            decode_append(o->at, o->size, o->used, "#0.0");
        } else {
            scalar(o, t, rm);
        }
    } else if (f(insn, 10, 2) == 1) { /* conditional comparison */
        scalar(o, t, rn);
        scalar(o, t, rm);
        next(o);
        decode_append(o->at, o->size, o->used, "#0x%x,%s", f(insn, 0, 4), conditions[f(insn, 12, 4)]);
    } else if (f(insn, 10, 2) == 2 || f(insn, 10, 2) == 3) { /* two registers, conditional selection */
        scalar(o, t, rd);
        scalar(o, t, rn);
        scalar(o, t, rm);
        if (f(insn, 10, 2) == 3) {
            next(o);
            decode_append(o->at, o->size, o->used, "%s", conditions[f(insn, 12, 4)]);
        }
    }
}

/* -- Advanced SIMD ---------------------------------------------------------------------------------------------------- */

static void three_same(Out *o, uint32_t insn)
{
    unsigned opcode = f(insn, 11, 5), size = f(insn, 22, 2);
    bool q = insn & BIT(30), single = insn & BIT(28);

    if (opcode == 3) { /* logical */
        size = 0;
    } else if (opcode >= 0x18) { /* floating point */
        if ((opcode == 0x1d || opcode == 0x19) && (insn & BIT(29) ? opcode == 0x19 : opcode == 0x1d) && !single) {
            return; /* FMLAL and FMLSL */
        }
        size = 2 + (size & 1);
    }
    for (unsigned i = 0; i < 3; i++) {
        unsigned n = f(insn, i == 0 ? 0 : i == 1 ? 5 : 16, 5);
        single ? scalar(o, size, n) : vector(o, size, q, n);
    }
}

static void three_different(Out *o, uint32_t insn)
{
    unsigned opcode = f(insn, 12, 4), size = f(insn, 22, 2), wide = size + 1;
    bool q = insn & BIT(30), single = insn & BIT(28);
    unsigned rd = f(insn, 0, 5), rn = f(insn, 5, 5), rm = f(insn, 16, 5);

    if (single) {
        scalar(o, wide, rd);
        scalar(o, size, rn);
        scalar(o, size, rm);
        return;
    }
    if (q) {
        part2(o);
    }
    if (opcode == 14 && size == 3) { /* PMULL of doublewords */
        next(o);
        decode_append(o->at, o->size, o->used, "v%u.1q", rd);
        vector(o, 3, q, rn);
        vector(o, 3, q, rm);
        return;
    }
    bool narrow = opcode == 4 || opcode == 6;
    narrow ? vector(o, size, q, rd) : vector(o, wide, true, rd);
    narrow || opcode == 1 || opcode == 3 ? vector(o, wide, true, rn) : vector(o, size, q, rn);
    narrow ? vector(o, wide, true, rm) : vector(o, size, q, rm);
}

static void two_misc(Out *o, uint32_t insn)
{
    unsigned opcode = f(insn, 12, 5), size = f(insn, 22, 2), rd = f(insn, 0, 5), rn = f(insn, 5, 5);
    bool q = insn & BIT(30), u = insn & BIT(29), single = insn & BIT(28);
    bool narrow = opcode == 0x12 || opcode == 0x14 || opcode == 0x16, lengthen = opcode == 0x13 || opcode == 0x17;
    bool pairs = opcode == 2 || opcode == 6, is_float = opcode >= 0x18 || (opcode >= 0xc && opcode <= 0xf && (size & 2) && opcode != 0xe) ||
                 (opcode == 0xe && (size & 2)), zero;

    if (opcode == 5 && (size & 1) == (u ? 1 : 0) && !single) {
        size = 0; /* NOT, RBIT */
    } else if (opcode == 0x16 || opcode == 0x17) { /* FCVTN, FCVTXN, FCVTL */
        size = 1 + (size & 1);
        if (insn & BIT(23)) {
            return; /* BFCVTN */
        }
    } else if (is_float) {
        size = 2 + (size & 1);
    }
    zero = (opcode >= 8 && opcode <= 0xa) || (is_float && opcode >= 0xc && opcode <= 0xe);
    if (single) {
        scalar(o, size, rd);
        scalar(o, narrow ? size + 1 : size, rn);
    } else {
        if ((narrow || lengthen) && q) {
            part2(o);
        }
        if (pairs) {
            vector(o, size + 1, q, rd);
        } else {
            lengthen ? vector(o, size + 1, true, rd) : vector(o, size, q, rd);
        }
        narrow ? vector(o, size + 1, true, rn) : vector(o, size, q, rn);
        if (opcode == 0x13) { /* SHLL */
            number(o, 8 << size);
        }
    }
    if (zero) {
        next(o);
        decode_append(o->at, o->size, o->used, is_float ? "#0.0" : "#0");
    }
}

static void across(Out *o, uint32_t insn)
{
    unsigned opcode = f(insn, 12, 5), size = f(insn, 22, 2);
    bool is_float = opcode == 0xc || opcode == 0xf;

    if (is_float && !(insn & BIT(29))) {
        size = 1;
    } else if (is_float) {
        size = 2;
    }
    scalar(o, opcode == 3 ? size + 1 : size, f(insn, 0, 5));
    vector(o, size, insn & BIT(30), f(insn, 5, 5));
}

static void copy(Out *o, uint32_t insn)
{
    unsigned imm5 = f(insn, 16, 5), imm4 = f(insn, 11, 4), size = (unsigned)__builtin_ctz(imm5 | 16), index = imm5 >> (size + 1);
    unsigned rd = f(insn, 0, 5), rn = f(insn, 5, 5);
    bool q = insn & BIT(30);

    if (size > 3) {
        return;
    }
    if (insn & BIT(28)) { /* scalar */
        scalar(o, size, rd);
        element(o, size, rn, index);
    } else if (insn & BIT(29)) { /* INS, element */
        element(o, size, rd, index);
        element(o, size, rn, imm4 >> size);
    } else if (imm4 == 0 || imm4 == 1) { /* DUP */
        vector(o, size, q, rd);
        imm4 ? general(o, size == 3, rn) : element(o, size, rn, index);
    } else if (imm4 == 3) { /* INS, general */
        element(o, size, rd, index);
        general(o, size == 3, rn);
    } else { /* SMOV, UMOV */
        general(o, q, rd);
        element(o, size, rn, index);
    }
}

static void shift(Out *o, uint32_t insn)
{
    unsigned immh = f(insn, 19, 4), imm = f(insn, 16, 7), opcode = f(insn, 11, 5), size = 31 - (unsigned)__builtin_clz(immh);
    unsigned rd = f(insn, 0, 5), rn = f(insn, 5, 5);
    bool q = insn & BIT(30), single = insn & BIT(28), left = opcode == 10 || opcode == 12 || opcode == 14 || opcode == 20;
    bool narrow = opcode >= 16 && opcode <= 19, lengthen = opcode == 20;

    if (single) {
        scalar(o, size, rd);
        scalar(o, narrow ? size + 1 : size, rn);
    } else {
        if ((narrow || lengthen) && q) {
            part2(o);
        }
        lengthen ? vector(o, size + 1, true, rd) : vector(o, size, q, rd);
        narrow ? vector(o, size + 1, true, rn) : vector(o, size, q, rn);
    }
    number(o, left ? (int)(imm - (8u << size)) : (int)((16u << size) - imm));
}

static void simd(Out *o, uint32_t insn)
{
    unsigned rd = f(insn, 0, 5), rn = f(insn, 5, 5), rm = f(insn, 16, 5), size = f(insn, 22, 2);
    bool q = insn & BIT(30), single = insn & BIT(28);

    if (insn & BIT(24)) {
        if ((insn & 0x00800400) == 0x00000400 && f(insn, 19, 4)) {
            shift(o, insn);
        }
        return; /* modified immediates; by element */
    }
    if ((insn & 0x00200400) == 0x00200400) {
        three_same(o, insn);
    } else if ((insn & 0x00200c00) == 0x00200000) {
        three_different(o, insn);
    } else if ((insn & 0x003e0c00) == 0x00200800) {
        two_misc(o, insn);
    } else if ((insn & 0x003e0c00) == 0x00300800) {
        if (!single) {
            across(o, insn);
        }
    } else if ((insn & 0x00e08400) == 0x00000400) {
        copy(o, insn);
    } else if (!single && (insn & 0x20208c00) == 0x00000800) { /* permutations */
        vector(o, size, q, rd);
        vector(o, size, q, rn);
        vector(o, size, q, rm);
    } else if (!single && (insn & 0x20e08c00) == 0x00000000) { /* tables */
        vector(o, 0, q, rd);
        next(o);
        decode_append(o->at, o->size, o->used, "{");
        for (unsigned i = 0; i <= f(insn, 13, 2); i++) {
            decode_append(o->at, o->size, o->used, "%sv%u.16b", i ? "," : "", (rn + i) & 31);
        }
        decode_append(o->at, o->size, o->used, "}");
        vector(o, 0, q, rm);
    } else if (!single && (insn & 0x20e08400) == 0x20000000) { /* EXT */
        vector(o, 0, q, rd);
        vector(o, 0, q, rn);
        vector(o, 0, q, rm);
        number(o, (int)f(insn, 11, 4));
    }
}

/* -- loads and stores ------------------------------------------------------------------------------------------------------ */

static void base(Out *o, unsigned rn)
{
    next(o);
    rn == 31 ? decode_append(o->at, o->size, o->used, "[sp") : decode_append(o->at, o->size, o->used, "[x%u", rn);
}

/* mode: 1 post-indexed, 3 pre-indexed, else an offset. */
static void indexed(Out *o, unsigned rn, int imm, unsigned mode)
{
    base(o, rn);
    if (mode == 1) {
        decode_append(o->at, o->size, o->used, "],#%d", imm);
    } else {
        imm || mode == 3 ? decode_append(o->at, o->size, o->used, ",#%d]", imm) : decode_append(o->at, o->size, o->used, "]");
        decode_append(o->at, o->size, o->used, "%s", mode == 3 ? "!" : "");
    }
}

static void structures(Out *o, uint32_t insn)
{
    static const uint8_t registers[16] = { [0] = 4, [2] = 4, [4] = 3, [6] = 3, [7] = 1, [8] = 2, [10] = 2 };
    bool one = insn & BIT(24), q = insn & BIT(30), post = insn & BIT(23);
    unsigned opcode = one ? f(insn, 13, 3) : f(insn, 12, 4), scale = opcode >> 1, size = f(insn, 10, 2), rt = f(insn, 0, 5);
    unsigned n = one ? ((opcode & 1) << 1 | f(insn, 21, 1)) + 1 : registers[opcode], bytes = n * (q ? 16 : 8), index = 0;
    bool lane = one && scale != 3;

    if (one) {
        scale = scale == 3 ? size : scale == 2 && (size & 1) ? 3 : scale;
        index = (unsigned)q << 3 | f(insn, 12, 1) << 2 | size;
        index >>= scale;
        bytes = n << scale;
    } else {
        scale = size;
    }
    next(o);
    decode_append(o->at, o->size, o->used, "{");
    for (unsigned i = 0; i < n; i++) {
        decode_append(o->at, o->size, o->used, "%sv%u.", i ? "," : "", (rt + i) & 31);
        lane ? decode_append(o->at, o->size, o->used, "%c", "bhsd"[scale]) : decode_append(o->at, o->size, o->used, "%u%c", (q ? 16u : 8u) >> scale, "bhsd"[scale]);
    }
    decode_append(o->at, o->size, o->used, "}");
    if (lane) {
        decode_append(o->at, o->size, o->used, "[%u]", index);
    }
    base(o, f(insn, 5, 5));
    decode_append(o->at, o->size, o->used, "]");
    if (post && f(insn, 16, 5) == 31) {
        number(o, (int)bytes);
    } else if (post) {
        general(o, true, f(insn, 16, 5));
    }
}

static void load_store(Out *o, uint32_t insn, vaddr pc)
{
    static const char *const extends[8] = { [2] = "uxtw", [3] = "lsl", [6] = "sxtw", [7] = "sxtx" };
    unsigned rt = f(insn, 0, 5), rn = f(insn, 5, 5), top = insn >> 30, log2 = f(insn, 23, 1) ? 4 : top;

    if ((insn & 0xbe000000) == 0x0c000000) {
        structures(o, insn);
    } else if ((insn & 0x3b000000) == 0x18000000) {
        scalar(o, 2 + top, rt);
        next(o);
        decode_append(o->at, o->size, o->used, "0x%" PRIx64, pc + (uint64_t)(bits_sext(f(insn, 5, 19), 19) * 4));
    } else if ((insn & 0x3a000000) == 0x28000000) {
        scalar(o, 2 + top, rt);
        scalar(o, 2 + top, f(insn, 10, 5));
        indexed(o, rn, (int)(bits_sext(f(insn, 15, 7), 7) * (4 << top)), f(insn, 23, 2));
    } else if ((insn & 0x3b000000) == 0x39000000) {
        scalar(o, log2, rt);
        indexed(o, rn, (int)(f(insn, 10, 12) << log2), 2);
    } else if ((insn & 0x3b200000) == 0x38000000) {
        scalar(o, log2, rt);
        indexed(o, rn, (int)bits_sext(f(insn, 12, 9), 9), f(insn, 10, 2));
    } else if ((insn & 0x3b200c00) == 0x38200800 && extends[f(insn, 13, 3)]) {
        bool scaled = insn & BIT(12), plain = f(insn, 13, 3) == 3 && !scaled;
        scalar(o, log2, rt);
        base(o, rn);
        general(o, insn & BIT(13), f(insn, 16, 5));
        if (!plain) {
            decode_append(o->at, o->size, o->used, scaled ? ",%s #%u" : ",%s", extends[f(insn, 13, 3)], log2);
        }
        decode_append(o->at, o->size, o->used, "]");
    }
}

void arm_disas_simd(vaddr pc, uint32_t insn, char *out, size_t size, size_t *at)
{
    Out o = { out, size, at, 0 };

    if ((insn & 0x0e000000) == 0x0c000000) {
        load_store(&o, insn, pc);
    } else if ((insn & 0x5e000000) == 0x1e000000) {
        scalar_fp(&o, insn);
    } else if ((insn & 0x8e000000) == 0x0e000000) {
        simd(&o, insn);
    }
}
