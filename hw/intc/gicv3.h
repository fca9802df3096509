/*
 * gicv3.h: between the files of the GICv3: its state.
 */
#ifndef HW_INTC_GICV3_H
#define HW_INTC_GICV3_H

#include "hw/arm/gic.h"
#include "hw/intc/gic-word.h"
#include "util/bits.h"

enum {
    V3_MAX_WORDS = 32, V3_MAX_IRQS = 1020, V3_N_LRS = 4, V3_NONE = 1023,
    V3_PRIORITY_BITS = 5, V3_MIN_BPR = 7 - V3_PRIORITY_BITS,
    V3_ID_BITS = 16, V3_FIRST_LPI = 8192, V3_N_LPI_WORDS = (1 << V3_ID_BITS) / 32, V3_N_LPI_SUMMARY = V3_N_LPI_WORDS / 32,
};

/* Interrupt groups; the order of arrays. */
typedef enum V3Group { V3_G0, V3_G1S, V3_G1NS, V3_N_GROUPS } V3Group;

enum { /* GICD_CTLR of a secure access */
    V3_DCTLR_G0 = 1 << 0, V3_DCTLR_G1NS = 1 << 1, V3_DCTLR_G1S = 1 << 2, V3_DCTLR_ARE_S = 1 << 4, V3_DCTLR_ARE_NS = 1 << 5,
    V3_DCTLR_DS = 1 << 6,
};

enum { V3_RCTLR_LPIS = 1 << 0 };  /* GICR_CTLR.EnableLPIs */
#define V3_VPEND_VALID BIT(63)    /* GICR_VPENDBASER: a virtual processor is resident */

enum { /* ICH_HCR_EL2 */
    V3_HCR_EN = 1 << 0, V3_HCR_UIE = 1 << 1, V3_HCR_LRENPIE = 1 << 2, V3_HCR_NPIE = 1 << 3, V3_HCR_GROUPS = 4, V3_HCR_TC = 1 << 10,
    V3_HCR_TALL0 = 1 << 11, V3_HCR_TALL1 = 1 << 12, V3_HCR_TDIR = 1 << 14,
};

typedef struct GicV3 GicV3;

typedef struct V3Best {
    unsigned irq;       /* V3_NONE: none */
    uint8_t priority;
    uint8_t group;      /* V3Group */
} V3Best;

/* Message interrupts: a redistributor's, or (GICv4) those of the virtual processor that is resident on it. */
typedef struct V3Lpis {
    bool on;                       /* GICR_CTLR.EnableLPIs, GICR_VPENDBASER.Valid */
    bool is_virtual;
    bool stale;                    /* best is to be found again */
    bool table_is_zero;            /* GICR_PENDBASER.PTZ as last written: the table need not be read */
    uint64_t propbaser, pendbaser; /* the registers */
    uint32_t *pending, *summary;   /* a bit an LPI; a bit a word of it that is not zero. While `on` */
    uint32_t n_words;
    V3Best best;
} V3Lpis;

/* A processor: redistributor and interface. */
typedef struct V3Cpu {
    GicV3 *gic;
    unsigned index;
    uint64_t mpidr;
    MemoryRegion redist;
    uint8_t lines;                 /* as last driven */
    bool in_secure;                /* the processor is in secure state */
    uint32_t routed[V3_MAX_WORDS]; /* SPIs whose GICD_IROUTER names it */
    /* Redistributor. */
    GicWord word;
    uint32_t rctlr, waker;
    bool last_of_region;           /* of those that lie one after the other in memory */
    V3Lpis lpi, vlpi;
    /* Interface: by group where there is a register for each. */
    uint32_t ctlr[2];              /* ICC_CTLR_EL1 of secure, non-secure: CBPR and EOImode */
    uint32_t pmr, bpr[V3_N_GROUPS], apr[V3_N_GROUPS], igrpen[V3_N_GROUPS];
    /* Virtual interface. */
    uint32_t hcr, vmcr, vapr[2];
    uint64_t lr[V3_N_LRS];
} V3Cpu;

struct GicV3 {
    Device dev;
    uint32_t n_cpus, n_irqs, revision;
    bool security, has_lpi;
    bool reset_nonsecure; /* interrupts begin in non-secure group 1, as firmware would leave them to a kernel */
    unsigned n_words;              /* GicWords */
    uint32_t ctlr;                 /* GICD_CTLR, secure view */
    GicWord spi[V3_MAX_WORDS - 1];
    uint64_t router[V3_MAX_IRQS];
    V3Cpu *cpus;
    MemoryRegion dist;
};

static inline GicWord *v3_word(GicV3 *s, V3Cpu *cpu, unsigned word)
{
    return word ? &s->spi[word - 1] : &cpu->word;
}
static inline uint32_t v3_bit(unsigned irq)
{
    return UINT32_C(1) << irq % 32;
}
/* One security state only: GICD_CTLR.DS. */
static inline bool v3_single(const GicV3 *s)
{
    return s->ctlr & V3_DCTLR_DS;
}
/* Whether an access to registers in memory is held to what non-secure software may do. */
static inline bool v3_is_ns(const GicV3 *s, MemAttrs attrs)
{
    return !v3_single(s) && !attrs.secure;
}
/* The interrupts of a word that such an access may see: group 1 of non-secure (12.9.x "RAZ/WI"). */
static inline uint32_t v3_visible(const GicWord *w, bool ns)
{
    return ns ? w->group : UINT32_MAX;
}
V3Group v3_group(const GicV3 *s, const GicWord *w, unsigned n);

/* gicv3.c */
V3Best v3_best(GicV3 *s, V3Cpu *cpu);
void v3_update_cpu(GicV3 *s, V3Cpu *cpu);
void v3_update(GicV3 *s);
/* Whom an SPI goes to; NULL: nobody. */
V3Cpu *v3_target(GicV3 *s, unsigned irq);
void v3_reroute(GicV3 *s);
V3Cpu *v3_cpu_by_affinity(GicV3 *s, uint64_t mpidr);
/* gicv3-dist.c */
extern const MemoryOps v3_dist_ops;
/* Bits, bytes and pairs of bits that distributor and redistributors have alike. false: another register. */
bool v3_word_read(GicV3 *s, GicWord *w, uint64_t offset, unsigned size, bool ns, uint64_t *ret);
bool v3_word_write(GicV3 *s, GicWord *w, uint64_t offset, unsigned size, uint64_t value, bool ns, bool sgis);
uint32_t v3_id_read(const GicV3 *s, uint64_t offset, uint8_t part);
/* gicv3-redist.c */
extern const MemoryOps v3_redist_ops;
/* gicv3-lpi.c */
void v3_lpi_init(V3Lpis *l, bool is_virtual);
void v3_lpi_free(V3Lpis *l);
void v3_lpi_reset(V3Lpis *l);
/* Takes the pending bits from the guest's table; gives them back. */
void v3_lpi_enable(V3Cpu *cpu, V3Lpis *l);
void v3_lpi_disable(V3Cpu *cpu, V3Lpis *l);
bool v3_lpi_is_pending(const V3Lpis *l, uint32_t lpi);
void v3_lpi_set(V3Cpu *cpu, V3Lpis *l, uint32_t lpi, bool pending);
void v3_lpi_move_all(V3Cpu *from, V3Cpu *to);
void v3_lpi_find_best(V3Cpu *cpu, V3Lpis *l);
void v3_lpi_rebuild_summary(V3Cpu *cpu, V3Lpis *l);
/* The table of pending bits that is in use. */
gpa v3_lpi_table(const V3Lpis *l);
/* gicv3-cpu.c */
bool v3_can_signal(const V3Cpu *cpu, V3Best best);
/* gicv3-virt.c. Lines: bits 0 virq, 1 vfiq, 2 maintenance. */
unsigned v3_virtual_lines(const V3Cpu *cpu);
bool v3_virt_read(GicV3 *s, V3Cpu *cpu, uint32_t sysreg, uint64_t *ret);
bool v3_virt_write(GicV3 *s, V3Cpu *cpu, uint32_t sysreg, uint64_t value);
bool v3_hyp_read(GicV3 *s, V3Cpu *cpu, uint32_t sysreg, uint64_t *ret);
bool v3_hyp_write(GicV3 *s, V3Cpu *cpu, uint32_t sysreg, uint64_t value);

/* System registers of the interface: CRn, CRm, op2 of op0 3, op1 0; and EL2's and EL3's. */
#define V3_SYSREG(op1, crn, crm, op2) ((uint32_t)3 << 14 | (op1) << 11 | (crn) << 7 | (crm) << 3 | (op2))
enum {
    ICC_PMR = V3_SYSREG(0, 4, 6, 0), ICC_IAR0 = V3_SYSREG(0, 12, 8, 0), ICC_EOIR0 = V3_SYSREG(0, 12, 8, 1), ICC_HPPIR0 = V3_SYSREG(0, 12, 8, 2),
    ICC_BPR0 = V3_SYSREG(0, 12, 8, 3), ICC_AP0R0 = V3_SYSREG(0, 12, 8, 4), ICC_AP1R0 = V3_SYSREG(0, 12, 9, 0), ICC_DIR = V3_SYSREG(0, 12, 11, 1),
    ICC_RPR = V3_SYSREG(0, 12, 11, 3), ICC_SGI1R = V3_SYSREG(0, 12, 11, 5), ICC_ASGI1R = V3_SYSREG(0, 12, 11, 6),
    ICC_SGI0R = V3_SYSREG(0, 12, 11, 7), ICC_IAR1 = V3_SYSREG(0, 12, 12, 0), ICC_EOIR1 = V3_SYSREG(0, 12, 12, 1),
    ICC_HPPIR1 = V3_SYSREG(0, 12, 12, 2), ICC_BPR1 = V3_SYSREG(0, 12, 12, 3), ICC_CTLR = V3_SYSREG(0, 12, 12, 4),
    ICC_SRE = V3_SYSREG(0, 12, 12, 5), ICC_IGRPEN0 = V3_SYSREG(0, 12, 12, 6), ICC_IGRPEN1 = V3_SYSREG(0, 12, 12, 7),
    ICH_AP0R0 = V3_SYSREG(4, 12, 8, 0), ICH_AP1R0 = V3_SYSREG(4, 12, 9, 0), ICC_SRE_EL2 = V3_SYSREG(4, 12, 9, 5),
    ICH_HCR = V3_SYSREG(4, 12, 11, 0), ICH_VTR = V3_SYSREG(4, 12, 11, 1), ICH_MISR = V3_SYSREG(4, 12, 11, 2),
    ICH_EISR = V3_SYSREG(4, 12, 11, 3), ICH_ELRSR = V3_SYSREG(4, 12, 11, 5), ICH_VMCR = V3_SYSREG(4, 12, 11, 7),
    ICH_LR0 = V3_SYSREG(4, 12, 12, 0), ICC_CTLR_EL3 = V3_SYSREG(6, 12, 12, 4), ICC_SRE_EL3 = V3_SYSREG(6, 12, 12, 5),
    ICC_IGRPEN1_EL3 = V3_SYSREG(6, 12, 12, 7),
};
enum { V3_CTLR_CBPR = 1 << 0, V3_CTLR_EOI_MODE = 1 << 1 };

#endif
