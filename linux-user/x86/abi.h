/*
 * abi.h: the Linux ABI of x86, shared by the files of this folder. Facts: System V psABI for x86-64, linux/arch/x86 uapi.
 */
#ifndef LINUX_USER_X86_ABI_H
#define LINUX_USER_X86_ABI_H

#include "linux-user/syscall/syscall.h"
#include "target/x86/cpu.h"

enum { /* Linux's selectors in user mode, and the indices of its GDT */
    X86_USER32_CS = 0x23, X86_USER_DS = 0x2b, X86_USER_CS = 0x33,
    I386_NR_SIGRETURN = 119, I386_NR_CLONE = 120, I386_NR_RT_SIGRETURN = 173, I386_NR_VFORK = 190,
    X86_GDT_ENTRIES = 16, X86_GDT_TLS_FIRST = 12, X86_GDT_N_TLS = 3,
};

/* The vsyscall page of x86-64: three functions at fixed addresses above everything. */
#define X86_VSYSCALL_PAGE UINT64_C(0xffffffffff600000)

void x86_user_cpu_loop(Thread *t);
bool x86_user_signal_frame(Thread *t, int sig, const siginfo_t *info, const GuestSigaction *act);
int64_t x86_user_signal_return(Thread *t);
unsigned x86_user_min_sigstack(Thread *t);
/* The flags a program may change by returning from a signal handler. */
#define X86_USER_FLAGS (X86_ARITH_FLAGS | X86_DF | X86_TF | X86_RF | X86_AC)

extern const uint16_t x86_64_syscall_numbers[], i386_syscall_numbers[];
extern const StructVariant x86_64_structs[], i386_structs[];

/* i386-signal.c */
bool i386_user_signal_frame(Thread *t, int sig, const siginfo_t *info, const GuestSigaction *act);
int64_t i386_user_signal_return(Thread *t);
int64_t i386_user_old_signal_return(Thread *t);
unsigned i386_user_min_sigstack(Thread *t);
enum { I386_VDSO_VSYSCALL, I386_VDSO_SIGRETURN, I386_VDSO_RT_SIGRETURN };
/* A copy of the GDT of this thread's own: TLS descriptors are a thread's. */
void x86_user_copy_gdt(X86State *s);

/* XCR0 as the kernel sets it: legacy state and AVX. */
static inline uint64_t x86_user_xcr0(const Vcpu *vcpu)
{
    return !x86_has(vcpu, X86_FEAT_XSAVE) ? 0 : x86_has(vcpu, X86_FEAT_AVX) ? 7 : 3;
}

/* segments.c: CS and SS (i386: DS and ES too) as a signal handler finds them; those that sigreturn loads, with the signal that follows when
 * they cannot be loaded; data segments. */
void x86_user_enter_handler(Thread *t);
void x86_user_return_to(Thread *t, uint16_t cs, uint16_t ss, uint64_t ip);
void x86_user_load_data(Thread *t, X86SegId seg, uint16_t sel);
bool x86_user_ss_is_valid(Thread *t);

/* Thread.sync_fault: an exception and its error code. */
static inline uint32_t x86_user_fault(unsigned vector, uint32_t code) { return 1u << 31 | code << 8 | vector; }

/* What signal frames of both word sizes show of a fault: the processor's exception and error code. */
void x86_user_trap(const Thread *t, int sig, const siginfo_t *info, uint64_t *trap, uint64_t *code);

#endif
