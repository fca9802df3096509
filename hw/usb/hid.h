/*
 * hid.h: what USB keyboards and pointing devices share: one interface, one interrupt endpoint, reports.
 *
 * A HidType gives a UsbDeviceType's place in the tables the report descriptor, the input events it takes, and how waiting events become
 * reports. Events wait in a bounded queue until the guest asks; whatever is lost, the last state is always right.
 *
 * Specification: HID 1.11; HID Usage Tables 1.12, 10 (keyboard page).
 */
#ifndef HW_USB_HID_H
#define HW_USB_HID_H

#include "hw/usb.h"
#include "softmmu/clock.h"
#include "ui/input.h"

typedef struct UsbHid UsbHid;

enum { HID_EVENTS = 32, HID_MAX_KEYS = 32, HID_REPORT_BYTES = 8, HID_SPEEDS = 2 };

typedef struct HidType {
    UsbDeviceType usb;
    InputHandler input;
    const UsbDesc *full_desc; /* for usb_version=1 */
    const uint8_t *report_desc;
    size_t report_desc_bytes;
    /* The next report; takes an event off the queue if there is one. Bytes. */
    unsigned (*report)(UsbHid *h, uint8_t out[HID_REPORT_BYTES]);
    void (*clear)(UsbHid *h);
} HidType;

typedef struct HidKeyEvent { uint8_t usage, down; } HidKeyEvent;
typedef struct HidMove {
    int32_t x, y, wheel; /* x, y: distances, or a tablet's position */
    uint8_t buttons;
} HidMove;

struct UsbHid {
    UsbDevice usb;
    uint32_t usb_version, head;
    char *display;
    int input_id;
    Timer idle_timer;
    /* State. */
    uint8_t idle;             /* 4 ms each; 0: only changes are reported */
    bool boot_protocol, resend;
    uint8_t leds;
    uint32_t first, n_events;
    HidKeyEvent keys[HID_EVENTS];
    uint8_t modifiers, pressed[HID_MAX_KEYS], n_pressed;
    HidMove moves[HID_EVENTS], last; /* last: as told to the guest; buttons and position */
    uint8_t buttons;          /* now */
};

static inline const HidType *hid_type(const UsbHid *h)
{
    return container_of(h->usb.utype, HidType, usb);
}

/* Something can be reported. */
void hid_wakeup(UsbHid *h);

bool hid_realize(UsbDevice *dev, Error **errp);
void hid_unrealize(UsbDevice *dev);
void hid_reset(UsbDevice *dev);
UsbStatus hid_control(UsbDevice *dev, const UsbSetup *s, uint8_t *data, uint32_t *ret_bytes);
UsbStatus hid_data(UsbDevice *dev, UsbPacket *p);
void hid_configured(UsbDevice *dev);
extern const StateDesc hid_state;
#define HID_HOOKS                                                                                                      \
    .realize = hid_realize, .unrealize = hid_unrealize, .reset = hid_reset, .control = hid_control, .data = hid_data,    \
    .configured = hid_configured

/* hid-keys.c: usage of a key on the keyboard page; 0: none. */
uint8_t hid_key_usage(InputKey key);

#define HID_CLASS_DESC(report) 9, USB_DT_HID, 0x11, 0x01, 0, 1, USB_DT_REPORT, sizeof(report) & 255, sizeof(report) >> 8
/* The descriptors of a device with one interface: NAME_desc, and NAME_full_desc without high speed. */
#define HID_DESCRIPTORS(name, title, product_id, sub, proto, report, bytes, full_interval, high_interval)                \
    static const uint8_t name##_hid[] = { HID_CLASS_DESC(report) };                                                     \
    static const UsbEndpointDesc name##_ep[HID_SPEEDS] = {                                                              \
        { .address = 0x81, .type = USB_EP_INTERRUPT, .max_packet = bytes, .interval = full_interval },                   \
        { .address = 0x81, .type = USB_EP_INTERRUPT, .max_packet = bytes, .interval = high_interval },                   \
    };                                                                                                                 \
    static const UsbInterfaceDesc name##_if[HID_SPEEDS] = {                                                             \
        { .class_code = 3, .subclass = sub, .protocol = proto, .extra = name##_hid, .extra_bytes = sizeof(name##_hid),   \
          .endpoints = &name##_ep[0], .n_endpoints = 1 },                                                               \
        { .class_code = 3, .subclass = sub, .protocol = proto, .extra = name##_hid, .extra_bytes = sizeof(name##_hid),   \
          .endpoints = &name##_ep[1], .n_endpoints = 1 },                                                               \
    };                                                                                                                 \
    static const UsbConfigDesc name##_config[HID_SPEEDS] = {                                                            \
        { .value = 1, .attributes = USB_CONFIG_ALWAYS | USB_CONFIG_WAKEUP, .max_power_ma = 100, .interfaces = &name##_if[0], \
          .n_interfaces = 1 },                                                                                         \
        { .value = 1, .attributes = USB_CONFIG_ALWAYS | USB_CONFIG_WAKEUP, .max_power_ma = 100, .interfaces = &name##_if[1], \
          .n_interfaces = 1 },                                                                                         \
    };                                                                                                                 \
    static const UsbSpeedDesc name##_speed[HID_SPEEDS] = {                                                              \
        { .usb_version = 0x0200, .max_packet0 = 8, .configs = &name##_config[0], .n_configs = 1 },                       \
        { .usb_version = 0x0200, .max_packet0 = 64, .configs = &name##_config[1], .n_configs = 1 },                      \
    };                                                                                                                 \
    static const char *const name##_strings[] = { NULL, "QEMU", title, "1" };                                           \
    static const UsbDesc name##_desc = {                                                                               \
        .vendor = 0x0627, .product = product_id, .version = 0, .manufacturer_string = 1, .product_string = 2,            \
        .serial_string = 3, .strings = name##_strings, .n_strings = ARRAY_SIZE(name##_strings),                          \
        .speeds = { [USB_SPEED_FULL] = &name##_speed[0], [USB_SPEED_HIGH] = &name##_speed[1] },                          \
    };                                                                                                                 \
    static const UsbDesc name##_full_desc = {                                                                          \
        .vendor = 0x0627, .product = product_id, .version = 0, .manufacturer_string = 1, .product_string = 2,            \
        .serial_string = 3, .strings = name##_strings, .n_strings = ARRAY_SIZE(name##_strings),                          \
        .speeds = { [USB_SPEED_FULL] = &name##_speed[0] },                                                             \
    }

#define HID_PROPS PROP_U32("usb_version", UsbHid, usb_version, 2, "2, or 1: no high speed")
#define HID_DISPLAY_PROP PROP_STR("display", UsbHid, display, "The display whose input it gets; default: any")

#endif
