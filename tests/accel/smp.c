/*
 * smp.c: vCPUs in system mode run code that another vCPU and a device change under them, while their TLBs are
 * flushed from outside. Every call must add what some version of the code adds, and once everybody has stopped,
 * the newest. Meant for TSan too. Argument: the host (interp, toy, native).
 */
#include <unistd.h>
#include "../../accel/tcg/tlb.h"
#include "../test.h"
#include "softmmu/bql.h"
#include "toy.h"

enum { RAM_PAGES = 64, N_CPUS = 3, ROUNDS = 150, CALLS = 200, N_FUNCS = 8, FUNC_PAGE = 16 };

static uint8_t *ram;
static MemoryRegion root_mr, ram_mr;
static AddressSpace as;
static Target target;
static _Atomic bool stop;
static Vcpu *cpus[N_CPUS];

static bool fill(Vcpu *vcpu, vaddr addr, MmuAccess access, unsigned size, unsigned mmu_index, bool probe,
                 TlbFill *ret)
{
    if (addr >= RAM_PAGES * 4096) {
        vcpu->exception = (VcpuException){ .cause = 100, .value = addr };
        return false;
    }
    *ret = (TlbFill){ .phys = ROUND_DOWN(addr, 4096), .prot = PAGE_READ | PAGE_WRITE | PAGE_EXEC,
                      .page_bits = 12 };
    return true;
}

static unsigned mmu_index(const Vcpu *vcpu, MmuAccess access)
{
    return 0;
}

static bool no_interrupt(Vcpu *vcpu)
{
    return false;
}

static void exception_enter(Vcpu *vcpu)
{
    fprintf(stderr, "exception %d at %#llx\n", vcpu->exception.cause,
            (unsigned long long)toy_state(vcpu)->pc);
    abort();
}

/* main of vCPU i: calls every function CALLS times; the last vCPU also stores r6 to [r7] each time. */
static uint64_t write_main(unsigned cpu)
{
    ToyAsm c = { .base = ram, .at = (1 + cpu) * 4096 };
    uint64_t start = c.at;
    toy4(&c, TOY_LI, 1, CALLS);
    toy4(&c, TOY_LI, 2, 0);
    uint64_t loop = c.at;
    for (unsigned f = 0; f < N_FUNCS; f++) {
        toy4(&c, TOY_LI, 4, (FUNC_PAGE + f) * 512); /* eight times this is the address */
        toy2(&c, TOY_ADD, 4, 4);
        toy2(&c, TOY_ADD, 4, 4);
        toy2(&c, TOY_ADD, 4, 4);
        uint64_t at = toy4(&c, TOY_LI, 15, 0);
        uint64_t back = toy2(&c, TOY_JR, 4, 0) + 2;
        stle16(ram + at + 2, (uint16_t)back);
        if (cpu == N_CPUS - 1) {
            toy2(&c, TOY_ST, 7, 6);
        }
    }
    toy4(&c, TOY_ADDI, 1, -1);
    toy_to(&c, TOY_BNEZ, 1, loop);
    toy2(&c, TOY_SYS, 0, 0);
    return start;
}

static void write_func(unsigned f, unsigned value)
{
    ToyAsm c = { .base = ram, .at = (FUNC_PAGE + f) * 4096 };
    toy4(&c, TOY_ADDI, 2, (int)value);
    toy2(&c, TOY_JR, 15, 0);
}

static VcpuExit run(Vcpu *cpu, uint64_t pc)
{
    VcpuExit reason;
    toy_state(cpu)->pc = pc;
    do {
        reason = tcg_run(cpu);
    } while (reason == VCPU_EXIT_REQUEST);
    return reason;
}

static void *cpu_thread(void *opaque)
{
    unsigned i = (uintptr_t)opaque;
    Vcpu *cpu = cpus[i];
    uint64_t word = ldle64(ram + FUNC_PAGE * 4096);
    for (unsigned round = 0; round < ROUNDS; round++) {
        /* The last vCPU patches the first function: adds 1 or 2. */
        toy_state(cpu)->r[7] = FUNC_PAGE * 4096;
        toy_state(cpu)->r[6] = (word & ~(UINT64_C(0xffff) << 16)) | (uint64_t)(1 + round % 2) << 16;
        VcpuExit reason = run(cpu, (1 + i) * 4096);
        uint64_t sum = toy_state(cpu)->r[2];
        if (reason != VCPU_EXIT_SYSCALL || sum < CALLS * N_FUNCS || sum > 2 * CALLS * N_FUNCS) {
            fprintf(stderr, "vCPU %u: exit %d, sum %llu\n", i, reason, (unsigned long long)sum);
            __atomic_fetch_add(&test_failures, 1, __ATOMIC_RELAXED);
            break;
        }
    }
    return NULL;
}

static void *device_thread(void *opaque)
{
    unsigned n = 0;
    while (!stop) {
        unsigned f = 1 + n % (N_FUNCS - 1);
        uint8_t value[2] = { 1 + n / N_FUNCS % 2, 0 };
        memory_write(&as, (FUNC_PAGE + f) * 4096 + 2, value, 1, MEM_ATTRS_NONE);
        if (n % 16 == 0) {
            tlb_flush_all_vcpus(NULL);
        }
        n++;
        usleep(100);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    Error *err = NULL;
    const char *host = argc > 1 ? argv[1] : "interp";
    TcgOptions options = { .verify = true, .interpreter = !strcmp(host, "interp"), .cache_bytes = 1 };
    tcg_system = &tcg_system_ops;
    bool ok = !strcmp(host, "toy") ? tcg_init_with_host(&options, &toy_host, &err)
                                   : tcg_init(&options, &err);
    if (!ok) {
        fprintf(stderr, "skipped: %s\n", error_message(err));
        return 77;
    }
    bql_lock();
    memory_begin();
    memory_region_init(&root_mr, NULL, "root", MEMORY_SIZE_ALL);
    if (!memory_region_init_ram(&ram_mr, NULL, "ram", RAM_PAGES * 4096, error_fatal)) {
        return 1;
    }
    memory_region_add(&root_mr, 0, &ram_mr);
    memory_commit();
    address_space_init(&as, &root_mr, "test");
    bql_unlock();
    tlb_log_code(ram_mr.ram);
    memory_set_code_hook(ldst_code_written);
    ram = memory_region_host(&ram_mr);
    target = toy_target;
    target.tlb_fill = fill;
    target.mmu_index = mmu_index;
    target.interrupt_pending = no_interrupt;
    target.exception_enter = exception_enter;
    for (unsigned f = 0; f < N_FUNCS; f++) {
        write_func(f, 1);
    }
    for (unsigned i = 0; i < N_CPUS; i++) {
        write_main(i);
        cpus[i] = vcpu_new(&target, true);
        cpus[i]->index = (int)i;
        cpus[i]->as = &as;
        cpus[i]->parallel = true;
    }
    pthread_t threads[N_CPUS], device;
    pthread_create(&device, NULL, device_thread, NULL);
    for (uintptr_t i = 0; i < N_CPUS; i++) {
        pthread_create(&threads[i], NULL, cpu_thread, (void *)i);
    }
    for (unsigned i = 0; i < N_CPUS; i++) {
        pthread_join(threads[i], NULL);
    }
    stop = true;
    pthread_join(device, NULL);
    /* Now the newest version, exactly, on every vCPU. */
    for (unsigned f = 0; f < N_FUNCS; f++) {
        uint8_t value[2] = { 3 + f, 0 };
        memory_write(&as, (FUNC_PAGE + f) * 4096 + 2, value, 2, MEM_ATTRS_NONE);
    }
    for (unsigned i = 0; i < N_CPUS - 1; i++) {
        CHECK(run(cpus[i], (1 + i) * 4096) == VCPU_EXIT_SYSCALL);
        CHECK_EQ(toy_state(cpus[i])->r[2], CALLS * (3 * N_FUNCS + N_FUNCS * (N_FUNCS - 1) / 2));
    }
    if (getenv("SHOW")) {
        tcg_counters_print(stderr);
    }
    for (unsigned i = 0; i < N_CPUS; i++) {
        vcpu_free(cpus[i]);
    }
    return test_result();
}
