/*
 * cpu-model.c: CPU models (-cpu MODEL,prop=value…).
 *
 * A real core is its identification registers, as its Technical Reference Manual gives them; features follow from their fields. "max" is
 * a list of features, from which the fields follow.
 */
#include <stdio.h>
#include "target/arm/cpu.h"
#include "util/alloc.h"

typedef struct ModelDesc {
    const char *name;
    uint64_t id[ARM_N_ID_REGS];
    uint32_t counter_hz;
    bool max;
} ModelDesc;

/* What "max" has beyond the fields below: every feature there is a handler for. */
static const uint8_t max_exts[] = { ARM_EXT_FP, ARM_EXT_AdvSIMD, ARM_EXT_RDM, ARM_EXT_DotProd, ARM_EXT_I8MM };

static const ModelDesc models[] = {
    { .name = "max", .max = true, .counter_hz = 62500000,
      .id = { [ARM_ID_MIDR] = 0x000f0510, [ARM_ID_MPIDR] = 0x80000000, [ARM_ID_PFR0] = 0xff0011, [ARM_ID_DFR0] = 0x6, [ARM_ID_MMFR0] = 0xff000000,
              [ARM_ID_CTR] = 0x84448004, [ARM_ID_DCZID] = 4 } },
};

static const struct { uint8_t ext, reg, bit; int8_t value; } fields[] = {
#define ID_FIELD(ext, reg, bit, value) { ARM_EXT_##ext, ARM_ID_##reg, bit, value },
#include "target/arm/id-fields.def"
#undef ID_FIELD
};

static int field_get(const ArmModel *m, size_t i)
{
    return (int)bits_sext(bits_get(m->id[fields[i].reg], fields[i].bit, 4), 4);
}

/* ext[] from id[]. */
static void derive_features(ArmModel *m)
{
    bool missing[ARM_N_EXTS] = { false }, known[ARM_N_EXTS] = { false };

    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        known[fields[i].ext] = true;
        missing[fields[i].ext] |= field_get(m, i) < fields[i].value;
    }
    for (unsigned e = 0; e < ARM_N_EXTS; e++) {
        m->ext[e] = known[e] && !missing[e];
    }
}

/* The fields of a feature that is turned on. */
static void add_feature(ArmModel *m, unsigned ext)
{
    m->ext[ext] = true;
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        if (fields[i].ext == ext && field_get(m, i) < fields[i].value) {
            m->id[fields[i].reg] = bits_set(m->id[fields[i].reg], fields[i].bit, 4, (uint64_t)fields[i].value);
        }
    }
}

bool arm_model_init(Vcpu *vcpu, const char *model, Error **errp)
{
    const char *text = model && *model ? model : vcpu->target->default_cpu;
    size_t n = strcspn(text, ",");
    const ModelDesc *desc = NULL;

    for (size_t i = 0; i < ARRAY_SIZE(models); i++) {
        if (strlen(models[i].name) == n && !strncmp(models[i].name, text, n)) {
            desc = &models[i];
        }
    }
    if (!desc) {
        error_set(errp, "unable to find CPU model '%.*s'", (int)n, text);
        return false;
    }
    if (text[n]) {
        error_set(errp, "Property '%s-arm-cpu.%.*s' not found", desc->name, (int)strcspn(text + n + 1, "=,"), text + n + 1);
        return false;
    }
    ArmModel *m = xnew(ArmModel);
    m->name = desc->name;
    m->counter_hz = desc->counter_hz;
    memcpy(m->id, desc->id, sizeof(m->id));
    derive_features(m);
    for (size_t i = 0; desc->max && i < ARRAY_SIZE(max_exts); i++) {
        add_feature(m, max_exts[i]);
    }
    vcpu->model = m;
    return true;
}

void arm_models_print(FILE *out)
{
    fprintf(out, "Available CPUs:\n");
    for (size_t i = 0; i < ARRAY_SIZE(models); i++) {
        fprintf(out, "  %s\n", models[i].name);
    }
}

const char *const *arm_model_names(void)
{
    static const char *names[ARRAY_SIZE(models) + 1];

    for (size_t i = 0; i < ARRAY_SIZE(models); i++) {
        names[i] = models[i].name;
    }
    return names;
}
