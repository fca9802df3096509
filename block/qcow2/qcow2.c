/*
 * qcow2.c: the driver, and what it says of an image.
 */
#include <errno.h>
#include <string.h>

#include "block/qcow2/qcow2.h"
#include "softmmu/options.h"

void qcow2_info(BlockNode *node, BlockInfo *ret)
{
    const Qcow2 *s = node->state;
    Json *data = json_object(), *specific = json_object();

    json_put_string(data, "compat", s->version == 2 ? "0.10" : "1.1");
    if (s->data_file_name) {
        json_put_string(data, "data-file", s->data_file_name);
    }
    if (s->incompatible & INCOMPAT_DATA_FILE) {
        json_put_bool(data, "data-file-raw", s->autoclear & AUTOCLEAR_RAW_DATA);
    }
    json_put_string(data, "compression-type", s->compression ? "zstd" : "zlib");
    if (s->version >= 3) {
        json_put_bool(data, "lazy-refcounts", s->compatible & COMPAT_LAZY_REFCOUNTS);
    }
    if (s->bitmaps.n) {
        json_put(data, "bitmaps", bitmaps_describe(s));
    }
    json_put_int(data, "refcount-bits", 1 << s->refcount_order);
    if (s->crypt_method) {
        json_put(data, "encrypt", crypt_describe(s));
    }
    if (s->version >= 3) {
        json_put_bool(data, "corrupt", s->incompatible & INCOMPAT_CORRUPT);
        json_put_bool(data, "extended-l2", s->entry_words == 2);
    }
    json_put_string(specific, "type", "qcow2");
    json_put(specific, "data", data);
    /* What is saved of a machine is behind the disk, from the next L2 table on. */
    uint64_t table = 1ull << (s->l2_bits + s->cluster_bits);
    *ret = (BlockInfo){ .cluster_size = s->cluster_size, .has_vm_state_offset = true, .vm_state_offset = ROUND_UP(node->size_bytes, table), .is_dirty = s->incompatible & INCOMPAT_DIRTY, .is_corrupt = s->incompatible & INCOMPAT_CORRUPT,
                        .is_encrypted = s->crypt_method != 0, .specific = specific };
}

typedef struct AmendRequest {
    Qcow2 *s;
    int result;
} AmendRequest;

static void amend_entry(void *opaque)
{
    AmendRequest *a = opaque;
    co_mutex_lock(&a->s->lock);
    a->result = tables_flush(a->s);
    a->result = a->result ? a->result : header_write(a->s);
    co_mutex_unlock(&a->s->lock);
}

bool qcow2_amend(BlockNode *node, const Json *options, Error **errp)
{
    Qcow2 *s = node->state;
    static const char *const fixed[] = { "refcount_bits", "data_file", "data_file_raw" };
    bool lazy;

    for (size_t i = 0; i < ARRAY_SIZE(fixed); i++) {
        if (json_get(options, fixed[i])) {
            error_set(errp, "changing '%s' of an image is not supported", fixed[i]);
            return false;
        }
    }
    bool encrypt = false;
    for (size_t i = 0; i < json_count(options); i++) {
        encrypt |= !strncmp(json_key_at(options, i), "encrypt.", 8);
    }
    if (encrypt && !crypt_amend(s, options, json_get_bool(options, "force", false), errp)) {
        return false;
    }
    if (json_get(options, "backing_file") || json_get(options, "backing_fmt")) {
        error_set(errp, "Cannot amend the backing file: 'qemu-img rebase' changes it");
        return false;
    }
    const char *compat;
    uint64_t size = node->size_bytes;
    if (!opts_bool(options, "lazy_refcounts", s->compatible & COMPAT_LAZY_REFCOUNTS, &lazy, errp) || !opts_string(options, "compat", NULL, &compat, errp) ||
        !opts_size(options, "size", size, &size, errp)) {
        return false;
    }
    unsigned version = !compat ? s->version : !strcmp(compat, "0.10") || !strcmp(compat, "v2") ? 2 : !strcmp(compat, "1.1") || !strcmp(compat, "v3") ? 3 : 0;
    if (!version) {
        error_set(errp, "Unknown compatibility level %s", compat);
        return false;
    }
    if (lazy && version < 3) {
        error_set(errp, "Lazy refcounts only supported with compatibility level 1.1 and above (use compat=1.1 or greater)");
        return false;
    }
    if (version < s->version && (s->refcount_order != 4 || s->incompatible & ~(uint64_t)INCOMPAT_DIRTY || s->n_snapshots)) {
        error_set(errp, "compat=0.10 cannot hold what this image has");
        return false;
    }
    if (version < s->version) {
        error_set(errp, "Downgrading to compat=0.10 is not supported");
        return false;
    }
    unsigned old = s->version;
    s->version = version;
    s->compatible = lazy ? s->compatible | COMPAT_LAZY_REFCOUNTS : s->compatible & ~(uint64_t)COMPAT_LAZY_REFCOUNTS;
    if (!lazy) {
        s->incompatible &= ~(uint64_t)INCOMPAT_DIRTY;
        s->lazy_refcounts = false;
    }
    AmendRequest a = { s, 0 };
    ioctx_run(node->context, amend_entry, &a);
    if (a.result) {
        s->version = old;
        error_set_errno(errp, -a.result, "Could not write the header");
        return false;
    }
    return size == node->size_bytes || node_truncate(node, size, false, PREALLOC_OFF, errp);
}

const BlockDriver block_qcow2 = {
    .name = "qcow2", .summary = "copy-on-write images with snapshots and compression", .kind = DRIVER_FORMAT, .state_bytes = sizeof(Qcow2),
    .options = qcow2_options, .create_options = qcow2_create_options, .amend_options = qcow2_amend_options, .has_backing = true, .zero_init = true,
    .probe = qcow2_probe, .open = qcow2_open, .close = qcow2_close, .set_writable = qcow2_set_writable, .create = qcow2_create,
    .co_read = qcow2_co_read, .co_write = qcow2_co_write, .co_write_compressed = qcow2_co_write_compressed, .co_zero = qcow2_co_zero,
    .co_discard = qcow2_co_discard, .co_flush = qcow2_co_flush, .co_truncate = qcow2_co_truncate, .co_status = qcow2_co_status,
    .info = qcow2_info, .check = qcow2_check, .change_backing = qcow2_change_backing, .amend = qcow2_amend, .measure = qcow2_measure,
    .make_empty = qcow2_make_empty, .snapshot_create = qcow2_snapshot_create, .snapshot_goto = qcow2_snapshot_goto,
    .bitmap_can_store = qcow2_bitmap_can_store, .snapshot_delete = qcow2_snapshot_delete, .snapshot_list = qcow2_snapshot_list, .snapshot_load = qcow2_snapshot_load,
};
