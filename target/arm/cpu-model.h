/*
 * cpu-model.h: how cores are described (cpu-model.c, cpu-model32.c).
 */
#ifndef TARGET_ARM_CPU_MODEL_H
#define TARGET_ARM_CPU_MODEL_H

#include "target/arm/cpu.h"

typedef struct ArmModelDesc {
    const char *name;
    uint64_t id[ARM_N_ID_REGS];
    uint32_t id32[ARM_N_ID32_REGS];
    const char *features32;    /* what id32 does not say: of cores older than those registers */
    const char *absent32;      /* what id32 says and the core has not got */
    uint64_t clidr, ccsidr[3][2];
    uint32_t counter_hz;
    uint8_t n_pmu_counters;
} ArmModelDesc;

/* The models' names in `names`, sorted, with NULL behind them. */
void arm_model_sort_names(const ArmModelDesc *models, size_t n, const char **names);
/* Cores of AArch32 alone, "max" among them. NULL: there is none of that name. */
const ArmModelDesc *arm_model32_find(const char *name);
/* id32 and the features it tells of; everything: also those AArch64's registers speak of. */
void arm_model32_derive(ArmModel *m, const ArmModelDesc *desc, bool everything);
/* Fields of id32 that announce a feature say that it is not there. */
void arm_model32_lower(ArmModel *m, unsigned ext);
/* A feature of ext.def and those that need it are gone. */
void arm_model_feature_off(ArmModel *m, unsigned ext);
/* A feature of ext.def by its name, -1: there is none. */
int arm_ext_find(const char *name, size_t n);

/* Pointer authentication by the fields of one kind: its level, 0: none. ret_kind may be NULL. */
enum { ARM_PAUTH_QARMA5, ARM_PAUTH_IMPDEF, ARM_PAUTH_QARMA3, ARM_N_PAUTH_KINDS };
unsigned arm_pauth_level(const uint64_t *id, unsigned *ret_kind);
void arm_pauth_put(ArmModel *m, unsigned kind, unsigned level);

/* What -cpu has said and takes effect at the end (cpu-props.c). */
typedef struct ArmCpuChoice { bool no_pauth, pauth[ARM_N_PAUTH_KINDS], off[ARM_N_EXTS]; } ArmCpuChoice;
bool arm_set_property(ArmModel *m, ArmCpuChoice *choice, const char *name, const char *value, Error **errp);
bool arm_properties_finish(ArmModel *m, const ArmCpuChoice *choice, Error **errp);

/* ID_PFR0 to MVFR2 of cores that have both states: what Armv8.0 and Armv8.2 cores agree about. */
#define ARM_ID32_V8(dfr0, mmfr0, mmfr3)                                                                                            \
    { [ARM_ID32_PFR0] = 0x131, [ARM_ID32_PFR1] = 0x11011, [ARM_ID32_DFR0] = dfr0, [ARM_ID32_MMFR0] = mmfr0,                         \
      [ARM_ID32_MMFR1] = 0x40000000, [ARM_ID32_MMFR2] = 0x1260000, [ARM_ID32_MMFR3] = mmfr3, [ARM_ID32_ISAR0] = 0x2101110,          \
      [ARM_ID32_ISAR1] = 0x13112111, [ARM_ID32_ISAR2] = 0x21232042, [ARM_ID32_ISAR3] = 0x1112131, [ARM_ID32_ISAR4] = 0x11142,       \
      [ARM_ID32_ISAR5] = 0x11121, [ARM_ID32_FPSID] = 0x41034070, [ARM_ID32_MVFR0] = 0x10110222, [ARM_ID32_MVFR1] = 0x12111111,      \
      [ARM_ID32_MVFR2] = 0x43 }
#define ARM_ID32_V82(pfr0, pfr1, dfr0, mmfr4, isar4, isar5, isar6)                                                                 \
    { [ARM_ID32_PFR0] = pfr0, [ARM_ID32_PFR1] = pfr1, [ARM_ID32_PFR2] = 0x11, [ARM_ID32_DFR0] = dfr0, [ARM_ID32_MMFR0] = 0x10201105, \
      [ARM_ID32_MMFR1] = 0x40000000, [ARM_ID32_MMFR2] = 0x1260000, [ARM_ID32_MMFR3] = 0x2122211, [ARM_ID32_MMFR4] = mmfr4,          \
      [ARM_ID32_ISAR0] = 0x2101110, [ARM_ID32_ISAR1] = 0x13112111, [ARM_ID32_ISAR2] = 0x21232042, [ARM_ID32_ISAR3] = 0x1112131,     \
      [ARM_ID32_ISAR4] = isar4, [ARM_ID32_ISAR5] = isar5, [ARM_ID32_ISAR6] = isar6, [ARM_ID32_MVFR0] = 0x10110222,                  \
      [ARM_ID32_MVFR1] = 0x13211111, [ARM_ID32_MVFR2] = 0x43 }

#endif
