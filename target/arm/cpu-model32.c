/*
 * cpu-model32.c: CPU models in AArch32: cores that have nothing else, and what "max" is there.
 *
 * Identification registers are those of the cores' Technical Reference Manuals; features follow from their fields (id32-fields.def), those of
 * cores that have no such registers from a list. "max" is everything there is code for. Left out: cores older than Armv5TE, of the R and
 * of the M profile; ThumbEE, of which ID_PFR0 says here that it is not there.
 */
#include <stdlib.h>
#include "target/arm/cpu-model.h"

/* The first is "max". */
static const ArmModelDesc models[] = {
    { .name = "max", .counter_hz = 1000000000, .clidr = 0xa200023, .n_pmu_counters = 6,
      .ccsidr = { { 0x701fe00a, 0x201fe012 }, { 0x70ffe07a } },
      .id = { [ARM_ID_MIDR] = 0x411fd070, [ARM_ID_CTR] = 0x8444c004 },
      .id32 = { [ARM_ID32_PFR0] = 0x11020131, [ARM_ID32_PFR1] = 0x11011, [ARM_ID32_DFR0] = 0x3010066, [ARM_ID32_MMFR0] = 0x10101105,
                [ARM_ID32_MMFR1] = 0x40000000, [ARM_ID32_MMFR2] = 0x1260000, [ARM_ID32_MMFR3] = 0x2102211, [ARM_ID32_ISAR0] = 0x2101110,
                [ARM_ID32_ISAR1] = 0x13112111, [ARM_ID32_ISAR2] = 0x21232042, [ARM_ID32_ISAR3] = 0x1112131, [ARM_ID32_ISAR4] = 0x11142,
                [ARM_ID32_ISAR5] = 0x11011121, [ARM_ID32_ISAR6] = 0x1101111, [ARM_ID32_FPSID] = 0x41034070, [ARM_ID32_MVFR0] = 0x10110222,
                [ARM_ID32_MVFR1] = 0x13211111, [ARM_ID32_MVFR2] = 0x43 } },
    { .name = "arm926", .features32 = "Jazelle FP VFPShVec", .id = { [ARM_ID_MIDR] = 0x41069265, [ARM_ID_CTR] = 0x1dd20d2 },
      .id32 = { [ARM_ID32_FPSID] = 0x41011090 } },
    { .name = "arm946", .features32 = "", .id = { [ARM_ID_MIDR] = 0x41059461, [ARM_ID_CTR] = 0xf004006 } },
    { .name = "arm1026", .features32 = "Jazelle FP VFPShVec", .id = { [ARM_ID_MIDR] = 0x4106a262, [ARM_ID_CTR] = 0x1dd20d2 },
      .id32 = { [ARM_ID32_FPSID] = 0x410110a0 } },
    { .name = "arm1136-r2", .absent32 = "V6K", .id = { [ARM_ID_MIDR] = 0x4107b362, [ARM_ID_CTR] = 0x1dd20d2 },
      .id32 = { [ARM_ID32_PFR0] = 0x111, [ARM_ID32_PFR1] = 0x1, [ARM_ID32_DFR0] = 0x2, [ARM_ID32_AFR0] = 0x3, [ARM_ID32_MMFR0] = 0x1130003,
                [ARM_ID32_MMFR1] = 0x10030302, [ARM_ID32_MMFR2] = 0x1222110, [ARM_ID32_ISAR0] = 0x140011, [ARM_ID32_ISAR1] = 0x12002111,
                [ARM_ID32_ISAR2] = 0x11231111, [ARM_ID32_ISAR3] = 0x1102131, [ARM_ID32_ISAR4] = 0x141, [ARM_ID32_FPSID] = 0x410120b4,
                [ARM_ID32_MVFR0] = 0x11111111 } },
    { .name = "arm1136", .id = { [ARM_ID_MIDR] = 0x4117b363, [ARM_ID_CTR] = 0x1dd20d2 },
      .id32 = { [ARM_ID32_PFR0] = 0x111, [ARM_ID32_PFR1] = 0x1, [ARM_ID32_DFR0] = 0x2, [ARM_ID32_AFR0] = 0x3, [ARM_ID32_MMFR0] = 0x1130003,
                [ARM_ID32_MMFR1] = 0x10030302, [ARM_ID32_MMFR2] = 0x1222110, [ARM_ID32_ISAR0] = 0x140011, [ARM_ID32_ISAR1] = 0x12002111,
                [ARM_ID32_ISAR2] = 0x11231111, [ARM_ID32_ISAR3] = 0x1102131, [ARM_ID32_ISAR4] = 0x141, [ARM_ID32_FPSID] = 0x410120b4,
                [ARM_ID32_MVFR0] = 0x11111111 } },
    { .name = "arm1176", .id = { [ARM_ID_MIDR] = 0x410fb767, [ARM_ID_CTR] = 0x1dd20d2 },
      .id32 = { [ARM_ID32_PFR0] = 0x111, [ARM_ID32_PFR1] = 0x11, [ARM_ID32_DFR0] = 0x33, [ARM_ID32_MMFR0] = 0x1130003,
                [ARM_ID32_MMFR1] = 0x10030302, [ARM_ID32_MMFR2] = 0x1222100, [ARM_ID32_ISAR0] = 0x140011, [ARM_ID32_ISAR1] = 0x12002111,
                [ARM_ID32_ISAR2] = 0x11231121, [ARM_ID32_ISAR3] = 0x1102131, [ARM_ID32_ISAR4] = 0x1141, [ARM_ID32_FPSID] = 0x410120b5,
                [ARM_ID32_MVFR0] = 0x11111111 } },
    { .name = "arm11mpcore", .id = { [ARM_ID_MIDR] = 0x410fb022, [ARM_ID_CTR] = 0x1d192992 },
      .id32 = { [ARM_ID32_PFR0] = 0x111, [ARM_ID32_PFR1] = 0x1, [ARM_ID32_AFR0] = 0x2, [ARM_ID32_MMFR0] = 0x1100103,
                [ARM_ID32_MMFR1] = 0x10020302, [ARM_ID32_MMFR2] = 0x1222000, [ARM_ID32_ISAR0] = 0x100011, [ARM_ID32_ISAR1] = 0x12002111,
                [ARM_ID32_ISAR2] = 0x11221011, [ARM_ID32_ISAR3] = 0x1102131, [ARM_ID32_ISAR4] = 0x141, [ARM_ID32_FPSID] = 0x410120b4,
                [ARM_ID32_MVFR0] = 0x11111111 } },
    { .name = "cortex-a7", .counter_hz = 62500000, .clidr = 0xa200023, .n_pmu_counters = 4,
      .ccsidr = { { 0x701fe00a, 0x201fe00a }, { 0x711fe07a } }, .id = { [ARM_ID_MIDR] = 0x410fc075, [ARM_ID_CTR] = 0x84448003 },
      .id32 = { [ARM_ID32_PFR0] = 0x131, [ARM_ID32_PFR1] = 0x11011, [ARM_ID32_DFR0] = 0x2010555, [ARM_ID32_MMFR0] = 0x10101105,
                [ARM_ID32_MMFR1] = 0x40000000, [ARM_ID32_MMFR2] = 0x1240000, [ARM_ID32_MMFR3] = 0x2102211, [ARM_ID32_ISAR0] = 0x2101110,
                [ARM_ID32_ISAR1] = 0x13112111, [ARM_ID32_ISAR2] = 0x21232041, [ARM_ID32_ISAR3] = 0x11112131, [ARM_ID32_ISAR4] = 0x10011142,
                [ARM_ID32_FPSID] = 0x41023075, [ARM_ID32_MVFR0] = 0x10110222, [ARM_ID32_MVFR1] = 0x11111111 } },
    { .name = "cortex-a8", .clidr = 0xa000003, .n_pmu_counters = 4, .features32 = "PMUv3", .ccsidr = { { 0xe007e01a, 0x2007e01a }, { 0xf0000000 } },
      .id = { [ARM_ID_MIDR] = 0x410fc080, [ARM_ID_CTR] = 0x82048004 },
      .id32 = { [ARM_ID32_PFR0] = 0x31, [ARM_ID32_PFR1] = 0x11, [ARM_ID32_DFR0] = 0x400, [ARM_ID32_MMFR0] = 0x31100003,
                [ARM_ID32_MMFR1] = 0x20000000, [ARM_ID32_MMFR2] = 0x1202000, [ARM_ID32_MMFR3] = 0x11, [ARM_ID32_ISAR0] = 0x101111,
                [ARM_ID32_ISAR1] = 0x12112111, [ARM_ID32_ISAR2] = 0x21232031, [ARM_ID32_ISAR3] = 0x11112131, [ARM_ID32_ISAR4] = 0x111142,
                [ARM_ID32_FPSID] = 0x410330c0, [ARM_ID32_MVFR0] = 0x11110222, [ARM_ID32_MVFR1] = 0x11111 } },
    { .name = "cortex-a9", .clidr = 0x9000003, .n_pmu_counters = 6, .features32 = "PMUv3", .ccsidr = { { 0xe00fe019, 0x200fe019 } },
      .id = { [ARM_ID_MIDR] = 0x410fc090, [ARM_ID_CTR] = 0x80038003 },
      .id32 = { [ARM_ID32_PFR0] = 0x31, [ARM_ID32_PFR1] = 0x11, [ARM_ID32_MMFR0] = 0x100103, [ARM_ID32_MMFR1] = 0x20000000,
                [ARM_ID32_MMFR2] = 0x1230000, [ARM_ID32_MMFR3] = 0x2111, [ARM_ID32_ISAR0] = 0x101111, [ARM_ID32_ISAR1] = 0x13112111,
                [ARM_ID32_ISAR2] = 0x21232041, [ARM_ID32_ISAR3] = 0x11112131, [ARM_ID32_ISAR4] = 0x111142, [ARM_ID32_FPSID] = 0x41033090,
                [ARM_ID32_MVFR0] = 0x11110222, [ARM_ID32_MVFR1] = 0x1111111 } },
    { .name = "cortex-a15", .counter_hz = 62500000, .clidr = 0xa200023, .n_pmu_counters = 6,
      .ccsidr = { { 0x701fe00a, 0x201fe00a }, { 0x711fe07a } }, .id = { [ARM_ID_MIDR] = 0x414fc0f0, [ARM_ID_CTR] = 0x8444c004 },
      .id32 = { [ARM_ID32_PFR0] = 0x131, [ARM_ID32_PFR1] = 0x11011, [ARM_ID32_DFR0] = 0x2010555, [ARM_ID32_MMFR0] = 0x10201105,
                [ARM_ID32_MMFR1] = 0x20000000, [ARM_ID32_MMFR2] = 0x1240000, [ARM_ID32_MMFR3] = 0x2102211, [ARM_ID32_ISAR0] = 0x2101110,
                [ARM_ID32_ISAR1] = 0x13112111, [ARM_ID32_ISAR2] = 0x21232041, [ARM_ID32_ISAR3] = 0x11112131, [ARM_ID32_ISAR4] = 0x10011142,
                [ARM_ID32_FPSID] = 0x410430f0, [ARM_ID32_MVFR0] = 0x10110222, [ARM_ID32_MVFR1] = 0x11111111 } },
};

static const struct { uint8_t ext, reg, bit, value; } fields[] = {
#define ID32_FIELD(ext, reg, bit, value) { ARM_EXT_##ext, ARM_ID32_##reg, bit, value },
#include "target/arm/id32-fields.def"
#undef ID32_FIELD
};

static void each_feature(ArmModel *m, const char *names, bool on)
{
    for (const char *p = names; p && *p; p += strcspn(p, " "), p += *p == ' ') {
        int e = arm_ext_find(p, strcspn(p, " "));
        assert(e >= 0); /* our own table */
        m->ext[e] = on;
    }
}

void arm_model32_derive(ArmModel *m, const ArmModelDesc *desc, bool everything)
{
    bool missing[ARM_N_EXTS] = { false }, known[ARM_N_EXTS] = { false };

    memcpy(m->id32, desc->id32, sizeof(m->id32));
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        known[fields[i].ext] = true;
        missing[fields[i].ext] |= bits_get(m->id32[fields[i].reg], fields[i].bit, 4) < fields[i].value;
    }
    for (unsigned e = 0; e < ARM_N_EXTS; e++) {
        if (known[e] && (everything || e >= ARM_EXT_V6)) {
            m->ext[e] = !missing[e];
        }
    }
    each_feature(m, desc->features32, true);
    each_feature(m, desc->absent32, false);
}

void arm_model32_lower(ArmModel *m, unsigned ext)
{
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        uint32_t *reg = &m->id32[fields[i].reg];

        if (fields[i].ext == ext && bits_get(*reg, fields[i].bit, 4) >= fields[i].value) {
            *reg = (uint32_t)bits_set(*reg, fields[i].bit, 4, fields[i].value - 1u);
        }
    }
}

unsigned arm_model_arch(const ArmModel *m)
{
    return m->ext[ARM_EXT_V8A32] ? 8 : m->ext[ARM_EXT_V7] ? 7 : m->ext[ARM_EXT_V6] ? 6 : 5;
}

const ArmModelDesc *arm_model32_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(models); i++) {
        if (!strcmp(models[i].name, name)) {
            return &models[i];
        }
    }
    return NULL;
}

const char *const *arm_model32_names(void)
{
    static const char *names[ARRAY_SIZE(models) + 1];

    arm_model_sort_names(models, ARRAY_SIZE(models), names);
    return names;
}
