/*
 * mask.c: mask instructions, reductions of integers, and moves between vector element 0 and
 * the integer registers.
 *
 * Chapter 30.14 (reductions), 30.15 (mask), 30.16.1 (scalar moves) of the unprivileged ISA.
 */
#include "target/riscv/vector/vector.h"
#include "target/riscv/vector/kernels.h"

bool rvv_mask_logic(RvvExec *e, const RvvRow *row)
{
    unsigned op = e->insn >> 26 & 7;
    const uint8_t *a = rvv_reg(e, e->vs2), *b = rvv_reg(e, e->vs1);
    uint8_t *d = rvv_reg(e, e->vd);

    if (e->masked) {
        return false;
    }
    for (unsigned i = e->from; i < e->to;) {
        /* Whole bytes where possible; bits outside [from, to) stay. */
        unsigned at = i >> 3, last = MIN(e->to - 1, i | 7);
        unsigned keep = ~(((2u << (last & 7)) - 1) & ~((1u << (i & 7)) - 1));
        unsigned x = a[at], y = b[at], r;
        switch (op) {
        case 0: r = x & ~y; break;
        case 1: r = x & y; break;
        case 2: r = x | y; break;
        case 3: r = x ^ y; break;
        case 4: r = x | ~y; break;
        case 5: r = ~(x & y); break;
        case 6: r = ~(x | y); break;
        default: r = ~(x ^ y); break;
        }
        d[at] = (uint8_t)((d[at] & keep) | (r & ~keep));
        i = last + 1;
    }
    return true;
}

/* vmsbf, vmsof, vmsif (30.15.4 to 30.15.6). */
static bool set_first(RvvExec *e)
{
    const uint8_t *a = rvv_reg(e, e->vs2);
    uint8_t *d = rvv_reg(e, e->vd);
    bool seen = false;

    if (e->s->vstart || e->vd == e->vs2 || rvv_bad_mask(e)) {
        return false;
    }
    for (unsigned i = 0; i < e->to; i++) {
        if (rvv_active(e, i)) {
            bool first = !seen && rvv_bit(a, i);
            seen |= first;
            rvv_set_bit(d, i, e->vs1 == 1 ? !seen : e->vs1 == 2 ? first : !seen || first);
        }
    }
    return true;
}

/* viota, vid (30.15.8, 30.15.9). */
static bool iota(RvvExec *e)
{
    int lmul = e->s->lmul;
    const uint8_t *a = rvv_reg(e, e->vs2);
    bool id = e->vs1 == 17;
    uint64_t count = 0;

    if (rvv_bad_group(e->vd, lmul) || rvv_bad_mask(e)) {
        return false;
    }
    if (id ? e->vs2 != 0
           : e->s->vstart || rvv_overlap(e->vd, rvv_group_regs(lmul), e->vs2, 1)) {
        return false;
    }
    for (unsigned i = e->from; i < e->to; i++) {
        if (rvv_active(e, i)) {
            rvv_put(rvv_reg(e, e->vd), e->sew, i, id ? i : count);
            count += !id && rvv_bit(a, i);
        }
    }
    return true;
}

bool rvv_mask_unary(RvvExec *e, const RvvRow *row)
{
    switch (e->vs1) {
    case 1:
    case 2:
    case 3:
        return set_first(e);
    case 16:
    case 17:
        return iota(e);
    default:
        return false;
    }
}

/* vext, and Zvbb's unary instructions, share a funct6. */
bool rvv_unary_m(RvvExec *e, const RvvRow *row)
{
    static RvvKernel *const *const unary[8] = {
        rvv_k_brev8, rvv_k_rev8, rvv_k_brev, NULL, rvv_k_clz, rvv_k_ctz, rvv_k_cpop, NULL,
    };

    if (e->vs1 >= 2 && e->vs1 <= 7) {
        return rvv_ext(e, row);
    }
    if (e->vs1 < 8 || e->vs1 > 15 || !unary[e->vs1 - 8]) {
        return false;
    }
    /* vbrev8 and vrev8 are in Zvkb already. */
    if (!e->features->zvbb && !(e->features->zvkb && e->vs1 < 10)) {
        return false;
    }
    RvvRow one = { .shape = rvv_two, .kernel = unary[e->vs1 - 8], .forms = RVV_VV };
    e->vs1 = e->vs2;
    return rvv_two(e, &one);
}

/* 30.14: the result goes to element 0; nothing is written when vl is 0. */
bool rvv_reduce(RvvExec *e, const RvvRow *row)
{
    uint64_t r = 0;

    if (e->s->vstart || rvv_bad_source(e, e->vs2, e->s->lmul) || rvv_bad_source(e, e->vs1, 0)) {
        return false;
    }
    if (e->to) {
        row->kernel[e->sew](e, &r, rvv_reg(e, e->vs2), rvv_reg(e, e->vs1), NULL, e->to);
        rvv_put(rvv_reg(e, e->vd), e->sew, 0, r);
    }
    return true;
}

bool rvv_reduce_widen(RvvExec *e, const RvvRow *row)
{
    uint64_t r = 0;

    if (e->s->vstart || rvv_bad_source(e, e->vs2, e->s->lmul) || rvv_bad_source(e, e->vs1, 0) ||
        16u << e->sew > e->s->elen_bits ||
        rvv_overlap(e->vs2, rvv_group_regs(e->s->lmul), e->vs1, 1)) {
        return false;
    }
    if (e->to) {
        row->kernel[e->sew](e, &r, rvv_reg(e, e->vs2), rvv_reg(e, e->vs1), NULL, e->to);
        rvv_put(rvv_reg(e, e->vd), e->sew + 1, 0, r);
    }
    return true;
}

static bool count_mask(RvvExec *e, bool find)
{
    const uint8_t *a = rvv_reg(e, e->vs2);
    uint64_t count = 0;

    if (e->s->vstart) {
        return false;
    }
    e->result_kind = RVV_RESULT_X;
    for (unsigned i = 0; i < e->to; i += 64) {
        uint64_t bits = rvv_get(a, 3, i / 64) & (e->masked ? rvv_get(e->s->v, 3, i / 64) : ~(uint64_t)0);
        if (e->to - i < 64) {
            bits &= ~(~(uint64_t)0 << (e->to - i));
        }
        if (find && bits) {
            e->result = i + (unsigned)__builtin_ctzll(bits);
            return true;
        }
        count += (unsigned)__builtin_popcountll(bits);
    }
    e->result = find ? ~(uint64_t)0 : count;
    return true;
}

/* vmv.x.s, vcpop.m, vfirst.m; with a scalar operand vmv.s.x. */
bool rvv_scalar_out(RvvExec *e, const RvvRow *row)
{
    if ((e->insn >> 12 & 7) == 6) {
        if (e->vs2 || e->masked) {
            return false;
        }
        if (e->from < e->to) {
            rvv_put(rvv_reg(e, e->vd), e->sew, 0,
                    e->xlen == 32 ? (uint64_t)(int64_t)(int32_t)e->x : e->x);
        }
        return true;
    }
    switch (e->vs1) {
    case 0:
        if (e->masked) {
            return false;
        }
        e->result = (uint64_t)bits_sext(rvv_get(rvv_reg(e, e->vs2), e->sew, 0), 8u << e->sew);
        e->result_kind = RVV_RESULT_X;
        return true;
    case 16:
        return count_mask(e, false);
    case 17:
        return count_mask(e, true);
    default:
        return false;
    }
}
