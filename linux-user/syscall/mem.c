/* mem.c: system calls on the address space; the work is in linux-user/mm.c. */
#include <sys/mman.h>
#include "linux-user/syscall/syscall.h"

/*
 * What is looked up in the map and not read or written may have a tag whatever the thread asked for, but for brk, mmap and the new address of
 * mremap (Linux: Documentation/arch/arm64/tagged-address-abi.rst).
 */
static vaddr place(const Thread *t, vaddr addr)
{
    return t->abi->addr_mask ? addr & t->abi->addr_mask : addr;
}

int64_t sys_brk(Thread *t, const uint64_t *a)
{
    (void)t;
    return mm_brk(a[0]);
}

/* A 32-bit call of a 64-bit program (x86: INT 80h) must get what it can name. */
static int map_flags(const Thread *t, uint64_t flags)
{
    return (int)flags | (t->abi->word_bytes == 4 ? MAP_32BIT : 0);
}

int64_t sys_mmap(Thread *t, const uint64_t *a)
{
    return mm_mmap(a[0], a[1], (int)a[2], map_flags(t, a[3]), (int)a[4], a[5], 0);
}

/* The offset is in units of 4096 bytes whatever the page size. */
int64_t sys_mmap2(Thread *t, const uint64_t *a)
{
    return mm_mmap(a[0], a[1], (int)a[2], map_flags(t, a[3]), (int)a[4], a[5] << 12, 0);
}

int64_t sys_munmap(Thread *t, const uint64_t *a)
{
    return mm_munmap(place(t, a[0]), a[1]);
}

int64_t sys_mprotect(Thread *t, const uint64_t *a)
{
    return mm_mprotect(place(t, a[0]), a[1], (int)a[2]);
}

int64_t sys_pkey_mprotect(Thread *t, const uint64_t *a)
{
    return (int)a[3] == -1 ? mm_mprotect(place(t, a[0]), a[1], (int)a[2]) : -EINVAL;
}

int64_t sys_mremap(Thread *t, const uint64_t *a)
{
    return mm_mremap(place(t, a[0]), a[1], a[2], (int)a[3], a[4]);
}

int64_t sys_madvise(Thread *t, const uint64_t *a)
{
    return mm_madvise(place(t, a[0]), a[1], (int)a[2]);
}

int64_t sys_mincore(Thread *t, const uint64_t *a)
{
    return mm_mincore(place(t, a[0]), a[1], a[2]);
}

int64_t sys_msync(Thread *t, const uint64_t *a)
{
    return mm_msync(place(t, a[0]), a[1], (int)a[2]);
}

static int64_t lock_range(long nr, vaddr addr, uint64_t len, uint64_t flags)
{
    len += addr & (mm.page_bytes - 1);
    addr = ROUND_DOWN(addr, mm.page_bytes);
    if (!uaccess_ok(addr, len)) {
        return -ENOMEM;
    }
    return RAW_SYSCALL(nr, g2h(addr), len, flags);
}

int64_t sys_mlock(Thread *t, const uint64_t *a)
{
    return lock_range(SYS_mlock, place(t, a[0]), a[1], 0);
}

int64_t sys_munlock(Thread *t, const uint64_t *a)
{
    return lock_range(SYS_munlock, place(t, a[0]), a[1], 0);
}

int64_t sys_mlock2(Thread *t, const uint64_t *a)
{
    return lock_range(SYS_mlock2, place(t, a[0]), a[1], a[2]);
}

/* MCL_FUTURE would lock the code cache and every reservation: only what is mapped now. */
int64_t sys_mlockall(Thread *t, const uint64_t *a)
{
    (void)t;
    if (!a[0] || a[0] & ~(uint64_t)(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) || a[0] == MCL_ONFAULT) {
        return -EINVAL;
    }
    return 0;
}
