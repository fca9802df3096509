/*
 * unit-bitset.c: bit sets against arrays of bytes: random ranges, searches, sizes, copies, their bytes.
 */
#include <stdlib.h>

#include "tests/test.h"
#include "util/alloc.h"
#include "util/bitset.h"

enum { MAX_BITS = 3 * BITSET_CHUNK + 100, ROUNDS = 400 };

static uint64_t seed = 88172645463325252ull;

static uint64_t rnd(uint64_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % n;
}

static void same(const BitSet *b, const uint8_t *want, uint64_t n)
{
    uint64_t set = 0;

    CHECK_EQ(b->n_bits, n);
    for (uint64_t i = 0; i < n; i++) {
        set += want[i];
        if (bitset_has(b, i) != want[i]) {
            CHECK_EQ(i, UINT64_MAX);
            return;
        }
    }
    CHECK_EQ(b->n_set, set);
    for (unsigned k = 0; k < 20; k++) {
        uint64_t at = rnd(n + 1), one = at, zero = at;
        while (one < n && !want[one]) {
            one++;
        }
        while (zero < n && want[zero]) {
            zero++;
        }
        CHECK_EQ(bitset_next(b, at), one);
        CHECK_EQ(bitset_next_clear(b, at), zero);
    }
    for (uint64_t i = 0; i * BITSET_CHUNK < n; i++) { /* no words where one number says all */
        uint32_t all = (uint32_t)MIN(n - i * BITSET_CHUNK, (uint64_t)BITSET_CHUNK);
        CHECK((b->chunks[i].words != NULL) == (b->chunks[i].n && b->chunks[i].n < all));
    }
}

int main(void)
{
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t n = 1 + rnd(rnd(2) ? 200 : MAX_BITS);
        uint8_t *want = xcalloc(1, MAX_BITS + 64);
        BitSet b;
        bitset_init(&b, n);
        for (unsigned step = 0; step < 12; step++) {
            uint64_t first = rnd(n), end = rnd(4) ? first + rnd(n - first + 1) : first + rnd(5000);
            bool set = rnd(3) != 0;
            (set ? bitset_set : bitset_clear)(&b, first, end);
            memset(want + first, set, MIN(end, n) - MIN(first, MIN(end, n)));
            if (rnd(6) == 0) {
                uint64_t to = 1 + rnd(MAX_BITS);
                bitset_resize(&b, to);
                memset(want + MIN(n, to), 0, MAX(n, to) - MIN(n, to));
                n = to;
            }
        }
        same(&b, want, n);
        size_t bytes = (size_t)ROUND_UP(DIV_ROUND_UP(n, 8u), 8u);
        uint8_t *image = xmalloc(bytes);
        bitset_store(&b, 0, image, bytes);
        for (uint64_t i = 0; i < bytes * 8; i++) {
            if ((image[i / 8] >> (i & 7) & 1) != (i < n && want[i])) {
                CHECK_EQ(i, UINT64_MAX);
                break;
            }
        }
        BitSet loaded, copy = bitset_copy(&b);
        bitset_init(&loaded, n);
        bitset_load(&loaded, 0, image, bytes);
        same(&loaded, want, n);
        for (unsigned k = 0; k < 5; k++) {
            uint64_t first = rnd(n), end = first + rnd(n - first + 1);
            bitset_clear(&copy, first, end);
        }
        bitset_or(&copy, &b);
        same(&copy, want, n);
        bitset_finish(&loaded);
        bitset_finish(&copy);
        bitset_finish(&b);
        free(image);
        free(want);
    }
    return test_result();
}
