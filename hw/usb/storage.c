/*
 * storage.c: usb-storage: a SCSI disk behind the bulk-only transport.
 *
 * A command is a command block wrapper (OUT), data one way or none, and a status wrapper (IN). The unit hands over or wants data a part at a
 * time; a packet of the guest's takes or gives what fits, and whichever of the two is used up waits for its next.
 *
 * Specification: USB Mass Storage Class, Bulk-Only Transport 1.0: 3 (requests), 5 (wrappers), 6.6 and 6.7 (errors, the thirteen cases).
 */
#include <stdio.h>

#include "hw/block-conf.h"
#include "hw/scsi.h"
#include "hw/usb.h"
#include "util/bits.h"
#include "util/log.h"
#include "util/trace.h"

enum { EP_IN = 0x81, EP_OUT = 0x02, CBW_BYTES = 31, CSW_BYTES = 13, CBW_SIGNATURE = 0x43425355, CSW_SIGNATURE = 0x53425355 };
enum { CSW_GOOD = 0, CSW_FAILED = 1, CSW_PHASE_ERROR = 2, GET_MAX_LUN = 0xfe, RESET = 0xff };

typedef enum Phase {
    PHASE_COMMAND,
    PHASE_DATA,     /* the host still expects data_left bytes to move */
    PHASE_STATUS,
    PHASE_BROKEN,   /* no valid wrapper: everything stalls until a reset (6.6.1) */
} Phase;

typedef struct UsbStorage {
    UsbDevice usb;
    BlockConf conf;
    bool removable;
    ScsiUnit unit;
    ScsiRequest req;
    UsbPacket *packet;        /* in flight: of the data or of the status phase */
    uint8_t *part;            /* the unit's, while it waits for scsi_continue() */
    uint32_t part_left;
    bool busy, moving;        /* busy: the unit has a command */
    /* State. */
    uint8_t phase, to_host, status;
    uint32_t tag, data_left, residue;
} UsbStorage;

/* -- descriptors -------------------------------------------------------------------------------------------------------------- */

#define ENDPOINTS(name, bytes, burst)                                                                \
    static const UsbEndpointDesc name##_eps[] = {                                                     \
        { .address = EP_IN, .type = USB_EP_BULK, .max_packet = bytes, .max_burst = burst },            \
        { .address = EP_OUT, .type = USB_EP_BULK, .max_packet = bytes, .max_burst = burst },           \
    };                                                                                               \
    static const UsbInterfaceDesc name##_if = {                                                       \
        .class_code = 8, .subclass = 6, .protocol = 0x50, .endpoints = name##_eps, .n_endpoints = 2,   \
    };                                                                                               \
    static const UsbConfigDesc name##_config = {                                                      \
        .value = 1, .attributes = USB_CONFIG_ALWAYS | USB_CONFIG_SELF_POWERED, .interfaces = &name##_if, .n_interfaces = 1, \
    }
ENDPOINTS(full, 64, 0);
ENDPOINTS(high, 512, 0);
ENDPOINTS(super, 1024, 15);
static const UsbSpeedDesc full_speed = { .usb_version = 0x0200, .max_packet0 = 8, .configs = &full_config, .n_configs = 1 };
static const UsbSpeedDesc high_speed = { .usb_version = 0x0200, .max_packet0 = 64, .configs = &high_config, .n_configs = 1 };
static const UsbSpeedDesc super_speed = { .usb_version = 0x0300, .max_packet0 = 512, .configs = &super_config, .n_configs = 1 };
static const char *const strings[] = { NULL, "QEMU", "QEMU USB HARDDRIVE", "1" };
static const UsbDesc storage_desc = {
    .vendor = 0x46f4, .product = 0x0001, .version = 0, .manufacturer_string = 1, .product_string = 2, .serial_string = 3,
    .strings = strings, .n_strings = ARRAY_SIZE(strings),
    .speeds = { [USB_SPEED_FULL] = &full_speed, [USB_SPEED_HIGH] = &high_speed, [USB_SPEED_SUPER] = &super_speed },
};

/* -- data ----------------------------------------------------------------------------------------------------------------------- */

static void end_packet(UsbStorage *s, UsbStatus status)
{
    UsbPacket *p = s->packet;

    s->packet = NULL;
    usb_complete(p, status);
}

static UsbStatus status_phase(UsbStorage *s, UsbPacket *p);

/* Moves what can be moved between the packet that waits and the part that waits. */
static void move(UsbStorage *s)
{
    if (s->moving) {
        return; /* the unit answers from within scsi_continue(): the loop below goes on */
    }
    s->moving = true;
    for (;;) {
        if (s->part && s->part_left && s->packet && s->phase == PHASE_DATA) {
            uint32_t n = (uint32_t)usb_copy(s->packet, s->part, MIN(s->part_left, s->data_left));
            s->part += n;
            s->part_left -= n;
            s->data_left -= n;
            s->residue -= n;
            if (s->packet->dma_failed || s->packet->done == s->packet->bytes || !s->data_left) {
                s->phase = s->data_left ? PHASE_DATA : PHASE_STATUS;
                end_packet(s, USB_OK); /* the controller may have come with the next one when this returns */
            }
            continue;
        }
        if (s->part && s->part_left && s->phase != PHASE_DATA) {
            /* More than the host said it would take (case 7); what it would have to give more was refused before. */
            s->status = CSW_PHASE_ERROR;
            s->part_left = 0;
        }
        if (!s->part || s->part_left) {
            break;
        }
        s->part = NULL;
        scsi_continue(&s->req);
    }
    s->moving = false;
}

static void unit_data(ScsiRequest *req, uint8_t *buf, uint32_t len)
{
    UsbStorage *s = req->opaque;

    s->part = buf;
    s->part_left = len;
    move(s);
}

/* The unit has nothing more to say: packets that wait get their answers. */
static void unit_complete(ScsiRequest *req)
{
    UsbStorage *s = req->opaque;

    s->busy = false;
    s->part = NULL;
    if (s->status == CSW_GOOD && req->status != SCSI_GOOD) {
        s->status = CSW_FAILED;
    }
    if (!s->packet) {
        return;
    }
    if (s->phase == PHASE_DATA) {
        bool to_host = s->to_host;
        s->phase = PHASE_STATUS;
        end_packet(s, to_host ? USB_OK : USB_STALL); /* short, or not wanted (cases 4, 5, 9, 11) */
    } else {
        end_packet(s, status_phase(s, s->packet));
    }
}

static const ScsiRequestOps unit_ops = { .data = unit_data, .complete = unit_complete };

/* -- phases ---------------------------------------------------------------------------------------------------------------------- */

static UsbStatus bad_wrapper(UsbStorage *s, const char *why)
{
    log_guest_error("usb-storage: command wrapper %s\n", why);
    s->phase = PHASE_BROKEN;
    return USB_STALL;
}

static UsbStatus command_phase(UsbStorage *s, UsbPacket *p)
{
    uint8_t cbw[CBW_BYTES];

    if (p->bytes != CBW_BYTES || usb_copy(p, cbw, CBW_BYTES) != CBW_BYTES) {
        return bad_wrapper(s, "is not of 31 bytes");
    }
    if (ldle32(cbw) != CBW_SIGNATURE || cbw[13] || !cbw[14] || cbw[14] > SCSI_CDB_BYTES) {
        return bad_wrapper(s, "makes no sense");
    }
    s->tag = ldle32(cbw + 4);
    s->data_left = s->residue = ldle32(cbw + 8);
    s->to_host = cbw[12] >> 7;
    s->status = CSW_GOOD;
    s->phase = s->data_left ? PHASE_DATA : PHASE_STATUS;
    s->req = (ScsiRequest){ .ops = &unit_ops, .opaque = s };
    memcpy(s->req.cdb, cbw + 15, cbw[14]);
    scsi_parse(&s->unit, &s->req);
    TRACE("usb_storage_command", "opcode %02x %s, %u bytes of %llu", cbw[15], s->to_host ? "in" : "out", s->data_left,
          (unsigned long long)s->req.xfer_bytes);
    if (s->req.xfer_bytes && (s->req.to_device ? s->to_host || s->req.xfer_bytes > s->data_left : !s->to_host)) {
        /* The other way, or more than the host has (cases 2, 3, 8, 10, 13). */
        log_guest_error("usb-storage: command %02x does not move %u bytes %s\n", s->req.cdb[0], s->data_left, s->to_host ? "in" : "out");
        s->status = CSW_PHASE_ERROR;
        return USB_OK;
    }
    s->busy = true;
    scsi_start(&s->unit, &s->req);
    return USB_OK;
}

static UsbStatus wait_for_unit(UsbStorage *s, UsbPacket *p)
{
    if (s->packet) { /* controllers have one packet of an endpoint at a time: it is of the other endpoint */
        return USB_STALL;
    }
    s->packet = p;
    return USB_ASYNC;
}

static UsbStatus data_phase(UsbStorage *s, UsbPacket *p)
{
    if (!s->busy) {
        s->phase = PHASE_STATUS;
        return s->to_host ? USB_OK : USB_STALL;
    }
    UsbStatus status = wait_for_unit(s, p);
    if (status == USB_ASYNC) {
        move(s);
    }
    return status;
}

static UsbStatus status_phase(UsbStorage *s, UsbPacket *p)
{
    uint8_t csw[CSW_BYTES];

    stle32(csw, CSW_SIGNATURE);
    stle32(csw + 4, s->tag);
    stle32(csw + 8, s->residue);
    csw[12] = s->status;
    s->phase = PHASE_COMMAND;
    TRACE("usb_storage_status", "%u, residue %u", s->status, s->residue);
    usb_copy(p, csw, CSW_BYTES);
    return p->bytes < CSW_BYTES ? USB_BABBLE : USB_OK;
}

static UsbStatus storage_data(UsbDevice *dev, UsbPacket *p)
{
    UsbStorage *s = (UsbStorage *)dev;
    bool in = p->endpoint & 0x80;

    switch (s->phase) {
    case PHASE_COMMAND:
        return in ? USB_STALL : command_phase(s, p);
    case PHASE_DATA:
        if (in != (bool)s->to_host) {
            return USB_STALL;
        }
        return data_phase(s, p);
    case PHASE_STATUS:
        if (!in) {
            return USB_STALL;
        }
        return s->busy ? wait_for_unit(s, p) : status_phase(s, p);
    default:
        return USB_STALL;
    }
}

static void storage_cancel(UsbDevice *dev, UsbPacket *p)
{
    UsbStorage *s = (UsbStorage *)dev;

    if (s->packet == p) {
        s->packet = NULL;
    }
}

/* -- requests (3) ------------------------------------------------------------------------------------------------------------------ */

/* The unit's command is given up; the medium's part of it has ended. */
static void drop_command(UsbStorage *s)
{
    if (s->busy) {
        block_drain(s->conf.blk);
    }
    if (s->busy) { /* it waits for data */
        scsi_abort(&s->req);
        s->busy = false;
        s->part = NULL;
    }
    s->phase = PHASE_COMMAND;
    if (s->packet) {
        end_packet(s, USB_STALL);
    }
}

static UsbStatus storage_control(UsbDevice *dev, const UsbSetup *setup, uint8_t *data, uint32_t *ret_bytes)
{
    UsbStorage *s = (UsbStorage *)dev;

    switch (setup->type << 8 | setup->request) {
    case (USB_REQ_IN | USB_REQ_CLASS | USB_REQ_INTERFACE) << 8 | GET_MAX_LUN:
        data[0] = 0;
        *ret_bytes = 1;
        return USB_OK;
    case (USB_REQ_CLASS | USB_REQ_INTERFACE) << 8 | RESET:
        drop_command(s);
        return USB_OK;
    default:
        return USB_STALL;
    }
}

/* -- life ---------------------------------------------------------------------------------------------------------------------------- */

static void storage_reset(UsbDevice *dev)
{
    UsbStorage *s = (UsbStorage *)dev;

    drop_command(s);
    scsi_unit_reset(&s->unit);
}

static bool storage_realize(UsbDevice *dev, Error **errp)
{
    UsbStorage *s = (UsbStorage *)dev;
    ScsiUnit *unit = &s->unit;

    if (!s->conf.blk) {
        error_set(errp, "drive property not set");
        return false;
    }
    s->conf.serial = dev->serial ? xstrdup(dev->serial) : NULL;
    if (!block_conf_attach(&s->conf, &dev->dev, false, s->removable, 512, errp)) {
        return false;
    }
    /* Firmware asks for the geometry page and gives up on a disk that has none. */
    if (!block_conf_geometry(&s->conf, 65535, 255, 255, errp)) {
        block_conf_detach(&s->conf);
        free(s->conf.serial);
        s->conf.serial = NULL;
        return false;
    }
    unit->removable = s->removable;
    scsi_unit_init(unit, &dev->dev, &s->conf, false);
    unit->scsi_version = 5;
    unit->max_io_bytes = INT32_MAX;
    unit->max_unmap_bytes = 1 << 30;
    unit->serial = block_conf_serial(&s->conf);
    snprintf(unit->vendor, sizeof(unit->vendor), "QEMU");
    snprintf(unit->product, sizeof(unit->product), "QEMU HARDDISK");
    snprintf(unit->revision, sizeof(unit->revision), "2.5+");
    return true;
}

static void storage_unrealize(UsbDevice *dev)
{
    UsbStorage *s = (UsbStorage *)dev;

    scsi_unit_finish(&s->unit);
    block_conf_detach(&s->conf);
    free(s->conf.serial);
    s->conf.serial = NULL;
}

static char *fw_path(Device *dev)
{
    char *place = usb_fw_path(dev), *path = xasprintf("%s/channel@0/disk@0,0", place);

    free(place);
    return path;
}

static void pre_save(void *opaque)
{
    UsbStorage *s = opaque;

    block_drain(s->conf.blk);
}

static bool post_load(void *opaque, uint32_t version, Error **errp)
{
    UsbStorage *s = opaque;

    if (s->phase > PHASE_BROKEN || s->residue < s->data_left) {
        error_set(errp, "usb-storage: phase %u, %u of %u bytes", s->phase, s->data_left, s->residue);
        return false;
    }
    s->busy = false;
    s->part = NULL;
    if (s->phase == PHASE_DATA) {
        s->status = CSW_PHASE_ERROR; /* the command is not saved: the guest resets the device and asks again (6.6.2) */
    }
    return true;
}

static const StateField fields[] = {
    { .name = "usb", .kind = STATE_STRUCT, .offset = 0, .elem_size = sizeof(UsbDevice), .sub = &usb_device_state },
    { .name = "unit", .kind = STATE_STRUCT, .offset = offsetof(UsbStorage, unit), .elem_size = sizeof(ScsiUnit), .sub = &scsi_unit_state },
    STATE_U(UsbStorage, phase), STATE_U(UsbStorage, to_host), STATE_U(UsbStorage, status), STATE_U(UsbStorage, tag),
    STATE_U(UsbStorage, data_left), STATE_U(UsbStorage, residue),
};
static const StateDesc state = {
    .name = "usb-storage", .version = 1, .fields = fields, .n_fields = ARRAY_SIZE(fields), .pre_save = pre_save, .post_load = post_load,
};

static const UsbDeviceType storage_class = {
    .product = "QEMU USB MSD", .fw_name = "storage", .desc = &storage_desc, .realize = storage_realize, .unrealize = storage_unrealize,
    .reset = storage_reset, .control = storage_control, .data = storage_data, .cancel = storage_cancel,
};

static const Property props[] = {
    BLOCK_CONF_PROPS(UsbStorage, conf), PROP_B("removable", UsbStorage, removable, false, "The medium can be changed"),
};

static const DeviceType storage_type = {
    .type = { .name = "usb-storage", .parent = "usb-device", .size_bytes = sizeof(UsbStorage), .summary = "USB disk (bulk-only transport)",
              .props = props, .n_props = ARRAY_SIZE(props), .class_data = &storage_class },
    .category = DEVICE_STORAGE, .state = &state, .bus = "usb-bus", .realize = usb_device_realize, .unrealize = usb_device_unrealize,
    .reset_hold = usb_device_reset, .fw_path = fw_path, .hotpluggable = true, .user_creatable = true,
};
DEVICE_TYPE_REGISTER(storage_type);
