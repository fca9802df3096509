/*
 * translate.c: fetch, scan and dispatch of RISC-V instructions; what all handlers share.
 *
 * Unprivileged ISA 20240411, 1.5: instructions of 16 and 32 bits; longer ones are illegal.
 */
#include "target/riscv/translate.h"

uint64_t riscv_trans_mode(const Vcpu *vcpu)
{
    const RiscvState *s = riscv_state(vcpu);
    uint64_t mode = (uint64_t)MIN(s->frm, 5u) << RISCV_MODE_FRM;

    if (!vcpu->softmmu) {
        return mode | 2 << RISCV_MODE_FS | 2 << RISCV_MODE_VS | (uint64_t)s->vector.full << RISCV_MODE_VFULL;
    }
    unsigned fs = (s->mstatus & MSTATUS_FS) >> 13;
    mode |= (uint64_t)(fs == 0 ? 0 : fs == 3 ? 2 : 1) << RISCV_MODE_FS;
    unsigned vs = (s->mstatus & MSTATUS_VS) >> 9;
    mode |= (uint64_t)(vs == 0 ? 0 : vs == 3 ? 2 : 1) << RISCV_MODE_VS;
    mode |= (uint64_t)(vs && s->vector.full) << RISCV_MODE_VFULL;
    mode |= (uint64_t)s->priv << RISCV_MODE_PRIV;
    mode |= (uint64_t)riscv_mmu_index(vcpu, MMU_READ) << RISCV_MODE_MMU;
    return mode;
}

bool riscv_trans_begin(TransCtx *ctx)
{
    bool rv64 = ctx->target->word_bits == 64;

    memset(ctx->data, 0, sizeof(ctx->data));
    ctx->data[RV_DATA_XT] = rv64 ? IR_I64 : IR_I32;
    ctx->b->unit->addr32 = !rv64;
    return true;
}

static bool fetch(TransCtx *ctx, vaddr pc, uint32_t *ret, unsigned *length)
{
    uint8_t bytes[4];

    if (!trans_fetch(ctx, pc, bytes, 2)) {
        return false;
    }
    *ret = ldle16(bytes);
    *length = 2;
    if ((*ret & 3) == 3) {
        if (!trans_fetch(ctx, rv_addr(ctx, pc + 2), bytes + 2, 2)) {
            return false;
        }
        *ret = ldle32(bytes);
        *length = 4;
    }
    return true;
}

static int decode(const bool *ext, uint32_t insn, unsigned length, RiscvArgs *args)
{
    int row = length == 2 ? riscv_decode16(insn, ext) : riscv_decode32(insn, ext);

    if (row >= 0) {
        riscv_extract(row, insn, args);
    }
    return row;
}

bool riscv_scan(TransCtx *ctx, vaddr pc, ScanInsn *ret)
{
    const bool *ext = riscv_model(ctx->vcpu)->ext;
    RiscvArgs args;
    uint32_t insn;
    unsigned length;

    if (!fetch(ctx, pc, &insn, &length)) {
        return false;
    }
    int row = decode(ext, insn, length, &args);
    ret->length = length;
    ret->target = 0;
    if (row < 0) {
        ret->kind = SCAN_STOP;
        return true;
    }
    switch ((DecodeKind)riscv_rows[row].kind) {
    case DECODE_NORMAL:
        ret->kind = SCAN_NORMAL;
        break;
    case DECODE_BRANCH:
        ret->kind = SCAN_BRANCH;
        ret->target = rv_addr(ctx, pc + args.b.imm);
        break;
    case DECODE_JUMP:
        ret->kind = rv_is_link(args.u.rd) ? SCAN_CALL : SCAN_JUMP;
        ret->target = rv_addr(ctx, pc + args.u.imm);
        break;
    case DECODE_INDIRECT:
        ret->kind = SCAN_INDIRECT;
        break;
    case DECODE_STOP:
        ret->kind = SCAN_STOP;
        break;
    }
    if ((row >= RISCV_ROW_csrrw && row <= RISCV_ROW_csrrci) &&
        rv_csr_write_ends(args.csr.csr, row >= RISCV_ROW_csrrsi ? (unsigned)args.csr.rs1 : 0) &&
        (args.csr.rs1 || row == RISCV_ROW_csrrw || row == RISCV_ROW_csrrwi)) {
        ret->kind = SCAN_STOP;
    }
    /* Without compressed instructions a taken jump to a half-word address traps instead. */
    if ((ret->target & 2) && !ext[RISCV_EXT_Zca]) {
        ret->kind = ret->kind == SCAN_BRANCH ? SCAN_NORMAL : SCAN_STOP;
    }
    return true;
}

void riscv_translate(TransCtx *ctx)
{
    RiscvArgs args;
    uint32_t insn;
    unsigned length;

    if (!fetch(ctx, ctx->pc, &insn, &length)) {
        /* The page went away since the scan; entering it again raises the fault. */
        ctx->next_pc = ctx->pc;
        trans_leave(ctx, VCPU_EXIT_NONE, ctx->pc);
        return;
    }
    ctx->next_pc = rv_addr(ctx, ctx->pc + length);
    ctx->data[RV_DATA_INSN] = insn;
    int row = decode(riscv_model(ctx->vcpu)->ext, insn, length, &args);
    if (row < 0) {
        rv_illegal(ctx);
    } else {
        riscv_dispatch(row, ctx, &args);
    }
}

void rv_raise(TransCtx *ctx, unsigned cause, uint64_t value)
{
    ir_call(ctx->b, RV_HELPER_raise, 2, (IrRef[]){ ir_i32(ctx->b, cause), ir_i64(ctx->b, value) });
    ir_trap(ctx->b);
    ctx->ended = true;
}

void rv_illegal(TransCtx *ctx)
{
    rv_raise(ctx, RISCV_EXC_ILLEGAL, ctx->data[RV_DATA_INSN]);
}

void riscv_trans_illegal(TransCtx *ctx, const RiscvArgsNone *a)
{
    rv_illegal(ctx);
}

void riscv_trans_hint(TransCtx *ctx, const RiscvArgsNone *a)
{
}
