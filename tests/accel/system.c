/*
 * system.c: the soft MMU against a naive model: random mappings of several sizes in several address
 * spaces, flushed the way a guest does, random accesses that may cross pages; and code in pages that are
 * remapped and written. Argument: the host (interp, toy, native).
 */
#include "../../accel/tcg/tlb.h"
#include "../test.h"
#include "softmmu/bql.h"
#include "toy.h"

enum {
    RAM_PAGES = 64,
    N_SPACES = 12,
    V_PAGES = 96,              /* pages the guest uses of each address space */
    BIG_PAGES = 8,             /* pages of a large one */
    MMIO_AT = 0x10000000,
};

typedef struct Pte {
    bool valid, global;
    uint8_t prot;
    uint32_t page;             /* RAM page; RAM_PAGES: the device */
    bool big;                  /* part of a large page: aligned group of BIG_PAGES */
} Pte;

static Pte pt[N_SPACES][V_PAGES];
static unsigned space;
static uint8_t *ram, device[4096];
static MemoryRegion root_mr, ram_mr, dev_mr;
static AddressSpace as;
static Vcpu *cpu;
static unsigned n_walks;

static uint64_t seed = 12345;
static unsigned rnd(unsigned n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % n;
}

/* ---- the toy MMU ---- */

enum { VBASE = 0x40000000 };

static bool fill(Vcpu *vcpu, vaddr addr, MmuAccess access, unsigned size, unsigned mmu_index, bool probe,
                 TlbFill *ret)
{
    static const uint8_t need[] = { PAGE_READ, PAGE_WRITE, PAGE_EXEC };
    uint64_t page = (addr - VBASE) >> 12;
    n_walks++;
    if (addr < VBASE || page >= V_PAGES || !pt[space][page].valid
        || !(pt[space][page].prot & need[access])) {
        if (!probe) {
            vcpu->exception = (VcpuException){ .cause = 100 + access, .value = addr };
        }
        return false;
    }
    const Pte *p = &pt[space][page];
    ret->prot = p->prot;
    ret->global = p->global;
    if (p->big) {
        ret->page_bits = 15;
        ret->phys = (p->page - page % BIG_PAGES) << 12;
    } else {
        ret->page_bits = 12;
        ret->phys = p->page == RAM_PAGES ? MMIO_AT : (gpa)p->page << 12;
    }
    return true;
}

static unsigned mmu_index(const Vcpu *vcpu, MmuAccess access)
{
    return 0;
}

static void bus_error(Vcpu *vcpu, vaddr addr, gpa phys, MmuAccess access)
{
    vcpu->exception = (VcpuException){ .cause = 200 + access, .value = addr };
}

static bool no_interrupt(Vcpu *vcpu)
{
    return false;
}

static MemResult dev_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    *ret = 0;
    memcpy(ret, device + offset, size);
    return MEM_OK;
}

static MemResult dev_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    memcpy(device + offset, &value, size);
    return MEM_OK;
}

static const MemoryOps dev_ops = { .read = dev_read, .write = dev_write,
                                   .valid = { 1, 8, true }, .impl = { 1, 8, true } };

/* ---- the model ---- */

static uint8_t *model_byte(vaddr addr, MmuAccess access, vaddr *ret_fault)
{
    static const uint8_t need[] = { PAGE_READ, PAGE_WRITE, PAGE_EXEC };
    uint64_t page = (addr - VBASE) >> 12;
    if (addr < VBASE || page >= V_PAGES || !pt[space][page].valid
        || !(pt[space][page].prot & need[access])) {
        *ret_fault = addr;
        return NULL;
    }
    const Pte *p = &pt[space][page];
    return p->page == RAM_PAGES ? device + addr % 4096 : ram + p->page * 4096 + addr % 4096;
}

static VcpuExit protected(void (*fn)(void *opaque), void *opaque)
{
    if (sigsetjmp(cpu->jmp_env, 0)) {
        return cpu->exit_reason;
    }
    fn(opaque);
    return VCPU_EXIT_NONE;
}

typedef struct Op { vaddr addr; uint64_t value; unsigned size; bool write; } Op;

static void do_op(void *opaque)
{
    Op *op = opaque;
    if (op->write) {
        guest_store(cpu, op->addr, op->value, op->size, 0);
    } else {
        op->value = guest_load(cpu, op->addr, op->size, 0);
    }
}

static void check_access(void)
{
    Op op = { .addr = VBASE + rnd(V_PAGES + 1) * 4096 + (rnd(3) ? rnd(4096) : 4089 + rnd(7)),
              .value = seed ^ seed << 20, .size = 1u << rnd(4), .write = rnd(2) };
    MmuAccess access = op.write ? MMU_WRITE : MMU_READ;
    uint8_t *bytes[8];
    vaddr fault = 0;
    uint64_t expect = 0;
    for (unsigned i = 0; i < op.size && !fault; i++) {
        bytes[i] = model_byte(op.addr + i, access, &fault);
        if (!fault) {
            expect |= (uint64_t)*bytes[i] << 8 * i;
        }
    }
    uint64_t value = op.value;
    VcpuExit exit = protected(do_op, &op);
    if (fault) {
        CHECK(exit == VCPU_EXIT_EXCEPTION);
        CHECK_EQ(cpu->exception.cause, 100 + access);
        CHECK_EQ(cpu->exception.value, fault);
    } else if (exit != VCPU_EXIT_NONE) {
        CHECK(exit == VCPU_EXIT_NONE);
    } else if (op.write) {
        for (unsigned i = 0; i < op.size; i++) {
            CHECK_EQ(*bytes[i], value >> 8 * i & 0xff);
        }
    } else {
        CHECK_EQ(op.value, expect);
    }
}

/* ---- random mappings ---- */

static void set_space(unsigned to)
{
    space = to;
    tlb_set_asid(cpu, to, 1000 + to);
}

static void change(void)
{
    unsigned v = rnd(V_PAGES);
    bool global = rnd(8) == 0;
    Pte p = { .valid = rnd(5), .prot = rnd(8), .page = rnd(12) ? rnd(RAM_PAGES) : RAM_PAGES };
    unsigned s = space;
    if (rnd(4) == 0 || pt[s][v].big) {
        unsigned first = ROUND_DOWN(v, (unsigned)BIG_PAGES), base = ROUND_DOWN(rnd(RAM_PAGES), (unsigned)BIG_PAGES);
        for (unsigned i = 0; i < BIG_PAGES; i++) {
            pt[s][first + i] = p;
            pt[s][first + i].page = base + i;
            pt[s][first + i].big = true;
            if (!p.valid) {
                pt[s][first + i].big = false;
            }
        }
        if (rnd(2)) {
            tlb_flush_range(cpu, VBASE + first * 4096, BIG_PAGES * 4096);
        } else {
            tlb_flush_asid(cpu, s);
            tlb_flush_page(cpu, VBASE + v * 4096); /* also if it was global */
        }
        for (unsigned i = 0; i < BIG_PAGES; i++) {
            tlb_flush_page(cpu, VBASE + (first + i) * 4096);
        }
        return;
    }
    bool was_global = pt[s][v].global;
    p.global = global;
    pt[s][v] = p;
    switch (was_global ? 0 : rnd(4)) {
    case 0:
        tlb_flush(cpu);
        break;
    case 1:
        tlb_flush_asid(cpu, s);
        break;
    default:
        tlb_flush_page(cpu, VBASE + v * 4096 + rnd(4096));
        break;
    }
}

static void test_random(void)
{
    for (unsigned i = 0; i < 60000; i++) {
        unsigned what = rnd(100);
        if (what < 10) {
            change();
        } else if (what < 16) {
            set_space(rnd(N_SPACES));
        } else {
            check_access();
        }
        if (test_failures) {
            fprintf(stderr, "at step %u\n", i);
            break;
        }
    }
}

/* Switching back and forth keeps what was cached. */
static void test_asid_kept(void)
{
    memset(pt, 0, sizeof(pt));
    tlb_flush(cpu);
    for (unsigned s = 0; s < 4; s++) {
        for (unsigned v = 0; v < 16; v++) {
            pt[s][v] = (Pte){ .valid = true, .prot = PAGE_READ | PAGE_WRITE, .page = s * 16 + v };
        }
    }
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned s = 0; s < 4; s++) {
            set_space(s);
            n_walks = 0;
            for (unsigned v = 0; v < 16; v++) {
                guest_store(cpu, VBASE + v * 4096, 100 * s + v, 8, 0);
            }
            CHECK_EQ(n_walks, round ? 0 : 16);
        }
    }
    for (unsigned s = 0; s < 4; s++) {
        for (unsigned v = 0; v < 16; v++) {
            CHECK_EQ(ldle64(ram + (s * 16 + v) * 4096), 100 * s + v);
        }
    }
    set_space(0);
}

/* A large page costs one walk. */
static void test_large(void)
{
    memset(pt, 0, sizeof(pt));
    tlb_flush(cpu);
    for (unsigned v = 0; v < BIG_PAGES; v++) {
        pt[0][v] = (Pte){ .valid = true, .prot = PAGE_READ, .page = 8 + v, .big = true };
    }
    n_walks = 0;
    for (unsigned v = 0; v < BIG_PAGES; v++) {
        guest_load(cpu, VBASE + v * 4096, 8, 0);
    }
    CHECK_EQ(n_walks, 1);
}

/* ---- code ---- */

static VcpuExit run(vaddr pc)
{
    toy_state(cpu)->pc = pc;
    VcpuExit reason;
    do {
        reason = tcg_run(cpu);
    } while (reason == VCPU_EXIT_REQUEST);
    return reason;
}

static Target target;
static VcpuException last_exception;

static void exception_enter(Vcpu *vcpu)
{
    /* To the handler: one system call at the start of the last page. */
    last_exception = vcpu->exception;
    toy_state(vcpu)->pc = VBASE + (V_PAGES - 1) * 4096;
}

static void put_code(unsigned page, int value)
{
    ToyAsm c = { .base = ram, .at = page * 4096 };
    toy4(&c, TOY_LI, 1, value);
    toy2(&c, TOY_SYS, 0, 0);
}

static void test_code(void)
{
    uint8_t rwx = PAGE_READ | PAGE_WRITE | PAGE_EXEC;
    memset(pt, 0, sizeof(pt));
    memset(ram, 0, RAM_PAGES * 4096);
    tlb_flush(cpu);
    for (unsigned v = 0; v < V_PAGES; v++) {
        pt[0][v] = (Pte){ .valid = v < RAM_PAGES, .prot = rwx, .page = v };
    }
    pt[0][V_PAGES - 1] = (Pte){ .valid = true, .prot = rwx, .page = RAM_PAGES - 1 };
    ToyAsm c = { .base = ram, .at = (RAM_PAGES - 1) * 4096 };
    toy2(&c, TOY_SYS, 0, 0);
    tcg_flush_all();
    put_code(1, 5);
    put_code(2, 6);
    CHECK(run(VBASE + 0x1000) == VCPU_EXIT_SYSCALL);
    CHECK_EQ(toy_state(cpu)->r[1], 5);
    /* The guest stores to the code through another mapping; no flush. */
    pt[0][70] = (Pte){ .valid = true, .prot = PAGE_READ | PAGE_WRITE, .page = 1 };
    guest_store(cpu, VBASE + 70 * 4096 + 2, 9, 2, 0);
    CHECK(run(VBASE + 0x1000) == VCPU_EXIT_SYSCALL);
    CHECK_EQ(toy_state(cpu)->r[1], 9);
    /* Through an entry that was there before the code was. */
    guest_store(cpu, VBASE + 70 * 4096 + 2, 11, 2, 0);
    CHECK(run(VBASE + 0x1000) == VCPU_EXIT_SYSCALL);
    CHECK_EQ(toy_state(cpu)->r[1], 11);
    /* A device writes. */
    memory_write(&as, 0x1002, (uint8_t[]){ 13, 0 }, 2, MEM_ATTRS_NONE);
    CHECK(run(VBASE + 0x1000) == VCPU_EXIT_SYSCALL);
    CHECK_EQ(toy_state(cpu)->r[1], 13);
    /* Data on the same page costs no unit. */
    uint64_t units = atomic_load(&tcg_vcpu(cpu)->count.units);
    guest_store(cpu, VBASE + 70 * 4096 + 0x800, 11, 8, 0);
    CHECK(run(VBASE + 0x1000) == VCPU_EXIT_SYSCALL);
    CHECK_EQ(atomic_load(&tcg_vcpu(cpu)->count.units), units);
    /* The page is remapped. */
    pt[0][1].page = 2;
    tlb_flush_page(cpu, VBASE + 0x1000);
    CHECK(run(VBASE + 0x1000) == VCPU_EXIT_SYSCALL);
    CHECK_EQ(toy_state(cpu)->r[1], 6);
    pt[0][1].page = 1;
    tlb_flush(cpu);
    CHECK(run(VBASE + 0x1000) == VCPU_EXIT_SYSCALL);
    CHECK_EQ(toy_state(cpu)->r[1], 13);
    /* A function on another page, called in a loop, then mapped elsewhere. */
    for (unsigned k = 0; k < 2; k++) {
        ToyAsm f = { .base = ram, .at = (4 + k) * 4096 };
        toy4(&f, TOY_ADDI, 2, k ? 100 : 1);
        toy2(&f, TOY_JR, 15, 0);
    }
    c.at = 3 * 4096;
    toy4(&c, TOY_LI, 1, 50);
    toy4(&c, TOY_LI, 2, 0);
    uint64_t loop = toy4(&c, TOY_CALL, 0, 0x4000 - (0x3000 + 8));
    toy4(&c, TOY_ADDI, 1, -1);
    toy_to(&c, TOY_BNEZ, 1, loop);
    toy2(&c, TOY_SYS, 0, 0);
    CHECK(run(VBASE + 0x3000) == VCPU_EXIT_SYSCALL);
    CHECK_EQ(toy_state(cpu)->r[2], 50);
    pt[0][4].page = 5;
    tlb_flush_page(cpu, VBASE + 0x4000);
    CHECK(run(VBASE + 0x3000) == VCPU_EXIT_SYSCALL);
    CHECK_EQ(toy_state(cpu)->r[2], 5000);
    /* The same in another address space, without a flush. */
    memcpy(pt[1], pt[0], sizeof(pt[0]));
    pt[1][4].page = 4;
    set_space(1);
    CHECK(run(VBASE + 0x3000) == VCPU_EXIT_SYSCALL);
    CHECK_EQ(toy_state(cpu)->r[2], 50);
    set_space(0);
    CHECK(run(VBASE + 0x3000) == VCPU_EXIT_SYSCALL);
    CHECK_EQ(toy_state(cpu)->r[2], 5000);
    /* An instruction over a page edge, whose second page is remapped or goes. */
    c.at = 6 * 4096 + 4094;
    toy4(&c, TOY_LI, 1, 21);
    toy2(&c, TOY_SYS, 0, 0);
    memcpy(ram + 8 * 4096, ram + 7 * 4096, 64);
    stle16(ram + 8 * 4096, 22);
    vaddr edge = VBASE + 0x6ffe;
    CHECK(run(edge) == VCPU_EXIT_SYSCALL);
    CHECK_EQ(toy_state(cpu)->r[1], 21);
    pt[0][7].page = 8;
    tlb_flush_page(cpu, VBASE + 0x7000);
    CHECK(run(edge) == VCPU_EXIT_SYSCALL);
    CHECK_EQ(toy_state(cpu)->r[1], 22);
    pt[0][7].valid = false;
    tlb_flush_page(cpu, VBASE + 0x7000);
    CHECK(run(edge) == VCPU_EXIT_SYSCALL); /* the handler's */
    CHECK_EQ(last_exception.cause, 100 + MMU_FETCH);
    CHECK_EQ(last_exception.value, VBASE + 0x7000);
    /* A load that faults, in the middle of a unit. */
    c.at = 9 * 4096;
    toy4(&c, TOY_ADDI, 3, 1);
    toy2(&c, TOY_LD, 4, 5);
    toy4(&c, TOY_ADDI, 3, 1);
    toy2(&c, TOY_SYS, 0, 0);
    toy_state(cpu)->r[3] = 0;
    toy_state(cpu)->r[5] = VBASE + 0x7004;
    CHECK(run(VBASE + 0x9000) == VCPU_EXIT_SYSCALL);
    CHECK_EQ(last_exception.cause, 100 + MMU_READ);
    CHECK_EQ(last_exception.value, VBASE + 0x7004);
    CHECK_EQ(toy_state(cpu)->r[3], 1);
    /* A device, and an atomic. */
    pt[0][80] = (Pte){ .valid = true, .prot = rwx, .page = RAM_PAGES };
    stle64(device + 8, 0x1122334455667788);
    toy_state(cpu)->r[5] = VBASE + 80 * 4096 + 8;
    CHECK(run(VBASE + 0x9000) == VCPU_EXIT_SYSCALL);
    CHECK_EQ(toy_state(cpu)->r[4], 0x1122334455667788);
    c.at = 10 * 4096;
    toy2(&c, TOY_AMOADD, 4, 5);
    toy2(&c, TOY_SYS, 0, 0);
    toy_state(cpu)->r[4] = 5;
    toy_state(cpu)->r[5] = VBASE + 0x800;
    stle64(ram + 0x800, 37);
    CHECK(run(VBASE + 0xa000) == VCPU_EXIT_SYSCALL);
    CHECK_EQ(toy_state(cpu)->r[4], 37);
    CHECK_EQ(ldle64(ram + 0x800), 42);
    toy_state(cpu)->r[5] = VBASE + 80 * 4096 + 8;
    CHECK(run(VBASE + 0xa000) == VCPU_EXIT_SYSCALL);
    CHECK_EQ(last_exception.cause, 200 + MMU_WRITE);
    /* Code cannot be fetched from a device. */
    CHECK(run(VBASE + 80 * 4096) == VCPU_EXIT_SYSCALL);
    CHECK_EQ(last_exception.cause, 200 + MMU_FETCH);
}

/* A store of another vCPU whose check was done before its page was watched: memory changes without notice. */
static void test_missed_store(void)
{
    Vcpu *other = vcpu_new(&target, true);
    other->as = &as;
    tcg_flush_all();
    ram_mark_dirty(ram_mr.ram, 0x1000, 4096); /* no unit is left there: watched anew */
    memory_write(&as, 0x1002, (uint8_t[]){ 30, 0 }, 2, MEM_ATTRS_NONE);
    CHECK(run(VBASE + 0x1000) == VCPU_EXIT_SYSCALL);
    CHECK_EQ(toy_state(cpu)->r[1], 30);
    /* The other one is still where it was: it may store now, and again. */
    atomic_store(&tcg_vcpu(other)->epoch, 1);
    for (int value = 31; value < 33; value++) {
        stle16(ram + 0x1002, value);
        tcg_icache_sync(cpu);
        CHECK(run(VBASE + 0x1000) == VCPU_EXIT_SYSCALL);
        CHECK_EQ(toy_state(cpu)->r[1], (unsigned)value);
    }
    /* It leaves. What it stored before that counts, and from then on its stores are noticed. */
    stle16(ram + 0x1002, 33);
    atomic_store(&tcg_vcpu(other)->epoch, 0);
    tcg_icache_sync(cpu);
    CHECK(run(VBASE + 0x1000) == VCPU_EXIT_SYSCALL);
    CHECK_EQ(toy_state(cpu)->r[1], 33);
    CHECK(!atomic_load(&page_find(0x1000 >> 12)->fresh));
    vcpu_free(other);
}

int main(int argc, char **argv)
{
    Error *err = NULL;
    const char *host = argc > 1 ? argv[1] : "interp";
    TcgOptions options = { .verify = true, .interpreter = !strcmp(host, "interp"), .cache_bytes = 16 * MiB };
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
    memory_region_init_mmio(&dev_mr, NULL, &dev_ops, NULL, "device", 4096);
    memory_region_add(&root_mr, 0, &ram_mr);
    memory_region_add(&root_mr, MMIO_AT, &dev_mr);
    memory_commit();
    address_space_init(&as, &root_mr, "test");
    bql_unlock();
    tlb_log_code(ram_mr.ram);
    memory_set_code_hook(ldst_code_written);
    ram = memory_region_host(&ram_mr);
    for (unsigned i = 0; i < RAM_PAGES * 4096; i++) {
        ram[i] = rnd(256);
    }
    target = toy_target;
    target.tlb_fill = fill;
    target.mmu_index = mmu_index;
    target.bus_error = bus_error;
    target.interrupt_pending = no_interrupt;
    target.exception_enter = exception_enter;
    cpu = vcpu_new(&target, true);
    cpu->as = &as;
    set_space(0);
    test_random();
    test_asid_kept();
    test_large();
    test_code();
    test_missed_store();
    if (getenv("SHOW")) {
        tcg_counters_print(stderr);
    }
    vcpu_free(cpu);
    return test_result();
}
