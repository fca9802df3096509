/*
 * cpu-model.h: between cpu-model.c and cpuid.c.
 */
#ifndef TARGET_X86_CPU_MODEL_H
#define TARGET_X86_CPU_MODEL_H

#include "target/x86/cpu.h"

/* What an accelerator that runs guests on the host's processor can give; it stays in force. */
typedef struct X86HostCpu {
    uint32_t features[X86_N_FEATURE_WORDS];
    uint32_t defaults[X86_N_FEATURE_WORDS];   /* which every model gets */
    char vendor[13], model_id[49];
    uint32_t family, model, stepping, level, xlevel;
    uint8_t phys_bits;
} X86HostCpu;
void x86_model_set_host(const X86HostCpu *host);

/* Which caches the model reports; the name and the vendor are set. */
void x86_cpuid_caches_init(X86Model *m);

#endif
