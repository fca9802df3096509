/*
 * system.h: what the files of the system level share: fields of control registers, PSTATE, levels and regimes.
 *
 * Arm ARM DDI 0487, D24 (registers), C5.2 (PSTATE). Bits are named REGISTER_FIELD.
 */
#ifndef TARGET_ARM_SYSTEM_H
#define TARGET_ARM_SYSTEM_H

#include "target/arm/cpu.h"

/* PSTATE as in SPSR_ELx (C5.2.19). */
#define PSTATE_SP    BIT(0)
#define PSTATE_M_EL  (3 * BIT(2))
#define PSTATE_NRW   BIT(4)        /* AArch32 */
#define PSTATE_F     BIT(6)
#define PSTATE_I     BIT(7)
#define PSTATE_A     BIT(8)
#define PSTATE_D     BIT(9)
#define PSTATE_E     BIT(9)        /* AArch32: data is big-endian */
#define PSTATE_DAIF  (15 * BIT(6))
#define PSTATE_BTYPE (3 * BIT(10))
#define PSTATE_SSBS  BIT(12)
#define PSTATE_IL    BIT(20)
#define PSTATE_SS    BIT(21)
#define PSTATE_PAN   BIT(22)
#define PSTATE_UAO   BIT(23)
#define PSTATE_DIT   BIT(24)
#define PSTATE_TCO   BIT(25)
#define PSTATE_NZCV  (15 * BIT(28))

#define SCTLR_M      BIT(0)
#define SCTLR_A      BIT(1)
#define SCTLR_C      BIT(2)
#define SCTLR_SA     BIT(3)
#define SCTLR_SA0    BIT(4)
#define SCTLR_UMA    BIT(9)
#define SCTLR_I      BIT(12)
#define SCTLR_DZE    BIT(14)
#define SCTLR_UCT    BIT(15)
#define SCTLR_NTWI   BIT(16)
#define SCTLR_NTWE   BIT(18)
#define SCTLR_WXN    BIT(19)
#define SCTLR_TSCXT  BIT(20)
#define SCTLR_SPAN   BIT(23)
#define SCTLR_E0E    BIT(24)
#define SCTLR_EE     BIT(25)
#define SCTLR_UCI    BIT(26)
#define SCTLR_BT0    BIT(35)
#define SCTLR_BT1    BIT(36)       /* of EL2 and EL3 without a second level below: BT */
#define SCTLR_ATA0   BIT(42)
#define SCTLR_ATA    BIT(43)
#define SCTLR_DSSBS  BIT(44)
#define SCTLR_EPAN   BIT(57)

#define TCR_EPD0     BIT(7)
#define TCR_A1       BIT(22)
#define TCR_EPD1     BIT(23)
#define TCR_AS       BIT(36)
#define TCR_TBI0     BIT(37)
#define TCR_TBI1     BIT(38)
#define TCR_HA       BIT(39)
#define TCR_HD       BIT(40)
#define TCR_HPD0     BIT(41)
#define TCR_HPD1     BIT(42)
#define TCR_TBID0    BIT(51)
#define TCR_TBID1    BIT(52)
#define TCR_E0PD0    BIT(55)
#define TCR_E0PD1    BIT(56)
#define TCR_TCMA0    BIT(57)
#define TCR_TCMA1    BIT(58)
#define TCR_DS       BIT(59)
/* TCR_EL2 without VHE, TCR_EL3, VTCR_EL2: one half only. */
#define TCR2_TBI     BIT(20)
#define TCR2_HA      BIT(21)
#define TCR2_HD      BIT(22)
#define TCR2_HPD     BIT(24)
#define TCR2_TBID    BIT(29)
#define TCR2_TCMA    BIT(30)
#define TCR2_DS      BIT(32)

#define HCR_VM       BIT(0)
#define HCR_PTW      BIT(2)
#define HCR_FMO      BIT(3)
#define HCR_IMO      BIT(4)
#define HCR_AMO      BIT(5)
#define HCR_VF       BIT(6)
#define HCR_VI       BIT(7)
#define HCR_VSE      BIT(8)
#define HCR_DC       BIT(12)
#define HCR_TWI      BIT(13)
#define HCR_TWE      BIT(14)
#define HCR_TID1     BIT(16)
#define HCR_TID2     BIT(17)
#define HCR_TID3     BIT(18)
#define HCR_TSC      BIT(19)
#define HCR_TACR     BIT(21)
#define HCR_TSW      BIT(22)
#define HCR_TPCP     BIT(23)
#define HCR_TPU      BIT(24)
#define HCR_TTLB     BIT(25)
#define HCR_TVM      BIT(26)
#define HCR_TGE      BIT(27)
#define HCR_TDZ      BIT(28)
#define HCR_HCD      BIT(29)
#define HCR_TRVM     BIT(30)
#define HCR_RW       BIT(31)
#define HCR_ID       BIT(33)
#define HCR_E2H      BIT(34)
#define HCR_TLOR     BIT(35)
#define HCR_TERR     BIT(36)
#define HCR_TEA      BIT(37)
#define HCR_APK      BIT(40)
#define HCR_API      BIT(41)
#define HCR_FWB      BIT(46)
#define HCR_ATA      BIT(56)
#define HCR_TID4     BIT(49)
#define HCR_TICAB    BIT(50)
#define HCR_TOCU     BIT(52)
#define HCR_ENSCXT   BIT(53)
#define HCR_TTLBIS   BIT(54)
#define HCR_TTLBOS   BIT(55)

#define SCR_NS       BIT(0)
#define SCR_IRQ      BIT(1)
#define SCR_FIQ      BIT(2)
#define SCR_EA       BIT(3)
#define SCR_SMD      BIT(7)
#define SCR_HCE      BIT(8)
#define SCR_SIF      BIT(9)
#define SCR_RW       BIT(10)
#define SCR_ST       BIT(11)
#define SCR_TWI      BIT(12)
#define SCR_TWE      BIT(13)
#define SCR_APK      BIT(16)
#define SCR_ATA      BIT(26)
#define SCR_API      BIT(17)
#define SCR_EEL2     BIT(18)

#define MDSCR_SS     BIT(0)
#define MDSCR_TDCC   BIT(12)
#define MDSCR_KDE    BIT(13)
#define MDSCR_MDE    BIT(15)
#define MDCR_TPMCR   BIT(5)
#define MDCR_TPM     BIT(6)
#define MDCR_TDE     BIT(8)
#define MDCR_TDA     BIT(9)
#define MDCR_TDOSA   BIT(10)
#define MDCR_TDRA    BIT(11)

/* AArch32: modes (G1.9.1), M[3:0]; bit 4 is PSTATE.nRW. */
enum { A32_USR = 0, A32_FIQ = 1, A32_IRQ = 2, A32_SVC = 3, A32_MON = 6, A32_ABT = 7, A32_HYP = 10, A32_UND = 11, A32_SYS = 15 };

#define CPSR_T       BIT(5)
/* SCTLR and HSCTLR of AArch32, what differs from SCTLR_EL1 (G8.2.126). */
#define SCTLR32_S    BIT(8)        /* v5, v6: reading for all, by AP 00 */
#define SCTLR32_R    BIT(9)
#define SCTLR32_V    BIT(13)
#define SCTLR32_UWXN BIT(20)
#define SCTLR32_U    BIT(22)
#define SCTLR32_XP   BIT(23)       /* v6; since v8 SPAN */
#define SCTLR32_TRE  BIT(28)
#define SCTLR32_AFE  BIT(29)
#define SCTLR32_TE   BIT(30)
#define SCTLR32_DSSBS BIT(31)
#define TTBCR_EAE    BIT(31)
#define TTBCR_PD0    BIT(4)
#define TTBCR_PD1    BIT(5)

static inline bool arm_is_a32(const Vcpu *vcpu) { return arm_state(vcpu)->pstate & PSTATE_NRW; }

static inline bool arm_is_secure_below_el3(const Vcpu *vcpu)
{
    return arm_has(vcpu, EL3) && !(arm_state(vcpu)->scr_el3 & SCR_NS);
}

/* EL2Enabled(): EL2 is there and, in secure state, switched on. */
static inline bool arm_el2_enabled(const Vcpu *vcpu)
{
    return arm_has(vcpu, EL2) && (!arm_is_secure_below_el3(vcpu) || (arm_has(vcpu, SEL2) && (arm_state(vcpu)->scr_el3 & SCR_EEL2)));
}

/* HCR_EL2 as it acts: zero where EL2 is not enabled. */
static inline uint64_t arm_hcr(const Vcpu *vcpu)
{
    return arm_el2_enabled(vcpu) ? arm_state(vcpu)->hcr_el2 : 0;
}

/* Which of the two states a level 1 to 3 is in, or would be. */
static inline bool arm_el_is_a32(const Vcpu *vcpu, unsigned el)
{
    if (!arm_model(vcpu)->aarch64) {
        return true;
    }
    if (el < 3 && arm_has(vcpu, EL3) && !(arm_state(vcpu)->scr_el3 & SCR_RW)) {
        return true;
    }
    return el == 1 && arm_el2_enabled(vcpu) && !(arm_state(vcpu)->hcr_el2 & HCR_RW);
}

/* EL3 is AArch32 and the state is secure: its modes belong to EL3, there is no EL1. */
static inline bool arm_a32_el3_is_secure(const Vcpu *vcpu) { return !arm_model(vcpu)->aarch64 && arm_is_secure_below_el3(vcpu); }
/* Level of the kernel below EL2: where exceptions of programs go. */
static inline unsigned arm_pl1(const Vcpu *vcpu) { return arm_a32_el3_is_secure(vcpu) || (!arm_model(vcpu)->aarch64 && arm_state(vcpu)->el == 3) ? 3 : 1; }

/* EL2&0 is the regime of EL0: the host of VHE. */
static inline bool arm_is_host(uint64_t hcr) { return (hcr & (HCR_E2H | HCR_TGE)) == (HCR_E2H | HCR_TGE); }

/* Translation regimes (D8.1.2). */
typedef enum ArmRegime { ARM_REGIME_EL10, ARM_REGIME_EL20, ARM_REGIME_EL2, ARM_REGIME_EL3 } ArmRegime;

static inline ArmRegime arm_regime(const Vcpu *vcpu, unsigned el)
{
    uint64_t hcr = arm_hcr(vcpu);

    switch (el) {
    case 3: return ARM_REGIME_EL3;
    case 2: return hcr & HCR_E2H ? ARM_REGIME_EL20 : ARM_REGIME_EL2;
    case 1: return ARM_REGIME_EL10;
    default: return arm_a32_el3_is_secure(vcpu) ? ARM_REGIME_EL3 : arm_is_host(hcr) ? ARM_REGIME_EL20 : ARM_REGIME_EL10;
    }
}

/* Whose SCTLR, TCR, … control it. */
static inline unsigned arm_regime_el(ArmRegime r) { return r == ARM_REGIME_EL10 ? 1 : r == ARM_REGIME_EL3 ? 3 : 2; }

static inline bool arm_regime_is_a32(const Vcpu *vcpu, ArmRegime r) { return arm_el_is_a32(vcpu, arm_regime_el(r)); }

/* cpsr.c */
bool arm_a32_mode_there(const Vcpu *vcpu, unsigned mode);
unsigned arm_a32_level(const Vcpu *vcpu, unsigned mode);
/* Enters AArch32, or another of its modes: level, banked registers, TLB. */
void arm_set_mode(Vcpu *vcpu, unsigned mode);
/* Leaves AArch32: registers are where AArch64 has them. The level is set behind it. */
void arm_leave_a32(Vcpu *vcpu);
/* A register of a mode, which need not be the one in use. */
uint64_t *arm_a32_reg(Vcpu *vcpu, unsigned mode, unsigned n);
/* Which of AArch64's registers it is (not in Monitor mode). */
unsigned arm_a32_number(unsigned mode, unsigned n);
/* NULL: it has none. */
uint64_t *arm_a32_spsr(Vcpu *vcpu, unsigned mode);
/* What an exception return, or a write of CPSR, brings; the T bit is the caller's. False: illegal, PSTATE.IL is set. */
bool arm_cpsr_return(Vcpu *vcpu, uint32_t value);
/* Of the state in SPSR_ELx' layout and back. */
uint64_t arm_spsr_of_a32(const Vcpu *vcpu);
uint32_t arm_cpsr_of_spsr(uint64_t spsr);

/* exception32.c. pc is the preferred return address. */
typedef enum ArmVector32 { A32_VECTOR_UND = 4, A32_VECTOR_CALL = 8, A32_VECTOR_PABT = 12, A32_VECTOR_DABT = 16, A32_VECTOR_HYP = 20,
                           A32_VECTOR_IRQ = 24, A32_VECTOR_FIQ = 28 } ArmVector32;
void arm_exception_enter_a32(Vcpu *vcpu, unsigned target, bool monitor, unsigned ec, uint32_t iss, uint64_t value);
/* ISV and what goes with it for the load or store at pc, if it is one of one register without write-back. */
uint32_t arm_access_syndrome_a32(Vcpu *vcpu, bool *ret_narrow);
void arm_interrupt_enter_a32(Vcpu *vcpu, unsigned line, unsigned target, bool monitor);

/* exception.c */
void arm_set_level(Vcpu *vcpu, unsigned el, bool spx);
uint64_t arm_spsr_of_state(const Vcpu *vcpu);
/* monitor: AArch32's EL3 in its own mode, not in one of PL1's. */
void arm_interrupt_enter(Vcpu *vcpu, unsigned line, unsigned target, bool monitor);
void arm_exception_enter(Vcpu *vcpu);
/* ERET to pc: what becomes of the state; returns the new pc. */
uint64_t arm_exception_return(Vcpu *vcpu, uint64_t pc);
/* From a helper: an exception of that class and syndrome to a level, 0: as routed. */
noreturn void arm_trap_iss(Vcpu *vcpu, unsigned target_el, unsigned ec, uint32_t iss);

/* interrupt.c */
void arm_irq_set(Vcpu *vcpu, unsigned line, bool level);
bool arm_interrupt_pending(Vcpu *vcpu);
bool arm_interrupt_take(Vcpu *vcpu);
bool arm_has_work(Vcpu *vcpu);
/* Interrupts may have become possible: noticed at the next poll. */
void arm_irq_check(Vcpu *vcpu);

/* timer.c */
uint64_t arm_count(const Vcpu *vcpu);
uint64_t arm_timer_offset(const Vcpu *vcpu, ArmTimer t);
void arm_timer_update(Vcpu *vcpu, ArmTimer t);
uint64_t arm_timer_ctl(Vcpu *vcpu, ArmTimer t);
void arm_timer_set_ctl(Vcpu *vcpu, ArmTimer t, uint64_t value);
void arm_timer_set_cval(Vcpu *vcpu, ArmTimer t, uint64_t value);

/* pmu.c */
void arm_pmu_sync(Vcpu *vcpu);

/* debug.c */
void arm_debug_changed(Vcpu *vcpu);
bool arm_step_returns(const Vcpu *vcpu, unsigned el, uint64_t spsr);
void arm_step_undone(Vcpu *vcpu);
bool arm_before_insn(Vcpu *vcpu);

/* Alignment of data accesses and such as a mode's bits (translate.c, a32.c). */
uint64_t arm_system_mode(const Vcpu *vcpu);

/* mmu.c */
unsigned arm_mmu_index(const Vcpu *vcpu, MmuAccess access);
unsigned arm_mmu_index_unpriv(const Vcpu *vcpu);
bool arm_tlb_fill(Vcpu *vcpu, vaddr addr, MmuAccess access, unsigned size_bytes, unsigned mmu_index, bool probe, TlbFill *ret);
bool arm_tlb_fill_debug(Vcpu *vcpu, vaddr addr, TlbFill *ret);
void arm_unaligned(Vcpu *vcpu, vaddr addr, MmuAccess access, unsigned mmu_index);
void arm_bus_error(Vcpu *vcpu, vaddr addr, gpa phys, MmuAccess access);
/* mmu-list.c */
bool arm_mappings(Vcpu *vcpu, TargetMapping *emit, void *opaque);

/* cp15.c: how far the architecture of AArch32 goes. */
unsigned arm_vmsa(const Vcpu *vcpu);

/* mmu-at.c: raises the exception of a cache maintenance instruction that may not touch addr, if it may not. */
void arm_cache_operation_check(Vcpu *vcpu, vaddr addr, MmuAccess access);

/* sysreg-trap.c */
unsigned arm_fp_trap_level(const Vcpu *vcpu);

#endif
