/*
 * vnc-input.c: messages of a VNC client: formats and encodings, update requests, keys, pointers, size.
 *
 * Specification: RFC 6143, 7.5; registered: QEMU client message (255), SetDesktopSize (251).
 */
#include <string.h>
#include "ui/vnc.h"
#include "util/trace.h"

enum { MSG_SET_FORMAT = 0, MSG_SET_ENCODINGS = 2, MSG_UPDATE_REQUEST = 3, MSG_KEY = 4, MSG_POINTER = 5, MSG_CUT_TEXT = 6,
       MSG_SET_DESKTOP_SIZE = 251, MSG_QEMU = 255 };
enum { QEMU_KEY = 0, QEMU_AUDIO = 1 };

static void set_format(VncClient *c, const uint8_t *p)
{
    uint16_t max[3] = { ldbe16(p + 8), ldbe16(p + 10), ldbe16(p + 12) };
    VncPixelFormat pf;

    if (!vnc_set_format(&pf, p[4], p[5], p[6] != 0, p[7] != 0, max, p + 14)) {
        vnc_client_close(c);
        return;
    }
    c->pf = pf;
    if (!pf.true_color) {
        vnc_put_color_map(c);
    }
    vnc_mark_all(c);
    c->cursor_changed = true;
}

static void set_encodings(VncClient *c, const uint8_t *p, unsigned n)
{
    static const struct {
        int32_t encoding;
        unsigned feature;
    } features[] = {
        { ENC_DESKTOP_SIZE, F_DESKTOP_SIZE }, { ENC_EXTENDED_DESKTOP_SIZE, F_EXTENDED_DESKTOP_SIZE }, { ENC_CURSOR, F_CURSOR },
        { ENC_ALPHA_CURSOR, F_ALPHA_CURSOR }, { ENC_POINTER_CHANGE, F_POINTER_CHANGE }, { ENC_EXTENDED_KEY, F_EXTENDED_KEY },
        { ENC_LED_STATE, F_LED_STATE }, { ENC_WMVI, F_WMVI }, { ENC_COPYRECT, F_COPYRECT },
    };
    unsigned had = c->features;
    bool chosen = false;

    c->features = 0;
    c->encoding = ENC_RAW;
    for (unsigned i = 0; i < n; i++, p += 4) {
        int32_t encoding = (int32_t)ldbe32(p);
        bool known = encoding == ENC_RAW || encoding == ENC_HEXTILE || encoding == ENC_ZLIB || encoding == ENC_ZRLE;
        if (known && !chosen) { /* in the client's order of preference */
            c->encoding = encoding;
            chosen = true;
        } else if (encoding >= ENC_COMPRESS_0 && encoding <= ENC_COMPRESS_9) {
            c->compress_level = encoding - ENC_COMPRESS_0;
        }
        for (unsigned k = 0; k < ARRAY_SIZE(features); k++) {
            c->features |= encoding == features[k].encoding ? features[k].feature : 0;
        }
    }
    unsigned gained = c->features & ~had;
    c->cursor_changed |= (gained & (F_CURSOR | F_ALPHA_CURSOR)) != 0;
    c->mode_changed |= (gained & F_POINTER_CHANGE) != 0;
    c->leds_changed |= (gained & F_LED_STATE) != 0;
    /* That extended keys are understood is said once; that the size may change by telling it. */
    if (gained & F_EXTENDED_KEY) {
        c->mode_changed |= (c->features & F_POINTER_CHANGE) != 0;
        c->keys_offered = false;
    }
    c->size_changed |= (gained & (F_EXTENDED_DESKTOP_SIZE | F_DESKTOP_SIZE | F_WMVI)) != 0;
    TRACE("vnc_encodings", "encoding %d features 0x%x", c->encoding, c->features);
}

static void update_request(VncClient *c, const uint8_t *p)
{
    const VncServer *s = c->server;

    c->ask_x = MIN(ldbe16(p + 2), s->width);
    c->ask_y = MIN(ldbe16(p + 4), s->height);
    c->ask_width = MIN(ldbe16(p + 6), s->width - c->ask_x);
    c->ask_height = MIN(ldbe16(p + 8), s->height - c->ask_y);
    c->wants_update = true;
    if (!p[1]) { /* not incremental: all of it, changed or not */
        c->forced = true;
        for (uint32_t y = c->ask_y / VNC_TILE; y < DIV_ROUND_UP(c->ask_y + c->ask_height, VNC_TILE) && c->ask_width; y++) {
            for (uint32_t x = c->ask_x / VNC_TILE; x < DIV_ROUND_UP(c->ask_x + c->ask_width, VNC_TILE); x++) {
                c->dirty[(size_t)y * s->row_words + x / 64] |= BIT(x % 64);
            }
        }
    }
    vnc_server_wake(c->server);
}

/* ---- keys ---- */

static void send_key(VncClient *c, InputKey key, bool down)
{
    uint64_t bit = BIT(key % 64);

    if (key >= INPUT_N_KEYS || key == INPUT_KEY_UNMAPPED) {
        return;
    }
    c->keys_down[key / 64] = down ? c->keys_down[key / 64] | bit : c->keys_down[key / 64] & ~bit;
    input_send(c->server->con, &(InputEvent){ .kind = INPUT_KEY_EVENT, .code = key, .down = down });
    input_sync();
    vnc_server_wake(c->server);
}

void vnc_release_keys(VncClient *c)
{
    for (unsigned k = 0; k < INPUT_N_KEYS; k++) {
        if (c->keys_down[k / 64] >> k % 64 & 1) {
            send_key(c, (InputKey)k, false);
        }
    }
    static const InputButton buttons[] = { INPUT_BUTTON_LEFT, INPUT_BUTTON_MIDDLE, INPUT_BUTTON_RIGHT };
    for (unsigned i = 0; i < ARRAY_SIZE(buttons); i++) {
        if (c->buttons >> i & 1) {
            input_send(c->server->con, &(InputEvent){ .kind = INPUT_BUTTON_EVENT, .code = buttons[i] });
            input_sync();
        }
    }
    c->buttons = 0;
}

static bool shift_down(const VncClient *c)
{
    return (c->keys_down[INPUT_KEY_SHIFT / 64] >> INPUT_KEY_SHIFT % 64 & 1) ||
           (c->keys_down[INPUT_KEY_SHIFT_R / 64] >> INPUT_KEY_SHIFT_R % 64 & 1);
}

static bool is_letter(uint32_t keysym)
{
    return (keysym >= 'a' && keysym <= 'z') || (keysym >= 'A' && keysym <= 'Z');
}

/* A client that has Caps Lock on sends capitals without Shift: the guest's lock must follow, else it would see the wrong case. */
static void follow_caps_lock(VncClient *c, uint32_t keysym)
{
    bool upper = keysym <= 'Z', caps = input_leds() & INPUT_LED_CAPS;

    if (c->server->lock_key_sync && upper != (shift_down(c) != caps)) {
        send_key(c, INPUT_KEY_CAPS_LOCK, true);
        send_key(c, INPUT_KEY_CAPS_LOCK, false);
    }
}

static void key_event(VncClient *c, bool down, uint32_t keysym)
{
    KeymapKey found = keymap_find(c->server->keymap, keysym);

    TRACE("vnc_key", "keysym 0x%x set1 0x%x %s", keysym, found.set1, down ? "down" : "up");
    if (!found.set1) {
        return;
    }
    if (down && is_letter(keysym)) {
        follow_caps_lock(c, keysym);
    }
    send_key(c, input_key_from_xt(found.set1), down);
}

static void extended_key_event(VncClient *c, bool down, uint32_t keysym, uint32_t code)
{
    if (!code || code > 0xff) {
        key_event(c, down, keysym);
        return;
    }
    if (down && is_letter(keysym)) {
        follow_caps_lock(c, keysym);
    }
    send_key(c, input_key_from_xt(code), down);
}

/* ---- pointer ---- */

static void send_pointer(VncClient *c, InputKind kind, int code, int value, bool down)
{
    input_send(c->server->con, &(InputEvent){ .kind = kind, .code = code, .value = value, .down = down });
}

static int scaled(unsigned at, uint32_t size)
{
    return size > 1 ? (int)MIN((uint64_t)at * INPUT_ABS_MAX / (size - 1), (uint64_t)INPUT_ABS_MAX) : 0;
}

static void pointer_event(VncClient *c, unsigned buttons, int x, int y)
{
    static const InputButton map[] = { INPUT_BUTTON_LEFT, INPUT_BUTTON_MIDDLE, INPUT_BUTTON_RIGHT, INPUT_BUTTON_WHEEL_UP,
                                       INPUT_BUTTON_WHEEL_DOWN, INPUT_BUTTON_WHEEL_LEFT, INPUT_BUTTON_WHEEL_RIGHT };
    const VncServer *s = c->server;

    for (unsigned i = 0; i < ARRAY_SIZE(map); i++) {
        if ((buttons ^ c->buttons) >> i & 1) {
            send_pointer(c, INPUT_BUTTON_EVENT, map[i], 0, buttons >> i & 1);
        }
    }
    c->buttons = buttons;
    if (input_is_absolute()) {
        send_pointer(c, INPUT_ABS_EVENT, INPUT_AXIS_X, scaled((unsigned)x, s->width), false);
        send_pointer(c, INPUT_ABS_EVENT, INPUT_AXIS_Y, scaled((unsigned)y, s->height), false);
    } else if (c->features & F_POINTER_CHANGE) {
        /* The client was told that positions are distances from the middle. */
        send_pointer(c, INPUT_REL_EVENT, INPUT_AXIS_X, x - 0x7fff, false);
        send_pointer(c, INPUT_REL_EVENT, INPUT_AXIS_Y, y - 0x7fff, false);
    } else {
        if (c->last_x >= 0) {
            send_pointer(c, INPUT_REL_EVENT, INPUT_AXIS_X, x - c->last_x, false);
            send_pointer(c, INPUT_REL_EVENT, INPUT_AXIS_Y, y - c->last_y, false);
        }
        c->last_x = x;
        c->last_y = y;
    }
    input_sync();
    vnc_server_wake(c->server);
}

static void set_desktop_size(VncClient *c, const uint8_t *p)
{
    VncServer *s = c->server;
    uint32_t width = ldbe16(p + 2), height = ldbe16(p + 4);

    c->size_answer = true;
    c->size_reason = 1;
    if (!s->con || !console_can_resize(s->con)) {
        c->size_status = 1; /* prohibited */
    } else if (!width || !height || width > CONSOLE_MAX_WIDTH || height > CONSOLE_MAX_HEIGHT) {
        c->size_status = 3; /* invalid layout */
    } else {
        c->size_status = 4; /* the guest has been asked */
        console_ask_size(s->con, width, height);
    }
    vnc_server_wake(s);
}

size_t vnc_message(VncClient *c, const uint8_t *p, size_t n)
{
    size_t len;

    switch (p[0]) {
    case MSG_SET_FORMAT:
        if (n < 20) {
            return 0;
        }
        set_format(c, p);
        return 20;
    case MSG_SET_ENCODINGS:
        len = n >= 4 ? 4 + 4u * ldbe16(p + 2) : SIZE_MAX;
        if (n < len) {
            return 0;
        }
        set_encodings(c, p + 4, ldbe16(p + 2));
        return len;
    case MSG_UPDATE_REQUEST:
        if (n < 10) {
            return 0;
        }
        update_request(c, p);
        return 10;
    case MSG_KEY:
        if (n < 8) {
            return 0;
        }
        key_event(c, p[1] != 0, ldbe32(p + 4));
        return 8;
    case MSG_POINTER:
        if (n < 6) {
            return 0;
        }
        pointer_event(c, p[1], ldbe16(p + 2), ldbe16(p + 4));
        return 6;
    case MSG_CUT_TEXT:
        if (n < 8) {
            return 0;
        }
        /* No guest to give it to. A negative length is the extended form: its size is the absolute value. */
        c->skip = ldbe32(p + 4) & 0x80000000 ? -ldbe32(p + 4) : ldbe32(p + 4);
        return 8;
    case MSG_SET_DESKTOP_SIZE:
        len = n >= 8 ? 8 + 16u * p[6] : SIZE_MAX;
        if (n < len) {
            return 0;
        }
        set_desktop_size(c, p);
        return len;
    case MSG_QEMU:
        if (n < 2 || (p[1] == QEMU_KEY && n < 12)) {
            return 0;
        }
        if (p[1] == QEMU_KEY) {
            extended_key_event(c, ldbe16(p + 2) != 0, ldbe32(p + 4), ldbe32(p + 8));
            return 12;
        }
        break;
    }
    TRACE("vnc_unknown_message", "type %u", p[0]);
    vnc_client_close(c);
    return 1;
}
