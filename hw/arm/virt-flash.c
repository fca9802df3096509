/*
 * virt-flash.c: the two flash chips of the `virt` board, and -bios in the first of them.
 */
#include <stdio.h>
#include "block/block.h"
#include "hw/arm/virt.h"
#include "softmmu/datadir.h"

static bool flash_create(VirtMachine *v, unsigned n, MemoryRegion *where, BlockBackend *blk, Error **errp)
{
    /* Two 16-bit chips of the 28F128J3 family side by side, 256 KiB per block of both. */
    static const char *const props[] = {
        "num-blocks", "256", "sector-length", "262144", "width", "4", "device-width", "2", "id0", "0x89", "id1", "0x18", NULL,
    };
    VirtPlace place = arm_virt_place(v, n ? VIRT_FLASH1 : VIRT_FLASH0);
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
    *(BlockBackend **)((char *)dev + drive->offset) = blk;
    object_add_child(&v->arm.machine.obj, name, &dev->obj);
    bool ok = device_realize(dev, NULL, errp);
    object_unref(&dev->obj);
    if (ok) {
        memory_region_add(where, place.base, device_mmio(dev, 0));
        v->flash[n] = dev;
    }
    return ok;
}

static bool load_bios(VirtMachine *v, Error **errp)
{
    Machine *m = arm_virt_m(v);
    char *path = datadir_find(m->firmware);
    Image image;

    if (!path) {
        error_set(errp, "Could not find ROM image '%s'", m->firmware);
        return false;
    }
    bool ok = image_open_raw(&image, "firmware", path, errp);
    if (ok && image.len > arm_virt_place(v, VIRT_FLASH0).size) {
        error_set(errp, "Could not load ROM image '%s': it is larger than the flash", path);
        image_close(&image);
        ok = false;
    }
    if (ok) {
        /* Into the chip itself, which the processors may see in secure state only. */
        memcpy(memory_region_host(device_mmio(v->flash[0], 0)), image.data, image.len);
        image_close(&image);
    }
    free(path);
    return ok;
}

static bool flash_drive(VirtMachine *v, unsigned n, BlockBackend **ret, Error **errp)
{
    if (!v->pflash[n] || !*v->pflash[n]) {
        *ret = drive_get("pflash", n);
        return true;
    }
    *ret = block_find(v->pflash[n]);
    if (!*ret) {
        error_set(errp, "Property 'pflash%u' can't find value '%s'", n, v->pflash[n]);
    }
    return *ret != NULL;
}

bool arm_virt_create_flash(VirtMachine *v, Error **errp)
{
    Machine *m = arm_virt_m(v);
    BlockBackend *blk[2];
    bool bios = m->firmware && strcmp(m->firmware, "none");

    if (!flash_drive(v, 0, &blk[0], errp) || !flash_drive(v, 1, &blk[1], errp)) {
        return false;
    }
    if (bios && blk[0]) {
        error_set(errp, "The contents of the first flash device may be specified with -bios or with -drive if=pflash... "
                  "but you cannot use both options at once");
        return false;
    }
    /* The first chip is the secure world's where there is one. */
    if (!flash_create(v, 0, v->secure ? &v->secure_memory : &m->system_memory, blk[0], errp) ||
        !flash_create(v, 1, &m->system_memory, blk[1], errp) || (bios && !load_bios(v, errp))) {
        return false;
    }
    v->firmware_loaded = bios || blk[0];
    return true;
}
