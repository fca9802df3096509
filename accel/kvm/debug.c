/*
 * debug.c: gdb's breakpoints and watchpoints under KVM: the processor's own debug registers, by Target.kvm.
 *
 * Threads: BQL; vCPUs take the changes before they run again.
 */
#include "kvm-int.h"
#include "util/alloc.h"

static VEC(vaddr) breakpoints;
static VEC(KvmDebugPoint) watchpoints;
enum { MAX_POINTS = 4 };

const vaddr *kvm_breakpoints(size_t *n)
{
    *n = breakpoints.n;
    return breakpoints.at;
}

const KvmDebugPoint *kvm_watchpoints(size_t *n)
{
    *n = watchpoints.n;
    return watchpoints.at;
}

static void changed(Machine *machine)
{
    for (unsigned i = 0; i < machine->n_vcpus; i++) {
        if (kvm_of(machine->vcpus[i])) {
            kvm_of(machine->vcpus[i])->debug_changed = true;
        }
    }
}

/* Breakpoints are watchpoints of the fetch: the four registers serve both. */
static bool room(Error **errp)
{
    if (breakpoints.n + watchpoints.n >= MAX_POINTS) {
        error_set(errp, "the processor has %d debug registers", MAX_POINTS);
        return false;
    }
    return true;
}

bool kvm_breakpoint(Machine *machine, vaddr pc, bool insert, Error **errp)
{
    for (size_t i = 0; i < breakpoints.n; i++) {
        if (breakpoints.at[i] == pc) {
            if (!insert) {
                breakpoints.at[i] = breakpoints.at[--breakpoints.n];
                changed(machine);
            }
            return true;
        }
    }
    if (insert) {
        if (!room(errp)) {
            return false;
        }
        *vec_push(&breakpoints) = pc;
        changed(machine);
    }
    return true;
}

bool kvm_watchpoint(Machine *machine, vaddr addr, uint64_t size_bytes, bool read, bool write, bool insert, Error **errp)
{
    if (!insert) {
        for (size_t i = 0; i < watchpoints.n; i++) {
            if (watchpoints.at[i].addr == addr && watchpoints.at[i].size_bytes == size_bytes) {
                watchpoints.at[i] = watchpoints.at[--watchpoints.n];
                changed(machine);
                break;
            }
        }
        return true;
    }
    if (size_bytes > 8 || (size_bytes & (size_bytes - 1)) || addr % size_bytes) {
        error_set(errp, "the processor watches 1, 2, 4 or 8 aligned bytes");
        return false;
    }
    if (!room(errp)) {
        return false;
    }
    *vec_push(&watchpoints) = (KvmDebugPoint){ addr, size_bytes, read, write };
    changed(machine);
    return true;
}
