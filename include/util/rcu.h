/*
 * rcu.h: data that many threads read without a lock while one thread replaces it.
 *
 * A reader brackets its use of a published pointer with rcu_read_lock() and
 * rcu_read_unlock(); they nest, never block, and register the thread on first
 * use. A writer publishes the new version with a release store, then gives the
 * old one to rcu_retire(); it is freed once every reader that might still hold
 * it has left. Writers must be serialised by a lock of their own.
 *
 * Freeing happens inside rcu_retire(), rcu_poll() (call it now and then from a
 * thread that is not reading) or rcu_synchronize(), which waits.
 */
#ifndef UTIL_RCU_H
#define UTIL_RCU_H

#include "util/base.h"

typedef struct RcuHead {
    struct RcuHead *next;
    void (*release)(struct RcuHead *head);
    uint64_t epoch;
} RcuHead;

void rcu_read_lock(void);
void rcu_read_unlock(void);
void rcu_retire(RcuHead *head, void (*release)(RcuHead *head));
void rcu_poll(void);
/* Returns when everything retired before the call has been released.
 * Deadlocks when called by a reader. */
void rcu_synchronize(void);

#endif
