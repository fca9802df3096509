/*
 * virt-aia.c: the advanced interrupt architecture's part of the `virt` board: a machine-level
 * and a supervisor-level APLIC domain that deliver directly to the harts' external
 * interrupt lines. Devices are wired to the machine-level domain, which delegates.
 * aia=aplic-imsic needs harts with an IMSIC (Smaia, Ssaia), which are absent.
 */
#include <stdio.h>
#include "hw/riscv/aplic.h"
#include "hw/riscv/virt.h"

static Device *aplic_create(VirtMachine *v, bool mmode, Error **errp)
{
    unsigned harts = v->machine.smp.cpus;
    const VirtPlace *place = &virt_map[mmode ? VIRT_APLIC_M : VIRT_APLIC_S];
    char num_harts[16], num_irqs[16], mask[16], size[24];

    snprintf(num_harts, sizeof(num_harts), "%u", harts);
    snprintf(num_irqs, sizeof(num_irqs), "%u", VIRT_N_SOURCES + 1);
    snprintf(mask, sizeof(mask), "%u", VIRT_PRIORITIES);
    snprintf(size, sizeof(size), "%" PRIu64, place->size);
    const char *props[] = {
        "num-harts", num_harts, "num-irqs", num_irqs, "iprio-mask", mask, "aperture-size", size,
        "mmode", mmode ? "on" : "off", NULL,
    };
    Device *dev = device_create("riscv.aplic", NULL, props, errp);
    if (dev) {
        sysbus_map(dev, 0, place->base);
        for (unsigned i = 0; i < harts; i++) {
            device_connect_irq(dev, NULL, i, harts_irq(&v->machine, i, mmode ? HART_IRQ_MEI
                                                                             : HART_IRQ_SEI));
        }
    }
    return dev;
}

bool virt_create_aia(VirtMachine *v, Error **errp)
{
    if (v->aia == VIRT_AIA_IMSIC) {
        error_set(errp, "aia=aplic-imsic is not available yet: the CPUs have no IMSIC");
        return false;
    }
    Device *root = aplic_create(v, true, errp);
    Device *child = root ? aplic_create(v, false, errp) : NULL;
    if (!child) {
        return false;
    }
    aplic_set_child(root, child);
    v->intc = root;
    return true;
}
