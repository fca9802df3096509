/*
 * secret.c: see secret.h. A secret that is encrypted with another one: AES-256-CBC, the key and vector in base64, PKCS #7 padding.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "block/crypto/cipher.h"
#include "block/secret.h"
#include "util/alloc.h"

enum { SECRET_MAX_BYTES = 1 << 20 };

typedef struct Secret {
    struct Secret *next;
    char *id, *bytes;
    size_t n;
} Secret;

static Secret *secrets;

static void forget(char *bytes, size_t n)
{
    if (bytes) {
        explicit_bzero(bytes, n);
        free(bytes);
    }
}

static char *read_all(const char *file, size_t *ret, Error **errp)
{
    FILE *f = fopen(file, "rbe");
    char *bytes;

    if (!f) {
        error_set_errno(errp, errno, "Unable to read %s", file);
        return NULL;
    }
    bytes = xmalloc(SECRET_MAX_BYTES + 1);
    *ret = fread(bytes, 1, SECRET_MAX_BYTES + 1, f);
    bool ok = !ferror(f) && *ret <= SECRET_MAX_BYTES;
    fclose(f);
    if (!ok) {
        error_set(errp, "Unable to read %s, or it is larger than 1 MiB", file);
        forget(bytes, *ret);
        return NULL;
    }
    bytes[*ret] = '\0';
    return bytes;
}

/* RFC 4648; line ends between are nothing. In place; the length or -1. */
static ssize_t decode_base64(char *text, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t out = 0, count = 0, pads = 0;
    uint32_t group = 0;

    for (size_t i = 0; i < n; i++) {
        const char *d = text[i] ? strchr(digits, text[i]) : NULL;
        if (text[i] == '\n' || text[i] == '\r') {
            continue;
        }
        if (text[i] == '=') {
            pads++;
        }
        if ((!d && text[i] != '=') || (d && pads) || pads > 2) {
            return -1;
        }
        group = group << 6 | (uint32_t)(d ? d - digits : 0);
        if (++count % 4 == 0) {
            for (unsigned k = 0; k < 3 - pads; k++) {
                text[out++] = (char)(group >> (16 - 8 * k));
            }
            group = 0;
        }
    }
    return count % 4 ? -1 : (ssize_t)out;
}

/* What was read is encrypted with another secret. */
static bool open_encrypted(const SecretSource *from, char *bytes, size_t *n, Error **errp)
{
    size_t key_bytes;
    const char *key = secret_get(from->keyid, &key_bytes, errp);
    char *iv = NULL, *plain = NULL;
    bool ok = false;

    if (!key) {
        return false;
    }
    if (key_bytes != 32) {
        error_set(errp, "Key should be 32 bytes in length, not %zu", key_bytes);
        return false;
    }
    if (!from->iv) {
        error_set(errp, "IV is required to decrypt secret");
        return false;
    }
    iv = xstrdup(from->iv);
    if (decode_base64(iv, strlen(iv)) != 16) {
        error_set(errp, "IV should be 16 bytes in length");
        goto out;
    }
    plain = xmalloc(*n + 1);
    size_t got = aes256_cbc_open((const uint8_t *)key, (const uint8_t *)iv, (const uint8_t *)bytes, (uint8_t *)plain, *n);
    if (!got) {
        error_set(errp, "the secret cannot be decrypted with key '%s'", from->keyid);
        goto out;
    }
    memcpy(bytes, plain, got);
    *n = got;
    ok = true;
out:
    forget(plain, *n);
    free(iv);
    return ok;
}

bool secret_add(const char *id, const SecretSource *from, Error **errp)
{
    bool base64 = from->format && !strcmp(from->format, "base64");
    size_t n = 0;
    char *bytes;

    if (from->format && !base64 && strcmp(from->format, "raw")) {
        error_set(errp, "Parameter 'format' does not accept value '%s'", from->format);
        return false;
    }
    if (from->data && from->file) {
        error_set(errp, "'file' and 'data' are mutually exclusive");
        return false;
    }
    if (!from->data && !from->file) {
        error_set(errp, "Either 'file' or 'data' must be provided");
        return false;
    }
    if (from->data) {
        bytes = xstrdup(from->data);
        n = strlen(bytes);
    } else if (!(bytes = read_all(from->file, &n, errp))) {
        return false;
    }
    if (base64 || from->keyid) {
        ssize_t got = base64 ? decode_base64(bytes, n) : (ssize_t)n;
        if (got < 0) {
            error_set(errp, "Base64 data '%s' is not valid", from->data ? from->data : "");
            forget(bytes, n);
            return false;
        }
        n = (size_t)got;
    }
    if (from->keyid && !open_encrypted(from, bytes, &n, errp)) {
        forget(bytes, n);
        return false;
    }
    bytes[n] = '\0';
    Secret *s = xnew(Secret);
    *s = (Secret){ secrets, xstrdup(id), bytes, n };
    secrets = s;
    return true;
}

void secret_remove(const char *id)
{
    for (Secret **at = &secrets; *at; at = &(*at)->next) {
        if (!strcmp((*at)->id, id)) {
            Secret *s = *at;
            *at = s->next;
            forget(s->bytes, s->n);
            free(s->id);
            free(s);
            return;
        }
    }
}

const char *secret_get(const char *id, size_t *ret_bytes, Error **errp)
{
    for (const Secret *s = secrets; s; s = s->next) {
        if (!strcmp(s->id, id)) {
            *ret_bytes = s->n;
            return s->bytes;
        }
    }
    error_set(errp, "No secret with id '%s'", id);
    return NULL;
}
