/* integer.c: arithmetic, sorting, trees, dispatch, recursion, hashing. */
#include <stdlib.h>
#include <string.h>

#include "kernel.h"

uint64_t kernel_integer(unsigned n)
{
    uint64_t s = 88172645463325252u, sum = 0;
    for (unsigned i = 0; i < n * 4000000u; i++) {
        uint64_t x = kernel_random(&s);
        sum += x * 0x9e3779b97f4a7c15u ^ (x >> 29);
        sum = (sum << 7 | sum >> 57) - (uint32_t)x % 1021;
    }
    return sum;
}

static int compare(const uint32_t *a, const uint32_t *b) { return (*a > *b) - (*a < *b); }

static void quick_sort(uint32_t *a, long lo, long hi)
{
    while (lo < hi) {
        uint32_t pivot = a[(lo + hi) / 2];
        long i = lo, j = hi;
        while (i <= j) {
            while (compare(&a[i], &pivot) < 0) i++;
            while (compare(&a[j], &pivot) > 0) j--;
            if (i <= j) {
                uint32_t t = a[i];
                a[i++] = a[j];
                a[j--] = t;
            }
        }
        quick_sort(a, lo, j);
        lo = i;
    }
}

uint64_t kernel_sort(unsigned n)
{
    enum { N = 200000 };
    static uint32_t a[N];
    uint64_t s = 1234567, sum = 0;
    while (n--) {
        for (int i = 0; i < N; i++) a[i] = (uint32_t)kernel_random(&s);
        quick_sort(a, 0, N - 1);
        for (int i = 0; i < N; i += 997) sum = sum * 31 + a[i];
    }
    return sum;
}

uint64_t kernel_sieve(unsigned n)
{
    enum { N = 2000000 };
    static uint8_t composite[N];
    uint64_t sum = 0;
    while (n--) {
        memset(composite, 0, sizeof(composite));
        for (unsigned i = 2; i < N; i++) {
            if (!composite[i]) {
                sum += i;
                for (unsigned j = i + i; j < N; j += i) composite[j] = 1;
            }
        }
    }
    return sum;
}

typedef struct Node { struct Node *left, *right; uint32_t key; } Node;

uint64_t kernel_tree(unsigned n)
{
    enum { N = 40000 };
    uint64_t s = 42, sum = 0;
    while (n--) {
        Node *pool = malloc(N * sizeof(Node)), *root = NULL;
        for (int i = 0; i < N; i++) {
            Node *node = &pool[i], **at = &root;
            node->left = node->right = NULL;
            node->key = (uint32_t)kernel_random(&s);
            while (*at) at = node->key < (*at)->key ? &(*at)->left : &(*at)->right;
            *at = node;
        }
        for (int i = 0; i < N; i++) {
            uint32_t key = (uint32_t)kernel_random(&s), depth = 0;
            for (Node *node = root; node; node = key < node->key ? node->left : node->right) depth++;
            sum += depth;
        }
        free(pool);
    }
    return sum;
}

/* A stack machine counting primes: one switch per bytecode. */
enum { PUSH, ADD, SUB, MUL, MOD, LESS, JZ, JMP, LOAD, STORE, DUP, POP, HALT };

uint64_t kernel_interpreter(unsigned n)
{
    static const int32_t code[] = {
        PUSH, 2, STORE, 0,                       /* 0: i = 2 */
        LOAD, 0, PUSH, 3000, LESS, JZ, 59,       /* 4: while i < 3000 */
        PUSH, 2, STORE, 1,                       /* 11: j = 2 */
        LOAD, 1, DUP, MUL, LOAD, 0, PUSH, 1, ADD, LESS, JZ, 43, /* 15: while j * j < i + 1 */
        LOAD, 0, LOAD, 1, MOD, JZ, 50,           /* 27: if i % j == 0 goto 50 */
        LOAD, 1, PUSH, 1, ADD, STORE, 1, JMP, 15, /* 34: j++ */
        LOAD, 2, PUSH, 1, ADD, STORE, 2,         /* 43: count++ */
        LOAD, 0, PUSH, 1, ADD, STORE, 0, JMP, 4, /* 50: i++ */
        HALT,                                    /* 59 */
    };
    uint64_t sum = 0;
    for (unsigned round = 0; round < n * 12; round++) {
        int64_t stack[16], vars[4] = { 0 };
        int sp = 0, pc = 0;
        for (;;) {
            switch (code[pc++]) {
            case PUSH: stack[sp++] = code[pc++]; continue;
            case ADD: sp--; stack[sp - 1] += stack[sp]; continue;
            case SUB: sp--; stack[sp - 1] -= stack[sp]; continue;
            case MUL: sp--; stack[sp - 1] *= stack[sp]; continue;
            case MOD: sp--; stack[sp - 1] %= stack[sp]; continue;
            case LESS: sp--; stack[sp - 1] = stack[sp - 1] < stack[sp]; continue;
            case JZ: pc = stack[--sp] ? pc + 1 : code[pc]; continue;
            case JMP: pc = code[pc]; continue;
            case LOAD: stack[sp++] = vars[code[pc++]]; continue;
            case STORE: vars[code[pc++]] = stack[--sp]; continue;
            case DUP: stack[sp] = stack[sp - 1]; sp++; continue;
            case POP: sp--; continue;
            default: break;
            }
            break;
        }
        sum += vars[2];
    }
    return sum;
}

uint64_t kernel_branches(unsigned n)
{
    uint64_t s = 987654321, a = 0, b = 0, c = 0, d = 0;
    for (unsigned i = 0; i < n * 3000000u; i++) {
        uint64_t x = kernel_random(&s);
        if (x & 1) a += x >> 60; else b ^= x;
        if ((x >> 8 & 7) < 3) c += a; else if (x & 0x10000) d -= b; else d += c;
        if ((int64_t)d < 0) d = -d;
    }
    return a ^ b ^ c ^ d;
}

static uint64_t __attribute__((noinline)) fib(unsigned n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

static unsigned __attribute__((noinline)) ackermann(unsigned m, unsigned n)
{
    return m == 0 ? n + 1 : n == 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1));
}

uint64_t kernel_recursion(unsigned n)
{
    uint64_t sum = 0;
    while (n--) sum += fib(31) + ackermann(2, 600);
    return sum;
}

typedef uint64_t Step(uint64_t);
static uint64_t step_a(uint64_t x) { return x * 3 + 1; }
static uint64_t step_b(uint64_t x) { return x ^ x >> 7; }
static uint64_t step_c(uint64_t x) { return x + (x << 5); }
static uint64_t step_d(uint64_t x) { return ~x; }

uint64_t kernel_indirect(unsigned n)
{
    static Step *volatile steps[8] = { step_a, step_b, step_c, step_d, step_b, step_a, step_d, step_c };
    uint64_t x = 1;
    for (unsigned i = 0; i < n * 4000000u; i++) x = steps[(x >> 11 ^ i) & 7](x);
    return x;
}

uint64_t kernel_hash(unsigned n)
{
    enum { SIZE = 1 << 16 };
    static uint64_t keys[SIZE], values[SIZE];
    uint64_t s = 7, sum = 0;
    while (n--) {
        memset(keys, 0, sizeof(keys));
        for (int i = 0; i < 1000000; i++) {
            uint64_t key = kernel_random(&s) % 50000 + 1;
            unsigned h = (unsigned)(key * 0x9e3779b97f4a7c15u >> 48);
            while (keys[h] && keys[h] != key) h = (h + 1) % SIZE;
            keys[h] = key;
            values[h] += i;
        }
        for (int i = 0; i < SIZE; i++) sum = sum * 5 + keys[i] + values[i];
    }
    return sum;
}
