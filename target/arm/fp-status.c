/*
 * fp-status.c: FPCR and FPSR (Arm ARM DDI 0487, C5.2.7, C5.2.8). Rounding mode and the flags that inline operations raise are in
 * jit.fp_control_guest, which has the layout of x86's MXCSR on every host: flags in bits 0-5, masks in 7-12, rounding in 13-14.
 */
#include "target/arm/cpu.h"

enum { MXCSR_IE = 1, MXCSR_DE = 2, MXCSR_ZE = 4, MXCSR_OE = 8, MXCSR_UE = 16, MXCSR_PE = 32, MXCSR_FLAGS = 63,
       MXCSR_MASKS = 0x1f80, MXCSR_RC_SHIFT = 13 };
/* AHP DN FZ RMode FZ16: no traps, no fixed lengths, no alternate behaviours. */
enum { FPCR_MASK = 0x07c80000, FPCR_RMODE = 22, FPSR_MASK = 0x9f, FPSR_QC = 1 << 27 };

void arm_fp_sync(Vcpu *vcpu)
{
    uint32_t m = vcpu->jit.fp_control_guest;

    if (m & MXCSR_FLAGS) {
        arm_state(vcpu)->fpsr |= (m & MXCSR_IE ? 1 : 0) | (m & MXCSR_ZE ? 2 : 0) | (m & MXCSR_OE ? 4 : 0) |
                                 (m & MXCSR_UE ? 8 : 0) | (m & MXCSR_PE ? 16 : 0);
        vcpu->jit.fp_control_guest = m & ~MXCSR_FLAGS;
    }
}

uint32_t arm_fpcr_get(Vcpu *vcpu)
{
    return arm_state(vcpu)->fpcr;
}

void arm_fpcr_set(Vcpu *vcpu, uint32_t value)
{
    static const uint8_t rc[4] = { 0, 2, 1, 3 }; /* nearest, up, down, zero */

    arm_state(vcpu)->fpcr = value & FPCR_MASK;
    vcpu->jit.fp_control_guest = (vcpu->jit.fp_control_guest & MXCSR_FLAGS) | MXCSR_MASKS |
                                 (uint32_t)rc[value >> FPCR_RMODE & 3] << MXCSR_RC_SHIFT;
}

uint32_t arm_fpsr_get(Vcpu *vcpu)
{
    const ArmVector *qc = &arm_state(vcpu)->qc;

    arm_fp_sync(vcpu);
    return arm_state(vcpu)->fpsr | (qc->d[0] | qc->d[1] ? FPSR_QC : 0);
}

void arm_fpsr_set(Vcpu *vcpu, uint32_t value)
{
    vcpu->jit.fp_control_guest &= ~MXCSR_FLAGS;
    arm_state(vcpu)->fpsr = value & FPSR_MASK;
    arm_state(vcpu)->qc = (ArmVector){ .d = { value & FPSR_QC } };
}
