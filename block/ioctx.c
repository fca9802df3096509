/*
 * ioctx.c: contexts of coroutines (see the header).
 *
 * Everything a context waits for is in one epoll instance: an event counter that other threads raise when they wake a coroutine, and the
 * descriptors coroutines wait for. Sleepers are a list in order of time; a timer descriptor, in the epoll instance too, has the first one's
 * deadline.
 *
 * Threads: `lock` guards the list of woken coroutines; the rest belongs to whoever runs the context.
 */
#include "block/ioctx.h"

#include <errno.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "util/alloc.h"

enum { READY_AT_ONCE = 64, COLLECT_EVERY = 8 };

typedef struct Sleeper {
    struct Sleeper *next;
    int64_t deadline_ns;
    Coroutine *co;
} Sleeper;

typedef struct FdWaiter {
    Coroutine *co;
    unsigned got;
} FdWaiter;

typedef struct Completion {
    void (*fn)(void *opaque, int result);
    void *opaque;
    int result;
} Completion;

struct IoContext {
    int epoll_fd, event_fd, timer_fd;
    pthread_mutex_t lock;
    CoQueue woken;       /* under lock */
    unsigned running;    /* under lock: run_ready() will look again, nobody need be told */
    bool raised;         /* under lock: event_fd is readable */
    unsigned rounds;
    bool may_block;
    Sleeper *sleepers;
    VEC(Completion) completions;
    size_t completions_done;
};

static IoContext *main_context;
static _Thread_local IoContext *thread_context;

IoContext *ioctx_new(Error **errp)
{
    IoContext *ctx = xnew(IoContext);
    struct epoll_event ev = { .events = EPOLLIN };

    ctx->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    ctx->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ctx->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    pthread_mutex_init(&ctx->lock, NULL);
    co_queue_init(&ctx->woken);
    ev.data.ptr = NULL;
    bool ok = ctx->epoll_fd >= 0 && ctx->event_fd >= 0 && ctx->timer_fd >= 0 &&
              !epoll_ctl(ctx->epoll_fd, EPOLL_CTL_ADD, ctx->event_fd, &ev);
    ev.data.ptr = &ctx->timer_fd;
    if (!ok || epoll_ctl(ctx->epoll_fd, EPOLL_CTL_ADD, ctx->timer_fd, &ev)) {
        error_set_errno(errp, errno, "cannot make an I/O context");
        ioctx_free(ctx);
        return NULL;
    }
    return ctx;
}

void ioctx_free(IoContext *ctx)
{
    const int fds[] = { ctx->epoll_fd, ctx->event_fd, ctx->timer_fd };

    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
    pthread_mutex_destroy(&ctx->lock);
    vec_free(&ctx->completions);
    free(ctx);
}

IoContext *ioctx_main(void)
{
    static pthread_mutex_t once = PTHREAD_MUTEX_INITIALIZER;

    pthread_mutex_lock(&once);
    if (!main_context) {
        Error *err = NULL;
        main_context = ioctx_new(&err);
        if (!main_context) {
            error_exit("%s", error_message(err));
        }
    }
    pthread_mutex_unlock(&once);
    return main_context;
}

IoContext *ioctx_current(void)
{
    Coroutine *co = co_self();
    IoContext *ctx = co ? co_home(co) : thread_context;
    return ctx ? ctx : ioctx_main();
}

void ioctx_set_current(IoContext *ctx)
{
    thread_context = ctx;
}

void ioctx_allow_blocking(IoContext *ctx) { ctx->may_block = true; }
bool ioctx_may_block(const IoContext *ctx) { return ctx->may_block; }

int ioctx_fd(const IoContext *ctx)
{
    return ctx->epoll_fd;
}

static void queue_push(CoQueue *q, Coroutine *co)
{
    *co_link(co) = NULL;
    *q->last = co;
    q->last = co_link(co);
}

static Coroutine *queue_pop(CoQueue *q)
{
    Coroutine *co = q->first;

    if (co) {
        q->first = *co_link(co);
        q->last = q->first ? q->last : &q->first;
    }
    return co;
}

/* With the lock. */
static void raise_event(IoContext *ctx)
{
    uint64_t one = 1;

    if (!ctx->raised && !ctx->running) {
        ctx->raised = write(ctx->event_fd, &one, sizeof(one)) == sizeof(one);
    }
}

void co_wake(Coroutine *co)
{
    IoContext *ctx = co_home(co);

    pthread_mutex_lock(&ctx->lock);
    queue_push(&ctx->woken, co);
    raise_event(ctx);
    pthread_mutex_unlock(&ctx->lock);
}

/* What coroutines left to be told. Not inside of one: whoever is told may wait for others. */
static void run_completions(IoContext *ctx)
{
    while (!co_self() && ctx->completions_done < ctx->completions.n) {
        Completion c = ctx->completions.at[ctx->completions_done++];
        if (ctx->completions_done == ctx->completions.n) {
            vec_clear(&ctx->completions);
            ctx->completions_done = 0;
        }
        c.fn(c.opaque, c.result);
    }
}

void co_complete(void (*fn)(void *opaque, int result), void *opaque, int result)
{
    IoContext *ctx = co_home(co_self());
    *vec_push(&ctx->completions) = (Completion){ fn, opaque, result };
}

int64_t io_now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void arm_timer(IoContext *ctx)
{
    struct itimerspec when = { 0 };

    if (ctx->sleepers) {
        when.it_value.tv_sec = ctx->sleepers->deadline_ns / 1000000000;
        when.it_value.tv_nsec = MAX(ctx->sleepers->deadline_ns % 1000000000, 1);
    }
    timerfd_settime(ctx->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

/* Enters what has been woken, one at a time: a completion may poll again, and must then find the others. */
static bool run_ready(IoContext *ctx)
{
    bool any = ctx->completions.n != 0;
    uint64_t count;

    run_completions(ctx);
    pthread_mutex_lock(&ctx->lock);
    ctx->running++;
    for (unsigned i = 0; i < READY_AT_ONCE && ctx->woken.first; i++) {
        Coroutine *co = queue_pop(&ctx->woken);
        pthread_mutex_unlock(&ctx->lock);
        co_enter(co);
        run_completions(ctx);
        any = true;
        pthread_mutex_lock(&ctx->lock);
    }
    ctx->running--;
    if (ctx->woken.first) {
        raise_event(ctx);
    } else if (ctx->raised) {
        ctx->raised = read(ctx->event_fd, &count, sizeof(count)) != sizeof(count);
    }
    pthread_mutex_unlock(&ctx->lock);
    return any;
}

static void wake_sleepers(IoContext *ctx)
{
    int64_t now = io_now_ns();

    while (ctx->sleepers && ctx->sleepers->deadline_ns <= now) {
        Sleeper *s = ctx->sleepers;
        ctx->sleepers = s->next;
        co_wake(s->co);
    }
    arm_timer(ctx);
}

/* Wakes those whose descriptor or time has come. */
static void collect(IoContext *ctx, int timeout_ms)
{
    struct epoll_event ev[32];
    int n = epoll_wait(ctx->epoll_fd, ev, ARRAY_SIZE(ev), timeout_ms);

    for (int i = 0; i < n; i++) {
        if (ev[i].data.ptr == &ctx->timer_fd) {
            wake_sleepers(ctx);
        } else if (ev[i].data.ptr) {
            FdWaiter *w = ev[i].data.ptr;
            w->got = ev[i].events;
            co_wake(w->co);
        }
    }
}

bool ioctx_poll(IoContext *ctx, bool wait)
{
    bool any = run_ready(ctx);

    if (any && ++ctx->rounds % COLLECT_EVERY) {
        return true;
    }
    do {
        collect(ctx, wait && !any ? -1 : 0);
        any |= run_ready(ctx);
    } while (wait && !any);
    return any;
}

void ioctx_start(IoContext *ctx, CoroutineFn *fn, void *opaque)
{
    Coroutine *co = co_new(fn, opaque);

    if (!co) {
        error_exit("cannot allocate the stack of a coroutine");
    }
    co_set_home(co, ctx);
    co_enter(co);
    run_completions(ctx);
}

typedef struct SyncRun {
    CoroutineFn *fn;
    void *opaque;
    unsigned running;
} SyncRun;

static void sync_entry(void *opaque)
{
    SyncRun *run = opaque;

    run->fn(run->opaque);
    run->running = 0;
}

void ioctx_run(IoContext *ctx, CoroutineFn *fn, void *opaque)
{
    if (co_self()) {
        fn(opaque);
        return;
    }
    SyncRun run = { fn, opaque, 1 };
    ioctx_start(ctx, sync_entry, &run);
    ioctx_wait_zero(ctx, &run.running);
}

void ioctx_wait_zero(IoContext *ctx, const unsigned *count)
{
    assert(!co_self());
    while (*(const volatile unsigned *)count) {
        ioctx_poll(ctx, true);
    }
}

/* ---- sleeping ---- */

void co_pass(void)
{
    co_wake(co_self());
    co_yield();
}

void co_sleep_ns(int64_t ns)
{
    IoContext *ctx = co_home(co_self());
    Sleeper s = { .deadline_ns = io_now_ns() + ns, .co = co_self() }, **at = &ctx->sleepers;

    while (*at && (*at)->deadline_ns <= s.deadline_ns) {
        at = &(*at)->next;
    }
    s.next = *at;
    *at = &s;
    if (ctx->sleepers == &s) {
        arm_timer(ctx);
    }
    co_yield();
}

unsigned co_wait_fd(int fd, unsigned poll_events)
{
    IoContext *ctx = co_home(co_self());
    FdWaiter w = { .co = co_self() };
    struct epoll_event ev = { .events = poll_events | EPOLLONESHOT, .data.ptr = &w };

    /* The values of poll's events are epoll's. */
    if (epoll_ctl(ctx->epoll_fd, EPOLL_CTL_ADD, fd, &ev)) {
        return errno == EPERM ? poll_events : EPOLLERR; /* a regular file is always ready */
    }
    co_yield();
    epoll_ctl(ctx->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    return w.got;
}

/* ---- queues and locks ---- */

void co_queue_init(CoQueue *q)
{
    q->first = NULL;
    q->last = &q->first;
}

bool co_queue_is_empty(const CoQueue *q)
{
    return !q->first;
}

void co_queue_wait(CoQueue *q)
{
    queue_push(q, co_self());
    co_yield();
}

bool co_queue_wake_one(CoQueue *q)
{
    Coroutine *co = queue_pop(q);

    if (co) {
        co_wake(co);
    }
    return co != NULL;
}

void co_queue_wake_all(CoQueue *q)
{
    while (co_queue_wake_one(q)) {
    }
}

static void spin_lock(_Atomic bool *spin)
{
    while (atomic_exchange_explicit(spin, true, memory_order_acquire)) {
    }
}

static void spin_unlock(_Atomic bool *spin)
{
    atomic_store_explicit(spin, false, memory_order_release);
}

void co_mutex_init(CoMutex *m)
{
    *m = (CoMutex){ 0 };
    co_queue_init(&m->waiters);
}

void co_mutex_lock(CoMutex *m)
{
    spin_lock(&m->spin);
    bool wait = m->locked;
    if (wait) {
        queue_push(&m->waiters, co_self());
    }
    m->locked = true;
    spin_unlock(&m->spin);
    if (wait) {
        co_yield(); /* the lock is handed over */
    }
}

void co_mutex_unlock(CoMutex *m)
{
    spin_lock(&m->spin);
    Coroutine *next = queue_pop(&m->waiters);
    m->locked = next != NULL;
    spin_unlock(&m->spin);
    if (next) {
        co_wake(next);
    }
}
