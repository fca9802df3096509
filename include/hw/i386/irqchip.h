/*
 * irqchip.h: interrupt controllers of a PC that are an accelerator's, in whole or in part.
 *
 * Only the local APICs ("split"): the I/O APICs and 8259s here send what they have by messages, and hear of the end of an interrupt from
 * who runs the processor. All of them: the board's lines end in set_gsi, and the devices of the types named here hold a copy of the
 * state for monitors and migration. Threads: BQL, set_gsi and send_msi any.
 */
#ifndef HW_I386_IRQCHIP_H
#define HW_I386_IRQCHIP_H

#include "util/base.h"

typedef struct X86Irqchip {
    /* Device types; pit NULL: an "isa-pit" of ours. */
    const char *apic, *ioapic, *pic, *pit;
    /* NULL: lines go to the 8259s and I/O APICs of the board. */
    void (*set_gsi)(unsigned gsi, int level);
    /* NULL: messages go to local APICs of the board. */
    void (*send_msi)(uint64_t address, uint32_t data);
    /* With send_msi, without set_gsi: input `gsi` of an I/O APIC now sends this at an active level, whose end is asked for; or nothing. */
    void (*route)(unsigned gsi, bool present, uint64_t address, uint32_t data);
} X86Irqchip;

#endif
