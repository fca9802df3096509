/*
 * cpu.h: the state of an Arm processing element in AArch64 and what its room shares.
 *
 * Arm ARM DDI 0487. Everything here belongs to the thread that runs the vCPU.
 */
#ifndef TARGET_ARM_CPU_H
#define TARGET_ARM_CPU_H

#include "accel/vcpu.h"
#include "target/arm/ext.h"
#include "target/target.h"

typedef union ArmVector {
    uint8_t b[16];
    uint16_t h[8];
    uint32_t s[4];
    uint64_t d[2];
} __attribute__((aligned(16))) ArmVector;

typedef struct ArmState {
#define FIELD(type, name, count, doc) type name FIELD_ARRAY(count);
#define FIELD_ARRAY(count) FIELD_ARRAY_##count
#define FIELD_ARRAY_1
#define FIELD_ARRAY_31 [31]
#define FIELD_ARRAY_32 [32]
#include "target/arm/cpu-state.def"
#undef FIELD
} ArmState;

static inline ArmState *arm_state(const Vcpu *vcpu)
{
    return (ArmState *)vcpu->state;
}

/* What a CPU model is: vcpu->model. */
typedef struct ArmModel {
    bool ext[ARM_N_EXTS];
    const char *name;
} ArmModel;

static inline const ArmModel *arm_model(const Vcpu *vcpu)
{
    return vcpu->model;
}

#define arm_has(vcpu, id) (arm_model(vcpu)->ext[ARM_EXT_##id])

/* Slots. */
enum {
    ARM_SLOT_X = 0,      /* X0 to X30 */
    ARM_SLOT_SP = 31,
    ARM_SLOT_PC = 32,
    ARM_SLOT_CC_A = 33,  /* I64 */
    ARM_SLOT_CC_B = 34,  /* I64 */
    ARM_SLOT_CC_OP = 35, /* I32: the unit's rule slot */
    ARM_SLOT_V = 36,     /* V0 to V31, V128 */
    ARM_N_SLOTS = 68,
};

/* Translation mode: everything in CPU state that changes what code means. */
enum {
    ARM_MODE_EL = 0,     /* 2 bits */
    ARM_MODE_MMU = 2,    /* 4 bits: MMU index of data accesses */
};

/* Exception classes (D24.2.40, ESR_ELx.EC): causes of vcpu->exception. */
enum {
    ARM_EC_UNKNOWN = 0x00,
    ARM_EC_SVC64 = 0x15,
    ARM_EC_BRK64 = 0x3c,
};

/* translate.c */
uint64_t arm_trans_mode(const Vcpu *vcpu);
bool arm_trans_begin(TransCtx *ctx);
bool arm_scan(TransCtx *ctx, vaddr pc, ScanInsn *ret);
void arm_translate(TransCtx *ctx);

#endif
