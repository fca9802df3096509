/*
 * clock.c: the three clocks and the timers that wait on them.
 *
 * The virtual clock is (offset + host monotonic) while it runs and a constant
 * while it is stopped; readers use a sequence counter, no lock. Timers of a
 * group lie in one binary heap per clock under the group's mutex. A group
 * attached to a GMainContext waits with a timerfd, whose resolution is the
 * host's rather than poll's millisecond.
 */
#include <errno.h>
#include <pthread.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include "softmmu/bql.h"
#include "softmmu/clock.h"
#include "util/alloc.h"
#include <glib.h> /* after ours: it redefines MIN and MAX alike */

typedef struct TimerHeap {
    Timer **at;
    size_t n, cap;
} TimerHeap;

struct TimerGroup {
    pthread_mutex_t mutex;
    TimerHeap heap[VM_CLOCK_N];
    uint64_t seq;
    bool takes_bql;
    int fd;                 /* timerfd; -1: no context */
    int64_t armed_ns;       /* CLOCK_MONOTONIC deadline of fd; INT64_MAX: not armed */
    GSource *source;
    TimerGroup *next;
};

static _Atomic uint32_t clock_seq;
static _Atomic int64_t clock_offset_ns; /* running: virtual = monotonic + offset; else virtual */
static _Atomic bool clock_running;
static _Atomic(const ClockSource *) clock_source;
static pthread_mutex_t groups_mutex = PTHREAD_MUTEX_INITIALIZER;
static TimerGroup *groups;
static TimerGroup *main_group;

/* --- clocks --- */

static int64_t host_ns(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * NS_PER_SECOND + ts.tv_nsec;
}

static int64_t virtual_ns(void)
{
    const ClockSource *source = atomic_load_explicit(&clock_source, memory_order_acquire);

    if (source) {
        return source->now_ns(source->opaque);
    }
    for (;;) {
        uint32_t seq = atomic_load_explicit(&clock_seq, memory_order_acquire);
        bool running = atomic_load_explicit(&clock_running, memory_order_relaxed);
        int64_t now = atomic_load_explicit(&clock_offset_ns, memory_order_relaxed);
        if (running) {
            now += host_ns(CLOCK_MONOTONIC);
        }
        atomic_thread_fence(memory_order_acquire);
        if (!(seq & 1) && seq == atomic_load_explicit(&clock_seq, memory_order_relaxed)) {
            return now;
        }
    }
}

int64_t clock_get_ns(ClockKind kind)
{
    switch (kind) {
    case VM_CLOCK_VIRTUAL: return virtual_ns();
    case VM_CLOCK_HOST: return host_ns(CLOCK_REALTIME);
    default: return host_ns(CLOCK_MONOTONIC);
    }
}

static void group_rearm(TimerGroup *group);

static void rearm_all(void)
{
    pthread_mutex_lock(&groups_mutex);
    for (TimerGroup *group = groups; group; group = group->next) {
        pthread_mutex_lock(&group->mutex);
        group_rearm(group);
        pthread_mutex_unlock(&group->mutex);
    }
    pthread_mutex_unlock(&groups_mutex);
}

static void clock_change(bool run, bool set, int64_t now_ns)
{
    int64_t now = set ? now_ns : virtual_ns();

    atomic_fetch_add_explicit(&clock_seq, 1, memory_order_acq_rel);
    atomic_store_explicit(&clock_offset_ns, run ? now - host_ns(CLOCK_MONOTONIC) : now,
                          memory_order_relaxed);
    atomic_store_explicit(&clock_running, run, memory_order_relaxed);
    atomic_fetch_add_explicit(&clock_seq, 1, memory_order_release);
    rearm_all();
}

void clock_virtual_run(bool run)
{
    if (run != atomic_load(&clock_running)) {
        clock_change(run, false, 0);
    }
}

bool clock_virtual_running(void)
{
    return atomic_load_explicit(&clock_running, memory_order_relaxed);
}

void clock_virtual_set_ns(int64_t now_ns)
{
    clock_change(atomic_load(&clock_running), true, now_ns);
}

void clock_set_source(const ClockSource *source)
{
    int64_t now = virtual_ns();

    atomic_store(&clock_source, source);
    if (!source) {
        clock_change(atomic_load(&clock_running), true, now);
    }
    rearm_all();
}

void clock_source_expired(void)
{
    rearm_all();
}

/* --- heaps --- */

static bool timer_before(const Timer *a, const Timer *b)
{
    return a->deadline_ns != b->deadline_ns ? a->deadline_ns < b->deadline_ns : a->seq < b->seq;
}

static void heap_place(TimerHeap *heap, size_t i, Timer *timer)
{
    heap->at[i] = timer;
    timer->slot = i + 1;
}

static void heap_up(TimerHeap *heap, size_t i)
{
    Timer *timer = heap->at[i];

    while (i && timer_before(timer, heap->at[(i - 1) / 2])) {
        heap_place(heap, i, heap->at[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    heap_place(heap, i, timer);
}

static void heap_down(TimerHeap *heap, size_t i)
{
    Timer *timer = heap->at[i];

    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= heap->n) {
            break;
        }
        if (child + 1 < heap->n && timer_before(heap->at[child + 1], heap->at[child])) {
            child++;
        }
        if (!timer_before(heap->at[child], timer)) {
            break;
        }
        heap_place(heap, i, heap->at[child]);
        i = child;
    }
    heap_place(heap, i, timer);
}

static void heap_remove(TimerHeap *heap, Timer *timer)
{
    size_t i = timer->slot - 1;
    Timer *last = heap->at[--heap->n];

    timer->slot = 0;
    if (last != timer) {
        heap_place(heap, i, last);
        heap_up(heap, i);
        heap_down(heap, last->slot - 1);
    }
}

static void heap_insert(TimerHeap *heap, Timer *timer)
{
    if (heap->n == heap->cap) {
        heap->at = vec_grow(heap->at, &heap->cap, sizeof(*heap->at));
    }
    heap->n++;
    heap_place(heap, heap->n - 1, timer);
    heap_up(heap, heap->n - 1);
}

/* --- groups --- */

/* A deadline on a clock as CLOCK_MONOTONIC time; INT64_MAX: not by the host's time. */
static int64_t deadline_monotonic(ClockKind clock, int64_t deadline_ns, int64_t monotonic)
{
    int64_t now, delay;

    if (clock == VM_CLOCK_VIRTUAL) {
        const ClockSource *source = atomic_load(&clock_source);
        now = virtual_ns();
        if (source && source->runs_timers) {
            return INT64_MAX;
        }
        if (source || !atomic_load(&clock_running)) {
            return source && deadline_ns <= now ? monotonic : INT64_MAX;
        }
    } else {
        now = clock_get_ns(clock);
    }
    delay = deadline_ns <= now ? 0 : deadline_ns - now;
    return delay > INT64_MAX / 2 - monotonic ? INT64_MAX : monotonic + delay;
}

static int64_t group_deadline(TimerGroup *group, int64_t monotonic)
{
    int64_t first = INT64_MAX;

    for (unsigned c = 0; c < VM_CLOCK_N; c++) {
        if (group->heap[c].n) {
            int64_t at = deadline_monotonic(c, group->heap[c].at[0]->deadline_ns, monotonic);
            first = MIN(first, at);
        }
    }
    return first;
}

/* Group mutex held. */
static void group_rearm(TimerGroup *group)
{
    const ClockSource *source = atomic_load(&clock_source);

    if (source && source->deadline_changed) {
        TimerHeap *heap = &group->heap[VM_CLOCK_VIRTUAL];
        source->deadline_changed(source->opaque, heap->n ? heap->at[0]->deadline_ns : INT64_MAX);
    }
    if (group->fd < 0) {
        return;
    }
    int64_t at = group_deadline(group, host_ns(CLOCK_MONOTONIC));
    if (at == group->armed_ns) {
        return;
    }
    struct itimerspec its = {0};
    if (at != INT64_MAX) {
        /* All zeros would disarm it. */
        int64_t when = MAX(at, 1);
        its.it_value.tv_sec = when / NS_PER_SECOND;
        its.it_value.tv_nsec = when % NS_PER_SECOND;
    }
    group->armed_ns = at;
    timerfd_settime(group->fd, TFD_TIMER_ABSTIME, &its, NULL);
}

int64_t timer_group_delay_ns(TimerGroup *group)
{
    int64_t now = host_ns(CLOCK_MONOTONIC);

    pthread_mutex_lock(&group->mutex);
    int64_t at = group_deadline(group, now);
    pthread_mutex_unlock(&group->mutex);
    return at == INT64_MAX ? -1 : MAX(at - now, 0);
}

/* Whether a loop runs timers of this clock now. */
static bool clock_fires(ClockKind clock)
{
    const ClockSource *source = atomic_load(&clock_source);

    return clock != VM_CLOCK_VIRTUAL || (source ? !source->runs_timers : atomic_load(&clock_running));
}

/* Group mutex held, but not during callbacks. */
static bool run_heap(TimerGroup *group, ClockKind clock, bool by_source)
{
    TimerHeap *heap = &group->heap[clock];
    bool ran = false;
    int64_t now;

    if (!heap->n || !(by_source || clock_fires(clock))) {
        return false;
    }
    now = clock_get_ns(clock);
    while (heap->n && heap->at[0]->deadline_ns <= now) {
        Timer *timer = heap->at[0];
        TimerFn *fn = timer->fn;
        void *opaque = timer->opaque;
        heap_remove(heap, timer);
        pthread_mutex_unlock(&group->mutex);
        fn(opaque);
        ran = true;
        pthread_mutex_lock(&group->mutex);
        /* A callback may have stopped the clock. */
        if (!(by_source || clock_fires(clock))) {
            break;
        }
    }
    return ran;
}

int64_t clock_virtual_deadline_ns(void)
{
    int64_t first = INT64_MAX;

    pthread_mutex_lock(&groups_mutex);
    for (TimerGroup *group = groups; group; group = group->next) {
        pthread_mutex_lock(&group->mutex);
        const TimerHeap *heap = &group->heap[VM_CLOCK_VIRTUAL];
        if (heap->n) {
            first = MIN(first, heap->at[0]->deadline_ns);
        }
        pthread_mutex_unlock(&group->mutex);
    }
    pthread_mutex_unlock(&groups_mutex);
    return first;
}

void clock_run_virtual_timers(void)
{
    /* Groups are made before the machine runs and freed when it is over. */
    pthread_mutex_lock(&groups_mutex);
    TimerGroup *group = groups;
    pthread_mutex_unlock(&groups_mutex);
    for (; group; group = group->next) {
        pthread_mutex_lock(&group->mutex);
        run_heap(group, VM_CLOCK_VIRTUAL, true);
        pthread_mutex_unlock(&group->mutex);
    }
}

bool timer_group_run(TimerGroup *group)
{
    bool took = group->takes_bql ? bql_enter() : false;
    bool ran = false;

    pthread_mutex_lock(&group->mutex);
    for (unsigned c = 0; c < VM_CLOCK_N; c++) {
        ran |= run_heap(group, c, false);
    }
    group->armed_ns = -1;
    group_rearm(group);
    pthread_mutex_unlock(&group->mutex);
    bql_leave(took);
    return ran;
}

typedef struct GroupSource {
    GSource source;
    TimerGroup *group;
    gpointer tag;
} GroupSource;

static gboolean group_ready(GSource *source)
{
    GroupSource *gs = (GroupSource *)source;

    return (g_source_query_unix_fd(source, gs->tag) & G_IO_IN) != 0;
}

static gboolean group_dispatch(GSource *source, GSourceFunc fn, gpointer data)
{
    TimerGroup *group = ((GroupSource *)source)->group;
    uint64_t count;

    if (read(group->fd, &count, sizeof(count)) < 0 && errno != EAGAIN) {
        return G_SOURCE_CONTINUE;
    }
    timer_group_run(group);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs group_funcs = { .check = group_ready, .dispatch = group_dispatch };

TimerGroup *timer_group_new(void *context, bool takes_bql)
{
    TimerGroup *group = xnew(TimerGroup);

    pthread_mutex_init(&group->mutex, NULL);
    group->takes_bql = takes_bql;
    group->armed_ns = INT64_MAX;
    group->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (group->fd >= 0) {
        GroupSource *gs = (GroupSource *)g_source_new(&group_funcs, sizeof(GroupSource));
        gs->group = group;
        gs->tag = g_source_add_unix_fd(&gs->source, group->fd, G_IO_IN);
        /* No priority: a guest whose timer is always due again would keep monitors and displays from ever being served. */
        g_source_attach(&gs->source, context);
        group->source = &gs->source;
    }
    pthread_mutex_lock(&groups_mutex);
    group->next = groups;
    groups = group;
    pthread_mutex_unlock(&groups_mutex);
    return group;
}

void timer_group_free(TimerGroup *group)
{
    pthread_mutex_lock(&groups_mutex);
    TimerGroup **at = &groups;
    while (*at != group) {
        at = &(*at)->next;
    }
    *at = group->next;
    pthread_mutex_unlock(&groups_mutex);
    if (group->source) {
        g_source_destroy(group->source);
        g_source_unref(group->source);
        close(group->fd);
    }
    for (unsigned c = 0; c < VM_CLOCK_N; c++) {
        free(group->heap[c].at);
    }
    pthread_mutex_destroy(&group->mutex);
    free(group);
}

TimerGroup *timer_main_group(void)
{
    static pthread_mutex_t once = PTHREAD_MUTEX_INITIALIZER;

    pthread_mutex_lock(&once);
    if (!main_group) {
        main_group = timer_group_new(NULL, true);
    }
    pthread_mutex_unlock(&once);
    return main_group;
}

/* --- timers --- */

void timer_init_in(Timer *timer, TimerGroup *group, ClockKind clock, TimerFn *fn, void *opaque)
{
    *timer = (Timer){ .group = group, .clock = clock, .fn = fn, .opaque = opaque };
}

void timer_init(Timer *timer, ClockKind clock, TimerFn *fn, void *opaque)
{
    timer_init_in(timer, timer_main_group(), clock, fn, opaque);
}

void timer_set_ns(Timer *timer, int64_t deadline_ns)
{
    TimerGroup *group = timer->group;
    TimerHeap *heap = &group->heap[timer->clock];

    pthread_mutex_lock(&group->mutex);
    if (timer->slot) {
        heap_remove(heap, timer);
    }
    timer->deadline_ns = deadline_ns;
    timer->seq = group->seq++;
    heap_insert(heap, timer);
    if (timer->slot == 1) {
        group_rearm(group);
    }
    pthread_mutex_unlock(&group->mutex);
}

void timer_cancel(Timer *timer)
{
    TimerGroup *group = timer->group;

    if (!group) {
        return;
    }
    pthread_mutex_lock(&group->mutex);
    /* The timerfd may wake the loop once for nothing. */
    if (timer->slot) {
        heap_remove(&group->heap[timer->clock], timer);
    }
    pthread_mutex_unlock(&group->mutex);
}

bool timer_pending(const Timer *timer)
{
    return timer->slot != 0;
}

int64_t timer_deadline_ns(const Timer *timer)
{
    return timer->slot ? timer->deadline_ns : INT64_MAX;
}
