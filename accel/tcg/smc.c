/*
 * smc.c: code that changes under its translation, user mode.
 *
 * A writable page that code is translated from loses its host write permission. The first write faults;
 * linux-user asks tcg_unprotect(), the page becomes writable again and is remembered as written. On
 * targets with a coherent instruction cache its units go at once. On the others stale code may go on
 * running until the guest's own cache maintenance: then the units of written pages are compared with the
 * bytes they were made from (a hash), those that differ go, and the page is protected again if any stay.
 * Pages that are written again and again stay writable and are compared at each sync. So do pages that
 * are mapped twice (MAP_SHARED), because writes through the other mapping are not seen.
 *
 * Threads: any; tcg_unprotect() is called from signal handlers that interrupted guest code or a marked
 * guest access, where no lock of ours is held.
 */
#include "internal.h"

enum {
    HOT_FAULTS = 4,
    MAX_HOT_PAGES = 64,
};

static struct {
    pthread_mutex_t lock;
    pthread_mutex_t sync_lock;   /* outermost: a sync that finds the list empty must not overtake one at work on it */
    CodePage *written;           /* through next_written */
    unsigned n_hot;
} smc = { .lock = PTHREAD_MUTEX_INITIALIZER, .sync_lock = PTHREAD_MUTEX_INITIALIZER };

/* Under the page's stripe. */
static void remember(CodePage *page)
{
    if (!page->written) {
        page->written = true;
        pthread_mutex_lock(&smc.lock);
        page->next_written = smc.written;
        smc.written = page;
        pthread_mutex_unlock(&smc.lock);
    }
}

bool smc_watch_page(CodePage *page, vaddr addr, bool *ret_compare)
{
    *ret_compare = false;
    if (!tcg.have_user_ops) {
        return true;
    }
    int prot = tcg.user.page_prot(addr);
    if (prot < 0 || !(prot & PAGE_EXEC)) {
        return false;
    }
    if (likely(!(prot & (PAGE_WRITE | PAGE_SHARED)))) {
        return true;
    }
    *ret_compare = true;
    page_lock(page);
    if (prot & PAGE_SHARED) {
        page->shared = true;
        remember(page);
    } else if (!atomic_load(&page->is_protected) && !(page->written && page->n_faults >= HOT_FAULTS)) {
        /* Said before it is so: whoever faults in between waits for the page's lock in tcg_unprotect(). */
        page->was_protected = true;
        atomic_store(&page->is_protected, true);
        tcg.user.host_protect(page->index << TCG_PAGE_BITS, TCG_PAGE_BYTES, false);
    }
    page_unlock(page);
    return true;
}

bool tcg_unprotect(vaddr addr)
{
    CodePage *page = page_find(addr >> TCG_PAGE_BITS);
    if (!page || !tcg.have_user_ops) {
        return false;
    }
    bool coherent = atomic_load(&tcg.coherent_icache);
    bool mine = false;
    /* Units go before the page becomes writable: a thread that writes as soon as it can must not find its old code. */
    while (atomic_load(&page->is_protected) && !mine) {
        if (coherent) {
            tcg_guard_enter();
            page_invalidate(page);
            tcg_guard_leave();
        }
        page_lock(page);
        if (atomic_load(&page->is_protected) && !(coherent && page->units)) {
            mine = true;
            page->n_faults++;
            tcg.user.host_protect(page->index << TCG_PAGE_BITS, TCG_PAGE_BYTES, true);
            atomic_store(&page->is_protected, false);
            if (coherent) {
                page->version++;
            } else {
                remember(page);
            }
        }
        page_unlock(page);
    }
    if (!mine && page->was_protected) {
        /* Another thread was first, or a sync saw nothing to watch, perhaps. */
        int prot = tcg.user.page_prot(addr);
        mine = prot >= 0 && (prot & PAGE_WRITE);
    }
    return mine;
}

bool tcg_restart_after_unprotect(Vcpu *vcpu, vaddr addr, uintptr_t host_pc, const HostFrame *frame)
{
    if (!vcpu || !vcpu->target->coherent_icache || !vcpu->in_code || tcg_vcpu(vcpu)->stepping) {
        return false;
    }
    uint64_t index = addr >> TCG_PAGE_BITS;
    if (tcg.host && code_contains(host_pc)) {
        const TransUnit *unit = code_find(host_pc);
        if (!unit || (unit->phys[0] != index && unit->phys[1] != index)) {
            return false; /* what is running is not what was written */
        }
    } else {
        uint64_t at = vcpu->target->get_pc(vcpu) >> TCG_PAGE_BITS;
        if (at + 1 < index || index + 1 < at) {
            return false;
        }
    }
    if (!tcg_handle_fault(vcpu, host_pc, frame)) {
        return false;
    }
    tcg_vcpu(vcpu)->alone_next = true;
    return true;
}

bool tcg_unprotect_range(vaddr first, vaddr last)
{
    bool any = false;
    for (vaddr page = first >> TCG_PAGE_BITS; page <= last >> TCG_PAGE_BITS; page++) {
        CodePage *cp = page_find(page);
        if (cp && atomic_load(&cp->is_protected)) {
            any |= tcg_unprotect(page << TCG_PAGE_BITS);
        }
    }
    return any;
}

unsigned smc_compare_page(CodePage *page, bool (*read)(void *buf, const CodePage *page, unsigned first, size_t n_bytes),
                          bool *ret_gone)
{
    VEC(TransUnit *) units = { 0 };
    unsigned stay = 0;
    page_lock(page);
    for (UnitPage *up = page->units; up; up = up->next) {
        *vec_push(&units) = up->unit;
    }
    page_unlock(page);
    for (size_t i = 0; i < units.n; i++) {
        TransUnit *unit = units.at[i];
        unsigned k = unit->phys[0] == page->index ? 0 : 1;
        size_t n_bytes = unit->last[k] - unit->first[k] + 1;
        uint8_t now[TCG_PAGE_BYTES];
        if (!read(now, page, unit->first[k], n_bytes) || unit_bytes_hash(now, n_bytes) != unit->check[k]) {
            tb_invalidate(unit);
            *ret_gone = true;
        } else {
            stay++;
        }
    }
    vec_free(&units);
    return stay;
}

/* Memory may be unmapped by another thread meanwhile, and this thread may be in a system call: read with a function that can fail. */
static bool read_user(void *buf, const CodePage *page, unsigned first, size_t n_bytes)
{
    return tcg.user.read(buf, (page->index << TCG_PAGE_BITS) + first, n_bytes);
}

static unsigned compare_page(CodePage *page, bool *ret_gone)
{
    return smc_compare_page(page, read_user, ret_gone);
}

/* Whether the page must stay on the list: it may still change without our noticing. */
static bool sync_page(CodePage *page, bool *ret_gone)
{
    bool keep = true;
    if (page->shared) {
        return compare_page(page, ret_gone) || true;
    }
    bool hot = page->n_faults >= HOT_FAULTS && smc.n_hot < MAX_HOT_PAGES;
    if (!hot) {
        /* Protect first and compare afterwards, so that no write slips between. */
        page_lock(page);
        if (!atomic_load(&page->is_protected) && page->units) {
            int prot = tcg.user.page_prot(page->index << TCG_PAGE_BITS);
            if (prot >= 0 && (prot & PAGE_WRITE)) {
                page->was_protected = true;
                atomic_store(&page->is_protected, true);
                tcg.user.host_protect(page->index << TCG_PAGE_BITS, TCG_PAGE_BYTES, false);
            }
        }
        if (!atomic_load(&page->is_protected)) {
            page->version++; /* who is translating now and thinks the page is watched starts again */
        }
        page->written = false;
        page_unlock(page);
        keep = false;
    }
    unsigned stay = compare_page(page, ret_gone);
    if (!hot && !stay) {
        /* Nothing to watch: spare the next write its fault. */
        page_lock(page);
        if (atomic_load(&page->is_protected) && !page->units) {
            page->version++;
            tcg.user.host_protect(page->index << TCG_PAGE_BITS, TCG_PAGE_BYTES, true);
            atomic_store(&page->is_protected, false);
        }
        page_unlock(page);
    }
    return keep;
}

void tcg_icache_sync_range(Vcpu *vcpu, vaddr first, vaddr last)
{
    if (vcpu->softmmu && !vcpu->target->coherent_icache) {
        tcg_system->icache_sync(tcg_vcpu(vcpu));
    }
    if (vcpu->softmmu || vcpu->target->coherent_icache || !tcg.have_user_ops) {
        return;
    }
    COUNT(tcg_vcpu(vcpu), syncs);
    pthread_mutex_lock(&smc.sync_lock);
    pthread_mutex_lock(&smc.lock);
    CodePage *list = smc.written, *others = NULL;
    smc.written = NULL;
    pthread_mutex_unlock(&smc.lock);
    bool gone = false;
    unsigned n_hot = 0;
    tcg_guard_enter();
    while (list) {
        CodePage *page = list;
        list = page->next_written;
        bool in_range = page->index >= first >> TCG_PAGE_BITS && page->index <= last >> TCG_PAGE_BITS;
        if (!in_range || sync_page(page, &gone)) {
            n_hot += !page->shared && page->n_faults >= HOT_FAULTS;
            page->next_written = others;
            others = page;
        }
    }
    tcg_guard_leave();
    pthread_mutex_lock(&smc.lock);
    smc.n_hot = n_hot;
    while (others) {
        CodePage *page = others;
        others = page->next_written;
        page->next_written = smc.written;
        smc.written = page;
    }
    pthread_mutex_unlock(&smc.lock);
    pthread_mutex_unlock(&smc.sync_lock);
    if (gone) {
        tcg_kick_all(tcg_vcpu(vcpu)); /* they may hold return addresses into units that went */
    }
}

void tcg_icache_sync(Vcpu *vcpu)
{
    tcg_icache_sync_range(vcpu, 0, UINT64_MAX);
}

static void invalidate_page(CodePage *page)
{
    page_lock(page);
    atomic_store(&page->is_protected, false); /* the caller has set the host's protection anew */
    page_unlock(page);
    page_invalidate(page);
}

void tcg_invalidate(vaddr first, vaddr last)
{
    tcg_guard_enter();
    page_for_range(first >> TCG_PAGE_BITS, last >> TCG_PAGE_BITS, invalidate_page);
    tcg_guard_leave();
}

void tcg_set_user_ops(const TcgUserOps *ops)
{
    tcg.user = *ops;
    tcg.have_user_ops = true;
}

/* One lock is outside those of pages, the other inside. */
void smc_fork_lock_outer(void)
{
    pthread_mutex_lock(&smc.sync_lock);
}

void smc_fork_lock_inner(void)
{
    pthread_mutex_lock(&smc.lock);
}

void smc_fork_unlock(void)
{
    pthread_mutex_unlock(&smc.lock);
    pthread_mutex_unlock(&smc.sync_lock);
}
