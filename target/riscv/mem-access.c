/*
 * mem-access.c: what an instruction is going to load and store, from its bits and the registers before it runs. For watchpoints where
 * no TLB sees the accesses (user mode).
 *
 * Unprivileged ISA 20240411: 2.6, 14, 22, 27, 28, 30.7. Page-table walks and instruction fetches are no accesses of it.
 */
#include "target/riscv/cpu.h"

typedef struct Toucher {
    Vcpu *vcpu;
    RiscvState *s;
    bool rv32;
    TargetTouch *touch;
    void *opaque;
} Toucher;

static void touch(const Toucher *t, uint64_t addr, uint64_t size_bytes, bool read, bool write)
{
    t->touch(t->opaque, t->rv32 ? (uint32_t)addr : addr, size_bytes, read, write);
}

static uint64_t x(const Toucher *t, unsigned reg)
{
    return t->s->x[reg];
}

/* Element i of a vector register group, of 1 << log2 bytes. */
static uint64_t element(const Toucher *t, unsigned reg, unsigned log2, unsigned i)
{
    uint64_t value = 0;
    size_t at = (size_t)reg * t->s->vector.vlenb + ((size_t)i << log2);
    if (at + 8 <= sizeof(t->s->vector.v)) {
        memcpy(&value, (const uint8_t *)t->s->vector.v + at, (size_t)1 << log2);
    }
    return value;
}

static bool active(const Toucher *t, uint32_t insn, unsigned i)
{
    return bits_get(insn, 25, 1) || (((const uint8_t *)t->s->vector.v)[i / 8] >> i % 8 & 1);
}

/* 30.7: unit stride, strided, indexed, with segments; whole registers and masks. */
static void vector(const Toucher *t, uint32_t insn, bool store)
{
    static const uint8_t eew_of[8] = { [0] = 0, [5] = 1, [6] = 2, [7] = 3 };
    const RvvState *v = &t->s->vector;
    unsigned eew = eew_of[bits_get(insn, 12, 3)], nf = (unsigned)bits_get(insn, 29, 3) + 1;
    unsigned mop = (unsigned)bits_get(insn, 26, 2), rs2 = (unsigned)bits_get(insn, 20, 5);
    uint64_t base = x(t, (unsigned)bits_get(insn, 15, 5));

    if (mop == 0 && rs2 == 8) {
        touch(t, base, (uint64_t)nf * v->vlenb, !store, store);
        return;
    }
    if (mop == 0 && rs2 == 11) {
        touch(t, base, (v->vl + 7) / 8, !store, store);
        return;
    }
    unsigned index_log2 = eew;
    if (mop & 1) {
        eew = v->vtype >> 3 & 3; /* the data has SEW, the instruction says how wide indices are */
    }
    for (unsigned i = (unsigned)v->vstart; i < v->vl && !v->vill; i++) {
        if (active(t, insn, i)) {
            uint64_t offset = mop == 0 ? (uint64_t)i * nf << eew : mop == 2 ? i * x(t, rs2) : element(t, rs2, index_log2, i);
            touch(t, base + offset, (uint64_t)nf << eew, !store, store);
        }
    }
}

static void amo(const Toucher *t, uint32_t insn)
{
    unsigned op = insn >> 27;
    bool load_only = op == 2 || op == 6, store_only = op == 3 || op == 7; /* lr, load-acquire; sc, store-release */
    touch(t, x(t, (unsigned)bits_get(insn, 15, 5)), (uint64_t)1 << MIN(bits_get(insn, 12, 3), 4u), !store_only, !load_only);
}

static void full(const Toucher *t, uint32_t insn)
{
    unsigned funct3 = (unsigned)bits_get(insn, 12, 3);
    uint64_t base = x(t, (unsigned)bits_get(insn, 15, 5));
    uint64_t imm_i = (uint64_t)((int32_t)insn >> 20), imm_s = (imm_i & ~(uint64_t)31) | bits_get(insn, 7, 5);
    bool scalar_fp = funct3 >= 1 && funct3 <= 4;

    switch (insn & 0x7f) {
    case 0x03:
        touch(t, base + imm_i, (uint64_t)1 << (funct3 & 3), true, false);
        break;
    case 0x23:
        touch(t, base + imm_s, (uint64_t)1 << (funct3 & 3), false, true);
        break;
    case 0x07:
        scalar_fp ? touch(t, base + imm_i, (uint64_t)1 << funct3, true, false) : vector(t, insn, false);
        break;
    case 0x27:
        scalar_fp ? touch(t, base + imm_s, (uint64_t)1 << funct3, false, true) : vector(t, insn, true);
        break;
    case 0x2f:
        amo(t, insn);
        break;
    case 0x0f:
        if (funct3 == 2 && insn >> 20 == 4) { /* cbo.zero */
            uint64_t block = riscv_model(t->vcpu)->cboz_bytes;
            touch(t, base & ~(block - 1), block, false, true);
        }
        break;
    }
}

/* cm.push and cm.pop (28.4.1): ra and s0 … s11 lie below the frame's upper end. */
static void push_pop(const Toucher *t, uint32_t insn)
{
    unsigned rlist = (unsigned)bits_get(insn, 4, 4), n = rlist == 15 ? 13 : rlist - 3, word = t->rv32 ? 4 : 8;
    bool push = bits_get(insn, 8, 5) == 0x18;
    uint64_t frame = ROUND_UP(n * word, 16u) + (bits_get(insn, 2, 2) << 4);
    uint64_t top = push ? x(t, 2) : x(t, 2) + frame;
    if (rlist >= 4) {
        touch(t, top - n * word, n * word, !push, push);
    }
}

static void compressed(const Toucher *t, uint32_t insn)
{
    const bool *ext = riscv_model(t->vcpu)->ext;
    uint64_t base = x(t, 8 + (unsigned)bits_get(insn, 7, 3)), sp = x(t, 2);
    uint64_t w = bits_get(insn, 10, 3) << 3 | bits_get(insn, 6, 1) << 2 | bits_get(insn, 5, 1) << 6;
    uint64_t d = bits_get(insn, 10, 3) << 3 | bits_get(insn, 5, 2) << 6;
    uint64_t lwsp = bits_get(insn, 12, 1) << 5 | bits_get(insn, 4, 3) << 2 | bits_get(insn, 2, 2) << 6;
    uint64_t ldsp = bits_get(insn, 12, 1) << 5 | bits_get(insn, 5, 2) << 3 | bits_get(insn, 2, 3) << 6;
    uint64_t swsp = bits_get(insn, 9, 4) << 2 | bits_get(insn, 7, 2) << 6;
    uint64_t sdsp = bits_get(insn, 10, 3) << 3 | bits_get(insn, 7, 3) << 6;

    switch ((insn & 3) << 3 | insn >> 13) {
    case 002: case 006: /* c.lw, c.sw */
        touch(t, base + w, 4, insn >> 13 == 2, insn >> 13 == 6);
        break;
    case 003: case 007: /* c.ld, c.sd; RV32: c.flw, c.fsw */
        touch(t, base + (t->rv32 ? w : d), t->rv32 ? 4 : 8, insn >> 13 == 3, insn >> 13 == 7);
        break;
    case 001: case 005: /* c.fld, c.fsd */
        touch(t, base + d, 8, insn >> 13 == 1, insn >> 13 == 5);
        break;
    case 004: { /* Zcb: c.lbu, c.lhu/c.lh, c.sb, c.sh */
        unsigned op = (unsigned)bits_get(insn, 10, 3);
        uint64_t half = bits_get(insn, 5, 1) << 1, byte = half | bits_get(insn, 6, 1);
        if (op <= 3) {
            touch(t, base + (op & 1 ? half : byte), op & 1 ? 2 : 1, op < 2, op >= 2);
        }
        break;
    }
    case 022:
        touch(t, sp + lwsp, 4, true, false);
        break;
    case 023:
        touch(t, sp + (t->rv32 ? lwsp : ldsp), t->rv32 ? 4 : 8, true, false);
        break;
    case 021:
        touch(t, sp + ldsp, 8, true, false);
        break;
    case 026:
        touch(t, sp + swsp, 4, false, true);
        break;
    case 027:
        touch(t, sp + (t->rv32 ? swsp : sdsp), t->rv32 ? 4 : 8, false, true);
        break;
    case 025: /* c.fsdsp, or Zcmp and Zcmt in its place */
        if (ext[RISCV_EXT_Zcd]) {
            touch(t, sp + sdsp, 8, false, true);
        } else if (ext[RISCV_EXT_Zcmp] && bits_get(insn, 11, 2) == 3) {
            push_pop(t, insn);
        }
        break;
    }
}

void riscv_mem_access(Vcpu *vcpu, const uint8_t *insn, size_t n, TargetTouch *touch, void *opaque)
{
    Toucher t = { vcpu, riscv_state(vcpu), riscv_model(vcpu)->xlen == 32, touch, opaque };

    if (n >= 4 && (insn[0] & 3) == 3) {
        full(&t, ldle32(insn));
    } else if (n >= 2 && (insn[0] & 3) != 3) {
        compressed(&t, ldle16(insn));
    }
}
