/*
 * vnc-run.c: VNC servers over a made-up screen, for hw-vnc.py: vnc-run VNC-OPTION... Prints the servers as JSON, then the input
 * events the guest would get, a line each. Commands on standard input: "frame N" draws another picture, "size W H", "later W H", "off",
 * "password TEXT", "expire", "absolute 0|1", "leds N", "cursor", "quit"; each is answered with "ok".
 */
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>
#include "softmmu/bql.h"
#include "softmmu/loop.h"
#include "softmmu/machine.h"
#include "ui/console.h"
#include "ui/display.h"
#include "ui/input.h"
#include "tests/test.h"
#include "util/alloc.h"

static Console *con;
static uint32_t frame;
static int tablet_id;
static bool quitting;
static uint32_t later_width, later_height; /* what the device shows when it is asked next */

/* The same in hw-vnc.py: blocks that suit every form of tile. */
static uint32_t pixel(uint32_t x, uint32_t y)
{
    uint32_t block = (x / 64 + y / 64 * 3 + frame) % 6, h;

    switch (block) {
    case 0: return 0x204060 + frame;
    case 1: return (x ^ y) & 1 ? 0xffffff : 0x800000;
    case 2: return (x / 3 & 3) * 0x404040;
    case 3: return (x & 63) << 18 | (y & 63) << 10 | 0x3f;
    case 4:
        h = (x * 73856093u) ^ (y * 19349663u) ^ (frame * 83492791u);
        return (h ^ h >> 13) & 0xffffff;
    default: return y % 7 < 3 ? 0x00ff00 : (x + y) % 50 * 0x050301;
    }
}

static void draw(void)
{
    Surface *s = console_surface(con);

    for (uint32_t y = 0; y < s->height; y++) {
        for (uint32_t x = 0; x < s->width; x++) {
            surface_row(s, y)[x] = pixel(x, y) | 0xa5000000; /* the upper byte means nothing */
        }
    }
    console_update(con, 0, 0, s->width, s->height);
}

static void update(void *opaque)
{
    if (later_width) {
        console_set_surface(con, surface_new(later_width, later_height));
        later_width = 0;
        draw();
    }
}

static void ui_resize(void *opaque, uint32_t width, uint32_t height)
{
    printf("resize %u %u\n", width, height);
    fflush(stdout);
}

static void on_event(void *opaque, const InputEvent *e)
{
    if (e->kind == INPUT_KEY_EVENT) {
        printf("key %s %d\n", input_key_name((InputKey)e->code), e->down);
    } else {
        printf("%s %d %d %d\n", e->kind == INPUT_BUTTON_EVENT ? "button" : e->kind == INPUT_REL_EVENT ? "rel" : "abs", e->code, e->down, e->value);
    }
    fflush(stdout);
}

static void set_absolute(bool on)
{
    static const InputHandler tablet = { "tablet", INPUT_BUTTON_EVENT | INPUT_ABS_EVENT, on_event, NULL };

    if (on) {
        tablet_id = input_register(&tablet, NULL);
        input_activate(tablet_id);
    } else {
        input_unregister(tablet_id);
    }
}

static void command(char *line)
{
    uint32_t a = 0, b = 0;
    Error *err = NULL;
    char text[64] = "";

    if (sscanf(line, "frame %u", &a) == 1) {
        frame = a;
        draw();
    } else if (sscanf(line, "size %u %u", &a, &b) == 2) {
        console_set_surface(con, surface_new(a, b));
        draw();
    } else if (sscanf(line, "later %u %u", &a, &b) == 2) {
        later_width = a;
        later_height = b;
    } else if (!strncmp(line, "off", 3)) {
        console_set_surface(con, NULL);
    } else if (sscanf(line, "password %63s", text) == 1) {
        CHECK(vnc_set_password(NULL, text, &err));
    } else if (!strncmp(line, "expire", 6)) {
        CHECK(vnc_expire_password(NULL, VNC_EXPIRED, &err));
    } else if (sscanf(line, "absolute %u", &a) == 1) {
        set_absolute(a);
    } else if (sscanf(line, "leds %u", &a) == 1) {
        input_set_leds(a);
    } else if (!strncmp(line, "cursor", 6)) {
        static const uint32_t argb[4] = { 0xff112233, 0x00000000, 0x80445566, 0xffffffff };
        console_set_cursor(con, &(CursorImage){ .width = 2, .height = 2, .hot_x = 1, .argb = argb });
    } else if (!strncmp(line, "quit", 4)) {
        quitting = true;
    }
    printf("ok\n");
    fflush(stdout);
}

static void stdin_ready(void *opaque, unsigned events)
{
    char line[128];

    if (!fgets(line, sizeof(line), stdin)) {
        quitting = true;
        return;
    }
    command(line);
}

int main(int argc, char **argv)
{
    static const ConsoleOps ops = { .update = update, .ui_resize = ui_resize };
    static const InputHandler keyboard = { "keyboard", INPUT_KEY_EVENT, on_event, NULL };
    static const InputHandler mouse = { "mouse", INPUT_BUTTON_EVENT | INPUT_REL_EVENT, on_event, NULL };
    Error *err = NULL;

    setvbuf(stdin, NULL, _IONBF, 0);
    bql_lock();
    loop_set_lock(loop_main(), bql_lock, bql_unlock);
    run_state_set(machine_new(machine_type_find("none", "riscv64"), "riscv64"), RUN_STATE_RUNNING);
    con = console_new(NULL, 0, &ops, NULL);
    console_set_surface(con, surface_new(333, 70));
    draw();
    input_register(&keyboard, NULL);
    input_register(&mouse, NULL);
    for (int i = 1; i < argc; i++) {
        if (!vnc_start(argv[i], &err)) {
            error_report("-vnc %s: %s", argv[i], error_message(err));
            return 1;
        }
    }
    Json *servers = vnc_describe_servers();
    char *text = json_print(servers);
    printf("%s\n", text);
    fflush(stdout);
    free(text);
    json_free(servers);
    FdWatch *watch = loop_watch(loop_main(), 0, LOOP_READ, stdin_ready, NULL);
    while (!quitting) {
        loop_run_once(loop_main(), true);
    }
    loop_unwatch(watch);
    vnc_finish();
    console_free(con);
    CHECK(vnc_count() == 0);
    return test_result();
}
