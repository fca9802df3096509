/*
 * luks.c: see luks.h.
 *
 * Specification: "LUKS On-Disk Format Specification", version 1.2.3 (2018): partition header, key slots, anti-forensic splitting, master key digest.
 *
 * Leaves out: version 2, detached headers.
 *
 * A slot is changed so that a crash leaves the password that was there, or the new one: key material first, made stable, then the header that
 * says the slot is active. An erased slot's header goes first, then random bytes over its material.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "block/crypto/luks.h"
#include "block/secret.h"
#include "softmmu/options.h"
#include "util/alloc.h"
#include "util/bits.h"

enum { STRIPES = 4000, SLOT_ACTIVE = 0x00ac71f3, SLOT_INACTIVE = 0x0000dead, MIN_ITERATIONS = 1000, DEFAULT_ITER_MS = 2000 };
/* A header that asks for more costs minutes a password. */
#define MAX_ITERATIONS (1u << 27)

static const uint8_t magic[6] = { 'L', 'U', 'K', 'S', 0xba, 0xbe };

const BlockOption luks_amend_rows[] = {
    { "iter-time", OPTION_NUMBER, "Time to spend in PBKDF in milliseconds", NULL },
    { "keyslot", OPTION_NUMBER, "Select a single keyslot to modify explicitly", NULL },
    { "new-secret", OPTION_STRING, "New secret to set in the matching keyslots. Empty string to erase", NULL },
    { "old-secret", OPTION_STRING, "Select all keyslots that match this password", NULL },
    { "state", OPTION_STRING, "Select new state of affected keyslots (active/inactive)", NULL },
    { NULL },
};

bool luks_probe(const uint8_t *head, size_t bytes)
{
    return bytes >= 8 && !memcmp(head, magic, sizeof(magic)) && ldbe16(head + 6) == 1;
}

/* -- options --------------------------------------------------------------------------------------------------------- */

static bool text_option(const Json *options, const char *prefix, const char *name, const char *fallback, const char **ret, Error **errp)
{
    char *key = xasprintf("%s%s", prefix, name);
    bool ok = opts_string(options, key, fallback, ret, errp);
    free(key);
    return ok;
}

static bool number_option(const Json *options, const char *prefix, const char *name, uint64_t fallback, uint64_t *ret, Error **errp)
{
    char *key = xasprintf("%s%s", prefix, name);
    bool ok = opts_uint(options, key, fallback, ret, errp);
    free(key);
    return ok;
}

static int find_name(const char *const *names, const char *name)
{
    for (int i = 0; names[i]; i++) {
        if (*names[i] && !strcmp(names[i], name)) {
            return i;
        }
    }
    return -1;
}

static bool refuse(const char *name, const char *value, Error **errp)
{
    error_set(errp, "Parameter '%s' does not accept value '%s'", name, value);
    return false;
}

bool luks_shape(LuksShape *shape, const Json *options, const char *prefix, Error **errp)
{
    const char *alg, *mode, *hash, *iv, *iv_hash;

    *shape = (LuksShape){ 0 };
    if (!text_option(options, prefix, "cipher-alg", "aes-256", &alg, errp) || !text_option(options, prefix, "cipher-mode", "xts", &mode, errp) ||
        !text_option(options, prefix, "hash-alg", "sha256", &hash, errp) || !text_option(options, prefix, "ivgen-alg", NULL, &iv, errp) ||
        !text_option(options, prefix, "ivgen-hash-alg", NULL, &iv_hash, errp) || !text_option(options, prefix, "key-secret", NULL, &shape->secret, errp) ||
        !number_option(options, prefix, "iter-time", DEFAULT_ITER_MS, &shape->iter_ms, errp)) {
        return false;
    }
    if (!(shape->alg = cipher_alg_find(alg))) {
        return refuse("cipher-alg", alg, errp);
    }
    int found = find_name(cipher_mode_names, mode);
    if (found < 0) {
        return refuse("cipher-mode", mode, errp);
    }
    shape->mode = (CipherMode)found;
    if (!(shape->hash = hash_find(hash))) {
        return refuse("hash-alg", hash, errp);
    }
    found = iv ? find_name(iv_kind_names, iv) : IV_PLAIN64;
    if (found < 0) {
        return refuse("ivgen-alg", iv, errp);
    }
    shape->iv = (IvKind)found;
    if (iv_hash && !(shape->iv_hash = hash_find(iv_hash))) {
        return refuse("ivgen-hash-alg", iv_hash, errp);
    }
    if (shape->iv == IV_ESSIV && !shape->iv_hash) {
        shape->iv_hash = hash_find("sha256");
    }
    if (!shape->secret) {
        error_set(errp, "Parameter '%skey-secret' is required for cipher", prefix);
        return false;
    }
    shape->iter_ms = shape->iter_ms ? shape->iter_ms : DEFAULT_ITER_MS;
    return true;
}

static size_t shape_key_bytes(const LuksShape *shape)
{
    return cipher_alg_key_bytes(shape->alg) * (shape->mode == CIPHER_XTS ? 2 : 1);
}

static uint64_t slot_bytes(size_t key_bytes)
{
    return ROUND_UP((uint64_t)key_bytes * STRIPES, (uint64_t)LUKS_ALIGN);
}

uint64_t luks_header_bytes(const LuksShape *shape)
{
    return LUKS_ALIGN + LUKS_SLOTS * slot_bytes(shape_key_bytes(shape));
}

/* -- anti-forensic splitting: all of the stripes are needed to get the key ------------------------------------------- */

static void diffuse(const HashAlg *hash, uint8_t *block, size_t bytes)
{
    uint8_t digest[HASH_MAX_BYTES], number[4];
    size_t n = hash_bytes(hash);

    for (size_t at = 0, i = 0; at < bytes; at += n, i++) {
        size_t part = MIN(n, bytes - at);
        stbe32(number, (uint32_t)i);
        hash_digest(hash, number, sizeof(number), block + at, part, digest);
        memcpy(block + at, digest, part);
    }
}

static bool af_split(const HashAlg *hash, const uint8_t *key, size_t bytes, uint32_t stripes, uint8_t *out, Error **errp)
{
    uint8_t block[CIPHER_MAX_KEY] = { 0 };

    if (!crypt_random(out, bytes * (stripes - 1), errp)) {
        return false;
    }
    for (uint32_t i = 0; i < stripes - 1; i++) {
        for (size_t k = 0; k < bytes; k++) {
            block[k] ^= out[i * bytes + k];
        }
        diffuse(hash, block, bytes);
    }
    for (size_t k = 0; k < bytes; k++) {
        out[(stripes - 1) * bytes + k] = block[k] ^ key[k];
    }
    return true;
}

static void af_merge(const HashAlg *hash, const uint8_t *in, size_t bytes, uint32_t stripes, uint8_t *key)
{
    memset(key, 0, bytes);
    for (uint32_t i = 0; i < stripes; i++) {
        for (size_t k = 0; k < bytes; k++) {
            key[k] ^= in[i * bytes + k];
        }
        if (i + 1 < stripes) {
            diffuse(hash, key, bytes);
        }
    }
}

/* -- the header ------------------------------------------------------------------------------------------------------ */

static bool parse_mode(Luks *l, const char *text, Error **errp)
{
    char *copy = xstrdup(text), *iv = strchr(copy, '-'), *hash = NULL;
    int mode = -1, kind = IV_NONE;

    if (iv) {
        *iv++ = '\0';
        hash = strchr(iv, ':');
        if (hash) {
            *hash++ = '\0';
        }
        kind = find_name(iv_kind_names, iv);
    }
    mode = find_name(cipher_mode_names, copy);
    bool ok = mode >= 0 && kind >= 0;
    if (ok) {
        l->mode = (CipherMode)mode;
        l->iv = (IvKind)kind;
        l->iv_hash = hash ? hash_find(hash) : NULL;
        ok = !hash || l->iv_hash;
    }
    if (!ok) {
        error_set(errp, "the cipher mode '%s' of the LUKS header is not known", text);
    } else if ((l->iv == IV_ESSIV) != (l->iv_hash != NULL)) {
        error_set(errp, l->iv == IV_ESSIV ? "Missing IV generator hash specification" : "an IV generator hash without essiv");
        ok = false;
    }
    free(copy);
    return ok;
}

static bool parse_slots(Luks *l, const uint8_t *h, uint64_t max_bytes, Error **errp)
{
    for (unsigned i = 0; i < LUKS_SLOTS; i++) {
        const uint8_t *k = h + 208 + 48 * i;
        LuksSlot *s = &l->slots[i];
        uint32_t active = ldbe32(k);
        s->active = active == SLOT_ACTIVE;
        s->iterations = ldbe32(k + 4);
        memcpy(s->salt, k + 8, sizeof(s->salt));
        s->offset = ldbe32(k + 40) * 512ull;
        s->stripes = ldbe32(k + 44);
        if (active != SLOT_ACTIVE && active != SLOT_INACTIVE) {
            error_set(errp, "Keyslot %u state (active/disable) is corrupted", i);
            return false;
        }
        if (s->stripes != STRIPES) {
            error_set(errp, "Keyslot %u is corrupted (stripes %u != %d)", i, s->stripes, STRIPES);
            return false;
        }
        if (s->active && (!s->iterations || s->iterations > MAX_ITERATIONS)) {
            error_set(errp, "Keyslot %u iteration count is %s", i, s->iterations ? "too large" : "zero");
            return false;
        }
        uint64_t end = s->offset + (uint64_t)l->key_bytes * s->stripes;
        if (s->offset < LUKS_HEADER_BYTES) {
            error_set(errp, "Keyslot %u is overlapping the LUKS header", i);
            return false;
        }
        if (end > MIN(l->payload_offset, max_bytes)) {
            error_set(errp, "Keyslot %u is overlapping with the encrypted payload", i);
            return false;
        }
        for (unsigned o = 0; o < i; o++) {
            const LuksSlot *other = &l->slots[o];
            if (s->offset < other->offset + (uint64_t)l->key_bytes * other->stripes && other->offset < end) {
                error_set(errp, "Keyslots %u and %u are overlapping in the header", o, i);
                return false;
            }
        }
    }
    return true;
}

bool luks_read(Luks *l, BlockNode *file, uint64_t base, uint64_t max_bytes, Error **errp)
{
    uint8_t h[LUKS_HEADER_BYTES];
    char cipher[33] = "", mode[33] = "", hash[33] = "";

    *l = (Luks){ .file = file, .base = base };
    int err = max_bytes < sizeof(h) ? -EINVAL : node_pread(file, base, h, sizeof(h));
    if (err) {
        error_set_errno(errp, -err, "Unable to read LUKS header");
        return false;
    }
    if (memcmp(h, magic, sizeof(magic))) {
        error_set(errp, "Volume is not in LUKS format");
        return false;
    }
    if (ldbe16(h + 6) != 1) {
        error_set(errp, "LUKS version %u is not supported", ldbe16(h + 6));
        return false;
    }
    memcpy(cipher, h + 8, 32);
    memcpy(mode, h + 40, 32);
    memcpy(hash, h + 72, 32);
    l->payload_offset = ldbe32(h + 104) * 512ull;
    l->key_bytes = ldbe32(h + 108);
    memcpy(l->digest, h + 112, sizeof(l->digest));
    memcpy(l->salt, h + 132, sizeof(l->salt));
    l->digest_iterations = ldbe32(h + 164);
    memcpy(l->uuid, h + 168, 40);
    if (!parse_mode(l, mode, errp)) {
        return false;
    }
    if (l->key_bytes > CIPHER_MAX_KEY || (l->mode == CIPHER_XTS && l->key_bytes & 1) ||
        !(l->alg = cipher_alg_of_luks(cipher, l->mode == CIPHER_XTS ? l->key_bytes / 2 : l->key_bytes))) {
        error_set(errp, "Algorithm '%s' with key size %zu bytes not supported", cipher, l->key_bytes);
        return false;
    }
    if (!(l->hash = hash_find(hash))) {
        error_set(errp, "Hash algorithm '%s' is not supported", hash);
        return false;
    }
    if (!l->digest_iterations || l->digest_iterations > MAX_ITERATIONS) {
        error_set(errp, "the iteration count of the LUKS master key is %s", l->digest_iterations ? "too large" : "zero");
        return false;
    }
    return parse_slots(l, h, max_bytes, errp);
}

static void build_header(const Luks *l, uint8_t *h)
{
    char mode[64];

    memset(h, 0, LUKS_HEADER_BYTES);
    memcpy(h, magic, sizeof(magic));
    stbe16(h + 6, 1);
    const char *luks_name = cipher_alg_luks_name(l->alg);
    memcpy(h + 8, luks_name, MIN(strlen(luks_name), 31u));
    snprintf(mode, sizeof(mode), "%s%s%s%s%s", cipher_mode_names[l->mode], l->iv ? "-" : "", iv_kind_names[l->iv], l->iv_hash ? ":" : "",
             l->iv_hash ? hash_name(l->iv_hash) : "");
    memcpy(h + 40, mode, MIN(strlen(mode), 31u));
    memcpy(h + 72, hash_name(l->hash), strlen(hash_name(l->hash)));
    stbe32(h + 104, (uint32_t)(l->payload_offset / 512));
    stbe32(h + 108, (uint32_t)l->key_bytes);
    memcpy(h + 112, l->digest, sizeof(l->digest));
    memcpy(h + 132, l->salt, sizeof(l->salt));
    stbe32(h + 164, l->digest_iterations);
    memcpy(h + 168, l->uuid, 40);
    for (unsigned i = 0; i < LUKS_SLOTS; i++) {
        uint8_t *k = h + 208 + 48 * i;
        const LuksSlot *s = &l->slots[i];
        stbe32(k, s->active ? SLOT_ACTIVE : SLOT_INACTIVE);
        stbe32(k + 4, s->iterations);
        memcpy(k + 8, s->salt, sizeof(s->salt));
        stbe32(k + 40, (uint32_t)(s->offset / 512));
        stbe32(k + 44, s->stripes);
    }
}

static bool write_header(const Luks *l, Error **errp)
{
    uint8_t h[LUKS_HEADER_BYTES];

    build_header(l, h);
    int err = node_pwrite(l->file, l->base, h, sizeof(h), 0);
    err = err ? err : node_flush(l->file);
    if (err) {
        error_set_errno(errp, -err, "Unable to write LUKS header");
    }
    return !err;
}

/* -- key slots ------------------------------------------------------------------------------------------------------- */

static void master_digest(const Luks *l, const uint8_t *key, uint8_t *ret)
{
    hash_pbkdf2(l->hash, key, l->key_bytes, l->salt, sizeof(l->salt), l->digest_iterations, ret, sizeof(l->digest));
}

/* The cipher of a slot's material, with the key that its password gives. */
static Cipher *slot_cipher(const Luks *l, const LuksSlot *s, const char *password, size_t bytes, Error **errp)
{
    uint8_t key[CIPHER_MAX_KEY];

    hash_pbkdf2(l->hash, password, bytes, s->salt, sizeof(s->salt), s->iterations, key, l->key_bytes);
    Cipher *c = cipher_new(l->alg, l->mode, l->iv, l->iv_hash, key, l->key_bytes, errp);
    explicit_bzero(key, sizeof(key));
    return c;
}

/* 1: the password is this slot's, and `key` the master key; 0: it is not; -1: an error. */
static int try_slot(const Luks *l, const LuksSlot *s, const char *password, size_t bytes, uint8_t *key, Error **errp)
{
    size_t split = l->key_bytes * s->stripes, whole = ROUND_UP(split, (size_t)512);
    uint8_t digest[sizeof(l->digest)];

    if (!s->active) {
        return 0;
    }
    uint8_t *material = xcalloc(1, whole);
    int err = node_pread(l->file, l->base + s->offset, material, whole), result = -1;
    Cipher *c = err ? NULL : slot_cipher(l, s, password, bytes, errp);
    if (err) {
        error_set_errno(errp, -err, "Failed to read key material");
    } else if (c) {
        cipher_decrypt(c, 0, material, material, whole);
        af_merge(l->hash, material, l->key_bytes, s->stripes, key);
        master_digest(l, key, digest);
        result = !memcmp(digest, l->digest, sizeof(digest));
    }
    cipher_free(c);
    explicit_bzero(material, whole);
    free(material);
    return result;
}

bool luks_unlock(Luks *l, const char *secret, const char *prefix, Error **errp)
{
    size_t bytes;

    if (!secret) {
        error_set(errp, "Parameter '%skey-secret' is required for cipher", prefix);
        return false;
    }
    const char *password = secret_get(secret, &bytes, errp);
    if (!password) {
        return false;
    }
    for (unsigned i = 0; i < LUKS_SLOTS; i++) {
        int result = try_slot(l, &l->slots[i], password, bytes, l->key, errp);
        if (result < 0) {
            return false;
        }
        if (result) {
            l->cipher = cipher_new(l->alg, l->mode, l->iv, l->iv_hash, l->key, l->key_bytes, errp);
            return l->cipher != NULL;
        }
    }
    error_set(errp, "Invalid password, cannot unlock any keyslot");
    return false;
}

static uint32_t iterations_for(const Luks *l, size_t bytes, uint64_t ms)
{
    uint64_t n = hash_pbkdf2_rate(l->hash, bytes) * MIN(ms, (uint64_t)100000) / 1000;
    return (uint32_t)MIN(MAX(n, (uint64_t)MIN_ITERATIONS), (uint64_t)MAX_ITERATIONS);
}

/* The master key for one more password: material first, then the header. */
static bool store_slot(Luks *l, unsigned i, const char *password, size_t bytes, uint64_t iter_ms, Error **errp)
{
    LuksSlot old = l->slots[i], *s = &l->slots[i];
    size_t split = l->key_bytes * STRIPES, whole = ROUND_UP(split, (size_t)512);

    s->stripes = STRIPES;
    s->iterations = iterations_for(l, l->key_bytes, iter_ms);
    if (!crypt_random(s->salt, sizeof(s->salt), errp)) {
        return false;
    }
    uint8_t *material = xcalloc(1, whole);
    Cipher *c = slot_cipher(l, s, password, bytes, errp);
    bool ok = c && af_split(l->hash, l->key, l->key_bytes, STRIPES, material, errp);
    if (ok) {
        cipher_encrypt(c, 0, material, material, whole);
        int err = node_pwrite(l->file, l->base + s->offset, material, whole, 0);
        err = err ? err : node_flush(l->file);
        ok = !err;
        if (err) {
            error_set_errno(errp, -err, "Unable to write key material");
        }
    }
    s->active = true;
    ok = ok && write_header(l, errp);
    if (!ok) {
        *s = old;
    }
    cipher_free(c);
    explicit_bzero(material, whole);
    free(material);
    return ok;
}

static bool erase_slot(Luks *l, unsigned i, Error **errp)
{
    LuksSlot *s = &l->slots[i];
    size_t split = l->key_bytes * s->stripes;

    s->active = false;
    s->iterations = 0;
    memset(s->salt, 0, sizeof(s->salt));
    if (!write_header(l, errp)) {
        return false;
    }
    uint8_t *noise = xmalloc(split);
    bool ok = crypt_random(noise, split, errp);
    int err = ok ? node_pwrite(l->file, l->base + s->offset, noise, split, 0) : 0;
    err = err || !ok ? err : node_flush(l->file);
    if (err) {
        error_set_errno(errp, -err, "Unable to erase key material");
    }
    free(noise);
    return ok && !err;
}

/* -- creating -------------------------------------------------------------------------------------------------------- */

bool luks_create(Luks *l, BlockNode *file, uint64_t base, const LuksShape *shape, Error **errp)
{
    uint8_t id[16];
    size_t bytes;

    *l = (Luks){ .file = file, .base = base, .alg = shape->alg, .mode = shape->mode, .iv = shape->iv, .hash = shape->hash, .iv_hash = shape->iv_hash,
                 .key_bytes = shape_key_bytes(shape), .payload_offset = luks_header_bytes(shape) };
    const char *password = secret_get(shape->secret, &bytes, errp);
    if (!password || !crypt_random(l->key, l->key_bytes, errp) || !crypt_random(l->salt, sizeof(l->salt), errp) || !crypt_random(id, sizeof(id), errp)) {
        return false;
    }
    l->cipher = cipher_new(l->alg, l->mode, l->iv, l->iv_hash, l->key, l->key_bytes, errp);
    if (!l->cipher) {
        return false;
    }
    id[6] = (id[6] & 0x0f) | 0x40; /* RFC 9562: version 4 */
    id[8] = (id[8] & 0x3f) | 0x80;
    snprintf(l->uuid, sizeof(l->uuid), "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", id[0], id[1], id[2], id[3], id[4], id[5],
             id[6], id[7], id[8], id[9], id[10], id[11], id[12], id[13], id[14], id[15]);
    l->digest_iterations = iterations_for(l, sizeof(l->digest), MAX(shape->iter_ms / 8, 1u));
    master_digest(l, l->key, l->digest);
    for (unsigned i = 0; i < LUKS_SLOTS; i++) {
        l->slots[i].stripes = STRIPES;
        l->slots[i].offset = LUKS_ALIGN + i * slot_bytes(l->key_bytes);
    }
    return store_slot(l, 0, password, bytes, shape->iter_ms, errp);
}

/* -- changing -------------------------------------------------------------------------------------------------------- */

static unsigned count_active(const Luks *l)
{
    unsigned n = 0;
    for (unsigned i = 0; i < LUKS_SLOTS; i++) {
        n += l->slots[i].active;
    }
    return n;
}

static bool add_password(Luks *l, const char *new_secret, const char *old_secret, bool has_slot, uint64_t slot, uint64_t iter_ms, bool force, Error **errp)
{
    size_t bytes;

    if (!new_secret) {
        error_set(errp, "'new-secret' is required to activate a keyslot");
        return false;
    }
    if (old_secret) {
        error_set(errp, "'old-secret' must not be given when activating keyslots");
        return false;
    }
    const char *password = secret_get(new_secret, &bytes, errp);
    if (!password) {
        return false;
    }
    if (has_slot && l->slots[slot].active && !force) {
        error_set(errp, "Refusing to overwrite active keyslot %" PRIu64 " - please erase it first", slot);
        return false;
    }
    for (unsigned i = 0; !has_slot && i < LUKS_SLOTS; i++) {
        if (!l->slots[i].active) {
            slot = i;
            has_slot = true;
        }
    }
    if (!has_slot) {
        error_set(errp, "Can't add a keyslot - all keyslots are in use");
        return false;
    }
    return store_slot(l, (unsigned)slot, password, bytes, iter_ms, errp);
}

static bool erase_passwords(Luks *l, const char *new_secret, const char *old_secret, bool has_slot, uint64_t slot, bool force, Error **errp)
{
    bool matches[LUKS_SLOTS] = { false };
    uint8_t key[CIPHER_MAX_KEY];
    const char *old = NULL;
    size_t bytes = 0;
    unsigned n = 0;

    if (new_secret) {
        error_set(errp, "'new-secret' must not be given when erasing keyslots");
        return false;
    }
    if (!has_slot && !old_secret) {
        error_set(errp, "To erase keyslot(s), either explicit keyslot index or the password currently contained in them must be given");
        return false;
    }
    if (old_secret && !(old = secret_get(old_secret, &bytes, errp))) {
        return false;
    }
    if (has_slot) {
        if (old) {
            int result = try_slot(l, &l->slots[slot], old, bytes, key, errp);
            explicit_bzero(key, sizeof(key));
            if (result < 0) {
                return false;
            }
            if (!result) {
                error_set(errp, "Given keyslot %" PRIu64 " doesn't contain the given old password for erase operation", slot);
                return false;
            }
        }
        if (!l->slots[slot].active && !force) {
            error_set(errp, "Given keyslot %" PRIu64 " is already erased (inactive) ", slot);
            return false;
        }
        if (count_active(l) == 1 && l->slots[slot].active && !force) {
            error_set(errp, "Attempt to erase the only active keyslot %" PRIu64 " which will erase all the data in the image irreversibly - refusing "
                      "operation", slot);
            return false;
        }
        return erase_slot(l, (unsigned)slot, errp);
    }
    for (unsigned i = 0; i < LUKS_SLOTS; i++) {
        int result = try_slot(l, &l->slots[i], old, bytes, key, errp);
        if (result < 0) {
            return false;
        }
        matches[i] = result;
        n += matches[i];
    }
    explicit_bzero(key, sizeof(key));
    if (!n) {
        error_set(errp, "No keyslots match given (old) password for erase operation");
        return false;
    }
    if (n == count_active(l) && !force) {
        error_set(errp, "All the active keyslots match the (old) password that was given and erasing them will erase all the data in the image "
                  "irreversibly - refusing operation");
        return false;
    }
    for (unsigned i = 0; i < LUKS_SLOTS; i++) {
        if (matches[i] && !erase_slot(l, i, errp)) {
            return false;
        }
    }
    return true;
}

bool luks_amend(Luks *l, const Json *options, const char *prefix, bool force, Error **errp)
{
    const char *state, *new_secret, *old_secret;
    uint64_t slot, iter_ms;
    char *key = xasprintf("%skeyslot", prefix);
    bool has_slot = opts_is_set(options, key);

    free(key);
    if (!text_option(options, prefix, "state", NULL, &state, errp) || !text_option(options, prefix, "new-secret", NULL, &new_secret, errp) ||
        !text_option(options, prefix, "old-secret", NULL, &old_secret, errp) || !number_option(options, prefix, "keyslot", 0, &slot, errp) ||
        !number_option(options, prefix, "iter-time", DEFAULT_ITER_MS, &iter_ms, errp)) {
        return false;
    }
    if (!state) {
        error_set(errp, "Parameter '%sstate' is missing", prefix);
        return false;
    }
    if (strcmp(state, "active") && strcmp(state, "inactive")) {
        return refuse("state", state, errp);
    }
    if (has_slot && slot >= LUKS_SLOTS) {
        error_set(errp, "Invalid keyslot %" PRIu64 " specified, must be between 0 and %d", slot, LUKS_SLOTS - 1);
        return false;
    }
    return !strcmp(state, "active") ? add_password(l, new_secret, old_secret, has_slot, slot, iter_ms, force, errp)
                                    : erase_passwords(l, new_secret, old_secret, has_slot, slot, force, errp);
}

void luks_close(Luks *l)
{
    cipher_free(l->cipher);
    explicit_bzero(l->key, sizeof(l->key));
    l->cipher = NULL;
}

Json *luks_describe(const Luks *l, bool with_format)
{
    Json *json = json_object(), *slots = json_array();

    json_put_string(json, "ivgen-alg", l->iv ? iv_kind_names[l->iv] : "plain");
    json_put_bool(json, "detached-header", false);
    json_put_string(json, "hash-alg", hash_name(l->hash));
    json_put_string(json, "cipher-alg", cipher_alg_name(l->alg));
    json_put_string(json, "uuid", l->uuid);
    if (with_format) {
        json_put_string(json, "format", "luks");
    }
    if (l->iv_hash) {
        json_put_string(json, "ivgen-hash-alg", hash_name(l->iv_hash));
    }
    json_put_string(json, "cipher-mode", cipher_mode_names[l->mode]);
    for (unsigned i = 0; i < LUKS_SLOTS; i++) {
        Json *slot = json_object();
        json_put_bool(slot, "active", l->slots[i].active);
        if (l->slots[i].active) {
            json_put_uint(slot, "iters", l->slots[i].iterations);
        }
        json_put_uint(slot, "key-offset", l->slots[i].offset);
        if (l->slots[i].active) {
            json_put_uint(slot, "stripes", l->slots[i].stripes);
        }
        json_push(slots, slot);
    }
    json_put(json, "slots", slots);
    json_put_uint(json, "payload-offset", l->payload_offset);
    json_put_uint(json, "master-key-iters", l->digest_iterations);
    return json;
}
