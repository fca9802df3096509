/*
 * breakpoint.c: where gdb wants to stop. A unit never goes past a breakpoint: it ends before, and a unit
 * that begins at one only leaves with VCPU_EXIT_DEBUG (single steps ignore them).
 *
 * Threads: any.
 */
#include "internal.h"

static struct {
    pthread_mutex_t lock;
    VEC(vaddr) pcs;
} breakpoints = { .lock = PTHREAD_MUTEX_INITIALIZER };

bool breakpoint_at(vaddr pc)
{
    bool found = false;
    pthread_mutex_lock(&breakpoints.lock);
    for (size_t i = 0; i < breakpoints.pcs.n && !found; i++) {
        found = breakpoints.pcs.at[i] == pc;
    }
    pthread_mutex_unlock(&breakpoints.lock);
    return found;
}

bool tcg_breakpoint_at(vaddr pc)
{
    return atomic_load(&tcg.n_breakpoints) && breakpoint_at(pc);
}

void tcg_breakpoint_insert(Vcpu *vcpu, vaddr pc)
{
    if (breakpoint_at(pc)) {
        return; /* a set, shared by all vCPUs: one removal is enough */
    }
    pthread_mutex_lock(&breakpoints.lock);
    *vec_push(&breakpoints.pcs) = pc;
    atomic_store(&tcg.n_breakpoints, breakpoints.pcs.n);
    pthread_mutex_unlock(&breakpoints.lock);
    tcg_flush_all();
}

void tcg_breakpoint_remove(Vcpu *vcpu, vaddr pc)
{
    pthread_mutex_lock(&breakpoints.lock);
    for (size_t i = 0; i < breakpoints.pcs.n; i++) {
        if (breakpoints.pcs.at[i] == pc) {
            breakpoints.pcs.at[i] = breakpoints.pcs.at[--breakpoints.pcs.n];
            break;
        }
    }
    atomic_store(&tcg.n_breakpoints, breakpoints.pcs.n);
    pthread_mutex_unlock(&breakpoints.lock);
    tcg_flush_all();
}
