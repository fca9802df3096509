/*
 * stress.c: 32 threads at once: atomics, compare-and-swap loops, mutexes and condition variables, mapping and unmapping, code written
 * and run, signals between threads, threads that come and go, forks. What is counted must come out exact.
 *
 * An argument is the number of rounds.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { N = 32 };
static int rounds = 40;
static atomic_long added, swapped;
static _Atomic uint32_t small[4];
static _Atomic uint8_t tiny[8];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turned = PTHREAD_COND_INITIALIZER;
static long under_lock, turn;
static atomic_int bad;
static pthread_t thread[N];
static atomic_int signals_sent, signals_got;
static pthread_barrier_t all;
static void *shared_code;

static void check(int ok, const char *what)
{
    if (!ok) {
        atomic_fetch_add(&bad, 1);
        fprintf(stderr, "bad: %s\n", what);
    }
}

static void on_signal(int sig)
{
    (void)sig;
    atomic_fetch_add(&signals_got, 1);
}

static void atomics(long id)
{
    for (int i = 0; i < 200; i++) {
        atomic_fetch_add_explicit(&added, 3, memory_order_relaxed);
        atomic_fetch_xor(&small[i & 3], 1u << id);
        atomic_fetch_xor(&small[i & 3], 1u << id);
        atomic_fetch_add(&tiny[i & 7], 1); /* a loop of LR and SC on part of a word */
        atomic_fetch_sub(&tiny[i & 7], 1);
        long old = atomic_load(&swapped);
        while (!atomic_compare_exchange_weak(&swapped, &old, old + 1)) {
        }
    }
}

static void locks(long id)
{
    for (int i = 0; i < 50; i++) {
        pthread_mutex_lock(&lock);
        under_lock++;
        if (i % 10 == 0) {
            turn = id;
            pthread_cond_broadcast(&turned);
        }
        pthread_mutex_unlock(&lock);
    }
}

static void mappings(long id, int round)
{
    size_t page = 4096, n = 8 * page;
    uint8_t *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(p != MAP_FAILED, "mmap");
    memset(p, (int)id, n);
    check(mprotect(p + 2 * page, page, PROT_READ) == 0, "mprotect");
    check(p[2 * page] == (uint8_t)id, "contents after mprotect");
    check(munmap(p + 4 * page, page) == 0, "munmap of a page");
    p[0] = (uint8_t)round;
    uint8_t *moved = mremap(p, 2 * page, 12 * page, MREMAP_MAYMOVE);
    check(moved != MAP_FAILED && moved[0] == (uint8_t)round && moved[2 * page] == 0, "mremap");
    munmap(moved, 12 * page);
    munmap(p + 2 * page, 2 * page); /* the page after these may be somebody else's by now */
    munmap(p + 5 * page, 3 * page);
}

static void flush(void *start, size_t n)
{
    __builtin___clear_cache(start, (char *)start + n);
}

/* A function that returns `value` (at most 2047). */
static size_t emit(uint8_t *p, unsigned value)
{
#ifdef __riscv
    uint32_t code[2] = { value << 20 | 10 << 7 | 0x13, 0x8067 };
#elif defined(__aarch64__)
    uint32_t code[2] = { 0x52800000u | value << 5, 0xd65f03c0u };
#elif defined(__arm__) /* movw r0, #value; bx lr */
    uint32_t code[2] = { 0xe3000000u | (value >> 12) << 16 | (value & 0xfff), 0xe12fff1eu };
#else
    uint8_t code[6] = { 0xb8, (uint8_t)value, (uint8_t)(value >> 8), 0, 0, 0xc3 };
#endif
    memcpy(p, code, sizeof(code));
    return sizeof(code);
}

static void code(long id, int round)
{
    uint8_t *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 6; i++) {
        unsigned value = (unsigned)(id * 50 + round + i) & 2047;
        size_t n = emit(p + 64 * (i & 1), value);
        flush(p + 64 * (i & 1), n);
        check(((unsigned (*)(void))(p + 64 * (i & 1)))() == value, "own code");
    }
    munmap(p, 4096);
    /* Everybody runs what one has written; its place is the thread's own. */
    uint8_t *mine = (uint8_t *)shared_code + 128 * id;
    unsigned value = (unsigned)(id + round) & 2047;
    size_t n = emit(mine, value);
    flush(mine, n);
    check(((unsigned (*)(void))mine)() == value, "code on a shared page");
}

static void *short_life(void *arg)
{
    atomic_fetch_add(&added, 3);
    return arg;
}

static void births(int round)
{
    pthread_t t;
    void *r;
    check(pthread_create(&t, NULL, short_life, (void *)(long)round) == 0, "pthread_create");
    check(pthread_join(t, &r) == 0 && r == (void *)(long)round, "pthread_join");
}

static void forks(void)
{
    pid_t pid = fork();
    if (!pid) {
        _exit(7);
    }
    int status;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    check(WIFEXITED(status) && WEXITSTATUS(status) == 7, "fork");
}

static void *worker(void *arg)
{
    long id = (long)arg;
    pthread_barrier_wait(&all);
    for (int i = 0; i < rounds; i++) {
        atomics(id);
        locks(id);
        mappings(id, i);
        code(id, i);
        births(i);
        if (i % 16 == id % 16) {
            forks();
        }
        atomic_fetch_add(&signals_sent, pthread_kill(thread[(id + i) % N], SIGUSR1) == 0);
    }
    /* Nobody leaves while others send. */
    pthread_barrier_wait(&all);
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        rounds = atoi(argv[1]);
    }
    sigaction(SIGUSR1, &(struct sigaction){ .sa_handler = on_signal, .sa_flags = SA_RESTART }, NULL);
    shared_code = mmap(NULL, 128 * N, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pthread_barrier_init(&all, NULL, N);
    for (long i = 0; i < N; i++) {
        if (pthread_create(&thread[i], NULL, worker, (void *)i)) {
            return 1;
        }
    }
    for (int i = 0; i < N; i++) {
        pthread_join(thread[i], NULL);
    }
    /* Signals of a kind that wait merge; none comes from nowhere. */
    check(atomic_load(&signals_got) > 0 && atomic_load(&signals_got) <= atomic_load(&signals_sent), "signals");
    printf("added %ld swapped %ld locked %ld bad %d\n", atomic_load(&added), atomic_load(&swapped), under_lock, atomic_load(&bad));
    return atomic_load(&bad) != 0;
}
