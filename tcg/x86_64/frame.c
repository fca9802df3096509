/*
 * frame.c: entering and leaving generated code, and the trampolines it calls.
 *
 * The runtime is written once per code cache. Generated code reaches it through vcpu->jit: epilogue,
 * lookup, and the table at jit.scratch[SCRATCH_RUNTIME] (RuntimeEntry). C functions are reached through
 * tables in the same way, so nothing here or in units holds an absolute address.
 *
 * Stack while generated code runs (grows down), 16-byte aligned between instructions:
 *   callee-saved registers of enter's caller
 *   guard frame: guest pc ~0, which hardly any guest returns to, and guard's address     <- jit.host_sp
 *   frames of the shadow return stack: guest return pc, host return address
 *
 * The slow-path trampolines save every register into a HostFrame on the stack, so that a fault found in C
 * can be completed from the snapshot, and restore them all when the access succeeds.
 */
#include "tcg/x86_64/host.h"

enum { SHADOW_STACK_BYTES = 256 * 1024 };

/* C functions of the slow paths; indices are known to the trampolines only. */
static const void *const slow_functions[] = {
    [RT_SLOW_LOAD] = (const void *)tcg_slow_load,
    [RT_SLOW_STORE] = (const void *)tcg_slow_store,
    [RT_SLOW_LOAD_VEC] = (const void *)tcg_slow_load_vec,
    [RT_SLOW_STORE_VEC] = (const void *)tcg_slow_store_vec,
    [RT_SLOW_ATOMIC] = (const void *)tcg_slow_atomic,
    [RT_SLOW_X87] = (const void *)tcg_slow_x87,
};

typedef struct RuntimeHeader {
    uint32_t enter, epilogue, lookup, entry[RT_N_ENTRIES];
} RuntimeHeader;

/* jit.scratch[SCRATCH_RUNTIME] points here. */
typedef struct RuntimeTable {
    const void *const *functions;
    const void *const *host_calls;
    const void *lookup_function, *guard_function;
    HostResult (*enter)(Vcpu *vcpu, const void *code);
} RuntimeTable;

static const uint8_t callee_saved[] = { RBX, RBP, R12, R13, R14, R15 };

/* Swaps MXCSR from the value C runs with to the guest's, or back, when they differ in more than sticky flags. */
static void emit_enter(Asm *as, uint32_t guard)
{
    /* HostResult enter(Vcpu *rdi, const void *code rsi) */
    for (unsigned k = 0; k < ARRAY_SIZE(callee_saved); k++) {
        x_push(as, callee_saved[k]);
    }
    /* Six pushes and the return address: 8 more bytes align the stack. */
    x_alu_ri(as, true, A_SUB, RSP, 8 + 16);
    x_lea(as, true, REG_STATE, mem_bd(RDI, offsetof(Vcpu, state) + VCPU_STATE_BIAS));
    x_rm(as, 0xc7 | X_W, 0, mem_bd(RSP, 8));
    x_u32(as, UINT32_MAX);
    x_lea(as, true, RAX, mem_bd(X_RIP, guard));
    x_store(as, 3, mem_bd(RSP, 0), RAX);
    x_store(as, 3, JIT_MEM(host_sp), RSP);
    x_lea(as, true, RAX, mem_bd(RSP, -SHADOW_STACK_BYTES));
    x_store(as, 3, JIT_MEM(host_sp_limit), RAX);
    x_rm(as, I_MOV_LD | X_W, REG_BASE, JIT_MEM(guest_base));
    x_rm(as, M_0F | 0xae, 3, JIT_MEM(fp_control_host)); /* stmxcsr */
    x_load(as, 2, false, false, RAX, JIT_MEM(fp_control_guest));
    x_alu_rm(as, false, A_CMP, RAX, JIT_MEM(fp_control_host));
    uint8_t *same = x_jcc8(as, CC_E);
    x_rm(as, M_0F | 0xae, 2, JIT_MEM(fp_control_guest)); /* ldmxcsr */
    x_bind8(as, same);
    x_rr(as, 0xff, 4, RSI);
}

static void emit_epilogue(Asm *as)
{
    x_rm(as, I_MOV_LD | X_W, RSP, JIT_MEM(host_sp));
    x_rm(as, M_0F | 0xae, 3, JIT_MEM(fp_control_guest));
    x_load(as, 2, false, false, RCX, JIT_MEM(fp_control_guest));
    x_alu_rm(as, false, A_CMP, RCX, JIT_MEM(fp_control_host));
    uint8_t *same = x_jcc8(as, CC_E);
    x_rm(as, M_0F | 0xae, 2, JIT_MEM(fp_control_host));
    x_bind8(as, same);
    if (as->features & X_AVX) {
        /* Dirty upper halves would slow down legacy SSE code in C. */
        x_u8(as, 0xc5);
        x_u8(as, 0xf8);
        x_u8(as, 0x77);
    }
    x_alu_ri(as, true, A_ADD, RSP, 8 + 16);
    for (unsigned k = ARRAY_SIZE(callee_saved); k-- > 0;) {
        x_pop(as, callee_saved[k]);
    }
    x_ret(as);
}

static void emit_vzeroupper(Asm *as)
{
    if (as->features & X_AVX) {
        x_u8(as, 0xc5);
        x_u8(as, 0xf8);
        x_u8(as, 0x77);
    }
}

/* Reached by `jmp` with the stack aligned, or by `call` from an indirect call's miss: then the frame is one
 * return address deeper, which is the callee's shadow frame and makes the stack aligned again. */
static void emit_lookup(Asm *as, uint32_t epilogue, size_t function)
{
    emit_vzeroupper(as);
    x_lea(as, true, RDI, mem_bd(REG_STATE, -(int32_t)offsetof(Vcpu, state) - VCPU_STATE_BIAS));
    x_rm(as, I_MOV_LD | X_W, RAX, JIT_MEM(scratch[SCRATCH_RUNTIME]));
    x_rm(as, 0xff, 2, mem_bd(RAX, function));
    x_test_rr(as, true, RAX, RAX);
    uint8_t *none = x_jcc8(as, CC_E);
    x_rr(as, 0xff, 4, RAX);
    x_bind8(as, none);
    x_mov_ri(as, RAX, VCPU_EXIT_NONE);
    x_alu_rr(as, false, A_XOR, RDX, RDX);
    x_jump_back(as, CC_ALWAYS, epilogue);
}

enum {
    FRAME_BYTES = ROUND_UP(sizeof(HostFrame), 32) + 64, /* + room for results */
    FRAME_RESULT = ROUND_UP(sizeof(HostFrame), 32),
};

static void save_vec(Asm *as, bool load)
{
    bool avx = as->features & X_AVX;
    uint32_t op = (load ? I_MOVUPS_LD : I_MOVUPS_ST) | (avx ? X_256 : 0);
    for (unsigned k = 0; k < 16; k++) {
        Mem m = mem_bd(RSP, offsetof(HostFrame, vec) + k * 32);
        if (avx) {
            v_rrm(as, op, XMM0 + k, 0, m, 0);
        } else {
            x_rm(as, op, XMM0 + k, m);
        }
    }
}

/*
 * A slow path: `call entry` with r11 = address of the SlowSite; the guest address is in arg_mem(0), the
 * value to store in arg_mem(1) (vectors: spill place SPILL_VEC_ARG); what was loaded comes back in arg_mem(0) or
 * that place. Every register survives.
 * Stack at the call is aligned; the return address makes it 8 off.
 */
static void emit_slow(Asm *as, unsigned which)
{
    x_alu_ri(as, true, A_SUB, RSP, FRAME_BYTES + 8);
    for (unsigned k = 0; k < 16; k++) {
        x_store(as, 3, mem_bd(RSP, offsetof(HostFrame, gpr) + k * 8), k);
    }
    save_vec(as, false);
    x_rm(as, M_0F | 0xae, 3, mem_bd(RSP, offsetof(HostFrame, fp_control)));
    emit_vzeroupper(as);
    x_lea(as, true, RDI, mem_bd(REG_STATE, -(int32_t)offsetof(Vcpu, state) - VCPU_STATE_BIAS));
    if (which == RT_HOST_CALL) {
        /* r11 = index of the function: fn(vcpu, scratch) */
        x_rm(as, M_0F | 0xae, 3, JIT_MEM(fp_control_guest));
        x_lea(as, true, RSI, arg_mem(0));
        x_rm(as, I_MOV_LD | X_W, RAX, JIT_MEM(scratch[SCRATCH_RUNTIME]));
        x_rm(as, I_MOV_LD | X_W, RAX, mem_bd(RAX, offsetof(RuntimeTable, host_calls)));
        x_rm(as, 0xff, 2, mem_bi(RAX, R11, 3, 0));
        x_rm(as, M_0F | 0xae, 2, JIT_MEM(fp_control_guest));
    } else {
        bool three = which == RT_SLOW_LOAD || which == RT_SLOW_ATOMIC;
        Reg mem_arg = three ? RDX : RCX, frame_arg = three ? RCX : R8, site_arg = three ? R8 : R9;
        x_rm(as, I_MOV_LD | X_W, RSI, arg_mem(0));
        if (which == RT_SLOW_STORE || which == RT_SLOW_X87) {
            x_rm(as, I_MOV_LD | X_W, RDX, arg_mem(1));
        } else if (!three) {
            x_lea(as, true, RDX, spill_mem(SPILL_VEC_ARG));
        }
        x_rm(as, I_MOVSXD | X_W, site_arg, mem_bd(R11, offsetof(SlowSite, site_delta)));
        x_alu_rr(as, true, A_ADD, site_arg, R11);
        x_mov_rr(as, true, mem_arg, R11);
        static_assert(offsetof(SlowSite, mem) == 0, "passed as the IrMem");
        x_mov_rr(as, true, frame_arg, RSP);
        x_rm(as, I_MOV_LD | X_W, RAX, JIT_MEM(scratch[SCRATCH_RUNTIME]));
        x_rm(as, I_MOV_LD | X_W, RAX, mem_bd(RAX, offsetof(RuntimeTable, functions)));
        x_rm(as, 0xff, 2, mem_bd(RAX, which * 8));
        if (three) {
            x_store(as, 3, arg_mem(0), RAX);
        }
        x_rm(as, M_0F | 0xae, 2, mem_bd(RSP, offsetof(HostFrame, fp_control)));
    }
    save_vec(as, true);
    for (unsigned k = 0; k < 16; k++) {
        if (k != RSP) {
            x_load(as, 3, false, true, k, mem_bd(RSP, offsetof(HostFrame, gpr) + k * 8));
        }
    }
    x_alu_ri(as, true, A_ADD, RSP, FRAME_BYTES + 8);
    x_ret(as);
}

size_t x64_runtime_emit(uint8_t *out, size_t room_bytes, const uint8_t *rx)
{
    Asm as = { .start = out, .cur = out, .end = out + room_bytes, .features = x64_features() };
    RuntimeHeader h;
    if (room_bytes < 16384) {
        return 0;
    }
    as.cur += ROUND_UP(sizeof(h), 16);
    h.epilogue = x_offset(&as);
    emit_epilogue(&as);
    x_nops(&as, -x_offset(&as) & 15);
    h.lookup = x_offset(&as);
    emit_lookup(&as, h.epilogue, offsetof(RuntimeTable, lookup_function));
    x_nops(&as, -x_offset(&as) & 15);
    uint32_t guard = x_offset(&as);
    x_rm(&as, I_MOV_LD | X_W, RSP, JIT_MEM(host_sp));
    emit_lookup(&as, h.epilogue, offsetof(RuntimeTable, guard_function));
    x_nops(&as, -x_offset(&as) & 15);
    h.enter = x_offset(&as);
    emit_enter(&as, guard);
    for (unsigned k = 0; k < RT_N_ENTRIES; k++) {
        x_nops(&as, -x_offset(&as) & 15);
        h.entry[k] = x_offset(&as);
        emit_slow(&as, k);
    }
    memcpy(out, &h, sizeof(h));
    (void)rx;
    return x_offset(&as);
}

/* The guest returned to the very pc that marks the end of the shadow stack. */
static const void *guard_lookup(Vcpu *vcpu)
{
    vcpu->target->set_pc(vcpu, ~(vaddr)0);
    return tcg_lookup(vcpu);
}

/* The runtime of the process: every vCPU uses the same code cache. */
static RuntimeTable runtime_table;

void x64_vcpu_init(Vcpu *vcpu, const uint8_t *runtime_rx)
{
    RuntimeHeader h;
    memcpy(&h, runtime_rx, sizeof(h));
    for (unsigned k = 0; k < RT_N_ENTRIES; k++) {
        vcpu->jit.scratch[SCRATCH_ENTRY + k] = (uintptr_t)(runtime_rx + h.entry[k]);
    }
    if (!runtime_table.enter) { /* the same for every vCPU; threads that run already read it */
        runtime_table.functions = slow_functions;
        runtime_table.host_calls = x64_host_calls;
        runtime_table.lookup_function = (const void *)tcg_lookup;
        runtime_table.guard_function = (const void *)guard_lookup;
        runtime_table.enter = (HostResult (*)(Vcpu *, const void *))(uintptr_t)(runtime_rx + h.enter);
    }
    vcpu->jit.epilogue = runtime_rx + h.epilogue;
    vcpu->jit.lookup = runtime_rx + h.lookup;
    vcpu->jit.scratch[SCRATCH_RUNTIME] = (uintptr_t)&runtime_table;
    for (unsigned k = 0; k < VCPU_N_DIVISORS; k++) {
        vcpu->jit.divisor[k] = (DivisorEntry){ .divisor = 1, .reciprocal = UINT64_MAX };
    }
    if (!vcpu->jit.fp_control_guest) {
        vcpu->jit.fp_control_guest = 0x1f80;
    }
}

HostResult x64_enter(Vcpu *vcpu, const void *code)
{
    const RuntimeTable *table = (const RuntimeTable *)(uintptr_t)vcpu->jit.scratch[SCRATCH_RUNTIME];
    return table->enter(vcpu, code);
}

void x64_link(uint8_t *patch_rw, const uint8_t *patch_rx, const uint8_t *target_rx)
{
    int32_t rel = (int32_t)(target_rx - (patch_rx + 4));
    assert(((uintptr_t)patch_rw & 3) == 0 && target_rx == patch_rx + 4 + rel);
    __atomic_store_n((int32_t *)(void *)patch_rw, rel, __ATOMIC_RELEASE);
}
