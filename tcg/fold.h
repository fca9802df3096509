/*
 * fold.h: the folder, as the builder and the passes see it.
 */
#ifndef TCG_FOLD_H
#define TCG_FOLD_H

#include "tcg/build.h"

/*
 * Simplifies *insn (not yet emitted; value operands only). Returns the value it equals, or IR_NONE when
 * *insn, possibly changed, is to be emitted. May emit other instructions before.
 */
IrRef ir_fold(IrBuilder *b, IrInsn *insn);

/* The same for a comparison, of a branch or setcond: rewrites cond, x and y. Returns 0 or 1 when the
 * outcome is known, else -1. Operand type may change. */
int ir_fold_cond(IrBuilder *b, IrCond *cond, IrRef *x, IrRef *y);

/* Bits a value may use: it equals its own low n bits zero- (sign-) extended. At most the type's width. */
unsigned ir_zext_bits(const IrUnit *unit, IrRef ref);
unsigned ir_sext_bits(const IrUnit *unit, IrRef ref);

#endif
