/*
 * a32.c: fetch, scan, conditions and dispatch of A32 and T32 instructions (Arm ARM DDI 0487, F2.3, F3 and F4).
 *
 * A conditional instruction whose only effects are registers computes them and selects; any other is jumped over. An IT
 * instruction and those it governs are one instruction to the driver: nobody may jump into them, and an exception in the middle
 * finds ITSTATE in memory, from where trans_mode brings it into the unit that goes on.
 */
#include "target/arm/a32.h"
#include "target/arm/fp.h"
#include "target/arm/system.h"

enum { MAX_IT = 4 };

typedef struct Insn {
    uint32_t word;
    int row;           /* -1: undefined */
    unsigned length, cond;
    A32Args args;
} Insn;

/*
 * The page of functions the kernel has for programs is one text for all models in user mode: its exclusive accesses and barriers work on models
 * whose programs have none.
 */
static const bool *features_at(const TransCtx *ctx, vaddr pc)
{
    static const bool all[ARM_N_EXTS] = { [0 ... ARM_N_EXTS - 1] = true };
    return !ctx->vcpu->softmmu && pc >= A32_VECTORS ? all : arm_model(ctx->vcpu)->ext;
}

bool a32_has(const TransCtx *ctx, ArmExt ext) { return features_at(ctx, ctx->pc)[ext]; }

/*
 * D16 to D31 of a word whose top bits of register numbers, 22, 7 and 5, are all zero where there are none. Only VFPv2 and VFPv3-D16 lack them, so
 * later rows do not count.
 */
static bool has_high_d(const Insn *in)
{
    uint32_t d = in->word & BIT(22), n = in->word & BIT(7), m = in->word & BIT(5);

    switch (in->row) {
    case A32_ROW_vcvt_ds: case A32_ROW_vcvt_from_i_d: case A32_ROW_vmov_d: case A32_ROW_vcvt_fix_d: case A32_ROW_vcmpz_d:
    case A32_ROW_vldr_d: case A32_ROW_vstr_d: case A32_ROW_vldm_d: case A32_ROW_vldmdb_d: case A32_ROW_vstm_d: case A32_ROW_vstmdb_d:
        return d;
    case A32_ROW_vcvt_sd: case A32_ROW_vcvt_to_u_d: case A32_ROW_vcvt_to_s_d: case A32_ROW_vmov_to2_d: case A32_ROW_vmov_fr2_d:
        return m;
    case A32_ROW_vmov_xs: case A32_ROW_vmov_sx:
        return n;
    case A32_ROW_vmov_r_d: case A32_ROW_vabs_d: case A32_ROW_vneg_d: case A32_ROW_vsqrt_d: case A32_ROW_vcmp_d:
        return d || m;
    case A32_ROW_vmla_d: case A32_ROW_vmls_d: case A32_ROW_vnmla_d: case A32_ROW_vnmls_d: case A32_ROW_vmul_d: case A32_ROW_vnmul_d:
    case A32_ROW_vadd_d: case A32_ROW_vsub_d: case A32_ROW_vdiv_d:
        return d || n || m;
    default:
        return false;
    }
}

/* T32 loads and stores with eight bits of offset, neither indexed nor written back, are no instructions. */
static bool is_offset_of_nothing(const Insn *in)
{
    return in->row >= A32_ROW_strb_t8i && in->row <= A32_ROW_ldrsh_t8i && !(in->word & 0x500);
}

static void finish(Insn *in, const bool *ext)
{
    if (is_offset_of_nothing(in)) {
        in->row = -1;
    }
    if (in->row >= 0 && !ext[ARM_EXT_VFPD32] && has_high_d(in)) {
        in->row = -1;
    }
    if (in->row >= 0) {
        a32_extract(in->row, in->word, &in->args);
    }
}

static bool code_be(const TransCtx *ctx) { return ctx->mode >> ARM_MODE_CODE_BE & 1; }

static bool fetch_a32(TransCtx *ctx, vaddr pc, Insn *ret)
{
    uint8_t bytes[4];

    if (!trans_fetch(ctx, pc, bytes, 4)) {
        return false;
    }
    const bool *ext = features_at(ctx, pc);
    ret->word = code_be(ctx) ? ldbe32(bytes) : ldle32(bytes);
    ret->length = 4;
    ret->cond = ret->word >> 28;
    ret->row = ret->cond == 15 ? a32_uncond_decode32(ret->word, ext) : a32_decode32(ret->word, ext);
    finish(ret, ext);
    return true;
}

/* A T32 word of VFP, Advanced SIMD or the system registers is the A32 one with other top bits (F3.1.11, F3.1.12). */
static int decode_t32_coprocessor(uint32_t *word, const bool *ext)
{
    uint32_t w = *word;

    if ((w & 0xef000000) == 0xef000000) {      /* Advanced SIMD data processing: the U bit moves */
        *word = 0xf2000000 | (w & 0x00ffffff) | (w >> 28 & 1) << 24;
        return a32_uncond_decode32(*word, ext);
    }
    return w >> 28 == 15 ? a32_uncond_decode32(w, ext) : a32_decode32(w, ext);
}

static bool fetch_t32(TransCtx *ctx, vaddr pc, Insn *ret)
{
    const bool *ext = features_at(ctx, pc);
    uint8_t bytes[2];

    if (!trans_fetch(ctx, pc, bytes, 2)) {
        return false;
    }
    ret->word = code_be(ctx) ? ldbe16(bytes) : ldle16(bytes);
    ret->length = 2;
    ret->cond = 14;
    if (ret->word >> 11 < 0x1d) {
        ret->row = a32_t32_decode16(ret->word, ext);
    } else {
        if (!trans_fetch(ctx, pc + 2, bytes, 2)) {
            return false;
        }
        ret->word = ret->word << 16 | (code_be(ctx) ? ldbe16(bytes) : ldle16(bytes));
        ret->length = 4;
        if (!ext[ARM_EXT_V6T2]) {
            /* BL and BLX, two instructions: without Thumb-2 the offset has no bits of J1 and J2. */
            ret->row = (ret->word & 0x2800) == 0x2800 ? a32_t32_decode32(ret->word, ext) : -1;
        } else if ((ret->word & 0xff100000) == 0xf9000000) { /* Advanced SIMD loads and stores of elements */
            ret->word = 0xf4000000 | (ret->word & 0x00ffffff);
            ret->row = a32_uncond_decode32(ret->word, ext);
        } else if ((ret->word & 0xec000000) == 0xec000000) {
            ret->row = decode_t32_coprocessor(&ret->word, ext);
        } else {
            ret->row = a32_t32_decode32(ret->word, ext);
        }
    }
    finish(ret, ext);
    return true;
}

uint64_t arm32_trans_mode(const Vcpu *vcpu)
{
    const ArmState *s = arm_state(vcpu);
    uint64_t len = arm_has(vcpu, VFPShVec) ? s->fpcr >> ARM_FPSCR_LEN_SHIFT & 7 : 0;
    uint64_t mode = (uint64_t)s->el << ARM_MODE_EL | (uint64_t)1 << ARM_MODE_A32 | (uint64_t)s->itstate << ARM_MODE_IT | arm_fp_mode(vcpu);

    mode |= (uint64_t)((s->pstate & PSTATE_E) != 0) << ARM_MODE_BE | (uint64_t)s->code_be << ARM_MODE_CODE_BE;
    mode |= arm_fp_standard_ok(vcpu) ? BIT(ARM_MODE_FP_STD_OK) : 0;
    mode |= len ? len << ARM_MODE_SHVEC_LEN | (uint64_t)(s->fpcr >> ARM_FPSCR_STRIDE_SHIFT & 3) << ARM_MODE_SHVEC_STRIDE : 0;
    if (!vcpu->softmmu) {
        return mode;
    }
    uint64_t sctlr = s->sctlr[arm_regime_el(arm_regime(vcpu, s->el))];
    /* Translation off makes memory Strongly-ordered, where accesses must be aligned; cores without long descriptors did not insist. */
    bool off = arm_has(vcpu, LPAE) && !(sctlr & SCTLR_M) && !(s->el < 2 && (arm_hcr(vcpu) & HCR_DC));
    mode |= (uint64_t)arm_mmu_index(vcpu, MMU_READ) << ARM_MODE_MMU;
    mode |= (uint64_t)arm_mmu_index_unpriv(vcpu) << ARM_MODE_UNPRIV;
    mode |= (uint64_t)(arm_fp_trap_level(vcpu) != 0) << ARM_MODE_FP_TRAP;
    mode |= (uint64_t)((sctlr & SCTLR_A) || off) << ARM_MODE_ALIGN;
    mode |= (uint64_t)arm_has(vcpu, V6) << ARM_MODE_ALIGN_MANY;
    mode |= (uint64_t)((s->pstate & PSTATE_IL) != 0) << ARM_MODE_IL;
    /* A kernel in AArch64 has CPACR alone. */
    mode |= (uint64_t)(!(s->fpexc & BIT(30)) && arm_el_is_a32(vcpu, s->el == 2 || s->el == 3 ? s->el : 1)) << ARM_MODE_VFP_OFF;
    return mode;
}

/* -- the scan ------------------------------------------------------------------------------------------- */

static bool is_dp(int row)
{
    return (row >= A32_ROW_and_i && row <= A32_ROW_mvn_s) || (row >= A32_ROW_lsl_t && row <= A32_ROW_mov_th)
           || (row >= A32_ROW_adr_t && row <= A32_ROW_sub_tsp7) || (row >= A32_ROW_and_ti && row <= A32_ROW_rsb_tr)
           || row == A32_ROW_addw_t || row == A32_ROW_subw_t || (row >= A32_ROW_shift_t && row <= A32_ROW_shift_t3);
}

static bool writes_pc(const Insn *in)
{
    const A32Args *a = &in->args;

    switch (in->row) {
    case A32_ROW_bx: case A32_ROW_bxj: case A32_ROW_blx_r: case A32_ROW_bx_t: case A32_ROW_blx_t: case A32_ROW_bxj_t:
    case A32_ROW_tbb: case A32_ROW_tbh:
        return true;
    case A32_ROW_ldm: case A32_ROW_ldm_i: case A32_ROW_ldmdb_i:
        return a->ldm.list >> 15 & 1;
    case A32_ROW_pop:
        return a->push.list >> 8 & 1;
    case A32_ROW_ldr_i: case A32_ROW_ldr_t12: case A32_ROW_ldr_t8i: case A32_ROW_ldr_tl0: case A32_ROW_ldr_tl1: case A32_ROW_ldr_tl2:
        return a->lsi.rt == A32_PC;
    case A32_ROW_ldr_r: case A32_ROW_ldr_tro:
        return a->lsr.rt == A32_PC;
    default:
        /* op, s and rd come first in all three forms; comparisons have op 8 to 11, in T32 rd 15 with s makes one. */
        return is_dp(in->row) && a->v[2] == A32_PC && (a->v[0] < 8 || a->v[0] > 11 || in->row >= A32_ROW_and_ti)
               && !(in->row >= A32_ROW_and_ti && a->v[1]);
    }
}

vaddr a32_bl_target(vaddr pc, const A32ArgsBl *a, bool exchange)
{
    uint32_t i1 = !(a->j1 ^ a->s), i2 = !(a->j2 ^ a->s);
    int64_t offset = bits_sext((uint64_t)a->s << 24 | i1 << 23 | i2 << 22, 25) + (a->imm & 0x3fffff);

    pc = (pc & ~(vaddr)1) + 4;
    return (uint32_t)(exchange ? (pc & ~(vaddr)3) + (uint64_t)(offset & ~(int64_t)3) : (pc + (uint64_t)offset) | 1);
}

/* Of rows that jump to a known place. */
static vaddr direct_target(const Insn *in, vaddr pc)
{
    switch (in->row) {
    case A32_ROW_b_t4: case A32_ROW_bl_t: return a32_bl_target(pc, &in->args.bl, false);
    case A32_ROW_blx_ti: return a32_bl_target(pc, &in->args.bl, true);
    case A32_ROW_blx_i: return (uint32_t)(pc + 8 + (uint64_t)(int64_t)in->args.b.imm) | 1;
    case A32_ROW_cbz: case A32_ROW_cbnz: return (uint32_t)(pc + 4 + (uint64_t)(int64_t)in->args.cbz.imm);
    default: return (uint32_t)(pc + (pc & 1 ? 4 : 8) + (uint64_t)(int64_t)in->args.b.imm); /* bcc has imm at the same place */
    }
}

static void scan_one(const Insn *in, vaddr pc, ScanInsn *ret)
{
    bool always = in->cond >= 14;

    ret->kind = SCAN_NORMAL;
    ret->glued = !always;
    if (is_dp(in->row)) {
        bool t32 = in->row >= A32_ROW_and_ti;
        int op = in->args.v[0]; /* ADC, SBC, RSC; in 32-bit encodings of T32 their own numbers; 8 to 11 compare */
        ret->glued |= t32 ? op == 10 || op == 11 : op >= 5 && op <= 7;
        ret->sets = always && (in->args.v[1] || (!t32 && op >= 8 && op <= 11));
    }
    if (in->row < 0) {
        ret->kind = always ? SCAN_STOP : SCAN_NORMAL;
        return;
    }
    switch ((DecodeKind)a32_rows[in->row].kind) {
    case DECODE_BRANCH:
        ret->kind = SCAN_BRANCH;
        ret->target = direct_target(in, pc);
        if (in->row == A32_ROW_b && always) {
            ret->kind = SCAN_JUMP;
        }
        return;
    case DECODE_JUMP:
        ret->kind = always ? SCAN_JUMP : SCAN_NORMAL;
        ret->target = always ? direct_target(in, pc) : 0;
        return;
    case DECODE_INDIRECT:
        ret->kind = always ? SCAN_INDIRECT : SCAN_NORMAL;
        return;
    case DECODE_STOP:
        ret->kind = always ? SCAN_STOP : SCAN_NORMAL;
        return;
    case DECODE_NORMAL:
        break;
    }
    if (in->row == A32_ROW_bl || in->row == A32_ROW_blx_i || in->row == A32_ROW_bl_t || in->row == A32_ROW_blx_ti) {
        ret->kind = always ? SCAN_CALL : SCAN_NORMAL;
        ret->target = direct_target(in, pc);
    } else if (writes_pc(in)) {
        ret->kind = always ? SCAN_INDIRECT : SCAN_NORMAL;
    }
}

/* The instructions from pc on that ITSTATE governs; false: not all of them can be fetched, *ret_n can. */
static bool fetch_it(TransCtx *ctx, vaddr pc, unsigned it, Insn in[MAX_IT], unsigned *ret_n)
{
    for (*ret_n = 0; it; it = arm_it_advance(it), ++*ret_n) {
        if (!fetch_t32(ctx, pc, &in[*ret_n])) {
            return false;
        }
        in[*ret_n].cond = it >> 4;
        pc += in[*ret_n].length;
    }
    return true;
}

/* ITSTATE in front of the instruction at pc: it comes with the unit's mode and holds for its first one. */
static unsigned it_before(const TransCtx *ctx, vaddr pc)
{
    return pc == ctx->b->unit->pc ? (unsigned)bits_get(ctx->mode, ARM_MODE_IT, 8) : 0;
}

bool arm32_scan(TransCtx *ctx, vaddr pc, ScanInsn *ret)
{
    Insn in, group[MAX_IT];
    unsigned n, it = it_before(ctx, pc), length = 0;

    ret->target = 0;
    if (bits_get(ctx->mode, ARM_MODE_IL, 1)) {
        *ret = (ScanInsn){ .kind = SCAN_STOP, .length = 2 };
        return trans_fetch(ctx, pc, group, 2);
    }
    if (!(pc & 1)) {
        if (!fetch_a32(ctx, pc, &in)) {
            return false;
        }
        scan_one(&in, pc, ret);
        ret->length = 4;
        return true;
    }
    if (!it) {
        if (!fetch_t32(ctx, pc, &in)) {
            return false;
        }
        if (in.row != A32_ROW_it) {
            scan_one(&in, pc, ret);
            ret->length = (uint8_t)in.length;
            return true;
        }
        it = in.word & 0xff;
        length = 2;
    }
    bool all = fetch_it(ctx, pc + length, it, group, &n);
    if (!n && !length) {
        return false;
    }
    for (unsigned i = 0; i < n; i++) {
        length += group[i].length;
    }
    ret->length = (uint8_t)length;
    ret->glued = true;
    ret->kind = all ? SCAN_NORMAL : SCAN_STOP;
    if (all && group[n - 1].cond >= 14) {
        ScanInsn last = { 0 };
        scan_one(&group[n - 1], pc, &last);
        ret->kind = last.kind == SCAN_NORMAL || last.kind == SCAN_BRANCH ? SCAN_NORMAL : SCAN_STOP;
    }
    return true;
}

/* -- translation ------------------------------------------------------------------------------------------ */

/* Registers other than 15 are all it changes. */
static bool only_registers(const TransCtx *ctx, const Insn *in)
{
    int row = in->row;

    if (is_dp(row)) {
        bool compares = in->row < A32_ROW_and_ti && in->args.v[0] >= 8 && in->args.v[0] <= 11;
        return !a32_sets(ctx, in->args.v[1]) && !compares && in->args.v[2] != A32_PC;
    }
    switch (row) {
    case A32_ROW_mul: case A32_ROW_mla: case A32_ROW_mul_t: case A32_ROW_mla_t:
        return !a32_sets(ctx, in->args.r4.s);
    case A32_ROW_movw: case A32_ROW_movt: case A32_ROW_movw_t: case A32_ROW_movt_t: case A32_ROW_mls: case A32_ROW_mls_t:
    case A32_ROW_sxtab: case A32_ROW_sxtah: case A32_ROW_uxtab: case A32_ROW_uxtah: case A32_ROW_rev: case A32_ROW_rbit:
    case A32_ROW_sbfx: case A32_ROW_ubfx: case A32_ROW_bfi: case A32_ROW_clz: case A32_ROW_sxth_t: case A32_ROW_sxtb_t:
    case A32_ROW_uxth_t: case A32_ROW_uxtb_t: case A32_ROW_sbfx_t: case A32_ROW_ubfx_t: case A32_ROW_bfi_t: case A32_ROW_rev_t:
    case A32_ROW_sxtah_t2: case A32_ROW_uxtah_t2: case A32_ROW_sxtab_t2: case A32_ROW_uxtab_t2: case A32_ROW_clz_t: case A32_ROW_rev_t2:
        return true;
    default:
        return false;
    }
}

/* Registers that are there while FPEXC.EN is clear: all but FPSCR. */
static bool is_vfp_control(const Insn *in)
{
    return (in->row == A32_ROW_vmrs || in->row == A32_ROW_vmsr) && in->args.vsys.reg != 1;
}

/* Rows that are vector instructions where FPSCR.LEN is not 0; *ret_three: their arguments are z, d, n, m; else z, d, m or z, d, immediate. */
static bool may_be_vector(int row, bool *ret_three)
{
    *ret_three = row >= A32_ROW_vmla_s && row <= A32_ROW_vdiv_d;
    return *ret_three || row == A32_ROW_vmov_s || row == A32_ROW_vmov_d || row == A32_ROW_vmov_r_s || row == A32_ROW_vmov_r_d ||
           row == A32_ROW_vabs_s || row == A32_ROW_vabs_d || row == A32_ROW_vneg_s || row == A32_ROW_vneg_d || row == A32_ROW_vsqrt_s ||
           row == A32_ROW_vsqrt_d;
}

/*
 * VFP's short vectors (Arm ARM DDI 0406, K4.1): registers are in banks of eight singles or four doubles, round which vectors run. A result in
 * the first bank is a scalar, a second operand there is one for all elements.
 */
static void dispatch_short_vector(TransCtx *ctx, const Insn *in, bool three)
{
    unsigned n = 1 + (unsigned)bits_get(ctx->mode, ARM_MODE_SHVEC_LEN, 3), stride = bits_get(ctx->mode, ARM_MODE_SHVEC_STRIDE, 2) == 3 ? 2 : 1;
    bool immediate = in->row == A32_ROW_vmov_s || in->row == A32_ROW_vmov_d;
    A32Args args = in->args;
    int bank = args.v[0] == 3 ? 4 : 8, others = args.v[0] == 3 ? 0xc : 0x18, *last = &args.v[three ? 3 : 2];
    bool scalar = !(args.v[1] & others), last_scalar = immediate || !(*last & others);

    for (unsigned i = 0; i < (scalar ? 1 : n); i++) {
        a32_dispatch(in->row, ctx, &args);
        for (int *reg = &args.v[1]; reg <= last; reg++) {
            if (reg != last || !last_scalar) {
                *reg = (*reg & ~(bank - 1)) | ((*reg + (int)stride) & (bank - 1));
            }
        }
    }
}

static void dispatch(TransCtx *ctx, const Insn *in)
{
    bool three;

    ctx->data[ARM_DATA_INSN] = in->word;
    bool fp = in->row >= A32_ROW_vmla_s; /* vfp.isa and neon.isa come last */
    if (fp && bits_get(ctx->mode, ARM_MODE_FP_TRAP, 1)) {
        ir_call(ctx->b, ARM_HELPER_fp_trap, 0, NULL);
        ir_trap(ctx->b);
        ctx->ended = true;
    } else if (fp && bits_get(ctx->mode, ARM_MODE_VFP_OFF, 1) && !is_vfp_control(in)) {
        a32_undefined(ctx);
    } else if (in->row < 0) {
        a32_undefined(ctx);
    } else if (bits_get(ctx->mode, ARM_MODE_SHVEC_LEN, 3) && may_be_vector(in->row, &three)) {
        dispatch_short_vector(ctx, in, three);
    } else {
        a32_dispatch(in->row, ctx, &in->args);
    }
}

static void run(TransCtx *ctx, const Insn *in)
{
    if (in->cond >= 14 || (in->row == A32_ROW_b && !(ctx->pc & 1))) {
        dispatch(ctx, in);
        return;
    }
    ArmCondRef c = arm_cond(ctx, in->cond);
    if (in->row >= 0 && only_registers(ctx, in)) {
        ctx->data[A32_DATA_SELECT] = 1 + (uint64_t)ir_setcond(ctx->b, IR_I32, c.cond, c.a, c.b);
        dispatch(ctx, in);
        ctx->data[A32_DATA_SELECT] = 0;
        return;
    }
    trans_skip_if(ctx, ir_cond_invert(c.cond), c.a, c.b);
    dispatch(ctx, in);
    trans_skip_end(ctx);
}

static void put_it(TransCtx *ctx, unsigned it)
{
    ir_stenv(ctx->b, (int)offsetof(ArmState, itstate), 1, ir_i32(ctx->b, it));
}

/* It can leave the unit for another instruction than the next one; only the last of a group may. */
static bool branches(const Insn *in)
{
    return in->row == A32_ROW_b_t || in->row == A32_ROW_b_t4 || in->row == A32_ROW_bl_t || in->row == A32_ROW_blx_ti || (in->row >= 0 && writes_pc(in));
}

/* May it stop in the middle, so that somebody asks for ITSTATE? */
static bool may_stop(const TransCtx *ctx, const Insn *in)
{
    return in->row < 0 || !(is_dp(in->row) || branches(in) || only_registers(ctx, in));
}

static void run_it(TransCtx *ctx, unsigned it, bool in_memory)
{
    Insn group[MAX_IT];
    unsigned n;
    vaddr begin = ctx->pc, end = begin;
    bool all = fetch_it(ctx, ctx->pc, it, group, &n), behind_it = !in_memory;

    for (unsigned i = 0; i < n; i++) {
        end = ctx->pc + group[i].length;
        ctx->next_pc = end;
        if (i || behind_it) { /* what stops goes on at its own address: IT is done, ITSTATE is in memory */
            ir_insn_start(ctx->b, ctx->pc, 0);
        }
        if (may_stop(ctx, &group[i])) {
            put_it(ctx, it);
            in_memory = true;
        }
        it = arm_it_advance(it);
        ctx->data[A32_DATA_IN_IT] = 1;
        if (in_memory && branches(&group[i])) {
            put_it(ctx, 0); /* if it faults it is begun anew without a condition: it would not be here if that did not hold */
            in_memory = false;
        }
        run(ctx, &group[i]);
        ctx->data[A32_DATA_IN_IT] = 0;
        if (ctx->ended) {
            return;
        }
        ctx->pc = end;
    }
    ctx->pc = begin;
    if (!all) {
        put_it(ctx, it);
        trans_leave(ctx, VCPU_EXIT_NONE, end);
    } else if (in_memory) {
        put_it(ctx, 0);
    }
}

void arm32_translate(TransCtx *ctx)
{
    Insn in;
    unsigned it = it_before(ctx, ctx->pc);

    ctx->next_pc = ctx->pc + 2;
    if (bits_get(ctx->mode, ARM_MODE_IL, 1)) {
        a32_exception(ctx, ARM_EC_ILLEGAL, 0, VCPU_EXIT_NONE);
        return;
    }
    if (it) {
        run_it(ctx, it, true);
        return;
    }
    if (!(ctx->pc & 1 ? fetch_t32(ctx, ctx->pc, &in) : fetch_a32(ctx, ctx->pc, &in))) {
        /* The page went away since the scan; entering it again raises the fault. */
        trans_leave(ctx, VCPU_EXIT_NONE, ctx->pc);
        return;
    }
    ctx->next_pc = ctx->pc + in.length;
    if (in.row == A32_ROW_it && ctx->pc & 1) {
        vaddr pc = ctx->pc;
        ctx->pc = ctx->next_pc;
        run_it(ctx, in.word & 0xff, false);
        ctx->pc = pc;
    } else {
        run(ctx, &in);
    }
}

/* Never looked up: run_it() has what IT governs. */
void a32_trans_it(TransCtx *ctx, const A32ArgsIt *a)
{
    a32_undefined(ctx);
}

/* -- for the handlers ---------------------------------------------------------------------------------------- */

void a32_put(TransCtx *ctx, unsigned n, IrRef value)
{
    if (n == A32_PC) {
        return;
    }
    if (ctx->data[A32_DATA_SELECT]) {
        value = ir_select(ctx->b, IR_I32, (IrRef)(ctx->data[A32_DATA_SELECT] - 1), value, ir_get(ctx->b, ARM_SLOT_R + n));
    }
    ir_put(ctx->b, ARM_SLOT_R + n, value);
}

void a32_jump(TransCtx *ctx, IrRef target, IrExitKind kind, vaddr return_pc)
{
    if (ctx->target->word_bits == 64) {
        target = ir_op1(ctx->b, IR_ext_u, IR_I64, target);
    }
    trans_jump_indirect(ctx, kind, target, return_pc);
}

void a32_set_r(TransCtx *ctx, unsigned n, IrRef value)
{
    if (n != A32_PC) {
        a32_put(ctx, n, value);
        return;
    }
    /* T32 stays T32; A32's data processing interworks. */
    if (a32_thumb(ctx)) {
        value = ir_op2_imm(ctx->b, IR_or, IR_I32, value, 1);
    }
    a32_jump(ctx, value, IR_EXIT_INDIRECT, ctx->next_pc);
}

void a32_exception(TransCtx *ctx, unsigned ec, uint32_t iss, VcpuExit user_exit)
{
    if (!ctx->vcpu->softmmu && user_exit != VCPU_EXIT_NONE) {
        trans_leave(ctx, user_exit, ctx->pc);
        return;
    }
    ir_call(ctx->b, ARM_HELPER_raise, 2, (IrRef[]){ ir_i32(ctx->b, ec), ir_i64(ctx->b, iss) });
    ir_trap(ctx->b);
    ctx->ended = true;
}

void a32_undefined(TransCtx *ctx)
{
    a32_exception(ctx, ARM_EC_UNKNOWN, (uint32_t)ctx->data[ARM_DATA_INSN], VCPU_EXIT_NONE);
}
