/*
 * numa.h: which node of a machine with several has which memory and processors, and how far they are from each other (-numa).
 *
 * Boards with MachineType.has_numa put it into their device tree and ACPI tables. Guest RAM is then one region made of the nodes' memory backends
 * in order (machine_create_ram). Threads: BQL; does not change once the board is built.
 */
#ifndef SOFTMMU_NUMA_H
#define SOFTMMU_NUMA_H

#include "softmmu/machine.h"

struct Json;

enum { NUMA_MAX_NODES = 128, NUMA_LOCAL_DISTANCE = 10, NUMA_REMOTE_DISTANCE = 20 };

typedef struct NumaNode {
    bool present;
    uint64_t bytes;
    char *memdev;              /* id of its memory backend; NULL: no memory */
} NumaNode;

typedef struct NumaConfig {
    NumaNode nodes[NUMA_MAX_NODES];
    unsigned n_nodes;
    VEC(int) cpu_nodes;        /* by index; -1: not said */
    bool have_distances;
    uint8_t distances[NUMA_MAX_NODES][NUMA_MAX_NODES];
    MemoryRegion ram;          /* container of the backends */
} NumaConfig;

/* One -numa option; `text` has its cpus= in full (they may be repeated), NULL: `opts` alone. */
NODISCARD bool numa_add_option(Machine *machine, const struct Json *opts, const char *text, Error **errp);
/* Checks that all of it fits, fills in what was left open. For machine_build(). */
NODISCARD bool numa_finish(Machine *machine, Error **errp);
/* machine->ram of the nodes' backends. */
NODISCARD bool numa_create_ram(Machine *machine, Error **errp);
static inline unsigned numa_node_of(const Machine *m, unsigned cpu)
{
    return (unsigned)m->numa->cpu_nodes.at[cpu];
}
static inline unsigned numa_distance(const Machine *m, unsigned from, unsigned to)
{
    return m->numa->have_distances ? m->numa->distances[from][to] : from == to ? NUMA_LOCAL_DISTANCE : NUMA_REMOTE_DISTANCE;
}

#endif
