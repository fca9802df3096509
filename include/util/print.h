/*
 * print.h: text for a person, written piece by piece to wherever it goes: a monitor, standard output, a string.
 *
 * Threads: the caller's.
 */
#ifndef UTIL_PRINT_H
#define UTIL_PRINT_H

#include "util/base.h"

/* Takes the next piece of the text; `text` is the caller's. */
typedef void PrintFn(void *opaque, const char *text);

void print_fmt(PrintFn *print, void *opaque, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
