/*
 * slots.c: guest memory as KVM's slots, dirty logging, and eventfds in place of exits.
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

static VEC(Slot) slots;

static bool set_slot(unsigned n, const Slot *s, bool present)
{
    struct kvm_userspace_memory_region region = {
        .slot = n,
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

static Slot *find(gpa addr, uint64_t bytes)
{
    for (size_t i = 0; i < slots.n; i++) {
        if (slots.at[i].used && slots.at[i].addr == addr && slots.at[i].bytes == bytes) {
            return &slots.at[i];
        }
    }
    return NULL;
}

static void region_add(MemoryListener *listener, const MemorySection *section)
{
    Slot s;
    size_t n = 0;

    if (!section_slot(section, &s)) {
        return;
    }
    while (n < slots.n && slots.at[n].used) {
        n++;
    }
    if (n == slots.n) {
        vec_push(&slots);
    }
    slots.at[n] = s;
    slots.at[n].used = set_slot((unsigned)n, &s, true);
}

/* What the guest wrote there since the last look becomes the block's dirty bits. */
static void collect(Slot *s)
{
    uint64_t pages = s->bytes / MEMORY_PAGE_BYTES, words = DIV_ROUND_UP(pages, 64);
    uint64_t *bits = xcalloc(words, sizeof(*bits));
    struct kvm_dirty_log log = { .slot = (uint32_t)(s - slots.at), .dirty_bitmap = bits };

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
    Slot s;

    if (!section_slot(section, &s)) {
        /* ROMD that has left its mode since it was added */
        s.addr = ROUND_UP(section->addr, MEMORY_PAGE_BYTES);
        s.bytes = ROUND_DOWN(section->addr + (uint64_t)section->size, MEMORY_PAGE_BYTES) - s.addr;
    }
    Slot *old = find(s.addr, s.bytes);
    if (old) {
        if (old->logged) {
            collect(old);
        }
        set_slot((unsigned)(old - slots.at), old, false);
        old->used = false;
    }
}

/* Dirty logging of a region went on or off, or its bits are about to be read. */
static void dirty_sync(RamBlock *ram)
{
    for (size_t i = 0; i < slots.n; i++) {
        Slot *s = &slots.at[i];
        if (!s->used || s->ram != ram) {
            continue;
        }
        bool log = atomic_load(&ram->region->dirty_clients) & ~(1u << DIRTY_CODE);
        if (s->logged) {
            collect(s);
        }
        if (log != s->logged) {
            s->logged = log;
            set_slot((unsigned)i, s, true);
        }
    }
}

static MemoryListener listener = { .region_add = region_add, .region_del = region_del };

void kvm_slots_init(Machine *machine)
{
    memory_set_dirty_sync_hook(dirty_sync);
    memory_listener_add(&listener, &machine->memory);
}
