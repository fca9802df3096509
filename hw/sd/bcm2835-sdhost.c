/*
 * bcm2835-sdhost.c: the BCM2835's own SD host controller.
 *
 * Registers and their use as the Linux driver bcm2835.c (drivers/mmc/host) describes the hardware: commands are carried out at once; data goes through
 * a FIFO that guest or DMA (paced by the "dreq" output) reads and fills. The FIFO here is a block, of which 16 words are seen at a time.
 *
 * Left out: SDIO interrupts, clock and timeouts (the registers are kept).
 */
#include "hw/arm/bcm2835.h"
#include "hw/sd.h"
#include "util/bits.h"
#include "util/log.h"

enum {
    FIFO_WORDS = 16, MAX_BLOCK = 1024,
    CMD_NEW = 0x8000, CMD_FAIL = 0x4000, CMD_BUSYWAIT = 0x800, CMD_NO_RESPONSE = 0x400, CMD_LONG = 0x200, CMD_WRITE = 0x80, CMD_READ = 0x40,
    STS_BUSY = 0x400, STS_BLOCK = 0x200, STS_SDIO = 0x100, STS_TIMEOUT = 0x80, STS_CMD_TIMEOUT = 0x40, STS_DATA = 0x01,
    STS_LATCHED = 0x7f8,
    CFG_BUSY = 1 << 10, CFG_BLOCK = 1 << 8, CFG_DATA = 1 << 4,
    EDM_FORCE_DATA = 1 << 19, EDM_CLEAR_FIFO = 1 << 21, EDM_LEVEL_SHIFT = 4, EDM_KEPT = 0x7fe00, EDM_INITIAL = 0xc600,
    FSM_DATA_MODE = 1, FSM_READ = 2, FSM_WRITE = 3,
};

typedef struct SdHost {
    Device dev;
    SdSlot slot;
    uint32_t cmd, arg, timeout, cdiv, rsp[4], status, vdd, edm, config, block_bytes, block_count;
    /* The data phase. */
    bool reading, writing, card_busy_command;
    bool waiting;                       /* the card has the buffer */
    uint16_t at, filled;                /* position of the guest; bytes that the buffer has while reading */
    uint8_t buffer[MAX_BLOCK];
} SdHost;

static uint32_t block(const SdHost *s)
{
    return MIN(s->block_bytes ? s->block_bytes : SD_BLOCK_BYTES, MAX_BLOCK) & ~3u;
}

/* Words the guest can read, or has written and not got rid of. */
static unsigned level(const SdHost *s)
{
    if (s->reading) {
        return MIN((s->filled - s->at) / 4u, FIFO_WORDS);
    }
    return s->writing && s->waiting ? FIFO_WORDS : 0;
}

static bool data_flag(const SdHost *s)
{
    return s->reading ? level(s) > 0 : s->writing && level(s) < FIFO_WORDS;
}

static void update(SdHost *s)
{
    bool data = data_flag(s);

    device_set_irq(&s->dev, "sysbus-irq", 0, (s->status & STS_BUSY) || (s->status & STS_BLOCK && s->config & CFG_BLOCK) ||
                   (data && s->config & CFG_DATA));
    device_set_irq(&s->dev, "dreq", 0, data);
}

static void data_stop(SdHost *s)
{
    if (s->waiting) {
        sd_abandon(&s->slot);
    }
    s->reading = s->writing = s->waiting = false;
    s->at = s->filled = 0;
}

static void fetch(SdHost *s);

/* A block is through. */
static void block_done(SdHost *s)
{
    if (s->config & CFG_BLOCK) {
        s->status |= STS_BLOCK;
    }
    if (s->block_count && --s->block_count) {
        if (s->reading) {
            fetch(s);
        }
    } else {
        s->reading = s->writing = false;
    }
}

static void card_done(void *opaque, bool ok)
{
    SdHost *s = opaque;

    s->waiting = false;
    s->at = 0;
    s->filled = s->reading ? (uint16_t)block(s) : 0;
    if (!ok) {
        s->status |= STS_TIMEOUT;
        s->reading = s->writing = false;
        s->filled = 0;
    } else if (s->writing) {
        block_done(s);
    }
    update(s);
}

static void fetch(SdHost *s)
{
    s->waiting = true;
    s->at = s->filled = 0;
    sd_read(&s->slot, s->buffer, block(s), card_done, s);
}

static uint64_t data_read(Device *dev, const Register *reg, unsigned index)
{
    SdHost *s = (SdHost *)dev;
    uint32_t word;

    if (!s->reading || s->at + 4u > s->filled) {
        return 0;
    }
    word = ldle32(s->buffer + s->at);
    s->at += 4;
    if (s->at >= s->filled) {
        s->at = s->filled = 0;
        block_done(s);
    }
    update(s);
    return word;
}

static void data_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    SdHost *s = (SdHost *)dev;

    if (!s->writing || s->waiting) {
        return;
    }
    stle32(s->buffer + s->at, (uint32_t)value);
    s->at += 4;
    if (s->at >= block(s)) {
        s->waiting = true;
        sd_write(&s->slot, s->buffer, block(s), card_done, s);
    }
    update(s);
}

/* -- commands ------------------------------------------------------------------------------------------------------------------- */

static void command(SdHost *s)
{
    uint8_t response[16];
    unsigned number = s->cmd & 0x3f, expected = s->cmd & CMD_NO_RESPONSE ? 0 : s->cmd & CMD_LONG ? 16 : 4;

    if (number == 12 || s->cmd & (CMD_READ | CMD_WRITE)) {
        data_stop(s);
    }
    unsigned bytes = sd_command(&s->slot, number, s->arg, response);
    s->cmd &= ~(uint32_t)(CMD_NEW | CMD_FAIL);
    if (expected && bytes != expected) {
        s->cmd |= CMD_FAIL;
        s->status |= STS_CMD_TIMEOUT;
        return;
    }
    for (unsigned i = 0; i < 4 && expected == 16; i++) {
        s->rsp[i] = ldbe32(response + 12 - 4 * i);
    }
    if (expected == 4) {
        s->rsp[0] = ldbe32(response);
        s->rsp[1] = s->rsp[2] = s->rsp[3] = 0;
    }
    if (s->cmd & CMD_BUSYWAIT) {
        s->card_busy_command = sd_busy(&s->slot);
        s->status |= s->card_busy_command || !(s->config & CFG_BUSY) ? 0 : STS_BUSY;
    }
    if (s->cmd & CMD_READ && sd_data(&s->slot) == SD_DATA_READ) {
        s->reading = true;
        fetch(s);
    } else if (s->cmd & CMD_WRITE && sd_data(&s->slot) == SD_DATA_WRITE) {
        s->writing = true;
        s->at = 0;
    } else if (s->cmd & (CMD_READ | CMD_WRITE)) {
        s->status |= STS_TIMEOUT;
    }
}

static void command_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    SdHost *s = (SdHost *)dev;

    s->cmd = (uint32_t)value & 0xffff;
    if (s->cmd & CMD_NEW) {
        command(s);
    }
    update(s);
}

static void status_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    SdHost *s = (SdHost *)dev;

    s->status &= ~((uint32_t)value & STS_LATCHED);
    update(s);
}

static uint64_t status_read(Device *dev, const Register *reg, unsigned index)
{
    SdHost *s = (SdHost *)dev;

    return s->status | (data_flag(s) ? STS_DATA : 0);
}

static uint64_t edm_read(Device *dev, const Register *reg, unsigned index)
{
    SdHost *s = (SdHost *)dev;

    return s->edm | level(s) << EDM_LEVEL_SHIFT | (s->reading ? FSM_READ : s->writing ? FSM_WRITE : FSM_DATA_MODE);
}

static void edm_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    SdHost *s = (SdHost *)dev;

    s->edm = (uint32_t)value & EDM_KEPT;
    if (value & (EDM_FORCE_DATA | EDM_CLEAR_FIFO)) {
        data_stop(s);
    }
    update(s);
}

static void config_changed(Device *dev, const Register *reg, unsigned index, uint64_t old)
{
    update((SdHost *)dev);
}

static const Register sdhost_regs[] = {
    { .name = "SDCMD", .offset = 0x00, .size = 4, REGISTER_FIELD(SdHost, cmd), .write = command_write },
    { .name = "SDARG", .offset = 0x04, .size = 4, REGISTER_FIELD(SdHost, arg) },
    { .name = "SDTOUT", .offset = 0x08, .size = 4, REGISTER_FIELD(SdHost, timeout) },
    { .name = "SDCDIV", .offset = 0x0c, .size = 4, REGISTER_FIELD(SdHost, cdiv), .write_mask = 0x7ff },
    { .name = "SDRSP", .offset = 0x10, .size = 4, .count = 4, REGISTER_ARRAY(SdHost, rsp), .read_only = true },
    { .name = "SDHSTS", .offset = 0x20, .size = 4, REGISTER_FIELD(SdHost, status), .read = status_read, .write = status_write },
    { .name = "SDVDD", .offset = 0x30, .size = 4, REGISTER_FIELD(SdHost, vdd), .write_mask = 1 },
    { .name = "SDEDM", .offset = 0x34, .size = 4, REGISTER_FIELD(SdHost, edm), .reset = EDM_INITIAL, .read = edm_read, .write = edm_write },
    { .name = "SDHCFG", .offset = 0x38, .size = 4, REGISTER_FIELD(SdHost, config), .changed = config_changed },
    { .name = "SDHBCT", .offset = 0x3c, .size = 4, REGISTER_FIELD(SdHost, block_bytes), .write_mask = 0x3ff },
    { .name = "SDDATA", .offset = 0x40, .size = 4, .read = data_read, .write = data_write },
    { .name = "SDHBLC", .offset = 0x50, .size = 4, REGISTER_FIELD(SdHost, block_count), .write_mask = 0xffff },
};

static const RegisterBank sdhost_banks[] = {
    { .name = "bcm2835-sdhost", .size_bytes = 0x1000, .access_min = 4, .access_max = 4, .regs = sdhost_regs, .n_regs = ARRAY_SIZE(sdhost_regs) },
};

/* -- life ---------------------------------------------------------------------------------------------------------------------- */

static void card_changed(void *opaque)
{
    data_stop(opaque);
    update(opaque);
}

static void card_ready(void *opaque)
{
    SdHost *s = opaque;

    if (s->card_busy_command) {
        s->card_busy_command = false;
        s->status |= s->config & CFG_BUSY ? STS_BUSY : 0;
        update(s);
    }
}

static const SdSlotOps slot_ops = { .changed = card_changed, .ready = card_ready };

SdSlot *bcm2835_sdhost_slot(Device *dev)
{
    return &((SdHost *)dev)->slot;
}

static bool sdhost_realize(Device *dev, Error **errp)
{
    SdHost *s = (SdHost *)dev;

    sd_slot_init(&s->slot, dev, "sd-bus", &slot_ops, s);
    return true;
}

static void sdhost_reset_enter(Device *dev, ResetKind kind)
{
    SdHost *s = (SdHost *)dev;

    data_stop(s);
    s->card_busy_command = false;
}

static void sdhost_reset_hold(Device *dev, ResetKind kind)
{
    update((SdHost *)dev);
}

static bool sdhost_post_load(void *opaque, uint32_t version, Error **errp)
{
    SdHost *s = opaque;

    if (s->at > block(s) || s->filled > MAX_BLOCK || s->at > MAX_BLOCK - 4 || s->waiting || (s->at & 3) || (s->reading && s->writing)) {
        error_set(errp, "bcm2835-sdhost: %u of %u bytes in a block of %u are not possible", s->at, s->filled, block(s));
        return false;
    }
    update(s);
    return true;
}

static const StateField sdhost_fields[] = {
    STATE_U(SdHost, reading), STATE_U(SdHost, writing), STATE_U(SdHost, card_busy_command), STATE_U(SdHost, waiting), STATE_U(SdHost, at),
    STATE_U(SdHost, filled), STATE_BYTES(SdHost, buffer),
};
static const StateDesc sdhost_state = {
    .name = "bcm2835-sdhost", .version = 1, .min_version = 1, .fields = sdhost_fields, .n_fields = ARRAY_SIZE(sdhost_fields),
    .post_load = sdhost_post_load,
};
static const IrqDef sdhost_out[] = { { .name = "sysbus-irq", .count = 1 }, { .name = "dreq", .count = 1 } };

static const DeviceType sdhost_type = {
    .type = { .name = "bcm2835-sdhost", .parent = "sys-bus-device", .summary = "BCM2835 SD host controller", .size_bytes = sizeof(SdHost) },
    .category = DEVICE_STORAGE, .bus = "System", .banks = sdhost_banks, .n_banks = ARRAY_SIZE(sdhost_banks), .irqs_out = sdhost_out,
    .n_irqs_out = ARRAY_SIZE(sdhost_out), .state = &sdhost_state, .realize = sdhost_realize, .reset_enter = sdhost_reset_enter,
    .reset_hold = sdhost_reset_hold,
};
DEVICE_TYPE_REGISTER(sdhost_type);
