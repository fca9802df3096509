/*
 * channel.h: a connection of bytes for coroutines: a socket, with TLS or without.
 *
 * One coroutine reads and one writes at a time. channel_shutdown() may be called by anybody of the context: both then get errors.
 */
#ifndef BLOCK_NBD_CHANNEL_H
#define BLOCK_NBD_CHANNEL_H

#include "block/sg.h"
#include "util/error.h"

typedef struct Channel Channel;
typedef struct TlsCreds TlsCreds;

enum { CHANNEL_END = 1 };          /* the peer ended it before the first byte */

Channel *channel_new(int fd);      /* takes the socket */
void channel_free(Channel *ch);    /* NULL is allowed; nobody reads or writes */
void channel_shutdown(Channel *ch);
bool channel_is_down(const Channel *ch);
int channel_fd(const Channel *ch);

/* All of it. 0, CHANNEL_END, or a negative errno. */
int channel_co_read(Channel *ch, void *buf, size_t bytes);
int channel_co_read_sg(Channel *ch, Sg sg, size_t bytes);
int channel_co_skip(Channel *ch, uint64_t bytes);
int channel_co_write(Channel *ch, const void *head, size_t head_bytes, Sg sg, size_t bytes);
/* What was read already waits in here, so that another read would not block. */
bool channel_has_input(const Channel *ch);

/* `hostname` NULL: a server, or a peer whose name is not checked. */
bool channel_co_tls(Channel *ch, const TlsCreds *creds, const char *hostname, Error **errp);
bool channel_is_tls(const Channel *ch);
/* Who TLS says the peer is; NULL: nobody. */
const char *channel_peer_name(const Channel *ch);
/* Gives the socket away, for the kernel; not with TLS. */
int channel_take_fd(Channel *ch);

#endif
