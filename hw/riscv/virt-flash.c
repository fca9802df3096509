/*
 * virt-flash.c: the two flash chips of the `virt` board.
 */
#include <stdio.h>
#include "block/block.h"
#include "hw/riscv/virt.h"

static bool flash_has_code;

bool virt_flash_has_code(void)
{
    return flash_has_code;
}

static bool flash_create(VirtMachine *v, unsigned n, Error **errp)
{
    /* Two 16-bit chips of the 28F128J3 family side by side, 256 KiB per block of both. */
    static const char *const props[] = {
        "num-blocks", "128", "sector-length", "262144", "width", "4", "device-width", "2",
        "id0", "0x89", "id1", "0x18", NULL,
    };
    const VirtPlace *place = &virt_map[n ? VIRT_FLASH1 : VIRT_FLASH0];
    Device *dev = device_new("cfi.pflash01", errp);
    char name[16];

    snprintf(name, sizeof(name), "virt.flash%u", n);
    if (!dev || !object_property_parse(&dev->obj, "name", name, errp)) {
        return false;
    }
    for (const char *const *p = props; *p; p += 2) {
        if (!object_property_parse(&dev->obj, p[0], p[1], errp)) {
            return false;
        }
    }
    const Property *drive = object_type_find_prop(dev->obj.type, "drive");
    BlockBackend *blk = drive_get("pflash", n);
    *(BlockBackend **)((char *)dev + drive->offset) = blk;
    object_add_child(&v->machine.obj, name, &dev->obj);
    bool ok = device_realize(dev, NULL, errp);
    object_unref(&dev->obj);
    if (!ok) {
        return false;
    }
    sysbus_map(dev, 0, place->base);
    v->flash[n] = dev;
    flash_has_code |= n == 0 && blk;
    return true;
}

bool virt_create_flash(VirtMachine *v, Error **errp)
{
    return flash_create(v, 0, errp) && flash_create(v, 1, errp);
}
