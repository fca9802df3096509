/*
 * bql.h: the device lock.
 *
 * Devices, buses, the memory tree and run states are changed only by a thread
 * that holds it. The main loop holds it while it dispatches; a vCPU thread
 * takes it for an MMIO access to a device (memory access functions do so by
 * themselves) and never while it runs generated code. Not recursive: use
 * BQL_GUARD-like pairs `bool took = bql_enter(); … bql_leave(took);` where the
 * caller may or may not hold it.
 */
#ifndef SOFTMMU_BQL_H
#define SOFTMMU_BQL_H

#include <pthread.h>
#include "util/base.h"

void bql_lock(void);
void bql_unlock(void);
/* Whether the calling thread holds it. */
bool bql_held(void);
/* Waits on `cond` with the lock released meanwhile. */
void bql_wait(pthread_cond_t *cond);

/* Takes the lock unless this thread has it; returns whether it did. */
static inline bool bql_enter(void)
{
    if (bql_held()) {
        return false;
    }
    bql_lock();
    return true;
}

static inline void bql_leave(bool took)
{
    if (took) {
        bql_unlock();
    }
}

#endif
