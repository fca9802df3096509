/*
 * runstate-internal.h: between machine.c and runstate.c.
 */
#ifndef SOFTMMU_RUNSTATE_INTERNAL_H
#define SOFTMMU_RUNSTATE_INTERNAL_H

#include <stdbool.h>

struct Error;
struct Vcpu;

void vcpu_control_reset_all(void);
bool vcpu_control_start(struct Vcpu *vcpu, struct Error **errp);

#endif
