/*
 * create.c: new images, and how large they get.
 */
#include <errno.h>
#include <string.h>

#include "block/qcow2/qcow2.h"
#include "softmmu/options.h"

const BlockOption qcow2_create_options[] = {
    { "cluster_size", OPTION_SIZE, "qcow2 cluster size", "65536" },
    { "extended_l2", OPTION_BOOL, "Extended L2 tables", "off" },
    { "preallocation", OPTION_STRING, "Preallocation mode (allowed values: off, metadata, falloc, full)", "off" },
    { "compression_type", OPTION_STRING, "Compression method used for image cluster compression", "zlib" },
    { "size", OPTION_SIZE, "Virtual disk size", NULL },
    { "compat", OPTION_STRING, "Compatibility level (v2 [0.10] or v3 [1.1])", "1.1" },
    { "backing_file", OPTION_STRING, "File name of a base image", NULL },
    { "backing_fmt", OPTION_STRING, "Image format of the base image", NULL },
    { "data_file", OPTION_STRING, "File name of an external data file", NULL },
    { "data_file_raw", OPTION_BOOL, "The external data file must stay valid as a raw image", "off" },
    { "encrypt.cipher-alg", OPTION_STRING, "Name of encryption cipher algorithm", NULL },
    { "encrypt.cipher-mode", OPTION_STRING, "Name of encryption cipher mode", NULL },
    { "encrypt.format", OPTION_STRING, "Encrypt the image, format choices: 'aes', 'luks'", NULL },
    { "encrypt.hash-alg", OPTION_STRING, "Name of encryption hash algorithm", NULL },
    { "encrypt.iter-time", OPTION_NUMBER, "Time to spend in PBKDF in milliseconds", NULL },
    { "encrypt.ivgen-alg", OPTION_STRING, "Name of IV generator algorithm", NULL },
    { "encrypt.ivgen-hash-alg", OPTION_STRING, "Name of IV generator hash algorithm", NULL },
    { "encrypt.key-secret", OPTION_STRING, "ID of secret providing qcow AES key or LUKS passphrase", NULL },
    { "encryption", OPTION_BOOL, "Encrypt the image with format 'aes'. (Deprecated in favor of encrypt.format=aes)", NULL },
    { "lazy_refcounts", OPTION_BOOL, "Postpone refcount updates", "off" },
    { "refcount_bits", OPTION_NUMBER, "Width of a reference count entry in bits", "16" },
    { NULL },
};

const BlockOption qcow2_amend_options[] = {
    { "backing_file", OPTION_STRING, "File name of a base image", NULL },
    { "backing_fmt", OPTION_STRING, "Image format of the base image", NULL },
    { "compat", OPTION_STRING, "Compatibility level (v2 [0.10] or v3 [1.1])", NULL },
    { "data_file", OPTION_STRING, "File name of an external data file", NULL },
    { "data_file_raw", OPTION_BOOL, "The external data file must stay valid as a raw image", NULL },
    { "encrypt.iter-time", OPTION_NUMBER, "Time to spend in PBKDF in milliseconds", NULL },
    { "encrypt.keyslot", OPTION_NUMBER, "Select a single keyslot to modify explicitly", NULL },
    { "encrypt.new-secret", OPTION_STRING, "New secret to set in the matching keyslots. Empty string to erase", NULL },
    { "encrypt.old-secret", OPTION_STRING, "Select all keyslots that match this password", NULL },
    { "encrypt.state", OPTION_STRING, "Select new state of affected keyslots (active/inactive)", NULL },
    { "lazy_refcounts", OPTION_BOOL, "Postpone refcount updates", NULL },
    { "refcount_bits", OPTION_NUMBER, "Width of a reference count entry in bits", NULL },
    { "size", OPTION_SIZE, "Virtual disk size", NULL },
    { NULL },
};

typedef struct CreateOptions {
    uint64_t size, cluster_size, refcount_bits;
    unsigned version, compression, refcount_order;
    bool lazy, extended_l2, data_file_raw;
    unsigned crypt_method;
    const char *backing_file, *backing_fmt, *data_file;
    Prealloc prealloc;
} CreateOptions;

static bool fail(Error **errp, const char *text)
{
    error_set(errp, "%s", text);
    return false;
}

static bool read_options(const Json *options, CreateOptions *o, Error **errp)
{
    const char *compat, *type, *mode;

    *o = (CreateOptions){ .version = 3 };
    if (!opts_size(options, "size", 0, &o->size, errp) || !opts_size(options, "cluster_size", 65536, &o->cluster_size, errp) ||
        !opts_string(options, "compat", "1.1", &compat, errp) || !opts_string(options, "compression_type", "zlib", &type, errp) ||
        !opts_string(options, "preallocation", "off", &mode, errp) || !opts_string(options, "backing_file", NULL, &o->backing_file, errp) ||
        !opts_string(options, "backing_fmt", NULL, &o->backing_fmt, errp) || !opts_string(options, "data_file", NULL, &o->data_file, errp) ||
        !opts_bool(options, "data_file_raw", false, &o->data_file_raw, errp) || !opts_bool(options, "lazy_refcounts", false, &o->lazy, errp) ||
        !opts_bool(options, "extended_l2", false, &o->extended_l2, errp) || !crypt_create_options(options, &o->crypt_method, errp) ||
        !opts_uint(options, "refcount_bits", 16, &o->refcount_bits, errp)) {
        return false;
    }
    if (!strcmp(compat, "0.10") || !strcmp(compat, "v2")) {
        o->version = 2;
    } else if (strcmp(compat, "1.1") && strcmp(compat, "v3")) {
        error_set(errp, "Parameter 'version' does not accept value '%s'", compat);
        return false;
    }
    if (!strcmp(type, "zstd")) {
        o->compression = 1;
    } else if (strcmp(type, "zlib")) {
        error_set(errp, "Parameter 'compression-type' does not accept value '%s'", type);
        return false;
    }
    while (prealloc_names[o->prealloc] && strcmp(prealloc_names[o->prealloc], mode)) {
        o->prealloc++;
    }
    if (!prealloc_names[o->prealloc]) {
        error_set(errp, "Parameter 'preallocation' does not accept value '%s'", mode);
        return false;
    }
    o->size = ROUND_UP(o->size, (uint64_t)512);
    return true;
}

static bool check_options(CreateOptions *o, Error **errp)
{
    if (!bits_is_pow2(o->cluster_size) || o->cluster_size < 1u << QCOW2_MIN_CLUSTER_BITS || o->cluster_size > 1u << QCOW2_MAX_CLUSTER_BITS) {
        error_set(errp, "Cluster size must be a power of two between %d and %dk", 1 << QCOW2_MIN_CLUSTER_BITS, 1 << (QCOW2_MAX_CLUSTER_BITS - 10));
        return false;
    }
    if (o->refcount_bits > 64 || !bits_is_pow2(o->refcount_bits)) {
        return fail(errp, "Refcount width must be a power of two and may not exceed 64 bits");
    }
    o->refcount_order = (unsigned)__builtin_ctzll(o->refcount_bits);
    if (o->crypt_method && o->data_file_raw) {
        return fail(errp, "data-file-raw and encryption cannot be used at the same time");
    }
    if (o->version < 3 && o->refcount_bits != 16) {
        return fail(errp, "Different refcount widths than 16 bits require compatibility level 1.1 or above (use version=v3 or greater)");
    }
    if (o->version < 3 && o->lazy) {
        return fail(errp, "Lazy refcounts only supported with compatibility level 1.1 and above (use version=v3 or greater)");
    }
    if (o->version < 3 && o->extended_l2) {
        return fail(errp, "Extended L2 entries are only supported with compatibility level 1.1 and above (use version=v3 or greater)");
    }
    if (o->version < 3 && o->data_file) {
        return fail(errp, "External data files are only supported with compatibility level 1.1 and above (use version=v3 or greater)");
    }
    if (o->version < 3 && o->compression) {
        return fail(errp, "Non-zlib compression type is only supported with compatibility level 1.1 and above (use version=v3 or greater)");
    }
    if (o->extended_l2 && o->cluster_size < SUBCLUSTERS * 512u) {
        return fail(errp, "Extended L2 entries are only supported with cluster sizes of at least 16384 bytes");
    }
    if (o->data_file_raw && !o->data_file) {
        return fail(errp, "data-file-raw requires data-file");
    }
    if (o->data_file_raw && o->backing_file) {
        return fail(errp, "Backing file and data-file-raw cannot be used at the same time");
    }
    if (o->backing_file && o->prealloc != PREALLOC_OFF && !o->extended_l2) {
        return fail(errp, "Backing file and preallocation can only be used at the same time if extended_l2 is enabled");
    }
    if (!compression_known(o->compression)) {
        return fail(errp, "this build has no zstd");
    }
    return true;
}

/* Header, refcount table and one block that counts these three clusters. */
static bool write_empty(BlockNode *file, const CreateOptions *o, Error **errp)
{
    BlockNode shape = { .size_bytes = 0, .backing_file = (char *)o->backing_file, .backing_format = (char *)o->backing_fmt };
    Qcow2 s = { .node = &shape, .version = o->version, .cluster_size = o->cluster_size, .refcount_order = o->refcount_order,
                .cluster_bits = (unsigned)__builtin_ctzll(o->cluster_size), .compression = o->compression, .reftable_offset = o->cluster_size,
                .reftable_clusters = 1, .data_file_name = (char *)o->data_file };

    s.incompatible = (o->data_file ? INCOMPAT_DATA_FILE : 0) | (o->compression ? INCOMPAT_COMPRESSION : 0) | (o->extended_l2 ? INCOMPAT_EXTENDED_L2 : 0);
    s.compatible = o->lazy ? COMPAT_LAZY_REFCOUNTS : 0;
    s.autoclear = o->data_file_raw ? AUTOCLEAR_RAW_DATA : 0;
    uint8_t *buf = xcalloc(3, o->cluster_size);
    int err = header_build(&s, buf);
    if (err) {
        error_set(errp, "the header does not fit in one cluster");
    } else {
        stbe64(buf + o->cluster_size, 2 * o->cluster_size);
        for (unsigned i = 0; i < 3; i++) {
            refcount_write_entry(&s, buf + 2 * o->cluster_size, i, 1);
        }
        err = node_pwrite(file, 0, buf, 3 * o->cluster_size, 0);
        if (err) {
            error_set_errno(errp, -err, "Could not write qcow2 header");
        }
    }
    free(buf);
    return !err;
}

bool qcow2_create(const char *filename, const Json *options, Error **errp)
{
    CreateOptions o;

    if (!read_options(options, &o, errp) || !check_options(&o, errp)) {
        return false;
    }
    Json *below = json_object();
    if (json_get(options, "nocow")) {
        json_put(below, "nocow", json_copy(json_get(options, "nocow")));
    }
    bool ok = image_create_file(filename, below, errp);
    if (ok && o.data_file) {
        char *path = filename_relative_to(filename, o.data_file);
        ok = image_create_file(path, below, errp);
        free(path);
    }
    json_free(below);
    if (!ok) {
        return false;
    }
    BlockNode *file = node_open_protocol(filename, BLOCK_RDWR, errp);
    if (!file) {
        return false;
    }
    ok = write_empty(file, &o, errp);
    node_unref(file);
    if (!ok) {
        return false;
    }
    Json *opts = json_object();
    json_put_string(opts, "driver", "qcow2");
    BlockNode *node = node_open(filename, opts, BLOCK_RDWR | BLOCK_NO_FLUSH | BLOCK_NO_BACKING, errp);
    if (!node) {
        return false;
    }
    BlockEdge *edge = node_attach(node, "create", PERM_WRITE | PERM_RESIZE, PERM_ALL, errp);
    ok = edge && (!o.crypt_method || crypt_create(node, options, o.crypt_method, errp)) && (!o.size || node_truncate(node, o.size, false, o.prealloc, errp));
    if (edge) {
        edge_detach(edge);
    }
    node_unref(node);
    return ok;
}

/* -- how large ------------------------------------------------------------------------------------------------------- */

/* Of refcount blocks and their table, for so many other clusters: they count themselves, too. */
static uint64_t refcount_clusters(uint64_t clusters, uint64_t cluster_size, unsigned order)
{
    uint64_t per_block = cluster_size * 8 >> order, blocks = 0, table = 0, all;

    do {
        all = clusters + blocks + table;
        blocks = DIV_ROUND_UP(all, per_block);
        table = DIV_ROUND_UP(blocks * 8, cluster_size);
    } while (clusters + blocks + table > all);
    return blocks + table;
}

bool qcow2_measure(const Json *options, BlockNode *in, uint64_t *required, uint64_t *full, Error **errp)
{
    CreateOptions o;

    if (!read_options(options, &o, errp)) {
        return false;
    }
    uint64_t size = in ? in->size_bytes : o.size, data = 0;
    o.size = size;
    if (!check_options(&o, errp)) {
        return false;
    }
    for (uint64_t at = 0; in && at < size && !o.data_file;) {
        BlockStatus st;
        int err = node_status_above(in, o.backing_file ? node_backing(in) : NULL, at, size - at, &st);
        if (err) {
            error_set_errno(errp, -err, "Unable to get block status");
            return false;
        }
        if (st.flags & STATUS_DATA && !(st.flags & STATUS_ZERO)) {
            uint64_t start = at & ~(o.cluster_size - 1);
            data += ROUND_UP(at + st.bytes, o.cluster_size) - start;
            at = ROUND_UP(at + st.bytes, o.cluster_size);
        } else {
            at += st.bytes;
        }
    }
    uint64_t cs = o.cluster_size, entry = o.extended_l2 ? 16 : 8, clusters = DIV_ROUND_UP(size, cs);
    uint64_t l2 = DIV_ROUND_UP(clusters * entry, cs), l1 = DIV_ROUND_UP(l2 * 8, cs), fixed = 1 + l1 + l2;
    uint64_t all = o.data_file ? 0 : clusters;
    fixed += DIV_ROUND_UP(crypt_measure(options, o.crypt_method), cs);
    uint64_t full_clusters = fixed + all + refcount_clusters(fixed + all, cs, o.refcount_order);
    *full = full_clusters * cs;
    *required = (o.prealloc == PREALLOC_FULL || o.prealloc == PREALLOC_FALLOC ? full_clusters : full_clusters - all) * cs +
                (o.prealloc == PREALLOC_FULL || o.prealloc == PREALLOC_FALLOC ? 0 : data);
    return true;
}
