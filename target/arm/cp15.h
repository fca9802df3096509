/*
 * cp15.h: coprocessor registers of AArch32: the table (cp15.def) and who asks it (translate-a32-system.c, helper-a32-system.c).
 */
#ifndef TARGET_ARM_CP15_H
#define TARGET_ARM_CP15_H

#include "target/arm/sysreg.h"

/* A register's number: of MRC and MCR, of MRRC and MCRR. cp is 14 or 15. */
#define ARM_CP(cp, opc1, crn, crm, opc2) ((uint32_t)((cp) & 1) << 15 | (opc1) << 11 | (crn) << 7 | (crm) << 3 | (opc2))
#define ARM_CP64(cp, opc1, crm) (1u << 16 | (uint32_t)((cp) & 1) << 15 | (uint32_t)(opc1) << 11 | (crm) << 3)

typedef enum ArmCpPart { ARM_CP_LOW, ARM_CP_HIGH, ARM_CP_WHOLE } ArmCpPart;

typedef struct ArmCpReg {
    uint32_t key;
    const char *name;
    bool (*gate)(const Vcpu *vcpu);
    uint8_t read_el, write_el;      /* ARM_SYSREG_NEVER: not at any level */
    uint8_t part;
    bool banked;                    /* field is an array by level */
    uint32_t flags;                 /* sysreg.h */
    int32_t field;                  /* -1: none */
    uint16_t same;                  /* AArch64's register, 0: none */
    uint64_t write_mask;
    bool (*read)(Vcpu *vcpu, uint32_t key, uint64_t *ret);
    bool (*write)(Vcpu *vcpu, uint32_t key, uint64_t value);
} ArmCpReg;

/* NULL: there is none, or the model has not got it. Families by number are filled into *scratch. */
const ArmCpReg *arm_cp_find(const Vcpu *vcpu, uint32_t key, ArmCpReg *scratch);
/* Low halves are the value of MRC, WHOLE ones are MRRC's. False: undefined; traps do not return. */
bool arm_cp_read(Vcpu *vcpu, uint32_t key, uint64_t *ret);
bool arm_cp_write(Vcpu *vcpu, uint32_t key, uint64_t value);
/* VMRS and VMSR; false: undefined. */
bool arm_vfp_sysreg_read(Vcpu *vcpu, unsigned reg, uint32_t *ret);
bool arm_vfp_sysreg_write(Vcpu *vcpu, unsigned reg, uint32_t value);

static inline unsigned arm_cp_opc1(uint32_t key) { return key >> 11 & 15; }

/* mmu-at.c */
bool arm_write_at32(Vcpu *vcpu, uint32_t key, uint64_t value);

#endif
