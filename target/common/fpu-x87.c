/*
 * fpu-x87.c: encoding of the x87's 80-bit extended format.
 *
 * Intel SDM volume 1, 4.2.2, 8.2 and 8.5: explicit integer bit, precision
 * control (rounding to 24 or 53 bits with the full exponent range), encodings
 * the x87 rejects, results of unmasked overflow and underflow.
 */
#include "target/common/fpu-num.h"

enum { F80_TRAP_BIAS = 24576 };

FpNum num_unpack_f80(f80 a, FpStatus *s)
{
    unsigned e = a.sign_exp & F80_EXP_MAX;
    FpNum n = { .sign = a.sign_exp >> 15, .sig = (u128)a.sig << 64 };
    bool integer_bit = a.sig >> 63;

    if (e == 0) {
        if (a.sig == 0) {
            n.cls = NUM_ZERO;
            return n;
        }
        /* Pseudo-denormals have the integer bit set and the same exponent. */
        unsigned shift = (unsigned)__builtin_clzll(a.sig);
        n.cls = NUM_NORMAL;
        n.subnormal = true;
        n.sig <<= shift;
        n.exp = 1 - F80_BIAS - (int)shift;
    } else if (!integer_bit) {
        /* Unnormal, pseudo-infinity or pseudo-NaN (8.2.2): an invalid operand. */
        n.cls = NUM_SNAN;
        n.unsupported = true;
    } else if (e == F80_EXP_MAX) {
        n.cls = a.sig << 1 == 0 ? NUM_INF : n.sig & NUM_QUIET ? NUM_QNAN : NUM_SNAN;
    } else {
        n.cls = NUM_NORMAL;
        n.exp = (int)e - F80_BIAS;
    }
    return n;
}

static f80 make_f80(bool sign, unsigned e, uint64_t sig)
{
    return (f80){ .sig = sig, .sign_exp = (uint16_t)((unsigned)sign << 15 | e) };
}

f80 num_pack_f80(FpNum n, unsigned precision, FpStatus *s)
{
    if (n.cls == NUM_ZERO) {
        return make_f80(n.sign, 0, 0);
    }
    if (n.cls == NUM_INF) {
        return make_f80(n.sign, F80_EXP_MAX, (uint64_t)1 << 63);
    }
    if (n.cls & NUM_NAN) {
        return make_f80(n.sign, F80_EXP_MAX, (uint64_t)(n.sig >> 64));
    }

    unsigned discard = 128 - precision;
    int biased = n.exp + F80_BIAS;
    u128 sig = n.sig;
    bool tiny = biased <= 0;
    for (int pass = tiny ? 0 : 1; pass < 2; pass++) {
        /* Pass 0 only finds out whether the result is tiny after rounding. */
        u128 q = sig >> discard;
        bool half = (sig >> (discard - 1)) & 1;
        bool sticky = (sig << (129 - discard)) != 0;
        bool up = num_rounds_up(s->rounding, n.sign, q & 1, half, sticky);
        if (pass == 0) {
            tiny = s->tininess_before || biased < 0 || !up || (~q << discard) != 0;
            if (tiny && (s->trapped & FP_UNDERFLOW)) {
                s->flags |= FP_UNDERFLOW;
                biased += F80_TRAP_BIAS;
                if (biased <= 0) { /* still too small (fscale) */
                    s->flags |= FP_INEXACT;
                    return make_f80(n.sign, 0, 0);
                }
                continue;
            }
            sig = num_shr_jam(sig, (unsigned)(1 - biased));
            biased = 1;
            continue;
        }
        if (half || sticky) {
            s->flags |= FP_INEXACT | (tiny ? FP_UNDERFLOW : 0) | (up ? FP_ROUNDED_UP : 0);
        }
        q += up;
        if (q >> precision) {
            q >>= 1;
            biased++;
        }
        uint64_t bits = (uint64_t)q << (64 - precision);
        if (biased >= F80_EXP_MAX && (s->trapped & FP_OVERFLOW) && biased - F80_TRAP_BIAS < F80_EXP_MAX) {
            s->flags |= FP_OVERFLOW;
            return make_f80(n.sign, (unsigned)(biased - F80_TRAP_BIAS), bits);
        }
        if (biased >= F80_EXP_MAX) {
            s->flags |= FP_OVERFLOW | FP_INEXACT;
            s->flags &= ~(uint32_t)FP_ROUNDED_UP;
            /* Trapped and still too large (fscale): infinity. */
            if (num_overflows_to_inf(s->rounding, n.sign) || (s->trapped & FP_OVERFLOW)) {
                s->flags |= FP_ROUNDED_UP;
                return make_f80(n.sign, F80_EXP_MAX, (uint64_t)1 << 63);
            }
            return make_f80(n.sign, F80_EXP_MAX - 1, ~(uint64_t)0 << (64 - precision));
        }
        return make_f80(n.sign, bits >> 63 ? (unsigned)biased : 0, bits);
    }
    __builtin_unreachable();
}
