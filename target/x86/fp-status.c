/*
 * fp-status.c: MXCSR. While generated code runs, rounding, DAZ, FTZ and the sticky flags are those of the host's own register, which
 * jit.fp_control_guest is loaded into and stored from; all exceptions are masked there (translate: X86_MODE_SSE_TRAP).
 *
 * Intel SDM volume 1, 10.2.3.
 */
#include "target/x86/x87.h"

enum { MXCSR_FLAGS = 0x3f, MXCSR_MASKS = 0x1f80 };

void x86_fp_sync(Vcpu *vcpu)
{
    uint32_t flags = vcpu->jit.fp_control_guest & MXCSR_FLAGS;

    x86_fpu_flush(vcpu);
    if (flags) {
        x86_state(vcpu)->mxcsr |= flags;
        vcpu->jit.fp_control_guest &= ~(uint32_t)MXCSR_FLAGS;
    }
}

uint32_t x86_mxcsr_get(Vcpu *vcpu)
{
    return x86_state(vcpu)->mxcsr | (vcpu->jit.fp_control_guest & MXCSR_FLAGS);
}

void x86_mxcsr_set(Vcpu *vcpu, uint32_t mxcsr)
{
    x86_state(vcpu)->mxcsr = mxcsr;
    vcpu->jit.fp_control_guest = (mxcsr & ~(uint32_t)MXCSR_FLAGS) | MXCSR_MASKS;
}
