/*
 * a32.h: shared by the front ends of A32 and T32 (a32.c, translate-a32-*.c).
 *
 * Which of the two is bit 0 of the pc, everywhere: in the pc slot, in a unit's address, in TransCtx.pc. So an interworking branch
 * is an indirect jump like any other, and units of both states are told apart by their address (Target.pc_flags).
 * Registers are I32 slots over the low halves of X0 to X14 (Arm ARM DDI 0487, G1.12.1 for how they correspond).
 */
#ifndef TARGET_ARM_A32_H
#define TARGET_ARM_A32_H

#include "a32-decode.h"
#include "target/arm/translate.h"

enum { A32_VECTORS = 0xffff0000u }; /* user mode: where the kernel's functions for programs are */
enum { A32_SP = 13, A32_LR = 14, A32_PC = 15, A32_NEXT = 16 /* second register: the one after the first */ };

static inline bool a32_thumb(const TransCtx *ctx) { return ctx->pc & 1; }

/* What register 15 reads as. */
static inline uint32_t a32_pc_value(const TransCtx *ctx)
{
    return (uint32_t)(a32_thumb(ctx) ? (ctx->pc & ~(vaddr)1) + 4 : ctx->pc + 8);
}

static inline IrRef a32_r(TransCtx *ctx, unsigned n)
{
    return n == A32_PC ? ir_i32(ctx->b, a32_pc_value(ctx)) : ir_get(ctx->b, ARM_SLOT_R + n);
}

/* Base of an access or ADR: register 15 is rounded down to a word. */
static inline IrRef a32_base(TransCtx *ctx, unsigned n)
{
    return n == A32_PC ? ir_i32(ctx->b, a32_pc_value(ctx) & ~3u) : a32_r(ctx, n);
}

/* Keeps the old contents where the condition does not hold. Register 15, UNPREDICTABLE where this is used, is left alone: it has no slot like the others. */
void a32_put(TransCtx *ctx, unsigned n, IrRef value);
/* A result of data processing: register 15 is a branch (ALUWritePC). */
void a32_set_r(TransCtx *ctx, unsigned n, IrRef value);
/* Goes to an address with the state in bit 0 (BXWritePC). */
void a32_jump(TransCtx *ctx, IrRef target, IrExitKind kind, vaddr return_pc);
/* Whether a form with s (0, 1, or 2: outside IT blocks) sets flags. */
static inline bool a32_sets(const TransCtx *ctx, int s) { return s == 1 || (s == 2 && !ctx->data[A32_DATA_IN_IT]); }

/* translate-a32-dp.c. N and Z by the result; C by carry (0 or 1, I32), or as it was if IR_NONE; V as it was. */
void a32_set_nzc(TransCtx *ctx, IrRef result, IrRef carry);
/* A value shifted as an operand with a constant (DecodeImmShift); *ret_carry, unless NULL, for a32_set_nzc(). */
IrRef a32_shift_imm(TransCtx *ctx, IrRef value, unsigned typ, unsigned imm, IrRef *ret_carry);

static inline bool a32_big_endian(const TransCtx *ctx) { return ctx->mode >> ARM_MODE_BE & 1; }

/* An access of 1 << size_log2 bytes. */
static inline IrMem a32_access(TransCtx *ctx, unsigned size_log2, bool sign, int disp)
{
    bool checked = size_log2 < 3 && bits_get(ctx->mode, ARM_MODE_ALIGN, 1); /* VFP's doublewords are two words (F2.5.1) */
    return (IrMem){ .disp = disp, .size_log2 = (uint8_t)size_log2, .sign = sign, .mmu_index = (uint8_t)arm_mmu(ctx),
                    .big_endian = bits_get(ctx->mode, ARM_MODE_BE, 1), .align = checked ? IR_ALIGN_FAULT : IR_ALIGN_ANY };
}

/* One word of several, which must be aligned in any case, but for user mode, where kernels mend it. */
static inline IrMem a32_access_words(TransCtx *ctx, int disp)
{
    IrMem mem = a32_access(ctx, 2, false, disp);
    mem.align = bits_get(ctx->mode, ARM_MODE_ALIGN_MANY, 1) ? IR_ALIGN_FAULT : mem.align;
    return mem;
}

/* a32.c. Where T32's BL, B.W and (exchange) BLX go, with the state in bit 0. */
vaddr a32_bl_target(vaddr pc, const A32ArgsBl *a, bool exchange);
/* What the code at hand may use. */
bool a32_has(const TransCtx *ctx, ArmExt ext);
/* translate-a32-system.c: SUBS PC, LR and its like: CPSR from SPSR, to pc. Ends the block; undefined in user mode. */
void a32_exception_return(TransCtx *ctx, IrRef pc);
void a32_undefined(TransCtx *ctx);
void a32_exception(TransCtx *ctx, unsigned ec, uint32_t iss, VcpuExit user_exit);

#endif
