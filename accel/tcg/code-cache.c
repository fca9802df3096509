/*
 * code-cache.c: memory for generated code, and when it may be used again.
 *
 * Shared memory, mapped twice: writable and not executable, executable and not writable. The first 64 KiB
 * hold the host's run time (prologue, trampolines), the rest is cut into regions. A region is filled
 * by one translator at a time, from the start, without locks; the structs of its units lie in its own
 * arena. Space is only ever recovered a whole region at a time: the oldest full ones are evicted when
 * few are free, their units invalidated one by one while everybody else goes on; the region is free
 * once every vCPU has left generated code since (epochs). Pages nobody wrote cost no memory.
 *
 * A fork shares that memory, so a child gets a copy of its own (code_cache_fork_*): the used parts, or,
 * when that is much, an empty cache.
 *
 * Threads: any; code_find() is safe in signal handlers.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include "internal.h"

enum {
    RUNTIME_BYTES = CODE_RUNTIME_BYTES,
    MIN_REGIONS = 4,
    FORK_COPY_LIMIT_BYTES = 48 << 20,
};
#define DEFAULT_CACHE_BYTES (sizeof(void *) == 8 ? 512 * MiB : 32 * MiB)

typedef struct CodeCache {
    pthread_mutex_t lock;
    uint8_t *rw;
    const uint8_t *rx;
    size_t size_bytes;
    CodeRegion *regions;
    uint32_t n_regions, n_fresh;     /* regions never used yet: [n_fresh, n_regions) */
    uint32_t n_free, n_full, n_retired;
    CodeRegion *free, *retired;
    uint64_t serial;
    uint8_t *fork_copy;              /* while forking: what the child gets */
    bool fork_empty;
    size_t runtime_bytes;
} CodeCache;

static CodeCache cache = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Shared memory without a file: a file's size would be subject to RLIMIT_FSIZE, the guest's too. */
static void *anonymous_memory(void)
{
    return mmap(NULL, cache.size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

/* A second view of `rw` (mremap(2), old_size 0), anywhere or at `rx`. */
static void *executable_view(void *rw, void *rx)
{
    void *view = mremap(rw, 0, cache.size_bytes, MREMAP_MAYMOVE | (rx ? MREMAP_FIXED : 0), rx);
    return view == MAP_FAILED || mprotect(view, cache.size_bytes, PROT_READ | PROT_EXEC) < 0 ? MAP_FAILED : view;
}

static bool cache_map(Error **errp)
{
    void *rw = anonymous_memory();
    void *rx = rw == MAP_FAILED ? MAP_FAILED : executable_view(rw, NULL);
    if (rx == MAP_FAILED) {
        error_set_errno(errp, errno, "cannot map a code cache of %zu MiB",
                        (size_t)(cache.size_bytes / MiB));
        return false;
    }
    cache.rw = rw;
    cache.rx = rx;
    return true;
}

/* Two views, for a moment a third while forking: with a limited address space most of it is the guest's. */
static size_t default_bytes(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY) {
        return DEFAULT_CACHE_BYTES;
    }
    return (size_t)MIN((uint64_t)DEFAULT_CACHE_BYTES, (uint64_t)limit.rlim_cur / 16);
}

bool code_cache_init(size_t size_bytes, Error **errp)
{
    if (!size_bytes) {
        size_bytes = default_bytes();
    }
    size_bytes = MIN(size_bytes, 2 * GiB - MiB); /* direct jumps reach 2 GiB */
    cache.n_regions = MAX(size_bytes / REGION_BYTES, MIN_REGIONS);
    cache.size_bytes = RUNTIME_BYTES + (size_t)cache.n_regions * REGION_BYTES;
    if (!cache_map(errp)) {
        return false;
    }
    void *table = mmap(NULL, ROUND_UP(cache.n_regions * sizeof(CodeRegion), 4096),
                       PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (table == MAP_FAILED) {
        error_set_errno(errp, errno, "cannot reserve the code cache's tables");
        return false;
    }
    cache.regions = table;
    return true;
}

const uint8_t *code_runtime_rx(void)
{
    return cache.rx;
}

void code_cache_set_runtime(size_t size_bytes)
{
    cache.runtime_bytes = size_bytes;
}

uint8_t *code_rw(const uint8_t *rx)
{
    return cache.rw + (rx - cache.rx);
}

bool code_contains(uintptr_t host_pc)
{
    return host_pc - (uintptr_t)cache.rx < cache.size_bytes;
}

/* ---- epochs ---- */

uint64_t tcg_epoch_advance(void)
{
    return atomic_fetch_add(&tcg.epoch, 1);
}

bool tcg_epoch_passed(uint64_t epoch)
{
    bool passed = atomic_load(&tcg.n_invalidators) == 0;
    pthread_mutex_lock(&tcg.vcpus_lock);
    for (TcgVcpu *tv = tcg.vcpus; tv && passed; tv = tv->next) {
        uint64_t e = atomic_load(&tv->epoch);
        passed = e == 0 || e > epoch;
    }
    pthread_mutex_unlock(&tcg.vcpus_lock);
    return passed;
}

void tcg_kick_all(const TcgVcpu *except)
{
    pthread_mutex_lock(&tcg.vcpus_lock);
    for (TcgVcpu *tv = tcg.vcpus; tv; tv = tv->next) {
        if (tv != except) {
            vcpu_kick(tv->vcpu);
        }
    }
    pthread_mutex_unlock(&tcg.vcpus_lock);
}

/* ---- regions ---- */

static void region_reset(CodeRegion *region)
{
    arena_reset(&region->meta);
    atomic_store_explicit(&region->n_units, 0, memory_order_relaxed);
    region->used_bytes = 0;
    region->ready_bytes = 0;
}

/* Moves what nobody can be inside of any more to the free list. */
static void reclaim_locked(void)
{
    for (CodeRegion **p = &cache.retired; *p;) {
        CodeRegion *region = *p;
        if (!tcg_epoch_passed(region->retired_epoch)) {
            p = &region->next;
            continue;
        }
        *p = region->next;
        cache.n_retired--;
        region_reset(region);
        region->state = REGION_FREE;
        region->next = cache.free;
        cache.free = region;
        cache.n_free++;
    }
}

static CodeRegion *fresh_region_locked(void)
{
    CodeRegion *region = &cache.regions[cache.n_fresh];
    void *units = mmap(NULL, REGION_MAX_UNITS * sizeof(*region->units), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (units == MAP_FAILED) {
        return NULL;
    }
    region->index = cache.n_fresh++;
    region->rx = cache.rx + RUNTIME_BYTES + (size_t)region->index * REGION_BYTES;
    region->units = units;
    arena_init(&region->meta);
    return region;
}

CodeRegion *code_region_take(TcgVcpu *tv)
{
    pthread_mutex_lock(&cache.lock);
    if (cache.retired) {
        reclaim_locked();
    }
    CodeRegion *region = cache.free;
    if (region) {
        cache.free = region->next;
        cache.n_free--;
    } else if (cache.n_fresh < cache.n_regions) {
        region = fresh_region_locked();
    }
    if (region) {
        region->state = REGION_OPEN;
    }
    unsigned left = cache.n_free + cache.n_retired + (cache.n_regions - cache.n_fresh);
    pthread_mutex_unlock(&cache.lock);
    /* Evict ahead, so that regions have become free by the time they are wanted. */
    unsigned reserve = MAX(1, cache.n_regions / 16);
    if (left < reserve) {
        code_cache_evict(tv, reserve - left);
    }
    return region;
}

void code_region_prepare(CodeRegion *region)
{
    enum { STEP_BYTES = 64 << 10 };
    if (likely(region->used_bytes + STEP_BYTES / 4 < region->ready_bytes) || region->ready_bytes == REGION_BYTES) {
        return;
    }
    uint8_t *rw = code_rw(region->rx) + region->ready_bytes;
#ifdef MADV_POPULATE_WRITE
    if (madvise(rw, STEP_BYTES, MADV_POPULATE_WRITE) == 0) {
        madvise((void *)(region->rx + region->ready_bytes), STEP_BYTES, MADV_POPULATE_READ);
    }
#endif
    region->ready_bytes += STEP_BYTES;
}

void code_region_close(CodeRegion *region)
{
    pthread_mutex_lock(&cache.lock);
    region->state = REGION_FULL;
    region->serial = ++cache.serial;
    cache.n_full++;
    pthread_mutex_unlock(&cache.lock);
    /* Hardly written any more: links touch single pages again. The process's resident size counts both views. */
    madvise(code_rw(region->rx), REGION_BYTES, MADV_DONTNEED);
}

static void evict_region(TcgVcpu *tv, CodeRegion *region)
{
    uint32_t n = atomic_load_explicit(&region->n_units, memory_order_acquire);
    for (uint32_t i = 0; i < n; i++) {
        tb_invalidate(atomic_load_explicit(&region->units[i], memory_order_relaxed));
    }
    if (tv) {
        COUNT(tv, regions_evicted);
    }
    pthread_mutex_lock(&cache.lock);
    region->retired_epoch = tcg_epoch_advance();
    region->state = REGION_RETIRED;
    region->next = cache.retired;
    cache.retired = region;
    cache.n_retired++;
    pthread_mutex_unlock(&cache.lock);
}

static CodeRegion *oldest_full_locked(void)
{
    CodeRegion *oldest = NULL;
    for (uint32_t i = 0; i < cache.n_fresh; i++) {
        CodeRegion *region = &cache.regions[i];
        if (region->state == REGION_FULL && (!oldest || region->serial < oldest->serial)) {
            oldest = region;
        }
    }
    if (oldest) {
        oldest->state = REGION_OPEN; /* nobody else evicts it */
        cache.n_full--;
    }
    return oldest;
}

void code_cache_evict(TcgVcpu *tv, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        pthread_mutex_lock(&cache.lock);
        CodeRegion *region = oldest_full_locked();
        pthread_mutex_unlock(&cache.lock);
        if (!region) {
            break;
        }
        evict_region(tv, region);
    }
    tcg_kick_all(tv);
}

void code_cache_evict_all(TcgVcpu *tv)
{
    code_cache_evict(tv, cache.n_regions);
    /* What translators are still filling stays open; its units go. */
    for (uint32_t i = 0;; i++) {
        pthread_mutex_lock(&cache.lock);
        CodeRegion *region = i < cache.n_fresh ? &cache.regions[i] : NULL;
        bool open = region && region->state == REGION_OPEN;
        pthread_mutex_unlock(&cache.lock);
        if (!region) {
            break;
        }
        if (open) {
            uint32_t n = atomic_load_explicit(&region->n_units, memory_order_acquire);
            for (uint32_t k = 0; k < n; k++) {
                tb_invalidate(atomic_load_explicit(&region->units[k], memory_order_acquire));
            }
        }
    }
}

void code_cache_wait(TcgVcpu *tv)
{
    for (unsigned spins = 0;; spins++) {
        pthread_mutex_lock(&cache.lock);
        reclaim_locked();
        bool room = cache.free || cache.n_fresh < cache.n_regions;
        bool coming = cache.retired != NULL, none_full = cache.n_full == 0;
        pthread_mutex_unlock(&cache.lock);
        if (room) {
            return;
        }
        if (!coming) {
            if (none_full) {
                /* Every region is open in some translator, perhaps one nobody uses: those can go. */
                translator_drop_regions();
            }
            code_cache_evict(tv, 1);
        }
        tcg_kick_all(tv);
        usleep(spins < 100 ? 20 : 1000);
    }
}

size_t code_cache_used_bytes(void)
{
    size_t used = 0;
    pthread_mutex_lock(&cache.lock);
    for (uint32_t i = 0; i < cache.n_fresh; i++) {
        if (cache.regions[i].state != REGION_FREE) {
            used += REGION_BYTES;
        }
    }
    pthread_mutex_unlock(&cache.lock);
    return used;
}

/* ---- units by address ---- */

TransUnit *code_find(uintptr_t host_pc)
{
    uintptr_t offset = host_pc - (uintptr_t)cache.rx;
    if (offset >= cache.size_bytes || offset < RUNTIME_BYTES) {
        return NULL;
    }
    CodeRegion *region = &cache.regions[(offset - RUNTIME_BYTES) / REGION_BYTES];
    if (!region->units) {
        return NULL;
    }
    /* The last unit that begins at or before host_pc. */
    uint32_t low = 0, high = atomic_load_explicit(&region->n_units, memory_order_acquire);
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        TransUnit *unit = atomic_load_explicit(&region->units[mid], memory_order_relaxed);
        if ((uintptr_t)unit->code <= host_pc) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    if (!low) {
        return NULL;
    }
    TransUnit *unit = atomic_load_explicit(&region->units[low - 1], memory_order_relaxed);
    return host_pc < (uintptr_t)unit->code + unit->code_bytes ? unit : NULL;
}

void code_for_each_unit(void (*fn)(const TransUnit *unit, void *opaque), void *opaque)
{
    pthread_mutex_lock(&cache.lock);
    uint32_t n_regions = cache.n_fresh;
    pthread_mutex_unlock(&cache.lock);
    for (uint32_t i = 0; i < n_regions; i++) {
        CodeRegion *region = &cache.regions[i];
        uint32_t n = region->units ? atomic_load_explicit(&region->n_units, memory_order_acquire) : 0;
        for (uint32_t k = 0; k < n; k++) {
            fn(atomic_load_explicit(&region->units[k], memory_order_relaxed), opaque);
        }
    }
}

/* ---- fork ---- */

/* Every lock of the translator is held, so nothing is written meanwhile. */
void code_cache_fork_begin(void)
{
    pthread_mutex_lock(&cache.lock);
    size_t used = 0;
    for (uint32_t i = 0; i < cache.n_fresh; i++) {
        used += cache.regions[i].used_bytes;
    }
    cache.fork_copy = anonymous_memory();
    if (cache.fork_copy == MAP_FAILED) {
        cache.fork_copy = NULL; /* the child makes its own */
        return;
    }
    cache.fork_empty = used > FORK_COPY_LIMIT_BYTES;
    memcpy(cache.fork_copy, cache.rx, cache.runtime_bytes);
    for (uint32_t i = 0; i < cache.n_fresh && !cache.fork_empty; i++) {
        const CodeRegion *region = &cache.regions[i];
        memcpy(cache.fork_copy + (region->rx - cache.rx), region->rx, region->used_bytes);
    }
}

bool code_cache_fork_end(bool child)
{
    uint8_t *copy = cache.fork_copy;
    cache.fork_copy = NULL;
    if (!child) {
        if (copy) {
            munmap(copy, cache.size_bytes);
        }
        pthread_mutex_unlock(&cache.lock);
        return false;
    }
    bool empty = !copy || cache.fork_empty;
    if (!copy) {
        copy = anonymous_memory();
        if (copy == MAP_FAILED) {
            error_exit("cannot make a code cache for a child process");
        }
        memcpy(copy, cache.rx, cache.runtime_bytes);
    }
    if (mremap(copy, cache.size_bytes, cache.size_bytes, MREMAP_MAYMOVE | MREMAP_FIXED, cache.rw) == MAP_FAILED
        || executable_view(cache.rw, (void *)cache.rx) == MAP_FAILED) {
        error_exit("cannot map a code cache for a child process");
    }
    pthread_mutex_unlock(&cache.lock);
    return empty;
}
