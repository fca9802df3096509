/*
 * abi.c: riscv64 and riscv32 Linux as data, and the small functions that touch registers.
 *
 * The default layout is the one of an Sv39 kernel (256 GiB), so that addresses look as on boards; what does not
 * fit there is placed above it.
 */
#include <elf.h>
#include "linux-user/riscv/abi.h"

static void init_regs(Thread *t, vaddr entry, vaddr sp)
{
    RiscvState *s = riscv_state(t->vcpu);
    s->pc = entry;
    s->x[RISCV_SP] = sp;
}

static void clone_regs(Thread *child, Thread *parent, vaddr sp, const vaddr *tls)
{
    memcpy(child->vcpu->state, parent->vcpu->state, user.target->state_size_bytes);
    child->vcpu->jit.fp_control_guest = parent->vcpu->jit.fp_control_guest;
    RiscvState *s = riscv_state(child->vcpu);
    s->x[RISCV_A0] = 0;
    if (sp) {
        s->x[RISCV_SP] = sp;
    }
    if (tls) {
        s->x[RISCV_TP] = *tls;
    }
}

static void set_result(Thread *t, int64_t result)
{
    riscv_state(t->vcpu)->x[RISCV_A0] = riscv_word(t->abi, (uint64_t)result);
}

static vaddr get_sp(Thread *t)
{
    return riscv_state(t->vcpu)->x[RISCV_SP];
}

static uint64_t hwcap(Thread *t)
{
    return riscv_hwcap(t->vcpu);
}

/*
 * The vDSO's functions are system calls (the clock is read without entering the host's kernel all the same):
 * li a7, nr; ecall; ret. The trampoline has to look so: unwinders know a signal frame by its first two instructions.
 */
#define LI_A7(nr) ((uint32_t)(nr) << 20 | 0x893)
#define ECALL 0x00000073
#define RET 0x00008067
#define CALLS(name, nr) { name, { LI_A7(nr), ECALL, RET }, 3, false }
#define SIGRETURN { "__vdso_rt_sigreturn", { LI_A7(139), ECALL }, 2, true }

static const VdsoFunction vdso64[] = {
    SIGRETURN,
    CALLS("__vdso_gettimeofday", 169),
    CALLS("__vdso_clock_gettime", 113),
    CALLS("__vdso_clock_getres", 114),
    CALLS("__vdso_getcpu", 168),
    CALLS("__vdso_flush_icache", 259),
    CALLS("__vdso_riscv_hwprobe", 258),
};

/* As on kernels: 32-bit clocks have no vDSO functions. */
static const VdsoFunction vdso32[] = {
    SIGRETURN,
    CALLS("__vdso_getcpu", 168),
    CALLS("__vdso_flush_icache", 259),
    CALLS("__vdso_riscv_hwprobe", 258),
};

static void proc_cpuinfo(Thread *t, FILE *out)
{
    const RiscvModel *m = riscv_model(t->vcpu);
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    for (long i = 0; i < n; i++) {
        fprintf(out, "processor\t: %ld\nhart\t\t: %ld\nisa\t\t: %s\nmmu\t\t: %s\nuarch\t\t: emulated\n"
                "mvendorid\t: 0x%" PRIx64 "\nmarchid\t\t: 0x%" PRIx64 "\nmimpid\t\t: 0x%" PRIx64 "\n"
                "hart isa\t: %s\n\n", i, i, m->isa, m->xlen == 32 ? "sv32" : "sv39", m->mvendorid, m->marchid,
                m->mimpid, m->isa);
    }
}

static void core_regs(Thread *t, void *out)
{
    const RiscvState *s = riscv_state(t->vcpu);
    uint8_t *p = out;
    for (unsigned i = 0; i < 32; i++) {
        uint64_t v = i ? s->x[i] : s->pc;
        if (t->abi->word_bytes == 8) {
            stle64(p + 8 * i, v);
        } else {
            stle32(p + 4 * i, (uint32_t)v);
        }
    }
}

#define COMMON                                                                                        \
    .elf_machine = EM_RISCV, .proc_isa = "RISC-V", .init_regs = init_regs,                            \
    .cpu_loop = riscv_user_cpu_loop, .clone_regs = clone_regs, .signal_frame = riscv_user_signal_frame, \
    .signal_return = riscv_user_signal_return, .min_sigstack = riscv_user_min_sigstack, .set_result = set_result, .get_sp = get_sp,            \
    .fault_addr = riscv_user_fault_addr, .hwcap = hwcap, .vdso_version = "LINUX_4.15",                \
    .proc_cpuinfo = proc_cpuinfo, .core_regs = core_regs

const Abi abi_riscv64 = {
    COMMON,
    .target = "riscv64", .uname_machine = "riscv64", .word_bytes = 8, .align64 = 8, .syscall_numbers = syscall_numbers_generic64,
    .stack_top = 0x3ffffff000, .mmap_top = 0x3ff7000000, .pie_base = 0x2aaaaaa000,
    .task_size = 0x400000000000, .core_regs_bytes = 32 * 8, .vdso = vdso64, .n_vdso = ARRAY_SIZE(vdso64),
    .vdso_elf_flags = 4 /* double-float ABI */,
};

const Abi abi_riscv32 = {
    COMMON,
    .target = "riscv32", .uname_machine = "riscv32", .word_bytes = 4, .align64 = 8, .syscall_numbers = syscall_numbers_generic32,
    .stack_top = 0x9dbff000, .mmap_top = 0x95800000, .pie_base = 0x55555000,
    .task_size = 0x9dc00000, .core_regs_bytes = 32 * 4, .vdso = vdso32, .n_vdso = ARRAY_SIZE(vdso32),
};
