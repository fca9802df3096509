/*
 * luks.c: "luks": a disk encrypted as a whole, behind a LUKS header of version 1 (crypto/luks.c), as cryptsetup makes and opens it.
 *
 * Leaves out: version 2, headers in another file (header=, detached-header=on).
 */
#include <errno.h>
#include <string.h>

#include "block/crypto/luks.h"
#include "block/crypto/request.h"
#include "block/node-internal.h"
#include "softmmu/options.h"
#include "util/alloc.h"

static const BlockOption luks_options[] = {
    { "key-secret", OPTION_STRING, "ID of the secret that provides the encryption key", NULL },
    { NULL },
};

static unsigned luks_probe_node(const uint8_t *head, size_t bytes, const char *filename)
{
    return luks_probe(head, bytes) ? 100 : 0;
}

static bool luks_open(BlockNode *node, Json *options, Error **errp)
{
    Luks *l = node->state;
    BlockNode *file = node_file(node);
    const char *secret;

    if (!opts_string(options, "key-secret", NULL, &secret, errp) || !luks_read(l, file, 0, UINT64_MAX, errp)) {
        return false;
    }
    if (l->payload_offset > file->size_bytes) {
        error_set(errp, "the payload of the LUKS image is behind the end of the file");
        return false;
    }
    if (!(node->flags & BLOCK_NO_IO) && !luks_unlock(l, secret, "", errp)) {
        luks_close(l);
        return false;
    }
    json_drop(options, "key-secret");
    node->size_bytes = ROUND_DOWN(file->size_bytes - l->payload_offset, (uint64_t)CIPHER_SECTOR);
    node->request_align = CIPHER_SECTOR;
    node->memory_align = file->memory_align;
    return true;
}

static void luks_close_node(BlockNode *node)
{
    luks_close(node->state);
}

static int luks_co_read(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags)
{
    const Luks *l = node->state;
    return l->cipher ? crypt_co_read(l->cipher, node_file(node), l->payload_offset + offset, offset, bytes, sg) : -EACCES;
}

static int luks_co_write(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags)
{
    const Luks *l = node->state;
    return l->cipher ? crypt_co_write(l->cipher, node_file(node), l->payload_offset + offset, offset, bytes, sg, flags) : -EACCES;
}

static int luks_co_truncate(BlockNode *node, uint64_t bytes, bool exact, Prealloc prealloc, Error **errp)
{
    const Luks *l = node->state;

    if (bytes > (uint64_t)INT64_MAX - l->payload_offset) {
        error_set(errp, "The requested file size is too large");
        return -EFBIG;
    }
    return node_co_truncate(node_file(node), bytes + l->payload_offset, exact, prealloc, errp);
}

static void luks_info(BlockNode *node, BlockInfo *ret)
{
    Json *specific = json_object();

    json_put_string(specific, "type", "luks");
    json_put(specific, "data", luks_describe(node->state, false));
    *ret = (BlockInfo){ .is_encrypted = true, .specific = specific };
}

static bool luks_create_file(const char *filename, const Json *options, Error **errp)
{
    LuksShape shape;
    bool detached;
    uint64_t size;
    Luks l = { 0 };

    if (!luks_shape(&shape, options, "", errp) || !opts_bool(options, "detached-header", false, &detached, errp) ||
        !opts_size(options, "size", 0, &size, errp)) {
        return false;
    }
    if (detached) {
        error_set(errp, "detached LUKS headers are not supported");
        return false;
    }
    uint64_t header = luks_header_bytes(&shape);
    if (size > (uint64_t)INT64_MAX - header) {
        error_set(errp, "The requested file size is too large");
        return false;
    }
    if (!image_create_file(filename, options, errp)) {
        return false;
    }
    BlockNode *file = node_open_protocol(filename, BLOCK_RDWR, errp);
    BlockEdge *edge = file ? node_attach(file, "create", PERM_READ | PERM_WRITE | PERM_RESIZE, PERM_READ, errp) : NULL;
    bool ok = edge && node_truncate(file, header + size, false, PREALLOC_OFF, errp) && luks_create(&l, file, 0, &shape, errp);
    luks_close(&l);
    if (edge) {
        edge_detach(edge);
    }
    node_unref(file);
    return ok;
}

static bool luks_amend_node(BlockNode *node, const Json *options, Error **errp)
{
    return luks_amend(node->state, options, "", json_get_bool(options, "force", false), errp);
}

static bool luks_measure(const Json *options, BlockNode *in, uint64_t *required, uint64_t *full, Error **errp)
{
    LuksShape shape;
    uint64_t size;

    if (!luks_shape(&shape, options, "", errp) || !opts_size(options, "size", 0, &size, errp)) {
        return false;
    }
    *required = *full = luks_header_bytes(&shape) + (in ? in->size_bytes : size);
    return true;
}

/* In the order that a new image's are shown. */
static const BlockOption create_options[] = {
    { "size", OPTION_SIZE, "Virtual disk size", NULL },
    { "key-secret", OPTION_STRING, "ID of the secret that provides the keyslot passphrase", NULL },
    { "cipher-alg", OPTION_STRING, "Name of encryption cipher algorithm", NULL },
    { "cipher-mode", OPTION_STRING, "Name of encryption cipher mode", NULL },
    { "ivgen-alg", OPTION_STRING, "Name of IV generator algorithm", NULL },
    { "ivgen-hash-alg", OPTION_STRING, "Name of IV generator hash algorithm", NULL },
    { "hash-alg", OPTION_STRING, "Name of encryption hash algorithm", NULL },
    { "detached-header", OPTION_BOOL, "Create a detached LUKS header", NULL },
    { "iter-time", OPTION_NUMBER, "Time to spend in PBKDF in milliseconds", NULL },
    { NULL },
};

const BlockDriver block_luks = {
    .name = "luks", .summary = "disks encrypted as Linux does it", .kind = DRIVER_FORMAT, .state_bytes = sizeof(Luks), .options = luks_options,
    .create_options = create_options, .amend_options = luks_amend_rows, .handles_fua = true,
    .probe = luks_probe_node, .open = luks_open, .close = luks_close_node, .create = luks_create_file,
    .co_read = luks_co_read, .co_write = luks_co_write, .co_truncate = luks_co_truncate,
    .info = luks_info, .amend = luks_amend_node, .measure = luks_measure,
};
