/*
 * build.c: the builder front ends emit through.
 *
 * Invariants: slot_value[s] is IR_NONE or a value that is visible in the current block and equals slot
 * s. A block is open from begin to its terminator; constants alone may be made while none is open.
 * What is known at the end of a block is kept in block_slots for its TREE successors.
 *
 * Speed matters here more than anywhere else in the translator: no allocation per instruction, no
 * search beyond one probe of the constant cache.
 */
#include "tcg/fold.h"
#include "target/target.h"

enum { NO_BLOCK = UINT16_MAX };

void ir_builder_init(IrBuilder *b, IrUnit *unit)
{
    memset(b, 0, sizeof(*b));
    b->unit = unit;
    b->block = NO_BLOCK;
    arena_init(&b->arena);
}

void ir_builder_finish(IrBuilder *b)
{
    arena_finish(&b->arena);
    free(b->block_slots);
    free(b->block_rule);
    b->block_slots = NULL;
    b->block_rule = NULL;
    b->block_slots_cap = 0;
}

void ir_builder_begin(IrBuilder *b)
{
    unsigned n_slots = b->unit->target->n_slots;

    assert(n_slots <= IR_MAX_SLOTS);
    arena_reset(&b->arena);
    b->block = NO_BLOCK;
    b->rule_slot = IR_MAX_SLOTS;
    b->rule_broken = false;
    b->insn_pc = b->unit->pc;
    b->insn_pending = false;
    for (unsigned i = 0; i < ARRAY_SIZE(b->aligned); i++) {
        b->aligned[i].block = NO_BLOCK;
    }
    for (unsigned i = 0; i < IR_MAX_SLOTS / 64; i++) {
        unsigned n = n_slots > i * 64 ? MIN(n_slots - i * 64, 64u) : 0;
        b->all_slots.w[i] = n ? bits_mask(0, n) : 0;
    }
}

/* -- blocks ---------------------------------------------------------------------------------- */

uint16_t ir_block_new(IrBuilder *b, vaddr pc)
{
    IrUnit *unit = b->unit;
    uint32_t index = unit->blocks.n;

    assert(index < NO_BLOCK);
    if (index == b->block_slots_cap) {
        b->block_slots_cap = MAX(64u, index * 2);
        b->block_slots = xrealloc(b->block_slots, b->block_slots_cap * sizeof(b->block_slots[0]));
        b->block_rule = xrealloc(b->block_rule, b->block_slots_cap * sizeof(b->block_rule[0]));
    }
    b->block_slots[index] = NULL;
    b->block_rule[index] = (struct IrRule){ .value = IR_NONE, .origin = NO_BLOCK };
    *vec_push(&unit->blocks) = (IrBlock){ .pc = pc };
    return index;
}

static IrBlock *open_block(IrBuilder *b, uint16_t block)
{
    assert(b->block == NO_BLOCK && block < b->unit->blocks.n);
    b->block = block;
    IrBlock *bb = &b->unit->blocks.at[block];
    assert(bb->first == bb->end);
    bb->first = bb->end = b->unit->insns.n;
    return bb;
}

static void forget_slots(IrBuilder *b)
{
    static_assert((uint8_t)IR_NONE == 0xff, "IR_NONE is all ones");
    memset(b->slot_value, 0xff, b->unit->target->n_slots * sizeof(IrRef));
}

void ir_block_begin_merge(IrBuilder *b, uint16_t block, bool loop)
{
    IrBlock *bb = open_block(b, block);
    struct IrRule *rule = &b->block_rule[block];

    bb->flags |= IR_BLOCK_MERGE | (loop ? IR_BLOCK_LOOP : 0);
    forget_slots(b);
    if (b->rule_safe) {
        rule->value = IR_NONE;
    }
    rule->origin = rule->value != IR_NONE ? block : NO_BLOCK;
}

void ir_block_begin_tree(IrBuilder *b, uint16_t block, uint16_t pred)
{
    open_block(b, block)->pred = pred;
    assert(b->block_slots[pred]);
    memcpy(b->slot_value, b->block_slots[pred], b->unit->target->n_slots * sizeof(IrRef));
    b->block_rule[block].origin = b->block_rule[pred].origin;
}

static inline IrRef append(IrBuilder *b, IrInsn insn)
{
    IrUnit *unit = b->unit;

    assert(b->block != NO_BLOCK || insn.op == IR_const);
    *vec_push(&unit->insns) = insn;
    return unit->insns.n - 1;
}

/* The edge from the block under way to `block` brings a value of the rule slot. */
static void rule_edge(IrBuilder *b, uint16_t block)
{
    const IrBlock *bb = &b->unit->blocks.at[block];
    struct IrRule *to = &b->block_rule[block];
    IrRef value = b->slot_value[b->rule_slot];
    uint16_t origin = b->block_rule[b->block].origin;
    bool begun = bb->flags & IR_BLOCK_MERGE;

    if (value == IR_NONE && origin != NO_BLOCK) {
        if (origin == block) {
            return; /* what it began with */
        }
        /* What a loop begins with may be wrong as long as nobody needs it. */
        if (b->block_rule[origin].used || !(b->unit->blocks.at[origin].flags & IR_BLOCK_LOOP)) {
            value = b->block_rule[origin].value;
        }
    }
    if (value != IR_NONE && !ir_is_const(b->unit, value)) {
        value = IR_NONE;
    }
    if (!begun && !bb->n_preds) {
        to->value = value;
    } else if (to->value != IR_NONE && (value == IR_NONE || ir_insn(b->unit, to->value)->imm != ir_insn(b->unit, value)->imm)) {
        b->rule_broken |= to->used;
        to->value = IR_NONE;
    }
}

static void edge_to(IrBuilder *b, uint16_t block)
{
    assert(block < b->unit->blocks.n);
    if (b->rule_slot != IR_MAX_SLOTS) {
        rule_edge(b, block);
    }
    b->unit->blocks.at[block].n_preds++;
}

/* Whatever the rule slot was where the block began, it is not any more. */
static inline void rule_forget(IrBuilder *b)
{
    b->block_rule[b->block].origin = NO_BLOCK;
}

static void terminate(IrBuilder *b, IrInsn insn, bool has_successors)
{
    IrUnit *unit = b->unit;

    append(b, insn);
    unit->blocks.at[b->block].end = unit->insns.n;
    /* an instruction made of several blocks goes on in the next one */
    b->insn_pending = true;
    if (has_successors) {
        size_t size = unit->target->n_slots * sizeof(IrRef);
        b->block_slots[b->block] = memcpy(arena_alloc(&b->arena, size), b->slot_value, size);
    }
    b->block = NO_BLOCK;
}

static void emit_insn_start(IrBuilder *b)
{
    append(b, (IrInsn){ .op = IR_insn_start, .a = b->insn_extra, .imm = b->insn_pc });
    b->insn_pending = false;
}

void ir_insn_start(IrBuilder *b, vaddr pc, uint32_t extra)
{
    b->insn_pc = pc;
    b->insn_extra = extra;
    b->insn_pending = true;
    if (b->all_insns) {
        emit_insn_start(b);
    }
}

/* What follows may stop in the middle: the instruction it belongs to must be known. */
static inline void may_stop(IrBuilder *b)
{
    if (b->insn_pending) {
        emit_insn_start(b);
    }
}

/* -- constants, slots, state ------------------------------------------------------------------- */

IrRef ir_const(IrBuilder *b, IrType type, uint64_t imm)
{
    IrUnit *unit = b->unit;

    if (type == IR_I32 || type == IR_F32) {
        imm = (uint32_t)imm;
    }
    /* Entries of earlier units are harmless: an entry counts only if it names such a constant now. */
    unsigned slot = ((imm ^ imm >> 32) * 0x9e3779b1u + type) >> 12 & (ARRAY_SIZE(b->const_cache) - 1);
    IrRef ref = b->const_cache[slot].ref;
    if (ref < unit->insns.n) {
        const IrInsn *old = &unit->insns.at[ref];
        if (old->op == IR_const && old->type == type && old->imm == imm) {
            return ref;
        }
    }
    ref = append(b, (IrInsn){ .op = IR_const, .type = type, .a = IR_NONE, .imm = imm });
    b->const_cache[slot].ref = ref;
    return ref;
}

IrRef ir_vconst(IrBuilder *b, IrType type, const IrVecConst *value)
{
    IrUnit *unit = b->unit;
    IrVecConst v = { 0 };

    assert(ir_type_is_vec(type));
    memcpy(&v, value, ir_type_bytes(type));
    uint32_t i = unit->vconst.n > 16 ? unit->vconst.n - 16 : 0;
    while (i < unit->vconst.n && memcmp(&unit->vconst.at[i], &v, sizeof(v))) {
        i++;
    }
    if (i == unit->vconst.n) {
        *vec_push(&unit->vconst) = v;
    }
    return ir_const(b, type, i);
}

IrRef ir_get(IrBuilder *b, unsigned slot)
{
    IrUnit *unit = b->unit;

    assert(slot < unit->target->n_slots);
    if (b->slot_value[slot] != IR_NONE) {
        return b->slot_value[slot];
    }
    if (slot == b->rule_slot && b->block_rule[b->block].origin != NO_BLOCK) {
        struct IrRule *rule = &b->block_rule[b->block_rule[b->block].origin];
        if (rule->value != IR_NONE) {
            rule->used = true;
            return b->slot_value[slot] = rule->value;
        }
    }
    IrBlock *bb = &unit->blocks.at[b->block];
    if (!ir_slots_has(&bb->defined, slot) && !ir_slots_has(&bb->killed, slot)) {
        ir_slots_add(&bb->used, slot);
    }
    return b->slot_value[slot] = append(b, (IrInsn){
        .op = IR_get, .type = unit->target->slots[slot].type, .aux = slot,
        .a = IR_NONE, .b = IR_NONE, .c = IR_NONE });
}

void ir_put(IrBuilder *b, unsigned slot, IrRef value)
{
    IrUnit *unit = b->unit;

    assert(slot < unit->target->n_slots);
    assert(unit->insns.at[value].type == unit->target->slots[slot].type);
    if (b->slot_value[slot] == value) {
        return;
    }
    ir_slots_add(&unit->blocks.at[b->block].defined, slot);
    b->slot_value[slot] = value;
    append(b, (IrInsn){ .op = IR_put, .type = unit->insns.at[value].type, .aux = slot, .a = value,
                        .b = IR_NONE, .c = IR_NONE });
}

void ir_kill(IrBuilder *b, unsigned slot)
{
    assert(slot < b->unit->target->n_slots);
    ir_slots_add(&b->unit->blocks.at[b->block].killed, slot);
    b->slot_value[slot] = IR_NONE;
    if (slot == b->rule_slot) {
        rule_forget(b);
    }
    append(b, (IrInsn){ .op = IR_kill, .type = b->unit->target->slots[slot].type, .aux = slot, .a = IR_NONE, .b = IR_NONE, .c = IR_NONE });
}

IrRef ir_ldenv(IrBuilder *b, IrType type, int offset, unsigned size_bytes, bool sign)
{
    unsigned log2 = (unsigned)__builtin_ctz(size_bytes);

    return append(b, (IrInsn){ .op = IR_ldenv, .type = type, .aux = log2 | (sign ? IR_ENV_SIGN : 0),
                               .a = IR_NONE, .b = (uint32_t)offset, .c = IR_NONE });
}

void ir_stenv(IrBuilder *b, int offset, unsigned size_bytes, IrRef value)
{
    append(b, (IrInsn){ .op = IR_stenv, .type = b->unit->insns.at[value].type,
                        .aux = (unsigned)__builtin_ctz(size_bytes),
                        .a = value, .b = (uint32_t)offset, .c = IR_NONE });
}

IrRef ir_fpget(IrBuilder *b)
{
    return append(b, (IrInsn){ .op = IR_fpget, .type = IR_I32, .a = IR_NONE, .b = IR_NONE, .c = IR_NONE });
}

void ir_fpset(IrBuilder *b, IrRef value)
{
    append(b, (IrInsn){ .op = IR_fpset, .type = IR_I32, .a = value, .b = IR_NONE, .c = IR_NONE });
}

static inline bool is_conversion(unsigned op)
{
    return (op >= IR_sext8 && op <= IR_zext32) || (op >= IR_trunc && op <= IR_ext_u);
}

/* Front ends widen and narrow the same value again and again. One probe; only inside a block, where it is surely visible. */
static IrRef conversion(IrBuilder *b, const IrInsn *insn)
{
    IrUnit *unit = b->unit;
    IrRef *slot = &b->conversion_cache[(insn->a * 8 + insn->op) & (ARRAY_SIZE(b->conversion_cache) - 1)];

    if (*slot < unit->insns.n && *slot >= unit->blocks.at[b->block].first) {
        const IrInsn *old = &unit->insns.at[*slot];
        if (old->op == insn->op && old->type == insn->type && old->a == insn->a) {
            return *slot;
        }
    }
    return *slot = append(b, *insn);
}

/*
 * Likewise of integers and vectors: conditions begin with the sum that the flags are of, instructions on the two halves of
 * vector registers with the same steps.
 */
static inline bool is_repeated(unsigned op)
{
    return (op >= IR_add && op <= IR_maxu) || (op >= IR_VEC_FIRST && op <= IR_VEC_LAST && ir_op_info[op].flags & IR_OP_PURE);
}

static IrRef repeated(IrBuilder *b, const IrInsn *insn)
{
    IrUnit *unit = b->unit;
    uint32_t hash = (insn->op * 31u + insn->a) * 31u + insn->b * 7u + insn->c * 3u + insn->aux;
    IrRef *slot = &b->repeated_cache[hash & (ARRAY_SIZE(b->repeated_cache) - 1)];

    if (*slot < unit->insns.n && *slot >= unit->blocks.at[b->block].first) {
        const IrInsn *old = &unit->insns.at[*slot];
        if (old->op == insn->op && old->type == insn->type && old->aux == insn->aux && old->a == insn->a && old->b == insn->b &&
            old->c == insn->c) {
            return *slot;
        }
    }
    return *slot = append(b, *insn);
}

IrRef ir_emit(IrBuilder *b, IrOp op, IrType type, unsigned aux, IrRef a, IrRef b_, IrRef c)
{
    IrInsn insn = { .op = op, .type = type, .aux = aux, .a = a, .b = b_, .c = c };
    IrRef known = ir_fold(b, &insn);

    if (known != IR_NONE) {
        return known;
    }
    return is_conversion(insn.op) ? conversion(b, &insn) : is_repeated(insn.op) ? repeated(b, &insn) : append(b, insn);
}

/* -- guest memory ------------------------------------------------------------------------------ */

/*
 * Moves a constant out of *base into mem->disp, as long as it fits. Addresses wrap at the address
 * width, so the order of the additions does not matter.
 */
static void fold_base(IrBuilder *b, IrRef *base, IrMem *mem)
{
    IrUnit *unit = b->unit;

    for (;;) {
        const IrInsn *in = &unit->insns.at[*base];
        bool narrow = in->type == IR_I32;
        uint64_t imm;

        if (in->op == IR_const) {
            imm = in->imm + (uint64_t)(int64_t)mem->disp;
            if (mem->disp) {
                mem->disp = 0;
                *base = ir_const(b, in->type, imm);
            }
            return;
        }
        if (in->op != IR_add || !ir_is_const(unit, in->b)) {
            return;
        }
        imm = unit->insns.at[in->b].imm;
        int64_t disp = (narrow ? (int32_t)imm : (int64_t)imm);
        if (__builtin_add_overflow(disp, (int64_t)mem->disp, &disp) || disp != (int32_t)disp) {
            return;
        }
        mem->disp = disp;
        *base = in->a;
    }
}

/* base = x + (y << k) becomes two operands. Only where the host's addressing does it for nothing. */
static void fold_index(IrBuilder *b, IrRef *base, IrRef *index, IrMem *mem)
{
    IrUnit *unit = b->unit;
    const IrInsn *in = &unit->insns.at[*base];

    if (*index == IR_NONE) {
        if (in->op != IR_add || in->type != IR_I64 || unit->softmmu || !unit->guest_base_zero ||
            unit->addr32) {
            return;
        }
        const IrInsn *x = &unit->insns.at[in->a];
        if (x->op == IR_shl && ir_is_const(unit, x->b) && unit->insns.at[x->b].imm <= 3) {
            *index = in->a;
            *base = in->b;
        } else {
            *index = in->b;
            *base = in->a;
        }
        mem->scale_log2 = 0;
    }
    in = &unit->insns.at[*index];
    if (in->op == IR_shl && ir_is_const(unit, in->b) &&
        unit->insns.at[in->b].imm + mem->scale_log2 <= 3) {
        mem->scale_log2 += unit->insns.at[in->b].imm;
        *index = in->a;
    }
}

/*
 * An access that must be aligned proves that the address is: further ones in the block at the same base that differ by a multiple
 * of the alignment need not ask. Values do not change, so nothing ends this but the block.
 */
static void fold_alignment(IrBuilder *b, IrRef base, IrRef index, IrMem *mem)
{
    uint32_t mask = ir_mem_align_mask(mem);

    if (!mask) {
        return;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(b->aligned); i++) {
        const IrAligned *a = &b->aligned[i];
        if (a->block == b->block && a->base == base && a->index == index && a->scale_log2 == mem->scale_log2 &&
            (a->mask & mask) == mask && !(((uint32_t)a->disp ^ (uint32_t)mem->disp) & mask)) {
            mem->align = IR_ALIGN_ANY;
            return;
        }
    }
    b->n_aligned = (b->n_aligned + 1) % ARRAY_SIZE(b->aligned);
    b->aligned[b->n_aligned] = (IrAligned){ .base = base, .index = index, .disp = mem->disp, .mask = mask, .block = b->block,
                                            .scale_log2 = mem->scale_log2 };
}

static uint16_t fold_address(IrBuilder *b, IrRef *base, IrRef *index, IrMem *mem)
{
    fold_base(b, base, mem);
    if (index) {
        if (*index != IR_NONE && ir_is_const(b->unit, *index)) {
            const IrInsn *in = &b->unit->insns.at[*index];
            uint64_t imm = in->type == IR_I32 ? (uint64_t)(int32_t)in->imm : in->imm;
            *base = ir_op2_imm(b, IR_add, b->unit->insns.at[*base].type, *base,
                               imm << mem->scale_log2);
            *index = IR_NONE;
            mem->scale_log2 = 0;
            fold_base(b, base, mem);
        }
        fold_index(b, base, index, mem);
        fold_base(b, base, mem);
        fold_alignment(b, *base, *index, mem);
    }
    may_stop(b);
    uint32_t n = b->unit->mem.n;
    /* Runs of equal accesses share a descriptor; hosts compare descriptors by index. */
    if (n && !memcmp(&b->unit->mem.at[n - 1], mem, sizeof(*mem))) {
        return n - 1;
    }
    assert(n < UINT16_MAX);
    *vec_push(&b->unit->mem) = *mem;
    return n;
}

IrRef ir_load(IrBuilder *b, IrType type, IrRef base, IrRef index, IrMem mem)
{
    uint16_t aux = fold_address(b, &base, &index, &mem);

    return append(b, (IrInsn){ .op = IR_ld, .type = type, .aux = aux, .a = base, .b = index,
                               .c = IR_NONE });
}

/* The value stored may lose extensions the store does not look at. */
static IrRef narrow_value(const IrUnit *unit, IrRef value, unsigned bits)
{
    for (;;) {
        const IrInsn *in = &unit->insns.at[value];
        unsigned keeps = in->op == IR_sext8 || in->op == IR_zext8 ? 8
                       : in->op == IR_sext16 || in->op == IR_zext16 ? 16
                       : in->op == IR_sext32 || in->op == IR_zext32 ? 32 : 0;
        if (keeps < bits) {
            return value;
        }
        value = in->a;
    }
}

void ir_store(IrBuilder *b, IrRef base, IrRef index, IrRef value, IrMem mem)
{
    uint16_t aux = fold_address(b, &base, &index, &mem);

    value = narrow_value(b->unit, value, 8u << mem.size_log2);
    append(b, (IrInsn){ .op = IR_st, .type = b->unit->insns.at[value].type, .aux = aux, .a = base,
                        .b = index, .c = value });
}

IrRef ir_rmw(IrBuilder *b, IrType type, IrRef base, IrRef operand, IrMem mem)
{
    uint16_t aux = fold_address(b, &base, NULL, &mem);

    return append(b, (IrInsn){ .op = IR_rmw, .type = type, .aux = aux, .a = base, .b = operand,
                               .c = IR_NONE });
}

IrRef ir_cas(IrBuilder *b, IrType type, IrRef base, IrRef expected, IrRef desired, IrMem mem)
{
    uint16_t aux = fold_address(b, &base, NULL, &mem);

    return append(b, (IrInsn){ .op = IR_cas, .type = type, .aux = aux, .a = base, .b = expected,
                               .c = desired });
}

IrRef ir_ll(IrBuilder *b, IrType type, IrRef base, IrMem mem)
{
    mem.rmw = IR_RMW_LL;
    uint16_t aux = fold_address(b, &base, NULL, &mem);

    return append(b, (IrInsn){ .op = IR_ll, .type = type, .aux = aux, .a = base, .b = IR_NONE,
                               .c = IR_NONE });
}

IrRef ir_sc(IrBuilder *b, IrType type, IrRef base, IrRef value, IrMem mem)
{
    uint16_t aux = fold_address(b, &base, NULL, &mem);

    return append(b, (IrInsn){ .op = IR_sc, .type = type, .aux = aux, .a = base, .b = value,
                               .c = IR_NONE });
}

void ir_fence(IrBuilder *b, unsigned mask)
{
    append(b, (IrInsn){ .op = IR_fence, .aux = mask & IR_FENCE_ALL, .a = IR_NONE, .b = IR_NONE,
                        .c = IR_NONE });
}

/* -- x87 ------------------------------------------------------------------------------------------ */

void ir_x87(IrBuilder *b, uint32_t code)
{
    append(b, (IrInsn){ .op = IR_x87, .a = IR_NONE, .b = IR_NONE, .c = code });
}

void ir_x87_in(IrBuilder *b, uint32_t code, IrRef value)
{
    append(b, (IrInsn){ .op = IR_x87_in, .type = b->unit->insns.at[value].type, .a = value, .b = IR_NONE, .c = code });
}

IrRef ir_x87_out(IrBuilder *b, IrType type, uint32_t code)
{
    return append(b, (IrInsn){ .op = IR_x87_out, .type = type, .a = IR_NONE, .b = IR_NONE, .c = code });
}

void ir_x87_mem(IrBuilder *b, uint32_t code, IrRef base, IrRef index, IrMem mem)
{
    uint16_t aux = fold_address(b, &base, &index, &mem);

    append(b, (IrInsn){ .op = IR_x87_mem, .aux = aux, .a = base, .b = index, .c = code });
}

/* -- calls and control flow ---------------------------------------------------------------------- */

IrRef ir_call(IrBuilder *b, unsigned id, unsigned n_args, const IrRef *args)
{
    IrUnit *unit = b->unit;
    const HelperDesc *h = &unit->target->helpers[id];

    assert(id < unit->target->n_helpers && n_args == h->n_args);
    if (h->flags & HELPER_RAISES) {
        may_stop(b);
        ir_put(b, unit->target->pc_slot,
               ir_const(b, unit->target->slots[unit->target->pc_slot].type, b->insn_pc));
        if (b->icount_left) {
            ir_stenv(b, b->icount_left, 4, ir_i32(b, b->insn_extra));
        }
    }
    uint32_t first = unit->args.n;
    for (unsigned i = 0; i < n_args; i++) {
        *vec_push(&unit->args) = args[i];
    }
    IrBlock *bb = &unit->blocks.at[b->block];
    if (h->flags & (HELPER_READS_STATE | HELPER_RAISES)) {
        for (unsigned i = 0; i < IR_MAX_SLOTS / 64; i++) {
            bb->used.w[i] |= b->all_slots.w[i] & ~bb->defined.w[i];
        }
    }
    IrRef ref = append(b, (IrInsn){ .op = IR_call, .type = h->result, .aux = id, .a = first,
                                    .b = n_args, .c = IR_NONE });
    if (h->flags & HELPER_WRITES_STATE) {
        forget_slots(b);
        rule_forget(b);
    }
    return h->result == IR_VOID ? IR_NONE : ref;
}

void ir_br(IrBuilder *b, uint16_t block)
{
    edge_to(b, block);
    terminate(b, (IrInsn){ .op = IR_br, .a = block, .b = IR_NONE, .c = IR_NONE }, true);
}

void ir_brcond(IrBuilder *b, IrCond cond, IrRef x, IrRef y, uint16_t taken, uint16_t other)
{
    ir_fold_cond(b, &cond, &x, &y);
    const IrInsn *in = &b->unit->insns.at[x];
    /* a floating-point comparison fuses with brnz in the hosts */
    if (in->op == IR_fcmp && ir_is_const(b->unit, y) && !b->unit->insns.at[y].imm &&
        (cond == IR_NE || cond == IR_EQ)) {
        ir_brnz(b, x, cond == IR_NE ? taken : other, cond == IR_NE ? other : taken);
        return;
    }
    edge_to(b, taken);
    edge_to(b, other);
    terminate(b, (IrInsn){ .op = IR_brcond, .type = in->type, .aux = cond, .a = x, .b = y,
                           .c = taken | (uint32_t)other << 16 }, true);
}

void ir_brnz(IrBuilder *b, IrRef x, uint16_t taken, uint16_t other)
{
    IrUnit *unit = b->unit;
    const IrInsn *in = &unit->insns.at[x];

    if (in->op != IR_fcmp) {
        ir_brcond(b, IR_NE, x, ir_const(b, in->type, 0), taken, other);
        return;
    }
    edge_to(b, taken);
    edge_to(b, other);
    terminate(b, (IrInsn){ .op = IR_brnz, .type = in->type, .a = x, .b = IR_NONE,
                           .c = taken | (uint32_t)other << 16 }, true);
}

void ir_exit(IrBuilder *b, IrExit exit, IrRef pc)
{
    IrUnit *unit = b->unit;

    *vec_push(&unit->exits) = exit;
    terminate(b, (IrInsn){ .op = IR_exit, .aux = unit->exits.n - 1, .a = pc, .b = IR_NONE,
                           .c = IR_NONE }, false);
}

void ir_trap(IrBuilder *b)
{
    terminate(b, (IrInsn){ .op = IR_trap, .a = IR_NONE, .b = IR_NONE, .c = IR_NONE }, false);
}

void ir_poll(IrBuilder *b, vaddr pc)
{
    append(b, (IrInsn){ .op = IR_poll, .a = IR_NONE, .imm = pc });
}

void ir_icount(IrBuilder *b, vaddr pc, unsigned n_insns)
{
    append(b, (IrInsn){ .op = IR_icount, .aux = n_insns, .a = IR_NONE, .imm = pc });
}
