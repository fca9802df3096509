/*
 * strace.c: -strace and -d strace: one line per system call, as readable as strace(1)'s. What arguments point to is read
 * with the same checks as everywhere, so bad pointers are printed as addresses.
 *
 * Threads: a line is put together on the stack and written at once.
 */
#include <fcntl.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include "linux-user/syscall/syscall.h"

enum { LINE_BYTES = 2048, STRING_BYTES = 32 };

typedef struct Line {
    char text[LINE_BYTES];
    size_t n;
} Line;

static void put(Line *l, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void put(Line *l, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(l->text + l->n, sizeof(l->text) - l->n, fmt, ap);
    va_end(ap);
    if (n > 0) {
        l->n = MIN(l->n + (size_t)n, sizeof(l->text) - 1);
    }
}

typedef struct Name {
    uint32_t value;
    const char *name;
} Name;
#define N(x) { (uint32_t)(x), #x }

static const Name open_flags[] = {
    N(O_CREAT), N(O_EXCL), N(O_NOCTTY), N(O_TRUNC), N(O_APPEND), N(O_NONBLOCK), N(O_DSYNC), N(O_DIRECT),
    { 0100000, "O_LARGEFILE" }, N(O_DIRECTORY), N(O_NOFOLLOW), N(O_NOATIME), N(O_CLOEXEC), N(O_PATH),
};
static const Name prot_flags[] = { N(PROT_READ), N(PROT_WRITE), N(PROT_EXEC), N(PROT_GROWSDOWN), N(PROT_GROWSUP) };
static const Name map_flags[] = {
    N(MAP_FIXED), N(MAP_ANONYMOUS), N(MAP_GROWSDOWN), N(MAP_LOCKED), N(MAP_NORESERVE), N(MAP_POPULATE),
    N(MAP_NONBLOCK), N(MAP_STACK), N(MAP_HUGETLB), N(MAP_FIXED_NOREPLACE), { 0x800, "MAP_DENYWRITE" },
};
static const Name clocks[] = {
    N(CLOCK_REALTIME), N(CLOCK_MONOTONIC), N(CLOCK_PROCESS_CPUTIME_ID), N(CLOCK_THREAD_CPUTIME_ID),
    N(CLOCK_MONOTONIC_RAW), N(CLOCK_REALTIME_COARSE), N(CLOCK_MONOTONIC_COARSE), N(CLOCK_BOOTTIME),
};
static const Name futex_ops[] = {
    N(FUTEX_WAIT), N(FUTEX_WAKE), N(FUTEX_REQUEUE), N(FUTEX_CMP_REQUEUE), N(FUTEX_WAKE_OP), N(FUTEX_LOCK_PI),
    N(FUTEX_UNLOCK_PI), N(FUTEX_TRYLOCK_PI), N(FUTEX_WAIT_BITSET), N(FUTEX_WAKE_BITSET), N(FUTEX_WAIT_REQUEUE_PI),
    N(FUTEX_CMP_REQUEUE_PI),
};
static const Name fcntl_cmds[] = {
    N(F_DUPFD), N(F_GETFD), N(F_SETFD), N(F_GETFL), N(F_SETFL), N(F_GETLK), N(F_SETLK), N(F_SETLKW), N(F_SETOWN),
    N(F_GETOWN), N(F_SETSIG), N(F_GETSIG), N(F_DUPFD_CLOEXEC), N(F_SETPIPE_SZ), N(F_GETPIPE_SZ), N(F_ADD_SEALS),
    N(F_GET_SEALS), N(F_OFD_GETLK), N(F_OFD_SETLK), N(F_OFD_SETLKW),
};
static const Name limits[] = {
    N(RLIMIT_CPU), N(RLIMIT_FSIZE), N(RLIMIT_DATA), N(RLIMIT_STACK), N(RLIMIT_CORE), N(RLIMIT_RSS), N(RLIMIT_NPROC),
    N(RLIMIT_NOFILE), N(RLIMIT_MEMLOCK), N(RLIMIT_AS), N(RLIMIT_LOCKS), N(RLIMIT_SIGPENDING), N(RLIMIT_MSGQUEUE),
    N(RLIMIT_NICE), N(RLIMIT_RTPRIO), N(RLIMIT_RTTIME),
};
static const Name mask_hows[] = { N(SIG_BLOCK), N(SIG_UNBLOCK), N(SIG_SETMASK) };

static void put_enum(Line *l, const Name *names, size_t n, uint32_t v)
{
    for (size_t i = 0; i < n; i++) {
        if (names[i].value == v) {
            put(l, "%s", names[i].name);
            return;
        }
    }
    put(l, "%d", (int)v);
}

static void put_flags(Line *l, const Name *names, size_t n, uint32_t v, bool any)
{
    for (size_t i = 0; i < n; i++) {
        if (names[i].value && (v & names[i].value) == names[i].value) {
            put(l, "%s%s", any ? "|" : "", names[i].name);
            v &= ~names[i].value;
            any = true;
        }
    }
    if (v || !any) {
        put(l, "%s%#x", any ? "|" : "", v);
    }
}

static void put_quoted(Line *l, const char *s, size_t n, bool cut)
{
    put(l, "\"");
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        switch (c) {
        case '\n': put(l, "\\n"); break;
        case '\t': put(l, "\\t"); break;
        case '\r': put(l, "\\r"); break;
        case '"': put(l, "\\\""); break;
        case '\\': put(l, "\\\\"); break;
        default:
            if (c >= 32 && c < 127) {
                put(l, "%c", c);
            } else if (i + 1 < n && s[i + 1] >= '0' && s[i + 1] <= '9') {
                put(l, "\\%03o", c);
            } else {
                put(l, "\\%o", c);
            }
        }
    }
    put(l, "\"%s", cut ? "..." : "");
}

static void put_addr(Line *l, vaddr v)
{
    v ? put(l, "%#" PRIx64, v) : put(l, "NULL");
}

static void put_string(Line *l, vaddr addr, size_t max)
{
    char buf[512];
    if (!addr) {
        put(l, "NULL");
        return;
    }
    int64_t n = string_from_guest(buf, addr, MIN(max + 1, sizeof(buf)));
    bool cut = n == -ENAMETOOLONG;
    if (cut && copy_from_guest(buf, addr, MIN(max, sizeof(buf)))) {
        n = (int64_t)MIN(max, sizeof(buf));
    }
    if (n < 0) {
        put_addr(l, addr);
    } else {
        put_quoted(l, buf, (size_t)n, cut);
    }
}

static void put_buffer(Line *l, vaddr addr, uint64_t n)
{
    char buf[STRING_BYTES];
    size_t m = MIN(n, sizeof(buf));
    if (!addr || !copy_from_guest(buf, addr, m)) {
        put_addr(l, addr);
    } else {
        put_quoted(l, buf, m, n > m);
    }
}

static const char *signal_name(int sig, char room[24])
{
    const char *abbrev = sig > 0 && sig < 32 ? sigabbrev_np(sig) : NULL;
    if (abbrev) {
        snprintf(room, 24, "SIG%s", abbrev);
    } else if (sig >= 32 && sig <= USER_N_SIGNALS) {
        snprintf(room, 24, "SIGRT_%d", sig - 32);
    } else {
        snprintf(room, 24, "%d", sig);
    }
    return room;
}

static void put_sigset(Line *l, vaddr addr)
{
    uint64_t set;
    char room[24];
    if (!addr || !load_guest_sigset(addr, &set)) {
        put_addr(l, addr);
        return;
    }
    bool invert = __builtin_popcountll(set) > 40;
    if (invert) {
        set = ~set;
    }
    put(l, "%s[", invert ? "~" : "");
    for (int sig = 1, any = 0; sig <= USER_N_SIGNALS; sig++) {
        if (set >> (sig - 1) & 1) {
            put(l, "%s%s", any++ ? " " : "", signal_name(sig, room) + (sig < 32 ? 3 : 0));
        }
    }
    put(l, "]");
}

static void put_argv(Line *l, const Abi *abi, vaddr addr)
{
    put(l, "[");
    for (unsigned i = 0; i < 32; i++) {
        uint64_t p;
        if (!load_guest_word(abi, addr + i * abi->word_bytes, &p) || !p) {
            break;
        }
        put(l, "%s", i ? ", " : "");
        put_string(l, p, STRING_BYTES);
    }
    put(l, "]");
}

static void put_sockaddr(Line *l, vaddr addr, uint64_t len)
{
    uint8_t sa[128];
    size_t n = MIN(len, sizeof(sa));
    if (!addr || n < 2 || !copy_from_guest(sa, addr, n)) {
        put_addr(l, addr);
        return;
    }
    switch (ldle16(sa)) {
    case 1:
        put(l, "{AF_UNIX, ");
        put_quoted(l, (char *)sa + 2, sa[2] ? strnlen((char *)sa + 2, n - 2) : n - 2, false);
        put(l, "}");
        break;
    case 2:
        put(l, "{AF_INET, %u.%u.%u.%u:%u}", sa[4], sa[5], sa[6], sa[7], ldbe16(sa + 2));
        break;
    case 10:
        put(l, "{AF_INET6, port %u}", ldbe16(sa + 2));
        break;
    default:
        put(l, "{family %u}", ldle16(sa));
    }
}

/* `done`: after the call, when the kernel has written; result counts bytes then. */
static void put_arg(Line *l, Thread *t, const Syscall *row, unsigned i, const uint64_t *a, bool done, int64_t result)
{
    uint64_t v = a[i];
    char room[24];
    switch (row->arg[i] & 0xff) {
    case A_INT: case A_FD:
        put(l, "%d", (int)v);
        break;
    case A_UINT:
        put(l, "%u", (unsigned)v);
        break;
    case A_LONG: case A_OFF:
        put(l, "%" PRId64, (int64_t)v);
        break;
    case A_SIZE:
        put(l, "%" PRIu64, v);
        break;
    case A_MODE:
        put(l, "0%o", (unsigned)v);
        break;
    case A_DIRFD:
        (int)v == AT_FDCWD ? put(l, "AT_FDCWD") : put(l, "%d", (int)v);
        break;
    case A_OPENFLAGS: {
        unsigned mode = (unsigned)v & O_ACCMODE;
        put(l, "%s", mode == O_RDONLY ? "O_RDONLY" : mode == O_WRONLY ? "O_WRONLY" : mode == O_RDWR ? "O_RDWR" : "3");
        if (v & ~(uint64_t)O_ACCMODE) {
            put_flags(l, open_flags, ARRAY_SIZE(open_flags), (uint32_t)v & ~(uint32_t)O_ACCMODE, true);
        }
        break;
    }
    case A_PROT:
        v ? put_flags(l, prot_flags, ARRAY_SIZE(prot_flags), (uint32_t)v, false) : put(l, "PROT_NONE");
        break;
    case A_MAPFLAGS: {
        static const char *const kinds[] = { "0", "MAP_SHARED", "MAP_PRIVATE", "MAP_SHARED_VALIDATE" };
        put(l, "%s", kinds[v & 3]);
        if (v & ~(uint64_t)3) {
            put_flags(l, map_flags, ARRAY_SIZE(map_flags), (uint32_t)v & ~3u, true);
        }
        break;
    }
    case A_SIG:
        put(l, "%s", signal_name((int)v, room));
        break;
    case A_SIGHOW:
        put_enum(l, mask_hows, ARRAY_SIZE(mask_hows), (uint32_t)v);
        break;
    case A_CLOCK:
        put_enum(l, clocks, ARRAY_SIZE(clocks), (uint32_t)v);
        break;
    case A_FCNTL:
        put_enum(l, fcntl_cmds, ARRAY_SIZE(fcntl_cmds), (uint32_t)v);
        break;
    case A_RLIMIT:
        put_enum(l, limits, ARRAY_SIZE(limits), (uint32_t)v);
        break;
    case A_FUTEX:
        put_enum(l, futex_ops, ARRAY_SIZE(futex_ops), (uint32_t)v & FUTEX_CMD_MASK);
        if (v & FUTEX_PRIVATE_FLAG) {
            put(l, "_PRIVATE");
        }
        if (v & FUTEX_CLOCK_REALTIME) {
            put(l, "|FUTEX_CLOCK_REALTIME");
        }
        break;
    case A_PATH:
        put_string(l, v, 255);
        break;
    case A_STR:
        put_string(l, v, STRING_BYTES);
        break;
    case A_INBUF:
        put_buffer(l, v, a[i + 1]);
        break;
    case A_OUTBUF:
        done && result >= 0 ? put_buffer(l, v, MIN((uint64_t)result, a[i + 1])) : put_addr(l, v);
        break;
    case A_TIMESPEC_: {
        uint64_t s, ns;
        if (v && load_guest_u64(v, &s) && load_guest_u64(v + 8, &ns)) {
            put(l, "{%" PRId64 ".%09" PRId64 "}", (int64_t)s, (int64_t)ns);
        } else {
            put_addr(l, v);
        }
        break;
    }
    case A_SIGSET:
        put_sigset(l, v);
        break;
    case A_ARGV:
        put_argv(l, t->abi, v);
        break;
    case A_SOCKADDR:
        put_sockaddr(l, v, i < 5 ? a[i + 1] : 0);
        break;
    case A_PTR: case A_INN_: case A_OUTN_: case A_OFFPTR:
        put_addr(l, v);
        break;
    default:
        put(l, "%#" PRIx64, v);
    }
}

static void put_call(Line *l, Thread *t, uint64_t nr, const uint64_t *a, bool done, int64_t result)
{
    const Syscall *row = syscall_find(t->abi, nr);
    put(l, "%d ", (int)t->tid);
    if (!row) {
        put(l, "syscall_%" PRIu64 "(%#" PRIx64 ", %#" PRIx64 ", %#" PRIx64 ", %#" PRIx64 ")", nr, a[0], a[1], a[2],
            a[3]);
        return;
    }
    put(l, "%s(", row->name);
    for (unsigned i = 0; i < 6 && row->arg[i]; i++) {
        put(l, "%s", i ? ", " : "");
        put_arg(l, t, row, i, a, done, result);
    }
    put(l, ")");
}

/* Calls that may not come back are shown when they begin. */
static bool never_returns(const Syscall *row)
{
    return row && (row->fn == sys_exit || row->fn == sys_exit_group || row->fn == sys_execve
                   || row->fn == sys_execveat || row->fn == sys_rt_sigreturn);
}

void strace_enter(Thread *t, uint64_t nr, const uint64_t args[6])
{
    const Syscall *row = syscall_find(t->abi, nr);
    if (never_returns(row)) {
        Line l = { .n = 0 };
        put_call(&l, t, nr, args, false, 0);
        put(&l, row->fn == sys_exit || row->fn == sys_exit_group ? " = ?\n" : "\n");
        log_printf("%s", l.text);
    }
}

void strace_exit(Thread *t, uint64_t nr, const uint64_t args[6], int64_t result)
{
    Line l = { .n = 0 };
    const Syscall *row = syscall_find(t->abi, nr);
    if (result == -USER_ESIGRETURN) {
        return;
    }
    put_call(&l, t, nr, args, true, result);
    if (result == -USER_ERESTARTSYS || result == -USER_ERESTARTNOINTR) {
        put(&l, " = ? (interrupted, to be restarted)\n");
    } else if (result < 0 && result >= -4095) {
        const char *name = strerrorname_np((int)-result);
        put(&l, " = -1 %s (%s)\n", name ? name : "?", strerror((int)-result));
    } else if (row && (row->fn == sys_brk || row->fn == sys_mmap || row->fn == sys_mmap2 || row->fn == sys_mremap
                       || row->fn == sys_shmat)) {
        put(&l, " = %#" PRIx64 "\n", (uint64_t)result);
    } else {
        put(&l, " = %" PRId64 "\n", result);
    }
    log_printf("%s", l.text);
}

void strace_signal(Thread *t, int sig, const siginfo_t *info)
{
    char room[24];
    if (sig == SIGSEGV || sig == SIGBUS || sig == SIGILL || sig == SIGFPE || sig == SIGTRAP) {
        log_printf("%d --- %s {si_code=%d, si_addr=%p} ---\n", (int)t->tid, signal_name(sig, room), info->si_code,
                   info->si_addr);
    } else {
        log_printf("%d --- %s {si_code=%d, si_pid=%d} ---\n", (int)t->tid, signal_name(sig, room), info->si_code,
                   (int)info->si_pid);
    }
}
