/*
 * cpus.h: the processors of an Arm board: affinity, lines, address spaces.
 *
 * Without an accelerator (tests, -accel qtest) boards have no vCPUs; lines and address spaces are there all the same. Each processor sees
 * memory through a view of its own: the machine's, with what only it has at an address (the banked registers of a GICv2) on top, and in
 * secure state the secure devices, too. Threads: BQL, except the callbacks of cpus-target.c.
 */
#ifndef HW_ARM_CPUS_H
#define HW_ARM_CPUS_H

#include "softmmu/machine.h"

struct Vcpu;

typedef enum ArmLine { ARM_LINE_IRQ, ARM_LINE_FIQ, ARM_LINE_VIRQ, ARM_LINE_VFIQ, ARM_N_LINES } ArmLine;
/* Lines that a processor drives. */
typedef enum ArmOutput {
    ARM_OUTPUT_TIMER_PHYS, ARM_OUTPUT_TIMER_VIRT, ARM_OUTPUT_TIMER_HYP, ARM_OUTPUT_TIMER_SECURE, ARM_OUTPUT_TIMER_HYP_VIRT,
    ARM_OUTPUT_PMU, ARM_N_OUTPUTS,
} ArmOutput;

/* How firmware calls go to the board (PSCI, DEN 0022). */
typedef enum PsciConduit { PSCI_CONDUIT_NONE, PSCI_CONDUIT_HVC, PSCI_CONDUIT_SMC } PsciConduit;

typedef struct ArmCpusConfig {
    Machine *machine;
    bool has_el2, has_el3, has_mte;
    unsigned cluster_cpus;         /* processors with one affinity level 1 */
    uint64_t affinity;             /* of the first processor, where it is not 0 */
    gpa periphbase;                /* of an MPCore's private region, which kernels of 32 bits ask the processor for */
    MemoryRegion *secure;          /* what is seen besides memory in secure state; NULL: nothing */
    Device *(*gic)(Machine *machine); /* whose CPU interface is system registers (GICv3); NULL: none */
} ArmCpusConfig;

typedef struct ArmCpu {
    Object obj;
    Machine *machine;
    struct Vcpu *vcpu;             /* NULL: none */
    const ArmCpusConfig *config;
    unsigned index;
    uint64_t mpidr;                /* affinity fields only */
    PsciConduit conduit;
    bool start_off;                /* held by PSCI at reset */
    uint64_t start_pc;
    unsigned start_el;             /* 0: the highest */
    Irq lines[ARM_N_LINES];
    Irq *outputs[ARM_N_OUTPUTS];   /* where they go; NULL: nowhere */
    MemoryRegion root, system, secure_root, secure_system, secure_devices;
    AddressSpace memory, secure;
    MemoryListener memory_listener, secure_listener;
    void *timers;                  /* the CPU side's */
} ArmCpu;

/* Boards' instance structs start with it. */
typedef struct ArmMachine {
    Machine machine;
    ArmCpu **cpus;
    void *tags;                    /* the CPU side's: allocation tags (-machine mte=on) */
} ArmMachine;

typedef struct ArmCacheInfo {
    uint32_t sets, bytes, line_bytes; /* bytes 0: not known */
} ArmCacheInfo;

/* For device trees and tables. */
typedef struct ArmCpuInfo {
    const char *compatible;        /* "arm,cortex-a57" */
    uint64_t midr;
    unsigned phys_bits;
    bool has_pmu, has_mte;         /* has_pmu: of version 3 */
    bool has_aarch64, is_v8;
    ArmCacheInfo icache, dcache;   /* of the first level */
} ArmCpuInfo;

/* What the CPU side offers. A program that links cpus-target.c has it from there. */
typedef struct ArmCpuOps {
    struct Vcpu *(*create)(ArmCpu *cpu, const char *model, Error **errp);
    /* After every reset, of registers too: start_pc, start_el and start_off, conduit say what comes then. */
    void (*start)(ArmCpu *cpu);
    void (*line)(ArmCpu *cpu, ArmLine line, bool level);
    void (*info)(ArmCpu *cpu, ArmCpuInfo *ret);
    /* Holds it, or starts it anew at `pc`. */
    void (*power)(ArmCpu *cpu, bool on, uint64_t pc);
    /* The view has changed. */
    void (*memory_changed)(ArmCpu *cpu);
} ArmCpuOps;
extern const ArmCpuOps arm_cpus_target_ops __attribute__((weak));
/* Another CPU side (tests); before the board is built. */
void arm_cpus_set_ops(const ArmCpuOps *ops);

/* config stays the board's. */
NODISCARD bool arm_cpus_create(const ArmCpusConfig *config, Error **errp);
/* For MachineType.reset: everything, then the processors start. */
void arm_machine_reset(Machine *machine, ResetKind kind);
ArmCpu *arm_cpu(Machine *machine, unsigned index);
/* Affinity fields of MPIDR_EL1 of processor `index`. */
uint64_t arm_cpu_affinity(const ArmCpusConfig *config, unsigned index);
ArmCpuInfo arm_cpu_info(Machine *machine, unsigned index);
/* What only this processor sees at addr. */
void arm_cpu_overlay(ArmCpu *cpu, gpa addr, MemoryRegion *mr);
/* For reset lines of boards: held until it is released, and then as after a reset, at `pc`. From the main loop. */
void arm_cpu_hold(ArmCpu *cpu);
void arm_cpu_release(ArmCpu *cpu, uint64_t pc);
char *arm_vcpu_path(Machine *machine, unsigned index);

#endif
