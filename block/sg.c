/*
 * sg.c: scattered memory (see the header), and the search for zeros.
 */
#include "block/sg.h"

#include <string.h>

static Sg settle(Sg sg)
{
    while (sg.skip && sg.skip >= sg.iov->iov_len) {
        sg.skip -= sg.iov->iov_len;
        sg.iov++;
    }
    return sg;
}

unsigned sg_map(Sg sg, size_t bytes, struct iovec *out, unsigned max, size_t *ret_bytes)
{
    unsigned n = 0;
    size_t sum = 0;

    for (sg = settle(sg); n < max && sum < bytes; sg.iov++, sg.skip = 0) {
        size_t len = MIN(sg.iov->iov_len - sg.skip, bytes - sum);
        if (len) {
            out[n++] = (struct iovec){ (char *)sg.iov->iov_base + sg.skip, len };
            sum += len;
        }
    }
    *ret_bytes = sum;
    return n;
}

/* The next piece, at most `bytes`; moves on. */
static void *next_piece(Sg *sg, size_t bytes, size_t *len)
{
    *sg = settle(*sg);
    while (sg->iov->iov_len == 0) {
        sg->iov++;
    }
    void *at = (char *)sg->iov->iov_base + sg->skip;
    *len = MIN(sg->iov->iov_len - sg->skip, bytes);
    sg->skip += *len;
    return at;
}

void *sg_flat(Sg sg, size_t bytes)
{
    size_t len;

    if (!bytes) {
        return NULL;
    }
    void *at = next_piece(&sg, bytes, &len);
    return len == bytes ? at : NULL;
}

void sg_store(Sg sg, const void *from, size_t bytes)
{
    for (size_t len; bytes; bytes -= len) {
        void *to = next_piece(&sg, bytes, &len);
        memcpy(to, from, len);
        from = (const char *)from + len;
    }
}

void sg_load(Sg sg, void *to, size_t bytes)
{
    for (size_t len; bytes; bytes -= len) {
        const void *from = next_piece(&sg, bytes, &len);
        memcpy(to, from, len);
        to = (char *)to + len;
    }
}

void sg_zero(Sg sg, size_t bytes)
{
    for (size_t len; bytes; bytes -= len) {
        void *to = next_piece(&sg, bytes, &len);
        memset(to, 0, len);
    }
}

bool sg_is_zero(Sg sg, size_t bytes)
{
    for (size_t len; bytes; bytes -= len) {
        const void *at = next_piece(&sg, bytes, &len);
        if (!buffer_is_zero(at, len)) {
            return false;
        }
    }
    return true;
}

bool sg_is_aligned(Sg sg, size_t bytes, size_t align)
{
    for (size_t len; bytes; bytes -= len) {
        const void *at = next_piece(&sg, bytes, &len);
        if (((uintptr_t)at | len) & (align - 1)) {
            return false;
        }
    }
    return true;
}

/* Data differs from zero early, most often in its first, middle or last word: those are looked at before the loop. */
bool buffer_is_zero(const void *buf, size_t bytes)
{
    typedef uint64_t Word __attribute__((vector_size(32), aligned(1), may_alias));
    const unsigned char *p = buf;
    size_t i = 0;

    if (bytes >= 128) {
        uint64_t head, middle, tail;
        memcpy(&head, p, 8);
        memcpy(&middle, p + bytes / 2, 8);
        memcpy(&tail, p + bytes - 8, 8);
        if (head | middle | tail) {
            return false;
        }
        for (; i + 128 <= bytes; i += 128) {
            Word a = *(const Word *)(p + i) | *(const Word *)(p + i + 32) | *(const Word *)(p + i + 64) | *(const Word *)(p + i + 96);
            if (a[0] | a[1] | a[2] | a[3]) {
                return false;
            }
        }
    }
    for (; i < bytes; i++) {
        if (p[i]) {
            return false;
        }
    }
    return true;
}
