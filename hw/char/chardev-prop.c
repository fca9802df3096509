/*
 * chardev-prop.c: properties that name a chardev. See chardev-prop.h.
 */
#include "hw/chardev-prop.h"
#include "hw/prop-hooks.h"
#include "softmmu/chardev.h"

static bool chardev_prop_set(Object *obj, const Property *prop, void *field, const char *text,
                             Error **errp)
{
    if (!*text) {
        char_detach(field);
        return true;
    }
    Chardev *chr = chardev_find(text);
    if (!chr) {
        error_set(errp, "Property '%s.%s' can't find value '%s'", obj->type->name, prop->name,
                  text);
        return false;
    }
    return char_attach(field, chr, errp);
}

static char *chardev_prop_get(const void *field)
{
    const CharFrontend *fe = field;

    return fe->chr ? xstrdup(chardev_id(fe->chr)) : NULL;
}

void chardev_prop_install(void)
{
    static const PropHooks hooks = { .set = chardev_prop_set, .get = chardev_prop_get };

    property_set_hooks(PROP_CHARDEV, &hooks);
}

bool device_attach_chardev(Device *dev, struct Chardev *chr, Error **errp)
{
    const Property *prop = object_type_find_prop(dev->obj.type, "chardev");

    assert(prop && prop->kind == PROP_CHARDEV);
    return !chr || char_attach((CharFrontend *)((char *)dev + prop->offset), chr, errp);
}
