/*
 * translate-a32-mem.c: loads and stores of general registers in A32 and T32 (Arm ARM DDI 0487, F5.1), exclusive and ordered ones
 * too. Nothing is written back before the last access that may fault.
 *
 * Doublewords of exclusive accesses are two words, the first at the lower address, in both endiannesses.
 */
#include "target/arm/a32.h"

static void load_to(TransCtx *ctx, unsigned rt, IrRef value)
{
    if (rt == A32_PC) {
        a32_jump(ctx, value, IR_EXIT_INDIRECT, ctx->next_pc);
    } else {
        a32_put(ctx, rt, value);
    }
}

/* -- one register ------------------------------------------------------------------------------------------ */

/* LDRT and its like access as user mode does: in A32 the form behind the access with write-back, in T32 one of its own. */
static void make_unprivileged(TransCtx *ctx, IrMem *mem, int p, int w)
{
    uint32_t insn = (uint32_t)ctx->data[ARM_DATA_INSN];
    bool t32 = (insn & 0xfe800f00) == 0xf8000e00 && (insn >> 16 & 15) != A32_PC;

    if (ctx->vcpu->softmmu && (a32_thumb(ctx) ? t32 : !p && w)) {
        mem->mmu_index = (uint8_t)arm_mmu_unpriv(ctx);
    }
}

static void load_store_imm(TransCtx *ctx, const A32ArgsLsi *a, unsigned size, bool sign, bool load)
{
    IrBuilder *b = ctx->b;
    int offset = a->u ? a->imm : -a->imm;
    IrRef base = a32_base(ctx, a->rn), value = IR_NONE;
    IrMem mem = a32_access(ctx, size, sign, a->p ? offset : 0);

    make_unprivileged(ctx, &mem, a->p, a->w);
    if (load) {
        value = ir_load(b, IR_I32, base, IR_NONE, mem);
    } else {
        ir_store(b, base, IR_NONE, a32_r(ctx, a->rt), mem);
    }
    if (!a->p || a->w) {
        a32_put(ctx, a->rn, ir_op2_imm(b, IR_add, IR_I32, base, (uint32_t)offset));
    }
    if (load) {
        load_to(ctx, a->rt, value);
    }
}

static void load_store_reg(TransCtx *ctx, const A32ArgsLsr *a, unsigned size, bool sign, bool load)
{
    IrBuilder *b = ctx->b;
    IrRef base = a32_base(ctx, a->rn), index = a32_r(ctx, a->rm), value = IR_NONE, moved = IR_NONE;
    IrMem mem = a32_access(ctx, size, sign, 0);
    bool plain = a->p && !a->w && a->u && a->typ == 0 && a->imm <= 3, writes_back = !a->p || a->w;

    make_unprivileged(ctx, &mem, a->p, a->w);
    if (plain) {
        mem.scale_log2 = (uint8_t)a->imm;
    } else {
        index = a32_shift_imm(ctx, index, (unsigned)a->typ, (unsigned)a->imm, NULL);
        moved = ir_op2(b, a->u ? IR_add : IR_sub, IR_I32, base, index);
    }
    IrRef at = plain || !a->p ? base : moved;
    if (load) {
        value = ir_load(b, IR_I32, at, plain ? index : IR_NONE, mem);
    } else {
        ir_store(b, at, plain ? index : IR_NONE, a32_r(ctx, a->rt), mem);
    }
    if (writes_back) {
        a32_put(ctx, a->rn, moved);
    }
    if (load) {
        load_to(ctx, a->rt, value);
    }
}

#define ROWS(name, size, sign, load)                                                                          \
    void a32_trans_##name##_i(TransCtx *ctx, const A32ArgsLsi *a) { load_store_imm(ctx, a, size, sign, load); } \
    void a32_trans_##name##_r(TransCtx *ctx, const A32ArgsLsr *a) { load_store_reg(ctx, a, size, sign, load); }
ROWS(str, 2, false, false)
ROWS(strb, 0, false, false)
ROWS(strh, 1, false, false)
ROWS(ldr, 2, false, true)
ROWS(ldrb, 0, false, true)
ROWS(ldrh, 1, false, true)
ROWS(ldrsb, 0, true, true)
ROWS(ldrsh, 1, true, true)
#undef ROWS

/* -- two registers ------------------------------------------------------------------------------------------ */

static unsigned second(int rt, int rt2) { return rt2 == A32_NEXT ? (unsigned)(rt + 1) & 15 : (unsigned)rt2; }

static void pair(TransCtx *ctx, unsigned rt, unsigned rt2, unsigned rn, IrRef base, IrRef at, IrRef moved, bool load)
{
    IrBuilder *b = ctx->b;
    IrMem low = a32_access_words(ctx, 0), high = a32_access_words(ctx, 4);

    if (load) {
        IrRef x = ir_load(b, IR_I32, at, IR_NONE, low), y = ir_load(b, IR_I32, at, IR_NONE, high);
        if (moved != IR_NONE) {
            a32_put(ctx, rn, moved);
        }
        a32_put(ctx, rt, x);
        a32_put(ctx, rt2, y);
        return;
    }
    IrRef x = a32_r(ctx, rt), y = a32_r(ctx, rt2);
    ir_store(b, at, IR_NONE, x, low);
    ir_store(b, at, IR_NONE, y, high);
    if (moved != IR_NONE) {
        a32_put(ctx, rn, moved);
    }
}

static void pair_at(TransCtx *ctx, unsigned rt, unsigned rt2, unsigned rn, IrRef moved, bool before, bool writes_back, bool load)
{
    if (rt == A32_PC || rt2 == A32_PC) {
        a32_undefined(ctx); /* unpredictable */
        return;
    }
    IrRef base = a32_base(ctx, rn);
    pair(ctx, rt, rt2, rn, base, before ? moved : base, writes_back ? moved : IR_NONE, load);
}

static void pair_imm(TransCtx *ctx, const A32ArgsLsdi *a, bool load)
{
    IrRef moved = ir_op2_imm(ctx->b, IR_add, IR_I32, a32_base(ctx, a->rn), (uint32_t)(a->u ? a->imm : -a->imm));
    pair_at(ctx, a->rt, second(a->rt, a->rt2), a->rn, moved, a->p, !a->p || a->w, load);
}

static void pair_reg(TransCtx *ctx, const A32ArgsLsdr *a, bool load)
{
    IrRef moved = ir_op2(ctx->b, a->u ? IR_add : IR_sub, IR_I32, a32_base(ctx, a->rn), a32_r(ctx, a->rm));
    pair_at(ctx, a->rt, second(a->rt, a->rt2), a->rn, moved, a->p, !a->p || a->w, load);
}

void a32_trans_ldrd_i(TransCtx *ctx, const A32ArgsLsdi *a) { pair_imm(ctx, a, true); }
void a32_trans_strd_i(TransCtx *ctx, const A32ArgsLsdi *a) { pair_imm(ctx, a, false); }
void a32_trans_ldrd_r(TransCtx *ctx, const A32ArgsLsdr *a) { pair_reg(ctx, a, true); }
void a32_trans_strd_r(TransCtx *ctx, const A32ArgsLsdr *a) { pair_reg(ctx, a, false); }

/* -- many registers --------------------------------------------------------------------------------------------- */

/* Words from address base + disp on, in the order of the registers; moved: what becomes of rn, IR_NONE: nothing. */
static void load_many(TransCtx *ctx, unsigned list, IrRef base, int disp, unsigned rn, IrRef moved)
{
    IrRef value[16];

    for (unsigned i = 0; i < 16; i++) {
        if (list >> i & 1) {
            value[i] = ir_load(ctx->b, IR_I32, base, IR_NONE, a32_access_words(ctx, disp));
            disp += 4;
        }
    }
    if (moved != IR_NONE && !(list >> rn & 1)) {
        a32_put(ctx, rn, moved);
    }
    for (unsigned i = 0; i < 15; i++) {
        if (list >> i & 1) {
            a32_put(ctx, i, value[i]);
        }
    }
    if (list >> 15 & 1) {
        a32_jump(ctx, value[15], rn == A32_SP ? IR_EXIT_RETURN : IR_EXIT_INDIRECT, ctx->next_pc);
    }
}

static void store_many(TransCtx *ctx, unsigned list, IrRef base, int disp, unsigned rn, IrRef moved)
{
    for (unsigned i = 0; i < 16; i++) {
        if (list >> i & 1) {
            ir_store(ctx->b, base, IR_NONE, a32_r(ctx, i), a32_access_words(ctx, disp));
            disp += 4;
        }
    }
    if (moved != IR_NONE) {
        a32_put(ctx, rn, moved);
    }
}

/* LDM with the pc and ^: CPSR from SPSR. */
static void load_and_return(TransCtx *ctx, unsigned list, IrRef base, int disp, unsigned rn, IrRef moved)
{
    int last = disp + 4 * (__builtin_popcount(list) - 1);
    IrRef pc = ir_load(ctx->b, IR_I32, base, IR_NONE, a32_access_words(ctx, last)); /* first: what follows changes base */

    load_many(ctx, list & 0x7fff, base, disp, rn, moved);
    a32_exception_return(ctx, pc);
}

/* LDM and STM with ^: registers of user mode. */
static void user_registers(TransCtx *ctx, unsigned list, IrRef base, int disp, unsigned rn, IrRef moved, bool load)
{
    IrBuilder *b = ctx->b;
    IrRef value[16];

    for (unsigned i = 0, at = 0; i < 16; i++) {
        if (!(list >> i & 1)) {
            continue;
        }
        IrMem mem = a32_access_words(ctx, disp + 4 * (int)at++);
        bool banked = i >= 8 && i < 15;
        IrRef which = ir_i32(b, 0x100 | i); /* mode 10000 */
        if (load) {
            value[i] = ir_load(b, IR_I32, base, IR_NONE, mem);
        } else {
            ir_store(b, base, IR_NONE, banked ? ir_call(b, ARM_HELPER_a32_mode_reg_get, 1, (IrRef[]){ which }) : a32_r(ctx, i), mem);
        }
    }
    if (moved != IR_NONE && !(load && (list >> rn & 1))) {
        a32_put(ctx, rn, moved);
    }
    for (unsigned i = 0; load && i < 15; i++) {
        if ((list >> i & 1) && i < 8) {
            a32_put(ctx, i, value[i]);
        } else if (list >> i & 1) {
            ir_call(b, ARM_HELPER_a32_mode_reg_set, 2, (IrRef[]){ ir_i32(b, 0x100 | i), value[i] });
        }
    }
}

static void many(TransCtx *ctx, const A32ArgsLdm *a, bool load)
{
    int bytes = 4 * __builtin_popcount((unsigned)a->list);

    bool kernel = ctx->vcpu->softmmu && arm_el(ctx) && arm_el(ctx) != 2;
    if ((a->s && !kernel) || !a->list || a->rn == A32_PC) {
        a32_undefined(ctx); /* registers of another mode and exception returns: not for user mode; else unpredictable */
        return;
    }
    IrRef base = a32_r(ctx, a->rn);
    int disp = a->u ? a->p ? 4 : 0 : a->p ? -bytes : 4 - bytes;
    IrRef moved = a->w ? ir_op2_imm(ctx->b, IR_add, IR_I32, base, (uint32_t)(a->u ? bytes : -bytes)) : IR_NONE;
    if (a->s && load && (a->list >> 15 & 1)) {
        load_and_return(ctx, (unsigned)a->list, base, disp, (unsigned)a->rn, moved);
        return;
    }
    if (a->s) {
        user_registers(ctx, (unsigned)a->list, base, disp, (unsigned)a->rn, moved, load);
        return;
    }
    (load ? load_many : store_many)(ctx, (unsigned)a->list, base, disp, a->rn, moved);
}

void a32_trans_ldm(TransCtx *ctx, const A32ArgsLdm *a) { many(ctx, a, true); }
void a32_trans_stm(TransCtx *ctx, const A32ArgsLdm *a) { many(ctx, a, false); }

/* 16-bit forms: bit 8 is LR in a PUSH, the pc in a POP. */
void a32_trans_push(TransCtx *ctx, const A32ArgsPush *a)
{
    unsigned list = (unsigned)(a->list & 0xff) | (unsigned)(a->list >> 8) << A32_LR;
    many(ctx, &(A32ArgsLdm){ .rn = A32_SP, .list = (int)list, .p = 1, .u = 0, .w = 1 }, false);
}

void a32_trans_pop(TransCtx *ctx, const A32ArgsPush *a)
{
    unsigned list = (unsigned)(a->list & 0xff) | (unsigned)(a->list >> 8) << A32_PC;
    many(ctx, &(A32ArgsLdm){ .rn = A32_SP, .list = (int)list, .p = 0, .u = 1, .w = 1 }, true);
}

/* -- exclusive and ordered ------------------------------------------------------------------------------------------- */

static IrMem exclusive(TransCtx *ctx, const A32ArgsExcl *a, unsigned size, unsigned order)
{
    IrMem mem = a32_access(ctx, size, false, a->imm);
    mem.align = IR_ALIGN_FAULT;
    mem.order = (uint8_t)order;
    return mem;
}

static void load_exclusive(TransCtx *ctx, const A32ArgsExcl *a, unsigned size, unsigned order)
{
    IrRef base = a32_r(ctx, a->rn);

    if (size < 3) {
        a32_put(ctx, a->rt, ir_ll(ctx->b, IR_I32, base, exclusive(ctx, a, size, order)));
        return;
    }
    IrRef v = ir_ll(ctx->b, IR_I64, base, exclusive(ctx, a, 3, order));
    v = bits_get(ctx->mode, ARM_MODE_BE, 1) ? ir_op2_imm(ctx->b, IR_rotr, IR_I64, v, 32) : v;
    a32_put(ctx, a->rt, ir_op1(ctx->b, IR_trunc, IR_I32, v));
    a32_put(ctx, second(a->rt, a->rt2), ir_op1(ctx->b, IR_trunc, IR_I32, ir_op2_imm(ctx->b, IR_shr, IR_I64, v, 32)));
}

static IrRef doubleword(TransCtx *ctx, const A32ArgsExcl *a)
{
    IrRef high = ir_op1(ctx->b, IR_ext_u, IR_I64, a32_r(ctx, second(a->rt, a->rt2)));
    IrRef v = ir_op2(ctx->b, IR_or, IR_I64, ir_op1(ctx->b, IR_ext_u, IR_I64, a32_r(ctx, a->rt)), ir_op2_imm(ctx->b, IR_shl, IR_I64, high, 32));
    return bits_get(ctx->mode, ARM_MODE_BE, 1) ? ir_op2_imm(ctx->b, IR_rotr, IR_I64, v, 32) : v;
}

static void store_exclusive(TransCtx *ctx, const A32ArgsExcl *a, unsigned size, unsigned order)
{
    IrRef base = a32_r(ctx, a->rn), failed;

    if (size < 3) {
        failed = ir_sc(ctx->b, IR_I32, base, a32_r(ctx, a->rt), exclusive(ctx, a, size, order));
    } else {
        failed = ir_op1(ctx->b, IR_trunc, IR_I32, ir_sc(ctx->b, IR_I64, base, doubleword(ctx, a), exclusive(ctx, a, 3, order)));
    }
    a32_put(ctx, a->rd, failed);
}

static void load_acquire(TransCtx *ctx, const A32ArgsExcl *a, unsigned size)
{
    a32_put(ctx, a->rt, ir_load(ctx->b, IR_I32, a32_r(ctx, a->rn), IR_NONE, exclusive(ctx, a, size, IR_ORDER_SEQ_CST)));
}

static void store_release(TransCtx *ctx, const A32ArgsExcl *a, unsigned size)
{
    ir_store(ctx->b, a32_r(ctx, a->rn), IR_NONE, a32_r(ctx, a->rt), exclusive(ctx, a, size, IR_ORDER_SEQ_CST));
}

#define SIZES(suffix, size)                                                                                                      \
    void a32_trans_ldrex##suffix(TransCtx *ctx, const A32ArgsExcl *a) { load_exclusive(ctx, a, size, IR_ORDER_RELAXED); }          \
    void a32_trans_ldaex##suffix(TransCtx *ctx, const A32ArgsExcl *a) { load_exclusive(ctx, a, size, IR_ORDER_ACQUIRE); }          \
    void a32_trans_strex##suffix(TransCtx *ctx, const A32ArgsExcl *a) { store_exclusive(ctx, a, size, IR_ORDER_RELAXED); }         \
    void a32_trans_stlex##suffix(TransCtx *ctx, const A32ArgsExcl *a) { store_exclusive(ctx, a, size, IR_ORDER_RELEASE); }
SIZES(, 2)
SIZES(b, 0)
SIZES(h, 1)
SIZES(d, 3)
#undef SIZES

void a32_trans_lda(TransCtx *ctx, const A32ArgsExcl *a) { load_acquire(ctx, a, 2); }
void a32_trans_ldab(TransCtx *ctx, const A32ArgsExcl *a) { load_acquire(ctx, a, 0); }
void a32_trans_ldah(TransCtx *ctx, const A32ArgsExcl *a) { load_acquire(ctx, a, 1); }
void a32_trans_stl(TransCtx *ctx, const A32ArgsExcl *a) { store_release(ctx, a, 2); }
void a32_trans_stlb(TransCtx *ctx, const A32ArgsExcl *a) { store_release(ctx, a, 0); }
void a32_trans_stlh(TransCtx *ctx, const A32ArgsExcl *a) { store_release(ctx, a, 1); }

static void swap(TransCtx *ctx, const A32ArgsR3 *a, unsigned size)
{
    IrMem mem = a32_access(ctx, size, false, 0);
    mem.rmw = IR_RMW_XCHG;
    mem.align = IR_ALIGN_FAULT;
    a32_put(ctx, a->rd, ir_rmw(ctx->b, IR_I32, a32_r(ctx, a->rn), a32_r(ctx, a->rm), mem));
}

void a32_trans_swp(TransCtx *ctx, const A32ArgsR3 *a) { swap(ctx, a, 2); }
void a32_trans_swpb(TransCtx *ctx, const A32ArgsR3 *a) { swap(ctx, a, 0); }
