/*
 * translate.c: the translation driver: from a pc to a unit that can be run.
 *
 * scan.c finds the unit's shape; the driver emits block after block through the front end, decides what
 * is a jump inside the unit, a link or a look-up, puts polls at the entry and where loops go round, compiles,
 * and inserts the result. A front end may end a block where the scan did not expect it; blocks that
 * nothing leads to any more are closed with a trap.
 *
 * In system mode a unit keeps to one page, but its last instruction may reach into the next; jumps
 * to other pages go through the jump cache, because those pages may be mapped elsewhere tomorrow.
 *
 * Threads: any number at once, each with a Translator from the pool.
 */
#include "scan.h"
#include "util/race.h"

static struct {
    pthread_mutex_t lock;
    Translator *free, *all;
} pool = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- translators ---- */

static Translator *translator_new(void)
{
    Translator *tr = xnew(Translator);
    TransDriver *d = &tr->driver;
    ir_unit_init(&tr->unit);
    ir_builder_init(&tr->builder, &tr->unit);
    tr->compiler = tcg.host ? tcg.host->compiler_new() : NULL;
    d->tr = tr;
    d->nodes = xnew_array(ScanNode, TCG_LIMIT_MAX_INSNS);
    d->blocks = xnew_array(ScanBlock, SCAN_MAX_BLOCKS);
    d->stack = xnew_array(uint16_t, TCG_LIMIT_MAX_INSNS + 1);
    d->order = xnew_array(uint16_t, TCG_LIMIT_MAX_INSNS + 1);
    d->map = xmalloc(2 * TCG_PAGE_BYTES * sizeof(uint16_t));
    memset(d->map, 0xff, 2 * TCG_PAGE_BYTES * sizeof(uint16_t));
    return tr;
}

static Translator *translator_get(TcgVcpu *tv)
{
    pthread_mutex_lock(&pool.lock);
    Translator *tr = pool.free;
    if (tr) {
        pool.free = tr->next;
    } else {
        tr = translator_new();
        tr->next_all = pool.all;
        pool.all = tr;
    }
    tr->busy = true;
    pthread_mutex_unlock(&pool.lock);
    tv->translator = tr;
    return tr;
}

/* Also after a translation was left by a fault. */
void translator_release(TcgVcpu *tv)
{
    Translator *tr = tv->translator;
    if (tr) {
        scan_forget(&tr->driver);
        tv->translator = NULL;
        pthread_mutex_lock(&pool.lock);
        tr->busy = false;
        tr->next = pool.free;
        pool.free = tr;
        pthread_mutex_unlock(&pool.lock);
    }
}

void translator_fork_lock(void)
{
    pthread_mutex_lock(&pool.lock);
}

void translator_fork_unlock(bool child)
{
    if (child) {
        /* Threads that are gone were in the middle of translations: those translators are lost. */
        for (Translator **p = &pool.all; *p;) {
            Translator *tr = *p;
            if (tr->busy) {
                *p = tr->next_all;
            } else {
                p = &tr->next_all;
            }
        }
    }
    pthread_mutex_unlock(&pool.lock);
}

void translator_drop_regions(void)
{
    pthread_mutex_lock(&pool.lock);
    for (Translator *tr = pool.all; tr; tr = tr->next_all) {
        if (!tr->busy && tr->region) {
            code_region_close(tr->region);
            tr->region = NULL;
        }
    }
    pthread_mutex_unlock(&pool.lock);
}

/* ---- fetching ---- */

static bool page_open(TransDriver *d, unsigned k)
{
    ScanPage *p = &d->page[k];
    Vcpu *vcpu = d->tv->vcpu;
    p->asked = true;
    p->ok = false;
    if (vcpu->softmmu) {
        if (!tcg_system->code_page(d->tv, p->addr, &p->index, &p->host)) {
            return false;
        }
    } else {
        p->index = p->addr >> TCG_PAGE_BITS;
        p->host = (const uint8_t *)(uintptr_t)(vcpu->jit.guest_base + p->addr);
    }
    p->page = page_get(p->index);
    page_lock(p->page);
    p->version = p->page->version;
    page_unlock(p->page);
    /* The version first, then the watch, then the bytes. */
    if (vcpu->softmmu) {
        p->compare = tcg_system->watch_page(d->tv, p->page, p->host);
    } else if (!smc_watch_page(p->page, p->addr, &p->compare)) {
        return false;
    }
    p->ok = true;
    return true;
}

/* The guest may be writing there just now: that is its own race. */
static GUEST_RACE void copy_code(void *out, const uint8_t *from, unsigned n)
{
    switch (n) {
    case 2:
        memcpy(out, from, 2);
        break;
    case 4:
        memcpy(out, from, 4);
        break;
    default:
        memcpy(out, from, n);
        break;
    }
}

bool trans_fetch(TransCtx *ctx, vaddr pc, void *out, unsigned size_bytes)
{
    TransDriver *d = ctx->driver;
    pc &= ~target_pc_flags(ctx->target, ctx->mode);
    uint64_t offset = pc - d->page[0].addr;
    if (d->tr->unit.addr32) {
        offset = (uint32_t)offset;
    }
    uint8_t *to = out;
    while (size_bytes) {
        unsigned k = offset >> TCG_PAGE_BITS;
        if (k > 1) {
            return false;
        }
        ScanPage *p = &d->page[k];
        if (unlikely(!p->ok) && (p->asked || !page_open(d, k))) {
            d->fault = true;
            d->fault_addr = MAX(p->addr, pc);
            return false;
        }
        unsigned in_page = offset & (TCG_PAGE_BYTES - 1);
        unsigned n = MIN(size_bytes, TCG_PAGE_BYTES - in_page);
        d->tv->vcpu->guest_access = true;
        atomic_signal_fence(memory_order_seq_cst);
        copy_code(to, p->host + in_page, n);
        atomic_signal_fence(memory_order_seq_cst);
        d->tv->vcpu->guest_access = false;
        to += n;
        offset += n;
        size_bytes -= n;
    }
    return true;
}

bool trans_guarded(const TransCtx *ctx, vaddr pc)
{
    const TransDriver *d = ctx->driver;
    if (pc - d->page[0].addr < TCG_PAGE_BYTES || ctx->vcpu->softmmu) {
        return d->flags & UNIT_GUARDED;
    }
    return guarded_flag(d->tv, pc, ctx->mode);
}

/* ---- ends of blocks ---- */

/* -icount: the block ends here; of what it was charged at its start, this was not run. */
static void icount_refund(TransDriver *d, unsigned n_insns)
{
    IrBuilder *b = d->ctx.b;
    if (d->flags & UNIT_ICOUNT && n_insns) {
        const int at = VCPU_JIT_OFFSET(icount_budget);
        IrRef budget = ir_ldenv(b, IR_I32, at, 4, false);
        ir_stenv(b, at, 4, ir_op2(b, IR_add, IR_I32, budget, ir_i32(b, n_insns)));
    }
}

/* System mode: a direct jump must not be linked to another page, nor to a unit that may reach into one. */
static bool must_look_up(const TransDriver *d, vaddr pc)
{
    return d->tv->vcpu->softmmu
           && ((pc ^ d->page[0].addr) >> TCG_PAGE_BITS
               || (pc & (TCG_PAGE_BYTES - 1)) + d->ctx.max_insn_bytes > TCG_PAGE_BYTES);
}

static void emit_exit(TransDriver *d, vaddr pc)
{
    IrBuilder *b = d->ctx.b;
    icount_refund(d, d->icount_left);
    if (must_look_up(d, pc)) {
        IrType type = d->ctx.target->word_bits == 64 ? IR_I64 : IR_I32;
        ir_exit(b, (IrExit){ .kind = IR_EXIT_INDIRECT }, ir_const(b, type, pc));
    } else {
        ir_exit(b, (IrExit){ .kind = IR_EXIT_JUMP, .pc = pc }, IR_NONE);
    }
}

/* A block besides the planned ones. */
static uint16_t add_block(TransDriver *d, ScanBlock sb)
{
    uint16_t block = ir_block_new(d->ctx.b, sb.pc);
    assert(d->n_blocks == block && block < SCAN_MAX_BLOCKS);
    d->blocks[d->n_blocks++] = sb;
    return block;
}

/* Does the way from the block under way to that node close a loop? */
static bool goes_round(const TransDriver *d, uint16_t node)
{
    return node != SCAN_NONE && d->nodes[node].leader && d->nodes[node].block <= d->planned;
}

/*
 * The poll stands in front of the instruction that goes round, not at the loop's head, where it would ask for the contents of all slots:
 * those the loop writes before anything may stop have none worth keeping there. -icount polls at the head, where it counts.
 */
static void poll_round(TransDriver *d, vaddr pc)
{
    if (!d->poll_heads && !(d->flags & UNIT_STEP)) {
        ir_poll(d->ctx.b, pc);
        d->polled = true;
    }
}

/* The block a branch side leads to; a new one for an exit. */
static uint16_t side_block(TransDriver *d, vaddr pc, bool taken)
{
    uint16_t node = scan_successor(d, pc);
    if (node != SCAN_NONE && d->nodes[node].leader) {
        d->unpolled |= goes_round(d, node) && !d->polled && !d->poll_heads;
        return d->nodes[node].block;
    }
    uint16_t cur = d->planned;
    if (!taken && cur + 1u < d->n_planned && d->blocks[cur + 1].node == SCAN_NONE
        && d->blocks[cur + 1].pc == pc) {
        return cur + 1;
    }
    return add_block(d, (ScanBlock){ .node = SCAN_NONE, .pc = pc, .pred = d->ctx.b->block });
}

void trans_branch(TransCtx *ctx, IrCond cond, IrRef a, IrRef b, vaddr taken_pc)
{
    TransDriver *d = ctx->driver;
    uint16_t taken = side_block(d, taken_pc, true);
    uint16_t other = side_block(d, ctx->next_pc, false);
    icount_refund(d, d->icount_left);
    ir_brcond(ctx->b, cond, a, b, taken, other);
    ctx->ended = true;
}

void trans_branch_nz(TransCtx *ctx, IrRef value, vaddr taken_pc)
{
    TransDriver *d = ctx->driver;
    uint16_t taken = side_block(d, taken_pc, true);
    uint16_t other = side_block(d, ctx->next_pc, false);
    icount_refund(d, d->icount_left);
    ir_brnz(ctx->b, value, taken, other);
    ctx->ended = true;
}

void trans_jump(TransCtx *ctx, vaddr pc)
{
    TransDriver *d = ctx->driver;
    uint16_t node = scan_successor(d, pc);
    /* An indirect jump whose target turned out constant is an edge the scan knows nothing of: the target's block was
     * planned for other predecessors. */
    if (node != SCAN_NONE && d->nodes[d->node].taken != node && d->nodes[d->node].next != node) {
        node = SCAN_NONE;
    }
    if (node == SCAN_NONE) {
        emit_exit(d, pc);
        ctx->ended = true;
    } else if (d->nodes[node].leader) {
        d->unpolled |= goes_round(d, node) && !d->polled && !d->poll_heads;
        icount_refund(d, d->icount_left);
        ir_br(ctx->b, d->nodes[node].block);
        ctx->ended = true;
    } else if (d->nodes[d->node].kind == SCAN_JUMP && d->nodes[d->node].taken == node) {
        d->go_on = node; /* the same block goes on there */
    } else {
        emit_exit(d, pc); /* in the middle of a block the scan did not expect us to reach */
        ctx->ended = true;
    }
}

void trans_call(TransCtx *ctx, vaddr pc, vaddr return_pc)
{
    IrBuilder *b = ctx->b;
    icount_refund(ctx->driver, ctx->driver->icount_left);
    if (must_look_up(ctx->driver, pc)) {
        IrType type = ctx->target->word_bits == 64 ? IR_I64 : IR_I32;
        ir_exit(b, (IrExit){ .kind = IR_EXIT_INDIRECT_CALL, .return_pc = return_pc },
                ir_const(b, type, pc));
    } else {
        ir_exit(b, (IrExit){ .kind = IR_EXIT_CALL, .pc = pc, .return_pc = return_pc }, IR_NONE);
    }
    ctx->ended = true;
}

void trans_jump_indirect(TransCtx *ctx, IrExitKind kind, IrRef pc, vaddr return_pc)
{
    icount_refund(ctx->driver, ctx->driver->icount_left);
    ir_exit(ctx->b, (IrExit){ .kind = kind, .return_pc = return_pc }, pc);
    ctx->ended = true;
}

/* What is not run when the current instruction leaves for `pc`: at its own pc it begins anew later. */
static unsigned left_at(const TransDriver *d, vaddr pc)
{
    return d->icount_left + (pc == d->ctx.pc);
}

static void leave(TransCtx *ctx, VcpuExit reason, vaddr pc, unsigned left)
{
    icount_refund(ctx->driver, left);
    ir_exit(ctx->b, (IrExit){ .kind = IR_EXIT_LEAVE, .reason = reason, .pc = pc }, IR_NONE);
    ctx->ended = true;
}

void trans_leave(TransCtx *ctx, VcpuExit reason, vaddr pc)
{
    leave(ctx, reason, pc, left_at(ctx->driver, pc));
}

/* `side` if the condition holds; what follows is in another part of the block under way. */
static void split_block(TransCtx *ctx, IrCond cond, IrRef a, IrRef b, ScanBlock side)
{
    TransDriver *d = ctx->driver;
    uint16_t cur = ctx->b->block;
    side.node = SCAN_NONE;
    side.pred = cur;
    uint16_t other = add_block(d, side);
    uint16_t rest = add_block(d, (ScanBlock){ .node = SCAN_NONE, .pc = ctx->pc, .pred = cur, .done = true });
    ir_brcond(ctx->b, cond, a, b, other, rest);
    ir_block_begin_tree(ctx->b, rest, cur);
    d->blocks[d->planned].tail = rest;
    d->split = true;
}

void trans_leave_if(TransCtx *ctx, IrCond cond, IrRef a, IrRef b, VcpuExit reason, vaddr pc)
{
    split_block(ctx, cond, a, b, (ScanBlock){ .pc = pc, .reason = reason + 1, .left = left_at(ctx->driver, pc) });
}

void trans_raise_if(TransCtx *ctx, IrCond cond, IrRef a, IrRef b, unsigned helper, uint32_t argument)
{
    split_block(ctx, cond, a, b, (ScanBlock){ .pc = ctx->pc, .raise = true, .helper = (uint16_t)helper, .argument = argument,
                                              .left = ctx->driver->icount_left });
}

void trans_skip_if(TransCtx *ctx, IrCond cond, IrRef a, IrRef b)
{
    TransDriver *d = ctx->driver;
    uint16_t cur = ctx->b->block;
    uint16_t body = add_block(d, (ScanBlock){ .node = SCAN_NONE, .pc = ctx->pc, .pred = cur, .done = true });
    d->skip_join = add_block(d, (ScanBlock){ .node = SCAN_NONE, .pc = ctx->pc, .pred = cur, .done = true });
    ir_brcond(ctx->b, cond, a, b, d->skip_join, body);
    ir_block_begin_tree(ctx->b, body, cur);
    d->blocks[d->planned].tail = body;
    d->split = true;
}

void trans_skip_end(TransCtx *ctx)
{
    TransDriver *d = ctx->driver;
    if (ctx->b->block != SCAN_NONE) {
        ir_br(ctx->b, d->skip_join);
    }
    ir_block_begin_merge(ctx->b, d->skip_join, false);
    d->blocks[d->planned].tail = d->skip_join;
    ctx->ended = false;
}

void trans_interrupts_changed(TransCtx *ctx)
{
    if (ctx->driver->flags & UNIT_ICOUNT) {
        IrRef request = ir_ldenv(ctx->b, IR_I32, VCPU_JIT_OFFSET(exit_request), 4, false);
        trans_leave_if(ctx, IR_NE, request, ir_i32(ctx->b, 0), VCPU_EXIT_REQUEST, ctx->next_pc);
    }
}

/* ---- blocks ---- */

static void emit_insns(TransDriver *d, uint16_t node)
{
    TransCtx *ctx = &d->ctx;
    for (;;) {
        const ScanNode *n = &d->nodes[node];
        d->node = node;
        d->go_on = SCAN_NONE;
        ctx->pc = n->pc;
        ctx->next_pc = n->pc + n->length;
        ctx->ended = false;
        d->icount_left -= d->icount_left != 0;
        ir_insn_start(ctx->b, n->pc, d->flags & UNIT_ICOUNT ? d->icount_left : 0);
        d->polled = false;
        if (n->kind != SCAN_NORMAL && (goes_round(d, n->next) || goes_round(d, n->taken))) {
            poll_round(d, n->pc);
        }
        ctx->target->translate(ctx);
        if (ctx->b->block == SCAN_NONE) {
            return; /* a terminator was emitted */
        }
        if (d->go_on != SCAN_NONE) {
            node = d->go_on;
            continue;
        }
        uint16_t next = scan_successor(d, ctx->next_pc);
        if (next != SCAN_NONE && n->next == next && !d->nodes[next].leader && n->kind == SCAN_NORMAL) {
            node = next;
        } else if (next != SCAN_NONE && d->nodes[next].leader) {
            if (goes_round(d, next) && !d->polled) {
                poll_round(d, ctx->next_pc);
            }
            ir_br(ctx->b, d->nodes[next].block);
            return;
        } else {
            emit_exit(d, ctx->next_pc);
            return;
        }
    }
}

static void emit_block(TransDriver *d, uint16_t index)
{
    IrBuilder *b = d->ctx.b;
    ScanBlock *sb = &d->blocks[index];
    bool entry = index == 0;
    if (sb->done) {
        return;
    }
    d->planned = index;
    d->icount_left = sb->n_insns;
    if (!entry && !b->unit->blocks.at[index].n_preds) {
        ir_block_begin_merge(b, index, false);
        ir_trap(b);
        return;
    }
    if (entry || sb->merge) {
        ir_block_begin_merge(b, index, sb->loop);
    } else {
        /* What the scan calls a predecessor ends in its last part. */
        ir_block_begin_tree(b, index, index < d->n_planned ? d->blocks[sb->pred].tail : sb->pred);
    }
    bool poll = (entry || (sb->loop && d->poll_heads)) && !(d->flags & UNIT_STEP);
    if (sb->node == SCAN_NONE) {
        if (entry) {
            if (poll && !d->poll_heads) {
                ir_poll(b, sb->pc);
            }
            ir_br(b, d->first_block);
        } else if (sb->raise) {
            ir_insn_start(b, sb->pc, d->flags & UNIT_ICOUNT ? sb->left : 0);
            ir_call(b, sb->helper, 1, (IrRef[]){ ir_i32(b, sb->argument) });
            ir_trap(b);
        } else if (sb->reason) {
            leave(&d->ctx, (VcpuExit)(sb->reason - 1), sb->pc, sb->left);
        } else {
            emit_exit(d, sb->pc);
        }
        return;
    }
    if (poll) {
        ir_poll(b, sb->pc);
    }
    if (d->flags & UNIT_ICOUNT) {
        ir_icount(b, sb->pc, sb->n_insns);
    }
    emit_insns(d, sb->node);
}

/* Numbers blocks in the order of their instructions again, as ir.h wants. */
static void renumber_blocks(TransDriver *d)
{
    IrUnit *unit = d->ctx.b->unit;
    size_t n = unit->blocks.n;
    Arena *arena = &d->ctx.b->arena;
    uint16_t *number = arena_alloc(arena, n * sizeof(*number));
    IrBlock *old = arena_alloc(arena, n * sizeof(*old));
    uint64_t *at = arena_alloc(arena, n * sizeof(*at)); /* first instruction << 16 | index */
    memcpy(old, unit->blocks.at, n * sizeof(*old));
    for (size_t i = 0; i < n; i++) {
        uint64_t key = (uint64_t)old[i].first << 16 | i;
        size_t k = i;
        for (; k && at[k - 1] > key; k--) {
            at[k] = at[k - 1];
        }
        at[k] = key;
    }
    for (size_t k = 0; k < n; k++) {
        number[at[k] & 0xffff] = (uint16_t)k;
    }
    for (size_t k = 0; k < n; k++) {
        IrBlock *block = &unit->blocks.at[k];
        *block = old[at[k] & 0xffff];
        block->pred = block->flags & IR_BLOCK_MERGE || !k ? block->pred : number[block->pred];
        IrInsn *term = ir_insn(unit, block->end - 1);
        if (term->op == IR_br) {
            term->a = number[term->a];
        } else if (term->op == IR_brcond || term->op == IR_brnz) {
            term->c = number[term->c & 0xffff] | (uint32_t)number[term->c >> 16] << 16;
        }
    }
}

static void emit_unit(TransDriver *d)
{
    d->split = false;
    d->n_planned = d->n_blocks;
    for (uint32_t i = 0; i < d->n_planned; i++) {
        ir_block_new(d->ctx.b, d->blocks[i].pc);
        d->blocks[i].tail = (uint16_t)i;
    }
    for (uint32_t i = 0; i < d->n_blocks; i++) {
        emit_block(d, i);
    }
    if (d->split) {
        renumber_blocks(d);
    }
}

/* A gdb breakpoint at the entry: stop before the instruction. */
static void emit_breakpoint(TransDriver *d, vaddr pc)
{
    IrBuilder *b = d->ctx.b;
    ir_block_new(b, pc);
    ir_block_begin_merge(b, 0, false);
    leave(&d->ctx, VCPU_EXIT_DEBUG, pc, 0);
}

/* ---- logs ---- */

static void log_in_asm(const TransDriver *d)
{
    FILE *out = log_lock();
    fprintf(out, "----------------\nIN: " VADDR_FMT "\n", d->nodes[d->entry].pc);
    for (uint32_t i = d->first_block; i < d->n_planned; i++) {
        uint16_t node = d->blocks[i].node;
        if (node == SCAN_NONE || (d->nodes[node].copy && node != d->entry)) {
            continue;
        }
        for (unsigned k = 0; k < d->blocks[i].n_insns; k++) {
            const ScanNode *n = &d->nodes[node];
            uint8_t bytes[32];
            char text[128] = "?";
            unsigned length = MIN(n->length, sizeof(bytes));
            TransCtx ctx = d->ctx;
            if (trans_fetch(&ctx, n->pc, bytes, length) && d->ctx.target->disas) {
                d->ctx.target->disas(n->pc, bytes, length, d->ctx.mode, text, sizeof(text));
            }
            fprintf(out, "0x%08" PRIx64 ":  ", n->pc);
            for (unsigned j = length; j-- > 0;) {
                fprintf(out, "%02x", bytes[j]);
            }
            fprintf(out, "%*s%s\n", (int)(18 - 2 * MIN(length, 8)), "", text);
            node = n->kind == SCAN_JUMP ? n->taken : n->next;
        }
    }
    fprintf(out, "\n");
    log_unlock();
}

static void log_unit(const TransDriver *d, const TransUnit *unit)
{
    if (log_enabled(LOG_OP)) {
        FILE *out = log_lock();
        fprintf(out, "OP: " VADDR_FMT "\n", unit->pc);
        ir_print(out, &d->tr->unit);
        fprintf(out, "\n");
        log_unlock();
    }
    if (log_enabled(LOG_OP_OPT)) {
        FILE *out = log_lock();
        fprintf(out, "OP after optimization and liveness analysis: " VADDR_FMT "\n", unit->pc);
        if (tcg.host && tcg.host->print_lowered) {
            tcg.host->print_lowered(out, d->tr->compiler, &d->tr->unit);
        } else {
            ir_print(out, &d->tr->unit); /* the interpreter runs it as it is */
        }
        fprintf(out, "\n");
        log_unlock();
    }
    if (log_enabled(LOG_OUT_ASM) && tcg.host && tcg.host->disas) {
        FILE *out = log_lock();
        fprintf(out, "OUT: " VADDR_FMT " [size=%u]\n", unit->pc, unit->code_bytes);
        tcg.host->disas(out, unit->code, unit->code_bytes);
        fprintf(out, "\n");
        log_unlock();
    }
}

/* ---- compiling and inserting ---- */

static IrUnit *copy_unit(Arena *arena, const IrUnit *from)
{
    IrUnit *to = arena_alloc(arena, sizeof(*to));
    *to = *from;
#define COPY_VEC(v)                                                                  \
    (to->v.cap = to->v.n,                                                            \
     to->v.at = arena_alloc(arena, MAX(to->v.n, 1) * sizeof(*to->v.at)),             \
     memcpy((void *)to->v.at, from->v.n ? (const void *)from->v.at : (const void *)"", \
            to->v.n * sizeof(*to->v.at)))
    COPY_VEC(insns);
    COPY_VEC(blocks);
    COPY_VEC(mem);
    COPY_VEC(exits);
    COPY_VEC(args);
    COPY_VEC(vconst);
#undef COPY_VEC
    return to;
}

/* The struct of a unit whose code has been written at `rx`. */
static TransUnit *unit_make(CodeRegion *region, const uint8_t *rx, const HostCode *code)
{
    TransUnit *unit = arena_alloc(&region->meta, sizeof(*unit));
    memset(unit, 0, sizeof(*unit));
    unit->code = rx;
    unit->code_bytes = code->size_bytes;
    unit->n_links = code->n_links;
    unit->links = arena_alloc(&region->meta, (code->n_links + 1) * sizeof(UnitLink));
    for (uint32_t i = 0; i < code->n_links; i++) {
        unit->links[i] = (UnitLink){ .unit = unit, .patch = code->links[i].patch, .stub = code->links[i].stub };
    }
    unit->n_snapshot_bytes = code->n_snapshot_bytes;
    uint8_t *snapshots = arena_alloc(&region->meta, code->n_snapshot_bytes + 1);
    if (code->n_snapshot_bytes) {
        memcpy(snapshots, code->snapshots, code->n_snapshot_bytes);
    }
    unit->snapshots = snapshots;
    return unit;
}

static bool region_has_room(const CodeRegion *region, uint32_t code_bytes)
{
    return atomic_load_explicit(&region->n_units, memory_order_relaxed) < REGION_MAX_UNITS
           && region->used_bytes + code_bytes <= REGION_BYTES;
}

/* Compiles into the region. NULL: it does not fit. */
static TransUnit *compile_into(TransDriver *d, CodeRegion *region)
{
    Translator *tr = d->tr;
    if (!region_has_room(region, 64)) {
        return NULL;
    }
    code_region_prepare(region);
    const uint8_t *rx = region->rx + region->used_bytes;
    HostCode code = { .size_bytes = UNIT_ALIGN_BYTES };
    if (tcg.host && !tcg.host->compile(tr->compiler, &tr->unit, code_rw(rx),
                                       REGION_BYTES - region->used_bytes, &code)) {
        return NULL;
    }
    TransUnit *unit = unit_make(region, rx, &code);
    if (!tcg.host) {
        unit->ir = copy_unit(&region->meta, &tr->unit);
    }
    COUNT_ADD(d->tv, host_bytes, code.size_bytes);
    COUNT_ADD(d->tv, host_insns, code.n_host_insns);
    COUNT_ADD(d->tv, snapshot_bytes, code.n_snapshot_bytes);
    return unit;
}

/* NULL with want_room: no region; NULL without: the unit is too large for any. */
static TransUnit *compile_unit(TransDriver *d)
{
    Translator *tr = d->tr;
    uint64_t start = log_enabled(LOG_JIT) ? tcg_now_ns() : 0;
    TransUnit *unit = NULL;
    for (;;) {
        if (!tr->region) {
            tr->region = code_region_take(d->tv);
            if (!tr->region) {
                d->tv->want_room = true;
                break;
            }
        }
        bool fresh = !tr->region->used_bytes;
        unit = compile_into(d, tr->region);
        if (unit || fresh) {
            break;
        }
        code_region_close(tr->region);
        tr->region = NULL;
    }
    if (start) {
        COUNT_ADD(d->tv, compile_ns, tcg_now_ns() - start);
    }
    return unit;
}

static uint64_t page_bytes_hash(TransDriver *d, const ScanPage *p)
{
    d->tv->vcpu->guest_access = true;
    atomic_signal_fence(memory_order_seq_cst);
    uint64_t h = unit_bytes_hash(p->host + p->first, p->last - p->first + 1);
    atomic_signal_fence(memory_order_seq_cst);
    d->tv->vcpu->guest_access = false;
    return h;
}

static void driver_begin(TransDriver *d, TcgVcpu *tv, vaddr pc, uint64_t mode, uint32_t flags)
{
    Vcpu *vcpu = tv->vcpu;
    scan_forget(d);
    d->tv = tv;
    d->flags = flags;
    d->fault = d->unpolled = false;
    d->generation = atomic_load(&tcg.generation);
    d->ctx = (TransCtx){ .b = &d->tr->builder, .target = vcpu->target, .vcpu = vcpu, .mode = mode, .learnt = d->ctx.learnt,
                         .pc = pc, .max_insn_bytes = vcpu->target->max_insn_bytes, .driver = d };
    for (unsigned k = 0; k < 2; k++) {
        vaddr addr = ROUND_DOWN(pc, (vaddr)TCG_PAGE_BYTES) + k * TCG_PAGE_BYTES;
        d->page[k] = (ScanPage){ .addr = vcpu->target->word_bits == 32 ? (uint32_t)addr : addr, .first = UINT32_MAX,
                                 .index = TCG_NO_PAGE };
    }
}

/* The IR of the unit begins. */
static void driver_begin_unit(TransDriver *d, vaddr pc)
{
    Vcpu *vcpu = d->tv->vcpu;
    IrUnit *unit = &d->tr->unit;
    ir_unit_reset(unit);
    unit->target = vcpu->target;
    unit->pc = pc;
    unit->mode = d->ctx.mode;
    unit->softmmu = vcpu->softmmu;
    unit->addr32 = vcpu->target->word_bits == 32;
    unit->addr56 = false;
    unit->guest_base_zero = !vcpu->softmmu && !vcpu->jit.guest_base;
    unit->parallel = d->flags & UNIT_PARALLEL;
    unit->exclusive = d->flags & UNIT_EXCLUSIVE;
    d->tr->builder.all_insns = log_enabled(LOG_OP | LOG_OP_OPT);
    d->tr->builder.icount_left = d->flags & UNIT_ICOUNT ? VCPU_JIT_OFFSET(icount_left) : 0;
    ir_builder_begin(&d->tr->builder);
    vcpu->target->trans_begin(&d->ctx);
}

/* What the unit was made from, into its region. */
static const uint8_t *copy_guest_bytes(TransDriver *d, unsigned n_pages)
{
    size_t n[2] = { 0 };
    for (unsigned k = 0; k < n_pages; k++) {
        n[k] = d->page[k].last - d->page[k].first + 1;
    }
    uint8_t *bytes = arena_alloc(&d->tr->region->meta, n[0] + n[1]);
    d->tv->vcpu->guest_access = true;
    atomic_signal_fence(memory_order_seq_cst);
    for (unsigned k = 0; k < n_pages; k++) {
        memcpy(bytes + (k ? n[0] : 0), d->page[k].host + d->page[k].first, n[k]);
    }
    atomic_signal_fence(memory_order_seq_cst);
    d->tv->vcpu->guest_access = false;
    return bytes;
}

/* Makes a unit findable whose code lies at the end of the translator's region. NULL: its pages changed meanwhile. */
static TransUnit *insert_unit(TransDriver *d, TransUnit *unit, vaddr pc, const uint64_t check[2], unsigned n_pages)
{
    CodeRegion *region = d->tr->region;
    unit->pc = pc;
    unit->mode = d->ctx.mode;
    unit->flags = d->flags;
    unit->n_pages = (uint8_t)n_pages;
    CodePage *page[2];
    uint32_t version[2];
    for (unsigned k = 0; k < 2; k++) {
        unit->phys[k] = k < n_pages ? d->page[k].index : TCG_NO_PAGE;
        unit->first[k] = d->page[k].first;
        unit->last[k] = d->page[k].last;
        unit->check[k] = check[k];
        page[k] = d->page[k].page;
        version[k] = d->page[k].version;
    }
    /* Findable by address before it can run. */
    uint32_t n_units = atomic_load_explicit(&region->n_units, memory_order_relaxed);
    atomic_store_explicit(&region->units[n_units], unit, memory_order_relaxed);
    atomic_store_explicit(&region->n_units, n_units + 1, memory_order_release);
    uint32_t used = region->used_bytes;
    region->used_bytes = MIN(used + ROUND_UP(unit->code_bytes, UNIT_ALIGN_BYTES), REGION_BYTES);
    TransUnit *result = tb_insert(unit, page, version, d->generation);
    if (result != unit) {
        /* The last one in its region: its code goes; its struct waits for the region. */
        atomic_store_explicit(&region->n_units, n_units, memory_order_release);
        region->used_bytes = used;
        if (result) {
            COUNT(d->tv, duplicates);
        } else {
            COUNT(d->tv, stale);
        }
    } else {
        perfmap_unit(unit);
        jitdump_unit(unit);
    }
    return result;
}

/* Fills exception for a fetch that failed. */
static void fetch_fault(TransDriver *d)
{
    TcgVcpu *tv = d->tv;
    tv->has_fault = true;
    if (!tv->vcpu->softmmu) {
        tv->vcpu->exception = (VcpuException){ .cause = VCPU_CAUSE_FETCH,
            .value = d->fault ? d->fault_addr : d->ctx.pc & ~target_pc_flags(d->ctx.target, d->ctx.mode) };
    }
    /* System mode: code_page() of the page that failed has filled it. */
}

typedef enum Attempt { ATTEMPT_DONE, ATTEMPT_RETRY, ATTEMPT_SMALLER, ATTEMPT_FAILED } Attempt;

static Attempt attempt(TransDriver *d, TcgVcpu *tv, vaddr pc, uint64_t mode, uint32_t flags,
                       TransUnit **ret_unit)
{
    driver_begin(d, tv, pc, mode, flags);
    driver_begin_unit(d, pc);
    if (!scan_unit(d, pc)) {
        fetch_fault(d);
        return ATTEMPT_FAILED;
    }
    IrUnit *ir = &d->tr->unit;
    uint64_t check[2] = { 0 };
    unsigned n_pages = d->page[1].first != UINT32_MAX ? 2 : 1;
    for (unsigned k = 0; k < n_pages; k++) {
        check[k] = d->page[k].compare ? page_bytes_hash(d, &d->page[k]) : 0;
    }
    bool stop = !(flags & UNIT_STEP) && atomic_load_explicit(&tcg.n_breakpoints, memory_order_relaxed)
                && breakpoint_at(pc & ~target_pc_flags(tv->vcpu->target, d->ctx.mode));
    if (stop) {
        emit_breakpoint(d, pc);
    } else {
        emit_unit(d);
    }
    if (d->tr->builder.rule_broken || d->unpolled) {
        d->tr->builder.rule_safe |= d->tr->builder.rule_broken;
        d->poll_heads |= d->unpolled;
        return ATTEMPT_RETRY;
    }
    if (tv->vcpu->target->trans_end && !tv->vcpu->target->trans_end(&d->ctx)) {
        return ATTEMPT_RETRY;
    }
    for (uint32_t i = 0; i < d->n_nodes; i++) {
        ir->n_guest_insns += !d->nodes[i].copy;
        ir->n_guest_bytes += d->nodes[i].copy ? 0 : d->nodes[i].length;
    }
    for (unsigned k = 0; k < n_pages; k++) {
        if (d->page[k].compare && check[k] != page_bytes_hash(d, &d->page[k])) {
            return ATTEMPT_RETRY; /* somebody is writing it just now */
        }
    }
    if (tcg.options.verify) {
        Error *err = NULL;
        if (!ir_verify(ir, &err)) {
            ir_print(stderr, ir);
            error_report("translation of " VADDR_FMT ": %s", pc, error_message(err));
            abort();
        }
    }
    if (log_enabled(LOG_IN_ASM) && log_in_filter(pc) && !stop) {
        log_in_asm(d);
    }
    TransUnit *unit = compile_unit(d);
    if (!unit) {
        return tv->want_room ? ATTEMPT_FAILED : ATTEMPT_SMALLER;
    }
    unit->n_guest_insns = ir->n_guest_insns;
    unit->n_guest_bytes = ir->n_guest_bytes;
    unit->pc = pc;
    if (log_enabled(LOG_OP | LOG_OP_OPT | LOG_OUT_ASM) && log_in_filter(pc)) {
        log_unit(d, unit);
    }
    unit->from = UNIT_TRANSLATED;
    for (unsigned k = 0; k < n_pages; k++) {
        if (d->page[k].compare) {
            unit->from = UNIT_UNSTABLE;
        }
    }
    /* A kept unit is found by what its first page is. */
    bool mixed = n_pages == 2 && guarded_flag(tv, d->page[1].addr, mode) != (flags & UNIT_GUARDED);
    if (unit->from == UNIT_TRANSLATED && persist_active(flags) && !mixed) {
        unit->guest_bytes = copy_guest_bytes(d, n_pages);
    }
    TransUnit *result = insert_unit(d, unit, pc, check, n_pages);
    if (!result) {
        return ATTEMPT_RETRY;
    }
    if (result == unit) {
        COUNT(tv, units);
        COUNT_ADD(tv, guest_insns, unit->n_guest_insns);
        COUNT_ADD(tv, guest_bytes, unit->n_guest_bytes);
        COUNT_ADD(tv, ir_insns, ir->insns.n);
        persist_note(unit);
    }
    *ret_unit = result;
    return ATTEMPT_DONE;
}

/* The same guest bytes at pc, in a page that nobody writes to? */
static bool page_has_bytes(TransDriver *d, unsigned k, uint32_t first, uint32_t last, const uint8_t *bytes)
{
    ScanPage *p = &d->page[k];
    if (!page_open(d, k) || p->compare) {
        return false;
    }
    p->first = first;
    p->last = last;
    d->tv->vcpu->guest_access = true;
    atomic_signal_fence(memory_order_seq_cst);
    bool same = !memcmp(p->host + first, bytes, last - first + 1);
    atomic_signal_fence(memory_order_seq_cst);
    d->tv->vcpu->guest_access = false;
    return same;
}

/* A unit kept by an earlier process instead of a new translation; NULL: there is none that fits. */
static TransUnit *restore_unit(TransDriver *d, TcgVcpu *tv, vaddr pc, uint64_t mode, uint32_t flags)
{
    if (!d->tr->region) {
        d->tr->region = code_region_take(tv);
    }
    CodeRegion *region = d->tr->region;
    PersistedUnit p;
    for (uint32_t cursor = 0; region && persist_find(tv->vcpu, pc, mode, flags, &cursor, &p);) {
        driver_begin(d, tv, pc, mode, flags);
        const uint8_t *bytes = p.guest_bytes;
        bool same = region_has_room(region, p.code.size_bytes);
        for (unsigned k = 0; k < p.n_pages && same; k++) {
            same = page_has_bytes(d, k, p.first[k], p.last[k], bytes);
            bytes += p.last[k] - p.first[k] + 1;
        }
        if (!same) {
            continue;
        }
        code_region_prepare(region);
        const uint8_t *rx = region->rx + region->used_bytes;
        memcpy(code_rw(rx), p.host_bytes, p.code.size_bytes);
        TransUnit *unit = unit_make(region, rx, &p.code);
        unit->n_guest_insns = p.n_guest_insns;
        unit->n_guest_bytes = p.n_guest_bytes;
        unit->from = UNIT_RESTORED;
        TransUnit *result = insert_unit(d, unit, pc, (const uint64_t[2]){ 0 }, p.n_pages);
        if (result == unit) {
            COUNT(tv, restored);
        }
        return result;
    }
    return NULL;
}

TransUnit *translate_unit(TcgVcpu *tv, vaddr pc, uint64_t mode, uint32_t flags)
{
    uint64_t start = log_enabled(LOG_JIT) ? tcg_now_ns() : 0;
    TransDriver *d = &translator_get(tv)->driver;
    TransUnit *unit = NULL;
    d->max_insns = flags & (UNIT_ONE_INSN | UNIT_STEP) ? 1 : tcg.max_insns;
    d->tr->builder.rule_safe = false;
    d->poll_heads = (flags & UNIT_ICOUNT) != 0;
    d->ctx.learnt = 0;
    if (persist_active(flags)) {
        unit = restore_unit(d, tv, pc, mode, flags);
    }
    while (!unit) {
        Attempt a = attempt(d, tv, pc, mode, flags, &unit);
        if (a == ATTEMPT_SMALLER) {
            d->max_insns = MAX(1, MIN(d->max_insns, d->n_nodes) / 2);
            assert(d->n_nodes > 1);
        } else if (a != ATTEMPT_RETRY) {
            break;
        }
    }
    translator_release(tv);
    if (unit) {
        fork_note_unit(unit);
    }
    if (start) {
        COUNT_ADD(tv, translate_ns, tcg_now_ns() - start);
    }
    return unit;
}
