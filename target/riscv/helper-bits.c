/*
 * helper-bits.c: bit permutations (Zbkb, Zbkx) and the table-driven scalar cryptography instructions
 * (Unprivileged 28.5, chapter 30; FIPS 197; GB/T 32907). The tables are computed once from their definitions.
 *
 * Threads: the tables are written by a constructor-like first use under pthread_once, then constant.
 */
#include "target/riscv/translate.h"
#include "target/riscv/vector/sbox.h"

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

static uint8_t gf_mul(uint8_t a, uint8_t b)
{
    uint8_t v = 0;

    for (; b; b >>= 1) {
        v ^= b & 1 ? a : 0;
        a = (uint8_t)(a << 1) ^ (a & 0x80 ? 0x1b : 0);
    }
    return v;
}

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
    const uint8_t *box = inverse ? riscv_aes_inv_sbox : riscv_aes_sbox;
    uint64_t v = 0;

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

    if (rnum < 10) {
        t = t >> 8 | t << 24;
    }
    for (unsigned i = 0; i < 4; i++) {
        v |= (uint32_t)riscv_aes_sbox[byte(t, i)] << i * 8;
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

    uint32_t v = (inverse ? riscv_aes_inv_sbox : riscv_aes_sbox)[byte(b, bs)];
    if (middle) {
        v = mix_column(v, inverse ? mix_inverse : mix_forward);
    }
    return (uint32_t)a ^ rotl32(v, bs * 8);
}

/* -- SM4 (GB/T 32907-2016, 6.2)---------------------------------------------------- */


/*
 * c: byte number | 4 key schedule. The standard's linear maps L and L' act on big-endian words; these are the maps of one
 * byte of a little-endian one (30.4 sm4ed, sm4ks).
 */
uint64_t riscv_helper_sm4(uint64_t a, uint64_t b, uint32_t c)
{
    unsigned bs = c & 3;
    uint32_t x = riscv_sm4_sbox[byte(b, bs)], v;

    if (c & 4) {
        v = x ^ (x & 7) << 29 ^ (x & 0xfe) << 7 ^ (x & 1) << 23 ^ (x & 0xf8) << 13;
    } else {
        v = x ^ x << 8 ^ x << 2 ^ x << 18 ^ (x & 0x3f) << 26 ^ (x & 0xc0) << 10;
    }
    return (uint64_t)(int64_t)(int32_t)((uint32_t)a ^ rotl32(v, bs * 8));
}
