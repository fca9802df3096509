/* ext.h: names of the RISC-V extensions (ext.def). */
#ifndef TARGET_RISCV_EXT_H
#define TARGET_RISCV_EXT_H

typedef enum RiscvExt {
#define EXT(id, flags, requires, implies, doc) RISCV_EXT_##id,
#include "target/riscv/ext.def"
#undef EXT
    RISCV_N_EXTS
} RiscvExt;

#endif
