/*
 * print.c: units as text, for -d op, tests and the fuzzer's reports. parse.c reads it back.
 *
 *   unit pc=0x1000 mode=0x3 softmmu addr32 gb0 parallel
 *   b0 merge pc=0x1000:
 *     insn 0x1000 0x13
 *     v1 = get.i64 a0
 *     v2 = add.i64 v1, -16
 *     put.i64 sp, v2
 *     v4 = ld.i64 [v2 + v1*8 + 24] s32 mmu=1
 *     brcond.i64.ltu v4, 100, b1, b2
 *   b1 tree b0:
 *     exit.jump 0x1040
 *
 * Constants stand where they are used: their own instructions are not printed, and values are numbered
 * without them. A constant whose type the operation does not fix carries it after a colon (100:i32),
 * except i64. Floats are printed as bits, vectors as {low, high} 64-bit words.
 */
#include "tcg/text.h"
#include "target/target.h"

const char *const ir_type_names[IR_N_TYPES] = { "void", "i32", "i64", "f32", "f64", "v128", "v256" };
const char *const ir_cond_names[IR_N_CONDS] = {
    "eq", "ne", "lt", "ge", "le", "gt", "ltu", "geu", "leu", "gtu", "tsteq", "tstne",
};
const char *const ir_fp_cond_names[IR_N_FP_CONDS] = {
    "feq", "flt_sig", "fle_sig", "feq_sig", "flt", "fle", "funord",
};
const char *const ir_rounding_names[IR_N_ROUNDINGS] = { "dyn", "rne", "rtz", "rdn", "rup", "rmm", "rto" };
const char *const ir_minmax_names[IR_N_MINMAX] = { "num", "nan", "x86" };
const char *const ir_lane_names[IR_N_LANES] = { "8", "16", "32", "64" };
const char *const ir_rmw_names[IR_N_RMWS] = {
    "xchg", "add", "and", "or", "xor", "mins", "maxs", "minu", "maxu",
};
const char *const ir_exit_names[IR_N_EXIT_KINDS] = {
    "jump", "call", "indirect", "icall", "return", "leave",
};
const char *const ir_leave_names[IR_N_LEAVES] = {
    "none", "request", "syscall", "breakpoint", "exception", "halted", "atomic", "flush", "debug",
    "target",
};
static_assert(VCPU_EXIT_TARGET == IR_N_LEAVES - 1, "one name per reason");

static void print_number(FILE *out, IrType type, uint64_t v)
{
    int64_t s = type == IR_I32 ? (int32_t)v : (int64_t)v;

    if (s > -65536 && s < 65536 && ir_type_is_int(type)) {
        fprintf(out, "%" PRId64, s);
    } else {
        fprintf(out, "0x%" PRIx64, v);
    }
}

static void print_vconst(FILE *out, const IrUnit *unit, const IrInsn *in)
{
    if (in->imm >= unit->vconst.n) {
        fprintf(out, "{?}");
        return;
    }
    const IrVecConst *v = &unit->vconst.at[in->imm];
    for (unsigned i = 0; i < ir_type_bytes(in->type) / 8; i++) {
        fprintf(out, "%s0x%" PRIx64, i ? ", " : "{", v->u64[i]);
    }
    fputc('}', out);
}

/* Values other than constants before this instruction. */
static unsigned number_of(const IrUnit *unit, IrRef ref)
{
    unsigned n = 0;

    for (IrRef i = 0; i < ref; i++) {
        const IrInsn *in = ir_insn(unit, i);
        n += in->op != IR_const && in->op < IR_N_OPS && ir_op_info[in->op].signature[0] != '-' &&
             in->type != IR_VOID;
    }
    return n;
}

/* `expected`: the type a reader assumes for a bare constant here. */
static void print_value(FILE *out, const IrUnit *unit, IrRef ref, IrType expected)
{
    if (ref == IR_NONE) {
        fputc('-', out);
        return;
    }
    if (ref >= unit->insns.n) {
        fprintf(out, "v%u?", ref);
        return;
    }
    const IrInsn *in = ir_insn(unit, ref);
    if (in->op != IR_const) {
        fprintf(out, "v%u", number_of(unit, ref));
        return;
    }
    if (ir_type_is_vec(in->type)) {
        print_vconst(out, unit, in);
    } else {
        print_number(out, in->type, in->imm);
    }
    if (in->type != expected) {
        fprintf(out, ":%s", ir_type_names[in->type]);
    }
}

IrType ir_text_operand_type(const IrInsn *in, unsigned operand)
{
    switch (ir_op_info[in->op].signature[2 + operand]) {
    case 't': case 'f': case 'v': case 'x': return in->type;
    case 'w': return IR_I32;
    case 's': return IR_F32;
    case 'h': return IR_V128;
    case 'd': case 'z': return IR_F64;
    default: return IR_I64;
    }
}

static void print_mem(FILE *out, const IrUnit *unit, const IrInsn *in)
{
    bool has_index = in->op == IR_ld || in->op == IR_st || in->op == IR_x87_mem;

    if (in->aux >= unit->mem.n) {
        fprintf(out, "[?]");
        return;
    }
    const IrMem *mem = &unit->mem.at[in->aux];
    fputc('[', out);
    print_value(out, unit, in->a, IR_I64);
    if (has_index && in->b != IR_NONE) {
        fprintf(out, " + ");
        print_value(out, unit, in->b, IR_I64);
        fprintf(out, "*%u", 1u << mem->scale_log2);
    }
    if (mem->disp) {
        fprintf(out, " %c %u", mem->disp < 0 ? '-' : '+',
                mem->disp < 0 ? 0u - (unsigned)mem->disp : (unsigned)mem->disp);
    }
    fprintf(out, "] %c%u", mem->sign ? 's' : 'u', 8u << mem->size_log2);
    if (mem->big_endian) {
        fprintf(out, " be");
    }
    if (mem->align == IR_ALIGN_FAULT) {
        fprintf(out, " align");
    } else if (mem->align == IR_ALIGN_TWICE) {
        fprintf(out, " align2");
    }
    if (mem->order == IR_ORDER_SEQ_CST) {
        fprintf(out, " seqcst");
    } else if (mem->order) {
        fprintf(out, mem->order == IR_ORDER_ACQUIRE ? " acq" : " rel");
    }
    if (mem->mmu_index) {
        fprintf(out, " mmu=%u", mem->mmu_index);
    }
}

static void print_exit(FILE *out, const IrUnit *unit, const IrInsn *in)
{
    if (in->aux >= unit->exits.n) {
        fprintf(out, ".?");
        return;
    }
    const IrExit *e = &unit->exits.at[in->aux];
    fprintf(out, ".%s", e->kind < IR_N_EXIT_KINDS ? ir_exit_names[e->kind] : "?");
    if (e->kind == IR_EXIT_LEAVE) {
        if (e->reason < IR_N_LEAVES) {
            fprintf(out, ".%s", ir_leave_names[e->reason]);
        } else {
            fprintf(out, ".target+%u", e->reason - VCPU_EXIT_TARGET);
        }
    }
    fputc(' ', out);
    if (in->a != IR_NONE) {
        print_value(out, unit, in->a, IR_I64);
    } else {
        fprintf(out, "pc=0x%" PRIx64, e->pc);
    }
    if (e->kind == IR_EXIT_CALL || e->kind == IR_EXIT_INDIRECT_CALL) {
        fprintf(out, ", ret=0x%" PRIx64, e->return_pc);
    }
}

static const char *slot_name(const IrUnit *unit, unsigned slot)
{
    return unit->target && slot < unit->target->n_slots ? unit->target->slots[slot].name : "?";
}

/* What stands after "name.type" and before the operands. */
static void print_aux_suffix(FILE *out, const IrUnit *unit, const IrInsn *in)
{
    switch (in->op) {
    case IR_setcond: case IR_brcond:
        fprintf(out, ".%s", in->aux < IR_N_CONDS ? ir_cond_names[in->aux] : "?");
        break;
    case IR_fcmp:
        fprintf(out, ".%s", in->aux < IR_N_FP_CONDS ? ir_fp_cond_names[in->aux] : "?");
        break;
    case IR_fadd: case IR_fsub: case IR_fmul: case IR_fdiv: case IR_fsqrt: case IR_fma:
    case IR_fcvt: case IR_f2i: case IR_f2u: case IR_i2f: case IR_u2f: case IR_fround: {
        unsigned rm = in->aux & IR_RM_MASK;
        fprintf(out, ".%s", rm < IR_N_ROUNDINGS ? ir_rounding_names[rm] : "?");
        if (in->op == IR_fround && in->aux & IR_ROUND_EXACT) {
            fprintf(out, ".exact");
        }
        if (in->op == IR_fma) {
            fprintf(out, "%s%s", in->aux & IR_FMA_NEG_PRODUCT ? ".np" : "",
                    in->aux & IR_FMA_NEG_ADDEND ? ".na" : "");
        }
        break;
    }
    case IR_fmin: case IR_fmax:
        fprintf(out, ".%s", in->aux < IR_N_MINMAX ? ir_minmax_names[in->aux] : "?");
        break;
    case IR_rmw:
        if (in->aux < unit->mem.n && unit->mem.at[in->aux].rmw < IR_N_RMWS) {
            fprintf(out, ".%s", ir_rmw_names[unit->mem.at[in->aux].rmw]);
        }
        break;
    case IR_vcmp:
        fprintf(out, ".%s.%s", ir_lane_names[in->aux & 3],
                in->aux >> 4 < IR_N_CONDS ? ir_cond_names[in->aux >> 4] : "?");
        break;
    case IR_vget_lane: case IR_vset_lane:
        fprintf(out, ".%s", ir_lane_names[in->aux & 3]);
        break;
    case IR_vfadd: case IR_vfsub: case IR_vfmul: case IR_vfdiv: case IR_vfma:
        fprintf(out, ".%s%s%s%s%s%s", ir_lane_names[in->aux & 3], in->aux >> 4 & IR_FP_STD ? ".std" : "",
                in->aux >> 4 & IR_FMA_NEG_PRODUCT ? ".np" : "",
                in->aux >> 4 & IR_FMA_NEG_ADDEND ? ".na" : "",
                in->aux >> 4 & IR_LANE_LOW ? ".low" : "", in->aux >> 4 & IR_FMA_REST_C ? ".rc" : in->aux >> 4 & IR_FMA_REST_B ? ".rb" : "");
        break;
    case IR_vfmin: case IR_vfmax:
        fprintf(out, ".%s.%s%s%s", ir_lane_names[in->aux & 3],
                (in->aux >> 4 & 3) < IR_N_MINMAX ? ir_minmax_names[in->aux >> 4 & 3] : "?", in->aux >> 4 & IR_FP_STD ? ".std" : "",
                in->aux >> 4 & IR_LANE_LOW ? ".low" : "");
        break;
    default:
        if (strstr(ir_op_info[in->op].signature, "/lane")) {
            fprintf(out, ".%s", ir_lane_names[in->aux & 3]);
        }
        break;
    }
}

void ir_print_insn(FILE *out, const IrUnit *unit, IrRef ref)
{
    const IrInsn *in = ir_insn(unit, ref);

    if (in->op >= IR_N_OPS) {
        fprintf(out, "op%u?", in->op);
        return;
    }
    const IrOpInfo *info = &ir_op_info[in->op];
    if (info->signature[0] != '-' && in->type != IR_VOID) {
        fprintf(out, "v%u = ", number_of(unit, ref));
    }
    switch (in->op) {
    case IR_const:
        fprintf(out, "const.%s ", ir_type_names[in->type]);
        print_value(out, unit, ref, in->type);
        return;
    case IR_insn_start:
        fprintf(out, "insn 0x%" PRIx64 " 0x%x", in->imm, in->a);
        return;
    case IR_poll:
        fprintf(out, "poll 0x%" PRIx64, in->imm);
        return;
    case IR_icount:
        fprintf(out, "icount %u, 0x%" PRIx64, in->aux, in->imm);
        return;
    case IR_fence:
        fprintf(out, "fence %u", in->aux);
        return;
    case IR_br:
        fprintf(out, "br b%u", in->a);
        return;
    case IR_exit:
        fprintf(out, "exit");
        print_exit(out, unit, in);
        return;
    case IR_nop: case IR_trap:
        fprintf(out, "%s", info->name);
        return;
    case IR_x87:
        fprintf(out, "x87 0x%x", in->c);
        return;
    case IR_x87_mem:
        fprintf(out, "x87_mem 0x%x, ", in->c);
        print_mem(out, unit, in);
        return;
    default:
        break;
    }

    fprintf(out, "%s.%s", info->name, in->type < IR_N_TYPES ? ir_type_names[in->type] : "?");
    print_aux_suffix(out, unit, in);
    fputc(' ', out);
    switch (in->op) {
    case IR_get:
        fprintf(out, "%s", slot_name(unit, in->aux));
        return;
    case IR_kill:
        fprintf(out, "%s", slot_name(unit, in->aux));
        return;
    case IR_put:
        fprintf(out, "%s, ", slot_name(unit, in->aux));
        print_value(out, unit, in->a, in->type);
        return;
    case IR_ldenv:
        fprintf(out, "%c%u @%d", in->aux & IR_ENV_SIGN ? 's' : 'u', 8u << (in->aux & 7), (int)in->b);
        return;
    case IR_stenv:
        fprintf(out, "u%u @%d, ", 8u << (in->aux & 7), (int)in->b);
        print_value(out, unit, in->a, in->type);
        return;
    case IR_ld: case IR_ll:
        print_mem(out, unit, in);
        return;
    case IR_st:
        print_mem(out, unit, in);
        fprintf(out, ", ");
        print_value(out, unit, in->c, in->type);
        return;
    case IR_x87_out:
        fprintf(out, "0x%x", in->c);
        return;
    case IR_x87_in:
        fprintf(out, "0x%x, ", in->c);
        print_value(out, unit, in->a, in->type);
        return;
    case IR_rmw: case IR_sc: case IR_cas:
        print_mem(out, unit, in);
        fprintf(out, ", ");
        print_value(out, unit, in->b, in->type);
        if (in->op == IR_cas) {
            fprintf(out, ", ");
            print_value(out, unit, in->c, in->type);
        }
        return;
    case IR_call: {
        const Target *target = unit->target;
        bool known = target && in->aux < target->n_helpers;
        fprintf(out, "%s(", known ? target->helpers[in->aux].name : "?");
        for (unsigned i = 0; i < in->b && in->a + i < unit->args.n; i++) {
            IrType type = known && i < 6 ? target->helpers[in->aux].arg[i] : IR_I64;
            fprintf(out, i ? ", " : "");
            print_value(out, unit, unit->args.at[in->a + i], type);
        }
        fputc(')', out);
        return;
    }
    default:
        break;
    }

    for (unsigned i = 0; i < info->n_operands; i++) {
        fprintf(out, i ? ", " : "");
        print_value(out, unit, i == 0 ? in->a : i == 1 ? in->b : in->c, ir_text_operand_type(in, i));
    }
    if (in->op == IR_bfx || in->op == IR_bfxs || in->op == IR_bfi) {
        fprintf(out, ", %u, %u", in->aux & 0xff, in->aux >> 8);
    } else if (in->op == IR_vget_lane || in->op == IR_vset_lane) {
        fprintf(out, ", %u", in->aux >> 4);
    } else if (strstr(info->signature, "/imm")) {
        fprintf(out, ", 0x%x", in->aux);
    } else if (in->op == IR_brcond || in->op == IR_brnz) {
        fprintf(out, ", b%u, b%u", in->c & 0xffff, in->c >> 16);
    }
}

static void print_block_head(FILE *out, const IrUnit *unit, unsigned block)
{
    const IrBlock *bb = &unit->blocks.at[block];

    fprintf(out, "b%u", block);
    if (bb->flags & IR_BLOCK_MERGE) {
        fprintf(out, bb->flags & IR_BLOCK_LOOP ? " loop" : " merge");
    } else {
        fprintf(out, " tree b%u", bb->pred);
    }
    fprintf(out, "%s pc=0x%" PRIx64 ":\n", bb->flags & IR_BLOCK_COLD ? " cold" : "", bb->pc);
}

void ir_print(FILE *out, const IrUnit *unit)
{
    ir_print_some(out, unit, NULL, NULL);
}

void ir_print_some(FILE *out, const IrUnit *unit, bool (*skip)(const void *opaque, IrRef ref), const void *opaque)
{
    fprintf(out, "unit pc=0x%" PRIx64 " mode=0x%" PRIx64 "%s%s%s%s\n", unit->pc, unit->mode,
            unit->softmmu ? " softmmu" : "", unit->addr32 ? " addr32" : unit->addr56 ? " addr56" : "",
            unit->guest_base_zero ? " gb0" : "", unit->parallel ? " parallel" : "");
    /* in emission order, whatever the numbers */
    for (uint32_t at = 0; at < unit->insns.n;) {
        unsigned block;
        for (block = 0; block < unit->blocks.n; block++) {
            const IrBlock *bb = &unit->blocks.at[block];
            if (bb->first == at && bb->end > at) {
                break;
            }
        }
        if (block == unit->blocks.n) {
            at++; /* a constant between blocks */
            continue;
        }
        print_block_head(out, unit, block);
        for (; at < unit->blocks.at[block].end; at++) {
            if (ir_insn(unit, at)->op != IR_const && !(skip && skip(opaque, at))) {
                fprintf(out, "  ");
                ir_print_insn(out, unit, at);
                fputc('\n', out);
            }
        }
    }
}
