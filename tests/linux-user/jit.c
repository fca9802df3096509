/* jit.c: threads that write code, flush and call it, in pages of their own and in a page they share. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

enum { N = 4, ROUNDS = 3000, SLOT = 64 };

static uint8_t *shared_page;

/* A function that returns k (below 2000). */
static void emit(uint8_t *at, int k)
{
#ifdef __riscv
    uint32_t code[2] = { 0x00000513u | (uint32_t)k << 20, 0x00008067u }; /* li a0, k; ret */
    memcpy(at, code, sizeof(code));
#elif defined(__aarch64__)
    uint32_t code[2] = { 0x52800000u | (uint32_t)k << 5, 0xd65f03c0u }; /* mov w0, #k; ret */
    memcpy(at, code, sizeof(code));
#else
    at[0] = 0xb8; /* mov eax, k; ret */
    memcpy(at + 1, &k, 4);
    at[5] = 0xc3;
#endif
    __builtin___clear_cache((char *)at, (char *)at + 16);
}

static void *worker(void *arg)
{
    long id = (long)arg, bad = 0;
    uint8_t *own = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint8_t *place[] = { own, shared_page + id * SLOT, own + 2048 };
    for (int i = 0; i < ROUNDS; i++) {
        uint8_t *at = place[i % 3];
        int k = (int)((unsigned)i * 7 + (unsigned)id) % 2000;
        emit(at, k);
        bad += ((int (*)(void))(void *)at)() != k;
        bad += ((int (*)(void))(void *)at)() != k;
    }
    munmap(own, 4096);
    return (void *)bad;
}

/* Pages with code come and go while the others flush. */
static void *churn(void *arg)
{
    long bad = 0;
    for (int i = 0; i < ROUNDS / 4; i++) {
        uint8_t *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        emit(at, i);
        bad += ((int (*)(void))(void *)at)() != i;
        memset(at, 0, 8);
        munmap(at, 4096);
    }
    return (void *)bad;
}

int main(void)
{
    pthread_t t[2 * N];
    long bad = 0;
    shared_page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (long i = 0; i < N; i++) {
        pthread_create(&t[i], NULL, worker, (void *)i);
    }
    for (int i = 0; i < N; i++) {
        void *r;
        pthread_join(t[i], &r);
        bad += (long)r;
    }
    printf("wrong results %ld\n", bad);
    for (long i = 0; i < 2 * N; i++) {
        pthread_create(&t[i], NULL, i < N ? worker : churn, (void *)(i % N));
    }
    for (int i = 0; i < 2 * N; i++) {
        void *r;
        pthread_join(t[i], &r);
        bad += (long)r;
    }
    printf("with pages that come and go %ld\n", bad);
    /* Written, protected, run; then the other way round. */
    uint8_t *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 100; i++) {
        mprotect(p, 4096, PROT_READ | PROT_WRITE);
        emit(p, i);
        mprotect(p, 4096, PROT_READ | PROT_EXEC);
        bad += ((int (*)(void))(void *)p)() != i;
    }
    printf("after mprotect %ld\n", bad);
    for (int i = 0; i < 100; i++) {
        munmap(p, 4096);
        p = mmap(p, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        emit(p, i + 500);
        bad += ((int (*)(void))(void *)p)() != i + 500;
    }
    printf("after mmap %ld\n", bad);
    /* Code written by the kernel, on behalf of this process. */
    uint8_t *run = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), text[16];
    emit(run, 5);
    int before = ((int (*)(void))(void *)run)();
    emit(text, 6);
    ssize_t n = process_vm_writev(getpid(), &(struct iovec){ text, sizeof(text) }, 1, &(struct iovec){ run, sizeof(text) }, 1, 0);
    __builtin___clear_cache((char *)run, (char *)run + 16);
    printf("process_vm_writev %ld: %d %d\n", (long)n, before, ((int (*)(void))(void *)run)());
    return 0;
}
