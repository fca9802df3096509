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

/* Of the ABI's byte order; code, which is little-endian in programs of BE8. */
static inline void put32(uint8_t *p, uint32_t v) { user.abi->big_endian ? stbe32(p, v) : stle32(p, v); }
static inline void put64(uint8_t *p, uint64_t v) { user.abi->big_endian ? stbe64(p, v) : stle64(p, v); }
static inline uint32_t get32(const uint8_t *p) { return user.abi->big_endian ? ldbe32(p) : ldle32(p); }
static inline uint64_t get64(const uint8_t *p) { return user.abi->big_endian ? ldbe64(p) : ldle64(p); }
static inline void put_code(const Thread *t, uint8_t *p, uint32_t v) { arm_state(t->vcpu)->code_be ? stbe32(p, v) : stle32(p, v); }

void arm_user_cpu_loop(Thread *t);
bool arm_user_signal_frame(Thread *t, int sig, const siginfo_t *info, const GuestSigaction *act);
int64_t arm_user_signal_return(Thread *t);
unsigned arm_user_min_sigstack(Thread *t);
extern const uint16_t arm_syscall_numbers[];
extern const StructVariant arm_structs[];

#endif
