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

/* The features' names in the order of features.def, and second names; NULL behind the last. */
const char *x86_feature_at(size_t i, uint16_t *ret_feature);
const char *x86_feature_alias_at(size_t i, uint16_t *ret_feature);
/* Features of a model that cannot be had; false: no such model. */
bool x86_model_missing(const Target *target, const char *name, uint32_t ret_bits[X86_N_FEATURE_WORDS]);
const char *x86_model_alias(const char *name); /* what it is another name of, or NULL */

struct Json *x86_model_props(const Vcpu *vcpu, bool full);
struct Json *x86_model_missing_names(const Target *target, const char *name);

/* Which caches the model reports; the name and the vendor are set. */
void x86_cpuid_caches_init(X86Model *m);

#endif
