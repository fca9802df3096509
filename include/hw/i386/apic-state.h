/*
 * apic-state.h: the state of local and I/O APICs, ours or a copy of those that an accelerator has (kvm-apic, kvm-ioapic).
 */
#ifndef HW_I386_APIC_STATE_H
#define HW_I386_APIC_STATE_H

#include "hw/i386/apic.h"
#include "softmmu/clock.h"

enum { /* register numbers: offset >> 4, and MSR - 0x800 */
    LAPIC_ID = 0x02, LAPIC_VERSION = 0x03, LAPIC_TPR = 0x08, LAPIC_APR = 0x09, LAPIC_PPR = 0x0a, LAPIC_EOI = 0x0b, LAPIC_RRD = 0x0c,
    LAPIC_LDR = 0x0d, LAPIC_DFR = 0x0e, LAPIC_SVR = 0x0f, LAPIC_ISR = 0x10, LAPIC_TMR = 0x18, LAPIC_IRR = 0x20, LAPIC_ESR = 0x28,
    LAPIC_CMCI = 0x2f, LAPIC_ICR = 0x30, LAPIC_ICR_HIGH = 0x31, LAPIC_LVT = 0x32, LAPIC_INITIAL = 0x38, LAPIC_CURRENT = 0x39,
    LAPIC_DIVIDE = 0x3e, LAPIC_SELF_IPI = 0x3f,
};

enum { LVT_TIMER, LVT_THERMAL, LVT_PERF, LVT_LINT0, LVT_LINT1, LVT_ERROR, N_LVT };
enum { LVT_PENDING = 1 << 12, LVT_LOW = 1 << 13, LVT_REMOTE_IRR = 1 << 14, LVT_LEVEL = 1 << 15, LVT_MASKED = 1 << 16 };
enum { LAPIC_VERSION_VALUE = 0x14 | (N_LVT - 1) << 16 };

typedef struct Lapic {
    Device dev;
    ApicBus *bus;
    unsigned (*pic_ack)(void *opaque);
    void *pic_opaque;
    int64_t (*tsc_deadline_ns)(void *opaque, uint64_t tsc);
    void *tsc_opaque;
    void (*moved)(void *opaque, uint64_t base);
    void *moved_opaque;
    Irq *intr;
    uint32_t initial_id;
    bool is_bsp, has_x2apic;
    unsigned phys_bits;       /* the processor's addresses: higher bits of IA32_APIC_BASE are reserved */
    bool intr_level;
    uint64_t base;            /* IA32_APIC_BASE */
    uint32_t id;              /* xAPIC: bits 31:24 of the register, here shifted down */
    uint8_t tpr;
    uint32_t ldr, dfr, svr;   /* xAPIC LDR: as in the register */
    uint32_t isr[8], tmr[8], irr[8];
    uint32_t esr, esr_shadow; /* what was written last, errors since */
    uint32_t icr[2], lvt[N_LVT];
    uint32_t initial, divide;
    int64_t started_ns;       /* when the timer was started with `initial`, or its current period began */
    bool counting;            /* since then it has not come to the end of a one-shot */
    uint64_t tsc_deadline;
    bool lint[2];
    Timer timer;
    /* The registers are an accelerator's: it brings the fields up to date, and takes them. NULL: they are here. */
    void (*fetch)(struct Lapic *s), (*load)(struct Lapic *s);
    void (*set_lint)(struct Lapic *s, unsigned pin, bool level);
} Lapic;

enum { /* redirection table entry */
    RTE_LOGICAL = 1 << 11, RTE_PENDING = 1 << 12, RTE_LOW = 1 << 13, RTE_REMOTE_IRR = 1 << 14, RTE_LEVEL = 1 << 15,
    RTE_MASKED = 1 << 16,
};

typedef struct IoApic {
    Device dev;
    ApicBus *bus;
    unsigned first_gsi;        /* the board's line that is pin 0 */
    bool timer_at_2;
    uint32_t version;
    uint8_t id, select;
    uint32_t lines, irr;       /* levels of the pins; edges on their way */
    uint64_t table[IOAPIC_PINS];
    uint32_t delivered[IOAPIC_PINS]; /* for "info irq" */
    void (*fetch)(struct IoApic *s), (*load)(struct IoApic *s); /* as a local APIC's */
} IoApic;

extern const StateDesc apic_state, ioapic_state;
extern const Property apic_props[1];
enum { APIC_N_IRQS = 5 };
extern const IrqDef apic_irqs[];
/* What there is after power-up; no line is driven. */
void apic_power_up(Lapic *s);
void ioapic_power_up(IoApic *s);
/* The timer's count, and since when it would have run from `initial` to have `count` now. */
uint32_t apic_current_count(const Lapic *s);
int64_t apic_started_ns(const Lapic *s, uint32_t count);

#endif
