/*
 * tlb.h: TLB maintenance for a room that is linked into both programs: only the system emulator has a TLB, so the
 * references are weak and every caller runs with vcpu->softmmu.
 */
#ifndef TARGET_RISCV_TLB_H
#define TARGET_RISCV_TLB_H

#include "accel/tcg.h"

#pragma weak tlb_flush
#pragma weak tlb_flush_page
#pragma weak tlb_flush_asid
#pragma weak tlb_set_asid

#endif
