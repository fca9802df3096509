/*
 * arm-board.h: the Arm `virt` board without vCPUs, for tests of its devices: what the processors' lines show.
 */
#ifndef TESTS_HW_ARM_BOARD_H
#define TESTS_HW_ARM_BOARD_H

#include "hw/arm/cpus.h"

enum { ARM_BOARD_MAX_CPUS = 8 };
extern Machine *board;
extern unsigned arm_board_up[ARM_BOARD_MAX_CPUS]; /* bit n: ArmLine n is up */

/* The machine with these properties (names and values, NULL at the end), reset. Ends the program if it cannot be built. */
void arm_board_start(unsigned n_cpus, const char *const *props);
/* A device on its system bus. */
Device *arm_board_find(const char *type);

#endif
