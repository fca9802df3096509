/*
 * throttle.c: "throttle": requests wait until the limits of their group let them through.
 *
 * Each limit is a leaking bucket: what passes fills it, and it leaks at the average rate. A request passes while the bucket is not full. Its size
 * is a tenth of a second's worth, or with max= so much as bursts may be long; while a burst of several seconds goes on, a second
 * bucket that leaks at the burst's rate keeps it to that. Requests of a direction pass in the order they came.
 */
#include <string.h>
#include <time.h>

#include "block/filters/filter.h"
#include "block/throttle.h"
#include "util/alloc.h"

const char *const throttle_bucket_names[] = { "bps-total", "bps-read", "bps-write", "iops-total", "iops-read", "iops-write" };

typedef struct Bucket {
    double level, burst_level;
} Bucket;

struct ThrottleGroup {
    ThrottleGroup *next;
    char *name;
    unsigned refs, passing;      /* passing: requests that are let through or wait; each has a reference */
    ThrottleConfig config;
    Bucket buckets[THROTTLE_BUCKETS];
    int64_t leaked_ns;
    CoMutex turn[2];             /* readers, writers */
    unsigned bypass;
};

static ThrottleGroup *groups;

/* -- limits ---------------------------------------------------------------------------------------------------------- */

static bool number(const Json *options, const char *prefix, const char *name, const char *suffix, uint64_t fallback, uint64_t *ret, Error **errp)
{
    char *key = xasprintf("%s%s%s", prefix, name, suffix);
    bool ok = opts_uint(options, key, fallback, ret, errp);
    free(key);
    return ok;
}

bool throttle_check(const ThrottleConfig *config, Error **errp)
{
    const ThrottleLimit *l = config->limits;

    for (unsigned base = 0; base < THROTTLE_BUCKETS; base += 3) {
        if ((l[base].avg && (l[base + 1].avg || l[base + 2].avg)) || (l[base].max && (l[base + 1].max || l[base + 2].max))) {
            error_set(errp, "bps/iops/max total values and read/write values cannot be used at the same time");
            return false;
        }
    }
    for (unsigned i = 0; i < THROTTLE_BUCKETS; i++) {
        if (l[i].avg > 1000000000000000ull || l[i].max > 1000000000000000ull) {
            error_set(errp, "bps/iops/max values must be within [0, %lld]", 1000000000000000ll);
            return false;
        }
        if (!l[i].burst_length) {
            error_set(errp, "the burst length cannot be 0");
            return false;
        }
        if (l[i].burst_length > 1 && !l[i].max) {
            error_set(errp, "burst length set without burst rate");
            return false;
        }
        if (l[i].max && !l[i].avg) {
            error_set(errp, "bps_max/iops_max require corresponding bps/iops values");
            return false;
        }
        if (l[i].max && l[i].max < l[i].avg) {
            error_set(errp, "bps_max/iops_max cannot be lower than bps/iops");
            return false;
        }
    }
    if (config->iops_size && !l[THROTTLE_IOPS_TOTAL].avg && !l[THROTTLE_IOPS_READ].avg && !l[THROTTLE_IOPS_WRITE].avg) {
        error_set(errp, "iops size requires an iops value to be set");
        return false;
    }
    return true;
}

bool throttle_any(const ThrottleConfig *config)
{
    for (unsigned i = 0; i < THROTTLE_BUCKETS; i++) {
        if (config->limits[i].avg) {
            return true;
        }
    }
    return false;
}

bool throttle_parse(const Json *options, const char *prefix, ThrottleConfig *ret, Error **errp)
{
    ThrottleConfig c = { 0 };

    for (unsigned i = 0; i < THROTTLE_BUCKETS; i++) {
        if (!number(options, prefix, throttle_bucket_names[i], "", 0, &c.limits[i].avg, errp) ||
            !number(options, prefix, throttle_bucket_names[i], "-max", 0, &c.limits[i].max, errp) ||
            !number(options, prefix, throttle_bucket_names[i], "-max-length", 1, &c.limits[i].burst_length, errp)) {
            return false;
        }
    }
    if (!number(options, prefix, "iops-size", "", 0, &c.iops_size, errp) || !throttle_check(&c, errp)) {
        return false;
    }
    *ret = c;
    return true;
}

/* -- groups ---------------------------------------------------------------------------------------------------------- */

ThrottleGroup *throttle_group_find(const char *name)
{
    ThrottleGroup *g = groups;
    while (g && strcmp(g->name, name)) {
        g = g->next;
    }
    return g;
}

ThrottleGroup *throttle_group_new(const char *name, const ThrottleConfig *config, Error **errp)
{
    if (throttle_group_find(name)) {
        error_set(errp, "A group with this name already exists");
        return NULL;
    }
    ThrottleGroup *g = xnew(ThrottleGroup);
    *g = (ThrottleGroup){ .next = groups, .name = xstrdup(name), .refs = 1, .config = *config, .leaked_ns = io_now_ns() };
    co_mutex_init(&g->turn[0]);
    co_mutex_init(&g->turn[1]);
    groups = g;
    return g;
}

ThrottleGroup *throttle_group_ref(ThrottleGroup *g)
{
    g->refs++;
    return g;
}

void throttle_group_unref(ThrottleGroup *g)
{
    if (!g || --g->refs) {
        return;
    }
    for (ThrottleGroup **at = &groups; *at; at = &(*at)->next) {
        if (*at == g) {
            *at = g->next;
            break;
        }
    }
    free(g->name);
    free(g);
}

void throttle_group_set(ThrottleGroup *g, const ThrottleConfig *config)
{
    g->config = *config;
    memset(g->buckets, 0, sizeof(g->buckets));
    g->leaked_ns = io_now_ns();
}

void throttle_group_bypass(ThrottleGroup *g, bool on)
{
    g->bypass += on ? 1u : ~0u;
}

const char *throttle_group_name(const ThrottleGroup *g)
{
    return g->name;
}

const ThrottleConfig *throttle_group_config(const ThrottleGroup *g)
{
    return &g->config;
}

ThrottleGroup *throttle_group_open(const char *name, const Json *options, Error **errp)
{
    ThrottleConfig config;
    Json *nested = json_copy(options);
    bool ok = opts_nest(nested, errp);

    for (size_t i = 0; ok && i < json_count(nested); i++) {
        const char *key = json_key_at(nested, i);
        if (strcmp(key, "id") && strcmp(key, "qom-type") && strcmp(key, "limits") && strncmp(key, "x-", 2)) {
            error_set(errp, "Property 'throttle-group.%s' not found", key);
            ok = false;
        }
    }
    const Json *limits = json_get(nested, "limits");
    ok = ok && (limits ? throttle_parse(limits, "", &config, errp) : throttle_parse(nested, "x-", &config, errp));
    json_free(nested);
    return ok ? throttle_group_new(name, &config, errp) : NULL;
}

/* -- requests -------------------------------------------------------------------------------------------------------- */

static double bucket_size(const ThrottleLimit *l)
{
    return l->max ? (double)l->max * (double)l->burst_length : (double)l->avg / 10;
}

static void leak(ThrottleGroup *g)
{
    int64_t now = io_now_ns();
    double seconds = (double)(now - g->leaked_ns) / 1e9;

    g->leaked_ns = now;
    for (unsigned i = 0; i < THROTTLE_BUCKETS; i++) {
        const ThrottleLimit *l = &g->config.limits[i];
        Bucket *b = &g->buckets[i];
        b->level = MAX(b->level - (double)l->avg * seconds, 0);
        b->burst_level = MAX(b->burst_level - (double)l->max * seconds, 0);
    }
}

static bool concerns(unsigned bucket, bool writes)
{
    return bucket % 3 == 0 || bucket % 3 == (writes ? 2 : 1);
}

/* Seconds until a request may pass. */
static double wait_time(const ThrottleGroup *g, bool writes)
{
    double wait = 0;

    for (unsigned i = 0; i < THROTTLE_BUCKETS; i++) {
        const ThrottleLimit *l = &g->config.limits[i];
        const Bucket *b = &g->buckets[i];
        if (!l->avg || !concerns(i, writes)) {
            continue;
        }
        wait = MAX(wait, (b->level - bucket_size(l)) / (double)l->avg);
        if (l->burst_length > 1) {
            wait = MAX(wait, (b->burst_level - (double)l->max / 10) / (double)l->max);
        }
    }
    return wait;
}

void throttle_co_pass(ThrottleGroup *g, bool writes, uint64_t bytes)
{
    double units = g->config.iops_size && bytes > g->config.iops_size ? (double)bytes / (double)g->config.iops_size : 1;

    g->refs++;
    g->passing++;
    co_mutex_lock(&g->turn[writes]);
    for (;;) {
        leak(g);
        double wait = wait_time(g, writes);
        if (wait <= 0 || g->bypass || g->refs == g->passing) { /* the last: the group's drives have no limits any more */
            break;
        }
        co_sleep_ns((int64_t)(MIN(wait, 0.1) * 1e9) + 1000);
    }
    for (unsigned i = 0; i < THROTTLE_BUCKETS; i++) {
        if (concerns(i, writes)) {
            double amount = i < THROTTLE_IOPS_TOTAL ? (double)bytes : units;
            g->buckets[i].level += amount;
            g->buckets[i].burst_level += amount;
        }
    }
    co_mutex_unlock(&g->turn[writes]);
    g->passing--;
    throttle_group_unref(g);
}

/* -- the driver ------------------------------------------------------------------------------------------------------ */

typedef struct ThrottleState {
    ThrottleGroup *group;
} ThrottleState;

static const BlockOption throttle_options[] = {
    { "file", OPTION_NODE, "the node that is throttled", NULL },
    { "throttle-group", OPTION_STRING, "Name of the throttle group", NULL },
    { NULL },
};

static bool throttle_open(BlockNode *node, Json *options, Error **errp)
{
    ThrottleState *s = node->state;
    const char *name;

    if (!filter_open_child(node, options, "file", errp) || !opts_string(options, "throttle-group", NULL, &name, errp)) {
        return false;
    }
    if (!name) {
        error_set(errp, "Please specify a throttle group");
        return false;
    }
    ThrottleGroup *g = throttle_group_find(name);
    if (!g) {
        error_set(errp, "Throttle group '%s' does not exist", name);
        return false;
    }
    s->group = throttle_group_ref(g);
    json_drop(options, "throttle-group");
    return true;
}

static void throttle_close(BlockNode *node)
{
    throttle_group_unref(((ThrottleState *)node->state)->group);
}

static int throttle_read(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags)
{
    throttle_co_pass(((ThrottleState *)node->state)->group, false, bytes);
    return filter_co_read(node, offset, bytes, sg, flags);
}

static int throttle_write(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags)
{
    throttle_co_pass(((ThrottleState *)node->state)->group, true, bytes);
    return filter_co_write(node, offset, bytes, sg, flags);
}

static int throttle_write_compressed(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg)
{
    throttle_co_pass(((ThrottleState *)node->state)->group, true, bytes);
    return filter_co_write_compressed(node, offset, bytes, sg);
}

static int throttle_zero(BlockNode *node, uint64_t offset, uint64_t bytes, unsigned flags)
{
    throttle_co_pass(((ThrottleState *)node->state)->group, true, bytes);
    return filter_co_zero(node, offset, bytes, flags);
}

static int throttle_discard(BlockNode *node, uint64_t offset, uint64_t bytes)
{
    throttle_co_pass(((ThrottleState *)node->state)->group, true, bytes);
    return filter_co_discard(node, offset, bytes);
}

const BlockDriver block_throttle = {
    .name = "throttle", .summary = "limits bandwidth and requests", .kind = DRIVER_FILTER, .state_bytes = sizeof(ThrottleState),
    .options = throttle_options, .handles_fua = true, .open = throttle_open, .close = throttle_close,
    .co_read = throttle_read, .co_write = throttle_write, .co_write_compressed = throttle_write_compressed, .co_zero = throttle_zero,
    .co_discard = throttle_discard, .co_truncate = filter_co_truncate,
};
