/*
 * gicv2.h: between the files of the GICv2: its state.
 */
#ifndef HW_INTC_GICV2_H
#define HW_INTC_GICV2_H

#include "hw/arm/gic.h"
#include "hw/intc/gic-word.h"

enum { V2_MAX_WORDS = 32, V2_N_SGIS = 16, V2_N_APRS = 4, V2_N_LRS = 4, V2_NONE = 1023, V2_NONE_OTHER_GROUP = 1022 };

enum { /* GICC_CTLR (4.4.1); of a non-secure access bit 0 is bit 1, and so on */
    V2_CTLR_GROUP0 = 1 << 0, V2_CTLR_GROUP1 = 1 << 1, V2_CTLR_ACK = 1 << 2, V2_CTLR_FIQ = 1 << 3, V2_CTLR_CBPR = 1 << 4,
    V2_CTLR_EOI_MODE = 1 << 9, V2_CTLR_EOI_MODE_NS = 1 << 10,
};

typedef struct GicV2 GicV2;

/* What a processor sees of it; also the opaque of its regions. */
typedef struct V2Cpu {
    GicV2 *gic;
    unsigned index;
    GicWord word;                       /* SGIs and PPIs */
    uint8_t sgi_from[V2_N_SGIS];        /* a bit for each processor that has sent it */
    uint32_t ctlr, pmr, bpr, abpr;
    uint32_t apr[V2_N_APRS], nsapr[V2_N_APRS]; /* active priorities of groups 0 and 1 */
    /* Virtual interface (IHI 0048B chapter 5). */
    uint32_t hcr, vmcr, vapr;
    uint32_t lr[V2_N_LRS];
    uint8_t lines;                      /* as last driven: irq, fiq, virq, vfiq, maintenance */
    MemoryRegion regions[GICV2_N_VIEWS];
} V2Cpu;

struct GicV2 {
    Device dev;
    uint32_t n_cpus, n_irqs, priority_bits, revision;
    bool security, virtualization;
    bool reset_nonsecure;               /* interrupts begin in group 1, as firmware would leave them to a kernel */
    unsigned n_words;                   /* GicWords */
    uint32_t ctlr;                      /* GICD_CTLR: groups */
    GicWord spi[V2_MAX_WORDS - 1];
    uint8_t targets[V2_MAX_WORDS * 32]; /* of SPIs, by interrupt number */
    V2Cpu cpus[GICV2_MAX_CPUS];
};

static inline GicWord *v2_word(GicV2 *s, V2Cpu *cpu, unsigned word)
{
    return word ? &s->spi[word - 1] : &cpu->word;
}
static inline uint32_t v2_bit(unsigned irq)
{
    return UINT32_C(1) << irq % 32;
}
/* A GICv1 without the Security Extensions has no groups (IHI 0048B, 2.3.1). */
static inline bool v2_has_groups(const GicV2 *s)
{
    return s->revision > 1;
}
/* Whether an access is held to what non-secure software may do (4.1.5). */
static inline bool v2_is_ns(const GicV2 *s, MemAttrs attrs)
{
    return s->security && !attrs.secure;
}

/* Drives the lines of one processor, or of all, from the state. */
void v2_update_cpu(GicV2 *s, V2Cpu *cpu);
void v2_update(GicV2 *s);

/* The pending interrupt of the highest priority that the distributor forwards to this processor; V2_NONE without. */
typedef struct V2Best { unsigned irq; uint8_t priority; bool group1; } V2Best;
V2Best v2_best(GicV2 *s, V2Cpu *cpu);

extern const MemoryOps v2_dist_ops, v2_cpu_ops, v2_vctrl_ops, v2_vcpu_ops;
/* Lines of the virtual interface: bits 0 virq, 1 vfiq, 2 maintenance. */
unsigned v2_virtual_lines(const V2Cpu *cpu);
/* Group priority: bits of a priority that decide about preemption; group 1 of GICC_CTLR.CBPR as group 0. */
uint8_t v2_group_mask(unsigned bpr, bool group1, bool shared);
unsigned v2_lowest_active(const uint32_t *apr);

#endif
