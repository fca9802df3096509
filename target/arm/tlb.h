/*
 * tlb.h: TLB maintenance and the device lock for a room that is linked into both programs: only the system emulator has them, so the
 * references are weak and every caller runs with vcpu->softmmu.
 */
#ifndef TARGET_ARM_TLB_H
#define TARGET_ARM_TLB_H

#include "accel/tcg.h"
#include "softmmu/bql.h"

#pragma weak tlb_flush
#pragma weak tlb_flush_page
#pragma weak tlb_flush_asid
#pragma weak tlb_flush_range
#pragma weak tlb_set_asid
#pragma weak tlb_ask
#pragma weak tlb_ask_others
#pragma weak tlb_wait_others
#pragma weak tcg_insns_run
#pragma weak bql_lock
#pragma weak bql_unlock
#pragma weak bql_held

#endif
