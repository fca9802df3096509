/* softmmu/loop.c: watches, bottom halves across threads, timers, I/O threads. */
#include <pthread.h>
#include <unistd.h>
#include "softmmu/loop.h"
#include "tests/test.h"
#include "util/alloc.h"

static int runs, reads;
static BottomHalf *self_free, *sibling;

static void count(void *opaque)
{
    runs++;
}

static void free_both(void *opaque)
{
    runs++;
    bh_free(self_free);
    bh_free(sibling);
}

static void ready(void *opaque, unsigned events)
{
    char c;
    CHECK(events & LOOP_READ);
    CHECK(read(*(int *)opaque, &c, 1) == 1);
    reads++;
}

static void *poke(void *opaque)
{
    usleep(2000);
    bh_schedule(opaque);
    return NULL;
}

static void *current_seen;
static void note_current(void *opaque)
{
    current_seen = loop_current();
    loop_call(loop_main(), count, NULL);
}

static int64_t deadline = -1;
static int64_t next_ns(void *opaque)
{
    return deadline;
}

static void timer_run(void *opaque)
{
    deadline = -1;
    runs++;
}

int main(void)
{
    EventLoop *loop = loop_main();
    while (loop_run_once(loop, false)) {
    }
    BottomHalf *bh = bh_new(loop, count, NULL);
    bh_schedule(bh);
    bh_schedule(bh);
    loop_run_once(loop, true);
    CHECK_EQ(runs, 1);
    bh_schedule(bh);
    bh_cancel(bh);
    loop_run_once(loop, false);
    CHECK_EQ(runs, 1);

    /* From another thread, while this one waits. */
    pthread_t thread;
    pthread_create(&thread, NULL, poke, bh);
    while (runs < 2) {
        loop_run_once(loop, true);
    }
    pthread_join(thread, NULL);
    bh_free(bh);

    /* A bottom half may free itself and one behind it in the same round. */
    self_free = bh_new(loop, free_both, NULL);
    sibling = bh_new(loop, count, NULL);
    bh_schedule(self_free);
    bh_schedule(sibling);
    loop_run_once(loop, true);
    loop_run_once(loop, false);
    CHECK_EQ(runs, 3);

    int fds[2];
    CHECK(pipe(fds) == 0);
    FdWatch *watch = loop_watch(loop, fds[0], LOOP_READ, ready, &fds[0]);
    CHECK(write(fds[1], "ab", 2) == 2);
    loop_run_once(loop, true);
    loop_run_once(loop, true);
    CHECK_EQ(reads, 2);
    CHECK(write(fds[1], "c", 1) == 1);
    loop_watch_set(watch, 0);
    loop_run_once(loop, false);
    CHECK_EQ(reads, 2);
    loop_watch_set(watch, LOOP_READ);
    loop_run_once(loop, true);
    CHECK_EQ(reads, 3);
    loop_unwatch(watch);

    loop_add_timers(loop, next_ns, timer_run, NULL);
    deadline = 0;
    loop_run_once(loop, true);
    CHECK(runs == 4 && deadline == -1);

    EventLoop *io = loop_new_thread("io-test", NULL);
    loop_call(io, note_current, NULL);
    while (runs < 5) {
        loop_run_once(loop, true);
    }
    CHECK(current_seen == io && loop_thread_id(io) > 0 && loop_thread_id(io) != getpid());
    loop_free_thread(io);
    return test_result();
}
