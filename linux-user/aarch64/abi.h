/*
 * abi.h: the Linux ABI of AArch64, shared by the files of this folder. Facts: AAPCS64, linux/arch/arm64 uapi.
 */
#ifndef LINUX_USER_AARCH64_ABI_H
#define LINUX_USER_AARCH64_ABI_H

#include "linux-user/user.h"
#include "target/arm/cpu.h"

#define AARCH64_ADDR_MASK (BIT(56) - 1) /* of data addresses and branch targets: TCR_EL1.TBI0 */

enum { AARCH64_SEGV_MTEAERR = 8, AARCH64_SEGV_MTESERR = 9 }; /* uapi asm-generic/siginfo.h */
enum { AARCH64_FP = 29, AARCH64_LR = 30, AARCH64_NR = 8 };

void aarch64_user_cpu_loop(Thread *t);
bool aarch64_user_signal_frame(Thread *t, int sig, const siginfo_t *info, const GuestSigaction *act);
int64_t aarch64_user_signal_return(Thread *t);
unsigned aarch64_user_min_sigstack(Thread *t);
vaddr aarch64_user_fault_addr(Thread *t);
bool aarch64_user_other_addresses(Thread *t);
int64_t aarch64_user_prctl(Thread *t, const uint64_t *a);
/* New keys of pointer authentication, by bit of `which`: IA, IB, DA, DB, GA. False: the host had no random numbers; as they were. */
bool aarch64_user_pauth_keys(Thread *t, unsigned which);
extern const uint16_t aarch64_syscall_numbers[];

#endif
