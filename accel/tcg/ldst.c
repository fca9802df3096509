/*
 * ldst.c: guest memory accesses that the inline TLB check cannot do: misses, devices, pages with
 * code, watchpoints, page crossings; and guest memory for helpers.
 *
 * Faults are found before anything is done: a store that crosses into a page that faults changes nothing. Device
 * accesses go through the memory core, which takes the device lock. A store to a page with code is
 * done first and the code invalidated afterwards, so that a translation of the old bytes that is under
 * way cannot slip between (tb.c).
 *
 * Threads: a vCPU's own.
 */
#include "icount.h"
#include "tlb.h"
#include "util/race.h"

typedef struct Access {
    TcgVcpu *tv;
    vaddr addr;
    unsigned size_bytes, mmu_index;
    MmuAccess kind;
    bool big_endian;
    void *frame;       /* for completing the state when the guest takes an exception */
    uintptr_t site;
} Access;

noreturn static void raise(const Access *a, VcpuExit reason)
{
    tcg_restore_state(a->tv->vcpu, a->frame, a->site);
    vcpu_loop_exit(a->tv->vcpu, reason);
}

noreturn static void raise_bus_error(const Access *a, vaddr addr, const TlbSide *side)
{
    Vcpu *vcpu = a->tv->vcpu;
    vcpu->target->bus_error(vcpu, addr, side->phys + (addr & (TCG_PAGE_BYTES - 1)), a->kind);
    raise(a, VCPU_EXIT_EXCEPTION);
}

/* The entry for (a part of) the access; does not return when the guest takes an exception. */
static TlbEntry *find(const Access *a, vaddr addr, unsigned size_bytes, TlbSide **ret_side)
{
    TlbEntry *e = tlb_find(a->tv, addr, a->kind, size_bytes, a->mmu_index, false, ret_side);
    if (unlikely(!e)) {
        raise(a, VCPU_EXIT_EXCEPTION);
    }
    if (unlikely(tlb_tag_get(e, a->kind) & TLB_WATCH) && !a->tv->vcpu->single_step
        && watchpoint_hit(addr, size_bytes, a->kind)) {
        a->tv->vcpu->watch_hit = true;
        a->tv->vcpu->watch_addr = addr;
        raise(a, VCPU_EXIT_DEBUG);
    }
    return e;
}

static inline MemEndian endian_of(const Access *a)
{
    return a->big_endian ? MEM_BIG_ENDIAN : MEM_LITTLE_ENDIAN;
}

static MemAttrs attrs_of(const Access *a, const TlbSide *side)
{
    return (MemAttrs){ .secure = a->tv->vcpu->secure && !(side->prot & PAGE_NONSECURE) };
}

static uint64_t device_read(const Access *a, vaddr addr, unsigned size_bytes, const TlbSide *side)
{
    uint64_t value = 0, in_page = addr & (TCG_PAGE_BYTES - 1);
    MemResult r;
    if (unlikely(a->tv->vcpu->use_icount)) {
        icount_device_access(a->tv->vcpu, a->frame, a->site);
    }
    COUNT(a->tv, mmio);
    if (side->whole) {
        r = memory_region_read(side->mr, side->offset + in_page, size_bytes, endian_of(a), &value,
                               attrs_of(a, side));
    } else {
        /* Several regions, or holes, on the page. */
        r = memory_load(tlb_space_of(a->tv->vcpu, side->prot), side->phys + in_page, size_bytes, endian_of(a), &value,
                        attrs_of(a, side));
    }
    if (r != MEM_OK) {
        raise_bus_error(a, addr, side);
    }
    return value;
}

static void device_write(const Access *a, vaddr addr, unsigned size_bytes, uint64_t value,
                         const TlbSide *side)
{
    uint64_t in_page = addr & (TCG_PAGE_BYTES - 1);
    MemResult r;
    if (unlikely(a->tv->vcpu->use_icount)) {
        icount_device_access(a->tv->vcpu, a->frame, a->site);
    }
    COUNT(a->tv, mmio);
    if (side->whole || side->ram) {
        r = memory_region_write(side->mr, side->offset + in_page, size_bytes, endian_of(a), value,
                                attrs_of(a, side));
    } else {
        r = memory_store(tlb_space_of(a->tv->vcpu, side->prot), side->phys + in_page, size_bytes, endian_of(a), value,
                         attrs_of(a, side));
    }
    if (r != MEM_OK) {
        raise_bus_error(a, addr, side);
    }
}

/* Guest order to or from the host's. */
static uint64_t swapped(uint64_t value, unsigned size_bytes, bool big_endian)
{
    return big_endian == (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__) ? value : __builtin_bswap64(value) >> (64 - 8 * size_bytes);
}

static uint64_t host_read(const void *p, unsigned size_bytes, bool big_endian)
{
    return swapped(race_read(p, size_bytes), size_bytes, big_endian);
}

static void host_write(void *p, unsigned size_bytes, uint64_t value, bool big_endian)
{
    race_write(p, size_bytes, swapped(value, size_bytes, big_endian));
}

/* ---- stores to pages with code ---- */

void ldst_code_written(RamBlock *ram, uint64_t offset, uint64_t len)
{
    tcg_guard_enter();
    uint64_t at = ram->ram_addr + offset, last = at + len - 1;
    for (uint64_t index = at >> TCG_PAGE_BITS; index <= last >> TCG_PAGE_BITS; index++) {
        CodePage *page = page_find(index);
        if (!page || !atomic_load(&page->is_protected)) {
            continue;
        }
        uint64_t base = index << TCG_PAGE_BITS;
        uint32_t from = at > base ? at - base : 0, to = MIN(last - base, (uint64_t)TCG_PAGE_BYTES - 1);
        page_invalidate_bytes(page, from, to);
        page_lock(page);
        if (!page->units && atomic_load(&page->is_protected)) {
            /* Nothing left to watch; who is translating now and thinks the page is watched starts again. */
            page->version++;
            atomic_store(&page->is_protected, false);
            ram_dirty_set(ram, DIRTY_CODE, base - ram->ram_addr, TCG_PAGE_BYTES);
        }
        page_unlock(page);
    }
    tcg_guard_leave();
}

/* After a store through an entry with TLB_NOTDIRTY. */
static void stored(const Access *a, vaddr addr, unsigned size_bytes, TlbEntry *e, const TlbSide *side)
{
    COUNT(a->tv, slow_notdirty);
    ram_mark_dirty(side->ram, side->ram_offset + (addr & (TCG_PAGE_BYTES - 1)), size_bytes);
    tlb_page_dirty(a->tv, e, side);
}

/*
 * Before a store through such an entry, on targets whose code changes at once: if translations go, the one that is running may be among
 * them. The instruction begins anew, alone in its unit; behind it everything is looked up again.
 */
static void before_code_store(const Access *a, vaddr addr, unsigned size_bytes, const TlbSide *side)
{
    if (!a->tv->vcpu->target->coherent_icache || a->tv->stepping || !a->tv->vcpu->in_code || !side->ram) {
        return;
    }
    uint64_t at = side->ram->ram_addr + side->ram_offset + (addr & (TCG_PAGE_BYTES - 1));
    CodePage *page = page_find(at >> TCG_PAGE_BITS);
    uint32_t first = at & (TCG_PAGE_BYTES - 1);
    if (page && atomic_load(&page->is_protected) && page_has_code(page, first, first + size_bytes - 1)) {
        a->tv->alone_next = true;
        raise(a, VCPU_EXIT_NONE);
    }
}

/* ---- accesses within a page ---- */

static uint64_t load_in_page(const Access *a, vaddr addr, unsigned size_bytes)
{
    TlbSide *side;
    TlbEntry *e = find(a, addr, size_bytes, &side);
    if (unlikely(tlb_tag_get(e, a->kind) & TLB_MMIO)) {
        return device_read(a, addr, size_bytes, side);
    }
    return host_read((const void *)(addr + e->addend), size_bytes, a->big_endian);
}

static void store_in_page(const Access *a, vaddr addr, unsigned size_bytes, uint64_t value)
{
    TlbSide *side;
    TlbEntry *e = find(a, addr, size_bytes, &side);
    vaddr tag = tlb_tag_get(e, MMU_WRITE);
    if (unlikely(tag & TLB_MMIO)) {
        device_write(a, addr, size_bytes, value, side);
        return;
    }
    if (unlikely(tag & TLB_NOTDIRTY)) {
        before_code_store(a, addr, size_bytes, side);
    }
    host_write((void *)(addr + e->addend), size_bytes, value, a->big_endian);
    if (tag & TLB_NOTDIRTY) {
        stored(a, addr, size_bytes, e, side);
    }
}

static inline bool crosses(vaddr addr, unsigned size_bytes)
{
    return (addr & (TCG_PAGE_BYTES - 1)) + size_bytes > TCG_PAGE_BYTES;
}

static inline vaddr wrap(const Access *a, vaddr addr)
{
    return a->tv->vcpu->target->word_bits == 32 ? (uint32_t)addr : addr;
}

static uint64_t load(const Access *a)
{
    if (likely(!crosses(a->addr, a->size_bytes))) {
        return load_in_page(a, a->addr, a->size_bytes);
    }
    unsigned n = TCG_PAGE_BYTES - (a->addr & (TCG_PAGE_BYTES - 1));
    TlbSide *side;
    find(a, a->addr, n, &side);
    find(a, wrap(a, a->addr + n), a->size_bytes - n, &side);
    uint64_t value = 0;
    for (unsigned i = 0; i < a->size_bytes; i++) {
        uint64_t byte = load_in_page(a, wrap(a, a->addr + i), 1);
        value |= byte << 8 * (a->big_endian ? a->size_bytes - 1 - i : i);
    }
    return value;
}

static void store(const Access *a, uint64_t value)
{
    if (likely(!crosses(a->addr, a->size_bytes))) {
        store_in_page(a, a->addr, a->size_bytes, value);
        return;
    }
    unsigned n = TCG_PAGE_BYTES - (a->addr & (TCG_PAGE_BYTES - 1));
    TlbSide *side;
    find(a, a->addr, n, &side);
    find(a, wrap(a, a->addr + n), a->size_bytes - n, &side);
    for (unsigned i = 0; i < a->size_bytes; i++) {
        store_in_page(a, wrap(a, a->addr + i), 1,
                      value >> 8 * (a->big_endian ? a->size_bytes - 1 - i : i) & 0xff);
    }
}

/* ---- what generated code calls ---- */

static Access access_of(Vcpu *vcpu, vaddr addr, const IrMem *mem, MmuAccess kind, void *frame,
                        uintptr_t site)
{
    Access a = { .tv = tcg_vcpu(vcpu), .addr = addr, .size_bytes = 1u << mem->size_log2,
                 .mmu_index = mem->mmu_index, .kind = kind, .big_endian = mem->big_endian,
                 .frame = frame, .site = site };
    if (unlikely(addr & ir_mem_align_mask(mem))) {
        vcpu->target->unaligned(vcpu, addr, kind, mem->mmu_index);
        raise(&a, VCPU_EXIT_EXCEPTION);
    }
    return a;
}

static uint64_t slow_load(Vcpu *vcpu, vaddr addr, const IrMem *mem, void *frame, uintptr_t site)
{
    Access a = access_of(vcpu, addr, mem, MMU_READ, frame, site);
    COUNT(a.tv, slow_loads);
    uint64_t value = load(&a);
    if (mem->sign && a.size_bytes < 8) {
        value = (uint64_t)bits_sext(value, a.size_bytes * 8);
    }
    return value;
}

static void slow_store(Vcpu *vcpu, vaddr addr, uint64_t value, const IrMem *mem, void *frame,
                       uintptr_t site)
{
    Access a = access_of(vcpu, addr, mem, MMU_WRITE, frame, site);
    COUNT(a.tv, slow_stores);
    store(&a, value);
}

/* Vectors in words of eight bytes, in memory order: the caller swaps lanes if it must. */
static void slow_load_vec(Vcpu *vcpu, vaddr addr, void *ret, const IrMem *mem, void *frame, uintptr_t site)
{
    Access a = access_of(vcpu, addr, mem, MMU_READ, frame, site);
    uint8_t *out = ret;
    unsigned n = a.size_bytes;
    COUNT(a.tv, slow_loads);
    a.big_endian = false;
    a.size_bytes = MIN(n, 8);
    for (unsigned i = 0; i < n; i += a.size_bytes) {
        a.addr = wrap(&a, addr + i);
        uint64_t word = load(&a);
        memcpy(out + i, &word, a.size_bytes);
    }
}

static void slow_store_vec(Vcpu *vcpu, vaddr addr, const void *value, const IrMem *mem, void *frame,
                           uintptr_t site)
{
    Access a = access_of(vcpu, addr, mem, MMU_WRITE, frame, site);
    const uint8_t *in = value;
    unsigned n = a.size_bytes;
    TlbSide *side;
    COUNT(a.tv, slow_stores);
    a.big_endian = false;
    a.size_bytes = MIN(n, 8);
    find(&a, addr, 1, &side);
    find(&a, wrap(&a, addr + n - 1), 1, &side);
    for (unsigned i = 0; i < n; i += a.size_bytes) {
        uint64_t word = 0;
        memcpy(&word, in + i, a.size_bytes);
        a.addr = wrap(&a, addr + i);
        store(&a, word);
    }
}

static void *slow_atomic(Vcpu *vcpu, vaddr addr, const IrMem *mem, void *frame, uintptr_t site)
{
    MmuAccess kind = mem->rmw == IR_RMW_LL ? MMU_READ : MMU_WRITE;
    Access a = access_of(vcpu, addr, mem, kind, frame, site);
    TlbSide *side;
    COUNT(a.tv, slow_stores);
    TlbEntry *e = find(&a, addr, crosses(addr, a.size_bytes) ? 1 : a.size_bytes, &side);
    vaddr tag = tlb_tag_get(e, kind);
    if ((tag & TLB_MMIO) && !vcpu->target->device_atomics) {
        raise_bus_error(&a, addr, side);
    }
    if ((tag & TLB_MMIO) || crosses(addr, a.size_bytes)) {
        if (a.tv->exclusive) {
            raise_bus_error(&a, addr, side);
        }
        raise(&a, VCPU_EXIT_ATOMIC);
    }
    if (kind == MMU_WRITE && (tag & TLB_NOTDIRTY)) {
        before_code_store(&a, addr, a.size_bytes, side);
        /* Before the access, for we do not come back after it: the units it overlaps go. */
        stored(&a, addr, a.size_bytes, e, side);
    }
    return (void *)(addr + e->addend);
}

/* ---- helpers ---- */

static uint64_t helper_load(Vcpu *vcpu, vaddr addr, unsigned size_bytes, unsigned mmu_index)
{
    Access a = { .tv = tcg_vcpu(vcpu), .addr = addr, .size_bytes = size_bytes, .mmu_index = mmu_index,
                 .kind = MMU_READ, .big_endian = vcpu->target->big_endian };
    return load(&a);
}

static void helper_store(Vcpu *vcpu, vaddr addr, uint64_t value, unsigned size_bytes, unsigned mmu_index)
{
    Access a = { .tv = tcg_vcpu(vcpu), .addr = addr, .size_bytes = size_bytes, .mmu_index = mmu_index,
                 .kind = MMU_WRITE, .big_endian = vcpu->target->big_endian };
    store(&a, value);
}

static gpa helper_page(Vcpu *vcpu, vaddr addr, MmuAccess access, unsigned mmu_index, uint8_t *ret_prot)
{
    TlbSide *side;
    if (!tlb_find(tcg_vcpu(vcpu), addr, access, 1, mmu_index, false, &side)) {
        vcpu_loop_exit(vcpu, VCPU_EXIT_EXCEPTION);
    }
    *ret_prot = side->prot;
    return side->phys;
}

static void *helper_ptr(Vcpu *vcpu, vaddr addr, unsigned size_bytes, MmuAccess kind, unsigned mmu_index,
                        bool probe)
{
    TcgVcpu *tv = tcg_vcpu(vcpu);
    TlbSide *side;
    if (crosses(addr, size_bytes)) {
        return NULL;
    }
    TlbEntry *e = tlb_find(tv, addr, kind, size_bytes, mmu_index, probe, &side);
    if (!e) {
        if (!probe) {
            vcpu_loop_exit(vcpu, VCPU_EXIT_EXCEPTION);
        }
        return NULL;
    }
    vaddr tag = tlb_tag_get(e, kind);
    if (tag & (TLB_MMIO | TLB_WATCH)) {
        return NULL;
    }
    if (kind == MMU_WRITE && tag & TLB_NOTDIRTY) {
        return NULL; /* through guest_store, which tells the translator */
    }
    return (void *)(addr + e->addend);
}

const TcgSystemOps tcg_system_ops = {
    .vcpu_init = tlb_vcpu_init,
    .vcpu_free = tlb_vcpu_free,
    .code_page = tlb_code_page, .code_is_global = tlb_code_is_global, .code_is_guarded = tlb_code_is_guarded,
    .watch_page = tlb_watch_page,
    .icache_sync = fresh_sync,
    .space = tlb_space,
    .requests = tlb_requests,
    .load = helper_load,
    .store = helper_store,
    .ptr = helper_ptr,
    .page = helper_page,
    .slow_load = slow_load,
    .slow_store = slow_store,
    .slow_load_vec = slow_load_vec,
    .slow_store_vec = slow_store_vec,
    .slow_atomic = slow_atomic,
};
