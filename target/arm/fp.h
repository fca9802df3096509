/*
 * fp.h: floating point of the A64 room: FPCR and FPSR, and what the helpers compute.
 *
 * The rounding mode and the flags raised by inline operations live in jit.fp_control_guest, which has the layout of x86's MXCSR
 * on every host. state.fpcr is FPCR as written; state.fpsr has IDC and what has been folded in so far.
 */
#ifndef TARGET_ARM_FP_H
#define TARGET_ARM_FP_H

#include "target/arm/cpu.h"
#include "target/fpu.h"

enum { /* FPCR (C5.2.8) */
    ARM_FPSCR_LEN_SHIFT = 16, ARM_FPSCR_STRIDE_SHIFT = 20, ARM_FPSCR_SHVEC = 0x370000, /* AArch32: short vectors */
    ARM_FPCR_FZ16 = 1 << 19, ARM_FPCR_RMODE_SHIFT = 22, ARM_FPCR_FZ = 1 << 24, ARM_FPCR_DN = 1 << 25, ARM_FPCR_AHP = 1 << 26,
};
enum { /* FPSR (C5.2.10) */
    ARM_FPSR_IOC = 1, ARM_FPSR_DZC = 2, ARM_FPSR_OFC = 4, ARM_FPSR_UFC = 8, ARM_FPSR_IXC = 16, ARM_FPSR_IDC = 128,
    ARM_FPSR_QC = 1 << 27,
};

/* fp-status.c (FPCR and FPSR themselves: cpu.h). FPCR's bits of the translation mode. */
uint64_t arm_fp_mode(const Vcpu *vcpu);
/* AArch32: FPSCR rounds to nearest, and inexact has been raised: what IR_FP_STD asks for. */
bool arm_fp_standard_ok(const Vcpu *vcpu);

/* Around software operations on lanes of 1 << size bytes. */
FpStatus arm_fp_begin(const Vcpu *vcpu, unsigned size);
void arm_fp_end(Vcpu *vcpu, const FpStatus *s, unsigned size);

typedef enum ArmFpOp {
    ARM_FP_ADD, ARM_FP_SUB, ARM_FP_MUL, ARM_FP_NMUL, ARM_FP_MULX, ARM_FP_DIV, ARM_FP_ABD, ARM_FP_SQRT,
    ARM_FP_MADD,                 /* c + a * b; ARM_FP_NEG_PRODUCT and ARM_FP_NEG_ADDEND as the manual's FPNeg of operands */
    ARM_FP_MAX, ARM_FP_MIN, ARM_FP_MAXNM, ARM_FP_MINNM,
    ARM_FP_RECPS, ARM_FP_RSQRTS, ARM_FP_RECPE, ARM_FP_RSQRTE, ARM_FP_RECPX,
    ARM_FP_CMEQ, ARM_FP_CMGE, ARM_FP_CMGT, ARM_FP_ACGE, ARM_FP_ACGT, /* all ones or zero */
    ARM_FP_CMP, ARM_FP_CMPE,     /* N Z C V in bits 31 to 28 */
    ARM_FP_ROUND,                /* to integral; rounding, ARM_FP_EXACT */
    ARM_FP_ROUND_N,              /* FRINT32, FRINT64: `other` is the integer's log2 size */
    ARM_FP_TO_S, ARM_FP_TO_U,    /* to integer of log2 size `other`, rounding, fraction bits */
    ARM_FP_FROM_S, ARM_FP_FROM_U, /* from integer of log2 size `other` */
    ARM_FP_CVT,                  /* to log2 size `other` */
    ARM_FP_TO_BF,                /* single to BFloat16 */
    ARM_FP_JCVT,                 /* FJCVTZS: 0 or 1 in bit 32 is Z */
} ArmFpOp;

/* Flags of a code; in comparisons, that an operand is zero. */
enum { ARM_FP_EXACT = 1, ARM_FP_NEG_PRODUCT = 2, ARM_FP_NEG_ADDEND = 4, ARM_FP_A_ZERO = 1, ARM_FP_B_ZERO = 2 };
enum { ARM_FP_DYN = 15 };                                                 /* rounding: FPCR's; else FpRounding */

/* What a helper does, as one number. */
static inline uint32_t arm_fp_code(ArmFpOp op, unsigned size, unsigned other, unsigned rounding, unsigned flags, unsigned fraction)
{
    return op | size << 8 | other << 10 | rounding << 12 | flags << 16 | fraction << 20;
}

/* One lane by software. */
uint64_t arm_fp_lane(Vcpu *vcpu, uint32_t code, uint64_t a, uint64_t b, uint64_t c);

/* How helper fp_vector goes over the lanes of V[n], V[m], V[d]. */
typedef enum ArmFpForm {
    ARM_FORM_LANES,     /* a = n, b = m, c = d */
    ARM_FORM_ELEMENT,   /* b = m[index] */
    ARM_FORM_PAIRS,     /* a, b neighbours of n, then of m */
    ARM_FORM_PAIR,      /* the two lowest lanes of n */
    ARM_FORM_ACROSS,    /* all lanes of n */
    ARM_FORM_WIDEN,     /* FCVTL: index 1: of the upper half */
    ARM_FORM_NARROW,    /* FCVTN: index 1: into the upper half */
    ARM_FORM_COMPLEX_ADD,     /* FCADD: index is the rotation, 0: 90, 1: 270 degrees */
    ARM_FORM_COMPLEX_MADD,    /* FCMLA: index = rotation / 90 | element << 2 | by element << 4 */
    ARM_FORM_MADD_LONG,       /* FMLAL: index = upper half | element << 1 | by element << 4 */
    /* Helper fp_brain; index = element | by element << 4. */
    ARM_FORM_BF_DOT, ARM_FORM_BF_MATRIX, ARM_FORM_BF_MADD,
} ArmFpForm;

enum { ARM_REGS_Q = 1 << 24, ARM_REGS_SCALAR = 1 << 25 };

static inline uint32_t arm_fp_regs(ArmFpForm form, unsigned d, unsigned n, unsigned m, unsigned index, unsigned flags)
{
    return d | n << 5 | m << 10 | form << 15 | index << 19 | flags;
}

#endif
