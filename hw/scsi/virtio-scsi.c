/*
 * virtio-scsi.c: a SCSI host adapter: request queues, task management, events for units that come and go.
 *
 * Specification: VIRTIO 1.2, 5.6. Leaves out: protection information, asynchronous notifications of media.
 */
#include "block/block.h"
#include "hw/scsi/internal.h"
#include "hw/virtio-types.h"
#include "util/log.h"

enum { F_INOUT = 0, F_HOTPLUG = 1, F_CHANGE = 2 };
enum { CONFIG_BYTES = 36, HEAD_BYTES = 19, RESP_BYTES = 12, SENSE_DEFAULT = 96, CDB_DEFAULT = 32, FIELD_MAX = 256,
       EVENT_BYTES = 16, MAX_TARGET = 255, MAX_LUN = 16383 };
enum { S_OK = 0, S_OVERRUN = 1, S_ABORTED = 2, S_BAD_TARGET = 3, S_RESET = 4, S_BUSY = 5, S_FAILURE = 9,
       S_FUNCTION_SUCCEEDED = 10, S_FUNCTION_REJECTED = 11, S_INCORRECT_LUN = 12 };
enum { T_TMF = 0, T_AN_QUERY = 1, T_AN_SUBSCRIBE = 2 };
enum { TMF_ABORT_TASK = 0, TMF_ABORT_TASK_SET = 1, TMF_CLEAR_ACA = 2, TMF_CLEAR_TASK_SET = 3, TMF_NEXUS_RESET = 4,
       TMF_LUN_RESET = 5, TMF_QUERY_TASK = 6, TMF_QUERY_TASK_SET = 7 };
enum { EVENT_NONE = 0, EVENT_TRANSPORT_RESET = 1, EVENT_PARAM_CHANGE = 3, RESET_RESCAN = 1, RESET_REMOVED = 2 };
#define EVENT_MISSED UINT32_C(0x80000000)

typedef struct VirtioScsiRequest {
    struct VirtioScsiRequest *next, **prev;
    VirtioScsi *s;
    VirtElem *elem;
    ScsiRequest req;
    ScsiDevice *sd;         /* NULL: no such unit */
    struct iovec *data;
    uint64_t tag;
    bool abandoned;         /* the device was reset meanwhile */
    uint32_t target;
} VirtioScsiRequest;

/* 5.6.6.1: 1, target, LUN in single-level format; or the well-known unit for REPORT LUNS. */
static bool parse_lun(const uint8_t lun[8], uint32_t *ret_target, uint32_t *ret_lun)
{
    if (lun[0] == 0xc1 && lun[1] == 1) {
        *ret_target = 0;
        *ret_lun = 0;
        return true;
    }
    *ret_target = lun[1];
    *ret_lun = ldbe16(lun + 2) & 0x3fff;
    return lun[0] == 1;
}

static void unlink_request(VirtioScsiRequest *r)
{
    *r->prev = r->next;
    if (r->next) {
        r->next->prev = r->prev;
    }
}

static void finish(VirtioScsiRequest *r, uint8_t response)
{
    VirtElem *elem = r->elem;
    VirtQueue *vq = elem->vq;
    uint8_t resp[RESP_BYTES + FIELD_MAX] = { 0 };
    uint32_t sense = response == S_OK ? MIN(r->req.sense_bytes, r->s->sense_size) : 0;
    uint64_t moved = response == S_OK ? r->req.done_bytes : 0, have = r->req.iov_bytes;

    stle32(resp, sense);
    stle32(resp + 4, (uint32_t)MIN(have - MIN(moved, have), UINT32_MAX));
    resp[10] = response == S_OK ? r->req.status : 0;
    resp[11] = response;
    memcpy(resp + RESP_BYTES, r->req.sense, MIN(sense, (uint32_t)SCSI_SENSE_BYTES));
    iov_from_buf(elem->in, elem->n_in, 0, resp, RESP_BYTES + r->s->sense_size);
    virtq_push(vq, elem, (uint32_t)(RESP_BYTES + r->s->sense_size + (r->req.to_device ? 0 : moved)));
    virtq_notify(vq);
}

static void request_complete(ScsiRequest *req)
{
    VirtioScsiRequest *r = req->opaque;

    unlink_request(r);
    if (r->abandoned) {
        virtq_detach(r->elem->vq, r->elem);
    } else {
        finish(r, S_OK);
    }
    free(r->data);
    free(r);
}

static const ScsiRequestOps request_ops = { .complete = request_complete };

static uint32_t target_luns(void *opaque, uint8_t *buf, uint32_t room)
{
    VirtioScsiRequest *r = opaque;
    return scsi_bus_list_luns(&r->s->bus, 0, r->target, buf, room);
}

/* Lengths are checked. False: nothing was started and `response` says why. */
static bool start(VirtioScsiRequest *r, const uint8_t *head, size_t out_bytes, size_t in_bytes, uint8_t *ret_response)
{
    VirtioScsi *s = r->s;
    VirtElem *elem = r->elem;
    uint32_t lun;
    bool target_exists = false;

    r->tag = ldle64(head + 8);
    memcpy(r->req.cdb, head + HEAD_BYTES, MIN(s->cdb_size, (uint32_t)SCSI_CDB_BYTES));
    *ret_response = S_BAD_TARGET;
    if (parse_lun(head, &r->target, &lun)) {
        r->sd = scsi_bus_find(&s->bus, 0, r->target, lun, &target_exists);
    }
    if (!r->sd && !target_exists) {
        return false;
    }
    if (r->sd) {
        scsi_parse(&r->sd->unit, &r->req);
    } else {
        r->req.xfer_bytes = in_bytes;
    }
    *ret_response = S_OVERRUN;
    if (r->req.xfer_bytes > (r->req.to_device ? out_bytes : in_bytes)) {
        return false;
    }
    r->req.ops = &request_ops;
    r->req.opaque = r;
    /* The command's own view of the data; elem->in stays whole for the response. */
    unsigned n = r->req.to_device ? elem->n_out : elem->n_in;
    r->data = xnew_array(struct iovec, n + 1);
    memcpy(r->data, r->req.to_device ? elem->out : elem->in, n * sizeof(*r->data));
    struct iovec *at = r->data;
    if (!r->req.to_device) {
        iov_discard_front(&at, &n, RESP_BYTES + s->sense_size);
    }
    r->req.iov = at;
    r->req.n_iov = n;
    r->req.iov_bytes = r->req.to_device ? out_bytes : in_bytes;
    if (r->sd) {
        scsi_start(&r->sd->unit, &r->req);
    } else {
        scsi_start_absent(&r->req, target_luns, r);
    }
    return true;
}

static void handle_request(VirtioDevice *vdev, VirtQueue *vq)
{
    VirtioScsi *s = (VirtioScsi *)vdev;
    VirtElem *elem;

    while ((elem = virtq_pop(vq))) {
        uint8_t head[HEAD_BYTES + FIELD_MAX] = { 0 }, response;
        size_t head_bytes = HEAD_BYTES + s->cdb_size, resp_bytes = RESP_BYTES + s->sense_size;
        if (elem->out_bytes < head_bytes || elem->in_bytes < resp_bytes) {
            virtio_fail(vdev, "request without header or response");
            virtq_detach(vq, elem);
            return;
        }
        iov_to_buf(elem->out, elem->n_out, 0, head, head_bytes);
        iov_discard_front(&elem->out, &elem->n_out, head_bytes);
        VirtioScsiRequest *r = xnew(VirtioScsiRequest);
        r->s = s;
        r->elem = elem;
        r->next = s->requests;
        r->prev = &s->requests;
        if (r->next) {
            r->next->prev = &r->next;
        }
        s->requests = r;
        if (!start(r, head, elem->out_bytes - head_bytes, elem->in_bytes - resp_bytes, &response)) {
            unlink_request(r);
            finish(r, response);
            free(r);
        }
    }
}

/* -- task management ------------------------------------------------------------------------------------------------------ */

static void drain_unit(ScsiDevice *sd)
{
    block_drain(sd->conf.blk);
}

/* Aborting waits for what is under way: it is over when the answer is given, which is all the guest may rely on. */
static uint8_t task_management(VirtioScsi *s, uint32_t kind, const uint8_t lun_field[8], uint64_t tag)
{
    uint32_t target, lun;
    bool exists = false;
    ScsiDevice *sd = parse_lun(lun_field, &target, &lun) ? scsi_bus_find(&s->bus, 0, target, lun, &exists) : NULL;
    uint8_t found = S_OK;

    if (kind == TMF_NEXUS_RESET) {
        for (Device *dev = s->bus.bus.first; dev; dev = dev->bus_next) {
            if (((ScsiDevice *)dev)->id == target) {
                device_reset(dev, RESET_GUEST);
            }
        }
        return S_OK;
    }
    if (!sd) {
        return exists ? S_INCORRECT_LUN : S_BAD_TARGET;
    }
    switch (kind) {
    case TMF_ABORT_TASK: case TMF_ABORT_TASK_SET: case TMF_CLEAR_TASK_SET:
        drain_unit(sd);
        return S_OK;
    case TMF_LUN_RESET:
        device_reset(&sd->dev, RESET_GUEST);
        return S_OK;
    case TMF_QUERY_TASK: case TMF_QUERY_TASK_SET:
        for (VirtioScsiRequest *r = s->requests; r; r = r->next) {
            if (r->sd == sd && (kind == TMF_QUERY_TASK_SET || r->tag == tag)) {
                found = S_FUNCTION_SUCCEEDED;
            }
        }
        return found;
    default:
        return S_FUNCTION_REJECTED;
    }
}

static void handle_ctrl(VirtioDevice *vdev, VirtQueue *vq)
{
    VirtioScsi *s = (VirtioScsi *)vdev;
    VirtElem *elem;

    while ((elem = virtq_pop(vq))) {
        uint8_t in[24] = { 0 }, out[5] = { 0 };
        size_t got = iov_to_buf(elem->out, elem->n_out, 0, in, sizeof(in));
        uint32_t type = ldle32(in);
        size_t want = type == T_TMF ? 24 : 16, answer = type == T_TMF ? 1 : 5;
        if (got < want || elem->in_bytes < answer) {
            virtio_fail(vdev, "control request cut short");
            virtq_detach(vq, elem);
            return;
        }
        switch (type) {
        case T_TMF: out[0] = task_management(s, ldle32(in + 4), in + 8, ldle64(in + 16)); break;
        case T_AN_QUERY: case T_AN_SUBSCRIBE: out[4] = S_OK; break; /* no event can be had */
        default: out[4] = S_FUNCTION_REJECTED; break;
        }
        if (!virtio_driver_ok(vdev)) { /* the reset went further than the unit */
            virtq_detach(vq, elem);
            return;
        }
        iov_from_buf(elem->in, elem->n_in, 0, out, answer);
        virtq_push(vq, elem, (uint32_t)answer);
        virtq_notify(vq);
    }
}

/* -- events ------------------------------------------------------------------------------------------------------------------ */

static void push_event(VirtioScsi *s, uint32_t event, const ScsiDevice *sd, uint32_t reason)
{
    uint8_t out[EVENT_BYTES] = { 0 };

    if (!virtio_driver_ok(&s->vdev) || !virtq_ready(s->event)) {
        return;
    }
    VirtElem *elem = virtq_pop(s->event);
    if (!elem) {
        s->events_missed = true;
        return;
    }
    if (elem->in_bytes < EVENT_BYTES) {
        virtio_fail(&s->vdev, "event buffer too small");
        virtq_detach(s->event, elem);
        return;
    }
    stle32(out, event | (s->events_missed ? EVENT_MISSED : 0));
    s->events_missed = false;
    if (sd) {
        out[4] = 1;
        out[5] = (uint8_t)sd->id;
        stbe16(out + 6, (uint16_t)(sd->lun | (sd->lun >= 256 ? 0x4000 : 0)));
    }
    stle32(out + 12, reason);
    iov_from_buf(elem->in, elem->n_in, 0, out, sizeof(out));
    virtq_push(s->event, elem, EVENT_BYTES);
    virtq_notify(s->event);
}

static void handle_event(VirtioDevice *vdev, VirtQueue *vq)
{
    VirtioScsi *s = (VirtioScsi *)vdev;

    if (s->events_missed) {
        push_event(s, EVENT_NONE, NULL, 0);
    }
}

static VirtioScsi *adapter(ScsiBus *bus)
{
    return (VirtioScsi *)bus->bus.parent;
}

static void plugged(ScsiBus *bus, ScsiDevice *sd)
{
    if (virtio_has(&adapter(bus)->vdev, F_HOTPLUG)) {
        push_event(adapter(bus), EVENT_TRANSPORT_RESET, sd, RESET_RESCAN);
    }
}

static void unplugged(ScsiBus *bus, ScsiDevice *sd)
{
    if (virtio_has(&adapter(bus)->vdev, F_HOTPLUG)) {
        push_event(adapter(bus), EVENT_TRANSPORT_RESET, sd, RESET_REMOVED);
    }
}

static void changed(ScsiBus *bus, ScsiDevice *sd, ScsiSense why)
{
    if (virtio_has(&adapter(bus)->vdev, F_CHANGE) && !sd->unit.is_cdrom) {
        push_event(adapter(bus), EVENT_PARAM_CHANGE, sd, why.asc | (uint32_t)why.ascq << 8);
    }
}

static const ScsiHba hba = {
    .max_channel = 0, .max_target = MAX_TARGET, .max_lun = MAX_LUN, .plugged = plugged, .unplugged = unplugged, .changed = changed,
};

/* -- the device --------------------------------------------------------------------------------------------------------------- */

static uint64_t scsi_features(VirtioDevice *vdev, uint64_t user)
{
    VirtioScsi *s = (VirtioScsi *)vdev;
    return user | (s->hotplug ? BIT(F_HOTPLUG) : 0) | (s->param_change ? BIT(F_CHANGE) : 0);
}

static void scsi_config_read(VirtioDevice *vdev, uint8_t *c)
{
    VirtioScsi *s = (VirtioScsi *)vdev;

    memset(c, 0, CONFIG_BYTES);
    stle32(c, s->num_queues);
    stle32(c + 4, (s->seg_max_adjust ? s->virtqueue_size : 128) - 2);
    stle32(c + 8, s->max_sectors);
    stle32(c + 12, s->cmd_per_lun);
    stle32(c + 16, EVENT_BYTES);
    stle32(c + 20, s->sense_size);
    stle32(c + 24, s->cdb_size);
    stle16(c + 28, 0);
    stle16(c + 30, MAX_TARGET);
    stle32(c + 32, MAX_LUN);
}

static void scsi_config_write(VirtioDevice *vdev, const uint8_t *c, size_t offset, size_t size)
{
    VirtioScsi *s = (VirtioScsi *)vdev;
    uint32_t sense = ldle32(c + 20), cdb = ldle32(c + 24);

    if (sense > FIELD_MAX || cdb > FIELD_MAX) {
        virtio_fail(vdev, "sense_size or cdb_size too large");
        return;
    }
    s->sense_size = sense;
    s->cdb_size = cdb;
}

static void scsi_reset(VirtioDevice *vdev)
{
    VirtioScsi *s = (VirtioScsi *)vdev;

    for (VirtioScsiRequest *r = s->requests; r; r = r->next) {
        r->abandoned = true;
    }
    for (Device *dev = s->bus.bus.first; dev; dev = dev->bus_next) {
        if (dev->realized) {
            device_reset(dev, RESET_GUEST);
        }
    }
    s->sense_size = SENSE_DEFAULT;
    s->cdb_size = CDB_DEFAULT;
    s->events_missed = false;
}

static bool scsi_realize(VirtioDevice *vdev, Error **errp)
{
    VirtioScsi *s = (VirtioScsi *)vdev;
    Device *outer = vdev->proxy ? vdev->proxy : &vdev->dev;
    char *name = outer->id ? xasprintf("%s.0", outer->id) : NULL;

    s->num_queues = s->num_queues == UINT32_MAX ? 1 : s->num_queues;
    if (!s->num_queues || s->num_queues > VIRTIO_QUEUE_MAX - 2) {
        error_set(errp, "Invalid number of queues (= %u), must be a positive integer less than %d.", s->num_queues,
                  VIRTIO_QUEUE_MAX - 1);
        free(name);
        return false;
    }
    if (s->virtqueue_size < 4 || s->virtqueue_size > VIRTIO_QUEUE_MAX || !bits_is_pow2(s->virtqueue_size)) {
        error_set(errp, "virtqueue_size must be a power of two, 4 to %d", VIRTIO_QUEUE_MAX);
        free(name);
        return false;
    }
    s->sense_size = SENSE_DEFAULT;
    s->cdb_size = CDB_DEFAULT;
    virtio_init(vdev, CONFIG_BYTES);
    s->ctrl = virtio_add_queue(vdev, s->virtqueue_size, handle_ctrl);
    s->event = virtio_add_queue(vdev, s->virtqueue_size, handle_event);
    for (unsigned i = 0; i < s->num_queues; i++) {
        virtio_add_queue(vdev, s->virtqueue_size, handle_request);
    }
    scsi_bus_init(&s->bus, &vdev->dev, name, &hba);
    free(name);
    return true;
}

static void scsi_unrealize(VirtioDevice *vdev)
{
    scsi_reset(vdev);
}

static const VirtioType virtio_scsi = {
    .id = VIRTIO_ID_SCSI, .features = scsi_features, .config_read = scsi_config_read, .config_write = scsi_config_write,
    .reset = scsi_reset, .realize = scsi_realize, .unrealize = scsi_unrealize,
};

static void pre_save(void *opaque)
{
    VirtioScsi *s = opaque;

    for (Device *dev = s->bus.bus.first; dev; dev = dev->bus_next) {
        drain_unit((ScsiDevice *)dev);
    }
}

static bool post_load(void *opaque, uint32_t version, Error **errp)
{
    VirtioScsi *s = opaque;

    if (s->sense_size > FIELD_MAX || s->cdb_size > FIELD_MAX) {
        error_set(errp, "virtio-scsi: sense_size or cdb_size too large");
        return false;
    }
    return true;
}

static const StateField fields[] = {
    { .name = "virtio", .kind = STATE_STRUCT, .offset = offsetof(VirtioScsi, vdev), .elem_size = sizeof(VirtioDevice),
      .sub = &virtio_state },
    STATE_U(VirtioScsi, sense_size), STATE_U(VirtioScsi, cdb_size), STATE_U(VirtioScsi, events_missed),
};
static const StateDesc state = {
    .name = "virtio-scsi", .version = 1, .fields = fields, .n_fields = ARRAY_SIZE(fields), .pre_save = pre_save,
    .post_load = post_load,
};

static const Property props[] = { VIRTIO_SCSI_PROPS(VirtioScsi, ) };

static const DeviceType virtio_scsi_device_type = {
    .type = { .name = "virtio-scsi-device", .parent = "virtio-device", .size_bytes = sizeof(VirtioScsi),
              .summary = "virtio SCSI host adapter", .props = props, .n_props = ARRAY_SIZE(props), .class_data = &virtio_scsi },
    .category = DEVICE_STORAGE, .state = &state, VIRTIO_DEVICE_HOOKS,
};
DEVICE_TYPE_REGISTER(virtio_scsi_device_type);
