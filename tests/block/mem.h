/*
 * mem.h: a protocol driver for tests: a file in memory that remembers which writes have been flushed, can fail, and can lose what was not flushed.
 */
#ifndef TESTS_BLOCK_MEM_H
#define TESTS_BLOCK_MEM_H

#include "block/node.h"

typedef struct MemFile {
    uint8_t *data;                 /* as it reads */
    uint64_t bytes, cap;
    uint8_t *stable;               /* as of the last flush */
    uint64_t stable_bytes, stable_cap;
    struct MemWrite *log;          /* since then, in the order they were made */
    size_t n_log, cap_log;
    uint64_t seed;                 /* what yields and failures depend on; 0: none */
    unsigned fail_one_in;          /* 0: never */
    uint64_t writes, flushes;
    unsigned crash_in;             /* with so many more writes *crash_to becomes what a crash leaves; 0: never */
    struct MemFile *crash_to;
} MemFile;

/* An open node on the file; the file outlives it. */
BlockNode *mem_open(MemFile *file, const char *name);
void mem_free(MemFile *file);
/* What may be on the disk after a crash now: the flushed state with some of the later writes, whole or torn, by `seed`. */
void mem_crash(const MemFile *file, uint64_t seed, MemFile *ret);
uint64_t mem_random(uint64_t *seed);

#endif
