/*
 * jitdump.c: -jitdump writes jit-PID.dump into the current folder, generated code with names and bytes.
 *
 * The format is perf's (tools/perf/Documentation/jitdump-specification.txt, version 1): a header, then a
 * JIT_CODE_LOAD record per unit. perf learns of the file by seeing one page of it mapped executable; times are
 * CLOCK_MONOTONIC (perf record -k mono, then perf inject --jit). A forked child writes a file of its own, with
 * what it translates itself. Leaves out: debug information, moves, unwinding.
 *
 * Threads: any.
 */
#include <elf.h>
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "internal.h"

enum { JITDUMP_MAGIC = 0x4a695444, JITDUMP_VERSION = 1, JIT_CODE_LOAD = 0 };

typedef struct JitHeader {
    uint32_t magic, version, total_bytes, elf_machine, pad, pid;
    uint64_t time_ns, flags;
} JitHeader;

typedef struct JitCodeLoad {
    uint32_t id, total_bytes;
    uint64_t time_ns;
    uint32_t pid, tid;
    uint64_t vma, code_addr, code_bytes, code_index;
    /* name with its zero byte, code */
} JitCodeLoad;

static struct {
    pthread_mutex_t lock;
    FILE *out;
    pid_t pid;                   /* whose file it is */
    uint64_t n_units;
} dump = { .lock = PTHREAD_MUTEX_INITIALIZER };

static uint64_t monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static bool open_dump(Error **errp)
{
    dump.pid = getpid();
    char *path = xasprintf("jit-%d.dump", (int)dump.pid);
    FILE *out = fopen(path, "w+e");
    /* The sign perf looks for. */
    if (!out || mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_EXEC, MAP_PRIVATE, fileno(out), 0) == MAP_FAILED) {
        error_set_errno(errp, errno, "cannot write and map '%s'", path);
        free(path);
        if (out) {
            fclose(out);
        }
        return false;
    }
    free(path);
    JitHeader header = { .magic = JITDUMP_MAGIC, .version = JITDUMP_VERSION, .total_bytes = sizeof(header),
#if defined(__x86_64__)
                         .elf_machine = EM_X86_64,
#endif
                         .pid = (uint32_t)dump.pid, .time_ns = monotonic_ns() };
    fwrite(&header, sizeof(header), 1, out);
    fflush(out);
    dump.out = out;
    dump.n_units = 0;
    return true;
}

bool jitdump_init(Error **errp)
{
    return !tcg.options.jitdump || open_dump(errp);
}

void jitdump_unit(const TransUnit *unit)
{
    if (likely(!dump.out)) {
        return;
    }
    pthread_mutex_lock(&dump.lock);
    if (getpid() != dump.pid) {
        dump.out = NULL; /* the parent's, which it goes on writing */
        open_dump(NULL);
    }
    if (dump.out) {
        char name[32];
        uint32_t name_bytes = (uint32_t)snprintf(name, sizeof(name), "guest_%" PRIx64, unit->pc) + 1;
        JitCodeLoad load = {
            .id = JIT_CODE_LOAD, .total_bytes = (uint32_t)sizeof(load) + name_bytes + unit->code_bytes, .time_ns = monotonic_ns(),
            .pid = (uint32_t)dump.pid, .tid = (uint32_t)syscall(SYS_gettid), .vma = (uintptr_t)unit->code,
            .code_addr = (uintptr_t)unit->code, .code_bytes = unit->code_bytes, .code_index = dump.n_units++,
        };
        fwrite(&load, sizeof(load), 1, dump.out);
        fwrite(name, name_bytes, 1, dump.out);
        fwrite(unit->code, unit->code_bytes, 1, dump.out);
        fflush(dump.out);
    }
    pthread_mutex_unlock(&dump.lock);
}
