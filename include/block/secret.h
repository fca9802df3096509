/*
 * secret.h: passwords and keys by id (--object secret), for images that are encrypted.
 *
 * Threads: as the graph.
 */
#ifndef BLOCK_SECRET_H
#define BLOCK_SECRET_H

#include "util/error.h"

/* What an object's options say: data or file, format, and keyid with iv where it is encrypted with another secret. */
typedef struct SecretSource {
    const char *data, *file, *format, *keyid, *iv;
} SecretSource;

bool secret_add(const char *id, const SecretSource *from, Error **errp);
void secret_remove(const char *id);
/* The bytes, which end with a zero that does not count; NULL with an error if there is none. */
const char *secret_get(const char *id, size_t *ret_bytes, Error **errp);

#endif
