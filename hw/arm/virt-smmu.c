/*
 * virt-smmu.c: the `virt` board's SMMUv3, in front of PCI Express (iommu=smmuv3).
 */
#include "hw/arm/virt.h"
#include "hw/iommu/smmuv3.h"

bool arm_virt_create_smmu(VirtMachine *v, Error **errp)
{
    if (!v->iommu) {
        return true;
    }
    Device *dev = device_create("arm-smmuv3", NULL, NULL, errp);
    if (!dev) {
        return false;
    }
    sysbus_map(dev, 0, arm_virt_place(v, VIRT_SMMU).base);
    for (unsigned i = 0; i < SMMU_N_LINES; i++) {
        device_connect_irq(dev, "sysbus-irq", i, gic_spi(v->gic_dev, VIRT_SPI_SMMU + i));
    }
    smmuv3_attach(dev, PCI_BUS(v->pcie->first_bus));
    return true;
}
