/*
 * exclusive.c: one vCPU runs while all others are outside guest code.
 *
 * Whoever wants to be alone takes the lock, raises `exclusive_pending`, kicks the others and waits until
 * their epochs say that they are outside. Nobody enters while the flag is up.
 */
#include <sched.h>
#include "internal.h"

static pthread_mutex_t exclusive_lock = PTHREAD_MUTEX_INITIALIZER;

static bool others_outside(const TcgVcpu *self)
{
    bool outside = true;
    pthread_mutex_lock(&tcg.vcpus_lock);
    for (const TcgVcpu *tv = tcg.vcpus; tv && outside; tv = tv->next) {
        outside = tv == self || atomic_load(&tv->epoch) == 0;
    }
    pthread_mutex_unlock(&tcg.vcpus_lock);
    return outside;
}

void exclusive_begin(TcgVcpu *tv)
{
    pthread_mutex_lock(&exclusive_lock);
    tv->exclusive = true;
    atomic_store(&tcg.exclusive_pending, true);
    tcg_kick_all(tv);
    while (!others_outside(tv)) {
        sched_yield();
    }
}

void exclusive_end(TcgVcpu *tv)
{
    tv->exclusive = false;
    atomic_store(&tcg.exclusive_pending, false);
    pthread_mutex_unlock(&exclusive_lock);
}

void exclusive_wait(void)
{
    pthread_mutex_lock(&exclusive_lock);
    pthread_mutex_unlock(&exclusive_lock);
}
