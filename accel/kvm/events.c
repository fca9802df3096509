/*
 * events.c: writes of a guest without an exit each: the kernel turns them into signals of eventfds (KVM_IOEVENTFD), or collects them in a
 * ring (KVM_REGISTER_COALESCED_MMIO), which is emptied at the next exit.
 *
 * What the kernel does not take is no loss: its writes are exits as before. SMM's view of memory asks for nothing, its kernel bus is the
 * same one.
 *
 * Threads: BQL.
 */
#include <string.h>
#include "kvm-int.h"
#include "softmmu/bql.h"
#include "softmmu/memory.h"

static unsigned ring_page;  /* of a run area; 0: none */

static void ioeventfd(gpa addr, const MemoryEventfd *event, uint32_t flags)
{
    struct kvm_ioeventfd io = {
        .datamatch = event->match_data ? event->data : 0, .addr = addr, .len = event->size, .fd = event->fd,
        .flags = flags | (event->match_data ? KVM_IOEVENTFD_FLAG_DATAMATCH : 0),
    };
    int r = kvm_vm_ioctl(KVM_IOEVENTFD, &io);

    /* What was not taken cannot be given back. */
    if (r < 0 && !(flags & KVM_IOEVENTFD_FLAG_DEASSIGN)) {
        static bool said;
        if (!said) {
            error_report("warning: KVM: no eventfd for writes to 0x%" PRIx64 ": %s", addr, strerror(-r));
        }
        said = true;
    }
}

static void memory_add(MemoryListener *listener, gpa addr, const MemoryEventfd *event)
{
    ioeventfd(addr, event, 0);
}

static void memory_del(MemoryListener *listener, gpa addr, const MemoryEventfd *event)
{
    ioeventfd(addr, event, KVM_IOEVENTFD_FLAG_DEASSIGN);
}

static void port_add(MemoryListener *listener, gpa addr, const MemoryEventfd *event)
{
    ioeventfd(addr, event, KVM_IOEVENTFD_FLAG_PIO);
}

static void port_del(MemoryListener *listener, gpa addr, const MemoryEventfd *event)
{
    ioeventfd(addr, event, KVM_IOEVENTFD_FLAG_PIO | KVM_IOEVENTFD_FLAG_DEASSIGN);
}

static void coalesce(const MemorySection *section, unsigned long request)
{
    for (size_t i = 0; ring_page && i < section->mr->coalesced.n; i++) {
        const MemoryCoalesced *c = &section->mr->coalesced.at[i];
        uint64_t first = MAX(c->offset, section->offset), end = (uint64_t)MIN(c->offset + (MemSize)c->bytes, section->offset + section->size);
        if (first < end) {
            struct kvm_coalesced_mmio_zone zone = { .addr = section->addr + (first - section->offset), .size = (uint32_t)(end - first) };
            kvm_vm_ioctl(request, &zone);
        }
    }
}

static void region_add(MemoryListener *listener, const MemorySection *section)
{
    coalesce(section, KVM_REGISTER_COALESCED_MMIO);
}

/* What came before the zone went is this region's still. */
static void region_del(MemoryListener *listener, const MemorySection *section)
{
    coalesce(section, KVM_UNREGISTER_COALESCED_MMIO);
    if (section->mr->coalesced.n) {
        memory_flush_coalesced();
    }
}

/* The ring is in the run areas of all vCPUs: the first one's is as good as any. */
static struct kvm_coalesced_mmio_ring *ring_of(void)
{
    KvmVcpu *k = ring_page && kvm.machine->n_vcpus ? kvm_of(kvm.machine->vcpus[0]) : NULL;

    return k && k->started ? (void *)((uint8_t *)k->run + ring_page * MEMORY_PAGE_BYTES) : NULL;
}

enum { RING_ENTRIES = (MEMORY_PAGE_BYTES - sizeof(struct kvm_coalesced_mmio_ring)) / sizeof(struct kvm_coalesced_mmio) };

/* Entries that wait. The kernel moves `last` and puts no entry behind an index that is out of range, so there is nothing to take then. */
static unsigned n_waiting(struct kvm_coalesced_mmio_ring *ring)
{
    unsigned first = atomic_load((_Atomic uint32_t *)&ring->first), last = atomic_load((_Atomic uint32_t *)&ring->last);

    return first < RING_ENTRIES && last < RING_ENTRIES ? (last + RING_ENTRIES - first) % RING_ENTRIES : 0;
}

/*
 * Carries out what waits now: vCPUs that go on writing do not keep the BQL here. An entry is given back when it has been carried out, so that
 * whoever finds the ring empty without the BQL finds the writes done. Devices that are written to may want it empty, too.
 */
static void flush(void)
{
    static bool busy;
    struct kvm_coalesced_mmio_ring *ring = ring_of();

    if (!ring || busy) {
        return;
    }
    busy = true;
    for (unsigned n = n_waiting(ring); n; n--) {
        unsigned first = ring->first;
        struct kvm_coalesced_mmio e = ring->coalesced_mmio[first];
        memory_write(e.pio ? &kvm.machine->io : &kvm.machine->memory, e.phys_addr, e.data, MIN(e.len, sizeof(e.data)), MEM_ATTRS_NONE);
        atomic_store((_Atomic uint32_t *)&ring->first, (first + 1) % RING_ENTRIES);
    }
    busy = false;
}

void kvm_flush_ring(void)
{
    struct kvm_coalesced_mmio_ring *ring = ring_of();

    if (ring && n_waiting(ring)) {
        bool took = bql_enter();
        memory_flush_coalesced();
        bql_leave(took);
    }
}

void kvm_events_init(Machine *machine)
{
    static MemoryListener zones = { .region_add = region_add, .region_del = region_del },
                          memory = { .eventfd_add = memory_add, .eventfd_del = memory_del },
                          ports = { .eventfd_add = port_add, .eventfd_del = port_del };

    if (kvm_check_extension(KVM_CAP_IOEVENTFD)) {
        memory_set_eventfd_support(kvm_check_extension(KVM_CAP_IOEVENTFD_ANY_LENGTH) ? MEMORY_EVENTFDS_ANY_SIZE : MEMORY_EVENTFDS);
        memory_listener_add(&memory, &machine->memory);
        memory_listener_add(&ports, &machine->io);
    }
    ring_page = (unsigned)kvm_check_extension(KVM_CAP_COALESCED_MMIO);
    if (ring_page && kvm.run_bytes / MEMORY_PAGE_BYTES <= ring_page) {
        ring_page = 0;
    }
    if (ring_page) {
        memory_set_flush_hook(flush);
        memory_listener_add(&zones, &machine->memory);
    }
}
