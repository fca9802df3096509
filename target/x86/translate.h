/*
 * translate.h: what all x86 handlers share (translate-*.c). A handler gets one decoded instruction and emits IR; it ends the
 * block only where its row's kind says so, or through x86_raise_*(). Reads of memory come before writes of registers,
 * writes of memory before writes of registers and flags: an access that faults must leave everything as it was.
 *
 * Values. A value of 8 bytes is I64; one of 1, 2 or 4 bytes is I32, and above its size its bits mean nothing unless it was
 * loaded from memory (zero-extended) or went through x86_zext/x86_sext. x86_wt() is the type of the integer slots.
 */
#ifndef TARGET_X86_TRANSLATE_H
#define TARGET_X86_TRANSLATE_H

#include "target/x86/decode.h"
#include "target/x86/flags.h"
#include "target/x86/x86-decode.h"

enum { /* TransCtx.data */
    X86_DATA_WT,       /* IrType of integer slots */
    X86_DATA_EA,       /* 1: the current instruction's address is known: base, index, disp, scale */
    X86_DATA_EA_BASE, X86_DATA_EA_INDEX, X86_DATA_EA_DISP, X86_DATA_EA_SCALE,
    X86_DATA_INSN,     /* const X86Insn * */
    X86_DATA_CC_SIDE,  /* translate-flags.c: which of two tuples of flags is looked at */
    X86_DATA_SIMD,     /* first of those of SSE, AVX, x87 and MMX */
};

typedef enum X86Helper {
#define HELPER(name, flags, ctype, cargs, result, n, ...) X86_HELPER_##name,
#include "target/x86/helpers.def"
#undef HELPER
    X86_N_HELPERS
} X86Helper;

#define HELPER(name, flags, ctype, cargs, result, n, ...) ctype x86_helper_##name cargs;
#include "target/x86/helpers.def"
#undef HELPER

static inline IrType x86_wt(const TransCtx *ctx) { return (IrType)ctx->data[X86_DATA_WT]; }
static inline X86Code x86_code(const TransCtx *ctx) { return x86_mode_code(ctx->mode); }
static inline bool x86_is64(const TransCtx *ctx) { return x86_code(ctx) == X86_CODE_64; }
/* No other thread, process or device sees memory change in the middle of an instruction (user mode; code made so is not used any more once one can). */
static inline bool x86_alone(const TransCtx *ctx)
{
    return ctx->b->unit->exclusive || (!ctx->vcpu->softmmu && !ctx->vcpu->parallel && !ctx->b->unit->parallel && !ctx->vcpu->single_step);
}
static inline unsigned x86_mmu(const TransCtx *ctx) { return (unsigned)bits_get(ctx->mode, X86_MODE_MMU, 2); }
static inline bool x86_mode_bit(const TransCtx *ctx, unsigned bit) { return ctx->mode >> bit & 1; }
static inline unsigned x86_mode_cpl(const TransCtx *ctx) { return (unsigned)bits_get(ctx->mode, X86_MODE_CPL, 2); }
static inline bool x86_feature(const TransCtx *ctx, X86Feature f) { return x86_has(ctx->vcpu, f); }
static inline IrRef x86_call(TransCtx *ctx, X86Helper id, unsigned n, const IrRef *args) { return ir_call(ctx->b, id, n, args); }
static inline IrType x86_type(unsigned size) { return size == 8 ? IR_I64 : IR_I32; }
static inline IrType x86_ref_type(const TransCtx *ctx, IrRef ref) { return (IrType)ir_insn(ctx->b->unit, ref)->type; }
static inline unsigned x86_log2(unsigned size) { return (unsigned)__builtin_ctz(size); }

/* Row numbers of the handler alu. */
typedef enum X86AluOp {
    X86_ALU_ADD, X86_ALU_OR, X86_ALU_ADC, X86_ALU_SBB, X86_ALU_AND, X86_ALU_SUB, X86_ALU_XOR, X86_ALU_CMP, X86_ALU_TEST,
} X86AluOp;

typedef enum X86BcdOp { X86_BCD_DAA, X86_BCD_DAS, X86_BCD_AAA, X86_BCD_AAS } X86BcdOp;
typedef enum X86StringOp { X86_STRING_MOVS, X86_STRING_CMPS, X86_STRING_STOS, X86_STRING_LODS, X86_STRING_SCAS } X86StringOp;
/* The argument of x86_helper_string. */
#define X86_STRING_HOW(op, size_log2, addrsize_log2, seg, repne, is64, mmu) \
    ((uint32_t)(op) | (size_log2) << 3 | (addrsize_log2) << 5 | (seg) << 7 | (uint32_t)(repne) << 10 | (uint32_t)(is64) << 12 | (mmu) << 13)
/* -- parts that need each other ------------------------------------------------------------------------- */

/* translate.c: fetches and decodes at pc; X86_DECODE_SHORT: it cannot be fetched. */
X86DecodeResult x86_fetch_insn(TransCtx *ctx, vaddr pc, X86Insn *ret);
/* translate-system.c: STI is scanned together with what is in its shadow. */
void x86_scan_shadow(TransCtx *ctx, const X86Insn *sti, ScanInsn *ret);

/* -- exceptions: end the block --------------------------------------------------------------------- */

void x86_raise_exc(TransCtx *ctx, unsigned vector);                     /* pc is the instruction's */
void x86_raise_exc_code(TransCtx *ctx, unsigned vector, uint32_t code);
static inline void x86_raise_ud(TransCtx *ctx) { x86_raise_exc(ctx, X86_EXC_UD); }
static inline void x86_raise_gp(TransCtx *ctx) { x86_raise_exc_code(ctx, X86_EXC_GP, 0); }
/*
 * Other ends of a block, in translate.h of include/target: trans_jump etc. with linear addresses (x86_code_addr). After
 * something that changes the translation mode: trans_leave(ctx, VCPU_EXIT_NONE, ctx->next_pc) and kind @stop.
 */
vaddr x86_code_addr(const TransCtx *ctx, uint64_t ip, unsigned opsize);  /* CS base + ip cut to opsize, as pc */
uint64_t x86_next_ip(const TransCtx *ctx);                               /* instruction pointer behind this one */

/* -- sizes ------------------------------------------------------------------------------------------- */

IrRef x86_zext(TransCtx *ctx, IrRef value, unsigned size);   /* same type, upper bits 0 */
IrRef x86_sext(TransCtx *ctx, IrRef value, unsigned size);
IrRef x86_to_type(TransCtx *ctx, IrRef value, IrType type);  /* I32 <-> I64: zero-extends or truncates */
static inline IrRef x86_to_wt(TransCtx *ctx, IrRef value) { return x86_to_type(ctx, value, x86_wt(ctx)); }
static inline IrRef x86_to_i64(TransCtx *ctx, IrRef value) { return x86_to_type(ctx, value, IR_I64); }
static inline IrRef x86_to_i32(TransCtx *ctx, IrRef value) { return x86_to_type(ctx, value, IR_I32); }
IrRef x86_const(TransCtx *ctx, unsigned size, uint64_t value);

/* -- general registers --------------------------------------------------------------------------------- */

IrRef x86_get(TransCtx *ctx, unsigned reg, unsigned size);
void x86_put(TransCtx *ctx, unsigned reg, unsigned size, IrRef value);   /* 4: zero-extends; 1, 2: merges */
IrRef x86_get_op(TransCtx *ctx, const X86Operand *op);                   /* X86_OP_REG, with ah…bh */
void x86_put_op(TransCtx *ctx, const X86Operand *op, IrRef value);

/* -- memory ---------------------------------------------------------------------------------------------- */

/* An address as ir_load and ir_store take it; disp and scale go into IrMem. */
typedef struct X86Mem { IrRef base, index; int32_t disp; uint8_t scale_log2; } X86Mem;

/* Offset of the memory operand in its segment (LEA), in the address size, zero-extended to the slots' type. */
IrRef x86_ea_offset(TransCtx *ctx, const X86Insn *in);
/* The linear address of the memory operand; checks the segment for size bytes (0: not). Emitted once per instruction. */
X86Mem x86_ea(TransCtx *ctx, const X86Insn *in, unsigned size, bool write);
/* Of any offset (in the slots' type, cut to addrsize by the caller) in a segment. */
X86Mem x86_linear(TransCtx *ctx, unsigned seg, IrRef offset, unsigned addrsize, unsigned size, bool write);
X86Mem x86_mem_at(X86Mem m, int offset);                        /* some bytes further */
IrRef x86_mem_addr(TransCtx *ctx, X86Mem m);                    /* as one I64, for helpers */
IrRef x86_mem_addr_wt(TransCtx *ctx, X86Mem m);                 /* as one value of the slots' type, for ir_rmw and ir_cas */
IrRef x86_load(TransCtx *ctx, X86Mem m, unsigned size);         /* 1, 2, 4: I32 zero-extended; 8: I64 */
IrRef x86_load_vec(TransCtx *ctx, X86Mem m, unsigned size);     /* 16: V128 */
void x86_store(TransCtx *ctx, X86Mem m, unsigned size, IrRef value);
void x86_store_vec(TransCtx *ctx, X86Mem m, unsigned size, IrRef value);
/* The IrMem of an access with the target's ordering (TSO) and MMU index. */
IrMem x86_ir_mem(TransCtx *ctx, X86Mem m, unsigned size);

/* Operand i as a value: register, memory or immediate of its size; and back. General registers and integers only. */
IrRef x86_op_load(TransCtx *ctx, const X86Insn *in, unsigned i);
void x86_op_store(TransCtx *ctx, const X86Insn *in, unsigned i, IrRef value);

/* What LOCK makes of them (translate-atomic.c): the old value of memory. */
IrRef x86_locked_alu(TransCtx *ctx, const X86Insn *in, X86AluOp op, IrRef y);
IrRef x86_locked_neg(TransCtx *ctx, const X86Insn *in);

/* Stack: push stores before it moves the pointer. Sizes 2, 4, 8. */
IrRef x86_stack_ptr(TransCtx *ctx);                             /* in the slots' type, cut to the stack's width */
unsigned x86_stack_width(const TransCtx *ctx);                  /* 2, 4, 8 */
void x86_push(TransCtx *ctx, unsigned size, IrRef value);
IrRef x86_pop_value(TransCtx *ctx, unsigned size);              /* loads only */
void x86_stack_add(TransCtx *ctx, int bytes);                   /* moves the pointer in the stack's width */

/* -- vector registers: slots XMM and YMMH ------------------------------------------------------------------ */

static inline IrRef x86_get_xmm(TransCtx *ctx, unsigned n) { return ir_get(ctx->b, X86_SLOT_XMM + n); }
static inline void x86_put_xmm(TransCtx *ctx, unsigned n, IrRef v) { ir_put(ctx->b, X86_SLOT_XMM + n, v); }
static inline IrRef x86_get_ymmh(TransCtx *ctx, unsigned n) { return ir_get(ctx->b, X86_SLOT_YMMH + n); }
static inline void x86_put_ymmh(TransCtx *ctx, unsigned n, IrRef v) { ir_put(ctx->b, X86_SLOT_YMMH + n, v); }

/* -- x87 and MMX (translate-x87.c): ir_x87* where all exceptions are masked, else calls; code by ir_x87_code() ------- */

void x86_emit_x87(TransCtx *ctx, uint32_t code);
void x86_emit_x87_in(TransCtx *ctx, uint32_t code, IrRef value);
IrRef x86_emit_x87_out(TransCtx *ctx, uint32_t code, IrType type);
void x86_emit_x87_mem(TransCtx *ctx, const X86Insn *in, uint32_t code, unsigned size);  /* with the memory operand */

/* -- flags (translate-flags.c) -------------------------------------------------------------------------------- */

/* The new tuple; IR_NONE for what the rule does not use. Values of either integer type. */
void x86_cc_set(TransCtx *ctx, uint32_t op, IrRef dst, IrRef src, IrRef src2);
/* All arithmetic flags from an I32 that holds their bits. */
void x86_cc_set_flags(TransCtx *ctx, IrRef flags);
IrRef x86_cc_get_flags(TransCtx *ctx);                 /* I32: O S Z A P C bits */
IrRef x86_cc_get_flags_apart(TransCtx *ctx);           /* the same, C and O so that who reads only them does not need the others */
IrRef x86_cc_get_carry(TransCtx *ctx);                 /* I32: 0 or 1 */
/* Sets C to `value` or complements it, the others stay. False: nothing done, it takes all flags as bits. */
bool x86_cc_put_carry(TransCtx *ctx, bool value, bool complement);
/* What S Z P follow from (size *ret_size_log2) and, in bit 4 of *ret_vector, A; false: not known when translating, or not of that form. */
bool x86_cc_result(TransCtx *ctx, IrRef *ret_result, IrRef *ret_vector, unsigned *ret_size_log2);
typedef struct X86CondRef { IrCond cond; IrRef a, b; } X86CondRef;
X86CondRef x86_cond(TransCtx *ctx, unsigned condition); /* condition code 0-15: true if a COND b */

#endif
