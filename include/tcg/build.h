/*
 * build.h: how a front end emits IR.
 *
 * The builder folds constants and simple identities while it emits, forwards slots (a `get` after a
 * `put` or an earlier `get` in the same chain of blocks costs nothing) and keeps each block's used and
 * defined slot sets. At the start of a MERGE block it forgets what it knew; at the start of a TREE
 * block it goes on with what was known at the end of its predecessor.
 *
 * One slot may be the *rule*: its value says how others are to be read, and code for a constant is much better than code for
 * any (lazy flags). A MERGE block knows it where all edges so far bring the same constant. Back edges come later: if one
 * brings something else to a block that has used what it knew, rule_broken is set, and the unit has to be made again with
 * rule_safe, where no MERGE block knows anything.
 *
 * All ir_* emitters return the value; operands must be of the type the op's signature says.
 */
#ifndef TCG_BUILD_H
#define TCG_BUILD_H

#include "tcg/ir.h"

typedef struct IrAligned { IrRef base, index; int32_t disp; uint32_t mask; uint16_t block; uint8_t scale_log2; } IrAligned;

typedef struct IrBuilder IrBuilder;
struct IrBuilder {
    IrUnit *unit;
    Arena arena;                 /* saved slot knowledge of finished blocks; reset per unit */
    uint16_t block;              /* being filled; UINT16_MAX: none */
    IrRef slot_value[IR_MAX_SLOTS]; /* known value, or IR_NONE */
    vaddr insn_pc;
    uint32_t insn_extra;
    bool insn_pending;           /* insn_start not emitted yet: nothing that may stop has come since */
    int icount_left;             /* -icount: byte offset from the state of where calls that may raise leave the extra
                                    word (instructions left in the block), as memory accesses have it in snapshots; 0: none */
    bool all_insns;              /* keep every insn_start (logs); else those that something may stop at */
    struct { IrRef ref; uint64_t imm; uint8_t type; } const_cache[64];
    IrRef conversion_cache[64], repeated_cache[64];
    IrAligned aligned[4];        /* addresses known to be aligned: see build.c */
    unsigned n_aligned;
    IrRef **block_slots;         /* by block: slot values at its end, for TREE successors */
    uint32_t block_slots_cap;
    IrSlotSet all_slots;         /* of the target */
    uint16_t rule_slot;          /* trans_begin sets it; IR_MAX_SLOTS: none */
    bool rule_safe, rule_broken;
    struct IrRule {
        IrRef value;             /* the constant that all edges to the block bring; IR_NONE: not the same, or none yet */
        bool used;               /* something was translated by that */
        uint16_t origin;         /* of a block whose slot still is what it was there: the MERGE block that knows; else UINT16_MAX */
    } *block_rule;               /* by block, like block_slots */
};

void ir_builder_init(IrBuilder *b, IrUnit *unit);  /* once per thread */
void ir_builder_finish(IrBuilder *b);
void ir_builder_begin(IrBuilder *b);               /* per unit; unit->target etc. already set */

/* Blocks. ir_block_new reserves an index (forward branches need one before the block is filled). */
uint16_t ir_block_new(IrBuilder *b, vaddr pc);
/* Begins filling `block`; the previous one must have been ended by a terminator. `merge`: see ir.h;
 * else `pred` is its only predecessor, already filled. loop: it will be the target of a back edge. */
void ir_block_begin_merge(IrBuilder *b, uint16_t block, bool loop);
void ir_block_begin_tree(IrBuilder *b, uint16_t block, uint16_t pred);

/* Everything up to the next call belongs to the guest instruction at pc. */
void ir_insn_start(IrBuilder *b, vaddr pc, uint32_t extra);

IrRef ir_const(IrBuilder *b, IrType type, uint64_t imm);
static inline IrRef ir_i64(IrBuilder *b, uint64_t imm) { return ir_const(b, IR_I64, imm); }
static inline IrRef ir_i32(IrBuilder *b, uint32_t imm) { return ir_const(b, IR_I32, imm); }
IrRef ir_vconst(IrBuilder *b, IrType type, const IrVecConst *value);

IrRef ir_get(IrBuilder *b, unsigned slot);
void ir_put(IrBuilder *b, unsigned slot, IrRef value);
/* Nobody reads the slot before the next put: what memory has of it will do, whatever that is. */
void ir_kill(IrBuilder *b, unsigned slot);
/* Raw CPU state outside slots. `offset` is relative to the target's state struct. */
IrRef ir_ldenv(IrBuilder *b, IrType type, int offset, unsigned size_bytes, bool sign);
void ir_stenv(IrBuilder *b, int offset, unsigned size_bytes, IrRef value);

/* jit.fp_control_guest where the host may have it in a register of its own. */
IrRef ir_fpget(IrBuilder *b);
void ir_fpset(IrBuilder *b, IrRef value);

/* Any op with value operands a, b, c (IR_NONE where absent): folds, else emits. */
IrRef ir_emit(IrBuilder *b, IrOp op, IrType type, unsigned aux, IrRef a, IrRef b_, IrRef c);

static inline IrRef ir_op1(IrBuilder *b, IrOp op, IrType type, IrRef x)
{
    return ir_emit(b, op, type, 0, x, IR_NONE, IR_NONE);
}
static inline IrRef ir_op2(IrBuilder *b, IrOp op, IrType type, IrRef x, IrRef y)
{
    return ir_emit(b, op, type, 0, x, y, IR_NONE);
}
static inline IrRef ir_op2_imm(IrBuilder *b, IrOp op, IrType type, IrRef x, uint64_t imm)
{
    return ir_emit(b, op, type, 0, x, ir_const(b, type, imm), IR_NONE);
}
static inline IrRef ir_setcond(IrBuilder *b, IrType type, IrCond cond, IrRef x, IrRef y)
{
    return ir_emit(b, IR_setcond, type, cond, x, y, IR_NONE);
}
static inline IrRef ir_select(IrBuilder *b, IrType type, IrRef cond, IrRef if_true, IrRef if_false)
{
    return ir_emit(b, IR_select, type, 0, cond, if_true, if_false);
}

/* Guest memory. `index` may be IR_NONE. A constant or `add x, const` base is folded into disp. */
IrRef ir_load(IrBuilder *b, IrType type, IrRef base, IrRef index, IrMem mem);
void ir_store(IrBuilder *b, IrRef base, IrRef index, IrRef value, IrMem mem);
IrRef ir_rmw(IrBuilder *b, IrType type, IrRef base, IrRef operand, IrMem mem);
IrRef ir_cas(IrBuilder *b, IrType type, IrRef base, IrRef expected, IrRef desired, IrMem mem);
IrRef ir_ll(IrBuilder *b, IrType type, IrRef base, IrMem mem);
IrRef ir_sc(IrBuilder *b, IrType type, IrRef base, IrRef value, IrMem mem);
void ir_fence(IrBuilder *b, unsigned mask);

/* x87 and MMX instructions; `code` by ir_x87_code(). */
void ir_x87(IrBuilder *b, uint32_t code);
void ir_x87_in(IrBuilder *b, uint32_t code, IrRef value);
IrRef ir_x87_out(IrBuilder *b, IrType type, uint32_t code);
void ir_x87_mem(IrBuilder *b, uint32_t code, IrRef base, IrRef index, IrMem mem);

/*
 * Calls helper `id` of the unit's target. For a helper that RAISES, the builder first puts the current
 * instruction's pc into the pc slot. Known slot values the helper may write are forgotten. The vCPU is
 * passed implicitly as first argument where the helper's description says so.
 */
IrRef ir_call(IrBuilder *b, unsigned id, unsigned n_args, const IrRef *args);

/* Terminators. */
void ir_br(IrBuilder *b, uint16_t block);
void ir_brcond(IrBuilder *b, IrCond cond, IrRef x, IrRef y, uint16_t taken, uint16_t other);
void ir_brnz(IrBuilder *b, IrRef x, uint16_t taken, uint16_t other);
void ir_exit(IrBuilder *b, IrExit exit, IrRef pc);
void ir_trap(IrBuilder *b);

void ir_poll(IrBuilder *b, vaddr pc);
void ir_icount(IrBuilder *b, vaddr pc, unsigned n_insns);

#endif
