/*
 * sdl.c: the guest's screens in SDL 2 windows, one for each head.
 *
 * Ctrl-Alt-G takes and lets go of pointer and keyboard, Ctrl-Alt-F switches full screen, Ctrl-Alt-U goes back to the size of the
 * picture, Ctrl-Alt-Plus and Minus scale. (With -display sdl,grab-mod=…: Shift-Ctrl-Alt, or the right Ctrl key.) The library is loaded when
 * a window is wanted: programs without one start as fast as if it was not there.
 *
 * Threads: the main loop's, on a timer. Library: SDL 2.0.12 or later, https://wiki.libsdl.org/SDL2.
 */
#include <SDL2/SDL.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "softmmu/clock.h"
#include "softmmu/machine.h"
#include "ui/console.h"
#include "ui/display.h"
#include "ui/input.h"
#include "util/alloc.h"

#define SDL_FUNCTIONS(F)                                                                                                  \
    F(SDL_InitSubSystem) F(SDL_QuitSubSystem) F(SDL_GetError) F(SDL_CreateWindow) F(SDL_DestroyWindow) F(SDL_SetWindowTitle) \
    F(SDL_CreateRenderer) F(SDL_DestroyRenderer) F(SDL_CreateTexture) F(SDL_DestroyTexture) F(SDL_UpdateTexture) F(SDL_RenderClear) \
    F(SDL_RenderCopy) F(SDL_RenderPresent) F(SDL_RenderSetLogicalSize) F(SDL_RenderWindowToLogical) F(SDL_PollEvent)         \
    F(SDL_SetWindowSize) F(SDL_GetWindowSize) F(SDL_SetWindowFullscreen) F(SDL_SetWindowGrab) F(SDL_SetRelativeMouseMode)    \
    F(SDL_ShowCursor) F(SDL_SetHint) F(SDL_CreateRGBSurfaceFrom) F(SDL_FreeSurface) F(SDL_CreateColorCursor) F(SDL_FreeCursor) \
    F(SDL_SetCursor) F(SDL_GetWindowID) F(SDL_WarpMouseInWindow) F(SDL_GetCurrentVideoDriver) F(SDL_GetDefaultCursor) F(SDL_GetModState) \
    F(SDL_SetWindowResizable) F(SDL_SetRenderDrawColor)

static struct {
#define POINTER(name) __typeof__(name) *name;
    SDL_FUNCTIONS(POINTER)
#undef POINTER
    bool loaded;
} lib; /* writable: set once, when the library is loaded */

typedef struct Window {
    ConsoleListener listener;
    Console *con;
    unsigned index;
    SDL_Window *window;
    SDL_Renderer *renderer;
    SDL_Texture *texture;
    SDL_Cursor *cursor;
    uint32_t width, height;
    unsigned scale_percent;
    bool full_screen, damaged;
    struct Window *next;
} Window;

static struct {
    Window *windows;
    SdlOptions options;
    Timer timer;
    int64_t interval_ms;
    bool grabbed, swallow;   /* swallow: the keys of a hot key come up */
    bool keys_down[INPUT_N_KEYS];
    unsigned buttons;
    RunState shown_state;
    bool shown_grab, shown, video;
} sdl; /* writable: the windows of this process */

enum { INTERVAL_MIN_MS = 16, INTERVAL_MAX_MS = 60 };

/* SDL scan codes are USB HID usages of the keyboard page (HID Usage Tables 1.3, 10). */
static const uint8_t keys[SDL_NUM_SCANCODES] = {
    [4] = INPUT_KEY_A, INPUT_KEY_B, INPUT_KEY_C, INPUT_KEY_D, INPUT_KEY_E, INPUT_KEY_F, INPUT_KEY_G, INPUT_KEY_H, INPUT_KEY_I, INPUT_KEY_J,
    INPUT_KEY_K, INPUT_KEY_L, INPUT_KEY_M, INPUT_KEY_N, INPUT_KEY_O, INPUT_KEY_P, INPUT_KEY_Q, INPUT_KEY_R, INPUT_KEY_S, INPUT_KEY_T,
    INPUT_KEY_U, INPUT_KEY_V, INPUT_KEY_W, INPUT_KEY_X, INPUT_KEY_Y, INPUT_KEY_Z, INPUT_KEY_D1, INPUT_KEY_D2, INPUT_KEY_D3, INPUT_KEY_D4,
    INPUT_KEY_D5, INPUT_KEY_D6, INPUT_KEY_D7, INPUT_KEY_D8, INPUT_KEY_D9, INPUT_KEY_D0, INPUT_KEY_RET, INPUT_KEY_ESC, INPUT_KEY_BACKSPACE,
    INPUT_KEY_TAB, INPUT_KEY_SPC, INPUT_KEY_MINUS, INPUT_KEY_EQUAL, INPUT_KEY_BRACKET_LEFT, INPUT_KEY_BRACKET_RIGHT, INPUT_KEY_BACKSLASH,
    INPUT_KEY_BACKSLASH, INPUT_KEY_SEMICOLON, INPUT_KEY_APOSTROPHE, INPUT_KEY_GRAVE_ACCENT, INPUT_KEY_COMMA, INPUT_KEY_DOT, INPUT_KEY_SLASH,
    INPUT_KEY_CAPS_LOCK, INPUT_KEY_F1, INPUT_KEY_F2, INPUT_KEY_F3, INPUT_KEY_F4, INPUT_KEY_F5, INPUT_KEY_F6, INPUT_KEY_F7, INPUT_KEY_F8,
    INPUT_KEY_F9, INPUT_KEY_F10, INPUT_KEY_F11, INPUT_KEY_F12, INPUT_KEY_PRINT, INPUT_KEY_SCROLL_LOCK, INPUT_KEY_PAUSE, INPUT_KEY_INSERT,
    INPUT_KEY_HOME, INPUT_KEY_PGUP, INPUT_KEY_DELETE, INPUT_KEY_END, INPUT_KEY_PGDN, INPUT_KEY_RIGHT, INPUT_KEY_LEFT, INPUT_KEY_DOWN,
    INPUT_KEY_UP, INPUT_KEY_NUM_LOCK, INPUT_KEY_KP_DIVIDE, INPUT_KEY_KP_MULTIPLY, INPUT_KEY_KP_SUBTRACT, INPUT_KEY_KP_ADD, INPUT_KEY_KP_ENTER,
    INPUT_KEY_KP_1, INPUT_KEY_KP_2, INPUT_KEY_KP_3, INPUT_KEY_KP_4, INPUT_KEY_KP_5, INPUT_KEY_KP_6, INPUT_KEY_KP_7, INPUT_KEY_KP_8,
    INPUT_KEY_KP_9, INPUT_KEY_KP_0, INPUT_KEY_KP_DECIMAL, INPUT_KEY_LESS, INPUT_KEY_COMPOSE, INPUT_KEY_POWER, INPUT_KEY_KP_EQUALS,
    INPUT_KEY_F13, INPUT_KEY_F14, INPUT_KEY_F15, INPUT_KEY_F16, INPUT_KEY_F17, INPUT_KEY_F18, INPUT_KEY_F19, INPUT_KEY_F20, INPUT_KEY_F21,
    INPUT_KEY_F22, INPUT_KEY_F23, INPUT_KEY_F24, [117] = INPUT_KEY_HELP, INPUT_KEY_MENU, [120] = INPUT_KEY_STOP, INPUT_KEY_AGAIN,
    INPUT_KEY_UNDO, INPUT_KEY_CUT, INPUT_KEY_COPY, INPUT_KEY_PASTE, INPUT_KEY_FIND, INPUT_KEY_AUDIOMUTE, INPUT_KEY_VOLUMEUP,
    INPUT_KEY_VOLUMEDOWN, [133] = INPUT_KEY_KP_COMMA, [135] = INPUT_KEY_RO, INPUT_KEY_KATAKANAHIRAGANA, INPUT_KEY_YEN, INPUT_KEY_HENKAN,
    INPUT_KEY_MUHENKAN, [144] = INPUT_KEY_LANG1, INPUT_KEY_LANG2, [147] = INPUT_KEY_HIRAGANA, [224] = INPUT_KEY_CTRL, INPUT_KEY_SHIFT,
    INPUT_KEY_ALT, INPUT_KEY_META_L, INPUT_KEY_CTRL_R, INPUT_KEY_SHIFT_R, INPUT_KEY_ALT_R, INPUT_KEY_META_R,
    [SDL_SCANCODE_AUDIONEXT] = INPUT_KEY_AUDIONEXT, [SDL_SCANCODE_AUDIOPREV] = INPUT_KEY_AUDIOPREV, [SDL_SCANCODE_AUDIOSTOP] = INPUT_KEY_AUDIOSTOP,
    [SDL_SCANCODE_AUDIOPLAY] = INPUT_KEY_AUDIOPLAY, [SDL_SCANCODE_AUDIOMUTE] = INPUT_KEY_AUDIOMUTE, [SDL_SCANCODE_MAIL] = INPUT_KEY_MAIL,
    [SDL_SCANCODE_CALCULATOR] = INPUT_KEY_CALCULATOR, [SDL_SCANCODE_COMPUTER] = INPUT_KEY_COMPUTER, [SDL_SCANCODE_AC_HOME] = INPUT_KEY_AC_HOME,
    [SDL_SCANCODE_AC_BACK] = INPUT_KEY_AC_BACK, [SDL_SCANCODE_AC_FORWARD] = INPUT_KEY_AC_FORWARD, [SDL_SCANCODE_AC_REFRESH] = INPUT_KEY_AC_REFRESH,
    [SDL_SCANCODE_AC_BOOKMARKS] = INPUT_KEY_AC_BOOKMARKS, [SDL_SCANCODE_SLEEP] = INPUT_KEY_SLEEP,
};

static bool load(Error **errp)
{
    void *so = lib.loaded ? NULL : dlopen("libSDL2-2.0.so.0", RTLD_NOW | RTLD_LOCAL);

    if (lib.loaded) {
        return true;
    }
    if (!so) {
        error_set(errp, "Display 'sdl' is not available: %s", dlerror());
        return false;
    }
#define LOOK_UP(name)                                                                                                     \
    *(void **)&lib.name = dlsym(so, #name);                                                                               \
    if (!lib.name) {                                                                                                      \
        error_set(errp, "Display 'sdl' is not available: the library has no " #name);                                     \
        return false;                                                                                                     \
    }
    SDL_FUNCTIONS(LOOK_UP)
#undef LOOK_UP
    lib.loaded = true;
    return true;
}

/* ---- pictures ---- */

static void drop_texture(Window *w)
{
    if (w->texture) {
        lib.SDL_DestroyTexture(w->texture);
        w->texture = NULL;
    }
}

static void fit_window(Window *w)
{
    if (!w->full_screen) {
        lib.SDL_SetWindowSize(w->window, (int)(w->width * w->scale_percent / 100), (int)(w->height * w->scale_percent / 100));
    }
    lib.SDL_RenderSetLogicalSize(w->renderer, (int)w->width, (int)w->height);
}

static Window *window_of(ConsoleListener *l)
{
    return container_of(l, Window, listener);
}

static void upload(Window *w, uint32_t x, uint32_t y, uint32_t width, uint32_t height)
{
    const Surface *s = console_surface(w->con);
    SDL_Rect r = { (int)x, (int)y, (int)width, (int)height };

    if (w->texture && s) {
        lib.SDL_UpdateTexture(w->texture, &r, surface_row(s, y) + x, (int)s->stride_bytes);
        w->damaged = true;
    }
}

static void on_switched(ConsoleListener *l, Surface *surface)
{
    Window *w = window_of(l);

    drop_texture(w);
    w->damaged = true;
    if (!surface) {
        return;
    }
    w->texture = lib.SDL_CreateTexture(w->renderer, SDL_PIXELFORMAT_RGB888, SDL_TEXTUREACCESS_STREAMING, (int)surface->width, (int)surface->height);
    if (surface->width != w->width || surface->height != w->height) {
        w->width = surface->width;
        w->height = surface->height;
        fit_window(w);
    }
    upload(w, 0, 0, surface->width, surface->height);
}

static void on_updated(ConsoleListener *l, uint32_t x, uint32_t y, uint32_t width, uint32_t height)
{
    upload(window_of(l), x, y, width, height);
}

static void on_cursor(ConsoleListener *l, const CursorImage *image)
{
    Window *w = window_of(l);

    if (w->cursor) {
        lib.SDL_SetCursor(lib.SDL_GetDefaultCursor());
        lib.SDL_FreeCursor(w->cursor);
        w->cursor = NULL;
    }
    if (!image) {
        return;
    }
    SDL_Surface *s = lib.SDL_CreateRGBSurfaceFrom((void *)image->argb, (int)image->width, (int)image->height, 32, (int)image->width * 4, 0xff0000, 0xff00,
                                                  0xff, 0xff000000);
    if (s) {
        w->cursor = lib.SDL_CreateColorCursor(s, (int)image->hot_x, (int)image->hot_y);
        lib.SDL_FreeSurface(s);
    }
    if (w->cursor && input_is_absolute()) {
        lib.SDL_SetCursor(w->cursor);
    }
}

static void present(Window *w)
{
    w->damaged = false;
    lib.SDL_SetRenderDrawColor(w->renderer, 0, 0, 0, 255);
    lib.SDL_RenderClear(w->renderer);
    if (w->texture) {
        lib.SDL_RenderCopy(w->renderer, w->texture, NULL, NULL);
    }
    lib.SDL_RenderPresent(w->renderer);
}

/* ---- title, pointer, keyboard ---- */

static const char *grab_keys(void)
{
    return sdl.options.ctrl_grab ? "Right-Ctrl" : sdl.options.alt_grab ? "Shift-Ctrl-Alt-G" : "Ctrl-Alt-G";
}

static void show_title(void)
{
    const char *state = run_state_is(RUN_STATE_RUNNING) ? "" : " [Stopped]";

    for (Window *w = sdl.windows; w; w = w->next) {
        char *name = display_title();
        char *number = console_count() > 1 ? xasprintf(" (%u)", w->index) : xstrdup("");
        char *grab = sdl.grabbed ? xasprintf(" - Press %s to exit grab", grab_keys()) : xstrdup("");
        char *title = xasprintf("%s%s%s%s", name, number, state, grab);
        lib.SDL_SetWindowTitle(w->window, title);
        free(title);
        free(grab);
        free(number);
        free(name);
    }
}

static void release_all(void)
{
    for (unsigned k = 0; k < INPUT_N_KEYS; k++) {
        if (sdl.keys_down[k]) {
            sdl.keys_down[k] = false;
            input_send_key((InputKey)k, false);
        }
    }
}

/* With an absolute pointer only the keyboard has to be taken. */
static void set_grab(Window *w, bool on)
{
    bool absolute = input_is_absolute();

    sdl.grabbed = on;
    lib.SDL_SetRelativeMouseMode(on && !absolute ? SDL_TRUE : SDL_FALSE);
    lib.SDL_SetWindowGrab(w->window, on ? SDL_TRUE : SDL_FALSE);
    if (sdl.options.has_show_cursor) {
        lib.SDL_ShowCursor(sdl.options.show_cursor ? SDL_ENABLE : SDL_DISABLE);
    }
    show_title();
}

static void set_full_screen(Window *w, bool on)
{
    w->full_screen = on;
    lib.SDL_SetWindowFullscreen(w->window, on ? SDL_WINDOW_FULLSCREEN_DESKTOP : 0);
    if (!on) {
        fit_window(w);
    }
    set_grab(w, on);
    w->damaged = true;
}

static bool hot_modifiers(void)
{
    SDL_Keymod mod = lib.SDL_GetModState();

    if (sdl.options.ctrl_grab) {
        return mod & KMOD_RCTRL;
    }
    return (mod & KMOD_LCTRL) && (mod & KMOD_LALT) && (!sdl.options.alt_grab || (mod & KMOD_LSHIFT));
}

static bool hot_key(Window *w, SDL_Scancode code)
{
    switch (code) {
    case SDL_SCANCODE_G: set_grab(w, !sdl.grabbed); break;
    case SDL_SCANCODE_F: set_full_screen(w, !w->full_screen); break;
    case SDL_SCANCODE_U:
        w->scale_percent = 100;
        fit_window(w);
        break;
    case SDL_SCANCODE_KP_PLUS: case SDL_SCANCODE_EQUALS:
        w->scale_percent = MIN(w->scale_percent + 25, 400u);
        fit_window(w);
        break;
    case SDL_SCANCODE_KP_MINUS: case SDL_SCANCODE_MINUS:
        w->scale_percent = MAX(w->scale_percent, 50u) - 25;
        fit_window(w);
        break;
    default: return false;
    }
    return true;
}

static void on_key(Window *w, const SDL_KeyboardEvent *ev)
{
    InputKey key = ev->keysym.scancode < SDL_NUM_SCANCODES ? (InputKey)keys[ev->keysym.scancode] : INPUT_KEY_UNMAPPED;
    bool down = ev->type == SDL_KEYDOWN;

    if (down && !ev->repeat && hot_modifiers() && hot_key(w, ev->keysym.scancode)) {
        release_all();
        sdl.swallow = true;
        return;
    }
    if (sdl.swallow && !down) {
        sdl.swallow = lib.SDL_GetModState() & (KMOD_CTRL | KMOD_ALT);
        return;
    }
    if (sdl.options.ctrl_grab && key == INPUT_KEY_CTRL_R && !down) {
        set_grab(w, !sdl.grabbed);
    }
    if (key != INPUT_KEY_UNMAPPED && (down || sdl.keys_down[key])) {
        sdl.keys_down[key] = down;
        input_send(w->con, &(InputEvent){ .kind = INPUT_KEY_EVENT, .code = key, .down = down });
        input_sync();
    }
}

static void send(Window *w, InputKind kind, int code, int value, bool down)
{
    input_send(w->con, &(InputEvent){ .kind = kind, .code = code, .value = value, .down = down });
}

static void send_position(Window *w, int x, int y)
{
    float fx, fy;

    lib.SDL_RenderWindowToLogical(w->renderer, x, y, &fx, &fy);
    int64_t width = MAX((int64_t)w->width - 1, 1), height = MAX((int64_t)w->height - 1, 1);
    int64_t gx = MIN(MAX((int64_t)fx, 0), width), gy = MIN(MAX((int64_t)fy, 0), height);
    send(w, INPUT_ABS_EVENT, INPUT_AXIS_X, (int)(gx * INPUT_ABS_MAX / width), false);
    send(w, INPUT_ABS_EVENT, INPUT_AXIS_Y, (int)(gy * INPUT_ABS_MAX / height), false);
}

static void on_motion(Window *w, const SDL_MouseMotionEvent *ev)
{
    if (input_is_absolute()) {
        send_position(w, ev->x, ev->y);
    } else if (sdl.grabbed) {
        send(w, INPUT_REL_EVENT, INPUT_AXIS_X, ev->xrel, false);
        send(w, INPUT_REL_EVENT, INPUT_AXIS_Y, ev->yrel, false);
    }
    input_sync();
}

static void on_button(Window *w, const SDL_MouseButtonEvent *ev)
{
    static const struct {
        uint8_t from;
        InputButton to;
    } map[] = {
        { SDL_BUTTON_LEFT, INPUT_BUTTON_LEFT }, { SDL_BUTTON_MIDDLE, INPUT_BUTTON_MIDDLE }, { SDL_BUTTON_RIGHT, INPUT_BUTTON_RIGHT },
        { SDL_BUTTON_X1, INPUT_BUTTON_SIDE }, { SDL_BUTTON_X2, INPUT_BUTTON_EXTRA },
    };
    bool down = ev->type == SDL_MOUSEBUTTONDOWN;

    if (!input_is_absolute() && !sdl.grabbed) {
        if (down && ev->button == SDL_BUTTON_LEFT) {
            set_grab(w, true);
        }
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(map); i++) {
        if (map[i].from == ev->button) {
            if (input_is_absolute()) {
                send_position(w, ev->x, ev->y);
            }
            send(w, INPUT_BUTTON_EVENT, map[i].to, 0, down);
        }
    }
    input_sync();
}

static void on_wheel(Window *w, const SDL_MouseWheelEvent *ev)
{
    InputButton button = ev->y > 0 ? INPUT_BUTTON_WHEEL_UP : ev->y < 0 ? INPUT_BUTTON_WHEEL_DOWN : ev->x < 0 ? INPUT_BUTTON_WHEEL_LEFT : INPUT_BUTTON_WHEEL_RIGHT;

    if (ev->x || ev->y) {
        send(w, INPUT_BUTTON_EVENT, button, 0, true);
        input_sync();
        send(w, INPUT_BUTTON_EVENT, button, 0, false);
        input_sync();
    }
}

static void on_window(Window *w, const SDL_WindowEvent *ev)
{
    switch (ev->event) {
    case SDL_WINDOWEVENT_CLOSE:
        if (sdl.options.window_close) {
            machine_request_shutdown(SHUTDOWN_CAUSE_HOST_UI);
        }
        break;
    case SDL_WINDOWEVENT_FOCUS_LOST:
        release_all();
        if (sdl.grabbed && !w->full_screen) {
            set_grab(w, false);
        }
        break;
    case SDL_WINDOWEVENT_RESIZED:
        if (console_can_resize(w->con) && ev->data1 > 0 && ev->data2 > 0 && !w->full_screen) {
            console_ask_size(w->con, (uint32_t)ev->data1, (uint32_t)ev->data2);
        }
        w->damaged = true;
        break;
    case SDL_WINDOWEVENT_EXPOSED: case SDL_WINDOWEVENT_SIZE_CHANGED:
        w->damaged = true;
        break;
    }
}

static Window *window_by_id(uint32_t id)
{
    Window *w = sdl.windows;

    while (w && lib.SDL_GetWindowID(w->window) != id) {
        w = w->next;
    }
    return w;
}

static bool take_events(void)
{
    SDL_Event ev;
    bool any = false;

    while (lib.SDL_PollEvent(&ev)) {
        Window *w = NULL;
        any = true;
        switch (ev.type) {
        case SDL_KEYDOWN: case SDL_KEYUP:
            if ((w = window_by_id(ev.key.windowID))) {
                on_key(w, &ev.key);
            }
            break;
        case SDL_MOUSEMOTION:
            if ((w = window_by_id(ev.motion.windowID))) {
                on_motion(w, &ev.motion);
            }
            break;
        case SDL_MOUSEBUTTONDOWN: case SDL_MOUSEBUTTONUP:
            if ((w = window_by_id(ev.button.windowID))) {
                on_button(w, &ev.button);
            }
            break;
        case SDL_MOUSEWHEEL:
            if ((w = window_by_id(ev.wheel.windowID))) {
                on_wheel(w, &ev.wheel);
            }
            break;
        case SDL_WINDOWEVENT:
            if ((w = window_by_id(ev.window.windowID))) {
                on_window(w, &ev.window);
            }
            break;
        case SDL_QUIT:
            if (sdl.options.window_close) {
                machine_request_shutdown(SHUTDOWN_CAUSE_HOST_UI);
            }
            break;
        }
    }
    return any;
}

static void tick(void *opaque)
{
    bool any = take_events();

    for (Window *w = sdl.windows; w; w = w->next) {
        if (w->listener.con) {
            console_refresh(w->con);
        }
        any |= w->damaged;
        if (w->damaged) {
            present(w);
        }
    }
    RunState state = machine_current()->state;
    if (!sdl.shown || state != sdl.shown_state || sdl.grabbed != sdl.shown_grab) {
        sdl.shown = true;
        sdl.shown_state = state;
        sdl.shown_grab = sdl.grabbed;
        show_title();
    }
    sdl.interval_ms = any ? INTERVAL_MIN_MS : MIN(sdl.interval_ms + 4, INTERVAL_MAX_MS);
    timer_set_ns(&sdl.timer, clock_get_ns(VM_CLOCK_REALTIME) + sdl.interval_ms * NS_PER_MS);
}

/* ---- start ---- */

static bool open_window(Console *con, unsigned index, Error **errp)
{
    Window *w = xnew(Window), **at = &sdl.windows;

    w->con = con;
    w->index = index;
    w->width = 640;
    w->height = 480;
    w->scale_percent = 100;
    w->window = lib.SDL_CreateWindow("QEMU", SDL_WINDOWPOS_UNDEFINED, SDL_WINDOWPOS_UNDEFINED, 640, 480, SDL_WINDOW_RESIZABLE);
    w->renderer = w->window ? lib.SDL_CreateRenderer(w->window, -1, SDL_RENDERER_SOFTWARE) : NULL;
    if (!w->renderer) {
        error_set(errp, "cannot open a window: %s", lib.SDL_GetError());
        if (w->window) {
            lib.SDL_DestroyWindow(w->window);
        }
        free(w);
        return false;
    }
    while (*at) {
        at = &(*at)->next;
    }
    *at = w;
    w->listener = (ConsoleListener){ .switched = on_switched, .updated = on_updated, .cursor = on_cursor };
    console_listen(con, &w->listener);
    return true;
}

/* A driver that shows nothing is no display, unless it was asked for by SDL_VIDEODRIVER. */
static bool init_video(Error **errp)
{
    if (sdl.video) {
        return true;
    }
    lib.SDL_SetHint("SDL_NO_SIGNAL_HANDLERS", "1");
    lib.SDL_SetHint("SDL_VIDEO_ALLOW_SCREENSAVER", "1");
    lib.SDL_SetHint("SDL_VIDEO_X11_NET_WM_BYPASS_COMPOSITOR", "0");
    if (lib.SDL_InitSubSystem(SDL_INIT_VIDEO)) {
        error_set(errp, "Could not initialize SDL(%s) - exiting", lib.SDL_GetError());
        return false;
    }
    const char *driver = lib.SDL_GetCurrentVideoDriver();
    if (!driver || (!getenv("SDL_VIDEODRIVER") && (!strcmp(driver, "dummy") || !strcmp(driver, "offscreen") || !strcmp(driver, "evdev")))) {
        lib.SDL_QuitSubSystem(SDL_INIT_VIDEO);
        error_set(errp, "Could not initialize SDL(no display to open a window on) - exiting");
        return false;
    }
    sdl.video = true;
    return true;
}

/* Stays initialised: a display may go away when its last client does. */
static bool can_start(void)
{
    return (getenv("DISPLAY") || getenv("WAYLAND_DISPLAY")) && load(NULL) && init_video(NULL);
}

static void close_windows(void)
{
    timer_cancel(&sdl.timer);
    while (sdl.windows) {
        Window *w = sdl.windows;
        sdl.windows = w->next;
        console_unlisten(&w->listener);
        drop_texture(w);
        lib.SDL_DestroyRenderer(w->renderer);
        lib.SDL_DestroyWindow(w->window);
        free(w);
    }
    lib.SDL_QuitSubSystem(SDL_INIT_VIDEO);
    sdl.video = false;
}

static bool start(const SdlOptions *options, Error **errp)
{
    if (!load(errp)) {
        return false;
    }
    if (!init_video(errp)) {
        return false;
    }
    sdl.options = *options;
    for (unsigned i = 0; i < console_count(); i++) {
        if (!open_window(console_by_index(i), i, errp)) {
            close_windows();
            return false;
        }
    }
    if (!sdl.windows) {
        error_set(errp, "this machine has no screen to show in a window");
        close_windows();
        return false;
    }
    if (options->full_screen) {
        set_full_screen(sdl.windows, true);
    }
    sdl.interval_ms = INTERVAL_MIN_MS;
    timer_init(&sdl.timer, VM_CLOCK_REALTIME, tick, NULL);
    tick(NULL);
    return true;
}

bool (*const sdl_start)(const SdlOptions *options, Error **errp) = start;
bool (*const sdl_can_start)(void) = can_start;
void (*const sdl_finish)(void) = close_windows;
