/*
 * filter.h: what filters share: requests that go through as they are, and the child they go to.
 *
 * A filter is a node with a child (its "file") that has the same data; a driver of its own for each, a file each.
 */
#ifndef BLOCK_FILTERS_FILTER_H
#define BLOCK_FILTERS_FILTER_H

#include "block/node-internal.h"
#include "softmmu/options.h"

/* Opens the child and takes its size, alignments and read-only state. */
bool filter_open_child(BlockNode *node, Json *options, const char *name, Error **errp);
void filter_take_limits(BlockNode *node, const BlockNode *child);
int filter_co_read(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags);
int filter_co_write(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags);
int filter_co_write_compressed(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg);
int filter_co_zero(BlockNode *node, uint64_t offset, uint64_t bytes, unsigned flags);
int filter_co_discard(BlockNode *node, uint64_t offset, uint64_t bytes);
int filter_co_truncate(BlockNode *node, uint64_t bytes, bool exact, Prealloc prealloc, Error **errp);
/* The data is the child's, and where it is is the child's to say. */
int filter_co_status(BlockNode *node, uint64_t offset, uint64_t bytes, BlockStatus *ret);

#endif
