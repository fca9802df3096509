/*
 * cipher.h: sectors of disks, encrypted: algorithms, modes and how each sector gets its initialization vector; hashes.
 *
 * Names are those of LUKS headers and of options. A Cipher does not change once it is made: any thread.
 */
#ifndef BLOCK_CRYPTO_CIPHER_H
#define BLOCK_CRYPTO_CIPHER_H

#include "util/error.h"

enum { CIPHER_SECTOR = 512, CIPHER_MAX_KEY = 64, HASH_MAX_BYTES = 64 };

typedef enum CipherMode { CIPHER_ECB, CIPHER_CBC, CIPHER_XTS, CIPHER_CTR } CipherMode;
typedef enum IvKind { IV_NONE, IV_PLAIN, IV_PLAIN64, IV_ESSIV } IvKind;

typedef struct CipherAlg CipherAlg;
typedef struct HashAlg HashAlg;
typedef struct Cipher Cipher;

const CipherAlg *cipher_alg_find(const char *option);                       /* "aes-256"; NULL: none */
const CipherAlg *cipher_alg_of_luks(const char *name, size_t key_bytes);    /* "aes", 32 */
const char *cipher_alg_name(const CipherAlg *alg);
const char *cipher_alg_luks_name(const CipherAlg *alg);                     /* NULL: not in such headers */
size_t cipher_alg_key_bytes(const CipherAlg *alg);
const HashAlg *hash_find(const char *name);
const char *hash_name(const HashAlg *hash);
size_t hash_bytes(const HashAlg *hash);

extern const char *const cipher_mode_names[], *const iv_kind_names[]; /* NULL-terminated, in the order above */

/* For XTS the key is twice as long as the algorithm's. `iv_hash` only with IV_ESSIV. */
Cipher *cipher_new(const CipherAlg *alg, CipherMode mode, IvKind iv, const HashAlg *iv_hash, const uint8_t *key, size_t key_bytes, Error **errp);
void cipher_free(Cipher *c); /* NULL is allowed */
/* Whole sectors, the first of them number `sector`. out may be in. */
void cipher_encrypt(const Cipher *c, uint64_t sector, const uint8_t *in, uint8_t *out, size_t bytes);
void cipher_decrypt(const Cipher *c, uint64_t sector, const uint8_t *in, uint8_t *out, size_t bytes);

/* The hash of up to two pieces. */
void hash_digest(const HashAlg *hash, const void *a, size_t a_bytes, const void *b, size_t b_bytes, uint8_t *ret);
/* PBKDF2 (RFC 8018) with HMAC. */
void hash_pbkdf2(const HashAlg *hash, const void *password, size_t password_bytes, const uint8_t *salt, size_t salt_bytes, uint64_t rounds,
                 uint8_t *ret, size_t ret_bytes);
/* Rounds a second of processor time makes here. */
uint64_t hash_pbkdf2_rate(const HashAlg *hash, size_t key_bytes);
/* The host's, also where the guest's are a sequence that repeats. */
bool crypt_random(void *buf, size_t bytes, Error **errp);
/* AES-256-CBC with PKCS #7 padding, as encrypted secrets are; the length or 0. */
size_t aes256_cbc_open(const uint8_t *key, const uint8_t *iv, const uint8_t *in, uint8_t *out, size_t bytes);

#endif
