/*
 * alloc.h: memory that is always there, arenas, and growable arrays.
 *
 * xmalloc and its siblings end the program with a message when the host has
 * no memory left; sizes taken from a guest, an image or a peer must be
 * bounded before they get here. Freed with free().
 *
 * An Arena hands out memory that is released all at once (arena_reset keeps
 * the blocks for reuse); it belongs to one thread.
 */
#ifndef UTIL_ALLOC_H
#define UTIL_ALLOC_H

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "util/base.h"

void *xmalloc(size_t size_bytes);
void *xcalloc(size_t count, size_t size_bytes);
void *xrealloc(void *ptr, size_t size_bytes);
void *xmemalign(size_t align_bytes, size_t size_bytes);
void *xmemdup(const void *src, size_t size_bytes);
char *xstrdup(const char *str);
char *xstrndup(const char *str, size_t n);
char *xasprintf(const char *fmt, ...) PRINTF_LIKE(1, 2);
char *xvasprintf(const char *fmt, va_list ap);
#define xnew(type) ((type *)xcalloc(1, sizeof(type)))
#define xnew_array(type, n) ((type *)xcalloc((n), sizeof(type)))

/* Has the host make pages that are about to be written at once: a fault for each costs several times that. */
void mem_populate(void *p, size_t size_bytes);

typedef struct ArenaBlock ArenaBlock;
typedef struct Arena {
    char *cur, *end;
    ArenaBlock *first, *current;
} Arena;

void arena_init(Arena *arena);
void arena_finish(Arena *arena);
void arena_reset(Arena *arena);
void *arena_alloc_slow(Arena *arena, size_t size_bytes);

/* 16-byte aligned, not zeroed. */
static inline void *arena_alloc(Arena *arena, size_t size_bytes)
{
    size_bytes = ROUND_UP(size_bytes, 16);
    if (unlikely((size_t)(arena->end - arena->cur) < size_bytes)) {
        return arena_alloc_slow(arena, size_bytes);
    }
    void *p = arena->cur;
    arena->cur += size_bytes;
    return p;
}

/*
 * A growable array: declare `VEC(int) v = {0};`, append with
 * *vec_push(&v) = 3, read v.at[i] for i < v.n, end with vec_free(&v).
 * Pointers into it are invalid after the next push.
 */
#define VEC(type) struct { type *at; size_t n, cap; }
#define vec_push(v)                                                            \
    ((v)->n == (v)->cap                                                        \
         ? (void)((v)->at = vec_grow((v)->at, &(v)->cap, sizeof(*(v)->at)))    \
         : (void)0,                                                            \
     &(v)->at[(v)->n++])
#define vec_clear(v) ((void)((v)->n = 0))
#define vec_free(v) (free((v)->at), (v)->at = NULL, (v)->n = (v)->cap = 0)
void *vec_grow(void *at, size_t *cap, size_t elem_size);

#endif
