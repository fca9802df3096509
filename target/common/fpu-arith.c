/*
 * fpu-arith.c: add, subtract, multiply, divide, square root, fused
 * multiply-add and scalbn for every format.
 *
 * IEEE 754-2019, 5.4.1 and 5.3.3. Each operation unpacks, handles the special
 * classes, computes at least two bits more than the widest format has plus a
 * sticky bit, and rounds once in pack.
 * binary128 arithmetic is not here yet (no guest instruction set needs it so far).
 */
#include "target/common/fpu-num.h"

/* Both normal, same sign. */
FP_INLINE FpNum add_magnitudes(FpNum a, FpNum b)
{
    if (a.exp < b.exp) {
        FpNum t = a;
        a = b;
        b = t;
    }
    u128 y = num_shr_jam(b.sig, (unsigned)(a.exp - b.exp));
    u128 sum = a.sig + y;
    if (sum < y) {
        sum = NUM_TOP | sum >> 1 | (sum & 1);
        a.exp++;
    }
    a.sig = sum;
    return a;
}

/* Both normal, different signs; exact zero takes its sign from the rounding mode. */
FP_INLINE FpNum sub_magnitudes(FpNum a, FpNum b, FpStatus *s)
{
    if (a.exp < b.exp || (a.exp == b.exp && a.sig < b.sig)) {
        FpNum t = a;
        a = b;
        b = t;
    }
    u128 diff = a.sig - num_shr_jam(b.sig, (unsigned)(a.exp - b.exp));
    if (unlikely(diff == 0)) {
        a.cls = NUM_ZERO;
        a.sign = s->rounding == FP_RDN;
        return a;
    }
    unsigned shift = num_clz(diff);
    a.sig = diff << shift;
    a.exp -= (int)shift;
    return a;
}

/* At least one is not normal; b's sign is already that of an addition. */
static FpNum add_special(FpNum a, FpNum b, FpStatus *s)
{
    if ((a.cls & b.cls) == NUM_INF && a.sign != b.sign) {
        return num_invalid(FP_INVALID_INF_SUB, s);
    }
    num_note_subnormal(a.subnormal | b.subnormal, s);
    if (a.cls == NUM_INF) {
        return a;
    }
    if (b.cls == NUM_INF) {
        return b;
    }
    if ((a.cls & b.cls) == NUM_ZERO) {
        a.sign = a.sign == b.sign ? a.sign : s->rounding == FP_RDN;
        return a;
    }
    return a.cls == NUM_ZERO ? b : a;
}

FP_INLINE FpNum num_add(FpNum a, FpNum b, bool subtract, FpStatus *s)
{
    if (likely((a.cls | b.cls) == NUM_NORMAL)) {
        num_note_subnormal(a.subnormal | b.subnormal, s);
        b.sign ^= subtract;
        return a.sign == b.sign ? add_magnitudes(a, b) : sub_magnitudes(a, b, s);
    }
    if ((a.cls | b.cls) & NUM_NAN) {
        return num_pick_nan(a, b, s);
    }
    b.sign ^= subtract;
    return add_special(a, b, s);
}

/* Only for formats of at most 64 bits of significand: the low halves are zero. */
FP_INLINE FpNum mul_normals(FpNum a, FpNum b)
{
    u128 p = (u128)(uint64_t)(a.sig >> 64) * (uint64_t)(b.sig >> 64);

    a.sign ^= b.sign;
    a.exp += b.exp + 1;
    if (!(p & NUM_TOP)) {
        p <<= 1;
        a.exp--;
    }
    a.sig = p;
    return a;
}

FP_INLINE FpNum num_mul(FpNum a, FpNum b, FpStatus *s)
{
    if (likely((a.cls | b.cls) == NUM_NORMAL)) {
        num_note_subnormal(a.subnormal | b.subnormal, s);
        return mul_normals(a, b);
    }
    if ((a.cls | b.cls) & NUM_NAN) {
        return num_pick_nan(a, b, s);
    }
    if ((a.cls | b.cls) == (NUM_INF | NUM_ZERO)) {
        return num_invalid(FP_INVALID_INF_MUL, s);
    }
    num_note_subnormal(a.subnormal | b.subnormal, s);
    a.cls = (a.cls | b.cls) & NUM_INF ? NUM_INF : NUM_ZERO;
    a.sign ^= b.sign;
    return a;
}

FP_INLINE FpNum div_normals(FpNum a, FpNum b)
{
    uint64_t x = (uint64_t)(a.sig >> 64), y = (uint64_t)(b.sig >> 64);
    u128 n;

    a.sign ^= b.sign;
    a.exp -= b.exp;
    if (x < y) {
        n = (u128)x << 64;
        a.exp--;
    } else {
        n = (u128)x << 63;
    }
    uint64_t q = (uint64_t)(n / y);
    uint64_t r = (uint64_t)(n % y);
    /* Another 63 bits, so that 64-bit significands have guard bits. */
    uint64_t low = 0;
    if (r) {
        n = (u128)r << 63;
        low = (uint64_t)(n / y) << 1 | (n % y != 0);
    }
    a.sig = (u128)q << 64 | low;
    return a;
}

FP_INLINE FpNum num_div(FpNum a, FpNum b, FpStatus *s)
{
    if (likely((a.cls | b.cls) == NUM_NORMAL)) {
        num_note_subnormal(a.subnormal | b.subnormal, s);
        return div_normals(a, b);
    }
    if ((a.cls | b.cls) & NUM_NAN) {
        return num_pick_nan(a, b, s);
    }
    if (a.cls == b.cls) {
        return num_invalid(a.cls == NUM_INF ? FP_INVALID_INF_DIV : FP_INVALID_ZERO_DIV, s);
    }
    a.sign ^= b.sign;
    if (b.cls == NUM_ZERO && a.cls == NUM_NORMAL) {
        s->flags |= FP_DIVZERO;
        a.cls = NUM_INF;
        return a;
    }
    num_note_subnormal(a.subnormal | b.subnormal, s);
    a.cls = a.cls == NUM_INF || b.cls == NUM_ZERO ? NUM_INF : NUM_ZERO;
    return a;
}

/* Digit by digit: `bits` result bits, then the sticky bit. */
FP_INLINE FpNum sqrt_normal(FpNum a, unsigned bits)
{
    /* The radicand is in [1, 4) with 126 bits of fraction. */
    u128 rest = a.exp & 1 ? a.sig : a.sig >> 1;
    u128 lost = a.exp & 1 ? 0 : a.sig & 1;
    u128 root = 0, bit = (u128)1 << 126;
    bool out = false;

    a.exp >>= 1;
    /*
     * Invariant: rest = (radicand - root^2) scaled so that the next digit's weight is `bit`
     * and twice the root fits below it.
     */
    for (unsigned i = 0; i < bits; i++) {
        u128 trial = 2 * root + bit;
        if (out || rest >= trial) {
            rest -= trial;
            root += bit;
        }
        out = rest >> 127;
        rest <<= 1;
        bit >>= 1;
    }
    a.sig = root << 1 | (rest != 0 || out || lost);
    return a;
}

FP_INLINE FpNum num_sqrt(FpNum a, unsigned bits, FpStatus *s)
{
    if (a.cls & NUM_NAN) {
        return num_quiet_nan(a, s);
    }
    if (a.cls == NUM_ZERO) {
        return a;
    }
    if (a.sign) {
        return num_invalid(FP_INVALID_SQRT, s);
    }
    num_note_subnormal(a.subnormal, s);
    return a.cls == NUM_INF ? a : sqrt_normal(a, bits);
}

FP_INLINE FpNum num_muladd(FpNum a, FpNum b, FpNum c, unsigned flags, FpStatus *s)
{
    bool inf_zero = (a.cls | b.cls) == (NUM_INF | NUM_ZERO);

    if (unlikely((a.cls | b.cls | c.cls) & NUM_NAN)) {
        return num_pick_nan3(a, b, c, inf_zero, s);
    }
    if (unlikely(inf_zero)) {
        return num_invalid(FP_INVALID_INF_MUL, s);
    }
    a.sign ^= (flags & FP_NEGATE_PRODUCT) != 0;
    c.sign ^= (flags & FP_NEGATE_ADDEND) != 0;
    bool subnormal = a.subnormal | b.subnormal | c.subnormal;
    FpNum p;
    if (likely((a.cls | b.cls) == NUM_NORMAL)) {
        p = mul_normals(a, b);
    } else {
        p = a;
        p.sign ^= b.sign;
        p.cls = (a.cls | b.cls) & NUM_INF ? NUM_INF : NUM_ZERO;
    }
    p.subnormal = false;
    FpNum r;
    if (likely((p.cls | c.cls) == NUM_NORMAL)) {
        r = p.sign == c.sign ? add_magnitudes(p, c) : sub_magnitudes(p, c, s);
    } else {
        r = add_special(p, c, s);
    }
    if (r.cls & NUM_NAN) {
        return r;
    }
    num_note_subnormal(subnormal, s);
    if (flags & FP_HALVE_RESULT) {
        r.exp--;
    }
    return r;
}

#define SQRT_BITS_f16 13
#define SQRT_BITS_bf16 10
#define SQRT_BITS_f32 26
#define SQRT_BITS_f64 55
#define SQRT_BITS_f80 66

#define DEFINE_ARITH(T)                                                               \
    T T##_add(T a, T b, FpStatus *s)                                                  \
    { return T##_pack_arith(num_add(T##_unpack(a, s), T##_unpack(b, s), false, s), s); } \
    T T##_sub(T a, T b, FpStatus *s)                                                  \
    { return T##_pack_arith(num_add(T##_unpack(a, s), T##_unpack(b, s), true, s), s); }  \
    T T##_mul(T a, T b, FpStatus *s)                                                  \
    { return T##_pack_arith(num_mul(T##_unpack(a, s), T##_unpack(b, s), s), s); }     \
    T T##_div(T a, T b, FpStatus *s)                                                  \
    { return T##_pack_arith(num_div(T##_unpack(a, s), T##_unpack(b, s), s), s); }     \
    T T##_sqrt(T a, FpStatus *s)                                                      \
    { return T##_pack_arith(num_sqrt(T##_unpack(a, s), SQRT_BITS_##T, s), s); }
FP_EACH_FORMAT(DEFINE_ARITH)

#define DEFINE_MULADD(T)                                                              \
    T T##_muladd(T a, T b, T c, unsigned flags, FpStatus *s)                          \
    {                                                                                 \
        FpNum r = num_muladd(T##_unpack(a, s), T##_unpack(b, s), T##_unpack(c, s), flags, s); \
        bool negate = (flags & FP_NEGATE_RESULT) && !(r.cls & NUM_NAN);               \
        T bits = T##_pack(r, s);                                                      \
        return negate ? bits ^ (T)((T)1 << (sizeof(T) * 8 - 1)) : bits;               \
    }
DEFINE_MULADD(f16)
DEFINE_MULADD(bf16)
DEFINE_MULADD(f32)
DEFINE_MULADD(f64)

/* Far beyond any exponent range, and far from overflowing `exp`. */
#define SCALE_LIMIT 100000

static FpNum num_scalbn(FpNum a, int n, FpStatus *s)
{
    if (a.cls & NUM_NAN) {
        return num_quiet_nan(a, s);
    }
    num_note_subnormal(a.subnormal, s);
    a.exp += n > SCALE_LIMIT ? SCALE_LIMIT : n < -SCALE_LIMIT ? -SCALE_LIMIT : n;
    return a;
}

#define DEFINE_SCALBN(T)                                     \
    T T##_scalbn(T a, int n, FpStatus *s)                    \
    { return T##_pack(num_scalbn(T##_unpack(a, s), n, s), s); }
FP_EACH_FORMAT(DEFINE_SCALBN)
