/*
 * mem-access.c: what memory an A64 instruction is going to use, by the registers as they are now: for watchpoints, the guest's own
 * (debug.c) and a debugger's.
 *
 * Arm ARM DDI 0487, C4.1.96. Leaves out: memory copy and set instructions (MOPS), whose size is known only as they go on.
 */
#include "target/arm/system.h"

typedef struct Toucher {
    const ArmState *s;
    TargetTouch *touch;
    void *opaque;
    vaddr pc;
} Toucher;

static uint64_t xsp(const Toucher *t, unsigned n) { return n == 31 ? t->s->sp : t->s->x[n]; }
static uint64_t xzr(const Toucher *t, unsigned n) { return n == 31 ? 0 : t->s->x[n]; }

static void touch(const Toucher *t, vaddr addr, uint64_t size, bool read, bool write)
{
    if (size) {
        t->touch(t->opaque, addr, size, read, write);
    }
}

static void literal(const Toucher *t, uint32_t insn)
{
    unsigned opc = insn >> 30, simd = insn >> 26 & 1;
    uint64_t size = simd ? (uint64_t)4 << opc : opc == 1 ? 8 : 4;

    if (simd || opc != 3) { /* else PRFM */
        touch(t, t->pc + ((uint64_t)bits_sext(bits_get(insn, 5, 19), 19) << 2), size, true, false);
    }
}

static void pair(const Toucher *t, uint32_t insn)
{
    unsigned opc = insn >> 30, simd = insn >> 26 & 1, mode = (unsigned)bits_get(insn, 23, 2);
    bool load = insn & BIT(22);
    unsigned log2 = simd ? 2 + opc : opc == 2 ? 3 : 2;
    uint64_t offset = (uint64_t)bits_sext(bits_get(insn, 15, 7), 7) << log2;

    touch(t, xsp(t, (unsigned)bits_get(insn, 5, 5)) + (mode == 1 ? 0 : offset), (uint64_t)2 << log2, load, !load);
}

/* One register: offsets, write-back, register offset; atomic operations; LDRAA and LDRAB. */
static void single(const Toucher *t, uint32_t insn)
{
    unsigned size = insn >> 30, simd = insn >> 26 & 1, opc = (unsigned)bits_get(insn, 22, 2), mode = (unsigned)bits_get(insn, 10, 2);
    uint64_t base = xsp(t, (unsigned)bits_get(insn, 5, 5)), addr = base, imm9 = (uint64_t)bits_sext(bits_get(insn, 12, 9), 9);
    unsigned log2 = simd && (opc & 2) ? 4 : size;
    bool load = simd ? opc & 1 : opc != 0;

    if (!simd && size == 3 && opc == 2 && ((insn & BIT(24)) || mode == 0 || mode == 2)) {
        return; /* PRFM */
    }
    if (insn & BIT(24)) {
        addr += bits_get(insn, 10, 12) << log2;
    } else if (!(insn & BIT(21))) {
        addr += mode == 1 ? 0 : imm9;
    } else if (mode == 2) {
        uint64_t index = xzr(t, (unsigned)bits_get(insn, 16, 5));
        unsigned option = (unsigned)bits_get(insn, 13, 3);
        index = option == 2 ? (uint32_t)index : option == 6 ? (uint64_t)(int32_t)index : index;
        addr += index << (insn & BIT(12) ? log2 : 0);
    } else if (mode == 0) { /* LDADD, SWP, …; LDAPR reads only */
        bool ldapr = bits_get(insn, 12, 4) == 12;
        touch(t, base, (uint64_t)1 << size, true, !ldapr);
        return;
    } else {
        uint64_t imm10 = (uint64_t)bits_sext(bits_get(insn, 12, 9) | bits_get(insn, 22, 1) << 9, 10) << 3;
        touch(t, base + imm10, 8, true, false);
        return;
    }
    touch(t, addr, (uint64_t)1 << log2, load, !load);
}

static void exclusive(const Toucher *t, uint32_t insn)
{
    unsigned size = insn >> 30;
    bool o2 = insn & BIT(23), load = insn & BIT(22), o1 = insn & BIT(21);
    uint64_t base = xsp(t, (unsigned)bits_get(insn, 5, 5));

    if (o1 && (o2 || size < 2)) { /* CAS; CASP */
        touch(t, base, o2 ? (uint64_t)1 << size : (uint64_t)8 << (size & 1), true, true);
    } else {
        touch(t, base, (uint64_t)(o1 ? 2 : 1) << size, load, !load);
    }
}

/* LD1 to LD4, ST1 to ST4: registers of 8 or 16 bytes, or one lane of each. */
static void structures(const Toucher *t, uint32_t insn)
{
    static const uint8_t registers[16] = { [0] = 4, [2] = 4, [4] = 3, [6] = 3, [7] = 1, [8] = 2, [10] = 2 };
    bool load = insn & BIT(22);
    uint64_t base = xsp(t, (unsigned)bits_get(insn, 5, 5)), size;

    if (insn & BIT(24)) {
        unsigned opcode = (unsigned)bits_get(insn, 13, 3), scale = opcode >> 1;
        unsigned n = ((opcode & 1) << 1 | (insn >> 21 & 1)) + 1;
        scale = scale == 3 ? (unsigned)bits_get(insn, 10, 2) : scale == 2 && (insn & BIT(10)) ? 3 : scale;
        size = (uint64_t)n << scale;
    } else {
        size = (uint64_t)registers[bits_get(insn, 12, 4)] * (insn & BIT(30) ? 16 : 8);
    }
    touch(t, base, size, load, !load);
}

void arm_mem_access(Vcpu *vcpu, const uint8_t *bytes, size_t n, TargetTouch *fn, void *opaque)
{
    Toucher t = { .s = arm_state(vcpu), .touch = fn, .opaque = opaque, .pc = arm_pc(vcpu) };
    uint32_t insn = n >= 4 ? ldle32(bytes) : 0;

    if ((insn & 0xffffffe0) == 0xd50b7420) { /* DC ZVA */
        uint64_t block = 4u << bits_get(arm_model(vcpu)->id[ARM_ID_DCZID], 0, 4);
        touch(&t, xzr(&t, insn & 31) & ~(block - 1), block, false, true);
    } else if ((insn & 0x3b000000) == 0x18000000) {
        literal(&t, insn);
    } else if ((insn & 0x3a000000) == 0x28000000) {
        pair(&t, insn);
    } else if ((insn & 0xff200c00) == 0x19200000) { /* LDCLRP, LDSETP, SWPP */
        touch(&t, xsp(&t, (unsigned)bits_get(insn, 5, 5)), 16, true, true);
    } else if ((insn & 0x3f200c00) == 0x19000000) { /* LDAPUR, STLUR */
        bool load = bits_get(insn, 22, 2);
        touch(&t, xsp(&t, (unsigned)bits_get(insn, 5, 5)) + (uint64_t)bits_sext(bits_get(insn, 12, 9), 9), (uint64_t)1 << (insn >> 30), load, !load);
    } else if ((insn & 0x3a000000) == 0x38000000) {
        single(&t, insn);
    } else if ((insn & 0x3f000000) == 0x08000000) {
        exclusive(&t, insn);
    } else if ((insn & 0xbe000000) == 0x0c000000) {
        structures(&t, insn);
    }
}
