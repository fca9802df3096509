/*
 * internal.h: what jobs share: ranges that are being copied, and the copying.
 */
#ifndef BLOCK_JOBS_INTERNAL_H
#define BLOCK_JOBS_INTERNAL_H

#include "block/bitmap.h"
#include "block/job.h"
#include "util/alloc.h"

enum { JOB_PARALLEL = 16 };
#define JOB_CHUNK (1 * MiB)

/* A range that somebody copies; others that touch it wait. */
typedef struct CopyRange {
    struct CopyRange *next;
    uint64_t offset, bytes;
    CoQueue waiters;
} CopyRange;

void copy_range_begin(CopyRange **list, CopyRange *r, uint64_t offset, uint64_t bytes);
void copy_range_end(CopyRange **list, CopyRange *r);
bool copy_range_wait(CopyRange **list, uint64_t offset, uint64_t bytes); /* true: it waited */
/* As the source reads: zeros as zeros. *ret_bytes: how much of it, at least something. */
int copy_piece(BlockNode *from, BlockNode *to, uint64_t offset, uint64_t bytes, unsigned flags, uint64_t *ret_bytes, bool *ret_is_read);
/* The same for all of it. */
int copy_all(BlockNode *from, BlockNode *to, uint64_t offset, uint64_t bytes, unsigned flags, bool *ret_is_read);
/* An edge that keeps its node when others are moved. */
BlockEdge *job_attach(BlockNode *node, const char *id, unsigned perm, unsigned shared, Error **errp);

#endif
