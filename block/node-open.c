/*
 * node-open.c: from a file name and options to an open node: protocols, format probing, children, backing images, names.
 */
#include <string.h>
#include <sys/stat.h>

#include "block/node-internal.h"
#include "softmmu/options.h"
#include "util/alloc.h"

enum { MAX_BACKING_DEPTH = 256 };

const BlockDriver *driver_find(const char *name)
{
    for (const BlockDriver *const *d = block_drivers; *d; d++) {
        if (!strcmp((*d)->name, name)) {
            return *d;
        }
    }
    return NULL;
}

/* -- file names ------------------------------------------------------------------------------------------------------ */

/* The length of "nbd" of "nbd:…"; 0: a path. */
static size_t protocol_length(const char *filename)
{
    size_t n = strcspn(filename, ":/");
    return filename[n] == ':' ? n : 0;
}

bool filename_has_protocol(const char *filename)
{
    return protocol_length(filename) != 0;
}

const BlockDriver *driver_of_filename(const char *filename, Error **errp)
{
    size_t n = protocol_length(filename);
    struct stat st;

    if (!n) {
        return driver_find(!stat(filename, &st) && (S_ISBLK(st.st_mode) || S_ISCHR(st.st_mode)) ? "host_device" : "file");
    }
    for (const BlockDriver *const *d = block_drivers; *d; d++) {
        for (const char *p = (*d)->protocol; p && *p; p += strcspn(p, " "), p += *p == ' ') {
            if (strcspn(p, " ") == n && !strncmp(p, filename, n)) {
                return *d;
            }
        }
    }
    error_set(errp, "Unknown protocol '%.*s'", (int)n, filename);
    return NULL;
}

char *filename_relative_to(const char *base, const char *name)
{
    const char *slash = base && !filename_has_protocol(base) ? strrchr(base, '/') : NULL;

    if (*name == '/' || filename_has_protocol(name) || !slash) {
        return xstrdup(name);
    }
    return xasprintf("%.*s/%s", (int)(slash - base), base, name);
}

/* -- options --------------------------------------------------------------------------------------------------------- */

bool driver_check_options(const BlockOption *rows, const char *driver, const Json *options, Error **errp)
{
    for (size_t i = 0; i < json_count(options); i++) {
        const char *key = json_key_at(options, i);
        const BlockOption *row = rows;
        while (row && row->name && strcmp(row->name, key)) {
            row++;
        }
        if (!row || !row->name) {
            const BlockDriver *d = driver_find(driver);
            if (d && d->kind == DRIVER_PROTOCOL) {
                error_set(errp, "Block protocol '%s' doesn't support the option '%s'", driver, key);
            } else {
                error_set(errp, "Block format '%s' does not support the option '%s'", driver, key);
            }
            return false;
        }
    }
    return true;
}

/* Takes what all drivers have out of the options. */
static bool take_common(Json *options, unsigned *flags, char **name, Error **errp)
{
    bool ro = !(*flags & BLOCK_RDWR), auto_ro = *flags & BLOCK_AUTO_RDONLY, direct = *flags & BLOCK_DIRECT, no_flush = *flags & BLOCK_NO_FLUSH;
    bool share = *flags & BLOCK_FORCE_SHARE;
    const char *text = NULL, *discard = NULL, *detect = NULL;
    Json *cache = json_get(options, "cache");

    if (!opts_bool(options, "read-only", ro, &ro, errp) || !opts_bool(options, "auto-read-only", auto_ro, &auto_ro, errp) ||
        !opts_bool(options, "force-share", share, &share, errp) || !opts_string(options, "node-name", NULL, &text, errp) ||
        !opts_string(options, "discard", NULL, &discard, errp) || !opts_string(options, "detect-zeroes", "off", &detect, errp) ||
        (cache && (!opts_bool(cache, "direct", direct, &direct, errp) || !opts_bool(cache, "no-flush", no_flush, &no_flush, errp)))) {
        return false;
    }
    if (discard && strcmp(discard, "ignore") && strcmp(discard, "off") && strcmp(discard, "unmap") && strcmp(discard, "on")) {
        error_set(errp, "Invalid discard option");
        return false;
    }
    if (strcmp(detect, "off") && strcmp(detect, "on") && strcmp(detect, "unmap")) {
        error_set(errp, "Invalid parameter '%s'", detect);
        return false;
    }
    if (text && !options_id_ok(text)) {
        error_set(errp, "Invalid node-name: '%s'", text);
        return false;
    }
    if (text && node_find(text)) {
        error_set(errp, "Duplicate nodes with node-name='%s'", text);
        return false;
    }
    if (share && !ro) {
        error_set(errp, "force-share=on can only be used with read-only images");
        return false;
    }
    *name = text ? xstrdup(text) : NULL;
    unsigned keep = BLOCK_NO_BACKING | BLOCK_CHECK | BLOCK_PROBED | BLOCK_SNAPSHOT | BLOCK_NO_IO;
    bool unmap = discard ? !strcmp(discard, "unmap") || !strcmp(discard, "on") : *flags & BLOCK_DISCARD;
    unsigned zeroes = !strcmp(detect, "off") ? 0 : !strcmp(detect, "on") ? BLOCK_DETECT_ZEROES : BLOCK_DETECT_ZEROES | BLOCK_DETECT_UNMAP;
    *flags = (*flags & keep) | (ro ? 0 : BLOCK_RDWR) | (auto_ro ? BLOCK_AUTO_RDONLY : 0) | (direct ? BLOCK_DIRECT : 0) | zeroes |
             (no_flush ? BLOCK_NO_FLUSH : 0) | (share ? BLOCK_FORCE_SHARE : 0) | (unmap ? BLOCK_DISCARD : 0);
    static const char *const common[] = { "driver", "node-name", "read-only", "auto-read-only", "force-share", "discard", "detect-zeroes", "cache" };
    for (size_t i = 0; i < ARRAY_SIZE(common); i++) {
        json_drop(options, common[i]);
    }
    return true;
}

/* json:{…}: its members, unless `options` has them already. */
static bool merge_json_name(const char *filename, Json *options, Error **errp)
{
    Json *json = json_parse_string(filename + 5, errp);

    if (!json || !json_is(json, JSON_OBJECT)) {
        if (json) {
            error_set(errp, "Invalid JSON object given");
        } else if (errp && *errp) {
            error_prepend(errp, "Could not parse the JSON options: ");
        }
        json_free(json);
        return false;
    }
    for (size_t i = 0; i < json_count(json); i++) {
        const char *key = json_key_at(json, i);
        if (!json_get(options, key)) {
            json_put(options, key, json_copy(json_at(json, i)));
        }
    }
    json_free(json);
    return opts_nest(options, errp);
}

/* -- probing --------------------------------------------------------------------------------------------------------- */

const BlockDriver *driver_of_contents(const uint8_t *head, size_t bytes, const char *filename)
{
    const BlockDriver *best = driver_find("raw");
    unsigned score = 1;

    for (const BlockDriver *const *d = block_drivers; *d; d++) {
        unsigned s = (*d)->probe ? (*d)->probe(head, bytes, filename ? filename : "") : 0;
        if (s > score) {
            score = s;
            best = *d;
        }
    }
    return best;
}

static const BlockDriver *probe_node(BlockNode *file, Error **errp)
{
    uint8_t head[BLOCK_PROBE_BYTES] = { 0 };
    size_t bytes = MIN(file->size_bytes, sizeof(head));

    int err = bytes ? node_pread(file, 0, head, bytes) : 0;
    if (err) {
        error_set_errno(errp, -err, "Could not read image for determining its format");
        return NULL;
    }
    return driver_of_contents(head, bytes, file->filename);
}

/* -- opening --------------------------------------------------------------------------------------------------------- */

/* As a person names it: the file's own name where that says all, else json:{…}. */
static void make_filename(BlockNode *node)
{
    const BlockNode *file = node_file(node);

    if (node->filename) {
        return;
    }
    /* What says which data it is, beside the file. */
    static const char *const strong[] = { "offset", "size", "key-secret", "encrypt" };
    bool plain = file && file->filename && node->driver->kind == DRIVER_FORMAT;
    Json *whole = json_object();
    json_put_string(whole, "driver", node->driver->name);
    if (file && file->filename && strncmp(file->filename, "json:", 5)) {
        Json *below = json_object();
        json_put_string(below, "driver", file->driver->name);
        json_put_string(below, "filename", file->filename);
        json_put(whole, "file", below);
    }
    for (size_t i = 0; plain && json_get(whole, "file") && i < ARRAY_SIZE(strong); i++) {
        const Json *value = json_get(node->options, strong[i]);
        if (value) {
            json_put(whole, strong[i], json_copy(value));
        }
    }
    if (plain && json_count(whole) > 2) {
        char *text = json_print(whole);
        node->filename = xasprintf("json:%s", text);
        free(text);
    } else if (plain) {
        node->filename = xstrdup(file->filename);
    } else {
        char *text = json_print(node->options);
        node->filename = xasprintf("json:%s", text);
        free(text);
    }
    json_free(whole);
}

static BlockNode *open_backing(BlockNode *node, Json *given, unsigned flags, Error **errp)
{
    static unsigned depth;
    char *name = NULL;
    BlockNode *backing;

    if (json_is(given, JSON_STRING)) {
        backing = node_find(json_as_string(given));
        if (!backing) {
            error_set(errp, "Cannot find device='' nor node-name='%s'", json_as_string(given));
        }
        json_free(given);
        return backing ? node_ref(backing) : NULL;
    }
    Json *options = given ? given : json_object();
    if (!json_get(options, "file") && !json_get(options, "filename") && node->backing_file) {
        name = filename_relative_to(node->filename, node->backing_file);
    }
    if (!json_get(options, "driver") && node->backing_format && name) {
        json_put_string(options, "driver", node->backing_format);
    }
    if (++depth > MAX_BACKING_DEPTH) {
        error_set(errp, "the chain of backing images is too long");
        json_free(options);
        backing = NULL;
    } else {
        backing = node_open(name, options, flags & ~(unsigned)(BLOCK_RDWR | BLOCK_SNAPSHOT | BLOCK_PROBED | BLOCK_CHECK), errp);
    }
    depth--;
    if (!backing && errp && *errp) {
        error_prepend(errp, "Could not open backing file: ");
    }
    free(name);
    return backing;
}

static bool attach_backing(BlockNode *node, Json *given, Error **errp)
{
    if (json_is(given, JSON_NULL) || (json_is(given, JSON_STRING) && !*json_as_string(given))) {
        json_free(given);
        return true;
    }
    if (!given && (!node->backing_file || !*node->backing_file || node->flags & BLOCK_NO_BACKING)) {
        return true;
    }
    BlockNode *backing = open_backing(node, given, node->flags, errp);
    if (!backing) {
        return false;
    }
    bool ok = node_add_child(node, backing, "backing", ROLE_COW, errp) != NULL;
    node_unref(backing);
    return ok;
}

/* The driver for a name and options. Where the format must be guessed the file is opened first: *ret_file, the caller's. */
static const BlockDriver *choose_driver(const char *filename, Json *options, unsigned *flags, BlockNode **ret_file, Error **errp)
{
    const char *name = NULL;

    if (!opts_string(options, "driver", NULL, &name, errp)) {
        return NULL;
    }
    if (name) {
        const BlockDriver *driver = driver_find(name);
        if (!driver) {
            error_set(errp, "Unknown driver '%s'", name);
        }
        return driver;
    }
    if (!filename && !json_get(options, "file")) {
        error_set(errp, "Must specify either driver or file");
        return NULL;
    }
    Json *below = json_get(options, "file");
    BlockNode *file;
    if (json_is(below, JSON_STRING)) {
        file = node_find(json_as_string(below));
        if (!file) {
            error_set(errp, "Cannot find device='' nor node-name='%s'", json_as_string(below));
            return NULL;
        }
        node_ref(file);
    } else {
        Json *opts = json_take(options, "file");
        const BlockDriver *protocol = opts && json_get(opts, "driver") ? NULL : filename ? driver_of_filename(filename, errp) : driver_find("file");
        if (!protocol && !(opts && json_get(opts, "driver"))) {
            json_free(opts);
            return NULL;
        }
        opts = opts ? opts : json_object();
        if (protocol) {
            json_put_string(opts, "driver", protocol->name);
        }
        /* What is asked for here goes before what was inherited. */
        bool ro = !(*flags & BLOCK_RDWR);
        if (!opts_bool(options, "read-only", ro, &ro, errp)) {
            json_free(opts);
            return NULL;
        }
        file = node_open(filename, opts, (*flags & ~(unsigned)(BLOCK_SNAPSHOT | BLOCK_RDWR)) | (ro ? 0 : BLOCK_RDWR), errp);
        if (!file) {
            return NULL;
        }
    }
    const BlockDriver *driver = probe_node(file, errp);
    if (driver) {
        json_put_string(options, "file", file->name);
        *flags |= BLOCK_PROBED;
        *ret_file = file;
    } else {
        node_unref(file);
    }
    return driver;
}

static BlockNode *open_with(const BlockDriver *driver, const char *filename, Json *options, unsigned flags, Error **errp)
{
    Json *explicit = json_copy(options);
    char *name = NULL;
    BlockNode *node = NULL;
    Json *backing = NULL;
    bool ok = false;

    json_put_string(explicit, "driver", driver->name);
    if (!take_common(options, &flags, &name, errp)) {
        goto out;
    }
    if (filename && driver->parse_filename && !json_get(options, "file") && !driver->parse_filename(filename, options, errp)) {
        goto out;
    }
    backing = driver->has_backing ? json_take(options, "backing") : NULL;
    node = node_new(driver, name);
    node->flags = flags;
    node->readonly = !(flags & BLOCK_RDWR);
    node->options = explicit;
    explicit = NULL;
    if (driver->kind == DRIVER_FORMAT && !node_open_child(node, options, "file", driver->has_backing || strcmp(driver->name, "raw")
                                                          ? ROLE_DATA | ROLE_METADATA | ROLE_PRIMARY : ROLE_DATA | ROLE_PRIMARY,
                                                          filename, false, errp)) {
        goto out;
    }
    /* The file's own name for itself, where it has one, is better than the user's. */
    const char *below = node_file(node) && driver->kind == DRIVER_FORMAT ? node_file(node)->filename : NULL;
    if (filename) {
        node->filename = xstrdup(below && strncmp(below, "json:", 5) ? below : filename);
    }
    if (!driver->open(node, options, errp)) {
        goto out;
    }
    node->is_open = true;
    make_filename(node);
    if (!driver_check_options(driver->options, driver->name, options, errp)) {
        goto out;
    }
    Json *given = backing;
    backing = NULL;
    ok = attach_backing(node, given, errp);
out:
    json_free(backing);
    json_free(explicit);
    json_free(options);
    free(name);
    if (!ok) {
        node_unref(node);
        node = NULL;
    }
    return node;
}

bool node_cache_flags(const char *mode, unsigned *flags, bool *writethrough)
{
    *writethrough = mode && (!strcmp(mode, "writethrough") || !strcmp(mode, "directsync"));
    if (!mode || !strcmp(mode, "writeback") || !strcmp(mode, "writethrough")) {
        return true;
    }
    if (!strcmp(mode, "none") || !strcmp(mode, "off") || !strcmp(mode, "directsync")) {
        *flags |= BLOCK_DIRECT;
        return true;
    }
    if (!strcmp(mode, "unsafe")) {
        *flags |= BLOCK_NO_FLUSH;
        return true;
    }
    return false;
}

BlockNode *node_open(const char *filename, Json *options, unsigned flags, Error **errp)
{
    options = options ? options : json_object();
    if (filename && !strncmp(filename, "json:", 5)) {
        if (!merge_json_name(filename, options, errp)) {
            json_free(options);
            return NULL;
        }
        filename = NULL;
    }
    BlockNode *file = NULL, *node = NULL;
    const BlockDriver *driver = choose_driver(filename, options, &flags, &file, errp);
    if (driver) {
        node = open_with(driver, filename, options, flags, errp);
    } else {
        json_free(options);
    }
    node_unref(file);
    return node;
}

BlockEdge *node_open_child(BlockNode *node, Json *options, const char *name, unsigned role, const char *filename, bool optional, Error **errp)
{
    Json *given = json_take(options, name);
    BlockNode *child;

    if (!given && !filename) {
        if (!optional) {
            error_set(errp, "A block device must be specified for \"%s\"", name);
        }
        return NULL;
    }
    if (json_is(given, JSON_STRING)) {
        child = node_find(json_as_string(given));
        if (child) {
            node_ref(child);
        } else {
            error_set(errp, "Cannot find device='' nor node-name='%s'", json_as_string(given));
        }
        json_free(given);
    } else {
        /* Below a format with a known name there is a protocol, which is not guessed. */
        Json *opts = given ? given : json_object();
        if (!json_get(opts, "driver") && role & ROLE_PRIMARY) {
            const char *path = filename ? filename : json_get_string(opts, "filename");
            const BlockDriver *protocol = path ? driver_of_filename(path, errp) : driver_find("file");
            if (!protocol) {
                json_free(opts);
                return NULL;
            }
            json_put_string(opts, "driver", protocol->name);
        }
        unsigned inherit = node->flags & (BLOCK_RDWR | BLOCK_DIRECT | BLOCK_NO_FLUSH | BLOCK_FORCE_SHARE | BLOCK_AUTO_RDONLY | BLOCK_NO_IO);
        child = node_open(filename, opts, inherit | BLOCK_DISCARD, errp);
    }
    if (!child) {
        return NULL;
    }
    if (child->readonly && !node->readonly) {
        if (node->flags & BLOCK_AUTO_RDONLY || role & ROLE_FILTERED) {
            node->readonly = true;
        }
    }
    BlockEdge *edge = node_add_child(node, child, name, role, errp);
    node_unref(child);
    return edge;
}
