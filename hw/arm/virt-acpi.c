/*
 * virt-acpi.c: what the `virt` board's ACPI and SMBIOS tables say; firmware finds them in fw_cfg.
 */
#include "hw/acpi-arm.h"
#include "hw/arm/virt.h"
#include "hw/smbios.h"

enum { ACPI_OFF = 2 }; /* of the acpi property: auto, on, off */

bool arm_virt_has_acpi(const VirtMachine *v)
{
    return v->firmware_loaded && v->acpi != ACPI_OFF;
}

static AcpiRange range_of(const VirtMachine *v, VirtPart part)
{
    VirtPlace place = arm_virt_place(v, part);

    return (AcpiRange){ place.base, place.size };
}

static uint64_t affinity(void *opaque, unsigned cpu)
{
    return arm_cpu_affinity(&((VirtMachine *)opaque)->cpus, cpu);
}

static bool ecam(void *opaque, AcpiRange *ret)
{
    VirtPlace place = arm_virt_ecam(opaque);

    *ret = (AcpiRange){ place.base, place.size };
    return true;
}

static void describe(VirtMachine *v, AcpiArm *arm)
{
    bool v2 = v->gic_version == 2;

    *arm = (AcpiArm){
        .gic_version = v->gic_version, .gic_dist = range_of(v, VIRT_GIC_DIST), .affinity = affinity,
        .has_pmu = arm_cpu_info(arm_virt_m(v), 0).has_pmu && !arm_virt_compat(v, VIRT_NO_PMU), .has_el2 = v->virtualization,
        .psci = v->conduit != PSCI_CONDUIT_NONE, .psci_hvc = v->conduit == PSCI_CONDUIT_HVC,
        .pmu_irq = VIRT_PPI_PMU, .maintenance_irq = VIRT_PPI_MAINTENANCE, .timer_secure = VIRT_PPI_TIMER_SECURE,
        .timer_phys = VIRT_PPI_TIMER_PHYS, .timer_virt = VIRT_PPI_TIMER_VIRT, .timer_hyp = VIRT_PPI_TIMER_HYP,
        .uart = range_of(v, VIRT_UART0), .uart_irq = VIRT_SPI_UART0 + GIC_FIRST_SPI, .fw_cfg = range_of(v, VIRT_FW_CFG),
        .pio = range_of(v, VIRT_PCIE_PIO), .pci_irq = VIRT_SPI_PCIE + GIC_FIRST_SPI,
    };
    if (v2) {
        arm->gic_cpu = range_of(v, VIRT_GIC_CPU);
        arm->gic_hyp = range_of(v, VIRT_GIC_HYP);
        arm->gic_vcpu = range_of(v, VIRT_GIC_VCPU);
    } else {
        arm->gic_redist[0] = range_of(v, VIRT_GIC_REDIST);
        if (v->n_redists[1]) {
            arm->gic_redist[1] = range_of(v, VIRT_REDIST2);
        }
    }
    if (v->have_its) {
        arm->its = range_of(v, VIRT_GIC_ITS);
    }
    if (v->iommu) {
        arm->smmu = range_of(v, VIRT_SMMU);
        arm->smmu_irq = VIRT_SPI_SMMU + GIC_FIRST_SPI;
    }
    if (v->have_v2m) {
        arm->v2m = range_of(v, VIRT_GIC_V2M);
        arm->v2m_first = VIRT_SPI_V2M + GIC_FIRST_SPI;
        arm->v2m_count = VIRT_N_V2M;
    }
    for (unsigned i = v->secure; i < ACPI_ARM_MAX_FLASH; i++) { /* the first is not for the non-secure world to see */
        arm->flash[i] = range_of(v, i ? VIRT_FLASH1 : VIRT_FLASH0);
    }
    ecam(v, &arm->ecam);
}

static bool install_smbios(VirtMachine *v, Error **errp)
{
    Machine *m = arm_virt_m(v);
    SmbiosRange memory = { arm_virt_place(v, VIRT_RAM).base, m->ram_bytes };
    SmbiosBoard b = { .machine = m, .manufacturer = "QEMU", .product = "QEMU Virtual Machine", .version = m->type->name,
                      .entry = SMBIOS_ENTRY_64, .memory = &memory, .n_memory = 1 };

    return smbios_install(&b, v->fw_cfg, errp);
}

bool arm_virt_install_tables(VirtMachine *v, Error **errp)
{
    Machine *m = arm_virt_m(v);
    VirtPlace virtio = arm_virt_place(v, VIRT_VIRTIO);

    if (!v->firmware_loaded) {
        return true; /* who would read them? */
    }
    if (arm_virt_has_acpi(v)) {
        AcpiBoard b = {
            .machine = m, .fw_cfg = v->fw_cfg, .chipset = ACPI_CHIPSET_ARM, .oem_id = v->oem_id, .oem_table_id = v->oem_table_id,
            .n_cpus = m->smp.cpus, .max_cpus = m->smp.cpus, .ram = { { arm_virt_place(v, VIRT_RAM).base, m->ram_bytes } }, .pci_hole = range_of(v, VIRT_PCIE_MMIO),
            .pci_hole64 = range_of(v, VIRT_PCIE_HIGH), .ecam = ecam, .opaque = v, .hw_reduced = true, .ged = range_of(v, VIRT_GED),
            .ged_irq = VIRT_SPI_GED + GIC_FIRST_SPI, .arm = &v->acpi_arm,
        };

        describe(v, &v->acpi_arm);
        for (unsigned i = 0; i < v->n_virtio; i++) {
            b.virtio[i] = (AcpiRange){ virtio.base + i * virtio.size, virtio.size };
            b.virtio_irq[i] = (uint16_t)(VIRT_SPI_VIRTIO + GIC_FIRST_SPI + i);
        }
        if (!acpi_install(&b, errp)) {
            return false;
        }
    }
    return install_smbios(v, errp);
}
