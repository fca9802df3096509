/*
 * lower-int.c: integer operations and comparisons.
 *
 * Width: an I32 operation uses 32-bit instructions; the upper half of an I32 value's register is
 * undefined (it may be another name of an I64 value).
 */
#include "tcg/x86_64/host.h"

static inline bool const_of(const HostCompiler *hc, IrRef v, uint64_t *ret)
{
    if (v == IR_NONE || !val_is_const(hc, v)) {
        return false;
    }
    *ret = hc->insns[v].imm;
    return true;
}

/* A constant as the sign-extended 32-bit immediate of an instruction of width w. */
static bool imm32_of(const HostCompiler *hc, IrRef v, bool w, int32_t *ret)
{
    uint64_t imm;
    if (!const_of(hc, v, &imm) || (w && (int64_t)imm != (int32_t)imm)) {
        return false;
    }
    *ret = (int32_t)imm;
    return true;
}

/* d = d ALU b, where b is whatever it is; operands other than d must still be intact. */
typedef struct Source {
    enum { SRC_REG, SRC_IMM, SRC_MEM } kind;
    Reg reg;
    int32_t imm;
    Mem mem;
} Source;

static Source source(HostCompiler *hc, IrRef v, bool w, bool imm_ok)
{
    Source s = { .kind = SRC_REG };
    if (imm_ok && imm32_of(hc, v, w, &s.imm)) {
        s.kind = SRC_IMM;
    } else if (ra_is_memory(hc, v, &s.mem)) {
        s.kind = SRC_MEM;
    } else {
        s.reg = ra_use(hc, v);
    }
    return s;
}

static void alu_source(HostCompiler *hc, bool w, unsigned alu, Reg d, const Source *s)
{
    switch (s->kind) {
    case SRC_REG: x_alu_rr(&hc->as, w, alu, d, s->reg); break;
    case SRC_IMM: x_alu_ri(&hc->as, w, alu, d, s->imm); break;
    case SRC_MEM: x_alu_rm(&hc->as, w, alu, d, s->mem); break;
    }
}

static inline uint32_t bit_of(Reg r) { return 1u << r; }
static inline bool is_free(const HostCompiler *hc, Reg r) { return !(hc->used >> r & 1); }

/* ---- comparisons ---- */

unsigned lower_compare(HostCompiler *hc, unsigned cond, unsigned type, IrRef a, IrRef b)
{
    bool w = type == IR_I64;
    Asm *as = &hc->as;
    int32_t imm;
    uint64_t c;
    Mem m;

    if (val_is_const(hc, a) && !val_is_const(hc, b)) {
        IrRef t = a;
        a = b;
        b = t;
        cond = ir_cond_swap(cond);
    }
    if (cond == IR_TSTEQ || cond == IR_TSTNE) {
        Reg r = ra_use(hc, a);
        /* an I32 operand may be another name of a wider constant */
        if (const_of(hc, b, &c) && (c = w ? c : (uint32_t)c) > INT32_MAX && (c & (c - 1)) == 0) {
            x_rr(as, (M_0F | 0xba) | x_w(w), 4, r); /* bt r, imm8 */
            x_u8(as, __builtin_ctzll(c));
            return cond == IR_TSTEQ ? CC_AE : CC_B;
        }
        if (imm32_of(hc, b, w, &imm)) {
            x_test_ri(as, w, r, imm);
        } else {
            x_test_rr(as, w, r, ra_use(hc, b));
        }
        return x64_cc(cond);
    }
    if (imm32_of(hc, b, w, &imm)) {
        if (ra_is_memory(hc, a, &m)) {
            x_alu_mi(as, w, A_CMP, m, imm);
        } else {
            Reg r = ra_use(hc, a);
            if (imm == 0 && cond != IR_LTU && cond != IR_GEU) {
                x_test_rr(as, w, r, r);
                /* The sign alone decides: shorter latency chains for `blt x, zero`. */
                if (cond == IR_LT) {
                    return CC_S;
                }
                if (cond == IR_GE) {
                    return CC_NS;
                }
            } else {
                x_alu_ri(as, w, A_CMP, r, imm);
            }
        }
        return x64_cc(cond);
    }
    Reg r = ra_use(hc, a);
    Source s = source(hc, b, w, false);
    alu_source(hc, w, A_CMP, r, &s);
    return x64_cc(cond);
}

/* d = condition as 0 or 1, flags intact. */
static void set_condition(HostCompiler *hc, unsigned cc, Reg d)
{
    x_setcc(&hc->as, cc, d);
    x_rr(&hc->as, I_MOVZX8, d, d);
}

static void lower_setcond(HostCompiler *hc, const IrInsn *in)
{
    unsigned type = hc->insns[in->a].type;
    IrRef a = hc->ops[0], b = hc->ops[1];
    uint64_t c;
    if (const_of(hc, b, &c) && c == 0 && in->aux == IR_LT) {
        /* The sign bit. */
        bool w = type == IR_I64;
        Reg ra = ra_use(hc, a);
        ra_consume(hc);
        Reg d = ra_dest(hc, is_free(hc, ra) ? ra : NO_REG, 0);
        if (d != ra) {
            x_mov_rr(&hc->as, w, d, ra);
        }
        x_shift_ri(&hc->as, w, S_SHR, d, w ? 63 : 31);
        ra_done(hc);
        return;
    }
    unsigned cc = lower_compare(hc, in->aux, type, a, b);
    ra_consume(hc);
    Reg d = ra_dest(hc, NO_REG, 0);
    set_condition(hc, cc, d);
    hc->flags_val = hc->i;
    hc->flags_cc = cc;
    ra_done(hc);
    hc->flags_at = x_offset(&hc->as);
}

static void lower_select(HostCompiler *hc, const IrInsn *in)
{
    Asm *as = &hc->as;
    IrRef b = hc->ops[1], c = hc->ops[2];
    const IrInsn *test = &hc->insns[in->a];
    bool fused = hc->val[in->a].fused == FUSED_TEST, w = in->type == IR_I64;
    bool vec = !ir_type_is_int(in->type), parity = false;
    unsigned cc;

    /* Values first: loading them would not disturb flags, but constants should not wait either. */
    Reg rb = ra_use(hc, b), rc = ra_use(hc, c);
    if (!fused) {
        if (hc->flags_val == in->a && hc->flags_at == x_offset(as)) {
            cc = hc->flags_cc;
        } else {
            Reg r = ra_use(hc, hc->ops[0]);
            x_test_rr(as, test->type == IR_I64, r, r);
            cc = CC_NE;
        }
    } else if (test->op == IR_fcmp) {
        IrRef second = hc->ops[3];
        hc->ops[1] = second;
        cc = lower_fp_compare(hc, test, &parity);
        hc->ops[1] = b;
    } else {
        cc = lower_compare(hc, test->aux, hc->insns[test->a].type, hc->ops[0], hc->ops[3]);
    }
    ra_consume(hc);
    if (vec || parity) {
        /* A short jump over the move; parity needs two conditions. */
        uint32_t avoid = bit_of(rb);
        Reg d = ra_dest(hc, is_free(hc, rc) && rb != rc ? rc : NO_REG, rb == rc ? 0 : avoid);
        ra_move(hc, d, rc, in->type);
        uint8_t *not_parity = NULL;
        if (parity) {
            not_parity = x_jcc8(as, CC_P);
        }
        uint8_t *skip = x_jcc8(as, cc ^ 1);
        ra_move(hc, d, rb, in->type);
        x_bind8(as, skip);
        if (parity) {
            x_bind8(as, not_parity);
        }
        ra_done(hc);
        return;
    }
    if (is_free(hc, rb) && !is_free(hc, rc)) {
        /* d = b, replaced by c where the condition fails. */
        Reg d = ra_dest(hc, rb, rb == rc ? 0 : bit_of(rc));
        if (d != rb) {
            x_mov_rr(as, w, d, rb);
        }
        x_cmov(as, w, cc ^ 1, d, rc);
    } else {
        Reg d = ra_dest(hc, is_free(hc, rc) ? rc : NO_REG, rb == rc ? 0 : bit_of(rb));
        if (d != rc) {
            x_mov_rr(as, w, d, rc);
        }
        x_cmov(as, w, cc, d, rb);
    }
    ra_done(hc);
}

/* ---- two operands ---- */

/* d = a ALU b with d a fresh copy of a, or a's own register when it dies. */
static void lower_alu(HostCompiler *hc, const IrInsn *in, unsigned alu, bool comm)
{
    bool w = in->type == IR_I64;
    IrRef a = hc->ops[0], b = hc->ops[1];
    Mem m;
    if (comm && (val_is_const(hc, a) || (ra_is_memory(hc, a, &m) && !val_is_const(hc, b)))) {
        IrRef t = a;
        a = b;
        b = t;
    }
    Reg ra = ra_use(hc, a);
    Source s = source(hc, b, w, true);
    ra_consume(hc);
    uint32_t avoid = s.kind == SRC_REG && s.reg != ra ? bit_of(s.reg) : 0;
    if (comm && s.kind == SRC_REG && !is_free(hc, ra) && is_free(hc, s.reg)) {
        Reg t = ra;
        ra = s.reg;
        s.reg = t;
        avoid = bit_of(t);
    }
    Reg d = ra_dest(hc, is_free(hc, ra) ? ra : NO_REG, comm ? 0 : avoid);
    if (comm && s.kind == SRC_REG && d == s.reg) {
        x_alu_rr(&hc->as, w, alu, d, ra);
    } else {
        if (d != ra) {
            x_mov_rr(&hc->as, w, d, ra);
        }
        alu_source(hc, w, alu, d, &s);
    }
    ra_done(hc);
}

/* a plus or minus a comparison, which is in the carry flag (below) or its opposite (not below). */
static void lower_carry(HostCompiler *hc, const IrInsn *in)
{
    const IrInsn *test = &hc->insns[in->b];
    bool w = in->type == IR_I64, add = in->op == IR_add;
    Reg ra = ra_use(hc, hc->ops[0]);
    bool below = lower_compare(hc, test->aux, hc->insns[test->a].type, hc->ops[1], hc->ops[2]) == CC_B;
    ra_consume(hc);
    Reg d = ra_dest(hc, is_free(hc, ra) ? ra : NO_REG, 0);

    if (d != ra) {
        x_mov_rr(&hc->as, w, d, ra);
    }
    /* a + !c is a - (-1) - c, a - !c is a + (-1) + c. */
    x_alu_ri(&hc->as, w, add == below ? A_ADC : A_SBB, d, below ? 0 : -1);
    ra_done(hc);
}

static void lower_add(HostCompiler *hc, const IrInsn *in)
{
    if (hc->val[in->b].fused == FUSED_TEST) {
        lower_carry(hc, in);
        return;
    }

    bool w = in->type == IR_I64;
    Asm *as = &hc->as;
    IrRef a = hc->ops[0], b = hc->ops[1];
    int32_t imm;
    Mem m;

    if (val_is_const(hc, a)) {
        IrRef t = a;
        a = b;
        b = t;
    }
    if (imm32_of(hc, b, w, &imm)) {
        Reg ra = ra_use(hc, a);
        ra_consume(hc);
        Reg d = ra_dest(hc, is_free(hc, ra) ? ra : NO_REG, 0);
        if (d == ra) {
            x_alu_ri(as, w, A_ADD, d, imm);
        } else {
            x_lea(as, w, d, mem_bd(ra, imm));
        }
        ra_done(hc);
        return;
    }
    if (ra_is_memory(hc, a, &m) || ra_is_memory(hc, b, &m)) {
        lower_alu(hc, in, A_ADD, true);
        return;
    }
    Reg ra = ra_use(hc, a), rb = ra_use(hc, b);
    ra_consume(hc);
    Reg d = ra_dest(hc, is_free(hc, ra) ? ra : is_free(hc, rb) ? rb : NO_REG, 0);
    if (d == ra) {
        x_alu_rr(as, w, A_ADD, d, rb);
    } else if (d == rb) {
        x_alu_rr(as, w, A_ADD, d, ra);
    } else {
        /* rbp and r13 as a base cost a displacement byte. */
        Mem sum = (ra & 7) == 5 ? mem_bi(rb, ra, 0, 0) : mem_bi(ra, rb, 0, 0);
        x_lea(as, w, d, sum);
    }
    ra_done(hc);
}

static void lower_sub(HostCompiler *hc, const IrInsn *in)
{
    if (hc->val[in->b].fused == FUSED_TEST) {
        lower_carry(hc, in);
        return;
    }

    bool w = in->type == IR_I64;
    Asm *as = &hc->as;
    int32_t imm;
    uint64_t zero;

    if (imm32_of(hc, hc->ops[1], w, &imm) && imm != INT32_MIN) {
        Reg ra = ra_use(hc, hc->ops[0]);
        ra_consume(hc);
        Reg d = ra_dest(hc, is_free(hc, ra) ? ra : NO_REG, 0);
        if (d == ra) {
            x_alu_ri(as, w, A_SUB, d, imm);
        } else {
            x_lea(as, w, d, mem_bd(ra, -imm));
        }
        ra_done(hc);
        return;
    }
    if (const_of(hc, hc->ops[0], &zero) && zero == 0) {
        Reg rb = ra_use(hc, hc->ops[1]);
        ra_consume(hc);
        Reg d = ra_dest(hc, is_free(hc, rb) ? rb : NO_REG, 0);
        ra_move(hc, d, rb, in->type);
        x_neg(as, w, d);
        ra_done(hc);
        return;
    }
    Reg ra = ra_use(hc, hc->ops[0]);
    Source s = source(hc, hc->ops[1], w, true);
    ra_consume(hc);
    Reg d = ra_dest(hc, is_free(hc, ra) ? ra : NO_REG, 0);
    if (s.kind == SRC_REG && d == s.reg && d != ra) {
        /* d = a - d */
        x_neg(as, w, d);
        x_alu_rr(as, w, A_ADD, d, ra);
    } else {
        if (d != ra) {
            x_mov_rr(as, w, d, ra);
        }
        alu_source(hc, w, A_SUB, d, &s);
    }
    ra_done(hc);
}

/*
 * Both halves of an unsigned product, one behind the other in either order: one instruction. The second is marked as done.
 * False: not that.
 */
static bool lower_mul_both(HostCompiler *hc, const IrInsn *in)
{
    const IrInsn *other = in + 1; /* there is one: no multiplication ends a unit */
    uint32_t i = hc->i;
    if (!has(hc, X_BMI2) || other->op != (in->op == IR_mul ? IR_mulhu : IR_mul) || other->type != in->type || hc->val[i + 1].fused) {
        return false;
    }
    IrRef ops[4];
    x64_operands(hc, other, ops);
    if (val_is_const(hc, hc->ops[0]) || val_is_const(hc, hc->ops[1]) || ops[0] != hc->ops[0] || ops[1] != hc->ops[1]) {
        return false;
    }
    bool second_in_rdx = hc->val[ops[1]].reg == RDX;
    ra_use_in(hc, ops[second_in_rdx], RDX);
    Reg r = ra_use(hc, ops[!second_in_rdx]), d[2];
    ra_consume(hc);
    hc->i = i + 1;
    ra_consume(hc);
    hc->temps &= ~bit_of(RDX);
    for (unsigned k = 0; k < 2; k++) {
        hc->i = i + k;
        d[k] = ra_dest(hc, NO_REG, 0);
    }
    bool low_first = in->op == IR_mul;
    v_rrr(&hc->as, I_MULX | x_w(in->type == IR_I64), d[low_first], d[!low_first], r);
    for (unsigned k = 0; k < 2; k++) {
        hc->i = i + k;
        ra_done(hc);
    }
    hc->i = i;
    hc->val[i + 1].fused = FUSED_DONE;
    return true;
}

static void lower_mul(HostCompiler *hc, const IrInsn *in)
{
    bool w = in->type == IR_I64;
    Asm *as = &hc->as;
    IrRef a = hc->ops[0], b = hc->ops[1];
    int32_t imm;
    if (val_is_const(hc, a)) {
        IrRef t = a;
        a = b;
        b = t;
    }
    if (imm32_of(hc, b, w, &imm)) {
        Reg ra = ra_use(hc, a);
        ra_consume(hc);
        Reg d = ra_dest(hc, is_free(hc, ra) ? ra : NO_REG, 0);
        if (imm == 3 || imm == 5 || imm == 9) {
            x_lea(as, w, d, mem_bi(ra, ra, imm == 3 ? 1 : imm == 5 ? 2 : 3, 0));
        } else if (imm == (int8_t)imm) {
            x_rr(as, I_IMUL_I8 | x_w(w), d, ra);
            x_u8(as, imm);
        } else {
            x_rr(as, I_IMUL_I32 | x_w(w), d, ra);
            x_u32(as, imm);
        }
        ra_done(hc);
        return;
    }
    Reg ra = ra_use(hc, a);
    Source s = source(hc, b, w, false);
    ra_consume(hc);
    if (s.kind == SRC_REG && !is_free(hc, ra) && is_free(hc, s.reg)) {
        Reg t = ra;
        ra = s.reg;
        s.reg = t;
    }
    Reg d = ra_dest(hc, is_free(hc, ra) ? ra : NO_REG, 0);
    if (s.kind == SRC_REG && d == s.reg) {
        x_rr(as, I_IMUL | x_w(w), d, ra);
    } else {
        if (d != ra) {
            x_mov_rr(as, w, d, ra);
        }
        if (s.kind == SRC_MEM) {
            x_rm(as, I_IMUL | x_w(w), d, s.mem);
        } else {
            x_rr(as, I_IMUL | x_w(w), d, s.reg);
        }
    }
    ra_done(hc);
}

/* The high half: rdx:rax = rax * operand. */
static void lower_mulh(HostCompiler *hc, const IrInsn *in)
{
    bool w = in->type == IR_I64, mixed = in->op == IR_mulhsu;
    Asm *as = &hc->as;
    Reg ra = mixed ? ra_use(hc, hc->ops[0]) : NO_REG;
    if (mixed && (ra == RAX || ra == RDX)) {
        /* mulhsu reads its signed operand once more at the end. */
        Reg t = ra_alloc(hc, REGS_GPR & ~(bit_of(RAX) | bit_of(RDX)), NO_REG);
        hc->pinned |= bit_of(t);
        hc->temps |= bit_of(t);
        x_mov_rr(as, true, t, ra);
        hc->pinned &= ~bit_of(ra);
        ra = t;
    }
    if (mixed) {
        Reg rb = ra_use(hc, hc->ops[1]);
        x_mov_rr(as, w, REG_TMP, rb);
        hc->pinned = (hc->pinned & ~(bit_of(RAX) | bit_of(RDX))) | bit_of(ra);
        ra_take(hc, RDX);
        ra_take(hc, RAX);
        x_mov_rr(as, w, RAX, ra);
        x_rr(as, 0xf7 | x_w(w), 4, REG_TMP);
        /* a < 0 was read as a + 2^n: take b off the high half. */
        x_mov_rr(as, w, RAX, ra);
        x_shift_ri(as, w, S_SAR, RAX, w ? 63 : 31);
        x_alu_rr(as, w, A_AND, RAX, REG_TMP);
        x_alu_rr(as, w, A_SUB, RDX, RAX);
        ra_consume(hc);
        hc->temps &= ~bit_of(RDX);
        Reg d = ra_dest(hc, RDX, 0);
        x_mov_rr(as, w, d, RDX);
        ra_done(hc);
        return;
    }
    IrRef a = hc->ops[0], b = hc->ops[1];
    if (hc->val[b].reg == RAX) {
        IrRef t = a;
        a = b;
        b = t;
    }
    ra_use_in(hc, a, RAX);
    ra_take(hc, RDX);
    Reg rb = ra_use(hc, b);
    x_rr(as, 0xf7 | x_w(w), in->op == IR_mulhs ? 5 : 4, rb);
    ra_consume(hc);
    hc->temps &= ~bit_of(RDX);
    Reg d = ra_dest(hc, RDX, bit_of(RAX));
    x_mov_rr(as, w, d, RDX);
    ra_done(hc);
}

static inline Mem divisor_mem(unsigned entry, unsigned field)
{
    return mem_plus(JIT_MEM(divisor), (int)(entry * sizeof(DivisorEntry) + field));
}

/* The divisor in r[0] is not the entry's (x). rax = dividend; result in rax or rdx (imm: remainder). */
static void emit_divide(HostCompiler *hc, const Ool *o)
{
    Asm *as = &hc->as;
    bool w = hc->insns[o->insn].type == IR_I64, rem = o->imm;
    x_mov_rr(as, w, REG_TMP, o->r[0]);
    x_test_rr(as, w, REG_TMP, REG_TMP);
    uint8_t *nonzero = x_jcc8(as, CC_NE);
    if (rem) {
        x_mov_rr(as, w, RDX, RAX);
    } else {
        x_alu_ri(as, true, A_OR, RAX, -1);
    }
    ool_back(hc, o);
    x_bind8(as, nonzero);
    x_alu_rm(as, true, A_CMP, REG_TMP, divisor_mem(o->x, offsetof(DivisorEntry, last)));
    uint8_t *other = x_jcc8(as, CC_NE);
    x_store(as, 3, arg_mem(0), RAX);
    x_alu_rr(as, false, A_XOR, RDX, RDX);
    x_mov_ri(as, RAX, UINT64_MAX);
    x_rr(as, 0xf7 | X_W, 6, REG_TMP);
    x_store(as, 3, divisor_mem(o->x, offsetof(DivisorEntry, reciprocal)), RAX);
    x_store(as, 3, divisor_mem(o->x, offsetof(DivisorEntry, divisor)), REG_TMP);
    x_rm(as, I_MOV_LD | X_W, RAX, arg_mem(0));
    x_bind8(as, other);
    x_store(as, 3, divisor_mem(o->x, offsetof(DivisorEntry, last)), REG_TMP);
    uint8_t *narrow = NULL;
    if (w) {
        /* Small operands are common and a 64-bit division is slow on many CPUs. */
        x_mov_rr(as, true, RDX, RAX);
        x_alu_rr(as, true, A_OR, RDX, REG_TMP);
        x_shift_ri(as, true, S_SHR, RDX, 32);
        narrow = x_jcc8(as, CC_E);
    }
    x_alu_rr(as, false, A_XOR, RDX, RDX);
    x_rr(as, 0xf7 | x_w(w), 6, REG_TMP);
    if (w) {
        ool_back(hc, o);
        x_bind8(as, narrow);
        x_rr(as, 0xf7, 6, REG_TMP); /* edx is 0 from the shift */
    }
    ool_back(hc, o);
}

/*
 * rax / rb or rax % rb, unsigned, into rax or rdx. A divisor seen twice running is multiplied with instead: with
 * m = (2^64 - 1) / d rounded down, m >= 2^64 / d - 1, so x * m / 2^64 >= x / d - x / 2^64 > x / d - 1, and rounded down it is
 * the quotient or one less.
 */
static void divide_by_reciprocal(HostCompiler *hc, bool w, bool rem, Reg rb)
{
    Asm *as = &hc->as;
    unsigned entry = ((unsigned)(hc->unit->pc >> 1) + hc->i) % VCPU_N_DIVISORS;
    Mem divisor = divisor_mem(entry, offsetof(DivisorEntry, divisor));
    if (w) {
        x_alu_rm(as, true, A_CMP, rb, divisor);
    } else {
        x_mov_rr(as, false, RAX, RAX); /* zero-extended */
        x_mov_rr(as, false, RDX, rb);
        x_alu_rm(as, true, A_CMP, RDX, divisor);
    }
    Ool *o = ool_jcc(hc, CC_NE, emit_divide);
    o->r[0] = rb;
    o->x = entry;
    o->imm = rem;
    size_t index = o - hc->ool.at;
    x_mov_rr(as, true, REG_TMP, RAX);
    x_rm(as, 0xf7 | X_W, 4, divisor_mem(entry, offsetof(DivisorEntry, reciprocal)));
    x_mov_rr(as, true, RAX, RDX);
    x_rr(as, I_IMUL | x_w(w), RAX, rb);
    x_alu_rr(as, w, A_SUB, REG_TMP, RAX); /* remainder, or that plus the divisor; no carry: it is at most the dividend */
    if (rem) {
        x_mov_rr(as, w, RDX, REG_TMP);
        x_alu_rr(as, w, A_SUB, REG_TMP, rb);
        x_cmov(as, w, CC_AE, RDX, REG_TMP);
    } else {
        x_mov_rr(as, w, RAX, RDX);
        x_alu_rr(as, w, A_CMP, REG_TMP, rb);
        x_alu_ri(as, w, A_SBB, RAX, -1);
    }
    hc->ool.at[index].back = x_offset(as);
}

/* Division with the operands the host's would trap on handled as ops.def says. */
static void lower_div(HostCompiler *hc, const IrInsn *in)
{
    bool w = in->type == IR_I64;
    bool is_signed = in->op == IR_divs || in->op == IR_rems;
    bool rem = in->op == IR_rems || in->op == IR_remu;
    Asm *as = &hc->as;
    uint64_t c;
    bool b_const = const_of(hc, hc->ops[1], &c);
    uint64_t cw = w ? c : (uint32_t)c;
    bool b_zero_ok = b_const && cw != 0, b_minus_ok = b_const && cw != (w ? UINT64_MAX : UINT32_MAX);

    ra_use_in(hc, hc->ops[0], RAX);
    ra_take(hc, RDX);
    Reg rb = ra_use(hc, hc->ops[1]);
    if (rb == RAX) {
        /* a / a: the divisor needs a register that is not the dividend's. */
        x_mov_rr(as, w, REG_TMP, rb);
        rb = REG_TMP;
    }
    uint8_t *to_end[2] = { NULL, NULL };
    unsigned n_end = 0;
    bool multiply = !is_signed && rb != REG_TMP;
    if (multiply) {
        divide_by_reciprocal(hc, w, rem, rb);
    } else if (!b_zero_ok) {
        x_test_rr(as, w, rb, rb);
        uint8_t *nonzero = x_jcc8(as, CC_NE);
        if (rem) {
            x_mov_rr(as, w, RDX, RAX);
        } else {
            x_alu_ri(as, true, A_OR, RAX, -1);
        }
        to_end[n_end++] = x_jmp8(as);
        x_bind8(as, nonzero);
    }
    if (is_signed) {
        if (!b_minus_ok) {
            x_alu_ri(as, w, A_CMP, rb, -1);
            uint8_t *other = x_jcc8(as, CC_NE);
            if (rem) {
                x_alu_rr(as, false, A_XOR, RDX, RDX);
            } else {
                x_neg(as, w, RAX);
            }
            to_end[n_end++] = x_jmp8(as);
            x_bind8(as, other);
        }
        if (w) {
            x_u8(as, 0x48);
        }
        x_u8(as, 0x99); /* cdq, cqo */
        x_rr(as, 0xf7 | x_w(w), 7, rb);
    } else if (!multiply) {
        uint8_t *narrow = NULL;
        if (w) {
            /* Small operands are common and a 64-bit division is slow on many CPUs. */
            x_mov_rr(as, true, RDX, RAX);
            x_alu_rr(as, true, A_OR, RDX, rb);
            x_shift_ri(as, true, S_SHR, RDX, 32);
            narrow = x_jcc8(as, CC_E);
        }
        x_alu_rr(as, false, A_XOR, RDX, RDX);
        x_rr(as, 0xf7 | x_w(w), 6, rb);
        if (w) {
            uint8_t *done = x_jmp8(as);
            x_bind8(as, narrow);
            x_rr(as, 0xf7, 6, rb); /* edx is 0 from the shift */
            x_bind8(as, done);
        }
    }
    while (n_end) {
        x_bind8(as, to_end[--n_end]);
    }
    ra_consume(hc);
    Reg res = rem ? RDX : RAX;
    hc->temps &= ~bit_of(res);
    Reg d = ra_dest(hc, res, bit_of(rem ? RAX : RDX));
    x_mov_rr(as, w, d, res);
    ra_done(hc);
}

/* ---- shifts ---- */

static void lower_shift(HostCompiler *hc, const IrInsn *in)
{
    static const uint8_t digit[] = { S_SHL, S_SHR, S_SAR, S_ROL, S_ROR };
    bool w = in->type == IR_I64;
    unsigned kind = in->op - IR_shl;
    Asm *as = &hc->as;
    uint64_t count;
    static_assert(IR_rotr - IR_shl == 4, "digit[] follows the order of ops.def");

    if (const_of(hc, hc->ops[1], &count)) {
        unsigned n = count & (w ? 63 : 31);
        Reg ra = ra_use(hc, hc->ops[0]);
        ra_consume(hc);
        Reg d = ra_dest(hc, is_free(hc, ra) ? ra : NO_REG, 0);
        if (d != ra && in->op == IR_shl && n == 1) {
            x_lea(as, w, d, mem_bi(ra, ra, 0, 0));
        } else if (d != ra && in->op == IR_shl && n <= 3 && n) {
            x_lea(as, w, d, mem_bi(NO_REG, ra, n, 0));
        } else if (d != ra && n && has(hc, X_BMI2) && kind >= 3) {
            v_rrr(as, I_RORX | x_w(w), d, 0, ra);
            x_u8(as, kind == 4 ? n : (w ? 64 : 32) - n);
        } else {
            if (d != ra || !n) { /* the upper half is cleared in any case */
                x_mov_rr(as, w, d, ra);
            }
            if (n) {
                x_shift_ri(as, w, digit[kind], d, n);
            }
        }
        ra_done(hc);
        return;
    }
    if (has(hc, X_BMI2) && kind < 3) {
        static const uint32_t op[] = { I_SHLX, I_SHRX, I_SARX };
        Reg rb = ra_use(hc, hc->ops[1]);
        Mem m;
        if (ra_is_memory(hc, hc->ops[0], &m)) {
            ra_consume(hc);
            Reg d = ra_dest(hc, NO_REG, 0);
            v_rrm(as, op[kind] | x_w(w), d, rb, m, 0);
        } else {
            Reg ra = ra_use(hc, hc->ops[0]);
            ra_consume(hc);
            Reg d = ra_dest(hc, is_free(hc, ra) ? ra : NO_REG, 0);
            v_rrr(as, op[kind] | x_w(w), d, rb, ra);
        }
        ra_done(hc);
        return;
    }
    ra_use_in(hc, hc->ops[1], RCX);
    Reg ra = ra_use(hc, hc->ops[0]);
    ra_consume(hc);
    if (ra == RCX) {
        /* x << x: the copy in rcx is both. */
        Reg d = ra_dest(hc, NO_REG, bit_of(RCX));
        x_mov_rr(as, w, d, RCX);
        x_shift_rcl(as, w, digit[kind], d);
        ra_done(hc);
        return;
    }
    Reg d = ra_dest(hc, is_free(hc, ra) ? ra : NO_REG, bit_of(RCX));
    if (d != ra) {
        x_mov_rr(as, w, d, ra);
    }
    x_shift_rcl(as, w, digit[kind], d);
    ra_done(hc);
}

/* ---- logic with a complement ---- */

static void lower_andn(HostCompiler *hc, const IrInsn *in)
{
    bool w = in->type == IR_I64;
    Asm *as = &hc->as;
    Reg ra = ra_use(hc, hc->ops[0]), rb = ra_use(hc, hc->ops[1]);
    ra_consume(hc);
    if (in->op == IR_andn && has(hc, X_BMI1)) {
        Reg d = ra_dest(hc, is_free(hc, ra) ? ra : NO_REG, 0);
        v_rrr(as, I_ANDN | x_w(w), d, rb, ra);
        ra_done(hc);
        return;
    }
    Reg d = ra_dest(hc, is_free(hc, rb) && ra != rb ? rb : NO_REG, ra == rb ? 0 : bit_of(ra));
    if (in->op == IR_xnor || ra == rb) {
        if (ra == rb) {
            if (in->op == IR_andn) {
                x_alu_rr(as, false, A_XOR, d, d);
            } else {
                x_mov_ri(as, d, UINT64_MAX);
            }
        } else {
            x_mov_rr(as, w, d, rb);
            x_alu_rr(as, w, A_XOR, d, ra);
            x_not(as, w, d);
        }
    } else {
        if (d != rb) {
            x_mov_rr(as, w, d, rb);
        }
        x_not(as, w, d);
        x_alu_rr(as, w, in->op == IR_andn ? A_AND : A_OR, d, ra);
    }
    ra_done(hc);
}

/* ---- one operand ---- */

/* Operations of the form d = OP r/m. */
static void lower_unary_rm(HostCompiler *hc, uint32_t op, uint32_t op_mem)
{
    Mem m;
    if (op_mem && ra_is_memory(hc, hc->ops[0], &m)) {
        ra_consume(hc);
        Reg d = ra_dest(hc, NO_REG, 0);
        x_rm(&hc->as, op_mem, d, m);
    } else {
        Reg ra = ra_use(hc, hc->ops[0]);
        ra_consume(hc);
        Reg d = ra_dest(hc, is_free(hc, ra) ? ra : NO_REG, 0);
        x_rr(&hc->as, op, d, ra);
    }
    ra_done(hc);
}

static void lower_extend(HostCompiler *hc, const IrInsn *in)
{
    bool w = in->type == IR_I64;
    switch (in->op) {
    case IR_sext8: lower_unary_rm(hc, I_MOVSX8 | x_w(w), (I_MOVSX8 & ~X_BRM) | x_w(w)); break;
    case IR_sext16: lower_unary_rm(hc, I_MOVSX16 | x_w(w), I_MOVSX16 | x_w(w)); break;
    case IR_zext8: lower_unary_rm(hc, I_MOVZX8, I_MOVZX8 & ~X_BRM); break;
    case IR_zext16: lower_unary_rm(hc, I_MOVZX16, I_MOVZX16); break;
    case IR_sext32: case IR_ext_s: lower_unary_rm(hc, I_MOVSXD | X_W, I_MOVSXD | X_W); break;
    default: lower_unary_rm(hc, I_MOV_LD, I_MOV_LD); break;
    }
}

/* Copies operand 0 into the result's register, whose number is returned. */
static Reg unary_copy(HostCompiler *hc, const IrInsn *in)
{
    Reg ra = ra_use(hc, hc->ops[0]);
    ra_consume(hc);
    Reg d = ra_dest(hc, is_free(hc, ra) ? ra : NO_REG, 0);
    ra_move(hc, d, ra, in->type);
    return d;
}

static void lower_bits(HostCompiler *hc, const IrInsn *in)
{
    bool w = in->type == IR_I64;
    Asm *as = &hc->as;
    unsigned width = w ? 64 : 32;
    Reg ra, d;

    switch (in->op) {
    case IR_clz:
        if (has(hc, X_LZCNT)) {
            lower_unary_rm(hc, I_LZCNT | x_w(w), I_LZCNT | x_w(w));
            return;
        }
        ra = ra_use(hc, hc->ops[0]);
        ra_consume(hc);
        /* bsr leaves its result undefined for 0: start from 2 * width - 1, which the xor makes width. */
        d = ra_dest(hc, NO_REG, bit_of(ra));
        x_mov_ri(as, d, 2 * width - 1);
        x_rr(as, I_BSR | x_w(w), REG_TMP, ra);
        x_cmov(as, false, CC_NE, d, REG_TMP);
        x_alu_ri(as, false, A_XOR, d, width - 1);
        ra_done(hc);
        return;
    case IR_ctz:
        if (has(hc, X_BMI1)) {
            lower_unary_rm(hc, I_TZCNT | x_w(w), I_TZCNT | x_w(w));
            return;
        }
        ra = ra_use(hc, hc->ops[0]);
        ra_consume(hc);
        d = ra_dest(hc, NO_REG, bit_of(ra));
        x_mov_ri(as, d, width);
        x_rr(as, I_BSF | x_w(w), REG_TMP, ra);
        x_cmov(as, false, CC_NE, d, REG_TMP);
        ra_done(hc);
        return;
    case IR_popcnt:
        if (has(hc, X_POPCNT)) {
            lower_unary_rm(hc, I_POPCNT | x_w(w), I_POPCNT | x_w(w));
            return;
        } else {
            static const uint64_t mask[] = { 0x5555555555555555, 0x3333333333333333, 0x0f0f0f0f0f0f0f0f };
            Reg t = ra_temp(hc, REGS_GPR);
            ra = ra_use(hc, hc->ops[0]);
            ra_consume(hc);
            d = ra_dest(hc, is_free(hc, ra) ? ra : NO_REG, 0);
            x_mov_rr(as, w, d, ra);
            /* d -= d >> 1 & 5…;  d = (d & 3…) + (d >> 2 & 3…);  d = (d + (d >> 4)) & 0f… */
            x_mov_rr(as, w, t, d);
            x_shift_ri(as, w, S_SHR, t, 1);
            x_mov_ri(as, REG_TMP, w ? mask[0] : (uint32_t)mask[0]);
            x_alu_rr(as, w, A_AND, t, REG_TMP);
            x_alu_rr(as, w, A_SUB, d, t);
            x_mov_ri(as, REG_TMP, w ? mask[1] : (uint32_t)mask[1]);
            x_mov_rr(as, w, t, d);
            x_shift_ri(as, w, S_SHR, t, 2);
            x_alu_rr(as, w, A_AND, t, REG_TMP);
            x_alu_rr(as, w, A_AND, d, REG_TMP);
            x_alu_rr(as, w, A_ADD, d, t);
            x_mov_rr(as, w, t, d);
            x_shift_ri(as, w, S_SHR, t, 4);
            x_alu_rr(as, w, A_ADD, d, t);
            x_mov_ri(as, REG_TMP, w ? mask[2] : (uint32_t)mask[2]);
            x_alu_rr(as, w, A_AND, d, REG_TMP);
            x_mov_ri(as, REG_TMP, w ? 0x0101010101010101 : 0x01010101);
            x_rr(as, I_IMUL | x_w(w), d, REG_TMP);
            x_shift_ri(as, w, S_SHR, d, width - 8);
            ra_done(hc);
            return;
        }
    case IR_bswap:
        d = unary_copy(hc, in);
        x_bswap(as, w, d);
        ra_done(hc);
        return;
    case IR_brev8: {
        static const struct { uint64_t mask; uint8_t shift; } step[] = {
            { 0x5555555555555555, 1 }, { 0x3333333333333333, 2 }, { 0x0f0f0f0f0f0f0f0f, 4 },
        };
        Reg t = ra_temp(hc, REGS_GPR);
        d = unary_copy(hc, in);
        for (unsigned k = 0; k < 3; k++) {
            x_mov_ri(as, REG_TMP, w ? step[k].mask : (uint32_t)step[k].mask);
            x_mov_rr(as, w, t, d);
            x_alu_rr(as, w, A_AND, d, REG_TMP);
            x_shift_ri(as, w, S_SHR, t, step[k].shift);
            x_alu_rr(as, w, A_AND, t, REG_TMP);
            x_shift_ri(as, w, S_SHL, d, step[k].shift);
            x_alu_rr(as, w, A_OR, d, t);
        }
        ra_done(hc);
        return;
    }
    default: { /* orcb: bytes equal to zero compare true; the complement is the answer */
        ra = ra_use(hc, hc->ops[0]);
        Reg v = ra_temp(hc, REGS_VEC);
        ra_consume(hc);
        d = ra_dest(hc, is_free(hc, ra) ? ra : NO_REG, 0);
        sse_rr(hc, I_MOVQ_XR | x_w(w), v, ra);
        sse_rrr(hc, I_XORPS, REG_VTMP, REG_VTMP, REG_VTMP);
        sse_rrr(hc, M_0F | P_66 | 0x74, v, v, REG_VTMP); /* pcmpeqb */
        sse_rr(hc, I_MOVQ_RX | x_w(w), v, d);
        x_not(as, w, d);
        ra_done(hc);
        return;
    }
    }
}

/* ---- bit fields: aux = position | length << 8 ---- */

static void lower_bfx(HostCompiler *hc, const IrInsn *in)
{
    bool w = in->type == IR_I64, sign = in->op == IR_bfxs;
    unsigned width = w ? 64 : 32, pos = in->aux & 0xff, len = in->aux >> 8;
    Asm *as = &hc->as;
    Reg d;

    if (pos == 0 && (len == 8 || len == 16 || (len == 32 && w))) {
        uint32_t op = sign ? len == 8 ? I_MOVSX8 : len == 16 ? I_MOVSX16 : I_MOVSXD
                           : len == 8 ? I_MOVZX8 : len == 16 ? I_MOVZX16 : I_MOV_LD;
        lower_unary_rm(hc, op | x_w(sign && w), 0);
        return;
    }
    d = unary_copy(hc, in);
    if (pos + len == width) {
        if (pos) {
            x_shift_ri(as, w, sign ? S_SAR : S_SHR, d, pos);
        }
    } else if (!sign && pos + len == 32) {
        /* A 32-bit shift clears the upper half. */
        x_shift_ri(as, false, S_SHR, d, pos);
    } else if (!sign && len < 32) {
        if (pos) {
            x_shift_ri(as, w, S_SHR, d, pos);
        }
        x_alu_ri(as, false, A_AND, d, (int32_t)bits_mask(0, len));
    } else {
        if (width - pos - len) {
            x_shift_ri(as, w, S_SHL, d, width - pos - len);
        }
        if (width - len) {
            x_shift_ri(as, w, sign ? S_SAR : S_SHR, d, width - len);
        }
    }
    ra_done(hc);
}

/* Bytes and low words have moves of their own. */
static void lower_bfi_move(HostCompiler *hc, const IrInsn *in, unsigned pos, unsigned len)
{
    bool w = in->type == IR_I64;
    Asm *as = &hc->as;
    Reg ra = ra_use(hc, hc->ops[0]), rb = ra_use(hc, hc->ops[1]);

    ra_consume(hc);
    Reg d = ra_dest(hc, is_free(hc, ra) ? ra : NO_REG, ra == rb ? 0 : bit_of(rb));
    if (ra == rb && pos) { /* the source turns, too */
        x_mov_rr(as, w, REG_TMP, rb);
        rb = REG_TMP;
    }
    if (d != ra) {
        x_mov_rr(as, w, d, ra);
    }
    if (pos) {
        x_shift_ri(as, w, S_ROR, d, pos);
    }
    if (len == 8) {
        x_rr(as, I_MOV_ST8 | X_BRM, rb, d);
    } else {
        x_rr(as, I_MOV_ST | P_66, rb, d);
    }
    if (pos) {
        x_shift_ri(as, w, S_ROL, d, pos);
    }
    ra_done(hc);
}

static void lower_bfi(HostCompiler *hc, const IrInsn *in)
{
    if ((in->aux >> 8 == 8 && (in->aux & 0xff) <= 8) || in->aux == 16 << 8) {
        lower_bfi_move(hc, in, in->aux & 0xff, in->aux >> 8);
        return;
    }
    bool w = in->type == IR_I64;
    unsigned width = w ? 64 : 32, pos = in->aux & 0xff, len = in->aux >> 8;
    Asm *as = &hc->as;
    uint64_t mask = bits_mask(pos, len);
    Reg t = ra_temp(hc, REGS_GPR);
    Reg rb = ra_use(hc, hc->ops[1]);

    x_mov_rr(as, w, t, rb);
    if (width - len) {
        x_shift_ri(as, w, S_SHL, t, width - len);
        if (width - len - pos) {
            x_shift_ri(as, w, S_SHR, t, width - len - pos);
        }
    }
    Reg d = unary_copy(hc, in);
    uint64_t keep = w ? ~mask : (uint32_t)~mask;
    if (w && (int64_t)keep != (int32_t)keep) {
        x_mov_ri(as, REG_TMP, keep);
        x_alu_rr(as, true, A_AND, d, REG_TMP);
    } else {
        x_alu_ri(as, w, A_AND, d, (int32_t)keep);
    }
    x_alu_rr(as, w, A_OR, d, t);
    ra_done(hc);
}

static void lower_minmax(HostCompiler *hc, const IrInsn *in)
{
    bool w = in->type == IR_I64;
    /* d holds a; b replaces it where b is better. */
    static const uint8_t cc[] = { CC_L, CC_G, CC_B, CC_A };
    Asm *as = &hc->as;
    Reg ra = ra_use(hc, hc->ops[0]), rb = ra_use(hc, hc->ops[1]);
    ra_consume(hc);
    if (!is_free(hc, ra) && is_free(hc, rb)) {
        Reg t = ra;
        ra = rb;
        rb = t;
    }
    Reg d = ra_dest(hc, is_free(hc, ra) ? ra : NO_REG, ra == rb ? 0 : bit_of(rb));
    x_alu_rr(as, w, A_CMP, rb, ra);
    if (d != ra) {
        x_mov_rr(as, w, d, ra);
    }
    x_cmov(as, w, cc[in->op - IR_mins], d, rb);
    ra_done(hc);
}

/* Carry-less product: pclmulqdq, else bit by bit with the operand shifted left. */
static void lower_clmul(HostCompiler *hc, const IrInsn *in)
{
    bool w = in->type == IR_I64, high = in->op == IR_clmulh;
    Asm *as = &hc->as;
    if (has(hc, X_PCLMUL)) {
        Reg ra = ra_use(hc, hc->ops[0]), rb = ra_use(hc, hc->ops[1]);
        Reg v = ra_temp(hc, REGS_VEC);
        ra_consume(hc);
        Reg d = ra_dest(hc, NO_REG, 0);
        sse_rr(hc, I_MOVQ_XR | x_w(w), v, ra);
        sse_rr(hc, I_MOVQ_XR | x_w(w), REG_VTMP, rb);
        sse_rrr(hc, M_3A | P_66 | 0x44, v, v, REG_VTMP);
        x_u8(as, 0);
        if (!high) {
            sse_rr(hc, I_MOVQ_RX | x_w(w), v, d);
        } else if (w) {
            sse_rrr(hc, M_0F | P_66 | 0x6d, v, v, v); /* punpckhqdq */
            sse_rr(hc, I_MOVQ_RX | X_W, v, d);
        } else {
            sse_rr(hc, I_MOVQ_RX | X_W, v, d);
            x_shift_ri(as, true, S_SHR, d, 32);
        }
        ra_done(hc);
        return;
    }
    /* hi:lo = 0; for each bit of b from the top: hi:lo <<= 1; if the bit is set, lo ^= a. */
    unsigned width = w ? 64 : 32;
    Reg ra = ra_use(hc, hc->ops[0]), rb = ra_use(hc, hc->ops[1]);
    Reg lo = ra_temp(hc, REGS_GPR), hi = ra_temp(hc, REGS_GPR), bits = ra_temp(hc, REGS_GPR);
    x_mov_rr(as, w, bits, rb);
    x_alu_rr(as, false, A_XOR, lo, lo);
    x_alu_rr(as, false, A_XOR, hi, hi);
    x_mov_ri(as, REG_TMP, width);
    uint32_t top = x_offset(as);
    x_alu_rr(as, w, A_ADD, lo, lo);
    x_alu_rr(as, w, A_ADC, hi, hi);
    x_alu_rr(as, w, A_ADD, bits, bits);
    uint8_t *skip = x_jcc8(as, CC_AE);
    x_alu_rr(as, w, A_XOR, lo, ra);
    x_bind8(as, skip);
    x_alu_ri(as, false, A_SUB, REG_TMP, 1);
    x_jump_back(as, CC_NE, top);
    ra_consume(hc);
    Reg d = ra_dest(hc, NO_REG, 0);
    x_mov_rr(as, w, d, high ? hi : lo);
    ra_done(hc);
}

void lower_int(HostCompiler *hc, const IrInsn *in)
{
    Reg d;
    switch (in->op) {
    case IR_add: lower_add(hc, in); break;
    case IR_sub: lower_sub(hc, in); break;
    case IR_mul:
        if (!lower_mul_both(hc, in)) {
            lower_mul(hc, in);
        }
        break;
    case IR_mulhu:
        if (lower_mul_both(hc, in)) {
            break;
        }
        lower_mulh(hc, in);
        break;
    case IR_mulhs: case IR_mulhsu: lower_mulh(hc, in); break;
    case IR_divs: case IR_divu: case IR_rems: case IR_remu: lower_div(hc, in); break;
    case IR_neg:
        d = unary_copy(hc, in);
        x_neg(&hc->as, in->type == IR_I64, d);
        ra_done(hc);
        break;
    case IR_not:
        d = unary_copy(hc, in);
        x_not(&hc->as, in->type == IR_I64, d);
        ra_done(hc);
        break;
    case IR_and: lower_alu(hc, in, A_AND, true); break;
    case IR_or: lower_alu(hc, in, A_OR, true); break;
    case IR_xor: lower_alu(hc, in, A_XOR, true); break;
    case IR_andn: case IR_orn: case IR_xnor: lower_andn(hc, in); break;
    case IR_shl: case IR_shr: case IR_sar: case IR_rotl: case IR_rotr: lower_shift(hc, in); break;
    case IR_clz: case IR_ctz: case IR_popcnt: case IR_bswap: case IR_brev8: case IR_orcb:
        lower_bits(hc, in);
        break;
    case IR_clmul: case IR_clmulh: lower_clmul(hc, in); break;
    case IR_sext8: case IR_sext16: case IR_sext32: case IR_zext8: case IR_zext16: case IR_zext32:
    case IR_ext_s: case IR_ext_u:
        lower_extend(hc, in);
        break;
    case IR_bfx: case IR_bfxs: lower_bfx(hc, in); break;
    case IR_bfi: lower_bfi(hc, in); break;
    case IR_setcond: lower_setcond(hc, in); break;
    case IR_select: lower_select(hc, in); break;
    default: lower_minmax(hc, in); break;
    }
}
