/*
 * bql.c: the device lock, a mutex that knows whether the calling thread holds it.
 */
#include "softmmu/bql.h"

static pthread_mutex_t bql_mutex = PTHREAD_MUTEX_INITIALIZER;
static __thread bool bql_mine;

void bql_lock(void)
{
    assert(!bql_mine);
    pthread_mutex_lock(&bql_mutex);
    bql_mine = true;
}

void bql_unlock(void)
{
    assert(bql_mine);
    bql_mine = false;
    pthread_mutex_unlock(&bql_mutex);
}

bool bql_held(void)
{
    return bql_mine;
}

void bql_wait(pthread_cond_t *cond)
{
    assert(bql_mine);
    bql_mine = false;
    pthread_cond_wait(cond, &bql_mutex);
    bql_mine = true;
}
