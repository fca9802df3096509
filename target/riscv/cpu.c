/*
 * cpu.c: the targets riscv64 and riscv32: everything the rest of the program knows of RISC-V.
 */
#include "target/riscv/translate.h"

static const HelperDesc helpers[] = {
#define HELPER(name, flags, ctype, cargs, result, n, ...) \
    { #name, (void *)riscv_helper_##name, flags, result, n, { __VA_ARGS__ } },
#include "target/riscv/helpers.def"
#undef HELPER
};

#define X(n) offsetof(RiscvState, x[n])
#define F(n) { "f" #n, offsetof(RiscvState, f[n]), IR_F64 }
#define FLOATS \
    F(0), F(1), F(2), F(3), F(4), F(5), F(6), F(7), F(8), F(9), F(10), F(11), F(12), F(13), F(14), F(15), F(16), F(17), \
    F(18), F(19), F(20), F(21), F(22), F(23), F(24), F(25), F(26), F(27), F(28), F(29), F(30), F(31)
#define INTS(T) \
    { "ra", X(1), T }, { "sp", X(2), T }, { "gp", X(3), T }, { "tp", X(4), T }, { "t0", X(5), T }, { "t1", X(6), T }, \
    { "t2", X(7), T }, { "s0", X(8), T }, { "s1", X(9), T }, { "a0", X(10), T }, { "a1", X(11), T }, \
    { "a2", X(12), T }, { "a3", X(13), T }, { "a4", X(14), T }, { "a5", X(15), T }, { "a6", X(16), T }, \
    { "a7", X(17), T }, { "s2", X(18), T }, { "s3", X(19), T }, { "s4", X(20), T }, { "s5", X(21), T }, \
    { "s6", X(22), T }, { "s7", X(23), T }, { "s8", X(24), T }, { "s9", X(25), T }, { "s10", X(26), T }, \
    { "s11", X(27), T }, { "t3", X(28), T }, { "t4", X(29), T }, { "t5", X(30), T }, { "t6", X(31), T }

/* On RV32 an integer register is the low half of its 64-bit place (little-endian hosts); pc stays 64-bit. */
static const SlotDesc slots64[] = { INTS(IR_I64), FLOATS, { "pc", offsetof(RiscvState, pc), IR_I64 } };
static const SlotDesc slots32[] = { INTS(IR_I32), FLOATS, { "pc", offsetof(RiscvState, pc), IR_I64 } };
static_assert(ARRAY_SIZE(slots64) == RISCV_N_SLOTS, "slot numbers of cpu.h");

static vaddr get_pc(const Vcpu *vcpu) { return riscv_state(vcpu)->pc; }
static void set_pc(Vcpu *vcpu, vaddr pc) { riscv_state(vcpu)->pc = riscv_model(vcpu)->xlen == 32 ? (uint32_t)pc : pc; }
static void print64(FILE *out) { riscv_models_print(out, 64); }
static void print32(FILE *out) { riscv_models_print(out, 32); }

#define RISCV_TARGET(bits)                                                                              \
    .word_bits = bits, .pc_shift = 1, .max_insn_bytes = 4, .page_bits = 12, .elf_machine = 243,          \
    .slots = slots##bits, .n_slots = ARRAY_SIZE(slots##bits), .pc_slot = RISCV_SLOT_PC,                  \
    .state_size_bytes = sizeof(RiscvState), .helpers = helpers, .n_helpers = ARRAY_SIZE(helpers),        \
    .fp = { .nan = FP_NAN_CANONICAL, .to_int = FP_TO_INT_RISCV, .tininess_before = false },              \
    .n_mmu_modes = RISCV_N_MMU, .cpu_init = riscv_model_init, .cpu_reset = riscv_cpu_reset,              \
    .cpu_models_print = print##bits, .cpu_models = riscv##bits##_model_names, .default_cpu = "rv" #bits,  \
    .cpu_maker = "RISC-V", .cpu_props = riscv_model_props,                                               \
    .trans_mode = riscv_trans_mode, .trans_begin = riscv_trans_begin, .scan = riscv_scan,                \
    .translate = riscv_translate, .disas = riscv##bits##_disas, .fp_sync = riscv_fp_sync,                \
    .get_pc = get_pc, .set_pc = set_pc, .mmu_index = riscv_mmu_index, .tlb_fill = riscv_tlb_fill,        \
    .tlb_fill_debug = riscv_tlb_fill_debug,                                                              \
    .unaligned = riscv_unaligned, .bus_error = riscv_bus_error,                                          \
    .interrupt_pending = riscv_interrupt_pending, .interrupt_take = riscv_interrupt_take,                \
    .exception_enter = riscv_exception_enter, .before_insn = riscv_before_insn, .mappings = riscv_mappings, .has_work = riscv_has_work, .irq_set = riscv_irq_set,      \
    .gdb_feature = riscv_gdb_feature, .regs = riscv_regs, .reg_read = riscv_reg_read, .reg_write = riscv_reg_write, .dump = riscv_dump, \
    .mem_access = riscv_mem_access, .gdb_watch_before = true

const Target target_riscv64 = { .name = "riscv64", .gdb_arch = "riscv:rv64", .summary = "RISC-V, 64-bit", RISCV_TARGET(64) };
const Target target_riscv32 = { .name = "riscv32", .gdb_arch = "riscv:rv32", .summary = "RISC-V, 32-bit", RISCV_TARGET(32) };
