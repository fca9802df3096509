/*
 * kernel.h: -kernel, -initrd, -append for PCs: bzImage, PVH and Multiboot images.
 *
 * Nothing is put into guest memory here: the parts become fw_cfg items, and an option ROM (linuxboot_dma.bin,
 * multiboot_dma.bin, pvh.bin) or firmware that knows them (OVMF, qboot) fetches them.
 */
#ifndef HW_I386_KERNEL_H
#define HW_I386_KERNEL_H

#include "softmmu/machine.h"

typedef struct X86Kernel {
    Machine *machine;
    Device *fw_cfg;
    uint64_t below_4g_bytes;   /* RAM from 0 on */
    uint32_t acpi_data_bytes;  /* kept free at its end for ACPI tables: 0x20000 (pc-2.2 and later); 0x28000 with … */
    bool pvh;                  /* machine takes PVH images */
    bool linuxboot_dma;        /* fw_cfg has DMA */
    bool no_roms;              /* the firmware fetches the kernel itself */
} X86Kernel;

/* machine->kernel is set. */
NODISCARD bool x86_load_kernel(const X86Kernel *k, Error **errp);

#endif
