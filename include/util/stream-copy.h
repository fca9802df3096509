/* stream-copy.h: copies past the cache (util/stream-copy.c). */
#ifndef UTIL_STREAM_COPY_H
#define UTIL_STREAM_COPY_H

#include "util/base.h"

/* Where to is a multiple of this, the first access on either side is to its first byte. */
enum { STREAM_LINE_BYTES = 64 };

void stream_copy(void *to, const void *from, size_t n);

#endif
