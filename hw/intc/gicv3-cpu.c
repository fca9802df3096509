/*
 * gicv3-cpu.c: a processor's interface: ICC_* (IHI 0069H 12.2): who answers an access, acknowledging, priority drop, deactivation, SGIs.
 */
#include "hw/intc/gicv3.h"
#include "util/log.h"

enum { SRE_BITS = 7, SRE_EL2_BITS = 15 };
enum { CTLR_PRIORITY_BITS = 8, CTLR_A3V = 1 << 15 };

/* -- priorities ----------------------------------------------------------------------------------------------------------------- */

static uint32_t ctlr_of(const V3Cpu *cpu, unsigned group)
{
    return cpu->ctlr[group == V3_G1NS && !v3_single(cpu->gic)];
}

/* Bits of a priority that decide about preemption (4.8.3). */
static uint8_t group_mask(const V3Cpu *cpu, unsigned group)
{
    bool shared = group != V3_G0 && (ctlr_of(cpu, group) & V3_CTLR_CBPR);
    unsigned bpr = cpu->bpr[shared ? V3_G0 : group];

    /* The binary point of non-secure group 1 counts from one bit higher. */
    return (uint8_t)(0xffu << MIN(group == V3_G1NS && !shared ? bpr : bpr + 1, 8u));
}

static unsigned running(const V3Cpu *cpu)
{
    uint32_t all = cpu->apr[V3_G0] | cpu->apr[V3_G1S] | cpu->apr[V3_G1NS];

    return all ? (unsigned)__builtin_ctz(all) << (8 - V3_PRIORITY_BITS) : 0xff;
}

bool v3_can_signal(const V3Cpu *cpu, V3Best best)
{
    return best.irq != V3_NONE && cpu->igrpen[best.group] && best.priority < cpu->pmr &&
           (best.priority & group_mask(cpu, best.group)) < running(cpu);
}

/* -- interrupts ------------------------------------------------------------------------------------------------------------------ */

/* Which group ICC_*1 registers are about. */
static V3Group group1(const V3Cpu *cpu, const GicV3Access *how)
{
    return how->secure && !v3_single(cpu->gic) ? V3_G1S : V3_G1NS;
}

/* Non-secure software below EL3, where there are two security states. */
static bool is_ns(const V3Cpu *cpu, const GicV3Access *how)
{
    return !v3_single(cpu->gic) && !how->secure && how->el < 3;
}

static uint32_t acknowledge(GicV3 *s, V3Cpu *cpu, V3Group group)
{
    V3Best best = v3_best(s, cpu);

    if (!v3_can_signal(cpu, best) || best.group != group) {
        return V3_NONE; /* also when the best is another group's: 12.2.14 */
    }
    cpu->apr[group] |= UINT32_C(1) << ((best.priority & group_mask(cpu, group)) >> (8 - V3_PRIORITY_BITS));
    if (best.irq >= V3_FIRST_LPI) {
        v3_lpi_set(cpu, &cpu->lpi, best.irq, false);
    } else {
        GicWord *w = v3_word(s, cpu, best.irq / 32);

        w->latched &= ~v3_bit(best.irq);
        w->active |= v3_bit(best.irq);
    }
    v3_update_cpu(s, cpu);
    return best.irq;
}

static void deactivate(GicV3 *s, V3Cpu *cpu, uint32_t irq, const GicV3Access *how)
{
    if (irq / 32 >= s->n_words) {
        return; /* LPIs have no active state, special numbers are nobody's */
    }
    GicWord *w = v3_word(s, cpu, irq / 32);
    V3Group group = v3_group(s, w, irq % 32);
    if (is_ns(cpu, how) && group != V3_G1NS) {
        return;
    }
    w->active &= ~v3_bit(irq);
    V3Cpu *target = irq < GIC_FIRST_SPI ? cpu : v3_target(s, irq);
    v3_update_cpu(s, cpu);
    if (target && target != cpu) {
        v3_update_cpu(s, target);
    }
}

static void end_of_interrupt(GicV3 *s, V3Cpu *cpu, uint32_t irq, V3Group group, const GicV3Access *how)
{
    if (irq >= 1020 && irq < V3_FIRST_LPI) {
        return;
    }
    cpu->apr[group] &= cpu->apr[group] - 1; /* the priority that runs; 0 stays 0 */
    if (!(ctlr_of(cpu, how->secure ? V3_G1S : V3_G1NS) & V3_CTLR_EOI_MODE)) {
        deactivate(s, cpu, irq, how);
    }
    v3_update_cpu(s, cpu);
}

/* 12.2.21. */
static void send_sgi(GicV3 *s, V3Cpu *cpu, uint64_t value, V3Group group, bool ns)
{
    unsigned irq = (unsigned)bits_get(value, 24, 4), first = (unsigned)bits_get(value, 44, 4) * 16;
    uint64_t cluster = bits_get(value, 48, 8) << 32 | bits_get(value, 32, 8) << 16 | bits_get(value, 16, 8) << 8;
    bool all = bits_get(value, 40, 1);

    for (unsigned i = 0; i < s->n_cpus; i++) {
        V3Cpu *target = &s->cpus[i];
        unsigned aff0 = target->mpidr & 0xff;

        if (all ? target == cpu
                : (target->mpidr & ~UINT64_C(0xff)) != cluster || aff0 < first || aff0 >= first + 16 || !(value >> (aff0 - first) & 1)) {
            continue;
        }
        V3Group is = v3_group(s, &target->word, irq);
        /* Table 12-14: what is configured as secure is not non-secure software's to send (without GICR_NSACR). */
        if (ns ? is != V3_G1NS : is != group && !(group == V3_G1S && is == V3_G0)) {
            continue;
        }
        target->word.latched |= v3_bit(irq);
        v3_update_cpu(s, target);
    }
}

static uint32_t look(GicV3 *s, V3Cpu *cpu, V3Group group)
{
    V3Best best = v3_best(s, cpu);

    return best.irq != V3_NONE && best.group == group && cpu->igrpen[group] ? best.irq : V3_NONE;
}

/* -- registers -------------------------------------------------------------------------------------------------------------------- */

static uint64_t ctlr_read(const V3Cpu *cpu, bool ns)
{
    return cpu->ctlr[ns] | (V3_PRIORITY_BITS - 1) << CTLR_PRIORITY_BITS | CTLR_A3V; /* IDbits 0: 16 bits of interrupt number */
}

/* Priorities as non-secure software sees them: the upper half, spread over the whole (4.8.1). */
static uint64_t pmr_read(const V3Cpu *cpu, bool ns)
{
    return !ns ? cpu->pmr : cpu->pmr & 0x80 ? cpu->pmr << 1 & 0xff : 0;
}

static void pmr_write(V3Cpu *cpu, uint32_t value, bool ns)
{
    const uint32_t bits = 0xff << (8 - V3_PRIORITY_BITS) & 0xff;

    if (!ns) {
        cpu->pmr = value & bits;
    } else if (cpu->pmr & 0x80) {
        cpu->pmr = (0x80 | (value & 0xff) >> 1) & bits;
    }
}

static uint64_t rpr_read(const V3Cpu *cpu, bool ns)
{
    unsigned p = running(cpu);

    return !ns || p == 0xff ? p : p & 0x80 ? p << 1 & 0xff : 0;
}

static uint64_t bpr1_read(const V3Cpu *cpu, V3Group group)
{
    if (ctlr_of(cpu, group) & V3_CTLR_CBPR) {
        return group == V3_G1NS ? MIN(cpu->bpr[V3_G0] + 1, 7u) : cpu->bpr[V3_G0];
    }
    return cpu->bpr[group];
}

static void bpr_write(V3Cpu *cpu, V3Group group, uint32_t value)
{
    if (group != V3_G0 && (ctlr_of(cpu, group) & V3_CTLR_CBPR)) {
        if (group == V3_G1NS) {
            return;
        }
        group = V3_G0;
    }
    cpu->bpr[group] = MAX(value & 7, (uint32_t)V3_MIN_BPR + (group == V3_G1NS));
}

static bool read_common(GicV3 *s, V3Cpu *cpu, uint32_t sysreg, const GicV3Access *how, uint64_t *ret)
{
    V3Group g1 = group1(cpu, how);
    bool ns = is_ns(cpu, how);

    switch (sysreg) {
    case ICC_PMR: *ret = pmr_read(cpu, ns); return true;
    case ICC_RPR: *ret = rpr_read(cpu, ns); return true;
    case ICC_IAR0: *ret = acknowledge(s, cpu, V3_G0); return true;
    case ICC_IAR1: *ret = acknowledge(s, cpu, g1); return true;
    case ICC_HPPIR0: *ret = look(s, cpu, V3_G0); return true;
    case ICC_HPPIR1: *ret = look(s, cpu, g1); return true;
    case ICC_BPR0: *ret = cpu->bpr[V3_G0]; return true;
    case ICC_BPR1: *ret = bpr1_read(cpu, g1); return true;
    case ICC_AP0R0: *ret = cpu->apr[V3_G0]; return true;
    case ICC_AP1R0: *ret = cpu->apr[g1]; return true;
    case ICC_CTLR: *ret = ctlr_read(cpu, !how->secure && !v3_single(s)); return true;
    case ICC_IGRPEN0: *ret = cpu->igrpen[V3_G0]; return true;
    case ICC_IGRPEN1: *ret = cpu->igrpen[g1]; return true;
    default: return false;
    }
}

static bool write_common(GicV3 *s, V3Cpu *cpu, uint32_t sysreg, const GicV3Access *how, uint64_t value)
{
    V3Group g1 = group1(cpu, how);
    bool ns = is_ns(cpu, how);
    uint32_t v = (uint32_t)value;

    switch (sysreg) {
    case ICC_PMR: pmr_write(cpu, v, ns); break;
    case ICC_EOIR0: end_of_interrupt(s, cpu, v & 0xffffff, V3_G0, how); return true;
    case ICC_EOIR1: end_of_interrupt(s, cpu, v & 0xffffff, g1, how); return true;
    case ICC_DIR:
        /* 12.2.13: without the separate priority drop it is unpredictable; nothing then. */
        if (ctlr_of(cpu, how->secure ? V3_G1S : V3_G1NS) & V3_CTLR_EOI_MODE) {
            deactivate(s, cpu, v & 0xffffff, how);
        }
        return true;
    case ICC_SGI0R: send_sgi(s, cpu, value, V3_G0, ns); return true;
    case ICC_SGI1R: send_sgi(s, cpu, value, g1, ns); return true;
    case ICC_ASGI1R: send_sgi(s, cpu, value, v3_single(s) ? V3_G0 : g1 == V3_G1S ? V3_G1NS : V3_G1S, ns); return true;
    case ICC_BPR0: bpr_write(cpu, V3_G0, v); break;
    case ICC_BPR1: bpr_write(cpu, g1, v); break;
    case ICC_AP0R0: cpu->apr[V3_G0] = v; break;
    case ICC_AP1R0: cpu->apr[g1] = v; break;
    case ICC_CTLR: cpu->ctlr[!how->secure && !v3_single(s)] = v & (V3_CTLR_CBPR | V3_CTLR_EOI_MODE); break;
    case ICC_IGRPEN0: cpu->igrpen[V3_G0] = v & 1; break;
    case ICC_IGRPEN1: cpu->igrpen[g1] = v & 1; break;
    default: return false;
    }
    v3_update_cpu(s, cpu);
    return true;
}

/* EL3's: both security states at once. */
static bool read_el3(const V3Cpu *cpu, uint32_t sysreg, uint64_t *ret)
{
    switch (sysreg) {
    case ICC_SRE_EL3: *ret = SRE_EL2_BITS; return true;
    case ICC_IGRPEN1_EL3: *ret = cpu->igrpen[V3_G1NS] | cpu->igrpen[V3_G1S] << 1; return true;
    case ICC_CTLR_EL3:
        *ret = (cpu->ctlr[0] & V3_CTLR_CBPR) | (cpu->ctlr[1] & V3_CTLR_CBPR) << 1 | (cpu->ctlr[0] & V3_CTLR_EOI_MODE) << 2 |
               (cpu->ctlr[1] & V3_CTLR_EOI_MODE) << 3 | (V3_PRIORITY_BITS - 1) << CTLR_PRIORITY_BITS | CTLR_A3V;
        return true;
    default: return false;
    }
}

static bool write_el3(GicV3 *s, V3Cpu *cpu, uint32_t sysreg, uint64_t value)
{
    switch (sysreg) {
    case ICC_SRE_EL3: return true;
    case ICC_IGRPEN1_EL3:
        cpu->igrpen[V3_G1NS] = value & 1;
        cpu->igrpen[V3_G1S] = value >> 1 & 1;
        break;
    case ICC_CTLR_EL3: /* bits 0 and 1: CBPR of secure and non-secure; 3 and 4: EOImode likewise */
        cpu->ctlr[0] = (uint32_t)((value & 1) | (value >> 3 & 1) << 1);
        cpu->ctlr[1] = (uint32_t)((value >> 1 & 1) | (value >> 4 & 1) << 1);
        break;
    default: return false;
    }
    v3_update_cpu(s, cpu);
    return true;
}

/* -- who answers ------------------------------------------------------------------------------------------------------------------- */

typedef enum Kind { OF_GROUP0, OF_GROUP1, OF_BOTH, OF_SGI, OF_NONE } Kind;

static Kind kind_of(uint32_t sysreg)
{
    switch (sysreg) {
    case ICC_IAR0: case ICC_EOIR0: case ICC_HPPIR0: case ICC_BPR0: case ICC_AP0R0: case ICC_IGRPEN0: return OF_GROUP0;
    case ICC_IAR1: case ICC_EOIR1: case ICC_HPPIR1: case ICC_BPR1: case ICC_AP1R0: case ICC_IGRPEN1: return OF_GROUP1;
    case ICC_PMR: case ICC_RPR: case ICC_DIR: case ICC_CTLR: return OF_BOTH;
    case ICC_SGI0R: case ICC_SGI1R: case ICC_ASGI1R: return OF_SGI;
    default: return OF_NONE;
    }
}

/* Traps of EL1's accesses by ICH_HCR_EL2 (12.4.4), and whether the virtual interface answers. */
static GicV3Result divert(const V3Cpu *cpu, uint32_t sysreg, const GicV3Access *how, bool *ret_virtual)
{
    Kind kind = kind_of(sysreg);

    *ret_virtual = false;
    if (how->el != 1 || !how->el2 || kind == OF_NONE) {
        return GICV3_OK;
    }
    bool trap = (kind == OF_GROUP0 && (cpu->hcr & V3_HCR_TALL0)) || (kind == OF_GROUP1 && (cpu->hcr & V3_HCR_TALL1)) ||
                ((kind == OF_BOTH || kind == OF_SGI) && (cpu->hcr & V3_HCR_TC)) || (sysreg == ICC_DIR && (cpu->hcr & V3_HCR_TDIR)) ||
                (kind == OF_SGI && (how->virtual0 || how->virtual1));
    *ret_virtual = kind == OF_GROUP0 ? how->virtual0 : kind == OF_GROUP1 ? how->virtual1 : how->virtual0 || how->virtual1;
    return trap ? GICV3_TRAP_EL2 : GICV3_OK;
}

static bool is_of_el2(uint32_t sysreg)
{
    return (sysreg >> 11 & 7) == 4;
}

static bool is_of_el3(uint32_t sysreg)
{
    return (sysreg >> 11 & 7) == 6;
}

GicV3Result gicv3_sysreg_read(Device *gic, unsigned index, uint32_t sysreg, const GicV3Access *how, uint64_t *ret)
{
    GicV3 *s = (GicV3 *)gic;
    V3Cpu *cpu = &s->cpus[index];
    bool is_virtual;
    GicV3Result result = divert(cpu, sysreg, how, &is_virtual);

    if (result != GICV3_OK) {
        return result;
    }
    if (sysreg == ICC_SRE) {
        *ret = SRE_BITS;
        return GICV3_OK;
    }
    if (is_of_el2(sysreg) && how->el2 && sysreg == ICC_SRE_EL2) {
        *ret = SRE_EL2_BITS;
        return GICV3_OK;
    }
    bool ok = is_virtual ? v3_virt_read(s, cpu, sysreg, ret)
            : is_of_el2(sysreg) ? (how->el2 || how->el == 3) && v3_hyp_read(s, cpu, sysreg, ret)
            : is_of_el3(sysreg) ? how->el3 && read_el3(cpu, sysreg, ret) : read_common(s, cpu, sysreg, how, ret);
    return ok ? GICV3_OK : GICV3_UNDEFINED;
}

GicV3Result gicv3_sysreg_write(Device *gic, unsigned index, uint32_t sysreg, const GicV3Access *how, uint64_t value)
{
    GicV3 *s = (GicV3 *)gic;
    V3Cpu *cpu = &s->cpus[index];
    bool is_virtual;
    GicV3Result result = divert(cpu, sysreg, how, &is_virtual);

    if (result != GICV3_OK || sysreg == ICC_SRE || (sysreg == ICC_SRE_EL2 && how->el2)) {
        return result; /* system registers are always in use: SRE and its like say so whatever is written */
    }
    bool ok = is_virtual ? v3_virt_write(s, cpu, sysreg, value)
            : is_of_el2(sysreg) ? (how->el2 || how->el == 3) && v3_hyp_write(s, cpu, sysreg, value)
            : is_of_el3(sysreg) ? how->el3 && write_el3(s, cpu, sysreg, value) : write_common(s, cpu, sysreg, how, value);
    return ok ? GICV3_OK : GICV3_UNDEFINED;
}
