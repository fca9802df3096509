/*
 * host-run.h: compiles a unit with the x86-64 back end and runs it, outside of any accelerator.
 */
#ifndef TESTS_IR_HOST_RUN_H
#define TESTS_IR_HOST_RUN_H

#include "ir-target.h"
#include "tcg/host.h"
#include "tcg/interp.h"
#include "tcg/snapshot.h"

typedef struct HostRun {
    uint8_t *cache;         /* writable and executable */
    size_t cache_bytes;
    size_t runtime_bytes;
    HostCompiler *hc;
    HostCode code;          /* of the last compile */
    uint8_t *entry;
    JumpCacheEntry *jump_cache;
} HostRun;

enum { RUN_MEMORY_BYTES = 65536 };

void host_run_init(HostRun *run);
Vcpu *host_run_vcpu(HostRun *run, const Target *target);
bool host_run_compile(HostRun *run, const IrUnit *unit);
/* Runs the last unit; a helper's longjmp gives the reason it left with. */
VcpuExit host_run_enter(HostRun *run, Vcpu *vcpu, HostResult *ret);
VcpuExit host_run_interp(Vcpu *vcpu, const IrUnit *unit);
void host_run_dump(const HostRun *run, const char *path);
/* A fault of generated code completes the state and ends host_run_enter with VCPU_EXIT_EXCEPTION. */
void host_run_catch_faults(HostRun *run);
extern vaddr host_run_lookup_pc;    /* what tcg_lookup() was asked for last */
extern const void *host_run_lookup_result;
extern void (*host_run_slow_done)(Vcpu *vcpu); /* after a slow path that generated code called; NULL: nothing */

#endif
