/*
 * random.h: random numbers the guest may see: the host's, or with -seed a sequence that repeats.
 *
 * Threads: any; the sequence is shared, so with several threads its order is theirs.
 */
#ifndef UTIL_RANDOM_H
#define UTIL_RANDOM_H

#include "util/base.h"

/* From now on the sequence of this seed. Before threads start. */
void random_seed(uint64_t seed);
/* Fills buf; false: the host has none to give (yet, unless `wait`). */
NODISCARD bool random_bytes(void *buf, size_t n_bytes, bool wait);

#endif
