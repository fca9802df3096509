/*
 * helper-bits.c: bit permutations (Zbkb, Zbkx) and the table-driven scalar cryptography instructions
 * (Unprivileged 28.5, chapter 30; FIPS 197; GB/T 32907). The tables are computed once from their definitions.
 *
 * Threads: the tables are written by a constructor-like first use under pthread_once, then constant.
 */
#include <pthread.h>
#include "target/riscv/translate.h"

uint64_t riscv_helper_zip(uint64_t a)
{
    uint32_t v = 0;

    for (unsigned i = 0; i < 16; i++) {
        v |= (uint32_t)(a >> i & 1) << (2 * i) | (uint32_t)(a >> (i + 16) & 1) << (2 * i + 1);
    }
    return v;
}

uint64_t riscv_helper_unzip(uint64_t a)
{
    uint32_t v = 0;

    for (unsigned i = 0; i < 16; i++) {
        v |= (uint32_t)(a >> (2 * i) & 1) << i | (uint32_t)(a >> (2 * i + 1) & 1) << (i + 16);
    }
    return v;
}

uint64_t riscv_helper_xperm4(uint64_t a, uint64_t b)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < 64; i += 4) {
        v |= (a >> (b >> i & 15) * 4 & 15) << i;
    }
    return v;
}

uint64_t riscv_helper_xperm8(uint64_t a, uint64_t b)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < 64; i += 8) {
        unsigned index = b >> i & 255;
        v |= index < 8 ? (a >> index * 8 & 255) << i : 0;
    }
    return v;
}

/* -- AES --------------------------------------------------------------------------------------------- */

static uint8_t aes_sbox[256], aes_inv_sbox[256];
static pthread_once_t aes_once = PTHREAD_ONCE_INIT;

static uint8_t gf_mul(uint8_t a, uint8_t b)
{
    uint8_t v = 0;

    for (; b; b >>= 1) {
        v ^= b & 1 ? a : 0;
        a = (uint8_t)(a << 1) ^ (a & 0x80 ? 0x1b : 0);
    }
    return v;
}

/* FIPS 197, 5.1.1: inverse in GF(2^8), then the affine map. */
static void aes_tables(void)
{
    for (unsigned i = 0; i < 256; i++) {
        uint8_t inv = 0;
        for (unsigned j = 1; j < 256 && i; j++) {
            if (gf_mul(i, j) == 1) {
                inv = j;
                break;
            }
        }
        uint8_t s = inv;
        for (unsigned k = 1; k <= 4; k++) {
            s ^= (uint8_t)(inv << k | inv >> (8 - k));
        }
        s ^= 0x63;
        aes_sbox[i] = s;
        aes_inv_sbox[s] = i;
    }
}

static inline void aes_init(void) { pthread_once(&aes_once, aes_tables); }

static uint8_t byte(uint64_t v, unsigned i) { return v >> i * 8; }

static uint32_t mix_column(uint32_t v, const uint8_t m[4])
{
    uint32_t r = 0;

    for (unsigned i = 0; i < 4; i++) {
        uint8_t x = 0;
        for (unsigned j = 0; j < 4; j++) {
            x ^= gf_mul(byte(v, j), m[(j - i) & 3]);
        }
        r |= (uint32_t)x << i * 8;
    }
    return r;
}

static const uint8_t mix_forward[4] = { 2, 3, 1, 1 }, mix_inverse[4] = { 14, 11, 13, 9 };

static uint64_t mix_columns(uint64_t v, const uint8_t m[4])
{
    return mix_column((uint32_t)v, m) | (uint64_t)mix_column(v >> 32, m) << 32;
}

/* ShiftRows and SubBytes on the low half of the state {rs2:rs1}. */
static uint64_t aes_round(uint64_t rs1, uint64_t rs2, bool inverse)
{
    const uint8_t *box = inverse ? aes_inv_sbox : aes_sbox;
    uint64_t v = 0;

    aes_init();
    for (unsigned i = 0; i < 8; i++) {
        unsigned row = i & 3, column = i >> 2;
        unsigned from = row + 4 * ((inverse ? column - row : column + row) & 3);
        v |= (uint64_t)box[from < 8 ? byte(rs1, from) : byte(rs2, from - 8)] << i * 8;
    }
    return v;
}

uint64_t riscv_helper_aes64es(uint64_t a, uint64_t b) { return aes_round(a, b, false); }
uint64_t riscv_helper_aes64ds(uint64_t a, uint64_t b) { return aes_round(a, b, true); }
uint64_t riscv_helper_aes64esm(uint64_t a, uint64_t b) { return mix_columns(aes_round(a, b, false), mix_forward); }
uint64_t riscv_helper_aes64dsm(uint64_t a, uint64_t b) { return mix_columns(aes_round(a, b, true), mix_inverse); }
uint64_t riscv_helper_aes64im(uint64_t a) { return mix_columns(a, mix_inverse); }

uint64_t riscv_helper_aes64ks1i(uint64_t a, uint64_t rnum)
{
    static const uint8_t rcon[10] = { 1, 2, 4, 8, 16, 32, 64, 128, 0x1b, 0x36 };
    uint32_t t = a >> 32, v = 0;

    aes_init();
    if (rnum < 10) {
        t = t >> 8 | t << 24;
    }
    for (unsigned i = 0; i < 4; i++) {
        v |= (uint32_t)aes_sbox[byte(t, i)] << i * 8;
    }
    v ^= rnum < 10 ? rcon[rnum] : 0;
    return v | (uint64_t)v << 32;
}

uint64_t riscv_helper_aes64ks2(uint64_t a, uint64_t b)
{
    uint32_t lo = (uint32_t)(a >> 32) ^ (uint32_t)b;
    return lo | (uint64_t)(lo ^ (uint32_t)(b >> 32)) << 32;
}

static uint32_t rotl32(uint32_t v, unsigned n) { return n ? v << n | v >> (32 - n) : v; }

/* c: byte number | 4 middle round (with MixColumns) | 8 decryption. */
uint64_t riscv_helper_aes32(uint64_t a, uint64_t b, uint32_t c)
{
    unsigned bs = c & 3;
    bool middle = c & 4, inverse = c & 8;

    aes_init();
    uint32_t v = (inverse ? aes_inv_sbox : aes_sbox)[byte(b, bs)];
    if (middle) {
        v = mix_column(v, inverse ? mix_inverse : mix_forward);
    }
    return (uint32_t)a ^ rotl32(v, bs * 8);
}

/* -- SM4 (GB/T 32907-2016, 6.2): S-box as published ---------------------------------------------------- */

static const uint8_t sm4_sbox[256] = {
    0xd6, 0x90, 0xe9, 0xfe, 0xcc, 0xe1, 0x3d, 0xb7, 0x16, 0xb6, 0x14, 0xc2, 0x28, 0xfb, 0x2c, 0x05,
    0x2b, 0x67, 0x9a, 0x76, 0x2a, 0xbe, 0x04, 0xc3, 0xaa, 0x44, 0x13, 0x26, 0x49, 0x86, 0x06, 0x99,
    0x9c, 0x42, 0x50, 0xf4, 0x91, 0xef, 0x98, 0x7a, 0x33, 0x54, 0x0b, 0x43, 0xed, 0xcf, 0xac, 0x62,
    0xe4, 0xb3, 0x1c, 0xa9, 0xc9, 0x08, 0xe8, 0x95, 0x80, 0xdf, 0x94, 0xfa, 0x75, 0x8f, 0x3f, 0xa6,
    0x47, 0x07, 0xa7, 0xfc, 0xf3, 0x73, 0x17, 0xba, 0x83, 0x59, 0x3c, 0x19, 0xe6, 0x85, 0x4f, 0xa8,
    0x68, 0x6b, 0x81, 0xb2, 0x71, 0x64, 0xda, 0x8b, 0xf8, 0xeb, 0x0f, 0x4b, 0x70, 0x56, 0x9d, 0x35,
    0x1e, 0x24, 0x0e, 0x5e, 0x63, 0x58, 0xd1, 0xa2, 0x25, 0x22, 0x7c, 0x3b, 0x01, 0x21, 0x78, 0x87,
    0xd4, 0x00, 0x46, 0x57, 0x9f, 0xd3, 0x27, 0x52, 0x4c, 0x36, 0x02, 0xe7, 0xa0, 0xc4, 0xc8, 0x9e,
    0xea, 0xbf, 0x8a, 0xd2, 0x40, 0xc7, 0x38, 0xb5, 0xa3, 0xf7, 0xf2, 0xce, 0xf9, 0x61, 0x15, 0xa1,
    0xe0, 0xae, 0x5d, 0xa4, 0x9b, 0x34, 0x1a, 0x55, 0xad, 0x93, 0x32, 0x30, 0xf5, 0x8c, 0xb1, 0xe3,
    0x1d, 0xf6, 0xe2, 0x2e, 0x82, 0x66, 0xca, 0x60, 0xc0, 0x29, 0x23, 0xab, 0x0d, 0x53, 0x4e, 0x6f,
    0xd5, 0xdb, 0x37, 0x45, 0xde, 0xfd, 0x8e, 0x2f, 0x03, 0xff, 0x6a, 0x72, 0x6d, 0x6c, 0x5b, 0x51,
    0x8d, 0x1b, 0xaf, 0x92, 0xbb, 0xdd, 0xbc, 0x7f, 0x11, 0xd9, 0x5c, 0x41, 0x1f, 0x10, 0x5a, 0xd8,
    0x0a, 0xc1, 0x31, 0x88, 0xa5, 0xcd, 0x7b, 0xbd, 0x2d, 0x74, 0xd0, 0x12, 0xb8, 0xe5, 0xb4, 0xb0,
    0x89, 0x69, 0x97, 0x4a, 0x0c, 0x96, 0x77, 0x7e, 0x65, 0xb9, 0xf1, 0x09, 0xc5, 0x6e, 0xc6, 0x84,
    0x18, 0xf0, 0x7d, 0xec, 0x3a, 0xdc, 0x4d, 0x20, 0x79, 0xee, 0x5f, 0x3e, 0xd7, 0xcb, 0x39, 0x48,
};

/*
 * c: byte number | 4 key schedule. The standard's linear maps L and L' act on big-endian words; these are the maps of one
 * byte of a little-endian one (30.4 sm4ed, sm4ks).
 */
uint64_t riscv_helper_sm4(uint64_t a, uint64_t b, uint32_t c)
{
    unsigned bs = c & 3;
    uint32_t x = sm4_sbox[byte(b, bs)], v;

    if (c & 4) {
        v = x ^ (x & 7) << 29 ^ (x & 0xfe) << 7 ^ (x & 1) << 23 ^ (x & 0xf8) << 13;
    } else {
        v = x ^ x << 8 ^ x << 2 ^ x << 18 ^ (x & 0x3f) << 26 ^ (x & 0xc0) << 10;
    }
    return (uint64_t)(int64_t)(int32_t)((uint32_t)a ^ rotl32(v, bs * 8));
}
