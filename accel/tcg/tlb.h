/*
 * tlb.h: the soft TLB of one vCPU, system mode (tlb.c, ldst.c).
 *
 * A *set* is what one address space (ASID and root) has cached: a table per MMU index, a victim table and
 * the large pages seen. A vCPU keeps a few sets; switching address spaces switches sets and
 * flushes nothing. The tables of the set in force are what generated code looks at (jit.tlb).
 *
 * Threads: a vCPU's own, except write tags, into which other threads put TLB_NOTDIRTY, and the
 * mailbox. Whoever changes entries or tables holds `lock`.
 */
#ifndef ACCEL_TCG_TLB_H
#define ACCEL_TCG_TLB_H

#include "internal.h"
#include "softmmu/memory.h"

enum {
    TLB_N_SETS = 8,
    TLB_MIN_ENTRIES = 64,
    TLB_MAX_ENTRIES = 8192,
    TLB_N_VICTIMS = 8,
    TLB_N_LARGE = 16,
    TLB_N_LOCAL = 256,
    TLB_FILTER_BITS = 4096,
    TLB_N_ASKS = 16,
};

/* What the slow path needs to know of an entry. */
typedef struct TlbSide {
    MemoryRegion *mr;
    uint64_t offset;      /* of the page in mr */
    RamBlock *ram;        /* NULL: not RAM */
    uint64_t ram_offset;  /* of the page in its block */
    gpa phys;             /* of the page */
    bool global, readonly;
    uint8_t prot;         /* PAGE_*, as the target said */
    bool whole;           /* device: the region covers the page */
} TlbSide;

typedef struct TlbVictim {
    TlbEntry entry;
    TlbSide side;
} TlbVictim;

typedef struct TlbTable {
    TlbEntry *entries;    /* NULL: not used yet */
    TlbSide *side;
    uint32_t n, n_used, n_conflicts, next_victim;
    uint32_t n_local;     /* > TLB_N_LOCAL: too many, look at all */
    uint16_t local[TLB_N_LOCAL]; /* where entries that are not global were put since the last flush of those */
    TlbVictim victims[TLB_N_VICTIMS];
} TlbTable;

typedef struct TlbLarge {
    vaddr page;
    gpa phys;
    uint8_t page_bits, prot, mmu_index;
    bool global;
} TlbLarge;

typedef struct TlbSet {
    bool used;
    uint32_t asid;
    uint64_t root, id, last_use;
    TlbTable table[VCPU_MAX_MMU_MODES];
    TlbLarge large[TLB_N_LARGE]; /* page_bits 0: empty */
    unsigned next_large;
    struct { vaddr first, last; } lost[2]; /* by top bit: large pages no longer in the table lie in here */
} TlbSet;

typedef struct Watchpoint {
    vaddr addr;
    uint64_t size_bytes;
    bool read, write;
} Watchpoint;

typedef struct TlbState {
    pthread_mutex_t lock;
    TlbSet sets[TLB_N_SETS];
    TlbSet *current;
    uint64_t clock, next_id;
    _Atomic bool flush_requested;   /* the mailbox: everything */
    TlbAsk asked[TLB_N_ASKS];       /* what others asked for (shootdown.c), by lock */
    unsigned n_asked;               /* more than there is room for: everything */
    _Atomic uint64_t n_posted, n_done; /* how often, and up to which of these it was done */
    uint64_t written[TLB_FILTER_BITS / 64]; /* which pages write entries were made for; by lock */
    TlbEntry once;                  /* a translation that may not be kept (finer than a page) */
    TlbSide once_side;
} TlbState;

/*
 * The entry for an access; NULL: vcpu->exception is filled (not with probe). *ret_side is where the access goes. The
 * entry is good until the next call.
 */
TlbEntry *tlb_find(TcgVcpu *tv, vaddr addr, MmuAccess access, unsigned size_bytes, unsigned mmu_index,
                   bool probe, TlbSide **ret_side);
static inline vaddr *tlb_tag(TlbEntry *e, MmuAccess access)
{
    return access == MMU_READ ? &e->read : access == MMU_WRITE ? &e->write : &e->code;
}
static inline vaddr tlb_tag_get(TlbEntry *e, MmuAccess access)
{
    return __atomic_load_n(tlb_tag(e, access), __ATOMIC_RELAXED);
}
/* Stores to the page need not be noticed any more. */
void tlb_page_dirty(TcgVcpu *tv, TlbEntry *e, const TlbSide *side);

/* Where a page with that prot is. */
static inline AddressSpace *tlb_space_of(const Vcpu *vcpu, uint8_t prot)
{
    return (prot & PAGE_NONSECURE) && vcpu->as_nonsecure ? vcpu->as_nonsecure : vcpu->as;
}

void tlb_vcpu_init(TcgVcpu *tv);
void tlb_vcpu_free(TcgVcpu *tv);
bool tlb_code_page(TcgVcpu *tv, vaddr addr, uint64_t *ret_page, const uint8_t **ret_host);
bool tlb_code_is_guarded(TcgVcpu *tv, vaddr addr);
/* Has the block keep DIRTY_CODE bits. Best before anybody runs. */
void tlb_log_code(RamBlock *ram);
bool tlb_code_is_global(TcgVcpu *tv, vaddr addr);
bool tlb_watch_page(TcgVcpu *tv, CodePage *page, const uint8_t *host);
/* The memory core tells that dirty bits were cleared. */
void tlb_watch_ram(RamBlock *ram, uint64_t offset, uint64_t len);

/* fresh.c: the page's stripe is held. */
void fresh_add(CodePage *page, const uint8_t *host);
void fresh_sync(TcgVcpu *tv);
uint64_t tlb_space(TcgVcpu *tv);
void tlb_requests(TcgVcpu *tv);
/* shootdown.c */
void tlb_serve_asks(TcgVcpu *tv);
/* Whether an access hits a watchpoint. */
bool watchpoint_hit(vaddr addr, unsigned size_bytes, MmuAccess access);
bool watchpoint_on_page(vaddr addr);
void watchpoint_set(vaddr addr, uint64_t size_bytes, bool read, bool write, bool insert);

/* ldst.c */
extern const TcgSystemOps tcg_system_ops;
/* The memory core tells of writes to code pages. */
void ldst_code_written(RamBlock *ram, uint64_t offset, uint64_t len);

#endif
