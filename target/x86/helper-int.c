/* helper-int.c: helpers of the integer unit (helpers-int.def). */
#include "target/x86/translate.h"

void x86_helper_raise(Vcpu *vcpu, uint32_t vector)
{
    x86_raise(vcpu, vector);
}

void x86_helper_raise_code(Vcpu *vcpu, uint32_t vector, uint32_t code)
{
    x86_raise_code(vcpu, vector, code);
}

uint32_t x86_helper_cc_flags(uint64_t dst, uint64_t src, uint64_t src2, uint32_t op)
{
    return x86_cc_compute(dst, src, src2, op);
}

uint32_t x86_helper_cc_carry(uint64_t src, uint64_t src2, uint32_t op)
{
    return x86_cc_compute(0, src, src2, op) & X86_CF;
}

uint32_t x86_helper_cc_cond(uint64_t dst, uint64_t src, uint64_t src2, uint32_t op, uint32_t condition)
{
    return x86_cc_test(x86_cc_compute(dst, src, src2, op), condition);
}
