/*
 * cpus.h: the processors of a PC: APIC ids, local APICs, lines, address spaces.
 *
 * Without an accelerator (tests, -accel qtest) boards have no vCPUs; local APICs and address spaces are there all the same.
 * Each processor sees memory through a view of its own: the machine's, with its local APIC's registers where IA32_APIC_BASE has put
 * them, and in system management mode with SMRAM on top. Threads: BQL, except the platform's callbacks (cpus-target.c).
 */
#ifndef HW_I386_CPUS_H
#define HW_I386_CPUS_H

#include "hw/i386/apic.h"
#include "softmmu/machine.h"

struct Vcpu;

/* As target/x86's interrupt lines. */
typedef enum X86Line { X86_LINE_INTR, X86_LINE_NMI, X86_LINE_SMI, X86_LINE_INIT, X86_LINE_SIPI, X86_N_LINES } X86Line;

typedef struct X86Cpu {
    Object obj;
    Machine *machine;
    struct Vcpu *vcpu;            /* NULL: none */
    unsigned index;
    uint32_t apic_id;
    Device *lapic;
    Irq lines[X86_N_LINES];
    MemoryRegion root, system, nothing, apic_mr, smm_root, smm_memory, smm_smram;
    AddressSpace memory, smm;
    MemoryListener memory_listener, smm_listener;
    uint64_t apic_base;           /* where the registers are mapped; UINT64_MAX: nowhere */
} X86Cpu;

/* What the CPU side offers. A program that links cpus-target.c has it from there. */
typedef struct X86CpuOps {
    /* Makes the vCPU of `cpu` with -cpu text `model` (NULL: default); its address space and APIC are there. */
    struct Vcpu *(*create)(X86Cpu *cpu, const char *model, Error **errp);
    /* INTR follows the level; the others are raised. */
    void (*line)(struct Vcpu *vcpu, X86Line line, bool level);
    void (*sipi)(struct Vcpu *vcpu, uint8_t vector);
    void (*set_a20)(X86Cpu *cpu, bool on);
    bool (*has_x2apic)(struct Vcpu *vcpu);
    unsigned (*phys_bits)(struct Vcpu *vcpu); /* how wide addresses are */
    void (*cpuid)(struct Vcpu *vcpu, uint32_t leaf, uint32_t subleaf, uint32_t ret_regs[4]);
    /* The view has changed. */
    void (*memory_changed)(X86Cpu *cpu);
    /* Which processor's instruction is under way in this thread; NULL: none. */
    X86Cpu *(*current)(void);
    int64_t (*tsc_deadline_ns)(void *opaque, uint64_t tsc);
    /* Of the time stamp counter; 0: it says so itself, or nobody knows. */
    uint64_t (*tsc_hz)(struct Vcpu *vcpu);
    /* Interrupt controllers of the accelerator; NULL: it has none. */
    const X86Irqchip *(*irqchip)(Machine *machine);
} X86CpuOps;
extern const X86CpuOps x86_cpus_target_ops __attribute__((weak));
/* The machine's interrupt controllers: never NULL. */
const X86Irqchip *x86_irqchip(Machine *machine);
/* Another CPU side (tests); before the board is built. */
void x86_cpus_set_ops(const X86CpuOps *ops);

typedef struct X86CpusConfig {
    Machine *machine;
    ApicBus *apics;
    MemoryRegion *smram;          /* what is seen besides memory in SMM */
    unsigned (*pic_ack)(void *opaque);
    void *opaque;
    void (*ferr)(void *opaque, bool level);
} X86CpusConfig;

NODISCARD bool x86_cpus_create(const X86CpusConfig *config, Error **errp);
X86Cpu *x86_cpu(Machine *machine, unsigned index);
/* The 8259s' INT: LINT0 of every processor. */
void x86_cpus_set_lint0(Machine *machine, bool level);
/* NMI from outside: LINT1. */
void x86_cpus_nmi(Machine *machine);
/* System management interrupt: to all, or to the processor whose instruction is under way, else the first. */
void x86_cpus_smi(Machine *machine, bool all);
void x86_cpus_set_a20(Machine *machine, bool on);
/* For platform callbacks. */
void x86_cpus_ferr(Machine *machine, bool level);
/* CPUID of the first processor; zeros without one. */
void x86_cpus_cpuid(Machine *machine, uint32_t leaf, uint32_t subleaf, uint32_t ret_regs[4]);
uint64_t x86_cpus_tsc_hz(Machine *machine);

/* Reads as ones, takes writes: where a processor finds nothing. Devices that master the bus have an error there instead, so that none
 * copies gigabytes to nowhere. */
void x86_init_master_abort(MemoryRegion *mr, Object *owner, uint64_t size_bytes);

/* APIC id of processor `index` of the topology: each level takes as many bits as it needs (SDM volume 3, 10.9.1). */
uint32_t x86_apic_id(const SmpConfig *smp, unsigned index);

#endif
