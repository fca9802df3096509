/*
 * pending.c: what the parts of this room that are still being written are called for: the least that user mode needs. Each
 * function goes from here when the file that owns it comes.
 */
#include "target/x86/translate.h"

void x86_helper_fpu_check(Vcpu *vcpu, uint32_t unit)
{
    const X86State *s = x86_state(vcpu);
    x86_raise(vcpu, unit != X86_UNIT_X87 && s->cr0 & X86_CR0_EM ? X86_EXC_UD : X86_EXC_NM);
}

void x86_fp_sync(Vcpu *vcpu) { }
uint32_t x86_mxcsr_get(Vcpu *vcpu) { return x86_state(vcpu)->mxcsr; }
void x86_mxcsr_set(Vcpu *vcpu, uint32_t mxcsr) { x86_state(vcpu)->mxcsr = mxcsr; }
/* fpu-state.c: the XMM registers only. */
uint32_t x86_xsave_size(uint64_t xcr0) { return xcr0 & 4 ? 832 : 576; }

void x86_xsave(Vcpu *vcpu, uint8_t *image, uint64_t mask, bool is64) { memcpy(image + 160, x86_state(vcpu)->xmm, 256); }

bool x86_xrstor(Vcpu *vcpu, const uint8_t *image, uint64_t mask, bool is64)
{
    memcpy(x86_state(vcpu)->xmm, image + 160, 256);
    return true;
}

void x86_fxsave(Vcpu *vcpu, uint8_t image[512], bool is64) { x86_xsave(vcpu, image, 3, is64); }
bool x86_fxrstor(Vcpu *vcpu, const uint8_t image[512], bool is64) { return x86_xrstor(vcpu, image, 3, is64); }
void x86_fsave(Vcpu *vcpu, uint8_t image[108], bool is32) { }
bool x86_frstor(Vcpu *vcpu, const uint8_t image[108], bool is32) { return true; }
void x86_fpu_init(Vcpu *vcpu) { }
