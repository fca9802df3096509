/*
 * memory.h: what is where in guest physical memory.
 *
 * A board builds a tree of MemoryRegions (RAM, ROM, flash, device registers,
 * containers, aliases into other regions); where siblings overlap the higher
 * priority wins, and holes in a container show what lies below it. An
 * AddressSpace renders a tree into a FlatView, a sorted list of ranges that
 * says for each address which region answers.
 *
 * Threads: the tree is changed under the BQL, between memory_begin() and
 * memory_commit() when several changes belong together; the outermost commit
 * renders and publishes new views and calls listeners. Views are read from any
 * thread without a lock (RCU). Access functions may be called from any thread,
 * with or without the BQL: they take it around a device's callback, unless the
 * region is `lockless`.
 *
 * Addresses are guest physical (gpa) for address spaces and byte offsets from
 * the start for regions. A size of MEMORY_SIZE_ALL means the whole 2^64 bytes.
 */
#ifndef SOFTMMU_MEMORY_H
#define SOFTMMU_MEMORY_H

#include "hw/object.h"
#include "util/alloc.h"
#include "util/print.h"
#include "util/rcu.h"

struct Vcpu;
typedef struct MemoryRegion MemoryRegion;
typedef struct AddressSpace AddressSpace;
typedef struct FlatView FlatView;
typedef struct RamBlock RamBlock;
typedef unsigned __int128 MemSize;

#define MEMORY_SIZE_ALL UINT64_MAX

/* Bits, so that the results of the parts of an access can be or-ed. */
typedef enum MemResult {
    MEM_OK = 0,
    MEM_DEVICE_ERROR = 1, /* somebody answered "no" */
    MEM_DECODE_ERROR = 2, /* nobody is there, or not for this kind of access */
} MemResult;

/* Who asks. */
typedef struct MemAttrs {
    uint16_t requester_id; /* PCI requester, else 0 */
    bool secure;
    bool user;
    bool debug;            /* gdb, monitor: no side effects where avoidable */
} MemAttrs;
#define MEM_ATTRS_NONE ((MemAttrs){0})

typedef enum MemEndian { MEM_LITTLE_ENDIAN, MEM_BIG_ENDIAN } MemEndian;

typedef struct MemoryOps {
    /* `size` is a power of two within impl.min..impl.max, `offset` is aligned to
     * it unless impl.unaligned. Called with the BQL unless the region is lockless. */
    MemResult (*read)(void *opaque, uint64_t offset, unsigned size, uint64_t *ret_value,
                      MemAttrs attrs);
    MemResult (*write)(void *opaque, uint64_t offset, unsigned size, uint64_t value,
                       MemAttrs attrs);
    MemEndian endian;
    /* What the guest may do (others fail with MEM_DECODE_ERROR) and what the
     * callbacks handle (larger accesses are split, smaller ones are widened:
     * the callback sees the aligned access, write data in its byte lanes and
     * zeros elsewhere). 0 means: min 1, max 4 for valid; the same as valid for impl. */
    struct {
        uint8_t min, max;
        bool unaligned;
    } valid, impl;
    /* Optional further test of the guest's access. */
    bool (*accepts)(void *opaque, uint64_t offset, unsigned size, bool is_write,
                    MemAttrs attrs);
} MemoryOps;

typedef enum MemoryKind {
    MEMORY_CONTAINER, /* only children */
    MEMORY_RAM,
    MEMORY_ROM,       /* reads as RAM, writes are lost (MEM_OK) */
    MEMORY_ROMD,      /* reads as RAM while in ROM mode, else and for writes ops */
    MEMORY_MMIO,
    MEMORY_ALIAS,     /* a window into another region */
} MemoryKind;

/* A guest's write that an accelerator may turn into a signal. The address, and the value with match_data, must be met. */
typedef struct MemoryEventfd {
    uint64_t offset, data;
    unsigned size; /* 0: any (MEMORY_EVENTFDS_ANY_SIZE) */
    bool match_data;
    int fd;
} MemoryEventfd;

/* A stretch of a region whose writes may wait. */
typedef struct MemoryCoalesced { uint64_t offset, bytes; } MemoryCoalesced;

/* What the accelerator's host takes. */
typedef enum MemoryEventfdSupport { MEMORY_NO_EVENTFDS, MEMORY_EVENTFDS, MEMORY_EVENTFDS_ANY_SIZE } MemoryEventfdSupport;

struct MemoryRegion {
    Object obj; /* type "memory-region"; its name is the region's name */
    MemoryKind kind;
    bool enabled, readonly, romd_mode, lockless, reserved;
    int priority;
    uint64_t addr; /* in the container */
    MemSize size;
    MemoryRegion *container, *first_child, *next_sibling; /* highest priority first */
    MemoryRegion *alias;
    uint64_t alias_offset;
    const MemoryOps *ops;
    void *opaque;
    Object *owner;
    RamBlock *ram; /* RAM, ROM, ROMD */
    char *label;
    VEC(MemoryEventfd) eventfds;
    VEC(MemoryCoalesced) coalesced;
    _Atomic uint8_t dirty_clients; /* a mask of 1 << DirtyClient being logged */
};

/* Dirty logging, in pages of MEMORY_PAGE_BYTES of a RamBlock. A set bit: written
 * since the bit was last cleared. For DIRTY_CODE a clear bit means that
 * translated code was made from the page, so writers must tell the translator. */
#define MEMORY_PAGE_BITS 12
#define MEMORY_PAGE_BYTES ((uint64_t)1 << MEMORY_PAGE_BITS)
typedef enum DirtyClient { DIRTY_MIGRATION, DIRTY_CODE, DIRTY_DISPLAY, DIRTY_N } DirtyClient;

struct RamBlock {
    RcuHead rcu;
    char *id;          /* unique: identifies the block in migration streams */
    uint8_t *host;
    uint64_t size_bytes;
    uint64_t ram_addr; /* start in a numbering that covers every block, page aligned */
    int fd;            /* -1: anonymous */
    bool shared, foreign; /* foreign: not unmapped here */
    _Atomic uint64_t *dirty[DIRTY_N];
    MemoryRegion *region;
    RamBlock *next;
};

/* --- Making regions. The region is embedded in its owner's struct; `owner`
 * (may be NULL: the machine) becomes its parent in the object tree. Names are
 * copied. memory_region_finish() takes it out of its container and frees what
 * it holds; a region still visible to readers must not be freed before
 * memory_synchronize(). --- */
void memory_region_init(MemoryRegion *mr, Object *owner, const char *name, uint64_t size_bytes);
void memory_region_init_mmio(MemoryRegion *mr, Object *owner, const MemoryOps *ops,
                             void *opaque, const char *name, uint64_t size_bytes);
NODISCARD bool memory_region_init_ram(MemoryRegion *mr, Object *owner, const char *name,
                                      uint64_t size_bytes, Error **errp);
/* Over memory of the caller (a memory backend); fd may be -1. */
void memory_region_init_ram_ptr(MemoryRegion *mr, Object *owner, const char *name,
                                uint64_t size_bytes, void *host, int fd);
NODISCARD bool memory_region_init_rom(MemoryRegion *mr, Object *owner, const char *name,
                                      uint64_t size_bytes, Error **errp);
NODISCARD bool memory_region_init_romd(MemoryRegion *mr, Object *owner, const MemoryOps *ops,
                                       void *opaque, const char *name, uint64_t size_bytes,
                                       Error **errp);
void memory_region_init_alias(MemoryRegion *mr, Object *owner, const char *name,
                              MemoryRegion *target, uint64_t offset, uint64_t size_bytes);
void memory_region_finish(MemoryRegion *mr);
/* Waits until no reader can still hold what was taken out before. Lets go of the BQL
 * meanwhile: a vCPU may need it to get out. Not from inside rcu_read_lock(). */
void memory_synchronize(void);

/* --- The tree --- */
void memory_begin(void);
void memory_commit(void);
void memory_region_add(MemoryRegion *container, uint64_t addr, MemoryRegion *mr);
void memory_region_add_overlap(MemoryRegion *container, uint64_t addr, MemoryRegion *mr,
                               int priority);
void memory_region_remove(MemoryRegion *container, MemoryRegion *mr);
void memory_region_set_enabled(MemoryRegion *mr, bool enabled);
void memory_region_set_address(MemoryRegion *mr, uint64_t addr);
void memory_region_set_size(MemoryRegion *mr, uint64_t size_bytes);
void memory_region_set_readonly(MemoryRegion *mr, bool readonly);
void memory_region_set_alias_offset(MemoryRegion *mr, uint64_t offset);
/* ROMD: true reads memory directly, false asks the ops. */
void memory_region_set_romd(MemoryRegion *mr, bool romd);
void *memory_region_host(const MemoryRegion *mr); /* NULL unless RAM, ROM, ROMD */
const char *memory_region_name(const MemoryRegion *mr);
uint64_t memory_region_size(const MemoryRegion *mr); /* MEMORY_SIZE_ALL for 2^64 */
/* Where the region is visible and the host takes it, a write of a vCPU that matches signals `fd`. Elsewhere, and from anybody else, the
 * ops are called as without it: the owner is ready for both. Taken away before the region is finished. */
void memory_region_add_eventfd(MemoryRegion *mr, const MemoryEventfd *event);
void memory_region_del_eventfd(MemoryRegion *mr, const MemoryEventfd *event);
/* Set by the accelerator. Without support there is no use in adding any. */
void memory_set_eventfd_support(MemoryEventfdSupport support);
MemoryEventfdSupport memory_eventfd_support(void);
/* Writes of vCPUs to [offset, offset + bytes) may be collected by the accelerator and carried out later, in order: before any other access of
 * the vCPU that leaves its guest, before anybody reads the region, and when memory_flush_coalesced() says so, which is called by who looks at what
 * such writes change without reading the region. Said before the region is added to a container. */
void memory_region_add_coalescing(MemoryRegion *mr, uint64_t offset, uint64_t bytes);
void memory_flush_coalesced(void);
/* Set by the accelerator. */
void memory_set_flush_hook(void (*flush)(void));

/* --- Address spaces --- */
typedef struct MemorySection {
    MemoryRegion *mr;
    gpa addr;        /* in the address space */
    uint64_t offset; /* in the region */
    MemSize size;
    bool readonly;
} MemorySection;

typedef struct MemoryListener {
    void (*begin)(struct MemoryListener *listener);
    void (*region_add)(struct MemoryListener *listener, const MemorySection *section);
    void (*region_del)(struct MemoryListener *listener, const MemorySection *section);
    /* An eventfd came into view at addr, or leaves. */
    void (*eventfd_add)(struct MemoryListener *listener, gpa addr, const MemoryEventfd *event);
    void (*eventfd_del)(struct MemoryListener *listener, gpa addr, const MemoryEventfd *event);
    /* The view changed and is published; TLBs must be flushed here. */
    void (*commit)(struct MemoryListener *listener);
    AddressSpace *as;
    struct MemoryListener *next;
} MemoryListener;

/* Who translates the addresses of a device's DMA before they are looked up. */
typedef struct MemoryIommu {
    /* Any thread, between rcu_read_lock() and rcu_read_unlock(). What addr is in the address space, and how many bytes from there on are
     * translated alike (at least 1). false: the access fails; then the bytes that fail alike. */
    bool (*translate)(struct MemoryIommu *iommu, gpa addr, bool is_write, gpa *ret_addr, uint64_t *ret_bytes);
} MemoryIommu;

struct AddressSpace {
    char *name;
    MemoryRegion *root;
    const Object *owner;  /* the device whose DMA this is: it does not reach its own registers; NULL: nobody's */
    MemoryIommu *iommu;   /* NULL: addresses are the memory's. Set before the first access */
    _Atomic(FlatView *) view;
    MemoryListener *listeners;
    AddressSpace *next;
};

void address_space_init(AddressSpace *as, MemoryRegion *root, const char *name);
void address_space_finish(AddressSpace *as);
/* Calls region_add for what is there already. */
void memory_listener_add(MemoryListener *listener, AddressSpace *as);
void memory_listener_remove(MemoryListener *listener);

/* --- Look-up --- */
typedef struct MemLookup {
    MemoryRegion *mr;   /* NULL: nothing answers here */
    uint64_t offset;    /* of the address in mr */
    uint64_t length;    /* bytes from the address on that have the same answer */
    uint8_t *host;      /* where the byte is in our memory; NULL: ask the ops */
    RamBlock *ram;      /* set together with host */
    uint64_t ram_addr;  /* of the byte; valid with ram */
    bool readonly;      /* host may be read only: writes go to memory_write_*() */
} MemLookup;

/* Call between rcu_read_lock() and rcu_read_unlock(); the result may be used
 * afterwards until the next commit listener call has returned (that is what a
 * TLB does). */
MemLookup memory_lookup(AddressSpace *as, gpa addr);
/* The same for a device's DMA: through as->iommu if there is one. */
MemLookup memory_lookup_dma(AddressSpace *as, gpa addr, bool is_write);
/* As memory_lookup() for the page of `page_bytes` (a power of two) around addr: `host` is
 * set only when the whole page is one piece of RAM; then offset, host and
 * ram_addr are those of the page's first byte and length is page_bytes.
 * Otherwise as memory_lookup() of addr, with host NULL. */
MemLookup memory_lookup_page(AddressSpace *as, gpa addr, uint64_t page_bytes);
/* For Vcpu.phys_ptr: `size_bytes` naturally aligned bytes of RAM in the vCPU's address space, NULL where there are none. They are
 * marked dirty when about to be written. */
void *memory_ram_of_vcpu(struct Vcpu *vcpu, gpa addr, unsigned size_bytes, bool write);

/* --- Access through a region (the slow path of a TLB) --- */
MemResult memory_region_read(MemoryRegion *mr, uint64_t offset, unsigned size, MemEndian endian,
                             uint64_t *ret_value, MemAttrs attrs);
MemResult memory_region_write(MemoryRegion *mr, uint64_t offset, unsigned size,
                              MemEndian endian, uint64_t value, MemAttrs attrs);

/* --- Access through an address space --- */
MemResult memory_read(AddressSpace *as, gpa addr, void *buf, uint64_t len, MemAttrs attrs);
MemResult memory_write(AddressSpace *as, gpa addr, const void *buf, uint64_t len, MemAttrs attrs);
/* Also into ROM and flash: loaders, debuggers. */
MemResult memory_write_rom(AddressSpace *as, gpa addr, const void *buf, uint64_t len);
MemResult memory_fill(AddressSpace *as, gpa addr, uint8_t byte, uint64_t len, MemAttrs attrs);
/* size 1, 2, 4 or 8; a single access when it is naturally aligned. */
MemResult memory_load(AddressSpace *as, gpa addr, unsigned size, MemEndian endian,
                      uint64_t *ret_value, MemAttrs attrs);
MemResult memory_store(AddressSpace *as, gpa addr, unsigned size, MemEndian endian,
                       uint64_t value, MemAttrs attrs);
/* Atomic on RAM; MEM_DECODE_ERROR elsewhere. Values are in host order of a
 * little- or big-endian guest word as `endian` says; size 4 or 8, aligned.
 * *ret_old == expected tells success. */
MemResult memory_cmpxchg(AddressSpace *as, gpa addr, unsigned size, MemEndian endian,
                         uint64_t expected, uint64_t desired, uint64_t *ret_old);

#define MEMORY_ACCESSORS(name, size, endian, type)                                          \
    static inline type memory_ld_##name(AddressSpace *as, gpa addr, MemResult *ret_result)  \
    {                                                                                       \
        uint64_t value = 0;                                                                 \
        MemResult result = memory_load(as, addr, size, endian, &value, MEM_ATTRS_NONE);     \
        if (ret_result) {                                                                   \
            *ret_result = result;                                                           \
        }                                                                                   \
        return (type)value;                                                                 \
    }                                                                                       \
    static inline MemResult memory_st_##name(AddressSpace *as, gpa addr, type value)        \
    {                                                                                       \
        return memory_store(as, addr, size, endian, value, MEM_ATTRS_NONE);                 \
    }
MEMORY_ACCESSORS(u8, 1, MEM_LITTLE_ENDIAN, uint8_t)
MEMORY_ACCESSORS(le16, 2, MEM_LITTLE_ENDIAN, uint16_t)
MEMORY_ACCESSORS(le32, 4, MEM_LITTLE_ENDIAN, uint32_t)
MEMORY_ACCESSORS(le64, 8, MEM_LITTLE_ENDIAN, uint64_t)
MEMORY_ACCESSORS(be16, 2, MEM_BIG_ENDIAN, uint16_t)
MEMORY_ACCESSORS(be32, 4, MEM_BIG_ENDIAN, uint32_t)
MEMORY_ACCESSORS(be64, 8, MEM_BIG_ENDIAN, uint64_t)

/* DMA: a host pointer to up to *len bytes at addr; *len becomes what is there.
 * Device memory is copied through a bounce buffer. NULL when nothing can be
 * mapped (nothing there, or too many bounce buffers). The mapping pins nothing
 * but memory: finish it soon. */
void *memory_map(AddressSpace *as, gpa addr, uint64_t *len, bool is_write, MemAttrs attrs);
/* `used` bytes were really written (is_write). */
void memory_unmap(AddressSpace *as, void *host, uint64_t len, bool is_write, uint64_t used);

/* --- RAM blocks and dirty bits --- */
RamBlock *ram_block_first(void); /* under the BQL */
RamBlock *ram_block_by_id(const char *id);
/* The block holding a host pointer, e.g. to mark DMA; NULL: none. Any thread, RCU. */
RamBlock *ram_block_from_host(const void *host, uint64_t *ret_offset);
/* Starts or stops logging; all bits are set when a client starts for the first time, for DIRTY_MIGRATION each time. */
void ram_dirty_log(RamBlock *ram, DirtyClient client, bool on);
/* Marks bytes written for every client that logs; any thread. Tells the
 * translator when a page with code was hit (see memory_set_code_hook). */
void ram_mark_dirty(RamBlock *ram, uint64_t offset, uint64_t len);
bool ram_dirty_get(RamBlock *ram, DirtyClient client, uint64_t offset);
bool ram_dirty_test_and_clear(RamBlock *ram, DirtyClient client, uint64_t offset, uint64_t len);
void ram_dirty_set(RamBlock *ram, DirtyClient client, uint64_t offset, uint64_t len);
/* An accelerator that keeps dirty bits of its own hands them over: called when logging of a block begins or ends, and before
 * ram_dirty_sync() returns. */
void memory_set_dirty_sync_hook(void (*hook)(RamBlock *ram));
/* Under the BQL, before looking at a block's bits. */
void ram_dirty_sync(RamBlock *ram);
/* Takes the bits of the pages of [offset, offset + len), both page aligned but at the block's end, and clears them: bit i of `ret`
 * is page i of the range. Who writes without looking must look again (see memory_set_watch_hook). */
void ram_dirty_harvest(RamBlock *ram, DirtyClient client, uint64_t offset, uint64_t len, uint64_t *ret);
/* Called after bits were cleared, or logging began: from now on writes to this part must be noticed. Set by accelerators that
 * cache the right to write without notice. */
void memory_set_watch_hook(void (*hook)(RamBlock *ram, uint64_t offset, uint64_t len));
/* Called for a write by a device or loader that hits pages whose DIRTY_CODE bit is clear. */
void memory_set_code_hook(void (*hook)(RamBlock *ram, uint64_t offset, uint64_t len));

/* "info mtree"; flat: the rendered views; disabled: with what is switched off. Text goes to print(opaque, text). */
void memory_print_tree(bool flat, bool disabled, PrintFn *print, void *opaque);

#endif
