/*
 * fp-host.h: floating-point loops on the host's vector unit.
 */
#ifndef TARGET_RISCV_VECTOR_FP_HOST_H
#define TARGET_RISCV_VECTOR_FP_HOST_H

#include "target/riscv/vector/vector.h"

typedef enum RvvHostOp {
    RVV_HOST_ADD, RVV_HOST_SUB, RVV_HOST_MUL, RVV_HOST_DIV, /* a op b */
    RVV_HOST_FMA, RVV_HOST_FMS, RVV_HOST_FNMA, RVV_HOST_FNMS, /* ±(a * b) ± c */
    RVV_HOST_N_OPS
} RvvHostOp;

/*
 * d = op(a, b, c) for n elements of 4 or 8 bytes, flags into e->fp. False: not done (masked, RMM, a NaN came
 * out, no such host); d is then undefined.
 */
bool rvv_host_run(RvvExec *e, RvvHostOp op, unsigned size_log2, void *restrict d, const void *a,
                  const void *b, const void *c, size_t n);

#endif
