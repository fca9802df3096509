/*
 * loop.c: event loops on GMainContext (see the header).
 *
 * A watch is a GSource of its own. Timers, bottom halves and pollers belong to
 * one GSource per loop. The wait itself is our own poll function: it gives up
 * the device lock and waits with nanosecond resolution.
 *
 * Threads: the list of bottom halves and calls is guarded by `mutex`; the rest
 * belongs to the loop's thread.
 */
#include "softmmu/loop.h"
#include <errno.h>
#include <glib.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "util/alloc.h"

typedef struct Timers {
    int64_t (*next_ns)(void *opaque);
    void (*run)(void *opaque);
    void *opaque;
} Timers;

typedef struct Call {
    void (*fn)(void *opaque);
    void *opaque;
} Call;

struct LoopPoller {
    EventLoop *loop;
    void (*fill)(void *opaque, LoopPoller *poller, int64_t *timeout_ms);
    void (*done)(void *opaque, LoopPoller *poller);
    void *opaque;
    VEC(struct pollfd) fds;
    bool removed;
};

struct BottomHalf {
    EventLoop *loop;
    void (*run)(void *opaque);
    void *opaque;
    bool scheduled; /* to run in the next round */
    bool in_batch;  /* in the dispatcher's hands, which then frees it */
    bool freed;
};

struct EventLoop {
    GMainContext *context;
    GSource *source; /* timers and bottom halves */
    pthread_mutex_t mutex;
    VEC(Call) calls;             /* under mutex */
    VEC(BottomHalf *) scheduled; /* under mutex */
    _Atomic bool pending;        /* either is not empty */
    VEC(Timers) timers;
    VEC(LoopPoller *) pollers;
    void (*lock)(void);
    void (*unlock)(void);
    VEC(struct pollfd) fds; /* scratch of one wait */
    /* I/O threads */
    pthread_t thread;
    _Atomic int thread_id;
    _Atomic bool stop;
    char name[16];
};

typedef struct LoopSource {
    GSource base;
    EventLoop *loop;
} LoopSource;

static EventLoop *main_loop;
static _Thread_local EventLoop *current_loop;

/* ---- the loop's own source: bottom halves, calls, timers ---- */

static int64_t loop_next_ns(EventLoop *loop)
{
    int64_t next = -1;
    for (size_t i = 0; i < loop->timers.n; i++) {
        int64_t ns = loop->timers.at[i].next_ns(loop->timers.at[i].opaque);
        if (ns >= 0 && (next < 0 || ns < next)) {
            next = ns;
        }
    }
    return next;
}

static gboolean source_prepare(GSource *source, gint *timeout_ms)
{
    EventLoop *loop = ((LoopSource *)source)->loop;
    *timeout_ms = -1; /* loop_poll adds the timers' deadline with its full resolution */
    return atomic_load(&loop->pending) || loop_next_ns(loop) == 0;
}

static gboolean source_check(GSource *source)
{
    EventLoop *loop = ((LoopSource *)source)->loop;
    return atomic_load(&loop->pending) || loop_next_ns(loop) == 0;
}

static gboolean source_dispatch(GSource *source, GSourceFunc cb, gpointer opaque)
{
    EventLoop *loop = ((LoopSource *)source)->loop;
    pthread_mutex_lock(&loop->mutex);
    atomic_store(&loop->pending, false);
    __typeof__(loop->calls) calls = loop->calls;
    __typeof__(loop->scheduled) scheduled = loop->scheduled;
    memset(&loop->calls, 0, sizeof(loop->calls));
    memset(&loop->scheduled, 0, sizeof(loop->scheduled));
    for (size_t i = 0; i < scheduled.n; i++) {
        scheduled.at[i]->in_batch = true;
    }
    pthread_mutex_unlock(&loop->mutex);

    for (size_t i = 0; i < calls.n; i++) {
        calls.at[i].fn(calls.at[i].opaque);
    }
    for (size_t i = 0; i < scheduled.n; i++) {
        BottomHalf *bh = scheduled.at[i];
        pthread_mutex_lock(&loop->mutex);
        bool run = bh->scheduled && !bh->freed;
        bool freed = bh->freed;
        bh->scheduled = run ? false : bh->scheduled;
        bh->in_batch = false;
        pthread_mutex_unlock(&loop->mutex);
        if (run) {
            bh->run(bh->opaque);
        } else if (freed) {
            free(bh);
        }
    }
    vec_free(&calls);
    vec_free(&scheduled);
    for (size_t i = 0; i < loop->timers.n; i++) {
        Timers *t = &loop->timers.at[i];
        if (t->next_ns(t->opaque) == 0) {
            t->run(t->opaque);
        }
    }
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs loop_source_funcs = {
    .prepare = source_prepare, .check = source_check, .dispatch = source_dispatch
};

/* ---- the wait ---- */

static gint loop_poll(GPollFD *gfds, guint n, gint timeout_ms)
{
    EventLoop *loop = current_loop;
    int64_t timeout_ns = timeout_ms < 0 ? -1 : (int64_t)timeout_ms * 1000000;
    int64_t timers_ns = loop_next_ns(loop);
    if (timers_ns >= 0 && (timeout_ns < 0 || timers_ns < timeout_ns)) {
        timeout_ns = timers_ns;
    }
    vec_clear(&loop->fds);
    for (guint i = 0; i < n; i++) {
        *vec_push(&loop->fds) = (struct pollfd){ gfds[i].fd, (short)gfds[i].events, 0 };
    }
    for (size_t i = 0; i < loop->pollers.n; i++) {
        LoopPoller *p = loop->pollers.at[i];
        int64_t ms = -1;
        vec_clear(&p->fds);
        if (p->removed) {
            continue;
        }
        p->fill(p->opaque, p, &ms);
        if (ms >= 0 && (timeout_ns < 0 || ms * 1000000 < timeout_ns)) {
            timeout_ns = ms * 1000000;
        }
        for (size_t k = 0; k < p->fds.n; k++) {
            *vec_push(&loop->fds) = p->fds.at[k];
        }
    }

    struct timespec ts = { timeout_ns / 1000000000, timeout_ns % 1000000000 };
    bool wait = timeout_ns != 0;
    if (wait && loop->unlock) {
        loop->unlock();
    }
    int ready = ppoll(loop->fds.at, loop->fds.n, timeout_ns < 0 ? NULL : &ts, NULL);
    int err = errno;
    if (wait && loop->lock) {
        loop->lock();
    }
    if (ready < 0) {
        for (size_t i = 0; i < loop->fds.n; i++) {
            loop->fds.at[i].revents = 0;
        }
    }

    int count = 0;
    for (guint i = 0; i < n; i++) {
        gfds[i].revents = (gushort)loop->fds.at[i].revents;
        count += gfds[i].revents != 0;
    }
    size_t at = n;
    for (size_t i = 0; i < loop->pollers.n; i++) {
        LoopPoller *p = loop->pollers.at[i];
        for (size_t k = 0; k < p->fds.n; k++) {
            p->fds.at[k].revents = loop->fds.at[at++].revents;
        }
    }
    errno = err;
    return ready < 0 ? -1 : count;
}

/* ---- loops ---- */

static EventLoop *loop_create(GMainContext *context)
{
    EventLoop *loop = xnew(EventLoop);
    loop->context = context;
    pthread_mutex_init(&loop->mutex, NULL);
    g_main_context_set_poll_func(context, loop_poll);
    loop->source = g_source_new(&loop_source_funcs, sizeof(LoopSource));
    ((LoopSource *)loop->source)->loop = loop;
    g_source_attach(loop->source, context);
    return loop;
}

EventLoop *loop_main(void)
{
    if (!main_loop) {
        main_loop = loop_create(g_main_context_default());
        main_loop->thread_id = (int)syscall(SYS_gettid);
    }
    return main_loop;
}

EventLoop *loop_current(void)
{
    return current_loop ? current_loop : loop_main();
}

struct _GMainContext *loop_context(EventLoop *loop)
{
    return loop->context;
}

int loop_thread_id(const EventLoop *loop)
{
    return atomic_load(&loop->thread_id);
}

bool loop_run_once(EventLoop *loop, bool block)
{
    EventLoop *outer = current_loop;
    current_loop = loop;
    bool served = g_main_context_iteration(loop->context, block);
    for (size_t i = 0; i < loop->pollers.n; i++) {
        LoopPoller *p = loop->pollers.at[i];
        if (!p->removed) {
            p->done(p->opaque, p);
        }
        /* done() sees one wait's results once. */
        vec_clear(&p->fds);
    }
    for (size_t i = loop->pollers.n; i-- > 0;) {
        if (loop->pollers.at[i]->removed) {
            vec_free(&loop->pollers.at[i]->fds);
            free(loop->pollers.at[i]);
            loop->pollers.at[i] = loop->pollers.at[--loop->pollers.n];
        }
    }
    current_loop = outer;
    return served;
}

void loop_wake(EventLoop *loop)
{
    g_main_context_wakeup(loop->context);
}

void loop_set_lock(EventLoop *loop, void (*lock)(void), void (*unlock)(void))
{
    loop->lock = lock;
    loop->unlock = unlock;
}

void loop_add_timers(EventLoop *loop, int64_t (*next_ns)(void *opaque),
                     void (*run)(void *opaque), void *opaque)
{
    *vec_push(&loop->timers) = (Timers){ next_ns, run, opaque };
}

static void *loop_thread(void *opaque)
{
    EventLoop *loop = opaque;
    pthread_setname_np(pthread_self(), loop->name);
    current_loop = loop;
    g_main_context_push_thread_default(loop->context);
    atomic_store(&loop->thread_id, (int)syscall(SYS_gettid));
    while (!atomic_load(&loop->stop)) {
        loop_run_once(loop, true);
    }
    g_main_context_pop_thread_default(loop->context);
    return NULL;
}

static void loop_destroy(EventLoop *loop)
{
    g_source_destroy(loop->source);
    g_source_unref(loop->source);
    g_main_context_unref(loop->context);
    vec_free(&loop->calls);
    vec_free(&loop->scheduled);
    vec_free(&loop->timers);
    vec_free(&loop->pollers);
    vec_free(&loop->fds);
    pthread_mutex_destroy(&loop->mutex);
    free(loop);
}

EventLoop *loop_new_thread(const char *name, Error **errp)
{
    EventLoop *loop = loop_create(g_main_context_new());
    snprintf(loop->name, sizeof(loop->name), "%s", name);
    int err = pthread_create(&loop->thread, NULL, loop_thread, loop);
    if (err) {
        error_set_errno(errp, err, "cannot start I/O thread '%s'", name);
        loop_destroy(loop);
        return NULL;
    }
    return loop;
}

void loop_free_thread(EventLoop *loop)
{
    assert(loop != main_loop);
    atomic_store(&loop->stop, true);
    loop_wake(loop);
    pthread_join(loop->thread, NULL);
    loop_destroy(loop);
}

/* ---- descriptors ---- */

struct FdWatch {
    GSource base;
    gpointer tag;
    void (*ready)(void *opaque, unsigned events);
    void *opaque;
    int fd;
};

static unsigned from_condition(GIOCondition c)
{
    return (c & G_IO_IN ? LOOP_READ : 0) | (c & G_IO_OUT ? LOOP_WRITE : 0) |
           (c & (G_IO_ERR | G_IO_NVAL) ? LOOP_ERROR : 0) | (c & G_IO_HUP ? LOOP_HANGUP : 0) |
           (c & G_IO_PRI ? LOOP_PRIORITY : 0);
}

static GIOCondition to_condition(unsigned events)
{
    return (events & LOOP_READ ? G_IO_IN : 0) | (events & LOOP_WRITE ? G_IO_OUT : 0) |
           (events & LOOP_PRIORITY ? G_IO_PRI : 0) | G_IO_ERR | G_IO_HUP;
}

static gboolean watch_check(GSource *source)
{
    FdWatch *watch = (FdWatch *)source;
    return watch->tag && g_source_query_unix_fd(source, watch->tag) != 0;
}

static gboolean watch_prepare(GSource *source, gint *timeout_ms)
{
    *timeout_ms = -1;
    return FALSE;
}

static gboolean watch_dispatch(GSource *source, GSourceFunc cb, gpointer opaque)
{
    FdWatch *watch = (FdWatch *)source;
    unsigned events = watch->tag ? from_condition(g_source_query_unix_fd(source, watch->tag)) : 0;
    if (events) {
        watch->ready(watch->opaque, events);
    }
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs watch_funcs = {
    .prepare = watch_prepare, .check = watch_check, .dispatch = watch_dispatch
};

FdWatch *loop_watch(EventLoop *loop, int fd, unsigned events,
                    void (*ready)(void *opaque, unsigned events), void *opaque)
{
    FdWatch *watch = (FdWatch *)g_source_new(&watch_funcs, sizeof(FdWatch));
    watch->ready = ready;
    watch->opaque = opaque;
    watch->fd = fd;
    watch->tag = events ? g_source_add_unix_fd(&watch->base, fd, to_condition(events)) : NULL;
    g_source_attach(&watch->base, loop->context);
    return watch;
}

void loop_watch_set(FdWatch *watch, unsigned events)
{
    if (!events) {
        if (watch->tag) {
            g_source_remove_unix_fd(&watch->base, watch->tag);
            watch->tag = NULL;
        }
    } else if (watch->tag) {
        g_source_modify_unix_fd(&watch->base, watch->tag, to_condition(events));
    } else {
        watch->tag = g_source_add_unix_fd(&watch->base, watch->fd, to_condition(events));
    }
}

void loop_unwatch(FdWatch *watch)
{
    if (watch) {
        g_source_destroy(&watch->base);
        g_source_unref(&watch->base);
    }
}

/* ---- pollers ---- */

LoopPoller *loop_add_poller(EventLoop *loop, void (*fill)(void *opaque, LoopPoller *poller,
                                                          int64_t *timeout_ms),
                            void (*done)(void *opaque, LoopPoller *poller), void *opaque)
{
    LoopPoller *poller = xnew(LoopPoller);
    poller->loop = loop;
    poller->fill = fill;
    poller->done = done;
    poller->opaque = opaque;
    *vec_push(&loop->pollers) = poller;
    loop_wake(loop);
    return poller;
}

void loop_remove_poller(LoopPoller *poller)
{
    poller->removed = true;
    loop_wake(poller->loop);
}

int loop_poll_add(LoopPoller *poller, int fd, short poll_events)
{
    *vec_push(&poller->fds) = (struct pollfd){ fd, poll_events, 0 };
    return (int)poller->fds.n - 1;
}

short loop_poll_events(const LoopPoller *poller, int index)
{
    return index >= 0 && (size_t)index < poller->fds.n ? poller->fds.at[index].revents : 0;
}

/* ---- bottom halves and calls ---- */

static void loop_set_pending(EventLoop *loop)
{
    if (!atomic_exchange(&loop->pending, true)) {
        loop_wake(loop);
    }
}

BottomHalf *bh_new(EventLoop *loop, void (*run)(void *opaque), void *opaque)
{
    BottomHalf *bh = xnew(BottomHalf);
    bh->loop = loop;
    bh->run = run;
    bh->opaque = opaque;
    return bh;
}

void bh_schedule(BottomHalf *bh)
{
    EventLoop *loop = bh->loop;
    pthread_mutex_lock(&loop->mutex);
    bool queued = bh->scheduled;
    if (!queued) {
        bh->scheduled = true;
        *vec_push(&loop->scheduled) = bh;
        loop_set_pending(loop);
    }
    pthread_mutex_unlock(&loop->mutex);
}

/* The entry is taken out of the queue, so that the dispatcher never sees a stale one. */
static void bh_dequeue(BottomHalf *bh)
{
    EventLoop *loop = bh->loop;
    for (size_t i = 0; i < loop->scheduled.n; i++) {
        if (loop->scheduled.at[i] == bh) {
            memmove(&loop->scheduled.at[i], &loop->scheduled.at[i + 1],
                    (loop->scheduled.n - i - 1) * sizeof(bh));
            loop->scheduled.n--;
            return;
        }
    }
}

void bh_cancel(BottomHalf *bh)
{
    pthread_mutex_lock(&bh->loop->mutex);
    bh_dequeue(bh);
    bh->scheduled = false;
    pthread_mutex_unlock(&bh->loop->mutex);
}

void bh_free(BottomHalf *bh)
{
    if (!bh) {
        return;
    }
    EventLoop *loop = bh->loop;
    pthread_mutex_lock(&loop->mutex);
    bh_dequeue(bh);
    bool in_batch = bh->in_batch;
    bh->freed = true;
    pthread_mutex_unlock(&loop->mutex);
    if (!in_batch) {
        free(bh);
    }
}

void loop_call(EventLoop *loop, void (*fn)(void *opaque), void *opaque)
{
    pthread_mutex_lock(&loop->mutex);
    *vec_push(&loop->calls) = (Call){ fn, opaque };
    loop_set_pending(loop);
    pthread_mutex_unlock(&loop->mutex);
}
