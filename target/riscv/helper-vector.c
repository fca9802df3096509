/*
 * helper-vector.c: between translated code and the vector unit (vector/): operands from the hart, flags and
 * results back to it.
 */
#include "target/riscv/translate.h"

static uint64_t run(Vcpu *vcpu, RvvExec *e)
{
    if (!rvv_exec(e)) {
        vcpu_raise(vcpu, RISCV_EXC_ILLEGAL, e->insn);
    }
    return e->result;
}

static inline void prepare(RvvExec *e, Vcpu *vcpu, uint32_t insn, uint64_t x, uint64_t y)
{
    const RiscvModel *m = riscv_model(vcpu);

    /* What the kernels fill in themselves stays as it is: clearing it all took longer than most instructions. */
    e->s = &riscv_state(vcpu)->vector;
    e->vcpu = vcpu;
    e->features = &m->vector;
    e->insn = insn;
    e->x = x;
    e->y = y;
    e->xlen = m->xlen;
    e->mmu_index = 0;
    e->frm_valid = false;
    e->result = 0;
}

uint64_t riscv_helper_vector(Vcpu *vcpu, uint32_t insn, uint64_t x)
{
    RvvExec e;
    prepare(&e, vcpu, insn, x, 0);

    return run(vcpu, &e);
}

uint64_t riscv_helper_vector_fp(Vcpu *vcpu, uint32_t insn, uint64_t x)
{
    RiscvState *s = riscv_state(vcpu);
    RvvExec e;
    prepare(&e, vcpu, insn, x, 0);

    e.frm_valid = s->frm <= FP_RMM;
    e.fp = (FpStatus){ .rules = &fp_rules_riscv, .rounding = (uint8_t)s->frm };
    uint64_t result = run(vcpu, &e);
    s->fflags |= e.fp.flags & FP_IEEE_FLAGS;
    return result;
}

void riscv_helper_vector_mem(Vcpu *vcpu, uint32_t insn, uint64_t x, uint64_t y, uint32_t mmu)
{
    RvvExec e;
    prepare(&e, vcpu, insn, x, y);

    e.mmu_index = mmu;
    e.s->full = false; /* as long as a fault may leave with vstart set */
    run(vcpu, &e);
    e.s->full = !e.s->vill && e.s->vl == e.s->vlmax;
}

uint64_t riscv_helper_vsetvl(Vcpu *vcpu, uint64_t vtype, uint64_t avl, uint32_t keep_vl)
{
    return rvv_set_vl(&riscv_state(vcpu)->vector, vtype, avl, keep_vl, riscv_model(vcpu)->xlen);
}

void riscv_helper_vs_dirty(Vcpu *vcpu)
{
    riscv_state(vcpu)->mstatus |= MSTATUS_VS;
}
