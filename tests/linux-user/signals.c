/* signals.c: delivery, masks, nesting, alternate stacks, restarts, fault addresses, queues, timers. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t count, last_sig, last_code, nested, order[16], n_order;
static void *volatile last_addr;
static sigjmp_buf env;

static void on_info(int sig, siginfo_t *si, void *uc)
{
    (void)uc;
    count++;
    last_sig = sig;
    last_code = si->si_code;
    last_addr = si->si_addr;
}

static void on_jump(int sig, siginfo_t *si, void *uc)
{
    on_info(sig, si, uc);
    siglongjmp(env, 1);
}

static void install(int sig, void (*fn)(int, siginfo_t *, void *), int flags)
{
    struct sigaction sa = { .sa_sigaction = fn, .sa_flags = SA_SIGINFO | flags };
    sigemptyset(&sa.sa_mask);
    if (sigaction(sig, &sa, NULL)) {
        printf("sigaction %d: %s\n", sig, strerror(errno));
    }
}

static void faults(void)
{
    char *p = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(p + 4096, 4096);
    install(SIGSEGV, on_jump, 0);
    install(SIGBUS, on_jump, 0);
    install(SIGILL, on_jump, 0);
    install(SIGTRAP, on_jump, 0);
    if (!sigsetjmp(env, 1)) {
        *(volatile char *)(p + 100) = 1;
    }
    printf("write to read-only: sig %d code %d offset %ld\n", last_sig, last_code, (long)((char *)last_addr - p));
    if (!sigsetjmp(env, 1)) {
        (void)*(volatile char *)(p + 5000);
    }
    printf("unmapped: sig %d code %d offset %ld\n", last_sig, last_code, (long)((char *)last_addr - p));
    if (!sigsetjmp(env, 1)) {
        (void)*(volatile long *)0x8ul;
    }
    printf("null: sig %d code %d addr %p\n", last_sig, last_code, last_addr);
    if (!sigsetjmp(env, 1)) {
        ((void (*)(void))(p))();
    }
    printf("exec: sig %d offset %ld\n", last_sig, (long)((char *)last_addr - p));
    char name[] = "/tmp/sigbus-XXXXXX";
    int fd = mkstemp(name);
    unlink(name);
    char *f = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    if (!sigsetjmp(env, 1)) {
        (void)*(volatile char *)(f + 8);
    }
    printf("beyond the file: sig %d code %d offset %ld\n", last_sig, last_code, (long)((char *)last_addr - f));
    /* Many faults: the state must be complete each time. */
    volatile int n = 0;
    for (volatile int i = 0; i < 500; i++) {
        if (!sigsetjmp(env, 1)) {
            *(volatile int *)(p + 4 * (i % 1000)) = i;
        } else {
            n++;
        }
    }
    printf("faults %d\n", n);
}

static void on_stack(int sig)
{
    char here;
    stack_t ss;
    (void)sig;
    sigaltstack(NULL, &ss);
    order[n_order++] = (ss.ss_flags & SS_ONSTACK) != 0;
    order[n_order++] = &here > (char *)ss.ss_sp && &here < (char *)ss.ss_sp + ss.ss_size;
}

static void altstack(void)
{
    stack_t ss = { .ss_sp = malloc(65536), .ss_size = 65536 }, old;
    n_order = 0;
    printf("altstack %d\n", sigaltstack(&ss, &old));
    printf("was disabled %d\n", old.ss_flags == SS_DISABLE);
    struct sigaction sa = { .sa_handler = on_stack, .sa_flags = SA_ONSTACK };
    sigaction(SIGUSR1, &sa, NULL);
    raise(SIGUSR1);
    printf("on stack %d %d\n", order[0], order[1]);
    /* A stack that cannot be written: SIGSEGV, whose handler has another stack. */
    stack_t bad = { .ss_sp = mmap(NULL, 65536, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), .ss_size = 65536 };
    printf("bad altstack %d\n", sigaltstack(&bad, NULL));
    install(SIGSEGV, on_jump, 0);
    if (sigsetjmp(env, 1) == 0) {
        raise(SIGUSR1);
        printf("no signal\n");
    } else {
        printf("no room for the frame: signal %d code %d\n", (int)last_sig, (int)last_code);
    }
    mprotect(bad.ss_sp, bad.ss_size, PROT_READ | PROT_WRITE);
    n_order = 0;
    raise(SIGUSR1);
    printf("room %d\n", order[0]);
    signal(SIGSEGV, SIG_DFL);
    ss.ss_size = 100;
    int rc = sigaltstack(&ss, NULL);
    printf("small: %d %d\n", rc, errno == ENOMEM);
    ss.ss_flags = SS_DISABLE;
    printf("disable %d\n", sigaltstack(&ss, NULL));
}

static void on_nest(int sig)
{
    order[n_order++] = sig;
    if (sig == SIGUSR1) {
        raise(SIGUSR2); /* blocked by sa_mask: after this handler */
        order[n_order++] = 100;
    }
}

static void masks(void)
{
    sigset_t set, old, pend;
    n_order = 0;
    struct sigaction sa = { .sa_handler = on_nest };
    sigemptyset(&sa.sa_mask);
    sigaddset(&sa.sa_mask, SIGUSR2);
    sigaction(SIGUSR1, &sa, NULL);
    sigemptyset(&sa.sa_mask);
    sigaction(SIGUSR2, &sa, NULL);
    raise(SIGUSR1);
    printf("order");
    for (int i = 0; i < n_order; i++) {
        printf(" %d", order[i]);
    }
    printf("\n");
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, &old);
    n_order = 0;
    raise(SIGUSR1);
    sigpending(&pend);
    printf("pending %d delivered %d\n", sigismember(&pend, SIGUSR1), n_order);
    sigprocmask(SIG_SETMASK, &old, NULL);
    printf("after unblock %d\n", n_order > 0);
    int rc = sigprocmask(77, &set, NULL);
    printf("bad how %d %d\n", rc, errno == EINVAL);
    sa.sa_handler = on_nest;
    rc = sigaction(SIGKILL, &sa, NULL);
    printf("kill action %d %d\n", rc, errno == EINVAL);
    sa.sa_flags = SA_RESETHAND;
    sigaction(SIGUSR2, &sa, NULL);
    raise(SIGUSR2);
    sigaction(SIGUSR2, NULL, &sa);
    printf("resethand %d\n", sa.sa_handler == SIG_DFL);
}

static int rt_order[8], rt_n;
static void on_rt(int sig, siginfo_t *si, void *uc)
{
    (void)sig;
    (void)uc;
    if (rt_n < 8) {
        rt_order[rt_n++] = si->si_value.sival_int;
    }
}

static void queue(void)
{
    sigset_t set, old;
    install(SIGRTMIN + 1, on_rt, 0);
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 1);
    sigprocmask(SIG_BLOCK, &set, &old);
    for (int i = 1; i <= 4; i++) {
        sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = i });
    }
    siginfo_t si;
    struct timespec ts = { 0, 1000000 };
    int r = sigtimedwait(&set, &si, &ts);
    printf("sigtimedwait %d value %d code %d\n", r == SIGRTMIN + 1, si.si_value.sival_int, si.si_code);
    sigprocmask(SIG_SETMASK, &old, NULL);
    printf("queued %d: %d %d %d\n", rt_n, rt_order[0], rt_order[1], rt_order[2]);
    sigprocmask(SIG_BLOCK, &set, &old);
    r = sigtimedwait(&set, &si, &ts);
    printf("none %d %d\n", r, errno == EAGAIN);
    int fd = signalfd(-1, &set, SFD_NONBLOCK);
    sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = 77 });
    struct signalfd_siginfo fdsi;
    r = (int)read(fd, &fdsi, sizeof(fdsi));
    printf("signalfd %d %d\n", r, fdsi.ssi_int);
    close(fd);
    sigprocmask(SIG_SETMASK, &old, NULL);
    /* The signals the C library keeps to itself, by the kernel's call. */
    int all = 0;
    for (int sig = 1; sig <= 64; sig++) {
        if (sig == SIGKILL || sig == SIGSTOP) {
            continue;
        }
        struct { void *handler; unsigned long flags, a, b; } raw = { SIG_IGN, 0, 0, 0 }, was;
        long rc = syscall(SYS_rt_sigaction, sig, &raw, &was, 8);
        if (rc == 0) {
            syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), sig);
            syscall(SYS_rt_sigaction, sig, &was, NULL, 8);
            all++;
        }
    }
    printf("signals usable %d\n", all);
}

/* Fault signals that come from outside are signals like others: they wait while blocked, and can be waited for. */
static void sent_faults(void)
{
    sigset_t set, old, none;
    siginfo_t si;
    sigemptyset(&set);
    sigaddset(&set, SIGSEGV);
    sigaddset(&set, SIGFPE);
    sigprocmask(SIG_BLOCK, &set, &old);
    kill(getpid(), SIGSEGV);
    struct timespec ts = { 5, 0 };
    int r = sigtimedwait(&set, &si, &ts);
    printf("waited for %d code %d from us %d\n", r, si.si_code, si.si_pid == getpid());
    pid_t child = fork();
    if (!child) {
        usleep(20000);
        kill(getppid(), SIGFPE);
        _exit(0);
    }
    r = sigtimedwait(&set, &si, &ts);
    printf("waited for %d from the child %d\n", r, si.si_pid == child);
    waitpid(child, NULL, 0);
    install(SIGFPE, on_info, 0);
    count = 0;
    raise(SIGFPE);
    printf("still waits %d\n", count == 0);
    sigemptyset(&none);
    r = sigsuspend(&none);
    printf("suspended %d handled %d code %d\n", r, (int)count, last_code);
    sigprocmask(SIG_SETMASK, &old, NULL);
    printf("once %d\n", (int)count);
    signal(SIGFPE, SIG_DFL);
}

static volatile int alarms;
static void on_alarm(int sig)
{
    (void)sig;
    alarms++;
}

static void restarts(void)
{
    int p[2];
    char c = 0;
    if (pipe(p)) {
        return;
    }
    struct sigaction sa = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
    sigaction(SIGALRM, &sa, NULL);
    pid_t child = fork();
    if (!child) {
        usleep(120000);
        kill(getppid(), SIGALRM);
        usleep(60000);
        if (write(p[1], "x", 1) != 1) {
            _exit(1);
        }
        _exit(0);
    }
    ssize_t n = read(p[0], &c, 1);
    printf("restarted read %d %c alarms %d\n", (int)n, c, alarms);
    waitpid(child, NULL, 0);
    sa.sa_flags = 0;
    sigaction(SIGALRM, &sa, NULL);
    alarms = 0;
    struct itimerval it = { .it_value = { 0, 50000 } };
    setitimer(ITIMER_REAL, &it, NULL);
    n = read(p[0], &c, 1);
    printf("interrupted read %d %d alarms %d\n", (int)n, errno == EINTR, alarms);
    setitimer(ITIMER_REAL, &it, NULL);
    struct timespec ts = { 2, 0 }, rem = { 0, 0 };
    int r = nanosleep(&ts, &rem);
    printf("nanosleep %d %d rest %d\n", r, errno == EINTR, rem.tv_sec == 1);
    /* sigsuspend with the signal sent before. */
    sigset_t block, old, none;
    sigemptyset(&none);
    sigemptyset(&block);
    sigaddset(&block, SIGALRM);
    sigprocmask(SIG_BLOCK, &block, &old);
    alarms = 0;
    raise(SIGALRM);
    r = sigsuspend(&none);
    sigset_t now;
    sigprocmask(SIG_SETMASK, &old, &now);
    printf("sigsuspend %d %d alarms %d blocked again %d\n", r, errno == EINTR, alarms, sigismember(&now, SIGALRM));
    /* An asynchronous signal must get into a loop without calls. */
    alarms = 0;
    setitimer(ITIMER_REAL, &it, NULL);
    while (!alarms) {
    }
    printf("loop left\n");
    /* A storm. */
    struct itimerval storm = { .it_interval = { 0, 1000 }, .it_value = { 0, 1000 } };
    alarms = 0;
    setitimer(ITIMER_REAL, &storm, NULL);
    volatile unsigned long x = 0;
    while (alarms < 100) {
        x = x * 3 + getppid() % 2;
    }
    memset(&storm, 0, sizeof(storm));
    setitimer(ITIMER_REAL, &storm, NULL);
    printf("storm over\n");
}

static void defaults(void)
{
    static const int sigs[] = { SIGTERM, SIGSEGV, SIGABRT, SIGUSR1, SIGCHLD, SIGILL };
    for (unsigned i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++) {
        fflush(stdout);
        pid_t child = fork();
        if (!child) {
            close(2);
            signal(sigs[i], SIG_DFL);
            kill(getpid(), sigs[i]);
            _exit(7);
        }
        int status;
        waitpid(child, &status, 0);
        printf("default %d: signaled %d by %d exit %d\n", sigs[i], !!WIFSIGNALED(status),
               WIFSIGNALED(status) ? WTERMSIG(status) : 0, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    }
    pid_t child = fork();
    if (!child) {
        signal(SIGTSTP, SIG_DFL);
        raise(SIGSTOP);
        _exit(3);
    }
    int status;
    waitpid(child, &status, WUNTRACED);
    printf("stopped %d\n", WIFSTOPPED(status));
    kill(child, SIGCONT);
    waitpid(child, &status, 0);
    printf("continued, exit %d\n", WEXITSTATUS(status));
}

static void timers(void)
{
    timer_t id;
    struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 9 };
    sigset_t set, old;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, &old);
    printf("timer_create %d\n", timer_create(CLOCK_MONOTONIC, &ev, &id));
    struct itimerspec its = { .it_value = { 0, 10000000 } };
    timer_settime(id, 0, &its, NULL);
    siginfo_t si;
    int r = sigwaitinfo(&set, &si);
    printf("timer signal %d code %d value %d\n", r == SIGUSR1, si.si_code, si.si_value.sival_int);
    timer_delete(id);
    /* A timer that tells nobody: the signal's number does not matter. */
    ev.sigev_notify = SIGEV_NONE;
    ev.sigev_signo = 0x5a5a5a5a;
    int silent = timer_create(CLOCK_THREAD_CPUTIME_ID, &ev, &id);
    printf("silent timer %d %d\n", silent, silent ? errno : timer_delete(id));
    ev.sigev_notify = SIGEV_SIGNAL;
    silent = timer_create(CLOCK_MONOTONIC, &ev, &id);
    printf("no such signal %d %d\n", silent, errno == EINVAL);
    sigprocmask(SIG_SETMASK, &old, NULL);
}

int main(void)
{
    faults();
    altstack();
    masks();
    queue();
    sent_faults();
    restarts();
    defaults();
    timers();
    install(SIGINT, on_info, 0);
    kill(getpid(), SIGINT);
    printf("kill code %d\n", last_code);
    return 0;
}
