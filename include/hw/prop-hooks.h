/*
 * prop-hooks.h: how the rooms that own chardevs, drives and netdevs resolve
 * property texts (ids) to their things. Set once, before devices are made.
 */
#ifndef HW_PROP_HOOKS_H
#define HW_PROP_HOOKS_H

#include "hw/object.h"

typedef struct PropHooks {
    /* Stores in `field` what `text` names. Without errors for "". */
    bool (*set)(Object *obj, const Property *prop, void *field, const char *text, Error **errp);
    /* The id of what is in `field`; malloc'd, NULL: none. */
    char *(*get)(const void *field);
} PropHooks;

void property_set_hooks(PropKind kind, const PropHooks *hooks);

#endif
