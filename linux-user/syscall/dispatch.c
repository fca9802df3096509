/*
 * dispatch.c: from a system call's number and registers to its handler, by the rows of table.def.
 */
#include "linux-user/syscall/syscall.h"

#define NO -1
#define SYS(name, nr64, nr32, how, ...) { #name, how, .arg = { __VA_ARGS__ } },
#define PASS(nr) HOW_PASS, .number = nr
#define WAIT(nr) HOW_WAIT, .number = nr
#define FAIL(err) HOW_FAIL, .number = err
#define CALL(f) HOW_CALL, .fn = f
static const Syscall rows[] = {
#include "linux-user/syscall/table.def"
};
#undef SYS

/* Numbers + 1; 0: not there. */
const uint16_t syscall_numbers_generic64[SYSCALL_N] = {
#define SYS(name, nr64, nr32, how, ...) nr64 + 1,
#include "linux-user/syscall/table.def"
#undef SYS
};
const uint16_t syscall_numbers_generic32[SYSCALL_N] = {
#define SYS(name, nr64, nr32, how, ...) nr32 + 1,
#include "linux-user/syscall/table.def"
#undef SYS
};

enum { MAX_NUMBER = 512 };
static uint16_t index_of[2][MAX_NUMBER]; /* by word size, of which a process may use both: row + 1; 0: none */
static _Atomic bool index_ready[2];

static void build_index(const Abi *abi)
{
    bool is64 = abi->word_bytes == 8;
    /* Every thread that comes here first writes the same. */
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        unsigned nr = abi->syscall_numbers[i];
        if (nr && nr <= MAX_NUMBER) {
            index_of[is64][nr - 1] = (uint16_t)(i + 1);
        }
    }
    atomic_store_explicit(&index_ready[is64], true, memory_order_release);
}

const Syscall *syscall_find(const Abi *abi, uint64_t nr)
{
    bool is64 = abi->word_bytes == 8;
    if (unlikely(!atomic_load_explicit(&index_ready[is64], memory_order_acquire))) {
        build_index(abi);
    }
    return nr < MAX_NUMBER && index_of[is64][nr] ? &rows[index_of[is64][nr] - 1] : NULL;
}

static uint32_t open_flags_convert(const Abi *abi, uint32_t flags, bool to_host)
{
    const OpenFlag *f = abi->open_flags;
    uint32_t from = 0, to = 0;

    for (; f && f->guest; f++) {
        uint32_t is = to_host ? f->guest : f->host;
        from |= is;
        to |= flags & is ? to_host ? f->host : f->guest : 0;
    }
    return (flags & ~from) | to;
}

uint32_t open_flags_to_host(const Abi *abi, uint32_t flags) { return open_flags_convert(abi, flags, true); }
uint32_t open_flags_to_guest(const Abi *abi, uint32_t flags) { return open_flags_convert(abi, flags, false); }

void syscall_decode(const Abi *abi, const Syscall *row, const uint64_t regs[6], uint64_t args[6])
{
    bool is32 = abi->word_bytes == 4;
    unsigned r = 0;
    for (unsigned i = 0; i < 6; i++) {
        uint64_t v = r < 6 ? regs[r++] : 0;
        switch (row->arg[i] & 0xff) {
        case A_OPENFLAGS:
            v = (uint64_t)(int32_t)open_flags_to_host(abi, (uint32_t)v);
            break;
        case A_INT: case A_FD: case A_DIRFD: case A_SIG: case A_PROT: case A_MAPFLAGS:
        case A_SIGHOW: case A_CLOCK: case A_FUTEX: case A_FCNTL: case A_RLIMIT:
            v = (uint64_t)(int32_t)v;
            break;
        case A_UINT:
            v = (uint32_t)v;
            break;
        case A_ID16:
            v = (uint16_t)v == UINT16_MAX ? UINT64_MAX : (uint16_t)v;
            break;
        case A_LONG:
            v = is32 ? (uint64_t)(int32_t)v : v;
            break;
        case A_OFF:
            if (abi->aligned_pairs && !(r & 1) && r < 6) { /* v's register has an odd number: it is padding */
                v = regs[r++];
            }
            if (is32 && r < 6) {
                uint64_t other = regs[r++];
                v = abi->big_endian ? v << 32 | (uint32_t)other : (uint32_t)v | other << 32;
            }
            break;
        }
        args[i] = v;
    }
}

static int64_t host_call(Thread *t, const Syscall *row, const uint64_t *a)
{
    return row->how == HOW_WAIT ? safe_syscall(&t->pending, row->number, a[0], a[1], a[2], a[3], a[4], a[5])
                                : raw_syscall(row->number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* Strings are copied: the prefix of -L may change them, and another thread must not. */
static __attribute__((noinline)) int64_t call_with_strings(Thread *t, const Syscall *row, uint64_t *a)
{
    char text[2][USER_PATH_MAX];
    unsigned n = 0;
    for (unsigned i = 0; i < 6; i++) {
        if ((row->arg[i] & 0xff) == A_PATH && a[i] && n < 2) {
            int64_t r = path_from_guest(text[n], a[i]);
            if (r < 0 && r != -EFAULT) {
                return r;
            }
            a[i] = (uintptr_t)(r < 0 ? BAD_HOST_POINTER : text[n]);
            n++;
        }
    }
    return host_call(t, row, a);
}

static int64_t pass(Thread *t, const Syscall *row, uint64_t *a);

/* Of flat structures in the table, by size. */
static const char *layout_of(unsigned size_bytes)
{
    switch (size_bytes) {
    case 16: case 32: return "q";              /* struct timespec, timeval, itimerspec */
    case 48: return "2lq2l3q";                 /* struct sched_attr */
    case 208: return "2l4q2l8q2l5q12l";        /* struct timex */
    default: return "l";
    }
}

/* read and write of what may be numbers of the kernel's. */
static int64_t transfer(Thread *t, const Syscall *row, uint64_t *a)
{
    bool ok = true, out = row == &rows[SYSCALL_read];
    struct iovec iov = { out ? guest_out(a[1], a[2], &ok) : guest_in(a[1], a[2], &ok), a[2] }, copy = { 0 };
    int64_t r = !ok ? -EFAULT : out ? 0 : contents_to_send(t, (int)a[0], &iov, 1, &copy);

    if (!r) {
        const struct iovec *v = copy.iov_base ? &copy : &iov;
        r = SAFE_SYSCALL(t, row->number, a[0], v->iov_base, v->iov_len);
    }
    free(copy.iov_base);
    return out ? contents_received(t, (int)a[0], &iov, 1, r) : r;
}

/* A call of the other byte order. */
static __attribute__((noinline)) int64_t pass_ordered(Thread *t, const Syscall *row, uint64_t *a)
{
    Ordered o[6];
    bool ok = true;
    uint64_t host[6];

    memcpy(host, a, sizeof(host));
    for (unsigned i = 0; i < 6; i++) {
        unsigned kind = row->arg[i] & 0xff;
        o[i].copy = NULL;
        if (kind == A_OFFPTR) {
            host[i] = (uintptr_t)order_inout(t, &o[i], a[i], 8, "q", &ok);
        } else if (kind == A_INN_ || kind == A_OUTN_) {
            host[i] = (uintptr_t)order_inout(t, &o[i], a[i], row->arg[i] >> 8, layout_of(row->arg[i] >> 8), &ok);
        }
    }
    int64_t r = !ok ? -EFAULT : row == &rows[SYSCALL_read] || row == &rows[SYSCALL_write] ? transfer(t, row, host) : pass(t, row, host);
    for (unsigned i = 0; i < 6; i++) {
        if (o[i].copy && !order_out(&o[i], r >= 0 && (row->arg[i] & 0xff) != A_INN_)) {
            r = -EFAULT;
        }
    }
    return r;
}

static uint64_t in(vaddr addr, uint64_t size_bytes)
{
    bool ok = true;
    void *p = guest_in(addr, size_bytes, &ok);
    return (uintptr_t)(ok ? p : BAD_HOST_POINTER);
}

static uint64_t out(vaddr addr, uint64_t size_bytes)
{
    bool ok = true;
    void *p = guest_out(addr, size_bytes, &ok);
    return (uintptr_t)(ok ? p : BAD_HOST_POINTER);
}

static int64_t pass(Thread *t, const Syscall *row, uint64_t *a)
{
    bool paths = false, ours = t->abi->big_endian; /* structures are copies already */
    struct timespec times[2];
    for (unsigned i = 0; i < 6; i++) {
        unsigned kind = row->arg[i] & 0xff;
        switch (kind) {
        case A_INBUF:
            a[i] = in(a[i], a[i + 1]);
            break;
        case A_OUTBUF:
            a[i] = out(a[i], a[i + 1]);
            break;
        case A_INN_:
            if (ours) {
                break;
            }
            a[i] = in(a[i], row->arg[i] >> 8);
            break;
        case A_OUTN_:
        case A_OFFPTR:
            if (ours) {
                break;
            }
            a[i] = out(a[i], kind == A_OFFPTR ? 8 : row->arg[i] >> 8);
            break;
        case A_TIMESPEC_:
            if (a[i]) {
                a[i] = (uintptr_t)(timespecs_from_guest(t->abi, times, a[i], row->arg[i] >> 8) ? (void *)times : BAD_HOST_POINTER);
            }
            break;
        case A_STR:
        case A_PTR:
        case A_SIGSET:
            a[i] = in(a[i], 1);
            break;
        case A_PATH:
            paths = true;
            break;
        }
    }
    return paths ? call_with_strings(t, row, a) : host_call(t, row, a);
}

static int64_t call_row(Thread *t, const Syscall *row, uint64_t args[6])
{
    switch ((SyscallHow)row->how) {
    case HOW_CALL:
        return row->fn(t, args);
    case HOW_FAIL:
        return -row->number;
    default:
        return unlikely(t->abi->big_endian) ? pass_ordered(t, row, args) : pass(t, row, args);
    }
}

int64_t syscall_call_row(Thread *t, unsigned row, const uint64_t args[6])
{
    uint64_t copy[6];
    memcpy(copy, args, sizeof(copy));
    return call_row(t, &rows[row], copy);
}

int64_t syscall_call_row_raw(Thread *t, unsigned row, const uint64_t regs[6])
{
    uint64_t args[6];
    syscall_decode(t->abi, &rows[row], regs, args);
    return call_row(t, &rows[row], args);
}

int64_t syscall_dispatch(Thread *t, uint64_t nr, const uint64_t regs[6])
{
    const Syscall *row = syscall_find(t->abi, nr);
    if (unlikely(!row)) {
        log_unimp("unknown system call %" PRIu64 "\n", nr);
        if (log_enabled(LOG_STRACE)) {
            strace_enter(t, nr, regs);
            strace_exit(t, nr, regs, -ENOSYS);
        }
        return -ENOSYS;
    }
    uint64_t args[6];
    syscall_decode(t->abi, row, regs, args);
    bool traced = log_enabled(LOG_STRACE);
    uint64_t shown[6];
    if (unlikely(traced)) {
        memcpy(shown, args, sizeof(shown));
        strace_enter(t, nr, shown);
    }
    int64_t r = call_row(t, row, args);
    if (unlikely(traced)) {
        strace_exit(t, nr, shown, r);
    }
    return r;
}
