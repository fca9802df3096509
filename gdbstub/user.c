/*
 * user.c: the debugger of one user-mode process. A thread of ours reads the socket and runs the protocol; guest threads
 * stand in gdb_user_stop() or gdb_user_check() while the process is stopped. A thread inside a host system call
 * counts as stopped: it parks before it runs guest code again.
 *
 * Write watchpoints are kept by single-stepping every running thread and comparing the watched bytes. Read and access
 * watchpoints are not offered in user mode.
 *
 * Threads: `lock` guards everything here; guest threads take it at stops only.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "accel/tcg.h"
#include "gdbstub/internal.h"

typedef struct UserThread {
    Vcpu *vcpu;
    uint32_t tid;
    GdbAction action;     /* what it may do while the process runs */
    bool parked;
} UserThread;

typedef struct Watch {
    vaddr addr;
    size_t size;
    uint8_t old[64];
} Watch;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static VEC(UserThread) threads;
static VEC(Watch) watches;
static GdbServer *server;
static int sock = -1, listener = -1;
static _Atomic bool active;      /* a debugger is attached */
static _Atomic bool stopping;    /* guest threads park */
static bool interrupted;         /* the debugger asked to stop; the reader reports it when all stand still */
static int deliver_signal;
static Vcpu *deliver_vcpu;
static pid_t owner;
static const char *exec_path;
static struct {
    vaddr auxv, auxv_end;
    int (*open_file)(const char *path);
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

/* Through /proc/self/mem: write-protected code pages are written, absent ones are an error and no signal. */
static bool transfer(Vcpu *vcpu, vaddr addr, void *data, size_t size_bytes, bool write)
{
    int fd = mem_fd();
    if (fd < 0) {
        return false;
    }
    off_t at = (off_t)(vcpu->jit.guest_base + addr);
    ssize_t n = write ? pwrite(fd, data, size_bytes, at) : pread(fd, data, size_bytes, at);
    close(fd);
    return n == (ssize_t)size_bytes;
}

static bool op_mem_read(void *opaque, Vcpu *vcpu, vaddr addr, void *out, size_t size_bytes)
{
    return transfer(vcpu, addr, out, size_bytes, false);
}

static bool op_mem_write(void *opaque, Vcpu *vcpu, vaddr addr, const void *in, size_t size_bytes)
{
    bool done = transfer(vcpu, addr, (void *)in, size_bytes, true);
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
    if (kind != GDB_POINT_WRITE || size_bytes > sizeof(((Watch *)0)->old)) {
        return GDB_POINT_UNSUPPORTED;
    }
    for (size_t i = 0; i < watches.n; i++) {
        if (watches.at[i].addr == addr && watches.at[i].size == size_bytes) {
            if (!insert) {
                watches.at[i] = watches.at[--watches.n];
            }
            return GDB_POINT_DONE;
        }
    }
    if (!insert) {
        return GDB_POINT_FAILED;
    }
    Watch watch = { .addr = addr, .size = size_bytes };
    if (!threads.n || !transfer(threads.at[0].vcpu, addr, watch.old, size_bytes, false)) {
        return GDB_POINT_FAILED;
    }
    *vec_push(&watches) = watch;
    return GDB_POINT_DONE;
}

/* The first watched place whose bytes are not what they were; its old value is brought up to date. */
static Watch *watch_hit(Vcpu *vcpu)
{
    for (size_t i = 0; i < watches.n; i++) {
        uint8_t now[64];
        Watch *w = &watches.at[i];
        if (transfer(vcpu, w->addr, now, w->size, false) && memcmp(now, w->old, w->size)) {
            memcpy(w->old, now, w->size);
            return w;
        }
    }
    return NULL;
}

static void op_resume(void *opaque, const GdbAction *actions, size_t n, int signal, Vcpu *signal_vcpu)
{
    for (size_t i = 0; i < n && i < threads.n; i++) {
        threads.at[i].action = actions[i];
    }
    for (size_t i = 0; i < watches.n && threads.n; i++) {
        transfer(threads.at[0].vcpu, watches.at[i].addr, watches.at[i].old, watches.at[i].size, false);
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

/*
 * With the lock: waits until every thread but `self` has parked, at most a moment: the ones that have not by then are
 * blocked in system calls, and their registers do not change either.
 */
static void wait_parked(const Vcpu *self)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 20 * 1000 * 1000;
    if (until.tv_nsec >= 1000 * 1000 * 1000) {
        until.tv_nsec -= 1000 * 1000 * 1000;
        until.tv_sec++;
    }
    for (size_t i = 0; i < threads.n; i++) {
        while (i < threads.n && threads.at[i].vcpu != self && !threads.at[i].parked) {
            if (pthread_cond_timedwait(&changed, &lock, &until)) {
                return;
            }
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
    vec_clear(&watches);
    for (size_t i = 0; i < threads.n; i++) {
        threads.at[i].action = GDB_CONTINUE;
        threads.at[i].vcpu->single_step = false;
    }
    atomic_store(&active, false);
    atomic_store(&stopping, false);
    pthread_cond_broadcast(&changed);
}

static void *op_object(void *opaque, const char *name, const char *annex, size_t *ret_size)
{
    if (!strcmp(name, "exec-file")) {
        if (!exec_path) {
            return NULL;
        }
        *ret_size = strlen(exec_path);
        return xmemdup(exec_path, *ret_size);
    }
    if (!strcmp(name, "auxv") && threads.n && process.auxv_end > process.auxv) {
        *ret_size = process.auxv_end - process.auxv;
        void *data = xmalloc(*ret_size);
        if (transfer(threads.at[0].vcpu, process.auxv, data, *ret_size, false)) {
            return data;
        }
        free(data);
    }
    return NULL;
}

/* Out of the way of the program's descriptors. */
static int op_open_file(void *opaque, const char *path)
{
    enum { FIRST_FD = 512 };
    int fd = process.open_file ? process.open_file(path) : (errno = ENOENT, -1);
    int high = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FD);
    if (high >= 0) {
        close(fd);
    }
    return high >= 0 ? high : fd;
}

static GdbOps ops = {
    .send = op_send, .n_vcpus = op_n_vcpus, .vcpu = op_vcpu, .thread_id = op_thread_id, .thread_name = op_thread_name,
    .mem_read = op_mem_read, .mem_write = op_mem_write, .point = op_point, .resume = op_resume,
    .interrupt = op_interrupt, .kill = op_kill, .detached = op_detached, .object = op_object,
    .open_file = op_open_file, .linux_signals = true,
};

static void *reader(void *arg)
{
    char data[4096];

    /* Guest signals are for guest threads. */
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

void gdb_user_set_process(vaddr auxv, vaddr auxv_end, int (*open_file)(const char *path))
{
    process.auxv = auxv;
    process.auxv_end = auxv_end;
    process.open_file = open_file;
}

void gdb_user_set_exec_path(const char *path)
{
    exec_path = path;
}

bool gdb_user_start(const char *where, Error **errp)
{
    pthread_t id;
    sigset_t all, old;
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
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int err = pthread_create(&id, NULL, reader, NULL);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (err) {
        error_set_errno(errp, err, "gdb: cannot start a thread");
        return false;
    }
    return true;
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
    *vec_push(&threads) = (UserThread){ vcpu, tid, GDB_CONTINUE, false };
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
            vcpu->single_step = atomic_load(&active) && t && (t->action == GDB_STEP || watches.n);
            return;
        }
        if (!t->parked) {
            t->parked = true;
            pthread_cond_broadcast(&changed);
        }
        pthread_cond_wait(&changed, &lock);
    }
}

void gdb_user_check(Vcpu *vcpu)
{
    if (!gdb_user_active()) {
        return;
    }
    pthread_mutex_lock(&lock);
    park(vcpu);
    pthread_mutex_unlock(&lock);
}

int gdb_user_stop(Vcpu *vcpu, int signal, bool breakpoint)
{
    int deliver = 0;

    if (!gdb_user_active()) {
        return signal == SIGTRAP ? 0 : signal;
    }
    pthread_mutex_lock(&lock);
    /* One stop is reported at a time: a second thread's waits its turn, which is not while gdb lets others alone run. */
    UserThread *t = thread_of(vcpu);
    while (atomic_load(&active) && (atomic_load(&stopping) || (t && t->action == GDB_STAY))) {
        pthread_cond_wait(&changed, &lock);
        t = thread_of(vcpu);
    }
    Watch *hit = t && watches.n ? watch_hit(vcpu) : NULL;
    /* A step that a watchpoint made necessary goes past breakpoints: here is where they are noticed. */
    if (t && signal == SIGTRAP && watches.n && t->action == GDB_CONTINUE && tcg_breakpoint_at(vcpu->target->get_pc(vcpu))) {
        breakpoint = true;
    }
    bool stepped_for_watch = t && signal == SIGTRAP && !breakpoint && !hit && watches.n && t->action == GDB_CONTINUE;
    if (atomic_load(&active) && !stepped_for_watch) {
        stop_everyone();
        wait_parked(vcpu);
        gdb_stopped(server, &(GdbStop){ .vcpu = vcpu, .signal = signal, .breakpoint = breakpoint,
                                        .watch = hit ? GDB_POINT_WRITE : 0, .watch_addr = hit ? hit->addr : 0 });
        park(vcpu);
        if (deliver_vcpu == vcpu) {
            deliver = deliver_signal;
            deliver_vcpu = NULL;
        }
    } else if (!atomic_load(&active)) {
        deliver = signal == SIGTRAP ? 0 : signal;
    }
    pthread_mutex_unlock(&lock);
    return deliver;
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

void gdb_user_forked(void)
{
    if (gdb_user_active()) {
        atomic_store(&active, false);
        close(sock);
        sock = -1;
    }
}
