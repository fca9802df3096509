/*
 * ir-fuzz.h: the parts of the IR fuzzer: generator, environment (guest memory, soft MMU), runner.
 */
#ifndef TESTS_FUZZ_IR_FUZZ_H
#define TESTS_FUZZ_IR_FUZZ_H

#include "tests/ir/ir-target.h"

typedef struct Rng { uint64_t s; } Rng;

static inline uint64_t rng_next(Rng *r)
{
    uint64_t z = r->s += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}
static inline unsigned rng_below(Rng *r, unsigned n) { return rng_next(r) % n; }
static inline bool rng_percent(Rng *r, unsigned p) { return rng_below(r, 100) < p; }
uint64_t rng_value(Rng *r, IrType type);   /* biased to the interesting */

/* Guest memory, relative to scratch_guest: two pages read-write, one read-only, one MMIO (soft MMU
 * only), nothing else mapped. */
enum {
    SCRATCH_RW = 0x2000, SCRATCH_RO_END = 0x3000, SCRATCH_MMIO_END = 0x4000,
};

typedef enum FuzzMode { /* how a unit reaches memory */
    FUZZ_BASE0,       /* user, host address = guest address */
    FUZZ_BASE,        /* user, guest base */
    FUZZ_ADDR32,      /* user, guest base, addresses wrap at 4 GiB */
    FUZZ_SOFTMMU,
    FUZZ_SOFTMMU32,
    FUZZ_N_MODES
} FuzzMode;

typedef struct FuzzCase {
    uint64_t seed;
    FuzzMode mode;
} FuzzCase;

/* What a run leaves behind. */
typedef struct FuzzResult {
    VcpuExit reason;
    VcpuException exception;
    TestState state;
    uint32_t fp_control;
    int32_t icount_budget;
    uint64_t mmio_hash;
    uint8_t memory[SCRATCH_RO_END];
} FuzzResult;

/* ir-gen.c: a random unit that keeps every rule of the IR and ends. */
typedef struct GenOptions {
    unsigned max_blocks, max_insns;  /* per block */
    bool all_roundings;              /* also those hosts leave to helpers (ties away, odd) */
    bool no_v256;                    /* the host has no 256-bit vectors: front ends do not use them */
} GenOptions;
void ir_gen(IrUnit *unit, Rng *rng, FuzzMode mode, const GenOptions *options);

/* ir-fuzz-env.c */
extern uint64_t scratch_guest[FUZZ_N_MODES];
void env_init(void);
/* Initial state, memory and TLB of a case. */
void env_prepare(Vcpu *vcpu, const FuzzCase *fc);
Vcpu *env_vcpu(void);
void env_run_interp(Vcpu *vcpu, const IrUnit *unit, FuzzResult *ret);
/* False: no host back end, or the unit does not fit. */
bool env_run_host(Vcpu *vcpu, const IrUnit *unit, FuzzResult *ret);
bool env_has_v256(void);
void env_disas_last(FILE *out);
/* Describes the first difference in one line; NULL if none. Static storage. */
const char *env_difference(const FuzzResult *a, const FuzzResult *b);

#endif
