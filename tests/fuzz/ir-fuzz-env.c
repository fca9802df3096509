/*
 * ir-fuzz-env.c: the world a fuzzed unit runs in: guest memory with guard pages, a soft MMU with its slow
 * paths, exceptions, and the code buffer of the host back end. Stands in for accel/tcg, so that the
 * back end is tested without it.
 */
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>
#include "ir-fuzz.h"
#include "tcg/host.h"
#include "tcg/interp.h"
#include "tcg/snapshot.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif

enum {
    CAUSE_ACCESS = 1, CAUSE_UNALIGNED = 4,
    WINDOW_OFFSET = 0x40000000,     /* scratch in the 4 GiB window */
    CODE_BYTES = 4 << 20,
    N_TLB = 8,
    MXCSR_DEFAULT = 0x1f80, MXCSR_DENORMAL = 2,
};

uint64_t scratch_guest[FUZZ_N_MODES];

static uint8_t *window;      /* 4 GiB and guards, nothing mapped but the scratch area */
static uint8_t *scratch;
static uint64_t mmio_hash;
static FuzzMode mode;
static sigjmp_buf fault_jmp;
static Vcpu *running;
static bool in_host_code;

static Target target;        /* test_target with the environment's functions */

/* -- exceptions ---------------------------------------------------------------------------------- */

noreturn void vcpu_loop_exit(Vcpu *vcpu, VcpuExit reason)
{
    vcpu->exit_reason = reason;
    siglongjmp(vcpu->jmp_env, 1);
}

noreturn void vcpu_raise(Vcpu *vcpu, int32_t cause, uint64_t value)
{
    vcpu->exception = (VcpuException){ .cause = cause, .value = value };
    vcpu_loop_exit(vcpu, VCPU_EXIT_EXCEPTION);
}

static void unaligned(Vcpu *vcpu, vaddr addr, MmuAccess access, unsigned mmu_index)
{
    vcpu->exception = (VcpuException){ .cause = CAUSE_UNALIGNED, .value = addr };
}

#ifdef IR_FUZZ_HOST
static struct {
    uint8_t *code;
    size_t runtime_bytes;
    HostCompiler *compiler;
    const uint8_t *unit;
    HostCode out;
    JumpCacheEntry jump_cache[JUMP_CACHE_ENTRIES];
} host;

static bool restore(Vcpu *vcpu, uintptr_t site, const HostFrame *frame)
{
    return snapshot_restore(host.out.snapshots, host.out.n_snapshot_bytes,
                            (uint32_t)(site - (uintptr_t)host.unit), frame, vcpu, NULL);
}
#endif

/* Leaves a slow path: brings state up to date first when generated code was interrupted. */
static noreturn void raise_at(Vcpu *vcpu, void *frame, uintptr_t site, int32_t cause, vaddr addr)
{
#ifdef IR_FUZZ_HOST
    if (frame && !restore(vcpu, site, frame)) {
        fprintf(stderr, "ir-fuzz: no snapshot for a slow path at offset %#lx\n",
                (unsigned long)(site - (uintptr_t)host.unit));
        abort();
    }
#endif
    vcpu_raise(vcpu, cause, addr);
}

/* -- soft MMU -------------------------------------------------------------------------------------- */

typedef enum PageKind { PAGE_NONE, PAGE_RW, PAGE_RO, PAGE_MMIO } PageKind;

static PageKind page_kind(vaddr addr)
{
    uint64_t off = addr - scratch_guest[mode];

    if (mode == FUZZ_SOFTMMU32) {
        off = (uint32_t)off;
    }
    return off < SCRATCH_RW ? PAGE_RW : off < SCRATCH_RO_END ? PAGE_RO
         : off < SCRATCH_MMIO_END ? PAGE_MMIO : PAGE_NONE;
}

static uint8_t *host_of(vaddr addr)
{
    uint64_t off = addr - scratch_guest[mode];

    return scratch + (mode == FUZZ_SOFTMMU32 ? (uint32_t)off : off);
}

static vaddr wrapped(vaddr addr)
{
    return mode == FUZZ_SOFTMMU32 ? (uint32_t)addr : addr;
}

/* Checks an access; true: MMIO. Every byte must be allowed, and of the same kind as the first. */
static bool check_access(Vcpu *vcpu, vaddr addr, const IrMem *mem, void *frame, uintptr_t site, bool write)
{
    unsigned size_bytes = 1u << mem->size_log2;

    if (addr & ir_mem_align_mask(mem)) {
        raise_at(vcpu, frame, site, CAUSE_UNALIGNED, addr);
    }
    PageKind first = page_kind(addr);
    for (unsigned i = 0; i < size_bytes; i++) {
        PageKind kind = page_kind(wrapped(addr + i));
        if (kind == PAGE_NONE || (write && kind == PAGE_RO) ||
            (kind == PAGE_MMIO) != (first == PAGE_MMIO)) {
            raise_at(vcpu, frame, site, CAUSE_ACCESS, wrapped(addr + i));
        }
    }
    return first == PAGE_MMIO;
}

static void tlb_fill_entry(Vcpu *vcpu, vaddr addr, unsigned mmu_index)
{
    vaddr page = addr & ~(vaddr)0xfff;
    TlbFast *fast = &vcpu->jit.tlb[mmu_index];
    TlbEntry *e = (TlbEntry *)((char *)fast->table + (page >> 12 << 5 & fast->mask));
    PageKind kind = page_kind(addr);

    *e = (TlbEntry){ .read = page | TLB_INVALID, .write = page | TLB_INVALID, .code = page | TLB_INVALID };
    if (kind == PAGE_RW || kind == PAGE_RO) {
        e->read = page;
        e->write = kind == PAGE_RW ? page : page | TLB_INVALID;
        e->addend = (uintptr_t)host_of(page) - page;
    } else if (kind == PAGE_MMIO) {
        e->read = e->write = page | TLB_MMIO;
    }
}

static uint64_t mmio_value(vaddr addr, const IrMem *mem)
{
    uint64_t v = (addr - scratch_guest[mode]) * 0x9e3779b97f4a7c15 ^ mem->big_endian;

    return mem->size_log2 >= 3 ? v : v & ((1ull << (8u << mem->size_log2)) - 1);
}

static void mmio_note(vaddr addr, uint64_t v, const IrMem *mem)
{
    mmio_hash = (mmio_hash ^ (addr - scratch_guest[mode]) ^ v * 3 ^ mem->size_log2) * 0x100000001b3 + 1;
}

static uint64_t swapped(uint64_t v, const IrMem *mem)
{
    return mem->big_endian ? __builtin_bswap64(v) >> (64 - (8u << mem->size_log2)) : v;
}

uint64_t tcg_slow_load(Vcpu *vcpu, vaddr addr, const IrMem *mem, void *frame, uintptr_t site)
{
    uint64_t v = 0;

    if (check_access(vcpu, addr, mem, frame, site, false)) {
        mmio_note(addr, 0, mem);
        v = mmio_value(addr, mem);
    } else {
        for (unsigned i = 0; i < 1u << mem->size_log2; i++) {
            v |= (uint64_t)*host_of(wrapped(addr + i)) << (i * 8);
        }
        v = swapped(v, mem);
    }
    tlb_fill_entry(vcpu, addr, mem->mmu_index);
    return mem->sign && mem->size_log2 < 3 ? (uint64_t)bits_sext(v, 8u << mem->size_log2) : v;
}

void tcg_slow_store(Vcpu *vcpu, vaddr addr, uint64_t value, const IrMem *mem, void *frame, uintptr_t site)
{
    unsigned bits = 8u << mem->size_log2;

    value = bits < 64 ? value & ((1ull << bits) - 1) : value;
    if (check_access(vcpu, addr, mem, frame, site, true)) {
        mmio_note(addr, value, mem);
    } else {
        uint64_t v = swapped(value, mem);
        for (unsigned i = 0; i < 1u << mem->size_log2; i++) {
            *host_of(wrapped(addr + i)) = (uint8_t)(v >> (i * 8));
        }
    }
    tlb_fill_entry(vcpu, addr, mem->mmu_index);
}

void tcg_slow_x87(Vcpu *vcpu, vaddr addr, uint64_t code, const IrMem *mem, void *frame, uintptr_t site)
{
    assert(!"the units of this program have no x87 instructions");
}

void tcg_slow_load_vec(Vcpu *vcpu, vaddr addr, void *ret, const IrMem *mem, void *frame, uintptr_t site)
{
    unsigned size_bytes = 1u << mem->size_log2;

    if (check_access(vcpu, addr, mem, frame, site, false)) {
        mmio_note(addr, 0, mem);
        for (unsigned i = 0; i < size_bytes; i++) {
            ((uint8_t *)ret)[i] = (uint8_t)(addr + i);
        }
        return;
    }
    for (unsigned i = 0; i < size_bytes; i++) {
        ((uint8_t *)ret)[i] = *host_of(wrapped(addr + i));
    }
    tlb_fill_entry(vcpu, addr, mem->mmu_index);
}

void tcg_slow_store_vec(Vcpu *vcpu, vaddr addr, const void *value, const IrMem *mem, void *frame,
                        uintptr_t site)
{
    unsigned size_bytes = 1u << mem->size_log2;

    if (check_access(vcpu, addr, mem, frame, site, true)) {
        for (unsigned i = 0; i < size_bytes; i++) {
            mmio_note(addr + i, ((const uint8_t *)value)[i], mem);
        }
        return;
    }
    for (unsigned i = 0; i < size_bytes; i++) {
        *host_of(wrapped(addr + i)) = ((const uint8_t *)value)[i];
    }
    tlb_fill_entry(vcpu, addr, mem->mmu_index);
}

void *tcg_slow_atomic(Vcpu *vcpu, vaddr addr, const IrMem *mem, void *frame, uintptr_t site)
{
    if (check_access(vcpu, addr, mem, frame, site, true)) {
#ifdef IR_FUZZ_HOST
        if (frame) {
            restore(vcpu, site, frame);
        }
#endif
        vcpu_loop_exit(vcpu, VCPU_EXIT_ATOMIC);
    }
    tlb_fill_entry(vcpu, addr, mem->mmu_index);
    return host_of(addr);
}

const void *tcg_lookup(Vcpu *vcpu)
{
    return NULL;
}

/* -- host faults ------------------------------------------------------------------------------------- */

#if defined(__x86_64__) && defined(IR_FUZZ_HOST)
static bool frame_from_context(const ucontext_t *uc, HostFrame *frame, uint32_t *ret_mxcsr)
{
    static const uint8_t order[16] = {
        REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
        REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
    };
    const struct _libc_fpstate *fp = uc->uc_mcontext.fpregs;

    for (unsigned i = 0; i < 16; i++) {
        frame->gpr[i] = (uint64_t)uc->uc_mcontext.gregs[order[i]];
        memset(frame->vec[i], 0, 32);
        memcpy(frame->vec[i], &fp->_xmm[i], 16);
    }
    *ret_mxcsr = fp->mxcsr;
    /* Intel SDM vol. 1, 13.4: the software-reserved bytes say whether an XSAVE area follows; AVX state
     * is at 576 in the standard format. */
    const uint32_t *sw = (const uint32_t *)((const uint8_t *)fp + 464);
    const uint64_t *xstate_bv = (const uint64_t *)((const uint8_t *)fp + 512);
    if (sw[0] == 0x46505853 && *xstate_bv & 4) {
        for (unsigned i = 0; i < 16; i++) {
            memcpy(frame->vec[i] + 16, (const uint8_t *)fp + 576 + i * 16, 16);
        }
    }
    return true;
}
#endif

static void on_fault(int sig, siginfo_t *info, void *context)
{
    Vcpu *vcpu = running;

    if (!vcpu) {
        signal(sig, SIG_DFL);
        return;
    }
    uint64_t addr = (uint64_t)(uintptr_t)info->si_addr;
#ifdef IR_FUZZ_HOST
    if (in_host_code) {
#ifdef __x86_64__
        const ucontext_t *uc = context;
        HostFrame frame;
        uint32_t mxcsr;
        frame_from_context(uc, &frame, &mxcsr);
        uintptr_t pc = (uintptr_t)uc->uc_mcontext.gregs[REG_RIP];
        if (pc < (uintptr_t)host.unit || pc >= (uintptr_t)host.unit + host.out.size_bytes ||
            !restore(vcpu, pc, &frame)) {
            fprintf(stderr, "ir-fuzz: fault at host pc %#lx (unit at %p), address %#lx: not the guest's\n",
                    (unsigned long)pc, (void *)host.unit, (unsigned long)addr);
            signal(sig, SIG_DFL);
            return;
        }
        vcpu->jit.fp_control_guest = mxcsr;
#endif
    } else
#endif
    if (!vcpu->guest_access) {
        signal(sig, SIG_DFL);
        return;
    }
    vcpu->exception = (VcpuException){ .cause = CAUSE_ACCESS,
                                       .value = (addr - vcpu->jit.guest_base) & ~(uint64_t)0xfff };
    vcpu->exit_reason = VCPU_EXIT_EXCEPTION;
    siglongjmp(fault_jmp, 1);
}

/* -- set-up ----------------------------------------------------------------------------------------------- */

void env_init(void)
{
    size_t guard = 2 * (size_t)GiB, size = 4 * (size_t)GiB + 2 * guard;

    window = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (window == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    window += guard;
    scratch = window + WINDOW_OFFSET;
    if (mprotect(scratch, SCRATCH_RO_END, PROT_READ | PROT_WRITE)) {
        perror("mprotect");
        exit(1);
    }
    scratch_guest[FUZZ_BASE0] = (uint64_t)(uintptr_t)scratch;
    scratch_guest[FUZZ_BASE] = scratch_guest[FUZZ_ADDR32] = WINDOW_OFFSET;
    scratch_guest[FUZZ_SOFTMMU] = 0xffffffd800004000;
    scratch_guest[FUZZ_SOFTMMU32] = 0xfffffffff8000000 & UINT32_MAX;

    target = test_target;
    target.unaligned = unaligned;

    stack_t ss = { .ss_sp = xmalloc(65536), .ss_size = 65536 };
    sigaltstack(&ss, NULL);
    struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
    sigaction(SIGSEGV, &sa, NULL);
    sigaction(SIGBUS, &sa, NULL);

#ifdef IR_FUZZ_HOST
    host.code = mmap(NULL, CODE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (host.code == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    host.runtime_bytes = ROUND_UP(host_x86_64.runtime_emit(host.code, CODE_BYTES, host.code), 64);
    host.compiler = host_x86_64.compiler_new();
    for (unsigned i = 0; i < JUMP_CACHE_ENTRIES; i++) {
        /* a pc that belongs to another entry never matches */
        host.jump_cache[i] = (JumpCacheEntry){ .pc = (uint64_t)(i ^ 1) << test_target.pc_shift };
    }
#endif
}

Vcpu *env_vcpu(void)
{
    Vcpu *vcpu = xmemalign(64, ROUND_UP(sizeof(Vcpu) + sizeof(TestState), 64));
    static void *helpers[T_N_HELPERS];

    memset(vcpu, 0, sizeof(Vcpu) + sizeof(TestState));
    vcpu->target = &target;
    for (unsigned i = 0; i < T_N_HELPERS; i++) {
        helpers[i] = test_target.helpers[i].function;
    }
    vcpu->jit.helpers = helpers;
    for (unsigned i = 0; i < 2; i++) {
        vcpu->jit.tlb[i] = (TlbFast){ .mask = (N_TLB - 1) * sizeof(TlbEntry),
                                      .table = xnew_array(TlbEntry, N_TLB) };
    }
#ifdef IR_FUZZ_HOST
    vcpu->jit.jump_cache = host.jump_cache;
    host_x86_64.vcpu_init(vcpu, host.code);
#endif
    return vcpu;
}

void env_prepare(Vcpu *vcpu, const FuzzCase *fc)
{
    Rng rng = { fc->seed ^ 0x5eed };
    TestState *st = (TestState *)vcpu->state;

    mode = fc->mode;
    memset(st, 0, sizeof(*st));
    for (unsigned s = 1; s < T_N_SLOTS; s++) {
        const SlotDesc *d = &test_target.slots[s];
        uint8_t *p = vcpu->state + d->offset;
        if (ir_type_is_vec(d->type)) {
            for (unsigned i = 0; i < ir_type_bytes(d->type); i += 8) {
                uint64_t v = rng_value(&rng, rng_percent(&rng, 50) ? IR_F64 : IR_I64);
                if (rng_percent(&rng, 40)) {
                    v = rng_value(&rng, IR_F32) | rng_value(&rng, IR_F32) << 32;
                }
                memcpy(p + i, &v, 8);
            }
        } else {
            uint64_t v = rng_value(&rng, d->type);
            memcpy(p, &v, ir_type_bytes(d->type));
        }
    }
    for (unsigned i = 0; i < sizeof(st->env); i++) {
        st->env[i] = (uint8_t)rng_next(&rng);
    }
    st->x[6] = scratch_guest[mode] + 0x800 + (rng_below(&rng, 256) & ~7u);
    st->x[7] = scratch_guest[mode] + 0x1000 + (rng_below(&rng, 256) & ~31u);
    st->w[3] = (uint32_t)scratch_guest[mode] + 0x800 + (rng_below(&rng, 256) & ~7u);
    st->cnt = 1 + rng_below(&rng, 12);
    st->pc = 0x1000;

    mprotect(scratch, SCRATCH_RO_END, PROT_READ | PROT_WRITE);
    for (unsigned i = 0; i < SCRATCH_RO_END; i += 8) {
        uint64_t v = rng_next(&rng);
        memcpy(scratch + i, &v, 8);
    }
    mprotect(scratch + SCRATCH_RW, SCRATCH_RO_END - SCRATCH_RW, PROT_READ);

    vcpu->jit.exit_request = rng_percent(&rng, 2);
    vcpu->jit.icount_budget = 1 + (int)rng_below(&rng, 60);
    vcpu->jit.fp_control_guest = MXCSR_DEFAULT | rng_below(&rng, 4) << 13;
    vcpu->jit.monitor_addr = ~(uint64_t)0;
    vcpu->jit.guest_base = mode == FUZZ_BASE || mode == FUZZ_ADDR32 ? (uint64_t)(uintptr_t)window : 0;
    vcpu->softmmu = mode >= FUZZ_SOFTMMU;
    vcpu->guest_access = false;
    vcpu->exception = (VcpuException){ 0 };
    mmio_hash = 0;
    for (unsigned i = 0; i < 2; i++) {
        memset(vcpu->jit.tlb[i].table, 0xff, N_TLB * sizeof(TlbEntry));
        for (unsigned p = 0; p < 5; p++) {
            if (rng_percent(&rng, 40)) {
                tlb_fill_entry(vcpu, wrapped(scratch_guest[mode] + p * 0x1000), i);
            }
        }
    }
}

static void collect(Vcpu *vcpu, VcpuExit reason, FuzzResult *ret)
{
    running = NULL;
    in_host_code = false;
    memset(ret, 0, sizeof(*ret));
    ret->reason = reason;
    if (reason == VCPU_EXIT_EXCEPTION) {
        ret->exception = vcpu->exception;
    }
    memcpy(&ret->state, vcpu->state, sizeof(ret->state));
    ret->fp_control = vcpu->jit.fp_control_guest & ~MXCSR_DENORMAL;
    ret->icount_budget = vcpu->jit.icount_budget;
    ret->mmio_hash = mmio_hash;
    memcpy(ret->memory, scratch, SCRATCH_RO_END);
}

void env_run_interp(Vcpu *vcpu, const IrUnit *unit, FuzzResult *ret)
{
    VcpuExit reason;

    running = vcpu;
    if (sigsetjmp(vcpu->jmp_env, 0) || sigsetjmp(fault_jmp, 0)) {
        reason = vcpu->exit_reason;
    } else {
        reason = interp_run(vcpu, unit);
    }
    collect(vcpu, reason, ret);
}

bool env_run_host(Vcpu *vcpu, const IrUnit *unit, FuzzResult *ret)
{
#ifdef IR_FUZZ_HOST
    VcpuExit reason;

    host.unit = host.code + host.runtime_bytes;
    if (!host_x86_64.compile(host.compiler, unit, (uint8_t *)host.unit, CODE_BYTES - host.runtime_bytes,
                             &host.out)) {
        return false;
    }
    running = vcpu;
    in_host_code = true;
    if (sigsetjmp(vcpu->jmp_env, 0)) {
        /* a helper left by longjmp: the guest's control word is still in force */
        vcpu->jit.fp_control_guest = _mm_getcsr();
        _mm_setcsr(vcpu->jit.fp_control_host);
        reason = vcpu->exit_reason;
    } else if (sigsetjmp(fault_jmp, 0)) {
        _mm_setcsr(vcpu->jit.fp_control_host);
        reason = vcpu->exit_reason;
    } else {
        reason = host_x86_64.enter(vcpu, host.unit).reason;
    }
    collect(vcpu, reason, ret);
    return true;
#else
    return false;
#endif
}

bool env_has_v256(void)
{
#ifdef IR_FUZZ_HOST
    return strstr(host_x86_64.features(), "avx");
#else
    return true;
#endif
}

void env_disas_last(FILE *out)
{
#ifdef IR_FUZZ_HOST
    if (host_x86_64.disas && host.unit) {
        host_x86_64.disas(out, host.unit, host.out.size_bytes);
    }
#endif
}

const char *env_difference(const FuzzResult *a, const FuzzResult *b)
{
    static char text[200];

    if (a->reason != b->reason) {
        snprintf(text, sizeof(text), "exit reason %d, %d", a->reason, b->reason);
    } else if (a->exception.cause != b->exception.cause || a->exception.value != b->exception.value) {
        snprintf(text, sizeof(text), "exception %d of %#" PRIx64 ", %d of %#" PRIx64, a->exception.cause,
                 a->exception.value, b->exception.cause, b->exception.value);
    } else if (a->fp_control != b->fp_control) {
        snprintf(text, sizeof(text), "FP control %#x, %#x", a->fp_control, b->fp_control);
    } else if (a->icount_budget != b->icount_budget) {
        snprintf(text, sizeof(text), "icount %d, %d", a->icount_budget, b->icount_budget);
    } else if (a->mmio_hash != b->mmio_hash) {
        snprintf(text, sizeof(text), "MMIO accesses");
    } else {
        for (unsigned s = 0; s < T_N_SLOTS; s++) {
            const SlotDesc *d = &test_target.slots[s];
            const uint8_t *p = (const uint8_t *)&a->state + d->offset;
            const uint8_t *q = (const uint8_t *)&b->state + d->offset;
            if (memcmp(p, q, ir_type_bytes(d->type))) {
                int n = snprintf(text, sizeof(text), "slot %s", d->name);
                for (unsigned i = ir_type_bytes(d->type); i-- > 0;) {
                    n += snprintf(text + n, sizeof(text) - n, "%s%02x", i + 1 == ir_type_bytes(d->type) ? " " : "", p[i]);
                }
                for (unsigned i = ir_type_bytes(d->type); i-- > 0;) {
                    n += snprintf(text + n, sizeof(text) - n, "%s%02x", i + 1 == ir_type_bytes(d->type) ? ", " : "", q[i]);
                }
                return text;
            }
        }
        for (unsigned i = 0; i < sizeof(a->state.env); i++) {
            if (a->state.env[i] != b->state.env[i]) {
                snprintf(text, sizeof(text), "env[%u] %#x, %#x", i, a->state.env[i], b->state.env[i]);
                return text;
            }
        }
        for (unsigned i = 0; i < SCRATCH_RO_END; i++) {
            if (a->memory[i] != b->memory[i]) {
                snprintf(text, sizeof(text), "memory at %#x: %#x, %#x", i, a->memory[i], b->memory[i]);
                return text;
            }
        }
        return NULL;
    }
    return text;
}
