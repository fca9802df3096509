/*
 * encode.h: x86-64 instruction encoding.
 *
 * An opcode is one number: the opcode byte, its map (0F, 0F38, 0F3A), the mandatory prefix and W.
 * The same number encodes as legacy SSE or as VEX, so that a lowering names an operation once.
 * The caller guarantees room in the buffer; nothing here checks.
 *
 * Manual: Intel SDM volume 2, chapter 2 (prefixes, REX, VEX) and the instruction pages.
 */
#ifndef TCG_X86_64_ENCODE_H
#define TCG_X86_64_ENCODE_H

#include <string.h>
#include "util/bits.h"
#include "util/host-x64.h"

/* 0..15 general registers, 16..31 vector registers. */
typedef uint8_t Reg;
enum {
    RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15,
    XMM0, XMM1, XMM2, XMM3, XMM4, XMM5, XMM6, XMM7,
    XMM14 = XMM0 + 14, XMM15 = XMM0 + 15,
    X_N_REGS = 32,
    NO_REG = 0xff,
    X_RIP = 0xfe,   /* base: disp is an offset from Asm.start */
    X_POOL = 0xfd,  /* base: disp is an offset in the unit's constant pool, resolved at its end */
};

enum { X_MAX_POOL_REFS = 2048 };

typedef struct Asm {
    uint8_t *start, *cur, *end;
    uint32_t n_insns;
    uint32_t features;
    uint32_t n_pool_refs;
    uint32_t pool_ref[X_MAX_POOL_REFS]; /* offsets of displacements relative to the pool */
} Asm;

typedef struct Mem {
    Reg base;          /* NO_REG: none */
    Reg index;         /* NO_REG: none */
    uint8_t scale;     /* log2 */
    uint8_t addr32;    /* 0x67: the sum is truncated to 32 bits */
    int32_t disp;
} Mem;

static inline Mem mem_bd(Reg base, int32_t disp)
{
    return (Mem){ .base = base, .index = NO_REG, .disp = disp };
}
static inline Mem mem_bi(Reg base, Reg index, unsigned scale, int32_t disp)
{
    return (Mem){ .base = base, .index = index, .scale = scale, .disp = disp };
}

enum { /* opcode number */
    M_0F = 1 << 8, M_38 = 2 << 8, M_3A = 3 << 8,
    P_66 = 1 << 10, P_F3 = 2 << 10, P_F2 = 3 << 10,
    X_W = 1 << 12,
    X_BREG = 1 << 13,  /* reg field is a byte register */
    X_BRM = 1 << 14,   /* r/m is a byte register */
    X_256 = 1 << 15,   /* VEX.L */
};

enum { /* ALU group, also the /digit of 81 and 83 */
    A_ADD, A_OR, A_ADC, A_SBB, A_AND, A_SUB, A_XOR, A_CMP
};
enum { S_ROL, S_ROR, S_RCL, S_RCR, S_SHL, S_SHR, S_SAR = 7 };

enum { /* condition codes */
    CC_O, CC_NO, CC_B, CC_AE, CC_E, CC_NE, CC_BE, CC_A, CC_S, CC_NS, CC_P, CC_NP, CC_L, CC_GE, CC_LE, CC_G
};

enum {
    I_MOV_LD = 0x8b, I_MOV_ST = 0x89, I_MOV_ST8 = 0x88 | X_BREG,
    I_MOVZX8 = M_0F | 0xb6 | X_BRM, I_MOVZX16 = M_0F | 0xb7,
    I_MOVSX8 = M_0F | 0xbe | X_BRM, I_MOVSX16 = M_0F | 0xbf, I_MOVSXD = 0x63,
    I_LEA = 0x8d, I_TEST = 0x85, I_TEST8 = 0x84 | X_BREG | X_BRM, I_XCHG = 0x87,
    I_IMUL = M_0F | 0xaf, I_IMUL_I32 = 0x69, I_IMUL_I8 = 0x6b,
    I_BT = M_0F | 0xa3, I_BSF = M_0F | 0xbc, I_BSR = M_0F | 0xbd,
    I_LZCNT = M_0F | P_F3 | 0xbd, I_TZCNT = M_0F | P_F3 | 0xbc, I_POPCNT = M_0F | P_F3 | 0xb8,
    I_CMOV = M_0F | 0x40, I_SETCC = M_0F | 0x90 | X_BRM,
    I_MOVBE_LD = M_38 | 0xf0, I_MOVBE_ST = M_38 | 0xf1,
    I_ANDN = M_38 | 0xf2, I_BEXTR = M_38 | 0xf7,
    I_SHLX = M_38 | P_66 | 0xf7, I_SARX = M_38 | P_F3 | 0xf7, I_SHRX = M_38 | P_F2 | 0xf7,
    I_RORX = M_3A | P_F2 | 0xf0, I_MULX = M_38 | P_F2 | 0xf6, I_BZHI = M_38 | 0xf5,
    I_CMPXCHG = M_0F | 0xb1, I_XADD = M_0F | 0xc1,

    I_MOVQ_XR = M_0F | P_66 | 0x6e, /* xmm, r/m */
    I_MOVQ_RX = M_0F | P_66 | 0x7e, /* r/m, xmm */
    I_MOVQ_LD = M_0F | P_F3 | 0x7e, I_MOVQ_ST = M_0F | P_66 | 0xd6,
    I_MOVSS_LD = M_0F | P_F3 | 0x10, I_MOVSS_ST = M_0F | P_F3 | 0x11,
    I_MOVSD_LD = M_0F | P_F2 | 0x10, I_MOVSD_ST = M_0F | P_F2 | 0x11,
    I_MOVUPS_LD = M_0F | 0x10, I_MOVUPS_ST = M_0F | 0x11,
    I_MOVAPS = M_0F | 0x28,
    I_UCOMISS = M_0F | 0x2e, I_UCOMISD = M_0F | P_66 | 0x2e,
    I_COMISS = M_0F | 0x2f, I_COMISD = M_0F | P_66 | 0x2f,
    I_VPTERNLOGQ = M_3A | P_66 | X_W | 0x25,
    I_ANDPS = M_0F | 0x54, I_ANDNPS = M_0F | 0x55, I_ORPS = M_0F | 0x56, I_XORPS = M_0F | 0x57,
};

/* ---- raw bytes ---- */
static inline void x_u8(Asm *a, unsigned v) { *a->cur++ = v; }
static inline void x_u32(Asm *a, uint32_t v) { memcpy(a->cur, &v, 4); a->cur += 4; }
static inline void x_u64(Asm *a, uint64_t v) { memcpy(a->cur, &v, 8); a->cur += 8; }
static inline uint32_t x_offset(const Asm *a) { return a->cur - a->start; }

/* ---- generic forms: `reg` is the modrm.reg operand or digit, `rm` the other ---- */
void x_rr(Asm *a, uint32_t op, unsigned reg, unsigned rm);
/* `tail`: immediate bytes that follow (rip-relative displacements count from the end). */
void x_rm_tail(Asm *a, uint32_t op, unsigned reg, Mem m, unsigned tail);
static inline void x_rm(Asm *a, uint32_t op, unsigned reg, Mem m) { x_rm_tail(a, op, reg, m, 0); }
void v_rrr(Asm *a, uint32_t op, unsigned reg, unsigned vvvv, unsigned rm);
/* EVEX, without masks and broadcasts; for registers that VEX reaches too. */
void e_rrr(Asm *a, uint32_t op, unsigned reg, unsigned vvvv, unsigned rm);
void v_rrm(Asm *a, uint32_t op, unsigned reg, unsigned vvvv, Mem m, unsigned tail);

/* ---- integer ---- */
static inline uint32_t x_w(bool w) { return w ? X_W : 0; }
static inline void x_mov_rr(Asm *a, bool w, Reg d, Reg s) { x_rr(a, I_MOV_LD | x_w(w), d, s); }
void x_mov_ri(Asm *a, Reg d, uint64_t imm);   /* flags survive */
static inline void x_alu_rr(Asm *a, bool w, unsigned alu, Reg d, Reg s)
{
    x_rr(a, 0x03 | alu << 3 | x_w(w), d, s);
}
static inline void x_alu_rm(Asm *a, bool w, unsigned alu, Reg d, Mem m)
{
    x_rm(a, 0x03 | alu << 3 | x_w(w), d, m);
}
static inline void x_alu_mr(Asm *a, bool w, unsigned alu, Mem m, Reg s)
{
    x_rm(a, 0x01 | alu << 3 | x_w(w), s, m);
}
void x_alu_ri(Asm *a, bool w, unsigned alu, Reg d, int32_t imm);
void x_alu_mi(Asm *a, bool w, unsigned alu, Mem m, int32_t imm);
void x_shift_ri(Asm *a, bool w, unsigned shift, Reg d, unsigned count);
static inline void x_shift_rcl(Asm *a, bool w, unsigned shift, Reg d)
{
    x_rr(a, 0xd3 | x_w(w), shift, d);
}
static inline void x_lea(Asm *a, bool w, Reg d, Mem m) { x_rm(a, I_LEA | x_w(w), d, m); }
static inline void x_test_rr(Asm *a, bool w, Reg x, Reg y) { x_rr(a, I_TEST | x_w(w), y, x); }
void x_test_ri(Asm *a, bool w, Reg r, int32_t imm);
static inline void x_neg(Asm *a, bool w, Reg d) { x_rr(a, 0xf7 | x_w(w), 3, d); }
static inline void x_not(Asm *a, bool w, Reg d) { x_rr(a, 0xf7 | x_w(w), 2, d); }
static inline void x_setcc(Asm *a, unsigned cc, Reg d) { x_rr(a, I_SETCC | cc, 0, d); }
static inline void x_cmov(Asm *a, bool w, unsigned cc, Reg d, Reg s)
{
    x_rr(a, (I_CMOV | cc) | x_w(w), d, s);
}
void x_bswap(Asm *a, bool w, Reg d);
void x_mov_mi(Asm *a, unsigned size_log2, Mem m, int32_t imm);
/* Little-endian integer load and store; loads extend to 64 bits (zero) or as `sign` and `w` say. */
void x_load(Asm *a, unsigned size_log2, bool sign, bool w, Reg d, Mem m);
void x_store(Asm *a, unsigned size_log2, Mem m, Reg s);

/* ---- control ---- */
static inline void x_jmp_rel32(Asm *a) { x_u8(a, 0xe9); x_u32(a, 0); a->n_insns++; }
static inline void x_jcc_rel32(Asm *a, unsigned cc)
{
    x_u8(a, 0x0f);
    x_u8(a, 0x80 | cc);
    x_u32(a, 0);
    a->n_insns++;
}
static inline void x_push(Asm *a, Reg r)
{
    if (r & 8) {
        x_u8(a, 0x41);
    }
    x_u8(a, 0x50 | (r & 7));
    a->n_insns++;
}
static inline void x_pop(Asm *a, Reg r)
{
    if (r & 8) {
        x_u8(a, 0x41);
    }
    x_u8(a, 0x58 | (r & 7));
    a->n_insns++;
}
static inline void x_ret(Asm *a) { x_u8(a, 0xc3); a->n_insns++; }
/* Short jump to be bound by x_bind8. */
static inline uint8_t *x_jcc8(Asm *a, unsigned cc)
{
    x_u8(a, 0x70 | cc);
    x_u8(a, 0);
    a->n_insns++;
    return a->cur;
}
static inline uint8_t *x_jmp8(Asm *a)
{
    x_u8(a, 0xeb);
    x_u8(a, 0);
    a->n_insns++;
    return a->cur;
}
static inline void x_bind8(Asm *a, uint8_t *after)
{
    assert(a->cur - after < 128);
    after[-1] = a->cur - after;
}
/* A backward jump or conditional jump (cc < 16) to a known offset, in its shortest form. */
void x_jump_back(Asm *a, unsigned cc, uint32_t target);
enum { CC_ALWAYS = 16 };
void x_nops(Asm *a, unsigned n);

#endif
