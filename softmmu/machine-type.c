/*
 * machine-type.c: the table of boards and their help.
 */
#include "softmmu/machine.h"

typedef VEC(const MachineType *) TypeList;

static void collect(const ObjectType *type, void *opaque)
{
    if (!type->abstract && object_type_is_a(type, "machine")) {
        *vec_push((TypeList *)opaque) = (const MachineType *)type;
    }
}

static bool has_arch(const MachineType *type, const char *arch)
{
    for (size_t i = 0; type->arches[i]; i++) {
        if (!strcmp(type->arches[i], arch)) {
            return true;
        }
    }
    return false;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const MachineType *const *)a)->name, (*(const MachineType *const *)b)->name);
}

void machine_type_foreach(const char *arch, void (*fn)(const MachineType *type, void *opaque),
                          void *opaque)
{
    TypeList list = {0};

    object_type_foreach(collect, &list);
    if (list.n) {
        qsort(list.at, list.n, sizeof(*list.at), by_name);
    }
    for (size_t i = 0; i < list.n; i++) {
        if (has_arch(list.at[i], arch)) {
            fn(list.at[i], opaque);
        }
    }
    vec_free(&list);
}

typedef struct FindVisit {
    const char *name; /* NULL: the default */
    const MachineType *hit;
} FindVisit;

static void find_visit(const MachineType *type, void *opaque)
{
    FindVisit *v = opaque;

    if (v->name ? !strcmp(type->name, v->name) || (type->alias && !strcmp(type->alias, v->name))
                : type->is_default) {
        v->hit = type;
    }
}

const MachineType *machine_type_find(const char *name, const char *arch)
{
    FindVisit v = { .name = name };

    machine_type_foreach(arch, find_visit, &v);
    return v.hit;
}

const MachineType *machine_type_default(const char *arch)
{
    return machine_type_find(NULL, arch);
}

typedef struct PrintVisit {
    PrintFn *print;
    void *opaque;
} PrintVisit;

static void print_visit(const MachineType *type, void *opaque)
{
    PrintVisit *v = opaque;

    if (type->alias) {
        print_fmt(v->print, v->opaque, "%-20s %s (alias of %s)\n", type->alias, type->desc, type->name);
    }
    print_fmt(v->print, v->opaque, "%-20s %s%s\n", type->name, type->desc,
              type->is_default ? " (default)" : "");
}

void machine_print_types(const char *arch, PrintFn *print, void *opaque)
{
    PrintVisit v = { print, opaque };

    print(opaque, "Supported machines are:\n");
    machine_type_foreach(arch, print_visit, &v);
}

typedef VEC(const Property *) PropList;

static void collect_prop(const ObjectType *owner, const Property *prop, void *opaque)
{
    *vec_push((PropList *)opaque) = prop;
}

static int prop_by_name(const void *a, const void *b)
{
    return strcmp((*(const Property *const *)a)->name, (*(const Property *const *)b)->name);
}

void machine_print_help(const MachineType *type, PrintFn *print, void *opaque)
{
    PropList props = {0};

    print_fmt(print, opaque, "%s options:\n", type->type.name);
    object_type_foreach_prop(&type->type, collect_prop, &props);
    if (props.n) {
        qsort(props.at, props.n, sizeof(*props.at), prop_by_name);
    }
    for (size_t i = 0; i < props.n; i++) {
        const Property *p = props.at[i];
        char *head = xasprintf("%s=<%s>", p->name, property_type_name(p));
        char *def = property_default_text(p);
        print_fmt(print, opaque, "  %-22s%s%s%s%s%s\n", head, p->help || def ? " - " : "",
                  p->help ? p->help : "", def ? " (default: " : "", def ? def : "",
                  def ? ")" : "");
        free(head);
        free(def);
    }
    vec_free(&props);
}
