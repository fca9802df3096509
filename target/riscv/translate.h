/*
 * translate.h: shared by the RISC-V handlers (translate-*.c). A handler gets one decoded instruction and emits
 * IR; ctx->pc and ctx->next_pc are set. Handlers end the block only where the row's kind says so, or
 * through rv_illegal().
 */
#ifndef TARGET_RISCV_TRANSLATE_H
#define TARGET_RISCV_TRANSLATE_H

#include "riscv-decode.h"
#include "target/riscv/cpu.h"
#include "target/translate.h"

enum { /* TransCtx.data */
    RV_DATA_INSN,     /* instruction word */
    RV_DATA_XT,       /* IrType of integer registers */
    RV_DATA_VECTOR,   /* first of the vector unit's */
};

/* Helper ids (helpers.def). */
typedef enum RiscvHelper {
#define HELPER(name, flags, ctype, cargs, result, n, ...) RV_HELPER_##name,
#include "target/riscv/helpers.def"
#undef HELPER
    RV_N_HELPERS
} RiscvHelper;

#define HELPER(name, flags, ctype, cargs, result, n, ...) ctype riscv_helper_##name cargs;
#include "target/riscv/helpers.def"
#undef HELPER

static inline bool rv_has_ext(const TransCtx *ctx, RiscvExt ext)
{
    return riscv_model(ctx->vcpu)->ext[ext];
}

static inline IrType rv_xt(const TransCtx *ctx) { return (IrType)ctx->data[RV_DATA_XT]; }
static inline unsigned rv_xlen(const TransCtx *ctx) { return rv_xt(ctx) == IR_I64 ? 64 : 32; }
static inline unsigned rv_priv(const TransCtx *ctx) { return bits_get(ctx->mode, RISCV_MODE_PRIV, 2); }
static inline unsigned rv_mmu(const TransCtx *ctx) { return bits_get(ctx->mode, RISCV_MODE_MMU, 2); }

/* Addresses of code wrap at 32 bits on RV32. */
static inline vaddr rv_addr(const TransCtx *ctx, vaddr addr)
{
    return rv_xt(ctx) == IR_I64 ? addr : (uint32_t)addr;
}

static inline IrRef rv_const(TransCtx *ctx, uint64_t value)
{
    return ir_const(ctx->b, rv_xt(ctx), value);
}

static inline IrRef rv_x(TransCtx *ctx, unsigned n)
{
    return n ? ir_get(ctx->b, RISCV_SLOT_X + n - 1) : rv_const(ctx, 0);
}

static inline void rv_set_x(TransCtx *ctx, unsigned n, IrRef value)
{
    if (n) {
        ir_put(ctx->b, RISCV_SLOT_X + n - 1, value);
    }
}

/* A 64-bit result of a helper as an integer register's value. */
static inline IrRef rv_from_i64(TransCtx *ctx, IrRef value)
{
    return rv_xt(ctx) == IR_I64 ? value : ir_op1(ctx->b, IR_trunc, IR_I32, value);
}

static inline IrRef rv_zext_i64(TransCtx *ctx, IrRef value)
{
    return rv_xt(ctx) == IR_I64 ? value : ir_op1(ctx->b, IR_ext_u, IR_I64, value);
}

/* The low 32 bits as I32, and an I32 sign-extended to a register. */
static inline IrRef rv_w(TransCtx *ctx, IrRef value)
{
    return rv_xt(ctx) == IR_I64 ? ir_op1(ctx->b, IR_trunc, IR_I32, value) : value;
}

static inline IrRef rv_from_w(TransCtx *ctx, IrRef value)
{
    return rv_xt(ctx) == IR_I64 ? ir_op1(ctx->b, IR_ext_s, IR_I64, value) : value;
}

static inline IrMem rv_mem(TransCtx *ctx, unsigned size_log2, bool sign, int disp)
{
    return (IrMem){ .disp = disp, .size_log2 = size_log2, .sign = sign, .mmu_index = rv_mmu(ctx) };
}

/* Raises illegal instruction; ends the block. */
void rv_illegal(TransCtx *ctx);
void rv_raise(TransCtx *ctx, unsigned cause, uint64_t value);
/* FP instructions: false after rv_illegal() or when the block was ended to turn FS dirty. */
bool rv_fp_enter(TransCtx *ctx, bool writes);
/* A CSR write after which translation must begin anew (mode may have changed)? set_clear_imm: the immediate of
 * csrrsi and csrrci, else 0. */
bool rv_csr_write_ends(unsigned csr, unsigned set_clear_imm);
/* Link registers of the return-address hints (Unprivileged 2.5.1). */
static inline bool rv_is_link(unsigned reg) { return reg == 1 || reg == 5; }

#endif
