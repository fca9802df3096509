/*
 * qmp.c: QMP commands about jobs, and those that start one, for whoever has nodes and a monitor.
 *
 * A command is a row. What changes the graph without a job (snapshots, bitmaps) and transactions of it are actions.c.
 */
#include <errno.h>
#include <string.h>

#include "block/jobs/internal.h"
#include "block/jobs/qmp.h"
#include "softmmu/options.h"

static Json *done(bool ok)
{
    return ok ? json_object() : NULL;
}

/* -- jobs by id ------------------------------------------------------------------------------------------------------ */

static Job *find_job(const char *command, const Json *args, Error **errp)
{
    bool block = !strncmp(command, "block-job-", 10);
    const char *id = json_get_string(args, block && strcmp(command, "block-job-finalize") && strcmp(command, "block-job-dismiss") ? "device" : "id");
    Job *job = id ? job_find(id) : NULL;

    if (!job && block) {
        error_set_class(errp, ERROR_CLASS_DEVICE_NOT_ACTIVE, "Block job '%s' not found", id ? id : "");
    } else if (!job) {
        error_set(errp, "Job not found");
    }
    return job;
}

static Json *job_verb(const char *command, const Json *args, JobFindNode *find, Error **errp)
{
    Job *job = find_job(command, args, errp);
    const char *verb = strrchr(command, '-') + 1;

    if (!job) {
        return NULL;
    }
    if (!strcmp(verb, "speed")) {
        return done(job_set_speed(job, (uint64_t)json_get_int(args, "speed", 0), errp));
    }
    if (!strcmp(verb, "cancel")) {
        bool block = !strncmp(command, "block", 5), force = json_get_bool(args, "force", false);
        if (block && job->user_paused && !force) {
            error_set(errp, "The block job for device '%s' is currently paused", job->id);
            return NULL;
        }
        return done(job_cancel(job, block ? force : true, errp));
    }
    return done(!strcmp(verb, "pause") ? job_pause(job, errp) : !strcmp(verb, "resume") ? job_resume(job, errp) : !strcmp(verb, "complete") ? job_complete(job, errp)
                : !strcmp(verb, "finalize") ? job_finalize(job, errp) : job_dismiss(job, errp));
}

static Json *query_jobs(const char *command, const Json *args, JobFindNode *find, Error **errp)
{
    bool block = !strcmp(command, "query-block-jobs");
    Json *list = json_array();

    for (const Job *job = job_next(NULL); job; job = job_next(job)) {
        Json *row = json_object();
        if (block && !job->driver->is_block_job) {
            json_free(row);
            continue;
        }
        json_put_string(row, "type", job->driver->type);
        json_put_string(row, block ? "device" : "id", job->id);
        json_put_string(row, "status", job_status_name(job->status));
        json_put_uint(row, block ? "offset" : "current-progress", job->done);
        json_put_uint(row, block ? "len" : "total-progress", job->total);
        if (block) {
            json_put_bool(row, "auto-finalize", job->auto_finalize);
            json_put_bool(row, "auto-dismiss", job->auto_dismiss);
            json_put_string(row, "io-status", job->io_status);
            json_put_bool(row, "busy", job->status == JOB_RUNNING || job->status == JOB_READY);
            json_put_bool(row, "paused", job->user_paused);
            json_put_bool(row, "ready", job->ready);
            json_put_uint(row, "speed", job->speed);
        }
        if (job->result && job_is_over(job)) {
            json_put_string(row, "error", job->error ? error_message(job->error) : strerror(-job->result));
        }
        json_push(list, row);
    }
    return list;
}

/* -- starting -------------------------------------------------------------------------------------------------------- */

static int find_name(const char *const *names, const char *name)
{
    for (int i = 0; names[i]; i++) {
        if (!strcmp(names[i], name)) {
            return i;
        }
    }
    return -1;
}

static bool enum_arg(const Json *args, const char *key, const char *const *names, int fallback, int *ret, Error **errp)
{
    const char *text = json_get_string(args, key);

    *ret = text ? find_name(names, text) : fallback;
    if (*ret < 0) {
        error_set(errp, "Parameter '%s' does not accept value '%s'", key, text ? text : "");
    }
    return *ret >= 0;
}

static const char *const on_error_names[] = { "report", "ignore", "enospc", "stop", NULL };
static const char *const sync_names[] = { "full", "top", "none", "incremental", "bitmap", NULL };

static bool common_args(const Json *args, const char *device, const char *source_key, JobCommon *ret, Error **errp)
{
    int source, target;

    *ret = (JobCommon){ .id = json_get_string(args, "job-id"), .auto_finalize = json_get_bool(args, "auto-finalize", true),
                        .auto_dismiss = json_get_bool(args, "auto-dismiss", true), .speed = (uint64_t)json_get_int(args, "speed", 0) };
    ret->id = ret->id ? ret->id : device;
    if (json_get_int(args, "speed", 0) < 0) {
        error_set(errp, "Parameter 'speed' expects a non-negative value");
        return false;
    }
    if (!enum_arg(args, source_key, on_error_names, 0, &source, errp) || !enum_arg(args, "on-target-error", on_error_names, 0, &target, errp)) {
        return false;
    }
    ret->on_source_error = (JobOnError)source;
    ret->on_target_error = (JobOnError)target;
    return true;
}

/* A new target file, or one that is there. */
static BlockNode *open_target(BlockNode *source, const Json *args, MirrorSync sync, Error **errp)
{
    const char *file = json_get_string(args, "target"), *format = json_get_string(args, "format"), *mode = json_get_string(args, "mode");
    const char *name = json_get_string(args, "node-name");
    bool existing = mode && !strcmp(mode, "existing");
    BlockNode *backing = node_backing(node_skip_filters(source));
    Json *options = json_object();

    format = format ? format : existing ? NULL : source->driver->name;
    if (!existing) {
        Json *shape = json_object();
        json_put_uint(shape, "size", source->size_bytes);
        if (sync == SYNC_TOP && backing && backing->filename) {
            json_put_string(shape, "backing_file", backing->filename);
            json_put_string(shape, "backing_fmt", backing->driver->name);
        }
        bool ok = image_create(file, format, shape, true, errp);
        json_free(shape);
        if (!ok) {
            json_free(options);
            return NULL;
        }
    }
    if (format) {
        json_put_string(options, "driver", format);
    }
    if (name) {
        json_put_string(options, "node-name", name);
    }
    if (sync == SYNC_TOP && backing && !existing) {
        json_put_string(options, "backing", backing->name);
    }
    return node_open(file, options, BLOCK_RDWR | BLOCK_DISCARD | (sync == SYNC_TOP ? 0 : BLOCK_NO_BACKING), errp);
}

static Json *start_mirror(const char *command, const Json *args, JobFindNode *find, Error **errp)
{
    static const char *const modes[] = { "background", "write-blocking", NULL };
    const char *device = json_get_string(args, "device"), *replaces = json_get_string(args, "replaces");
    BlockNode *source = find(device, errp), *target = NULL, *replaced = NULL;
    MirrorOptions o = { 0 };
    int sync, mode;
    bool ok = source && common_args(args, device, "on-source-error", &o.common, errp) && enum_arg(args, "sync", sync_names, -1, &sync, errp) &&
              enum_arg(args, "copy-mode", modes, 0, &mode, errp);

    if (ok && sync > SYNC_NONE) {
        error_set(errp, "Sync mode '%s' not supported", sync_names[sync]);
        ok = false;
    }
    if (ok) {
        o.sync = (MirrorSync)sync;
        o.write_blocking = mode;
        o.granularity = (uint64_t)json_get_int(args, "granularity", 0);
        target = !strcmp(command, "drive-mirror") ? open_target(source, args, o.sync, errp) : find(json_get_string(args, "target"), errp);
        ok = target && (!replaces || (replaced = find(replaces, errp)));
    }
    if (ok && target->size_bytes != source->size_bytes && strcmp(command, "drive-mirror")) {
        error_set(errp, "Source and target image have different sizes");
        ok = false;
    }
    if (ok) {
        o.replaces = replaced;
        ok = mirror_start(source, target, &o, errp);
    }
    node_unref(replaced);
    node_unref(target);
    node_unref(source);
    return done(ok);
}

Json *qmp_start_backup(const char *command, const Json *args, JobFindNode *find, Error **errp)
{
    static const char *const modes[] = { "on-success", "never", "always", NULL };
    const char *device = json_get_string(args, "device");
    BlockNode *source = find(device, errp), *target = NULL;
    BackupOptions o = { .bitmap = json_get_string(args, "bitmap"), .compress = json_get_bool(args, "compress", false) };
    int sync, mode;
    bool ok = source && common_args(args, device, "on-source-error", &o.common, errp) && enum_arg(args, "sync", sync_names, -1, &sync, errp) &&
              enum_arg(args, "bitmap-mode", modes, BITMAP_SYNC_ON_SUCCESS, &mode, errp);

    if (ok) {
        o.sync = (MirrorSync)sync;
        o.bitmap_mode = (BitmapSync)mode;
        if (o.sync == SYNC_BITMAP && !json_get(args, "bitmap-mode")) {
            error_set(errp, "Bitmap sync mode must be given when providing a bitmap");
            ok = false;
        }
    }
    if (ok) {
        target = !strcmp(command, "drive-backup") ? open_target(source, args, o.sync, errp) : find(json_get_string(args, "target"), errp);
        ok = target && backup_start(source, target, &o, errp);
    }
    node_unref(target);
    node_unref(source);
    return done(ok);
}

/* A node of the chain by its name or its file's. */
static BlockNode *in_chain(BlockNode *node, const char *file, const char *name)
{
    while (node && !(name && !strcmp(node->name, name)) && !(file && node->filename && !strcmp(node->filename, file))) {
        BlockNode *below = node_filtered(node);
        node = below ? below : node_backing(node);
    }
    return node;
}

static Json *start_stream(const char *command, const Json *args, JobFindNode *find, Error **errp)
{
    const char *device = json_get_string(args, "device"), *file = json_get_string(args, "base"), *name = json_get_string(args, "base-node");
    const char *bottom = json_get_string(args, "bottom");
    BlockNode *node = find(device, errp), *base = NULL;
    JobCommon common;
    bool ok = node && common_args(args, device, "on-error", &common, errp);

    if (ok && (file != NULL) + (name != NULL) + (bottom != NULL) > 1) {
        error_set(errp, "'base', 'base-node' and 'bottom' cannot be specified at the same time");
        ok = false;
    }
    if (ok && (file || name)) {
        base = in_chain(node_backing(node), file, name);
        if (!base) {
            error_set(errp, file ? "Can't find '%s' in the backing chain" : "Node '%s' is not a backing image of it", file ? file : name);
            ok = false;
        }
    }
    if (ok && bottom) {
        BlockNode *last = in_chain(node, NULL, bottom);
        base = last ? node_backing(last) : NULL;
        if (!last) {
            error_set(errp, "Node '%s' is not in a chain starting from '%s'", bottom, node->name);
            ok = false;
        }
    }
    ok = ok && stream_start(node, base, json_get_string(args, "backing-file"), &common, errp);
    node_unref(node);
    return done(ok);
}

static Json *start_commit(const char *command, const Json *args, JobFindNode *find, Error **errp)
{
    const char *device = json_get_string(args, "device"), *base_file = json_get_string(args, "base"), *base_name = json_get_string(args, "base-node");
    const char *top_file = json_get_string(args, "top"), *top_name = json_get_string(args, "top-node"), *backing = json_get_string(args, "backing-file");
    BlockNode *node = find(device, errp), *top = node, *base;
    JobCommon common;
    bool ok = node && common_args(args, device, "on-error", &common, errp);

    if (ok && (top_file || top_name)) {
        top = in_chain(node, top_file, top_name);
        if (!top) {
            error_set(errp, "Top image file %s not found", top_file ? top_file : top_name);
            ok = false;
        }
    }
    if (ok && (base_file || base_name)) {
        base = in_chain(node_backing(top), base_file, base_name);
    } else if (ok) {
        for (base = node_backing(top); base && node_backing(base); base = node_backing(base)) {
        }
    }
    if (ok && !base) {
        error_set(errp, base_file || base_name ? "Can't find '%s' in the backing chain" : "There is no backimg chain%.0s", base_file ? base_file : base_name ? base_name : "");
        ok = false;
    }
    if (ok && top == node) {
        if (backing) {
            error_set(errp, "'backing-file' specified, but 'top' is the active layer");
            ok = false;
        } else {
            MirrorOptions o = { .common = common, .sync = SYNC_TOP, .base = base, .is_commit = true };
            o.common.on_target_error = common.on_source_error;
            ok = mirror_start(top, base, &o, errp);
        }
    } else if (ok) {
        ok = commit_start(node, top, base, backing, &common, errp);
    }
    node_unref(node);
    return done(ok);
}

/* -- the table ------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    Json *(*run)(const char *command, const Json *args, JobFindNode *find, Error **errp);
} commands[] = {
    { "block-job-cancel", job_verb }, { "block-job-complete", job_verb }, { "block-job-dismiss", job_verb }, { "block-job-finalize", job_verb },
    { "block-job-pause", job_verb }, { "block-job-resume", job_verb }, { "block-job-set-speed", job_verb },
    { "job-cancel", job_verb }, { "job-complete", job_verb }, { "job-dismiss", job_verb }, { "job-finalize", job_verb }, { "job-pause", job_verb },
    { "job-resume", job_verb }, { "query-jobs", query_jobs }, { "query-block-jobs", query_jobs },
    { "blockdev-mirror", start_mirror }, { "drive-mirror", start_mirror }, { "blockdev-backup", qmp_start_backup }, { "drive-backup", qmp_start_backup },
    { "block-stream", start_stream }, { "block-commit", start_commit }, { "transaction", qmp_transaction },
};

bool job_qmp_known(const char *command)
{
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (!strcmp(commands[i].name, command)) {
            return true;
        }
    }
    return qmp_is_action(command);
}

Json *job_qmp(const char *command, const Json *args, JobFindNode *find, Error **errp)
{
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (!strcmp(commands[i].name, command)) {
            return commands[i].run(command, args, find, errp);
        }
    }
    return done(qmp_action(command, args, find, errp));
}
