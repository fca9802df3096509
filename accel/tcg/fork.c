/*
 * fork.c: user mode, a fork that copies the address space.
 *
 * What a child does between fork and exec or exit is the same each time, and none of its children or siblings profits from what
 * it translates there. So a child reports the units it had to make in memory that it shares with its parent,
 * and the parent makes them before its next fork. Only pages that nobody writes to count, which the parent looks up anew: a
 * report says where it may be worth translating, nothing about the code there.
 *
 * Threads: the one that forks; a child's reports come from any.
 */
#include <setjmp.h>
#include <sys/mman.h>
#include "internal.h"

enum {
    REPORT_BYTES = 8192,
    MAX_AHEAD_UNITS = 1 << 14, /* by one process: children that do something new each time cost it no more */
};

typedef struct Report {
    _Atomic uint64_t mode;
    _Atomic uint32_t flags;
    _Atomic bool valid;
    _Atomic vaddr pc;
} Report;

typedef struct Reports {
    _Atomic uint32_t n; /* may exceed the space */
    Report at[];
} Reports;
enum { N_REPORTS = (REPORT_BYTES - sizeof(Reports)) / sizeof(Report) };

static struct {
    Reports *of_children, *to_parent; /* NULL: none */
    uint32_t n_ahead;
} hints;

void fork_note_unit(const TransUnit *unit)
{
    Reports *r = hints.to_parent;
    if (likely(!r) || unit->from == UNIT_UNSTABLE || atomic_load_explicit(&r->n, memory_order_relaxed) >= N_REPORTS) {
        return;
    }
    uint32_t i = atomic_fetch_add_explicit(&r->n, 1, memory_order_relaxed);
    if (i < N_REPORTS) {
        atomic_store_explicit(&r->at[i].pc, unit->pc, memory_order_relaxed);
        atomic_store_explicit(&r->at[i].mode, unit->mode, memory_order_relaxed);
        atomic_store_explicit(&r->at[i].flags, unit->flags, memory_order_relaxed);
        atomic_store_explicit(&r->at[i].valid, true, memory_order_release);
    }
}

/* May a translation look at this page without a fault or a guess, as long as this thread does nothing else? */
static bool page_stable(vaddr addr)
{
    uint8_t byte;
    int prot = tcg.user.page_prot(addr);
    if (prot < 0 || !(prot & PAGE_EXEC)) {
        return true; /* it looks no further */
    }
    return !(prot & (PAGE_WRITE | PAGE_SHARED)) && tcg.user.read(&byte, addr, 1);
}

static void translate_ahead(TcgVcpu *tv, vaddr pc, uint64_t mode, uint32_t flags)
{
    const uint64_t phys[2] = { pc >> TCG_PAGE_BITS, TCG_NO_PAGE };
    vaddr next = ROUND_DOWN(pc, (vaddr)TCG_PAGE_BYTES) + TCG_PAGE_BYTES;
    if (flags == (unit_flags(tv->vcpu) | guarded_flag(tv, pc, mode)) && !tb_find(pc, mode, flags, phys) && page_stable(pc) && page_stable(next)) {
        translate_unit(tv, pc, mode, flags);
        tv->has_fault = tv->want_room = false;
        hints.n_ahead++;
    }
}

void tcg_fork_prepare(Vcpu *vcpu)
{
    TcgVcpu *tv = tcg_vcpu(vcpu);
    Reports *r = hints.of_children;
    if (!tcg.host || !tcg.have_user_ops || unit_flags(vcpu) & (UNIT_STEP | UNIT_ONE_INSN)) {
        return;
    }
    if (!r) {
        r = mmap(NULL, REPORT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        hints.of_children = r == MAP_FAILED ? NULL : r;
        return;
    }
    uint32_t n = MIN(atomic_load(&r->n), (uint32_t)N_REPORTS);
    if (!n) {
        return;
    }
    tcg_enter(tv);
    for (uint32_t i = 0; i < n; i++) {
        /* An older child may be reporting still; what it has not finished is lost. */
        if (atomic_exchange(&r->at[i].valid, false) && hints.n_ahead < MAX_AHEAD_UNITS) {
            translate_ahead(tv, atomic_load_explicit(&r->at[i].pc, memory_order_relaxed),
                            atomic_load_explicit(&r->at[i].mode, memory_order_relaxed),
                            atomic_load_explicit(&r->at[i].flags, memory_order_relaxed));
        }
    }
    tcg_leave(tv);
    atomic_store(&r->n, 0);
}

void tcg_fork_begin(void)
{
    smc_fork_lock_outer();
    translator_fork_lock();
    tb_fork_lock();
    smc_fork_lock_inner();
    link_fork_lock();
    code_cache_fork_begin();
    pthread_mutex_lock(&tcg.vcpus_lock);
}

static void reports_in_child(void)
{
    if (hints.to_parent) {
        munmap(hints.to_parent, REPORT_BYTES);
    }
    hints.to_parent = hints.of_children;
    hints.of_children = NULL;
    hints.n_ahead = 0;
}

void tcg_fork_end(bool child)
{
    if (child) {
        /* The other threads are gone, wherever they were. */
        for (TcgVcpu *tv = tcg.vcpus; tv; tv = tv->next) {
            atomic_store(&tv->epoch, 0);
        }
        atomic_store(&tcg.n_invalidators, 0);
        persist_forked();
        reports_in_child();
    }
    pthread_mutex_unlock(&tcg.vcpus_lock);
    bool empty = code_cache_fork_end(child);
    link_fork_unlock();
    smc_fork_unlock();
    tb_fork_unlock();
    translator_fork_unlock(child);
    if (empty) {
        tcg_flush_all();
    }
}
