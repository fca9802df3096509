/*
 * sandbox.h: runs a program that may ask the kernel for anything, where it cannot do harm.
 */
#ifndef TESTS_FUZZ_SANDBOX_H
#define TESTS_FUZZ_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum SandboxEnd {
    SANDBOX_ENDED,      /* the first process ended: `status` is its wait status */
    SANDBOX_BLOCKED,    /* everything slept and nobody would wake it: killed */
    SANDBOX_DEADLOCK,   /* the same, and a thread waits for a futex of the runner's own, not of the guest's */
    SANDBOX_RUNAWAY,    /* ran and ran: killed */
} SandboxEnd;

typedef struct SandboxResult {
    SandboxEnd end;
    int status;
    unsigned fatal_deaths; /* processes that died by SIGSEGV, SIGABRT and the like */
    char text[65536];      /* what was written to standard error, cut */
    size_t n_text;
} SandboxResult;

typedef struct SandboxMap {
    uintptr_t start, end;
} SandboxMap;

/* Once per process. False: the host does not allow namespaces (a line was printed). */
bool sandbox_init(const char *runner);
/*
 * Runs a program of 32 or 64 bits whose file is given. False: the sandbox itself failed.
 */
bool sandbox_run(const void *program, size_t n_bytes, unsigned bits, SandboxResult *ret);
/* The mappings of the runner while it runs a program that waits, as addresses are not random in here; how many. */
size_t sandbox_maps(const void *waiting_program, size_t n_bytes, unsigned bits, SandboxMap *ret, size_t room);
/* Runs from now on print their system calls. */
void sandbox_trace(void);
/* Futexes at or above this address are the runner's. */
void sandbox_set_runner_start(uintptr_t addr);

#endif
