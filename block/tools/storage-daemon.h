/*
 * storage-daemon.h: what the files of the storage daemon share.
 */
#ifndef BLOCK_TOOLS_STORAGE_DAEMON_H
#define BLOCK_TOOLS_STORAGE_DAEMON_H

#include "util/json.h"

bool daemon_blockdev_add(const Json *options, Error **errp);
/* Lets the nodes that users made go. */
void daemon_close_nodes(void);
void daemon_quit(void);

#endif
