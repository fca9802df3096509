/* log.c: see log.h. */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "util/alloc.h"
#include "util/log.h"

typedef struct LogRange { vaddr first, last; } LogRange;

static const struct { const char *name, *help; } items[] = {
#define LOG_ITEM(name, text, help) { text, help },
    LOG_ITEMS(LOG_ITEM)
#undef LOG_ITEM
};

uint32_t log_mask;
static FILE *log_stream; /* NULL: stderr */
static pthread_mutex_t log_mutex = PTHREAD_MUTEX_INITIALIZER;
static VEC(LogRange) log_ranges;

void log_print_help(FILE *out)
{
    fprintf(out, "Log items (comma separated):\n");
    for (size_t i = 0; i < ARRAY_SIZE(items); i++) {
        fprintf(out, "%-15s %s\n", items[i].name, items[i].help);
    }
    fprintf(out, "%-15s %s\n", "all", "everything but nochain");
}

bool log_set_items(const char *list, Error **errp)
{
    uint32_t mask = 0;

    for (const char *p = list; *p;) {
        size_t len = strcspn(p, ",");
        if (len == 4 && !strncmp(p, "help", 4)) {
            log_print_help(stdout);
            exit(0);
        } else if (len == 3 && !strncmp(p, "all", 3)) {
            mask |= (((uint32_t)1 << LOG_N_ITEMS) - 1) & ~(uint32_t)LOG_NOCHAIN;
        } else {
            size_t i = 0;
            while (i < ARRAY_SIZE(items) &&
                   (strlen(items[i].name) != len || strncmp(items[i].name, p, len))) {
                i++;
            }
            if (i == ARRAY_SIZE(items)) {
                error_set(errp, "unknown log item '%.*s' (use '-d help' for a list)", (int)len, p);
                return false;
            }
            mask |= (uint32_t)1 << i;
        }
        p += len;
        p += *p == ',';
    }
    log_mask = mask;
    return true;
}

bool log_set_file(const char *path, Error **errp)
{
    FILE *f = NULL;

    if (path) {
        const char *pid = strstr(path, "%d");
        char *name = pid ? xasprintf("%.*s%d%s", (int)(pid - path), path, (int)getpid(), pid + 2)
                         : xstrdup(path);
        f = fopen(name, "we");
        if (!f) {
            error_set_errno(errp, errno, "cannot open log file '%s'", name);
            free(name);
            return false;
        }
        setvbuf(f, NULL, _IOLBF, 0);
        free(name);
    }
    if (log_stream) {
        fclose(log_stream);
    }
    log_stream = f;
    return true;
}

bool log_set_filter(const char *ranges, Error **errp)
{
    vec_clear(&log_ranges);
    for (const char *p = ranges; *p;) {
        char *end;
        uint64_t a = strtoull(p, &end, 0), b;
        LogRange range;
        bool ok = end != p;
        if (ok && !strncmp(end, "..", 2)) {
            p = end + 2;
            b = strtoull(p, &end, 0);
            range = (LogRange){ a, b };
        } else if (ok && *end == '+') {
            p = end + 1;
            b = strtoull(p, &end, 0);
            range = (LogRange){ a, a + b - 1 };
        } else if (ok && *end == '-') {
            p = end + 1;
            b = strtoull(p, &end, 0);
            range = (LogRange){ a - b + 1, a };
        } else {
            ok = false;
            range = (LogRange){ 1, 0 };
        }
        if (!ok || end == p || (*end && *end != ',') || range.last < range.first) {
            error_set(errp, "invalid address range in '%s' (use START..END, START+LENGTH or START-LENGTH)",
                      ranges);
            return false;
        }
        *vec_push(&log_ranges) = range;
        p = end + (*end == ',');
    }
    return true;
}

bool log_in_filter(vaddr addr)
{
    for (size_t i = 0; i < log_ranges.n; i++) {
        if (addr >= log_ranges.at[i].first && addr <= log_ranges.at[i].last) {
            return true;
        }
    }
    return log_ranges.n == 0;
}

FILE *log_lock(void)
{
    pthread_mutex_lock(&log_mutex);
    return log_stream ? log_stream : stderr;
}

void log_unlock(void)
{
    fflush(log_stream ? log_stream : stderr);
    pthread_mutex_unlock(&log_mutex);
}

void log_printf(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    FILE *f = log_lock();
    vfprintf(f, fmt, ap);
    log_unlock();
    va_end(ap);
}
