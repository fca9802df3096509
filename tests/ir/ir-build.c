/*
 * ir-build.c: the builder, folder and verifier on a handful of units.
 */
#include "ir-target.h"
#include "tcg/build.h"
#include "tests/test.h"

noreturn void vcpu_raise(Vcpu *vcpu, int32_t cause, uint64_t value) { abort(); }
noreturn void vcpu_loop_exit(Vcpu *vcpu, VcpuExit reason) { abort(); }

static IrUnit unit;
static IrBuilder builder, *b = &builder;

static void begin(void)
{
    ir_unit_reset(&unit);
    unit.target = &test_target;
    unit.pc = 0x1000;
    unit.guest_base_zero = true;
    ir_builder_begin(b);
    ir_block_new(b, 0x1000);
    ir_block_begin_merge(b, 0, false);
    ir_insn_start(b, 0x1000, 0);
}

static void end(void)
{
    ir_exit(b, (IrExit){ .kind = IR_EXIT_JUMP, .pc = 0x2000 }, IR_NONE);
    Error *err = NULL;
    CHECK(ir_verify(&unit, &err));
    if (err) {
        error_report_free(err);
        ir_print(stderr, &unit);
    }
}

static void test_forwarding(void)
{
    begin();
    IrRef x = ir_get(b, T_X0);
    CHECK_EQ(ir_get(b, T_X0), x);
    IrRef y = ir_op2_imm(b, IR_add, IR_I64, x, 5);
    ir_put(b, T_X1, y);
    CHECK_EQ(ir_get(b, T_X1), y);
    CHECK_EQ(ir_op2_imm(b, IR_add, IR_I64, y, (uint64_t)-5), x);
    uint16_t other = ir_block_new(b, 0x1010), join = ir_block_new(b, 0x1020);
    ir_brcond(b, IR_NE, x, y, other, join);
    ir_block_begin_tree(b, other, 0);
    CHECK_EQ(ir_get(b, T_X1), y);
    ir_br(b, join);
    ir_block_begin_merge(b, join, false);
    CHECK(ir_get(b, T_X1) != y);
    CHECK(ir_slots_has(&unit.blocks.at[join].used, T_X1));
    CHECK(!ir_slots_has(&unit.blocks.at[0].used, T_X1));
    CHECK(ir_slots_has(&unit.blocks.at[0].defined, T_X1));
    end();
}

/* A loop (block 1) with a merge inside; the entry and its rounds end with w0 = `first` and `round`. What the loop's first block gets for w0. */
static IrRef rule_loop(uint32_t first, uint32_t round, bool look)
{
    begin();
    b->rule_slot = T_W0;
    uint16_t loop = ir_block_new(b, 0x1010), one = ir_block_new(b, 0x1020), join = ir_block_new(b, 0x1030), out = ir_block_new(b, 0x1040);
    ir_put(b, T_W0, ir_i32(b, first));
    ir_br(b, loop);
    ir_block_begin_merge(b, loop, true);
    ir_poll(b, 0x1010);
    IrRef got = look ? ir_get(b, T_W0) : IR_NONE;
    ir_brcond(b, IR_NE, ir_get(b, T_X0), ir_i64(b, 1), one, join);
    ir_block_begin_tree(b, one, loop);
    ir_put(b, T_W0, ir_i32(b, first));
    ir_br(b, join);
    ir_block_begin_merge(b, join, false);
    /* known only if what the loop began with is certain */
    CHECK_EQ(ir_is_const(&unit, ir_get(b, T_W0)), look && !b->rule_safe);
    ir_put(b, T_W0, ir_i32(b, round));
    ir_brcond(b, IR_NE, ir_get(b, T_X1), ir_i64(b, 1), loop, out);
    ir_block_begin_tree(b, out, join);
    CHECK(ir_is_const(&unit, ir_get(b, T_W0)));
    end();
    return got;
}

static void test_rules(void)
{
    IrRef got = rule_loop(7, 7, true);
    CHECK(ir_is_const(&unit, got) && ir_insn(&unit, got)->imm == 7 && !b->rule_broken);
    rule_loop(7, 8, false);
    CHECK(!b->rule_broken); /* nobody needed it */
    rule_loop(7, 8, true);
    CHECK(b->rule_broken);
    b->rule_safe = true;
    got = rule_loop(7, 8, true);
    CHECK(!ir_is_const(&unit, got) && !b->rule_broken);
    b->rule_safe = false;

    /* A helper that writes state, and a kill: what the block began with is gone. */
    for (unsigned how = 0; how < 3; how++) {
        begin();
        b->rule_slot = T_W0;
        uint16_t next = ir_block_new(b, 0x1010);
        ir_put(b, T_W0, ir_i32(b, 3));
        ir_br(b, next);
        ir_block_begin_merge(b, next, false);
        if (how == 1) {
            ir_kill(b, T_W0);
        } else if (how == 2) {
            ir_call(b, T_H_STEP, 1, (IrRef[]){ ir_get(b, T_X0) });
        }
        CHECK_EQ(ir_is_const(&unit, ir_get(b, T_W0)), how == 0);
        end();
    }
}

static void test_helpers(void)
{
    begin();
    IrRef x = ir_get(b, T_X0);
    ir_call(b, T_H_STEP, 1, &x);
    CHECK(ir_get(b, T_X0) != x);
    ir_insn_start(b, 0x1004, 0);
    ir_call(b, T_H_MAYBE, 1, &x);
    CHECK_EQ(ir_insn(&unit, ir_get(b, T_PC))->imm, 0x1004);
    end();
}

static void test_addresses(void)
{
    IrMem mem = { .size_log2 = 3, .disp = 8 };

    begin();
    IrRef x = ir_get(b, T_X0), y = ir_get(b, T_X1);
    IrRef a = ir_op2_imm(b, IR_add, IR_I64, x, 16);
    const IrInsn *ld = ir_insn(&unit, ir_load(b, IR_I64, a, IR_NONE, mem));
    CHECK_EQ(ld->a, x);
    CHECK_EQ(unit.mem.at[ld->aux].disp, 24);
    IrRef s = ir_op2(b, IR_add, IR_I64, ir_op2_imm(b, IR_shl, IR_I64, y, 3), a);
    ld = ir_insn(&unit, ir_load(b, IR_I64, s, IR_NONE, mem));
    CHECK_EQ(ld->a, x);
    CHECK_EQ(ld->b, y);
    CHECK_EQ(unit.mem.at[ld->aux].scale_log2, 3);
    CHECK_EQ(unit.mem.at[ld->aux].disp, 24);
    end();
}

static void test_verifier(void)
{
    Error *err = NULL;

    begin();
    ir_put(b, T_X1, ir_get(b, T_X0));
    end();
    unit.insns.at[1].type = IR_I32;
    CHECK(!ir_verify(&unit, &err));
    error_free(err);
    err = NULL;
    unit.insns.at[1].type = IR_I64;
    unit.insns.at[2].a = 2;
    CHECK(!ir_verify(&unit, &err));
    error_free(err);
}

/* Arm's standard floating point is for Arm's targets. */
static void test_verify_standard(void)
{
    Target arm = test_target;
    arm.fp = (FpPolicy){ .nan = FP_NAN_ARM, .to_int = FP_TO_INT_ARM, .tininess_before = true };
    for (unsigned k = 0; k < 4; k++) {
        bool compares = k & 1, standard = k & 2;
        begin();
        unit.target = &arm;
        IrRef v = ir_get(b, T_V0);
        unsigned aux = IR_LANE_32 | (compares ? IR_FREL_LT | (standard ? IR_FREL_STD : 0u) : standard ? IR_FP_STD : 0u) << 4;
        ir_put(b, T_V1, ir_emit(b, compares ? IR_vfcmp : IR_vfadd, IR_V128, aux, v, v, IR_NONE));
        end();
        unit.target = &test_target;
        Error *err = NULL;
        CHECK_EQ(ir_verify(&unit, &err), !standard);
        error_free(err);
    }
}

int main(void)
{
    ir_unit_init(&unit);
    ir_builder_init(b, &unit);
    test_forwarding();
    test_rules();
    test_helpers();
    test_addresses();
    test_verifier();
    test_verify_standard();
    ir_builder_finish(b);
    ir_unit_finish(&unit);
    return test_result();
}
