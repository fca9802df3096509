/*
 * gicv2-dist.c: the distributor's registers (IHI 0048B 4.3).
 *
 * With the Security Extensions a non-secure access sees the interrupts of group 1 only, and the upper half of the priorities as all of them.
 */
#include "hw/intc/gicv2.h"
#include "util/log.h"

enum {
    GICD_CTLR = 0x000, GICD_TYPER = 0x004, GICD_IIDR = 0x008, GICD_PRIORITY = 0x400, GICD_TARGETS = 0x800, GICD_CONFIG = 0xc00,
    GICD_SGIR = 0xf00, GICD_CPENDSGIR = 0xf10, GICD_SPENDSGIR = 0xf20, GICD_ID = 0xfd0,
};
enum { IIDR = 0x43b }; /* Arm, variant 0 */
static const uint8_t ids[12] = { 0x04, 0, 0, 0, 0x90, 0xb4, 0x2b, 0, 0x0d, 0xf0, 0x05, 0xb1 }; /* PIDR4 to 7, 0 to 3, CIDR0 to 3 */

static void send_sgi(V2Cpu *cpu, uint32_t value, bool ns)
{
    GicV2 *s = cpu->gic;
    unsigned irq = value & 15, filter = value >> 24 & 3, to = value >> 16 & 0xff, all = (1u << s->n_cpus) - 1;

    if (filter == 1) {
        to = all & ~(1u << cpu->index);
    } else if (filter == 2) {
        to = 1u << cpu->index;
    }
    for (unsigned i = 0; i < s->n_cpus && filter != 3; i++) {
        V2Cpu *target = &s->cpus[i];
        bool group1 = target->word.group >> irq & 1;

        /* 4.3.15 NSATT: non-secure software reaches group 1 only; secure software says which it means. */
        if (!(to >> i & 1) || (s->security && (ns ? !group1 : group1 != (value >> 15 & 1)))) {
            continue;
        }
        target->sgi_from[irq] |= (uint8_t)(1u << cpu->index);
        target->word.latched |= v2_bit(irq);
        v2_update_cpu(s, target);
    }
}

/* The interrupts of a word that this access may see. */
static uint32_t visible(const GicWord *w, bool ns)
{
    return ns ? w->group : UINT32_MAX;
}

static uint8_t read_byte(GicV2 *s, V2Cpu *cpu, uint64_t offset, bool ns)
{
    unsigned irq = offset & 0x3ff;

    if (irq / 32 >= s->n_words) {
        return 0;
    }
    GicWord *w = v2_word(s, cpu, irq / 32);
    if (!(visible(w, ns) & v2_bit(irq))) {
        return 0;
    }
    if (offset < GICD_TARGETS) {
        return (uint8_t)(w->priority[irq % 32] << ns);
    }
    return s->n_cpus == 1 ? 0 : irq < GIC_FIRST_SPI ? (uint8_t)(1u << cpu->index) : s->targets[irq];
}

static void write_byte(GicV2 *s, V2Cpu *cpu, uint64_t offset, uint8_t value, bool ns)
{
    unsigned irq = offset & 0x3ff;

    if (irq / 32 >= s->n_words) {
        return;
    }
    GicWord *w = v2_word(s, cpu, irq / 32);
    if (!(visible(w, ns) & v2_bit(irq))) {
        return;
    }
    if (offset < GICD_TARGETS) {
        uint8_t p = ns ? 0x80 | value >> 1 : value;

        w->priority[irq % 32] = p & (uint8_t)(0xff << (8 - s->priority_bits));
    } else if (irq >= GIC_FIRST_SPI && s->n_cpus > 1) {
        s->targets[irq] = value & (uint8_t)((1u << s->n_cpus) - 1);
    }
}

static uint32_t read_id(uint64_t offset)
{
    return offset >= GICD_ID ? ids[(offset - GICD_ID) / 4] : 0;
}

static uint32_t read_word(GicV2 *s, V2Cpu *cpu, uint64_t offset, bool ns)
{
    unsigned word = (offset & 0x7f) / 4;

    if (offset < 0x80) {
        switch (offset) {
        case GICD_CTLR: return ns ? s->ctlr >> 1 : s->ctlr;
        case GICD_TYPER: return (s->n_words - 1) | (s->n_cpus - 1) << 5 | (s->security ? 1u << 10 : 0);
        case GICD_IIDR: return IIDR;
        default: return 0;
        }
    }
    if (offset < GICD_PRIORITY) {
        if (word >= s->n_words || ((ns || !v2_has_groups(s)) && offset >> 7 == GIC_GROUP)) {
            return 0;
        }
        GicWord *w = v2_word(s, cpu, word);
        return gic_word_read(w, (unsigned)(offset >> 7), visible(w, ns));
    }
    if (offset >= GICD_CONFIG && offset < GICD_CONFIG + 0x100) {
        unsigned half = (offset - GICD_CONFIG) / 4;
        GicWord *w = half / 2 < s->n_words ? v2_word(s, cpu, half / 2) : NULL;

        return w ? gic_word_config(w, half % 2, visible(w, ns)) : 0;
    }
    if (offset >= GICD_CPENDSGIR && offset < GICD_SPENDSGIR + 16) {
        uint32_t value = 0;

        for (unsigned i = 0; i < 4; i++) {
            unsigned irq = (offset & 15) + i;
            value |= visible(&cpu->word, ns) & v2_bit(irq) ? (uint32_t)cpu->sgi_from[irq] << 8 * i : 0;
        }
        return value;
    }
    return read_id(offset);
}

static void write_pending_sgis(V2Cpu *cpu, uint64_t offset, uint32_t value, bool ns)
{
    uint8_t all = (uint8_t)((1u << cpu->gic->n_cpus) - 1);

    for (unsigned i = 0; i < 4; i++) {
        unsigned irq = (offset & 15) + i;
        uint8_t bits = value >> 8 * i & all;

        if (!(visible(&cpu->word, ns) & v2_bit(irq))) {
            continue;
        }
        if (offset >= GICD_SPENDSGIR) {
            cpu->sgi_from[irq] |= bits;
        } else {
            cpu->sgi_from[irq] &= (uint8_t)~bits;
        }
        cpu->word.latched = (cpu->word.latched & ~v2_bit(irq)) | (cpu->sgi_from[irq] ? v2_bit(irq) : 0);
    }
}

static void write_bits(GicV2 *s, V2Cpu *cpu, uint64_t offset, uint32_t value, bool ns)
{
    unsigned word = (offset & 0x7f) / 4, kind = (unsigned)(offset >> 7);

    if (word >= s->n_words || ((ns || !v2_has_groups(s)) && kind == GIC_GROUP)) {
        return;
    }
    GicWord *w = v2_word(s, cpu, word);
    uint32_t mask = visible(w, ns);

    if (!word && (kind == GIC_SET_PENDING || kind == GIC_CLEAR_PENDING || kind == GIC_CLEAR_ENABLE)) {
        mask &= 0xffff0000; /* SGIs are always enabled, and have pending registers of their own */
    }
    gic_word_write(w, kind, value, mask);
}

static void write_word(GicV2 *s, V2Cpu *cpu, uint64_t offset, uint32_t value, bool ns)
{
    if (offset == GICD_CTLR) {
        s->ctlr = ns ? (s->ctlr & 1) | (value & 1) << 1 : value & (v2_has_groups(s) ? 3 : 1);
    } else if (offset >= 0x80 && offset < GICD_PRIORITY) {
        write_bits(s, cpu, offset, value, ns);
    } else if (offset >= GICD_CONFIG && offset < GICD_CONFIG + 0x100) {
        unsigned half = (offset - GICD_CONFIG) / 4;

        if (half && half / 2 < s->n_words) { /* half 0 is of SGIs, which are edges */
            GicWord *w = v2_word(s, cpu, half / 2);
            gic_word_set_config(w, half % 2, value, visible(w, ns));
        }
    } else if (offset == GICD_SGIR) {
        send_sgi(cpu, value, ns);
        return;
    } else if (offset >= GICD_CPENDSGIR && offset < GICD_SPENDSGIR + 16) {
        write_pending_sgis(cpu, offset, value, ns);
    } else {
        log_guest_error("arm_gic: write of 0x%x to distributor register 0x%x\n", value, (unsigned)offset);
        return;
    }
    v2_update(s);
}

static bool is_bytes(uint64_t offset)
{
    return offset >= GICD_PRIORITY && offset < GICD_CONFIG;
}

static MemResult dist_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    V2Cpu *cpu = opaque;
    bool ns = v2_is_ns(cpu->gic, attrs);
    uint64_t value = 0;

    if (is_bytes(offset)) {
        for (unsigned i = 0; i < size; i++) {
            value |= (uint64_t)read_byte(cpu->gic, cpu, offset + i, ns) << 8 * i;
        }
    } else {
        value = read_word(cpu->gic, cpu, offset & ~UINT64_C(3), ns) >> 8 * (offset & 3);
    }
    *ret = value & (UINT64_MAX >> (64 - 8 * size));
    return MEM_OK;
}

static MemResult dist_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    V2Cpu *cpu = opaque;
    bool ns = v2_is_ns(cpu->gic, attrs);
    unsigned shift = 8 * (offset & 3);

    if (is_bytes(offset)) {
        for (unsigned i = 0; i < size; i++) {
            write_byte(cpu->gic, cpu, offset + i, (uint8_t)(value >> 8 * i), ns);
        }
        v2_update(cpu->gic);
    } else if (size == 4) {
        write_word(cpu->gic, cpu, offset, (uint32_t)value, ns);
    } else {
        /* 4.1.4: words; a part of one keeps the rest where ones change nothing by being there, and else goes with zeros. */
        uint32_t mask = (size == 1 ? 0xffu : 0xffffu) << shift, keep = 0;
        uint64_t kind = offset >> 7;

        offset &= ~UINT64_C(3);
        if (offset == GICD_CTLR || kind == GIC_GROUP || (offset >= GICD_CONFIG && offset < GICD_SGIR)) {
            keep = read_word(cpu->gic, cpu, offset, ns) & ~mask;
        }
        write_word(cpu->gic, cpu, offset, keep | (uint32_t)value << shift, ns);
    }
    return MEM_OK;
}

const MemoryOps v2_dist_ops = {
    .read = dist_read, .write = dist_write, .endian = MEM_LITTLE_ENDIAN, .valid = { .min = 1, .max = 4 }, .impl = { .min = 1, .max = 4 },
};
