/*
 * cpu.c: the targets aarch64 and arm: everything the rest of the program knows of Arm.
 */
#include "target/arm/flags.h"
#include "target/arm/system.h"
#include "target/arm/translate.h"

static const HelperDesc helpers[] = {
#define HELPER(name, flags, ctype, cargs, result, n, ...) \
    { #name, (void *)arm_helper_##name, flags, result, n, { __VA_ARGS__ } },
#include "target/arm/helpers.def"
#undef HELPER
};

#define X(n) { "x" #n, offsetof(ArmState, x[n]), IR_I64 }
#define V(n) { "v" #n, offsetof(ArmState, v[n]), IR_V128 }
#define S(n) { "s" #n, offsetof(ArmState, v[(n) / 4].s[(n) % 4]), IR_F32 }
#define D(n) { "d" #n, offsetof(ArmState, v[(n) / 2].d[(n) % 2]), IR_F64 }
#define R(n) { "r" #n, offsetof(ArmState, x[n]), IR_I32 }
static const SlotDesc slots[] = {
    X(0), X(1), X(2), X(3), X(4), X(5), X(6), X(7), X(8), X(9), X(10), X(11), X(12), X(13), X(14), X(15), X(16), X(17), X(18), X(19), X(20),
    X(21), X(22), X(23), X(24), X(25), X(26), X(27), X(28), X(29), X(30),
    { "sp", offsetof(ArmState, sp), IR_I64 }, { "pc", offsetof(ArmState, pc), IR_I64 },
    { "cc_a", offsetof(ArmState, cc_a), IR_I64 }, { "cc_b", offsetof(ArmState, cc_b), IR_I64 }, { "cc_op", offsetof(ArmState, cc_op), IR_I32 },
    V(0), V(1), V(2), V(3), V(4), V(5), V(6), V(7), V(8), V(9), V(10), V(11), V(12), V(13), V(14), V(15), V(16), V(17), V(18), V(19), V(20),
    V(21), V(22), V(23), V(24), V(25), V(26), V(27), V(28), V(29), V(30), V(31),
    { "qc", offsetof(ArmState, qc), IR_V128 },
    R(0), R(1), R(2), R(3), R(4), R(5), R(6), R(7), R(8), R(9), R(10), R(11), R(12), R(13), R(14),
    { "pc32", offsetof(ArmState, pc), IR_I32 },
    { "idc", offsetof(ArmState, idc), IR_V128 },
    S(0), S(1), S(2), S(3), S(4), S(5), S(6), S(7), S(8), S(9), S(10), S(11), S(12), S(13), S(14), S(15), S(16), S(17), S(18), S(19), S(20),
    S(21), S(22), S(23), S(24), S(25), S(26), S(27), S(28), S(29), S(30), S(31),
    D(0), D(1), D(2), D(3), D(4), D(5), D(6), D(7), D(8), D(9), D(10), D(11), D(12), D(13), D(14), D(15), D(16), D(17), D(18), D(19), D(20),
    D(21), D(22), D(23), D(24), D(25), D(26), D(27), D(28), D(29), D(30), D(31),
    { "fpscr_nzcv", offsetof(ArmState, fpscr_nzcv), IR_I32 },
};
static_assert(ARRAY_SIZE(slots) == ARM_N_SLOTS, "slot numbers of cpu.h");

static vaddr get_pc(const Vcpu *vcpu) { return arm_state(vcpu)->pc; }
static void set_pc(Vcpu *vcpu, vaddr pc) { arm_set_pc(vcpu, pc, 0); }

uint32_t arm_nzcv_get(const Vcpu *vcpu)
{
    const ArmState *s = arm_state(vcpu);
    return arm_cc_compute(s->cc_a, s->cc_b, (uint32_t)s->cc_op) << 28;
}

void arm_nzcv_set(Vcpu *vcpu, uint32_t nzcv)
{
    ArmState *s = arm_state(vcpu);

    s->cc_a = nzcv & 0xf0000000;
    s->cc_b = 0;
    s->cc_op = ARM_CC_FLAGS;
}

/* Both byte orders of data; instructions are little-endian always. */
#define AARCH64(target_name, text) \
    .name = target_name, .summary = text, .gdb_arch = "aarch64", \
    .word_bits = 64, .pc_shift = 2, .pc_flags = 3, .pc_bit0_mode = BIT(ARM_MODE_A32), .guard_mode = BIT(ARM_MODE_BTI), \
    .max_insn_bytes = A32_MAX_INSN_BYTES, .page_bits = 12, .elf_machine = 183, \
    .slots = slots, .n_slots = ARRAY_SIZE(slots), .pc_slot = ARM_SLOT_PC, .state_size_bytes = sizeof(ArmState), \
    .helpers = helpers, .n_helpers = ARRAY_SIZE(helpers), \
    .fp = { .nan = FP_NAN_ARM, .to_int = FP_TO_INT_ARM, .tininess_before = true }, .n_mmu_modes = ARM_N_MMU, \
    .cpu_init = arm_model_init, .cpu_reset = arm_cpu_reset, .cpu_models_print = arm_models_print, .cpu_models = arm_model_names, .cpu_maker = "ARM", .cpu_props = arm_model_props, \
    .default_cpu = "max", \
    .trans_mode = arm_trans_mode, .trans_begin = arm_trans_begin, .trans_end = a32_trans_end, .scan = arm_scan, .translate = arm_translate, .disas = arm_disas, \
    .fp_sync = arm_fp_sync, .get_pc = get_pc, .set_pc = set_pc, \
    .mmu_index = arm_mmu_index, .tlb_fill = arm_tlb_fill, .tlb_fill_debug = arm_tlb_fill_debug, .mappings = arm_mappings, \
    .unaligned = arm_unaligned, .bus_error = arm_bus_error, .interrupt_pending = arm_interrupt_pending, .interrupt_take = arm_interrupt_take, \
    .exception_enter = arm_exception_enter, .before_insn = arm_before_insn, .has_work = arm_has_work, .irq_set = arm_irq_set, \
    .gdb_feature = arm_gdb_feature, .gdb_types = arm_gdb_types, .regs = arm_regs, .reg_read = arm_reg_read, .reg_write = arm_reg_write, \
    .dump = arm_dump, .mem_access = arm_mem_access, .gdb_watch_before = true

const Target target_aarch64 = { AARCH64("aarch64", "Arm, 64-bit") };
const Target target_aarch64_be = { AARCH64("aarch64_be", "Arm, 64-bit, big-endian"), .big_endian = true };

static vaddr get_pc32(const Vcpu *vcpu) { return (uint32_t)arm_state(vcpu)->pc; }
static void set_pc32(Vcpu *vcpu, vaddr pc) { arm_state(vcpu)->pc = pc; }

/* AArch32 alone: programs of 32 bits; the data of the second is big-endian. */
#define TARGET_AARCH32 \
    .gdb_arch = "arm", \
    .word_bits = 32, .pc_shift = 1, .pc_flags = 1, .max_insn_bytes = A32_MAX_INSN_BYTES, .page_bits = 12, .elf_machine = 40, \
    .slots = slots, .n_slots = ARRAY_SIZE(slots), .pc_slot = ARM_SLOT_PC32, .state_size_bytes = sizeof(ArmState), \
    .helpers = helpers, .n_helpers = ARRAY_SIZE(helpers), \
    .fp = { .nan = FP_NAN_ARM, .to_int = FP_TO_INT_ARM, .tininess_before = true }, .n_mmu_modes = ARM_N_MMU, \
    .cpu_init = arm_model_init, .cpu_reset = arm_cpu_reset, .cpu_models_print = arm_models32_print, .cpu_models = arm_model32_names, .cpu_maker = "ARM", .cpu_props = arm_model_props, \
    .default_cpu = "max", \
    .trans_mode = arm32_trans_mode, .trans_begin = arm_trans_begin, .trans_end = a32_trans_end, .scan = arm32_scan, .translate = arm32_translate, .disas = arm32_disas, \
    .fp_sync = arm_fp_sync, .get_pc = get_pc32, .set_pc = set_pc32, \
    .mmu_index = arm_mmu_index, .tlb_fill = arm_tlb_fill, .tlb_fill_debug = arm_tlb_fill_debug, .mappings = arm_mappings, \
    .unaligned = arm_unaligned, .bus_error = arm_bus_error, .interrupt_pending = arm_interrupt_pending, .interrupt_take = arm_interrupt_take, \
    .exception_enter = arm_exception_enter, .before_insn = arm_before_insn, .has_work = arm_has_work, .irq_set = arm_irq_set, \
    .gdb_feature = arm32_gdb_feature, .regs = arm32_regs, .reg_read = arm32_reg_read, .reg_write = arm32_reg_write, \
    .dump = arm32_dump, .gdb_watch_before = true,

const Target target_arm = { .name = "arm", .summary = "Arm, 32-bit", TARGET_AARCH32 };
const Target target_armeb = { .name = "armeb", .summary = "Arm, 32-bit, big-endian", .big_endian = true, TARGET_AARCH32 };
