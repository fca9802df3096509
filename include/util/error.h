/*
 * error.h: how a failure reaches the person who can do something about it.
 *
 * A function that can fail on input it does not control returns false (or
 * NULL, or a negative number) and, if `errp` is not NULL, stores a new Error
 * there; it never prints as well. On success *errp is untouched. The caller
 * owns the Error and ends it with error_free() or error_report_free(), or
 * passes it on.  Messages are one line (control characters of names in them become question marks), no final full stop, and
 * name the thing at fault ("cannot open 'x.img': No such file or directory").
 *
 * Threads: an Error belongs to one thread at a time.
 */
#ifndef UTIL_ERROR_H
#define UTIL_ERROR_H

#include "util/base.h"

typedef struct Error Error;

/* What a QMP client sees in "class"; everything else is GenericError. */
typedef enum ErrorClass {
    ERROR_CLASS_GENERIC,
    ERROR_CLASS_COMMAND_NOT_FOUND,
    ERROR_CLASS_DEVICE_NOT_FOUND,
    ERROR_CLASS_DEVICE_NOT_ACTIVE,
    ERROR_CLASS_KVM_MISSING_CAP,
} ErrorClass;

/* Passed as errp where a failure must end the program with status 1:
 * only while options are parsed. */
extern Error *error_fatal_slot;
#define error_fatal (&error_fatal_slot)

void error_set(Error **errp, const char *fmt, ...) PRINTF_LIKE(2, 3);
void error_set_class(Error **errp, ErrorClass cls, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Appends ": " and strerror(err). */
void error_set_errno(Error **errp, int err, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Puts text before the message of *errp; errp and *errp not NULL. */
void error_prepend(Error **errp, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Moves `err` to *errp, or frees it when errp is NULL. */
void error_propagate(Error **errp, Error *err);

const char *error_message(const Error *err);
ErrorClass error_class(const Error *err);
void error_free(Error *err); /* NULL is allowed */

/* Prints "PROGRAM: MESSAGE" on stderr. */
void error_report(const char *fmt, ...) PRINTF_LIKE(1, 2);
void error_warn(const char *fmt, ...) PRINTF_LIKE(1, 2); /* "PROGRAM: warning: …" */
void error_report_free(Error *err);
/* error_report, then exit(1). Only for the command line. */
noreturn void error_exit(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* Reports start with the time (-msg timestamp=on). */
void error_set_timestamps(bool on);
/* The name put before messages; kept, not copied. Default: "qemu". */
void error_set_program(const char *name);

#endif
