/*
 * sd-card.c: an SD memory card: commands, states, its place in a slot.
 *
 * SD Physical Layer Simplified Specification 6.00: states and commands 4.3 to 4.8, card status 4.10. Up to 2 GiB it is a standard capacity card
 * (byte addresses), above a high capacity one. Capacities that the CSD cannot say are refused, so that no byte of an image is out of reach.
 *
 * Left out: SPI mode, UHS-I and 1.8 V, write protection by group and lock (commands 28 to 30 and 42), programming of CSD and CID.
 */
#include "hw/block-conf.h"
#include "hw/sd/internal.h"
#include "util/bits.h"
#include "util/log.h"

enum {
    OCR_VOLTAGES = 0x00ff8000,                  /* 2.7 to 3.6 V */
    OCR_HIGH_CAPACITY = 1 << 30,
    STATUS_CLEARED = 0x7fd98008,                /* error bits go when they have been told (type "C") */
    RESPONSE_NONE = 0, RESPONSE_SHORT = 4, RESPONSE_LONG = 16,
};
#define OCR_POWERED (1u << 31)

/* -- responses ------------------------------------------------------------------------------------------------------------- */

static unsigned r1_from(SdCard *c, uint8_t state, uint8_t response[16])
{
    uint32_t status = c->status | (uint32_t)state << 9 | (c->busy ? 0 : SD_READY_FOR_DATA) | (c->app ? SD_APP_CMD : 0);

    stbe32(response, status);
    c->status &= ~(STATUS_CLEARED | SD_OUT_OF_RANGE);
    return RESPONSE_SHORT;
}

static unsigned illegal(SdCard *c, unsigned command)
{
    log_guest_error("sd-card: command %u in state %u\n", command, c->state);
    c->status |= SD_ILLEGAL_COMMAND; /* told with the next response */
    return RESPONSE_NONE;
}

static unsigned r3(SdCard *c, uint8_t response[16])
{
    stbe32(response, OCR_VOLTAGES | (c->powered ? OCR_POWERED : 0) |
                     (c->powered && c->high_capacity_host && sd_is_large(c) ? OCR_HIGH_CAPACITY : 0));
    return RESPONSE_SHORT;
}

static unsigned r6(SdCard *c, uint8_t state, uint8_t response[16])
{
    uint32_t s = c->status;

    stbe32(response, (uint32_t)c->rca << 16 | (s >> 8 & 0xc000) | (s >> 6 & 0x2000) | (s & 0x1fff) | (uint32_t)state << 9 | SD_READY_FOR_DATA);
    c->status &= ~(STATUS_CLEARED | SD_OUT_OF_RANGE);
    return RESPONSE_SHORT;
}

/* -- data phases ------------------------------------------------------------------------------------------------------------- */

static void send_small(SdCard *c, unsigned bytes)
{
    c->small_bytes = bytes;
    c->pos = 0;
    c->source = SD_FROM_SMALL;
    c->state = SD_SENDING;
}

/* Where a read or write begins; false and status bits: not there. */
static bool address(SdCard *c, uint32_t arg)
{
    uint64_t pos = sd_is_large(c) ? (uint64_t)arg * SD_BLOCK_BYTES : arg;

    if (pos >= sd_bytes(c)) {
        c->status |= SD_OUT_OF_RANGE;
        return false;
    }
    /* Blocks may not cross those of the medium (READ_BLK_MISALIGN is not allowed). */
    if (pos % SD_BLOCK_BYTES + c->block_len > SD_BLOCK_BYTES) {
        c->status |= SD_ADDRESS_ERROR;
        return false;
    }
    c->pos = pos;
    return true;
}

static unsigned transfer(SdCard *c, unsigned command, uint32_t arg, uint8_t response[16])
{
    bool single = command == 17 || command == 24, writing = command >= 24;
    bool counted = c->count_given && !single;

    if (writing && block_is_readonly(c->blk)) {
        c->status |= SD_WP_VIOLATION;
        return r1_from(c, c->state, response);
    }
    if (writing && c->block_len != SD_BLOCK_BYTES) {
        c->status |= SD_BLOCK_LEN_ERROR;
        return r1_from(c, c->state, response);
    }
    if (!address(c, arg)) {
        return r1_from(c, c->state, response);
    }
    unsigned len = r1_from(c, SD_TRAN, response);
    c->single = single;
    c->count_given = counted;
    c->count = single ? 1 : c->count;
    c->buffer_bytes = 0;
    c->source = SD_FROM_MEMORY;
    c->state = writing ? SD_RCV : SD_SENDING;
    if (writing) {
        c->well_written = 0;
    }
    return len;
}

/* -- application commands (4.7.4, table 4-32) ------------------------------------------------------------------------------------ */

static unsigned app_command(SdCard *c, unsigned command, uint32_t arg, uint8_t response[16])
{
    unsigned len;

    if (command == 41) {
        if (c->state != SD_IDLE) {
            return illegal(c, command);
        }
        if (arg & 0x00ffffff) { /* else the host only asks for the voltages */
            c->high_capacity_host = arg >> 30 & 1;
            c->powered = true;
            c->state = SD_READY;
        }
        return r3(c, response);
    }
    if (c->state != SD_TRAN) {
        return illegal(c, command);
    }
    len = r1_from(c, SD_TRAN, response);
    response[3] |= SD_APP_CMD;
    switch (command) {
    case 6: c->wide = (arg & 3) == 2; break;
    case 13:
        sd_make_status(c, c->small);
        send_small(c, 64);
        break;
    case 22:
        stbe32(c->small, c->well_written);
        send_small(c, 4);
        break;
    case 23: case 42: break; /* how much to erase before writing; the pull-up of DAT3 */
    case 51:
        sd_make_scr(c, c->small);
        send_small(c, 8);
        break;
    default: return illegal(c, command);
    }
    return len;
}

/* -- commands ------------------------------------------------------------------------------------------------------------------- */

static void go_idle(SdCard *c)
{
    sd_data_cancel(c);
    c->state = SD_IDLE;
    c->app = c->powered = c->count_given = c->single = false;
    c->wide = 0;
    c->rca = 0;
    c->status = 0;
    c->block_len = SD_BLOCK_BYTES;
    c->erase_first = c->erase_last = UINT32_MAX;
    memset(c->functions, 0, sizeof(c->functions));
}

static unsigned erase_address(SdCard *c, uint32_t arg, uint32_t *at, uint8_t response[16])
{
    uint32_t block = sd_is_large(c) ? arg : arg / SD_BLOCK_BYTES;

    if (c->state != SD_TRAN) {
        return illegal(c, 32);
    }
    if ((uint64_t)block * SD_BLOCK_BYTES >= sd_bytes(c)) {
        c->status |= SD_OUT_OF_RANGE;
    } else {
        *at = block;
    }
    return r1_from(c, SD_TRAN, response);
}

static unsigned erase(SdCard *c, uint8_t response[16])
{
    uint32_t first = c->erase_first, last = c->erase_last;

    if (c->state != SD_TRAN) {
        return illegal(c, 38);
    }
    c->erase_first = c->erase_last = UINT32_MAX;
    if (first == UINT32_MAX || last == UINT32_MAX || first > last) {
        c->status |= SD_ERASE_SEQ_ERROR;
        return r1_from(c, SD_TRAN, response);
    }
    if (block_is_readonly(c->blk)) {
        c->status |= SD_WP_VIOLATION;
        return r1_from(c, SD_TRAN, response);
    }
    unsigned len = r1_from(c, SD_TRAN, response);
    sd_erase(c, first, last);
    return len;
}

static unsigned select_card(SdCard *c, uint32_t arg, uint8_t response[16])
{
    uint8_t state = c->state;

    if (arg >> 16 == c->rca && c->rca) {
        if (state == SD_STBY || state == SD_DIS) {
            c->state = state == SD_DIS ? SD_PRG : SD_TRAN;
            return r1_from(c, state, response);
        }
        return state == SD_TRAN ? r1_from(c, state, response) : illegal(c, 7);
    }
    if (state == SD_TRAN || state == SD_SENDING) { /* deselected: no response */
        sd_data_end(c);
        c->state = SD_STBY;
    } else if (state == SD_PRG) {
        c->state = SD_DIS;
    }
    return RESPONSE_NONE;
}

static unsigned stop(SdCard *c, uint8_t response[16])
{
    uint8_t state = c->state;
    unsigned len;

    if (state == SD_SENDING || state == SD_RCV) {
        sd_data_end(c);
    } else if (state != SD_TRAN && state != SD_PRG) { /* a transfer that ended by itself meanwhile is all right */
        return illegal(c, 12);
    }
    len = r1_from(c, state, response);
    c->count_given = false;
    return len;
}

static unsigned basic_command(SdCard *c, unsigned command, uint32_t arg, uint8_t response[16])
{
    uint8_t state = c->state;
    bool mine = arg >> 16 == c->rca, tran = state == SD_TRAN;

    switch (command) {
    case 0:
        go_idle(c);
        return RESPONSE_NONE;
    case 2:
        if (state != SD_READY) {
            return illegal(c, command);
        }
        c->state = SD_IDENT;
        sd_make_cid(c, response);
        return RESPONSE_LONG;
    case 3:
        if (state != SD_IDENT && state != SD_STBY) {
            return illegal(c, command);
        }
        c->state = SD_STBY;
        c->rca = (uint16_t)(c->rca + 0x4567 ? c->rca + 0x4567 : 1);
        return r6(c, state, response);
    case 6:
        if (!tran) {
            return illegal(c, command);
        }
        sd_switch(c, arg, c->small);
        r1_from(c, state, response);
        send_small(c, 64);
        return RESPONSE_SHORT;
    case 7: return select_card(c, arg, response);
    case 8:
        if (state != SD_IDLE || c->spec_version < 2) {
            return illegal(c, command);
        }
        if ((arg >> 8 & 15) != 1) { /* not a voltage we work with: silence (4.3.13) */
            return RESPONSE_NONE;
        }
        stbe32(response, arg & 0xfff);
        return RESPONSE_SHORT;
    case 9: case 10:
        if (!mine) {
            return RESPONSE_NONE;
        }
        if (state != SD_STBY) {
            return illegal(c, command);
        }
        (command == 9 ? sd_make_csd : sd_make_cid)(c, response);
        return RESPONSE_LONG;
    case 12: return stop(c, response);
    case 13: return mine ? r1_from(c, state, response) : RESPONSE_NONE;
    case 15:
        if (mine) {
            sd_data_cancel(c);
            c->state = SD_INACTIVE;
        }
        return RESPONSE_NONE;
    case 16:
        if (!tran) {
            return illegal(c, command);
        }
        if (!arg || arg > SD_BLOCK_BYTES) {
            c->status |= SD_BLOCK_LEN_ERROR;
        } else if (!sd_is_large(c)) { /* a high capacity card's is fixed */
            c->block_len = arg;
        }
        return r1_from(c, state, response);
    case 17: case 18: case 24: case 25: return tran ? transfer(c, command, arg, response) : illegal(c, command);
    case 23:
        if (!tran || c->spec_version < 3) {
            return illegal(c, command);
        }
        c->count = arg;
        c->count_given = arg != 0;
        return r1_from(c, state, response);
    case 32: return erase_address(c, arg, &c->erase_first, response);
    case 33: return erase_address(c, arg, &c->erase_last, response);
    case 38: return erase(c, response);
    case 55:
        if (!mine || state == SD_READY || state == SD_IDENT) {
            return mine ? illegal(c, command) : RESPONSE_NONE;
        }
        c->app = true;
        return r1_from(c, state, response);
    default: return illegal(c, command);
    }
}

unsigned sd_command(SdSlot *slot, unsigned command, uint32_t arg, uint8_t response[16])
{
    SdCard *c = (SdCard *)slot->card;
    bool app;

    memset(response, 0, 16);
    if (!c || !sd_bytes(c) || c->state == SD_INACTIVE) {
        return RESPONSE_NONE;
    }
    /* An application command that does not exist is the ordinary one (4.3.9). */
    app = c->app && (command == 6 || command == 13 || command == 22 || command == 23 || command == 41 || command == 42 || command == 51);
    if (command != 55) {
        c->app = false;
    }
    if (command != 18 && command != 25 && command != 23 && command != 12 && command != 13 && !app) {
        c->count_given = false; /* it is for the very next command */
    }
    return app ? app_command(c, command, arg, response) : basic_command(c, command, arg, response);
}

SdData sd_data(const SdSlot *slot)
{
    const SdCard *c = (const SdCard *)slot->card;

    return !c || c->source == SD_FROM_NOTHING ? SD_DATA_NONE : c->state == SD_RCV ? SD_DATA_WRITE : SD_DATA_READ;
}

bool sd_busy(const SdSlot *slot)
{
    const SdCard *c = (const SdCard *)slot->card;

    return c && c->busy;
}

bool sd_present(const SdSlot *slot)
{
    const SdCard *c = (const SdCard *)slot->card;

    return c && sd_bytes(c);
}

bool sd_read_only(const SdSlot *slot)
{
    const SdCard *c = (const SdCard *)slot->card;

    return c && c->blk && block_is_readonly(c->blk);
}

/* -- the slot ----------------------------------------------------------------------------------------------------------------------- */

static SdSlot **slot_of(Bus *bus);

static const BusType sd_bus_type = {
    .type = { .name = "sd-bus", .parent = "bus", .size_bytes = sizeof(struct { Bus bus; SdSlot *slot; }) }, .kind = "sd-bus", .max_devices = 1,
};
OBJECT_TYPE_REGISTER(sd_bus_type);

static SdSlot **slot_of(Bus *bus)
{
    return (SdSlot **)(bus + 1);
}

void sd_slot_init(SdSlot *slot, Device *host, const char *bus_name, const SdSlotOps *ops, void *opaque)
{
    slot->ops = ops;
    slot->opaque = opaque;
    slot->bus = bus_new("sd-bus", host, bus_name);
    *slot_of(slot->bus) = slot;
}

static void tell(SdSlot *slot)
{
    if (slot && slot->ops->changed) {
        slot->ops->changed(slot->opaque);
    }
}

void sd_slot_move(SdSlot *from, SdSlot *to)
{
    SdCard *c = (SdCard *)from->card;

    if (!c || to->card) {
        return;
    }
    sd_data_cancel(c);
    from->card = NULL;
    to->card = &c->dev;
    c->slot = to;
    tell(from);
    tell(to);
}

static void medium_changed(void *opaque, bool loaded)
{
    SdCard *c = opaque;

    go_idle(c);
    tell(c->slot);
}

static const BlockMediaOps media_ops = { .changed = medium_changed };

static bool card_realize(Device *dev, Error **errp)
{
    SdCard *c = (SdCard *)dev;
    char *owner = block_conf_owner(dev);
    bool ok;

    if (c->spec_version < 1 || c->spec_version > 3) {
        error_set(errp, "Invalid SD card Spec version: %u", c->spec_version);
        free(owner);
        return false;
    }
    ok = block_attach(&c->blk, owner, !c->blk || !block_is_readonly(c->blk), errp);
    free(owner);
    if (!ok) {
        return false;
    }
    if (sd_bytes(c) && !sd_size_ok(sd_bytes(c))) {
        error_set(errp, "Invalid SD card size: %" PRIu64 " bytes: a card cannot have this size; the next power of two is one it can have "
                  "(qemu-img resize)", sd_bytes(c));
        block_detach(&c->blk);
        return false;
    }
    block_set_media_ops(c->blk, &media_ops, c);
    c->slot = *slot_of(dev->bus);
    c->slot->card = dev;
    tell(c->slot);
    return true;
}

static void card_unrealize(Device *dev)
{
    SdCard *c = (SdCard *)dev;

    sd_data_cancel(c);
    if (c->slot) {
        c->slot->card = NULL;
        tell(c->slot);
    }
    block_detach(&c->blk);
}

static void card_reset(Device *dev, ResetKind kind)
{
    go_idle((SdCard *)dev);
}

static bool card_post_load(void *opaque, uint32_t version, Error **errp)
{
    SdCard *c = opaque;

    if (c->state > SD_INACTIVE || c->source > SD_FROM_MEMORY || c->block_len > SD_BLOCK_BYTES || !c->block_len || c->small_bytes > SD_SMALL_BYTES ||
        c->buffer_bytes > SD_BUFFER_BYTES || (c->source == SD_FROM_SMALL && c->pos > c->small_bytes)) {
        error_set(errp, "sd-card: state %u with block length %u and %u bytes is not possible", c->state, c->block_len, c->buffer_bytes);
        return false;
    }
    c->busy = false; /* whoever saved it has waited for the medium */
    return true;
}

static const StateField card_fields[] = {
    STATE_U(SdCard, state), STATE_U(SdCard, source), STATE_U(SdCard, wide), STATE_U(SdCard, app), STATE_U(SdCard, high_capacity_host),
    STATE_U(SdCard, powered), STATE_U(SdCard, count_given), STATE_U(SdCard, single), STATE_U_ARRAY(SdCard, functions), STATE_U(SdCard, rca),
    STATE_U(SdCard, status), STATE_U(SdCard, block_len), STATE_U(SdCard, count), STATE_U(SdCard, erase_first), STATE_U(SdCard, erase_last),
    STATE_U(SdCard, pos), STATE_U(SdCard, small_bytes), STATE_U(SdCard, well_written), STATE_U_ARRAY(SdCard, small),
    STATE_U(SdCard, buffer_at), STATE_U(SdCard, buffer_bytes), STATE_BYTES(SdCard, buffer),
};
static const StateDesc card_state = {
    .name = "sd-card", .version = 1, .min_version = 1, .fields = card_fields, .n_fields = ARRAY_SIZE(card_fields), .post_load = card_post_load,
};

static const Property card_props[] = {
    PROP_BLK("drive", SdCard, blk), PROP_U8("spec_version", SdCard, spec_version, 3, "1 to 3: Physical Layer Specification 1.10, 2.00, 3.01"),
};

static const DeviceType card_type = {
    .type = { .name = "sd-card", .parent = "device", .summary = "SD memory card", .size_bytes = sizeof(SdCard), .props = card_props,
              .n_props = ARRAY_SIZE(card_props) },
    .category = DEVICE_STORAGE, .bus = "sd-bus", .state = &card_state, .realize = card_realize, .unrealize = card_unrealize,
    .reset_enter = card_reset, .user_creatable = true,
};
DEVICE_TYPE_REGISTER(card_type);

Device *sd_card_create(Bus *bus, unsigned index, Error **errp)
{
    Device *dev = device_new("sd-card", errp);

    if (!dev) {
        return NULL;
    }
    ((SdCard *)dev)->blk = drive_get("sd", index);
    bool ok = device_realize(dev, bus, errp);
    object_unref(&dev->obj);
    return ok ? dev : NULL;
}
