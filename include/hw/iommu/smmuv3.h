/*
 * smmuv3.h: what a board needs of "arm-smmuv3" besides its registers (region 0, 128 KiB) and its four outputs "sysbus-irq", in the order of
 * SmmuLine.
 */
#ifndef HW_IOMMU_SMMUV3_H
#define HW_IOMMU_SMMUV3_H

#include "hw/pci.h"

typedef enum SmmuLine { SMMU_LINE_EVENT, SMMU_LINE_PRI, SMMU_LINE_SYNC, SMMU_LINE_ERROR, SMMU_N_LINES } SmmuLine;
enum { SMMUV3_BYTES = 0x20000 };

/* Translates the DMA of all functions below `root` that are realized from now on; StreamID is the requester id. */
void smmuv3_attach(Device *smmu, PciBus *root);

#endif
