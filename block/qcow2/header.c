/*
 * header.c: opening and closing: the header and its extensions.
 */
#include <errno.h>
#include <string.h>

#include "block/qcow2/qcow2.h"
#include "softmmu/options.h"

const BlockOption qcow2_options[] = {
    { "backing", OPTION_NODE, "the image for what this one does not have", NULL },
    { "encrypt", OPTION_STRING, "how the image is encrypted: encrypt.format, encrypt.key-secret", NULL },
    { "lazy-refcounts", OPTION_BOOL, "Postpone refcount updates", NULL },
    { "pass-discard-request", OPTION_BOOL, "Pass guest discard requests to the layer below", NULL },
    { "pass-discard-snapshot", OPTION_BOOL, "Generate discard requests when snapshot related space is freed", "on" },
    { "pass-discard-other", OPTION_BOOL, "Generate discard requests when other clusters are freed", "off" },
    { "overlap-check", OPTION_STRING, "Selects which overlap checks to perform", "cached" },
    { "cache-size", OPTION_SIZE, "Maximum combined metadata (L2 tables and refcount blocks) cache size", NULL },
    { "l2-cache-size", OPTION_SIZE, "Maximum L2 table cache size", "32M" },
    { "l2-cache-entry-size", OPTION_SIZE, "Size of each entry in the L2 cache", NULL },
    { "refcount-cache-size", OPTION_SIZE, "Maximum refcount block cache size", NULL },
    { "cache-clean-interval", OPTION_NUMBER, "Clean unused cache entries after this time (in seconds)", NULL },
    { NULL },
};

unsigned qcow2_probe(const uint8_t *head, size_t bytes, const char *filename)
{
    return bytes >= 8 && ldbe32(head) == QCOW2_MAGIC && ldbe32(head + 4) >= 2 ? 100 : 0;
}

/* -- reading --------------------------------------------------------------------------------------------------------- */

static bool fail(Error **errp, const char *text)
{
    error_set(errp, "%s", text);
    return false;
}

/* A table of `entries` × `entry_bytes` somewhere in the file. */
static bool table_ok(const Qcow2 *s, uint64_t offset, uint64_t entries, uint64_t entry_bytes, uint64_t max_bytes, const char *name, Error **errp)
{
    if (entries > max_bytes / entry_bytes) {
        error_set(errp, "%s too large", name);
        return false;
    }
    if (offset & (s->cluster_size - 1) || offset > (uint64_t)INT64_MAX - entries * entry_bytes) {
        error_set(errp, "%s offset invalid", name);
        return false;
    }
    return true;
}

static char *read_text(Qcow2 *s, uint64_t offset, uint32_t bytes)
{
    char *text = xcalloc(1, bytes + 1);

    if (node_pread(s->file, offset, text, bytes)) {
        free(text);
        return NULL;
    }
    return text;
}

static bool read_extensions(Qcow2 *s, const uint8_t *cluster, uint64_t from, uint64_t end, Error **errp)
{
    for (uint64_t at = from; at + 8 <= end;) {
        uint32_t type = ldbe32(cluster + at), bytes = ldbe32(cluster + at + 4);
        at += 8;
        if (type == EXTENSION_END) {
            return true;
        }
        if (bytes > end - at) {
            return fail(errp, "Header extension too large");
        }
        const uint8_t *data = cluster + at;
        switch ((int)type) {
        case EXTENSION_BACKING_FORMAT:
            if (bytes >= 16) {
                error_set(errp, "ERROR: ext_backing_format: len=%u too large (>=16)", bytes);
                return false;
            }
            free(s->node->backing_format);
            s->node->backing_format = xstrndup((const char *)data, bytes);
            break;
        case EXTENSION_DATA_FILE:
            free(s->data_file_name);
            s->data_file_name = xstrndup((const char *)data, bytes);
            break;
        case EXTENSION_FEATURES:
            break; /* written anew */
        case EXTENSION_BITMAPS:
            if (!(s->autoclear & AUTOCLEAR_BITMAPS)) {
                /* Somebody wrote who does not keep them: they are not true any more. */
                if (!s->node->readonly) {
                    error_warn(s->version < 3 ? "This qcow2 v2 image contains bitmaps, but they may have been modified by a program without persistent "
                               "bitmap support; so now they must all be considered inconsistent" : "a program lacking bitmap support modified "
                               "this file, so all bitmaps are now considered inconsistent");
                }
                break;
            }
            if (!bitmaps_read_directory(s, data, bytes, errp)) {
                return false;
            }
            break;
        case EXTENSION_ENCRYPTION:
            if (!crypt_read_extension(s, data, bytes, errp)) {
                return false;
            }
            break;
        default:
            s->unknown = xrealloc(s->unknown, (s->n_unknown + 1) * sizeof(*s->unknown));
            s->unknown[s->n_unknown].type = type;
            s->unknown[s->n_unknown].bytes = bytes;
            s->unknown[s->n_unknown++].data = xmemdup(data, MAX(bytes, 1u));
        }
        at += ROUND_UP(bytes, 8u);
    }
    return true;
}

/* Names of bits that are not known here, from the feature table of the image. */
static void unknown_features(const uint8_t *cluster, uint64_t from, uint64_t end, uint64_t bits, Error **errp)
{
    char *names = xstrdup("");

    for (uint64_t at = from; at + 8 <= end;) {
        uint32_t type = ldbe32(cluster + at), bytes = ldbe32(cluster + at + 4);
        at += 8;
        if (type == EXTENSION_END || bytes > end - at) {
            break;
        }
        for (uint32_t i = 0; type == EXTENSION_FEATURES && i + 48 <= bytes; i += 48) {
            const uint8_t *row = cluster + at + i;
            if (row[0] == 0 && row[1] < 64 && bits >> row[1] & 1) {
                char *more = xasprintf("%s%s%.46s", names, *names ? ", " : "", (const char *)row + 2);
                free(names);
                names = more;
                bits &= ~(1ull << row[1]);
            }
        }
        at += ROUND_UP(bytes, 8u);
    }
    if (bits) {
        char *more = xasprintf("%s%sUnknown incompatible feature: %" PRIx64, names, *names ? ", " : "", bits);
        free(names);
        names = more;
    }
    error_set(errp, "Unsupported qcow2 feature(s): %s", names);
    free(names);
}

static bool read_header(Qcow2 *s, Error **errp)
{
    uint8_t h[112] = { 0 };
    BlockNode *node = s->node;
    int err = node_pread(s->file, 0, h, sizeof(h));

    if (err) {
        error_set_errno(errp, -err, "Could not read qcow2 header");
        return false;
    }
    if (ldbe32(h) != QCOW2_MAGIC) {
        return fail(errp, "Image is not in qcow2 format");
    }
    s->version = ldbe32(h + 4);
    if (s->version < 2 || s->version > 3) {
        error_set(errp, "Unsupported qcow2 version %u", s->version);
        return false;
    }
    s->cluster_bits = ldbe32(h + 20);
    if (s->cluster_bits < QCOW2_MIN_CLUSTER_BITS || s->cluster_bits > QCOW2_MAX_CLUSTER_BITS) {
        error_set(errp, "Unsupported cluster size: 2^%u", s->cluster_bits);
        return false;
    }
    s->cluster_size = 1ull << s->cluster_bits;
    node->size_bytes = ldbe64(h + 24);
    s->backing_offset = ldbe64(h + 8);
    s->crypt_method = ldbe32(h + 32);
    s->l1_size = ldbe32(h + 36);
    s->l1_offset = ldbe64(h + 40);
    s->reftable_offset = ldbe64(h + 48);
    s->reftable_clusters = ldbe32(h + 56);
    s->n_snapshots = ldbe32(h + 60);
    s->snapshots_offset = ldbe64(h + 64);
    s->refcount_order = 4;
    s->header_bytes = QCOW2_HEADER_V2;
    if (s->version == 3) {
        s->incompatible = ldbe64(h + 72);
        s->compatible = ldbe64(h + 80);
        s->autoclear = ldbe64(h + 88);
        s->refcount_order = ldbe32(h + 96);
        s->header_bytes = ldbe32(h + 100);
        if (s->header_bytes < QCOW2_HEADER_V3) {
            return fail(errp, "qcow2 header too short");
        }
        s->compression = s->header_bytes > QCOW2_HEADER_V3 ? h[104] : 0;
    }
    if (s->header_bytes > s->cluster_size) {
        return fail(errp, "qcow2 header exceeds cluster size");
    }
    if (s->backing_offset > s->cluster_size) {
        return fail(errp, "Invalid backing file offset");
    }
    uint64_t end = s->backing_offset ? s->backing_offset : s->cluster_size;
    uint8_t *cluster = xcalloc(1, s->cluster_size);
    err = node_pread(s->file, 0, cluster, s->cluster_size);
    bool ok = !err;
    if (err) {
        error_set_errno(errp, -err, "Could not read qcow2 header");
    } else if (s->incompatible & ~(uint64_t)INCOMPAT_KNOWN) {
        unknown_features(cluster, s->header_bytes, end, s->incompatible & ~(uint64_t)INCOMPAT_KNOWN, errp);
        ok = false;
    } else {
        ok = read_extensions(s, cluster, s->header_bytes, end, errp);
    }
    free(cluster);
    return ok;
}

static bool check_header(Qcow2 *s, Error **errp)
{
    BlockNode *node = s->node;
    uint8_t be[4];

    if (s->refcount_order > 6) {
        return fail(errp, "Reference count entry width too large; may not exceed 64 bits");
    }
    if (s->incompatible & INCOMPAT_CORRUPT) {
        if (!node->readonly && !(node->flags & BLOCK_CHECK)) {
            return fail(errp, "qcow2: Image is corrupt; cannot be opened read/write");
        }
        s->is_corrupt = false;
    }
    if (s->compression && !(s->incompatible & INCOMPAT_COMPRESSION)) {
        return fail(errp, "qcow2: Compression type incompatible feature bit must be set");
    }
    if (!s->compression && s->incompatible & INCOMPAT_COMPRESSION) {
        return fail(errp, "qcow2: Compression type incompatible feature bit must not be set");
    }
    if (!compression_known(s->compression)) {
        error_set(errp, s->compression == 1 ? "qcow2: this build has no zstd, which the image is compressed with" :
                  "qcow2: unknown compression type: %u", s->compression);
        return false;
    }
    if (s->crypt_method > 2) {
        error_set(errp, "Unsupported encryption method %u", s->crypt_method);
        return false;
    }
    s->entry_words = s->incompatible & INCOMPAT_EXTENDED_L2 ? 2 : 1;
    if (s->entry_words == 2 && s->cluster_size < SUBCLUSTERS * 512u) {
        return fail(errp, "Extended L2 entries are only supported with cluster sizes of at least 16384 bytes");
    }
    s->l2_bits = s->cluster_bits - (s->entry_words == 2 ? 4 : 3);
    if (!s->reftable_clusters && !(node->flags & BLOCK_CHECK)) {
        return fail(errp, "Image does not contain a reference count table");
    }
    if (!table_ok(s, s->reftable_offset, s->reftable_clusters, s->cluster_size, QCOW2_MAX_REFTABLE_BYTES, "Reference count table", errp) ||
        !table_ok(s, s->l1_offset, s->l1_size, 8, QCOW2_MAX_L1_BYTES, "Active L1 table", errp) ||
        (s->n_snapshots && !table_ok(s, s->snapshots_offset, s->n_snapshots, 40, QCOW2_MAX_SNAPSHOTS * 40ull, "Snapshot table", errp))) {
        return false;
    }
    uint64_t shift = s->cluster_bits + s->l2_bits, need = node->size_bytes >> shift;
    need += (node->size_bytes & ((1ull << shift) - 1)) != 0;
    if (need > INT32_MAX || node->size_bytes > INT64_MAX) {
        return fail(errp, "Image is too big");
    }
    if (s->l1_size < need) {
        return fail(errp, "L1 table is too small");
    }
    if (s->backing_offset && !node_pread(s->file, 16, be, 4)) {
        uint32_t bytes = ldbe32(be);
        if (bytes > MIN(1023u, s->cluster_size - s->backing_offset)) {
            return fail(errp, "Backing file name too long");
        }
        node->backing_file = read_text(s, s->backing_offset, bytes);
        if (!node->backing_file) {
            return fail(errp, "Could not read backing file name");
        }
    }
    return true;
}

static bool read_l1(Qcow2 *s, Error **errp)
{
    size_t bytes = (size_t)s->l1_size * 8;

    s->l1 = xcalloc(1, MAX(ROUND_UP(bytes, 512u), 512u));
    int err = bytes ? node_pread(s->file, s->l1_offset, s->l1, bytes) : 0;
    if (err) {
        error_set_errno(errp, -err, "Could not read L1 table");
        return false;
    }
    for (uint32_t i = 0; i < s->l1_size; i++) {
        s->l1[i] = ldbe64(&s->l1[i]);
    }
    dirty_parts_init(&s->l1_dirty, bytes);
    return true;
}

static bool open_data_file(Qcow2 *s, Json *options, Error **errp)
{
    BlockNode *node = s->node;

    s->data_file = s->file;
    if (!(s->incompatible & INCOMPAT_DATA_FILE)) {
        if (json_get(options, "data-file")) {
            return fail(errp, "'data-file' can only be set for images with an external data file");
        }
        return true;
    }
    char *name = s->data_file_name && !json_get(options, "data-file") ? filename_relative_to(node->filename, s->data_file_name) : NULL;
    if (node->flags & BLOCK_NO_IO && !name && !json_get(options, "data-file")) {
        return true;
    }
    if (!name && !json_get(options, "data-file")) {
        return fail(errp, "'data-file' is required for this image");
    }
    BlockEdge *edge = node_open_child(node, options, "data-file", ROLE_DATA | ROLE_PRIMARY, name, false, errp);
    free(name);
    s->data_file = edge_node(edge);
    return edge != NULL;
}

static bool init_caches(Qcow2 *s, const Json *options, Error **errp)
{
    size_t slice = MIN(s->cluster_size, (uint64_t)L2_SLICE_BYTES);
    uint64_t l2 = 0, refcount = 0, both = 0;

    if (!opts_size(options, "l2-cache-size", 0, &l2, errp) || !opts_size(options, "refcount-cache-size", 0, &refcount, errp) ||
        !opts_size(options, "cache-size", 0, &both, errp)) {
        return false;
    }
    if (both && l2 && refcount) {
        return fail(errp, "cache-size, l2-cache-size and refcount-cache-size may not be set at the same time");
    }
    if (both && (l2 > both || refcount > both)) {
        return fail(errp, l2 > both ? "l2-cache-size may not exceed cache-size" : "refcount-cache-size may not exceed cache-size");
    }
    if (both) {
        refcount = refcount ? refcount : l2 ? both - l2 : MIN(both / 4, 4 * s->cluster_size);
        l2 = l2 ? l2 : both - refcount;
    }
    /* All of the image's tables, but not more than covers 256 GiB in clusters of 64 KiB. */
    uint64_t all = DIV_ROUND_UP(s->node->size_bytes, s->cluster_size) * 8 * s->entry_words + slice;
    l2 = MIN(l2 ? l2 : 32 * MiB, ROUND_UP(all, slice));
    refcount = MIN(refcount ? refcount : MAX(4 * s->cluster_size, 256 * KiB), 64 * MiB);
    cache_init(&s->l2_cache, (unsigned)MAX(l2 / slice, 8u), slice, before_l2_write);
    cache_init(&s->refcount_cache, (unsigned)MAX(refcount / s->cluster_size, 4u), s->cluster_size, NULL);
    return true;
}

static bool read_options(Qcow2 *s, const Json *options, Error **errp)
{
    BlockNode *node = s->node;
    bool lazy = s->compatible & COMPAT_LAZY_REFCOUNTS, discard = node->flags & BLOCK_DISCARD, other = false, snapshot = true;
    const char *overlap = NULL;
    static const char *const overlaps[] = { "none", "constant", "cached", "all" };
    uint64_t interval = 0, entry = 0;

    if (!opts_bool(options, "lazy-refcounts", lazy, &lazy, errp) || !opts_bool(options, "pass-discard-request", discard, &discard, errp) ||
        !opts_bool(options, "pass-discard-other", false, &other, errp) || !opts_bool(options, "pass-discard-snapshot", true, &snapshot, errp) ||
        !opts_uint(options, "cache-clean-interval", 0, &interval, errp) || !opts_size(options, "l2-cache-entry-size", 0, &entry, errp)) {
        return false;
    }
    const Json *check = json_get(options, "overlap-check");
    if (check && json_is(check, JSON_STRING)) {
        overlap = json_as_string(check);
        bool known = false;
        for (size_t i = 0; i < ARRAY_SIZE(overlaps); i++) {
            known |= !strcmp(overlap, overlaps[i]);
        }
        if (!known) {
            error_set(errp, "Unsupported value '%s' for qcow2 option 'overlap-check'. Allowed are any of the following: none, constant, cached, all", overlap);
            return false;
        }
    }
    if (lazy && s->version < 3) {
        return fail(errp, "Lazy refcounts require a qcow2 image with at least qemu 1.1 compatibility level");
    }
    if (entry && (entry < 512 || entry > s->cluster_size || !bits_is_pow2(entry))) {
        error_set(errp, "L2 cache entry size must be a power of two between %d and the cluster size (%" PRIu64 ")", 512, s->cluster_size);
        return false;
    }
    s->lazy_refcounts = lazy && !node->readonly;
    s->discard_passdown = discard;
    return true;
}

/* After a crash with lazy refcounts they are wrong. */
static bool repair_dirty(Qcow2 *s, Error **errp)
{
    BlockNode *node = s->node;
    BlockCheck check = { 0 };

    if (!(s->incompatible & INCOMPAT_DIRTY) || node->readonly || node->flags & BLOCK_CHECK) {
        return true;
    }
    if (!qcow2_check(node, &check, CHECK_FIX_ERRORS | CHECK_FIX_LEAKS, errp)) {
        error_prepend(errp, "Could not repair dirty image: ");
        return false;
    }
    block_check_free(&check);
    return true;
}

static bool open_image(BlockNode *node, Json *options, Error **errp)
{
    Qcow2 *s = node->state;

    s->node = node;
    s->file = s->data_file = node_file(node);
    co_mutex_init(&s->lock);
    node->request_align = 1;
    if (!read_header(s, errp) || !check_header(s, errp) || !open_data_file(s, options, errp) || !crypt_open(s, options, errp) || !read_options(s, options, errp) ||
        !init_caches(s, options, errp) || !refcount_load(s, errp) || !read_l1(s, errp) || !snapshots_load(s, errp)) {
        return false;
    }
    node->zero_align = (uint32_t)subcluster_size(s);
    uint64_t kept = (s->incompatible & INCOMPAT_DATA_FILE ? AUTOCLEAR_RAW_DATA : 0) | (s->bitmaps.n ? AUTOCLEAR_BITMAPS : 0);
    if (!node->readonly && !(node->flags & BLOCK_CHECK) && s->autoclear & ~kept) {
        /* What depends on these is not kept up to date here. */
        s->autoclear &= kept;
        header_write_features(s);
    }
    if (!bitmaps_load(s, errp)) {
        return false;
    }
    if (s->lazy_refcounts && !(node->flags & BLOCK_CHECK)) {
        if (!repair_dirty(s, errp)) {
            return false;
        }
        s->incompatible |= INCOMPAT_DIRTY;
        int err = header_write_features(s);
        if (err) {
            error_set_errno(errp, -err, "Could not mark the image as in use");
            return false;
        }
    } else if (!repair_dirty(s, errp)) {
        return false;
    }
    for (size_t i = 0; qcow2_options[i].name; i++) {
        json_drop(options, qcow2_options[i].name);
    }
    return true;
}

bool qcow2_open(BlockNode *node, Json *options, Error **errp)
{
    if (!open_image(node, options, errp)) {
        qcow2_close(node);
        return false;
    }
    return true;
}

typedef struct CloseRequest {
    Qcow2 *s;
    int result;
} CloseRequest;

static void close_entry(void *opaque)
{
    CloseRequest *r = opaque;
    Qcow2 *s = r->s;

    co_mutex_lock(&s->lock);
    r->result = s->is_corrupt ? 0 : tables_flush(s);
    if (!r->result && !s->is_corrupt && !(s->node->flags & BLOCK_CHECK)) {
        r->result = bitmaps_store(s);
        if (r->result) {
            error_report("Lost persistent bitmaps of '%s': %s", s->node->filename, strerror(-r->result));
            r->result = 0;
        }
    }
    if (!r->result && s->incompatible & INCOMPAT_DIRTY && s->lazy_refcounts && !s->is_corrupt) {
        s->incompatible &= ~(uint64_t)INCOMPAT_DIRTY;
        r->result = header_write_features(s);
    }
    co_mutex_unlock(&s->lock);
}

bool qcow2_set_writable(BlockNode *node, bool writable, Error **errp)
{
    Qcow2 *s = node->state;

    if (!writable) {
        CloseRequest r = { s, 0 };
        ioctx_run(node->context, close_entry, &r);
        return true;
    }
    if (s->incompatible & INCOMPAT_CORRUPT || s->is_corrupt) {
        return fail(errp, "qcow2: Image is corrupt; cannot be opened read/write");
    }
    s->autoclear &= (s->incompatible & INCOMPAT_DATA_FILE ? AUTOCLEAR_RAW_DATA : 0) | (s->bitmaps.n ? AUTOCLEAR_BITMAPS : 0);
    int err = header_write_features(s);
    if (err) {
        error_set_errno(errp, -err, "Could not write the header");
        return false;
    }
    return repair_dirty(s, errp) && (!s->bitmaps.n || bitmaps_mark_in_use(s, errp));
}

void qcow2_close(BlockNode *node)
{
    Qcow2 *s = node->state;

    if (node->is_open && !node->readonly) {
        CloseRequest r = { s, 0 };
        ioctx_run(node->context, close_entry, &r);
        if (r.result) {
            error_report("Lost persistent changes of '%s' while closing it: %s", node->filename, strerror(-r.result));
        }
    }
    cache_finish(&s->l2_cache);
    cache_finish(&s->refcount_cache);
    metadata_forget(s);
    snapshots_free(s);
    bitmaps_forget(s);
    crypt_close(s);
    for (size_t i = 0; i < s->n_unknown; i++) {
        free(s->unknown[i].data);
    }
    for (size_t i = 0; i < ARRAY_SIZE(s->decompressed); i++) {
        free(s->decompressed[i].data);
    }
    free(s->unknown);
    free(s->l1);
    free(s->reftable);
    free(s->l1_dirty.bits);
    free(s->reftable_dirty.bits);
    free(s->data_file_name);
    vec_free(&s->freed);
    vec_free(&s->leaving);
}

/* -- writing --------------------------------------------------------------------------------------------------------- */

int header_write_features(Qcow2 *s)
{
    uint8_t buf[24];

    if (s->version < 3) {
        return 0;
    }
    stbe64(buf, s->incompatible);
    stbe64(buf + 8, s->compatible);
    stbe64(buf + 16, s->autoclear);
    int err = co_self() ? node_co_pwrite(s->file, 72, buf, sizeof(buf), 0) : node_pwrite(s->file, 72, buf, sizeof(buf), 0);
    err = err ? err : co_self() ? node_co_flush(s->file) : node_flush(s->file);
    return err;
}

typedef struct FeatureName {
    uint8_t kind, bit; /* 0 incompatible, 1 compatible, 2 autoclear */
    const char *name;
} FeatureName;

static const FeatureName feature_names[] = {
    { 0, 0, "dirty bit" }, { 0, 1, "corrupt bit" }, { 0, 2, "external data file" }, { 0, 3, "compression type" },
    { 0, 4, "extended L2 entries" }, { 1, 0, "lazy refcounts" }, { 2, 0, "bitmaps" }, { 2, 1, "raw external data" },
};

static size_t put_extension(uint8_t *at, uint32_t type, const void *data, uint32_t bytes)
{
    stbe32(at, type);
    stbe32(at + 4, bytes);
    memcpy(at + 8, data, bytes);
    return 8 + ROUND_UP(bytes, 8u);
}

/* The header's cluster; 0 or -ENOSPC if it is too small for all that. */
int header_build(const Qcow2 *s, uint8_t *cluster)
{
    const BlockNode *node = s->node;
    size_t at = s->version >= 3 ? QCOW2_HEADER_V3 + 8 : QCOW2_HEADER_V2, need = at + 8;
    size_t backing_bytes = node->backing_file ? strlen(node->backing_file) : 0;

    need += node->backing_format ? 24 : 0;
    need += (s->bitmaps.n ? 32 : 0) + (s->crypt ? 24 : 0);
    need += s->data_file_name ? 16 + strlen(s->data_file_name) : 0;
    for (size_t i = 0; i < s->n_unknown; i++) {
        need += 16 + s->unknown[i].bytes;
    }
    if (need + backing_bytes > s->cluster_size) {
        return -ENOSPC;
    }
    /* Names of features are for readers that do not know them; they go where there is no room. */
    bool names = s->version >= 3 && need + backing_bytes + 8 + ARRAY_SIZE(feature_names) * 48 <= s->cluster_size;
    memset(cluster, 0, s->cluster_size);
    stbe32(cluster, QCOW2_MAGIC);
    stbe32(cluster + 4, s->version);
    stbe32(cluster + 20, s->cluster_bits);
    stbe64(cluster + 24, node->size_bytes);
    stbe32(cluster + 32, s->crypt_method);
    stbe32(cluster + 36, s->l1_size);
    stbe64(cluster + 40, s->l1_offset);
    stbe64(cluster + 48, s->reftable_offset);
    stbe32(cluster + 56, s->reftable_clusters);
    stbe32(cluster + 60, s->n_snapshots);
    stbe64(cluster + 64, s->snapshots_offset);
    if (s->version >= 3) {
        stbe64(cluster + 72, s->incompatible);
        stbe64(cluster + 80, s->compatible);
        stbe64(cluster + 88, s->autoclear);
        stbe32(cluster + 96, s->refcount_order);
        stbe32(cluster + 100, QCOW2_HEADER_V3 + 8);
        cluster[104] = (uint8_t)s->compression;
    }
    /* First what is changed while the image is in use: in one sector, which is written as a whole or not. */
    if (s->bitmaps.n) {
        uint8_t extension[24];
        bitmaps_build_extension(s, extension);
        at += put_extension(cluster + at, EXTENSION_BITMAPS, extension, sizeof(extension));
    }
    uint8_t crypt[16];
    if (crypt_build_extension(s, crypt)) {
        at += put_extension(cluster + at, EXTENSION_ENCRYPTION, crypt, sizeof(crypt));
    }
    if (node->backing_format) {
        at += put_extension(cluster + at, (uint32_t)EXTENSION_BACKING_FORMAT, node->backing_format, (uint32_t)strlen(node->backing_format));
    }
    if (s->data_file_name) {
        at += put_extension(cluster + at, EXTENSION_DATA_FILE, s->data_file_name, (uint32_t)strlen(s->data_file_name));
    }
    if (names) {
        uint8_t rows[sizeof(feature_names) / sizeof(feature_names[0])][48] = { { 0 } };
        for (size_t i = 0; i < ARRAY_SIZE(feature_names); i++) {
            rows[i][0] = feature_names[i].kind;
            rows[i][1] = feature_names[i].bit;
            memcpy(rows[i] + 2, feature_names[i].name, strlen(feature_names[i].name));
        }
        at += put_extension(cluster + at, EXTENSION_FEATURES, rows, sizeof(rows));
    }
    for (size_t i = 0; i < s->n_unknown; i++) {
        at += put_extension(cluster + at, s->unknown[i].type, s->unknown[i].data, s->unknown[i].bytes);
    }
    at += 8; /* the end */
    if (backing_bytes) {
        stbe64(cluster + 8, at);
        stbe32(cluster + 16, (uint32_t)backing_bytes);
        memcpy(cluster + at, node->backing_file, backing_bytes);
    }
    return 0;
}

typedef struct HeaderWrite {
    Qcow2 *s;
    int result;
} HeaderWrite;

int header_write(Qcow2 *s)
{
    uint8_t *cluster = xcalloc(1, s->cluster_size);
    int err = header_build(s, cluster);

    err = err ? err : node_co_pwrite(s->file, 0, cluster, s->cluster_size, 0);
    free(cluster);
    return err ? err : node_co_flush(s->file);
}

static void header_entry(void *opaque)
{
    HeaderWrite *w = opaque;
    co_mutex_lock(&w->s->lock);
    w->result = header_write(w->s);
    co_mutex_unlock(&w->s->lock);
}

bool qcow2_change_backing(BlockNode *node, const char *file, const char *format, Error **errp)
{
    Qcow2 *s = node->state;
    HeaderWrite w = { s, 0 };

    if (file && strlen(file) > 1023) {
        return fail(errp, "Backing file name too long");
    }
    if (s->autoclear & AUTOCLEAR_RAW_DATA && file && *file) {
        return fail(errp, "Backing file not allowed for an image with a raw external data file");
    }
    char *old_file = node->backing_file, *old_format = node->backing_format;
    node->backing_file = file && *file ? xstrdup(file) : NULL;
    node->backing_format = format && *format ? xstrdup(format) : NULL;
    ioctx_run(node->context, header_entry, &w);
    if (w.result) {
        free(node->backing_file);
        free(node->backing_format);
        node->backing_file = old_file;
        node->backing_format = old_format;
        error_set_errno(errp, -w.result, "Could not change the backing file to '%s'", file ? file : "");
        return false;
    }
    free(old_file);
    free(old_format);
    return true;
}
