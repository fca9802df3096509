/*
 * objects.c: -object types that belong to no device: I/O threads, sources of
 * random bytes, secrets, TLS credentials, who may connect.
 *
 * Leaves out: entropy gathering daemons (rng-egd). Threads: BQL.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "block/object.h"
#include "block/secret.h"
#include "hw/object.h"
#include "softmmu/loop.h"
#include "softmmu/monitor/handlers.h"
#include "util/alloc.h"

/* ---- iothread ---- */

typedef struct IoThread {
    Object obj;
    EventLoop *loop;
    int64_t poll_max_ns, poll_grow, poll_shrink, poll_weight, aio_max_batch;
    int64_t thread_pool_min, thread_pool_max;
} IoThread;

static const Property iothread_props[] = {
    { .name = "poll-max-ns", .kind = PROP_INT64, .offset = offsetof(IoThread, poll_max_ns),
      .def = 32768, .has_default = true, .settable_when_realized = true,
      .help = "kept for clients: the loop does not poll" },
    { .name = "poll-grow", .kind = PROP_INT64, .offset = offsetof(IoThread, poll_grow),
      .has_default = true, .settable_when_realized = true },
    { .name = "poll-shrink", .kind = PROP_INT64, .offset = offsetof(IoThread, poll_shrink),
      .has_default = true, .settable_when_realized = true },
    { .name = "poll-weight", .kind = PROP_INT64, .offset = offsetof(IoThread, poll_weight),
      .has_default = true, .settable_when_realized = true },
    { .name = "aio-max-batch", .kind = PROP_INT64, .offset = offsetof(IoThread, aio_max_batch),
      .has_default = true, .settable_when_realized = true },
    { .name = "thread-pool-min", .kind = PROP_INT64, .offset = offsetof(IoThread, thread_pool_min),
      .has_default = true, .settable_when_realized = true },
    { .name = "thread-pool-max", .kind = PROP_INT64, .offset = offsetof(IoThread, thread_pool_max),
      .def = 64, .has_default = true, .settable_when_realized = true },
};

static bool iothread_complete(Object *obj, Error **errp)
{
    IoThread *io = (IoThread *)obj;
    char *name = xasprintf("IO %s", obj->name);
    io->loop = loop_new_thread(name, errp);
    free(name);
    return io->loop != NULL;
}

static void iothread_finish(Object *obj)
{
    IoThread *io = (IoThread *)obj;
    if (io->loop) {
        loop_free_thread(io->loop);
    }
}

static const ObjectType iothread_type = {
    .name = "iothread", .parent = "object", .summary = "a thread with an event loop",
    .size_bytes = sizeof(IoThread), .user_creatable = true,
    .props = iothread_props, .n_props = ARRAY_SIZE(iothread_props),
    .complete = iothread_complete, .finish = iothread_finish,
};
OBJECT_TYPE_REGISTER(iothread_type);

Json *qmp_query_iothreads(Monitor *mon, const Json *args, Error **errp)
{
    Json *list = json_array();
    Object *objects = object_resolve("/objects", NULL);
    for (Object *obj = objects ? objects->first_child : NULL; obj; obj = obj->next) {
        if (!object_is_a(obj, "iothread")) {
            continue;
        }
        const IoThread *io = (const IoThread *)obj;
        /* The thread says its number once it runs. */
        while (!loop_thread_id(io->loop)) {
            usleep(100);
        }
        Json *item = json_object();
        json_put_int(item, "poll-shrink", io->poll_shrink);
        json_put_int(item, "poll-weight", io->poll_weight);
        json_put_int(item, "thread-id", loop_thread_id(io->loop));
        json_put_int(item, "aio-max-batch", io->aio_max_batch);
        json_put_int(item, "poll-grow", io->poll_grow);
        json_put_int(item, "poll-max-ns", io->poll_max_ns);
        json_put_string(item, "id", obj->name);
        json_push(list, item);
    }
    return list;
}

/* ---- random bytes: virtio-rng reads the host's generator; these say that it may ---- */

typedef struct RngBackend {
    Object obj;
    char *filename;
} RngBackend;

static const ObjectType rng_backend_type = {
    .name = "rng-backend", .parent = "object", .summary = "a source of random bytes",
    .size_bytes = sizeof(RngBackend), .abstract = true,
};
OBJECT_TYPE_REGISTER(rng_backend_type);

static const ObjectType rng_builtin_type = {
    .name = "rng-builtin", .parent = "rng-backend", .summary = "the host's generator",
    .user_creatable = true,
};
OBJECT_TYPE_REGISTER(rng_builtin_type);

static const Property rng_random_props[] = {
    { .name = "filename", .kind = PROP_STRING, .offset = offsetof(RngBackend, filename),
      .def_str = "/dev/urandom", .has_default = true, .help = "/dev/urandom or /dev/random" },
};

static bool rng_random_complete(Object *obj, Error **errp)
{
    const char *name = ((RngBackend *)obj)->filename;
    if (strcmp(name, "/dev/urandom") && strcmp(name, "/dev/random")) {
        /* Any other file would have to be read itself, which nobody does. */
        error_set(errp, "rng-random: file '%s' is not supported, only the host's generator "
                        "(/dev/urandom, /dev/random)", name);
        return false;
    }
    return true;
}

static const ObjectType rng_random_type = {
    .name = "rng-random", .parent = "rng-backend", .summary = "the host's generator, by file name",
    .user_creatable = true, .props = rng_random_props, .n_props = ARRAY_SIZE(rng_random_props),
    .complete = rng_random_complete,
};
OBJECT_TYPE_REGISTER(rng_random_type);

/* ---- secrets: kept for whoever needs a password; never shown ---- */

typedef struct Secret {
    Object obj;
    char *data, *file, *keyid, *iv;
    int format;
    bool added;
} Secret;

static const char *const secret_formats[] = { "raw", "base64", NULL };

static bool secret_hide(Object *obj, const Property *prop, PropValue *ret, Error **errp)
{
    error_set(errp, "property '%s' cannot be read", prop->name);
    return false;
}

static const Property secret_props[] = {
    { .name = "data", .kind = PROP_STRING, .offset = offsetof(Secret, data), .get = secret_hide,
      .help = "the secret itself" },
    PROP_STR("file", Secret, file, "file that holds it"),
    { .name = "format", .kind = PROP_ENUM, .offset = offsetof(Secret, format),
      .names = secret_formats, .has_default = true, .help = "how it is written" },
    PROP_STR("keyid", Secret, keyid, "secret that encrypts it"),
    PROP_STR("iv", Secret, iv, "initialization vector, in base64"),
};

static bool secret_complete(Object *obj, Error **errp)
{
    Secret *s = (Secret *)obj;
    SecretSource from = { s->data, s->file, secret_formats[s->format], s->keyid, s->iv };

    s->added = secret_add(obj->name, &from, errp);
    return s->added;
}

static void secret_finish(Object *obj)
{
    Secret *s = (Secret *)obj;
    if (s->added) {
        secret_remove(obj->name);
    }
}

static const ObjectType secret_type = {
    .name = "secret", .parent = "object", .summary = "a password or key",
    .size_bytes = sizeof(Secret), .user_creatable = true,
    .props = secret_props, .n_props = ARRAY_SIZE(secret_props),
    .complete = secret_complete, .finish = secret_finish,
};
OBJECT_TYPE_REGISTER(secret_type);

/* ---- TLS credentials and authorization: the block layer's (block/object.h), under the same ids ---- */

typedef struct BlockObj {
    Object obj;
    char *endpoint, *dir, *priority, *passwordid, *username, *identity, *policy;
    bool verify_peer, sanity_check, added;
} BlockObj;

static const Property block_obj_props[] = {
    PROP_STR("endpoint", BlockObj, endpoint, "server or client"),
    PROP_STR("dir", BlockObj, dir, "folder of keys and certificates"),
    PROP_STR("priority", BlockObj, priority, "GnuTLS' priority string"),
    PROP_B("verify-peer", BlockObj, verify_peer, 1, "the peer needs a certificate"),
    PROP_STR("username", BlockObj, username, "name in keys.psk"),
};
enum { ANON_PROPS = ARRAY_SIZE(block_obj_props) - 1 };
static const Property tls_x509_props[] = {
    PROP_STR("endpoint", BlockObj, endpoint, "server or client"),
    PROP_STR("dir", BlockObj, dir, "folder of keys and certificates"),
    PROP_STR("priority", BlockObj, priority, "GnuTLS' priority string"),
    PROP_B("verify-peer", BlockObj, verify_peer, 1, "the peer needs a certificate"),
    PROP_STR("passwordid", BlockObj, passwordid, "secret that decrypts the key"),
    PROP_B("sanity-check", BlockObj, sanity_check, 1, "kept for clients"),
};
static const Property authz_simple_props[] = { PROP_STR("identity", BlockObj, identity, "who may connect") };

static bool block_obj_complete(Object *obj, Error **errp)
{
    BlockObj *o = (BlockObj *)obj;
    const char *type = obj->type->name;
    bool tls = !strncmp(type, "tls-creds-", 10), psk = !strcmp(type, "tls-creds-psk"), x509 = !strcmp(type, "tls-creds-x509");
    const struct { const char *name, *value; bool has; } strings[] = {
        { "endpoint", o->endpoint, tls }, { "dir", o->dir, tls }, { "priority", o->priority, tls }, { "passwordid", o->passwordid, x509 },
        { "username", o->username, psk }, { "identity", o->identity, !tls },
    };
    Json *options = json_object();

    json_put_string(options, "qom-type", type);
    json_put_string(options, "id", obj->name);
    for (size_t i = 0; i < ARRAY_SIZE(strings); i++) {
        if (strings[i].value && strings[i].has) {
            json_put_string(options, strings[i].name, strings[i].value);
        }
    }
    if (tls) {
        json_put_bool(options, "verify-peer", o->verify_peer);
    }
    o->added = block_object_add(options, errp);
    json_free(options);
    return o->added;
}

static void block_obj_finish(Object *obj)
{
    if (((BlockObj *)obj)->added) {
        block_object_del(obj->name, NULL);
    }
}

#define BLOCK_OBJECT(symbol, text, what, rows, n)                                                                      \
    static const ObjectType symbol = {                                                                                 \
        .name = text, .parent = "object", .summary = what, .size_bytes = sizeof(BlockObj), .user_creatable = true,     \
        .props = rows, .n_props = n, .complete = block_obj_complete, .finish = block_obj_finish,                       \
    };                                                                                                                 \
    OBJECT_TYPE_REGISTER(symbol)
BLOCK_OBJECT(tls_anon_type, "tls-creds-anon", "TLS without certificates", block_obj_props, ANON_PROPS);
BLOCK_OBJECT(tls_x509_type, "tls-creds-x509", "TLS with certificates", tls_x509_props, ARRAY_SIZE(tls_x509_props));
BLOCK_OBJECT(tls_psk_type, "tls-creds-psk", "TLS with a shared key", block_obj_props, ARRAY_SIZE(block_obj_props));
BLOCK_OBJECT(authz_simple_type, "authz-simple", "one who may connect", authz_simple_props, ARRAY_SIZE(authz_simple_props));
