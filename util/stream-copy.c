/*
 * stream-copy.c: copies of more than a cache holds, past the cache where the host can: lines that are written whole are not read first.
 *
 * Ascending, one line after the other: areas may overlap if the destination is the lower one. On return the stores are ordered before
 * everything that follows. Any thread.
 */
#include <string.h>

#include "util/stream-copy.h"
#ifdef __SSE2__
#include <emmintrin.h>
#endif

void stream_copy(void *to, const void *from, size_t n)
{
    uint8_t *d = to;
    const uint8_t *s = from;
#ifdef __SSE2__
    static_assert(STREAM_LINE_BYTES == 4 * sizeof(__m128i), "a line is four vectors");
    size_t head = -(uintptr_t)d & (STREAM_LINE_BYTES - 1);

    if (n >= head + STREAM_LINE_BYTES) {
        memmove(d, s, head);
        d += head;
        s += head;
        n -= head;
        for (; n >= STREAM_LINE_BYTES; n -= STREAM_LINE_BYTES, d += STREAM_LINE_BYTES, s += STREAM_LINE_BYTES) {
            const __m128i *in = (const __m128i *)(const void *)s;
            __m128i *out = (__m128i *)(void *)d;
            __m128i v0 = _mm_loadu_si128(in), v1 = _mm_loadu_si128(in + 1), v2 = _mm_loadu_si128(in + 2), v3 = _mm_loadu_si128(in + 3);
            _mm_stream_si128(out, v0);
            _mm_stream_si128(out + 1, v1);
            _mm_stream_si128(out + 2, v2);
            _mm_stream_si128(out + 3, v3);
        }
        _mm_sfence();
    }
#endif
    memmove(d, s, n);
}
