/*
 * irq.c: irq lines and the small parts that join or share them.
 */
#include "hw/irq.h"
#include "util/alloc.h"

static const ObjectType irq_type = {
    .name = "irq",
    .parent = "object",
    .summary = "an interrupt line",
    .size_bytes = sizeof(Irq),
};
OBJECT_TYPE_REGISTER(irq_type);

void irq_init(Irq *irq, IrqHandler *handler, void *opaque, int n)
{
    object_init_embedded(&irq->obj, &irq_type);
    irq->handler = handler;
    irq->opaque = opaque;
    irq->n = n;
}

Irq *irq_new(IrqHandler *handler, void *opaque, int n)
{
    Irq *irq = (Irq *)object_new(&irq_type);

    irq->handler = handler;
    irq->opaque = opaque;
    irq->n = n;
    return irq;
}

void irq_free(Irq *irq)
{
    if (irq) {
        object_unref(&irq->obj);
    }
}

typedef struct IrqSplit {
    unsigned n;
    Irq *outs[];
} IrqSplit;

static void split_set(void *opaque, int n, int level)
{
    IrqSplit *split = opaque;

    for (unsigned i = 0; i < split->n; i++) {
        irq_set(split->outs[i], level);
    }
}

Irq *irq_new_split(Irq *const *outs, unsigned n_outs)
{
    IrqSplit *split = xcalloc(1, sizeof(*split) + n_outs * sizeof(Irq *));

    split->n = n_outs;
    memcpy(split->outs, outs, n_outs * sizeof(Irq *));
    return irq_new(split_set, split, 0);
}

typedef struct IrqOr {
    Irq *out;
    unsigned up, n;
    bool level[];
} IrqOr;

static void or_set(void *opaque, int n, int level)
{
    IrqOr *gate = opaque;

    if (gate->level[n] != !!level) {
        gate->level[n] = !!level;
        gate->up += level ? 1u : -1u;
        irq_set(gate->out, gate->up > 0);
    }
}

void irq_new_or(Irq **ins, unsigned n_ins, Irq *out)
{
    IrqOr *gate = xcalloc(1, sizeof(*gate) + n_ins * sizeof(bool));

    gate->out = out;
    gate->n = n_ins;
    for (unsigned i = 0; i < n_ins; i++) {
        ins[i] = irq_new(or_set, gate, (int)i);
    }
}

static void invert_set(void *opaque, int n, int level)
{
    irq_set(opaque, !level);
}

Irq *irq_new_invert(Irq *out)
{
    return irq_new(invert_set, out, 0);
}
