/*
 * verify.c: checks that a unit keeps every rule of ir.h and ops.def.
 *
 * What a host back end may assume is exactly what is checked here. A breach is a bug of a front end, of
 * the builder or of a pass; the message names the instruction and quotes it.
 */
#include "tcg/text.h"
#include "target/target.h"

enum { NO_BLOCK = UINT16_MAX };

typedef struct Verifier {
    const IrUnit *unit;
    uint16_t *block_of;  /* by instruction; NO_BLOCK between blocks */
    uint32_t *n_preds;   /* by block, counted from terminators */
    IrRef at;
    uint16_t block;
    bool started;        /* an insn_start stands before in this block */
    char why[160];
    bool failed;
} Verifier;

static void breach(Verifier *v, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void breach(Verifier *v, const char *fmt, ...)
{
    va_list ap;

    if (v->failed) {
        return;
    }
    v->failed = true;
    va_start(ap, fmt);
    vsnprintf(v->why, sizeof(v->why), fmt, ap);
    va_end(ap);
}

/* Is a value of block `from` visible in block `to`: on its chain of single predecessors? */
static bool visible(const Verifier *v, uint16_t from, uint16_t to)
{
    for (unsigned steps = 0; steps <= v->unit->blocks.n; steps++) {
        if (from == to) {
            return true;
        }
        const IrBlock *bb = &v->unit->blocks.at[to];
        if (bb->flags & IR_BLOCK_MERGE) {
            return false;
        }
        to = bb->pred;
        if (to >= v->unit->blocks.n) {
            return false;
        }
    }
    return false;
}

/* The operand's type, or IR_VOID after a breach. */
static IrType use(Verifier *v, IrRef ref, const char *what)
{
    const IrUnit *unit = v->unit;

    if (ref == IR_NONE) {
        breach(v, "operand %s is missing", what);
        return IR_VOID;
    }
    if (ref >= v->at) {
        breach(v, "operand %s is not defined before", what);
        return IR_VOID;
    }
    const IrInsn *in = ir_insn(unit, ref);
    if (in->op != IR_const && (ir_op_info[in->op].signature[0] == '-' || in->type == IR_VOID)) {
        breach(v, "operand %s has no value", what);
        return IR_VOID;
    }
    if (in->op != IR_const && !visible(v, v->block_of[ref], v->block)) {
        breach(v, "operand %s is not visible in block b%u", what, v->block);
        return IR_VOID;
    }
    return in->type;
}

static bool letter_accepts(char letter, IrType type, IrType own)
{
    switch (letter) {
    case 't': return type == own && ir_type_is_int(type);
    case 'f': return type == own && ir_type_is_fp(type);
    case 'v': return ir_type_is_vec(type) && (type == own || !ir_type_is_vec(own));
    case 'x': return type == own && type != IR_VOID;
    case 'w': return type == IR_I32;
    case 'q': return type == IR_I64;
    case 's': return type == IR_F32;
    case 'd': return type == IR_F64;
    case 'h': return type == IR_V128;
    case 'y': return ir_type_is_int(type);
    case 'z': return ir_type_is_fp(type);
    default: return type != IR_VOID;
    }
}

static void verify_operands(Verifier *v, const IrInsn *in)
{
    const IrOpInfo *info = &ir_op_info[in->op];
    const char *names[3] = { "a", "b", "c" };
    IrRef refs[3] = { in->a, in->b, in->c };
    IrType types[3] = { 0 };

    if (info->signature[0] != '-' && in->op != IR_call &&
        !letter_accepts(info->signature[0], in->type, in->type)) {
        breach(v, "the operation has no form for this type");
    }
    for (unsigned i = 0; i < info->n_operands; i++) {
        if (refs[i] == IR_NONE && ((i == 1 && (in->op == IR_ld || in->op == IR_st || in->op == IR_x87_mem)) || in->op == IR_exit)) {
            continue;
        }
        types[i] = use(v, refs[i], names[i]);
        if (!v->failed && !letter_accepts(info->signature[2 + i], types[i], in->type)) {
            breach(v, "operand %s is of type %s", names[i], ir_type_names[types[i]]);
        }
    }
    if (v->failed) {
        return;
    }
    if ((in->op == IR_setcond || in->op == IR_brcond || in->op == IR_fcmp || in->op == IR_frel) && types[0] != types[1]) {
        breach(v, "operands are of different types");
    }
    if (in->op == IR_bitcast && ir_type_bytes(types[0]) != ir_type_bytes(in->type)) {
        breach(v, "operand is of another size");
    }
    if (in->op == IR_fcvt && types[0] == in->type) {
        breach(v, "converts to its own type");
    }
    if ((in->op == IR_vdup || in->op == IR_vzext) && ir_type_is_vec(types[0])) {
        breach(v, "operand a is a vector");
    }
    if ((in->op == IR_ld || in->op == IR_st || in->op == IR_x87_mem) && in->b != IR_NONE && types[1] != types[0]) {
        breach(v, "base and index are of different types");
    }
    if (in->op == IR_st && types[2] != in->type) {
        breach(v, "type is not the stored value's");
    }
    if (in->op == IR_stenv && types[0] != in->type) {
        breach(v, "type is not the stored value's");
    }
}

static void verify_mem(Verifier *v, const IrInsn *in)
{
    if (in->aux >= v->unit->mem.n) {
        breach(v, "no memory descriptor %u", in->aux);
        return;
    }
    const IrMem *mem = &v->unit->mem.at[in->aux];
    bool atomic = in->op != IR_ld && in->op != IR_st;

    if (mem->size_log2 > (atomic ? 3 : 5) || 1u << mem->size_log2 > ir_type_bytes(in->type)) {
        breach(v, "access of %u bytes of type %s", 1u << mem->size_log2, ir_type_names[in->type]);
    } else if (!ir_type_is_int(in->type) && 1u << mem->size_log2 != ir_type_bytes(in->type) &&
               !(in->type == IR_V128 && (mem->size_log2 == 2 || mem->size_log2 == 3))) {
        breach(v, "access narrower than its type");
    } else if (mem->big_endian && ir_type_is_vec(in->type)) {
        breach(v, "big-endian vector access");
    } else if (mem->scale_log2 > 3 || (mem->scale_log2 && (atomic || in->b == IR_NONE))) {
        breach(v, "scale %u", mem->scale_log2);
    } else if (mem->align > IR_ALIGN_TWICE || mem->order > IR_ORDER_SEQ_CST) {
        breach(v, "bad alignment or ordering");
    } else if (mem->mmu_index >= VCPU_MAX_MMU_MODES) {
        breach(v, "MMU index %u", mem->mmu_index);
    } else if (in->op == IR_rmw && mem->rmw > IR_RMW_MAXU) {
        breach(v, "read-modify-write operation %u", mem->rmw);
    }
}

static void verify_x87_mem(Verifier *v, const IrInsn *in)
{
    const IrMem *mem = in->aux < v->unit->mem.n ? &v->unit->mem.at[in->aux] : NULL;

    if (!mem || mem->size_log2 < 1 || mem->size_log2 > 4 || mem->big_endian || mem->align != IR_ALIGN_ANY ||
        mem->scale_log2 > 3 || (mem->scale_log2 && in->b == IR_NONE) || mem->mmu_index >= VCPU_MAX_MMU_MODES) {
        breach(v, "bad memory descriptor %u", in->aux);
    } else if (ir_x87_form(in->c) != IR_X87_MEMORY) {
        breach(v, "not an instruction with a memory operand");
    }
}

static void verify_aux(Verifier *v, const IrInsn *in)
{
    const char *slash = strchr(ir_op_info[in->op].signature, '/');
    const char *kind = slash ? slash + 1 : "";
    unsigned bits = in->type == IR_I32 ? 32 : 64;
    const Target *target = v->unit->target;

    if (ir_is_standard(in) && target->fp.nan != FP_NAN_ARM) {
        breach(v, "Arm's standard floating point by other rules");
    } else if (!strcmp(kind, "cond") && in->aux >= IR_N_CONDS) {
        breach(v, "condition %u", in->aux);
    } else if (!strcmp(kind, "fcond") && in->aux >= IR_N_FP_CONDS) {
        breach(v, "condition %u", in->aux);
    } else if (!strcmp(kind, "rm")) {
        unsigned extra = in->op == IR_fma ? IR_FMA_NEG_PRODUCT | IR_FMA_NEG_ADDEND
                       : in->op == IR_fround ? IR_ROUND_EXACT : 0;
        if ((in->aux & IR_RM_MASK) >= IR_N_ROUNDINGS || in->aux & ~(IR_RM_MASK | extra)) {
            breach(v, "rounding %u", in->aux);
        }
    } else if (!strcmp(kind, "pos")) {
        unsigned pos = in->aux & 0xff, len = in->aux >> 8;
        if (!len || pos + len > bits) {
            breach(v, "bit field %u, %u", pos, len);
        }
    } else if (!strcmp(kind, "lane")) {
        unsigned extra = in->op == IR_vfma ? (IR_FMA_NEG_PRODUCT | IR_FMA_NEG_ADDEND | IR_FMA_REST_B | IR_FMA_REST_C) << 4 : 0;
        if (in->op >= IR_vfadd && in->op <= IR_vfma && in->op != IR_vfdiv && in->op != IR_vfsqrt && in->type == IR_V128 && (in->aux & 3) == IR_LANE_32) {
            extra |= IR_FP_STD << 4;
        }
        bool low = in->op == IR_vfma || (in->op >= IR_vfadd && in->op <= IR_vfdiv);
        bool fp = in->op >= IR_vfadd && in->op <= IR_VEC_LAST, estimate = in->op == IR_vfrcp || in->op == IR_vfrsqrt;
        bool wide = in->op == IR_vmulws || in->op == IR_vmulwu;
        bool pack = in->op == IR_vpack_s || in->op == IR_vpack_u;
        unsigned lane = in->aux & 3;
        if (low && in->type == IR_V128) {
            extra |= IR_LANE_LOW << 4;
        }
        if (in->aux & ~(3u | extra) || (fp && lane < IR_LANE_32) || (estimate && lane != IR_LANE_32) ||
            (wide && lane == IR_LANE_64) || (pack && (lane == IR_LANE_8 || lane == IR_LANE_64))) {
            breach(v, "lane %u", in->aux);
        } else if (in->op == IR_vdup && 1u << in->aux > ir_type_bytes(ir_insn(v->unit, in->a)->type)) {
            breach(v, "the value is narrower than a lane");
        }
    } else if (in->op == IR_vget_lane || in->op == IR_vset_lane) {
        const IrInsn *vec = ir_insn(v->unit, in->a);
        if (in->op == IR_vset_lane && 1u << (in->aux & 3) > ir_type_bytes(ir_insn(v->unit, in->b)->type)) {
            breach(v, "the value is narrower than the lane");
        } else if ((in->aux & 15) > IR_LANE_64 || (in->aux >> 4) << (in->aux & 3) >= (int)ir_type_bytes(vec->type)) {
            breach(v, "lane %u", in->aux >> 4);
        }
    } else if (in->op == IR_vcmp && ((in->aux & 15) > IR_LANE_64 || in->aux >> 4 >= IR_N_CONDS)) {
        breach(v, "lane or condition %u", in->aux);
    } else if (!strcmp(kind, "imm") && !ir_imm_valid(in)) {
        breach(v, "immediate %u", in->aux);
    } else if ((in->op == IR_vfmin || in->op == IR_vfmax) &&
               ((in->aux & 15) < IR_LANE_32 || (in->aux & 15) > IR_LANE_64 || (in->aux >> 4 & 3) >= IR_N_MINMAX ||
                (in->aux & ~((IR_LANE_LOW | IR_FP_STD) << 4)) >> 6 || (in->aux >> 9 && in->type == IR_V256) ||
                (in->aux >> 4 & IR_FP_STD && (in->aux & 3) != IR_LANE_32))) {
        breach(v, "lane or rule %u", in->aux);
    } else if ((in->op == IR_fmin || in->op == IR_fmax) && in->aux >= IR_N_MINMAX) {
        breach(v, "rule %u", in->aux);
    } else if (!strcmp(kind, "slot")) {
        if (in->aux >= target->n_slots) {
            breach(v, "slot %u", in->aux);
        } else if (target->slots[in->aux].type != in->type) {
            breach(v, "slot %s is of type %s", target->slots[in->aux].name,
                   ir_type_names[target->slots[in->aux].type]);
        }
    } else if (in->op == IR_ldenv || in->op == IR_stenv) {
        unsigned log2 = in->aux & 7;
        if (in->aux > 15 || log2 > 5 || 1u << log2 > ir_type_bytes(in->type) ||
            (!ir_type_is_int(in->type) && 1u << log2 != ir_type_bytes(in->type))) {
            breach(v, "access of %u bytes", 1u << log2);
        }
    } else if (!strcmp(kind, "mem")) {
        if (in->op == IR_x87_mem) {
            verify_x87_mem(v, in);
        } else {
            verify_mem(v, in);
        }
    } else if (!strcmp(kind, "exit")) {
        if (in->aux >= v->unit->exits.n) {
            breach(v, "no exit %u", in->aux);
            return;
        }
        const IrExit *e = &v->unit->exits.at[in->aux];
        bool indirect = e->kind == IR_EXIT_INDIRECT || e->kind == IR_EXIT_INDIRECT_CALL ||
                        e->kind == IR_EXIT_RETURN;
        if (e->kind > IR_EXIT_LEAVE) {
            breach(v, "exit kind %u", e->kind);
        } else if (e->kind != IR_EXIT_LEAVE && indirect != (in->a != IR_NONE)) {
            breach(v, indirect ? "an indirect exit without operand" : "a direct exit with operand");
        } else if (in->a != IR_NONE &&
                   ir_insn(v->unit, in->a)->type != target->slots[target->pc_slot].type) {
            breach(v, "the operand's type is not the pc slot's");
        }
    }
}

static void verify_call(Verifier *v, const IrInsn *in)
{
    const Target *target = v->unit->target;

    if (in->aux >= target->n_helpers) {
        breach(v, "no helper %u", in->aux);
        return;
    }
    const HelperDesc *h = &target->helpers[in->aux];
    if (in->b != h->n_args || in->b > IR_MAX_ARGS || (uint64_t)in->a + in->b > v->unit->args.n) {
        breach(v, "%u arguments for helper %s", in->b, h->name);
        return;
    }
    if (in->type != h->result) {
        breach(v, "helper %s returns %s", h->name, ir_type_names[h->result]);
    }
    for (unsigned i = 0; i < in->b; i++) {
        IrType type = use(v, v->unit->args.at[in->a + i], "of the call");
        if (!v->failed && type != h->arg[i]) {
            breach(v, "argument %u of helper %s is of type %s", i, h->name, ir_type_names[type]);
        }
    }
}

static void verify_edge(Verifier *v, uint32_t to)
{
    const IrUnit *unit = v->unit;

    if (to >= unit->blocks.n || unit->blocks.at[to].end == unit->blocks.at[to].first) {
        breach(v, "successor b%u does not exist", to);
        return;
    }
    const IrBlock *bb = &unit->blocks.at[to], *from = &unit->blocks.at[v->block];
    v->n_preds[to]++;
    if (bb->flags & IR_BLOCK_MERGE) {
        if (bb->first <= from->first && !(bb->flags & IR_BLOCK_LOOP)) {
            breach(v, "back edge to b%u, which is no loop block", to);
        }
    } else if (bb->pred != v->block) {
        breach(v, "successor b%u is a tree block of b%u", to, bb->pred);
    } else if (bb->first <= from->first) {
        breach(v, "tree successor b%u is emitted earlier", to);
    }
}

static void verify_insn(Verifier *v)
{
    const IrUnit *unit = v->unit;
    const IrInsn *in = ir_insn(unit, v->at);
    const IrBlock *bb = &unit->blocks.at[v->block];

    if (in->op >= IR_N_OPS || in->type >= IR_N_TYPES) {
        breach(v, "not an operation");
        return;
    }
    bool term = ir_op_info[in->op].flags & IR_OP_TERM;
    if (term != (v->at + 1 == bb->end)) {
        breach(v, term ? "terminator inside a block" : "block does not end with a terminator");
        return;
    }
    verify_operands(v, in);
    if (!v->failed) {
        verify_aux(v, in);
    }
    if (v->failed) {
        return;
    }
    switch (in->op) {
    case IR_const:
        if (ir_type_is_vec(in->type) ? in->imm >= unit->vconst.n
            : ir_type_bytes(in->type) == 4 && in->imm >> 32) {
            breach(v, "constant out of range");
        }
        break;
    case IR_insn_start: v->started = true; break;
    case IR_call:
        verify_call(v, in);
        if (!v->failed && unit->target->helpers[in->aux].flags & HELPER_RAISES && !v->started) {
            breach(v, "no insn_start before it in this block");
        }
        break;
    case IR_br: verify_edge(v, in->a); break;
    case IR_brcond: case IR_brnz:
        verify_edge(v, in->c & 0xffff);
        verify_edge(v, in->c >> 16);
        break;
    default:
        if (ir_op_info[in->op].flags & IR_OP_MEM && !v->started) {
            breach(v, "no insn_start before it in this block");
        }
        break;
    }
}

/* used and defined must not claim less than the instructions do. */
static void verify_slot_sets(Verifier *v, const IrBlock *bb)
{
    IrSlotSet defined = { { 0 } };

    for (IrRef i = bb->first; i < bb->end && !v->failed; i++) {
        const IrInsn *in = ir_insn(v->unit, i);
        v->at = i;
        if (in->op == IR_kill) {
            ir_slots_add(&defined, in->aux);
            if (!ir_slots_has(&bb->killed, in->aux)) {
                breach(v, "slot is missing in the block's killed set");
            }
        } else if (in->op == IR_get && !ir_slots_has(&defined, in->aux) && !ir_slots_has(&bb->used, in->aux)) {
            breach(v, "slot is missing in the block's used set");
        } else if (in->op == IR_put) {
            ir_slots_add(&defined, in->aux);
            if (!ir_slots_has(&bb->defined, in->aux)) {
                breach(v, "slot is missing in the block's defined set");
            }
        } else if (in->op == IR_call &&
                   v->unit->target->helpers[in->aux].flags & (HELPER_READS_STATE | HELPER_RAISES)) {
            for (unsigned s = 0; s < v->unit->target->n_slots; s++) {
                if (!ir_slots_has(&defined, s) && !ir_slots_has(&bb->used, s)) {
                    breach(v, "helper reads slots missing in the block's used set");
                }
            }
        }
    }
}

static void verify_blocks(Verifier *v)
{
    const IrUnit *unit = v->unit;

    if (!unit->blocks.n || unit->blocks.at[0].first > unit->blocks.at[0].end) {
        breach(v, "no entry block");
        return;
    }
    for (unsigned i = 0; i < unit->insns.n; i++) {
        v->block_of[i] = NO_BLOCK;
    }
    for (unsigned k = 0; k < unit->blocks.n && !v->failed; k++) {
        const IrBlock *bb = &unit->blocks.at[k];
        if (bb->first > bb->end || bb->end > unit->insns.n) {
            breach(v, "b%u has no end", k);
            return;
        }
        for (IrRef i = bb->first; i < bb->end; i++) {
            if (v->block_of[i] != NO_BLOCK) {
                breach(v, "b%u overlaps b%u", k, v->block_of[i]);
                return;
            }
            v->block_of[i] = k;
        }
    }
    if (!(unit->blocks.at[0].flags & IR_BLOCK_MERGE)) {
        breach(v, "the entry block is no merge block");
    }
    for (IrRef i = 0; i < unit->insns.n && !v->failed; i++) {
        v->at = i;
        if (v->block_of[i] == NO_BLOCK) {
            if (ir_insn(unit, i)->op != IR_const) {
                breach(v, "instruction outside all blocks");
            }
            continue;
        }
        if (v->block_of[i] != v->block) {
            v->block = v->block_of[i];
            v->started = false;
        }
        if (i == unit->blocks.at[v->block].first) {
            v->started = false;
        }
        verify_insn(v);
    }
    for (unsigned k = 0; k < unit->blocks.n && !v->failed; k++) {
        const IrBlock *bb = &unit->blocks.at[k];
        v->block = k;
        verify_slot_sets(v, bb);
        if (!v->failed && bb->n_preds != v->n_preds[k]) {
            v->at = bb->first;
            breach(v, "b%u has %u predecessors, but says %u", k, v->n_preds[k], bb->n_preds);
        }
        if (!v->failed && !(bb->flags & IR_BLOCK_MERGE) && v->n_preds[k] > 1) {
            v->at = bb->first;
            breach(v, "tree block b%u has %u predecessors", k, v->n_preds[k]);
        }
    }
}

bool ir_verify(const IrUnit *unit, Error **errp)
{
    Verifier v = { .unit = unit, .block = NO_BLOCK };

    v.block_of = xnew_array(uint16_t, unit->insns.n + 1);
    v.n_preds = xnew_array(uint32_t, unit->blocks.n + 1);
    verify_blocks(&v);
    free(v.block_of);
    free(v.n_preds);
    if (!v.failed) {
        return true;
    }

    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    if (f && v.at < unit->insns.n) {
        ir_print_insn(f, unit, v.at);
    }
    if (f) {
        fclose(f);
    }
    error_set(errp, "IR at pc 0x%" PRIx64 ", instruction %u '%s': %s", unit->pc, v.at,
              text ? text : "", v.why);
    free(text);
    return false;
}
