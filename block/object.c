/*
 * object.c: secrets, TLS credentials and authorization lists by id (see the header).
 *
 * Leaves out: encrypted secrets (keyid, iv), authz-pam, authz-list-file.
 */
#include "block/object.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <sys/stat.h>

#include "block/nbd/tls.h"
#include "softmmu/options.h"
#include "util/alloc.h"

enum { SECRET_MAX_BYTES = 1 << 20 };

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
    char *secret;
    size_t secret_bytes;
    TlsCreds *creds;
    Json *rules;
};

static BlockObject *objects;

/* -- secrets --------------------------------------------------------------------------------------------------------- */

static int base64_value(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* In place; white space is allowed. */
static bool decode_base64(char *text, size_t *bytes, Error **errp)
{
    uint32_t bits = 0;
    size_t n = 0, digits = 0, padding = 0;

    for (const char *p = text; *p; p++) {
        int v = base64_value(*p);
        if (*p == '=') {
            padding++;
        } else if (v >= 0 && !padding) {
            bits = bits << 6 | (uint32_t)v;
            if (++digits % 4 == 0) {
                text[n++] = (char)(bits >> 16);
                text[n++] = (char)(bits >> 8);
                text[n++] = (char)bits;
            }
        } else if (!strchr(" \t\r\n", *p)) {
            error_set(errp, "Secret is not valid base64 data");
            return false;
        }
    }
    if (digits % 4 == 1 || (digits + padding) % 4) {
        error_set(errp, "Secret is not valid base64 data");
        return false;
    }
    if (digits % 4 >= 2) {
        bits <<= 6 * (4 - digits % 4);
        text[n++] = (char)(bits >> 16);
        if (digits % 4 == 3) {
            text[n++] = (char)(bits >> 8);
        }
    }
    text[n] = '\0';
    *bytes = n;
    return true;
}

static bool read_secret(BlockObject *o, const char *path, Error **errp)
{
    FILE *f = fopen(path, "rbe");

    if (!f) {
        error_set_errno(errp, errno, "Unable to read %s", path);
        return false;
    }
    o->secret = xmalloc(SECRET_MAX_BYTES + 2);
    o->secret_bytes = fread(o->secret, 1, SECRET_MAX_BYTES + 1, f);
    o->secret[o->secret_bytes] = '\0';
    bool ok = !ferror(f) && o->secret_bytes <= SECRET_MAX_BYTES;
    fclose(f);
    if (!ok) {
        error_set(errp, "Unable to read %s, or it is larger than 1 MiB", path);
    }
    return ok;
}

static bool secret_open(BlockObject *o, const Json *options, Error **errp)
{
    const char *data = NULL, *file = NULL, *format = NULL;

    if (!opts_string(options, "data", NULL, &data, errp) || !opts_string(options, "file", NULL, &file, errp) ||
        !opts_string(options, "format", "raw", &format, errp)) {
        return false;
    }
    if (opts_is_set(options, "keyid") || opts_is_set(options, "iv")) {
        error_set(errp, "encrypted secrets (keyid, iv) are not supported yet");
        return false;
    }
    if (strcmp(format, "raw") && strcmp(format, "base64")) {
        error_set(errp, "Parameter 'format' does not accept value '%s'", format);
        return false;
    }
    if (!data == !file) {
        error_set(errp, data ? "'data' and 'file' are mutually exclusive" : "Must provide 'file' or 'data'");
        return false;
    }
    if (data) {
        o->secret = xstrdup(data);
        o->secret_bytes = strlen(data);
    } else if (!read_secret(o, file, errp)) {
        return false;
    }
    return !strcmp(format, "raw") || decode_base64(o->secret, &o->secret_bytes, errp);
}

/* -- the others ------------------------------------------------------------------------------------------------------ */

static bool creds_open(BlockObject *o, const Json *options, Error **errp)
{
    o->creds = tls_creds_new(o->type->name, options, errp);
    return o->creds != NULL;
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
    if (o->secret) {
        explicit_bzero(o->secret, o->secret_bytes);
        free(o->secret);
    }
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
        while (*p && strcmp(*p, key) && !(!strcmp(*p, "*") && !strncmp(key, "rules.", 6))) {
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
    const BlockObject *o = find(id);

    if (!o || !o->secret) {
        error_set(errp, o ? "Object with id '%s' is not a secret" : "No secret with id '%s'", id);
        return NULL;
    }
    char *copy = xmalloc(o->secret_bytes + 1);
    memcpy(copy, o->secret, o->secret_bytes + 1);
    if (ret_bytes) {
        *ret_bytes = o->secret_bytes;
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
