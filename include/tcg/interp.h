/*
 * interp.h: the IR interpreter: the oracle every other host is compared with, and the portable host.
 *
 * Puts go to CPU state at once, so state is precise at every instruction.
 */
#ifndef TCG_INTERP_H
#define TCG_INTERP_H

#include "tcg/host.h"

/* Runs one unit on the vCPU from block 0 until it leaves; sets the pc slot. Guest memory as unit->softmmu
 * says: through tcg_slow_* (frame NULL) or at guest_base. */
VcpuExit interp_run(Vcpu *vcpu, const IrUnit *unit);

#endif
