/* sharedatomics.c: atomic operations of processes that share memory, mapped in three ways before and after the code has run alone. */
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROCESSES = 4, ROUNDS = 60000, MANY = ROUNDS * PROCESSES };

typedef struct Shared {
    atomic_uint add, or, swapped, lock;
    atomic_ullong wide;
    unsigned guarded;
} Shared;

static void __attribute__((noinline)) work(Shared *s, unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        atomic_fetch_add(&s->add, 1);
        atomic_fetch_xor(&s->or, 1u << i % 32);
        unsigned long long old = atomic_load(&s->wide);
        while (!atomic_compare_exchange_weak(&s->wide, &old, old + 3)) {
        }
        while (atomic_exchange(&s->lock, 1)) {
        }
        s->guarded++;
        atomic_store(&s->lock, 0);
        atomic_fetch_sub(&s->swapped, 1);
    }
}

static void share(const char *name, Shared *s)
{
    for (int i = 0; i < PROCESSES; i++) {
        if (!fork()) {
            work(s, ROUNDS);
            _exit(0);
        }
    }
    for (int i = 0; i < PROCESSES; i++) {
        wait(NULL);
    }
    printf("%s: %d %d %d %d %d\n", name, s->add == MANY, s->or == 0, s->swapped == -(unsigned)MANY, s->wide == 3ull * MANY, s->guarded == MANY);
    fflush(stdout);
}

int main(void)
{
    Shared alone = { 0 };
    work(&alone, 1000); /* as a process that nobody can disturb */
    printf("alone: %u %u\n", alone.add, alone.guarded);
    fflush(stdout);
    Shared *first = mmap(NULL, 4096, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!fork()) { /* a mapping becomes writable */
        mprotect(first, 4096, PROT_READ | PROT_WRITE);
        share("mprotect", first);
        _exit(0);
    }
    wait(NULL);
    static Shared *volatile second;
    pid_t pid = vfork();
    if (!pid) { /* the child's mapping is its parent's */
        second = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    share("vfork", second);
    Shared *third = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    share("mmap", third);
    return 0;
}
