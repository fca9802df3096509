/*
 * board.h: what Arm's boards put together alike (hw/arm/board.c). All of it while the board is made; BQL. NULL or false: *errp says why.
 */
#ifndef HW_ARM_BOARD_H
#define HW_ARM_BOARD_H

#include "hw/arm/boot.h"

/* A device in system memory at `base`; `irq`: where its first line goes, NULL nowhere. */
Device *arm_place(const char *type, const char *const *props, gpa base, Irq *irq, Error **errp);
/* A PL011 with the machine's serial port n, realized, not mapped yet. */
Device *arm_pl011(Machine *m, unsigned n, Error **errp);
bool arm_place_uart(Machine *m, unsigned n, gpa base, Irq *irq, Error **errp);
/* Another kind of serial device. */
bool arm_place_serial(Machine *m, const char *type, const char *const *props, unsigned n, gpa base, Irq *irq, Error **errp);
/* Says with -d unimp what is not there, and reads as 0. */
bool arm_place_absent(Machine *m, const char *name, gpa base, uint64_t bytes, Error **errp);
/* A PL181 with the card of the first -sd; lines 0 and 1 of `registers` hear of write protection and presence. */
bool arm_place_mmci(gpa base, Irq *irq0, Irq *irq1, Device *registers, Error **errp);
/* A flash chip with the content of if=pflash,unit=. */
Device *arm_place_flash(const char *const *props, unsigned unit, gpa base, Error **errp);
/* Kernel, initrd and device tree of a board whose processors start by themselves. `no_bios`: what to say of -bios. */
bool arm_boot_kernel(Machine *m, ArmBoot *boot, const char *no_bios, Error **errp);

#endif
