/*
 * virtio-gpu.c: a paravirtual display, the 2D commands: pictures ("resources") in our memory, filled from guest memory and shown on
 * up to sixteen screens; a cursor; EDID; sizes proposed by the user interface.
 *
 * Leaves out: 3D (VIRGL), blobs, resource UUIDs, contexts; resources in the saved state.
 * Bounds: max_hostmem for all resources together, MAX_ENTRIES pages of backing each, sizes up to 16384.
 * Specification: VIRTIO 1.2, 5.7.
 */
#include "hw/display/dispi.h"
#include "hw/virtio-types.h"
#include "ui/console.h"
#include "util/bits.h"
#include "util/log.h"

enum { F_EDID = 1, EVENT_DISPLAY = 1, CONFIG_BYTES = 16, FLAG_FENCE = 1, MAX_ENTRIES = 16384, MAX_SIDE = 16384, CURSOR_SIDE = 64, MAX_RESOURCES = 16384 };

enum { /* 5.7.6.7 */
    CMD_GET_DISPLAY_INFO = 0x0100, CMD_RESOURCE_CREATE_2D, CMD_RESOURCE_UNREF, CMD_SET_SCANOUT, CMD_RESOURCE_FLUSH, CMD_TRANSFER_TO_HOST_2D,
    CMD_ATTACH_BACKING, CMD_DETACH_BACKING, CMD_GET_CAPSET_INFO, CMD_GET_CAPSET, CMD_GET_EDID,
    CMD_UPDATE_CURSOR = 0x0300, CMD_MOVE_CURSOR,
    RESP_OK = 0x1100, RESP_DISPLAY_INFO = 0x1101, RESP_EDID = 0x1104,
    RESP_ERR_UNSPEC = 0x1200, RESP_ERR_MEMORY, RESP_ERR_SCANOUT, RESP_ERR_RESOURCE, RESP_ERR_CONTEXT, RESP_ERR_PARAMETER,
};
enum { HEADER_BYTES = 24, COMMAND_MAX = 64, RESPONSE_MAX = HEADER_BYTES + 8 + 1024 };

/* Where red, green, blue and alpha are in a pixel read as a little-endian word; alpha 32: none. */
static const struct PixelLayout {
    uint8_t format, red, green, blue, alpha;
} layouts[] = {
    { 1, 16, 8, 0, 24 },   /* B8G8R8A8 */
    { 2, 16, 8, 0, 32 },   /* B8G8R8X8 */
    { 3, 8, 16, 24, 0 },   /* A8R8G8B8 */
    { 4, 8, 16, 24, 32 },  /* X8R8G8B8 */
    { 67, 0, 8, 16, 24 },  /* R8G8B8A8 */
    { 68, 24, 16, 8, 32 }, /* X8B8G8R8 */
    { 121, 24, 16, 8, 0 }, /* A8B8G8R8 */
    { 134, 0, 8, 16, 32 }, /* R8G8B8X8 */
};

typedef struct Backing {
    gpa addr;
    uint32_t len;
    uint64_t at; /* of the first byte in the resource */
} Backing;

typedef struct GpuResource {
    uint32_t id, width, height;
    const struct PixelLayout *layout;
    uint32_t *pixels; /* ARGB, rows without gaps */
    Backing *backing;
    uint32_t n_backing;
    uint64_t backing_bytes;
    struct GpuResource *next;
} GpuResource;

typedef struct Rect {
    uint32_t x, y, width, height;
} Rect;

static Rect load_rect(const uint8_t *p)
{
    return (Rect){ ldle32(p), ldle32(p + 4), ldle32(p + 8), ldle32(p + 12) };
}

static bool rect_inside(const Rect *r, uint32_t width, uint32_t height)
{
    return r->x <= width && r->width <= width - r->x && r->y <= height && r->height <= height - r->y;
}

/* ---- resources ---- */

static GpuResource *find_resource(VirtioGpu *s, uint32_t id)
{
    GpuResource *r = s->resources;

    while (r && r->id != id) {
        r = r->next;
    }
    return r;
}

static uint64_t resource_bytes(uint32_t width, uint32_t height)
{
    return (uint64_t)width * height * 4;
}

static uint32_t create_2d(VirtioGpu *s, const uint8_t *p)
{
    uint32_t id = ldle32(p), format = ldle32(p + 4), width = ldle32(p + 8), height = ldle32(p + 12);
    const struct PixelLayout *layout = NULL;

    for (size_t i = 0; i < ARRAY_SIZE(layouts); i++) {
        layout = layouts[i].format == format ? &layouts[i] : layout;
    }
    if (!id || find_resource(s, id)) {
        return RESP_ERR_RESOURCE;
    }
    if (!layout || !width || !height || width > MAX_SIDE || height > MAX_SIDE) {
        return RESP_ERR_PARAMETER;
    }
    if (s->used_bytes + resource_bytes(width, height) > s->max_hostmem || s->n_resources == MAX_RESOURCES) {
        log_guest_error("virtio-gpu: no memory for a resource of %ux%u\n", width, height);
        return RESP_ERR_MEMORY;
    }
    GpuResource *r = xnew(GpuResource);
    *r = (GpuResource){ .id = id, .width = width, .height = height, .layout = layout, .next = s->resources };
    r->pixels = xcalloc((size_t)width * height, 4);
    s->used_bytes += resource_bytes(width, height);
    s->n_resources++;
    s->resources = r;
    return RESP_OK;
}

static void detach(GpuResource *r)
{
    free(r->backing);
    r->backing = NULL;
    r->n_backing = 0;
    r->backing_bytes = 0;
}

static void scanout_off(VirtioGpu *s, unsigned i)
{
    s->scanouts[i].resource = NULL;
    console_set_surface(s->scanouts[i].con, NULL);
}

static void free_resource(VirtioGpu *s, GpuResource *r)
{
    for (unsigned i = 0; i < s->max_outputs; i++) {
        if (s->scanouts[i].resource == r) {
            scanout_off(s, i);
        }
    }
    for (GpuResource **at = &s->resources; *at; at = &(*at)->next) {
        if (*at == r) {
            *at = r->next;
            break;
        }
    }
    s->used_bytes -= resource_bytes(r->width, r->height);
    s->n_resources--;
    detach(r);
    free(r->pixels);
    free(r);
}

/* The list of pages follows the command in the same buffer. */
static uint32_t attach_backing(VirtioGpu *s, const VirtElem *elem, const uint8_t *p)
{
    GpuResource *r = find_resource(s, ldle32(p));
    uint32_t n = ldle32(p + 4);
    uint64_t at = 0;

    if (!r) {
        return RESP_ERR_RESOURCE;
    }
    if (r->backing || !n || n > MAX_ENTRIES) {
        return RESP_ERR_PARAMETER;
    }
    size_t bytes = (size_t)n * 16;
    uint8_t *list = xmalloc(bytes);
    if (iov_to_buf(elem->out, elem->n_out, HEADER_BYTES + 8, list, bytes) != bytes) {
        free(list);
        return RESP_ERR_PARAMETER;
    }
    r->backing = xnew_array(Backing, n);
    r->n_backing = n;
    for (uint32_t i = 0; i < n; i++) {
        r->backing[i] = (Backing){ ldle64(list + i * 16), ldle32(list + i * 16 + 8), at };
        at += r->backing[i].len;
    }
    r->backing_bytes = at;
    free(list);
    return RESP_OK;
}

/* Reads `len` bytes at an offset of the backing; what is not there reads as zeros. */
static void read_backing(VirtioGpu *s, const GpuResource *r, uint64_t offset, uint8_t *to, size_t len)
{
    uint32_t low = 0, high = r->n_backing;

    while (low + 1 < high) { /* the last entry that starts at or before the offset */
        uint32_t mid = low + (high - low) / 2;
        if (r->backing[mid].at <= offset) {
            low = mid;
        } else {
            high = mid;
        }
    }
    while (len && low < r->n_backing) {
        const Backing *b = &r->backing[low++];
        uint64_t skip = offset - b->at;
        if (skip >= b->len) {
            continue;
        }
        size_t n = MIN(len, b->len - skip);
        if (memory_read(s->vdev.dma, b->addr + skip, to, n, MEM_ATTRS_NONE)) {
            memset(to, 0, n);
        }
        to += n;
        offset += n;
        len -= n;
    }
    memset(to, 0, len);
}

static void convert_row(const struct PixelLayout *l, const uint8_t *from, uint32_t *to, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t v = ldle32(from + i * 4);
        to[i] = (v >> l->red & 255) << 16 | (v >> l->green & 255) << 8 | (v >> l->blue & 255) |
                (l->alpha == 32 ? 0xff000000 : (v >> l->alpha & 255) << 24);
    }
}

static uint32_t transfer(VirtioGpu *s, const uint8_t *p)
{
    Rect rect = load_rect(p);
    uint64_t offset = ldle64(p + 16);
    GpuResource *r = find_resource(s, ldle32(p + 24));

    if (!r) {
        return RESP_ERR_RESOURCE;
    }
    if (!r->backing || !rect_inside(&rect, r->width, r->height) || offset > r->backing_bytes) {
        return RESP_ERR_PARAMETER;
    }
    uint8_t *row = xmalloc((size_t)rect.width * 4 + 1);
    for (uint32_t y = 0; y < rect.height && rect.width; y++) {
        read_backing(s, r, offset + (uint64_t)y * r->width * 4, row, (size_t)rect.width * 4);
        convert_row(r->layout, row, r->pixels + (size_t)(rect.y + y) * r->width + rect.x, rect.width);
    }
    free(row);
    return RESP_OK;
}

/* ---- screens ---- */

static uint32_t set_scanout(VirtioGpu *s, const uint8_t *p)
{
    Rect rect = load_rect(p);
    uint32_t i = ldle32(p + 16), id = ldle32(p + 20);

    if (i >= s->max_outputs) {
        return RESP_ERR_SCANOUT;
    }
    if (!id) {
        scanout_off(s, i);
        return RESP_OK;
    }
    GpuResource *r = find_resource(s, id);
    if (!r) {
        return RESP_ERR_RESOURCE;
    }
    if (rect.width < 16 || rect.height < 16 || !rect_inside(&rect, r->width, r->height) || rect.width > CONSOLE_MAX_WIDTH || rect.height > CONSOLE_MAX_HEIGHT) {
        return RESP_ERR_PARAMETER;
    }
    struct GpuScanout *out = &s->scanouts[i];
    s->taken_over = true;
    out->resource = r;
    out->x = rect.x;
    out->y = rect.y;
    out->width = rect.width;
    out->height = rect.height;
    console_set_surface(out->con, surface_new_for(rect.width, rect.height, r->width * 4, (uint8_t *)(r->pixels + (size_t)rect.y * r->width + rect.x)));
    return RESP_OK;
}

static uint32_t flush(VirtioGpu *s, const uint8_t *p)
{
    Rect rect = load_rect(p);
    GpuResource *r = find_resource(s, ldle32(p + 16));

    if (!r) {
        return RESP_ERR_RESOURCE;
    }
    if (!rect_inside(&rect, r->width, r->height)) {
        return RESP_ERR_PARAMETER;
    }
    for (unsigned i = 0; i < s->max_outputs; i++) {
        const struct GpuScanout *out = &s->scanouts[i];
        if (out->resource != r) {
            continue;
        }
        uint32_t x0 = MAX(rect.x, out->x), y0 = MAX(rect.y, out->y);
        uint32_t x1 = MIN(rect.x + rect.width, out->x + out->width), y1 = MIN(rect.y + rect.height, out->y + out->height);
        if (x0 < x1 && y0 < y1) {
            console_update(out->con, x0 - out->x, y0 - out->y, x1 - x0, y1 - y0);
        }
    }
    return RESP_OK;
}

static size_t display_info(VirtioGpu *s, uint8_t *out)
{
    for (unsigned i = 0; i < 16; i++, out += 24) {
        memset(out, 0, 24);
        if (i < s->max_outputs && s->scanouts[i].wanted_width) {
            stle32(out + 8, s->scanouts[i].wanted_width);
            stle32(out + 12, s->scanouts[i].wanted_height);
            stle32(out + 16, 1);
        }
    }
    return 16 * 24;
}

static size_t edid(VirtioGpu *s, uint32_t i, uint8_t *out)
{
    EdidInfo info = { .width = s->scanouts[i].wanted_width, .height = s->scanouts[i].wanted_height };

    stle32(out, EDID_BYTES);
    stle32(out + 4, 0);
    memset(out + 8, 0, 1024);
    edid_make(out + 8, &info);
    return 8 + 1024;
}

/* ---- queues ---- */

/* The bytes of a command behind its header. */
static unsigned command_bytes(uint32_t type)
{
    switch (type) {
    case CMD_RESOURCE_CREATE_2D: return 16;
    case CMD_RESOURCE_UNREF: case CMD_ATTACH_BACKING: case CMD_DETACH_BACKING: case CMD_GET_EDID: return 8;
    case CMD_SET_SCANOUT: case CMD_RESOURCE_FLUSH: return 24;
    case CMD_TRANSFER_TO_HOST_2D: return 32;
    default: return 0;
    }
}

/* Returns the type of the response, and bytes behind its header. */
static uint32_t run_command(VirtioGpu *s, const VirtElem *elem, const uint8_t *command, size_t n, uint8_t *out, size_t *ret_bytes)
{
    uint32_t type = ldle32(command);
    const uint8_t *p = command + HEADER_BYTES;
    GpuResource *r;

    if (n < HEADER_BYTES + command_bytes(type)) {
        return RESP_ERR_PARAMETER;
    }
    switch (type) {
    case CMD_GET_DISPLAY_INFO:
        *ret_bytes = display_info(s, out);
        return RESP_DISPLAY_INFO;
    case CMD_GET_EDID:
        if (!virtio_has(&s->vdev, F_EDID) || ldle32(p) >= s->max_outputs) {
            return RESP_ERR_PARAMETER;
        }
        *ret_bytes = edid(s, ldle32(p), out);
        return RESP_EDID;
    case CMD_RESOURCE_CREATE_2D: return create_2d(s, p);
    case CMD_SET_SCANOUT: return set_scanout(s, p);
    case CMD_RESOURCE_FLUSH: return flush(s, p);
    case CMD_TRANSFER_TO_HOST_2D: return transfer(s, p);
    case CMD_ATTACH_BACKING: return attach_backing(s, elem, p);
    case CMD_RESOURCE_UNREF: case CMD_DETACH_BACKING:
        r = find_resource(s, ldle32(p));
        if (!r) {
            return RESP_ERR_RESOURCE;
        }
        type == CMD_RESOURCE_UNREF ? free_resource(s, r) : detach(r);
        return RESP_OK;
    default:
        log_guest_error("virtio-gpu: command 0x%x\n", type);
        return RESP_ERR_UNSPEC;
    }
}

static void handle_ctrl(VirtioDevice *vdev, VirtQueue *vq)
{
    VirtioGpu *s = (VirtioGpu *)vdev;
    VirtElem *elem;

    while ((elem = virtq_pop(vq))) {
        uint8_t command[COMMAND_MAX], response[RESPONSE_MAX] = {0};
        size_t n = iov_to_buf(elem->out, elem->n_out, 0, command, sizeof(command)), bytes = 0;
        if (n < HEADER_BYTES) {
            virtio_fail(vdev, "command of %zu bytes", n);
            virtq_detach(vq, elem);
            return;
        }
        uint32_t type = run_command(s, elem, command, n, response + HEADER_BYTES, &bytes);
        if (type >= RESP_ERR_UNSPEC) {
            log_guest_error("virtio-gpu: command 0x%x failed: 0x%x\n", ldle32(command), type);
            bytes = 0;
        }
        stle32(response, type);
        if (ldle32(command + 4) & FLAG_FENCE) { /* everything is done at once */
            stle32(response + 4, FLAG_FENCE);
            memcpy(response + 8, command + 8, 12);
        }
        size_t written = iov_from_buf(elem->in, elem->n_in, 0, response, HEADER_BYTES + bytes);
        virtq_push(vq, elem, (uint32_t)written);
        virtq_notify(vq);
    }
}

static void update_cursor(VirtioGpu *s, const uint8_t *p, bool image)
{
    uint32_t i = ldle32(p);
    int32_t x = (int32_t)ldle32(p + 4), y = (int32_t)ldle32(p + 8);

    if (i >= s->max_outputs) {
        return;
    }
    Console *con = s->scanouts[i].con;
    uint32_t id = ldle32(p + 16);
    GpuResource *r = image && id ? find_resource(s, id) : NULL;
    if (r && r->width == CURSOR_SIDE && r->height == CURSOR_SIDE) {
        CursorImage cursor = { .width = CURSOR_SIDE, .height = CURSOR_SIDE, .hot_x = MIN(ldle32(p + 20), CURSOR_SIDE - 1u),
                               .hot_y = MIN(ldle32(p + 24), CURSOR_SIDE - 1u), .argb = r->pixels };
        console_set_cursor(con, &cursor);
    } else if (image && !id) {
        static const uint32_t nothing;
        CursorImage cursor = { .width = 1, .height = 1, .argb = &nothing };
        console_set_cursor(con, &cursor);
    }
    console_move_cursor(con, x, y, id != 0);
}

static void handle_cursor(VirtioDevice *vdev, VirtQueue *vq)
{
    enum { BYTES = HEADER_BYTES + 32 };
    VirtioGpu *s = (VirtioGpu *)vdev;
    VirtElem *elem;

    while ((elem = virtq_pop(vq))) {
        uint8_t command[BYTES];
        if (iov_to_buf(elem->out, elem->n_out, 0, command, BYTES) == BYTES) {
            update_cursor(s, command + HEADER_BYTES, ldle32(command) == CMD_UPDATE_CURSOR);
        } else {
            log_guest_error("virtio-gpu: short cursor command\n");
        }
        virtq_push(vq, elem, 0);
        virtq_notify(vq);
    }
}

/* ---- device ---- */

static void ui_resize(void *opaque, uint32_t width, uint32_t height)
{
    struct GpuScanout *out = opaque;
    VirtioGpu *s = out->gpu;

    if (out->wanted_width == width && out->wanted_height == height) {
        return;
    }
    out->wanted_width = width;
    out->wanted_height = height;
    s->events |= EVENT_DISPLAY;
    virtio_config_changed(&s->vdev);
}

/* Until the driver shows something, a screen with a front is the front's. */
static void screen_update(void *opaque)
{
    const VirtioGpu *s = ((struct GpuScanout *)opaque)->gpu;

    if (s->front && !s->taken_over) {
        s->front->ops->update(s->front_opaque);
    }
}

static void screen_invalidate(void *opaque)
{
    const VirtioGpu *s = ((struct GpuScanout *)opaque)->gpu;

    if (s->front && !s->taken_over) {
        s->front->ops->invalidate(s->front_opaque);
    }
}

static const ConsoleOps first_console_ops = { .update = screen_update, .invalidate = screen_invalidate, .ui_resize = ui_resize };
static const ConsoleOps console_ops = { .ui_resize = ui_resize };

void virtio_gpu_set_front(VirtioGpu *s, const GpuFront *front, void *opaque)
{
    s->front = front;
    s->front_opaque = opaque;
}

static void gpu_config_read(VirtioDevice *vdev, uint8_t *config)
{
    VirtioGpu *s = (VirtioGpu *)vdev;

    stle32(config, s->events);
    stle32(config + 4, 0);
    stle32(config + 8, s->max_outputs);
    stle32(config + 12, 0);
}

static void gpu_config_write(VirtioDevice *vdev, const uint8_t *config, size_t offset, size_t size)
{
    VirtioGpu *s = (VirtioGpu *)vdev;

    if (offset == 4 && size == 4) {
        s->events &= ~ldle32(config + 4);
    }
}

static uint64_t gpu_features(VirtioDevice *vdev, uint64_t user)
{
    return user | (((VirtioGpu *)vdev)->edid_on ? BIT(F_EDID) : 0);
}

static void gpu_reset(VirtioDevice *vdev)
{
    VirtioGpu *s = (VirtioGpu *)vdev;

    while (s->resources) {
        free_resource(s, s->resources);
    }
    for (unsigned i = 0; i < s->max_outputs && s->taken_over; i++) {
        console_set_cursor(s->scanouts[i].con, NULL);
    }
    if (s->taken_over && s->front) {
        s->front->returned(s->front_opaque);
    }
    s->taken_over = false;
    s->events = 0;
}

static bool gpu_realize(VirtioDevice *vdev, Error **errp)
{
    VirtioGpu *s = (VirtioGpu *)vdev;

    if (!s->max_outputs || s->max_outputs > VIRTIO_GPU_SCANOUTS) {
        error_set(errp, "invalid max_outputs > %d", VIRTIO_GPU_SCANOUTS);
        return false;
    }
    virtio_init(vdev, CONFIG_BYTES);
    s->ctrl = virtio_add_queue(vdev, 256, handle_ctrl);
    s->cursor = virtio_add_queue(vdev, 16, handle_cursor);
    for (unsigned i = 0; i < s->max_outputs; i++) {
        s->scanouts[i].gpu = s;
        s->scanouts[i].con = console_new(&vdev->dev, i, i ? &console_ops : &first_console_ops, &s->scanouts[i]);
    }
    s->scanouts[0].wanted_width = s->xres;
    s->scanouts[0].wanted_height = s->yres;
    return true;
}

static void gpu_unrealize(VirtioDevice *vdev)
{
    VirtioGpu *s = (VirtioGpu *)vdev;

    gpu_reset(vdev);
    for (unsigned i = 0; i < s->max_outputs; i++) {
        console_free(s->scanouts[i].con);
    }
}

static const VirtioType virtio_gpu = {
    .id = VIRTIO_ID_GPU, .features = gpu_features, .config_read = gpu_config_read, .config_write = gpu_config_write, .reset = gpu_reset,
    .realize = gpu_realize, .unrealize = gpu_unrealize,
};

static const StateField gpu_fields[] = {
    { .name = "virtio", .kind = STATE_STRUCT, .offset = offsetof(VirtioGpu, vdev), .elem_size = sizeof(VirtioDevice), .sub = &virtio_state },
    STATE_U(VirtioGpu, events),
};
static const StateDesc gpu_state = { .name = "virtio-gpu", .version = 1, .fields = gpu_fields, .n_fields = ARRAY_SIZE(gpu_fields) };

static const Property gpu_props[] = { VIRTIO_GPU_PROPS(VirtioGpu, ) };

static const DeviceType virtio_gpu_device_type = {
    .type = { .name = "virtio-gpu-device", .parent = "virtio-device", .size_bytes = sizeof(VirtioGpu), .summary = "virtio display",
              .props = gpu_props, .n_props = ARRAY_SIZE(gpu_props), .class_data = &virtio_gpu },
    .category = DEVICE_DISPLAY, .state = &gpu_state, VIRTIO_DEVICE_HOOKS,
};
DEVICE_TYPE_REGISTER(virtio_gpu_device_type);
