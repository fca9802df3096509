/*
 * run.c: runs a static RISC-V Linux program that uses nothing but write and exit, without linux-user: for the
 * instruction tests.
 *
 * usage: run [-i] [-c MODEL] [-32] [-o] FILE      -i: IR interpreter, -o: one instruction per unit
 */
#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#include "accel/tcg.h"
#include "target/riscv/cpu.h"
#include "util/log.h"

static uint8_t *guest;
static const uint64_t guest_bytes = 4 * GiB - 65536, stack_top = 0x80000000, stack_bytes = 8 * MiB;
static Vcpu *vcpu;
static uint8_t prot_of[1 << 20];

static int page_prot(vaddr addr)
{
    return addr < guest_bytes && prot_of[addr >> 12] ? prot_of[addr >> 12] : -1;
}

static bool read_guest(void *to, vaddr addr, size_t size_bytes)
{
    memcpy(to, (const void *)((uintptr_t)guest + addr), size_bytes);
    return true;
}

static void host_protect(vaddr page, size_t size_bytes, bool writable)
{
    mprotect(guest + page, size_bytes, PROT_READ | (writable ? PROT_WRITE : 0));
}

static void map(vaddr addr, uint64_t size, int prot)
{
    uint64_t first = ROUND_DOWN(addr, 4096), last = ROUND_UP(addr + size, 4096);

    mprotect(guest + first, last - first, PROT_READ | PROT_WRITE);
    memset(prot_of + (first >> 12), prot, (last - first) >> 12);
}

static void on_fault(int sig, siginfo_t *info, void *opaque)
{
    ucontext_t *uc = opaque;
    vaddr addr = (vaddr)((uint8_t *)info->si_addr - guest);

    if (addr < guest_bytes && tcg_unprotect(addr)) {
        return;
    }
    HostFrame frame = { 0 };
#ifdef __x86_64__
    static const uint8_t order[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
        REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15 };
    for (unsigned i = 0; i < 16; i++) {
        frame.gpr[i] = (uint64_t)uc->uc_mcontext.gregs[order[i]];
    }
    frame.fp_control = uc->uc_mcontext.fpregs->mxcsr;
    for (unsigned i = 0; i < 16; i++) {
        memcpy(frame.vec[i], &uc->uc_mcontext.fpregs->_xmm[i], 16);
    }
    uintptr_t host_pc = (uintptr_t)uc->uc_mcontext.gregs[REG_RIP];
#else
    uintptr_t host_pc = 0;
#endif
    bool ours = tcg_handle_fault(vcpu, host_pc, &frame);
    char text[200];
    int n = snprintf(text, sizeof(text), "%s at guest address %" PRIx64 ", pc %" PRIx64 "%s\n",
                     sig == SIGSEGV ? "SIGSEGV" : "signal", addr, riscv_state(vcpu)->pc, ours ? "" : " (not the guest's)");
    _exit(write(2, text, (size_t)n) < 0 ? 99 : 98);
}

static vaddr load(const char *path, bool *ret_rv64)
{
    int fd = open(path, O_RDONLY);
    off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
    uint8_t *file = size > 64 ? mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;

    if (file == MAP_FAILED || memcmp(file, ELFMAG, SELFMAG)) {
        fprintf(stderr, "run: cannot load '%s'\n", path);
        exit(2);
    }
    bool rv64 = file[EI_CLASS] == ELFCLASS64;
    const Elf64_Ehdr *e64 = (void *)file;
    const Elf32_Ehdr *e32 = (void *)file;
    for (unsigned i = 0; i < (rv64 ? e64->e_phnum : e32->e_phnum); i++) {
        Elf64_Phdr p;
        if (rv64) {
            p = ((const Elf64_Phdr *)(file + e64->e_phoff))[i];
        } else {
            Elf32_Phdr q = ((const Elf32_Phdr *)(file + e32->e_phoff))[i];
            p = (Elf64_Phdr){ .p_type = q.p_type, .p_offset = q.p_offset, .p_vaddr = q.p_vaddr,
                              .p_filesz = q.p_filesz, .p_memsz = q.p_memsz };
        }
        if (p.p_type == PT_LOAD && p.p_memsz) {
            map(p.p_vaddr, p.p_memsz, PAGE_READ | PAGE_WRITE | PAGE_EXEC);
            memcpy(guest + p.p_vaddr, file + p.p_offset, p.p_filesz);
        }
    }
    *ret_rv64 = rv64;
    return rv64 ? e64->e_entry : e32->e_entry;
}

int main(int argc, char **argv)
{
    TcgOptions options = { .verify = true };
    const char *model = "max";
    Error *err = NULL;
    bool rv64, jit = false;
    int opt;

    while ((opt = getopt(argc, argv, "ijoc:d:")) != -1) {
        switch (opt) {
        case 'i': options.interpreter = true; break;
        case 'j': jit = true; break;
        case 'o': options.one_insn_per_tb = true; break;
        case 'c': model = optarg; break;
        case 'd':
            if (!log_set_items(optarg, &err)) {
                error_report_free(err);
                return 2;
            }
            break;
        default: return 2;
        }
    }
    if (optind >= argc) {
        fprintf(stderr, "usage: run [-i] [-c MODEL] FILE\n");
        return 2;
    }
    if (!tcg_init(&options, &err)) {
        if (jit) {
            fprintf(stderr, "skipped: %s\n", error_message(err));
            return 77;
        }
        options.interpreter = true;
        if (!tcg_init(&options, &err)) {
            error_report_free(err);
            return 2;
        }
    }
    guest = mmap(NULL, guest_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    tcg_set_user_ops(&(TcgUserOps){ .page_prot = page_prot, .host_protect = host_protect, .read = read_guest });
    vaddr entry = load(argv[optind], &rv64);
    map(stack_top - stack_bytes, stack_bytes, PAGE_READ | PAGE_WRITE);
    vcpu = vcpu_new(rv64 ? &target_riscv64 : &target_riscv32, false);
    vcpu->jit.guest_base = (uintptr_t)guest;
    if (!vcpu->target->cpu_init(vcpu, model, &err)) {
        error_report_free(err);
        return 2;
    }
    vcpu->target->cpu_reset(vcpu);
    struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
    sigaction(SIGSEGV, &sa, NULL);
    sigaction(SIGBUS, &sa, NULL);

    RiscvState *s = riscv_state(vcpu);
    s->pc = entry;
    s->x[2] = stack_top - 64;
    for (;;) {
        VcpuExit reason = tcg_run(vcpu);
        switch (reason) {
        case VCPU_EXIT_NONE:
        case VCPU_EXIT_REQUEST:
            break;
        case VCPU_EXIT_SYSCALL:
            s->pc += 4;
            if (s->x[17] == 93 || s->x[17] == 94) {
                return s->x[10] & 0xff;
            } else if (s->x[17] == 64) {
                s->x[10] = (uint64_t)write((int)s->x[10], guest + s->x[11], s->x[12]);
            } else {
                s->x[10] = (uint64_t)-38;
            }
            break;
        default:
            fprintf(stderr, "run: exit %d, cause %d, value %" PRIx64 ", pc %" PRIx64 "\n", reason,
                    vcpu->exception.cause, vcpu->exception.value, s->pc);
            return 97;
        }
    }
}
