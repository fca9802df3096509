/*
 * sandbox.c: namespaces, limits and a filter of system calls round one run of the user-mode runner.
 *
 * What is inside sees: its own processes (pid namespace; killing all of them kills nobody else), no network, its own System V
 * objects, a small empty file system with the libraries read-only, its own /proc; it has no capabilities, another user where we
 * may choose one, limits on memory, files, processes and time. The filter refuses what namespaces do not contain (the clock,
 * mounts, modules, sockets to the hypervisor, …) and what would spoil the judgement: closing standard error, one
 * process writing into another's memory.
 *
 * The judge is the first process of the pid namespace: it polls until the runner has ended or nothing moves any more.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "tests/fuzz/sandbox.h"

enum {
    POLL_MS = 5, QUIET_MS = 400, RUN_MS = 20000, CPU_SECONDS = 3, NOBODY = 65533, MAX_PROCESSES = 40,
    FILE_BYTES = 1 << 20, DATA_BYTES = 1 << 30,
};

static char root[] = "/tmp/fuzz-sandbox-XXXXXX";
static const char *const runner_name[] = { "/run/qemu-riscv64", "/run/qemu-riscv32" };
static bool is_root;
static uintptr_t runner_start = UINTPTR_MAX;

static bool traced;

void sandbox_trace(void)
{
    traced = true;
}

void sandbox_set_runner_start(uintptr_t addr)
{
    runner_start = addr;
}

static bool fail(const char *what)
{
    fprintf(stderr, "sandbox: %s: %s\n", what, strerror(errno));
    return false;
}

static bool write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0) {
        close(fd);
    }
    return ok;
}

/* -- once ------------------------------------------------------------------------------------------- */

static bool bind_read_only(const char *from, const char *to)
{
    char path[256];
    struct stat st;
    if (lstat(from, &st) < 0) {
        return true; /* not every host has every folder */
    }
    snprintf(path, sizeof(path), "%s%s", root, to);
    if (S_ISLNK(st.st_mode)) {
        char target[256];
        ssize_t n = readlink(from, target, sizeof(target) - 1);
        if (n > 0) {
            target[n] = 0;
            return symlink(target, path) == 0;
        }
    }
    if (S_ISDIR(st.st_mode)) {
        mkdir(path, 0755);
    } else {
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
        if (fd < 0) {
            return false;
        }
        close(fd);
    }
    return mount(from, path, NULL, MS_BIND, NULL) == 0
           && mount(NULL, path, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) == 0;
}

static bool make_dir(const char *name)
{
    char path[256];
    snprintf(path, sizeof(path), "%s%s", root, name);
    return mkdir(path, 0755) == 0;
}

bool sandbox_init(const char *runner)
{
    char text[64], target[64];
    unsigned uid = geteuid(), gid = getegid();
    is_root = uid == 0;
    char *real = realpath(runner, NULL);
    if (!real) {
        return fail(runner);
    }
    if (!mkdtemp(root)) {
        return fail(root);
    }
    /* A helper stays outside only to remove the folder, which is empty there, once we have ended. */
    int gone[2];
    if (pipe2(gone, O_CLOEXEC) < 0) {
        return fail("pipe");
    }
    pid_t cleaner = fork();
    if (!cleaner) {
        char c;
        close(gone[1]);
        signal(SIGINT, SIG_IGN);
        while (read(gone[0], &c, 1) > 0) {
        }
        rmdir(root);
        _exit(0);
    }
    close(gone[0]); /* gone[1] stays open as long as we live */
    if (unshare((is_root ? 0 : CLONE_NEWUSER) | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS) < 0) {
        return fail("unshare");
    }
    if (!is_root) {
        write_file("/proc/self/setgroups", "deny");
        snprintf(text, sizeof(text), "0 %u 1", uid);
        snprintf(target, sizeof(target), "0 %u 1", gid);
        if (!write_file("/proc/self/uid_map", text) || !write_file("/proc/self/gid_map", target)) {
            return fail("user map");
        }
    }
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || mount("tmpfs", root, "tmpfs", MS_NOSUID | MS_NODEV, "size=16m,mode=755") < 0) {
        return fail("mount");
    }
    if (!make_dir("/proc") || !make_dir("/tmp") || !make_dir("/run") || !bind_read_only("/usr", "/usr")
        || !bind_read_only("/lib", "/lib") || !bind_read_only("/lib64", "/lib64")) {
        return fail("folders of the sandbox");
    }
    if (!bind_read_only(real, runner_name[0]) || !bind_read_only(real, runner_name[1])) {
        return fail("the runner in the sandbox");
    }
    free(real);
    return true;
}

/* -- the filter -------------------------------------------------------------------------------------- */

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)offsetof(struct seccomp_data, field))
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, value)
#define REFUSE(err) RETURN(SECCOMP_RET_ERRNO | (err))
/* Skips `n` instructions unless the accumulator is / has a bit of k. */
#define UNLESS_EQUAL(k, n) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)(k), 0, n)
#define IF_ABOVE_SKIP(k, n) BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, (unsigned)(k), n, 0)
#define IF_BITS_SKIP(k, n) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (unsigned)(k), n, 0)
#define UNLESS_BITS_SKIP(k, n) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (unsigned)(k), 0, n)
#define ALLOW RETURN(SECCOMP_RET_ALLOW)
/* args[] are 64-bit, little-endian: the low half, which is all that file descriptors, flags and domains have. */
#define ARG(n) LOAD(args[n])
#define NEVER(nr) UNLESS_EQUAL(nr, 1), REFUSE(EPERM)
/* Descriptors 0 to 2 stay as they are. */
#define KEEP_STDIO(nr, arg) UNLESS_EQUAL(nr, 4), ARG(arg), IF_ABOVE_SKIP(2, 1), REFUSE(EBADF), ALLOW

static bool install_filter(void)
{
    static const struct sock_filter filter[] = {
        LOAD(arch), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0), RETURN(SECCOMP_RET_KILL_PROCESS),
        LOAD(nr),
        NEVER(SYS_ptrace), NEVER(SYS_process_vm_readv), NEVER(SYS_process_vm_writev), NEVER(SYS_sync), NEVER(SYS_settimeofday),
        NEVER(SYS_clock_settime), NEVER(SYS_adjtimex), NEVER(SYS_clock_adjtime), NEVER(SYS_reboot), NEVER(SYS_mount),
        NEVER(SYS_umount2), NEVER(SYS_pivot_root), NEVER(SYS_chroot), NEVER(SYS_swapon), NEVER(SYS_swapoff),
        NEVER(SYS_init_module), NEVER(SYS_finit_module), NEVER(SYS_delete_module), NEVER(SYS_bpf), NEVER(SYS_acct),
        NEVER(SYS_setns), NEVER(SYS_syslog), NEVER(SYS_vhangup), NEVER(SYS_kexec_load), NEVER(SYS_kexec_file_load),
        NEVER(SYS_keyctl), NEVER(SYS_add_key), NEVER(SYS_request_key), NEVER(SYS_perf_event_open), NEVER(SYS_userfaultfd),
        NEVER(SYS_quotactl), NEVER(SYS_iopl), NEVER(SYS_ioperm), NEVER(SYS_fanotify_init), NEVER(SYS_open_by_handle_at),
        NEVER(SYS_sched_setscheduler), NEVER(SYS_sched_setattr), NEVER(SYS_fspick), NEVER(SYS_fsopen), NEVER(SYS_fsmount), NEVER(SYS_open_tree),
        NEVER(SYS_move_mount), NEVER(442 /* mount_setattr */), NEVER(425 /* io_uring_setup */),
        KEEP_STDIO(SYS_close, 0), KEEP_STDIO(SYS_dup2, 1), KEEP_STDIO(SYS_dup3, 1), KEEP_STDIO(436 /* close_range */, 0),
        KEEP_STDIO(SYS_shutdown, 0),
        /* Neither close-on-exec nor non-blocking. */
        UNLESS_EQUAL(SYS_fcntl, 7), ARG(1), UNLESS_EQUAL(F_SETFD, 3), ARG(0), IF_ABOVE_SKIP(2, 1), REFUSE(EBADF), ALLOW, ALLOW,
        UNLESS_EQUAL(SYS_ioctl, 4), ARG(0), IF_ABOVE_SKIP(2, 1), REFUSE(EBADF), ALLOW,
        /* Sockets: AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, all inside our network namespace. */
        UNLESS_EQUAL(SYS_socket, 7), ARG(0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 4, 0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 2, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 10, 2, 0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 16, 1, 0), REFUSE(EAFNOSUPPORT), ALLOW,
        UNLESS_EQUAL(SYS_unshare, 4), ARG(0), UNLESS_BITS_SKIP(~(unsigned)(CLONE_FS | CLONE_FILES | CLONE_SYSVSEM), 1), REFUSE(EPERM), ALLOW,
        /* Limits of other processes; pages filled at once would be memory for nothing. */
        UNLESS_EQUAL(SYS_prlimit64, 4), ARG(0), UNLESS_EQUAL(0, 1), ALLOW, REFUSE(EPERM),
        UNLESS_EQUAL(SYS_mmap, 4), ARG(3), UNLESS_BITS_SKIP(MAP_POPULATE, 1), REFUSE(EPERM), ALLOW,
        UNLESS_EQUAL(SYS_madvise, 4), ARG(2), IF_ABOVE_SKIP(21, 1), ALLOW, REFUSE(EINVAL),
        ALLOW,
    };
    struct sock_fprog program = { .len = sizeof(filter) / sizeof(filter[0]), .filter = (struct sock_filter *)filter };
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

/* -- a run ------------------------------------------------------------------------------------------------ */

static void limit(int resource, rlim_t soft, rlim_t hard)
{
    struct rlimit rl = { soft, hard };
    setrlimit(resource, &rl);
}

static void run_inside(const char *runner)
{
    struct { uint32_t version; int pid; } head = { 0x20080522, 0 };
    struct { uint32_t effective, permitted, inheritable; } none[2] = { { 0, 0, 0 }, { 0, 0, 0 } };
    /* The same addresses each time; the filter's no-new-privileges makes exec by user 0 gain nothing. */
    personality(ADDR_NO_RANDOMIZE);
    write_file("/proc/self/oom_score_adj", "1000");
    limit(RLIMIT_CORE, 0, 0);
    limit(RLIMIT_CPU, CPU_SECONDS, CPU_SECONDS + 1);
    limit(RLIMIT_NOFILE, 64, 64);
    limit(RLIMIT_FSIZE, FILE_BYTES, FILE_BYTES);
    limit(RLIMIT_MEMLOCK, 65536, 65536);
    limit(RLIMIT_MSGQUEUE, 65536, 65536);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* their shadow is terabytes */
    limit(RLIMIT_DATA, DATA_BYTES, DATA_BYTES);
#endif
    if (is_root) {
        limit(RLIMIT_NPROC, MAX_PROCESSES, MAX_PROCESSES);
        if (setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0) {
            _exit(120);
        }
    }
    prctl(PR_SET_SECUREBITS, 1 /* SECBIT_NOROOT */, 0, 0, 0);
    syscall(SYS_capset, &head, none);
    if (!install_filter()) {
        _exit(121);
    }
    char *const args[] = { (char *)runner, (char *)"/tmp/program", NULL };
    char *const env[] = {
        (char *)"ASAN_OPTIONS=detect_leaks=0:abort_on_error=1:allocator_may_return_null=1:handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0:handle_abort=0:use_sigaltstack=0:detect_stack_use_after_return=0",
        (char *)"UBSAN_OPTIONS=print_stacktrace=1", (char *)"TSAN_OPTIONS=detect_deadlocks=0", (char *)(traced ? "QEMU_STRACE=1" : "A=B"), NULL
    };
    execve(runner, args, env);
    _exit(122);
}

/* What /proc says of everybody in the namespace but the judge. */
typedef struct Scene {
    unsigned n_threads, n_running, n_own_futex;
    uint64_t ticks;
    uint64_t signature;
} Scene;

static size_t read_small(const char *path, char *buf, size_t room)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, buf, room - 1);
    if (fd >= 0) {
        close(fd);
    }
    buf[n > 0 ? n : 0] = 0;
    return n > 0 ? (size_t)n : 0;
}

static void look_at_thread(const char *pid, const char *tid, Scene *ret)
{
    char path[600], text[1024];
    unsigned long long utime = 0, stime = 0, futex = 0;
    char state = 0;
    snprintf(path, sizeof(path), "/proc/%s/task/%s/stat", pid, tid);
    if (!read_small(path, text, sizeof(text))) {
        return;
    }
    char *p = strrchr(text, ')');
    if (!p || sscanf(p + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &state, &utime, &stime) != 3 || state == 'Z' || state == 'X') {
        return;
    }
    snprintf(path, sizeof(path), "/proc/%s/task/%s/syscall", pid, tid);
    read_small(path, text, sizeof(text));
    ret->n_threads++;
    ret->n_running += state == 'R' || state == 'D';
    ret->ticks += utime + stime;
    for (const char *c = text; *c; c++) {
        ret->signature = ret->signature * 31 + (unsigned char)*c;
    }
    if (sscanf(text, "202 %llx", &futex) == 1 && futex >= runner_start) {
        ret->n_own_futex++;
    }
}

static void look(Scene *ret)
{
    char path[300];
    memset(ret, 0, sizeof(*ret));
    DIR *proc = opendir("/proc");
    for (struct dirent *e; proc && (e = readdir(proc));) {
        if (e->d_name[0] < '1' || e->d_name[0] > '9' || !strcmp(e->d_name, "1")) {
            continue;
        }
        snprintf(path, sizeof(path), "/proc/%s/task", e->d_name);
        DIR *task = opendir(path);
        for (struct dirent *f; task && (f = readdir(task));) {
            if (f->d_name[0] != '.') {
                look_at_thread(e->d_name, f->d_name, ret);
            }
        }
        if (task) {
            closedir(task);
        }
    }
    if (proc) {
        closedir(proc);
    }
}

typedef struct Verdict {
    int end, status;
    unsigned fatal_deaths;
} Verdict;

static bool is_fatal(int status)
{
    return WIFSIGNALED(status)
           && strchr("\x04\x05\x06\x07\x08\x0b\x1f", WTERMSIG(status)); /* ILL TRAP ABRT BUS FPE SEGV SYS */
}

/* The first process of the namespace. With its end the kernel kills everything inside. */
static void judge(const char *runner, int verdict_fd, int maps_fd, const void *program, size_t n_bytes)
{
    if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0
        || mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "size=4m,nr_inodes=1000,mode=1777") < 0 || chdir("/tmp") < 0) {
        _exit(100);
    }
    int fd = open("/tmp/program", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    if (fd < 0 || write(fd, program, n_bytes) != (ssize_t)n_bytes) {
        _exit(101);
    }
    close(fd);
    pid_t child = fork();
    if (!child) {
        run_inside(runner);
    }
    Verdict v = { .end = SANDBOX_RUNAWAY };
    Scene last = { 0 }, now;
    unsigned quiet_ms = 0;
    for (unsigned ms = 0; ms < RUN_MS; ms += POLL_MS) {
        int status;
        bool ended = false;
        for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
            v.fatal_deaths += is_fatal(status);
            if (pid == child) {
                v.end = SANDBOX_ENDED;
                v.status = status;
                ended = true;
            }
        }
        if (ended) {
            break;
        }
        usleep(ms < 50 ? 1000 : POLL_MS * 1000);
        if (ms < 50) {
            continue;
        }
        look(&now);
        bool same = now.n_threads == last.n_threads && !now.n_running && now.ticks == last.ticks && now.signature == last.signature;
        quiet_ms = same ? quiet_ms + POLL_MS : 0;
        last = now;
        if (quiet_ms >= QUIET_MS) {
            v.end = now.n_own_futex ? SANDBOX_DEADLOCK : SANDBOX_BLOCKED;
            break;
        }
    }
    if (v.end != SANDBOX_ENDED && maps_fd >= 0) {
        char path[64], text[4096];
        snprintf(path, sizeof(path), "/proc/%d/maps", (int)child);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        for (ssize_t n; fd >= 0 && (n = read(fd, text, sizeof(text))) > 0;) {
            if (write(maps_fd, text, (size_t)n) != n) {
                break;
            }
        }
    }
    if (write(verdict_fd, &v, sizeof(v)) != sizeof(v)) {
        _exit(102);
    }
    _exit(0);
}

static bool run(const void *program, size_t n_bytes, unsigned bits, int maps_fd, SandboxResult *ret)
{
    int verdict[2], err[2];
    memset(ret, 0, sizeof(*ret));
    if (pipe2(verdict, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0) {
        return fail("pipe");
    }
    pid_t outer = fork();
    if (!outer) {
        /* unshare(CLONE_NEWPID) is for children: this process only waits for the first of them. */
        if (unshare(CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC) < 0) {
            _exit(103);
        }
        pid_t first = fork();
        if (!first) {
            int null = open("/dev/null", O_RDWR);
            dup2(null, 0);
            dup2(err[1], 1);
            dup2(err[1], 2);
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (chroot(root) < 0) {
                _exit(104);
            }
            judge(runner_name[bits == 32], verdict[1], maps_fd, program, n_bytes);
        }
        int status;
        close(verdict[1]);
        close(err[1]);
        waitpid(first, &status, 0);
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 105);
    }
    close(verdict[1]);
    close(err[1]);
    /* Everybody inside holds the pipe: end of file is when the namespace is gone. */
    char buf[4096];
    for (ssize_t n; (n = read(err[0], buf, sizeof(buf))) > 0 || (n < 0 && errno == EINTR);) {
        size_t take = n > 0 ? (size_t)n : 0;
        take = take < sizeof(ret->text) - 1 - ret->n_text ? take : sizeof(ret->text) - 1 - ret->n_text;
        memcpy(ret->text + ret->n_text, buf, take);
        ret->n_text += take;
    }
    Verdict v;
    bool ok = read(verdict[0], &v, sizeof(v)) == sizeof(v);
    close(verdict[0]);
    close(err[0]);
    int status = 0;
    waitpid(outer, &status, 0);
    if (!ok) {
        fprintf(stderr, "sandbox: no verdict (status %#x)\n%.*s", status, (int)ret->n_text, ret->text);
        return false;
    }
    ret->end = (SandboxEnd)v.end;
    ret->status = v.status;
    ret->fatal_deaths = v.fatal_deaths;
    return true;
}

bool sandbox_run(const void *program, size_t n_bytes, unsigned bits, SandboxResult *ret)
{
    return run(program, n_bytes, bits, -1, ret);
}

size_t sandbox_maps(const void *waiting_program, size_t n_bytes, unsigned bits, SandboxMap *ret, size_t room)
{
    SandboxResult result;
    int fd = memfd_create("maps", MFD_CLOEXEC);
    size_t n = 0;
    if (fd < 0 || !run(waiting_program, n_bytes, bits, fd, &result)) {
        return 0;
    }
    if (result.end == SANDBOX_ENDED) {
        fprintf(stderr, "sandbox: a waiting program ended with status %#x\n%.*s", result.status, (int)result.n_text, result.text);
    }
    lseek(fd, 0, SEEK_SET);
    FILE *in = fdopen(fd, "r");
    char line[1024];
    while (in && n < room && fgets(line, sizeof(line), in)) {
        unsigned long long start, end;
        if (sscanf(line, "%llx-%llx", &start, &end) == 2) {
            ret[n++] = (SandboxMap){ (uintptr_t)start, (uintptr_t)end };
        }
    }
    if (in) {
        fclose(in);
    }
    return n;
}
