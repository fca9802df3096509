/*
 * virt.h: between the files of the `virt` board.
 */
#ifndef HW_RISCV_VIRT_H
#define HW_RISCV_VIRT_H

#include "hw/riscv/boot.h"
#include "hw/riscv/harts.h"

/* Where things are; the one place that says so. */
typedef enum VirtPart {
    VIRT_ROM, VIRT_TEST, VIRT_RTC, VIRT_CLINT, VIRT_SSWI, VIRT_PCIE_PIO, VIRT_PLATFORM_BUS,
    VIRT_PLIC, VIRT_APLIC_M, VIRT_APLIC_S, VIRT_UART0, VIRT_VIRTIO, VIRT_FW_CFG, VIRT_FLASH0,
    VIRT_FLASH1, VIRT_IMSIC_M, VIRT_IMSIC_S, VIRT_PCIE_ECAM, VIRT_PCIE_MMIO, VIRT_RAM, VIRT_N_PARTS,
} VirtPart;

typedef struct VirtPlace {
    gpa base;
    uint64_t size;
} VirtPlace;
extern const VirtPlace virt_map[VIRT_N_PARTS];

/* Interrupt sources. */
enum {
    VIRT_IRQ_VIRTIO = 1, VIRT_N_VIRTIO = 8, VIRT_IRQ_UART0 = 10, VIRT_IRQ_RTC = 11,
    VIRT_IRQ_PCIE = 32, VIRT_IRQ_PLATFORM_BUS = 64,
    VIRT_N_SOURCES = 96, /* number 0 included, which is none */
};
enum { VIRT_MAX_HARTS = 512, VIRT_TIMEBASE_HZ = 10000000, VIRT_UART_CLOCK_HZ = 3686400,
       VIRT_IMSIC_IDS = 255, VIRT_PRIORITIES = 7 };

/* PLIC: SiFive's layout, contexts M and S of each hart. */
enum { VIRT_PLIC_PRIORITY = 0, VIRT_PLIC_PENDING = 0x1000, VIRT_PLIC_ENABLE = 0x2000,
       VIRT_PLIC_ENABLE_STRIDE = 0x80, VIRT_PLIC_CONTEXT = 0x200000,
       VIRT_PLIC_CONTEXT_STRIDE = 0x1000 };

typedef enum VirtAia { VIRT_AIA_NONE, VIRT_AIA_APLIC, VIRT_AIA_IMSIC } VirtAia;

typedef struct VirtMachine {
    Machine machine;
    bool aclint;
    int aia;               /* VirtAia */
    uint32_t aia_guests;
    bool have_virtio, have_pcie, have_fw_cfg, have_flash;
    bool is32;
    VirtPlace pcie_high;
    MemoryRegion rom, pcie_window[2];
    Device *mtimer, *intc, *fw_cfg, *flash[2];
    RiscvBoot boot;
} VirtMachine;

/* Input `source` of the interrupt controller that devices use. */
Irq *virt_irq(VirtMachine *v, unsigned source);
/* Size of the ACLINT's MTIMER window etc. depend on aia. */
static inline bool virt_has_clint_swi(const VirtMachine *v)
{
    return v->aia != VIRT_AIA_IMSIC;
}
static inline unsigned virt_guest_bits(const VirtMachine *v)
{
    unsigned bits = 0;

    while ((1u << bits) < v->aia_guests + 1) {
        bits++;
    }
    return bits;
}
uint64_t virt_imsic_bytes(const VirtMachine *v, bool mmode);

/* Builds machine->fdt (malloc'd, fdt_bytes) without what depends on loaded images. */
NODISCARD bool virt_make_fdt(VirtMachine *v, Error **errp);
/* virt-flash.c; both chips, from the drives of if=pflash. */
NODISCARD bool virt_create_flash(VirtMachine *v, Error **errp) __attribute__((weak));
/* Whether the first chip has a drive with code. */
bool virt_flash_has_code(void) __attribute__((weak));
/* virt-aia.c; false if the devices are not there. */
NODISCARD bool virt_create_aia(VirtMachine *v, Error **errp);

#endif
