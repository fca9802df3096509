/*
 * gic-word.c: see gic-word.h.
 */
#include "hw/intc/gic-word.h"

uint32_t gic_word_read(const GicWord *w, unsigned kind, uint32_t mask)
{
    switch (kind) {
    case GIC_GROUP: return w->group & mask;
    case GIC_SET_ENABLE: case GIC_CLEAR_ENABLE: return w->enabled & mask;
    case GIC_SET_PENDING: case GIC_CLEAR_PENDING: return gic_word_pending(w) & mask;
    case GIC_SET_ACTIVE: case GIC_CLEAR_ACTIVE: return w->active & mask;
    default: return 0;
    }
}

void gic_word_write(GicWord *w, unsigned kind, uint32_t value, uint32_t mask)
{
    uint32_t bits = value & mask;

    switch (kind) {
    case GIC_GROUP: w->group = (w->group & ~mask) | bits; break;
    case GIC_SET_ENABLE: w->enabled |= bits; break;
    case GIC_CLEAR_ENABLE: w->enabled &= ~bits; break;
    case GIC_SET_PENDING: w->latched |= bits; break;
    case GIC_CLEAR_PENDING: w->latched &= ~bits; break; /* a level that is up keeps it pending */
    case GIC_SET_ACTIVE: w->active |= bits; break;
    case GIC_CLEAR_ACTIVE: w->active &= ~bits; break;
    }
}

uint32_t gic_word_config(const GicWord *w, unsigned half, uint32_t mask)
{
    uint32_t bits = (w->edge & mask) >> 16 * half & 0xffff, value = 0;

    for (unsigned i = 0; i < 16; i++) {
        value |= (bits >> i & 1) << (2 * i + 1);
    }
    return value;
}

void gic_word_set_config(GicWord *w, unsigned half, uint32_t value, uint32_t mask)
{
    uint32_t bits = 0;

    for (unsigned i = 0; i < 16; i++) {
        bits |= (value >> (2 * i + 1) & 1) << (16 * half + i);
    }
    mask &= UINT32_C(0xffff) << 16 * half;
    w->edge = (w->edge & ~mask) | (bits & mask);
}

bool gic_word_input(GicWord *w, unsigned n, bool level)
{
    uint32_t bit = UINT32_C(1) << n;

    if (level == !!(w->level & bit)) {
        return false;
    }
    w->level ^= bit;
    if (level && (w->edge & bit)) {
        w->latched |= bit;
    }
    return true;
}

static const StateField fields[] = {
    STATE_U(GicWord, group), STATE_U(GicWord, group_mod), STATE_U(GicWord, enabled), STATE_U(GicWord, latched), STATE_U(GicWord, active),
    STATE_U(GicWord, edge), STATE_U(GicWord, level), STATE_BYTES(GicWord, priority),
};
const StateDesc gic_word_state = {
    .name = "gic-word", .version = 1, .min_version = 1, .fields = fields, .n_fields = ARRAY_SIZE(fields),
};
