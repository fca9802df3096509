/* helper-int.c: what translated A64 integer code calls. */
#include "target/arm/flags.h"
#include "target/arm/translate.h"
#include "util/random.h"

void arm_helper_raise(Vcpu *vcpu, uint32_t cause, uint64_t value)
{
    vcpu_raise(vcpu, (int32_t)cause, value);
}

uint64_t arm_helper_cc_flags(uint64_t a, uint64_t b, uint32_t op)
{
    return (uint64_t)arm_cc_compute(a, b, op) << 28;
}

uint64_t arm_helper_cc_cond(uint64_t a, uint64_t b, uint32_t op, uint32_t condition)
{
    return arm_cc_test(arm_cc_compute(a, b, op), condition);
}

uint64_t arm_helper_random(void)
{
    uint64_t x;

    do {
        if (!random_bytes(&x, sizeof(x), false)) {
            return 0;
        }
    } while (!x);
    return x;
}
