/*
 * limits.c: limits of drives: -drive throttling.…, bps=, iops= and block_set_io_throttle. A drive with limits is in a throttle group, which drives
 * that name it share.
 *
 * Requests of a drive wait before they go to its node; a raw drive becomes a node for that.
 */
#include <string.h>

#include "block/internal.h"
#include "block/throttle.h"
#include "softmmu/options.h"

static const char *const short_names[THROTTLE_BUCKETS] = { "bps", "bps_rd", "bps_wr", "iops", "iops_rd", "iops_wr" };

static bool is_limit(const char *key)
{
    if (!strncmp(key, "throttling.", 11)) {
        return true;
    }
    for (size_t i = 0; i < ARRAY_SIZE(short_names); i++) {
        size_t n = strlen(short_names[i]);
        if (!strncmp(key, short_names[i], n) && (!key[n] || !strcmp(key + n, "_max") || !strcmp(key + n, "_max_length"))) {
            return true;
        }
    }
    return !strcmp(key, "iops_size") || !strcmp(key, "group");
}

Json *limits_take(Json *opts)
{
    Json *limits = NULL;

    for (size_t i = json_count(opts); i-- > 0;) {
        if (is_limit(json_key_at(opts, i))) {
            char *key = xstrdup(json_key_at(opts, i));
            limits = limits ? limits : json_object();
            json_put(limits, key, json_take(opts, key));
            free(key);
        }
    }
    return limits;
}

static bool number(const Json *opts, const char *name, const char *suffix, uint64_t *ret, Error **errp)
{
    char *key = xasprintf("%s%s", name, suffix);
    bool ok = opts_uint(opts, key, *ret, ret, errp);
    free(key);
    return ok;
}

static bool all_known(const Json *opts, Error **errp)
{
    for (size_t i = 0; i < json_count(opts); i++) {
        const char *key = json_key_at(opts, i), *name = key + 11;
        bool known = strncmp(key, "throttling.", 11) || !strcmp(name, "group") || !strcmp(name, "iops-size");
        for (size_t k = 0; k < THROTTLE_BUCKETS && !known; k++) {
            size_t n = strlen(throttle_bucket_names[k]);
            known = !strncmp(name, throttle_bucket_names[k], n) && (!name[n] || !strcmp(name + n, "-max") || !strcmp(name + n, "-max-length"));
        }
        if (!known) {
            error_set(errp, "-drive: '%s' is not supported", key);
            return false;
        }
    }
    return true;
}

/* Names of both kinds. */
static bool read_limits(const Json *opts, ThrottleConfig *ret, Error **errp)
{
    ThrottleConfig c;

    if (!throttle_parse(opts, "throttling.", &c, errp) || !all_known(opts, errp)) {
        return false;
    }
    for (unsigned i = 0; i < THROTTLE_BUCKETS; i++) {
        ThrottleLimit *l = &c.limits[i];
        if (!number(opts, short_names[i], "", &l->avg, errp) || !number(opts, short_names[i], "_max", &l->max, errp) ||
            !number(opts, short_names[i], "_max_length", &l->burst_length, errp)) {
            return false;
        }
    }
    if (!number(opts, "iops_size", "", &c.iops_size, errp) || !throttle_check(&c, errp)) {
        return false;
    }
    *ret = c;
    return true;
}

void limits_end(BlockBackend *blk)
{
    throttle_group_unref(blk->throttle);
    blk->throttle = NULL;
}

bool limits_set(BlockBackend *blk, const Json *opts, Error **errp)
{
    const char *group = json_get_string(opts, "throttling.group");
    ThrottleConfig config;

    group = group ? group : json_get_string(opts, "group");
    group = group ? group : blk->throttle ? throttle_group_name(blk->throttle) : blk->id && *blk->id ? blk->id : blk->owner;
    if (!read_limits(opts, &config, errp)) {
        return false;
    }
    if (!throttle_any(&config)) {
        limits_end(blk);
        return true;
    }
    if (blk->medium && !medium_become_node(blk->medium, errp)) {
        return false;
    }
    ThrottleGroup *g = throttle_group_find(group ? group : "");
    if (g) {
        throttle_group_ref(g);
        throttle_group_set(g, &config);
    } else {
        g = throttle_group_new(group ? group : "", &config, errp);
    }
    if (g) {
        limits_end(blk);
        blk->throttle = g;
    }
    return g != NULL;
}

bool block_set_io_throttle(BlockBackend *blk, const Json *args, Error **errp)
{
    if (!blk->medium) {
        error_set(errp, "Device has no medium");
        return false;
    }
    return limits_set(blk, args, errp);
}

void limits_describe(const BlockBackend *blk, Json *inserted)
{
    const ThrottleConfig *c = blk->throttle ? throttle_group_config(blk->throttle) : NULL;

    for (unsigned i = 0; c && i < THROTTLE_BUCKETS; i++) {
        char *max = xasprintf("%s_max", short_names[i]), *length = xasprintf("%s_max_length", short_names[i]);
        json_put_uint(inserted, short_names[i], c->limits[i].avg);
        if (c->limits[i].max) {
            json_put_uint(inserted, max, c->limits[i].max);
            json_put_uint(inserted, length, c->limits[i].burst_length);
        }
        free(max);
        free(length);
    }
    if (c) {
        if (c->iops_size) {
            json_put_uint(inserted, "iops_size", c->iops_size);
        }
        json_put_string(inserted, "group", throttle_group_name(blk->throttle));
    }
}
