/*
 * fpu-rem.c: the IEEE remainder, and the x87's step by step form of it.
 *
 * IEEE 754-2019, 5.3.1; Intel SDM volume 2, FPREM and FPREM1.
 * Significands of up to 64 bits; the result is always exact.
 */
#include "target/common/fpu-num.h"

/*
 * a - b*q for normal a and b, q the integer nearest to a/b or truncated.
 * Returns the low 64 bits of q.
 */
static FpNum rem_normals(FpNum a, FpNum b, bool nearest, uint64_t *ret_quotient)
{
    int diff = a.exp - b.exp;
    u128 y = (uint64_t)(b.sig >> 64), r = (uint64_t)(a.sig >> 64);
    uint64_t q = 0;

    *ret_quotient = 0;
    if (diff < (nearest ? -1 : 0)) {
        return a;
    }
    /* r counts units of 2^(unit - 63). */
    int unit = b.exp;
    if (diff == -1) {
        y <<= 1;
        unit--;
    } else {
        q = r >= y;
        r -= q ? y : 0;
        while (diff > 0) {
            int step = diff < 63 ? diff : 63;
            r <<= step;
            q = (q << step) + (uint64_t)(r / y);
            r %= y;
            diff -= step;
        }
    }
    if (nearest && (2 * r > y || (2 * r == y && (q & 1)))) {
        r = y - r;
        a.sign = !a.sign;
        q++;
    }
    *ret_quotient = q;
    if (r == 0) {
        a.cls = NUM_ZERO;
        return a;
    }
    unsigned shift = num_clz(r);
    a.sig = r << shift;
    a.exp = unit - 63 + 127 - (int)shift;
    return a;
}

/* Everything but two normals. */
static FpNum rem_special(FpNum a, FpNum b, FpStatus *s)
{
    if ((a.cls | b.cls) & NUM_NAN) {
        return num_pick_nan(a, b, s);
    }
    if (a.cls == NUM_INF || b.cls == NUM_ZERO) {
        return num_invalid(a.cls == NUM_INF ? FP_INVALID_INF_DIV : FP_INVALID_ZERO_DIV, s);
    }
    num_note_subnormal(a.subnormal | b.subnormal, s);
    return a;
}

static FpNum num_rem(FpNum a, FpNum b, FpStatus *s)
{
    bool sign = a.sign;
    uint64_t quotient;

    if ((a.cls | b.cls) != NUM_NORMAL) {
        return rem_special(a, b, s);
    }
    num_note_subnormal(a.subnormal | b.subnormal, s);
    a = rem_normals(a, b, true, &quotient);
    if (a.cls == NUM_ZERO) {
        a.sign = sign;
    }
    return a;
}

#define DEFINE_REM(T)                   \
    T T##_rem(T a, T b, FpStatus *s)    \
    { return T##_pack(num_rem(T##_unpack(a, s), T##_unpack(b, s), s), s); }
FP_EACH_FORMAT(DEFINE_REM)

FpRemStep f80_rem_step(f80 x, f80 y, bool nearest, FpStatus *s)
{
    FpNum a = f80_unpack(x, s), b = f80_unpack(y, s);
    FpRemStep step = { .complete = true };

    if ((a.cls | b.cls) != NUM_NORMAL) {
        step.value = f80_pack(rem_special(a, b, s), s);
        return step;
    }
    num_note_subnormal(a.subnormal | b.subnormal, s);
    int diff = a.exp - b.exp;
    if (diff >= 64) {
        /*
         * Reduce the exponent difference by N (32 to 63; hardware chooses the
         * same residue modulo 32) by subtracting a multiple of b * 2^(diff - N).
         */
        int n = 32 + (diff & 31);
        step.complete = false;
        b.exp += diff - n;
        a = rem_normals(a, b, false, &step.quotient);
    } else {
        bool sign = a.sign;
        a = rem_normals(a, b, nearest, &step.quotient);
        if (a.cls == NUM_ZERO) {
            a.sign = sign;
        }
    }
    step.value = f80_pack(a, s);
    return step;
}
