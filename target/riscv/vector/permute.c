/*
 * permute.c: slides, gathers, compress and whole-register moves.
 *
 * Chapter 30.16 of the unprivileged ISA.
 */
#include "target/riscv/vector/vector.h"
#include "target/riscv/vector/kernels.h"

typedef union Buffer {
    alignas(64) uint8_t bytes[RVV_GROUP_BYTES];
} Buffer;

static uint64_t scalar(const RvvExec *e)
{
    if ((e->insn >> 12 & 7) == 3) {
        return e->vs1;
    }
    return e->xlen == 32 ? (uint32_t)e->x : e->x;
}

/* Common checks; `apart`: vd and vs2 must not overlap. */
static bool bad_operands(const RvvExec *e, bool apart)
{
    int lmul = e->s->lmul;

    return rvv_bad_group(e->vd, lmul) || rvv_bad_source(e, e->vs2, lmul) || rvv_bad_mask(e) ||
           (apart && rvv_overlap(e->vd, rvv_group_regs(lmul), e->vs2, rvv_group_regs(lmul)));
}

bool rvv_slideup(RvvExec *e, const RvvRow *row)
{
    Buffer t;

    if ((e->insn >> 12 & 7) == 0) {
        return rvv_gather16(e, row);
    }
    if (bad_operands(e, true)) {
        return false;
    }
    uint64_t offset = scalar(e);
    e->from = (unsigned)MAX(e->from, MIN(offset, e->to));
    if (e->from < e->to) {
        memcpy(&t, rvv_reg(e, e->vs2) + ((e->from - offset) << e->sew),
               (size_t)(e->to - e->from) << e->sew);
        rvv_merge(e, &t, e->sew);
    }
    return true;
}

bool rvv_slidedown(RvvExec *e, const RvvRow *row)
{
    Buffer t;

    if (bad_operands(e, false)) {
        return false;
    }
    if (e->from < e->to) {
        uint64_t offset = MIN(scalar(e), e->s->vlmax), at = e->from + offset;
        size_t n = e->to - e->from;
        size_t have = at < e->s->vlmax ? MIN(n, e->s->vlmax - at) : 0;
        memcpy(&t, rvv_reg(e, e->vs2) + (at << e->sew), have << e->sew);
        memset(t.bytes + (have << e->sew), 0, (n - have) << e->sew);
        rvv_merge(e, &t, e->sew);
    }
    return true;
}

static void slide1up(RvvExec *e, uint64_t x)
{
    Buffer t;

    for (unsigned i = e->from; i < e->to; i++) {
        rvv_put(&t, e->sew, i - e->from, i ? rvv_get(rvv_reg(e, e->vs2), e->sew, i - 1) : x);
    }
    if (e->from < e->to) {
        rvv_merge(e, &t, e->sew);
    }
}

static void slide1down(RvvExec *e, uint64_t x)
{
    Buffer t;

    for (unsigned i = e->from; i < e->to; i++) {
        rvv_put(&t, e->sew, i - e->from,
                i + 1 < e->to ? rvv_get(rvv_reg(e, e->vs2), e->sew, i + 1) : x);
    }
    if (e->from < e->to) {
        rvv_merge(e, &t, e->sew);
    }
}

static uint64_t scalar_element(const RvvExec *e)
{
    return e->xlen == 32 ? (uint64_t)(int64_t)(int32_t)e->x : e->x;
}

bool rvv_slide1up(RvvExec *e, const RvvRow *row)
{
    if (bad_operands(e, true)) {
        return false;
    }
    slide1up(e, scalar_element(e));
    return true;
}

bool rvv_slide1down(RvvExec *e, const RvvRow *row)
{
    if (bad_operands(e, false)) {
        return false;
    }
    slide1down(e, scalar_element(e));
    return true;
}

bool rvv_f_slide1up(RvvExec *e, const RvvRow *row)
{
    if (!rvv_fp_ok(e, e->sew) || bad_operands(e, true)) {
        return false;
    }
    slide1up(e, rvv_unbox(e, e->sew));
    return true;
}

bool rvv_f_slide1down(RvvExec *e, const RvvRow *row)
{
    if (!rvv_fp_ok(e, e->sew) || bad_operands(e, false)) {
        return false;
    }
    slide1down(e, rvv_unbox(e, e->sew));
    return true;
}

/* index_sew: width of vs1's elements, or -1 for one index for all. */
static void gather(RvvExec *e, int index_sew)
{
    const uint8_t *a = rvv_reg(e, e->vs2), *b = rvv_reg(e, e->vs1);
    Buffer t;

    if (e->from >= e->to) {
        return;
    }
    for (unsigned i = e->from; i < e->to; i++) {
        uint64_t index = index_sew < 0 ? scalar(e) : rvv_get(b, (unsigned)index_sew, i);
        rvv_put(&t, e->sew, i - e->from, index < e->s->vlmax ? rvv_get(a, e->sew, index) : 0);
    }
    rvv_merge(e, &t, e->sew);
}

bool rvv_gather(RvvExec *e, const RvvRow *row)
{
    int lmul = e->s->lmul;
    bool vv = (e->insn >> 12 & 7) == 0;

    if (bad_operands(e, true)) {
        return false;
    }
    if (vv && (rvv_bad_source(e, e->vs1, lmul) ||
               rvv_overlap(e->vd, rvv_group_regs(lmul), e->vs1, rvv_group_regs(lmul)))) {
        return false;
    }
    gather(e, vv ? (int)e->sew : -1);
    return true;
}

bool rvv_gather16(RvvExec *e, const RvvRow *row)
{
    int lmul = e->s->lmul, index_lmul = lmul + 1 - (int)e->sew;

    if (bad_operands(e, true) || index_lmul < -3 || index_lmul > 3 ||
        rvv_bad_source(e, e->vs1, index_lmul) ||
        rvv_overlap(e->vd, rvv_group_regs(lmul), e->vs1, rvv_group_regs(index_lmul))) {
        return false;
    }
    if (index_lmul != lmul &&
        rvv_overlap(e->vs2, rvv_group_regs(lmul), e->vs1, rvv_group_regs(index_lmul))) {
        return false;
    }
    gather(e, 1);
    return true;
}

bool rvv_compress(RvvExec *e, const RvvRow *row)
{
    const uint8_t *a = rvv_reg(e, e->vs2), *b = rvv_reg(e, e->vs1);
    unsigned at = 0;

    if (e->masked || e->s->vstart || bad_operands(e, true) ||
        rvv_overlap(e->vd, rvv_group_regs(e->s->lmul), e->vs1, 1)) {
        return false;
    }
    for (unsigned i = 0; i < e->to; i++) {
        if (rvv_bit(b, i)) {
            rvv_put(rvv_reg(e, e->vd), e->sew, at++, rvv_get(a, e->sew, i));
        }
    }
    return true;
}

/* vmv<n>r.v; vsmul has the same funct6 in its other forms. */
bool rvv_move_whole(RvvExec *e, const RvvRow *row)
{
    if ((e->insn >> 12 & 7) != 3) {
        return rvv_two(e, row);
    }
    unsigned n = e->vs1 + 1;
    if (e->masked || (n != 1 && n != 2 && n != 4 && n != 8) || (e->vd & (n - 1)) || (e->vs2 & (n - 1))) {
        return false;
    }
    size_t bytes = (size_t)n * e->s->vlenb, from = (size_t)e->s->vstart << e->sew;
    if (from < bytes) {
        memmove(rvv_reg(e, e->vd) + from, rvv_reg(e, e->vs2) + from, bytes - from);
    }
    return true;
}
