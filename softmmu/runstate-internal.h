/*
 * runstate-internal.h: between machine.c and runstate.c.
 */
#ifndef SOFTMMU_RUNSTATE_INTERNAL_H
#define SOFTMMU_RUNSTATE_INTERNAL_H

void vcpu_control_reset_all(void);

#endif
