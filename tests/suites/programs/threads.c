/* threads.c: 32 threads: mutexes, conditions, barriers, atomics, locks, malloc, mmap, signals, fork, cancellation. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 32, ROUNDS = 3000 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, robust;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t barrier;
static pthread_spinlock_t spin;
static sem_t sem;
static long by_mutex, by_spin, by_rwlock, turn;
static atomic_long by_atomic, by_cas, signals, torn, maps, forks, byte_sum;
static _Atomic unsigned char bytes[64];
static struct { _Alignas(64) long a, b; } pair;

static void on_signal(int sig)
{
    (void)sig;
    atomic_fetch_add(&signals, 1);
}

static void *cancelled(void *arg)
{
    (void)arg;
    for (;;) {
        sem_wait(&sem);
    }
    return NULL;
}

static void *worker(void *arg)
{
    long me = (long)arg;
    uint64_t rng = (uint64_t)me * 2654435761u + 1;
    for (int i = 0; i < ROUNDS; i++) {
        rng = rng * 6364136223846793005u + 1442695040888963407u;
        pthread_mutex_lock(&mutex);
        by_mutex++;
        pthread_mutex_unlock(&mutex);
        atomic_fetch_add_explicit(&by_atomic, 1, memory_order_relaxed);
        long old = atomic_load(&by_cas);
        while (!atomic_compare_exchange_weak(&by_cas, &old, old + 3)) {
        }
        atomic_fetch_add(&bytes[rng >> 58], 1);
        if (i % 8 == 0) {
            pthread_spin_lock(&spin);
            by_spin++;
            pthread_spin_unlock(&spin);
        }
        if (i % 16 == 0) {
            pthread_rwlock_wrlock(&rwlock);
            pair.a++;
            by_rwlock++;
            pair.b++;
            pthread_rwlock_unlock(&rwlock);
        } else if (i % 4 == 1) {
            pthread_rwlock_rdlock(&rwlock);
            torn += pair.a != pair.b;
            pthread_rwlock_unlock(&rwlock);
        }
        char *p = malloc(rng >> 50);
        memset(p, (int)me, rng >> 50);
        free(p);
        if (i % 200 == 0) {
            char *m = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            m[5] = 1;
            mprotect(m + 4096, 4096, PROT_NONE);
            maps += munmap(m, 65536) == 0;
        }
        if (i % 100 == 0) {
            pthread_kill(pthread_self(), SIGUSR1);
        }
        if (me < 4 && i % 1000 == 0) {
            pid_t pid = fork();
            if (!pid) {
                _exit(7);
            }
            int status;
            forks += waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 7;
        }
        if (i % 500 == 0) {
            pthread_barrier_wait(&barrier);
        }
    }
    for (int i = 0; i < 20; i++) { /* strictly in turn */
        pthread_mutex_lock(&mutex);
        while (turn % THREADS != me) {
            pthread_cond_wait(&cond, &mutex);
        }
        turn++;
        pthread_cond_broadcast(&cond);
        pthread_mutex_unlock(&mutex);
    }
    return (void *)(me * me);
}

static void *dies_holding(void *arg)
{
    pthread_mutex_lock(&robust);
    return arg;
}

int main(void)
{
    pthread_t t[THREADS];
    struct sigaction sa = { .sa_handler = on_signal };
    sigaction(SIGUSR1, &sa, NULL);
    pthread_barrier_init(&barrier, NULL, THREADS);
    pthread_spin_init(&spin, 0);
    sem_init(&sem, 0, 0);
    for (long i = 0; i < THREADS; i++) {
        pthread_create(&t[i], NULL, worker, (void *)i);
    }
    long sum = 0;
    for (int i = 0; i < THREADS; i++) {
        void *r;
        pthread_join(t[i], &r);
        sum += (long)r;
    }
    for (int i = 0; i < 64; i++) {
        byte_sum += bytes[i];
    }
    printf("mutex %ld atomic %ld cas %ld spin %ld rwlock %ld torn %ld\n", by_mutex, by_atomic, by_cas, by_spin, by_rwlock,
           torn);
    printf("bytes %ld maps %ld signals %ld forks %ld turns %ld results %ld\n", byte_sum % 256, maps, signals, forks, turn, sum);
    pthread_create(&t[0], NULL, cancelled, NULL);
    pthread_cancel(t[0]);
    void *r;
    pthread_join(t[0], &r);
    printf("cancelled %d\n", r == PTHREAD_CANCELED);
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
    int pi = pthread_mutex_init(&robust, &attr);
    pthread_create(&t[0], NULL, dies_holding, NULL);
    pthread_join(t[0], NULL);
    printf("robust %d %d\n", pi, pthread_mutex_lock(&robust) == EOWNERDEAD);
    for (int round = 0; round < 50; round++) {
        for (long i = 0; i < THREADS; i++) {
            if (pthread_create(&t[i], NULL, (void *(*)(void *))labs, (void *)i)) {
                printf("no thread %ld\n", i);
            }
        }
        for (int i = 0; i < THREADS; i++) {
            pthread_join(t[i], &r);
            sum += (long)r;
        }
    }
    printf("joined %ld\n", sum);
    return 0;
}
