/*
 * cpu-model.h: between cpu-model.c and cpuid.c.
 */
#ifndef TARGET_X86_CPU_MODEL_H
#define TARGET_X86_CPU_MODEL_H

#include "target/x86/cpu.h"

/* Which caches the model reports; the name and the vendor are set. */
void x86_cpuid_caches_init(X86Model *m);

#endif
