/*
 * libc.c: the C library's memory and string functions, each at one size. The names are FUNCTION-SIZE, as in memcpy-64; a round is a fixed
 * number of calls, more for short ones. Addresses move by some bytes from call to call, so that no single alignment is measured.
 */
#include <stdlib.h>
#include <string.h>

#include "kernel.h"

/* Through pointers that the compiler cannot see through: it must call. */
static void *(*volatile do_memcpy)(void *, const void *, size_t) = memcpy;
static void *(*volatile do_memset)(void *, int, size_t) = memset;
static int (*volatile do_memcmp)(const void *, const void *, size_t) = memcmp;
static size_t (*volatile do_strlen)(const char *) = strlen;
static void *(*volatile do_memchr)(const void *, int, size_t) = memchr;

int kernel_libc(const char *name, unsigned n, uint64_t *ret_sum)
{
    const char *dash = strchr(name, '-');
    size_t size = dash ? strtoul(dash + 1, NULL, 10) : 0, length = dash ? (size_t)(dash - name) : 0;
    if (!size || size > 1 << 24) return 0;
    unsigned char *a = malloc(size + 64), *b = malloc(size + 64);
    uint64_t sum = 0, calls = (uint64_t)n * ((32u << 20) / (size + 128));
    memset(a, 'x', size + 63);
    memset(b, 'x', size + 63);
    a[size + 63] = b[size + 63] = 0;
    int found = 1;
    for (uint64_t i = 0; i < calls && found; i++) {
        size_t from = i * 5 % 16, to = i * 3 % 16;
        if (!strncmp(name, "memcpy", length)) {
            do_memcpy(b + to, a + from, size);
            sum += b[to + size - 1];
        } else if (!strncmp(name, "memset", length)) {
            do_memset(b + to, (int)i, size);
            sum += b[to + size - 1];
        } else if (!strncmp(name, "memcmp", length)) {
            sum += (uint64_t)(do_memcmp(b + to, a + from, size) == 0);
        } else if (!strncmp(name, "strlen", length)) {
            sum += do_strlen((char *)a + 63 - from);
        } else if (!strncmp(name, "memchr", length)) {
            sum += do_memchr(a + from, 'y', size) == NULL;
        } else {
            found = 0;
        }
    }
    free(a);
    free(b);
    *ret_sum = sum;
    return found;
}
