/*
 * pic.h: the pair of 8259A interrupt controllers of a PC.
 */
#ifndef HW_I386_PIC_H
#define HW_I386_PIC_H

#include "hw/isa.h"
#include "util/print.h"

/* Makes master and slave of this type ("isa-i8259", an accelerator's) on the bus; the master's INT drives `to`. NULL: error. The
 * inputs 0..15 are in ret_irqs (2, the cascade, is not for use); to NULL: there are no lines here, ret_irqs is left alone. */
Device *i8259_create(IsaBus *bus, const char *type, Irq *to, Irq *ret_irqs[ISA_N_IRQS], Error **errp);
/* The two INTA cycles: the vector, and the request is in service. */
unsigned i8259_acknowledge(Device *master);
/* Whether INT is high. */
bool i8259_pending(Device *master);
/* "info pic" */
void i8259_print(Device *master, PrintFn *print, void *opaque);

#endif
