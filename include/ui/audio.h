/*
 * audio.h: the sound back ends a command line named (-audiodev). There is only "none", which plays nothing: devices and displays
 * that are told to use it are silent.
 *
 * Threads: BQL.
 */
#ifndef UI_AUDIO_H
#define UI_AUDIO_H

#include "util/json.h"

/* The options of one -audiodev. */
NODISCARD bool audio_add(const Json *opts, Error **errp);
/* False, with an error that names it, where no -audiodev has this ID. */
NODISCARD bool audio_check(const char *id, Error **errp);

#endif
