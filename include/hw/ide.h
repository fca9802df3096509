/*
 * ide.h: what boards need of ATA controllers.
 *
 * "piix3-ide", "piix4-ide" (PCI function of the south bridge, legacy ports and lines), "ich9-ahci" are ordinary PCI devices; each has buses "ide.N".
 */
#ifndef HW_IDE_H
#define HW_IDE_H

#include "hw/device.h"

/* Makes ide-hd and ide-cd for the -drive if=ide that belong to this controller's buses, `first_bus` being the number of its
 * first one; a bus takes `units_per_bus` drives (PIIX 2, AHCI 1). */
NODISCARD bool ide_add_drives(Device *controller, unsigned first_bus, unsigned units_per_bus, Error **errp);

#endif
