/*
 * host-fp.h: the host's floating-point control register when generated code is left by a jump.
 *
 * Generated code runs with the guest's rounding mode and sticky flags in the host's control register
 * (x86: MXCSR) and saves them on its way out; a longjmp goes past that.
 */
#ifndef ACCEL_TCG_HOST_FP_H
#define ACCEL_TCG_HOST_FP_H

#include "accel/vcpu.h"

#ifdef __x86_64__
#include <xmmintrin.h>
static inline void host_fp_leave(Vcpu *vcpu)
{
    if (vcpu->jit.fp_control_host) {
        vcpu->jit.fp_control_guest = _mm_getcsr();
        _mm_setcsr(vcpu->jit.fp_control_host);
    }
}
#else
static inline void host_fp_leave(Vcpu *vcpu)
{
}
#endif

#endif
