/*
 * net.h: network back ends (netdevs) and the network side of devices (nics).
 *
 * A NetPeer is one end of a cable; netdev and nic are each other's `peer`. A frame is handed over with net_send(); the
 * receiver takes it (returns true) or is not ready (false): then the sender's side queues it, up to a bound, and
 * net_flush() by the receiver delivers what waits.
 *
 * Threads: device lock.
 */
#ifndef NET_NET_H
#define NET_NET_H

#include <sys/uio.h>
#include "util/error.h"
#include "util/json.h"
#include "util/print.h"

typedef struct NetPeer NetPeer;

typedef struct NetPeerOps {
    const char *kind;                   /* "user", "tap", "nic", … */
    /* False: not now; the frame is kept by the caller. */
    bool (*receive)(NetPeer *self, const uint8_t *frame, size_t size_bytes);
    void (*link_changed)(NetPeer *self); /* self->link_down; may be NULL */
    void (*writable)(NetPeer *self);     /* the other end takes frames again; may be NULL */
    void (*finish)(NetPeer *self);       /* netdevs: end the back end */
    char *(*info)(NetPeer *self);        /* text for info network, malloc'd; may be NULL */
} NetPeerOps;

typedef struct NetFrame NetFrame;

struct NetPeer {
    const NetPeerOps *ops;
    char *id, *model;          /* model: nics */
    NetPeer *peer, *next;
    bool is_nic, link_down;
    uint8_t mac[6];
    NetFrame *queue, **queue_end;  /* frames for this peer that it has not taken */
    unsigned n_queued;
    void *opaque;
};

/* -netdev TEXT (JSON or key=value), QMP netdev_add. */
bool netdev_option(const char *text, Error **errp);
bool netdev_add(const Json *options, Error **errp);
bool netdev_del(const char *id, Error **errp);
NetPeer *netdev_find(const char *id);
NetPeer *netdev_next(NetPeer *peer); /* NULL: the first */
/* -nic TEXT: a back end and a device for it; -net nic/user/none likewise. */
bool nic_option(const char *text, Error **errp);
bool net_legacy_option(const char *text, Error **errp);
/* Once the board is built: makes the devices of -nic/-net, or, if no network option was given and `defaults`, a user-mode
 * one of `model` (NULL: none). `add` creates a device from its type and NULL-terminated name/value pairs. */
bool net_create_nics(const char *model, bool defaults, bool (*add)(const char *type, const char *const *props, Error **errp),
                     Error **errp);
/* Once all devices are there: netdevs that none of them uses. */
void net_warn_unconnected(void);
/* Registers the netdev= property; once, before devices are made. */
void net_init(void);
void net_cleanup(void);

/* Nics: make the device's end and plug it into `netdev` (may be NULL: not connected). */
bool nic_attach(NetPeer *nic, const NetPeerOps *ops, NetPeer *netdev, const char *id, const char *model, uint8_t mac[6],
                void *opaque, Error **errp);
void nic_detach(NetPeer *nic);
/* The next address of 52:54:00:12:34:56 and on, if `mac` is all zero. */
void net_default_mac(uint8_t mac[6]);

void net_send(NetPeer *from, const uint8_t *frame, size_t size_bytes);
void net_send_iov(NetPeer *from, const struct iovec *iov, unsigned n, size_t skip_bytes);
/* This peer is ready for frames again. */
void net_flush(NetPeer *self);
bool net_set_link(const char *id, bool up, Error **errp);
/* "info network"; malloc'd. Array of {name, type…} is not part of QMP. */
char *net_info(void);
/* HMP hostfwd_add [netdev] RULE, hostfwd_remove; NULL: the first user-mode netdev. */
bool net_hostfwd(const char *netdev_id, const char *rule, bool remove, Error **errp);
/* HMP info usernet. */
void net_print_user_connections(PrintFn *print, void *opaque);

/* Back ends register themselves in the table of net.c. */
typedef struct NetBackend {
    const char *kind, *summary;
    bool (*create)(NetPeer *self, const Json *options, Error **errp);
    const char *const *options;   /* names it knows, NULL-terminated */
} NetBackend;
extern const NetBackend net_backend_user, net_backend_tap, net_backend_socket;
/* Allocates nothing; fills ops and opaque. */

#endif
