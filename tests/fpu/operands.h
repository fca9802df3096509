/*
 * operands.h: operands that find floating-point bugs: special values, sparse
 * significands, neighbours of powers of two, exponents near each other, and
 * plain random bits. The sequence depends on the seed alone.
 */
#ifndef TESTS_FPU_OPERANDS_H
#define TESTS_FPU_OPERANDS_H

#include <stdint.h>

static uint64_t operand_state = 0x9e3779b97f4a7c15u;

static inline void operand_seed(uint64_t seed)
{
    operand_state = (seed + 1) * 0x9e3779b97f4a7c15u | 1; /* never 0, a fixed point */
}

static inline uint64_t operand_random(void)
{
    operand_state ^= operand_state << 13;
    operand_state ^= operand_state >> 7;
    operand_state ^= operand_state << 17;
    return operand_state * 0x2545f4914f6cdd1du;
}

/* A fraction of `bits` bits, often with long runs of equal bits. */
static inline uint64_t operand_fraction(unsigned bits)
{
    uint64_t mask = ((uint64_t)1 << bits) - 1, r = operand_random();
    unsigned at = (unsigned)(r >> 8) % bits, at2 = (unsigned)(r >> 16) % bits;

    switch (r & 7) {
    case 0:
        return 0;
    case 1:
        return mask;
    case 2:
        return (uint64_t)1 << at;
    case 3:
        return (mask >> at) & mask;
    case 4:
        return (mask << at) & mask;
    case 5:
        return (((uint64_t)1 << at) | ((uint64_t)1 << at2)) & mask;
    default:
        return operand_random() & mask;
    }
}

/* A number in an interchange format of at most 64 bits. */
static inline uint64_t operand_float(unsigned exp_bits, unsigned frac_bits)
{
    uint64_t exp_max = ((uint64_t)1 << exp_bits) - 1, bias = exp_max >> 1, r = operand_random();
    uint64_t sign = (r >> 63) << (exp_bits + frac_bits), exp;

    switch (r & 15) {
    case 0:
        exp = 0;
        break;
    case 1:
        exp = exp_max;
        break;
    case 2:
        exp = 1 + (r >> 8) % 3;
        break;
    case 3:
        exp = exp_max - 1 - (r >> 8) % 3;
        break;
    case 4:
        exp = (r >> 8) & exp_max;
        break;
    case 5: /* squares near the bottom and the top */
        exp = bias / 2 + (r >> 8) % 4;
        break;
    case 6:
        exp = bias + bias / 2 - 2 + (r >> 8) % 4;
        break;
    case 7: /* where integers and fractions meet */
        exp = bias + (r >> 8) % (frac_bits + 4);
        break;
    case 8:
        exp = bias + (r >> 8) % 66;
        break;
    case 9: /* products just below the smallest normal */
        exp = (r >> 8) % (frac_bits + 4);
        break;
    default:
        exp = bias - 4 + (r >> 8) % 9;
        break;
    }
    return sign | (exp > exp_max ? exp_max : exp) << frac_bits | operand_fraction(frac_bits);
}

static inline uint16_t operand_f16(void) { return (uint16_t)operand_float(5, 10); }
static inline uint32_t operand_f32(void) { return (uint32_t)operand_float(8, 23); }
static inline uint64_t operand_f64(void) { return operand_float(11, 52); }

static inline uint64_t operand_int(void)
{
    uint64_t r = operand_random();
    uint64_t v = operand_fraction(63) << ((r >> 3) & 1);
    return r & 1 ? -(v >> ((r >> 8) & 63)) : v >> ((r >> 8) & 63);
}

#endif
