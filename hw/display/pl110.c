/*
 * pl110.c: Arm PrimeCell colour LCD controllers PL110 and PL111, and the PL110 of the Versatile boards.
 *
 * PL110: Arm DDI 0161E, chapter 3; PL111: DDI 0293C. They differ in where LCDControl and LCDIMSC are, in the 5:6:5 format (a PL110 has 1:5:5:5; on
 * boards it goes through a multiplexer that makes 5:6:5 of it, input "mux": SYS_CLCD bits 1 and 0) and in the cursor.
 *
 * Left out: 1, 2 and 4 bits per pixel, 4:4:4, big-endian pixels, dual panels, the hardware cursor of the PL111 (its registers are not there).
 */
#include <string.h>
#include "hw/display/framebuffer.h"
#include "hw/primecell.h"
#include "softmmu/clock.h"
#include "softmmu/machine.h"
#include "util/log.h"

enum {
    CTL_ENABLE = 1 << 0, CTL_BPP_SHIFT = 1, CTL_BGR = 1 << 8, CTL_BIG_BYTES = 1 << 9, CTL_POWER = 1 << 11,
    BPP_8 = 3, BPP_16 = 4, BPP_24 = 5, BPP_565 = 6,
    INT_BASE = 1 << 2, INT_VCOMP = 1 << 3, INT_MASK = 0x1e,
    MUX_5551 = 1, MUX_565_RED_LOW = 2, MUX_565 = 3,
    N_PALETTE_WORDS = 128, REFRESH_HZ = 60,
};

typedef enum Pl110Version { VERSION_PL110, VERSION_VERSATILE, VERSION_PL111 } Pl110Version;

typedef struct Pl110 {
    Device dev;
    uint32_t timing[4], upbase, lpbase, control, imsc, ris, mux;
    uint32_t palette_words[N_PALETTE_WORDS], palette[256];
    Console *con;
    Framebuffer fb;
    Timer refresh;
} Pl110;

static Pl110Version version(const Device *dev)
{
    return (Pl110Version)(uintptr_t)dev->obj.type->class_data;
}

static bool format(const Pl110 *s, FbFormat *ret)
{
    bool swap = !(s->control & CTL_BGR); /* "RGB" has red in the low bits */
    bool wide = version(&s->dev) != VERSION_PL111 && (s->mux == MUX_565 || s->mux == MUX_565_RED_LOW);

    if (s->control & CTL_BIG_BYTES) {
        return false;
    }
    switch (s->control >> CTL_BPP_SHIFT & 7) {
    case BPP_8: *ret = FB_PALETTE8; return true;
    case BPP_16:
        /* Behind the multiplexer red and blue have changed places once more. */
        *ret = wide ? swap != (s->mux == MUX_565) ? FB_BGR565 : FB_RGB565 : swap ? FB_BGR555 : FB_RGB555;
        return true;
    case BPP_24: *ret = swap ? FB_XBGR8888 : FB_XRGB8888; return true;
    case BPP_565:
        *ret = swap ? FB_BGR565 : FB_RGB565;
        return version(&s->dev) == VERSION_PL111;
    default: return false;
    }
}

static void show(Pl110 *s)
{
    FbMode mode = { .width = 16 * ((s->timing[0] >> 2 & 0x3f) + 1), .height = (s->timing[1] & 0x3ff) + 1 };

    if (!(s->control & CTL_ENABLE) || !(s->control & CTL_POWER)) {
        fb_set(&s->fb, &(FbMode){0});
        return;
    }
    if (!format(s, &mode.format)) {
        log_unimp("%s: LCDControl 0x%x\n", s->dev.obj.type->name, s->control);
        fb_set(&s->fb, &(FbMode){0});
        return;
    }
    mode.stride_bytes = mode.width * fb_bytes_per_pixel(mode.format);
    rcu_read_lock();
    MemLookup l = memory_lookup(&machine_current()->memory, s->upbase);
    rcu_read_unlock();
    if (l.ram && l.length >= (uint64_t)mode.stride_bytes * mode.height) {
        mode.ram = l.ram;
        mode.offset = l.ram_addr - l.ram->ram_addr;
    }
    fb_set(&s->fb, &mode);
}

static void update(Pl110 *s)
{
    device_set_irq(&s->dev, "sysbus-irq", 0, (s->ris & s->imsc) != 0);
}

/* A frame begins: the base address is taken over. Frames are counted only while somebody wants to hear of them. */
static void arm(Pl110 *s)
{
    if (s->imsc & (INT_BASE | INT_VCOMP) && s->control & CTL_ENABLE) {
        if (!timer_pending(&s->refresh)) {
            timer_set_ns(&s->refresh, clock_get_ns(VM_CLOCK_VIRTUAL) + NS_PER_SECOND / REFRESH_HZ);
        }
    } else {
        timer_cancel(&s->refresh);
    }
}

static void frame(void *opaque)
{
    Pl110 *s = opaque;

    s->ris |= INT_BASE | INT_VCOMP;
    update(s);
    arm(s);
}

static void mode_changed(Device *dev, const Register *reg, unsigned index, uint64_t old)
{
    show((Pl110 *)dev);
    arm((Pl110 *)dev);
}

static void mask_changed(Device *dev, const Register *reg, unsigned index, uint64_t old)
{
    arm((Pl110 *)dev);
    update((Pl110 *)dev);
}

static uint64_t mis_read(Device *dev, const Register *reg, unsigned index)
{
    Pl110 *s = (Pl110 *)dev;

    return s->ris & s->imsc;
}

static void clear_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    Pl110 *s = (Pl110 *)dev;

    s->ris &= ~(uint32_t)value;
    update(s);
}

static uint64_t current_read(Device *dev, const Register *reg, unsigned index)
{
    Pl110 *s = (Pl110 *)dev;

    return index ? s->lpbase : s->upbase;
}

/* Two entries in a word: red in bits 4 to 0, green, blue, intensity. */
static void palette_set(Pl110 *s, unsigned word)
{
    for (unsigned i = 0; i < 2; i++) {
        uint32_t v = s->palette_words[word] >> 16 * i & 0x7fff, r = v & 31, g = v >> 5 & 31, b = v >> 10;

        if (s->control & CTL_BGR) {
            uint32_t t = r;

            r = b;
            b = t;
        }
        s->palette[2 * word + i] = (r << 3 | r >> 2) << 16 | (g << 3 | g >> 2) << 8 | (b << 3 | b >> 2);
    }
}

static void palette_changed(Device *dev, const Register *reg, unsigned index, uint64_t old)
{
    Pl110 *s = (Pl110 *)dev;

    palette_set(s, index);
    fb_invalidate(&s->fb);
}

static void mux_set(void *opaque, int n, int level)
{
    Pl110 *s = opaque;

    s->mux = (uint32_t)level & 3;
    show(s);
}

#define LCD_REGS(first, second, tail)                                                                        \
    { .name = "LCDTiming", .offset = 0x00, .size = 4, .count = 4, REGISTER_ARRAY(Pl110, timing), .changed = mode_changed },              \
    { .name = "LCDUPBASE", .offset = 0x10, .size = 4, REGISTER_FIELD(Pl110, upbase), .write_mask = 0xfffffff8, .changed = mode_changed },  \
    { .name = "LCDLPBASE", .offset = 0x14, .size = 4, REGISTER_FIELD(Pl110, lpbase), .write_mask = 0xfffffff8 },                         \
    first(0x18), second(0x1c),                                                                                                          \
    { .name = "LCDRIS", .offset = 0x20, .size = 4, REGISTER_FIELD(Pl110, ris), tail }
#define CONTROL(at) { .name = "LCDControl", .offset = (at), .size = 4, REGISTER_FIELD(Pl110, control), .write_mask = 0x1ffff, .changed = mode_changed }
#define IMSC(at) { .name = "LCDIMSC", .offset = (at), .size = 4, REGISTER_FIELD(Pl110, imsc), .write_mask = INT_MASK, .changed = mask_changed }
#define PALETTE \
    { .name = "LCDPalette", .offset = 0x200, .size = 4, .count = N_PALETTE_WORDS, REGISTER_ARRAY(Pl110, palette_words), .changed = palette_changed }

static const Register pl110_regs[] = { /* the status register is cleared by writing ones to it */
    LCD_REGS(IMSC, CONTROL, .write = clear_write),
    { .name = "LCDInterrupt", .offset = 0x24, .size = 4, .read = mis_read, .read_only = true },
    { .name = "LCDCURR", .offset = 0x28, .size = 4, .count = 2, .read = current_read, .read_only = true }, PALETTE,
    PRIMECELL_ID_ROW(0x00041110),
};
static const Register versatile_regs[] = {
    LCD_REGS(CONTROL, IMSC, .write = clear_write),
    { .name = "LCDInterrupt", .offset = 0x24, .size = 4, .read = mis_read, .read_only = true },
    { .name = "LCDCURR", .offset = 0x28, .size = 4, .count = 2, .read = current_read, .read_only = true }, PALETTE,
    PRIMECELL_ID_ROW(0x00041093),
};
static const Register pl111_regs[] = {
    LCD_REGS(CONTROL, IMSC, .read_only = true),
    { .name = "LCDMIS", .offset = 0x24, .size = 4, .read = mis_read, .read_only = true },
    { .name = "LCDICR", .offset = 0x28, .size = 4, .write = clear_write, .write_only = true },
    { .name = "LCDCURR", .offset = 0x2c, .size = 4, .count = 2, .read = current_read, .read_only = true }, PALETTE,
    PRIMECELL_ID_ROW(0x00241111),
};

static void con_update(void *opaque)
{
    fb_update(&((Pl110 *)opaque)->fb);
}

static void con_invalidate(void *opaque)
{
    fb_invalidate(&((Pl110 *)opaque)->fb);
}

static const ConsoleOps console_ops = { .update = con_update, .invalidate = con_invalidate };

static bool pl110_realize(Device *dev, Error **errp)
{
    Pl110 *s = (Pl110 *)dev;

    timer_init(&s->refresh, VM_CLOCK_VIRTUAL, frame, s);
    s->con = console_new(dev, 0, &console_ops, s);
    fb_init(&s->fb, s->con);
    s->fb.palette = s->palette;
    return true;
}

static void pl110_unrealize(Device *dev)
{
    Pl110 *s = (Pl110 *)dev;

    timer_cancel(&s->refresh);
    fb_finish(&s->fb);
    console_free(s->con);
}

static void pl110_reset_enter(Device *dev, ResetKind kind)
{
    Pl110 *s = (Pl110 *)dev;

    timer_cancel(&s->refresh);
    memset(s->palette, 0, sizeof(s->palette));
}

static void pl110_reset_hold(Device *dev, ResetKind kind)
{
    show((Pl110 *)dev);
    update((Pl110 *)dev);
}

static bool pl110_post_load(void *opaque, uint32_t v, Error **errp)
{
    Pl110 *s = opaque;

    for (unsigned i = 0; i < N_PALETTE_WORDS; i++) {
        palette_set(s, i);
    }
    s->mux &= 3;
    show(s);
    arm(s);
    update(s);
    return true;
}

static const StateField pl110_fields[] = { STATE_U(Pl110, mux) };
static const StateDesc pl110_state = {
    .name = "pl110", .version = 1, .min_version = 1, .fields = pl110_fields, .n_fields = ARRAY_SIZE(pl110_fields), .post_load = pl110_post_load,
};
static const IrqDef pl110_in[] = { { .count = 1, .handler = mux_set } };
static const IrqDef pl110_out[] = { { .name = "sysbus-irq", .count = 1 } };

#define PL110_TYPE(id, type_name, which, text)                                                                                          \
    static const RegisterBank id##_banks[] = {                                                                                         \
        { .name = "pl110", .size_bytes = 0x1000, .access_min = 1, .access_max = 4, .regs = id##_regs, .n_regs = ARRAY_SIZE(id##_regs) }, \
    };                                                                                                                                  \
    static const DeviceType id##_type = {                                                                                              \
        .type = { .name = type_name, .parent = "sys-bus-device", .summary = text, .size_bytes = sizeof(Pl110),                          \
                  .class_data = (const void *)(uintptr_t)which },                                                                       \
        .category = DEVICE_DISPLAY, .bus = "System", .banks = id##_banks, .n_banks = 1, .irqs_in = pl110_in, .n_irqs_in = 1,             \
        .irqs_out = pl110_out, .n_irqs_out = 1, .state = &pl110_state, .realize = pl110_realize, .unrealize = pl110_unrealize,           \
        .reset_enter = pl110_reset_enter, .reset_hold = pl110_reset_hold,                                                                \
    };                                                                                                                                  \
    DEVICE_TYPE_REGISTER(id##_type)
PL110_TYPE(pl110, "pl110", VERSION_PL110, "Arm PrimeCell LCD controller PL110");
PL110_TYPE(versatile, "pl110_versatile", VERSION_VERSATILE, "Versatile boards' LCD controller");
PL110_TYPE(pl111, "pl111", VERSION_PL111, "Arm PrimeCell LCD controller PL111");
