/* disas.h: disassembly, between its files. */
#ifndef TARGET_ARM_DISAS_H
#define TARGET_ARM_DISAS_H

#include "util/base.h"

/* Behind the mnemonic: the operands, where the instruction is one of floating point or Advanced SIMD. */
void arm_disas_simd(vaddr pc, uint32_t insn, char *out, size_t size, size_t *at);

#endif
