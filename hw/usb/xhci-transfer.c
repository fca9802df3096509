/*
 * xhci-transfer.c: endpoints: descriptors off their rings, packets to devices, events about how it went.
 *
 * A transfer is IDLE until its whole descriptor (a chain of TRBs; for control endpoints all stages) was found, RUNNING while the
 * device has the packet, then REPORTING until its events found room. Data goes straight between the device and the guest's memory.
 *
 * Specification: xHCI 1.1, 4.6.8 to 4.6.10 (endpoint commands), 4.8 (endpoint states), 4.9 (rings), 4.10 (transfer events), 4.11 (TRBs),
 * 6.2.3 (endpoint contexts).
 */
#include <stdlib.h>

#include "hw/usb/xhci.h"
#include "util/log.h"

enum { STEPS_AT_ONCE = 64, TRB_BYTES_MASK = 0x1ffff, IDT_BYTES = 8 };
#define PAUSE_NS (50 * NS_PER_US)

static bool is_data(const XhciTrb *t)
{
    return trb_type(t) == TRB_NORMAL || trb_type(t) == TRB_DATA || trb_type(t) == TRB_ISOCH;
}

static uint32_t trb_bytes(const XhciTrb *t)
{
    return is_data(t) ? t->status & TRB_BYTES_MASK : 0;
}

/* -- the context in guest memory ------------------------------------------------------------------------------------------------ */

void xhci_ep_set_state(XhciEp *ep, uint8_t state)
{
    uint32_t w[4];

    ep->state = state;
    if (!xhci_load(ep->x, ep->context, w, 4)) {
        xhci_die(ep->x, STS_HSE);
        return;
    }
    w[0] = (w[0] & ~7u) | state;
    if (state != EP_RUNNING) { /* undefined while it runs */
        w[2] = (uint32_t)ep->ring.dequeue | ep->ring.cycle;
        w[3] = (uint32_t)(ep->ring.dequeue >> 32);
    }
    if (!xhci_store(ep->x, ep->context, w, 4)) {
        xhci_die(ep->x, STS_HSE);
    }
}

/* -- descriptors (4.11) ----------------------------------------------------------------------------------------------------------- */

typedef enum Collected { NOTHING, WHOLE, MALFORMED } Collected;

/* Whether the stages of a control transfer go on behind this descriptor. */
static bool more_stages(const XhciEp *ep, const XhciTrb *last)
{
    return ep->type == EP_TYPE_CONTROL && ep->trbs.n && trb_type(&ep->trbs.at[0]) == TRB_SETUP && trb_type(last) != TRB_STATUS &&
           !(trb_type(last) == TRB_EVENT_DATA && ep->trbs.n > 1 && trb_type(&ep->trbs.at[ep->trbs.n - 2]) == TRB_STATUS);
}

static bool belongs(const XhciEp *ep, const XhciTrb *t)
{
    bool first = !ep->trbs.n;

    switch (trb_type(t)) {
    case TRB_NORMAL: return !(ep->type == EP_TYPE_CONTROL && first);
    case TRB_SETUP: return ep->type == EP_TYPE_CONTROL && first && (t->control & TRB_IDT) && (t->status & TRB_BYTES_MASK) == USB_SETUP_BYTES;
    case TRB_DATA: case TRB_STATUS: return ep->type == EP_TYPE_CONTROL && !first;
    case TRB_ISOCH: return first && (ep->type & 3) == USB_EP_ISOCH;
    case TRB_EVENT_DATA: case TRB_NOOP: return true;
    default: return false;
    }
}

/* Reads the descriptor at the ring's head into ep->trbs; ep->after is where the next one begins. */
static Collected collect(XhciEp *ep)
{
    XhciRing at = ep->ring;
    unsigned links = 0;
    XhciTrb t;

    ep->trbs.n = 0;
    for (;;) {
        if (!xhci_fetch(ep->x, &at, &t)) {
            xhci_die(ep->x, STS_HSE);
            return NOTHING;
        }
        if ((t.control & TRB_CYCLE) != (at.cycle ? TRB_CYCLE : 0u)) {
            return NOTHING; /* the rest is not written yet */
        }
        if (trb_type(&t) == TRB_LINK) {
            if (++links > XHCI_TD_LINKS) {
                log_guest_error("xhci: transfer ring of links alone at %llx\n", (unsigned long long)ep->ring.dequeue);
                return MALFORMED;
            }
            at.dequeue = t.param & ~UINT64_C(15);
            at.cycle ^= (t.control & TRB_TOGGLE) != 0;
            if (!ep->trbs.n) {
                ep->ring = at;
            }
            continue;
        }
        at.dequeue += XHCI_TRB_BYTES;
        if (ep->trbs.n == XHCI_TD_TRBS || !belongs(ep, &t)) {
            log_guest_error("xhci: TRB of type %u at %llx does not belong there\n", trb_type(&t), (unsigned long long)t.addr);
            *vec_push(&ep->trbs) = t;
            ep->after = at;
            return MALFORMED;
        }
        *vec_push(&ep->trbs) = t;
        if (!(t.control & TRB_CHAIN) && !more_stages(ep, &t)) {
            ep->after = at;
            return WHOLE;
        }
    }
}

/* -- packets ---------------------------------------------------------------------------------------------------------------------------- */

static void packet_done(UsbPacket *p);

/* False: the descriptor makes no sense. */
static bool build_packet(XhciEp *ep)
{
    UsbPacket *p = &ep->packet;
    bool in = ep->dci & 1;

    dma_list_finish(&p->list);
    *p = (UsbPacket){ .as = &ep->x->pci.dma, .complete = packet_done, .opaque = ep };
    if (ep->type == EP_TYPE_CONTROL) {
        const XhciTrb *setup = &ep->trbs.at[0];
        uint8_t raw[USB_SETUP_BYTES];
        stle64(raw, setup->param);
        p->setup = usb_parse_setup(raw);
        in = p->setup.type & USB_REQ_IN;
    } else {
        p->endpoint = (uint8_t)(ep->dci / 2 | (in ? 0x80 : 0));
    }
    for (size_t i = 0; i < ep->trbs.n; i++) {
        const XhciTrb *t = &ep->trbs.at[i];
        uint32_t bytes = trb_bytes(t);
        if (!is_data(t)) {
            continue;
        }
        if (trb_type(t) == TRB_DATA && bytes && !(t->control & TRB_DIR_IN) == in) {
            return false;
        }
        if (t->control & TRB_IDT) { /* the data is where the pointer would be */
            if (in || bytes > IDT_BYTES) {
                return false;
            }
            dma_list_add(&p->list, t->addr, bytes);
        } else {
            dma_list_add(&p->list, t->param, bytes);
        }
    }
    p->bytes = p->list.bytes;
    if (ep->type == EP_TYPE_CONTROL) {
        p->bytes = MIN(p->bytes, (uint64_t)p->setup.length);
    }
    return true;
}

/* -- reports (4.10) ------------------------------------------------------------------------------------------------------------------------ */

static void report_begin(XhciEp *ep, uint8_t cc)
{
    uint64_t left = ep->packet.done;

    ep->xfer = XFER_REPORTING;
    ep->cc = cc;
    ep->at = 0;
    ep->left = left;
    ep->edtla = 0;
    ep->was_short = ep->told = false;
    /* What failed: where the data ended; a control transfer without data fails in its status stage. */
    ep->fail_at = ep->trbs.n ? ep->trbs.n - 1 : 0;
    for (size_t i = 0; cc != CC_SUCCESS && i < ep->trbs.n; i++) {
        if (is_data(&ep->trbs.at[i])) {
            ep->fail_at = i;
            if (left < trb_bytes(&ep->trbs.at[i])) {
                break;
            }
            left -= trb_bytes(&ep->trbs.at[i]);
        }
    }
}

/* One event; false: no room. */
static bool report_event(XhciEp *ep, const XhciTrb *t, uint8_t cc, uint64_t residual)
{
    uint32_t target = t->status >> 22;
    bool is_event_data = trb_type(t) == TRB_EVENT_DATA;

    if (target >= ep->x->n_intrs) {
        log_guest_error("xhci: there is no interrupter %u\n", target);
        target = 0;
    }
    return xhci_post(ep->x, target, is_event_data ? t->param : t->addr,
                     ((uint32_t)(is_event_data ? ep->edtla : residual) & 0xffffff) | (uint32_t)cc << 24,
                     (uint32_t)ep->slot << 24 | (uint32_t)ep->dci << 16 | EVENT_TRANSFER << 10 | (t->control & TRB_BEI) |
                     (is_event_data ? EVENT_ED : 0));
}

/* One TRB of the transfer; false: no room in the event ring. */
static bool report_trb(XhciEp *ep, const XhciTrb *t, bool failed)
{
    uint32_t bytes = trb_bytes(t), moved = (uint32_t)MIN(ep->left, (uint64_t)bytes);
    bool wanted = failed || (t->control & TRB_IOC), is_event_data = trb_type(t) == TRB_EVENT_DATA;
    uint8_t cc = failed ? ep->cc : CC_SUCCESS;

    if (trb_type(t) == TRB_STATUS) {
        ep->was_short = ep->told = false; /* a stage of its own */
    }
    /* Behind a TRB that told it was short only event data of the same descriptor is still reported (4.10.1.1). */
    if (ep->told && is_data(t)) {
        return true;
    }
    bool ends_short = is_data(t) && moved < bytes && !failed && !ep->was_short;
    if (!failed && (ends_short || ep->was_short)) {
        wanted |= ends_short && (t->control & TRB_ISP);
        cc = CC_SHORT;
    }
    if (wanted && !report_event(ep, t, cc, bytes - moved)) {
        return false;
    }
    ep->edtla = is_event_data ? 0 : ep->edtla + moved;
    ep->left -= moved;
    ep->was_short |= ends_short;
    ep->told |= ep->was_short && wanted && is_data(t);
    return true;
}

static void report(XhciEp *ep)
{
    while (ep->at < ep->trbs.n) {
        bool failed = ep->cc != CC_SUCCESS && ep->at == ep->fail_at;
        if (!report_trb(ep, &ep->trbs.at[ep->at], failed)) {
            return;
        }
        ep->at++;
        if (failed) {
            break;
        }
    }
    ep->xfer = XFER_IDLE;
    if (ep->cc != CC_SUCCESS) {
        xhci_ep_set_state(ep, ep->cc == CC_TRB ? EP_ERROR : EP_HALTED);
    } else {
        ep->ring = ep->after;
        xhci_queue(ep);
    }
}

/* -- steps ----------------------------------------------------------------------------------------------------------------------------------- */

void xhci_queue(XhciEp *ep)
{
    Xhci *x = ep->x;

    ep->naked = false;
    if (!ep->queued) {
        ep->queued = true;
        ep->next_queued = NULL;
        *x->queue_last = ep;
        x->queue_last = &ep->next_queued;
    }
}

static void unqueue(XhciEp *ep)
{
    Xhci *x = ep->x;
    XhciEp **at = &x->queue;

    if (!ep->queued) {
        return;
    }
    while (*at != ep) {
        at = &(*at)->next_queued;
    }
    *at = ep->next_queued;
    if (x->queue_last == &ep->next_queued) {
        x->queue_last = at;
    }
    ep->queued = false;
}

static void packet_ended(XhciEp *ep)
{
    static const uint8_t codes[] = {
        [USB_OK] = CC_SUCCESS, [USB_STALL] = CC_STALL, [USB_BABBLE] = CC_BABBLE, [USB_ERROR] = CC_TRANSACTION,
    };

    switch (ep->packet.status) {
    case USB_ASYNC:
        ep->xfer = XFER_RUNNING;
        return;
    case USB_NAK:
        ep->xfer = XFER_IDLE;
        ep->naked = true;
        return;
    default:
        report_begin(ep, ep->packet.dma_failed ? CC_DATA_BUFFER : codes[ep->packet.status]);
        return;
    }
}

static void packet_done(UsbPacket *p)
{
    XhciEp *ep = p->opaque;

    packet_ended(ep);
    xhci_queue(ep);
    xhci_work(ep->x);
}

static bool only_noops(const XhciEp *ep)
{
    for (size_t i = 0; i < ep->trbs.n; i++) {
        if (trb_type(&ep->trbs.at[i]) != TRB_NOOP && trb_type(&ep->trbs.at[i]) != TRB_EVENT_DATA) {
            return false;
        }
    }
    return true;
}

static void start(XhciEp *ep)
{
    UsbDevice *dev = ep->x->slots[ep->slot].dev;
    Collected found = collect(ep);

    if (found == NOTHING) {
        return;
    }
    ep->packet.done = 0;
    if (found == MALFORMED || (!only_noops(ep) && !build_packet(ep))) {
        report_begin(ep, CC_TRB);
    } else if (only_noops(ep)) {
        report_begin(ep, CC_SUCCESS);
    } else if (!dev) {
        report_begin(ep, CC_TRANSACTION);
    } else {
        ep->xfer = XFER_RUNNING;
        usb_submit(dev, &ep->packet);
        packet_ended(ep);
    }
}

static void step(XhciEp *ep)
{
    if (ep->state != EP_RUNNING) {
        return;
    }
    if (ep->xfer == XFER_IDLE && !ep->naked) {
        start(ep);
    }
    if (ep->xfer == XFER_REPORTING) {
        report(ep);
    }
}

void xhci_work(Xhci *x)
{
    unsigned left = STEPS_AT_ONCE;

    if (x->engaged || !xhci_is_running(x)) {
        return;
    }
    x->engaged = true;
    while (left && xhci_is_running(x)) {
        XhciEp *ep = x->queue;
        if (x->commands_queued && xhci_command(x)) {
            left--;
            continue;
        }
        if (!ep) {
            break;
        }
        unqueue(ep);
        step(ep);
        left--;
    }
    x->engaged = false;
    if (!left && (x->queue || x->commands_queued)) { /* a guest's endless ring must not keep us here */
        timer_set_ns(&x->again, clock_get_ns(VM_CLOCK_VIRTUAL) + PAUSE_NS);
    }
}

void xhci_unblock(Xhci *x)
{
    xhci_ports_flush(x);
    xhci_commands_flush(x);
    x->commands_queued = x->commands_running;
    for (unsigned s = 1; s <= x->n_slots; s++) {
        for (unsigned dci = 1; dci < XHCI_N_DCI; dci++) {
            XhciEp *ep = x->slots[s].eps[dci];
            if (ep && ep->xfer == XFER_REPORTING) {
                xhci_queue(ep);
            }
        }
    }
}

/* -- life of an endpoint ----------------------------------------------------------------------------------------------------------------------- */

/* Gives up what is under way. */
static void drop(XhciEp *ep)
{
    if (ep->xfer == XFER_RUNNING) {
        usb_cancel(&ep->packet);
    }
    ep->xfer = XFER_IDLE;
    ep->naked = false;
    unqueue(ep);
}

uint8_t xhci_ep_enable(Xhci *x, unsigned slot, unsigned dci, const uint32_t *w, gpa context)
{
    unsigned type = w[1] >> 3 & 7;
    bool type_fits = dci == 1 ? type == EP_TYPE_CONTROL : type == EP_TYPE_CONTROL ? false : type && (type > 4) == (dci & 1);

    if (!type_fits || (w[0] >> 10 & 31)) {
        log_guest_error("xhci: endpoint %u cannot be of type %u%s\n", dci, type, w[0] >> 10 & 31 ? " with streams" : "");
        return CC_PARAMETER;
    }
    xhci_ep_disable(x, slot, dci);
    XhciEp *ep = xcalloc(1, sizeof(*ep));
    *ep = (XhciEp){
        .x = x, .slot = (uint8_t)slot, .dci = (uint8_t)dci, .type = (uint8_t)type, .context = context,
        .ring = { (w[2] & ~15u) | (gpa)w[3] << 32, w[2] & 1 },
    };
    x->slots[slot].eps[dci] = ep;
    return CC_SUCCESS;
}

void xhci_ep_disable(Xhci *x, unsigned slot, unsigned dci)
{
    XhciEp *ep = x->slots[slot].eps[dci];

    if (ep) {
        drop(ep);
        dma_list_finish(&ep->packet.list);
        vec_free(&ep->trbs);
        free(ep);
        x->slots[slot].eps[dci] = NULL;
    }
}

void xhci_ep_stop(XhciEp *ep)
{
    bool was_under_way = ep->xfer == XFER_RUNNING || ep->naked;

    if (ep->xfer == XFER_REPORTING && ep->cc == CC_SUCCESS) {
        ep->ring = ep->after; /* it is done; only the rest of its events is lost */
    }
    uint64_t done = ep->xfer == XFER_RUNNING ? ep->packet.done : 0;
    drop(ep);
    if (was_under_way && ep->trbs.n) {
        ep->packet.done = done;
        report_begin(ep, CC_STOPPED);
        for (size_t i = 0; i < ep->fail_at; i++) {
            ep->left -= MIN(ep->left, (uint64_t)trb_bytes(&ep->trbs.at[i]));
        }
        const XhciTrb *t = &ep->trbs.at[ep->fail_at];
        uint32_t bytes = trb_bytes(t);
        /* The command waited for room for two events. */
        if (!report_event(ep, t, CC_STOPPED, bytes - MIN(ep->left, (uint64_t)bytes))) {
            log_guest_error("xhci: no room for the event of a stopped endpoint\n");
        }
        ep->xfer = XFER_IDLE;
    }
    xhci_ep_set_state(ep, EP_STOPPED);
}

void xhci_doorbell(Xhci *x, unsigned slot, unsigned dci, unsigned stream)
{
    XhciEp *ep = slot <= x->n_slots && dci < XHCI_N_DCI ? x->slots[slot].eps[dci] : NULL;

    if (!ep || stream) {
        log_guest_error("xhci: doorbell of slot %u, endpoint %u, stream %u\n", slot, dci, stream);
        return;
    }
    if (ep->state == EP_STOPPED) {
        xhci_ep_set_state(ep, EP_RUNNING);
    }
    if (ep->state == EP_RUNNING) {
        xhci_queue(ep);
    }
}
