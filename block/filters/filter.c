/*
 * filter.c: see filter.h.
 */
#include "block/filters/filter.h"

void filter_take_limits(BlockNode *node, const BlockNode *child)
{
    node->size_bytes = child->size_bytes;
    node->request_align = child->request_align;
    node->memory_align = child->memory_align;
    node->max_transfer = child->max_transfer;
    node->zero_align = child->zero_align;
    node->readonly |= child->readonly;
    node->flags |= BLOCK_DISCARD; /* it is the child that decides */
}

bool filter_open_child(BlockNode *node, Json *options, const char *name, Error **errp)
{
    BlockEdge *edge = node_open_child(node, options, name, ROLE_FILTERED | ROLE_PRIMARY, NULL, false, errp);

    if (edge) {
        filter_take_limits(node, edge->node);
    }
    return edge != NULL;
}

int filter_co_read(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags)
{
    return node_co_read(node_filtered(node), offset, bytes, sg, flags);
}

int filter_co_write(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags)
{
    return node_co_write(node_filtered(node), offset, bytes, sg, flags);
}

int filter_co_write_compressed(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg)
{
    return node_co_write(node_filtered(node), offset, bytes, sg, REQ_COMPRESSED);
}

int filter_co_zero(BlockNode *node, uint64_t offset, uint64_t bytes, unsigned flags)
{
    return node_co_zero(node_filtered(node), offset, bytes, flags);
}

int filter_co_discard(BlockNode *node, uint64_t offset, uint64_t bytes)
{
    return node_co_discard(node_filtered(node), offset, bytes);
}

int filter_co_truncate(BlockNode *node, uint64_t bytes, bool exact, Prealloc prealloc, Error **errp)
{
    return node_co_truncate(node_filtered(node), bytes, exact, prealloc, errp);
}

int filter_co_status(BlockNode *node, uint64_t offset, uint64_t bytes, BlockStatus *ret)
{
    return node_co_status(node_filtered(node), offset, bytes, ret);
}
