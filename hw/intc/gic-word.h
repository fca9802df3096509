/*
 * gic-word.h: 32 interrupts of a GIC distributor or redistributor and the registers that all versions have for them.
 *
 * IHI 0048B 4.3, IHI 0069H 12.9: one bit an interrupt from 0x080 (group) to 0x3ff (clear active), one byte of priority from 0x400, two
 * bits of configuration from 0xc00.
 */
#ifndef HW_INTC_GIC_WORD_H
#define HW_INTC_GIC_WORD_H

#include "hw/device.h"

typedef struct GicWord {
    uint32_t group, group_mod;  /* group_mod: GICv3's GICD_IGRPMODR */
    uint32_t enabled;
    uint32_t latched;           /* an edge, or GICD_ISPENDR; a level that is up is pending without */
    uint32_t active;
    uint32_t edge;              /* GICD_ICFGR */
    uint32_t level;             /* of the inputs */
    uint8_t priority[32];
} GicWord;

extern const StateDesc gic_word_state;

/* Offset / 128 of a row of bit registers. */
enum { GIC_GROUP = 1, GIC_SET_ENABLE, GIC_CLEAR_ENABLE, GIC_SET_PENDING, GIC_CLEAR_PENDING, GIC_SET_ACTIVE, GIC_CLEAR_ACTIVE };

static inline uint32_t gic_word_pending(const GicWord *w)
{
    return w->latched | (w->level & ~w->edge);
}

/* What could be signalled. */
static inline uint32_t gic_word_ready(const GicWord *w)
{
    return w->enabled & gic_word_pending(w) & ~w->active;
}

/* `mask`: the interrupts this access may see and change. */
uint32_t gic_word_read(const GicWord *w, unsigned kind, uint32_t mask);
void gic_word_write(GicWord *w, unsigned kind, uint32_t value, uint32_t mask);
/* ICFGR: half 0 is of interrupts 0 to 15, half 1 of 16 to 31. */
uint32_t gic_word_config(const GicWord *w, unsigned half, uint32_t mask);
void gic_word_set_config(GicWord *w, unsigned half, uint32_t value, uint32_t mask);
/* An input changes; false: nothing is different. */
bool gic_word_input(GicWord *w, unsigned n, bool level);

#endif
