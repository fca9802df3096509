/*
 * datadir.h: where firmware images are looked for (-L, and the installed places).
 */
#ifndef SOFTMMU_DATADIR_H
#define SOFTMMU_DATADIR_H

#include "util/base.h"

/* -L: searched before the built-in places, in the order given. */
void datadir_add(const char *dir);
/* -L help: one per line on stdout. */
void datadir_print(void);
/* The file itself if it exists, else the first NAME found below the directories;
 * malloc'd, NULL: nowhere. */
char *datadir_find(const char *name);
/* The Debian package that a firmware image, by its name (or path below /usr/share) alone, comes from; NULL: none known. */
const char *datadir_package(const char *path);

#endif
