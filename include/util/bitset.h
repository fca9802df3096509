/*
 * bitset.h: large sets of small numbers, mostly in runs: dirty blocks of a disk.
 *
 * Memory is taken for chunks of BITSET_CHUNK bits that are neither empty nor full, so that a set costs what it has in it.
 *
 * Threads: the caller's.
 */
#ifndef UTIL_BITSET_H
#define UTIL_BITSET_H

#include "util/base.h"

enum { BITSET_CHUNK = 32768 };

typedef struct BitChunk {
    uint64_t *words;       /* NULL: all bits are as n says */
    uint32_t n;            /* bits that are set */
} BitChunk;

typedef struct BitSet {
    uint64_t n_bits, n_set;
    BitChunk *chunks;
} BitSet;

void bitset_init(BitSet *b, uint64_t n_bits);
void bitset_finish(BitSet *b);
void bitset_resize(BitSet *b, uint64_t n_bits);    /* new bits are clear */
BitSet bitset_copy(const BitSet *b);
bool bitset_has(const BitSet *b, uint64_t bit);
/* Bits [first, end); what is behind the set's end is left out. */
void bitset_set(BitSet *b, uint64_t first, uint64_t end);
void bitset_clear(BitSet *b, uint64_t first, uint64_t end);
void bitset_or(BitSet *b, const BitSet *other);    /* of the same size */
/* The first bit from `at` on that is set, or clear; n_bits: there is none. */
uint64_t bitset_next(const BitSet *b, uint64_t at);
uint64_t bitset_next_clear(const BitSet *b, uint64_t at);
/* As bytes, the lowest bit first. `first` is a multiple of 64 bits, `bytes` of 8. */
void bitset_store(const BitSet *b, uint64_t first, uint8_t *out, size_t bytes);
void bitset_load(BitSet *b, uint64_t first, const uint8_t *in, size_t bytes);

#endif
