/*
 * cipher.c: see cipher.h. The block ciphers and hashes are nettle's; XTS is IEEE 1619 with a data unit of one sector of 512 bytes.
 *
 * ESSIV (encrypted salt-sector): the vector is the sector's number encrypted with a hash of the key.
 */
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include <nettle/aes.h>
#include <nettle/cbc.h>
#include <nettle/ctr.h>
#include <nettle/hmac.h>
#include <nettle/nettle-meta.h>
#include <nettle/pbkdf2.h>
#include <nettle/ripemd160.h>
#include <nettle/xts.h>

#include "block/crypto/cipher.h"
#include "util/alloc.h"
#include "util/bits.h"

struct CipherAlg {
    const char *name, *luks_name;
    const struct nettle_cipher *nettle;
};

static const CipherAlg algs[] = {
    { "aes-128", "aes", &nettle_aes128 }, { "aes-192", "aes", &nettle_aes192 }, { "aes-256", "aes", &nettle_aes256 },
    { "cast5-128", "cast5", &nettle_cast128 },
    { "serpent-128", "serpent", &nettle_serpent128 }, { "serpent-192", "serpent", &nettle_serpent192 }, { "serpent-256", "serpent", &nettle_serpent256 },
    { "twofish-128", "twofish", &nettle_twofish128 }, { "twofish-192", "twofish", &nettle_twofish192 }, { "twofish-256", "twofish", &nettle_twofish256 },
};

struct HashAlg {
    const char *name;
    const struct nettle_hash *nettle;
};

static const HashAlg hashes[] = {
    { "md5", &nettle_md5 }, { "sha1", &nettle_sha1 }, { "sha224", &nettle_sha224 }, { "sha256", &nettle_sha256 }, { "sha384", &nettle_sha384 },
    { "sha512", &nettle_sha512 }, { "ripemd160", &nettle_ripemd160 },
};

const char *const cipher_mode_names[] = { "ecb", "cbc", "xts", "ctr", NULL };
const char *const iv_kind_names[] = { "", "plain", "plain64", "essiv", NULL };

enum { MAX_BLOCK = 16 };

struct Cipher {
    const struct nettle_cipher *nettle, *iv_nettle;
    CipherMode mode;
    IvKind iv;
    void *encrypt, *decrypt, *tweak, *essiv;
};

const CipherAlg *cipher_alg_find(const char *option)
{
    for (size_t i = 0; i < ARRAY_SIZE(algs); i++) {
        if (!strcmp(algs[i].name, option)) {
            return &algs[i];
        }
    }
    return NULL;
}

const CipherAlg *cipher_alg_of_luks(const char *name, size_t key_bytes)
{
    for (size_t i = 0; i < ARRAY_SIZE(algs); i++) {
        if (!strcmp(algs[i].luks_name, name) && algs[i].nettle->key_size == key_bytes) {
            return &algs[i];
        }
    }
    return NULL;
}

const char *cipher_alg_name(const CipherAlg *alg) { return alg->name; }
const char *cipher_alg_luks_name(const CipherAlg *alg) { return alg->luks_name; }
size_t cipher_alg_key_bytes(const CipherAlg *alg) { return alg->nettle->key_size; }

const HashAlg *hash_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(hashes); i++) {
        if (!strcmp(hashes[i].name, name)) {
            return &hashes[i];
        }
    }
    return NULL;
}

const char *hash_name(const HashAlg *hash) { return hash->name; }
size_t hash_bytes(const HashAlg *hash) { return hash->nettle->digest_size; }

/* -- ciphers --------------------------------------------------------------------------------------------------------- */

static void *schedule(const struct nettle_cipher *n, const uint8_t *key, bool encrypt)
{
    void *ctx = xcalloc(1, n->context_size);
    (encrypt ? n->set_encrypt_key : n->set_decrypt_key)(ctx, key);
    return ctx;
}

Cipher *cipher_new(const CipherAlg *alg, CipherMode mode, IvKind iv, const HashAlg *iv_hash, const uint8_t *key, size_t key_bytes, Error **errp)
{
    const struct nettle_cipher *n = alg->nettle;

    if (key_bytes != n->key_size * (mode == CIPHER_XTS ? 2 : 1)) {
        error_set(errp, "Cipher key length %zu should be %zu", key_bytes, n->key_size * (size_t)(mode == CIPHER_XTS ? 2 : 1));
        return NULL;
    }
    if (mode == CIPHER_XTS && n->block_size != XTS_BLOCK_SIZE) {
        error_set(errp, "Cipher block size %u must equal %d", n->block_size, XTS_BLOCK_SIZE);
        return NULL;
    }
    if (mode != CIPHER_ECB && iv == IV_NONE) {
        error_set(errp, "cipher mode '%s' needs a generator of initialization vectors", cipher_mode_names[mode]);
        return NULL;
    }
    /* The key of the vectors is a whole digest. */
    const CipherAlg *iv_alg = iv == IV_ESSIV && iv_hash ? cipher_alg_of_luks(alg->luks_name, hash_bytes(iv_hash)) : NULL;
    if (iv == IV_ESSIV && !iv_alg) {
        error_set(errp, "the hash '%s' does not give keys for the cipher '%s' of essiv", iv_hash ? iv_hash->name : "", alg->name);
        return NULL;
    }
    Cipher *c = xnew(Cipher);
    *c = (Cipher){ .nettle = n, .mode = mode, .iv = iv, .encrypt = schedule(n, key, true), .decrypt = schedule(n, key, false) };
    if (mode == CIPHER_XTS) {
        c->tweak = schedule(n, key + n->key_size, true);
    }
    if (iv_alg) {
        uint8_t digest[HASH_MAX_BYTES];
        hash_digest(iv_hash, key, key_bytes, NULL, 0, digest);
        c->iv_nettle = iv_alg->nettle;
        c->essiv = schedule(c->iv_nettle, digest, true);
        explicit_bzero(digest, sizeof(digest));
    }
    return c;
}

static void forget(void *ctx, const struct nettle_cipher *n)
{
    if (ctx) {
        explicit_bzero(ctx, n->context_size);
        free(ctx);
    }
}

void cipher_free(Cipher *c)
{
    if (c) {
        forget(c->encrypt, c->nettle);
        forget(c->decrypt, c->nettle);
        forget(c->tweak, c->nettle);
        forget(c->essiv, c->iv_nettle);
        free(c);
    }
}

static void make_iv(const Cipher *c, uint64_t sector, uint8_t *iv)
{
    memset(iv, 0, MAX_BLOCK);
    if (c->iv == IV_PLAIN) {
        stle32(iv, (uint32_t)sector);
    } else {
        stle64(iv, sector);
    }
    if (c->iv == IV_ESSIV) {
        c->iv_nettle->encrypt(c->essiv, c->iv_nettle->block_size, iv, iv);
    }
}

void cipher_encrypt(const Cipher *c, uint64_t sector, const uint8_t *in, uint8_t *out, size_t bytes)
{
    const struct nettle_cipher *n = c->nettle;
    uint8_t iv[MAX_BLOCK];

    for (size_t at = 0; at < bytes; at += CIPHER_SECTOR, sector++) {
        make_iv(c, sector, iv);
        switch (c->mode) {
        case CIPHER_ECB: n->encrypt(c->encrypt, CIPHER_SECTOR, out + at, in + at); break;
        case CIPHER_CBC: cbc_encrypt(c->encrypt, n->encrypt, n->block_size, iv, CIPHER_SECTOR, out + at, in + at); break;
        case CIPHER_XTS: xts_encrypt_message(c->encrypt, c->tweak, n->encrypt, iv, CIPHER_SECTOR, out + at, in + at); break;
        case CIPHER_CTR: ctr_crypt(c->encrypt, n->encrypt, n->block_size, iv, CIPHER_SECTOR, out + at, in + at); break;
        }
    }
}

void cipher_decrypt(const Cipher *c, uint64_t sector, const uint8_t *in, uint8_t *out, size_t bytes)
{
    const struct nettle_cipher *n = c->nettle;
    uint8_t iv[MAX_BLOCK];

    for (size_t at = 0; at < bytes; at += CIPHER_SECTOR, sector++) {
        make_iv(c, sector, iv);
        switch (c->mode) {
        case CIPHER_ECB: n->decrypt(c->decrypt, CIPHER_SECTOR, out + at, in + at); break;
        case CIPHER_CBC: cbc_decrypt(c->decrypt, n->decrypt, n->block_size, iv, CIPHER_SECTOR, out + at, in + at); break;
        case CIPHER_XTS: xts_decrypt_message(c->decrypt, c->tweak, n->decrypt, n->encrypt, iv, CIPHER_SECTOR, out + at, in + at); break;
        case CIPHER_CTR: ctr_crypt(c->encrypt, n->encrypt, n->block_size, iv, CIPHER_SECTOR, out + at, in + at); break;
        }
    }
}

size_t aes256_cbc_open(const uint8_t *key, const uint8_t *iv, const uint8_t *in, uint8_t *out, size_t bytes)
{
    struct aes256_ctx ctx;
    uint8_t vector[AES_BLOCK_SIZE];

    if (!bytes || bytes % AES_BLOCK_SIZE) {
        return 0;
    }
    memcpy(vector, iv, sizeof(vector));
    aes256_set_decrypt_key(&ctx, key);
    cbc_decrypt(&ctx, (nettle_cipher_func *)aes256_decrypt, AES_BLOCK_SIZE, vector, bytes, out, in);
    explicit_bzero(&ctx, sizeof(ctx));
    uint8_t pad = out[bytes - 1];
    return pad && pad <= AES_BLOCK_SIZE ? bytes - pad : 0;
}

/* -- hashes ---------------------------------------------------------------------------------------------------------- */

void hash_digest(const HashAlg *hash, const void *a, size_t a_bytes, const void *b, size_t b_bytes, uint8_t *ret)
{
    void *ctx = xmalloc(hash->nettle->context_size);

    hash->nettle->init(ctx);
    hash->nettle->update(ctx, a_bytes, a);
    if (b_bytes) {
        hash->nettle->update(ctx, b_bytes, b);
    }
    hash->nettle->digest(ctx, hash->nettle->digest_size, ret);
    explicit_bzero(ctx, hash->nettle->context_size);
    free(ctx);
}

/* HMAC (RFC 2104) of any of the hashes: what is hashed first, with either pad, is kept. */
typedef struct Hmac {
    const struct nettle_hash *hash;
    void *inner, *outer, *work;
} Hmac;

static void hmac_start(Hmac *h, const HashAlg *hash, const void *key, size_t key_bytes)
{
    size_t n = hash->nettle->context_size;

    *h = (Hmac){ hash->nettle, xmalloc(n), xmalloc(n), xmalloc(n) };
    nettle_hmac_set_key(h->outer, h->inner, h->work, hash->nettle, key_bytes, key);
}

static void hmac_end(Hmac *h)
{
    void *const all[] = { h->inner, h->outer, h->work };

    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        explicit_bzero(all[i], h->hash->context_size);
        free(all[i]);
    }
}

static void mac_update(void *opaque, size_t bytes, const uint8_t *data)
{
    Hmac *h = opaque;
    nettle_hmac_update(h->work, h->hash, bytes, data);
}

static void mac_digest(void *opaque, size_t bytes, uint8_t *digest)
{
    Hmac *h = opaque;
    nettle_hmac_digest(h->outer, h->inner, h->work, h->hash, bytes, digest);
}

void hash_pbkdf2(const HashAlg *hash, const void *password, size_t password_bytes, const uint8_t *salt, size_t salt_bytes, uint64_t rounds,
                 uint8_t *ret, size_t ret_bytes)
{
    Hmac h;

    hmac_start(&h, hash, password, password_bytes);
    nettle_pbkdf2(&h, mac_update, mac_digest, hash->nettle->digest_size, (unsigned)rounds, salt_bytes, salt, ret_bytes, ret);
    hmac_end(&h);
}

uint64_t hash_pbkdf2_rate(const HashAlg *hash, size_t key_bytes)
{
    static const uint8_t salt[32];
    uint8_t out[CIPHER_MAX_KEY];
    uint64_t rounds = 1 << 13;
    struct timespec a, b;

    for (;;) {
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
        hash_pbkdf2(hash, "password", 8, salt, sizeof(salt), rounds, out, key_bytes);
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
        double s = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
        if (s > 0.01 || rounds >= 1 << 24) {
            return (uint64_t)((double)rounds / MAX(s, 1e-6));
        }
        rounds *= 4;
    }
}

bool crypt_random(void *buf, size_t bytes, Error **errp)
{
    for (size_t at = 0; at < bytes;) {
        ssize_t n = getrandom((uint8_t *)buf + at, bytes - at, 0);
        if (n < 0 && errno != EINTR) {
            error_set_errno(errp, errno, "Unable to read random bytes");
            return false;
        }
        at += n > 0 ? (size_t)n : 0;
    }
    return true;
}
