/*
 * ram.c: blocks of guest RAM in our address space, and their dirty bits.
 *
 * A dirty bitmap exists once its client has asked for logging, and stays. Bits
 * are set with atomic or, so vCPU threads, I/O threads and the client need no lock.
 */
#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>
#include "softmmu/memory/internal.h"

static _Atomic(RamBlock *) ram_blocks;
static uint64_t ram_next_addr;
static void (*ram_code_hook)(RamBlock *ram, uint64_t offset, uint64_t len);
static void (*ram_watch_hook)(RamBlock *ram, uint64_t offset, uint64_t len);

static uint64_t ram_pages(const RamBlock *ram)
{
    return DIV_ROUND_UP(ram->size_bytes, MEMORY_PAGE_BYTES);
}

static void ram_block_publish(MemoryRegion *mr, RamBlock *ram)
{
    ram->region = mr;
    ram->id = xstrdup(mr->label);
    ram->ram_addr = ram_next_addr;
    /* A guard between blocks, and 2 MiB steps so that large pages keep their alignment. */
    ram_next_addr += ROUND_UP(ram->size_bytes, 2 * MiB) + 2 * MiB;
    mr->ram = ram;
    ram->next = ram_blocks;
    atomic_store_explicit(&ram_blocks, ram, memory_order_release);
}

bool ram_block_alloc(MemoryRegion *mr, uint64_t size_bytes, Error **errp)
{
    /* Alignment of 2 MiB lets the host use large pages. */
    size_t align = size_bytes >= 2 * MiB ? 2 * MiB : MEMORY_PAGE_BYTES;
    size_t len = ROUND_UP(size_bytes, MEMORY_PAGE_BYTES);

    if (size_bytes > SIZE_MAX - 4 * MiB || len < size_bytes) {
        error_set(errp, "cannot allocate %" PRIu64 " bytes of guest memory for '%s'", size_bytes,
                  mr->label);
        return false;
    }
    uint8_t *map = mmap(NULL, len + align, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED) {
        error_set_errno(errp, errno, "cannot allocate %" PRIu64 " bytes of guest memory for '%s'",
                        size_bytes, mr->label);
        return false;
    }
    uint8_t *host = (uint8_t *)ROUND_UP((uintptr_t)map, align);
    if (host > map) {
        munmap(map, (size_t)(host - map));
    }
    if (map + len + align > host + len) {
        munmap(host + len, (size_t)(map + len + align - (host + len)));
    }
    if (align > MEMORY_PAGE_BYTES) {
        madvise(host, len, MADV_HUGEPAGE);
    }
    RamBlock *ram = xnew(RamBlock);
    ram->host = host;
    ram->size_bytes = size_bytes;
    ram->fd = -1;
    ram_block_publish(mr, ram);
    return true;
}

void ram_block_adopt(MemoryRegion *mr, uint64_t size_bytes, void *host, int fd)
{
    RamBlock *ram = xnew(RamBlock);

    ram->host = host;
    ram->size_bytes = size_bytes;
    ram->fd = fd;
    ram->shared = fd >= 0;
    ram->foreign = true;
    ram_block_publish(mr, ram);
}

static void ram_block_free(RcuHead *head)
{
    RamBlock *ram = container_of(head, RamBlock, rcu);

    if (!ram->foreign) {
        munmap(ram->host, ROUND_UP(ram->size_bytes, MEMORY_PAGE_BYTES));
    }
    for (unsigned i = 0; i < DIRTY_N; i++) {
        free(ram->dirty[i]);
    }
    free(ram->id);
    free(ram);
}

void ram_block_release(RamBlock *ram)
{
    RamBlock *prev = NULL;

    for (RamBlock *at = ram_blocks; at != ram; at = at->next) {
        prev = at;
    }
    if (prev) {
        prev->next = ram->next;
    } else {
        atomic_store(&ram_blocks, ram->next);
    }
    rcu_retire(&ram->rcu, ram_block_free);
}

RamBlock *ram_block_first(void)
{
    return ram_blocks;
}

RamBlock *ram_block_by_id(const char *id)
{
    RamBlock *ram = ram_blocks;

    while (ram && strcmp(ram->id, id)) {
        ram = ram->next;
    }
    return ram;
}

RamBlock *ram_block_from_host(const void *host, uint64_t *ret_offset)
{
    for (RamBlock *ram = atomic_load_explicit(&ram_blocks, memory_order_acquire); ram;
         ram = ram->next) {
        uint64_t offset = (uint64_t)((uintptr_t)host - (uintptr_t)ram->host);
        if (offset < ram->size_bytes) {
            *ret_offset = offset;
            return ram;
        }
    }
    return NULL;
}

/* --- dirty bits --- */

/* Applies fn to each word and mask of the pages of [offset, offset + len). */
#define FOR_DIRTY_WORDS(ram, offset, len, word, mask, body)                             \
    do {                                                                                \
        uint64_t page_ = (offset) >> MEMORY_PAGE_BITS;                                  \
        uint64_t last_ = ((offset) + (len) - 1) >> MEMORY_PAGE_BITS;                    \
        while ((len) && page_ <= last_) {                                               \
            uint64_t word = page_ / 64, n_ = MIN(64 - page_ % 64, last_ - page_ + 1);   \
            uint64_t mask = (~UINT64_C(0) >> (64 - n_)) << (page_ % 64);                \
            body;                                                                       \
            page_ += n_;                                                                \
        }                                                                               \
    } while (0)

static void (*dirty_sync_hook)(RamBlock *ram);

void memory_set_dirty_sync_hook(void (*hook)(RamBlock *ram))
{
    dirty_sync_hook = hook;
}

void ram_dirty_sync(RamBlock *ram)
{
    if (dirty_sync_hook) {
        dirty_sync_hook(ram);
    }
}

void ram_dirty_log(RamBlock *ram, DirtyClient client, bool on)
{
    uint64_t words = DIV_ROUND_UP(ram_pages(ram), 64);

    if (on && !ram->dirty[client]) {
        _Atomic uint64_t *bits = xcalloc(words, sizeof(*bits));
        for (uint64_t i = 0; i < words; i++) {
            atomic_init(&bits[i], ~UINT64_C(0));
        }
        atomic_thread_fence(memory_order_release);
        ram->dirty[client] = bits;
    } else if (on && client == DIRTY_MIGRATION) {
        ram_dirty_set(ram, client, 0, ram->size_bytes);
    }
    if (on) {
        atomic_fetch_or(&ram->region->dirty_clients, (uint8_t)(1u << client));
        if (client != DIRTY_CODE && ram_watch_hook) {
            ram_watch_hook(ram, 0, ram->size_bytes);
        }
    } else {
        atomic_fetch_and(&ram->region->dirty_clients, (uint8_t)~(1u << client));
    }
    ram_dirty_sync(ram);
}

void ram_dirty_set(RamBlock *ram, DirtyClient client, uint64_t offset, uint64_t len)
{
    _Atomic uint64_t *bits = ram->dirty[client];

    if (!bits) {
        return;
    }
    FOR_DIRTY_WORDS(ram, offset, len, word, mask, {
        if ((atomic_load_explicit(&bits[word], memory_order_relaxed) & mask) != mask) {
            atomic_fetch_or(&bits[word], mask);
        }
    });
}

bool ram_dirty_test_and_clear(RamBlock *ram, DirtyClient client, uint64_t offset, uint64_t len)
{
    _Atomic uint64_t *bits = ram->dirty[client];
    uint64_t seen = 0;

    if (!bits) {
        return false;
    }
    FOR_DIRTY_WORDS(ram, offset, len, word, mask,
                    seen |= atomic_fetch_and(&bits[word], ~mask) & mask);
    if (seen && client != DIRTY_CODE && ram_watch_hook) {
        ram_watch_hook(ram, offset, len);
    }
    return seen;
}

void ram_dirty_harvest(RamBlock *ram, DirtyClient client, uint64_t offset, uint64_t len, uint64_t *ret)
{
    _Atomic uint64_t *bits = ram->dirty[client];
    uint64_t n_pages = DIV_ROUND_UP(len, MEMORY_PAGE_BYTES), first = offset >> MEMORY_PAGE_BITS, seen = 0;

    memset(ret, 0, DIV_ROUND_UP(n_pages, 64) * 8);
    if (!bits) {
        return;
    }
    FOR_DIRTY_WORDS(ram, offset, len, word, mask, {
        /* Most words are clear: no atomic change for these. */
        uint64_t got = atomic_load_explicit(&bits[word], memory_order_relaxed) & mask;
        got = got ? atomic_fetch_and(&bits[word], ~mask) & mask : 0;
        seen |= got;
        for (; got; got &= got - 1) {
            uint64_t i = word * 64 + (uint64_t)__builtin_ctzll(got) - first;
            ret[i / 64] |= UINT64_C(1) << i % 64;
        }
    });
    if (seen && client != DIRTY_CODE && ram_watch_hook) {
        ram_watch_hook(ram, offset, len);
    }
}

void memory_set_watch_hook(void (*hook)(RamBlock *ram, uint64_t offset, uint64_t len))
{
    ram_watch_hook = hook;
}

bool ram_dirty_get(RamBlock *ram, DirtyClient client, uint64_t offset)
{
    uint64_t page = offset >> MEMORY_PAGE_BITS;
    _Atomic uint64_t *bits = ram->dirty[client];

    return bits && (atomic_load(&bits[page / 64]) >> (page % 64) & 1);
}

void memory_set_code_hook(void (*hook)(RamBlock *ram, uint64_t offset, uint64_t len))
{
    ram_code_hook = hook;
}

void ram_mark_dirty(RamBlock *ram, uint64_t offset, uint64_t len)
{
    uint8_t clients = atomic_load_explicit(&ram->region->dirty_clients, memory_order_relaxed);

    if (clients & 1u << DIRTY_MIGRATION) {
        ram_dirty_set(ram, DIRTY_MIGRATION, offset, len);
    }
    if (clients & 1u << DIRTY_DISPLAY) {
        ram_dirty_set(ram, DIRTY_DISPLAY, offset, len);
    }
    _Atomic uint64_t *code = ram->dirty[DIRTY_CODE];
    if (code && ram_code_hook) {
        bool clean = false;
        FOR_DIRTY_WORDS(ram, offset, len, word, mask, {
            clean |= (atomic_load_explicit(&code[word], memory_order_acquire) & mask) != mask;
        });
        if (clean) {
            ram_code_hook(ram, offset, len);
        }
    }
}
