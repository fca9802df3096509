/*
 * flags.h: lazy condition flags.
 *
 * CC_OP says how N Z C V follow from CC_A and CC_B. 32-bit rules look at the low halves.
 */
#ifndef TARGET_ARM_FLAGS_H
#define TARGET_ARM_FLAGS_H

#include "target/arm/cpu.h"

typedef enum ArmCc {
    ARM_CC_FLAGS,    /* A: N Z C V in bits 31 to 28, as in the NZCV register */
    ARM_CC_ADD32,    /* of A + B */
    ARM_CC_ADD64,
    ARM_CC_SUB32,    /* of A - B */
    ARM_CC_SUB64,
    ARM_CC_SUBNC32,  /* the same with C = 0 */
    ARM_CC_SUBNC64,
    ARM_CC_LOGIC32,  /* A: result; C = V = 0 */
    ARM_CC_LOGIC64,
    ARM_CC_FCMP,     /* A: the relation of two floats as the IR's frel gives it */
    ARM_CC_NZ32,     /* N and Z of A; C and V are bits 29 and 28 of B, whose others are zero */
} ArmCc;

/* ArmState.fpscr_nzcv: N Z C V in bits 31 to 28, or with this bit the relation that frel gave in bits 7 to 0. */
enum { ARM_FPSCR_REL = 0x100 };

enum { ARM_N = 8, ARM_Z = 4, ARM_C = 2, ARM_V = 1 };

/* N Z C V in bits 3 to 0. */
unsigned arm_cc_compute(uint64_t a, uint64_t b, uint32_t op);
/* ConditionHolds (C1.2.4): condition 0 to 15 on those bits. */
bool arm_cc_test(unsigned nzcv, unsigned condition);

#endif
