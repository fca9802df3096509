/*
 * xhci.h: an xHCI host controller: what its files share.
 *
 * Work is done by xhci_work(): the command ring and the endpoints that were queued by doorbells, wake-ups and ends of packets, so many
 * steps a time and the rest a little later. It is the only place that looks at rings; nothing there is entered twice. An
 * endpoint has one transfer at a time. Whatever the guest's rings say, memory and time of a step are bounded.
 *
 * Events are never lost: what finds no place in an event ring waits where it came from (a transfer keeps reporting, commands
 * are not fetched, ports remember) until the guest moves the ring's dequeue pointer.
 *
 * Leaves out: streams (the capability says so; an endpoint context that wants them is refused), virtualization, the debug capability,
 * bandwidth bookkeeping, interrupt moderation.
 * Specification: xHCI 1.1.
 */
#ifndef HW_USB_XHCI_H
#define HW_USB_XHCI_H

#include "hw/pci.h"
#include "hw/usb.h"
#include "softmmu/clock.h"

typedef struct Xhci Xhci;
typedef struct XhciEp XhciEp;

enum { XHCI_MAX_SLOTS = 64, XHCI_MAX_INTRS = 16, XHCI_MAX_PORTS_EACH = 15, XHCI_MAX_PORTS = 2 * XHCI_MAX_PORTS_EACH, XHCI_N_DCI = 32,
       XHCI_TD_TRBS = 4096, XHCI_RING_MAX = 4096, XHCI_TD_LINKS = 64, XHCI_CTX_BYTES = 32, XHCI_TRB_BYTES = 16 };

enum { /* 6.4.6 */
    TRB_NORMAL = 1, TRB_SETUP = 2, TRB_DATA = 3, TRB_STATUS = 4, TRB_ISOCH = 5, TRB_LINK = 6, TRB_EVENT_DATA = 7, TRB_NOOP = 8,
    CMD_ENABLE_SLOT = 9, CMD_DISABLE_SLOT = 10, CMD_ADDRESS_DEVICE = 11, CMD_CONFIGURE = 12, CMD_EVALUATE = 13, CMD_RESET_EP = 14,
    CMD_STOP_EP = 15, CMD_SET_DEQUEUE = 16, CMD_RESET_DEVICE = 17, CMD_PORT_BANDWIDTH = 21, CMD_NOOP = 23, CMD_NEC_FIRMWARE = 49,
    EVENT_TRANSFER = 32, EVENT_COMMAND = 33, EVENT_PORT = 34, EVENT_HOST = 37, EVENT_NEC_COMMAND = 48,
};
enum { /* TRB control word */
    TRB_CYCLE = 1, TRB_TOGGLE = 2, TRB_ISP = 4, TRB_CHAIN = 0x10, TRB_IOC = 0x20, TRB_IDT = 0x40, TRB_BEI = 0x200, TRB_BSR = 0x200,
    TRB_DECONFIGURE = 0x200, TRB_DIR_IN = 0x10000, EVENT_ED = 4,
};
enum { /* 6.4.5 */
    CC_SUCCESS = 1, CC_DATA_BUFFER = 2, CC_BABBLE = 3, CC_TRANSACTION = 4, CC_TRB = 5, CC_STALL = 6, CC_RESOURCE = 7, CC_NO_SLOTS = 9,
    CC_SLOT_NOT_ENABLED = 11, CC_EP_NOT_ENABLED = 12, CC_SHORT = 13, CC_PARAMETER = 17, CC_CONTEXT_STATE = 19,
    CC_RING_FULL = 21, CC_COMMAND_STOPPED = 24, CC_COMMAND_ABORTED = 25, CC_STOPPED = 26,
};
enum { /* USBCMD, USBSTS */
    CMD_RUN = 1, CMD_RESET = 2, CMD_INTE = 4, CMD_SAVE = 0x100, CMD_RESTORE = 0x200,
    STS_HALTED = 1, STS_HSE = 4, STS_EINT = 8, STS_PCD = 0x10, STS_SRE = 0x400, STS_HCE = 0x1000,
};
enum { IMAN_IP = 1, IMAN_IE = 2, ERDP_BUSY = 8 };
enum { EP_DISABLED = 0, EP_RUNNING = 1, EP_HALTED = 2, EP_STOPPED = 3, EP_ERROR = 4 };
enum { SLOT_ENABLED = 0, SLOT_DEFAULT = 1, SLOT_ADDRESSED = 2, SLOT_CONFIGURED = 3 };
enum { EP_TYPE_CONTROL = 4 };

typedef struct XhciTrb {
    uint64_t param;
    uint32_t status, control;
    gpa addr;
    bool cycle;              /* of the ring there */
} XhciTrb;

static inline unsigned trb_type(const XhciTrb *t) { return t->control >> 10 & 63; }

typedef struct XhciRing {
    gpa dequeue;
    bool cycle;
} XhciRing;

typedef enum XhciXferState { XFER_IDLE, XFER_RUNNING, XFER_REPORTING } XhciXferState;

/* An endpoint: a ring of transfer descriptors and what is done with the one at its head. */
struct XhciEp {
    Xhci *x;
    uint8_t slot, dci, type, state;
    gpa context;
    XhciRing ring, after;    /* after: behind the transfer under way */
    XhciEp *next_queued;
    bool queued, naked;      /* naked: the descriptor at the ring's head was answered with NAK */
    XhciXferState xfer;
    UsbPacket packet;
    VEC(XhciTrb) trbs;
    /* Reporting. */
    uint8_t cc;              /* CC_SUCCESS, or why it failed */
    size_t at, fail_at;
    uint64_t left, edtla;
    bool was_short, told;
};

typedef struct XhciSlot {
    bool enabled;
    uint8_t state;
    gpa context;
    UsbDevice *dev;          /* NULL: not addressed yet, or gone */
    XhciEp *eps[XHCI_N_DCI]; /* by device context index */
} XhciSlot;

typedef struct XhciPort {
    uint32_t portsc, pmsc;
    UsbPort *port;           /* which users see; another half of it may be of the other speeds */
    bool is_usb3, event_pending;
} XhciPort;

typedef struct XhciIntr {
    uint32_t iman, imod, erstsz;
    uint64_t erstba, erdp;
    gpa start;
    uint32_t size, at;       /* entries; 0: no ring */
    bool cycle, full;
} XhciIntr;

struct Xhci {
    PciDevice pci;
    MemoryRegion bar, regs;
    UsbBus bus;
    uint32_t p2, p3, n_slots, n_intrs, n_ports;
    bool streams;
    int msi, msix;           /* auto, on, off */
    bool nec;                /* a NEC µPD720200: its vendor command, its identity */
    /* Registers. */
    uint32_t usbcmd, usbsts, dnctrl, config;
    uint64_t dcbaap;
    bool half_busy;          /* of a 64-bit write of ERDP, until the other half comes */
    XhciPort ports[XHCI_MAX_PORTS];
    UsbPort usb_ports[XHCI_MAX_PORTS_EACH];
    XhciIntr intrs[XHCI_MAX_INTRS];
    XhciRing commands;
    bool commands_running, commands_queued, commands_stopped; /* stopped: the event is still to come */
    bool saved;              /* there is something a restore could bring back */
    XhciSlot slots[XHCI_MAX_SLOTS + 1];
    XhciEp *queue, **queue_last;
    Timer again;
    bool engaged;            /* at work: accesses to our registers that come from there are ignored */
    bool blocked;            /* something waits for room in an event ring */
};

static inline bool xhci_is_running(const Xhci *x)
{
    return (x->usbcmd & CMD_RUN) && !(x->usbsts & (STS_HSE | STS_HCE | STS_HALTED));
}

/* xhci-event.c */
NODISCARD bool xhci_post(Xhci *x, unsigned intr, uint64_t param, uint32_t status, uint32_t control);
bool xhci_has_room(Xhci *x, unsigned intr);
void xhci_ring_set(Xhci *x, unsigned intr);
void xhci_erdp_written(Xhci *x, unsigned intr, bool acknowledged);
void xhci_update_irq(Xhci *x, unsigned intr);
/* Guest memory that the controller itself needs is not there, or makes no sense: it stops. */
void xhci_die(Xhci *x, uint32_t why);
/* Words of guest memory. */
bool xhci_load(Xhci *x, gpa addr, uint32_t *words, unsigned n);
bool xhci_store(Xhci *x, gpa addr, const uint32_t *words, unsigned n);
bool xhci_fetch(Xhci *x, const XhciRing *ring, XhciTrb *ret);

/* xhci-transfer.c */
void xhci_queue(XhciEp *ep);
void xhci_work(Xhci *x);
/* What waited for room in an event ring goes on. */
void xhci_unblock(Xhci *x);
/* CC_SUCCESS, or what is wrong with the context. `context` is that of the endpoint in guest memory. */
uint8_t xhci_ep_enable(Xhci *x, unsigned slot, unsigned dci, const uint32_t *words, gpa context);
void xhci_ep_disable(Xhci *x, unsigned slot, unsigned dci);
/* Gives up what is under way and tells the guest how far it came. */
void xhci_ep_stop(XhciEp *ep);
void xhci_ep_set_state(XhciEp *ep, uint8_t state);
void xhci_doorbell(Xhci *x, unsigned slot, unsigned dci, unsigned stream);

/* xhci-command.c: false when the ring is empty or has to wait. */
bool xhci_command(Xhci *x);
void xhci_commands_stop(Xhci *x);
/* Tells of a stopped ring when there is room to. */
void xhci_commands_flush(Xhci *x);
void xhci_slot_disable(Xhci *x, unsigned slot);
/* The device a slot context names. */
UsbDevice *xhci_find_device(Xhci *x, const uint32_t *slot_context);

/* xhci-port.c */
void xhci_ports_init(Xhci *x);
void xhci_ports_reset(Xhci *x);
void xhci_ports_flush(Xhci *x);
uint32_t xhci_port_read(Xhci *x, unsigned port, unsigned reg);
void xhci_port_write(Xhci *x, unsigned port, unsigned reg, uint32_t value);
UsbDevice *xhci_port_device(Xhci *x, unsigned port);

#endif
