/*
 * x86_64.c: signal contexts and signal system calls of an x86-64 Linux host.
 *
 * Leaves out: the x32 ABI. AVX state is read from the XSAVE area of the signal frame (Intel SDM volume 1, 13.4),
 * the upper registers of AVX-512 are not part of HostFrame.
 * The kernel's sigaction and sigprocmask are used directly: the C library keeps signals 32 and 33 for itself.
 */
#include <cpuid.h>
#include <elf.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include "linux-user/user.h"

extern const char safe_syscall_start[], safe_syscall_insn[];
extern const char safe_syscall_not_begun[], safe_syscall_interrupted[];
extern const char uaccess_copy_start[], uaccess_copy_end[];
extern const char uaccess_strnlen_start[], uaccess_strnlen_end[];

bool host_runs(const Abi *abi)
{
    return abi->elf_machine == EM_X86_64 || abi->elf_machine == EM_386;
}

uintptr_t host_context_pc(void *ucontext)
{
    return (uintptr_t)((ucontext_t *)ucontext)->uc_mcontext.gregs[REG_RIP];
}

bool host_context_is_write(void *ucontext, int sig)
{
    const ucontext_t *uc = ucontext;
    /* Page-fault error code, bit 1: write (SDM volume 3, 4.7). Only for #PF, trap 14. */
    return sig == SIGSEGV && uc->uc_mcontext.gregs[REG_TRAPNO] == 14 && (uc->uc_mcontext.gregs[REG_ERR] & 2);
}

/* Offset of the AVX (upper halves) component in a standard-format XSAVE area; 0: none. */
static unsigned avx_offset(void)
{
    static unsigned offset = UINT32_MAX;
    if (offset == UINT32_MAX) {
        unsigned a, b = 0, c, d;
        offset = __get_cpuid_count(0xd, 2, &a, &b, &c, &d) ? b : 0;
    }
    return offset;
}

void host_context_frame(void *ucontext, HostFrame *ret)
{
    static const uint8_t order[16] = {
        REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
        REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
    };
    const ucontext_t *uc = ucontext;
    for (unsigned i = 0; i < 16; i++) {
        ret->gpr[i] = (uint64_t)uc->uc_mcontext.gregs[order[i]];
    }
    memset(ret->vec, 0, sizeof(ret->vec));
    ret->fp_control = uc->uc_mcontext.fpregs ? uc->uc_mcontext.fpregs->mxcsr : 0;
    const uint8_t *fp = (const uint8_t *)uc->uc_mcontext.fpregs;
    ret->fxsave = fp;
    if (!fp) {
        return;
    }
    for (unsigned i = 0; i < 16; i++) {
        memcpy(ret->vec[i], fp + 160 + 16 * i, 16);
    }
    /* sw_reserved of the FXSAVE image: magic, size, feature mask (asm/sigcontext.h). */
    uint32_t magic, features_low;
    memcpy(&magic, fp + 464, 4);
    memcpy(&features_low, fp + 472, 4);
    if (magic == 0x46505853 && (features_low & 4) && avx_offset()) {
        uint64_t present;
        memcpy(&present, fp + 512, 8);
        if (present & 4) {
            for (unsigned i = 0; i < 16; i++) {
                memcpy(ret->vec[i] + 16, fp + avx_offset() + 16 * i, 16);
            }
        }
    }
}

NO_SANITIZE_THREAD bool host_context_fixup(void *ucontext, bool fault)
{
    greg_t *regs = ((ucontext_t *)ucontext)->uc_mcontext.gregs;
    uintptr_t pc = (uintptr_t)regs[REG_RIP];
    if (!fault) {
        if (pc >= (uintptr_t)safe_syscall_start && pc < (uintptr_t)safe_syscall_insn) {
            regs[REG_RIP] = (greg_t)(uintptr_t)safe_syscall_not_begun;
            return true;
        }
        /* Our handlers have SA_RESTART: the kernel went back to the instruction because it may be restarted. */
        if (pc == (uintptr_t)safe_syscall_insn) {
            regs[REG_RIP] = (greg_t)(uintptr_t)safe_syscall_interrupted;
            return true;
        }
        return false;
    }
    if (pc >= (uintptr_t)uaccess_copy_start && pc < (uintptr_t)uaccess_copy_end) {
        regs[REG_RIP] = (greg_t)(uintptr_t)uaccess_copy_end;
        return true;
    }
    if (pc >= (uintptr_t)uaccess_strnlen_start && pc < (uintptr_t)uaccess_strnlen_end) {
        regs[REG_RIP] = (greg_t)(uintptr_t)uaccess_strnlen_end;
        return true;
    }
    return false;
}

/* struct sigaction as the kernel has it (asm/signal.h). */
typedef struct KernelSigaction {
    void *handler;
    uint64_t flags;
    void *restorer;
    uint64_t mask;
} KernelSigaction;

__asm__(".text\n.type host_sigreturn, @function\nhost_sigreturn:\n mov $15, %eax\n syscall\n"
        ".size host_sigreturn, . - host_sigreturn\n");
extern void host_sigreturn(void);

int64_t host_sigaction(int sig, void (*handler)(int, siginfo_t *, void *), uint64_t flags)
{
    KernelSigaction act = {
        .handler = (void *)(uintptr_t)handler,
        .flags = flags | 0x04000000 /* SA_RESTORER */,
        .restorer = (void *)(uintptr_t)host_sigreturn,
        .mask = ~(uint64_t)0,
    };
    return RAW_SYSCALL(SYS_rt_sigaction, sig, &act, 0, 8);
}

void host_sigmask(uint64_t mask)
{
    RAW_SYSCALL(SYS_rt_sigprocmask, SIG_SETMASK, &mask, 0, 8);
}

NO_SANITIZE_THREAD void host_context_set_sigmask(void *ucontext, uint64_t mask)
{
    memcpy(&((ucontext_t *)ucontext)->uc_sigmask, &mask, 8);
}
