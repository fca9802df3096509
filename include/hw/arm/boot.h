/*
 * boot.h: how Arm boards find, place and enter kernels.
 */
#ifndef HW_ARM_BOOT_H
#define HW_ARM_BOOT_H

#include "hw/arm/cpus.h"
#include "hw/loader.h"

typedef struct ArmBoot {
    gpa ram_base;
    uint64_t ram_bytes;
    bool have_firmware;   /* the kernel is for the firmware to load, from fw_cfg */
    gpa firmware_entry;
    Device *fw_cfg;
    gpa kernel, kernel_end;
    bool is_linux;        /* enters by the boot protocol of Linux, else at its entry point */
    gpa entry;
    gpa initrd;
    uint64_t initrd_bytes;
    gpa fdt;
    gpa spin_table;       /* not 0: the other processors wait for an address here, eight bytes for each (booting.rst, "spin-table") */
    uint32_t board_id;    /* of 32-bit Linux: the machine's registered number, for kernels without a device tree */
} ArmBoot;

/* Loads -kernel and -initrd, or hands them to the firmware. */
NODISCARD bool arm_load_images(Machine *machine, ArmBoot *boot, Error **errp);
/* The board's -dtb, if one is given, with [ram_base, ram_base + usable) as memory, command line and ramdisk. */
NODISCARD bool arm_take_dtb(Machine *machine, ArmBoot *boot, uint64_t usable, Error **errp);
/* After machine->fdt is complete: places it, and tells the processors where to start. With a kernel the first of them starts in `kernel_el`;
 * the others are held. */
NODISCARD bool arm_place_boot(Machine *machine, ArmBoot *boot, PsciConduit conduit, unsigned kernel_el, Error **errp);

/* boot32.c: Linux of 32 bits (zImage), in place of the above where processors have AArch32 alone. */
bool arm_boot_is32(Machine *machine);
NODISCARD bool arm_boot32_load(Machine *machine, ArmBoot *boot, Image *image, Error **errp);
NODISCARD bool arm_boot32_place(Machine *machine, ArmBoot *boot, Error **errp);

#endif
