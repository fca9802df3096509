/*
 * slots.c: guest memory as KVM's slots, dirty logging.
 *
 * A slot is a stretch of RAM or ROM of the flat view, in whole pages. What is neither is an exit (MMIO). Views
 * change between begin and commit of a listener: removals come first.
 *
 * Threads: BQL.
 */
#include <linux/kvm.h>
#include <string.h>
#include "kvm-int.h"
#include "softmmu/memory.h"
#include "util/error.h"

typedef struct Slot {
    bool used;
    gpa addr;
    uint64_t bytes;
    RamBlock *ram;
    uint64_t offset;    /* in the block */
    bool readonly, logged;
} Slot;

typedef struct Space {
    MemoryListener listener;
    unsigned id;
    VEC(Slot) slots;
} Space;

static Space spaces[KVM_N_SPACES];

static Space *space_of(MemoryListener *listener)
{
    return container_of(listener, Space, listener);
}

/* As KVM numbers slots: the space above bit 16. */
static uint32_t slot_number(const Space *space, const Slot *s)
{
    return space->id << 16 | (uint32_t)(s - space->slots.at);
}

static bool set_slot(const Space *space, const Slot *s, bool present)
{
    struct kvm_userspace_memory_region region = {
        .slot = slot_number(space, s),
        .flags = (s->readonly ? KVM_MEM_READONLY : 0) | (s->logged ? KVM_MEM_LOG_DIRTY_PAGES : 0),
        .guest_phys_addr = s->addr,
        .memory_size = present ? s->bytes : 0,
        .userspace_addr = (uintptr_t)(s->ram->host + s->offset),
    };
    int r = kvm_vm_ioctl(KVM_SET_USER_MEMORY_REGION, &region);

    if (r < 0) {
        error_report("KVM: memory slot of %" PRIu64 " bytes at 0x%" PRIx64 ": %s", s->bytes, s->addr, strerror(-r));
    }
    return r >= 0;
}

/* The whole pages of a section that a slot can show. */
static bool section_slot(const MemorySection *section, Slot *ret)
{
    const MemoryRegion *mr = section->mr;

    if (!mr->ram || (mr->kind == MEMORY_ROMD && !mr->romd_mode)) {
        return false;
    }
    gpa start = ROUND_UP(section->addr, MEMORY_PAGE_BYTES);
    gpa end = ROUND_DOWN(section->addr + (uint64_t)section->size, MEMORY_PAGE_BYTES);
    uint64_t offset = section->offset + (start - section->addr);
    if (end <= start || offset % MEMORY_PAGE_BYTES) {
        return false;
    }
    *ret = (Slot){ .used = true, .addr = start, .bytes = end - start, .ram = mr->ram, .offset = offset,
                   .readonly = section->readonly || mr->kind == MEMORY_ROMD,
                   .logged = atomic_load(&mr->dirty_clients) & ~(1u << DIRTY_CODE) };
    return true;
}

static Slot *find(Space *space, gpa addr, uint64_t bytes)
{
    for (size_t i = 0; i < space->slots.n; i++) {
        Slot *s = &space->slots.at[i];
        if (s->used && s->addr == addr && s->bytes == bytes) {
            return s;
        }
    }
    return NULL;
}

static void region_add(MemoryListener *listener, const MemorySection *section)
{
    Space *space = space_of(listener);
    Slot s;
    size_t n = 0;

    if (!section_slot(section, &s)) {
        return;
    }
    while (n < space->slots.n && space->slots.at[n].used) {
        n++;
    }
    if (n == space->slots.n) {
        vec_push(&space->slots);
    }
    space->slots.at[n] = s;
    space->slots.at[n].used = set_slot(space, &space->slots.at[n], true);
}

/* What the guest wrote there since the last look becomes the block's dirty bits. */
static void collect(const Space *space, const Slot *s)
{
    uint64_t pages = s->bytes / MEMORY_PAGE_BYTES, words = DIV_ROUND_UP(pages, 64);
    uint64_t *bits = xcalloc(words, sizeof(*bits));
    struct kvm_dirty_log log = { .slot = slot_number(space, s), .dirty_bitmap = bits };

    if (kvm_vm_ioctl(KVM_GET_DIRTY_LOG, &log) >= 0) {
        for (uint64_t w = 0; w < words; w++) {
            for (uint64_t rest = bits[w]; rest; rest &= rest - 1) {
                uint64_t page = w * 64 + (unsigned)__builtin_ctzll(rest);
                ram_mark_dirty(s->ram, s->offset + page * MEMORY_PAGE_BYTES, MEMORY_PAGE_BYTES);
            }
        }
    }
    free(bits);
}

static void region_del(MemoryListener *listener, const MemorySection *section)
{
    Space *space = space_of(listener);
    Slot s;

    if (!section_slot(section, &s)) {
        /* ROMD that has left its mode since it was added */
        s.addr = ROUND_UP(section->addr, MEMORY_PAGE_BYTES);
        s.bytes = ROUND_DOWN(section->addr + (uint64_t)section->size, MEMORY_PAGE_BYTES) - s.addr;
    }
    Slot *old = find(space, s.addr, s.bytes);
    if (old) {
        if (old->logged) {
            collect(space, old);
        }
        set_slot(space, old, false);
        old->used = false;
    }
}

/* Dirty logging of a region went on or off, or its bits are about to be read. */
static void dirty_sync_space(const Space *space, RamBlock *ram)
{
    for (size_t i = 0; i < space->slots.n; i++) {
        Slot *s = &space->slots.at[i];
        if (!s->used || s->ram != ram) {
            continue;
        }
        bool log = atomic_load(&ram->region->dirty_clients) & ~(1u << DIRTY_CODE);
        if (s->logged) {
            collect(space, s);
        }
        if (log != s->logged) {
            s->logged = log;
            set_slot(space, s, true);
        }
    }
}

static void dirty_sync(RamBlock *ram)
{
    for (unsigned i = 0; i < KVM_N_SPACES; i++) {
        dirty_sync_space(&spaces[i], ram);
    }
}

void kvm_add_space(AddressSpace *as, unsigned id)
{
    Space *space = &spaces[id];

    *space = (Space){ .listener = { .region_add = region_add, .region_del = region_del }, .id = id };
    memory_set_dirty_sync_hook(dirty_sync);
    memory_listener_add(&space->listener, as);
}
