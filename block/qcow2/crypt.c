/*
 * crypt.c: encrypted qcow2 images: LUKS (the header is in clusters of the file, which a header extension names), and the AES of old.
 *
 * Specification: "qcow2 Image File Format", crypt_method, full disk encryption header pointer. Clusters of data are encrypted, tables and
 * compressed clusters are not. With LUKS a sector's vector is that of its place in the file, with AES that of its place on the disk.
 */
#include <errno.h>
#include <string.h>

#include "block/crypto/luks.h"
#include "block/crypto/request.h"
#include "block/qcow2/qcow2.h"
#include "block/secret.h"
#include "softmmu/options.h"

enum { METHOD_NONE, METHOD_AES, METHOD_LUKS };
static const char *const method_names[] = { "", "aes", "luks" };

struct Qcow2Crypt {
    Luks luks;
    Cipher *aes;
    uint64_t header_offset, header_bytes;
};

static Qcow2Crypt *crypt_of(Qcow2 *s)
{
    s->crypt = s->crypt ? s->crypt : xnew(Qcow2Crypt);
    return s->crypt;
}

static const Cipher *cipher_of(const Qcow2 *s)
{
    return s->crypt_method == METHOD_AES ? s->crypt->aes : s->crypt->luks.cipher;
}

bool crypt_read_extension(Qcow2 *s, const uint8_t *data, uint32_t bytes, Error **errp)
{
    if (s->crypt_method != METHOD_LUKS) {
        error_set(errp, "CRYPTO header extension only expected with LUKS encryption method");
        return false;
    }
    if (bytes != 16) {
        error_set(errp, "CRYPTO header extension size %u, but expected size 16", bytes);
        return false;
    }
    Qcow2Crypt *c = crypt_of(s);
    c->header_offset = ldbe64(data);
    c->header_bytes = ldbe64(data + 8);
    if (c->header_offset & (s->cluster_size - 1) || !c->header_offset || c->header_bytes > 64 * MiB ||
        c->header_offset > (uint64_t)INT64_MAX - c->header_bytes) {
        error_set(errp, "Encryption header offset '%" PRIu64 "' is not a multiple of cluster size '%" PRIu64 "', or its size '%" PRIu64 "' not possible",
                  c->header_offset, s->cluster_size, c->header_bytes);
        return false;
    }
    return true;
}

bool crypt_build_extension(const Qcow2 *s, uint8_t *ret)
{
    if (s->crypt_method != METHOD_LUKS || !s->crypt) {
        return false;
    }
    stbe64(ret, s->crypt->header_offset);
    stbe64(ret + 8, s->crypt->header_bytes);
    return true;
}

void crypt_range(const Qcow2 *s, uint64_t *ret_offset, uint64_t *ret_bytes)
{
    bool has = s->crypt && s->crypt_method == METHOD_LUKS;
    *ret_offset = has ? s->crypt->header_offset : 0;
    *ret_bytes = has ? s->crypt->header_bytes : 0;
}

/* The key is the password's first 16 bytes. */
static bool unlock_aes(Qcow2 *s, const char *secret, Error **errp)
{
    uint8_t key[16] = { 0 };
    size_t bytes;

    if (!secret) {
        error_set(errp, "Parameter 'encrypt.key-secret' is required for cipher");
        return false;
    }
    const char *password = secret_get(secret, &bytes, errp);
    if (!password) {
        return false;
    }
    memcpy(key, password, MIN(bytes, sizeof(key)));
    s->crypt->aes = cipher_new(cipher_alg_find("aes-128"), CIPHER_CBC, IV_PLAIN64, NULL, key, sizeof(key), errp);
    explicit_bzero(key, sizeof(key));
    return s->crypt->aes != NULL;
}

bool crypt_open(Qcow2 *s, Json *options, Error **errp)
{
    static const char *const known[] = { "format", "key-secret", NULL };
    const Json *encrypt = json_get(options, "encrypt");
    const char *format = NULL, *secret = NULL;

    if (!s->crypt_method) {
        if (encrypt) {
            error_set(errp, "No encryption in image header, but options specified format '%s'",
                      json_get_string(encrypt, "format") ? json_get_string(encrypt, "format") : "");
        }
        return !encrypt;
    }
    if (encrypt && (!json_is(encrypt, JSON_OBJECT) || !opts_check(encrypt, "encrypt", known, errp) || !opts_string(encrypt, "format", NULL, &format, errp) ||
                    !opts_string(encrypt, "key-secret", NULL, &secret, errp))) {
        if (errp && !*errp) {
            error_set(errp, "Invalid parameter type for 'encrypt', expected: object");
        }
        return false;
    }
    if (format && strcmp(format, method_names[s->crypt_method])) {
        error_set(errp, "Header reported '%s' encryption format but options specify '%s'", method_names[s->crypt_method], format);
        return false;
    }
    s->node->request_align = CIPHER_SECTOR;
    if (s->crypt_method == METHOD_AES) {
        crypt_of(s);
        return s->node->flags & BLOCK_NO_IO || unlock_aes(s, secret, errp);
    }
    if (!s->crypt) {
        error_set(errp, "Missing CRYPTO header for crypt method 2");
        return false;
    }
    Qcow2Crypt *c = s->crypt;
    return luks_read(&c->luks, s->file, c->header_offset, c->header_bytes, errp) &&
           (s->node->flags & BLOCK_NO_IO || luks_unlock(&c->luks, secret, "encrypt.", errp));
}

void crypt_close(Qcow2 *s)
{
    if (s->crypt) {
        cipher_free(s->crypt->aes);
        luks_close(&s->crypt->luks);
        free(s->crypt);
        s->crypt = NULL;
    }
}

/* -- requests -------------------------------------------------------------------------------------------------------- */

int data_co_read(Qcow2 *s, uint64_t guest, uint64_t host, uint64_t bytes, Sg sg)
{
    node_event(s->data_file, "read_aio");
    if (!s->crypt_method) {
        return node_co_read(s->data_file, host, bytes, sg, 0);
    }
    return cipher_of(s) ? crypt_co_read(cipher_of(s), s->data_file, host, s->crypt_method == METHOD_AES ? guest : host, bytes, sg) : -EACCES;
}

int data_co_write(Qcow2 *s, uint64_t guest, uint64_t host, uint64_t bytes, Sg sg)
{
    node_event(s->data_file, "write_aio");
    if (!s->crypt_method) {
        return node_co_write(s->data_file, host, bytes, sg, 0);
    }
    return cipher_of(s) ? crypt_co_write(cipher_of(s), s->data_file, host, s->crypt_method == METHOD_AES ? guest : host, bytes, sg, 0) : -EACCES;
}

/* -- creating and changing ------------------------------------------------------------------------------------------- */

bool crypt_create_options(const Json *options, unsigned *ret_method, Error **errp)
{
    const char *format, *secret;
    bool old;
    LuksShape shape;

    if (!opts_bool(options, "encryption", false, &old, errp) || !opts_string(options, "encrypt.format", NULL, &format, errp) ||
        !opts_string(options, "encrypt.key-secret", NULL, &secret, errp)) {
        return false;
    }
    if (old && format) {
        error_set(errp, "Options encryption and encrypt.format are mutually exclusive");
        return false;
    }
    format = old ? "aes" : format;
    *ret_method = METHOD_NONE;
    if (!format) {
        for (size_t i = 0; i < json_count(options); i++) {
            if (!strncmp(json_key_at(options, i), "encrypt.", 8)) {
                error_set(errp, "Parameter 'encrypt.format' is missing");
                return false;
            }
        }
        return true;
    }
    for (unsigned m = METHOD_AES; m <= METHOD_LUKS; m++) {
        *ret_method = strcmp(format, method_names[m]) ? *ret_method : m;
    }
    if (!*ret_method) {
        error_set(errp, "Parameter 'format' does not accept value '%s'", format);
        return false;
    }
    if (!secret) {
        error_set(errp, "Parameter 'encrypt.key-secret' is required for cipher");
        return false;
    }
    return *ret_method != METHOD_LUKS || luks_shape(&shape, options, "encrypt.", errp);
}

uint64_t crypt_measure(const Json *options, unsigned method)
{
    LuksShape shape;
    return method == METHOD_LUKS && luks_shape(&shape, options, "encrypt.", NULL) ? luks_header_bytes(&shape) : 0;
}

typedef struct HeaderJob {
    Qcow2 *s;
    int64_t result;
} HeaderJob;

static void alloc_entry(void *opaque)
{
    HeaderJob *j = opaque;
    co_mutex_lock(&j->s->lock);
    j->result = cluster_alloc(j->s, j->s->crypt->header_bytes);
    co_mutex_unlock(&j->s->lock);
}

static void write_entry(void *opaque)
{
    HeaderJob *j = opaque;
    co_mutex_lock(&j->s->lock);
    j->result = tables_flush(j->s);
    j->result = j->result ? j->result : header_write(j->s);
    co_mutex_unlock(&j->s->lock);
}

/* Of an image without data, as it is made. */
bool crypt_create(BlockNode *node, const Json *options, unsigned method, Error **errp)
{
    Qcow2 *s = node->state;
    Qcow2Crypt *c = crypt_of(s);
    HeaderJob j = { s, 0 };
    LuksShape shape;
    bool ok;

    if (method == METHOD_AES) {
        ok = unlock_aes(s, json_get_string(options, "encrypt.key-secret"), errp);
    } else {
        ok = luks_shape(&shape, options, "encrypt.", errp);
        if (ok) {
            c->header_bytes = luks_header_bytes(&shape);
            ioctx_run(node->context, alloc_entry, &j);
            if (j.result < 0) {
                error_set_errno(errp, (int)-j.result, "Cannot allocate cluster for LUKS header size %" PRIu64, c->header_bytes);
                return false;
            }
            c->header_offset = (uint64_t)j.result;
            int err = node_zero(s->file, c->header_offset, round_up_cluster(s, c->header_bytes), 0);
            if (err) {
                error_set_errno(errp, -err, "Could not zero fill encryption header");
                return false;
            }
            ok = luks_create(&c->luks, s->file, c->header_offset, &shape, errp);
        }
    }
    if (!ok) {
        return false;
    }
    s->crypt_method = method;
    node->request_align = CIPHER_SECTOR;
    metadata_forget(s);
    ioctx_run(node->context, write_entry, &j);
    if (j.result) {
        error_set_errno(errp, (int)-j.result, "Could not write the header");
    }
    return !j.result;
}

bool crypt_amend(Qcow2 *s, const Json *options, bool force, Error **errp)
{
    if (s->crypt_method != METHOD_LUKS) {
        error_set(errp, s->crypt_method ? "Only LUKS encryption options can be amended" : "The image is not encrypted: there are no keys to change");
        return false;
    }
    return luks_amend(&s->crypt->luks, options, "encrypt.", force, errp);
}

Json *crypt_describe(const Qcow2 *s)
{
    Json *json;

    if (s->crypt_method == METHOD_LUKS && s->crypt) {
        return luks_describe(&s->crypt->luks, true);
    }
    json = json_object();
    json_put_string(json, "format", "aes");
    return json;
}
