/*
 * interp-ops.h: the parts of the interpreter.
 */
#ifndef TCG_INTERP_OPS_H
#define TCG_INTERP_OPS_H

#include "target/target.h"
#include "tcg/ir.h"

/* A value of any type: scalars in u64[0], I32 and F32 zero-extended. */
typedef union InterpValue {
    uint8_t u8[32];
    uint16_t u16[16];
    uint32_t u32[8];
    uint64_t u64[4];
} InterpValue;

/* A scalar floating-point operation (fadd … fround). `operand_type` is that of a. Raises flags. */
/* A lane under IR_FP_STD: scalar operations of F32 and frel, whose aux is 1 where every NaN raises invalid. */
uint32_t interp_fp_standard(Vcpu *vcpu, IrOp op, uint16_t aux, uint32_t a, uint32_t b, uint32_t c);
uint64_t interp_fp(Vcpu *vcpu, IrOp op, IrType type, IrType operand_type, uint16_t aux, uint64_t a,
                   uint64_t b, uint64_t c);

/* Between half and single precision; of MXCSR's denormal modes only that for single-precision operands counts. */
uint32_t interp_half_to_single(Vcpu *vcpu, uint16_t a);
uint16_t interp_single_to_half(Vcpu *vcpu, uint16_t rm, uint32_t a);

/* A vector operation (IR_VEC_FIRST … IR_VEC_LAST); operand_type is that of a. `ret` is zero and no operand. */
void interp_vec(Vcpu *vcpu, const IrInsn *in, IrType operand_type, IrType b_type, const InterpValue *a,
                const InterpValue *b, const InterpValue *c, InterpValue *ret);

void interp_crypto(const IrInsn *in, const InterpValue *a, const InterpValue *b, const InterpValue *c, InterpValue *ret);

#endif
