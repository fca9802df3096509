/*
 * translate-mmx.c: MMX instructions: like x87, for the host's unit or for mmx-soft.c (translate-x87.c).
 *
 * MMX registers are the mantissas of the x87 registers; every instruction but EMMS makes all of them valid and TOP 0
 * (SDM volume 1, 9.5.1).
 */
#include "target/x86/translate.h"
#include "target/x86/simd.h"
#include "target/x86/x87.h"

/* REX.R and REX.B mean nothing for MMX registers. */
static uint32_t code_of(const X86Insn *in, IrX87Form form)
{
    static const IrX87Map maps[4] = { 0, IR_X87_0F, IR_X87_0F38, IR_X87_0F3A };
    return ir_x87_code(maps[in->row->map], form, in->opcode, in->has_mem ? in->modrm & 0x38 : in->modrm);
}

static uint32_t with_imm(const X86Insn *in, uint32_t code)
{
    return code | IR_X87_IMM | (uint32_t)(in->imm & 0xff) << 16;
}

static void emit(TransCtx *ctx, const X86Insn *in, uint32_t code, unsigned size)
{
    if (in->has_mem) {
        x86_emit_x87_mem(ctx, in, code, size);
    } else {
        x86_emit_x87(ctx, code);
    }
}

void x86_trans_mmx(TransCtx *ctx, const X86Insn *in)
{
    emit(ctx, in, code_of(in, IR_X87_MEMORY), in->row->aux);
}

void x86_trans_mmx_store(TransCtx *ctx, const X86Insn *in)
{
    emit(ctx, in, code_of(in, IR_X87_MEMORY), 8);
}

void x86_trans_mmx_imm(TransCtx *ctx, const X86Insn *in)
{
    x86_emit_x87(ctx, with_imm(in, code_of(in, IR_X87_MEMORY)));
}

void x86_trans_mmx_shuffle(TransCtx *ctx, const X86Insn *in)
{
    emit(ctx, in, with_imm(in, code_of(in, IR_X87_MEMORY)), 8);
}

void x86_trans_emms(TransCtx *ctx, const X86Insn *in)
{
    x86_emit_x87(ctx, code_of(in, IR_X87_MEMORY));
}

/* ---- to and from other registers ---- */

static IrRef get_mmx(TransCtx *ctx, unsigned n, IrType type)
{
    return x86_emit_x87_out(ctx, ir_x87_code(IR_X87_0F, IR_X87_GPR_RM, 0x7e, (n & 7) << 3) | (type == IR_I64 ? IR_X87_W : 0), type);
}

static void put_mmx(TransCtx *ctx, unsigned n, IrRef value)
{
    bool wide = x86_ref_type(ctx, value) == IR_I64;
    x86_emit_x87_in(ctx, ir_x87_code(IR_X87_0F, IR_X87_GPR_RM, 0x6e, (n & 7) << 3) | (wide ? IR_X87_W : 0), value);
}

void x86_trans_movd_to_mmx(TransCtx *ctx, const X86Insn *in)
{
    unsigned size = in->op[1].size;
    if (in->has_mem) {
        x86_emit_x87_mem(ctx, in, code_of(in, IR_X87_MEMORY) | (size == 8 ? IR_X87_W : 0), size);
    } else {
        put_mmx(ctx, in->modrm >> 3, x86_get_op(ctx, &in->op[1]));
    }
}

void x86_trans_movd_from_mmx(TransCtx *ctx, const X86Insn *in)
{
    unsigned size = in->op[0].size;
    if (in->has_mem) {
        x86_emit_x87_mem(ctx, in, code_of(in, IR_X87_MEMORY) | (size == 8 ? IR_X87_W : 0), size);
    } else {
        x86_put_op(ctx, &in->op[0], get_mmx(ctx, in->modrm >> 3, x86_type(size)));
    }
}

void x86_trans_pinsrw_mmx(TransCtx *ctx, const X86Insn *in)
{
    if (in->has_mem) {
        x86_emit_x87_mem(ctx, in, with_imm(in, code_of(in, IR_X87_MEMORY)), 2);
    } else {
        x86_emit_x87_in(ctx, with_imm(in, ir_x87_code(IR_X87_0F, IR_X87_GPR_RM, 0xc4, in->modrm & 0x38)),
                        x86_get(ctx, in->op[1].reg, 4));
    }
}

void x86_trans_pextrw_mmx(TransCtx *ctx, const X86Insn *in)
{
    x86_put(ctx, in->op[0].reg, 4,
            x86_emit_x87_out(ctx, with_imm(in, ir_x87_code(IR_X87_0F, IR_X87_GPR_REG, 0xc5, in->modrm & 7)), IR_I32));
}

void x86_trans_pmovmskb_mmx(TransCtx *ctx, const X86Insn *in)
{
    x86_put(ctx, in->op[0].reg, 4, x86_emit_x87_out(ctx, ir_x87_code(IR_X87_0F, IR_X87_GPR_REG, 0xd7, in->modrm & 7), IR_I32));
}

void x86_trans_movq2dq(TransCtx *ctx, const X86Insn *in)
{
    x86_put_xmm(ctx, in->op[0].reg, ir_op1(ctx->b, IR_vzext, IR_V128, get_mmx(ctx, in->modrm, IR_I64)));
}

void x86_trans_movdq2q(TransCtx *ctx, const X86Insn *in)
{
    put_mmx(ctx, in->modrm >> 3, ir_emit(ctx->b, IR_vget_lane, IR_I64, IR_LANE_64, x86_get_xmm(ctx, in->op[1].reg), IR_NONE, IR_NONE));
}

/* ---- conversions between MMX and XMM registers: SIMD exceptions come before any change ---- */

void x86_trans_cvt_from_mmx(TransCtx *ctx, const X86Insn *in)
{
    IrBuilder *b = ctx->b;
    bool single = in->row->aux == IR_CVT_I32_F32;
    IrRef v = in->has_mem ? x86_load(ctx, x86_ea(ctx, in, 8, false), 8) : get_mmx(ctx, in->modrm, IR_I64);
    simd_fp_begin(ctx);
    IrRef wide = ir_op1(b, IR_vzext, IR_V128, v);
    IrRef r = ir_emit(b, IR_vfcvt, IR_V128, X86_PAIR(IR_RM_DYN, in->row->aux), wide, IR_NONE, IR_NONE);
    simd_fp_end(ctx);
    if (single) { /* the upper half stays */
        r = simd_op(ctx, IR_vset_low, 0, x86_get_xmm(ctx, in->op[0].reg), ir_op1(b, IR_vlow, IR_F64, r));
    }
    x86_put_xmm(ctx, in->op[0].reg, r);
}

void x86_trans_cvt_to_mmx(TransCtx *ctx, const X86Insn *in)
{
    IrBuilder *b = ctx->b;
    bool single = (in->row->aux & 15) == IR_CVT_F32_I32;
    if (x86_mode_bit(ctx, X86_MODE_X87_SLOW)) { /* a pending x87 exception comes before those of the operand */
        x86_call(ctx, X86_HELPER_fwait, 0, NULL);
    }
    IrRef v = !single ? simd_operand(ctx, in, 1, 0) : ir_op1(b, IR_vzext, IR_V128, simd_scalar(ctx, in, 1, IR_F64));
    /* A pending x87 exception comes first, and with an unmasked SIMD exception the registers are MMX registers already. */
    if (x86_mode_bit(ctx, X86_MODE_X87_SLOW) || x86_mode_bit(ctx, X86_MODE_SSE_TRAP)) {
        get_mmx(ctx, in->modrm >> 3, IR_I64);
    }
    simd_fp_begin(ctx);
    IrRef r = ir_emit(b, IR_vfcvt, IR_V128, in->row->aux, v, IR_NONE, IR_NONE);
    simd_fp_end(ctx);
    put_mmx(ctx, in->modrm >> 3, ir_emit(b, IR_vget_lane, IR_I64, IR_LANE_64, r, IR_NONE, IR_NONE));
}

/* The bytes of mm(reg) to DS:rDI where those of mm(rm) have bit 7 set. */
void x86_trans_maskmovq(TransCtx *ctx, const X86Insn *in)
{
    IrRef data = get_mmx(ctx, in->modrm >> 3, IR_I64), mask = get_mmx(ctx, in->modrm, IR_I64);
    IrRef offset = x86_get(ctx, X86_RDI, in->addrsize == 8 ? 8 : 4);
    offset = x86_to_wt(ctx, in->addrsize == 2 ? x86_zext(ctx, offset, 2) : offset);
    X86Mem m = x86_linear(ctx, in->seg_override == X86_NO_REG ? X86_DS : in->seg_override, offset, in->addrsize, 8, true);
    x86_call(ctx, X86_HELPER_maskmovq, 4, (IrRef[]){ x86_mem_addr(ctx, m), data, mask, ir_i32(ctx->b, x86_mmu(ctx)) });
}
