/*
 * virt.h: between the files of the `virt` board.
 */
#ifndef HW_ARM_VIRT_H
#define HW_ARM_VIRT_H

#include "hw/acpi-arm.h"
#include "hw/arm/boot.h"
#include "hw/arm/cpus.h"
#include "hw/arm/gic.h"

/* Where things are; the one place that says so. Those from VIRT_REDIST2 on are above RAM: see arm_virt_place(). */
typedef enum VirtPart {
    VIRT_FLASH0, VIRT_FLASH1, VIRT_GIC_DIST, VIRT_GIC_CPU, VIRT_GIC_V2M, VIRT_GIC_HYP, VIRT_GIC_VCPU, VIRT_GIC_ITS, VIRT_GIC_REDIST,
    VIRT_UART0, VIRT_RTC, VIRT_FW_CFG, VIRT_GPIO, VIRT_UART1, VIRT_SMMU, VIRT_GED, VIRT_SECURE_GPIO, VIRT_VIRTIO, VIRT_PLATFORM_BUS,
    VIRT_SECURE_RAM, VIRT_PCIE_MMIO, VIRT_PCIE_PIO, VIRT_PCIE_ECAM, VIRT_RAM,
    VIRT_REDIST2, VIRT_ECAM_HIGH, VIRT_PCIE_HIGH, VIRT_N_PARTS,
} VirtPart;

typedef struct VirtPlace {
    gpa base;
    uint64_t size;
} VirtPlace;

/* SPIs; the interrupt number is 32 more. */
enum {
    VIRT_SPI_UART0 = 1, VIRT_SPI_RTC = 2, VIRT_SPI_PCIE = 3, VIRT_SPI_GPIO = 7, VIRT_SPI_UART1 = 8, VIRT_SPI_GED = 9, VIRT_SPI_VIRTIO = 16,
    VIRT_SPI_V2M = 48, VIRT_N_V2M = 64, VIRT_SPI_SMMU = 74, VIRT_N_SMMU = 4, VIRT_SPI_PLATFORM_BUS = 112, VIRT_N_SPIS = 256,
};
/* PPIs (interrupt numbers): Arm Base System Architecture, 3.8. */
enum {
    VIRT_PPI_PMU = 23, VIRT_PPI_MAINTENANCE = 25, VIRT_PPI_TIMER_HYP = 26, VIRT_PPI_TIMER_VIRT = 27, VIRT_PPI_TIMER_HYP_VIRT = 28,
    VIRT_PPI_TIMER_SECURE = 29, VIRT_PPI_TIMER_PHYS = 30,
};
enum { VIRT_MAX_CPUS = 512, VIRT_MAX_VIRTIO = 32, VIRT_GPIO_POWER = 3 };

typedef enum VirtMsi { VIRT_MSI_AUTO, VIRT_MSI_V2M, VIRT_MSI_ITS, VIRT_MSI_OFF } VirtMsi;
/* As gic-version= says it; resolved to 2, 3 or 4 (v->gic_version) when the board is built. Not said: VIRT_GIC_AUTO. */
typedef enum VirtGic { VIRT_GIC_2, VIRT_GIC_3, VIRT_GIC_4, VIRT_GIC_5, VIRT_GIC_HOST, VIRT_GIC_MAX, VIRT_GIC_AUTO } VirtGic;

/* What differs between versions of the board. */
typedef struct VirtVersion {
    unsigned number;                /* 702 for 7.2 */
    const char *name;
} VirtVersion;
typedef enum VirtCompat {
    VIRT_NO_PMU = 206, VIRT_NO_ITS = 207, VIRT_EDGE_TIMERS = 208, VIRT_LOW_ECAM = 212, VIRT_LOW_REDISTS = 212, VIRT_NO_CPU_MAP = 601,
    VIRT_LOOSE_HIGHMEM = 701,
} VirtCompat;                       /* the last version that has it */

typedef struct VirtMachine {
    ArmMachine arm;
    /* Properties. */
    int gic, msi, acpi, iommu;
    bool secure, virtualization, highmem, highmem_ecam, highmem_mmio, highmem_redists, mte, ras, dtb_random;
    bool compact_highmem, compact_given, its, its_given; /* a value, then whether somebody set it */
    uint8_t n_virtio;
    uint64_t highmem_mmio_bytes;
    char *oem_id, *oem_table_id, *pflash[2];
    /* The board. */
    ArmCpusConfig cpus;
    unsigned gic_version, n_redists[2]; /* redistributors per region */
    bool have_its, have_v2m, firmware_loaded, have_uart1;
    VirtPlace high[VIRT_N_PARTS - VIRT_REDIST2]; /* size 0: not there */
    PsciConduit conduit;
    Device *gic_dev, *fw_cfg, *pcie, *flash[2], *gpio, *key, *ged;
    MemoryRegion secure_memory, secure_ram, pcie_windows[3];
    ArmBoot boot;
    AcpiArm acpi_arm;
} VirtMachine;

static inline Machine *arm_virt_m(VirtMachine *v) { return &v->arm.machine; }
unsigned arm_virt_version(const VirtMachine *v);
/* Of one processor. */
unsigned arm_virt_redist_bytes(const VirtMachine *v);
static inline bool arm_virt_compat(const VirtMachine *v, VirtCompat last) { return arm_virt_version(v) <= (unsigned)last; }
VirtPlace arm_virt_place(const VirtMachine *v, VirtPart part);
/* Where the PCIe configuration space is. */
VirtPlace arm_virt_ecam(const VirtMachine *v);

/* virt-options.c: checks properties against each other and fills in what the board needs to know. */
NODISCARD bool arm_virt_resolve(VirtMachine *v, Error **errp);
/* When the processors are there: what they cannot address is not used. */
NODISCARD bool arm_virt_fit_cpu(VirtMachine *v, Error **errp);
/* virt-fdt.c */
NODISCARD bool arm_virt_make_fdt(VirtMachine *v, Error **errp);
/* virt-smmu.c. After the host bridge, before the functions on it. */
NODISCARD bool arm_virt_create_smmu(VirtMachine *v, Error **errp);
/* virt-gic.c */
NODISCARD bool arm_virt_create_gic(VirtMachine *v, Error **errp);
/* virt-acpi.c. Whether firmware is to offer ACPI; then the power button is its, too. */
bool arm_virt_has_acpi(const VirtMachine *v);
NODISCARD bool arm_virt_install_tables(VirtMachine *v, Error **errp);
/* virt-flash.c: both chips from the drives of if=pflash, or -bios in the first. */
NODISCARD bool arm_virt_create_flash(VirtMachine *v, Error **errp) __attribute__((weak));
/* virt.c; types are made in virt-options.c. */
bool arm_virt_init(Machine *m, Error **errp);
bool arm_virt_ready(Machine *m, Error **errp);

#endif
