/*
 * vnc-server.h: between vnc.c and vnc-listen.c.
 */
#ifndef UI_VNC_SERVER_H
#define UI_VNC_SERVER_H

#include "ui/vnc.h"

VncServer *vnc_servers(void);
VncServer *vnc_server_new(const char *id);
void vnc_server_attach(VncServer *s, Console *con); /* NULL: no screen */
void vnc_server_free(VncServer *s);
void vnc_server_close_sockets(VncServer *s);
/* Brings the picture up to date and sends updates to who waits for one. Whether there was something new. */
bool vnc_server_update(VncServer *s);

#endif
