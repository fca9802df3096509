/*
 * abi.h: the Linux ABI of RISC-V, shared by the files of this folder. Facts: riscv-elf-psabi, linux/arch/riscv uapi.
 */
#ifndef LINUX_USER_RISCV_ABI_H
#define LINUX_USER_RISCV_ABI_H

#include "linux-user/user.h"
#include "target/riscv/cpu.h"

enum { RISCV_RA = 1, RISCV_SP = 2, RISCV_TP = 4, RISCV_A0 = 10, RISCV_A1 = 11, RISCV_A7 = 17 };

void riscv_user_cpu_loop(Thread *t);
bool riscv_user_signal_frame(Thread *t, int sig, const siginfo_t *info, const GuestSigaction *act);
int64_t riscv_user_signal_return(Thread *t);
unsigned riscv_user_min_sigstack(Thread *t);
vaddr riscv_user_fault_addr(Thread *t);
int64_t riscv_user_hwprobe(Thread *t, const uint64_t a[6]);

static inline uint64_t riscv_word(const Abi *abi, uint64_t value)
{
    return abi->word_bytes == 4 ? (uint32_t)value : value;
}

#endif
