/*
 * fuzz-gdb.c: what a debugger's socket may deliver: the protocol server over a made-up CPU of a few registers and one
 * page of memory. Every register and memory access stays inside; no packet crashes the server or makes it answer
 * without end.
 *
 * Input: lines. A line is sent as a packet with its checksum (what follows '!' as it is, without framing); a line "^"
 * says that the target stopped.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "gdbstub/gdbstub.h"
#include "tests/fuzz/fuzz.h"
#include "util/alloc.h"

const char *const fuzz_seeds[] = {
    "qSupported:multiprocess+;swbreak+;xmlRegisters=i386\n?\ng\np0\nP3=78563412\nm10,4\nM10,4:01020304\nX20,2:ab\n",
    "Hgp1.2\nHc-1\nT1\nqfThreadInfo\nqsThreadInfo\nqThreadExtraInfo,p1.2\nqC\nqAttached:1\n",
    "Z0,10,4\nZ2,20,8\nvCont;s:p1.2;c\n^\nz2,20,8\nc\n!\003\n^\ns\n^\nD;1\n",
    "qXfer:features:read:target.xml:0,fff\nqXfer:features:read:general.xml:10,4\nqXfer:auxv:read::0,100\n",
    "qRcmd,696e666f\nQStartNoAckMode\nvMustReplyEmpty\nvCont?\nvKill;1\nqSymbol::\nqOffsets\n",
    "Gefbeadde0100000002000000\nC05\n^\nS05\n^\nvCont;C05:1;s\n^\n!-\n!+\n!$g#00\n!$m0,}#\n", NULL
};
const char *const fuzz_words[] = {
    "\n", "\n^\n", "\n!", "$", "#00", "}", "*", "p1.", "-1", ";", ":", ",", "ffffffffffffffff", "7fffffff", "80000000", "0", "fff",
    "vCont;", "qXfer:", "Z1,", "z0,", "m", "X", "\x7d\x03", "\003", NULL
};

enum { N_VCPUS = 3, MEM_BYTES = 4096, STATE_BYTES = 64, MAX_REPLY_BYTES = 1 << 20 };

static const RegDesc regs[] = {
    { "r0", "general", 0, 32, 0, "int" }, { "r1", "general", 4, 32, 1, "int" }, { "r2", "general", 8, 32, 2, "data_ptr" },
    { "pc", "general", 12, 32, 3, "code_ptr" }, { "f", "float", 16, 64, 4, "ieee_double" },
};
static Vcpu *vcpus[N_VCPUS];
static uint8_t *mem; /* on the heap, so that a sanitizer sees its ends */
static size_t sent;
static uint64_t n_caught;
static bool stopping;

static const RegDesc *list(const Vcpu *vcpu, size_t *n)
{
    *n = ARRAY_SIZE(regs);
    return regs;
}
static void set_pc(Vcpu *vcpu, vaddr pc)
{
    uint32_t low = (uint32_t)pc;
    memcpy(vcpu->state + 12, &low, sizeof(low));
}
static const char *feature(const char *group) { return strcmp(group, "general") ? NULL : "org.toy.cpu"; }
static const Target toy = { .name = "toy", .regs = list, .set_pc = set_pc, .gdb_feature = feature };

static void require(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "fuzz-gdb: %s\n", what);
        abort();
    }
}

static void on_send(void *o, const void *data, size_t n)
{
    const volatile uint8_t *p = data;
    for (size_t i = 0; i < n; i++) {
        (void)p[i];
    }
    sent += n;
    require(sent < MAX_REPLY_BYTES, "an answer without end");
}
static size_t count(void *o) { return N_VCPUS; }
static Vcpu *vcpu_of(void *o, size_t i)
{
    require(i < N_VCPUS, "a vCPU that is there");
    return vcpus[i];
}
static uint32_t id(void *o, Vcpu *v)
{
    for (unsigned i = 0; i < N_VCPUS; i++) {
        if (vcpus[i] == v) {
            return i + 1;
        }
    }
    require(false, "a thread id of an unknown vCPU");
    return 0;
}
static void name(void *o, Vcpu *v, char *out, size_t size) { snprintf(out, size, "toy %u", id(o, v)); }
static bool inside(vaddr addr, size_t n) { return addr <= MEM_BYTES && n <= MEM_BYTES - addr; }
static bool mem_read(void *o, Vcpu *v, vaddr addr, void *out, size_t n)
{
    id(o, v);
    return inside(addr, n) && memcpy(out, mem + addr, n);
}
static bool mem_write(void *o, Vcpu *v, vaddr addr, const void *in, size_t n)
{
    id(o, v);
    return inside(addr, n) && memcpy(mem + addr, in, n);
}
static GdbPointResult point(void *o, GdbPoint kind, vaddr addr, uint64_t size, bool insert)
{
    require(kind <= GDB_POINT_ACCESS, "a kind of point");
    return kind == GDB_POINT_READ ? GDB_POINT_UNSUPPORTED : inside(addr, size) ? GDB_POINT_DONE : GDB_POINT_FAILED;
}
static void resume(void *o, const GdbAction *actions, size_t n, int signal, Vcpu *v)
{
    require(n == N_VCPUS, "an action for each vCPU");
    for (size_t i = 0; i < n; i++) {
        require(actions[i] <= GDB_STEP, "an action");
    }
}
static void interrupt(void *o) { stopping = true; }
static void nothing(void *o) { }
static char *monitor(void *o, const char *command) { return xasprintf("you said %s", command); }
static void catch_syscalls(void *o, const uint64_t *numbers, size_t n, bool on)
{
    require(on || !n, "no numbers when nothing is caught");
    for (size_t i = 0; i < n; i++) {
        n_caught += numbers[i] != 0;
    }
}
static void release_fork(void *o, bool child) { }
static void *object(void *o, Vcpu *vcpu, const char *what, const char *annex, size_t *size)
{
    *size = 300;
    return strcmp(what, "auxv") ? NULL : xcalloc(1, *size);
}

static const GdbOps ops = {
    .send = on_send, .n_vcpus = count, .vcpu = vcpu_of, .thread_id = id, .pid = 1, .thread_name = name, .mem_read = mem_read,
    .mem_write = mem_write, .point = point, .resume = resume, .interrupt = interrupt, .kill = nothing, .detached = nothing,
    .monitor = monitor, .object = object, .catch_syscalls = catch_syscalls, .release_fork = release_fork, .linux_signals = true,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!mem) {
        mem = xcalloc(1, MEM_BYTES);
        for (unsigned i = 0; i < N_VCPUS; i++) {
            vcpus[i] = xmemalign(64, ROUND_UP(sizeof(Vcpu) + STATE_BYTES, (size_t)64));
            memset(vcpus[i], 0, sizeof(Vcpu) + STATE_BYTES);
            vcpus[i]->target = &toy;
        }
    }
    GdbServer *gdb = gdb_server_new(&ops, NULL);
    gdb_connected(gdb);
    gdb_stopped(gdb, &(GdbStop){ .vcpu = vcpus[0], .signal = 5 });
    for (const uint8_t *end = data + size; data < end;) {
        const uint8_t *eol = memchr(data, '\n', (size_t)(end - data));
        size_t n = (size_t)((eol ? eol : end) - data);
        sent = 0;
        if (n == 1 && *data == '^') {
            stopping = true;
        } else if (n && *data == '!') {
            gdb_input(gdb, data + 1, n - 1);
        } else {
            uint8_t sum = 0;
            char tail[4];
            for (size_t i = 0; i < n; i++) {
                sum = (uint8_t)(sum + data[i]);
            }
            snprintf(tail, sizeof(tail), "#%02x", sum);
            gdb_input(gdb, "$", 1);
            gdb_input(gdb, data, n);
            gdb_input(gdb, tail, 3);
        }
        if (stopping && gdb_is_running(gdb)) {
            gdb_stopped(gdb, &(GdbStop){ .vcpu = vcpus[n % N_VCPUS], .signal = (int)(n % 40) });
        }
        stopping = false;
        data += n + (eol != NULL);
    }
    gdb_disconnected(gdb);
    gdb_server_free(gdb);
    return 0;
}
