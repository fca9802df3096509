/*
 * flags.h: lazy arithmetic flags.
 *
 * CC_OP says how O S Z A P C follow from CC_DST, CC_SRC and CC_SRC2. Its low byte is the rule for O S Z A P, its second
 * byte the rule for C, because INC, DEC, rotates and bit tests leave some flags as they were; each is kind << 2 | log2 size. Bits 16-21 are
 * the count of shifts, minus one, for rules that want it. Carry rules
 * never look at CC_DST: INC and DEC put their result there and keep the rest, also where CC_OP is not known.
 * Bits of the three above the size mean nothing. r: result, a and b: operands.
 */
#ifndef TARGET_X86_FLAGS_H
#define TARGET_X86_FLAGS_H

#include "target/x86/cpu.h"

typedef enum X86CcKind {
    X86_CCK_FLAGS,   /* SRC: the flag bits themselves */
    X86_CCK_ADD,     /* SRC = b, SRC2 = r */
    X86_CCK_SUB,     /* SRC = b, SRC2 = r */
    X86_CCK_CMP,     /* SRC = b, SRC2 = a */
    X86_CCK_ADC,     /* and SBB: DST = r, SRC bit 0 = carry out, SRC2 = a ^ b ^ r */
    X86_CCK_INC,     /* DST = r */
    X86_CCK_DEC,     /* DST = r */
    X86_CCK_RES,     /* DST = r; O = A = 0 */
    X86_CCK_SHIFT,   /* DST = r, O = top bit of DST ^ what SRC was before the last step; A = 0 */
    X86_CCK_ZF,      /* Z = (DST == 0), all others 0 */
    X86_CCK_MUL,     /* DST = r, O = C; A = 0 */
    X86_CCK_ROL,     /* S Z P of DST, A = SRC2 bit 4, O = top bit ^ bit 0 of SRC in the size of the carry rule */
    X86_CCK_ROR,     /* likewise, O = top bit ^ the one below of SRC */
    X86_N_CCK,
} X86CcKind;

typedef enum X86CarryKind {
    X86_CARRY_BIT0,  /* SRC bit 0 */
    X86_CARRY_LT,    /* SRC2 < SRC, unsigned */
    X86_CARRY_SUB,   /* SRC2 + SRC < SRC */
    X86_CARRY_MSB,   /* top bit of SRC */
    X86_CARRY_NZ,    /* SRC != 0 */
    X86_CARRY_Z,     /* SRC == 0 */
    X86_CARRY_0,
    X86_CARRY_1,
    X86_CARRY_SHL,   /* top bit of SRC << count - 1 */
    X86_CARRY_SHR,   /* bit 0 of SRC >> count - 1 */
    X86_CARRY_SAR,   /* the same, signed */
    X86_CARRY_IMUL,  /* SRC * SRC2, signed, does not fit the size */
    X86_N_CARRY,
} X86CarryKind;

#define X86_CC(kind, carry, size_log2) ((uint32_t)((kind) << 2 | (size_log2) | ((carry) << 2 | (size_log2)) << 8))
#define X86_CC_COUNT(n) ((uint32_t)((n) - 1) << 16)
#define X86_CC_FLAGS 0u
enum { X86_CC_CARRY_MASK = 0x3fff00 };

/* The arithmetic flags (X86_ARITH_FLAGS) of a tuple. */
uint32_t x86_cc_compute(uint64_t dst, uint64_t src, uint64_t src2, uint32_t op);
bool x86_cc_carry(uint64_t src, uint64_t src2, uint32_t op);
/* Condition code 0-15 of Jcc on flag bits. */
bool x86_cc_test(uint32_t flags, unsigned condition);

#endif
