/*
 * syscall.c: system calls of AArch64: the generic numbers, without those that are another architecture's own.
 */
#include "linux-user/aarch64/abi.h"
#include "linux-user/syscall/syscall.h"

#define NO -1
const uint16_t aarch64_syscall_numbers[SYSCALL_N] = {
#define SYS(name, nr64, nr32, how, ...) nr64 + 1,
#include "linux-user/syscall/table.def"
#undef SYS
    [SYSCALL_riscv_hwprobe] = 0,
    [SYSCALL_riscv_flush_icache] = 0,
};
