/*
 * vcpu.h: one virtual CPU, as everybody sees it.
 *
 * The guest's registers live in `state`, a struct of the target's own (cpu.h in its room). Generated
 * code keeps a pointer to state + VCPU_STATE_BIAS in a host register; `jit` lies right before `state`,
 * so both are reached with small constant offsets and no absolute address.
 *
 * Threads: a vCPU is run by one thread. Others may set exit_request (vcpu_kick) and, in system mode,
 * interrupt lines; everything else belongs to the running thread or to one who has stopped it.
 */
#ifndef ACCEL_VCPU_H
#define ACCEL_VCPU_H

#include <setjmp.h>
#include "tcg/ir.h"
#include "util/base.h"

typedef struct Vcpu Vcpu;
typedef struct Machine Machine;
typedef struct Process Process; /* linux-user */
typedef struct AddressSpace AddressSpace;
typedef struct TransUnit TransUnit;

enum {
    VCPU_STATE_BIAS = 128,   /* state pointer - &state: disp8 reaches the first 256 bytes */
    VCPU_MAX_MMU_MODES = 8,
    VCPU_N_SPILLS = 64,      /* 32-byte spill places for host back ends */
    JUMP_CACHE_BITS = 14,
    JUMP_CACHE_ENTRIES = 1 << JUMP_CACHE_BITS,
};

/* Why generated code went back to the main loop (IrExit.reason and host results). */
typedef enum VcpuExit {
    VCPU_EXIT_NONE,       /* look up the block for the current pc and go on */
    VCPU_EXIT_REQUEST,    /* exit_request was seen at a poll */
    VCPU_EXIT_SYSCALL,    /* user mode: system call; pc is the instruction's (the target's cpu loop moves it) */
    VCPU_EXIT_BREAKPOINT, /* breakpoint instruction or gdb breakpoint */
    VCPU_EXIT_EXCEPTION,  /* vcpu->exception is pending: deliver it (user mode: a signal) */
    VCPU_EXIT_HALTED,     /* wait for interrupt */
    VCPU_EXIT_ATOMIC,     /* run one instruction with all other vCPUs stopped */
    VCPU_EXIT_FLUSH,      /* translation state changed: as NONE, but do not link */
    VCPU_EXIT_DEBUG,      /* stop for gdb */
    VCPU_EXIT_TARGET,     /* first of the target's own reasons */
} VcpuExit;

typedef struct JumpCacheEntry {
    vaddr pc;
    const void *code; /* NULL: empty (pc then never matches: see never_pc() in lookup.c) */
} JumpCacheEntry;

/* Which entry a pc has. The page takes part: functions begin at multiples of 16, and many pages have code at the same offset. */
static inline unsigned jump_cache_index(unsigned pc_shift, vaddr pc)
{
    return (pc ^ pc >> JUMP_CACHE_BITS) >> pc_shift & (JUMP_CACHE_ENTRIES - 1);
}

/*
 * Soft TLB, system mode. An entry's three tags are page address | flags; a flag makes the inline
 * comparison fail, so the slow path in C decides. addend: host address - guest virtual address.
 */
typedef struct TlbEntry {
    vaddr read, write, code;
    uintptr_t addend;
} TlbEntry;
static_assert(sizeof(TlbEntry) == 32, "indexed with a shift of 5");

typedef struct TlbFast {
    uintptr_t mask;   /* (entries - 1) * sizeof(TlbEntry) */
    TlbEntry *table;
} TlbFast;

enum { /* low bits of TLB tags */
    TLB_INVALID = 1 << 11,  /* no mapping */
    TLB_MMIO = 1 << 10,
    TLB_NOTDIRTY = 1 << 9,  /* page holds translated code or is being logged: stores go slow */
    TLB_WATCH = 1 << 8,     /* a watchpoint is on this page */
    TLB_FLAGS = 0xf00,
};

/*
 * Unsigned divisions by a value that stays the same for a while multiply by its reciprocal. Entries are shared by
 * chance between divisions, so generated code compares the divisor first; it fills an entry when it meets the same
 * divisor twice running. Always consistent: reciprocal = (2^64 - 1) / divisor, divisor not 0.
 */
typedef struct DivisorEntry {
    uint64_t divisor, reciprocal;
    uint64_t last; /* divisor of the last division that missed */
} DivisorEntry;
enum { VCPU_N_DIVISORS = 16 };

/* System mode: what a loop's accesses through a pointer that only grows, or only shrinks, know of its page. Good inside the
 * loop that set it up. */
typedef struct StreamEntry {
    uint64_t bound;     /* the pointer must stay below (or above) before it is looked up again */
    uintptr_t addend;
} StreamEntry;
enum { VCPU_N_STREAMS = 8 };

/* What generated code touches. All offsets are compile-time constants (VCPU_JIT_OFFSET). */
typedef struct VcpuJit {
    _Atomic uint32_t exit_request;  /* nonzero: leave at the next poll */
    int32_t icount_budget;          /* -icount: instructions left before leaving */
    uint32_t fp_control_guest;      /* x86 hosts: MXCSR while generated code runs (sticky flags are the guest's) */
    uint32_t fp_control_host;       /* MXCSR in C */
    uint32_t fp_flushed;            /* an operand was read as zero (IR_FP_STD); sticky, the target's to fold in */
    uint32_t x87_live;              /* x86 hosts: the guest's x87 state is in the thread's x87 unit, also in C (TargetX87) */
    JumpCacheEntry *jump_cache;     /* table of the current mode, JUMP_CACHE_ENTRIES entries */
    void *const *helpers;           /* by helper id */
    const void *epilogue;           /* generated: leaves generated code; result as the host defines */
    const void *lookup;             /* generated: pc slot is set; finds or makes the next block, else epilogue */
    /* -icount: instructions of the block under way that are behind the current one: charged already, not run. Only
     * good where C code may stop in the middle (helpers that raise, slow paths); else 0. */
    uint64_t icount_left;
    uint64_t host_sp;               /* stack pointer on entry: the base of the shadow return stack */
    uint64_t host_sp_limit;         /* calls below this drop the shadow frames */
    uint64_t guest_base;            /* user mode: host address of guest address 0 */
    uint64_t monitor_addr;          /* ll/sc: address, ~0 when closed */
    uint64_t monitor_value[2];
    uint64_t scratch[8];            /* hosts' own */
    TlbFast tlb[VCPU_MAX_MMU_MODES];
    alignas(32) uint8_t spill[VCPU_N_SPILLS][32];
    DivisorEntry divisor[VCPU_N_DIVISORS];
    StreamEntry stream[VCPU_N_STREAMS];
} VcpuJit;

/* A guest exception found by a helper or the MMU, in the target's own numbers. Negative causes are
 * the translator's, for every target. */
enum {
    VCPU_CAUSE_FETCH = -1, /* user mode: no instruction can be fetched at `value` (the pc slot's
                              instruction): a SIGSEGV, SEGV_MAPERR or SEGV_ACCERR by what is mapped */
};

typedef struct VcpuException {
    int32_t cause;
    uint64_t value;   /* faulting address or instruction */
} VcpuException;

struct Vcpu {
    const Target *target;
    int index;
    void *opaque;                    /* Process thread (user) or Machine data (system) */
    Machine *machine;
    AddressSpace *as;                /* system: physical memory as this vCPU sees it */
    AddressSpace *as_nonsecure;      /* on pages that are PAGE_NONSECURE; NULL: as `as` */
    sigjmp_buf jmp_env;              /* set by the main loop; vcpu_loop_exit comes back here. The signal
                                        mask is not saved: a handler that jumps restores it first */
    VcpuException exception;
    VcpuExit exit_reason;            /* why vcpu_loop_exit was called */

    bool softmmu;
    uint64_t addr_mask;              /* user mode: the bits of guest addresses that count (Arm ignores tags) */
    bool secure;                     /* device accesses carry the secure attribute (x86: system management mode) */
    bool parallel;                   /* others (threads, in user mode processes, too) write our memory: translate atomics as such */
    bool watch_hit;                  /* left with VCPU_EXIT_DEBUG for an access to watch_addr, not done yet */
    vaddr watch_addr;
    _Atomic bool single_step;        /* one guest instruction per unit, then VCPU_EXIT_DEBUG */
    bool step_takes_irqs;            /* a single step may be the entry into an interrupt handler */
    bool ask_before_insn;            /* Target.before_insn looks at each instruction; written by the vCPU's thread */
    bool one_insn_per_tb;
    bool use_icount;
    bool in_code;                    /* generated code is running (signal handlers look) */
    bool guest_access;               /* C code is touching guest memory: a host fault is the guest's */
    _Atomic bool halted;             /* waits in accel/ for an interrupt; vcpu_kick wakes it */
    _Atomic uint32_t interrupt_request; /* target-defined lines that are up */
    _Atomic bool stop_request, stopped; /* system: run control */

    /* Semihosting: carries out a call of the guest (target/semihosting.h). NULL: off; semihost_user: U mode may call, too. */
    bool (*semihost)(Vcpu *vcpu, unsigned word_bytes, uint64_t operation, uint64_t parameter, uint64_t *ret_result);
    bool semihost_user;
    void *accel;                     /* accel/tcg's private per-vCPU data (caches, counters, breakpoints) */
    struct KvmVcpu *kvm;             /* accel/kvm's; NULL: another accelerator runs it */
    void (*spin)(Vcpu *vcpu);        /* the guest says that it waits in a loop and shares nothing (parallel is false); NULL: no concern of ours */
    void (*wake)(Vcpu *vcpu);        /* of an accelerator that does not wait on exit_request; NULL */
    void *host_frame;                /* registers saved by a slow path under way, or NULL */
    const void *model;               /* target's CPU model data */
    /* System mode: guest physical memory for page-table walks. The host address of `size_bytes` naturally
     * aligned bytes of RAM, NULL where there is none (write: about to be written). Set by who makes the vCPU. */
    void *(*phys_ptr)(Vcpu *vcpu, gpa addr, unsigned size_bytes, bool write);

    alignas(64) VcpuJit jit;
    alignas(64) uint8_t state[];
};

/* Offset of a jit field from `state` (as in ldenv/stenv): negative. */
#define VCPU_JIT_OFFSET(field) \
    ((int)(offsetof(Vcpu, jit) + offsetof(VcpuJit, field)) - (int)offsetof(Vcpu, state))

static inline Vcpu *vcpu_of_state(void *state)
{
    return container_of(state, Vcpu, state);
}

/* Allocates a vCPU with zeroed state and everything accel/tcg needs. */
Vcpu *vcpu_new(const Target *target, bool softmmu);
void vcpu_free(Vcpu *vcpu);

/* User mode: where C code finds guest memory. */
static inline void *vcpu_user_ptr(const Vcpu *vcpu, vaddr addr)
{
    return (void *)(uintptr_t)(vcpu->jit.guest_base + (addr & vcpu->addr_mask));
}

/* Makes the vCPU leave generated code soon, and look again whether it has work if it is halted.
 * Any thread, also signal handlers. User mode: tcg_run() may return VCPU_EXIT_REQUEST without anybody
 * having kicked (the code cache is being cleaned); callers just go on. */
void vcpu_wake(Vcpu *vcpu);
static inline void vcpu_kick(Vcpu *vcpu)
{
    atomic_store(&vcpu->jit.exit_request, 1);
    if (atomic_load(&vcpu->halted) || vcpu->wake) {
        vcpu_wake(vcpu);
    }
}

/* Leaves a helper, which must be declared RAISES, for the main loop. CPU state is complete. */
noreturn void vcpu_loop_exit(Vcpu *vcpu, VcpuExit reason);
/* Sets vcpu->exception and leaves with VCPU_EXIT_EXCEPTION. */
noreturn void vcpu_raise(Vcpu *vcpu, int32_t cause, uint64_t value);

#endif
