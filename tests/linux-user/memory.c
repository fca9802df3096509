/* memory.c: mmap, munmap, mprotect, mremap, brk, madvise, shared memory, and their errors. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/resource.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SAY(expr) (errno = 0, r = (long)(expr), printf("%s: %s %s\n", #expr, r == -1 ? "-1" : r ? "ok" : "0", \
                                                      r == -1 ? strerrorname_np(errno) : ""))

static sigjmp_buf env;

static void on_fault(int sig)
{
    siglongjmp(env, sig);
}

static int touch(volatile char *p)
{
    int sig = sigsetjmp(env, 1);
    signal(SIGSEGV, sig ? SIG_DFL : on_fault);
    signal(SIGBUS, sig ? SIG_DFL : on_fault);
    if (!sig) {
        *p = 1;
    }
    signal(SIGSEGV, SIG_DFL);
    signal(SIGBUS, SIG_DFL);
    return sig;
}

/* MAP_GROWSDOWN: a mapping that an access below it extends, by the program or by the kernel, as far as it may. */
static void growing(void)
{
    enum { PAGE = 4096, MIB = 1 << 20 };
    struct rlimit old, limit;
    char *room = mmap(NULL, 32 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0), *top = room + 32 * MIB;
    munmap(room, 32 * MIB);
    char *p = mmap(top - 2 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1, 0);
    top[-1] = 7;
    printf("growing: %d, %d, %d\n", p == top - 2 * PAGE, touch(top - 3 * PAGE), touch(top - 40 * PAGE + 5));
    unsigned char in[40];
    printf("all mapped %d, zero %d, kept %d\n", mincore(top - 40 * PAGE, 40 * PAGE, in), top[-39 * PAGE], top[-1]);
    int zero = open("/dev/zero", O_RDONLY);
    ssize_t n = read(zero, top - 60 * PAGE, 3 * PAGE);
    printf("read %zd\n", n);
    char *other = mmap(top - 2 * MIB, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    printf("a neighbour %d: near it %d, farther %d\n", other == top - 2 * MIB, touch(top - 2 * MIB + 2 * PAGE) != 0,
           touch(top - MIB + 2 * PAGE));
    munmap(other, PAGE);
    getrlimit(RLIMIT_STACK, &old);
    limit = old;
    limit.rlim_cur = 4 * MIB;
    setrlimit(RLIMIT_STACK, &limit);
    printf("limit: %d %d\n", touch(top - 3 * MIB), touch(top - 5 * MIB) != 0);
    setrlimit(RLIMIT_STACK, &old);
    int whole = mprotect(top - PAGE, PAGE, PROT_READ | PROT_GROWSDOWN);
    printf("protected %d to its beginning %d\n", whole, touch(top - 30 * PAGE));
    char *plain = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    whole = mprotect(plain, PAGE, PROT_READ | PROT_GROWSDOWN);
    printf("no stack: %d %d\n", whole, errno == EINVAL);
    printf("unmap %d, gone %d\n", munmap(top - 8 * MIB, 8 * MIB), touch(top - PAGE));
    munmap(plain, 2 * PAGE);
}

int main(void)
{
    growing();
    long r;
    char *p = mmap(NULL, 16 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(p, 1, 16 * 4096);
    SAY(munmap(p + 4 * 4096, 4096));
    SAY(mprotect(p, 16 * 4096, PROT_READ));
    SAY(mprotect(p, 4 * 4096, PROT_READ));
    SAY(mprotect(p, 4 * 4096, PROT_READ | PROT_WRITE));
    SAY(mprotect(p + 1, 4096, PROT_READ));
    SAY(munmap(p + 1, 4096));
    SAY(munmap(p, 0));
    SAY(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 1);
    SAY(mmap(p + 1, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED ? -1 : 1);
    SAY(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, -1, 0) == MAP_FAILED ? -1 : 1);
    SAY(mmap(p, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED ? -1 : 1);
    SAY(mmap(p + 4 * 4096, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0)
        == p + 4 * 4096);
    SAY(mmap(NULL, 4096, PROT_READ, MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 1);
    SAY(mmap(NULL, (size_t)1 << 60, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) == MAP_FAILED
        ? -1 : 1);

    char *q = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(q, "data", sizeof("data"));
    char *q2 = mremap(q, 4 * 4096, 64 * 4096, MREMAP_MAYMOVE);
    printf("mremap grow %d %s\n", q2 != MAP_FAILED, q2);
    q2[63 * 4096] = 1;
    q2 = mremap(q2, 64 * 4096, 4096, 0);
    printf("mremap shrink %s\n", q2);
    char *target = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *q3 = mremap(q2, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, target);
    printf("mremap fixed %d %s\n", q3 == target, q3);
    SAY(mremap(q3 + 1, 4096, 8192, MREMAP_MAYMOVE) == MAP_FAILED ? -1 : 1);
    SAY(mremap(q3, 4096, 0, MREMAP_MAYMOVE) == MAP_FAILED ? -1 : 1);
    SAY(mremap((void *)0x10000000000, 4096, 8192, MREMAP_MAYMOVE) == MAP_FAILED ? -1 : 1);
    SAY(mremap((void *)0xffff000000000000, 4096, 8192, MREMAP_MAYMOVE) == MAP_FAILED ? -1 : 1);
    SAY(mremap(q3, 4096, 4096, MREMAP_FIXED, target) == MAP_FAILED ? -1 : 1);

    char *b = sbrk(0);
    printf("sbrk %d\n", sbrk(100000) == b);
    memset(b, 3, 100000);
    printf("shrink %d\n", sbrk(-100000) == b + 100000);
    printf("shrunk %d\n", sbrk(0) == (void *)b);

    memset(q3, 7, 4096);
    SAY(madvise(q3, 4096, MADV_DONTNEED));
    printf("zero %d\n", q3[5]);
    SAY(madvise(q3 + 1, 4096, MADV_DONTNEED));
    SAY(madvise(q3, 4096, 12345));
    SAY(madvise((void *)0x10000000000, 4096, MADV_WILLNEED));
    unsigned char vec[4];
    SAY(mincore(q3, 4096, vec));
    SAY(mincore((void *)0x10000000000, 4096, vec));
    SAY(msync(q3, 4096, MS_SYNC));
    SAY(msync((void *)0x10000000000, 4096, MS_SYNC));
    SAY(mlock(q3, 4096));
    SAY(munlock(q3, 4096));

    char name[] = "/tmp/memory-XXXXXX";
    int fd = mkstemp(name);
    unlink(name);
    SAY(ftruncate(fd, 10000));
    char *f = mmap(NULL, 10000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    memcpy(f + 5000, "shared", sizeof("shared"));
    char *g = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 4096);
    printf("file %s\n", g + 904);
    memcpy(g + 904, "own", sizeof("own"));
    char buf[16] = "";
    if (pread(fd, buf, 7, 5000) != 7) {
        printf("pread\n");
    }
    printf("still %s\n", buf);
    SAY(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 100) == MAP_FAILED ? -1 : 1);
    pid_t child = fork();
    if (!child) {
        memcpy(f + 6000, "from the child", sizeof("from the child"));
        _exit(0);
    }
    waitpid(child, NULL, 0);
    printf("%s\n", f + 6000);

    int id = shmget(IPC_PRIVATE, 10000, IPC_CREAT | 0600);
    char *s = shmat(id, NULL, 0), *s2 = shmat(id, NULL, SHM_RDONLY);
    memcpy(s, "segment", sizeof("segment"));
    printf("shm %d %s\n", s != s2, s2);
    struct shmid_ds ds;
    SAY(shmctl(id, IPC_STAT, &ds));
    printf("attached %ld size %ld\n", (long)ds.shm_nattch, (long)ds.shm_segsz);
    SAY(shmdt(s));
    SAY(shmdt(s2));
    SAY(shmdt(s2));
    SAY(shmctl(id, IPC_RMID, NULL));
    SAY(shmat(id, NULL, 0) == (void *)-1 ? -1 : 1);

    /* Small pieces, many times: the map must not lose any. */
    char *base = mmap(NULL, 256 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned seed = 1, bad = 0;
    uint8_t state[256];
    memset(state, 1, sizeof(state));
    for (int i = 0; i < 4000; i++) {
        seed = seed * 1103515245 + 12345;
        unsigned a = seed >> 16 & 255, n = 1 + (seed >> 24 & 7);
        if (a + n > 256) {
            n = 256 - a;
        }
        int all = 1;
        for (unsigned k = a; k < a + n; k++) {
            all &= state[k];
        }
        switch (seed >> 8 & 3) {
        case 0:
            bad += munmap(base + a * 4096, n * 4096) != 0;
            memset(state + a, 0, n);
            break;
        case 1:
            bad += mmap(base + a * 4096, n * 4096, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED;
            memset(state + a, 1, n);
            break;
        default:
            bad += (mprotect(base + a * 4096, n * 4096, seed & 32 ? PROT_READ : PROT_READ | PROT_WRITE) == 0) != all;
        }
    }
    printf("bad %u\n", bad);
    return 0;
}
