/*
 * interp.c: runs IR as it stands: the oracle the host back ends are compared with, and the host of
 * machines that have no back end.
 *
 * Every operation does what its text in ops.def says and nothing more. A put goes to CPU state at once,
 * so state is precise everywhere; the pc slot is written before each access that may fault.
 *
 * User mode touches guest memory directly with vcpu->guest_access set, so that a host fault is delivered
 * to the guest; the signal handler leaves by longjmp. System mode goes through the soft MMU's slow paths.
 * Leaves out: speed. Threads: reentrant; guest atomics are host atomics.
 */
#include <alloca.h>
#include "tcg/interp-ops.h"
#include "tcg/interp.h"
#include "util/race.h"

typedef struct Interp {
    Vcpu *vcpu;
    const IrUnit *unit;
    InterpValue *values;  /* by instruction; constants are not in it */
    vaddr insn_pc;
} Interp;

static uint64_t scalar(const Interp *ip, IrRef ref)
{
    const IrInsn *in;

    if (ref == IR_NONE) {
        return 0;
    }
    in = ir_insn(ip->unit, ref);
    return in->op == IR_const ? in->imm : ip->values[ref].u64[0];
}

static const InterpValue *value(const Interp *ip, IrRef ref, InterpValue *room)
{
    const IrInsn *in;

    if (ref == IR_NONE) {
        memset(room, 0, sizeof(*room));
        return room;
    }
    in = ir_insn(ip->unit, ref);
    if (in->op != IR_const) {
        return &ip->values[ref];
    }
    memset(room, 0, sizeof(*room));
    if (ir_type_is_vec(in->type)) {
        memcpy(room, &ip->unit->vconst.at[in->imm], ir_type_bytes(in->type));
    } else {
        room->u64[0] = in->imm;
    }
    return room;
}

/* -- CPU state ------------------------------------------------------------------------------------- */

static void state_load(const void *p, unsigned size_bytes, InterpValue *ret)
{
    memset(ret, 0, sizeof(*ret));
    memcpy(ret, p, size_bytes);
}

static void set_pc(Interp *ip, vaddr pc)
{
    const SlotDesc *slot = &ip->unit->target->slots[ip->unit->target->pc_slot];

    memcpy(ip->vcpu->state + slot->offset, &pc, ir_type_bytes(slot->type));
}

static uint64_t extend(uint64_t v, unsigned size_bytes, bool sign, IrType type)
{
    if (size_bytes < 8) {
        v = sign ? (uint64_t)bits_sext(v, size_bytes * 8) : bits_get(v, 0, size_bytes * 8);
    }
    return type == IR_I32 || type == IR_F32 ? (uint32_t)v : v;
}

/* -- guest memory ---------------------------------------------------------------------------------- */

static uint64_t swap_bytes(uint64_t v, unsigned size_bytes)
{
    return __builtin_bswap64(v) >> (64 - size_bytes * 8);
}

static vaddr address_of(const Interp *ip, const IrInsn *in, const IrMem *mem, bool has_index)
{
    vaddr addr = scalar(ip, in->a) + (uint64_t)(int64_t)mem->disp;

    if (has_index && in->b != IR_NONE) {
        addr += scalar(ip, in->b) << mem->scale_log2;
    }
    bool narrow = ip->unit->addr32 || ir_insn(ip->unit, in->a)->type == IR_I32;
    return narrow ? (uint32_t)addr : ip->unit->addr56 ? bits_get(addr, 0, 56) : addr;
}

/* User mode: the host address, after the alignment check. Marks the access as the guest's. */
static void *user_pointer(Interp *ip, vaddr addr, const IrMem *mem, MmuAccess access)
{
    Vcpu *vcpu = ip->vcpu;

    if (addr & ir_mem_align_mask(mem)) {
        vcpu->target->unaligned(vcpu, addr, access, mem->mmu_index);
        vcpu_loop_exit(vcpu, VCPU_EXIT_EXCEPTION);
    }
    vcpu->guest_access = true;
    atomic_signal_fence(memory_order_seq_cst);
    return (void *)(uintptr_t)(vcpu->jit.guest_base + addr);
}

static void user_done(Interp *ip)
{
    atomic_signal_fence(memory_order_seq_cst);
    ip->vcpu->guest_access = false;
}

/* One host access per guest access: an aligned one is then single-copy atomic. */
static uint64_t read_sized(const void *p, unsigned size_log2)
{
    return race_read(p, 1u << size_log2);
}

/* The same for memory other threads change atomically. */
static uint64_t read_atomic(const void *p, unsigned size_log2)
{
    switch (size_log2) {
    case 0: return __atomic_load_n((const uint8_t *)p, __ATOMIC_RELAXED);
    case 1: return __atomic_load_n((const uint16_t *)p, __ATOMIC_RELAXED);
    case 2: return __atomic_load_n((const uint32_t *)p, __ATOMIC_RELAXED);
    default: return __atomic_load_n((const uint64_t *)p, __ATOMIC_RELAXED);
    }
}

static void write_sized(void *p, unsigned size_log2, uint64_t v)
{
    race_write(p, 1u << size_log2, v);
}

static void load(Interp *ip, const IrInsn *in, InterpValue *ret)
{
    const IrMem *mem = &ip->unit->mem.at[in->aux];
    vaddr addr = address_of(ip, in, mem, true);
    unsigned size_bytes = 1u << mem->size_log2;
    uint64_t v;

    set_pc(ip, ip->insn_pc);
    if (ir_type_is_vec(in->type)) {
        if (ip->unit->softmmu) {
            memset(ret, 0, sizeof(*ret));
            tcg_slow_load_vec(ip->vcpu, addr, ret, mem, NULL, 0);
        } else {
            memset(ret, 0, sizeof(*ret));
            memcpy(ret, user_pointer(ip, addr, mem, MMU_READ), size_bytes);
            user_done(ip);
        }
        return;
    }
    if (ip->unit->softmmu) {
        v = tcg_slow_load(ip->vcpu, addr, mem, NULL, 0);
    } else {
        v = read_sized(user_pointer(ip, addr, mem, MMU_READ), mem->size_log2);
        user_done(ip);
        v = mem->big_endian ? swap_bytes(v, size_bytes) : v;
        if (mem->order & IR_ORDER_ACQUIRE) {
            atomic_thread_fence(memory_order_acquire);
        }
    }
    ret->u64[0] = extend(v, size_bytes, mem->sign, in->type);
}

static void store(Interp *ip, const IrInsn *in)
{
    const IrMem *mem = &ip->unit->mem.at[in->aux];
    vaddr addr = address_of(ip, in, mem, true);
    unsigned size_bytes = 1u << mem->size_log2;
    InterpValue room;

    set_pc(ip, ip->insn_pc);
    if (ir_type_is_vec(in->type)) {
        const InterpValue *v = value(ip, in->c, &room);
        if (ip->unit->softmmu) {
            tcg_slow_store_vec(ip->vcpu, addr, v, mem, NULL, 0);
        } else {
            memcpy(user_pointer(ip, addr, mem, MMU_WRITE), v, size_bytes);
            user_done(ip);
        }
        return;
    }
    uint64_t v = scalar(ip, in->c);
    if (ip->unit->softmmu) {
        tcg_slow_store(ip->vcpu, addr, extend(v, size_bytes, false, IR_I64), mem, NULL, 0);
        return;
    }
    if (mem->order & IR_ORDER_RELEASE) {
        atomic_thread_fence(memory_order_release);
    }
    v = mem->big_endian ? swap_bytes(extend(v, size_bytes, false, IR_I64), size_bytes) : v;
    write_sized(user_pointer(ip, addr, mem, MMU_WRITE), mem->size_log2, v);
    user_done(ip);
    if (mem->order == IR_ORDER_SEQ_CST) {
        atomic_thread_fence(memory_order_seq_cst);
    }
}

static void *atomic_pointer(Interp *ip, const IrInsn *in, const IrMem *mem, vaddr addr, MmuAccess access)
{
    set_pc(ip, ip->insn_pc);
    if (ip->unit->softmmu) {
        return tcg_slow_atomic(ip->vcpu, addr, mem, NULL, 0);
    }
    return user_pointer(ip, addr, mem, access);
}

/* Compare-and-swap of the raw bytes. True: stored; *expected then is what was there. */
static bool swap_if_equal(void *p, unsigned size_log2, uint64_t *expected, uint64_t desired)
{
    bool ok;

    switch (size_log2) {
#define SIZE(log2, type)                                                                     \
    case log2: {                                                                             \
        type e = (type)*expected;                                                            \
        ok = __atomic_compare_exchange_n((type *)p, &e, (type)desired, false,                \
                                         __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                \
        *expected = e;                                                                       \
        return ok;                                                                           \
    }
    SIZE(0, uint8_t)
    SIZE(1, uint16_t)
    SIZE(2, uint32_t)
    default:
    SIZE(3, uint64_t)
#undef SIZE
    }
}

static uint64_t rmw_result(IrRmw rmw, uint64_t old, uint64_t operand, unsigned size_bytes)
{
    int64_t so = bits_sext(old, size_bytes * 8), sv = bits_sext(operand, size_bytes * 8);
    uint64_t uo = extend(old, size_bytes, false, IR_I64), uv = extend(operand, size_bytes, false, IR_I64);

    switch (rmw) {
    case IR_RMW_XCHG: return operand;
    case IR_RMW_ADD: return old + operand;
    case IR_RMW_AND: return old & operand;
    case IR_RMW_OR: return old | operand;
    case IR_RMW_XOR: return old ^ operand;
    case IR_RMW_MINS: return so < sv ? old : operand;
    case IR_RMW_MAXS: return so > sv ? old : operand;
    case IR_RMW_MINU: return uo < uv ? old : operand;
    default: return uo > uv ? old : operand;
    }
}

static uint64_t to_memory_order(const IrMem *mem, uint64_t v)
{
    unsigned size_bytes = 1u << mem->size_log2;

    v = extend(v, size_bytes, false, IR_I64);
    return mem->big_endian ? swap_bytes(v, size_bytes) : v;
}

static uint64_t atomic_op(Interp *ip, const IrInsn *in)
{
    const IrMem *mem = &ip->unit->mem.at[in->aux];
    unsigned size_bytes = 1u << mem->size_log2;
    vaddr addr = address_of(ip, in, mem, false);
    uint64_t operand = scalar(ip, in->b), raw;
    void *p = atomic_pointer(ip, in, mem, addr, MMU_WRITE);

    if (in->op == IR_cas) {
        raw = to_memory_order(mem, operand);
        swap_if_equal(p, mem->size_log2, &raw, to_memory_order(mem, scalar(ip, in->c)));
    } else {
        raw = read_atomic(p, mem->size_log2);
        uint64_t next;
        do {
            uint64_t old = to_memory_order(mem, raw);
            next = to_memory_order(mem, rmw_result(mem->rmw, old, operand, size_bytes));
        } while (!swap_if_equal(p, mem->size_log2, &raw, next));
    }
    user_done(ip);
    return extend(to_memory_order(mem, raw), size_bytes, mem->sign, in->type);
}

static uint64_t load_linked(Interp *ip, const IrInsn *in)
{
    const IrMem *mem = &ip->unit->mem.at[in->aux];
    vaddr addr = address_of(ip, in, mem, false);
    InterpValue v;

    /* the monitor keeps the bytes as they lie in memory */
    if (ip->unit->softmmu) {
        set_pc(ip, ip->insn_pc);
        v.u64[0] = to_memory_order(mem, tcg_slow_load(ip->vcpu, addr, mem, NULL, 0));
    } else {
        v.u64[0] = read_atomic(atomic_pointer(ip, in, mem, addr, MMU_READ), mem->size_log2);
        user_done(ip);
        atomic_thread_fence(memory_order_acquire);
    }
    ip->vcpu->jit.monitor_addr = addr;
    ip->vcpu->jit.monitor_value[0] = v.u64[0];
    return extend(to_memory_order(mem, v.u64[0]), 1u << mem->size_log2, mem->sign, in->type);
}

static uint64_t store_conditional(Interp *ip, const IrInsn *in)
{
    const IrMem *mem = &ip->unit->mem.at[in->aux];
    VcpuJit *jit = &ip->vcpu->jit;
    vaddr addr = address_of(ip, in, mem, false);
    bool stored = false;
    /* the access is checked whether or not the monitor is open, as hosts do */
    void *p = atomic_pointer(ip, in, mem, addr, MMU_WRITE);

    if (jit->monitor_addr == addr) {
        uint64_t expected = jit->monitor_value[0];
        stored = swap_if_equal(p, mem->size_log2, &expected, to_memory_order(mem, scalar(ip, in->b)));
    }
    user_done(ip);
    jit->monitor_addr = ~(uint64_t)0;
    return !stored;
}

/* -- calls ------------------------------------------------------------------------------------------- */

static uint64_t call(Interp *ip, const IrInsn *in)
{
    typedef uint64_t (*Fn)(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);
    const HelperDesc *h = &ip->unit->target->helpers[in->aux];
    uint64_t v[7] = { 0 };
    unsigned n = 0;

    if (h->flags & HELPER_VCPU) {
        v[n++] = (uintptr_t)ip->vcpu;
    }
    for (unsigned i = 0; i < in->b; i++) {
        v[n++] = scalar(ip, ip->unit->args.at[in->a + i]);
    }
    /* Arguments beyond a helper's own are ignored by the calling conventions of all hosts we know. */
    uint64_t r = ((Fn)h->function)(v[0], v[1], v[2], v[3], v[4], v[5], v[6]);
    return extend(r, 8, false, h->result);
}

/* -- x87: by the target, on the state in memory ----------------------------------------------------- */

static void x87_mem(Interp *ip, const IrInsn *in)
{
    const IrMem *mem = &ip->unit->mem.at[in->aux];

    set_pc(ip, ip->insn_pc);
    ip->vcpu->target->x87->exec_mem(ip->vcpu, in->c, address_of(ip, in, mem, true), mem->mmu_index);
}

/* -- the loop ------------------------------------------------------------------------------------------ */

static void compute(Interp *ip, IrRef at, const IrInsn *in)
{
    InterpValue *ret = &ip->values[at];

    if (in->op >= IR_VEC_FIRST && in->op <= IR_VEC_LAST) {
        InterpValue a, b, c;
        memset(ret, 0, sizeof(*ret));
        interp_vec(ip->vcpu, in, ir_insn(ip->unit, in->a)->type,
                   in->b != IR_NONE ? ir_insn(ip->unit, in->b)->type : IR_VOID, value(ip, in->a, &a), value(ip, in->b, &b), value(ip, in->c, &c), ret);
        return;
    }
    IrType operand_type = ir_insn(ip->unit, in->a)->type;
    if (in->op == IR_select && ir_type_is_vec(in->type)) {
        InterpValue room;
        *ret = *value(ip, scalar(ip, in->a) ? in->b : in->c, &room);
        return;
    }
    uint64_t a = scalar(ip, in->a), b = scalar(ip, in->b), c = scalar(ip, in->c);
    if (in->op == IR_bitcast && ir_type_is_vec(in->type)) {
        InterpValue room;
        *ret = *value(ip, in->a, &room);
    } else if (ir_op_info[in->op].flags & IR_OP_PURE) {
        ret->u64[0] = ir_eval(in->op, in->type, operand_type, in->aux, a, b, c);
    } else {
        ret->u64[0] = interp_fp(ip->vcpu, in->op, in->type, operand_type, in->aux, a, b, c);
    }
}

static VcpuExit leave(Interp *ip, const IrInsn *in)
{
    const IrExit *e = &ip->unit->exits.at[in->aux];

    set_pc(ip, in->a != IR_NONE ? scalar(ip, in->a) : e->pc);
    return e->kind == IR_EXIT_LEAVE ? e->reason : VCPU_EXIT_NONE;
}

VcpuExit interp_run(Vcpu *vcpu, const IrUnit *unit)
{
    Interp ip = { .vcpu = vcpu, .unit = unit, .insn_pc = unit->pc };
    IrRef at = unit->blocks.at[0].first;
    uint8_t *state = vcpu->state;
    InterpValue room;

    ip.values = alloca(unit->insns.n * sizeof(InterpValue));
    for (;; at++) {
        const IrInsn *in = ir_insn(unit, at);
        switch (in->op) {
        case IR_nop: case IR_const: case IR_kill:
            break;
        case IR_insn_start:
            ip.insn_pc = in->imm;
            vcpu->jit.icount_left = in->a;
            break;
        case IR_get:
            state_load(state + unit->target->slots[in->aux].offset, ir_type_bytes(in->type),
                       &ip.values[at]);
            break;
        case IR_put:
            memcpy(state + unit->target->slots[in->aux].offset, value(&ip, in->a, &room),
                   ir_type_bytes(in->type));
            break;
        case IR_ldenv: {
            unsigned size_bytes = 1u << (in->aux & 7);
            state_load(state + (int32_t)in->b, size_bytes, &ip.values[at]);
            if (ir_type_is_int(in->type)) {
                ip.values[at].u64[0] = extend(ip.values[at].u64[0], size_bytes,
                                              in->aux & IR_ENV_SIGN, in->type);
            }
            break;
        }
        case IR_stenv:
            memcpy(state + (int32_t)in->b, value(&ip, in->a, &room), 1u << in->aux);
            break;
        case IR_fpget: ip.values[at].u64[0] = vcpu->jit.fp_control_guest; break;
        case IR_fpset: {
            const InterpValue *mode = value(&ip, in->a, &room);
            vcpu->jit.fp_control_guest = (uint32_t)mode->u64[0];
            break;
        }
        case IR_poll:
            if (atomic_load_explicit(&vcpu->jit.exit_request, memory_order_acquire)) {
                set_pc(&ip, in->imm);
                return VCPU_EXIT_REQUEST;
            }
            break;
        case IR_icount:
            if (vcpu->jit.icount_budget < in->aux) {
                set_pc(&ip, in->imm);
                return VCPU_EXIT_REQUEST;
            }
            vcpu->jit.icount_budget -= in->aux;
            break;
        case IR_ld: load(&ip, in, &ip.values[at]); break;
        case IR_st: store(&ip, in); break;
        case IR_rmw: case IR_cas: ip.values[at].u64[0] = atomic_op(&ip, in); break;
        case IR_ll: ip.values[at].u64[0] = load_linked(&ip, in); break;
        case IR_sc: ip.values[at].u64[0] = store_conditional(&ip, in); break;
        case IR_fence: atomic_thread_fence(memory_order_seq_cst); break;
        case IR_call: ip.values[at].u64[0] = call(&ip, in); break;
        case IR_x87: case IR_x87_out:
            ip.values[at].u64[0] = extend(vcpu->target->x87->exec(vcpu, in->c, 0), 8, false, in->type);
            break;
        case IR_x87_in: vcpu->target->x87->exec(vcpu, in->c, scalar(&ip, in->a)); break;
        case IR_x87_mem: x87_mem(&ip, in); break;
        case IR_br:
            at = unit->blocks.at[in->a].first - 1;
            break;
        case IR_brcond: {
            bool taken = ir_cond_eval(in->aux, ir_insn(unit, in->a)->type, scalar(&ip, in->a),
                                      scalar(&ip, in->b));
            at = unit->blocks.at[taken ? in->c & 0xffff : in->c >> 16].first - 1;
            break;
        }
        case IR_brnz:
            at = unit->blocks.at[scalar(&ip, in->a) ? in->c & 0xffff : in->c >> 16].first - 1;
            break;
        case IR_exit:
            return leave(&ip, in);
        case IR_trap:
            assert(!"trap reached: a helper declared NORETURN came back");
            return VCPU_EXIT_NONE;
        default:
            compute(&ip, at, in);
            break;
        }
    }
}
