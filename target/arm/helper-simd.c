/*
 * helper-simd.c: Advanced SIMD instructions on integers that are not a few vector operations: estimates.
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
