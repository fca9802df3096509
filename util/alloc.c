/* alloc.c: see alloc.h. */
#include <stdio.h>
#include <sys/mman.h>

#include "util/alloc.h"

#define ARENA_BLOCK_BYTES ((size_t)256 * 1024)

struct ArenaBlock {
    ArenaBlock *next;
    size_t size_bytes;
    alignas(16) char data[];
};

static noreturn void out_of_memory(size_t size_bytes)
{
    fprintf(stderr, "qemu: out of memory (%zu bytes)\n", size_bytes);
    exit(1);
}

static void *check(void *p, size_t size_bytes)
{
    if (unlikely(!p)) {
        out_of_memory(size_bytes);
    }
    return p;
}

void *xmalloc(size_t size_bytes)
{
    return check(malloc(size_bytes ? size_bytes : 1), size_bytes);
}

void *xcalloc(size_t count, size_t size_bytes)
{
    return check(calloc(count ? count : 1, size_bytes ? size_bytes : 1), count * size_bytes);
}

void *xrealloc(void *ptr, size_t size_bytes)
{
    return check(realloc(ptr, size_bytes ? size_bytes : 1), size_bytes);
}

void *xmemalign(size_t align_bytes, size_t size_bytes)
{
    void *p = NULL;
    if (posix_memalign(&p, MAX(align_bytes, sizeof(void *)), size_bytes ? size_bytes : 1)) {
        out_of_memory(size_bytes);
    }
    return p;
}

void *xmemdup(const void *src, size_t size_bytes)
{
    void *p = xmalloc(size_bytes);
    if (size_bytes) {
        memcpy(p, src, size_bytes);
    }
    return p;
}

char *xstrdup(const char *str)
{
    return xmemdup(str, strlen(str) + 1);
}

char *xstrndup(const char *str, size_t n)
{
    size_t len = strnlen(str, n);
    char *p = xmalloc(len + 1);
    memcpy(p, str, len);
    p[len] = 0;
    return p;
}

char *xvasprintf(const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    int len = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    assert(len >= 0);
    char *p = xmalloc((size_t)len + 1);
    vsnprintf(p, (size_t)len + 1, fmt, ap);
    return p;
}

char *xasprintf(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *p = xvasprintf(fmt, ap);
    va_end(ap);
    return p;
}

void arena_init(Arena *arena)
{
    *arena = (Arena){0};
}

void arena_finish(Arena *arena)
{
    for (ArenaBlock *b = arena->first; b;) {
        ArenaBlock *next = b->next;
        free(b);
        b = next;
    }
    *arena = (Arena){0};
}

static void use_block(Arena *arena, ArenaBlock *block)
{
    arena->current = block;
    arena->cur = block ? block->data : NULL;
    arena->end = block ? block->data + block->size_bytes : NULL;
}

void arena_reset(Arena *arena)
{
    use_block(arena, arena->first);
}

void mem_populate(void *p, size_t size_bytes)
{
#ifdef MADV_POPULATE_WRITE
    enum { PAGE_BYTES = 4096 };
    uintptr_t first = ROUND_UP((uintptr_t)p, (uintptr_t)PAGE_BYTES), end = ROUND_DOWN((uintptr_t)p + size_bytes, (uintptr_t)PAGE_BYTES);
    if (first < end) {
        madvise((void *)first, end - first, MADV_POPULATE_WRITE); /* where it fails pages come one by one */
    }
#endif
}

/* A fresh block is taken into use a piece at a time. */
static void use_more(Arena *arena, size_t size_bytes)
{
    enum { PIECE_BYTES = 32 * 1024 };
    ArenaBlock *b = arena->current;
    char *limit = b->data + b->size_bytes, *from = arena->end;
    size_t more = MAX(size_bytes, (size_t)PIECE_BYTES);
    arena->end = (size_t)(limit - from) > more ? from + more : limit;
    mem_populate(from, (size_t)(arena->end - from));
}

void *arena_alloc_slow(Arena *arena, size_t size_bytes)
{
    ArenaBlock *current = arena->current;
    if (current && (size_t)(current->data + current->size_bytes - arena->cur) >= size_bytes) {
        use_more(arena, size_bytes);
        return arena_alloc(arena, size_bytes);
    }
    /* Reuse the following blocks of an arena that was reset. */
    ArenaBlock *last = arena->current;
    for (ArenaBlock *b = last ? last->next : arena->first; b; b = b->next) {
        if (b->size_bytes >= size_bytes) {
            use_block(arena, b);
            return arena_alloc(arena, size_bytes);
        }
        last = b;
    }
    size_t bytes = MAX(size_bytes, ARENA_BLOCK_BYTES);
    ArenaBlock *b = xmemalign(16, sizeof(*b) + bytes);
    b->next = NULL;
    b->size_bytes = bytes;
    if (last) {
        last->next = b;
    } else {
        arena->first = b;
    }
    use_block(arena, b);
    arena->end = b->data;
    use_more(arena, size_bytes);
    return arena_alloc(arena, size_bytes);
}

void *vec_grow(void *at, size_t *cap, size_t elem_size)
{
    *cap = *cap ? *cap * 2 : 8;
    return xrealloc(at, *cap * elem_size);
}
