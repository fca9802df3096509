/*
 * text.h: names shared by the printer and the parser of IR text.
 */
#ifndef TCG_TEXT_H
#define TCG_TEXT_H

#include "accel/vcpu.h"
#include "tcg/ir.h"

enum {
    IR_N_FP_CONDS = IR_FUNORD + 1,
    IR_N_ROUNDINGS = IR_RM_ODD + 1,
    IR_N_MINMAX = IR_MINMAX_X86 + 1,
    IR_N_LANES = IR_LANE_64 + 1,
    IR_N_RMWS = IR_RMW_MAXU + 1,
    IR_N_EXIT_KINDS = IR_EXIT_LEAVE + 1,
    IR_N_LEAVES = 10,
};

extern const char *const ir_type_names[IR_N_TYPES];
extern const char *const ir_cond_names[IR_N_CONDS];
extern const char *const ir_fp_cond_names[IR_N_FP_CONDS];
extern const char *const ir_rounding_names[IR_N_ROUNDINGS];
extern const char *const ir_minmax_names[IR_N_MINMAX];
extern const char *const ir_lane_names[IR_N_LANES];
extern const char *const ir_rmw_names[IR_N_RMWS];
extern const char *const ir_exit_names[IR_N_EXIT_KINDS];
extern const char *const ir_leave_names[IR_N_LEAVES];

/* The type a bare constant has as operand 0..2 of `in`, whose op and type are set. */
IrType ir_text_operand_type(const IrInsn *in, unsigned operand);
/* One instruction without newline, e.g. for messages. */
void ir_print_insn(FILE *out, const IrUnit *unit, IrRef ref);

#endif
