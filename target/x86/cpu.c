/*
 * cpu.c: the targets x86_64 and i386: everything the rest of the program knows of x86.
 */
#include "target/x86/cpu-model.h"
#include "target/x86/translate.h"
#include "target/x86/x87.h"

static const HelperDesc helpers[] = {
#define HELPER(name, flags, ctype, cargs, result, n, ...) \
    { #name, (void *)x86_helper_##name, flags, result, n, { __VA_ARGS__ } },
#include "target/x86/helpers.def"
#undef HELPER
};

#define AT(field) offsetof(X86State, field)
#define SIXTEEN(M) M(0), M(1), M(2), M(3), M(4), M(5), M(6), M(7), M(8), M(9), M(10), M(11), M(12), M(13), M(14), M(15)
#define XMM(n) { "xmm" #n, AT(xmm[n]), IR_V128 }
#define YMMH(n) { "ymmh" #n, AT(ymmh[n]), IR_V128 }
/* On i386 an integer register is the low half of its 64-bit place (little-endian hosts); pc stays 64-bit. */
#define SLOTS(T) \
    { "rax", AT(gpr[0]), T }, { "rcx", AT(gpr[1]), T }, { "rdx", AT(gpr[2]), T }, { "rbx", AT(gpr[3]), T }, \
    { "rsp", AT(gpr[4]), T }, { "rbp", AT(gpr[5]), T }, { "rsi", AT(gpr[6]), T }, { "rdi", AT(gpr[7]), T }, \
    { "r8", AT(gpr[8]), T }, { "r9", AT(gpr[9]), T }, { "r10", AT(gpr[10]), T }, { "r11", AT(gpr[11]), T }, \
    { "r12", AT(gpr[12]), T }, { "r13", AT(gpr[13]), T }, { "r14", AT(gpr[14]), T }, { "r15", AT(gpr[15]), T }, \
    { "cc_dst", AT(cc_dst), T }, { "cc_src", AT(cc_src), T }, { "cc_src2", AT(cc_src2), T }, { "cc_op", AT(cc_op), IR_I32 }, \
    { "pc", AT(pc), IR_I64 }, \
    { "es_base", AT(seg_base[0]), T }, { "cs_base", AT(seg_base[1]), T }, { "ss_base", AT(seg_base[2]), T }, \
    { "ds_base", AT(seg_base[3]), T }, { "fs_base", AT(seg_base[4]), T }, { "gs_base", AT(seg_base[5]), T }, \
    SIXTEEN(XMM), SIXTEEN(YMMH), { "fip", AT(fip), IR_I64 }, { "fdp", AT(fdp), IR_I64 }, \
    { "eflags", AT(eflags), IR_I32 }

static const SlotDesc slots64[] = { SLOTS(IR_I64) };
static const SlotDesc slots32[] = { SLOTS(IR_I32) };
static_assert(ARRAY_SIZE(slots64) == X86_N_SLOTS, "slot numbers of cpu.h");

static vaddr get_pc(const Vcpu *vcpu) { return x86_state(vcpu)->pc; }
static void set_pc64(Vcpu *vcpu, vaddr pc) { x86_state(vcpu)->pc = pc; }
static void set_pc32(Vcpu *vcpu, vaddr pc) { x86_state(vcpu)->pc = (uint32_t)pc; }

/* Where the accelerator is not linked there is none. */
extern const struct KvmTargetOps x86_kvm_ops __attribute__((weak));

#define X86_TARGET(bits)                                                                                  \
    .word_bits = bits, .pc_shift = 0, .max_insn_bytes = 15, .page_bits = 12, .coherent_icache = true,      \
    .slots = slots##bits, .n_slots = ARRAY_SIZE(slots##bits), .pc_slot = X86_SLOT_PC,                      \
    .state_size_bytes = sizeof(X86State), .helpers = helpers, .n_helpers = ARRAY_SIZE(helpers),            \
    .fp = { .nan = FP_NAN_X86, .to_int = FP_TO_INT_X86, .tininess_before = false },                        \
    .n_mmu_modes = X86_N_MMU, .cpu_init = x86_model_init, .cpu_reset = x86_cpu_reset,                      \
    .cpu_models_print = x86_models_print, .cpu_models = x86_model_names, .cpu_props = x86_model_props,      \
    .cpu_missing = x86_model_missing_names, .cpu_alias = x86_model_alias,                                 \
    .trans_mode = x86_trans_mode, .trans_begin = x86_trans_begin, .scan = x86_scan,                        \
    .translate = x86_translate, .disas = x86_disas, .fp_sync = x86_fp_sync, .x87 = &x86_target_x87, .get_pc = get_pc, .set_pc = set_pc##bits, \
    .mmu_index = x86_mmu_index, .tlb_fill = x86_tlb_fill, .tlb_fill_debug = x86_tlb_fill_debug,            \
    .print_mappings = x86_print_mappings, .unaligned = x86_unaligned, .bus_error = x86_bus_error, .device_atomics = true, \
    .interrupt_pending = x86_interrupt_pending, .interrupt_take = x86_interrupt_take,                      \
    .exception_enter = x86_exception_enter, .before_insn = x86_before_insn, .has_work = x86_has_work,      \
    .irq_set = x86_irq_set, .gdb_feature = x86_gdb_feature, .gdb_types = x86_gdb_types, .regs = x86_regs, .reg_read = x86_reg_read,    \
    .reg_write = x86_reg_write, .dump = x86_dump, .mem_access = x86_mem_access, .kvm = &x86_kvm_ops

const Target target_x86_64 = { .name = "x86_64", .gdb_arch = "i386:x86-64", .summary = "x86, 64-bit", .elf_machine = 62,
                               .default_cpu = "qemu64", X86_TARGET(64) };
const Target target_i386 = { .name = "i386", .gdb_arch = "i386", .summary = "x86, 32-bit", .elf_machine = 3,
                             .default_cpu = "qemu32", X86_TARGET(32) };
