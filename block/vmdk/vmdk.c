/*
 * vmdk.c: "vmdk", VMware's disk images: the driver.
 *
 * monolithicSparse, monolithicFlat, twoGbMaxExtentSparse, twoGbMaxExtentFlat, streamOptimized, vmfs, vmfsSparse, with backing images. Not:
 * seSparse, devices of the host as extents. What there is of each kind of extent is said in sparse.c.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "block/vmdk/vmdk.h"
#include "softmmu/options.h"
#include "util/random.h"

/* -- opening --------------------------------------------------------------------------------------------------------- */

static char *read_text(BlockNode *file, uint64_t at, uint64_t bytes)
{
    char *text = xcalloc(1, bytes + 1);

    if (node_pread(file, at, text, bytes)) {
        free(text);
        return NULL;
    }
    return text;
}

/* An image of one file: the header has the shape, the descriptor in it the rest. */
static bool open_monolithic(BlockNode *node, Json *options, Error **errp)
{
    VmdkState *s = node->state;
    BlockNode *file = node_file(node);
    VmdkExtent *e = vmdk_add_extent(s, VMDK_SPARSE, "", file, 0);

    if (!vmdk_open_sparse(node, e, errp)) {
        return false;
    }
    node->size_bytes = e->bytes;
    uint64_t at = e->descriptor_offset * VMDK_SECTOR, bytes = e->descriptor_bytes * VMDK_SECTOR;
    if (!e->descriptor_offset || e->descriptor_offset > file->size_bytes / VMDK_SECTOR) {
        s->create_type = xstrdup("monolithicSparse"); /* a single extent of some other disk */
        s->parent_cid = VMDK_NO_PARENT;
        return true;
    }
    if (e->descriptor_bytes > VMDK_MAX_DESCRIPTOR / VMDK_SECTOR) {
        error_set(errp, "Cannot read descriptor: it is too long");
        return false;
    }
    char *text = read_text(file, at, bytes);
    if (!text) {
        error_set(errp, "Cannot read descriptor");
        return false;
    }
    bool ok = true;
    if (*text) {
        ok = vmdk_read_descriptor(node, text, at, errp);
    } else {
        s->create_type = xstrdup(e->compressed ? "streamOptimized" : "monolithicSparse");
        s->parent_cid = VMDK_NO_PARENT;
    }
    free(text);
    return ok;
}

static bool open_descriptor(BlockNode *node, Json *options, Error **errp)
{
    BlockNode *file = node_file(node);

    if (!file->size_bytes) {
        error_set(errp, "File is too small, not a valid image");
        return false;
    }
    if (file->size_bytes > VMDK_MAX_DESCRIPTOR) {
        error_set(errp, "invalid VMDK image descriptor");
        return false;
    }
    char *text = read_text(file, 0, file->size_bytes);
    if (!text) {
        error_set(errp, "Cannot read descriptor");
        return false;
    }
    bool ok = false;
    if (vmdk_probe((const uint8_t *)text, file->size_bytes, "")) {
        ok = vmdk_read_descriptor(node, text, 0, errp) && vmdk_open_extents(node, text, options, errp);
    } else {
        error_set(errp, "invalid VMDK image descriptor");
    }
    free(text);
    return ok;
}

static void vmdk_close(BlockNode *node)
{
    VmdkState *s = node->state;

    for (unsigned i = 0; i < s->n_extents; i++) {
        if (s->extents[i]->map.ops) {
            blockmap_finish(&s->extents[i]->map);
        }
        free(s->extents[i]);
    }
    free(s->extents);
    free(s->create_type);
}

static bool vmdk_open(BlockNode *node, Json *options, Error **errp)
{
    uint8_t magic[4] = { 0 };
    int err = node_pread(node_file(node), 0, magic, sizeof(magic));
    bool ok = false;

    if (err) {
        error_set_errno(errp, -err, "Could not read the header");
    } else {
        ok = ldbe32(magic) == VMDK_MAGIC || ldbe32(magic) == COWD_MAGIC ? open_monolithic(node, options, errp) : open_descriptor(node, options, errp);
    }
    if (!ok) {
        vmdk_close(node);
    }
    return ok;
}

/* -- content ids ----------------------------------------------------------------------------------------------------- */

/* An image on another is worth nothing once that has been written: its CID tells. */
static bool parent_is_right(BlockNode *node)
{
    VmdkState *s = node->state;
    const BlockNode *backing = node_backing(node);

    if (!s->parent_known) {
        s->parent_known = true;
        s->parent_ok = !backing || strcmp(backing->driver->name, "vmdk") || ((const VmdkState *)backing->state)->cid == s->parent_cid;
    }
    return s->parent_ok;
}

static int change_cid(BlockNode *node)
{
    VmdkState *s = node->state;
    char digits[9];
    uint32_t cid;

    if (s->cid_changed || !s->cid_at) {
        return 0;
    }
    s->cid_changed = true;
    if (!random_bytes(&cid, sizeof(cid), true) || cid == s->cid || cid == VMDK_NO_PARENT) {
        cid = s->cid + 1 == VMDK_NO_PARENT ? 1 : s->cid + 1;
    }
    snprintf(digits, sizeof(digits), "%08" PRIx32, cid);
    int err = node_co_pwrite(node_file(node), s->cid_at, digits, 8, 0);
    s->cid_changed = !err;
    s->cid = err ? s->cid : cid;
    return err;
}

/* -- requests -------------------------------------------------------------------------------------------------------- */

static VmdkExtent *extent_at(VmdkState *s, uint64_t offset)
{
    unsigned low = 0, high = s->n_extents;

    while (high - low > 1) {
        unsigned middle = low + (high - low) / 2;
        if (s->extents[middle]->start <= offset) {
            low = middle;
        } else {
            high = middle;
        }
    }
    VmdkExtent *e = s->n_extents ? s->extents[low] : NULL;
    return e && offset < e->start + e->bytes ? e : NULL;
}

static int vmdk_read(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags)
{
    VmdkState *s = node->state;
    int err = parent_is_right(node) ? 0 : -EINVAL;

    while (bytes && !err) {
        VmdkExtent *e = extent_at(s, offset);
        uint64_t in = e ? offset - e->start : 0, n = e ? MIN(bytes, e->bytes - in) : bytes;
        if (!e || e->kind == VMDK_ZERO) {
            sg_zero(sg, n);
        } else if (e->kind == VMDK_FLAT) {
            err = node_co_read(e->file, e->file_offset + in, n, sg, 0);
        } else {
            err = blockmap_read(&e->map, in, n, sg);
        }
        offset += n;
        bytes -= n;
        sg = sg_after(sg, n);
    }
    return err;
}

typedef enum WriteKind { WRITE_DATA, WRITE_COMPRESSED, WRITE_ZERO, WRITE_DISCARD } WriteKind;

static int write_extent(VmdkExtent *e, WriteKind kind, uint64_t in, uint64_t n, Sg sg, unsigned flags)
{
    if (e->kind == VMDK_FLAT) {
        switch (kind) {
        case WRITE_DATA: return node_co_write(e->file, e->file_offset + in, n, sg, 0);
        case WRITE_ZERO: return node_co_zero(e->file, e->file_offset + in, n, flags);
        case WRITE_DISCARD: return node_co_discard(e->file, e->file_offset + in, n);
        default: return -ENOTSUP;
        }
    }
    switch (kind) {
    case WRITE_DATA: return blockmap_write(&e->map, in, n, sg);
    case WRITE_COMPRESSED: return e->compressed ? blockmap_write_compressed(&e->map, in, n, sg) : blockmap_write(&e->map, in, n, sg);
    case WRITE_ZERO: return blockmap_zero(&e->map, in, n, flags);
    default: return blockmap_discard(&e->map, in, n);
    }
}

static int write_all(BlockNode *node, WriteKind kind, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags)
{
    VmdkState *s = node->state;
    int err = !parent_is_right(node) ? -EINVAL : change_cid(node);

    while (bytes && !err) {
        VmdkExtent *e = extent_at(s, offset);
        uint64_t in = e ? offset - e->start : 0, n = e ? MIN(bytes, e->bytes - in) : bytes;
        err = !e ? -EIO : e->readonly || e->kind == VMDK_ZERO ? -EPERM : write_extent(e, kind, in, n, sg, flags);
        offset += n;
        bytes -= n;
        sg = kind < WRITE_ZERO ? sg_after(sg, n) : sg;
    }
    return err;
}

static int vmdk_write(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags)
{
    return write_all(node, WRITE_DATA, offset, bytes, sg, 0);
}

static int vmdk_write_compressed(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg)
{
    return write_all(node, WRITE_COMPRESSED, offset, bytes, sg, 0);
}

static int vmdk_zero(BlockNode *node, uint64_t offset, uint64_t bytes, unsigned flags)
{
    return write_all(node, WRITE_ZERO, offset, bytes, (Sg){ 0 }, flags);
}

static int vmdk_discard(BlockNode *node, uint64_t offset, uint64_t bytes)
{
    return write_all(node, WRITE_DISCARD, offset, bytes, (Sg){ 0 }, 0);
}

static int vmdk_flush(BlockNode *node)
{
    VmdkState *s = node->state;
    int err = 0;

    for (unsigned i = 0; i < s->n_extents && !err; i++) {
        err = s->extents[i]->kind == VMDK_SPARSE ? blockmap_flush(&s->extents[i]->map) : 0;
    }
    return err;
}

static int vmdk_status(BlockNode *node, uint64_t offset, uint64_t bytes, BlockStatus *ret)
{
    VmdkExtent *e = extent_at(node->state, offset);

    if (!e || e->kind == VMDK_ZERO) {
        *ret = (BlockStatus){ .flags = STATUS_ZERO | STATUS_ALLOCATED, .bytes = e ? MIN(bytes, e->start + e->bytes - offset) : bytes };
        return 0;
    }
    uint64_t in = offset - e->start;
    bytes = MIN(bytes, e->bytes - in);
    if (e->kind == VMDK_SPARSE) {
        return blockmap_status(&e->map, in, bytes, ret);
    }
    *ret = (BlockStatus){ .flags = STATUS_DATA | STATUS_ALLOCATED | STATUS_MAPPED | STATUS_RECURSE, .bytes = bytes, .map_node = e->file,
                          .map_offset = e->file_offset + in };
    return 0;
}

/* -- what is known of an image --------------------------------------------------------------------------------------- */

static void vmdk_info(BlockNode *node, BlockInfo *ret)
{
    const VmdkState *s = node->state;
    Json *data = json_object(), *extents = json_array(), *specific = json_object();
    uint64_t cluster = 0;

    json_put_uint(data, "cid", s->cid);
    json_put_uint(data, "parent-cid", s->parent_cid);
    json_put_string(data, "create-type", s->create_type);
    for (unsigned i = 0; i < s->n_extents; i++) {
        const VmdkExtent *e = s->extents[i];
        Json *extent = json_object();
        if (e->compressed) {
            json_put_bool(extent, "compressed", true);
        }
        json_put_uint(extent, "virtual-size", e->bytes);
        json_put_string(extent, "filename", e->file && e->file->filename ? e->file->filename : "");
        if (e->kind == VMDK_SPARSE) {
            json_put_uint(extent, "cluster-size", e->map.block_bytes);
            cluster = e->map.block_bytes;
        }
        json_put_string(extent, "format", e->type);
        json_push(extents, extent);
    }
    json_put(data, "extents", extents);
    json_put_string(specific, "type", "vmdk");
    json_put(specific, "data", data);
    *ret = (BlockInfo){ .cluster_size = cluster, .specific = specific };
}

static bool vmdk_check(BlockNode *node, BlockCheck *check, unsigned fix, Error **errp)
{
    VmdkState *s = node->state;

    for (unsigned i = 0; i < s->n_extents; i++) {
        VmdkExtent *e = s->extents[i];
        BlockMapCheck how = { .data_from = VMDK_SECTOR };
        if (e->kind == VMDK_SPARSE) {
            tables_check(&e->map, &e->tables, check, fix);
            if (e->backup.l1_entries) {
                tables_check(&e->map, &e->backup, check, fix);
            }
            blockmap_check(&e->map, &how, check, fix);
        }
    }
    /* The reference's tools say nothing about clusters of this format. */
    check->has_clusters = false;
    check->total_clusters = check->allocated_clusters = check->fragmented_clusters = check->compressed_clusters = 0;
    return true;
}

static const BlockOption vmdk_options[] = {
    { "backing", OPTION_NODE, "the image for what this one does not have", NULL },
    { NULL },
};

const BlockDriver block_vmdk = {
    .name = "vmdk", .summary = "VMware's disk images", .kind = DRIVER_FORMAT, .state_bytes = sizeof(VmdkState), .options = vmdk_options,
    .create_options = vmdk_create_options, .has_backing = true, .zero_init = true, .probe = vmdk_probe, .open = vmdk_open, .close = vmdk_close,
    .create = vmdk_create, .co_read = vmdk_read, .co_write = vmdk_write, .co_write_compressed = vmdk_write_compressed, .co_zero = vmdk_zero,
    .co_discard = vmdk_discard, .co_flush = vmdk_flush, .co_status = vmdk_status, .info = vmdk_info, .check = vmdk_check,
};
