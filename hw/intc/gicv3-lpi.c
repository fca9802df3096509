/*
 * gicv3-lpi.c: LPIs of a redistributor (IHI 0069H chapter 5), physical and those of the resident virtual processor (chapter 9): pending state and
 * configuration.
 *
 * While they are on (GICR_CTLR.EnableLPIs, GICR_VPENDBASER.Valid), pending bits are kept here with a summary, read from the guest's table when it is set and written
 * back when it is cleared (5.1.2 allows that). Configuration is read from the guest's table whenever it is needed, so invalidations have
 * nothing to do but look again.
 */
#include "hw/dma.h"
#include "hw/intc/gicv3.h"
#include "softmmu/machine.h"

enum { CONFIG_ENABLE = 1, CONFIG_PRIORITY = 0xfc };

/* The first LPI that is not there. */
static unsigned limit(const V3Lpis *l)
{
    return 1u << MIN((unsigned)(l->propbaser & 31) + 1, (unsigned)V3_ID_BITS);
}

gpa v3_lpi_table(const V3Lpis *l)
{
    return l->pendbaser & bits_mask(16, 36);
}

static V3Best none(void)
{
    return (V3Best){ V3_NONE, 0xff, V3_G1NS };
}

/* What signalling this pending LPI would be. */
static V3Best rate(const V3Cpu *cpu, const V3Lpis *l, uint32_t lpi)
{
    gpa table = l->propbaser & bits_mask(12, 40);
    uint8_t config;

    if (dma_read(&machine_current()->memory, table + (lpi - V3_FIRST_LPI), &config, 1) != MEM_OK || !(config & CONFIG_ENABLE)) {
        return none();
    }
    uint8_t priority = config & CONFIG_PRIORITY;
    if (!l->is_virtual && !v3_single(cpu->gic)) {
        priority = 0x80 | priority >> 1; /* 4.8.1: they are non-secure */
    }
    return (V3Best){ lpi, priority & (uint8_t)(0xff << (8 - V3_PRIORITY_BITS)), V3_G1NS };
}

void v3_lpi_find_best(V3Cpu *cpu, V3Lpis *l)
{
    l->best = none();
    if (!l->on) {
        return;
    }
    for (unsigned i = 0; i < V3_N_LPI_SUMMARY; i++) {
        for (uint32_t words = l->summary[i]; words; words &= words - 1) {
            unsigned w = 32 * i + (unsigned)__builtin_ctz(words);

            for (uint32_t bits = l->pending[w]; bits; bits &= bits - 1) {
                V3Best one = rate(cpu, l, 32 * w + (unsigned)__builtin_ctz(bits));

                if (one.priority < l->best.priority) {
                    l->best = one;
                }
            }
        }
    }
}

bool v3_lpi_is_pending(const V3Lpis *l, uint32_t lpi)
{
    return lpi < 1u << V3_ID_BITS && (l->pending[lpi / 32] & v3_bit(lpi));
}

static void put_bit(V3Lpis *l, uint32_t lpi, bool on)
{
    uint32_t *word = &l->pending[lpi / 32];

    *word = on ? *word | v3_bit(lpi) : *word & ~v3_bit(lpi);
    uint32_t *summary = &l->summary[lpi / 1024], bit = v3_bit(lpi / 32);
    *summary = *word ? *summary | bit : *summary & ~bit;
}

void v3_lpi_set(V3Cpu *cpu, V3Lpis *l, uint32_t lpi, bool pending)
{
    if (!l->on || lpi < V3_FIRST_LPI || lpi >= limit(l) || v3_lpi_is_pending(l, lpi) == pending) {
        return;
    }
    put_bit(l, lpi, pending);
    if (pending) {
        V3Best one = rate(cpu, l, lpi);

        /* Of equal ones the lowest number, as everywhere here. */
        if (one.priority > l->best.priority || (one.priority == l->best.priority && one.irq >= l->best.irq)) {
            return;
        }
        l->best = one;
    } else if (l->best.irq == lpi) {
        v3_lpi_find_best(cpu, l);
    } else {
        return;
    }
    v3_update_cpu(cpu->gic, cpu);
}

void v3_lpi_move_all(V3Cpu *from, V3Cpu *to)
{
    if (!from->lpi.on || !to->lpi.on || from == to) {
        return;
    }
    for (uint32_t w = 0; w < V3_N_LPI_WORDS; w++) {
        for (uint32_t bits = from->lpi.pending[w]; bits; bits &= bits - 1) {
            uint32_t lpi = 32 * w + (uint32_t)__builtin_ctz(bits);

            put_bit(&from->lpi, lpi, false);
            put_bit(&to->lpi, lpi, true);
        }
    }
    v3_lpi_find_best(from, &from->lpi);
    v3_lpi_find_best(to, &to->lpi);
    v3_update_cpu(from->gic, from);
    v3_update_cpu(to->gic, to);
}

void v3_lpi_rebuild_summary(V3Cpu *cpu, V3Lpis *l)
{
    for (uint32_t w = 0; w < l->n_words; w++) {
        uint32_t *summary = &l->summary[w / 32];

        if (32 * w < V3_FIRST_LPI) {
            l->pending[w] = 0;
        }
        *summary = l->pending[w] ? *summary | v3_bit(w) : *summary & ~v3_bit(w);
    }
    if (l->n_words) {
        v3_lpi_find_best(cpu, l);
    }
}

void v3_lpi_enable(V3Cpu *cpu, V3Lpis *l)
{
    unsigned bytes = limit(l) / 8, first = V3_FIRST_LPI / 8;

    l->on = true;
    memset(l->pending, 0, V3_N_LPI_WORDS * sizeof(uint32_t));
    if (!l->table_is_zero && bytes > first) {
        /* A table that is not there has nothing pending. */
        if (dma_read(&machine_current()->memory, v3_lpi_table(l) + first, (uint8_t *)l->pending + first, bytes - first) != MEM_OK) {
            memset(l->pending, 0, V3_N_LPI_WORDS * sizeof(uint32_t));
        }
        for (unsigned w = first / 4; w < V3_N_LPI_WORDS; w++) {
            l->pending[w] = ldle32(&l->pending[w]);
        }
    }
    v3_lpi_rebuild_summary(cpu, l);
    v3_update_cpu(cpu->gic, cpu);
}

void v3_lpi_disable(V3Cpu *cpu, V3Lpis *l)
{
    unsigned bytes = limit(l) / 8, first = V3_FIRST_LPI / 8;

    for (unsigned w = first / 4; w < V3_N_LPI_WORDS; w++) {
        stle32(&l->pending[w], l->pending[w]);
    }
    if (bytes > first) { /* where there is no RAM they are lost, and no harm is done */
        (void)dma_write(&machine_current()->memory, v3_lpi_table(l) + first, (uint8_t *)l->pending + first, bytes - first);
    }
    memset(l->pending, 0, V3_N_LPI_WORDS * sizeof(uint32_t));
    l->on = false;
    v3_lpi_rebuild_summary(cpu, l);
    v3_update_cpu(cpu->gic, cpu);
}

void v3_lpi_init(V3Lpis *l, bool is_virtual)
{
    l->is_virtual = is_virtual;
    l->n_words = V3_N_LPI_WORDS;
    l->pending = xcalloc(V3_N_LPI_WORDS, sizeof(uint32_t));
    l->summary = xcalloc(V3_N_LPI_SUMMARY, sizeof(uint32_t));
}

void v3_lpi_free(V3Lpis *l)
{
    free(l->pending);
    free(l->summary);
}

void v3_lpi_reset(V3Lpis *l)
{
    l->on = l->stale = l->table_is_zero = false;
    l->propbaser = l->pendbaser = 0;
    l->best = none();
    if (l->n_words) {
        memset(l->pending, 0, V3_N_LPI_WORDS * sizeof(uint32_t));
        memset(l->summary, 0, V3_N_LPI_SUMMARY * sizeof(uint32_t));
    }
}
