/* system.c: memory functions, system calls, signals, threads, setjmp, processes. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel.h"

uint64_t kernel_memory(unsigned n)
{
    enum { N = 1 << 20 };
    char *a = malloc(N), *b = malloc(N);
    uint64_t sum = 0;
    memset(a, 1, N);
    for (unsigned i = 0; i < n * 30; i++) {
        memcpy(b, a, N);
        memset(a + i % 1000, (int)i, 5000);
        b[N - 1] = (char)i;
        sum += (unsigned)(memcmp(a, b, N) != 0) + strnlen(a, N) % 100;
        memmove(a + 3, a, N - 3);
    }
    for (int i = 0; i < N; i += 4099) sum = sum * 31 + (unsigned char)a[i];
    free(a);
    free(b);
    return sum;
}

uint64_t kernel_syscalls(unsigned n)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < n * 200000u; i++) sum += syscall(SYS_getppid) == getppid();
    return sum;
}

static volatile sig_atomic_t seen;
static void on_signal(int sig) { (void)sig; seen++; }

uint64_t kernel_signals(unsigned n)
{
    signal(SIGUSR1, on_signal);
    for (unsigned i = 0; i < n * 40000u; i++) raise(SIGUSR1);
    return (uint64_t)seen;
}

static atomic_ulong counter;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t shared;
static void *worker(void *arg)
{
    unsigned rounds = *(unsigned *)arg;
    uint64_t s = 99, local = 0;
    for (unsigned i = 0; i < rounds * 150000u; i++) {
        local += kernel_random(&s) >> 32;
        if (i % 16 == 0) atomic_fetch_add(&counter, 1);
        if (i % 64 == 0) {
            pthread_mutex_lock(&lock);
            shared += i;
            pthread_mutex_unlock(&lock);
        }
    }
    return (void *)(uintptr_t)local;
}

uint64_t kernel_threads(unsigned n)
{
    pthread_t t[4];
    uint64_t sum = 0;
    for (int i = 0; i < 4; i++) pthread_create(&t[i], NULL, worker, &n);
    for (int i = 0; i < 4; i++) {
        void *ret;
        pthread_join(t[i], &ret);
        sum += (uintptr_t)ret;
    }
    return sum + shared + counter;
}

static jmp_buf env;
static void __attribute__((noinline)) leap(int depth, int value)
{
    if (depth) leap(depth - 1, value);
    else longjmp(env, value);
}

uint64_t kernel_setjmp(unsigned n)
{
    volatile uint64_t sum = 0;
    for (volatile unsigned i = 0; i < n * 300000u; i++) {
        int v = setjmp(env);
        if (v) sum += v;
        else leap(3, (int)(i % 100) + 1);
    }
    return sum;
}

uint64_t kernel_fork(unsigned n)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < n * 150u; i++) {
        pid_t pid = fork();
        if (!pid) _exit((int)(i % 50));
        int status;
        waitpid(pid, &status, 0);
        sum += WEXITSTATUS(status);
    }
    return sum;
}
