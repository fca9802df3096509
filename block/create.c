/*
 * create.c: new images by format and file name.
 */
#include <string.h>
#include <sys/stat.h>

#include "block/node-internal.h"
#include "softmmu/options.h"
#include "util/alloc.h"
#include "util/parse.h"

void block_check_say(BlockCheck *check, const char *fmt, ...)
{
    enum { MAX_MESSAGES = 100000 };
    va_list ap;

    if (check->n_messages >= MAX_MESSAGES) {
        return;
    }
    check->messages = xrealloc(check->messages, (check->n_messages + 1) * sizeof(char *));
    va_start(ap, fmt);
    check->messages[check->n_messages++] = xvasprintf(fmt, ap);
    va_end(ap);
}

void block_check_free(BlockCheck *check)
{
    for (size_t i = 0; i < check->n_messages; i++) {
        free(check->messages[i]);
    }
    free(check->messages);
    *check = (BlockCheck){ 0 };
}

static const BlockOption *find_option(const BlockOption *rows, const char *name)
{
    for (; rows && rows->name; rows++) {
        if (!strcmp(rows->name, name)) {
            return rows;
        }
    }
    return NULL;
}

/* One value of text; NULL with an error. */
static Json *typed_value(const BlockOption *row, const char *text, Error **errp)
{
    uint64_t number;
    bool flag;

    switch (row->kind) {
    case OPTION_BOOL:
        return parse_bool(row->name, text, &flag, errp) ? json_bool(flag) : NULL;
    case OPTION_NUMBER:
        return parse_uint(row->name, text, UINT64_MAX, &number, errp) ? json_uint(number) : NULL;
    case OPTION_SIZE:
        if (*text == '-') {
            error_set(errp, "Value '%s' is out of range for parameter '%s'", text, row->name);
            return NULL;
        }
        if (!text_to_size(text, 1, &number)) {
            error_set(errp, "Parameter '%s' expects a non-negative number below 2^64", row->name);
            return NULL;
        }
        return json_uint(number);
    default:
        return json_string(text);
    }
}

bool image_create_check(const char *filename, const char *format, Json *options, Error **errp)
{
    const BlockDriver *driver = driver_find(format), *protocol = driver_of_filename(filename, errp);

    if (!protocol) {
        return false;
    }
    for (size_t i = 0; driver && i < json_count(options); i++) {
        const char *key = json_key_at(options, i);
        const BlockOption *row = find_option(driver->create_options, key);
        row = row ? row : find_option(protocol->create_options, key);
        if (!row) {
            error_set(errp, "Invalid parameter '%s'", key);
            return false;
        }
        if (json_is(json_at(options, i), JSON_STRING)) {
            Json *value = typed_value(row, json_as_string(json_at(options, i)), errp);
            if (!value) {
                return false;
            }
            json_put(options, row->name, value);
        }
    }
    return true;
}

BlockNode *node_open_protocol(const char *filename, unsigned flags, Error **errp)
{
    const BlockDriver *driver = driver_of_filename(filename, errp);
    Json *options = json_object();

    if (!driver) {
        json_free(options);
        return NULL;
    }
    json_put_string(options, "driver", driver->name);
    return node_open(filename, options, flags, errp);
}

bool image_create_file(const char *filename, const Json *options, Error **errp)
{
    const BlockDriver *driver = driver_of_filename(filename, errp);

    if (!driver) {
        return false;
    }
    if (!driver->create) {
        error_set(errp, "Protocol driver '%s' does not support image creation, and opening the image failed", driver->name);
        return false;
    }
    Json *own = json_object();
    for (size_t i = 0; i < json_count(options); i++) {
        if (find_option(driver->create_options, json_key_at(options, i))) {
            json_put(own, json_key_at(options, i), json_copy(json_at(options, i)));
        }
    }
    bool ok = driver->create(filename, own, errp);
    json_free(own);
    return ok;
}

bool image_create(const char *filename, const char *format, const Json *options, bool quiet, Error **errp)
{
    const BlockDriver *driver = driver_find(format), *protocol = driver_of_filename(filename, errp);

    if (!driver) {
        error_set(errp, "Unknown file format '%s'", format);
        return false;
    }
    if (!protocol) {
        return false;
    }
    if (!driver->create_options) {
        error_set(errp, "Format driver '%s' does not support image creation", format);
        return false;
    }
    return driver->create(filename, options, errp);
}
