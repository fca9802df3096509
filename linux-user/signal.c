/*
 * signal.c: guest signals.
 *
 * Guest and host numbers are equal. The kernel keeps the queues: a signal the guest blocks is blocked on the host, one
 * it ignores or leaves at its default has that disposition there. Where the guest has a handler the host has
 * ours, which only *captures* the signal: it stores the siginfo, blocks everything further for this thread, kicks
 * the vCPU, and stops a system call that has not begun (host_context_fixup). The cpu loop then calls
 * signal_deliver(), which builds the guest's frame and sets the host mask to the guest's new one. So at most one
 * signal per thread is in our hands at a time.
 *
 * The thread's host mask is closed from the capture of a signal other than those of faults until its delivery.
 *
 * SIGSEGV, SIGBUS, SIGILL and SIGFPE are never blocked on the host, because translated code raises them;
 * when one is sent by a process while the guest blocks it, it waits in `captured`.
 *
 * Threads: captured[] and the masks belong to the thread and its own signal handler; SigHand has a spin lock that is
 * taken with signals possibly arriving, but never by the handler.
 */
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "gdbstub/gdbstub.h"
#include "linux-user/user.h"

#define SIG_BIT(sig) ((uint64_t)1 << ((sig) - 1))
#define FAULT_SIGNALS (SIG_BIT(SIGSEGV) | SIG_BIT(SIGBUS) | SIG_BIT(SIGILL) | SIG_BIT(SIGFPE))
#define CORE_SIGNALS                                                                                   \
    (FAULT_SIGNALS | SIG_BIT(SIGQUIT) | SIG_BIT(SIGABRT) | SIG_BIT(SIGTRAP) | SIG_BIT(SIGXCPU)         \
     | SIG_BIT(SIGXFSZ) | SIG_BIT(SIGSYS))
#define IGNORE_SIGNALS (SIG_BIT(SIGCHLD) | SIG_BIT(SIGURG) | SIG_BIT(SIGWINCH) | SIG_BIT(SIGCONT))
#define STOP_SIGNALS (SIG_BIT(SIGSTOP) | SIG_BIT(SIGTSTP) | SIG_BIT(SIGTTIN) | SIG_BIT(SIGTTOU))
/* What a debugger is not asked about when it is left at its default: it does not end the program. */
#define UNDEBUGGED_SIGNALS (IGNORE_SIGNALS | STOP_SIGNALS | SIG_BIT(SIGKILL))
#define NEVER_BLOCKED (SIG_BIT(SIGKILL) | SIG_BIT(SIGSTOP))

uint64_t signal_host_mask(uint64_t guest_mask)
{
    return guest_mask & ~FAULT_SIGNALS;
}

void signal_block_host(void)
{
    host_sigmask(signal_host_mask(~(uint64_t)0));
}

void signal_unblock_host(Thread *t)
{
    host_sigmask(signal_host_mask(atomic_load(&t->pending) ? ~(uint64_t)0 : t->sigmask));
}

void sighand_lock(SigHand *h)
{
    int expected = 0;
    while (!atomic_compare_exchange_weak_explicit(&h->lock, &expected, 1, memory_order_acquire,
                                                  memory_order_relaxed)) {
        expected = 0;
        __builtin_ia32_pause();
    }
}

void sighand_unlock(SigHand *h)
{
    atomic_store_explicit(&h->lock, 0, memory_order_release);
}

SigHand *sighand_copy(SigHand *from)
{
    SigHand *h = xnew(SigHand);
    if (from) {
        sighand_lock(from);
        memcpy(h->action, from->action, sizeof(h->action));
        sighand_unlock(from);
    }
    h->refs = 1;
    return h;
}

void sighand_put(SigHand *h)
{
    if (atomic_fetch_sub(&h->refs, 1) == 1) {
        free(h);
    }
}

/*
 * -- the host's handler -----------------------------------------------------------------------------
 *
 * It interrupts anything, the thread sanitizer's run time with its locks too, which does not know of handlers that the C library
 * did not install: what captures a signal is kept out of its sight and calls nothing of the library.
 */

static noreturn void die_of_own_fault(int sig, const siginfo_t *info, uintptr_t pc)
{
    char text[160];
    int n = snprintf(text, sizeof(text), "%s: internal error: signal %d (code %d) at host pc %#" PRIxPTR
                     ", address %p\n", user.program, sig, info->si_code, pc, info->si_addr);
    if (write(STDERR_FILENO, text, (size_t)n) < 0) {
        /* nothing more can be said */
    }
    RAW_SYSCALL(SYS_rt_sigaction, sig, &(uint64_t[4]){ 0 }, 0, 8);
    host_sigmask(0);
    RAW_SYSCALL(SYS_tgkill, getpid(), RAW_SYSCALL(SYS_gettid, 0), sig);
    _exit(128 + sig);
}

static void handle_fault(Thread *t, int sig, siginfo_t *info, void *uc)
{
    uintptr_t host = (uintptr_t)info->si_addr, pc = host_context_pc(uc);
    vaddr addr = host - mm.guest_base;
    bool in_window = host >= mm.guest_base && mm_inside(addr, 1);
    if (sig == SIGSEGV && info->si_code == SEGV_ACCERR && in_window && host_context_is_write(uc, sig)
        && tcg_unprotect(addr)) {
        if (t && t->vcpu->target->coherent_icache) {
            HostFrame frame;
            host_context_frame(uc, &frame);
            if (tcg_restart_after_unprotect(t->vcpu, addr, pc, &frame)) {
                vcpu_loop_exit(t->vcpu, VCPU_EXIT_NONE);
            }
        }
        return;
    }
    if (sig == SIGSEGV && in_window && mm_grow(addr)) {
        return;
    }
    if (host_context_fixup(uc, true)) {
        return;
    }
    if (t && (t->vcpu->in_code || t->vcpu->guest_access)) {
        Vcpu *vcpu = t->vcpu;
        HostFrame frame;
        host_context_frame(uc, &frame);
        if (tcg_handle_fault(vcpu, pc, &frame)) {
            int code = info->si_code;
            if (sig == SIGBUS && code == SI_KERNEL) {
                sig = SIGSEGV; /* not canonical either, with a register the host takes for a stack pointer */
            }
            if (sig == SIGSEGV && code == SI_KERNEL && t->abi->other_addresses && t->abi->other_addresses(t)) {
                signal_unblock_host(t);
                vcpu_loop_exit(vcpu, VCPU_EXIT_NONE);
            }
            if (sig == SIGSEGV && code == SI_KERNEL && t->abi->fault_address_lost) {
                addr = 0;
            } else if (sig == SIGSEGV) {
                if (info->si_code == SI_KERNEL) { /* not canonical: the host does not say where */
                    addr = t->abi->fault_addr(t);
                } else if (t->abi->addr_mask) {
                    addr |= t->abi->fault_addr(t) & ~t->abi->addr_mask;
                }
                if (t->abi->word_bytes == 4) {
                    addr = (uint32_t)addr;
                }
                code = mm_page_prot(addr & vcpu->addr_mask) < 0 ? SEGV_MAPERR : SEGV_ACCERR;
            }
            signal_raise_sync(t, sig, code, addr);
            t->sync_write = host_context_is_write(uc, sig);
            vcpu_kick(vcpu);
            vcpu_loop_exit(vcpu, VCPU_EXIT_REQUEST);
        }
    }
    die_of_own_fault(sig, info, pc);
}

/*
 * A program may queue itself a signal with the siginfo of a fault (rt_sigqueueinfo(2); crash reporters pass theirs on so).
 * On its way through the kernel such a code has the sign bit, which tells it from a fault of this moment.
 */
#define SENT_CODE_LIMIT 0x40000000

bool signal_looks_like_fault(int sig, const siginfo_t *info)
{
    return sig > 0 && sig <= USER_N_SIGNALS && (SIG_BIT(sig) & FAULT_SIGNALS) && info->si_code > 0;
}

bool signal_info_to_send(int sig, siginfo_t *info)
{
    if (signal_looks_like_fault(sig, info)) {
        if (info->si_code >= SENT_CODE_LIMIT) {
            return false;
        }
        info->si_code = (int)((uint32_t)info->si_code | (uint32_t)INT32_MIN);
    }
    return true;
}

NO_SANITIZE_THREAD void signal_info_received(siginfo_t *info)
{
    if (info->si_code < INT32_MIN + SENT_CODE_LIMIT && (SIG_BIT(info->si_signo) & FAULT_SIGNALS)) {
        info->si_code &= INT32_MAX;
    }
}

static NO_SANITIZE_THREAD void host_handler(int sig, siginfo_t *info, void *uc)
{
    Thread *t = user_self;
    if ((SIG_BIT(sig) & FAULT_SIGNALS) && info->si_code > 0) {
        int saved_errno = errno;
        handle_fault(t, sig, info, uc);
        errno = saved_errno;
        return;
    }
    if (!t) {
        return;
    }
    uint32_t n = atomic_load_explicit(&t->n_captured, memory_order_relaxed);
    for (uint32_t i = 0; i < n; i++) { /* sent again while it waits: it is one */
        if (t->captured[i].sig == sig) {
            n = ARRAY_SIZE(t->captured);
        }
    }
    if (n < ARRAY_SIZE(t->captured)) {
        t->captured[n].sig = sig;
        t->captured[n].info = *info;
        signal_info_received(&t->captured[n].info);
        atomic_store_explicit(&t->n_captured, n + 1, memory_order_relaxed);
    }
    atomic_store_explicit(&t->pending, 1, memory_order_release);
    atomic_store(&t->vcpu->jit.exit_request, 1);
    host_context_set_sigmask(uc, ~FAULT_SIGNALS);
    host_context_fixup(uc, false);
}

void signal_action_changed(Thread *t, int sig, const GuestSigaction *act)
{
    (void)t;
    uint64_t bit = SIG_BIT(sig);
    if (bit & FAULT_SIGNALS) {
        return;
    }
    if (act->handler == GUEST_SIG_IGN) {
        host_sigaction(sig, (void (*)(int, siginfo_t *, void *))(uintptr_t)SIG_IGN, 0);
    } else if (act->handler == GUEST_SIG_DFL && !(bit & CORE_SIGNALS) && !(gdb_user_active() && !(bit & UNDEBUGGED_SIGNALS))) {
        host_sigaction(sig, NULL, act->flags & (SA_NOCLDSTOP | SA_NOCLDWAIT));
    } else {
        host_sigaction(sig, host_handler, SA_SIGINFO | SA_RESTART | (act->flags & (SA_NOCLDSTOP | SA_NOCLDWAIT)));
    }
}

void signal_init(Thread *t)
{
    t->sighand = sighand_copy(NULL);
    for (int sig = 1; sig <= USER_N_SIGNALS; sig++) {
        uint64_t bit = SIG_BIT(sig);
        uint64_t old[4] = { 0 };
        if ((RAW_SYSCALL(SYS_rt_sigaction, sig, 0, old, 8) == 0 && old[0] == (uint64_t)(uintptr_t)SIG_IGN)
            || (bit & FAULT_SIGNALS & user.options.ignored_signals)) {
            t->sighand->action[sig].handler = GUEST_SIG_IGN;
        }
        if (bit & FAULT_SIGNALS) {
            host_sigaction(sig, host_handler, SA_SIGINFO | SA_RESTART);
        } else if ((bit & CORE_SIGNALS) && !t->sighand->action[sig].handler) {
            host_sigaction(sig, host_handler, SA_SIGINFO | SA_RESTART);
        }
    }
    RAW_SYSCALL(SYS_rt_sigprocmask, SIG_SETMASK, 0, &t->sigmask, 8);
    host_sigmask(signal_host_mask(t->sigmask));
}

void signal_debugged(Thread *t)
{
    for (int sig = 1; sig <= USER_N_SIGNALS; sig++) {
        if (!t->sighand->action[sig].handler && !(SIG_BIT(sig) & UNDEBUGGED_SIGNALS)) {
            signal_action_changed(t, sig, &t->sighand->action[sig]);
        }
    }
}

/* -- masks ------------------------------------------------------------------------------------------------ */

bool signal_set_mask(Thread *t, uint64_t mask)
{
    mask &= ~NEVER_BLOCKED;
    host_sigmask(signal_host_mask(mask));
    if (unlikely(atomic_load_explicit(&t->pending, memory_order_relaxed))) {
        signal_block_host();
        for (uint32_t i = 0; i < t->n_captured; i++) {
            uint64_t bit = SIG_BIT(t->captured[i].sig);
            if ((bit & mask) && !(bit & t->sigmask)) {
                return false;
            }
        }
    }
    uint64_t opened = t->sigmask & ~mask;
    t->sigmask = mask;
    if (unlikely((opened & FAULT_SIGNALS) && t->n_captured)) {
        atomic_store(&t->pending, 1);
    }
    return true;
}

void signal_ran_with_mask(Thread *t, uint64_t mask)
{
    if (atomic_load_explicit(&t->pending, memory_order_relaxed) && !t->restore_sigmask) {
        t->saved_sigmask = t->sigmask;
        t->restore_sigmask = true;
        t->sigmask = mask & ~NEVER_BLOCKED;
    }
}

/* -- execve ----------------------------------------------------------------------------------------------- */

uint64_t signal_ignored_faults(Thread *t)
{
    uint64_t ignored = 0;
    sighand_lock(t->sighand);
    for (int sig = 1; sig <= USER_N_SIGNALS; sig++) {
        if ((SIG_BIT(sig) & FAULT_SIGNALS) && t->sighand->action[sig].handler == GUEST_SIG_IGN) {
            ignored |= SIG_BIT(sig);
        }
    }
    sighand_unlock(t->sighand);
    return ignored;
}

/* The host's dispositions are the process's: another thread that faults in between must not find its signal ignored. */
static bool alone(Thread *t)
{
    return t->vfork_child || atomic_load(&user.n_threads) == 1;
}

void signal_hold_faults(Thread *t)
{
    uint64_t blocked = t->sigmask & FAULT_SIGNALS;
    if (!blocked) {
        return;
    }
    uint64_t faults = FAULT_SIGNALS, open = faults & ~blocked;
    RAW_SYSCALL(SYS_rt_sigprocmask, SIG_BLOCK, &faults, NULL, 8);
    for (uint32_t i = 0; i < t->n_captured;) {
        CapturedSignal *c = &t->captured[i];
        if ((SIG_BIT(c->sig) & blocked)
            && RAW_SYSCALL(SYS_rt_tgsigqueueinfo, RAW_SYSCALL(SYS_getpid, 0), t->tid, c->sig, &c->info) == 0) {
            memmove(c, c + 1, (t->n_captured - i - 1) * sizeof(*c));
            t->n_captured--;
        } else {
            i++;
        }
    }
    RAW_SYSCALL(SYS_rt_sigprocmask, SIG_UNBLOCK, &open, NULL, 8);
}

void signal_release_faults(Thread *t)
{
    uint64_t faults = FAULT_SIGNALS;
    if (t->sigmask & FAULT_SIGNALS) {
        RAW_SYSCALL(SYS_rt_sigprocmask, SIG_UNBLOCK, &faults, NULL, 8);
    }
}

static void ignore_on_host(Thread *t, bool ignore)
{
    uint64_t ignored = signal_ignored_faults(t);
    for (int sig = 1; ignored && alone(t) && sig <= USER_N_SIGNALS; sig++) {
        if ((SIG_BIT(sig) & ignored) && ignore) {
            host_sigaction(sig, (void (*)(int, siginfo_t *, void *))(uintptr_t)SIG_IGN, 0);
        } else if (SIG_BIT(sig) & ignored) {
            host_sigaction(sig, host_handler, SA_SIGINFO | SA_RESTART);
        }
    }
}

void signal_before_exec(Thread *t)
{
    signal_hold_faults(t);
    ignore_on_host(t, true);
}

void signal_exec_failed(Thread *t)
{
    ignore_on_host(t, false);
    signal_release_faults(t);
}

/* -- delivery -------------------------------------------------------------------------------------------- */

void signal_raise_sync(Thread *t, int sig, int code, vaddr addr)
{
    memset(&t->sync_info, 0, sizeof(t->sync_info));
    t->sync_info.si_signo = sig;
    t->sync_info.si_code = code;
    t->sync_info.si_addr = (void *)(uintptr_t)addr;
    t->sync_write = false;
    t->sync_fault = 0;
    t->sync_valid = true;
    atomic_store_explicit(&t->pending, 1, memory_order_relaxed);
}

noreturn void signal_die(Thread *t, int sig)
{
    /* Only this thread goes on: what follows must not be disturbed. */
    signal_block_host();
    gdb_user_exit(0, sig);
    if (SIG_BIT(sig) & CORE_SIGNALS) {
        struct rlimit rl;
        bool core = getrlimit(RLIMIT_CORE, &rl) == 0 && rl.rlim_cur > 0;
        if (core) {
            core_dump(t, sig);
            /* The emulator's own memory is of no use to anybody. */
            rl.rlim_cur = 0;
            setrlimit(RLIMIT_CORE, &rl);
        }
        char text[128];
        int n = snprintf(text, sizeof(text), "qemu: uncaught target signal %d (%s) - core dumped\n", sig,
                         strsignal(sig));
        if (write(STDERR_FILENO, text, (size_t)n) < 0) {
            /* the status says it as well */
        }
    }
    host_sigaction(sig, NULL, 0);
    int64_t tid = RAW_SYSCALL(SYS_gettid, 0), pid = RAW_SYSCALL(SYS_getpid, 0);
    RAW_SYSCALL(SYS_tgkill, pid, tid, sig);
    host_sigmask(~SIG_BIT(sig));
    for (;;) {
        RAW_SYSCALL(SYS_exit_group, 128 + sig);
    }
}

bool signal_on_altstack(Thread *t, vaddr sp)
{
    /* One that disarms itself is never "in use": the handler may set up another. */
    if (t->altstack_flags & SIGNAL_AUTODISARM) {
        return false;
    }
    return t->altstack_bytes && sp > t->altstack_sp && sp - t->altstack_sp <= t->altstack_bytes;
}

vaddr signal_frame_sp(Thread *t, const GuestSigaction *act, size_t size_bytes)
{
    vaddr sp = t->abi->get_sp(t);
    bool on_alt = signal_on_altstack(t, sp);
    /* Linux refuses a frame that would leave the alternate stack it is on: the handler cannot run. */
    if (on_alt && !signal_on_altstack(t, sp - size_bytes)) {
        return UINT64_MAX & ~(vaddr)15;
    }
    if ((act->flags & SA_ONSTACK) && t->altstack_bytes && !on_alt) {
        if (size_bytes >= t->altstack_bytes) {
            return UINT64_MAX & ~(vaddr)15;
        }
        sp = t->altstack_sp + t->altstack_bytes;
    }
    return ROUND_DOWN(sp - size_bytes, (vaddr)16);
}

static void force_default(Thread *t, int sig)
{
    sighand_lock(t->sighand);
    t->sighand->action[sig].handler = GUEST_SIG_DFL;
    sighand_unlock(t->sighand);
}

static void deliver_one(Thread *t, int sig, const siginfo_t *info, bool forced)
{
    SigHand *h = t->sighand;
    uint64_t bit = SIG_BIT(sig);
    if (gdb_user_active() && sig != SIGKILL) {
        uint8_t raw[SIGINFO_BYTES];
        siginfo_pack(t->abi, raw, info);
        sig = gdb_user_signal(t->vcpu, sig, raw, sizeof(raw));
        if (!sig) {
            return;
        }
        bit = SIG_BIT(sig);
    }
    sighand_lock(h);
    if (forced && ((t->sigmask & bit) || h->action[sig].handler == GUEST_SIG_IGN)) {
        h->action[sig].handler = GUEST_SIG_DFL;
    }
    GuestSigaction act = h->action[sig];
    if ((act.flags & SA_RESETHAND) && act.handler > GUEST_SIG_IGN) {
        h->action[sig].handler = GUEST_SIG_DFL;
    }
    sighand_unlock(h);
    if (log_enabled(LOG_STRACE)) {
        strace_signal(t, sig, info);
    }
    if (log_enabled(LOG_INT)) {
        FILE *out = log_lock();
        fprintf(out, "signal %d code %d address %p pc " VADDR_FMT "\n", sig, info->si_code, info->si_addr,
                user.target->get_pc(t->vcpu));
        if (forced && user.target->dump) {
            user.target->dump(t->vcpu, out, log_mask | LOG_CPU);
        }
        log_unlock();
    }
    if (act.handler == GUEST_SIG_IGN) {
        return;
    }
    if (act.handler == GUEST_SIG_DFL) {
        if (bit & IGNORE_SIGNALS) {
            return;
        }
        if (bit & STOP_SIGNALS) {
            RAW_SYSCALL(SYS_kill, RAW_SYSCALL(SYS_getpid, 0), SIGSTOP);
            return;
        }
        signal_die(t, sig);
    }
    if (act.flags & SA_RESETHAND) {
        signal_action_changed(t, sig, &(GuestSigaction){ 0 });
    }
    if (!t->abi->signal_frame(t, sig, info, &act)) {
        /* As the kernel: no room for the frame is a SIGSEGV that cannot be caught on the same stack. */
        if (sig == SIGSEGV || (t->sigmask & SIG_BIT(SIGSEGV))) {
            force_default(t, SIGSEGV);
            signal_die(t, SIGSEGV);
        }
        signal_raise_sync(t, SIGSEGV, SI_KERNEL, 0);
        return;
    }
    if (t->altstack_flags & SIGNAL_AUTODISARM) { /* the frame has it */
        t->altstack_sp = t->altstack_bytes = 0;
        t->altstack_flags = 0;
    }
    t->restore_sigmask = false;
    t->sigmask |= act.mask | (act.flags & SA_NODEFER ? 0 : bit);
    t->sigmask &= ~NEVER_BLOCKED;
}

/* Takes the first captured signal that may be delivered now. Everything but fault signals sent by others is blocked. */
static bool take_captured(Thread *t, CapturedSignal *ret)
{
    uint32_t n = atomic_load_explicit(&t->n_captured, memory_order_relaxed);
    if (n == 0) {
        return false;
    }
    if (n == 1 && !(SIG_BIT(t->captured[0].sig) & FAULT_SIGNALS)) { /* nearly always */
        *ret = t->captured[0];
        if (atomic_compare_exchange_strong_explicit(&t->n_captured, &n, 0, memory_order_relaxed, memory_order_relaxed)) {
            return true;
        }
    }
    bool found = false;
    host_sigmask(~(uint64_t)0);
    for (uint32_t i = 0; i < t->n_captured && !found; i++) {
        uint64_t bit = SIG_BIT(t->captured[i].sig);
        if ((bit & FAULT_SIGNALS) && (t->sigmask & bit)) {
            continue;
        }
        *ret = t->captured[i];
        memmove(&t->captured[i], &t->captured[i + 1], (t->n_captured - i - 1) * sizeof(t->captured[0]));
        t->n_captured--;
        found = true;
    }
    signal_block_host();
    return found;
}

/* Whether the capture has closed the host's mask (see above): a system call saved for each signal. */
static bool is_closed(Thread *t)
{
    uint32_t n = atomic_load_explicit(&t->n_captured, memory_order_relaxed);
    for (uint32_t i = 0; i < n; i++) {
        if (!(SIG_BIT(t->captured[i].sig) & FAULT_SIGNALS)) {
            return true;
        }
    }
    return false;
}

void signal_deliver(Thread *t)
{
    /* Frames are written to guest memory: its faults must get through, and so may fault signals sent by others. */
    if (!is_closed(t)) {
        signal_block_host();
    }
    CapturedSignal c;
    do {
        atomic_store_explicit(&t->pending, 0, memory_order_relaxed); /* what is captured from here on sets it again */
        for (;;) {
            if (t->sync_valid) {
                siginfo_t info = t->sync_info;
                t->sync_valid = false;
                deliver_one(t, info.si_signo, &info, true);
            } else if (take_captured(t, &c)) {
                deliver_one(t, c.sig, &c.info, false);
            } else {
                break;
            }
        }
        if (t->restore_sigmask) {
            t->restore_sigmask = false;
            t->sigmask = t->saved_sigmask;
        }
    } while (unlikely(atomic_load_explicit(&t->pending, memory_order_relaxed)));
    /* What the kernel holds and the new mask allows is captured right here; the caller's loop sees `pending`
     * at the next poll, because the handler kicks. */
    host_sigmask(signal_host_mask(t->sigmask));
}

bool signal_wants_restart(Thread *t)
{
    int sig = t->sync_valid ? t->sync_info.si_signo : t->n_captured ? t->captured[0].sig : 0;
    if (!sig) {
        return true;
    }
    sighand_lock(t->sighand);
    GuestSigaction act = t->sighand->action[sig];
    sighand_unlock(t->sighand);
    return act.handler <= GUEST_SIG_IGN || (act.flags & SA_RESTART);
}

/* -- siginfo ------------------------------------------------------------------------------------------------- */

/* Which union member a siginfo has: by code, then by signal (linux uapi asm-generic/siginfo.h). */
typedef enum InfoKind { INFO_KILL, INFO_RT, INFO_TIMER, INFO_POLL, INFO_FAULT, INFO_CHLD, INFO_SYS } InfoKind;

static InfoKind info_kind(const siginfo_t *info)
{
    switch (info->si_code) {
    case SI_USER:
    case SI_TKILL:
        return INFO_KILL;
    case SI_TIMER:
        return INFO_TIMER;
    case SI_SIGIO:
        return INFO_POLL;
    case SI_QUEUE:
    case SI_MESGQ:
    case SI_ASYNCIO:
        return INFO_RT;
    case SI_KERNEL:
        return SIG_BIT(info->si_signo) & FAULT_SIGNALS ? INFO_FAULT : INFO_KILL;
    }
    if (info->si_code < 0) {
        return INFO_RT;
    }
    switch (info->si_signo) {
    case SIGCHLD:
        return INFO_CHLD;
    case SIGPOLL:
        return INFO_POLL;
    case SIGILL:
    case SIGFPE:
    case SIGSEGV:
    case SIGBUS:
    case SIGTRAP:
        return INFO_FAULT;
    case SIGSYS:
        return INFO_SYS;
    }
    return INFO_KILL;
}

void siginfo_pack(const Abi *abi, uint8_t raw[SIGINFO_BYTES], const siginfo_t *info)
{
    bool is64 = abi->word_bytes == 8;
    if (is64 && !abi->big_endian) {
        memcpy(raw, info, SIGINFO_BYTES); /* the generic layout, which is the host's */
        return;
    }
    memset(raw, 0, SIGINFO_BYTES);
    uint8_t *u = raw + (is64 ? 16 : 12);
    abi_put32(abi, raw, (uint32_t)info->si_signo);
    abi_put32(abi, raw + 4, (uint32_t)info->si_errno);
    abi_put32(abi, raw + 8, (uint32_t)info->si_code);
#define PUT_WORD(offset64, offset32, v)                                                      \
    (is64 ? abi_put64(abi, u + (offset64), (uint64_t)(v)) : abi_put32(abi, u + (offset32), (uint64_t)(v)))
    switch (info_kind(info)) {
    case INFO_RT:
        PUT_WORD(8, 8, (uintptr_t)info->si_value.sival_ptr);
        /* fall through */
    case INFO_KILL:
        abi_put32(abi, u, (uint32_t)info->si_pid);
        abi_put32(abi, u + 4, info->si_uid);
        break;
    case INFO_TIMER:
        abi_put32(abi, u, (uint32_t)info->si_timerid);
        abi_put32(abi, u + 4, (uint32_t)info->si_overrun);
        PUT_WORD(8, 8, (uintptr_t)info->si_value.sival_ptr);
        break;
    case INFO_POLL:
        PUT_WORD(0, 0, info->si_band);
        abi_put32(abi, u + (is64 ? 8 : 4), (uint32_t)info->si_fd);
        break;
    case INFO_FAULT:
        PUT_WORD(0, 0, (uintptr_t)info->si_addr);
        break;
    case INFO_CHLD:
        abi_put32(abi, u, (uint32_t)info->si_pid);
        abi_put32(abi, u + 4, info->si_uid);
        abi_put32(abi, u + 8, (uint32_t)info->si_status);
        PUT_WORD(16, 12, info->si_utime);
        PUT_WORD(24, 16, info->si_stime);
        break;
    case INFO_SYS:
        PUT_WORD(0, 0, (uintptr_t)info->si_call_addr);
        abi_put32(abi, u + (is64 ? 8 : 4), (uint32_t)info->si_syscall);
        abi_put32(abi, u + (is64 ? 12 : 8), info->si_arch);
        break;
    }
#undef PUT_WORD
}

bool siginfo_to_guest(const Abi *abi, vaddr addr, const siginfo_t *info)
{
    uint8_t raw[SIGINFO_BYTES];
    siginfo_pack(abi, raw, info);
    return copy_to_guest(addr, raw, sizeof(raw));
}

bool siginfo_from_guest(const Abi *abi, siginfo_t *info, vaddr addr)
{
    uint8_t raw[128];
    if (!copy_from_guest(raw, addr, sizeof(raw))) {
        return false;
    }
    memset(info, 0, sizeof(*info));
    if (abi->word_bytes == 8 && !abi->big_endian) {
        memcpy(info, raw, 128);
        return true;
    }
    /* Only what rt_sigqueueinfo can carry. */
    bool is64 = abi->word_bytes == 8;
    const uint8_t *u = raw + (is64 ? 16 : 12);
    info->si_signo = (int)abi_get32(abi, raw);
    info->si_errno = (int)abi_get32(abi, raw + 4);
    info->si_code = (int)abi_get32(abi, raw + 8);
    info->si_pid = (pid_t)abi_get32(abi, u);
    info->si_uid = abi_get32(abi, u + 4);
    info->si_value.sival_ptr = (void *)(uintptr_t)(is64 ? abi_get64(abi, u + 8) : abi_get32(abi, u + 8));
    return true;
}
