/*
 * translate.c: fetch, scan and dispatch of A64 instructions (Arm ARM DDI 0487, C4); what all handlers share.
 */
#include "target/arm/fp.h"
#include "target/arm/mte.h"
#include "target/arm/system.h"
#include "target/arm/translate.h"

/* The low bits of pc are PSTATE.BTYPE, not the address's. */
static bool has_btype(const TransCtx *ctx) { return bits_get(ctx->mode, ARM_MODE_BTI, 1); }

/* The low bits of pc (Target.pc_flags) do not matter here. */
static bool fetch(TransCtx *ctx, vaddr pc, uint32_t *ret)
{
    uint8_t bytes[4] = { 0 };

    if (!trans_fetch(ctx, pc, bytes, 4)) {
        return false;
    }
    *ret = ldle32(bytes);
    return true;
}

uint64_t arm_trans_mode(const Vcpu *vcpu)
{
    const ArmState *s = arm_state(vcpu);
    uint64_t hcr, sctlr, mode = (uint64_t)s->el << ARM_MODE_EL | arm_fp_mode(vcpu);

    mode |= (uint64_t)arm_tracks_btype(vcpu) << ARM_MODE_BTI;
    mode |= (uint64_t)(s->sp & 15 ? ARM_SP_CHECKED : ARM_SP_ALIGNED) << ARM_MODE_SP;
    if (!vcpu->softmmu) {
        /* Linux sets SCTLR_EL1.BT0. */
        return mode | (uint64_t)arm_tag_checks(vcpu, 0) << ARM_MODE_MTE | (uint64_t)s->tagged_data << ARM_MODE_TBI | (uint64_t)1 << ARM_MODE_BT |
               (uint64_t)vcpu->target->big_endian << ARM_MODE_BE;
    }
    if (arm_is_a32(vcpu)) {
        return arm32_trans_mode(vcpu);
    }
    hcr = arm_hcr(vcpu);
    sctlr = s->sctlr[arm_regime_el(arm_regime(vcpu, s->el))];
    if (!(sctlr & (s->el ? SCTLR_SA : SCTLR_SA0))) {
        mode = (mode & ~((uint64_t)3 << ARM_MODE_SP)) | (uint64_t)ARM_SP_FREE << ARM_MODE_SP;
    }
    mode |= (uint64_t)((sctlr & (s->el ? SCTLR_BT1 : SCTLR_BT0)) != 0) << ARM_MODE_BT;
    if (unlikely(s->tags)) {
        mode |= (uint64_t)arm_tag_checks(vcpu, s->el) << ARM_MODE_MTE;
        mode |= (uint64_t)arm_tag_checks(vcpu, arm_mmu_index_unpriv(vcpu) == ARM_MMU_USER ? 0 : s->el) << ARM_MODE_MTE_UNPRIV;
    }
    mode |= (uint64_t)arm_mmu_index(vcpu, MMU_READ) << ARM_MODE_MMU;
    mode |= (uint64_t)arm_mmu_index_unpriv(vcpu) << ARM_MODE_UNPRIV;
    mode |= (uint64_t)(arm_fp_trap_level(vcpu) != 0) << ARM_MODE_FP_TRAP;
    mode |= (uint64_t)((sctlr & (SCTLR_A | SCTLR_M)) != SCTLR_M && !(s->el < 2 && (hcr & HCR_DC))) << ARM_MODE_ALIGN;
    mode |= (uint64_t)((s->pstate & PSTATE_IL) != 0) << ARM_MODE_IL;
    mode |= (uint64_t)(s->pstate & PSTATE_SP) << ARM_MODE_SPSEL;
    mode |= (uint64_t)((hcr & HCR_E2H) != 0) << ARM_MODE_E2H;
    mode |= (uint64_t)((sctlr & (s->el ? SCTLR_EE : SCTLR_E0E)) != 0) << ARM_MODE_BE;
    return mode;
}

bool arm_trans_begin(TransCtx *ctx)
{
    memset(ctx->data, 0, sizeof(ctx->data));
    ctx->b->rule_slot = ARM_SLOT_CC_OP;
    ctx->b->unit->addr56 = bits_get(ctx->mode, ARM_MODE_TBI, 1);
    ctx->b->unit->addr32 = bits_get(ctx->mode, ARM_MODE_A32, 1);
    ctx->max_insn_bytes = ctx->b->unit->addr32 ? A32_MAX_INSN_BYTES : 4;
    return true;
}

static vaddr direct_target(int row, vaddr pc, const ArmArgs *args)
{
    switch (row) {
    case ARM_ROW_b_cond: case ARM_ROW_bc_cond: return pc + (int64_t)args->bcond.imm;
    case ARM_ROW_cbz: case ARM_ROW_cbnz: return pc + (int64_t)args->cb.imm;
    case ARM_ROW_tbz: case ARM_ROW_tbnz: return pc + (int64_t)args->tb.imm;
    default: return pc + (int64_t)args->b.imm;
    }
}

bool arm_scan(TransCtx *ctx, vaddr pc, ScanInsn *ret)
{
    ArmArgs args;
    uint32_t insn;

    if (bits_get(ctx->mode, ARM_MODE_A32, 1)) {
        return arm32_scan(ctx, pc, ret);
    }
    if (!fetch(ctx, pc, &insn)) {
        return false;
    }
    if (((pc & 3) && !has_btype(ctx)) || bits_get(ctx->mode, ARM_MODE_IL, 1)) {
        *ret = (ScanInsn){ .kind = SCAN_STOP, .length = (uint8_t)(4 - (pc & 3)) };
        return true;
    }
    int row = arm_decode32(insn, arm_model(ctx->vcpu)->ext);
    ret->length = (uint8_t)(4 - (pc & 3));
    pc &= ~(vaddr)3;
    ret->target = 0;
    ret->kind = SCAN_STOP;
    if (row < 0) {
        return true;
    }
    arm_extract(row, insn, &args);
    ret->glued = arm_rows[row].flags & DECODE_READS;
    ret->sets = arm_rows[row].flags & DECODE_SETS;
    switch ((DecodeKind)arm_rows[row].kind) {
    case DECODE_NORMAL:
        ret->kind = (row == ARM_ROW_msr && arm_sysreg_write_ends(ctx, (unsigned)args.sysw.reg)) ||
                    (row == ARM_ROW_sys && arm_sysreg_write_ends(ctx, (unsigned)args.sysop.op)) ||
                    (row == ARM_ROW_msr_imm && arm_pstate_write_ends((unsigned)args.psti.field, (unsigned)args.psti.imm)) ? SCAN_STOP : SCAN_NORMAL;
        break;
    case DECODE_BRANCH:
        ret->kind = SCAN_BRANCH;
        ret->target = direct_target(row, pc, &args);
        break;
    case DECODE_JUMP:
        ret->kind = row == ARM_ROW_bl ? SCAN_CALL : SCAN_JUMP;
        ret->target = direct_target(row, pc, &args);
        break;
    case DECODE_INDIRECT:
        ret->kind = SCAN_INDIRECT;
        break;
    case DECODE_STOP:
        break;
    }
    return true;
}

/* C4.1: op0 x11x with bit 26 is floating point and SIMD, loads and stores of their registers too; and FPCR and FPSR. */
static bool is_fp(int row, uint32_t insn, const ArmArgs *args)
{
    unsigned reg = row == ARM_ROW_mrs ? (unsigned)args->sysr.reg : row == ARM_ROW_msr ? (unsigned)args->sysw.reg : 0;
    return bits_get(insn, 26, 2) == 3 || reg == ARM_SYSREG(3, 3, 4, 4, 0) || reg == ARM_SYSREG(3, 3, 4, 4, 1);
}

/* Loads and stores (C4.1: op0 x1x0) whose base is SP, but for literals, prefetches and memory copies, where bits 9 to 5 are something else. */
static bool sp_is_base(uint32_t insn)
{
    bool literal = (insn & 0x3b000000) == 0x18000000, copy = (insn & 0x3b200c00) == 0x19000400;
    bool prefetch = (insn & 0xffc00000) == 0xf9800000 || (insn & 0xffe00c00) == 0xf8800000 || (insn & 0xffe00c00) == 0xf8a00800;

    return (insn & 0x0a000000) == 0x08000000 && bits_get(insn, 5, 5) == 31 && !literal && !copy && !prefetch;
}

/* Whether SP, a multiple of 16 before the instruction, may be something else behind it. */
static bool sp_may_be_misaligned(uint32_t insn)
{
    unsigned rd = insn & 31, rn = (unsigned)bits_get(insn, 5, 5);

    if ((insn & 0x3f000000) == 0x11000000) { /* ADD, SUB (immediate), ADDG, SUBG */
        bool multiple = rn == 31 && ((insn & BIT(22)) || !(bits_get(insn, 10, 12) & 15));
        return rd == 31 && !multiple;
    }
    if ((insn & 0x3fe00000) == 0x0b200000) { /* ADD, SUB (extended register) */
        return rd == 31;
    }
    if ((insn & 0x1f800000) == 0x12000000) { /* AND, ORR, EOR (immediate) */
        return rd == 31 && bits_get(insn, 29, 2) != 3;
    }
    if (!sp_is_base(insn)) {
        return (insn & 0xffe0fc1f) == 0x9ac0101f; /* IRG */
    }
    if ((insn & 0x3a000000) == 0x28000000) { /* pairs */
        unsigned opc = insn >> 30, scale = insn & BIT(26) ? 2 + opc : opc == 2 ? 3 : 2;
        return (insn & BIT(23)) && (bits_get(insn, 15, 7) << scale & 15);
    }
    if ((insn & 0x3b200400) == 0x38000400) { /* single registers, pre- and post-indexed */
        return bits_get(insn, 12, 9) & 15;
    }
    /* LDRAA and LDRAB; SIMD structures; load-acquire and store-release with write-back, and tags. */
    return (insn & 0xff200c00) == 0xf8200c00 || (insn & 0xbe800000) == 0x0c800000 || (insn & 0x3f000000) == 0x19000000;
}

/*
 * BTypeCompatible: whether the instruction may follow an indirect branch of that kind on a guarded page (D8.4.2, C6.2 BTI and PACIASP). 1: by X16
 * or X17, or from a page that is not guarded; 2: a call; 3: other jumps.
 */
static bool may_land(const TransCtx *ctx, uint32_t insn, unsigned btype)
{
    if ((insn & 0xffffff3f) == 0xd503241f) { /* BTI: bit 6 c, bit 7 j */
        return (insn & BIT(6) && btype != 3) || (insn & BIT(7) && btype != 2);
    }
    if ((insn & 0xffffffbf) == 0xd503233f) { /* PACIASP, PACIBSP */
        return btype != 3 || !bits_get(ctx->mode, ARM_MODE_BT, 1);
    }
    return (insn & 0xffe0001f) == 0xd4200000 || (insn & 0xffe0001f) == 0xd4400000; /* BRK, HLT */
}

/* The low bits of a target are BTYPE's, so a misaligned one is found here, and is an exception when it is reached. */
IrRef arm_indirect_target(TransCtx *ctx, IrRef target, unsigned rn, unsigned btype)
{
    if (!has_btype(ctx)) {
        return target;
    }
    if (rn == ARM_ZR) {
        ir_stenv(ctx->b, offsetof(ArmState, branch_target), 8, target);
    }
    trans_raise_if(ctx, IR_TSTNE, target, ir_i64(ctx->b, 3), ARM_HELPER_pc_misaligned, rn | (uint32_t)(btype == ARM_BTYPE_CALL) << 5);
    return ir_op2_imm(ctx->b, IR_or, IR_I64, target, btype);
}

unsigned arm_jump_btype(const TransCtx *ctx, unsigned rn)
{
    return rn == 16 || rn == 17 || !trans_guarded(ctx, ctx->pc) ? 1 : 3;
}

void arm_translate(TransCtx *ctx)
{
    ArmArgs args;
    uint32_t insn;

    if (bits_get(ctx->mode, ARM_MODE_A32, 1)) {
        arm32_translate(ctx);
        return;
    }
    unsigned btype = has_btype(ctx) ? ctx->pc & 3 : 0;

    ctx->next_pc = ctx->pc + 4 - (ctx->pc & 3);
    if (!fetch(ctx, ctx->pc, &insn)) {
        /* The page went away since the scan; entering it again raises the fault. */
        trans_leave(ctx, VCPU_EXIT_NONE, ctx->pc);
        return;
    }
    if ((ctx->pc & 3) && !btype) {
        arm_raise(ctx, ARM_EC_PC_ALIGN, ctx->pc);
        return;
    }
    if (bits_get(ctx->mode, ARM_MODE_IL, 1)) { /* comes behind aborts of the fetch (D1.3.5.5) */
        arm_raise(ctx, ARM_EC_ILLEGAL, 0);
        return;
    }
    if (btype) {
        if (trans_guarded(ctx, ctx->pc) && !may_land(ctx, insn, btype)) {
            arm_raise(ctx, ARM_EC_BTI, btype);
            return;
        }
        ctx->pc -= btype;
        ir_insn_start(ctx->b, ctx->pc, ctx->b->insn_extra);
    }
    ctx->data[ARM_DATA_INSN] = insn;
    int row = arm_decode32(insn, arm_model(ctx->vcpu)->ext);
    if (row < 0) {
        arm_undefined(ctx);
        return;
    }
    arm_extract(row, insn, &args);
    if (bits_get(ctx->mode, ARM_MODE_FP_TRAP, 1) && is_fp(row, insn, &args)) {
        ir_call(ctx->b, ARM_HELPER_fp_trap, 0, NULL);
        ir_trap(ctx->b);
        ctx->ended = true;
        return;
    }
    unsigned sp = (unsigned)bits_get(ctx->mode, ARM_MODE_SP, 2);
    if (sp == ARM_SP_CHECKED && sp_is_base(insn)) {
        trans_raise_if(ctx, IR_TSTNE, ir_get(ctx->b, ARM_SLOT_SP), ir_i64(ctx->b, 15), ARM_HELPER_sp_align, 0);
    }
    if (bits_get(ctx->mode, ARM_MODE_MTE, 2)) {
        arm_tag_check_insn(ctx, insn);
    }
    arm_dispatch(row, ctx, &args);
    if (sp == ARM_SP_ALIGNED && !ctx->ended && sp_may_be_misaligned(insn)) {
        trans_leave_if(ctx, IR_TSTNE, ir_get(ctx->b, ARM_SLOT_SP), ir_i64(ctx->b, 15), VCPU_EXIT_NONE, ctx->next_pc);
    }
}

void arm_raise(TransCtx *ctx, unsigned class, uint64_t value)
{
    ir_call(ctx->b, ARM_HELPER_raise, 2, (IrRef[]){ ir_i32(ctx->b, class), ir_i64(ctx->b, value) });
    ir_trap(ctx->b);
    ctx->ended = true;
}

void arm_undefined(TransCtx *ctx)
{
    arm_raise(ctx, ARM_EC_UNKNOWN, ctx->data[ARM_DATA_INSN]);
}
