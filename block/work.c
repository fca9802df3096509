/*
 * work.c: worker threads that do for coroutines what would block, or what takes a processor's time.
 *
 * Two pools: one for system calls, whose threads mostly wait, and one for computing, with a thread a processor. Threads start when there is
 * work and nobody is idle, and end after some seconds without.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "block/ioctx.h"
#include "util/alloc.h"

enum { BLOCKING_THREADS = 64, IDLE_SECONDS = 10 };

typedef struct Work {
    struct Work *next;
    int (*fn)(void *arg);
    void *arg;
    int result;
    Coroutine *co;
} Work;

typedef struct Pool {
    pthread_mutex_t lock;
    pthread_cond_t more;
    Work *first, **last;
    unsigned threads, idle, queued, limit;
    const char *name;
} Pool;

#define POOL_INIT(text) { .lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER, .name = (text) }

static Pool blocking = POOL_INIT("blk-worker"), computing = POOL_INIT("blk-compute");

/* With the pool's lock; NULL: it has been idle for long. */
static Work *next_work(Pool *pool)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += IDLE_SECONDS;
    while (!pool->first) {
        pool->idle++;
        int err = pthread_cond_timedwait(&pool->more, &pool->lock, &until);
        pool->idle--;
        if (err == ETIMEDOUT && !pool->first) {
            return NULL;
        }
    }
    Work *w = pool->first;
    pool->first = w->next;
    pool->last = pool->first ? pool->last : &pool->first;
    pool->queued--;
    return w;
}

static void *worker(void *arg)
{
    Pool *pool = arg;

    pthread_setname_np(pthread_self(), pool->name);
    pthread_mutex_lock(&pool->lock);
    for (Work *w; (w = next_work(pool)) != NULL;) {
        pthread_mutex_unlock(&pool->lock);
        w->result = w->fn(w->arg);
        co_wake(w->co); /* w is the coroutine's */
        pthread_mutex_lock(&pool->lock);
    }
    pool->threads--;
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

static void start_thread(Pool *pool)
{
    pthread_attr_t attr;
    pthread_t id;

    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    /* Signals are for the threads that wait for them. */
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    if (!pthread_create(&id, &attr, worker, pool)) {
        pool->threads++;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
}

static int submit(Pool *pool, int (*fn)(void *arg), void *arg)
{
    Work w = { .fn = fn, .arg = arg, .co = co_self() };

    pthread_mutex_lock(&pool->lock);
    pool->last = pool->last ? pool->last : &pool->first;
    *pool->last = &w;
    pool->last = &w.next;
    if (++pool->queued > pool->idle && pool->threads < pool->limit) {
        start_thread(pool);
    }
    bool inline_run = !pool->threads; /* the host gives us none */
    if (inline_run) {
        pool->first = NULL;
        pool->last = &pool->first;
        pool->queued = 0;
    }
    pthread_cond_signal(&pool->more);
    pthread_mutex_unlock(&pool->lock);
    if (inline_run) {
        return fn(arg);
    }
    co_yield();
    return w.result;
}

int co_work(int (*fn)(void *arg), void *arg)
{
    blocking.limit = BLOCKING_THREADS;
    return submit(&blocking, fn, arg);
}

int co_compute(int (*fn)(void *arg), void *arg)
{
    computing.limit = (unsigned)MAX(sysconf(_SC_NPROCESSORS_ONLN), 1);
    return submit(&computing, fn, arg);
}
