/*
 * icount.h: guest time from executed instructions (-icount), between icount.c, the thread that runs all vCPUs
 * (single.c) and the slow paths.
 *
 * The virtual clock is base + (instructions of all vCPUs << shift); it does not move while nobody runs, except by
 * icount_idle(). A vCPU runs in slices: it gets as many instructions as are left until the next deadline, or fewer, in
 * jit.icount_budget. Each block takes its instructions from the budget at its start and leaves when they are not there;
 * the rest of an exact slice is run one instruction per unit. A block that stops in the middle gives back what it did
 * not run: translated code before every such exit, the main loop after exceptions (jit.icount_left). So the clock is
 * exact wherever C code can look, whatever units the instructions happened to lie in.
 *
 * A device access ends its unit, because it may bring deadlines and interrupts nearer: unless it is alone in its unit,
 * it begins anew in one of a single instruction (icount_device_access).
 *
 * Threads: the vCPU thread; icount_now_ns() and the clock's call-backs any.
 */
#ifndef ACCEL_TCG_ICOUNT_H
#define ACCEL_TCG_ICOUNT_H

#include "accel/accel.h"
#include "internal.h"

/* Whether -icount was given. */
bool icount_enabled(void);
bool icount_configure(const IcountConfig *config, Error **errp);
/* The clock is ours from now on. */
void icount_start(void);
/* In the vCPU thread: gives the vCPU at most `limit` instructions, runs due timers before. `exact`: the slice may not end early. */
void icount_slice_begin(Vcpu *vcpu, uint32_t limit, bool exact);
/* Takes the rest back, runs due timers; returns what was executed. */
uint32_t icount_slice_end(Vcpu *vcpu);
/* Every vCPU is halted: lets time pass up to the next deadline, and at most until `events` is no longer `seen`. */
void icount_idle(_Atomic uint32_t *events, uint32_t seen);
/* Before a device access of translated code or a helper. May not return. */
void icount_device_access(Vcpu *vcpu, const void *frame, uintptr_t site);
/* "info jit" and -d jit. */
void icount_print(FILE *out);

/* ---- single.c: one host thread for all vCPUs ---- */
bool single_vcpu_start(Vcpu *vcpu, Error **errp);
void single_vcpu_stop(Vcpu *vcpu);
/* Looks again at every vCPU soon. Any thread. */
void single_wake(void);
bool single_is_current(void);
int single_thread_id(void);

#endif
