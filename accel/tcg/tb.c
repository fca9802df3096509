/*
 * tb.c: the table of units and the pages they were made from.
 *
 * Look-up takes no lock: buckets are chains of units whose next pointers are only ever changed under the
 * bucket's stripe, and a unit that was taken out keeps its next pointer until its region is reclaimed.
 * A unit is inserted and invalidated under the stripes of all its pages, so that "this page's units are
 * gone" is a statement with a moment. Whoever translates reads each page's version before it reads the
 * page's bytes; insertion fails if the version has changed.
 *
 * The table doubles while others look: a unit moves from its old chain to its new one with one store, so a
 * reader that is on its way may end up in another chain and miss. It then translates, and insertion, under the
 * stripe, finds that there is one. Old tables are kept: readers may still hold them.
 *
 * Threads: any.
 */
#include <errno.h>
#include <sys/mman.h>
#include "internal.h"

enum {
    MIN_HASH_BITS = 11,
    MAX_HASH_BITS = 20,
    PAGE_HASH_BITS = 13,
};

typedef struct HashTable {
    uint32_t mask;
    struct HashTable *old;
    _Atomic(TransUnit *) buckets[];
} HashTable;

typedef struct UnitTable {
    _Atomic(HashTable *) table;
    _Atomic uint32_t n_units;
    pthread_mutex_t stripes[TCG_N_STRIPES];
    _Atomic(CodePage *) *pages;
    pthread_mutex_t page_stripes[TCG_N_STRIPES];
    pthread_mutex_t page_table_lock;
} UnitTable;

static UnitTable tb;

static void *table_reserve(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

static HashTable *hash_new(unsigned bits)
{
    HashTable *t = table_reserve(sizeof(HashTable) + (sizeof(t->buckets[0]) << bits));
    if (t) {
        t->mask = (1u << bits) - 1;
    }
    return t;
}

bool tb_init(Error **errp)
{
    tb.table = hash_new(MIN_HASH_BITS);
    tb.pages = table_reserve(sizeof(*tb.pages) << PAGE_HASH_BITS);
    if (!tb.table || !tb.pages) {
        error_set_errno(errp, errno, "cannot reserve the translation tables");
        return false;
    }
    for (unsigned i = 0; i < TCG_N_STRIPES; i++) {
        pthread_mutex_init(&tb.stripes[i], NULL);
        pthread_mutex_init(&tb.page_stripes[i], NULL);
    }
    pthread_mutex_init(&tb.page_table_lock, NULL);
    return true;
}

static inline uint64_t mix(uint64_t x)
{
    x *= 0x9e3779b97f4a7c15u;
    return x ^ x >> 32;
}

static inline uint32_t unit_hash(vaddr pc, uint64_t mode, uint32_t flags, uint64_t phys)
{
    uint64_t h = mix(pc ^ phys << 40 ^ phys >> 24) + mix(mode * 8 + flags + 1);
    return (uint32_t)(h ^ h >> 20);
}

static inline uint32_t hash_of(const TransUnit *unit)
{
    return unit_hash(unit->pc, unit->mode, unit->flags, unit->phys[0]);
}

static inline bool unit_matches(const TransUnit *unit, vaddr pc, uint64_t mode, uint32_t flags,
                                const uint64_t phys[2])
{
    return unit->pc == pc && unit->mode == mode && unit->flags == flags && unit->phys[0] == phys[0]
           && (unit->n_pages == 1 || phys[1] == TCG_NO_PAGE || unit->phys[1] == phys[1])
           && !atomic_load_explicit(&unit->invalid, memory_order_relaxed);
}

TransUnit *tb_find(vaddr pc, uint64_t mode, uint32_t flags, const uint64_t phys[2])
{
    uint32_t h = unit_hash(pc, mode, flags, phys[0]);
    HashTable *t = atomic_load_explicit(&tb.table, memory_order_acquire);
    TransUnit *unit = atomic_load_explicit(&t->buckets[h & t->mask], memory_order_acquire);
    while (unit && !unit_matches(unit, pc, mode, flags, phys)) {
        unit = atomic_load_explicit(&unit->hash_next, memory_order_acquire);
    }
    return unit;
}

/* ---- pages ---- */

static inline uint32_t page_hash(uint64_t index)
{
    return mix(index) >> (32 - PAGE_HASH_BITS) & ((1u << PAGE_HASH_BITS) - 1);
}

CodePage *page_find(uint64_t index)
{
    CodePage *page = atomic_load_explicit(&tb.pages[page_hash(index)], memory_order_acquire);
    while (page && page->index != index) {
        page = atomic_load_explicit(&page->next, memory_order_acquire);
    }
    return page;
}

CodePage *page_get(uint64_t index)
{
    CodePage *page = page_find(index);
    if (page) {
        return page;
    }
    pthread_mutex_lock(&tb.page_table_lock);
    page = page_find(index);
    if (!page) {
        _Atomic(CodePage *) *bucket = &tb.pages[page_hash(index)];
        page = xnew(CodePage);
        page->index = index;
        atomic_store_explicit(&page->next, atomic_load_explicit(bucket, memory_order_relaxed),
                              memory_order_relaxed);
        atomic_store_explicit(bucket, page, memory_order_release);
    }
    pthread_mutex_unlock(&tb.page_table_lock);
    return page;
}

void page_for_range(uint64_t first, uint64_t last, void (*fn)(CodePage *page))
{
    if (last - first < 1024) {
        for (uint64_t index = first; index <= last; index++) {
            CodePage *page = page_find(index);
            if (page) {
                fn(page);
            }
        }
        return;
    }
    for (unsigned h = 0; h < 1u << PAGE_HASH_BITS; h++) {
        CodePage *page = atomic_load_explicit(&tb.pages[h], memory_order_acquire);
        for (; page; page = atomic_load_explicit(&page->next, memory_order_acquire)) {
            if (page->index >= first && page->index <= last) {
                fn(page);
            }
        }
    }
}

static inline unsigned page_stripe(const CodePage *page)
{
    return page->index % TCG_N_STRIPES;
}

void page_lock(CodePage *page)
{
    pthread_mutex_lock(&tb.page_stripes[page_stripe(page)]);
}

void page_unlock(CodePage *page)
{
    pthread_mutex_unlock(&tb.page_stripes[page_stripe(page)]);
}

/* The stripes of one or two pages (b may be NULL), in ascending order. */
static void pages_lock(CodePage *a, CodePage *b)
{
    unsigned x = page_stripe(a), y = b ? page_stripe(b) : x;
    pthread_mutex_lock(&tb.page_stripes[MIN(x, y)]);
    if (x != y) {
        pthread_mutex_lock(&tb.page_stripes[MAX(x, y)]);
    }
}

static void pages_unlock(CodePage *a, CodePage *b)
{
    unsigned x = page_stripe(a), y = b ? page_stripe(b) : x;
    if (x != y) {
        pthread_mutex_unlock(&tb.page_stripes[MAX(x, y)]);
    }
    pthread_mutex_unlock(&tb.page_stripes[MIN(x, y)]);
}

static void unit_page_add(UnitPage *up)
{
    up->next = up->page->units;
    up->pprev = &up->page->units;
    if (up->next) {
        up->next->pprev = &up->next;
    }
    up->page->units = up;
}

static void unit_page_del(UnitPage *up)
{
    *up->pprev = up->next;
    if (up->next) {
        up->next->pprev = up->pprev;
    }
}

/* ---- insertion and invalidation ---- */

static void hash_push(HashTable *t, uint32_t h, TransUnit *unit)
{
    _Atomic(TransUnit *) *bucket = &t->buckets[h & t->mask];
    atomic_store_explicit(&unit->hash_next, atomic_load_explicit(bucket, memory_order_relaxed),
                          memory_order_release);
    atomic_store_explicit(bucket, unit, memory_order_release);
}

static void stripes_lock(void)
{
    for (unsigned i = 0; i < TCG_N_STRIPES; i++) {
        pthread_mutex_lock(&tb.stripes[i]);
    }
}

static void stripes_unlock(void)
{
    for (unsigned i = TCG_N_STRIPES; i-- > 0;) {
        pthread_mutex_unlock(&tb.stripes[i]);
    }
}

/* Twice the buckets, when there is a unit for each. No stripe is held. */
static void hash_grow(void)
{
    stripes_lock();
    HashTable *old = atomic_load_explicit(&tb.table, memory_order_relaxed);
    unsigned bits = __builtin_ctz(old->mask + 1) + 1;
    HashTable *t = atomic_load(&tb.n_units) > old->mask + 1 && bits <= MAX_HASH_BITS ? hash_new(bits)
                                                                                          : NULL;
    if (t) {
        t->old = old;
        for (uint32_t i = 0; i <= old->mask; i++) {
            TransUnit *unit = atomic_load_explicit(&old->buckets[i], memory_order_relaxed);
            while (unit) {
                TransUnit *next = atomic_load_explicit(&unit->hash_next, memory_order_relaxed);
                hash_push(t, hash_of(unit), unit);
                unit = next;
            }
        }
        atomic_store_explicit(&tb.table, t, memory_order_release);
    }
    stripes_unlock();
}

TransUnit *tb_insert(TransUnit *unit, CodePage *const page[2], const uint32_t version[2],
                     uint32_t generation)
{
    CodePage *second = unit->n_pages > 1 ? page[1] : NULL;
    TransUnit *result = NULL;
    pages_lock(page[0], second);
    if (page[0]->version != version[0] || (second && second->version != version[1])
        || atomic_load(&tcg.generation) != generation) {
        goto out;
    }
    uint32_t h = hash_of(unit);
    pthread_mutex_t *stripe = &tb.stripes[h % TCG_N_STRIPES];
    pthread_mutex_lock(stripe);
    result = tb_find(unit->pc, unit->mode, unit->flags, unit->phys);
    if (!result) {
        hash_push(atomic_load_explicit(&tb.table, memory_order_relaxed), h, unit);
        result = unit;
    }
    pthread_mutex_unlock(stripe);
    if (result == unit) {
        for (unsigned i = 0; i < unit->n_pages; i++) {
            unit->page[i].unit = unit;
            unit->page[i].page = page[i];
            unit_page_add(&unit->page[i]);
        }
    }
out:
    pages_unlock(page[0], second);
    if (result == unit) {
        uint32_t n = atomic_fetch_add(&tb.n_units, 1) + 1;
        HashTable *t = atomic_load_explicit(&tb.table, memory_order_relaxed);
        if (unlikely(n > t->mask + 1) && t->mask + 1 < 1u << MAX_HASH_BITS) {
            hash_grow();
        }
    }
    return result;
}

static void hash_remove(TransUnit *unit)
{
    uint32_t h = hash_of(unit);
    pthread_mutex_t *stripe = &tb.stripes[h % TCG_N_STRIPES];
    pthread_mutex_lock(stripe);
    HashTable *t = atomic_load_explicit(&tb.table, memory_order_relaxed);
    _Atomic(TransUnit *) *p = &t->buckets[h & t->mask];
    for (;;) {
        TransUnit *at = atomic_load_explicit(p, memory_order_relaxed);
        if (!at) {
            break;
        }
        if (at == unit) {
            atomic_store_explicit(p, atomic_load_explicit(&unit->hash_next, memory_order_relaxed),
                                  memory_order_release);
            break;
        }
        p = &at->hash_next;
    }
    pthread_mutex_unlock(stripe);
}

void tb_invalidate(TransUnit *unit)
{
    CodePage *first = unit->page[0].page, *second = unit->n_pages > 1 ? unit->page[1].page : NULL;
    if (!first) {
        return; /* never inserted */
    }
    pages_lock(first, second);
    if (!atomic_load(&unit->invalid)) {
        atomic_store(&unit->invalid, true);
        for (unsigned i = 0; i < unit->n_pages; i++) {
            unit_page_del(&unit->page[i]);
        }
        hash_remove(unit);
        atomic_fetch_sub(&tb.n_units, 1);
        link_detach(unit);
        jump_cache_purge_unit(unit);
    }
    pages_unlock(first, second);
}

void page_invalidate(CodePage *page)
{
    page_lock(page);
    page->version++;
    TransUnit *unit = page->units ? page->units->unit : NULL;
    page_unlock(page);
    while (unit) {
        tb_invalidate(unit);
        page_lock(page);
        unit = page->units ? page->units->unit : NULL;
        page_unlock(page);
    }
}

void page_invalidate_bytes(CodePage *page, uint32_t first, uint32_t last)
{
    for (;;) {
        TransUnit *hit = NULL;
        page_lock(page);
        page->version++;
        for (UnitPage *up = page->units; up && !hit; up = up->next) {
            unsigned k = up == &up->unit->page[0] ? 0 : 1;
            if (up->unit->first[k] <= last && up->unit->last[k] >= first) {
                hit = up->unit;
            }
        }
        page_unlock(page);
        if (!hit) {
            return;
        }
        tb_invalidate(hit);
    }
}

bool page_has_code(CodePage *page, uint32_t first, uint32_t last)
{
    bool hit = false;
    page_lock(page);
    for (UnitPage *up = page->units; up && !hit; up = up->next) {
        unsigned k = up == &up->unit->page[0] ? 0 : 1;
        hit = up->unit->first[k] <= last && up->unit->last[k] >= first;
    }
    page_unlock(page);
    return hit;
}

uint64_t unit_bytes_hash(const uint8_t *bytes, size_t n)
{
    uint64_t h = n;
    for (; n >= 8; n -= 8, bytes += 8) {
        h = mix(h ^ ldle64(bytes));
    }
    uint64_t rest = 0;
    memcpy(&rest, bytes, n);
    return mix(h ^ rest);
}

void tb_fork_lock(void)
{
    for (unsigned i = 0; i < TCG_N_STRIPES; i++) {
        pthread_mutex_lock(&tb.page_stripes[i]);
    }
    stripes_lock();
    pthread_mutex_lock(&tb.page_table_lock);
}

void tb_fork_unlock(void)
{
    pthread_mutex_unlock(&tb.page_table_lock);
    stripes_unlock();
    for (unsigned i = TCG_N_STRIPES; i-- > 0;) {
        pthread_mutex_unlock(&tb.page_stripes[i]);
    }
}
