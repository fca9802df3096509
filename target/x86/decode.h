/*
 * decode.h: a decoded x86 instruction, and the rows of the instruction tables (isa/, docs/devel/x86-isa.md) it is decoded by.
 *
 * Operands are numbered in Intel's order: op[0] is the destination. Sizes are in bytes. Nothing here depends on CPU state
 * but the code size and the model's features.
 */
#ifndef TARGET_X86_DECODE_H
#define TARGET_X86_DECODE_H

#include "target/translate.h"
#include "target/x86/cpu.h"

typedef struct X86Insn X86Insn;
typedef void X86Handler(TransCtx *ctx, const X86Insn *in);

/* -- rows -------------------------------------------------------------------------------------- */

/* Operand letters of the manual (SDM volume 2, A.2.1); Z: register in the opcode; STI: st(i) in ModRM.rm. */
typedef enum X86Spec {
    X86_SPEC_NONE, X86_SPEC_A, X86_SPEC_B, X86_SPEC_C, X86_SPEC_D, X86_SPEC_E, X86_SPEC_G, X86_SPEC_H, X86_SPEC_I, X86_SPEC_J,
    X86_SPEC_L, X86_SPEC_M, X86_SPEC_N, X86_SPEC_O, X86_SPEC_P, X86_SPEC_Q, X86_SPEC_R, X86_SPEC_S, X86_SPEC_U, X86_SPEC_V,
    X86_SPEC_W, X86_SPEC_X, X86_SPEC_Y, X86_SPEC_Z, X86_SPEC_STI, X86_SPEC_ONE,
    X86_SPEC_FIXED_REG, X86_SPEC_FIXED_SEG, X86_SPEC_FIXED_VEC, X86_SPEC_FIXED_ST,
} X86Spec;

/* Size letters (A.2.2). M: 8 in 64-bit code, else 4. BS: immediate byte sign-extended to the operand size. H: half of X. */
typedef enum X86SizeSpec {
    X86_SIZE_NONE, X86_SIZE_B, X86_SIZE_W, X86_SIZE_D, X86_SIZE_Q, X86_SIZE_DQ, X86_SIZE_QQ, X86_SIZE_X, X86_SIZE_V, X86_SIZE_Z,
    X86_SIZE_Y, X86_SIZE_P, X86_SIZE_A, X86_SIZE_S, X86_SIZE_PS, X86_SIZE_PD, X86_SIZE_SS, X86_SIZE_SD, X86_SIZE_T, X86_SIZE_M,
    X86_SIZE_BS, X86_SIZE_H,
} X86SizeSpec;

typedef struct X86OpSpec { uint8_t spec, size, mem_size, fixed; } X86OpSpec;

enum { X86_ENC_LEGACY, X86_ENC_VEX, X86_ENC_EVEX, X86_N_ENCS };
enum { X86_N_MAPS = 7 };   /* 0: one byte, 1: 0f, 2: 0f 38, 3: 0f 3a, 5 and 6: EVEX */
enum { X86_PP_NONE, X86_PP_66, X86_PP_F3, X86_PP_F2 };
enum { X86_ATTR_ROW_LOCK = 1, X86_ATTR_ROW_I64 = 2, X86_ATTR_ROW_O64 = 4, X86_ATTR_ROW_D64 = 8, X86_ATTR_ROW_F64 = 16,
       X86_ATTR_ROW_PE = 32,   /* #UD in real and virtual-8086 mode */
       X86_ATTR_ROW_REP = 64 };
/* What must be usable for the row: x87: CR0.EM/TS; mmx: also MMX state; sse/avx: X86_MODE_VEC; simd: the encoding decides. */
typedef enum X86Unit { X86_UNIT_INT, X86_UNIT_X87, X86_UNIT_MMX, X86_UNIT_SSE, X86_UNIT_AVX, X86_UNIT_SIMD } X86Unit;

/* Bits of the masks in X86Row.flags. */
enum { X86_ROWFLAG_O = 1, X86_ROWFLAG_S = 2, X86_ROWFLAG_Z = 4, X86_ROWFLAG_A = 8, X86_ROWFLAG_P = 16, X86_ROWFLAG_C = 32,
       X86_ROWFLAG_D = 64, X86_ROWFLAG_I = 128, X86_ROWFLAG_ARITH = 63 };

typedef struct X86Row {
    const char *name;            /* "cbw/cwde/cdqe": by operand size */
    const char *section;
    X86Handler *handler;
    X86OpSpec op[4];
    uint16_t feature[3];         /* X86Feature: all of them, or any with any_feature; X86_FEAT_NONE at the end */
    uint16_t attrs;              /* X86_ATTR_ROW_* */
    uint16_t aux;                /* the handler's: "-> alu(NUMBER)" */
    uint8_t enc, map, opcode;
    uint8_t pp;                  /* bit per X86_PP_* it accepts */
    uint8_t mod;                 /* ModRM: 1 memory, 2 register forms, 4: rm is a register whatever mod says; 0: no ModRM */
    int8_t reg, rm;              /* fixed fields of ModRM, -1: any */
    uint8_t w, l;                /* bit per value it accepts */
    bool any_feature;
    uint8_t n_ops;
    uint8_t kind;                /* ScanKind */
    uint8_t unit;                /* X86Unit */
    struct { uint8_t tested, written, undefined, zero, one; } flags; /* written includes the other three */
} X86Row;

typedef struct X86Cell { uint16_t first; uint8_t n; bool modrm; } X86Cell;
extern const X86Row x86_rows[];
extern const uint16_t x86_candidates[];
extern const X86Cell x86_cells[X86_N_ENCS][X86_N_MAPS][256];

/* -- a decoded instruction --------------------------------------------------------------------- */

typedef enum X86OpKind {
    X86_OP_NONE,
    X86_OP_REG,     /* general register `reg`; high: bits 8-15 of it (ah ch dh bh) */
    X86_OP_MEM,     /* the instruction's memory operand */
    X86_OP_IMM,     /* in->imm, sign- or zero-extended to 64 bits as the instruction uses it */
    X86_OP_REL,     /* branch target: in->imm is the distance from the next instruction */
    X86_OP_FAR,     /* selector in->imm2, offset in->imm */
    X86_OP_SEG, X86_OP_CR, X86_OP_DR,
    X86_OP_MMX, X86_OP_VEC, X86_OP_ST,
    X86_OP_STR_SRC, /* seg:rsi */
    X86_OP_STR_DST, /* es:rdi */
} X86OpKind;

typedef struct X86Operand { uint8_t kind, reg, size; bool high; } X86Operand;

enum { X86_NO_REG = 0xff, X86_REG_RIP = 0xfe };
enum { X86_PFX_66 = 1, X86_PFX_67 = 2, X86_PFX_LOCK = 4, X86_PFX_REPE = 8 /* F3 */, X86_PFX_REPNE = 16 /* F2 */, X86_PFX_REX = 32 };

struct X86Insn {
    const X86Row *row;
    vaddr pc, next_pc;           /* linear */
    uint8_t length;
    uint8_t code;                /* X86Code */
    uint8_t opsize, addrsize;    /* 2, 4 or 8 */
    uint8_t prefixes;            /* X86_PFX_*; F2 and F3: the last one */
    uint8_t seg_override;        /* X86SegId or X86_NO_REG */
    uint8_t rex_w, rex_r, rex_x, rex_b; /* 0 or 1; also from VEX */
    bool vex;                    /* VEX or EVEX */
    uint8_t vex_l;               /* 0: 128, 1: 256, 2: 512 bits */
    uint8_t vvvv;                /* register 0-15 (EVEX: 0-31) */
    uint8_t opcode, modrm;
    /* the memory operand */
    bool has_mem;
    uint8_t seg;                 /* segment in effect */
    uint8_t base, index;         /* registers, X86_NO_REG, X86_REG_RIP */
    uint8_t scale_log2;
    int64_t disp;                /* moffs: the whole offset */
    uint64_t imm, imm2;
    uint8_t n_ops;
    X86Operand op[4];
    struct { uint8_t aaa, z, b, ll; } evex;
};

typedef enum X86DecodeResult {
    X86_DECODE_OK,
    X86_DECODE_UD,        /* no such instruction: #UD. ret->length: what was looked at */
    X86_DECODE_SHORT,     /* more bytes are needed */
    X86_DECODE_TOO_LONG,  /* more than 15 bytes: #GP(0) */
} X86DecodeResult;

enum { X86_MAX_INSN_BYTES = 15 };

/* Decodes at most n bytes. LOCK where the row does not allow it is #UD. Needs no CPU state: `model` for features (NULL: all). */
X86DecodeResult x86_decode(const X86Model *model, X86Code code, vaddr pc, const uint8_t *bytes, size_t n, X86Insn *ret);
/* Size in bytes of an operand's size letter in this instruction. */
unsigned x86_operand_size(const X86Insn *in, unsigned size_spec);

static inline bool x86_model_has(const X86Model *model, unsigned feature)
{
    return feature == X86_FEAT_NONE || !model || (model->features[feature / 32] >> (feature % 32) & 1);
}

#endif
