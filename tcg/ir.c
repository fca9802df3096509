/*
 * ir.c: the table of operations, and the memory of a unit.
 *
 * Everything an operation is comes from its row in ops.def; here the rows become a table, and the
 * facts about the enum's order that other files rely on are pinned.
 * Threads: the table is constant; a unit belongs to one thread.
 */
#include "target/target.h"
#include "tcg/ir.h"

/* flag names as ops.def writes them */
#define PURE IR_OP_PURE
#define COMM IR_OP_COMM
#define TERM IR_OP_TERM
#define MEM IR_OP_MEM
#define SIDE IR_OP_SIDE
#define STATE IR_OP_STATE

/* "x=abc/aux": operands stand from index 2 up to the slash or the end. */
#define ENDS_AT(sig, i) (sizeof(sig) <= (i) + 1 || (sig)[(i) < sizeof(sig) ? (i) : 0] == '/')
#define N_OPERANDS(sig) \
    (ENDS_AT(sig, 2) ? 0 : ENDS_AT(sig, 3) ? 1 : ENDS_AT(sig, 4) ? 2 : 3)

const IrOpInfo ir_op_info[IR_N_OPS] = {
#define OP(name_, signature_, flags_, doc_)                                            \
    [IR_##name_] = { .name = #name_, .signature = signature_, .doc = doc_,             \
                     .flags = flags_, .n_operands = N_OPERANDS(signature_) },
#include "tcg/ops.def"
#undef OP
};

/* Group boundaries: folder, evaluator and hosts compare against these. */
static_assert(IR_nop == 0, "a zeroed instruction does nothing");
static_assert(IR_add > IR_icount && IR_maxu < IR_fadd, "integer ops lie between add and maxu");
static_assert(IR_maxu - IR_add == 48, "an integer op was added: give it a rule in eval.c");
static_assert(IR_fadd == IR_maxu + 1 && IR_flow < IR_vget_lane, "scalar floating point");
static_assert(IR_vget_lane == IR_flow + 1 && IR_VEC_LAST < IR_ld, "vectors");
static_assert(IR_ld == IR_VEC_LAST + 1 && IR_fence == IR_ld + 6, "guest memory");
static_assert(IR_x87 == IR_fence + 1 && IR_x87_mem == IR_x87 + 3, "x87");
static_assert(IR_call == IR_x87_mem + 1 && IR_trap == IR_N_OPS - 1, "control flow");
static_assert(IR_N_OPS <= 256, "IrInsn.op is a byte");

bool ir_is_standard(const IrInsn *in)
{
    return in->op == IR_vfcmp ? in->aux >> 4 & IR_FREL_STD : in->op >= IR_vfadd && in->op <= IR_vfmax && in->aux >> 4 & IR_FP_STD;
}

bool ir_imm_valid(const IrInsn *in)
{
    unsigned aux = in->aux, from = aux & 15, to = aux >> 4, lanes_per_part = 16u >> (aux & 3);

    switch (in->op) {
    case IR_vsel32: case IR_vperm32: case IR_vperm16_lo: case IR_vperm16_hi: return aux <= 0xff;
    case IR_vsel64: return aux <= (in->type == IR_V256 ? 15 : 3);
    case IR_vext: case IR_vshl_bytes: case IR_vshr_bytes: return aux <= 15;
    case IR_vrotl: return from >= IR_LANE_16 && from <= IR_LANE_64 && to < 8u << from;
    case IR_vblend: return from >= IR_LANE_16 && from <= IR_LANE_64 && to < 1u << lanes_per_part;
    case IR_vwiden_s: case IR_vwiden_u: return from < to && to <= IR_LANE_64;
    case IR_vmpsad: return aux <= 7;
    case IR_aeskeygen: return aux <= 0xff;
    case IR_vclmul: return !(aux & ~0x11u);
    case IR_sha1rnds4: case IR_crc32c: return aux <= 3;
    case IR_vtest: case IR_frel: return aux <= 1;
    case IR_vfcmp: return (aux & 3) >= IR_LANE_32 && !(aux & 8) && to <= (from == IR_LANE_32 && in->type == IR_V128 ? 63u : 31u) &&
                            !(aux & 4 && in->type == IR_V256);
    case IR_vfcvt: return from < IR_N_CVTS && to <= IR_RM_NEAREST_AWAY;
    case IR_vfround:
        return from >= IR_LANE_32 && from <= IR_LANE_64 && (to & ~(unsigned)IR_ROUND_EXACT) <= IR_RM_NEAREST_AWAY;
    default: return false;
    }
}

IrCond ir_cond_invert(IrCond cond)
{
    /* pairs stand next to each other, except that LE's partner is GT by value */
    static const uint8_t inverse[IR_N_CONDS] = {
        [IR_EQ] = IR_NE, [IR_NE] = IR_EQ, [IR_LT] = IR_GE, [IR_GE] = IR_LT,
        [IR_LE] = IR_GT, [IR_GT] = IR_LE, [IR_LTU] = IR_GEU, [IR_GEU] = IR_LTU,
        [IR_LEU] = IR_GTU, [IR_GTU] = IR_LEU, [IR_TSTEQ] = IR_TSTNE, [IR_TSTNE] = IR_TSTEQ,
    };
    return inverse[cond];
}

IrCond ir_cond_swap(IrCond cond)
{
    static const uint8_t swapped[IR_N_CONDS] = {
        [IR_EQ] = IR_EQ, [IR_NE] = IR_NE, [IR_LT] = IR_GT, [IR_GE] = IR_LE,
        [IR_LE] = IR_GE, [IR_GT] = IR_LT, [IR_LTU] = IR_GTU, [IR_GEU] = IR_LEU,
        [IR_LEU] = IR_GEU, [IR_GTU] = IR_LTU, [IR_TSTEQ] = IR_TSTEQ, [IR_TSTNE] = IR_TSTNE,
    };
    return swapped[cond];
}

void ir_unit_init(IrUnit *unit)
{
    memset(unit, 0, sizeof(*unit));
}

void ir_unit_reset(IrUnit *unit)
{
    vec_clear(&unit->insns);
    vec_clear(&unit->blocks);
    vec_clear(&unit->mem);
    vec_clear(&unit->exits);
    vec_clear(&unit->args);
    vec_clear(&unit->vconst);
    unit->n_guest_insns = 0;
    unit->n_guest_bytes = 0;
}

void ir_unit_finish(IrUnit *unit)
{
    vec_free(&unit->insns);
    vec_free(&unit->blocks);
    vec_free(&unit->mem);
    vec_free(&unit->exits);
    vec_free(&unit->args);
    vec_free(&unit->vconst);
}

void ir_unit_facts(IrUnit *unit)
{
    for (unsigned k = 0; k < unit->blocks.n; k++) {
        unit->blocks.at[k].n_preds = 0;
        unit->blocks.at[k].used = unit->blocks.at[k].defined = unit->blocks.at[k].killed = (IrSlotSet){ { 0 } };
    }
    for (unsigned k = 0; k < unit->blocks.n; k++) {
        IrBlock *bb = &unit->blocks.at[k];
        for (IrRef i = bb->first; i < bb->end; i++) {
            const IrInsn *in = ir_insn(unit, i);
            switch (in->op) {
            case IR_get:
                if (!ir_slots_has(&bb->defined, in->aux) && !ir_slots_has(&bb->killed, in->aux)) {
                    ir_slots_add(&bb->used, in->aux);
                }
                break;
            case IR_put:
                ir_slots_add(&bb->defined, in->aux);
                break;
            case IR_kill:
                ir_slots_add(&bb->killed, in->aux);
                break;
            case IR_call:
                if (unit->target->helpers[in->aux].flags & (HELPER_READS_STATE | HELPER_RAISES)) {
                    for (unsigned s = 0; s < unit->target->n_slots; s++) {
                        if (!ir_slots_has(&bb->defined, s)) {
                            ir_slots_add(&bb->used, s);
                        }
                    }
                }
                break;
            case IR_br:
                unit->blocks.at[in->a].n_preds++;
                break;
            case IR_brcond: case IR_brnz:
                unit->blocks.at[in->c & 0xffff].n_preds++;
                unit->blocks.at[in->c >> 16].n_preds++;
                break;
            default:
                break;
            }
        }
    }
}
