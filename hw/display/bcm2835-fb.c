/*
 * bcm2835-fb.c: the frame buffer that a Raspberry Pi's firmware shows, set up by mailbox messages.
 *
 * "Mailbox framebuffer interface" (channel 1) and the frame buffer tags of the property interface (Raspberry Pi firmware wiki). The picture lies
 * in the GPU's part of memory, 1 MiB behind its start, and is a window of width * height at (x, y) of a larger virtual one.
 *
 * Left out: overscan, alpha.
 */
#include "hw/arm/bcm2835.h"
#include "hw/display/framebuffer.h"
#include "hw/dma.h"
#include "util/bits.h"

enum { FB_OFFSET = 1 << 20, MAX_WIDTH = 3840, MAX_HEIGHT = 2560, MAX_VIRTUAL = 16384, DEFAULT_BPP = 16, MESSAGE_BYTES = 40 };

typedef struct BcmFb {
    Device dev;
    uint32_t vcram_base, vcram_bytes;
    Bcm2835FbConfig config, initial;
    uint32_t palette[256];
    bool blank;
    AddressSpace *bus;
    Console *con;
    Framebuffer fb;
} BcmFb;

const Bcm2835FbConfig *bcm2835_fb_config(const Device *fb)
{
    return &((const BcmFb *)fb)->config;
}

uint32_t bcm2835_fb_base(const Device *fb)
{
    return ((const BcmFb *)fb)->vcram_base + FB_OFFSET;
}

uint32_t bcm2835_fb_pitch(const Bcm2835FbConfig *c)
{
    return MAX(c->width, c->virtual_width) * (c->bpp / 8);
}

uint32_t bcm2835_fb_bytes(const Bcm2835FbConfig *c)
{
    return bcm2835_fb_pitch(c) * MAX(c->height, c->virtual_height);
}

void bcm2835_fb_validate(Bcm2835FbConfig *c)
{
    c->width = MIN(c->width, MAX_WIDTH);
    c->height = MIN(c->height, MAX_HEIGHT);
    c->virtual_width = MIN(c->virtual_width, MAX_VIRTUAL);
    c->virtual_height = MIN(c->virtual_height, MAX_VIRTUAL);
    if (c->bpp != 8 && c->bpp != 16 && c->bpp != 24 && c->bpp != 32) {
        c->bpp = DEFAULT_BPP;
    }
    /* The window stays inside. */
    c->x = MIN(c->x, MAX(c->virtual_width, c->width) - c->width);
    c->y = MIN(c->y, MAX(c->virtual_height, c->height) - c->height);
}

static FbFormat format(const Bcm2835FbConfig *c)
{
    switch (c->bpp) {
    case 8: return FB_PALETTE8;
    case 24: return c->pixel_order ? FB_BGR888 : FB_RGB888;
    case 32: return c->pixel_order ? FB_XBGR8888 : FB_XRGB8888;
    default: return c->pixel_order ? FB_RGB565 : FB_BGR565;
    }
}

static void show(BcmFb *s)
{
    const Bcm2835FbConfig *c = &s->config;
    FbMode mode = { .width = c->width, .height = c->height, .stride_bytes = bcm2835_fb_pitch(c), .format = format(c) };

    if (!s->bus) {
        return;
    }
    rcu_read_lock();
    MemLookup l = memory_lookup(s->bus, bcm2835_fb_base(&s->dev));
    rcu_read_unlock();
    if (!s->blank && l.ram && l.length >= bcm2835_fb_bytes(c) && bcm2835_fb_bytes(c) <= s->vcram_bytes - FB_OFFSET) {
        mode.ram = l.ram;
        mode.offset = l.ram_addr - l.ram->ram_addr + (uint64_t)c->y * mode.stride_bytes + (uint64_t)c->x * (c->bpp / 8);
    }
    fb_set(&s->fb, &mode);
}

void bcm2835_fb_set(Device *fb, const Bcm2835FbConfig *config)
{
    BcmFb *s = (BcmFb *)fb;

    s->config = *config;
    bcm2835_fb_validate(&s->config);
    show(s);
}

void bcm2835_fb_blank(Device *fb, bool blank)
{
    ((BcmFb *)fb)->blank = blank;
    show((BcmFb *)fb);
}

/* As the property interface has them: red in the low byte. */
void bcm2835_fb_palette(Device *fb, uint32_t first, uint32_t n, const uint32_t *colours)
{
    BcmFb *s = (BcmFb *)fb;

    for (uint32_t i = 0; i < n && first + i < ARRAY_SIZE(s->palette); i++) {
        uint32_t v = colours[i];

        s->palette[first + i] = (v & 0xff) << 16 | (v & 0xff00) | (v >> 16 & 0xff);
    }
    fb_invalidate(&s->fb);
}

/* Ten words: width, height, virtual width and height, pitch (answer), depth, x, y, address (answer), size (answer). */
static uint32_t message(void *opaque, uint32_t addr)
{
    BcmFb *s = opaque;
    uint8_t buf[MESSAGE_BYTES];

    if (dma_read(s->bus, addr, buf, sizeof(buf)) != MEM_OK) {
        return 1 << 4;
    }
    Bcm2835FbConfig c = s->config;
    c.width = ldle32(buf);
    c.height = ldle32(buf + 4);
    c.virtual_width = ldle32(buf + 8);
    c.virtual_height = ldle32(buf + 12);
    c.bpp = ldle32(buf + 20);
    c.x = ldle32(buf + 24);
    c.y = ldle32(buf + 28);
    bcm2835_fb_set(&s->dev, &c);
    stle32(buf + 16, bcm2835_fb_pitch(&s->config));
    stle32(buf + 32, bcm2835_fb_base(&s->dev));
    stle32(buf + 36, bcm2835_fb_bytes(&s->config));
    return dma_write(s->bus, addr, buf, sizeof(buf)) == MEM_OK ? 0 : 1 << 4;
}

void bcm2835_fb_connect(Device *fb, Device *mbox, AddressSpace *bus)
{
    ((BcmFb *)fb)->bus = bus;
    bcm2835_mbox_connect(mbox, BCM2835_MBOX_FB, message, fb);
}

static void update(void *opaque)
{
    fb_update(&((BcmFb *)opaque)->fb);
}

static void invalidate(void *opaque)
{
    fb_invalidate(&((BcmFb *)opaque)->fb);
}

static const ConsoleOps console_ops = { .update = update, .invalidate = invalidate };

static bool fb_realize(Device *dev, Error **errp)
{
    BcmFb *s = (BcmFb *)dev;

    if (s->vcram_bytes <= FB_OFFSET) {
        error_set(errp, "bcm2835-fb: vcram-size must be more than %u", FB_OFFSET);
        return false;
    }
    s->initial.virtual_width = s->initial.width;
    s->initial.virtual_height = s->initial.height;
    bcm2835_fb_validate(&s->initial);
    s->con = console_new(dev, 0, &console_ops, s);
    fb_init(&s->fb, s->con);
    s->fb.palette = s->palette;
    return true;
}

static void fb_unrealize(Device *dev)
{
    BcmFb *s = (BcmFb *)dev;

    fb_finish(&s->fb);
    console_free(s->con);
}

static void fb_reset(Device *dev, ResetKind kind)
{
    BcmFb *s = (BcmFb *)dev;

    s->blank = false;
    memset(s->palette, 0, sizeof(s->palette));
    bcm2835_fb_set(dev, &s->initial);
}

static bool fb_post_load(void *opaque, uint32_t version, Error **errp)
{
    BcmFb *s = opaque;

    bcm2835_fb_set(&s->dev, &s->config);
    return true;
}

static const StateField config_fields[] = {
    STATE_U(Bcm2835FbConfig, width), STATE_U(Bcm2835FbConfig, height), STATE_U(Bcm2835FbConfig, virtual_width),
    STATE_U(Bcm2835FbConfig, virtual_height), STATE_U(Bcm2835FbConfig, x), STATE_U(Bcm2835FbConfig, y), STATE_U(Bcm2835FbConfig, bpp),
    STATE_U(Bcm2835FbConfig, pixel_order), STATE_U(Bcm2835FbConfig, alpha_mode),
};
static const StateDesc config_state = {
    .name = "config", .version = 1, .min_version = 1, .fields = config_fields, .n_fields = ARRAY_SIZE(config_fields),
};
static const StateField fb_fields[] = {
    { .name = "config", .kind = STATE_STRUCT, .offset = offsetof(BcmFb, config), .elem_size = sizeof(Bcm2835FbConfig), .sub = &config_state },
    STATE_U_ARRAY(BcmFb, palette), STATE_U(BcmFb, blank),
};

static const StateDesc fb_state = {
    .name = "bcm2835-fb", .version = 1, .min_version = 1, .fields = fb_fields, .n_fields = ARRAY_SIZE(fb_fields), .post_load = fb_post_load,
};

static const Property fb_props[] = {
    PROP_U32("vcram-base", BcmFb, vcram_base, 0, "Where the GPU's memory is"),
    PROP_U32("vcram-size", BcmFb, vcram_bytes, 64 * MiB, "How much it is"),
    PROP_U32("xres", BcmFb, initial.width, 640, NULL), PROP_U32("yres", BcmFb, initial.height, 480, NULL),
    PROP_U32("bpp", BcmFb, initial.bpp, 16, NULL), PROP_U32("pixo", BcmFb, initial.pixel_order, 1, "0: BGR, 1: RGB"),
    PROP_U32("alpha", BcmFb, initial.alpha_mode, 2, NULL),
};

static const DeviceType fb_type = {
    .type = { .name = "bcm2835-fb", .parent = "sys-bus-device", .summary = "Raspberry Pi frame buffer", .size_bytes = sizeof(BcmFb),
              .props = fb_props, .n_props = ARRAY_SIZE(fb_props) },
    .category = DEVICE_DISPLAY, .bus = "System", .state = &fb_state, .realize = fb_realize, .unrealize = fb_unrealize, .reset_hold = fb_reset,
};
DEVICE_TYPE_REGISTER(fb_type);
