/*
 * semihosting.c: semihosting of a user program, which is always on: what it can do a system call can, too.
 *
 * Bare-metal programs (newlib's rdimon, picolibc's semihost) run like this without a machine.
 * Threads: the calling thread's.
 */
#include "target/semihosting.h"
#include <time.h>
#include "linux-user/user.h"
#include "util/alloc.h"

enum { HEAP_BYTES = 128 << 20 };

static bool get_memory(Vcpu *vcpu, vaddr addr, void *out, size_t n) { return copy_from_guest(out, addr, n); }
static bool put_memory(Vcpu *vcpu, vaddr addr, const void *in, size_t n) { return copy_to_guest(addr, in, n); }

static uint64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* The heap is the program break's next stretch, the stack the process's. */
static void heap(Vcpu *vcpu, uint64_t info[4])
{
    if (!user.semihosting_heap) { /* calls are made one at a time */
        user.semihosting_heap = (vaddr)mm_brk(0);
        user.semihosting_limit = (vaddr)mm_brk(user.semihosting_heap + HEAP_BYTES);
    }
    info[0] = user.semihosting_heap;
    info[1] = user.semihosting_limit;
    info[2] = user.stack_start;
}

static void end(Vcpu *vcpu, int status) { process_exit(user_self, status); }

static char *command_line(void)
{
    size_t n = user.arg_end - user.arg_start;
    char *line = xmalloc(n + 1);
    if (!copy_from_guest(line, user.arg_start, n)) {
        n = 0;
    }
    for (size_t i = 0; i + 1 < n; i++) {
        line[i] = line[i] ? line[i] : ' ';
    }
    line[n] = 0;
    return line;
}

static bool call(Vcpu *vcpu, unsigned word_bytes, uint64_t operation, uint64_t parameter, uint64_t *ret_result)
{
    static const SemihostingHost host = {
        .read = get_memory, .write = put_memory, .command_line = command_line, .clock_ns = clock_ns, .heap = heap, .exit = end,
    };
    return semihosting_call(&host, vcpu, word_bytes, operation, parameter, ret_result);
}

void semihosting_attach(Vcpu *vcpu)
{
    vcpu->semihost = call;
    vcpu->semihost_user = true;
}
