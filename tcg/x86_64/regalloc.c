/*
 * regalloc.c: the allocator of the forward walk: what is in which register, where slots are, what is
 * stored when, and what happens at branches, merges and loops. Its invariants stand in host.h.
 *
 * Nothing here changes the host's flags, so it may run between a comparison and its jump.
 */
#include "tcg/x86_64/host.h"

/* ---- moves between places ---- */

void ra_move(HostCompiler *hc, Reg d, Reg s, unsigned type)
{
    Asm *as = &hc->as;
    if (d == s) {
        return;
    }
    if (!reg_is_vec(d)) {
        if (reg_is_vec(s)) {
            sse_rr(hc, I_MOVQ_RX | x_w(type != IR_F32 && type != IR_I32), s, d);
        } else {
            x_mov_rr(as, type != IR_I32, d, s);
        }
    } else if (!reg_is_vec(s)) {
        sse_rr(hc, I_MOVQ_XR | x_w(type != IR_F32 && type != IR_I32), d, s);
    } else {
        sse_rr(hc, I_MOVAPS | (type == IR_V256 ? X_256 : 0), d, s);
    }
}

void ra_load_const(HostCompiler *hc, Reg d, unsigned type, uint64_t imm)
{
    if (!reg_is_vec(d)) {
        x_mov_ri(&hc->as, d, imm);
    } else if (ir_type_is_vec(type)) {
        const IrVecConst *c = &hc->unit->vconst.at[imm];
        unsigned bytes = ir_type_bytes(type);
        bool zero = true;
        for (unsigned k = 0; k < bytes / 8; k++) {
            zero &= c->u64[k] == 0;
        }
        if (zero) {
            sse_rrr(hc, I_XORPS, d, d, d);
        } else {
            sse_rm(hc, I_MOVUPS_LD | (type == IR_V256 ? X_256 : 0), d, pool_vec(hc, c, bytes));
        }
    } else if (imm == 0) {
        sse_rrr(hc, I_XORPS, d, d, d);
    } else {
        x_mov_ri(&hc->as, REG_TMP, imm);
        sse_rr(hc, I_MOVQ_XR | X_W, d, REG_TMP);
    }
}

void ra_load(HostCompiler *hc, Reg d, unsigned type, Mem m)
{
    switch (type) {
    case IR_I32: x_load(&hc->as, 2, false, false, d, m); break;
    case IR_I64: x_load(&hc->as, 3, false, true, d, m); break;
    case IR_F32: sse_rm(hc, I_MOVSS_LD, d, m); break;
    case IR_F64: sse_rm(hc, I_MOVSD_LD, d, m); break;
    case IR_V128: sse_rm(hc, I_MOVUPS_LD, d, m); break;
    default: sse_rm(hc, I_MOVUPS_LD | X_256, d, m); break;
    }
}

void ra_store(HostCompiler *hc, Mem m, unsigned type, Reg s)
{
    switch (type) {
    case IR_I32: x_store(&hc->as, 2, m, s); break;
    case IR_I64: x_store(&hc->as, 3, m, s); break;
    case IR_F32: sse_rm(hc, I_MOVSS_ST, s, m); break;
    case IR_F64: sse_rm(hc, I_MOVSD_ST, s, m); break;
    case IR_V128: sse_rm(hc, I_MOVUPS_ST, s, m); break;
    default: sse_rm(hc, I_MOVUPS_ST | X_256, s, m); break;
    }
}

static void store_const(HostCompiler *hc, Mem m, unsigned type, uint64_t imm)
{
    bool wide = type == IR_I64 || type == IR_F64;
    if (wide && (int64_t)imm != (int32_t)imm) {
        x_mov_ri(&hc->as, REG_TMP, imm);
        x_store(&hc->as, 3, m, REG_TMP);
    } else {
        x_mov_mi(&hc->as, wide ? 3 : 2, m, (int32_t)imm);
    }
}

static inline uint32_t class_of(unsigned type)
{
    return ir_type_is_int(type) ? REGS_GPR : REGS_VEC;
}

/* A constant that snapshots and stores can express without a register. */
static inline bool is_scalar_const(const HostCompiler *hc, IrRef v)
{
    return val_is_const(hc, v) && !ir_type_is_vec(hc->insns[v].type);
}

/* ---- events ---- */

static void slot_event(HostCompiler *hc, unsigned s)
{
    IrRef v = hc->st.slot_val[s];
    uint32_t at = x_offset(&hc->as);
    if (!ir_slots_has(&hc->st.stale, s)) {
        snap_slot(&hc->snap, at, s, SNAP_MEMORY, 0);
    } else if (is_scalar_const(hc, v)) {
        snap_slot(&hc->snap, at, s, SNAP_CONST, hc->insns[v].imm);
    } else {
        Reg r = hc->val[v].reg;
        assert(r != NO_REG);
        snap_slot(&hc->snap, at, s, reg_is_vec(r) ? SNAP_VEC : SNAP_GPR, r & 15);
        hc->last_reg[s] = r;
    }
}

/* Every member of a slot set. */
#define FOR_SLOTS(set, s)                                                               \
    for (unsigned w_ = 0, s; w_ < IR_MAX_SLOTS / 64; w_++)                               \
        for (uint64_t m_ = (set)->w[w_]; m_ && (s = w_ * 64 + __builtin_ctzll(m_), true); m_ &= m_ - 1)

/* Each slot whose contents are v. */
#define FOR_SLOTS_OF(hc, v, s)      \
    FOR_SLOTS(&(hc)->st.valued, s)  \
        if ((hc)->st.slot_val[s] == (v))

static inline void slot_val_set(HostCompiler *hc, unsigned s, IrRef v)
{
    hc->st.slot_val[s] = v;
    ir_slots_add(&hc->st.valued, s);
}

static inline void slot_val_clear(HostCompiler *hc, unsigned s)
{
    hc->st.slot_val[s] = IR_NONE;
    ir_slots_del(&hc->st.valued, s);
}

/* ---- registers and values ---- */

static inline void reg_clear(HostCompiler *hc, Reg r)
{
    hc->st.reg_val[r] = IR_NONE;
    hc->used &= ~(1u << r);
}

static inline void reg_set(HostCompiler *hc, Reg r, IrRef v)
{
    hc->st.reg_val[r] = v;
    hc->used |= 1u << r;
    hc->val[v].reg = r;
}

static void val_drop(HostCompiler *hc, IrRef v)
{
    ValInfo *vi = &hc->val[v];
    if (vi->reg != NO_REG) {
        reg_clear(hc, vi->reg);
        vi->reg = NO_REG;
    }
    if (vi->spill != NO_SPILL) {
        /* The current instruction may still read it as a memory operand. */
        hc->spill_dead |= BIT(vi->spill);
        vi->spill = NO_SPILL;
    }
    vi->home = NO_SLOT;
}

static inline void val_drop_if_dead(HostCompiler *hc, IrRef v)
{
    const ValInfo *vi = &hc->val[v];
    if (vi->next_use == NO_POS && vi->slot_refs == 0 && !val_is_const(hc, v)) {
        val_drop(hc, v);
    }
}

void ra_drop_dead(HostCompiler *hc, IrRef v) { val_drop_if_dead(hc, v); }

/* trunc and flow are other names of a wider value: a slot that was given one has not all of it. */
static inline bool slot_holds_all(const HostCompiler *hc, unsigned s, IrRef v)
{
    return ir_type_bytes(slot_type(hc, s)) >= ir_type_bytes(val_type(hc, v));
}

/* A value that is nowhere but in narrower clean slots, and not wanted for itself: those are read again. */
static void forget_homeless(HostCompiler *hc, IrRef v)
{
    ValInfo *vi = &hc->val[v];
    if (vi->slot_refs && vi->reg == NO_REG && vi->spill == NO_SPILL && vi->home == NO_SLOT &&
        vi->next_use == NO_POS && !val_is_const(hc, v)) {
        FOR_SLOTS_OF(hc, v, s) {
            slot_val_clear(hc, s);
        }
        vi->slot_refs = 0;
    }
}

static void slot_clean(HostCompiler *hc, unsigned s)
{
    IrRef v = hc->st.slot_val[s];
    ir_slots_del(&hc->st.stale, s);
    if (!is_scalar_const(hc, v) && hc->val[v].home == NO_SLOT && slot_holds_all(hc, s, v)) {
        hc->val[v].home = s;
    }
    slot_event(hc, s);
}

static void slot_store(HostCompiler *hc, unsigned s)
{
    IrRef v = hc->st.slot_val[s];
    if (is_scalar_const(hc, v)) {
        store_const(hc, slot_mem(hc, s), slot_type(hc, s), hc->insns[v].imm);
    } else {
        ra_store(hc, slot_mem(hc, s), slot_type(hc, s), hc->val[v].reg);
    }
    slot_clean(hc, s);
}

/* Makes register r free. Its value stays findable. */
static void evict(HostCompiler *hc, Reg r)
{
    IrRef v = hc->st.reg_val[r];
    ValInfo *vi = &hc->val[v];

    if (!is_scalar_const(hc, v)) {
        if (vi->slot_refs) {
            FOR_SLOTS_OF(hc, v, s) {
                if (ir_slots_has(&hc->st.stale, s)) {
                    slot_store(hc, s);
                }
            }
        }
        if (vi->next_use != NO_POS && vi->home == NO_SLOT && vi->spill == NO_SPILL && !val_is_const(hc, v)) {
            unsigned place = __builtin_ctzll(~hc->st.spill_used);
            if (hc->st.spill_used == UINT64_MAX) {
                hc->ok = false;
                place = 0;
            }
            hc->st.spill_used |= BIT(place);
            hc->st.spill_val[place] = v;
            vi->spill = place;
            ra_store(hc, spill_mem(place), val_type(hc, v), r);
        }
    }
    vi->reg = NO_REG;
    reg_clear(hc, r);
    if (v >= hc->n_insns && !val_is_addend(hc, v)) {
        /* Unread contents of a merge's slot: memory has them now. */
        slot_val_clear(hc, v - hc->n_insns);
        vi->slot_refs = 0;
        vi->home = NO_SLOT;
    }
    forget_homeless(hc, v);
}

/* How long register r's value will not be needed, less what giving it up costs. */
static uint32_t evict_score(const HostCompiler *hc, Reg r)
{
    IrRef v = hc->st.reg_val[r];
    const ValInfo *vi = &hc->val[v];
    uint32_t score;
    if (val_is_const(hc, v) && !vi->slot_refs) {
        return 3000000;
    }
    if (vi->next_use != NO_POS) {
        score = vi->next_use > hc->i ? vi->next_use - hc->i : 0;
        score = MIN(score, 100000u) + 16;
        return vi->home != NO_SLOT || vi->spill != NO_SPILL ? score + 12 : score;
    }
    score = 1000000;
    const BlockInfo *bi = &hc->block[hc->b];
    const EntryMap *map = bi->loop != NO_INDEX ? hc->block[bi->loop].map : NULL;
    if (vi->slot_refs) {
        FOR_SLOTS_OF(hc, v, s) {
            if (map && ir_slots_has(&map->mapped, s)) {
                score = MIN(score, 60u);
            } else if (ir_slots_has(&bi->live, s)) {
                score = MIN(score, 300u);
            }
        }
    }
    return vi->home != NO_SLOT ? score + 12 : score;
}

Reg ra_alloc(HostCompiler *hc, uint32_t regs, Reg hint)
{
    regs &= hc->allocatable & ~hc->pinned;
    uint32_t free = regs & ~hc->used;
    if (free) {
        if (hint != NO_REG && (free >> hint & 1)) {
            return hint;
        }
        /* rax, rcx and rdx have uses of their own; keep them for short-lived values. */
        return __builtin_ctz(free);
    }
    Reg best = NO_REG;
    uint32_t best_score = 0;
    for (uint32_t m = regs; m; m &= m - 1) {
        Reg r = __builtin_ctz(m);
        uint32_t score = evict_score(hc, r);
        if (best == NO_REG || score > best_score) {
            best = r;
            best_score = score;
        }
    }
    assert(best != NO_REG);
    evict(hc, best);
    return best;
}

Reg ra_temp(HostCompiler *hc, uint32_t regs)
{
    Reg r = ra_alloc(hc, regs, NO_REG);
    hc->pinned |= 1u << r;
    hc->temps |= 1u << r;
    return r;
}

/* The value of register s moves to the free register d. */
static void relocate(HostCompiler *hc, Reg d, Reg s)
{
    IrRef v = hc->st.reg_val[s];
    ra_move(hc, d, s, val_type(hc, v));
    reg_clear(hc, s);
    reg_set(hc, d, v);
    if (!is_scalar_const(hc, v)) {
        FOR_SLOTS_OF(hc, v, sl) {
            if (ir_slots_has(&hc->st.stale, sl)) {
                slot_event(hc, sl);
            }
        }
    }
}

void ra_take(HostCompiler *hc, Reg r)
{
    if (hc->used >> r & 1) {
        assert(!(hc->pinned >> r & 1));
        uint32_t cls = reg_is_vec(r) ? REGS_VEC : REGS_GPR;
        uint32_t free = hc->allocatable & cls & ~hc->used & ~hc->pinned;
        if (val_is_const(hc, hc->st.reg_val[r]) || !free) {
            evict(hc, r);
        } else {
            relocate(hc, 31 - __builtin_clz(free), r);
        }
    }
    hc->pinned |= 1u << r;
    hc->temps |= 1u << r;
}

static void load_value(HostCompiler *hc, Reg r, IrRef v)
{
    const ValInfo *vi = &hc->val[v];
    unsigned type = val_type(hc, v);
    if (val_is_const(hc, v)) {
        ra_load_const(hc, r, type, hc->insns[v].imm);
    } else if (vi->spill != NO_SPILL) {
        ra_load(hc, r, type, spill_mem(vi->spill));
    } else {
        assert(vi->home != NO_SLOT);
        ra_load(hc, r, type, slot_mem(hc, vi->home));
    }
}

Reg ra_use(HostCompiler *hc, IrRef v)
{
    ValInfo *vi = &hc->val[v];
    if (vi->reg == NO_REG) {
        Reg r = ra_alloc(hc, class_of(val_type(hc, v)), vi->home != NO_SLOT ? hc->last_reg[vi->home] : NO_REG);
        load_value(hc, r, v);
        reg_set(hc, r, v);
    }
    hc->pinned |= 1u << vi->reg;
    return vi->reg;
}

/* Will v be gone once the current instruction is done? */
static bool dies_here(const HostCompiler *hc, IrRef v)
{
    const ValInfo *vi = &hc->val[v];
    if (val_is_const(hc, v)) {
        return false;
    }
    unsigned refs = vi->slot_refs;
    unsigned early = hc->val[hc->i].early_slot;
    if (early != NO_SLOT && !(ir_op_info[hc->insns[hc->i].op].flags & IR_OP_MEM) &&
        hc->st.slot_val[early] == v) {
        refs--;
    }
    if (refs) {
        return false;
    }
    for (unsigned k = 0; k < 4; k++) {
        if (hc->ops[k] == v && hc->use_next[hc->i][k] != hc->i) {
            return hc->use_next[hc->i][k] == NO_POS;
        }
    }
    return false;
}

void ra_use_in(HostCompiler *hc, IrRef v, Reg r)
{
    ValInfo *vi = &hc->val[v];
    if (vi->reg == r) {
        if (dies_here(hc, v)) {
            hc->pinned |= 1u << r;
            hc->temps |= 1u << r;
            return;
        }
        hc->pinned &= ~(1u << r);
        uint32_t free = hc->allocatable & (reg_is_vec(r) ? REGS_VEC : REGS_GPR) & ~hc->used & ~hc->pinned;
        if (free && !val_is_const(hc, v)) {
            relocate(hc, 31 - __builtin_clz(free), r);
        } else {
            evict(hc, r);
        }
        hc->pinned |= 1u << r;
        hc->temps |= 1u << r;
        return;
    }
    ra_take(hc, r);
    if (vi->reg != NO_REG) {
        ra_move(hc, r, vi->reg, val_type(hc, v));
    } else {
        load_value(hc, r, v);
    }
}

bool ra_is_memory(HostCompiler *hc, IrRef v, Mem *ret)
{
    const ValInfo *vi = &hc->val[v];
    if (vi->reg != NO_REG || val_is_const(hc, v)) {
        return false;
    }
    for (unsigned k = 0; k < 4; k++) {
        if (hc->ops[k] == v && hc->use_next[hc->i][k] != NO_POS) {
            return false;
        }
    }
    *ret = vi->spill != NO_SPILL ? spill_mem(vi->spill) : slot_mem(hc, vi->home);
    return true;
}

void ra_consume(HostCompiler *hc)
{
    for (unsigned k = 0; k < 4; k++) {
        IrRef v = hc->ops[k];
        if (v != IR_NONE && !val_is_const(hc, v)) {
            uint32_t next = hc->use_next[hc->i][k];
            if (next != hc->i) {
                hc->val[v].next_use = next;
                val_drop_if_dead(hc, v);
            }
        }
    }
}

/* The slot's contents are about to be replaced: nobody will ask for the old ones as contents again. */
static void slot_release(HostCompiler *hc, unsigned s)
{
    IrRef old = hc->st.slot_val[s];
    if (old == IR_NONE) {
        return;
    }
    ValInfo *oi = &hc->val[old];
    oi->slot_refs--;
    slot_val_clear(hc, s);
    ir_slots_del(&hc->st.stale, s);
    if (val_is_const(hc, old)) {
        if (oi->home == s) {
            oi->home = NO_SLOT;
        }
        return;
    }
    if (oi->home == s) {
        oi->home = NO_SLOT;
        FOR_SLOTS_OF(hc, old, other) {
            if (!ir_slots_has(&hc->st.stale, other) && slot_holds_all(hc, other, old)) {
                oi->home = other;
            }
        }
        if (oi->home == NO_SLOT && oi->reg == NO_REG && oi->spill == NO_SPILL &&
            (oi->next_use != NO_POS || oi->slot_refs)) {
            Reg r = ra_alloc(hc, class_of(val_type(hc, old)), NO_REG);
            ra_load(hc, r, val_type(hc, old), slot_mem(hc, s));
            reg_set(hc, r, old);
        }
    }
    val_drop_if_dead(hc, old);
}

static inline uint8_t wanted_reg(const HostCompiler *hc, unsigned s)
{
    uint16_t loop = hc->block[hc->b].loop;
    if (loop != NO_INDEX && hc->block[loop].map) {
        const EntryMap *map = hc->block[loop].map;
        if (ir_slots_has(&map->mapped, s)) {
            for (unsigned k = 0; k < map->n; k++) {
                if (map->slot[k] == s) {
                    return map->reg[k];
                }
            }
        }
    }
    return hc->last_reg[s];
}

Reg ra_dest(HostCompiler *hc, Reg hint, uint32_t avoid)
{
    ValInfo *vi = &hc->val[hc->i];
    uint32_t cls = class_of(hc->insns[hc->i].type) & ~avoid;
    if (vi->early_slot != NO_SLOT) {
        slot_release(hc, vi->early_slot);
    }
    /* Operands are read before the result is written unless in `avoid`: their registers may be reused. */
    uint32_t free = cls & hc->allocatable & ~hc->used & ~hc->temps;
    Reg r = NO_REG;
    if (vi->early_slot != NO_SLOT) {
        Reg want = wanted_reg(hc, vi->early_slot);
        if (want != NO_REG && (free >> want & 1)) {
            r = want;
        }
    }
    if (r == NO_REG && hint != NO_REG && (free >> hint & 1)) {
        r = hint;
    }
    if (r == NO_REG) {
        if (free) {
            r = __builtin_ctz(free);
        } else {
            r = ra_alloc(hc, cls, NO_REG);
        }
    }
    ra_dest_in(hc, r);
    return r;
}

void ra_dest_in(HostCompiler *hc, Reg r)
{
    ValInfo *vi = &hc->val[hc->i];
    if (vi->early_slot != NO_SLOT) {
        slot_release(hc, vi->early_slot);
    }
    vi->next_use = vi->first_use;
    reg_set(hc, r, hc->i);
    hc->pinned |= 1u << r;
}

void ra_adopt(HostCompiler *hc, IrRef v, Reg r)
{
    hc->val[v].next_use = hc->val[v].first_use;
    reg_set(hc, r, v);
    hc->temps &= ~(1u << r);
}

static void slot_set(HostCompiler *hc, unsigned s, IrRef v)
{
    slot_val_set(hc, s, v);
    hc->val[v].slot_refs++;
    ir_slots_add(&hc->st.stale, s);
    slot_event(hc, s);
}

void ra_done(HostCompiler *hc)
{
    ValInfo *vi = &hc->val[hc->i];
    if (vi->early_slot != NO_SLOT) {
        slot_set(hc, vi->early_slot, hc->i);
    }
    val_drop_if_dead(hc, hc->i);
}

void ra_put(HostCompiler *hc, unsigned s, IrRef v)
{
    if (hc->st.slot_val[s] != v) {
        if (!is_scalar_const(hc, v)) {
            ra_use(hc, v);
        }
        slot_release(hc, s);
        slot_set(hc, s, v);
    }
    ra_consume(hc);
}

void ra_kill(HostCompiler *hc, unsigned s)
{
    bool was_stale = ir_slots_has(&hc->st.stale, s);
    slot_release(hc, s);
    if (was_stale) {
        slot_event(hc, s);
    }
}

void ra_get(HostCompiler *hc, unsigned s, IrRef v)
{
    IrRef old = hc->st.slot_val[s];
    ValInfo *vi = &hc->val[v];
    vi->next_use = vi->first_use;
    if (old == IR_NONE) {
        vi->home = s;
    } else if (old == hc->n_insns + s) {
        ValInfo *oi = &hc->val[old];
        vi->reg = oi->reg;
        vi->home = oi->home;
        hc->st.reg_val[vi->reg] = v;
        oi->reg = NO_REG;
        oi->home = NO_SLOT;
        oi->slot_refs = 0;
    } else {
        /* Contents known under another name: a copy of its own. */
        Reg from = ra_use(hc, old);
        Reg r = ra_alloc(hc, class_of(val_type(hc, v)), NO_REG);
        ra_move(hc, r, from, val_type(hc, v));
        reg_set(hc, r, v);
        return;
    }
    slot_val_set(hc, s, v);
    vi->slot_refs = 1;
}

/* ---- whole-state operations ---- */

void ra_begin(HostCompiler *hc)
{
    memset(&hc->st, 0xff, sizeof(hc->st));
    hc->st.stale = hc->st.valued = (IrSlotSet){ 0 };
    hc->st.spill_used = SPILLS_RESERVED;
    hc->spill_dead = 0;
    hc->used = hc->pinned = 0;
    memset(hc->last_reg, NO_REG, sizeof(hc->last_reg));
}

RaState *ra_save(HostCompiler *hc)
{
    RaState *saved = arena_alloc(&hc->arena, sizeof(*saved));
    size_t n = offsetof(RaState, slot_val) + hc->n_slots * sizeof(IrRef);
    memcpy(saved, &hc->st, n);
    saved->spill_used &= ~hc->spill_dead;
    return saved;
}

static void clear_values(HostCompiler *hc)
{
    hc->st.spill_used &= ~hc->spill_dead;
    hc->spill_dead = 0;
    for (uint32_t m = hc->used; m; m &= m - 1) {
        unsigned r = __builtin_ctz(m);
        hc->val[hc->st.reg_val[r]].reg = NO_REG;
        hc->st.reg_val[r] = IR_NONE;
    }
    for (uint64_t m = hc->st.spill_used & ~SPILLS_RESERVED; m; m &= m - 1) {
        hc->val[hc->st.spill_val[__builtin_ctzll(m)]].spill = NO_SPILL;
    }
    FOR_SLOTS(&hc->st.valued, s) {
        IrRef v = hc->st.slot_val[s];
        hc->val[v].home = NO_SLOT;
        hc->val[v].slot_refs = 0;
        hc->st.slot_val[s] = IR_NONE;
    }
    hc->st.valued = (IrSlotSet){ 0 };
    hc->used = 0;
}

void ra_restore(HostCompiler *hc, const RaState *saved)
{
    clear_values(hc);
    memcpy(&hc->st, saved, offsetof(RaState, slot_val) + hc->n_slots * sizeof(IrRef));
    for (unsigned r = 0; r < X_N_REGS; r++) {
        IrRef v = hc->st.reg_val[r];
        if (v != IR_NONE) {
            reg_set(hc, r, v);
        }
    }
    for (uint64_t m = hc->st.spill_used & ~SPILLS_RESERVED; m; m &= m - 1) {
        unsigned place = __builtin_ctzll(m);
        hc->val[hc->st.spill_val[place]].spill = place;
    }
    FOR_SLOTS(&hc->st.valued, s) {
        IrRef v = hc->st.slot_val[s];
        hc->val[v].slot_refs++;
        if (!ir_slots_has(&hc->st.stale, s) && !is_scalar_const(hc, v) && slot_holds_all(hc, s, v)) {
            hc->val[v].home = s;
        }
    }
}

void ra_tree_begin(HostCompiler *hc, uint16_t block)
{
    const BlockInfo *bi = &hc->block[block];
    hc->st.spill_used &= ~hc->spill_dead;
    hc->spill_dead = 0;
    for (uint32_t m = hc->used; m; m &= m - 1) {
        hc->val[hc->st.reg_val[__builtin_ctz(m)]].next_use = NO_POS;
    }
    for (uint64_t m = hc->st.spill_used & ~SPILLS_RESERVED; m; m &= m - 1) {
        hc->val[hc->st.spill_val[__builtin_ctzll(m)]].next_use = NO_POS;
    }
    FOR_SLOTS(&hc->st.valued, s) {
        hc->val[hc->st.slot_val[s]].next_use = NO_POS;
    }
    for (uint32_t k = 0; k < bi->live_n; k++) {
        const LiveUse *l = &hc->live.at[bi->live_first + k];
        hc->val[l->ref].next_use = l->pos;
    }
    for (uint32_t m = hc->used; m; m &= m - 1) {
        val_drop_if_dead(hc, hc->st.reg_val[__builtin_ctz(m)]);
    }
    for (uint64_t m = hc->st.spill_used & ~SPILLS_RESERVED; m; m &= m - 1) {
        unsigned place = __builtin_ctzll(m);
        IrRef v = hc->st.spill_val[place];
        if (hc->val[v].spill != place) {
            /* Dropped together with its register just now. */
            hc->st.spill_used &= ~BIT(place);
        } else if (hc->val[v].next_use == NO_POS) {
            hc->st.spill_used &= ~BIT(place);
            hc->val[v].spill = NO_SPILL;
            forget_homeless(hc, v);
        }
    }
    hc->spill_dead = 0;
    snap_block(&hc->snap, x_offset(&hc->as));
    for (unsigned w = 0; w < IR_MAX_SLOTS / 64; w++) {
        for (uint64_t m = hc->st.stale.w[w]; m; m &= m - 1) {
            slot_event(hc, w * 64 + __builtin_ctzll(m));
        }
    }
}

void ra_merge_begin(HostCompiler *hc, uint16_t block)
{
    const EntryMap *map = hc->block[block].map;
    clear_values(hc);
    hc->st.spill_used = SPILLS_RESERVED;
    hc->st.stale = map->stale;
    snap_block(&hc->snap, x_offset(&hc->as));
    for (unsigned k = 0; k < map->n; k++) {
        unsigned s = map->slot[k];
        IrRef v = hc->n_insns + s;
        hc->val[v].next_use = NO_POS;
        hc->val[v].slot_refs = 1;
        hc->val[v].home = ir_slots_has(&map->stale, s) ? NO_SLOT : s;
        slot_val_set(hc, s, v);
        reg_set(hc, map->reg[k], v);
        if (ir_slots_has(&map->stale, s)) {
            slot_event(hc, s);
        }
    }
}

/* ---- entry maps ---- */

static void map_add(EntryMap *map, unsigned s, Reg r, bool stale)
{
    map->slot[map->n] = s;
    map->reg[map->n++] = r;
    ir_slots_add(&map->mapped, s);
    if (stale) {
        ir_slots_add(&map->stale, s);
    }
}

static Reg map_pick(uint32_t free, bool vec, Reg prefer)
{
    static const uint8_t order[] = { RBX, R12, R13, R15, R8, R9, R10, RSI, RDI, R14, RDX, RCX, RAX };
    if (prefer != NO_REG && (free >> prefer & 1)) {
        return prefer;
    }
    if (vec) {
        return free & REGS_VEC ? 31 - __builtin_clz(free & REGS_VEC) : NO_REG;
    }
    for (unsigned k = 0; k < ARRAY_SIZE(order); k++) {
        if (free >> order[k] & 1) {
            return order[k];
        }
    }
    return NO_REG;
}

static Reg slot_reg(const HostCompiler *hc, unsigned s)
{
    IrRef v = hc->st.slot_val[s];
    return v == IR_NONE || is_scalar_const(hc, v) ? NO_REG : hc->val[v].reg;
}

static void map_choose_loop(HostCompiler *hc, uint16_t block, EntryMap *map)
{
    const BlockInfo *bi = &hc->block[block];
    uint32_t free = hc->allocatable;
    uint8_t cand[IR_MAX_SLOTS];
    unsigned n = 0, room[2];

    room[0] = __builtin_popcount(hc->allocatable & REGS_GPR) - 3;
    room[1] = __builtin_popcount(hc->allocatable & REGS_VEC) - 3;
    IrSlotSet touched;
    for (unsigned w = 0; w < IR_MAX_SLOTS / 64; w++) {
        touched.w[w] = bi->loop_used.w[w] | bi->loop_defined.w[w];
    }
    FOR_SLOTS(&touched, s) {
        if (bi->loop_weight[s] && s != hc->target->pc_slot && ir_slots_has(&bi->needed, s)) {
            unsigned at = n++;
            while (at && bi->loop_weight[cand[at - 1]] < bi->loop_weight[s]) {
                cand[at] = cand[at - 1];
                at--;
            }
            cand[at] = s;
        }
    }
    /* Slots of an outer loop that are in registers now stay there if there is room. */
    FOR_SLOTS(&hc->st.stale, s) {
        if (!bi->loop_weight[s] && slot_reg(hc, s) != NO_REG && ir_slots_has(&bi->live, s)) {
            cand[n++] = s;
        }
    }
    /* First those that stay where they are, so that nobody takes their register. */
    Reg reg[IR_MAX_SLOTS];
    unsigned chosen = 0;
    for (unsigned k = 0; k < n; k++) {
        bool vec = !ir_type_is_int(slot_type(hc, cand[k]));
        if (!room[vec] || (slot_type(hc, cand[k]) == IR_V256 && !has(hc, X_AVX))) {
            continue;
        }
        room[vec]--;
        cand[chosen++] = cand[k];
    }
    for (unsigned k = 0; k < chosen; k++) {
        Reg now = slot_reg(hc, cand[k]);
        reg[k] = NO_REG;
        if (now != NO_REG && (free >> now & 1) && !(1u << now & (1u << RAX | 1u << RCX | 1u << RDX))) {
            reg[k] = now;
            free &= ~(1u << now);
        }
    }
    for (unsigned k = 0; k < chosen; k++) {
        unsigned s = cand[k];
        if (reg[k] == NO_REG) {
            bool vec = !ir_type_is_int(slot_type(hc, s));
            reg[k] = map_pick(free & (vec ? REGS_VEC : REGS_GPR), vec, NO_REG);
            free &= ~(1u << reg[k]);
        }
        map_add(map, s, reg[k], ir_slots_has(&bi->loop_defined, s) || ir_slots_has(&hc->st.stale, s));
    }
}

static void map_choose_join(HostCompiler *hc, uint16_t block, EntryMap *map)
{
    const BlockInfo *bi = &hc->block[block];
    const EntryMap *outer = bi->loop != NO_INDEX ? hc->block[bi->loop].map : NULL;
    uint32_t free = hc->allocatable;

    IrSlotSet maybe;
    for (unsigned w = 0; w < IR_MAX_SLOTS / 64; w++) {
        maybe.w[w] = hc->st.valued.w[w] | (outer ? outer->mapped.w[w] : 0);
    }
    FOR_SLOTS(&maybe, s) {
        Reg now = slot_reg(hc, s);
        bool in_outer = outer && ir_slots_has(&outer->mapped, s);
        if (s == hc->target->pc_slot || (now == NO_REG && !in_outer) || !ir_slots_has(&bi->needed, s) ||
            (!in_outer && !ir_slots_has(&bi->live, s))) {
            continue;
        }
        Reg r = NO_REG;
        if (in_outer) {
            for (unsigned k = 0; k < outer->n; k++) {
                if (outer->slot[k] == s) {
                    r = outer->reg[k];
                }
            }
        }
        bool vec = !ir_type_is_int(slot_type(hc, s));
        r = map_pick(free & (vec ? REGS_VEC : REGS_GPR), vec, r != NO_REG ? r : now);
        if (r == NO_REG || map->n == ARRAY_SIZE(map->slot)) {
            continue;
        }
        free &= ~(1u << r);
        map_add(map, s, r, ir_slots_has(&hc->st.stale, s) || ir_slots_has(&bi->pred_defined, s) ||
                           (in_outer && ir_slots_has(&outer->stale, s)));
    }
}

EntryMap *ra_map_new(HostCompiler *hc, uint16_t block)
{
    EntryMap *map = arena_alloc(&hc->arena, sizeof(*map));
    memset(map, 0, sizeof(*map));
    map->needed = hc->block[block].needed;
    return map;
}

void ra_map_choose(HostCompiler *hc, uint16_t block)
{
    BlockInfo *bi = &hc->block[block];
    if (bi->map) {
        return;
    }
    EntryMap *map = ra_map_new(hc, block);
    if (hc->unit->blocks.at[block].flags & IR_BLOCK_LOOP) {
        map_choose_loop(hc, block, map);
    } else {
        map_choose_join(hc, block, map);
    }
    bi->map = map;
}

bool ra_map_matches(HostCompiler *hc, const EntryMap *map)
{
    for (unsigned w = 0; w < IR_MAX_SLOTS / 64; w++) {
        if (hc->st.stale.w[w] & ~map->stale.w[w] & map->needed.w[w]) {
            return false;
        }
    }
    for (unsigned k = 0; k < map->n; k++) {
        if (slot_reg(hc, map->slot[k]) != map->reg[k]) {
            return false;
        }
    }
    return true;
}

void ra_map_shuffle(HostCompiler *hc, const EntryMap *map)
{
    uint8_t src[X_N_REGS]; /* by destination register */
    uint8_t type[X_N_REGS];
    uint8_t readers[X_N_REGS] = { 0 };
    uint32_t pending = 0;

    for (unsigned w = 0; w < IR_MAX_SLOTS / 64; w++) {
        for (uint64_t m = hc->st.stale.w[w] & ~map->stale.w[w] & map->needed.w[w]; m; m &= m - 1) {
            slot_store(hc, w * 64 + __builtin_ctzll(m));
        }
    }
    for (unsigned k = 0; k < map->n; k++) {
        Reg from = slot_reg(hc, map->slot[k]), to = map->reg[k];
        if (from != NO_REG && from != to) {
            src[to] = from;
            type[to] = slot_type(hc, map->slot[k]);
            readers[from]++;
            pending |= 1u << to;
        } else if (from == to) {
            readers[from] += 64; /* stays: its register must not be overwritten (and is not: one per slot) */
        }
    }
    while (pending) {
        bool moved = false;
        for (uint32_t m = pending; m; m &= m - 1) {
            Reg d = __builtin_ctz(m);
            if (!(readers[d] & 63)) {
                ra_move(hc, d, src[d], type[d]);
                readers[src[d]]--;
                pending &= ~(1u << d);
                moved = true;
            }
        }
        if (!moved) {
            /* Only cycles are left: break one through the scratch register. */
            Reg d = __builtin_ctz(pending), tmp = reg_is_vec(d) ? REG_VTMP : REG_TMP;
            ra_move(hc, tmp, d, reg_is_vec(d) ? (has(hc, X_AVX) ? IR_V256 : IR_V128) : IR_I64);
            for (uint32_t m = pending; m; m &= m - 1) {
                Reg x = __builtin_ctz(m);
                if (src[x] == d) {
                    src[x] = tmp;
                    readers[d]--;
                }
            }
        }
    }
    for (unsigned k = 0; k < map->n; k++) {
        unsigned s = map->slot[k];
        if (slot_reg(hc, s) == NO_REG) {
            IrRef v = hc->st.slot_val[s];
            if (v != IR_NONE && is_scalar_const(hc, v)) {
                ra_load_const(hc, map->reg[k], slot_type(hc, s), hc->insns[v].imm);
            } else {
                /* Not in a register and not stale: memory has it. */
                ra_load(hc, map->reg[k], slot_type(hc, s), slot_mem(hc, s));
            }
        }
    }
}

void ra_store_stale(HostCompiler *hc)
{
    for (unsigned w = 0; w < IR_MAX_SLOTS / 64; w++) {
        for (uint64_t m = hc->st.stale.w[w]; m; m &= m - 1) {
            slot_store(hc, w * 64 + __builtin_ctzll(m));
        }
    }
}

void ra_emit_stale(HostCompiler *hc, const RaState *st, unsigned but_slot)
{
    for (unsigned w = 0; w < IR_MAX_SLOTS / 64; w++) {
        for (uint64_t m = st->stale.w[w]; m; m &= m - 1) {
            unsigned s = w * 64 + __builtin_ctzll(m);
            IrRef v = st->slot_val[s];
            if (s == but_slot) {
                continue;
            }
            if (is_scalar_const(hc, v)) {
                store_const(hc, slot_mem(hc, s), slot_type(hc, s), hc->insns[v].imm);
                continue;
            }
            Reg r = hc->val[v].reg;
            if (st != &hc->st) {
                for (r = 0; st->reg_val[r] != v; r++) {
                }
            }
            ra_store(hc, slot_mem(hc, s), slot_type(hc, s), r);
        }
    }
}

void ra_forget_slots(HostCompiler *hc)
{
    IrSlotSet all = hc->st.valued;
    FOR_SLOTS(&all, s) {
        slot_release(hc, s);
    }
}

void ra_vacate(HostCompiler *hc, uint32_t regs)
{
    for (uint32_t m = hc->used & regs; m; m &= m - 1) {
        Reg r = __builtin_ctz(m);
        IrRef v = hc->st.reg_val[r];
        uint32_t free = hc->allocatable & (reg_is_vec(r) ? 0 : REGS_CALL_SAVED) & ~hc->used & ~hc->pinned & ~regs;
        if (hc->val[v].next_use == NO_POS && !hc->val[v].slot_refs) {
            /* Its last reader is the call itself, which has noted the register. */
            hc->val[v].reg = NO_REG;
            reg_clear(hc, r);
        } else if (free && !val_is_const(hc, v)) {
            relocate(hc, __builtin_ctz(free), r);
        } else {
            evict(hc, r);
        }
    }
}
