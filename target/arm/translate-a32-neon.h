/*
 * translate-a32-neon.h: operands of AArch32's Advanced SIMD for A64's handlers (translate-a32-neon*.c).
 */
#ifndef TARGET_ARM_TRANSLATE_A32_NEON_H
#define TARGET_ARM_TRANSLATE_A32_NEON_H

#include "target/arm/translate-a32-simd.h"
#include "target/arm/translate-fp.h"

enum { N_IN = 29, M_IN = 30, D_IN = 31 }; /* the registers for halves */

/* The V register that has the operand: a copy in `half`, or a Q register itself. */
int a32_neon_in(TransCtx *ctx, bool q, int reg, int half);
/* Behind the handler: the result's half; nothing is left of the copies. */
void a32_neon_out(TransCtx *ctx, bool q, int reg);

/* False after a32_undefined(): a Q register with an odd number, or a lane there is none of. */
static inline bool a32_valid(TransCtx *ctx, bool ok)
{
    if (!ok) {
        a32_undefined(ctx);
    }
    return ok;
}

/*
 * A handler between them runs under the Standard FPSCR value: by helpers, which see that in FPCR, or, where the mode allows it and the handler
 * knows how, by operations with IR_FP_STD.
 */
typedef struct A32Saved { uint64_t mode; IrRef fpcr; } A32Saved;
A32Saved a32_standard_begin(TransCtx *ctx);
A32Saved a32_standard_begin_inline(TransCtx *ctx);
void a32_standard_end(TransCtx *ctx, A32Saved s);

#endif
