/*
 * pl181.c: Arm PrimeCell multimedia card interface PL181, with one slot.
 *
 * Arm DDI 0205B, chapter 3. Commands are carried out at once; the FIFO of 16 words is what can be seen of the block that is being transferred.
 * DataEnd comes when the guest has read everything, or the card has taken everything. Outputs: two interrupts, whether a card is there and whether
 * it is read-only (boards show both in registers of theirs).
 *
 * Left out: stream mode, DMA requests, pending commands (CPSM bit 9), command time (the registers are kept).
 */
#include "hw/primecell.h"
#include "hw/sd.h"
#include "util/bits.h"
#include "util/log.h"

enum {
    FIFO_WORDS = 16, MAX_BLOCK = 2048,
    CMD_RESPONSE = 1 << 6, CMD_LONG = 1 << 7, CMD_ENABLE = 1 << 10,
    DATA_ENABLE = 1 << 0, DATA_READ = 1 << 1, DATA_STREAM = 1 << 2, DATA_SIZE_SHIFT = 4,
    ST_CMD_TIMEOUT = 1 << 2, ST_DATA_TIMEOUT = 1 << 3, ST_CMD_RESPONSE = 1 << 6, ST_CMD_SENT = 1 << 7, ST_DATA_END = 1 << 8,
    ST_BLOCK_END = 1 << 10, ST_TX_ACTIVE = 1 << 12, ST_RX_ACTIVE = 1 << 13, ST_TX_HALF_EMPTY = 1 << 14, ST_RX_HALF_FULL = 1 << 15,
    ST_TX_FULL = 1 << 16, ST_RX_FULL = 1 << 17, ST_TX_EMPTY = 1 << 18, ST_RX_EMPTY = 1 << 19, ST_TX_AVAILABLE = 1 << 20,
    ST_RX_AVAILABLE = 1 << 21, ST_LATCHED = 0x7ff,
};

typedef struct Pl181 {
    Device dev;
    SdSlot slot;
    uint32_t power, clock, arg, cmd, resp_cmd, response[4], timer, length, ctrl, status, mask[2], select;
    /* The transfer: bytes that the guest has not read or written yet, those of the block in the buffer and the guest's place in it. */
    uint32_t left;
    uint16_t at, filled;
    bool active, waiting;           /* waiting: the card has the buffer */
    uint8_t buffer[MAX_BLOCK];
} Pl181;

static bool reading(const Pl181 *s)
{
    return s->ctrl & DATA_READ;
}

static uint32_t block(const Pl181 *s)
{
    return MIN(1u << MIN(s->ctrl >> DATA_SIZE_SHIFT & 15, 11u), MAX_BLOCK);
}

/* Words in the FIFO as the guest sees it. */
static unsigned level(const Pl181 *s)
{
    if (!s->active) {
        return 0;
    }
    return reading(s) ? MIN((s->filled - s->at + 3u) / 4, FIFO_WORDS) : s->waiting ? FIFO_WORDS : 0;
}

static uint32_t status(const Pl181 *s)
{
    uint32_t st = s->status;
    unsigned n = level(s);

    if (s->active && reading(s)) {
        st |= ST_RX_ACTIVE | (n ? ST_RX_AVAILABLE : ST_RX_EMPTY) | (n >= FIFO_WORDS / 2 ? ST_RX_HALF_FULL : 0) | (n == FIFO_WORDS ? ST_RX_FULL : 0);
    } else if (s->active) {
        st |= ST_TX_ACTIVE | (n ? ST_TX_AVAILABLE : ST_TX_EMPTY) | (n <= FIFO_WORDS / 2 ? ST_TX_HALF_EMPTY : 0) | (n == FIFO_WORDS ? ST_TX_FULL : 0);
    } else {
        st |= ST_TX_EMPTY | ST_RX_EMPTY | (s->ctrl & DATA_ENABLE && !reading(s) ? ST_TX_HALF_EMPTY : 0);
    }
    return st;
}

static void update(Pl181 *s)
{
    uint32_t st = status(s);

    for (unsigned i = 0; i < 2; i++) {
        device_set_irq(&s->dev, "sysbus-irq", i, (st & s->mask[i]) != 0);
    }
}

static void stop(Pl181 *s)
{
    if (s->waiting) {
        sd_abandon(&s->slot);
    }
    s->active = s->waiting = false;
    s->at = s->filled = 0;
}

static void fetch(Pl181 *s);

static void block_done(Pl181 *s)
{
    s->at = s->filled = 0;
    s->status |= ST_BLOCK_END;
    if (!s->left) {
        s->active = false;
        s->status |= ST_DATA_END;
    } else if (reading(s)) {
        fetch(s);
    }
}

static void card_done(void *opaque, bool ok)
{
    Pl181 *s = opaque;

    s->waiting = false;
    if (!ok) {
        s->active = false;
        s->at = s->filled = 0;
        s->status |= ST_DATA_TIMEOUT;
    } else if (reading(s)) {
        s->at = 0;
        s->filled = (uint16_t)MIN(block(s), s->left);
    } else {
        block_done(s);
    }
    update(s);
}

static void fetch(Pl181 *s)
{
    s->waiting = true;
    sd_read(&s->slot, s->buffer, MIN(block(s), s->left), card_done, s);
}

/* Both the data path and the card must be ready; either may come first. */
static void try_start(Pl181 *s)
{
    if (s->active || !(s->ctrl & DATA_ENABLE) || !s->left || sd_data(&s->slot) != (reading(s) ? SD_DATA_READ : SD_DATA_WRITE)) {
        return;
    }
    if (s->ctrl & DATA_STREAM) {
        log_unimp("pl181: stream mode\n");
        return;
    }
    s->active = true;
    s->at = s->filled = 0;
    if (reading(s)) {
        fetch(s);
    }
}

/* -- registers ----------------------------------------------------------------------------------------------------------------- */

static void command_changed(Device *dev, const Register *reg, unsigned index, uint64_t old)
{
    Pl181 *s = (Pl181 *)dev;
    uint8_t r[16];

    if (!(s->cmd & CMD_ENABLE)) {
        return;
    }
    if ((s->cmd & 0x3f) == 12) {
        stop(s);
    }
    unsigned bytes = sd_command(&s->slot, s->cmd & 0x3f, s->arg, r), want = !(s->cmd & CMD_RESPONSE) ? 0 : s->cmd & CMD_LONG ? 16 : 4;
    s->cmd &= ~(uint32_t)CMD_ENABLE;
    if (!want) {
        s->status |= ST_CMD_SENT;
    } else if (bytes != want) {
        s->status |= ST_CMD_TIMEOUT;
    } else {
        s->resp_cmd = bytes == 16 ? 0x3f : s->cmd & 0x3f;
        for (unsigned i = 0; i < 4; i++) {
            s->response[i] = ldbe32(r + 4 * i);
        }
        if (bytes == 16) {
            s->response[3] &= ~1u; /* bits 127 to 1 (3.3.6) */
        }
        s->status |= ST_CMD_RESPONSE;
        try_start(s);
    }
    update(s);
}

static void control_changed(Device *dev, const Register *reg, unsigned index, uint64_t old)
{
    Pl181 *s = (Pl181 *)dev;

    if (s->ctrl & DATA_ENABLE) {
        if (!s->active) {
            s->left = s->length;
            try_start(s);
        }
    } else {
        stop(s);
    }
    update(s);
}

static uint64_t count_read(Device *dev, const Register *reg, unsigned index)
{
    return ((Pl181 *)dev)->left;
}

static uint64_t status_read(Device *dev, const Register *reg, unsigned index)
{
    return status((Pl181 *)dev);
}

static void clear_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    Pl181 *s = (Pl181 *)dev;

    s->status &= ~((uint32_t)value & ST_LATCHED);
    update(s);
}

static void mask_changed(Device *dev, const Register *reg, unsigned index, uint64_t old)
{
    update((Pl181 *)dev);
}

/* Words still to come behind those in the FIFO. */
static uint64_t fifo_count_read(Device *dev, const Register *reg, unsigned index)
{
    Pl181 *s = (Pl181 *)dev;
    uint32_t words = (s->left + 3) / 4;

    return words - MIN(words, reading(s) ? level(s) : 0);
}

static uint64_t fifo_read(Device *dev, const Register *reg, unsigned index)
{
    Pl181 *s = (Pl181 *)dev;
    uint32_t n = MIN(4u, (uint32_t)s->filled - s->at), word = 0;

    if (!s->active || !reading(s) || !n) {
        return 0;
    }
    for (uint32_t i = 0; i < n; i++) {
        word |= (uint32_t)s->buffer[s->at + i] << 8 * i;
    }
    s->at += (uint16_t)n;
    s->left -= MIN(n, s->left);
    if (s->at >= s->filled) {
        block_done(s);
    }
    update(s);
    return word;
}

static void fifo_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    Pl181 *s = (Pl181 *)dev;
    uint32_t n = MIN(4u, s->left);

    if (!s->active || reading(s) || s->waiting || !n) {
        return;
    }
    for (uint32_t i = 0; i < n && s->at < MAX_BLOCK; i++) {
        s->buffer[s->at++] = (uint8_t)(value >> 8 * i);
    }
    s->left -= n;
    if (s->at >= block(s) || !s->left) {
        s->waiting = true;
        sd_write(&s->slot, s->buffer, s->at, card_done, s);
    }
    update(s);
}

static const Register pl181_regs[] = {
    { .name = "MCIPower", .offset = 0x00, .size = 4, REGISTER_FIELD(Pl181, power), .write_mask = 0xff },
    { .name = "MCIClock", .offset = 0x04, .size = 4, REGISTER_FIELD(Pl181, clock), .write_mask = 0xfff },
    { .name = "MCIArgument", .offset = 0x08, .size = 4, REGISTER_FIELD(Pl181, arg) },
    { .name = "MMCCommand", .offset = 0x0c, .size = 4, REGISTER_FIELD(Pl181, cmd), .write_mask = 0x7ff, .changed = command_changed },
    { .name = "MCIRespCmd", .offset = 0x10, .size = 4, REGISTER_FIELD(Pl181, resp_cmd), .read_only = true },
    { .name = "MCIResponse", .offset = 0x14, .size = 4, .count = 4, REGISTER_ARRAY(Pl181, response), .read_only = true },
    { .name = "MCIDataTimer", .offset = 0x24, .size = 4, REGISTER_FIELD(Pl181, timer) },
    { .name = "MCIDataLength", .offset = 0x28, .size = 4, REGISTER_FIELD(Pl181, length), .write_mask = 0xffff },
    { .name = "MCIDataCtrl", .offset = 0x2c, .size = 4, REGISTER_FIELD(Pl181, ctrl), .write_mask = 0xff, .changed = control_changed },
    { .name = "MCIDataCnt", .offset = 0x30, .size = 4, .read = count_read, .read_only = true },
    { .name = "MCIStatus", .offset = 0x34, .size = 4, .read = status_read, .read_only = true },
    { .name = "MCIClear", .offset = 0x38, .size = 4, .write = clear_write, .write_only = true },
    { .name = "MCIMask", .offset = 0x3c, .size = 4, .count = 2, REGISTER_ARRAY(Pl181, mask), .changed = mask_changed },
    { .name = "MCISelect", .offset = 0x44, .size = 4, REGISTER_FIELD(Pl181, select), .write_mask = 0xf },
    { .name = "MCIFifoCnt", .offset = 0x48, .size = 4, .read = fifo_count_read, .read_only = true },
    { .name = "MCIFIFO", .offset = 0x80, .size = 4, .count = FIFO_WORDS, .read = fifo_read, .write = fifo_write },
    PRIMECELL_ID_ROW(0x00041181),
};

static const RegisterBank pl181_banks[] = {
    { .name = "pl181", .size_bytes = 0x1000, .access_min = 1, .access_max = 4, .regs = pl181_regs, .n_regs = ARRAY_SIZE(pl181_regs) },
};

/* -- life ---------------------------------------------------------------------------------------------------------------------- */

static void tell_card(Pl181 *s)
{
    device_set_irq(&s->dev, "card-inserted", 0, sd_present(&s->slot));
    device_set_irq(&s->dev, "card-read-only", 0, sd_present(&s->slot) && sd_read_only(&s->slot));
}

static void card_changed(void *opaque)
{
    stop(opaque);
    tell_card(opaque);
    update(opaque);
}

static const SdSlotOps slot_ops = { .changed = card_changed };

static bool pl181_realize(Device *dev, Error **errp)
{
    sd_slot_init(&((Pl181 *)dev)->slot, dev, "sd-bus", &slot_ops, dev);
    return true;
}

static void pl181_reset_enter(Device *dev, ResetKind kind)
{
    Pl181 *s = (Pl181 *)dev;

    stop(s);
    s->left = s->status = 0;
}

static void pl181_reset_hold(Device *dev, ResetKind kind)
{
    tell_card((Pl181 *)dev);
    update((Pl181 *)dev);
}

static bool pl181_post_load(void *opaque, uint32_t version, Error **errp)
{
    Pl181 *s = opaque;

    if (s->filled > MAX_BLOCK || s->at > s->filled + (reading(s) ? 0 : MAX_BLOCK - s->filled) || s->waiting) {
        error_set(errp, "pl181: byte %u of a block of %u is not possible", s->at, s->filled);
        return false;
    }
    tell_card(s);
    update(s);
    return true;
}

static const StateField pl181_fields[] = {
    STATE_U(Pl181, status), STATE_U(Pl181, left), STATE_U(Pl181, at), STATE_U(Pl181, filled), STATE_U(Pl181, active), STATE_U(Pl181, waiting),
    STATE_BYTES(Pl181, buffer),
};
static const StateDesc pl181_state = {
    .name = "pl181", .version = 1, .min_version = 1, .fields = pl181_fields, .n_fields = ARRAY_SIZE(pl181_fields), .post_load = pl181_post_load,
};
static const IrqDef pl181_out[] = { { .name = "sysbus-irq", .count = 2 }, { .name = "card-read-only", .count = 1 }, { .name = "card-inserted", .count = 1 } };

static const DeviceType pl181_type = {
    .type = { .name = "pl181", .parent = "sys-bus-device", .summary = "Arm PrimeCell multimedia card interface", .size_bytes = sizeof(Pl181) },
    .category = DEVICE_STORAGE, .bus = "System", .banks = pl181_banks, .n_banks = ARRAY_SIZE(pl181_banks), .irqs_out = pl181_out,
    .n_irqs_out = ARRAY_SIZE(pl181_out), .state = &pl181_state, .realize = pl181_realize, .reset_enter = pl181_reset_enter,
    .reset_hold = pl181_reset_hold,
};
DEVICE_TYPE_REGISTER(pl181_type);
