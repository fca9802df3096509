/*
 * display.c: which display there is, by options or by default.
 *
 * Default, when nothing was asked for and the machine has a screen: a window if SDL is there and has somewhere to open one, else a
 * VNC server on localhost, as in the reference.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "softmmu/options.h"
#include "ui/console.h"
#include "ui/display.h"
#include "util/alloc.h"

static struct {
    enum { DISPLAY_DEFAULT, DISPLAY_NONE, DISPLAY_SDL, DISPLAY_VNC } type;
    SdlOptions sdl;
    bool full_screen, no_vnc;
    char *layout;
    const char *name;
    VEC(char *) vnc;
} chosen; /* writable while options are parsed */

static const char *const type_names[] = { "default", "none", "sdl", "vnc" };

void display_print_types(void)
{
    printf("Available display backend types:\nnone\n");
    if (sdl_start) {
        printf("sdl\n");
    }
}

static bool sdl_option(const Json *opts, Error **errp)
{
    static const char *const known[] = { "type", "full-screen", "window-close", "show-cursor", "grab-mod", "gl", "alt_grab", "ctrl_grab", NULL };
    SdlOptions *o = &chosen.sdl;
    const char *grab, *gl;

    o->has_show_cursor = opts_is_set(opts, "show-cursor");
    if (!opts_check(opts, "-display sdl", known, errp) || !opts_bool(opts, "full-screen", false, &o->full_screen, errp) ||
        !opts_bool(opts, "window-close", true, &o->window_close, errp) || !opts_bool(opts, "show-cursor", false, &o->show_cursor, errp) ||
        !opts_bool(opts, "alt_grab", false, &o->alt_grab, errp) || !opts_bool(opts, "ctrl_grab", false, &o->ctrl_grab, errp) ||
        !opts_string(opts, "grab-mod", "lctrl-lalt", &grab, errp) || !opts_string(opts, "gl", "off", &gl, errp)) {
        return false;
    }
    if (strcmp(gl, "off")) {
        error_set(errp, "gl=%s: OpenGL is not supported", gl);
        return false;
    }
    if (!strcmp(grab, "lshift-lctrl-lalt")) {
        o->alt_grab = true;
    } else if (!strcmp(grab, "rctrl")) {
        o->ctrl_grab = true;
    } else if (strcmp(grab, "lctrl-lalt")) {
        error_set(errp, "Parameter 'grab-mod' does not accept value '%s'", grab);
        return false;
    }
    return true;
}

bool display_set_option(const Json *opts, Error **errp)
{
    static const char *const absent[] = { "gtk", "curses", "spice-app", "dbus", "egl-headless", "cocoa" };
    static const char *const none_known[] = { "type", "full-screen", "window-close", "show-cursor", NULL };
    const char *type = json_get_string(opts, "type");

    type = type ? type : "";
    if (!strcmp(type, "vnc")) {
        error_set(errp, "VNC requires a display argument vnc=<display>");
        return false;
    }
    if (!strcmp(type, "sdl")) {
        chosen.type = DISPLAY_SDL;
        if (!sdl_start) {
            error_set(errp, "Display 'sdl' is not available: this build has no SDL");
            return false;
        }
        return sdl_option(opts, errp);
    }
    if (!strcmp(type, "none") || !strcmp(type, "default")) {
        chosen.type = *type == 'n' ? DISPLAY_NONE : DISPLAY_DEFAULT;
        return opts_check(opts, "-display", none_known, errp);
    }
    for (size_t i = 0; i < ARRAY_SIZE(absent); i++) {
        if (!strcmp(type, absent[i])) {
            error_set(errp, "Display '%s' is not available", type);
            return false;
        }
    }
    error_set(errp, "Parameter 'type' does not accept value '%s'", type);
    return false;
}

void display_set_full_screen(void)
{
    chosen.full_screen = true;
}

bool display_set_layout(const char *name, Error **errp)
{
    free(chosen.layout);
    chosen.layout = xstrdup(name);
    return keymap_get(name, errp) != NULL;
}

const char *display_layout(void)
{
    return chosen.layout;
}

bool display_add_vnc(const char *text, Error **errp)
{
    if (!strncmp(text, "none", 4) && (!text[4] || text[4] == ',')) {
        chosen.no_vnc = true;
        return true;
    }
    *vec_push(&chosen.vnc) = xstrdup(text);
    return true;
}

char *display_title(void)
{
    return chosen.name ? xasprintf("QEMU (%s)", chosen.name) : xstrdup("QEMU");
}

static bool start_window(Error **errp)
{
    SdlOptions options = chosen.sdl;

    if (chosen.type == DISPLAY_DEFAULT) {
        options.window_close = true;
    }
    options.full_screen |= chosen.full_screen;
    chosen.sdl = options;
    return sdl_start(&options, errp);
}

bool display_start(bool nographic, const char *name, Error **errp)
{
    bool nothing_asked = chosen.type == DISPLAY_DEFAULT && !chosen.vnc.n && !chosen.no_vnc && !nographic && console_count();

    chosen.name = name;

    for (size_t i = 0; i < chosen.vnc.n; i++) {
        if (!vnc_start(chosen.vnc.at[i], errp)) {
            error_prepend(errp, "-vnc %s: ", chosen.vnc.at[i]);
            return false;
        }
    }
    if (chosen.type == DISPLAY_SDL || (nothing_asked && sdl_can_start && sdl_can_start())) {
        chosen.type = DISPLAY_SDL;
        return start_window(errp);
    }
    if (nothing_asked) {
        chosen.type = DISPLAY_VNC;
        return vnc_start_default(errp);
    }
    return true;
}

void display_finish(void)
{
    vnc_finish();
    if (chosen.type == DISPLAY_SDL && sdl_finish) {
        sdl_finish();
    }
}

Json *display_describe(void)
{
    Json *ret = json_object();
    bool is_sdl = chosen.type == DISPLAY_SDL;

    json_put_string(ret, "type", is_sdl ? type_names[DISPLAY_SDL] : type_names[DISPLAY_NONE]);
    if (is_sdl) {
        json_put_bool(ret, "full-screen", chosen.sdl.full_screen);
        json_put_bool(ret, "window-close", chosen.sdl.window_close);
    }
    return ret;
}
