/* pmp.h: physical memory protection, between mmu.c, sysreg.c and pmp.c. */
#ifndef TARGET_RISCV_PMP_H
#define TARGET_RISCV_PMP_H

#include "target/riscv/cpu.h"

bool riscv_pmpcfg_read(Vcpu *vcpu, unsigned index, uint64_t *ret);
bool riscv_pmpcfg_write(Vcpu *vcpu, unsigned index, uint64_t value);
bool riscv_pmpaddr_write(Vcpu *vcpu, unsigned index, uint64_t value);
bool riscv_mseccfg_write(Vcpu *vcpu, uint64_t value);

/*
 * What a hart in mode `priv` may do (PAGE_*) with all of [addr, addr + size). ret_page_bits: the largest naturally
 * aligned block around addr for which this answer holds, at most *ret_page_bits on entry.
 */
unsigned riscv_pmp_prot(const Vcpu *vcpu, gpa addr, unsigned size_bytes, unsigned priv, uint8_t *ret_page_bits);

#endif
