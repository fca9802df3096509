/* semihosting.h: a machine's programs that ask the emulator for files, a console and their end (softmmu/semihosting.c). */
#ifndef SOFTMMU_SEMIHOSTING_H
#define SOFTMMU_SEMIHOSTING_H

#include "accel/vcpu.h"
#include "util/error.h"

/* -semihosting, -semihosting-config. `args`: "arg" as often as given, blank-separated; `chardev`: the console's. NULL: none. */
void semihosting_enable(bool userspace, const char *args, const char *chardev);
/* When the machine's parts are there: the command line of a program that was given no other; the console's character device is looked up. */
bool semihosting_start(const char *kernel, const char *append, Error **errp);
/* Gives a new vCPU its calls, if they are on. */
void semihosting_attach(Vcpu *vcpu);

#endif
