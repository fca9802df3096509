/*
 * fp-status.c: FPCR and FPSR (Arm ARM DDI 0487, C5.2.7, C5.2.8). Rounding mode and the flags that inline operations raise are in
 * jit.fp_control_guest, which has the layout of x86's MXCSR on every host (SDM volume 1, 10.2.3): flags in bits 0-5, masks in
 * 7-12, rounding in 13-14. Its flag of denormals (bit 1) has no counterpart here.
 *
 * FPCR.FZ is the host's DAZ and FTZ, but for three things. A result that the host flushes raises inexact as well, which Arm does not: so
 * generated code does it itself only while FPSR.IXC is set anyway (ARM_MODE_FP_FLUSH); until then helpers do. Results that round up to the
 * smallest normal number are flushed by Arm: they are found like those that want a flag (tcg/x86_64/lower-fp.c). That an operand was
 * flushed is not told by the host: generated code collects it in the slot ARM_SLOT_IDC.
 *
 * FPSR has the flags of AArch32's comparisons (C5.2.8), which an operating system keeps for its 32-bit programs. In AArch64 they are as they read,
 * and jit.fp_flushed is zero: arm_fp_leave_a32().
 *
 * Exceptions are never trapped: the enable bits read as zero. FEAT_AFP is not modelled: NEP, AH and FIZ read as zero.
 */
#include "target/arm/flags.h"
#include "target/arm/fp.h"

enum { MXCSR_IE = 1, MXCSR_ZE = 4, MXCSR_OE = 8, MXCSR_UE = 16, MXCSR_PE = 32, MXCSR_FLAGS = 63,
       MXCSR_MASKS = 0x1f80, MXCSR_RC_SHIFT = 13, MXCSR_DAZ = 64, MXCSR_FTZ = 0x8000 };
enum { FPSR_MASK = ARM_FPSR_IOC | ARM_FPSR_DZC | ARM_FPSR_OFC | ARM_FPSR_UFC | ARM_FPSR_IXC | ARM_FPSR_IDC };

enum { FPSR_NZCV = (int)0xf0000000 };

static void fold_flushed(Vcpu *vcpu)
{
    if (vcpu->jit.fp_flushed) {
        arm_state(vcpu)->fpsr |= ARM_FPSR_IDC;
        vcpu->jit.fp_flushed = 0;
    }
}

static uint32_t fpscr_nzcv(const Vcpu *vcpu)
{
    uint32_t v = arm_state(vcpu)->fpscr_nzcv;
    return v & ARM_FPSCR_REL ? (uint32_t)arm_cc_compute((uint8_t)v, 0, ARM_CC_FCMP) << 28 : v;
}

void arm_fp_leave_a32(Vcpu *vcpu)
{
    arm_state(vcpu)->fpscr_nzcv = fpscr_nzcv(vcpu);
    fold_flushed(vcpu);
}

void arm_fp_sync(Vcpu *vcpu)
{
    uint32_t m = vcpu->jit.fp_control_guest;

    fold_flushed(vcpu);
    if (m & MXCSR_FLAGS) {
        arm_state(vcpu)->fpsr |= (m & MXCSR_IE ? ARM_FPSR_IOC : 0) | (m & MXCSR_ZE ? ARM_FPSR_DZC : 0) |
                                 (m & MXCSR_OE ? ARM_FPSR_OFC : 0) | (m & MXCSR_UE ? ARM_FPSR_UFC : 0) |
                                 (m & MXCSR_PE ? ARM_FPSR_IXC : 0);
        vcpu->jit.fp_control_guest = m & ~(uint32_t)MXCSR_FLAGS;
    }
}

uint32_t arm_fpcr_get(Vcpu *vcpu)
{
    return arm_state(vcpu)->fpcr;
}

void arm_fpcr_set(Vcpu *vcpu, uint32_t value)
{
    static const uint8_t rc[4] = { 0, 2, 1, 3 }; /* nearest, up, down, zero */
    uint32_t writable = ARM_FPCR_AHP | ARM_FPCR_DN | ARM_FPCR_FZ | 3u << ARM_FPCR_RMODE_SHIFT |
                        (arm_has(vcpu, FP16) ? ARM_FPCR_FZ16 : 0) | (arm_has(vcpu, VFPShVec) ? ARM_FPSCR_SHVEC : 0);

    arm_state(vcpu)->fpcr = value & writable;
    vcpu->jit.fp_control_guest = (vcpu->jit.fp_control_guest & MXCSR_FLAGS) | MXCSR_MASKS |
                                 (uint32_t)rc[value >> ARM_FPCR_RMODE_SHIFT & 3] << MXCSR_RC_SHIFT |
                                 (value & ARM_FPCR_FZ ? MXCSR_DAZ | MXCSR_FTZ : 0);
}

uint32_t arm_fpsr_get(Vcpu *vcpu)
{
    const ArmVector *qc = &arm_state(vcpu)->qc, *idc = &arm_state(vcpu)->idc;

    arm_fp_sync(vcpu);
    return arm_state(vcpu)->fpsr | fpscr_nzcv(vcpu) | (qc->d[0] | qc->d[1] ? ARM_FPSR_QC : 0) | (idc->d[0] | idc->d[1] ? ARM_FPSR_IDC : 0);
}

void arm_fpsr_set(Vcpu *vcpu, uint32_t value)
{
    vcpu->jit.fp_flushed = 0;
    vcpu->jit.fp_control_guest &= ~(uint32_t)MXCSR_FLAGS;
    arm_state(vcpu)->fpsr = value & FPSR_MASK;
    arm_state(vcpu)->fpscr_nzcv = arm_has(vcpu, AA32EL0) ? value & FPSR_NZCV : 0;
    arm_state(vcpu)->qc = (ArmVector){ .d = { value & ARM_FPSR_QC } };
    arm_state(vcpu)->idc = (ArmVector){ .d = { 0 } };
}

static bool inexact_raised(const Vcpu *vcpu)
{
    return arm_state(vcpu)->fpsr & ARM_FPSR_IXC || vcpu->jit.fp_control_guest & MXCSR_PE;
}

bool arm_fp_standard_ok(const Vcpu *vcpu)
{
    return inexact_raised(vcpu) && !(arm_state(vcpu)->fpcr >> ARM_FPCR_RMODE_SHIFT & 3);
}

uint64_t arm_fp_mode(const Vcpu *vcpu)
{
    uint32_t fpcr = arm_state(vcpu)->fpcr;

    uint64_t flush = !(fpcr & ARM_FPCR_FZ) ? 0 : BIT(inexact_raised(vcpu) ? ARM_MODE_FP_FLUSH : ARM_MODE_FP_SOFT);

    return fpcr & ARM_FPCR_AHP ? BIT(ARM_MODE_FP_SOFT) : flush | (fpcr & ARM_FPCR_DN ? BIT(ARM_MODE_FP_DN) : 0);
}

FpStatus arm_fp_begin(const Vcpu *vcpu, unsigned size)
{
    static const uint8_t rounding[4] = { FP_RNE, FP_RUP, FP_RDN, FP_RTZ };
    uint32_t fpcr = arm_state(vcpu)->fpcr;
    bool flush = fpcr & (size == 1 ? ARM_FPCR_FZ16 : ARM_FPCR_FZ);

    return (FpStatus){
        .rules = fpcr & ARM_FPCR_DN ? &fp_rules_arm_default : &fp_rules_arm,
        .rounding = rounding[fpcr >> ARM_FPCR_RMODE_SHIFT & 3],
        .tininess_before = true,
        .flush_inputs = flush,
        .flush_outputs = flush ? FP_FLUSH_BEFORE : FP_FLUSH_NONE,
    };
}

void arm_fp_end(Vcpu *vcpu, const FpStatus *s, unsigned size)
{
    /* From now on the host can flush: the mode is looked at again at the next poll. */
    if (s->flags & FP_INEXACT && arm_state(vcpu)->fpcr & ARM_FPCR_FZ && !inexact_raised(vcpu)) {
        vcpu->jit.exit_request = 1;
    }
    vcpu->jit.fp_control_guest |= (s->flags & FP_INVALID ? MXCSR_IE : 0) | (s->flags & FP_DIVZERO ? MXCSR_ZE : 0) |
                                  (s->flags & FP_OVERFLOW ? MXCSR_OE : 0) | (s->flags & FP_UNDERFLOW ? MXCSR_UE : 0) |
                                  (s->flags & FP_INEXACT ? MXCSR_PE : 0);
    /* FPUnpackBase: half-precision operands are flushed without a flag. */
    if (s->flags & FP_INPUT_FLUSHED && size != 1) {
        arm_state(vcpu)->fpsr |= ARM_FPSR_IDC;
    }
}

uint32_t arm_fpscr_get(Vcpu *vcpu)
{
    return arm_fpcr_get(vcpu) | arm_fpsr_get(vcpu);
}

void arm_fpscr_set(Vcpu *vcpu, uint32_t value)
{
    arm_fpcr_set(vcpu, value);
    arm_fpsr_set(vcpu, value);
    arm_state(vcpu)->fpscr_nzcv = value & FPSR_NZCV;
}
