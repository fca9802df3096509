/*
 * input.h: key, pointer and button events from displays and monitors to guest devices.
 *
 * Producers (VNC, SDL, sendkey, QMP input-send-event) name keys by QKeyCode as QMP does; consumers (PS/2, USB and virtio input devices)
 * register a handler. An event goes to the newest active handler that takes its kind; events between two input_sync() belong together.
 * While the guest is stopped, events are lost: it could not have seen them.
 *
 * Threads: BQL.
 */
#ifndef UI_INPUT_H
#define UI_INPUT_H

#include "util/error.h"

typedef enum InputKey {
#define KEY(name, qcode, set1, set3, linux_code) INPUT_KEY_##name,
#include "ui/keys.def"
#undef KEY
    INPUT_N_KEYS
} InputKey;

typedef enum InputButton {
    INPUT_BUTTON_LEFT, INPUT_BUTTON_MIDDLE, INPUT_BUTTON_RIGHT, INPUT_BUTTON_WHEEL_UP, INPUT_BUTTON_WHEEL_DOWN,
    INPUT_BUTTON_SIDE, INPUT_BUTTON_EXTRA, INPUT_BUTTON_WHEEL_LEFT, INPUT_BUTTON_WHEEL_RIGHT, INPUT_BUTTON_TOUCH, INPUT_N_BUTTONS
} InputButton;

enum { INPUT_AXIS_X, INPUT_AXIS_Y };
enum { INPUT_ABS_MAX = 0x7fff };
enum { INPUT_LED_SCROLL = 1, INPUT_LED_NUM = 2, INPUT_LED_CAPS = 4 };

typedef enum InputKind { INPUT_KEY_EVENT = 1, INPUT_BUTTON_EVENT = 2, INPUT_REL_EVENT = 4, INPUT_ABS_EVENT = 8 } InputKind;

typedef struct InputEvent {
    InputKind kind;
    bool down;             /* key, button */
    int code;              /* InputKey, InputButton, axis */
    int value;             /* relative: distance; absolute: 0..INPUT_ABS_MAX */
} InputEvent;

typedef struct InputHandler {
    const char *name;      /* "QEMU PS/2 Mouse", as query-mice shows it */
    unsigned kinds;        /* InputKind bits it takes */
    void (*event)(void *opaque, const InputEvent *event);
    void (*sync)(void *opaque);   /* a group of events is complete; may be NULL */
} InputHandler;

/* Returns an id for input_unregister(), never 0. The newest comes behind the others; input_activate() puts one in front. */
int input_register(const InputHandler *handler, void *opaque);
void input_unregister(int id);
void input_activate(int id);
/* Behind all others again: the guest stopped using it. */
void input_deactivate(int id);
/* "display" and "head" properties: only events of this console come here. NULL: of any. */
struct Console;
void input_bind(int id, struct Console *con);

/* `con`: where the user's pointer or keyboard is; NULL: nowhere in particular. */
void input_send(struct Console *con, const InputEvent *event);
void input_send_key(InputKey key, bool down);
void input_send_button(InputButton button, bool down);
void input_send_rel(int axis, int distance);
/* value of max: 0..max - 1 over the width of the screen. */
void input_send_abs(int axis, int value, int max);
void input_sync(void);
/* Whether somebody takes absolute positions now. */
bool input_is_absolute(void);
/* The InputKind bits that somebody takes. */
unsigned input_kinds(void);
/* Keyboard LEDs, INPUT_LED_ bits. Set by keyboards, watched by displays. */
void input_set_leds(unsigned leds);
unsigned input_leds(void);
/* Keys go down, stay for hold_ms and come up in the reverse order; calls queue up behind each other. */
void input_press_keys(const InputKey *keys, unsigned n_keys, unsigned hold_ms);
/* Pointing devices in order, the one in front first. Returns false behind the last. */
bool input_mouse_at(unsigned i, const char **ret_name, int *ret_id, bool *ret_absolute, bool *ret_current);

/* QKeyCode names, case matters. INPUT_N_KEYS: unknown. */
InputKey input_key_from_name(const char *name, size_t len);
const char *input_key_name(InputKey key);
/* PC/AT set 1 code, 0xe0xx with prefix; 0: none. Used by PS/2 and RFB extended keys. */
unsigned input_key_to_xt(InputKey key);
/* 0xe0xx, or as RFB and QMP write it: bit 7 for the prefix. INPUT_N_KEYS: none. */
InputKey input_key_from_xt(unsigned code);
unsigned input_key_to_set3(InputKey key);
unsigned input_key_to_linux(InputKey key);

#endif
