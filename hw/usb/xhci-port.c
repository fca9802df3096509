/*
 * xhci-port.c: root hub ports.
 *
 * The port a user names "1" has two sets of registers, as connectors of USB 3 machines do: one for SuperSpeed and one for the rest (they come
 * behind). A device shows up in the one for its speed.
 *
 * Specification: xHCI 1.1, 4.19 (ports), 5.4.8 (PORTSC), 4.15 (suspend and resume).
 */
#include "hw/usb/xhci.h"

enum { /* PORTSC */
    PORT_CCS = 1, PORT_PED = 2, PORT_PR = 0x10, PORT_PLS = 0x1e0, PORT_PP = 0x200, PORT_SPEED = 0x3c00, PORT_LWS = 0x10000,
    PORT_CSC = 1 << 17, PORT_PEC = 1 << 18, PORT_WRC = 1 << 19, PORT_OCC = 1 << 20, PORT_PRC = 1 << 21, PORT_PLC = 1 << 22,
    PORT_CEC = 1 << 23, PORT_WCE = 1 << 25, PORT_WDE = 1 << 26, PORT_WOE = 1 << 27,
};
#define PORT_WPR (UINT32_C(1) << 31)
#define PORT_CHANGES (PORT_CSC | PORT_PEC | PORT_WRC | PORT_OCC | PORT_PRC | PORT_PLC | PORT_CEC)
#define PORT_KEPT (PORT_WCE | PORT_WDE | PORT_WOE | 3 << 14)
enum { PLS_U0 = 0, PLS_U3 = 3, PLS_DISABLED = 4, PLS_RX_DETECT = 5, PLS_POLLING = 7, PLS_RESUME = 15 };
enum { REG_PORTSC = 0, REG_PORTPMSC = 1 };

static unsigned pls(const XhciPort *p)
{
    return p->portsc >> 5 & 15;
}

static void set_pls(XhciPort *p, unsigned state)
{
    p->portsc = (p->portsc & ~(uint32_t)PORT_PLS) | state << 5;
}

/* One event until the guest has cleared all change bits (4.19.2). */
static void changed(Xhci *x, XhciPort *p, uint32_t bits)
{
    bool had = p->portsc & PORT_CHANGES;

    p->portsc |= bits;
    if (!had && bits) {
        p->event_pending = true;
        xhci_ports_flush(x);
    }
}

void xhci_ports_flush(Xhci *x)
{
    for (unsigned i = 0; i < x->n_ports; i++) {
        if (!x->ports[i].event_pending) {
            continue;
        }
        x->usbsts |= STS_PCD;
        if (!xhci_is_running(x) || !xhci_post(x, 0, (uint64_t)(i + 1) << 24, (uint32_t)CC_SUCCESS << 24, EVENT_PORT << 10)) {
            return;
        }
        x->ports[i].event_pending = false;
    }
}

static UsbDevice *device_in(const XhciPort *p)
{
    UsbDevice *dev = p->port->dev;

    return dev && (dev->speed == USB_SPEED_SUPER) == p->is_usb3 ? dev : NULL;
}

UsbDevice *xhci_port_device(Xhci *x, unsigned port)
{
    return port < x->n_ports ? device_in(&x->ports[port]) : NULL;
}

/* The registers of what is plugged in now; the change is the caller's to tell. */
static void reconnect(XhciPort *p)
{
    static const uint8_t ids[USB_N_SPEEDS] = { [USB_SPEED_LOW] = 2, [USB_SPEED_FULL] = 1, [USB_SPEED_HIGH] = 3, [USB_SPEED_SUPER] = 4 };
    const UsbDevice *dev = device_in(p);

    p->portsc &= PORT_CHANGES | PORT_KEPT;
    p->portsc |= PORT_PP;
    if (!dev) {
        set_pls(p, PLS_RX_DETECT);
        return;
    }
    p->portsc |= PORT_CCS | (uint32_t)ids[dev->speed] << 10;
    if (p->is_usb3) { /* trains its link by itself */
        p->portsc |= PORT_PED;
        set_pls(p, PLS_U0);
    } else {
        set_pls(p, PLS_POLLING);
    }
}

void xhci_ports_reset(Xhci *x)
{
    for (unsigned i = 0; i < x->n_ports; i++) {
        XhciPort *p = &x->ports[i];
        p->portsc = p->pmsc = 0;
        p->event_pending = false;
        reconnect(p);
        if (device_in(p)) {
            usb_reset(device_in(p));
            p->portsc |= PORT_CSC;
            p->event_pending = true;
        }
    }
}

/* -- from below ---------------------------------------------------------------------------------------------------------------- */

static XhciPort *half_for(Xhci *x, const UsbPort *port)
{
    for (unsigned i = 0; i < x->n_ports; i++) {
        if (x->ports[i].port == port && device_in(&x->ports[i])) {
            return &x->ports[i];
        }
    }
    return NULL;
}

static void attached(UsbPort *port)
{
    Xhci *x = port->opaque;
    XhciPort *p = half_for(x, port);

    reconnect(p);
    changed(x, p, PORT_CSC);
}

static void detached(UsbPort *port)
{
    Xhci *x = port->opaque;
    XhciPort *p = half_for(x, port);
    UsbDevice *dev = port->dev;

    port->dev = NULL;
    reconnect(p);
    port->dev = dev;
    changed(x, p, PORT_CSC);
}

static void forget(UsbPort *port, UsbDevice *dev)
{
    Xhci *x = port->opaque;

    for (unsigned s = 1; s <= x->n_slots; s++) {
        if (x->slots[s].dev == dev) {
            x->slots[s].dev = NULL;
        }
    }
}

static void wakeup(UsbPort *port, UsbDevice *dev, uint8_t endpoint)
{
    Xhci *x = port->opaque;
    XhciPort *p = half_for(x, port);
    unsigned dci = (endpoint & 15u) * 2 + (endpoint >> 7);

    if (p && pls(p) == PLS_U3) {
        if (dev->remote_wakeup) {
            set_pls(p, p->is_usb3 ? PLS_U0 : PLS_RESUME);
            changed(x, p, PORT_PLC);
        }
        return; /* the endpoint is tried again when the bus is awake */
    }
    for (unsigned s = 1; s <= x->n_slots && dci; s++) {
        if (x->slots[s].dev == dev && x->slots[s].eps[dci]) {
            xhci_queue(x->slots[s].eps[dci]);
        }
    }
    xhci_work(x);
}

static const UsbPortOps port_ops = { .attached = attached, .detached = detached, .forget = forget, .wakeup = wakeup };

void xhci_ports_init(Xhci *x)
{
    unsigned n = MAX(x->p2, x->p3);

    x->n_ports = x->p2 + x->p3;
    for (unsigned i = 0; i < n; i++) {
        unsigned speeds = (i < x->p2 ? USB_SPEEDS_2 : 0) | (i < x->p3 ? USB_SPEEDS_3 : 0);
        usb_port_add(&x->bus, &x->usb_ports[i], NULL, i + 1, speeds, &port_ops, x, i);
    }
    for (unsigned i = 0; i < x->n_ports; i++) {
        XhciPort *p = &x->ports[i];
        p->is_usb3 = i < x->p3;
        p->port = &x->usb_ports[p->is_usb3 ? i : i - x->p3];
    }
}

/* -- registers ------------------------------------------------------------------------------------------------------------------------ */

/* Endpoints that were told to wait while the bus slept. */
static void awake(Xhci *x)
{
    for (unsigned s = 1; s <= x->n_slots; s++) {
        for (unsigned dci = 1; dci < XHCI_N_DCI; dci++) {
            if (x->slots[s].eps[dci]) {
                xhci_queue(x->slots[s].eps[dci]);
            }
        }
    }
    xhci_work(x);
}

static void reset_port(Xhci *x, XhciPort *p, bool warm)
{
    UsbDevice *dev = device_in(p);

    if (!dev) {
        return;
    }
    usb_reset(dev);
    set_pls(p, PLS_U0);
    p->portsc |= PORT_PED;
    changed(x, p, PORT_PRC | (warm && p->is_usb3 ? PORT_WRC : 0));
}

static void write_link_state(Xhci *x, XhciPort *p, unsigned to)
{
    unsigned from = pls(p);

    if (!(p->portsc & PORT_CCS) && !(p->is_usb3 && (to == PLS_RX_DETECT || to == PLS_DISABLED))) {
        return;
    }
    switch (to) {
    case PLS_U0:
        if (from == PLS_U3 || from == PLS_RESUME) {
            set_pls(p, PLS_U0);
            changed(x, p, PORT_PLC);
            awake(x);
        }
        break;
    case PLS_U3:
        if (from == PLS_U0 && (p->portsc & PORT_PED)) {
            set_pls(p, PLS_U3);
        }
        break;
    case PLS_RESUME: /* USB 2 only: the guest ends it with U0 */
        if (from == PLS_U3 && !p->is_usb3) {
            set_pls(p, PLS_RESUME);
        }
        break;
    case PLS_DISABLED: /* USB 3 only */
        if (p->is_usb3) {
            p->portsc &= ~(uint32_t)PORT_PED;
            set_pls(p, PLS_DISABLED);
        }
        break;
    case PLS_RX_DETECT:
        if (p->is_usb3 && from == PLS_DISABLED) {
            reconnect(p);
            changed(x, p, p->portsc & PORT_CCS ? PORT_CSC : 0);
        }
        break;
    default:
        break;
    }
}

uint32_t xhci_port_read(Xhci *x, unsigned port, unsigned reg)
{
    const XhciPort *p = &x->ports[port];

    return reg == REG_PORTSC ? p->portsc : reg == REG_PORTPMSC ? p->pmsc : 0;
}

void xhci_port_write(Xhci *x, unsigned port, unsigned reg, uint32_t value)
{
    XhciPort *p = &x->ports[port];

    if (reg == REG_PORTPMSC) {
        p->pmsc = value;
    }
    if (reg != REG_PORTSC) {
        return;
    }
    p->portsc &= ~(value & PORT_CHANGES);
    p->portsc = (p->portsc & ~(uint32_t)PORT_KEPT) | (value & PORT_KEPT);
    if (value & PORT_WPR) {
        reset_port(x, p, true);
    } else if (value & PORT_PR) {
        reset_port(x, p, false);
    } else if (value & PORT_LWS) {
        write_link_state(x, p, value >> 5 & 15);
    } else if ((value & PORT_PED) && !p->is_usb3) {
        p->portsc &= ~(uint32_t)PORT_PED;
        set_pls(p, p->portsc & PORT_CCS ? PLS_POLLING : PLS_RX_DETECT);
    }
}
