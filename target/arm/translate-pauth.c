/*
 * translate-pauth.c: pointer authentication (Arm ARM DDI 0487, C6.2: PACIA to XPACLRI, BRAA, RETAA, LDRAA; D8.10). What the codes are is
 * in helper-pauth.c.
 */
#include "target/arm/translate.h"

typedef const ArmArgsPac ArgsPac;
typedef const ArmArgsNone ArgsNone;

enum { LINK = 30, NO_MODIFIER = 32 };

static IrRef modifier(TransCtx *ctx, unsigned n) { return n == NO_MODIFIER ? ir_i64(ctx->b, 0) : arm_xsp(ctx, n); }

/*
 * User mode's layout and the algorithm of our own, as helper-pauth.c has them: compilers put a code on every return address. Bit 55 says
 * which half of the address space; the lower one ignores the top byte.
 */
static bool is_inline(const TransCtx *ctx)
{
    return !ctx->vcpu->softmmu && arm_has(ctx->vcpu, PACIMP);
}

static IrRef xor_shifted(IrBuilder *b, IrRef h, unsigned by)
{
    return ir_op2(b, IR_xor, IR_I64, h, ir_op2_imm(b, IR_shr, IR_I64, h, by));
}

/* ptr with the code of `good` xored into it; *ret_good: without a code, as it should be. */
static IrRef with_code(TransCtx *ctx, IrRef ptr, IrRef with, unsigned key, IrRef *ret_good)
{
    IrBuilder *b = ctx->b;
    int keys = (int)offsetof(ArmState, apkey) + 16 * (int)key;
    IrRef upper = ir_op2_imm(b, IR_sar, IR_I64, ir_op2_imm(b, IR_shl, IR_I64, ptr, 8), 63);
    IrRef mask = ir_op2_imm(b, IR_or, IR_I64, ir_op2_imm(b, IR_and, IR_I64, upper, (uint64_t)0xff << 56), (uint64_t)0xff << 48);
    IrRef good = ir_op2(b, IR_or, IR_I64, ir_op2(b, IR_andn, IR_I64, ptr, mask), ir_op2(b, IR_and, IR_I64, upper, mask));
    IrRef h = ir_op2(b, IR_xor, IR_I64, good, ir_ldenv(b, IR_I64, keys + 8, 8, false));

    h = xor_shifted(b, ir_op2_imm(b, IR_mul, IR_I64, h, 0x9e3779b97f4a7c15), 32);
    h = ir_op2(b, IR_xor, IR_I64, ir_op2(b, IR_xor, IR_I64, h, with), ir_ldenv(b, IR_I64, keys, 8, false));
    h = xor_shifted(b, ir_op2_imm(b, IR_mul, IR_I64, h, 0xd6e8feb86659fd93), 29);
    h = xor_shifted(b, ir_op2_imm(b, IR_mul, IR_I64, h, 0xff51afd7ed558ccd), 32);
    *ret_good = good;
    h = ir_op2(b, IR_and, IR_I64, h, mask);
    return ir_op2(b, IR_xor, IR_I64, ptr, ir_op2_imm(b, IR_and, IR_I64, h, ~BIT(55)));
}

static IrRef add(TransCtx *ctx, IrRef ptr, IrRef with, ArmPacKey key)
{
    IrRef good;

    if (is_inline(ctx)) {
        return with_code(ctx, ptr, with, key, &good);
    }
    return ir_call(ctx->b, ARM_HELPER_pac_add, 3, (IrRef[]){ ptr, with, ir_i32(ctx->b, key) });
}

static IrRef auth(TransCtx *ctx, IrRef ptr, IrRef with, unsigned how)
{
    if (is_inline(ctx)) {
        IrRef good, r = with_code(ctx, ptr, with, how & 3, &good);
        if (how & ARM_PAC_COMBINED ? arm_has(ctx->vcpu, FPACCOMBINE) : arm_has(ctx->vcpu, FPAC)) {
            trans_raise_if(ctx, IR_NE, r, good, ARM_HELPER_pac_fails, how);
            return good;
        }
        return r;
    }
    return ir_call(ctx->b, ARM_HELPER_pac_auth, 3, (IrRef[]){ ptr, with, ir_i32(ctx->b, how) });
}

/* The forms with a zero modifier have register 31 in its place, which is SP in the others. */
#define KEY(name, zero, key)                                                                                                          \
    void arm_trans_pac##name(TransCtx *ctx, ArgsPac *a) { arm_set_x(ctx, a->rd, add(ctx, arm_x(ctx, a->rd), arm_xsp(ctx, a->rn), key)); }     \
    void arm_trans_aut##name(TransCtx *ctx, ArgsPac *a) { arm_set_x(ctx, a->rd, auth(ctx, arm_x(ctx, a->rd), arm_xsp(ctx, a->rn), key)); }    \
    void arm_trans_pac##zero(TransCtx *ctx, ArgsPac *a) { arm_set_x(ctx, a->rd, add(ctx, arm_x(ctx, a->rd), ir_i64(ctx->b, 0), key)); }       \
    void arm_trans_aut##zero(TransCtx *ctx, ArgsPac *a) { arm_set_x(ctx, a->rd, auth(ctx, arm_x(ctx, a->rd), ir_i64(ctx->b, 0), key)); }
KEY(ia, iza, ARM_PAC_IA)
KEY(ib, izb, ARM_PAC_IB)
KEY(da, dza, ARM_PAC_DA)
KEY(db, dzb, ARM_PAC_DB)
#undef KEY

static void strip(TransCtx *ctx, unsigned rd, bool data)
{
    arm_set_x(ctx, rd, ir_call(ctx->b, ARM_HELPER_pac_strip, 2, (IrRef[]){ arm_x(ctx, rd), ir_i32(ctx->b, data) }));
}

void arm_trans_xpaci(TransCtx *ctx, ArgsPac *a) { strip(ctx, a->rd, false); }
void arm_trans_xpacd(TransCtx *ctx, ArgsPac *a) { strip(ctx, a->rd, true); }
void arm_trans_xpaclri(TransCtx *ctx, ArgsNone *a) { strip(ctx, LINK, false); }

void arm_trans_pacga(TransCtx *ctx, const ArmArgsPacr *a)
{
    arm_set_x(ctx, a->rd, ir_call(ctx->b, ARM_HELPER_pac_generic, 2, (IrRef[]){ arm_x(ctx, a->rn), arm_xsp(ctx, a->rm) }));
}

/* -- hints ------------------------------------------------------------------------------------------------- */

#define HINT(name, register, with, key)                                                                                                \
    void arm_trans_paci##name(TransCtx *ctx, ArgsNone *a) { arm_set_x(ctx, register, add(ctx, arm_x(ctx, register), modifier(ctx, with), key)); }  \
    void arm_trans_auti##name(TransCtx *ctx, ArgsNone *a) { arm_set_x(ctx, register, auth(ctx, arm_x(ctx, register), modifier(ctx, with), key)); }
HINT(a1716, 17, 16, ARM_PAC_IA)
HINT(b1716, 17, 16, ARM_PAC_IB)
HINT(az, LINK, NO_MODIFIER, ARM_PAC_IA)
HINT(bz, LINK, NO_MODIFIER, ARM_PAC_IB)
HINT(asp, LINK, ARM_ZR, ARM_PAC_IA)
HINT(bsp, LINK, ARM_ZR, ARM_PAC_IB)
#undef HINT

/* -- branches and loads ---------------------------------------------------------------------------------------- */

static IrRef target(TransCtx *ctx, const ArmArgsBra *a)
{
    return auth(ctx, arm_x(ctx, a->rn), modifier(ctx, a->rm), (a->key ? ARM_PAC_IB : ARM_PAC_IA) | ARM_PAC_COMBINED);
}

void arm_trans_bra(TransCtx *ctx, const ArmArgsBra *a)
{
    trans_jump_indirect(ctx, IR_EXIT_INDIRECT, arm_indirect_target(ctx, target(ctx, a), ARM_ZR, arm_jump_btype(ctx, a->rn)), ctx->next_pc);
}

void arm_trans_blra(TransCtx *ctx, const ArmArgsBra *a)
{
    IrRef pc = arm_indirect_target(ctx, target(ctx, a), ARM_ZR, ARM_BTYPE_CALL);
    arm_set_x(ctx, LINK, ir_i64(ctx->b, ctx->next_pc));
    trans_jump_indirect(ctx, IR_EXIT_INDIRECT_CALL, pc, ctx->next_pc);
}

void arm_trans_reta(TransCtx *ctx, const ArmArgsKey *a)
{
    ArmArgsBra link = { .rn = LINK, .rm = ARM_ZR, .key = a->key };
    trans_jump_indirect(ctx, IR_EXIT_RETURN, arm_indirect_target(ctx, target(ctx, &link), ARM_ZR, 0), ctx->next_pc);
}

void arm_trans_ldra(TransCtx *ctx, const ArmArgsLdra *a)
{
    IrRef addr = auth(ctx, arm_xsp(ctx, a->rn), ir_i64(ctx->b, 0), (a->key ? ARM_PAC_DB : ARM_PAC_DA) | ARM_PAC_COMBINED);
    IrMem mem = { .disp = a->imm, .size_log2 = 3, .mmu_index = (uint8_t)arm_mmu(ctx), .big_endian = arm_be(ctx) };
    if (a->rn != ARM_ZR || a->wb) {
        arm_tag_check_access(ctx, addr, a->imm, 8, false);
    }
    IrRef v = ir_load(ctx->b, IR_I64, addr, IR_NONE, mem);

    if (a->wb) {
        arm_set_xsp(ctx, a->rn, ir_op2_imm(ctx->b, IR_add, IR_I64, addr, (uint64_t)(int64_t)a->imm));
    }
    arm_set_x(ctx, a->rt, v);
}
