/*
 * coroutine.h: functions with a stack of their own that can stop in the middle and go on later.
 *
 * A coroutine runs inside co_enter() until it calls co_yield() or its function returns; then co_enter() returns to whoever
 * called it. Coroutines nest: one may enter another. A function whose name has `co_` as its verb's prefix (node_co_read) may only
 * be called in a coroutine, because it may yield.
 *
 * Threads: a coroutine may be entered by different threads one after another (whoever does that orders them), never by
 * two at once. A coroutine must not yield while it holds a lock that belongs to a thread.
 *
 * Stacks are COROUTINE_STACK_BYTES, with a page below that faults; they are kept for reuse, some for each thread.
 */
#ifndef UTIL_COROUTINE_H
#define UTIL_COROUTINE_H

#include "util/base.h"

#define COROUTINE_STACK_BYTES (256 * KiB)

typedef struct Coroutine Coroutine;
typedef void CoroutineFn(void *opaque);

/* Not started yet. It frees itself when `fn` returns. NULL: the host has no memory for a stack. */
Coroutine *co_new(CoroutineFn *fn, void *opaque);
/* Not from the coroutine itself, and not when it is running. */
void co_enter(Coroutine *co);
void co_yield(void);
/* The one that runs here; NULL outside of any. */
Coroutine *co_self(void);
/* A pointer for whoever schedules coroutines (the I/O context it belongs to). */
void *co_home(const Coroutine *co);
void co_set_home(Coroutine *co, void *home);
/* A link for queues of sleeping coroutines: one is in at most one queue. */
Coroutine **co_link(Coroutine *co);

#endif
