/*
 * syscall.c: numbers of 32-bit Arm's system calls, structures that are its own, and calls whose arguments have another order so that
 * 64-bit ones begin with an even register.
 */
#include <sys/syscall.h>
#include "linux-user/arm/abi.h"
#include "linux-user/syscall/syscall.h"

const uint16_t arm_syscall_numbers[SYSCALL_N] = {
#define NR(name, nr) [SYSCALL_##name] = nr + 1,
#include "linux-user/arm/syscall.def"
#undef NR
};

enum {
#define NR(name, nr) NR_##name = nr,
#include "linux-user/arm/syscall.def"
#undef NR
};

/* Big-endian: the calls whose arguments in memory are bytes, or are converted. Any other is ENOSYS. */
const uint16_t armeb_syscall_numbers[SYSCALL_N] = {
#define HAS(name) [SYSCALL_##name] = NR_##name + 1,
    HAS(exit) HAS(exit_group) HAS(read) HAS(write) HAS(open) HAS(openat)
    HAS(close) HAS(_llseek) HAS(unlink) HAS(unlinkat) HAS(access) HAS(faccessat)
    HAS(kill) HAS(tkill) HAS(tgkill) HAS(getpid) HAS(getppid) HAS(gettid)
    HAS(getuid) HAS(geteuid) HAS(getgid) HAS(getegid) HAS(brk) HAS(munmap)
    HAS(mprotect) HAS(mmap2) HAS(uname) HAS(sigreturn) HAS(rt_sigreturn) HAS(rt_sigaction)
    HAS(rt_sigprocmask) HAS(clock_gettime_time32) HAS(clock_gettime64) HAS(readv) HAS(writev) HAS(dup)
    HAS(dup2) HAS(dup3) HAS(sched_yield) HAS(fork) HAS(vfork)
    HAS(stat) HAS(lstat) HAS(fstat) HAS(lseek_i386)
#undef HAS
};

const StructVariant arm_structs[] = { { &struct_stat, &struct_stat64_legacy }, { NULL, NULL } };

int64_t sys_sync_file_range2(Thread *t, const uint64_t *a)
{
    return RAW_SYSCALL(SYS_sync_file_range, a[0], a[2], a[3], a[1]);
}

int64_t sys_arm_fadvise64_64(Thread *t, const uint64_t *a)
{
    return RAW_SYSCALL(SYS_fadvise64, a[0], a[2], a[3], a[1]);
}

int64_t sys_send(Thread *t, const uint64_t *a)
{
    return syscall_call_row(t, SYSCALL_sendto, (const uint64_t[6]){ a[0], a[1], a[2], a[3] });
}

int64_t sys_recv(Thread *t, const uint64_t *a)
{
    return syscall_call_row(t, SYSCALL_recvfrom, (const uint64_t[6]){ a[0], a[1], a[2], a[3] });
}
