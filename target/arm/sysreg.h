/*
 * sysreg.h: what the table of system registers (sysreg.def) and the files with their functions share.
 */
#ifndef TARGET_ARM_SYSREG_H
#define TARGET_ARM_SYSREG_H

#include "target/arm/system.h"

/*
 * ArmSysreg.flags. TVM to CNTPS: who may be trapped, by the names of the control bits (D1.3.5, D24): HCR_EL2 where nothing else is
 * said; for what EL0 may do SCTLR_EL1, else the trap comes from the level below.
 */
enum {
    ARM_SR_ENDS = 1 << 0,      /* what follows a write may have to be translated anew */
    ARM_SR_VHE = 1 << 1,       /* at EL2 with HCR_EL2.E2H the name means the register of EL2 */
    ARM_SR_SPACE = 1 << 2,     /* a write may change ASID or VMID */
    ARM_SR_TVM = 1 << 3,       /* TVM writes, TRVM reads */
    ARM_SR_TACR = 1 << 4,
    ARM_SR_TID1 = 1 << 5,
    ARM_SR_TID2 = 1 << 6,      /* or TID4 */
    ARM_SR_TID3 = 1 << 7,
    ARM_SR_TSW = 1 << 8,
    ARM_SR_TPCP = 1 << 9,
    ARM_SR_TPU = 1 << 10,
    ARM_SR_TOCU = 1 << 11,
    ARM_SR_TICAB = 1 << 12,
    ARM_SR_TTLB = 1 << 13,     /* and TTLBIS, TTLBOS by CRm */
    ARM_SR_TERR = 1 << 14,
    ARM_SR_APK = 1 << 15,      /* HCR_EL2.APK, SCR_EL3.APK, which allow */
    ARM_SR_TCPAC = 1 << 16,    /* CPTR_EL2, CPTR_EL3 */
    ARM_SR_TDA = 1 << 17,      /* MDCR_EL2.TDA or TDE, MDCR_EL3.TDA */
    ARM_SR_TDA3 = 1 << 18,     /* MDCR_EL3.TDA only */
    ARM_SR_TDOSA = 1 << 19,
    ARM_SR_TDRA = 1 << 20,
    ARM_SR_TDCC = 1 << 21,     /* MDSCR_EL1.TDCC at EL0 */
    ARM_SR_PMU = 1 << 22,      /* PMUSERENR_EL0 at EL0, MDCR_EL2.TPM, MDCR_EL3.TPM */
    ARM_SR_TPMCR = 1 << 23,
    ARM_SR_PMUSER = 1 << 24,   /* MDCR_EL2.TPM, MDCR_EL3.TPM */
    ARM_SR_CNTEN = 1 << 25,    /* CNTKCTL_EL1, CNTHCTL_EL2 */
    ARM_SR_CNTPS = 1 << 26,    /* SCR_EL3.ST */
    ARM_SR_UCI = 1 << 27,      /* EL0: SCTLR_EL1.UCI */
    ARM_SR_UCT = 1 << 28,
    ARM_SR_UMA = 1 << 29,
    ARM_SR_DZE = 1 << 30,      /* and HCR_EL2.TDZ */
#define ARM_SR_ATA (UINT32_C(1) << 31) /* HCR_EL2.ATA, SCR_EL3.ATA, which allow */
};

/* sysreg-trap.c: the level an access from the current level traps to, 0: none. */
unsigned arm_sysreg_trap_level(const Vcpu *vcpu, const ArmSysreg *r, unsigned key, bool write);

/* mmu-at.c, tlbi.c, pmu.c */
bool arm_read_pmu(Vcpu *vcpu, unsigned key, uint64_t *ret);
bool arm_write_pmu(Vcpu *vcpu, unsigned key, uint64_t value);
bool arm_write_at(Vcpu *vcpu, unsigned key, uint64_t value);
bool arm_write_tlbi(Vcpu *vcpu, unsigned key, uint64_t value);

/* Parts of a number (ARM_SYSREG). */
static inline unsigned arm_key_op0(unsigned key) { return key >> 14 & 3; }
static inline unsigned arm_key_op1(unsigned key) { return key >> 11 & 7; }
static inline unsigned arm_key_crn(unsigned key) { return key >> 7 & 15; }
static inline unsigned arm_key_crm(unsigned key) { return key >> 3 & 15; }
static inline unsigned arm_key_op2(unsigned key) { return key & 7; }

#endif
