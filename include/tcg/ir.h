/*
 * ir.h: the intermediate representation between guest front ends and host back ends.
 *
 * A *unit* is what is translated at once: blocks in emission order over one flat array of
 * 16-byte instructions; an instruction's index is its value (single assignment).
 *
 * Blocks. Block 0 is the entry. A block is either
 *   TREE   exactly one predecessor, emitted earlier: it sees every value of its chain of single
 *          predecessors, up to and including the nearest MERGE (or the entry) block;
 *   MERGE  any number of predecessors (joins, loop headers): its parameters are the *slots*; the only
 *          values of other blocks it may use are constants.
 * A block ends with exactly one TERM instruction. Successors may be earlier blocks (loops), which
 * then are MERGE with IR_BLOCK_LOOP.
 *
 * Slots are the guest's registers: a fixed place in CPU state with one type, read by `get`, written
 * full width by `put`. Between puts the place in memory may be stale: the host keeps slots where
 * it likes, and records for each instruction that can fault or leave where each one is
 * (snapshot.h). Everything outside the unit sees them in memory.
 *
 * Constants may be used from any block; they cost nothing where they stand.
 *
 * Threads: a unit belongs to the thread that builds it until it is compiled.
 */
#ifndef TCG_IR_H
#define TCG_IR_H

#include "util/alloc.h"
#include <stdio.h>
#include "util/bits.h"
#include "util/error.h"

typedef struct Target Target;

/* V256 only where the host has such registers (HostOps.features names "avx"). */
typedef enum IrType { IR_VOID, IR_I32, IR_I64, IR_F32, IR_F64, IR_V128, IR_V256, IR_N_TYPES } IrType;

static inline unsigned ir_type_bytes(IrType type)
{
    static const uint8_t bytes[IR_N_TYPES] = { 0, 4, 8, 4, 8, 16, 32 };
    return bytes[type];
}

static inline bool ir_type_is_int(IrType type) { return type == IR_I32 || type == IR_I64; }
static inline bool ir_type_is_fp(IrType type) { return type == IR_F32 || type == IR_F64; }
static inline bool ir_type_is_vec(IrType type) { return type >= IR_V128; }

typedef enum IrOp {
#define OP(name, signature, flags, doc) IR_##name,
#include "tcg/ops.def"
#undef OP
    IR_N_OPS,
    IR_CRYPTO_FIRST = IR_aesenc, IR_CRYPTO_LAST = IR_crc32c,
    IR_VEC_FIRST = IR_vget_lane, IR_VEC_LAST = IR_vfround,
} IrOp;

enum { /* op flags */
    IR_OP_PURE = 1, IR_OP_COMM = 2, IR_OP_TERM = 4, IR_OP_MEM = 8, IR_OP_SIDE = 16, IR_OP_STATE = 32,
};

typedef struct IrOpInfo {
    const char *name, *signature, *doc;
    uint8_t flags;
    uint8_t n_operands; /* value operands among a, b, c */
} IrOpInfo;
extern const IrOpInfo ir_op_info[IR_N_OPS];

typedef uint32_t IrRef;
#define IR_NONE UINT32_MAX /* absent operand */

typedef struct IrInsn {
    uint8_t op;
    uint8_t type;  /* IrType of the result, or of the stored value */
    uint16_t aux;
    IrRef a;
    union {
        struct { IrRef b, c; };
        uint64_t imm;
    };
} IrInsn;
static_assert(sizeof(IrInsn) == 16, "IrInsn is read in bulk");

typedef enum IrCond {
    IR_EQ, IR_NE, IR_LT, IR_GE, IR_LE, IR_GT, IR_LTU, IR_GEU, IR_LEU, IR_GTU,
    IR_TSTEQ, /* (a & b) == 0 */
    IR_TSTNE, /* (a & b) != 0 */
    IR_N_CONDS
} IrCond;
IrCond ir_cond_invert(IrCond cond); /* !(a C b) */
IrCond ir_cond_swap(IrCond cond);   /* b C a */

/* a FCOND b. Quiet ones raise invalid for signalling NaNs only; _SIG ones for every NaN. */
typedef enum IrFpCond { IR_FEQ, IR_FLT_SIG, IR_FLE_SIG, IR_FEQ_SIG, IR_FLT, IR_FLE, IR_FUNORD } IrFpCond;

/* Rounding of one operation: as the guest's mode register says, or fixed in the instruction. */
typedef enum IrRounding {
    IR_RM_DYN, IR_RM_NEAREST_EVEN, IR_RM_ZERO, IR_RM_DOWN, IR_RM_UP, IR_RM_NEAREST_AWAY, IR_RM_ODD
} IrRounding;
enum {
    IR_RM_MASK = 7,
    /* fma, vfma (vfma: << 4); under FP_NAN_ARM a and c are negated even if they are NaNs. */
    IR_FMA_NEG_PRODUCT = 8, IR_FMA_NEG_ADDEND = 16,
    IR_ROUND_EXACT = 8,                             /* fround */
    IR_LANE_LOW = 32, IR_FMA_REST_B = 64, IR_FMA_REST_C = 128, /* vfadd … vfmax: << 4 */
};

/*
 * vfadd, vfsub, vfmul, vfma, vfmin, vfmax (<< 4) of lanes of 32 bits: by Arm's Standard FPSCR value: subnormal operands, which jit.fp_flushed notes,
 * and results are zeros, NaNs the default one. Only by Arm's rules (FP_NAN_ARM), and where the guest rounds to nearest and inexact has been raised
 * already: whether it is raised again is not defined, and neither is the denormal flag, which Arm does not have.
 */
enum { IR_FP_STD = 256 };

/* vfcmp: relations that hold, and whether every NaN raises invalid (else signalling ones). STD: as above. */
enum { IR_FREL_LT = 1, IR_FREL_EQ = 2, IR_FREL_GT = 4, IR_FREL_UNORD = 8, IR_FREL_SIG = 16, IR_FREL_STD = 32 };

typedef enum IrVecCvt {
    IR_CVT_F32_F64, IR_CVT_F64_F32, IR_CVT_I32_F32, IR_CVT_I32_F64, IR_CVT_F32_I32, IR_CVT_F64_I32,
    IR_CVT_F16_F32, IR_CVT_F32_F16, IR_N_CVTS
} IrVecCvt;

typedef enum IrFpMinMax {
    IR_MINMAX_NUMBER,  /* IEEE 754-2019 minimumNumber: NaN loses; -0 < +0; sNaN raises invalid (RISC-V F); under FP_NAN_ARM
                          754-2008 minNum, where a signalling NaN wins */
    IR_MINMAX_NAN,     /* IEEE 754-2019 minimum: NaN wins; -0 < +0 (RISC-V Zfa, Arm FMIN) */
    IR_MINMAX_X86,     /* a < b ? a : b (b if unordered or both zero) */
} IrFpMinMax;

typedef enum IrLane { IR_LANE_8, IR_LANE_16, IR_LANE_32, IR_LANE_64 } IrLane;

enum { IR_ENV_SIGN = 8 }; /* ldenv aux */

enum { IR_FENCE_RR = 1, IR_FENCE_RW = 2, IR_FENCE_WR = 4, IR_FENCE_WW = 8, IR_FENCE_ALL = 15 };

typedef enum IrRmw {
    IR_RMW_XCHG, IR_RMW_ADD, IR_RMW_AND, IR_RMW_OR, IR_RMW_XOR, IR_RMW_MINS, IR_RMW_MAXS, IR_RMW_MINU, IR_RMW_MAXU,
    IR_RMW_LL = 15, /* in the mem of an ll: slow paths must treat it as a load (ir_ll sets it) */
} IrRmw;

typedef enum IrAlign {
    IR_ALIGN_ANY,   /* any address works; crossing a page is handled */
    IR_ALIGN_FAULT, /* a misaligned address raises the guest's alignment exception */
    IR_ALIGN_TWICE, /* the same for an address that is not a multiple of twice the size */
} IrAlign;

enum { IR_ORDER_RELAXED, IR_ORDER_ACQUIRE = 1, IR_ORDER_RELEASE = 2, IR_ORDER_SEQ_CST = 3 };

/* A guest memory access. */
typedef struct IrMem {
    int32_t disp;
    uint8_t size_log2;  /* 0..5; V128 also 2 and 3: loads zero the rest, stores store the low bytes */
    uint8_t scale_log2; /* of the index operand */
    uint8_t mmu_index;
    uint8_t rmw;        /* IrRmw, for rmw */
    bool sign;          /* sign-extend the loaded value to the result type */
    bool big_endian;
    uint8_t align;      /* IrAlign */
    uint8_t order;
} IrMem;

/* Address bits that must be zero. */
static inline unsigned ir_mem_align_mask(const IrMem *mem)
{
    return mem->align == IR_ALIGN_ANY ? 0 : (1u << (mem->size_log2 + (mem->align == IR_ALIGN_TWICE))) - 1;
}

/* The instruction of x87 ops as a number: ModRM | opcode << 8 | immediate << 16 | map << 24 | form << 26 | flags. With a memory
 * form only the reg field of ModRM counts; a general register's field is the host's to fill in. */
typedef enum IrX87Map { IR_X87_D8, IR_X87_0F, IR_X87_0F38, IR_X87_0F3A } IrX87Map; /* the first: opcodes d8-df */
typedef enum IrX87Form {
    IR_X87_MEMORY,      /* the operand is in memory; x87: registers */
    IR_X87_GPR_RM,      /* a general register in the r/m field (in) */
    IR_X87_GPR_REG,     /* a general register in the reg field (out) */
    IR_X87_FLAGS,       /* out: ZF, PF and CF as in EFLAGS (fcomi) */
    IR_X87_CONDITION,   /* in: fcmovne, done when a != 0 */
} IrX87Form;
enum { IR_X87_W = 1 << 29, IR_X87_IMM = 1 << 30 }; /* REX.W; an immediate byte follows */
static inline uint32_t ir_x87_code(IrX87Map map, IrX87Form form, unsigned opcode, unsigned modrm)
{
    return modrm | opcode << 8 | (unsigned)map << 24 | (unsigned)form << 26;
}
static inline unsigned ir_x87_modrm(uint32_t code) { return code & 0xff; }
static inline unsigned ir_x87_opcode(uint32_t code) { return code >> 8 & 0xff; }
static inline unsigned ir_x87_imm(uint32_t code) { return code >> 16 & 0xff; }
static inline IrX87Map ir_x87_map(uint32_t code) { return (IrX87Map)(code >> 24 & 3); }
static inline IrX87Form ir_x87_form(uint32_t code) { return (IrX87Form)(code >> 26 & 7); }

/* Of instructions with a memory operand: they read it (else they write it). */
static inline bool ir_x87_reads_memory(uint32_t code)
{
    unsigned opcode = ir_x87_opcode(code), reg = ir_x87_modrm(code) >> 3 & 7;
    if (ir_x87_map(code) != IR_X87_D8) {
        return opcode != 0x7f && opcode != 0x7e && opcode != 0xe7; /* movq, movd and movntq to memory */
    }
    static const uint8_t writes[8] = { [1] = 0xcc, [3] = 0x8e, [5] = 0xce, [7] = 0xce };
    return !(writes[opcode & 7] >> reg & 1);
}

typedef enum IrExitKind {
    IR_EXIT_JUMP,       /* direct jump to pc: linked to the successor when it exists */
    IR_EXIT_CALL,       /* direct jump to pc that will come back to return_pc */
    IR_EXIT_INDIRECT,   /* jump to the operand's pc through the jump cache */
    IR_EXIT_INDIRECT_CALL, /* the same, and will come back to return_pc */
    IR_EXIT_RETURN,     /* jump to the operand's pc, expected to be a caller's return_pc */
    IR_EXIT_LEAVE,      /* back to the main loop with `reason`, guest pc = pc (or the operand) */
} IrExitKind;

typedef struct IrExit {
    uint8_t kind;       /* IrExitKind */
    uint8_t reason;     /* LEAVE: VcpuExit of vcpu.h */
    vaddr pc, return_pc;
} IrExit;

enum { IR_MAX_SLOTS = 192, IR_MAX_ARGS = 6 /* of a helper, besides the vCPU */ };
typedef struct IrSlotSet { uint64_t w[IR_MAX_SLOTS / 64]; } IrSlotSet;

static inline bool ir_slots_has(const IrSlotSet *s, unsigned slot) { return s->w[slot / 64] >> (slot % 64) & 1; }
static inline void ir_slots_add(IrSlotSet *s, unsigned slot) { s->w[slot / 64] |= BIT(slot % 64); }
static inline void ir_slots_del(IrSlotSet *s, unsigned slot) { s->w[slot / 64] &= ~BIT(slot % 64); }

enum { IR_BLOCK_MERGE = 1, IR_BLOCK_LOOP = 2, IR_BLOCK_COLD = 4 };

typedef struct IrBlock {
    uint32_t first, end;      /* instructions [first, end) */
    uint16_t flags;
    uint16_t n_preds;
    uint16_t pred;            /* TREE: the predecessor */
    vaddr pc;                 /* guest pc it begins at; informational */
    IrSlotSet used;           /* slots read by `get` before any put in this block (helpers that read state count) */
    IrSlotSet defined;        /* slots written by put */
    IrSlotSet killed;         /* slots named by kill */
} IrBlock;

typedef union IrVecConst { uint8_t u8[32]; uint16_t u16[16]; uint32_t u32[8]; uint64_t u64[4]; } IrVecConst;

typedef struct IrUnit {
    const Target *target;
    vaddr pc;
    uint64_t mode;            /* the target's translation mode bits (target.h) */
    bool softmmu;             /* memory through the TLB; else host address = guest_base + address */
    bool addr32;              /* guest addresses wrap at 4 GiB */
    bool addr56;              /* !softmmu: the top byte of guest addresses does not count (Arm: TBI) */
    bool guest_base_zero;     /* !softmmu: no base register needed */
    bool parallel;            /* other threads may run: atomics must be atomic */
    bool exclusive;           /* all others are stopped */
    VEC(IrInsn) insns;
    VEC(IrBlock) blocks;
    VEC(IrMem) mem;
    VEC(IrExit) exits;
    VEC(IrRef) args;
    VEC(IrVecConst) vconst;
    uint32_t n_guest_insns, n_guest_bytes;
} IrUnit;

void ir_unit_init(IrUnit *unit);   /* once */
void ir_unit_reset(IrUnit *unit);  /* before each translation; keeps memory */
void ir_unit_finish(IrUnit *unit);

static inline IrInsn *ir_insn(const IrUnit *unit, IrRef ref) { return &unit->insns.at[ref]; }
static inline bool ir_is_const(const IrUnit *unit, IrRef ref)
{
    return ref != IR_NONE && unit->insns.at[ref].op == IR_const;
}

/* Sets each block's n_preds, used and defined from the instructions: for passes and tests. */
void ir_unit_facts(IrUnit *unit);

/* The aux of an operation whose signature says imm: may it be this? */
bool ir_imm_valid(const IrInsn *in);
/* By Arm's Standard FPSCR value: IR_FP_STD, IR_FREL_STD. */
bool ir_is_standard(const IrInsn *in);

/* Checks every rule above; on a breach stores one line naming the instruction. Debug builds and tests. */
bool ir_verify(const IrUnit *unit, Error **errp);

/* The text form (tests, -d op); tcg/print.c describes it. ir_parse accepts what ir_print writes;
 * unit->target must be set; the result is not verified. */
void ir_print(FILE *out, const IrUnit *unit);
/* The same without the instructions `skip` names. */
void ir_print_some(FILE *out, const IrUnit *unit, bool (*skip)(const void *opaque, IrRef ref), const void *opaque);
bool ir_parse(IrUnit *unit, const char *text, Error **errp);

/* Evaluates a PURE op on constants as the folder and the interpreter do. `cond_type` is the operands'
 * type for setcond/select. Vector ops are not scalar-evaluated here. */
bool ir_cond_eval(IrCond cond, IrType type, uint64_t a, uint64_t b);
uint64_t ir_eval(IrOp op, IrType type, IrType operand_type, uint16_t aux, uint64_t a, uint64_t b, uint64_t c);

#endif
