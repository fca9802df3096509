/*
 * ps2.c: the byte queues of a PS/2 device, and the translation of scan codes.
 *
 * Specification: IBM PS/2 Hardware Interface Technical Reference (1988), keyboard and auxiliary device controller.
 */
#include "hw/input/ps2.h"
#include <string.h>

bool ps2_ready(const Ps2Port *port)
{
    return port->answer_at < port->answer_n || port->queue_n;
}

uint8_t ps2_take(Ps2Port *port)
{
    if (port->answer_at < port->answer_n && !port->more) {
        port->last = port->answer[port->answer_at++];
        if (port->answer_at == port->answer_n) {
            port->answer_at = port->answer_n = 0;
        }
    } else if (port->queue_n) {
        unsigned at = port->queue_at;
        port->more = port->more ? port->more - 1 : port->lengths[at] - 1;
        port->last = port->queue[at];
        port->queue_at = (uint8_t)((at + 1) % PS2_QUEUE_BYTES);
        port->queue_n--;
    }
    return port->last;
}

void ps2_clear(Ps2Port *port)
{
    port->answer_at = port->answer_n = 0;
    port->queue_at = port->queue_n = 0;
    port->more = 0;
}

void ps2_answer(Ps2Port *port, uint8_t byte)
{
    if (port->answer_at == port->answer_n) {
        port->answer_at = port->answer_n = 0;
    }
    if (port->answer_n < PS2_ANSWER_BYTES) { /* a guest that asks and never reads loses answers */
        port->answer[port->answer_n++] = byte;
    }
    port->changed(port->opaque);
}

bool ps2_queue(Ps2Port *port, const uint8_t *bytes, unsigned n)
{
    if (!n || port->queue_n + n > PS2_QUEUE_BYTES) {
        return false;
    }
    for (unsigned i = 0; i < n; i++) {
        unsigned at = (port->queue_at + port->queue_n) % PS2_QUEUE_BYTES;
        port->lengths[at] = (uint8_t)(n - i);
        port->queue[at] = bytes[i];
        port->queue_n++;
    }
    port->changed(port->opaque);
    return true;
}

static const StateField port_fields[] = {
    STATE_BYTES(Ps2Port, answer), STATE_BYTES(Ps2Port, queue), STATE_BYTES(Ps2Port, lengths), STATE_U(Ps2Port, answer_at),
    STATE_U(Ps2Port, answer_n), STATE_U(Ps2Port, queue_at), STATE_U(Ps2Port, queue_n), STATE_U(Ps2Port, more),
    STATE_U(Ps2Port, last),
};

static bool port_post_load(void *opaque, uint32_t version, Error **errp)
{
    const Ps2Port *p = opaque;
    bool ok = p->answer_at <= p->answer_n && p->answer_n <= PS2_ANSWER_BYTES && p->queue_at < PS2_QUEUE_BYTES &&
              p->queue_n <= PS2_QUEUE_BYTES && p->more <= p->queue_n;

    for (unsigned i = 0; i < p->queue_n && ok; i++) {
        uint8_t length = p->lengths[(p->queue_at + i) % PS2_QUEUE_BYTES];
        ok = length && length <= p->queue_n - i;
    }
    if (!ok) {
        error_set(errp, "queue of a PS/2 device makes no sense");
    }
    return ok;
}

const StateDesc ps2_port_state = {
    .name = "ps2-port", .version = 1, .fields = port_fields, .n_fields = ARRAY_SIZE(port_fields), .post_load = port_post_load,
};

/* Codes of set 2 up to 0x84, in the keyboard controller's ROM: what a PC/XT keyboard would have sent. */
static const uint8_t translation[] = {
    0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59,
    0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b,
    0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d,
    0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f,
    0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x61,
    0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76,
    0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f,
    0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45, 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54,
    0x80, 0x81, 0x82, 0x41, 0x54,
};

uint8_t ps2_set2_to_set1(uint8_t code)
{
    return code < sizeof(translation) ? translation[code] : code;
}

uint8_t ps2_set1_to_set2(uint8_t code)
{
    if (code == 0x41) {
        return 0x83; /* F7; 0x02 is no key */
    }
    if (code == 0x54) {
        return 0x84; /* Alt and Print Screen */
    }
    for (unsigned i = 1; i < 0x80; i++) {
        if (translation[i] == code) {
            return (uint8_t)i;
        }
    }
    return 0;
}
