/*
 * xhci-event.c: event rings, interrupts, and the controller's own accesses to guest memory.
 *
 * Specification: xHCI 1.1, 4.9.4 (event rings), 4.17 (interrupters), 5.5.2 (their registers). Interrupt moderation (IMOD) is kept
 * but delays nothing.
 */
#include "hw/usb/xhci.h"
#include "util/bits.h"
#include "util/log.h"

enum { RING_MIN = 16 };

void xhci_die(Xhci *x, uint32_t why)
{
    log_guest_error("xhci: host %s error\n", why == STS_HSE ? "system" : "controller");
    x->usbsts |= why | STS_HALTED;
    x->usbcmd &= ~(uint32_t)CMD_RUN;
    x->commands_running = false;
}

bool xhci_load(Xhci *x, gpa addr, uint32_t *words, unsigned n)
{
    if (dma_read(&x->pci.dma, addr, words, n * 4u) != MEM_OK) {
        return false;
    }
    for (unsigned i = 0; i < n; i++) {
        words[i] = ldle32(&words[i]);
    }
    return true;
}

bool xhci_store(Xhci *x, gpa addr, const uint32_t *words, unsigned n)
{
    uint8_t raw[XHCI_CTX_BYTES];

    assert(n * 4 <= sizeof(raw));
    for (unsigned i = 0; i < n; i++) {
        stle32(raw + i * 4, words[i]);
    }
    return dma_write(&x->pci.dma, addr, raw, n * 4u) == MEM_OK;
}

bool xhci_fetch(Xhci *x, const XhciRing *ring, XhciTrb *ret)
{
    uint32_t w[4];

    if (!xhci_load(x, ring->dequeue, w, 4)) {
        return false;
    }
    *ret = (XhciTrb){ w[0] | (uint64_t)w[1] << 32, w[2], w[3], ring->dequeue, ring->cycle };
    return true;
}

/* -- interrupts (4.17) --------------------------------------------------------------------------------------------------------- */

void xhci_update_irq(Xhci *x, unsigned n)
{
    XhciIntr *i = &x->intrs[n];
    bool pending = (i->iman & IMAN_IP) && (i->iman & IMAN_IE) && (x->usbcmd & CMD_INTE);

    if (pci_msix_enabled(&x->pci) || pci_msi_enabled(&x->pci)) {
        if (pending) {
            i->iman &= ~(uint32_t)IMAN_IP; /* cleared by the message (5.5.2.1) */
            if (pci_msix_enabled(&x->pci)) {
                pci_msix_notify(&x->pci, n);
            } else {
                pci_msi_notify(&x->pci, n % pci_msi_allowed(&x->pci));
            }
        }
    } else if (!n) {
        pci_set_irq(&x->pci, pending);
    }
}

static void raise(Xhci *x, unsigned n)
{
    XhciIntr *i = &x->intrs[n];

    x->usbsts |= STS_EINT;
    if (i->erdp & ERDP_BUSY) { /* the handler is at it: it sees the event, or is called when it says it is done */
        return;
    }
    i->erdp |= ERDP_BUSY;
    i->iman |= IMAN_IP;
    xhci_update_irq(x, n);
}

/* -- rings ------------------------------------------------------------------------------------------------------------------------- */

/* One segment: HCSPARAMS2 says there are no more. */
void xhci_ring_set(Xhci *x, unsigned n)
{
    XhciIntr *i = &x->intrs[n];
    uint32_t w[4];

    i->size = 0;
    i->full = false;
    if (!i->erstsz) {
        return;
    }
    if (!xhci_load(x, i->erstba, w, 4)) {
        log_guest_error("xhci: event ring segment table at %llx is not in memory\n", (unsigned long long)i->erstba);
        return;
    }
    uint32_t size = w[2] & 0xffff;
    if (size < RING_MIN || size > XHCI_RING_MAX) {
        log_guest_error("xhci: event ring segment of %u entries\n", size);
        return;
    }
    i->start = (w[0] | (gpa)w[1] << 32) & ~UINT64_C(63);
    i->size = size;
    i->at = 0;
    i->cycle = true;
}

/* Entries that may be written before the ring is full. */
static uint32_t room(Xhci *x, XhciIntr *i)
{
    uint64_t at = (i->erdp & ~UINT64_C(15)) - i->start;

    if (at / XHCI_TRB_BYTES >= i->size) {
        log_guest_error("xhci: event ring dequeue pointer %llx is outside the ring\n", (unsigned long long)i->erdp);
        return 0;
    }
    return (uint32_t)(at / XHCI_TRB_BYTES + i->size - i->at - 1) % i->size;
}

static bool write_event(Xhci *x, XhciIntr *i, uint64_t param, uint32_t status, uint32_t control)
{
    gpa addr = i->start + (gpa)i->at * XHCI_TRB_BYTES;
    const uint32_t w[3] = { (uint32_t)param, (uint32_t)(param >> 32), status };
    uint32_t last = control | (i->cycle ? TRB_CYCLE : 0);

    /* The cycle bit last: the guest looks at it. */
    if (!xhci_store(x, addr, w, 3) || !xhci_store(x, addr + 12, &last, 1)) {
        xhci_die(x, STS_HSE);
        return false;
    }
    if (++i->at == i->size) {
        i->at = 0;
        i->cycle = !i->cycle;
    }
    return true;
}

/* The last entry is for "ring full" (4.9.4), another one for what a command may tell of besides its end. */
bool xhci_has_room(Xhci *x, unsigned n)
{
    XhciIntr *i = &x->intrs[n];

    return !i->size || room(x, i) >= 3;
}

bool xhci_post(Xhci *x, unsigned n, uint64_t param, uint32_t status, uint32_t control)
{
    XhciIntr *i = &x->intrs[n];
    uint32_t left;

    if (!i->size) {
        return true; /* to nowhere */
    }
    left = room(x, i);
    if (left < 2) {
        x->blocked = true;
        if (left == 1 && !i->full) {
            i->full = true;
            if (write_event(x, i, 0, (uint32_t)CC_RING_FULL << 24, EVENT_HOST << 10)) {
                raise(x, n);
            }
        }
        return false;
    }
    if (write_event(x, i, param, status, control & ~(uint32_t)TRB_BEI) && !(control & TRB_BEI)) {
        raise(x, n);
    }
    return true;
}

void xhci_erdp_written(Xhci *x, unsigned n, bool acknowledged)
{
    XhciIntr *i = &x->intrs[n];

    if (!i->size) {
        return;
    }
    uint32_t left = room(x, i);
    i->full = i->full && left < 2;
    if (acknowledged) {
        i->erdp &= ~(uint64_t)ERDP_BUSY;
        if (left != i->size - 1) { /* came in meanwhile (4.17.2) */
            raise(x, n);
        }
    }
    if (x->blocked && left >= 2) {
        x->blocked = false;
        xhci_unblock(x);
    }
}
