/* semihosting.h: guest programs that ask the emulator for files, a console and their end (softmmu/semihosting.c). */
#ifndef SOFTMMU_SEMIHOSTING_H
#define SOFTMMU_SEMIHOSTING_H

#include "accel/vcpu.h"
#include "util/error.h"

/* -semihosting, -semihosting-config. `args`: "arg" as often as given, blank-separated; NULL none. */
void semihosting_enable(bool userspace, const char *args);
/* The command line of a program that was given no other. */
void semihosting_set_fallback_args(const char *kernel, const char *append);
bool semihosting_enabled(void);
/* Gives a new vCPU its calls, if they are on. */
void semihosting_attach(Vcpu *vcpu);

#endif
