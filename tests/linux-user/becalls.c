/* becalls.c: system calls of big-endian Arm, 32 and 64 bits, without a C library: sets of signals wherever they are passed, what is read from and written
 * to descriptors of the kernel's own kinds, netlink, structures with halves of numbers. Each line that is wrong is printed; the status counts them. */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long word;
typedef unsigned long long u64;

#ifdef __aarch64__
enum { READ = 63, WRITE = 64, EXIT = 93, GETPID = 172, KILL = 129, SIGACTION = 134, SIGPROCMASK = 135, SIGPENDING = 136, SIGTIMEDWAIT = 137, SIGQUEUEINFO = 138,
       PPOLL = 73, PSELECT = 72, EPOLL_CREATE1 = 20, EPOLL_CTL = 21, EPOLL_PWAIT = 22, SIGNALFD4 = 74, EVENTFD2 = 19, TIMERFD_CREATE = 85, TIMERFD_SETTIME = 86,
       INOTIFY_INIT1 = 26, INOTIFY_ADD = 27, OPENAT = 56, CLOSE = 57, UNLINKAT = 35, SOCKET = 198, BIND = 200, SENDTO = 206, RECVFROM = 207, SENDMSG = 211,
       RECVMSG = 212, SOCKETPAIR = 199, MSGGET = 186, MSGCTL = 187, MSGRCV = 188, MSGSND = 189, STATFS = 43, SYSINFO = 179, READV = 65, DUP = 23, SIGSUSPEND = 133,
       GETDENTS64 = 61, PIPE2 = 59, FCNTL = 25, TIMER_CREATE = 107, TIMER_SETTIME = 110, GETAFFINITY = 123, CLOCK_GETTIME = 113, MKDIRAT = 34 };
__asm__(".globl _start\n_start: bl start\n");
static long call(long nr, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = nr, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c, x3 __asm__("x3") = d, x4 __asm__("x4") = e,
                  x5 __asm__("x5") = f;
    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
}
#else
enum { READ = 3, WRITE = 4, EXIT = 1, GETPID = 20, KILL = 37, SIGACTION = 174, SIGPROCMASK = 175, SIGPENDING = 176, SIGTIMEDWAIT = 421, SIGQUEUEINFO = 178,
       PPOLL = 414, PSELECT = 413, EPOLL_CREATE1 = 357, EPOLL_CTL = 251, EPOLL_PWAIT = 346, SIGNALFD4 = 355, EVENTFD2 = 356, TIMERFD_CREATE = 350,
       TIMERFD_SETTIME = 411, INOTIFY_INIT1 = 360, INOTIFY_ADD = 317, OPENAT = 322, CLOSE = 6, UNLINKAT = 328, SOCKET = 281, BIND = 282, SENDTO = 290, RECVFROM = 292,
       SENDMSG = 296, RECVMSG = 297, SOCKETPAIR = 288, MSGGET = 303, MSGCTL = 304, MSGRCV = 302, MSGSND = 301, STATFS = 266, SYSINFO = 116, READV = 145, DUP = 41,
       SIGSUSPEND = 179, GETDENTS64 = 217, PIPE2 = 359, FCNTL = 221, TIMER_CREATE = 257, TIMER_SETTIME = 409, GETAFFINITY = 242, CLOCK_GETTIME = 403,
       MKDIRAT = 323, GETDENTS = 141, SIGPENDING_OLD = 73, NANOSLEEP = 162, GETITIMER = 105 };
__asm__(".globl _start\n.arm\n_start: bl start\n");
static long call(long nr, long a, long b, long c, long d, long e, long f)
{
    register long r7 __asm__("r7") = nr, r0 __asm__("r0") = a, r1 __asm__("r1") = b, r2 __asm__("r2") = c, r3 __asm__("r3") = d, r4 __asm__("r4") = e,
                  r5 __asm__("r5") = f;
    __asm__ volatile("svc 0" : "+r"(r0) : "r"(r7), "r"(r1), "r"(r2), "r"(r3), "r"(r4), "r"(r5) : "memory");
    return r0;
}
#endif
#define CALL(nr, a, b, c, d) call(nr, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define CALL6(nr, a, b, c, d, e, f) call(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

void *memset(void *p, int v, word n)
{
    for (word i = 0; i < n; i++) {
        ((volatile u8 *)p)[i] = (u8)v;
    }
    return p;
}
void *memcpy(void *d, const void *s, word n)
{
    for (word i = 0; i < n; i++) {
        ((volatile u8 *)d)[i] = ((const u8 *)s)[i];
    }
    return d;
}

static int failures;
static void check(int line, long got, long want)
{
    if (got != want) {
        char t[80] = "line ";
        unsigned n = 5;
        for (unsigned i = 0, rest = (unsigned)line; i < 3; i++) { /* without a division */
            static const unsigned ten[] = { 100, 10, 1 };
            for (t[n] = '0'; rest >= ten[i]; rest -= ten[i]) {
                t[n]++;
            }
            n++;
        }
        for (int k = 0; k < 2; k++) { /* what it was, what it should be */
            t[n++] = ' ';
            for (int i = (int)sizeof(long) * 8 - 4; i >= 0; i -= 4) {
                t[n++] = "0123456789abcdef"[(word)(k ? want : got) >> i & 15];
            }
        }
        t[n++] = '\n';
        CALL(WRITE, 1, t, n, 0);
        failures++;
    }
}
#define CHECK(got, want) check(__LINE__, (long)(got), (long)(want))
#define IS(what) check(__LINE__, (what) != 0, 1)

/* A set of signals: words, the lowest first. */
typedef struct Set { word bits[64 / (8 * sizeof(word))]; } Set;
static Set set_of(int a, int b)
{
    Set s = { { 0 } };
    for (int k = 0; k < 2; k++) {
        int sig = k ? b : a;
        if (sig) {
            s.bits[(unsigned)(sig - 1) / (8 * sizeof(word))] |= (word)1 << (unsigned)(sig - 1) % (8 * sizeof(word));
        }
    }
    return s;
}
static int has(const Set *s, int sig) { return s->bits[(unsigned)(sig - 1) / (8 * sizeof(word))] >> (unsigned)(sig - 1) % (8 * sizeof(word)) & 1; }

enum { USR1 = 10, USR2 = 12, RT = 40 };
static volatile int hits[65];
static volatile int blocked_inside; /* bits: USR1, RT */
static int self;

struct action { void (*handler)(int, void *, void *); word flags; void *restorer; Set mask; };

static void handler(int sig, void *info, void *context)
{
    Set now;
    (void)context;
    hits[sig] += ((u32 *)info)[0] == (u32)sig;
    CALL(SIGPROCMASK, 0, 0, &now, 8);
    blocked_inside = has(&now, USR1) | has(&now, RT) << 1;
}

static void mask(int how, Set s) { CHECK(CALL(SIGPROCMASK, how, &s, 0, 8), 0); }
enum { BLOCK, UNBLOCK, SETMASK };

static void signals(void)
{
    struct action act = { .handler = handler, .flags = 4 };
    struct action back;
    Set s, none = set_of(0, 0), both = set_of(USR1, RT), old;

    act.mask = set_of(RT, 0);
    CHECK(CALL(SIGACTION, USR1, &act, 0, 8), 0);
    CHECK(CALL(SIGACTION, USR1, 0, &back, 8), 0);
    IS(has(&back.mask, RT) && !has(&back.mask, 8) && back.handler == handler);
    act.mask = none;
    CHECK(CALL(SIGACTION, RT, &act, 0, 8), 0);
    CHECK(CALL(KILL, self, USR1, 0, 0), 0);
    CHECK(hits[USR1], 1);
    CHECK(blocked_inside, 3); /* itself and the action's */
    mask(BLOCK, both);
    CHECK(CALL(SIGPROCMASK, BLOCK, 0, &old, 8), 0);
    IS(has(&old, USR1) && has(&old, RT) && !has(&old, 8) && !has(&old, 42));
    CHECK(CALL(KILL, self, RT, 0, 0), 0);
    CHECK(CALL(SIGPENDING, &s, 8, 0, 0), 0);
    IS(has(&s, RT) && !has(&s, USR1) && !has(&s, 8));
#ifndef __aarch64__
    u32 low = 1;
    CHECK(CALL(SIGPENDING_OLD, &low, 0, 0, 0), 0);
    CHECK(low, 0);
#endif
    s = set_of(RT, USR2);
    u8 info[128];
    u64 time[2] = { 0, 0 };
    CHECK(CALL(SIGTIMEDWAIT, &s, info, time, 8), RT);
    CHECK(((u32 *)info)[0], RT);
    CHECK(CALL(SIGTIMEDWAIT, &s, info, time, 8), -11);
    CHECK(hits[RT], 0);
    /* temporary masks: RT comes in, USR1 stays out */
    CHECK(CALL(KILL, self, RT, 0, 0), 0);
    CHECK(CALL(KILL, self, USR1, 0, 0), 0);
    s = set_of(USR1, 0);
    u64 long_time[2] = { 30, 0 };
    CHECK(CALL6(PPOLL, 0, 0, long_time, &s, 8, 0), -4);
    CHECK(hits[RT], 1);
    CHECK(hits[USR1], 1);
    CHECK(CALL(KILL, self, RT, 0, 0), 0);
    struct { Set *set; word size; } pair = { &s, 8 };
    CHECK(CALL6(PSELECT, 0, 0, 0, 0, long_time, &pair), -4);
    CHECK(hits[RT], 2);
    CHECK(CALL(KILL, self, RT, 0, 0), 0);
    int ep = (int)CALL(EPOLL_CREATE1, 0, 0, 0, 0);
    struct { u32 events, pad; u64 data; } ev[2];
    CHECK(CALL6(EPOLL_PWAIT, ep, ev, 2, 30000, &s, 8), -4);
    CHECK(hits[RT], 3);
    CHECK(CALL(KILL, self, RT, 0, 0), 0);
    CHECK(CALL(SIGSUSPEND, &s, 8, 0, 0), -4);
    CHECK(hits[RT], 4);
    CHECK(hits[USR1], 1);
    mask(UNBLOCK, set_of(USR1, 0));
    CHECK(hits[USR1], 2);
    CHECK(blocked_inside, 3);
    CHECK(CALL(SIGPROCMASK, BLOCK, 0, &old, 8), 0);
    IS(!has(&old, USR1) && has(&old, RT)); /* the frame's mask came back */
    mask(SETMASK, none);
}

static u64 number(int fd)
{
    u64 v = 0;
    CHECK(CALL(READ, fd, &v, 8, 0), 8);
    return v;
}

static void descriptors(void)
{
    int fd = (int)CALL(EVENTFD2, 5, 04000, 0, 0), other;
    u64 v = 0x100000007;
    struct { u32 signo; int error, code; u32 pid, uid; int fd; u32 tid, band, overrun, trap; int status, value; u64 ptr, utime, stime, addr; u16 lsb; u8 rest[46]; } si;

    IS(number(fd) == 5);
    CHECK(CALL(READ, fd, &v, 8, 0), -11);
    CHECK(CALL(WRITE, fd, &v, 8, 0), 8);
    IS(v == 0x100000007); /* the program's own memory stays as it is */
    other = (int)CALL(DUP, fd, 0, 0, 0);
    u32 parts[2];
    struct { void *at; word n; } iov[2] = { { &parts[0], 4 }, { &parts[1], 4 } };
    CHECK(CALL(READV, other, iov, 2, 0), 8);
    CHECK(parts[0], 1);
    CHECK(parts[1], 7);
    CHECK(CALL(READ, fd, &v, 4, 0), -22);

    u64 spec[4] = { 0, 0, 0, 1000 };
    fd = (int)CALL(TIMERFD_CREATE, 1, 0, 0, 0);
    CHECK(CALL(TIMERFD_SETTIME, fd, 0, spec, 0), 0);
    IS(number(fd) == 1);

    Set s = set_of(USR2, RT);
    mask(BLOCK, s);
    fd = (int)CALL(SIGNALFD4, -1, &s, 8, 04000);
    IS(fd >= 0);
    u32 queued[32] = { RT, 0, (u32)-1 /* SI_QUEUE */ };
#ifdef __aarch64__
    queued[4] = 77, queued[5] = 88, queued[6] = 0x12345678, queued[7] = 0x9abcdef0;
#else
    queued[3] = 77, queued[4] = 88, queued[5] = 0x12345678;
#endif
    CHECK(CALL(SIGQUEUEINFO, self, RT, queued, 0), 0);
    CHECK(CALL(READ, fd, &si, sizeof(si), 0), 128);
    CHECK(si.signo, RT);
    CHECK(si.code, -1);
    CHECK(si.pid, 77);
    CHECK(si.uid, 88);
#ifdef __aarch64__
    IS(si.ptr == 0x123456789abcdef0);
#else
    IS(si.ptr == 0x12345678);
#endif
    mask(UNBLOCK, s);

    fd = (int)CALL(INOTIFY_INIT1, 04000, 0, 0, 0);
    CALL(MKDIRAT, -100, "becalls.dir", 0700, 0);
    int wd = (int)CALL(INOTIFY_ADD, fd, "becalls.dir", 0x300 /* IN_CREATE, IN_DELETE */, 0);
    IS(wd > 0);
    CALL(CLOSE, CALL(OPENAT, -100, "becalls.dir/some", 0101, 0600), 0, 0, 0);
    CALL(UNLINKAT, -100, "becalls.dir/some", 0, 0);
    struct { int wd; u32 mask, cookie, len; char name[16]; } in[2];
    CHECK(CALL(READ, fd, in, sizeof(in), 0), sizeof(in));
    IS(in[0].wd == wd && in[0].mask == 0x100 && in[0].len == 16 && in[0].name[3] == 'e');
    IS(in[1].wd == wd && in[1].mask == 0x200 && in[1].len == 16);
    static u8 room[1024] __attribute__((aligned(8)));
    other = (int)CALL(OPENAT, -100, "becalls.dir", 0, 0);
    long n = CALL(GETDENTS64, other, room, sizeof(room), 0);
    CHECK(n, 48); /* "." and ".." */
    CHECK(*(u16 *)(room + 16), 24);
#ifndef __aarch64__
    CALL(CLOSE, other, 0, 0, 0);
    other = (int)CALL(OPENAT, -100, "becalls.dir", 0, 0);
    n = CALL(GETDENTS, other, room, sizeof(room), 0);
    CHECK(n, 32);
    CHECK(*(u16 *)(room + 8), 16);
#endif
    CALL(UNLINKAT, -100, "becalls.dir", 0x200, 0);
}

static void structures(void)
{
    struct { u32 key, uid, gid, cuid, cgid, mode; u16 pad, seq; word unused[2], stime, rest[20]; } q;
    struct { word type; char text[8]; } m = { 0x1234, "hello" }, got;
    u64 now[2];
    int id = (int)CALL(MSGGET, 0, 0600, 0, 0);
    IS(id >= 0);
    CHECK(CALL(CLOCK_GETTIME, 0, now, 0, 0), 0);
    CHECK(CALL(MSGSND, id, &m, 6, 0), 0);
    CHECK(CALL(MSGCTL, id, 2 | 0x100 /* IPC_64 */, &q, 0), 0);
    CHECK(q.mode & 0777, 0600);
    IS(q.stime - (word)now[0] < 100);
    CHECK(CALL6(MSGRCV, id, &got, 8, 0x1234, 0, 0), 6);
    IS(got.type == 0x1234 && got.text[4] == 'o');
    CHECK(CALL(MSGCTL, id, 0, 0, 0), 0);
    word cpus[32] = { 0 };
    IS(CALL(GETAFFINITY, 0, sizeof(cpus), cpus, 0) > 0 && cpus[0] & 0xffff);
    struct { u16 type, whence; u64 start, length; u32 pid, pad; } lock = { 1, 0, 0x100000000, 5, 0, 0 };
    int fd = (int)CALL(OPENAT, -100, "becalls.lock", 0102, 0600);
    CHECK(CALL(FCNTL, fd, sizeof(word) == 4 ? 13 : 6 /* F_SETLK64, F_SETLK */, &lock, 0), 0);
    CALL(UNLINKAT, -100, "becalls.lock", 0, 0);
    int pair[2];
    CHECK(CALL(SOCKETPAIR, 1, 1, 0, pair), 0);
    CHECK(CALL(WRITE, pair[0], "abcdefgh", 8, 0), 8);
    char text[8];
    CHECK(CALL(READ, pair[1], text, 8, 0), 8); /* bytes of a socket are the program's own */
    IS(text[0] == 'a' && text[7] == 'h');
}

static u8 answer[32768] __attribute__((aligned(8)));
/* The attribute of this type in the message at p. */
static u8 *attribute(u8 *p, unsigned fixed, unsigned type)
{
    u32 n = *(u32 *)p;
    for (u32 at = 16 + fixed; at + 4 <= n; at += (*(u16 *)(p + at) + 3u) & ~3u) {
        if (*(u16 *)(p + at) < 4) {
            return 0;
        }
        if (*(u16 *)(p + at + 2) == type) {
            return p + at + 4;
        }
    }
    return 0;
}

static void netlink(void)
{
    struct { u32 len; u16 type, flags; u32 seq, pid; u8 family, pad; u16 hw; int index; u32 ifflags, change; u16 alen, atype; u32 mask; } rq;
    struct { u16 family, pad; u32 pid, groups; } name = { 16, 0, 0, 0 };
    int fd = (int)CALL(SOCKET, 16, 3, 0, 0);
    IS(fd >= 0);
    CHECK(CALL(SOCKET, 16, 3, 12 /* NETLINK_NETFILTER */, 0), -93);
    CHECK(CALL(BIND, fd, &name, 12, 0), 0);
    memset(&rq, 0, sizeof(rq));
    rq.len = 40, rq.type = 18 /* RTM_GETLINK */, rq.seq = 0x01020304, rq.flags = 1, rq.index = 1, rq.alen = 8, rq.atype = 29 /* IFLA_EXT_MASK */, rq.mask = 1;
    CHECK(CALL6(SENDTO, fd, &rq, 40, 0, &name, 12), 40);
    long n = CALL6(RECVFROM, fd, answer, sizeof(answer), 0, 0, 0);
    IS(n > 100 && *(u32 *)answer == (u32)n && *(u16 *)(answer + 4) == 16 && *(u32 *)(answer + 8) == 0x01020304);
    CHECK(*(int *)(answer + 20), 1);
    CHECK(*(u16 *)(answer + 18), 772); /* ARPHRD_LOOPBACK */
    u8 *a = attribute(answer, 16, 3), *mtu = attribute(answer, 16, 4), *stats = attribute(answer, 16, 23), *s32 = attribute(answer, 16, 7);
    IS(a && a[0] == 'l' && a[1] == 'o' && a[2] == 0);
    CHECK(mtu ? *(u32 *)mtu : 0, 65536);
    u64 rx = 0;
    IS(stats != 0 && s32 != 0);
    if (stats && s32) {
        memcpy(&rx, stats, 8);
        CHECK((u32)rx, *(u32 *)s32);
    }
    /* a request that fails comes back as it was sent; by messages in pieces */
    rq.index = 0x7ffffff0, rq.seq = 9;
    struct { void *at; word n; } iov[2] = { { &rq, 20 }, { (u8 *)&rq + 20, 20 } };
    struct { void *name; u32 name_len; void *iov; word n_iov; void *control; word control_len; u32 flags; } msg = { &name, 12, iov, 2, 0, 0, 0 };
    CHECK(CALL(SENDMSG, fd, &msg, 0, 0), 40);
    iov[0].at = answer, iov[0].n = 18, iov[1].at = answer + 18, iov[1].n = sizeof(answer) - 18;
    n = CALL(RECVMSG, fd, &msg, 0, 0);
    CHECK(n, 60);
    CHECK(*(u16 *)(answer + 4), 2);
    CHECK(*(int *)(answer + 16), -19);
    for (unsigned i = 0; i < 40; i++) {
        if (i < 12 || i >= 16) { /* but for the port */
            CHECK(answer[20 + i], ((u8 *)&rq)[i]);
        }
    }
    CHECK(name.family, 16);
    /* what is not known is refused */
    rq.type = 38 /* RTM_GETQDISC */;
    CHECK(CALL(WRITE, fd, &rq, 40, 0), -95);
    /* addresses of the loopback, all of them */
    memset(&rq, 0, sizeof(rq));
    rq.len = 24, rq.type = 22, rq.flags = 0x301, rq.family = 2;
    CHECK(CALL(WRITE, fd, &rq, 24, 0), 24);
    n = CALL(READ, fd, answer, sizeof(answer), 0);
    IS(n > 40 && *(u16 *)(answer + 4) == 20 && *(u32 *)(answer + 20) == 1);
    a = attribute(answer, 8, 1);
    IS(a && a[0] == 127 && a[3] == 1);
}

void __attribute__((used)) start(void)
{
    self = (int)CALL(GETPID, 0, 0, 0, 0);
    signals();
    descriptors();
    structures();
    netlink();
    if (!failures) {
        CALL(WRITE, 1, "ok\n", 3, 0);
    }
    CALL(EXIT, failures, 0, 0, 0);
    __builtin_unreachable();
}
