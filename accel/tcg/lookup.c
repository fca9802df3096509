/*
 * lookup.c: from the current pc to the unit's code, and the jump caches generated code probes.
 *
 * A vCPU has a few jump-cache tables, one for each recent combination of translation mode, flags and
 * TLB set; the one in force is in jit.jump_cache. Only the owning thread writes entries. Other threads
 * may empty one (invalidation): they replace the pc by one that cannot be looked up at this index, so a
 * reader that has compared already still finds code, which stays in place until it leaves (epochs).
 *
 * System mode: what is emptied because it may be mapped elsewhere now is only *put aside*: the pc is made one that does not match but can be told,
 * and the next look-up, which asks where the page is, takes the entry up again if it is where it was.
 */
#include "internal.h"

enum {
    FILTER_BITS = 1 << 14,
};

JumpCacheEntry jump_cache_empty[JUMP_CACHE_ENTRIES];

/* A pc whose index is another one: never equal to a pc that is looked up here. */
static inline vaddr never_pc(const Target *target, unsigned index)
{
    return (vaddr)(index ^ 1) << target->pc_shift;
}

static inline unsigned entry_index(const Target *target, vaddr pc)
{
    return jump_cache_index(target->pc_shift, pc);
}

/* That of an entry put aside, and back. Its index is another one, too, and not that of never_pc(). */
static inline vaddr aside_pc(const Target *target, vaddr pc)
{
    return pc ^ (vaddr)2 << target->pc_shift;
}

/* The fields are plain so that generated code and other rooms may use them; races on them are meant. */
static inline void entry_set_pc(JumpCacheEntry *e, vaddr pc)
{
    __atomic_store_n(&e->pc, pc, __ATOMIC_RELEASE);
}

static inline vaddr entry_pc(const JumpCacheEntry *e)
{
    return __atomic_load_n(&e->pc, __ATOMIC_RELAXED);
}

static inline unsigned filter_bit(vaddr addr)
{
    return (addr >> TCG_PAGE_BITS) * 0x9e3779b97f4a7c15u >> 50;
}
static_assert(FILTER_BITS == 1 << 14, "filter_bit takes fourteen bits");

static bool list_is_full(const JumpList *list)
{
    return list->n > TCG_N_LISTED_JUMPS;
}

static void list_add(JumpList *list, unsigned index)
{
    if (list->n < TCG_N_LISTED_JUMPS) {
        list->index[list->n] = (uint16_t)index;
    }
    list->n += list->n <= TCG_N_LISTED_JUMPS;
}

/* Own thread. `aside`: not for good. */
static void entry_empty(const Target *target, JumpCache *c, unsigned index, bool aside)
{
    JumpCacheEntry *e = &c->table[index];
    vaddr pc = entry_pc(e);
    if (!aside) {
        entry_set_pc(e, never_pc(target, index));
    } else if (entry_index(target, pc) == index) {
        /* If it is another thread's never_pc() by now it stays that. */
        __atomic_compare_exchange_n(&e->pc, &pc, aside_pc(target, pc), false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
    }
}

static void list_empty(TcgVcpu *tv, JumpCache *cache, JumpList *list, bool aside)
{
    for (unsigned k = 0; k < list->n; k++) {
        entry_empty(tv->vcpu->target, cache, list->index[k], aside);
    }
    COUNT_ADD(tv, jumps_emptied, list->n);
    list->n = 0;
}

/* Costs what was filled: 16-bit code with many code segments has more modes than there are tables. */
static void cache_clear(TcgVcpu *tv, JumpCache *cache, bool aside)
{
    if (list_is_full(&cache->local) || list_is_full(&cache->global) || (!aside && cache->aside)) {
        for (unsigned i = 0; i < JUMP_CACHE_ENTRIES; i++) {
            entry_empty(tv->vcpu->target, cache, i, aside);
        }
        COUNT_ADD(tv, jumps_emptied, JUMP_CACHE_ENTRIES);
        cache->local.n = cache->global.n = 0;
    } else {
        list_empty(tv, cache, &cache->local, aside);
        list_empty(tv, cache, &cache->global, aside);
    }
    cache->aside = aside;
    if (cache->filter) {
        memset(cache->filter, 0, FILTER_BITS / 8);
    }
}

void jump_cache_flush_local(TcgVcpu *tv, uint64_t space)
{
    for (unsigned i = 0; i < TCG_N_JUMP_CACHES; i++) {
        JumpCache *c = &tv->caches[i];
        if (!c->used || c->space != space || !c->local.n) {
            continue;
        }
        if (list_is_full(&c->local)) {
            cache_clear(tv, c, true);
            continue;
        }
        list_empty(tv, c, &c->local, true);
        c->aside = true;
        if (!c->global.n) {
            memset(c->filter, 0, FILTER_BITS / 8);
        }
    }
}

/* System mode: notes a page of an entry for a later flush. True: it is mapped globally. */
static bool note_page(TcgVcpu *tv, JumpCache *c, vaddr page)
{
    unsigned bit = filter_bit(page);
    c->filter[bit / 64] |= BIT(bit % 64);
    return tcg_system->code_is_global(tv, page);
}

static bool note_pages(TcgVcpu *tv, JumpCache *c, const TransUnit *unit)
{
    bool global = true;
    for (unsigned i = 0; i < unit->n_pages; i++) {
        global &= note_page(tv, c, ROUND_DOWN(unit->pc, (vaddr)TCG_PAGE_BYTES) + i * TCG_PAGE_BYTES);
    }
    return global;
}

static void cache_attach(TcgVcpu *tv, JumpCache *cache)
{
    tv->cache = cache;
    cache->last_use = ++tv->cache_clock;
    tv->vcpu->jit.jump_cache = cache->table;
}

static void jump_cache_select_slow(TcgVcpu *tv, uint64_t mode, uint32_t flags, uint64_t space)
{
    JumpCache *victim = NULL, *kin = NULL;
    unsigned n_kin = 0;
    for (unsigned i = 0; i < TCG_N_JUMP_CACHES; i++) {
        JumpCache *c = &tv->caches[i];
        bool same = c->used && c->mode == mode && c->flags == flags;
        if (same && c->space == space) {
            cache_attach(tv, c);
            return;
        }
        if (!victim || (victim->used && (!c->used || c->last_use < victim->last_use))) {
            victim = c;
        }
        n_kin += same;
        if (same && (!kin || c->last_use < kin->last_use)) {
            kin = c;
        }
    }
    /* A kernel is the same in every address space: what is known of it is worth more than a table to itself. */
    bool aside = tv->vcpu->softmmu && n_kin >= TCG_N_JUMP_CACHES / 4;
    if (aside) {
        victim = kin;
    }
    JumpCacheEntry *table = victim->table;
    if (!victim->filter && tv->vcpu->softmmu) {
        victim->filter = xcalloc(1, FILTER_BITS / 8);
    }
    if (!table) {
        /* Zeroes are empty entries everywhere but at the index of pc 0, so the pages of the table come into being when they are filled. */
        table = xcalloc(JUMP_CACHE_ENTRIES, sizeof(JumpCacheEntry));
        table[0].pc = never_pc(tv->vcpu->target, 0);
        victim->phys = tv->vcpu->softmmu ? xcalloc(JUMP_CACHE_ENTRIES, sizeof(victim->phys[0])) : NULL;
    }
    /* Others look at the tables under this lock. */
    pthread_mutex_lock(&tcg.vcpus_lock);
    bool fresh = !victim->table;
    victim->table = table;
    victim->mode = mode;
    victim->flags = flags;
    victim->space = space;
    victim->used = true;
    if (!fresh) {
        cache_clear(tv, victim, aside);
    }
    pthread_mutex_unlock(&tcg.vcpus_lock);
    cache_attach(tv, victim);
}

void jump_cache_select(TcgVcpu *tv, uint64_t mode, uint32_t flags)
{
    if (unlikely(flags & UNIT_STEP) || unlikely(tcg.options.nochain)
        || log_enabled(LOG_NOCHAIN | LOG_EXEC | LOG_CPU)) {
        tv->cache = NULL;
        tv->vcpu->jit.jump_cache = jump_cache_empty;
        return;
    }
    uint64_t space = tcg_system && tv->vcpu->softmmu ? tcg_system->space(tv) : 0;
    JumpCache *c = tv->cache;
    if (likely(c && c->mode == mode && c->flags == flags && c->space == space)) {
        return;
    }
    jump_cache_select_slow(tv, mode, flags, space);
}

/* JumpCache.phys: the page, and whether it is guarded. */
static inline uint64_t phys_of(uint64_t page, uint32_t flags)
{
    return page | (flags & UNIT_GUARDED ? BIT(63) : 0);
}

void jump_cache_fill(TcgVcpu *tv, TransUnit *unit)
{
    JumpCache *c = tv->cache;
    if (!c || (unit->flags & UNIT_STEP)) {
        return;
    }
    unsigned index = entry_index(tv->vcpu->target, unit->pc);
    bool global = tv->vcpu->softmmu && note_pages(tv, c, unit);
    list_add(global ? &c->global : &c->local, index);
    JumpCacheEntry *e = &c->table[index];
    if (c->phys) {
        c->phys[index] = unit->n_pages == 1 ? phys_of(unit->phys[0], unit->flags) : TCG_NO_PAGE;
    }
    __atomic_store_n(&e->code, (const void *)unit->code, __ATOMIC_RELAXED);
    __atomic_store_n(&e->pc, unit->pc, __ATOMIC_SEQ_CST);
    /* Invalidation marks first and purges afterwards, so one of us sees the other. */
    if (atomic_load(&unit->invalid)) {
        entry_set_pc(e, never_pc(tv->vcpu->target, index));
    }
}

/* The entry of pc in the table in use, put aside, if the page is still there. */
static const void *take_up(TcgVcpu *tv, vaddr pc)
{
    const Target *target = tv->vcpu->target;
    JumpCache *c = tv->cache;
    unsigned index = entry_index(target, pc);
    JumpCacheEntry *e = &c->table[index];
    vaddr aside = aside_pc(target, pc);
    uint64_t page;
    const uint8_t *host;
    if (entry_pc(e) != aside || !tv->vcpu->softmmu || c->phys[index] == TCG_NO_PAGE) {
        return NULL;
    }
    /* Before the page is asked for: that may flush. */
    const void *code = __atomic_load_n(&e->code, __ATOMIC_RELAXED);
    if (!tcg_system->code_page(tv, pc, &page, &host) || phys_of(page, guarded_flag(tv, pc, c->mode)) != c->phys[index]) {
        return NULL;
    }
    bool global = note_page(tv, c, ROUND_DOWN(pc, (vaddr)TCG_PAGE_BYTES));
    if (!__atomic_compare_exchange_n(&e->pc, &aside, pc, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
        return NULL; /* purged */
    }
    list_add(global ? &c->global : &c->local, index);
    COUNT(tv, jumps_taken_up);
    return code;
}

/* The unit's entry, in use or put aside, matches nothing from now on, whatever its owner does. */
static void purge_entry(const Target *target, JumpCacheEntry *e, vaddr pc, unsigned index)
{
    vaddr now = entry_pc(e);
    while ((now == pc || now == aside_pc(target, pc))
           && !__atomic_compare_exchange_n(&e->pc, &now, never_pc(target, index), false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
    }
}

void jump_cache_purge_unit(const TransUnit *unit)
{
    pthread_mutex_lock(&tcg.vcpus_lock);
    for (TcgVcpu *tv = tcg.vcpus; tv; tv = tv->next) {
        const Target *target = tv->vcpu->target;
        unsigned index = entry_index(target, unit->pc);
        for (unsigned i = 0; i < TCG_N_JUMP_CACHES; i++) {
            JumpCache *c = &tv->caches[i];
            if (c->used && c->mode == unit->mode) {
                purge_entry(target, &c->table[index], unit->pc, index);
            }
        }
    }
    pthread_mutex_unlock(&tcg.vcpus_lock);
}

void jump_cache_purge_all(void)
{
    pthread_mutex_lock(&tcg.vcpus_lock);
    for (TcgVcpu *tv = tcg.vcpus; tv; tv = tv->next) {
        for (unsigned i = 0; i < TCG_N_JUMP_CACHES; i++) {
            JumpCache *c = &tv->caches[i];
            for (unsigned k = 0; c->used && k < JUMP_CACHE_ENTRIES; k++) {
                entry_set_pc(&c->table[k], never_pc(tv->vcpu->target, k));
            }
        }
    }
    pthread_mutex_unlock(&tcg.vcpus_lock);
}

/* Entries whose pc is in [first, first + n). */
static void flush_pcs(const Target *target, JumpCache *c, vaddr first, unsigned n)
{
    for (vaddr at = first; at - first < n; at += (vaddr)1 << target->pc_shift) {
        unsigned k = entry_index(target, at);
        if (entry_pc(&c->table[k]) == at) {
            entry_empty(target, c, k, true);
        }
    }
}

static inline bool filter_has(const JumpCache *c, vaddr page)
{
    unsigned bit = filter_bit(page);
    return c->filter[bit / 64] >> bit % 64 & 1;
}

void jump_cache_flush_page(TcgVcpu *tv, vaddr addr, uint64_t space, bool any_space)
{
    const Target *target = tv->vcpu->target;
    vaddr page = ROUND_DOWN(addr, (vaddr)TCG_PAGE_BYTES);
    unsigned reach = ROUND_UP(target->max_insn_bytes, 1u << target->pc_shift);
    for (unsigned i = 0; i < TCG_N_JUMP_CACHES; i++) {
        JumpCache *c = &tv->caches[i];
        if (!c->used || (!any_space && c->space != space)) {
            continue;
        }
        if (filter_has(c, page)) {
            c->aside = true;
            flush_pcs(target, c, page, TCG_PAGE_BYTES);
            /* An instruction that begins on the page before may reach into this one. */
            flush_pcs(target, c, page - reach, reach);
        }
    }
}

void jump_cache_move_space(TcgVcpu *tv, uint64_t from, uint64_t to)
{
    for (unsigned i = 0; i < TCG_N_JUMP_CACHES; i++) {
        JumpCache *c = &tv->caches[i];
        if (c->used && c->space == from) {
            cache_clear(tv, c, true);
            c->space = to;
        }
    }
}

void jump_cache_free(TcgVcpu *tv)
{
    for (unsigned i = 0; i < TCG_N_JUMP_CACHES; i++) {
        free(tv->caches[i].table);
        free(tv->caches[i].filter);
        free(tv->caches[i].phys);
    }
}

/* ---- look-up ---- */

uint32_t unit_flags(const Vcpu *vcpu)
{
    return (vcpu->parallel ? UNIT_PARALLEL : 0)
           | (vcpu->one_insn_per_tb || tcg.options.one_insn_per_tb ? UNIT_ONE_INSN : 0)
           | (vcpu->single_step ? UNIT_STEP : 0) | (vcpu->use_icount ? UNIT_ICOUNT : 0);
}

/* Where the code at pc is; NULL pages mean: not known without faulting. */
static bool code_pages(TcgVcpu *tv, vaddr pc, uint64_t phys[2])
{
    phys[0] = pc >> TCG_PAGE_BITS;
    phys[1] = TCG_NO_PAGE;
    if (!tv->vcpu->softmmu) {
        return true;
    }
    const uint8_t *host;
    return tcg_system->code_page(tv, pc, &phys[0], &host);
}

/* A unit that reaches into the next page is only good if that one is mapped as it was. */
static TransUnit *check_second_page(TcgVcpu *tv, TransUnit *unit)
{
    uint64_t page;
    const uint8_t *host;
    vaddr next = ROUND_DOWN(unit->pc, (vaddr)TCG_PAGE_BYTES) + TCG_PAGE_BYTES;
    if (!tcg_system->code_page(tv, next, &page, &host) || page != unit->phys[1]) {
        return NULL; /* translation finds the fault, or the other page */
    }
    return unit;
}

const void *jump_cache_probe(TcgVcpu *tv)
{
    const Target *target = tv->vcpu->target;
    vaddr pc = target->get_pc(tv->vcpu);
    const JumpCacheEntry *e = &tv->cache->table[entry_index(target, pc)];
    return entry_pc(e) == pc ? __atomic_load_n(&e->code, __ATOMIC_RELAXED) : take_up(tv, pc);
}

uint32_t guarded_flag(TcgVcpu *tv, vaddr pc, uint64_t mode)
{
    if (likely(!(mode & tv->vcpu->target->guard_mode))) {
        return 0;
    }
    if (tv->vcpu->softmmu) {
        return tcg_system->code_is_guarded(tv, pc) ? UNIT_GUARDED : 0;
    }
    int prot = tcg.have_user_ops ? tcg.user.page_prot(pc) : -1;
    return prot >= 0 && (prot & PAGE_GUARDED) ? UNIT_GUARDED : 0;
}

TransUnit *lookup_unit(TcgVcpu *tv, uint64_t mode, uint32_t flags)
{
    vaddr pc = tv->vcpu->target->get_pc(tv->vcpu);
    uint64_t phys[2];
    COUNT(tv, lookups);
    if (unlikely(!code_pages(tv, pc, phys))) {
        tv->has_fault = true;
        return NULL;
    }
    flags |= guarded_flag(tv, pc, mode);
    TransUnit *unit = tb_find(pc, mode, flags, phys);
    if (unit && unlikely(unit->n_pages > 1 && tv->vcpu->softmmu)) {
        unit = check_second_page(tv, unit);
    }
    if (likely(unit)) {
        COUNT(tv, hash_hits);
    } else {
        unit = translate_unit(tv, pc, mode, flags);
        if (!unit) {
            return NULL;
        }
    }
    jump_cache_fill(tv, unit);
    return unit;
}

const void *tcg_lookup(Vcpu *vcpu)
{
    TcgVcpu *tv = tcg_vcpu(vcpu);
    if (unlikely(atomic_load_explicit(&vcpu->jit.exit_request, memory_order_relaxed)) || !tv->cache) {
        return NULL; /* the main loop decides */
    }
    uint64_t mode = vcpu->target->trans_mode(vcpu);
    if (unlikely(mode != tv->cache->mode)) {
        return NULL;
    }
    const void *code = take_up(tv, vcpu->target->get_pc(vcpu));
    if (code) {
        return code;
    }
    TransUnit *unit = lookup_unit(tv, mode, tv->cache->flags);
    if (!unit) {
        /* A fault is found again, with the state the main loop expects. */
        tv->has_fault = false;
        return NULL;
    }
    return unit->code;
}
