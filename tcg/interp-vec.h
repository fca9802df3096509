/*
 * interp-vec.h: between the files of the interpreter's vector operations.
 */
#ifndef TCG_INTERP_VEC_H
#define TCG_INTERP_VEC_H

#include <stdlib.h>
#include <string.h>
#include "tcg/interp-ops.h"

static inline uint64_t lane_get(const InterpValue *v, unsigned size_log2, unsigned i)
{
    switch (size_log2) {
    case IR_LANE_8: return v->u8[i];
    case IR_LANE_16: return v->u16[i];
    case IR_LANE_32: return v->u32[i];
    default: return v->u64[i];
    }
}

static inline void lane_set(InterpValue *v, unsigned size_log2, unsigned i, uint64_t value)
{
    switch (size_log2) {
    case IR_LANE_8: v->u8[i] = (uint8_t)value; break;
    case IR_LANE_16: v->u16[i] = (uint16_t)value; break;
    case IR_LANE_32: v->u32[i] = (uint32_t)value; break;
    default: v->u64[i] = value; break;
    }
}

/* vlow … vmpsad, those that are not lanewise. `ret` is zero. */
void interp_vec_move(const IrInsn *in, IrType operand_type, const InterpValue *a, const InterpValue *b, InterpValue *ret);
/* vfadd … vfround, vfrcp, vfrsqrt. */
void interp_vec_fp(Vcpu *vcpu, const IrInsn *in, const InterpValue *a, const InterpValue *b, const InterpValue *c,
                   InterpValue *ret);

#endif
