/* flags.c: condition flags of a lazy tuple (flags.h), as numbers; Arm ARM C1.2.4, AddWithCarry. */
#include "target/arm/flags.h"

static unsigned add_flags(uint64_t a, uint64_t b, uint64_t carry_in, unsigned width)
{
    uint64_t mask = bits_mask(0, width), top = BIT(width - 1);
    uint64_t r = (a + b + carry_in) & mask;

    a &= mask;
    b &= mask;
    bool c = carry_in ? r <= a : r < a;
    bool v = ~(a ^ b) & (a ^ r) & top;
    return (r & top ? ARM_N : 0) | (r ? 0 : ARM_Z) | (c ? ARM_C : 0) | (v ? ARM_V : 0);
}

unsigned arm_cc_compute(uint64_t a, uint64_t b, uint32_t op)
{
    switch ((ArmCc)op) {
    case ARM_CC_ADD32: return add_flags(a, b, 0, 32);
    case ARM_CC_ADD64: return add_flags(a, b, 0, 64);
    case ARM_CC_SUB32: return add_flags(a, ~b, 1, 32);
    case ARM_CC_SUB64: return add_flags(a, ~b, 1, 64);
    case ARM_CC_SUBNC32: return add_flags(a, ~b, 1, 32) & ~(unsigned)ARM_C;
    case ARM_CC_SUBNC64: return add_flags(a, ~b, 1, 64) & ~(unsigned)ARM_C;
    case ARM_CC_LOGIC32: return ((uint32_t)a >> 31 ? ARM_N : 0) | ((uint32_t)a ? 0 : ARM_Z);
    case ARM_CC_LOGIC64: return (a >> 63 ? ARM_N : 0) | (a ? 0 : ARM_Z);
    case ARM_CC_FCMP: return a == 0 ? ARM_C : a == 1 ? ARM_N : a == 0x40 ? ARM_Z | ARM_C : ARM_C | ARM_V;
    case ARM_CC_NZ32: return ((uint32_t)a >> 31 ? ARM_N : 0) | ((uint32_t)a ? 0 : ARM_Z) | (unsigned)bits_get(b, 28, 2);
    case ARM_CC_FLAGS: break;
    }
    return (unsigned)bits_get(a, 28, 4);
}

bool arm_cc_test(unsigned nzcv, unsigned condition)
{
    bool n = nzcv & ARM_N, z = nzcv & ARM_Z, c = nzcv & ARM_C, v = nzcv & ARM_V, r = true;

    switch (condition >> 1) {
    case 0: r = z; break;
    case 1: r = c; break;
    case 2: r = n; break;
    case 3: r = v; break;
    case 4: r = c && !z; break;
    case 5: r = n == v; break;
    case 6: r = n == v && !z; break;
    case 7: return true;
    }
    return condition & 1 ? !r : r;
}
