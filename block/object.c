/*
 * object.c: secrets, TLS credentials and authorization lists by id (see the header).
 *
 * Secrets are crypto/secret.c's. Leaves out: authz-pam, authz-list-file.
 */
#include "block/object.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "block/nbd/tls.h"
#include "block/secret.h"
#include "block/throttle.h"
#include "softmmu/options.h"
#include "util/alloc.h"

typedef struct BlockObject BlockObject;

typedef struct BlockObjectType {
    const char *name;
    const char *const *properties;   /* NULL-terminated */
    bool (*open)(BlockObject *o, const Json *options, Error **errp);
} BlockObjectType;

struct BlockObject {
    BlockObject *next;
    const BlockObjectType *type;
    char *id;
    bool is_secret;
    ThrottleGroup *group;
    TlsCreds *creds;
    Json *rules;
};

static BlockObject *objects;

static bool secret_open(BlockObject *o, const Json *options, Error **errp)
{
    SecretSource from = { 0 };

    o->is_secret = opts_string(options, "data", NULL, &from.data, errp) && opts_string(options, "file", NULL, &from.file, errp) &&
                   opts_string(options, "format", NULL, &from.format, errp) && opts_string(options, "keyid", NULL, &from.keyid, errp) &&
                   opts_string(options, "iv", NULL, &from.iv, errp) && secret_add(o->id, &from, errp);
    return o->is_secret;
}

/* -- the others ------------------------------------------------------------------------------------------------------ */

static bool creds_open(BlockObject *o, const Json *options, Error **errp)
{
    o->creds = tls_creds_new(o->type->name, options, errp);
    return o->creds != NULL;
}

static bool throttle_open(BlockObject *o, const Json *options, Error **errp)
{
    o->group = throttle_group_open(o->id, options, errp);
    return o->group != NULL;
}

static bool authz_open(BlockObject *o, const Json *options, Error **errp)
{
    const char *text = NULL;

    o->rules = json_copy(options);
    if (!strcmp(o->type->name, "authz-simple")) {
        if (!opts_string(options, "identity", NULL, &text, errp)) {
            return false;
        }
        if (!text) {
            error_set(errp, "The 'identity' property must be set");
            return false;
        }
        return true;
    }
    if (!opts_string(options, "policy", "deny", &text, errp)) {
        return false;
    }
    if (strcmp(text, "allow") && strcmp(text, "deny")) {
        error_set(errp, "Parameter 'policy' does not accept value '%s'", text);
        return false;
    }
    return opts_nest(o->rules, errp);
}

/* Requests of nodes run in the main context: the object is there for options that name it. */
static bool iothread_open(BlockObject *o, const Json *options, Error **errp)
{
    return true;
}

#define PROPERTIES(...) (const char *const[]){ "qom-type", "id", __VA_ARGS__, NULL }
#define CREDS_PROPERTIES "endpoint", "dir", "verify-peer", "priority"

static const BlockObjectType types[] = {
    { "authz-list", PROPERTIES("policy", "rules", "*"), authz_open },
    { "authz-simple", PROPERTIES("identity"), authz_open },
    { "iothread", PROPERTIES("poll-max-ns", "poll-grow", "poll-shrink", "poll-weight", "aio-max-batch", "thread-pool-min", "thread-pool-max"), iothread_open },
    { "secret", PROPERTIES("data", "file", "format", "keyid", "iv"), secret_open },
    { "throttle-group", PROPERTIES("*"), throttle_open },
    { "tls-creds-anon", PROPERTIES(CREDS_PROPERTIES), creds_open },
    { "tls-creds-psk", PROPERTIES(CREDS_PROPERTIES, "username"), creds_open },
    { "tls-creds-x509", PROPERTIES(CREDS_PROPERTIES, "passwordid", "sanity-check"), creds_open },
};

static const BlockObjectType *find_type(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        if (!strcmp(types[i].name, name)) {
            return &types[i];
        }
    }
    return NULL;
}

bool block_object_type_known(const char *type)
{
    return find_type(type) != NULL;
}

/* -- life ------------------------------------------------------------------------------------------------------------ */

static void object_free(BlockObject *o)
{
    if (o->is_secret) {
        secret_remove(o->id);
    }
    throttle_group_unref(o->group);
    tls_creds_unref(o->creds);
    json_free(o->rules);
    free(o->id);
    free(o);
}

static BlockObject *find(const char *id)
{
    for (BlockObject *o = objects; o; o = o->next) {
        if (!strcmp(o->id, id)) {
            return o;
        }
    }
    return NULL;
}

static bool check_properties(const BlockObjectType *type, const Json *options, Error **errp)
{
    for (size_t i = 0; i < json_count(options); i++) {
        const char *key = json_key_at(options, i), *const *p = type->properties;
        while (*p && strcmp(*p, key) && !(!strcmp(*p, "*") && (type->open == throttle_open || !strncmp(key, "rules.", 6)))) {
            p++;
        }
        if (!*p) {
            error_set(errp, "Property '%s.%s' not found", type->name, key);
            return false;
        }
    }
    return true;
}

bool block_object_add(const Json *options, Error **errp)
{
    const char *type_name = NULL, *id = NULL;

    if (!opts_string(options, "qom-type", NULL, &type_name, errp) || !opts_string(options, "id", NULL, &id, errp)) {
        return false;
    }
    if (!type_name || !id) {
        error_set(errp, "Parameter '%s' is missing", type_name ? "id" : "qom-type");
        return false;
    }
    const BlockObjectType *type = find_type(type_name);
    if (!type) {
        error_set(errp, "invalid object type: %s", type_name);
        return false;
    }
    if (!options_id_ok(id)) {
        error_set(errp, "Parameter 'id' expects an identifier");
        return false;
    }
    if (find(id)) {
        error_set(errp, "attempt to add duplicate property '%s' to object (type 'container')", id);
        return false;
    }
    if (!check_properties(type, options, errp)) {
        return false;
    }
    BlockObject *o = xnew(BlockObject);
    o->type = type;
    o->id = xstrdup(id);
    if (!type->open(o, options, errp)) {
        object_free(o);
        return false;
    }
    o->next = objects;
    objects = o;
    return true;
}

bool block_object_add_option(const char *text, bool *help, Error **errp)
{
    Json *options = opts_parse(text, "qom-type", errp);

    if (!options) {
        return false;
    }
    const char *name = json_get_string(options, "qom-type");
    const BlockObjectType *type = name ? find_type(name) : NULL;
    if (opts_wants_help(options, "qom-type")) {
        *help = true;
        if (type) {
            printf("%s options:\n", name);
            for (const char *const *p = type->properties + 2; *p && **p != '*'; p++) {
                printf("  %s\n", *p);
            }
        } else {
            printf("List of user creatable objects:\n");
            for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
                printf("  %s\n", types[i].name);
            }
        }
        json_free(options);
        return true;
    }
    bool ok = block_object_add(options, errp);
    json_free(options);
    return ok;
}

bool block_object_del(const char *id, Error **errp)
{
    for (BlockObject **at = &objects; *at; at = &(*at)->next) {
        if (!strcmp((*at)->id, id)) {
            BlockObject *o = *at;
            *at = o->next;
            object_free(o);
            return true;
        }
    }
    error_set(errp, "object '%s' not found", id);
    return false;
}

/* -- use ------------------------------------------------------------------------------------------------------------- */

char *block_secret(const char *id, size_t *ret_bytes, Error **errp)
{
    size_t bytes;
    const char *secret = secret_get(id, &bytes, errp);

    if (!secret) {
        return NULL;
    }
    char *copy = xmalloc(bytes + 1);
    memcpy(copy, secret, bytes + 1);
    if (ret_bytes) {
        *ret_bytes = bytes;
    }
    return copy;
}

TlsCreds *block_tls_creds(const char *id, bool server, Error **errp)
{
    const BlockObject *o = find(id);

    if (!o) {
        error_set(errp, "No TLS credentials with id '%s'", id);
    } else if (!o->creds) {
        error_set(errp, "Object with id '%s' is not TLS credentials", id);
    } else if (tls_creds_is_server(o->creds) != server) {
        error_set(errp, "Expecting TLS credentials with a %s endpoint", server ? "server" : "client");
    } else {
        return o->creds;
    }
    return NULL;
}

bool block_authz_allows(const char *id, const char *identity, Error **errp)
{
    const BlockObject *o = find(id);

    if (!o || !o->rules) {
        error_set(errp, "No authorization object with id '%s'", id);
        return false;
    }
    const char *who = json_get_string(o->rules, "identity");
    if (!strcmp(o->type->name, "authz-simple")) {
        return identity && !strcmp(who, identity);
    }
    const Json *rules = json_get(o->rules, "rules");
    for (size_t i = 0; identity && i < json_count(rules); i++) {
        const Json *rule = json_at(rules, i);
        const char *match = json_get_string(rule, "match"), *policy = json_get_string(rule, "policy"), *format = json_get_string(rule, "format");
        bool glob = format && !strcmp(format, "glob");
        if (match && policy && (glob ? !fnmatch(match, identity, 0) : !strcmp(match, identity))) {
            return !strcmp(policy, "allow");
        }
    }
    const char *policy = json_get_string(o->rules, "policy");
    return policy && !strcmp(policy, "allow");
}
