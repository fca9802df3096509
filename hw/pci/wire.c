/*
 * wire.c: messages sent by eventfds: where the interrupt controllers are in the host's kernel, an accelerator binds an eventfd to a message, and
 * who writes to the eventfd sends it.
 *
 * A vector gets its wire with the first message. Masks and pending bits stay msix.c's: nothing is written while they hold a message back. A
 * message that was changed since is disconnected first, so that what is under way still is the old one. What cannot be wired (an address that is
 * no interrupt controller's, a host without room) is a store as ever.
 *
 * Threads: BQL.
 */
#include <sys/eventfd.h>
#include <unistd.h>
#include "hw/pci.h"
#include "util/trace.h"

struct PciWire {
    int fd, route;          /* -1: none */
    bool connected, refused;
    uint64_t address;
    uint32_t data;
};

static const PciWiring *wiring;

void pci_set_wiring(const PciWiring *w)
{
    wiring = w;
}

void pci_msix_use_wires(PciDevice *pci)
{
    if (!wiring) {
        return;
    }
    pci->msix.wires = xnew_array(PciWire, pci->msix.n_vectors);
    for (unsigned i = 0; i < pci->msix.n_vectors; i++) {
        pci->msix.wires[i] = (PciWire){ .fd = -1, .route = -1 };
    }
}

static void disconnect(PciWire *w)
{
    if (w->connected) {
        wiring->connect(w->route, w->fd, false);
        w->connected = false;
    }
}

static void release(PciWire *w)
{
    disconnect(w);
    if (w->route >= 0) {
        wiring->release(w->route);
    }
    if (w->fd >= 0) {
        close(w->fd);
    }
    *w = (PciWire){ .fd = -1, .route = -1 };
}

static bool carries(PciWire *w, uint64_t address, uint32_t data)
{
    if ((w->connected || w->refused) && w->address == address && w->data == data) {
        return w->connected;
    }
    disconnect(w);
    w->address = address;
    w->data = data;
    w->fd = w->fd >= 0 ? w->fd : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int route = w->fd >= 0 ? wiring->route(w->route, address, data) : -1;
    if (route >= 0) {
        w->route = route;
        w->connected = wiring->connect(route, w->fd, true);
    }
    w->refused = !w->connected;
    TRACE("pci_msix_wire", "address 0x%" PRIx64 " data 0x%x route %d connected %d", address, data, w->route, w->connected);
    return w->connected;
}

bool pci_wire_send(PciDevice *pci, unsigned vector, uint64_t address, uint32_t data)
{
    uint64_t one = 1;

    /* A function that is no bus master sends nothing: its store says so. */
    return pci->msix.wires && (pci_get16(pci, PCI_COMMAND) & PCI_COMMAND_MASTER) && carries(&pci->msix.wires[vector], address, data) &&
           write(pci->msix.wires[vector].fd, &one, sizeof(one)) == sizeof(one);
}

void pci_release_wires(PciDevice *pci)
{
    for (unsigned i = 0; pci->msix.wires && i < pci->msix.n_vectors; i++) {
        release(&pci->msix.wires[i]);
    }
}
