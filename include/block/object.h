/*
 * object.h: objects that options refer to by their id: secrets, TLS credentials, lists of who may connect.
 *
 * The tools make them from --object; the emulator's -object and object-add make them, too. Threads: main.
 */
#ifndef BLOCK_OBJECT_H
#define BLOCK_OBJECT_H

#include "util/json.h"

typedef struct TlsCreds TlsCreds;

/* {"qom-type": …, "id": …, …}. */
bool block_object_add(const Json *options, Error **errp);
/* From --object TYPE,id=ID,… or JSON. "help" and "TYPE,help" print and set *help. */
bool block_object_add_option(const char *text, bool *help, Error **errp);
bool block_object_del(const char *id, Error **errp);
bool block_object_type_known(const char *type);

/* A secret's bytes, with a zero behind them; the caller's. NULL with an error. */
char *block_secret(const char *id, size_t *ret_bytes, Error **errp);
/* TLS credentials for that side; a borrowed reference. NULL with an error. */
TlsCreds *block_tls_creds(const char *id, bool server, Error **errp);
/* Whether an authz object allows somebody; false, too, if there is no such object. */
bool block_authz_allows(const char *id, const char *identity, Error **errp);

#endif
