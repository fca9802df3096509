/*
 * target-list.c: the guest CPUs built in. meson passes their names as TARGET_SYMBOLS: T(target_x) T(…).
 */
#include <string.h>
#include "target/target.h"

#define T(symbol) extern const Target symbol;
TARGET_SYMBOLS
#undef T

static const Target *const targets[] = {
#define T(symbol) &symbol,
    TARGET_SYMBOLS
#undef T
    NULL,
};

const Target *target_find(const char *name)
{
    for (size_t i = 0; targets[i]; i++) {
        if (!strcmp(targets[i]->name, name)) {
            return targets[i];
        }
    }
    return NULL;
}

const Target *const *target_list(size_t *n)
{
    *n = ARRAY_SIZE(targets) - 1;
    return targets;
}
