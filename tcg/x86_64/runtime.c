/*
 * runtime.c: operations done in C: rare ones, and those the host lacks. The rules are the interpreter's.
 *
 * Called with the guest's rounding mode and flags in jit.fp_control_guest, and taken up from there again.
 */
#include "tcg/interp-ops.h"
#include "tcg/x86_64/host.h"

static uint64_t scalar_arg(uint64_t v, unsigned type)
{
    return type == IR_I32 || type == IR_F32 ? (uint32_t)v : v;
}

static void host_call_fp(Vcpu *vcpu, uint64_t *words)
{
    uint64_t what = words[3];
    unsigned op = what & 0xff, type = what >> 8 & 0xff, operand_type = what >> 16 & 0xff;
    uint16_t aux = what >> 32;
    uint64_t a = scalar_arg(words[0], operand_type), b = scalar_arg(words[1], operand_type);
    uint64_t c = scalar_arg(words[2], operand_type);
    words[0] = ir_op_info[op].flags & IR_OP_PURE ? ir_eval(op, type, operand_type, aux, a, b, c)
                                                 : interp_fp(vcpu, op, type, operand_type, aux, a, b, c);
}

static void host_call_vec(Vcpu *vcpu, uint64_t *words)
{
    uint64_t what = words[3];
    IrInsn in = { .op = what & 0xff, .type = what >> 8 & 0xff, .aux = what >> 32 };
    unsigned operand_type = what >> 16 & 0xff;
    InterpValue a, b, c, ret;
    memset(&ret, 0, sizeof(ret));
    memcpy(&a, vcpu->jit.spill[SPILL_VEC_A], sizeof(a));
    memcpy(&b, vcpu->jit.spill[SPILL_VEC_B], sizeof(b));
    memcpy(&c, vcpu->jit.spill[SPILL_VEC_ARG], sizeof(c));
    if (!ir_type_is_vec(operand_type)) {
        a.u64[0] = scalar_arg(words[0], operand_type);
    }
    unsigned b_type = what >> 24 & 0xff;
    if (!ir_type_is_vec(b_type)) {
        b.u64[0] = scalar_arg(words[1], b_type);
    }
    interp_vec(vcpu, &in, operand_type, b_type, &a, &b, &c, &ret);
    memcpy(vcpu->jit.spill[SPILL_VEC_ARG], &ret, sizeof(ret));
    words[0] = ret.u64[0];
}

static void host_call_x87(Vcpu *vcpu, uint64_t *words)
{
    const TargetX87 *x87 = vcpu->target->x87;
    if (words[3]) {
        x87->save(vcpu);
        x87->exec(vcpu, (uint32_t)words[3], 0);
    }
    x87->load(vcpu);
}

const void *const x64_host_calls[] = {
    [HOST_CALL_X87] = (const void *)host_call_x87,
    [HOST_CALL_FP] = (const void *)host_call_fp,
    [HOST_CALL_VEC] = (const void *)host_call_vec,
};

void emit_host_call(HostCompiler *hc, HostCall index, uint64_t what)
{
    Asm *as = &hc->as;
    x_mov_mi(as, 2, arg_mem(3), (int32_t)what);
    x_mov_mi(as, 2, mem_plus(arg_mem(3), 4), (int32_t)(what >> 32));
    x_mov_ri(as, REG_TMP, index);
    x_rm(as, 0xff, 2, JIT_MEM(scratch[SCRATCH_ENTRY + RT_HOST_CALL]));
}

void lower_by_call(HostCompiler *hc, const IrInsn *in)
{
    static const uint8_t places[3] = { SPILL_VEC_A, SPILL_VEC_B, SPILL_VEC_ARG };
    bool vec = in->op >= IR_VEC_FIRST && in->op <= IR_VEC_LAST;
    unsigned type_of[3] = { 0 };
    for (unsigned k = 0; k < 3; k++) {
        IrRef v = hc->ops[k];
        if (v == IR_NONE) {
            continue;
        }
        const IrRef raw[3] = { in->a, in->b, in->c };
        unsigned type = hc->insns[raw[k]].type;
        type_of[k] = type;
        if (ir_type_is_vec(type)) {
            ra_store(hc, spill_mem(places[k]), type, ra_use(hc, v));
        } else {
            Reg r = ra_use(hc, v);
            ra_store(hc, arg_mem(k), reg_is_vec(r) ? IR_F64 : IR_I64, r);
        }
    }
    ra_consume(hc);
    Reg d = ra_dest(hc, NO_REG, 0);
    uint64_t what = host_call_what(in->op, in->type, type_of[0], in->aux) | (uint64_t)type_of[1] << 24;
    emit_host_call(hc, vec ? HOST_CALL_VEC : HOST_CALL_FP, what);
    ra_load(hc, d, in->type, ir_type_is_vec(in->type) ? spill_mem(SPILL_VEC_ARG) : arg_mem(0));
    ra_done(hc);
}
