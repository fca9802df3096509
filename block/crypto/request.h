/*
 * request.h: reads and writes of encrypted sectors.
 */
#ifndef BLOCK_CRYPTO_REQUEST_H
#define BLOCK_CRYPTO_REQUEST_H

#include "block/crypto/cipher.h"
#include "block/node.h"

/* Whole sectors at `host` of `file`; the first one's vector is that of byte `place`. For coroutines. */
int crypt_co_read(const Cipher *c, BlockNode *file, uint64_t host, uint64_t place, uint64_t bytes, Sg sg);
int crypt_co_write(const Cipher *c, BlockNode *file, uint64_t host, uint64_t place, uint64_t bytes, Sg sg, unsigned flags);

#endif
