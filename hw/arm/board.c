/*
 * board.c: see board.h.
 */
#include "block/block.h"
#include "hw/arm/board.h"
#include "hw/chardev-prop.h"
#include "hw/sd.h"

Device *arm_place(const char *type, const char *const *props, gpa base, Irq *irq, Error **errp)
{
    Device *dev = device_create(type, NULL, props, errp);

    if (dev) {
        sysbus_map(dev, 0, base);
        if (irq) {
            device_connect_irq(dev, "sysbus-irq", 0, irq);
        }
    }
    return dev;
}

Device *arm_pl011(Machine *m, unsigned n, Error **errp)
{
    Device *dev = device_new("pl011", errp);

    if (!dev || !device_attach_chardev(dev, m->serials[n], errp) || !device_realize(dev, NULL, errp)) {
        return NULL;
    }
    object_unref(&dev->obj);
    return dev;
}

bool arm_place_uart(Machine *m, unsigned n, gpa base, Irq *irq, Error **errp)
{
    Device *dev = arm_pl011(m, n, errp);

    if (!dev) {
        return false;
    }
    sysbus_map(dev, 0, base);
    device_connect_irq(dev, "sysbus-irq", 0, irq);
    return true;
}

bool arm_place_mmci(gpa base, Irq *irq0, Irq *irq1, Device *registers, Error **errp)
{
    Device *mmci = arm_place("pl181", NULL, base, irq0, errp);

    if (!mmci) {
        return false;
    }
    device_connect_irq(mmci, "sysbus-irq", 1, irq1);
    device_connect_irq(mmci, "card-read-only", 0, device_irq_in(registers, NULL, 0));
    device_connect_irq(mmci, "card-inserted", 0, device_irq_in(registers, NULL, 1));
    return sd_card_create(mmci->first_bus, 0, errp) != NULL;
}

Device *arm_place_flash(const char *const *props, unsigned unit, gpa base, Error **errp)
{
    Device *dev = device_new("cfi.pflash01", errp);
    bool ok = dev != NULL;

    for (const char *const *p = props; ok && *p; p += 2) {
        ok = object_property_parse(&dev->obj, p[0], p[1], errp);
    }
    if (!ok) {
        return NULL;
    }
    *(BlockBackend **)((char *)dev + object_type_find_prop(dev->obj.type, "drive")->offset) = drive_get("pflash", unit);
    ok = device_realize(dev, NULL, errp);
    object_unref(&dev->obj);
    if (!ok) {
        return NULL;
    }
    sysbus_map(dev, 0, base);
    return dev;
}

bool arm_boot_kernel(Machine *m, ArmBoot *boot, const char *no_bios, Error **errp)
{
    if (m->firmware && strcmp(m->firmware, "none")) {
        error_set(errp, "-bios is not supported by this board%s", no_bios);
        return false;
    }
    return arm_load_images(m, boot, errp) && arm_take_dtb(m, boot, m->ram_bytes, errp) && arm_place_boot(m, boot, PSCI_CONDUIT_NONE, 1, errp);
}
