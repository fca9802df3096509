/*
 * ir-rebuild.c: replays a unit through the builder.
 */
#include "ir-rebuild.h"
#include "target/target.h"

typedef struct Rebuild {
    IrBuilder *b;
    const IrUnit *src;
    IrRef *map;
} Rebuild;

static IrRef mapped(Rebuild *r, IrRef ref)
{
    if (ref == IR_NONE) {
        return IR_NONE;
    }
    const IrInsn *in = ir_insn(r->src, ref);
    if (in->op == IR_const) {
        return ir_type_is_vec(in->type) ? ir_vconst(r->b, in->type, &r->src->vconst.at[in->imm])
                                        : ir_const(r->b, in->type, in->imm);
    }
    return r->map[ref];
}

static IrRef replay(Rebuild *r, const IrInsn *in)
{
    IrBuilder *b = r->b;
    IrRef args[6];

    switch (in->op) {
    case IR_nop: case IR_const: return IR_NONE;
    case IR_insn_start: ir_insn_start(b, in->imm, in->a); return IR_NONE;
    case IR_get: return ir_get(b, in->aux);
    case IR_put: ir_put(b, in->aux, mapped(r, in->a)); return IR_NONE;
    case IR_kill: ir_kill(b, in->aux); return IR_NONE;
    case IR_ldenv:
        return ir_ldenv(b, in->type, (int32_t)in->b, 1u << (in->aux & 7), in->aux & IR_ENV_SIGN);
    case IR_stenv: ir_stenv(b, (int32_t)in->b, 1u << in->aux, mapped(r, in->a)); return IR_NONE;
    case IR_fpget: return ir_fpget(b);
    case IR_fpset: ir_fpset(b, mapped(r, in->a)); return IR_NONE;
    case IR_poll: ir_poll(b, in->imm); return IR_NONE;
    case IR_icount: ir_icount(b, in->imm, in->aux); return IR_NONE;
    case IR_ld:
        return ir_load(b, in->type, mapped(r, in->a), mapped(r, in->b), r->src->mem.at[in->aux]);
    case IR_st:
        ir_store(b, mapped(r, in->a), mapped(r, in->b), mapped(r, in->c), r->src->mem.at[in->aux]);
        return IR_NONE;
    case IR_rmw:
        return ir_rmw(b, in->type, mapped(r, in->a), mapped(r, in->b), r->src->mem.at[in->aux]);
    case IR_cas:
        return ir_cas(b, in->type, mapped(r, in->a), mapped(r, in->b), mapped(r, in->c),
                      r->src->mem.at[in->aux]);
    case IR_ll: return ir_ll(b, in->type, mapped(r, in->a), r->src->mem.at[in->aux]);
    case IR_sc:
        return ir_sc(b, in->type, mapped(r, in->a), mapped(r, in->b), r->src->mem.at[in->aux]);
    case IR_x87: ir_x87(b, in->c); return IR_NONE;
    case IR_x87_in: ir_x87_in(b, in->c, mapped(r, in->a)); return IR_NONE;
    case IR_x87_out: return ir_x87_out(b, in->type, in->c);
    case IR_x87_mem:
        ir_x87_mem(b, in->c, mapped(r, in->a), mapped(r, in->b), r->src->mem.at[in->aux]);
        return IR_NONE;
    case IR_fence: ir_fence(b, in->aux); return IR_NONE;
    case IR_call:
        for (unsigned i = 0; i < in->b; i++) {
            args[i] = mapped(r, r->src->args.at[in->a + i]);
        }
        return ir_call(b, in->aux, in->b, args);
    case IR_br: ir_br(b, in->a); return IR_NONE;
    case IR_brcond:
        ir_brcond(b, in->aux, mapped(r, in->a), mapped(r, in->b), in->c & 0xffff, in->c >> 16);
        return IR_NONE;
    case IR_brnz: ir_brnz(b, mapped(r, in->a), in->c & 0xffff, in->c >> 16); return IR_NONE;
    case IR_exit: ir_exit(b, r->src->exits.at[in->aux], mapped(r, in->a)); return IR_NONE;
    case IR_trap: ir_trap(b); return IR_NONE;
    default: {
        IrRef x = mapped(r, in->a), y = mapped(r, in->b), z = mapped(r, in->c);
        return ir_emit(b, in->op, in->type, in->aux, x, y, z);
    }
    }
}

static void begin_block(Rebuild *r, unsigned block)
{
    const IrBlock *bb = &r->src->blocks.at[block];

    if (bb->flags & IR_BLOCK_MERGE) {
        ir_block_begin_merge(r->b, block, bb->flags & IR_BLOCK_LOOP);
    } else {
        ir_block_begin_tree(r->b, block, bb->pred);
    }
    r->b->unit->blocks.at[block].flags |= bb->flags & IR_BLOCK_COLD;
}

void ir_rebuild(IrBuilder *b, const IrUnit *src)
{
    Rebuild r = { .b = b, .src = src, .map = xnew_array(IrRef, src->insns.n) };
    IrUnit *unit = b->unit;

    ir_unit_reset(unit);
    unit->target = src->target;
    unit->pc = src->pc;
    unit->mode = src->mode;
    unit->softmmu = src->softmmu;
    unit->addr32 = src->addr32;
    unit->addr56 = src->addr56;
    unit->guest_base_zero = src->guest_base_zero;
    unit->parallel = src->parallel;
    ir_builder_begin(b);
    for (unsigned k = 0; k < src->blocks.n; k++) {
        ir_block_new(b, src->blocks.at[k].pc);
    }
    for (IrRef at = 0; at < src->insns.n;) {
        unsigned k;
        for (k = 0; k < src->blocks.n; k++) {
            if (src->blocks.at[k].first == at && src->blocks.at[k].end > at) {
                break;
            }
        }
        if (k == src->blocks.n) {
            at++;
            continue;
        }
        begin_block(&r, k);
        for (; at < src->blocks.at[k].end; at++) {
            r.map[at] = replay(&r, ir_insn(src, at));
        }
    }
    free(r.map);
}
