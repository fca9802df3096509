/*
 * ioctx.h: where block requests run: contexts, sleeping and waking, worker threads, locks for coroutines.
 *
 * An IoContext is a set of coroutines, of which one runs at a time, with the file descriptors, timers and workers they wait for. The program
 * has one (ioctx_main()); each I/O thread may have another. Whoever owns a context calls ioctx_poll() when ioctx_fd() is readable, or
 * waits in it; a context needs no event loop.
 *
 * Threads: a context's coroutines run in whichever thread polls it or starts one in it; those threads exclude each other (the
 * device lock does that for the main context). co_wake() and the locks below may be used by any thread.
 */
#ifndef BLOCK_IOCTX_H
#define BLOCK_IOCTX_H

#include "util/coroutine.h"
#include "util/error.h"

/* CLOCK_MONOTONIC. */
int64_t io_now_ns(void);

typedef struct IoContext IoContext;

IoContext *ioctx_main(void);
IoContext *ioctx_new(Error **errp);
void ioctx_free(IoContext *ctx);           /* nothing is waiting in it */
/* The context of the coroutine that runs here, else of this thread (ioctx_set_current()), else the main one. */
IoContext *ioctx_current(void);
void ioctx_set_current(IoContext *ctx);
/* Whoever owns the context has nothing else to do: short system calls may block it. */
void ioctx_allow_blocking(IoContext *ctx);
bool ioctx_may_block(const IoContext *ctx);
/* Readable when ioctx_poll() has something to do. */
int ioctx_fd(const IoContext *ctx);
/* Runs what is ready; with `wait`, waits until something is. False: nothing was. */
bool ioctx_poll(IoContext *ctx, bool wait);
/* Starts a coroutine of `ctx` at once. */
void ioctx_start(IoContext *ctx, CoroutineFn *fn, void *opaque);
/* The same, and polls until it has ended. In a coroutine: calls fn. */
void ioctx_run(IoContext *ctx, CoroutineFn *fn, void *opaque);
/* Polls until *count is 0; for draining. Outside of coroutines. */
void ioctx_wait_zero(IoContext *ctx, const unsigned *count);

/* ---- for coroutines ---- */

/* It goes on, soon, in its context. Any thread; the coroutine has yielded, or will before its context is polled next. */
void co_wake(Coroutine *co);
/* Calls fn once the coroutine that runs here has yielded or ended, outside of any: fn may poll the context, and wait for other requests. */
void co_complete(void (*fn)(void *opaque, int result), void *opaque, int result);
/* Lets the others of the context go first. */
void co_pass(void);
void co_sleep_ns(int64_t ns);
/* Waits for events of poll(2); returns those that came. One waiter a descriptor. */
unsigned co_wait_fd(int fd, unsigned poll_events);
/* Runs fn in a worker thread and returns what it returns. Blocking system calls. */
int co_work(int (*fn)(void *arg), void *arg);
/* The same for work of the processor: as many workers as the host has processors. */
int co_compute(int (*fn)(void *arg), void *arg);

typedef struct CoQueue {
    Coroutine *first, **last;
} CoQueue;

/* Waiters of one context (or under one lock that their users share); nothing is woken that was not waiting. */
void co_queue_init(CoQueue *q);
bool co_queue_is_empty(const CoQueue *q);
void co_queue_wait(CoQueue *q);
bool co_queue_wake_one(CoQueue *q);        /* false: nobody waited */
void co_queue_wake_all(CoQueue *q);

/* A fair lock that is held across yields, also by coroutines of different contexts. */
typedef struct CoMutex {
    _Atomic bool spin;
    bool locked;
    CoQueue waiters;
} CoMutex;

void co_mutex_init(CoMutex *m);
void co_mutex_lock(CoMutex *m);
void co_mutex_unlock(CoMutex *m);

#endif
