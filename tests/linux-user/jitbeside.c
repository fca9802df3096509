/*
 * jitbeside.c: one thread writes data into pages at the moment when another one runs code in them for the first time, which is when the
 * runner protects them. Neither may notice. x86: no instruction tells of new code.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { ROUNDS = 60, PAGES = 256, PAGE = 4096, COUNTER = 2048 };

static unsigned char *area;
static atomic_uint published;
static atomic_bool done;

static atomic_uint *counter(unsigned page) { return (atomic_uint *)(area + page * PAGE + COUNTER); }

static void *writer(void *arg)
{
    while (!atomic_load(&done)) {
        unsigned n = atomic_load(&published);
        if (n) {
            atomic_fetch_add(counter(n - 1), 1);
        }
    }
    return arg;
}

int main(void)
{
    static const unsigned char code[] = { 0xb8, 7, 0, 0, 0, 0xc3 }; /* mov eax, 7; ret */
    unsigned sum = 0;

    for (unsigned round = 0; round < ROUNDS; round++) {
        pthread_t thread;
        /* Somewhere else each time: these pages have never been protected. */
        area = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (area == MAP_FAILED) {
            return 2;
        }
        atomic_store(&published, 0);
        atomic_store(&done, false);
        pthread_create(&thread, NULL, writer, NULL);
        for (unsigned page = 0; page < PAGES; page++) {
            memcpy(area + page * PAGE, code, sizeof(code));
            atomic_store(&published, page + 1);
            sum += (unsigned)((int (*)(void))(area + page * PAGE))();
        }
        atomic_store(&done, true);
        pthread_join(thread, NULL);
    }
    printf("%s\n", sum == 7 * PAGES * ROUNDS ? "right" : "wrong");
    return sum != 7 * PAGES * ROUNDS;
}
