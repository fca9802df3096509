/*
 * hw-threads.c: readers of the memory map and setters of timers against a thread that changes both;
 * meant for the thread sanitizer as much as for itself.
 */
#include <pthread.h>
#include <unistd.h>
#include "softmmu/bql.h"
#include "softmmu/clock.h"
#include "softmmu/memory.h"
#include "tests/test.h"
#include <glib.h>

enum { N_THREADS = 3, SPACE = 1 << 16 };

static MemoryRegion root, ram, mmio;
static AddressSpace as;
static _Atomic bool stop;
static _Atomic unsigned long reads, fired;
static uint64_t counter; /* under the BQL */

static MemResult count_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret,
                            MemAttrs attrs)
{
    if (!bql_held()) {
        fprintf(stderr, "a callback without the lock\n");
        _exit(1);
    }
    *ret = counter++;
    return MEM_OK;
}

static MemResult count_write(void *opaque, uint64_t offset, unsigned size, uint64_t value,
                             MemAttrs attrs)
{
    counter += value & 1;
    return MEM_OK;
}

static const MemoryOps count_ops = { .read = count_read, .write = count_write };

static void fire(void *opaque)
{
    atomic_fetch_add(&fired, 1);
}

static void *reader(void *opaque)
{
    uint64_t x = (uintptr_t)opaque * 0x9e3779b97f4a7c15ull + 1, value;
    Timer timer;

    timer_init(&timer, VM_CLOCK_VIRTUAL, fire, NULL);
    while (!atomic_load(&stop)) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        gpa addr = x >> 40 & (SPACE - 1) & ~3u;
        switch (x >> 33 & 7) {
        case 0:
            memory_store(&as, addr, 4, MEM_LITTLE_ENDIAN, x, MEM_ATTRS_NONE);
            break;
        case 1:
            timer_set_ns(&timer, clock_get_ns(VM_CLOCK_VIRTUAL) + (int64_t)(x >> 50));
            break;
        case 2:
            timer_cancel(&timer);
            break;
        default:
            memory_load(&as, addr, 4, MEM_LITTLE_ENDIAN, &value, MEM_ATTRS_NONE);
            break;
        }
        atomic_fetch_add_explicit(&reads, 1, memory_order_relaxed);
    }
    bql_lock();
    timer_cancel(&timer);
    bql_unlock();
    return NULL;
}

int main(void)
{
    pthread_t threads[N_THREADS];

    bql_lock();
    memory_region_init(&root, NULL, "root", SPACE);
    address_space_init(&as, &root, "test");
    CHECK(memory_region_init_ram(&ram, NULL, "ram", SPACE / 2, NULL));
    memory_region_init_mmio(&mmio, NULL, &count_ops, NULL, "count", SPACE / 4);
    memory_region_add(&root, 0, &ram);
    memory_region_add_overlap(&root, SPACE / 4, &mmio, 1);
    clock_virtual_run(true);
    bql_unlock();
    for (uintptr_t i = 0; i < N_THREADS; i++) {
        pthread_create(&threads[i], NULL, reader, (void *)i);
    }
    for (unsigned round = 0; round < 300; round++) {
        MemoryRegion more;

        bql_lock();
        memory_begin();
        CHECK(memory_region_init_ram(&more, NULL, "more", 8192, NULL));
        memory_region_add_overlap(&root, SPACE / 2 + round % 7 * 4096, &more, 2);
        memory_region_set_enabled(&mmio, round & 1);
        memory_commit();
        clock_virtual_run(round % 5 != 0);
        bql_unlock();
        while (g_main_context_iteration(NULL, FALSE)) {
        }
        usleep(500);
        bql_lock();
        memory_region_remove(&root, &more);
        memory_synchronize(); /* with readers that wait for the lock */
        memory_region_finish(&more);
        bql_unlock();
    }
    atomic_store(&stop, true);
    for (unsigned i = 0; i < N_THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    CHECK(atomic_load(&reads) > 1000);
    CHECK(atomic_load(&fired) > 0);
    CHECK(counter > 0);
    CHECK(!ram_block_by_id("more"));
    return test_result();
}
