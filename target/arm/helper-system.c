/* helper-system.c: what translated system instructions call. */
#include <sched.h>
#include "target/arm/translate.h"

uint64_t arm_helper_mrs(Vcpu *vcpu, uint32_t key, uint32_t insn)
{
    uint64_t value;

    if (!arm_sysreg_read(vcpu, key, &value)) {
        vcpu_raise(vcpu, ARM_EC_UNKNOWN, insn);
    }
    return value;
}

void arm_helper_msr(Vcpu *vcpu, uint32_t key, uint64_t value, uint32_t insn)
{
    if (!arm_sysreg_write(vcpu, key, value)) {
        vcpu_raise(vcpu, ARM_EC_UNKNOWN, insn);
    }
}

void arm_helper_yield(Vcpu *vcpu)
{
    if (vcpu->parallel) {
        sched_yield();
    }
}
