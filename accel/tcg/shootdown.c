/*
 * shootdown.c: TLB maintenance that one vCPU asks of the others, without stopping them.
 *
 * Whoever asks puts it into the mailbox of each, raises tlb_asked, and, when it must know, waits until the others have served
 * theirs or are outside generated code. A vCPU enters generated code by setting its epoch and then looking at tlb_asked; who waits
 * looks the other way round, so one of both sees the other. Who waits uses no translation either, so nobody waits for it; it serves its mailbox
 * before it goes on.
 * Threads: tlb_ask_others() and tlb_wait_others() by the vCPU's own, without the device lock.
 */
#include <sched.h>
#include <time.h>
#include "tlb.h"

void tlb_ask(Vcpu *vcpu, const TlbAsk *ask)
{
    switch (ask->kind) {
    case TLB_ASK_ALL: tlb_flush(vcpu); break;
    case TLB_ASK_ASID: tlb_flush_asid(vcpu, ask->asid); break;
    case TLB_ASK_RANGE: tlb_flush_range(vcpu, ask->addr, ask->size_bytes); break;
    }
}

void tlb_serve_asks(TcgVcpu *tv)
{
    TlbState *s = tv->tlb;
    TlbAsk asked[TLB_N_ASKS];

    if (!atomic_exchange(&tv->tlb_asked, false)) {
        return;
    }
    pthread_mutex_lock(&s->lock);
    unsigned n = s->n_asked;
    uint64_t upto = atomic_load(&s->n_posted);
    memcpy(asked, s->asked, MIN(n, (unsigned)TLB_N_ASKS) * sizeof(asked[0]));
    s->n_asked = 0;
    pthread_mutex_unlock(&s->lock);
    if (n > TLB_N_ASKS) {
        tlb_flush(tv->vcpu);
    } else {
        for (unsigned i = 0; i < n; i++) {
            tlb_ask(tv->vcpu, &asked[i]);
        }
    }
    atomic_store(&s->n_done, upto);
}

static void post(TcgVcpu *tv, const TlbAsk *ask)
{
    TlbState *s = tv->tlb;

    pthread_mutex_lock(&s->lock);
    if (ask->kind == TLB_ASK_ALL || s->n_asked >= TLB_N_ASKS) {
        s->n_asked = TLB_N_ASKS + 1;
    } else {
        s->asked[s->n_asked++] = *ask;
    }
    atomic_fetch_add(&s->n_posted, 1);
    pthread_mutex_unlock(&s->lock);
    atomic_store(&tv->tlb_asked, true);
}

void tlb_ask_others(Vcpu *vcpu, const TlbAsk *ask)
{
    pthread_mutex_lock(&tcg.vcpus_lock);
    for (TcgVcpu *tv = tcg.vcpus; tv; tv = tv->next) {
        if (tv->tlb && tv->vcpu != vcpu && tv->vcpu->machine == vcpu->machine) {
            post(tv, ask);
        }
    }
    pthread_mutex_unlock(&tcg.vcpus_lock);
}

/* Kicks who is inside and has not served its mailbox; false: somebody is. */
static bool others_done(const Vcpu *vcpu, bool kick)
{
    bool done = true;

    pthread_mutex_lock(&tcg.vcpus_lock);
    for (TcgVcpu *tv = tcg.vcpus; tv; tv = tv->next) {
        if (tv->tlb && tv->vcpu != vcpu && tv->vcpu->machine == vcpu->machine &&
            atomic_load(&tv->tlb->n_done) < atomic_load(&tv->tlb->n_posted) && atomic_load(&tv->epoch) && !atomic_load(&tv->tlb_waiting)) {
            done = false;
            if (kick) {
                vcpu_kick(tv->vcpu);
            }
        }
    }
    pthread_mutex_unlock(&tcg.vcpus_lock);
    return done;
}

/* The others need a processor to get out of generated code, which the host may be short of. */
static void rest(unsigned round)
{
    enum { SPINS = 64, YIELDS = 16, REST_NS = 20 * 1000 };

    if (round >= SPINS + YIELDS) {
        nanosleep(&(struct timespec){ .tv_nsec = REST_NS }, NULL);
    } else if (round >= SPINS) {
        sched_yield();
    }
}

void tlb_wait_others(Vcpu *vcpu)
{
    TcgVcpu *tv = tcg_vcpu(vcpu);

    atomic_store(&tv->tlb_waiting, true);
    for (unsigned round = 0; !others_done(vcpu, round == 0); round++) {
        rest(round); /* a vCPU that was outside meanwhile serves its mailbox as it enters: no further kick */
    }
    atomic_store(&tv->tlb_waiting, false);
    tlb_serve_asks(tv);
}
