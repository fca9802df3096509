/*
 * bcm2835-cprman.c: clocks, power and reset manager of the BCM2835 family: its clock registers.
 *
 * Broadcom "BCM2835 ARM Peripherals", 6.3 (clock manager); offsets and bits of the PLLs (A2W) as the Linux driver clk-bcm2835 describes the
 * hardware. Writes need the password 0x5a in the top byte. What firmware leaves behind is the state at reset. PLLs lock and generators start and
 * stop at once. Frequencies are computed for the generators that take their source from the peripheral multiplexer.
 */
#include "hw/arm/bcm2835.h"
#include "util/log.h"

enum {
    N_WORDS = 0x800, PASSWORD = 0x5a,
    CTL_SRC = 15, CTL_ENABLE = 1 << 4, CTL_KILL = 1 << 5, CTL_BUSY = 1 << 7,
    FIRST_A2W = 0x1000, LAST_CTL = 0x1c0,
    CM_LOCK = 0x114, CM_LOCK_ALL = 0x1f00,
    PLL_NDIV = 0x3ff, PLL_PDIV_SHIFT = 12, PLL_POWER_DOWN = 1 << 16, FRAC_BITS = 20,
    CHANNEL_DIV = 0xff, CHANNEL_DISABLE = 1 << 8,
};

typedef struct Cprman {
    Device dev;
    uint32_t xosc_hz;
    uint32_t words[N_WORDS];
} Cprman;

/* Offset and value of what is not 0 when firmware starts a kernel. */
static const struct { uint16_t offset; uint32_t value; } initial[] = {
    { 0x0008, 0x245 }, { 0x000c, 0x3000 },    { 0x0028, 0x244 }, { 0x002c, 0x3000 },    { 0x0030, 0x244 }, { 0x0034, 0x3000 },
    { 0x0070, 0x200 }, { 0x0078, 0x96 },      { 0x007c, 0x14000 }, { 0x0080, 0x291 },   { 0x0084, 0x249f00 }, { 0x0090, 0x91 },
    { 0x0094, 0x4000 }, { 0x0098, 0x200 },    { 0x00a0, 0x200 }, { 0x00a8, 0x200 },     { 0x00e0, 0x91 }, { 0x00e4, 0xa000 },
    { 0x00e8, 0x291 }, { 0x00ec, 0x13333 },   { 0x00f0, 0x296 }, { 0x00f4, 0xa6ab },    { 0x00f8, 0x97 }, { 0x00fc, 0x2000 },
    { 0x0104, 0x8a }, { 0x0108, 0x228 },      { 0x010c, 0x20a }, { 0x0114, 0x1f00 },    { 0x01a8, 0x4006 }, { 0x01ac, 0x3000 },
    { 0x01c0, 0x295 }, { 0x01c4, 0x6000 },
    /* A2W: analogue settings, PLL A, C, D and H, their fractions, their channels */
    { 0x1014, 0x144000 }, { 0x101c, 0x100 },  { 0x1034, 0x144000 }, { 0x103c, 0x100 },  { 0x1054, 0x144000 }, { 0x105c, 0x100 },
    { 0x1070, 0x900000 }, { 0x1074, 0xc },
    { 0x1100, 0x2103a }, { 0x1120, 0x2103e }, { 0x1140, 0x21034 }, { 0x1160, 0x2102d },
    { 0x1200, 0x98000 }, { 0x1220, 0x80000 }, { 0x1240, 0x15556 },
    { 0x1300, 0x100 }, { 0x1320, 0x100 },     { 0x1340, 0x100 }, { 0x1360, 4 },         { 0x1400, 3 }, { 0x1420, 0x100 },
    { 0x1440, 4 }, { 0x1520, 2 },             { 0x1540, 4 }, { 0x1600, 0x100 },         { 0x1620, 2 }, { 0x1640, 0x100 },
};

/* PLLs behind sources 4 to 7 of the peripheral multiplexer; ana1: with the bit that doubles the feedback divider. */
static const struct { uint16_t ctrl, frac, ana1, channel; uint32_t prediv; } sources[4] = {
    { 0x1100, 0x1200, 0x1014, 0x1500, 1 << 14 }, /* PLLA_PER */
    { 0x1120, 0x1220, 0x1034, 0x1520, 1 << 14 }, /* PLLC_PER */
    { 0x1140, 0x1240, 0x1054, 0x1540, 1 << 14 }, /* PLLD_PER */
    { 0x1160, 0x1260, 0x1074, 0x1360, 1 << 11 }, /* PLLH_AUX */
};

static uint32_t word(const Cprman *s, uint32_t offset)
{
    return s->words[offset / 4];
}

static uint64_t source_hz(const Cprman *s, unsigned source)
{
    if (source == 1) {
        return s->xosc_hz;
    }
    if (source < 4 || source > 7) {
        return 0;
    }
    uint32_t ctrl = word(s, sources[source - 4].ctrl), channel = word(s, sources[source - 4].channel);
    uint32_t pdiv = ctrl >> PLL_PDIV_SHIFT & 7;
    uint64_t mul = (uint64_t)(ctrl & PLL_NDIV) << FRAC_BITS | (word(s, sources[source - 4].frac) & ((1u << FRAC_BITS) - 1));
    if (!pdiv || ctrl & PLL_POWER_DOWN || channel & CHANNEL_DISABLE) {
        return 0;
    }
    if (word(s, sources[source - 4].ana1) & sources[source - 4].prediv) {
        mul *= 2;
    }
    uint32_t div = channel & CHANNEL_DIV;
    return (s->xosc_hz * mul >> FRAC_BITS) / pdiv / (div ? div : 256);
}

uint32_t bcm2835_cprman_hz(Device *cprman, uint32_t control)
{
    Cprman *s = (Cprman *)cprman;
    uint32_t ctl = word(s, control), div = word(s, control + 4) & 0xffffff; /* 12.12 fixed point */

    return ctl & CTL_ENABLE && div ? (uint32_t)((source_hz(s, ctl & CTL_SRC) << 12) / div) : 0;
}

static uint64_t word_read(Device *dev, const Register *reg, unsigned index)
{
    return 4 * index == CM_LOCK ? CM_LOCK_ALL : ((Cprman *)dev)->words[index];
}

static void word_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    Cprman *s = (Cprman *)dev;
    uint32_t v = (uint32_t)value & 0xffffff;
    /* Up to here registers come in pairs of control and divider, but for the PLLs' from 0x104 on. */
    bool control = 4 * index <= LAST_CTL && !(index & 1) && !(4 * index >= 0x100 && 4 * index < 0x120);

    if (value >> 24 != PASSWORD) {
        log_guest_error("bcm2835-cprman: write of 0x%" PRIx64 " to 0x%x without the password\n", value, 4 * index);
        return;
    }
    if (control) {
        v = (v & ~(uint32_t)CTL_BUSY) | ((v & (CTL_ENABLE | CTL_KILL)) == CTL_ENABLE ? CTL_BUSY : 0);
    }
    s->words[index] = v;
}

static const Register cprman_regs[] = {
    { .name = "CM/A2W", .offset = 0, .size = 4, .count = N_WORDS, .read = word_read, .write = word_write },
};

static const RegisterBank cprman_banks[] = {
    { .name = "bcm2835-cprman", .size_bytes = 4 * N_WORDS, .access_min = 4, .access_max = 4, .regs = cprman_regs, .n_regs = ARRAY_SIZE(cprman_regs) },
};

static void cprman_reset(Device *dev, ResetKind kind)
{
    Cprman *s = (Cprman *)dev;

    memset(s->words, 0, sizeof(s->words));
    for (size_t i = 0; i < ARRAY_SIZE(initial); i++) {
        s->words[initial[i].offset / 4] = initial[i].value;
    }
}

static const StateField cprman_fields[] = { STATE_U_ARRAY(Cprman, words) };
static const StateDesc cprman_state = {
    .name = "bcm2835-cprman", .version = 1, .min_version = 1, .fields = cprman_fields, .n_fields = ARRAY_SIZE(cprman_fields),
};
static const Property cprman_props[] = { PROP_U32("xosc-freq-hz", Cprman, xosc_hz, 19200000, "Frequency of the crystal") };

static const DeviceType cprman_type = {
    .type = { .name = "bcm2835-cprman", .parent = "sys-bus-device", .summary = "BCM2835 clock manager", .size_bytes = sizeof(Cprman),
              .props = cprman_props, .n_props = ARRAY_SIZE(cprman_props) },
    .category = DEVICE_MISC, .bus = "System", .banks = cprman_banks, .n_banks = ARRAY_SIZE(cprman_banks), .state = &cprman_state,
    .reset_enter = cprman_reset,
};
DEVICE_TYPE_REGISTER(cprman_type);
