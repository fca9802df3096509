/*
 * hw-nvme.c: the NVMe controller through its registers and queues: enabling, identify, features, queue pairs, reads and writes
 * with PRP lists, compare, zeroes, deallocation, errors, events, full completion queues.
 */
#include "tests/hw/storage.h"

#define BAR PCI_WINDOW
#define ASQ (RAM + 0x1000)
#define ACQ (RAM + 0x2000)
#define SQ (RAM + 0x3000)
#define CQ (RAM + 0x4000)
#define LISTS (RAM + 0x5000)
#define DATA (RAM + 0x100000)
enum { CC = 0x14, CSTS = 0x1c, AQA = 0x24, ASQ_REG = 0x28, ACQ_REG = 0x30, BELLS = 0x1000, ENTRIES = 8 };

typedef struct Queue {
    gpa sq, cq;
    unsigned id, tail, head, phase;
    uint16_t cid;
} Queue;

static Device *nvme;
static Queue admin, io;

static uint32_t result;

static void submit(Queue *q, uint8_t opcode, uint32_t nsid, gpa prp1, gpa prp2, const uint32_t *dw10, unsigned n)
{
    gpa at = q->sq + q->tail * 64;

    for (unsigned i = 0; i < 64; i += 8) {
        st(at + i, 8, 0);
    }
    st(at, 4, opcode | (uint32_t)++q->cid << 16);
    st(at + 4, 4, nsid);
    st(at + 24, 8, prp1);
    st(at + 32, 8, prp2);
    for (unsigned i = 0; i < n; i++) {
        st(at + 40 + i * 4, 4, dw10[i]);
    }
    q->tail = (q->tail + 1) % ENTRIES;
}

static void ring(Queue *q)
{
    st(BAR + BELLS + q->id * 8, 4, q->tail);
}

/* The next completion's status. */
static unsigned reap(Queue *q)
{
    gpa at = q->cq + q->head * 16;

    WAIT((ld(at + 14, 2) & 1) == q->phase);
    unsigned status = (unsigned)ld(at + 14, 2) >> 1;
    result = (uint32_t)ld(at, 4);
    q->head++;
    if (q->head == ENTRIES) {
        q->head = 0;
        q->phase ^= 1;
    }
    st(BAR + BELLS + q->id * 8 + 4, 4, q->head);
    return status & 0x7ff;
}

static unsigned command(Queue *q, uint8_t opcode, uint32_t nsid, gpa prp1, gpa prp2, uint32_t dw10, uint32_t dw11, uint32_t dw12)
{
    uint32_t dws[] = { dw10, dw11, dw12 };

    submit(q, opcode, nsid, prp1, prp2, dws, 3);
    ring(q);
    return reap(q);
}

static void enable(void)
{
    st(BAR + CC, 4, 0);
    CHECK_EQ(ld(BAR + CSTS, 4), 0);
    for (gpa at = ACQ; at < ACQ + ENTRIES * 16; at += 8) {
        st(at, 8, 0);
    }
    st(BAR + AQA, 4, (ENTRIES - 1) << 16 | (ENTRIES - 1));
    st(BAR + ASQ_REG, 8, ASQ);
    st(BAR + ACQ_REG, 8, ACQ);
    st(BAR + CC, 4, 1 | 6 << 16 | 4 << 20);
    CHECK_EQ(ld(BAR + CSTS, 4), 1);
    admin = (Queue){ .sq = ASQ, .cq = ACQ, .phase = 1 };
}

static void make_queues(void)
{
    for (gpa at = CQ; at < CQ + ENTRIES * 16; at += 8) {
        st(at, 8, 0);
    }
    CHECK_EQ(command(&admin, 5, 0, CQ, 0, 1 | (ENTRIES - 1) << 16, 3, 0), 0);
    CHECK_EQ(command(&admin, 1, 0, SQ, 0, 1 | (ENTRIES - 1) << 16, 1 | 1 << 16, 0), 0);
    io = (Queue){ .sq = SQ, .cq = CQ, .id = 1, .phase = 1 };
}

static void test_admin(void)
{
    char serial[21] = { 0 };

    CHECK_EQ(command(&admin, 6, 0, DATA, 0, 1, 0, 0), 0);
    get_bytes(DATA + 4, serial, 20);
    CHECK(!memcmp(serial, "serial-7            ", 20));
    CHECK_EQ(ld(DATA + 77, 1), 7);
    CHECK_EQ(ld(DATA + 516, 4), 256);
    CHECK_EQ(command(&admin, 6, 1, DATA, 0, 0, 0, 0), 0);
    CHECK_EQ(ld(DATA, 8), 16384);
    CHECK_EQ(ld(DATA + 130, 1), 9);
    CHECK_EQ(command(&admin, 6, 2, DATA, 0, 0, 0, 0), 0);
    CHECK_EQ(ld(DATA, 8), 1024);                  /* 4 KiB blocks */
    CHECK_EQ(ld(DATA + 130, 1), 12);
    CHECK_EQ(command(&admin, 6, 0, DATA, 0, 2, 0, 0), 0);
    CHECK_EQ(ld(DATA, 8), 1 | UINT64_C(2) << 32);
    CHECK_EQ(ld(DATA + 8, 4), 0);
    CHECK_EQ(command(&admin, 6, 1, DATA, 0, 3, 0, 0), 0);
    CHECK_EQ(ld(DATA, 2), 3 | 16 << 8);           /* UUID */
    CHECK_EQ(command(&admin, 9, 0, 0, 0, 7, 3 | 3 << 16, 0), 0);
    CHECK_EQ(result, 63 | 63 << 16);
    CHECK_EQ(command(&admin, 2, UINT32_MAX, DATA, 0, 2 | 127 << 16, 0, 0), 0);
    CHECK_EQ(ld(DATA + 3, 1), 100);
    CHECK_EQ(command(&admin, 0x55, 0, 0, 0, 0, 0, 0), 1);     /* no such command */
    CHECK_EQ(command(&admin, 2, 0, DATA, 0, 0x7f, 0, 0), 0x109);
    CHECK_EQ(command(&admin, 6, 0, DATA + 1, 0, 1, 0, 0), 0x13);
    CHECK_EQ(command(&admin, 6, 0, UINT64_C(0xffffffff00000000), 0, 1, 0, 0), 4);
    CHECK_EQ(command(&admin, 1, 0, SQ, 0, 1 | 7 << 16, 1 | 9 << 16, 0), 0x100);    /* no completion queue 9 */
    CHECK_EQ(command(&admin, 5, 0, CQ, 0, 1 | 7 << 16, 3 | 100 << 16, 0), 0x108);  /* no vector 100 */
    CHECK_EQ(command(&admin, 5, 0, CQ, 0, 1, 3, 0), 0x102);                         /* one entry */
    CHECK_EQ(command(&admin, 4, 0, 0, 0, 3, 0, 0), 0x101);
}

static unsigned rw(uint8_t opcode, uint32_t nsid, uint64_t lba, unsigned blocks, gpa prp1, gpa prp2)
{
    return command(&io, opcode, nsid, prp1, prp2, (uint32_t)lba, (uint32_t)(lba >> 32), blocks - 1);
}

static void test_io(const char *path)
{
    CHECK_EQ(rw(2, 1, 100, 8, DATA, 0), 0);
    CHECK_EQ(ld(DATA + 512, 4), storage_word(101, 0));
    /* Two pages, the first from its middle. */
    CHECK_EQ(rw(2, 1, 200, 8, DATA + 0x800, DATA + 0x1000), 0);
    CHECK_EQ(ld(DATA + 0x800, 4), storage_word(200, 0));
    CHECK_EQ(ld(DATA + 0x1000, 4), storage_word(204, 0));
    /* 64 KiB through a list that begins at the end of a page and goes on in another. */
    st(LISTS + 0xff0, 8, DATA + 0x20000);
    st(LISTS + 0xff8, 8, LISTS + 0x1000);
    for (unsigned i = 0; i < 14; i++) {
        st(LISTS + 0x1000 + i * 8, 8, DATA + 0x30000 + i * 0x2000);
    }
    CHECK_EQ(rw(2, 1, 300, 128, DATA + 0x10000, LISTS + 0xff0), 0);
    CHECK_EQ(ld(DATA + 0x20000, 4), storage_word(308, 0));
    CHECK_EQ(ld(DATA + 0x30000 + 13 * 0x2000 + 0xe00, 4), storage_word(427, 0));
    st(DATA, 4, 0xc0ffee);
    CHECK_EQ(rw(1, 1, 500, 1, DATA, 0), 0);
    CHECK_EQ(storage_file_word(path, 500, 0), 0xc0ffee);
    CHECK_EQ(rw(5, 1, 500, 1, DATA, 0), 0);       /* compare */
    st(DATA + 8, 4, 7);
    CHECK_EQ(rw(5, 1, 500, 1, DATA, 0), 0x285);
    CHECK_EQ(rw(8, 1, 501, 2, 0, 0), 0);          /* write zeroes */
    CHECK_EQ(storage_file_word(path, 502, 5), 0);
    CHECK_EQ(storage_file_word(path, 503, 5), storage_word(503, 5));
    CHECK_EQ(command(&io, 0, 1, 0, 0, 0, 0, 0), 0);
    CHECK_EQ(command(&io, 0, UINT32_MAX, 0, 0, 0, 0, 0), 0);
    st(DATA, 4, 0);
    st(DATA + 4, 4, 8);
    st(DATA + 8, 8, 600);
    CHECK_EQ(command(&io, 9, 1, DATA, 0, 0, 4, 0), 0);
    st(DATA + 8, 8, 16380);
    CHECK_EQ(command(&io, 9, 1, DATA, 0, 0, 4, 0), 0x80);
    CHECK_EQ(rw(2, 2, 10, 1, DATA, 0), 0);        /* 4 KiB blocks: sector 80 of the file */
    CHECK_EQ(ld(DATA + 512, 4), storage_word(81, 0));
}

static void test_errors(void)
{
    CHECK_EQ(rw(2, 1, 16380, 8, DATA, 0), 0x80);
    CHECK_EQ(rw(2, 1, UINT64_MAX, 1, DATA, 0), 0x80);
    CHECK_EQ(rw(2, 1, 0, 2048, DATA, LISTS), 2);  /* more than MDTS */
    CHECK_EQ(rw(2, 0, 0, 1, DATA, 0), 0xb);
    CHECK_EQ(rw(2, 77, 0, 1, DATA, 0), 2);
    CHECK_EQ(rw(0x33, 1, 0, 1, DATA, 0), 1);
    CHECK_EQ(rw(2, 1, 0, 8, UINT64_C(0xffffffff00000000), 0), 4);
    CHECK_EQ(rw(2, 1, 0, 64, DATA, UINT64_C(0xffffffff00000000)), 4); /* the list is nowhere */
    st(LISTS, 8, DATA + 1);
    st(LISTS + 8, 8, DATA);
    CHECK_EQ(rw(2, 1, 0, 24, DATA, LISTS), 0x13);
    CHECK_EQ(command(&admin, 4, 0, 0, 0, 1, 0, 0), 0x10c);            /* its submission queue is there */
}

/* More commands than the completion queue holds: nothing is lost. */
static void test_full(void)
{
    uint32_t dws[3] = { 0, 0, 0 };

    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < ENTRIES - 1; i++) {
            dws[0] = round * 10 + i;
            submit(&io, 2, 1, DATA + i * 0x1000, 0, dws, 3);
        }
        ring(&io);
        if (round < 2) { /* wait until the device has taken them, without taking completions */
            continue;
        }
    }
    for (unsigned i = 0; i < 3 * (ENTRIES - 1); i++) {
        CHECK_EQ(reap(&io), 0);
    }
    loop_run_once(loop_main(), false);
    CHECK_EQ(ld(io.cq + io.head * 16 + 14, 2) & 1, io.phase ^ 1);
}

static void test_events(void)
{
    uint32_t none[1] = { 0 };

    submit(&admin, 0xc, 0, 0, 0, none, 1);
    ring(&admin);
    st(BAR + BELLS + 8, 4, 5000);                 /* queue 1 has no entry 5000 */
    CHECK_EQ(reap(&admin), 0);
    CHECK_EQ(result, 0x10100);                    /* error, invalid value, log page 1 */
    submit(&admin, 0xc, 0, 0, 0, none, 1);
    ring(&admin);
    CHECK_EQ(command(&admin, 8, 0, 0, 0, (uint32_t)admin.cid << 16, 0, 0), 7);   /* abort: the event request ends first */
    CHECK_EQ(reap(&admin), 0);
    CHECK_EQ(result, 0);
}

static void test_life(void)
{
    CHECK_EQ(command(&admin, 0, 0, 0, 0, 1, 0, 0), 0);
    CHECK_EQ(command(&admin, 4, 0, 0, 0, 1, 0, 0), 0);
    make_queues();
    /* Reset while commands are under way. */
    uint32_t dws[3] = { 0, 0, 7 };
    for (unsigned i = 0; i < ENTRIES - 1; i++) {
        submit(&io, 2, 1, DATA + i * 0x1000, 0, dws, 3);
    }
    ring(&io);
    enable();
    make_queues();
    CHECK_EQ(rw(2, 1, 7, 1, DATA, 0), 0);
    CHECK_EQ(ld(DATA, 4), storage_word(7, 0));
    /* Shutdown */
    st(BAR + CC, 4, 1 | 6 << 16 | 4 << 20 | 1 << 14);
    WAIT((ld(BAR + CSTS, 4) & 12) == 8);
    /* What cannot be enabled says so. */
    st(BAR + CC, 4, 0);
    st(BAR + CC, 4, 1 | 5 << 16 | 4 << 20);
    CHECK_EQ(ld(BAR + CSTS, 4), 2);
    enable();
}

/* The completion queue, and MSI-X messages, are aimed at the controller's own registers. */
static void test_self(void)
{
    CHECK_EQ(command(&admin, 5, 0, BAR, 0, 2 | (ENTRIES - 1) << 16, 3, 0), 0);
    CHECK_EQ(command(&admin, 1, 0, SQ + 0x800 - 0x800, 0, 2 | (ENTRIES - 1) << 16, 1 | 2 << 16, 0), 0);
    Queue self = { .sq = SQ, .cq = BAR, .id = 2, .phase = 1 };
    uint32_t dws[3] = { 0, 0, 0 };
    submit(&self, 2, 1, DATA, 0, dws, 3);
    ring(&self);
    block_drain_all();
    CHECK_EQ(ld(BAR + CSTS, 4) & 1, 1);
    enable();
    /* Vector 0: "disable the controller". */
    unsigned cap = config_ld(nvme, 0x34, 1);
    while (config_ld(nvme, cap, 1) != 0x11) {
        cap = config_ld(nvme, cap + 1, 1);
    }
    gpa table = BAR + (config_ld(nvme, cap + 4, 4) & ~7u);
    st(table, 8, BAR + CC);
    st(table + 8, 4, 0);
    st(table + 12, 4, 0);
    config_st(nvme, cap + 2, 2, 0x8000);
    CHECK_EQ(command(&admin, 6, 0, DATA, 0, 1, 0, 0), 0);
    CHECK_EQ(ld(BAR + CSTS, 4), 1);
    config_st(nvme, cap + 2, 2, 0);
}

int main(void)
{
    static const char *const opts[] = { "id", "nvme0", "serial", "serial-7", "drive", "d0", NULL };
    static const char *const ns[] = { "drive", "d1", "bus", "nvme0", "logical_block_size", "4096", "physical_block_size", "4096", NULL };

    storage_start();
    const char *path = storage_image("d0", 8 << 20, NULL);
    storage_image("d1", 4 << 20, NULL);
    nvme = storage_add("nvme", opts);
    storage_add("nvme-ns", ns);
    CHECK_EQ(config_ld(nvme, 0, 4), 0x00101b36);
    storage_ready();
    storage_map_bar(nvme, 0, BAR);
    enable();
    test_admin();
    make_queues();
    test_io(path);
    test_errors();
    test_full();
    test_events();
    test_life();
    test_self();
    storage_check_state(nvme);
    storage_finish();
    return test_result();
}
