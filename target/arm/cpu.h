/*
 * cpu.h: the state of an Arm processing element in AArch64 and what its room shares.
 *
 * Arm ARM DDI 0487. Everything here belongs to the thread that runs the vCPU.
 */
#ifndef TARGET_ARM_CPU_H
#define TARGET_ARM_CPU_H

#include "accel/vcpu.h"
#include "target/arm/ext.h"
#include "target/target.h"

typedef union ArmVector {
    uint8_t b[16];
    uint16_t h[8];
    uint32_t s[4];
    uint64_t d[2];
} __attribute__((aligned(16))) ArmVector;

/* The generic timers (D11): an index of ArmState.cnt_ctl, and which output of the processing element. */
typedef enum ArmTimer {
    ARM_TIMER_PHYS, ARM_TIMER_VIRT, ARM_TIMER_HYP, ARM_TIMER_HYPVIRT, ARM_TIMER_SEC,
    ARM_TIMER_PMU, /* not a register: the alarm of the next overflow of a performance monitor; no output of this number */
    ARM_N_TIMERS
} ArmTimer;

/* Outputs of a processing element that a board wires to private peripheral interrupts: the timers, by ArmTimer, then these. */
enum { ARM_OUT_PMU = ARM_N_TIMERS, ARM_OUT_GIC_MAINTENANCE, ARM_N_OUTS };

/* Its inputs: lines of Target.irq_set, bits of vcpu->interrupt_request. */
enum { ARM_IRQ_IRQ, ARM_IRQ_FIQ, ARM_IRQ_VIRQ, ARM_IRQ_VFIQ, ARM_IRQ_SERROR, ARM_N_IRQS };

/*
 * A machine's side of the processing elements; arm_cpu_connect(). NULL functions: there is none of it. guest_ns may be called by any
 * thread, security by the vCPU's; the others under the device lock.
 */
typedef struct ArmPlatform {
    uint64_t (*guest_ns)(void *opaque);   /* the clock behind the system counter */
    /* Calls arm_timer_expired(vcpu, timer), under the device lock, when that clock reaches `ns` (UINT64_MAX: never). */
    void (*timer_set)(void *opaque, Vcpu *vcpu, ArmTimer timer, uint64_t ns);
    void (*output)(void *opaque, Vcpu *vcpu, unsigned output, bool level);
    /* The state changed between secure and non-secure: vcpu->as may be another one now. vcpu->secure says which. */
    void (*security)(void *opaque, Vcpu *vcpu);
    uint64_t cntfrq_hz;                   /* the counter's rate; CNTFRQ_EL0 begins with it */
} ArmPlatform;

/* A system register as bits 20 to 5 of MRS and MSR say it. */
#define ARM_SYSREG(op0, op1, crn, crm, op2) ((uint32_t)(op0) << 14 | (op1) << 11 | (crn) << 7 | (crm) << 3 | (op2))

/*
 * A GIC's system registers (ICC_*, ICV_*, ICH_*): op0 3, CRn 4 CRm 6 (ICC_PMR_EL1) and CRn 12 CRm 8 to 15. The processing element has
 * checked that the level is high enough for the number (op1) and asked for SCR_EL3/HCR_EL2 nothing: which of ICC and ICV answers
 * is decided by arm_gic_virtual(). False: the register does not exist, or is not accessible now: undefined. To trap to a level instead the
 * function calls arm_trap(vcpu, level), which does not return. Called by the vCPU's thread, without the device lock.
 */
typedef struct ArmGicOps {
    bool (*read)(void *opaque, Vcpu *vcpu, uint32_t sysreg, uint64_t *ret);
    bool (*write)(void *opaque, Vcpu *vcpu, uint32_t sysreg, uint64_t value);
} ArmGicOps;

/*
 * PSCI (DEN 0022) as the machine's service: HVC or SMC, as `conduit` says, with immediate 0 calls it instead of an exception. X0 to X3 hold
 * function and arguments, the result goes to X0 (leave() may also power down, reset or halt the vCPU). False: not a function of
 * PSCI; X0 becomes NOT_SUPPORTED (-1). Called by the vCPU's thread, without the device lock, pc already behind the call.
 */
typedef enum ArmConduit { ARM_CONDUIT_HVC, ARM_CONDUIT_SMC } ArmConduit;
typedef struct ArmPsci {
    ArmConduit conduit;
    bool (*call)(void *opaque, Vcpu *vcpu);
} ArmPsci;

/* What an exception says beside vcpu->exception: filled by whoever fills that, taken and cleared by the entry. */
typedef struct ArmFault {
    uint32_t iss;
    uint8_t target_el;    /* 0: as routed */
    uint8_t domain;       /* of short descriptors */
    bool stage2;
    uint64_t ipa;         /* of a stage 2 fault */
} ArmFault;

typedef struct ArmTags ArmTags; /* mte.h */

typedef struct ArmState {
#define FIELD(type, name, count, doc) type name FIELD_ARRAY(count);
#define FIELD_ARRAY(count) FIELD_ARRAY_##count
#define FIELD_ARRAY_1
#define FIELD_ARRAY_4 [4]
#define FIELD_ARRAY_5 [5]
#define FIELD_ARRAY_8 [8]
#define FIELD_ARRAY_10 [10]
#define FIELD_ARRAY_16 [16]
#define FIELD_ARRAY_31 [31]
#define FIELD_ARRAY_32 [32]
#include "target/arm/cpu-state.def"
#undef FIELD
    _Atomic bool starting;     /* powered on, has not waited for anything since: it has work without an interrupt */
    _Atomic bool powered_off;  /* by PSCI; belongs to whoever starts it while it is set */
    /* Below: derived or wiring, not migrated. */
    ArmFault fault;
    bool tagged_tlb;           /* the TLB may hold entries that flushes by address miss (mmu.c); others read it */
    bool step_under_way;       /* software step: the instruction that runs is the stepped one */
    /*
     * PSTATE.BTYPE is in the low bits of `pc` where it is tracked: arm_tracks_btype(). Only an indirect branch makes it other than 0 and the next
     * instruction makes it 0 again, so it tells units apart at their entries and costs nothing elsewhere. pc_misaligned: they are the address's
     * own bits; whoever writes pc in C says so.
     */
    bool pc_misaligned;
    uint64_t branch_target;    /* of arm_helper_pc_misaligned */
    bool guarded;              /* user mode: there are guarded pages */
    ArmTags *tags;             /* allocation tags of the process, of the machine; NULL: no memory tagging */
    uint8_t tcf;               /* user mode: ArmTcf of EL0, as the thread asked for */
    bool tagged_data;          /* user mode: a data address had a tag */
    bool tlbi_pending;         /* other vCPUs were asked to flush since the last DSB */
    const ArmPlatform *platform;
    void *platform_opaque;
    const ArmGicOps *gic;      /* NULL: no system register interface */
    void *gic_opaque;
    const ArmPsci *psci;       /* NULL: HVC and SMC are the guest's */
    void *psci_opaque;
} ArmState;

static inline ArmState *arm_state(const Vcpu *vcpu)
{
    return (ArmState *)vcpu->state;
}

/* Identification registers (id-regs.def). */
typedef enum ArmIdReg {
#define ID_REG(id, name, op0, op1, crn, crm, op2, user_mask, user_value) ARM_ID_##id,
#include "target/arm/id-regs.def"
#undef ID_REG
    ARM_N_ID_REGS
} ArmIdReg;

/* Those of AArch32 alone (id32-regs.def). */
typedef enum ArmId32Reg {
#define ID32_REG(id, name, opc1, crn, crm, opc2) ARM_ID32_##id,
#define ID32_VFP(id, name, reg) ARM_ID32_##id,
#include "target/arm/id32-regs.def"
#undef ID32_REG
#undef ID32_VFP
    ARM_N_ID32_REGS
} ArmId32Reg;

/* What a CPU model is: vcpu->model. ext[], id[] and id32[] say the same (id-fields.def, id32-fields.def). */
typedef struct ArmModel {
    bool ext[ARM_N_EXTS];
    uint64_t id[ARM_N_ID_REGS];
    uint32_t id32[ARM_N_ID32_REGS];
    bool aarch64;              /* it has that state */
    const char *name;
    uint64_t clidr, ccsidr[3][2]; /* caches: by level, [1] of instructions */
    uint8_t pa_bits;           /* 32 to 52 */
    uint8_t n_breakpoints, n_watchpoints, n_pmu_counters;
    uint32_t counter_hz;       /* CNTFRQ_EL0 in user mode, and what firmware would set */
} ArmModel;

static inline const ArmModel *arm_model(const Vcpu *vcpu)
{
    return vcpu->model;
}

#define arm_has(vcpu, id) (arm_model(vcpu)->ext[ARM_EXT_##id])

static inline bool arm_tracks_btype(const Vcpu *vcpu)
{
    const ArmState *s = arm_state(vcpu);
    bool a32 = s->pstate & BIT(4); /* nRW */
    return (vcpu->softmmu ? arm_has(vcpu, BTI) && !a32 : s->guarded) && !s->pc_misaligned;
}

/* PSTATE.BTYPE, and the program counter without it. */
static inline unsigned arm_btype(const Vcpu *vcpu) { return arm_tracks_btype(vcpu) ? arm_state(vcpu)->pc & 3 : 0; }
static inline vaddr arm_pc(const Vcpu *vcpu) { return arm_state(vcpu)->pc & ~(vaddr)(arm_tracks_btype(vcpu) ? 3 : 0); }
/* Where execution goes on: pc may be misaligned, which is an exception there. */
static inline void arm_set_pc(Vcpu *vcpu, vaddr pc, unsigned btype)
{
    ArmState *s = arm_state(vcpu);
    s->pc_misaligned = (pc & 3) && !(s->pstate & BIT(4));
    s->pc = pc | (arm_tracks_btype(vcpu) ? btype : 0);
}

/* Slots. */
enum {
    ARM_SLOT_X = 0,      /* X0 to X30 */
    ARM_SLOT_SP = 31,
    ARM_SLOT_PC = 32,
    ARM_SLOT_CC_A = 33,  /* I64 */
    ARM_SLOT_CC_B = 34,  /* I64 */
    ARM_SLOT_CC_OP = 35, /* I32: the unit's rule slot */
    ARM_SLOT_V = 36,     /* V0 to V31, V128 */
    ARM_SLOT_QC = 68,    /* V128 */
    ARM_SLOT_R = 69,     /* AArch32: R0 to R14, I32, the low halves of X0 to X14 */
    ARM_SLOT_PC32 = 84,  /* the pc of targets of 32 bits, I32; bit 0: T32 */
    ARM_SLOT_IDC = 85,   /* V128 */
    /* AArch32: S0 to S31, F32, and D0 to D31, F64: parts of V0 to V15. A unit has one kind of slot of each of these registers (a32_trans_end). */
    ARM_SLOT_S = 86,
    ARM_SLOT_D = 118,
    ARM_SLOT_FPSCR_NZCV = 150, /* I32 */
    ARM_N_SLOTS = 151,
};

/* Translation mode: everything in CPU state that changes what code means. */
enum {
    ARM_MODE_EL = 0,     /* 2 bits */
    ARM_MODE_MMU = 2,    /* 4 bits: MMU index of data accesses */
    ARM_MODE_UNPRIV = 6, /* 4 bits: MMU index of LDTR and STTR */
    ARM_MODE_FP_TRAP = 10, /* 1 bit: instructions of floating point and SIMD raise an exception */
    ARM_MODE_ALIGN = 11, /* 1 bit: unaligned accesses fault (SCTLR_ELx.A, or stage 1 off, which makes all memory Device) */
    ARM_MODE_IL = 13,    /* 1 bit: PSTATE.IL, every instruction raises an exception */
    ARM_MODE_SPSEL = 14, /* 1 bit: PSTATE.SP, handlers know without asking which SP is in use */
    ARM_MODE_E2H = 15,   /* 1 bit: HCR_EL2.E2H, register names of EL1 mean those of EL2 */
    ARM_MODE_FP_SOFT = 16, /* 1 bit: modes of FPCR that hosts have not: floating point by helpers */
    ARM_MODE_FP_FLUSH = 17, /* 1 bit: FPCR.FZ while FPSR.IXC is set, which lets the host flush (fp-status.c) */
    ARM_MODE_FP_DN = 18, /* 1 bit: FPCR.DN */
    ARM_MODE_TBI = 19,   /* 1 bit: user mode: the top byte of data addresses is taken off */
    ARM_MODE_SP = 20,    /* 2 bits: ArmModeSp */
    ARM_MODE_BTI = 22,   /* 1 bit: PSTATE.BTYPE is tracked */
    ARM_MODE_BT = 23,    /* 1 bit: SCTLR_ELx.BT: jumps of type 3 may not land on PACIASP */
    ARM_MODE_A32 = 24,   /* 1 bit: AArch32; bit 0 of the pc says which instruction set */
    ARM_MODE_BE = 37,    /* 1 bit: data is big-endian (AArch32: PSTATE.E) */
    ARM_MODE_MTE = 33,   /* 1 bit: tags of data accesses are checked */
    ARM_MODE_MTE_UNPRIV = 34, /* 1 bit: those of LDTR and STTR */
    ARM_MODE_IT = 25,    /* 8 bits: PSTATE.IT */
    ARM_MODE_VFP_OFF = 35, /* 1 bit: FPEXC.EN is clear, which makes all but its own registers undefined */
    ARM_MODE_ALIGN_MANY = 36, /* 1 bit: accesses of AArch32 to several words need alignment whatever SCTLR.A says */
    ARM_MODE_SHVEC_LEN = 40, /* 3 bits: FPSCR.LEN of models that have short vectors */
    ARM_MODE_SHVEC_STRIDE = 43, /* 2 bits: FPSCR.STRIDE where LEN is not 0 */
    ARM_MODE_FP_STD_OK = 45, /* 1 bit: AArch32: Advanced SIMD's floating point may be IR operations (IR_FP_STD) */
    ARM_MODE_FP_STD = 46, /* 1 bit, within the translation of an instruction: it is */
    ARM_MODE_CODE_BE = 47, /* 1 bit: AArch32: instructions are big-endian */
};

/*
 * The stack pointer's alignment where it is the base of an access (SCTLR_ELx.SA, D1.3.8.2). It is nearly always a multiple of 16, so
 * accesses rely on it, and what may make it something else leaves then for code that checks accesses.
 */
typedef enum ArmModeSp { ARM_SP_ALIGNED, ARM_SP_CHECKED, ARM_SP_FREE } ArmModeSp;

/* MMU indexes. Which translation regime they belong to is a property of the TLB set in force (mmu.c). */
enum { ARM_MMU_USER, ARM_MMU_PRIV, ARM_MMU_PRIV_PAN, ARM_N_MMU };

/* Exception classes (D24.2.40, ESR_ELx.EC): causes of vcpu->exception. */
enum {
    ARM_EC_UNKNOWN = 0x00,
    ARM_EC_WFX = 0x01,
    ARM_EC_CP15 = 0x03,      /* AArch32: MRC and MCR; MRRC and MCRR */
    ARM_EC_CP15_64 = 0x04,
    ARM_EC_CP14 = 0x05,
    ARM_EC_FP = 0x07,
    ARM_EC_CP10 = 0x08,      /* VMRS of an identification register */
    ARM_EC_CP14_64 = 0x0c,
    ARM_EC_PAC = 0x09,
    ARM_EC_BTI = 0x0d,
    ARM_EC_ILLEGAL = 0x0e,
    ARM_EC_SVC32 = 0x11,
    ARM_EC_HVC32 = 0x12,
    ARM_EC_SMC32 = 0x13,
    ARM_EC_SVC64 = 0x15,
    ARM_EC_HVC64 = 0x16,
    ARM_EC_SMC64 = 0x17,
    ARM_EC_SYSREG = 0x18,
    ARM_EC_ERET = 0x1a,
    ARM_EC_FPAC = 0x1c,
    ARM_EC_IABT_LOWER = 0x20,
    ARM_EC_IABT = 0x21,      /* as a cause: the entry finds out from which level */
    ARM_EC_PC_ALIGN = 0x22,
    ARM_EC_DABT_LOWER = 0x24,
    ARM_EC_DABT = 0x25,      /* likewise */
    ARM_EC_SP_ALIGN = 0x26,
    ARM_EC_MOPS = 0x27,
    ARM_EC_FP64 = 0x2c,
    ARM_EC_SERROR = 0x2f,
    ARM_EC_BREAKPOINT_LOWER = 0x30,
    ARM_EC_STEP_LOWER = 0x32,
    ARM_EC_WATCHPOINT_LOWER = 0x34,
    ARM_EC_BKPT32 = 0x38,
    ARM_EC_BRK64 = 0x3c,
    /* Not the architecture's. */
    ARM_CAUSE_SEMIHOST = 0x41, /* an instruction of semihosting, which is on */
    ARM_CAUSE_PC_TAG = 0x40, /* the pc has a tag that is ignored (TBI): fetch goes on without it */
};

extern const Target target_aarch64, target_aarch64_be, target_arm, target_armeb;

/* cpu-model.c */
bool arm_model_init(Vcpu *vcpu, const char *model, Error **errp);
struct Json *arm_model_props(const Vcpu *vcpu, bool full); /* cpu-props.c */
/* Before the first reset, by the thread that made the model. */
void arm_model_add_mte(ArmModel *m);
void arm_models_print(FILE *out);
const char *const *arm_model_names(void);
/* cpu-model32.c: of cores that have AArch32 alone */
void arm_models32_print(FILE *out);
const char *const *arm_model32_names(void);
/* -cpu's text names a core without AArch64, or switches it off. */
bool arm_model_only32(const char *model);
/* The version of the architecture in AArch32: 5 to 8. */
unsigned arm_model_arch(const ArmModel *m);

/* semihosting.c: after ARM_CAUSE_SEMIHOST, carries the call out and goes on behind the instruction. */
void arm_semihosting_call(Vcpu *vcpu, bool aarch32);

/* cpu.c: NZCV as the register has it, bits 31 to 28. */
uint32_t arm_nzcv_get(const Vcpu *vcpu);
void arm_nzcv_set(Vcpu *vcpu, uint32_t nzcv);
void arm_cpu_reset(Vcpu *vcpu);

/* fp-status.c: FPCR and FPSR as the architecture has them; arm_fp_sync folds in what inline operations raised. */
void arm_fp_sync(Vcpu *vcpu);
/* From AArch32 to AArch64: what only AArch32 leaves for later is folded in. */
void arm_fp_leave_a32(Vcpu *vcpu);
uint32_t arm_fpcr_get(Vcpu *vcpu);
void arm_fpcr_set(Vcpu *vcpu, uint32_t value);
uint32_t arm_fpsr_get(Vcpu *vcpu);
/* FPSCR of AArch32: both in one word, and the flags of comparisons. */
uint32_t arm_fpscr_get(Vcpu *vcpu);
void arm_fpscr_set(Vcpu *vcpu, uint32_t value);
void arm_fpsr_set(Vcpu *vcpu, uint32_t value);

/*
 * sysreg.c: registers of MRS and MSR and operations of SYS, by the bits 20:5 of the instruction: op0, op1, CRn, CRm, op2.
 * Access functions return false for UNDEFINED.
 */
enum { ARM_SYSREG_NEVER = 4 };       /* ArmSysreg.read_el, write_el: not at any exception level */
typedef struct ArmSysreg {
    uint16_t key;
    const char *name;
    bool (*gate)(const Vcpu *vcpu);  /* NULL: always there */
    uint8_t read_el, write_el;       /* lowest exception levels that may */
    uint32_t flags;                  /* ARM_SR_*, sysreg.h */
    int32_t field;                   /* offset in ArmState, -1 none */
    uint64_t write_mask;
    bool (*read)(Vcpu *vcpu, unsigned key, uint64_t *ret);
    bool (*write)(Vcpu *vcpu, unsigned key, uint64_t value);
} ArmSysreg;
/* NULL: there is none, or the model has not got it. */
const ArmSysreg *arm_sysreg_find(const Vcpu *vcpu, unsigned key);
/* The same by a name as it means at that level, with HCR_EL2.E2H or without: *key becomes the register's own. */
const ArmSysreg *arm_sysreg_resolve(const Vcpu *vcpu, unsigned *key, unsigned el, bool e2h);
bool arm_sysreg_read(Vcpu *vcpu, unsigned key, uint64_t *ret);
bool arm_sysreg_write(Vcpu *vcpu, unsigned key, uint64_t value);
/* The same whatever the level, and without traps. */
bool arm_sysreg_raw_read(Vcpu *vcpu, unsigned key, uint64_t *ret);
bool arm_sysreg_raw_write(Vcpu *vcpu, unsigned key, uint64_t value);

/* disas.c */
size_t arm_disas(vaddr pc, const uint8_t *bytes, size_t n, uint64_t mode, char *out, size_t out_size);

/* gdb32.c, disas.c: AArch32 */
size_t arm32_disas(vaddr pc, const uint8_t *bytes, size_t n, uint64_t mode, char *out, size_t out_size);
const char *arm32_gdb_feature(const char *group);
const RegDesc *arm32_regs(const Vcpu *vcpu, size_t *n);
bool arm32_reg_read(Vcpu *vcpu, const RegDesc *reg, void *out);
bool arm32_reg_write(Vcpu *vcpu, const RegDesc *reg, const void *in);
void arm32_dump(Vcpu *vcpu, FILE *out, unsigned log_items);
/* cpsr.c: CPSR of the state: flags, Q, GE, IT, T and the mode; and back, what user mode may write. */
uint32_t arm_cpsr_get(const Vcpu *vcpu);
void arm_cpsr_set_user(Vcpu *vcpu, uint32_t value);
/* The same at any level: the mode, and with it level and banked registers, changes, too. */
void arm_cpsr_set(Vcpu *vcpu, uint32_t value);

/* mem-access.c */
void arm_mem_access(Vcpu *vcpu, const uint8_t *insn, size_t n, TargetTouch *touch, void *opaque);

/* gdb.c */
const char *arm_gdb_feature(const char *group);
const char *arm_gdb_types(const char *group);
const RegDesc *arm_regs(const Vcpu *vcpu, size_t *n);
bool arm_reg_read(Vcpu *vcpu, const RegDesc *reg, void *out);
bool arm_reg_write(Vcpu *vcpu, const RegDesc *reg, const void *in);
void arm_dump(Vcpu *vcpu, FILE *out, unsigned log_items);
/* ITAdvance: ITSTATE in front of the next instruction. */
static inline unsigned arm_it_advance(unsigned it) { return it & 7 ? (it & 0xe0) | (it << 1 & 0x1f) : 0; }

/* What CPSR reads as in user mode beside the flags; the bit is PSTATE.nRW at any level. */
enum { ARM_CPSR_USER = 0x10 };

/* translate.c */
uint64_t arm_trans_mode(const Vcpu *vcpu);
bool arm_trans_begin(TransCtx *ctx);
bool a32_trans_end(TransCtx *ctx);
bool arm_scan(TransCtx *ctx, vaddr pc, ScanInsn *ret);
void arm_translate(TransCtx *ctx);
/* a32.c: the same in AArch32 */
enum { A32_MAX_INSN_BYTES = 18 }; /* IT with four instructions */
uint64_t arm32_trans_mode(const Vcpu *vcpu);
bool arm32_scan(TransCtx *ctx, vaddr pc, ScanInsn *ret);
void arm32_translate(TransCtx *ctx);

/*
 * What a board calls.
 *
 * Before the first reset: affinity (MPIDR_EL1), where it starts (RVBAR), what it can ask of the machine. The others may be NULL.
 */
void arm_cpu_connect(Vcpu *vcpu, uint64_t mpidr, uint64_t rvbar, const ArmPlatform *platform, void *opaque);
void arm_cpu_set_gic(Vcpu *vcpu, const ArmGicOps *ops, void *opaque);
void arm_cpu_set_psci(Vcpu *vcpu, const ArmPsci *psci, void *opaque);
/* The highest level there is: 1, 2 or 3. */
unsigned arm_highest_el(const Vcpu *vcpu);
/* Before the first reset: the levels a board leaves a model that has them. */
void arm_cpu_set_levels(Vcpu *vcpu, bool el2, bool el3);
/* Likewise: memory has allocation tags, by physical address; all processors of a machine share them (mte.h). False: not with this model. */
bool arm_cpu_set_tags(Vcpu *vcpu, ArmTags *tags);
/*
 * After a reset: as firmware would enter an operating system or CPU_ON does: at `el` (0: the highest), pc and X0 as given, SP_ELx selected,
 * interrupts masked, the levels above opened for it, powered on. By the vCPU's own thread, or while it is stopped or powered off.
 */
void arm_cpu_start(Vcpu *vcpu, unsigned el, uint64_t pc, uint64_t x0);
/* PSCI's CPU_OFF and CPU_ON: an element that is off waits, whatever interrupts there are. Off: by its own thread, which leaves by itself, or while stopped.
 * On: any thread; after arm_cpu_start(). */
void arm_cpu_power(Vcpu *vcpu, bool on);
/* By its own thread: WFI, and what firmware calls a standby state. */
void arm_cpu_wait(Vcpu *vcpu);
bool arm_cpu_is_on(const Vcpu *vcpu);
/* Under the device lock. */
void arm_timer_expired(Vcpu *vcpu, ArmTimer timer);
/* Whether accesses to ICC_* of that group (0, 1) are to ICV_* now (HCR_EL2.FMO, IMO). */
bool arm_gic_virtual(const Vcpu *vcpu, unsigned group);
/* From a system register's function: the access traps to a higher level. */
noreturn void arm_trap(Vcpu *vcpu, unsigned target_el);

#endif
