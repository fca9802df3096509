/*
 * runstate-internal.h: between machine.c and runstate.c.
 */
#ifndef SOFTMMU_RUNSTATE_INTERNAL_H
#define SOFTMMU_RUNSTATE_INTERNAL_H

#include "softmmu/machine.h"


void vcpu_control_reset_all(void);
bool vcpu_control_start(struct Vcpu *vcpu, Error **errp);
/* Wakes the loop that calls machine_process_requests(). */
void machine_wake_loop(void);
/* suspend.c's part of machine_process_requests(). */
void suspend_process(Machine *machine, const MachineEvents *events);
void vcpu_control_pause_all(void);
void vcpu_control_resume_all(void);

#endif
