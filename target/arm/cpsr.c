/*
 * cpsr.c: CPSR of AArch32 as one word (Arm ARM DDI 0487, G8.2.33), from where its parts are kept.
 */
#include "target/arm/cpu.h"

enum { CPSR_Q = 27, CPSR_GE = 16, CPSR_T = 5 };

/* IT[1:0] are bits 26:25, IT[7:2] bits 15:10. */
uint32_t arm_cpsr_get(const Vcpu *vcpu)
{
    const ArmState *s = arm_state(vcpu);

    return arm_nzcv_get(vcpu) | (uint32_t)s->q << CPSR_Q | (uint32_t)s->ge << CPSR_GE | (s->itstate & 3u) << 25 | (s->itstate >> 2 & 63u) << 10
           | (uint32_t)(s->pc & 1) << CPSR_T | ARM_CPSR_USER;
}

void arm_cpsr_set_user(Vcpu *vcpu, uint32_t value)
{
    ArmState *s = arm_state(vcpu);

    arm_nzcv_set(vcpu, value & 0xf0000000);
    s->q = value >> CPSR_Q & 1;
    s->ge = value >> CPSR_GE & 15;
    s->itstate = (uint8_t)((value >> 25 & 3) | (value >> 10 & 63) << 2);
    s->pc = (s->pc & ~(uint64_t)1) | (value >> CPSR_T & 1);
}
