/*
 * cpu-props.c: properties of CPU models (-cpu MODEL,property=value…), and what management is told of them.
 *
 * Switches belong to cores that have the feature; off takes with it what needs the feature, and the identification registers follow.
 */
#include <stdio.h>
#include "target/arm/cpu-model.h"
#include "util/json.h"
#include "util/parse.h"

static const char *const pauth_names[ARM_N_PAUTH_KINDS] = {
    [ARM_PAUTH_QARMA5] = "pauth-qarma5", [ARM_PAUTH_IMPDEF] = "pauth-impdef", [ARM_PAUTH_QARMA3] = "pauth-qarma3",
};

static const struct { const char *name; uint8_t ext; bool only_max, only32; } switches[] = {
    { "pmu", ARM_EXT_PMUv3 }, { "vfp", ARM_EXT_FP }, { "neon", ARM_EXT_AdvSIMD }, { "vfp-d32", ARM_EXT_VFPD32, .only32 = true },
    { "lpa2", ARM_EXT_LPA2, .only_max = true }, { "has_el2", ARM_EXT_EL2 }, { "has_el3", ARM_EXT_EL3 },
};

static bool is_max(const ArmModel *m) { return !strcmp(m->name, "max"); }

static bool set_switch(ArmModel *m, ArmCpuChoice *c, const char *name, const char *value, bool *found, Error **errp)
{
    bool on;

    for (size_t i = 0; i < ARRAY_SIZE(switches); i++) {
        if (strcmp(name, switches[i].name) || !m->ext[switches[i].ext] || (switches[i].only_max && !is_max(m)) ||
            (switches[i].only32 && m->aarch64)) {
            continue;
        }
        *found = true;
        if (!parse_bool(name, value, &on, errp)) {
            return false;
        }
        c->off[switches[i].ext] = !on;
        return true;
    }
    return true;
}

/* SVE and SME are not there: off is how it is. */
static bool set_absent(const ArmModel *m, const char *name, const char *value, bool *found, Error **errp)
{
    bool on, number = !strncmp(name, "sve", 3) && name[3] && strspn(name + 3, "0123456789") == strlen(name + 3);

    if (!is_max(m) || !(number || !strcmp(name, "sve") || !strcmp(name, "sme") || !strcmp(name, "mte"))) {
        return true;
    }
    *found = true;
    if (!parse_bool(name, value, &on, errp)) {
        return false;
    }
    if (on) {
        error_set(errp, "'%s' is not supported", name);
    }
    return !on;
}

static bool set_pauth(const ArmModel *m, ArmCpuChoice *c, const char *name, const char *value, bool *found, Error **errp)
{
    bool on, *kind = NULL;

    for (unsigned k = 0; k < ARM_N_PAUTH_KINDS; k++) {
        kind = strcmp(name, pauth_names[k]) ? kind : &c->pauth[k];
    }
    if (!m->ext[ARM_EXT_PAuth] || (!kind && strcmp(name, "pauth"))) {
        return true;
    }
    *found = true;
    if (!parse_bool(name, value, &on, errp)) {
        return false;
    }
    if (kind) {
        *kind = on;
    } else {
        c->no_pauth = !on;
    }
    return true;
}

static bool set_aarch64(const ArmModel *m, const char *name, const char *value, Error **errp)
{
    bool on;

    if (!parse_bool(name, value, &on, errp)) {
        return false;
    }
    if (!on && !m->ext[ARM_EXT_AA32EL1] && m->aarch64) {
        error_set(errp, "'aarch64' feature cannot be disabled: '%s' has AArch32 at level 0 at most", m->name);
    } else if (on && !m->aarch64) {
        error_set(errp, "'aarch64' feature cannot be enabled: '%s' has AArch32 alone", m->name);
    } else {
        return true; /* off: arm_model_only32() has seen it */
    }
    return false;
}

bool arm_set_property(ArmModel *m, ArmCpuChoice *choice, const char *name, const char *value, Error **errp)
{
    bool found = false;
    uint64_t number;

    if (!strcmp(name, "cntfrq")) {
        if (!parse_uint(name, value, UINT32_MAX, &number, errp) || !number) {
            return false;
        }
        m->counter_hz = (uint32_t)number;
        return true;
    } else if (!strcmp(name, "midr")) {
        if (!parse_uint(name, value, UINT32_MAX, &number, errp)) {
            return false;
        }
        m->id[ARM_ID_MIDR] = number ? number : m->id[ARM_ID_MIDR];
        return true;
    } else if (!strcmp(name, "aarch64")) {
        return set_aarch64(m, name, value, errp);
    }
    if (!set_switch(m, choice, name, value, &found, errp) || !set_absent(m, name, value, &found, errp) ||
        !set_pauth(m, choice, name, value, &found, errp)) {
        return false;
    }
    if (!found) {
        error_set(errp, "Property '%s-arm-cpu.%s' not found", m->name, name);
    }
    return found;
}

static bool pauth_finish(ArmModel *m, const ArmCpuChoice *c, Error **errp)
{
    unsigned kind = 0, level = arm_pauth_level(m->id, &kind), n = 0;

    for (unsigned k = 0; k < ARM_N_PAUTH_KINDS; k++) {
        n += c->pauth[k];
        kind = c->pauth[k] ? k : kind;
    }
    if (c->no_pauth && n) {
        error_set(errp, "cannot enable pauth-impdef, pauth-qarma3 or pauth-qarma5 without pauth");
        return false;
    }
    if (n > 1) {
        error_set(errp, "cannot enable pauth-impdef, pauth-qarma3 and pauth-qarma5 at the same time");
        return false;
    }
    arm_pauth_put(m, kind, c->no_pauth ? 0 : level);
    return true;
}

bool arm_properties_finish(ArmModel *m, const ArmCpuChoice *choice, Error **errp)
{
    const bool *off = choice->off;

    if (m->aarch64 && off[ARM_EXT_FP] != off[ARM_EXT_AdvSIMD]) {
        error_set(errp, "AArch64 CPUs must have both VFP and Neon or neither");
        return false;
    }
    if (!m->aarch64 && !off[ARM_EXT_FP] && m->ext[ARM_EXT_AdvSIMD] && off[ARM_EXT_VFPD32] != off[ARM_EXT_AdvSIMD]) {
        error_set(errp, "ARM CPUs must have both VFP-D32 and Neon or neither");
        return false;
    }
    for (unsigned e = 0; e < ARM_N_EXTS; e++) {
        if (off[e]) {
            arm_model_feature_off(m, e);
        }
    }
    return !m->aarch64 || pauth_finish(m, choice, errp);
}

/* Those that the reference advertises, with what they are now. */
Json *arm_model_props(const Vcpu *vcpu, bool full)
{
    const ArmModel *m = vcpu->model;
    Json *props = json_object();
    unsigned kind = 0, level = arm_pauth_level(m->id, &kind);

    if (m->aarch64) {
        json_put_bool(props, "aarch64", true);
    }
    if (m->n_pmu_counters) {
        json_put_bool(props, "pmu", m->ext[ARM_EXT_PMUv3]);
    }
    if (is_max(m) && m->aarch64) {
        json_put_bool(props, "sve", false);
    }
    if (level || is_max(m)) {
        json_put_bool(props, "pauth", level);
        for (unsigned k = 0; k < ARM_N_PAUTH_KINDS; k++) {
            json_put_bool(props, pauth_names[k], level && k == kind);
        }
    }
    return props;
}
