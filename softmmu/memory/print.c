/*
 * print.c: the memory tree as text ("info mtree", with -f the flat views).
 */
#include "softmmu/memory/internal.h"

typedef VEC(MemoryRegion *) RegionList;

static const char *kind_name(const MemoryRegion *mr)
{
    switch (mr->kind) {
    case MEMORY_RAM: return mr->readonly ? "rom" : "ram";
    case MEMORY_ROM: return "rom";
    case MEMORY_ROMD: return "romd";
    default: return "i/o";
    }
}

static uint64_t last_of(uint64_t first, MemSize size)
{
    return size ? first + (uint64_t)(size - 1) : first;
}

static int by_place(const void *a, const void *b)
{
    const MemoryRegion *x = *(MemoryRegion *const *)a, *y = *(MemoryRegion *const *)b;

    if (x->addr != y->addr) {
        return x->addr < y->addr ? -1 : 1;
    }
    return y->priority - x->priority;
}

static void print_region(const MemoryRegion *mr, unsigned level, uint64_t base, bool disabled,
                         RegionList *aliased, PrintFn *print, void *opaque)
{
    uint64_t first = base + mr->addr, last = last_of(first, mr->size);
    const char *off = mr->enabled ? "" : " [disabled]";

    if (!mr->enabled && !disabled) {
        return;
    }
    if (mr->alias) {
        print_fmt(print, opaque, "%*s" GPA_FMT "-" GPA_FMT " (prio %d, %s): alias %s @%s " GPA_FMT "-"
             GPA_FMT "%s\n", (int)level * 2, "", first, last, mr->priority,
             kind_name(mr->alias), mr->label, mr->alias->label, mr->alias_offset,
             last_of(mr->alias_offset, mr->size), off);
        MemoryRegion *root = mr->alias;
        while (root->container) {
            root = root->container;
        }
        bool known = false;
        for (size_t i = 0; i < aliased->n; i++) {
            known |= aliased->at[i] == root;
        }
        if (!known) {
            *vec_push(aliased) = root;
        }
        return;
    }
    print_fmt(print, opaque, "%*s" GPA_FMT "-" GPA_FMT " (prio %d, %s): %s%s\n", (int)level * 2, "",
         first, last, mr->priority, kind_name(mr), mr->label, off);
    RegionList children = {0};
    for (MemoryRegion *child = mr->first_child; child; child = child->next_sibling) {
        *vec_push(&children) = child;
    }
    if (children.n) {
        qsort(children.at, children.n, sizeof(*children.at), by_place);
    }
    for (size_t i = 0; i < children.n; i++) {
        print_region(children.at[i], level + 1, first, disabled, aliased, print, opaque);
    }
    vec_free(&children);
}

static void print_flat(AddressSpace *as, PrintFn *print, void *opaque)
{
    FlatView *view = as->view;

    print_fmt(print, opaque, "FlatView\n AS \"%s\", root: %s\n Root memory region: %s\n", as->name,
         as->root ? as->root->label : "(none)", as->root ? as->root->label : "(none)");
    if (!view->n) {
        print_fmt(print, opaque, "  No rendered FlatView\n\n");
        return;
    }
    for (size_t i = 0; i < view->n; i++) {
        const FlatRange *r = &view->ranges[i];
        print_fmt(print, opaque, "  " GPA_FMT "-" GPA_FMT " (prio %d, %s): %s", r->first, r->last,
             r->mr->priority, kind_name(r->mr), r->mr->label);
        if (r->offset) {
            print_fmt(print, opaque, " @" GPA_FMT, r->offset);
        }
        print_fmt(print, opaque, "\n");
    }
    print_fmt(print, opaque, "\n");
}

void memory_print_tree(bool flat, bool disabled, PrintFn *print, void *opaque)
{
    RegionList aliased = {0};

    for (AddressSpace *as = address_space_first(); as; as = as->next) {
        if (flat) {
            print_flat(as, print, opaque);
            continue;
        }
        print_fmt(print, opaque, "address-space: %s\n", as->name);
        if (as->root) {
            print_region(as->root, 1, 0, disabled, &aliased, print, opaque);
        }
        print_fmt(print, opaque, "\n");
    }
    for (size_t i = 0; i < aliased.n; i++) {
        print_fmt(print, opaque, "memory-region: %s\n", aliased.at[i]->label);
        print_region(aliased.at[i], 1, 0, disabled, &aliased, print, opaque);
        print_fmt(print, opaque, "\n");
    }
    vec_free(&aliased);
}
