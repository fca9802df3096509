/*
 * gicv3-lpi.c: LPIs of a redistributor (IHI 0069H chapter 5): pending state and configuration.
 *
 * While GICR_CTLR.EnableLPIs is set, pending bits are kept here with a summary, read from the guest's table when it is set and written
 * back when it is cleared (5.1.2 allows that). Configuration is read from the guest's table whenever it is needed, so invalidations have
 * nothing to do but look again.
 */
#include "hw/dma.h"
#include "hw/intc/gicv3.h"
#include "softmmu/machine.h"

enum { ENABLE_LPIS = 1, CONFIG_ENABLE = 1, CONFIG_PRIORITY = 0xfc };

bool v3_lpi_enabled(const V3Cpu *cpu)
{
    return cpu->rctlr & ENABLE_LPIS;
}

unsigned v3_lpi_limit(const V3Cpu *cpu)
{
    return 1u << MIN((unsigned)(cpu->propbaser & 31) + 1, (unsigned)V3_ID_BITS);
}

static gpa pending_table(const V3Cpu *cpu)
{
    return cpu->pendbaser & bits_mask(16, 36);
}

static V3Best none(void)
{
    return (V3Best){ V3_NONE, 0xff, V3_G1NS };
}

/* What signalling this pending LPI would be. */
static V3Best rate(const V3Cpu *cpu, uint32_t lpi)
{
    gpa table = cpu->propbaser & bits_mask(12, 40);
    uint8_t config;

    if (dma_read(&machine_current()->memory, table + (lpi - V3_FIRST_LPI), &config, 1) != MEM_OK || !(config & CONFIG_ENABLE)) {
        return none();
    }
    uint8_t priority = config & CONFIG_PRIORITY;
    if (!v3_single(cpu->gic)) {
        priority = 0x80 | priority >> 1; /* 4.8.1: they are non-secure */
    }
    return (V3Best){ lpi, priority & (uint8_t)(0xff << (8 - V3_PRIORITY_BITS)), V3_G1NS };
}

void v3_lpi_find_best(V3Cpu *cpu)
{
    cpu->best_lpi = none();
    if (!v3_lpi_enabled(cpu)) {
        return;
    }
    for (unsigned i = 0; i < V3_N_LPI_SUMMARY; i++) {
        for (uint32_t words = cpu->lpi_summary[i]; words; words &= words - 1) {
            unsigned w = 32 * i + (unsigned)__builtin_ctz(words);

            for (uint32_t bits = cpu->lpi_pending[w]; bits; bits &= bits - 1) {
                V3Best one = rate(cpu, 32 * w + (unsigned)__builtin_ctz(bits));

                if (one.priority < cpu->best_lpi.priority) {
                    cpu->best_lpi = one;
                }
            }
        }
    }
}

bool v3_lpi_is_pending(const V3Cpu *cpu, uint32_t lpi)
{
    return lpi < 1u << V3_ID_BITS && (cpu->lpi_pending[lpi / 32] & v3_bit(lpi));
}

static void put_bit(V3Cpu *cpu, uint32_t lpi, bool on)
{
    uint32_t *word = &cpu->lpi_pending[lpi / 32];

    *word = on ? *word | v3_bit(lpi) : *word & ~v3_bit(lpi);
    uint32_t *summary = &cpu->lpi_summary[lpi / 1024], bit = v3_bit(lpi / 32);
    *summary = *word ? *summary | bit : *summary & ~bit;
}

void v3_lpi_set(GicV3 *s, V3Cpu *cpu, uint32_t lpi, bool pending)
{
    if (!v3_lpi_enabled(cpu) || lpi < V3_FIRST_LPI || lpi >= v3_lpi_limit(cpu) || v3_lpi_is_pending(cpu, lpi) == pending) {
        return;
    }
    put_bit(cpu, lpi, pending);
    if (pending) {
        V3Best one = rate(cpu, lpi);

        /* Of equal ones the lowest number, as everywhere here. */
        if (one.priority > cpu->best_lpi.priority || (one.priority == cpu->best_lpi.priority && one.irq >= cpu->best_lpi.irq)) {
            return;
        }
        cpu->best_lpi = one;
    } else if (cpu->best_lpi.irq == lpi) {
        v3_lpi_find_best(cpu);
    } else {
        return;
    }
    v3_update_cpu(s, cpu);
}

void v3_lpi_move_all(GicV3 *s, V3Cpu *from, V3Cpu *to)
{
    if (!v3_lpi_enabled(from) || !v3_lpi_enabled(to) || from == to) {
        return;
    }
    for (uint32_t w = 0; w < V3_N_LPI_WORDS; w++) {
        for (uint32_t bits = from->lpi_pending[w]; bits; bits &= bits - 1) {
            uint32_t lpi = 32 * w + (uint32_t)__builtin_ctz(bits);

            put_bit(from, lpi, false);
            put_bit(to, lpi, true);
        }
    }
    v3_lpi_find_best(from);
    v3_lpi_find_best(to);
    v3_update_cpu(s, from);
    v3_update_cpu(s, to);
}

void v3_lpi_rebuild_summary(V3Cpu *cpu)
{
    for (uint32_t w = 0; w < cpu->n_lpi_words; w++) {
        uint32_t *summary = &cpu->lpi_summary[w / 32];

        if (32 * w < V3_FIRST_LPI) {
            cpu->lpi_pending[w] = 0;
        }
        *summary = cpu->lpi_pending[w] ? *summary | v3_bit(w) : *summary & ~v3_bit(w);
    }
    if (cpu->n_lpi_words) {
        v3_lpi_find_best(cpu);
    }
}

void v3_lpi_enable(GicV3 *s, V3Cpu *cpu)
{
    unsigned bytes = v3_lpi_limit(cpu) / 8, first = V3_FIRST_LPI / 8;

    memset(cpu->lpi_pending, 0, V3_N_LPI_WORDS * sizeof(uint32_t));
    if (!cpu->pending_is_zero && bytes > first) {
        /* A table that is not there has nothing pending. */
        if (dma_read(&machine_current()->memory, pending_table(cpu) + first, (uint8_t *)cpu->lpi_pending + first, bytes - first) != MEM_OK) {
            memset(cpu->lpi_pending, 0, V3_N_LPI_WORDS * sizeof(uint32_t));
        }
        for (unsigned w = first / 4; w < V3_N_LPI_WORDS; w++) {
            cpu->lpi_pending[w] = ldle32(&cpu->lpi_pending[w]);
        }
    }
    v3_lpi_rebuild_summary(cpu);
    v3_update_cpu(s, cpu);
}

void v3_lpi_disable(GicV3 *s, V3Cpu *cpu)
{
    unsigned bytes = v3_lpi_limit(cpu) / 8, first = V3_FIRST_LPI / 8;

    for (unsigned w = first / 4; w < V3_N_LPI_WORDS; w++) {
        stle32(&cpu->lpi_pending[w], cpu->lpi_pending[w]);
    }
    if (bytes > first) { /* where there is no RAM they are lost, and no harm is done */
        (void)dma_write(&machine_current()->memory, pending_table(cpu) + first, (uint8_t *)cpu->lpi_pending + first, bytes - first);
    }
    memset(cpu->lpi_pending, 0, V3_N_LPI_WORDS * sizeof(uint32_t));
    v3_lpi_rebuild_summary(cpu);
    v3_update_cpu(s, cpu);
}
