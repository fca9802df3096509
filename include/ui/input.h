/*
 * input.h: key, pointer and button events from displays and monitors to guest devices.
 *
 * Producers (VNC, SDL, sendkey, QMP input-send-event) name keys by QKeyCode as QMP does; consumers (PS/2, USB and virtio input devices)
 * register a handler. An event goes to the newest active handler that takes its kind; events between two input_sync() belong together.
 *
 * Threads: BQL.
 */
#ifndef UI_INPUT_H
#define UI_INPUT_H

#include "util/error.h"

typedef enum InputKey {
#define KEY(name, qcode) INPUT_KEY_##name,
#include "ui/keys.def"
#undef KEY
    INPUT_N_KEYS
} InputKey;

typedef enum InputButton {
    INPUT_BUTTON_LEFT, INPUT_BUTTON_MIDDLE, INPUT_BUTTON_RIGHT, INPUT_BUTTON_WHEEL_UP, INPUT_BUTTON_WHEEL_DOWN,
    INPUT_BUTTON_SIDE, INPUT_BUTTON_EXTRA, INPUT_BUTTON_WHEEL_LEFT, INPUT_BUTTON_WHEEL_RIGHT, INPUT_N_BUTTONS
} InputButton;

enum { INPUT_AXIS_X, INPUT_AXIS_Y };
enum { INPUT_ABS_MAX = 0x7fff };

typedef enum InputKind { INPUT_KEY_EVENT = 1, INPUT_BUTTON_EVENT = 2, INPUT_REL_EVENT = 4, INPUT_ABS_EVENT = 8 } InputKind;

typedef struct InputEvent {
    InputKind kind;
    bool down;             /* key, button */
    int code;              /* InputKey, InputButton, axis */
    int value;             /* relative: distance; absolute: 0..INPUT_ABS_MAX */
} InputEvent;

typedef struct InputHandler {
    const char *name;      /* "QEMU PS/2 Keyboard", as query-mice shows it */
    unsigned kinds;        /* InputKind bits it takes */
    void (*event)(void *opaque, const InputEvent *event);
    void (*sync)(void *opaque);   /* a group of events is complete; may be NULL */
} InputHandler;

/* Returns an id for input_unregister(); the newest registered is in front. */
int input_register(const InputHandler *handler, void *opaque);
void input_unregister(int id);
void input_activate(int id);

void input_send_key(InputKey key, bool down);
void input_send_button(InputButton button, bool down);
void input_send_rel(int axis, int distance);
void input_send_abs(int axis, int value, int max);
void input_sync(void);
/* Whether somebody takes absolute positions now. */
bool input_is_absolute(void);
/* Keyboard LEDs: bit 0 scroll, 1 num, 2 caps. Set by keyboards, watched by displays. */
void input_set_leds(unsigned leds);
unsigned input_leds(void);

/* "a", "ret", "ctrl"…: QKeyCode names and sendkey's spellings. INPUT_N_KEYS: unknown. */
InputKey input_key_from_name(const char *name);
const char *input_key_name(InputKey key);
/* PC/AT set 1 code (bit 7 of a high byte: 0xe0 prefix, as 0xe0xx); 0: none. Used by PS/2 and RFB extended keys. */
unsigned input_key_to_xt(InputKey key);
InputKey input_key_from_xt(unsigned code);

#endif
