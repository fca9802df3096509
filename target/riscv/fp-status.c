/*
 * fp-status.c: fcsr. The dynamic rounding mode and the flags raised by inline operations live in
 * jit.fp_control_guest, which has the layout of x86's MXCSR on every host (SDM volume 1, 10.2.3): flags in bits
 * 0-5, masks in 7-12, rounding in 13-14. RISC-V's five flags are accumulated in state.fflags when somebody looks.
 */
#include "target/riscv/cpu.h"

enum { MXCSR_IE = 1, MXCSR_DE = 2, MXCSR_ZE = 4, MXCSR_OE = 8, MXCSR_UE = 16, MXCSR_PE = 32, MXCSR_FLAGS = 63,
       MXCSR_MASKS = 0x1f80, MXCSR_RC_SHIFT = 13 };

void riscv_fp_sync(Vcpu *vcpu)
{
    uint32_t m = vcpu->jit.fp_control_guest;

    if (m & MXCSR_FLAGS) {
        riscv_state(vcpu)->fflags |= (m & MXCSR_IE ? 16 : 0) | (m & MXCSR_ZE ? 8 : 0) | (m & MXCSR_OE ? 4 : 0) |
                                     (m & MXCSR_UE ? 2 : 0) | (m & MXCSR_PE ? 1 : 0);
        vcpu->jit.fp_control_guest = m & ~MXCSR_FLAGS;
    }
}

uint32_t riscv_fflags_get(Vcpu *vcpu)
{
    riscv_fp_sync(vcpu);
    return riscv_state(vcpu)->fflags;
}

void riscv_fflags_set(Vcpu *vcpu, uint32_t flags)
{
    vcpu->jit.fp_control_guest &= ~MXCSR_FLAGS;
    riscv_state(vcpu)->fflags = flags & 31;
}

void riscv_frm_set(Vcpu *vcpu, uint32_t frm)
{
    /* frm: nearest-even, zero, down, up; the rest are not the host's (translate-fp.c). */
    static const uint8_t rc[8] = { 0, 3, 1, 2, 0, 0, 0, 0 };

    riscv_state(vcpu)->frm = frm & 7;
    vcpu->jit.fp_control_guest = (vcpu->jit.fp_control_guest & MXCSR_FLAGS) | MXCSR_MASKS |
                                 (uint32_t)rc[frm & 7] << MXCSR_RC_SHIFT;
}
