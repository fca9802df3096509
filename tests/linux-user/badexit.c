/* badexit.c: pointers the kernel keeps for later that are bad when it uses them: at exits, after clone, for signal frames. */
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__riscv) || defined(__aarch64__)
#define CLONE(flags, ptid, tls, ctid) syscall(SYS_clone, flags, 0, ptid, tls, ctid)
#else
#define CLONE(flags, ptid, tls, ctid) syscall(SYS_clone, flags, 0, ptid, ctid, tls)
#endif
static void *const bad = (void *)16;

static void say(const char *what, pid_t pid)
{
    int status = 0;
    waitpid(pid, &status, 0);
    printf("%s: %s %d\n", what, WIFEXITED(status) ? "exit" : "signal", WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    fflush(stdout);
}

static volatile sig_atomic_t got;

static void on_usr1(int sig)
{
    got = sig;
}

static void on_segv(int sig)
{
    (void)sig;
    _exit(got ? 2 : 42);
}

/* The alternate stack is gone when SIGUSR1 needs it: a SIGSEGV, whose handler has a stack. */
static void frame_on_nothing(void)
{
    size_t n = 65536;
    void *stack = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    sigaltstack(&(stack_t){ .ss_sp = stack, .ss_size = n }, NULL);
    sigaction(SIGUSR1, &(struct sigaction){ .sa_handler = on_usr1, .sa_flags = SA_ONSTACK }, NULL);
    sigaction(SIGSEGV, &(struct sigaction){ .sa_handler = on_segv }, NULL);
    mprotect(stack, n, PROT_NONE);
    raise(SIGUSR1);
    _exit(1);
}

static void on_info(int sig, siginfo_t *info, void *context)
{
    (void)context;
    printf("got %d code %d address %d\n", sig, info->si_code, info->si_addr == bad);
}

int main(void)
{
    pid_t pid = fork();
    if (!pid) {
        syscall(SYS_set_tid_address, bad);
        _exit(3);
    }
    say("clear tid", pid);

    struct robust_list_head head = { .list = { bad }, .futex_offset = -8, .list_op_pending = bad };
    pid = fork();
    if (!pid) {
        syscall(SYS_set_robust_list, bad, sizeof(head));
        _exit(4);
    }
    say("robust head", pid);
    pid = fork();
    if (!pid) {
        syscall(SYS_set_robust_list, &head, sizeof(head));
        _exit(5);
    }
    say("robust entry", pid);

    fflush(stdout);
    pid = (pid_t)CLONE(CLONE_CHILD_SETTID | SIGCHLD, NULL, NULL, bad);
    if (!pid) {
        _exit(6);
    }
    say("child tid", pid);
    pid = (pid_t)CLONE(CLONE_CHILD_CLEARTID | SIGCHLD, NULL, NULL, bad);
    if (!pid) {
        _exit(7);
    }
    say("cleared child tid", pid);
    pid = vfork();
    if (!pid) {
        syscall(SYS_set_robust_list, bad, sizeof(head));
        _exit(8);
    }
    say("vfork", pid);

    pid = fork();
    if (!pid) {
        frame_on_nothing();
    }
    say("frame", pid);
    /* A fault's siginfo, queued by the program itself. */
    sigaction(SIGSEGV, &(struct sigaction){ .sa_sigaction = on_info, .sa_flags = SA_SIGINFO }, NULL);
    siginfo_t info = { .si_signo = SIGSEGV, .si_code = SEGV_ACCERR };
    info.si_addr = bad;
    printf("queued %ld\n", syscall(SYS_rt_sigqueueinfo, getpid(), SIGSEGV, &info));
    printf("queued %ld\n", syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGSEGV, &info));
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGSEGV);
    sigprocmask(SIG_BLOCK, &set, NULL);
    printf("queued %ld\n", syscall(SYS_rt_sigqueueinfo, getpid(), SIGSEGV, &info));
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    printf("queued to another %ld\n", syscall(SYS_rt_sigqueueinfo, getppid(), SIGSEGV, &info));
    fflush(stdout);
    signal(SIGSEGV, SIG_DFL);

    /* A default action that ends it with a core: memory that cannot be read is left out. */
    pid = fork();
    if (!pid) {
        mmap(NULL, 65536, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        syscall(SYS_set_tid_address, bad);
        raise(SIGTERM);
    }
    say("killed", pid);
    return 0;
}
