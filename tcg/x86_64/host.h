/*
 * host.h: what the files of the x86-64 back end share.
 *
 * compile (lower.c) runs analyse (one backward walk) and then one forward walk that allocates registers
 * and encodes at once. The state of the allocator, RaState, says what each host register holds and where
 * each slot's current contents are; it is copied at branches and turned into entry maps at merges.
 *
 * Invariants of RaState
 *   - a register holds at most one value; several slots may have that value as their contents;
 *   - a slot whose memory is stale has a value that is a constant or is in a register, so that every
 *     snapshot and every exit can find it;
 *   - a value is in a register, in a spill place, in the memory of a clean slot (home), or a constant.
 *
 * System mode: accesses at one base value share a TLB check. The first, the leader, checks the bytes of them all
 * and keeps what host addresses are from guest addresses (the addend) in a register, ADDEND_NONE when they are not in one page
 * or the check failed; the others (followers) only compare with that. The addend is a value of its own, see group_value().
 *
 * Register use: rbp = state + VCPU_STATE_BIAS, rsp = shadow return stack (16-byte aligned between
 * instructions), r14 = guest base where there is one, r11 and xmm15 = scratch of one lowering.
 */
#ifndef TCG_X86_64_HOST_H
#define TCG_X86_64_HOST_H

#include "tcg/host.h"
#include "tcg/snapshot.h"
#include "target/target.h"
#include "tcg/x86_64/encode.h"

enum {
    REG_STATE = RBP, REG_BASE = R14, REG_TMP = R11, REG_VTMP = XMM15,
    NO_POS = UINT32_MAX,
    NO_SLOT = 0xff, NO_SPILL = 0xff,
    NO_INDEX = 0xffff,
    X_ROOM = 6144,   /* most bytes one instruction's lowering may need */
    GROUP_MAX = 1000, /* of a unit */
    NO_STREAM = 0xff,
    ADDEND_NONE = -1, /* of a group: check again. No real one is odd */
};

#define REGS_CALL_SAVED (1u << RBX | 1u << R12 | 1u << R13 | 1u << R14 | 1u << R15)
#define REGS_GPR 0xffffu
#define REGS_VEC 0xffff0000u

typedef struct ValInfo {
    uint32_t next_use;    /* forward walk: next instruction that reads it on the current path */
    uint16_t uses : 15;   /* in the whole unit; saturates */
    uint16_t wide : 1;    /* an I32 whose register's upper half is zero, and wanted: see val_is_alias() */
    uint8_t reg;          /* Reg or NO_REG */
    uint8_t spill;        /* spill place or NO_SPILL */
    uint8_t home;         /* slot whose clean memory holds it, or NO_SLOT */
    uint8_t slot_refs;    /* slots whose contents it is */
    uint8_t early_slot;   /* `put` to this slot follows with nothing between that could see the old contents */
    uint8_t fused;        /* evaluated where it is used; no code of its own */
    uint32_t first_use;
} ValInfo;
static_assert(sizeof(ValInfo) == 16, "read in bulk");

typedef struct RaState {
    IrSlotSet stale;
    IrSlotSet valued;     /* slots with slot_val != IR_NONE */
    uint64_t spill_used;
    IrRef reg_val[X_N_REGS];
    IrRef spill_val[VCPU_N_SPILLS];
    IrRef slot_val[IR_MAX_SLOTS];
} RaState;

typedef struct EntryMap {
    uint8_t n;
    uint8_t slot[32], reg[32];
    IrSlotSet mapped, stale;
    IrSlotSet needed;     /* BlockInfo.needed: what others hold is given up on the way in */
} EntryMap;

/*
 * Accesses that share a TLB check. In a loop where the base only grows or only shrinks, by constants, the leader is a
 * *stream*: its check compares the base with a bound that was set when it came to the page.
 */
typedef struct MemGroup {
    IrRef base;
    uint32_t leader;      /* instruction */
    int32_t lo, hi;       /* bytes [lo, hi) from the base are checked */
    uint16_t outer;       /* the next group in force, NO_INDEX none */
    uint8_t mmu_index;
    bool write;           /* checked for stores: good for loads, too */
    bool down;            /* stream: the base shrinks */
    uint8_t stream;       /* number in the loop, or NO_STREAM */
} MemGroup;

typedef struct LiveUse { IrRef ref; uint32_t pos; } LiveUse;

typedef struct BlockInfo {
    uint32_t offset;        /* of its code; NO_POS: not emitted yet */
    uint32_t fixups;        /* list of forward jumps to it, NO_POS ends */
    RaState *entry;         /* TREE: copied state; NULL: none was saved */
    EntryMap *map;          /* MERGE */
    uint32_t live_first, live_n; /* TREE: values it uses from its ancestors, in hc->live */
    uint16_t succ[2];       /* NO_INDEX: none */
    uint16_t order;         /* position in hc->order */
    IrSlotSet loop_used, loop_defined; /* LOOP: over the blocks of the loop */
    uint8_t *loop_weight;   /* LOOP: by slot, how much it is worth a register */
    IrSlotSet pred_defined; /* MERGE: slots its direct predecessors write */
    IrSlotSet live;         /* slots that a `get` may read from here on inside the unit */
    IrSlotSet needed;       /* slots whose contents here somebody may see: a `get`, or what may stop or leave */
    bool looks;             /* something in it may stop or leave */
    uint16_t loop;          /* innermost loop's header, or NO_INDEX */
    uint16_t core;          /* header of the streams' loop it is in, or NO_INDEX: see groups.c */
    uint16_t groups;        /* those in force at its start and then at its end, through MemGroup.outer */
    bool reached;
    bool in_loop_mark;
    bool walked;
    bool fp_control_lost;   /* at the end of a block that leads here, jit.fp_control_guest was not up to date */
    bool fp_control_loop;   /* LOOP: asks for MXCSR and does nothing that could change its flags */
    uint8_t streams[2];     /* LOOP: numbers in use, as bits; that grow, that shrink */
    uint32_t set_up;        /* LOOP: offset of what sets streams up in front of its code, where ways into the core lead */
} BlockInfo;

typedef struct Fixup { uint32_t pos, next; } Fixup;

typedef struct HostCompiler HostCompiler;
typedef struct Ool Ool;
struct Ool {
    void (*emit)(HostCompiler *hc, const Ool *o);
    uint32_t patch;         /* offset of the rel32 that leads here */
    uint32_t back;          /* offset to return to */
    uint32_t insn;
    uint32_t site;          /* in-line offset for snapshots */
    uint32_t addend_regs;   /* hold addends, which are not good any more after a slow path */
    uint64_t addend_spills;
    const MemGroup *group;  /* the access's */
    Reg addend;             /* its register, or a temporary: NO_REG without a group */
    bool leads;             /* the access is its group's leader and has followers */
    uint32_t resume;        /* stream: where the look-up goes on */
    uint8_t streams[2];     /* of the loop around it */
    bool enters;            /* an edge: into the core */
    RaState *state;         /* copy, or NULL */
    Mem mem;
    Reg r[4];
    uint32_t x;
    uint64_t imm;
};

struct HostCompiler {
    Asm as;
    uint8_t op_operands[IR_N_OPS]; /* ir_op_info[].n_operands, packed for the sake of the cache */
    uint8_t op_flags[IR_N_OPS];
    const IrUnit *unit;
    const IrInsn *insns;
    const Target *target;
    uint32_t n_insns, n_slots;
    bool ok;
    bool has_256;            /* upper vector halves may be in use */

    ValInfo *val;            /* n_insns, n_slots: slots' contents at a MERGE, not yet read, and the groups' addends */
    uint32_t (*use_next)[4]; /* by instruction and operand: position of the following use, NO_POS none */
    uint32_t *arg_next;      /* the same for call arguments */
    size_t val_cap, arg_cap;
    VEC(MemGroup) group;
    uint16_t *group_of;      /* by instruction, NO_INDEX none; NULL: no groups */
    BlockInfo *block;
    size_t block_cap;
    VEC(LiveUse) live;
    VEC(Fixup) fixup;
    VEC(Ool) ool;
    VEC(HostLink) link;
    VEC(uint64_t) pool;      /* constants addressed relative to rip */
    IrRef ops[4];            /* value operands of the current instruction, aliases resolved */
    uint16_t *order;         /* filled blocks in emission order */
    uint32_t n_order;
    SnapWriter snap;
    Arena arena;

    /* forward walk */
    RaState st;
    uint32_t used;           /* registers that hold something */
    uint32_t pinned;         /* registers this instruction is using */
    uint32_t temps;          /* those among them that hold no value: not for the result */
    uint32_t allocatable;
    uint64_t spill_dead;     /* places to be free from the next instruction on */
    uint32_t i;              /* current instruction */
    uint16_t b;              /* current block */
    uint16_t next_block;     /* the one whose code will follow, or NO_INDEX */
    bool state_valid;        /* hc->st is the state at the end of the previous block's fall-through */
    uint16_t fall_to;        /* block that hc->st belongs to, NO_INDEX none */
    uint32_t n_loops_open;
    bool fp_control_asked;   /* the unit has an fpget */
    bool fp_control_known;   /* jit.fp_control_guest is what MXCSR is at this point */
    bool x87_ready;          /* the guest's x87 state is in the host's unit at this point */
    uint8_t last_reg[IR_MAX_SLOTS]; /* where a slot's contents were last: a hint */
    IrRef flags_val;         /* host flags hold (value != 0) under flags_cc; IR_NONE: nothing */
    uint8_t flags_cc;
    uint32_t flags_at;       /* valid only at this code offset */
};

/* ---- analyse.c: liveness, slots, loops, fusion ---- */
void x64_analyse(HostCompiler *hc);
/* Value operands of an instruction with aliases resolved and a fused test's operands in its place:
 * brnz: [0] and [1]; select: [0] and [3]. A scalar operation fused with vset_low: its operand is [1]. With a fused load:
 * its base is [1], its index [2]. A follower's addend is [3]. */
void x64_operands(const HostCompiler *hc, const IrInsn *in, IrRef ops[4]);
enum { FUSED_TEST = 1, FUSED_DEAD = 2, FUSED_LOAD = 3, FUSED_DONE = 4 /* by the instruction before it */,
       FUSED_STORE = 5 /* fpget: what the store behind it stores */ };
/* The second operand is loaded by the instruction itself: a guest load whose value nobody else wants. */
static inline bool fused_load(const HostCompiler *hc, const IrInsn *in)
{
    return in->op >= IR_VEC_FIRST && in->op <= IR_VEC_LAST && hc->op_operands[in->op] == 2 && hc->val[in->b].fused == FUSED_LOAD;
}
/* The operation of a fused vset_low; its immediate, or -1. */
uint32_t x64_fp_unary(const IrInsn *in, unsigned operand_type, int *ret_imm);

/* ---- groups.c: accesses that share a TLB check; both once blocks are in order, streams once loops are known ---- */
void x64_find_groups(HostCompiler *hc);
void x64_find_streams(HostCompiler *hc);

/*
 * A 32-bit instruction of the host clears the upper half of its destination, so that zero-extending (ext_u) the result of one is
 * another name of the same register, which then counts as an I64 (ValInfo.wide). Only operations whose lowering surely ends in such an
 * instruction.
 */
static inline bool val_is_widening(const HostCompiler *hc, const IrInsn *ext)
{
    const IrInsn *in = &hc->insns[ext->a];
    switch (in->op) {
    case IR_add: case IR_sub: case IR_mul: case IR_neg: case IR_not: case IR_and: case IR_or: case IR_xor: case IR_andn:
    case IR_shl: case IR_shr: case IR_sar: case IR_rotl: case IR_rotr: case IR_clz: case IR_ctz: case IR_popcnt: case IR_bswap:
    case IR_sext8: case IR_sext16: case IR_zext8: case IR_zext16: case IR_setcond: case IR_ld:
        return true;
    case IR_select:
        return hc->insns[in->a].op != IR_fcmp;
    case IR_bfx:
        return in->aux >> 8 < 32;
    }
    return false;
}
/* trunc, flow and vlow are other names for the low part of the same register, which scalar constants have, too. */
static inline bool val_is_alias(const HostCompiler *hc, const IrInsn *in)
{
    return in->op == IR_trunc || in->op == IR_flow || (in->op == IR_vlow && hc->insns[in->a].op != IR_const) ||
           (in->op == IR_ext_u && val_is_widening(hc, in));
}
static inline IrRef val_resolve(const HostCompiler *hc, IrRef v)
{
    while (v != IR_NONE && val_is_alias(hc, &hc->insns[v])) {
        v = hc->insns[v].a;
    }
    return v;
}
static inline bool val_is_const(const HostCompiler *hc, IrRef v)
{
    return v < hc->n_insns && hc->insns[v].op == IR_const;
}
/* The addend of a group, as a value. */
static inline IrRef group_value(const HostCompiler *hc, unsigned g) { return hc->n_insns + hc->n_slots + g; }
static inline bool val_is_addend(const HostCompiler *hc, IrRef v)
{
    return v != IR_NONE && v >= hc->n_insns + hc->n_slots;
}
/* The group of instruction i: as its leader with followers, as a follower, or NO_INDEX. */
static inline unsigned group_led(const HostCompiler *hc, uint32_t i)
{
    unsigned g = hc->group_of ? hc->group_of[i] : NO_INDEX;
    return g != NO_INDEX && hc->group.at[g].leader == i && hc->val[group_value(hc, g)].first_use != NO_POS ? g : NO_INDEX;
}
static inline unsigned group_followed(const HostCompiler *hc, uint32_t i)
{
    unsigned g = hc->group_of ? hc->group_of[i] : NO_INDEX;
    return g != NO_INDEX && hc->group.at[g].leader != i ? g : NO_INDEX;
}
/* ---- regalloc.c ---- */
static inline bool reg_is_vec(Reg r) { return r >= XMM0; }
static inline unsigned val_type(const HostCompiler *hc, IrRef v)
{
    return v < hc->n_insns ? (hc->val[v].wide ? (unsigned)IR_I64 : hc->insns[v].type) : val_is_addend(hc, v) ? IR_I64 : hc->target->slots[v - hc->n_insns].type;
}
static inline unsigned slot_type(const HostCompiler *hc, unsigned s) { return hc->target->slots[s].type; }
static inline Mem slot_mem(const HostCompiler *hc, unsigned s)
{
    return mem_bd(REG_STATE, hc->target->slots[s].offset - VCPU_STATE_BIAS);
}
static inline Mem state_mem(int offset) { return mem_bd(REG_STATE, offset - VCPU_STATE_BIAS); }
#define JIT_MEM(field) state_mem(VCPU_JIT_OFFSET(field))
static inline Mem spill_mem(unsigned place)
{
    return state_mem(VCPU_JIT_OFFSET(spill) + (int)place * 32);
}
static inline Mem mem_plus(Mem m, int32_t n) { m.disp += n; return m; }

void ra_begin(HostCompiler *hc);
RaState *ra_save(HostCompiler *hc);
void ra_restore(HostCompiler *hc, const RaState *saved);
/* A TREE block begins: only the values it needs stay. */
void ra_tree_begin(HostCompiler *hc, uint16_t block);
void ra_merge_begin(HostCompiler *hc, uint16_t block);
void ra_map_choose(HostCompiler *hc, uint16_t block);
EntryMap *ra_map_new(HostCompiler *hc, uint16_t block);
bool ra_map_matches(HostCompiler *hc, const EntryMap *map);
void ra_map_shuffle(HostCompiler *hc, const EntryMap *map);

/* A free register of `regs`, evicting when none is; it is not marked used. */
Reg ra_alloc(HostCompiler *hc, uint32_t regs, Reg hint);
/* A register for this instruction only, pinned. */
Reg ra_temp(HostCompiler *hc, uint32_t regs);
/* Empties exactly register r (its value moves or is stored) and pins it. */
void ra_take(HostCompiler *hc, Reg r);
/* The register a value is in, loading it if needed; pinned. */
Reg ra_use(HostCompiler *hc, IrRef v);
/* The same, in register r, which then belongs to the instruction (a copy if the value lives on). */
void ra_use_in(HostCompiler *hc, IrRef v, Reg r);
bool ra_is_memory(HostCompiler *hc, IrRef v, Mem *ret); /* in memory only, and not read again soon */
/* Operand k of the current instruction (and its dead registers) is read no more. */
void ra_consume(HostCompiler *hc);
/* Register for the current instruction's result; never one in `avoid`. */
Reg ra_dest(HostCompiler *hc, Reg hint, uint32_t avoid);
void ra_dest_in(HostCompiler *hc, Reg r);  /* the result is in r, which is free or taken */
void ra_done(HostCompiler *hc);            /* the result is complete: early put */
void ra_adopt(HostCompiler *hc, IrRef v, Reg r); /* temporary r holds v, a second result of the instruction */
void ra_kill(HostCompiler *hc, unsigned s);
void ra_put(HostCompiler *hc, unsigned slot, IrRef v);
void ra_get(HostCompiler *hc, unsigned slot, IrRef v);
void ra_store_stale(HostCompiler *hc);                /* every stale slot, marked clean */
void ra_emit_stale(HostCompiler *hc, const RaState *st, unsigned but_slot); /* stores only; no change */
void ra_forget_slots(HostCompiler *hc);
/* Gives up every register in `regs` (around C calls). */
void ra_vacate(HostCompiler *hc, uint32_t regs);
void ra_drop_dead(HostCompiler *hc, IrRef v);
void ra_move(HostCompiler *hc, Reg d, Reg s, unsigned type);
void ra_load_const(HostCompiler *hc, Reg d, unsigned type, uint64_t imm);
void ra_load(HostCompiler *hc, Reg d, unsigned type, Mem m);
void ra_store(HostCompiler *hc, Mem m, unsigned type, Reg s);

/* ---- fp-control.c: MXCSR read and written ---- */
void x64_find_fp_control_loop(HostCompiler *hc, uint16_t head, uint32_t first_order); /* the loop of `head`, by in_loop_mark */
void x64_fp_control_begin(HostCompiler *hc, uint16_t b);
void x64_fp_control_leave(HostCompiler *hc);
/* Surely changes nothing in MXCSR. */
static inline bool x64_fp_control_keeps(const HostCompiler *hc, unsigned op)
{
    return op <= IR_maxu || hc->op_flags[op] & (IR_OP_MEM | IR_OP_TERM);
}
void lower_fpget(HostCompiler *hc);
void x64_store_fp_control(HostCompiler *hc, Mem m); /* of a store whose value is FUSED_STORE */
void lower_fpset(HostCompiler *hc);

/* ---- lower.c and its siblings ---- */
void lower_int(HostCompiler *hc, const IrInsn *in);
void lower_fp(HostCompiler *hc, const IrInsn *in);
void lower_vec(HostCompiler *hc, const IrInsn *in);
bool lower_vec_move(HostCompiler *hc, const IrInsn *in);  /* vlow … vfrsqrt; false: nothing emitted */
/* Lanes of sizes the host has no instruction for; a comparison by a minimum or maximum. */
bool lower_vec_expand(HostCompiler *hc, const IrInsn *in);
bool lower_vec_order(HostCompiler *hc, const IrInsn *in, unsigned cond);
bool lower_vec_float(HostCompiler *hc, const IrInsn *in); /* vfadd … vfround likewise */
/* How many bytes in memory the second operand may be, if this is one host instruction with AVX; 0: none. */
unsigned x64_vec_memory_bytes(const HostCompiler *hc, const IrInsn *in);
unsigned x64_move_memory_bytes(const IrInsn *in);
unsigned x64_float_memory_bytes(const HostCompiler *hc, const IrInsn *in);
/* d = a OP b with a fused load. */
void lower_with_load(HostCompiler *hc, const IrInsn *in, uint32_t op, int imm);
/* d = a OP b for a vector instruction's operands; `imm` follows the opcode unless it is negative. */
void lower_vec_binary(HostCompiler *hc, const IrInsn *in, uint32_t op, IrRef a, IrRef b, int imm);
void lower_mem(HostCompiler *hc, const IrInsn *in);
bool lower_crypto(HostCompiler *hc, const IrInsn *in);
void lower_x87(HostCompiler *hc, const IrInsn *in);
/* Loads the guest's x87 state where that may be needed; clobbers flags. */
void x64_x87_ready(HostCompiler *hc);
bool x64_x87_lacks(const HostCompiler *hc, uint32_t code);
/* Emits the instruction with memory operand m (its reg field is the code's). */
void x64_x87_memory(HostCompiler *hc, uint32_t code, Mem m);
void x64_streams_reset(HostCompiler *hc, const uint8_t streams[2]);
void lower_call(HostCompiler *hc, const IrInsn *in);
void lower_exit(HostCompiler *hc, const IrInsn *in);
void lower_branch(HostCompiler *hc, const IrInsn *in);
/* Emits the comparison of a fused or plain condition; returns the condition code. */
unsigned lower_compare(HostCompiler *hc, unsigned cond, unsigned type, IrRef a, IrRef b);
unsigned x64_cc(unsigned cond);
/* ucomis of a fused fcmp; `parity`: unordered also counts as false and is in PF. */
unsigned lower_fp_compare(HostCompiler *hc, const IrInsn *test, bool *ret_parity);
Ool *ool_new(HostCompiler *hc, void (*emit)(HostCompiler *, const Ool *), uint32_t patch);
/* jcc to out-of-line code that may come back behind it. */
Ool *ool_jcc(HostCompiler *hc, unsigned cc, void (*emit)(HostCompiler *, const Ool *));
void ool_back(HostCompiler *hc, const Ool *o);
Mem pool_vec(HostCompiler *hc, const IrVecConst *c, unsigned size_bytes);
Mem pool_u64x2(HostCompiler *hc, uint64_t lo, uint64_t hi);
static inline bool has(const HostCompiler *hc, uint32_t feature) { return hc->as.features & feature; }
/* Vector operation d = s1 OP s2 in VEX or legacy form; in legacy form d must not be s2 unless d = s1. */
void sse_rrr(HostCompiler *hc, uint32_t op, Reg d, Reg s1, Reg s2);
void sse_rrm(HostCompiler *hc, uint32_t op, Reg d, Reg s1, Mem m);
/* One-source forms: d = OP s. */
void sse_rr(HostCompiler *hc, uint32_t op, Reg d, Reg s);
void sse_rm(HostCompiler *hc, uint32_t op, Reg d, Mem m);

/* ---- frame.c: entering, leaving, trampolines ---- */
typedef enum RuntimeEntry { /* trampolines; jit.scratch[SCRATCH_ENTRY + n] holds their addresses */
    RT_SLOW_LOAD, RT_SLOW_STORE, RT_SLOW_LOAD_VEC, RT_SLOW_STORE_VEC, RT_SLOW_ATOMIC, RT_HOST_CALL, RT_SLOW_X87,
    RT_N_ENTRIES
} RuntimeEntry;
enum { /* jit.scratch[] */
    SCRATCH_RUNTIME,
    SCRATCH_ENTRY,
    /* The last spill places carry the arguments and results of trampolines. */
    SPILL_ARGS = VCPU_N_SPILLS - 2,
    SPILL_VEC_ARG = VCPU_N_SPILLS - 1,  /* also operand 2 and the result of HOST_CALL_VEC */
    SPILL_VEC_A = VCPU_N_SPILLS - 4,
    SPILL_VEC_B = VCPU_N_SPILLS - 3,
};
#define SPILLS_RESERVED (BIT(SPILL_ARGS) | BIT(SPILL_VEC_ARG) | BIT(SPILL_VEC_A) | BIT(SPILL_VEC_B))
static_assert(SCRATCH_ENTRY + RT_N_ENTRIES <= 8, "jit.scratch is full");
static inline Mem arg_mem(unsigned n) { return mem_plus(spill_mem(SPILL_ARGS), n * 8); }
/* What an out-of-line slow path leaves for the trampolines: follows the call, 4-byte aligned or not. */
typedef struct SlowSite {
    IrMem mem;
    int32_t site_delta;   /* in-line instruction - this struct */
} SlowSite;

/*
 * Functions generated code calls with every register kept (runtime.c): fn(vcpu, words), where words are those
 * of arg_mem(). FP: operands in 0..2, what to do in 3, result in 0. VEC: operands in the spill places
 * SPILL_VEC_A, _B and _ARG or in words 0..1 when they are scalars, what to do in word 3; result in _ARG or word 0.
 */
typedef enum HostCall { HOST_CALL_FP, HOST_CALL_VEC, HOST_CALL_X87 /* word 3: 0 TargetX87.load, else an instruction on registers */ } HostCall;
void emit_host_call(HostCompiler *hc, HostCall index, uint64_t what);
static inline uint64_t host_call_what(unsigned op, unsigned type, unsigned operand_type, unsigned aux)
{
    return op | type << 8 | operand_type << 16 | (uint64_t)aux << 32;
}
/* The current FP or vector instruction by a host call; ends with ra_done(). */
void lower_by_call(HostCompiler *hc, const IrInsn *in);
extern const void *const x64_host_calls[];
size_t x64_runtime_emit(uint8_t *out, size_t room_bytes, const uint8_t *rx);
void x64_vcpu_init(Vcpu *vcpu, const uint8_t *runtime_rx);
HostResult x64_enter(Vcpu *vcpu, const void *code);
void x64_link(uint8_t *patch_rw, const uint8_t *patch_rx, const uint8_t *target_rx);
void x64_disas(FILE *out, const uint8_t *code, size_t size_bytes);
void x64_print_lowered(FILE *out, const HostCompiler *hc, const IrUnit *unit);

#endif
