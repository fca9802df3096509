/*
 * fp-convert.c: the unary floating-point vector instructions: conversions, square root, estimates,
 * classify.
 *
 * Chapter 30.13.7 to 30.13.10 and 30.13.14 to 30.13.19 of the unprivileged ISA; Zvfhmin, Zvfbfmin.
 */
#include "target/riscv/vector/vector.h"

typedef union Buffer {
    alignas(64) uint8_t bytes[RVV_GROUP_BYTES];
} Buffer;

/* What one conversion does; widths as log2 bytes. */
typedef struct Conversion {
    enum { TO_INT, FROM_INT, FLOAT, FLOAT_ODD, FROM_BF16, TO_BF16 } kind;
    bool is_signed, truncate;
} Conversion;

static uint64_t to_int(RvvExec *e, uint64_t v, unsigned from, unsigned to, const Conversion *c)
{
    FpRounding rm = c->truncate ? FP_RTZ : (FpRounding)e->fp.rounding;
    unsigned bits = 8u << to;

    switch (from) {
    case 1:
        return f16_to_int((f16)v, bits, c->is_signed, 0, rm, &e->fp);
    case 2:
        return f32_to_int((f32)v, bits, c->is_signed, 0, rm, &e->fp);
    default:
        return f64_to_int(v, bits, c->is_signed, 0, rm, &e->fp);
    }
}

static uint64_t from_int(RvvExec *e, uint64_t v, unsigned from, unsigned to, const Conversion *c)
{
    if (c->is_signed) {
        v = (uint64_t)bits_sext(v, 8u << from);
    }
    switch (to) {
    case 1:
        return f16_from_int(v, c->is_signed, 0, &e->fp);
    case 2:
        return f32_from_int(v, c->is_signed, 0, &e->fp);
    default:
        return f64_from_int(v, c->is_signed, 0, &e->fp);
    }
}

static uint64_t convert(RvvExec *e, uint64_t v, unsigned from, unsigned to, const Conversion *c)
{
    switch (c->kind) {
    case TO_INT:
        return to_int(e, v, from, to, c);
    case FROM_INT:
        return from_int(e, v, from, to, c);
    case FROM_BF16:
        return bf16_to_f32((bf16)v, &e->fp);
    case TO_BF16:
        return f32_to_bf16((f32)v, &e->fp);
    default:
        if (from < to) {
            return from == 1 ? f16_to_f32((f16)v, &e->fp) : f32_to_f64((f32)v, &e->fp);
        }
        return to == 1 ? f32_to_f16((f32)v, &e->fp) : f64_to_f32(v, &e->fp);
    }
}

static bool run(RvvExec *e, unsigned from, unsigned to, const Conversion *c)
{
    Buffer t;
    uint8_t rounding = e->fp.rounding;

    if (c->kind == FLOAT_ODD) {
        e->fp.rounding = FP_RTO;
    }
    for (unsigned i = e->from; i < e->to; i++) {
        if (rvv_active(e, i)) {
            uint64_t v = rvv_get(rvv_reg(e, e->vs2), from, i);
            rvv_put(&t, to, i - e->from, convert(e, v, from, to, c));
        }
    }
    e->fp.rounding = rounding;
    if (e->from < e->to) {
        rvv_merge(e, &t, to);
    }
    return true;
}

/* Which formats a conversion between these widths needs. */
static bool allowed(const RvvExec *e, unsigned from, unsigned to, const Conversion *c)
{
    const RvvFeatures *f = e->features;

    if (!e->frm_valid) {
        return false;
    }
    switch (c->kind) {
    case TO_INT:
        return rvv_fp_ok(e, from);
    case FROM_INT:
        return rvv_fp_ok(e, to);
    case FROM_BF16:
        return f->bf16_convert && from == 1;
    case TO_BF16:
        return f->bf16_convert && to == 1;
    case FLOAT:
        return from < to ? (from == 1 ? f->f16_convert : from == 2 && rvv_fp_ok(e, 3))
                         : (to == 1 ? f->f16_convert : to == 2 && rvv_fp_ok(e, 3));
    default:
        return rvv_fp_ok(e, from) && rvv_fp_ok(e, to);
    }
}

/* The low three bits of vs1 say what is converted, the upper two the widths. */
static bool conversion(RvvExec *e)
{
    static const Conversion single[8] = {
        { TO_INT, false, false }, { TO_INT, true, false }, { FROM_INT, false, false },
        { FROM_INT, true, false }, { FLOAT, false, false }, { FLOAT_ODD, false, false },
        { TO_INT, false, true }, { TO_INT, true, true },
    };
    static const Conversion from_bf16 = { FROM_BF16, false, false }, to_bf16 = { TO_BF16, false, false };
    unsigned group = e->vs1 >> 3, what = e->vs1 & 7, sew = e->sew;
    int lmul = e->s->lmul;
    const Conversion *c = &single[what];

    if (group == 0) {
        return what != 4 && what != 5 && allowed(e, sew, sew, c) && !rvv_bad_group(e->vd, lmul) &&
               !rvv_bad_source(e, e->vs2, lmul) && !rvv_bad_mask(e) && run(e, sew, sew, c);
    }
    if (lmul == 3 || 16u << sew > e->s->elen_bits || rvv_bad_mask(e)) {
        return false;
    }
    if (group == 1) {
        c = what == 5 ? &from_bf16 : c;
        return allowed(e, sew, sew + 1, c) && !rvv_bad_group(e->vd, lmul + 1) &&
               !rvv_bad_source(e, e->vs2, lmul) &&
               !rvv_bad_overlap(e->vd, lmul + 1, (int)sew + 1, e->vs2, lmul, (int)sew) &&
               run(e, sew, sew + 1, c);
    }
    if (group == 3 && what == 5) {
        c = &to_bf16;
    } else if (group != 2) {
        return false;
    }
    return allowed(e, sew + 1, sew, c) && !rvv_bad_group(e->vd, lmul) &&
           !rvv_bad_source(e, e->vs2, lmul + 1) &&
           !rvv_bad_overlap(e->vd, lmul, (int)sew, e->vs2, lmul + 1, (int)sew + 1) &&
           run(e, sew + 1, sew, c);
}

#define UNARY(F, v)                                                                      \
    (e->vs1 == 0 ? F##_sqrt((F)(v), &e->fp) : e->vs1 == 4 ? F##_rsqrt7((F)(v), &e->fp)   \
     : e->vs1 == 5 ? F##_rec7((F)(v), &e->fp) : (F)F##_classify((F)(v), &fp_rules_riscv))

static bool unary(RvvExec *e)
{
    int lmul = e->s->lmul;
    Buffer t;

    if ((e->vs1 != 0 && e->vs1 != 4 && e->vs1 != 5 && e->vs1 != 16) || !rvv_fp_ok(e, e->sew) ||
        rvv_bad_group(e->vd, lmul) || rvv_bad_source(e, e->vs2, lmul) || rvv_bad_mask(e)) {
        return false;
    }
    for (unsigned i = e->from; i < e->to; i++) {
        if (rvv_active(e, i)) {
            uint64_t v = rvv_get(rvv_reg(e, e->vs2), e->sew, i);
            uint64_t r = e->sew == 1 ? UNARY(f16, v) : e->sew == 2 ? UNARY(f32, v) : UNARY(f64, v);
            rvv_put(&t, e->sew, i - e->from, r);
        }
    }
    if (e->from < e->to) {
        rvv_merge(e, &t, e->sew);
    }
    return true;
}

bool rvv_f_unary(RvvExec *e, const RvvRow *row)
{
    return row->extra ? unary(e) : conversion(e);
}
