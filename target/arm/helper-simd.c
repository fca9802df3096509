/*
 * helper-simd.c: Advanced SIMD instructions on integers that are not a few vector operations: estimates, saturating shifts
 * by registers.
 */
#include "target/arm/translate.h"

/* RecipEstimate and RecipSqrtEstimate (shared/functions/float): of 9 bits, the top one or two not zero. */
static uint32_t recip_estimate(uint32_t a)
{
    return ((1u << 19) / (a * 2 + 1) + 1) / 2;
}

static uint32_t rsqrt_estimate(uint32_t a)
{
    uint32_t b = 512;

    a = a < 256 ? a * 2 + 1 : ((a | 1) * 2);
    while (a * (b + 1) * (b + 1) < 1u << 28) {
        b++;
    }
    return (b + 1) / 2;
}

static uint64_t unsigned_recip(uint32_t a) { return a >> 31 ? recip_estimate(a >> 23) << 23 : UINT32_MAX; }
static uint64_t unsigned_rsqrt(uint32_t a) { return a >> 30 ? rsqrt_estimate(a >> 23) << 23 : UINT32_MAX; }

uint64_t arm_helper_urecpe(uint64_t a) { return unsigned_recip((uint32_t)a) | unsigned_recip((uint32_t)(a >> 32)) << 32; }
uint64_t arm_helper_ursqrte(uint64_t a) { return unsigned_rsqrt((uint32_t)a) | unsigned_rsqrt((uint32_t)(a >> 32)) << 32; }

static uint64_t lane_get(const ArmVector *v, unsigned size, unsigned i)
{
    switch (size) {
    case 0: return v->b[i];
    case 1: return v->h[i];
    case 2: return v->s[i];
    default: return v->d[i];
    }
}

static void lane_set(ArmVector *v, unsigned size, unsigned i, uint64_t x)
{
    switch (size) {
    case 0: v->b[i] = (uint8_t)x; break;
    case 1: v->h[i] = (uint16_t)x; break;
    case 2: v->s[i] = (uint32_t)x; break;
    default: v->d[i] = x; break;
    }
}

/* x shifted left by n, or right by -n, rounded or not. Far right counts leave nothing of x but, not rounded, its sign. */
static __int128 shifted(__int128 x, int n, unsigned bits, bool round)
{
    if (n >= 0) {
        const __int128 beyond = (__int128)1 << 126;

        return n < (int)bits ? x * ((__int128)1 << n) : x > 0 ? beyond : x < 0 ? -beyond : 0;
    }
    if (-n > (int)bits) {
        return round || x >= 0 ? 0 : -1;
    }
    return (x + (round ? (__int128)1 << (-n - 1) : 0)) >> -n;
}

/* SQSHL, SQRSHL, UQSHL, UQRSHL. */
void arm_helper_sat_shl(Vcpu *vcpu, uint32_t what)
{
    ArmState *st = arm_state(vcpu);
    unsigned size = what >> 15 & 3, log2 = what >> 17 & 7, bits = 8u << size;
    bool is_signed = what >> 20 & 1, round = what >> 21 & 1;
    ArmVector n = st->v[what >> 5 & 31], m = st->v[what >> 10 & 31], d = { 0 };
    __int128 max = ((__int128)1 << (bits - is_signed)) - 1, min = is_signed ? -max - 1 : 0;

    for (unsigned i = 0; i < 1u << log2 >> size; i++) {
        uint64_t lane = lane_get(&n, size, i);
        __int128 x = shifted(is_signed ? (__int128)bits_sext(lane, bits) : (__int128)lane, (int8_t)lane_get(&m, size, i), bits, round);

        if (x > max || x < min) {
            arm_qc_set(st, true);
            x = x > max ? max : min;
        }
        lane_set(&d, size, i, (uint64_t)x);
    }
    st->v[what & 31] = d;
}
