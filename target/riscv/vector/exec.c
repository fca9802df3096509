/*
 * exec.c: vtype and vl, the look-up of a vector instruction, and the shapes of elementwise integer
 * operations (one width, widening, narrowing, comparing).
 *
 * Chapter 30 of the unprivileged ISA: 30.3 (vtype, vl), 30.5 (operands), 30.6 (vsetvl), 30.11 to 30.13.
 */
#include "target/riscv/vector/vector.h"

/* -- configuration ---------------------------------------------------------------------------- */

void rvv_reset(RvvState *s, unsigned vlen_bits, unsigned elen_bits)
{
    memset(s, 0, sizeof(*s));
    s->vlenb = (uint16_t)(vlen_bits / 8);
    s->elen_bits = (uint8_t)elen_bits;
    s->vill = true;
}

void rvv_set_vtype(RvvState *s, uint64_t vtype, unsigned xlen)
{
    unsigned vlmul = vtype & 7, vsew = vtype >> 3 & 7;
    int lmul = vlmul < 4 ? (int)vlmul : (int)vlmul - 8;
    uint64_t above = xlen == 32 ? (uint32_t)vtype : vtype;

    /* 30.3.4.2: a fraction must leave room for one element of SEW in ELEN bits. */
    bool ill = above >> 8 || vlmul == 4 || vsew > 3 || 8u << vsew > s->elen_bits ||
               (lmul < 0 && 8u << vsew > (unsigned)s->elen_bits >> -lmul);
    s->vill = ill;
    s->vtype = ill ? 0 : vtype;
    s->sew = ill ? 0 : (uint8_t)vsew;
    s->lmul = ill ? 0 : (int8_t)lmul;
    s->vlmax = ill ? 0 : (lmul < 0 ? s->vlenb >> -lmul : s->vlenb << lmul) >> vsew;
}

uint64_t rvv_set_vl(RvvState *s, uint64_t vtype, uint64_t avl, bool keep_vl, unsigned xlen)
{
    if (keep_vl) {
        avl = s->vl;
    }
    rvv_set_vtype(s, vtype, xlen);
    s->vl = avl < s->vlmax ? avl : s->vlmax;
    s->vstart = 0;
    s->full = !s->vill && s->vl == s->vlmax;
    return s->vl;
}

/* -- registers -------------------------------------------------------------------------------- */

bool rvv_bad_overlap(unsigned vd, int vd_lmul, int vd_sew, unsigned vs, int vs_lmul, int vs_sew)
{
    unsigned d_regs = rvv_group_regs(vd_lmul), s_regs = rvv_group_regs(vs_lmul);

    if (!rvv_overlap(vd, d_regs, vs, s_regs) || vd_sew == vs_sew) {
        return false;
    }
    if (vd_sew < vs_sew) {
        return vd != vs; /* lowest-numbered part of the source */
    }
    /* Highest-numbered part of the destination, and the source fills whole registers. */
    return vs_lmul < 0 || vd + d_regs != vs + s_regs;
}

#define MERGE(T)                                                     \
    do {                                                             \
        T *d = (T *)(void *)rvv_reg(e, e->vd) + e->from;             \
        const T *x = t;                                              \
        for (size_t i = 0; i < n; i++) {                             \
            d[i] = rvv_bit(mask, e->from + (unsigned)i) ? x[i] : d[i]; \
        }                                                            \
    } while (0)

void rvv_merge(RvvExec *e, const void *t, unsigned size_log2)
{
    size_t n = e->to - e->from;
    const uint8_t *mask = e->s->v;

    if (!e->masked) {
        memcpy(rvv_reg(e, e->vd) + ((size_t)e->from << size_log2), t, n << size_log2);
        return;
    }
    switch (size_log2) {
    case 0: MERGE(uint8_t); break;
    case 1: MERGE(uint16_t); break;
    case 2: MERGE(uint32_t); break;
    default: MERGE(uint64_t); break;
    }
}

void rvv_splat(void *buf, uint64_t x, unsigned size_log2, size_t n)
{
    switch (size_log2) {
    case 0:
        memset(buf, (int)(x & 255), n);
        break;
    case 1:
        for (size_t i = 0; i < n; i++) { ((uint16_t *)buf)[i] = (uint16_t)x; }
        break;
    case 2:
        for (size_t i = 0; i < n; i++) { ((uint32_t *)buf)[i] = (uint32_t)x; }
        break;
    default:
        for (size_t i = 0; i < n; i++) { ((uint64_t *)buf)[i] = x; }
        break;
    }
}

/* -- shapes ----------------------------------------------------------------------------------- */

typedef union Buffer {
    alignas(64) uint8_t bytes[RVV_GROUP_BYTES];
} Buffer;

/* vs1's elements from e->from on, or the scalar splat into buf. */
static const void *operand_b(RvvExec *e, unsigned size_log2, uint8_t forms, Buffer *buf)
{
    unsigned funct3 = e->insn >> 12 & 7;
    uint64_t x;

    if (funct3 < 3) {
        return rvv_reg(e, e->vs1) + ((size_t)e->from << size_log2);
    }
    if (funct3 == 3) {
        x = forms & RVV_UIMM ? e->vs1 : (uint64_t)bits_sext(e->vs1, 5);
    } else {
        /* Integer scalars are sign-extended; floating-point ones were unboxed by the shape. */
        x = e->xlen == 32 && funct3 != 5 ? (uint64_t)(int64_t)(int32_t)e->x : e->x;
    }
    rvv_splat(buf, x, size_log2, e->to - e->from);
    return buf;
}

static bool is_vv(const RvvExec *e)
{
    return (e->insn >> 12 & 7) < 3;
}

bool rvv_two(RvvExec *e, const RvvRow *row)
{
    int lmul = e->s->lmul;
    unsigned sew = e->sew;
    Buffer splat, t;

    if (rvv_bad_group(e->vd, lmul) || rvv_bad_source(e, e->vs2, lmul) ||
        (is_vv(e) && rvv_bad_source(e, e->vs1, lmul)) || rvv_bad_mask(e) || !row->kernel[sew]) {
        return false;
    }
    if (e->from < e->to) {
        size_t at = (size_t)e->from << sew;
        row->kernel[sew](e, &t, rvv_reg(e, e->vs2) + at, operand_b(e, sew, row->forms, &splat),
                         rvv_reg(e, e->vd) + at, e->to - e->from);
        rvv_merge(e, &t, sew);
    }
    return true;
}

/* vs has SEW, vd twice that; accumulating instructions read vd, so that no overlap is left. */
static bool bad_narrow_source(const RvvExec *e, const RvvRow *row, unsigned vs)
{
    int lmul = e->s->lmul;

    if (row->forms & RVV_ACC) {
        return rvv_overlap(e->vd, rvv_group_regs(lmul + 1), vs, rvv_group_regs(lmul));
    }
    return rvv_bad_overlap(e->vd, lmul + 1, (int)e->sew + 1, vs, lmul, (int)e->sew);
}

static bool widen(RvvExec *e, const RvvRow *row, bool wide_a)
{
    int lmul = e->s->lmul;
    unsigned sew = e->sew;
    Buffer splat, t;

    if (lmul == 3 || 16u << sew > e->s->elen_bits || rvv_bad_group(e->vd, lmul + 1) ||
        rvv_bad_source(e, e->vs2, wide_a ? lmul + 1 : lmul) || rvv_bad_mask(e) || !row->kernel[sew]) {
        return false;
    }
    if (!wide_a && bad_narrow_source(e, row, e->vs2)) {
        return false;
    }
    if (is_vv(e) && (rvv_bad_source(e, e->vs1, lmul) || bad_narrow_source(e, row, e->vs1))) {
        return false;
    }
    /* 30.5.2: one register cannot be read with two element widths. */
    if (wide_a && is_vv(e) && rvv_overlap(e->vs2, rvv_group_regs(lmul + 1), e->vs1, rvv_group_regs(lmul))) {
        return false;
    }
    if (e->from < e->to) {
        size_t at = (size_t)e->from << sew;
        row->kernel[sew](e, &t, rvv_reg(e, e->vs2) + (wide_a ? 2 * at : at),
                         operand_b(e, sew, row->forms, &splat), rvv_reg(e, e->vd) + 2 * at,
                         e->to - e->from);
        rvv_merge(e, &t, sew + 1);
    }
    return true;
}

bool rvv_widen(RvvExec *e, const RvvRow *row)
{
    return widen(e, row, false);
}

bool rvv_widen_w(RvvExec *e, const RvvRow *row)
{
    return widen(e, row, true);
}

bool rvv_narrow(RvvExec *e, const RvvRow *row)
{
    int lmul = e->s->lmul;
    unsigned sew = e->sew;
    Buffer splat, t;

    if (lmul == 3 || 16u << sew > e->s->elen_bits || rvv_bad_group(e->vd, lmul) ||
        rvv_bad_source(e, e->vs2, lmul + 1) || rvv_bad_mask(e) || !row->kernel[sew] ||
        rvv_bad_overlap(e->vd, lmul, (int)sew, e->vs2, lmul + 1, (int)sew + 1)) {
        return false;
    }
    if (is_vv(e) && (rvv_bad_source(e, e->vs1, lmul) ||
                     rvv_overlap(e->vs2, rvv_group_regs(lmul + 1), e->vs1, rvv_group_regs(lmul)))) {
        return false;
    }
    if (e->from < e->to) {
        size_t at = (size_t)e->from << sew;
        row->kernel[sew](e, &t, rvv_reg(e, e->vs2) + 2 * at, operand_b(e, sew, row->forms, &splat),
                         NULL, e->to - e->from);
        rvv_merge(e, &t, sew);
    }
    return true;
}

/*
 * Comparisons may read v0 as data as well as mask, as the reference lets them (ASSUME: 30.5.2 reserves it).
 * Mask destinations ignore the rule about v0 but not the one about overlap (30.5.2).
 */
static bool bad_mask_dest(const RvvExec *e, int lmul)
{
    return rvv_bad_overlap(e->vd, 0, -1, e->vs2, lmul, (int)e->sew) ||
           (is_vv(e) && rvv_bad_overlap(e->vd, 0, -1, e->vs1, lmul, (int)e->sew));
}

/* When vd is v0 each mask bit is overwritten after its use. */
static void store_mask(RvvExec *e, const uint8_t *t)
{
    uint8_t *d = rvv_reg(e, e->vd);

    for (unsigned i = e->from; i < e->to;) {
        if ((i & 7) || e->to - i < 8) {
            if (rvv_active(e, i)) {
                rvv_set_bit(d, i, t[i - e->from] & 1);
            }
            i++;
            continue;
        }
        /* Eight at once: the product moves the low bit of byte k to bit 56 + k. */
        uint64_t eight = rvv_get(t + (i - e->from), 3, 0) & 0x0101010101010101;
        unsigned bits = (unsigned)(eight * 0x0102040810204080 >> 56), keep = e->masked ? ~(unsigned)e->s->v[i >> 3] : 0;
        d[i >> 3] = (uint8_t)((d[i >> 3] & keep) | (bits & ~keep));
        i += 8;
    }
}

bool rvv_compare(RvvExec *e, const RvvRow *row)
{
    int lmul = e->s->lmul;
    unsigned sew = e->sew;
    Buffer splat, t;

    if (rvv_bad_group(e->vs2, lmul) || (is_vv(e) && rvv_bad_group(e->vs1, lmul)) ||
        bad_mask_dest(e, lmul) || !row->kernel[sew]) {
        return false;
    }
    if (e->from < e->to) {
        size_t at = (size_t)e->from << sew;
        row->kernel[sew](e, &t, rvv_reg(e, e->vs2) + at, operand_b(e, sew, row->forms, &splat), NULL,
                         e->to - e->from);
        store_mask(e, t.bytes);
    }
    return true;
}

/* vadc, vsbc: v0 is the carry, not a mask; vm = 1 is reserved (30.11.4). extra: subtract. */
bool rvv_carry(RvvExec *e, const RvvRow *row)
{
    int lmul = e->s->lmul;
    unsigned sew = e->sew;
    Buffer splat, t;

    if (!e->masked || e->vd == 0 || rvv_bad_group(e->vd, lmul) || rvv_bad_group(e->vs2, lmul) ||
        (is_vv(e) && rvv_bad_group(e->vs1, lmul))) {
        return false;
    }
    const void *a = rvv_reg(e, e->vs2) + ((size_t)e->from << sew);
    const void *b = operand_b(e, sew, row->forms, &splat);
    for (unsigned i = 0; e->from + i < e->to; i++) {
        uint64_t x = rvv_get(a, sew, i), y = rvv_get(b, sew, i), c = rvv_bit(e->s->v, e->from + i);
        rvv_put(&t, sew, i, row->extra ? x - y - c : x + y + c);
    }
    e->masked = false;
    if (e->from < e->to) {
        rvv_merge(e, &t, sew);
    }
    return true;
}

/* vmadc, vmsbc: with vm = 0 v0 is the carry in. */
bool rvv_carry_out(RvvExec *e, const RvvRow *row)
{
    int lmul = e->s->lmul;
    unsigned sew = e->sew;
    uint64_t ones = ~(uint64_t)0 >> (64 - (8 << sew));
    Buffer splat, t;

    if (rvv_bad_group(e->vs2, lmul) || (is_vv(e) && rvv_bad_group(e->vs1, lmul)) ||
        bad_mask_dest(e, lmul)) {
        return false;
    }
    const void *a = rvv_reg(e, e->vs2) + ((size_t)e->from << sew);
    const void *b = operand_b(e, sew, row->forms, &splat);
    for (unsigned i = 0; e->from + i < e->to; i++) {
        uint64_t x = rvv_get(a, sew, i), y = rvv_get(b, sew, i);
        uint64_t c = e->masked && rvv_bit(e->s->v, e->from + i);
        uint64_t r = (row->extra ? x - y - c : x + y + c) & ones;
        t.bytes[i] = row->extra ? x < y || (c && x == y) : r < x || (c && r == x);
    }
    e->masked = false;
    store_mask(e, t.bytes);
    return true;
}

/* vmerge, vmv.v (30.11.15, 30.11.16). */
bool rvv_merge_op(RvvExec *e, const RvvRow *row)
{
    int lmul = e->s->lmul;
    unsigned sew = e->sew;
    Buffer splat, t;

    if (rvv_bad_group(e->vd, lmul) || (is_vv(e) && rvv_bad_source(e, e->vs1, lmul)) || rvv_bad_mask(e)) {
        return false;
    }
    if (e->masked ? rvv_bad_source(e, e->vs2, lmul) : e->vs2 != 0) {
        return false;
    }
    if (e->from >= e->to) {
        return true;
    }
    size_t at = (size_t)e->from << sew, n = e->to - e->from;
    memcpy(&t, operand_b(e, sew, row->forms, &splat), n << sew);
    if (e->masked) {
        const uint8_t *a = rvv_reg(e, e->vs2) + at;
        for (unsigned i = 0; i < n; i++) {
            if (!rvv_bit(e->s->v, e->from + i)) {
                rvv_put(&t, sew, i, rvv_get(a, sew, i));
            }
        }
    }
    e->masked = false;
    rvv_merge(e, &t, sew);
    return true;
}

/* vzext, vsext (30.11.3): vs1 is 2*log2(8/fraction) + signed. */
bool rvv_ext(RvvExec *e, const RvvRow *row)
{
    int shift = 4 - (int)(e->vs1 >> 1), lmul = e->s->lmul, from_sew = (int)e->sew - shift;
    Buffer t;

    if (shift < 1 || shift > 3 || from_sew < 0 || lmul - shift < -3 || rvv_bad_group(e->vd, lmul) ||
        rvv_bad_source(e, e->vs2, lmul - shift) || rvv_bad_mask(e) ||
        rvv_bad_overlap(e->vd, lmul, (int)e->sew, e->vs2, lmul - shift, from_sew)) {
        return false;
    }
    const uint8_t *a = rvv_reg(e, e->vs2);
    for (unsigned i = e->from; i < e->to; i++) {
        uint64_t v = rvv_get(a, (unsigned)from_sew, i);
        if (e->vs1 & 1) {
            v = (uint64_t)bits_sext(v, 8u << from_sew);
        }
        rvv_put(&t, e->sew, i - e->from, v);
    }
    if (e->from < e->to) {
        rvv_merge(e, &t, e->sew);
    }
    return true;
}

/* -- look-up ---------------------------------------------------------------------------------- */

static bool gate_open(const RvvExec *e, uint8_t gate)
{
    switch ((RvvGate)gate) {
    case RVV_GATE_ZVBB:
        return e->features->zvbb;
    case RVV_GATE_ZVKB:
        return e->features->zvbb || e->features->zvkb;
    case RVV_GATE_ZVBC:
        return e->features->zvbc;
    default:
        return true;
    }
}

static bool exec_arith(RvvExec *e)
{
    unsigned funct3 = e->insn >> 12 & 7, funct6 = e->insn >> 26;
    static const RvvRow *const tables[8] = {
        rvv_rows_i, rvv_rows_f, rvv_rows_m, rvv_rows_i, rvv_rows_i, rvv_rows_f, rvv_rows_m, NULL,
    };
    static const uint8_t forms[8] = { RVV_VV, RVV_VV, RVV_VV, RVV_VI, RVV_VX, RVV_VX, RVV_VX, 0 };

    if (!tables[funct3]) {
        return false;
    }
    const RvvRow *row = &tables[funct3][funct6];
    if (!row->shape || !(row->forms & forms[funct3]) || !gate_open(e, row->gate)) {
        return false;
    }
    if (e->s->vill) {
        return false;
    }
    e->vd = e->insn >> 7 & 31;
    e->vs1 = e->insn >> 15 & 31;
    if (funct3 == 3 && funct6 == 0x15) {
        /* vror.vi has a sixth immediate bit where funct6 ends. */
        row = &rvv_rows_i[0x14];
        e->vs1 += 32;
    }
    e->vs2 = e->insn >> 20 & 31;
    e->masked = !(e->insn >> 25 & 1);
    e->sew = e->s->sew;
    e->to = (unsigned)e->s->vl;
    e->from = (unsigned)(e->s->vstart < e->to ? e->s->vstart : e->to);
    if (!row->shape(e, row)) {
        return false;
    }
    e->s->vstart = 0;
    return true;
}

bool rvv_exec(RvvExec *e)
{
    e->result_kind = RVV_RESULT_NONE;
    switch (e->insn & 0x7f) {
    case 0x57:
        return exec_arith(e);
    case 0x07:
    case 0x27:
        return rvv_mem(e);
    case 0x77:
        return rvv_crypto(e);
    default:
        return false;
    }
}
