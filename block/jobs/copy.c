/*
 * copy.c: see internal.h.
 */
#include <errno.h>

#include "block/jobs/internal.h"

void copy_range_begin(CopyRange **list, CopyRange *r, uint64_t offset, uint64_t bytes)
{
    *r = (CopyRange){ .next = *list, .offset = offset, .bytes = bytes };
    co_queue_init(&r->waiters);
    *list = r;
}

void copy_range_end(CopyRange **list, CopyRange *r)
{
    for (CopyRange **at = list; *at; at = &(*at)->next) {
        if (*at == r) {
            *at = r->next;
            break;
        }
    }
    co_queue_wake_all(&r->waiters);
}

bool copy_range_wait(CopyRange **list, uint64_t offset, uint64_t bytes)
{
    bool waited = false;

    for (CopyRange *r = *list; r;) {
        if (r->offset < offset + bytes && offset < r->offset + r->bytes) {
            co_queue_wait(&r->waiters);
            waited = true;
            r = *list;
        } else {
            r = r->next;
        }
    }
    return waited;
}

int copy_piece(BlockNode *from, BlockNode *to, uint64_t offset, uint64_t bytes, unsigned flags, uint64_t *ret_bytes, bool *ret_is_read)
{
    BlockStatus st;
    int err = node_co_status_above(from, NULL, offset, bytes, &st);

    *ret_is_read = true;
    *ret_bytes = err ? bytes : MIN(st.bytes, bytes);
    if (err) {
        return err;
    }
    if (st.flags & STATUS_ZERO) {
        *ret_is_read = false;
        return node_co_zero(to, offset, *ret_bytes, REQ_UNMAP);
    }
    *ret_bytes = MIN(*ret_bytes, JOB_CHUNK);
    uint8_t *buf = node_alloc(to, *ret_bytes);
    err = node_co_pread(from, offset, buf, *ret_bytes);
    if (!err) {
        struct iovec v = { buf, *ret_bytes };
        *ret_is_read = false;
        err = buffer_is_zero(buf, *ret_bytes) && !(flags & REQ_COMPRESSED) ? node_co_zero(to, offset, *ret_bytes, REQ_UNMAP)
              : node_co_write(to, offset, *ret_bytes, sg_of(&v), flags);
        if (err == -ENOTSUP && flags & REQ_COMPRESSED) {
            err = node_co_write(to, offset, *ret_bytes, sg_of(&v), 0);
        }
    }
    free(buf);
    return err;
}

int copy_all(BlockNode *from, BlockNode *to, uint64_t offset, uint64_t bytes, unsigned flags, bool *ret_is_read)
{
    int err = 0;

    for (uint64_t n; bytes && !err; offset += n, bytes -= n) {
        err = copy_piece(from, to, offset, bytes, flags, &n, ret_is_read);
    }
    return err;
}

BlockEdge *job_attach(BlockNode *node, const char *id, unsigned perm, unsigned shared, Error **errp)
{
    BlockEdge *edge = node_attach(node, id, perm, shared, errp);

    if (edge) {
        edge->stays = true;
    }
    return edge;
}

bool job_uses(const BlockNode *node)
{
    for (const BlockEdge *e = node->parents; e; e = e->next_parent) {
        if (e->stays) {
            return true;
        }
    }
    return false;
}
