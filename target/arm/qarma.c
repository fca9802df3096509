/*
 * qarma.c: QARMA-64 (see qarma.h). States are 16 cells of four bits, the first is the most significant.
 *
 * On hosts with SSSE3 a state is a register with a cell in each byte: substitutions and permutations are one shuffle each.
 * The tweak is the same for both halves of the cipher, so it is worked out once and kept for the way back.
 */
#include "target/arm/qarma.h"
#ifdef __x86_64__
#include <tmmintrin.h>
#include "util/host-x64.h"
#endif

enum { MAX_ROUNDS = 5 };

typedef struct Cells { _Alignas(16) uint8_t c[16]; } Cells;

static const uint64_t alpha = 0xc0ac29b7c97c50dd;
static const uint64_t round_constant[MAX_ROUNDS] = { 0, 0x13198a2e03707344, 0xa4093822299f31d0, 0x082efa98ec4e6c89, 0x452821e638d01377 };

static const Cells sigma[2] = {
    [ARM_QARMA5] = { { 11, 6, 8, 15, 12, 0, 9, 14, 3, 7, 4, 5, 13, 2, 1, 10 } },
    [ARM_QARMA3] = { { 10, 13, 14, 6, 15, 7, 3, 5, 9, 8, 0, 12, 11, 1, 2, 4 } },
};
static const Cells inverse_sigma[2] = {
    [ARM_QARMA5] = { { 5, 14, 13, 8, 10, 11, 1, 9, 2, 6, 15, 0, 4, 12, 7, 3 } },
    [ARM_QARMA3] = { { 10, 13, 14, 6, 15, 7, 3, 5, 9, 8, 0, 12, 11, 1, 2, 4 } },
};
static const Cells tau = { { 0, 11, 6, 13, 10, 1, 12, 7, 5, 14, 3, 8, 15, 4, 9, 2 } };
static const Cells inverse_tau = { { 0, 5, 15, 10, 13, 8, 2, 7, 11, 14, 4, 1, 6, 3, 9, 12 } };
static const Cells tweak_order = { { 6, 5, 14, 15, 0, 1, 2, 3, 7, 12, 13, 4, 8, 9, 10, 11 } };
/* Cells that the tweak's shift register steps. */
static const Cells stepped = { { 255, 255, 0, 255, 255, 0, 0, 0, 255, 0, 0, 255, 0, 255, 0, 0 } };

static unsigned rounds_of(ArmQarma variant) { return variant == ARM_QARMA3 ? 3 : 5; }
static uint64_t orthomorphism(uint64_t w) { return (w >> 1 | w << 63) ^ w >> 63; }

/* -- by definition ----------------------------------------------------------------------------------------- */

static unsigned cell(uint64_t v, unsigned i) { return v >> (60 - 4 * i) & 15; }

static uint64_t permute(uint64_t v, const Cells *order)
{
    uint64_t r = 0;
    for (unsigned i = 0; i < 16; i++) {
        r = r << 4 | cell(v, order->c[i]);
    }
    return r;
}

static uint64_t substitute(uint64_t v, const Cells *box)
{
    uint64_t r = 0;
    for (unsigned i = 0; i < 16; i++) {
        r = r << 4 | box->c[cell(v, i)];
    }
    return r;
}

static uint64_t rotate_cells(uint64_t v, unsigned n)
{
    uint64_t low = 0x1111111111111111 * ((1u << n) - 1);
    return (v << n & ~low) | (v >> (4 - n) & low);
}

/* The matrix circ(0, rho, rho^2, rho) on columns of the 4 by 4 cells: rows are 16 bits. */
static uint64_t mix(uint64_t v)
{
    uint64_t up1 = v << 16 | v >> 48, up2 = v << 32 | v >> 32, up3 = v << 48 | v >> 16;
    return rotate_cells(up1, 1) ^ rotate_cells(up2, 2) ^ rotate_cells(up3, 1);
}

static uint64_t next_tweak(uint64_t t)
{
    uint64_t p = permute(t, &tweak_order), r = 0;
    for (unsigned i = 0; i < 16; i++) {
        unsigned x = cell(p, i);
        r = r << 4 | (stepped.c[i] ? ((x ^ x >> 1) & 1) << 3 | x >> 1 : x);
    }
    return r;
}

uint64_t arm_qarma_plain(ArmQarma variant, uint64_t plain, uint64_t tweak, uint64_t w0, uint64_t k0)
{
    const Cells *box = &sigma[variant], *back = &inverse_sigma[variant];
    uint64_t w1 = orthomorphism(w0), v = plain ^ w0, t[MAX_ROUNDS + 1] = { tweak };
    unsigned rounds = rounds_of(variant);

    for (unsigned i = 0; i < rounds; i++) {
        v ^= k0 ^ t[i] ^ round_constant[i];
        v = substitute(i ? mix(permute(v, &tau)) : v, box);
        t[i + 1] = next_tweak(t[i]);
    }
    v = substitute(mix(permute(v ^ w1 ^ t[rounds], &tau)), box);
    v = permute(mix(permute(v, &tau)) ^ k0, &inverse_tau);
    v = permute(mix(substitute(v, back)), &inverse_tau) ^ w0 ^ t[rounds];
    for (unsigned i = rounds; i-- > 0;) {
        v = substitute(v, back);
        v = i ? permute(mix(v), &inverse_tau) : v;
        v ^= k0 ^ t[i] ^ round_constant[i] ^ alpha;
    }
    return v ^ w1;
}

/* -- with byte shuffles -------------------------------------------------------------------------------------- */

#ifdef __x86_64__
#define SSSE3 __attribute__((target("ssse3"), always_inline)) static inline

SSSE3 __m128i table(const Cells *t) { return _mm_load_si128((const __m128i *)t); }

SSSE3 __m128i spread(uint64_t v)
{
    __m128i bytes = _mm_cvtsi64_si128((long long)__builtin_bswap64(v)), nibble = _mm_set1_epi8(15);
    return _mm_and_si128(_mm_unpacklo_epi8(_mm_srli_epi16(bytes, 4), bytes), nibble);
}

SSSE3 uint64_t gather(__m128i v)
{
    __m128i words = _mm_maddubs_epi16(v, _mm_set1_epi16(0x0110));
    return __builtin_bswap64((uint64_t)_mm_cvtsi128_si64(_mm_packus_epi16(words, words)));
}

/* Bytes of four bits rotated by n. */
SSSE3 __m128i rotate_bytes(__m128i v, int n)
{
    return _mm_and_si128(_mm_or_si128(_mm_slli_epi16(v, n), _mm_srli_epi16(v, 4 - n)), _mm_set1_epi8(15));
}

SSSE3 __m128i mix_bytes(__m128i v)
{
    __m128i odd = _mm_xor_si128(_mm_shuffle_epi32(v, 0x39), _mm_shuffle_epi32(v, 0x93));
    return _mm_xor_si128(rotate_bytes(odd, 1), rotate_bytes(_mm_shuffle_epi32(v, 0x4e), 2));
}

SSSE3 __m128i next_tweak_bytes(__m128i t)
{
    __m128i p = _mm_shuffle_epi8(t, table(&tweak_order)), one = _mm_set1_epi8(1);
    __m128i half = _mm_and_si128(_mm_srli_epi16(p, 1), _mm_set1_epi8(7));
    __m128i top = _mm_slli_epi16(_mm_and_si128(_mm_xor_si128(p, half), one), 3);
    __m128i which = table(&stepped);
    return _mm_or_si128(_mm_and_si128(which, _mm_or_si128(half, top)), _mm_andnot_si128(which, p));
}

__attribute__((target("ssse3"))) static uint64_t qarma_ssse3(ArmQarma variant, uint64_t plain, uint64_t tweak, uint64_t w0, uint64_t k0)
{
    __m128i box = table(&sigma[variant]), back = table(&inverse_sigma[variant]), order = table(&tau), undo = table(&inverse_tau);
    __m128i key = spread(k0), white = spread(w0), white1 = spread(orthomorphism(w0)), v = _mm_xor_si128(spread(plain), white);
    __m128i t[MAX_ROUNDS + 1] = { spread(tweak) }, k[MAX_ROUNDS], ending = spread(alpha);
    unsigned rounds = rounds_of(variant);

    for (unsigned i = 0; i < rounds; i++) {
        k[i] = _mm_xor_si128(_mm_xor_si128(key, t[i]), spread(round_constant[i]));
        v = _mm_xor_si128(v, k[i]);
        v = _mm_shuffle_epi8(box, i ? mix_bytes(_mm_shuffle_epi8(v, order)) : v);
        t[i + 1] = next_tweak_bytes(t[i]);
    }
    v = _mm_xor_si128(v, _mm_xor_si128(white1, t[rounds]));
    v = _mm_shuffle_epi8(box, mix_bytes(_mm_shuffle_epi8(v, order)));
    v = _mm_shuffle_epi8(_mm_xor_si128(mix_bytes(_mm_shuffle_epi8(v, order)), key), undo);
    v = _mm_shuffle_epi8(mix_bytes(_mm_shuffle_epi8(back, v)), undo);
    v = _mm_xor_si128(v, _mm_xor_si128(white, t[rounds]));
    for (unsigned i = rounds; i-- > 0;) {
        v = _mm_shuffle_epi8(back, v);
        v = i ? _mm_shuffle_epi8(mix_bytes(v), undo) : v;
        v = _mm_xor_si128(v, _mm_xor_si128(k[i], ending));
    }
    return gather(_mm_xor_si128(v, white1));
}
#endif

uint64_t arm_qarma(ArmQarma variant, uint64_t plain, uint64_t tweak, uint64_t w0, uint64_t k0)
{
#ifdef __x86_64__
    if (x64_has(X_SSSE3)) {
        return qarma_ssse3(variant, plain, tweak, w0, k0);
    }
#endif
    return arm_qarma_plain(variant, plain, tweak, w0, k0);
}
