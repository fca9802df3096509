/* high.c: a program linked above everything of the runner's own (high.py): its image, heap, fixed mappings beside them, strings and buffers of
 * system calls, faults, threads, what it sees of itself. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static char big[1 << 20];
static const char path[] = "/proc/self/maps";
static sigjmp_buf back;
static void *fault_at;

static void on_fault(int sig, siginfo_t *info, void *context)
{
    (void)context;
    fault_at = info->si_addr;
    siglongjmp(back, sig);
}

static void *thread(void *arg) { return (char *)arg + 1; }

/* The line of /proc/self/maps that has this address. */
static int shown(const void *p)
{
    FILE *f = fopen(path, "r");
    unsigned long a, b;
    int n = 0;
    while (f && fgets(big, sizeof(big), f)) {
        n += sscanf(big, "%lx-%lx", &a, &b) == 2 && (unsigned long)p >= a && (unsigned long)p < b;
    }
    fclose(f);
    return n;
}

#define CHECK(ok) do { if (!(ok)) { printf("line %d: %s, errno %d\n", __LINE__, #ok, errno); return 1; } } while (0)

int main(int argc, char **argv)
{
    struct sigaction act = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
    int local, fd = open(path, O_RDONLY), sig;
    pthread_t t;
    void *r;

    CHECK(argc == 2 && (unsigned long)main >= strtoul(argv[1], NULL, 0) && fd >= 0);
    CHECK(read(fd, big + sizeof(big) - 100, 100) == 100 && close(fd) == 0);
    CHECK(shown(main) == 1 && shown(big) == 1 && shown(&local) == 1 && shown((char *)main - (1 << 28)) == 0);

    char *heap = sbrk(3 << 20); /* behind the program */
    CHECK(heap != (void *)-1 && (unsigned long)heap >= (unsigned long)main);
    memset(heap, 7, 3 << 20);
    CHECK(heap[(3 << 20) - 1] == 7 && sbrk(-(1 << 20)) != (void *)-1);
    char *at = (char *)(((unsigned long)heap + (64 << 20)) & -65536ul);
    CHECK(mmap(at, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at);
    CHECK(!at[0] && (at[5] = 5) && mprotect(at, 65536, PROT_READ) == 0);
    CHECK(munmap(at + 65536, 65536) == 0);
    CHECK(mremap(at + 131072, 131072, 262144, MREMAP_MAYMOVE) != MAP_FAILED);
    CHECK(mmap(heap, 65536, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | 0x100000 /* MAP_FIXED_NOREPLACE */, -1, 0) == MAP_FAILED && errno == EEXIST);

    sigaction(SIGSEGV, &act, NULL);
    for (volatile int i = 0; i < 3; i++) { /* a page that may not be written, one that is not there any more, one that never was */
        char *where = i == 0 ? at + 8 : i == 1 ? at + 65536 + 9 : at + (32 << 20);
        if (!(sig = sigsetjmp(back, 1))) {
            *(volatile char *)where = 1;
            CHECK(!"no fault");
        }
        CHECK(sig == SIGSEGV && fault_at == where);
        errno = 0;
        CHECK(read(open(path, O_RDONLY), where, 10) == -1 && errno == EFAULT);
    }
    CHECK(pthread_create(&t, NULL, thread, at) == 0 && pthread_join(t, &r) == 0 && r == at + 1);
    pid_t child = fork();
    if (!child) {
        _exit(at[5]);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 5);
    puts("ok");
    return 0;
}
