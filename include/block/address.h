/*
 * address.h: addresses of sockets as options give them, connecting and listening, for what the block layer has of the network.
 *
 * Kinds: inet (host, port, to, ipv4, ipv6, keep-alive), unix (path, abstract, tight), vsock (cid, port), fd (str: a number or a name that
 * find_fd knows).
 */
#ifndef BLOCK_ADDRESS_H
#define BLOCK_ADDRESS_H

#include "util/json.h"

typedef enum AddressKind { ADDRESS_INET, ADDRESS_UNIX, ADDRESS_VSOCK, ADDRESS_FD } AddressKind;

typedef struct Address {
    AddressKind kind;
    char *host, *port, *path, *fd_name;
    uint64_t to;               /* inet, listening: the last port that is tried; 0: `port` alone */
    uint64_t cid, vsock_port;
    bool ipv4, ipv6, abstract, tight, keep_alive;
} Address;

/* {"type": …, …}; also the older {"type": …, "data": {…}}. NULL with an error. */
Address *address_parse(const Json *options, Error **errp);
Address *address_unix(const char *path);
Address *address_inet(const char *host, const char *port);
void address_free(Address *a);             /* NULL is allowed */
char *address_text(const Address *a);      /* "localhost:10809", "/path"; the caller's */
bool address_equal(const Address *a, const Address *b);

/* A connected socket; a negative errno with an error. */
int address_co_connect(const Address *a, Error **errp);
/* Listening sockets (names may have several addresses); `fds` is an array the caller frees. */
bool address_listen(const Address *a, int backlog, int **fds, size_t *n, Error **errp);

/* The absolute path of a socket that listens, to be removed in the end; the caller's. NULL: it has none. */
char *address_socket_path(const Address *a);

/* Where descriptors with names come from: the monitor (getfd). NULL: numbers alone. */
extern int (*address_find_fd)(const char *name, Error **errp);

#endif
