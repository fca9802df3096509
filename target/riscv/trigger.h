/* trigger.h: the trigger module (trigger.c), for the registers' table and reset. */
#ifndef TARGET_RISCV_TRIGGER_H
#define TARGET_RISCV_TRIGGER_H

#include "target/riscv/cpu.h"

bool riscv_trigger_read(Vcpu *vcpu, unsigned csr, uint64_t *ret);
bool riscv_trigger_write(Vcpu *vcpu, unsigned csr, uint64_t value);
void riscv_trigger_reset(Vcpu *vcpu);

#endif
