/*
 * watchpoint.c: data addresses gdb watches, system mode. Pages with one carry TLB_WATCH, so every access to
 * them goes through the slow path; one that overlaps leaves with VCPU_EXIT_DEBUG before it is done.
 *
 * Threads: changed while the vCPUs are stopped.
 */
#include "tlb.h"

static struct {
    pthread_mutex_t lock;
    VEC(Watchpoint) list;
    _Atomic bool any;
} watchpoints = { .lock = PTHREAD_MUTEX_INITIALIZER };

static bool overlap(const Watchpoint *w, vaddr addr, uint64_t size_bytes)
{
    return w->addr < addr + size_bytes && addr < w->addr + w->size_bytes;
}

static bool find(vaddr addr, uint64_t size_bytes, bool read, bool write)
{
    bool found = false;
    if (likely(!atomic_load_explicit(&watchpoints.any, memory_order_relaxed))) {
        return false;
    }
    pthread_mutex_lock(&watchpoints.lock);
    for (size_t i = 0; i < watchpoints.list.n && !found; i++) {
        const Watchpoint *w = &watchpoints.list.at[i];
        found = ((w->read && read) || (w->write && write)) && overlap(w, addr, size_bytes);
    }
    pthread_mutex_unlock(&watchpoints.lock);
    return found;
}

bool watchpoint_hit(vaddr addr, unsigned size_bytes, MmuAccess access)
{
    return find(addr, size_bytes, access == MMU_READ, access == MMU_WRITE);
}

bool watchpoint_on_page(vaddr addr)
{
    return find(ROUND_DOWN(addr, (vaddr)TCG_PAGE_BYTES), TCG_PAGE_BYTES, true, true);
}

void watchpoint_set(vaddr addr, uint64_t size_bytes, bool read, bool write, bool insert)
{
    Watchpoint w = { addr, size_bytes, read, write };
    pthread_mutex_lock(&watchpoints.lock);
    if (insert) {
        *vec_push(&watchpoints.list) = w;
    } else {
        for (size_t i = 0; i < watchpoints.list.n; i++) {
            const Watchpoint *at = &watchpoints.list.at[i];
            if (at->addr == addr && at->size_bytes == size_bytes && at->read == read && at->write == write) {
                watchpoints.list.at[i] = watchpoints.list.at[--watchpoints.list.n];
                break;
            }
        }
    }
    atomic_store(&watchpoints.any, watchpoints.list.n != 0);
    pthread_mutex_unlock(&watchpoints.lock);
}
