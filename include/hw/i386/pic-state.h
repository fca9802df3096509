/*
 * pic-state.h: the state of an 8259A, ours ("isa-i8259") or a copy of the one that an accelerator has ("kvm-i8259").
 */
#ifndef HW_I386_PIC_STATE_H
#define HW_I386_PIC_STATE_H

#include "hw/i386/pic.h"

enum {
    ICW1_ICW4 = 1, ICW1_SINGLE = 2, ICW1_LEVEL = 8, ICW1 = 0x10,
    ICW4_8086 = 1, ICW4_AUTO_EOI = 2, ICW4_SFNM = 0x10,
    OCW3 = 8, OCW3_READ = 2, OCW3_READ_ISR = 1, OCW3_POLL = 4, OCW3_MASK_SET = 0x40, OCW3_MASK = 0x20,
    CASCADE = 2,
};

typedef struct Pic {
    Device dev;
    struct Pic *slave;            /* of the master */
    Irq *out;
    uint32_t iobase, elcr_addr;
    uint8_t elcr_mask;
    bool master;
    uint8_t lines;                /* levels of the inputs */
    uint8_t irr, imr, isr, elcr;
    uint8_t base;                 /* ICW2 */
    uint8_t icw1, icw3, icw4;
    uint8_t init_step;            /* the ICW expected next at the odd port; 0: none */
    uint8_t lowest;               /* the request of lowest priority */
    bool read_isr, poll, special_mask, rotate_auto_eoi;
    /* The chip is an accelerator's: it brings the fields up to date, and takes them. NULL: it is here. */
    void (*fetch)(struct Pic *s), (*load)(struct Pic *s);
} Pic;

extern const StateDesc i8259_state;
/* What there is before initialization; the ELCR apart. */
void i8259_power_up(Pic *s);
extern const Property i8259_props[];
enum { I8259_N_PROPS = 4 };

#endif
