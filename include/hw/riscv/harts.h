/*
 * harts.h: the harts of a RISC-V board: creation, irq lines, time, description.
 *
 * Without an accelerator (tests, -accel qtest) boards have no vCPUs; lines and
 * descriptions then are those of a plain hart.
 */
#ifndef HW_RISCV_HARTS_H
#define HW_RISCV_HARTS_H

#include "hw/riscv/aclint.h"
#include "softmmu/machine.h"

/* Interrupt lines: bits of mip. */
enum { HART_IRQ_SSI = 1, HART_IRQ_MSI = 3, HART_IRQ_MTI = 7, HART_IRQ_SEI = 9,
       HART_IRQ_MEI = 11 };

/* For the device tree. */
typedef struct HartInfo {
    const char *isa;       /* "rv64imafdch_zicsr_…" */
    const char *mmu;       /* "riscv,sv57" */
    unsigned cbom_bytes, cbop_bytes, cboz_bytes; /* 0: none */
} HartInfo;

/* What the CPU side offers. A program that links harts-target.c has it from there. */
typedef struct HartOps {
    /* Makes vCPU `index` of the machine with -cpu text `model` (NULL: default). */
    struct Vcpu *(*create)(Machine *machine, unsigned index, const char *model,
                           uint64_t reset_pc, Error **errp);
    void (*irq_set)(struct Vcpu *vcpu, unsigned line, bool level);
    /* The time CSR and the timer behind stimecmp follow this device. */
    void (*set_time)(struct Vcpu *vcpu, Device *mtimer);
    bool (*info)(struct Vcpu *vcpu, HartInfo *ret);
} HartOps;
extern const HartOps harts_target_ops __attribute__((weak));
/* Another CPU side (tests); before the board is built. */
void harts_set_ops(const HartOps *ops);

NODISCARD bool harts_create(Machine *machine, uint64_t reset_pc, Error **errp);
Irq *harts_irq(Machine *machine, unsigned hart, unsigned line);
void harts_set_time(Machine *machine, Device *mtimer);
HartInfo harts_info(Machine *machine, unsigned hart);

#endif
