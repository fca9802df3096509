/*
 * mmu.h: the translation table walk, for the TLB, for address translation instructions and for listing (mmu-*.c).
 */
#ifndef TARGET_ARM_MMU_H
#define TARGET_ARM_MMU_H

#include "target/arm/system.h"

/* Fault status codes (D24.2.40, ISS of a data abort); + level where there is one. */
enum {
    ARM_FSC_ADDRESS_SIZE = 0x00,
    ARM_FSC_TRANSLATION = 0x04,
    ARM_FSC_ACCESS_FLAG = 0x08,
    ARM_FSC_PERMISSION = 0x0c,
    ARM_FSC_EXTERNAL = 0x10,
    ARM_FSC_EXTERNAL_WALK = 0x14,
    ARM_FSC_TAG = 0x11,       /* synchronous tag check fault */
    ARM_FSC_ALIGNMENT = 0x21,
    ARM_FSC_DEBUG = 0x22,
    ARM_FSC_DOMAIN = 0x3c,   /* AArch32 only */
};

/* Who accesses, in which regime. */
typedef struct ArmWalk {
    Vcpu *vcpu;
    ArmRegime regime;
    MmuAccess access;
    bool user, pan;
    bool debug;              /* permissions and access flags are not looked at, nothing is written */
    bool stage1_only;        /* address translation instructions S1 */
} ArmWalk;

typedef struct ArmPage {
    gpa phys;                /* of the address asked for */
    uint8_t prot, page_bits; /* of the smaller of both stages */
    uint8_t stage1_bits;     /* what TLB maintenance by address takes away at once */
    bool global, ns, guarded;
    bool tagged;             /* Tagged memory: MAIR's byte is 0xf0, which `attr` has as 0xff */
    uint8_t attr, sh;        /* as in PAR_EL1: MAIR's byte, shareability */
} ArmPage;

typedef struct ArmWalkFault {
    uint8_t fsc;
    uint8_t domain;          /* of a short descriptor */
    bool stage2, s1ptw;
    uint64_t ipa;            /* stage2 */
} ArmWalkFault;

/* False: *ret_fault says why. */
bool arm_walk(const ArmWalk *w, vaddr addr, ArmPage *ret, ArmWalkFault *ret_fault);

/* FS of the short format by the code an ESR_ELx has (exception32.c). */
uint32_t arm_short_status(unsigned fsc);

/* Fills vcpu->exception and the fault for it. maintenance: of a cache or address translation instruction. */
void arm_abort(Vcpu *vcpu, vaddr addr, MmuAccess access, const ArmWalkFault *f, bool maintenance);

/* How the tables of one stage and half are laid out (D8.2). */
typedef struct ArmTables {
    uint8_t granule_bits, va_bits, top_bits, out_bits; /* top_bits: of the index at the first level */
    int8_t start;            /* first level, -1 to 3 */
    bool ha, hd, hpd, ds, wide; /* wide: 64 KiB descriptors with 52 bits */
    bool stage2;
    uint8_t sh;              /* ds: from the control register */
    gpa base;
} ArmTables;

/* Of the half addr is in, *ret_in: the address without what the tables do not see. False: a fault at level 0. */
bool arm_stage1_tables(const Vcpu *vcpu, ArmRegime regime, vaddr addr, MmuAccess access, bool user, ArmTables *ret, uint64_t *ret_in, ArmWalkFault *ret_fault);
/* Output address of a descriptor at a level. */
gpa arm_descriptor_address(const ArmTables *t, uint64_t desc, int level);
static inline unsigned arm_level_bits(const ArmTables *t, int level) { return t->granule_bits + (unsigned)(3 - level) * (t->granule_bits - 3u); }
/* A descriptor from memory, or for it, where SCTLR_ELx.EE may ask for the other byte order. */
uint64_t arm_descriptor_in_order(const Vcpu *vcpu, ArmRegime regime, const ArmTables *t, uint64_t desc);
bool arm_block_allowed(const ArmTables *t, int level);
/* mmu-short.c: stage 1 by short descriptors; arm_stage1_short() where arm_uses_short() says so. */
bool arm_uses_short(const Vcpu *vcpu, ArmRegime regime);
bool arm_stage1_short(const ArmWalk *w, vaddr addr, ArmPage *ret, ArmWalkFault *ret_fault);
/* A table entry of stage 1, whose address goes through stage 2; NULL: *ret_fault says why. */
/* v5: what the current process' number makes of an address. */
vaddr arm_fcse(const Vcpu *vcpu, ArmRegime regime, vaddr addr);
void *arm_table_entry(const ArmWalk *w, gpa at, unsigned size_bytes, int level, ArmWalkFault *ret_fault);
bool arm_stage1_enabled(const Vcpu *vcpu, ArmRegime regime);
/* Whether the top byte of the address is ignored. */
bool arm_tbi(const Vcpu *vcpu, ArmRegime regime, vaddr addr, MmuAccess access);

/* The regime, ASID and VMID in force changed, or may have: switches to their TLB set. */
void arm_tlb_select(Vcpu *vcpu);

#endif
