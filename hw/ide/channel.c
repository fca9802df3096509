/*
 * channel.c: a cable with up to two drives: the registers they share, selection, interrupts, software reset; the bus drives
 * are plugged into.
 *
 * Specification: ATA/ATAPI-7 volume 1, 5 (registers), volume 2, 9 (protocols).
 */
#include <stdio.h>

#include "hw/ide.h"
#include "hw/ide/internal.h"

static void update_irq(IdeChannel *ch)
{
    IdeDrive *d = ide_selected(ch);

    ch->host->set_irq(ch, d && d->irq_pending && !(ch->control & ATA_NIEN));
}

void ide_finish(IdeDrive *d, uint8_t error)
{
    IdeChannel *ch = d->channel;

    d->pio = PIO_NONE;
    d->dma = DMA_NONE;
    d->dma_waits = false;
    d->error = error;
    d->status = (uint8_t)(ATA_DRDY | ATA_DSC | (error ? ATA_ERR : 0));
    d->irq_pending = true;
    update_irq(ch);
    if (ch->host->command_done) {
        ch->host->command_done(ch);
    }
}

void ide_start_data(IdeDrive *d, IdePio kind, uint8_t *data, uint32_t bytes, bool to_device)
{
    IdeChannel *ch = d->channel;

    d->pio = kind;
    d->data = data;
    d->data_at = 0;
    d->data_bytes = bytes;
    d->to_device = to_device;
    d->status = ATA_DRDY | ATA_DSC | ATA_DRQ;
    if (ch->host->pio) {
        if (ch->host->pio(ch, data, bytes, to_device)) {
            d->data_at = d->data_bytes;
            ide_data_done(d);
        } else {
            ide_finish(d, ATA_ABRT);
        }
        return;
    }
    /* ATA/ATAPI-7 volume 2, 9.7: no interrupt before the first block to the drive, a packet included. */
    if (!to_device || !d->first_block) {
        d->irq_pending = true;
        update_irq(ch);
    }
    d->first_block = false;
}

/* -- registers ------------------------------------------------------------------------------------------------------------ */

static void set_feature(IdeDrive *d, unsigned reg, uint8_t value)
{
    uint8_t *now = reg == 1 ? &d->reg.feature : reg == 2 ? &d->reg.nsector : reg == 3 ? &d->reg.low : reg == 4 ? &d->reg.mid : &d->reg.high;
    uint8_t *old = reg == 1 ? &d->hob.feature : reg == 2 ? &d->hob.nsector : reg == 3 ? &d->hob.low : reg == 4 ? &d->hob.mid : &d->hob.high;

    *old = *now;
    *now = value;
}

void ide_write(IdeChannel *ch, unsigned reg, uint8_t value)
{
    IdeDrive *d = ide_selected(ch);

    ch->control &= (uint8_t)~ATA_HOB;
    if (reg == 7) {
        if (!d || (d->status & (ATA_BSY | ATA_DRQ) && !(d->is_cd && value == CMD_DEVICE_RESET))) {
            return;
        }
        d->irq_pending = false;
        update_irq(ch);
        ide_execute(d, value);
        return;
    }
    if (reg == 6) {
        ch->selected = value & ATA_DEV_UNIT ? 1 : 0;
    }
    for (unsigned i = 0; i < 2; i++) { /* both drives see what is written */
        IdeDrive *each = ch->drives[i];
        if (!each || each->status & (ATA_BSY | ATA_DRQ)) {
            continue;
        }
        if (reg == 6) {
            each->select = value | 0xa0;
        } else {
            set_feature(each, reg, value);
        }
    }
    if (reg == 6) {
        update_irq(ch);
    }
}

static uint8_t status_of(const IdeChannel *ch, const IdeDrive *d)
{
    return ch->in_reset ? (d ? ATA_BSY : 0) : d ? d->status : 0;
}

uint8_t ide_read(IdeChannel *ch, unsigned reg)
{
    IdeDrive *d = ide_selected(ch);
    bool hob = ch->control & ATA_HOB;

    if (!d) {
        return 0;
    }
    switch (reg) {
    case 1: return hob ? d->hob.feature : d->error;
    case 2: return hob ? d->hob.nsector : d->reg.nsector;
    case 3: return hob ? d->hob.low : d->reg.low;
    case 4: return hob ? d->hob.mid : d->reg.mid;
    case 5: return hob ? d->hob.high : d->reg.high;
    case 6: return d->select;
    default:
        d->irq_pending = false;
        update_irq(ch);
        return status_of(ch, d);
    }
}

uint8_t ide_read_alternate(IdeChannel *ch)
{
    return status_of(ch, ide_selected(ch));
}

void ide_write_control(IdeChannel *ch, uint8_t value)
{
    bool was = ch->control & ATA_SRST, is = value & ATA_SRST;

    ch->control = value;
    if (is && !was) {
        ch->in_reset = true;
        for (unsigned i = 0; i < 2; i++) {
            if (ch->drives[i]) {
                ide_cancel(ch->drives[i]);
            }
        }
    } else if (was && !is) {
        ch->in_reset = false;
        ch->selected = 0;
        for (unsigned i = 0; i < 2; i++) {
            if (ch->drives[i]) {
                ide_set_signature(ch->drives[i]);
            }
        }
    }
    update_irq(ch);
}

void ide_data_write(IdeChannel *ch, uint32_t value, unsigned size)
{
    IdeDrive *d = ide_selected(ch);

    if (!d || !(d->status & ATA_DRQ) || !d->to_device || d->pio == PIO_NONE || d->data_at + size > d->data_bytes) {
        return;
    }
    for (unsigned i = 0; i < size; i++) {
        d->data[d->data_at++] = (uint8_t)(value >> i * 8);
    }
    if (d->data_at == d->data_bytes) {
        ide_data_done(d);
    }
}

uint32_t ide_data_read(IdeChannel *ch, unsigned size)
{
    IdeDrive *d = ide_selected(ch);
    uint32_t value = 0;

    if (!d || !(d->status & ATA_DRQ) || d->to_device || d->pio == PIO_NONE) {
        return 0;
    }
    /* The last word of an odd transfer is filled up. */
    for (unsigned i = 0; i < size && d->data_at < d->data_bytes; i++) {
        value |= (uint32_t)d->data[d->data_at++] << i * 8;
    }
    if (d->data_at == d->data_bytes) {
        ide_data_done(d);
    }
    return value;
}

void ide_channel_reset(IdeChannel *ch)
{
    ch->selected = 0;
    ch->control = 0;
    ch->in_reset = false;
    for (unsigned i = 0; i < 2; i++) {
        if (ch->drives[i]) {
            ide_drive_reset(ch->drives[i]);
        }
    }
    update_irq(ch);
}

/* -- the bus ----------------------------------------------------------------------------------------------------------------- */

static bool bus_check(Bus *bus, Device *dev, Error **errp)
{
    IdeChannel *ch = (IdeChannel *)bus;
    IdeDrive *d = (IdeDrive *)dev;
    unsigned units = ch->units;

    if (d->unit == UINT32_MAX) {
        d->unit = ch->drives[0] ? 1 : 0;
    }
    if (d->unit >= units) {
        error_set(errp, "Can't create IDE unit %u, bus supports only %u unit%s", d->unit, units, units == 1 ? "" : "s");
        return false;
    }
    if (ch->drives[d->unit]) {
        error_set(errp, "IDE unit %u is in use", d->unit);
        return false;
    }
    return true;
}

static char *fw_path(Device *dev)
{
    IdeDrive *d = (IdeDrive *)dev;
    unsigned n = 0;

    for (Bus *bus = dev->bus->parent->first_bus; bus != dev->bus; bus = bus->next) {
        n++;
    }
    return xasprintf("drive@%x/disk@%x", n, d->unit);
}

static const BusType ide_bus_type = {
    .type = { .name = "IDE", .parent = "bus", .size_bytes = sizeof(IdeChannel), .summary = "an ATA cable with two drives" },
    .kind = "IDE", .max_devices = 2, .check = bus_check, .fw_path = fw_path,
};
OBJECT_TYPE_REGISTER(ide_bus_type);

/* Drives without serial= are "QM00001" and on, two numbers a bus in the order the buses were made. */
static unsigned next_serial = 1;

void ide_channel_init(IdeChannel *ch, Device *parent, const char *name, unsigned units, const IdeHost *host, void *opaque)
{
    bus_init_embedded(&ch->bus, "IDE", parent, name);
    ch->units = units;
    ch->first_serial = next_serial;
    next_serial += 2;
    ch->host = host;
    ch->opaque = opaque;
}

bool ide_add_drives(Device *controller, unsigned first_bus, unsigned units_per_bus, Error **errp)
{
    unsigned number = first_bus;

    for (Bus *bus = controller->first_bus; bus; bus = bus->next, number++) {
        for (unsigned unit = 0; unit < MIN(units_per_bus, ((IdeChannel *)bus)->units); unit++) {
            BlockBackend *blk = drive_get("ide", number * units_per_bus + unit);
            char text[16];
            if (!blk) {
                continue;
            }
            snprintf(text, sizeof(text), "%u", unit);
            const char *const props[] = { "drive", block_id(blk), "unit", text, NULL };
            if (!device_create(drive_is_cdrom(blk) ? "ide-cd" : "ide-hd", bus, props, errp)) {
                return false;
            }
        }
    }
    return true;
}
