/*
 * region.c: the tree of memory regions and the transactions that publish it.
 *
 * Every change happens between memory_begin() and memory_commit(); only the
 * outermost commit renders the views, and only if something visible changed.
 * Threads: BQL.
 */
#include <pthread.h>
#include <unistd.h>
#include "softmmu/memory/internal.h"

static unsigned memory_depth;
static bool memory_changed;
static AddressSpace *memory_spaces;
static MemoryEventfdSupport eventfd_support;

static const ObjectType memory_region_type = {
    .name = "memory-region",
    .parent = "object",
    .summary = "a region of guest memory",
    .size_bytes = sizeof(MemoryRegion),
};
OBJECT_TYPE_REGISTER(memory_region_type);

AddressSpace *address_space_first(void)
{
    return memory_spaces;
}

/* --- transactions --- */

void memory_begin(void)
{
    memory_depth++;
}

static void view_release(RcuHead *head)
{
    flatview_free(container_of(head, FlatView, rcu));
}

static bool range_equal(const FlatRange *a, const FlatRange *b)
{
    return a->first == b->first && a->last == b->last && a->mr == b->mr &&
           a->offset == b->offset && a->host == b->host && a->readonly == b->readonly;
}

static MemorySection range_section(const FlatRange *range)
{
    return (MemorySection){
        .mr = range->mr, .addr = range->first, .offset = range->offset,
        .size = (MemSize)(range->last - range->first) + 1, .readonly = range->readonly,
    };
}

/* Calls fn for the ranges of `a` that `b` does not have unchanged. */
static void view_diff(const FlatView *a, const FlatView *b, MemoryListener *listener,
                      void (*fn)(MemoryListener *, const MemorySection *))
{
    size_t j = 0;

    for (size_t i = 0; a && i < a->n; i++) {
        while (b && j < b->n && b->ranges[j].first < a->ranges[i].first) {
            j++;
        }
        if (b && j < b->n && range_equal(&a->ranges[i], &b->ranges[j])) {
            continue;
        }
        MemorySection section = range_section(&a->ranges[i]);
        fn(listener, &section);
    }
}

typedef void EventfdFn(MemoryListener *, gpa, const MemoryEventfd *);

/* Calls fn if the section shows the event. */
static void section_event(const MemorySection *section, const MemoryEventfd *event, MemoryListener *listener, EventfdFn *fn)
{
    if (event->offset >= section->offset && event->offset - section->offset + (MemSize)MAX(event->size, 1) <= section->size) {
        fn(listener, section->addr + (event->offset - section->offset), event);
    }
}

static void section_events(MemoryListener *listener, const MemorySection *section, EventfdFn *fn)
{
    for (size_t i = 0; i < section->mr->eventfds.n; i++) {
        section_event(section, &section->mr->eventfds.at[i], listener, fn);
    }
}

static void events_add(MemoryListener *listener, const MemorySection *section)
{
    section_events(listener, section, listener->eventfd_add);
}

static void events_del(MemoryListener *listener, const MemorySection *section)
{
    section_events(listener, section, listener->eventfd_del);
}

static void space_update(AddressSpace *as)
{
    FlatView *old = atomic_load_explicit(&as->view, memory_order_relaxed);
    FlatView *view = flatview_render(as->root);
    bool same = old && old->n == view->n;

    for (size_t i = 0; same && i < view->n; i++) {
        same = range_equal(&old->ranges[i], &view->ranges[i]);
    }
    if (same) {
        flatview_free(view);
        return;
    }
    for (MemoryListener *l = as->listeners; l; l = l->next) {
        if (l->begin) {
            l->begin(l);
        }
        if (l->eventfd_del) {
            view_diff(old, view, l, events_del);
        }
        if (l->region_del) {
            view_diff(old, view, l, l->region_del);
        }
    }
    atomic_store_explicit(&as->view, view, memory_order_release);
    for (MemoryListener *l = as->listeners; l; l = l->next) {
        if (l->region_add) {
            view_diff(view, old, l, l->region_add);
        }
        if (l->eventfd_add) {
            view_diff(view, old, l, events_add);
        }
        if (l->commit) {
            l->commit(l);
        }
    }
    if (old) {
        rcu_retire(&old->rcu, view_release);
    }
}

void memory_commit(void)
{
    assert(memory_depth);
    if (--memory_depth || !memory_changed) {
        return;
    }
    memory_changed = false;
    for (AddressSpace *as = memory_spaces; as; as = as->next) {
        space_update(as);
    }
}

static void memory_touch(void)
{
    memory_changed = true;
}

/* --- making regions --- */

static void region_init(MemoryRegion *mr, Object *owner, const char *name, MemoryKind kind,
                        uint64_t size_bytes)
{
    memset(mr, 0, sizeof(*mr));
    object_init_embedded(&mr->obj, &memory_region_type);
    mr->kind = kind;
    mr->enabled = true;
    mr->size = size_bytes == MEMORY_SIZE_ALL ? (MemSize)1 << 64 : size_bytes;
    mr->owner = owner;
    mr->label = xstrdup(name);
    if (!owner) {
        owner = object_resolve("/machine", NULL) ? object_container("/machine/unattached") : NULL;
    }
    if (owner) {
        char *child = xasprintf("%s[*]", name);
        object_add_child(owner, child, &mr->obj);
        free(child);
    }
}

void memory_region_init(MemoryRegion *mr, Object *owner, const char *name, uint64_t size_bytes)
{
    region_init(mr, owner, name, MEMORY_CONTAINER, size_bytes);
}

static void region_check_ops(const MemoryOps *ops)
{
    assert(ops->read && ops->write);
    assert(ops->valid.max <= 8 && ops->impl.max <= 8);
}

void memory_region_init_mmio(MemoryRegion *mr, Object *owner, const MemoryOps *ops,
                             void *opaque, const char *name, uint64_t size_bytes)
{
    region_check_ops(ops);
    region_init(mr, owner, name, MEMORY_MMIO, size_bytes);
    mr->ops = ops;
    mr->opaque = opaque;
}

bool memory_region_init_ram(MemoryRegion *mr, Object *owner, const char *name,
                            uint64_t size_bytes, Error **errp)
{
    region_init(mr, owner, name, MEMORY_RAM, size_bytes);
    if (!ram_block_alloc(mr, size_bytes, errp)) {
        memory_region_finish(mr);
        return false;
    }
    return true;
}

void memory_region_init_ram_ptr(MemoryRegion *mr, Object *owner, const char *name,
                                uint64_t size_bytes, void *host, int fd)
{
    region_init(mr, owner, name, MEMORY_RAM, size_bytes);
    ram_block_adopt(mr, size_bytes, host, fd);
}

bool memory_region_init_rom(MemoryRegion *mr, Object *owner, const char *name,
                            uint64_t size_bytes, Error **errp)
{
    if (!memory_region_init_ram(mr, owner, name, size_bytes, errp)) {
        return false;
    }
    mr->kind = MEMORY_ROM;
    mr->readonly = true;
    return true;
}

bool memory_region_init_romd(MemoryRegion *mr, Object *owner, const MemoryOps *ops,
                             void *opaque, const char *name, uint64_t size_bytes, Error **errp)
{
    region_check_ops(ops);
    if (!memory_region_init_ram(mr, owner, name, size_bytes, errp)) {
        return false;
    }
    mr->kind = MEMORY_ROMD;
    mr->romd_mode = true;
    mr->ops = ops;
    mr->opaque = opaque;
    return true;
}

void memory_region_init_alias(MemoryRegion *mr, Object *owner, const char *name,
                              MemoryRegion *target, uint64_t offset, uint64_t size_bytes)
{
    region_init(mr, owner, name, MEMORY_ALIAS, size_bytes);
    mr->alias = target;
    mr->alias_offset = offset;
}

void memory_region_finish(MemoryRegion *mr)
{
    if (!mr->label) {
        return; /* never initialised, or finished before */
    }
    if (mr->container) {
        memory_region_remove(mr->container, mr);
    }
    while (mr->first_child) {
        memory_region_remove(mr, mr->first_child);
    }
    if (mr->obj.parent) {
        object_remove(&mr->obj);
    }
    if (mr->ram) {
        ram_block_release(mr->ram);
        mr->ram = NULL;
    }
    vec_free(&mr->eventfds);
    vec_free(&mr->coalesced);
    free(mr->label);
    mr->label = NULL;
    object_unref(&mr->obj);
}

/* --- the tree --- */

static void region_link(MemoryRegion *container, MemoryRegion *mr)
{
    MemoryRegion **at = &container->first_child;

    /* A later one of the same priority hides an earlier one. */
    while (*at && (*at)->priority > mr->priority) {
        at = &(*at)->next_sibling;
    }
    mr->next_sibling = *at;
    *at = mr;
    mr->container = container;
}

static void region_unlink(MemoryRegion *mr)
{
    MemoryRegion **at = &mr->container->first_child;

    while (*at != mr) {
        at = &(*at)->next_sibling;
    }
    *at = mr->next_sibling;
    mr->next_sibling = NULL;
    mr->container = NULL;
}

void memory_region_add_overlap(MemoryRegion *container, uint64_t addr, MemoryRegion *mr,
                               int priority)
{
    assert(!mr->container && container->kind != MEMORY_ALIAS);
    memory_begin();
    mr->addr = addr;
    mr->priority = priority;
    region_link(container, mr);
    memory_touch();
    memory_commit();
}

void memory_region_add(MemoryRegion *container, uint64_t addr, MemoryRegion *mr)
{
    memory_region_add_overlap(container, addr, mr, 0);
}

void memory_region_remove(MemoryRegion *container, MemoryRegion *mr)
{
    assert(mr->container == container);
    memory_begin();
    region_unlink(mr);
    memory_touch();
    memory_commit();
}

#define REGION_CHANGE(mr, field, value)    \
    do {                                   \
        if ((mr)->field != (value)) {      \
            memory_begin();                \
            (mr)->field = (value);         \
            memory_touch();                \
            memory_commit();               \
        }                                  \
    } while (0)

void memory_region_set_enabled(MemoryRegion *mr, bool enabled)
{
    REGION_CHANGE(mr, enabled, enabled);
}

void memory_region_set_address(MemoryRegion *mr, uint64_t addr)
{
    REGION_CHANGE(mr, addr, addr);
}

void memory_region_set_size(MemoryRegion *mr, uint64_t size_bytes)
{
    MemSize size = size_bytes == MEMORY_SIZE_ALL ? (MemSize)1 << 64 : size_bytes;

    assert(!mr->ram || size <= mr->ram->size_bytes);
    REGION_CHANGE(mr, size, size);
}

void memory_region_set_readonly(MemoryRegion *mr, bool readonly)
{
    REGION_CHANGE(mr, readonly, readonly);
}

void memory_region_set_alias_offset(MemoryRegion *mr, uint64_t offset)
{
    REGION_CHANGE(mr, alias_offset, offset);
}

void memory_region_set_romd(MemoryRegion *mr, bool romd)
{
    assert(mr->kind == MEMORY_ROMD);
    REGION_CHANGE(mr, romd_mode, romd);
}

void *memory_region_host(const MemoryRegion *mr)
{
    return mr->ram ? mr->ram->host : NULL;
}

const char *memory_region_name(const MemoryRegion *mr)
{
    return mr->label;
}

uint64_t memory_region_size(const MemoryRegion *mr)
{
    return mr->size >> 64 ? MEMORY_SIZE_ALL : (uint64_t)mr->size;
}

/* --- eventfds: a list per region, read by who changes views, under the BQL --- */

void memory_set_eventfd_support(MemoryEventfdSupport support)
{
    eventfd_support = support;
}

MemoryEventfdSupport memory_eventfd_support(void)
{
    return eventfd_support;
}

/* Where the published views show it. */
static void event_changed(const MemoryRegion *mr, const MemoryEventfd *event, bool add)
{
    for (AddressSpace *as = memory_spaces; as; as = as->next) {
        const FlatView *view = atomic_load_explicit(&as->view, memory_order_relaxed);
        for (MemoryListener *l = as->listeners; l; l = l->next) {
            EventfdFn *fn = add ? l->eventfd_add : l->eventfd_del;
            for (size_t i = 0; fn && view && i < view->n; i++) {
                if (view->ranges[i].mr == mr) {
                    MemorySection section = range_section(&view->ranges[i]);
                    section_event(&section, event, l, fn);
                }
            }
        }
    }
}

void memory_region_add_eventfd(MemoryRegion *mr, const MemoryEventfd *event)
{
    *vec_push(&mr->eventfds) = *event;
    event_changed(mr, event, true);
}

void memory_region_del_eventfd(MemoryRegion *mr, const MemoryEventfd *event)
{
    for (size_t i = 0; i < mr->eventfds.n; i++) {
        MemoryEventfd *e = &mr->eventfds.at[i];
        if (e->offset == event->offset && e->size == event->size && e->fd == event->fd &&
            e->match_data == event->match_data && (!e->match_data || e->data == event->data)) {
            event_changed(mr, event, false);
            *e = mr->eventfds.at[--mr->eventfds.n];
            return;
        }
    }
}

void memory_region_add_coalescing(MemoryRegion *mr, uint64_t offset, uint64_t bytes)
{
    assert(!mr->container && offset + (MemSize)bytes <= mr->size);
    *vec_push(&mr->coalesced) = (MemoryCoalesced){ offset, bytes };
}

/* --- address spaces --- */

void address_space_init(AddressSpace *as, MemoryRegion *root, const char *name)
{
    memset(as, 0, sizeof(*as));
    as->name = xstrdup(name);
    as->root = root;
    AddressSpace **at = &memory_spaces;
    while (*at) {
        at = &(*at)->next;
    }
    *at = as;
    space_update(as);
}

void address_space_finish(AddressSpace *as)
{
    AddressSpace **at = &memory_spaces;

    while (*at != as) {
        at = &(*at)->next;
    }
    *at = as->next;
    FlatView *view = atomic_exchange(&as->view, NULL);
    rcu_retire(&view->rcu, view_release);
    memory_synchronize();
    free(as->name);
}

void memory_listener_add(MemoryListener *listener, AddressSpace *as)
{
    MemoryListener **at = &as->listeners;

    while (*at) {
        at = &(*at)->next;
    }
    listener->as = as;
    listener->next = NULL;
    *at = listener;
    if (listener->begin) {
        listener->begin(listener);
    }
    if (listener->region_add) {
        view_diff(as->view, NULL, listener, listener->region_add);
    }
    if (listener->eventfd_add) {
        view_diff(as->view, NULL, listener, events_add);
    }
    if (listener->commit) {
        listener->commit(listener);
    }
}

void memory_listener_remove(MemoryListener *listener)
{
    MemoryListener **at = &listener->as->listeners;

    while (*at != listener) {
        at = &(*at)->next;
    }
    *at = listener->next;
    if (listener->eventfd_del) {
        view_diff(listener->as->view, NULL, listener, events_del);
    }
    if (listener->region_del) {
        view_diff(listener->as->view, NULL, listener, listener->region_del);
    }
}
