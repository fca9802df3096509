/*
 * bcm2835-dma.c: the BCM2835's DMA controller: channels 0 to 14 in one page, channel 15 elsewhere.
 *
 * Broadcom "BCM2835 ARM Peripherals", chapter 4. A channel follows a chain of control blocks of 32 bytes. Transfers whose block names a peripheral
 * (PERMAP) and asks to be paced go on while that peripheral's "dreq" line is high, others run through. A bounded amount is copied at a time, then the
 * main loop goes on.
 *
 * Left out: bursts, waits, priorities; "lite" channels behave as the others.
 */
#include "hw/arm/bcm2835.h"
#include "hw/dma.h"
#include "softmmu/clock.h"
#include "util/bits.h"
#include "util/log.h"

enum {
    N_CHANNELS = 16, N_DREQ = 32, BLOCK_BYTES = 32,
    MAX_ROUND_BYTES = 64 * 1024, MAX_ROUND_BLOCKS = 256, CHUNK = 4096,
    CS_ACTIVE = 1 << 0, CS_END = 1 << 1, CS_INT = 1 << 2, CS_DREQ = 1 << 3, CS_PAUSED = 1 << 4, CS_DREQ_STOPS = 1 << 5, CS_ERROR = 1 << 8,
    CS_ABORT = 1 << 30, CS_KEPT = 0x30ff0000,
    TI_INTEN = 1 << 0, TI_2D = 1 << 1, TI_DEST_INC = 1 << 4, TI_DEST_DREQ = 1 << 6, TI_DEST_IGNORE = 1 << 7, TI_SRC_INC = 1 << 8,
    TI_SRC_DREQ = 1 << 10, TI_SRC_IGNORE = 1 << 11, TI_PERMAP_SHIFT = 16, TI_MASK = 0x07fffffb | TI_2D,
    DEBUG_ERRORS = 7, DEBUG_READ_ERROR = 4,
    PAGE_CHANNELS = 15,
};
#define CS_RESET (1u << 31)

typedef struct Channel {
    uint32_t cs, block, ti, source, dest, length, stride, next, debug;
    uint32_t row;                       /* of a 2D transfer: bytes left in it, and its length */
    uint32_t row_bytes;
} Channel;

typedef struct Dma {
    Device dev;
    Channel ch[N_CHANNELS];
    uint32_t int_status, enable, dreq;
    AddressSpace *bus;
    Timer timer;                        /* goes on with what is active */
    bool running;
} Dma;

static void update(Dma *s, unsigned n)
{
    device_set_irq(&s->dev, "sysbus-irq", n, s->int_status >> n & 1);
}

static bool fail(Dma *s, unsigned n, const char *what, uint32_t addr)
{
    Channel *c = &s->ch[n];

    log_guest_error("bcm2835-dma: channel %u: %s at bus address 0x%08x failed\n", n, what, addr);
    c->debug |= DEBUG_READ_ERROR;
    c->cs = (c->cs | CS_ERROR) & ~(uint32_t)CS_ACTIVE;
    return false;
}

static void row_start(Channel *c)
{
    /* 2D: the length is rows - 1 in the upper half, bytes of a row in the lower. */
    c->row_bytes = c->ti & TI_2D ? c->length & 0xffff : c->length & 0x3fffffff;
    c->row = c->row_bytes;
}

static bool load_block(Dma *s, unsigned n)
{
    Channel *c = &s->ch[n];
    uint8_t b[BLOCK_BYTES];

    if (dma_read(s->bus, c->block, b, sizeof(b)) != MEM_OK) {
        return fail(s, n, "control block", c->block);
    }
    c->ti = ldle32(b) & TI_MASK;
    c->source = ldle32(b + 4);
    c->dest = ldle32(b + 8);
    c->length = ldle32(b + 12);
    c->stride = ldle32(b + 16);
    c->next = ldle32(b + 20);
    row_start(c);
    return true;
}

static bool is_peripheral(uint32_t addr)
{
    return (addr & 0xff000000) == BCM2835_BUS_PERIPHERALS;
}

/* One word from or to a peripheral: its registers are 32 bits wide. */
static bool word_get(Dma *s, uint32_t addr, uint8_t *buf)
{
    MemResult result;
    uint32_t word = memory_ld_le32(s->bus, addr & ~3u, &result);

    stle32(buf, word);
    return result == MEM_OK;
}

static bool word_put(Dma *s, uint32_t addr, const uint8_t *buf)
{
    return memory_st_le32(s->bus, addr & ~3u, ldle32(buf)) == MEM_OK;
}

static bool paced(const Channel *c)
{
    return c->ti & (TI_SRC_DREQ | TI_DEST_DREQ) && (c->ti >> TI_PERMAP_SHIFT & 31);
}

static bool stalled(const Dma *s, const Channel *c)
{
    return paced(c) && !(s->dreq >> (c->ti >> TI_PERMAP_SHIFT & 31) & 1);
}

/* Copies at most `max` bytes of the row; returns how many, 0 and an error in the channel on failure. */
static uint32_t copy(Dma *s, unsigned n, uint32_t max)
{
    Channel *c = &s->ch[n];
    uint8_t buf[CHUNK];
    bool words = is_peripheral(c->source) || is_peripheral(c->dest) || !(c->ti & TI_SRC_INC) || !(c->ti & TI_DEST_INC);
    uint32_t bytes = MIN(MIN(max, c->row), words ? 4u : CHUNK);
    uint32_t source = c->source, dest = c->dest;

    memset(buf, 0, 4);
    if (!(c->ti & TI_SRC_IGNORE) &&
        !(is_peripheral(source) ? word_get(s, source, buf) : dma_read(s->bus, source, buf, bytes) == MEM_OK)) {
        fail(s, n, "read", source);
        return 0;
    }
    if (c->ti & TI_SRC_IGNORE) {
        memset(buf, 0, bytes);
    }
    if (!(c->ti & TI_DEST_IGNORE) &&
        !(is_peripheral(dest) ? word_put(s, dest, buf) : dma_write(s->bus, dest, buf, bytes) == MEM_OK)) {
        fail(s, n, "write", dest);
        return 0;
    }
    c->source += c->ti & TI_SRC_INC ? bytes : 0;
    c->dest += c->ti & TI_DEST_INC ? bytes : 0;
    c->row -= bytes;
    if (!(c->ti & TI_2D)) {
        c->length = c->row;
    }
    return bytes;
}

/* The row is through: the next one of a 2D transfer; false: there is none. */
static bool next_row(Channel *c)
{
    if (!(c->ti & TI_2D) || !(c->length >> 16)) {
        return false;
    }
    c->length -= 1u << 16;
    c->source += (uint32_t)(int16_t)(c->stride & 0xffff);
    c->dest += (uint32_t)(int16_t)(c->stride >> 16);
    c->row = c->row_bytes;
    return true;
}

static void block_done(Dma *s, unsigned n)
{
    Channel *c = &s->ch[n];

    c->cs |= CS_END;
    if (c->ti & TI_INTEN) {
        c->cs |= CS_INT;
        s->int_status |= 1u << n;
    }
    c->block = c->next;
    if (!c->block) {
        c->cs &= ~(uint32_t)CS_ACTIVE;
    } else {
        load_block(s, n);
    }
}

/* Whether there is more to do right away. */
static bool channel_run(Dma *s, unsigned n)
{
    Channel *c = &s->ch[n];
    uint32_t bytes = MAX_ROUND_BYTES;

    for (unsigned blocks = MAX_ROUND_BLOCKS; c->cs & CS_ACTIVE;) {
        if (c->row && stalled(s, c)) {
            return false;
        }
        if (c->row) {
            uint32_t done = copy(s, n, bytes);

            bytes -= done;
            if (!done && !(c->cs & CS_ERROR)) {
                return true; /* the round's share is used up */
            }
        } else if (!next_row(c)) {
            block_done(s, n);
            if (!--blocks) {
                return true;
            }
        }
        if (!bytes) {
            return true;
        }
    }
    return false;
}

static void run(void *opaque)
{
    Dma *s = opaque;
    bool again = false;

    if (s->running || !s->bus) { /* a line moved because of what we do */
        return;
    }
    s->running = true;
    for (unsigned n = 0; n < N_CHANNELS; n++) {
        if (s->ch[n].cs & CS_ACTIVE) {
            again |= channel_run(s, n);
            update(s, n);
        }
    }
    s->running = false;
    if (again) {
        timer_set_ns(&s->timer, clock_get_ns(VM_CLOCK_VIRTUAL));
    }
}

/* Never from within another device's register access. */
static void kick(Dma *s)
{
    timer_set_ns(&s->timer, clock_get_ns(VM_CLOCK_VIRTUAL));
}

static void dreq_set(void *opaque, int n, int level)
{
    Dma *s = opaque;
    uint32_t bit = 1u << n;

    s->dreq = level ? s->dreq | bit : s->dreq & ~bit;
    if (level && !s->running) {
        for (unsigned i = 0; i < N_CHANNELS; i++) {
            if (s->ch[i].cs & CS_ACTIVE) {
                kick(s);
                return;
            }
        }
    }
}

/* -- registers --------------------------------------------------------------------------------------------------------------------------- */

enum { CS = 0x00, CONBLK_AD = 0x04, TI = 0x08, SOURCE_AD = 0x0c, DEST_AD = 0x10, TXFR_LEN = 0x14, STRIDE = 0x18, NEXTCONBK = 0x1c, DEBUG = 0x20 };

static uint64_t channel_read(Dma *s, unsigned n, uint32_t offset)
{
    const Channel *c = &s->ch[n];

    switch (offset) {
    case CS: return c->cs | (paced(c) && stalled(s, c) ? CS_DREQ_STOPS : 0) | (paced(c) && !stalled(s, c) ? CS_DREQ : 0);
    case CONBLK_AD: return c->block;
    case TI: return c->ti;
    case SOURCE_AD: return c->source;
    case DEST_AD: return c->dest;
    case TXFR_LEN: return c->length;
    case STRIDE: return c->stride;
    case NEXTCONBK: return c->next;
    case DEBUG: return c->debug;
    default: return 0;
    }
}

static void cs_write(Dma *s, unsigned n, uint32_t value)
{
    Channel *c = &s->ch[n];

    if (value & CS_RESET) {
        *c = (Channel){0};
        s->int_status &= ~(1u << n);
        update(s, n);
        return;
    }
    if (value & CS_END) {
        c->cs &= ~(uint32_t)CS_END;
    }
    if (value & CS_INT) {
        c->cs &= ~(uint32_t)CS_INT;
        s->int_status &= ~(1u << n);
        update(s, n);
    }
    if (value & CS_ABORT) { /* the rest of this block is not transferred */
        c->row = c->length = 0;
    }
    bool was_active = c->cs & CS_ACTIVE;
    c->cs = (c->cs & ~(uint32_t)(CS_KEPT | CS_ACTIVE | CS_PAUSED)) | (value & (CS_KEPT | CS_ACTIVE));
    if (!(value & CS_ACTIVE)) {
        c->cs |= was_active || c->row ? CS_PAUSED : 0;
    } else if (s->enable >> n & 1 && s->bus) {
        if (!was_active && !c->row && !(c->ti & TI_2D && c->length >> 16)) {
            if (!c->block) {
                c->cs &= ~(uint32_t)CS_ACTIVE;
                return;
            }
            load_block(s, n);
        }
        kick(s);
    } else {
        c->cs &= ~(uint32_t)CS_ACTIVE;
    }
}

static void channel_write(Dma *s, unsigned n, uint32_t offset, uint32_t value)
{
    Channel *c = &s->ch[n];

    switch (offset) {
    case CS: cs_write(s, n, value); break;
    case CONBLK_AD: c->block = value & ~31u; break;
    case DEBUG:
        c->debug &= ~(value & DEBUG_ERRORS);
        if (!(c->debug & DEBUG_ERRORS)) {
            c->cs &= ~(uint32_t)CS_ERROR;
        }
        break;
    default: log_guest_error("bcm2835-dma: write of 0x%x to register 0x%x of channel %u\n", value, offset, n);
    }
}

static MemResult page_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    Dma *s = opaque;
    unsigned n = (unsigned)(offset >> 8);

    *ret = n < PAGE_CHANNELS ? channel_read(s, n, offset & 0xff) : offset == 0xfe0 ? s->int_status : offset == 0xff0 ? s->enable : 0;
    return MEM_OK;
}

static MemResult page_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    Dma *s = opaque;
    unsigned n = (unsigned)(offset >> 8);

    if (n < PAGE_CHANNELS) {
        channel_write(s, n, offset & 0xff, (uint32_t)value);
    } else if (offset == 0xff0) {
        s->enable = (uint32_t)value & 0xffff;
    }
    return MEM_OK;
}

static MemResult last_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    *ret = channel_read(opaque, PAGE_CHANNELS, (uint32_t)offset);
    return MEM_OK;
}

static MemResult last_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    channel_write(opaque, PAGE_CHANNELS, (uint32_t)offset, (uint32_t)value);
    return MEM_OK;
}

static const MemoryOps page_ops = { .read = page_read, .write = page_write, .valid = { .min = 4, .max = 4 } };
static const MemoryOps last_ops = { .read = last_read, .write = last_write, .valid = { .min = 4, .max = 4 } };
static const RegisterBank dma_banks[] = {
    { .name = "bcm2835-dma", .size_bytes = 0x1000, .ops = &page_ops }, { .name = "bcm2835-dma-chan15", .size_bytes = 0x100, .ops = &last_ops },
};

void bcm2835_dma_connect(Device *dma, AddressSpace *bus)
{
    ((Dma *)dma)->bus = bus;
}

static bool dma_realize(Device *dev, Error **errp)
{
    timer_init(&((Dma *)dev)->timer, VM_CLOCK_VIRTUAL, run, dev);
    return true;
}

static void dma_unrealize(Device *dev)
{
    timer_cancel(&((Dma *)dev)->timer);
}

static void dma_reset_enter(Device *dev, ResetKind kind)
{
    Dma *s = (Dma *)dev;

    timer_cancel(&s->timer);
    memset(s->ch, 0, sizeof(s->ch));
    s->int_status = 0;
    s->enable = 0xffff;
}

static void dma_reset_hold(Device *dev, ResetKind kind)
{
    for (unsigned n = 0; n < N_CHANNELS; n++) {
        update((Dma *)dev, n);
    }
}

static bool dma_post_load(void *opaque, uint32_t version, Error **errp)
{
    dma_reset_hold(opaque, RESET_COLD);
    return true;
}

static const StateField channel_fields[] = {
    STATE_U(Channel, cs), STATE_U(Channel, block), STATE_U(Channel, ti), STATE_U(Channel, source), STATE_U(Channel, dest), STATE_U(Channel, length),
    STATE_U(Channel, stride), STATE_U(Channel, next), STATE_U(Channel, debug), STATE_U(Channel, row), STATE_U(Channel, row_bytes),
};
static const StateDesc channel_state = {
    .name = "channel", .version = 1, .min_version = 1, .fields = channel_fields, .n_fields = ARRAY_SIZE(channel_fields),
};
static const StateField dma_fields[] = {
    { .name = "ch", .kind = STATE_STRUCT, .offset = offsetof(Dma, ch), .elem_size = sizeof(Channel), .count = N_CHANNELS, .sub = &channel_state },
    STATE_U(Dma, int_status), STATE_U(Dma, enable), STATE_U(Dma, dreq), STATE_TIMER_FIELD(Dma, timer),
};
static const StateDesc dma_state = {
    .name = "bcm2835-dma", .version = 1, .min_version = 1, .fields = dma_fields, .n_fields = ARRAY_SIZE(dma_fields), .post_load = dma_post_load,
};
static const IrqDef dma_in[] = { { .name = "dreq", .count = N_DREQ, .handler = dreq_set } };
static const IrqDef dma_out[] = { { .name = "sysbus-irq", .count = N_CHANNELS } };

static const DeviceType dma_type = {
    .type = { .name = "bcm2835-dma", .parent = "sys-bus-device", .summary = "BCM2835 DMA controller", .size_bytes = sizeof(Dma) },
    .category = DEVICE_MISC, .bus = "System", .banks = dma_banks, .n_banks = ARRAY_SIZE(dma_banks), .irqs_in = dma_in,
    .n_irqs_in = ARRAY_SIZE(dma_in), .irqs_out = dma_out, .n_irqs_out = ARRAY_SIZE(dma_out), .state = &dma_state, .realize = dma_realize,
    .unrealize = dma_unrealize, .reset_enter = dma_reset_enter, .reset_hold = dma_reset_hold,
};
DEVICE_TYPE_REGISTER(dma_type);
