/*
 * x87.c: the x87 state of a thread is its own: beside other threads, signal handlers that use the unit, fork, system calls, and stores that
 * fault. Prints the bytes of results, which must be the host's.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 4, STEPS = 60000 };

static volatile int hits;
static volatile long double result_of_handler;

static void print(const char *name, long double v)
{
    uint8_t b[16] = { 0 };
    memcpy(b, &v, 10);
    printf("%s ", name);
    for (int i = 9; i >= 0; i--) {
        printf("%02x", b[i]);
    }
    printf("\n");
}

/* Changes everything: registers, flags, control word. */
static void on_alarm(int sig)
{
    unsigned short up = 0x0b7f;
    long double a = hits * 1.25L + 0.1L;

    (void)sig;
    __asm__ volatile("fldcw %0" : : "m"(up));
    for (int i = 0; i < 20; i++) {
        a = a * 1.0001L + 1 / a;
    }
    result_of_handler = a;
    hits++;
}

static long double work(int k)
{
    long double s = k, t = 1;

    for (int i = 1; i < STEPS; i++) {
        s += t / i;
        t = t * 0.999999L + s * 1e-9L;
        if (i % 500 == 0) {
            getppid();
        }
        if (i % 2000 == 0) {
            sched_yield();
        }
    }
    return s;
}

static void *thread(void *arg)
{
    long double *r = malloc(sizeof(*r));
    *r = work((int)(intptr_t)arg);
    return r;
}

/* Four registers are in use across the fork and read in both processes. */
static void check_fork(void)
{
    long double in[4] = { 1.5L, 2.25L, -3.125L, 1e4000L }, out[4];
    pid_t child;
    int status = 0;

    fflush(stdout);
    __asm__ volatile("fldt %0\n\tfldt %1\n\tfldt %2\n\tfldt %3" : : "m"(in[0]), "m"(in[1]), "m"(in[2]), "m"(in[3]));
    child = fork();
    __asm__ volatile("fstpt %0\n\tfstpt %1\n\tfstpt %2\n\tfstpt %3" : "=m"(out[3]), "=m"(out[2]), "=m"(out[1]), "=m"(out[0]));
    int same = 1;
    for (int i = 0; i < 4; i++) {
        same &= !memcmp(&in[i], &out[i], 10);
    }
    if (!child) {
        _exit(same ? 17 : 18);
    }
    waitpid(child, &status, 0);
    printf("fork %d %d\n", same, WEXITSTATUS(status));
}

static sigjmp_buf env;
static unsigned short words[2];
static uint8_t places;

static void on_segv(int sig, siginfo_t *info, void *context)
{
    (void)sig;
    (void)info;
    (void)context;
    siglongjmp(env, 1);
}

/* What a handler finds in the signal frame after a store that faulted: nothing has been popped, no flag set. */
static void on_segv_look(int sig, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    const uint8_t *image = (const uint8_t *)uc->uc_mcontext.fpregs;

    (void)sig;
    (void)info;
#ifdef __x86_64__
    memcpy(words, image, 4);
    places = image[4];
#else
    memcpy(&words[0], image, 2); /* struct _fpstate begins with an FSAVE image */
    memcpy(&words[1], image + 4, 2);
    unsigned short tags;
    memcpy(&tags, image + 8, 2);
    for (int i = 0; i < 8; i++) {
        places |= (tags >> 2 * i & 3) == 3 ? 0 : 1 << i;
    }
#endif
    siglongjmp(env, 1);
}

static void check_faults(void)
{
    char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    long double third = 1.0L / 3;
    struct sigaction sa = { .sa_sigaction = on_segv, .sa_flags = SA_SIGINFO | SA_NODEFER };
    volatile int passed = 0;

    mprotect(page + 4096, 4096, PROT_NONE);
    sigaction(SIGSEGV, &sa, NULL);
    for (volatile int i = 0; i < 50; i++) {
        if (!sigsetjmp(env, 1)) {
            __asm__ volatile("fninit\n\tfld1\n\tfldpi\n\tfstpt (%0)" : : "r"(page + 4096 - 5) : "memory");
            passed++;
        }
    }
    sa.sa_sigaction = on_segv_look;
    sigaction(SIGSEGV, &sa, NULL);
    if (!sigsetjmp(env, 1)) {
        __asm__ volatile("fninit\n\tfldt %1\n\tfld1\n\tfxch\n\tfstps (%0)" : : "r"(page + 4096), "m"(third) : "memory");
        passed++;
    }
    printf("faults %d control %x status %x places %x\n", passed, words[0], words[1], places);
}

int main(void)
{
    struct itimerval timer = { { 0, 1000 }, { 0, 1000 } };
    pthread_t threads[THREADS];
    unsigned short control;

    signal(SIGALRM, on_alarm);
    setitimer(ITIMER_REAL, &timer, NULL);
    for (int k = 0; k < THREADS; k++) {
        pthread_create(&threads[k], NULL, thread, (void *)(intptr_t)k);
    }
    for (int k = 0; k < THREADS; k++) {
        void *r;
        pthread_join(threads[k], &r);
        print("thread", *(long double *)r);
        free(r);
    }
    print("main", work(THREADS));
    check_fork();
    memset(&timer, 0, sizeof(timer));
    setitimer(ITIMER_REAL, &timer, NULL);
    check_faults();
    __asm__ volatile("fninit");
    print("again", work(1));
    __asm__ volatile("fnstcw %0" : "=m"(control));
    printf("control %x\n", control);
    return 0;
}
