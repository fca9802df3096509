/*
 * hid-kbd.c: usb-kbd: a keyboard whose boot report is its report, too.
 *
 * Specification: HID 1.11, appendix B.1 (boot keyboard), C (keys that cannot be told apart: roll-over).
 */
#include "hw/usb/hid.h"

enum { USAGE_ROLL_OVER = 1, USAGE_CTRL = 0xe0, REPORT_KEYS = 6, REPORT_BYTES = 8 };

static const uint8_t report_desc[] = {
    0x05, 0x01, 0x09, 0x06, 0xa1, 0x01,             /* generic desktop, keyboard, application */
    0x05, 0x07, 0x19, 0xe0, 0x29, 0xe7, 0x15, 0x00, /* keyboard page: left control to right GUI */
    0x25, 0x01, 0x75, 0x01, 0x95, 0x08, 0x81, 0x02, /* a bit each */
    0x95, 0x01, 0x75, 0x08, 0x81, 0x01,             /* a byte of nothing */
    0x05, 0x08, 0x19, 0x01, 0x29, 0x05, 0x95, 0x05, /* LEDs: num lock to kana */
    0x75, 0x01, 0x91, 0x02, 0x95, 0x01, 0x75, 0x03, /* out, a bit each, three of nothing */
    0x91, 0x01,
    0x05, 0x07, 0x19, 0x00, 0x2a, 0xff, 0x00,       /* keys that are down: six of */
    0x15, 0x00, 0x26, 0xff, 0x00, 0x95, 0x06, 0x75, 0x08, 0x81, 0x00, 0xc0,
};

HID_DESCRIPTORS(kbd, "QEMU USB Keyboard", 1, 1, 1, report_desc, REPORT_BYTES, 10, 7);

/* The oldest event becomes part of what the guest is told. */
static void take_event(UsbHid *h)
{
    HidKeyEvent e = h->keys[h->first];
    unsigned at = 0;

    h->first = (h->first + 1) % HID_EVENTS;
    h->n_events--;
    if (e.usage >= USAGE_CTRL) {
        uint8_t bit = (uint8_t)(1u << (e.usage & 7));
        h->modifiers = e.down ? h->modifiers | bit : h->modifiers & (uint8_t)~bit;
        return;
    }
    while (at < h->n_pressed && h->pressed[at] != e.usage) {
        at++;
    }
    if (e.down && at == h->n_pressed && at < HID_MAX_KEYS) {
        h->pressed[h->n_pressed++] = e.usage;
    } else if (!e.down && at < h->n_pressed) {
        h->n_pressed--;
        memmove(&h->pressed[at], &h->pressed[at + 1], h->n_pressed - at);
    }
}

static unsigned report(UsbHid *h, uint8_t out[HID_REPORT_BYTES])
{
    if (h->n_events) {
        take_event(h);
    }
    memset(out, 0, REPORT_BYTES);
    out[0] = h->modifiers;
    if (h->n_pressed > REPORT_KEYS) {
        memset(out + 2, USAGE_ROLL_OVER, REPORT_KEYS);
    } else {
        memcpy(out + 2, h->pressed, h->n_pressed);
    }
    return REPORT_BYTES;
}

static void clear(UsbHid *h)
{
    h->modifiers = h->n_pressed = 0;
}

static void on_event(void *opaque, const InputEvent *e)
{
    UsbHid *h = opaque;
    uint8_t usage = hid_key_usage((InputKey)e->code);

    if (!usage) {
        return;
    }
    if (h->n_events == HID_EVENTS) { /* a guest that does not ask misses a change, not how things stand */
        take_event(h);
    }
    h->keys[(h->first + h->n_events++) % HID_EVENTS] = (HidKeyEvent){ usage, e->down };
    hid_wakeup(h);
}

static const HidType kbd_class = {
    .usb = { .product = "QEMU USB Keyboard", .desc = &kbd_desc, HID_HOOKS },
    .input = { .name = "QEMU HID Keyboard", .kinds = INPUT_KEY_EVENT, .event = on_event },
    .full_desc = &kbd_full_desc, .report_desc = report_desc, .report_desc_bytes = sizeof(report_desc), .report = report, .clear = clear,
};

static const Property props[] = { HID_PROPS, HID_DISPLAY_PROP };

static const DeviceType kbd_type = {
    .type = { .name = "usb-kbd", .parent = "usb-device", .size_bytes = sizeof(UsbHid), .summary = "USB keyboard",
              .props = props, .n_props = ARRAY_SIZE(props), .class_data = &kbd_class.usb },
    .category = DEVICE_INPUT, .state = &hid_state, USB_DEVICE_HOOKS,
};
DEVICE_TYPE_REGISTER(kbd_type);
