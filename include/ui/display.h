/*
 * display.h: what shows the guest's screens to people: the choice by options, VNC servers, the SDL window.
 *
 * Threads: BQL, main loop.
 */
#ifndef UI_DISPLAY_H
#define UI_DISPLAY_H

#include "util/json.h"

/* -display as a list ("type" and the type's own); -sdl, -full-screen and -nographic are short for one. */
bool display_set_option(const Json *opts, Error **errp);
void display_set_full_screen(void);
void display_print_types(void);
/* -k: kept until a display needs it. */
bool display_set_layout(const char *name, Error **errp);
const char *display_layout(void);
/* -vnc; "none" is allowed and means no VNC and no default display. */
bool display_add_vnc(const char *text, Error **errp);
/* After the machine was built: opens what was asked for, or the default where nothing was and the machine has a screen.
 * `nographic`: nothing. `name`: of the guest, for titles; kept, may be NULL. */
bool display_start(bool nographic, const char *name, Error **errp);
/* "QEMU (NAME)"; malloc'd. */
char *display_title(void);
void display_finish(void);
/* query-display-options */
Json *display_describe(void);

/* ---- VNC ---- */
/* One server from a -vnc text: "host:display,…", "unix:path", ….  */
bool vnc_start(const char *text, Error **errp);
/* One server like the reference's default: localhost, the first free display; prints where. */
bool vnc_start_default(Error **errp);
void vnc_finish(void);
/* display NULL: the first server. Fails when the server was not started with password=on. */
bool vnc_set_password(const char *display, const char *password, Error **errp);
enum { VNC_EXPIRES_NEVER = 0, VNC_EXPIRED = 1 };
/* Seconds since 1970, or the two above. */
bool vnc_expire_password(const char *display, int64_t at_s, Error **errp);
Json *vnc_describe(Error **errp);         /* query-vnc: of the first server */
Json *vnc_describe_servers(void);         /* query-vnc-servers */
unsigned vnc_count(void);
/* Told of VNC_CONNECTED and so on, with ownership of the data. */
void vnc_set_event_hook(void (*hook)(const char *event, Json *data));

/* ---- keyboard layouts ---- */
typedef struct Keymap Keymap;
/* A layout of the reference's keymap files; NULL with an error. Layouts stay loaded. */
const Keymap *keymap_get(const char *name, Error **errp);
typedef struct KeymapKey {
    unsigned set1;          /* as input_key_to_xt(); 0: no key gives this symbol */
    bool shift, altgr;
} KeymapKey;
KeymapKey keymap_find(const Keymap *map, uint32_t keysym);
/* "Aring", "U20ac", "0x1000".. as X names symbols; 0: unknown. */
uint32_t keysym_from_name(const char *name, size_t len);

/* ---- SDL ---- */
typedef struct SdlOptions {
    bool full_screen, window_close, show_cursor, has_show_cursor, alt_grab, ctrl_grab;
} SdlOptions;
/* NULL: built without. */
extern bool (*const sdl_start)(const SdlOptions *options, Error **errp);
extern bool (*const sdl_can_start)(void);
extern void (*const sdl_finish)(void);

#endif
