/*
 * unit-rvv-crypto.c: AES rounds and GHASH products by the host's instructions and in plain C, and FIPS 197's example.
 */
#include "target/riscv/vector/crypto-host.h"
#include "../test.h"

static uint64_t state = 88172645463325252u;
static void fill(uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        p[i] = (uint8_t)(state >> 32);
    }
}

/* FIPS 197, appendix B: the state at the start of rounds 1 and 2, and the key of round 1. */
static void test_example(void)
{
    static const uint8_t start[16] = { 0x19, 0x3d, 0xe3, 0xbe, 0xa0, 0xf4, 0xe2, 0x2b, 0x9a, 0xc6, 0x8d, 0x2a, 0xe9, 0xf8, 0x48, 0x08 };
    static const uint8_t key[16] = { 0xa0, 0xfa, 0xfe, 0x17, 0x88, 0x54, 0x2c, 0xb1, 0x23, 0xa3, 0x39, 0x39, 0x2a, 0x6c, 0x76, 0x05 };
    static const uint8_t next[16] = { 0xa4, 0x9c, 0x7f, 0xf2, 0x68, 0x9f, 0x35, 0x2b, 0x6b, 0x5b, 0xea, 0x43, 0x02, 0x6a, 0x50, 0x49 };
    uint8_t s[16];
    memcpy(s, start, 16);
    rvv_aes_round(s, key, AES_EM);
    CHECK(!memcmp(s, next, 16));
}

/* 1 is the first bit of the first byte, from the left in the text, the lowest of the register's after the reversal. */
static void test_one(void)
{
    uint8_t one[16] = { 0x80 }, x[16], d[16];
    fill(x, 16);
    rvv_gf128_mul(d, x, one);
    CHECK(!memcmp(d, x, 16));
}

int main(void)
{
    bool aes = true, gf = true;
    test_example();
    test_one();
    for (unsigned n = 0; n < 20000; n++) {
        uint8_t a[16], b[16], want[16], got[16];
        unsigned kind = n % 5 == 4 ? AES_Z : n % 5;
        fill(a, 16);
        fill(b, 16);
        memcpy(want, a, 16);
        memcpy(got, a, 16);
        rvv_aes_round(want, b, kind);
        if (aes && (aes = rvv_host_aes_round(got, b, kind))) {
            CHECK(!memcmp(got, want, 16));
        }
        rvv_gf128_mul(want, a, b);
        if (gf && (gf = rvv_host_gf128_mul(got, a, b))) {
            CHECK(!memcmp(got, want, 16));
        }
    }
    return test_result();
}
