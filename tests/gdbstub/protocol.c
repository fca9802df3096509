/* protocol.c: packets against a made-up CPU of four registers and 256 bytes of memory. */
#include "gdbstub/gdbstub.h"
#include "tests/test.h"

typedef struct ToyState { uint32_t r[3], pc; uint64_t f; } ToyState;

static const RegDesc toy_regs[] = {
    { "r0", "general", 0, 32, 0, "int" }, { "r1", "general", 4, 32, 1, "int" }, { "r2", "general", 8, 32, 2, "data_ptr" },
    { "pc", "general", 12, 32, 3, "code_ptr" }, { "f", "float", 16, 64, 4, "ieee_double" },
};

static const RegDesc *toy_list(const Vcpu *vcpu, size_t *n)
{
    *n = ARRAY_SIZE(toy_regs);
    return toy_regs;
}

static void toy_set_pc(Vcpu *vcpu, vaddr pc) { ((ToyState *)vcpu->state)->pc = (uint32_t)pc; }
static const char *toy_feature(const char *group) { return strcmp(group, "general") ? NULL : "org.toy.cpu"; }

static const Target toy = { .name = "toy", .regs = toy_list, .set_pc = toy_set_pc, .gdb_feature = toy_feature };

static struct {
    char out[40000];
    size_t n;
    Vcpu *vcpu[2];
    uint8_t mem[256];
    GdbAction actions[2];
    int signal, resumes, points, interrupts;
    size_t n_caught;
    bool catching;
    int released; /* 1 child, 2 parent */
} m;

static void t_send(void *o, const void *data, size_t n)
{
    memcpy(m.out + m.n, data, n);
    m.out[m.n += n] = 0;
}
static size_t t_n(void *o) { return 2; }
static Vcpu *t_vcpu(void *o, size_t i) { return m.vcpu[i]; }
static uint32_t t_id(void *o, Vcpu *v) { return v == m.vcpu[0] ? 1 : 2; }
static void t_name(void *o, Vcpu *v, char *out, size_t size) { snprintf(out, size, "toy %u", t_id(o, v)); }
static bool t_read(void *o, Vcpu *v, vaddr addr, void *out, size_t n)
{
    return addr <= 256 && n <= 256 - addr && memcpy(out, m.mem + addr, n);
}
static bool t_write(void *o, Vcpu *v, vaddr addr, const void *in, size_t n)
{
    return addr <= 256 && n <= 256 - addr && memcpy(m.mem + addr, in, n);
}
static GdbPointResult t_point(void *o, GdbPoint kind, vaddr addr, uint64_t size, bool insert)
{
    m.points += insert ? 1 : -1;
    return kind == GDB_POINT_READ ? GDB_POINT_UNSUPPORTED : GDB_POINT_DONE;
}
static void t_resume(void *o, const GdbAction *actions, size_t n, int signal, Vcpu *v)
{
    memcpy(m.actions, actions, n * sizeof(*actions));
    m.signal = signal;
    m.resumes++;
}
static void t_interrupt(void *o) { m.interrupts++; }
static void t_catch(void *o, const uint64_t *numbers, size_t n, bool on)
{
    m.catching = on;
    m.n_caught = n;
    CHECK(n < 2 || (numbers[0] == 0x40 && numbers[1] == 0x5e));
}
static void t_release(void *o, bool child) { m.released = child ? 1 : 2; }
static void t_nothing(void *o) { }
static char *t_monitor(void *o, const char *command) { return xasprintf("you said %s", command); }

static const GdbOps ops = {
    .send = t_send, .n_vcpus = t_n, .vcpu = t_vcpu, .thread_id = t_id, .pid = 1, .thread_name = t_name, .mem_read = t_read,
    .mem_write = t_write, .point = t_point, .resume = t_resume, .interrupt = t_interrupt, .kill = t_nothing,
    .detached = t_nothing, .monitor = t_monitor, .catch_syscalls = t_catch, .release_fork = t_release, .linux_signals = true,
};

/* Sends a packet, returns the answer's payload. */
static const char *ask(GdbServer *gdb, const char *packet)
{
    static char answer[40000];
    uint8_t sum = 0;
    char framed[2048];

    for (const char *p = packet; *p; p++) sum += (uint8_t)*p;
    snprintf(framed, sizeof(framed), "$%s#%02x", packet, sum);
    m.n = 0;
    m.out[0] = 0;
    for (char *p = framed; *p; p++) gdb_input(gdb, p, 1);
    char *start = strrchr(m.out, '$'), *end = strrchr(m.out, '#');
    if (!start || !end) return "(none)";
    snprintf(answer, sizeof(answer), "%.*s", (int)(end - start - 1), start + 1);
    return answer;
}

#define CHECK_ASK(packet, want)                                                              \
    do {                                                                                     \
        const char *got_ = ask(gdb, packet);                                                 \
        if (strcmp(got_, want)) fprintf(stderr, "%s -> %s\n", packet, got_);                 \
        CHECK(!strcmp(got_, want));                                                          \
    } while (0)

int main(void)
{
    for (int i = 0; i < 2; i++) {
        m.vcpu[i] = xmemalign(64, sizeof(Vcpu) + 256);
        memset(m.vcpu[i], 0, sizeof(Vcpu) + 256);
        m.vcpu[i]->target = &toy;
    }
    GdbServer *gdb = gdb_server_new(&ops, NULL);
    gdb_connected(gdb);
    gdb_stopped(gdb, &(GdbStop){ .vcpu = m.vcpu[0], .signal = 5 });
    CHECK(strstr(ask(gdb, "qSupported:multiprocess+;swbreak+"), "qXfer:features:read+"));
    CHECK(m.out[0] == '+');
    CHECK_ASK("?", "T05thread:p01.01;");
    CHECK_ASK("Gefbeadde0100000002000000", "OK");
    CHECK_ASK("g", "efbeadde010000000200000000000000");
    CHECK_ASK("P3=78563412", "OK");
    CHECK_ASK("p3", "78563412");
    CHECK_ASK("p4", "0000000000000000");
    CHECK_ASK("p9", "E14");
    CHECK_ASK("M10,4:01020304", "OK");
    CHECK_ASK("m10,4", "01020304");
    CHECK_ASK("mfe,4", "E14");
    CHECK_ASK("M10,4:0102", "E22");
    CHECK_ASK("X20,2:ab", "OK");
    CHECK_ASK("m20,2", "6162");
    CHECK(strstr(ask(gdb, "qXfer:features:read:target.xml:0,fff"), "<xi:include href=\"general.xml\"/><xi:include href=\"float.xml\"/>"));
    CHECK(strstr(ask(gdb, "qXfer:features:read:general.xml:0,fff"), "<feature name=\"org.toy.cpu\"><reg name=\"r0\" bitsize=\"32\""));
    CHECK_ASK("qXfer:features:read:other.xml:0,fff", "E00");
    CHECK_ASK("qfThreadInfo", "mp01.01,p01.02");
    CHECK_ASK("qsThreadInfo", "l");
    CHECK_ASK("qThreadExtraInfo,p1.2", "746f792032");
    CHECK_ASK("Hgp1.2", "OK");
    CHECK_ASK("p0", "00000000");
    CHECK_ASK("Hgp1.7", "E22");
    CHECK_ASK("Z0,100,4", "OK");
    CHECK_ASK("Z3,100,4", "");
    CHECK_ASK("Z2,100", "E22");
    CHECK_ASK("vCont?", "vCont;c;C;s;S");
    CHECK_ASK("vNonsense", "");
    ask(gdb, "vCont;s:p1.2;c");
    CHECK(m.resumes == 1 && m.actions[0] == GDB_CONTINUE && m.actions[1] == GDB_STEP && gdb_is_running(gdb));
    CHECK_ASK("g", "(none)");
    gdb_input(gdb, "\003", 1);
    CHECK(m.interrupts == 1);
    m.n = 0;
    gdb_stopped(gdb, &(GdbStop){ .vcpu = m.vcpu[1], .signal = 10, .watch = GDB_POINT_WRITE, .watch_addr = 0x1234 });
    CHECK(strstr(m.out, "$T1ethread:p01.02;watch:1234;#"));
    ask(gdb, "vCont;C0b:p1.2;c");
    CHECK(m.signal == 11);
    gdb_stopped(gdb, &(GdbStop){ .vcpu = m.vcpu[0], .signal = 5, .breakpoint = true });
    CHECK_ASK("qRcmd,6869", "OK");
    CHECK_ASK("vCont;x", "E22");
    /* A bad checksum is refused and changes nothing. */
    m.n = 0;
    gdb_input(gdb, "$M10,1:ff#00", 12);
    CHECK(m.out[0] == '-' && m.mem[0x10] == 1);
    CHECK_ASK("QStartNoAckMode", "OK");
    int before = m.points;
    CHECK_ASK("D", "OK");
    CHECK(m.points == before - 1);
    gdb_exited(gdb, 3, 0);
    CHECK(strstr(m.out, "$W03;process:1#"));

    /* System calls and forks. */
    gdb_connected(gdb);
    gdb_stopped(gdb, &(GdbStop){ .vcpu = m.vcpu[0], .signal = 5 });
    CHECK(strstr(ask(gdb, "qSupported:multiprocess+;vfork-events+"), "QCatchSyscalls+;fork-events+"));
    CHECK(!gdb_wants_forks(gdb));
    ask(gdb, "qSupported:multiprocess+;vfork-events+;fork-events+");
    CHECK(gdb_wants_forks(gdb));
    CHECK_ASK("QCatchSyscalls:1;40;5e", "OK");
    CHECK(m.catching && m.n_caught == 2);
    CHECK_ASK("QCatchSyscalls:1;zz", "E22");
    CHECK_ASK("QCatchSyscalls:0", "OK");
    CHECK(!m.catching);
    ask(gdb, "vCont;c");
    m.n = 0;
    gdb_stopped(gdb, &(GdbStop){ .vcpu = m.vcpu[0], .signal = 5, .syscall_entry = true, .syscall = 0x40 });
    CHECK(strstr(m.out, "T05thread:p01.01;syscall_entry:40;"));
    ask(gdb, "vCont;c");
    m.n = 0;
    gdb_stopped(gdb, &(GdbStop){ .vcpu = m.vcpu[0], .signal = 5, .fork_pid = 0x99 });
    CHECK(strstr(m.out, "T05thread:p01.01;fork:p99.99;"));
    CHECK_ASK("Z0,100,4", "OK");
    before = m.points;
    CHECK_ASK("Hgp99.99", "OK");
    CHECK_ASK("m10,2", "0102");      /* the child is still what its parent is */
    CHECK_ASK("z0,100,4", "OK");     /* but its breakpoints are not the parent's */
    CHECK_ASK("M10,1:ff", "E14");
    CHECK(m.points == before && m.mem[0x10] == 1);
    CHECK_ASK("D;55", "E22");
    CHECK_ASK("D;99", "OK");
    CHECK(m.released == 1 && !gdb_is_running(gdb));
    CHECK_ASK("Hgp99.99", "E22");
    ask(gdb, "vCont;c");
    gdb_stopped(gdb, &(GdbStop){ .vcpu = m.vcpu[0], .signal = 5, .fork_pid = 0x9a });
    CHECK_ASK("D;1", "OK");
    CHECK(m.released == 2 && m.points == before - 1);
    CHECK_ASK("?", "(none)");        /* the child answers */
    gdb_is_child(gdb, m.vcpu[1]);
    CHECK_ASK("?", "T05thread:p01.02;");
    gdb_exited(gdb, 3, 0);
    CHECK(strstr(m.out, "$W03;process:1#"));
    gdb_server_free(gdb);
    return test_result();
}
