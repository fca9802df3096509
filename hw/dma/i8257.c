/*
 * i8257.c: 8237A DMA controllers with the PC's page registers.
 *
 * Specification: Intel 8237A data sheet (1993); page registers and the doubled addresses of channels 4 to 7 as in the IBM PC AT
 * Technical Reference and the 82371SB. Modes: demand, single and block transfers, verify, address increment and decrement, auto-
 * initialization. Left out: memory-to-memory, compressed timing, rotating priority (transfers here take no bus time). The cascade
 * channel 4 is only a placeholder.
 *
 * A device moves data when it wants: hold_dreq() runs the channel, as far as the device goes, when it is not masked, and again when
 * the guest unmasks it. While a device holds DREQ without moving data nothing runs until one of them changes.
 */
#include "hw/i386/dma.h"
#include "softmmu/machine.h"
#include "util/log.h"

enum { MODE_CHANNEL = 3, MODE_AUTOINIT = 0x10, MODE_DECREMENT = 0x20 };
enum { COMMAND_DISABLE = 4 };

typedef struct DmaChannel {
    uint16_t base_addr, base_count;
    uint16_t addr, count;   /* as loaded: the running position is `done` */
    uint32_t done;          /* units moved of count + 1 */
    uint8_t mode, page;
    IsaDmaTransfer *transfer;
    void *opaque;
    bool dreq;
} DmaChannel;

typedef struct Dma {
    Device dev;
    struct Dma *high;       /* of the low one: channels 4 to 7 */
    int32_t base, page_base, pageh_base;
    uint8_t dshift;
    uint8_t command, mask, request, status;
    uint8_t pages[8];       /* bytes of the page ports that belong to no channel, too */
    bool flip_flop, running;
    DmaChannel channel[4];
} Dma;

static uint64_t channel_units(const DmaChannel *c)
{
    return c->count + UINT64_C(1);
}

/* Guest address of unit 0, and of each byte: the page register does not count along. */
static uint64_t byte_address(const Dma *s, const DmaChannel *c, uint32_t pos)
{
    uint32_t unit = pos >> s->dshift, low = pos & ((1u << s->dshift) - 1);
    uint16_t at = (uint16_t)(c->mode & MODE_DECREMENT ? c->addr - unit : c->addr + unit);

    return ((uint64_t)(s->dshift ? c->page & 0xfe : c->page) << 16) + ((uint64_t)at << s->dshift) + low;
}

static void reload(DmaChannel *c)
{
    c->addr = c->base_addr;
    c->count = c->base_count;
    c->done = 0;
}

static void run(Dma *s, unsigned n)
{
    DmaChannel *c = &s->channel[n];

    if (s->running || !c->dreq || !c->transfer || (s->mask >> n & 1) || (s->command & COMMAND_DISABLE)) {
        return;
    }
    s->running = true;
    s->status &= (uint8_t)~(1 << n);
    uint32_t bytes = (uint32_t)(channel_units(c) << s->dshift);
    uint32_t at = c->done << s->dshift, end = c->transfer(c->opaque, n + (s->dshift ? 4 : 0), at, bytes);
    s->running = false;
    c->done = MIN(end, bytes) >> s->dshift;
    if (c->done == channel_units(c)) {  /* terminal count */
        s->status |= (uint8_t)(1 << n);
        if (c->mode & MODE_AUTOINIT) {
            reload(c);
        } else {
            s->mask |= (uint8_t)(1 << n);
            c->addr = (uint16_t)(c->mode & MODE_DECREMENT ? c->addr - c->done : c->addr + c->done);
            c->count = UINT16_MAX;
            c->done = 0;
        }
    }
}

static void run_all(Dma *s)
{
    for (unsigned n = 0; n < 4; n++) {
        run(s, n);
    }
}

/* -- what devices call ---------------------------------------------------------------------------------------------- */

static DmaChannel *channel_of(void *controller, unsigned channel, Dma **ret)
{
    Dma *s = controller;

    assert(channel < ISA_N_DMA);
    *ret = channel < 4 ? s : s->high;
    return &(*ret)->channel[channel & 3];
}

static void dma_set_transfer(void *controller, unsigned channel, IsaDmaTransfer *transfer, void *opaque)
{
    Dma *s;
    DmaChannel *c = channel_of(controller, channel, &s);

    c->transfer = transfer;
    c->opaque = opaque;
}

static void dma_hold(void *controller, unsigned channel)
{
    Dma *s;

    channel_of(controller, channel, &s)->dreq = true;
    s->status |= (uint8_t)(0x10 << (channel & 3));
    run(s, channel & 3);
}

static void dma_release(void *controller, unsigned channel)
{
    Dma *s;

    channel_of(controller, channel, &s)->dreq = false;
    s->status &= (uint8_t)~(0x10 << (channel & 3));
}

/* Upwards a 64 KiB page is one piece unless the address wraps in it; downwards bytes come one by one. */
static void move(Dma *s, const DmaChannel *c, uint8_t *buf, uint32_t pos, uint32_t len, bool to_memory)
{
    AddressSpace *as = &machine_current()->memory;

    while (len) {
        uint64_t addr = byte_address(s, c, pos);
        uint32_t page_bytes = 0x10000u << s->dshift, in_page = (uint32_t)(addr & (page_bytes - 1));
        uint32_t n = c->mode & MODE_DECREMENT ? MIN(len, 1u << s->dshift) : MIN(len, page_bytes - in_page);
        if (to_memory) {
            memory_write(as, addr, buf, n, MEM_ATTRS_NONE);
        } else {
            memory_read(as, addr, buf, n, MEM_ATTRS_NONE);
        }
        buf += n;
        pos += n;
        len -= n;
    }
}

static void dma_read(void *controller, unsigned channel, void *buf, uint32_t pos, uint32_t len)
{
    Dma *s;
    DmaChannel *c = channel_of(controller, channel, &s);

    memset(buf, 0xff, len);
    move(s, c, buf, pos, len, false);
}

static void dma_write(void *controller, unsigned channel, const void *buf, uint32_t pos, uint32_t len)
{
    Dma *s;
    DmaChannel *c = channel_of(controller, channel, &s);

    if (!(c->mode & 0x0c)) {
        return; /* verify: nothing is written */
    }
    move(s, c, (uint8_t *)buf, pos, len, true);
}

static bool dma_has_autoinit(void *controller, unsigned channel)
{
    Dma *s;
    return channel_of(controller, channel, &s)->mode & MODE_AUTOINIT;
}

static const IsaDmaOps dma_ops = {
    .set_transfer = dma_set_transfer, .hold_dreq = dma_hold, .release_dreq = dma_release, .read_memory = dma_read,
    .write_memory = dma_write, .has_autoinit = dma_has_autoinit,
};

/* -- ports: addresses are in units of 1 << dshift -------------------------------------------------------------------- */

static void put_byte(uint16_t *word, bool high, uint8_t value)
{
    *word = (uint16_t)(high ? (*word & 0xff) | value << 8 : (*word & 0xff00) | value);
}

static MemResult chan_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    Dma *s = opaque;
    unsigned reg = (unsigned)(offset >> s->dshift) & 7;
    DmaChannel *c = &s->channel[reg >> 1];
    uint32_t value = reg & 1 ? c->count - c->done : c->mode & MODE_DECREMENT ? c->addr - c->done : c->addr + c->done;

    *ret = value >> (s->flip_flop ? 8 : 0) & 0xff;
    s->flip_flop = !s->flip_flop;
    return MEM_OK;
}

static MemResult chan_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    Dma *s = opaque;
    unsigned reg = (unsigned)(offset >> s->dshift) & 7;
    DmaChannel *c = &s->channel[reg >> 1];

    put_byte(reg & 1 ? &c->base_count : &c->base_addr, s->flip_flop, (uint8_t)value);
    s->flip_flop = !s->flip_flop;
    reload(c);
    return MEM_OK;
}

static void master_clear(Dma *s)
{
    s->command = s->request = 0;
    s->status &= 0xf0;
    s->mask = 0x0f;
    s->flip_flop = false;
}

static MemResult cont_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    Dma *s = opaque;

    switch (offset >> s->dshift) {
    case 0: /* status: reading clears the terminal counts */
        *ret = s->status;
        s->status &= 0xf0;
        break;
    case 7: *ret = s->mask; break;
    default: *ret = 0; /* the temporary register, and what cannot be read */
    }
    return MEM_OK;
}

static MemResult cont_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    Dma *s = opaque;
    uint8_t bit = (uint8_t)(1 << (value & 3));

    switch (offset >> s->dshift) {
    case 0:
        s->command = (uint8_t)value;
        if (value & 1) {
            log_unimp("i8257: memory-to-memory transfers\n");
        }
        break;
    case 1: s->request = (uint8_t)(value & 4 ? s->request | bit : s->request & ~bit); break;
    case 2: s->mask = (uint8_t)(value & 4 ? s->mask | bit : s->mask & ~bit); break;
    case 3: s->channel[value & MODE_CHANNEL].mode = (uint8_t)value; break;
    case 4: s->flip_flop = false; return MEM_OK;
    case 5: master_clear(s); return MEM_OK;
    case 6: s->mask = 0; break;
    case 7: s->mask = value & 0x0f; break;
    }
    run_all(s);
    return MEM_OK;
}

/* Ports 81h, 82h, 83h, 87h of the first controller, 8 more of the second: channels 2, 3, 1, 0. */
static int page_channel(uint64_t port)
{
    static const int8_t channel[8] = { -1, 2, 3, 1, -1, -1, -1, 0 };
    return channel[port & 7];
}

static MemResult page_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    Dma *s = opaque;
    int n = page_channel(offset);

    *ret = n >= 0 ? s->channel[n].page : s->pages[offset & 7];
    return MEM_OK;
}

static MemResult page_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    Dma *s = opaque;
    int n = page_channel(offset);

    if (n >= 0) {
        s->channel[n].page = (uint8_t)value;
    } else {
        s->pages[offset & 7] = (uint8_t)value;
    }
    return MEM_OK;
}

static MemResult page7_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    return page_read(opaque, 7, size, ret, attrs);
}

static MemResult page7_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    return page_write(opaque, 7, size, value, attrs);
}

static MemResult page1_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    return page_read(opaque, offset + 1, size, ret, attrs);
}

static MemResult page1_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    return page_write(opaque, offset + 1, size, value, attrs);
}

#define BYTE_OPS(r, w) { .read = (r), .write = (w), .valid = { 1, 4 }, .impl = { 1, 1 } }
static const MemoryOps chan_ops = BYTE_OPS(chan_read, chan_write);
static const MemoryOps cont_ops = BYTE_OPS(cont_read, cont_write);
static const MemoryOps page1_ops = BYTE_OPS(page1_read, page1_write);
static const MemoryOps page7_ops = BYTE_OPS(page7_read, page7_write);

static const RegisterBank dma_banks[] = {
    { .name = "dma-chan", .size_bytes = 8, .ops = &chan_ops },
    { .name = "dma-cont", .size_bytes = 8, .ops = &cont_ops },
    { .name = "dma-page", .size_bytes = 3, .ops = &page1_ops },
    { .name = "dma-page", .size_bytes = 1, .ops = &page7_ops },
};

/* -- life -------------------------------------------------------------------------------------------------------------- */

static bool dma_realize(Device *dev, Error **errp)
{
    Dma *s = (Dma *)dev;
    IsaBus *bus = isa_bus_of(dev);

    if (s->dshift > 1) {
        error_set(errp, "i8257: dshift %u is not 0 or 1", s->dshift);
        return false;
    }
    if (s->pageh_base >= 0) {
        error_set(errp, "i8257: high page registers (pageh-base) are not supported");
        return false;
    }
    device_set_bank_size(dev, 0, (uint64_t)8 << s->dshift);
    device_set_bank_size(dev, 1, (uint64_t)8 << s->dshift);
    isa_add_io(bus, (uint16_t)s->base, device_mmio(dev, 0));
    isa_add_io(bus, (uint16_t)(s->base + (8 << s->dshift)), device_mmio(dev, 1));
    isa_add_io(bus, (uint16_t)(s->page_base + 1), device_mmio(dev, 2));
    isa_add_io(bus, (uint16_t)(s->page_base + 7), device_mmio(dev, 3));
    return true;
}

static void dma_reset(Device *dev, ResetKind kind)
{
    Dma *s = (Dma *)dev;

    master_clear(s);
    s->status = 0;
    memset(s->pages, 0, sizeof(s->pages));
    for (unsigned n = 0; n < 4; n++) {
        DmaChannel *c = &s->channel[n];
        *c = (DmaChannel){ .transfer = c->transfer, .opaque = c->opaque };
    }
}

static bool dma_post_load(void *opaque, uint32_t version, Error **errp)
{
    Dma *s = opaque;

    for (unsigned n = 0; n < 4; n++) {
        if (s->channel[n].done >= channel_units(&s->channel[n])) {
            error_set(errp, "i8257: channel %u is past its end", n);
            return false;
        }
    }
    return true;
}

static const StateField channel_fields[] = {
    STATE_U(DmaChannel, base_addr), STATE_U(DmaChannel, base_count), STATE_U(DmaChannel, addr), STATE_U(DmaChannel, count),
    STATE_U(DmaChannel, done), STATE_U(DmaChannel, mode), STATE_U(DmaChannel, page), STATE_U(DmaChannel, dreq),
};
static const StateDesc channel_state = {
    .name = "dma-channel", .version = 1, .min_version = 1, .fields = channel_fields, .n_fields = ARRAY_SIZE(channel_fields),
};
static const StateField dma_fields[] = {
    STATE_U(Dma, command), STATE_U(Dma, mask), STATE_U(Dma, request), STATE_U(Dma, status), STATE_BYTES(Dma, pages),
    STATE_U(Dma, flip_flop),
    { .name = "channel", .kind = STATE_STRUCT, .offset = offsetof(Dma, channel), .elem_size = sizeof(DmaChannel), .count = 4,
      .sub = &channel_state },
};
static const StateDesc dma_state = {
    .name = "i8257", .version = 1, .min_version = 1, .fields = dma_fields, .n_fields = ARRAY_SIZE(dma_fields),
    .post_load = dma_post_load,
};

static const Property dma_props[] = {
    PROP_I32("base", Dma, base, 0, NULL), PROP_I32("page-base", Dma, page_base, 0x80, NULL),
    PROP_I32("pageh-base", Dma, pageh_base, -1, NULL), PROP_U8("dshift", Dma, dshift, 0, NULL),
};

static const DeviceType dma_type = {
    .type = { .name = "i8257", .parent = "isa-device", .summary = "8237A DMA controller", .size_bytes = sizeof(Dma),
              .props = dma_props, .n_props = ARRAY_SIZE(dma_props) },
    .category = DEVICE_MISC, .bus = "ISA", .banks = dma_banks, .n_banks = ARRAY_SIZE(dma_banks), .state = &dma_state,
    .realize = dma_realize, .reset_enter = dma_reset,
};
DEVICE_TYPE_REGISTER(dma_type);

bool i8257_create(IsaBus *bus, Error **errp)
{
    static const char *const low[] = { "base", "0", "page-base", "0x80", "dshift", "0", NULL };
    static const char *const high[] = { "base", "0xc0", "page-base", "0x88", "dshift", "1", NULL };
    Device *first = device_create("i8257", isa_bus_as_bus(bus), low, errp);
    Device *second = first ? device_create("i8257", isa_bus_as_bus(bus), high, errp) : NULL;

    if (!second) {
        return false;
    }
    ((Dma *)first)->high = (Dma *)second;
    isa_bus_set_dma(bus, &dma_ops, first);
    return true;
}
