/*
 * x87-math-soft.c: the transcendental functions without the host's x87 unit.
 *
 * Numbers are libfpu's FpNum with all their 128 bits, series are summed until terms no longer count, and the result is rounded once: within 0.51
 * units in the last place, better than the manual asks for (Intel SDM volume 1, 8.3.10). Arguments of trigonometric functions are reduced with pi to 191
 * binary places, where processors use fewer.
 *
 * Reference: the Taylor series of exp, atanh, atan, sin and cos.
 */
#include "target/common/fpu-num.h"
#include "target/x86/x87.h"

/* ---- arithmetic on all 128 bits, truncating ---- */

static FpNum number(bool sign, int exp, u128 sig)
{
    if (!sig) {
        return (FpNum){ .cls = NUM_ZERO, .sign = sign };
    }
    unsigned shift = num_clz(sig);
    return (FpNum){ .cls = NUM_NORMAL, .sign = sign, .exp = exp - (int)shift, .sig = sig << shift };
}

static FpNum integer(int64_t v)
{
    return number(v < 0, 127, (u128)(uint64_t)(v < 0 ? -v : v));
}

static u128 high_product(u128 a, u128 b)
{
    uint64_t a0 = (uint64_t)a, a1 = (uint64_t)(a >> 64), b0 = (uint64_t)b, b1 = (uint64_t)(b >> 64);
    u128 low = (u128)a0 * b0, m1 = (u128)a1 * b0, m2 = (u128)a0 * b1;
    u128 mid = (low >> 64) + (uint64_t)m1 + (uint64_t)m2;
    return (u128)a1 * b1 + (m1 >> 64) + (m2 >> 64) + (mid >> 64);
}

static FpNum multiply(FpNum a, FpNum b)
{
    return number(a.sign ^ b.sign, a.exp + b.exp + 1, a.cls == NUM_ZERO || b.cls == NUM_ZERO ? 0 : high_product(a.sig, b.sig));
}

static FpNum negate(FpNum a)
{
    a.sign = !a.sign;
    return a;
}

static FpNum add(FpNum a, FpNum b)
{
    if (a.cls == NUM_ZERO || b.cls == NUM_ZERO) {
        return a.cls == NUM_ZERO ? b : a;
    }
    if (a.exp < b.exp || (a.exp == b.exp && a.sig < b.sig)) {
        FpNum t = a;
        a = b;
        b = t;
    }
    unsigned shift = (unsigned)(a.exp - b.exp);
    u128 small = shift < 128 ? b.sig >> shift : 0;
    if (a.sign != b.sign) {
        return number(a.sign, a.exp, a.sig - small);
    }
    u128 sum = a.sig + small;
    return sum < a.sig ? number(a.sign, a.exp + 1, sum >> 1 | NUM_TOP) : number(a.sign, a.exp, sum);
}

static FpNum sub(FpNum a, FpNum b) { return add(a, negate(b)); }

static FpNum divide(FpNum a, FpNum b)
{
    u128 r = a.sig, q = 0;
    int exp = a.exp - b.exp + 1;
    bool carry = false;

    if (a.cls == NUM_ZERO) {
        return number(a.sign ^ b.sign, 0, 0);
    }
    while (!(q & NUM_TOP)) {
        bool one = carry || r >= b.sig;
        r -= one ? b.sig : 0;
        q = q << 1 | one;
        carry = (r & NUM_TOP) != 0;
        r <<= 1;
        exp--;
    }
    /* 128 steps for a >= b, one more else */
    return number(a.sign ^ b.sign, exp + 127, q);
}

static const FpNum ln2 = { .cls = NUM_NORMAL, .exp = -1, .sig = (u128)0xb17217f7d1cf79ab << 64 | 0xc9e3b39803f2f6af };
static const FpNum log2_e = { .cls = NUM_NORMAL, .exp = 0, .sig = (u128)0xb8aa3b295c17f0bb << 64 | 0xbe87fed0691d3e89 };

/* pi * 2^(exp - 1) */
static FpNum pi_times(int exp)
{
    return (FpNum){ .cls = NUM_NORMAL, .exp = exp, .sig = (u128)0xc90fdaa22168c234 << 64 | 0xc4c6628b80dc1cd1 };
}

static bool counts(FpNum term, FpNum sum)
{
    return term.cls != NUM_ZERO && (sum.cls == NUM_ZERO || term.exp > sum.exp - 130);
}

/* x + x^3/3 + x^5/5…, signs alternating or not. */
static FpNum atan_series(FpNum x, bool alternating)
{
    FpNum sum = x, power = x, square = multiply(x, x);
    for (int n = 3; ; n += 2) {
        power = multiply(power, square);
        if (alternating) {
            power = negate(power);
        }
        FpNum term = divide(power, integer(n));
        if (!counts(term, sum)) {
            return sum;
        }
        sum = add(sum, term);
    }
}

/* x^first/first! - x^(first+2)/(first+2)! …: sine from 1, cosine from 0. */
static FpNum sine_series(FpNum x, int first)
{
    FpNum term = first ? x : integer(1), sum = term, square = multiply(x, x);
    for (int n = first + 1; ; n += 2) {
        term = negate(divide(multiply(term, square), integer((int64_t)n * (n + 1))));
        if (!counts(term, sum)) {
            return sum;
        }
        sum = add(sum, term);
    }
}

static FpNum exp_minus_1(FpNum x)
{
    FpNum term = x, sum = x;
    for (int n = 2; ; n++) {
        term = divide(multiply(term, x), integer(n));
        if (!counts(term, sum)) {
            return sum;
        }
        sum = add(sum, term);
    }
}

/* atan of a number in [0, 1]. */
static FpNum arc_tangent(FpNum t)
{
    if (t.cls == NUM_ZERO || t.exp < -2) {
        return atan_series(t, true);
    }
    FpNum one = integer(1);
    return add(pi_times(-1), atan_series(divide(sub(t, one), add(t, one)), true));
}

/* ---- results ---- */

typedef struct Math { FpStatus fp; } Math;

static f80 rounded(Math *m, FpNum v, bool exact)
{
    if (!exact && v.cls == NUM_NORMAL) {
        v.sig |= 1; /* something below */
    }
    return num_pack_f80(v, 64, &m->fp);
}

static f80 invalid(Math *m)
{
    m->fp.flags |= FP_INVALID;
    return (f80){ .sign_exp = 0xffff, .sig = (uint64_t)3 << 62 };
}

static f80 special(Math *m, bool sign, uint8_t cls)
{
    return num_pack_f80((FpNum){ .cls = cls, .sign = sign }, 64, &m->fp);
}

static f80 two_to_x_minus_1(Math *m, FpNum x)
{
    if (x.cls == NUM_ZERO) {
        return special(m, x.sign, NUM_ZERO);
    }
    if (x.cls == NUM_INF) {
        return x.sign ? rounded(m, integer(-1), true) : special(m, false, NUM_INF);
    }
    if (x.exp == 0 && x.sig == NUM_TOP) { /* 1, -1 */
        return rounded(m, x.sign ? number(true, -1, NUM_TOP) : x, true);
    }
    if (x.exp >= 0) { /* undefined: kept as it is */
        return rounded(m, x, true);
    }
    return rounded(m, exp_minus_1(multiply(x, ln2)), false);
}

/* y * (e + log2((1 + z) / (1 - z))) */
static f80 scaled_log(Math *m, FpNum y, int e, FpNum z)
{
    FpNum log = integer(e);
    bool exact = z.cls == NUM_ZERO;
    if (!exact) {
        FpNum part = multiply(atan_series(z, false), log2_e);
        part.exp++;
        log = add(log, part);
    }
    return rounded(m, multiply(y, log), exact);
}

static f80 y_log2_x(Math *m, FpNum x, FpNum y)
{
    bool one = x.cls == NUM_NORMAL && x.exp == 0 && x.sig == NUM_TOP;
    if ((x.sign && x.cls != NUM_ZERO) || (x.cls == NUM_ZERO && y.cls == NUM_ZERO) || (x.cls == NUM_INF && y.cls == NUM_ZERO) ||
        (one && y.cls == NUM_INF)) {
        return invalid(m);
    }
    if (x.cls == NUM_ZERO) {
        m->fp.flags |= y.cls == NUM_INF ? 0 : FP_DIVZERO;
        return special(m, !y.sign, NUM_INF);
    }
    bool below_1 = x.cls == NUM_NORMAL && x.exp < 0;
    if (x.cls == NUM_INF || y.cls == NUM_INF) {
        return special(m, y.sign ^ below_1, NUM_INF);
    }
    if (one || y.cls == NUM_ZERO) {
        return special(m, y.sign ^ below_1, NUM_ZERO);
    }
    /* A mantissa between the roots of 1/2 and 2. */
    int e = x.exp;
    x.exp = 0;
    if (x.sig >> 64 > 0xb504f333f9de6484) {
        x.exp = -1;
        e++;
    }
    return scaled_log(m, y, e, divide(sub(x, integer(1)), add(x, integer(1))));
}

static f80 y_log2_x_plus_1(Math *m, FpNum x, FpNum y)
{
    if (x.cls == NUM_ZERO) {
        return y.cls == NUM_INF ? invalid(m) : special(m, x.sign ^ y.sign, NUM_ZERO);
    }
    if (x.cls == NUM_INF || (x.sign && x.exp >= 0)) {
        return x.sign || y.cls == NUM_ZERO ? invalid(m) : special(m, y.sign, NUM_INF);
    }
    if (y.cls != NUM_NORMAL) {
        return special(m, x.sign ^ y.sign, y.cls);
    }
    return scaled_log(m, y, 0, divide(x, add(x, integer(2))));
}

/* The angle of (x, y). */
static f80 angle(Math *m, FpNum x, FpNum y)
{
    FpNum a;
    bool exact = false;

    if (y.cls == NUM_ZERO || (x.cls == NUM_INF && y.cls != NUM_INF)) {
        exact = !x.sign;
        a = x.sign ? pi_times(1) : integer(0);
    } else if (y.cls == NUM_INF) {
        FpNum quarter = pi_times(-1);
        a = x.cls != NUM_INF ? pi_times(0) : x.sign ? sub(pi_times(1), quarter) : quarter;
    } else if (x.cls == NUM_ZERO) {
        a = pi_times(0);
    } else {
        bool steep = y.exp > x.exp || (y.exp == x.exp && y.sig > x.sig);
        bool x_negative = x.sign;
        FpNum top = steep ? x : y, bottom = steep ? y : x;
        top.sign = bottom.sign = false;
        a = arc_tangent(divide(top, bottom));
        a = steep ? sub(pi_times(0), a) : a;
        a = x_negative ? sub(pi_times(1), a) : a;
    }
    a.sign = y.sign;
    return rounded(m, a, exact);
}

/* ---- trigonometric functions ---- */

/* x - n pi/2 in [-pi/4, pi/4] with n modulo 4; x below 2^63. In fixed point with 191 binary places. */
static FpNum reduce(FpNum x, unsigned *ret_quarter)
{
    static const uint64_t half_pi[3] = { 0x29024e088a67cc74, 0xc4c6628b80dc1cd1, 0xc90fdaa22168c234 };
    static const u128 two_over_pi = (u128)0xa2f9836e4e441529 << 64 | 0xfc2757d1f534ddc0; /* * 2^128 */
    uint64_t value[4] = { 0 };

    *ret_quarter = 0;
    if (x.exp < -1) {
        return x;
    }
    /* |x| as an integer of 256 bits */
    int top = x.exp + 191; /* place of the highest bit */
    for (int bit = 127; bit >= 0; bit--) {
        int at = top - 127 + bit;
        if (x.sig >> bit & 1 && at >= 0) {
            value[at / 64] |= (uint64_t)1 << (at % 64);
        }
    }
    /* n: x * 2/pi to nearest */
    u128 product = high_product(x.sig, two_over_pi); /* x.sig * 2/pi, 127 - exp places */
    unsigned places = (unsigned)(127 - x.exp);
    uint64_t n = places == 128 ? (uint64_t)(product >> 127) : (uint64_t)((product + ((u128)1 << (places - 1))) >> places);
    /* value -= n * pi/2 */
    uint64_t carry = 0, borrow = 0;
    for (unsigned i = 0; i < 4; i++) {
        u128 p = (i < 3 ? (u128)n * half_pi[i] : 0) + carry;
        carry = (uint64_t)(p >> 64);
        u128 d = (u128)value[i] - (uint64_t)p - borrow;
        value[i] = (uint64_t)d;
        borrow = (uint64_t)(d >> 64) & 1;
    }
    bool negative = value[3] >> 63;
    if (negative) {
        uint64_t c = 1;
        for (unsigned i = 0; i < 4; i++) {
            value[i] = ~value[i] + c;
            c = c && !value[i];
        }
    }
    unsigned high = 3;
    while (high && !value[high]) {
        high--;
    }
    unsigned shift = value[high] ? (unsigned)__builtin_clzll(value[high]) : 0;
    u128 sig = (u128)value[high] << 64 | (high ? value[high - 1] : 0);
    sig = shift ? sig << shift | (high > 1 ? value[high - 2] >> (64 - shift) : 0) : sig;
    *ret_quarter = (unsigned)(x.sign ? 0 - n : n) & 3;
    return number(negative ^ x.sign, (int)(high * 64 + 63 - shift) - 191, sig);
}

static FpNum sine_of(FpNum r, unsigned quarter)
{
    FpNum v = sine_series(r, quarter & 1 ? 0 : 1);
    v.sign ^= quarter >> 1 & 1;
    return v;
}

static bool trigonometric(Math *m, X87Math op, FpNum x, f80 *ret, f80 *ret2)
{
    bool zero = x.cls == NUM_ZERO;
    unsigned quarter;

    if (x.cls == NUM_NORMAL && x.exp >= 63) {
        return false;
    }
    FpNum r = zero ? x : reduce(x, &quarter);
    FpNum sine = zero ? x : sine_of(r, quarter), cosine = zero ? integer(1) : sine_of(r, quarter + 1);
    switch (op) {
    case X87_FSIN: *ret = rounded(m, sine, zero); break;
    case X87_FCOS: *ret = rounded(m, cosine, zero); break;
    case X87_FSINCOS:
        *ret = rounded(m, sine, zero);
        *ret2 = rounded(m, cosine, zero);
        break;
    default:
        *ret = rounded(m, zero ? x : divide(sine, cosine), zero);
        *ret2 = (f80){ .sign_exp = 0x3fff, .sig = (uint64_t)1 << 63 };
    }
    return true;
}

unsigned x87_math_soft(X87Math op, unsigned control, f80 st0, f80 st1, f80 *ret, f80 *ret2)
{
    static const uint8_t rounding[4] = { FP_RNE, FP_RDN, FP_RUP, FP_RTZ };
    Math m = { .fp = { .rules = &fp_rules_x87, .rounding = rounding[control >> 10 & 3] } };
    m.fp.trapped = (uint8_t)((control & X87_OE ? 0 : FP_OVERFLOW) | (control & X87_UE ? 0 : FP_UNDERFLOW));
    FpNum x = num_unpack_f80(st0, &m.fp), y = num_unpack_f80(st1, &m.fp);
    bool two = op == X87_FYL2X || op == X87_FYL2XP1 || op == X87_FPATAN, in_range = true;

    switch (op) {
    case X87_F2XM1: *ret = two_to_x_minus_1(&m, x); break;
    case X87_FYL2X: *ret = y_log2_x(&m, x, y); break;
    case X87_FYL2XP1: *ret = y_log2_x_plus_1(&m, x, y); break;
    case X87_FPATAN: *ret = angle(&m, x, y); break;
    default: in_range = trigonometric(&m, op, x, ret, ret2);
    }
    if (!in_range) {
        return X87_C2;
    }
    uint32_t f = m.fp.flags | (!(m.fp.flags & FP_INVALID) && (x.subnormal || (two && y.subnormal)) ? FP_DENORMAL : 0);
    return (f & FP_INVALID ? X87_IE : 0u) | (f & FP_DENORMAL ? X87_DE : 0u) | (f & FP_DIVZERO ? X87_ZE : 0u) |
           (f & FP_OVERFLOW ? X87_OE : 0u) | (f & FP_UNDERFLOW ? X87_UE : 0u) | (f & FP_INEXACT ? X87_PE : 0u) |
           (f & FP_ROUNDED_UP ? (unsigned)X87_C1 : 0u);
}
