/*
 * lower.c: the forward walk: blocks, branches, exits, out-of-line code and the constant pool.
 *
 * Threads: one HostCompiler per thread; nothing else is written.
 */
#include "tcg/x86_64/host.h"

/* ---- SSE or AVX forms ---- */

void sse_rrr(HostCompiler *hc, uint32_t op, Reg d, Reg s1, Reg s2)
{
    if (has(hc, X_AVX)) {
        v_rrr(&hc->as, op, d, s1, s2);
        return;
    }
    if (d != s1) {
        assert(d != s2);
        x_rr(&hc->as, I_MOVAPS, d, s1);
    }
    x_rr(&hc->as, op, d, s2);
}

void sse_rrm(HostCompiler *hc, uint32_t op, Reg d, Reg s1, Mem m)
{
    if (has(hc, X_AVX)) {
        v_rrm(&hc->as, op, d, s1, m, 0);
        return;
    }
    if (d != s1) {
        x_rr(&hc->as, I_MOVAPS, d, s1);
    }
    x_rm(&hc->as, op, d, m);
}

void sse_rr(HostCompiler *hc, uint32_t op, Reg d, Reg s)
{
    if (has(hc, X_AVX)) {
        v_rrr(&hc->as, op, d, 0, s);
    } else {
        x_rr(&hc->as, op, d, s);
    }
}

void sse_rm(HostCompiler *hc, uint32_t op, Reg d, Mem m)
{
    if (has(hc, X_AVX)) {
        v_rrm(&hc->as, op, d, 0, m, 0);
    } else {
        x_rm(&hc->as, op, d, m);
    }
}

/* ---- constant pool ---- */

Mem pool_vec(HostCompiler *hc, const IrVecConst *c, unsigned size_bytes)
{
    unsigned words = MAX(size_bytes / 8, 2u);
    for (size_t k = 0; k + words <= hc->pool.n; k += 2) {
        if (!memcmp(&hc->pool.at[k], c->u64, words * 8)) {
            return mem_bd(X_POOL, k * 8);
        }
    }
    uint32_t at = hc->pool.n * 8;
    for (unsigned k = 0; k < words; k++) {
        *vec_push(&hc->pool) = c->u64[k];
    }
    return mem_bd(X_POOL, at);
}

Mem pool_u64x2(HostCompiler *hc, uint64_t lo, uint64_t hi)
{
    IrVecConst c = { .u64 = { lo, hi } };
    return pool_vec(hc, &c, 16);
}

static void pool_emit(HostCompiler *hc)
{
    Asm *as = &hc->as;
    if (!hc->pool.n) {
        return;
    }
    while (x_offset(as) & 15) {
        x_u8(as, 0xcc);
    }
    uint32_t base = x_offset(as);
    if ((size_t)(as->end - as->cur) < hc->pool.n * 8 || as->n_pool_refs == X_MAX_POOL_REFS) {
        hc->ok = false;
        return;
    }
    memcpy(as->cur, hc->pool.at, hc->pool.n * 8);
    as->cur += hc->pool.n * 8;
    for (uint32_t k = 0; k < as->n_pool_refs; k++) {
        int32_t rel;
        memcpy(&rel, as->start + as->pool_ref[k], 4);
        rel += base;
        memcpy(as->start + as->pool_ref[k], &rel, 4);
    }
}

/* ---- labels and out-of-line code ---- */

static void patch_rel32(HostCompiler *hc, uint32_t pos, uint32_t target)
{
    int32_t rel = (int32_t)(target - (pos + 4));
    memcpy(hc->as.start + pos, &rel, 4);
}

Ool *ool_new(HostCompiler *hc, void (*emit)(HostCompiler *, const Ool *), uint32_t patch)
{
    Ool *o = vec_push(&hc->ool);
    *o = (Ool){ .emit = emit, .patch = patch, .back = x_offset(&hc->as), .insn = hc->i, .addend = NO_REG };
    return o;
}

Ool *ool_jcc(HostCompiler *hc, unsigned cc, void (*emit)(HostCompiler *, const Ool *))
{
    x_jcc_rel32(&hc->as, cc);
    return ool_new(hc, emit, x_offset(&hc->as) - 4);
}

void ool_back(HostCompiler *hc, const Ool *o)
{
    x_jump_back(&hc->as, CC_ALWAYS, o->back);
}

static void ool_emit_all(HostCompiler *hc)
{
    for (size_t k = 0; k < hc->ool.n && hc->ok; k++) {
        Ool o = hc->ool.at[k];
        if (hc->as.end - hc->as.cur < X_ROOM) {
            hc->ok = false;
            return;
        }
        if (o.patch != NO_POS) {
            patch_rel32(hc, o.patch, x_offset(&hc->as));
        }
        hc->i = o.insn;
        o.emit(hc, &o);
    }
}

/* ---- leaving ---- */

static void store_pc(HostCompiler *hc, vaddr pc)
{
    Mem m = slot_mem(hc, hc->target->pc_slot);
    bool wide = slot_type(hc, hc->target->pc_slot) == IR_I64;
    if (wide && (int64_t)pc != (int32_t)pc) {
        x_mov_ri(&hc->as, REG_TMP, pc);
        x_store(&hc->as, 3, m, REG_TMP);
    } else {
        x_mov_mi(&hc->as, wide ? 3 : 2, m, (int32_t)pc);
    }
}

static void jmp_mem(HostCompiler *hc, Mem m) { x_rm(&hc->as, 0xff, 4, m); }

static void emit_leave(HostCompiler *hc, unsigned reason)
{
    x_mov_ri(&hc->as, RAX, reason);
    x_alu_rr(&hc->as, false, A_XOR, RDX, RDX);
    jmp_mem(hc, JIT_MEM(epilogue));
}

/* What an unlinked direct exit runs: tell the main loop which link to make. imm = guest pc. */
static void emit_link_stub(HostCompiler *hc, const Ool *o)
{
    hc->link.at[o->x].stub = x_offset(&hc->as);
    store_pc(hc, o->imm);
    x_lea(&hc->as, true, RDX, mem_bd(X_RIP, o->patch));
    x_alu_rr(&hc->as, false, A_XOR, RAX, RAX);
    jmp_mem(hc, JIT_MEM(epilogue));
}

/* A jump (or call) whose distance the accelerator patches: 4-byte aligned. */
static void emit_link(HostCompiler *hc, unsigned opcode, uint16_t exit, vaddr pc, bool to_return)
{
    Asm *as = &hc->as;
    x_nops(as, -(x_offset(as) + 1) & 3);
    x_u8(as, opcode);
    x_u32(as, 0);
    as->n_insns++;
    uint32_t patch = x_offset(as) - 4;
    Ool *o = ool_new(hc, emit_link_stub, patch);
    o->x = hc->link.n;
    o->imm = pc;
    *vec_push(&hc->link) = (HostLink){ .patch = patch, .exit = exit, .to_return = to_return };
}

/* rax = &jump cache entry of the pc in register r, which is not rax. */
static void emit_jump_cache_index(HostCompiler *hc, Reg r)
{
    Asm *as = &hc->as;
    unsigned shift = hc->target->pc_shift;
    x_mov_rr(as, false, RAX, r);
    x_shift_ri(as, false, S_SHR, RAX, JUMP_CACHE_BITS);
    x_alu_rr(as, false, A_XOR, RAX, r);
    static_assert(sizeof(JumpCacheEntry) == 16, "scaled below");
    x_alu_ri(as, false, A_AND, RAX, (JUMP_CACHE_ENTRIES - 1) << shift);
    if (shift < 4) {
        x_shift_ri(as, false, S_SHL, RAX, 4 - shift);
    }
    x_alu_rm(as, true, A_ADD, RAX, JIT_MEM(jump_cache));
}

static void store_pc_reg(HostCompiler *hc, Reg r)
{
    x_store(&hc->as, slot_type(hc, hc->target->pc_slot) == IR_I64 ? 3 : 2,
            slot_mem(hc, hc->target->pc_slot), r);
}

static void emit_lookup_jump(HostCompiler *hc, const Ool *o)
{
    store_pc_reg(hc, o->r[0]);
    jmp_mem(hc, JIT_MEM(lookup));
}

static void emit_lookup_call(HostCompiler *hc, const Ool *o)
{
    store_pc_reg(hc, o->r[0]);
    x_rm(&hc->as, 0xff, 2, JIT_MEM(lookup));
    ool_back(hc, o);
}

static void emit_indirect_jump(HostCompiler *hc, Reg r)
{
    emit_jump_cache_index(hc, r);
    x_alu_rm(&hc->as, true, A_CMP, r, mem_bd(RAX, offsetof(JumpCacheEntry, pc)));
    Ool *o = ool_jcc(hc, CC_NE, emit_lookup_jump);
    o->r[0] = r;
    jmp_mem(hc, mem_bd(RAX, offsetof(JumpCacheEntry, code)));
}

/*
 * System mode: a page may be mapped elsewhere tomorrow, so exits to other pages are not links but go through the
 * jump cache, which follows the mapping. The pc is in r11 afterwards and rax points to its entry.
 */
static bool is_far(const HostCompiler *hc, vaddr pc)
{
    return hc->unit->softmmu && (pc ^ hc->unit->pc) >> hc->target->page_bits;
}

static Mem emit_probe_const(HostCompiler *hc, vaddr pc)
{
    Asm *as = &hc->as;
    int32_t at = (int32_t)jump_cache_index(hc->target->pc_shift, pc) * (int)sizeof(JumpCacheEntry);
    x_rm(as, I_MOV_LD | X_W, RAX, JIT_MEM(jump_cache));
    x_mov_ri(as, REG_TMP, pc);
    x_alu_rm(as, true, A_CMP, REG_TMP, mem_bd(RAX, at + (int)offsetof(JumpCacheEntry, pc)));
    return mem_bd(RAX, at + (int)offsetof(JumpCacheEntry, code));
}

static void emit_far_jump(HostCompiler *hc, vaddr pc)
{
    Mem code = emit_probe_const(hc, pc);
    ool_jcc(hc, CC_NE, emit_lookup_jump)->r[0] = REG_TMP;
    jmp_mem(hc, code);
}

static void emit_far_call(HostCompiler *hc, vaddr pc)
{
    Mem code = emit_probe_const(hc, pc);
    Ool *o = ool_jcc(hc, CC_NE, emit_lookup_call);
    o->r[0] = REG_TMP;
    size_t index = o - hc->ool.at;
    x_rm(&hc->as, 0xff, 2, code);
    hc->ool.at[index].back = x_offset(&hc->as);
}

/* The shadow stack does not hold the pc returned to: forget it all. */
static void emit_return_miss(HostCompiler *hc, const Ool *o)
{
    x_rm(&hc->as, I_MOV_LD | X_W, RSP, JIT_MEM(host_sp));
    emit_indirect_jump(hc, o->r[0]);
}

static void emit_drop_frames(HostCompiler *hc, const Ool *o)
{
    x_rm(&hc->as, I_MOV_LD | X_W, RSP, JIT_MEM(host_sp));
    ool_back(hc, o);
}

/* Pushes the guest's return pc, dropping all frames first when the stack has grown too far. */
static void emit_push_frame(HostCompiler *hc, vaddr return_pc)
{
    Asm *as = &hc->as;
    x_alu_rm(as, true, A_CMP, RSP, JIT_MEM(host_sp_limit));
    ool_jcc(hc, CC_B, emit_drop_frames);
    if ((int64_t)return_pc == (int32_t)return_pc) {
        x_u8(as, 0x68);
        x_u32(as, return_pc);
        as->n_insns++;
    } else {
        x_mov_ri(as, REG_TMP, return_pc);
        x_push(as, REG_TMP);
    }
}

/* Where the host's `ret` of the callee comes to. */
static void emit_return_point(HostCompiler *hc, uint16_t exit, vaddr return_pc)
{
    x_alu_ri(&hc->as, true, A_ADD, RSP, 8);
    if (is_far(hc, return_pc)) {
        emit_far_jump(hc, return_pc);
    } else {
        emit_link(hc, 0xe9, exit, return_pc, true);
    }
}

void lower_exit(HostCompiler *hc, const IrInsn *in)
{
    const IrExit *e = &hc->unit->exits.at[in->aux];
    Asm *as = &hc->as;
    IrRef pc = hc->ops[0];
    Reg r = NO_REG;

    if (pc != IR_NONE) {
        /* rax is the probe's own; the pc must also be a full register. */
        bool narrow = val_type(hc, pc) == IR_I32;
        if (hc->val[pc].reg == RAX) {
            r = ra_alloc(hc, REGS_GPR & ~(1u << RAX), NO_REG);
            hc->pinned |= 1u << r;
            x_mov_rr(as, !narrow, r, RAX);
            narrow = false;
        } else {
            if (!(hc->used & 1u << RAX)) {
                hc->pinned |= 1u << RAX;
            }
            r = ra_use(hc, pc);
            if (r == RAX) {
                Reg t = ra_alloc(hc, REGS_GPR & ~(1u << RAX), NO_REG);
                hc->pinned |= 1u << t;
                x_mov_rr(as, !narrow, t, RAX);
                r = t;
                narrow = false;
            }
        }
        if (val_type(hc, pc) == IR_I32 && narrow) {
            x_mov_rr(as, false, REG_TMP, r);
            r = REG_TMP;
        }
    }
    ra_emit_stale(hc, &hc->st, hc->target->pc_slot);
    if (r == REG_TMP) {
        /* Stores of constants may have used the scratch register. */
        x_mov_rr(as, false, REG_TMP, hc->val[pc].reg);
    }
    switch (e->kind) {
    case IR_EXIT_JUMP:
        if (is_far(hc, e->pc)) {
            emit_far_jump(hc, e->pc);
        } else {
            emit_link(hc, 0xe9, in->aux, e->pc, false);
        }
        break;
    case IR_EXIT_CALL:
        emit_push_frame(hc, e->return_pc);
        if (is_far(hc, e->pc)) {
            emit_far_call(hc, e->pc);
        } else {
            emit_link(hc, 0xe8, in->aux, e->pc, false);
        }
        emit_return_point(hc, in->aux, e->return_pc);
        break;
    case IR_EXIT_INDIRECT:
        emit_indirect_jump(hc, r);
        break;
    case IR_EXIT_INDIRECT_CALL: {
        if (r == REG_TMP) {
            x_mov_rr(as, false, RCX, r);
            r = RCX;
        }
        emit_push_frame(hc, e->return_pc);
        emit_jump_cache_index(hc, r);
        x_alu_rm(as, true, A_CMP, r, mem_bd(RAX, offsetof(JumpCacheEntry, pc)));
        Ool *o = ool_jcc(hc, CC_NE, emit_lookup_call);
        o->r[0] = r;
        size_t index = o - hc->ool.at;
        x_rm(as, 0xff, 2, mem_bd(RAX, offsetof(JumpCacheEntry, code)));
        hc->ool.at[index].back = x_offset(as);
        emit_return_point(hc, in->aux, e->return_pc);
        break;
    }
    case IR_EXIT_RETURN: {
        x_alu_rm(as, true, A_CMP, r, mem_bd(RSP, 8));
        Ool *o = ool_jcc(hc, CC_NE, emit_return_miss);
        o->r[0] = r;
        x_ret(as);
        break;
    }
    default:
        if (r != NO_REG) {
            store_pc_reg(hc, r);
        } else {
            store_pc(hc, e->pc);
        }
        emit_leave(hc, e->reason);
    }
}

static void emit_poll_exit(HostCompiler *hc, const Ool *o)
{
    if (o->x) {
        x_alu_mi(&hc->as, false, A_ADD, JIT_MEM(icount_budget), o->x);
    }
    ra_restore(hc, o->state);
    ra_emit_stale(hc, &hc->st, hc->target->pc_slot);
    store_pc(hc, hc->insns[o->insn].imm);
    emit_leave(hc, VCPU_EXIT_REQUEST);
}

static void lower_poll(HostCompiler *hc, const IrInsn *in)
{
    if (in->op == IR_icount) {
        x_alu_mi(&hc->as, false, A_SUB, JIT_MEM(icount_budget), in->aux);
    } else {
        x_alu_mi(&hc->as, false, A_CMP, JIT_MEM(exit_request), 0);
    }
    Ool *o = ool_jcc(hc, in->op == IR_icount ? CC_S : CC_NE, emit_poll_exit);
    o->x = in->op == IR_icount ? in->aux : 0;
    o->state = ra_save(hc);
}

/* ---- branches ---- */

/* Does the way from the current block lead into the core of a loop? */
static inline bool enters(const HostCompiler *hc, uint16_t target)
{
    return hc->block[hc->b].core != target;
}

static void jump_to(HostCompiler *hc, unsigned cc, uint16_t target, bool from_outside)
{
    BlockInfo *bi = &hc->block[target];
    if (bi->offset != NO_POS) {
        x_jump_back(&hc->as, cc, from_outside ? bi->set_up : bi->offset);
        return;
    }
    if (cc == CC_ALWAYS) {
        x_jmp_rel32(&hc->as);
    } else {
        x_jcc_rel32(&hc->as, cc);
    }
    *vec_push(&hc->fixup) = (Fixup){ x_offset(&hc->as) - 4, bi->fixups };
    bi->fixups = hc->fixup.n - 1;
}

static inline bool is_merge(const HostCompiler *hc, uint16_t block)
{
    return hc->unit->blocks.at[block].flags & IR_BLOCK_MERGE;
}

static void emit_edge(HostCompiler *hc, const Ool *o)
{
    ra_restore(hc, o->state);
    ra_map_shuffle(hc, hc->block[o->x].map);
    jump_to(hc, CC_ALWAYS, o->x, o->enters);
}

static void edge(HostCompiler *hc, unsigned cc, uint16_t target)
{
    BlockInfo *bi = &hc->block[target];
    bi->reached = true;
    if (!is_merge(hc, target)) {
        if (!bi->entry) {
            bi->entry = ra_save(hc);
        }
        jump_to(hc, cc, target, enters(hc, target));
        return;
    }
    ra_map_choose(hc, target);
    if (ra_map_matches(hc, bi->map)) {
        jump_to(hc, cc, target, enters(hc, target));
    } else if (cc == CC_ALWAYS) {
        ra_map_shuffle(hc, bi->map);
        jump_to(hc, cc, target, enters(hc, target));
    } else {
        Ool *o = ool_jcc(hc, cc, emit_edge);
        o->x = target;
        o->enters = enters(hc, target);
        o->state = ra_save(hc);
    }
}

/* The end of a block whose code is followed by `target`'s. */
static void fall_into(HostCompiler *hc, uint16_t target)
{
    BlockInfo *bi = &hc->block[target];
    bi->reached = true;
    hc->fall_to = target;
    if (is_merge(hc, target)) {
        ra_map_choose(hc, target);
        if (!ra_map_matches(hc, bi->map)) {
            ra_map_shuffle(hc, bi->map);
        }
    }
}

static void branch(HostCompiler *hc, unsigned cc, uint16_t taken, uint16_t other)
{
    if (taken == other) {
        cc = CC_ALWAYS;
    }
    if (cc == CC_ALWAYS) {
        if (taken == hc->next_block) {
            fall_into(hc, taken);
        } else {
            edge(hc, CC_ALWAYS, taken);
        }
        return;
    }
    if (taken == hc->next_block) {
        uint16_t t = taken;
        taken = other;
        other = t;
        cc ^= 1;
    }
    BlockInfo *ti = &hc->block[taken];
    if (other == hc->next_block && is_merge(hc, taken) && ti->offset != NO_POS &&
        !ra_map_matches(hc, ti->map)) {
        /* A loop's back edge with something to move: in line, the way out jumps over it. */
        RaState *saved = ra_save(hc);
        x_jcc_rel32(&hc->as, cc ^ 1);
        uint32_t over = x_offset(&hc->as) - 4;
        ra_map_shuffle(hc, ti->map);
        jump_to(hc, CC_ALWAYS, taken, enters(hc, taken));
        patch_rel32(hc, over, x_offset(&hc->as));
        ra_restore(hc, saved);
        fall_into(hc, other);
        return;
    }
    edge(hc, cc, taken);
    if (other == hc->next_block) {
        fall_into(hc, other);
    } else {
        edge(hc, CC_ALWAYS, other);
    }
}

unsigned x64_cc(unsigned cond)
{
    static const uint8_t cc[IR_N_CONDS] = {
        [IR_EQ] = CC_E, [IR_NE] = CC_NE, [IR_LT] = CC_L, [IR_GE] = CC_GE, [IR_LE] = CC_LE, [IR_GT] = CC_G,
        [IR_LTU] = CC_B, [IR_GEU] = CC_AE, [IR_LEU] = CC_BE, [IR_GTU] = CC_A,
        [IR_TSTEQ] = CC_E, [IR_TSTNE] = CC_NE,
    };
    return cc[cond];
}

void lower_branch(HostCompiler *hc, const IrInsn *in)
{
    uint16_t taken = in->c & 0xffff, other = in->c >> 16;
    unsigned cc;

    x64_fp_control_leave(hc);
    if (in->op == IR_br) {
        branch(hc, CC_ALWAYS, in->a, in->a);
        return;
    }
    if (in->op == IR_brcond) {
        cc = lower_compare(hc, in->aux, hc->insns[in->a].type, hc->ops[0], hc->ops[1]);
    } else if (hc->val[in->a].fused == FUSED_TEST) {
        const IrInsn *test = &hc->insns[in->a];
        if (test->op == IR_fcmp) {
            bool parity;
            cc = lower_fp_compare(hc, test, &parity);
            ra_consume(hc);
            if (parity) {
                /* Unordered is `not equal`. */
                edge(hc, CC_P, other);
            }
            branch(hc, cc, taken, other);
            return;
        }
        cc = lower_compare(hc, test->aux, hc->insns[test->a].type, hc->ops[0], hc->ops[1]);
    } else if (hc->flags_val == in->a && hc->flags_at == x_offset(&hc->as)) {
        cc = hc->flags_cc;
    } else {
        bool w = hc->insns[in->a].type == IR_I64;
        Mem m;
        if (ra_is_memory(hc, hc->ops[0], &m)) {
            x_alu_mi(&hc->as, w, A_CMP, m, 0);
        } else {
            Reg r = ra_use(hc, hc->ops[0]);
            x_test_rr(&hc->as, w, r, r);
        }
        cc = CC_NE;
    }
    ra_consume(hc);
    branch(hc, cc, taken, other);
}

/* ---- state ---- */

static void lower_ldenv(HostCompiler *hc, const IrInsn *in)
{
    Mem m = state_mem((int32_t)in->b);
    unsigned size = in->aux & 7;
    Reg d = ra_dest(hc, NO_REG, 0);
    if (ir_type_is_int(in->type)) {
        x_load(&hc->as, size, in->aux & IR_ENV_SIGN, in->type == IR_I64, d, m);
    } else {
        ra_load(hc, d, in->type, m);
    }
    ra_done(hc);
}

static void lower_stenv(HostCompiler *hc, const IrInsn *in)
{
    Mem m = state_mem((int32_t)in->b);
    IrRef v = hc->ops[0];
    unsigned type = in->type;
    if (!ir_type_is_int(type)) {
        ra_store(hc, m, type, ra_use(hc, v));
    } else if (val_is_const(hc, v) && (in->aux < 3 || (int64_t)hc->insns[v].imm == (int32_t)hc->insns[v].imm)) {
        x_mov_mi(&hc->as, in->aux, m, hc->insns[v].imm);
    } else {
        x_store(&hc->as, in->aux, m, ra_use(hc, v));
    }
    ra_consume(hc);
}

/* ---- the walk ---- */

static void lower_insn(HostCompiler *hc, const IrInsn *in)
{
    hc->pinned = hc->temps = 0;
    hc->st.spill_used &= ~hc->spill_dead;
    hc->spill_dead = 0;
    switch (in->op) {
    case IR_nop: case IR_const: case IR_trunc: case IR_flow:
        return;
    case IR_kill:
        ra_kill(hc, in->aux);
        return;
    case IR_vlow: case IR_ext_u:
        if (val_is_alias(hc, in)) {
            return;
        }
        break;
    case IR_insn_start:
        snap_insn(&hc->snap, x_offset(&hc->as), in->imm, in->a);
        return;
    }
    x64_operands(hc, in, hc->ops);
    if (in->type == IR_V256) {
        hc->has_256 = true;
    }
    hc->fp_control_known &= x64_fp_control_keeps(hc, in->op);
    switch (in->op) {
    case IR_get: ra_get(hc, in->aux, hc->i); break;
    case IR_put: ra_put(hc, in->aux, hc->ops[0]); break;
    case IR_ldenv: lower_ldenv(hc, in); break;
    case IR_stenv: lower_stenv(hc, in); break;
    case IR_fpget: lower_fpget(hc); break;
    case IR_fpset: lower_fpset(hc); break;
    case IR_poll: case IR_icount: lower_poll(hc, in); break;
    case IR_call:
        lower_call(hc, in);
        hc->x87_ready = false; /* helpers may have saved the x87 state */
        break;
    case IR_x87: case IR_x87_in: case IR_x87_out: lower_x87(hc, in); break;
    case IR_br: case IR_brcond: case IR_brnz: lower_branch(hc, in); break;
    case IR_exit: lower_exit(hc, in); break;
    case IR_trap: x_u8(&hc->as, 0x0f); x_u8(&hc->as, 0x0b); break;
    default:
        if (in->op <= IR_maxu) {
            lower_int(hc, in);
        } else if (in->op <= IR_flow) {
            lower_fp(hc, in);
        } else if (in->op <= IR_VEC_LAST && !fused_load(hc, in)) {
            lower_vec(hc, in);
        } else {
            snap_sites_begin(&hc->snap, x_offset(&hc->as));
            if (in->op <= IR_VEC_LAST) {
                lower_vec(hc, in);
            } else {
                lower_mem(hc, in);
            }
            snap_sites_end(&hc->snap);
        }
    }
}

static void patch_fixups(HostCompiler *hc, BlockInfo *bi)
{
    for (uint32_t f = bi->fixups; f != NO_POS; f = hc->fixup.at[f].next) {
        patch_rel32(hc, hc->fixup.at[f].pos, x_offset(&hc->as));
    }
    bi->fixups = NO_POS;
}

static bool block_begin(HostCompiler *hc, uint16_t b)
{
    BlockInfo *bi = &hc->block[b];
    Asm *as = &hc->as;
    const IrBlock *bb = &hc->unit->blocks.at[b];
    bool falls = hc->fall_to == b;

    x64_fp_control_begin(hc, b);
    hc->fall_to = NO_INDEX;
    hc->b = b;
    hc->x87_ready = false;
    if (is_merge(hc, b)) {
        if (!bi->map) {
            /* The entry, or a block only later ones jump to: everything in memory. */
            bi->map = ra_map_new(hc, b);
        }
        if (bb->flags & IR_BLOCK_LOOP) {
            if (bi->streams[0] | bi->streams[1]) {
                bi->set_up = x_offset(as);
                patch_fixups(hc, bi);
                x64_streams_reset(hc, bi->streams);
            }
            x_nops(as, -x_offset(as) & 15);
        }
    } else if (!falls && !bi->entry) {
        return false;
    }
    bi->offset = x_offset(as);
    if (!(bi->streams[0] | bi->streams[1])) {
        bi->set_up = bi->offset;
    }
    patch_fixups(hc, bi);
    if (is_merge(hc, b)) {
        ra_merge_begin(hc, b);
    } else {
        if (!falls) {
            ra_restore(hc, bi->entry);
        }
        ra_tree_begin(hc, b);
    }
    return true;
}

static void reserve(HostCompiler *hc, const IrUnit *unit)
{
    size_t n = unit->insns.n + unit->target->n_slots + GROUP_MAX;
    if (n > hc->val_cap) {
        hc->val_cap = n * 2;
        free(hc->val);
        free(hc->use_next);
        hc->val = xmalloc(hc->val_cap * sizeof(hc->val[0]));
        hc->use_next = xmalloc(hc->val_cap * sizeof(hc->use_next[0]));
    }
    if (unit->args.n > hc->arg_cap) {
        hc->arg_cap = unit->args.n * 2;
        free(hc->arg_next);
        hc->arg_next = xmalloc(hc->arg_cap * sizeof(hc->arg_next[0]));
    }
    if (unit->blocks.n > hc->block_cap) {
        hc->block_cap = unit->blocks.n * 2;
        free(hc->block);
        hc->block = xmalloc(hc->block_cap * sizeof(hc->block[0]));
    }
}

static bool x64_compile(HostCompiler *hc, const IrUnit *unit, uint8_t *out, size_t room_bytes, HostCode *ret)
{
    arena_reset(&hc->arena);
    reserve(hc, unit);
    hc->unit = unit;
    hc->insns = unit->insns.at;
    hc->target = unit->target;
    hc->n_insns = unit->insns.n;
    hc->n_slots = unit->target->n_slots;
    hc->ok = true;
    hc->has_256 = false;
    hc->as.start = hc->as.cur = out;
    hc->as.end = out + room_bytes;
    hc->as.n_insns = 0;
    hc->as.n_pool_refs = 0;
    hc->as.features = x64_features();
    vec_clear(&hc->fixup);
    vec_clear(&hc->ool);
    vec_clear(&hc->link);
    vec_clear(&hc->pool);
    snap_begin(&hc->snap);
    hc->allocatable = 0xffffffffu & ~(1u << RSP | 1u << REG_STATE | 1u << REG_TMP | 1u << REG_VTMP);
    if (!unit->softmmu && !unit->guest_base_zero) {
        hc->allocatable &= ~(1u << REG_BASE);
    }
    x64_analyse(hc);
    ra_begin(hc);
    hc->fall_to = NO_INDEX;
    hc->flags_val = IR_NONE;
    for (uint32_t k = 0; k < hc->n_order; k++) {
        uint16_t b = hc->order[k];
        hc->next_block = k + 1 < hc->n_order ? hc->order[k + 1] : NO_INDEX;
        if (hc->as.end - hc->as.cur < X_ROOM) {
            return false;
        }
        if (!block_begin(hc, b)) {
            continue;
        }
        const IrBlock *bb = &unit->blocks.at[b];
        for (uint32_t i = bb->first; i < bb->end; i++) {
            if (hc->val[i].fused) {
                hc->fp_control_known &= x64_fp_control_keeps(hc, hc->insns[i].op);
                continue;
            }
            if (hc->as.end - hc->as.cur < X_ROOM) {
                return false;
            }
            hc->i = i;
            lower_insn(hc, &hc->insns[i]);
        }
    }
    ool_emit_all(hc);
    if (hc->ok && hc->as.end - hc->as.cur >= X_ROOM) {
        pool_emit(hc);
    } else {
        hc->ok = false;
    }
    if (!hc->ok) {
        return false;
    }
    *ret = (HostCode){
        .size_bytes = x_offset(&hc->as), .links = hc->link.at, .n_links = hc->link.n,
        .snapshots = hc->snap.bytes.at, .n_snapshot_bytes = hc->snap.bytes.n, .n_host_insns = hc->as.n_insns,
    };
    return true;
}

static HostCompiler *x64_compiler_new(void)
{
    HostCompiler *hc = xnew(HostCompiler);
    arena_init(&hc->arena);
    for (unsigned op = 0; op < IR_N_OPS; op++) {
        hc->op_operands[op] = ir_op_info[op].n_operands;
        hc->op_flags[op] = ir_op_info[op].flags;
    }
    return hc;
}

static void x64_compiler_free(HostCompiler *hc)
{
    if (!hc) {
        return;
    }
    free(hc->val);
    free(hc->use_next);
    free(hc->arg_next);
    free(hc->block);
    vec_free(&hc->live);
    vec_free(&hc->group);
    vec_free(&hc->fixup);
    vec_free(&hc->ool);
    vec_free(&hc->link);
    vec_free(&hc->pool);
    vec_free(&hc->snap.bytes);
    arena_finish(&hc->arena);
    free(hc);
}

const HostOps host_x86_64 = {
    .name = "x86_64",
    .compiler_new = x64_compiler_new,
    .compiler_free = x64_compiler_free,
    .compile = x64_compile,
    .runtime_emit = x64_runtime_emit,
    .vcpu_init = x64_vcpu_init,
    .enter = x64_enter,
    .link = x64_link,
    .print_lowered = x64_print_lowered,
    .disas = x64_disas,
    .features = x64_features_text,
};
