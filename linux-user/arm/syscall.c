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
