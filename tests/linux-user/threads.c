/* threads.c: threads, mutexes, robust and PI locks, condition variables, TLS, exit paths, futex calls. */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { N = 16, ROUNDS = 2000 };
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long counter;
static atomic_long atomic_counter;
static __thread int tls = 5;

static void *worker(void *arg)
{
    long id = (long)arg;
    tls += (int)id;
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&lock);
        counter++;
        pthread_mutex_unlock(&lock);
        atomic_fetch_add(&atomic_counter, 2);
    }
    return (void *)(long)tls;
}

static void *robust_owner(void *arg)
{
    pthread_mutex_lock(arg);
    return NULL; /* dies with the lock */
}

static sem_t ready;
static volatile int got;
static void on_signal(int sig)
{
    (void)sig;
    got++;
}

static void *spinner(void *arg)
{
    (void)arg;
    sem_post(&ready);
    while (!got) {
    }
    return (void *)1;
}

static void *cancelled(void *arg)
{
    (void)arg;
    sem_post(&ready);
    for (;;) {
        sleep(100);
    }
    return NULL;
}

static void *exec_exit(void *arg)
{
    (void)arg;
    exit(23);
}

static void *outlive(void *arg)
{
    (void)arg;
    usleep(50000);
    printf("the last thread\n");
    fflush(stdout);
    _exit(9);
}

static volatile pid_t leaver;
static char *bad_page;

/* What the kernel looks at when a thread ends may be anything: the thread ends, and nothing else. */
static void *leaves(void *arg)
{
    pthread_detach(pthread_self());
    syscall(SYS_set_robust_list, arg ? bad_page + 64 : (char *)calloc(3, sizeof(long)), 3 * sizeof(long));
    syscall(SYS_set_tid_address, arg ? bad_page : NULL);
    leaver = (pid_t)syscall(SYS_gettid);
    syscall(SYS_exit, 0);
    return NULL;
}

static void *waits(void *arg)
{
    sem_wait(arg);
    uid_t real, effective, saved;
    return (void *)(long)getresuid(&real, &effective, &saved);
}

/* The C library makes every thread call setresuid, by a signal of its own. */
static void all_set_ids(void)
{
    pthread_t t[4];
    sem_t go;
    sem_init(&go, 0, 0);
    for (int i = 0; i < 4; i++) {
        pthread_create(&t[i], NULL, waits, &go);
    }
    printf("setresuid in every thread %d %d\n", setresuid(getuid(), geteuid(), -1), setregid(getgid(), getegid()));
    for (int i = 0; i < 4; i++) {
        sem_post(&go);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(t[i], NULL);
    }
}

int main(void)
{
    pthread_t t[N];
    all_set_ids();
    bad_page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (long i = 0; i < 2; i++) {
        leaver = 0;
        pthread_create(&t[0], NULL, leaves, (void *)i);
        while (!leaver || syscall(SYS_tgkill, getpid(), leaver, 0) == 0) {
            usleep(1000);
        }
        printf("left %ld\n", i);
    }
    for (long i = 0; i < N; i++) {
        if (pthread_create(&t[i], NULL, worker, (void *)i)) {
            printf("create failed\n");
        }
    }
    long sum = 0;
    for (int i = 0; i < N; i++) {
        void *r;
        pthread_join(t[i], &r);
        sum += (long)r;
    }
    printf("counter %ld atomic %ld tls %ld\n", counter, (long)atomic_counter, sum);

    pthread_mutexattr_t ma;
    pthread_mutex_t m;
    pthread_mutexattr_init(&ma);
    pthread_mutexattr_setrobust(&ma, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&m, &ma);
    pthread_create(&t[0], NULL, robust_owner, &m);
    pthread_join(t[0], NULL);
    int r = pthread_mutex_lock(&m);
    printf("robust %d\n", r == EOWNERDEAD);
    printf("consistent %d\n", pthread_mutex_consistent(&m));
    pthread_mutex_unlock(&m);
    pthread_mutexattr_init(&ma);
    pthread_mutexattr_setprotocol(&ma, PTHREAD_PRIO_INHERIT);
    pthread_mutex_init(&m, &ma);
    printf("pi %d\n", pthread_mutex_lock(&m));
    printf("pi %d\n", pthread_mutex_unlock(&m));

    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    ts.tv_nsec += 20000000;
    if (ts.tv_nsec >= 1000000000) {
        ts.tv_sec++;
        ts.tv_nsec -= 1000000000;
    }
    pthread_cond_t c = PTHREAD_COND_INITIALIZER;
    pthread_mutex_lock(&lock);
    printf("timedwait %d\n", pthread_cond_timedwait(&c, &lock, &ts) == ETIMEDOUT);
    pthread_mutex_unlock(&lock);

    sem_init(&ready, 0, 0);
    struct sigaction sa = { .sa_handler = on_signal };
    sigaction(SIGUSR1, &sa, NULL);
    pthread_create(&t[0], NULL, spinner, NULL);
    sem_wait(&ready);
    pthread_kill(t[0], SIGUSR1);
    void *ret;
    pthread_join(t[0], &ret);
    printf("signalled %ld\n", (long)ret);
    pthread_create(&t[0], NULL, cancelled, NULL);
    sem_wait(&ready);
    pthread_cancel(t[0]);
    pthread_join(t[0], &ret);
    printf("cancelled %d\n", ret == PTHREAD_CANCELED);

    int word = 1;
    long rc;
    struct timespec shortly = { 0, 1000000 };
    rc = syscall(SYS_futex, &word, FUTEX_WAIT, 2, NULL, NULL, 0);
    printf("futex again %ld %d\n", rc, errno == EAGAIN);
    rc = syscall(SYS_futex, &word, FUTEX_WAIT, 1, &shortly, NULL, 0);
    printf("futex timeout %ld %d\n", rc, errno == ETIMEDOUT);
    rc = syscall(SYS_futex, (void *)16, FUTEX_WAIT, 1, &shortly, NULL, 0);
    printf("futex fault %ld %d\n", rc, errno == EFAULT);
    printf("futex wake %ld\n", syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0));
    cpu_set_t cpus;
    printf("affinity %d\n", sched_getaffinity(0, sizeof(cpus), &cpus) == 0 && CPU_COUNT(&cpus) > 0);

    for (int i = 0; i < 200; i++) { /* start and end, many times */
        pthread_create(&t[0], NULL, worker + 0, (void *)0l);
        if (i % 2) {
            pthread_join(t[0], NULL);
        } else {
            pthread_detach(t[0]);
        }
        if (i == 3) {
            break;
        }
    }
    fflush(stdout);
    int status;
    pid_t pid = fork();
    if (!pid) {
        pthread_create(&t[0], NULL, exec_exit, NULL);
        pause();
    }
    waitpid(pid, &status, 0);
    printf("exit from a thread %d\n", WEXITSTATUS(status));
    fflush(stdout);
    pid = fork();
    if (!pid) {
        pthread_create(&t[0], NULL, outlive, NULL);
        pthread_exit(NULL);
    }
    waitpid(pid, &status, 0);
    printf("main thread left first, %d\n", WEXITSTATUS(status));
    return 0;
}
