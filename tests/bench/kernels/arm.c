/* arm.c: what only AArch64 has: Advanced SIMD as video, image and compression libraries use it. */
#if defined(__aarch64__)
#include <arm_neon.h>
#include <string.h>

#include "kernel.h"

enum { N = 4096 };
static uint8_t a8[N + 64], b8[N + 64];
static uint16_t a16[N], b16[N];
static uint32_t a32[N], b32[N];

static void begin(void)
{
    uint64_t state = 88172645463325252u;
    for (int i = 0; i < N; i++) {
        uint64_t r = kernel_random(&state);
        a8[i] = (uint8_t)r | 1;
        b8[i] = r >> 8;
        a16[i] = r >> 16;
        b16[i] = r >> 32;
        a32[i] = r;
        b32[i] = r >> 24;
    }
}

static uint64_t checksum(void)
{
    uint64_t sum = 0;
    for (int i = 0; i < N; i++) sum = sum * 31 + b8[i] + b16[i] * 257u + b32[i] * 65537ull;
    return sum;
}

uint64_t kernel_neon_lanes(unsigned n) /* loops of bytes, halfwords and words: products, averages, saturation, differences, shifts */
{
    begin();
    for (unsigned k = 0; k < n * 100u; k++) {
        for (int i = 0; i < N; i++) b8[i] += (uint8_t)k * a8[i];
        for (int i = 0; i < N; i++) b16[i] += (uint16_t)k * a16[i];
        for (int i = 0; i < N; i++) b32[i] += k * a32[i];
        for (int i = 0; i < N; i++) b8[i] = (a8[i] + b8[i] + 1) >> 1;
        for (int i = 0; i < N; i += 16) vst1q_u8(b8 + i, vqaddq_u8(vld1q_u8(a8 + i), vshrq_n_u8(vld1q_u8(b8 + i), 1)));
        for (int i = 0; i < N; i++) b8[i] = a8[i] > b8[i] ? a8[i] - b8[i] : b8[i] - a8[i];
        for (int i = 0; i < N; i += 8) {
            int16x8_t x = vld1q_s16((int16_t *)a16 + i), y = vld1q_s16((int16_t *)b16 + i);
            vst1q_s16((int16_t *)b16 + i, vqrdmulhq_s16(vrshlq_s16(y, vdupq_n_s16(-(int)(k % 5))), x));
        }
        for (int i = 0; i < N; i++) b32[i] = a32[i] > b32[i] ? a32[i] >> 1 : b32[i] ^ k;
    }
    return checksum();
}

uint64_t kernel_neon_media(unsigned n) /* interpolation, differences of blocks, a transform, pixels to grey, tables */
{
    uint64_t sum = 0;
    begin();
    for (unsigned k = 0; k < n * 100u; k++) {
        for (int i = 0; i < N - 32; i += 8) {
            uint8x16_t x = vld1q_u8(a8 + i);
            uint16x8_t s = vaddl_u8(vget_low_u8(x), vget_low_u8(vextq_u8(x, x, 5))), t = vaddl_u8(vget_low_u8(vextq_u8(x, x, 2)), vget_low_u8(vextq_u8(x, x, 3)));
            uint16x8_t u = vaddl_u8(vget_low_u8(vextq_u8(x, x, 1)), vget_low_u8(vextq_u8(x, x, 4)));
            vst1_u8(b8 + i, vqrshrun_n_s16(vreinterpretq_s16_u16(vmlsq_n_u16(vmlaq_n_u16(s, t, 20), u, 5)), 5));
        }
        uint16x8_t d = vdupq_n_u16(0);
        for (int i = 0; i < N; i += 16) {
            uint8x16_t x = vld1q_u8(a8 + i), y = vld1q_u8(b8 + i);
            d = vabal_high_u8(vabal_u8(d, vget_low_u8(x), vget_low_u8(y)), x, y);
        }
        sum += vaddlvq_u16(d);
        int16x4_t c = vld1_s16((int16_t *)a16 + k % 64);
        for (int i = 0; i < N; i += 8) {
            int16x8_t x = vld1q_s16((int16_t *)a16 + i), y = vld1q_s16((int16_t *)b16 + i);
            int32x4_t l = vmlal_lane_s16(vmull_lane_s16(vget_low_s16(x), c, 1), vget_low_s16(y), c, 2);
            int32x4_t h = vmlal_high_lane_s16(vmull_high_lane_s16(x, c, 1), y, c, 2);
            vst1q_s16((int16_t *)b16 + i, vqrshrn_high_n_s32(vqrshrn_n_s32(l, 15), h, 15));
        }
        for (int i = 0; i < N / 3 - 16; i += 16) {
            uint8x16x3_t p = vld3q_u8(a8 + 3 * i);
            uint16x8_t l = vmull_u8(vget_low_u8(p.val[0]), vdup_n_u8(77)), h = vmull_high_u8(p.val[0], vdupq_n_u8(77));
            l = vmlal_u8(vmlal_u8(l, vget_low_u8(p.val[1]), vdup_n_u8(150)), vget_low_u8(p.val[2]), vdup_n_u8(29));
            h = vmlal_high_u8(vmlal_high_u8(h, p.val[1], vdupq_n_u8(150)), p.val[2], vdupq_n_u8(29));
            vst1q_u8(b8 + i, vrshrn_high_n_u16(vrshrn_n_u16(l, 8), h, 8));
        }
        uint8x16x2_t table = { { vld1q_u8(a8), vld1q_u8(a8 + 16) } };
        for (int i = 0; i < N; i += 16) vst1q_u8(b8 + i, veorq_u8(vqtbl2q_u8(table, vshrq_n_u8(vld1q_u8(b8 + i), 2)), vdupq_n_u8((uint8_t)k)));
    }
    return sum + checksum();
}

uint64_t kernel_neon_search(unsigned n) /* a byte looked for in three ways, checksums, counts of bits */
{
    uint64_t sum = 0;
    begin();
    for (unsigned k = 0; k < n * 100u; k++) {
        uint8x16_t zero = vdupq_n_u8(0), ones = vdupq_n_u8((uint8_t)k);
        for (int i = 0; i < N; i += 16) {
            uint8x8_t m = vshrn_n_u16(vreinterpretq_u16_u8(vceqq_u8(vld1q_u8(a8 + i), zero)), 4);
            if (vget_lane_u64(vreinterpret_u64_u8(m), 0)) return 0;
        }
        for (int i = 0; i < N; i += 32) {
            uint8x16_t m = vminq_u8(vld1q_u8(a8 + i), vld1q_u8(a8 + i + 16));
            if (!vminvq_u8(vpminq_u8(m, m))) return 0;
        }
        for (int i = 0; i < N; i += 16) sum += vmaxvq_u8(vceqq_u8(vld1q_u8(b8 + i), ones)) & 1;
        uint32x4_t s1 = vdupq_n_u32(k), s2 = vdupq_n_u32(0);
        uint64x2_t bits = vdupq_n_u64(0);
        for (int i = 0; i < N; i += 16) {
            uint8x16_t x = vld1q_u8(a8 + i);
            s2 = vaddq_u32(s2, s1);
            s1 = vpadalq_u16(s1, vpaddlq_u8(x));
            bits = vpadalq_u32(bits, vpaddlq_u16(vpaddlq_u8(vcntq_u8(x))));
        }
        sum = sum * 31 + vaddvq_u32(s1) + vaddvq_u32(s2) + vaddvq_u64(bits);
    }
    return sum;
}
#endif
