/*
 * coroutine.c: coroutines on stacks of their own (see the header).
 *
 * A switch saves the registers that a call preserves and changes the stack pointer: in a few lines of assembly for x86-64 and AArch64, with
 * the C library's ucontext elsewhere (two system calls a switch). The floating point control words are not switched: nobody here changes
 * them. The address and thread sanitizers are told of each switch.
 */
#include "util/coroutine.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util/alloc.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CO_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define CO_TSAN 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define CO_ASAN 1
#endif
#ifdef __SANITIZE_THREAD__
#define CO_TSAN 1
#endif

#ifdef CO_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef CO_TSAN
#include <sanitizer/tsan_interface.h>
#endif

#if defined(__x86_64__) || defined(__aarch64__)
#define CO_ASSEMBLY 1
#else
#include <ucontext.h>
#endif

enum { POOL_MAX = 64 };

/* Where a flow of control stands that is not running. */
typedef struct Context {
#ifdef CO_ASSEMBLY
    void *sp;
#else
    ucontext_t uc;
#endif
#ifdef CO_ASAN
    void *fake_stack;
    const void *stack_bottom;
    size_t stack_bytes;
#endif
#ifdef CO_TSAN
    void *fiber;
#endif
} Context;

struct Coroutine {
    Context own, caller;   /* caller: who entered it, while it runs */
    Coroutine *outer;      /* the coroutine that entered it; NULL: none */
    CoroutineFn *fn;       /* NULL: ended */
    void *opaque, *home;
    Coroutine *link;
    void *stack;           /* its mapping, guard page included */
};

static _Thread_local Coroutine *running;

/* Stacks of coroutines that have ended. A thread that ends leaves its own to the next one to look. */
static _Thread_local Coroutine *pool;
static _Thread_local unsigned pool_count;

#ifdef CO_ASSEMBLY

/* void co_switch(void **save_sp, void *load_sp) */
void co_switch(void **save_sp, void *load_sp);
void co_first(void);

#ifdef __x86_64__
/* System V ABI 3.2.1: rbx, rbp, r12 to r15 belong to the caller. */
__asm__(".text\n"
        ".globl co_switch\n.hidden co_switch\n.type co_switch, @function\n"
        "co_switch:\n"
        "    pushq %rbp\n    pushq %rbx\n    pushq %r12\n    pushq %r13\n    pushq %r14\n    pushq %r15\n"
        "    movq %rsp, (%rdi)\n"
        "    movq %rsi, %rsp\n"
        "    popq %r15\n    popq %r14\n    popq %r13\n    popq %r12\n    popq %rbx\n    popq %rbp\n"
        "    ret\n"
        ".size co_switch, . - co_switch\n");
enum { SAVED_WORDS = 7 }; /* with the return address */
#else
/* AAPCS64 6.1: x19 to x30 and d8 to d15. */
__asm__(".text\n"
        ".globl co_switch\n.hidden co_switch\n.type co_switch, %function\n"
        "co_switch:\n"
        "    stp x29, x30, [sp, #-160]!\n"
        "    stp x19, x20, [sp, #16]\n    stp x21, x22, [sp, #32]\n    stp x23, x24, [sp, #48]\n"
        "    stp x25, x26, [sp, #64]\n    stp x27, x28, [sp, #80]\n"
        "    stp d8, d9, [sp, #96]\n    stp d10, d11, [sp, #112]\n    stp d12, d13, [sp, #128]\n    stp d14, d15, [sp, #144]\n"
        "    mov x9, sp\n    str x9, [x0]\n    mov sp, x1\n"
        "    ldp x19, x20, [sp, #16]\n    ldp x21, x22, [sp, #32]\n    ldp x23, x24, [sp, #48]\n"
        "    ldp x25, x26, [sp, #64]\n    ldp x27, x28, [sp, #80]\n"
        "    ldp d8, d9, [sp, #96]\n    ldp d10, d11, [sp, #112]\n    ldp d12, d13, [sp, #128]\n    ldp d14, d15, [sp, #144]\n"
        "    ldp x29, x30, [sp], #160\n"
        "    ret\n"
        ".size co_switch, . - co_switch\n");
enum { SAVED_WORDS = 20 };
#endif

#endif

/* `self`: the coroutine that stops; NULL: one is entered. */
static void switch_context(Context *from, Context *to, Coroutine *self)
{
#ifdef CO_ASAN
    __sanitizer_start_switch_fiber(&from->fake_stack, to->stack_bottom, to->stack_bytes);
#endif
#ifdef CO_TSAN
    __tsan_switch_to_fiber(to->fiber, 0);
#endif
#ifdef CO_ASSEMBLY
    co_switch(&from->sp, to->sp);
#else
    swapcontext(&from->uc, &to->uc);
#endif
#ifdef CO_ASAN
    const void *bottom;
    size_t bytes;
    __sanitizer_finish_switch_fiber(from->fake_stack, &bottom, &bytes);
    if (self && from == &self->own) { /* entered again, perhaps from another stack than before */
        self->caller.stack_bottom = bottom;
        self->caller.stack_bytes = bytes;
    }
#endif
}

/* Not inlined: a coroutine may go on in another thread, and the compiler would keep the address of the first one's variable. */
static __attribute__((noinline)) Coroutine *current(void)
{
    __asm__ volatile("");
    return running;
}

/* The life of a stack: one coroutine after the other. */
static noreturn void co_life(void)
{
#ifdef CO_ASAN
    __sanitizer_finish_switch_fiber(NULL, &current()->caller.stack_bottom, &current()->caller.stack_bytes);
#endif
    for (;;) {
        Coroutine *co = current();
        co->fn(co->opaque);
        co->fn = NULL;
        switch_context(&co->own, &co->caller, co);
    }
}

static Coroutine *stack_new(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes = COROUTINE_STACK_BYTES + page;
    char *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (map == MAP_FAILED) {
        return NULL;
    }
    mprotect(map, page, PROT_NONE);
    Coroutine *co = xnew(Coroutine);
    co->stack = map;
#ifdef CO_ASSEMBLY
    /* As if co_life had called co_switch() at its first instruction: the stack is aligned as at a function's entry. */
    void **top = (void **)(map + bytes);
    *--top = NULL;
#ifdef __x86_64__
    *--top = (void *)co_life;
    co->own.sp = top - (SAVED_WORDS - 1);
#else
    top -= 1;
    top -= SAVED_WORDS;
    top[1] = (void *)co_life; /* x30 */
    co->own.sp = top;
#endif
#else
    getcontext(&co->own.uc);
    co->own.uc.uc_stack.ss_sp = map + page;
    co->own.uc.uc_stack.ss_size = COROUTINE_STACK_BYTES;
    makecontext(&co->own.uc, (void (*)(void))co_life, 0);
#endif
#ifdef CO_ASAN
    co->own.stack_bottom = map + page;
    co->own.stack_bytes = COROUTINE_STACK_BYTES;
#endif
#ifdef CO_TSAN
    co->own.fiber = __tsan_create_fiber(0);
#endif
    return co;
}

static void stack_free(Coroutine *co)
{
#ifdef CO_TSAN
    __tsan_destroy_fiber(co->own.fiber);
#endif
    munmap(co->stack, COROUTINE_STACK_BYTES + (size_t)sysconf(_SC_PAGESIZE));
    free(co);
}

Coroutine *co_new(CoroutineFn *fn, void *opaque)
{
    Coroutine *co = pool;

    if (co) {
        pool = co->link;
        pool_count--;
    } else if (!(co = stack_new())) {
        return NULL;
    }
    co->fn = fn;
    co->opaque = opaque;
    co->home = NULL;
    co->link = NULL;
    return co;
}

void co_enter(Coroutine *co)
{
    assert(co != running && co->fn);
    co->outer = running;
    running = co;
#ifdef CO_TSAN
    co->caller.fiber = __tsan_get_current_fiber();
#endif
    switch_context(&co->caller, &co->own, NULL);
    running = co->outer;
    if (!co->fn) {
        if (pool_count < POOL_MAX) {
            co->link = pool;
            pool = co;
            pool_count++;
        } else {
            stack_free(co);
        }
    }
}

void co_yield(void)
{
    Coroutine *co = current();

    assert(co);
    switch_context(&co->own, &co->caller, co);
}

Coroutine *co_self(void) { return current(); }
void *co_home(const Coroutine *co) { return co->home; }
void co_set_home(Coroutine *co, void *home) { co->home = home; }
Coroutine **co_link(Coroutine *co) { return &co->link; }
