/*
 * graph.c: nodes, the edges between them, and permissions.
 *
 * Invariant: for each two edges e, f of a node, e.perm is within f.shared. A change is tried on the edges themselves and taken back when a
 * node further down refuses it.
 */
#include <string.h>

#include "block/bitmap.h"
#include "block/node-internal.h"
#include "util/alloc.h"

static BlockNode *all_nodes;

const char *const prealloc_names[] = { "off", "metadata", "falloc", "full", NULL };

BlockNode *node_next(const BlockNode *node)
{
    return node ? node->next : all_nodes;
}

BlockNode *node_find(const char *name)
{
    for (BlockNode *n = all_nodes; n; n = n->next) {
        if (!strcmp(n->name, name)) {
            return n;
        }
    }
    return NULL;
}

BlockNode *node_new(const BlockDriver *driver, const char *name)
{
    static unsigned count = 100;
    BlockNode *node = xnew(BlockNode), **at = &all_nodes;

    node->driver = driver;
    node->state = driver->state_bytes ? xcalloc(1, driver->state_bytes) : NULL;
    node->name = name ? xstrdup(name) : xasprintf("#block%u", count++);
    node->refs = 1;
    node->request_align = 1;
    node->memory_align = 1;
    node->shared = PERM_ALL;
    node->context = ioctx_main();
    co_queue_init(&node->flush_waiters);
    co_queue_init(&node->quiesce_waiters);
    while (*at) {
        at = &(*at)->next;
    }
    *at = node;
    return node;
}

BlockNode *node_ref(BlockNode *node)
{
    node->refs++;
    return node;
}

static void node_free(BlockNode *node)
{
    node_drain(node);
    if (node->driver->close && node->is_open) {
        if (!node->readonly && node->flushed < node->writes) {
            node_flush(node);
        }
        node->driver->close(node);
    }
    bitmaps_free(node);
    while (node->children) {
        edge_detach(node->children);
    }
    for (BlockNode **at = &all_nodes; *at; at = &(*at)->next) {
        if (*at == node) {
            *at = node->next;
            break;
        }
    }
    json_free(node->options);
    free(node->backing_file);
    free(node->backing_format);
    free(node->filename);
    free(node->name);
    free(node->state);
    free(node);
}

void node_unref(BlockNode *node)
{
    if (node && !--node->refs) {
        node_free(node);
    }
}

/* -- permissions ---------------------------------------------------------------------------------------------------- */

static const char *const perm_names[] = { "consistent read", "write", "write unchanged", "resize" };

static char *describe_perms(unsigned perm)
{
    char *text = xstrdup("");

    for (unsigned i = 0; i < ARRAY_SIZE(perm_names); i++) {
        if (perm >> i & 1) {
            char *longer = xasprintf("%s%s%s", text, *text ? ", " : "", perm_names[i]);
            free(text);
            text = longer;
        }
    }
    return text;
}

static const char *edge_user(const BlockEdge *edge)
{
    return edge->parent ? edge->parent->name : edge->name;
}

/* What a parent asks of a child when its driver says nothing else. */
static void default_child_perm(BlockNode *node, const BlockEdge *edge, unsigned perm, unsigned shared, unsigned *ret_perm, unsigned *ret_shared)
{
    if (edge->role & ROLE_FILTERED || !(edge->role & (ROLE_METADATA | ROLE_COW))) {
        *ret_perm = perm;
        *ret_shared = shared;
    } else if (edge->role & ROLE_COW) {
        /* A backing image is only read; it may change under a parent whose own data may. */
        *ret_perm = perm & PERM_READ;
        *ret_shared = PERM_READ | PERM_WRITE_UNCHANGED | (shared & PERM_WRITE ? PERM_WRITE | PERM_RESIZE : 0);
    } else {
        *ret_perm = (perm & PERM_READ) | (node->readonly ? 0 : PERM_READ | PERM_WRITE | PERM_RESIZE);
        *ret_shared = shared & ~(unsigned)(PERM_WRITE | PERM_RESIZE);
    }
    if (node->readonly) {
        *ret_perm &= ~(unsigned)(PERM_WRITE | PERM_WRITE_UNCHANGED | PERM_RESIZE);
    }
    if (node->flags & BLOCK_FORCE_SHARE) {
        *ret_shared = PERM_ALL;
    }
}

typedef struct PermChange {
    BlockEdge *edge;
    BlockNode *node;           /* whose sums changed; NULL: the edge's did */
    unsigned perm, shared;     /* before */
} PermChange;
typedef VEC(PermChange) PermLog;

static bool check_edge(const BlockEdge *edge, unsigned perm, unsigned shared, Error **errp)
{
    for (const BlockEdge *other = edge->node->parents; other; other = other->next_parent) {
        unsigned wanted = perm & ~other->shared, denied = other->perm & ~shared;
        if (other == edge || !(wanted | denied)) {
            continue;
        }
        char *text = describe_perms(wanted ? wanted : denied);
        error_set(errp, "Conflicts with use by %s as '%s', which %s '%s' on %s", edge_user(other), other->parent ? other->name : "root",
                  wanted ? "does not allow" : "uses", text, edge->node->name);
        free(text);
        return false;
    }
    return true;
}

static bool update_node(BlockNode *node, PermLog *log, Error **errp);

static bool change_edge(BlockEdge *edge, unsigned perm, unsigned shared, PermLog *log, Error **errp)
{
    if (!check_edge(edge, perm, shared, errp)) {
        return false;
    }
    *vec_push(log) = (PermChange){ .edge = edge, .perm = edge->perm, .shared = edge->shared };
    edge->perm = perm;
    edge->shared = shared;
    return update_node(edge->node, log, errp);
}

static bool update_node(BlockNode *node, PermLog *log, Error **errp)
{
    unsigned perm = 0, shared = PERM_ALL;

    for (const BlockEdge *e = node->parents; e; e = e->next_parent) {
        perm |= e->perm;
        shared &= e->shared;
    }
    if (perm & (PERM_WRITE | PERM_WRITE_UNCHANGED) && node->readonly) {
        error_set(errp, "Block node '%s' is read-only", node->name);
        return false;
    }
    *vec_push(log) = (PermChange){ .node = node, .perm = node->perm, .shared = node->shared };
    node->perm = perm;
    node->shared = shared;
    if (node->driver->set_perm && !node->driver->set_perm(node, perm, node->flags & BLOCK_FORCE_SHARE ? PERM_ALL : shared, errp)) {
        return false;
    }
    for (BlockEdge *e = node->children; e; e = e->next_child) {
        unsigned child_perm, child_shared;
        (node->driver->child_perm ? node->driver->child_perm : default_child_perm)(node, e, perm, shared, &child_perm, &child_shared);
        if (!change_edge(e, child_perm, child_shared, log, errp)) {
            return false;
        }
    }
    return true;
}

static void take_back(PermLog *log)
{
    while (log->n) {
        PermChange *c = &log->at[--log->n];
        if (c->edge) {
            c->edge->perm = c->perm;
            c->edge->shared = c->shared;
            continue;
        }
        c->node->perm = c->perm;
        c->node->shared = c->shared;
        if (c->node->driver->set_perm) {
            c->node->driver->set_perm(c->node, c->perm, c->shared, NULL);
        }
    }
}

static bool finish_change(PermLog *log, bool ok)
{
    if (!ok) {
        take_back(log);
    }
    vec_free(log);
    return ok;
}

bool edge_set_perm(BlockEdge *edge, unsigned perm, unsigned shared, Error **errp)
{
    PermLog log = { 0 };
    return finish_change(&log, change_edge(edge, perm, shared, &log, errp));
}

bool node_update_perms(BlockNode *node, Error **errp)
{
    PermLog log = { 0 };
    return finish_change(&log, update_node(node, &log, errp));
}

/* -- edges ---------------------------------------------------------------------------------------------------------- */

static void link_parent(BlockEdge *edge)
{
    edge->next_parent = edge->node->parents;
    edge->node->parents = edge;
}

static void unlink_parent(BlockEdge *edge)
{
    for (BlockEdge **at = &edge->node->parents; *at; at = &(*at)->next_parent) {
        if (*at == edge) {
            *at = edge->next_parent;
            return;
        }
    }
}

static BlockEdge *edge_new(BlockNode *node, BlockNode *parent, const char *name, unsigned role)
{
    BlockEdge *edge = xnew(BlockEdge);

    *edge = (BlockEdge){ .node = node_ref(node), .parent = parent, .name = xstrdup(name), .role = role, .shared = PERM_ALL };
    link_parent(edge);
    if (parent) {
        BlockEdge **at = &parent->children;
        while (*at) {
            at = &(*at)->next_child;
        }
        *at = edge;
    }
    return edge;
}

void edge_detach(BlockEdge *edge)
{
    BlockNode *node = edge->node;

    unlink_parent(edge);
    if (edge->parent) {
        for (BlockEdge **at = &edge->parent->children; *at; at = &(*at)->next_child) {
            if (*at == edge) {
                *at = edge->next_child;
                break;
            }
        }
    }
    if (node->refs > 1) {
        node_update_perms(node, NULL); /* asking for less is never refused */
    }
    node_unref(node);
    free((char *)edge->name);
    free(edge);
}

BlockEdge *node_attach(BlockNode *node, const char *user, unsigned perm, unsigned shared, Error **errp)
{
    BlockEdge *edge = edge_new(node, NULL, user, 0);

    if (!edge_set_perm(edge, perm, shared, errp)) {
        edge_detach(edge);
        return NULL;
    }
    return edge;
}

BlockEdge *node_add_child(BlockNode *node, BlockNode *child, const char *name, unsigned role, Error **errp)
{
    BlockEdge *edge = edge_new(child, node, name, role);
    bool is_new = !node->is_open; /* permissions come when the open node gets its first parent */

    if (!is_new && !node_update_perms(node, errp)) {
        edge_detach(edge);
        return NULL;
    }
    return edge;
}

BlockEdge *node_child(const BlockNode *node, const char *name)
{
    for (BlockEdge *e = node->children; e; e = e->next_child) {
        if (!strcmp(e->name, name)) {
            return e;
        }
    }
    return NULL;
}

bool edge_replace(BlockEdge *edge, BlockNode *node, Error **errp)
{
    BlockNode *old = edge->node;
    unsigned perm = edge->perm, shared = edge->shared;
    PermLog log = { 0 };

    if (old == node) {
        return true;
    }
    node_drain(old);
    unlink_parent(edge);
    node_update_perms(old, NULL); /* what it asked of its own children may be in the way */
    edge->node = node_ref(node);
    edge->perm = 0;
    edge->shared = PERM_ALL;
    link_parent(edge);
    if (!finish_change(&log, change_edge(edge, perm, shared, &log, errp))) {
        unlink_parent(edge);
        node_unref(node);
        edge->node = old;
        edge->perm = 0;
        edge->shared = PERM_ALL;
        link_parent(edge);
        edge_set_perm(edge, perm, shared, NULL); /* as it was */
        return false;
    }
    node_unref(old);
    return true;
}

/* Whether `node` is `below`, or has it somewhere beneath. */
static bool is_above(const BlockNode *node, const BlockNode *below)
{
    bool above = node == below;

    for (const BlockEdge *e = node->children; e && !above; e = e->next_child) {
        above = is_above(e->node, below);
    }
    return above;
}

bool node_replace(BlockNode *from, BlockNode *to, Error **errp)
{
    VEC(BlockEdge *) moved = { 0 };
    bool ok = true;

    for (BlockEdge *e = from->parents, *next; e && ok; e = next) {
        next = e->next_parent;
        /* A parent beneath `to` would be made its own ancestor. */
        if (e->stays || e->parent == to || (e->parent && is_above(to, e->parent))) {
            continue;
        }
        ok = edge_replace(e, to, errp);
        if (ok) {
            *vec_push(&moved) = e;
        }
    }
    while (!ok && moved.n) {
        edge_replace(moved.at[--moved.n], from, NULL);
    }
    for (size_t i = 0; i < moved.n; i++) {
        if (moved.at[i]->moved) {
            moved.at[i]->moved(moved.at[i], from);
        }
    }
    vec_free(&moved);
    return ok;
}

bool node_set_writable(BlockNode *node, bool writable, Error **errp)
{
    BlockNode *file = node_file(node);

    if (node->readonly == !writable) {
        return true;
    }
    if (writable && file && !node_set_writable(file, true, errp)) {
        return false;
    }
    node->readonly = !writable;
    node->flags = writable ? node->flags | BLOCK_RDWR : node->flags;
    if (node->driver->set_writable && !node->driver->set_writable(node, writable, errp)) {
        node->readonly = writable;
        return false;
    }
    return true;
}

/* -- walking -------------------------------------------------------------------------------------------------------- */

static BlockNode *child_with_role(const BlockNode *node, unsigned role)
{
    for (const BlockEdge *e = node->children; e; e = e->next_child) {
        if (e->role & role) {
            return e->node;
        }
    }
    return NULL;
}

BlockNode *node_file(const BlockNode *node)
{
    return edge_node(node_child(node, "file"));
}

BlockNode *node_backing(const BlockNode *node)
{
    return child_with_role(node, ROLE_COW);
}

BlockNode *node_filtered(const BlockNode *node)
{
    return node->driver->kind == DRIVER_FILTER ? child_with_role(node, ROLE_FILTERED) : NULL;
}

BlockNode *node_skip_filters(BlockNode *node)
{
    for (BlockNode *below; node && (below = node_filtered(node)) != NULL;) {
        node = below;
    }
    return node;
}
