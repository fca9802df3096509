/*
 * sdhci.c: SD host controller with one slot: registers, commands, interrupts.
 *
 * SD Host Controller Simplified Specification 3.00, chapters 1.13 (ADMA2), 2 (registers), 3 (sequences). Transfers are in sdhci-data.c.
 *
 * Left out: UHS-I tuning and 1.8 V signalling, suspend and resume, SPI, shared buses, force event registers beyond error status.
 */
#include "hw/sd/sdhci-internal.h"
#include "softmmu/machine.h"
#include "util/bits.h"
#include "util/log.h"

enum { VENDOR_VERSION = 0x24, NORMAL_MASK = 0x1ff, ERROR_MASK = 0x3ff };

void sdhci_update(Sdhci *s)
{
    s->nor = (uint16_t)(s->err ? s->nor | INT_ERROR : s->nor & ~INT_ERROR);
    device_set_irq(&s->dev, "sysbus-irq", 0, (s->nor & s->nor_signal & ~INT_ERROR) || (s->err & s->err_signal));
}

void sdhci_raise(Sdhci *s, uint16_t normal)
{
    s->nor |= normal & s->nor_enable;
    sdhci_update(s);
}

void sdhci_fail(Sdhci *s, uint16_t error)
{
    s->err |= error & s->err_enable;
    sdhci_update(s);
}

/* -- commands (2.2.6) ------------------------------------------------------------------------------------------------------ */

static void store_response(Sdhci *s, const uint8_t r[16], unsigned bytes)
{
    if (bytes == 16) { /* without the CRC: bits 127 to 8 */
        s->rsp[0] = ldbe32(r + 11);
        s->rsp[1] = ldbe32(r + 7);
        s->rsp[2] = ldbe32(r + 3);
        s->rsp[3] = ldbe32(r) >> 8;
    } else {
        s->rsp[0] = ldbe32(r);
    }
}

static void command(Sdhci *s)
{
    unsigned kind = s->cmd_low & CMD_RSP_MASK, number = s->cmd_high & 0x3f;
    uint8_t response[16];

    if (!(s->clkcon & CLK_CARD)) {
        log_guest_error("sdhci: command %u without a clock\n", number);
        return;
    }
    if (number == 12 || (s->cmd_low & CMD_TYPE_ABORT) == CMD_TYPE_ABORT) {
        sdhci_data_stop(s);
    } else if (s->phase != SDHCI_IDLE && (s->cmd_low & CMD_DATA || kind == CMD_RSP_BUSY)) {
        log_guest_error("sdhci: command %u while data is transferred\n", number);
        return;
    }
    if (s->cmd_low & CMD_DATA && s->trnmod & TRN_MULTI && (s->trnmod >> TRN_AUTO_SHIFT & 3) == AUTO_CMD23) {
        sd_command(&s->slot, 23, s->sdma, response); /* its argument shares the register (2.2.1) */
    }
    unsigned bytes = sd_command(&s->slot, number, s->arg, response);
    if (kind != CMD_RSP_NONE && bytes != (kind == CMD_RSP_136 ? 16 : 4)) {
        sdhci_fail(s, ERR_CMD_TIMEOUT);
        return;
    }
    if (kind != CMD_RSP_NONE) {
        store_response(s, response, bytes);
    }
    sdhci_raise(s, INT_CMD_DONE);
    if (s->cmd_low & CMD_DATA) {
        sdhci_data_start(s);
    } else if (kind == CMD_RSP_BUSY) {
        s->busy_command = true;
        s->phase = SDHCI_WAIT_BUSY;
        if (!sd_busy(&s->slot)) {
            sdhci_card_ready(s);
        }
    }
}

/* -- registers --------------------------------------------------------------------------------------------------------------- */

static void sdma_changed(Device *dev, const Register *reg, unsigned index, uint64_t old)
{
    Sdhci *s = (Sdhci *)dev;

    if (s->phase == SDHCI_BOUNDARY) { /* goes on where the guest says */
        s->phase = SDHCI_MEMORY;
        sdhci_data_run(s);
    }
}

static void command_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    ((Sdhci *)dev)->cmd_high = value & 0x3f;
    command((Sdhci *)dev);
}

static uint64_t buffer_read(Device *dev, const Register *reg, unsigned index)
{
    return sdhci_buffer_get((Sdhci *)dev);
}

static void buffer_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    sdhci_buffer_put((Sdhci *)dev, (uint8_t)value);
}

static uint64_t present_read(Device *dev, const Register *reg, unsigned index)
{
    Sdhci *s = (Sdhci *)dev;
    bool active = s->phase != SDHCI_IDLE, data = active && s->phase != SDHCI_WAIT_BUSY, guest = s->phase == SDHCI_GUEST;

    return PRN_STABLE | PRN_CMD_LEVEL | (sd_busy(&s->slot) ? PRN_DAT_LEVELS & ~(1 << 20) : PRN_DAT_LEVELS) |
           (sd_present(&s->slot) ? PRN_INSERTED | PRN_DETECT : 0) | (sd_read_only(&s->slot) == s->wp_inverted ? PRN_WRITABLE : 0) |
           (active ? PRN_DAT_INHIBIT | PRN_DAT_ACTIVE : 0) | (data ? s->reading ? PRN_READING : PRN_WRITING : 0) |
           (guest ? s->reading ? PRN_CAN_READ : PRN_CAN_WRITE : 0);
}

static void clock_changed(Device *dev, const Register *reg, unsigned index, uint64_t old)
{
    Sdhci *s = (Sdhci *)dev;

    s->clkcon = (uint16_t)((s->clkcon & ~CLK_STABLE) | (s->clkcon & CLK_INTERNAL ? CLK_STABLE : 0));
}

static void reset_registers(Sdhci *s)
{
    s->sdma = s->arg = 0;
    memset(s->rsp, 0, sizeof(s->rsp));
    s->blksize = s->blkcnt = s->trnmod = s->nor = s->err = s->nor_enable = s->err_enable = s->nor_signal = s->err_signal = 0;
    s->acmd_err = s->hostctl2 = s->clkcon = 0;
    s->cmd_low = s->cmd_high = s->hostctl = s->pwrcon = s->blkgap = s->wakcon = s->timeout = s->adma_err = 0;
    s->adma = 0;
}

/* Ready at once, so it reads as 0. */
static void reset_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    Sdhci *s = (Sdhci *)dev;

    if (value & (RESET_ALL | RESET_DAT)) {
        sdhci_data_stop(s);
        s->nor &= (uint16_t)~(INT_DMA | INT_DONE | INT_READ_READY | INT_WRITE_READY | 1 << 2);
    }
    if (value & RESET_CMD) {
        s->nor &= (uint16_t)~INT_CMD_DONE;
    }
    if (value & RESET_ALL) {
        reset_registers(s);
    }
    sdhci_update(s);
}

static uint64_t zero_read(Device *dev, const Register *reg, unsigned index)
{
    return 0;
}

static void status_changed(Device *dev, const Register *reg, unsigned index, uint64_t old)
{
    sdhci_update((Sdhci *)dev);
}

static uint64_t capability_read(Device *dev, const Register *reg, unsigned index)
{
    Sdhci *s = (Sdhci *)dev;

    return reg->aux ? s->maxcurr : s->capareg;
}

static void force_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    Sdhci *s = (Sdhci *)dev;

    if (index) {
        sdhci_fail(s, (uint16_t)value & ERROR_MASK);
    } else {
        s->acmd_err |= (uint16_t)value & 0x9f;
    }
}

static uint64_t slot_read(Device *dev, const Register *reg, unsigned index)
{
    Sdhci *s = (Sdhci *)dev;

    return (s->nor & s->nor_signal & ~INT_ERROR) || (s->err & s->err_signal);
}

static uint64_t version_read(Device *dev, const Register *reg, unsigned index)
{
    return VENDOR_VERSION << 8 | (((Sdhci *)dev)->spec_version - 1u);
}

static const Register sdhci_regs[] = {
    { .name = "SDMASYSAD", .offset = 0x00, .size = 4, REGISTER_FIELD(Sdhci, sdma), .changed = sdma_changed },
    { .name = "BLKSIZE", .offset = 0x04, .size = 2, REGISTER_FIELD(Sdhci, blksize), .write_mask = 0x7fff },
    { .name = "BLKCNT", .offset = 0x06, .size = 2, REGISTER_FIELD(Sdhci, blkcnt) },
    { .name = "ARGUMENT", .offset = 0x08, .size = 4, REGISTER_FIELD(Sdhci, arg) },
    { .name = "TRNMOD", .offset = 0x0c, .size = 2, REGISTER_FIELD(Sdhci, trnmod), .write_mask = 0x3f },
    { .name = "CMDREG", .offset = 0x0e, .size = 1, REGISTER_FIELD(Sdhci, cmd_low), .write_mask = 0xfb },
    { .name = "CMDREG_INDEX", .offset = 0x0f, .size = 1, REGISTER_FIELD(Sdhci, cmd_high), .write = command_write },
    { .name = "RSPREG", .offset = 0x10, .size = 4, .count = 4, REGISTER_ARRAY(Sdhci, rsp), .read_only = true },
    { .name = "BDATA", .offset = 0x20, .size = 1, .count = 4, .read = buffer_read, .write = buffer_write },
    { .name = "PRNSTS", .offset = 0x24, .size = 4, .read = present_read, .read_only = true },
    { .name = "HOSTCTL", .offset = 0x28, .size = 1, REGISTER_FIELD(Sdhci, hostctl) },
    { .name = "PWRCON", .offset = 0x29, .size = 1, REGISTER_FIELD(Sdhci, pwrcon), .write_mask = 0x0f },
    { .name = "BLKGAP", .offset = 0x2a, .size = 1, REGISTER_FIELD(Sdhci, blkgap), .write_mask = 0x0f },
    { .name = "WAKCON", .offset = 0x2b, .size = 1, REGISTER_FIELD(Sdhci, wakcon), .write_mask = 0x07 },
    { .name = "CLKCON", .offset = 0x2c, .size = 2, REGISTER_FIELD(Sdhci, clkcon), .changed = clock_changed },
    { .name = "TIMEOUTCON", .offset = 0x2e, .size = 1, REGISTER_FIELD(Sdhci, timeout), .write_mask = 0x0f },
    { .name = "SWRST", .offset = 0x2f, .size = 1, .read = zero_read, .write = reset_write },
    { .name = "NORINTSTS", .offset = 0x30, .size = 2, REGISTER_FIELD(Sdhci, nor), .w1c_mask = NORMAL_MASK, .changed = status_changed },
    { .name = "ERRINTSTS", .offset = 0x32, .size = 2, REGISTER_FIELD(Sdhci, err), .w1c_mask = 0xffff, .changed = status_changed },
    { .name = "NORINTSTSEN", .offset = 0x34, .size = 2, REGISTER_FIELD(Sdhci, nor_enable), .write_mask = 0x7fff, .changed = status_changed },
    { .name = "ERRINTSTSEN", .offset = 0x36, .size = 2, REGISTER_FIELD(Sdhci, err_enable), .changed = status_changed },
    { .name = "NORINTSIGEN", .offset = 0x38, .size = 2, REGISTER_FIELD(Sdhci, nor_signal), .write_mask = 0x7fff, .changed = status_changed },
    { .name = "ERRINTSIGEN", .offset = 0x3a, .size = 2, REGISTER_FIELD(Sdhci, err_signal), .changed = status_changed },
    { .name = "ACMD12ERRSTS", .offset = 0x3c, .size = 2, REGISTER_FIELD(Sdhci, acmd_err), .read_only = true },
    { .name = "HOSTCTL2", .offset = 0x3e, .size = 2, REGISTER_FIELD(Sdhci, hostctl2), .write_mask = 0xc000 },
    { .name = "CAPAREG", .offset = 0x40, .size = 8, .read = capability_read, .read_only = true },
    { .name = "MAXCURR", .offset = 0x48, .size = 8, .read = capability_read, .read_only = true, .aux = 1 },
    { .name = "FEAER/FEERR", .offset = 0x50, .size = 2, .count = 2, .write = force_write, .write_only = true },
    { .name = "ADMAERR", .offset = 0x54, .size = 1, REGISTER_FIELD(Sdhci, adma_err), .read_only = true },
    { .name = "ADMASYSADDR", .offset = 0x58, .size = 8, REGISTER_FIELD(Sdhci, adma) },
    { .name = "SLOT_INT", .offset = 0xfc, .size = 2, .read = slot_read, .read_only = true },
    { .name = "HCVER", .offset = 0xfe, .size = 2, .read = version_read, .read_only = true },
};

static const RegisterBank sdhci_banks[] = {
    { .name = "sdhci", .size_bytes = 0x100, .access_min = 1, .access_max = 4, .regs = sdhci_regs, .n_regs = ARRAY_SIZE(sdhci_regs) },
};

/* -- life -------------------------------------------------------------------------------------------------------------------- */

static void card_changed(void *opaque)
{
    Sdhci *s = opaque;

    sdhci_data_stop(s);
    sdhci_raise(s, sd_present(&s->slot) ? INT_INSERT : INT_REMOVE);
}

static const SdSlotOps slot_ops = { .changed = card_changed, .ready = sdhci_card_ready };

void sdhci_set_dma(Device *dev, AddressSpace *as)
{
    ((Sdhci *)dev)->as = as;
}

SdSlot *sdhci_slot(Device *dev)
{
    return &((Sdhci *)dev)->slot;
}

static bool sdhci_realize(Device *dev, Error **errp)
{
    Sdhci *s = (Sdhci *)dev;

    if (s->spec_version < 2 || s->spec_version > 3) {
        error_set(errp, "Only Spec v2/v3 are supported");
        return false;
    }
    if (!s->as) {
        s->as = &machine_current()->memory;
    }
    sd_slot_init(&s->slot, dev, "sd-bus", &slot_ops, s);
    return true;
}

static void sdhci_reset_enter(Device *dev, ResetKind kind)
{
    Sdhci *s = (Sdhci *)dev;

    sdhci_data_stop(s);
    s->piece_bytes = 0;
    s->adma_end = false;
}

static void sdhci_reset_hold(Device *dev, ResetKind kind)
{
    sdhci_update((Sdhci *)dev);
}

static bool sdhci_post_load(void *opaque, uint32_t version, Error **errp)
{
    Sdhci *s = opaque;
    uint16_t bytes = s->blksize & BLKSIZE_MASK;

    if (s->phase > SDHCI_WAIT_BUSY || (s->phase != SDHCI_IDLE && s->phase != SDHCI_WAIT_BUSY && (!bytes || s->at >= bytes || s->phase == SDHCI_WAIT_CARD))) {
        error_set(errp, "sdhci: phase %u at byte %u of %u is not possible", s->phase, s->at, bytes);
        return false;
    }
    sdhci_update(s);
    return true;
}

static const StateField sdhci_fields[] = {
    STATE_U(Sdhci, phase), STATE_U(Sdhci, reading), STATE_U(Sdhci, dma), STATE_U(Sdhci, adma_end), STATE_U(Sdhci, busy_command), STATE_U(Sdhci, at),
    STATE_U(Sdhci, piece), STATE_U(Sdhci, piece_bytes), STATE_BYTES(Sdhci, buffer),
};
static const StateDesc sdhci_state = {
    .name = "sdhci", .version = 1, .min_version = 1, .fields = sdhci_fields, .n_fields = ARRAY_SIZE(sdhci_fields), .post_load = sdhci_post_load,
};

static const Property sdhci_props[] = {
    PROP_U8("sd-spec-version", Sdhci, spec_version, 2, "2 or 3"),
    PROP_U64("capareg", Sdhci, capareg, 0x057834b4, "Capabilities"), PROP_U64("maxcurr", Sdhci, maxcurr, 0, "Maximum current capabilities"),
    PROP_B("wp-inverted", Sdhci, wp_inverted, false, "The write protect switch's level is inverted"),
};
static const IrqDef sdhci_out[] = { { .name = "sysbus-irq", .count = 1 } };

static const DeviceType sdhci_type = {
    .type = { .name = "generic-sdhci", .parent = "sys-bus-device", .summary = "SD host controller", .size_bytes = sizeof(Sdhci),
              .props = sdhci_props, .n_props = ARRAY_SIZE(sdhci_props) },
    .category = DEVICE_STORAGE, .bus = "System", .banks = sdhci_banks, .n_banks = ARRAY_SIZE(sdhci_banks), .irqs_out = sdhci_out,
    .n_irqs_out = ARRAY_SIZE(sdhci_out), .state = &sdhci_state, .realize = sdhci_realize, .reset_enter = sdhci_reset_enter,
    .reset_hold = sdhci_reset_hold,
};
DEVICE_TYPE_REGISTER(sdhci_type);
