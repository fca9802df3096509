/*
 * translate.c: fetch, scan and dispatch of x86 instructions; exceptions that are known when translating.
 *
 * SDM volume 1 chapter 3, volume 2 chapter 2. What a row's unit needs to be usable (CR0, CR4, XCR0) is checked here, before its
 * handler.
 */
#include "target/x86/translate.h"
#include "target/x86/x87.h"

uint64_t x86_trans_mode(const Vcpu *vcpu)
{
    const X86State *s = x86_state(vcpu);
    bool vm = s->eflags & X86_VM, pe = s->cr0 & X86_CR0_PE, lma = s->efer & X86_EFER_LMA;
    uint32_t cs = s->seg_attr[X86_CS];
    X86Code code = lma && cs & X86_ATTR_L ? X86_CODE_64 : cs & X86_ATTR_B ? X86_CODE_32 : X86_CODE_16;
    uint64_t mode = (uint64_t)x86_cpl(vcpu) << X86_MODE_CPL | (uint64_t)code << X86_MODE_CODE |
                    (uint64_t)pe << X86_MODE_PE | (uint64_t)(pe && vm) << X86_MODE_VM | (uint64_t)lma << X86_MODE_LMA |
                    (uint64_t)x86_mmu_index(vcpu, MMU_READ) << X86_MODE_MMU;

    if (code != X86_CODE_64) {
        uint32_t limit = s->seg_limit[X86_CS];
        X86CsLimit cslim = limit == UINT32_MAX ? X86_CSLIM_4G : limit == 0xffff ? X86_CSLIM_64K : X86_CSLIM_OTHER;
        mode |= s->seg_base[X86_CS] << 32 | (uint64_t)!!(s->seg_attr[X86_SS] & X86_ATTR_B) << X86_MODE_SS32 |
                (uint64_t)cslim << X86_MODE_CSLIM | (uint64_t)s->seg_check << X86_MODE_SEG_CHECK |
                (uint64_t)(s->seg_base[X86_ES] != 0) << X86_MODE_SEG_BASE |
                (uint64_t)(s->seg_base[X86_SS] != 0) << (X86_MODE_SEG_BASE + 1) |
                (uint64_t)(s->seg_base[X86_DS] != 0) << (X86_MODE_SEG_BASE + 2);
    }
    bool avx = s->cr4 & X86_CR4_OSXSAVE && (s->xcr0 & 6) == 6 && pe && !vm;
    mode |= (uint64_t)(s->cr4 & X86_CR4_OSFXSR ? 1 + avx : 0) << X86_MODE_VEC |
            (uint64_t)!!(s->cr0 & (X86_CR0_TS | X86_CR0_EM)) << X86_MODE_FPU_TRAP |
            (uint64_t)x86_x87_slow(s) << X86_MODE_X87_SLOW |
            (uint64_t)((s->mxcsr & 0x1f80) != 0x1f80) << X86_MODE_SSE_TRAP | (uint64_t)!!(s->eflags & X86_TF) << X86_MODE_TF |
            (uint64_t)(s->inhibit != 0) << X86_MODE_INHIBIT |
            (uint64_t)(s->eflags & X86_AC && s->cr0 & X86_CR0_AM && x86_cpl(vcpu) == 3) << X86_MODE_ALIGN |
            (uint64_t)((s->dr[7] & 0xff) != 0) << X86_MODE_BP;
    return mode;
}

/*
 * What the scan of the present unit has decoded: an instruction is translated from the form it was scanned in. Looked up by pc, because
 * units are emitted in another order than scanned, some blocks twice, and STI translates the instruction behind it too. One that
 * another has displaced is decoded again. A thread translates one unit at a time.
 */
enum { N_SCANNED = 256 };
typedef struct Scanned { uint64_t unit; X86Insn in; } Scanned;
static _Thread_local Scanned scanned[N_SCANNED];
static _Thread_local uint64_t scanned_unit; /* 0: none yet */

static Scanned *scanned_at(vaddr pc)
{
    return &scanned[pc % N_SCANNED];
}

bool x86_trans_begin(TransCtx *ctx)
{
    scanned_unit++;
    memset(ctx->data, 0, sizeof(ctx->data));
    ctx->data[X86_DATA_WT] = ctx->target->word_bits == 64 ? IR_I64 : IR_I32;
    ctx->b->unit->addr32 = ctx->target->word_bits == 32;
    ctx->b->rule_slot = X86_SLOT_CC_OP;
    return true;
}

/* False: the bytes cannot be fetched. */
static bool fetch(TransCtx *ctx, vaddr pc, X86Insn *in, X86DecodeResult *ret)
{
    uint8_t bytes[X86_MAX_INSN_BYTES];
    size_t n = MIN(sizeof(bytes), 4096 - (pc & 4095));

    if (!trans_fetch(ctx, pc, bytes, (unsigned)n)) {
        return false;
    }
    *ret = x86_decode(x86_model(ctx->vcpu), x86_code(ctx), pc, bytes, n, in);
    while (*ret == X86_DECODE_SHORT) { /* byte by byte: the next page must not be touched for nothing */
        vaddr at = x86_is64(ctx) ? pc + n : (uint32_t)(pc + n);
        if (!trans_fetch(ctx, at, bytes + n, 1)) {
            return false;
        }
        *ret = x86_decode(x86_model(ctx->vcpu), x86_code(ctx), pc, bytes, ++n, in);
    }
    return true;
}

X86DecodeResult x86_fetch_insn(TransCtx *ctx, vaddr pc, X86Insn *ret)
{
    X86DecodeResult result;
    return fetch(ctx, pc, ret, &result) ? result : X86_DECODE_SHORT;
}

vaddr x86_code_addr(const TransCtx *ctx, uint64_t ip, unsigned opsize)
{
    if (x86_is64(ctx)) {
        return opsize == 2 ? (uint16_t)ip : ip;
    }
    return (uint32_t)(x86_mode_cs_base(ctx->mode) + (opsize == 2 ? (uint16_t)ip : (uint32_t)ip));
}

uint64_t x86_next_ip(const TransCtx *ctx)
{
    return x86_is64(ctx) ? ctx->next_pc : (uint32_t)(ctx->next_pc - x86_mode_cs_base(ctx->mode));
}

static vaddr branch_target(const TransCtx *ctx, const X86Insn *in)
{
    uint64_t ip = x86_is64(ctx) ? in->next_pc : (uint32_t)(in->next_pc - x86_mode_cs_base(ctx->mode));
    return x86_code_addr(ctx, ip + in->imm, in->opsize);
}

/* Flags may stay as they were, or the row's letters are about more than one way: a count of 0, a repetition of none. */
static bool keeps_flags(const X86Insn *in)
{
    return in->row->handler == x86_trans_shift || in->row->handler == x86_trans_shift_double || in->row->attrs & X86_ATTR_ROW_REP;
}

bool x86_scan(TransCtx *ctx, vaddr pc, ScanInsn *ret)
{
    X86Insn in;
    X86DecodeResult result;

    if (!fetch(ctx, pc, &in, &result)) {
        return false;
    }
    if (result == X86_DECODE_OK) {
        *scanned_at(pc) = (Scanned){ .unit = scanned_unit, .in = in };
    }
    *ret = (ScanInsn){ .length = MAX(in.length, 1), .kind = SCAN_STOP };
    if (result != X86_DECODE_OK || ctx->mode & (BIT(X86_MODE_TF) | BIT(X86_MODE_INHIBIT))) {
        return true;
    }
    ret->kind = in.row->kind;
    ret->glued = in.row->flags.tested & X86_ROWFLAG_ARITH;
    ret->keeps = in.row->handler == x86_trans_rotate;
    ret->sets = (in.row->flags.written & X86_ROWFLAG_ARITH) == X86_ROWFLAG_ARITH && !keeps_flags(&in);
    if (in.row->handler == x86_trans_popf && !ctx->vcpu->softmmu) {
        ret->kind = SCAN_NORMAL;
    }
    if (ret->kind == SCAN_BRANCH || ret->kind == SCAN_JUMP || ret->kind == SCAN_CALL) {
        ret->target = branch_target(ctx, &in);
    }
    if (in.row->handler == x86_trans_sti) {
        x86_scan_shadow(ctx, &in, ret);
    }
    return true;
}

/* The unit of the row may be used in this mode? Else the block has been ended. */
static bool usable(TransCtx *ctx, const X86Insn *in)
{
    unsigned vec = (unsigned)bits_get(ctx->mode, X86_MODE_VEC, 2), unit = in->row->unit;

    if (in->row->attrs & X86_ATTR_ROW_PE && (!x86_mode_bit(ctx, X86_MODE_PE) || x86_mode_bit(ctx, X86_MODE_VM))) {
        x86_raise_ud(ctx);
        return false;
    }
    if (unit == X86_UNIT_SIMD) {
        unit = in->vex ? X86_UNIT_AVX : X86_UNIT_SSE;
    }
    if ((unit == X86_UNIT_AVX && vec < 2) || (unit == X86_UNIT_SSE && vec < 1) ||
        (in->vex && (!x86_mode_bit(ctx, X86_MODE_PE) || x86_mode_bit(ctx, X86_MODE_VM)))) {
        x86_raise_ud(ctx);
        return false;
    }
    if (unit != X86_UNIT_INT && x86_mode_bit(ctx, X86_MODE_FPU_TRAP)) {
        x86_call(ctx, X86_HELPER_fpu_check, 1, (IrRef[]){ ir_i32(ctx->b, unit) });
    }
    return true;
}

void x86_translate(TransCtx *ctx)
{
    X86Insn in;
    X86DecodeResult result = X86_DECODE_OK;
    const Scanned *known = scanned_at(ctx->pc);

    if (known->unit == scanned_unit && known->in.pc == ctx->pc) {
        in = known->in;
    } else if (!fetch(ctx, ctx->pc, &in, &result)) {
        /* The page went away since the scan; entering it again raises the fault. */
        ctx->next_pc = ctx->pc;
        trans_leave(ctx, VCPU_EXIT_NONE, ctx->pc);
        return;
    }
    ctx->next_pc = x86_is64(ctx) ? ctx->pc + in.length : (uint32_t)(ctx->pc + in.length);
    ctx->data[X86_DATA_EA] = 0;
    ctx->data[X86_DATA_INSN] = (uintptr_t)&in;
    if (x86_mode_bit(ctx, X86_MODE_INHIBIT)) {
        /* This instruction is the shadow. Wherever it goes, the poll there finds that it is over. */
        ir_stenv(ctx->b, (int)offsetof(X86State, inhibit), 1, ir_i32(ctx->b, 0));
        ir_stenv(ctx->b, VCPU_JIT_OFFSET(exit_request), 4, ir_i32(ctx->b, 1));
    }
    if (result == X86_DECODE_TOO_LONG) {
        x86_raise_gp(ctx);
    } else if (result != X86_DECODE_OK) {
        x86_raise_ud(ctx);
    } else if (usable(ctx, &in)) {
        if (x86_alone(ctx)) {
            in.prefixes &= ~X86_PFX_LOCK;
        }
        in.row->handler(ctx, &in);
        if (in.row->kind == SCAN_STOP && !ctx->ended) {
            trans_jump(ctx, ctx->next_pc); /* the scan has not seen what follows, even where it is in this unit */
        }
    }
}

void x86_raise_exc(TransCtx *ctx, unsigned vector)
{
    x86_call(ctx, X86_HELPER_raise, 1, (IrRef[]){ ir_i32(ctx->b, vector) });
    ir_trap(ctx->b);
    ctx->ended = true;
}

void x86_raise_exc_code(TransCtx *ctx, unsigned vector, uint32_t code)
{
    x86_call(ctx, X86_HELPER_raise_code, 2, (IrRef[]){ ir_i32(ctx->b, vector), ir_i32(ctx->b, code) });
    ir_trap(ctx->b);
    ctx->ended = true;
}
