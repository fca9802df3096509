/*
 * translate.h: shared by the A64 handlers (translate-*.c). A handler gets one decoded instruction and emits IR; ctx->pc and
 * ctx->next_pc are set. Handlers end the block only where the row's kind says so, or through arm_undefined().
 */
#ifndef TARGET_ARM_TRANSLATE_H
#define TARGET_ARM_TRANSLATE_H

#include "arm-decode.h"
#include "target/arm/flags.h"
#include "target/translate.h"

enum { /* TransCtx.data */
    ARM_DATA_INSN,    /* instruction word */
    ARM_DATA_SUB_OR_NC, /* the value of CC_OP that is SUB32/64 or SUBNC32/64 as a CCMP decides, + 1; rule in the upper half */
    ARM_DATA_SHA256,  /* four: translate-crypto.c */
    ARM_DATA_FLUSH = ARM_DATA_SHA256 + 4, /* six: translate-fp.c */
    ARM_DATA_CARRY = ARM_DATA_FLUSH + 6, /* two: remember_carry() */
    ARM_DATA_REL = ARM_DATA_CARRY + 2,   /* the value of CC_A that stands for a comparison of floats, + 1; that in the upper half */
    ARM_DATA_VFP_REL,                    /* the same for ARM_SLOT_FPSCR_NZCV */
    A32_DATA_SELECT,  /* 1 + value that is not 0 where the instruction's condition holds: its only effect are registers */
    A32_DATA_IN_IT,   /* inside an IT block: 16-bit forms leave the flags alone */
    ARM_N_DATA,
};
static_assert(ARM_N_DATA <= ARRAY_SIZE(((TransCtx *)0)->data), "every note has a place of its own");

/* Helper ids (helpers.def). */
typedef enum ArmHelper {
#define HELPER(name, flags, ctype, cargs, result, n, ...) ARM_HELPER_##name,
#include "target/arm/helpers.def"
#undef HELPER
    ARM_N_HELPERS
} ArmHelper;

#define HELPER(name, flags, ctype, cargs, result, n, ...) ctype arm_helper_##name cargs;
#include "target/arm/helpers.def"
#undef HELPER

enum { ARM_PAIR_ALONE = 256 };    /* argument of helper-atomic.c: everybody else is stopped */
/* helper-pauth.c: keys in the order of ArmState.apkey. */
typedef enum ArmPacKey { ARM_PAC_IA, ARM_PAC_IB, ARM_PAC_DA, ARM_PAC_DB, ARM_PAC_GA, ARM_PAC_COMBINED = 8 } ArmPacKey;
enum { ARM_MOPS_COPY_FORWARD, ARM_MOPS_COPY, ARM_MOPS_SET };

enum { ARM_BTYPE_CALL = 2 };
enum { ARM_STG_ZERO = 4, ARM_MTE_MMU = 8 }; /* helper-mte.c */

enum { ARM_ZR = 31 }; /* register number 31: zero or SP, by operand */

static inline IrType arm_type(int sf) { return sf ? IR_I64 : IR_I32; }
static inline unsigned arm_mmu(const TransCtx *ctx) { return (unsigned)bits_get(ctx->mode, ARM_MODE_MMU, 4); }

static inline unsigned arm_mmu_unpriv(const TransCtx *ctx) { return (unsigned)bits_get(ctx->mode, ARM_MODE_UNPRIV, 4); }
/* Alignment plain accesses need now (SCTLR_ELx.A, stage 1 off). */
static inline uint8_t arm_align(const TransCtx *ctx) { return bits_get(ctx->mode, ARM_MODE_ALIGN, 1) ? IR_ALIGN_FAULT : IR_ALIGN_ANY; }
static inline bool arm_be(const TransCtx *ctx) { return bits_get(ctx->mode, ARM_MODE_BE, 1); }
static inline unsigned arm_el(const TransCtx *ctx) { return (unsigned)bits_get(ctx->mode, ARM_MODE_EL, 2); }

/* 64-bit registers; number 31 is zero, or SP in the forms named so. */
static inline IrRef arm_x(TransCtx *ctx, unsigned n)
{
    return n == ARM_ZR ? ir_i64(ctx->b, 0) : ir_get(ctx->b, ARM_SLOT_X + n);
}

static inline void arm_set_x(TransCtx *ctx, unsigned n, IrRef value)
{
    if (n != ARM_ZR) {
        ir_put(ctx->b, ARM_SLOT_X + n, value);
    }
}

static inline IrRef arm_xsp(TransCtx *ctx, unsigned n)
{
    return ir_get(ctx->b, n == ARM_ZR ? ARM_SLOT_SP : ARM_SLOT_X + n);
}

static inline void arm_set_xsp(TransCtx *ctx, unsigned n, IrRef value)
{
    ir_put(ctx->b, n == ARM_ZR ? ARM_SLOT_SP : ARM_SLOT_X + n, value);
}

/* A 64-bit value in the operation's width, and back: W results are zero-extended. */
static inline IrRef arm_narrow(TransCtx *ctx, int sf, IrRef value)
{
    return sf ? value : ir_op1(ctx->b, IR_trunc, IR_I32, value);
}

static inline IrRef arm_widen(TransCtx *ctx, int sf, IrRef value)
{
    return sf ? value : ir_op1(ctx->b, IR_ext_u, IR_I64, value);
}

/* Any I64 whose low half is v: what 32-bit rules of flags look at. */
static inline IrRef arm_low_half(TransCtx *ctx, IrRef v)
{
    const IrInsn *i = ir_insn(ctx->b->unit, v);
    return i->op == IR_trunc ? i->a : ir_op1(ctx->b, IR_ext_u, IR_I64, v);
}

/* Registers in the operation's width. */
static inline IrRef arm_r(TransCtx *ctx, int sf, unsigned n) { return arm_narrow(ctx, sf, arm_x(ctx, n)); }
static inline IrRef arm_rsp(TransCtx *ctx, int sf, unsigned n) { return arm_narrow(ctx, sf, arm_xsp(ctx, n)); }
static inline void arm_set_r(TransCtx *ctx, int sf, unsigned n, IrRef v) { arm_set_x(ctx, n, arm_widen(ctx, sf, v)); }
static inline void arm_set_rsp(TransCtx *ctx, int sf, unsigned n, IrRef v) { arm_set_xsp(ctx, n, arm_widen(ctx, sf, v)); }

/* translate.c: an exception of that class (ARM_EC_*); that of an unallocated encoding. Both end the block. */
/* semihosting.c. If an instruction with `number` in it is a call (the number is `wanted`, calls are on), ends the unit with it. */
bool arm_semihosting_insn(TransCtx *ctx, uint32_t number, uint32_t wanted);
void arm_raise(TransCtx *ctx, unsigned class, uint64_t value);
void arm_undefined(TransCtx *ctx);

/* The target of an indirect branch, with what PSTATE.BTYPE becomes, before LR is written; rn: its register, ARM_ZR: it is none's value. That of BR. */
IrRef arm_indirect_target(TransCtx *ctx, IrRef target, unsigned rn, unsigned btype);
unsigned arm_jump_btype(const TransCtx *ctx, unsigned rn);

/* translate-mte.c: the tag check of the load or store that is about to be translated, if there is one; of one access. */
void arm_tag_check_insn(TransCtx *ctx, uint32_t insn);
void arm_tag_check_access(TransCtx *ctx, IrRef base, int disp, unsigned size_bytes, bool write);

/* translate-flags.c. A condition as a comparison. */
typedef struct ArmCondRef { IrCond cond; IrRef a, b; } ArmCondRef;
/* The flags are those of `rule` on a and b (I64; b may be IR_NONE where the rule has none). */
void arm_cc_set(TransCtx *ctx, ArmCc rule, IrRef a, IrRef b);
/* The rule is `rule`, a SUB, where `holds` is not zero, else the same without C. */
void arm_cc_set_sub_or_nc(TransCtx *ctx, ArmCc rule, IrRef holds, IrRef a, IrRef b);
/* The flags of a comparison of floats, r as frel gives it, by a rule that AArch32 has. */
void arm_cc_set_rel(TransCtx *ctx, IrRef r);
/* N Z C V in bits 31 to 28 of an I64, the others zero. */
IrRef arm_cc_get(TransCtx *ctx);
ArmCondRef arm_cond(TransCtx *ctx, unsigned condition);
/* 1 or 0 as I64. */
IrRef arm_carry(TransCtx *ctx);
/* AddWithCarry (C1.2.4) of x and y, or of x and the complement of y, which are of the operation's width. */
IrRef arm_add_with_carry(TransCtx *ctx, int sf, IrRef x, IrRef y, bool sub, bool flags);

/* translate-system.c: whether the unit ends behind a write of that register. */
bool arm_sysreg_write_ends(const TransCtx *ctx, unsigned key);
/* ERET, to a pc that was checked (ERETAA) or not; ends the block. Not at EL0. */
void arm_exception_return_to(TransCtx *ctx, IrRef pc);
/* Likewise for MSR (immediate) of a field of PSTATE. */
bool arm_pstate_write_ends(unsigned field, unsigned imm);

/* translate-fp.c: FPSR where it is not trapped, and writing it does not end the unit. */
IrRef arm_fpsr_read(TransCtx *ctx);
void arm_fpsr_write(TransCtx *ctx, IrRef value);

/* translate-int.c. DecodeBitMasks (J1, shared/functions): false for reserved values. */
bool arm_bit_masks(unsigned n, unsigned imms, unsigned immr, bool immediate, uint64_t *ret_wmask, uint64_t *ret_tmask);
/* ExtendReg of X[n] by option, shifted left; an I64. */
IrRef arm_extend_reg(TransCtx *ctx, unsigned n, unsigned option, unsigned shift);

/* translate-ext.c: the CRC of `old` with 1 << size_log2 bytes of data behind it; all I64. */
IrRef arm_crc32(TransCtx *ctx, IrRef old, IrRef data, unsigned size_log2, bool castagnoli);

#endif
