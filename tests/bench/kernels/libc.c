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

/* One call each, the pointers moved by some bytes. */
static uint64_t call_memcpy(unsigned char *to, const unsigned char *from, size_t size, uint64_t i)
{
    (void)i;
    do_memcpy(to, from, size);
    return to[size - 1];
}

static uint64_t call_memset(unsigned char *to, const unsigned char *from, size_t size, uint64_t i)
{
    (void)from;
    do_memset(to, (int)i, size);
    return to[size - 1];
}

static uint64_t call_memcmp(unsigned char *to, const unsigned char *from, size_t size, uint64_t i)
{
    (void)i;
    return do_memcmp(to, from, size) == 0;
}

static uint64_t call_strlen(unsigned char *to, const unsigned char *from, size_t size, uint64_t i)
{
    (void)to, (void)size;
    return do_strlen((const char *)from + 63 - 2 * (i * 5 % 16));
}

static uint64_t call_memchr(unsigned char *to, const unsigned char *from, size_t size, uint64_t i)
{
    (void)to, (void)i;
    return do_memchr(from, 'y', size) == NULL;
}

typedef uint64_t Call(unsigned char *to, const unsigned char *from, size_t size, uint64_t i);

static const struct { const char *name; Call *call; } functions[] = {
    { "memcpy", call_memcpy }, { "memset", call_memset }, { "memcmp", call_memcmp }, { "strlen", call_strlen }, { "memchr", call_memchr },
};

int kernel_libc(const char *name, unsigned n, uint64_t *ret_sum)
{
    const char *dash = strchr(name, '-');
    size_t size = dash ? strtoul(dash + 1, NULL, 10) : 0, length = dash ? (size_t)(dash - name) : 0;
    Call *call = NULL;
    for (size_t k = 0; k < sizeof(functions) / sizeof(functions[0]); k++) {
        if (length == strlen(functions[k].name) && !strncmp(name, functions[k].name, length)) {
            call = functions[k].call;
        }
    }
    if (!call || !size || size > 1 << 24) return 0;
    unsigned char *a = malloc(size + 64), *b = malloc(size + 64);
    uint64_t sum = 0, calls = (uint64_t)n * ((32u << 20) / (size + 128));
    memset(a, 'x', size + 63);
    memset(b, 'x', size + 63);
    a[size + 63] = b[size + 63] = 0;
    for (uint64_t i = 0; i < calls; i++) {
        sum += call(b + i * 3 % 16, a + i * 5 % 16, size, i);
    }
    free(a);
    free(b);
    *ret_sum = sum;
    return 1;
}
