/*
 * xhci-command.c: the command ring: slots, contexts, endpoints.
 *
 * Specification: xHCI 1.1, 4.6 (commands), 4.5 (device slots), 6.2 (contexts). Bandwidth is never short.
 */
#include "hw/usb/xhci.h"
#include "util/log.h"

enum { SLOT_WORDS = 8, EP_WORDS = 8, NEC_FIRMWARE = 0x3021 };

static gpa output_context(Xhci *x, unsigned slot, bool *ret_ok)
{
    uint32_t w[2];

    *ret_ok = xhci_load(x, x->dcbaap + slot * 8u, w, 2);
    return *ret_ok ? (w[0] & ~63u) | (gpa)w[1] << 32 : 0;
}

static gpa ep_context(const XhciSlot *slot, unsigned dci)
{
    return slot->context + dci * XHCI_CTX_BYTES;
}

/* -- devices ------------------------------------------------------------------------------------------------------------------- */

/* 6.2.2: root hub port number and route string, four bits a hub. */
UsbDevice *xhci_find_device(Xhci *x, const uint32_t *w)
{
    unsigned root = w[1] >> 16 & 255;
    UsbDevice *dev = root ? xhci_port_device(x, root - 1) : NULL;

    for (uint32_t route = w[0] & 0xfffff; dev && route; route >>= 4) {
        dev = usb_hub_child(dev, route & 15);
    }
    return dev;
}

static bool set_address(UsbDevice *dev, unsigned address)
{
    UsbPacket p = { .setup = { .request = USB_SET_ADDRESS, .value = (uint16_t)address } };

    usb_submit(dev, &p);
    if (p.status == USB_ASYNC) {
        usb_cancel(&p);
    }
    return p.status == USB_OK;
}

/* -- slots (4.5.3) ----------------------------------------------------------------------------------------------------------------- */

void xhci_slot_disable(Xhci *x, unsigned n)
{
    for (unsigned dci = 1; dci < XHCI_N_DCI; dci++) {
        xhci_ep_disable(x, n, dci);
    }
    x->slots[n] = (XhciSlot){0};
}

static uint8_t enable_slot(Xhci *x, unsigned *ret_slot)
{
    unsigned allowed = MIN(x->config & 255, x->n_slots);

    for (unsigned n = 1; n <= allowed; n++) {
        if (!x->slots[n].enabled) {
            x->slots[n].enabled = true;
            *ret_slot = n;
            return CC_SUCCESS;
        }
    }
    return CC_NO_SLOTS;
}

static uint8_t store_slot(Xhci *x, XhciSlot *slot, uint32_t *w)
{
    w[3] = (uint32_t)slot->state << 27 | (slot->state == SLOT_ADDRESSED || slot->state == SLOT_CONFIGURED ? w[3] & 255 : 0);
    if (!xhci_store(x, slot->context, w, SLOT_WORDS)) {
        xhci_die(x, STS_HSE);
    }
    return CC_SUCCESS;
}

static uint8_t load_slot(Xhci *x, XhciSlot *slot, uint32_t *w)
{
    if (!xhci_load(x, slot->context, w, SLOT_WORDS)) {
        xhci_die(x, STS_HSE);
        return CC_TRB;
    }
    return CC_SUCCESS;
}

/* The context's words go to the output context as they are now; then the endpoint is running. */
static uint8_t start_ep(Xhci *x, unsigned n, unsigned dci, const uint32_t *w)
{
    XhciSlot *slot = &x->slots[n];
    uint8_t cc = xhci_ep_enable(x, n, dci, w, ep_context(slot, dci));

    if (cc == CC_SUCCESS) {
        if (!xhci_store(x, ep_context(slot, dci), w, EP_WORDS)) {
            xhci_die(x, STS_HSE);
        }
        xhci_ep_set_state(slot->eps[dci], EP_RUNNING);
    }
    return cc;
}

static void stop_ep(Xhci *x, unsigned n, unsigned dci)
{
    if (x->slots[n].eps[dci]) {
        xhci_ep_set_state(x->slots[n].eps[dci], EP_DISABLED);
        xhci_ep_disable(x, n, dci);
    }
}

/* What the slot context says of the last endpoint in use, and so of the state. */
static uint8_t update_entries(Xhci *x, unsigned n, uint32_t *w)
{
    XhciSlot *slot = &x->slots[n];
    unsigned last = 1;

    for (unsigned dci = 2; dci < XHCI_N_DCI; dci++) {
        last = slot->eps[dci] ? dci : last;
    }
    slot->state = last > 1 ? SLOT_CONFIGURED : SLOT_ADDRESSED;
    w[0] = (w[0] & 0x07ffffff) | last << 27;
    return store_slot(x, slot, w);
}

static uint8_t address_device(Xhci *x, unsigned n, const XhciTrb *t)
{
    XhciSlot *slot = &x->slots[n];
    gpa input = t->param & ~UINT64_C(15);
    uint32_t control[2], w[SLOT_WORDS], ep0[EP_WORDS];
    bool keeps_default = t->control & TRB_BSR, ok;
    gpa context = output_context(x, n, &ok);

    if (!ok || !xhci_load(x, input, control, 2) || !xhci_load(x, input + XHCI_CTX_BYTES, w, SLOT_WORDS) ||
        !xhci_load(x, input + 2 * XHCI_CTX_BYTES, ep0, EP_WORDS)) {
        return CC_TRB;
    }
    if (control[0] || (control[1] & 3) != 3) {
        return CC_PARAMETER;
    }
    if (slot->state > (keeps_default ? SLOT_ENABLED : SLOT_DEFAULT)) {
        return CC_CONTEXT_STATE;
    }
    UsbDevice *dev = xhci_find_device(x, w);
    if (!dev) {
        return CC_TRANSACTION;
    }
    slot->context = context;
    slot->dev = dev;
    if (!keeps_default && !set_address(dev, n)) {
        return CC_TRANSACTION;
    }
    uint8_t cc = start_ep(x, n, 1, ep0);
    if (cc != CC_SUCCESS) {
        return cc;
    }
    slot->state = keeps_default ? SLOT_DEFAULT : SLOT_ADDRESSED;
    w[0] = (w[0] & 0x07ffffff) | 1u << 27;
    w[3] = keeps_default ? 0 : n;
    return store_slot(x, slot, w);
}

static uint8_t deconfigure(Xhci *x, unsigned n)
{
    uint32_t w[SLOT_WORDS];

    for (unsigned dci = 2; dci < XHCI_N_DCI; dci++) {
        stop_ep(x, n, dci);
    }
    return load_slot(x, &x->slots[n], w) == CC_SUCCESS ? update_entries(x, n, w) : CC_TRB;
}

static uint8_t configure(Xhci *x, unsigned n, const XhciTrb *t)
{
    XhciSlot *slot = &x->slots[n];
    gpa input = t->param & ~UINT64_C(15);
    uint32_t control[2], w[SLOT_WORDS], given[SLOT_WORDS], ep[EP_WORDS];

    if (slot->state < SLOT_ADDRESSED) {
        return CC_CONTEXT_STATE;
    }
    if (t->control & TRB_DECONFIGURE) {
        return deconfigure(x, n);
    }
    if (!xhci_load(x, input, control, 2) || !xhci_load(x, input + XHCI_CTX_BYTES, given, SLOT_WORDS)) {
        return CC_TRB;
    }
    if ((control[0] & 3) || (control[1] & 2)) { /* slot and control endpoint stay */
        return CC_PARAMETER;
    }
    if (load_slot(x, slot, w) != CC_SUCCESS) {
        return CC_TRB;
    }
    for (unsigned dci = 2; dci < XHCI_N_DCI; dci++) {
        if (control[0] >> dci & 1) {
            stop_ep(x, n, dci);
        }
        if (!(control[1] >> dci & 1)) {
            continue;
        }
        uint8_t cc = xhci_load(x, input + (dci + 1) * XHCI_CTX_BYTES, ep, EP_WORDS) ? start_ep(x, n, dci, ep) : CC_TRB;
        if (cc != CC_SUCCESS) {
            update_entries(x, n, w);
            return cc;
        }
    }
    if (control[1] & 1) { /* what a hub's driver finds out about it (6.2.2.2) */
        w[0] = (w[0] & ~0x06000000u) | (given[0] & 0x06000000u);
        w[1] = (w[1] & 0x00ffffffu) | (given[1] & 0xff000000u);
        w[2] = (w[2] & ~0x00030000u) | (given[2] & 0x00030000u);
    }
    return update_entries(x, n, w);
}

/* 4.6.7 */
static uint8_t evaluate(Xhci *x, unsigned n, const XhciTrb *t)
{
    XhciSlot *slot = &x->slots[n];
    gpa input = t->param & ~UINT64_C(15);
    uint32_t control[2], given[EP_WORDS], w[EP_WORDS];

    if (slot->state == SLOT_ENABLED) {
        return CC_CONTEXT_STATE;
    }
    if (!xhci_load(x, input, control, 2)) {
        return CC_TRB;
    }
    if (control[0] || (control[1] & ~3u)) {
        return CC_PARAMETER;
    }
    if (control[1] & 1) {
        if (!xhci_load(x, input + XHCI_CTX_BYTES, given, SLOT_WORDS) || load_slot(x, slot, w) != CC_SUCCESS) {
            return CC_TRB;
        }
        w[1] = (w[1] & ~0xffffu) | (given[1] & 0xffffu);          /* max exit latency */
        w[2] = (w[2] & ~0xffc00000u) | (given[2] & 0xffc00000u);  /* interrupter */
        store_slot(x, slot, w);
    }
    if (control[1] & 2) {
        if (!xhci_load(x, input + 2 * XHCI_CTX_BYTES, given, EP_WORDS) || !xhci_load(x, ep_context(slot, 1), w, EP_WORDS)) {
            return CC_TRB;
        }
        w[1] = (w[1] & 0xffffu) | (given[1] & 0xffff0000u);       /* max packet size */
        if (!xhci_store(x, ep_context(slot, 1), w, EP_WORDS)) {
            xhci_die(x, STS_HSE);
        }
    }
    return CC_SUCCESS;
}

static uint8_t reset_device(Xhci *x, unsigned n)
{
    XhciSlot *slot = &x->slots[n];
    uint32_t w[SLOT_WORDS];

    if (slot->state < SLOT_ADDRESSED) {
        return CC_CONTEXT_STATE;
    }
    for (unsigned dci = 2; dci < XHCI_N_DCI; dci++) {
        stop_ep(x, n, dci);
    }
    if (load_slot(x, slot, w) != CC_SUCCESS) {
        return CC_TRB;
    }
    slot->state = SLOT_DEFAULT;
    w[0] = (w[0] & 0x07ffffff) | 1u << 27;
    return store_slot(x, slot, w);
}

/* -- endpoints ----------------------------------------------------------------------------------------------------------------------- */

static uint8_t set_dequeue(XhciEp *ep, const XhciTrb *t)
{
    if (ep->state != EP_STOPPED && ep->state != EP_ERROR) {
        return CC_CONTEXT_STATE;
    }
    if (t->status >> 16) { /* a stream */
        return CC_TRB;
    }
    ep->ring = (XhciRing){ t->param & ~UINT64_C(15), t->param & 1 };
    xhci_ep_set_state(ep, EP_STOPPED);
    return CC_SUCCESS;
}

static uint8_t endpoint_command(Xhci *x, unsigned n, const XhciTrb *t)
{
    XhciEp *ep = x->slots[n].eps[t->control >> 16 & 31];

    if (!ep) {
        return CC_EP_NOT_ENABLED;
    }
    switch (trb_type(t)) {
    case CMD_RESET_EP:
        if (ep->state != EP_HALTED) {
            return CC_CONTEXT_STATE;
        }
        xhci_ep_set_state(ep, EP_STOPPED);
        return CC_SUCCESS;
    case CMD_STOP_EP:
        if (ep->state != EP_RUNNING) {
            return CC_CONTEXT_STATE;
        }
        xhci_ep_stop(ep);
        return CC_SUCCESS;
    default:
        return set_dequeue(ep, t);
    }
}

/* -- the ring ------------------------------------------------------------------------------------------------------------------------- */

static uint8_t slot_command(Xhci *x, const XhciTrb *t)
{
    unsigned n = t->control >> 24;

    if (!n || n > x->n_slots || !x->slots[n].enabled) {
        return CC_SLOT_NOT_ENABLED;
    }
    switch (trb_type(t)) {
    case CMD_DISABLE_SLOT: {
        uint32_t w[SLOT_WORDS];
        if (x->slots[n].context && load_slot(x, &x->slots[n], w) == CC_SUCCESS) {
            x->slots[n].state = SLOT_ENABLED;
            store_slot(x, &x->slots[n], w);
        }
        xhci_slot_disable(x, n);
        return CC_SUCCESS;
    }
    case CMD_ADDRESS_DEVICE: return address_device(x, n, t);
    case CMD_CONFIGURE: return configure(x, n, t);
    case CMD_EVALUATE: return evaluate(x, n, t);
    case CMD_RESET_DEVICE: return reset_device(x, n);
    default: return endpoint_command(x, n, t);
    }
}

static void execute(Xhci *x, const XhciTrb *t)
{
    unsigned slot = t->control >> 24, event = EVENT_COMMAND;
    uint32_t parameter = 0;
    uint8_t cc;

    switch (trb_type(t)) {
    case CMD_NOOP:
        cc = CC_SUCCESS;
        slot = 0;
        break;
    case CMD_ENABLE_SLOT:
        slot = 0;
        cc = enable_slot(x, &slot);
        break;
    case CMD_DISABLE_SLOT: case CMD_ADDRESS_DEVICE: case CMD_CONFIGURE: case CMD_EVALUATE: case CMD_RESET_EP: case CMD_STOP_EP:
    case CMD_SET_DEQUEUE: case CMD_RESET_DEVICE:
        cc = slot_command(x, t);
        break;
    case CMD_NEC_FIRMWARE:
        if (x->nec) {
            cc = CC_SUCCESS;
            event = EVENT_NEC_COMMAND;
            parameter = NEC_FIRMWARE;
            break;
        }
        /* fall through */
    default:
        log_guest_error("xhci: there is no command %u\n", trb_type(t));
        cc = CC_TRB;
        break;
    }
    if (!xhci_post(x, 0, t->addr, (uint32_t)cc << 24 | parameter, (uint32_t)slot << 24 | event << 10)) {
        log_guest_error("xhci: event ring moved under a command\n");
    }
}

bool xhci_command(Xhci *x)
{
    XhciTrb t;

    if (!x->commands_running) {
        x->commands_queued = false;
        return false;
    }
    if (!xhci_has_room(x, 0)) {
        x->blocked = true;
        x->commands_queued = false;
        return false;
    }
    if (!xhci_fetch(x, &x->commands, &t)) {
        xhci_die(x, STS_HSE);
        return false;
    }
    if ((t.control & TRB_CYCLE) != (x->commands.cycle ? TRB_CYCLE : 0u)) {
        x->commands_queued = false;
        return false;
    }
    if (trb_type(&t) == TRB_LINK) {
        x->commands = (XhciRing){ t.param & ~UINT64_C(15), x->commands.cycle ^ ((t.control & TRB_TOGGLE) != 0) };
    } else {
        x->commands.dequeue += XHCI_TRB_BYTES;
        execute(x, &t);
    }
    return true;
}

void xhci_commands_flush(Xhci *x)
{
    if (x->commands_stopped && xhci_post(x, 0, x->commands.dequeue, (uint32_t)CC_COMMAND_STOPPED << 24, EVENT_COMMAND << 10)) {
        x->commands_stopped = false;
    }
}

/* 4.6.1.1, 4.6.1.2: commands take no time, so that there is none to abort. */
void xhci_commands_stop(Xhci *x)
{
    if (x->commands_running) {
        x->commands_running = x->commands_queued = false;
        x->commands_stopped = true;
        xhci_commands_flush(x);
    }
}
