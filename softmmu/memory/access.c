/*
 * access.c: reads and writes through regions and address spaces.
 *
 * Device callbacks get accesses of the sizes they implement; this file splits,
 * widens and swaps. RAM is touched directly: naturally aligned 1, 2, 4 and 8 byte
 * accesses are single host accesses.
 * Threads: any; the BQL is taken round callbacks unless the region is lockless.
 */
#include "accel/vcpu.h"
#include "softmmu/bql.h"
#include "softmmu/memory/internal.h"
#include "util/bits.h"
#include "util/log.h"
#include "util/trace.h"

/* Bounce buffers of all mappings together: a device that never unmaps cannot eat the host. */
#define MEMORY_BOUNCE_TOTAL (16 * MiB)
#define MEMORY_BOUNCE_ONE (64 * KiB)

typedef struct Bounce {
    gpa addr;
    uint64_t len;
    MemAttrs attrs;
    struct Bounce *next;
    alignas(16) uint8_t data[];
} Bounce;

static pthread_mutex_t bounce_mutex = PTHREAD_MUTEX_INITIALIZER;
static Bounce *bounce_list;
static uint64_t bounce_total;

/*
 * A device whose DMA meets registers. Its own callbacks are not entered again while one of them runs, nor by its own DMA at any
 * time: a descriptor that points at the register which starts the work would recurse for ever, and devices need not expect to be
 * reset in the middle of a transfer. Chains through several devices end at NEST_MAX.
 */
enum { NEST_MAX = 4 };

static _Thread_local struct Nest {
    const Object *owners[NEST_MAX];
    unsigned n;
} nest;

static bool nest_enter(const MemoryRegion *mr, uint64_t offset)
{
    bool ok = nest.n < NEST_MAX;

    for (unsigned i = 0; i < nest.n && mr->owner; i++) {
        ok &= nest.owners[i] != mr->owner;
    }
    if (!ok) {
        log_guest_error("%s: access at offset 0x%" PRIx64 " by a device that this one's access has started\n", mr->label, offset);
        return false;
    }
    nest.owners[nest.n++] = mr->owner;
    return true;
}

static void (*flush_hook)(void);

void memory_set_flush_hook(void (*flush)(void))
{
    flush_hook = flush;
}

/* What is carried out was written before whatever runs now, and is no part of it. */
void memory_flush_coalesced(void)
{
    if (flush_hook) {
        struct Nest outer = nest;
        nest.n = 0;
        flush_hook();
        nest = outer;
    }
}

static bool dma_to_itself(const AddressSpace *as, const MemoryRegion *mr)
{
    if (!as->owner || mr->owner != as->owner) {
        return false;
    }
    log_guest_error("%s: DMA to the device's own registers\n", mr->label);
    return true;
}

MemLookup memory_lookup_dma(AddressSpace *as, gpa addr, bool is_write)
{
    uint64_t bytes = 0;

    if (!as->iommu) {
        return memory_lookup(as, addr);
    }
    if (!as->iommu->translate(as->iommu, addr, is_write, &addr, &bytes)) {
        return (MemLookup){ .length = bytes };
    }
    MemLookup at = memory_lookup(as, addr);
    at.length = MIN(at.length, bytes);
    return at;
}

static uint64_t swap_bytes(uint64_t value, unsigned size)
{
    return __builtin_bswap64(value) >> (64 - 8 * size);
}

static uint64_t size_mask(unsigned size)
{
    return ~UINT64_C(0) >> (64 - 8 * size);
}

static bool access_valid(MemoryRegion *mr, uint64_t offset, unsigned size, bool is_write,
                         MemAttrs attrs)
{
    const MemoryOps *ops = mr->ops;
    unsigned min = ops->valid.min ? ops->valid.min : 1;
    unsigned max = ops->valid.max ? ops->valid.max : 4;

    if (offset + (MemSize)size > mr->size) {
        return false;
    }
    if (!ops->valid.unaligned && (offset & (size - 1))) {
        log_guest_error("%s: %s of %u bytes at offset 0x%" PRIx64 " is not aligned\n", mr->label,
                        is_write ? "write" : "read", size, offset);
        return false;
    }
    if (size < min || size > max) {
        log_guest_error("%s: %s of %u bytes at offset 0x%" PRIx64 ", only %u to %u are possible\n",
                        mr->label, is_write ? "write" : "read", size, offset, min, max);
        return false;
    }
    return !ops->accepts || ops->accepts(mr->opaque, offset, size, is_write, attrs);
}

/* The sizes the callbacks take for this access. */
static unsigned access_step(const MemoryOps *ops, uint64_t offset, unsigned size)
{
    unsigned min = ops->impl.min ? ops->impl.min : ops->valid.min ? ops->valid.min : 1;
    unsigned max = ops->impl.max ? ops->impl.max : ops->valid.max ? ops->valid.max : 4;
    unsigned step = MAX(MIN(size, max), min);

    /* An unaligned access to callbacks that cannot: aligned pieces. */
    while (!ops->impl.unaligned && step > min && (offset & (step - 1))) {
        step /= 2;
    }
    return step;
}

/* `value` in the region's byte order. Pieces are placed by address. */
static MemResult ops_read(MemoryRegion *mr, uint64_t offset, unsigned size, uint64_t *ret_value,
                          MemAttrs attrs)
{
    const MemoryOps *ops = mr->ops;
    unsigned step = access_step(ops, offset, size);
    bool big = ops->endian == MEM_BIG_ENDIAN;
    MemResult result = MEM_OK;
    uint64_t out = 0;
    uint64_t pos = ops->impl.unaligned ? offset : ROUND_DOWN(offset, step);

    for (; pos < offset + size; pos += step) {
        uint64_t piece = 0;
        result |= ops->read(mr->opaque, pos, step, &piece, attrs);
        TRACE("memory_region_ops_read", "region %s offset 0x%" PRIx64 " value 0x%" PRIx64 " size %u",
              memory_region_name(mr), pos, piece, step);
        piece &= size_mask(step);
        for (unsigned i = 0; i < step; i++) {
            if (pos + i < offset || pos + i >= offset + size) {
                continue;
            }
            uint64_t byte = piece >> 8 * (big ? step - 1 - i : i) & 0xff;
            unsigned to = (unsigned)(pos + i - offset);
            out |= byte << 8 * (big ? size - 1 - to : to);
        }
    }
    *ret_value = out;
    return result;
}

static MemResult ops_write(MemoryRegion *mr, uint64_t offset, unsigned size, uint64_t value,
                           MemAttrs attrs)
{
    const MemoryOps *ops = mr->ops;
    unsigned step = access_step(ops, offset, size);
    bool big = ops->endian == MEM_BIG_ENDIAN;
    MemResult result = MEM_OK;
    uint64_t pos = ops->impl.unaligned ? offset : ROUND_DOWN(offset, step);

    for (; pos < offset + size; pos += step) {
        uint64_t piece = 0;
        for (unsigned i = 0; i < step; i++) {
            if (pos + i < offset || pos + i >= offset + size) {
                continue;
            }
            unsigned from = (unsigned)(pos + i - offset);
            uint64_t byte = value >> 8 * (big ? size - 1 - from : from) & 0xff;
            piece |= byte << 8 * (big ? step - 1 - i : i);
        }
        TRACE("memory_region_ops_write", "region %s offset 0x%" PRIx64 " value 0x%" PRIx64 " size %u",
              memory_region_name(mr), pos, piece, step);
        result |= ops->write(mr->opaque, pos, step, piece, attrs);
    }
    return result;
}

static uint64_t host_load(const uint8_t *host, unsigned size)
{
    bool aligned = !((uintptr_t)host & (size - 1));

    /* One access, so that another vCPU's aligned store is seen whole. */
    switch (aligned ? size : 0) {
    case 1: return atomic_load_explicit((const _Atomic uint8_t *)host, memory_order_relaxed);
    case 2: return atomic_load_explicit((const _Atomic uint16_t *)host, memory_order_relaxed);
    case 4: return atomic_load_explicit((const _Atomic uint32_t *)host, memory_order_relaxed);
    case 8: return atomic_load_explicit((const _Atomic uint64_t *)host, memory_order_relaxed);
    }
    uint64_t value = 0;
    memcpy(&value, host, size);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value >>= 64 - 8 * size;
#endif
    return value;
}

static void host_store(uint8_t *host, unsigned size, uint64_t value)
{
    bool aligned = !((uintptr_t)host & (size - 1));

    switch (aligned ? size : 0) {
    case 1:
        atomic_store_explicit((_Atomic uint8_t *)host, (uint8_t)value, memory_order_relaxed);
        return;
    case 2:
        atomic_store_explicit((_Atomic uint16_t *)host, (uint16_t)value, memory_order_relaxed);
        return;
    case 4:
        atomic_store_explicit((_Atomic uint32_t *)host, (uint32_t)value, memory_order_relaxed);
        return;
    case 8:
        atomic_store_explicit((_Atomic uint64_t *)host, value, memory_order_relaxed);
        return;
    }
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value <<= 64 - 8 * size;
#endif
    memcpy(host, &value, size);
}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define HOST_ENDIAN MEM_LITTLE_ENDIAN
#else
#define HOST_ENDIAN MEM_BIG_ENDIAN
#endif

static uint64_t to_endian(uint64_t value, unsigned size, MemEndian have, MemEndian want)
{
    return have == want || size == 1 ? value : swap_bytes(value, size);
}

MemResult memory_region_read(MemoryRegion *mr, uint64_t offset, unsigned size, MemEndian endian,
                             uint64_t *ret_value, MemAttrs attrs)
{
    if (mr->ram && (mr->kind != MEMORY_ROMD || mr->romd_mode)) {
        if (offset > mr->ram->size_bytes || size > mr->ram->size_bytes - offset) {
            *ret_value = 0;
            return MEM_DECODE_ERROR;
        }
        *ret_value = to_endian(host_load(mr->ram->host + offset, size), size, HOST_ENDIAN,
                               endian);
        return MEM_OK;
    }
    if (!mr->ops || !access_valid(mr, offset, size, false, attrs) || !nest_enter(mr, offset)) {
        *ret_value = 0;
        return MEM_DECODE_ERROR;
    }
    bool took = mr->lockless ? false : bql_enter();
    if (mr->coalesced.n) {
        memory_flush_coalesced();
    }
    uint64_t value;
    MemResult result = ops_read(mr, offset, size, &value, attrs);
    bql_leave(took);
    nest.n--;
    *ret_value = to_endian(value, size, mr->ops->endian, endian);
    return result;
}

MemResult memory_region_write(MemoryRegion *mr, uint64_t offset, unsigned size,
                              MemEndian endian, uint64_t value, MemAttrs attrs)
{
    value &= size_mask(size);
    if (mr->ram && mr->kind != MEMORY_ROMD) {
        if (offset > mr->ram->size_bytes || size > mr->ram->size_bytes - offset) {
            return MEM_DECODE_ERROR;
        }
        if (mr->kind == MEMORY_ROM || mr->readonly) {
            log_guest_error("%s: write to read-only memory at offset 0x%" PRIx64 "\n", mr->label,
                            offset);
            return MEM_OK;
        }
        host_store(mr->ram->host + offset, size, to_endian(value, size, endian, HOST_ENDIAN));
        ram_mark_dirty(mr->ram, offset, size);
        return MEM_OK;
    }
    if (!mr->ops || !access_valid(mr, offset, size, true, attrs) || !nest_enter(mr, offset)) {
        return MEM_DECODE_ERROR;
    }
    value = to_endian(value, size, endian, mr->ops->endian);
    bool took = mr->lockless ? false : bql_enter();
    MemResult result = ops_write(mr, offset, size, value, attrs);
    bql_leave(took);
    nest.n--;
    return result;
}

/* The largest aligned power of two, at most 8, that fits. */
static unsigned piece_size(const MemLookup *at, uint64_t offset, uint64_t len)
{
    unsigned size = 8;

    if (at->mr->ops) {
        unsigned max = at->mr->ops->valid.max ? at->mr->ops->valid.max : 4;
        size = MIN(size, max);
    }
    while (size > len || (offset & (size - 1))) {
        size /= 2;
    }
    return size;
}

typedef enum AccessKind { ACCESS_READ, ACCESS_WRITE, ACCESS_WRITE_ROM } AccessKind;

/* One access of at most `len` bytes to what is not plain memory; returns how many were done.
 * Callbacks run outside the read section, or a thread that holds the BQL and waits for readers
 * would wait for ever; so the address is looked up again with the lock held. 0: it is memory now. */
static uint64_t access_mmio(AddressSpace *as, gpa addr, uint8_t *buf, uint64_t len, bool is_write,
                            MemAttrs attrs, MemResult *result)
{
    bool took = bql_enter();
    MemLookup at = memory_lookup_dma(as, addr, is_write);
    uint64_t value = 0;
    unsigned size = 0;

    if (at.mr && (!at.host || (is_write && at.readonly && at.mr->ops))) {
        size = piece_size(&at, at.offset, MIN(len, at.length));
        if (dma_to_itself(as, at.mr)) {
            memset(buf, 0, is_write ? 0 : size);
            *result |= MEM_DECODE_ERROR;
        } else if (is_write) {
            for (unsigned i = 0; i < size; i++) {
                value |= (uint64_t)buf[i] << 8 * i;
            }
            *result |= memory_region_write(at.mr, at.offset, size, MEM_LITTLE_ENDIAN, value,
                                           attrs);
        } else {
            *result |= memory_region_read(at.mr, at.offset, size, MEM_LITTLE_ENDIAN, &value,
                                          attrs);
            for (unsigned i = 0; i < size; i++) {
                buf[i] = (uint8_t)(value >> 8 * i);
            }
        }
    }
    bql_leave(took);
    return size;
}

static MemResult access_range(AddressSpace *as, gpa addr, uint8_t *buf, uint64_t len,
                              AccessKind kind, MemAttrs attrs)
{
    MemResult result = MEM_OK;

    while (len) {
        rcu_read_lock();
        MemLookup at = memory_lookup_dma(as, addr, kind != ACCESS_READ);
        uint64_t step = MIN(len, at.length);
        bool mmio = false;

        if (!at.mr) {
            if (kind == ACCESS_READ) {
                memset(buf, 0, step);
            }
            result |= MEM_DECODE_ERROR;
        } else if (kind == ACCESS_READ && at.host) {
            memcpy(buf, at.host, step);
        } else if (kind == ACCESS_WRITE_ROM) {
            uint8_t *host = memory_region_host(at.mr);
            if (host) {
                memcpy(host + at.offset, buf, step);
                ram_mark_dirty(at.mr->ram, at.offset, step);
            }
        } else if (kind == ACCESS_WRITE && at.host && !at.readonly) {
            memcpy(at.host, buf, step);
            ram_mark_dirty(at.ram, at.offset, step);
        } else if (kind == ACCESS_WRITE && at.host && !at.mr->ops) {
            /* ROM: lost. */
        } else {
            mmio = true;
        }
        rcu_read_unlock();
        if (mmio) {
            step = access_mmio(as, addr, buf, step, kind == ACCESS_WRITE, attrs, &result);
        }
        addr += step;
        buf += step;
        len -= step;
    }
    return result;
}

MemResult memory_read(AddressSpace *as, gpa addr, void *buf, uint64_t len, MemAttrs attrs)
{
    return access_range(as, addr, buf, len, ACCESS_READ, attrs);
}

MemResult memory_write(AddressSpace *as, gpa addr, const void *buf, uint64_t len, MemAttrs attrs)
{
    return access_range(as, addr, (uint8_t *)(uintptr_t)buf, len, ACCESS_WRITE, attrs);
}

MemResult memory_write_rom(AddressSpace *as, gpa addr, const void *buf, uint64_t len)
{
    return access_range(as, addr, (uint8_t *)(uintptr_t)buf, len, ACCESS_WRITE_ROM,
                        MEM_ATTRS_NONE);
}

MemResult memory_fill(AddressSpace *as, gpa addr, uint8_t byte, uint64_t len, MemAttrs attrs)
{
    uint8_t block[4096];
    MemResult result = MEM_OK;

    memset(block, byte, sizeof(block));
    while (len) {
        uint64_t step = MIN(len, sizeof(block));
        result |= memory_write(as, addr, block, step, attrs);
        addr += step;
        len -= step;
    }
    return result;
}

/* A whole access to a region's callbacks, under the conditions of access_mmio(). */
/* One answer for the whole access. A device is chosen by the address of a naturally aligned access: it gets all of it, also
 * where registers of another one (a PC's port 0xcf9 in the doubleword at 0xcf8) lie further on. */
static bool is_whole(const MemLookup *at, gpa addr, unsigned size)
{
    return at->mr && (at->length >= size || (!at->host && !(addr & (size - 1)) &&
                                             (MemSize)at->offset + size <= at->mr->size));
}

static bool whole_mmio(AddressSpace *as, gpa addr, unsigned size, MemEndian endian, bool is_write,
                       uint64_t *value, MemAttrs attrs, MemResult *ret)
{
    bool took = bql_enter();
    MemLookup at = memory_lookup_dma(as, addr, is_write);
    bool ok = is_whole(&at, addr, size);

    if (ok && is_write && at.readonly && !at.mr->ops) {
        *ret = MEM_OK; /* a read-only window into RAM */
    } else if (ok && dma_to_itself(as, at.mr)) {
        *value = is_write ? *value : 0;
        *ret = MEM_DECODE_ERROR;
    } else if (ok) {
        *ret = is_write ? memory_region_write(at.mr, at.offset, size, endian, *value, attrs)
                        : memory_region_read(at.mr, at.offset, size, endian, value, attrs);
    }
    bql_leave(took);
    return ok;
}

MemResult memory_load(AddressSpace *as, gpa addr, unsigned size, MemEndian endian,
                      uint64_t *ret_value, MemAttrs attrs)
{
    MemResult result;
    uint8_t bytes[8];
    uint64_t value = 0;

    rcu_read_lock();
    MemLookup at = memory_lookup_dma(as, addr, false);
    bool whole = is_whole(&at, addr, size);
    if (whole && at.host) {
        *ret_value = to_endian(host_load(at.host, size), size, HOST_ENDIAN, endian);
        rcu_read_unlock();
        return MEM_OK;
    }
    rcu_read_unlock();
    if (as->iommu && !at.mr) {
        *ret_value = 0;
        return MEM_DECODE_ERROR; /* not asked again, or it would be two faults */
    }
    if (whole && whole_mmio(as, addr, size, endian, false, ret_value, attrs, &result)) {
        return result;
    }
    result = memory_read(as, addr, bytes, size, attrs);
    for (unsigned i = 0; i < size; i++) {
        value |= (uint64_t)bytes[i] << 8 * (endian == MEM_BIG_ENDIAN ? size - 1 - i : i);
    }
    *ret_value = value;
    return result;
}

MemResult memory_store(AddressSpace *as, gpa addr, unsigned size, MemEndian endian,
                       uint64_t value, MemAttrs attrs)
{
    MemResult result;
    uint8_t bytes[8];

    rcu_read_lock();
    MemLookup at = memory_lookup_dma(as, addr, true);
    bool whole = is_whole(&at, addr, size);
    if (whole && at.host && !at.readonly) {
        host_store(at.host, size, to_endian(value & size_mask(size), size, endian, HOST_ENDIAN));
        ram_mark_dirty(at.ram, at.offset, size);
        rcu_read_unlock();
        return MEM_OK;
    }
    rcu_read_unlock();
    if (as->iommu && !at.mr) {
        return MEM_DECODE_ERROR;
    }
    if (whole && whole_mmio(as, addr, size, endian, true, &value, attrs, &result)) {
        return result;
    }
    for (unsigned i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(value >> 8 * (endian == MEM_BIG_ENDIAN ? size - 1 - i : i));
    }
    return memory_write(as, addr, bytes, size, attrs);
}

MemResult memory_cmpxchg(AddressSpace *as, gpa addr, unsigned size, MemEndian endian,
                         uint64_t expected, uint64_t desired, uint64_t *ret_old)
{
    MemResult result = MEM_DECODE_ERROR;

    assert(size == 4 || size == 8);
    rcu_read_lock();
    MemLookup at = memory_lookup_dma(as, addr, true);
    if (at.host && !at.readonly && at.length >= size && !((uintptr_t)at.host & (size - 1))) {
        uint64_t old = to_endian(expected, size, endian, HOST_ENDIAN);
        uint64_t new = to_endian(desired, size, endian, HOST_ENDIAN);
        if (size == 4) {
            uint32_t old32 = (uint32_t)old;
            atomic_compare_exchange_strong((_Atomic uint32_t *)at.host, &old32, (uint32_t)new);
            old = old32;
        } else {
            atomic_compare_exchange_strong((_Atomic uint64_t *)at.host, &old, new);
        }
        *ret_old = to_endian(old, size, HOST_ENDIAN, endian);
        if (*ret_old == expected) {
            ram_mark_dirty(at.ram, at.offset, size);
        }
        result = MEM_OK;
    }
    rcu_read_unlock();
    return result;
}

void memory_synchronize(void)
{
    bool held = bql_held();

    if (held) {
        bql_unlock();
    }
    rcu_synchronize();
    if (held) {
        bql_lock();
    }
}

/* --- DMA mappings --- */

void *memory_map(AddressSpace *as, gpa addr, uint64_t *len, bool is_write, MemAttrs attrs)
{
    void *result = NULL;
    uint64_t want = *len;

    *len = 0;
    if (!want) {
        return NULL;
    }
    rcu_read_lock();
    MemLookup at = memory_lookup_dma(as, addr, is_write);
    if (at.host && !(is_write && at.readonly)) {
        *len = MIN(want, at.length);
        rcu_read_unlock();
        return at.host;
    }
    rcu_read_unlock();
    if (!at.mr) {
        return NULL;
    }
    want = MIN(MIN(want, at.length), MEMORY_BOUNCE_ONE);
    pthread_mutex_lock(&bounce_mutex);
    if (bounce_total + want <= MEMORY_BOUNCE_TOTAL) {
        Bounce *bounce = xcalloc(1, sizeof(*bounce) + want);
        bounce->addr = addr;
        bounce->len = want;
        bounce->attrs = attrs;
        bounce->next = bounce_list;
        bounce_list = bounce;
        bounce_total += want;
        result = bounce->data;
    }
    pthread_mutex_unlock(&bounce_mutex);
    if (result) {
        if (!is_write) {
            memory_read(as, addr, result, want, attrs);
        }
        *len = want;
    }
    return result;
}

void memory_unmap(AddressSpace *as, void *host, uint64_t len, bool is_write, uint64_t used)
{
    uint64_t offset;

    rcu_read_lock();
    RamBlock *ram = ram_block_from_host(host, &offset);
    if (ram) {
        if (is_write && used) {
            ram_mark_dirty(ram, offset, MIN(used, ram->size_bytes - offset));
        }
        rcu_read_unlock();
        return;
    }
    rcu_read_unlock();
    pthread_mutex_lock(&bounce_mutex);
    Bounce **link = &bounce_list;
    while (*link && (*link)->data != (uint8_t *)host) {
        link = &(*link)->next;
    }
    Bounce *bounce = *link;
    assert(bounce);
    *link = bounce->next;
    bounce_total -= bounce->len;
    pthread_mutex_unlock(&bounce_mutex);
    if (is_write) {
        memory_write(as, bounce->addr, bounce->data, MIN(used, bounce->len), bounce->attrs);
    }
    free(bounce);
}

void *memory_ram_of_vcpu(Vcpu *vcpu, gpa addr, unsigned size_bytes, bool write)
{
    rcu_read_lock();
    MemLookup at = memory_lookup(vcpu->as, addr);
    bool ok = at.host && at.length >= size_bytes && !(write && at.readonly);
    if (ok && write) {
        ram_mark_dirty(at.ram, at.offset, size_bytes);
    }
    rcu_read_unlock();
    return ok ? at.host : NULL;
}
