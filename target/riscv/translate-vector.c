/*
 * translate-vector.c: V and its relatives (Unprivileged chapters 30 and 31).
 *
 * The general way is to call the vector unit (helper-vector.c), which sees vl and vtype as they are then.
 *
 * The fast way works on whole registers with IR vector operations. It needs two facts: that vl = vlmax and vstart = 0,
 * which is a bit of the translation mode (RvvState.full), and vtype, which is known from the last vset{i}vli in the
 * same IR block. Elsewhere it is assumed to be what it was last, or is at translation, and compared once in the block: loops have their
 * vset{i}vli in front. A vset{i}vli keeps the mode's promise by a check (avl >= vlmax) and otherwise leaves for
 * the unit of the other mode, where everything takes the general way. State that contradicts the bit is never run in
 * the full mode; the opposite is only slow.
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

/* -- what is known while translating ---------------------------------------------------------------- */

enum { FULL_CHUNK_LOG2 = 4, FULL_MAX_BYTES = 128 };

static bool full_mode(TransCtx *ctx)
{
    return ctx->mode >> RISCV_MODE_VFULL & 1;
}

typedef struct Vtype {
    bool known;
    uint8_t bits;
    unsigned sew;
    int lmul;
    uint32_t vlmax;
} Vtype;

static Vtype vtype_decode(TransCtx *ctx, uint64_t bits)
{
    const RiscvModel *m = riscv_model(ctx->vcpu);
    RvvState s = { .vlenb = (uint16_t)(m->vlen_bits / 8), .elen_bits = m->elen_bits };

    rvv_set_vtype(&s, bits, m->xlen);
    return (Vtype){ .known = !s.vill, .bits = (uint8_t)bits, .sew = s.sew, .lmul = s.lmul, .vlmax = s.vlmax };
}

/* data: block + 1 above bit 16, vtype below. */
static void vtype_remember(TransCtx *ctx, uint8_t bits)
{
    ctx->data[RV_DATA_VECTOR] = (uint64_t)(ctx->b->block + 1u) << 16 | bits;
}

static Vtype vtype_now(TransCtx *ctx)
{
    uint64_t data = ctx->data[RV_DATA_VECTOR];

    if (!full_mode(ctx) || data >> 16 != ctx->b->block + 1u) {
        return (Vtype){ .known = false };
    }
    return vtype_decode(ctx, data & 0xff);
}

#define UNIT(field) ((int)offsetof(RiscvState, vector.field))

/* Before an instruction that can be done inline. When the assumption is wrong the other mode's unit goes on, till the next vset{i}vli. */
static Vtype vtype_assume(TransCtx *ctx)
{
    Vtype t = vtype_now(ctx);
    uint64_t last = ctx->data[RV_DATA_VECTOR];
    const RvvState *now = &riscv_state(ctx->vcpu)->vector;

    if (t.known || !full_mode(ctx) || (!last && now->vill)) {
        return t;
    }
    uint8_t bits = (uint8_t)(last ? last : now->vtype);
    t = vtype_decode(ctx, bits);
    if (t.known) {
        IrBuilder *b = ctx->b;
        IrRef same = ir_setcond(b, IR_I32, IR_EQ, ir_ldenv(b, IR_I64, UNIT(vtype), 8, false), ir_i64(b, bits));
        ir_stenv(b, UNIT(full), 1, same);
        trans_leave_if(ctx, IR_EQ, same, ir_i32(b, 0), VCPU_EXIT_NONE, ctx->pc);
        vtype_remember(ctx, bits);
    }
    return t;
}

static int reg_offset(TransCtx *ctx, unsigned reg, unsigned chunk)
{
    return UNIT(v) + (int)(reg * riscv_model(ctx->vcpu)->vlen_bits / 8 + (chunk << FULL_CHUNK_LOG2));
}

static IrRef get_chunk(TransCtx *ctx, unsigned reg, unsigned chunk)
{
    return ir_ldenv(ctx->b, IR_V128, reg_offset(ctx, reg, chunk), 16, false);
}

static void put_chunk(TransCtx *ctx, unsigned reg, unsigned chunk, IrRef value)
{
    ir_stenv(ctx->b, reg_offset(ctx, reg, chunk), 16, value);
}

/* The number of chunks of a group, 0 if it is not to be done inline or would be illegal. */
static unsigned group_chunks(TransCtx *ctx, int lmul, unsigned reg)
{
    if (lmul < 0 || rvv_bad_group(reg, lmul)) {
        return 0;
    }
    unsigned bytes = (riscv_model(ctx->vcpu)->vlen_bits / 8u) << lmul;
    return bytes <= FULL_MAX_BYTES ? bytes >> FULL_CHUNK_LOG2 : 0;
}

/* -- arithmetic on whole registers --------------------------------------------------------------------- */

typedef enum FastShape {
    FAST_NONE,
    FAST_TWO,      /* vs2 op b */
    FAST_SWAP,     /* b op vs2 */
    FAST_SHIFT,    /* vs2 op b; a scalar count is an integer */
    FAST_ROTATE,   /* vs2 right by b, an integer; op: IR_vshl for left */
    FAST_MOVE,     /* b */
    FAST_MACC,     /* vd + b * vs2 */
    FAST_NMSAC,    /* vd - b * vs2 */
    FAST_MADD,     /* b * vd + vs2 */
    FAST_NMSUB,    /* vs2 - b * vd */
    FAST_FMACC,    /* ±(b * vs2) ± vd, signs in `signs` */
    FAST_FMADD,    /* ±(b * vd) ± vs2 */
} FastShape;

typedef struct FastOp {
    uint8_t shape, op, op_scalar, signs;
} FastOp;

static const FastOp fast_i[64] = {
    [0x00] = { FAST_TWO, IR_vadd }, [0x02] = { FAST_TWO, IR_vsub }, [0x03] = { FAST_SWAP, IR_vsub },
    [0x04] = { FAST_TWO, IR_vminu }, [0x05] = { FAST_TWO, IR_vmins }, [0x06] = { FAST_TWO, IR_vmaxu },
    [0x07] = { FAST_TWO, IR_vmaxs }, [0x09] = { FAST_TWO, IR_vand }, [0x0a] = { FAST_TWO, IR_vor },
    [0x0b] = { FAST_TWO, IR_vxor }, [0x14] = { FAST_ROTATE, IR_vshr }, [0x15] = { FAST_ROTATE, IR_vshl }, [0x17] = { FAST_MOVE }, [0x25] = { FAST_SHIFT, IR_vshlv, IR_vshl },
    [0x28] = { FAST_SHIFT, IR_vshrv, IR_vshr }, [0x29] = { FAST_SHIFT, IR_vsarv, IR_vsar },
};

static const FastOp fast_m[64] = {
    [0x25] = { FAST_TWO, IR_vmul }, [0x29] = { FAST_MADD }, [0x2b] = { FAST_NMSUB }, [0x2d] = { FAST_MACC },
    [0x2f] = { FAST_NMSAC },
};

static const FastOp fast_f[64] = {
    [0x00] = { FAST_TWO, IR_vfadd }, [0x02] = { FAST_TWO, IR_vfsub }, [0x17] = { FAST_MOVE },
    [0x20] = { FAST_TWO, IR_vfdiv }, [0x21] = { FAST_SWAP, IR_vfdiv }, [0x24] = { FAST_TWO, IR_vfmul },
    [0x27] = { FAST_SWAP, IR_vfsub },
    [0x28] = { FAST_FMADD }, [0x29] = { FAST_FMADD, 0, 0, IR_FMA_NEG_PRODUCT | IR_FMA_NEG_ADDEND },
    [0x2a] = { FAST_FMADD, 0, 0, IR_FMA_NEG_ADDEND }, [0x2b] = { FAST_FMADD, 0, 0, IR_FMA_NEG_PRODUCT },
    [0x2c] = { FAST_FMACC }, [0x2d] = { FAST_FMACC, 0, 0, IR_FMA_NEG_PRODUCT | IR_FMA_NEG_ADDEND },
    [0x2e] = { FAST_FMACC, 0, 0, IR_FMA_NEG_ADDEND }, [0x2f] = { FAST_FMACC, 0, 0, IR_FMA_NEG_PRODUCT },
};

/* Which forms exist: vsub has no immediate, vrsub no vector, and so on; the general way says illegal. */
static bool fast_form(unsigned funct3, unsigned funct6)
{
    bool imm = funct3 == OPIVI, vv = funct3 == OPIVV || funct3 == OPFVV;

    switch (funct6) {
    case 0x02:
        return !imm;
    case 0x03:
        return !vv;
    case 0x04:
    case 0x05:
    case 0x06:
    case 0x07:
        return !imm;
    case 0x14:
    case 0x15:
        return !vv;
    case 0x17:
        return funct3 != OPFVV;
    case 0x21:
    case 0x27:
        return funct3 == OPFVF;
    default:
        return true;
    }
}

static IrRef v2(TransCtx *ctx, unsigned op, unsigned lane, IrRef a, IrRef b)
{
    return ir_emit(ctx->b, (IrOp)op, IR_V128, lane, a, b, IR_NONE);
}

/* The second operand: a register's chunk, or one value for all. */
typedef struct Second {
    bool scalar;
    unsigned reg;
    IrRef value;
} Second;

static Second second_operand(TransCtx *ctx, const RiscvArgsVec *a, unsigned funct3, FastShape shape, unsigned sew)
{
    IrBuilder *b = ctx->b;
    IrRef x;

    switch (funct3) {
    case OPIVV:
    case OPMVV:
    case OPFVV:
        return (Second){ .reg = (unsigned)a->vs1 };
    case OPFVF:
        x = ir_get(b, RISCV_SLOT_F + (unsigned)a->f);
        x = sew == 2 ? ir_op1(b, IR_funbox, IR_F32, x) : x;
        break;
    case OPIVI:
        x = ir_i64(b, shape == FAST_SHIFT || shape == FAST_ROTATE ? (uint64_t)a->vs1 : (uint64_t)bits_sext((uint64_t)a->vs1, 5));
        break;
    default:
        x = x_operand(ctx, (unsigned)a->x);
        if (rv_xt(ctx) == IR_I32) {
            x = ir_op1(b, IR_sext32, IR_I64, x);
        }
        break;
    }
    if (shape != FAST_SHIFT && shape != FAST_ROTATE) {
        x = ir_emit(b, IR_vdup, IR_V128, sew, x, IR_NONE, IR_NONE);
    }
    return (Second){ .scalar = true, .value = x };
}

/* False: not done, take the general way. */
static bool fast_op(TransCtx *ctx, const RiscvArgsVec *a, unsigned funct3, unsigned funct6)
{
    static const FastOp *const tables[7] = { fast_i, fast_f, fast_m, fast_i, fast_i, fast_f, fast_m };
    const FastOp *op = &tables[funct3][funct6];
    bool fp = funct3 == OPFVV || funct3 == OPFVF;
    unsigned vd = (unsigned)a->vd, vs2 = (unsigned)a->vs2;

    if (!op->shape || !a->vm || !fast_form(funct3, funct6) ||
        (op->shape == FAST_ROTATE && !rv_has_ext(ctx, RISCV_EXT_Zvkb) && !rv_has_ext(ctx, RISCV_EXT_Zvbb))) {
        return false;
    }
    Vtype t = vtype_assume(ctx);
    if (!t.known) {
        return false;
    }
    if (fp && (t.sew < 2 || !rv_has_ext(ctx, t.sew == 2 ? RISCV_EXT_Zve32f : RISCV_EXT_Zve64d) ||
               bits_get(ctx->mode, RISCV_MODE_FRM, 3) > FP_RUP)) {
        return false;
    }
    unsigned n = group_chunks(ctx, t.lmul, vd);
    if (!n || (op->shape == FAST_MOVE ? vs2 != 0 : rvv_bad_group(vs2, t.lmul))) {
        return false;
    }
    Second s = second_operand(ctx, a, funct3, (FastShape)op->shape, t.sew);
    if (!s.scalar && rvv_bad_group(s.reg, t.lmul)) {
        return false;
    }
    for (unsigned i = 0; i < n; i++) {
        IrRef x = op->shape == FAST_MOVE ? IR_NONE : get_chunk(ctx, vs2, i), r;
        IrRef y = s.scalar ? s.value : get_chunk(ctx, s.reg, i);
        unsigned lane = t.sew;
        switch ((FastShape)op->shape) {
        case FAST_SWAP:
            r = v2(ctx, op->op, lane, y, x);
            break;
        case FAST_SHIFT:
            r = v2(ctx, s.scalar ? op->op_scalar : op->op, lane, x, y);
            break;
        case FAST_ROTATE: {
            /* vror.vi: bit 5 of the count is the lowest of funct6. Counts are taken modulo the lane's width. */
            bool imm = funct3 == OPIVI, left = !imm && op->op == IR_vshl;
            IrRef n = imm && (funct6 & 1) ? ir_op2_imm(ctx->b, IR_add, IR_I64, y, 32) : y;
            IrRef back = ir_op2(ctx->b, IR_sub, IR_I64, ir_i64(ctx->b, 0), n);
            r = v2(ctx, IR_vor, 0, v2(ctx, IR_vshr, lane, x, left ? back : n), v2(ctx, IR_vshl, lane, x, left ? n : back));
            break;
        }
        case FAST_MOVE:
            r = y;
            break;
        case FAST_MACC:
            r = v2(ctx, IR_vadd, lane, get_chunk(ctx, vd, i), v2(ctx, IR_vmul, lane, x, y));
            break;
        case FAST_NMSAC:
            r = v2(ctx, IR_vsub, lane, get_chunk(ctx, vd, i), v2(ctx, IR_vmul, lane, x, y));
            break;
        case FAST_MADD:
            r = v2(ctx, IR_vadd, lane, v2(ctx, IR_vmul, lane, get_chunk(ctx, vd, i), y), x);
            break;
        case FAST_NMSUB:
            r = v2(ctx, IR_vsub, lane, x, v2(ctx, IR_vmul, lane, get_chunk(ctx, vd, i), y));
            break;
        case FAST_FMACC:
            r = ir_emit(ctx->b, IR_vfma, IR_V128, lane | (unsigned)op->signs << 4, y, x, get_chunk(ctx, vd, i));
            break;
        case FAST_FMADD:
            r = ir_emit(ctx->b, IR_vfma, IR_V128, lane | (unsigned)op->signs << 4, y, get_chunk(ctx, vd, i), x);
            break;
        default: {
            bool bitwise = op->op == IR_vand || op->op == IR_vor || op->op == IR_vxor;
            r = v2(ctx, op->op, bitwise ? 0 : lane, x, y);
            break;
        }
        }
        put_chunk(ctx, vd, i, r);
    }
    return true;
}

/* Element 0 to and from x and f registers; `full` says that vl is not 0. */
static bool fast_scalar(TransCtx *ctx, const RiscvArgsVec *a, unsigned funct3)
{
    Vtype t = vtype_now(ctx);
    IrBuilder *b = ctx->b;
    unsigned vd = (unsigned)a->vd, size = 1u << t.sew;
    bool fp = funct3 == OPFVV || funct3 == OPFVF;

    if (!t.known || !a->vm || (fp && (t.sew < 2 || bits_get(ctx->mode, RISCV_MODE_FRM, 3) > FP_RMM))) {
        return false;
    }
    if (fp && !rv_has_ext(ctx, t.sew == 2 ? RISCV_EXT_Zve32f : RISCV_EXT_Zve64d)) {
        return false;
    }
    int from = reg_offset(ctx, (unsigned)a->vs2, 0), to = reg_offset(ctx, vd, 0);
    switch (funct3) {
    case OPMVV:
        if (a->vs1 || (t.sew == 3 && rv_xt(ctx) == IR_I32)) {
            return false;
        }
        rv_set_x(ctx, vd, ir_ldenv(b, rv_xt(ctx), from, size, true));
        return true;
    case OPMVX:
        if (a->vs2 || (t.sew == 3 && rv_xt(ctx) == IR_I32)) {
            return false;
        }
        ir_stenv(b, to, size, rv_x(ctx, (unsigned)a->x));
        return true;
    case OPFVV:
        if (a->vs1) {
            return false;
        }
        IrRef v = ir_ldenv(b, t.sew == 2 ? IR_F32 : IR_F64, from, size, false);
        ir_put(b, RISCV_SLOT_F + vd, t.sew == 2 ? ir_op1(b, IR_fbox, IR_F64, v) : v);
        return true;
    case OPFVF:
        if (a->vs2) {
            return false;
        }
        IrRef f = ir_get(b, RISCV_SLOT_F + (unsigned)a->f);
        ir_stenv(b, to, size, t.sew == 2 ? ir_op1(b, IR_funbox, IR_F32, f) : f);
        return true;
    default:
        return false;
    }
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
    if ((w & 0x7f) == 0x77) {
        ir_call(b, RV_HELPER_vector, 2, (IrRef[]){ ir_i32(b, w), ir_i64(b, 0) });
        return;
    }
    if (funct6 == FUNCT6_SCALAR && (funct3 & 3) != 0 && (funct3 & 3) != 3 ? fast_scalar(ctx, a, funct3)
                                                                           : fast_op(ctx, a, funct3, funct6)) {
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

/* Unit-stride and whole-register accesses of whole registers. A fault in the middle restarts the instruction. */
static bool fast_mem(TransCtx *ctx, const RiscvArgsVec *a, uint32_t w)
{
    static const uint8_t widths[8] = { 0, 9, 9, 9, 9, 1, 2, 3 };
    unsigned mop = w >> 26 & 3, lumop = w >> 20 & 31, nf = w >> 29, eew = widths[w >> 12 & 7], vd = (unsigned)a->vd;
    bool store = (w & 0x7f) == 0x27;
    unsigned n = 0;

    if (!full_mode(ctx) || mop || !a->vm || 8u << eew > riscv_model(ctx->vcpu)->elen_bits) {
        return false;
    }
    Vtype t = lumop == 0 && nf == 0 ? vtype_assume(ctx) : vtype_now(ctx);
    if (lumop == 8 && bits_is_pow2(nf + 1) && (!store || eew == 0)) {
        n = group_chunks(ctx, __builtin_ctz(nf + 1), vd);
    } else if (lumop == 0 && nf == 0 && t.known) {
        n = group_chunks(ctx, (int)eew - (int)t.sew + t.lmul, vd);
        n = (int)eew - (int)t.sew + t.lmul > 3 ? 0 : n;
    }
    if (!n) {
        return false;
    }
    IrRef base = rv_x(ctx, (unsigned)a->x);
    for (unsigned i = 0; i < n; i++) {
        IrMem mem = rv_mem(ctx, FULL_CHUNK_LOG2, false, (int)(i << FULL_CHUNK_LOG2));
        if (store) {
            ir_store(ctx->b, base, IR_NONE, get_chunk(ctx, vd, i), mem);
        } else {
            put_chunk(ctx, vd, i, ir_load(ctx->b, IR_V128, base, IR_NONE, mem));
        }
    }
    return true;
}

/* Leaves for the other mode's unit at pc when RvvState.full is no longer what this one assumes. */
static void leave_unless_mode(TransCtx *ctx, vaddr pc)
{
    IrBuilder *b = ctx->b;
    IrRef full = ir_ldenv(b, IR_I32, UNIT(full), 1, false);

    trans_leave_if(ctx, full_mode(ctx) ? IR_EQ : IR_NE, full, ir_i32(b, 0), VCPU_EXIT_NONE, pc);
}

void riscv_trans_v_mem(TransCtx *ctx, const RiscvArgsVec *a)
{
    uint32_t w = (uint32_t)a->word;
    bool strided = (w >> 26 & 3) == 2, first_fault = (w >> 26 & 3) == 0 && (w >> 20 & 31) == 16;
    IrBuilder *b = ctx->b;

    if (!vector_enter(ctx) || fast_mem(ctx, a, w)) {
        return;
    }
    ir_call(b, RV_HELPER_vector_mem, 4,
            (IrRef[]){ ir_i32(b, w), x_operand(ctx, a->x),
                       strided ? x_operand(ctx, a->vs2) : ir_i64(b, 0), ir_i32(b, rv_mmu(ctx)) });
    if (first_fault && full_mode(ctx)) {
        uint64_t known = ctx->data[RV_DATA_VECTOR];
        bool here = known >> 16 == b->block + 1u;
        leave_unless_mode(ctx, ctx->next_pc);
        if (here) {
            vtype_remember(ctx, (uint8_t)known);
        }
    }
}

/* 30.6.2: rs1 = x0 asks for the largest vl, or with rd = x0 too to keep it. */
typedef enum AvlKind { AVL_VALUE, AVL_MAX, AVL_KEEP } AvlKind;

/* The general way, and then the unit that fits the result. */
static void set_vl_slow(TransCtx *ctx, unsigned rd, IrRef vtype, const Vtype *known, AvlKind kind, IrRef avl)
{
    IrBuilder *b = ctx->b;
    IrRef vl = ir_call(b, RV_HELPER_vsetvl, 3, (IrRef[]){ vtype, avl, ir_i32(b, kind == AVL_KEEP) });

    bool again = known && !full_mode(ctx);
    if (again) {
        /* Full from now on: this instruction again, as the other unit's, so that it knows vtype. */
        leave_unless_mode(ctx, ctx->pc);
    }
    rv_set_x(ctx, rd, rv_from_i64(ctx, vl));
    if (!again) {
        leave_unless_mode(ctx, ctx->next_pc);
    }
    if (known && known->known) {
        vtype_remember(ctx, known->bits);
    }
}

static void set_vl(TransCtx *ctx, const RiscvArgsVset *a, AvlKind kind, IrRef avl)
{
    IrBuilder *b = ctx->b;
    Vtype t = vtype_decode(ctx, (uint64_t)a->imm), old = vtype_now(ctx);
    bool constant = kind == AVL_VALUE && ir_is_const(b->unit, avl);

    if (!full_mode(ctx) || !t.known || (kind == AVL_KEEP && !(old.known && old.vlmax == t.vlmax)) ||
        (constant && ir_insn(b->unit, avl)->imm < t.vlmax)) {
        set_vl_slow(ctx, (unsigned)a->rd, ir_i64(b, (uint64_t)a->imm), &t, kind, avl);
        return;
    }
    if (kind == AVL_VALUE && !constant) {
        /* When it is not full, the instruction begins again in the other mode. */
        IrRef full = ir_setcond(b, IR_I32, IR_GEU, avl, ir_i64(b, t.vlmax));
        ir_stenv(b, UNIT(full), 1, full);
        trans_leave_if(ctx, IR_EQ, full, ir_i32(b, 0), VCPU_EXIT_NONE, ctx->pc);
    }
    if (!old.known || old.bits != t.bits) {
        RvvState derived = { .vlmax = t.vlmax, .sew = (uint8_t)t.sew, .lmul = (int8_t)t.lmul };
        uint64_t image;
        memcpy(&image, &derived.vlmax, sizeof(image));
        ir_stenv(b, UNIT(vlmax), 8, ir_i64(b, image));
        ir_stenv(b, UNIT(vtype), 8, ir_i64(b, t.bits));
        ir_stenv(b, UNIT(vl), 8, ir_i64(b, t.vlmax));
    }
    rv_set_x(ctx, (unsigned)a->rd, rv_const(ctx, t.vlmax));
    vtype_remember(ctx, t.bits);
}

void riscv_trans_vsetvli(TransCtx *ctx, const RiscvArgsVset *a)
{
    if (vector_enter(ctx)) {
        set_vl(ctx, a, a->rs1 ? AVL_VALUE : a->rd ? AVL_MAX : AVL_KEEP,
               a->rs1 ? x_operand(ctx, (unsigned)a->rs1) : ir_i64(ctx->b, ~(uint64_t)0));
    }
}

void riscv_trans_vsetivli(TransCtx *ctx, const RiscvArgsVset *a)
{
    if (vector_enter(ctx)) {
        set_vl(ctx, a, AVL_VALUE, ir_i64(ctx->b, (uint64_t)a->rs1));
    }
}

void riscv_trans_vsetvl(TransCtx *ctx, const RiscvArgsVset *a)
{
    if (vector_enter(ctx)) {
        set_vl_slow(ctx, (unsigned)a->rd, x_operand(ctx, (unsigned)a->rs2), NULL,
                    a->rs1 ? AVL_VALUE : a->rd ? AVL_MAX : AVL_KEEP,
                    a->rs1 ? x_operand(ctx, (unsigned)a->rs1) : ir_i64(ctx->b, ~(uint64_t)0));
        if (full_mode(ctx)) {
            ctx->data[RV_DATA_VECTOR] = 0;
        }
    }
}
