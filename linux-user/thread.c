/*
 * thread.c: threads and processes of the guest.
 *
 * A guest thread is a host thread (pthread) with a vCPU. fork is fork. vfork, and every clone with CLONE_VM and
 * CLONE_VFORK, really shares memory: the child runs on a vCPU and host stack of its own while the parent's host
 * thread is suspended in the kernel; the C library's thread-local data is used by one of them at a time.
 *
 * Leaves out: CLONE_VM without CLONE_THREAD or CLONE_VFORK (EINVAL); in a program with several threads, children that
 * are more than a plain fork (EINVAL).
 * CLONE_CHILD_CLEARTID and robust futexes are done here on exit, because the host thread's own are the C library's.
 *
 * Threads: the list has a lock, outermost of linux-user's.
 */
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "gdbstub/gdbstub.h"
#include "accel/tcg-persist.h"
#include "linux-user/user.h"

enum { HOST_STACK_BYTES = 512 * 1024, MAX_ROBUST = 2048 };

/* uapi linux/sched.h; too new for some C libraries. */
#define CLONE_CLEAR_SIGHAND_FLAG 0x100000000u
#define CLONE_INTO_CGROUP_FLAG 0x200000000u

_Thread_local Thread *user_self;

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static Thread *threads;

void thread_list_lock(void)
{
    pthread_mutex_lock(&list_lock);
}

void thread_list_unlock(void)
{
    pthread_mutex_unlock(&list_lock);
}

Thread *thread_list_first(void)
{
    return threads;
}

static void list_add(Thread *t)
{
    thread_list_lock();
    t->next = threads;
    t->prev = NULL;
    if (threads) {
        threads->prev = t;
    }
    threads = t;
    thread_list_unlock();
}

static void list_remove(Thread *t)
{
    thread_list_lock();
    if (t->prev) {
        t->prev->next = t->next;
    } else {
        threads = t->next;
    }
    if (t->next) {
        t->next->prev = t->prev;
    }
    thread_list_unlock();
}

void thread_pages_guarded(void)
{
    thread_list_lock();
    for (Thread *t = thread_list_first(); t; t = t->next) {
        t->abi->pages_guarded(t);
        vcpu_kick(t->vcpu); /* it is translated otherwise */
    }
    thread_list_unlock();
}

Thread *thread_new(const Abi *abi)
{
    Thread *t = xnew(Thread);
    t->abi = abi;
    t->vcpu = vcpu_new(user.target, false);
    semihosting_attach(t->vcpu);
    t->vcpu->opaque = t;
    t->vcpu->jit.guest_base = mm.guest_base;
    t->vcpu->addr_mask = abi->addr_mask ? abi->addr_mask : ~(uint64_t)0;
    return t;
}

static void thread_free(Thread *t)
{
    sighand_put(t->sighand);
    vcpu_free(t->vcpu);
    free(t);
}

void thread_register_main(Thread *t)
{
    t->tid = (pid_t)RAW_SYSCALL(SYS_gettid, 0);
    user_self = t;
    atomic_store(&user.n_threads, 1);
    list_add(t);
}

/* -- exit ------------------------------------------------------------------------------------------- */

static void futex_wake(vaddr addr, int n)
{
    if (uaccess_ok(addr, 4)) {
        RAW_SYSCALL(SYS_futex, g2h(user_untagged(addr)), FUTEX_WAKE, n);
    }
}

static void robust_release(Thread *t, vaddr futex)
{
    uint32_t v;
    if (futex & 3 || !load_guest_u32(futex, &v) || (v & FUTEX_TID_MASK) != (uint32_t)t->tid) {
        return;
    }
    /* The word is the thread's as long as its tid is in it: only the waiters bit may change meanwhile. */
    uint32_t set = (v & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
    if (store_guest_u32(futex, set) && (v & FUTEX_WAITERS)) {
        futex_wake(futex, 1);
    }
}

/* The list of linux/futex.h: head { next, offset, pending }. It is the guest's: bounded, every access checked. */
static void robust_exit(Thread *t)
{
    vaddr head = t->robust_list, entry;
    unsigned w = t->abi->word_bytes;
    uint64_t offset, pending = 0;
    if (!head || !load_guest_word(t->abi, head, &entry) || !load_guest_word(t->abi, head + w, &offset)
        || !load_guest_word(t->abi, head + 2 * w, &pending)) {
        return;
    }
    if (w == 4) {
        offset = (uint64_t)(int32_t)offset;
    }
    for (unsigned n = 0; entry != head && n < MAX_ROBUST; n++) {
        vaddr e = entry & ~(vaddr)1;
        bool next_ok = load_guest_word(t->abi, e, &entry);
        if (e != (pending & ~(uint64_t)1)) {
            robust_release(t, e + offset);
        }
        if (!next_ok) {
            return;
        }
    }
    if (pending) {
        robust_release(t, (pending & ~(uint64_t)1) + offset);
    }
}

static void release_on_exit(Thread *t)
{
    robust_exit(t);
    if (t->clear_child_tid) {
        store_guest_u32(t->clear_child_tid, 0);
        futex_wake(t->clear_child_tid, 1);
        t->clear_child_tid = 0;
    }
}

noreturn void process_exit(Thread *t, int status)
{
    signal_block_host();
    if (!t->vfork_child) {
        gdb_user_exit(status & 0xff, 0);
        if (atomic_load(&user.n_threads) == 1) {
            release_on_exit(t);
        }
        tcg_persist_save(t->vcpu);
        if (log_enabled(LOG_JIT)) {
            FILE *f = log_lock();
            tcg_counters_print(f);
            log_unlock();
        }
        fflush(NULL);
    }
    for (;;) {
        RAW_SYSCALL(SYS_exit_group, status);
    }
}

void thread_exit(Thread *t, int status)
{
    signal_block_host();
    if (t->vfork_child || atomic_fetch_sub(&user.n_threads, 1) == 1) {
        atomic_store(&user.n_threads, 1);
        process_exit(t, status);
    }
    release_on_exit(t);
    gdb_user_thread_remove(t->vcpu);
    list_remove(t);
    if (RAW_SYSCALL(SYS_getpid, 0) == t->tid) {
        /* The first thread: its stack is the process's, and its status the process's. */
        for (;;) {
            RAW_SYSCALL(SYS_exit, status);
        }
    }
    t->exiting = true;
}

/* -- threads ------------------------------------------------------------------------------------------ */

typedef struct StartInfo {
    Thread *t;
    const CloneArgs *args;
    pid_t tid;     /* the thread itself may be gone when its creator looks */
    sem_t ready;
} StartInfo;

static void *thread_main(void *opaque)
{
    StartInfo *info = opaque;
    Thread *t = info->t;
    user_self = t;
    signal_block_host(); /* so far everything was */
    t->tid = (pid_t)RAW_SYSCALL(SYS_gettid, 0);
    /* Host threads share all of these; what the guest wants of its own is parted from the others first. */
    uint64_t own = ~info->args->flags & (CLONE_FS | CLONE_FILES | CLONE_SYSVSEM);
    if (own) {
        RAW_SYSCALL(SYS_unshare, own);
    }
    if (info->args->flags & CLONE_CHILD_SETTID) {
        store_guest_u32(info->args->child_tid, (uint32_t)t->tid);
    }
    if (info->args->flags & CLONE_PARENT_SETTID) {
        store_guest_u32(info->args->parent_tid, (uint32_t)t->tid);
    }
    /* The library's first thread takes signal 33, which is the guest's as well; it does so once. */
    if (!user.libc_has_threads) {
        user.libc_has_threads = true;
        sighand_lock(t->sighand);
        for (int sig = 32; sig <= 33; sig++) {
            signal_action_changed(t, sig, &t->sighand->action[sig]);
        }
        sighand_unlock(t->sighand);
    }
    list_add(t);
    info->tid = t->tid;
    gdb_user_thread_add(t->vcpu, (uint32_t)t->tid);
    sem_post(&info->ready); /* info is gone from here on */
    host_sigmask(signal_host_mask(t->sigmask));
    gdb_user_check(t->vcpu);
    t->abi->cpu_loop(t);
    user_self = NULL;
    thread_free(t);
    return NULL;
}

static int64_t clone_thread(Thread *t, const CloneArgs *args)
{
    uint64_t need = CLONE_VM | CLONE_SIGHAND | CLONE_THREAD;
    uint64_t refused = CLONE_PIDFD | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID
                       | CLONE_NEWNET | CLONE_NEWCGROUP;
    if ((args->flags & need) != need || args->flags & refused) {
        return -EINVAL;
    }
    Thread *child = thread_new(t->abi);
    child->sighand = t->sighand;
    atomic_fetch_add(&t->sighand->refs, 1);
    t->vcpu->parallel = child->vcpu->parallel = true;
    child->vcpu->model = t->vcpu->model;
    t->abi->clone_regs(child, t, args->stack, args->flags & CLONE_SETTLS ? &args->tls : NULL);
    child->sigmask = t->sigmask;
    if (args->flags & CLONE_CHILD_CLEARTID) {
        child->clear_child_tid = args->child_tid;
    }
    StartInfo info = { .t = child, .args = args };
    sem_init(&info.ready, 0, 0);
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, HOST_STACK_BYTES);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    signal_block_host();
    atomic_fetch_add(&user.n_threads, 1);
    pthread_t id;
    int err = pthread_create(&id, &attr, thread_main, &info);
    pthread_attr_destroy(&attr);
    int64_t ret;
    if (err) {
        atomic_fetch_sub(&user.n_threads, 1);
        thread_free(child);
        ret = -err;
    } else {
        while (sem_wait(&info.ready) < 0) {
            /* everything is blocked: only spurious wake-ups come here */
        }
        ret = info.tid;
    }
    sem_destroy(&info.ready);
    /* pending may be set already: the mask then stays closed until delivery. */
    signal_unblock_host(t);
    return ret;
}

void thread_not_alone(void)
{
    if (user_self) {
        user_self->vcpu->parallel = true;
    }
}

/* -- vfork ------------------------------------------------------------------------------------------------ */

static void vfork_main(void *opaque)
{
    Thread *t = opaque;
    user_self = t;
    t->tid = (pid_t)RAW_SYSCALL(SYS_gettid, 0);
    host_sigmask(signal_host_mask(t->sigmask));
    t->abi->cpu_loop(t);
    RAW_SYSCALL(SYS_exit_group, 127);
}

static int64_t clone_vfork(Thread *t, const CloneArgs *args)
{
    Thread *child = thread_new(t->abi);
    child->sighand = sighand_copy(t->sighand);
    if (args->flags & CLONE_CLEAR_SIGHAND_FLAG) {
        for (int sig = 1; sig <= USER_N_SIGNALS; sig++) {
            if (child->sighand->action[sig].handler != GUEST_SIG_IGN) {
                child->sighand->action[sig] = (GuestSigaction){ 0 };
            }
        }
    }
    child->vfork_child = true;
    child->vcpu->model = t->vcpu->model;
    child->vcpu->parallel = t->vcpu->parallel;
    t->abi->clone_regs(child, t, args->stack, args->flags & CLONE_SETTLS ? &args->tls : NULL);
    child->sigmask = t->sigmask;
    child->altstack_sp = t->altstack_sp;
    child->altstack_bytes = t->altstack_bytes;
    child->altstack_flags = t->altstack_flags;
    void *stack = mmap(NULL, HOST_STACK_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED) {
        thread_free(child);
        return -ENOMEM;
    }
    uint64_t keep = CLONE_VM | CLONE_VFORK | CLONE_FS | CLONE_FILES | CLONE_PARENT | CLONE_SYSVSEM | CLONE_IO
                    | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET
                    | CLONE_NEWCGROUP | CLONE_UNTRACED;
    signal_block_host();
    int64_t pid = host_vfork((args->flags & keep) | (uint64_t)args->exit_signal, (char *)stack + HOST_STACK_BYTES,
                             vfork_main, child);
    user_self = t;
    signal_block_host();
    t->vcpu->parallel |= child->vcpu->parallel; /* it may have mapped shared memory, here too */
    if (pid > 0 && (args->flags & CLONE_PARENT_SETTID)) {
        store_guest_u32(args->parent_tid, (uint32_t)pid);
    }
    munmap(stack, HOST_STACK_BYTES);
    thread_free(child);
    signal_unblock_host(t);
    return pid;
}

/* -- fork ------------------------------------------------------------------------------------------------- */

static void after_fork_in_child(Thread *t, const CloneArgs *args)
{
    /* Only this thread exists here; the others' structures are theirs no more, and are left behind. */
    threads = t;
    t->next = t->prev = NULL;
    t->tid = (pid_t)RAW_SYSCALL(SYS_gettid, 0);
    t->robust_list = 0;
    t->clear_child_tid = 0;
    t->vfork_child = false;
    atomic_store(&user.n_threads, 1);
    /* Signals captured before the fork are the parent's. */
    t->n_captured = 0;
    t->sync_valid = false;
    atomic_store(&t->pending, 0);
    if (args->flags & CLONE_CHILD_SETTID) {
        store_guest_u32(args->child_tid, (uint32_t)t->tid);
    }
    if (args->flags & CLONE_CHILD_CLEARTID) {
        t->clear_child_tid = args->child_tid;
    }
    if (args->flags & CLONE_CLEAR_SIGHAND_FLAG) {
        for (int sig = 1; sig <= USER_N_SIGNALS; sig++) {
            if (t->sighand->action[sig].handler != GUEST_SIG_IGN) {
                t->sighand->action[sig] = (GuestSigaction){ 0 };
                signal_action_changed(t, sig, &t->sighand->action[sig]);
            }
        }
    }
}

/* What the kernel does for a child by itself, and what libc's fork cannot ask for. */
#define KERNEL_FLAGS (CLONE_FS | CLONE_FILES | CLONE_PARENT | CLONE_PTRACE | CLONE_UNTRACED | CLONE_IO | CLONE_SYSVSEM \
                      | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET \
                      | CLONE_NEWCGROUP | CLONE_PIDFD | 0x80 /* CLONE_NEWTIME */ | CLONE_INTO_CGROUP_FLAG)

/*
 * fork by the kernel's own call. The C library is bypassed: that is right only while no other thread can hold a lock
 * of it, and its idea of the thread's id is renewed by the kernel at the address where the library had it put.
 */
static int64_t kernel_fork(const CloneArgs *args, int *ret_pidfd)
{
    void *tid_address = NULL;
    if (RAW_SYSCALL(SYS_prctl, PR_GET_TID_ADDRESS, &tid_address) < 0 || !tid_address) {
        return -EINVAL;
    }
    struct {
        uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
    } k = {
        .flags = (args->flags & KERNEL_FLAGS) | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID,
        .pidfd = (uintptr_t)ret_pidfd, .child_tid = (uintptr_t)tid_address, .exit_signal = (uint64_t)args->exit_signal,
        .set_tid = args->n_set_tid ? (uintptr_t)args->set_tid : 0, .set_tid_size = args->n_set_tid, .cgroup = args->cgroup,
    };
    return RAW_SYSCALL(SYS_clone3, &k, sizeof(k));
}

static int64_t libc_fork(void)
{
    pid_t pid = fork();
    return pid < 0 ? -errno : pid;
}

static int64_t clone_fork(Thread *t, const CloneArgs *args)
{
    uint64_t ours = CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | CLONE_PARENT_SETTID | CLONE_SETTLS | CLONE_VFORK
                    | CLONE_DETACHED | CLONE_CLEAR_SIGHAND_FLAG;
    bool plain = !(args->flags & ~ours) && args->exit_signal == SIGCHLD && !args->n_set_tid;
    if (args->flags & ~(ours | KERNEL_FLAGS)) {
        return -EINVAL;
    }
    /* With other threads about, only the library's fork leaves its locks in order. */
    if (!plain && atomic_load(&user.n_threads) != 1) {
        return -EINVAL;
    }
    int pidfd = -1;
    if (atomic_load(&user.n_threads) == 1) {
        tcg_fork_prepare(t->vcpu);
    }
    signal_block_host();
    fflush(NULL);
    gdb_user_fork_begin(plain);
    thread_list_lock();
    tcg_fork_begin();
    mm_fork_lock();
    int64_t pid = plain ? libc_fork() : kernel_fork(args, &pidfd);
    mm_fork_unlock();
    tcg_fork_end(pid == 0);
    if (pid == 0) {
        mm_fork_child();
    }
    thread_list_unlock();
    if (pid == 0) {
        after_fork_in_child(t, args);
        t->abi->clone_regs(t, t, args->stack, args->flags & CLONE_SETTLS ? &args->tls : NULL);
        gdb_user_fork_end(t->vcpu, 0);
        host_sigmask(signal_host_mask(t->sigmask));
        return 0;
    }
    if (pid > 0) {
        if (args->flags & CLONE_PARENT_SETTID) {
            store_guest_u32(args->parent_tid, (uint32_t)pid);
        }
        if (args->flags & CLONE_PIDFD) {
            store_guest_u32(args->pidfd, (uint32_t)pidfd);
        }
    }
    gdb_user_fork_end(t->vcpu, pid);
    signal_unblock_host(t);
    return pid;
}

int64_t thread_clone(Thread *t, const CloneArgs *args)
{
    if (args->exit_signal < 0 || args->exit_signal > USER_N_SIGNALS) {
        return -EINVAL;
    }
    if ((args->flags & (CLONE_SIGHAND | CLONE_VM)) == CLONE_SIGHAND
        || (args->flags & (CLONE_THREAD | CLONE_SIGHAND)) == CLONE_THREAD
        || (args->flags & (CLONE_FS | CLONE_NEWNS)) == (CLONE_FS | CLONE_NEWNS)) {
        return -EINVAL;
    }
    if ((args->flags & (CLONE_THREAD | CLONE_PARENT)) && args->from_clone3 && args->exit_signal) {
        return -EINVAL;
    }
    /* A signal that came before belongs to the parent alone: let it be handled first. */
    if (atomic_load(&t->pending)) {
        return -USER_ERESTARTNOINTR;
    }
    if (args->flags & CLONE_THREAD) {
        return clone_thread(t, args);
    }
    if ((args->flags & (CLONE_VM | CLONE_VFORK)) == (CLONE_VM | CLONE_VFORK)) {
        return clone_vfork(t, args);
    }
    return clone_fork(t, args);
}
