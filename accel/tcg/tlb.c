/*
 * tlb.c: the soft TLB: look-up, fill, flushes, address-space switches.
 *
 * Order of look-up after the inline check failed: the entry itself (flags only), the victim table, the
 * set's large pages (no page walk), the target's walk. Tables grow when entries push each other out.
 *
 * A page that code was translated from keeps a clear DIRTY_CODE bit while it is watched; write entries for it carry
 * TLB_NOTDIRTY. Entries are made under the lock after reading the bit; whoever clears the bit then
 * takes the lock of each vCPU and marks its write entries. So no write entry escapes. A store whose check was done before may
 * still land after the page was read: fresh.c.
 *
 * Leaves out: pages whose attributes differ within 4 KiB are translated anew at each access (PMP).
 * Threads: see tlb.h.
 */
#include "tlb.h"

enum {
    MAX_LARGE_BITS = 48, /* no translation at all is not a large page */
};
static const uint32_t min_entries = TLB_MIN_ENTRIES;

/* jit.tlb of a table that does not exist yet: one entry that never matches. */
static TlbEntry no_entries[1] = { { UINT64_MAX, UINT64_MAX, UINT64_MAX, 0 } };

static inline uint32_t entry_index(const TlbTable *t, vaddr addr)
{
    return addr >> TCG_PAGE_BITS & (t->n - 1);
}

static inline vaddr page_of(vaddr addr)
{
    return ROUND_DOWN(addr, (vaddr)TCG_PAGE_BYTES);
}

/* The tag says this page is mapped for the access, with or without flags. */
static inline bool tag_hits(vaddr tag, vaddr addr)
{
    return (tag & ~(vaddr)(TLB_FLAGS & ~TLB_INVALID)) == page_of(addr);
}

static inline bool entry_hits_any(TlbEntry *e, vaddr page)
{
    return tag_hits(e->read, page) || tag_hits(tlb_tag_get(e, MMU_WRITE), page) || tag_hits(e->code, page);
}

static void entry_clear(TlbEntry *e)
{
    __atomic_store_n(&e->read, UINT64_MAX, __ATOMIC_RELAXED);
    __atomic_store_n(&e->write, UINT64_MAX, __ATOMIC_RELAXED);
    __atomic_store_n(&e->code, UINT64_MAX, __ATOMIC_RELAXED);
}

static inline bool entry_empty(const TlbEntry *e)
{
    return e->read == UINT64_MAX && e->write == UINT64_MAX && e->code == UINT64_MAX;
}

/* ---- tables and sets ---- */

static void publish(TcgVcpu *tv)
{
    TlbSet *set = tv->tlb->current;
    for (unsigned m = 0; m < VCPU_MAX_MMU_MODES; m++) {
        TlbTable *t = &set->table[m];
        tv->vcpu->jit.tlb[m] = (TlbFast){
            .mask = t->entries ? (t->n - 1) * sizeof(TlbEntry) : 0,
            .table = t->entries ? t->entries : no_entries,
        };
    }
}

/* The entry at i is not global, perhaps: a flush of one address space looks there. */
static inline void note_local(TlbTable *t, uint32_t i)
{
    if (t->n_local < TLB_N_LOCAL) {
        t->local[t->n_local] = (uint16_t)i;
    }
    t->n_local += t->n_local <= TLB_N_LOCAL;
}
static_assert(TLB_MAX_ENTRIES <= UINT16_MAX + 1, "TlbTable.local");

static void table_clear(TlbTable *t)
{
    if (t->entries) {
        memset(t->entries, 0xff, t->n * sizeof(TlbEntry));
        for (unsigned i = 0; i < TLB_N_VICTIMS; i++) {
            entry_clear(&t->victims[i].entry);
        }
    }
    t->n_used = t->n_conflicts = t->n_local = 0;
}

static void table_alloc(TlbTable *t, uint32_t n)
{
    t->entries = xmemalign(64, n * sizeof(TlbEntry));
    t->side = xnew_array(TlbSide, n);
    t->n = n;
    table_clear(t);
}

/* Twice as many entries; what is there stays. */
static void table_grow(TlbTable *t)
{
    TlbTable old = *t;
    t->entries = xmemalign(64, 2 * old.n * sizeof(TlbEntry));
    t->side = xnew_array(TlbSide, 2 * old.n);
    t->n = 2 * old.n;
    memset(t->entries, 0xff, t->n * sizeof(TlbEntry));
    t->n_conflicts = 0;
    t->n_local = TLB_N_LOCAL + 1; /* they move */
    for (uint32_t i = 0; i < old.n; i++) {
        TlbEntry *e = &old.entries[i];
        if (!entry_empty(e)) {
            vaddr tag = e->read != UINT64_MAX ? e->read : e->write != UINT64_MAX ? e->write : e->code;
            uint32_t to = entry_index(t, tag);
            t->entries[to] = *e;
            t->side[to] = old.side[i];
        }
    }
    free(old.entries);
    free(old.side);
}

static void set_clear(TlbSet *set)
{
    for (unsigned m = 0; m < VCPU_MAX_MMU_MODES; m++) {
        TlbTable *t = &set->table[m];
        /* A table that was hardly used shrinks. */
        if (t->entries && t->n > min_entries && t->n_used < t->n / 8) {
            free(t->entries);
            free(t->side);
            table_alloc(t, t->n / 2);
        } else {
            table_clear(t);
        }
    }
    memset(set->large, 0, sizeof(set->large));
    for (unsigned k = 0; k < 2; k++) {
        set->lost[k].first = UINT64_MAX;
        set->lost[k].last = 0;
    }
}

void tlb_set_asid(Vcpu *vcpu, uint32_t asid, uint64_t root)
{
    TcgVcpu *tv = tcg_vcpu(vcpu);
    TlbState *s = tv->tlb;
    if (!s || (s->current->asid == asid && s->current->root == root)) {
        return;
    }
    COUNT(tv, tlb_switches);
    TlbSet *victim = NULL;
    for (unsigned i = 0; i < TLB_N_SETS; i++) {
        TlbSet *set = &s->sets[i];
        if (set->used && set->asid == asid && set->root == root) {
            COUNT(tv, tlb_set_hits);
            victim = set;
            break;
        }
        if (!victim || (victim->used && (!set->used || set->last_use < victim->last_use))) {
            victim = set;
        }
    }
    pthread_mutex_lock(&s->lock);
    if (!victim->used || victim->asid != asid || victim->root != root) {
        if (victim->used) {
            set_clear(victim);
        }
        victim->used = true;
        victim->asid = asid;
        victim->root = root;
        victim->id = ++s->next_id;
    }
    victim->last_use = ++s->clock;
    s->current = victim;
    publish(tv);
    pthread_mutex_unlock(&s->lock);
}

uint64_t tlb_space(TcgVcpu *tv)
{
    return tv->tlb->current->id;
}

void tlb_vcpu_init(TcgVcpu *tv)
{
    TlbState *s = xnew(TlbState);
    pthread_mutex_init(&s->lock, NULL);
    s->current = &s->sets[0];
    for (unsigned i = 0; i < TLB_N_SETS; i++) {
        set_clear(&s->sets[i]);
    }
    s->current->used = true;
    s->current->id = ++s->next_id;
    tv->tlb = s;
    publish(tv);
}

void tlb_vcpu_free(TcgVcpu *tv)
{
    for (unsigned i = 0; i < TLB_N_SETS; i++) {
        for (unsigned m = 0; m < VCPU_MAX_MMU_MODES; m++) {
            free(tv->tlb->sets[i].table[m].entries);
            free(tv->tlb->sets[i].table[m].side);
        }
    }
    pthread_mutex_destroy(&tv->tlb->lock);
    free(tv->tlb);
    tv->tlb = NULL;
}

/* ---- flushes ---- */

void tlb_flush(Vcpu *vcpu)
{
    TcgVcpu *tv = tcg_vcpu(vcpu);
    TlbState *s = tv->tlb;
    if (!s) {
        return;
    }
    COUNT(tv, tlb_flushes);
    pthread_mutex_lock(&s->lock);
    for (unsigned i = 0; i < TLB_N_SETS; i++) {
        TlbSet *set = &s->sets[i];
        if (set == s->current) {
            uint64_t old = set->id;
            set_clear(set);
            set->id = ++s->next_id;
            jump_cache_move_space(tv, old, set->id);
        } else if (set->used) {
            set_clear(set);
            set->used = false;
        }
    }
    memset(s->written, 0, sizeof(s->written));
    publish(tv);
    pthread_mutex_unlock(&s->lock);
}

static void table_flush_local(TlbTable *t)
{
    if (!t->entries || !t->n_local) {
        return;
    }
    bool all = t->n_local > TLB_N_LOCAL;
    for (uint32_t k = 0; k < (all ? t->n : t->n_local); k++) {
        uint32_t i = all ? k : t->local[k];
        if (!t->side[i].global) {
            entry_clear(&t->entries[i]);
        }
    }
    for (unsigned k = 0; k < TLB_N_VICTIMS; k++) {
        if (!t->victims[k].side.global) {
            entry_clear(&t->victims[k].entry);
        }
    }
    t->n_local = 0;
}

void tlb_flush_asid(Vcpu *vcpu, uint32_t asid)
{
    TcgVcpu *tv = tcg_vcpu(vcpu);
    TlbState *s = tv->tlb;
    if (!s) {
        return;
    }
    COUNT(tv, tlb_flushes);
    pthread_mutex_lock(&s->lock);
    for (unsigned i = 0; i < TLB_N_SETS; i++) {
        TlbSet *set = &s->sets[i];
        if (!set->used || set->asid != asid) {
            continue;
        }
        for (unsigned m = 0; m < VCPU_MAX_MMU_MODES; m++) {
            table_flush_local(&set->table[m]);
        }
        for (unsigned k = 0; k < TLB_N_LARGE; k++) {
            if (!set->large[k].global) {
                set->large[k].page_bits = 0;
            }
        }
        jump_cache_flush_local(tv, set->id);
    }
    pthread_mutex_unlock(&s->lock);
}

static void table_flush_range(TlbTable *t, vaddr first, vaddr last)
{
    if (!t->entries) {
        return;
    }
    if ((last - first) >> TCG_PAGE_BITS < t->n) {
        for (vaddr page = first;; page += TCG_PAGE_BYTES) {
            TlbEntry *e = &t->entries[entry_index(t, page)];
            if (entry_hits_any(e, page)) {
                entry_clear(e);
            }
            if (page == page_of(last)) {
                break;
            }
        }
    } else {
        for (uint32_t i = 0; i < t->n; i++) {
            TlbEntry *e = &t->entries[i];
            vaddr tag = e->read != UINT64_MAX ? e->read : e->write != UINT64_MAX ? e->write : e->code;
            if (tag != UINT64_MAX && page_of(tag) - first <= last - first) {
                entry_clear(e);
            }
        }
    }
    for (unsigned k = 0; k < TLB_N_VICTIMS; k++) {
        TlbEntry *e = &t->victims[k].entry;
        vaddr tag = e->read != UINT64_MAX ? e->read : e->write != UINT64_MAX ? e->write : e->code;
        if (tag != UINT64_MAX && page_of(tag) - first <= last - first) {
            entry_clear(e);
        }
    }
}

static void set_flush_range(TlbSet *set, vaddr first, vaddr last)
{
    /* A large page that is touched goes whole, with every entry made from it. */
    for (unsigned k = 0; k < TLB_N_LARGE; k++) {
        TlbLarge *l = &set->large[k];
        vaddr end = l->page + bits_mask(0, l->page_bits ? l->page_bits : 1);
        if (l->page_bits && l->page <= last && end >= first) {
            l->page_bits = 0;
            first = MIN(first, l->page);
            last = MAX(last, end);
        }
    }
    for (unsigned k = 0; k < 2; k++) {
        if (set->lost[k].first <= last && set->lost[k].last >= first) {
            set_clear(set);
            return;
        }
    }
    for (unsigned m = 0; m < VCPU_MAX_MMU_MODES; m++) {
        table_flush_range(&set->table[m], page_of(first), last);
    }
}

void tlb_flush_range(Vcpu *vcpu, vaddr addr, uint64_t size_bytes)
{
    TcgVcpu *tv = tcg_vcpu(vcpu);
    TlbState *s = tv->tlb;
    if (!s || !size_bytes) {
        return;
    }
    COUNT(tv, tlb_page_flushes);
    vaddr first = page_of(addr), last = addr + size_bytes - 1;
    if (last < addr) {
        last = UINT64_MAX;
    }
    pthread_mutex_lock(&s->lock);
    for (unsigned i = 0; i < TLB_N_SETS; i++) {
        if (s->sets[i].used) {
            set_flush_range(&s->sets[i], first, last);
        }
    }
    publish(tv);
    pthread_mutex_unlock(&s->lock);
    if ((last - first) >> TCG_PAGE_BITS < 16) {
        for (vaddr page = first;; page += TCG_PAGE_BYTES) {
            jump_cache_flush_page(tv, page, 0, true);
            if (page == page_of(last)) {
                break;
            }
        }
    } else {
        for (unsigned i = 0; i < TLB_N_SETS; i++) {
            uint64_t old = s->sets[i].id;
            s->sets[i].id = ++s->next_id;
            jump_cache_move_space(tv, old, s->sets[i].id);
        }
    }
}

void tlb_flush_page(Vcpu *vcpu, vaddr addr)
{
    tlb_flush_range(vcpu, page_of(addr), TCG_PAGE_BYTES);
}

void tlb_flush_all_vcpus(Machine *machine)
{
    pthread_mutex_lock(&tcg.vcpus_lock);
    for (TcgVcpu *tv = tcg.vcpus; tv; tv = tv->next) {
        if (tv->tlb && tv->vcpu->machine == machine) {
            atomic_store(&tv->tlb->flush_requested, true);
            vcpu_kick(tv->vcpu);
        }
    }
    pthread_mutex_unlock(&tcg.vcpus_lock);
}

void tlb_requests(TcgVcpu *tv)
{
    if (atomic_exchange(&tv->tlb->flush_requested, false)) {
        tlb_flush(tv->vcpu);
    }
    tlb_serve_asks(tv);
}

/* ---- fill ---- */

static inline unsigned filter_bit(const RamBlock *ram, uint64_t ram_offset)
{
    return ((ram->ram_addr + ram_offset) >> TCG_PAGE_BITS) * 0x9e3779b97f4a7c15u >> 52;
}
static_assert(TLB_FILTER_BITS == 1 << 12, "filter_bit takes twelve bits");

void tlb_log_code(RamBlock *ram)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&lock);
    if (!ram->dirty[DIRTY_CODE]) {
        ram_dirty_log(ram, DIRTY_CODE, true);
    }
    pthread_mutex_unlock(&lock);
}

/* Whether some client must hear of stores to the page. */
static bool page_watched(const TlbSide *side)
{
    uint8_t clients = atomic_load_explicit(&side->ram->region->dirty_clients, memory_order_relaxed);
    clients &= ~(1u << DIRTY_CODE);
    bool watched = !ram_dirty_get(side->ram, DIRTY_CODE, side->ram_offset);
    for (unsigned c = 0; c < DIRTY_N && !watched; c++) {
        watched = (clients >> c & 1) && !ram_dirty_get(side->ram, c, side->ram_offset);
    }
    return watched;
}

/* Builds the entry for `page` at `phys`. Under the lock. */
static void make_entry(TcgVcpu *tv, vaddr page, gpa phys, uint8_t prot, bool global, TlbEntry *e,
                       TlbSide *side)
{
    rcu_read_lock();
    MemLookup l = memory_lookup_page(tlb_space_of(tv->vcpu, prot), phys, TCG_PAGE_BYTES);
    rcu_read_unlock();
    if (l.ram && unlikely(!l.ram->dirty[DIRTY_CODE])) {
        tlb_log_code(l.ram);
    }
    *side = (TlbSide){ .mr = l.mr, .offset = l.offset, .ram = l.ram, .phys = phys, .global = global,
                       .readonly = l.readonly, .prot = prot };
    if (!l.host) {
        side->ram = NULL;
        side->whole = l.mr && l.length >= TCG_PAGE_BYTES;
    } else {
        side->ram_offset = l.ram_addr - l.ram->ram_addr;
    }
    vaddr flags = l.host ? 0 : TLB_MMIO;
    vaddr watch = watchpoint_on_page(page) ? TLB_WATCH : 0;
    vaddr read = prot & PAGE_READ ? page | flags | watch : UINT64_MAX;
    vaddr code = prot & PAGE_EXEC ? page | flags : UINT64_MAX;
    vaddr write = UINT64_MAX;
    if (prot & PAGE_WRITE) {
        /* A plain write tag says that loads are allowed, too: hosts let loads share the check of a store. */
        write = page | flags | (prot & PAGE_READ ? watch : TLB_WATCH);
        if (l.readonly) {
            write |= TLB_MMIO; /* the memory core knows what a write to ROM does */
        } else if (l.host) {
            unsigned bit = filter_bit(side->ram, side->ram_offset);
            tv->tlb->written[bit / 64] |= BIT(bit % 64);
            write |= page_watched(side) ? TLB_NOTDIRTY : 0;
        }
    }
    e->addend = l.host ? (uintptr_t)l.host - page : 0;
    __atomic_store_n(&e->read, read, __ATOMIC_RELAXED);
    __atomic_store_n(&e->code, code, __ATOMIC_RELAXED);
    __atomic_store_n(&e->write, write, __ATOMIC_RELAXED);
}

/* Puts a translation where the inline check finds it. */
static uint32_t install(TcgVcpu *tv, TlbTable *t, vaddr page, gpa phys, uint8_t prot, bool global)
{
    TlbState *s = tv->tlb;
    pthread_mutex_lock(&s->lock);
    if (!t->entries) {
        table_alloc(t, min_entries);
        publish(tv);
    }
    TlbEntry *e = &t->entries[entry_index(t, page)];
    if (!entry_empty(e) && !entry_hits_any(e, page)) {
        if (++t->n_conflicts > t->n / 2 && t->n < TLB_MAX_ENTRIES) {
            table_grow(t);
            publish(tv);
            e = &t->entries[entry_index(t, page)];
        }
    }
    uint32_t i = entry_index(t, page);
    if (entry_empty(e)) {
        t->n_used++;
    } else if (!entry_hits_any(e, page)) {
        TlbVictim *v = &t->victims[t->next_victim++ % TLB_N_VICTIMS];
        v->entry = *e;
        v->side = t->side[i];
    }
    make_entry(tv, page, phys, prot, global, e, &t->side[i]);
    if (!global) {
        note_local(t, i);
    }
    pthread_mutex_unlock(&s->lock);
    return i;
}

/* Swaps the victim that hits with the entry in its place. */
static bool victim_swap(TcgVcpu *tv, TlbTable *t, vaddr addr, MmuAccess access)
{
    for (unsigned k = 0; k < TLB_N_VICTIMS; k++) {
        TlbVictim *v = &t->victims[k];
        if (!tag_hits(tlb_tag_get(&v->entry, access), addr)) {
            continue;
        }
        pthread_mutex_lock(&tv->tlb->lock);
        if (++t->n_conflicts > t->n / 2 && t->n < TLB_MAX_ENTRIES) {
            table_grow(t);
            publish(tv);
        }
        uint32_t i = entry_index(t, addr);
        TlbVictim old = { t->entries[i], t->side[i] };
        t->entries[i] = v->entry;
        t->side[i] = v->side;
        *v = old;
        if (!t->side[i].global) {
            note_local(t, i);
        }
        pthread_mutex_unlock(&tv->tlb->lock);
        COUNT(tv, tlb_victim_hits);
        return true;
    }
    return false;
}

static const uint8_t prot_of[] = { [MMU_READ] = PAGE_READ, [MMU_WRITE] = PAGE_WRITE, [MMU_FETCH] = PAGE_EXEC };

static const TlbLarge *large_find(const TlbSet *set, vaddr addr, MmuAccess access, unsigned mmu_index)
{
    for (unsigned k = 0; k < TLB_N_LARGE; k++) {
        const TlbLarge *l = &set->large[k];
        if (l->page_bits && l->mmu_index == mmu_index && l->prot & prot_of[access]
            && (addr ^ l->page) >> l->page_bits == 0) {
            return l;
        }
    }
    return NULL;
}

static void large_add(TlbSet *set, vaddr addr, const TlbFill *f, unsigned mmu_index)
{
    vaddr page = ROUND_DOWN(addr, (vaddr)1 << f->page_bits);
    TlbLarge *to = NULL;
    for (unsigned k = 0; k < TLB_N_LARGE && !to; k++) {
        TlbLarge *l = &set->large[k];
        if (l->page_bits == f->page_bits && l->page == page && l->mmu_index == mmu_index) {
            to = l;
        }
    }
    if (!to) {
        to = &set->large[set->next_large++ % TLB_N_LARGE];
        if (to->page_bits) {
            /* Its entries would outlive a flush of another part of it: remember where. */
            unsigned k = to->page >> 63;
            set->lost[k].first = MIN(set->lost[k].first, to->page);
            set->lost[k].last = MAX(set->lost[k].last, to->page + bits_mask(0, to->page_bits));
        }
    }
    *to = (TlbLarge){ .page = page, .phys = f->phys, .page_bits = f->page_bits, .prot = f->prot,
                      .mmu_index = mmu_index, .global = f->global };
}

TlbEntry *tlb_find(TcgVcpu *tv, vaddr addr, MmuAccess access, unsigned size_bytes, unsigned mmu_index,
                   bool probe, TlbSide **ret_side)
{
    TlbState *s = tv->tlb;
    TlbSet *set = s->current;
    TlbTable *t = &set->table[mmu_index];
    uint32_t i = 0;
    if (likely(t->entries)) {
        i = entry_index(t, addr);
        if (tag_hits(tlb_tag_get(&t->entries[i], access), addr)) {
            goto found;
        }
        if (victim_swap(tv, t, addr, access)) {
            i = entry_index(t, addr); /* it may have grown */
            goto found;
        }
    }
    const TlbLarge *large = large_find(set, addr, access, mmu_index);
    if (large) {
        COUNT(tv, tlb_large_hits);
        gpa phys = large->phys + (page_of(addr) - large->page);
        i = install(tv, t, page_of(addr), phys, large->prot, large->global);
        goto found;
    }
    TlbFill f = { 0 };
    Vcpu *vcpu = tv->vcpu;
    if (!vcpu->target->tlb_fill(vcpu, addr, access, size_bytes, mmu_index, probe, &f)) {
        return NULL;
    }
    COUNT(tv, tlb_fills);
    if (unlikely(f.page_bits < TCG_PAGE_BITS)) {
        gpa at = f.phys + (addr & bits_mask(0, f.page_bits ? f.page_bits : 1));
        if (!f.page_bits) {
            at = f.phys;
        }
        gpa page = ROUND_DOWN(at, (gpa)TCG_PAGE_BYTES);
        pthread_mutex_lock(&s->lock);
        make_entry(tv, page_of(addr), page, f.prot, f.global, &s->once, &s->once_side);
        pthread_mutex_unlock(&s->lock);
        *ret_side = &s->once_side;
        return &s->once;
    }
    gpa phys = f.phys;
    if (f.page_bits > TCG_PAGE_BITS) {
        if (f.page_bits <= MAX_LARGE_BITS) {
            /* `lost` and `large` are only this thread's. */
            large_add(set, addr, &f, mmu_index);
        }
        phys += ROUND_DOWN(addr & bits_mask(0, MIN(f.page_bits, 64)), (vaddr)TCG_PAGE_BYTES);
    }
    i = install(tv, t, page_of(addr), phys, f.prot, f.global);
found:
    *ret_side = &t->side[i];
    return &t->entries[i];
}

/* ---- pages with code ---- */

bool tlb_code_page(TcgVcpu *tv, vaddr addr, uint64_t *ret_page, const uint8_t **ret_host)
{
    Vcpu *vcpu = tv->vcpu;
    TlbSide *side;
    unsigned mmu_index = vcpu->target->mmu_index(vcpu, MMU_FETCH);
    TlbEntry *e = tlb_find(tv, addr, MMU_FETCH, 2, mmu_index, false, &side);
    if (unlikely(!e)) {
        return false;
    }
    if (unlikely(!side->ram)) {
        vcpu->target->bus_error(vcpu, addr, side->phys + (addr & (TCG_PAGE_BYTES - 1)), MMU_FETCH);
        return false;
    }
    *ret_page = (side->ram->ram_addr + side->ram_offset) >> TCG_PAGE_BITS;
    *ret_host = (const uint8_t *)(page_of(addr) + e->addend);
    return true;
}

bool tlb_code_is_global(TcgVcpu *tv, vaddr addr)
{
    TlbTable *t = &tv->tlb->current->table[tv->vcpu->target->mmu_index(tv->vcpu, MMU_FETCH)];
    uint32_t i = entry_index(t, addr);
    return t->entries && tag_hits(tlb_tag_get(&t->entries[i], MMU_FETCH), addr) && t->side[i].global;
}

bool tlb_code_is_guarded(TcgVcpu *tv, vaddr addr)
{
    Vcpu *vcpu = tv->vcpu;
    TlbSide *side;
    return tlb_find(tv, addr, MMU_FETCH, 2, vcpu->target->mmu_index(vcpu, MMU_FETCH), true, &side) && (side->prot & PAGE_GUARDED);
}

static void mark_entry(TlbEntry *e, uintptr_t host)
{
    vaddr tag = __atomic_load_n(&e->write, __ATOMIC_RELAXED);
    if (tag != UINT64_MAX && !(tag & (TLB_MMIO | TLB_NOTDIRTY)) && page_of(tag) + e->addend == host) {
        __atomic_store_n(&e->write, tag | TLB_NOTDIRTY, __ATOMIC_RELAXED);
    }
}

/* Every write entry of the page, in every set: the page must be noticed when it is stored to. */
static void mark_vcpu(TcgVcpu *tv, RamBlock *ram, uint64_t offset, uintptr_t host)
{
    TlbState *s = tv->tlb;
    unsigned bit = filter_bit(ram, offset);
    pthread_mutex_lock(&s->lock);
    if (s->written[bit / 64] >> bit % 64 & 1) {
        for (unsigned i = 0; i < TLB_N_SETS; i++) {
            for (unsigned m = 0; s->sets[i].used && m < VCPU_MAX_MMU_MODES; m++) {
                TlbTable *t = &s->sets[i].table[m];
                for (uint32_t k = 0; t->entries && k < t->n; k++) {
                    mark_entry(&t->entries[k], host);
                }
                for (unsigned k = 0; t->entries && k < TLB_N_VICTIMS; k++) {
                    mark_entry(&t->victims[k].entry, host);
                }
            }
        }
    }
    pthread_mutex_unlock(&s->lock);
}

bool tlb_watch_page(TcgVcpu *tv, CodePage *page, const uint8_t *host)
{
    if (likely(atomic_load(&page->is_protected))) {
        return atomic_load(&page->fresh);
    }
    page_lock(page);
    if (!atomic_load(&page->is_protected)) {
        uint64_t offset;
        bool others = false;
        rcu_read_lock();
        RamBlock *ram = ram_block_from_host(host, &offset);
        if (ram) {
            ram_dirty_test_and_clear(ram, DIRTY_CODE, offset, TCG_PAGE_BYTES);
            pthread_mutex_lock(&tcg.vcpus_lock);
            for (TcgVcpu *other = tcg.vcpus; other; other = other->next) {
                others |= other != tv;
                if (other->tlb) {
                    mark_vcpu(other, ram, offset, (uintptr_t)host);
                }
            }
            pthread_mutex_unlock(&tcg.vcpus_lock);
        }
        rcu_read_unlock();
        if (ram && others) {
            fresh_add(page, host);
        }
        atomic_store(&page->is_protected, true);
    }
    bool fresh = atomic_load(&page->fresh);
    page_unlock(page);
    return fresh;
}

static void mark_entry_in(TlbEntry *e, uintptr_t host, uint64_t len)
{
    vaddr tag = __atomic_load_n(&e->write, __ATOMIC_RELAXED);
    if (tag != UINT64_MAX && !(tag & (TLB_MMIO | TLB_NOTDIRTY)) && page_of(tag) + e->addend - host < len) {
        __atomic_store_n(&e->write, tag | TLB_NOTDIRTY, __ATOMIC_RELAXED);
    }
}

/* The dirty bits of a part of a block were cleared: stores to it must be noticed again. */
void tlb_watch_ram(RamBlock *ram, uint64_t offset, uint64_t len)
{
    uintptr_t host = (uintptr_t)ram->host + offset;
    pthread_mutex_lock(&tcg.vcpus_lock);
    for (TcgVcpu *tv = tcg.vcpus; tv; tv = tv->next) {
        TlbState *s = tv->tlb;
        if (!s) {
            continue;
        }
        pthread_mutex_lock(&s->lock);
        for (unsigned i = 0; i < TLB_N_SETS; i++) {
            for (unsigned m = 0; s->sets[i].used && m < VCPU_MAX_MMU_MODES; m++) {
                TlbTable *t = &s->sets[i].table[m];
                for (uint32_t k = 0; t->entries && k < t->n; k++) {
                    mark_entry_in(&t->entries[k], host, len);
                }
                for (unsigned k = 0; t->entries && k < TLB_N_VICTIMS; k++) {
                    mark_entry_in(&t->victims[k].entry, host, len);
                }
            }
        }
        pthread_mutex_unlock(&s->lock);
    }
    pthread_mutex_unlock(&tcg.vcpus_lock);
}

void tlb_page_dirty(TcgVcpu *tv, TlbEntry *e, const TlbSide *side)
{
    pthread_mutex_lock(&tv->tlb->lock);
    vaddr tag = tlb_tag_get(e, MMU_WRITE);
    if (tag != UINT64_MAX && !page_watched(side)) {
        __atomic_store_n(&e->write, tag & ~(vaddr)TLB_NOTDIRTY, __ATOMIC_RELAXED);
    }
    pthread_mutex_unlock(&tv->tlb->lock);
}
