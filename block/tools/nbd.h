/*
 * nbd.h: what the files of qemu-nbd share.
 */
#ifndef BLOCK_TOOLS_NBD_H
#define BLOCK_TOOLS_NBD_H

#include "block/nbd.h"

/* -- nbd-device.c: the kernel's client -- */
typedef struct NbdDevice NbdDevice;
/* Serves `device` (/dev/nbdN) by the export of that name; done(opaque) once it is disconnected. NULL with an error. */
NbdDevice *nbd_device_connect(const char *device, NbdServer *server, const char *export_name, void (*done)(void *opaque, const char *error), void *opaque,
                              Error **errp);
void nbd_device_free(NbdDevice *d);      /* disconnects it */
bool nbd_device_disconnect(const char *device, Error **errp);

/* -- nbd-list.c -- */
/* The exports of another server, as a person reads them, to stdout. */
bool nbd_list_exports(const Address *address, const TlsCreds *tls, const char *hostname, Error **errp);

#endif
