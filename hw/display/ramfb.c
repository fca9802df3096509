/*
 * ramfb.c: a frame buffer in guest memory whose place and form firmware writes into the fw_cfg file "etc/ramfb": big-endian
 * address (64 bits), DRM format code, flags (0), width, height and stride in bytes (32 bits each).
 */
#include "hw/display/framebuffer.h"
#include "hw/fw_cfg.h"
#include "softmmu/machine.h"
#include "util/bits.h"
#include "util/log.h"

enum { CONFIG_BYTES = 28, FORMAT_XRGB8888 = 0x34325258, FORMAT_ARGB8888 = 0x34325241, FORMAT_RGB888 = 0x34324752, FORMAT_RGB565 = 0x36314752 };

typedef struct Ramfb {
    Device dev;
    Device *fw_cfg;
    Console *con;
    Framebuffer fb;
} Ramfb;

static bool pixel_format(uint32_t code, FbFormat *ret)
{
    switch (code) {
    case FORMAT_XRGB8888: case FORMAT_ARGB8888: *ret = FB_XRGB8888; return true;
    case FORMAT_RGB888: *ret = FB_RGB888; return true;
    case FORMAT_RGB565: *ret = FB_RGB565; return true;
    default: return false;
    }
}

/* The file was written, perhaps in parts: what does not make sense shows nothing until it does. */
static void configured(void *opaque)
{
    Ramfb *s = opaque;
    uint32_t len;
    const uint8_t *p = fw_cfg_file(s->fw_cfg, "etc/ramfb", &len);
    FbMode mode = {0};
    FbFormat format;

    if (!p || len < CONFIG_BYTES || !pixel_format(ldbe32(p + 8), &format) || ldbe32(p + 12)) {
        fb_set(&s->fb, &mode);
        return;
    }
    mode = (FbMode){ .width = ldbe32(p + 16), .height = ldbe32(p + 20), .stride_bytes = ldbe32(p + 24), .format = format };
    if (mode.width > CONSOLE_MAX_WIDTH || mode.height > CONSOLE_MAX_HEIGHT) {
        mode = (FbMode){0};
    }
    mode.stride_bytes = mode.stride_bytes ? mode.stride_bytes : mode.width * fb_bytes_per_pixel(format);
    rcu_read_lock();
    MemLookup l = memory_lookup(&machine_current()->memory, ldbe64(p));
    rcu_read_unlock();
    /* One piece of memory, not a part of several. */
    if (l.ram && !l.readonly && mode.height && l.length / mode.height >= mode.stride_bytes) {
        mode.ram = l.ram;
        mode.offset = l.ram_addr - l.ram->ram_addr;
    } else {
        mode = (FbMode){0};
        log_guest_error("ramfb: no memory of that size at 0x%" PRIx64 "\n", ldbe64(p));
    }
    fb_set(&s->fb, &mode);
}

static void update(void *opaque)
{
    fb_update(&((Ramfb *)opaque)->fb);
}

static void invalidate(void *opaque)
{
    fb_invalidate(&((Ramfb *)opaque)->fb);
}

static const ConsoleOps console_ops = { .update = update, .invalidate = invalidate };

static void find_fw_cfg(Device *dev, void *opaque)
{
    if (object_is_a(&dev->obj, "fw_cfg_mem") || object_is_a(&dev->obj, "fw_cfg_io")) {
        *(Device **)opaque = dev;
    }
}

static bool ramfb_realize(Device *dev, Error **errp)
{
    Ramfb *s = (Ramfb *)dev;
    uint8_t config[CONFIG_BYTES] = {0};

    device_foreach(find_fw_cfg, &s->fw_cfg);
    if (!s->fw_cfg) {
        error_set(errp, "ramfb device requires fw_cfg with DMA");
        return false;
    }
    if (!fw_cfg_add_file(s->fw_cfg, "etc/ramfb", config, sizeof(config), errp)) {
        return false;
    }
    fw_cfg_make_writable(s->fw_cfg, "etc/ramfb", configured, s);
    s->con = console_new(dev, 0, &console_ops, s);
    fb_init(&s->fb, s->con);
    return true;
}

static void ramfb_unrealize(Device *dev)
{
    Ramfb *s = (Ramfb *)dev;

    fw_cfg_make_writable(s->fw_cfg, "etc/ramfb", NULL, NULL);
    fb_finish(&s->fb);
    console_free(s->con);
}

static void ramfb_reset(Device *dev, ResetKind kind)
{
    Ramfb *s = (Ramfb *)dev;
    uint8_t config[CONFIG_BYTES] = {0};

    if (!fw_cfg_set_file(s->fw_cfg, "etc/ramfb", config, sizeof(config), NULL)) {
        log_guest_error("ramfb: etc/ramfb cannot be cleared\n");
    }
    fb_set(&s->fb, &(FbMode){0});
}

static const DeviceType ramfb_type = {
    .type = { .name = "ramfb", .parent = "sys-bus-device", .size_bytes = sizeof(Ramfb), .summary = "frame buffer in guest memory, set up by firmware" },
    .category = DEVICE_DISPLAY, .bus = "System", .realize = ramfb_realize, .unrealize = ramfb_unrealize, .reset_hold = ramfb_reset, .user_creatable = true,
};
DEVICE_TYPE_REGISTER(ramfb_type);
