/*
 * host-run.c: see host-run.h. Stands in for the accelerator: look-up, slow paths, leaving by longjmp.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <ucontext.h>
#include "host-run.h"

vaddr host_run_lookup_pc;
const void *host_run_lookup_result;
void (*host_run_slow_done)(Vcpu *vcpu);
static HostRun *fault_run;
static Vcpu *fault_vcpu;

const void *tcg_lookup(Vcpu *vcpu)
{
    host_run_lookup_pc = vcpu->target->get_pc(vcpu);
    return host_run_lookup_result;
}

void vcpu_loop_exit(Vcpu *vcpu, VcpuExit reason)
{
    vcpu->exit_reason = reason;
    siglongjmp(vcpu->jmp_env, 1);
}

void vcpu_raise(Vcpu *vcpu, int32_t cause, uint64_t value)
{
    vcpu->exception.cause = cause;
    vcpu->exception.value = value;
    vcpu_loop_exit(vcpu, VCPU_EXIT_EXCEPTION);
}

/* Slow paths: guest addresses are offsets from guest_base, which only the table lookup hides. */
static void fault_if_needed(Vcpu *vcpu, vaddr addr, const IrMem *mem, void *frame, uintptr_t site)
{
    unsigned size = 1u << mem->size_log2;
    if ((addr & ir_mem_align_mask(mem)) || addr > RUN_MEMORY_BYTES - size) {
        if (frame) {
            snapshot_restore(fault_run->code.snapshots, fault_run->code.n_snapshot_bytes,
                             site - (uintptr_t)fault_run->entry, frame, vcpu, NULL);
        }
        vcpu_raise(vcpu, 7, addr);
    }
}

static void slow_done(Vcpu *vcpu, const void *frame)
{
    if (frame && host_run_slow_done) {
        host_run_slow_done(vcpu);
    }
}

static uint64_t load(Vcpu *vcpu, vaddr addr, const IrMem *mem, void *frame, uintptr_t site)
{
    fault_if_needed(vcpu, addr, mem, frame, site);
    const uint8_t *p = (const uint8_t *)(uintptr_t)(vcpu->jit.guest_base + addr);
    switch (mem->size_log2) {
    case 0: return mem->sign ? (uint64_t)(int8_t)*p : *p;
    case 1: {
        uint16_t v = mem->big_endian ? ldbe16(p) : ldle16(p);
        return mem->sign ? (uint64_t)(int16_t)v : v;
    }
    case 2: {
        uint32_t v = mem->big_endian ? ldbe32(p) : ldle32(p);
        return mem->sign ? (uint64_t)(int32_t)v : v;
    }
    default: return mem->big_endian ? ldbe64(p) : ldle64(p);
    }
}

uint64_t tcg_slow_load(Vcpu *vcpu, vaddr addr, const IrMem *mem, void *frame, uintptr_t site)
{
    uint64_t value = load(vcpu, addr, mem, frame, site);
    slow_done(vcpu, frame);
    return value;
}

void tcg_slow_store(Vcpu *vcpu, vaddr addr, uint64_t value, const IrMem *mem, void *frame, uintptr_t site)
{
    fault_if_needed(vcpu, addr, mem, frame, site);
    uint8_t *p = (uint8_t *)(uintptr_t)(vcpu->jit.guest_base + addr);
    switch (mem->size_log2) {
    case 0: *p = value; break;
    case 1: mem->big_endian ? stbe16(p, value) : stle16(p, value); break;
    case 2: mem->big_endian ? stbe32(p, value) : stle32(p, value); break;
    default: mem->big_endian ? stbe64(p, value) : stle64(p, value); break;
    }
    slow_done(vcpu, frame);
}

void tcg_slow_x87(Vcpu *vcpu, vaddr addr, uint64_t code, const IrMem *mem, void *frame, uintptr_t site)
{
    assert(!"the units of this program have no x87 instructions");
}

void tcg_slow_load_vec(Vcpu *vcpu, vaddr addr, void *ret, const IrMem *mem, void *frame, uintptr_t site)
{
    fault_if_needed(vcpu, addr, mem, frame, site);
    memcpy(ret, (const void *)(uintptr_t)(vcpu->jit.guest_base + addr), 1u << mem->size_log2);
    slow_done(vcpu, frame);
}

void tcg_slow_store_vec(Vcpu *vcpu, vaddr addr, const void *value, const IrMem *mem, void *frame,
                        uintptr_t site)
{
    fault_if_needed(vcpu, addr, mem, frame, site);
    memcpy((void *)(uintptr_t)(vcpu->jit.guest_base + addr), value, 1u << mem->size_log2);
    slow_done(vcpu, frame);
}

void *tcg_slow_atomic(Vcpu *vcpu, vaddr addr, const IrMem *mem, void *frame, uintptr_t site)
{
    fault_if_needed(vcpu, addr, mem, frame, site);
    return (void *)(uintptr_t)(vcpu->jit.guest_base + addr);
}

void host_run_init(HostRun *run)
{
    memset(run, 0, sizeof(*run));
    run->cache_bytes = 4 * MiB;
    run->cache = mmap(NULL, run->cache_bytes, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (run->cache == MAP_FAILED) {
        perror("mmap");
        exit(77);
    }
    run->runtime_bytes = ROUND_UP(host_x86_64.runtime_emit(run->cache, run->cache_bytes, run->cache), 64);
    run->hc = host_x86_64.compiler_new();
    run->jump_cache = xnew_array(JumpCacheEntry, JUMP_CACHE_ENTRIES);
    for (unsigned i = 0; i < JUMP_CACHE_ENTRIES; i++) {
        run->jump_cache[i].pc = (vaddr)(i ^ 1) << test_target.pc_shift; /* of another index */
    }
}

Vcpu *host_run_vcpu(HostRun *run, const Target *target)
{
    size_t size = sizeof(Vcpu) + ROUND_UP(target->state_size_bytes, 64);
    Vcpu *vcpu = xmemalign(64, size);
    memset(vcpu, 0, size);
    vcpu->target = target;
    vcpu->jit.jump_cache = run->jump_cache;
    vcpu->jit.monitor_addr = ~(uint64_t)0;
    void **table = xnew_array(void *, target->n_helpers + 1);
    for (unsigned i = 0; i < target->n_helpers; i++) {
        table[i] = target->helpers[i].function;
    }
    vcpu->jit.helpers = table;
    host_x86_64.vcpu_init(vcpu, run->cache);
    return vcpu;
}

bool host_run_compile(HostRun *run, const IrUnit *unit)
{
    run->entry = run->cache + run->runtime_bytes;
    return host_x86_64.compile(run->hc, unit, run->entry, run->cache_bytes - run->runtime_bytes, &run->code);
}

VcpuExit host_run_enter(HostRun *run, Vcpu *vcpu, HostResult *ret)
{
    HostResult r = { 0 };
    uint32_t fp;
    fault_run = run;
    fault_vcpu = vcpu;
    if (sigsetjmp(vcpu->jmp_env, 1)) {
        __asm__ volatile("stmxcsr %0" : "=m"(fp));
        if (!vcpu->halted) {
            vcpu->jit.fp_control_guest = fp;
        }
        vcpu->halted = false;
        __asm__ volatile("ldmxcsr %0" : : "m"(vcpu->jit.fp_control_host));
        return vcpu->exit_reason;
    }
    r = host_x86_64.enter(vcpu, run->entry);
    if (ret) {
        *ret = r;
    }
    return r.reason;
}

VcpuExit host_run_interp(Vcpu *vcpu, const IrUnit *unit)
{
    fault_vcpu = vcpu;
    if (sigsetjmp(vcpu->jmp_env, 1)) {
        vcpu->halted = false;
        return vcpu->exit_reason;
    }
    return interp_run(vcpu, unit);
}

static void on_fault(int sig, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    uintptr_t pc = uc->uc_mcontext.gregs[REG_RIP];
    static const int order[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                   REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15 };
    HostFrame frame;
    if (!fault_run || pc < (uintptr_t)fault_run->entry ||
        pc >= (uintptr_t)fault_run->entry + fault_run->code.size_bytes) {
        if (fault_vcpu) {
            fault_vcpu->halted = true;
            vcpu_raise(fault_vcpu, 7, (uintptr_t)info->si_addr);
        }
        signal(sig, SIG_DFL);
        return;
    }
    for (unsigned i = 0; i < 16; i++) {
        frame.gpr[i] = uc->uc_mcontext.gregs[order[i]];
        memcpy(frame.vec[i], &uc->uc_mcontext.fpregs->_xmm[i], 16);
        /* Intel SDM volume 1, 13.4: the software-reserved bytes say whether an XSAVE area follows; upper halves at 576. */
        const uint8_t *fx = (const uint8_t *)uc->uc_mcontext.fpregs;
        uint64_t xstate = ldle32(fx + 464) == 0x46505853 ? ldle64(fx + 512) : 0;
        if (xstate & 4) {
            memcpy(frame.vec[i] + 16, fx + 576 + i * 16, 16);
        } else {
            memset(frame.vec[i] + 16, 0, 16);
        }
    }
    frame.fp_control = uc->uc_mcontext.fpregs->mxcsr;
    if (!snapshot_restore(fault_run->code.snapshots, fault_run->code.n_snapshot_bytes,
                          pc - (uintptr_t)fault_run->entry, &frame, fault_vcpu, NULL)) {
        fprintf(stderr, "no snapshot at offset %#zx\n", (size_t)(pc - (uintptr_t)fault_run->entry));
        abort();
    }
    fault_vcpu->jit.fp_control_guest = frame.fp_control;
    fault_vcpu->halted = true;
    vcpu_raise(fault_vcpu, 7, (uintptr_t)info->si_addr);
}

void host_run_catch_faults(HostRun *run)
{
    struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
    fault_run = run;
    sigaction(SIGSEGV, &sa, NULL);
    sigaction(SIGBUS, &sa, NULL);
}

void host_run_dump(const HostRun *run, const char *path)
{
    FILE *f = fopen(path, "w");
    if (f) {
        fwrite(run->entry, 1, run->code.size_bytes, f);
        fclose(f);
    }
}
