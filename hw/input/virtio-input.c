/*
 * virtio-input.c: keyboard, mouse and tablet that report Linux events.
 *
 * Leaves out: multi-touch, passing host devices through.
 * Specification: VIRTIO 1.2, 5.8; the event codes: Linux input-event-codes.
 */
#include "hw/virtio-types.h"
#include "ui/console.h"
#include "util/bits.h"

enum { CFG_NAME = 1, CFG_SERIAL = 2, CFG_IDS = 3, CFG_PROPERTIES = 0x10, CFG_EVENTS = 0x11, CFG_ABS = 0x12, CONFIG_BYTES = 136, CONFIG_DATA = 8 };
enum { EV_SYN = 0, EV_KEY = 1, EV_REL = 2, EV_ABS = 3, EV_LED = 0x11, EV_REP = 0x14 };
enum { REL_X = 0, REL_Y = 1, REL_HWHEEL = 6, REL_WHEEL = 8, ABS_X = 0, ABS_Y = 1, LED_NUM = 0, LED_CAPS = 1, LED_SCROLL = 2, BUS_VIRTUAL = 6 };
enum { BTN_LEFT = 0x110, BTN_RIGHT, BTN_MIDDLE, BTN_SIDE, BTN_EXTRA, BTN_TOUCH = 0x14a, BTN_GEAR_DOWN = 0x150, BTN_GEAR_UP };

/* What the three devices differ in. */
typedef struct InputClass {
    VirtioType virtio;
    const char *name;
    uint16_t product;
    InputHandler handler;
} InputClass;

static const InputClass *input_class(const VirtioInput *s)
{
    return container_of(s->vdev.vtype, InputClass, virtio);
}

/* ---- events ---- */

static void add_event(VirtioInput *s, uint16_t type, uint16_t code, int32_t value)
{
    if (s->n_pending < ARRAY_SIZE(s->pending) - 1) { /* a longer group makes no sense; its end is lost */
        s->pending[s->n_pending++] = (struct VirtioInputEvent){ type, code, value };
    }
}

/* The group goes out whole or not at all: a driver that gives no buffers must not get half of it later. */
static void send_group(void *opaque)
{
    VirtioInput *s = opaque;
    VirtElem *elems[ARRAY_SIZE(s->pending)];
    unsigned n = 0;

    if (!s->n_pending) {
        return;
    }
    s->pending[s->n_pending++] = (struct VirtioInputEvent){ EV_SYN, 0, 0 };
    while (virtq_ready(s->events) && n < s->n_pending && (elems[n] = virtq_pop(s->events))) {
        n++;
    }
    if (n < s->n_pending) {
        while (n) {
            virtq_unpop(s->events, elems[--n]);
        }
    }
    for (unsigned i = 0; i < n; i++) {
        uint8_t bytes[8];
        stle16(bytes, s->pending[i].type);
        stle16(bytes + 2, s->pending[i].code);
        stle32(bytes + 4, (uint32_t)s->pending[i].value);
        virtq_push(s->events, elems[i], (uint32_t)iov_from_buf(elems[i]->in, elems[i]->n_in, 0, bytes, 8));
    }
    if (n) {
        virtq_notify(s->events);
    }
    s->n_pending = 0;
}

static const uint16_t button_codes[INPUT_N_BUTTONS] = {
    [INPUT_BUTTON_LEFT] = BTN_LEFT, [INPUT_BUTTON_RIGHT] = BTN_RIGHT, [INPUT_BUTTON_MIDDLE] = BTN_MIDDLE, [INPUT_BUTTON_SIDE] = BTN_SIDE,
    [INPUT_BUTTON_EXTRA] = BTN_EXTRA, [INPUT_BUTTON_WHEEL_UP] = BTN_GEAR_UP, [INPUT_BUTTON_WHEEL_DOWN] = BTN_GEAR_DOWN,
    [INPUT_BUTTON_TOUCH] = BTN_TOUCH,
};

static void on_event(void *opaque, const InputEvent *e)
{
    VirtioInput *s = opaque;

    switch (e->kind) {
    case INPUT_KEY_EVENT:
        if (input_key_to_linux((InputKey)e->code)) {
            add_event(s, EV_KEY, (uint16_t)input_key_to_linux((InputKey)e->code), e->down);
        }
        break;
    case INPUT_BUTTON_EVENT:
        if (s->wheel_axis && (e->code == INPUT_BUTTON_WHEEL_UP || e->code == INPUT_BUTTON_WHEEL_DOWN)) {
            if (e->down) {
                add_event(s, EV_REL, REL_WHEEL, e->code == INPUT_BUTTON_WHEEL_UP ? 1 : -1);
            }
        } else if (button_codes[e->code]) {
            add_event(s, EV_KEY, button_codes[e->code], e->down);
        }
        break;
    case INPUT_REL_EVENT:
        add_event(s, EV_REL, e->code == INPUT_AXIS_X ? REL_X : REL_Y, e->value);
        break;
    case INPUT_ABS_EVENT:
        add_event(s, EV_ABS, e->code == INPUT_AXIS_X ? ABS_X : ABS_Y, e->value);
        break;
    }
}

/* The driver switches LEDs. */
static void handle_status(VirtioDevice *vdev, VirtQueue *vq)
{
    VirtioInput *s = (VirtioInput *)vdev;
    VirtElem *elem;

    while ((elem = virtq_pop(vq))) {
        static const uint8_t leds[] = { [LED_NUM] = INPUT_LED_NUM, [LED_CAPS] = INPUT_LED_CAPS, [LED_SCROLL] = INPUT_LED_SCROLL };
        uint8_t e[8];
        if (iov_to_buf(elem->out, elem->n_out, 0, e, 8) == 8 && ldle16(e) == EV_LED && ldle16(e + 2) < ARRAY_SIZE(leds)) {
            uint8_t bit = leds[ldle16(e + 2)];
            s->leds = ldle32(e + 4) ? s->leds | bit : s->leds & (uint8_t)~bit;
            input_set_leds(s->leds);
        }
        virtq_push(vq, elem, 0);
        virtq_notify(vq);
    }
}

static void handle_events(VirtioDevice *vdev, VirtQueue *vq)
{
}

/* ---- configuration ---- */

static void set_bit(uint8_t *config, unsigned bit)
{
    config[CONFIG_DATA + bit / 8] |= (uint8_t)(1u << bit % 8);
    config[2] = MAX(config[2], (uint8_t)(bit / 8 + 1));
}

static void event_bits(VirtioInput *s, unsigned type, uint8_t *c)
{
    unsigned kinds = input_class(s)->handler.kinds;

    if (type == EV_KEY && (kinds & INPUT_KEY_EVENT)) {
        for (unsigned k = 0; k < INPUT_N_KEYS; k++) {
            if (input_key_to_linux((InputKey)k)) {
                set_bit(c, input_key_to_linux((InputKey)k));
            }
        }
    } else if (type == EV_KEY) {
        for (unsigned b = 0; b < INPUT_N_BUTTONS; b++) {
            bool wanted = b != INPUT_BUTTON_TOUCH || (kinds & INPUT_ABS_EVENT);
            if (button_codes[b] && wanted) {
                set_bit(c, button_codes[b]);
            }
        }
    } else if (type == EV_REL && (kinds & INPUT_REL_EVENT)) {
        set_bit(c, REL_X);
        set_bit(c, REL_Y);
    } else if (type == EV_ABS && (kinds & INPUT_ABS_EVENT)) {
        set_bit(c, ABS_X);
        set_bit(c, ABS_Y);
    } else if (type == EV_LED && (kinds & INPUT_KEY_EVENT)) {
        set_bit(c, LED_NUM);
        set_bit(c, LED_CAPS);
        set_bit(c, LED_SCROLL);
    } else if (type == EV_REP && (kinds & INPUT_KEY_EVENT)) {
        c[2] = 1; /* the guest repeats keys by itself */
    }
    if (type == EV_REL && (kinds & INPUT_BUTTON_EVENT) && s->wheel_axis) {
        set_bit(c, REL_WHEEL);
    }
}

static void put_text(uint8_t *c, const char *text)
{
    size_t n = text ? MIN(strlen(text), (size_t)CONFIG_BYTES - CONFIG_DATA) : 0;

    memcpy(c + CONFIG_DATA, text ? text : "", n);
    c[2] = (uint8_t)n;
}

static void input_config_read(VirtioDevice *vdev, uint8_t *c)
{
    VirtioInput *s = (VirtioInput *)vdev;
    const InputClass *k = input_class(s);

    memset(c, 0, CONFIG_BYTES);
    c[0] = s->select;
    c[1] = s->subselect;
    switch (s->select) {
    case CFG_NAME: put_text(c, s->subselect ? NULL : k->name); break;
    case CFG_SERIAL: put_text(c, s->subselect ? NULL : s->serial); break;
    case CFG_IDS:
        if (!s->subselect) {
            stle16(c + CONFIG_DATA, BUS_VIRTUAL);
            stle16(c + CONFIG_DATA + 2, 0x0627);
            stle16(c + CONFIG_DATA + 4, k->product);
            stle16(c + CONFIG_DATA + 6, k->product == 1 ? 1 : 2);
            c[2] = 8;
        }
        break;
    case CFG_EVENTS: event_bits(s, s->subselect, c); break;
    case CFG_ABS:
        if ((k->handler.kinds & INPUT_ABS_EVENT) && s->subselect <= ABS_Y) {
            stle32(c + CONFIG_DATA + 4, INPUT_ABS_MAX);
            c[2] = 20;
        }
        break;
    }
}

static void input_config_write(VirtioDevice *vdev, const uint8_t *config, size_t offset, size_t size)
{
    VirtioInput *s = (VirtioInput *)vdev;

    s->select = config[0];
    s->subselect = config[1];
}

/* ---- device ---- */

static void input_status(VirtioDevice *vdev, uint8_t old)
{
    VirtioInput *s = (VirtioInput *)vdev;
    bool was = old & VIRTIO_STATUS_DRIVER_OK, is = vdev->status & VIRTIO_STATUS_DRIVER_OK;

    if (is && !was) {
        input_activate(s->input_id);
    } else if (was && !is) {
        input_deactivate(s->input_id);
    }
}

static void input_reset(VirtioDevice *vdev)
{
    VirtioInput *s = (VirtioInput *)vdev;

    s->select = s->subselect = s->leds = 0;
    s->n_pending = 0;
}

static bool input_realize(VirtioDevice *vdev, Error **errp)
{
    VirtioInput *s = (VirtioInput *)vdev;
    Console *con = NULL;

    if (s->display && !(con = console_by_device(s->display, s->head, errp))) {
        return false;
    }
    virtio_init(vdev, CONFIG_BYTES);
    s->events = virtio_add_queue(vdev, 64, handle_events);
    s->status = virtio_add_queue(vdev, 64, handle_status);
    s->input_id = input_register(&input_class(s)->handler, s);
    input_bind(s->input_id, con);
    return true;
}

static void input_unrealize(VirtioDevice *vdev)
{
    input_unregister(((VirtioInput *)vdev)->input_id);
}

static const StateField input_fields[] = {
    { .name = "virtio", .kind = STATE_STRUCT, .offset = offsetof(VirtioInput, vdev), .elem_size = sizeof(VirtioDevice), .sub = &virtio_state },
    STATE_U(VirtioInput, select), STATE_U(VirtioInput, subselect), STATE_U(VirtioInput, leds),
};
static const StateDesc input_state = { .name = "virtio-input", .version = 1, .fields = input_fields, .n_fields = ARRAY_SIZE(input_fields) };

static const Property input_props[] = { VIRTIO_INPUT_PROPS(VirtioInput, ) };

#define INPUT_DEVICE(cname, tname, text, number, kinds_, title)                                                            \
    static const InputClass cname##_class = {                                                                              \
        .virtio = { .id = VIRTIO_ID_INPUT, .config_read = input_config_read, .config_write = input_config_write, .status_set = input_status, \
                    .reset = input_reset, .realize = input_realize, .unrealize = input_unrealize },                        \
        .name = text, .product = number, .handler = { .name = text, .kinds = kinds_, .event = on_event, .sync = send_group }, \
    };                                                                                                                     \
    static const DeviceType cname##_device_type = {                                                                        \
        .type = { .name = tname, .parent = "virtio-device", .size_bytes = sizeof(VirtioInput), .summary = title,           \
                  .props = input_props, .n_props = ARRAY_SIZE(input_props), .class_data = &cname##_class.virtio },         \
        .category = DEVICE_INPUT, .state = &input_state, VIRTIO_DEVICE_HOOKS,                                              \
    };                                                                                                                     \
    DEVICE_TYPE_REGISTER(cname##_device_type)

INPUT_DEVICE(keyboard, "virtio-keyboard-device", "QEMU Virtio Keyboard", 1, INPUT_KEY_EVENT, "virtio keyboard");
INPUT_DEVICE(mouse, "virtio-mouse-device", "QEMU Virtio Mouse", 2, INPUT_BUTTON_EVENT | INPUT_REL_EVENT, "virtio mouse");
INPUT_DEVICE(tablet, "virtio-tablet-device", "QEMU Virtio Tablet", 3, INPUT_BUTTON_EVENT | INPUT_ABS_EVENT, "virtio tablet");
