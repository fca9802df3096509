/*
 * bits.h: bit fields, sign extension, byte order and unaligned access.
 * Field positions are given as (shift, length) in bits, bit 0 least significant.
 */
#ifndef UTIL_BITS_H
#define UTIL_BITS_H

#include <string.h>
#include "util/base.h"

#define BIT(n) ((uint64_t)1 << (n))

/* A mask of `length` (1..64) ones starting at bit `shift`. */
static inline uint64_t bits_mask(unsigned shift, unsigned length)
{
    return (~(uint64_t)0 >> (64 - length)) << shift;
}

static inline uint64_t bits_get(uint64_t value, unsigned shift, unsigned length)
{
    return (value >> shift) & (~(uint64_t)0 >> (64 - length));
}

static inline int64_t bits_get_signed(uint64_t value, unsigned shift, unsigned length)
{
    return (int64_t)(value << (64 - length - shift)) >> (64 - length);
}

static inline uint64_t bits_set(uint64_t value, unsigned shift, unsigned length, uint64_t field)
{
    uint64_t mask = bits_mask(shift, length);
    return (value & ~mask) | ((field << shift) & mask);
}

/* Extends the low `length` (1..64) bits of `value`. */
static inline int64_t bits_sext(uint64_t value, unsigned length)
{
    return (int64_t)(value << (64 - length)) >> (64 - length);
}

static inline bool bits_is_pow2(uint64_t value)
{
    return value && !(value & (value - 1));
}

/* Unaligned loads and stores in an explicit byte order. */
#define BITS_ACCESSORS(width, swap_le, swap_be)                                  \
    static inline uint##width##_t ldle##width(const void *p)                     \
    { uint##width##_t v; memcpy(&v, p, sizeof(v)); return swap_le(v); }          \
    static inline uint##width##_t ldbe##width(const void *p)                     \
    { uint##width##_t v; memcpy(&v, p, sizeof(v)); return swap_be(v); }          \
    static inline void stle##width(void *p, uint##width##_t v)                   \
    { v = swap_le(v); memcpy(p, &v, sizeof(v)); }                                \
    static inline void stbe##width(void *p, uint##width##_t v)                   \
    { v = swap_be(v); memcpy(p, &v, sizeof(v)); }

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define BITS_KEEP(v) (v)
BITS_ACCESSORS(16, BITS_KEEP, __builtin_bswap16)
BITS_ACCESSORS(32, BITS_KEEP, __builtin_bswap32)
BITS_ACCESSORS(64, BITS_KEEP, __builtin_bswap64)
#else
#define BITS_KEEP(v) (v)
BITS_ACCESSORS(16, __builtin_bswap16, BITS_KEEP)
BITS_ACCESSORS(32, __builtin_bswap32, BITS_KEEP)
BITS_ACCESSORS(64, __builtin_bswap64, BITS_KEEP)
#endif

#endif
