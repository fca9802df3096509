/*
 * rcu.c: epoch-based reclamation behind rcu.h.
 *
 * Every thread that reads owns a slot holding 0 (not reading) or the epoch at
 * which its outermost rcu_read_lock() happened. Retiring tags an object with
 * the current epoch and advances it; the object is free once no slot holds
 * a value at or below the tag. The fences pair: either the reader's slot is
 * visible to the writer's scan, or the writer's new pointer is visible to the
 * reader.
 */
#include <pthread.h>
#include <sched.h>
#include "util/alloc.h"
#include "util/rcu.h"

typedef struct RcuSlot {
    _Atomic uint64_t epoch;
    unsigned depth; /* only the owning thread */
    struct RcuSlot *next;
    bool used;      /* under rcu_mutex */
} RcuSlot;

static pthread_mutex_t rcu_mutex = PTHREAD_MUTEX_INITIALIZER;
static RcuSlot *rcu_slots; /* never shrinks; slots of dead threads are reused */
static _Atomic uint64_t rcu_epoch = 1;
static RcuHead *rcu_first, **rcu_tail = &rcu_first;
static pthread_key_t rcu_key;
static pthread_once_t rcu_once = PTHREAD_ONCE_INIT;
static __thread RcuSlot *rcu_self;

static void rcu_thread_exit(void *opaque)
{
    RcuSlot *slot = opaque;

    pthread_mutex_lock(&rcu_mutex);
    atomic_store(&slot->epoch, 0);
    slot->used = false;
    pthread_mutex_unlock(&rcu_mutex);
}

static void rcu_make_key(void)
{
    pthread_key_create(&rcu_key, rcu_thread_exit);
}

static RcuSlot *rcu_register(void)
{
    RcuSlot *slot;

    pthread_once(&rcu_once, rcu_make_key);
    pthread_mutex_lock(&rcu_mutex);
    for (slot = rcu_slots; slot && slot->used; slot = slot->next) {
    }
    if (!slot) {
        slot = xmemalign(64, ROUND_UP(sizeof(*slot), 64));
        memset(slot, 0, sizeof(*slot));
        slot->next = rcu_slots;
        rcu_slots = slot;
    }
    slot->used = true;
    slot->depth = 0;
    pthread_mutex_unlock(&rcu_mutex);
    pthread_setspecific(rcu_key, slot);
    rcu_self = slot;
    return slot;
}

void rcu_read_lock(void)
{
    RcuSlot *slot = likely(rcu_self) ? rcu_self : rcu_register();

    if (slot->depth++ == 0) {
        atomic_store_explicit(&slot->epoch,
                              atomic_load_explicit(&rcu_epoch, memory_order_relaxed),
                              memory_order_relaxed);
        atomic_thread_fence(memory_order_seq_cst);
    }
}

void rcu_read_unlock(void)
{
    RcuSlot *slot = rcu_self;

    assert(slot && slot->depth);
    if (--slot->depth == 0) {
        atomic_store_explicit(&slot->epoch, 0, memory_order_release);
    }
}

/* The oldest epoch a reader may be in; UINT64_MAX without readers. Under rcu_mutex. */
static uint64_t rcu_oldest_reader(void)
{
    uint64_t oldest = UINT64_MAX;

    atomic_thread_fence(memory_order_seq_cst);
    for (RcuSlot *slot = rcu_slots; slot; slot = slot->next) {
        uint64_t epoch = atomic_load(&slot->epoch);
        if (epoch && epoch < oldest) {
            oldest = epoch;
        }
    }
    return oldest;
}

void rcu_poll(void)
{
    RcuHead *ready = NULL, **ready_tail = &ready;

    pthread_mutex_lock(&rcu_mutex);
    if (rcu_first) {
        uint64_t oldest = rcu_oldest_reader();
        while (rcu_first && rcu_first->epoch < oldest) {
            RcuHead *head = rcu_first;
            rcu_first = head->next;
            head->next = NULL;
            *ready_tail = head;
            ready_tail = &head->next;
        }
        if (!rcu_first) {
            rcu_tail = &rcu_first;
        }
    }
    pthread_mutex_unlock(&rcu_mutex);
    while (ready) {
        RcuHead *head = ready;
        ready = head->next;
        head->release(head);
    }
}

void rcu_retire(RcuHead *head, void (*release)(RcuHead *head))
{
    pthread_mutex_lock(&rcu_mutex);
    atomic_thread_fence(memory_order_seq_cst);
    head->release = release;
    head->epoch = atomic_fetch_add(&rcu_epoch, 1);
    head->next = NULL;
    *rcu_tail = head;
    rcu_tail = &head->next;
    pthread_mutex_unlock(&rcu_mutex);
    rcu_poll();
}

void rcu_synchronize(void)
{
    uint64_t epoch = atomic_fetch_add(&rcu_epoch, 1);

    for (;;) {
        pthread_mutex_lock(&rcu_mutex);
        bool quiet = rcu_oldest_reader() > epoch;
        pthread_mutex_unlock(&rcu_mutex);
        if (quiet) {
            break;
        }
        sched_yield();
    }
    rcu_poll();
}
