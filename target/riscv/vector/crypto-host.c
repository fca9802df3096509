/*
 * crypto-host.c: see crypto-host.h. x86: AES-NI and PCLMULQDQ (Intel SDM volume 2: AESDEC, AESIMC, PCLMULQDQ).
 *
 * The middle round of decryption adds the key before the columns are mixed, AESDEC afterwards: the key is mixed, too.
 */
#include "target/riscv/vector/crypto-host.h"
#include "util/host-x64.h"

#ifdef __x86_64__
#include <immintrin.h>

__attribute__((target("aes,sse2"))) static void aes_round(uint8_t s[16], const uint8_t key[16], unsigned kind)
{
    __m128i x = _mm_loadu_si128((const __m128i *)s), k = _mm_loadu_si128((const __m128i *)key);
    switch (kind) {
    case AES_DM: x = _mm_aesdec_si128(x, _mm_aesimc_si128(k)); break;
    case AES_DF: x = _mm_aesdeclast_si128(x, k); break;
    case AES_EM: x = _mm_aesenc_si128(x, k); break;
    case AES_EF: x = _mm_aesenclast_si128(x, k); break;
    default: x = _mm_xor_si128(x, k);
    }
    _mm_storeu_si128((__m128i *)s, x);
}

static uint64_t bits_of_bytes_reversed(uint64_t v)
{
    v = (v >> 1 & 0x5555555555555555) | (v & 0x5555555555555555) << 1;
    v = (v >> 2 & 0x3333333333333333) | (v & 0x3333333333333333) << 2;
    return (v >> 4 & 0x0f0f0f0f0f0f0f0f) | (v & 0x0f0f0f0f0f0f0f0f) << 4;
}

typedef unsigned __int128 Wide;

__attribute__((target("pclmul,sse2"))) static Wide clmul(uint64_t a, uint64_t b)
{
    __m128i p = _mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)a), _mm_cvtsi64_si128((int64_t)b), 0);
    Wide w;
    _mm_storeu_si128((__m128i *)&w, p);
    return w;
}

__attribute__((target("pclmul,sse2"))) static void gf128_mul(uint8_t d[16], const uint8_t x[16], const uint8_t y[16])
{
    enum { POLY = 0x87 }; /* x^128 = x^7 + x^2 + x + 1 */
    uint64_t a[2], b[2];
    memcpy(a, x, 16);
    memcpy(b, y, 16);
    for (unsigned i = 0; i < 2; i++) {
        a[i] = bits_of_bytes_reversed(a[i]);
        b[i] = bits_of_bytes_reversed(b[i]);
    }
    Wide low = clmul(a[0], b[0]), high = clmul(a[1], b[1]), mid = clmul(a[0], b[1]) ^ clmul(a[1], b[0]);
    low ^= mid << 64;
    high ^= mid >> 64;
    /* The high half times x^128, twice, as the first product overflows by seven bits. */
    Wide fold = clmul((uint64_t)(high >> 64), POLY);
    low ^= clmul((uint64_t)high, POLY) ^ fold << 64;
    low ^= clmul((uint64_t)(fold >> 64), POLY);
    uint64_t out[2] = { bits_of_bytes_reversed((uint64_t)low), bits_of_bytes_reversed((uint64_t)(low >> 64)) };
    memcpy(d, out, 16);
}

bool rvv_host_aes_round(uint8_t s[16], const uint8_t key[16], unsigned kind)
{
    if (!x64_has(X_AES)) {
        return false;
    }
    aes_round(s, key, kind);
    return true;
}

bool rvv_host_gf128_mul(uint8_t d[16], const uint8_t x[16], const uint8_t y[16])
{
    if (!x64_has(X_PCLMUL)) {
        return false;
    }
    gf128_mul(d, x, y);
    return true;
}
#else
bool rvv_host_aes_round(uint8_t s[16], const uint8_t key[16], unsigned kind)
{
    return false;
}

bool rvv_host_gf128_mul(uint8_t d[16], const uint8_t x[16], const uint8_t y[16])
{
    return false;
}
#endif
