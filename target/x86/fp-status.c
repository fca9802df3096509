/*
 * fp-status.c: MXCSR. While generated code runs, rounding, DAZ, FTZ and the sticky flags are those of the host's own register, which
 * jit.fp_control_guest is loaded into and stored from; all exceptions are masked there (translate: X86_MODE_SSE_TRAP).
 *
 * Invariants: bits 6 to 15 of state.mxcsr and of fp_control_guest are the same but for the masks. With all exceptions masked state.mxcsr has no
 * flags, so that the host's register is the guest's, bit for bit; without, it has those that were raised before the last instruction that could
 * raise any (helper-sse.c).
 *
 * Intel SDM volume 1, 10.2.3.
 */
#include "target/x86/x87.h"

enum { MXCSR_FLAGS = 0x3f, MXCSR_MASKS = 0x1f80 };

void x86_fp_sync(Vcpu *vcpu)
{
    x86_fpu_flush(vcpu);
}

uint32_t x86_mxcsr_get(Vcpu *vcpu)
{
    return x86_state(vcpu)->mxcsr | (vcpu->jit.fp_control_guest & MXCSR_FLAGS);
}

void x86_mxcsr_set(Vcpu *vcpu, uint32_t mxcsr)
{
    x86_state(vcpu)->mxcsr = mxcsr & ~(uint32_t)MXCSR_FLAGS;
    vcpu->jit.fp_control_guest = mxcsr | MXCSR_MASKS;
}
