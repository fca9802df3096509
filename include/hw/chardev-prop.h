/*
 * chardev-prop.h: "chardev" properties of devices.
 */
#ifndef HW_CHARDEV_PROP_H
#define HW_CHARDEV_PROP_H

#include "hw/device.h"

struct Chardev;

/* Makes PROP_CHARDEV properties take ids of chardevs. */
void chardev_prop_install(void);
/* Attaches the "chardev" property of an unrealized device; NULL chr: nothing. */
NODISCARD bool device_attach_chardev(Device *dev, struct Chardev *chr, Error **errp);

#endif
