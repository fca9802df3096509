/* decode.c: disassembly shared by all guests whose instructions come from .isa tables. */
#include <stdarg.h>
#include <stdio.h>
#include "target/decode.h"

void decode_append(char *out, size_t size, size_t *at, const char *fmt, ...)
{
    va_list ap;

    if (*at >= size) {
        return;
    }
    va_start(ap, fmt);
    int n = vsnprintf(out + *at, size - *at, fmt, ap);
    va_end(ap);
    *at = MIN(*at + (size_t)MAX(n, 0), size - 1);
}

void decode_disas(const DecodeRow *row, const int *args, char *out, size_t size,
                  void (*operand)(char *out, size_t size, size_t *at, char kind, int value, void *opaque),
                  void *opaque)
{
    const char *p = row->syntax;
    size_t at = 0;

    decode_append(out, size, &at, "%s", row->name);
    /* A suffix of the mnemonic comes first and is set off by a blank. */
    if (*p == '\377' && (p[2] == 'a' || p[2] == 'n')) {
        operand(out, size, &at, p[2], args[p[1] - 1], opaque);
        p += p[3] == ' ' ? 4 : 3;
    }
    if (*p) {
        decode_append(out, size, &at, "\t");
    }
    while (*p) {
        if (*p == '\377') {
            operand(out, size, &at, p[2], args[p[1] - 1], opaque);
            p += 3;
        } else {
            decode_append(out, size, &at, "%c", *p++);
        }
    }
}
