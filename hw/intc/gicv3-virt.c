/*
 * gicv3-virt.c: the virtual interface: ICV_*, which a guest has under the names of ICC_* (IHI 0069H 12.3), and the hypervisor's ICH_* with
 * the list registers (12.4); virtual LPIs of the resident virtual processor come beside those. Priorities have five bits, all of which count for preemption.
 */
#include "hw/intc/gicv3.h"

#define LR_PENDING BIT(62)
#define LR_ACTIVE BIT(63)
#define LR_STATE (LR_PENDING | LR_ACTIVE)
#define LR_HW BIT(61)
#define LR_GROUP1 BIT(60)
#define LR_EOI BIT(41)
#define LR_BITS (LR_STATE | LR_HW | LR_GROUP1 | bits_mask(48, 8) | bits_mask(32, 13) | bits_mask(0, V3_ID_BITS))
enum { VMCR_G0 = 1, VMCR_G1 = 2, VMCR_ACK = 4, VMCR_FIQ = 8, VMCR_CBPR = 16, VMCR_EOI_MODE = 512, VMCR_BPR1 = 18, VMCR_BPR0 = 21, VMCR_PMR = 24 };
enum { NO_LR = -1 };
#define HCR_COUNT (UINT32_C(31) << 27)
#define HCR_COUNT_ONE (UINT32_C(1) << 27)
#define HCR_BITS (0xffu | V3_HCR_TC | V3_HCR_TALL0 | V3_HCR_TALL1 | V3_HCR_TDIR | HCR_COUNT)
/* PRIbits, PREbits; IDbits 0: 16; A3V, TDS; nV4 where there are no virtual LPIs. */
#define VTR ((uint32_t)(V3_PRIORITY_BITS - 1) << 29 | (V3_PRIORITY_BITS - 1) << 26 | 1u << 21 | 1u << 19 | (V3_N_LRS - 1))
#define VTR_NV4 (1u << 20)

/* What a virtual processor would be told of: of a list register, or a virtual LPI. */
typedef struct Virtual {
    int lr;             /* NO_LR: a virtual LPI */
    uint32_t id;        /* V3_NONE: nothing */
    unsigned priority, group;
} Virtual;

static unsigned lr_priority(uint64_t lr)
{
    return (unsigned)bits_get(lr, 48, 8);
}

static unsigned lr_group(uint64_t lr)
{
    return lr & LR_GROUP1 ? 1 : 0;
}

static uint32_t lr_id(uint64_t lr)
{
    return (uint32_t)lr;
}

static Virtual best_virtual(const V3Cpu *cpu)
{
    Virtual best = { NO_LR, V3_NONE, 0x100, 0 };

    for (int i = 0; i < V3_N_LRS && (cpu->hcr & V3_HCR_EN); i++) {
        uint64_t lr = cpu->lr[i];

        if ((lr & LR_STATE) == LR_PENDING && (cpu->vmcr >> lr_group(lr) & 1) && lr_priority(lr) < best.priority) {
            best = (Virtual){ i, lr_id(lr), lr_priority(lr), lr_group(lr) };
        }
    }
    if ((cpu->hcr & V3_HCR_EN) && (cpu->vmcr & VMCR_G1) && cpu->vlpi.best.priority < best.priority && cpu->vlpi.best.irq != V3_NONE) {
        best = (Virtual){ NO_LR, cpu->vlpi.best.irq, cpu->vlpi.best.priority, 1 };
    }
    return best;
}

static uint8_t preemption_mask(const V3Cpu *cpu, unsigned group)
{
    bool own = group && !(cpu->vmcr & VMCR_CBPR);
    unsigned bpr = (unsigned)bits_get(cpu->vmcr, own ? VMCR_BPR1 : VMCR_BPR0, 3);

    return (uint8_t)(0xffu << MIN(own ? bpr : bpr + 1, 8u));
}

static unsigned running(const V3Cpu *cpu)
{
    uint32_t all = cpu->vapr[0] | cpu->vapr[1];

    return all ? (unsigned)__builtin_ctz(all) << (8 - V3_PRIORITY_BITS) : 0xff;
}

static bool is_signalled(const V3Cpu *cpu, const Virtual *v)
{
    return v->id != V3_NONE && v->priority < bits_get(cpu->vmcr, VMCR_PMR, 8) && (v->priority & preemption_mask(cpu, v->group)) < running(cpu);
}

static uint32_t eisr(const V3Cpu *cpu)
{
    uint32_t bits = 0;

    for (unsigned i = 0; i < V3_N_LRS; i++) {
        bits |= (uint32_t)((cpu->lr[i] & (LR_STATE | LR_HW | LR_EOI)) == LR_EOI) << i;
    }
    return bits;
}

static uint32_t elrsr(const V3Cpu *cpu)
{
    uint32_t bits = 0;

    for (unsigned i = 0; i < V3_N_LRS; i++) {
        uint64_t lr = cpu->lr[i];
        bits |= (uint32_t)(!(lr & LR_STATE) && ((lr & LR_HW) || !(lr & LR_EOI))) << i;
    }
    return bits;
}

static uint32_t misr(const V3Cpu *cpu)
{
    unsigned used = 0, pending = 0;
    uint32_t value = eisr(cpu) ? 1 : 0;

    for (unsigned i = 0; i < V3_N_LRS; i++) {
        used += (cpu->lr[i] & LR_STATE) != 0;
        pending += (cpu->lr[i] & LR_STATE) == LR_PENDING;
    }
    value |= (cpu->hcr & V3_HCR_UIE) && used < 2 ? 1u << 1 : 0;
    value |= (cpu->hcr & V3_HCR_LRENPIE) && (cpu->hcr & HCR_COUNT) ? 1u << 2 : 0;
    value |= (cpu->hcr & V3_HCR_NPIE) && !pending ? 1u << 3 : 0;
    for (unsigned group = 0; group < 2; group++) { /* enabled, then disabled */
        bool on = cpu->vmcr >> group & 1;
        value |= cpu->hcr & 1u << (V3_HCR_GROUPS + 2 * group + !on);
    }
    return value;
}

unsigned v3_virtual_lines(const V3Cpu *cpu)
{
    if (!(cpu->hcr & V3_HCR_EN)) {
        return 0;
    }
    Virtual v = best_virtual(cpu);
    unsigned lines = is_signalled(cpu, &v) ? (v.group ? 1 : 2) : 0;
    return lines | (misr(cpu) ? 4 : 0);
}

static uint32_t look(const V3Cpu *cpu, unsigned group)
{
    Virtual v = best_virtual(cpu);

    return v.group != group ? (uint32_t)V3_NONE : v.id;
}

static uint32_t acknowledge(GicV3 *s, V3Cpu *cpu, unsigned group)
{
    Virtual v = best_virtual(cpu);

    if (!is_signalled(cpu, &v) || v.group != group) {
        return V3_NONE;
    }
    cpu->vapr[group] |= UINT32_C(1) << ((v.priority & preemption_mask(cpu, group)) >> (8 - V3_PRIORITY_BITS));
    if (v.lr == NO_LR) {
        v3_lpi_set(cpu, &cpu->vlpi, v.id, false);
    } else { /* LPIs have no active state: 6.2. */
        uint64_t *lr = &cpu->lr[v.lr];
        *lr = v.id >= V3_FIRST_LPI ? *lr & ~LR_STATE : (*lr & ~LR_STATE) | LR_ACTIVE;
    }
    v3_update_cpu(s, cpu);
    return v.id;
}

static int active_lr(const V3Cpu *cpu, uint32_t id)
{
    for (int i = 0; i < V3_N_LRS; i++) {
        if ((cpu->lr[i] & LR_ACTIVE) && lr_id(cpu->lr[i]) == id) {
            return i;
        }
    }
    return NO_LR;
}

static void deactivate(GicV3 *s, V3Cpu *cpu, int n)
{
    uint64_t lr = cpu->lr[n];
    unsigned physical = (unsigned)bits_get(lr, 32, 13);

    cpu->lr[n] = lr & ~LR_ACTIVE;
    if ((lr & LR_HW) && physical / 32 < s->n_words && physical >= 16) {
        v3_word(s, cpu, physical / 32)->active &= ~v3_bit(physical);
        V3Cpu *target = physical < GIC_FIRST_SPI ? cpu : v3_target(s, physical);
        if (target) {
            v3_update_cpu(s, target);
        }
    }
}

static void end_of_interrupt(GicV3 *s, V3Cpu *cpu, uint32_t id, unsigned group)
{
    if (id >= 1020 && id < V3_FIRST_LPI) {
        return;
    }
    if (!(cpu->vapr[0] | cpu->vapr[1])) {
        return; /* nothing is active: nothing to drop, nothing to count */
    }
    cpu->vapr[group] &= cpu->vapr[group] - 1;
    if (!(cpu->vmcr & VMCR_EOI_MODE)) {
        int n = active_lr(cpu, id);

        if (n != NO_LR) {
            deactivate(s, cpu, n);
        } else if (id < V3_FIRST_LPI) {
            cpu->hcr += HCR_COUNT_ONE; /* 12.4.4 EOIcount; wraps within its bits */
        }
    }
}

static void put_vmcr(V3Cpu *cpu, unsigned shift, unsigned bits, uint32_t value)
{
    cpu->vmcr = (uint32_t)bits_set(cpu->vmcr, shift, bits, value);
}

static void put_bpr(V3Cpu *cpu, unsigned group, uint32_t value)
{
    put_vmcr(cpu, group ? VMCR_BPR1 : VMCR_BPR0, 3, MAX(value & 7, (uint32_t)V3_MIN_BPR + group));
}

bool v3_virt_read(GicV3 *s, V3Cpu *cpu, uint32_t sysreg, uint64_t *ret)
{
    switch (sysreg) {
    case ICC_PMR: *ret = bits_get(cpu->vmcr, VMCR_PMR, 8); return true;
    case ICC_RPR: *ret = running(cpu); return true;
    case ICC_IAR0: *ret = acknowledge(s, cpu, 0); return true;
    case ICC_IAR1: *ret = acknowledge(s, cpu, 1); return true;
    case ICC_HPPIR0: *ret = look(cpu, 0); return true;
    case ICC_HPPIR1: *ret = look(cpu, 1); return true;
    case ICC_BPR0: *ret = bits_get(cpu->vmcr, VMCR_BPR0, 3); return true;
    case ICC_BPR1:
        *ret = cpu->vmcr & VMCR_CBPR ? MIN(bits_get(cpu->vmcr, VMCR_BPR0, 3) + 1, UINT64_C(7)) : bits_get(cpu->vmcr, VMCR_BPR1, 3);
        return true;
    case ICC_AP0R0: *ret = cpu->vapr[0]; return true;
    case ICC_AP1R0: *ret = cpu->vapr[1]; return true;
    case ICC_CTLR:
        *ret = 1u << 15 | (V3_PRIORITY_BITS - 1) << 8 | (cpu->vmcr & VMCR_EOI_MODE ? V3_CTLR_EOI_MODE : 0) | (cpu->vmcr & VMCR_CBPR ? V3_CTLR_CBPR : 0);
        return true;
    case ICC_IGRPEN0: *ret = cpu->vmcr & VMCR_G0; return true;
    case ICC_IGRPEN1: *ret = (cpu->vmcr & VMCR_G1) != 0; return true;
    default: return false;
    }
}

bool v3_virt_write(GicV3 *s, V3Cpu *cpu, uint32_t sysreg, uint64_t value)
{
    uint32_t v = (uint32_t)value;
    int n;

    switch (sysreg) {
    case ICC_PMR: put_vmcr(cpu, VMCR_PMR, 8, v & (0xff << (8 - V3_PRIORITY_BITS) & 0xff)); break;
    case ICC_EOIR0: end_of_interrupt(s, cpu, v & 0xffffff, 0); break;
    case ICC_EOIR1: end_of_interrupt(s, cpu, v & 0xffffff, 1); break;
    case ICC_DIR:
        n = cpu->vmcr & VMCR_EOI_MODE ? active_lr(cpu, v & 0xffffff) : NO_LR;
        if (n != NO_LR) {
            deactivate(s, cpu, n);
        }
        break;
    case ICC_BPR0: put_bpr(cpu, 0, v); break;
    case ICC_BPR1:
        if (!(cpu->vmcr & VMCR_CBPR)) {
            put_bpr(cpu, 1, v);
        }
        break;
    case ICC_AP0R0: cpu->vapr[0] = v; break;
    case ICC_AP1R0: cpu->vapr[1] = v; break;
    case ICC_CTLR:
        put_vmcr(cpu, 4, 1, v & V3_CTLR_CBPR ? 1 : 0);
        put_vmcr(cpu, 9, 1, v & V3_CTLR_EOI_MODE ? 1 : 0);
        break;
    case ICC_IGRPEN0: put_vmcr(cpu, 0, 1, v & 1); break;
    case ICC_IGRPEN1: put_vmcr(cpu, 1, 1, v & 1); break;
    default: return false;
    }
    v3_update_cpu(s, cpu);
    return true;
}

/* -- the hypervisor's -------------------------------------------------------------------------------------------------------------- */

static uint64_t *lr_at(V3Cpu *cpu, uint32_t sysreg)
{
    return sysreg >= ICH_LR0 && sysreg < ICH_LR0 + V3_N_LRS ? &cpu->lr[sysreg - ICH_LR0] : NULL;
}

bool v3_hyp_read(GicV3 *s, V3Cpu *cpu, uint32_t sysreg, uint64_t *ret)
{
    uint64_t *lr = lr_at(cpu, sysreg);

    switch (sysreg) {
    case ICH_HCR: *ret = cpu->hcr; return true;
    case ICH_VTR: *ret = VTR | (s->revision == 4 ? 0 : VTR_NV4); return true;
    case ICH_VMCR: *ret = cpu->vmcr; return true;
    case ICH_MISR: *ret = misr(cpu); return true;
    case ICH_EISR: *ret = eisr(cpu); return true;
    case ICH_ELRSR: *ret = elrsr(cpu); return true;
    case ICH_AP0R0: *ret = cpu->vapr[0]; return true;
    case ICH_AP1R0: *ret = cpu->vapr[1]; return true;
    default:
        if (lr) {
            *ret = *lr;
        }
        return lr != NULL;
    }
}

bool v3_hyp_write(GicV3 *s, V3Cpu *cpu, uint32_t sysreg, uint64_t value)
{
    uint64_t *lr = lr_at(cpu, sysreg);
    uint32_t v = (uint32_t)value;

    switch (sysreg) {
    case ICH_HCR: cpu->hcr = v & HCR_BITS; break;
    case ICH_VMCR:
        /* VFIQEn is one: with system registers group 0 is always a FIQ (12.4.10). */
        cpu->vmcr = VMCR_FIQ | (v & (VMCR_G0 | VMCR_G1 | VMCR_CBPR | VMCR_EOI_MODE));
        put_vmcr(cpu, VMCR_PMR, 8, v >> VMCR_PMR & (0xff << (8 - V3_PRIORITY_BITS) & 0xff));
        put_bpr(cpu, 0, v >> VMCR_BPR0);
        put_bpr(cpu, 1, v >> VMCR_BPR1);
        break;
    case ICH_AP0R0: cpu->vapr[0] = v; break;
    case ICH_AP1R0: cpu->vapr[1] = v; break;
    default:
        if (!lr) {
            return false;
        }
        *lr = value & LR_BITS & ~(uint64_t)bits_mask(48, 8 - V3_PRIORITY_BITS);
    }
    v3_update_cpu(s, cpu);
    return true;
}
