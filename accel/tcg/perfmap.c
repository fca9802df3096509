/*
 * perfmap.c: names for generated code that host profilers understand.
 *
 * -perfmap writes /tmp/perf-PID.map, one line per unit (perf's documentation, tools/perf/Documentation/
 * jit-interface.txt): start and size in hexadecimal, name. jitdump.c writes the format with code bytes.
 */
#include <unistd.h>
#include "internal.h"

static struct {
    pthread_mutex_t lock;
    FILE *out;
} perfmap = { .lock = PTHREAD_MUTEX_INITIALIZER };

void perfmap_init(void)
{
    if (tcg.options.perfmap_path) {
        char *path = xasprintf("/tmp/perf-%d.map", (int)getpid());
        perfmap.out = fopen(path, "w");
        if (!perfmap.out) {
            error_warn("cannot write '%s'", path);
        }
        free(path);
    }
}

void perfmap_unit(const TransUnit *unit)
{
    if (likely(!perfmap.out)) {
        return;
    }
    pthread_mutex_lock(&perfmap.lock);
    fprintf(perfmap.out, "%" PRIxPTR " %x guest_%" PRIx64 "\n", (uintptr_t)unit->code,
            (unsigned)unit->code_bytes, unit->pc);
    fflush(perfmap.out);
    pthread_mutex_unlock(&perfmap.lock);
}
