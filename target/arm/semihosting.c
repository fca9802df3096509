/*
 * semihosting.c: which instructions are semihosting calls, and a call's registers.
 *
 * Semihosting for AArch32 and AArch64 2.0, 3: HLT #0xf000 in A64 and A32, HLT #0x3c in T32, and, as before HLT, SVC #0x123456 and #0xab.
 * Threads: the vCPU's own.
 */
#include "target/arm/a32.h"
#include "target/arm/translate.h"

bool arm_semihosting_insn(TransCtx *ctx, uint32_t number, uint32_t wanted)
{
    const Vcpu *vcpu = ctx->vcpu;

    if (number != wanted || !vcpu->semihost || !(vcpu->semihost_user || arm_el(ctx))) {
        return false;
    }
    arm_raise(ctx, ARM_CAUSE_SEMIHOST, 0);
    return true;
}

void arm_semihosting_call(Vcpu *vcpu, bool aarch32)
{
    ArmState *s = arm_state(vcpu);
    uint64_t mask = aarch32 ? UINT32_MAX : UINT64_MAX, result;

    if (!vcpu->semihost(vcpu, aarch32 ? 4 : 8, s->x[0] & UINT32_MAX, s->x[1] & mask, &result)) {
        return;
    }
    s->x[0] = result & mask;
    s->pc += aarch32 && (s->pc & 1) ? 2 : 4;
    if (aarch32) {
        s->itstate = (uint8_t)arm_it_advance(s->itstate);
    }
}
