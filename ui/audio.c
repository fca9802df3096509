/*
 * audio.c: sound back ends by name.
 */
#include "ui/audio.h"
#include <string.h>
#include "util/alloc.h"

static VEC(char *) ids;

static bool known(const char *id)
{
    for (size_t i = 0; i < ids.n; i++) {
        if (!strcmp(ids.at[i], id)) {
            return true;
        }
    }
    return false;
}

bool audio_add(const Json *opts, Error **errp)
{
    const char *driver = json_get_string(opts, "driver"), *id = json_get_string(opts, "id");

    if (!driver || strcmp(driver, "none")) {
        error_set(errp, "there is no sound back end '%s'; only none", driver ? driver : "");
        return false;
    }
    if (id && known(id)) {
        error_set(errp, "Duplicate ID '%s' for audiodev", id);
        return false;
    }
    if (id) {
        *vec_push(&ids) = xstrdup(id);
    }
    return true;
}

bool audio_check(const char *id, Error **errp)
{
    if (!known(id)) {
        error_set(errp, "audiodev '%s' not found", id);
        return false;
    }
    return true;
}
