/*
 * print.c: formatted pieces for a PrintFn.
 */
#include "util/print.h"
#include <stdarg.h>
#include <stdlib.h>
#include "util/alloc.h"

void print_fmt(PrintFn *print, void *opaque, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    char *text = xvasprintf(fmt, ap);
    va_end(ap);
    print(opaque, text);
    free(text);
}
