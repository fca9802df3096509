/*
 * gicv2-virt.c: the virtual interface of a GICv2 (IHI 0048B chapter 5): the hypervisor's control registers GICH_* with the list registers,
 * and GICV_*, which a guest has in the place of a CPU interface.
 *
 * Priorities have five bits here, all of which count for preemption.
 */
#include "hw/intc/gicv2.h"
#include "util/bits.h"
#include "util/log.h"

enum {
    GICH_HCR = 0x00, GICH_VTR = 0x04, GICH_VMCR = 0x08, GICH_MISR = 0x10, GICH_EISR0 = 0x20, GICH_ELRSR0 = 0x30, GICH_APR = 0xf0,
    GICH_LR = 0x100,
};
enum {
    GICV_CTLR = 0x00, GICV_PMR = 0x04, GICV_BPR = 0x08, GICV_IAR = 0x0c, GICV_EOIR = 0x10, GICV_RPR = 0x14, GICV_HPPIR = 0x18,
    GICV_ABPR = 0x1c, GICV_AIAR = 0x20, GICV_AEOIR = 0x24, GICV_AHPPIR = 0x28, GICV_APR = 0xd0, GICV_IIDR = 0xfc, GICV_DIR = 0x1000,
};
enum { HCR_EN = 1, HCR_UIE = 2, HCR_LRENPIE = 4, HCR_NPIE = 8, HCR_GROUP_SHIFT = 4, HCR_BITS_LOW = 0xff };
#define HCR_COUNT_ONE (UINT32_C(1) << 27)
#define HCR_COUNT (UINT32_C(31) << 27)
#define VTR (UINT32_C(4) << 29 | 4u << 26 | (V2_N_LRS - 1)) /* five bits of priority and of preemption */
#define LR_PENDING (UINT32_C(1) << 28)
#define LR_ACTIVE (UINT32_C(1) << 29)
#define LR_GROUP1 (UINT32_C(1) << 30)
#define LR_HW (UINT32_C(1) << 31)
#define LR_EOI (UINT32_C(1) << 19)
#define LR_STATE (LR_PENDING | LR_ACTIVE)
enum { VMCR_CTLR = 0x21f, VMCR_ABP = 18, VMCR_BP = 21, VMCR_PMR = 27 };

static unsigned lr_priority(uint32_t lr)
{
    return (unsigned)bits_get(lr, 23, 5) << 3;
}

/* The list register with the pending interrupt of the highest priority, group enables applied; -1: none. */
static int best_lr(const V2Cpu *cpu)
{
    int best = -1;
    unsigned priority = 0x100;

    for (int i = 0; i < V2_N_LRS && (cpu->hcr & HCR_EN); i++) {
        uint32_t lr = cpu->lr[i];

        if ((lr & LR_STATE) == LR_PENDING && (cpu->vmcr >> !!(lr & LR_GROUP1) & 1) && lr_priority(lr) < priority) {
            best = i;
            priority = lr_priority(lr);
        }
    }
    return best;
}

static uint8_t preemption_mask(const V2Cpu *cpu, bool group1)
{
    bool shared = cpu->vmcr & V2_CTLR_CBPR;

    return v2_group_mask((unsigned)bits_get(cpu->vmcr, group1 && !shared ? VMCR_ABP : VMCR_BP, 3), group1, shared);
}

static unsigned running(const V2Cpu *cpu)
{
    return cpu->vapr ? (unsigned)__builtin_ctz(cpu->vapr) << 3 : 0xff;
}

static bool is_signalled(const V2Cpu *cpu, int n)
{
    if (n < 0) {
        return false;
    }
    unsigned p = lr_priority(cpu->lr[n]);

    return p < (unsigned)bits_get(cpu->vmcr, VMCR_PMR, 5) << 3 && (p & preemption_mask(cpu, cpu->lr[n] & LR_GROUP1)) < running(cpu);
}

static uint32_t eisr(const V2Cpu *cpu)
{
    uint32_t bits = 0;

    for (unsigned i = 0; i < V2_N_LRS; i++) {
        bits |= (uint32_t)((cpu->lr[i] & (LR_STATE | LR_HW | LR_EOI)) == LR_EOI) << i;
    }
    return bits;
}

static uint32_t elrsr(const V2Cpu *cpu)
{
    uint32_t bits = 0;

    for (unsigned i = 0; i < V2_N_LRS; i++) {
        uint32_t lr = cpu->lr[i];
        bits |= (uint32_t)(!(lr & LR_STATE) && ((lr & LR_HW) || !(lr & LR_EOI))) << i;
    }
    return bits;
}

/* 5.3.4 */
static uint32_t misr(const V2Cpu *cpu)
{
    unsigned used = 0, pending = 0;
    uint32_t value = eisr(cpu) ? 1 : 0;

    for (unsigned i = 0; i < V2_N_LRS; i++) {
        used += (cpu->lr[i] & LR_STATE) != 0;
        pending += (cpu->lr[i] & LR_STATE) == LR_PENDING;
    }
    value |= (cpu->hcr & HCR_UIE) && used < 2 ? 1u << 1 : 0;
    value |= (cpu->hcr & HCR_LRENPIE) && (cpu->hcr & HCR_COUNT) ? 1u << 2 : 0;
    value |= (cpu->hcr & HCR_NPIE) && !pending ? 1u << 3 : 0;
    for (unsigned group = 0; group < 2; group++) { /* enabled, then disabled */
        bool on = cpu->vmcr >> group & 1;
        unsigned bit = HCR_GROUP_SHIFT + 2 * group + !on;
        value |= cpu->hcr & 1u << bit;
    }
    return value;
}

unsigned v2_virtual_lines(const V2Cpu *cpu)
{
    int n = best_lr(cpu);
    unsigned lines = 0;

    if (is_signalled(cpu, n)) {
        lines = !(cpu->lr[n] & LR_GROUP1) && (cpu->vmcr & V2_CTLR_FIQ) ? 2 : 1;
    }
    return lines | ((cpu->hcr & HCR_EN) && misr(cpu) ? 4 : 0);
}

static uint32_t lr_id(uint32_t lr)
{
    return (lr & 0x3ff) | (lr & LR_HW ? 0 : lr & 7 << 10);
}

/* Group 1 by the aliased registers only, unless AckCtl. */
static uint32_t looked_at(const V2Cpu *cpu, int n, bool as_group1)
{
    if (n < 0) {
        return V2_NONE;
    }
    bool group1 = cpu->lr[n] & LR_GROUP1;
    if (as_group1) {
        return group1 ? lr_id(cpu->lr[n]) : V2_NONE;
    }
    return group1 && !(cpu->vmcr & V2_CTLR_ACK) ? V2_NONE_OTHER_GROUP : lr_id(cpu->lr[n]);
}

static uint32_t acknowledge(V2Cpu *cpu, bool as_group1)
{
    int n = best_lr(cpu);

    if (!is_signalled(cpu, n)) {
        return V2_NONE;
    }
    uint32_t id = looked_at(cpu, n, as_group1);
    if ((id & 0x3ff) < V2_NONE_OTHER_GROUP) {
        uint32_t *lr = &cpu->lr[n];

        cpu->vapr |= UINT32_C(1) << ((lr_priority(*lr) & preemption_mask(cpu, *lr & LR_GROUP1)) >> 3);
        *lr = (*lr & ~LR_STATE) | LR_ACTIVE;
        v2_update_cpu(cpu->gic, cpu);
    }
    return id;
}

static int active_lr(const V2Cpu *cpu, uint32_t id)
{
    for (int i = 0; i < V2_N_LRS; i++) {
        if ((cpu->lr[i] & LR_ACTIVE) && (cpu->lr[i] & 0x3ff) == (id & 0x3ff)) {
            return i;
        }
    }
    return -1;
}

static void deactivate(V2Cpu *cpu, int n)
{
    uint32_t lr = cpu->lr[n];
    unsigned physical = (unsigned)bits_get(lr, 10, 10);

    cpu->lr[n] = lr & ~LR_ACTIVE;
    if ((lr & LR_HW) && physical / 32 < cpu->gic->n_words && physical >= V2_N_SGIS) {
        v2_word(cpu->gic, cpu, physical / 32)->active &= ~v2_bit(physical);
    }
}

static void end_of_interrupt(V2Cpu *cpu, uint32_t value)
{
    if ((value & 0x3ff) >= 1020) {
        return;
    }
    cpu->vapr &= cpu->vapr - 1; /* 0 stays 0 */
    if (!(cpu->vmcr & V2_CTLR_EOI_MODE)) {
        int n = active_lr(cpu, value);

        if (n >= 0) {
            deactivate(cpu, n);
        } else {
            cpu->hcr += HCR_COUNT_ONE; /* 5.3.1 EOICount; wraps within its bits */
        }
    }
    v2_update(cpu->gic);
}

static MemResult vcpu_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    V2Cpu *cpu = opaque;

    switch (offset) {
    case GICV_CTLR: *ret = cpu->vmcr & VMCR_CTLR; break;
    case GICV_PMR: *ret = bits_get(cpu->vmcr, VMCR_PMR, 5) << 3; break;
    case GICV_BPR: *ret = bits_get(cpu->vmcr, VMCR_BP, 3); break;
    case GICV_ABPR: *ret = bits_get(cpu->vmcr, VMCR_ABP, 3); break;
    case GICV_IAR: *ret = acknowledge(cpu, false); break;
    case GICV_AIAR: *ret = acknowledge(cpu, true); break;
    case GICV_RPR: *ret = running(cpu); break;
    case GICV_HPPIR: *ret = looked_at(cpu, best_lr(cpu), false); break;
    case GICV_AHPPIR: *ret = looked_at(cpu, best_lr(cpu), true); break;
    case GICV_APR: *ret = cpu->vapr; break;
    case GICV_IIDR: *ret = 0x0002043b; break;
    default: *ret = 0;
    }
    return MEM_OK;
}

static void set_vmcr_bpr(V2Cpu *cpu, unsigned shift, unsigned lowest, uint32_t value)
{
    cpu->vmcr = (uint32_t)bits_set(cpu->vmcr, shift, 3, MAX(value & 7, lowest));
}

static MemResult vcpu_write(void *opaque, uint64_t offset, unsigned size, uint64_t wide, MemAttrs attrs)
{
    V2Cpu *cpu = opaque;
    uint32_t value = (uint32_t)wide;
    int n;

    switch (offset) {
    case GICV_CTLR: cpu->vmcr = (cpu->vmcr & ~(uint32_t)VMCR_CTLR) | (value & VMCR_CTLR); break;
    case GICV_PMR: cpu->vmcr = (uint32_t)bits_set(cpu->vmcr, VMCR_PMR, 5, value >> 3 & 31); break;
    case GICV_BPR: set_vmcr_bpr(cpu, VMCR_BP, 2, value); break;
    case GICV_ABPR: set_vmcr_bpr(cpu, VMCR_ABP, 3, value); break;
    case GICV_EOIR: case GICV_AEOIR: end_of_interrupt(cpu, value); break;
    case GICV_APR: cpu->vapr = value; break;
    case GICV_DIR:
        n = active_lr(cpu, value);
        if (n >= 0 && (cpu->vmcr & V2_CTLR_EOI_MODE)) {
            deactivate(cpu, n);
            v2_update(cpu->gic);
        }
        break;
    }
    v2_update_cpu(cpu->gic, cpu);
    return MEM_OK;
}

static MemResult vctrl_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    V2Cpu *cpu = opaque;

    switch (offset) {
    case GICH_HCR: *ret = cpu->hcr; break;
    case GICH_VTR: *ret = VTR; break;
    case GICH_VMCR: *ret = cpu->vmcr; break;
    case GICH_MISR: *ret = misr(cpu); break;
    case GICH_EISR0: *ret = eisr(cpu); break;
    case GICH_ELRSR0: *ret = elrsr(cpu); break;
    case GICH_APR: *ret = cpu->vapr; break;
    default: *ret = offset >= GICH_LR && offset < GICH_LR + 4 * V2_N_LRS ? cpu->lr[(offset - GICH_LR) / 4] : 0;
    }
    return MEM_OK;
}

static MemResult vctrl_write(void *opaque, uint64_t offset, unsigned size, uint64_t wide, MemAttrs attrs)
{
    V2Cpu *cpu = opaque;
    uint32_t value = (uint32_t)wide;

    switch (offset) {
    case GICH_HCR: cpu->hcr = value & (HCR_BITS_LOW | HCR_COUNT); break;
    case GICH_VMCR:
        cpu->vmcr = value & (VMCR_CTLR | 7u << VMCR_ABP | 7u << VMCR_BP | UINT32_C(31) << VMCR_PMR);
        set_vmcr_bpr(cpu, VMCR_BP, 2, value >> VMCR_BP);
        set_vmcr_bpr(cpu, VMCR_ABP, 3, value >> VMCR_ABP);
        break;
    case GICH_APR: cpu->vapr = value; break;
    default:
        if (offset < GICH_LR || offset >= GICH_LR + 4 * V2_N_LRS) {
            log_guest_error("arm_gic: write of 0x%x to virtual interface register 0x%x\n", value, (unsigned)offset);
            return MEM_OK;
        }
        cpu->lr[(offset - GICH_LR) / 4] = value & ~(UINT32_C(7) << 20);
    }
    v2_update_cpu(cpu->gic, cpu);
    return MEM_OK;
}

const MemoryOps v2_vctrl_ops = {
    .read = vctrl_read, .write = vctrl_write, .endian = MEM_LITTLE_ENDIAN, .valid = { .min = 4, .max = 4 },
};
const MemoryOps v2_vcpu_ops = {
    .read = vcpu_read, .write = vcpu_write, .endian = MEM_LITTLE_ENDIAN, .valid = { .min = 4, .max = 4 },
};
