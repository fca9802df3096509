/*
 * hid-keys.c: keys as usages of the keyboard page.
 *
 * Specification: HID Usage Tables 1.12, 10. Keys of other pages (media, power) have none.
 */
#include "hw/usb/hid.h"

#define K(key) INPUT_KEY_##key

uint8_t hid_key_usage(InputKey key)
{
    static const uint8_t usages[INPUT_N_KEYS] = {
        [K(A)] = 0x04, [K(B)] = 0x05, [K(C)] = 0x06, [K(D)] = 0x07, [K(E)] = 0x08, [K(F)] = 0x09, [K(G)] = 0x0a, [K(H)] = 0x0b,
        [K(I)] = 0x0c, [K(J)] = 0x0d, [K(K)] = 0x0e, [K(L)] = 0x0f, [K(M)] = 0x10, [K(N)] = 0x11, [K(O)] = 0x12, [K(P)] = 0x13,
        [K(Q)] = 0x14, [K(R)] = 0x15, [K(S)] = 0x16, [K(T)] = 0x17, [K(U)] = 0x18, [K(V)] = 0x19, [K(W)] = 0x1a, [K(X)] = 0x1b,
        [K(Y)] = 0x1c, [K(Z)] = 0x1d,
        [K(D1)] = 0x1e, [K(D2)] = 0x1f, [K(D3)] = 0x20, [K(D4)] = 0x21, [K(D5)] = 0x22, [K(D6)] = 0x23, [K(D7)] = 0x24, [K(D8)] = 0x25,
        [K(D9)] = 0x26, [K(D0)] = 0x27,
        [K(RET)] = 0x28, [K(ESC)] = 0x29, [K(BACKSPACE)] = 0x2a, [K(TAB)] = 0x2b, [K(SPC)] = 0x2c, [K(MINUS)] = 0x2d, [K(EQUAL)] = 0x2e,
        [K(BRACKET_LEFT)] = 0x2f, [K(BRACKET_RIGHT)] = 0x30, [K(BACKSLASH)] = 0x31, [K(SEMICOLON)] = 0x33, [K(APOSTROPHE)] = 0x34,
        [K(GRAVE_ACCENT)] = 0x35, [K(COMMA)] = 0x36, [K(DOT)] = 0x37, [K(SLASH)] = 0x38, [K(CAPS_LOCK)] = 0x39,
        [K(F1)] = 0x3a, [K(F2)] = 0x3b, [K(F3)] = 0x3c, [K(F4)] = 0x3d, [K(F5)] = 0x3e, [K(F6)] = 0x3f, [K(F7)] = 0x40, [K(F8)] = 0x41,
        [K(F9)] = 0x42, [K(F10)] = 0x43, [K(F11)] = 0x44, [K(F12)] = 0x45,
        [K(PRINT)] = 0x46, [K(SYSRQ)] = 0x46, [K(SCROLL_LOCK)] = 0x47, [K(PAUSE)] = 0x48, [K(INSERT)] = 0x49, [K(HOME)] = 0x4a,
        [K(PGUP)] = 0x4b, [K(DELETE)] = 0x4c, [K(END)] = 0x4d, [K(PGDN)] = 0x4e, [K(RIGHT)] = 0x4f, [K(LEFT)] = 0x50, [K(DOWN)] = 0x51,
        [K(UP)] = 0x52, [K(NUM_LOCK)] = 0x53,
        [K(KP_DIVIDE)] = 0x54, [K(KP_MULTIPLY)] = 0x55, [K(ASTERISK)] = 0x55, [K(KP_SUBTRACT)] = 0x56, [K(KP_ADD)] = 0x57,
        [K(KP_ENTER)] = 0x58, [K(KP_1)] = 0x59, [K(KP_2)] = 0x5a, [K(KP_3)] = 0x5b, [K(KP_4)] = 0x5c, [K(KP_5)] = 0x5d, [K(KP_6)] = 0x5e,
        [K(KP_7)] = 0x5f, [K(KP_8)] = 0x60, [K(KP_9)] = 0x61, [K(KP_0)] = 0x62, [K(KP_DECIMAL)] = 0x63,
        [K(LESS)] = 0x64, [K(COMPOSE)] = 0x65, [K(MENU)] = 0x76, [K(POWER)] = 0x66, [K(KP_EQUALS)] = 0x67,
        [K(F13)] = 0x68, [K(F14)] = 0x69, [K(F15)] = 0x6a, [K(F16)] = 0x6b, [K(F17)] = 0x6c, [K(F18)] = 0x6d, [K(F19)] = 0x6e,
        [K(F20)] = 0x6f, [K(F21)] = 0x70, [K(F22)] = 0x71, [K(F23)] = 0x72, [K(F24)] = 0x73,
        [K(OPEN)] = 0x74, [K(HELP)] = 0x75, [K(PROPS)] = 0xa3, [K(FRONT)] = 0x77, [K(STOP)] = 0x78, [K(AGAIN)] = 0x79, [K(UNDO)] = 0x7a,
        [K(CUT)] = 0x7b, [K(COPY)] = 0x7c, [K(PASTE)] = 0x7d, [K(FIND)] = 0x7e, [K(AUDIOMUTE)] = 0x7f, [K(VOLUMEUP)] = 0x80,
        [K(VOLUMEDOWN)] = 0x81, [K(KP_COMMA)] = 0x85, [K(RO)] = 0x87, [K(KATAKANAHIRAGANA)] = 0x88, [K(YEN)] = 0x89, [K(HENKAN)] = 0x8a,
        [K(MUHENKAN)] = 0x8b, [K(LANG1)] = 0x90, [K(LANG2)] = 0x91, [K(HIRAGANA)] = 0x93,
        [K(CTRL)] = 0xe0, [K(SHIFT)] = 0xe1, [K(ALT)] = 0xe2, [K(META_L)] = 0xe3, [K(CTRL_R)] = 0xe4, [K(SHIFT_R)] = 0xe5, [K(ALT_R)] = 0xe6,
        [K(META_R)] = 0xe7,
    };

    return key < INPUT_N_KEYS ? usages[key] : 0;
}
