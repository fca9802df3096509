/*
 * boot.h: how RISC-V boards find, place and enter firmware and kernels.
 */
#ifndef HW_RISCV_BOOT_H
#define HW_RISCV_BOOT_H

#include "hw/loader.h"

typedef struct RiscvBoot {
    bool is32;
    gpa ram_base;
    uint64_t ram_bytes;
    gpa start;          /* where harts go after the reset code */
    gpa firmware_end;   /* first byte after the firmware */
    bool have_firmware;
    gpa next;           /* what the firmware enters; 0: nothing */
    gpa kernel_end;
    gpa initrd;
    uint64_t initrd_bytes;
    gpa fdt;
} RiscvBoot;

/* -bios: none, default, a file (ELF or raw). `start` is set to its entry. */
NODISCARD bool riscv_load_firmware(Machine *machine, RiscvBoot *boot, Error **errp);
/* -kernel: ELF, Image, gzip of either, or anything raw. Sets next and kernel_end. */
NODISCARD bool riscv_load_kernel(Machine *machine, RiscvBoot *boot, Error **errp);
NODISCARD bool riscv_load_initrd(Machine *machine, RiscvBoot *boot, uint64_t fdt_bytes,
                                 Error **errp);
/* Where a device tree of this size goes. */
gpa riscv_fdt_addr(const RiscvBoot *boot, uint64_t fdt_bytes);
/* The reset code and the fw_dynamic information for OpenSBI, at `rom`. */
void riscv_make_reset_code(Machine *machine, const RiscvBoot *boot, gpa rom);

#endif
