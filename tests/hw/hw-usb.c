/*
 * hw-usb.c: an xHCI controller through its registers and rings: slots, descriptors, reports of keyboard, mouse and tablet, a disk and its
 * errors, a hub, short packets, event data, full event rings, stopped endpoints, plugging, saved state.
 */
#include "hw/usb.h"
#include "tests/hw/storage.h"
#include "ui/input.h"

#define BAR PCI_WINDOW
#define OP (BAR + 0x40)
#define PORTSC(n) (OP + 0x400 + ((n) - 1) * 0x10)
#define INTR (BAR + 0x1020)
#define DCBAA (RAM + 0x1000)
#define COMMANDS (RAM + 0x2000)
#define SEGMENTS (RAM + 0x3000)
#define EVENTS (RAM + 0x4000)
#define INPUT (RAM + 0x5000)
#define CONTEXTS (RAM + 0x10000)
#define RINGS (RAM + 0x20000)
#define DATA (RAM + 0x100000)
enum { USBCMD = 0, USBSTS = 4, CRCR = 0x18, DCBAAP = 0x30, CONFIG = 0x38, ERSTSZ = 8, ERSTBA = 0x10, ERDP = 0x18, N_EVENTS = 16, N_TRBS = 16 };
enum { NORMAL = 1, SETUP = 2, DATA_STAGE = 3, STATUS = 4, LINK = 6, EVENT_DATA = 7, ENABLE_SLOT = 9, DISABLE_SLOT = 10, ADDRESS = 11, CONFIGURE = 12,
       RESET_EP = 14, STOP_EP = 15, SET_DEQUEUE = 16, RESET_DEVICE = 17, NOOP = 23 };
enum { CYCLE = 1, TOGGLE = 2, ISP = 4, CHAIN = 0x10, IOC = 0x20, IDT = 0x40, IN = 0x10000 };
enum { SUCCESS = 1, DATA_BUFFER = 2, TRANSACTION = 4, TRB_ERROR = 5, STALL = 6, SHORT = 13, PARAMETER = 17, CONTEXT_STATE = 19, RING_FULL = 21, STOPPED = 26 };
enum { PORT_TABLET = 5, PORT_KEYS = 6, PORT_STICK = 3, PORT_HUB = 8 }; /* the USB 2 halves are behind the four of USB 3 */

typedef struct Ring {
    gpa at;
    unsigned n;
    bool cycle;
} Ring;

typedef struct Event {
    uint64_t param;
    unsigned cc, residual, type, slot, dci;
    bool is_data;
} Event;

static Device *xhci;
static Ring commands, rings[8][32];
static unsigned event_at;
static bool event_cycle;

/* -- rings ------------------------------------------------------------------------------------------------------------------- */

static gpa push(Ring *r, uint64_t param, uint32_t status, uint32_t control)
{
    gpa at = r->at + r->n * 16;

    st(at, 8, param);
    st(at + 8, 4, status);
    st(at + 12, 4, control | r->cycle);
    if (++r->n == N_TRBS - 1) {
        st(r->at + r->n * 16, 8, r->at);
        st(r->at + r->n * 16 + 12, 4, LINK << 10 | TOGGLE | (control & CHAIN) | r->cycle);
        r->n = 0;
        r->cycle = !r->cycle;
    }
    return at;
}

static bool event_waits(void)
{
    return (ld(EVENTS + event_at * 16 + 12, 4) & CYCLE) == event_cycle;
}

static Event peek(void)
{
    gpa at = EVENTS + event_at * 16;
    uint32_t status = (uint32_t)ld(at + 8, 4), control = (uint32_t)ld(at + 12, 4);

    return (Event){ ld(at, 8), status >> 24, status & 0xffffff, control >> 10 & 63, control >> 24, control >> 16 & 31, control >> 2 & 1 };
}

/* The next event, taken off the ring or (`leave`) not told to the controller. */
static Event take(bool leave)
{
    WAIT(event_waits());
    Event e = peek();
    if (++event_at == N_EVENTS) {
        event_at = 0;
        event_cycle = !event_cycle;
    }
    if (!leave) {
        st(INTR + ERDP, 8, (EVENTS + event_at * 16) | 8);
    }
    return e;
}

static Event command(uint64_t param, uint32_t status, uint32_t control)
{
    gpa at = push(&commands, param, status, control);

    st(BAR + 0x2000, 4, 0);
    Event e = take(false);
    CHECK_EQ(e.type, 33);
    CHECK_EQ(e.param, at);
    return e;
}

static void bell(unsigned slot, unsigned dci)
{
    st(BAR + 0x2000 + slot * 4, 4, dci);
}

static Ring *new_ring(unsigned slot, unsigned dci)
{
    rings[slot][dci] = (Ring){ RINGS + (slot * 32 + dci) * N_TRBS * 16, 0, true };
    for (unsigned i = 0; i < N_TRBS * 16; i += 8) {
        st(rings[slot][dci].at + i, 8, 0);
    }
    return &rings[slot][dci];
}

/* A control transfer; the event of its status stage, or of what failed. */
static Event control(unsigned slot, uint8_t type, uint8_t request, uint16_t value, uint16_t index, uint16_t length, gpa data)
{
    bool in = type & 0x80;
    Ring *r = &rings[slot][1];

    push(r, type | (uint64_t)request << 8 | (uint64_t)value << 16 | (uint64_t)index << 32 | (uint64_t)length << 48, 8, SETUP << 10 | IDT);
    if (length) {
        push(r, data, length, DATA_STAGE << 10 | (in ? IN : 0u));
    }
    push(r, 0, 0, STATUS << 10 | IOC | (in && length ? 0 : IN));
    bell(slot, 1);
    return take(false);
}

static void start(void)
{
    st(OP + USBCMD, 4, 2);
    CHECK_EQ(ld(OP + USBCMD, 4), 0);
    CHECK_EQ(ld(OP + USBSTS, 4) & 1, 1);
    for (gpa at = DCBAA; at < RINGS; at += 8) {
        st(at, 8, 0);
    }
    st(OP + CONFIG, 4, 8);
    st(OP + DCBAAP, 8, DCBAA);
    commands = (Ring){ COMMANDS, 0, true };
    st(OP + CRCR, 8, COMMANDS | 1);
    st(SEGMENTS, 8, EVENTS);
    st(SEGMENTS + 8, 4, N_EVENTS);
    st(INTR + ERSTSZ, 4, 1);
    st(INTR + ERDP, 8, EVENTS);
    st(INTR + ERSTBA, 8, SEGMENTS);
    event_at = 0;
    event_cycle = true;
    st(OP + USBCMD, 4, 1);
    CHECK_EQ(ld(OP + USBSTS, 4) & 1, 0);
}

/* -- tests ---------------------------------------------------------------------------------------------------------------------- */

static void test_ports(void)
{
    bool seen[16] = { false };

    for (unsigned i = 0; i < 4; i++) {
        Event e = take(false);
        CHECK_EQ(e.type, 34);
        seen[e.param >> 24 & 15] = true;
    }
    CHECK(seen[PORT_TABLET] && seen[PORT_KEYS] && seen[PORT_STICK] && seen[PORT_HUB]);
    CHECK_EQ(ld(PORTSC(PORT_TABLET), 4) & 0x3c03, 3 << 10 | 1);    /* high speed, connected, not enabled */
    CHECK_EQ(ld(PORTSC(PORT_STICK), 4) & 0x3de3, 4 << 10 | 3);     /* SuperSpeed: enabled, U0 */
    CHECK_EQ(ld(PORTSC(PORT_HUB), 4) & 0x3c00, 1 << 10);           /* full speed */
    CHECK_EQ(ld(PORTSC(1), 4) & 3, 0);
    for (unsigned port = 1; port <= 8; port++) {
        st(PORTSC(port), 4, 0x200 | 0xfe0000);
        if ((ld(PORTSC(port), 4) & 1) && port > 4) {
            st(PORTSC(port), 4, 0x210);
            CHECK_EQ(ld(PORTSC(port), 4) & 0x2001f3, 0x200003);      /* reset change, U0, enabled */
            Event e = take(false);
            CHECK_EQ(e.type, 34);
            CHECK_EQ(e.param >> 24, port);
            st(PORTSC(port), 4, 0x200 | 0xfe0000);
        }
        CHECK_EQ(ld(PORTSC(port), 4) & 0xfe0000, 0);
    }
}

/* A slot for the device; its control endpoint runs. */
static unsigned address_device(unsigned port, uint32_t route)
{
    Event e = command(0, 0, ENABLE_SLOT << 10);

    CHECK_EQ(e.cc, SUCCESS);
    for (unsigned i = 0; i < 0x440; i += 8) {
        st(INPUT + i, 8, 0);
    }
    st(DCBAA + e.slot * 8, 8, CONTEXTS + e.slot * 0x400);
    st(INPUT + 4, 4, 3);
    st(INPUT + 0x20, 4, 1u << 27 | route);
    st(INPUT + 0x24, 4, port << 16);
    st(INPUT + 0x44, 4, 64u << 16 | 4 << 3);
    st(INPUT + 0x48, 8, new_ring(e.slot, 1)->at | 1);
    CHECK_EQ(command(INPUT, 0, e.slot << 24 | ADDRESS << 10).cc, SUCCESS);
    CHECK_EQ(ld(CONTEXTS + e.slot * 0x400 + 12, 4), 2u << 27 | e.slot); /* addressed */
    CHECK_EQ(ld(CONTEXTS + e.slot * 0x400 + 0x20, 4) & 7, 1);           /* running */
    return e.slot;
}

static void add_endpoint(unsigned dci, unsigned slot, unsigned type)
{
    st(INPUT + 0x24 + dci * 0x20, 4, 64u << 16 | type << 3);
    st(INPUT + 0x28 + dci * 0x20, 8, new_ring(slot, dci)->at | 1);
    st(INPUT + 4, 4, ld(INPUT + 4, 4) | 1u << dci);
}

static unsigned configure(unsigned slot, const uint8_t *dcis, const uint8_t *types, unsigned n)
{
    CHECK_EQ(control(slot, 0, 9, 1, 0, 0, 0).cc, SUCCESS);
    st(INPUT + 4, 4, 1);
    st(INPUT, 4, 0);
    for (unsigned i = 0; i < n; i++) {
        add_endpoint(dcis[i], slot, types[i]);
    }
    return command(INPUT, 0, slot << 24 | CONFIGURE << 10).cc;
}

static void test_commands(void)
{
    CHECK_EQ(command(0, 0, NOOP << 10).cc, SUCCESS);
    CHECK_EQ(command(0, 0, 63 << 10).cc, TRB_ERROR);
    CHECK_EQ(command(0, 0, 3u << 24 | STOP_EP << 10 | 1 << 16).cc, 11);     /* slot not enabled */
    CHECK_EQ(command(0, 0, ENABLE_SLOT << 10).slot, 1);
    CHECK_EQ(command(INPUT, 0, 1u << 24 | CONFIGURE << 10).cc, CONTEXT_STATE);
    st(INPUT + 4, 4, 3);
    st(INPUT + 0x24, 4, 7 << 16);                                           /* a port with nothing in it */
    st(INPUT + 0x44, 4, 4 << 3);
    st(DCBAA + 8, 8, CONTEXTS + 0x400);
    CHECK_EQ(command(INPUT, 0, 1u << 24 | ADDRESS << 10).cc, TRANSACTION);
    st(INPUT + 4, 4, 1);
    CHECK_EQ(command(INPUT, 0, 1u << 24 | ADDRESS << 10).cc, PARAMETER);
    CHECK_EQ(command(0, 0, 1u << 24 | DISABLE_SLOT << 10).cc, SUCCESS);
}

static void key(InputKey k, bool down)
{
    input_send_key(k, down);
}

static void check_report(unsigned slot, const uint8_t *expected, unsigned bytes)
{
    uint8_t got[8];
    Event e = take(false);

    CHECK_EQ(e.cc, bytes == 8 ? SUCCESS : SHORT);
    CHECK_EQ(e.residual, 8 - bytes);
    CHECK_EQ(e.slot, slot);
    get_bytes(DATA, got, bytes);
    CHECK(!memcmp(got, expected, bytes));
}

static void ask_report(unsigned slot)
{
    push(&rings[slot][3], DATA, 8, NORMAL << 10 | IOC | ISP);
    bell(slot, 3);
}

static const uint8_t dci_in[] = { 3 }, interrupt_in[] = { 7 };

static void test_keyboard(void)
{
    unsigned slot = address_device(PORT_KEYS, 0);
    Event e;

    e = control(slot, 0x80, 6, 0x0100, 0, 18, DATA);
    CHECK_EQ(e.cc, SUCCESS);
    CHECK_EQ(ld(DATA, 8), UINT64_C(0x4000000002000112));
    CHECK_EQ(ld(DATA + 8, 4), 0x00010627);
    control(slot, 0x80, 6, 0x0200, 0, 255, DATA);
    CHECK_EQ(ld(DATA + 2, 2), 34);
    CHECK_EQ(ld(DATA + 13, 4), 0x01010301); /* one endpoint, HID, boot, keyboard */
    unsigned report_bytes = (unsigned)ld(DATA + 25, 2);
    push(&rings[slot][1], UINT64_C(0x00ff000022000681), 8, SETUP << 10 | IDT); /* the report descriptor, with a short packet told */
    gpa short_at = push(&rings[slot][1], DATA, 255, DATA_STAGE << 10 | IN | ISP);
    gpa status_at = push(&rings[slot][1], 0, 0, STATUS << 10 | IOC);
    bell(slot, 1);
    e = take(false);
    CHECK_EQ(e.cc, SHORT);
    CHECK_EQ(e.param, short_at);
    CHECK_EQ(e.residual, 255 - report_bytes);
    e = take(false);
    CHECK_EQ(e.cc, SUCCESS);
    CHECK_EQ(e.param, status_at);
    CHECK_EQ(ld(DATA, 4), 0x06090105);

    CHECK_EQ(configure(slot, dci_in, interrupt_in, 1), SUCCESS);
    CHECK_EQ(control(slot, 0x21, 10, 0, 0, 0, 0).cc, SUCCESS);   /* idle: only changes */
    CHECK_EQ(control(slot, 0xa1, 3, 0, 0, 1, DATA).cc, SUCCESS); /* protocol: report */
    CHECK_EQ(ld(DATA, 1), 1);
    st(DATA, 1, 2);
    CHECK_EQ(control(slot, 0x21, 9, 0x0200, 0, 1, DATA).cc, SUCCESS);
    CHECK_EQ(input_leds(), INPUT_LED_CAPS);
    ask_report(slot);
    key(INPUT_KEY_SHIFT, true);
    check_report(slot, (const uint8_t[8]){ 2 }, 8);
    key(INPUT_KEY_A, true);
    key(INPUT_KEY_A, false);
    key(INPUT_KEY_SHIFT, false);
    ask_report(slot);
    check_report(slot, (const uint8_t[8]){ 2, 0, 4 }, 8);
    ask_report(slot);
    check_report(slot, (const uint8_t[8]){ 2 }, 8);
    ask_report(slot);
    check_report(slot, (const uint8_t[8]){ 0 }, 8);
    /* More keys than a report holds; more events than wait: the last report is how things stand. */
    for (int k = INPUT_KEY_F1; k <= INPUT_KEY_F7; k++) {
        key((InputKey)k, true);
    }
    for (int i = 0; i < 100; i++) {
        key(INPUT_KEY_B, i & 1);
    }
    for (int i = 0; i < 32; i++) {
        ask_report(slot);
        e = take(false);
        CHECK_EQ(e.cc, SUCCESS);
    }
    CHECK_EQ(ld(DATA, 8), UINT64_C(0x0101010101010000)); /* roll-over; B is down (i ended odd) */
    for (int k = INPUT_KEY_F1; k <= INPUT_KEY_F7; k++) {
        key((InputKey)k, false);
        ask_report(slot);
        take(false);
    }
    CHECK_EQ(ld(DATA, 8), 0x050000); /* B */
    /* An endpoint that waits is stopped, and goes on where it was. */
    gpa waiting = rings[slot][3].at + rings[slot][3].n * 16;
    ask_report(slot);
    push(&commands, 0, 0, slot << 24 | STOP_EP << 10 | 3 << 16);
    st(BAR + 0x2000, 4, 0);
    e = take(false);
    CHECK_EQ(e.type, 32);
    CHECK_EQ(e.cc, STOPPED);
    CHECK_EQ(e.param, waiting);
    CHECK_EQ(e.residual, 8);
    CHECK_EQ(take(false).cc, SUCCESS);
    CHECK_EQ(ld(CONTEXTS + slot * 0x400 + 0x60, 4) & 7, 3);
    CHECK_EQ(ld(CONTEXTS + slot * 0x400 + 0x68, 8) & ~UINT64_C(15), waiting);
    key(INPUT_KEY_B, false);
    CHECK(!event_waits());
    bell(slot, 3);
    check_report(slot, (const uint8_t[8]){ 0 }, 8);
}

static void test_tablet(void)
{
    unsigned slot = address_device(PORT_TABLET, 0);

    CHECK_EQ(configure(slot, dci_in, interrupt_in, 1), SUCCESS);
    ask_report(slot);
    input_send_abs(INPUT_AXIS_X, 0x1234, 0x8000);
    input_send_abs(INPUT_AXIS_Y, 0x7fff, 0x8000);
    input_sync();
    check_report(slot, (const uint8_t[]){ 0, 0x34, 0x12, 0xff, 0x7f, 0 }, 6);
    input_send_button(INPUT_BUTTON_RIGHT, true);
    input_sync();
    input_send_button(INPUT_BUTTON_RIGHT, false);
    input_send_button(INPUT_BUTTON_WHEEL_DOWN, true);
    input_sync();
    ask_report(slot);
    check_report(slot, (const uint8_t[]){ 2, 0x34, 0x12, 0xff, 0x7f, 0 }, 6);
    ask_report(slot);
    check_report(slot, (const uint8_t[]){ 0, 0x34, 0x12, 0xff, 0x7f, 0xff }, 6);
    const char *name;
    int id;
    bool absolute, current;
    CHECK(input_mouse_at(0, &name, &id, &absolute, &current));
    CHECK(!strcmp(name, "QEMU HID Tablet") && absolute && current);
    CHECK_EQ(control(slot, 0xa1, 3, 0, 0, 1, DATA).cc, STALL); /* no boot protocol; then the endpoint is halted */
    CHECK_EQ(ld(CONTEXTS + slot * 0x400 + 0x20, 4) & 7, 2);
    CHECK_EQ(command(0, 0, slot << 24 | RESET_EP << 10 | 1 << 16).cc, SUCCESS);
    Ring *r = &rings[slot][1];
    CHECK_EQ(command((r->at + r->n * 16) | r->cycle, 0, slot << 24 | SET_DEQUEUE << 10 | 1 << 16).cc, SUCCESS);
    CHECK_EQ(control(slot, 0x80, 0, 0, 0, 2, DATA).cc, SUCCESS);
    CHECK_EQ(command(0, 0, slot << 24 | RESET_DEVICE << 10).cc, SUCCESS);
    CHECK_EQ(ld(CONTEXTS + slot * 0x400 + 12, 4) >> 27, 1);
}

static void test_hub(void)
{
    unsigned slot = address_device(PORT_HUB, 0), mouse;

    CHECK_EQ(configure(slot, dci_in, interrupt_in, 1), SUCCESS);
    control(slot, 0xa0, 6, 0x2900, 0, 9, DATA);
    CHECK_EQ(ld(DATA, 4), 0x00040009 | 0x2900 | 0x10000000); /* bytes, type, ports, characteristics */
    ask_report(slot);
    check_report(slot, (const uint8_t[]){ 1 << 2 }, 1);          /* something is in port 2 */
    control(slot, 0xa3, 0, 0, 2, 4, DATA);
    CHECK_EQ(ld(DATA, 4), 0x00010101);
    control(slot, 0x23, 1, 16, 2, 0, 0);
    CHECK_EQ(control(slot, 0x23, 3, 4, 2, 0, 0).cc, SUCCESS);    /* reset */
    control(slot, 0xa3, 0, 0, 2, 4, DATA);
    CHECK_EQ(ld(DATA, 4), 0x00100103);
    control(slot, 0x23, 1, 20, 2, 0, 0);
    mouse = address_device(PORT_HUB, 2);
    CHECK_EQ(configure(mouse, dci_in, interrupt_in, 1), SUCCESS);
    ask_report(mouse);
    input_send_rel(INPUT_AXIS_X, 130);
    input_send_rel(INPUT_AXIS_Y, -1);
    input_sync();
    check_report(mouse, (const uint8_t[]){ 0, 127, 0xff, 0 }, 4);
    ask_report(mouse);
    check_report(mouse, (const uint8_t[]){ 0, 3, 0, 0 }, 4);
    CHECK_EQ(control(mouse, 0x21, 11, 0, 0, 0, 0).cc, SUCCESS);  /* boot protocol: no wheel */
    input_send_rel(INPUT_AXIS_X, 1);
    input_sync();
    ask_report(mouse);
    check_report(mouse, (const uint8_t[]){ 0, 1, 0 }, 3);
    /* What waits at the mouse fails when the hub is pulled out. */
    ask_report(mouse);
    Error *err = NULL;
    CHECK(device_del("hub", &err));
    unsigned failed = 0, ports = 0;
    for (unsigned i = 0; i < 2; i++) {
        Event e = take(false);
        failed += e.type == 32 && e.cc == TRANSACTION;
        ports += e.type == 34 && e.param >> 24 == PORT_HUB;
        if (!i && !failed) { /* a packet that was answered with NAK is not in flight: it fails when it is tried again */
            bell(mouse, 3);
        }
    }
    CHECK_EQ(failed, 1);
    CHECK_EQ(ports, 1);
    CHECK_EQ(ld(PORTSC(PORT_HUB), 4) & 3, 0);
    st(PORTSC(PORT_HUB), 4, 0x200 | 0xfe0000);
    CHECK_EQ(command(0, 0, mouse << 24 | DISABLE_SLOT << 10).cc, SUCCESS);
    CHECK_EQ(command(0, 0, slot << 24 | DISABLE_SLOT << 10).cc, SUCCESS);
}

/* -- the disk ---------------------------------------------------------------------------------------------------------------------- */

enum { BULK_IN = 3, BULK_OUT = 4 };
static unsigned stick;
static const char *stick_path;

static void wrapper(uint32_t bytes, bool in, const uint8_t *cdb, unsigned cdb_bytes)
{
    st(DATA, 4, 0x43425355);
    st(DATA + 4, 4, 0x12345678);
    st(DATA + 8, 4, bytes);
    st(DATA + 12, 1, in ? 0x80 : 0);
    st(DATA + 13, 1, 0);
    st(DATA + 14, 1, cdb_bytes);
    for (unsigned i = 0; i < 16; i++) {
        st(DATA + 15 + i, 1, i < cdb_bytes ? cdb[i] : 0);
    }
    push(&rings[stick][BULK_OUT], DATA, 31, NORMAL << 10 | IOC);
    bell(stick, BULK_OUT);
    CHECK_EQ(take(false).cc, SUCCESS);
}

/* The status wrapper: its status; *ret_residue. */
static unsigned status(uint32_t *ret_residue)
{
    push(&rings[stick][BULK_IN], DATA + 64, 13, NORMAL << 10 | IOC | ISP);
    bell(stick, BULK_IN);
    CHECK_EQ(take(false).cc, SUCCESS);
    CHECK_EQ(ld(DATA + 64, 8), UINT64_C(0x1234567853425355));
    *ret_residue = (uint32_t)ld(DATA + 72, 4);
    return (unsigned)ld(DATA + 76, 1);
}

static void clear_halt(unsigned dci)
{
    Ring *r = &rings[stick][dci];

    CHECK_EQ(ld(CONTEXTS + stick * 0x400 + dci * 0x20, 4) & 7, 2);
    CHECK_EQ(command(0, 0, stick << 24 | RESET_EP << 10 | dci << 16).cc, SUCCESS);
    CHECK_EQ(command((r->at + r->n * 16) | r->cycle, 0, stick << 24 | SET_DEQUEUE << 10 | dci << 16).cc, SUCCESS);
    CHECK_EQ(control(stick, 2, 1, 0, (uint16_t)(dci / 2 | (dci & 1) << 7), 0, 0).cc, SUCCESS);
}

static Event transfer(unsigned dci, gpa at, uint32_t bytes)
{
    push(&rings[stick][dci], at, bytes, NORMAL << 10 | IOC | ISP);
    bell(stick, dci);
    return take(false);
}

static void test_disk(void)
{
    static const uint8_t dcis[] = { BULK_IN, BULK_OUT }, types[] = { 6, 2 };
    uint32_t residue;
    Event e;

    stick = address_device(PORT_STICK, 0);
    CHECK_EQ(configure(stick, dcis, types, 2), SUCCESS);
    CHECK_EQ(control(stick, 0xa1, 0xfe, 0, 0, 1, DATA).cc, SUCCESS);
    CHECK_EQ(ld(DATA, 1), 0);
    wrapper(0, true, (const uint8_t[6]){ 0 }, 6);          /* TEST UNIT READY: power on */
    CHECK_EQ(status(&residue), 1);
    wrapper(18, true, (const uint8_t[6]){ 3, 0, 0, 0, 18 }, 6);
    CHECK_EQ(transfer(BULK_IN, DATA + 0x1000, 18).cc, SUCCESS);
    CHECK_EQ(ld(DATA + 0x1000 + 12, 1), 0x29);             /* the transport carries no sense: it is asked for */
    CHECK_EQ(status(&residue), 0);
    wrapper(36, true, (const uint8_t[6]){ 0x12, 0, 0, 0, 36 }, 6);
    CHECK_EQ(transfer(BULK_IN, DATA + 0x1000, 36).cc, SUCCESS);
    CHECK_EQ(ld(DATA + 0x1008, 4), 0x554d4551);            /* QEMU */
    CHECK_EQ(status(&residue), 0);
    CHECK_EQ(residue, 0);

    /* The geometry page is all there: SeaBIOS does not recover from short data. */
    wrapper(27, true, (const uint8_t[10]){ 0x5a, 8, 4, 0, 0, 0, 0, 0, 27 }, 10);
    CHECK_EQ(transfer(BULK_IN, DATA + 0x1000, 27).cc, SUCCESS);
    CHECK_EQ(ld(DATA + 0x1000 + 13, 1), 16);               /* heads */
    CHECK_EQ(status(&residue), 0);

    /* Sectors 2 to 257, in pieces of odd sizes, chained, over a link; event data at the end. */
    wrapper(0x20000, true, (const uint8_t[10]){ 0x28, 0, 0, 0, 0, 2, 0, 1, 0, 0 }, 10);
    Ring *r = &rings[stick][BULK_IN];
    while (r->n != N_TRBS - 3) {                           /* so that the link is in the chain */
        push(r, 0, 0, 8 << 10);
    }
    push(r, DATA + 0x2001, 0x8003, NORMAL << 10 | CHAIN);
    push(r, DATA + 0x2001 + 0x8003, 0x7ffd, NORMAL << 10 | CHAIN);
    push(r, DATA + 0x2001 + 0x10000, 0x10000, NORMAL << 10 | CHAIN);
    push(r, UINT64_C(0xfedcba9876543210), 0, EVENT_DATA << 10 | IOC);
    bell(stick, BULK_IN);
    e = take(false);
    CHECK(e.is_data);
    CHECK_EQ(e.param, UINT64_C(0xfedcba9876543210));
    CHECK_EQ(e.residual, 0x20000);
    for (unsigned i = 0; i < 256; i++) {
        CHECK_EQ(ld(DATA + 0x2001 + i * 512 + 4, 4), storage_word(i + 2, 1));
    }
    CHECK_EQ(status(&residue), 0);

    /* Two sectors written, as two transfers. */
    for (unsigned i = 0; i < 1024; i += 4) {
        st(DATA + 0x1000 + i, 4, 0xabcd0000 + i);
    }
    wrapper(1024, false, (const uint8_t[10]){ 0x2a, 0, 0, 0, 0, 9, 0, 0, 2, 0 }, 10);
    CHECK_EQ(transfer(BULK_OUT, DATA + 0x1000, 600).cc, SUCCESS);
    CHECK_EQ(transfer(BULK_OUT, DATA + 0x1000 + 600, 424).cc, SUCCESS);
    CHECK_EQ(status(&residue), 0);
    CHECK_EQ(storage_file_word(stick_path, 9, 0), 0xabcd0000);
    CHECK_EQ(storage_file_word(stick_path, 10, 127), 0xabcd0000 + 1020);

    /* The host wants more than there is: short, and a residue. */
    wrapper(100, true, (const uint8_t[10]){ 0x25 }, 10);
    e = transfer(BULK_IN, DATA + 0x1000, 100);
    CHECK_EQ(e.cc, SHORT);
    CHECK_EQ(e.residual, 92);
    CHECK_EQ(status(&residue), 0);
    CHECK_EQ(residue, 92);
    /* It wants less: phase error. */
    wrapper(4, true, (const uint8_t[10]){ 0x25 }, 10);
    CHECK_EQ(transfer(BULK_IN, DATA + 0x1000, 4).cc, SUCCESS);
    CHECK_EQ(status(&residue), 2);
    /* A write past the end: the data is not wanted. */
    wrapper(512, false, (const uint8_t[10]){ 0x2a, 0, 0x7f, 0, 0, 0, 0, 0, 1, 0 }, 10);
    CHECK_EQ(transfer(BULK_OUT, DATA + 0x1000, 512).cc, STALL);
    clear_halt(BULK_OUT);
    CHECK_EQ(status(&residue), 1);
    CHECK_EQ(residue, 512);
    /* Memory that is not there. */
    wrapper(512, true, (const uint8_t[10]){ 0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0 }, 10);
    CHECK_EQ(transfer(BULK_IN, UINT64_C(0x123456789000), 512).cc, DATA_BUFFER);
    /* Reset recovery. */
    CHECK_EQ(control(stick, 0x21, 0xff, 0, 0, 0, 0).cc, SUCCESS);
    clear_halt(BULK_IN);
    /* A wrapper that is none: both endpoints stall until the next reset. */
    CHECK_EQ(transfer(BULK_OUT, DATA + 0x3000, 30).cc, STALL);
    clear_halt(BULK_OUT);
    CHECK_EQ(transfer(BULK_OUT, DATA, 31).cc, STALL);
    CHECK_EQ(control(stick, 0x21, 0xff, 0, 0, 0, 0).cc, SUCCESS);
    clear_halt(BULK_OUT);
    wrapper(8, true, (const uint8_t[10]){ 0x25 }, 10);
    CHECK_EQ(transfer(BULK_IN, DATA + 0x1000, 8).cc, SUCCESS);
    CHECK_EQ(status(&residue), 0);
}

/* The ring of 16 fills up; nothing is lost. */
static void test_full_ring(void)
{
    unsigned n = 0;
    bool full = false;

    while (event_waits()) {
        take(false);
    }
    for (unsigned i = 0; i < 14; i++) { /* one short of the ring: a transfer ring has no more */
        push(&commands, 0, 0, NOOP << 10);
        st(BAR + 0x2000, 4, 0);
    }
    for (unsigned i = 0; i < 6; i++) {
        push(&commands, 0, 0, NOOP << 10);
        st(BAR + 0x2000, 4, 0);
    }
    while (n < 20) {
        Event e = take(n < 8 && !full);
        full |= e.cc == RING_FULL;
        n += e.cc == SUCCESS && e.type == 33;
    }
    CHECK(!event_waits());
    CHECK_EQ(command(0, 0, NOOP << 10).cc, SUCCESS);
}

static void test_stop(void)
{
    st(OP + CRCR, 4, 2);
    Event e = take(false);
    CHECK_EQ(e.cc, 24);
    CHECK_EQ(e.param, commands.at + commands.n * 16);
    CHECK_EQ(ld(OP + CRCR, 4) & 8, 0);
    CHECK_EQ(command(0, 0, NOOP << 10).cc, SUCCESS);
    CHECK_EQ(ld(OP + CRCR, 4) & 8, 8);
    st(OP + USBCMD, 4, 0);
    CHECK_EQ(ld(OP + USBSTS, 4) & 1, 1);
    st(OP + USBCMD, 4, 0x100); /* save, restore: nothing is lost */
    st(OP + USBCMD, 4, 0x200);
    CHECK_EQ(ld(OP + USBSTS, 4) & 0x400, 0);
    st(OP + USBCMD, 4, 2);
    st(OP + USBCMD, 4, 0x200); /* nothing was saved */
    CHECK_EQ(ld(OP + USBSTS, 4) & 0x400, 0x400);
}

static void test_plug(void)
{
    Error *err = NULL;
    const char *bad[][5] = { { "port", "9", NULL }, { "port", "2", NULL }, { "port", "1.1", NULL } };

    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        CHECK(!device_add("usb-mouse", bad[i], &err));
        error_free(err);
        err = NULL;
    }
    CHECK(!device_add("usb-storage", (const char *const[]){ NULL }, &err));
    CHECK(err && strstr(error_message(err), "drive property not set"));
    error_free(err);
    err = NULL;
    /* The last free port gets a hub. */
    for (unsigned i = 0; i < 6; i++) {
        CHECK(device_add("usb-mouse", (const char *const[]){ NULL }, &err) != NULL);
    }
}

int main(void)
{
    storage_start();
    stick_path = storage_image("d0", 1 << 20, NULL);
    xhci = storage_add("qemu-xhci", (const char *const[]){ "id", "x", NULL });
    storage_add("usb-tablet", (const char *const[]){ "port", "1", NULL });
    storage_add("usb-kbd", (const char *const[]){ "port", "2", NULL });
    storage_add("usb-storage", (const char *const[]){ "port", "3", "drive", "d0", NULL });
    storage_add("usb-hub", (const char *const[]){ "port", "4", "id", "hub", "ports", "4", NULL });
    storage_add("usb-mouse", (const char *const[]){ "port", "4.2", NULL });
    storage_ready();
    storage_map_bar(xhci, 0, BAR);
    CHECK_EQ(ld(BAR, 1), 0x40);
    CHECK_EQ(ld(BAR + 2, 2), 0x100);
    CHECK_EQ(ld(BAR + 4, 4), 64 | 16 << 8 | 8u << 24);
    start();
    test_ports();
    test_commands();
    test_keyboard();
    test_tablet();
    test_hub();
    test_disk();
    test_full_ring();
    test_stop();
    test_plug();
    start();
    storage_check_state(xhci);
    storage_finish();
    return test_result();
}
