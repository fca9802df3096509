/*
 * link.c: direct jumps from unit to unit.
 *
 * Each direct exit that jumps to another unit is in that unit's list of incoming links. The list, and
 * the patched bytes of the exits in it, belong to the target's stripe. An exit is linked by whoever
 * finds it unlinked first; it goes back to its stub when the target is invalidated.
 *
 * A unit that is being invalidated is marked first and its exits are looked at afterwards; a thread
 * that links an exit first publishes the link and looks at the mark afterwards. One of the two sees
 * the other, so no unit that is gone stays in a list.
 *
 * Threads: any, inside an epoch.
 */
#include "internal.h"

static pthread_mutex_t stripes[TCG_N_STRIPES];

void link_init(void)
{
    for (unsigned i = 0; i < TCG_N_STRIPES; i++) {
        pthread_mutex_init(&stripes[i], NULL);
    }
}

static pthread_mutex_t *stripe_of(const TransUnit *unit)
{
    uint64_t h = (uintptr_t)unit * 0x9e3779b97f4a7c15u;
    return &stripes[h >> 58];
}
static_assert(TCG_N_STRIPES == 64, "stripe_of takes six bits");

static void patch(const UnitLink *link, const uint8_t *target)
{
    const uint8_t *at = link->unit->code + link->patch;
    tcg.host->link(code_rw(at), at, target);
}

/* Under the stripe of the link's target. */
static void unlink_exit(UnitLink *link)
{
    *link->pprev = link->next;
    if (link->next) {
        link->next->pprev = link->pprev;
    }
    patch(link, link->unit->code + link->stub);
    atomic_store(&link->target, NULL);
}

void link_make(TcgVcpu *tv, const void *patch_rx, TransUnit *to)
{
    TransUnit *from = code_find((uintptr_t)patch_rx);
    if (!from) {
        return;
    }
    uint32_t offset = (const uint8_t *)patch_rx - from->code;
    UnitLink *link = NULL;
    for (uint32_t i = 0; i < from->n_links && !link; i++) {
        if (from->links[i].patch == offset) {
            link = &from->links[i];
        }
    }
    if (!link || from->mode != to->mode || from->flags != to->flags || (from->flags & UNIT_STEP)) {
        return;
    }
    /* System mode: another page may be mapped elsewhere tomorrow. */
    if (tv->vcpu->softmmu && ((from->pc ^ to->pc) >> TCG_PAGE_BITS || to->n_pages > 1)) {
        return;
    }
    pthread_mutex_lock(stripe_of(to));
    TransUnit *none = NULL;
    if (!atomic_load(&to->invalid) && atomic_compare_exchange_strong(&link->target, &none, to)) {
        link->next = to->incoming;
        link->pprev = &to->incoming;
        if (link->next) {
            link->next->pprev = &link->next;
        }
        to->incoming = link;
        patch(link, to->code);
        if (atomic_load(&from->invalid)) {
            unlink_exit(link);
        } else {
            COUNT(tv, links);
        }
    }
    pthread_mutex_unlock(stripe_of(to));
}

void link_detach(TransUnit *unit)
{
    pthread_mutex_lock(stripe_of(unit));
    while (unit->incoming) {
        unlink_exit(unit->incoming);
    }
    pthread_mutex_unlock(stripe_of(unit));
    for (uint32_t i = 0; i < unit->n_links; i++) {
        UnitLink *link = &unit->links[i];
        TransUnit *target = atomic_load(&link->target);
        if (!target) {
            continue;
        }
        pthread_mutex_lock(stripe_of(target));
        if (atomic_load(&link->target) == target) {
            unlink_exit(link);
        }
        pthread_mutex_unlock(stripe_of(target));
    }
}

void link_fork_lock(void)
{
    for (unsigned i = 0; i < TCG_N_STRIPES; i++) {
        pthread_mutex_lock(&stripes[i]);
    }
}

void link_fork_unlock(void)
{
    for (unsigned i = TCG_N_STRIPES; i-- > 0;) {
        pthread_mutex_unlock(&stripes[i]);
    }
}
