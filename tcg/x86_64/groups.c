/*
 * groups.c: which accesses of a unit share a TLB check, and which of those are streams (host.h). System mode.
 *
 * Results: HostCompiler.group and group_of, BlockInfo.core and streams, MemGroup.stream.
 */
#include "tcg/x86_64/host.h"

/* ---- accesses that share a TLB check ---- */

enum {
    GROUP_MAX_BYTES = 256,  /* the more, the more often a page ends inside */
    GROUP_MAX_DEPTH = 12,   /* groups looked at for an access */
};

static void join_group(HostCompiler *hc, BlockInfo *bi, uint32_t i)
{
    const IrInsn *in = &hc->insns[i];
    const IrMem *mem = &hc->unit->mem.at[in->aux];
    IrRef base = val_resolve(hc, in->a);
    int64_t lo = mem->disp, hi = lo + (1 << mem->size_log2);
    bool write = in->op == IR_st;
    if (in->b != IR_NONE || val_is_const(hc, base) || hc->unit->addr32 || val_type(hc, base) == IR_I32
        || ir_mem_align_mask(mem) || hi > INT32_MAX - 64) {
        return;
    }
    unsigned depth = 0;
    for (uint16_t g = bi->groups; g != NO_INDEX && depth < GROUP_MAX_DEPTH; g = hc->group.at[g].outer, depth++) {
        MemGroup *mg = &hc->group.at[g];
        int64_t first = MIN(lo, mg->lo), end = MAX(hi, mg->hi);
        /* A store later in the same block will need the permission anyway. */
        bool writable = mg->write || !write || mg->leader >= hc->unit->blocks.at[hc->b].first;
        if (mg->base == base && mg->mmu_index == mem->mmu_index && writable && end - first <= GROUP_MAX_BYTES) {
            mg->write |= write;
            mg->lo = (int32_t)first;
            mg->hi = (int32_t)end;
            hc->group_of[i] = g;
            return;
        }
    }
    if (hc->group.n < GROUP_MAX) {
        hc->group_of[i] = hc->group.n;
        *vec_push(&hc->group) = (MemGroup){ .base = base, .leader = i, .lo = (int32_t)lo, .hi = (int32_t)hi, .outer = bi->groups,
                                            .mmu_index = mem->mmu_index, .write = write, .stream = NO_STREAM };
        bi->groups = hc->group_of[i];
    }
}

/* An access belongs to a group in force on every way to it: of its block or those above it in the tree. */
void x64_find_groups(HostCompiler *hc)
{
    const IrUnit *unit = hc->unit;
    vec_clear(&hc->group);
    hc->group_of = NULL;
    if (!unit->softmmu) {
        return;
    }
    hc->group_of = arena_alloc(&hc->arena, hc->n_insns * sizeof(hc->group_of[0]));
    memset(hc->group_of, 0xff, hc->n_insns * sizeof(hc->group_of[0]));
    for (uint32_t k = 0; k < hc->n_order; k++) {
        uint16_t b = hc->order[k];
        BlockInfo *bi = &hc->block[b];
        const IrBlock *bb = &unit->blocks.at[b];
        hc->b = b;
        for (uint32_t i = bb->first; i < bb->end; i++) {
            unsigned op = hc->insns[i].op;
            if (op == IR_ld || op == IR_st) {
                join_group(hc, bi, i);
            } else if (op == IR_call) {
                bi->groups = NO_INDEX; /* it may have changed what is mapped */
            }
        }
        for (unsigned s = 0; s < 2; s++) {
            uint16_t t = bi->succ[s];
            if (t != NO_INDEX && !(unit->blocks.at[t].flags & IR_BLOCK_MERGE)) {
                hc->block[t].groups = bi->groups;
            }
        }
    }
}

/* ---- streams ---- */

enum {
    STREAM_MAX_STEP = 2048, /* bytes in one turn of the loop */
    STREAM_MAX_DISP = 4096,
};

/* How a put moves its slot: by a constant from what the latest get found. */
static bool step_of(const HostCompiler *hc, const IrInsn *put, IrRef latest_get, int64_t *ret)
{
    IrRef v = val_resolve(hc, put->a);
    const IrInsn *in = &hc->insns[v];
    *ret = 0;
    if (v == latest_get) {
        return true;
    }
    if (in->op != IR_add || in->type != IR_I64 || in->a != latest_get || !val_is_const(hc, in->b)) {
        return false;
    }
    *ret = (int64_t)hc->insns[in->b].imm;
    return *ret >= -STREAM_MAX_STEP && *ret <= STREAM_MAX_STEP;
}

/* The natural loop of one back edge; returns its size. in_loop_mark says which blocks. */
static uint32_t mark_loop(HostCompiler *hc, uint16_t head, uint16_t latch, uint16_t *work)
{
    for (uint32_t k = 0; k < hc->n_order; k++) {
        hc->block[hc->order[k]].in_loop_mark = false;
    }
    uint32_t n = 0, size = 1;
    hc->block[head].in_loop_mark = true;
    if (latch != head) {
        hc->block[latch].in_loop_mark = true;
        work[n++] = latch;
        size++;
    }
    while (n) {
        uint16_t b = work[--n];
        for (uint32_t k = hc->block[head].order; k < hc->n_order; k++) {
            BlockInfo *bi = &hc->block[hc->order[k]];
            if (!bi->in_loop_mark && (bi->succ[0] == b || bi->succ[1] == b)) {
                bi->in_loop_mark = true;
                work[n++] = hc->order[k];
                size++;
            }
        }
    }
    return size;
}

/* Is block b on every way from the head to the latch, inside the marked loop? */
static bool every_turn(HostCompiler *hc, uint16_t head, uint16_t latch, uint16_t b)
{
    if (b == head || b == latch) {
        return true;
    }
    for (uint32_t k = hc->block[head].order; k < hc->n_order; k++) {
        hc->block[hc->order[k]].walked = hc->order[k] == head;
    }
    bool changed = true;
    while (changed) {
        changed = false;
        for (uint32_t k = hc->block[head].order; k < hc->n_order; k++) {
            const BlockInfo *bi = &hc->block[hc->order[k]];
            for (unsigned s = 0; s < 2 && bi->walked && bi->in_loop_mark && hc->order[k] != b; s++) {
                if (bi->succ[s] != NO_INDEX && !hc->block[bi->succ[s]].walked) {
                    hc->block[bi->succ[s]].walked = changed = true;
                }
            }
        }
    }
    return !hc->block[latch].walked;
}

/* Marks the smallest loop of the head and returns its latch; NO_INDEX: it is not one that streams can be set up for. */
static uint16_t find_core(HostCompiler *hc, uint16_t head, uint16_t *work)
{
    uint32_t best = UINT32_MAX;
    uint16_t best_latch = NO_INDEX;
    for (uint32_t k = hc->block[head].order; k < hc->n_order; k++) {
        const BlockInfo *bi = &hc->block[hc->order[k]];
        if (bi->succ[0] == head || bi->succ[1] == head) {
            uint32_t size = mark_loop(hc, head, hc->order[k], work);
            if (size < best) {
                best = size;
                best_latch = hc->order[k];
            }
        }
    }
    if (best_latch == NO_INDEX) {
        return NO_INDEX;
    }
    mark_loop(hc, head, best_latch, work);
    for (uint32_t k = 0; k < hc->n_order; k++) {
        const BlockInfo *bi = &hc->block[hc->order[k]];
        if (bi->in_loop_mark) {
            if (bi->core != NO_INDEX || (hc->order[k] != head && bi->loop == hc->order[k])) {
                return NO_INDEX; /* another loop inside */
            }
            continue;
        }
        for (unsigned s = 0; s < 2; s++) {
            if (bi->succ[s] != NO_INDEX && bi->succ[s] != head && hc->block[bi->succ[s]].in_loop_mark) {
                return NO_INDEX; /* a way in past the head, where streams are set up */
            }
        }
    }
    return best_latch;
}

/*
 * The pointer moves one way, by so little in each turn that it cannot pass an end of the address space between two
 * checks, which are made in each turn: else it could come back within the bound from the other side.
 */
static void find_loop_streams(HostCompiler *hc, uint16_t head, uint16_t latch)
{
    BlockInfo *h = &hc->block[head];
    IrRef latest_get[IR_MAX_SLOTS];
    uint16_t moved[IR_MAX_SLOTS];
    IrSlotSet up = { 0 }, down = { 0 }, other = { 0 };
    memset(latest_get, 0xff, hc->n_slots * sizeof(latest_get[0]));
    memset(moved, 0, hc->n_slots * sizeof(moved[0]));
    for (uint32_t k = h->order; k < hc->n_order; k++) {
        const IrBlock *bb = &hc->unit->blocks.at[hc->order[k]];
        if (!hc->block[hc->order[k]].in_loop_mark) {
            continue;
        }
        for (uint32_t i = bb->first; i < bb->end; i++) {
            const IrInsn *in = &hc->insns[i];
            int64_t step;
            if (in->op == IR_call) {
                return; /* it may have changed what is mapped */
            } else if (in->op == IR_get) {
                latest_get[in->aux] = i;
            } else if (in->op == IR_put) {
                if (!step_of(hc, in, latest_get[in->aux], &step)) {
                    ir_slots_add(&other, in->aux);
                } else if (step) {
                    ir_slots_add(step > 0 ? &up : &down, in->aux);
                    moved[in->aux] += step > 0 ? step : -step;
                    if (moved[in->aux] > STREAM_MAX_STEP) {
                        ir_slots_add(&other, in->aux);
                        moved[in->aux] = 0;
                    }
                }
            }
        }
    }
    unsigned n = 0;
    for (uint32_t k = h->order; k < hc->n_order; k++) {
        const IrBlock *bb = &hc->unit->blocks.at[hc->order[k]];
        if (!hc->block[hc->order[k]].in_loop_mark) {
            continue;
        }
        for (uint32_t i = bb->first; i < bb->end && n < VCPU_N_STREAMS; i++) {
            unsigned g = hc->group_of[i];
            if (g == NO_INDEX || hc->group.at[g].leader != i) {
                continue;
            }
            MemGroup *mg = &hc->group.at[g];
            const IrInsn *base = &hc->insns[mg->base];
            if (base->op == IR_get && base->type == IR_I64 && !ir_slots_has(&other, base->aux)
                && !(ir_slots_has(&up, base->aux) && ir_slots_has(&down, base->aux))
                && mg->lo >= -STREAM_MAX_DISP && mg->hi <= STREAM_MAX_DISP && every_turn(hc, head, latch, hc->order[k])) {
                mg->down = ir_slots_has(&down, base->aux);
                mg->stream = n;
                h->streams[mg->down] |= 1u << n++;
            }
        }
    }
    for (uint32_t k = h->order; n && k < hc->n_order; k++) {
        BlockInfo *bi = &hc->block[hc->order[k]];
        if (bi->in_loop_mark) {
            bi->core = head;
        }
    }
}

/*
 * Of innermost loops: what slow paths change is then known. Where loops share a head (the unit began in the inner one, the outer
 * one's way back leads into it), of the smallest, the *core*.
 */
void x64_find_streams(HostCompiler *hc)
{
    uint16_t *work = NULL;
    for (uint32_t k = 0; hc->group.n && k < hc->n_order; k++) {
        uint16_t b = hc->order[k];
        if (hc->unit->blocks.at[b].flags & IR_BLOCK_LOOP) {
            if (!work) {
                work = arena_alloc(&hc->arena, hc->n_order * sizeof(work[0]));
            }
            uint16_t latch = find_core(hc, b, work);
            if (latch != NO_INDEX) {
                find_loop_streams(hc, b, latch);
            }
        }
    }
}
