/*
 * none.c: cipher.h in a build without nettle: no algorithm is known, so that encrypted images are refused by name.
 */
#include "block/crypto/cipher.h"

const char *const cipher_mode_names[] = { "ecb", "cbc", "xts", "ctr", NULL };
const char *const iv_kind_names[] = { "", "plain", "plain64", "essiv", NULL };

const CipherAlg *cipher_alg_find(const char *option) { return NULL; }
const CipherAlg *cipher_alg_of_luks(const char *name, size_t key_bytes) { return NULL; }
const char *cipher_alg_name(const CipherAlg *alg) { return ""; }
const char *cipher_alg_luks_name(const CipherAlg *alg) { return ""; }
size_t cipher_alg_key_bytes(const CipherAlg *alg) { return 0; }
const HashAlg *hash_find(const char *name) { return NULL; }
const char *hash_name(const HashAlg *hash) { return ""; }
size_t hash_bytes(const HashAlg *hash) { return 0; }

Cipher *cipher_new(const CipherAlg *alg, CipherMode mode, IvKind iv, const HashAlg *iv_hash, const uint8_t *key, size_t key_bytes, Error **errp)
{
    error_set(errp, "this build has no ciphers (libnettle)");
    return NULL;
}

/* Nothing below is reached: there is no Cipher and no HashAlg. */
void cipher_free(Cipher *c) { }
void cipher_encrypt(const Cipher *c, uint64_t sector, const uint8_t *in, uint8_t *out, size_t bytes) { }
void cipher_decrypt(const Cipher *c, uint64_t sector, const uint8_t *in, uint8_t *out, size_t bytes) { }
void hash_digest(const HashAlg *hash, const void *a, size_t a_bytes, const void *b, size_t b_bytes, uint8_t *ret) { }
void hash_pbkdf2(const HashAlg *hash, const void *password, size_t password_bytes, const uint8_t *salt, size_t salt_bytes, uint64_t rounds,
                 uint8_t *ret, size_t ret_bytes) { }
uint64_t hash_pbkdf2_rate(const HashAlg *hash, size_t key_bytes) { return 0; }

bool crypt_random(void *buf, size_t bytes, Error **errp)
{
    error_set(errp, "this build has no ciphers (libnettle)");
    return false;
}

size_t aes256_cbc_open(const uint8_t *key, const uint8_t *iv, const uint8_t *in, uint8_t *out, size_t bytes) { return 0; }
