/*
 * icount.c: the virtual clock as a function of executed instructions (icount.h).
 *
 * shift=auto chooses the shift anew all the time, so that guest time keeps up with the host's:
 * such runs do not repeat. align=on holds a guest that is ahead of the host's clock.
 *
 * Left out: record and replay.
 */
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "icount.h"
#include "softmmu/bql.h"
#include "softmmu/clock.h"

enum {
    MAX_SHIFT = 10,
    AUTO_FIRST_SHIFT = 3,
    ADJUST_NS = 10000000,       /* shift=auto: chosen anew after so much time of the host or the guest */
    ALIGN_SLACK_NS = 3000000,   /* align=on: less is not worth sleeping */
    LATE_WARN_NS = 100000000,
    LATE_WARN_EVERY_S = 2,
};

static struct {
    bool enabled, started, sleep, align, automatic;
    unsigned shift;
    int64_t base_ns;             /* the clock when `insns` was 0, or when the shift changed or time was skipped */
    uint64_t insns;              /* since then, of slices that are over */
    _Atomic int64_t seen_ns;     /* for other threads: the clock at the last look */
    _Atomic(Vcpu *) running;     /* in a slice */
    _Atomic bool moved;          /* another thread changed a deadline */
    /* The host's time while vCPUs ran or waited; what guest time is compared with. */
    int64_t host_ns, slice_start_ns;
    int64_t adjust_host_ns, adjust_insns;
    uint64_t all_insns, n_slices, n_steps, n_skips, n_deadlines;
    int64_t max_late_ns, max_ahead_ns, next_warn_ns;
} icount = { .sleep = true };

static __thread bool is_vcpu_thread;

bool icount_enabled(void)
{
    return icount.enabled;
}

bool icount_configure(const IcountConfig *config, Error **errp)
{
    if (config->align && !config->sleep) {
        error_set(errp, "align=on and sleep=off are incompatible");
        return false;
    }
    if (config->align && config->automatic) {
        error_set(errp, "shift=auto and align=on are incompatible");
        return false;
    }
    if (!config->automatic && config->shift > MAX_SHIFT) {
        error_set(errp, "icount: Invalid shift value");
        return false;
    }
    icount.enabled = true;
    icount.sleep = config->sleep;
    icount.align = config->align;
    icount.automatic = config->automatic;
    icount.shift = config->automatic ? AUTO_FIRST_SHIFT : config->shift;
    return true;
}

/* ---- the clock ---- */

static int64_t monotonic_ns(void)
{
    return (int64_t)tcg_now_ns();
}

/* vCPU thread: what has run of the slice under way. */
static int64_t slice_insns(void)
{
    const Vcpu *vcpu = atomic_load_explicit(&icount.running, memory_order_relaxed);
    return vcpu ? tcg_vcpu((Vcpu *)vcpu)->icount_granted - vcpu->jit.icount_budget - (int64_t)vcpu->jit.icount_left : 0;
}

static int64_t exact_ns(void)
{
    return icount.base_ns + (int64_t)((icount.insns + (uint64_t)slice_insns()) << icount.shift);
}

static int64_t source_now(void *opaque)
{
    if (!is_vcpu_thread) {
        return atomic_load(&icount.seen_ns);
    }
    int64_t now = exact_ns();
    atomic_store_explicit(&icount.seen_ns, now, memory_order_relaxed);
    return now;
}

/* Instructions until the clock shows at least `deadline_ns`. */
static int64_t insns_until(int64_t deadline_ns)
{
    int64_t delay = deadline_ns - exact_ns();
    return delay <= 0 ? 0 : (delay + (1 << icount.shift) - 1) >> icount.shift;
}

/*
 * The vCPU's own access or CSR write made a deadline: the slice ends there. Another thread's: the slice is measured
 * anew from where it stands.
 */
static void source_deadline_changed(void *opaque, int64_t deadline_ns)
{
    Vcpu *vcpu = atomic_load(&icount.running);
    if (!is_vcpu_thread) {
        atomic_store(&icount.moved, true);
        if (vcpu) {
            atomic_store(&tcg_vcpu(vcpu)->leave_request, true);
            vcpu_kick(vcpu);
        }
        single_wake();
        return;
    }
    if (!vcpu || deadline_ns == INT64_MAX) {
        return;
    }
    TcgVcpu *tv = tcg_vcpu(vcpu);
    int64_t rest = vcpu->jit.icount_budget + (int64_t)vcpu->jit.icount_left, wanted = insns_until(deadline_ns);
    if (wanted < rest) {
        vcpu->jit.icount_budget -= (int32_t)(rest - wanted);
        tv->icount_granted -= (int32_t)(rest - wanted);
        tv->icount_exact = true;
        atomic_store(&vcpu->jit.exit_request, 1); /* where this instruction ends its unit */
    }
}

void icount_start(void)
{
    static const ClockSource source = { .now_ns = source_now, .deadline_changed = source_deadline_changed,
                                        .runs_timers = true };
    clock_set_source(&source);
}

/* vCPU thread, outside slices: the clock goes on by more than instructions. */
static void skip(int64_t delay_ns)
{
    icount.base_ns += delay_ns;
    source_now(NULL);
}

static void run_timers(void)
{
    if (clock_virtual_deadline_ns() <= exact_ns()) {
        icount.n_deadlines++;
        bool took = bql_enter();
        clock_run_virtual_timers();
        bql_leave(took);
    }
}

/* ---- slices ---- */

void icount_slice_begin(Vcpu *vcpu, uint32_t limit, bool exact)
{
    TcgVcpu *tv = tcg_vcpu(vcpu);
    is_vcpu_thread = true;
    run_timers();
    atomic_store(&icount.moved, false);
    int64_t deadline = clock_virtual_deadline_ns(), n = limit;
    if (deadline != INT64_MAX) {
        /* A timer that is always due may not stop the guest. */
        int64_t until = MAX(insns_until(deadline), 1);
        if (until <= n) {
            n = until;
            exact = true;
        }
    }
    tv->icount_granted = (int32_t)n;
    tv->icount_exact = exact;
    tv->icount_tail = false;
    vcpu->jit.icount_budget = (int32_t)n;
    vcpu->jit.icount_left = 0;
    icount.n_slices++;
    icount.slice_start_ns = monotonic_ns();
    atomic_store(&icount.running, vcpu);
    if (atomic_load(&icount.moved)) {
        /* Came between: the kick may have missed. */
        atomic_store(&tv->leave_request, true);
        vcpu_kick(vcpu);
    }
}

/* shift=auto: the shift at which guest time goes as fast as the host's did; one more or less to catch up. */
static void adjust(void)
{
    int64_t host = icount.host_ns - icount.adjust_host_ns;
    int64_t insns = (int64_t)icount.all_insns - icount.adjust_insns;
    if (!insns || (host < ADJUST_NS && insns << icount.shift < ADJUST_NS)) {
        return;
    }
    unsigned shift = 0;
    while (shift < MAX_SHIFT && insns << (shift + 1) <= host + host / 4) {
        shift++;
    }
    int64_t ahead = exact_ns() - icount.host_ns;
    if (ahead < -ADJUST_NS && shift < MAX_SHIFT) {
        shift++;
    } else if (ahead > ADJUST_NS && shift > 0) {
        shift--;
    }
    icount.base_ns = exact_ns();
    icount.insns = 0;
    icount.shift = shift;
    icount.adjust_host_ns = icount.host_ns;
    icount.adjust_insns = (int64_t)icount.all_insns;
}

/* align=on: a guest ahead of the host waits, one that is late is told about. */
static void align(void)
{
    int64_t ahead = exact_ns() - icount.host_ns;
    icount.max_ahead_ns = MAX(icount.max_ahead_ns, ahead);
    icount.max_late_ns = MAX(icount.max_late_ns, -ahead);
    if (ahead > ALIGN_SLACK_NS) {
        int64_t start = monotonic_ns(), nap = MIN(ahead, LATE_WARN_NS);
        nanosleep(&(struct timespec){ .tv_nsec = nap }, NULL);
        icount.host_ns += monotonic_ns() - start;
    } else if (-ahead > LATE_WARN_NS && icount.host_ns >= icount.next_warn_ns) {
        error_warn("the guest is now late by %.1f seconds", (double)-ahead / NS_PER_SECOND);
        icount.next_warn_ns = icount.host_ns + LATE_WARN_EVERY_S * NS_PER_SECOND;
    }
}

uint32_t icount_slice_end(Vcpu *vcpu)
{
    TcgVcpu *tv = tcg_vcpu(vcpu);
    uint32_t n = (uint32_t)slice_insns();
    atomic_store(&icount.running, NULL);
    icount.insns += n;
    icount.all_insns += n;
    tv->icount_total += n;
    tv->icount_granted = 0;
    vcpu->jit.icount_budget = 0;
    vcpu->jit.icount_left = 0;
    icount.host_ns += monotonic_ns() - icount.slice_start_ns;
    source_now(NULL);
    if (icount.automatic) {
        adjust();
    } else if (icount.align) {
        align();
    }
    run_timers();
    return n;
}

/* ---- nobody runs ---- */

static void wait_events(_Atomic uint32_t *events, uint32_t seen, const struct timespec *timeout)
{
    syscall(SYS_futex, events, FUTEX_WAIT_PRIVATE, seen, timeout, NULL, 0);
}

void icount_idle(_Atomic uint32_t *events, uint32_t seen)
{
    is_vcpu_thread = true;
    int64_t deadline = clock_virtual_deadline_ns(), start = monotonic_ns();
    int64_t delay = deadline == INT64_MAX ? INT64_MAX : MAX(deadline - exact_ns(), 0);
    if (deadline == INT64_MAX) {
        wait_events(events, seen, NULL);
        return; /* the clock has stood still, so has what it is compared with */
    }
    icount.n_skips++;
    if (icount.sleep && delay) {
        struct timespec ts = { delay / NS_PER_SECOND, delay % NS_PER_SECOND };
        wait_events(events, seen, &ts);
        int64_t waited = monotonic_ns() - start;
        icount.host_ns += waited;
        delay = MIN(delay, waited);
    } else {
        icount.host_ns += delay;
    }
    skip(delay);
    run_timers();
}

/* ---- devices ---- */

void icount_device_access(Vcpu *vcpu, const void *frame, uintptr_t site)
{
    TcgVcpu *tv = tcg_vcpu(vcpu);
    if (tv->stepping) {
        return;
    }
    tcg_restore_state(vcpu, frame, site);
    vcpu->jit.icount_left++; /* this one too: it begins anew */
    tv->icount_step = true;
    icount.n_steps++;
    vcpu_loop_exit(vcpu, VCPU_EXIT_NONE);
}

void icount_print(FILE *out)
{
    if (!icount.enabled) {
        return;
    }
    fprintf(out, "instruction counter: shift %u%s, sleep=%s, align=%s\n", icount.shift,
            icount.automatic ? " (auto)" : "", icount.sleep ? "on" : "off", icount.align ? "on" : "off");
    fprintf(out, "%14" PRIu64 "  instructions executed\n", icount.all_insns);
    fprintf(out, "%14" PRId64 "  ns of guest time\n", atomic_load(&icount.seen_ns));
    fprintf(out, "%14" PRId64 "  ns of host time\n", icount.host_ns);
    fprintf(out, "%14" PRIu64 "  slices\n", icount.n_slices);
    fprintf(out, "%14" PRIu64 "  deadlines met\n", icount.n_deadlines);
    fprintf(out, "%14" PRIu64 "  waits of all vCPUs\n", icount.n_skips);
    fprintf(out, "%14" PRIu64 "  device accesses begun anew\n", icount.n_steps);
    if (icount.align) {
        fprintf(out, "%14" PRId64 "  ns late at most\n%14" PRId64 "  ns ahead at most\n", icount.max_late_ns,
                icount.max_ahead_ns);
    }
}
