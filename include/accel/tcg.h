/*
 * tcg.h: the translating accelerator, as the rest of the program sees it.
 *
 * User mode: linux-user owns threads and memory, calls tcg_run() in each thread's loop, and its signal
 * handler calls tcg_handle_fault(). System mode: the vCPU threads of accel/ call tcg_run().
 *
 * A unit (TransUnit) is found by (pc, mode[, physical page]); units are read without locks, made in
 * parallel, invalidated by page, and freed when no vCPU can still be inside (epochs).
 */
#ifndef ACCEL_TCG_H
#define ACCEL_TCG_H

#include "accel/vcpu.h"
#include "target/target.h"
#include "tcg/snapshot.h"

typedef struct TcgOptions {
    size_t cache_bytes;        /* code cache; 0: default */
    unsigned max_insns;        /* per unit; 0: default (64) */
    bool interpreter;          /* run the IR interpreter instead of host code */
    bool one_insn_per_tb;
    bool nochain;
    const char *perfmap_path;  /* -perfmap: "/tmp/perf-%d.map" written; NULL none */
    bool jitdump;
    bool verify;               /* check the IR of every unit (tests; slow) */
} TcgOptions;

bool tcg_init(const TcgOptions *options, Error **errp);

/* Runs until something needs the caller. User mode: SYSCALL, EXCEPTION, BREAKPOINT, REQUEST, DEBUG…
 * System mode: interrupts and exceptions are taken inside; returns on stop requests, HALTED, DEBUG. */
VcpuExit tcg_run(Vcpu *vcpu);

/*
 * User mode, from the SIGSEGV/SIGBUS/SIGFPE/SIGILL handler of the thread that runs `vcpu`: `frame` is made from the
 * signal context, host_pc its program counter. True: the fault belongs to the guest; state is complete (pc slot
 * at the faulting instruction) and the caller may deliver a guest signal. False: a bug of ours.
 */
bool tcg_handle_fault(Vcpu *vcpu, uintptr_t host_pc, const HostFrame *frame);

/* Guest code at [first, last] changed, was unmapped, or changed protection: its units go. Any thread. */
void tcg_invalidate(vaddr first, vaddr last);           /* user mode: virtual addresses */
void tcg_invalidate_phys(uint64_t first, uint64_t last); /* system mode: in RamBlock.ram_addr numbering */
void tcg_flush_all(void);

/*
 * User mode, write-protected code pages: linux-user asks before it treats a write fault as the guest's.
 * True: the page was protected by the translator, is writable now, and the access is to be retried.
 */
bool tcg_unprotect(vaddr addr);
/*
 * After tcg_unprotect() said true for a fault of the thread that runs `vcpu`: true if the instruction may have overwritten the code it is
 * in (targets with a coherent instruction cache). Its state is complete then, and the caller leaves by vcpu_loop_exit(vcpu, VCPU_EXIT_NONE).
 */
bool tcg_restart_after_unprotect(Vcpu *vcpu, vaddr addr, uintptr_t host_pc, const HostFrame *frame);
/* tcg_unprotect() for every page of [first, last], before (or after EFAULT of) a system call that writes there.
 * True: at least one page was protected by the translator. */
bool tcg_unprotect_range(vaddr first, vaddr last);
/* linux-user's hook: the page protection the guest asked for at addr (PAGE_*), and changing the host's. */
typedef struct TcgUserOps {
    int (*page_prot)(vaddr addr);                              /* -1: unmapped; PAGE_* */
    void (*host_protect)(vaddr page, size_t size_bytes, bool writable);
    bool (*read)(void *to, vaddr addr, size_t size_bytes);     /* guest memory; false: not (all) readable */
} TcgUserOps;
void tcg_set_user_ops(const TcgUserOps *ops);

/*
 * User mode, around a fork() that copies the address space: begin before it in the parent (takes every
 * lock and prepares a private copy of the code cache, which is shared memory), end after it in both.
 */
void tcg_fork_begin(void);
/* Before that, with no lock and in a process with one thread: readies what earlier children had to translate. */
void tcg_fork_prepare(Vcpu *vcpu);
void tcg_fork_end(bool child);

/* The guest's own instruction-cache maintenance (RISC-V fence.i, riscv_flush_icache, Arm IC IVAU…). */
void tcg_icache_sync(Vcpu *vcpu);
void tcg_icache_sync_range(Vcpu *vcpu, vaddr first, vaddr last);

/* System mode TLB maintenance of one vCPU, by its own thread or while it is stopped. */
void tlb_flush(Vcpu *vcpu);
void tlb_flush_page(Vcpu *vcpu, vaddr addr);
void tlb_flush_asid(Vcpu *vcpu, uint32_t asid);
void tlb_flush_range(Vcpu *vcpu, vaddr addr, uint64_t size_bytes);
/* The address space in force changed (satp, CR3, TTBR): switches to the TLB set tagged `asid`. */
void tlb_set_asid(Vcpu *vcpu, uint32_t asid, uint64_t root);
/*
 * Maintenance that reaches other vCPUs (Arm: TLBI of the inner shareable domain). tlb_ask() does it to the caller's own TLB; tlb_ask_others()
 * leaves it with every other vCPU of the machine, which does it before it next enters generated code. tlb_wait_others() returns when
 * none of them uses a translation any more that was asked to go before: each has left generated code, or done it.
 */
typedef enum TlbAskKind { TLB_ASK_ALL, TLB_ASK_ASID, TLB_ASK_RANGE } TlbAskKind;
typedef struct TlbAsk {
    TlbAskKind kind;
    uint32_t asid;
    vaddr addr;
    uint64_t size_bytes;
} TlbAsk;
void tlb_ask(Vcpu *vcpu, const TlbAsk *ask);
void tlb_ask_others(Vcpu *vcpu, const TlbAsk *ask);
void tlb_wait_others(Vcpu *vcpu);
/* Every vCPU: RAM blocks changed (remap, dirty logging); safe from any thread. */
void tlb_flush_all_vcpus(Machine *machine);

/*
 * Guest memory for helpers, in guest byte order as `big_endian` of the access says; helper must be
 * declared RAISES. User mode: direct, faults are the guest's.
 */
uint64_t guest_load(Vcpu *vcpu, vaddr addr, unsigned size_bytes, unsigned mmu_index);
void guest_store(Vcpu *vcpu, vaddr addr, uint64_t value, unsigned size_bytes, unsigned mmu_index);
/* A host pointer to [addr, addr + size) for direct use, if it is plain RAM of one page with that access, else NULL
 * (no exception is raised by `probe`, one is by `access`). */
void *guest_ptr_probe(Vcpu *vcpu, vaddr addr, unsigned size_bytes, MmuAccess access, unsigned mmu_index);
void *guest_ptr_access(Vcpu *vcpu, vaddr addr, unsigned size_bytes, MmuAccess access, unsigned mmu_index);

/* System mode: where the page of addr is and what the target said of it (TlbFill.prot); an exception is raised if the access is not allowed. */
gpa guest_page(Vcpu *vcpu, vaddr addr, MmuAccess access, unsigned mmu_index, uint8_t *ret_prot);

/* gdb: code is translated anew with stops at these addresses. */
void tcg_breakpoint_insert(Vcpu *vcpu, vaddr pc);
void tcg_breakpoint_remove(Vcpu *vcpu, vaddr pc);
bool tcg_breakpoint_at(vaddr pc);

/* -icount: instructions the vCPU has begun, the one under way included; by its own thread. */
uint64_t tcg_insns_run(const Vcpu *vcpu);

/* Counters: -d jit, info jit. */
void tcg_counters_print(FILE *out);

#endif
