/*
 * numa.c: see numa.h. -numa node, cpu and dist; HMAT (hmat-lb, hmat-cache, initiator=) and node memory without a backend (mem=) are refused.
 */
#include "hw/hostmem.h"
#include "softmmu/numa.h"
#include "softmmu/options.h"
#include "util/json.h"
#include "util/parse.h"

static NumaConfig *config_of(Machine *m)
{
    if (!m->numa) {
        m->numa = xnew(NumaConfig);
        for (unsigned i = 0; i < m->smp.max_cpus; i++) {
            *vec_push(&m->numa->cpu_nodes) = -1;
        }
    }
    return m->numa;
}

static bool give_cpus(Machine *m, unsigned first, unsigned last, unsigned node, Error **errp)
{
    if (first > last) {
        error_set(errp, "Invalid CPU range: %u-%u", first, last);
        return false;
    }
    if (last >= m->smp.max_cpus) {
        error_set(errp, "CPU index (%u) should be smaller than maxcpus (%u)", last, m->smp.max_cpus);
        return false;
    }
    for (unsigned i = first; i <= last; i++) {
        int *has = &m->numa->cpu_nodes.at[i];

        if (*has >= 0 && *has != (int)node) {
            error_set(errp, "CPU(s) %u is already assigned to node %d", i, *has);
            return false;
        }
        *has = (int)node;
    }
    return true;
}

/* "3" or "4-7". */
static bool parse_cpus(Machine *m, const char *text, size_t len, unsigned node, Error **errp)
{
    char *range = xstrndup(text, len), *end;
    unsigned long first = strtoul(range, &end, 10), last = first;
    bool ok = end != range;

    if (ok && *end == '-') {
        const char *second = end + 1;
        last = strtoul(second, &end, 10);
        ok = end != second;
    }
    ok = ok && !*end && first <= UINT32_MAX && last <= UINT32_MAX;
    if (!ok) {
        error_set(errp, "Parameter 'cpus' expects a CPU number or a range, not '%s'", range);
    }
    free(range);
    return ok && give_cpus(m, (unsigned)first, (unsigned)last, node, errp);
}

static bool parse_all_cpus(Machine *m, const Json *opts, const char *text, unsigned node, Error **errp)
{
    const char *value;

    if (!text || *text == '{') {
        return opts_string(opts, "cpus", NULL, &value, errp) && (!value || parse_cpus(m, value, strlen(value), node, errp));
    }
    while ((text = strstr(text, ",cpus="))) {
        text += strlen(",cpus=");
        if (!parse_cpus(m, text, strcspn(text, ","), node, errp)) {
            return false;
        }
    }
    return true;
}

static bool add_node(Machine *m, const Json *opts, const char *text, Error **errp)
{
    static const char *const known[] = { "type", "nodeid", "cpus", "memdev", "mem", "initiator", NULL };
    NumaConfig *n = config_of(m);
    const char *memdev;
    uint64_t id;

    if (!opts_check(opts, "-numa node", known, errp) || !opts_uint(opts, "nodeid", n->n_nodes, &id, errp) ||
        !opts_string(opts, "memdev", NULL, &memdev, errp)) {
        return false;
    }
    if (opts_is_set(opts, "mem")) {
        error_set(errp, "Parameter -numa node,mem is not supported by this machine type\nUse -numa node,memdev instead");
        return false;
    }
    if (opts_is_set(opts, "initiator")) {
        error_set(errp, "-numa node,initiator= is not available: there is no HMAT");
        return false;
    }
    if (id >= NUMA_MAX_NODES) {
        error_set(errp, "Max number of NUMA nodes reached: %" PRIu64, id);
        return false;
    }
    if (n->nodes[id].present) {
        error_set(errp, "Duplicate NUMA nodeid: %" PRIu64, id);
        return false;
    }
    if (memdev) {
        Object *backend = object_resolve(memdev, NULL);
        MemoryRegion *mr = backend ? memory_backend_region(backend) : NULL;

        if (!mr) {
            error_set(errp, "memdev=%s is ambiguous or does not exist", memdev);
            return false;
        }
        n->nodes[id].memdev = xstrdup(memdev);
        n->nodes[id].bytes = memory_region_size(mr);
    }
    n->nodes[id].present = true;
    n->n_nodes++;
    return parse_all_cpus(m, opts, text, (unsigned)id, errp);
}

static bool node_number(Machine *m, const Json *opts, const char *key, unsigned *ret, Error **errp)
{
    uint64_t id;

    if (!opts_is_set(opts, key)) {
        error_set(errp, "Parameter '%s' is missing", key);
        return false;
    }
    if (!opts_uint(opts, key, 0, &id, errp)) {
        return false;
    }
    if (id >= NUMA_MAX_NODES || !config_of(m)->nodes[id].present) {
        error_set(errp, "Source/Destination NUMA node is missing. Please use '-numa node' option to declare it first.");
        return false;
    }
    *ret = (unsigned)id;
    return true;
}

static bool add_distance(Machine *m, const Json *opts, Error **errp)
{
    static const char *const known[] = { "type", "src", "dst", "val", NULL };
    unsigned src, dst;
    uint64_t value;

    if (!opts_check(opts, "-numa dist", known, errp) || !node_number(m, opts, "src", &src, errp) || !node_number(m, opts, "dst", &dst, errp) ||
        !opts_uint(opts, "val", 0, &value, errp)) {
        return false;
    }
    if (value < NUMA_LOCAL_DISTANCE || value > UINT8_MAX) {
        error_set(errp, "NUMA distance (%" PRIu64 ") is invalid, it shouldn't be less than %d, nor more than %d", value, NUMA_LOCAL_DISTANCE, UINT8_MAX);
        return false;
    }
    if (src == dst && value != NUMA_LOCAL_DISTANCE) {
        error_set(errp, "Local distance of node %u should be %d.", src, NUMA_LOCAL_DISTANCE);
        return false;
    }
    m->numa->distances[src][dst] = (uint8_t)value;
    m->numa->have_distances = true;
    return true;
}

/* The processors whose place in the topology matches what is said of it. */
static bool add_cpu(Machine *m, const Json *opts, Error **errp)
{
    static const char *const known[] = { "type", "node-id", "socket-id", "die-id", "cluster-id", "core-id", "thread-id", NULL };
    const SmpConfig *s = &m->smp;
    const struct { const char *key; unsigned per, count; } levels[] = {
        { "thread-id", 1, s->threads }, { "core-id", s->threads, s->cores }, { "cluster-id", s->threads * s->cores, s->clusters },
        { "die-id", s->threads * s->cores * s->clusters, s->dies },
        { "socket-id", s->threads * s->cores * s->clusters * s->dies, s->sockets },
    };
    unsigned node, found = 0;

    if (!opts_check(opts, "-numa cpu", known, errp) || !node_number(m, opts, "node-id", &node, errp)) {
        return false;
    }
    for (unsigned i = 0; i < s->max_cpus; i++) {
        bool matches = true;

        for (size_t l = 0; l < ARRAY_SIZE(levels); l++) {
            uint64_t id;

            if (!opts_uint(opts, levels[l].key, 0, &id, errp)) {
                return false;
            }
            matches &= !opts_is_set(opts, levels[l].key) || i / levels[l].per % levels[l].count == id;
        }
        if (matches && !give_cpus(m, i, i, node, errp)) {
            return false;
        }
        found += matches;
    }
    if (!found) {
        error_set(errp, "no match found for -numa cpu: there is no such processor");
    }
    return found;
}

bool numa_add_option(Machine *m, const Json *opts, const char *text, Error **errp)
{
    const char *type;

    if (!m->type->has_numa) {
        error_set(errp, "NUMA is not supported by this machine-type");
        return false;
    }
    if (!opts_string(opts, "type", "", &type, errp)) {
        return false;
    }
    if (!strcmp(type, "node")) {
        return add_node(m, opts, text, errp);
    }
    if (!strcmp(type, "dist")) {
        return add_distance(m, opts, errp);
    }
    if (!strcmp(type, "cpu")) {
        return add_cpu(m, opts, errp);
    }
    if (!strcmp(type, "hmat-lb") || !strcmp(type, "hmat-cache")) {
        error_set(errp, "-numa %s is not available: there is no HMAT", type);
    } else {
        error_set(errp, "Parameter 'type' does not accept value '%s'", type);
    }
    return false;
}

/* -- all together ------------------------------------------------------------------------------------------------------------------ */

static bool finish_distances(NumaConfig *n, Error **errp)
{
    bool one_way = false;

    for (unsigned a = 0; a < n->n_nodes; a++) {
        n->distances[a][a] = NUMA_LOCAL_DISTANCE;
        for (unsigned b = 0; b < a; b++) {
            uint8_t there = n->distances[a][b], back = n->distances[b][a];

            if (!there && !back) {
                error_set(errp, "The distance between node %u and %u is missing, at least one distance value between each nodes should be provided.", b, a);
                return false;
            }
            one_way |= there && back && there != back;
        }
    }
    for (unsigned a = 0; a < n->n_nodes; a++) {
        for (unsigned b = 0; b < n->n_nodes; b++) {
            if (!n->distances[a][b] && one_way) {
                error_set(errp, "At least one asymmetrical pair of distances is given, please provide distances for both directions of all node pairs.");
                return false;
            }
            n->distances[a][b] = n->distances[a][b] ? n->distances[a][b] : n->distances[b][a];
        }
    }
    return true;
}

bool numa_finish(Machine *m, Error **errp)
{
    NumaConfig *n = m->numa;
    uint64_t bytes = 0;
    bool any = false;

    if (!n) {
        return true;
    }
    for (unsigned i = 0; i < n->n_nodes; i++) {
        if (!n->nodes[i].present) {
            error_set(errp, "numa: Node ID missing: %u", i);
            return false;
        }
        bytes += n->nodes[i].bytes;
    }
    if (m->memory_backend) {
        error_set(errp, "'-machine memory-backend' and '-numa memdev' properties are mutually exclusive");
        return false;
    }
    if (bytes != m->ram_bytes) {
        error_set(errp, "total memory for NUMA nodes (0x%" PRIx64 ") should equal RAM size (0x%" PRIx64 ")", bytes, m->ram_bytes);
        return false;
    }
    for (unsigned i = 0; i < m->smp.max_cpus; i++) {
        any |= n->cpu_nodes.at[i] >= 0;
    }
    unsigned per_socket = MAX(m->smp.max_cpus / m->smp.sockets, 1u);
    for (unsigned i = 0; i < m->smp.max_cpus; i++) {
        int *node = &n->cpu_nodes.at[i];

        if (*node < 0 && any) {
            error_warn("CPU %u is not in any NUMA node: it belongs to node 0", i);
        }
        *node = *node >= 0 ? *node : any ? 0 : (int)(i / per_socket % n->n_nodes);
    }
    return !n->have_distances || finish_distances(n, errp);
}

bool numa_create_ram(Machine *m, Error **errp)
{
    NumaConfig *n = m->numa;
    uint64_t at = 0;

    memory_region_init(&n->ram, NULL, m->type->ram_id, m->ram_bytes);
    for (unsigned i = 0; i < n->n_nodes; i++) {
        if (!n->nodes[i].memdev) {
            continue;
        }
        MemoryRegion *mr = memory_backend_region(object_resolve(n->nodes[i].memdev, NULL));

        if (mr->container) {
            error_set(errp, "memory backend '%s' is used multiple times. Each -numa option must use a different memdev value.", n->nodes[i].memdev);
            return false;
        }
        memory_region_add(&n->ram, at, mr);
        at += n->nodes[i].bytes;
    }
    m->ram = &n->ram;
    return true;
}
