/*
 * signal.c: a signal handler that uses the vector unit does not disturb the program it interrupts, sees the program's
 * registers in the frame, and can change them there. Runs on RISC-V; status 0 if all holds.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

static int bad;

#define CHECK(cond) ((cond) ? (void)0 : (void)(bad = 1, fprintf(stderr, "line %d: %s\n", __LINE__, #cond)))

static void handler(int sig, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    uint32_t *header = (uint32_t *)((char *)&uc->uc_mcontext.__fpregs + 520);
    uint64_t *state = (uint64_t *)(header + 2);

    CHECK(header[0] == 0x53465457);
    CHECK(state[1] == 2 && state[2] == 0xd8 && (char *)state[5] == (char *)(state + 6));
    uint64_t vlenb = state[4], *v3 = (uint64_t *)(state[5] + 3 * vlenb), *v4 = (uint64_t *)(state[5] + 4 * vlenb);
    CHECK(header[1] == 56 + 32 * vlenb);
    CHECK(v3[0] == 0x5555 && v3[1] == 0x5555);
    v4[1] = 0x1234;
    const uint32_t *end = (const uint32_t *)((char *)header + header[1]);
    CHECK(end[0] == 0 && end[1] == 0);
    __asm__ volatile(".option push\n.option arch, +v\n"
                     "vsetvli t0, zero, e8, m8, ta, ma\nvmv.v.i v0, 7\nvmv.v.i v8, 7\n.option pop" ::: "t0");
}

int main(void)
{
    struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
    uint64_t first, second, changed, vl, vtype;

    sigaction(SIGUSR1, &action, NULL);
    long self = syscall(SYS_gettid);
    register long number __asm__("a7") = SYS_tkill, tid __asm__("a0") = self, sig __asm__("a1") = SIGUSR1;
    __asm__ volatile(".option push\n.option arch, +v\n"
                     "li t0, 0x5555\nvsetivli zero, 2, e64, m1, ta, ma\nvmv.v.x v3, t0\nvmv.v.i v4, 0\n"
                     "ecall\n"
                     "csrr %[vl], vl\ncsrr %[vtype], vtype\nvmv.x.s %[first], v3\n"
                     "vslidedown.vi v3, v3, 1\nvmv.x.s %[second], v3\n"
                     "vslidedown.vi v4, v4, 1\nvmv.x.s %[changed], v4\n.option pop"
                     : [first] "=&r"(first), [second] "=&r"(second), [changed] "=&r"(changed), [vl] "=&r"(vl),
                       [vtype] "=&r"(vtype), "+r"(tid)
                     : "r"(number), "r"(sig) : "t0", "memory");
    CHECK(first == 0x5555 && second == 0x5555 && changed == 0x1234);
    CHECK(vl == 2 && vtype == 0xd8);
    return bad;
}
