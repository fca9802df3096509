/*
 * loop.h: event loops: who waits for file descriptors, timers and other threads.
 *
 * There is one main loop, run by the program's first thread, and any number of
 * I/O threads, each with a loop of its own. A loop is a GMainContext, so
 * libraries that bring GLib sources work with it.
 *
 * Threads: loop_wake(), loop_call() and bh_schedule() may be called from any
 * thread. Watches may be added from any thread; changing or removing one is
 * for the loop's own thread (or before the loop runs). Call-backs run in the
 * loop's thread, on the main loop with the lock of loop_set_lock() held.
 * A call-back may remove any watch or bottom half, its own included.
 */
#ifndef SOFTMMU_LOOP_H
#define SOFTMMU_LOOP_H

#include "util/error.h"

struct _GMainContext;
struct pollfd;

typedef struct EventLoop EventLoop;
typedef struct FdWatch FdWatch;
typedef struct BottomHalf BottomHalf;

/* The main loop; created at the first call (from the first thread). */
EventLoop *loop_main(void);
/* The loop whose thread is calling; the main loop if none runs here. */
EventLoop *loop_current(void);
/* A loop with a thread of its own, named `name` (at most 15 bytes are shown by the host). */
EventLoop *loop_new_thread(const char *name, Error **errp);
/* Ends the thread once its current call-back returns, and waits for it. */
void loop_free_thread(EventLoop *loop);
struct _GMainContext *loop_context(EventLoop *loop);
/* The host's thread id of an I/O thread's loop (for query-iothreads). */
int loop_thread_id(const EventLoop *loop);

/* Waits for (if `block`) and serves one round of events; true if anything was served. */
bool loop_run_once(EventLoop *loop, bool block);
/* Makes the loop leave its wait. */
void loop_wake(EventLoop *loop);

/* Around each wait of the loop: `unlock` before, `lock` after. Main loop: the device lock. */
void loop_set_lock(EventLoop *loop, void (*lock)(void), void (*unlock)(void));

/*
 * Timers live in clock.h; the loop asks for the earliest deadline before it
 * waits (nanoseconds from now; 0: due; negative: none) and calls run() after
 * the wait if the deadline may have passed.
 */
void loop_add_timers(EventLoop *loop, int64_t (*next_ns)(void *opaque),
                     void (*run)(void *opaque), void *opaque);

/* ---- file descriptors ---- */
enum {
    LOOP_READ = 1,   /* readable, or end of file */
    LOOP_WRITE = 2,  /* writable */
    LOOP_ERROR = 4,  /* error; always watched, may come with the others */
    LOOP_HANGUP = 8, /* the peer is gone; always watched, may come with the others */
    LOOP_PRIORITY = 16,
};

/* `ready` gets those of `events` that hold. The descriptor stays the caller's,
 * who must unwatch before closing it. */
FdWatch *loop_watch(EventLoop *loop, int fd, unsigned events,
                    void (*ready)(void *opaque, unsigned events), void *opaque);
/* events 0: keep the watch but sleep, not even errors are told. */
void loop_watch_set(FdWatch *watch, unsigned events);
void loop_unwatch(FdWatch *watch); /* NULL is allowed */

/*
 * For libraries that keep their own descriptors (user networking): `fill`
 * appends what to wait for with loop_poll_add() and may lower *timeout_ms
 * (negative: for ever); `done` runs after the wait and asks loop_poll_events().
 */
typedef struct LoopPoller LoopPoller;
LoopPoller *loop_add_poller(EventLoop *loop, void (*fill)(void *opaque, LoopPoller *poller,
                                                          int64_t *timeout_ms),
                            void (*done)(void *opaque, LoopPoller *poller), void *opaque);
void loop_remove_poller(LoopPoller *poller);
int loop_poll_add(LoopPoller *poller, int fd, short poll_events); /* an index */
short loop_poll_events(const LoopPoller *poller, int index);

/* ---- bottom halves: work put off until the loop comes round ---- */
BottomHalf *bh_new(EventLoop *loop, void (*run)(void *opaque), void *opaque);
/* Runs once in the loop however often it is scheduled before that. */
void bh_schedule(BottomHalf *bh);
void bh_cancel(BottomHalf *bh); /* loop's thread only */
void bh_free(BottomHalf *bh);   /* loop's thread only; NULL is allowed */
/* One shot: runs `fn` in the loop's thread, in order of the calls. */
void loop_call(EventLoop *loop, void (*fn)(void *opaque), void *opaque);

#endif
