/*
 * lower-call.c: calls of the target's helpers, by the System V calling convention: what comes behind the sixth argument is on the stack.
 *
 * A helper that looks at state finds every slot in memory; one that changes state leaves only values in
 * registers behind. What lives on moves to registers the callee saves, or is stored.
 */
#include "tcg/x86_64/host.h"

static const uint8_t arg_regs[] = { RDI, RSI, RDX, RCX, R8, R9 };

typedef struct ArgSource {
    enum { ARG_REG, ARG_MEM, ARG_CONST } kind;
    Reg reg;
    uint8_t type;
    Mem mem;
    uint64_t imm;
} ArgSource;

/* Argument k, behind the sixth: the stack is aligned to 16 bytes between instructions. */
static void push_arg(HostCompiler *hc, const ArgSource *src)
{
    Asm *as = &hc->as;
    Reg r = src->reg;
    x_alu_ri(as, true, A_SUB, RSP, 8);
    if (src->kind == ARG_CONST) {
        r = REG_TMP;
        x_mov_ri(as, r, src->imm);
    } else if (src->kind == ARG_MEM) {
        bool w = src->type == IR_I64 || src->type == IR_F64;
        r = REG_TMP;
        x_load(as, w ? 3 : 2, false, false, r, src->mem);
    } else if (reg_is_vec(r)) {
        ra_move(hc, REG_TMP, r, src->type);
        r = REG_TMP;
    }
    x_push(as, r);
}

static void move_args(HostCompiler *hc, const ArgSource *src, unsigned n, unsigned first)
{
    uint8_t readers[16] = { 0 };
    uint8_t from[IR_MAX_ARGS];
    unsigned pending = 0;
    for (unsigned k = 0; k < n; k++) {
        if (src[k].kind == ARG_REG && src[k].reg != arg_regs[first + k]) {
            from[k] = src[k].reg;
            pending |= 1u << k;
            if (from[k] < 16) {
                readers[from[k]]++;
            }
        } else if (src[k].kind == ARG_REG) {
            from[k] = src[k].reg;
        }
    }
    while (pending) {
        bool moved = false;
        for (unsigned m = pending; m; m &= m - 1) {
            unsigned k = __builtin_ctz(m);
            Reg d = arg_regs[first + k];
            if (!readers[d]) {
                ra_move(hc, d, from[k], src[k].type);
                if (from[k] < 16) {
                    readers[from[k]]--;
                }
                pending &= ~(1u << k);
                moved = true;
            }
        }
        if (!moved) {
            Reg d = arg_regs[first + __builtin_ctz(pending)];
            x_mov_rr(&hc->as, true, REG_TMP, d);
            for (unsigned m = pending; m; m &= m - 1) {
                unsigned k = __builtin_ctz(m);
                if (from[k] == d) {
                    from[k] = REG_TMP;
                }
            }
            readers[REG_TMP] = readers[d];
            readers[d] = 0;
        }
    }
    for (unsigned k = 0; k < n; k++) {
        Reg d = arg_regs[first + k];
        if (src[k].kind == ARG_CONST) {
            x_mov_ri(&hc->as, d, src[k].imm);
        } else if (src[k].kind == ARG_MEM) {
            bool w = src[k].type == IR_I64 || src[k].type == IR_F64;
            x_load(&hc->as, w ? 3 : 2, false, false, d, src[k].mem);
        }
    }
}

void lower_call(HostCompiler *hc, const IrInsn *in)
{
    const HelperDesc *h = &hc->target->helpers[in->aux];
    Asm *as = &hc->as;
    const IrRef *args = &hc->unit->args.at[in->a];
    unsigned n = in->b, first = h->flags & HELPER_VCPU ? 1 : 0;
    ArgSource src[IR_MAX_ARGS];

    static_assert(IR_MAX_ARGS == ARRAY_SIZE(arg_regs), "the vCPU pushes one argument at most onto the stack");
    if (h->flags & (HELPER_READS_STATE | HELPER_WRITES_STATE | HELPER_RAISES)) {
        ra_store_stale(hc);
    }
    if (h->flags & HELPER_WRITES_STATE) {
        ra_forget_slots(hc);
    }
    for (unsigned k = 0; k < n; k++) {
        IrRef v = val_resolve(hc, args[k]);
        const ValInfo *vi = &hc->val[v];
        src[k].type = val_type(hc, v);
        if (ir_type_is_vec(src[k].type)) {
            src[k].type = hc->insns[args[k]].type; /* vlow */
        }
        if (ir_type_is_vec(src[k].type)) {
            hc->ok = false;
            return;
        }
        if (vi->reg != NO_REG) {
            src[k].kind = ARG_REG;
            src[k].reg = vi->reg;
        } else if (val_is_const(hc, v)) {
            src[k].kind = ARG_CONST;
            src[k].imm = hc->insns[v].imm;
        } else {
            src[k].kind = ARG_MEM;
            src[k].mem = vi->spill != NO_SPILL ? spill_mem(vi->spill) : slot_mem(hc, vi->home);
        }
    }
    for (unsigned k = 0; k < n; k++) {
        IrRef v = val_resolve(hc, args[k]);
        if (!val_is_const(hc, v) && hc->arg_next[in->a + k] != hc->i) {
            hc->val[v].next_use = hc->arg_next[in->a + k];
        }
    }
    ra_vacate(hc, 0xffffffffu & ~REGS_CALL_SAVED & hc->allocatable);
    bool pushed = n + first > ARRAY_SIZE(arg_regs);
    if (pushed) {
        push_arg(hc, &src[n - 1]);
    }
    move_args(hc, src, n - pushed, first);
    for (unsigned k = 0; k < n; k++) {
        ra_drop_dead(hc, val_resolve(hc, args[k]));
    }
    if (h->flags & HELPER_FP_READ) {
        x_rm(as, M_0F | 0xae, 3, JIT_MEM(fp_control_guest));
    }
    if (hc->has_256) {
        x_u8(as, 0xc5); /* vzeroupper */
        x_u8(as, 0xf8);
        x_u8(as, 0x77);
    }
    if (first) {
        x_lea(as, true, RDI, mem_bd(REG_STATE, -(int32_t)offsetof(Vcpu, state) - VCPU_STATE_BIAS));
    }
    x_rm(as, I_MOV_LD | X_W, RAX, JIT_MEM(helpers));
    x_rm(as, 0xff, 2, mem_bd(RAX, in->aux * 8));
    if (pushed) {
        x_alu_ri(as, true, A_ADD, RSP, 16);
    }
    if (h->flags & HELPER_FP_WRITE) {
        x_rm(as, M_0F | 0xae, 2, JIT_MEM(fp_control_guest));
    }
    if (in->type != IR_VOID && !(h->flags & HELPER_NORETURN)) {
        hc->pinned = 1u << RAX;
        hc->temps = 0;
        Reg d = ra_dest(hc, RAX, 0);
        ra_move(hc, d, RAX, in->type);
        ra_done(hc);
    }
}
