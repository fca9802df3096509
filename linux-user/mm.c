/*
 * mm.c: the guest's address space.
 *
 * The window [0, task_size) at guest_base is the guest's alone: all placement (mmap, stack, brk, PIE) is decided here,
 * and nothing of ours is ever inside. For 64-bit guests guest_base is 0 where the host allows, and the window is
 * what lies below everything of ours; for 32-bit guests it is a reserved mapping with guards on both sides.
 *
 * The map is a sorted array of VMAs with the protections the guest asked for; a host page is never executable, and
 * may be less writable than the VMA says while it holds translated code (host_protect). Neighbours with equal
 * protection and flags are merged.
 *
 * A program linked above everything of ours has a place of its own there, reserved, with room for its heap; all else is placed in the window.
 *
 * Leaves out: host pages larger than the guest's; with guest pages larger than the host's, a file's last page ends with the host page.
 *
 * Threads: everything may be called from any thread. The lock is innermost except for the translator's own: tcg_*
 * is never called with it held, and no guest memory is touched under it.
 */
#include <sched.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "linux-user/user.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

/* STACK_GUARD_BYTES: what Linux keeps free below a growing mapping. ABOVE_HEAP_BYTES: room behind a program above ours. */
enum { HOST_PAGE_BYTES = 4096, GUARD_BYTES = 65536, STACK_GUARD_BYTES = 1 << 20, ABOVE_HEAP_BYTES = 1 << 30, HUGE_BYTES = 2 * MiB };

/* The address sanitizer's shadow takes 0x7fff8000 to 16 TiB: the guest lives above it. */
#ifdef __SANITIZE_ADDRESS__
#define DEFAULT_BASE (32 * TiB)
#else
#define DEFAULT_BASE UINT64_C(0)
#endif

/* The thread sanitizer's begins at 1 TiB. */
#ifdef __SANITIZE_THREAD__
#define MOST_ROOM TiB
#else
#define MOST_ROOM UINT64_MAX
#endif

Mm mm;

static pthread_mutex_t mm_lock = PTHREAD_MUTEX_INITIALIZER;
static VEC(Vma) vmas;

typedef struct ShmSegment {
    vaddr start;
    uint64_t bytes;
} ShmSegment;
static VEC(ShmSegment) shm_segments;

static void lock(void)
{
    pthread_mutex_lock(&mm_lock);
}

static void unlock(void)
{
    pthread_mutex_unlock(&mm_lock);
}

/*
 * Translations of what was unmapped go after the lock is released, for translators ask for protections with locks of theirs held. Until they
 * are gone nothing new may appear there: translations of the old would be found for it.
 */
static void lock_to_map(void)
{
    lock();
    while (atomic_load(&mm.n_invalidating)) {
        unlock();
        sched_yield();
        lock();
    }
}

static void unlock_and_invalidate(bool had_exec, vaddr addr, uint64_t len)
{
    if (!had_exec || !len) {
        unlock();
        return;
    }
    atomic_fetch_add(&mm.n_invalidating, 1);
    unlock();
    tcg_invalidate(addr, addr + len - 1);
    atomic_fetch_sub(&mm.n_invalidating, 1);
}

void mm_fork_lock(void)
{
    lock();
}

void mm_fork_unlock(void)
{
    unlock();
}

/* In the child: threads that are not there were in the middle of it. */
void mm_fork_child(void)
{
    if (atomic_exchange(&mm.n_invalidating, 0)) {
        tcg_flush_all();
    }
}

/* -- the map ------------------------------------------------------------------------------------- */

/* Index of the first VMA that ends above addr. */
static size_t vma_find(vaddr addr)
{
    size_t lo = 0, hi = vmas.n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (vmas.at[mid].end > addr) {
            hi = mid;
        } else {
            lo = mid + 1;
        }
    }
    return lo;
}

static void vma_insert_at(size_t i, Vma v)
{
    (void)vec_push(&vmas);
    memmove(&vmas.at[i + 1], &vmas.at[i], (vmas.n - 1 - i) * sizeof(Vma));
    vmas.at[i] = v;
}

static void vma_delete(size_t i, size_t n)
{
    memmove(&vmas.at[i], &vmas.at[i + n], (vmas.n - i - n) * sizeof(Vma));
    vmas.n -= n;
}

/* Makes addr a boundary between VMAs; index of the first one at or above it. */
static size_t vma_split(vaddr addr)
{
    size_t i = vma_find(addr);
    if (i < vmas.n && vmas.at[i].start < addr) {
        Vma upper = vmas.at[i];
        upper.start = addr;
        vmas.at[i].end = addr;
        vma_insert_at(i + 1, upper);
        return i + 1;
    }
    return i;
}

static void vma_merge_around(size_t i)
{
    for (size_t k = i + 1; k-- > (i ? i - 1 : 0);) {
        if (k + 1 < vmas.n && vmas.at[k].end == vmas.at[k + 1].start && vmas.at[k].prot == vmas.at[k + 1].prot
            && vmas.at[k].flags == vmas.at[k + 1].flags) {
            vmas.at[k].end = vmas.at[k + 1].end;
            vma_delete(k + 1, 1);
        }
    }
}

/* Forgets [start, end); true if code may have been there. */
static bool vma_remove(vaddr start, vaddr end)
{
    bool had_exec = false;
    size_t i = vma_find(start);
    if (i == vmas.n || vmas.at[i].start >= end) {
        return false;
    }
    size_t a = vma_split(start), b = vma_split(end);
    for (size_t k = a; k < b; k++) {
        had_exec |= (vmas.at[k].prot & PAGE_EXEC) != 0;
    }
    vma_delete(a, b - a);
    if (unlikely(mm.tagged)) {
        user.abi->tags_change(TAGS_REMOVE, start, end, 0);
    }
    return had_exec;
}

static void vma_add(vaddr start, vaddr end, unsigned prot, unsigned flags)
{
    if (unlikely(prot & PAGE_TAGGED)) {
        mm.tagged = true;
        user.abi->tags_change(TAGS_ADD, start, end, 0);
    }
    size_t i = vma_find(start);
    vma_insert_at(i, (Vma){ start, end, (uint8_t)prot, (uint8_t)flags });
    vma_merge_around(i);
}

static bool range_free(vaddr start, vaddr end)
{
    size_t i = vma_find(start);
    return i == vmas.n || vmas.at[i].start >= end;
}

static bool range_mapped(vaddr start, vaddr end)
{
    for (size_t i = vma_find(start); start < end; i++) {
        if (i == vmas.n || vmas.at[i].start > start) {
            return false;
        }
        start = vmas.at[i].end;
    }
    return true;
}

/* Where the mapping begins for those who look for a place below it. */
static vaddr start_with_guard(const Vma *v)
{
    return v->flags & VMA_GROWS ? v->start - MIN(v->start, (vaddr)STACK_GUARD_BYTES) : v->start;
}

#define MAP_32BIT_END UINT64_C(0x80000000) /* mmap(2): the first 2 GiB */

/* The highest gap of len bytes below `top`; 0: none. */
static vaddr find_gap_below(vaddr top, uint64_t len, uint64_t align)
{
    vaddr floor = MAX((vaddr)0x10000, mm.page_bytes);
    size_t i = vma_find(top);
    vaddr limit = i < vmas.n ? MIN(top, start_with_guard(&vmas.at[i])) : top;
    for (;;) {
        vaddr below = i ? vmas.at[i - 1].end : floor;
        below = MAX(below, floor);
        if (limit > below && limit - below >= len) {
            vaddr addr = ROUND_DOWN(limit - len, align);
            if (addr >= below) {
                return addr;
            }
        }
        if (!i) {
            return 0;
        }
        i--;
        limit = MIN(limit, start_with_guard(&vmas.at[i]));
    }
}

/* Placement as Linux does it: the hint when free, else top-down, else (huge reservations) the space above. */
static vaddr find_gap(vaddr hint, uint64_t len, uint64_t align)
{
    if (len > mm.task_size) {
        return 0;
    }
    hint = ROUND_DOWN(hint, mm.page_bytes);
    if (hint >= 0x10000 && hint <= mm.task_size - len && hint % align == 0 && range_free(hint, hint + len)) {
        return hint;
    }
    vaddr addr = find_gap_below(mm.mmap_top, len, align);
    return addr ? addr : find_gap_below(mm.task_size, len, align);
}

static unsigned page_of_host_prot(int prot)
{
    unsigned more = (unsigned)prot & mm.prot_bits;
    return (more ? user.abi->page_of_prot(more) : 0) | (prot & PROT_READ ? PAGE_READ : 0) | (prot & PROT_WRITE ? PAGE_WRITE : 0)
           | (prot & PROT_EXEC ? PAGE_EXEC : 0);
}

/* Guest code is read, never run, by the host. */
static int host_prot(unsigned page)
{
    return (page & (PAGE_READ | PAGE_EXEC) ? PROT_READ : 0) | (page & PAGE_WRITE ? PROT_READ | PROT_WRITE : 0);
}

int mm_page_prot(vaddr addr)
{
    lock();
    size_t i = vma_find(addr);
    int prot = -1;
    if (i < vmas.n && vmas.at[i].start <= addr) {
        prot = vmas.at[i].prot | (vmas.at[i].flags & VMA_SHARED ? PAGE_SHARED : 0);
    }
    unlock();
    return prot;
}

Vma *mm_snapshot(size_t *ret_n)
{
    lock();
    Vma *copy = xmemdup(vmas.at, MAX(vmas.n, (size_t)1) * sizeof(Vma));
    *ret_n = vmas.n;
    unlock();
    return copy;
}

/* -- the translator's hooks ------------------------------------------------------------------------- */

static void host_protect(vaddr page, size_t size_bytes, bool writable)
{
    lock();
    if (!writable) {
        atomic_store_explicit(&mm.n_protected, 1, memory_order_seq_cst);
    }
    for (size_t i = vma_find(page); i < vmas.n && vmas.at[i].start < page + size_bytes; i++) {
        vaddr start = MAX(page, vmas.at[i].start), end = MIN(page + size_bytes, vmas.at[i].end);
        int prot = host_prot(vmas.at[i].prot);
        if (vmas.at[i].prot & PAGE_WRITE) {
            mprotect(g2h(start), end - start, writable ? prot : PROT_READ);
        }
    }
    unlock();
}

static const TcgUserOps tcg_ops = { .page_prot = mm_page_prot, .host_protect = host_protect, .read = copy_from_guest };

const TcgUserOps *mm_tcg_ops(void)
{
    return &tcg_ops;
}

void mm_open_for_kernel(vaddr addr, uint64_t size_bytes)
{
    vaddr end = addr + size_bytes;
    for (vaddr page = ROUND_DOWN(addr, (vaddr)HOST_PAGE_BYTES); page < end; page += HOST_PAGE_BYTES) {
        lock();
        size_t i = vma_find(page);
        bool mapped = i < vmas.n && vmas.at[i].start <= page;
        Vma v = mapped ? vmas.at[i] : (Vma){ 0 };
        vaddr next = mapped ? v.end : i < vmas.n ? vmas.at[i].start : end;
        unlock();
        /* Only pages that may be written and run can have been protected: skip the rest in one step. */
        if (mapped && (v.prot & (PAGE_WRITE | PAGE_EXEC)) == (PAGE_WRITE | PAGE_EXEC)) {
            tcg_unprotect(page);
        } else {
            page = next - HOST_PAGE_BYTES;
        }
    }
}

/* -- set-up ------------------------------------------------------------------------------------------ */

static vaddr min_map_addr(void)
{
    char text[32] = "";
    int fd = open("/proc/sys/vm/mmap_min_addr", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return 65536;
    }
    ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    return n > 0 ? strtoull(text, NULL, 10) : 65536;
}

/* The lowest address of anything of ours, rounded down generously: what the host places later goes next to it. */
static uintptr_t lowest_of_ours(void)
{
    int on_stack;
    uintptr_t lowest = MIN((uintptr_t)&mm, (uintptr_t)&on_stack);
    void *probe = mmap(NULL, HOST_PAGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (probe != MAP_FAILED) {
        lowest = MIN(lowest, (uintptr_t)probe);
        munmap(probe, HOST_PAGE_BYTES);
    }
    uintptr_t brk_now = (uintptr_t)sbrk(0);
    return MIN(lowest, brk_now);
}

static bool reserve_window(uint64_t window_bytes, bool at_base, uintptr_t base, Error **errp)
{
    uint64_t total = window_bytes + 2 * GUARD_BYTES + HUGE_BYTES;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (at_base ? MAP_FIXED_NOREPLACE : 0);
    void *want = at_base ? (void *)base : NULL;
    if (at_base) {
        total = window_bytes;
    }
    char *p = mmap(want, total, PROT_NONE, flags, -1, 0);
    if (p == MAP_FAILED) {
        error_set_errno(errp, errno, "cannot reserve %" PRIu64 " MiB of address space for the guest",
                        total >> 20);
        return false;
    }
    /* Pages of 2 MiB (MAP_HUGETLB) are to be aligned on both sides. */
    mm.guest_base = at_base ? (uintptr_t)p : ROUND_UP((uintptr_t)p + GUARD_BYTES, (uintptr_t)HUGE_BYTES);
    mm.reserved = true;
    return true;
}

/* A place for a program above everything of ours, with as much room for its heap as there is: nothing may lie there. */
static bool reserve_above(const Abi *abi, vaddr lowest, vaddr highest)
{
    if (mm.reserved || lowest < mm.task_size || highest > abi->task_size) {
        return false;
    }
    for (uint64_t heap = ABOVE_HEAP_BYTES;; heap /= 4) {
        vaddr end = MIN(ROUND_UP(highest + heap, mm.page_bytes), ROUND_DOWN(abi->task_size, mm.page_bytes));
        void *p = mmap(g2h(lowest), end - lowest, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
        if (p == g2h(lowest)) {
            mm.above_start = lowest;
            mm.above_end = end;
            return true;
        }
        if (p != MAP_FAILED) { /* a kernel without MAP_FIXED_NOREPLACE */
            munmap(p, end - lowest);
        }
        if (!heap) {
            return false;
        }
    }
}

bool mm_init(const Abi *abi, vaddr lowest, vaddr highest, Error **errp)
{
    const UserOptions *o = &user.options;
    mm.page_bytes = o->page_bytes ? o->page_bytes : (uint64_t)1 << user.target->page_bits;
    mm.page_bytes = MAX(mm.page_bytes, (uint64_t)HOST_PAGE_BYTES);
    mm.task_size = abi->task_size;
    mm.stack_top = ROUND_DOWN(abi->stack_top, mm.page_bytes);
    mm.mmap_top = ROUND_DOWN(abi->mmap_top, mm.page_bytes);
    if (o->reserved_va) {
        if (o->reserved_va % mm.page_bytes || o->reserved_va < 16 * MiB || o->reserved_va > abi->task_size) {
            error_set(errp, "-R: the size must be a multiple of the page size between 16 MiB and %#" PRIx64,
                      abi->task_size);
            return false;
        }
        mm.task_size = o->reserved_va;
        mm.stack_top = MIN(mm.stack_top, mm.task_size - mm.page_bytes * 16);
        mm.mmap_top = MIN(mm.mmap_top, mm.stack_top);
    }
    if (abi->word_bytes == 4 || o->reserved_va) {
        /* Addresses of 32-bit guests wrap at 4 GiB, wherever their own top is. */
        uint64_t window = abi->word_bytes == 4 ? 4 * GiB : mm.task_size;
        if (!reserve_window(window, o->have_guest_base && o->guest_base, o->guest_base, errp)) {
            return false;
        }
    } else {
        uintptr_t ours = lowest_of_ours();
        mm.guest_base = DEFAULT_BASE;
        if (o->have_guest_base) {
            mm.guest_base = o->guest_base;
        } else if (lowest < 65536 && lowest < min_map_addr()) { /* 65536: the highest default there is */
            mm.guest_base = MAX(1 * TiB, DEFAULT_BASE);
        }
        if (mm.guest_base % HOST_PAGE_BYTES || mm.guest_base >= ours) {
            error_set(errp, "-B: guest base %#" PRIxPTR " is not usable", mm.guest_base);
            return false;
        }
        uintptr_t room = ROUND_DOWN(ours - mm.guest_base, GiB);
        mm.task_size = MIN(mm.task_size, MIN((vaddr)room, MOST_ROOM));
        if (mm.stack_top > mm.task_size) { /* an unusual host layout: keep everything inside the window */
            mm.stack_top = mm.task_size - 16 * mm.page_bytes;
            mm.mmap_top = mm.stack_top;
        }
    }
    if (highest > mm.task_size && !reserve_above(abi, lowest, highest)) {
        error_set(errp, "the program wants the addresses %#" PRIx64 " to %#" PRIx64 ", which are beyond the guest's address space or in use", lowest,
                  highest);
        return false;
    }
    return true;
}

/* -- the system calls ------------------------------------------------------------------------------------ */

static int64_t page_up(uint64_t len)
{
    return (int64_t)ROUND_UP(len, mm.page_bytes);
}

/* Unmapped pages there stay PROT_NONE. */
static bool is_reserved(vaddr addr) { return mm.reserved || addr >= mm.task_size; }

static void host_unmap(vaddr addr, uint64_t len)
{
    if (is_reserved(addr)) {
        mmap(g2h(addr), len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    } else {
        munmap(g2h(addr), len);
    }
}

/* tmpfs and memfd: what may have tags beside anonymous memory. */
static bool is_ram_file(int fd)
{
    struct statfs st;
    return fstatfs(fd, &st) == 0 && st.f_type == 0x01021994 /* TMPFS_MAGIC */;
}

int64_t mm_mmap(vaddr addr, uint64_t len, int prot, int flags, int fd, uint64_t offset, unsigned vma_flags)
{
    if (offset & (HOST_PAGE_BYTES - 1)) {
        return -EINVAL;
    }
    if (!(flags & MAP_ANONYMOUS) && fcntl(fd, F_GETFD) < 0) {
        return -EBADF;
    }
    if (!len) {
        return -EINVAL;
    }
    if (len > mm.task_size) {
        return -ENOMEM;
    }
    uint64_t map_len = (uint64_t)page_up(len);
    bool fixed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);
    bool replace = (flags & MAP_FIXED) && !(flags & MAP_FIXED_NOREPLACE);
    if (fixed && (addr & (mm.page_bytes - 1))) {
        return -EINVAL;
    }
    if (fixed && !mm_inside(addr, map_len)) {
        return -ENOMEM;
    }
    uint64_t align = mm.page_bytes;
    if (flags & MAP_HUGETLB) {
        unsigned log2 = (unsigned)flags >> 26 & 0x3f;
        align = MAX(align, (uint64_t)1 << (log2 ? log2 : 21));
        len = map_len = ROUND_UP(map_len, align); /* as the kernel does; the rest is part of the mapping */
        if (map_len > mm.task_size || (fixed && !mm_inside(addr, map_len))) {
            return -ENOMEM;
        }
    }
    if (flags & MAP_SHARED) {
        vma_flags |= VMA_SHARED;
    }
    if (!(flags & MAP_ANONYMOUS)) {
        vma_flags |= VMA_FILE;
    }
    if (flags & MAP_GROWSDOWN) {
        vma_flags |= VMA_GROWS;
        atomic_store(&mm.growing, true);
    }
    unsigned page = page_of_host_prot(prot);
    if (mm.prot_bits && !(flags & MAP_ANONYMOUS) && is_ram_file(fd)) {
        vma_flags |= VMA_RAM_FILE;
    }
    if ((page & PAGE_TAGGED) && !(flags & MAP_ANONYMOUS) && !(vma_flags & VMA_RAM_FILE)) {
        return -EINVAL;
    }
    int host_flags = (flags & ~(MAP_GROWSDOWN | MAP_32BIT | MAP_FIXED | MAP_FIXED_NOREPLACE));
    bool had_exec = false;

    lock_to_map();
    if (!fixed && (flags & MAP_32BIT) && user.abi->has_map_32bit) {
        addr = find_gap_below(MAP_32BIT_END, map_len, align);
    } else if (!fixed) {
        addr = find_gap(addr, map_len, align);
    }
    if (!fixed) {
        if (!addr) {
            unlock();
            return -ENOMEM;
        }
    } else if (!replace && !range_free(addr, addr + map_len)) {
        unlock();
        return -EEXIST;
    }
    bool over = is_reserved(addr) || (replace && !range_free(addr, addr + map_len));
    host_flags |= over ? MAP_FIXED : MAP_FIXED_NOREPLACE;
    void *p = mmap(g2h(addr), len, host_prot(page), host_flags, fd, (off_t)offset);
    if (p == MAP_FAILED || p != g2h(addr)) {
        int err = p == MAP_FAILED ? errno : EEXIST;
        if (p != MAP_FAILED) { /* a kernel without MAP_FIXED_NOREPLACE placed it elsewhere */
            munmap(p, len);
        }
        unlock();
        return err == EEXIST && replace ? -ENOMEM : -err;
    }
    if (map_len > (uint64_t)ROUND_UP(len, (uint64_t)HOST_PAGE_BYTES)) {
        uint64_t done = ROUND_UP(len, (uint64_t)HOST_PAGE_BYTES);
        mmap(g2h(addr + done), map_len - done, host_prot(page), MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    }
    if (replace) {
        had_exec = vma_remove(addr, addr + map_len);
    }
    vma_add(addr, addr + map_len, page, vma_flags);
    if (vma_flags & VMA_SHARED && page & PAGE_WRITE) {
        thread_not_alone();
    }
    unlock_and_invalidate(had_exec, addr, map_len);
    if (page & PAGE_GUARDED) {
        thread_pages_guarded();
    }
    return (int64_t)addr;
}

/* As Linux expands a stack: within RLIMIT_STACK, and away from an accessible neighbour that is no stack itself. */
bool mm_grow(vaddr addr)
{
    struct rlimit limit;
    if (!atomic_load_explicit(&mm.growing, memory_order_relaxed) || !mm_inside(addr, 1)) {
        return false;
    }
    vaddr start = ROUND_DOWN(addr, mm.page_bytes), floor = MAX((vaddr)0x10000, mm.page_bytes);
    bool grown = false;
    lock();
    size_t i = vma_find(addr);
    if (i < vmas.n && vmas.at[i].start > addr && (vmas.at[i].flags & VMA_GROWS) && vmas.at[i].prot && start >= floor) {
        Vma v = vmas.at[i];
        const Vma *below = i ? &vmas.at[i - 1] : NULL;
        bool room = !below || !below->prot || (below->flags & VMA_GROWS) || start - below->end >= STACK_GUARD_BYTES;
        bool allowed = getrlimit(RLIMIT_STACK, &limit) < 0 || v.end - start <= limit.rlim_cur;
        if (room && allowed) {
            int flags = MAP_PRIVATE | MAP_ANONYMOUS | (is_reserved(start) ? MAP_FIXED : MAP_FIXED_NOREPLACE);
            grown = mmap(g2h(start), v.start - start, host_prot(v.prot), flags, -1, 0) == g2h(start);
            if (grown) {
                vma_add(start, v.start, v.prot, v.flags);
            }
        }
    }
    unlock();
    return grown;
}

int64_t mm_munmap(vaddr addr, uint64_t len)
{
    if (addr & (mm.page_bytes - 1) || !len || !mm_inside(addr, len)) {
        return -EINVAL;
    }
    len = (uint64_t)page_up(len);
    lock();
    bool had_exec = vma_remove(addr, addr + len);
    host_unmap(addr, len);
    unlock_and_invalidate(had_exec, addr, len);
    return 0;
}

static bool may_be_tagged(vaddr start, vaddr end)
{
    for (size_t i = vma_find(start); i < vmas.n && vmas.at[i].start < end; i++) {
        if ((vmas.at[i].flags & (VMA_FILE | VMA_RAM_FILE)) == VMA_FILE) {
            return false;
        }
    }
    return true;
}

int64_t mm_mprotect(vaddr addr, uint64_t len, int prot)
{
    if (addr & (mm.page_bytes - 1)) {
        return -EINVAL;
    }
    if ((unsigned)prot & ~((unsigned)(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_GROWSDOWN | PROT_GROWSUP | 8 /* PROT_SEM */) | mm.prot_bits)) {
        return -EINVAL;
    }
    if (!len) {
        return 0;
    }
    if (!mm_inside(addr, len)) {
        return -ENOMEM;
    }
    len = (uint64_t)page_up(len);
    unsigned page = page_of_host_prot(prot);
    bool exec = false;
    lock();
    if (prot & PROT_GROWSDOWN) { /* from the beginning of the mapping, which has to be a stack */
        size_t first = vma_find(addr);
        if (first == vmas.n || vmas.at[first].start > addr || !(vmas.at[first].flags & (VMA_GROWS | VMA_STACK))) {
            int64_t err = first == vmas.n || vmas.at[first].start > addr ? -ENOMEM : -EINVAL;
            unlock();
            return err;
        }
        len += addr - vmas.at[first].start;
        addr = vmas.at[first].start;
    }
    if (!range_mapped(addr, addr + len)) {
        unlock();
        return -ENOMEM;
    }
    if ((page & PAGE_TAGGED) && !may_be_tagged(addr, addr + len)) {
        unlock();
        return -EINVAL;
    }
    if (mprotect(g2h(addr), len, host_prot(page)) < 0) {
        int err = errno;
        unlock();
        return -err;
    }
    size_t a = vma_split(addr), b = vma_split(addr + len);
    for (size_t i = a; i < b; i++) {
        exec |= (vmas.at[i].prot & PAGE_EXEC) != 0;
        vmas.at[i].prot = (uint8_t)(page | (vmas.at[i].prot & PAGE_TAGGED)); /* which stays */
        if (vmas.at[i].flags & VMA_SHARED && page & PAGE_WRITE) {
            thread_not_alone();
        }
    }
    for (size_t i = b + 1; i-- > a;) {
        vma_merge_around(i);
    }
    if (page & PAGE_TAGGED) {
        mm.tagged = true;
        user.abi->tags_change(TAGS_ADD, addr, addr + len, 0);
    }
    unlock_and_invalidate(exec, addr, len);
    if (page & PAGE_GUARDED) {
        thread_pages_guarded();
    }
    return 0;
}

int64_t mm_mremap(vaddr addr, uint64_t old_len, uint64_t new_len, int flags, vaddr new_addr)
{
    enum { DONTUNMAP = 4 };
    if (addr & (mm.page_bytes - 1) || flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED | DONTUNMAP) || !new_len
        || ((flags & (MREMAP_FIXED | DONTUNMAP)) && !(flags & MREMAP_MAYMOVE))) {
        return -EINVAL;
    }
    if (new_len > mm.task_size) {
        return -ENOMEM;
    }
    old_len = (uint64_t)page_up(old_len);
    new_len = (uint64_t)page_up(new_len);
    if (!mm_inside(addr, old_len)) {
        return -EFAULT; /* nothing is mapped there */
    }
    if ((flags & DONTUNMAP) && old_len != new_len) {
        return -EINVAL;
    }
    if (flags & MREMAP_FIXED) {
        if (new_addr & (mm.page_bytes - 1) || !mm_inside(new_addr, new_len)
            || (new_addr < addr + old_len && addr < new_addr + new_len)) {
            return -EINVAL;
        }
    }
    lock_to_map();
    size_t i = vma_find(addr);
    if (i == vmas.n || vmas.at[i].start > addr || vmas.at[i].end < addr + old_len) {
        unlock();
        return -EFAULT;
    }
    Vma v = vmas.at[i];
    bool had_exec = false, done = false;
    bool forced = flags & (MREMAP_FIXED | DONTUNMAP);
    vaddr result = addr;
    int err = ENOMEM;
    if (!forced && new_len <= old_len) {
        if (new_len < old_len) {
            had_exec = vma_remove(addr + new_len, addr + old_len);
            host_unmap(addr + new_len, old_len - new_len);
        }
        done = true;
    } else if (!forced && old_len && v.end == addr + old_len && mm_inside(addr, new_len)
               && range_free(addr + old_len, addr + new_len)) {
        if (is_reserved(addr)) {
            munmap(g2h(addr + old_len), new_len - old_len);
        }
        done = mremap(g2h(addr), old_len, new_len, 0) != MAP_FAILED;
        if (done) {
            vma_add(addr + old_len, addr + new_len, v.prot, v.flags);
        } else {
            err = errno;
            if (is_reserved(addr)) {
                host_unmap(addr + old_len, new_len - old_len);
            }
        }
    }
    if (!done && (flags & MREMAP_MAYMOVE)) {
        vaddr dst = flags & MREMAP_FIXED ? new_addr : find_gap(new_addr, new_len, mm.page_bytes);
        void *p = MAP_FAILED;
        errno = ENOMEM;
        if (dst) {
            p = mremap(g2h(addr), old_len, new_len, MREMAP_MAYMOVE | MREMAP_FIXED | (flags & DONTUNMAP), g2h(dst));
        }
        done = p != MAP_FAILED;
        if (!done) {
            err = errno;
        } else {
            had_exec |= vma_remove(dst, dst + new_len);
            if (v.prot & PAGE_TAGGED) {
                user.abi->tags_change(TAGS_MOVE, addr, addr + MIN(old_len, new_len), dst);
            }
            if (!(flags & DONTUNMAP) && old_len) {
                had_exec |= vma_remove(addr, addr + old_len);
                if (is_reserved(addr)) {
                    host_unmap(addr, old_len);
                }
            }
            vma_add(dst, dst + new_len, v.prot, v.flags);
            result = dst;
        }
    }
    if (result != addr && had_exec) {
        atomic_fetch_add(&mm.n_invalidating, 1);
        unlock();
        tcg_invalidate(result, result + new_len - 1);
        lock();
        atomic_fetch_sub(&mm.n_invalidating, 1);
    }
    unlock_and_invalidate(had_exec, addr, old_len);
    return done ? (int64_t)result : -err;
}

int64_t mm_madvise(vaddr addr, uint64_t len, int advice)
{
    if (addr & (mm.page_bytes - 1) || len > mm.task_size) {
        return -EINVAL;
    }
    if (!len) {
        return 0;
    }
    if (!mm_inside(addr, len)) {
        return -ENOMEM;
    }
    len = (uint64_t)page_up(len);
    if (is_reserved(addr) && !(advice == MADV_DONTNEED || advice == MADV_WILLNEED || advice == MADV_FREE)) {
        lock();
        bool mapped = range_mapped(addr, addr + len);
        unlock();
        if (!mapped) {
            return -ENOMEM;
        }
    }
    int64_t ret = madvise(g2h(addr), len, advice) < 0 ? -errno : 0;
    if (advice == MADV_DONTNEED || advice == MADV_REMOVE || advice == MADV_FREE) {
        lock();
        bool exec = false;
        for (size_t i = vma_find(addr); i < vmas.n && vmas.at[i].start < addr + len; i++) {
            exec |= (vmas.at[i].prot & PAGE_EXEC) != 0;
        }
        if (mm.tagged && advice == MADV_DONTNEED) {
            user.abi->tags_change(TAGS_CLEAR, addr, addr + len, 0);
        }
        unlock();
        if (exec) {
            tcg_invalidate(addr, addr + len - 1);
        }
    }
    return ret;
}

int64_t mm_mincore(vaddr addr, uint64_t len, vaddr vec)
{
    if (addr & (mm.page_bytes - 1)) {
        return -EINVAL;
    }
    if (!mm_inside(addr, len)) {
        return -ENOMEM;
    }
    lock();
    bool mapped = range_mapped(addr, addr + (uint64_t)page_up(len));
    unlock();
    if (!mapped) {
        return -ENOMEM;
    }
    unsigned per = (unsigned)(mm.page_bytes / HOST_PAGE_BYTES);
    for (uint64_t page = 0; page < DIV_ROUND_UP(len, mm.page_bytes); page++) {
        unsigned char in[16] = { 0 }, out = 1;
        for (unsigned k = 0; k < per; k++) {
            if (mincore(g2h(addr + page * mm.page_bytes + k * HOST_PAGE_BYTES), HOST_PAGE_BYTES, in) < 0) {
                return -errno;
            }
            out &= in[0];
        }
        if (!copy_to_guest(vec + page, &out, 1)) {
            return -EFAULT;
        }
    }
    return 0;
}

int64_t mm_msync(vaddr addr, uint64_t len, int flags)
{
    if (addr & (mm.page_bytes - 1)) {
        return -EINVAL;
    }
    if (len && !uaccess_ok(addr, len)) {
        return -ENOMEM;
    }
    return RAW_SYSCALL(SYS_msync, g2h(addr), len, flags);
}

int64_t mm_brk(vaddr addr)
{
    if (addr < mm.brk_start || !mm_inside(addr, 1)) {
        return (int64_t)mm.brk;
    }
    vaddr old_end = ROUND_UP(mm.brk, mm.page_bytes), new_end = ROUND_UP(addr, mm.page_bytes);
    if (new_end > old_end) {
        int64_t r = mm_mmap(old_end, new_end - old_end, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0, VMA_HEAP);
        if (r < 0) {
            return (int64_t)mm.brk;
        }
    } else if (new_end < old_end) {
        mm_munmap(new_end, old_end - new_end);
    }
    mm.brk = addr;
    return (int64_t)mm.brk;
}

int64_t mm_shmat(int id, vaddr addr, int flags)
{
    struct shmid_ds ds;
    if (shmctl(id, IPC_STAT, &ds) < 0) {
        return -errno;
    }
    if (addr & (mm.page_bytes - 1)) {
        if (!(flags & SHM_RND)) {
            return -EINVAL;
        }
        addr = ROUND_DOWN(addr, mm.page_bytes);
    }
    uint64_t len = (uint64_t)page_up(ds.shm_segsz);
    lock_to_map();
    bool fixed = addr != 0;
    if (!fixed) {
        addr = find_gap(0, len, mm.page_bytes);
    } else if (!uaccess_ok(addr, len) || (!(flags & SHM_REMAP) && !range_free(addr, addr + len))) {
        unlock();
        return -EINVAL;
    }
    if (!addr) {
        unlock();
        return -ENOMEM;
    }
    int host_flags = (flags & (SHM_RDONLY | SHM_REMAP)) | (is_reserved(addr) ? SHM_REMAP : 0);
    void *p = shmat(id, g2h(addr), host_flags);
    if (p == (void *)-1) {
        int err = errno;
        unlock();
        return -err;
    }
    bool had_exec = vma_remove(addr, addr + len);
    vma_add(addr, addr + len, PAGE_READ | (flags & SHM_RDONLY ? 0 : PAGE_WRITE) | (flags & SHM_EXEC ? PAGE_EXEC : 0),
            VMA_SHARED | VMA_SHM);
    *vec_push(&shm_segments) = (ShmSegment){ addr, len };
    if (!(flags & SHM_RDONLY)) {
        thread_not_alone();
    }
    unlock_and_invalidate(had_exec, addr, len);
    return (int64_t)addr;
}

int64_t mm_shmdt(vaddr addr)
{
    int64_t ret = -EINVAL;
    bool had_exec = false;
    uint64_t len = 0;
    lock();
    for (size_t i = 0; i < shm_segments.n; i++) {
        if (shm_segments.at[i].start == addr) {
            len = shm_segments.at[i].bytes;
            ret = shmdt(g2h(addr)) < 0 ? -errno : 0;
            if (!ret) {
                had_exec = vma_remove(addr, addr + len);
                if (is_reserved(addr)) {
                    host_unmap(addr, len);
                }
                shm_segments.at[i] = shm_segments.at[--shm_segments.n];
            }
            break;
        }
    }
    unlock_and_invalidate(had_exec, addr, len);
    return ret;
}
