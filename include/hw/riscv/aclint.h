/*
 * aclint.h: what harts and boards need of the ACLINT's timer.
 */
#ifndef HW_RISCV_ACLINT_H
#define HW_RISCV_ACLINT_H

#include "hw/device.h"

/* mtime of a "riscv.aclint.mtimer", in its ticks; also what the `time` CSR reads.
 * Any thread. */
uint64_t aclint_mtime(Device *mtimer);
/* Ticks per second. */
uint32_t aclint_timebase_hz(Device *mtimer);
/* When mtime will be `ticks`, on VM_CLOCK_VIRTUAL; INT64_MAX: never. */
int64_t aclint_deadline_ns(Device *mtimer, uint64_t ticks);

#endif
