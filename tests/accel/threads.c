/*
 * threads.c: several vCPUs run, translate, link and evict while code changes under them: every result
 * must be one that some version of the code gives, and after a sync the newest. Meant for TSan too.
 * Argument: the host (interp, toy, native).
 */
#include "user.h"

enum { N_THREADS = 4, N_FUNCS = 32, ROUNDS = 300, FUNCS = 0x10000, STRIDE = 0x100 };

static pthread_barrier_t barrier;
static _Atomic bool stop;

/* main at 0x1000 * (i + 1): calls every function in turn r1 times; counts in r2. */
static uint64_t write_main(unsigned thread)
{
    ToyAsm as = { .base = guest, .at = 0x1000 * (thread + 1) };
    uint64_t start = as.at;
    toy4(&as, TOY_LI, 1, 20);
    uint64_t loop = as.at;
    for (unsigned i = 0; i < N_FUNCS; i++) {
        unsigned f = (i * 7 + thread * 5) % N_FUNCS;
        /* Functions are beyond a 16-bit distance for some: an indirect jump does as well. */
        uint64_t call = toy4(&as, TOY_CALL, 0, 0);
        toy_fix(&as, call, 0x6000 + f * 8);
    }
    toy4(&as, TOY_LI, 5, 1);
    toy4(&as, TOY_LI, 6, 0x7f0);
    toy2(&as, TOY_AMOADD, 5, 6);
    toy4(&as, TOY_ADDI, 1, -1);
    toy_to(&as, TOY_BNEZ, 1, loop);
    toy2(&as, TOY_SYS, 0, 0);
    return start;
}

static void *run(void *opaque)
{
    unsigned thread = (uintptr_t)opaque;
    Vcpu *cpu = guest_cpu();
    cpu->index = thread;
    cpu->parallel = true;
    pthread_barrier_wait(&barrier);
    for (unsigned round = 0; round < ROUNDS; round++) {
        toy_state(cpu)->r[2] = 0;
        VcpuExit reason = guest_run(cpu, 0x1000 * (thread + 1));
        if (reason != VCPU_EXIT_SYSCALL) {
            fprintf(stderr, "thread %u: exit %d\n", thread, reason);
            test_failures++;
            break;
        }
        uint64_t sum = toy_state(cpu)->r[2];
        /* Each function adds 1 or 2. */
        if (sum < 20 * N_FUNCS || sum > 2 * 20 * N_FUNCS) {
            fprintf(stderr, "thread %u: sum %llu\n", thread, (unsigned long long)sum);
            test_failures++;
        }
        if (thread == 0 && round % 50 == 25) {
            tcg_flush_all();
        }
    }
    pthread_barrier_wait(&barrier);
    vcpu_free(cpu);
    return NULL;
}

static void *invalidate(void *opaque)
{
    unsigned n = 0;
    while (!stop) {
        vaddr at = FUNCS + n % N_FUNCS * STRIDE;
        tcg_invalidate(at, at + 3);
        tcg_invalidate(0x6000, 0x6fff);
        n++;
        usleep(50);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    guest_start(argc > 1 ? argv[1] : "interp", &(TcgOptions){ .cache_bytes = 1 });
    for (unsigned i = 0; i < N_FUNCS; i++) {
        ToyAsm tramp = { .base = guest, .at = 0x6000 + i * 8 };
        uint64_t f = 0x7000 + i * 64;
        uint64_t j = toy4(&tramp, TOY_JMP, 0, 0);
        toy_fix(&tramp, j, f);
        ToyAsm as = { .base = guest, .at = f };
        toy4(&as, TOY_ADDI, 2, 1 + i % 2);
        toy2(&as, TOY_JR, 15, 0);
    }
    for (unsigned i = 0; i < N_THREADS; i++) {
        write_main(i);
    }
    /* Without write permission nothing is protected, so the shared counter stays writable. */
    for (unsigned i = 1; i < GUEST_PAGES; i++) {
        guest_prot[i] = PAGE_READ | PAGE_EXEC;
    }
    pthread_barrier_init(&barrier, NULL, N_THREADS);
    pthread_t threads[N_THREADS], other;
    pthread_create(&other, NULL, invalidate, NULL);
    for (uintptr_t i = 0; i < N_THREADS; i++) {
        pthread_create(&threads[i], NULL, run, (void *)i);
    }
    for (unsigned i = 0; i < N_THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    stop = true;
    pthread_join(other, NULL);
    CHECK_EQ(ldle64(guest + 0x7f0), 20 * N_THREADS * ROUNDS);
    if (getenv("SHOW")) {
        tcg_counters_print(stderr);
    }
    return test_result();
}
