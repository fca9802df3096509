/*
 * scan.c: finds the guest instructions of a unit and its control-flow graph.
 *
 * From the entry the scan follows fall-through, direct jumps and both sides of branches, as long as
 * they stay inside the page set (the entry's page, in user mode also the next one) and the unit's
 * instruction budget; fall-through first, the taken sides in order of discovery afterwards, those of
 * forward branches in loops only. An
 * instruction is known by its pc, so a branch into the middle of another one just begins a second
 * stream. Calls, indirect jumps and everything that stops end a path.
 *
 * Blocks begin at the entry, at targets of jumps and branches, behind branches and wherever two paths
 * meet; a jump to an instruction with no other predecessor does not even end its block. They are
 * emitted in reverse post-order, so every predecessor but those of back edges comes first, and a block
 * receives a back edge exactly if it closes a cycle.
 *
 * A loop that begins with a reader of what another instruction left behind (flags: addition with carry) is turned: its first
 * block is there twice, for the way in and for the next round, and the second knows what the round leaves behind.
 *
 * Threads: a driver belongs to one thread.
 */
#include "scan.h"

enum {
    /* Where a forward branch leads to waits until somebody gets there, unless the scan comes by anyway; in a loop not, if it is no further
     * than that. (openssl, python3, cc1: a tenth less to translate, the same speed.) */
    TAKEN_REACH_BYTES = 128,
    /* Loops turned in a unit, and the longest first block of one. */
    MAX_TURNED = 4, MAX_TURNED_INSNS = 32,
};

static bool inside(const TransDriver *d, vaddr pc)
{
    vaddr reach = d->tv->vcpu->softmmu ? TCG_PAGE_BYTES : 2 * TCG_PAGE_BYTES;
    return pc - d->page[0].addr < reach;
}

static void note_bytes(TransDriver *d, vaddr pc, unsigned length)
{
    const vaddr flags = target_pc_flags(d->ctx.target, d->ctx.mode);
    uint32_t from = (pc & ~flags) - d->page[0].addr, to = ((pc + length) & ~flags) - 1 - d->page[0].addr;
    for (unsigned k = 0; k < 2; k++) {
        uint32_t low = k * TCG_PAGE_BYTES, high = low + TCG_PAGE_BYTES - 1;
        if (from <= high && to >= low) {
            d->page[k].first = MIN(d->page[k].first, MAX(from, low) - low);
            d->page[k].last = MAX(d->page[k].last, MIN(to, high) - low);
        }
    }
}

/* Scans a straight run, through jumps. Taken sides of branches go to the stack. */
static void scan_run(TransDriver *d, vaddr pc, uint32_t *n_pending)
{
    uint32_t limit = d->max_insns > 1 ? MIN(d->max_insns + TCG_GLUE_INSNS, TCG_LIMIT_MAX_INSNS) : d->max_insns;
    const vaddr flags = target_pc_flags(d->ctx.target, d->ctx.mode);
    while (d->n_nodes < limit && inside(d, pc) && scan_find(d, pc) == SCAN_NONE) {
        ScanInsn insn = { 0 };
        bool stop = d->n_nodes && atomic_load_explicit(&tcg.n_breakpoints, memory_order_relaxed)
                    && breakpoint_at(pc & ~flags);
        if (stop) {
            return; /* a unit of its own begins there */
        }
        if (!d->ctx.target->scan(&d->ctx, pc, &insn)) {
            return;
        }
        assert(insn.length);
        if (d->n_nodes >= d->max_insns && !insn.glued) {
            return;
        }
        if (d->tv->vcpu->softmmu && d->n_nodes
            && (pc & (TCG_PAGE_BYTES - 1) & ~flags) + insn.length > TCG_PAGE_BYTES) {
            return; /* alone in its unit, because nothing may be linked to a unit of two pages */
        }
        uint16_t index = d->n_nodes++;
        d->nodes[index] = (ScanNode){
            .pc = pc, .target = insn.target, .kind = insn.kind, .length = insn.length,
            .glued = insn.glued, .keeps = insn.keeps, .sets = insn.sets,
            .next = SCAN_NONE, .taken = SCAN_NONE,
        };
        d->map[pc - d->page[0].addr] = index;
        note_bytes(d, pc, insn.length);
        switch ((ScanKind)insn.kind) {
        case SCAN_BRANCH:
            d->stack[(*n_pending)++] = index;
            pc += insn.length;
            break;
        case SCAN_NORMAL:
            pc += insn.length;
            break;
        case SCAN_JUMP:
            pc = insn.target;
            break;
        case SCAN_CALL:
        case SCAN_INDIRECT:
        case SCAN_STOP:
            return;
        }
    }
}

/* A jump backwards that has been found encloses pc. */
static bool in_loop(const TransDriver *d, vaddr pc)
{
    for (uint32_t i = 0; i < d->n_nodes; i++) {
        const ScanNode *n = &d->nodes[i];
        if ((n->kind == SCAN_BRANCH || n->kind == SCAN_JUMP) && n->target <= pc && pc <= n->pc && scan_find(d, n->target) != SCAN_NONE) {
            return true;
        }
    }
    return false;
}

static void edge(TransDriver *d, uint16_t from, uint16_t to)
{
    if (to != SCAN_NONE) {
        d->nodes[to].n_preds++;
        d->nodes[to].pred = from;
    }
}

static void find_edges(TransDriver *d)
{
    d->entry = 0;
    for (uint32_t i = 0; i < d->n_nodes; i++) {
        ScanNode *n = &d->nodes[i];
        if (n->kind == SCAN_NORMAL || n->kind == SCAN_BRANCH) {
            n->next = scan_find(d, n->pc + n->length);
        }
        if (n->kind == SCAN_BRANCH || n->kind == SCAN_JUMP) {
            n->taken = scan_find(d, n->target);
        }
    }
}

static void find_leaders(TransDriver *d)
{
    for (uint32_t i = 0; i < d->n_nodes; i++) {
        edge(d, i, d->nodes[i].next);
        edge(d, i, d->nodes[i].taken);
    }
    for (uint32_t i = 0; i < d->n_nodes; i++) {
        ScanNode *n = &d->nodes[i];
        n->leader = i == d->entry || n->n_preds != 1 || d->nodes[n->pred].kind == SCAN_BRANCH;
    }
}

/* Of each leader: the last instruction of its block, and how many there are. */
static void find_ends(TransDriver *d)
{
    for (uint32_t i = 0; i < d->n_nodes; i++) {
        ScanNode *leader = &d->nodes[i];
        if (!leader->leader) {
            continue;
        }
        uint16_t node = i, n = 1;
        for (;; n++) {
            const ScanNode *at = &d->nodes[node];
            uint16_t next = at->kind == SCAN_NORMAL ? at->next : at->kind == SCAN_JUMP ? at->taken : SCAN_NONE;
            if (next == SCAN_NONE || d->nodes[next].leader) {
                break;
            }
            node = next;
        }
        leader->last = node;
        leader->n_insns = n;
    }
}

/* Depth first over leaders: order[] gets them in post-order, taken sides first. */
static uint32_t post_order(TransDriver *d)
{
    enum { TAKEN, NEXT, DONE };
    uint32_t depth = 0, n = 0;
    /* `block` is, until the order is known, the state of the walk. */
    d->nodes[d->entry].block = TAKEN;
    d->stack[depth++] = d->entry;
    while (depth) {
        uint16_t leader = d->stack[depth - 1];
        const ScanNode *last = &d->nodes[d->nodes[leader].last];
        uint16_t to;
        if (d->nodes[leader].block == TAKEN) {
            to = last->taken;
        } else if (d->nodes[leader].block == NEXT) {
            to = last->next;
        } else {
            d->order[n++] = leader;
            depth--;
            continue;
        }
        d->nodes[leader].block++;
        if (to != SCAN_NONE && d->nodes[to].block == SCAN_NONE) {
            d->nodes[to].block = TAKEN;
            d->stack[depth++] = to;
        }
    }
    return n;
}

static void plan_blocks(TransDriver *d)
{
    uint32_t n_leaders = post_order(d), n = 0;
    bool entry_is_target = d->nodes[d->entry].n_preds != 0;
    if (entry_is_target) {
        d->blocks[n++] = (ScanBlock){ .node = SCAN_NONE, .pc = d->nodes[d->entry].pc };
    }
    d->first_block = n;
    for (uint32_t i = n_leaders; i-- > 0;) {
        uint16_t leader = d->order[i];
        ScanBlock *b = &d->blocks[n];
        *b = (ScanBlock){ .node = leader, .pc = d->nodes[leader].pc };
        d->nodes[leader].block = n++;
        const ScanNode *last = &d->nodes[d->nodes[leader].last];
        b->n_insns = d->nodes[leader].n_insns;
        if (last->kind == SCAN_BRANCH && last->next == SCAN_NONE) {
            /* The way on leaves the unit: right behind, where it needs no jump. */
            d->blocks[n] = (ScanBlock){ .node = SCAN_NONE, .pc = last->pc + last->length, .pred = n - 1 };
            n++;
        }
    }
    d->n_blocks = n;
    /* Kinds: which blocks have one predecessor, and which receive an edge from themselves or later. */
    for (uint32_t i = 0; i < n; i++) {
        const ScanBlock *b = &d->blocks[i];
        if (b->node == SCAN_NONE) {
            continue;
        }
        const ScanNode *last = &d->nodes[d->nodes[b->node].last];
        uint16_t to[2] = { last->taken, last->next };
        for (unsigned k = 0; k < 2; k++) {
            if (to[k] != SCAN_NONE) {
                ScanBlock *t = &d->blocks[d->nodes[to[k]].block];
                t->pred = i;
                t->loop |= d->nodes[to[k]].block <= i;
            }
        }
    }
    for (uint32_t i = d->first_block; i < n; i++) {
        ScanBlock *b = &d->blocks[i];
        if (b->node != SCAN_NONE) {
            b->merge = b->loop || i == d->first_block || d->nodes[b->node].n_preds != 1;
        }
    }
}

/* Does the block look at what was left behind before it? */
static bool begins_with_reader(const TransDriver *d, uint16_t leader)
{
    uint16_t node = leader;
    for (unsigned n = d->nodes[leader].n_insns; n; n--) {
        const ScanNode *at = &d->nodes[node];
        if (at->glued || at->keeps || at->sets) {
            return at->glued || at->keeps;
        }
        node = at->kind == SCAN_JUMP ? at->taken : at->next;
    }
    return false;
}

/* The block of `leader`, once more: what comes from before the loop goes there. `first`: the loop's first block in the order of emission. */
static void turn_loop(TransDriver *d, uint16_t leader)
{
    uint16_t first = d->nodes[leader].block, copy = d->n_nodes, n_old = d->n_nodes, node = leader;

    for (unsigned n = d->nodes[leader].n_insns; n; n--) {
        const ScanNode *at = &d->nodes[node];
        ScanNode *to = &d->nodes[d->n_nodes++];
        *to = *at;
        to->copy = true;
        to->leader = false;
        bool jump = at->kind == SCAN_JUMP;
        node = jump ? at->taken : at->next;
        if (n > 1) {
            *(jump ? &to->taken : &to->next) = (uint16_t)d->n_nodes;
        }
    }
    for (uint32_t i = 0; i < n_old; i++) {
        /* Blocks before it in reverse post-order are no part of the loop. */
        ScanNode *leading = &d->nodes[i];
        if (leading->leader && leading->block != SCAN_NONE && leading->block < first) {
            ScanNode *last = &d->nodes[leading->last];
            last->next = last->next == leader ? copy : last->next;
            last->taken = last->taken == leader ? copy : last->taken;
        }
    }
    d->entry = d->entry == leader ? copy : d->entry;
}

/* Turns a loop, if one wants it. */
static bool turn_loops(TransDriver *d)
{
    for (uint32_t i = 0; i < d->n_blocks; i++) {
        const ScanBlock *b = &d->blocks[i];
        if (b->loop && !d->nodes[b->node].turned && b->n_insns <= MAX_TURNED_INSNS && d->n_nodes + b->n_insns <= TCG_LIMIT_MAX_INSNS &&
            begins_with_reader(d, b->node)) {
            d->nodes[b->node].turned = true;
            turn_loop(d, b->node);
            return true;
        }
    }
    return false;
}

static void plan(TransDriver *d)
{
    for (uint32_t i = 0; i < d->n_nodes; i++) {
        d->nodes[i].n_preds = 0;
        d->nodes[i].block = d->nodes[i].pred = SCAN_NONE;
    }
    find_leaders(d);
    find_ends(d);
    plan_blocks(d);
}

bool scan_unit(TransDriver *d, vaddr pc)
{
    uint32_t n_pending = 0;
    d->n_nodes = d->n_blocks = 0;
    scan_run(d, pc, &n_pending);
    if (!d->n_nodes) {
        return false;
    }
    for (uint32_t i = 0; i < n_pending; i++) {
        const ScanNode *branch = &d->nodes[d->stack[i]];
        if ((int64_t)(branch->target - branch->pc) <= 0) {
            scan_run(d, branch->target, &n_pending);
        }
    }
    for (uint32_t i = 0; i < n_pending; i++) {
        const ScanNode *branch = &d->nodes[d->stack[i]];
        if ((int64_t)(branch->target - branch->pc) < TAKEN_REACH_BYTES && in_loop(d, branch->pc)) {
            scan_run(d, branch->target, &n_pending);
        }
    }
    find_edges(d);
    plan(d);
    for (unsigned n = 0; n < MAX_TURNED && d->max_insns > 1 && turn_loops(d); n++) {
        plan(d);
    }
    return true;
}

void scan_forget(TransDriver *d)
{
    for (uint32_t i = 0; i < d->n_nodes; i++) {
        d->map[d->nodes[i].pc - d->page[0].addr] = SCAN_NONE;
    }
    d->n_nodes = 0;
}
