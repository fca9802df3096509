/*
 * operand.c: registers, memory operands and the stack as handlers use them (translate.h).
 *
 * Addresses: SDM volume 1, 3.7.5; segments: volume 3, 3.4 and 5.3. A flat segment (base 0, nothing to check by the mode bits) costs
 * nothing: base, index and displacement go into the access as they are.
 */
#include "target/x86/translate.h"

/* -- sizes ------------------------------------------------------------------------------------------- */

IrRef x86_zext(TransCtx *ctx, IrRef value, unsigned size)
{
    IrType type = x86_ref_type(ctx, value);
    return size == 1 ? ir_op1(ctx->b, IR_zext8, type, value) : size == 2 ? ir_op1(ctx->b, IR_zext16, type, value)
           : size == 4 && type == IR_I64 ? ir_op1(ctx->b, IR_zext32, type, value) : value;
}

IrRef x86_sext(TransCtx *ctx, IrRef value, unsigned size)
{
    IrType type = x86_ref_type(ctx, value);
    return size == 1 ? ir_op1(ctx->b, IR_sext8, type, value) : size == 2 ? ir_op1(ctx->b, IR_sext16, type, value)
           : size == 4 && type == IR_I64 ? ir_op1(ctx->b, IR_sext32, type, value) : value;
}

IrRef x86_to_type(TransCtx *ctx, IrRef value, IrType type)
{
    IrType from = x86_ref_type(ctx, value);
    return from == type ? value : ir_op1(ctx->b, type == IR_I64 ? IR_ext_u : IR_trunc, type, value);
}

IrRef x86_const(TransCtx *ctx, unsigned size, uint64_t value)
{
    return ir_const(ctx->b, x86_type(size), size == 8 ? value : value & bits_mask(0, 8 * size));
}

/* -- general registers --------------------------------------------------------------------------------- */

IrRef x86_get(TransCtx *ctx, unsigned reg, unsigned size)
{
    if (size < 4) {
        /* What was put into just this part. */
        const IrInsn *in = ir_insn(ctx->b->unit, ir_get(ctx->b, X86_SLOT_GPR + reg));
        if (in->op == IR_bfi && in->aux == (size * 8) << 8) {
            return x86_to_i32(ctx, in->b);
        }
    }
    return x86_to_type(ctx, ir_get(ctx->b, X86_SLOT_GPR + reg), x86_type(size));
}

static void put_bits(TransCtx *ctx, unsigned reg, unsigned pos, unsigned length, IrRef value)
{
    IrRef old = ir_get(ctx->b, X86_SLOT_GPR + reg);
    ir_put(ctx->b, X86_SLOT_GPR + reg,
           ir_emit(ctx->b, IR_bfi, x86_wt(ctx), pos | length << 8, old, x86_to_wt(ctx, value), IR_NONE));
}

void x86_put(TransCtx *ctx, unsigned reg, unsigned size, IrRef value)
{
    if (size < 4) {
        put_bits(ctx, reg, 0, 8 * size, value);
    } else {
        /* Also in 16- and 32-bit code of a 64-bit target: upper halves are zero there. */
        ir_put(ctx->b, X86_SLOT_GPR + reg, x86_to_wt(ctx, size == 4 ? x86_to_i32(ctx, value) : value));
    }
}

IrRef x86_get_op(TransCtx *ctx, const X86Operand *op)
{
    if (op->high) {
        return ir_emit(ctx->b, IR_bfx, IR_I32, 8 | 8 << 8, x86_get(ctx, op->reg, 4), IR_NONE, IR_NONE);
    }
    return x86_get(ctx, op->reg, op->size);
}

void x86_put_op(TransCtx *ctx, const X86Operand *op, IrRef value)
{
    if (op->high) {
        put_bits(ctx, op->reg, 8, 8, value);
    } else {
        x86_put(ctx, op->reg, op->size, value);
    }
}

/* -- addresses --------------------------------------------------------------------------------------------- */

static bool flat(const TransCtx *ctx, unsigned seg)
{
    if (seg == X86_FS || seg == X86_GS) {
        return false;
    }
    if (x86_is64(ctx)) {
        return true;
    }
    if (seg == X86_CS) {
        return !x86_mode_cs_base(ctx->mode);
    }
    return !x86_mode_bit(ctx, X86_MODE_SEG_BASE + (seg == X86_ES ? 0 : seg == X86_SS ? 1 : 2));
}

static void check(TransCtx *ctx, unsigned seg, IrRef offset, unsigned size, bool write)
{
    if (size && !x86_is64(ctx) && x86_mode_bit(ctx, X86_MODE_SEG_CHECK + seg)) {
        x86_call(ctx, X86_HELPER_seg_check, 2,
                 (IrRef[]){ x86_to_i64(ctx, offset), ir_i32(ctx->b, seg | size << 8 | (uint32_t)write << 16) });
    }
}

/* base + (index << scale) + disp in the address size, as the slots' type. */
static IrRef offset_of(TransCtx *ctx, const X86Insn *in)
{
    IrBuilder *b = ctx->b;
    IrType type = in->addrsize == 8 ? IR_I64 : IR_I32;
    IrRef sum = IR_NONE;

    if (in->base == X86_REG_RIP) {
        uint64_t addr = in->next_pc + (uint64_t)in->disp;
        return ir_const(b, x86_wt(ctx), in->addrsize == 8 ? addr : (uint32_t)addr);
    }
    if (in->index != X86_NO_REG) {
        sum = ir_op2_imm(b, IR_shl, type, x86_get(ctx, in->index, in->addrsize), in->scale_log2);
    }
    if (in->base != X86_NO_REG) {
        IrRef base = x86_get(ctx, in->base, in->addrsize);
        sum = sum == IR_NONE ? base : ir_op2(b, IR_add, type, base, sum);
    }
    IrRef disp = ir_const(b, type, (uint64_t)in->disp);
    sum = sum == IR_NONE ? disp : ir_op2(b, IR_add, type, sum, disp);
    return x86_to_wt(ctx, in->addrsize == 2 ? x86_zext(ctx, sum, 2) : sum);
}

IrRef x86_ea_offset(TransCtx *ctx, const X86Insn *in)
{
    return offset_of(ctx, in);
}

X86Mem x86_linear(TransCtx *ctx, unsigned seg, IrRef offset, unsigned addrsize, unsigned size, bool write)
{
    IrBuilder *b = ctx->b;

    check(ctx, seg, offset, size, write);
    if (flat(ctx, seg)) {
        return (X86Mem){ .base = offset, .index = IR_NONE };
    }
    if (x86_is64(ctx)) {
        return (X86Mem){ .base = ir_op2(b, IR_add, IR_I64, ir_get(b, X86_SLOT_SEG_BASE + seg), offset), .index = IR_NONE };
    }
    /* Linear addresses wrap at 4 GiB. */
    IrRef base = seg == X86_CS ? ir_i32(b, x86_mode_cs_base(ctx->mode)) : x86_to_i32(ctx, ir_get(b, X86_SLOT_SEG_BASE + seg));
    IrRef sum = ir_op2(b, IR_add, IR_I32, base, x86_to_i32(ctx, offset));
    return (X86Mem){ .base = x86_to_wt(ctx, sum), .index = IR_NONE };
}

X86Mem x86_ea(TransCtx *ctx, const X86Insn *in, unsigned size, bool write)
{
    uint64_t *d = ctx->data;

    if (d[X86_DATA_EA]) {
        if (write && !(d[X86_DATA_EA] & 2) && !x86_is64(ctx) && x86_mode_bit(ctx, X86_MODE_SEG_CHECK + in->seg)) {
            check(ctx, in->seg, offset_of(ctx, in), size, true);
        }
        return (X86Mem){ (IrRef)d[X86_DATA_EA_BASE], (IrRef)d[X86_DATA_EA_INDEX], (int32_t)d[X86_DATA_EA_DISP],
                         (uint8_t)d[X86_DATA_EA_SCALE] };
    }
    X86Mem m;
    bool whole = in->addrsize == (ctx->b->unit->addr32 ? 4 : 8) && in->disp == (int32_t)in->disp;
    bool checked = !x86_is64(ctx) && x86_mode_bit(ctx, X86_MODE_SEG_CHECK + in->seg);
    if (whole && !checked && flat(ctx, in->seg) && in->base != X86_REG_RIP && (in->base != X86_NO_REG || in->index != X86_NO_REG)) {
        m = (X86Mem){ .index = IR_NONE, .disp = (int32_t)in->disp };
        if (in->index == X86_NO_REG) {
            m.base = x86_get(ctx, in->base, in->addrsize);
        } else if (in->base == X86_NO_REG) {
            m.base = ir_op2_imm(ctx->b, IR_shl, x86_wt(ctx), x86_get(ctx, in->index, in->addrsize), in->scale_log2);
        } else {
            m.base = x86_get(ctx, in->base, in->addrsize);
            m.index = x86_get(ctx, in->index, in->addrsize);
            m.scale_log2 = in->scale_log2;
        }
    } else {
        m = x86_linear(ctx, in->seg, offset_of(ctx, in), in->addrsize, size, write);
    }
    d[X86_DATA_EA] = write ? 3 : 1;
    d[X86_DATA_EA_BASE] = m.base;
    d[X86_DATA_EA_INDEX] = m.index;
    d[X86_DATA_EA_DISP] = (uint32_t)m.disp;
    d[X86_DATA_EA_SCALE] = m.scale_log2;
    return m;
}

X86Mem x86_mem_at(X86Mem m, int offset)
{
    m.disp += offset;
    return m;
}

IrRef x86_mem_addr_wt(TransCtx *ctx, X86Mem m)
{
    IrBuilder *b = ctx->b;
    IrType type = x86_wt(ctx);
    IrRef sum = m.base;

    if (m.index != IR_NONE) {
        sum = ir_op2(b, IR_add, type, sum, ir_op2_imm(b, IR_shl, type, m.index, m.scale_log2));
    }
    return ir_op2_imm(b, IR_add, type, sum, (uint64_t)(int64_t)m.disp);
}

IrRef x86_mem_addr(TransCtx *ctx, X86Mem m)
{
    return x86_to_i64(ctx, x86_mem_addr_wt(ctx, m));
}

IrMem x86_ir_mem(TransCtx *ctx, X86Mem m, unsigned size)
{
    return (IrMem){ .disp = m.disp, .scale_log2 = m.scale_log2, .size_log2 = x86_log2(size), .mmu_index = x86_mmu(ctx),
                    .align = x86_mode_bit(ctx, X86_MODE_ALIGN) ? IR_ALIGN_FAULT : IR_ALIGN_ANY };
}

IrRef x86_load(TransCtx *ctx, X86Mem m, unsigned size)
{
    IrMem mem = x86_ir_mem(ctx, m, size);
    mem.order = ctx->b->unit->parallel ? IR_ORDER_ACQUIRE : IR_ORDER_RELAXED; /* TSO (SDM volume 3, 9.2) */
    return ir_load(ctx->b, x86_type(size), m.base, m.index, mem);
}

IrRef x86_load_vec(TransCtx *ctx, X86Mem m, unsigned size)
{
    IrMem mem = x86_ir_mem(ctx, m, size);
    mem.align = IR_ALIGN_ANY;
    return ir_load(ctx->b, size == 32 ? IR_V256 : IR_V128, m.base, m.index, mem);
}

void x86_store(TransCtx *ctx, X86Mem m, unsigned size, IrRef value)
{
    IrMem mem = x86_ir_mem(ctx, m, size);
    mem.order = ctx->b->unit->parallel ? IR_ORDER_RELEASE : IR_ORDER_RELAXED;
    ir_store(ctx->b, m.base, m.index, value, mem);
}

void x86_store_vec(TransCtx *ctx, X86Mem m, unsigned size, IrRef value)
{
    IrMem mem = x86_ir_mem(ctx, m, size);
    mem.align = IR_ALIGN_ANY;
    ir_store(ctx->b, m.base, m.index, value, mem);
}

/* -- operands ------------------------------------------------------------------------------------------------ */

IrRef x86_op_load(TransCtx *ctx, const X86Insn *in, unsigned i)
{
    const X86Operand *op = &in->op[i];

    switch ((X86OpKind)op->kind) {
    case X86_OP_REG:
        return x86_get_op(ctx, op);
    case X86_OP_MEM:
        return x86_load(ctx, x86_ea(ctx, in, op->size, false), op->size);
    case X86_OP_IMM:
        return x86_const(ctx, op->size, i && in->op[i - 1].kind == X86_OP_IMM ? in->imm2 : in->imm);
    case X86_OP_SEG:
        return ir_ldenv(ctx->b, IR_I32, (int)(offsetof(X86State, seg_sel) + 2 * op->reg), 2, false);
    default:
        assert(!"an integer operand");
        return IR_NONE;
    }
}

void x86_op_store(TransCtx *ctx, const X86Insn *in, unsigned i, IrRef value)
{
    const X86Operand *op = &in->op[i];

    if (op->kind == X86_OP_MEM) {
        x86_store(ctx, x86_ea(ctx, in, op->size, true), op->size, value);
    } else {
        x86_put_op(ctx, op, value);
    }
}

/* -- stack ------------------------------------------------------------------------------------------------------ */

unsigned x86_stack_width(const TransCtx *ctx)
{
    return x86_is64(ctx) ? 8 : x86_mode_bit(ctx, X86_MODE_SS32) ? 4 : 2;
}

static IrRef stack_at(TransCtx *ctx, int offset)
{
    unsigned width = x86_stack_width(ctx);
    IrType type = x86_type(width);
    IrRef sum = ir_op2_imm(ctx->b, IR_add, type, x86_get(ctx, X86_RSP, width), (uint64_t)(int64_t)offset);
    return x86_to_wt(ctx, width == 2 ? x86_zext(ctx, sum, 2) : sum);
}

IrRef x86_stack_ptr(TransCtx *ctx)
{
    return stack_at(ctx, 0);
}

void x86_push(TransCtx *ctx, unsigned size, IrRef value)
{
    IrRef to = stack_at(ctx, -(int)size);
    x86_store(ctx, x86_linear(ctx, X86_SS, to, x86_stack_width(ctx), size, true), size, value);
    x86_put(ctx, X86_RSP, x86_stack_width(ctx), x86_to_type(ctx, to, x86_type(x86_stack_width(ctx))));
}

IrRef x86_pop_value(TransCtx *ctx, unsigned size)
{
    return x86_load(ctx, x86_linear(ctx, X86_SS, x86_stack_ptr(ctx), x86_stack_width(ctx), size, false), size);
}

void x86_stack_add(TransCtx *ctx, int bytes)
{
    unsigned width = x86_stack_width(ctx);
    IrRef sum = ir_op2_imm(ctx->b, IR_add, x86_type(width), x86_get(ctx, X86_RSP, width), (uint64_t)(int64_t)bytes);
    x86_put(ctx, X86_RSP, width, sum);
}
