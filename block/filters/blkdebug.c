/*
 * blkdebug.c: "blkdebug": requests that fail by rules, alignments and limits to test with.
 *
 * An inject-error rule is armed when its event happens (event=none: always) while the state is its state (0: any); then requests of its kinds
 * fail. set-state rules change the state. Drivers say what they do with node_event(); the events are those that rules of the field know.
 * Rules are options or sections of a config file ([inject-error], [set-state]). With config and image: "blkdebug:CONFIG:IMAGE".
 *
 * Leaves out: suspended requests (break, resume), block-status errors' own offsets.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "block/filters/filter.h"
#include "util/alloc.h"
#include "util/bits.h"
#include "util/parse.h"

static const char *const event_names[] = {
    "none", "l1_update", "l1_grow_alloc_table", "l1_grow_write_table", "l1_grow_activate_table", "l2_load", "l2_update", "l2_update_compressed", "l2_alloc_cow_read",
    "l2_alloc_write", "read_aio", "read_backing_aio", "read_compressed", "write_aio", "write_compressed", "vmstate_load", "vmstate_save", "cow_read", "cow_write",
    "reftable_load", "reftable_grow", "reftable_update", "refblock_load", "refblock_update", "refblock_update_part", "refblock_alloc", "refblock_alloc_hookup",
    "refblock_alloc_write", "refblock_alloc_write_blocks", "refblock_alloc_write_table", "refblock_alloc_switch_table", "cluster_alloc", "cluster_alloc_bytes",
    "cluster_free", "flush_to_os", "flush_to_disk", "pwritev_rmw_head", "pwritev_rmw_after_head", "pwritev_rmw_tail", "pwritev_rmw_after_tail", "pwritev", "pwritev_zero",
    "pwritev_done", "empty_image_prepare", "l1_shrink_write_table", "l1_shrink_free_l2_clusters", "cor_write", "cluster_alloc_space",
};
static const char *const iotype_names[] = { "read", "write", "write-zeroes", "discard", "flush", "block-status" };
enum { IO_READ = 1, IO_WRITE = 2, IO_ZERO = 4, IO_DISCARD = 8, IO_FLUSH = 16, IO_STATUS = 32, IO_DEFAULT = 31, MAX_RULES = 256 };

typedef struct Rule {
    unsigned event, iotypes;
    uint64_t state, new_state;
    int error;
    bool sets_state, once, immediately, has_sector, armed, spent;
    uint64_t sector;
} Rule;

typedef struct DebugState {
    VEC(Rule) rules;
    uint64_t state;
    char *config;
} DebugState;

static const BlockOption debug_options[] = {
    { "config", OPTION_STRING, "Path to the configuration file", NULL },
    { "image", OPTION_NODE, "the node beneath", NULL },
    { "align", OPTION_SIZE, "Required alignment in bytes", NULL },
    { "max-transfer", OPTION_SIZE, "Maximum transfer size in bytes", NULL },
    { "opt-write-zero", OPTION_SIZE, "Optimum write zero alignment in bytes", NULL },
    { "max-write-zero", OPTION_SIZE, "Maximum write zero size in bytes", NULL },
    { "opt-discard", OPTION_SIZE, "Optimum discard alignment in bytes", NULL },
    { "max-discard", OPTION_SIZE, "Maximum discard size in bytes", NULL },
    { "inject-error", OPTION_STRING, "rules: inject-error.N.event, .errno, .sector, .state, .iotype, .once, .immediately", NULL },
    { "set-state", OPTION_STRING, "rules: set-state.N.event, .state, .new_state", NULL },
    { NULL },
};

/* -- rules ----------------------------------------------------------------------------------------------------------- */

static bool find_name(const char *const *names, size_t n, const char *name, unsigned *ret)
{
    for (unsigned i = 0; i < n; i++) {
        if (!strcmp(names[i], name)) {
            *ret = i;
            return true;
        }
    }
    return false;
}

static bool add_rule(DebugState *s, const Json *rule, bool sets_state, Error **errp)
{
    static const char *const inject_keys[] = { "event", "state", "errno", "sector", "iotype", "once", "immediately", NULL };
    static const char *const set_keys[] = { "event", "state", "new_state", NULL };
    Rule r = { .sets_state = sets_state, .iotypes = IO_DEFAULT, .error = EIO };
    const char *event, *iotype;
    uint64_t error;

    for (size_t i = 0; i < json_count(rule); i++) {
        const char *const *known = sets_state ? set_keys : inject_keys;
        while (*known && strcmp(*known, json_key_at(rule, i))) {
            known++;
        }
        if (!*known) {
            error_set(errp, "[%s] section doesn't support the option '%s'", sets_state ? "set-state" : "inject-error", json_key_at(rule, i));
            return false;
        }
    }
    if (!opts_string(rule, "event", NULL, &event, errp) || !opts_string(rule, "iotype", NULL, &iotype, errp) ||
        !opts_uint(rule, "state", 0, &r.state, errp) || !opts_uint(rule, "new_state", 0, &r.new_state, errp) ||
        !opts_uint(rule, "errno", EIO, &error, errp) || !opts_uint(rule, "sector", 0, &r.sector, errp) ||
        !opts_bool(rule, "once", false, &r.once, errp) || !opts_bool(rule, "immediately", false, &r.immediately, errp)) {
        return false;
    }
    if (!event) {
        error_set(errp, "Missing event name for rule");
        return false;
    }
    if (!find_name(event_names, ARRAY_SIZE(event_names), event, &r.event)) {
        error_set(errp, "invalid parameter value: %s", event);
        return false;
    }
    if (iotype) {
        unsigned kind;
        if (!find_name(iotype_names, ARRAY_SIZE(iotype_names), iotype, &kind)) {
            error_set(errp, "invalid parameter value: %s", iotype);
            return false;
        }
        r.iotypes = 1u << kind;
    }
    if (error > 4095 || s->rules.n >= MAX_RULES) {
        error_set(errp, s->rules.n >= MAX_RULES ? "too many rules" : "Invalid error number %" PRIu64, error);
        return false;
    }
    r.error = (int)error;
    r.has_sector = opts_is_set(rule, "sector");
    r.armed = !sets_state && !r.event;
    *vec_push(&s->rules) = r;
    return true;
}

static bool add_rules(DebugState *s, Json *options, const char *key, bool sets_state, Error **errp)
{
    Json *rules = json_take(options, key);
    bool ok = true;

    for (size_t i = 0; ok && i < json_count(rules); i++) {
        ok = add_rule(s, json_at(rules, i), sets_state, errp);
    }
    json_free(rules);
    return ok;
}

/* key = "value" lines in [sections]. */
static bool read_config(DebugState *s, const char *path, Error **errp)
{
    FILE *f = fopen(path, "re");
    char line[1024], section[64] = "";
    unsigned number = 0;
    Json *rule = NULL;
    bool ok = true;

    if (!f) {
        error_set_errno(errp, errno, "Could not open '%s'", path);
        return false;
    }
    while (ok) {
        char *end = fgets(line, sizeof(line), f), *text = line;
        number++;
        text += end ? strspn(text, " \t") : 0;
        bool begins = end && *text == '[';
        if ((!end || begins) && rule) {
            ok = add_rule(s, rule, !strcmp(section, "set-state"), errp);
            json_free(rule);
            rule = NULL;
        }
        char key[128], value[256];
        if (!ok || !end) {
            break;
        }
        if (begins) {
            ok = sscanf(text, "[%63[^]]]", section) == 1 && (!strcmp(section, "inject-error") || !strcmp(section, "set-state"));
            rule = ok ? json_object() : NULL;
        } else if (*text != '#' && *text != '\n' && *text) {
            ok = rule && sscanf(text, "%127[^ =] = \"%255[^\"]\"", key, value) == 2;
            if (ok) {
                json_put_string(rule, key, value);
            }
        }
        if (!ok) {
            error_set(errp, "%s:%u: it is not a section 'inject-error' or 'set-state', nor key = \"value\" in one", path, number);
        }
    }
    json_free(rule);
    fclose(f);
    return ok;
}

/* -- opening --------------------------------------------------------------------------------------------------------- */

static bool debug_parse_filename(const char *filename, Json *options, Error **errp)
{
    const char *rest = filename + strlen("blkdebug:"), *colon = strchr(rest, ':');

    if (!colon) {
        error_set(errp, "blkdebug requires both config file and image path");
        return false;
    }
    if (colon > rest) {
        char *config = xstrndup(rest, (size_t)(colon - rest));
        json_put_string(options, "config", config);
        free(config);
    }
    json_put_string(options, "x-image", colon + 1);
    return true;
}

static bool limit(const Json *options, const char *name, uint64_t align, uint64_t max, uint64_t *ret, Error **errp)
{
    if (!opts_size(options, name, 0, ret, errp)) {
        return false;
    }
    if (*ret % align || *ret > max) {
        error_set(errp, "Cannot meet constraints with %s %" PRIu64, name, *ret);
        return false;
    }
    return true;
}

static bool debug_open(BlockNode *node, Json *options, Error **errp)
{
    DebugState *s = node->state;
    const char *config, *image;
    uint64_t align, transfer, opt_zero, max_zero, opt_discard, max_discard;

    s->state = 1;
    if (!opts_string(options, "config", NULL, &config, errp) || !opts_string(options, "x-image", NULL, &image, errp) ||
        (config && !read_config(s, config, errp)) || !add_rules(s, options, "inject-error", false, errp) ||
        !add_rules(s, options, "set-state", true, errp)) {
        return false;
    }
    BlockEdge *edge = node_open_child(node, options, "image", ROLE_FILTERED | ROLE_PRIMARY, image, false, errp);
    if (!edge) {
        return false;
    }
    filter_take_limits(node, edge->node);
    if (!limit(options, "align", 1, INT32_MAX, &align, errp)) {
        return false;
    }
    if (align && !bits_is_pow2(align)) {
        error_set(errp, "Cannot meet constraints with align %" PRIu64, align);
        return false;
    }
    node->request_align = MAX(node->request_align, (uint32_t)align);
    uint64_t unit = node->request_align;
    if (!limit(options, "max-transfer", unit, INT32_MAX, &transfer, errp) || !limit(options, "opt-write-zero", unit, INT32_MAX, &opt_zero, errp) ||
        !limit(options, "max-write-zero", MAX(opt_zero, unit), INT64_MAX, &max_zero, errp) ||
        !limit(options, "opt-discard", unit, INT32_MAX, &opt_discard, errp) || !limit(options, "max-discard", MAX(opt_discard, unit), INT64_MAX, &max_discard, errp)) {
        return false;
    }
    node->max_transfer = transfer ? transfer : node->max_transfer;
    node->zero_align = opt_zero ? (uint32_t)opt_zero : node->zero_align;
    node->max_zero = max_zero ? max_zero : node->max_zero;
    if (edge->node->filename && !json_get(node->options, "node-name") && strncmp(edge->node->filename, "json:", 5)) {
        free(node->filename);
        node->filename = xasprintf("blkdebug:%s:%s", config ? config : "", edge->node->filename);
    }
    json_drop(options, "x-image");
    for (size_t i = 0; debug_options[i].name; i++) {
        json_drop(options, debug_options[i].name);
    }
    return true;
}

static void debug_close(BlockNode *node)
{
    DebugState *s = node->state;
    vec_free(&s->rules);
}

/* -- requests -------------------------------------------------------------------------------------------------------- */

static void debug_event(BlockNode *node, const char *event)
{
    DebugState *s = node->state;
    uint64_t state = s->state, next = state;
    unsigned e;

    if (!s->rules.n || !find_name(event_names, ARRAY_SIZE(event_names), event, &e)) {
        return;
    }
    bool any = false;
    for (size_t i = 0; i < s->rules.n; i++) {
        const Rule *r = &s->rules.at[i];
        if (r->event == e && (!r->state || r->state == state)) {
            any |= !r->sets_state;
            next = r->sets_state ? r->new_state : next;
        }
    }
    /* What is armed stays so until an event arms something else. */
    for (size_t i = 0; any && i < s->rules.n; i++) {
        Rule *r = &s->rules.at[i];
        r->armed = !r->sets_state && (!r->event || (r->event == e && (!r->state || r->state == state)));
    }
    s->state = next;
}

static int check_rules(BlockNode *node, unsigned iotype, uint64_t offset, uint64_t bytes)
{
    DebugState *s = node->state;

    for (size_t i = 0; i < s->rules.n; i++) {
        Rule *r = &s->rules.at[i];
        bool place = !r->has_sector || (bytes && offset <= r->sector * 512 && r->sector * 512 < offset + bytes);
        if (r->armed && !r->spent && r->iotypes & iotype && place && (r->event || !r->state || r->state == s->state)) {
            r->spent = r->once;
            if (!r->immediately && co_self()) {
                co_pass();
            }
            return r->error ? -r->error : 0;
        }
    }
    return 0;
}

static int debug_read(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags)
{
    int err = check_rules(node, IO_READ, offset, bytes);
    return err ? err : filter_co_read(node, offset, bytes, sg, flags);
}

static int debug_write(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags)
{
    int err = check_rules(node, IO_WRITE, offset, bytes);
    return err ? err : filter_co_write(node, offset, bytes, sg, flags);
}

static int debug_zero(BlockNode *node, uint64_t offset, uint64_t bytes, unsigned flags)
{
    /* A part of what is the unit of zeros is for the caller to write. */
    if (node->zero_align && (offset | bytes) % node->zero_align && bytes < node->zero_align) {
        return -ENOTSUP;
    }
    int err = check_rules(node, IO_ZERO, offset, bytes);
    return err ? err : filter_co_zero(node, offset, bytes, flags);
}

static int debug_discard(BlockNode *node, uint64_t offset, uint64_t bytes)
{
    int err = check_rules(node, IO_DISCARD, offset, bytes);
    return err ? err : filter_co_discard(node, offset, bytes);
}

static int debug_flush(BlockNode *node)
{
    return check_rules(node, IO_FLUSH, 0, 0); /* the image's own comes after */
}

static int debug_status(BlockNode *node, uint64_t offset, uint64_t bytes, BlockStatus *ret)
{
    int err = check_rules(node, IO_STATUS, offset, bytes);
    return err ? err : filter_co_status(node, offset, bytes, ret);
}

static uint64_t debug_allocated_bytes(BlockNode *node) { return UINT64_MAX; }

const BlockDriver block_blkdebug = {
    .name = "blkdebug", .protocol = "blkdebug", .summary = "errors by rules", .kind = DRIVER_FILTER, .state_bytes = sizeof(DebugState), .options = debug_options,
    .parse_filename = debug_parse_filename, .open = debug_open, .close = debug_close, .debug_event = debug_event, .allocated_bytes = debug_allocated_bytes,
    .co_read = debug_read, .co_write = debug_write, .co_zero = debug_zero, .co_discard = debug_discard, .co_flush = debug_flush,
    .co_truncate = filter_co_truncate, .co_status = debug_status,
};
