/*
 * fresh.c: stores that slip past the watch on a code page, system mode.
 *
 * A vCPU checks its TLB entry and stores a little later, or a whole unit later where accesses share the check. When another
 * thread starts to watch the page in between, the store is not noticed, although the translation may have been made from the old bytes. Such
 * a page is *fresh* until every other vCPU has left generated code since. The guest's own cache maintenance, which must follow
 * the store before the new code may be counted on, compares the units of fresh pages with memory.
 *
 * Targets with a coherent instruction cache have no such point: whoever starts to watch a page must wait for the others there. The
 * same goes for dirty logs that a reader clears before it reads.
 * Threads: any; `lock` is inside the stripes of pages.
 */
#include "tlb.h"
#include "util/race.h"

static struct {
    pthread_mutex_t sync_lock;  /* outermost: a sync that finds the list empty must not overtake one at work on it */
    pthread_mutex_t lock;
    CodePage *list;             /* through next_written */
    _Atomic uint32_t n;         /* in the list, or at work on */
} fresh = { .sync_lock = PTHREAD_MUTEX_INITIALIZER, .lock = PTHREAD_MUTEX_INITIALIZER };

static void list_locked(CodePage *page)
{
    if (!page->listed) {
        page->listed = true;
        page->next_written = fresh.list;
        fresh.list = page;
        atomic_fetch_add(&fresh.n, 1);
    }
}

void fresh_add(CodePage *page, const uint8_t *host)
{
    pthread_mutex_lock(&fresh.lock);
    page->ram_host = host;
    page->fresh_epoch = tcg_epoch_advance();
    atomic_store(&page->fresh, true);
    list_locked(page);
    pthread_mutex_unlock(&fresh.lock);
}

/* Have the other vCPUs left generated code since? */
static bool others_passed(const TcgVcpu *self, uint64_t epoch)
{
    bool passed = true;
    pthread_mutex_lock(&tcg.vcpus_lock);
    for (TcgVcpu *tv = tcg.vcpus; tv && passed; tv = tv->next) {
        uint64_t e = atomic_load(&tv->epoch);
        passed = tv == self || e == 0 || e > epoch;
    }
    pthread_mutex_unlock(&tcg.vcpus_lock);
    return passed;
}

static bool read_ram(void *buf, const CodePage *page, unsigned first, size_t n_bytes)
{
    const uint8_t *from = page->ram_host + first;
    size_t i = 0;
    for (; i + 8 <= n_bytes; i += 8) {
        uint64_t word = race_read(from + i, 8);
        memcpy((uint8_t *)buf + i, &word, 8);
    }
    for (; i < n_bytes; i++) {
        ((uint8_t *)buf)[i] = (uint8_t)race_read(from + i, 1);
    }
    return true;
}

void fresh_sync(TcgVcpu *tv)
{
    if (!atomic_load(&fresh.n)) {
        return;
    }
    bool gone = false;
    pthread_mutex_lock(&fresh.sync_lock);
    pthread_mutex_lock(&fresh.lock);
    CodePage *list = fresh.list;
    fresh.list = NULL;
    pthread_mutex_unlock(&fresh.lock);
    tcg_guard_enter();
    while (list) {
        CodePage *page = list;
        list = page->next_written;
        pthread_mutex_lock(&fresh.lock);
        page->listed = false;
        uint64_t epoch = page->fresh_epoch;
        pthread_mutex_unlock(&fresh.lock);
        /* In this order: what was stored before they left is there to be compared. */
        bool over = others_passed(tv, epoch);
        smc_compare_page(page, read_ram, &gone);
        pthread_mutex_lock(&fresh.lock);
        if (over && page->fresh_epoch == epoch) {
            atomic_store(&page->fresh, false);
        } else {
            list_locked(page);
        }
        pthread_mutex_unlock(&fresh.lock);
        atomic_fetch_sub(&fresh.n, 1);
    }
    tcg_guard_leave();
    pthread_mutex_unlock(&fresh.sync_lock);
    if (gone) {
        tcg_kick_all(tv);
    }
}
