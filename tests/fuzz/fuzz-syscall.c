/*
 * fuzz-syscall.c: random system calls of a guest program: the user-mode runner answers each or ends the program, whatever
 * the arguments are; it never dies of a fault of its own, never hangs on a lock of its own, and no argument reaches its memory.
 *
 * usage: fuzz-syscall --runner PATH [--seed S] [--count N] [--seconds T] [--bits 32] [--keep FOLDER] [-v]
 *
 * A seed gives a program: an ELF file with a loop of two dozen instructions that walks a table of calls; arguments are chosen by the
 * kinds in linux-user/syscall/table.def, or are results of earlier calls. The data they point to is a set of slots filled
 * like the structures the kernel reads, with sizes and pointers that are often wrong; half of the programs may run code in it,
 * so that the kernel writes to pages with translated code. Addresses of the runner's own mappings are among the bad pointers.
 * Children and threads of the program go on in the same table. The program runs in tests/fuzz/sandbox.c.
 *
 * A failure says the seed: run it again with --seed S --count 1 --keep . and the program is in syscall-S.elf.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "linux-user/syscall/syscall.h"
#include "tests/fuzz/sandbox.h"
#include "util/bits.h"

/* -- the table ------------------------------------------------------------------------------------- */

typedef struct Row {
    const char *name;
    int16_t nr[2];
    uint16_t arg[6];
} Row;

#undef NO
#define NO -1
#define SYS(name_, nr64, nr32, how, ...) { #name_, { nr64, nr32 }, { __VA_ARGS__ } },
static const Row rows[] = {
#include "linux-user/syscall/table.def"
};
#undef SYS

/* Ends the program or waits for somebody who will not come: seldom, or nothing else is tried. */
static const char *const seldom[] = {
    "exit", "exit_group", "rt_sigsuspend", "rt_sigtimedwait", "rt_sigtimedwait_time64", "execve", "execveat", "kill", "tkill", "tgkill", "clone", "clone3",
    "rt_sigreturn", "ppoll", "ppoll_time64", "pselect6", "pselect6_time64", "futex", "futex_time64", "unlinkat", "munmap",
};

/* -- random numbers ---------------------------------------------------------------------------------- */

static uint64_t state;

static uint64_t rnd64(void)
{
    state += 0x9e3779b97f4a7c15u;
    uint64_t z = state;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static uint32_t rnd(uint32_t below)
{
    return (uint32_t)(rnd64() >> 33) % below;
}

static bool one_in(uint32_t n)
{
    return rnd(n) == 0;
}

#define PICK(array) ((array)[rnd((uint32_t)(sizeof(array) / sizeof((array)[0])))])

/* -- the program -------------------------------------------------------------------------------------- */

enum {
    TEXT = 0x10000, STUBS = TEXT + 0x800, TABLE = 0x11000, TABLE_BYTES = 0x3000, RESULTS = 0x14000, DATA = 0x20000, SLOT_BYTES = 1024, N_SLOTS = 16,
    DATA_FILE_BYTES = SLOT_BYTES * N_SLOTS, DATA_BYTES = 0x8000, MAX_CALLS = 64, FILE_HEAD = 0x1000,
    FILE_TABLE = 2 * FILE_HEAD, FILE_DATA = FILE_TABLE + TABLE_BYTES, PROGRAM_BYTES = FILE_DATA + DATA_FILE_BYTES,
    N_STUBS = 4, STUB_BYTES = 32, /* signal handlers in the text */
    USE_STACK = 64,               /* in the mask of a call: the stack pointer becomes the first argument */
};

typedef struct Program {
    uint8_t bytes[PROGRAM_BYTES];
    unsigned bits, word;
    bool exec_data;
    unsigned n_calls;
    char listing[MAX_CALLS + 2][200];
} Program;

static SandboxMap maps[256];
static size_t n_maps;

static uint64_t cut(const Program *p, uint64_t v)
{
    return p->bits == 32 ? (uint32_t)v : v;
}

static void put_word(Program *p, size_t at, uint64_t v)
{
    if (p->word == 8) {
        stle64(p->bytes + at, v);
    } else {
        stle32(p->bytes + at, (uint32_t)v);
    }
}

static size_t put_code(Program *p, size_t at, uint32_t insn)
{
    stle32(p->bytes + at, insn);
    return at + 4;
}

enum { ZERO = 0, RA = 1, SP = 2, T0 = 5, T1 = 6, S0 = 8, S1 = 9, A0 = 10, A7 = 17 };

/* I, S, B and J formats of the base instruction set (Unprivileged 2.2, 2.3). */
static uint32_t load(const Program *p, unsigned rd, unsigned rs1, unsigned imm)
{
    return imm << 20 | rs1 << 15 | (p->word == 8 ? 3u : 2u) << 12 | rd << 7 | 0x03;
}

static uint32_t store(const Program *p, unsigned rs2, unsigned rs1)
{
    return rs2 << 20 | rs1 << 15 | (p->word == 8 ? 3u : 2u) << 12 | 0x23;
}

static uint32_t op_imm(unsigned funct3, unsigned rd, unsigned rs1, unsigned imm)
{
    return imm << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | 0x13;
}

static uint32_t lui(unsigned rd, uint32_t value)
{
    return (value & 0xfffff000) | rd << 7 | 0x37;
}

static uint32_t beq_over_one(unsigned rs1)
{
    return rs1 << 15 | 8 << 8 | 0x63; /* imm[4:1] = 4: eight bytes on */
}

static uint32_t jal_back(size_t bytes)
{
    uint32_t imm = 0u - (uint32_t)bytes;
    return (imm >> 20 & 1) << 31 | (imm >> 1 & 0x3ff) << 21 | (imm >> 11 & 1) << 20 | (imm >> 12 & 0xff) << 12 | 0x6f;
}

enum { ECALL = 0x73, EBREAK = 0x100073, RET = 0x8067 };

static void make_text(Program *p)
{
    unsigned w = p->word;
    size_t at = FILE_HEAD;
    at = put_code(p, at, lui(S0, TABLE));
    at = put_code(p, at, lui(S1, RESULTS));
    size_t loop = at;
    at = put_code(p, at, load(p, A7, S0, 0));
    at = put_code(p, at, load(p, T0, S0, w));
    for (unsigned i = 0; i < 6; i++) {
        at = put_code(p, at, load(p, A0 + i, S0, (2 + i) * w));
        at = put_code(p, at, op_imm(7, T1, T0, 1u << i));
        at = put_code(p, at, beq_over_one(T1));
        at = put_code(p, at, load(p, A0 + i, A0 + i, 0));
    }
    at = put_code(p, at, op_imm(7, T1, T0, USE_STACK));
    at = put_code(p, at, beq_over_one(T1));
    at = put_code(p, at, op_imm(0, SP, A0, 0));
    at = put_code(p, at, ECALL);
    at = put_code(p, at, store(p, A0, S1));
    at = put_code(p, at, op_imm(0, S1, S1, w));
    at = put_code(p, at, op_imm(0, S0, S0, 8 * w));
    put_code(p, at, jal_back(at - loop));

    size_t stub = FILE_HEAD + (STUBS - TEXT);
    put_code(p, stub, RET);
    put_code(p, stub + STUB_BYTES, EBREAK);
    /* Never returns: goes on in the table with whatever the registers are. */
    put_code(p, stub + 2 * STUB_BYTES, jal_back(stub + 2 * STUB_BYTES - loop));
    size_t moved = put_code(p, stub + 3 * STUB_BYTES, op_imm(0, SP, SP, 16)); /* a frame that is none */
    moved = put_code(p, moved, op_imm(0, A7, ZERO, 139 /* rt_sigreturn */));
    put_code(p, moved, ECALL);
}

/* -- values -------------------------------------------------------------------------------------------- */

static uint64_t slot_address(void)
{
    return DATA + (uint64_t)rnd(N_SLOTS) * SLOT_BYTES;
}

static uint64_t bad_pointer(const Program *p)
{
    static const uint64_t fixed[] = {
        1, 8, 0xfff, 0x1000, TEXT, TABLE, TABLE + 8, RESULTS + 0xff8, RESULTS + 0x1000, DATA + DATA_BYTES - 8, DATA + DATA_BYTES - 1, DATA + DATA_BYTES, DATA - 1,
        0x7ffffff8, 0x80000000, 0x80000001, 0xfffff000, 0xffffffff, 0x100000000, 0x3ffffff000, 0x3ffffffff8, 0x4000000000, 0x7fffff000000,
        0x7ffffffff000, 0x7fffffffffff, 0x800000000000, 0x7fffffffffffffff, 0x8000000000000000, 0xdead0000beef0000, 0xffff800000000000, 0xfffffffffffff000,
        0xfffffffffffffff8, 0xffffffffffffffff, 0xffffffffff600000,
    };
    if (n_maps && one_in(3)) {
        const SandboxMap *m = &maps[rnd((uint32_t)n_maps)];
        uint64_t at[] = { m->start, m->start + 0x40, m->end - 8, m->start - 16, m->start + rnd64() % (m->end - m->start) };
        return cut(p, PICK(at));
    }
    return cut(p, one_in(8) ? rnd64() : PICK(fixed) - (one_in(4) ? rnd(64) : 0));
}

static uint64_t pointer(const Program *p)
{
    switch (rnd(16)) {
    case 0: return 0;
    case 1: case 2: return bad_pointer(p);
    case 3: return slot_address() + rnd(SLOT_BYTES);
    case 4: return DATA + (DATA_BYTES - 0x1000u * rnd(4)) - rnd(64); /* at the end of a page */
    case 5: return RESULTS + (uint64_t)rnd(MAX_CALLS) * p->word;
    default: return slot_address();
    }
}

static uint64_t page_address(const Program *p)
{
    switch (rnd(6)) {
    case 0: return 0;
    case 1: return bad_pointer(p) & ~(uint64_t)0xfff;
    case 2: return bad_pointer(p);
    case 3: return TEXT + 0x1000u * rnd(6);
    default: return DATA + 0x1000u * rnd(10);
    }
}

static uint64_t size(void)
{
    static const uint64_t some[] = {
        0, 1, 4, 7, 8, 8, 8, 12, 16, 16, 24, 32, 56, 64, 88, 104, 112, 128, 128, 256, 1000, 1024, 4095, 4096, 8192, 65536, 1 << 20, 0x7fffffff, 0x80000000,
        0xffffffff, 0x100000000, 0x7ffffffff000, 0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff, 0xfffffffffffff000,
    };
    return one_in(12) ? rnd64() >> rnd(64) : one_in(3) ? rnd(200) : PICK(some);
}

static uint64_t number(void)
{
    switch (rnd(8)) {
    case 0: return (uint64_t)1 << rnd(64);
    case 1: return rnd64() >> rnd(64);
    case 2: return (uint64_t)-(int64_t)rnd(130);
    case 3: return 0x80000000u + rnd(3) - 1;
    case 4: return 0;
    default: return rnd(70);
    }
}

static uint64_t bits(void)
{
    uint64_t v = 0;
    for (unsigned n = rnd(4); n; n--) {
        v |= (uint64_t)1 << rnd(one_in(4) ? 64 : 24);
    }
    return v;
}

static uint64_t descriptor(void)
{
    static const int some[] = { -1, -100, 0, 1, 2, 63, 64, 1023, 0x7fffffff, (int)0x80000000 };
    return one_in(6) ? (uint64_t)PICK(some) : 3 + rnd(8);
}

static uint64_t map_flags(void)
{
    static const uint32_t some[] = { 0x22, 0x22, 0x22, 0x21, 0x32, 0x32, 0x31, 0x02, 0x01, 0x12, 0x4022, 0x100022, 0x40022, 0x122, 0x20022, 0x10032, 0x03 };
    return one_in(8) ? bits() : PICK(some) | (one_in(8) ? (uint32_t)bits() : 0);
}

static uint64_t clone_flags(void)
{
    static const uint32_t some[] = { 0x3d0f00, 0x3d0f00, 0x50f00, 17, 0x1200011, 0x4111, 0x4100 | 17, 0x80000011, 0x100000000u >> 1 };
    uint64_t v = one_in(8) ? rnd64() : PICK(some);
    return one_in(4) ? v ^ bits() : v;
}

static uint64_t value(const Program *p, const Row *row, unsigned i)
{
    static const uint64_t open_flags[] = { 0, 1, 2, 0x42, 0x242, 0x402, 0x80000, 0x10000, 0x200000, 0x410000 | 2, 0x80042, 0x800 };
    static const uint32_t ioctls[] = { 0x5401, 0x5402, 0x5413, 0x541b, 0x5421, 0x5452, 0x5450, 0x5451, 0x8910, 0x8927, 0x80086601, 0x4008f50b, 0x5410, 0x540f, 0xc020660b,
                                       0x7 };
    static const uint32_t prctls[] = { 0x53564d41, 0x59616d61, 0x59616d61, 0x41555856 };
    bool mapping = !strncmp(row->name, "mm", 2) || !strncmp(row->name, "m", 1) || !strcmp(row->name, "shmat") || !strcmp(row->name, "brk");
    if (!strcmp(row->name, "prctl") && i == 0) {
        return one_in(10) ? PICK(prctls) : rnd(80);
    }
    if (!strcmp(row->name, "ioctl") && i == 1) {
        return one_in(5) ? rnd64() : PICK(ioctls);
    }
    if (!strcmp(row->name, "clone") && i == 0) {
        return clone_flags();
    }
    if (!strncmp(row->name, "socket", 6)) {
        return i == 0 ? (one_in(10) ? number() : (uint64_t[]){ 1, 1, 1, 2, 10, 16 }[rnd(6)]) : i == 3 ? pointer(p) : i == 2 ? rnd(20) : 1 + rnd(5) + (one_in(3) ? 0x80000 : 0);
    }
    switch (row->arg[i] & 0xff) {
    case A_NONE: return rnd64();
    case A_FD: return descriptor();
    case A_DIRFD: return one_in(3) ? descriptor() : (uint64_t)-100;
    case A_SIZE: return size();
    case A_OPENFLAGS: return one_in(6) ? bits() : PICK(open_flags);
    case A_PROT: return one_in(12) ? rnd64() : rnd(8);
    case A_MAPFLAGS: return map_flags();
    case A_SIG: return one_in(8) ? number() : 1 + rnd(64);
    case A_SIGHOW: return one_in(8) ? number() : rnd(3);
    case A_CLOCK: return one_in(4) ? number() : rnd(12);
    case A_FUTEX: return one_in(8) ? number() : rnd(14) | (rnd(4) << 7);
    case A_FCNTL: return one_in(3) ? 1024 + rnd(18) : one_in(8) ? number() : rnd(40);
    case A_RLIMIT: return one_in(8) ? number() : rnd(16);
    case A_MODE: return one_in(8) ? rnd64() : 0600 + rnd(0200);
    case A_OFF: return one_in(2) ? size() : rnd(5000);
    case A_HEX: return one_in(3) ? number() : bits();
    case A_INT: case A_UINT: case A_LONG: return number();
    case A_ULONG: return one_in(2) ? number() : pointer(p);
    default: return mapping && one_in(2) ? page_address(p) : pointer(p);
    }
}

/* -- what pointers point to -------------------------------------------------------------------------------- */

static uint64_t any_word(const Program *p)
{
    switch (rnd(5)) {
    case 0: return number();
    case 1: return size();
    case 2: return descriptor();
    default: return pointer(p);
    }
}

static const char *const names[] = {
    "/tmp/a", "/tmp/b", "a", "", ".", "..", "/", "/tmp", "/proc/self/exe", "/proc/self/maps", "/proc/self/fd/3", "/proc/self/cmdline", "/proc/self/stat",
    "/proc/self/task", "/proc/cpuinfo", "/proc/self/auxv", "/tmp/../tmp/a/../b", "/tmp/program", "/dev/null", "user.name", "/tmp/a/", "/proc/thread-self/smaps", "#!/tmp/a",
    "/proc/self", "/proc/2/exe", "/proc/4294967297/exe", "/proc/self/task/2/maps",
};

static uint64_t handler(const Program *p)
{
    switch (rnd(10)) {
    case 0: return 0;
    case 1: return 1;
    case 2: return pointer(p);
    case 3: return slot_address();
    default: return STUBS + STUB_BYTES * (one_in(2) ? 0 : rnd(N_STUBS));
    }
}

/* One slot; many structures in a row where they are small. */
static void fill_slot(Program *p, unsigned slot)
{
    size_t start = FILE_DATA + slot * SLOT_BYTES, end = start + SLOT_BYTES, at = start;
    unsigned kind = rnd(14);
    while (at < end) {
        switch (kind) {
        case 0: case 1: /* iovec, and argument vectors of a kind */
            put_word(p, at, pointer(p));
            put_word(p, at + p->word, one_in(3) ? size() : rnd(300));
            at += 2 * p->word;
            break;
        case 2: { /* msghdr; mmsghdr at some word */
            uint64_t v[8] = { pointer(p), rnd(130), pointer(p), one_in(4) ? number() : rnd(5), pointer(p), one_in(3) ? size() : rnd(100), bits(), rnd(3) };
            for (unsigned i = 0; i < 8; i++, at += p->word) {
                put_word(p, at, cut(p, v[i]));
            }
            break;
        }
        case 3: { /* a path, perhaps without its end */
            const char *name = PICK(names);
            memcpy(p->bytes + at, name, strlen(name) + 1);
            at += (strlen(name) + 8) & ~7u;
            if (one_in(16)) {
                memset(p->bytes + at, 'x', end - at);
                at = end;
            }
            break;
        }
        case 4: /* timespec, timeval, itimerspec: short */
            stle64(p->bytes + at, one_in(20) ? rnd64() : 0);
            stle64(p->bytes + at + 8, one_in(10) ? rnd64() : rnd(2000000));
            at += 16;
            break;
        case 5: /* sigaction */
            put_word(p, at, handler(p));
            put_word(p, at + p->word, (uint64_t)PICK(((uint32_t[]){ 0, 4, 0x10000000, 0x08000000, 0x40000000, 0x80000000, 2, 0x48000004 })));
            stle64(p->bytes + at + 2 * p->word, one_in(3) ? rnd64() : 0);
            at += 2 * p->word + 8;
            break;
        case 6: { /* clone_args: eleven 64-bit fields */
            uint64_t v[11] = { clone_flags() & ~0xffull, pointer(p), pointer(p), pointer(p), one_in(3) ? number() : 17, one_in(2) ? 0 : slot_address(), one_in(3) ? size() : 1024,
                               pointer(p), one_in(3) ? pointer(p) : 0, one_in(3) ? number() : 0, one_in(3) ? number() : 0 };
            for (unsigned i = 0; i < 11 && at + 8 <= end; i++, at += 8) {
                stle64(p->bytes + at, v[i]);
            }
            break;
        }
        case 7: /* cmsghdr with descriptors or credentials */
            put_word(p, at, one_in(4) ? size() : p->word + 8 + 4 * rnd(5));
            stle32(p->bytes + at + p->word, one_in(4) ? (uint32_t)number() : 1);
            stle32(p->bytes + at + p->word + 4, one_in(4) ? (uint32_t)number() : 1 + rnd(3));
            stle32(p->bytes + at + p->word + 8, (uint32_t)descriptor());
            stle32(p->bytes + at + p->word + 12, (uint32_t)descriptor());
            at += p->word + 16;
            break;
        case 8: /* pollfd, epoll_event, semaphore operations: words of 32 bits */
            stle32(p->bytes + at, (uint32_t)(one_in(4) ? number() : descriptor()));
            stle32(p->bytes + at + 4, one_in(4) ? (uint32_t)rnd64() : rnd(64));
            at += 8;
            break;
        case 9: { /* socket addresses */
            static const uint8_t inet[16] = { 2, 0, 0x12, 0x34, 127, 0, 0, 1 };
            memset(p->bytes + at, 0, 32);
            memcpy(p->bytes + at, inet, sizeof(inet));
            p->bytes[at] = (uint8_t)(one_in(4) ? rnd(256) : (uint8_t[]){ 1, 2, 10, 16 }[rnd(4)]);
            if (one_in(2)) {
                memcpy(p->bytes + at + 2, "/tmp/a", 7);
            }
            at += 32;
            break;
        }
        case 10: /* masks and small numbers */
            stle64(p->bytes + at, one_in(2) ? rnd64() & rnd64() & rnd64() : rnd(100));
            at += 8;
            break;
        case 11: /* code: `ret` everywhere; a handler when the data may run */
            at = put_code(p, at, RET);
            break;
        default:
            put_word(p, at, cut(p, one_in(8) ? rnd64() : any_word(p)));
            at += p->word;
        }
        if (one_in(40)) {
            kind = rnd(14);
        }
        if (end - at < 128) { /* room for the longest */
            memset(p->bytes + at, 0, end - at);
            break;
        }
    }
}

/* -- the ELF file ---------------------------------------------------------------------------------------------- */

static void program_header(Program *p, size_t at, uint32_t flags, uint64_t offset, uint64_t addr, uint64_t file_bytes, uint64_t bytes)
{
    stle32(p->bytes + at, 1); /* PT_LOAD */
    if (p->bits == 64) {
        stle32(p->bytes + at + 4, flags);
        uint64_t v[] = { offset, addr, addr, file_bytes, bytes, 0x1000 };
        for (unsigned i = 0; i < 6; i++) {
            stle64(p->bytes + at + 8 + 8 * i, v[i]);
        }
    } else {
        uint32_t v[] = { (uint32_t)offset, (uint32_t)addr, (uint32_t)addr, (uint32_t)file_bytes, (uint32_t)bytes, flags, 0x1000 };
        for (unsigned i = 0; i < 7; i++) {
            stle32(p->bytes + at + 4 + 4 * i, v[i]);
        }
    }
}

static void make_headers(Program *p)
{
    bool is64 = p->bits == 64;
    uint8_t *h = p->bytes;
    memcpy(h, "\177ELF", 4);
    h[4] = is64 ? 2 : 1;
    h[5] = h[6] = 1;
    stle16(h + 16, 2);   /* ET_EXEC */
    stle16(h + 18, 243); /* EM_RISCV */
    stle32(h + 20, 1);
    unsigned head = is64 ? 64 : 52, entry = is64 ? 56 : 32;
    if (is64) {
        stle64(h + 24, TEXT);
        stle64(h + 32, head);
    } else {
        stle32(h + 24, TEXT);
        stle32(h + 28, head);
    }
    uint8_t *tail = h + (is64 ? 52 : 40);
    stle16(tail, (uint16_t)head);
    stle16(tail + 2, (uint16_t)entry);
    stle16(tail + 4, 3);
    program_header(p, head, 5, FILE_HEAD, TEXT, FILE_HEAD + TABLE_BYTES, FILE_HEAD + TABLE_BYTES);
    program_header(p, head + entry, 6, FILE_HEAD, RESULTS, 0, 0x1000);
    program_header(p, head + 2 * entry, p->exec_data ? 7 : 6, FILE_DATA, DATA, DATA_FILE_BYTES, DATA_BYTES);
}

static void put_call(Program *p, unsigned i, const Row *row, const uint64_t args[6], uint64_t mask)
{
    size_t at = FILE_TABLE + (size_t)i * 8 * p->word;
    put_word(p, at, (uint64_t)row->nr[p->bits == 32]);
    put_word(p, at + p->word, mask);
    int n = snprintf(p->listing[i], sizeof(p->listing[i]), "%2u %s", i, row->name);
    for (unsigned k = 0; k < 6; k++) {
        put_word(p, at + (2 + k) * p->word, args[k]);
        if (row->arg[k]) {
            n += mask >> k & 1 ? snprintf(p->listing[i] + n, sizeof(p->listing[i]) - (size_t)n, " @%u", (unsigned)((args[k] - RESULTS) / p->word))
                               : snprintf(p->listing[i] + n, sizeof(p->listing[i]) - (size_t)n, " %#" PRIx64, args[k]);
        }
    }
}

static const Row *find_row(const char *name)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (!strcmp(rows[i].name, name)) {
            return &rows[i];
        }
    }
    abort();
}

static const Row *any_row(const Program *p)
{
    for (;;) {
        const Row *row = &PICK(rows);
        bool rare = false;
        for (size_t i = 0; i < sizeof(seldom) / sizeof(seldom[0]); i++) {
            rare |= !strcmp(row->name, seldom[i]);
        }
        if (row->nr[p->bits == 32] >= 0 && (!rare || one_in(8))) {
            return row;
        }
    }
}

static void make_program(Program *p, uint64_t seed, unsigned width)
{
    static const char *const memory[] = { "mmap", "munmap", "mremap", "mprotect", "madvise", "brk", "msync", "mincore", "shmat", "shmget", "shmdt" };
    const Row *favourite[6];
    memset(p, 0, sizeof(*p));
    state = seed * 0xd1342543de82ef95u + 1;
    p->bits = width ? width : one_in(4) ? 32 : 64;
    p->word = p->bits / 8;
    p->exec_data = one_in(2);
    p->n_calls = 8 + rnd(MAX_CALLS - 8);
    make_text(p);
    make_headers(p);
    for (unsigned i = 0; i < N_SLOTS; i++) {
        fill_slot(p, i);
    }
    /* Some programs try few calls many times, some the address space, some everything. */
    unsigned style = rnd(4);
    for (unsigned i = 0; i < 6; i++) {
        favourite[i] = style == 1 ? find_row(PICK(memory)) : any_row(p);
        if (favourite[i]->nr[p->bits == 32] < 0) {
            favourite[i] = find_row("mmap2");
        }
    }
    for (unsigned i = 0; i < p->n_calls; i++) {
        const Row *row = style < 2 && !one_in(4) ? PICK(favourite) : any_row(p);
        uint64_t args[6], mask = 0;
        for (unsigned k = 0; k < 6; k++) {
            args[k] = cut(p, value(p, row, k));
            if (i && one_in(8)) {
                mask |= 1u << k;
                args[k] = RESULTS + (uint64_t)rnd(i) * p->word;
            }
        }
        if (!strcmp(row->name, "rt_sigreturn") && one_in(2)) {
            mask = USE_STACK;
            args[0] = one_in(4) ? pointer(p) : slot_address();
        }
        put_call(p, i, row, args, mask);
    }
    put_call(p, p->n_calls, find_row("exit_group"), (uint64_t[6]){ 0 }, 0);
    put_call(p, p->n_calls + 1, find_row("exit_group"), (uint64_t[6]){ 0 }, 0);
}

/* A program that waits: ppoll(NULL, 0, NULL, NULL). */
static void make_waiting(Program *p, unsigned width)
{
    memset(p, 0, sizeof(*p));
    p->bits = width;
    p->word = width / 8;
    p->n_calls = 1;
    make_text(p);
    make_headers(p);
    put_call(p, 0, find_row(width == 32 ? "ppoll_time64" : "ppoll"), (uint64_t[6]){ 0, 0, 0, 0, 8 }, 0);
    put_call(p, 1, find_row("exit_group"), (uint64_t[6]){ 0 }, 0);
}

/* -- the verdict ----------------------------------------------------------------------------------------------- */

static unsigned count_text(const char *text, const char *what)
{
    unsigned n = 0;
    for (; (text = strstr(text, what)); text += strlen(what)) {
        n++;
    }
    return n;
}

/* What must not be in the output, whoever of the processes said it. */
static const char *complaint(const SandboxResult *r)
{
    static const char *const texts[] = {
        "internal error", "Assertion", "AddressSanitizer", "runtime error:", "ThreadSanitizer", "corrupted", "free():", "malloc():", "realloc():", "stack smashing",
        "unexpected exit", "out of memory", "pthread_mutex", "__libc_fatal", "Fatal",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (strstr(r->text, texts[i])) {
            return texts[i];
        }
    }
    if (r->end == SANDBOX_DEADLOCK) {
        return "threads wait for a lock of the runner's";
    }
    /* A death the guest asked for is announced, unless the output was cut. */
    if (r->fatal_deaths > count_text(r->text, "uncaught target signal") && r->n_text < sizeof(r->text) - 256) {
        return "a process died by a signal without a word";
    }
    return NULL;
}

int main(int argc, char **argv)
{
    const char *runner = NULL, *keep = NULL;
    uint64_t seed = 1;
    long count = 300, seconds = 0;
    unsigned width = 0;
    bool verbose = false;
    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (!strcmp(argv[i], "--runner") && more) {
            runner = argv[++i];
        } else if (!strcmp(argv[i], "--seed") && more) {
            seed = strtoull(argv[++i], NULL, 0);
        } else if (!strcmp(argv[i], "--count") && more) {
            count = atol(argv[++i]);
        } else if (!strcmp(argv[i], "--seconds") && more) {
            seconds = atol(argv[++i]);
        } else if (!strcmp(argv[i], "--bits") && more) {
            width = (unsigned)atoi(argv[++i]);
        } else if (!strcmp(argv[i], "--keep") && more) {
            keep = argv[++i];
        } else if (!strcmp(argv[i], "-v")) {
            verbose = true;
        } else {
            fprintf(stderr, "usage: fuzz-syscall --runner PATH [--seed S] [--count N] [--seconds T] [--bits 32|64] [--keep FOLDER] [-v]\n");
            return 1;
        }
    }
    if (!runner) {
        fprintf(stderr, "fuzz-syscall: --runner is needed\n");
        return 1;
    }
    int folder = keep ? open(keep, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (!sandbox_init(runner)) {
        printf("skip: no sandbox here\n");
        return 77;
    }
    static Program p;
    static SandboxResult r;
    for (unsigned w = 32; w <= 64; w += 32) {
        make_waiting(&p, w);
        size_t n = sandbox_maps(p.bytes, sizeof(p.bytes), w, maps + n_maps, sizeof(maps) / sizeof(maps[0]) - n_maps);
        uintptr_t lowest = UINTPTR_MAX;
        for (size_t i = n_maps; i < n_maps + n; i++) {
            /* What lies above the guest's window, by its default layout: position-independent programs and libraries. */
            if (maps[i].start >= 0x500000000000) {
                lowest = maps[i].start < lowest ? maps[i].start : lowest;
            }
        }
        n_maps += n;
        if (w == 64) {
            sandbox_set_runner_start(lowest);
        }
    }
    if (!n_maps) {
        fprintf(stderr, "fuzz-syscall: the runner does not run in the sandbox\n");
        return 1;
    }
    if (verbose) {
        sandbox_trace();
    }
    unsigned ends[4] = { 0 }, bad = 0;
    time_t end = time(NULL) + seconds;
    long done = 0;
    for (; seconds ? time(NULL) < end : done < count; done++, seed++) {
        make_program(&p, seed, width);
        if (folder >= 0) {
            char name[64];
            snprintf(name, sizeof(name), "syscall-%" PRIu64 ".elf", seed);
            int fd = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
            if (fd < 0 || write(fd, p.bytes, sizeof(p.bytes)) != (ssize_t)sizeof(p.bytes)) {
                perror(name);
            }
            close(fd);
        }
        if (!sandbox_run(p.bytes, sizeof(p.bytes), p.bits, &r)) {
            return 1;
        }
        ends[r.end]++;
        const char *what = complaint(&r);
        if (verbose || what) {
            for (unsigned i = 0; i <= p.n_calls; i++) {
                printf("%s\n", p.listing[i]);
            }
            printf("seed %" PRIu64 " (%u bits): end %d status %#x: %s\n%.*s\n", seed, p.bits, (int)r.end, r.status, what ? what : "fine", (int)r.n_text, r.text);
            fflush(stdout);
        } else if (r.end == SANDBOX_RUNAWAY) {
            printf("seed %" PRIu64 ": ran on\n", seed);
        }
        bad += what != NULL;
    }
    struct rusage u;
    getrusage(RUSAGE_CHILDREN, &u);
    printf("%ld programs: %u ended, %u waited, %u ran on, %u bad; %ld s\n", done, ends[SANDBOX_ENDED], ends[SANDBOX_BLOCKED], ends[SANDBOX_RUNAWAY], bad,
           (long)(u.ru_utime.tv_sec + u.ru_stime.tv_sec));
    return bad != 0;
}
