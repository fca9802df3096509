/*
 * xhci.c: an xHCI host controller on PCI: registers, life; qemu-xhci and nec-usb-xhci.
 *
 * Specification: xHCI 1.1, 5 (registers), 4.2 (initialization), 4.23.2 (save and restore), 7 (extended capabilities).
 */
#include "hw/block-conf.h"
#include "hw/usb/xhci.h"
#include "util/log.h"

/* The BAR: capabilities, operational registers (ports at 400h of them), run time registers, doorbells, MSI-X. */
enum { BAR_BYTES = 0x4000, OPERATIONAL = 0x40, PORTS = 0x440, RUNTIME = 0x1000, INTERRUPTERS = 0x1020, DOORBELLS = 0x2000,
       DOORBELLS_END = 0x2400, MSIX_TABLE = 0x3000, MSIX_PENDING = 0x3800, PROTOCOLS = 0x20, PORT_STRIDE = 0x10, INTR_STRIDE = 0x20 };
enum { CAP_LENGTH = 0, CAP_PARAMS1 = 4, CAP_PARAMS2 = 8, CAP_PARAMS3 = 0xc, CAP_HCC = 0x10, CAP_DOORBELLS = 0x14, CAP_RUNTIME = 0x18 };
enum { OP_USBCMD = 0, OP_USBSTS = 4, OP_PAGESIZE = 8, OP_DNCTRL = 0x14, OP_CRCR = 0x18, OP_DCBAAP = 0x30, OP_CONFIG = 0x38 };
enum { INTR_IMAN = 0, INTR_IMOD = 4, INTR_ERSTSZ = 8, INTR_ERSTBA = 0x10, INTR_ERDP = 0x18 };
enum { CRCR_CYCLE = 1, CRCR_STOP = 2, CRCR_ABORT = 4, CRCR_RUNNING = 8 };
enum { VERSION = 0x0100, HCC_64 = 1, PROTOCOL_CAP = 2, PORT_REGS = 4 };
#define STS_W1C (STS_HSE | STS_EINT | STS_PCD | STS_SRE)
#define MICROFRAME_NS (125 * NS_PER_US)

/* -- capabilities (5.3, 7.2) ------------------------------------------------------------------------------------------------------ */

/* Supported protocols: four words each, the ports of USB 3 come first. */
static uint32_t protocol_read(const Xhci *x, unsigned word)
{
    bool usb2 = word >= 4;

    switch (word & 3) {
    case 0: return (usb2 ? 0x02000000u : 0x03000000u) | (usb2 ? 0 : 4u << 8) | PROTOCOL_CAP;
    case 1: return 0x20425355; /* "USB " */
    case 2: return usb2 ? x->p2 << 8 | (x->p3 + 1) : x->p3 << 8 | 1;
    default: return 0;
    }
}

static uint32_t cap_read(const Xhci *x, unsigned offset)
{
    switch (offset) {
    case CAP_LENGTH: return (uint32_t)VERSION << 16 | OPERATIONAL;
    case CAP_PARAMS1: return x->n_slots | x->n_intrs << 8 | x->n_ports << 24;
    case CAP_PARAMS2: return 0xf; /* isochronous scheduling threshold; one event ring segment */
    case CAP_HCC: return HCC_64 | PROTOCOLS / 4 << 16;
    case CAP_DOORBELLS: return DOORBELLS;
    case CAP_RUNTIME: return RUNTIME;
    default: return offset >= PROTOCOLS ? protocol_read(x, (offset - PROTOCOLS) / 4) : 0;
    }
}

/* -- operational registers (5.4) -------------------------------------------------------------------------------------------------------- */

static void reset(Xhci *x)
{
    timer_cancel(&x->again);
    for (unsigned n = 1; n <= XHCI_MAX_SLOTS; n++) {
        xhci_slot_disable(x, n);
    }
    x->usbcmd = 0;
    x->usbsts = STS_HALTED;
    x->dnctrl = x->config = 0;
    x->dcbaap = 0;
    x->commands = (XhciRing){0};
    x->commands_running = x->commands_queued = x->commands_stopped = x->blocked = x->saved = false;
    for (unsigned i = 0; i < XHCI_MAX_INTRS; i++) {
        x->intrs[i] = (XhciIntr){ .imod = 4000 };
        xhci_update_irq(x, i);
    }
    xhci_ports_reset(x);
}

static void write_usbcmd(Xhci *x, uint32_t value)
{
    uint32_t old = x->usbcmd;

    if (value & CMD_RESET) {
        reset(x);
        return;
    }
    if (value & CMD_SAVE) { /* kept here: nothing is written to memory */
        x->saved = true;
        x->usbsts &= ~(uint32_t)STS_SRE;
    }
    if (value & CMD_RESTORE) {
        x->usbsts |= x->saved ? 0 : STS_SRE;
    }
    x->usbcmd = value & 0x0c0d; /* run, interrupts, host system error, wrap event, U3 MFINDEX stop */
    if ((value & CMD_RUN) && !(old & CMD_RUN)) {
        x->usbsts &= ~(uint32_t)STS_HALTED;
        xhci_unblock(x);
    } else if (!(value & CMD_RUN)) {
        x->usbsts |= STS_HALTED;
        x->commands_running = false;
    }
    for (unsigned i = 0; i < x->n_intrs; i++) {
        xhci_update_irq(x, i);
    }
}

static void write_crcr(Xhci *x, uint32_t value)
{
    if (value & (CRCR_STOP | CRCR_ABORT)) {
        xhci_commands_stop(x);
    } else if (!x->commands_running) { /* else the pointer is not the guest's to move */
        x->commands.dequeue = (x->commands.dequeue >> 32 << 32) | (value & ~63u);
        x->commands.cycle = value & CRCR_CYCLE;
    }
}

static uint32_t op_read(const Xhci *x, unsigned offset)
{
    switch (offset) {
    case OP_USBCMD: return x->usbcmd;
    case OP_USBSTS: return x->usbsts;
    case OP_PAGESIZE: return 1; /* 4 KiB */
    case OP_DNCTRL: return x->dnctrl;
    case OP_CRCR: return x->commands_running ? CRCR_RUNNING : 0; /* the rest reads as 0 (5.4.5) */
    case OP_DCBAAP: return (uint32_t)x->dcbaap;
    case OP_DCBAAP + 4: return (uint32_t)(x->dcbaap >> 32);
    case OP_CONFIG: return x->config;
    default: return 0;
    }
}

static void op_write(Xhci *x, unsigned offset, uint32_t value)
{
    switch (offset) {
    case OP_USBCMD: write_usbcmd(x, value); break;
    case OP_USBSTS: x->usbsts &= ~(value & STS_W1C); break;
    case OP_DNCTRL: x->dnctrl = value & 0xffff; break;
    case OP_CRCR: write_crcr(x, value); break;
    case OP_CRCR + 4:
        if (!x->commands_running) {
            x->commands.dequeue = (uint32_t)x->commands.dequeue | (gpa)value << 32;
        }
        break;
    case OP_DCBAAP: x->dcbaap = (x->dcbaap >> 32 << 32) | (value & ~63u); break;
    case OP_DCBAAP + 4: x->dcbaap = (uint32_t)x->dcbaap | (uint64_t)value << 32; break;
    case OP_CONFIG: x->config = value & 0xff; break;
    default: log_guest_error("xhci: write of %x to operational register %x\n", value, offset); break;
    }
}

/* -- run time registers (5.5) and doorbells (5.6) ------------------------------------------------------------------------------------------- */

static uint32_t runtime_read(Xhci *x, unsigned offset)
{
    unsigned n = (offset - INTERRUPTERS) / INTR_STRIDE;

    if (offset < INTERRUPTERS) { /* MFINDEX */
        return offset == RUNTIME ? (uint32_t)(clock_get_ns(VM_CLOCK_VIRTUAL) / MICROFRAME_NS) & 0x3fff : 0;
    }
    if (n >= x->n_intrs) {
        return 0;
    }
    const XhciIntr *i = &x->intrs[n];
    switch ((offset - INTERRUPTERS) % INTR_STRIDE) {
    case INTR_IMAN: return i->iman;
    case INTR_IMOD: return i->imod;
    case INTR_ERSTSZ: return i->erstsz;
    case INTR_ERSTBA: return (uint32_t)i->erstba;
    case INTR_ERSTBA + 4: return (uint32_t)(i->erstba >> 32);
    case INTR_ERDP: return (uint32_t)i->erdp;
    case INTR_ERDP + 4: return (uint32_t)(i->erdp >> 32);
    default: return 0;
    }
}

/* whole: no other half of a 64-bit write follows. */
static void runtime_write(Xhci *x, unsigned offset, uint32_t value, bool whole)
{
    unsigned n = (offset - INTERRUPTERS) / INTR_STRIDE;

    if (offset < INTERRUPTERS || n >= x->n_intrs) {
        log_guest_error("xhci: write of %x to run time register %x\n", value, offset - RUNTIME);
        return;
    }
    XhciIntr *i = &x->intrs[n];
    switch ((offset - INTERRUPTERS) % INTR_STRIDE) {
    case INTR_IMAN:
        i->iman = (i->iman & ~(value & IMAN_IP) & ~(uint32_t)IMAN_IE) | (value & IMAN_IE);
        xhci_update_irq(x, n);
        break;
    case INTR_IMOD: i->imod = value; break;
    case INTR_ERSTSZ:
        i->erstsz = value & 0xffff;
        if (!i->erstsz) {
            xhci_ring_set(x, n);
        }
        break;
    case INTR_ERSTBA:
        i->erstba = (i->erstba >> 32 << 32) | (value & ~63u);
        if (whole) {
            xhci_ring_set(x, n);
        }
        break;
    case INTR_ERSTBA + 4:
        i->erstba = (uint32_t)i->erstba | (uint64_t)value << 32;
        xhci_ring_set(x, n);
        break;
    case INTR_ERDP:
        /* Busy is cleared by xhci_erdp_written(). */
        i->erdp = (i->erdp >> 32 << 32) | (value & ~(uint32_t)ERDP_BUSY) | (i->erdp & ERDP_BUSY);
        x->half_busy = value & ERDP_BUSY;
        if (whole) {
            xhci_erdp_written(x, n, value & ERDP_BUSY);
        }
        break;
    case INTR_ERDP + 4:
        i->erdp = (uint32_t)i->erdp | (uint64_t)value << 32;
        xhci_erdp_written(x, n, whole ? false : x->half_busy);
        break;
    default: break;
    }
}

static void doorbell(Xhci *x, unsigned n, uint32_t value)
{
    if (!xhci_is_running(x)) {
        log_guest_error("xhci: doorbell of a halted controller\n");
    } else if (n) {
        xhci_doorbell(x, n, value & 0xff, value >> 16);
    } else if (!(value & 0xff)) {
        x->commands_running = x->commands_queued = true;
    }
}

/* -- the region ------------------------------------------------------------------------------------------------------------------------------- */

static uint32_t reg_read(Xhci *x, unsigned offset)
{
    if (offset < OPERATIONAL) {
        return cap_read(x, offset);
    }
    if (offset < PORTS) {
        return op_read(x, offset - OPERATIONAL);
    }
    if (offset < RUNTIME) {
        unsigned port = (offset - PORTS) / PORT_STRIDE;
        return port < x->n_ports ? xhci_port_read(x, port, offset / 4 % PORT_REGS) : 0;
    }
    return offset < DOORBELLS ? runtime_read(x, offset) : 0;
}

static void reg_write(Xhci *x, unsigned offset, uint32_t value, bool whole)
{
    if (offset < OPERATIONAL) {
        log_guest_error("xhci: write to capability register %x\n", offset);
    } else if (offset < PORTS) {
        op_write(x, offset - OPERATIONAL, value);
    } else if (offset < RUNTIME) {
        unsigned port = (offset - PORTS) / PORT_STRIDE;
        if (port < x->n_ports) {
            xhci_port_write(x, port, offset / 4 % PORT_REGS, value);
        }
    } else if (offset < DOORBELLS) {
        runtime_write(x, offset, value, whole);
    } else if (offset < DOORBELLS_END) {
        doorbell(x, (offset - DOORBELLS) / 4, value);
    }
}

static MemResult mem_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    Xhci *x = opaque;
    unsigned at = (unsigned)offset & ~3u;

    *ret = reg_read(x, at);
    if (size == 8) {
        *ret |= (uint64_t)reg_read(x, at + 4) << 32;
    } else {
        *ret >>= (offset & 3) * 8; /* CAPLENGTH and HCIVERSION are read alone */
    }
    return MEM_OK;
}

static MemResult mem_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    Xhci *x = opaque;

    if (x->engaged || size < 4 || offset & 3) {
        log_guest_error("xhci: %s\n", x->engaged ? "the controller was made to write to itself" : "write of part of a register");
        return MEM_OK;
    }
    x->engaged = true;
    reg_write(x, (unsigned)offset, (uint32_t)value, size == 4);
    if (size == 8) {
        reg_write(x, (unsigned)offset + 4, (uint32_t)(value >> 32), false);
    }
    x->engaged = false;
    xhci_work(x);
    return MEM_OK;
}

static const MemoryOps mem_ops = {
    .read = mem_read, .write = mem_write, .endian = MEM_LITTLE_ENDIAN, .valid = { 1, 8 }, .impl = { 1, 8 },
};

/* -- the device --------------------------------------------------------------------------------------------------------------------------------- */

static void again(void *opaque)
{
    xhci_work(opaque);
}

static bool check_properties(Xhci *x, Error **errp)
{
    if (!x->n_slots || x->n_slots > XHCI_MAX_SLOTS) {
        error_set(errp, "slots must be 1 to %d", XHCI_MAX_SLOTS);
    } else if (!x->n_intrs || x->n_intrs > XHCI_MAX_INTRS || (x->n_intrs & (x->n_intrs - 1))) {
        error_set(errp, "intrs must be a power of two up to %d", XHCI_MAX_INTRS);
    } else if (x->p2 > XHCI_MAX_PORTS_EACH || x->p3 > XHCI_MAX_PORTS_EACH || !(x->p2 + x->p3)) {
        error_set(errp, "p2 and p3 must be up to %d, and one of them not 0", XHCI_MAX_PORTS_EACH);
    } else if (x->streams) {
        error_set(errp, "streams are not supported");
    } else {
        return true;
    }
    return false;
}

/* auto: `usual`. */
static bool is_on(int on_off_auto, bool usual)
{
    return on_off_auto ? on_off_auto == 1 : usual;
}

static bool xhci_realize(PciDevice *pci, Error **errp)
{
    Xhci *x = (Xhci *)pci;

    x->nec = object_is_a(&pci->dev.obj, "nec-usb-xhci");
    if (!check_properties(x, errp)) {
        return false;
    }
    pci->config[PCI_INTERRUPT_PIN] = 1;
    pci->config[PCI_CACHE_LINE] = 0x10;
    pci->config[0x60] = 0x30; /* serial bus release number */
    memory_region_init(&x->bar, &pci->dev.obj, "xhci", BAR_BYTES);
    memory_region_init_mmio(&x->regs, &pci->dev.obj, &mem_ops, x, "xhci-registers", MSIX_TABLE);
    memory_region_add(&x->bar, 0, &x->regs);
    if (is_on(x->msi, x->nec) && !pci_add_msi(pci, x->n_intrs, true, false, errp)) {
        return false;
    }
    if (pci->bus->is_express) {
        pci_add_express_cap(pci, pci->bus->bridge ? 0 : 9);
    }
    if (is_on(x->msix, true) && !pci_add_msix(pci, x->n_intrs, 0, &x->bar, MSIX_TABLE, MSIX_PENDING, errp)) {
        return false;
    }
    pci_add_bar(pci, 0, PCI_BAR_64, &x->bar);
    usb_bus_init(&x->bus, &pci->dev, NULL);
    xhci_ports_init(x);
    x->queue_last = &x->queue;
    timer_init(&x->again, VM_CLOCK_VIRTUAL, again, x);
    reset(x);
    return true;
}

static void xhci_unrealize(PciDevice *pci)
{
    Xhci *x = (Xhci *)pci;

    for (unsigned n = 1; n <= XHCI_MAX_SLOTS; n++) {
        xhci_slot_disable(x, n);
    }
    timer_cancel(&x->again);
}

static void xhci_reset(PciDevice *pci)
{
    reset((Xhci *)pci);
}

/* -- saved state: endpoints are as their contexts in guest memory say ------------------------------------------------------------------------------ */

static void pre_save(void *opaque)
{
    Xhci *x = opaque;

    for (unsigned n = 1; n <= x->n_slots; n++) {
        for (unsigned dci = 1; dci < XHCI_N_DCI; dci++) {
            XhciEp *ep = x->slots[n].eps[dci];
            uint32_t w[2];
            if (!ep) {
                continue;
            }
            w[0] = (uint32_t)ep->ring.dequeue | ep->ring.cycle;
            w[1] = (uint32_t)(ep->ring.dequeue >> 32);
            if (!xhci_store(x, ep->context + 8, w, 2)) {
                log_guest_error("xhci: endpoint context is not in memory\n");
            }
        }
    }
}

static void load_endpoints(Xhci *x, unsigned n)
{
    XhciSlot *slot = &x->slots[n];
    uint32_t w[8];

    slot->dev = slot->state != SLOT_ENABLED && xhci_load(x, slot->context, w, 8) ? xhci_find_device(x, w) : NULL;
    for (unsigned dci = 1; slot->state != SLOT_ENABLED && dci < XHCI_N_DCI; dci++) {
        gpa at = slot->context + dci * XHCI_CTX_BYTES;
        if (xhci_load(x, at, w, 8) && (w[0] & 7) != EP_DISABLED && (w[0] & 7) <= EP_ERROR &&
            xhci_ep_enable(x, n, dci, w, at) == CC_SUCCESS) {
            slot->eps[dci]->state = w[0] & 7;
            xhci_queue(slot->eps[dci]);
        }
    }
}

static bool post_load(void *opaque, uint32_t version, Error **errp)
{
    Xhci *x = opaque;

    for (unsigned i = 0; i < x->n_intrs; i++) {
        XhciIntr *in = &x->intrs[i];
        if (in->size > XHCI_RING_MAX || (in->size && in->at >= in->size)) {
            error_set(errp, "xhci: entry %u of an event ring of %u", in->at, in->size);
            return false;
        }
    }
    for (unsigned n = 1; n <= XHCI_MAX_SLOTS; n++) {
        XhciSlot *slot = &x->slots[n];
        XhciSlot loaded = { .enabled = slot->enabled, .state = slot->state, .context = slot->context };
        xhci_slot_disable(x, n);
        if (loaded.enabled && n <= x->n_slots && loaded.state <= SLOT_CONFIGURED) {
            *slot = loaded;
            load_endpoints(x, n);
        }
    }
    timer_set_ns(&x->again, clock_get_ns(VM_CLOCK_VIRTUAL));
    return true;
}

static const StateField port_fields[] = { STATE_U(XhciPort, portsc), STATE_U(XhciPort, pmsc), STATE_U(XhciPort, event_pending) };
static const StateDesc port_state = { .name = "xhci-port", .version = 1, .fields = port_fields, .n_fields = ARRAY_SIZE(port_fields) };
static const StateField intr_fields[] = {
    STATE_U(XhciIntr, iman), STATE_U(XhciIntr, imod), STATE_U(XhciIntr, erstsz), STATE_U(XhciIntr, erstba), STATE_U(XhciIntr, erdp),
    STATE_U(XhciIntr, start), STATE_U(XhciIntr, size), STATE_U(XhciIntr, at), STATE_U(XhciIntr, cycle), STATE_U(XhciIntr, full),
};
static const StateDesc intr_state = { .name = "xhci-interrupter", .version = 1, .fields = intr_fields, .n_fields = ARRAY_SIZE(intr_fields) };
static const StateField slot_fields[] = { STATE_U(XhciSlot, enabled), STATE_U(XhciSlot, state), STATE_U(XhciSlot, context) };
static const StateDesc slot_state = { .name = "xhci-slot", .version = 1, .fields = slot_fields, .n_fields = ARRAY_SIZE(slot_fields) };

static const StateField fields[] = {
    { .name = "pci", .kind = STATE_STRUCT, .offset = 0, .elem_size = sizeof(PciDevice), .sub = &pci_state },
    STATE_U(Xhci, usbcmd), STATE_U(Xhci, usbsts), STATE_U(Xhci, dnctrl), STATE_U(Xhci, config), STATE_U(Xhci, dcbaap),
    STATE_U(Xhci, commands.dequeue), STATE_U(Xhci, commands.cycle), STATE_U(Xhci, commands_running),
    STATE_U(Xhci, commands_queued), STATE_U(Xhci, commands_stopped), STATE_U(Xhci, blocked), STATE_U(Xhci, saved),
    { .name = "ports", .kind = STATE_STRUCT, .offset = offsetof(Xhci, ports), .elem_size = sizeof(XhciPort), .count = XHCI_MAX_PORTS,
      .sub = &port_state },
    { .name = "interrupters", .kind = STATE_STRUCT, .offset = offsetof(Xhci, intrs), .elem_size = sizeof(XhciIntr), .count = XHCI_MAX_INTRS,
      .sub = &intr_state },
    { .name = "slots", .kind = STATE_STRUCT, .offset = offsetof(Xhci, slots), .elem_size = sizeof(XhciSlot), .count = XHCI_MAX_SLOTS + 1,
      .sub = &slot_state },
};
static const StateDesc state = {
    .name = "xhci", .version = 1, .fields = fields, .n_fields = ARRAY_SIZE(fields), .pre_save = pre_save, .post_load = post_load,
};

/* -- types ------------------------------------------------------------------------------------------------------------------------------------------ */

#define ON_OFF_AUTO(pname, field, text)                                                                                       \
    { .name = pname, .kind = PROP_ENUM, .offset = offsetof(Xhci, field), .names = block_conf_on_off_auto, .def = 0,            \
      .has_default = true, .type_name = "OnOffAuto", .help = text }
#define XHCI_PROPS                                                                                                            \
    PROP_U32("p2", Xhci, p2, 4, "Ports for USB 2 devices"), PROP_U32("p3", Xhci, p3, 4, "Ports for USB 3 devices"),            \
    PROP_U32("intrs", Xhci, n_intrs, XHCI_MAX_INTRS, "Interrupters"), PROP_U32("slots", Xhci, n_slots, XHCI_MAX_SLOTS, "Devices at once"), \
    PROP_B("streams", Xhci, streams, false, "Only off"),                                                                       \
    ON_OFF_AUTO("msi", msi, "Message signalled interrupts"), ON_OFF_AUTO("msix", msix, "The same, extended")

static const Property props[] = { XHCI_PROPS };

static const PciType qemu_pci = {
    .vendor = 0x1b36, .device = 0x000d, .revision = 1, .class_code = 0x0c03, .prog_if = 0x30, .realize = xhci_realize,
    .unrealize = xhci_unrealize, .reset = xhci_reset,
};
static const PciType nec_pci = {
    .vendor = 0x1033, .device = 0x0194, .revision = 3, .class_code = 0x0c03, .prog_if = 0x30, .realize = xhci_realize,
    .unrealize = xhci_unrealize, .reset = xhci_reset,
};

static const DeviceType qemu_type = {
    .type = { .name = "qemu-xhci", .parent = "pci-device", .size_bytes = sizeof(Xhci), .summary = "USB 3 host controller",
              .props = props, .n_props = ARRAY_SIZE(props), .class_data = &qemu_pci },
    .category = DEVICE_USB, .state = &state, .user_creatable = true, PCI_DEVICE_HOOKS,
};
DEVICE_TYPE_REGISTER(qemu_type);

static const DeviceType nec_type = {
    .type = { .name = "nec-usb-xhci", .parent = "pci-device", .size_bytes = sizeof(Xhci), .summary = "USB 3 host controller (NEC µPD720200)",
              .props = props, .n_props = ARRAY_SIZE(props), .class_data = &nec_pci },
    .category = DEVICE_USB, .state = &state, .user_creatable = true, PCI_DEVICE_HOOKS,
};
DEVICE_TYPE_REGISTER(nec_type);
