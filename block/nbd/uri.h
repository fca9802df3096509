/*
 * uri.h: file names of NBD exports.
 */
#ifndef BLOCK_NBD_URI_H
#define BLOCK_NBD_URI_H

#include "block/address.h"

/* Puts "server" and "export" into the options. */
bool nbd_parse_filename(const char *filename, Json *options, Error **errp);
/* The caller's; NULL: no URI can say it. */
char *nbd_make_uri(const Address *a, const char *export_name);

#endif
