/*
 * vector.h: the RISC-V vector unit (V 1.0): its state, and how one vector instruction runs in C.
 *
 * rvv_exec() runs any vector instruction but vsetvl*; it looks the word up in a table of rows (exec.c, rows.c) that
 * name a shape (what is read, what is written, which registers may overlap) and kernels by element
 * width. Kernels know nothing of masks, tails or registers: they compute elements into a buffer of their own, which
 * the shape then merges into the destination under mask and vstart. Kernels with side effects (fixed-point
 * saturation, floating-point flags) ask rvv_active() first.
 *
 * Tail and masked-off elements are left undisturbed under either policy, which "agnostic" allows.
 * Elements are stored as on a little-endian host (DEVIATION: big-endian hosts are not supported here).
 *
 * Specification: RISC-V Unprivileged ISA 20240411, chapters 30 (V 1.0), 32 (vector cryptography).
 * Threads: everything belongs to the thread that runs the vCPU.
 */
#ifndef TARGET_RISCV_VECTOR_H
#define TARGET_RISCV_VECTOR_H

#include "accel/vcpu.h"
#include "target/fpu.h"

enum {
    RVV_MAX_VLENB = 128,                    /* VLEN 1024 */
    RVV_GROUP_BYTES = 8 * RVV_MAX_VLENB,    /* the largest register group */
    RVV_N_REGS = 32,
};

typedef struct RvvState {
    alignas(64) uint8_t v[RVV_N_REGS * RVV_MAX_VLENB]; /* register n at n * vlenb */
    uint64_t vl, vstart;
    uint64_t vtype;    /* bits 7..0; vill apart */
    /* Derived from vtype by rvv_set_vtype; translated code stores all eight bytes at once. */
    alignas(8) uint32_t vlmax;
    uint8_t sew;       /* log2 of the element's bytes, 0..3 */
    int8_t lmul;       /* log2, -3..3 */
    bool vill;
    uint8_t zero;
    bool full;         /* implies vl = vlmax, vstart = 0 and a legal vtype: whole registers may be worked on */
    uint8_t vxrm, vxsat;
    uint16_t vlenb;    /* of the model */
    uint8_t elen_bits; /* of the model: 32 or 64 */
} RvvState;

/* What the model has beyond Zve32x. */
typedef struct RvvFeatures {
    bool f16_full, f16_convert, f32, f64, bf16_convert, bf16_fma;
    bool zvbb, zvbc, zvkb, zvkg, zvkned, zvknha, zvknhb, zvksed, zvksh;
} RvvFeatures;

typedef struct RvvExec {
    RvvState *s;
    Vcpu *vcpu;           /* for guest memory only */
    const RvvFeatures *features;
    FpStatus fp;          /* rounding from frm; flags are collected here */
    uint32_t insn;
    uint64_t x, y;        /* values of the registers rs1 and rs2 name (rs1: f register for OPFVF, boxed) */
    unsigned xlen, mmu_index;
    bool frm_valid;
    /* Results. */
    uint64_t result;
    enum { RVV_RESULT_NONE, RVV_RESULT_X, RVV_RESULT_F } result_kind; /* to be written to rd by the caller */
    /* Private to the kernels. */
    unsigned vd, vs2, vs1, sew, from, to;
    bool masked;
} RvvExec;

/* Sets vtype, vlmax and vill; does not touch vl. */
void rvv_set_vtype(RvvState *s, uint64_t vtype, unsigned xlen);
/* vsetvl[i]: avl is ignored with keep_vl (rd = rs1 = x0). Returns the new vl. */
uint64_t rvv_set_vl(RvvState *s, uint64_t vtype, uint64_t avl, bool keep_vl, unsigned xlen);
/* Fills everything for a model; vtype is ill. */
void rvv_reset(RvvState *s, unsigned vlen_bits, unsigned elen_bits);

/*
 * Runs e->insn. False: reserved or unsupported under the current vtype, nothing was changed (illegal
 * instruction). Memory accesses may leave through the vCPU's loop exit with vstart at the element.
 */
NODISCARD bool rvv_exec(RvvExec *e);

/* -- between the files of this folder ---------------------------------------------------------------------------- */

typedef struct RvvRow RvvRow;
typedef bool RvvShape(RvvExec *e, const RvvRow *row);
/* d, a (vs2), b (vs1 or splat), c (old vd): from element e->from on; n elements. d overlaps nothing. */
typedef void RvvKernel(RvvExec *e, void *restrict d, const void *a, const void *b, const void *c, size_t n);

enum { /* RvvRow.forms, by funct3 */
    RVV_VV = 1, RVV_VX = 2, RVV_VI = 4,
    RVV_UIMM = 8,       /* VI's immediate is unsigned */
    RVV_ACC = 16,       /* the destination is an operand as well */
};

struct RvvRow {
    RvvShape *shape;
    RvvKernel *const *kernel;  /* by element width of the narrower operands */
    uint8_t forms;
    uint8_t extra;             /* the shape's own */
    uint8_t gate;              /* RvvGate */
};

typedef enum RvvGate { RVV_GATE_V, RVV_GATE_ZVBB, RVV_GATE_ZVKB, RVV_GATE_ZVBC } RvvGate;

/* Rows by funct6 for OPIVV/VX/VI, OPMVV/VX, OPFVV/VF. */
extern const RvvRow rvv_rows_i[64], rvv_rows_m[64], rvv_rows_f[64];

static inline uint8_t *rvv_reg(const RvvExec *e, unsigned n)
{
    return (uint8_t *)e->s->v + n * e->s->vlenb;
}

static inline bool rvv_bit(const uint8_t *mask, unsigned i)
{
    return mask[i >> 3] >> (i & 7) & 1;
}

static inline void rvv_set_bit(uint8_t *mask, unsigned i, bool value)
{
    mask[i >> 3] = (uint8_t)((mask[i >> 3] & ~(1u << (i & 7))) | (unsigned)value << (i & 7));
}

/* Element i (absolute) takes part. */
static inline bool rvv_active(const RvvExec *e, size_t i)
{
    return !e->masked || rvv_bit(e->s->v, (unsigned)i);
}

static inline uint64_t rvv_get(const void *base, unsigned size_log2, size_t i)
{
    uint64_t v = 0;
    memcpy(&v, (const char *)base + (i << size_log2), (size_t)1 << size_log2);
    return v;
}

static inline void rvv_put(void *base, unsigned size_log2, size_t i, uint64_t v)
{
    memcpy((char *)base + (i << size_log2), &v, (size_t)1 << size_log2);
}

static inline bool rvv_bad_group(unsigned reg, int lmul)
{
    return lmul > 0 && (reg & ((1u << lmul) - 1));
}

/*
 * A source group: aligned, and not v0 when v0 is the mask, because one register cannot be read with
 * two element widths (30.5.2).
 */
static inline bool rvv_bad_source(const RvvExec *e, unsigned reg, int lmul)
{
    return rvv_bad_group(reg, lmul) || (e->masked && reg == 0);
}

static inline unsigned rvv_group_regs(int lmul)
{
    return lmul > 0 ? 1u << lmul : 1;
}

static inline bool rvv_overlap(unsigned a, unsigned a_regs, unsigned b, unsigned b_regs)
{
    return a < b + b_regs && b < a + a_regs;
}

/* Section 30.5.2: destination of EMUL vd_lmul and a source of different EEW. True: reserved. */
bool rvv_bad_overlap(unsigned vd, int vd_lmul, int vd_sew, unsigned vs, int vs_lmul, int vs_sew);
/* The destination overlaps v0 of a masked instruction. */
static inline bool rvv_bad_mask(const RvvExec *e)
{
    return e->masked && e->vd == 0;
}

/* Copies elements [e->from, e->to) of t (t[0] is element e->from) into register e->vd under the mask. */
void rvv_merge(RvvExec *e, const void *t, unsigned size_log2);
/* Fills buf with n copies of the low bits of x. */
void rvv_splat(void *buf, uint64_t x, unsigned size_log2, size_t n);

/* Shapes. rvv_two etc. are in exec.c, the rest where their kernels are. */
RvvShape rvv_two;            /* vd = vs2 op vs1, one width */
RvvShape rvv_widen;          /* 2*SEW = SEW op SEW */
RvvShape rvv_widen_w;        /* 2*SEW = 2*SEW op SEW */
RvvShape rvv_narrow;         /* SEW = 2*SEW op SEW */
RvvShape rvv_compare;        /* mask = vs2 op vs1; the kernel writes one byte per element */
RvvShape rvv_carry, rvv_carry_out, rvv_merge_op, rvv_ext, rvv_unary_m;
RvvShape rvv_reduce, rvv_reduce_widen, rvv_mask_logic, rvv_scalar_out, rvv_scalar_in, rvv_mask_unary;
RvvShape rvv_gather, rvv_gather16, rvv_slideup, rvv_slidedown, rvv_slide1up, rvv_slide1down, rvv_compress;
RvvShape rvv_move_whole;
RvvShape rvv_f_two, rvv_f_widen, rvv_f_widen_w, rvv_f_compare, rvv_f_unary, rvv_f_merge, rvv_f_reduce,
    rvv_f_reduce_widen, rvv_f_scalar_out, rvv_f_scalar_in, rvv_f_slide1up, rvv_f_slide1down;
bool rvv_mem(RvvExec *e);
bool rvv_crypto(RvvExec *e);
/* The f operand's value for the current SEW: NaN unless properly boxed. */
uint64_t rvv_unbox(const RvvExec *e, unsigned size_log2);
bool rvv_fp_ok(const RvvExec *e, unsigned size_log2);

#endif
