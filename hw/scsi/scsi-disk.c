/*
 * scsi-disk.c: scsi-hd and scsi-cd: units on a SCSI bus.
 */
#include <stdio.h>

#include "hw/scsi/internal.h"

static ScsiDevice *device_of(ScsiUnit *unit)
{
    return (ScsiDevice *)unit->dev;
}

static void unit_changed(ScsiUnit *unit, ScsiSense why)
{
    ScsiDevice *sd = device_of(unit);
    ScsiBus *bus = (ScsiBus *)sd->dev.bus;

    if (bus && bus->hba->changed && sd->dev.realized) {
        bus->hba->changed(bus, sd, why);
    }
}

static uint32_t list_luns(ScsiUnit *unit, uint8_t *buf, uint32_t room)
{
    ScsiDevice *sd = device_of(unit);
    return scsi_bus_list_luns((ScsiBus *)sd->dev.bus, sd->channel, sd->id, buf, room);
}

static bool realize(Device *dev, bool is_cdrom, Error **errp)
{
    ScsiDevice *sd = (ScsiDevice *)dev;
    ScsiUnit *unit = &sd->unit;
    ScsiBus *bus = (ScsiBus *)dev->bus;

    if (!block_conf_attach(&sd->conf, dev, false, is_cdrom, is_cdrom ? CD_BLOCK : 512, errp)) {
        return false;
    }
    if (!is_cdrom && !block_conf_geometry(&sd->conf, 65535, 255, 255, errp)) {
        block_conf_detach(&sd->conf);
        return false;
    }
    if (sd->scsi_version < 0 || sd->scsi_version > 7) {
        error_set(errp, "scsi_version must be 0 to 7");
        block_conf_detach(&sd->conf);
        return false;
    }
    unit->removable = is_cdrom || sd->removable;
    scsi_unit_init(unit, dev, &sd->conf, is_cdrom);
    unit->dpofua = sd->dpofua;
    unit->scsi_version = (uint8_t)sd->scsi_version;
    unit->rotation_rate = sd->rotation_rate;
    unit->wwn = sd->wwn;
    unit->port_wwn = sd->port_wwn;
    unit->max_io_bytes = sd->max_io_size;
    unit->max_unmap_bytes = sd->max_unmap_size;
    unit->serial = block_conf_serial(&sd->conf);
    unit->device_id = sd->device_id;
    snprintf(unit->vendor, sizeof(unit->vendor), "%s", sd->vendor ? sd->vendor : "QEMU");
    snprintf(unit->product, sizeof(unit->product), "%s", sd->product ? sd->product : is_cdrom ? "QEMU CD-ROM" : "QEMU HARDDISK");
    snprintf(unit->revision, sizeof(unit->revision), "%s", sd->ver ? sd->ver : "2.5+");
    unit->changed = unit_changed;
    unit->list_luns = list_luns;
    if (dev->hotplugged && bus->hba->plugged) {
        bus->hba->plugged(bus, sd);
    }
    return true;
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
    ScsiDevice *sd = (ScsiDevice *)dev;
    ScsiBus *bus = (ScsiBus *)dev->bus;

    scsi_unit_finish(&sd->unit);
    if (bus->hba->unplugged) {
        bus->hba->unplugged(bus, sd);
    }
    block_conf_detach(&sd->conf);
}

static void reset(Device *dev, ResetKind kind)
{
    scsi_unit_reset(&((ScsiDevice *)dev)->unit);
}

static void pre_save(void *opaque)
{
    ScsiDevice *sd = opaque;
    if (sd->conf.blk) {
        block_drain(sd->conf.blk);
    }
}

static const StateField fields[] = {
    { .name = "unit", .kind = STATE_STRUCT, .offset = offsetof(ScsiDevice, unit), .elem_size = sizeof(ScsiUnit), .sub = &scsi_unit_state },
};
static const StateDesc state = {
    .name = "scsi-disk", .version = 1, .fields = fields, .n_fields = ARRAY_SIZE(fields), .pre_save = pre_save,
};

#define SCSI_DISK_PROPS                                                                                               \
    BLOCK_CONF_PROPS(ScsiDevice, conf), BLOCK_CONF_SERIAL_PROP(ScsiDevice, conf),                                      \
    PROP_U32("channel", ScsiDevice, channel, 0, "Channel"),                                                           \
    PROP_U32("scsi-id", ScsiDevice, id, UINT32_MAX, "Target; default: the first that is free"),                       \
    PROP_U32("lun", ScsiDevice, lun, UINT32_MAX, "Logical unit; default: the first that is free"),                    \
    PROP_STR("vendor", ScsiDevice, vendor, "Vendor in INQUIRY (8 bytes)"),                                            \
    PROP_STR("product", ScsiDevice, product, "Product in INQUIRY (16 bytes)"),                                        \
    PROP_STR("ver", ScsiDevice, ver, "Revision in INQUIRY (4 bytes)"),                                                \
    PROP_STR("device_id", ScsiDevice, device_id, "Identification in VPD page 83h"),                                   \
    PROP_U64("wwn", ScsiDevice, wwn, 0, "World wide name of the unit"),                                               \
    PROP_U64("port_wwn", ScsiDevice, port_wwn, 0, "World wide name of the port"),                                     \
    PROP_U64("max_io_size", ScsiDevice, max_io_size, INT32_MAX, "Largest transfer told to the guest"),                \
    PROP_I32("scsi_version", ScsiDevice, scsi_version, 5, "Version in INQUIRY")

static const Property hd_props[] = {
    SCSI_DISK_PROPS, BLOCK_CONF_CHS_PROPS(ScsiDevice, conf),
    PROP_B("removable", ScsiDevice, removable, false, "The medium can be changed"),
    PROP_B("dpofua", ScsiDevice, dpofua, false, "Say that FUA is understood"),
    PROP_U16("rotation_rate", ScsiDevice, rotation_rate, 0, "1: solid state; else turns a minute"),
    PROP_U64("max_unmap_size", ScsiDevice, max_unmap_size, 1 << 30, "Largest UNMAP told to the guest"),
};
static const Property cd_props[] = { SCSI_DISK_PROPS };

static const DeviceType scsi_hd_type = {
    .type = { .name = "scsi-hd", .parent = "device", .size_bytes = sizeof(ScsiDevice), .summary = "virtual SCSI disk",
              .props = hd_props, .n_props = ARRAY_SIZE(hd_props) },
    .category = DEVICE_STORAGE, .bus = "SCSI", .state = &state, .realize = hd_realize, .unrealize = unrealize, .reset_hold = reset,
    .user_creatable = true, .hotpluggable = true,
};
DEVICE_TYPE_REGISTER(scsi_hd_type);

static const DeviceType scsi_cd_type = {
    .type = { .name = "scsi-cd", .parent = "device", .size_bytes = sizeof(ScsiDevice), .summary = "virtual SCSI CD-ROM",
              .props = cd_props, .n_props = ARRAY_SIZE(cd_props) },
    .category = DEVICE_STORAGE, .bus = "SCSI", .state = &state, .realize = cd_realize, .unrealize = unrealize, .reset_hold = reset,
    .user_creatable = true, .hotpluggable = true,
};
DEVICE_TYPE_REGISTER(scsi_cd_type);
