/*
 * ps2.h: a keyboard and a mouse as they sit behind a PS/2 port: bytes in, bytes out.
 *
 * The controller (i8042.c) gives a byte to the device with ps2_*_write() and takes one with ps2_take() while ps2_ready().
 * Answers to commands go out before what keys and movement have queued, but never inside a key's sequence.
 *
 * Threads: BQL.
 */
#ifndef HW_INPUT_PS2_H
#define HW_INPUT_PS2_H

#include "hw/device.h"
#include "ui/input.h"

/*
 * A keyboard holds 16 bytes; one of them is in the controller's output buffer. Drivers rely on it: Linux takes a controller that has more than
 * 16 bytes to give at start-up for none at all.
 */
enum { PS2_QUEUE_BYTES = 15, PS2_ANSWER_BYTES = 16, PS2_KEY_BYTES_MAX = 8, PS2_PACKET_BYTES_MAX = 4 };

typedef struct Ps2Port {
    void (*changed)(void *opaque); /* a byte may be ready, or no longer be */
    void *opaque;
    uint8_t answer[PS2_ANSWER_BYTES], queue[PS2_QUEUE_BYTES];
    uint8_t answer_at, answer_n;   /* answers: [at, n) */
    uint8_t queue_at, queue_n;     /* ring: position and count */
    uint8_t more;                  /* bytes of the sequence now going out that are still queued */
    uint8_t lengths[PS2_QUEUE_BYTES]; /* of the sequence that starts at this place of the ring */
    uint8_t last;                  /* what was given last, for "resend" */
} Ps2Port;

typedef struct Ps2Keyboard {
    Ps2Port port;
    int input_id;
    uint8_t command;               /* whose parameter is awaited; 0: none */
    uint8_t scan_set;              /* 1, 2, 3 */
    bool enabled;
    uint8_t leds, rate;
    uint8_t modifiers;             /* held: MOD_ bits of ps2-keyboard.c */
    uint8_t no_break[32];          /* set 3: keys that send no break code, by code */
} Ps2Keyboard;

typedef struct Ps2Mouse {
    Ps2Port port;
    int input_id;
    uint8_t command, id, resolution, sample_rate, knock;
    bool enabled, remote, wrap, scale21;
    uint8_t buttons, sent_buttons; /* bits: left, right, middle, side, extra */
    int32_t dx, dy, dz;            /* not sent yet */
} Ps2Mouse;

bool ps2_ready(const Ps2Port *port);
uint8_t ps2_take(Ps2Port *port);

void ps2_keyboard_init(Ps2Keyboard *kbd, void (*changed)(void *opaque), void *opaque);
void ps2_keyboard_finish(Ps2Keyboard *kbd);
void ps2_keyboard_reset(Ps2Keyboard *kbd);
void ps2_keyboard_write(Ps2Keyboard *kbd, uint8_t byte);
void ps2_mouse_init(Ps2Mouse *mouse, void (*changed)(void *opaque), void *opaque);
void ps2_mouse_finish(Ps2Mouse *mouse);
void ps2_mouse_reset(Ps2Mouse *mouse);
void ps2_mouse_write(Ps2Mouse *mouse, uint8_t byte);
extern const StateDesc ps2_keyboard_state, ps2_mouse_state;

/* For the two devices. */
void ps2_clear(Ps2Port *port);
void ps2_answer(Ps2Port *port, uint8_t byte);
/* False: no room for all of it, nothing was queued. */
bool ps2_queue(Ps2Port *port, const uint8_t *bytes, unsigned n);
extern const StateDesc ps2_port_state;

/* The 8042's translation of a set 2 code to set 1, and back; 0 of the way back: none. */
uint8_t ps2_set2_to_set1(uint8_t code);
uint8_t ps2_set1_to_set2(uint8_t code);

#endif
