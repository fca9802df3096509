/*
 * events.c: writes of a guest that the kernel turns into signals of eventfds (KVM_IOEVENTFD): no exit, and the vCPU goes on.
 *
 * An eventfd that the kernel does not take is no loss: its writes are exits as before. SMM's view of memory has none, its kernel bus is
 * the same one.
 *
 * Threads: BQL.
 */
#include <string.h>
#include "kvm-int.h"

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

void kvm_events_init(Machine *machine)
{
    static MemoryListener memory = { .eventfd_add = memory_add, .eventfd_del = memory_del },
                          ports = { .eventfd_add = port_add, .eventfd_del = port_del };

    if (kvm_check_extension(KVM_CAP_IOEVENTFD)) {
        memory_set_eventfd_support(kvm_check_extension(KVM_CAP_IOEVENTFD_ANY_LENGTH) ? MEMORY_EVENTFDS_ANY_SIZE : MEMORY_EVENTFDS);
        memory_listener_add(&memory, &machine->memory);
        memory_listener_add(&ports, &machine->io);
    }
}
