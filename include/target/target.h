/*
 * target.h: a guest CPU architecture, as a table of data and functions. No code outside target/<isa>/
 * knows a guest architecture by name or by preprocessor symbol.
 */
#ifndef TARGET_TARGET_H
#define TARGET_TARGET_H

#include "accel/vcpu.h"
#include "tcg/ir.h"
#include "util/error.h"

typedef struct TransCtx TransCtx;

typedef struct SlotDesc {
    const char *name;
    uint16_t offset;  /* in the target's state struct; at least the type's size there */
    uint8_t type;     /* IrType */
} SlotDesc;

/* -- helpers ------------------------------------------------------------------------------- */

enum { /* HelperDesc.flags */
    HELPER_PURE = 1,          /* result depends on arguments only, no effects */
    HELPER_READS_STATE = 2,   /* looks at slots in memory (all are written back before) */
    HELPER_WRITES_STATE = 4,  /* changes slots in memory (all are re-read afterwards) */
    HELPER_RAISES = 8,        /* may leave through vcpu_loop_exit/vcpu_raise, or touch guest memory;
                                 implies READS_STATE; the pc slot is set to the instruction's pc */
    HELPER_NORETURN = 16,
    HELPER_VCPU = 32,         /* takes `Vcpu *` as an implicit first argument */
    HELPER_FP_READ = 64,      /* reads guest FP status: the mode register is stored to memory before */
    HELPER_FP_WRITE = 128,    /* changes it: the mode register is loaded from memory behind */
    HELPER_FP = HELPER_FP_READ | HELPER_FP_WRITE,
};

typedef struct HelperDesc {
    const char *name;
    void *function;           /* C ABI; arguments IrType-sized integers; F32/F64 are passed as integer bits */
    uint8_t flags;
    uint8_t result;           /* IrType, IR_VOID if none */
    uint8_t n_args;           /* without the implicit vCPU */
    uint8_t arg[6];           /* IrType */
} HelperDesc;

/* -- floating point policy ------------------------------------------------------------------- */

typedef enum FpNanPolicy {
    FP_NAN_CANONICAL,  /* every NaN result is the positive quiet NaN (RISC-V) */
    FP_NAN_X86,        /* first operand quieted, else second; default NaN negative */
    FP_NAN_ARM,        /* signalling first, then first operand; default NaN positive */
} FpNanPolicy;

typedef enum FpToInt {
    FP_TO_INT_RISCV,   /* saturate; NaN gives the largest value */
    FP_TO_INT_ARM,     /* saturate; NaN gives 0 */
    FP_TO_INT_X86,     /* 'integer indefinite' */
} FpToInt;

typedef struct FpPolicy {
    uint8_t nan;              /* FpNanPolicy */
    uint8_t to_int;           /* FpToInt */
    bool tininess_before;     /* underflow is detected before rounding */
} FpPolicy;

/* -- what a front end's first pass says of one instruction -------------------------------------- */

typedef enum ScanKind {
    SCAN_NORMAL,      /* goes on with the next instruction */
    SCAN_BRANCH,      /* conditional direct branch to target */
    SCAN_JUMP,        /* direct jump to target */
    SCAN_CALL,        /* direct call: target, will come back after it */
    SCAN_INDIRECT,    /* indirect jump, call, return */
    SCAN_STOP,        /* ends the unit: system call, exception, mode change */
} ScanKind;

typedef struct ScanInsn {
    uint8_t kind, length;
    bool glued;        /* reads what the one before has just computed (flags): not a good place to begin a unit */
    bool keeps;        /* leaves some of that as it was, which costs something where it is not known how that is to be read */
    bool sets;         /* whatever instructions that are glued read is new behind this one, in every case */
    vaddr target;
} ScanInsn;

/* -- system mode: one page translation ------------------------------------------------------------ */

typedef enum MmuAccess { MMU_READ, MMU_WRITE, MMU_FETCH } MmuAccess;

enum {
    PAGE_READ = 1, PAGE_WRITE = 2, PAGE_EXEC = 4,
    PAGE_SHARED = 8,   /* user mode: may be written through another mapping too (MAP_SHARED) */
    PAGE_TAGGED = 32,  /* memory has allocation tags (Arm: MTE) */
    PAGE_NONSECURE = 64, /* system mode: in Vcpu.as_nonsecure, and accesses are not secure whatever the vCPU's state (Arm: NS) */
    PAGE_GUARDED = 16, /* code: indirect branches have to land where it says so (Arm: BTI); tells units apart */
};

typedef struct TlbFill {
    gpa phys;              /* of the first byte of the page of size 1 << page_bits */
    uint8_t prot;          /* PAGE_*: what later accesses of this mmu_index may do without asking again; PAGE_GUARDED */
    uint8_t page_bits;
    bool global;           /* survives an address-space (ASID) switch */
} TlbFill;

/* -- x87: what IR ops x87* ask of a target that uses them --------------------------------------------- */

typedef struct TargetX87 {
    /* Carry out instruction `code` (IrX87Form in ir.h) on the state in memory. Nothing has changed when exec_mem leaves for a fault;
     * it is like a helper that RAISES. */
    uint64_t (*exec)(Vcpu *vcpu, uint32_t code, uint64_t operand);
    void (*exec_mem)(Vcpu *vcpu, uint32_t code, vaddr addr, unsigned mmu_index);
    /* jit.x87_live: the state is in the x87 unit of the thread that runs the vCPU. Both do nothing where it is there already. */
    void (*load)(Vcpu *vcpu);
    void (*save)(Vcpu *vcpu);
    /* A signal handler that does not go back: the unit is what the signal frame says (the layout of FXSAVE). */
    void (*save_frame)(Vcpu *vcpu, const void *fxsave);
} TargetX87;

/* -- the target ------------------------------------------------------------------------------------- */

typedef struct RegDesc {   /* gdb, info registers, dumps, migration */
    const char *name, *group;   /* group: "general", "float", "csr", "virtual", "vector" */
    uint32_t offset;            /* in state; UINT32_MAX: through reg_read/reg_write with `number` */
    uint16_t bits;
    uint16_t number;            /* gdb register number */
    const char *gdb_type;       /* "int", "data_ptr", "code_ptr", "ieee_double", … */
} RegDesc;

/* One piece of memory an instruction is going to use. */
typedef void TargetTouch(void *opaque, vaddr addr, uint64_t size_bytes, bool read, bool write);

/* One stretch of what page tables map; attr: the target's letters. */
typedef void TargetMapping(void *opaque, vaddr addr, gpa phys, uint64_t size_bytes, const char *attr);

struct Target {
    const char *name;            /* "riscv64": qemu-riscv64, qemu-system-riscv64 */
    const char *summary;
    uint8_t word_bits;           /* 32 or 64 */
    uint8_t pc_shift;            /* log2 of instruction alignment: hash of the jump cache */
    uint8_t max_insn_bytes;
    uint8_t pc_flags;            /* bits of the pc that are no part of the address (Arm's T32 bit); they tell units apart */
    uint64_t pc_bit0_mode;       /* bit of the mode: of pc_flags only bit 0 is one */
    uint64_t guard_mode;         /* bit of the mode: code may be on pages that are PAGE_GUARDED */
    uint8_t page_bits;           /* smallest page */
    bool big_endian;
    bool coherent_icache;        /* stores to code act at once (x86); else at the guest's icache sync */
    uint16_t elf_machine;

    const SlotDesc *slots;
    uint16_t n_slots;
    uint16_t pc_slot;
    size_t state_size_bytes;
    FpPolicy fp;
    const HelperDesc *helpers;
    uint16_t n_helpers;
    uint8_t n_mmu_modes;

    /* CPU models. `model`: "rv64", "max,zba=off"… NULL: default. Fills vcpu->model and state. */
    bool (*cpu_init)(Vcpu *vcpu, const char *model, Error **errp);
    void (*cpu_reset)(Vcpu *vcpu);
    void (*cpu_models_print)(FILE *out);           /* -cpu help */
    const char *const *(*cpu_models)(void);        /* NULL-terminated names */
    /* What query-cpu-model-expansion and query-cpu-definitions tell of models. NULL where there is nothing to tell. */
    const char *cpu_maker;                         /* "ARM", in messages; NULL: a model may also be expanded to a static one */
    struct Json *(*cpu_props)(const Vcpu *vcpu, bool full); /* of the model that cpu_init has made, an object */
    struct Json *(*cpu_missing)(const Target *target, const char *model); /* names of its features that cannot be had, an array */
    const char *(*cpu_alias)(const char *model);   /* the model it is another name of, or NULL */
    const char *default_cpu;

    /* Translation. mode: every bit of CPU state that changes what code means; keys units. */
    uint64_t (*trans_mode)(const Vcpu *vcpu);
    bool (*trans_begin)(TransCtx *ctx);            /* per unit; sets ctx->data, unit->addr32 … */
    /* The unit is there. False: it must be made again, by what ctx->learnt says now. NULL: nothing to do. */
    bool (*trans_end)(TransCtx *ctx);
    bool (*scan)(TransCtx *ctx, vaddr pc, ScanInsn *ret); /* false: cannot fetch (unit ends before) */
    void (*translate)(TransCtx *ctx);              /* one instruction at ctx->pc; sets ctx->next_pc */
    size_t (*disas)(vaddr pc, const uint8_t *bytes, size_t n, uint64_t mode, char *out, size_t out_size);

    /* After generated code moved fp_control_guest's sticky flags or they are wanted (HELPER_FP). */
    void (*fp_sync)(Vcpu *vcpu);
    const TargetX87 *x87;        /* NULL: it emits no x87 ops */

    vaddr (*get_pc)(const Vcpu *vcpu);
    void (*set_pc)(Vcpu *vcpu, vaddr pc);

    /* System mode. */
    unsigned (*mmu_index)(const Vcpu *vcpu, MmuAccess access);
    /* Walks the page tables. False: exception filled in vcpu->exception (not with probe). No longjmp. */
    bool (*tlb_fill)(Vcpu *vcpu, vaddr addr, MmuAccess access, unsigned size_bytes, unsigned mmu_index,
                     bool probe, TlbFill *ret);
    /* The same for a debugger: where addr is mapped, whoever may use it. */
    bool (*tlb_fill_debug)(Vcpu *vcpu, vaddr addr, TlbFill *ret);
    /* Everything that is mapped, in order; false: no translation. */
    bool (*mappings)(Vcpu *vcpu, TargetMapping *emit, void *opaque);
    /* The same as text, for targets whose users know another; pages: each by itself (info tlb). */
    bool (*print_mappings)(Vcpu *vcpu, FILE *out, bool pages);
    void (*unaligned)(Vcpu *vcpu, vaddr addr, MmuAccess access, unsigned mmu_index); /* fills exception */
    void (*bus_error)(Vcpu *vcpu, vaddr addr, gpa phys, MmuAccess access);           /* fills exception */
    bool device_atomics;                     /* atomic accesses to devices: as loads and stores while all others are stopped; false: bus errors */
    bool (*interrupt_pending)(Vcpu *vcpu);   /* an enabled interrupt waits */
    bool (*interrupt_take)(Vcpu *vcpu);      /* enters the handler; false if none after all */
    void (*exception_enter)(Vcpu *vcpu);     /* vcpu->exception -> the guest's handler */
    /* While vcpu->ask_before_insn: whether the instruction at pc is not to run, vcpu->exception says why. */
    bool (*before_insn)(Vcpu *vcpu);
    bool (*has_work)(Vcpu *vcpu);            /* leaves halt */
    void (*irq_set)(Vcpu *vcpu, unsigned line, bool level);   /* called with the device lock held */

    /* Registers for gdb and info. A description's feature names by register group; gdb's architecture name. */
    const char *gdb_arch;
    const char *(*gdb_feature)(const char *group);
    const char *(*gdb_types)(const char *group);   /* definitions of types gdb does not know, as XML; may be NULL */
    const RegDesc *(*regs)(const Vcpu *vcpu, size_t *n);
    bool (*reg_read)(Vcpu *vcpu, const RegDesc *reg, void *out);
    bool (*reg_write)(Vcpu *vcpu, const RegDesc *reg, const void *in);
    void (*dump)(Vcpu *vcpu, FILE *out, unsigned log_items);
    /* Watchpoints of user mode: what the instruction of these bytes will access, by the registers as they are now. May be NULL. */
    bool gdb_watch_before;       /* gdb wants to hear of a watchpoint before the access and steps over it itself */
    void (*mem_access)(Vcpu *vcpu, const uint8_t *insn, size_t n, TargetTouch *touch, void *opaque);

    const struct KvmTargetOps *kvm;   /* NULL: the host's KVM cannot run it */
};

/* Those of pc's bits that are no part of the address. */
static inline vaddr target_pc_flags(const Target *t, uint64_t mode) { return mode & t->pc_bit0_mode ? 1 : t->pc_flags; }

/* All targets built in; NULL if unknown. */
const Target *target_find(const char *name);
const Target *const *target_list(size_t *n);

#endif
