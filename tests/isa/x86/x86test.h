/*
 * x86test.h: the same few instructions on the host's processor and under the translator, in one process.
 *
 * Code lies at X86T_CODE, memory for it at X86T_DATA (guard pages on both sides), both below 4 GiB so that 32-bit code can
 * run, too. A snippet ends where it faults; x86t_end() appends UD2. States before and after are X86tState.
 */
#ifndef TESTS_ISA_X86TEST_H
#define TESTS_ISA_X86TEST_H

#include "target/x86/translate.h"

#define X86T_CODE 0x10000000u
#define X86T_CODE_BYTES 0x1000u
#define X86T_DATA 0x20000000u
#define X86T_DATA_BYTES 0x10000u

typedef struct X86tState {
    uint64_t gpr[16];
    uint64_t pc;
    uint32_t eflags;
    uint32_t mxcsr;
    uint8_t ymm[16][32];
    uint8_t st[8][10];       /* st(0) first; MMX registers are the mantissas */
    uint16_t fcw, fsw;       /* fsw with TOP */
    uint8_t ftag;            /* bit n: physical register n is in use */
    /* after the run */
    unsigned vector;         /* exception that ended it */
    uint64_t fault_addr;     /* of #PF */
} X86tState;

typedef struct X86tRun {
    X86Code code;            /* 64 or 32 */
    const uint8_t *bytes;    /* at X86T_CODE */
    size_t n_bytes;
    uint8_t *data;           /* X86T_DATA_BYTES: before and after */
    X86tState state;         /* before and after */
} X86tRun;

typedef struct X86tOptions { bool interpreter, one_insn, i386; const char *cpu; } X86tOptions;

/* False: the host cannot (message). */
bool x86t_init(const X86tOptions *options);
bool x86t_host_has_avx(void);
void x86t_native(X86tRun *run);
void x86t_emulated(X86tRun *run);
Vcpu *x86t_vcpu(void);

/* What differs between two runs, as text; eflags and memory only where the masks say. Empty: nothing. */
typedef struct X86tMask { uint32_t eflags; bool x87, mmx_only; uint16_t fsw; uint32_t mxcsr; } X86tMask;
void x86t_diff(const X86tRun *native, const X86tRun *emulated, const X86tMask *mask, char *out, size_t size);

/* A state to start from: registers 0, stack in the middle of the data, no exceptions unmasked. */
void x86t_initial(X86tState *state);

#endif
