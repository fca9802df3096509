/*
 * host.h: a host back end: one struct and one folder (tcg/<host>/).
 *
 * host->compile turns a unit into position-independent bytes: no absolute host address appears in them,
 * helpers are called through vcpu->jit.helpers, other units are reached by links that the caller
 * patches. Everything else about the unit (snapshots, links) is returned out of line in HostCode.
 *
 * Threads: compile is reentrant, one HostCompiler per thread.
 */
#ifndef TCG_HOST_H
#define TCG_HOST_H

#include "accel/vcpu.h"
#include "tcg/ir.h"

typedef struct HostCompiler HostCompiler;

/* A direct exit: 4 aligned bytes at `patch` are a pc-relative jump distance. Unlinked, they lead to the
 * exit's stub, which sets the pc slot and leaves with HostResult.link naming this exit. */
typedef struct HostLink {
    uint32_t patch;       /* offset of the 4 bytes in the code */
    uint32_t stub;        /* offset of the stub */
    uint16_t exit;        /* index into unit->exits */
    bool to_return;       /* a call's return point: leads to exits[exit].return_pc, not pc */
} HostLink;

typedef struct HostCode {
    uint32_t size_bytes;         /* of the code written */
    const HostLink *links;       /* valid until the compiler's next compile */
    uint32_t n_links;
    const uint8_t *snapshots;    /* see snapshot.h; position-independent */
    uint32_t n_snapshot_bytes;
    uint32_t n_host_insns;       /* for counters and the generated-code tests */
} HostCode;

/* What came back from generated code. */
typedef struct HostResult {
    VcpuExit reason;
    const void *link;            /* address of the 4 bytes to patch when a direct exit was unlinked, else NULL */
} HostResult;

typedef struct HostOps {
    const char *name;
    HostCompiler *(*compiler_new)(void);
    void (*compiler_free)(HostCompiler *hc);
    /* Writes code to `out` (writable mapping). False: it does not fit in `room_bytes`. */
    bool (*compile)(HostCompiler *hc, const IrUnit *unit, uint8_t *out, size_t room_bytes, HostCode *ret);
    /* Writes prologue, epilogue, lookup and slow-path trampolines once per code cache; `rx` is where the
     * bytes will run. Returns the size. */
    size_t (*runtime_emit)(uint8_t *out, size_t room_bytes, const uint8_t *rx);
    void (*vcpu_init)(Vcpu *vcpu, const uint8_t *runtime_rx); /* fills jit.epilogue, jit.lookup … */
    HostResult (*enter)(Vcpu *vcpu, const void *code);
    /* Points a link (its 4 bytes at writable `patch_rw`, running at `patch_rx`) at `target_rx`. Atomic. */
    void (*link)(uint8_t *patch_rw, const uint8_t *patch_rx, const uint8_t *target_rx);
    /* -d op_opt: the unit just compiled, as it was lowered. */
    void (*print_lowered)(FILE *out, const HostCompiler *compiler, const IrUnit *unit);
    /* Host disassembly for -d out_asm. */
    void (*disas)(FILE *out, const uint8_t *code, size_t size_bytes);
    const char *(*features)(void); /* "sse2 avx2 bmi2 …" as detected or limited by EMU_HOST_FEATURES */
} HostOps;

extern const HostOps host_x86_64;

/*
 * What the lookup trampoline calls (accel/tcg/lookup.c): finds or translates the block for the pc slot,
 * fills the jump cache, and returns its code; NULL: leave with VCPU_EXIT_NONE (or REQUEST when kicked).
 */
const void *tcg_lookup(Vcpu *vcpu);

/*
 * What slow paths call (accel/tcg/ldst.c). `frame` are the registers saved by the trampoline (HostFrame
 * of the host), `site` the address of the instruction in generated code, for snapshots.
 * They do not return when the guest takes an exception.
 */
uint64_t tcg_slow_load(Vcpu *vcpu, vaddr addr, const IrMem *mem, void *frame, uintptr_t site);
void tcg_slow_store(Vcpu *vcpu, vaddr addr, uint64_t value, const IrMem *mem, void *frame, uintptr_t site);
void tcg_slow_load_vec(Vcpu *vcpu, vaddr addr, void *ret, const IrMem *mem, void *frame, uintptr_t site);
void tcg_slow_store_vec(Vcpu *vcpu, vaddr addr, const void *value, const IrMem *mem, void *frame, uintptr_t site);
/* An x87 instruction whose operand the inline check did not find: TargetX87.exec_mem. */
void tcg_slow_x87(Vcpu *vcpu, vaddr addr, uint64_t code, const IrMem *mem, void *frame, uintptr_t site);
/* The host address an atomic access may use directly; raises guest faults; leaves with VCPU_EXIT_ATOMIC
 * when the page cannot be accessed atomically (MMIO, crossing). */
void *tcg_slow_atomic(Vcpu *vcpu, vaddr addr, const IrMem *mem, void *frame, uintptr_t site);

#endif
