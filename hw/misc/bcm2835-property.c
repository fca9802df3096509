/*
 * bcm2835-property.c: the property interface of a Raspberry Pi's firmware.
 *
 * "Mailbox property interface" (Raspberry Pi firmware wiki), channel 8: a buffer in memory of tags, each with room for values; what is asked for
 * is written over the question. A tag that is not known keeps its response bit clear.
 *
 * Left out: voltages, GPU memory allocation, code on the GPU, EDID, cursor, power domains (all are on).
 */
#include "hw/arm/bcm2835.h"
#include "hw/dma.h"
#include "softmmu/machine.h"
#include "util/bits.h"
#include "util/log.h"

enum {
    MAX_BYTES = 16384, MAX_TAG_BYTES = 1040,
    HEADER_BYTES = 8, TAG_HEADER_BYTES = 12,
    N_EXPANDER = 8, EXPANDER_BASE = 128,
    CLOCK_EMMC = 1, CLOCK_UART = 2, CLOCK_CORE = 4,
    ARM_HZ = 700000000, CORE_HZ = 350000000,
    CM_UART = 0xf0, CM_EMMC = 0x1c0,
};
#define CODE_OK 0x80000000u
#define CODE_ERROR 0x80000001u
#define TAG_RESPONSE 0x80000000u

typedef struct PropertyDev {
    Device dev;
    uint32_t board_rev;
    char *command_line;
    uint8_t mac[6];
    uint32_t expander_out, expander_dir; /* GPIO expander: a bit for each line; dir: 1 output */
    Device *fb, *cprman;
    AddressSpace *bus;
} PropertyDev;

/* One tag: its values, `room` bytes for them. Frame buffer changes are collected and made at the buffer's end. */
typedef struct Tag {
    PropertyDev *s;
    uint8_t *value;
    uint32_t room;
    Bcm2835FbConfig *config;
} Tag;

static uint32_t in(const Tag *t, unsigned word) { return ldle32(t->value + 4 * word); }
static void out(Tag *t, unsigned word, uint32_t value) { stle32(t->value + 4 * word, value); }

static void fixed(Tag *t, uint32_t value) { out(t, 0, value); }
static void keep(Tag *t, uint32_t value) { }
static void board_revision(Tag *t, uint32_t value) { out(t, 0, t->s->board_rev); }
static void second(Tag *t, uint32_t value) { out(t, 1, value); }

static void mac_address(Tag *t, uint32_t value)
{
    memcpy(t->value, t->s->mac, sizeof(t->s->mac));
}

static void serial(Tag *t, uint32_t value)
{
    out(t, 0, 0);
    out(t, 1, 0);
}

/* value: 1 the GPU's part. */
static void memory(Tag *t, uint32_t value)
{
    uint32_t base = bcm2835_fb_base(t->s->fb) & ~0x3fffffu, ram = (uint32_t)machine_current()->ram_bytes;

    out(t, 0, value ? base : 0);
    out(t, 1, value ? ram - base : base);
}

static void power_state(Tag *t, uint32_t value)
{
    out(t, 1, in(t, 0) <= 8 ? in(t, 1) & 1 : 2); /* bit 1: no such device */
}

static void power_on(Tag *t, uint32_t value)
{
    out(t, 1, in(t, 0) <= 8 ? 1 : 2);
}

static void clock_rate(Tag *t, uint32_t value)
{
    uint32_t hz = ARM_HZ;

    switch (in(t, 0)) {
    case CLOCK_EMMC: hz = bcm2835_cprman_hz(t->s->cprman, CM_EMMC); break;
    case CLOCK_UART: hz = bcm2835_cprman_hz(t->s->cprman, CM_UART); break;
    case CLOCK_CORE: hz = CORE_HZ; break;
    }
    out(t, 1, hz);
}

static void clocks(Tag *t, uint32_t value)
{
    out(t, 0, 0);
    out(t, 1, CLOCK_UART);
}

/* -- the GPIO expander: lights, reset lines, hot plug detection of HDMI (line 4, low: plugged) ------------------------------- */

static bool expander_line(const Tag *t, unsigned *ret)
{
    *ret = in(t, 0) - EXPANDER_BASE;
    return *ret < N_EXPANDER;
}

static void gpio_get(Tag *t, uint32_t value)
{
    unsigned n;

    if (expander_line(t, &n)) {
        out(t, 1, t->s->expander_out >> n & 1);
        out(t, 0, 0);
    }
}

static void gpio_set(Tag *t, uint32_t value)
{
    unsigned n;

    if (expander_line(t, &n)) {
        t->s->expander_out = (t->s->expander_out & ~(1u << n)) | (in(t, 1) & 1) << n;
        out(t, 0, 0);
    }
}

/* Answer: 0, direction, polarity, termination, pull-up. */
static void gpio_get_config(Tag *t, uint32_t value)
{
    unsigned n;

    if (expander_line(t, &n)) {
        out(t, 0, 0);
        out(t, 1, t->s->expander_dir >> n & 1);
        out(t, 2, 0);
        out(t, 3, 0);
        out(t, 4, 0);
    }
}

/* Question: line, direction, polarity, termination, pull-up, state. */
static void gpio_set_config(Tag *t, uint32_t value)
{
    unsigned n;

    if (expander_line(t, &n)) {
        t->s->expander_dir = (t->s->expander_dir & ~(1u << n)) | (in(t, 1) & 1) << n;
        if (in(t, 1) & 1) {
            t->s->expander_out = (t->s->expander_out & ~(1u << n)) | (in(t, 5) & 1) << n;
        }
        out(t, 0, 0);
    }
}

/* -- frame buffer ------------------------------------------------------------------------------------------------------------ */

/* Sets one or two numbers of the configuration; the answer is what they have become. */
static void fb_words(Tag *t, uint32_t *first, uint32_t *other, uint32_t how)
{
    Bcm2835FbConfig try = *t->config;
    uint32_t *at[2] = { (uint32_t *)((char *)&try + ((char *)first - (char *)t->config)),
                        other ? (uint32_t *)((char *)&try + ((char *)other - (char *)t->config)) : NULL };

    if (how) { /* 1: set, 2: test */
        *at[0] = in(t, 0);
        if (at[1]) {
            *at[1] = in(t, 1);
        }
        bcm2835_fb_validate(&try);
    }
    out(t, 0, *at[0]);
    if (at[1]) {
        out(t, 1, *at[1]);
    }
    if (how == 1) {
        *t->config = try;
    }
}

static void fb_physical(Tag *t, uint32_t how) { fb_words(t, &t->config->width, &t->config->height, how); }
static void fb_virtual(Tag *t, uint32_t how)  { fb_words(t, &t->config->virtual_width, &t->config->virtual_height, how); }
static void fb_depth(Tag *t, uint32_t how)    { fb_words(t, &t->config->bpp, NULL, how); }
static void fb_order(Tag *t, uint32_t how)    { fb_words(t, &t->config->pixel_order, NULL, how); }
static void fb_alpha(Tag *t, uint32_t how)    { fb_words(t, &t->config->alpha_mode, NULL, how); }
static void fb_offset(Tag *t, uint32_t how)   { fb_words(t, &t->config->x, &t->config->y, how); }

static void fb_allocate(Tag *t, uint32_t value)
{
    out(t, 0, bcm2835_fb_base(t->s->fb));
    out(t, 1, bcm2835_fb_bytes(t->config));
}

static void fb_blank(Tag *t, uint32_t value)
{
    bcm2835_fb_blank(t->s->fb, in(t, 0) & 1);
}

static void fb_pitch(Tag *t, uint32_t value)
{
    out(t, 0, bcm2835_fb_pitch(t->config));
}

static void fb_overscan(Tag *t, uint32_t value)
{
    memset(t->value, 0, 16);
}

/* First colour, how many, then the colours. */
static void fb_palette(Tag *t, uint32_t value)
{
    uint32_t colours[256], first = in(t, 0), n = in(t, 1);
    bool ok = first < 256 && n && n <= 256 - first && t->room >= 8 + 4 * n;

    for (uint32_t i = 0; ok && i < n; i++) {
        colours[i] = in(t, 2 + i);
    }
    if (ok) {
        bcm2835_fb_palette(t->s->fb, first, n, colours);
    }
    out(t, 0, ok ? 0 : 1);
}

static void command_line(Tag *t, uint32_t value)
{
    const char *text = t->s->command_line ? t->s->command_line : "";

    memcpy(t->value, text, MIN(t->room, strlen(text) + 1));
}

/* -- tags -------------------------------------------------------------------------------------------------------------------------- */

enum { COMMAND_LINE = UINT16_MAX }; /* as answer length: as long as the text */

static const struct TagRow {
    uint32_t tag;
    uint16_t needs;       /* bytes of room */
    uint16_t answers;
    void (*fn)(Tag *t, uint32_t value);
    uint32_t value;
} tags[] = {
    { 0x00000001, 4, 4, fixed, 346337 },              /* firmware revision: seconds since 1970 */
    { 0x00010001, 4, 4, fixed, 0 },                   /* board model */
    { 0x00010002, 4, 4, board_revision, 0 },
    { 0x00010003, 6, 6, mac_address, 0 },
    { 0x00010004, 8, 8, serial, 0 },
    { 0x00010005, 8, 8, memory, 0 },                  /* of the ARM side */
    { 0x00010006, 8, 8, memory, 1 },                  /* of the GPU */
    { 0x00010007, 8, 8, clocks, 0 },
    { 0x00020001, 8, 8, power_on, 0 },
    { 0x00020002, 8, 8, second, 0 },                  /* time until power is stable */
    { 0x00028001, 8, 8, power_state, 0 },
    { 0x00030001, 8, 8, second, 1 },                  /* clock state: on */
    { 0x00038001, 8, 8, second, 1 },
    { 0x00030002, 8, 8, clock_rate, 0 },
    { 0x00030004, 8, 8, clock_rate, 0 },              /* its maximum */
    { 0x00030007, 8, 8, clock_rate, 0 },              /* its minimum */
    { 0x00030047, 8, 8, clock_rate, 0 },              /* as measured */
    { 0x00038002, 8, 8, clock_rate, 0 },              /* setting: rates are fixed */
    { 0x00030006, 8, 8, second, 25000 },              /* temperature, in thousandths of a degree */
    { 0x0003000a, 8, 8, second, 99000 },              /* and the highest allowed */
    { 0x00030021, 4, 4, fixed, 0 },                   /* throttled: never */
    { 0x00030041, 8, 8, gpio_get, 0 },
    { 0x00038041, 8, 8, gpio_set, 0 },
    { 0x00030043, 20, 20, gpio_get_config, 0 },
    { 0x00038043, 24, 24, gpio_set_config, 0 },
    { 0x00040001, 8, 8, fb_allocate, 0 },
    { 0x00048001, 0, 0, keep, 0 },                    /* release */
    { 0x00040002, 4, 4, fb_blank, 0 },
    { 0x00040003, 8, 8, fb_physical, 0 }, { 0x00044003, 8, 8, fb_physical, 2 }, { 0x00048003, 8, 8, fb_physical, 1 },
    { 0x00040004, 8, 8, fb_virtual, 0 }, { 0x00044004, 8, 8, fb_virtual, 2 }, { 0x00048004, 8, 8, fb_virtual, 1 },
    { 0x00040005, 4, 4, fb_depth, 0 }, { 0x00044005, 4, 4, fb_depth, 2 }, { 0x00048005, 4, 4, fb_depth, 1 },
    { 0x00040006, 4, 4, fb_order, 0 }, { 0x00044006, 4, 4, fb_order, 2 }, { 0x00048006, 4, 4, fb_order, 1 },
    { 0x00040007, 4, 4, fb_alpha, 0 }, { 0x00044007, 4, 4, fb_alpha, 2 }, { 0x00048007, 4, 4, fb_alpha, 1 },
    { 0x00040008, 4, 4, fb_pitch, 0 },
    { 0x00040009, 8, 8, fb_offset, 0 }, { 0x00044009, 8, 8, fb_offset, 2 }, { 0x00048009, 8, 8, fb_offset, 1 },
    { 0x0004000a, 16, 16, fb_overscan, 0 }, { 0x0004400a, 16, 16, fb_overscan, 0 }, { 0x0004800a, 16, 16, fb_overscan, 0 },
    { 0x0004800b, 12, 4, fb_palette, 0 },
    { 0x00040013, 4, 4, fixed, 1 },                   /* number of displays */
    { 0x00050001, 0, COMMAND_LINE, command_line, 0 },
    { 0x00060001, 4, 4, fixed, 0x003c },              /* DMA channels that are for the ARM side */
};

static const struct TagRow *find(uint32_t tag)
{
    for (size_t i = 0; i < ARRAY_SIZE(tags); i++) {
        if (tags[i].tag == tag) {
            return &tags[i];
        }
    }
    return NULL;
}

/* The tags of a buffer of `bytes`; false: they do not fit into it. */
static bool serve(PropertyDev *s, uint8_t *buf, uint32_t bytes)
{
    Bcm2835FbConfig config = *bcm2835_fb_config(s->fb), old = config;
    uint32_t at = HEADER_BYTES;

    while (at + 4 <= bytes && ldle32(buf + at)) {
        if (bytes - at < TAG_HEADER_BYTES) {
            return false;
        }
        Tag t = { .s = s, .value = buf + at + TAG_HEADER_BYTES, .room = ldle32(buf + at + 4), .config = &config };
        if (t.room > bytes - at - TAG_HEADER_BYTES || t.room > MAX_TAG_BYTES) {
            return false;
        }
        const struct TagRow *row = find(ldle32(buf + at));
        if (row && t.room >= row->needs) {
            row->fn(&t, row->value);
            uint32_t answer = row->answers == COMMAND_LINE ? (uint32_t)(s->command_line ? strlen(s->command_line) : 0) : row->answers;
            stle32(buf + at + 8, TAG_RESPONSE | answer);
        } else {
            log_unimp("bcm2835-property: tag 0x%08x with %u bytes\n", ldle32(buf + at), t.room);
            stle32(buf + at + 8, TAG_RESPONSE); /* answered with nothing */
        }
        at += TAG_HEADER_BYTES + ROUND_UP(t.room, 4u);
    }
    if (memcmp(&config, &old, sizeof(config))) {
        bcm2835_fb_set(s->fb, &config);
    }
    return true;
}

static uint32_t message(void *opaque, uint32_t addr)
{
    PropertyDev *s = opaque;
    uint8_t head[HEADER_BYTES], *buf;

    if (dma_read(s->bus, addr, head, sizeof(head)) != MEM_OK) {
        return addr;
    }
    uint32_t bytes = ldle32(head);
    if (bytes < HEADER_BYTES || bytes > MAX_BYTES) {
        stle32(head + 4, CODE_ERROR);
        dma_write(s->bus, addr, head, sizeof(head));
        return addr;
    }
    buf = xcalloc(1, bytes);
    if (dma_read(s->bus, addr, buf, bytes) == MEM_OK) {
        stle32(buf + 4, serve(s, buf, bytes) ? CODE_OK : CODE_ERROR);
        dma_write(s->bus, addr, buf, bytes);
    }
    free(buf);
    return addr;
}

void bcm2835_property_connect(Device *property, Device *mbox, Device *fb, Device *cprman, AddressSpace *bus)
{
    PropertyDev *s = (PropertyDev *)property;

    s->fb = fb;
    s->cprman = cprman;
    s->bus = bus;
    bcm2835_mbox_connect(mbox, BCM2835_MBOX_PROPERTY, message, s);
}

static bool property_realize(Device *dev, Error **errp)
{
    static const uint8_t usual[6] = { 0x52, 0x54, 0x00, 0x12, 0x34, 0x57 };

    memcpy(((PropertyDev *)dev)->mac, usual, sizeof(usual));
    return true;
}

static void property_reset(Device *dev, ResetKind kind)
{
    PropertyDev *s = (PropertyDev *)dev;

    s->expander_out = s->expander_dir = 0;
}

static const StateField property_fields[] = { STATE_U(PropertyDev, expander_out), STATE_U(PropertyDev, expander_dir) };
static const StateDesc property_state = {
    .name = "bcm2835-property", .version = 1, .min_version = 1, .fields = property_fields, .n_fields = ARRAY_SIZE(property_fields),
};

static const Property property_props[] = {
    PROP_U32("board-rev", PropertyDev, board_rev, 0, "Revision code of the board"),
    PROP_STR("command-line", PropertyDev, command_line, "Kernel command line"),
};

static const DeviceType property_type = {
    .type = { .name = "bcm2835-property", .parent = "sys-bus-device", .summary = "Raspberry Pi firmware's property interface",
              .size_bytes = sizeof(PropertyDev), .props = property_props, .n_props = ARRAY_SIZE(property_props) },
    .category = DEVICE_MISC, .bus = "System", .state = &property_state, .realize = property_realize, .reset_enter = property_reset,
};
DEVICE_TYPE_REGISTER(property_type);
