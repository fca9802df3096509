/*
 * luks.h: LUKS headers, version 1: who has one of up to eight passwords gets the key the disk is encrypted with.
 *
 * A header is at a place of a node: the beginning of a file, or clusters of a qcow2 image. Functions here wait for their requests, but for the
 * cipher, which is any thread's.
 */
#ifndef BLOCK_CRYPTO_LUKS_H
#define BLOCK_CRYPTO_LUKS_H

#include "block/crypto/cipher.h"
#include "block/node.h"

enum { LUKS_SLOTS = 8, LUKS_HEADER_BYTES = 592, LUKS_ALIGN = 4096 };

typedef struct LuksSlot {
    bool active;
    uint32_t iterations, stripes;
    uint8_t salt[32];
    uint64_t offset;               /* of its key material, from the header's beginning */
} LuksSlot;

typedef struct Luks {
    BlockNode *file;
    uint64_t base;                 /* where the header is */
    const CipherAlg *alg;
    CipherMode mode;
    IvKind iv;
    const HashAlg *hash, *iv_hash;
    size_t key_bytes;
    uint8_t digest[20], salt[32];
    uint32_t digest_iterations;
    uint64_t payload_offset;       /* bytes */
    char uuid[41];
    LuksSlot slots[LUKS_SLOTS];
    uint8_t key[CIPHER_MAX_KEY];   /* once it is unlocked */
    Cipher *cipher;                /* NULL: locked */
} Luks;

/* What a new header is made with: the options of `prefix` ("" or "encrypt."). */
typedef struct LuksShape {
    const CipherAlg *alg;
    CipherMode mode;
    IvKind iv;
    const HashAlg *hash, *iv_hash;
    uint64_t iter_ms;
    const char *secret;
} LuksShape;

extern const BlockOption luks_amend_rows[];

bool luks_probe(const uint8_t *head, size_t bytes);
/* The options are read and checked; nothing is written. */
bool luks_shape(LuksShape *shape, const Json *options, const char *prefix, Error **errp);
uint64_t luks_header_bytes(const LuksShape *shape);   /* with all key slots: where the payload begins */
bool luks_create(Luks *l, BlockNode *file, uint64_t base, const LuksShape *shape, Error **errp);
bool luks_read(Luks *l, BlockNode *file, uint64_t base, uint64_t max_bytes, Error **errp);
/* `secret` NULL is an error that names the option. */
bool luks_unlock(Luks *l, const char *secret, const char *prefix, Error **errp);
bool luks_amend(Luks *l, const Json *options, const char *prefix, bool force, Error **errp);
void luks_close(Luks *l);
Json *luks_describe(const Luks *l, bool with_format);

#endif
