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

uint32_t arm_helper_a32_fpscr_get(Vcpu *vcpu) { return arm_fpscr_get(vcpu); }
void arm_helper_a32_fpscr_set(Vcpu *vcpu, uint32_t value) { arm_fpscr_set(vcpu, value); }

/* In units made while that was not so: from the next poll on it is. */
void arm_helper_a32_standard(Vcpu *vcpu)
{
    if (arm_fp_standard_ok(vcpu)) {
        vcpu->jit.exit_request = 1;
    }
}

/* -- VRECPS, VRSQRTS: FPRecipStep, FPRSqrtStep of AArch32, which round the product ------------------------------------------ */

typedef struct StepFormat { uint32_t infinity, one_half, three_halves, two, three; uint8_t size; bool flushes; } StepFormat;

static uint32_t magnitude(const StepFormat *f, uint32_t x) { return x & (uint32_t)(BIT((8u << f->size) - 1) - 1); }
static bool is_inf(const StepFormat *f, uint32_t x) { return magnitude(f, x) == f->infinity; }
/* Subnormals are flushed, those of half precision if FPSCR.FZ16 says so. */
static bool is_zero(const StepFormat *f, uint32_t x) { return f->flushes ? !(x & f->infinity) : !magnitude(f, x); }
static bool is_subnormal(const StepFormat *f, uint32_t x) { return !(x & f->infinity) && magnitude(f, x); }

/* regs: n, m, d, whether 16 bytes, whether half precision. */
static void steps(Vcpu *vcpu, uint32_t regs, bool sqrt)
{
    static const StepFormat formats[2] = { { 0x7f800000, 0x3f000000, 0x3fc00000, 0x40000000, 0x40400000, 2, true },
                                           { 0x7c00, 0x3800, 0x3e00, 0x4000, 0x4200, 1, false } };
    ArmState *s = arm_state(vcpu);
    StepFormat f = formats[regs >> 16 & 1];
    uint32_t fpcr = s->fpcr;
    const ArmVector n = s->v[regs & 31], m = s->v[regs >> 5 & 31];
    ArmVector r = { .d = { 0 } };

    s->fpcr = (fpcr & (ARM_FPCR_AHP | ARM_FPCR_FZ16)) | ARM_FPCR_FZ | ARM_FPCR_DN;
    f.flushes |= !!(fpcr & ARM_FPCR_FZ16);
    for (unsigned i = 0; i < (regs >> 15 & 1 ? 16u : 8u) >> f.size; i++) {
        uint32_t x = f.size == 1 ? n.h[i] : n.s[i], y = f.size == 1 ? m.h[i] : m.s[i], lane;
        if ((is_inf(&f, x) && is_zero(&f, y)) || (is_zero(&f, x) && is_inf(&f, y))) {
            lane = sqrt ? f.three_halves : f.two;
            s->fpsr |= f.size == 2 && (is_subnormal(&f, x) || is_subnormal(&f, y)) ? ARM_FPSR_IDC : 0;
        } else {
            uint64_t product = arm_fp_lane(vcpu, arm_fp_code(ARM_FP_MUL, f.size, 0, ARM_FP_DYN, 0, 0), x, y, 0);
            uint64_t v = arm_fp_lane(vcpu, arm_fp_code(ARM_FP_SUB, f.size, 0, ARM_FP_DYN, 0, 0), sqrt ? f.three : f.two, product, 0);
            lane = (uint32_t)(sqrt ? arm_fp_lane(vcpu, arm_fp_code(ARM_FP_MUL, f.size, 0, ARM_FP_DYN, 0, 0), v, f.one_half, 0) : v);
        }
        if (f.size == 1) {
            r.h[i] = (uint16_t)lane;
        } else {
            r.s[i] = lane;
        }
    }
    s->fpcr = fpcr;
    s->v[regs >> 10 & 31] = r;
}

void arm_helper_a32_recps(Vcpu *vcpu, uint32_t regs) { steps(vcpu, regs, false); }
void arm_helper_a32_rsqrts(Vcpu *vcpu, uint32_t regs) { steps(vcpu, regs, true); }
