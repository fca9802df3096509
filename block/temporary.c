/*
 * temporary.c: a temporary image on top of a node, so that what is written is forgotten in the end (snapshot=on, -s).
 */
#include <errno.h>
#include <unistd.h>

#include "block/node-internal.h"
#include "util/alloc.h"

BlockNode *node_put_temporary(BlockNode *base, const char *folder, Error **errp)
{
    const char *env = getenv("TMPDIR");
    char *path = xasprintf("%s/snapshot-XXXXXX", folder ? folder : env && *env ? env : "/var/tmp");
    int fd = mkstemp(path);
    BlockNode *node = NULL;

    if (fd < 0) {
        error_set_errno(errp, errno, "Could not make a temporary file '%s'", path);
        free(path);
        return NULL;
    }
    close(fd);
    Json *shape = json_object(), *options = json_object();
    json_put_uint(shape, "size", base->size_bytes);
    json_put_string(options, "driver", "qcow2");
    json_put_string(options, "backing", base->name);
    if (image_create(path, "qcow2", shape, true, errp)) {
        node = node_open(path, options, BLOCK_RDWR | BLOCK_NO_FLUSH | (base->flags & BLOCK_DISCARD), errp);
    } else {
        json_free(options);
    }
    unlink(path); /* it has no name any more once it is open */
    json_free(shape);
    free(path);
    return node;
}
