/*
 * gicv2-cpu.c: the CPU interface's registers (IHI 0048B 4.4): acknowledging, priority drop, deactivation.
 */
#include "hw/intc/gicv2.h"
#include "util/log.h"

enum {
    GICC_CTLR = 0x00, GICC_PMR = 0x04, GICC_BPR = 0x08, GICC_IAR = 0x0c, GICC_EOIR = 0x10, GICC_RPR = 0x14, GICC_HPPIR = 0x18,
    GICC_ABPR = 0x1c, GICC_AIAR = 0x20, GICC_AEOIR = 0x24, GICC_AHPPIR = 0x28, GICC_APR = 0xd0, GICC_NSAPR = 0xe0, GICC_IIDR = 0xfc,
    GICC_DIR = 0x1000,
};
enum { IIDR = 0x0002043b, IIDR_V1 = 0x0001043b, CTLR_BITS = 0x7ff };

/* The id an acknowledging or looking read gets for `best`: groups that the access may not have give special ones (4.4.4). */
static unsigned answer(const V2Cpu *cpu, V2Best best, bool as_group1, bool ns)
{
    if (best.irq == V2_NONE) {
        return V2_NONE;
    }
    if (as_group1 || ns) {
        return best.group1 ? best.irq : V2_NONE;
    }
    return best.group1 && !(cpu->ctlr & V2_CTLR_ACK) ? V2_NONE_OTHER_GROUP : best.irq;
}

static uint8_t group_mask_of(const V2Cpu *cpu, bool group1)
{
    bool shared = cpu->ctlr & V2_CTLR_CBPR;

    return v2_group_mask(group1 && !shared ? cpu->abpr : cpu->bpr, group1, shared);
}

static unsigned running_priority(const V2Cpu *cpu)
{
    return MIN(v2_lowest_active(cpu->apr), v2_lowest_active(cpu->nsapr));
}

static uint32_t acknowledge(GicV2 *s, V2Cpu *cpu, bool as_group1, bool ns)
{
    V2Best best = v2_best(s, cpu);
    uint8_t mask = group_mask_of(cpu, best.group1);
    uint32_t source = 0;

    if (best.irq == V2_NONE || best.priority >= cpu->pmr || !(cpu->ctlr >> best.group1 & 1) ||
        (best.priority & mask) >= running_priority(cpu)) {
        return V2_NONE;
    }
    unsigned id = answer(cpu, best, as_group1, ns);
    if (id >= V2_NONE_OTHER_GROUP) {
        return id;
    }
    GicWord *w = v2_word(s, cpu, id / 32);
    if (id < V2_N_SGIS) {
        source = (uint32_t)__builtin_ctz(cpu->sgi_from[id] | 0x100u) & 7;
        cpu->sgi_from[id] &= (uint8_t)(cpu->sgi_from[id] - 1);
        if (!cpu->sgi_from[id]) {
            w->latched &= ~v2_bit(id);
        }
    } else {
        w->latched &= ~v2_bit(id);
    }
    w->active |= v2_bit(id);
    unsigned level = (best.priority & mask) >> 1;
    (best.group1 ? cpu->nsapr : cpu->apr)[level / 32] |= v2_bit(level);
    v2_update(s); /* an SPI is no longer anybody's */
    return id | source << 10;
}

static void deactivate(GicV2 *s, V2Cpu *cpu, unsigned id, bool ns)
{
    if (id / 32 >= s->n_words) {
        return;
    }
    GicWord *w = v2_word(s, cpu, id / 32);
    if (!ns || (w->group & v2_bit(id))) {
        w->active &= ~v2_bit(id);
    }
}

static void drop(uint32_t *apr)
{
    for (unsigned i = 0; i < V2_N_APRS; i++) {
        if (apr[i]) {
            apr[i] &= apr[i] - 1;
            return;
        }
    }
}

static void end_of_interrupt(GicV2 *s, V2Cpu *cpu, uint32_t value, bool as_group1, bool ns)
{
    unsigned id = value & 0x3ff;

    if (id / 32 >= s->n_words) {
        return; /* spurious */
    }
    bool group1 = v2_word(s, cpu, id / 32)->group & v2_bit(id);
    if ((ns || as_group1) && !group1) {
        return;
    }
    drop(group1 ? cpu->nsapr : cpu->apr);
    if (!(cpu->ctlr & (ns ? V2_CTLR_EOI_MODE_NS : V2_CTLR_EOI_MODE))) {
        deactivate(s, cpu, id, ns);
    }
    v2_update(s);
}

/* 4.4.1: a non-secure access has group 1's bits where group 0's are: enable, the two bypasses, and EOImodeNS. */
static uint32_t read_ctlr(const V2Cpu *cpu, bool ns)
{
    uint32_t c = cpu->ctlr;

    return ns ? (c >> 1 & 1) | (c >> 2 & 0x60) | (c & V2_CTLR_EOI_MODE_NS) >> 1 : c;
}

static void write_ctlr(V2Cpu *cpu, uint32_t value, bool ns)
{
    const uint32_t of_ns = V2_CTLR_GROUP1 | 0x180 | V2_CTLR_EOI_MODE_NS;

    if (!ns) {
        /* Without the Security Extensions there is one EOImode, and group bits are all that is left of the bypasses. */
        cpu->ctlr = value & (cpu->gic->security ? CTLR_BITS : v2_has_groups(cpu->gic) ? 0x21f : V2_CTLR_GROUP0);
        return;
    }
    cpu->ctlr = (cpu->ctlr & ~of_ns) | (value & 1) << 1 | (value & 0x60) << 2 | (value & V2_CTLR_EOI_MODE) << 1;
}

static uint32_t read_pmr(const V2Cpu *cpu, bool ns)
{
    return !ns ? cpu->pmr : cpu->pmr & 0x80 ? cpu->pmr << 1 & 0xff : 0;
}

static void write_pmr(V2Cpu *cpu, uint32_t value, bool ns)
{
    uint32_t bits = 0xffu << (8 - cpu->gic->priority_bits) & 0xff;

    if (!ns) {
        cpu->pmr = value & bits;
    } else if (cpu->pmr & 0x80) {
        cpu->pmr = (0x80 | (value & 0xff) >> 1) & bits;
    }
}

static uint32_t read_rpr(const V2Cpu *cpu, bool ns)
{
    unsigned p = running_priority(cpu);

    return !ns || p == 0xff ? p : p & 0x80 ? p << 1 & 0xff : 0;
}

static uint32_t read_bpr(const V2Cpu *cpu, bool alias, bool ns)
{
    if (!ns) {
        return alias ? cpu->abpr : cpu->bpr;
    }
    return cpu->ctlr & V2_CTLR_CBPR ? MIN(cpu->bpr + 1, 7u) : cpu->abpr;
}

static void write_bpr(V2Cpu *cpu, uint32_t value, bool alias, bool ns)
{
    unsigned lowest = 8 - cpu->gic->priority_bits;

    value &= 7;
    if (ns ? !(cpu->ctlr & V2_CTLR_CBPR) : alias) {
        cpu->abpr = MIN(MAX(value, lowest + 1), 7u);
    } else if (!ns) {
        cpu->bpr = MAX(value, lowest);
    }
}

/* Active priorities. Non-secure software sees the upper half of group 1's as if it were all. */
static uint32_t *apr_at(V2Cpu *cpu, unsigned n, bool second, bool ns)
{
    if (ns) {
        return !second && n < V2_N_APRS / 2 ? &cpu->nsapr[n + V2_N_APRS / 2] : NULL;
    }
    return &(second ? cpu->nsapr : cpu->apr)[n];
}

static uint32_t looked_at(GicV2 *s, V2Cpu *cpu, bool as_group1, bool ns)
{
    unsigned id = answer(cpu, v2_best(s, cpu), as_group1, ns);

    return id < V2_N_SGIS ? id | ((uint32_t)__builtin_ctz(cpu->sgi_from[id] | 0x100u) & 7) << 10 : id;
}

static MemResult cpu_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    V2Cpu *cpu = opaque;
    GicV2 *s = cpu->gic;
    bool ns = v2_is_ns(s, attrs);
    uint32_t value = 0;

    switch (offset) {
    case GICC_CTLR: value = read_ctlr(cpu, ns); break;
    case GICC_PMR: value = read_pmr(cpu, ns); break;
    case GICC_BPR: value = read_bpr(cpu, false, ns); break;
    case GICC_IAR: value = acknowledge(s, cpu, false, ns); break;
    case GICC_RPR: value = read_rpr(cpu, ns); break;
    case GICC_HPPIR: value = looked_at(s, cpu, false, ns); break;
    case GICC_ABPR: value = ns ? 0 : read_bpr(cpu, true, false); break;
    case GICC_AIAR: value = ns ? 0 : acknowledge(s, cpu, true, false); break;
    case GICC_AHPPIR: value = ns ? 0 : looked_at(s, cpu, true, false); break;
    case GICC_IIDR: value = v2_has_groups(s) ? IIDR : IIDR_V1; break;
    default:
        if (offset >= GICC_APR && offset < GICC_NSAPR + 16) {
            uint32_t *apr = apr_at(cpu, (offset & 15) / 4, offset >= GICC_NSAPR, ns);
            value = apr ? *apr : 0;
        } else {
            log_guest_error("arm_gic: read of CPU interface register 0x%x\n", (unsigned)offset);
        }
    }
    *ret = value;
    return MEM_OK;
}

static MemResult cpu_write(void *opaque, uint64_t offset, unsigned size, uint64_t wide, MemAttrs attrs)
{
    V2Cpu *cpu = opaque;
    GicV2 *s = cpu->gic;
    uint32_t value = (uint32_t)wide;
    bool ns = v2_is_ns(s, attrs);

    switch (offset) {
    case GICC_CTLR: write_ctlr(cpu, value, ns); break;
    case GICC_PMR: write_pmr(cpu, value, ns); break;
    case GICC_BPR: write_bpr(cpu, value, false, ns); break;
    case GICC_EOIR: end_of_interrupt(s, cpu, value, false, ns); return MEM_OK;
    case GICC_ABPR: if (!ns) { write_bpr(cpu, value, true, false); } break;
    case GICC_AEOIR: if (!ns) { end_of_interrupt(s, cpu, value, true, false); } return MEM_OK;
    case GICC_DIR:
        /* 4.4.5: without a separate priority drop it is unpredictable; nothing then. */
        if (cpu->ctlr & (ns ? V2_CTLR_EOI_MODE_NS : V2_CTLR_EOI_MODE)) {
            deactivate(s, cpu, value & 0x3ff, ns);
            v2_update(s);
        }
        return MEM_OK;
    default:
        if (offset >= GICC_APR && offset < GICC_NSAPR + 16) {
            uint32_t *apr = apr_at(cpu, (offset & 15) / 4, offset >= GICC_NSAPR, ns);
            if (apr) {
                *apr = value;
            }
        } else {
            log_guest_error("arm_gic: write of 0x%x to CPU interface register 0x%x\n", value, (unsigned)offset);
        }
    }
    v2_update_cpu(s, cpu);
    return MEM_OK;
}

const MemoryOps v2_cpu_ops = {
    .read = cpu_read, .write = cpu_write, .endian = MEM_LITTLE_ENDIAN, .valid = { .min = 4, .max = 4 },
};
