/*
 * scsi-bus.c: the bus between a host adapter and its units: addresses, plugging, -drive if=scsi.
 */
#include <stdio.h>

#include "hw/scsi/internal.h"

static bool bus_check(Bus *bus, Device *dev, Error **errp)
{
    ScsiBus *sb = (ScsiBus *)bus;
    ScsiDevice *sd = (ScsiDevice *)dev;
    const ScsiHba *hba = sb->hba;

    if (sd->channel > hba->max_channel) {
        error_set(errp, "bad scsi channel id: %u", sd->channel);
        return false;
    }
    if (sd->id != UINT32_MAX && sd->id > hba->max_target) {
        error_set(errp, "bad scsi device id: %u", sd->id);
        return false;
    }
    if (sd->lun != UINT32_MAX && sd->lun > hba->max_lun) {
        error_set(errp, "bad scsi device lun: %u", sd->lun);
        return false;
    }
    if (sd->id == UINT32_MAX) {
        uint32_t lun = sd->lun == UINT32_MAX ? 0 : sd->lun, id = 0;
        while (id <= hba->max_target && scsi_bus_find(sb, sd->channel, id, lun, NULL)) {
            id++;
        }
        if (id > hba->max_target) {
            error_set(errp, "no free target");
            return false;
        }
        sd->id = id;
        sd->lun = lun;
    } else if (sd->lun == UINT32_MAX) {
        uint32_t lun = 0;
        while (lun <= hba->max_lun && scsi_bus_find(sb, sd->channel, sd->id, lun, NULL)) {
            lun++;
        }
        if (lun > hba->max_lun) {
            error_set(errp, "no free lun");
            return false;
        }
        sd->lun = lun;
    } else if (scsi_bus_find(sb, sd->channel, sd->id, sd->lun, NULL)) {
        error_set(errp, "lun already used by '%s'", scsi_bus_find(sb, sd->channel, sd->id, sd->lun, NULL)->dev.id ?
                  scsi_bus_find(sb, sd->channel, sd->id, sd->lun, NULL)->dev.id : "");
        return false;
    }
    return true;
}

static char *fw_path(Device *dev)
{
    ScsiDevice *sd = (ScsiDevice *)dev;
    return xasprintf("channel@%x/disk@%x,%x", sd->channel, sd->id, sd->lun);
}

static const BusType scsi_bus_type = {
    .type = { .name = "SCSI", .parent = "bus", .size_bytes = sizeof(ScsiBus), .summary = "disks and CD-ROMs of a SCSI adapter" },
    .kind = "SCSI", .check = bus_check, .fw_path = fw_path,
};
OBJECT_TYPE_REGISTER(scsi_bus_type);

void scsi_bus_init(ScsiBus *bus, Device *parent, const char *name, const ScsiHba *hba)
{
    bus_init_embedded(&bus->bus, "SCSI", parent, name);
    bus->hba = hba;
    bus->bus.hotplug = hba->plugged != NULL;
}

ScsiDevice *scsi_bus_find(ScsiBus *bus, uint32_t channel, uint32_t id, uint32_t lun, bool *ret_target_exists)
{
    ScsiDevice *hit = NULL;
    bool exists = false;

    for (Device *dev = bus->bus.first; dev; dev = dev->bus_next) {
        ScsiDevice *sd = (ScsiDevice *)dev;
        if (sd->channel == channel && sd->id == id && (dev->realized || !ret_target_exists)) {
            exists = true;
            hit = sd->lun == lun ? sd : hit;
        }
    }
    if (ret_target_exists) {
        *ret_target_exists = exists;
    }
    return hit;
}

uint32_t scsi_bus_list_luns(ScsiBus *bus, uint32_t channel, uint32_t id, uint8_t *buf, uint32_t room)
{
    uint32_t n = 0;
    bool has_zero = false;

    for (Device *dev = bus->bus.first; dev; dev = dev->bus_next) {
        ScsiDevice *sd = (ScsiDevice *)dev;
        has_zero |= sd->channel == channel && sd->id == id && sd->lun == 0;
    }
    /* LUN 0 always answers. */
    if (!has_zero && n + 8 <= room) {
        memset(buf, 0, 8);
        n += 8;
    }
    for (Device *dev = bus->bus.first; dev; dev = dev->bus_next) {
        ScsiDevice *sd = (ScsiDevice *)dev;
        if (sd->channel == channel && sd->id == id && n + 8 <= room) {
            memset(buf + n, 0, 8);
            if (sd->lun < 256) {
                buf[n + 1] = (uint8_t)sd->lun;
            } else {
                stbe16(buf + n, (uint16_t)(0x4000 | sd->lun)); /* flat space */
            }
            n += 8;
        }
    }
    return n;
}

typedef struct AddDrives {
    ScsiBus *bus;
    unsigned number;
    Error *err;
} AddDrives;

static void add_drive(BlockBackend *blk, void *opaque)
{
    AddDrives *a = opaque;
    char id[16];

    if (a->err || drive_bus(blk) != a->number) {
        return;
    }
    snprintf(id, sizeof(id), "%u", drive_unit(blk));
    const char *const props[] = { "drive", block_id(blk), "scsi-id", id, NULL };
    device_create(drive_is_cdrom(blk) ? "scsi-cd" : "scsi-hd", &a->bus->bus, props, &a->err);
}

bool scsi_bus_add_drives(ScsiBus *bus, unsigned number, Error **errp)
{
    AddDrives a = { .bus = bus, .number = number };

    drive_foreach("scsi", add_drive, &a);
    if (a.err) {
        error_propagate(errp, a.err);
        return false;
    }
    return true;
}
