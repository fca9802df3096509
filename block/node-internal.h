/*
 * node-internal.h: what the files of the block core share.
 */
#ifndef BLOCK_NODE_INTERNAL_H
#define BLOCK_NODE_INTERNAL_H

#include "block/node.h"

/* In the list of all nodes, with one reference, not open. `name` NULL: a name is made. */
BlockNode *node_new(const BlockDriver *driver, const char *name);
/* Asks the children again for what the parents need. */
bool node_update_perms(BlockNode *node, Error **errp);
/* The protocol a file name names; NULL with an error if it is none that is known. */
const BlockDriver *driver_of_filename(const char *filename, Error **errp);
/* The protocol node of a file name. */
BlockNode *node_open_protocol(const char *filename, unsigned flags, Error **errp);
/* Creates the protocol's file of an image: of its options those that the protocol has. */
bool image_create_file(const char *filename, const Json *options, Error **errp);

#endif
