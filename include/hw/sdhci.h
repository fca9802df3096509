/*
 * sdhci.h: what boards need of the SD host controller "generic-sdhci" besides properties.
 */
#ifndef HW_SDHCI_H
#define HW_SDHCI_H

#include "hw/sd.h"

/* Where it fetches and puts data; NULL: the machine's memory. Before it runs. */
void sdhci_set_dma(Device *dev, AddressSpace *as);
SdSlot *sdhci_slot(Device *dev);

#endif
