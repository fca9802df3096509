/*
 * model-info.c: what management is told of CPU models (query-cpu-model-expansion, query-cpu-definitions).
 *
 * A static expansion lists all that makes a model, on top of `base`: features by their first names and the numbers that CPUID shows. A full one
 * has second names and the other properties, too.
 */
#include "target/x86/cpu-model.h"
#include "util/json.h"

static bool has(const X86Model *m, uint16_t f) { return m->features[f / 32] >> (f % 32) & 1; }

/* fxsr-opt is also fxsr_opt. */
static void put_feature(Json *props, const char *name, bool on, bool full)
{
    char other[40];
    size_t i;

    json_put_bool(props, name, on);
    for (i = 0; name[i] && i + 1 < sizeof(other); i++) {
        other[i] = name[i] == '-' || name[i] == '.' ? '_' : name[i];
    }
    other[i] = 0;
    if (full && strcmp(other, name)) {
        json_put_bool(props, other, on);
    }
}

Json *x86_model_props(const Vcpu *vcpu, bool full)
{
    const X86Model *m = vcpu->model;
    Json *props = json_object();
    const char *name;
    uint16_t f;

    for (size_t i = 0; (name = x86_feature_at(i, &f)); i++) {
        put_feature(props, name, has(m, f), full);
    }
    json_put_string(props, "vendor", m->vendor);
    json_put_string(props, "model-id", m->model_id);
    json_put_uint(props, "family", m->family);
    json_put_uint(props, "model", m->model);
    json_put_uint(props, "stepping", m->stepping);
    json_put_uint(props, "min-level", m->level);
    json_put_uint(props, "min-xlevel", m->xlevel);
    if (!full) {
        return props;
    }
    for (size_t i = 0; (name = x86_feature_alias_at(i, &f)); i++) {
        put_feature(props, name, has(m, f), true);
    }
    json_put_uint(props, "level", m->level);
    json_put_uint(props, "xlevel", m->xlevel);
    json_put_uint(props, "phys-bits", m->phys_bits);
    json_put_uint(props, "ucode-rev", m->ucode_rev);
    json_put_uint(props, "tsc-frequency", m->tsc_hz);
    json_put_bool(props, "tcg-cpuid", m->accel_leaf);
    json_put_bool(props, "kvm", m->kvm_leaf);
    json_put_bool(props, "cpuid-0xb", m->topology_leaf);
    json_put_bool(props, "l3-cache", m->l3_cache);
    json_put_bool(props, "check", true);
    json_put_bool(props, "enforce", false);
    if (m->is_max) {
        json_put_bool(props, "migratable", true);
    }
    return props;
}

Json *x86_model_missing_names(const Target *target, const char *model)
{
    uint32_t bits[X86_N_FEATURE_WORDS];
    Json *names = json_array();
    const char *name;
    uint16_t f;

    if (!x86_model_missing(target, model, bits)) {
        json_push(names, json_string("kvm")); /* "host": what it takes */
        return names;
    }
    for (size_t i = 0; (name = x86_feature_at(i, &f)); i++) {
        if (bits[f / 32] >> (f % 32) & 1) {
            json_push(names, json_string(name));
        }
    }
    return names;
}
