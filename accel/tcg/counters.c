/*
 * counters.c: what the translator did (-d jit, info jit).
 */
#include <time.h>
#include "internal.h"

uint64_t tcg_now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * UINT64_C(1000000000) + ts.tv_nsec;
}

uint64_t tcg_insns_run(const Vcpu *vcpu)
{
    const TcgVcpu *tv = vcpu->accel;
    return tv->icount_total + (uint64_t)((int64_t)tv->icount_granted - vcpu->jit.icount_budget)
           - vcpu->jit.icount_left;
}

static void add(TcgCounters *to, const TcgCounters *from)
{
#define ADD(name, text)                                                                          \
    atomic_store_explicit(&to->name, atomic_load_explicit(&to->name, memory_order_relaxed)      \
                          + atomic_load_explicit(&from->name, memory_order_relaxed),            \
                          memory_order_relaxed);
    TCG_COUNTERS(ADD)
#undef ADD
}

/* Under the vCPU list lock. */
void tcg_counters_retire(TcgVcpu *tv)
{
    add(&tcg.dead, &tv->count);
}

static double ratio(uint64_t a, uint64_t b)
{
    return b ? (double)a / (double)b : 0;
}

void tcg_counters_print(FILE *out)
{
    TcgCounters sum = { 0 };
    pthread_mutex_lock(&tcg.vcpus_lock);
    add(&sum, &tcg.dead);
    for (TcgVcpu *tv = tcg.vcpus; tv; tv = tv->next) {
        add(&sum, &tv->count);
    }
    pthread_mutex_unlock(&tcg.vcpus_lock);
    fprintf(out, "translator: %s%s%s\n", tcg.host ? tcg.host->name : "interpreter",
            tcg.host && tcg.host->features ? ", " : "",
            tcg.host && tcg.host->features ? tcg.host->features() : "");
#define PRINT(name, text)                                                                   \
    if (sum.name) {                                                                         \
        fprintf(out, "%14" PRIu64 "  %s\n", (uint64_t)sum.name, text);                      \
    }
    TCG_COUNTERS(PRINT)
#undef PRINT
    fprintf(out, "%14.1f  guest instructions per unit\n", ratio(sum.guest_insns, sum.units));
    fprintf(out, "%14.2f  host bytes per guest byte\n", ratio(sum.host_bytes, sum.guest_bytes));
    fprintf(out, "%14.2f  host instructions per guest instruction\n",
            ratio(sum.host_insns, sum.guest_insns));
    if (sum.translate_ns) {
        fprintf(out, "%14.0f  translation ns per guest instruction (host compiler %.0f)\n",
                ratio(sum.translate_ns, sum.guest_insns), ratio(sum.compile_ns, sum.guest_insns));
    }
    fprintf(out, "%14zu  bytes of code cache in use\n", code_cache_used_bytes());
}
