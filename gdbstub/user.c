/*
 * user.c: the debugger of one user-mode process. A thread of ours reads the socket and runs the protocol; guest threads
 * stand in stop_here() or gdb_user_check() while the process is stopped. A thread inside a host system call
 * counts as stopped: it parks before it runs guest code again.
 *
 * A forked child waits until the debugger has said which of the two it stays with; the one it leaves loses its breakpoints and
 * runs alone. A vfork's child shares its parent's memory and is never debugged.
 *
 * Threads: `lock` guards everything here; guest threads take it at stops only, and across a fork.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "accel/tcg.h"
#include "gdbstub/user-priv.h"

typedef struct UserThread {
    Vcpu *vcpu;
    uint32_t tid;
    GdbAction action;     /* what it may do while the process runs */
    bool parked;
    bool in_syscall;      /* its registers stay as they are until gdb_user_syscall_done() */
    GdbUserHit ahead;     /* what the step under way is going to touch */
    bool told_ahead;      /* and gdb knows */
    uint8_t info[128];    /* siginfo of the signal it stopped for */
    size_t info_bytes;
} UserThread;

enum { FIRST_FD = 512 };  /* descriptors of ours are out of the way of the program's */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static VEC(UserThread) threads;
static GdbServer *server;
static int sock = -1, listener = -1;
static _Atomic bool active;      /* a debugger is attached */
static _Atomic bool stopping;    /* guest threads park */
static bool interrupted;         /* the debugger asked to stop; the reader reports it when all stand still */
static int deliver_signal;
static Vcpu *deliver_vcpu;
static pid_t owner;
static bool handed_over;         /* the session is a child's: the reader ends */
static struct {
    bool on;
    VEC(uint64_t) numbers;       /* none: all */
} caught;
static struct {
    bool held, follow;           /* a fork is under way, with the lock; the debugger is told of it */
    int verdict[2];              /* a pipe: the child waits for one of the bytes below */
} forking;
enum { CHILD_GOES_FREE = 'C', CHILD_IS_FOLLOWED = 'F' };
static const char *exec_path;
static struct {
    vaddr auxv, auxv_end;
    GdbUserFiles files;
} process;

static int mem_fd(void)
{
    return open("/proc/self/mem", O_RDWR | O_CLOEXEC);
}

static UserThread *thread_of(const Vcpu *vcpu)
{
    for (size_t i = 0; i < threads.n; i++) {
        if (threads.at[i].vcpu == vcpu) {
            return &threads.at[i];
        }
    }
    return NULL;
}

static void op_send(void *opaque, const void *data, size_t size_bytes)
{
    const char *p = data;
    while (size_bytes) {
        ssize_t n = send(sock, p, size_bytes, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return; /* the reader notices the end */
        }
        p += n;
        size_bytes -= (size_t)n;
    }
}

static size_t op_n_vcpus(void *opaque) { return threads.n; }
static Vcpu *op_vcpu(void *opaque, size_t index) { return threads.at[index].vcpu; }

static uint32_t op_thread_id(void *opaque, Vcpu *vcpu)
{
    UserThread *t = thread_of(vcpu);
    return t ? t->tid : 1;
}

static void op_thread_name(void *opaque, Vcpu *vcpu, char *out, size_t size)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/task/%u/comm", op_thread_id(NULL, vcpu));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, out, size - 1);
    if (fd >= 0) {
        close(fd);
    }
    out[MAX(n, 0)] = 0;
    out[strcspn(out, "\n")] = 0;
}

/*
 * By the kernel: absent pages are an error and no signal. /proc/self/mem also passes what mprotect forbids: write-protected code
 * pages, and pages without any access.
 */
bool gdb_user_transfer(Vcpu *vcpu, vaddr addr, void *data, size_t size_bytes, bool write)
{
    struct iovec here = { data, size_bytes }, there = { vcpu_user_ptr(vcpu, addr), size_bytes };
    if (!write && process_vm_readv(getpid(), &here, 1, &there, 1, 0) == (ssize_t)size_bytes) {
        return true;
    }
    int fd = mem_fd();
    if (fd < 0) {
        return false;
    }
    off_t at = (off_t)(uintptr_t)vcpu_user_ptr(vcpu, addr);
    ssize_t n = write ? pwrite(fd, data, size_bytes, at) : pread(fd, data, size_bytes, at);
    close(fd);
    return n == (ssize_t)size_bytes;
}

static bool op_mem_read(void *opaque, Vcpu *vcpu, vaddr addr, void *out, size_t size_bytes)
{
    return gdb_user_transfer(vcpu, addr, out, size_bytes, false);
}

static bool op_mem_write(void *opaque, Vcpu *vcpu, vaddr addr, const void *in, size_t size_bytes)
{
    bool done = gdb_user_transfer(vcpu, addr, (void *)in, size_bytes, true);
    if (done && size_bytes) {
        tcg_invalidate(addr, addr + size_bytes - 1);
    }
    return done;
}

static GdbPointResult op_point(void *opaque, GdbPoint kind, vaddr addr, uint64_t size_bytes, bool insert)
{
    if (kind == GDB_POINT_SOFTWARE || kind == GDB_POINT_HARDWARE) {
        if (threads.n) {
            (insert ? tcg_breakpoint_insert : tcg_breakpoint_remove)(threads.at[0].vcpu, addr);
        }
        return GDB_POINT_DONE;
    }
    return threads.n ? gdb_user_watch(threads.at[0].vcpu, kind, addr, size_bytes, insert) : GDB_POINT_FAILED;
}

static void op_resume(void *opaque, const GdbAction *actions, size_t n, int signal, Vcpu *signal_vcpu)
{
    for (size_t i = 0; i < n && i < threads.n; i++) {
        threads.at[i].action = actions[i];
    }
    if (threads.n) {
        gdb_user_watch_refresh(threads.at[0].vcpu);
    }
    deliver_signal = signal;
    deliver_vcpu = signal_vcpu;
    atomic_store(&stopping, false);
    pthread_cond_broadcast(&changed);
}

static void stop_everyone(void)
{
    atomic_store(&stopping, true);
    for (size_t i = 0; i < threads.n; i++) {
        vcpu_kick(threads.at[i].vcpu);
    }
}

static void deadline_after(struct timespec *ret, long ms)
{
    clock_gettime(CLOCK_REALTIME, ret);
    ret->tv_sec += ms / 1000;
    ret->tv_nsec += ms % 1000 * 1000 * 1000;
    if (ret->tv_nsec >= 1000 * 1000 * 1000) {
        ret->tv_nsec -= 1000 * 1000 * 1000;
        ret->tv_sec++;
    }
}

/*
 * With the lock: waits until every thread but `self` stands still. One in a system call is given a moment to come back, and
 * counts as standing if it does not: it is blocked there, and parks before its registers change.
 */
static void wait_parked(const Vcpu *self)
{
    struct timespec moment, long_time;

    deadline_after(&moment, 1);
    deadline_after(&long_time, 5000);
    for (size_t i = 0; i < threads.n;) {
        const UserThread *t = &threads.at[i];
        if (t->vcpu == self || t->parked || pthread_cond_timedwait(&changed, &lock, t->in_syscall ? &moment : &long_time)) {
            i++;
        } else {
            i = 0; /* the list may have changed */
        }
    }
}

static void op_interrupt(void *opaque)
{
    stop_everyone();
    interrupted = true;
    pthread_cond_broadcast(&changed);
}

static void op_kill(void *opaque)
{
    kill(getpid(), SIGKILL);
}

static void op_detached(void *opaque)
{
    gdb_user_watch_clear();
    caught.on = false;
    for (size_t i = 0; i < threads.n; i++) {
        threads.at[i].action = GDB_CONTINUE;
        threads.at[i].vcpu->single_step = false;
    }
    atomic_store(&active, false);
    atomic_store(&stopping, false);
    pthread_cond_broadcast(&changed);
}

static void op_catch_syscalls(void *opaque, const uint64_t *numbers, size_t n, bool on)
{
    caught.on = on;
    vec_clear(&caught.numbers);
    for (size_t i = 0; i < n; i++) {
        *vec_push(&caught.numbers) = numbers[i];
    }
}

static void tell_child(char verdict)
{
    /* A child that is gone already needs no answer; SIGPIPE is blocked where guest threads are told to die of it. */
    if (write(forking.verdict[1], &verdict, 1) < 0 && errno != EPIPE) {
        error_report("gdb: cannot let a forked child go: %s", strerror(errno));
    }
    close(forking.verdict[1]);
    forking.verdict[1] = -1;
}

static void op_release_fork(void *opaque, bool child)
{
    tell_child(child ? CHILD_GOES_FREE : CHILD_IS_FOLLOWED);
    if (!child) {
        op_detached(NULL);
        handed_over = true;
    }
}

static void *op_object(void *opaque, Vcpu *vcpu, const char *name, const char *annex, size_t *ret_size)
{
    if (!strcmp(name, "exec-file")) {
        if (!exec_path) {
            return NULL;
        }
        *ret_size = strlen(exec_path);
        return xmemdup(exec_path, *ret_size);
    }
    if (!strcmp(name, "siginfo")) {
        UserThread *t = thread_of(vcpu);
        *ret_size = t ? t->info_bytes : 0;
        return *ret_size ? xmemdup(t->info, *ret_size) : NULL;
    }
    if (!strcmp(name, "auxv") && threads.n && process.auxv_end > process.auxv) {
        *ret_size = process.auxv_end - process.auxv;
        void *data = xmalloc(*ret_size);
        if (gdb_user_transfer(threads.at[0].vcpu, process.auxv, data, *ret_size, false)) {
            return data;
        }
        free(data);
    }
    return NULL;
}

static int op_open_file(void *opaque, const char *path)
{
    int fd = process.files.open && threads.n ? process.files.open(threads.at[0].vcpu, path) : (errno = ENOENT, -1);
    int high = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FD);
    if (high >= 0) {
        close(fd);
    }
    return high >= 0 ? high : fd;
}

static ssize_t op_read_link(void *opaque, const char *path, char *out, size_t size)
{
    return process.files.read_link ? process.files.read_link(path, out, size) : readlink(path, out, size);
}

static GdbOps ops = {
    .send = op_send, .n_vcpus = op_n_vcpus, .vcpu = op_vcpu, .thread_id = op_thread_id, .thread_name = op_thread_name,
    .mem_read = op_mem_read, .mem_write = op_mem_write, .point = op_point, .resume = op_resume,
    .interrupt = op_interrupt, .kill = op_kill, .detached = op_detached, .object = op_object,
    .open_file = op_open_file, .read_link = op_read_link,
     .catch_syscalls = op_catch_syscalls, .release_fork = op_release_fork, .linux_signals = true,
};

static void *reader(void *arg)
{
    char data[4096];

    for (;;) {
        ssize_t n = recv(sock, data, sizeof(data), 0);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        pthread_mutex_lock(&lock);
        if (n <= 0) {
            gdb_disconnected(server);
            pthread_mutex_unlock(&lock);
            return NULL;
        }
        gdb_input(server, data, (size_t)n);
        if (handed_over) {
            close(sock);
            sock = -1;
            pthread_mutex_unlock(&lock);
            return NULL;
        }
        if (interrupted) {
            interrupted = false;
            wait_parked(NULL);
            if (threads.n) {
                gdb_stopped(server, &(GdbStop){ .vcpu = threads.at[0].vcpu, .signal = SIGINT });
            }
        }
        pthread_mutex_unlock(&lock);
    }
}

static bool start_reader(Error **errp)
{
    pthread_t id;
    sigset_t all, old;

    /* Guest signals are for guest threads; faults of guest memory are caught here too. */
    sigfillset(&all);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int err = pthread_create(&id, NULL, reader, NULL);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (err) {
        error_set_errno(errp, err, "gdb: cannot start a thread");
        return false;
    }
    return true;
}

static int listen_on(const char *where, Error **errp)
{
    char *end;
    const char *colon = strrchr(where, ':');
    unsigned long port = strtoul(colon ? colon + 1 : where, &end, 10);
    int fd, one = 1;

    if (*end == 0 && end != where && port > 0 && port < 65536) {
        struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
                                    .sin_addr.s_addr = htonl(INADDR_ANY) };
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0) {
            setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
        }
        if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 1)) {
            error_set_errno(errp, errno, "gdb: cannot listen on port %lu", port);
            if (fd >= 0) {
                close(fd);
            }
            return -1;
        }
        return fd;
    }
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    if (!strchr(where, '/') || strlen(where) >= sizeof(addr.sun_path)) {
        error_set(errp, "gdb: '%s' is neither a port nor a socket's path", where);
        return -1;
    }
    memcpy(addr.sun_path, where, strlen(where) + 1);
    unlink(where);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 1)) {
        error_set_errno(errp, errno, "gdb: cannot listen on '%s'", where);
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    return fd;
}

void gdb_user_set_process(vaddr auxv, vaddr auxv_end, const GdbUserFiles *files)
{
    process.auxv = auxv;
    process.auxv_end = auxv_end;
    process.files = *files;
}

void gdb_user_set_exec_path(const char *path)
{
    exec_path = path;
}

bool gdb_user_start(const char *where, Error **errp)
{
    int one = 1;

    listener = listen_on(where, errp);
    if (listener < 0) {
        return false;
    }
    do {
        sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    } while (sock < 0 && errno == EINTR);
    close(listener);
    if (sock < 0) {
        error_set_errno(errp, errno, "gdb: no connection on '%s'", where);
        return false;
    }
    setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    owner = getpid();
    ops.pid = (uint32_t)owner;
    server = gdb_server_new(&ops, NULL);
    gdb_connected(server);
    active = stopping = true;
    return start_reader(errp);
}

bool gdb_user_active(void)
{
    return atomic_load_explicit(&active, memory_order_relaxed);
}

void gdb_user_thread_add(Vcpu *vcpu, uint32_t tid)
{
    if (!gdb_user_active()) {
        return;
    }
    pthread_mutex_lock(&lock);
    *vec_push(&threads) = (UserThread){ .vcpu = vcpu, .tid = tid, .action = GDB_CONTINUE };
    pthread_mutex_unlock(&lock);
}

void gdb_user_thread_remove(Vcpu *vcpu)
{
    if (!gdb_user_active()) {
        return;
    }
    pthread_mutex_lock(&lock);
    UserThread *t = thread_of(vcpu);
    if (t) {
        memmove(t, t + 1, (size_t)(&threads.at[--threads.n] - t) * sizeof(*t));
    }
    pthread_mutex_unlock(&lock);
}

/* With the lock. Stands still until the process runs and this thread may. */
static void park(Vcpu *vcpu)
{
    for (;;) {
        UserThread *t = thread_of(vcpu);
        if (!atomic_load(&active) || !t || (!atomic_load(&stopping) && t->action != GDB_STAY)) {
            if (t) {
                t->parked = false;
            }
            vcpu->single_step = atomic_load(&active) && t && (t->action == GDB_STEP || gdb_user_watching());
            if (t) {
                t->ahead = gdb_user_watching() ? gdb_user_watch_ahead(vcpu) : (GdbUserHit){ 0 };
                t->info_bytes = 0;
            }
            return;
        }
        if (!t->parked) {
            t->parked = true;
            pthread_cond_broadcast(&changed);
        }
        pthread_cond_wait(&changed, &lock);
    }
}


/*
 * With the lock. One stop is reported at a time: a second thread's waits its turn, which is not while gdb lets others alone
 * run. NULL: nobody debugs this thread (any more).
 */
static UserThread *wait_turn(Vcpu *vcpu)
{
    UserThread *t = thread_of(vcpu);
    while (atomic_load(&active) && t && (atomic_load(&stopping) || t->action == GDB_STAY)) {
        if (!t->parked) {
            t->parked = true;
            pthread_cond_broadcast(&changed);
        }
        pthread_cond_wait(&changed, &lock);
        t = thread_of(vcpu);
    }
    if (t) {
        t->parked = false;
    }
    return atomic_load(&active) ? t : NULL;
}

/* What a kernel would say of a breakpoint or a step: SIGTRAP, TRAP_BRKPT, where. */
static void debug_info(UserThread *t)
{
    enum { TRAP_BRKPT_CODE = 1 };
    const Target *target = t->vcpu->target;
    vaddr pc = target->get_pc(t->vcpu);
    uint8_t *p = t->info;

    memset(t->info, 0, sizeof(t->info));
    t->info_bytes = sizeof(t->info);
    target->big_endian ? stbe32(p, SIGTRAP) : stle32(p, SIGTRAP);
    target->big_endian ? stbe32(p + 8, TRAP_BRKPT_CODE) : stle32(p + 8, TRAP_BRKPT_CODE);
    if (target->word_bits == 64) {
        target->big_endian ? stbe64(p + 16, pc) : stle64(p + 16, pc);
    } else {
        target->big_endian ? stbe32(p + 12, (uint32_t)pc) : stle32(p + 12, (uint32_t)pc);
    }
}

/*
 * With the lock, and the turn. Reports and stands still until the debugger lets this thread go on; the signal it is to get. Where the
 * next instruction is watched and gdb hears of it before, that is the next report.
 */
static int stop_here(const GdbStop *stop)
{
    Vcpu *vcpu = stop->vcpu;
    GdbStop now = *stop;

    for (;;) {
        stop_everyone();
        wait_parked(vcpu);
        gdb_stopped(server, &now);
        park(vcpu);
        if (deliver_vcpu == vcpu) {
            deliver_vcpu = NULL;
            return deliver_signal;
        }
        UserThread *t = wait_turn(vcpu);
        if (!t || !vcpu->target->gdb_watch_before || !t->ahead.kind || t->told_ahead) {
            return 0;
        }
        t->told_ahead = true;
        debug_info(t);
        now = (GdbStop){ .vcpu = vcpu, .signal = SIGTRAP, .watch = t->ahead.kind, .watch_addr = t->ahead.addr };
    }
}

/* With the lock. The same for a thread that stood still because another one stopped. */
static void check(Vcpu *vcpu)
{
    park(vcpu);
    UserThread *t = wait_turn(vcpu);
    if (t && vcpu->target->gdb_watch_before && t->ahead.kind && !t->told_ahead) {
        t->told_ahead = true;
        debug_info(t);
        stop_here(&(GdbStop){ .vcpu = vcpu, .signal = SIGTRAP, .watch = t->ahead.kind, .watch_addr = t->ahead.addr });
    }
}

void gdb_user_check(Vcpu *vcpu)
{
    if (gdb_user_active()) {
        pthread_mutex_lock(&lock);
        check(vcpu);
        pthread_mutex_unlock(&lock);
    }
}

int gdb_user_signal(Vcpu *vcpu, int signal, const void *info, size_t size_bytes)
{
    pthread_mutex_lock(&lock);
    UserThread *t = wait_turn(vcpu);
    if (t) {
        t->info_bytes = MIN(size_bytes, sizeof(t->info));
        memcpy(t->info, info, t->info_bytes);
        signal = stop_here(&(GdbStop){ .vcpu = vcpu, .signal = signal });
    }
    pthread_mutex_unlock(&lock);
    return signal;
}

void gdb_user_debug(Vcpu *vcpu)
{
    pthread_mutex_lock(&lock);
    UserThread *t = wait_turn(vcpu);
    bool at_point = tcg_breakpoint_at(vcpu->target->get_pc(vcpu));
    if (!t) {
        vcpu->single_step = at_point; /* the child of a vfork goes past its parent's breakpoints */
    } else {
        debug_info(t);
        /* What gdb heard of before it happened is no news. */
        GdbUserHit known = t->told_ahead ? (GdbUserHit){ 0 } : t->ahead;
        GdbUserHit hit = gdb_user_watching() ? gdb_user_watch_after(vcpu, known) : (GdbUserHit){ 0 };
        if (t->told_ahead) {
            hit.kind = 0;
        }
        t->told_ahead = false;
        bool breakpoint = at_point && t->action == GDB_CONTINUE;
        if (hit.kind || breakpoint || t->action == GDB_STEP) {
            stop_here(&(GdbStop){ .vcpu = vcpu, .signal = SIGTRAP, .breakpoint = breakpoint, .watch = hit.kind,
                                  .watch_addr = hit.addr });
        } else {
            check(vcpu); /* a step that a watchpoint made necessary */
        }
    }
    pthread_mutex_unlock(&lock);
}

static bool is_caught(uint64_t number)
{
    bool found = caught.on && !caught.numbers.n;
    for (size_t i = 0; caught.on && i < caught.numbers.n; i++) {
        found |= caught.numbers.at[i] == number;
    }
    return found;
}

/* With the lock. A caught call stops here. */
static void stop_if_caught(Vcpu *vcpu, uint64_t number, bool entry)
{
    UserThread *t = is_caught(number) ? wait_turn(vcpu) : NULL;
    if (t) {
        debug_info(t);
        stop_here(&(GdbStop){ .vcpu = vcpu, .signal = SIGTRAP, .syscall_entry = entry, .syscall_return = !entry,
                              .syscall = number });
    }
}

void gdb_user_syscall_begins(Vcpu *vcpu, uint64_t number)
{
    pthread_mutex_lock(&lock);
    park(vcpu);
    stop_if_caught(vcpu, number, true);
    UserThread *t = thread_of(vcpu);
    if (t) {
        t->in_syscall = true;
    }
    pthread_mutex_unlock(&lock);
}

void gdb_user_syscall_done(Vcpu *vcpu)
{
    pthread_mutex_lock(&lock);
    UserThread *t = thread_of(vcpu);
    if (t) {
        t->in_syscall = false;
        park(vcpu);
    }
    pthread_mutex_unlock(&lock);
}

void gdb_user_syscall_ended(Vcpu *vcpu, uint64_t number)
{
    pthread_mutex_lock(&lock);
    bool stepped = vcpu->single_step && !is_caught(number);
    stop_if_caught(vcpu, number, false);
    pthread_mutex_unlock(&lock);
    if (stepped) {
        gdb_user_debug(vcpu); /* a step over a system call ends after it */
    }
}

void gdb_user_exit(int status, int signal)
{
    if (gdb_user_active() && getpid() == owner) {
        pthread_mutex_lock(&lock);
        gdb_exited(server, status, signal);
        shutdown(sock, SHUT_WR);
        pthread_mutex_unlock(&lock);
    }
}

void gdb_user_fork_begin(bool follow)
{
    if (!gdb_user_active()) {
        return;
    }
    pthread_mutex_lock(&lock);
    forking.held = true;
    int fds[2];
    forking.follow = follow && gdb_wants_forks(server) && pipe2(fds, O_CLOEXEC) == 0;
    for (unsigned i = 0; forking.follow && i < 2; i++) {
        forking.verdict[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, FIRST_FD);
        close(fds[i]);
    }
    if (forking.follow && (forking.verdict[0] < 0 || forking.verdict[1] < 0)) {
        close(MAX(forking.verdict[0], forking.verdict[1]));
        forking.follow = false;
    }
}

/* In the child, which is the only thread. */
static void child_goes_on(Vcpu *vcpu, bool followed)
{
    uint32_t tid = (uint32_t)getpid();

    vec_clear(&threads);
    *vec_push(&threads) = (UserThread){ .vcpu = vcpu, .tid = tid, .action = GDB_CONTINUE };
    interrupted = false;
    deliver_vcpu = NULL;
    if (!followed) {
        gdb_disconnected(server); /* takes away its points */
        close(sock);
        sock = -1;
        return;
    }
    owner = getpid();
    ops.pid = tid;
    atomic_store(&stopping, true);
    gdb_is_child(server, vcpu);
    Error *err = NULL;
    if (!start_reader(&err)) {
        error_report_free(err);
        gdb_disconnected(server);
        close(sock);
        sock = -1;
    }
    park(vcpu);
}

void gdb_user_fork_end(Vcpu *vcpu, int64_t pid)
{
    if (!forking.held) {
        return;
    }
    forking.held = false;
    if (forking.follow && pid != 0) {
        close(forking.verdict[0]);
    }
    if (pid == 0) {
        char verdict = CHILD_GOES_FREE;
        if (forking.follow) {
            close(forking.verdict[1]);
            while (read(forking.verdict[0], &verdict, 1) < 0 && errno == EINTR) {
                /* a parent that dies closes the pipe: the child is free */
            }
            close(forking.verdict[0]);
        }
        child_goes_on(vcpu, verdict == CHILD_IS_FOLLOWED);
    } else if (forking.follow && pid > 0 && wait_turn(vcpu)) {
        stop_here(&(GdbStop){ .vcpu = vcpu, .signal = SIGTRAP, .fork_pid = (uint32_t)pid });
    } else if (forking.follow) {
        tell_child(CHILD_GOES_FREE);
    }
    pthread_mutex_unlock(&lock);
}
