/*
 * ir-speed.c: how long the builder needs for a unit of 64 guest instructions of the usual kinds.
 * Not a test: prints nanoseconds per unit and per guest instruction.
 */
#include <time.h>
#include "ir-target.h"
#include "tcg/build.h"

noreturn void vcpu_raise(Vcpu *vcpu, int32_t cause, uint64_t value) { abort(); }
noreturn void vcpu_loop_exit(Vcpu *vcpu, VcpuExit reason) { abort(); }

static void build_unit(IrBuilder *b, IrUnit *u)
{
    ir_unit_reset(u);
    u->target = &test_target;
    u->pc = 0x10000;
    u->guest_base_zero = true;
    ir_builder_begin(b);
    vaddr pc = 0x10000;
    uint16_t block = ir_block_new(b, pc), out = ir_block_new(b, 0);
    ir_block_begin_merge(b, block, false);
    ir_poll(b, pc);
    IrMem mem = { .size_log2 = 3 };
    for (unsigned i = 0; i < 64; i++, pc += 4) {
        ir_insn_start(b, pc, 0x13);
        unsigned d = T_X0 + i % 6, s = T_X0 + (i * 5 + 1) % 6, t = T_X0 + (i * 3 + 2) % 6;
        switch (i % 8) {
        case 0: case 5: /* addi */
            ir_put(b, d, ir_op2_imm(b, IR_add, IR_I64, ir_get(b, s), i * 8));
            break;
        case 1: { /* ld */
            mem.disp = (int)i;
            ir_put(b, d, ir_load(b, IR_I64, ir_get(b, s), IR_NONE, mem));
            break;
        }
        case 2: /* addw */
            ir_put(b, d, ir_op1(b, IR_sext32, IR_I64,
                                ir_op2(b, IR_add, IR_I64, ir_get(b, s), ir_get(b, t))));
            break;
        case 3: /* sd */
            ir_store(b, ir_get(b, s), IR_NONE, ir_get(b, t), mem);
            break;
        case 4: /* slli */
            ir_put(b, d, ir_op2_imm(b, IR_shl, IR_I64, ir_get(b, s), 3));
            break;
        case 6: /* sltu */
            ir_put(b, d, ir_setcond(b, IR_I64, IR_LTU, ir_get(b, s), ir_get(b, t)));
            break;
        default: { /* bne */
            uint16_t next = ir_block_new(b, pc + 4);
            ir_brcond(b, IR_NE, ir_get(b, s), ir_get(b, t), out, next);
            ir_block_begin_tree(b, next, block);
            block = next;
            break;
        }
        }
    }
    ir_br(b, out);
    ir_block_begin_merge(b, out, false);
    ir_exit(b, (IrExit){ .kind = IR_EXIT_JUMP, .pc = pc }, IR_NONE);
}

int main(void)
{
    enum { ROUNDS = 20000, TRIES = 7 };
    IrUnit unit;
    IrBuilder builder;
    double best = 1e18;

    ir_unit_init(&unit);
    ir_builder_init(&builder, &unit);
    for (unsigned t = 0; t < TRIES; t++) {
        struct timespec a, z;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
        for (unsigned i = 0; i < ROUNDS; i++) {
            build_unit(&builder, &unit);
        }
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &z);
        double ns = ((z.tv_sec - a.tv_sec) * 1e9 + (z.tv_nsec - a.tv_nsec)) / ROUNDS;
        best = ns < best ? ns : best;
    }
    printf("%.0f ns per unit, %.1f ns per guest instruction, %zu IR instructions\n", best, best / 64,
           unit.insns.n);
    ir_builder_finish(&builder);
    ir_unit_finish(&unit);
    return 0;
}
