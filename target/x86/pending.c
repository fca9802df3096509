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
