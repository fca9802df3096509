/*
 * hid.c: class requests, reports on the interrupt endpoint, idle rate, input from displays.
 *
 * Specification: HID 1.11, 7 (requests), 7.2.4 (idle), 7.2.6 (protocol).
 */
#include "hw/usb/hid.h"
#include "ui/console.h"

enum { GET_REPORT = 1, GET_IDLE = 2, GET_PROTOCOL = 3, SET_REPORT = 9, SET_IDLE = 10, SET_PROTOCOL = 11 };
enum { REPORT_INPUT = 1, REPORT_OUTPUT = 2, LED_NUM = 1, LED_CAPS = 2, LED_SCROLL = 4, ENDPOINT = 0x81 };
#define IDLE_UNIT_NS (4 * NS_PER_MS)

/* -- reports -------------------------------------------------------------------------------------------------------------- */

void hid_wakeup(UsbHid *h)
{
    usb_wakeup(&h->usb, ENDPOINT);
}

static void start_idle(UsbHid *h)
{
    if (h->idle) {
        timer_set_ns(&h->idle_timer, clock_get_ns(VM_CLOCK_VIRTUAL) + h->idle * IDLE_UNIT_NS);
    } else {
        timer_cancel(&h->idle_timer);
    }
}

static void idle_over(void *opaque)
{
    UsbHid *h = opaque;

    h->resend = true;
    hid_wakeup(h);
}

UsbStatus hid_data(UsbDevice *dev, UsbPacket *p)
{
    UsbHid *h = (UsbHid *)dev;
    uint8_t report[HID_REPORT_BYTES];

    if (!h->n_events && !h->resend) {
        return USB_NAK;
    }
    unsigned bytes = hid_type(h)->report(h, report);
    h->resend = false;
    start_idle(h);
    usb_copy(p, report, bytes);
    return p->bytes < bytes ? USB_BABBLE : USB_OK;
}

/* -- requests -------------------------------------------------------------------------------------------------------------- */

static void set_leds(UsbHid *h, uint8_t leds)
{
    h->leds = leds;
    input_set_leds((leds & LED_NUM ? INPUT_LED_NUM : 0) | (leds & LED_CAPS ? INPUT_LED_CAPS : 0) | (leds & LED_SCROLL ? INPUT_LED_SCROLL : 0));
}

static UsbStatus get_descriptor(UsbHid *h, const UsbSetup *s, uint8_t *data, uint32_t *ret_bytes)
{
    const HidType *t = hid_type(h);
    const UsbInterfaceDesc *in = &usb_speed_desc(&h->usb)->configs[0].interfaces[0];
    bool is_report = s->value >> 8 == USB_DT_REPORT;
    const uint8_t *from = is_report ? t->report_desc : in->extra;
    size_t bytes = is_report ? t->report_desc_bytes : in->extra_bytes;

    if (!is_report && s->value >> 8 != USB_DT_HID) {
        return USB_STALL;
    }
    *ret_bytes = (uint32_t)MIN(bytes, (size_t)s->length);
    memcpy(data, from, *ret_bytes);
    return USB_OK;
}

UsbStatus hid_control(UsbDevice *dev, const UsbSetup *s, uint8_t *data, uint32_t *ret_bytes)
{
    UsbHid *h = (UsbHid *)dev;
    bool is_boot = usb_speed_desc(dev)->configs[0].interfaces[0].subclass == 1, has_leds = hid_type(h)->input.kinds & INPUT_KEY_EVENT;

    if ((s->type & USB_REQ_RECIPIENT) != USB_REQ_INTERFACE) {
        return USB_STALL;
    }
    switch ((s->type & (USB_REQ_IN | USB_REQ_KIND)) << 8 | s->request) {
    case USB_REQ_IN << 8 | USB_GET_DESCRIPTOR:
        return get_descriptor(h, s, data, ret_bytes);
    case (USB_REQ_IN | USB_REQ_CLASS) << 8 | GET_REPORT:
        if (s->value >> 8 == REPORT_OUTPUT && has_leds) {
            data[0] = h->leds;
            *ret_bytes = 1;
            return USB_OK;
        }
        *ret_bytes = s->value >> 8 == REPORT_INPUT ? hid_type(h)->report(h, data) : 0;
        return *ret_bytes ? USB_OK : USB_STALL;
    case USB_REQ_CLASS << 8 | SET_REPORT:
        if (s->value >> 8 != REPORT_OUTPUT || !has_leds || !s->length) {
            return USB_STALL;
        }
        set_leds(h, data[0]);
        return USB_OK;
    case (USB_REQ_IN | USB_REQ_CLASS) << 8 | GET_IDLE:
        data[0] = h->idle;
        *ret_bytes = 1;
        return USB_OK;
    case USB_REQ_CLASS << 8 | SET_IDLE:
        h->idle = (uint8_t)(s->value >> 8);
        start_idle(h);
        return USB_OK;
    case (USB_REQ_IN | USB_REQ_CLASS) << 8 | GET_PROTOCOL:
        data[0] = !h->boot_protocol;
        *ret_bytes = 1;
        return is_boot ? USB_OK : USB_STALL;
    case USB_REQ_CLASS << 8 | SET_PROTOCOL:
        h->boot_protocol = is_boot && s->value == 0;
        return is_boot && s->value <= 1 ? USB_OK : USB_STALL;
    default:
        return USB_STALL;
    }
}

/* -- life ------------------------------------------------------------------------------------------------------------------- */

void hid_configured(UsbDevice *dev)
{
    UsbHid *h = (UsbHid *)dev;

    if (dev->configuration) {
        input_activate(h->input_id);
    } else {
        input_deactivate(h->input_id);
    }
}

void hid_reset(UsbDevice *dev)
{
    UsbHid *h = (UsbHid *)dev;

    h->idle = h->leds = 0;
    h->boot_protocol = h->resend = false;
    h->first = h->n_events = 0;
    hid_type(h)->clear(h);
    timer_cancel(&h->idle_timer);
    input_deactivate(h->input_id);
}

bool hid_realize(UsbDevice *dev, Error **errp)
{
    UsbHid *h = (UsbHid *)dev;
    Console *con = NULL;

    if (h->usb_version < 1 || h->usb_version > 2) {
        error_set(errp, "Unsupported usb version %u for usb hid device", h->usb_version);
        return false;
    }
    if (h->usb_version == 1) {
        dev->desc = hid_type(h)->full_desc;
    }
    if (h->display && !(con = console_by_device(h->display, h->head, errp))) {
        return false;
    }
    timer_init(&h->idle_timer, VM_CLOCK_VIRTUAL, idle_over, h);
    h->input_id = input_register(&hid_type(h)->input, h);
    input_bind(h->input_id, con);
    return true;
}

void hid_unrealize(UsbDevice *dev)
{
    UsbHid *h = (UsbHid *)dev;

    timer_cancel(&h->idle_timer);
    input_unregister(h->input_id);
}

static bool post_load(void *opaque, uint32_t version, Error **errp)
{
    UsbHid *h = opaque;

    if (h->first >= HID_EVENTS || h->n_events > HID_EVENTS || h->n_pressed > HID_MAX_KEYS) {
        error_set(errp, "usb hid: %u events from %u, %u keys down", h->n_events, h->first, h->n_pressed);
        return false;
    }
    return true;
}

static const StateField move_fields[] = { STATE_U(HidMove, x), STATE_U(HidMove, y), STATE_U(HidMove, wheel), STATE_U(HidMove, buttons) };
static const StateDesc move_state = { .name = "hid-move", .version = 1, .fields = move_fields, .n_fields = ARRAY_SIZE(move_fields) };
static const StateField fields[] = {
    { .name = "usb", .kind = STATE_STRUCT, .offset = 0, .elem_size = sizeof(UsbDevice), .sub = &usb_device_state },
    STATE_TIMER_FIELD(UsbHid, idle_timer), STATE_U(UsbHid, idle), STATE_U(UsbHid, boot_protocol), STATE_U(UsbHid, resend),
    STATE_U(UsbHid, leds), STATE_U(UsbHid, first), STATE_U(UsbHid, n_events), STATE_BYTES(UsbHid, keys), STATE_U(UsbHid, modifiers),
    STATE_U_ARRAY(UsbHid, pressed), STATE_U(UsbHid, n_pressed),
    { .name = "moves", .kind = STATE_STRUCT, .offset = offsetof(UsbHid, moves), .elem_size = sizeof(HidMove), .count = HID_EVENTS,
      .sub = &move_state },
    { .name = "last", .kind = STATE_STRUCT, .offset = offsetof(UsbHid, last), .elem_size = sizeof(HidMove), .sub = &move_state },
    STATE_U(UsbHid, buttons),
};
const StateDesc hid_state = { .name = "usb-hid", .version = 1, .fields = fields, .n_fields = ARRAY_SIZE(fields), .post_load = post_load };
