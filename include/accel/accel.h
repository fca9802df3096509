/*
 * accel.h: who runs the vCPUs of a machine: one table per accelerator.
 *
 * The machine starts its vCPUs once the board is built; from then on each has a thread of its own. Run
 * control (stop, start, single step, debugger) goes through here and waits for the threads where it says so.
 *
 * Threads: BQL held, except where noted. vcpu_kick() may be called from anywhere.
 */
#ifndef ACCEL_ACCEL_H
#define ACCEL_ACCEL_H

#include "accel/vcpu.h"
#include "util/error.h"

/* -icount */
typedef struct IcountConfig {
    bool automatic;        /* shift=auto */
    unsigned shift;        /* an instruction takes 2^shift ns */
    bool align, sleep;
} IcountConfig;

typedef struct AccelOps {
    const char *name;      /* "tcg" */
    const char *summary;
    bool unlisted;         /* -accel help is about others */
    /* Whether it could run guests of this architecture on such a host at all; NULL: every one. */
    bool (*for_arch)(const char *arch);
    /* Whether it works here; -accel A:B takes the first that does. */
    bool (*available)(const char *arch, Error **errp);
    /* One option of -accel NAME,key=value; false with an error when it is unknown or wrong. */
    bool (*set_option)(const char *key, const char *value, Error **errp);
    /* Guest time from executed instructions; before init. NULL: cannot. */
    bool (*set_icount)(const IcountConfig *config, Error **errp);
    bool (*init)(Machine *machine, Error **errp);
    /* x86: whether there is system management mode; after init. NULL: yes. */
    bool (*has_smm)(void);
    /* Starts the vCPU's thread, stopped. */
    bool (*vcpu_start)(Vcpu *vcpu, Error **errp);
    /* The host's id of the vCPU's thread; 0: none yet. */
    int (*vcpu_thread_id)(const Vcpu *vcpu);
    /* Ends the thread and waits for it. */
    void (*vcpu_stop_thread)(Vcpu *vcpu);
    /* All vCPUs: asks them to stop and waits until they have; lets them go on. */
    void (*pause_all)(Machine *machine);
    void (*resume_all)(Machine *machine);
    /* Runs fn in the vCPU's thread between instructions, and waits for it. */
    void (*run_on)(Vcpu *vcpu, void (*fn)(Vcpu *vcpu, void *opaque), void *opaque);
    /* Debugger: a breakpoint at pc (all vCPUs), code for watching [addr, addr + size). */
    bool (*breakpoint)(Machine *machine, vaddr pc, bool insert, Error **errp);
    bool (*watchpoint)(Machine *machine, vaddr addr, uint64_t size_bytes, bool read, bool write, bool insert,
                       Error **errp);
} AccelOps;

/* What the vCPU thread tells the machine, in the vCPU's thread, BQL held. */
typedef struct AccelHooks {
    /* A debugger's stop: breakpoint, step or watchpoint. */
    void (*debug_stop)(Vcpu *vcpu);
} AccelHooks;
extern AccelHooks accel_hooks;

/* All accelerators built in, NULL-terminated; NULL if unknown. */
extern const AccelOps *const accel_list[];
const AccelOps *accel_find(const char *name);
static inline bool accel_is_for(const AccelOps *accel, const char *arch)
{
    return !accel->for_arch || accel->for_arch(arch);
}

extern const AccelOps accel_tcg;

#endif
