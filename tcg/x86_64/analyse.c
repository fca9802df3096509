/*
 * analyse.c: the walk before code generation: where values are used next, which slots a block may still
 * read, which blocks form loops, and what is evaluated at its use.
 *
 * Results: ValInfo.first_use/uses/early_slot/fused, use_next, arg_next, BlockInfo.live/loop/live_first…
 *
 * Positions are instruction indices. A use in a TREE block counts for its ancestors through the block's
 * list of live values, so `next use` is exact along each path.
 *
 * early_slot: a value whose `put` follows with nothing in between that could fault, leave or look at the
 * slot. Its definition may then overwrite the register of the slot's old contents, which is what lets
 * `add a0, a0, 1` run in place and loops keep a slot in one register.
 *
 * Dead puts: a put that the next puts to the slot, on every way, replace before anything could look is left out, and with it
 * what only it used.
 */
#include "tcg/x86_64/host.h"

void x64_operands(const HostCompiler *hc, const IrInsn *in, IrRef ops[4])
{
    unsigned n = hc->op_operands[in->op];
    ops[0] = n > 0 ? val_resolve(hc, in->a) : IR_NONE;
    ops[1] = n > 1 ? val_resolve(hc, in->b) : IR_NONE;
    ops[2] = n > 2 ? val_resolve(hc, in->c) : IR_NONE;
    ops[3] = IR_NONE;
    if ((in->op == IR_brnz || in->op == IR_select) && hc->val[in->a].fused == FUSED_TEST) {
        const IrInsn *test = &hc->insns[in->a];
        ops[0] = val_resolve(hc, test->a);
        ops[in->op == IR_brnz ? 1 : 3] = val_resolve(hc, test->b);
    } else if (in->op == IR_vset_low && hc->val[in->b].fused == FUSED_TEST) {
        ops[1] = val_resolve(hc, hc->insns[in->b].a);
    } else if (in->op == IR_vxor && hc->val[in->a].fused == FUSED_TEST) {
        ops[0] = val_resolve(hc, hc->insns[in->a].a);
        ops[2] = val_resolve(hc, hc->insns[in->a].b);
    } else if ((in->op == IR_add || in->op == IR_sub) && hc->val[in->b].fused == FUSED_TEST) {
        ops[1] = val_resolve(hc, hc->insns[in->b].a);
        ops[2] = val_resolve(hc, hc->insns[in->b].b);
    } else if (n == 2 && fused_load(hc, in)) {
        const IrInsn *ld = &hc->insns[in->b];
        ops[1] = val_resolve(hc, ld->a);
        ops[2] = val_resolve(hc, ld->b);
    } else if (in->op == IR_ld || in->op == IR_st) {
        unsigned g = group_followed(hc, in - hc->insns);
        ops[3] = g == NO_INDEX ? IR_NONE : group_value(hc, g);
    }
}

/* Does the host do this scalar operation together with the insertion of its result into a vector? */
static bool fuses_with_insert(const HostCompiler *hc, const IrInsn *in)
{
    unsigned rm = in->aux & IR_RM_MASK;
    if (hc->target->fp.nan != FP_NAN_X86 || hc->target->fp.tininess_before) {
        return false;
    }
    switch (in->op) {
    case IR_i2f: case IR_fsqrt: case IR_fcvt: return rm == IR_RM_DYN;
    case IR_fround: return has(hc, X_SSE41) && rm < IR_RM_NEAREST_AWAY;
    default: return false;
    }
}

/* Is what is added or taken away a comparison that leaves its result in the host's carry flag? */
static bool fuses_with_carry(const HostCompiler *hc, const IrInsn *in)
{
    const IrInsn *test = &hc->insns[in->b];
    return (in->op == IR_add || in->op == IR_sub) && test->op == IR_setcond && (test->aux == IR_LTU || test->aux == IR_GEU) &&
           hc->val[in->b].uses == 1 && !val_is_const(hc, val_resolve(hc, test->a)) && !val_is_const(hc, in->a);
}

/* The exclusive or of three, which hashes are made of: one instruction. */
static bool fuses_with_xor(const HostCompiler *hc, const IrInsn *in, const IrBlock *bb)
{
    if (in->op != IR_vxor || !has(hc, X_AVX512VL) || in->a < bb->first || hc->val[in->a].uses != 1 || val_is_const(hc, in->b)) {
        return false;
    }
    const IrInsn *x = &hc->insns[in->a];
    return x->op == IR_vxor && !val_is_const(hc, x->a) && !val_is_const(hc, x->b);
}

/* User mode with AVX: does instruction i do the load in front of it, its second operand? */
static bool fuses_with_load(const HostCompiler *hc, uint32_t i, const IrBlock *bb)
{
    const IrInsn *in = &hc->insns[i];
    if (in->op < IR_VEC_FIRST || in->op > IR_VEC_LAST || hc->op_operands[in->op] != 2 || in->type != IR_V128 ||
        hc->unit->softmmu || !has(hc, X_AVX) || in->b + 1 != i || in->b < bb->first || in->a == in->b || hc->val[in->a].fused) {
        return false;
    }
    const IrInsn *ld = &hc->insns[in->b];
    return ld->op == IR_ld && hc->val[in->b].uses == 1 &&
           1u << hc->unit->mem.at[ld->aux].size_log2 == x64_vec_memory_bytes(hc, in);
}

static void find_order(HostCompiler *hc)
{
    const IrUnit *unit = hc->unit;
    hc->order = arena_alloc(&hc->arena, unit->blocks.n * sizeof(hc->order[0]));
    hc->n_order = 0;
    for (uint32_t b = 0; b < unit->blocks.n; b++) {
        const IrBlock *bb = &unit->blocks.at[b];
        BlockInfo *bi = &hc->block[b];
        memset(bi, 0, sizeof(*bi));
        bi->offset = bi->fixups = NO_POS;
        bi->loop = bi->core = bi->succ[0] = bi->succ[1] = bi->groups = NO_INDEX;
        if (bb->end == bb->first) {
            continue;
        }
        uint32_t at = hc->n_order++;
        while (at && unit->blocks.at[hc->order[at - 1]].first > bb->first) {
            hc->order[at] = hc->order[at - 1];
            at--;
        }
        hc->order[at] = b;
        const IrInsn *last = &hc->insns[bb->end - 1];
        if (last->op == IR_br) {
            bi->succ[0] = last->a;
        } else if (last->op == IR_brcond || last->op == IR_brnz) {
            bi->succ[0] = last->c & 0xffff;
            bi->succ[1] = last->c >> 16;
        }
    }
    for (uint32_t k = 0; k < hc->n_order; k++) {
        hc->block[hc->order[k]].order = k;
    }
}

static void find_live_slots(HostCompiler *hc)
{
    const IrUnit *unit = hc->unit;
    bool changed = true;
    for (unsigned round = 0; changed && round < 16; round++) {
        changed = false;
        for (uint32_t k = hc->n_order; k-- > 0;) {
            uint16_t b = hc->order[k];
            BlockInfo *bi = &hc->block[b];
            const IrBlock *bb = &unit->blocks.at[b];
            for (unsigned w = 0; w < IR_MAX_SLOTS / 64; w++) {
                uint64_t live = 0;
                for (unsigned s = 0; s < 2; s++) {
                    live |= bi->succ[s] != NO_INDEX ? hc->block[bi->succ[s]].live.w[w] : 0;
                }
                live = (live & ~(bb->defined.w[w] | bb->killed.w[w])) | bb->used.w[w];
                changed |= live != bi->live.w[w];
                bi->live.w[w] = live;
            }
        }
    }
    for (uint32_t k = 0; k < hc->n_order; k++) {
        uint16_t b = hc->order[k];
        for (unsigned s = 0; s < 2; s++) {
            uint16_t t = hc->block[b].succ[s];
            for (unsigned w = 0; t != NO_INDEX && w < IR_MAX_SLOTS / 64; w++) {
                hc->block[t].pred_defined.w[w] |= unit->blocks.at[b].defined.w[w];
            }
        }
    }
}

/* What may stop in the middle of the unit or leave it, or shows the slots to somebody. */
static bool looks_at_slots(const HostCompiler *hc, const IrInsn *in)
{
    switch (in->op) {
    case IR_insn_start: case IR_put: case IR_kill: case IR_stenv: case IR_fpset: case IR_fence:
        return false;
    case IR_call:
        return !(hc->target->helpers[in->aux].flags & HELPER_PURE);
    case IR_exit:
        return true;
    default:
        return hc->op_flags[in->op] & (IR_OP_MEM | IR_OP_SIDE);
    }
}

/*
 * BlockInfo.needed. Slots that a loop writes before it does anything that could stop or leave need no place from one round to the
 * next: flags and short-lived registers of loops without accesses to memory, whose polls stand at their ends. Flags that the blocks
 * behind a branch replace need not be made.
 */
static void find_needed(HostCompiler *hc)
{
    const IrUnit *unit = hc->unit;
    bool several = hc->n_order > 1;
    for (uint32_t k = 0; k < hc->n_order; k++) {
        BlockInfo *bi = &hc->block[hc->order[k]];
        const IrBlock *bb = &unit->blocks.at[hc->order[k]];
        IrSlotSet written = { 0 };
        bi->looks = !several;
        for (uint32_t i = bb->first; !bi->looks && i < bb->end; i++) {
            const IrInsn *in = &hc->insns[i];
            if (in->op == IR_put || in->op == IR_kill) {
                ir_slots_add(&written, in->aux);
            } else {
                bi->looks = looks_at_slots(hc, in);
            }
        }
        for (unsigned w = 0; w < IR_MAX_SLOTS / 64; w++) {
            bi->needed.w[w] = bb->used.w[w] | (bi->looks ? ~written.w[w] : 0);
        }
    }
    for (bool changed = several; changed;) {
        changed = false;
        for (uint32_t k = hc->n_order; k-- > 0;) {
            BlockInfo *bi = &hc->block[hc->order[k]];
            const IrBlock *bb = &unit->blocks.at[hc->order[k]];
            for (unsigned s = 0; !bi->looks && s < 2; s++) {
                for (unsigned w = 0; bi->succ[s] != NO_INDEX && w < IR_MAX_SLOTS / 64; w++) {
                    uint64_t more = hc->block[bi->succ[s]].needed.w[w] & ~(bb->defined.w[w] | bb->killed.w[w]) & ~bi->needed.w[w];
                    bi->needed.w[w] |= more;
                    changed |= more != 0;
                }
            }
        }
    }
}

/* The natural loop of each LOOP block, inner ones last so that they win. */
static void find_loops(HostCompiler *hc)
{
    const IrUnit *unit = hc->unit;
    uint16_t *work = NULL;
    for (uint32_t k = 0; k < hc->n_order; k++) {
        uint16_t head = hc->order[k];
        if (!(unit->blocks.at[head].flags & IR_BLOCK_LOOP)) {
            continue;
        }
        if (!work) {
            work = arena_alloc(&hc->arena, hc->n_order * sizeof(work[0]));
        }
        for (uint32_t j = 0; j < hc->n_order; j++) {
            hc->block[hc->order[j]].in_loop_mark = false;
        }
        uint32_t n = 0;
        for (uint32_t j = k; j < hc->n_order; j++) {
            BlockInfo *bi = &hc->block[hc->order[j]];
            if (bi->succ[0] == head || bi->succ[1] == head) {
                bi->in_loop_mark = true;
                if (hc->order[j] != head) {
                    work[n++] = hc->order[j];
                }
            }
        }
        hc->block[head].in_loop_mark = true;
        /* Predecessors of a member are members; each block enters the work list once. */
        while (n) {
            uint16_t b = work[--n];
            for (uint32_t j = k; j < hc->n_order; j++) {
                BlockInfo *bi = &hc->block[hc->order[j]];
                if (!bi->in_loop_mark && (bi->succ[0] == b || bi->succ[1] == b)) {
                    bi->in_loop_mark = true;
                    work[n++] = hc->order[j];
                }
            }
        }
        if (hc->fp_control_asked) {
            x64_find_fp_control_loop(hc, head, k);
        }
        BlockInfo *h = &hc->block[head];
        h->loop_weight = arena_alloc(&hc->arena, IR_MAX_SLOTS);
        memset(h->loop_weight, 0, IR_MAX_SLOTS);
        for (uint32_t j = k; j < hc->n_order; j++) {
            uint16_t b = hc->order[j];
            if (!hc->block[b].in_loop_mark) {
                continue;
            }
            hc->block[b].loop = head;
            const IrBlock *bb = &unit->blocks.at[b];
            unsigned weight = bb->flags & IR_BLOCK_COLD ? 0 : 2;
            for (unsigned w = 0; w < IR_MAX_SLOTS / 64; w++) {
                h->loop_used.w[w] |= bb->used.w[w];
                h->loop_defined.w[w] |= bb->defined.w[w];
                for (uint64_t m = bb->used.w[w]; m; m &= m - 1) {
                    uint8_t *at = &h->loop_weight[w * 64 + __builtin_ctzll(m)];
                    *at = MIN(*at + weight + 1, 200);
                }
                for (uint64_t m = bb->defined.w[w]; m; m &= m - 1) {
                    uint8_t *at = &h->loop_weight[w * 64 + __builtin_ctzll(m)];
                    *at = MIN(*at + weight, 200);
                }
            }
        }
    }
}

static void count_uses(HostCompiler *hc)
{
    static const ValInfo fresh = { .next_use = NO_POS, .first_use = NO_POS, .reg = NO_REG, .spill = NO_SPILL,
                                   .home = NO_SLOT, .early_slot = NO_SLOT };
    ValInfo *val = hc->val;
    const IrInsn *in = hc->insns;
    uint32_t n = hc->n_insns;

    hc->fp_control_asked = false;
    for (uint32_t i = 0; i < n; i++, in++) {
        val[i] = fresh;
        if (in->op == IR_ext_u && val_is_alias(hc, in)) {
            val[in->a].wide = 1;
        }
        hc->fp_control_asked |= in->op == IR_fpget;
        /* Operands stand before their uses. */
        switch (hc->op_operands[in->op]) {
        case 3: val[in->c != IR_NONE ? in->c : i].uses++; /* fall through */
        case 2: val[in->b != IR_NONE ? in->b : i].uses++; /* fall through */
        case 1: val[in->a != IR_NONE ? in->a : i].uses++;
        }
    }
    for (uint32_t s = 0; s < hc->n_slots + hc->group.n; s++) {
        val[n + s] = fresh;
    }
    for (uint32_t k = 0; k < hc->unit->args.n; k++) {
        hc->val[hc->unit->args.at[k]].uses += 2;
    }
}

typedef struct Walk {
    uint32_t *next;        /* by value: next use on the path below, NO_POS none */
    IrRef *touched;
    uint32_t n_touched;
    uint32_t epoch;
    uint32_t *put_epoch;   /* by value: epoch of its candidate put */
    IrRef slot_cand[IR_MAX_SLOTS];
    uint32_t put_again[IR_MAX_SLOTS]; /* epoch in which a put to the slot stands below */
} Walk;

static inline uint32_t walk_use(Walk *w, IrRef v, uint32_t pos)
{
    uint32_t old = w->next[v];
    if (old == NO_POS) {
        w->touched[w->n_touched++] = v;
    }
    w->next[v] = pos;
    return old;
}

static void walk_block(HostCompiler *hc, Walk *w, uint16_t b)
{
    const IrUnit *unit = hc->unit;
    const IrInsn *insns = hc->insns;
    const IrBlock *bb = &unit->blocks.at[b];
    BlockInfo *bi = &hc->block[b];

    w->n_touched = 0;
    for (unsigned s = 0; s < 2; s++) {
        uint16_t t = bi->succ[s];
        if (t == NO_INDEX || (unit->blocks.at[t].flags & IR_BLOCK_MERGE)) {
            continue;
        }
        const BlockInfo *ti = &hc->block[t];
        for (uint32_t k = 0; k < ti->live_n; k++) {
            const LiveUse *l = &hc->live.at[ti->live_first + k];
            if (w->next[l->ref] == NO_POS) {
                walk_use(w, l->ref, l->pos);
            } else {
                w->next[l->ref] = MIN(w->next[l->ref], l->pos);
            }
        }
    }
    w->epoch++;
    for (unsigned k = 0; bi->succ[0] != NO_INDEX && k < IR_MAX_SLOTS / 64; k++) {
        uint64_t seen = hc->block[bi->succ[0]].needed.w[k] | (bi->succ[1] != NO_INDEX ? hc->block[bi->succ[1]].needed.w[k] : 0);
        for (uint64_t m = ~seen; m; m &= m - 1) {
            w->put_again[k * 64 + __builtin_ctzll(m)] = w->epoch;
        }
    }
    for (uint32_t i = bb->end; i-- > bb->first;) {
        const IrInsn *in = &insns[i];
        unsigned flags = hc->op_flags[in->op];
        ValInfo *vi = &hc->val[i];
        switch (in->op) {
        case IR_const: case IR_nop: case IR_insn_start: case IR_trunc: case IR_flow:
            continue;
        case IR_vlow: case IR_ext_u:
            if (val_is_alias(hc, in)) {
                continue;
            }
            break;
        }
        if (vi->fused) {
            continue;
        }
        if (in->op == IR_kill) {
            w->put_again[in->aux] = w->epoch;
            continue;
        }
        if (in->op == IR_put) {
            /* Nobody can see these contents before the next put replaces them. */
            if (w->put_again[in->aux] == w->epoch) {
                vi->fused = FUSED_DEAD;
                continue;
            }
            w->put_again[in->aux] = w->epoch;
        } else if (in->op == IR_get) {
            w->put_again[in->aux] = 0;
        }
        vi->first_use = w->next[i];
        w->next[i] = NO_POS;
        unsigned led = hc->group_of ? hc->group_of[i] : NO_INDEX;
        if (led != NO_INDEX && hc->group.at[led].leader == i) {
            IrRef addend = group_value(hc, led);
            hc->val[addend].first_use = w->next[addend];
            w->next[addend] = NO_POS;
        }
        if (vi->early_slot != NO_SLOT) {
            if (w->put_epoch[i] != w->epoch) {
                vi->early_slot = NO_SLOT;
            } else if (w->slot_cand[vi->early_slot] == i) {
                w->slot_cand[vi->early_slot] = IR_NONE;
            }
        }
        bool pure = flags & IR_OP_PURE || (in->op == IR_call && hc->target->helpers[in->aux].flags & HELPER_PURE);
        if (vi->first_use == NO_POS && (pure || in->op == IR_get)) {
            vi->fused = FUSED_DEAD;
            continue;
        }
        if (in->op == IR_brnz || in->op == IR_select) {
            unsigned op = insns[in->a].op;
            if (hc->val[in->a].uses == 1 &&
                (op == IR_setcond || (op == IR_fcmp && in->a >= bb->first && in->a + 1 == i))) {
                hc->val[in->a].fused = FUSED_TEST;
            }
        }
        if (fuses_with_carry(hc, in)) {
            hc->val[in->b].fused = FUSED_TEST;
        }
        if (fuses_with_xor(hc, in, bb)) {
            hc->val[in->a].fused = FUSED_TEST;
        }
        if (in->op == IR_vset_low && in->b + 1 == i && hc->val[in->b].uses == 1 && in->b >= bb->first &&
            fuses_with_insert(hc, &insns[in->b])) {
            hc->val[in->b].fused = FUSED_TEST;
        }
        if (in->op == IR_call) {
            for (uint32_t k = in->b; k-- > 0;) {
                IrRef v = val_resolve(hc, unit->args.at[in->a + k]);
                hc->arg_next[in->a + k] = val_is_const(hc, v) ? NO_POS : walk_use(w, v, i);
            }
        }
        bool loads = fuses_with_load(hc, i, bb);
        if (loads) {
            hc->val[in->b].fused = FUSED_LOAD;
        }
        IrRef ops[4];
        x64_operands(hc, in, ops);
        for (unsigned k = 4; k-- > 0;) {
            if (ops[k] != IR_NONE && !val_is_const(hc, ops[k])) {
                hc->use_next[i][k] = walk_use(w, ops[k], i);
            }
        }
        if (in->op == IR_put) {
            IrRef old = w->slot_cand[in->aux], v = ops[0];
            if (old != IR_NONE && hc->val[old].early_slot == in->aux) {
                hc->val[old].early_slot = NO_SLOT;
            }
            w->slot_cand[in->aux] = IR_NONE;
            if (!val_is_const(hc, v) && insns[v].op != IR_get && v >= bb->first) {
                /* The earliest put wins where there are several. */
                IrRef other = hc->val[v].early_slot;
                if (other != NO_SLOT && w->slot_cand[other] == v) {
                    w->slot_cand[other] = IR_NONE;
                }
                hc->val[v].early_slot = in->aux;
                w->put_epoch[v] = w->epoch;
                w->slot_cand[in->aux] = v;
            }
        } else if (in->op == IR_get) {
            IrRef old = w->slot_cand[in->aux];
            if (old != IR_NONE && hc->val[old].early_slot == in->aux) {
                hc->val[old].early_slot = NO_SLOT;
            }
            w->slot_cand[in->aux] = IR_NONE;
        } else if ((flags & IR_OP_MEM) || loads || in->op == IR_call || in->op == IR_poll ||
                   in->op == IR_icount) {
            w->epoch++;
        }
    }
    bi->live_first = hc->live.n;
    for (uint32_t k = 0; k < w->n_touched; k++) {
        IrRef v = w->touched[k];
        if (w->next[v] != NO_POS) {
            *vec_push(&hc->live) = (LiveUse){ v, w->next[v] };
            w->next[v] = NO_POS;
        }
    }
    bi->live_n = hc->live.n - bi->live_first;
    for (uint32_t s = 0; s < hc->n_slots; s++) {
        w->slot_cand[s] = IR_NONE;
    }
}

void x64_analyse(HostCompiler *hc)
{
    find_order(hc);
    x64_find_groups(hc);
    count_uses(hc);
    find_live_slots(hc);
    find_needed(hc);
    find_loops(hc);
    x64_find_streams(hc);
    vec_clear(&hc->live);

    Walk w = { 0 };
    uint32_t n_values = group_value(hc, hc->group.n);
    w.next = arena_alloc(&hc->arena, n_values * sizeof(w.next[0]));
    w.put_epoch = arena_alloc(&hc->arena, hc->n_insns * sizeof(w.put_epoch[0]));
    /* A value may be touched again after its definition's reset only in another block: once per block. */
    w.touched = arena_alloc(&hc->arena, (n_values + 1) * sizeof(w.touched[0]));
    memset(w.next, 0xff, n_values * sizeof(w.next[0]));
    memset(w.slot_cand, 0xff, sizeof(w.slot_cand));
    for (uint32_t k = hc->n_order; k-- > 0;) {
        walk_block(hc, &w, hc->order[k]);
    }
}

/* -d op_opt */
static bool is_dead(const void *opaque, IrRef ref)
{
    const HostCompiler *hc = opaque;
    return hc->val[ref].fused == FUSED_DEAD || hc->insns[ref].op == IR_nop;
}

void x64_print_lowered(FILE *out, const HostCompiler *hc, const IrUnit *unit)
{
    ir_print_some(out, unit, is_dead, hc);
}
