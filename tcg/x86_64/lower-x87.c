/*
 * lower-x87.c: the guest's x87 and MMX instructions on the host's own x87 unit.
 *
 * While jit.x87_live is set the guest's registers, control word, status word and tags are those of this thread's x87 unit, and an
 * instruction of the guest is the same instruction of the host: results, sticky flags, C1, tags and stack faults need no
 * thought. C code leaves the unit alone (nothing here computes with long double or MMX), so the state stays there when generated code is
 * left, until somebody wants to see it (TargetX87.save). Before the first instruction of a block, and after each call of a
 * helper, generated code looks whether it must be loaded.
 *
 * The front end sees to it that all exceptions are masked in the control word when such code runs.
 * Intel SDM volume 1, chapters 8 and 9.
 */
#include "tcg/x86_64/host.h"

static void emit_x87_load(HostCompiler *hc, const Ool *o)
{
    emit_host_call(hc, HOST_CALL_X87, 0);
    ool_back(hc, o);
}

void x64_x87_ready(HostCompiler *hc)
{
    if (!hc->x87_ready) {
        x_alu_mi(&hc->as, false, A_CMP, JIT_MEM(x87_live), 0);
        ool_jcc(hc, CC_E, emit_x87_load);
        hc->x87_ready = true;
    }
}

static uint32_t opcode_of(uint32_t code)
{
    return ir_x87_opcode(code) | (uint32_t)ir_x87_map(code) << 8 | (code & IR_X87_W ? (uint32_t)X_W : 0);
}
static_assert(M_0F == IR_X87_0F << 8 && M_38 == IR_X87_0F38 << 8 && M_3A == IR_X87_0F3A << 8, "maps");

/* MMX forms of SSSE3 on a host without them: in C (runtime.c). */
bool x64_x87_lacks(const HostCompiler *hc, uint32_t code)
{
    return (ir_x87_map(code) == IR_X87_0F38 || ir_x87_map(code) == IR_X87_0F3A) && !has(hc, X_SSSE3);
}

static void emit_imm(HostCompiler *hc, uint32_t code)
{
    if (code & IR_X87_IMM) {
        x_u8(&hc->as, ir_x87_imm(code));
    }
}

void x64_x87_memory(HostCompiler *hc, uint32_t code, Mem m)
{
    x_rm_tail(&hc->as, opcode_of(code), ir_x87_modrm(code) >> 3 & 7, m, code & IR_X87_IMM ? 1 : 0);
    emit_imm(hc, code);
}

static void emit_registers(HostCompiler *hc, uint32_t code, Reg reg, Reg rm)
{
    if (opcode_of(code) == (M_0F | 0x77)) { /* emms: no ModRM */
        x_u8(&hc->as, 0x0f);
        x_u8(&hc->as, 0x77);
        hc->as.n_insns++;
        return;
    }
    x_rr(&hc->as, opcode_of(code), reg, rm);
    emit_imm(hc, code);
}

static void lower_in(HostCompiler *hc, uint32_t code)
{
    Asm *as = &hc->as;
    Reg r = ra_use(hc, hc->ops[0]);
    unsigned modrm = ir_x87_modrm(code);
    ra_consume(hc);
    x64_x87_ready(hc);
    switch (ir_x87_form(code)) {
    case IR_X87_GPR_RM:
        emit_registers(hc, code, modrm >> 3 & 7, r);
        break;
    case IR_X87_CONDITION:
        x_test_rr(as, false, r, r);
        emit_registers(hc, code, modrm >> 3 & 7, modrm & 7);
        break;
    default:
        x_store(as, 3, arg_mem(0), r);
        x64_x87_memory(hc, code, arg_mem(0));
    }
}

/* ZF, PF and CF as in EFLAGS. */
static void emit_flags(HostCompiler *hc, Reg d)
{
    Asm *as = &hc->as;
    x_setcc(as, CC_B, d);
    x_rr(as, I_MOVZX8, d, d);
    x_setcc(as, CC_P, REG_TMP);
    x_rr(as, I_MOVZX8, REG_TMP, REG_TMP);
    x_lea(as, false, d, mem_bi(d, REG_TMP, 2, 0));
    x_setcc(as, CC_E, REG_TMP);
    x_rr(as, I_MOVZX8, REG_TMP, REG_TMP);
    x_shift_ri(as, false, S_SHL, REG_TMP, 6);
    x_alu_rr(as, false, A_OR, d, REG_TMP);
}

static void lower_out(HostCompiler *hc, const IrInsn *in, uint32_t code)
{
    Asm *as = &hc->as;
    unsigned modrm = ir_x87_modrm(code);
    ra_consume(hc);
    Reg d = ra_dest(hc, NO_REG, 0);
    x64_x87_ready(hc);
    switch (ir_x87_form(code)) {
    case IR_X87_GPR_REG:
        emit_registers(hc, code, d, modrm & 7);
        break;
    case IR_X87_GPR_RM:
        emit_registers(hc, code, modrm >> 3 & 7, d);
        break;
    case IR_X87_FLAGS:
        emit_registers(hc, code, modrm >> 3 & 7, modrm & 7);
        emit_flags(hc, d);
        break;
    default:
        x_mov_mi(as, 3, arg_mem(0), 0);
        x64_x87_memory(hc, code, arg_mem(0));
        x_load(as, in->type == IR_I64 ? 3 : 2, false, false, d, arg_mem(0));
    }
    ra_done(hc);
}

void lower_x87(HostCompiler *hc, const IrInsn *in)
{
    switch (in->op) {
    case IR_x87:
        x64_x87_ready(hc);
        if (x64_x87_lacks(hc, in->c)) {
            emit_host_call(hc, HOST_CALL_X87, in->c);
            break;
        }
        emit_registers(hc, in->c, ir_x87_modrm(in->c) >> 3 & 7, ir_x87_modrm(in->c) & 7);
        break;
    case IR_x87_in: lower_in(hc, in->c); break;
    default: lower_out(hc, in, in->c);
    }
}
