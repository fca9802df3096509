/*
 * board.c: see board.h.
 */
#include <stdio.h>
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

/* With properties, and what is no text: a chardev, a drive. */
static Device *make(const char *type, const char *const *props, struct Chardev *chr, BlockBackend *drive, Error **errp)
{
    Device *dev = device_new(type, errp);
    bool ok = dev && (!chr || device_attach_chardev(dev, chr, errp));

    for (const char *const *p = props; ok && p && *p; p += 2) {
        ok = object_property_parse(&dev->obj, p[0], p[1], errp);
    }
    if (ok && drive) {
        *(BlockBackend **)((char *)dev + object_type_find_prop(dev->obj.type, "drive")->offset) = drive;
    }
    if (!ok || !device_realize(dev, NULL, errp)) {
        return NULL;
    }
    object_unref(&dev->obj);
    return dev;
}

Device *arm_pl011(Machine *m, unsigned n, Error **errp)
{
    return make("pl011", NULL, m->serials[n], NULL, errp);
}

bool arm_place_serial(Machine *m, const char *type, const char *const *props, unsigned n, gpa base, Irq *irq, Error **errp)
{
    Device *dev = make(type, props, m->serials[n], NULL, errp);

    if (!dev) {
        return false;
    }
    sysbus_map(dev, 0, base);
    device_connect_irq(dev, "sysbus-irq", 0, irq);
    return true;
}

bool arm_place_uart(Machine *m, unsigned n, gpa base, Irq *irq, Error **errp)
{
    return arm_place_serial(m, "pl011", NULL, n, base, irq, errp);
}

bool arm_place_absent(Machine *m, const char *name, gpa base, uint64_t bytes, Error **errp)
{
    char size[24];

    snprintf(size, sizeof(size), "%" PRIu64, bytes);
    Device *dev = device_create("unimplemented-device", NULL, (const char *const[]){ "name", name, "size", size, NULL }, errp);
    if (dev) {
        memory_region_add_overlap(&m->system_memory, base, device_mmio(dev, 0), -1000);
    }
    return dev != NULL;
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
    Device *dev = make("cfi.pflash01", props, NULL, drive_get("pflash", unit), errp);

    if (dev) {
        sysbus_map(dev, 0, base);
    }
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
