/*
 * drive.c: -drive and -blockdev: what the user names, and who has taken it.
 */
#include <string.h>

#include "block/internal.h"
#include "softmmu/options.h"

void backend_link(BlockBackend *blk)
{
    BlockBackend **at = &block_backends;
    while (*at) {
        at = &(*at)->next;
    }
    *at = blk;
}

void backend_free(BlockBackend *blk)
{
    for (BlockBackend **at = &block_backends; *at; at = &(*at)->next) {
        if (*at == blk) {
            *at = blk->next;
            break;
        }
    }
    limits_end(blk);
    medium_unref(blk->medium);
    free(blk->id);
    free(blk->interface);
    free(blk->owner);
    free(blk->serial);
    free(blk);
}

static bool set_cache(BlockBackend *blk, OpenMode *mode, const char *cache, Error **errp)
{
    static const struct { const char *name; bool writeback, direct, no_flush; } modes[] = {
        { "writeback", true, false, false }, { "none", true, true, false }, { "unsafe", true, false, true },
        { "writethrough", false, false, false }, { "directsync", false, true, false },
        { "off", true, true, false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        if (!strcmp(cache, modes[i].name)) {
            blk->writeback = modes[i].writeback;
            mode->direct = modes[i].direct;
            mode->no_flush = modes[i].no_flush;
            return true;
        }
    }
    error_set(errp, "invalid cache mode '%s'", cache);
    return false;
}

/* Interfaces, and how many units one bus of them takes (0: no buses). */
static const struct { const char *name; unsigned units; } interfaces[] = {
    { "none", 0 }, { "virtio", 0 }, { "pflash", 0 }, { "ide", 2 }, { "scsi", 7 }, { "sd", 0 }, { "mtd", 0 },
    { "floppy", 0 }, { "xen", 0 },
};

static BlockBackend *drive_at(const char *interface, unsigned index)
{
    for (BlockBackend *blk = block_backends; blk; blk = blk->next) {
        if (blk->interface && !strcmp(blk->interface, interface) && blk->index == index) {
            return blk;
        }
    }
    return NULL;
}

/* bus and unit from index=, from bus= and unit=, or the next that is free. */
static bool choose_place(BlockBackend *blk, const Json *opts, unsigned units, Error **errp)
{
    uint64_t index, bus, unit;

    if (!opts_uint(opts, "index", UINT64_MAX, &index, errp) || !opts_uint(opts, "bus", UINT64_MAX, &bus, errp) ||
        !opts_uint(opts, "unit", UINT64_MAX, &unit, errp)) {
        return false;
    }
    if (index != UINT64_MAX) {
        if (bus != UINT64_MAX || unit != UINT64_MAX) {
            error_set(errp, "index cannot be used with bus and unit");
            return false;
        }
        bus = units ? index / units : 0;
        unit = units ? index % units : index;
    }
    if (bus == UINT64_MAX) {
        bus = 0;
    }
    if (unit == UINT64_MAX) {
        unit = 0;
        while (drive_at(blk->interface, (unsigned)(units ? bus * units + unit : unit))) {
            if (++unit == units) {
                unit = 0;
                bus++;
            }
        }
    }
    if (units && unit >= units) {
        error_set(errp, "unit %" PRIu64 " too big (max is %u)", unit, units - 1);
        return false;
    }
    if (bus > 4096 || unit > 4096) {
        error_set(errp, "drive '%s': there is no bus %" PRIu64 ", unit %" PRIu64, blk->interface, bus, unit);
        return false;
    }
    blk->bus = (unsigned)bus;
    blk->unit = (unsigned)unit;
    blk->index = (unsigned)(units ? bus * units + unit : unit);
    if (strcmp(blk->interface, "none") && drive_at(blk->interface, blk->index)) {
        error_set(errp, "drive with bus=%u, unit=%u (index=%u) exists", blk->bus, blk->unit, blk->index);
        return false;
    }
    return true;
}

/* "ide0-hd0", "ide1-cd0", "scsi0-hd3", "floppy1", "virtio0": names users and scripts know. */
static char *drive_name(const BlockBackend *blk, unsigned units)
{
    bool has_kind = !strcmp(blk->interface, "ide") || !strcmp(blk->interface, "scsi");
    const char *kind = !has_kind ? "" : blk->is_cdrom ? "-cd" : "-hd";

    return units ? xasprintf("%s%u%s%u", blk->interface, blk->bus, kind, blk->unit)
                 : xasprintf("%s%s%u", blk->interface, kind, blk->unit);
}

/* Members of the options that are not `known`, nested as their dots say. NULL with an error. */
static Json *take_others(Json *opts, const char *const *known, Error **errp)
{
    Json *others = json_object();

    for (size_t i = json_count(opts); i-- > 0;) {
        const char *key = json_key_at(opts, i);
        const char *const *k = known;
        while (*k && strcmp(*k, key)) {
            k++;
        }
        if (!*k) {
            char *name = xstrdup(key);
            json_put(others, name, json_take(opts, name));
            free(name);
        }
    }
    if (!opts_nest(others, errp)) {
        json_free(others);
        return NULL;
    }
    return others;
}

bool drive_add(const char *text, const char *default_if, unsigned units_per_bus, Error **errp)
{
    static const char *const known[] = {
        "id", "file", "if", "index", "bus", "unit", "media", "format", "cache", "aio", "readonly", "read-only", "snapshot",
        "discard", "detect-zeroes", "werror", "rerror", "serial", "copy-on-read", "driver", NULL,
    };
    Json *opts = opts_parse(text, NULL, errp), *others = NULL, *all = NULL, *limits = opts ? limits_take(opts) : NULL;
    const char *driver = NULL, *file = NULL, *id = NULL, *interface = NULL, *cache = NULL, *media = NULL, *discard = NULL, *serial = NULL;
    const char *rerror = NULL, *werror = NULL, *aio = NULL;
    OpenMode mode = { 0 };
    bool ok = false;
    unsigned units;
    BlockBackend *blk = xnew(BlockBackend);
    size_t i = 0;

    if (!opts || !opts_string(opts, "format", NULL, &mode.format, errp) || !opts_string(opts, "driver", NULL, &driver, errp)) {
        goto out;
    }
    if (driver && mode.format) {
        error_set(errp, "Cannot specify both 'driver' and 'format'");
        goto out;
    }
    mode.format = driver ? driver : mode.format;
    /* What the drive does not know is the driver's, if the image turns out to have one. */
    all = json_copy(opts);
    others = take_others(opts, known, errp);
    mode.options = others;
    if (!others || (!format_is_node(mode.format) && (mode.format || !json_get_string(opts, "file")) && !opts_check(all, "-drive", known, errp))) {
        goto out;
    }
    if (!opts_string(opts, "file", NULL, &file, errp) || !opts_string(opts, "id", NULL, &id, errp) ||
        !opts_string(opts, "if", default_if ? default_if : "none", &interface, errp) ||
        !opts_string(opts, "cache", "writeback", &cache, errp) ||
        !opts_string(opts, "media", "disk", &media, errp) || !opts_string(opts, "discard", "ignore", &discard, errp) ||
        !opts_string(opts, "serial", NULL, &serial, errp) || !opts_string(opts, "rerror", NULL, &rerror, errp) ||
        !opts_string(opts, "werror", NULL, &werror, errp) || !opts_string(opts, "aio", "threads", &aio, errp) || !opts_bool(opts, "snapshot", false, &mode.snapshot, errp)) {
        goto out;
    }
    if (strcmp(aio, "threads") && strcmp(aio, "native") && strcmp(aio, "io_uring")) { /* how we do it is our business */
        error_set(errp, "invalid aio option '%s'", aio);
        goto out;
    }
    if (strcmp(media, "disk") && strcmp(media, "cdrom")) {
        error_set(errp, "'%s' invalid media", media);
        goto out;
    }
    blk->is_cdrom = !strcmp(media, "cdrom");
    if (!opts_bool(opts, opts_is_set(opts, "readonly") ? "readonly" : "read-only", blk->is_cdrom, &mode.readonly, errp)) {
        goto out;
    }
    while (i < ARRAY_SIZE(interfaces) && strcmp(interfaces[i].name, interface)) {
        i++;
    }
    if (i == ARRAY_SIZE(interfaces)) {
        error_set(errp, "unsupported bus type '%s'", interface);
        goto out;
    }
    units = default_if && units_per_bus && !strcmp(interface, default_if) ? units_per_bus : interfaces[i].units;
    if (!file && mode.format && !(others && json_get(others, "file"))) {
        error_set(errp, "A block device must be specified for \"file\"");
        goto out;
    }
    if ((rerror && !block_parse_policy("rerror", rerror, &blk->on_read_error, errp)) ||
        (werror && !block_parse_policy("werror", werror, &blk->on_write_error, errp))) {
        goto out;
    }
    blk->interface = xstrdup(interface);
    blk->readonly = mode.readonly;
    blk->serial = serial ? xstrdup(serial) : NULL;
    mode.discard = !strcmp(discard, "unmap") || !strcmp(discard, "on");
    if (!choose_place(blk, opts, units, errp)) {
        goto out;
    }
    blk->id = id ? xstrdup(id) : drive_name(blk, units);
    if (block_find(blk->id)) {
        error_set(errp, "duplicate drive id '%s'", blk->id);
        goto out;
    }
    ok = set_cache(blk, &mode, cache, errp);
    if (ok && ((file && *file) || (others && json_get(others, "file")))) {
        blk->medium = medium_open(file, &mode, errp);
        ok = blk->medium && (blk->medium->node || opts_check(all, "-drive", known, errp));
    }
    ok = ok && (!limits || limits_set(blk, limits, errp));
out:
    if (ok) {
        backend_link(blk);
    } else {
        backend_free(blk);
    }
    json_free(opts);
    json_free(others);
    json_free(all);
    json_free(limits);
    return ok;
}

bool blockdev_add(const Json *options, Error **errp)
{
    BlockBackend *blk = xnew(BlockBackend);
    const char *name = NULL, *discard = NULL;
    Json *cache = json_get(options, "cache");
    OpenMode mode = { 0 };

    blk->is_node = true;
    blk->writeback = true;
    if (!opts_string(options, "node-name", NULL, &name, errp) || !opts_string(options, "discard", "ignore", &discard, errp)) {
        goto fail;
    }
    if (!name || !options_id_ok(name)) {
        error_set(errp, "a block node needs a valid 'node-name'");
        goto fail;
    }
    if (block_find(name)) {
        error_set(errp, "duplicate block node name '%s'", name);
        goto fail;
    }
    blk->id = xstrdup(name);
    mode.discard = !strcmp(discard, "unmap") || !strcmp(discard, "on");
    if (cache && (!opts_bool(cache, "direct", false, &mode.direct, errp) || !opts_bool(cache, "no-flush", false, &mode.no_flush, errp))) {
        goto fail;
    }
    blk->medium = medium_open_json(options, &mode, errp);
    if (!blk->medium) {
        goto fail;
    }
    blk->medium->node_name = xstrdup(name);
    backend_link(blk);
    return true;
fail:
    backend_free(blk);
    return false;
}

/* The device or window that has the node's medium; NULL: nobody. */
static const char *node_user(const BlockBackend *node)
{
    for (const BlockBackend *blk = block_backends; blk; blk = blk->next) {
        if (!blk->is_node && blk->medium == node->medium) {
            return blk->owner ? blk->owner : blk->id;
        }
    }
    return NULL;
}

bool blockdev_del(const char *node_name, Error **errp)
{
    for (BlockBackend *blk = block_backends; blk; blk = blk->next) {
        if (blk->is_node && !strcmp(blk->id, node_name)) {
            const char *user = node_user(blk);
            if (user) {
                error_set(errp, "block node '%s' is in use by '%s'", node_name, user);
                return false;
            }
            for (BlockBackend *front = block_backends; front; front = front->next) {
                front->node = front->node == blk ? NULL : front->node;
            }
            backend_free(blk);
            return true;
        }
    }
    error_set(errp, "no block node '%s'", node_name);
    return false;
}

BlockBackend *block_find(const char *id_or_node)
{
    for (BlockBackend *blk = block_backends; blk; blk = blk->next) {
        if (blk->id && !strcmp(blk->id, id_or_node)) {
            return blk;
        }
    }
    return NULL;
}

BlockBackend *drive_get(const char *interface, unsigned index)
{
    BlockBackend *blk = drive_at(interface, index);
    return blk && !blk->owner ? blk : NULL;
}

void drive_foreach(const char *interface, void (*fn)(BlockBackend *blk, void *opaque), void *opaque)
{
    for (BlockBackend *blk = block_backends; blk; blk = blk->next) {
        if (blk->interface && !strcmp(blk->interface, interface) && !blk->owner) {
            fn(blk, opaque);
        }
    }
}

bool block_attach(BlockBackend **pblk, const char *owner, bool writes, Error **errp)
{
    BlockBackend *blk = *pblk;
    const char *user = !blk ? NULL : blk->is_node ? node_user(blk) : blk->owner;

    if (user) {
        error_set(errp, "drive '%s' is already in use by '%s'", blk->id, user);
        return false;
    }
    if (blk && writes && block_is_readonly(blk)) {
        error_set(errp, "drive '%s' is read-only", blk->id);
        return false;
    }
    if (blk && blk->medium && !node_medium_use(blk->medium, true, errp)) {
        return false;
    }
    if (!blk || blk->is_node) {
        BlockBackend *front = xnew(BlockBackend);
        front->is_front = true;
        front->writeback = true;
        front->node = blk;
        front->medium = blk ? medium_ref(blk->medium) : NULL;
        front->readonly = !blk || block_is_readonly(blk);
        backend_link(front);
        *pblk = blk = front;
    }
    blk->owner = xstrdup(owner);
    return true;
}

void block_detach(BlockBackend **pblk)
{
    BlockBackend *blk = *pblk;

    *pblk = NULL;
    if (!blk) {
        return;
    }
    block_drain(blk);
    blk->ops = NULL;
    free(blk->owner);
    blk->owner = NULL;
    if (blk->medium) {
        node_medium_use(blk->medium, false, NULL); /* asking for less is never refused */
    }
    if (blk->is_front) {
        backend_free(blk);
    }
}
