/*
 * bitset.c: see bitset.h.
 *
 * Invariant: a chunk has words exactly while 0 < n < its bits; bits behind the set's end are clear.
 */
#include <string.h>

#include "util/alloc.h"
#include "util/bits.h"
#include "util/bitset.h"

enum { CHUNK_BYTES = BITSET_CHUNK / 8, CHUNK_WORDS = BITSET_CHUNK / 64 };

static uint64_t n_chunks(uint64_t n_bits)
{
    return DIV_ROUND_UP(n_bits, (uint64_t)BITSET_CHUNK);
}

static uint32_t chunk_bits(const BitSet *b, uint64_t i)
{
    return (uint32_t)MIN(b->n_bits - i * BITSET_CHUNK, (uint64_t)BITSET_CHUNK);
}

void bitset_init(BitSet *b, uint64_t n_bits)
{
    *b = (BitSet){ .n_bits = n_bits, .chunks = xnew_array(BitChunk, MAX(n_chunks(n_bits), 1u)) };
}

void bitset_finish(BitSet *b)
{
    for (uint64_t i = 0; i < n_chunks(b->n_bits) && b->chunks; i++) {
        free(b->chunks[i].words);
    }
    free(b->chunks);
    *b = (BitSet){ 0 };
}

/* Words for a chunk that was all one way. */
static uint64_t *need_words(const BitSet *b, uint64_t i)
{
    BitChunk *c = &b->chunks[i];

    if (!c->words) {
        c->words = xcalloc(1, CHUNK_BYTES);
        for (uint32_t bit = 0; bit < c->n; bit += 64) {
            c->words[bit / 64] = c->n - bit >= 64 ? UINT64_MAX : (1ull << (c->n - bit)) - 1;
        }
    }
    return c->words;
}

static void drop_words(const BitSet *b, uint64_t i)
{
    BitChunk *c = &b->chunks[i];

    if (!c->n || c->n == chunk_bits(b, i)) {
        free(c->words);
        c->words = NULL;
    }
}

void bitset_resize(BitSet *b, uint64_t n_bits)
{
    uint64_t old = n_chunks(b->n_bits), now = n_chunks(n_bits), was = b->n_bits;

    if (n_bits < was) {
        bitset_clear(b, n_bits, was);
    }
    /* The last chunk's size changes, and with it what "full" means. */
    uint64_t edge = MIN(n_bits, was) / BITSET_CHUNK;
    if (edge < old && MIN(n_bits, was) % BITSET_CHUNK && b->chunks[edge].n) {
        need_words(b, edge);
    }
    for (uint64_t i = now; i < old; i++) {
        free(b->chunks[i].words);
    }
    b->chunks = xrealloc(b->chunks, MAX(now, 1u) * sizeof(BitChunk));
    if (now > old) {
        memset(b->chunks + old, 0, (now - old) * sizeof(BitChunk));
    }
    b->n_bits = n_bits;
    if (edge < now) {
        drop_words(b, edge);
    }
}

BitSet bitset_copy(const BitSet *b)
{
    BitSet copy;

    bitset_init(&copy, b->n_bits);
    copy.n_set = b->n_set;
    for (uint64_t i = 0; i < n_chunks(b->n_bits); i++) {
        copy.chunks[i] = b->chunks[i];
        if (b->chunks[i].words) {
            copy.chunks[i].words = xmemdup(b->chunks[i].words, CHUNK_BYTES);
        }
    }
    return copy;
}

bool bitset_has(const BitSet *b, uint64_t bit)
{
    const BitChunk *c = &b->chunks[bit / BITSET_CHUNK];

    return bit < b->n_bits && (c->words ? c->words[bit % BITSET_CHUNK / 64] >> (bit & 63) & 1 : c->n != 0);
}

static void change(BitSet *b, uint64_t first, uint64_t end, bool set)
{
    end = MIN(end, b->n_bits);
    while (first < end) {
        uint64_t i = first / BITSET_CHUNK, base = i * BITSET_CHUNK;
        uint32_t from = (uint32_t)(first - base), to = (uint32_t)(MIN(end - base, (uint64_t)BITSET_CHUNK)), all = chunk_bits(b, i);
        BitChunk *c = &b->chunks[i];
        uint32_t was = c->n;
        first = base + to;
        if (was == (set ? all : 0)) {
            continue;
        }
        if (!from && to == all) {
            free(c->words);
            c->words = NULL;
            c->n = set ? all : 0;
        } else {
            uint64_t *words = need_words(b, i);
            for (uint32_t bit = from; bit < to;) {
                uint32_t n = MIN(64 - (bit & 63), to - bit);
                uint64_t mask = (n == 64 ? UINT64_MAX : (1ull << n) - 1) << (bit & 63), *word = &words[bit / 64];
                uint64_t now = set ? *word | mask : *word & ~mask;
                c->n += (uint32_t)__builtin_popcountll(now) - (uint32_t)__builtin_popcountll(*word);
                *word = now;
                bit += n;
            }
            drop_words(b, i);
        }
        b->n_set += (uint64_t)c->n - was;
    }
}

void bitset_set(BitSet *b, uint64_t first, uint64_t end)
{
    change(b, first, end, true);
}

void bitset_clear(BitSet *b, uint64_t first, uint64_t end)
{
    change(b, first, end, false);
}

void bitset_or(BitSet *b, const BitSet *other)
{
    for (uint64_t at = bitset_next(other, 0), end; at < other->n_bits; at = bitset_next(other, end)) {
        end = bitset_next_clear(other, at);
        bitset_set(b, at, end);
    }
}

/* The first bit from `at` on that is as `set` says. */
static uint64_t find(const BitSet *b, uint64_t at, bool set)
{
    while (at < b->n_bits) {
        uint64_t i = at / BITSET_CHUNK, end = i * BITSET_CHUNK + chunk_bits(b, i);
        const BitChunk *c = &b->chunks[i];
        if (!c->words) {
            if ((c->n != 0) == set) {
                return at;
            }
            at = end;
            continue;
        }
        while (at < end) {
            uint64_t word = c->words[at % BITSET_CHUNK / 64] >> (at & 63);
            word = set ? word : ~word & (UINT64_MAX >> (at & 63));
            if (word) {
                at += (uint64_t)__builtin_ctzll(word);
                return MIN(at, b->n_bits);
            }
            at = (at | 63) + 1;
        }
        at = end;
    }
    return b->n_bits;
}

uint64_t bitset_next(const BitSet *b, uint64_t at)
{
    return find(b, at, true);
}

uint64_t bitset_next_clear(const BitSet *b, uint64_t at)
{
    return find(b, at, false);
}

void bitset_store(const BitSet *b, uint64_t first, uint8_t *out, size_t bytes)
{
    for (size_t k = 0; k < bytes; k += 8) {
        uint64_t bit = first + k * 8, word = 0;
        if (bit < b->n_bits) {
            const BitChunk *c = &b->chunks[bit / BITSET_CHUNK];
            uint64_t left = b->n_bits - bit;
            word = c->words ? c->words[bit % BITSET_CHUNK / 64] : !c->n ? 0 : left >= 64 ? UINT64_MAX : (1ull << left) - 1;
        }
        stle64(out + k, word);
    }
}

void bitset_load(BitSet *b, uint64_t first, const uint8_t *in, size_t bytes)
{
    for (size_t k = 0; k < bytes; k += 8) {
        uint64_t bit = first + k * 8, word = ldle64(in + k);
        for (unsigned at = 0; word >> at; ) {
            unsigned from = at + (unsigned)__builtin_ctzll(word >> at), n = 64 - from;
            uint64_t ones = ~(word >> from);
            n = ones ? MIN(n, (unsigned)__builtin_ctzll(ones)) : n;
            bitset_set(b, bit + from, bit + from + n);
            at = from + n;
            if (at >= 64) {
                break;
            }
        }
    }
}
