/*
 * cpu.h: the state of an x86 logical processor and what its room shares.
 *
 * One state struct serves both targets: integer slots of i386 are I32 (the low halves), those of x86_64 are I64 also in
 * 16- and 32-bit modes (writes of 32 bits zero-extend, as in 64-bit mode).
 *
 * The pc slot, and every pc the translator sees, is *linear*: CS base + (r)ip. The CS base is part of the translation mode outside
 * 64-bit mode, so that it is a constant in a unit; x86_ip() gives the instruction pointer.
 *
 * Everything here belongs to the thread that runs the vCPU, except vcpu->interrupt_request (interrupt.c).
 * SDM: Intel 64 and IA-32 Architectures Software Developer's Manual; APM: AMD64 Architecture Programmer's Manual.
 */
#ifndef TARGET_X86_CPU_H
#define TARGET_X86_CPU_H

#include "accel/vcpu.h"
#include "target/target.h"
#include "target/x86/features.h"

typedef union X86Vector {
    uint8_t u8[16]; uint16_t u16[8]; uint32_t u32[4]; uint64_t u64[2];
    int8_t s8[16]; int16_t s16[8]; int32_t s32[4]; int64_t s64[2];
    float f32[4]; double f64[2];
} __attribute__((aligned(16))) X86Vector;

/* 80 bits, in the format of FSAVE; the rest of the 16 bytes is zero. */
typedef union X86Fpr {
    struct { uint64_t mantissa; uint16_t sign_exp; } __attribute__((packed));
    uint64_t mmx;
    uint8_t bytes[16];
} __attribute__((aligned(16))) X86Fpr;

enum { X86_RAX, X86_RCX, X86_RDX, X86_RBX, X86_RSP, X86_RBP, X86_RSI, X86_RDI };
typedef enum X86SegId { X86_ES, X86_CS, X86_SS, X86_DS, X86_FS, X86_GS, X86_N_SEGS } X86SegId;

/* What a machine offers its processors; all called by the vCPU's thread. NULL in user mode. */
typedef struct X86Platform {
    /* size 1, 2 or 4; takes the device lock itself. */
    uint32_t (*io_read)(void *opaque, Vcpu *vcpu, uint16_t port, unsigned size);
    void (*io_write)(void *opaque, Vcpu *vcpu, uint16_t port, unsigned size, uint32_t value);
    /* INTR is up and interrupts are enabled: the vector (INTA cycle); -1: none after all. */
    int (*interrupt_ack)(void *opaque, Vcpu *vcpu);
    /* Local APIC: CR8, IA32_APIC_BASE and the x2APIC registers (MSRs 0x1b, 0x800-0x8ff); false: #GP. */
    uint8_t (*tpr_get)(void *opaque, Vcpu *vcpu);               /* bits 7:4 of TPR */
    void (*tpr_set)(void *opaque, Vcpu *vcpu, uint8_t cr8);
    bool (*msr_read)(void *opaque, Vcpu *vcpu, uint32_t msr, uint64_t *ret);
    bool (*msr_write)(void *opaque, Vcpu *vcpu, uint32_t msr, uint64_t value);
    uint64_t (*tsc)(void *opaque);                              /* counts at tsc_hz */
    uint64_t tsc_hz;
    /* A local APIC that is not the platform's saw the end of a level-triggered interrupt. */
    void (*end_of_interrupt)(void *opaque, Vcpu *vcpu, uint8_t vector);
    /* The processor entered or left SMM: vcpu->as is switched by the platform. */
    void (*smm_changed)(void *opaque, Vcpu *vcpu, bool in_smm);
    void (*ferr)(void *opaque, bool level);                     /* FERR#/IGNNE# for CR0.NE = 0: IRQ 13 */
    void (*triple_fault)(void *opaque, Vcpu *vcpu);             /* shut-down cycle: resets the machine */
} X86Platform;

/* Of a socket, a die, a core: for CPUID; 0 is 1. */
typedef struct X86Topology { uint16_t n_dies, n_cores, n_threads; } X86Topology;

typedef struct X86CpuidAnswer { uint32_t leaf, subleaf, r[4]; bool valid; } X86CpuidAnswer;

typedef struct X86State {
#define FIELD(type, name, count, doc) type name FIELD_ARRAY(count);
#define FIELD_ARRAY(count) FIELD_ARRAY_##count
#define FIELD_ARRAY_1
#define FIELD_ARRAY_4 [4]
#define FIELD_ARRAY_6 [6]
#define FIELD_ARRAY_8 [8]
#define FIELD_ARRAY_11 [11]
#define FIELD_ARRAY_16 [16]
#define FIELD_ARRAY_40 [40]
#include "target/x86/cpu-state.def"
#undef FIELD
    /* Below: derived or wiring, not migrated. */
    const X86Platform *platform;
    void *platform_opaque;
    uint32_t apic_id;
    bool is_bsp;
    X86Topology topology;
    struct X86Kvm *kvm;  /* under KVM: kvm.h */
    bool kvm_halted;     /* under KVM with an interrupt controller of ours: HLT */
    uint8_t seg_check;   /* bit per X86SegId: not flat (see X86_MODE_SEG_CHECK); kept by x86_seg_changed() */
    bool pkeys_seen;     /* a page with a protection key other than 0 may be in the TLB */
    bool ext;            /* error codes get EXT: an event from outside, or an exception, is being delivered */
    X86CpuidAnswer cpuid_known[8]; /* user mode */
    uint32_t cpuid_rest[2]; /* of the instruction under way: ECX and EDX */
    int16_t delivering;  /* vector of the exception or interrupt that is being delivered + 1; 0: none */
} X86State;

static inline X86State *x86_state(const Vcpu *vcpu)
{
    return (X86State *)vcpu->state;
}

/* -- flags ----------------------------------------------------------------------------------- */

#define X86_CF   BIT(0)
#define X86_PF   BIT(2)
#define X86_AF   BIT(4)
#define X86_ZF   BIT(6)
#define X86_SF   BIT(7)
#define X86_TF   BIT(8)
#define X86_IF   BIT(9)
#define X86_DF   BIT(10)
#define X86_OF   BIT(11)
#define X86_IOPL (3 * BIT(12))
#define X86_NT   BIT(14)
#define X86_RF   BIT(16)
#define X86_VM   BIT(17)
#define X86_AC   BIT(18)
#define X86_VIF  BIT(19)
#define X86_VIP  BIT(20)
#define X86_ID   BIT(21)
#define X86_ARITH_FLAGS (X86_CF | X86_PF | X86_AF | X86_ZF | X86_SF | X86_OF)

/* flags.c: all of EFLAGS, lazy ones computed; and back (arithmetic flags become X86_CC_FLAGS). */
uint32_t x86_eflags_get(const Vcpu *vcpu);
void x86_eflags_set(Vcpu *vcpu, uint32_t eflags);

/* -- slots and translation mode ---------------------------------------------------------------- */

enum {
    X86_SLOT_GPR = 0,                 /* 16 */
    X86_SLOT_CC_DST = 16, X86_SLOT_CC_SRC, X86_SLOT_CC_SRC2,   /* word size */
    X86_SLOT_CC_OP,                   /* I32 */
    X86_SLOT_PC = 20,
    X86_SLOT_SEG_BASE = 21,           /* 6 */
    X86_SLOT_XMM = 27,                /* 16, V128 */
    X86_SLOT_YMMH = 43,               /* 16, V128: bits 128-255; a VEX.128 write puts zero */
    X86_SLOT_FIP = 59, X86_SLOT_FDP,  /* I64: x87 pointers. The rest of the x87 state is in no slots: x87.h */
    X86_SLOT_EFLAGS = 61,             /* I32: state.eflags, without the arithmetic flags */
    X86_N_SLOTS = 62,
};

/* Everything in CPU state that changes what code means. Bits 63:32: CS base outside 64-bit mode. */
enum {
    X86_MODE_CPL = 0,                 /* 2 bits; 0 in real mode, 3 in VM86 */
    X86_MODE_CODE = 2,                /* 2 bits: X86Code */
    X86_MODE_SS32 = 4,                /* SS.B: stack pointer is esp, not sp; 0 in 64-bit code, which does not look at it */
    X86_MODE_PE = 5,                  /* protected mode */
    X86_MODE_VM = 6,                  /* VM86 */
    X86_MODE_MMU = 7,                 /* 2 bits: MMU index of data accesses */
    X86_MODE_CSLIM = 9,               /* 2 bits: X86CsLimit */
    X86_MODE_SEG_CHECK = 11,          /* 6 bits by X86SegId: accesses need a look at limit and rights */
    X86_MODE_SEG_BASE = 17,           /* 3 bits, ES SS DS: base is not 0 (FS and GS: always added; CS: bits 63:32) */
    X86_MODE_LMA = 20,                /* long mode active (compatibility mode with CODE != 64) */
    X86_MODE_X87_SLOW = 21,           /* x87 exceptions are unmasked or pending */
    X86_MODE_VEC = 23,                /* 2 bits: 0 no SSE (#UD), 1 SSE, 2 AVX */
    X86_MODE_FPU_TRAP = 25,           /* CR0.TS or EM: x87, MMX and SSE ask x86_helper_fpu_check first */
    X86_MODE_SSE_TRAP = 26,           /* MXCSR has unmasked exceptions */
    X86_MODE_TF = 27,                 /* single step */
    X86_MODE_INHIBIT = 28,            /* state.inhibit is set: one instruction, then look again */
    X86_MODE_ALIGN = 30,              /* CR0.AM, EFLAGS.AC, CPL 3 */
    X86_MODE_BP = 31,                 /* DR7 has code breakpoints enabled */
};
typedef enum X86Code { X86_CODE_16, X86_CODE_32, X86_CODE_64 } X86Code;
typedef enum X86CsLimit { X86_CSLIM_4G, X86_CSLIM_64K, X86_CSLIM_OTHER } X86CsLimit;

/* MMU indices. K_AC: supervisor access to user pages allowed (SMAP off, or AC set); KERNEL is with SMAP in force. */
enum { X86_MMU_KERNEL, X86_MMU_K_AC, X86_MMU_USER, X86_N_MMU };

enum { X86_INHIBIT_IRQ = 1, X86_INHIBIT_ALL = 2 }; /* after STI; after MOV SS and POP SS */

static inline X86Code x86_mode_code(uint64_t mode) { return (X86Code)bits_get(mode, X86_MODE_CODE, 2); }
static inline uint32_t x86_mode_cs_base(uint64_t mode) { return (uint32_t)(mode >> 32); }

/* Instruction pointer: pc minus the CS base, in the width of the mode. */
static inline uint64_t x86_ip(const Vcpu *vcpu)
{
    const X86State *s = x86_state(vcpu);
    return s->pc - s->seg_base[X86_CS];
}

/* -- exceptions --------------------------------------------------------------------------------- */

enum {
    X86_EXC_DE = 0, X86_EXC_DB, X86_EXC_NMI, X86_EXC_BP, X86_EXC_OF, X86_EXC_BR, X86_EXC_UD, X86_EXC_NM, X86_EXC_DF,
    X86_EXC_TS = 10, X86_EXC_NP, X86_EXC_SS, X86_EXC_GP, X86_EXC_PF, X86_EXC_MF = 16, X86_EXC_AC, X86_EXC_MC, X86_EXC_XM,
    /* vcpu->exception.cause: vector | X86_CAUSE_*; .value: error code, with CR2 already set for #PF. */
    X86_CAUSE_HAS_CODE = 0x100,   /* .value is pushed */
    X86_CAUSE_SOFT = 0x200,       /* INT n, INT3, INTO: DPL of the gate is checked, pc is that of the instruction; next ip = pc + .value >> 32 */
    X86_SOFT_ICEBP = 0x80,        /* user mode, in that length: INT1, not INT 1 */
    X86_CAUSE_CANONICAL = 0x400,  /* #GP of an address that is not canonical: #SS if it was the stack's */
    X86_CAUSE_VECTOR_MASK = 0xff,
};

/* exception.c: fills vcpu->exception and leaves; pc slot = the instruction's pc (helpers declared RAISES). */
noreturn void x86_raise(Vcpu *vcpu, unsigned vector);
noreturn void x86_raise_code(Vcpu *vcpu, unsigned vector, uint32_t code);   /* DF TS NP SS GP PF AC */

/* Interrupt lines: bits of vcpu->interrupt_request and lines of target->irq_set. INTR is a level, the others are latched. NMI_AGAIN is
 * no line: it says that another NMI came before the latched one was taken. */
enum { X86_IRQ_INTR, X86_IRQ_NMI, X86_IRQ_SMI, X86_IRQ_INIT, X86_IRQ_SIPI, X86_IRQ_MCE, X86_IRQ_NMI_AGAIN };

/* Before the first reset: the machine's side. tsc etc. may be used right after. */
void x86_cpu_connect(Vcpu *vcpu, uint32_t apic_id, bool is_bsp, const X86Platform *platform, void *opaque);
void x86_cpu_set_topology(Vcpu *vcpu, X86Topology topology);
/* From any thread, device lock held: the vector that the next SIPI line starts at. */
void x86_cpu_sipi(Vcpu *vcpu, uint8_t vector);
/* INIT and SIPI lines that are up are acted upon, by an accelerator that takes the other interrupts itself. */
void x86_take_init_sipi(Vcpu *vcpu);
/* One latched NMI less; false: there was none. */
bool x86_take_nmi(Vcpu *vcpu);
/* From its delivery to IRET, and in SMM: of the NMIs that come then one stays pending. */
void x86_block_nmi(Vcpu *vcpu, bool blocked);
/* Address line 20, in the vCPU's thread or while it stands still. */
void x86_cpu_set_a20(Vcpu *vcpu, bool on);

/* -- control registers, segments ---------------------------------------------------------------------- */

#define X86_CR0_PE BIT(0)
#define X86_CR0_MP BIT(1)
#define X86_CR0_EM BIT(2)
#define X86_CR0_TS BIT(3)
#define X86_CR0_ET BIT(4)
#define X86_CR0_NE BIT(5)
#define X86_CR0_WP BIT(16)
#define X86_CR0_AM BIT(18)
#define X86_CR0_NW BIT(29)
#define X86_CR0_CD BIT(30)
#define X86_CR0_PG BIT(31)
#define X86_CR4_VME BIT(0)
#define X86_CR4_PVI BIT(1)
#define X86_CR4_TSD BIT(2)
#define X86_CR4_DE BIT(3)
#define X86_CR4_PSE BIT(4)
#define X86_CR4_PAE BIT(5)
#define X86_CR4_MCE BIT(6)
#define X86_CR4_PGE BIT(7)
#define X86_CR4_PCE BIT(8)
#define X86_CR4_OSFXSR BIT(9)
#define X86_CR4_OSXMMEXCPT BIT(10)
#define X86_CR4_UMIP BIT(11)
#define X86_CR4_LA57 BIT(12)
#define X86_CR4_VMXE BIT(13)
#define X86_CR4_SMXE BIT(14)
#define X86_CR4_FSGSBASE BIT(16)
#define X86_CR4_PCIDE BIT(17)
#define X86_CR4_OSXSAVE BIT(18)
#define X86_CR4_SMEP BIT(20)
#define X86_CR4_SMAP BIT(21)
#define X86_CR4_PKE BIT(22)
#define X86_EFER_SCE BIT(0)
#define X86_EFER_LME BIT(8)
#define X86_EFER_LMA BIT(10)
#define X86_EFER_NXE BIT(11)
#define X86_MISC_XD_DISABLE BIT(34) /* of IA32_MISC_ENABLE */
#define X86_EFER_FFXSR BIT(14)

/* seg_attr: as in the second descriptor word. */
#define X86_ATTR_TYPE  (15 * BIT(8))
#define X86_ATTR_A     BIT(8)
#define X86_ATTR_W     BIT(9)    /* data: writable; code: readable */
#define X86_ATTR_E     BIT(10)   /* data: expand down; code: conforming */
#define X86_ATTR_CODE  BIT(11)
#define X86_ATTR_S     BIT(12)   /* code or data, not system */
#define X86_ATTR_DPL   (3 * BIT(13))
#define X86_ATTR_P     BIT(15)
#define X86_ATTR_AVL   BIT(20)
#define X86_ATTR_L     BIT(21)
#define X86_ATTR_B     BIT(22)   /* D/B */
#define X86_ATTR_G     BIT(23)

/* 64-bit code is running. */
static inline bool x86_is_code64(const X86State *s)
{
    return (s->efer & X86_EFER_LMA) && (s->seg_attr[X86_CS] & X86_ATTR_L);
}

static inline unsigned x86_cpl(const Vcpu *vcpu)
{
    const X86State *s = x86_state(vcpu);
    return !(s->cr0 & X86_CR0_PE) ? 0 : s->eflags & X86_VM ? 3 : s->seg_attr[X86_SS] >> 13 & 3;
}

/* sysreg.c: after PKRU changed other than by WRPKRU. */
void x86_pkru_changed(Vcpu *vcpu);

/* debug.c. After DR7, TF or db_pending changed. */
void x86_debug_update(Vcpu *vcpu);

/* segment.c. After CR0.PE, EFER.LMA, EFLAGS.VM or a segment register changed: seg_check. */
void x86_seg_changed(Vcpu *vcpu);
/* Sets a segment register's hidden part as given; keeps seg_check. */
void x86_seg_set(Vcpu *vcpu, X86SegId seg, uint16_t sel, uint64_t base, uint32_t limit, uint32_t attr);
/* MOV/POP/Lxx of a segment register with all checks; raises. Not CS. */
void x86_seg_load(Vcpu *vcpu, X86SegId seg, uint16_t sel);

/* -- CPU model: vcpu->model ---------------------------------------------------------------------------- */

typedef struct X86Model {
    const char *name;
    uint32_t features[X86_N_FEATURE_WORDS];   /* features.h: what CPUID reports and the decoder allows */
    char vendor[13], model_id[49];
    uint32_t family, model, stepping;
    uint32_t level, xlevel;                   /* highest basic and extended leaves */
    uint8_t phys_bits, linear_bits;
    bool long_mode;                           /* LM: 64-bit code exists */
    bool is_max, accel_leaf, kvm_leaf, topology_leaf, l3_cache; /* leaves 40000000h (translator, KVM), 0Bh; leaf 4 has a third level */
    uint64_t ucode_rev, tsc_hz;               /* 0: the usual */
    const struct X86Caches *caches;           /* cpuid.c */
} X86Model;

bool x86_is_amd(const X86Model *m); /* cpuid.c: AMD's, and Hygon's, which behave as they do */
static inline const X86Model *x86_model(const Vcpu *vcpu) { return vcpu->model; }
static inline bool x86_has(const Vcpu *vcpu, X86Feature f)
{
    return x86_model(vcpu)->features[f / 32] >> (f % 32) & 1;
}
/* cpuid.c: one leaf, as the guest sees it now (OSXSAVE, APIC id… are dynamic). */
void x86_cpuid(Vcpu *vcpu, uint32_t leaf, uint32_t subleaf, uint32_t ret_regs[4]);
/* The state components XCR0 may enable (XSETBV), and the bytes of a standard-format area for them. */
uint64_t x86_xcr0_supported(const Vcpu *vcpu);
/* Linux AT_HWCAP: CPUID.1:EDX. */
uint64_t x86_hwcap(const Vcpu *vcpu);

extern const Target target_x86_64, target_i386;

/* cpu-model.c */
bool x86_model_init(Vcpu *vcpu, const char *model, Error **errp);
void x86_models_print(FILE *out);
const char *const *x86_model_names(void);

/* translate.c, decode.c, disas.c */
uint64_t x86_trans_mode(const Vcpu *vcpu);
bool x86_trans_begin(TransCtx *ctx);
bool x86_scan(TransCtx *ctx, vaddr pc, ScanInsn *ret);
void x86_translate(TransCtx *ctx);
size_t x86_disas(vaddr pc, const uint8_t *bytes, size_t n, uint64_t mode, char *out, size_t out_size);

/* fp-status.c: mxcsr between state and the host's mode register. */
void x86_fp_sync(Vcpu *vcpu);
uint32_t x86_mxcsr_get(Vcpu *vcpu);
void x86_mxcsr_set(Vcpu *vcpu, uint32_t mxcsr);

/* fpu-state.c: FSAVE, FXSAVE and XSAVE images in host memory, for instructions and signal frames. */
void x86_fsave(Vcpu *vcpu, uint8_t image[108], bool is32);
void x86_fsave_image(Vcpu *vcpu, uint8_t image[108], bool is32);      /* without the FNINIT behind it */
bool x86_frstor(Vcpu *vcpu, const uint8_t image[108], bool is32);
void x86_fxsave(Vcpu *vcpu, uint8_t image[512], bool is64);
bool x86_fxrstor(Vcpu *vcpu, const uint8_t image[512], bool is64);   /* false: reserved MXCSR bits */
/* The size of the standard-format area for these components; where one component lies in it. */
uint32_t x86_xsave_size(uint64_t xcr0);
typedef enum X86XsaveKind { X86_XSAVE, X86_XSAVEOPT, X86_XSAVEC, X86_XSAVES /* no supervisor state exists */ } X86XsaveKind;
void x86_xsave(Vcpu *vcpu, uint8_t *image, uint64_t mask, bool is64);
bool x86_xrstor(Vcpu *vcpu, const uint8_t *image, uint64_t mask, bool is64);
void x86_fpu_init(Vcpu *vcpu);                                        /* FNINIT */
void x86_fpu_start(Vcpu *vcpu);                                       /* x87, SSE and AVX as Linux gives them to programs and signal handlers */

/* interrupt.c, exception.c, mmu.c, gdb.c: the Target table's functions. */
void x86_cpu_reset(Vcpu *vcpu);
void x86_exception_enter(Vcpu *vcpu);
bool x86_interrupt_pending(Vcpu *vcpu);
bool x86_interrupt_take(Vcpu *vcpu);
bool x86_has_work(Vcpu *vcpu);
void x86_irq_set(Vcpu *vcpu, unsigned line, bool level);
unsigned x86_mmu_index(const Vcpu *vcpu, MmuAccess access);
bool x86_tlb_fill(Vcpu *vcpu, vaddr addr, MmuAccess access, unsigned size_bytes, unsigned mmu_index, bool probe, TlbFill *ret);
bool x86_tlb_fill_debug(Vcpu *vcpu, vaddr addr, TlbFill *ret);
bool x86_print_mappings(Vcpu *vcpu, FILE *out, bool pages);
void x86_unaligned(Vcpu *vcpu, vaddr addr, MmuAccess access, unsigned mmu_index);
void x86_bus_error(Vcpu *vcpu, vaddr addr, gpa phys, MmuAccess access);
bool x86_before_insn(Vcpu *vcpu);
const char *x86_gdb_feature(const char *group);
const char *x86_gdb_types(const char *group);
const RegDesc *x86_regs(const Vcpu *vcpu, size_t *n);
bool x86_reg_read(Vcpu *vcpu, const RegDesc *reg, void *out);
bool x86_reg_write(Vcpu *vcpu, const RegDesc *reg, const void *in);
void x86_dump(Vcpu *vcpu, FILE *out, unsigned log_items);
void x86_mem_access(Vcpu *vcpu, const uint8_t *insn, size_t n, TargetTouch *touch, void *opaque);
/* Bytes of the instruction at pc, as many as can be read. */
size_t x86_insn_bytes(Vcpu *vcpu, uint8_t out[15]);
/* 64-bit code: whether an address that is not canonical was used by the instruction at pc as the stack's. */
bool x86_is_stack_access(Vcpu *vcpu);

#endif
