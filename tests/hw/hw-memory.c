/*
 * hw-memory.c: the flattened view of random region trees against a naive model
 * that asks the tree anew for each address; access sizes and byte order of MMIO;
 * dirty bits; bounce buffers; timers and the virtual clock.
 */
#include <unistd.h>
#include "softmmu/bql.h"
#include "softmmu/clock.h"
#include "softmmu/memory.h"
#include "tests/test.h"
#include "util/bits.h"
#include <glib.h>

static uint64_t seed = 88172645463325252ull;

static uint64_t rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* --- random trees --- */

enum { SPACE = 4096, N_REGIONS = 24 };

typedef struct Hit {
    MemoryRegion *mr;
    uint64_t offset;
    bool readonly;
} Hit;

/* Who answers at `at` (relative to mr's own start)? */
static bool model(MemoryRegion *mr, int64_t at, bool readonly, unsigned depth, Hit *hit)
{
    if (!mr->enabled || at < 0 || (MemSize)at >= mr->size || depth > 16) {
        return false;
    }
    readonly |= mr->readonly;
    if (mr->alias) {
        return model(mr->alias, at + (int64_t)mr->alias_offset, readonly, depth + 1, hit);
    }
    for (MemoryRegion *child = mr->first_child; child; child = child->next_sibling) {
        if (model(child, at - (int64_t)child->addr, readonly, depth + 1, hit)) {
            return true;
        }
    }
    if (mr->kind == MEMORY_CONTAINER) {
        return false;
    }
    *hit = (Hit){ mr, (uint64_t)at, readonly || mr->kind == MEMORY_ROM };
    return true;
}

static MemResult nop_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret,
                          MemAttrs attrs)
{
    *ret = 0;
    return MEM_OK;
}

static MemResult nop_write(void *opaque, uint64_t offset, unsigned size, uint64_t value,
                           MemAttrs attrs)
{
    return MEM_OK;
}

static const MemoryOps nop_ops = { .read = nop_read, .write = nop_write };

static void check_tree(AddressSpace *as, MemoryRegion *root)
{
    uint64_t run_end = 0;

    for (gpa addr = 0; addr < SPACE; addr++) {
        Hit want = {0};
        bool have = model(root, (int64_t)addr, false, 0, &want);
        MemLookup got = memory_lookup(as, addr);
        CHECK((got.mr != NULL) == have);
        if (have && got.mr) {
            CHECK(got.mr == want.mr);
            CHECK_EQ(got.offset, want.offset);
            CHECK(got.readonly == want.readonly);
            if (got.host) {
                CHECK(got.host == (uint8_t *)memory_region_host(want.mr) + want.offset);
            }
        }
        /* `length` counts down within a run. */
        if (addr < run_end) {
            CHECK_EQ(addr + got.length, run_end);
        }
        run_end = addr + got.length;
        if (test_failures > 10) {
            return;
        }
    }
}

static void test_random_trees(void)
{
    for (unsigned round = 0; round < 60; round++) {
        MemoryRegion root, regions[N_REGIONS];
        AddressSpace as;

        memory_region_init(&root, NULL, "root", SPACE);
        address_space_init(&as, &root, "test");
        memory_begin();
        for (unsigned i = 0; i < N_REGIONS; i++) {
            MemoryRegion *mr = &regions[i], *parent = &root;
            uint64_t size = 1 + rnd() % 1500;
            char name[16];
            snprintf(name, sizeof(name), "r%u", i);
            switch (rnd() % 6) {
            case 0:
                CHECK(memory_region_init_ram(mr, NULL, name, size, NULL));
                break;
            case 1:
                CHECK(memory_region_init_rom(mr, NULL, name, size, NULL));
                break;
            case 2:
                if (i) {
                    memory_region_init_alias(mr, NULL, name, &regions[rnd() % i], rnd() % 300,
                                             size);
                    break;
                }
                /* fall through */
            case 3:
                memory_region_init(mr, NULL, name, size);
                break;
            default:
                memory_region_init_mmio(mr, NULL, &nop_ops, NULL, name, size);
                break;
            }
            /* An alias target may also be in the tree; parents are containers or devices. */
            if (i && rnd() % 2) {
                MemoryRegion *p = &regions[rnd() % i];
                if (p->kind == MEMORY_CONTAINER || p->kind == MEMORY_MMIO) {
                    parent = p;
                }
            }
            memory_region_add_overlap(parent, rnd() % SPACE, mr, (int)(rnd() % 5) - 2);
        }
        memory_commit();
        check_tree(&as, &root);
        for (unsigned step = 0; step < 8; step++) {
            MemoryRegion *mr = &regions[rnd() % N_REGIONS];
            switch (rnd() % 5) {
            case 0: memory_region_set_enabled(mr, !mr->enabled); break;
            case 1: memory_region_set_address(mr, rnd() % SPACE); break;
            case 2: memory_region_set_readonly(mr, !mr->readonly); break;
            case 3:
                if (mr->alias) {
                    memory_region_set_alias_offset(mr, rnd() % 500);
                }
                break;
            case 4:
                if (mr->container) {
                    MemoryRegion *parent = mr->container;
                    memory_region_remove(parent, mr);
                    memory_region_add_overlap(parent, rnd() % SPACE, mr, (int)(rnd() % 3));
                }
                break;
            }
            check_tree(&as, &root);
        }
        address_space_finish(&as);
        for (unsigned i = N_REGIONS; i-- > 0;) {
            memory_region_finish(&regions[i]);
        }
        memory_region_finish(&root);
        if (test_failures) {
            fprintf(stderr, "round %u\n", round);
            return;
        }
    }
}

/* --- access sizes and byte order: a device that is a byte array --- */

typedef struct ByteDev {
    uint8_t bytes[64];
    unsigned seen_size;
    bool big;
} ByteDev;

static MemResult bytes_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret,
                            MemAttrs attrs)
{
    ByteDev *d = opaque;

    CHECK(offset + size <= sizeof(d->bytes));
    d->seen_size = size;
    *ret = 0;
    for (unsigned i = 0; i < size; i++) {
        *ret |= (uint64_t)d->bytes[offset + i] << 8 * (d->big ? size - 1 - i : i);
    }
    return MEM_OK;
}

static MemResult bytes_write(void *opaque, uint64_t offset, unsigned size, uint64_t value,
                             MemAttrs attrs)
{
    ByteDev *d = opaque;

    CHECK(offset + size <= sizeof(d->bytes));
    d->seen_size = size;
    for (unsigned i = 0; i < size; i++) {
        d->bytes[offset + i] = (uint8_t)(value >> 8 * (d->big ? size - 1 - i : i));
    }
    return MEM_OK;
}

static void test_access(void)
{
    for (unsigned big = 0; big < 2; big++) {
        for (unsigned impl = 1; impl <= 8; impl *= 2) {
            MemoryOps ops = {
                .read = bytes_read, .write = bytes_write,
                .endian = big ? MEM_BIG_ENDIAN : MEM_LITTLE_ENDIAN,
                .valid = { .min = 1, .max = 8 }, .impl = { .min = 1, .max = (uint8_t)impl },
            };
            ByteDev dev = { .big = big };
            MemoryRegion mr;
            AddressSpace as;
            uint64_t value;

            for (unsigned i = 0; i < sizeof(dev.bytes); i++) {
                dev.bytes[i] = (uint8_t)(i * 7 + 1);
            }
            memory_region_init_mmio(&mr, NULL, &ops, &dev, "bytes", sizeof(dev.bytes));
            address_space_init(&as, &mr, "bytes");
            for (unsigned size = 1; size <= 8; size *= 2) {
                for (unsigned at = 0; at + size <= sizeof(dev.bytes); at += size) {
                    uint64_t le = 0, be = 0;
                    for (unsigned i = 0; i < size; i++) {
                        le |= (uint64_t)dev.bytes[at + i] << 8 * i;
                        be |= (uint64_t)dev.bytes[at + i] << 8 * (size - 1 - i);
                    }
                    CHECK_EQ(memory_load(&as, at, size, MEM_LITTLE_ENDIAN, &value,
                                         MEM_ATTRS_NONE), MEM_OK);
                    CHECK_EQ(value, le);
                    CHECK_EQ(dev.seen_size, MIN(size, impl));
                    CHECK_EQ(memory_load(&as, at, size, MEM_BIG_ENDIAN, &value,
                                         MEM_ATTRS_NONE), MEM_OK);
                    CHECK_EQ(value, be);
                    uint64_t put = rnd();
                    CHECK_EQ(memory_store(&as, at, size, MEM_LITTLE_ENDIAN, put,
                                          MEM_ATTRS_NONE), MEM_OK);
                    for (unsigned i = 0; i < size; i++) {
                        CHECK_EQ(dev.bytes[at + i], put >> 8 * i & 0xff);
                    }
                }
            }
            uint8_t buf[64], out[64];
            CHECK_EQ(memory_read(&as, 3, buf, 50, MEM_ATTRS_NONE), MEM_OK);
            CHECK(!memcmp(buf, dev.bytes + 3, 50));
            for (unsigned i = 0; i < sizeof(out); i++) {
                out[i] = (uint8_t)rnd();
            }
            CHECK_EQ(memory_write(&as, 5, out, 41, MEM_ATTRS_NONE), MEM_OK);
            CHECK(!memcmp(out, dev.bytes + 5, 41));
            /* Unaligned and outside. */
            CHECK(memory_region_read(&mr, 3, 2, MEM_LITTLE_ENDIAN, &value, MEM_ATTRS_NONE) ==
                  MEM_DECODE_ERROR);
            CHECK(memory_read(&as, 60, buf, 8, MEM_ATTRS_NONE) & MEM_DECODE_ERROR);
            /* DMA to a device goes through a bounce buffer. */
            uint64_t len = 16;
            uint8_t *map = memory_map(&as, 8, &len, true, MEM_ATTRS_NONE);
            CHECK(map && len == 16);
            memcpy(map, "0123456789abcdef", 16);
            memory_unmap(&as, map, len, true, 12);
            CHECK(!memcmp(dev.bytes + 8, "0123456789ab", 12));
            address_space_finish(&as);
            memory_region_finish(&mr);
        }
    }
    /* Callbacks that only do words: narrow accesses are widened. */
    static const MemoryOps wide = {
        .read = bytes_read, .write = bytes_write, .valid = { .min = 1, .max = 4 },
        .impl = { .min = 4, .max = 4 },
    };
    ByteDev dev = { .bytes = { 0x11, 0x22, 0x33, 0x44 } };
    MemoryRegion mr;
    uint64_t value;
    memory_region_init_mmio(&mr, NULL, &wide, &dev, "wide", 64);
    CHECK_EQ(memory_region_read(&mr, 2, 1, MEM_LITTLE_ENDIAN, &value, MEM_ATTRS_NONE), MEM_OK);
    CHECK_EQ(value, 0x33);
    CHECK_EQ(dev.seen_size, 4);
    CHECK_EQ(memory_region_write(&mr, 2, 2, MEM_LITTLE_ENDIAN, 0xbeef, MEM_ATTRS_NONE), MEM_OK);
    CHECK_EQ(ldle32(dev.bytes), 0xbeef0000);
    memory_region_finish(&mr);
}

static unsigned code_hits;

static void code_hook(RamBlock *ram, uint64_t offset, uint64_t len)
{
    code_hits++;
}

/* Two devices whose registers, when written, write to an address, as a descriptor would have it. */
typedef struct Dma {
    AddressSpace *as;
    gpa target;
    unsigned n;
} Dma;

static MemResult dma_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    Dma *d = opaque;

    d->n++;
    memory_store(d->as, d->target, 4, MEM_LITTLE_ENDIAN, value, attrs);
    return MEM_OK;
}

static void test_dma_to_registers(void)
{
    static const MemoryOps ops = { .read = nop_read, .write = dma_write, .valid = { 1, 4 }, .impl = { 1, 4 } };
    MemoryRegion root, mr[6];
    AddressSpace as, dma;
    Object owner[2] = {0};
    Dma dev[6];

    memory_region_init(&root, NULL, "root", 0x1000);
    for (unsigned i = 0; i < 6; i++) {
        dev[i] = (Dma){ &as, i * 0x100, 0 };
        memory_region_init_mmio(&mr[i], NULL, &ops, &dev[i], "dma", 0x100);
        memory_region_add(&root, i * 0x100, &mr[i]);
    }
    address_space_init(&as, &root, "cpu");
    mr[0].owner = &owner[0];
    mr[1].owner = &owner[1];
    memory_store(&as, 0, 4, MEM_LITTLE_ENDIAN, 1, MEM_ATTRS_NONE);
    CHECK_EQ(dev[0].n, 1);
    dev[0].target = 0x100; /* there and back: it ends where it began */
    dev[1].target = 0;
    memory_store(&as, 0, 4, MEM_LITTLE_ENDIAN, 1, MEM_ATTRS_NONE);
    CHECK_EQ(dev[0].n, 2);
    CHECK_EQ(dev[1].n, 1);
    for (unsigned i = 2; i < 6; i++) { /* regions of nobody: a chain is cut */
        dev[i].target = (i == 5 ? 2 : i + 1) * 0x100;
    }
    memory_store(&as, 0x200, 4, MEM_LITTLE_ENDIAN, 1, MEM_ATTRS_NONE);
    CHECK(dev[2].n >= 1 && dev[2].n + dev[3].n + dev[4].n + dev[5].n < 10);
    /* DMA from outside of an access. */
    address_space_init(&dma, &root, "dma");
    dma.owner = &owner[0];
    CHECK_EQ(memory_store(&dma, 0, 4, MEM_LITTLE_ENDIAN, 1, MEM_ATTRS_NONE), MEM_DECODE_ERROR);
    uint8_t bytes[4] = { 1, 1, 1, 1 };
    CHECK_EQ(memory_read(&dma, 0, bytes, 4, MEM_ATTRS_NONE), MEM_DECODE_ERROR);
    CHECK_EQ(bytes[0], 0);
    CHECK_EQ(dev[0].n, 2);
    memory_store(&dma, 0x100, 4, MEM_LITTLE_ENDIAN, 1, MEM_ATTRS_NONE);
    CHECK_EQ(dev[1].n, 2);
    address_space_finish(&dma);
    address_space_finish(&as);
}

static void test_ram(void)
{
    MemoryRegion ram;
    AddressSpace as;
    uint64_t old;

    CHECK(memory_region_init_ram(&ram, NULL, "ram", 1 * MiB, NULL));
    address_space_init(&as, &ram, "ram");
    memory_set_code_hook(code_hook);
    ram_dirty_log(ram.ram, DIRTY_MIGRATION, true);
    ram_dirty_log(ram.ram, DIRTY_CODE, true);
    CHECK(ram_dirty_test_and_clear(ram.ram, DIRTY_MIGRATION, 0, 1 * MiB));
    CHECK(!ram_dirty_test_and_clear(ram.ram, DIRTY_MIGRATION, 0, 1 * MiB));
    CHECK_EQ(memory_st_le32(&as, 0x1ffe, 0x12345678), MEM_OK);
    CHECK_EQ(memory_ld_le32(&as, 0x1ffe, NULL), 0x12345678);
    CHECK_EQ(memory_ld_be16(&as, 0x2000, NULL), 0x3412);
    CHECK(ram_dirty_get(ram.ram, DIRTY_MIGRATION, 0x1000));
    CHECK(ram_dirty_get(ram.ram, DIRTY_MIGRATION, 0x2fff));
    CHECK(!ram_dirty_get(ram.ram, DIRTY_MIGRATION, 0x3000));
    CHECK(!ram_dirty_get(ram.ram, DIRTY_MIGRATION, 0xfff));
    CHECK_EQ(code_hits, 0);
    ram_dirty_test_and_clear(ram.ram, DIRTY_CODE, 0x5000, 0x1000);
    memory_st_u8(&as, 0x4fff, 1);
    CHECK_EQ(code_hits, 0);
    memory_st_u8(&as, 0x5fff, 1);
    CHECK_EQ(code_hits, 1);
    memory_st_be64(&as, 0x8000, 0x0102030405060708);
    CHECK_EQ(memory_cmpxchg(&as, 0x8000, 8, MEM_BIG_ENDIAN, 0x0102030405060708, 42, &old),
             MEM_OK);
    CHECK_EQ(old, 0x0102030405060708);
    CHECK_EQ(memory_ld_be64(&as, 0x8000, NULL), 42);
    CHECK_EQ(memory_cmpxchg(&as, 0x8004, 4, MEM_LITTLE_ENDIAN, 7, 8, &old), MEM_OK);
    CHECK_EQ(old, 42u << 24);
    CHECK_EQ(memory_cmpxchg(&as, 0x8001, 4, MEM_LITTLE_ENDIAN, 7, 8, &old), MEM_DECODE_ERROR);
    MemLookup page = memory_lookup_page(&as, 0x12345, 4096);
    CHECK(page.host == ram.ram->host + 0x12000 && page.length == 4096);
    page = memory_lookup_page(&as, 0x12345, 2 * MiB);
    CHECK(!page.host);
    CHECK(ram_block_by_id("ram") == ram.ram);
    memory_set_code_hook(NULL);
    address_space_finish(&as);
    memory_region_finish(&ram);
    Error *err = NULL;
    CHECK(!memory_region_init_ram(&ram, NULL, "huge", UINT64_MAX - 4096, &err));
    CHECK(err != NULL);
    error_free(err);
}

/* --- timers --- */

static int fired[64], n_fired;

static void fire(void *opaque)
{
    CHECK(bql_held());
    fired[n_fired++ % 64] = (int)(intptr_t)opaque;
}

static void test_timers(void)
{
    Timer t[10];
    int64_t now = clock_get_ns(VM_CLOCK_REALTIME);

    for (unsigned i = 0; i < 10; i++) {
        timer_init(&t[i], VM_CLOCK_REALTIME, fire, (void *)(intptr_t)i);
        timer_set_ns(&t[i], now + (int64_t)((i * 7) % 10) * NS_PER_MS);
    }
    timer_cancel(&t[3]);
    CHECK(!timer_pending(&t[3]) && timer_pending(&t[4]));
    while (n_fired < 9) {
        g_main_context_iteration(NULL, TRUE);
    }
    /* i * 7 % 10 sorted: 0 3 6 9 2 5 8 1 4 7, without 3. */
    static const int order[] = { 0, 6, 9, 2, 5, 8, 1, 4, 7 };
    for (unsigned i = 0; i < 9; i++) {
        CHECK_EQ(fired[i], order[i]);
    }
    CHECK(clock_get_ns(VM_CLOCK_REALTIME) - now >= 9 * NS_PER_MS);

    /* The virtual clock stands still until it is started. */
    n_fired = 0;
    timer_init(&t[0], VM_CLOCK_VIRTUAL, fire, (void *)77);
    int64_t v = clock_get_ns(VM_CLOCK_VIRTUAL);
    timer_set_ns(&t[0], v + NS_PER_MS);
    usleep(3000);
    while (g_main_context_iteration(NULL, FALSE)) {
    }
    CHECK_EQ(n_fired, 0);
    CHECK_EQ(clock_get_ns(VM_CLOCK_VIRTUAL), v);
    clock_virtual_run(true);
    while (!n_fired) {
        g_main_context_iteration(NULL, TRUE);
    }
    CHECK(clock_get_ns(VM_CLOCK_VIRTUAL) >= v + NS_PER_MS);
    clock_virtual_run(false);
    v = clock_get_ns(VM_CLOCK_VIRTUAL);
    usleep(1000);
    CHECK_EQ(clock_get_ns(VM_CLOCK_VIRTUAL), v);
    clock_virtual_set_ns(5);
    CHECK_EQ(clock_get_ns(VM_CLOCK_VIRTUAL), 5);
}

/* --- eventfds: a listener hears of each where the view shows it, and of its end --- */

static gpa event_at[8];
static size_t n_events;

static void event_came(MemoryListener *l, gpa addr, const MemoryEventfd *event)
{
    CHECK(n_events < ARRAY_SIZE(event_at));
    event_at[n_events++] = addr;
}

static void event_went(MemoryListener *l, gpa addr, const MemoryEventfd *event)
{
    size_t i = 0;

    while (i < n_events && event_at[i] != addr) {
        i++;
    }
    CHECK(i < n_events);
    event_at[i] = event_at[--n_events];
}

static void test_eventfds(void)
{
    MemoryEventfd event = { .offset = 0x10, .size = 4, .fd = -1 }, other = { .offset = 0x10, .size = 4, .match_data = true, .fd = -1 };
    MemoryListener listener = { .eventfd_add = event_came, .eventfd_del = event_went };
    MemoryRegion root, mr, alias, over;
    AddressSpace as;

    memory_region_init(&root, NULL, "root", SPACE);
    memory_region_init_mmio(&mr, NULL, &nop_ops, NULL, "registers", 0x40);
    memory_region_init_alias(&alias, NULL, "alias", &mr, 0x8, 0x10);
    memory_region_init_mmio(&over, NULL, &nop_ops, NULL, "over", 4);
    memory_region_add(&root, 0x100, &mr);
    address_space_init(&as, &root, "events");
    memory_region_add_eventfd(&mr, &event);
    memory_listener_add(&listener, &as);
    CHECK(n_events == 1 && event_at[0] == 0x110);
    memory_region_set_address(&mr, 0x200);
    CHECK(n_events == 1 && event_at[0] == 0x210);
    memory_region_add(&root, 0x300, &alias);
    CHECK(n_events == 2 && event_at[0] + event_at[1] == 0x210 + 0x308);
    memory_region_set_alias_offset(&alias, 0x14);   /* begins behind it */
    CHECK(n_events == 1);
    memory_region_set_alias_offset(&alias, 0x2);    /* ends within it */
    CHECK(n_events == 1);
    memory_region_add_eventfd(&mr, &other);
    CHECK(n_events == 2 && event_at[1] == 0x210);
    memory_region_del_eventfd(&mr, &event);
    CHECK(n_events == 1);
    memory_region_add_overlap(&root, 0x212, &over, 1);
    CHECK(n_events == 0);
    memory_region_remove(&root, &over);
    CHECK(n_events == 1 && event_at[0] == 0x210);
    /* Within a change of the tree, before it is published. */
    memory_begin();
    memory_region_set_address(&mr, 0x400);
    memory_region_add_eventfd(&mr, &event);
    memory_region_del_eventfd(&mr, &other);
    memory_commit();
    CHECK(n_events == 1 && event_at[0] == 0x410);
    memory_region_set_enabled(&mr, false);
    CHECK(n_events == 0);
    memory_region_set_enabled(&mr, true);
    memory_listener_remove(&listener);
    CHECK(n_events == 0);
    memory_region_del_eventfd(&mr, &event);
    memory_region_finish(&mr);
    memory_region_finish(&alias);
    memory_region_finish(&over);
    address_space_finish(&as);
    memory_region_finish(&root);
}

int main(void)
{
    test_random_trees();
    test_eventfds();
    test_access();
    test_dma_to_registers();
    test_ram();
    test_timers();
    return test_result();
}
