/*
 * mem.c: vector loads and stores.
 *
 * Chapter 30.7: unit-stride, strided, indexed, segment, fault-only-first, whole-register and mask accesses.
 * A fault leaves through the vCPU's loop exit with vstart at the element; earlier elements are done.
 */
#include "accel/tcg.h"
#include "target/riscv/vector/vector.h"

typedef struct Access {
    bool store;
    unsigned nf;      /* fields per segment */
    unsigned eew;     /* log2 bytes of a data element */
    int emul;         /* log2 registers of one field's group */
} Access;

/* Address of element i's first field, relative to rs1. */
typedef uint64_t OffsetFn(const RvvExec *e, const Access *m, unsigned i);

static uint64_t wrap(const RvvExec *e, uint64_t addr)
{
    return e->xlen == 32 ? (uint32_t)addr : addr;
}

static void one(RvvExec *e, const Access *m, unsigned field, unsigned i, uint64_t addr)
{
    uint8_t *reg = rvv_reg(e, e->vd + field * rvv_group_regs(m->emul));

    addr = wrap(e, addr);
    if (m->store) {
        guest_store(e->vcpu, addr, rvv_get(reg, m->eew, i), 1u << m->eew, e->mmu_index);
    } else {
        rvv_put(reg, m->eew, i, guest_load(e->vcpu, addr, 1u << m->eew, e->mmu_index));
    }
}

static void elements(RvvExec *e, const Access *m, OffsetFn *offset)
{
    for (unsigned i = e->from; i < e->to; i++) {
        if (!rvv_active(e, i)) {
            continue;
        }
        e->s->vstart = i;
        uint64_t addr = e->x + offset(e, m, i);
        for (unsigned f = 0; f < m->nf; f++) {
            one(e, m, f, i, addr + ((uint64_t)f << m->eew));
        }
    }
}

static uint64_t offset_unit(const RvvExec *e, const Access *m, unsigned i)
{
    return ((uint64_t)i * m->nf) << m->eew;
}

static uint64_t offset_stride(const RvvExec *e, const Access *m, unsigned i)
{
    return i * (e->xlen == 32 ? (uint64_t)(int64_t)(int32_t)e->y : e->y);
}

static uint64_t offset_index(const RvvExec *e, const Access *m, unsigned i)
{
    return rvv_get(rvv_reg(e, e->vs2), e->vs1, i); /* vs1: index width, put there by indexed() */
}

/* One contiguous run, page by page where memory can be reached directly. */
static void contiguous(RvvExec *e, const Access *m)
{
    while (e->from < e->to) {
        uint64_t addr = wrap(e, e->x + ((uint64_t)e->from << m->eew));
        uint64_t left = (uint64_t)(e->to - e->from) << m->eew, in_page = 4096 - (addr & 4095);
        uint64_t bytes = MIN(left, in_page) >> m->eew << m->eew;
        void *p = bytes ? guest_ptr_probe(e->vcpu, addr, (unsigned)bytes, m->store ? MMU_WRITE : MMU_READ,
                                          e->mmu_index) : NULL;
        e->s->vstart = e->from;
        if (p) {
            uint8_t *reg = rvv_reg(e, e->vd) + ((size_t)e->from << m->eew);
            bool guarded = e->vcpu->guest_access;
            /* User mode: a host fault in the copy is the guest's. */
            e->vcpu->guest_access = true;
            atomic_signal_fence(memory_order_seq_cst);
            if (m->store) {
                memcpy(p, reg, bytes);
            } else {
                memcpy(reg, p, bytes);
            }
            atomic_signal_fence(memory_order_seq_cst);
            e->vcpu->guest_access = guarded;
            e->from += (unsigned)(bytes >> m->eew);
        } else {
            unsigned to = e->to;
            e->to = e->from + MAX((unsigned)(bytes >> m->eew), 1);
            elements(e, m, offset_unit);
            e->from = e->to;
            e->to = to;
        }
    }
}

/* All of [addr, addr + size) can be read; size is at most two pages. */
static bool readable(RvvExec *e, uint64_t addr, unsigned size)
{
    unsigned first = (unsigned)MIN(size, 4096 - (addr & 4095));

    return guest_ptr_probe(e->vcpu, wrap(e, addr), first, MMU_READ, e->mmu_index) &&
           (first == size || guest_ptr_probe(e->vcpu, wrap(e, addr + first), size - first, MMU_READ,
                                             e->mmu_index));
}

/* One field, unmasked: as much of each page as there is. Leaves the elements it did not come to in [from, to). */
static void fault_only_first_pages(RvvExec *e, const Access *m)
{
    while (e->from < e->to) {
        uint64_t addr = wrap(e, e->x + ((uint64_t)e->from << m->eew));
        uint64_t left = (uint64_t)(e->to - e->from) << m->eew;
        uint64_t bytes = MIN(left, 4096 - (addr & 4095)) >> m->eew << m->eew;
        const void *p = bytes ? guest_ptr_probe(e->vcpu, addr, (unsigned)bytes, MMU_READ, e->mmu_index) : NULL;
        if (!p) {
            return;
        }
        bool guarded = e->vcpu->guest_access;
        e->s->vstart = e->from;
        e->vcpu->guest_access = true;
        atomic_signal_fence(memory_order_seq_cst);
        memcpy(rvv_reg(e, e->vd) + ((size_t)e->from << m->eew), p, bytes);
        atomic_signal_fence(memory_order_seq_cst);
        e->vcpu->guest_access = guarded;
        e->from += (unsigned)(bytes >> m->eew);
    }
}

/* Segments after the first may fail: vl is cut there, and the segment left alone (30.7.7). */
static void fault_only_first(RvvExec *e, const Access *m)
{
    if (m->nf == 1 && !e->masked) {
        fault_only_first_pages(e, m);
    }
    for (unsigned i = e->from; i < e->to; i++) {
        if (!rvv_active(e, i)) {
            continue;
        }
        uint64_t addr = e->x + offset_unit(e, m, i);
        e->s->vstart = i;
        if (!readable(e, addr, m->nf << m->eew)) {
            if (i != 0) {
                e->s->vl = i;
                return;
            }
            /* Fault before any field is written. */
            for (unsigned f = 0; f < m->nf; f++) {
                guest_load(e->vcpu, wrap(e, addr + ((uint64_t)f << m->eew)), 1u << m->eew, e->mmu_index);
            }
        }
        for (unsigned f = 0; f < m->nf; f++) {
            one(e, m, f, i, addr + ((uint64_t)f << m->eew));
        }
    }
}

static bool bad_segment(const RvvExec *e, const Access *m)
{
    unsigned regs = rvv_group_regs(m->emul) * m->nf;

    return m->emul < -3 || m->emul > 3 || rvv_bad_group(e->vd, m->emul) || regs > 8 ||
           e->vd + regs > RVV_N_REGS;
}

static bool unit_or_stride(RvvExec *e, Access *m, bool stride, bool first_fault)
{
    m->emul = (int)m->eew - (int)e->s->sew + e->s->lmul;
    if (e->s->vill || bad_segment(e, m) || (!m->store && rvv_bad_mask(e)) ||
        8u << m->eew > e->s->elen_bits) {
        return false;
    }
    if (first_fault) {
        fault_only_first(e, m);
    } else if (!stride && m->nf == 1 && !e->masked) {
        contiguous(e, m);
    } else {
        elements(e, m, stride ? offset_stride : offset_unit);
    }
    return true;
}

static bool indexed(RvvExec *e, Access *m)
{
    unsigned index = m->eew;
    int index_emul = (int)index - (int)e->s->sew + e->s->lmul;

    m->eew = e->s->sew;
    m->emul = e->s->lmul;
    if (e->s->vill || bad_segment(e, m) || index_emul < -3 || index_emul > 3 ||
        rvv_bad_source(e, e->vs2, index_emul) || 8u << index > MIN(e->s->elen_bits, e->xlen)) {
        return false;
    }
    unsigned regs = rvv_group_regs(m->emul) * m->nf, index_regs = rvv_group_regs(index_emul);
    if (m->store) {
        /* One register read with two widths (30.5.2); as the reference, only for the first field. */
        if ((e->masked && e->vd == 0) ||
            (index != m->eew && rvv_overlap(e->vd, rvv_group_regs(m->emul), e->vs2, index_regs))) {
            return false;
        }
    } else {
        /* 30.7.8.3: fields of a segment must not overlap the indices at all. */
        if (rvv_bad_mask(e) ||
            (m->nf > 1 ? rvv_overlap(e->vd, regs, e->vs2, index_regs)
                       : rvv_bad_overlap(e->vd, m->emul, (int)m->eew, e->vs2, index_emul, (int)index))) {
            return false;
        }
    }
    e->vs1 = index;
    elements(e, m, offset_index);
    return true;
}

/* vl<n>re<eew>, vs<n>r: as if vl were the whole of n registers (30.7.9). */
static bool whole(RvvExec *e, Access *m)
{
    unsigned n = m->nf;

    if (e->masked || (n != 1 && n != 2 && n != 4 && n != 8) || (e->vd & (n - 1)) ||
        (m->store && m->eew != 0) || 8u << m->eew > e->s->elen_bits) {
        return false;
    }
    m->nf = 1;
    e->to = (n * e->s->vlenb) >> m->eew;
    e->from = (unsigned)MIN(e->s->vstart, e->to);
    contiguous(e, m);
    return true;
}

bool rvv_mem(RvvExec *e)
{
    static const uint8_t widths[8] = { 0, 0xff, 0xff, 0xff, 0xff, 1, 2, 3 };
    unsigned mop = e->insn >> 26 & 3, lumop = e->insn >> 20 & 31;
    Access m = { .store = (e->insn & 0x7f) == 0x27, .nf = (e->insn >> 29) + 1,
                 .eew = widths[e->insn >> 12 & 7] };
    bool ok;

    if (m.eew == 0xff || (e->insn >> 28 & 1)) {
        return false;
    }
    e->vd = e->insn >> 7 & 31;
    e->vs2 = lumop;
    e->masked = !(e->insn >> 25 & 1);
    e->to = (unsigned)e->s->vl;
    e->from = (unsigned)MIN(e->s->vstart, e->to);
    if (mop == 2) {
        ok = unit_or_stride(e, &m, true, false);
    } else if (mop != 0) {
        ok = indexed(e, &m);
    } else if (lumop == 0) {
        ok = unit_or_stride(e, &m, false, false);
    } else if (lumop == 8) {
        ok = whole(e, &m);
    } else if (lumop == 11) {
        /* vlm, vsm: ceil(vl / 8) bytes, EMUL 1. */
        if (e->s->vill || e->masked || m.eew != 0 || m.nf != 1) {
            return false;
        }
        e->to = (e->to + 7) / 8;
        e->from = (unsigned)MIN(e->s->vstart, e->to);
        contiguous(e, &m);
        ok = true;
    } else if (lumop == 16 && !m.store) {
        ok = unit_or_stride(e, &m, false, true);
    } else {
        ok = false;
    }
    if (ok) {
        e->s->vstart = 0;
    }
    return ok;
}
