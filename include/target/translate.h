/*
 * translate.h: between the common translation driver (accel/tcg/translate.c) and a front end.
 *
 * The driver first *scans*: following fall-through, direct jumps and both sides of branches inside the
 * page set, it finds where guest blocks begin and which of them have several predecessors or a back
 * edge. Then it calls target->translate for each instruction, block after block. A front end ends a
 * guest block by calling exactly one trans_* terminator below (or ir_trap after a helper that never
 * returns); a NORMAL instruction calls none. The driver decides whether a target is a block of
 * this unit or an exit, where polls go, and how much belongs in one unit.
 */
#ifndef TARGET_TRANSLATE_H
#define TARGET_TRANSLATE_H

#include "target/target.h"
#include "tcg/build.h"

struct TransCtx {
    IrBuilder *b;
    const Target *target;
    Vcpu *vcpu;            /* for features (vcpu->model) only: state may change under a unit, mode does not */
    uint64_t mode;
    vaddr pc;              /* of the instruction being translated */
    vaddr next_pc;         /* set by target->translate before it emits */
    bool ended;            /* a terminator was emitted */
    uint8_t max_insn_bytes; /* of this mode; the target's, unless trans_begin knows better */
    uint64_t data[18];     /* the front end's own, zero at trans_begin; must not depend on block order */
    uint64_t learnt;       /* the front end's own, kept where a unit is made again (trans_end), zero at first */
    struct TransDriver *driver;
};

/* Instruction bytes at pc (little-endian units); false when not fetchable: the driver raises the fault. */
bool trans_fetch(TransCtx *ctx, vaddr pc, void *out, unsigned size_bytes);

/* Whether the page of pc, which is in the unit, is PAGE_GUARDED. */
bool trans_guarded(const TransCtx *ctx, vaddr pc);

/* Ends the guest block. */
void trans_branch(TransCtx *ctx, IrCond cond, IrRef a, IrRef b, vaddr taken_pc); /* else next_pc */
void trans_branch_nz(TransCtx *ctx, IrRef value, vaddr taken_pc);
void trans_jump(TransCtx *ctx, vaddr pc);
void trans_call(TransCtx *ctx, vaddr pc, vaddr return_pc);
void trans_jump_indirect(TransCtx *ctx, IrExitKind kind, IrRef pc, vaddr return_pc);
/*
 * In the middle of an instruction: back to the main loop with the pc slot = pc if a COND b; else goes on here, in
 * another IR block that sees everything.
 */
void trans_leave_if(TransCtx *ctx, IrCond cond, IrRef a, IrRef b, VcpuExit reason, vaddr pc);
/* In the middle of an instruction: calls a helper (RAISES, NORETURN, one I32 argument) if a COND b; else goes on as above. */
void trans_raise_if(TransCtx *ctx, IrCond cond, IrRef a, IrRef b, unsigned helper, uint32_t argument);
/*
 * What is emitted between the two is skipped if a COND b, and may end the block by a terminator; behind them the block goes on.
 * Not nested. The scan knows nothing of it: jumps in between are ways out of the unit.
 */
void trans_skip_if(TransCtx *ctx, IrCond cond, IrRef a, IrRef b);
void trans_skip_end(TransCtx *ctx);
/* Behind an instruction, at its end, that may have made an interrupt pending or possible and does not leave: with -icount
 * it is taken at once, otherwise at the next poll. */
void trans_interrupts_changed(TransCtx *ctx);
/* Back to the main loop with the pc slot = pc. */
void trans_leave(TransCtx *ctx, VcpuExit reason, vaddr pc);

#endif
