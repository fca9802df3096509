/*
 * user.h: a user-mode guest address space of 256 KiB for the toy CPU, with signal handling as
 * linux-user does it.
 */
#ifndef TESTS_ACCEL_USER_H
#define TESTS_ACCEL_USER_H

#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>
#include "../../accel/tcg/internal.h"
#include "../test.h"
#include "toy.h"

enum { GUEST_BYTES = 256 << 10, GUEST_PAGES = GUEST_BYTES / 4096 };

static uint8_t *guest;
static _Atomic int guest_prot[GUEST_PAGES];
static _Atomic int n_protects, n_faults;
static __thread Vcpu *this_vcpu;

static int page_prot(vaddr addr)
{
    return addr < GUEST_BYTES ? guest_prot[addr >> 12] : -1;
}

static bool read_guest(void *to, vaddr addr, size_t size_bytes)
{
    memcpy(to, (const void *)((uintptr_t)guest + addr), size_bytes);
    return true;
}

static void host_protect(vaddr page, size_t size_bytes, bool writable)
{
    n_protects++;
    mprotect(guest + page, size_bytes, PROT_READ | (writable ? PROT_WRITE : 0));
}

static void on_fault(int sig, siginfo_t *info, void *opaque)
{
    ucontext_t *uc = opaque;
    vaddr addr = (uint8_t *)info->si_addr - guest;
    n_faults++;
    if (addr < GUEST_BYTES && tcg_unprotect(addr)) {
        return;
    }
    HostFrame frame = { 0 };
#ifdef __x86_64__
    static const uint8_t order[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI,
        REG_RDI, REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15 };
    for (unsigned i = 0; i < 16; i++) {
        frame.gpr[i] = uc->uc_mcontext.gregs[order[i]];
    }
    uintptr_t host_pc = uc->uc_mcontext.gregs[REG_RIP];
    frame.fp_control = uc->uc_mcontext.fpregs->mxcsr;
#else
    uintptr_t host_pc = 0;
#endif
    if (this_vcpu && tcg_handle_fault(this_vcpu, host_pc, &frame)) {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGSEGV);
        pthread_sigmask(SIG_UNBLOCK, &set, NULL);
        this_vcpu->exception = (VcpuException){ .cause = 13, .value = addr };
        vcpu_loop_exit(this_vcpu, VCPU_EXIT_EXCEPTION);
    }
    signal(SIGSEGV, SIG_DFL);
}

/* New code at [first, last], as a loader would put it there. */
static inline void guest_rewrite(vaddr first, vaddr last)
{
    vaddr page = ROUND_DOWN(first, 4096);
    mprotect(guest + page, last + 1 - page, PROT_READ | PROT_WRITE);
    tcg_invalidate(first, last);
}

static inline void guest_start(const char *host, const TcgOptions *options)
{
    Error *err = NULL;
    TcgOptions o = *options;
    o.verify = true;
    bool ok;
    if (!strcmp(host, "toy")) {
        ok = tcg_init_with_host(&o, &toy_host, &err);
    } else {
        o.interpreter = !strcmp(host, "interp");
        ok = tcg_init(&o, &err);
    }
    if (!ok) {
        fprintf(stderr, "skipped: %s\n", error_message(err));
        exit(77);
    }
    guest = mmap(NULL, GUEST_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (unsigned i = 0; i < GUEST_PAGES; i++) {
        guest_prot[i] = PAGE_READ | PAGE_WRITE | PAGE_EXEC;
    }
    tcg_set_user_ops(&(TcgUserOps){ .page_prot = page_prot, .host_protect = host_protect, .read = read_guest });
    struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
    sigaction(SIGSEGV, &sa, NULL);
}

static inline Vcpu *guest_cpu(void)
{
    Vcpu *vcpu = vcpu_new(&toy_target, false);
    vcpu->jit.guest_base = (uintptr_t)guest;
    return vcpu;
}

static inline VcpuExit guest_run(Vcpu *vcpu, vaddr pc)
{
    this_vcpu = vcpu;
    toy_state(vcpu)->pc = pc;
    VcpuExit reason;
    do {
        reason = tcg_run(vcpu);
    } while (reason == VCPU_EXIT_REQUEST);
    return reason;
}

#endif
