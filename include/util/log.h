/*
 * log.h: what -d ITEMS and -D FILE write.
 *
 * Test with log_enabled() before computing anything; log_printf() writes one
 * piece of text, log_lock()/log_unlock() keep several pieces together.
 * Threads: all functions may be called from any thread.
 */
#ifndef UTIL_LOG_H
#define UTIL_LOG_H

#include <stdio.h>
#include "util/error.h"

/* LOG_ITEM(NAME, name on the command line, help) */
#define LOG_ITEMS(LOG_ITEM)                                                                  \
    LOG_ITEM(OUT_ASM, "out_asm", "show generated host code for each translation block")     \
    LOG_ITEM(IN_ASM, "in_asm", "show guest code for each translation block")                \
    LOG_ITEM(OP, "op", "show the IR as the front end emitted it")                            \
    LOG_ITEM(OP_OPT, "op_opt", "show the IR after optimisation")                             \
    LOG_ITEM(INT, "int", "show interrupts and exceptions")                                   \
    LOG_ITEM(EXEC, "exec", "show each translation block as it is entered")                  \
    LOG_ITEM(CPU, "cpu", "show CPU registers before each translation block")                \
    LOG_ITEM(FPU, "fpu", "include floating-point registers in 'cpu'")                       \
    LOG_ITEM(VPU, "vpu", "include vector registers in 'cpu'")                               \
    LOG_ITEM(MMU, "mmu", "show guest page table walks and TLB maintenance")                 \
    LOG_ITEM(PAGE, "page", "show the guest address space at start (user mode)")             \
    LOG_ITEM(PCALL, "pcall", "x86 protected-mode far calls, returns and exceptions")        \
    LOG_ITEM(CPU_RESET, "cpu_reset", "show CPU state before resets")                        \
    LOG_ITEM(UNIMP, "unimp", "report unimplemented functionality the guest uses")           \
    LOG_ITEM(GUEST_ERROR, "guest_errors", "report invalid operations of the guest")         \
    LOG_ITEM(NOCHAIN, "nochain", "do not link translation blocks to each other")            \
    LOG_ITEM(STRACE, "strace", "show every system call (user mode)")                        \
    LOG_ITEM(JIT, "jit", "print translator counters at exit")                                \
    LOG_ITEM(TRACE, "trace", "write enabled trace events here")

enum {
#define LOG_ITEM(name, text, help) LOG_BIT_##name,
    LOG_ITEMS(LOG_ITEM)
#undef LOG_ITEM
    LOG_N_ITEMS
};
enum {
#define LOG_ITEM(name, text, help) LOG_##name = 1u << LOG_BIT_##name,
    LOG_ITEMS(LOG_ITEM)
#undef LOG_ITEM
};

extern uint32_t log_mask; /* set while options are parsed or by the monitor */

static inline bool log_enabled(uint32_t items)
{
    return unlikely(log_mask & items);
}

/* "in_asm,op"; "help" lists them on stdout and exits 0. */
bool log_set_items(const char *list, Error **errp);
/* NULL: stderr. "%d" in the name becomes the process id. */
bool log_set_file(const char *path, Error **errp);
/* -dfilter: "START..END,START+LEN,START-LEN"; code logs only for these. */
bool log_set_filter(const char *ranges, Error **errp);
bool log_in_filter(vaddr addr);
void log_print_help(FILE *out);

void log_printf(const char *fmt, ...) PRINTF_LIKE(1, 2);
FILE *log_lock(void); /* the stream to write on */
void log_unlock(void);

#define log_unimp(...) \
    do { if (log_enabled(LOG_UNIMP)) { log_printf(__VA_ARGS__); } } while (0)
#define log_guest_error(...) \
    do { if (log_enabled(LOG_GUEST_ERROR)) { log_printf(__VA_ARGS__); } } while (0)

#endif
