/*
 * x64-host.c: what a unit's code promises: loops without memory traffic, position independence, links,
 * calls and returns on the host's stack, snapshots, and divisions by values met before.
 */
#include "host-run.h"
#include "tcg/build.h"
#include "../test.h"

static HostRun run;
static Vcpu *vcpu;
static TestState *st;
static IrUnit unit;
static IrBuilder bld, *b = &bld;

static void begin(vaddr pc)
{
    ir_unit_reset(&unit);
    unit.target = &test_target;
    unit.pc = pc;
    unit.guest_base_zero = true;
    ir_builder_begin(b);
    ir_block_begin_merge(b, ir_block_new(b, pc), false);
    ir_poll(b, pc);
    ir_insn_start(b, pc, 0);
}

/* x0 = sum of x1 down to 1, in a loop; leaves with HALTED. */
static void build_sum(void)
{
    begin(0x1000);
    ir_put(b, T_X0, ir_i64(b, 0));
    uint16_t loop = ir_block_new(b, 0x1004), out = ir_block_new(b, 0x1010);
    ir_br(b, loop);
    ir_block_begin_merge(b, loop, true);
    ir_poll(b, 0x1004);
    ir_insn_start(b, 0x1004, 0);
    IrRef n = ir_get(b, T_X1);
    ir_put(b, T_X0, ir_op2(b, IR_add, IR_I64, ir_get(b, T_X0), n));
    n = ir_op2_imm(b, IR_add, IR_I64, n, -1);
    ir_put(b, T_X1, n);
    ir_brcond(b, IR_NE, n, ir_i64(b, 0), loop, out);
    ir_block_begin_tree(b, out, loop);
    ir_insn_start(b, 0x1010, 0);
    ir_exit(b, (IrExit){ .kind = IR_EXIT_LEAVE, .reason = VCPU_EXIT_HALTED, .pc = 0x1010 }, IR_NONE);
}

static HostResult enter_at(const uint8_t *code)
{
    HostResult r = host_x86_64.enter(vcpu, code);
    return r;
}

static void test_loop(void)
{
    build_sum();
    CHECK(host_run_compile(&run, &unit));
    /* poll 2, add, add, branch: five instructions round the loop, all others once */
    CHECK(run.code.n_host_insns < 40);
    st->x[1] = 100;
    CHECK_EQ(host_run_enter(&run, vcpu, NULL), VCPU_EXIT_HALTED);
    CHECK_EQ(st->x[0], 5050);
    CHECK_EQ(st->pc, 0x1010);

    atomic_store(&vcpu->jit.exit_request, 1);
    st->x[1] = 7;
    st->pc = 0;
    CHECK_EQ(host_run_enter(&run, vcpu, NULL), VCPU_EXIT_REQUEST);
    CHECK_EQ(st->pc, 0x1000);
    atomic_store(&vcpu->jit.exit_request, 0);
}

static void test_position_independence(void)
{
    build_sum();
    CHECK(host_run_compile(&run, &unit));
    uint8_t *copy = run.cache + run.cache_bytes / 2 + 64;
    memcpy(copy, run.entry, run.code.size_bytes);
    memset(run.entry, 0xcc, run.code.size_bytes);
    st->x[1] = 10;
    HostResult r = enter_at(copy);
    CHECK_EQ(r.reason, VCPU_EXIT_HALTED);
    CHECK_EQ(st->x[0], 55);
}

static uint8_t *place(uint8_t *at, HostCode *code, HostLink *links)
{
    HostCode c;
    CHECK(host_x86_64.compile(run.hc, &unit, at, 65536, &c));
    memcpy(links, c.links, c.n_links * sizeof(*links));
    *code = c;
    return at;
}

static void test_links(void)
{
    HostCode ca, cb;
    HostLink la[4], lb[4];
    uint8_t *base = run.cache + 64 * KiB;
    begin(0x2000);
    ir_put(b, T_X0, ir_op2_imm(b, IR_add, IR_I64, ir_get(b, T_X0), 1));
    ir_exit(b, (IrExit){ .kind = IR_EXIT_JUMP, .pc = 0x3000 }, IR_NONE);
    uint8_t *a = place(base, &ca, la);
    begin(0x3000);
    ir_put(b, T_X0, ir_op2_imm(b, IR_shl, IR_I64, ir_get(b, T_X0), 4));
    ir_exit(b, (IrExit){ .kind = IR_EXIT_LEAVE, .reason = VCPU_EXIT_SYSCALL, .pc = 0x3004 }, IR_NONE);
    uint8_t *bb = place(base + 65536, &cb, lb);
    CHECK_EQ(ca.n_links, 1);
    CHECK_EQ(la[0].patch & 3, 0);

    st->x[0] = 4;
    HostResult r = enter_at(a);
    CHECK_EQ(r.reason, VCPU_EXIT_NONE);
    CHECK(r.link == a + la[0].patch);
    CHECK_EQ(st->pc, 0x3000);
    CHECK_EQ(st->x[0], 5);
    host_x86_64.link(a + la[0].patch, a + la[0].patch, bb);
    r = enter_at(a);
    CHECK_EQ(r.reason, VCPU_EXIT_SYSCALL);
    CHECK(r.link == NULL);
    CHECK_EQ(st->x[0], 6 << 4);
    host_x86_64.link(a + la[0].patch, a + la[0].patch, a + la[0].stub);
    r = enter_at(a);
    CHECK_EQ(r.reason, VCPU_EXIT_NONE);
}

/* A calls B; B returns; the code behind A's host call leads to C. */
static void test_call(void)
{
    HostCode c;
    HostLink la[4], lb[4], lc[4];
    uint8_t *base = run.cache + 512 * KiB;
    begin(0x4000);
    ir_put(b, T_X1, ir_i64(b, 0x4004));
    ir_exit(b, (IrExit){ .kind = IR_EXIT_CALL, .pc = 0x5000, .return_pc = 0x4004 }, IR_NONE);
    uint8_t *a = place(base, &c, la);
    CHECK_EQ(c.n_links, 2);
    begin(0x5000);
    ir_put(b, T_X2, ir_op2_imm(b, IR_add, IR_I64, ir_get(b, T_X2), 3));
    ir_exit(b, (IrExit){ .kind = IR_EXIT_RETURN }, ir_get(b, T_X1));
    uint8_t *callee = place(base + 65536, &c, lb);
    CHECK_EQ(c.n_links, 0);
    begin(0x4004);
    ir_exit(b, (IrExit){ .kind = IR_EXIT_LEAVE, .reason = VCPU_EXIT_SYSCALL, .pc = 0x4008 }, IR_NONE);
    uint8_t *after = place(base + 2 * 65536, &c, lc);
    for (unsigned i = 0; i < 2; i++) {
        host_x86_64.link(a + la[i].patch, a + la[i].patch, la[i].to_return ? after : callee);
    }
    CHECK(la[0].to_return != la[1].to_return);
    st->x[2] = 0;
    host_run_lookup_pc = 0;
    HostResult r = enter_at(a);
    CHECK_EQ(r.reason, VCPU_EXIT_SYSCALL);
    CHECK_EQ(st->pc, 0x4008);
    CHECK_EQ(st->x[2], 3);
    CHECK_EQ(host_run_lookup_pc, 0);   /* the host's ret found the way */

    /* The callee returns elsewhere: no frame matches, the jump cache is asked, then C. */
    begin(0x5000);
    ir_exit(b, (IrExit){ .kind = IR_EXIT_RETURN }, ir_i64(b, 0x7770));
    place(base + 65536, &c, lb);
    r = enter_at(a);
    CHECK_EQ(r.reason, VCPU_EXIT_NONE);
    CHECK_EQ(host_run_lookup_pc, 0x7770);
    run.jump_cache[jump_cache_index(1, 0x7770)] = (JumpCacheEntry){ 0x7770, after };
    r = enter_at(a);
    CHECK_EQ(r.reason, VCPU_EXIT_SYSCALL);
}

static void test_snapshots(void)
{
    SnapWriter w = { 0 };
    HostFrame frame;
    uint32_t extra;
    vaddr pc;
    memset(&frame, 0, sizeof(frame));
    for (unsigned i = 0; i < 16; i++) {
        frame.gpr[i] = 0x1111 * i;
        memset(frame.vec[i], i, 32);
    }
    snap_begin(&w);
    snap_block(&w, 0);
    snap_insn(&w, 0, 0x7ffffffff000, 0xdeadbeef);
    snap_sites_begin(&w, 0);
    snap_slot(&w, 4, T_X1, SNAP_GPR, 3);
    snap_slot(&w, 90, T_W1, SNAP_CONST, (uint64_t)-7);
    snap_insn(&w, 400, 0x7ffffffff004, 0);
    snap_sites_begin(&w, 400);
    snap_slot(&w, 401, T_X1, SNAP_MEMORY, 0);
    snap_slot(&w, 401, T_V1, SNAP_VEC, 15);
    snap_block(&w, 5000);
    snap_insn(&w, 5000, 0x10, 1);
    snap_slot(&w, 5000, T_X2, SNAP_GPR, 1);
    snap_sites_end(&w);
    snap_slot(&w, 5002, T_X2, SNAP_GPR, 2); /* the last word before a site counts */
    snap_sites_begin(&w, 5004);
    memset(st, 0, sizeof(*st));
    CHECK(snapshot_restore(w.bytes.at, w.bytes.n, 3, &frame, vcpu, &extra));
    CHECK_EQ(st->x[1], 0);
    CHECK_EQ(st->pc, 0x7ffffffff000);
    CHECK_EQ(extra, 0xdeadbeef);
    CHECK(snapshot_restore(w.bytes.at, w.bytes.n, 399, &frame, vcpu, &extra));
    CHECK_EQ(st->x[1], 0x3333);
    CHECK_EQ(st->w[1], (uint32_t)-7);
    memset(st, 0, sizeof(*st));
    CHECK(snapshot_restore(w.bytes.at, w.bytes.n, 4999, &frame, vcpu, NULL));
    CHECK_EQ(st->x[1], 0);
    CHECK_EQ(st->v[1][7], 15);
    CHECK_EQ(st->pc, 0x7ffffffff004);
    memset(st, 0, sizeof(*st));
    CHECK(snapshot_restore(w.bytes.at, w.bytes.n, 1 << 20, &frame, vcpu, NULL));
    CHECK_EQ(st->v[1][7], 0);
    CHECK_EQ(st->pc, 0x10);
    CHECK_EQ(st->x[2], 0x2222);
    CHECK(snapshot_pc(w.bytes.at, w.bytes.n, 450, &pc));
    CHECK_EQ(pc, 0x7ffffffff004);
    CHECK(!snapshot_pc(w.bytes.at, 0, 450, &pc));
    vec_free(&w.bytes);
}

/* x2 = x0 / x1, x3 = x0 % x1, unsigned, of the width of `type`. */
static void build_division(IrType type)
{
    begin(0x5000);
    IrRef x = ir_get(b, T_X0), y = ir_get(b, T_X1);
    if (type == IR_I32) {
        x = ir_op1(b, IR_trunc, IR_I32, x);
        y = ir_op1(b, IR_trunc, IR_I32, y);
    }
    IrRef quotient = ir_op2(b, IR_divu, type, x, y), rest = ir_op2(b, IR_remu, type, x, y);
    if (type == IR_I32) {
        quotient = ir_op1(b, IR_ext_u, IR_I64, quotient);
        rest = ir_op1(b, IR_ext_u, IR_I64, rest);
    }
    ir_put(b, T_X2, quotient);
    ir_put(b, T_X3, rest);
    ir_exit(b, (IrExit){ .kind = IR_EXIT_LEAVE, .reason = VCPU_EXIT_HALTED, .pc = 0x5004 }, IR_NONE);
}

static void check_division(IrType type, uint64_t x, uint64_t y)
{
    st->x[0] = x;
    st->x[1] = y;
    CHECK_EQ(host_run_enter(&run, vcpu, NULL), VCPU_EXIT_HALTED);
    uint64_t all = type == IR_I32 ? UINT32_MAX : UINT64_MAX;
    x &= all;
    y &= all;
    CHECK_EQ(st->x[2], y ? x / y : all);
    CHECK_EQ(st->x[3], y ? x % y : x);
}

/* A divisor that stays the same is multiplied with: exact for every operand, whatever came before. */
static void test_division(void)
{
    static const uint64_t odd[] = {
        0, 1, 2, 3, 5, 7, 10, 641, 1021, 0xffff, 0x10000, 0x10001, 0x7fffffff, 0x80000000, 0x80000001, 0xfffffffe,
        0xffffffff, 0x100000000, 0x100000001, 0x100000005, 0x7fffffffffffffff, 0x8000000000000000, 0x8000000000000001,
        0xcccccccccccccccd, 0xfffffffeffffffff, 0xffffffff00000000, 0xfffffffffffffffe, 0xffffffffffffffff,
    };
    for (unsigned k = 0; k < 2; k++) {
        IrType type = k ? IR_I32 : IR_I64;
        build_division(type);
        CHECK(host_run_compile(&run, &unit));
        for (unsigned d = 0; d < ARRAY_SIZE(odd); d++) {
            for (unsigned n = 0; n < ARRAY_SIZE(odd); n++) {
                check_division(type, odd[n], odd[d]);
                check_division(type, odd[n] * odd[d], odd[d]);
                check_division(type, odd[n] * odd[d] - 1, odd[d]);
                check_division(type, odd[d] * 0x9e3779b97f4a7c15u + n, odd[d]);
            }
            unsigned kept = 0;
            for (unsigned e = 0; e < VCPU_N_DIVISORS; e++) {
                kept += vcpu->jit.divisor[e].divisor == (k ? (uint32_t)odd[d] : odd[d]);
            }
            CHECK(odd[d] == 0 || (k && !(uint32_t)odd[d]) || kept >= 1);
        }
        for (unsigned n = 0; n < ARRAY_SIZE(odd); n++) {
            for (unsigned d = 0; d < ARRAY_SIZE(odd); d++) {
                check_division(type, odd[n], odd[d]);
            }
        }
        uint64_t seed = 1;
        for (unsigned n = 0; n < 100000; n++) {
            static uint64_t divisor;
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            if (n % 8 == 0) {
                divisor = (seed ^ seed >> 29) >> (n / 8 % 64);
            }
            check_division(type, seed ^ seed >> 31, divisor);
        }
    }
}

int main(void)
{
    host_run_init(&run);
    vcpu = host_run_vcpu(&run, &test_target);
    st = (TestState *)(void *)vcpu->state;
    ir_unit_init(&unit);
    ir_builder_init(b, &unit);
    test_loop();
    test_position_independence();
    test_links();
    test_call();
    test_snapshots();
    test_division();
    return test_result();
}
