/*
 * x64-fuzz.c: random units with branches, merges, loops, memory accesses and helpers: the x86-64 back end against
 * the interpreter. Arguments: seed, number of units [, "dump" to show the first].
 */
#include <sys/mman.h>
#include <unistd.h>
#include "host-run.h"
#include "tcg/build.h"
#include "../test.h"

static uint64_t rng_state;
static uint64_t rnd(void)
{
    rng_state ^= rng_state << 13;
    rng_state ^= rng_state >> 7;
    rng_state ^= rng_state << 17;
    return rng_state * 0x2545f4914f6cdd1d;
}
static unsigned pick(unsigned n) { return (rnd() >> 33) % n; }

static uint64_t rnd_value(void)
{
    static const uint64_t odd[] = { 0, 1, 2, 7, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000,
        0xffffffff, 0x100000000, INT64_MAX, (uint64_t)INT64_MIN, UINT64_MAX, 63, 64, 32, 31 };
    switch (pick(4)) {
    case 0: return odd[pick(ARRAY_SIZE(odd))];
    case 1: return (uint64_t)(int64_t)(int8_t)rnd();
    case 2: return (uint64_t)(int64_t)(int32_t)rnd();
    default: return rnd();
    }
}

/* The IR tests' guest with an alignment exception. */
static Target fuzz_target;

static void fuzz_unaligned(Vcpu *vcpu, vaddr addr, MmuAccess access, unsigned mmu_index)
{
    (void)access;
    (void)mmu_index;
    vcpu->exception = (VcpuException){ 7, addr };
}

static IrUnit unit;
static IrBuilder bld;
static IrBuilder *b = &bld;
static uint8_t *area;
static bool allow_fp, allow_vec, allow_256, allow_fault, allow_control, x86_rules, standard; /* f; w: 128 bits, v: 256 too; m; c; x; a: Arm's rules; s: IR_FP_STD */

enum { MAX_POOL = 64 };
typedef struct Pool {
    IrRef v[MAX_POOL];
    unsigned n;
    IrRef base; /* of an access before, on every way to here */
    bool has_base;
} Pool;
static Pool pool;
static vaddr pc;
static unsigned budget;

static void pool_add(IrRef v)
{
    if (v == IR_NONE) {
        return;
    }
    if (pool.n < MAX_POOL) {
        pool.v[pool.n++] = v;
    } else {
        pool.v[pick(MAX_POOL)] = v;
    }
}

static unsigned type_of(IrRef v) { return unit.insns.at[v].type; }

static IrRef value(IrType type)
{
    for (unsigned tries = 0; tries < 6 && pool.n; tries++) {
        IrRef v = pool.v[pick(2) ? pool.n - 1 - pick(MIN(pool.n, 4u)) : pick(pool.n)];
        if (type_of(v) == type) {
            return v;
        }
    }
    if (pick(3) == 0 && !ir_type_is_vec(type)) {
        return ir_const(b, type, rnd_value());
    }
    for (;;) {
        unsigned s = pick(T_N_SLOTS);
        if (test_target.slots[s].type == type && s != T_CNT && s != T_PC) {
            IrRef v = ir_get(b, s);
            pool_add(v);
            return v;
        }
    }
}

static void next_insn(void)
{
    pc += 4;
    ir_insn_start(b, pc, (uint32_t)rnd() & 0xff);
}

static IrRef address(IrMem *mem, IrRef *index)
{
    /* Often near one before: such accesses share a TLB check. */
    if (pool.has_base && mem->align == IR_ALIGN_ANY && pick(2)) {
        *index = IR_NONE;
        mem->disp = (int)pick(300);
        return pool.base;
    }
    /* offset within the area, possibly far outside of it */
    IrRef v = ir_op2_imm(b, IR_and, IR_I64, value(IR_I64), mem->align == IR_ALIGN_FAULT && pick(4) ? 0xff0 : 0xfff);
    *index = IR_NONE;
    mem->disp = pick(3) ? 0 : (int)pick(64) * 16 + 1024;
    if (unit.guest_base_zero && !unit.softmmu) {
        v = ir_op2_imm(b, IR_add, IR_I64, v, (uintptr_t)area);
    }
    if (allow_fault && pick(6) == 0) {
        v = ir_op2_imm(b, IR_add, IR_I64, v, (uint64_t)1 << 45);
    } else if (pick(4) == 0 && mem->align == IR_ALIGN_ANY) {
        *index = ir_op2_imm(b, IR_and, IR_I64, value(IR_I64), 0xff);
        mem->scale_log2 = pick(4);
    }
    if (unit.addr56 && pick(2)) {
        v = ir_op2_imm(b, IR_add, IR_I64, v, (uint64_t)pick(256) << 56);
    }
    pool.base = v;
    pool.has_base = true;
    return v;
}

/* System mode: loops that walk through memory with x7. */
static void gen_walk(void)
{
    IrMem mem = { .size_log2 = pick(4), .disp = (int)pick(80) - 40, .mmu_index = 0 };
    for (unsigned n = 1 + pick(3); n; n--) {
        if (pick(2)) {
            pool_add(ir_load(b, IR_I64, ir_get(b, T_X7), IR_NONE, mem));
        } else {
            ir_store(b, ir_get(b, T_X7), IR_NONE, value(IR_I64), mem);
        }
        mem.disp += (int)pick(32);
    }
}

static void gen_mem(void)
{
    IrMem mem = { .size_log2 = pick(4), .sign = pick(2), .big_endian = pick(5) == 0,
                  .align = pick(4) == 0 ? IR_ALIGN_FAULT : IR_ALIGN_ANY, .order = pick(4) };
    IrType type = pick(3) ? IR_I64 : IR_I32;
    IrRef index, base;
    unsigned what = pick(10);
    if (type == IR_I32 && mem.size_log2 == 3) {
        mem.size_log2 = 2;
    }
    if (mem.size_log2 == 3) {
        mem.sign = false;
    }
    if (what < 4 || what >= 7) {
        if (what >= 8 && (allow_fp || allow_vec)) {
            mem.sign = false;
            mem.big_endian = false;
            if (allow_vec && pick(2)) {
                type = !allow_256 || pick(2) ? IR_V128 : IR_V256;
                mem.size_log2 = type == IR_V128 ? 4 : 5;
            } else {
                type = pick(2) ? IR_F64 : IR_F32;
                mem.size_log2 = type == IR_F64 ? 3 : 2;
                mem.big_endian = pick(4) == 0;
            }
        }
        base = address(&mem, &index);
        if (what & 1) {
            pool_add(ir_load(b, type, base, index, mem));
        } else {
            mem.sign = false;
            ir_store(b, base, index, value(type), mem);
        }
        return;
    }
    mem.align = IR_ALIGN_FAULT;
    mem.order = IR_ORDER_SEQ_CST;
    base = address(&mem, &index);
    if (mem.size_log2 == 0 && pick(2)) {
        mem.big_endian = false;
    }
    switch (what) {
    case 4:
        mem.rmw = pick(9);
        pool_add(ir_rmw(b, type, base, value(type), mem));
        break;
    case 5:
        pool_add(ir_cas(b, type, base, value(type), value(type), mem));
        break;
    default:
        if (mem.size_log2 < 2) {
            mem.size_log2 = 2;
        }
        pool_add(ir_ll(b, type, base, mem));
        if (pick(2)) {
            mem.sign = false;
            /* Elsewhere it fails; whether a bad address is noticed first is left open. */
            IrRef other = ir_op2_imm(b, IR_xor, IR_I64, base, 256);
            pool_add(ir_sc(b, type, pick(8) || allow_fault ? base : other, value(type), mem));
        }
    }
}

static void gen_call(void)
{
    IrRef a[6];
    switch (pick(7)) {
    case 0:
        a[0] = value(IR_I64), a[1] = value(IR_I32), a[2] = value(IR_I64);
        pool_add(ir_call(b, T_H_MIX, 3, a));
        break;
    case 1: pool_add(ir_call(b, T_H_SUM, 0, a)); break;
    case 2: a[0] = value(IR_I64); ir_call(b, T_H_STEP, 1, a); break;
    case 3: ir_call(b, T_H_SWAP, 0, a); break;
    case 4: a[0] = ir_op2_imm(b, IR_or, IR_I64, value(IR_I64), 1); pool_add(ir_call(b, T_H_MAYBE, 1, a)); break;
    case 5:
        a[0] = value(IR_I64), a[1] = value(IR_I32), a[2] = value(IR_F32);
        a[3] = value(IR_F64), a[4] = value(IR_I64), a[5] = value(IR_I32);
        pool_add(ir_call(b, pick(2) ? T_H_SIX : T_H_SEVEN, 6, a));
        break;
    default:
        if (allow_fp) {
            a[0] = value(IR_F64);
            pool_add(ir_call(b, T_H_FP, 1, a));
        }
    }
}

static void gen_int(void)
{
    IrType type = pick(3) ? IR_I64 : IR_I32;
    unsigned width = type == IR_I64 ? 64 : 32;
    IrOp op = IR_add + pick(IR_maxu - IR_add + 1);
    const char *sig = ir_op_info[op].signature;
    IrType ot;
    IrRef a;
    switch (op) {
    case IR_bfx: case IR_bfxs: case IR_bfi: {
        unsigned pos = pick(width), len = 1 + pick(width - pos);
        pool_add(ir_emit(b, op, type, pos | len << 8, value(type), op == IR_bfi ? value(type) : IR_NONE, IR_NONE));
        return;
    }
    case IR_trunc: pool_add(ir_op1(b, op, IR_I32, value(IR_I64))); return;
    case IR_ext_s: case IR_ext_u: pool_add(ir_op1(b, op, IR_I64, value(IR_I32))); return;
    case IR_sext32: case IR_zext32: pool_add(ir_op1(b, op, IR_I64, value(IR_I64))); return;
    case IR_setcond:
        ot = pick(2) ? IR_I64 : IR_I32;
        pool_add(ir_setcond(b, type, pick(IR_N_CONDS), value(ot), value(ot)));
        return;
    case IR_select:
        ot = pick(2) ? IR_I64 : IR_I32;
        if (allow_fp && pick(4) == 0) {
            type = pick(2) ? IR_F64 : IR_F32;
        }
        a = pick(2) ? ir_setcond(b, IR_I64, pick(IR_N_CONDS), value(ot), value(ot)) : value(ot);
        pool_add(ir_select(b, type, a, value(type), value(type)));
        return;
    case IR_add:
    case IR_sub:
        if (pick(3) == 0) { /* the host's carry */
            ot = pick(2) ? IR_I64 : IR_I32;
            a = ir_setcond(b, type, pick(2) ? IR_LTU : pick(IR_N_CONDS), value(ot), value(ot));
            pool_add(ir_op2(b, op, type, value(type), a));
            return;
        }
        break;
    default:
        break;
    }
    a = value(type);
    if ((op == IR_mul || op == IR_mulhu) && pick(2)) { /* both halves of one product */
        IrRef second = value(type), low = ir_op2(b, op, type, a, second);
        pool_add(ir_op2(b, op ^ IR_mul ^ IR_mulhu, type, a, second));
        pool_add(low);
        return;
    }
    pool_add(ir_emit(b, op, type, 0, a, ir_op_info[op].n_operands > 1 ? value(type) : IR_NONE, IR_NONE));
    (void)sig;
}

static void gen_put(void)
{
    unsigned s = pick(T_N_SLOTS);
    IrType type = test_target.slots[s].type;
    if (s == T_CNT || s == T_PC || (!allow_vec && ir_type_is_vec(type)) || (!allow_256 && type == IR_V256) || (!allow_fp && ir_type_is_fp(type))) {
        s = T_X0 + pick(8);
        type = IR_I64;
    }
    ir_put(b, s, value(type));
}

/* The floating-point mode: asked for, or set to another rounding mode and other flags, often to what it was. (x64-fuzz-fp.h: denormals) */
static void gen_control(void)
{
    IrRef mode = ir_fpget(b);
    if (pick(2)) {
        pool_add(mode);
        return;
    }
    IrRef v = pick(2) ? mode : ir_op2_imm(b, IR_and, IR_I32, pick(2) ? value(IR_I32) : mode, 0x603f);
    ir_fpset(b, ir_op2_imm(b, IR_or, IR_I32, v, x86_rules ? 0x1f80 : 0x1f82));
}

void gen_fp(void);
void gen_vec(void);
#define FP_POOL 1

static void gen_ops(void)
{
    unsigned n = 1 + pick(12);
    for (unsigned i = 0; i < n; i++) {
        if (pick(3) == 0) {
            next_insn();
        }
        switch (pick(16)) {
        case 0: case 1: case 2: case 3: gen_put(); break;
        case 4: case 5: case 6: gen_mem(); break;
        case 7:
            if (allow_control) {
                gen_control();
            }
            if (pick(4) == 0) {
                gen_call();
            }
            break;
        case 8:
            pool_add(ir_ldenv(b, IR_I64, offsetof(TestState, env) + pick(64) * 4, 1u << pick(4), false));
            break;
        case 9:
            ir_stenv(b, offsetof(TestState, env) + pick(64) * 4, 1u << pick(4), value(IR_I64));
            break;
        case 10: case 11:
            if (allow_fp) {
                gen_fp();
                break;
            }
            gen_int();
            break;
        case 12: case 13:
            if (allow_vec) {
                gen_vec();
                break;
            }
            gen_int();
            break;
        default: gen_int();
        }
    }
}

#include "x64-fuzz-fp.h"

static void gen_exit(void)
{
    IrExit e = { .kind = pick(6), .pc = 0x1000 + pick(256) * 4, .return_pc = 0x4000 + pick(256) * 4 };
    IrRef p = IR_NONE;
    if (e.kind == IR_EXIT_INDIRECT || e.kind == IR_EXIT_INDIRECT_CALL || e.kind == IR_EXIT_RETURN) {
        p = value(IR_I64);
    }
    e.reason = e.kind == IR_EXIT_LEAVE ? 1 + pick(7) : 0;
    ir_exit(b, e, p);
}

static void gen_cond(uint16_t taken, uint16_t other)
{
    IrType t = pick(2) ? IR_I64 : IR_I32;
    if (pick(3)) {
        ir_brcond(b, pick(IR_N_CONDS), value(t), value(t), taken, other);
    } else {
        IrRef c = pick(2) ? ir_setcond(b, IR_I64, pick(IR_N_CONDS), value(t), value(t)) : value(IR_I64);
        if (allow_fp && pick(3) == 0) {
            IrType f = pick(2) ? IR_F64 : IR_F32;
            c = ir_emit(b, IR_fcmp, IR_I64, pick(7), value(f), value(f), IR_NONE);
        }
        ir_brnz(b, c, taken, other);
    }
}

/* Code that starts and ends in an open block, which *current names. */
static void gen_region(unsigned depth, uint16_t *current)
{
    unsigned steps = 1 + pick(3);
    for (unsigned k = 0; k < steps; k++) {
        gen_ops();
        if (!depth || budget == 0) {
            continue;
        }
        budget--;
        uint16_t t1 = ir_block_new(b, pc), t2 = ir_block_new(b, pc), join, here = *current;
        Pool saved;
        /* The builder may turn a constant condition into a plain jump: then one side is never filled. */
        switch (pick(4)) {
        case 0: /* diamond */
            join = ir_block_new(b, pc);
            gen_cond(t1, t2);
            saved = pool;
            if (unit.blocks.at[t1].n_preds) {
                ir_block_begin_tree(b, t1, here);
                next_insn();
                here = t1;
                gen_region(depth - 1, &here);
                ir_br(b, join);
                here = *current;
            }
            if (unit.blocks.at[t2].n_preds) {
                pool = saved;
                ir_block_begin_tree(b, t2, here);
                next_insn();
                uint16_t at = t2;
                gen_region(depth - 1, &at);
                ir_br(b, join);
            }
            ir_block_begin_merge(b, join, false);
            *current = join;
            pool.n = 0;
            pool.has_base = false;
            next_insn();
            break;
        case 1: /* side exit */
            gen_cond(t1, t2);
            saved = pool;
            if (unit.blocks.at[t1].n_preds) {
                ir_block_begin_tree(b, t1, here);
                next_insn();
                gen_ops();
                gen_exit();
            }
            pool = saved;
            if (unit.blocks.at[t2].n_preds) {
                ir_block_begin_tree(b, t2, here);
                *current = t2;
                next_insn();
            } else {
                /* never reached: a fresh merge nobody jumps to would not verify; start over behind it */
                join = t2;
                ir_block_begin_merge(b, join, false);
                *current = join;
                pool.n = 0;
                pool.has_base = false;
                next_insn();
            }
            break;
        case 2: /* if without else */
            gen_cond(t1, t2);
            if (unit.blocks.at[t1].n_preds) {
                ir_block_begin_tree(b, t1, here);
                next_insn();
                uint16_t at = t1;
                gen_region(depth - 1, &at);
                ir_br(b, t2);
            }
            ir_block_begin_merge(b, t2, false);
            *current = t2;
            pool.n = 0;
            pool.has_base = false;
            next_insn();
            break;
        default: { /* loop */
            bool walk = unit.softmmu && pick(2);
            int64_t step = pick(4) ? (int)pick(1000) - 500 : (int)pick(64);
            ir_put(b, T_CNT, ir_i32(b, 1 + pick(walk ? 60 : 6)));
            if (walk) {
                ir_put(b, T_X7, ir_op2_imm(b, IR_and, IR_I64, value(IR_I64), 0xffff));
            }
            ir_br(b, t1);
            ir_block_begin_merge(b, t1, true);
            pool.n = 0;
            pool.has_base = false;
            pc += 4;
            bool poll_head = pick(2);
            if (poll_head) {
                ir_poll(b, pc);
            }
            next_insn();
            uint16_t at = t1;
            if (walk) {
                gen_walk();
                ir_put(b, T_X7, ir_op2_imm(b, IR_add, IR_I64, ir_get(b, T_X7), step));
            }
            gen_region(walk && pick(2) ? 0 : depth - 1, &at);
            if (walk && pick(3) == 0) {
                gen_walk();
            }
            /* an inner loop counts with the same slot: bounded all the same, as it ends at 0 */
            IrRef cnt = ir_op2_imm(b, IR_sub, IR_I32, ir_get(b, T_CNT), 1);
            ir_put(b, T_CNT, cnt);
            if (!poll_head && pick(4)) {
                next_insn();
                ir_poll(b, pc);
            }
            if (pick(2)) {
                ir_brcond(b, IR_GT, cnt, ir_i32(b, 0), t1, t2);
            } else {
                ir_brcond(b, IR_LE, cnt, ir_i32(b, 0), t2, t1);
            }
            ir_block_begin_tree(b, t2, at);
            *current = t2;
            next_insn();
        }
        }
    }
}

static void gen_unit(void)
{
    ir_unit_reset(&unit);
    unit.target = &fuzz_target;
    unit.pc = 0x10000;
    unit.guest_base_zero = pick(2);
    unit.softmmu = pick(3) == 0;
    if (unit.softmmu) {
        unit.guest_base_zero = false;
    }
    unit.addr56 = !unit.softmmu && pick(3) == 0;
    ir_builder_begin(b);
    pool.n = 0;
    pool.has_base = false;
    pc = 0x10000;
    budget = 6;
    uint16_t block = ir_block_new(b, pc);
    ir_block_begin_merge(b, block, false);
    if (pick(2)) {
        ir_poll(b, pc);
    }
    next_insn();
    gen_region(2, &block);
    gen_exit();
}

static void set_state(Vcpu *vcpu)
{
    uint64_t *w = (uint64_t *)(void *)vcpu->state;
    for (unsigned i = 0; i < sizeof(TestState) / 8; i++) {
        w[i] = rnd_value();
    }
    ((TestState *)vcpu->state)->cnt = 0;
    fuzz_fp_state((TestState *)vcpu->state);
}

static TlbEntry tlb[256];
static uint8_t *views[2];   /* of the area: only one can be used at a time */
static unsigned view;

static void fill_tlb(Vcpu *vcpu, unsigned how)
{
    mprotect(views[view], RUN_MEMORY_BYTES, PROT_NONE);
    view ^= 1;
    mprotect(views[view], RUN_MEMORY_BYTES, PROT_READ | PROT_WRITE);
    for (unsigned i = 0; i < ARRAY_SIZE(tlb); i++) {
        tlb[i] = (TlbEntry){ .read = TLB_INVALID, .write = TLB_INVALID, .code = TLB_INVALID };
    }
    for (unsigned page = 0; page < RUN_MEMORY_BYTES >> 12; page++) {
        if (how >> page % 8 & 1) {
            tlb[page] = (TlbEntry){ .read = page << 12, .write = page << 12 | (how >> 8 & 1 ? TLB_NOTDIRTY : 0),
                                    .addend = (uintptr_t)views[view] };
        }
    }
    for (unsigned m = 0; m < VCPU_MAX_MMU_MODES; m++) {
        vcpu->jit.tlb[m].mask = (ARRAY_SIZE(tlb) - 1) * sizeof(TlbEntry);
        vcpu->jit.tlb[m].table = tlb;
    }
}

/* Slow paths may change what is mapped: addresses that were good before are not. */
static uint64_t change_state;
static void change_tlb(Vcpu *vcpu)
{
    change_state = change_state * 6364136223846793005 + 1442695040888963407;
    if (change_state >> 62 == 0) {
        fill_tlb(vcpu, change_state >> 32 & 0x1ff);
    }
}

static void make_area(void)
{
    int fd = memfd_create("area", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, RUN_MEMORY_BYTES) < 0) {
        perror("memfd_create");
        exit(77);
    }
    area = mmap(NULL, RUN_MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_32BIT, fd, 0);
    for (unsigned k = 0; k < 2; k++) {
        views[k] = mmap(NULL, RUN_MEMORY_BYTES, PROT_NONE, MAP_SHARED, fd, 0);
    }
    host_run_slow_done = change_tlb;
}

int main(int argc, char **argv)
{
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
    unsigned long count = argc > 2 ? strtoul(argv[2], NULL, 0) : 1000;
    const char *kinds = argc > 3 ? argv[3] : "";
    bool dump = argc > 4;
    HostRun run;
    static uint8_t start[RUN_MEMORY_BYTES], after[RUN_MEMORY_BYTES];

    allow_fp = strchr(kinds, 'f');
    allow_256 = strchr(kinds, 'v');
    allow_vec = allow_256 || strchr(kinds, 'w');
    allow_fault = strchr(kinds, 'm');
    allow_control = strchr(kinds, 'c');
    fuzz_target = test_target;
    fuzz_target.unaligned = fuzz_unaligned;
    x86_rules = strchr(kinds, 'x');
    standard = strchr(kinds, 's');
    if (strchr(kinds, 'a')) {
        fuzz_target.fp = (FpPolicy){ .nan = FP_NAN_ARM, .to_int = FP_TO_INT_ARM, .tininess_before = true };
    }
    if (x86_rules) {
        fuzz_target.fp = (FpPolicy){ .nan = FP_NAN_X86, .to_int = FP_TO_INT_X86 };
    }
    host_run_init(&run);
    host_run_catch_faults(&run);
    Vcpu *v1 = host_run_vcpu(&run, &fuzz_target), *v2 = host_run_vcpu(&run, &fuzz_target);
    make_area();
    ir_unit_init(&unit);
    ir_builder_init(b, &unit);
    for (unsigned long n = 0; n < count && test_failures < 3; n++, seed++) {
        Error *err = NULL;
        rng_state = seed * 0x9e3779b97f4a7c15 + 1;
        for (unsigned i = 0; i < 8; i++) {
            rnd();
        }
        gen_unit();
        test_checks++;
        if (dump) {
            ir_print(stdout, &unit);
            fflush(stdout);
        }
        if (!ir_verify(&unit, &err)) {
            /* Unreachable joins are the generator's shortcut, not a unit a front end makes. */
            error_free(err);
            continue;
        }
        if (!host_run_compile(&run, &unit)) {
            fprintf(stderr, "seed %llu: does not compile\n", (unsigned long long)seed);
            test_failures++;
            continue;
        }
        if (dump) {
            host_run_dump(&run, "/tmp/x64-fuzz.bin");
        }
        for (unsigned round = 0; round < 3; round++) {
            set_state(v1);
            memcpy(v2->state, v1->state, sizeof(TestState));
            for (unsigned i = 0; i < sizeof(start); i += 8) {
                uint64_t x = rnd();
                memcpy(start + i, &x, 8);
            }
            memcpy(area, start, sizeof(start));
            v1->jit.guest_base = v2->jit.guest_base = unit.guest_base_zero ? 0 : (uintptr_t)area;
            v1->jit.monitor_addr = v2->jit.monitor_addr = ~(uint64_t)0;
            v1->jit.fp_control_guest = v2->jit.fp_control_guest = fuzz_fp_control();
            v1->jit.fp_flushed = v2->jit.fp_flushed = 0;
            v1->exception = v2->exception = (VcpuException){ 0 };
            int request = rnd() % 8 == 0;
            atomic_store(&v1->jit.exit_request, request);
            atomic_store(&v2->jit.exit_request, request);
            fill_tlb(v2, rnd());
            change_state = seed * 3 + round;
            VcpuExit r1 = fuzz_interp(v1, &unit);
            memcpy(after, area, sizeof(after));
            memcpy(area, start, sizeof(start));
            VcpuExit r2 = host_run_enter(&run, v2, NULL);
            bool same = r1 == r2 && !memcmp(v1->state, v2->state, sizeof(TestState)) &&
                        !memcmp(area, after, sizeof(after)) &&
                        v1->jit.fp_control_guest == v2->jit.fp_control_guest && v1->jit.fp_flushed == v2->jit.fp_flushed;
            if (!same) {
                fprintf(stderr, "seed %llu round %u: exits %d %d, memory %s, fp %x %x\n", (unsigned long long)seed,
                        round, r1, r2, memcmp(area, after, sizeof(after)) ? "differs" : "equal",
                        v1->jit.fp_control_guest, v2->jit.fp_control_guest);
                for (unsigned s = 0; s < T_N_SLOTS; s++) {
                    const SlotDesc *d = &test_target.slots[s];
                    const uint8_t *x = v1->state + d->offset, *y = v2->state + d->offset;
                    unsigned bytes = ir_type_bytes(d->type);
                    if (memcmp(x, y, bytes)) {
                        fprintf(stderr, "  %s:", d->name);
                        for (unsigned k = bytes; k-- > 0;) {
                            fprintf(stderr, "%02x", x[k]);
                        }
                        fprintf(stderr, " got ");
                        for (unsigned k = bytes; k-- > 0;) {
                            fprintf(stderr, "%02x", y[k]);
                        }
                        fprintf(stderr, "\n");
                    }
                }
                for (unsigned k = 0; k < sizeof(after); k++) {
                    if (area[k] != after[k]) {
                        fprintf(stderr, "  memory %#x: %02x got %02x, at first %02x\n", k, after[k], area[k], start[k]);
                    }
                }
                for (unsigned k = 0; k < sizeof(TestState); k += 8) {
                    if (memcmp(v1->state + k, v2->state + k, 8)) {
                        fprintf(stderr, "  state %#x: %016" PRIx64 " got %016" PRIx64 "\n", k, ldle64(v1->state + k),
                                ldle64(v2->state + k));
                    }
                }
                test_failures++;
                break;
            }
        }
    }
    return test_result();
}
