/*
 * fpu-state.h: between the images of fpu-state.c and the instructions of helper-x87.c.
 */
#ifndef TARGET_X86_FPU_STATE_H
#define TARGET_X86_FPU_STATE_H

#include "target/x86/cpu.h"

enum { X86_XSAVE_MAX_BYTES = 2696 };

/* FSTENV and FLDENV; return the size: 28 or 14 bytes. */
unsigned x86_fstenv(Vcpu *vcpu, uint8_t *image, bool is32);
unsigned x86_fldenv(Vcpu *vcpu, const uint8_t *image, bool is32);

/* Components that are not in their initial state, with the x87 state in memory. */
uint64_t x86_xsave_in_use(const X86State *s);

/* XSAVE and XSAVEOPT keep what they do not write: the image's bits of XSTATE_BV must be there. */
void x86_xsave_by(Vcpu *vcpu, uint8_t *image, uint64_t mask, X86XsaveKind kind, bool is64);

#endif
