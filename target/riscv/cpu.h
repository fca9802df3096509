/*
 * cpu.h: the state of a RISC-V hart and what its room shares.
 *
 * One state struct serves RV32 and RV64: integer slots of riscv32 are the low halves of x[]. Everything here
 * belongs to the thread that runs the vCPU, except vcpu->interrupt_request (interrupt.c).
 */
#ifndef TARGET_RISCV_CPU_H
#define TARGET_RISCV_CPU_H

#include "accel/vcpu.h"
#include "target/riscv/ext.h"
#include "target/riscv/vector/vector.h"
#include "target/target.h"

enum { RISCV_U = 0, RISCV_S = 1, RISCV_M = 3 };

/* A machine's side of a hart: time and the timers behind mtimecmp/stimecmp. NULL functions in user mode. */
typedef struct RiscvPlatform {
    uint64_t (*time)(void *opaque);                          /* the time CSR, in ticks */
    uint64_t (*guest_ns)(void);                              /* the clock behind it, in ns */
    /* Calls riscv_stimer_expired(vcpu) when time reaches `deadline` (UINT64_MAX: never). */
    void (*stimer_set)(void *opaque, Vcpu *vcpu, uint64_t deadline);
    uint64_t time_hz;
} RiscvPlatform;

enum { RISCV_N_TRIGGERS = 2 };

typedef struct RiscvState {
#define FIELD(type, name, count, doc) type name FIELD_ARRAY(count);
#define FIELD_ARRAY(count) FIELD_ARRAY_##count
#define FIELD_ARRAY_1
#define FIELD_ARRAY_2 [2]
#define FIELD_ARRAY_4 [4]
#define FIELD_ARRAY_32 [32]
#define FIELD_ARRAY_64 [64]
#include "target/riscv/cpu-state.def"
#undef FIELD
    /* Below: derived or wiring, not migrated. */
    const RiscvPlatform *platform;
    void *platform_opaque;
    uint64_t hartid;
    uint64_t reset_pc;
} RiscvState;

static inline RiscvState *riscv_state(const Vcpu *vcpu)
{
    return (RiscvState *)vcpu->state;
}

/* What a CPU model is: vcpu->model. */
typedef enum RiscvSatp { RISCV_SATP_BARE = 0, RISCV_SATP_SV32 = 1, RISCV_SATP_SV39 = 8,
                         RISCV_SATP_SV48 = 9, RISCV_SATP_SV57 = 10 } RiscvSatp;

typedef struct RiscvModel {
    bool ext[RISCV_N_EXTS];
    const char *name;
    uint8_t xlen;
    uint8_t satp_max;              /* RiscvSatp */
    bool mmu, pmp;
    uint8_t n_pmp;
    uint16_t cbom_bytes, cbop_bytes, cboz_bytes;
    uint64_t mvendorid, marchid, mimpid;
    uint16_t vlen_bits;
    uint8_t elen_bits;
    RvvFeatures vector;            /* derived from ext[] */
    char isa[768];                 /* "rv64imafdc_zicsr…" for the device tree */
} RiscvModel;

static inline const RiscvModel *riscv_model(const Vcpu *vcpu)
{
    return vcpu->model;
}

#define riscv_has(vcpu, id) (riscv_model(vcpu)->ext[RISCV_EXT_##id])

/* Slots. */
enum {
    RISCV_SLOT_X = 0,              /* x1..x31 are slots 0..30 */
    RISCV_SLOT_F = 31,             /* f0..f31 */
    RISCV_SLOT_PC = 63,
    RISCV_N_SLOTS = 64,
};

/* Translation mode: everything in CPU state that changes what code means. */
enum {
    RISCV_MODE_PRIV = 0,           /* 2 bits */
    RISCV_MODE_MMU = 2,            /* 2 bits: MMU index of data accesses */
    RISCV_MODE_FS = 4,             /* 2 bits: 0 off, 1 on but not dirty, 2 dirty */
    RISCV_MODE_FRM = 6,            /* 2 bits: RiscvFrmClass */
    RISCV_MODE_VS = 16,            /* 2 bits, as FS */
    RISCV_MODE_VFULL = 18,         /* 1 bit: RvvState.full */
};
typedef enum RiscvFrmClass { RISCV_FRM_HOST, RISCV_FRM_RMM, RISCV_FRM_INVALID } RiscvFrmClass;

/* MMU indices. S_SUM: S mode with access to user pages. */
enum { RISCV_MMU_U, RISCV_MMU_S, RISCV_MMU_S_SUM, RISCV_MMU_M, RISCV_N_MMU };

/* Exception causes (Privileged 3.1.15). */
enum {
    RISCV_EXC_FETCH_MISALIGNED = 0,
    RISCV_EXC_FETCH_ACCESS = 1,
    RISCV_EXC_ILLEGAL = 2,
    RISCV_EXC_BREAKPOINT = 3,
    RISCV_EXC_LOAD_MISALIGNED = 4,
    RISCV_EXC_LOAD_ACCESS = 5,
    RISCV_EXC_STORE_MISALIGNED = 6,
    RISCV_EXC_STORE_ACCESS = 7,
    RISCV_EXC_ECALL_U = 8,
    RISCV_EXC_ECALL_S = 9,
    RISCV_EXC_ECALL_M = 11,
    RISCV_EXC_FETCH_PAGE = 12,
    RISCV_EXC_LOAD_PAGE = 13,
    RISCV_EXC_STORE_PAGE = 15,
};

/* Interrupt numbers: bits of mip, and the lines of target->irq_set. */
enum {
    RISCV_IRQ_SSI = 1, RISCV_IRQ_MSI = 3, RISCV_IRQ_STI = 5, RISCV_IRQ_MTI = 7,
    RISCV_IRQ_SEI = 9, RISCV_IRQ_MEI = 11,
};

/* mstatus fields. */
#define MSTATUS_SIE  BIT(1)
#define MSTATUS_MIE  BIT(3)
#define MSTATUS_SPIE BIT(5)
#define MSTATUS_UBE  BIT(6)
#define MSTATUS_MPIE BIT(7)
#define MSTATUS_SPP  BIT(8)
#define MSTATUS_VS   (3 * BIT(9))
#define MSTATUS_MPP  (3 * BIT(11))
#define MSTATUS_FS   (3 * BIT(13))
#define MSTATUS_XS   (3 * BIT(15))
#define MSTATUS_MPRV BIT(17)
#define MSTATUS_SUM  BIT(18)
#define MSTATUS_MXR  BIT(19)
#define MSTATUS_TVM  BIT(20)
#define MSTATUS_TW   BIT(21)
#define MSTATUS_TSR  BIT(22)
#define MSTATUS_UXL  (3 * BIT(32))
#define MSTATUS_SXL  (3 * BIT(34))

#define SSTATUS_MASK (MSTATUS_SIE | MSTATUS_SPIE | MSTATUS_SPP | MSTATUS_VS | MSTATUS_FS | MSTATUS_XS | MSTATUS_SUM | \
                      MSTATUS_MXR | MSTATUS_UXL)

/* menvcfg, senvcfg. */
#define ENVCFG_FIOM  BIT(0)
#define ENVCFG_CBIE  (3 * BIT(4))
#define ENVCFG_CBCFE BIT(6)
#define ENVCFG_CBZE  BIT(7)
#define MENVCFG_ADUE BIT(61)
#define MENVCFG_PBMTE BIT(62)
#define MENVCFG_STCE BIT(63)

extern const Target target_riscv64, target_riscv32;

/* cpu-model.c */
bool riscv_model_init(Vcpu *vcpu, const char *model, Error **errp);
struct Json *riscv_model_props(const Vcpu *vcpu, bool full);
void riscv_models_print(FILE *out, unsigned xlen);
const char *const *riscv64_model_names(void);
const char *const *riscv32_model_names(void);
/* Linux AT_HWCAP: bit n is the single-letter extension 'a' + n. */
uint64_t riscv_hwcap(const Vcpu *vcpu);

/* fp-status.c: fflags and frm between state and the host's mode register image. */
void riscv_fp_sync(Vcpu *vcpu);
uint32_t riscv_fflags_get(Vcpu *vcpu);
void riscv_fflags_set(Vcpu *vcpu, uint32_t flags);
void riscv_frm_set(Vcpu *vcpu, uint32_t frm);

/* interrupt.c */
void riscv_cpu_reset(Vcpu *vcpu);
/* Before the first reset: where the hart starts and what it can ask of the machine. */
void riscv_cpu_connect(Vcpu *vcpu, uint64_t hartid, uint64_t reset_pc, const RiscvPlatform *platform, void *opaque);
void riscv_stimer_expired(Vcpu *vcpu);
/* A breakpoint whose surroundings, 12 bytes from the instruction before it on, make it a semihosting call: carried out, and true. */
bool riscv_semihosting_call(Vcpu *vcpu, const uint8_t *code);
void riscv_exception_enter(Vcpu *vcpu);
bool riscv_interrupt_pending(Vcpu *vcpu);
bool riscv_interrupt_take(Vcpu *vcpu);
bool riscv_has_work(Vcpu *vcpu);
void riscv_irq_set(Vcpu *vcpu, unsigned line, bool level);
uint64_t riscv_mip(const Vcpu *vcpu);
uint64_t riscv_time(const Vcpu *vcpu);

/* mmu.c */
unsigned riscv_mmu_index(const Vcpu *vcpu, MmuAccess access);
bool riscv_tlb_fill_debug(Vcpu *vcpu, vaddr addr, TlbFill *ret);
bool riscv_tlb_fill(Vcpu *vcpu, vaddr addr, MmuAccess access, unsigned size_bytes, unsigned mmu_index,
                    bool probe, TlbFill *ret);
void riscv_unaligned(Vcpu *vcpu, vaddr addr, MmuAccess access, unsigned mmu_index);
void riscv_bus_error(Vcpu *vcpu, vaddr addr, gpa phys, MmuAccess access);

/* sysreg.c. cause RISCV_EXC_ILLEGAL is the only failure. */
bool riscv_csr_read(Vcpu *vcpu, unsigned csr, uint64_t *ret);
bool riscv_csr_write(Vcpu *vcpu, unsigned csr, uint64_t value);
/* Name of a CSR number, NULL if unknown. */
const char *riscv_csr_name(unsigned csr);

/* translate.c */
uint64_t riscv_trans_mode(const Vcpu *vcpu);
bool riscv_trans_begin(TransCtx *ctx);
bool riscv_scan(TransCtx *ctx, vaddr pc, ScanInsn *ret);
void riscv_translate(TransCtx *ctx);

/* disas.c */
size_t riscv64_disas(vaddr pc, const uint8_t *bytes, size_t n, uint64_t mode, char *out, size_t out_size);
size_t riscv32_disas(vaddr pc, const uint8_t *bytes, size_t n, uint64_t mode, char *out, size_t out_size);

/* gdb.c */
const char *riscv_gdb_feature(const char *group);
const RegDesc *riscv_regs(const Vcpu *vcpu, size_t *n);
bool riscv_reg_read(Vcpu *vcpu, const RegDesc *reg, void *out);
bool riscv_reg_write(Vcpu *vcpu, const RegDesc *reg, const void *in);
void riscv_dump(Vcpu *vcpu, FILE *out, unsigned log_items);
bool riscv_mappings(Vcpu *vcpu, TargetMapping *emit, void *opaque);
bool riscv_before_insn(Vcpu *vcpu);
void riscv_mem_access(Vcpu *vcpu, const uint8_t *insn, size_t n, TargetTouch *touch, void *opaque);
extern const char *const riscv_x_names[32], *const riscv_f_names[32];

#endif
