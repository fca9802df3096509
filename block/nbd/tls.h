/*
 * tls.h: TLS for NBD: credentials that --object makes, and sessions on sockets that do not block.
 *
 * Without GnuTLS in the build there are no credentials: making them is an error.
 */
#ifndef BLOCK_NBD_TLS_H
#define BLOCK_NBD_TLS_H

#include <sys/types.h>

#include "util/json.h"

typedef struct TlsCreds TlsCreds;
typedef struct TlsSession TlsSession;

/* `type`: tls-creds-x509, -psk, -anon; options: endpoint, dir, verify-peer, priority, passwordid, username, sanity-check. */
TlsCreds *tls_creds_new(const char *type, const Json *options, Error **errp);
TlsCreds *tls_creds_ref(TlsCreds *creds);
void tls_creds_unref(TlsCreds *creds);             /* NULL is allowed */
bool tls_creds_is_server(const TlsCreds *creds);

/* A session on `fd`, of the credentials' side. `hostname`: the name the server's certificate must have; NULL: any. */
TlsSession *tls_session_new(const TlsCreds *creds, int fd, const char *hostname, Error **errp);
void tls_session_free(TlsSession *s);              /* NULL is allowed */
/* 0, -EAGAIN (wait for *events of poll()) or another negative errno with an error. The peer's certificate has been checked. */
int tls_handshake(TlsSession *s, unsigned *events, Error **errp);
ssize_t tls_read(TlsSession *s, void *buf, size_t bytes, unsigned *events);
ssize_t tls_write(TlsSession *s, const void *buf, size_t bytes, unsigned *events);
size_t tls_pending(const TlsSession *s);
/* The distinguished name of the peer's certificate, the name of a PSK's user; NULL: it has none. */
const char *tls_peer_name(const TlsSession *s);

#endif
