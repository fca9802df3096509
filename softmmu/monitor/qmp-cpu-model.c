/*
 * qmp-cpu-model.c: CPU models as management sees them. A model is made as -cpu would make it, for a processor that never runs, and asked.
 */
#include <stdio.h>
#include "accel/vcpu.h"
#include "softmmu/monitor/priv.h"
#include "softmmu/system.h"
#include "target/target.h"
#include "util/alloc.h"
#include "util/error.h"

/* The target that has the model: a program for 64-bit Arm runs the cores of 32 bits as well. */
static const Target *target_of(const char *model)
{
    const Target *t = target_find(system_config.arch);

    for (int i = 0; t && i < 2; i++) {
        for (const char *const *known = t->cpu_models ? t->cpu_models() : NULL; known && *known; known++) {
            if (!strcmp(*known, model)) {
                return t;
            }
        }
        t = strcmp(t->name, "aarch64") ? NULL : target_find("arm");
    }
    return NULL;
}

static void add_definitions(Json *list, const Target *t, bool all)
{
    for (const char *const *name = t && t->cpu_models ? t->cpu_models() : NULL; name && *name; name++) {
        if (!all && target_of(*name) != t) {
            continue; /* of both widths: once */
        }
        Json *item = json_object();
        const char *alias = t->cpu_alias ? t->cpu_alias(*name) : NULL;
        bool base = !strcmp(*name, "base");

        json_put_string(item, "name", *name);
        json_put(item, "typename", json_stringf("%s-%s-cpu", *name, system_cpu_family()));
        if (t->cpu_missing) {
            json_put(item, "unavailable-features", t->cpu_missing(t, *name));
            json_put_bool(item, "migration-safe", strcmp(*name, "max") && strcmp(*name, "host"));
        }
        if (alias) {
            json_put_string(item, "alias-of", alias);
        }
        json_put_bool(item, "static", base);
        json_put_bool(item, "deprecated", false);
        json_push(list, item);
    }
}

Json *qmp_query_cpu_definitions(Monitor *mon, const Json *args, Error **errp)
{
    Json *list = json_array();
    const Target *t = target_find(system_config.arch);

    add_definitions(list, t, true);
    if (t && !strcmp(t->name, "aarch64")) {
        add_definitions(list, target_find("arm"), false);
    }
    return list;
}

/* "name,prop=value…", as -cpu takes it; NULL: a property has no text. */
static char *model_text(const char *name, const Json *props, Error **errp)
{
    char *text = xstrdup(name);

    for (size_t i = 0; props && i < json_count(props); i++) {
        const Json *v = json_at(props, i);
        const char *key = json_key_at(props, i);
        char *value = json_kind(v) == JSON_BOOL     ? xstrdup(json_as_bool(v) ? "on" : "off")
                      : json_kind(v) == JSON_STRING ? xstrdup(json_as_string(v))
                                                    : json_print(v);
        char *longer = strchr(value, ',') || json_kind(v) == JSON_OBJECT ? NULL : xasprintf("%s,%s=%s", text, key, value);
        free(value);
        free(text);
        if (!longer) {
            error_set(errp, "Invalid parameter type for 'model.props.%s'", key);
            return NULL;
        }
        text = longer;
    }
    return text;
}

Json *qmp_query_cpu_model_expansion(Monitor *mon, const Json *args, Error **errp)
{
    const Json *model = json_get(args, "model"), *given = json_get(model, "props");
    const char *name = json_get_string(model, "name");
    bool full = !strcmp(json_get_string(args, "type"), "full");
    const Target *t = target_of(name);
    const char *maker = t ? t->cpu_maker : target_find(system_config.arch)->cpu_maker;

    if (!t || !t->cpu_props) {
        maker ? error_set(errp, "The CPU type '%s' is not a recognized %s CPU type", name, maker) : error_set(errp, "CPU model '%s' not found", name);
        return NULL;
    }
    if (!full && maker) {
        error_set(errp, "The requested expansion type is not supported");
        return NULL;
    }
    if (given && json_kind(given) != JSON_OBJECT) {
        error_set(errp, "Invalid parameter type for 'model.props', expected: object");
        return NULL;
    }
    char *text = model_text(name, given, errp);
    if (!text) {
        return NULL;
    }
    Vcpu *vcpu = xnew(Vcpu); /* not the first: warnings about a machine's processors are not for this one */
    vcpu->target = t;
    vcpu->softmmu = true;
    vcpu->index = 1;
    Json *ret = NULL;
    if (t->cpu_init(vcpu, text, errp)) {
        Json *expanded = json_object();
        json_put_string(expanded, "name", full ? name : "base");
        json_put(expanded, "props", t->cpu_props(vcpu, full));
        ret = json_object();
        json_put(ret, "model", expanded);
        free((void *)vcpu->model);
    }
    free(vcpu);
    free(text);
    return ret;
}
