/*
 * translate-vector.c: V and its relatives (Unprivileged chapters 30 and 31).
 *
 * Every instruction calls the vector unit (helper-vector.c), which sees vl and vtype as they are then.
 */
#include "target/riscv/translate.h"

enum { OPIVV, OPFVV, OPMVV, OPIVI, OPIVX, OPFVF, OPMVX };
enum { FUNCT6_SCALAR = 0x10 };

/* False after rv_illegal() or when the block was ended to turn VS dirty. */
static bool vector_enter(TransCtx *ctx)
{
    switch (bits_get(ctx->mode, RISCV_MODE_VS, 2)) {
    case 0:
        rv_illegal(ctx);
        return false;
    case 1:
        /* Once per VS clean -> dirty, also for stores: the instruction begins again in the other mode. */
        ir_call(ctx->b, RV_HELPER_vs_dirty, 0, NULL);
        trans_leave(ctx, VCPU_EXIT_NONE, ctx->pc);
        return false;
    default:
        return true;
    }
}

static IrRef x_operand(TransCtx *ctx, unsigned n)
{
    return rv_zext_i64(ctx, rv_x(ctx, n));
}

static IrRef f_operand(TransCtx *ctx, unsigned n)
{
    return ir_op1(ctx->b, IR_bitcast, IR_I64, ir_get(ctx->b, RISCV_SLOT_F + n));
}

void riscv_trans_v_op(TransCtx *ctx, const RiscvArgsVec *a)
{
    uint32_t w = (uint32_t)a->word;
    unsigned funct3 = w >> 12 & 7, funct6 = w >> 26;
    bool fp = funct3 == OPFVV || funct3 == OPFVF;
    IrBuilder *b = ctx->b;

    if (!vector_enter(ctx) || (fp && !rv_fp_enter(ctx, true))) {
        return;
    }
    IrRef x = funct3 == OPFVF ? f_operand(ctx, a->f)
              : funct3 == OPIVX || funct3 == OPMVX ? x_operand(ctx, a->x) : ir_i64(b, 0);
    IrRef result = ir_call(b, fp ? RV_HELPER_vector_fp : RV_HELPER_vector, 2, (IrRef[]){ ir_i32(b, w), x });
    if (funct6 == FUNCT6_SCALAR && funct3 == OPMVV) {
        rv_set_x(ctx, (unsigned)a->vd, rv_from_i64(ctx, result));
    } else if (funct6 == FUNCT6_SCALAR && funct3 == OPFVV) {
        ir_put(b, RISCV_SLOT_F + (unsigned)a->vd, ir_op1(b, IR_bitcast, IR_F64, result));
    }
}

void riscv_trans_v_mem(TransCtx *ctx, const RiscvArgsVec *a)
{
    uint32_t w = (uint32_t)a->word;
    bool strided = (w >> 26 & 3) == 2;
    IrBuilder *b = ctx->b;

    if (!vector_enter(ctx)) {
        return;
    }
    ir_call(b, RV_HELPER_vector_mem, 4,
            (IrRef[]){ ir_i32(b, w), x_operand(ctx, a->x),
                       strided ? x_operand(ctx, a->vs2) : ir_i64(b, 0), ir_i32(b, rv_mmu(ctx)) });
}

/* 30.6.2: rs1 = x0 asks for the largest vl, or with rd = x0 too to keep it. */
static void set_vl(TransCtx *ctx, const RiscvArgsVset *a, IrRef vtype, bool immediate)
{
    IrBuilder *b = ctx->b;

    if (!vector_enter(ctx)) {
        return;
    }
    bool keep = !immediate && !a->rs1 && !a->rd;
    IrRef avl = immediate ? ir_i64(b, (uint64_t)a->rs1)
                : a->rs1 ? x_operand(ctx, a->rs1) : ir_i64(b, ~(uint64_t)0);
    IrRef vl = ir_call(b, RV_HELPER_vsetvl, 3, (IrRef[]){ vtype, avl, ir_i32(b, keep) });
    rv_set_x(ctx, a->rd, rv_from_i64(ctx, vl));
}

void riscv_trans_vsetvli(TransCtx *ctx, const RiscvArgsVset *a)
{
    set_vl(ctx, a, ir_i64(ctx->b, (uint64_t)a->imm), false);
}

void riscv_trans_vsetivli(TransCtx *ctx, const RiscvArgsVset *a)
{
    set_vl(ctx, a, ir_i64(ctx->b, (uint64_t)a->imm), true);
}

void riscv_trans_vsetvl(TransCtx *ctx, const RiscvArgsVset *a)
{
    set_vl(ctx, a, x_operand(ctx, a->rs2), false);
}
