/*
 * internal.h: what the files of accel/tcg share.
 *
 * Life of a unit (TransUnit): a thread takes a Translator from the pool, translates into the
 * translator's open code region, and inserts the unit under the locks of the pages it was made from.
 * From then on it is found without locks (tb.c), linked (link.c) and entered by any vCPU. Invalidation
 * takes it out of everything, but its code and its struct stay where they are until the whole region
 * is reclaimed, and that waits until no vCPU can still be inside (epochs, code-cache.c). So a pointer to
 * a unit stays good for as long as the thread is inside tcg_enter() .. tcg_leave().
 *
 * Locks, outermost first: translator pool; page stripes (ascending); hash stripes; list of written pages;
 * link stripes; cache lock; vCPU list lock. No lock is held while guest code runs.
 */
#ifndef ACCEL_TCG_INTERNAL_H
#define ACCEL_TCG_INTERNAL_H

#include <pthread.h>
#include "accel/tcg.h"
#include "target/translate.h"
#include "tcg/host.h"
#include "tcg/interp.h"
#include "util/log.h"

enum {
    TCG_PAGE_BITS = 12,
    TCG_PAGE_BYTES = 1 << TCG_PAGE_BITS,
    TCG_N_STRIPES = 64,
    TCG_N_JUMP_CACHES = 8,
    TCG_N_LISTED_JUMPS = 1024,
    TCG_DEFAULT_MAX_INSNS = 64,
    TCG_LIMIT_MAX_INSNS = 512,
    TCG_GLUE_INSNS = 4,          /* more than a unit's budget: those that cannot well begin another one */
    REGION_BYTES = 1 << 20,
    REGION_MAX_UNITS = REGION_BYTES / 64,
    UNIT_ALIGN_BYTES = 16,
};
#define TCG_NO_PAGE UINT64_MAX

/* What besides the target's mode decides about a unit's code. */
enum {
    UNIT_PARALLEL = 1,
    UNIT_ONE_INSN = 2,
    UNIT_STEP = 4,      /* for single-stepping and exclusive sections: never linked */
    UNIT_ICOUNT = 8,
    UNIT_GUARDED = 32,  /* the page it begins on is PAGE_GUARDED: lookup_unit's own, no part of what a vCPU runs with */
    UNIT_EXCLUSIVE = 16, /* for exclusive sections: atomic accesses need not be */
};

/* Where a unit comes from: pages that are written to or shared are not worth keeping. */
typedef enum UnitFrom { UNIT_UNSTABLE, UNIT_TRANSLATED, UNIT_RESTORED } UnitFrom;

typedef struct CodeRegion CodeRegion;
typedef struct CodePage CodePage;
typedef struct UnitLink UnitLink;
typedef struct Translator Translator;
typedef struct TcgVcpu TcgVcpu;

/* A direct exit of a unit and, when linked, its place in the target's list (link.c). */
struct UnitLink {
    TransUnit *unit;
    _Atomic(TransUnit *) target;
    UnitLink *next, **pprev;     /* under the target's link stripe */
    uint32_t patch, stub;
};

/* A unit's place in the list of a page it was made from; under the page's stripe. */
typedef struct UnitPage {
    TransUnit *unit;
    CodePage *page;
    struct UnitPage *next, **pprev;
} UnitPage;

struct TransUnit {
    vaddr pc;
    uint64_t mode;
    uint64_t phys[2];            /* keys of its pages: TCG_NO_PAGE if absent */
    uint32_t flags;
    _Atomic bool invalid;
    uint8_t n_pages;
    uint8_t from;                /* UnitFrom */
    uint16_t n_guest_insns;
    uint32_t n_guest_bytes;
    _Atomic(TransUnit *) hash_next;
    const uint8_t *code;         /* executable view */
    uint32_t code_bytes, n_links, n_snapshot_bytes;
    UnitLink *links;
    UnitLink *incoming;          /* under its link stripe */
    const uint8_t *snapshots;
    IrUnit *ir;                  /* interpreter only */
    UnitPage page[2];
    uint32_t first[2], last[2];  /* by page: offsets of the guest bytes it was made from */
    uint64_t check[2];           /* by page: hash of the bytes [first, last] */
    const uint8_t *guest_bytes;  /* those bytes, page after page, when the unit may be kept (persist.c) */
};

/* A guest page with code: user mode by virtual, system mode by RAM page number. Never freed. */
struct CodePage {
    uint64_t index;
    _Atomic(CodePage *) next;    /* hash chain */
    UnitPage *units;             /* stripe */
    uint32_t version;            /* stripe: changes whenever units made before must not be inserted */
    _Atomic bool is_protected;   /* user mode: we took the write permission away */
    bool written;                /* stripe: in the list of written pages */
    bool was_protected;          /* stripe: it has been protected once */
    uint32_t n_faults;           /* stripe: writes that hit the protection */
    bool shared;                 /* stripe: may change unseen: its units are compared at each sync */
    const uint8_t *ram_host;     /* system mode: where it lies */
    _Atomic bool fresh;          /* system mode: watched so lately that a store may have been missed (fresh.c) */
    bool listed;                 /* list lock of fresh.c: in its list */
    uint64_t fresh_epoch;        /* the same lock: vCPUs that were inside then may still store unseen */
    CodePage *next_written;      /* list lock of smc.c, in system mode of fresh.c */
};

enum { REGION_FREE, REGION_OPEN, REGION_FULL, REGION_RETIRED };

struct CodeRegion {
    uint32_t index;
    uint8_t state;               /* cache lock */
    const uint8_t *rx;
    _Atomic uint32_t used_bytes; /* by its translator; a fork reads it */
    uint32_t ready_bytes;        /* pages asked of the host at once */
    Arena meta;                  /* units, links, snapshots: by its translator */
    _Atomic(TransUnit *) *units; /* ascending code address */
    _Atomic uint32_t n_units;
    uint64_t serial;             /* order of filling */
    uint64_t retired_epoch;
    CodeRegion *next;            /* free list or retired list */
};

/* Counters: X(name, text). Written by the owning thread, summed for -d jit. */
#define TCG_COUNTERS(X)                                         \
    X(units, "units translated")                                \
    X(restored, "units restored from an earlier process")       \
    X(guest_insns, "guest instructions translated")             \
    X(guest_bytes, "guest bytes translated")                    \
    X(host_bytes, "host bytes generated")                       \
    X(host_insns, "host instructions generated")                \
    X(snapshot_bytes, "snapshot bytes")                         \
    X(ir_insns, "IR instructions")                              \
    X(translate_ns, "translation ns")                           \
    X(compile_ns, "of which host compiler ns")                  \
    X(duplicates, "units dropped: another thread was first")    \
    X(stale, "units dropped: page changed meanwhile")           \
    X(entries, "entries into generated code")                   \
    X(lookups, "look-ups in C")                                 \
    X(hash_hits, "of which found in the hash")                  \
    X(jumps_emptied, "jump cache entries emptied")              \
    X(jumps_taken_up, "of which taken up again")                   \
    X(links, "direct links made")                               \
    X(unlinked_exits, "exits through an unlinked stub")         \
    X(invalidated, "units invalidated")                         \
    X(regions_evicted, "regions evicted")                       \
    X(page_faults, "writes to protected code pages")            \
    X(syncs, "instruction cache syncs")                         \
    X(exceptions, "exceptions and loop exits")                  \
    X(interrupts, "interrupts taken")                           \
    X(tlb_fills, "TLB fills by page walk")                      \
    X(tlb_victim_hits, "TLB hits in the victim TLB")            \
    X(tlb_large_hits, "TLB hits in the large-page table")       \
    X(tlb_flushes, "TLB flushes, whole")                        \
    X(tlb_page_flushes, "TLB flushes, pages")                   \
    X(tlb_switches, "TLB set switches")                         \
    X(tlb_set_hits, "of which found their set")                 \
    X(slow_loads, "slow-path loads")                            \
    X(slow_stores, "slow-path stores")                          \
    X(slow_notdirty, "stores to pages with code")               \
    X(mmio, "device accesses")                                  \
    X(rests, "rests of waiting loops")                          \
    X(exclusive, "exclusive sections")

typedef struct TcgCounters {
#define TCG_COUNTER_FIELD(name, text) _Atomic uint64_t name;
    TCG_COUNTERS(TCG_COUNTER_FIELD)
#undef TCG_COUNTER_FIELD
} TcgCounters;

/* Which entries of a table were filled since it was empty. */
typedef struct JumpList {
    unsigned n;                  /* > TCG_N_LISTED_JUMPS: more than the list has room for */
    uint16_t index[TCG_N_LISTED_JUMPS];
} JumpList;

/* A jump-cache table and what it is for. */
typedef struct JumpCache {
    JumpCacheEntry *table;
    uint64_t mode, space;        /* target mode bits; TLB set id */
    uint32_t flags;
    bool used;
    uint64_t last_use;
    uint64_t *filter;            /* system mode: which pages it has entries of (by hash) */
    uint64_t *phys;              /* system mode, by entry: its page; TCG_NO_PAGE: it has two */
    bool aside;                  /* there may be entries that were put aside */
    JumpList global, local;      /* entries in pages mapped globally (system mode); the others */
} JumpCache;

/* Private data of one vCPU. */
struct TcgVcpu {
    Vcpu *vcpu;
    TcgVcpu *next;               /* vCPU list lock */
    alignas(64) _Atomic uint64_t epoch; /* 0: outside */
    JumpCache caches[TCG_N_JUMP_CACHES];
    JumpCache *cache;            /* the one in jit.jump_cache; NULL: the empty one */
    uint64_t cache_clock;
    Translator *translator;      /* in use by this thread now */
    _Atomic bool tlb_asked;      /* system mode: other vCPUs left something in the TLB's mailbox (shootdown.c) */
    _Atomic bool tlb_waiting;    /* in tlb_wait_others(): as good as outside for those who wait for this one */
    _Atomic bool leave_request;  /* system mode: back to the thread's loop, it has something to do */
    unsigned n_spins, dense_spins; /* PAUSE and its like: see rest_in_loop() */
    uint64_t spin_ns;
    unsigned idle_spins;         /* halts in a row that ended at once, with no interrupt taken since */
    bool exclusive;              /* inside an exclusive section */
    bool alone_next;             /* the next instruction gets a unit to itself: it overwrites the code it is in */
    bool has_fault;              /* translation found no instruction: exception is filled */
    bool want_room;              /* translation found no region: leave, wait, retry */
    struct TlbState *tlb;        /* system mode (tlb.c) */
    _Atomic(struct VcpuThread *) thread; /* system mode (mttcg.c) */
    /* -icount (icount.h) */
    uint64_t icount_total;       /* instructions of slices that are over */
    int32_t icount_granted;      /* of the slice under way */
    bool icount_exact;           /* it ends at the very instruction */
    bool icount_tail;            /* a block did not fit into the rest of it */
    bool icount_step;            /* the next unit has one instruction */
    bool stepping;               /* the unit under way has one instruction (UNIT_STEP) */
    TcgCounters count;
};

typedef struct Tcg {
    TcgOptions options;
    bool ready, have_user_ops;
    const HostOps *host;         /* NULL: the interpreter */
    TcgUserOps user;
    uint32_t max_insns;
    pthread_mutex_t vcpus_lock;
    TcgVcpu *vcpus;
    _Atomic bool coherent_icache; /* of the target, which all vCPUs share; read where vcpus_lock cannot be taken */
    _Atomic uint64_t epoch;
    _Atomic uint32_t n_invalidators; /* threads in tcg_guard_enter .. leave: hold units as an epoch does */
    _Atomic uint32_t generation; /* changes with every tcg_flush_all */
    _Atomic uint32_t n_breakpoints;
    _Atomic bool exclusive_pending;
    void (*wake)(Vcpu *vcpu);    /* of halted vCPUs; NULL: by its own futex */
    TcgCounters dead;            /* of vCPUs that are gone */
} Tcg;
extern Tcg tcg;

static inline TcgVcpu *tcg_vcpu(Vcpu *vcpu)
{
    return vcpu->accel;
}

#define COUNT_ADD(tv, name, n)                                                          \
    atomic_store_explicit(&(tv)->count.name,                                            \
                          atomic_load_explicit(&(tv)->count.name, memory_order_relaxed) \
                              + (n), memory_order_relaxed)
#define COUNT(tv, name) COUNT_ADD(tv, name, 1)

/* ---- code-cache.c ---- */
bool code_cache_init(size_t size_bytes, Error **errp);
/* An empty region; NULL when there is none: leave guest code and call code_cache_wait(). */
CodeRegion *code_region_take(TcgVcpu *tv);
/* Before writing on: has pages ready, which is cheaper than faulting on each in both views. */
void code_region_prepare(CodeRegion *region);
void code_region_close(CodeRegion *region);
uint8_t *code_rw(const uint8_t *rx);
bool code_contains(uintptr_t host_pc);
/* The unit whose code covers host_pc; NULL. Any context of a thread inside an epoch, signals too. */
TransUnit *code_find(uintptr_t host_pc);
/* Every unit there is, invalid ones too. Inside tcg_guard_enter() .. leave(). */
void code_for_each_unit(void (*fn)(const TransUnit *unit, void *opaque), void *opaque);
const uint8_t *code_runtime_rx(void);
enum { CODE_RUNTIME_BYTES = 64 << 10 };
void code_cache_set_runtime(size_t size_bytes); /* what of it is used */
/* Evicts the oldest full regions until `n` are on their way to be free. */
void code_cache_evict(TcgVcpu *tv, unsigned n);
void code_cache_evict_all(TcgVcpu *tv);
/* Outside an epoch: waits until a region is free. */
void code_cache_wait(TcgVcpu *tv);
void code_cache_fork_begin(void);
/* True: the child begins with an empty cache, every unit must go. */
bool code_cache_fork_end(bool child);
size_t code_cache_used_bytes(void);

/* Epochs: units stay valid between enter and leave. */
static inline void tcg_enter(TcgVcpu *tv)
{
    atomic_store(&tv->epoch, atomic_load(&tcg.epoch));
}
static inline void tcg_leave(TcgVcpu *tv)
{
    atomic_store_explicit(&tv->epoch, 0, memory_order_release);
}
/* The same for short work of any thread. */
static inline void tcg_guard_enter(void)
{
    atomic_fetch_add(&tcg.n_invalidators, 1);
}
static inline void tcg_guard_leave(void)
{
    atomic_fetch_sub(&tcg.n_invalidators, 1);
}
/* A new epoch; things retired before may go once tcg_epoch_passed(result). */
uint64_t tcg_epoch_advance(void);
bool tcg_epoch_passed(uint64_t epoch);
void tcg_kick_all(const TcgVcpu *except);

/* ---- tb.c ---- */
bool tb_init(Error **errp);
TransUnit *tb_find(vaddr pc, uint64_t mode, uint32_t flags, const uint64_t phys[2]);
/* Puts the unit where everybody finds it. Returns the unit to use: another one when some thread was
 * first; NULL when a page or everything was invalidated since the versions were read. */
TransUnit *tb_insert(TransUnit *unit, CodePage *const page[2], const uint32_t version[2],
                     uint32_t generation);
/* Takes it out of everything; once. `tv` (may be NULL) counts. */
void tb_invalidate(TransUnit *unit);
void tb_fork_lock(void);
void tb_fork_unlock(void);
CodePage *page_get(uint64_t index);        /* made if absent */
CodePage *page_find(uint64_t index);       /* NULL if absent */
void page_for_range(uint64_t first, uint64_t last, void (*fn)(CodePage *page));
void page_lock(CodePage *page);
void page_unlock(CodePage *page);
/* Every unit made from the page goes, and those being made. */
void page_invalidate(CodePage *page);
/* Those that contain bytes of [first, last] (offsets in the page). */
void page_invalidate_bytes(CodePage *page, uint32_t first, uint32_t last);
/* Any unit made of some of these bytes? */
bool page_has_code(CodePage *page, uint32_t first, uint32_t last);
uint64_t unit_bytes_hash(const uint8_t *bytes, size_t n);
/* The page's units that no longer say what memory says go. Returns how many stay. */
unsigned smc_compare_page(CodePage *page, bool (*read)(void *buf, const CodePage *page, unsigned first, size_t n_bytes),
                          bool *ret_gone);

/* ---- link.c ---- */
void link_init(void);
/* Points the exit whose 4 bytes are at `patch_rx` at `to`. */
void link_make(TcgVcpu *tv, const void *patch_rx, TransUnit *to);
void link_detach(TransUnit *unit);
void link_fork_lock(void);
void link_fork_unlock(void);

/* ---- lookup.c ---- */
uint32_t unit_flags(const Vcpu *vcpu);
/* The unit for the current pc: found or made; NULL: see has_fault, want_room. */
TransUnit *lookup_unit(TcgVcpu *tv, uint64_t mode, uint32_t flags);
void jump_cache_select(TcgVcpu *tv, uint64_t mode, uint32_t flags);
/* The code for the current pc if the table in force has it. */
const void *jump_cache_probe(TcgVcpu *tv);
void jump_cache_fill(TcgVcpu *tv, TransUnit *unit);
/* Any thread. */
void jump_cache_purge_unit(const TransUnit *unit);
void jump_cache_purge_all(void);
/* Own thread. */
void jump_cache_flush_page(TcgVcpu *tv, vaddr addr, uint64_t space, bool any_space);
/* Drops what is not in global pages. */
void jump_cache_flush_local(TcgVcpu *tv, uint64_t space);
/* Nothing of a TLB set is left, which has another id now. */
void jump_cache_move_space(TcgVcpu *tv, uint64_t from, uint64_t to);
void jump_cache_free(TcgVcpu *tv);
extern JumpCacheEntry jump_cache_empty[JUMP_CACHE_ENTRIES];

/* ---- translate.c, scan.c ---- */
/* UNIT_GUARDED or 0. In system mode code_page() of pc was asked just before. */
uint32_t guarded_flag(TcgVcpu *tv, vaddr pc, uint64_t mode);
TransUnit *translate_unit(TcgVcpu *tv, vaddr pc, uint64_t mode, uint32_t flags);
void translator_release(TcgVcpu *tv);
void translator_fork_lock(void);
void translator_fork_unlock(bool child);
/* Closes the regions of idle translators, so that they can be evicted. */
void translator_drop_regions(void);

/* ---- fork.c ---- */
/* A unit was made or restored. */
void fork_note_unit(const TransUnit *unit);

/* ---- user.c, smc.c ---- */
/* Before code bytes of a page are read: writes after this are noticed. False: not executable. */
bool smc_watch_page(CodePage *page, vaddr addr, bool *ret_compare);
void smc_fork_lock_outer(void);
void smc_fork_lock_inner(void);
void smc_fork_unlock(void);

/* ---- persist.c: units kept for later processes ---- */
typedef struct PersistedUnit {
    uint32_t first[2], last[2];  /* by page: offsets of the guest bytes */
    const uint8_t *guest_bytes;  /* page[0]'s, then page[1]'s */
    const uint8_t *host_bytes;   /* code.size_bytes, unlinked */
    HostCode code;
    unsigned n_pages;
    uint16_t n_guest_insns;
    uint32_t n_guest_bytes;
} PersistedUnit;
extern bool persist_enabled;
static inline bool persist_active(uint32_t flags);
/* Units kept for pc, one after the other: *cursor is 0 at first. What *ret points to is good for this thread until the next call. */
bool persist_find(const Vcpu *vcpu, vaddr pc, uint64_t mode, uint32_t flags, uint32_t *cursor,
                  PersistedUnit *ret);
/* A unit was made. */
void persist_note(const TransUnit *unit);
void persist_forked(void);

/* ---- cpu-loop.c ---- */
/* Completes the state at a place in generated code (frame NULL: it is complete). */
void tcg_restore_state(Vcpu *vcpu, const void *frame, uintptr_t site);
bool breakpoint_at(vaddr pc);

/* ---- exclusive.c: sections in which every other vCPU is outside guest code ---- */
void exclusive_begin(TcgVcpu *tv);
void exclusive_end(TcgVcpu *tv);
/* Outside an epoch: waits while another one is exclusive. */
void exclusive_wait(void);

/* ---- system mode: a table so that the user-mode program links none of it ---- */
typedef struct TcgSystemOps {
    void (*vcpu_init)(TcgVcpu *tv);
    void (*vcpu_free)(TcgVcpu *tv);
    /* Where code of the page is: RAM page number, host address of the page. False: exception filled. */
    bool (*code_page)(TcgVcpu *tv, vaddr addr, uint64_t *ret_page, const uint8_t **ret_host);
    /* Whether code_page() of the address, just asked, found a global mapping: one that flushes of an ASID leave. */
    bool (*code_is_global)(TcgVcpu *tv, vaddr addr);
    /* Likewise: whether it is PAGE_GUARDED. */
    bool (*code_is_guarded)(TcgVcpu *tv, vaddr addr);
    /* Writes to the page must be noticed from now on. */
    bool (*watch_page)(TcgVcpu *tv, CodePage *page, const uint8_t *host); /* true: units need hashes of their bytes */
    void (*icache_sync)(TcgVcpu *tv);
    uint64_t (*space)(TcgVcpu *tv);
    void (*requests)(TcgVcpu *tv); /* serves mailboxes */
    uint64_t (*load)(Vcpu *vcpu, vaddr addr, unsigned size_bytes, unsigned mmu_index);
    void (*store)(Vcpu *vcpu, vaddr addr, uint64_t value, unsigned size_bytes, unsigned mmu_index);
    uint64_t (*slow_load)(Vcpu *vcpu, vaddr addr, const IrMem *mem, void *frame, uintptr_t site);
    void (*slow_store)(Vcpu *vcpu, vaddr addr, uint64_t value, const IrMem *mem, void *frame,
                       uintptr_t site);
    void (*slow_load_vec)(Vcpu *vcpu, vaddr addr, void *ret, const IrMem *mem, void *frame,
                          uintptr_t site);
    void (*slow_store_vec)(Vcpu *vcpu, vaddr addr, const void *value, const IrMem *mem, void *frame,
                           uintptr_t site);
    void *(*slow_atomic)(Vcpu *vcpu, vaddr addr, const IrMem *mem, void *frame, uintptr_t site);
    gpa (*page)(Vcpu *vcpu, vaddr addr, MmuAccess access, unsigned mmu_index, uint8_t *ret_prot); /* guest_page() */
    void *(*ptr)(Vcpu *vcpu, vaddr addr, unsigned size_bytes, MmuAccess access, unsigned mmu_index,
                 bool probe);
} TcgSystemOps;
extern const TcgSystemOps *tcg_system; /* NULL in user mode */

/* ---- counters.c, perfmap.c, jitdump.c ---- */
uint64_t tcg_now_ns(void);
void tcg_counters_retire(TcgVcpu *tv);
void perfmap_init(void);
void perfmap_unit(const TransUnit *unit);
bool jitdump_init(Error **errp);
void jitdump_unit(const TransUnit *unit);

static inline bool persist_active(uint32_t flags)
{
    return unlikely(persist_enabled) && !(flags & ~(uint32_t)(UNIT_PARALLEL | UNIT_GUARDED))
           && !atomic_load_explicit(&tcg.n_breakpoints, memory_order_relaxed);
}

/* The code generator for the machine we run on; NULL: none. */
const HostOps *tcg_native_host(void);
/* Replaces the host (tests); before any vCPU exists. */
bool tcg_init_with_host(const TcgOptions *options, const HostOps *host, Error **errp);

#endif
