/*
 * abi.h: the Linux EABI of 32-bit Arm, shared by the files of this folder. Facts: AAPCS32, linux/arch/arm uapi,
 * Documentation/arm/kernel_user_helpers.rst.
 */
#ifndef LINUX_USER_ARM_ABI_H
#define LINUX_USER_ARM_ABI_H

#include "linux-user/syscall/syscall.h"
#include "linux-user/user.h"
#include "target/arm/cpu.h"

enum { ARM_NR = 7, ARM_SP = 13, ARM_LR = 14 };
/* The page of functions the kernel has for programs, and where in it handlers return to. */
#define ARM_VECTORS 0xffff0000u
enum { ARM_SIGRETURN = 0x500, ARM_RT_SIGRETURN = 0x508 };

void arm_user_cpu_loop(Thread *t);
bool arm_user_signal_frame(Thread *t, int sig, const siginfo_t *info, const GuestSigaction *act);
int64_t arm_user_signal_return(Thread *t);
unsigned arm_user_min_sigstack(Thread *t);
extern const uint16_t arm_syscall_numbers[];
extern const StructVariant arm_structs[];

#endif
