/*
 * helper-a32.c: what A32 and T32 code calls: arithmetic on the parts of a word, carries of shifts by registers (Arm ARM DDI 0487, F2.4.3,
 * F5.1). Pure functions.
 */
#include "target/arm/cpu.h"
#include "target/arm/fp.h"

#define HELPER(name, flags, ctype, cargs, result, n, ...) ctype arm_helper_##name cargs;
#include "target/arm/helpers.def"
#undef HELPER

/* Carry of a shift by n (0 to 255). */
uint32_t arm_helper_a32_shift_carry(uint32_t v, uint32_t n, uint32_t typ, uint32_t old)
{
    if (!n) {
        return old;
    }
    switch (typ) {
    case 0: return n <= 32 ? v >> (32 - n) & 1 : 0;
    case 1: return n <= 32 ? v >> (n - 1) & 1 : 0;
    case 2: return n <= 31 ? v >> (n - 1) & 1 : v >> 31;
    default: return v >> ((n - 1) & 31) & 1;
    }
}

uint32_t arm_helper_a32_usad8(uint32_t n, uint32_t m)
{
    uint32_t sum = 0;
    for (unsigned at = 0; at < 32; at += 8) {
        int a = n >> at & 0xff, b = m >> at & 0xff;
        sum += (uint32_t)(a > b ? a - b : b - a);
    }
    return sum;
}

uint32_t arm_helper_a32_sel(uint32_t n, uint32_t m, uint32_t ge)
{
    uint32_t mask = (ge & 1 ? 0xffu : 0) | (ge & 2 ? 0xff00u : 0) | (ge & 4 ? 0xff0000u : 0) | (ge & 8 ? 0xff000000u : 0);
    return (n & mask) | (m & ~mask);
}

/* One lane: the exact sum or difference to what the kind wants; *ge by the rules of the plain kinds. */
static uint32_t lane(int a, int b, bool sub, unsigned kind, unsigned width, bool *ge)
{
    int r = sub ? a - b : a + b, top = 1 << (width - 1);

    switch (kind) {
    case 1: *ge = r >= 0; break;
    case 2: r = MIN(MAX(r, -top), top - 1); break;
    case 5: *ge = sub ? r >= 0 : r >= 2 * top; break;
    case 6: r = MIN(MAX(r, 0), 2 * top - 1); break;
    default: r >>= 1; break; /* 3, 7: halving */
    }
    return (uint32_t)r & (uint32_t)bits_mask(0, width);
}

static int part(uint32_t v, unsigned at, unsigned width, bool is_signed)
{
    uint32_t x = (uint32_t)bits_get(v, at, width);
    return is_signed ? (int)bits_sext(x, width) : (int)x;
}

/* how: kind << 3 | op, see translate-a32-mul.c. The result, above it GE. */
uint64_t arm_helper_a32_parallel(uint32_t n, uint32_t m, uint32_t how)
{
    unsigned kind = how >> 3, op = how & 7, width = op & 4 ? 8 : 16;
    bool is_signed = kind < 4, exchange = op == 1 || op == 2;
    uint32_t r = 0, flags = 0;

    for (unsigned at = 0, i = 0; at < 32; at += width, i++) {
        /* ASX adds in the high half, subtracts in the low one; SAX the other way round. */
        bool sub = op == 3 || op == 7 || (op == 1 && !at) || (op == 2 && at), ge = false;
        int a = part(n, at, width, is_signed), b = part(m, exchange ? 16 - at : at, width, is_signed);
        r |= lane(a, b, sub, kind, width, &ge) << at;
        flags |= (ge ? width == 16 ? 3u : 1u : 0) << (width == 16 ? 2 * i : i);
    }
    return r | (uint64_t)flags << 32;
}

/* Bits are reversed, as the instructions say. */
uint32_t arm_helper_a32_crc(uint32_t acc, uint32_t value, uint32_t size_log2)
{
    const uint32_t poly = 0xedb88320;

    acc ^= size_log2 == 2 ? value : value & (uint32_t)bits_mask(0, 8u << size_log2);
    for (unsigned i = 0; i < 8u << size_log2; i++) {
        acc = acc & 1 ? acc >> 1 ^ poly : acc >> 1;
    }
    return acc;
}

uint32_t arm_helper_a32_fpscr_get(Vcpu *vcpu) { return arm_fpscr_get(vcpu); }
void arm_helper_a32_fpscr_set(Vcpu *vcpu, uint32_t value) { arm_fpscr_set(vcpu, value); }

/* -- VRECPS, VRSQRTS: FPRecipStep, FPRSqrtStep of AArch32, which round the product ------------------------------------------ */

static bool is_inf(uint32_t x) { return (x & 0x7fffffff) == 0x7f800000; }
static bool is_zero(uint32_t x) { return !(x & 0x7f800000); } /* subnormals are flushed */

static bool is_subnormal(uint32_t x) { return is_zero(x) && x << 1; }

/* regs: n, m, d, whether 16 bytes. */
static void steps(Vcpu *vcpu, uint32_t regs, bool sqrt)
{
    enum { ONE_HALF = 0x3f000000, THREE_HALVES = 0x3fc00000, TWO = 0x40000000, THREE = 0x40400000 };
    ArmState *s = arm_state(vcpu);
    uint32_t fpcr = s->fpcr;
    const ArmVector n = s->v[regs & 31], m = s->v[regs >> 5 & 31];
    ArmVector r = { .d = { 0 } };

    s->fpcr = (fpcr & ARM_FPCR_AHP) | ARM_FPCR_FZ | ARM_FPCR_DN;
    for (unsigned i = 0; i < (regs >> 15 & 1 ? 4 : 2); i++) {
        if ((is_inf(n.s[i]) && is_zero(m.s[i])) || (is_zero(n.s[i]) && is_inf(m.s[i]))) {
            r.s[i] = sqrt ? THREE_HALVES : TWO;
            s->fpsr |= is_subnormal(n.s[i]) || is_subnormal(m.s[i]) ? ARM_FPSR_IDC : 0;
            continue;
        }
        uint64_t product = arm_fp_lane(vcpu, arm_fp_code(ARM_FP_MUL, 2, 0, ARM_FP_DYN, 0, 0), n.s[i], m.s[i], 0);
        uint64_t v = arm_fp_lane(vcpu, arm_fp_code(ARM_FP_SUB, 2, 0, ARM_FP_DYN, 0, 0), sqrt ? THREE : TWO, product, 0);
        r.s[i] = (uint32_t)(sqrt ? arm_fp_lane(vcpu, arm_fp_code(ARM_FP_MUL, 2, 0, ARM_FP_DYN, 0, 0), v, ONE_HALF, 0) : v);
    }
    s->fpcr = fpcr;
    s->v[regs >> 10 & 31] = r;
}

void arm_helper_a32_recps(Vcpu *vcpu, uint32_t regs) { steps(vcpu, regs, false); }
void arm_helper_a32_rsqrts(Vcpu *vcpu, uint32_t regs) { steps(vcpu, regs, true); }
