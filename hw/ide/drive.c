/*
 * drive.c: ide-hd and ide-cd, the devices on an IDE bus.
 */
#include <stdio.h>

#include "hw/ide/internal.h"

static bool realize(Device *dev, bool is_cd, Error **errp)
{
    IdeDrive *d = (IdeDrive *)dev;
    IdeChannel *ch = (IdeChannel *)dev->bus;

    if (!block_conf_attach(&d->conf, dev, !is_cd, is_cd, is_cd ? 2048 : SECTOR, errp)) {
        return false;
    }
    if (!is_cd && d->conf.logical_block_size != SECTOR) {
        error_set(errp, "logical_block_size must be 512 for IDE");
        goto fail;
    }
    if (!is_cd && !block_conf_geometry(&d->conf, 65535, 16, 255, errp)) {
        goto fail;
    }
    const char *serial = block_conf_serial(&d->conf);
    if (serial) {
        snprintf(d->serial_text, sizeof(d->serial_text), "%s", serial);
    } else {
        snprintf(d->serial_text, sizeof(d->serial_text), "QM%05u", ch->first_serial + d->unit);
    }
    d->is_cd = is_cd;
    d->channel = ch;
    if (is_cd) {
        scsi_unit_init(&d->scsi, dev, &d->conf, true);
        d->scsi.serial = d->serial_text;
        d->scsi.wwn = d->wwn;
        snprintf(d->scsi.vendor, sizeof(d->scsi.vendor), "QEMU");
        snprintf(d->scsi.product, sizeof(d->scsi.product), "QEMU DVD-ROM");
        snprintf(d->scsi.revision, sizeof(d->scsi.revision), "%s", d->version ? d->version : "2.5+");
    }
    ch->drives[d->unit] = d;
    ch->bus.full = ch->drives[0] && (ch->units == 1 || ch->drives[1]);
    ide_drive_reset(d);
    return true;
fail:
    block_conf_detach(&d->conf);
    return false;
}

static bool hd_realize(Device *dev, Error **errp)
{
    return realize(dev, false, errp);
}

static bool cd_realize(Device *dev, Error **errp)
{
    return realize(dev, true, errp);
}

static void unrealize(Device *dev)
{
    IdeDrive *d = (IdeDrive *)dev;

    ide_cancel(d);
    if (d->is_cd) {
        scsi_unit_finish(&d->scsi);
    }
    d->channel->drives[d->unit] = NULL;
    d->channel->bus.full = false;
    block_conf_detach(&d->conf);
}

static void reset(Device *dev, ResetKind kind)
{
    ide_drive_reset((IdeDrive *)dev);
}

static void pre_save(void *opaque)
{
    IdeDrive *d = opaque;
    if (d->conf.blk) {
        block_drain(d->conf.blk);
    }
}

/* A data block that waits for the guest is saved; a packet under way is not: the guest sees it aborted. */
static bool post_load(void *opaque, uint32_t version, Error **errp)
{
    IdeDrive *d = opaque;
    uint64_t total = ide_sectors(d);

    bool in_buf = d->pio == PIO_READ || d->pio == PIO_WRITE || d->pio == PIO_REPLY || d->pio == PIO_PACKET;

    if (d->pio > PIO_TRIM || d->multiple > IDE_MULT_MAX || (!d->is_cd && (!d->cur_heads || !d->cur_secs)) || d->cur_heads > 16 ||
        d->cur_secs > 255 || (in_buf && (d->data_at > d->data_bytes || d->data_bytes > sizeof(d->buf))) ||
        ((d->pio == PIO_READ || d->pio == PIO_WRITE) &&
         (d->is_cd || !d->block || d->block > IDE_MULT_MAX || d->chunk > IDE_MULT_MAX || d->lba > total || d->left > total - d->lba)) ||
        (d->pio == PIO_WRITE && d->data_bytes != d->chunk * SECTOR) || (d->pio == PIO_PACKET && !d->is_cd)) {
        error_set(errp, "ide: a data block or geometry that cannot be");
        d->pio = PIO_NONE;
        d->cur_heads = d->cur_heads && d->cur_heads <= 16 ? d->cur_heads : 16;
        d->cur_secs = d->cur_secs && d->cur_secs <= 255 ? d->cur_secs : 63;
        d->multiple = d->multiple <= IDE_MULT_MAX ? d->multiple : 0;
        return false;
    }
    d->data = d->buf;
    d->dma = DMA_NONE;
    d->dma_waits = false;
    if (d->pio == PIO_ATAPI || d->pio == PIO_TRIM || (d->pio == PIO_NONE && d->status & (ATA_BSY | ATA_DRQ))) {
        d->pio = PIO_NONE;
        d->status = ATA_DRDY | ATA_DSC | ATA_ERR;
        d->error = ATA_ABRT;
    }
    return true;
}

static const StateField task_file_fields[] = {
    STATE_U(IdeTaskFile, feature), STATE_U(IdeTaskFile, nsector), STATE_U(IdeTaskFile, low), STATE_U(IdeTaskFile, mid),
    STATE_U(IdeTaskFile, high),
};
static const StateDesc task_file = {
    .name = "ide-task-file", .version = 1, .fields = task_file_fields, .n_fields = ARRAY_SIZE(task_file_fields),
};
static const StateField fields[] = {
    { .name = "unit", .kind = STATE_STRUCT, .offset = offsetof(IdeDrive, scsi), .elem_size = sizeof(ScsiUnit), .sub = &scsi_unit_state },
    { .name = "reg", .kind = STATE_STRUCT, .offset = offsetof(IdeDrive, reg), .elem_size = sizeof(IdeTaskFile), .sub = &task_file },
    { .name = "hob", .kind = STATE_STRUCT, .offset = offsetof(IdeDrive, hob), .elem_size = sizeof(IdeTaskFile), .sub = &task_file },
    STATE_U(IdeDrive, select), STATE_U(IdeDrive, status), STATE_U(IdeDrive, error), STATE_U(IdeDrive, irq_pending),
    STATE_U(IdeDrive, cur_heads), STATE_U(IdeDrive, cur_secs), STATE_U(IdeDrive, multiple), STATE_U(IdeDrive, dma_mode),
    STATE_U(IdeDrive, write_cache), STATE_U(IdeDrive, smart), STATE_U(IdeDrive, command), STATE_U(IdeDrive, lba48),
    STATE_U(IdeDrive, pio), STATE_U(IdeDrive, to_device), STATE_U(IdeDrive, first_block), STATE_U(IdeDrive, lba),
    STATE_U(IdeDrive, left), STATE_U(IdeDrive, block), STATE_U(IdeDrive, chunk), STATE_U(IdeDrive, data_at),
    STATE_U(IdeDrive, data_bytes), STATE_BYTES(IdeDrive, buf),
};
static const StateDesc state = {
    .name = "ide-drive", .version = 1, .fields = fields, .n_fields = ARRAY_SIZE(fields), .pre_save = pre_save, .post_load = post_load,
};

#define IDE_DRIVE_PROPS                                                                                             \
    BLOCK_CONF_PROPS(IdeDrive, conf), BLOCK_CONF_SERIAL_PROP(IdeDrive, conf),                                        \
    PROP_U32("unit", IdeDrive, unit, UINT32_MAX, "0: master, 1: slave; default: the first that is free"),            \
    PROP_STR("ver", IdeDrive, version, "Firmware revision (8 bytes)"),                                               \
    PROP_STR("model", IdeDrive, model, "Model (40 bytes)"), PROP_U64("wwn", IdeDrive, wwn, 0, "World wide name")

static const Property hd_props[] = {
    IDE_DRIVE_PROPS, BLOCK_CONF_CHS_PROPS(IdeDrive, conf),
    PROP_U16("rotation_rate", IdeDrive, rotation_rate, 0, "1: solid state; else turns a minute"),
};
static const Property cd_props[] = { IDE_DRIVE_PROPS };

static const DeviceType ide_hd_type = {
    .type = { .name = "ide-hd", .parent = "device", .size_bytes = sizeof(IdeDrive), .summary = "virtual IDE disk",
              .props = hd_props, .n_props = ARRAY_SIZE(hd_props) },
    .category = DEVICE_STORAGE, .bus = "IDE", .state = &state, .realize = hd_realize, .unrealize = unrealize, .reset_hold = reset,
    .user_creatable = true,
};
DEVICE_TYPE_REGISTER(ide_hd_type);

static const DeviceType ide_cd_type = {
    .type = { .name = "ide-cd", .parent = "device", .size_bytes = sizeof(IdeDrive), .summary = "virtual IDE CD-ROM",
              .props = cd_props, .n_props = ARRAY_SIZE(cd_props) },
    .category = DEVICE_STORAGE, .bus = "IDE", .state = &state, .realize = cd_realize, .unrealize = unrealize, .reset_hold = reset,
    .user_creatable = true,
};
DEVICE_TYPE_REGISTER(ide_cd_type);
