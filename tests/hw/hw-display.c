/*
 * hw-display.c: VGA, frame buffers, the PS/2 keyboard and mouse, input routing and pictures, as their manuals say.
 */
#include <stdlib.h>
#include <unistd.h>
#include "hw/display/vga.h"
#include "hw/input/ps2.h"
#include "softmmu/bql.h"
#include "softmmu/machine.h"
#include "tests/test.h"
#include "ui/vnc.h"

/* ---- PS/2 ---- */

static void nothing(void *opaque)
{
}

/* What the device has to say, as hexadecimal text. */
static const char *drain(Ps2Port *port)
{
    static char text[3 * 128];
    char *to = text;

    *to = 0;
    while (ps2_ready(port) && to < text + sizeof(text) - 4) {
        to += snprintf(to, 4, "%02x ", ps2_take(port));
    }
    return text;
}

static void check_text(const char *got, const char *expected, int line)
{
    if (strcmp(got, expected)) {
        fprintf(stderr, "line %d: got '%s', expected '%s'\n", line, got, expected);
    }
    CHECK(!strcmp(got, expected));
}
#define CHECK_TEXT(got, expected) check_text(got, expected, __LINE__)

static void press(InputKey key)
{
    input_send_key(key, true);
    input_send_key(key, false);
}

static void test_keyboard(void)
{
    Ps2Keyboard kbd = {0};

    ps2_keyboard_init(&kbd, nothing, NULL);
    ps2_keyboard_reset(&kbd);
    press(INPUT_KEY_A);
    press(INPUT_KEY_UP);
    CHECK_TEXT(drain(&kbd.port), "1c f0 1c e0 75 e0 f0 75 ");
    press(INPUT_KEY_PAUSE);
    CHECK_TEXT(drain(&kbd.port), "e1 14 77 e1 f0 14 f0 77 ");
    press(INPUT_KEY_PRINT);
    CHECK_TEXT(drain(&kbd.port), "e0 12 e0 7c e0 f0 7c e0 f0 12 ");
    input_send_key(INPUT_KEY_ALT, true);
    press(INPUT_KEY_PRINT);
    input_send_key(INPUT_KEY_ALT, false);
    CHECK_TEXT(drain(&kbd.port), "11 84 f0 84 f0 11 ");
    input_send_key(INPUT_KEY_CTRL, true);
    press(INPUT_KEY_PAUSE);
    input_send_key(INPUT_KEY_CTRL, false);
    CHECK_TEXT(drain(&kbd.port), "14 e0 7e e0 f0 7e f0 14 ");
    press(INPUT_KEY_F7);
    CHECK_TEXT(drain(&kbd.port), "83 f0 83 ");
    ps2_keyboard_write(&kbd, 0xf2);
    CHECK_TEXT(drain(&kbd.port), "fa ab 83 ");
    ps2_keyboard_write(&kbd, 0xed);
    ps2_keyboard_write(&kbd, 0x05);
    CHECK_TEXT(drain(&kbd.port), "fa fa ");
    CHECK_EQ(input_leds(), INPUT_LED_SCROLL | INPUT_LED_CAPS);
    ps2_keyboard_write(&kbd, 0xee);
    CHECK_TEXT(drain(&kbd.port), "ee ");
    /* Set 1. */
    ps2_keyboard_write(&kbd, 0xf0);
    ps2_keyboard_write(&kbd, 0x01);
    ps2_keyboard_write(&kbd, 0xf0);
    ps2_keyboard_write(&kbd, 0x00);
    CHECK_TEXT(drain(&kbd.port), "fa fa fa fa 01 ");
    press(INPUT_KEY_A);
    press(INPUT_KEY_DELETE);
    CHECK_TEXT(drain(&kbd.port), "1e 9e e0 53 e0 d3 ");
    /* Set 3: break codes only where the type says so. */
    ps2_keyboard_write(&kbd, 0xf0);
    ps2_keyboard_write(&kbd, 0x03);
    drain(&kbd.port);
    press(INPUT_KEY_A);
    press(INPUT_KEY_SHIFT);
    CHECK_TEXT(drain(&kbd.port), "1c 12 f0 12 ");
    ps2_keyboard_write(&kbd, 0xfc); /* this key: make and break */
    ps2_keyboard_write(&kbd, 0x1c);
    ps2_keyboard_write(&kbd, 0xf4);
    drain(&kbd.port);
    press(INPUT_KEY_A);
    CHECK_TEXT(drain(&kbd.port), "1c f0 1c ");
    ps2_keyboard_write(&kbd, 0xff);
    CHECK_TEXT(drain(&kbd.port), "fa aa ");
    /* Switched off, and answers in the middle of a sequence wait for its end. */
    ps2_keyboard_write(&kbd, 0xf5);
    drain(&kbd.port);
    press(INPUT_KEY_B);
    CHECK_TEXT(drain(&kbd.port), "");
    ps2_keyboard_write(&kbd, 0xf4);
    drain(&kbd.port);
    input_send_key(INPUT_KEY_UP, true);
    CHECK_EQ(ps2_take(&kbd.port), 0xe0);
    ps2_keyboard_write(&kbd, 0xee);
    CHECK_TEXT(drain(&kbd.port), "75 ee ");
    /* Full: an overrun code once, whole keys before it. */
    for (unsigned i = 0; i < 100; i++) {
        press(INPUT_KEY_UP);
    }
    const char *text = drain(&kbd.port);
    CHECK(strlen(text) <= 3 * PS2_QUEUE_BYTES && !strcmp(text + strlen(text) - 3, "00 "));
    for (unsigned code = 1; code < 0x80; code++) {
        uint8_t set2 = ps2_set1_to_set2((uint8_t)code);
        CHECK(!set2 || ps2_set2_to_set1(set2) == code);
    }
    ps2_keyboard_finish(&kbd);
}

static void test_mouse(void)
{
    Ps2Mouse m = {0};

    ps2_mouse_init(&m, nothing, NULL);
    ps2_mouse_reset(&m);
    ps2_mouse_write(&m, 0xff);
    CHECK_TEXT(drain(&m.port), "fa aa 00 ");
    input_send_rel(INPUT_AXIS_X, 5);
    input_sync();
    CHECK_TEXT(drain(&m.port), "");
    ps2_mouse_write(&m, 0xf6);
    ps2_mouse_write(&m, 0xf4);
    drain(&m.port);
    input_send_rel(INPUT_AXIS_X, 5);
    input_send_rel(INPUT_AXIS_Y, 3);
    input_sync();
    input_send_button(INPUT_BUTTON_RIGHT, true);
    input_sync();
    CHECK_TEXT(drain(&m.port), "28 05 fd 0a 00 00 ");
    input_send_button(INPUT_BUTTON_RIGHT, false);
    input_send_rel(INPUT_AXIS_X, -300);
    input_sync();
    CHECK_TEXT(drain(&m.port), "18 01 00 18 d3 00 ");
    ps2_mouse_write(&m, 0xe9);
    CHECK_TEXT(drain(&m.port), "fa 20 02 64 ");
    static const uint8_t knock3[] = { 200, 100, 80 }, knock4[] = { 200, 200, 80 };
    for (unsigned i = 0; i < 3; i++) {
        ps2_mouse_write(&m, 0xf3);
        ps2_mouse_write(&m, knock3[i]);
    }
    ps2_mouse_write(&m, 0xf2);
    CHECK_TEXT(drain(&m.port), "fa 03 ");
    input_send_button(INPUT_BUTTON_WHEEL_UP, true);
    input_send_button(INPUT_BUTTON_WHEEL_UP, false);
    input_sync();
    CHECK_TEXT(drain(&m.port), "08 00 00 ff ");
    for (unsigned i = 0; i < 3; i++) {
        ps2_mouse_write(&m, 0xf3);
        ps2_mouse_write(&m, knock4[i]);
    }
    ps2_mouse_write(&m, 0xf2);
    CHECK_TEXT(drain(&m.port), "fa 04 ");
    input_send_button(INPUT_BUTTON_EXTRA, true);
    input_sync();
    CHECK_TEXT(drain(&m.port), "08 00 00 20 ");
    ps2_mouse_write(&m, 0xf0); /* remote: only when asked */
    drain(&m.port);
    input_send_rel(INPUT_AXIS_Y, -1);
    input_sync();
    CHECK_TEXT(drain(&m.port), "");
    ps2_mouse_write(&m, 0xeb);
    CHECK_TEXT(drain(&m.port), "fa 08 00 01 20 ");
    ps2_mouse_finish(&m);
}

/* ---- input ---- */

static int got_a, got_b;
static void event_a(void *opaque, const InputEvent *e) { got_a++; }
static void event_b(void *opaque, const InputEvent *e) { got_b++; }

static void test_routing(void)
{
    static const InputHandler mouse = { "mouse", INPUT_REL_EVENT | INPUT_BUTTON_EVENT, event_a, NULL };
    static const InputHandler tablet = { "tablet", INPUT_ABS_EVENT | INPUT_BUTTON_EVENT, event_b, NULL };
    int a = input_register(&mouse, NULL), b = input_register(&tablet, NULL);

    CHECK(!input_is_absolute());
    input_send_button(INPUT_BUTTON_LEFT, true);
    CHECK(got_a == 1 && got_b == 0);
    input_activate(b);
    CHECK(input_is_absolute());
    input_send_button(INPUT_BUTTON_LEFT, false);
    input_send_rel(INPUT_AXIS_X, 1);
    CHECK(got_a == 2 && got_b == 1);
    run_state_set(machine_current(), RUN_STATE_PAUSED);
    input_send_rel(INPUT_AXIS_X, 1);
    CHECK_EQ(got_a, 2);
    run_state_set(machine_current(), RUN_STATE_RUNNING);
    input_unregister(a);
    input_unregister(b);
    CHECK_EQ(input_key_from_name("ret", 3), INPUT_KEY_RET);
    CHECK_EQ(input_key_from_name("re", 2), INPUT_N_KEYS);
    CHECK_EQ(input_key_from_xt(0xcb), INPUT_KEY_LEFT);
    CHECK_EQ(input_key_from_xt(0x37), INPUT_KEY_KP_MULTIPLY);
    CHECK_EQ(input_key_to_linux(INPUT_KEY_LEFT), 105);
}

/* ---- VGA ---- */

static Vga vga;

static void out(unsigned port, unsigned index, uint8_t value)
{
    vga_port_write(&vga, port, (uint8_t)index);
    vga_port_write(&vga, port + 1, value);
}

static void attribute(unsigned index, uint8_t value)
{
    vga_port_read(&vga, 0x3da);
    vga_port_write(&vga, 0x3c0, (uint8_t)index);
    vga_port_write(&vga, 0x3c0, value);
}

/* A mode as the BIOS sets it: registers of the sequencer 1 to 4, CRT controller, graphics controller, attribute mode. */
typedef struct Mode {
    uint8_t misc, sr[4], cr[25], gr[9], attribute_mode;
} Mode;

static const Mode text_mode = {
    0x67, { 0x00, 0x03, 0x00, 0x02 },
    { 0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0, 0, 0, 0, 0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff },
    { 0, 0, 0, 0, 0, 0x10, 0x0e, 0x0f, 0xff }, 0x0c,
};
static const Mode mode_12 = {
    0xe3, { 0x01, 0x0f, 0x00, 0x06 },
    { 0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0x0b, 0x3e, 0, 0x40, 0, 0, 0, 0, 0, 0, 0xea, 0x8c, 0xdf, 0x28, 0x00, 0xe7, 0x04, 0xe3, 0xff },
    { 0, 0, 0, 0, 0, 0, 0x05, 0x0f, 0xff }, 0x01,
};
static const Mode mode_13 = {
    0x63, { 0x01, 0x0f, 0x00, 0x0e },
    { 0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0, 0x41, 0, 0, 0, 0, 0, 0, 0x9c, 0x8e, 0x8f, 0x28, 0x40, 0x96, 0xb9, 0xa3, 0xff },
    { 0, 0, 0, 0, 0, 0x40, 0x05, 0x0f, 0xff }, 0x41,
};
static const Mode mode_4 = {
    0x63, { 0x09, 0x03, 0x00, 0x02 },
    { 0x2d, 0x27, 0x28, 0x90, 0x2b, 0x80, 0xbf, 0x1f, 0, 0xc1, 0, 0, 0, 0, 0, 0, 0x9c, 0x8e, 0x8f, 0x14, 0x00, 0x96, 0xb9, 0xa2, 0xff },
    { 0, 0, 0, 0, 0, 0x30, 0x0f, 0x0f, 0xff }, 0x01,
};

static void set_mode(const Mode *mode)
{
    vga_port_write(&vga, 0x3c2, mode->misc);
    for (unsigned i = 0; i < 4; i++) {
        out(0x3c4, i + 1, mode->sr[i]);
    }
    out(0x3d4, 0x11, 0);
    for (unsigned i = 0; i < 25; i++) {
        out(0x3d4, i, mode->cr[i]);
    }
    for (unsigned i = 0; i < 9; i++) {
        out(0x3ce, i, mode->gr[i]);
    }
    for (unsigned i = 0; i < 16; i++) {
        attribute(i, (uint8_t)i);
    }
    attribute(0x10, mode->attribute_mode);
    attribute(0x12, 0x0f);
    attribute(0x13, mode == &text_mode ? 8 : 0);
    vga_port_read(&vga, 0x3da);
    vga_port_write(&vga, 0x3c0, 0x20);
    vga_port_write(&vga, 0x3c6, 0xff);
    vga_port_write(&vga, 0x3c8, 0);
    for (unsigned i = 0; i < 256; i++) { /* colour i: i/4, 0, 63 - i/4 */
        vga_port_write(&vga, 0x3c9, (uint8_t)(i & 63));
        vga_port_write(&vga, 0x3c9, (uint8_t)(i >> 6));
        vga_port_write(&vga, 0x3c9, 0);
    }
}

static uint32_t color(unsigned i)
{
    uint32_t r = i & 63, g = i >> 6;
    return (r << 2 | r >> 4) << 16 | (g << 2 | g >> 4) << 8;
}

static void poke(uint32_t addr, uint8_t value)
{
    if (vga.chain4.enabled && addr < 0xb0000) {
        ((uint8_t *)memory_region_host(&vga.vram))[vga.chain4.alias_offset + addr - 0xa0000] = value;
        ram_mark_dirty(vga.vram.ram, vga.chain4.alias_offset + addr - 0xa0000, 1);
        return;
    }
    CHECK_EQ(memory_region_write(&vga.window, addr - 0xa0000, 1, MEM_LITTLE_ENDIAN, value, MEM_ATTRS_NONE), MEM_OK);
}

static uint8_t peek(uint32_t addr)
{
    uint64_t value = 0;
    memory_region_read(&vga.window, addr - 0xa0000, 1, MEM_LITTLE_ENDIAN, &value, MEM_ATTRS_NONE);
    return (uint8_t)value;
}

static uint32_t dot(uint32_t x, uint32_t y)
{
    const Surface *s = console_surface(vga.con);
    return s && x < s->width && y < s->height ? surface_row(s, y)[x] & 0xffffff : 0xdead;
}

static unsigned n_updates;
static void count_update(ConsoleListener *l, uint32_t x, uint32_t y, uint32_t width, uint32_t height) { n_updates++; }

static void test_text(void)
{
    set_mode(&text_mode);
    /* A font as drivers load it: plane 2, sequential addresses. Character 'A' has row 3 = 0xf1; 0xc4 has row 5 = 0xff. */
    out(0x3c4, 2, 4);
    out(0x3c4, 4, 6);
    out(0x3ce, 5, 0);
    out(0x3ce, 6, 4);
    poke(0xa0000 + 'A' * 32 + 3, 0xf1);
    poke(0xa0000 + 0xc4 * 32 + 5, 0xff);
    set_mode(&text_mode);
    out(0x3d4, 0x0a, 0x20); /* no cursor */
    poke(0xb8000, 'A');
    poke(0xb8001, 0x1e);
    poke(0xb8002, 0xc4);
    poke(0xb8003, 0x07);
    poke(0xb8000 + 2 * (80 * 24 + 79), 'A');
    poke(0xb8001 + 2 * (80 * 24 + 79), 0x0f);
    CHECK_EQ(peek(0xb8000), 'A');
    CHECK_EQ(peek(0xb8003), 0x07);
    console_refresh(vga.con);
    const Surface *s = console_surface(vga.con);
    CHECK(s && s->width == 720 && s->height == 400);
    CHECK_EQ(dot(0, 3), color(14));
    CHECK_EQ(dot(3, 3), color(14));
    CHECK_EQ(dot(4, 3), color(1));
    CHECK_EQ(dot(7, 3), color(14));
    CHECK_EQ(dot(8, 3), color(1));  /* the ninth dot of letters is background */
    CHECK_EQ(dot(0, 2), color(1));
    CHECK_EQ(dot(16, 5), color(7));
    CHECK_EQ(dot(17, 5), color(7)); /* and of line graphics the eighth again */
    CHECK_EQ(dot(79 * 9, 24 * 16 + 3), color(15));
    /* Nothing changed: nothing is drawn. */
    console_refresh(vga.con);
    ConsoleListener l = { .updated = count_update };
    console_listen(vga.con, &l);
    console_refresh(vga.con);
    CHECK_EQ(n_updates, 0);
    poke(0xb8000 + 2 * 80, 'A');
    poke(0xb8001 + 2 * 80, 0x0f);
    console_refresh(vga.con);
    CHECK(n_updates >= 1 && n_updates <= 16);
    CHECK_EQ(dot(0, 16 + 3), color(15));
    /* The cursor: lines 13 and 14, at cell 81. */
    out(0x3d4, 0x0e, 0);
    out(0x3d4, 0x0f, 81);
    out(0x3d4, 0x0a, 0x0d);
    poke(0xb8000 + 2 * 81 + 1, 0x0a);
    console_refresh(vga.con);
    CHECK_EQ(dot(9, 16 + 13), color(10));
    CHECK_EQ(dot(9, 16 + 12), color(0));
    console_unlisten(&l);
    /* Scrolled by the start address; blank. */
    out(0x3d4, 0x0d, 80);
    console_refresh(vga.con);
    CHECK_EQ(dot(0, 3), color(15));
    vga_port_read(&vga, 0x3da);
    vga_port_write(&vga, 0x3c0, 0);
    console_refresh(vga.con);
    CHECK_EQ(dot(0, 3), 0);
}

static void test_planar(void)
{
    vga_reset(&vga);
    set_mode(&mode_12);
    out(0x3ce, 8, 0xc0);        /* bit mask: two dots */
    peek(0xa0000);              /* latch */
    poke(0xa0000, 0xff);        /* write mode 0: all planes */
    out(0x3ce, 5, 2);
    out(0x3ce, 8, 0x20);
    peek(0xa0000);
    poke(0xa0000, 5);           /* write mode 2: colour 5 */
    out(0x3ce, 5, 0);
    out(0x3ce, 8, 0xff);
    out(0x3ce, 1, 0x0f);        /* set/reset: colour 9, whatever the data */
    out(0x3ce, 0, 9);
    poke(0xa0001, 0);
    out(0x3ce, 1, 0);
    out(0x3ce, 3, 0x18);        /* xor */
    peek(0xa0001);
    out(0x3c4, 2, 1);
    poke(0xa0001, 0xf0);
    out(0x3ce, 3, 0);
    out(0x3c4, 2, 15);
    peek(0xa0001);
    out(0x3ce, 5, 1);           /* write mode 1: latches */
    poke(0xa0000 + 80, 0);
    console_refresh(vga.con);
    const Surface *s = console_surface(vga.con);
    CHECK(s && s->width == 640 && s->height == 480);
    CHECK_EQ(dot(0, 0), color(15));
    CHECK_EQ(dot(1, 0), color(15));
    CHECK_EQ(dot(2, 0), color(5));
    CHECK_EQ(dot(3, 0), color(0));
    CHECK_EQ(dot(8, 0), color(8));
    CHECK_EQ(dot(12, 0), color(9));
    CHECK_EQ(dot(0, 1), color(8));
    CHECK_EQ(dot(4, 1), color(9));
    out(0x3ce, 5, 0);
    out(0x3ce, 4, 3);
    CHECK_EQ(peek(0xa0001), 0xff);
    out(0x3ce, 4, 0);
    CHECK_EQ(peek(0xa0001), 0x0f);
    out(0x3ce, 5, 8);           /* read mode 1: where is colour 8 */
    out(0x3ce, 2, 8);
    out(0x3ce, 7, 15);
    CHECK_EQ(peek(0xa0001), 0xf0);
    /* Split screen: below line 99 from address 0. */
    out(0x3ce, 5, 0);
    out(0x3d4, 0x0d, 160);
    out(0x3d4, 0x18, 99);
    out(0x3d4, 7, 0x2e);
    out(0x3d4, 9, 0);
    console_refresh(vga.con);
    CHECK_EQ(dot(0, 0), color(0));
    CHECK_EQ(dot(0, 100), color(15));
    CHECK_EQ(dot(8, 100), color(8));
    attribute(0x13, 3);         /* panning by three dots */
    vga_port_write(&vga, 0x3c0, 0x20);
    console_refresh(vga.con);
    CHECK_EQ(dot(5, 100), color(8));
}

static void test_256(void)
{
    set_mode(&mode_13);
    CHECK(vga.chain4.enabled);
    poke(0xa0000, 200);
    poke(0xa0001, 100);
    poke(0xa0000 + 320 * 199 + 319, 77);
    console_refresh(vga.con);
    const Surface *s = console_surface(vga.con);
    CHECK(s && s->width == 640 && s->height == 400);
    CHECK_EQ(dot(0, 0), color(200));
    CHECK_EQ(dot(1, 1), color(200));
    CHECK_EQ(dot(2, 0), color(100));
    CHECK_EQ(dot(639, 399), color(77));
    /* Unchained: planes by the map mask, 80 bytes a line. */
    out(0x3c4, 4, 6);
    CHECK(!vga.chain4.enabled);
    out(0x3d4, 0x14, 0);
    out(0x3d4, 0x17, 0xe3);
    out(0x3c4, 2, 4);
    poke(0xa0000 + 80, 33);
    console_refresh(vga.con);
    CHECK_EQ(dot(4, 2), color(33));
    vga_reset(&vga);
    set_mode(&mode_4);
    poke(0xb8000, 0x1b);        /* four dots: 0 1 2 3 */
    poke(0xb8000 + 0x2000, 0xff);
    poke(0xb8000 + 80, 0xc0);
    console_refresh(vga.con);
    s = console_surface(vga.con);
    CHECK(s && s->width == 640 && s->height == 400);
    CHECK_EQ(dot(2, 0), color(1));
    CHECK_EQ(dot(4, 0), color(2));
    CHECK_EQ(dot(6, 1), color(3));
    CHECK_EQ(dot(0, 2), color(3)); /* the odd line is 8 KiB away */
    CHECK_EQ(dot(0, 4), color(3));
}

static void test_dispi(void)
{
    uint8_t *vram = memory_region_host(&vga.vram);

    CHECK_EQ(vga_dispi_read(&vga, DISPI_ID), DISPI_ID5);
    CHECK_EQ(vga_dispi_read(&vga, DISPI_MEMORY_64K), vga.vram_bytes / 65536);
    static const struct {
        unsigned bpp;
        uint32_t bytes, expected;
    } modes[] = { { 8, 5, 0 }, { 15, 0x7c1f, 0xff00ff }, { 16, 0x07e0, 0x00ff00 }, { 24, 0x123456, 0x123456 }, { 32, 0xff123456, 0x123456 } };
    for (unsigned i = 0; i < ARRAY_SIZE(modes); i++) {
        vga_dispi_write(&vga, DISPI_ENABLE, 0);
        vga_dispi_write(&vga, DISPI_XRES, 800);
        vga_dispi_write(&vga, DISPI_YRES, 600);
        vga_dispi_write(&vga, DISPI_BPP, (uint16_t)modes[i].bpp);
        vga_dispi_write(&vga, DISPI_ENABLE, DISPI_ENABLED | DISPI_LFB);
        CHECK_EQ(vga_dispi_read(&vga, DISPI_VIRT_WIDTH), 800);
        console_refresh(vga.con);
        const Surface *s = console_surface(vga.con);
        CHECK(s && s->width == 800 && s->height == 600);
        unsigned bytes = modes[i].bpp == 15 ? 2 : modes[i].bpp / 8;
        uint64_t at = (uint64_t)(800 * 599 + 799) * bytes;
        memcpy(vram + at, &modes[i].bytes, bytes);
        ram_mark_dirty(vga.vram.ram, at, bytes);
        console_refresh(vga.con);
        CHECK_EQ(dot(799, 599), modes[i].bpp == 8 ? color(5) : modes[i].expected);
        CHECK_EQ(dot(0, 0), modes[i].bpp == 8 ? color(0) : 0);
    }
    /* Panned, and never beyond the end of memory. */
    vga_dispi_write(&vga, DISPI_Y_OFFSET, 599);
    console_refresh(vga.con);
    CHECK_EQ(dot(799, 0), 0x123456);
    vga_dispi_write(&vga, DISPI_Y_OFFSET, 0xffff);
    CHECK(dispi_start(&vga.dispi) + 800 * 600 * 4 <= vga.vram_bytes);
    console_refresh(vga.con);
    vga_dispi_write(&vga, DISPI_ENABLE, 0);
    vga_dispi_write(&vga, DISPI_XRES, 0xffff);
    vga_dispi_write(&vga, DISPI_YRES, 0xffff);
    vga_dispi_write(&vga, DISPI_BPP, 32);
    vga_dispi_write(&vga, DISPI_ENABLE, DISPI_ENABLED);
    CHECK((uint64_t)vga_dispi_read(&vga, DISPI_XRES) * vga_dispi_read(&vga, DISPI_YRES) * 4 <= vga.vram_bytes);
    console_refresh(vga.con);
    /* The window at 0xa0000 is memory here, one bank of it. */
    vga_dispi_write(&vga, DISPI_BANK, 3);
    CHECK(vga.chain4.enabled && vga.chain4.alias_offset == 3 * 65536);
    vga_dispi_write(&vga, DISPI_ENABLE, 0);
}

/* Registers full of nonsense: nothing outside video memory is read, and it ends. */
static void test_nonsense(void)
{
    uint32_t seed = 12345;

    for (unsigned round = 0; round < 300; round++) {
        for (unsigned i = 0; i < 60; i++) {
            seed = seed * 1664525 + 1013904223;
            unsigned what = seed >> 28, index = seed >> 8 & 31, value = seed >> 16 & 0xff;
            if (what < 5) {
                out(0x3d4, index, (uint8_t)value);
            } else if (what < 8) {
                out(0x3c4, index & 7, (uint8_t)value);
            } else if (what < 11) {
                out(0x3ce, index & 15, (uint8_t)value);
            } else if (what < 13) {
                attribute(index & 0x1f, (uint8_t)value);
            } else if (what < 15) {
                vga_dispi_write(&vga, index % 12, (uint16_t)(seed >> 10 & (index & 16 ? 0xffff : 0x3ff)));
            } else {
                poke(0xa0000 + (seed >> 5 & 0x1ffff), (uint8_t)value);
                peek(0xa0000 + (seed >> 7 & 0x1ffff));
            }
        }
        out(0x3c4, 1, 1);
        vga_port_read(&vga, 0x3da);
        vga_port_write(&vga, 0x3c0, 0x20);
        console_refresh(vga.con);
        CHECK(console_surface(vga.con) != NULL);
    }
}

/* ---- ramfb ---- */

/* Firmware's way: a DMA descriptor that selects the file and writes it. */
static void write_config(AddressSpace *as, gpa at, uint32_t fourcc, uint32_t width, uint32_t height, uint32_t stride)
{
    uint8_t config[28] = {0}, desc[16];
    uint16_t key = 0;
    uint32_t n;
    uint8_t dir[64];

    stbe64(config, at);
    stbe32(config + 8, fourcc);
    stbe32(config + 16, width);
    stbe32(config + 20, height);
    stbe32(config + 24, stride);
    memory_write(as, 0x10000000, config, sizeof(config), MEM_ATTRS_NONE);
    /* The file's key is in the directory. */
    memory_store(as, 0x20000000, 2, MEM_BIG_ENDIAN, 0x19, MEM_ATTRS_NONE);
    uint64_t value = 0;
    for (unsigned i = 0; i < 4; i++) {
        memory_load(as, 0x20000008, 1, MEM_BIG_ENDIAN, &value, MEM_ATTRS_NONE);
        dir[i] = (uint8_t)value;
    }
    n = ldbe32(dir);
    for (unsigned f = 0; f < n; f++) {
        for (unsigned i = 0; i < 64; i++) {
            memory_load(as, 0x20000008, 1, MEM_BIG_ENDIAN, &value, MEM_ATTRS_NONE);
            dir[i] = (uint8_t)value;
        }
        key = !strcmp((char *)dir + 8, "etc/ramfb") ? ldbe16(dir + 4) : key;
    }
    CHECK(key);
    stbe32(desc, (uint32_t)key << 16 | 8 | 16); /* select, write */
    stbe32(desc + 4, sizeof(config));
    stbe64(desc + 8, 0x10000000);
    memory_write(as, 0x10001000, desc, sizeof(desc), MEM_ATTRS_NONE);
    memory_store(as, 0x20000010, 8, MEM_BIG_ENDIAN, 0x10001000, MEM_ATTRS_NONE);
}

static void test_ramfb(void)
{
    static MemoryRegion ram;
    AddressSpace *as = &machine_current()->memory;
    Error *err = NULL;
    Device *fw = device_create("fw_cfg_mem", sysbus_get(), NULL, &err);

    CHECK(fw && memory_region_init_ram(&ram, NULL, "fb", MiB, &err));
    memory_region_add(&machine_current()->system_memory, 0x10000000, &ram);
    sysbus_map(fw, 0, 0x20000000);
    sysbus_map(fw, 1, 0x20000008);
    sysbus_map(fw, 2, 0x20000010);
    Device *dev = device_create("ramfb", sysbus_get(), NULL, &err);
    CHECK(dev != NULL);
    Console *con = console_by_index(0);
    write_config(as, 0x10010000, 0x34325258, 320, 200, 0);
    memory_store(as, 0x10010000 + 320 * 4 * 199 + 4, 4, MEM_LITTLE_ENDIAN, 0x123456, MEM_ATTRS_NONE);
    console_refresh(con);
    const Surface *s = console_surface(con);
    CHECK(s && s->width == 320 && s->height == 200);
    CHECK_EQ(surface_row(s, 199)[1], 0x123456);
    /* Not in memory, beyond its end, formats and sizes that are not: no picture. */
    static const struct { gpa at; uint32_t format, width, height, stride; } bad[] = {
        { 0x30000000, 0x34325258, 320, 200, 0 }, { 0x100f0000, 0x34325258, 320, 200, 0 }, { 0x10010000, 0x11111111, 320, 200, 0 },
        { 0x10010000, 0x34325258, 0xffffffff, 0xffffffff, 0xffffffff }, { 0x10010000, 0x34325258, 320, 200, 4 }, { ~0ull, 0x34325258, 320, 200, 0 },
    };
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        write_config(as, bad[i].at, bad[i].format, bad[i].width, bad[i].height, bad[i].stride);
        CHECK(!console_surface(con));
        console_refresh(con);
    }
    write_config(as, 0x10010000, 0x36314752, 320, 200, 0);
    CHECK(console_surface(con) != NULL);
    device_reset(dev, RESET_COLD);
    CHECK(!console_surface(con));
}

/* ---- pictures, passwords ---- */

static void test_des(void)
{
    /* The example of FIPS 46's commentaries: key 133457799bbcdff1; VNC's password bytes are mirrored. */
    static const uint8_t in[16] = { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef };
    static const uint8_t expected[8] = { 0x85, 0xe8, 0x13, 0x54, 0x0f, 0x0a, 0xb4, 0x05 };
    uint8_t result[16];

    vnc_encrypt_challenge("\xc8\x2c\xea\x9e\xd9\x3d\xfb\x8f", in, result);
    CHECK(!memcmp(result, expected, 8) && !memcmp(result + 8, expected, 8));
}

static void test_edid(void)
{
    uint8_t edid[EDID_BYTES], sum = 0;

    edid_make(edid, &(EdidInfo){ .width = 1024, .height = 768 });
    for (unsigned i = 0; i < 128; i++) {
        sum += edid[i];
    }
    CHECK_EQ(sum, 0);
    CHECK_EQ(edid[54 + 2] | (edid[54 + 4] & 0xf0) << 4, 1024);
    CHECK_EQ(edid[54 + 5] | (edid[54 + 7] & 0xf0) << 4, 768);
}

int main(void)
{
    Error *err = NULL;

    bql_lock();
    run_state_set(machine_new(machine_type_find("none", "riscv64"), "riscv64"), RUN_STATE_RUNNING);
    test_keyboard();
    test_mouse();
    test_routing();
    Device *owner = device_new("goldfish_rtc", &err);
    CHECK(owner && vga_init(&vga, owner, 8 * MiB, NULL, &err));
    vga_reset(&vga);
    test_text();
    test_planar();
    test_256();
    test_dispi();
    test_nonsense();
    vga_finish(&vga);
    test_ramfb();
    test_des();
    test_edid();
    return test_result();
}
