/* arm32.c: what only 32-bit Arm has: Advanced SIMD on singles and bytes, cryptography and CRCs by intrinsics. */
#if defined(__arm__) && defined(__ARM_FEATURE_CRYPTO)
#include <arm_acle.h>
#include <arm_neon.h>

#include "kernel.h"

enum { N = 4096 };
static float xs[N], ys[N];
static uint8_t bytes[N + 64], out[N + 64];

static void begin(void)
{
    uint64_t state = 88172645463325252u;
    for (int i = 0; i < N; i++) {
        uint64_t r = kernel_random(&state);
        xs[i] = (float)(int16_t)r / 1024;
        ys[i] = (float)(int16_t)(r >> 16) / 512;
        bytes[i] = (uint8_t)(r >> 32);
    }
}

static uint64_t bits(float32x4_t v)
{
    uint64x2_t u = vreinterpretq_u64_f32(v);
    return vgetq_lane_u64(u, 0) * 31 + vgetq_lane_u64(u, 1);
}

uint64_t kernel_neon32_float(unsigned n) /* sums of products, a filter, clamping, conversions */
{
    uint64_t sum = 0;
    begin();
    for (unsigned k = 0; k < n * 20u; k++) {
        float32x4_t a = vdupq_n_f32(0), f = vdupq_n_f32((float)(k % 7) + 0.5f), low = vdupq_n_f32(-20), high = vdupq_n_f32(20);
        for (int i = 0; i < N; i += 4) a = vmlaq_f32(a, vld1q_f32(xs + i), vld1q_f32(ys + i));
        for (int i = 0; i < N; i += 4) vst1q_f32(ys + i, vmaxq_f32(low, vminq_f32(high, vmlaq_f32(vld1q_f32(ys + i), vld1q_f32(xs + i), f))));
        for (int i = 0; i < N - 8; i += 4) {
            float32x4_t p = vld1q_f32(xs + i), q = vld1q_f32(xs + i + 4);
            a = vaddq_f32(a, vmulq_n_f32(vsubq_f32(vextq_f32(p, q, 1), p), 0.25f));
        }
        for (int i = 0; i < N; i += 8) {
            int32x4_t l = vcvtq_s32_f32(vld1q_f32(ys + i)), h = vcvtq_s32_f32(vld1q_f32(ys + i + 4));
            vst1q_s16((int16_t *)(void *)(out + i), vcombine_s16(vqmovn_s32(l), vqmovn_s32(h)));
        }
        sum = sum * 31 + bits(a) + out[k % N];
    }
    return sum;
}

uint64_t kernel_neon32_bytes(unsigned n) /* averages, differences, pixels to grey and back, a table */
{
    uint64_t sum = 0;
    begin();
    for (unsigned k = 0; k < n * 20u; k++) {
        uint16x8_t d = vdupq_n_u16(0);
        for (int i = 0; i < N; i += 16) {
            uint8x16_t x = vld1q_u8(bytes + i), y = vld1q_u8(out + i);
            vst1q_u8(out + i, vrhaddq_u8(x, veorq_u8(y, vdupq_n_u8((uint8_t)k))));
            d = vabal_u8(vabal_u8(d, vget_low_u8(x), vget_low_u8(y)), vget_high_u8(x), vget_high_u8(y));
        }
        for (int i = 0; i < N / 3 - 8; i += 8) {
            uint8x8x3_t p = vld3_u8(bytes + 3 * i);
            uint16x8_t g = vmlal_u8(vmlal_u8(vmull_u8(p.val[0], vdup_n_u8(77)), p.val[1], vdup_n_u8(150)), p.val[2], vdup_n_u8(29));
            p.val[1] = vrshrn_n_u16(g, 8);
            vst3_u8(out + 3 * i, p);
        }
        uint8x8x2_t table = { { vld1_u8(bytes), vld1_u8(bytes + 8) } };
        for (int i = 0; i < N; i += 8) vst1_u8(out + i, vadd_u8(vtbl2_u8(table, vshr_n_u8(vld1_u8(out + i), 3)), vld1_u8(out + i)));
        sum = sum * 31 + vgetq_lane_u16(d, 3) + out[k % N];
    }
    return sum;
}

uint64_t kernel_aes32(unsigned n)
{
    uint8x16_t key[10], state = vdupq_n_u8(1);
    begin();
    for (int i = 0; i < 10; i++) key[i] = vld1q_u8(bytes + 16 * i);
    for (unsigned k = 0; k < n * 20000u; k++) {
        for (int i = 0; i < 9; i++) state = vaesmcq_u8(vaeseq_u8(state, key[i]));
        state = veorq_u8(vaeseq_u8(state, key[9]), key[0]);
    }
    return vgetq_lane_u64(vreinterpretq_u64_u8(state), 0);
}

uint64_t kernel_sha32(unsigned n)
{
    uint32x4_t abcd = vdupq_n_u32(0x6a09e667), efgh = vdupq_n_u32(0x510e527f), w[4], one = abcd;
    uint32_t e = 5;
    begin();
    for (int i = 0; i < 4; i++) w[i] = vreinterpretq_u32_u8(vld1q_u8(bytes + 16 * i));
    for (unsigned k = 0; k < n * 4000u; k++) {
        for (int i = 0; i < 16; i++) {
            uint32x4_t save = abcd, t = vaddq_u32(w[i & 3], vdupq_n_u32(0x428a2f98u + (uint32_t)i));
            abcd = vsha256hq_u32(abcd, efgh, t);
            efgh = vsha256h2q_u32(efgh, save, t);
            w[i & 3] = vsha256su1q_u32(vsha256su0q_u32(w[i & 3], w[(i + 1) & 3]), w[(i + 2) & 3], w[(i + 3) & 3]);
        }
        for (int i = 0; i < 20; i++) {
            uint32_t next = vsha1h_u32(vgetq_lane_u32(one, 0));
            one = vsha1cq_u32(one, e, w[i & 3]);
            e = next;
        }
    }
    return vgetq_lane_u64(vreinterpretq_u64_u32(veorq_u32(vaddq_u32(abcd, efgh), one)), 0);
}

uint64_t kernel_crc32(unsigned n)
{
    uint32_t crc = 1, other = 2;
    begin();
    for (unsigned k = 0; k < n * 40u; k++) {
        for (int i = 0; i < N; i += 4) {
            uint32_t x = (uint32_t)bytes[i] << 24 | bytes[i + 1];
            crc = __crc32w(crc, x);
            other = __crc32cb(other, bytes[i]);
        }
    }
    return (uint64_t)crc << 32 | other;
}
#endif
