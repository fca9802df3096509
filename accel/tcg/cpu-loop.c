/*
 * cpu-loop.c: runs a vCPU: from unit to unit, and what happens between.
 *
 * tcg_run() sets its jump target once; vcpu_loop_exit() from a helper or a slow path comes back to it
 * with complete state. Between units the loop notices requests, takes interrupts and exceptions
 * (system mode) and hands everything else to its caller.
 *
 * Threads: a vCPU's own.
 */
#include <unistd.h>
#include "host-fp.h"
#include "internal.h"

Tcg tcg = { .vcpus_lock = PTHREAD_MUTEX_INITIALIZER, .epoch = 1 };
const TcgSystemOps *tcg_system;

bool tcg_init_with_host(const TcgOptions *options, const HostOps *host, Error **errp)
{
    if (tcg.ready) {
        error_set(errp, "the translator is initialised already");
        return false;
    }
    tcg.options = *options;
    tcg.host = options->interpreter ? NULL : host;
    tcg.max_insns = options->max_insns ? MIN(options->max_insns, (unsigned)TCG_LIMIT_MAX_INSNS)
                                       : TCG_DEFAULT_MAX_INSNS;
    if (!code_cache_init(options->cache_bytes, errp) || !tb_init(errp)) {
        return false;
    }
    link_init();
    if (tcg.host) {
        code_cache_set_runtime(tcg.host->runtime_emit(code_rw(code_runtime_rx()), CODE_RUNTIME_BYTES,
                                                      code_runtime_rx()));
    }
    if (getenv("EMU_TCG_VERIFY")) {
        tcg.options.verify = true;
    }
    perfmap_init();
    if (!jitdump_init(errp)) {
        return false;
    }
    tcg.ready = true;
    return true;
}

bool tcg_init(const TcgOptions *options, Error **errp)
{
    const HostOps *host = tcg_native_host();
    if (!host && !options->interpreter) {
        error_set(errp, "no code generator for this host (use the interpreter)");
        return false;
    }
    return tcg_init_with_host(options, host, errp);
}

/* ---- leaving by a jump ---- */

void vcpu_loop_exit(Vcpu *vcpu, VcpuExit reason)
{
    vcpu->exit_reason = reason;
    if (vcpu->in_code) {
        host_fp_leave(vcpu);
    }
    siglongjmp(vcpu->jmp_env, 1);
}

void vcpu_raise(Vcpu *vcpu, int32_t cause, uint64_t value)
{
    vcpu->exception = (VcpuException){ .cause = cause, .value = value };
    vcpu_loop_exit(vcpu, VCPU_EXIT_EXCEPTION);
}

void tcg_restore_state(Vcpu *vcpu, const void *frame, uintptr_t site)
{
    if (!frame) {
        return;
    }
    const TransUnit *unit = code_find(site);
    uint32_t extra = 0;
    bool ok = unit && snapshot_restore(unit->snapshots, unit->n_snapshot_bytes,
                                       site - (uintptr_t)unit->code, frame, vcpu, &extra);
    vcpu->jit.icount_left = extra;
    if (!ok) {
        error_report("no guest instruction at host address %#" PRIxPTR, site);
        abort();
    }
}

static void after_jump(TcgVcpu *tv)
{
    Vcpu *vcpu = tv->vcpu;
    vcpu->in_code = false;
    vcpu->guest_access = false;
    vcpu->host_frame = NULL;
    /* -icount: what the block was charged and did not run. */
    vcpu->jit.icount_budget += (int32_t)vcpu->jit.icount_left;
    vcpu->jit.icount_left = 0;
    translator_release(tv);
    tcg_leave(tv);
    if (tv->exclusive) {
        exclusive_end(tv);
    }
    COUNT(tv, exceptions);
}

/* ---- running units ---- */

static void log_entry(TcgVcpu *tv, const TransUnit *unit)
{
    Vcpu *vcpu = tv->vcpu;
    if (!log_in_filter(unit->pc)) {
        return;
    }
    if (log_enabled(LOG_EXEC)) {
        log_printf("Trace %d: %p [" VADDR_FMT "/%08" PRIx64 "/%02x]\n", vcpu->index,
                   (const void *)unit->code, unit->pc, unit->mode, unit->flags);
    }
    if (log_enabled(LOG_CPU) && vcpu->target->dump) {
        FILE *out = log_lock();
        vcpu->target->dump(vcpu, out, log_mask);
        log_unlock();
    }
}

static inline HostResult enter_code(TcgVcpu *tv, const void *code)
{
    Vcpu *vcpu = tv->vcpu;
    COUNT(tv, entries);
    vcpu->in_code = true;
    HostResult result = tcg.host->enter(vcpu, code);
    vcpu->in_code = false;
    return result;
}

static inline HostResult enter_unit(TcgVcpu *tv, const TransUnit *unit)
{
    Vcpu *vcpu = tv->vcpu;
    if (log_enabled(LOG_EXEC | LOG_CPU)) {
        log_entry(tv, unit);
    }
    if (likely(tcg.host)) {
        return enter_code(tv, unit->code);
    }
    COUNT(tv, entries);
    vcpu->in_code = true;
    HostResult result = { .reason = interp_run(vcpu, unit->ir) };
    vcpu->in_code = false;
    return result;
}

/* Inside an epoch, unless somebody needs everyone outside. */
static void enter_epoch(TcgVcpu *tv)
{
    for (;;) {
        tcg_enter(tv);
        if (likely(!atomic_load(&tcg.exclusive_pending)) || tv->exclusive) {
            if (unlikely(atomic_load(&tv->tlb_asked))) {
                tcg_system->requests(tv); /* whoever asked may have seen us outside and gone on */
            }
            return;
        }
        tcg_leave(tv);
        exclusive_wait();
    }
}

/* No unit could be found or made. */
static VcpuExit no_unit(TcgVcpu *tv)
{
    if (tv->want_room) {
        tv->want_room = false;
        tv->has_fault = false;
        code_cache_wait(tv);
        return VCPU_EXIT_NONE;
    }
    assert(tv->has_fault);
    tv->has_fault = false;
    return VCPU_EXIT_EXCEPTION;
}

static inline bool may_link(uint32_t flags)
{
    return !(flags & UNIT_STEP) && !tcg.options.nochain
           && !log_enabled(LOG_NOCHAIN | LOG_EXEC | LOG_CPU);
}

/* Runs guest code until there is a reason to look up: one entry, and whatever it links on the way. */
static VcpuExit run_units(TcgVcpu *tv, uint32_t flags)
{
    Vcpu *vcpu = tv->vcpu;
    tv->stepping = flags & UNIT_STEP;
    enter_epoch(tv);
    uint64_t mode = vcpu->target->trans_mode(vcpu);
    jump_cache_select(tv, mode, flags);
    TransUnit *unit = NULL;
    const void *code = tcg.host && tv->cache ? jump_cache_probe(tv) : NULL;
    if (!code) {
        unit = lookup_unit(tv, mode, flags);
        if (unlikely(!unit)) {
            tcg_leave(tv);
            return no_unit(tv);
        }
    }
    HostResult result;
    for (;;) {
        result = unit ? enter_unit(tv, unit) : enter_code(tv, code);
        if (result.reason != VCPU_EXIT_NONE || !result.link || !may_link(flags)) {
            break;
        }
        COUNT(tv, unlinked_exits);
        if (atomic_load_explicit(&vcpu->jit.exit_request, memory_order_relaxed)) {
            break;
        }
        unit = lookup_unit(tv, mode, flags);
        if (!unit) {
            tv->has_fault = false; /* found again from the top */
            break;
        }
        link_make(tv, result.link, unit);
    }
    vcpu->jit.icount_left = 0;
    tcg_leave(tv);
    if (unlikely(tv->want_room)) {
        tv->want_room = false;
        code_cache_wait(tv);
    }
    return result.reason;
}

/* One instruction with everybody else outside guest code. */
static VcpuExit run_exclusive(TcgVcpu *tv)
{
    COUNT(tv, exclusive);
    exclusive_begin(tv);
    VcpuExit reason;
    do {
        reason = run_units(tv, (unit_flags(tv->vcpu) | UNIT_STEP | UNIT_EXCLUSIVE) & ~(uint32_t)UNIT_PARALLEL);
    } while (reason == VCPU_EXIT_ATOMIC);
    exclusive_end(tv);
    return reason;
}

/* System mode: what waits before the next unit. True: go back to the caller. */
static bool system_events(TcgVcpu *tv, bool *stepped)
{
    Vcpu *vcpu = tv->vcpu;
    if (vcpu->single_step && !vcpu->step_takes_irqs) {
        /* Interrupts wait: a step is one instruction of the code that is being looked at. */
        if (atomic_exchange(&vcpu->jit.exit_request, 0)) {
            tcg_system->requests(tv);
        }
        return atomic_load(&vcpu->stop_request) || atomic_exchange(&tv->leave_request, false);
    }
    if (atomic_load_explicit(&vcpu->jit.exit_request, memory_order_relaxed)) {
        atomic_store(&vcpu->jit.exit_request, 0);
        tcg_system->requests(tv);
        if (atomic_load(&vcpu->stop_request) || atomic_exchange(&tv->leave_request, false)) {
            return true;
        }
    }
    if (vcpu->target->interrupt_pending(vcpu) && vcpu->target->interrupt_take(vcpu)) {
        COUNT(tv, interrupts);
        tv->idle_spins = 0;
        if (vcpu->single_step) {
            *stepped = true; /* the step ends before the handler's first instruction */
        }
    }
    return false;
}

/* What to do with a reason; NONE: go on. */
static VcpuExit dispatch(TcgVcpu *tv, VcpuExit reason)
{
    Vcpu *vcpu = tv->vcpu;
    if (reason == VCPU_EXIT_ATOMIC) {
        reason = run_exclusive(tv);
    }
    switch (reason) {
    case VCPU_EXIT_NONE:
    case VCPU_EXIT_FLUSH:
        return vcpu->single_step ? VCPU_EXIT_DEBUG : VCPU_EXIT_NONE;
    case VCPU_EXIT_HALTED:
        if (vcpu->single_step) {
            atomic_store(&vcpu->halted, false); /* a step over it waits for nothing */
            return VCPU_EXIT_DEBUG;
        }
        return reason;
    case VCPU_EXIT_REQUEST:
        if (vcpu->softmmu) {
            return VCPU_EXIT_NONE; /* seen at the top */
        }
        /* Cleared before the caller looks at what was requested. */
        atomic_store(&vcpu->jit.exit_request, 0);
        return reason;
    case VCPU_EXIT_EXCEPTION:
        if (vcpu->softmmu) {
            if (log_enabled(LOG_INT)) {
                log_printf("%d: exception %d value %#" PRIx64 " pc " VADDR_FMT "\n", vcpu->index,
                           vcpu->exception.cause, vcpu->exception.value, vcpu->target->get_pc(vcpu));
            }
            vcpu->target->exception_enter(vcpu);
            return vcpu->single_step ? VCPU_EXIT_DEBUG : VCPU_EXIT_NONE;
        }
        return reason;
    default:
        return reason;
    }
}

/* -icount, the next unit: one instruction where a whole block may be too much. False: the slice is over. */
static bool icount_next(TcgVcpu *tv, uint32_t *flags)
{
    if (tv->vcpu->jit.icount_budget <= 0 || (tv->icount_tail && !tv->icount_exact)) {
        return false;
    }
    if (tv->icount_tail || tv->icount_step) {
        *flags |= UNIT_STEP;
        tv->icount_step = false;
    }
    return true;
}

static void icount_done(TcgVcpu *tv, VcpuExit reason)
{
    /* At a block that did not fit, or for another reason near the end of the slice. */
    tv->icount_tail |= reason == VCPU_EXIT_REQUEST && tv->vcpu->jit.icount_budget < (int32_t)tcg.max_insns + TCG_GLUE_INSNS;
}

/* The target looks at each instruction: one at a time. Units of one instruction go past gdb's breakpoints, so they are found here. */
static VcpuExit ask_before_insn(Vcpu *vcpu, uint32_t *flags)
{
    if (!vcpu->single_step && tcg_breakpoint_at(vcpu->target->get_pc(vcpu) & ~target_pc_flags(vcpu->target, vcpu->target->trans_mode(vcpu)))) {
        return VCPU_EXIT_DEBUG;
    }
    *flags |= UNIT_STEP;
    return vcpu->target->before_insn(vcpu) ? VCPU_EXIT_EXCEPTION : VCPU_EXIT_NONE;
}

static VcpuExit run_from(TcgVcpu *tv, VcpuExit reason)
{
    Vcpu *vcpu = tv->vcpu;
    while (reason == VCPU_EXIT_NONE) {
        if (vcpu->softmmu) {
            bool stepped = false;
            if (system_events(tv, &stepped)) {
                return VCPU_EXIT_REQUEST;
            }
            if (unlikely(stepped)) {
                return VCPU_EXIT_DEBUG;
            }
            /* What was taken, or the last unit, may have put it to sleep (x86: INIT of an application processor, RSM). */
            if (unlikely(atomic_load_explicit(&vcpu->halted, memory_order_relaxed)) && !vcpu->single_step) {
                return VCPU_EXIT_HALTED;
            }
        } else if (atomic_load_explicit(&vcpu->jit.exit_request, memory_order_relaxed)) {
            atomic_store(&vcpu->jit.exit_request, 0);
            return VCPU_EXIT_REQUEST;
        }
        uint32_t flags = unit_flags(vcpu);
        if (unlikely(vcpu->use_icount) && !icount_next(tv, &flags)) {
            return VCPU_EXIT_REQUEST;
        }
        if (unlikely(vcpu->ask_before_insn)) {
            reason = ask_before_insn(vcpu, &flags);
        }
        if (unlikely(tv->alone_next)) {
            tv->alone_next = false;
            flags |= UNIT_STEP;
        }
        if (likely(reason == VCPU_EXIT_NONE)) {
            reason = run_units(tv, flags);
        }
        if (unlikely(vcpu->use_icount)) {
            icount_done(tv, reason);
        }
        reason = dispatch(tv, reason);
    }
    return reason;
}

/* Who looks at the vCPU next may be another thread. System calls are too many for that: who copies the state in one asks for it. */
static VcpuExit run_done(Vcpu *vcpu, VcpuExit reason)
{
    if (unlikely(vcpu->jit.x87_live) && reason != VCPU_EXIT_SYSCALL) {
        vcpu->target->x87->save(vcpu);
    }
    return reason;
}

VcpuExit tcg_run(Vcpu *vcpu)
{
    if (sigsetjmp(vcpu->jmp_env, 0)) {
        TcgVcpu *tv = tcg_vcpu(vcpu);
        after_jump(tv);
        return run_done(vcpu, run_from(tv, dispatch(tv, vcpu->exit_reason)));
    }
    return run_done(vcpu, run_from(tcg_vcpu(vcpu), VCPU_EXIT_NONE));
}

/* ---- everything goes ---- */

void tcg_flush_all(void)
{
    atomic_fetch_add(&tcg.generation, 1);
    tcg_guard_enter();
    translator_drop_regions();
    code_cache_evict_all(NULL);
    tcg_guard_leave();
    tcg_kick_all(NULL);
}
