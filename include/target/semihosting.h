/*
 * semihosting.h: what a guest program asks of the emulator by its architecture's semihosting instruction (target/common/semihosting.c).
 *
 * The front end recognizes the instruction and calls vcpu->semihost; whoever makes the vCPU has set that (softmmu/semihosting.c,
 * linux-user/semihosting.c) to a function that hands the call on to semihosting_call() with what it alone knows.
 * Specification: Semihosting for AArch32 and AArch64 2.0; RISC-V Semihosting 0.4.
 */
#ifndef TARGET_SEMIHOSTING_H
#define TARGET_SEMIHOSTING_H

#include "target/target.h"

typedef struct SemihostingHost {
    /* Guest memory as the calling program sees it. False: some of it is not there. */
    bool (*read)(Vcpu *vcpu, vaddr addr, void *out, size_t size_bytes);
    bool (*write)(Vcpu *vcpu, vaddr addr, const void *in, size_t size_bytes);
    /* The console: SYS_WRITEC, SYS_WRITE0, SYS_READC and ":tt". read_console gives at least one byte, 0 when the input has ended;
     * it waits, but not longer than SEMIHOSTING_PATIENCE_MS when the vCPU is to leave (exit_request), and sets *again then. Both NULL: standard error and input; then ":tt" is one of the three standard streams, as it was opened. */
    void (*write_console)(const void *data, size_t size_bytes);
    size_t (*read_console)(Vcpu *vcpu, void *out, size_t size_bytes, bool *again);
    char *(*command_line)(void); /* the caller's to free */
    uint64_t (*clock_ns)(void); /* since the program began */
    /* Heap base and limit, stack base and limit (the stack grows down from its base); zeros: the program has to know itself. */
    void (*heap)(Vcpu *vcpu, uint64_t info[4]);
    /* The program has ended. May come back; guest code does not go on then. */
    void (*exit)(Vcpu *vcpu, int status);
} SemihostingHost;

enum { SEMIHOSTING_PATIENCE_MS = 100 };

/* One call: its number and parameter as the program's registers have them, words of `word_bytes` (4 or 8). False: it has not come to its end
 * because the vCPU is to leave; the instruction is to be run again. Any vCPU's thread. */
NODISCARD bool semihosting_call(const SemihostingHost *host, Vcpu *vcpu, unsigned word_bytes, uint64_t operation, uint64_t parameter,
                                uint64_t *ret_result);

#endif
