/*
 * ps2-keyboard.c: a 101/102-key keyboard with scan code sets 1, 2 and 3.
 *
 * Keys repeat as often as the display says they are pressed: there is no typematic clock of its own.
 * Specification: IBM PS/2 Hardware Interface Technical Reference (1988), "101- and 102-key keyboards": commands, scan codes,
 * and default key types of set 3.
 */
#include "hw/input/ps2.h"
#include <string.h>
#include "util/log.h"

enum { ACK = 0xfa, RESEND = 0xfe, SELF_TEST_PASSED = 0xaa, OVERRUN2 = 0x00, OVERRUN1 = 0xff };
enum { MOD_SHIFT = 1, MOD_SHIFT_R = 2, MOD_CTRL = 4, MOD_CTRL_R = 8, MOD_ALT = 16, MOD_ALT_R = 32 };
enum { MODS_SHIFT = MOD_SHIFT | MOD_SHIFT_R, MODS_CTRL = MOD_CTRL | MOD_CTRL_R, MODS_ALT = MOD_ALT | MOD_ALT_R };

typedef struct Sequence {
    uint8_t bytes[PS2_KEY_BYTES_MAX];
    unsigned n;
} Sequence;

static void put(Sequence *s, uint8_t byte)
{
    if (s->n < sizeof(s->bytes)) {
        s->bytes[s->n++] = byte;
    }
}

/* One code of set 1, with its prefix, in the set of the keyboard (1 or 2). */
static void put_code(Sequence *s, unsigned set, unsigned xt, bool down)
{
    if (xt & 0xe000) {
        put(s, 0xe0);
    }
    uint8_t code = (uint8_t)(xt & 0x7f);
    if (set == 1) {
        put(s, code | (down ? 0 : 0x80));
        return;
    }
    /* The prefixed media keys have set 2 codes that translate to their set 1 codes by the same table. */
    code = ps2_set1_to_set2(code);
    if (!code) {
        s->n = 0;
        return;
    }
    if (!down) {
        put(s, 0xf0);
    }
    put(s, code);
}

/* Print Screen sends a fake shift with it, unless a modifier is held; with Alt it is another key (System Request). */
static void put_print(Ps2Keyboard *kbd, Sequence *s, bool down)
{
    if (kbd->modifiers & MODS_ALT) {
        put_code(s, kbd->scan_set, 0x54, down);
    } else if (kbd->modifiers & (MODS_SHIFT | MODS_CTRL)) {
        put_code(s, kbd->scan_set, 0xe037, down);
    } else if (down) {
        put_code(s, kbd->scan_set, 0xe02a, true);
        put_code(s, kbd->scan_set, 0xe037, true);
    } else {
        put_code(s, kbd->scan_set, 0xe037, false);
        put_code(s, kbd->scan_set, 0xe02a, false);
    }
}

/* Pause has no break code: make and break go out together when it is pressed. */
static void put_pause(Ps2Keyboard *kbd, Sequence *s, bool down)
{
    static const uint8_t set1[] = { 0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5 };
    static const uint8_t set2[] = { 0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77 };

    if (!down) {
        return;
    }
    if (kbd->modifiers & MODS_CTRL) { /* Break */
        put_code(s, kbd->scan_set, 0xe046, true);
        put_code(s, kbd->scan_set, 0xe046, false);
        return;
    }
    s->n = kbd->scan_set == 1 ? sizeof(set1) : sizeof(set2);
    memcpy(s->bytes, kbd->scan_set == 1 ? set1 : set2, s->n);
}

static unsigned modifier_bit(InputKey key)
{
    switch (key) {
    case INPUT_KEY_SHIFT: return MOD_SHIFT;
    case INPUT_KEY_SHIFT_R: return MOD_SHIFT_R;
    case INPUT_KEY_CTRL: return MOD_CTRL;
    case INPUT_KEY_CTRL_R: return MOD_CTRL_R;
    case INPUT_KEY_ALT: return MOD_ALT;
    case INPUT_KEY_ALT_R: return MOD_ALT_R;
    default: return 0;
    }
}

static void keyboard_event(void *opaque, const InputEvent *event)
{
    Ps2Keyboard *kbd = opaque;
    InputKey key = (InputKey)event->code;
    uint8_t bit = (uint8_t)modifier_bit(key);
    Sequence s = {0};

    kbd->modifiers = event->down ? kbd->modifiers | bit : kbd->modifiers & (uint8_t)~bit;
    if (!kbd->enabled) {
        return;
    }
    if (kbd->scan_set == 3) {
        uint8_t code = (uint8_t)input_key_to_set3(key);
        if (code && (event->down || !(kbd->no_break[code / 8] >> code % 8 & 1))) {
            if (!event->down) {
                put(&s, 0xf0);
            }
            put(&s, code);
        }
    } else if (key == INPUT_KEY_PRINT || key == INPUT_KEY_SYSRQ) {
        put_print(kbd, &s, event->down);
    } else if (key == INPUT_KEY_PAUSE) {
        put_pause(kbd, &s, event->down);
    } else if (input_key_to_xt(key)) {
        put_code(&s, kbd->scan_set, input_key_to_xt(key), event->down);
    }
    /* The last byte is the overrun code's. */
    if (s.n && (kbd->port.queue_n + s.n >= PS2_QUEUE_BYTES || !ps2_queue(&kbd->port, s.bytes, s.n))) {
        /* The buffer is full: the code for that, once. */
        uint8_t overrun = kbd->scan_set == 1 ? OVERRUN1 : OVERRUN2;
        Ps2Port *p = &kbd->port;
        if (p->queue_n < PS2_QUEUE_BYTES && p->queue[(p->queue_at + p->queue_n + PS2_QUEUE_BYTES - 1) % PS2_QUEUE_BYTES] != overrun) {
            ps2_queue(p, &overrun, 1);
        }
    }
}

/* Set 3: "typematic" and "make only" keys send no break code until a command changes their type. */
static void default_types(Ps2Keyboard *kbd)
{
    static const uint8_t make_break[] = { 0x11, 0x12, 0x14, 0x19, 0x59 }; /* Ctrl, Shift, Caps Lock, Alt, right Shift */

    memset(kbd->no_break, 0xff, sizeof(kbd->no_break));
    for (unsigned i = 0; i < sizeof(make_break); i++) {
        kbd->no_break[make_break[i] / 8] &= (uint8_t)~(1u << make_break[i] % 8);
    }
}

static void set_defaults(Ps2Keyboard *kbd)
{
    kbd->rate = 0x2b; /* 10.9 a second after 500 ms */
    kbd->command = 0;
    default_types(kbd);
}

void ps2_keyboard_reset(Ps2Keyboard *kbd)
{
    ps2_clear(&kbd->port);
    set_defaults(kbd);
    kbd->scan_set = 2;
    kbd->enabled = true;
    kbd->leds = 0;
    kbd->modifiers = 0;
    input_set_leds(0);
}

/* The byte after ED, F0, F3 and FB to FD; false: it is a command itself. */
static bool parameter(Ps2Keyboard *kbd, uint8_t byte)
{
    uint8_t command = kbd->command;

    switch (command) {
    case 0xed: /* LEDs: scroll, num, caps, which is also the order of input_set_leds() */
    case 0xf3:
        kbd->command = 0;
        if (byte >= 0x80) {
            return false;
        }
        if (command == 0xed) {
            kbd->leds = byte & 7;
            input_set_leds(kbd->leds);
        } else {
            kbd->rate = byte;
        }
        ps2_answer(&kbd->port, ACK);
        return true;
    case 0xf0:
        kbd->command = 0;
        if (byte > 3) {
            ps2_answer(&kbd->port, RESEND);
            return true;
        }
        ps2_answer(&kbd->port, ACK);
        if (byte) {
            kbd->scan_set = byte;
        } else {
            ps2_answer(&kbd->port, kbd->scan_set);
        }
        return true;
    case 0xfb: case 0xfc: case 0xfd: /* types of keys of set 3, until another command comes */
        if (byte >= 0xed || !byte) {
            kbd->command = 0;
            return false;
        }
        kbd->no_break[byte / 8] &= (uint8_t)~(1u << byte % 8);
        kbd->no_break[byte / 8] |= (uint8_t)((command != 0xfc) << byte % 8);
        ps2_answer(&kbd->port, ACK);
        return true;
    default:
        return false;
    }
}

void ps2_keyboard_write(Ps2Keyboard *kbd, uint8_t byte)
{
    if (kbd->command && parameter(kbd, byte)) {
        return;
    }
    switch (byte) {
    case 0xee: /* echo */
        ps2_answer(&kbd->port, 0xee);
        return;
    case 0xed: case 0xf0: case 0xf3: case 0xfb: case 0xfc: case 0xfd:
        kbd->command = byte;
        ps2_answer(&kbd->port, ACK);
        return;
    case 0xf2: /* what are you */
        ps2_answer(&kbd->port, ACK);
        ps2_answer(&kbd->port, 0xab);
        ps2_answer(&kbd->port, 0x83);
        return;
    case 0xf4: /* enable */
    case 0xf5: /* defaults, disable */
    case 0xf6: /* defaults */
        ps2_clear(&kbd->port);
        if (byte != 0xf4) {
            set_defaults(kbd);
        }
        kbd->enabled = byte != 0xf5;
        ps2_answer(&kbd->port, ACK);
        return;
    case 0xf7: case 0xf9: /* all keys typematic, all make only */
    case 0xf8: case 0xfa: /* all keys make and break */
        memset(kbd->no_break, byte == 0xf7 || byte == 0xf9 ? 0xff : 0, sizeof(kbd->no_break));
        ps2_answer(&kbd->port, ACK);
        return;
    case 0xfe: /* resend */
        ps2_answer(&kbd->port, kbd->port.last);
        return;
    case 0xff: /* reset and self test */
        ps2_keyboard_reset(kbd);
        ps2_answer(&kbd->port, ACK);
        ps2_answer(&kbd->port, SELF_TEST_PASSED);
        return;
    default:
        log_guest_error("ps2 keyboard: unknown command 0x%02x\n", byte);
        ps2_answer(&kbd->port, RESEND);
    }
}

void ps2_keyboard_init(Ps2Keyboard *kbd, void (*changed)(void *opaque), void *opaque)
{
    static const InputHandler handler = { .name = "QEMU PS/2 Keyboard", .kinds = INPUT_KEY_EVENT, .event = keyboard_event };

    kbd->port.changed = changed;
    kbd->port.opaque = opaque;
    kbd->input_id = input_register(&handler, kbd);
}

void ps2_keyboard_finish(Ps2Keyboard *kbd)
{
    input_unregister(kbd->input_id);
}

static bool keyboard_post_load(void *opaque, uint32_t version, Error **errp)
{
    Ps2Keyboard *kbd = opaque;

    if (kbd->scan_set < 1 || kbd->scan_set > 3) {
        error_set(errp, "PS/2 keyboard with scan code set %u", kbd->scan_set);
        return false;
    }
    input_set_leds(kbd->leds);
    return true;
}

static const StateField keyboard_fields[] = {
    { .name = "port", .kind = STATE_STRUCT, .offset = offsetof(Ps2Keyboard, port), .elem_size = sizeof(Ps2Port), .sub = &ps2_port_state },
    STATE_U(Ps2Keyboard, command), STATE_U(Ps2Keyboard, scan_set), STATE_U(Ps2Keyboard, enabled), STATE_U(Ps2Keyboard, leds),
    STATE_U(Ps2Keyboard, rate), STATE_U(Ps2Keyboard, modifiers), STATE_BYTES(Ps2Keyboard, no_break),
};

const StateDesc ps2_keyboard_state = {
    .name = "ps2-keyboard", .version = 1, .fields = keyboard_fields, .n_fields = ARRAY_SIZE(keyboard_fields), .post_load = keyboard_post_load,
};
