/*
 * fp-control.c: fpget and fpset, MXCSR read and written.
 *
 * STMXCSR is slow, waiting as it does for everything before it. So it is left out where jit.fp_control_guest surely holds what MXCSR
 * holds: behind another fpget or fpset, until something comes that may raise a flag (or that may do so in C: calls). Where that is known
 * an fpset of the same value leaves LDMXCSR out.
 *
 * In user mode a store behind an fpget stores MXCSR itself: a load would have to wait for STMXCSR's store, and the guest reads what it stored, too.
 *
 * A loop that asks and raises nothing gets its answer on the way in: edges from outside bring jit.fp_control_guest up to date.
 *
 * Invariants: blocks come after all their predecessors but those of back edges; slow paths of memory accesses keep MXCSR (frame.c).
 *
 * Intel SDM volume 1, 10.2.3.
 */
#include "tcg/x86_64/host.h"

enum { OP_LDMXCSR = 2, OP_STMXCSR = 3 };

void x64_find_fp_control_loop(HostCompiler *hc, uint16_t head, uint32_t first_order)
{
    bool asks = false;
    for (uint32_t j = first_order; j < hc->n_order; j++) {
        const IrBlock *bb = &hc->unit->blocks.at[hc->order[j]];
        if (!hc->block[hc->order[j]].in_loop_mark) {
            continue;
        }
        for (uint32_t i = bb->first; i < bb->end; i++) {
            unsigned op = hc->insns[i].op;
            if (!x64_fp_control_keeps(hc, op)) {
                return;
            }
            asks |= op == IR_fpget;
        }
    }
    hc->block[head].fp_control_loop = asks;
}

void x64_fp_control_begin(HostCompiler *hc, uint16_t b)
{
    const BlockInfo *bi = &hc->block[b];
    bool loop = hc->unit->blocks.at[b].flags & IR_BLOCK_LOOP;
    hc->fp_control_known = b && !bi->fp_control_lost && (!loop || bi->fp_control_loop);
}

/* The block's terminator comes next. */
void x64_fp_control_leave(HostCompiler *hc)
{
    const BlockInfo *from = &hc->block[hc->b];
    if (!hc->fp_control_asked) {
        return;
    }
    for (unsigned s = 0; s < 2; s++) {
        const BlockInfo *to = from->succ[s] != NO_INDEX ? &hc->block[from->succ[s]] : NULL;
        if (to && to->fp_control_loop && to->order > from->order && !hc->fp_control_known) {
            x_rm(&hc->as, M_0F | 0xae, OP_STMXCSR, JIT_MEM(fp_control_guest));
            hc->fp_control_known = true;
        }
    }
    for (unsigned s = 0; s < 2; s++) {
        if (from->succ[s] != NO_INDEX) {
            hc->block[from->succ[s]].fp_control_lost |= !hc->fp_control_known;
        }
    }
}

/* Nothing stands between the two, nobody else wants the value, and it is stored as it is. */
static bool stored_at_once(HostCompiler *hc)
{
    const IrInsn *st = &hc->insns[hc->i + 1]; /* a terminator ends the block */
    st += st->op == IR_insn_start;
    if (hc->fp_control_known || st->op != IR_st || st->c != hc->i || st->a == hc->i || st->b == hc->i) {
        return false;
    }
    const IrMem *mem = &hc->unit->mem.at[st->aux];
    return hc->val[hc->i].uses == 1 && st->type == IR_I32 && mem->size_log2 == 2 && !mem->big_endian && mem->order != IR_ORDER_SEQ_CST &&
           !ir_mem_align_mask(mem) && !hc->unit->softmmu;
}

void lower_fpget(HostCompiler *hc)
{
    if (stored_at_once(hc)) {
        hc->val[hc->i].fused = FUSED_STORE;
        return;
    }
    Reg d = ra_dest(hc, NO_REG, 0);
    if (!hc->fp_control_known) {
        x_rm(&hc->as, M_0F | 0xae, OP_STMXCSR, JIT_MEM(fp_control_guest));
    }
    hc->fp_control_known = true;
    x_load(&hc->as, 2, false, false, d, JIT_MEM(fp_control_guest));
    ra_done(hc);
}

void lower_fpset(HostCompiler *hc)
{
    Reg r = ra_use(hc, hc->ops[0]);
    uint8_t *same = NULL;
    if (hc->fp_control_known) {
        x_alu_rm(&hc->as, false, A_CMP, r, JIT_MEM(fp_control_guest));
        same = x_jcc8(&hc->as, CC_E);
    }
    x_store(&hc->as, 2, JIT_MEM(fp_control_guest), r);
    x_rm(&hc->as, M_0F | 0xae, OP_LDMXCSR, JIT_MEM(fp_control_guest));
    if (same) {
        x_bind8(&hc->as, same);
    }
    hc->fp_control_known = true;
    ra_consume(hc);
}

void x64_store_fp_control(HostCompiler *hc, Mem m)
{
    x_rm(&hc->as, M_0F | 0xae, OP_STMXCSR, m);
}
