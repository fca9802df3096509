/*
 * ps2-mouse.c: a mouse with three buttons; a wheel and two more buttons once the driver has asked for them.
 *
 * Specification: IBM PS/2 Hardware Interface Technical Reference (1988), "auxiliary device"; the IntelliMouse extension: sample
 * rates 200, 100, 80 in a row select packets of four bytes (id 3), 200, 200, 80 those with buttons four and five (id 4).
 */
#include "hw/input/ps2.h"
#include <string.h>
#include "util/log.h"

enum { ACK = 0xfa, ERROR = 0xfc, RESEND = 0xfe };
enum { BUTTON_LEFT = 1, BUTTON_RIGHT = 2, BUTTON_MIDDLE = 4, BUTTON_SIDE = 8, BUTTON_EXTRA = 16 };
enum { MOTION_MAX = 1 << 16 }; /* movement that nobody reads is not remembered for ever */

static int32_t clamp(int32_t value, int32_t low, int32_t high)
{
    return MIN(MAX(value, low), high);
}

/* Takes what one packet can say off the movement. */
static unsigned make_packet(Ps2Mouse *m, uint8_t out[PS2_PACKET_BYTES_MAX])
{
    int32_t dx = clamp(m->dx, -255, 255), dy = clamp(m->dy, -255, 255), dz = 0;
    unsigned n = 3;

    out[0] = (uint8_t)((m->buttons & 7) | 8 | (dx < 0) << 4 | (dy < 0) << 5);
    out[1] = (uint8_t)dx;
    out[2] = (uint8_t)dy;
    if (m->id == 3) {
        dz = clamp(m->dz, -127, 127);
        out[n++] = (uint8_t)dz;
    } else if (m->id == 4) {
        dz = clamp(m->dz, -7, 7);
        out[n++] = (uint8_t)((dz & 0xf) | (m->buttons & (BUTTON_SIDE | BUTTON_EXTRA)) << 1);
    }
    m->dx -= dx;
    m->dy -= dy;
    m->dz = m->id >= 3 ? m->dz - dz : 0;
    m->sent_buttons = m->buttons;
    return n;
}

static bool something_new(const Ps2Mouse *m)
{
    return m->dx || m->dy || (m->dz && m->id >= 3) || m->buttons != m->sent_buttons;
}

/* Keeps half the queue free: a driver that is slow sees fewer, longer movements, not old ones. */
static void send_motion(Ps2Mouse *m)
{
    while (m->enabled && !m->remote && !m->wrap && something_new(m) && m->port.queue_n < PS2_QUEUE_BYTES / 2) {
        uint8_t packet[PS2_PACKET_BYTES_MAX];
        unsigned n = make_packet(m, packet);
        ps2_queue(&m->port, packet, n);
    }
}

static void mouse_event(void *opaque, const InputEvent *event)
{
    static const uint8_t bits[INPUT_N_BUTTONS] = {
        [INPUT_BUTTON_LEFT] = BUTTON_LEFT, [INPUT_BUTTON_RIGHT] = BUTTON_RIGHT, [INPUT_BUTTON_MIDDLE] = BUTTON_MIDDLE,
        [INPUT_BUTTON_SIDE] = BUTTON_SIDE, [INPUT_BUTTON_EXTRA] = BUTTON_EXTRA,
    };
    Ps2Mouse *m = opaque;

    if (event->kind == INPUT_REL_EVENT) {
        if (event->code == INPUT_AXIS_X) {
            m->dx = clamp(m->dx + clamp(event->value, -MOTION_MAX, MOTION_MAX), -MOTION_MAX, MOTION_MAX);
        } else { /* down on the screen is towards the user: negative */
            m->dy = clamp(m->dy - clamp(event->value, -MOTION_MAX, MOTION_MAX), -MOTION_MAX, MOTION_MAX);
        }
        return;
    }
    if (event->code == INPUT_BUTTON_WHEEL_UP || event->code == INPUT_BUTTON_WHEEL_DOWN) {
        m->dz = clamp(m->dz + (!event->down ? 0 : event->code == INPUT_BUTTON_WHEEL_UP ? -1 : 1), -MOTION_MAX, MOTION_MAX);
        return;
    }
    m->buttons = event->down ? m->buttons | bits[event->code] : m->buttons & (uint8_t)~bits[event->code];
}

static void mouse_sync(void *opaque)
{
    send_motion(opaque);
}

static void set_defaults(Ps2Mouse *m)
{
    m->sample_rate = 100;
    m->resolution = 2;
    m->scale21 = m->enabled = m->remote = false;
    m->command = 0;
    m->dx = m->dy = m->dz = 0;
}

void ps2_mouse_reset(Ps2Mouse *m)
{
    ps2_clear(&m->port);
    set_defaults(m);
    m->id = 0;
    m->knock = 0;
    m->wrap = false;
    m->sent_buttons = m->buttons = 0;
}

static void set_rate(Ps2Mouse *m, uint8_t rate)
{
    /* knock: 0; 1: after 200; 2: after 200, 100; 3: after 200, 200. */
    if (rate == 80 && m->knock >= 2) {
        m->id = m->knock == 2 ? 3 : 4;
        m->knock = 0;
    } else if (rate == 200) {
        m->knock = m->knock == 1 ? 3 : 1;
    } else {
        m->knock = rate == 100 && m->knock == 1 ? 2 : 0;
    }
    m->sample_rate = rate;
}

static void answer_status(Ps2Mouse *m)
{
    ps2_answer(&m->port, (uint8_t)((m->buttons & BUTTON_LEFT ? 4 : 0) | (m->buttons & BUTTON_MIDDLE ? 2 : 0) |
                                   (m->buttons & BUTTON_RIGHT ? 1 : 0) | m->scale21 << 4 | m->enabled << 5 | m->remote << 6));
    ps2_answer(&m->port, m->resolution);
    ps2_answer(&m->port, m->sample_rate);
}

void ps2_mouse_write(Ps2Mouse *m, uint8_t byte)
{
    if (m->wrap && byte != 0xff && byte != 0xec) {
        ps2_answer(&m->port, byte);
        return;
    }
    uint8_t command = m->command;
    m->command = 0;
    if (command) {
        /* E8: resolution 0 to 3; F3: samples a second. */
        if (command == 0xe8 && byte > 3) {
            ps2_answer(&m->port, RESEND);
            return;
        }
        if (command == 0xe8) {
            m->resolution = byte;
        } else {
            set_rate(m, byte);
        }
        ps2_answer(&m->port, ACK);
        return;
    }
    if (byte != 0xfe) {
        ps2_clear(&m->port);
    }
    switch (byte) {
    case 0xe6: case 0xe7:
        m->scale21 = byte == 0xe7;
        ps2_answer(&m->port, ACK);
        break;
    case 0xe8: case 0xf3:
        m->command = byte;
        ps2_answer(&m->port, ACK);
        break;
    case 0xe9:
        ps2_answer(&m->port, ACK);
        answer_status(m);
        break;
    case 0xea: case 0xf0: /* stream, remote */
        m->remote = byte == 0xf0;
        ps2_answer(&m->port, ACK);
        break;
    case 0xeb: { /* read data */
        uint8_t packet[PS2_PACKET_BYTES_MAX];
        unsigned n = make_packet(m, packet);
        ps2_answer(&m->port, ACK);
        for (unsigned i = 0; i < n; i++) {
            ps2_answer(&m->port, packet[i]);
        }
        break;
    }
    case 0xec: case 0xee:
        m->wrap = byte == 0xee;
        ps2_answer(&m->port, ACK);
        break;
    case 0xf2:
        ps2_answer(&m->port, ACK);
        ps2_answer(&m->port, m->id);
        break;
    case 0xf4: case 0xf5:
        m->enabled = byte == 0xf4;
        ps2_answer(&m->port, ACK);
        break;
    case 0xf6:
        set_defaults(m);
        ps2_answer(&m->port, ACK);
        break;
    case 0xfe:
        ps2_answer(&m->port, m->port.last);
        break;
    case 0xff:
        ps2_mouse_reset(m);
        ps2_answer(&m->port, ACK);
        ps2_answer(&m->port, 0xaa);
        ps2_answer(&m->port, m->id);
        break;
    default:
        log_guest_error("ps2 mouse: unknown command 0x%02x\n", byte);
        ps2_answer(&m->port, RESEND);
    }
}

void ps2_mouse_init(Ps2Mouse *m, void (*changed)(void *opaque), void *opaque)
{
    static const InputHandler handler = {
        .name = "QEMU PS/2 Mouse", .kinds = INPUT_BUTTON_EVENT | INPUT_REL_EVENT, .event = mouse_event, .sync = mouse_sync,
    };

    m->port.changed = changed;
    m->port.opaque = opaque;
    m->input_id = input_register(&handler, m);
}

void ps2_mouse_finish(Ps2Mouse *m)
{
    input_unregister(m->input_id);
}

static bool mouse_post_load(void *opaque, uint32_t version, Error **errp)
{
    const Ps2Mouse *m = opaque;

    if ((m->id && m->id != 3 && m->id != 4) || m->knock > 3 || abs(m->dx) > MOTION_MAX || abs(m->dy) > MOTION_MAX || abs(m->dz) > MOTION_MAX) {
        error_set(errp, "state of the PS/2 mouse makes no sense");
        return false;
    }
    return true;
}

static const StateField mouse_fields[] = {
    { .name = "port", .kind = STATE_STRUCT, .offset = offsetof(Ps2Mouse, port), .elem_size = sizeof(Ps2Port), .sub = &ps2_port_state },
    STATE_U(Ps2Mouse, command), STATE_U(Ps2Mouse, id), STATE_U(Ps2Mouse, resolution), STATE_U(Ps2Mouse, sample_rate), STATE_U(Ps2Mouse, knock),
    STATE_U(Ps2Mouse, enabled), STATE_U(Ps2Mouse, remote), STATE_U(Ps2Mouse, wrap), STATE_U(Ps2Mouse, scale21), STATE_U(Ps2Mouse, buttons),
    STATE_U(Ps2Mouse, sent_buttons), STATE_U(Ps2Mouse, dx), STATE_U(Ps2Mouse, dy), STATE_U(Ps2Mouse, dz),
};

const StateDesc ps2_mouse_state = {
    .name = "ps2-mouse", .version = 1, .fields = mouse_fields, .n_fields = ARRAY_SIZE(mouse_fields), .post_load = mouse_post_load,
};
