/*
 * vcpu.c: making and waking vCPUs.
 */
#include <linux/futex.h>
#include <limits.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "tcg/internal.h"

/* Helper addresses by id, one table per target. */
static void *const *helper_table(const Target *target)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static struct HelperTable {
        const Target *target;
        struct HelperTable *next;
        void *at[];
    } *tables;
    struct HelperTable *t;
    pthread_mutex_lock(&lock);
    for (t = tables; t && t->target != target; t = t->next) {
    }
    if (!t) {
        t = xcalloc(1, sizeof(*t) + target->n_helpers * sizeof(void *));
        t->target = target;
        for (unsigned i = 0; i < target->n_helpers; i++) {
            t->at[i] = target->helpers[i].function;
        }
        t->next = tables;
        tables = t;
    }
    pthread_mutex_unlock(&lock);
    return t->at;
}

Vcpu *vcpu_new(const Target *target, bool softmmu)
{
    size_t size = ROUND_UP(sizeof(Vcpu) + target->state_size_bytes, 64);
    Vcpu *vcpu = xmemalign(64, size);
    memset(vcpu, 0, size);
    TcgVcpu *tv = xmemalign(64, sizeof(*tv));
    memset(tv, 0, sizeof(*tv));
    tv->vcpu = vcpu;
    vcpu->target = target;
    vcpu->softmmu = softmmu;
    vcpu->addr_mask = ~(uint64_t)0;
    vcpu->accel = tv;
    vcpu->jit.jump_cache = jump_cache_empty;
    vcpu->jit.helpers = helper_table(target);
    vcpu->jit.monitor_addr = UINT64_MAX;
    if (tcg.host) {
        /* Hosts may fill tables of the process at the first call. */
        pthread_mutex_lock(&tcg.vcpus_lock);
        tcg.host->vcpu_init(vcpu, code_runtime_rx());
        pthread_mutex_unlock(&tcg.vcpus_lock);
    }
    if (softmmu && tcg_system) {
        tcg_system->vcpu_init(tv);
    }
    atomic_store(&tcg.coherent_icache, target->coherent_icache);
    pthread_mutex_lock(&tcg.vcpus_lock);
    tv->next = tcg.vcpus;
    tcg.vcpus = tv;
    pthread_mutex_unlock(&tcg.vcpus_lock);
    return vcpu;
}

void vcpu_free(Vcpu *vcpu)
{
    TcgVcpu *tv = tcg_vcpu(vcpu);
    pthread_mutex_lock(&tcg.vcpus_lock);
    for (TcgVcpu **p = &tcg.vcpus; *p; p = &(*p)->next) {
        if (*p == tv) {
            *p = tv->next;
            break;
        }
    }
    tcg_counters_retire(tv);
    pthread_mutex_unlock(&tcg.vcpus_lock);
    if (vcpu->softmmu && tcg_system) {
        tcg_system->vcpu_free(tv);
    }
    jump_cache_free(tv);
    free(tv);
    free(vcpu);
}

void vcpu_wake(Vcpu *vcpu)
{
    if (vcpu->wake) {
        vcpu->wake(vcpu);
        return;
    }
    if (tcg.wake) {
        tcg.wake(vcpu);
        return;
    }
    syscall(SYS_futex, &vcpu->jit.exit_request, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}
