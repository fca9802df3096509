/*
 * driver.c: the translation driver on small programs: loops, joins, branches into the middle of an
 * instruction, page edges, pages that cannot be fetched, self-modifying code, steps, breakpoints.
 * Argument: the host (interp, toy, native).
 */
#include <sys/wait.h>
#include "user.h"

static Vcpu *cpu;

static ToyAsm at(uint64_t pc)
{
    return (ToyAsm){ .base = guest, .at = pc };
}

static uint64_t units_made(void)
{
    return atomic_load(&tcg_vcpu(cpu)->count.units);
}

static void test_loop(void)
{
    ToyAsm as = at(0x100);
    toy4(&as, TOY_LI, 1, 1000);
    toy4(&as, TOY_LI, 2, 0);
    uint64_t loop = toy2(&as, TOY_ADD, 2, 1);
    toy4(&as, TOY_ADDI, 1, -1);
    toy_to(&as, TOY_BNEZ, 1, loop);
    uint64_t end = toy2(&as, TOY_SYS, 0, 0);
    CHECK(guest_run(cpu, 0x100) == VCPU_EXIT_SYSCALL);
    CHECK_EQ(toy_state(cpu)->pc, end);
    CHECK_EQ(toy_state(cpu)->r[2], 500500);
    CHECK_EQ(toy_state(cpu)->r[1], 0);
    /* The whole loop is one unit. */
    uint64_t units = units_made(), entries = atomic_load(&tcg_vcpu(cpu)->count.entries);
    CHECK(guest_run(cpu, 0x100) == VCPU_EXIT_SYSCALL);
    CHECK_EQ(units_made(), units);
    CHECK_EQ(atomic_load(&tcg_vcpu(cpu)->count.entries), entries + 1);
    /* A loop whose head is the entry. */
    toy_state(cpu)->r[1] = 10;
    toy_state(cpu)->r[2] = 0;
    CHECK(guest_run(cpu, loop) == VCPU_EXIT_SYSCALL);
    CHECK_EQ(toy_state(cpu)->r[2], 55);
}

static void test_rotated_loop(void)
{
    ToyAsm as = at(0x200);
    toy4(&as, TOY_LI, 1, 5);
    toy4(&as, TOY_LI, 2, 0);
    uint64_t j = toy4(&as, TOY_JMP, 0, 0);
    uint64_t body = toy2(&as, TOY_ADD, 2, 1);
    toy4(&as, TOY_ADDI, 1, -1);
    uint64_t cond = toy_to(&as, TOY_BNEZ, 1, body);
    toy_fix(&as, j, cond);
    toy2(&as, TOY_SYS, 0, 0);
    CHECK(guest_run(cpu, 0x200) == VCPU_EXIT_SYSCALL);
    CHECK_EQ(toy_state(cpu)->r[2], 15);
}

/* if r1: r2 += 1 else r2 += 2; join; the same with r3; both sides jump on. */
static void test_joins(void)
{
    ToyAsm as = at(0x300);
    toy4(&as, TOY_LI, 2, 0);
    uint64_t b1 = toy4(&as, TOY_BNEZ, 1, 0);
    toy4(&as, TOY_ADDI, 2, 2);
    uint64_t j1 = toy4(&as, TOY_JMP, 0, 0);
    toy_fix(&as, b1, toy4(&as, TOY_ADDI, 2, 1));
    uint64_t join = toy4(&as, TOY_ADDI, 2, 16);
    toy_fix(&as, j1, join);
    uint64_t b2 = toy4(&as, TOY_BNEZ, 3, 0);
    toy4(&as, TOY_ADDI, 2, 64);
    toy_fix(&as, b2, toy2(&as, TOY_SYS, 0, 0));
    for (unsigned i = 0; i < 4; i++) {
        toy_state(cpu)->r[1] = i & 1;
        toy_state(cpu)->r[3] = i >> 1;
        CHECK(guest_run(cpu, 0x300) == VCPU_EXIT_SYSCALL);
        CHECK_EQ(toy_state(cpu)->r[2], (i & 1 ? 1 : 2) + 16 + (i >> 1 ? 0 : 64));
    }
}

/* A branch into the immediate of a long instruction, which is an instruction itself. */
static void test_overlap(void)
{
    ToyAsm as = at(0x400);
    uint64_t b = toy4(&as, TOY_BNEZ, 1, 0);
    uint64_t li = toy4(&as, TOY_LI, 2, TOY_ADD | 0x33 << 8); /* inside: add r3, r3 */
    toy2(&as, TOY_SYS, 0, 0);
    toy_fix(&as, b, li + 2);
    toy_state(cpu)->r[1] = 1;
    toy_state(cpu)->r[2] = 7;
    toy_state(cpu)->r[3] = 21;
    CHECK(guest_run(cpu, 0x400) == VCPU_EXIT_SYSCALL);
    CHECK_EQ(toy_state(cpu)->r[2], 7);
    CHECK_EQ(toy_state(cpu)->r[3], 42);
    toy_state(cpu)->r[1] = 0;
    CHECK(guest_run(cpu, 0x400) == VCPU_EXIT_SYSCALL);
    CHECK_EQ(toy_state(cpu)->r[2], TOY_ADD | 0x33 << 8);
    CHECK_EQ(toy_state(cpu)->r[3], 42);
}

static void test_calls(void)
{
    ToyAsm as = at(0x500);
    toy4(&as, TOY_LI, 1, 100);
    toy4(&as, TOY_LI, 2, 0);
    uint64_t loop = toy4(&as, TOY_CALL, 0, 0);
    toy4(&as, TOY_ADDI, 1, -1);
    toy_to(&as, TOY_BNEZ, 1, loop);
    toy2(&as, TOY_SYS, 0, 0);
    toy_fix(&as, loop, 0x5800);
    ToyAsm f = at(0x5800);
    toy4(&f, TOY_ADDI, 2, 3);
    toy2(&f, TOY_JR, 15, 0);
    CHECK(guest_run(cpu, 0x500) == VCPU_EXIT_SYSCALL);
    CHECK_EQ(toy_state(cpu)->r[2], 300);
}

static void test_long_run(void)
{
    ToyAsm as = at(0x8000);
    toy4(&as, TOY_LI, 2, 0);
    for (unsigned i = 0; i < 3000; i++) { /* over two page edges, more than a unit */
        toy4(&as, TOY_ADDI, 2, 1);
    }
    toy2(&as, TOY_SYS, 0, 0);
    CHECK(guest_run(cpu, 0x8000) == VCPU_EXIT_SYSCALL);
    CHECK_EQ(toy_state(cpu)->r[2], 3000);
}

static void set_prot(vaddr page, int prot)
{
    guest_prot[page >> 12] = prot;
    mprotect(guest + page, 4096, PROT_READ | (prot & PAGE_WRITE ? PROT_WRITE : 0));
    tcg_invalidate(page, page + 4095);
}

static void test_unfetchable(void)
{
    /* A long instruction across the edge to a page that cannot be fetched. */
    ToyAsm as = at(0x10ff8);
    toy4(&as, TOY_LI, 2, 5);
    toy2(&as, TOY_NOP, 0, 0);
    uint64_t last = toy4(&as, TOY_ADDI, 2, 1);
    toy2(&as, TOY_SYS, 0, 0);
    CHECK_EQ(last, 0x10ffe);
    set_prot(0x11000, PAGE_READ | PAGE_WRITE);
    toy_state(cpu)->r[2] = 0;
    CHECK(guest_run(cpu, 0x10ff8) == VCPU_EXIT_EXCEPTION);
    CHECK_EQ(cpu->exception.cause, VCPU_CAUSE_FETCH);
    CHECK_EQ(cpu->exception.value, 0x11000);
    CHECK_EQ(toy_state(cpu)->pc, last);
    CHECK_EQ(toy_state(cpu)->r[2], 5);
    set_prot(0x11000, PAGE_READ | PAGE_WRITE | PAGE_EXEC);
    CHECK(guest_run(cpu, 0x10ff8) == VCPU_EXIT_SYSCALL);
    CHECK_EQ(toy_state(cpu)->r[2], 6);
    /* The second page changes: the unit that reaches into it goes. */
    guest_rewrite(0x11000, 0x11fff);
    stle16(guest + 0x11000, 2);
    CHECK(guest_run(cpu, 0x10ff8) == VCPU_EXIT_SYSCALL);
    CHECK_EQ(toy_state(cpu)->r[2], 7);
    /* Nothing there at all. */
    CHECK(guest_run(cpu, GUEST_BYTES + 0x123456) == VCPU_EXIT_EXCEPTION);
    CHECK_EQ(cpu->exception.value, GUEST_BYTES + 0x123456);
}

static void test_faults(void)
{
    ToyAsm as = at(0x600);
    toy4(&as, TOY_ADDI, 5, 1);
    uint64_t ld = toy2(&as, TOY_LD, 3, 4);
    toy4(&as, TOY_ADDI, 5, 1);
    toy2(&as, TOY_SYS, 0, 0);
    toy_state(cpu)->r[5] = 10;
    toy_state(cpu)->r[4] = 0x40000000000;
    CHECK(guest_run(cpu, 0x600) == VCPU_EXIT_EXCEPTION);
    CHECK_EQ(toy_state(cpu)->pc, ld);
    CHECK_EQ(toy_state(cpu)->r[5], 11);
    toy_state(cpu)->r[4] = 0x600;
    CHECK(guest_run(cpu, ld) == VCPU_EXIT_SYSCALL);
    CHECK_EQ(toy_state(cpu)->r[5], 12);
    CHECK_EQ(toy_state(cpu)->r[3], ldle64(guest + 0x600));
    /* An illegal instruction, where the scan expected to go on. */
    as = at(0x680);
    toy4(&as, TOY_ADDI, 5, 1);
    uint64_t bad = toy2(&as, 99, 0, 0);
    toy2(&as, TOY_SYS, 0, 0);
    CHECK(guest_run(cpu, 0x680) == VCPU_EXIT_EXCEPTION);
    CHECK_EQ(cpu->exception.cause, 2);
    CHECK_EQ(cpu->exception.value, 99);
    CHECK_EQ(toy_state(cpu)->pc, bad);
    CHECK_EQ(toy_state(cpu)->r[5], 13);
}

/* Stores r6 to [r7], optionally syncs, then runs the function at 0x6000. */
static void test_smc(void)
{
    ToyAsm f = at(0x6000);
    uint64_t patch = toy4(&f, TOY_LI, 8, 1);
    toy2(&f, TOY_JR, 15, 0);
    uint64_t old = ldle64(guest + patch);
    ToyAsm as = at(0x700);
    toy2(&as, TOY_ST, 7, 6);
    toy2(&as, TOY_SYNC, 0, 0);
    uint64_t c = toy4(&as, TOY_CALL, 0, 0);
    toy2(&as, TOY_SYS, 0, 0);
    toy_fix(&as, c, 0x6000);
    toy_state(cpu)->r[7] = patch;
    for (unsigned i = 0; i < 20; i++) {
        toy_state(cpu)->r[6] = (old & ~(UINT64_C(0xffff) << 16)) | (uint64_t)i << 16;
        CHECK(guest_run(cpu, 0x700) == VCPU_EXIT_SYSCALL);
        CHECK_EQ(toy_state(cpu)->r[8], i);
    }
    /* Hot by now: written without faults, and units that did not change stay. */
    uint64_t faults = n_faults, units = units_made();
    for (unsigned i = 0; i < 10; i++) {
        CHECK(guest_run(cpu, 0x700) == VCPU_EXIT_SYSCALL);
    }
    CHECK_EQ(n_faults, faults);
    CHECK_EQ(units_made(), units);
    /* A system call that writes there. */
    if (tcg_unprotect_range(0x6000, 0x6003)) {
        guest[patch + 2] = 77;
        CHECK_EQ(n_faults, faults);
    }
}

static void test_smc_cold_page(void)
{
    ToyAsm f = at(0x7000);
    toy4(&f, TOY_LI, 8, 1);
    toy2(&f, TOY_SYS, 0, 0);
    CHECK(guest_run(cpu, 0x7000) == VCPU_EXIT_SYSCALL);
    CHECK_EQ(toy_state(cpu)->r[8], 1);
    int faults = n_faults;
    guest[0x7002] = 2; /* by the host: the handler unprotects */
    CHECK_EQ(n_faults, faults + 1);
    tcg_icache_sync(cpu);
    CHECK(guest_run(cpu, 0x7000) == VCPU_EXIT_SYSCALL);
    CHECK_EQ(toy_state(cpu)->r[8], 2);
    /* Data on the same page: the unit stays. */
    uint64_t units = units_made();
    guest[0x7800] = 2;
    tcg_icache_sync(cpu);
    CHECK(guest_run(cpu, 0x7000) == VCPU_EXIT_SYSCALL);
    CHECK_EQ(units_made(), units);
}

/* A page that may change behind our back. */
static void test_shared(void)
{
    guest_prot[0x14000 >> 12] = PAGE_READ | PAGE_EXEC | PAGE_SHARED;
    ToyAsm f = at(0x14000);
    toy4(&f, TOY_LI, 8, 1);
    toy2(&f, TOY_SYS, 0, 0);
    for (int i = 1; i < 6; i++) {
        guest[0x14002] = i;
        tcg_icache_sync(cpu);
        CHECK(guest_run(cpu, 0x14000) == VCPU_EXIT_SYSCALL);
        CHECK_EQ(toy_state(cpu)->r[8], i);
    }
}

static void test_mode(void)
{
    ToyAsm as = at(0x800);
    toy4(&as, TOY_LI, 1, 3);
    toy2(&as, TOY_MODE, 1, 0);
    toy4(&as, TOY_ADDI, 2, 1);
    toy2(&as, TOY_SYS, 0, 0);
    CHECK(guest_run(cpu, 0x800) == VCPU_EXIT_SYSCALL);
    CHECK_EQ(toy_state(cpu)->mode, 3);
    uint64_t units = units_made();
    CHECK(guest_run(cpu, 0x800) == VCPU_EXIT_SYSCALL); /* now in mode 3 from the start */
    CHECK_EQ(units_made(), units + 1);
    toy_state(cpu)->mode = 0;
}

static void test_step(void)
{
    ToyAsm as = at(0x900);
    for (unsigned i = 0; i < 3; i++) {
        toy4(&as, TOY_ADDI, 4, 1);
    }
    toy2(&as, TOY_SYS, 0, 0);
    cpu->single_step = true;
    toy_state(cpu)->r[4] = 0;
    vaddr pc = 0x900;
    for (unsigned i = 1; i <= 3; i++) {
        CHECK(guest_run(cpu, pc) == VCPU_EXIT_DEBUG);
        CHECK_EQ(toy_state(cpu)->r[4], i);
        pc = toy_state(cpu)->pc;
        CHECK_EQ(pc, 0x900 + 4 * i);
    }
    CHECK(guest_run(cpu, pc) == VCPU_EXIT_SYSCALL);
    cpu->single_step = false;
}

static void test_breakpoint(void)
{
    toy_state(cpu)->r[4] = 0;
    tcg_breakpoint_insert(cpu, 0x908);
    CHECK(guest_run(cpu, 0x900) == VCPU_EXIT_DEBUG);
    CHECK_EQ(toy_state(cpu)->pc, 0x908);
    CHECK_EQ(toy_state(cpu)->r[4], 2);
    CHECK(guest_run(cpu, 0x908) == VCPU_EXIT_DEBUG);
    CHECK_EQ(toy_state(cpu)->r[4], 2);
    tcg_breakpoint_remove(cpu, 0x908);
    CHECK(guest_run(cpu, 0x908) == VCPU_EXIT_SYSCALL);
    CHECK_EQ(toy_state(cpu)->r[4], 3);
}

static void test_exclusive(void)
{
    ToyAsm as = at(0xa00);
    toy2(&as, TOY_ALONE, 9, 0);
    toy2(&as, TOY_ALONE, 9, 0);
    toy2(&as, TOY_SYS, 0, 0);
    cpu->parallel = true;
    toy_state(cpu)->r[9] = 0;
    CHECK(guest_run(cpu, 0xa00) == VCPU_EXIT_SYSCALL);
    CHECK_EQ(toy_state(cpu)->r[9], 2);
    cpu->parallel = false;
}

static void test_kick(void)
{
    ToyAsm as = at(0xb00);
    uint64_t self = toy4(&as, TOY_ADDI, 1, 1);
    toy_to(&as, TOY_JMP, 0, self);
    vcpu_kick(cpu);
    toy_state(cpu)->pc = 0xb00;
    CHECK(tcg_run(cpu) == VCPU_EXIT_REQUEST);
    CHECK_EQ(toy_state(cpu)->pc, 0xb00);
}

static void test_fork(void)
{
    ToyAsm as = at(0xc00);
    toy4(&as, TOY_LI, 1, 20);
    uint64_t loop = toy4(&as, TOY_ADDI, 2, 1);
    toy4(&as, TOY_ADDI, 1, -1);
    toy_to(&as, TOY_BNEZ, 1, loop);
    toy2(&as, TOY_SYS, 0, 0);
    toy_state(cpu)->r[2] = 0;
    CHECK(guest_run(cpu, 0xc00) == VCPU_EXIT_SYSCALL);
    uint64_t units = units_made();
    tcg_fork_begin();
    pid_t pid = fork();
    tcg_fork_end(pid == 0);
    /* Both translate something else at the same place of the cache. */
    toy_state(cpu)->r[2] = 0;
    CHECK(guest_run(cpu, 0xc00) == VCPU_EXIT_SYSCALL);
    CHECK_EQ(units_made(), units);
    CHECK_EQ(toy_state(cpu)->r[2], 20);
    for (unsigned i = 0; i < 50; i++) {
        ToyAsm f = at(0x18000 + i * 64);
        guest_rewrite(0x18000, 0x18fff);
        toy4(&f, TOY_LI, 3, pid ? 1 + i : 1000 + i);
        toy2(&f, TOY_SYS, 0, 0);
        CHECK(guest_run(cpu, 0x18000 + i * 64) == VCPU_EXIT_SYSCALL);
        CHECK_EQ(toy_state(cpu)->r[3], pid ? 1 + i : 1000 + i);
    }
    if (!pid) {
        _exit(test_result());
    }
    int status;
    waitpid(pid, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* Random programs against a direct interpretation. */
static uint64_t seed = 1;
static unsigned rnd(unsigned n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % n;
}

static uint64_t simulate(uint64_t r[16], uint64_t pc, unsigned budget)
{
    while (budget--) {
        const uint8_t *i = guest + pc;
        unsigned a = i[1] >> 4, b = i[1] & 15;
        int imm = (int16_t)ldle16(i + 2);
        switch (i[0]) {
        case TOY_NOP: pc += 2; break;
        case TOY_ADD: r[a] += r[b]; pc += 2; break;
        case TOY_ADDI: r[a] += imm; pc += 4; break;
        case TOY_LI: r[a] = imm; pc += 4; break;
        case TOY_BNEZ: pc += r[a] ? imm : 4; break;
        case TOY_JMP: pc += imm; break;
        case TOY_SYS: return pc;
        default: return pc;
        }
    }
    return UINT64_MAX;
}

static void test_random(void)
{
    enum { BASE = 0x20000, N = 120 };
    unsigned done = 0;
    for (unsigned round = 0; round < 400; round++) {
        guest_rewrite(BASE, BASE + 0x2fff);
        ToyAsm as = at(BASE + 4096 - rnd(400) * 2);
        uint64_t first = as.at, place[N];
        for (unsigned i = 0; i < N; i++) {
            place[i] = as.at;
            switch (rnd(8)) {
            case 0: toy2(&as, TOY_NOP, 0, 0); break;
            case 1: toy2(&as, TOY_ADD, rnd(4), rnd(4)); break;
            case 2: case 3: toy4(&as, TOY_ADDI, rnd(4), (int)rnd(5) - 2); break;
            case 4: toy4(&as, TOY_LI, rnd(4), (int)rnd(3) - 1); break;
            case 5: case 6: toy4(&as, TOY_BNEZ, rnd(4), 0); break;
            default: toy4(&as, rnd(3) ? TOY_JMP : TOY_SYS, 0, 0); break;
            }
        }
        toy2(&as, TOY_SYS, 0, 0);
        for (unsigned i = 0; i < N; i++) {
            uint8_t op = guest[place[i]];
            if (op == TOY_BNEZ || op == TOY_JMP) {
                unsigned near = i + 1 + rnd(10);
                toy_fix(&as, place[i], place[rnd(8) ? MIN(N - 1, near) : rnd(N)]);
            }
        }
        uint64_t r[16] = { 0 };
        for (unsigned i = 0; i < 4; i++) {
            r[i] = toy_state(cpu)->r[i] = rnd(4);
        }
        uint64_t end = simulate(r, first, 20000);
        if (end == UINT64_MAX) {
            continue;
        }
        done++;
        VcpuExit reason = guest_run(cpu, first);
        if (reason != VCPU_EXIT_SYSCALL) {
            fprintf(stderr, "random %u: reason %d cause %d value %#llx pc %#llx\n", round, reason, cpu->exception.cause, (long long)cpu->exception.value, (long long)toy_state(cpu)->pc);
        }
        CHECK(reason == VCPU_EXIT_SYSCALL);
        CHECK_EQ(toy_state(cpu)->pc, end);
        for (unsigned i = 0; i < 4; i++) {
            CHECK_EQ(toy_state(cpu)->r[i], r[i]);
        }
    }
    CHECK(done > 100);
}

static void test_one_insn(void)
{
    cpu->one_insn_per_tb = true;
    test_joins();
    test_calls();
    cpu->one_insn_per_tb = false;
}

/* More code than the cache holds. */
static void test_eviction(void)
{
    uint64_t evicted = atomic_load(&tcg_vcpu(cpu)->count.regions_evicted);
    for (unsigned round = 0; round < 100000; round++) {
        vaddr pc = 0x28000 + round % 256 * 32;
        if (round < 256) {
            ToyAsm as = at(pc);
            toy4(&as, TOY_LI, 3, round);
            for (unsigned i = 0; i < 8; i++) {
                toy2(&as, TOY_ADD, 4, 3);
            }
            toy2(&as, TOY_SYS, 0, 0);
        }
        toy_state(cpu)->mode = round / 256 + 10; /* a new unit each time */
        if (guest_run(cpu, pc) != VCPU_EXIT_SYSCALL || toy_state(cpu)->r[3] != round % 256) {
            CHECK(false);
            break;
        }
    }
    toy_state(cpu)->mode = 0;
    CHECK(atomic_load(&tcg_vcpu(cpu)->count.regions_evicted) > evicted);
}

int main(int argc, char **argv)
{
    guest_start(argc > 1 ? argv[1] : "interp", &(TcgOptions){ .cache_bytes = 1 });
    cpu = guest_cpu();
    test_loop();
    test_rotated_loop();
    test_joins();
    test_overlap();
    test_calls();
    test_long_run();
    test_unfetchable();
    test_faults();
    test_smc();
    test_smc_cold_page();
    test_shared();
    test_mode();
    test_step();
    test_breakpoint();
    test_exclusive();
    test_kick();
    test_fork();
    test_random();
    test_one_insn();
    test_eviction();
    tcg_flush_all();
    test_loop();
    vcpu_free(cpu);
    return test_result();
}
