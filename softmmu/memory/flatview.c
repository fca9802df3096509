/*
 * flatview.c: from a tree of regions to a sorted list of ranges, and back from
 * an address to its range.
 *
 * Rendering walks the tree from the highest priority down and claims only
 * addresses that nobody claimed before. Coordinates are signed and wider than
 * 64 bits, because an alias may place its target's start far below 0.
 */
#include "softmmu/memory/internal.h"

typedef __int128 Coord;

typedef struct Render {
    FlatRange *ranges;
    size_t n, cap;
} Render;

static void render_insert(Render *r, size_t at, const FlatRange *range)
{
    if (r->n == r->cap) {
        r->ranges = vec_grow(r->ranges, &r->cap, sizeof(*r->ranges));
    }
    memmove(&r->ranges[at + 1], &r->ranges[at], (r->n - at) * sizeof(*r->ranges));
    r->ranges[at] = *range;
    r->n++;
}

/* mr covers [start, end) clipped already; base is where its offset 0 would be. */
static void render_leaf(Render *r, MemoryRegion *mr, Coord base, Coord start, Coord end,
                        bool readonly)
{
    bool direct = mr->ram && (mr->kind != MEMORY_ROMD || mr->romd_mode);
    Coord pos = start;

    for (size_t i = 0; pos < end; i++) {
        if (i < r->n && (Coord)r->ranges[i].last < pos) {
            continue;
        }
        Coord stop = i < r->n && (Coord)r->ranges[i].first < end ? (Coord)r->ranges[i].first : end;
        if (pos < stop) {
            FlatRange range = {
                .first = (gpa)pos, .last = (gpa)(stop - 1), .mr = mr,
                .offset = (uint64_t)(pos - base),
                .readonly = readonly || mr->kind == MEMORY_ROM || mr->kind == MEMORY_ROMD,
            };
            if (direct) {
                range.ram = mr->ram;
                range.host = mr->ram->host + range.offset;
            }
            render_insert(r, i, &range);
            i++;
        }
        if (i >= r->n) {
            break;
        }
        pos = (Coord)r->ranges[i].last + 1;
    }
}

static void render_region(Render *r, MemoryRegion *mr, Coord base, Coord clip_start,
                          Coord clip_end, bool readonly, unsigned depth)
{
    if (!mr->enabled || depth > 64) {
        return;
    }
    base += mr->addr;
    Coord start = base > clip_start ? base : clip_start;
    Coord end = base + (Coord)mr->size < clip_end ? base + (Coord)mr->size : clip_end;
    if (start >= end) {
        return;
    }
    readonly |= mr->readonly;
    if (mr->alias) {
        /* The target's own place in its container does not matter here. */
        render_region(r, mr->alias, base - (Coord)mr->alias->addr - (Coord)mr->alias_offset,
                      start, end, readonly, depth + 1);
        return;
    }
    for (MemoryRegion *child = mr->first_child; child; child = child->next_sibling) {
        render_region(r, child, base, start, end, readonly, depth + 1);
    }
    if (mr->kind != MEMORY_CONTAINER) {
        render_leaf(r, mr, base, start, end, readonly);
    }
}

FlatView *flatview_render(MemoryRegion *root)
{
    FlatView *view = xnew(FlatView);
    Render r = {0};
    size_t n = 0;

    if (root) {
        render_region(&r, root, -(Coord)root->addr, 0, (Coord)1 << 64, false, 0);
    }
    /* Neighbours that continue each other become one range. */
    for (size_t i = 0; i < r.n; i++) {
        FlatRange *prev = n ? &r.ranges[n - 1] : NULL, *cur = &r.ranges[i];
        if (prev && prev->last + 1 == cur->first && prev->mr == cur->mr &&
            prev->readonly == cur->readonly &&
            (cur->host ? prev->host && prev->host + (cur->first - prev->first) == cur->host : !prev->host) &&
            prev->offset + (cur->first - prev->first) == cur->offset) {
            prev->last = cur->last;
        } else {
            r.ranges[n++] = *cur;
        }
    }
    view->ranges = r.ranges;
    view->n = n;
    return view;
}

void flatview_free(FlatView *view)
{
    free(view->ranges);
    free(view);
}

const FlatRange *flatview_find(const FlatView *view, gpa addr)
{
    size_t low = 0, high = view->n;

    while (low < high) {
        size_t mid = (low + high) / 2;
        const FlatRange *range = &view->ranges[mid];
        if (addr < range->first) {
            high = mid;
        } else if (addr > range->last) {
            low = mid + 1;
        } else {
            return range;
        }
    }
    return NULL;
}

/* Distance from addr to the next range, where nobody answers. */
static uint64_t flatview_gap(const FlatView *view, gpa addr)
{
    size_t low = 0, high = view->n;

    while (low < high) {
        size_t mid = (low + high) / 2;
        if (view->ranges[mid].first > addr) {
            high = mid;
        } else {
            low = mid + 1;
        }
    }
    if (low < view->n) {
        return view->ranges[low].first - addr;
    }
    return addr ? -addr : UINT64_MAX;
}

MemLookup memory_lookup(AddressSpace *as, gpa addr)
{
    FlatView *view = atomic_load_explicit(&as->view, memory_order_acquire);
    const FlatRange *range = flatview_find(view, addr);
    MemLookup result = {0};

    if (!range) {
        result.length = flatview_gap(view, addr);
        return result;
    }
    result.mr = range->mr;
    result.offset = range->offset + (addr - range->first);
    result.length = range->last - addr + 1;
    if (!result.length) {
        result.length = UINT64_MAX;
    }
    result.readonly = range->readonly;
    if (range->host) {
        result.host = range->host + (addr - range->first);
        result.ram = range->ram;
        result.ram_addr = range->ram->ram_addr + result.offset;
    }
    return result;
}

MemLookup memory_lookup_page(AddressSpace *as, gpa addr, uint64_t page_bytes)
{
    gpa page = ROUND_DOWN(addr, page_bytes);
    MemLookup result = memory_lookup(as, page);

    if (result.host && result.length >= page_bytes) {
        result.length = page_bytes;
        return result;
    }
    result = memory_lookup(as, addr);
    result.host = NULL;
    return result;
}
