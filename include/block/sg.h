/*
 * sg.h: a place in scattered memory.
 *
 * An Sg names a byte in a vector of buffers; how many bytes from there on are meant is said beside it. Moving on costs nothing and
 * allocates nothing, so that a request can be split as often as a format needs.
 */
#ifndef BLOCK_SG_H
#define BLOCK_SG_H

#include <sys/uio.h>

#include "util/base.h"

typedef struct Sg {
    const struct iovec *iov;
    size_t skip;            /* bytes of iov[0] before the place; may be more than it has */
} Sg;

static inline Sg sg_of(const struct iovec *iov) { return (Sg){ iov, 0 }; }
static inline Sg sg_after(Sg sg, size_t bytes) { return (Sg){ sg.iov, sg.skip + bytes }; }

/* The next buffers, at most `max` of them and `bytes` in all; *ret_bytes: how much they are. */
unsigned sg_map(Sg sg, size_t bytes, struct iovec *out, unsigned max, size_t *ret_bytes);
/* The address if the bytes are in one piece; else NULL. */
void *sg_flat(Sg sg, size_t bytes);
void sg_store(Sg sg, const void *from, size_t bytes);   /* memory → scattered */
void sg_load(Sg sg, void *to, size_t bytes);            /* scattered → memory */
void sg_zero(Sg sg, size_t bytes);
bool sg_is_zero(Sg sg, size_t bytes);
bool sg_is_aligned(Sg sg, size_t bytes, size_t align);  /* addresses and lengths */

/* Whether memory has zeros alone. */
bool buffer_is_zero(const void *buf, size_t bytes);

#endif
