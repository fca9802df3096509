/*
 * hid-pointer.c: usb-mouse and usb-tablet: five buttons, a wheel, and distances or a position.
 *
 * Specification: HID 1.11, appendix B.2 (boot mouse), E.10.
 */
#include "hw/usb/hid.h"

enum { MOUSE_BYTES = 4, MOUSE_BOOT_BYTES = 3, TABLET_BYTES = 6, STEP_MAX = 127 };

#define BUTTONS_DESC                                                    \
    0x05, 0x01, 0x09, 0x02, 0xa1, 0x01, 0x09, 0x01, 0xa1, 0x00, /* generic desktop, mouse, application, pointer */ \
    0x05, 0x09, 0x19, 0x01, 0x29, 0x05, 0x15, 0x00, 0x25, 0x01, /* buttons 1 to 5 */                                \
    0x95, 0x05, 0x75, 0x01, 0x81, 0x02, 0x95, 0x01, 0x75, 0x03, 0x81, 0x01

static const uint8_t mouse_report_desc[] = {
    BUTTONS_DESC,
    0x05, 0x01, 0x09, 0x30, 0x09, 0x31, 0x09, 0x38, /* x, y, wheel */
    0x15, 0x81, 0x25, 0x7f, 0x75, 0x08, 0x95, 0x03, 0x81, 0x06, 0xc0, 0xc0,
};
static const uint8_t tablet_report_desc[] = {
    BUTTONS_DESC,
    0x05, 0x01, 0x09, 0x30, 0x09, 0x31, 0x15, 0x00, 0x26, 0xff, 0x7f, /* x, y */
    0x35, 0x00, 0x46, 0xff, 0x7f, 0x75, 0x10, 0x95, 0x02, 0x81, 0x02,
    0x09, 0x38, 0x15, 0x81, 0x25, 0x7f, 0x35, 0x00, 0x45, 0x00,       /* wheel */
    0x75, 0x08, 0x95, 0x01, 0x81, 0x06, 0xc0, 0xc0,
};

HID_DESCRIPTORS(mouse, "QEMU USB Mouse", 1, 1, 2, mouse_report_desc, MOUSE_BYTES, 10, 7);
HID_DESCRIPTORS(tablet, "QEMU USB Tablet", 1, 0, 0, tablet_report_desc, HID_REPORT_BYTES, 10, 4);

static bool is_tablet(const UsbHid *h)
{
    return hid_type(h)->input.kinds & INPUT_ABS_EVENT;
}

/* -- events ---------------------------------------------------------------------------------------------------------------- */

/* Where the next event goes: moves with the same buttons are one. */
static HidMove *tail(UsbHid *h)
{
    HidMove *last = h->n_events ? &h->moves[(h->first + h->n_events - 1) % HID_EVENTS] : NULL;

    if (last && (last->buttons == h->buttons || h->n_events == HID_EVENTS)) {
        last->buttons = h->buttons; /* a guest that does not ask misses a click, not how things stand */
        return last;
    }
    HidMove *next = &h->moves[(h->first + h->n_events++) % HID_EVENTS];
    *next = last ? *last : h->last;
    if (!is_tablet(h)) {
        next->x = next->y = 0;
    }
    next->wheel = 0;
    next->buttons = h->buttons;
    return next;
}

static int32_t add(int32_t value, int step)
{
    return (int32_t)MAX(MIN((int64_t)value + step, (int64_t)INT16_MAX), (int64_t)-INT16_MAX);
}

static void on_event(void *opaque, const InputEvent *e)
{
    static const uint8_t bits[INPUT_N_BUTTONS] = {
        [INPUT_BUTTON_LEFT] = 1, [INPUT_BUTTON_RIGHT] = 2, [INPUT_BUTTON_MIDDLE] = 4, [INPUT_BUTTON_SIDE] = 8, [INPUT_BUTTON_EXTRA] = 16,
    };
    UsbHid *h = opaque;
    HidMove *to;

    switch (e->kind) {
    case INPUT_BUTTON_EVENT:
        h->buttons = e->down ? h->buttons | bits[e->code] : h->buttons & (uint8_t)~bits[e->code];
        if (e->code == INPUT_BUTTON_WHEEL_UP || e->code == INPUT_BUTTON_WHEEL_DOWN) {
            if (e->down) {
                to = tail(h);
                to->wheel = add(to->wheel, e->code == INPUT_BUTTON_WHEEL_UP ? 1 : -1);
            }
        } else if (bits[e->code]) {
            tail(h);
        }
        break;
    case INPUT_REL_EVENT: case INPUT_ABS_EVENT:
        to = tail(h);
        int32_t *axis = e->code == INPUT_AXIS_X ? &to->x : &to->y;
        *axis = e->kind == INPUT_ABS_EVENT ? MIN(MAX(e->value, 0), INPUT_ABS_MAX) : add(*axis, e->value);
        break;
    case INPUT_KEY_EVENT:
        break;
    }
}

static void on_sync(void *opaque)
{
    UsbHid *h = opaque;

    if (h->n_events) {
        hid_wakeup(h);
    }
}

/* -- reports ---------------------------------------------------------------------------------------------------------------- */

/* As much of a distance as a byte holds. */
static uint8_t step(int32_t *value)
{
    int32_t part = MAX(MIN(*value, STEP_MAX), -STEP_MAX);

    *value -= part;
    return (uint8_t)part;
}

static unsigned report(UsbHid *h, uint8_t out[HID_REPORT_BYTES])
{
    bool tablet = is_tablet(h);
    HidMove *m = h->n_events ? &h->moves[h->first] : &h->last;
    unsigned bytes = tablet ? TABLET_BYTES : h->boot_protocol ? MOUSE_BOOT_BYTES : MOUSE_BYTES;

    out[0] = m->buttons;
    if (tablet) {
        out[1] = (uint8_t)m->x;
        out[2] = (uint8_t)(m->x >> 8);
        out[3] = (uint8_t)m->y;
        out[4] = (uint8_t)(m->y >> 8);
        out[5] = step(&m->wheel);
    } else {
        out[1] = step(&m->x);
        out[2] = step(&m->y);
        out[3] = step(&m->wheel);
    }
    if (h->boot_protocol) {
        m->wheel = 0;
    }
    if (!h->n_events) {
        return bytes;
    }
    h->last = *m;
    h->last.wheel = 0;
    if (!m->wheel && (tablet || (!m->x && !m->y))) {
        h->first = (h->first + 1) % HID_EVENTS;
        h->n_events--;
    }
    if (!tablet) {
        h->last.x = h->last.y = 0;
    }
    return bytes;
}

static void clear(UsbHid *h)
{
    h->last = (HidMove){0};
    h->buttons = 0;
}

static const HidType mouse_class = {
    .usb = { .product = "QEMU USB Mouse", .desc = &mouse_desc, HID_HOOKS },
    .input = { .name = "QEMU HID Mouse", .kinds = INPUT_BUTTON_EVENT | INPUT_REL_EVENT, .event = on_event, .sync = on_sync },
    .full_desc = &mouse_full_desc, .report_desc = mouse_report_desc, .report_desc_bytes = sizeof(mouse_report_desc), .report = report,
    .clear = clear,
};
static const HidType tablet_class = {
    .usb = { .product = "QEMU USB Tablet", .desc = &tablet_desc, HID_HOOKS },
    .input = { .name = "QEMU HID Tablet", .kinds = INPUT_BUTTON_EVENT | INPUT_ABS_EVENT, .event = on_event, .sync = on_sync },
    .full_desc = &tablet_full_desc, .report_desc = tablet_report_desc, .report_desc_bytes = sizeof(tablet_report_desc), .report = report,
    .clear = clear,
};

static const Property mouse_props[] = { HID_PROPS };
static const Property tablet_props[] = {
    HID_PROPS, HID_DISPLAY_PROP, PROP_U32("head", UsbHid, head, 0, "Which screen of the display"),
};

static const DeviceType mouse_type = {
    .type = { .name = "usb-mouse", .parent = "usb-device", .size_bytes = sizeof(UsbHid), .summary = "USB mouse",
              .props = mouse_props, .n_props = ARRAY_SIZE(mouse_props), .class_data = &mouse_class.usb },
    .category = DEVICE_INPUT, .state = &hid_state, USB_DEVICE_HOOKS,
};
DEVICE_TYPE_REGISTER(mouse_type);

static const DeviceType tablet_type = {
    .type = { .name = "usb-tablet", .parent = "usb-device", .size_bytes = sizeof(UsbHid), .summary = "USB tablet: absolute positions",
              .props = tablet_props, .n_props = ARRAY_SIZE(tablet_props), .class_data = &tablet_class.usb },
    .category = DEVICE_INPUT, .state = &hid_state, USB_DEVICE_HOOKS,
};
DEVICE_TYPE_REGISTER(tablet_type);
