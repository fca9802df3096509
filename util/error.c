/*
 * error.c: see error.h. Uses no library beyond libc, because the user-mode
 * runner is linked statically and starts in well under a millisecond.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "util/alloc.h"
#include "util/error.h"

struct Error {
    ErrorClass cls;
    char *message;
};

Error *error_fatal_slot;
static const char *program_name = "qemu";
static bool timestamps;

/* Names out of files and from peers may have anything in them; a message is one line, and moves no cursor. */
static void one_line(char *message)
{
    for (; *message; message++) {
        if ((unsigned char)*message < ' ' || *message == 0x7f) {
            *message = '?';
        }
    }
}

static void error_store(Error **errp, ErrorClass cls, char *message)
{
    one_line(message);
    if (!errp) {
        free(message);
        return;
    }
    if (errp == error_fatal) {
        error_exit("%s", message);
    }
    assert(!*errp);
    Error *err = xmalloc(sizeof(*err));
    err->cls = cls;
    err->message = message;
    *errp = err;
}

void error_set(Error **errp, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *message = xvasprintf(fmt, ap);
    va_end(ap);
    error_store(errp, ERROR_CLASS_GENERIC, message);
}

void error_set_class(Error **errp, ErrorClass cls, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *message = xvasprintf(fmt, ap);
    va_end(ap);
    error_store(errp, cls, message);
}

void error_set_errno(Error **errp, int err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *text = xvasprintf(fmt, ap);
    va_end(ap);
    char *message = xasprintf("%s: %s", text, strerror(err));
    free(text);
    error_store(errp, ERROR_CLASS_GENERIC, message);
}

void error_prepend(Error **errp, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *text = xvasprintf(fmt, ap);
    va_end(ap);
    char *message = xasprintf("%s%s", text, (*errp)->message);
    free(text);
    free((*errp)->message);
    one_line(message);
    (*errp)->message = message;
}

void error_propagate(Error **errp, Error *err)
{
    if (!err) {
        return;
    }
    if (errp == error_fatal) {
        error_report_free(err);
        exit(1);
    }
    if (!errp) {
        error_free(err);
        return;
    }
    assert(!*errp);
    *errp = err;
}

const char *error_message(const Error *err)
{
    return err->message;
}

ErrorClass error_class(const Error *err)
{
    return err->cls;
}

void error_free(Error *err)
{
    if (err) {
        free(err->message);
        free(err);
    }
}

static void report_line(const char *kind, const char *fmt, va_list ap)
{
    /* One write per line, so that lines of several threads do not mix. */
    char *text = xvasprintf(fmt, ap);
    char stamp[40] = "";
    if (timestamps) {
        struct timespec now;
        struct tm tm;
        clock_gettime(CLOCK_REALTIME, &now);
        gmtime_r(&now.tv_sec, &tm);
        size_t n = strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
        snprintf(stamp + n, sizeof(stamp) - n, ".%06ldZ ", now.tv_nsec / 1000);
    }
    fflush(stdout);
    fprintf(stderr, "%s%s: %s%s\n", stamp, program_name, kind, text);
    free(text);
}

void error_report(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    report_line("", fmt, ap);
    va_end(ap);
}

void error_warn(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    report_line("warning: ", fmt, ap);
    va_end(ap);
}

void error_report_free(Error *err)
{
    error_report("%s", err->message);
    error_free(err);
}

void error_exit(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    report_line("", fmt, ap);
    va_end(ap);
    exit(1);
}

void error_set_timestamps(bool on)
{
    timestamps = on;
}

void error_set_program(const char *name)
{
    program_name = name;
}
