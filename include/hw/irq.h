/*
 * irq.h: a wire from one device to another, or to a vCPU.
 *
 * The receiver makes the line (a handler, what it belongs to, its number); the
 * sender keeps a pointer and calls irq_set(). A NULL line is not connected
 * and may be driven. Levels are ints; 0 is low. Lines live as long as the
 * machine, those of a device as long as it does.
 *
 * Threads: drivers hold the BQL, unless the handler's owner says otherwise.
 */
#ifndef HW_IRQ_H
#define HW_IRQ_H

#include "hw/object.h"

typedef void IrqHandler(void *opaque, int n, int level);

typedef struct Irq {
    Object obj;
    IrqHandler *handler;
    void *opaque;
    int n;
} Irq;

static inline void irq_set(Irq *irq, int level)
{
    if (irq) {
        irq->handler(irq->opaque, irq->n, level);
    }
}
static inline void irq_raise(Irq *irq) { irq_set(irq, 1); }
static inline void irq_lower(Irq *irq) { irq_set(irq, 0); }
static inline void irq_pulse(Irq *irq) { irq_set(irq, 1); irq_set(irq, 0); }

/* irq_new: malloc'd, ends with irq_free. irq_init: in the caller's storage. */
Irq *irq_new(IrqHandler *handler, void *opaque, int n);
void irq_init(Irq *irq, IrqHandler *handler, void *opaque, int n);
void irq_free(Irq *irq);

/* A line that drives several lines. */
Irq *irq_new_split(Irq *const *outs, unsigned n_outs);
/* Fills ins[0..n) with lines; `out` is high while any of them is. */
void irq_new_or(Irq **ins, unsigned n_ins, Irq *out);
/* A line that drives `out` inverted. */
Irq *irq_new_invert(Irq *out);

#endif
