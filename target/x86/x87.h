/*
 * x87.h: what the files about the x87 unit and MMX share.
 *
 * Two ways to carry out an instruction: in generated code on the host's own unit (tcg/x86_64/lower-x87.c, x87-host.c) while all exceptions
 * are masked, and here, in C, on the state in memory: the interpreter, other hosts, unmasked exceptions.
 */
#ifndef TARGET_X86_X87_H
#define TARGET_X86_X87_H

#include "target/fpu.h"
#include "target/x86/cpu.h"

enum { /* status word; those of the exceptions are also the masks in the control word */
    X87_IE = 1, X87_DE = 2, X87_ZE = 4, X87_OE = 8, X87_UE = 16, X87_PE = 32, X87_EXCEPTIONS = 63,
    X87_SF = 64, X87_ES = 128, X87_C0 = 0x100, X87_C1 = 0x200, X87_C2 = 0x400, X87_C3 = 0x4000, X87_B = 0x8000,
    X87_CC = X87_C0 | X87_C1 | X87_C2 | X87_C3,
    X87_TOP_SHIFT = 11,
};
/* fcomi and its kin, when an unmasked exception keeps EFLAGS as they are: in the result of x86_x87_exec. */
#define X87_FLAGS_KEPT BIT(31)

/* Puts the state into memory, where C code may look at it; also what was there before. */
static inline void x86_fpu_flush(Vcpu *vcpu)
{
    if (unlikely(vcpu->jit.x87_live)) {
        vcpu->target->x87->save(vcpu);
    }
}

/* After the control or status word in memory changed: ES and B say whether an unmasked exception is pending. */
static inline void x87_summary(X86State *s)
{
    bool pending = s->fsw & ~s->fcw & X87_EXCEPTIONS;
    s->fsw = (uint16_t)((s->fsw & ~(X87_ES | X87_B)) | (pending ? X87_ES | X87_B : 0));
}

/* Whether instructions must be carried out by helpers. False while the state is in the host's unit. */
static inline bool x86_x87_slow(const X86State *s)
{
    return (~s->fcw & X87_EXCEPTIONS) || (s->fsw & X87_ES) || s->x87_again;
}

/* x87-soft.c: TargetX87.exec and exec_mem. */
uint64_t x86_x87_exec(Vcpu *vcpu, uint32_t code, uint64_t operand);
void x86_x87_exec_mem(Vcpu *vcpu, uint32_t code, vaddr addr, unsigned mmu_index);
/* mmx-soft.c: the same for MMX. */
uint64_t x86_mmx_exec(Vcpu *vcpu, uint32_t code, uint64_t operand);

/* x87-host.c: state between memory and this thread's x87 unit. */
extern const TargetX87 x86_target_x87;

/*
 * x87-math.c: operations without IEEE rules, on operands that are no NaNs, infinities or zeros of special meaning. Exceptions are gathered
 * in s; *ret2: the second result of fptan and fsincos. False: the operand is out of range (C2).
 */
typedef enum X87Math { X87_F2XM1, X87_FYL2X, X87_FPTAN, X87_FPATAN, X87_FYL2XP1, X87_FSINCOS, X87_FSIN, X87_FCOS } X87Math;
/* `control`: the control word, with its masks. st1 is looked at by fyl2x, fpatan and fyl2xp1. Returns status word bits: exceptions, C1, C2. */
unsigned x87_math(X87Math op, unsigned control, f80 st0, f80 st1, f80 *ret, f80 *ret2);
/* x87-math-soft.c: the same on hosts that are no x86. */
unsigned x87_math_soft(X87Math op, unsigned control, f80 st0, f80 st1, f80 *ret, f80 *ret2);

#endif
