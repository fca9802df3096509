/*
 * smpboot32.c: what the boot monitors of 32-bit boards leave the other processors in: a loop that waits for an address in a register of the board.
 */
#include "hw/arm/smpboot32.h"
#include "util/bits.h"

/* Waits for an interrupt of the GIC before it looks, as kernels send one after writing the address. */
static const uint32_t gic_pen[] = {
    0xe59f2028, /* ldr r2, GIC CPU interface */
    0xe59f0028, /* ldr r0, register of the board */
    0xe3a01001, /* mov r1, #1 */
    0xe5821000, /* str r1, [r2]: GICC_CTLR */
    0xe3a010ff, /* mov r1, #255 */
    0xe5821004, /* str r1, [r2, #4]: GICC_PMR */
    0xe320f003, /* wfi */
    0xe5901000, /* ldr r1, [r0] */
    0xe3510000, /* cmp r1, #0 */
    0x0afffffb, /* beq wfi */
    0xe12fff11, /* bx r1 */
};

/* Looks at a mailbox of its own, 16 bytes after the one of the processor before. */
static const uint32_t mailbox_pen[] = {
    0xee100fb0, /* mrc p15, 0, r0, c0, c0, 5: MPIDR */
    0xe2000003, /* and r0, r0, #3 */
    0xe59f2018, /* ldr r2, mailbox */
    0xe0822200, /* add r2, r2, r0, lsl #4 */
    0xe320f001, /* yield */
    0xe5921000, /* ldr r1, [r2] */
    0xe3510000, /* cmp r1, #0 */
    0x0afffffb, /* beq yield */
    0xe5821000, /* str r1, [r2]: taken */
    0xe12fff11, /* bx r1 */
};

void arm_smpboot32(Machine *m, gpa at, const ArmSmpBoot *how)
{
    enum { BYTES = 64, PEN_GIC = 0x30, PEN_REG = 0x34, MAILBOX_REG = 0x28 }; /* where the code's literals are */
    uint8_t *bytes = xcalloc(1, BYTES);
    const uint32_t *code = how->gic_cpu ? gic_pen : mailbox_pen;
    size_t n = how->gic_cpu ? ARRAY_SIZE(gic_pen) : ARRAY_SIZE(mailbox_pen);

    for (size_t i = 0; i < n; i++) {
        stle32(bytes + 4 * i, code[i]);
    }
    if (how->gic_cpu) {
        stle32(bytes + PEN_GIC, (uint32_t)how->gic_cpu);
    }
    stle32(bytes + (how->gic_cpu ? PEN_REG : MAILBOX_REG), (uint32_t)how->reg);
    machine_add_rom(m, "smpboot", at, bytes, BYTES, 0);
    for (unsigned i = 1; i < m->smp.cpus; i++) {
        arm_cpu(m, i)->start_pc = at;
    }
}
