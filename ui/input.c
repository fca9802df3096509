/*
 * input.c: who gets key, pointer and button events (see ui/input.h).
 */
#include "ui/input.h"
#include <string.h>
#include "softmmu/clock.h"
#include "softmmu/machine.h"
#include "util/alloc.h"
#include "util/trace.h"

typedef struct Consumer {
    const InputHandler *handler;
    void *opaque;
    struct Console *con;
    int id;
    bool pending; /* got events since its last sync */
    struct Consumer *next;
} Consumer;

/* Writable, process wide: the events of a machine have one destination. */
static Consumer *consumers; /* the one in front first */
static int last_id;
static unsigned leds_on;

int input_register(const InputHandler *handler, void *opaque)
{
    Consumer *c = xnew(Consumer), **at = &consumers;

    c->handler = handler;
    c->opaque = opaque;
    c->id = ++last_id;
    while (*at) {
        at = &(*at)->next;
    }
    *at = c;
    return c->id;
}

static Consumer *take(int id)
{
    for (Consumer **at = &consumers; *at; at = &(*at)->next) {
        if ((*at)->id == id) {
            Consumer *c = *at;
            *at = c->next;
            c->next = NULL;
            return c;
        }
    }
    return NULL;
}

void input_unregister(int id)
{
    free(take(id));
}

void input_activate(int id)
{
    Consumer *c = take(id);

    if (c) {
        c->next = consumers;
        consumers = c;
    }
}

void input_deactivate(int id)
{
    Consumer *c = take(id), **at = &consumers;

    while (*at) {
        at = &(*at)->next;
    }
    *at = c;
}

void input_bind(int id, struct Console *con)
{
    for (Consumer *c = consumers; c; c = c->next) {
        if (c->id == id) {
            c->con = con;
        }
    }
}

/* One that belongs to the console before one that belongs to none. */
static Consumer *destination(struct Console *con, unsigned kind)
{
    Consumer *any = NULL;

    for (Consumer *c = consumers; c; c = c->next) {
        if (!(c->handler->kinds & kind)) {
            continue;
        }
        if (con && c->con == con) {
            return c;
        }
        any = any || c->con ? any : c;
    }
    return any;
}

static bool guest_listens(void)
{
    return machine_current() && (run_state_is(RUN_STATE_RUNNING) || run_state_is(RUN_STATE_SUSPENDED));
}

void input_send(struct Console *con, const InputEvent *event)
{
    Consumer *c = guest_listens() ? destination(con, event->kind) : NULL;

    if (event->kind == INPUT_KEY_EVENT) {
        TRACE("input_key", "%s %s", input_key_name((InputKey)event->code), event->down ? "down" : "up");
    } else {
        TRACE("input_pointer", "kind %u code %d down %d value %d", event->kind, event->code, event->down, event->value);
    }
    if (c) {
        c->handler->event(c->opaque, event);
        c->pending = true;
    }
}

void input_send_key(InputKey key, bool down)
{
    input_send(NULL, &(InputEvent){ .kind = INPUT_KEY_EVENT, .code = key, .down = down });
    input_sync();
}

void input_send_button(InputButton button, bool down)
{
    input_send(NULL, &(InputEvent){ .kind = INPUT_BUTTON_EVENT, .code = button, .down = down });
}

void input_send_rel(int axis, int distance)
{
    input_send(NULL, &(InputEvent){ .kind = INPUT_REL_EVENT, .code = axis, .value = distance });
}

void input_send_abs(int axis, int value, int max)
{
    int64_t scaled = max > 1 ? (int64_t)value * INPUT_ABS_MAX / (max - 1) : 0;

    scaled = MIN(MAX(scaled, 0), INPUT_ABS_MAX);
    input_send(NULL, &(InputEvent){ .kind = INPUT_ABS_EVENT, .code = axis, .value = (int)scaled });
}

void input_sync(void)
{
    for (Consumer *c = consumers; c; c = c->next) {
        if (c->pending) {
            c->pending = false;
            if (c->handler->sync) {
                c->handler->sync(c->opaque);
            }
        }
    }
}

/* The pointing device in front decides: a tablet behind a mouse is not in use. */
bool input_is_absolute(void)
{
    Consumer *c = destination(NULL, INPUT_REL_EVENT | INPUT_ABS_EVENT);
    return c && (c->handler->kinds & INPUT_ABS_EVENT);
}

unsigned input_kinds(void)
{
    unsigned kinds = 0;
    for (Consumer *c = consumers; c; c = c->next) {
        kinds |= c->handler->kinds;
    }
    return kinds;
}

bool input_mouse_at(unsigned i, const char **ret_name, int *ret_id, bool *ret_absolute, bool *ret_current)
{
    bool first = true;

    for (Consumer *c = consumers; c; c = c->next) {
        if (!(c->handler->kinds & (INPUT_REL_EVENT | INPUT_ABS_EVENT))) {
            continue;
        }
        if (!i--) {
            *ret_name = c->handler->name;
            *ret_id = c->id;
            *ret_absolute = c->handler->kinds & INPUT_ABS_EVENT;
            *ret_current = first;
            return true;
        }
        first = false;
    }
    return false;
}

void input_set_leds(unsigned leds)
{
    leds_on = leds;
}

unsigned input_leds(void)
{
    return leds_on;
}

/* ---- names and codes ---- */

static const struct {
    const char *qcode;
    uint16_t set1;
    uint8_t set3;
    uint8_t linux_code;
} keys[INPUT_N_KEYS] = {
#define KEY(name, qcode, set1, set3, linux_code) [INPUT_KEY_##name] = { qcode, set1, set3, linux_code },
#include "ui/keys.def"
#undef KEY
};

InputKey input_key_from_name(const char *name, size_t len)
{
    for (unsigned k = 0; k < INPUT_N_KEYS; k++) {
        if (strlen(keys[k].qcode) == len && !memcmp(keys[k].qcode, name, len)) {
            return (InputKey)k;
        }
    }
    return INPUT_N_KEYS;
}

const char *input_key_name(InputKey key)
{
    return key < INPUT_N_KEYS ? keys[key].qcode : "unmapped";
}

unsigned input_key_to_xt(InputKey key)
{
    return key < INPUT_N_KEYS ? keys[key].set1 : 0;
}

InputKey input_key_from_xt(unsigned code)
{
    if (code >= 0x80 && code <= 0xff) {
        code = 0xe000 | (code & 0x7f);
    }
    for (unsigned k = 0; k < INPUT_N_KEYS && code; k++) {
        /* kp_multiply, not its old name asterisk. */
        if (keys[k].set1 == code && k != INPUT_KEY_ASTERISK) {
            return (InputKey)k;
        }
    }
    return INPUT_N_KEYS;
}

unsigned input_key_to_set3(InputKey key)
{
    return key < INPUT_N_KEYS ? keys[key].set3 : 0;
}

unsigned input_key_to_linux(InputKey key)
{
    return key < INPUT_N_KEYS ? keys[key].linux_code : 0;
}

/* ---- keys pressed by a command, for a time ---- */

typedef struct Press {
    struct Press *next;
    unsigned hold_ms, n_keys;
    InputKey keys[];
} Press;

static struct {
    Press *first, *last;
    unsigned n;
    bool down, started;
    Timer timer;
} presses; /* writable: what sendkey has still to do */

enum { PRESS_MAX = 1024, PRESS_PAUSE_MS = 10 };

static void press_next(void *opaque)
{
    Press *p = presses.first;
    int64_t now = clock_get_ns(VM_CLOCK_VIRTUAL);

    if (!p) {
        return;
    }
    if (!presses.down) {
        for (unsigned i = 0; i < p->n_keys; i++) {
            input_send_key(p->keys[i], true);
        }
        presses.down = true;
        timer_set_ns(&presses.timer, now + p->hold_ms * NS_PER_MS);
        return;
    }
    for (unsigned i = p->n_keys; i--;) {
        input_send_key(p->keys[i], false);
    }
    presses.down = false;
    presses.first = p->next;
    presses.last = p->next ? presses.last : NULL;
    presses.n--;
    free(p);
    if (presses.first) {
        timer_set_ns(&presses.timer, now + PRESS_PAUSE_MS * NS_PER_MS);
    }
}

void input_press_keys(const InputKey *k, unsigned n_keys, unsigned hold_ms)
{
    if (presses.n == PRESS_MAX) {
        return; /* a client that sends faster than keys can be held */
    }
    Press *p = xcalloc(1, sizeof(*p) + n_keys * sizeof(*k));
    p->hold_ms = hold_ms;
    p->n_keys = n_keys;
    memcpy(p->keys, k, n_keys * sizeof(*k));
    if (!presses.started) {
        presses.started = true;
        timer_init(&presses.timer, VM_CLOCK_VIRTUAL, press_next, NULL);
    }
    presses.n++;
    if (presses.last) {
        presses.last->next = p;
        presses.last = p;
    } else {
        presses.first = presses.last = p;
        press_next(NULL);
    }
}
