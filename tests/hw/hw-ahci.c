/*
 * hw-ahci.c: the AHCI controller through its registers: port start, IDENTIFY, PIO and DMA, NCQ with errors, ATAPI, and what a
 * wrong command list does.
 */
#include "tests/hw/storage.h"

#define ABAR PCI_WINDOW
#define LIST (RAM + 0x1000)
#define FIS (RAM + 0x2000)
#define TABLE (RAM + 0x3000)
#define DATA (RAM + 0x10000)
enum { PORT0 = 0x100, PORT1 = 0x180, PX_CLB = 0, PX_FB = 8, PX_IS = 0x10, PX_IE = 0x14, PX_CMD = 0x18, PX_TFD = 0x20, PX_SIG = 0x24,
       PX_SSTS = 0x28, PX_SCTL = 0x2c, PX_SACT = 0x34, PX_CI = 0x38 };

static Device *ahci;

static uint32_t port_ld(unsigned port, unsigned reg) { return (uint32_t)ld(ABAR + port + reg, 4); }
static void port_st(unsigned port, unsigned reg, uint32_t value) { st(ABAR + port + reg, 4, value); }

static void port_start(unsigned port)
{
    port_st(port, PX_CLB, (uint32_t)LIST);
    port_st(port, PX_FB, (uint32_t)FIS);
    port_st(port, PX_IS, UINT32_MAX);
    port_st(port, PX_IE, 0x7dc000ff);
    port_st(port, PX_CMD, 0x10);
    port_st(port, PX_CMD, 0x11);
}

static void port_restart(unsigned port)
{
    port_st(port, PX_CMD, 0x10);
    port_start(port);
}

/* Slot n: a register FIS and one descriptor. */
static void slot(unsigned n, uint8_t command, uint64_t lba, unsigned count, unsigned bytes, unsigned flags, bool queued)
{
    gpa table = TABLE + n * 0x100;
    uint8_t fis[20] = { 0x27, 0x80, command };

    for (unsigned i = 0; i < 3; i++) {
        fis[4 + i] = (uint8_t)(lba >> i * 8);
        fis[8 + i] = (uint8_t)(lba >> (24 + i * 8));
    }
    fis[7] = 0x40;
    fis[queued ? 3 : 12] = (uint8_t)count;
    fis[queued ? 11 : 13] = (uint8_t)(count >> 8);
    if (queued) {
        fis[12] = (uint8_t)(n << 3);
    }
    put_bytes(table, fis, sizeof(fis));
    st(table + 0x80, 8, DATA + n * 0x10000);
    st(table + 0x88, 4, 0);
    st(table + 0x8c, 4, bytes ? bytes - 1 : 0);
    st(LIST + n * 32, 4, 5 | flags | (bytes ? 1 : 0) << 16);
    st(LIST + n * 32 + 4, 4, 0);
    st(LIST + n * 32 + 8, 8, table);
}

static void go(unsigned port, unsigned n)
{
    port_st(port, PX_CI, 1u << n);
    WAIT(!(port_ld(port, PX_CI) >> n & 1) || port_ld(port, PX_IS) & 1u << 30);
}

static void test_start(void)
{
    st(ABAR + 4, 4, 1); /* HBA reset */
    CHECK_EQ(ld(ABAR + 4, 4), 0x80000000);
    st(ABAR + 4, 4, 0x80000002);
    CHECK_EQ(ld(ABAR, 4) & 31, 5);
    CHECK_EQ(ld(ABAR + 0xc, 4), 0x3f);
    CHECK_EQ(port_ld(PORT0, PX_SSTS), 0x113);
    CHECK_EQ(port_ld(PORT0 + 0x100, PX_SSTS), 0);
    port_start(PORT0);
    CHECK_EQ(port_ld(PORT0, PX_SIG), 0x00000101);
    CHECK_EQ(port_ld(PORT0, PX_TFD) & 0x89, 0);
    CHECK_EQ(ld(FIS + 0x40, 1), 0x34);
    /* COMRESET */
    port_st(PORT0, PX_CMD, 0x10);
    port_st(PORT0, PX_SCTL, 1);
    CHECK_EQ(port_ld(PORT0, PX_SSTS), 0);
    port_st(PORT0, PX_SCTL, 0);
    CHECK_EQ(port_ld(PORT0, PX_SSTS), 0x113);
    port_start(PORT0);
}

static void test_identify(void)
{
    slot(0, 0xec, 0, 0, 512, 0, false);
    go(PORT0, 0);
    CHECK_EQ(port_ld(PORT0, PX_IS) & 2, 2);      /* PIO Setup FIS */
    CHECK_EQ(ld(FIS + 0x20, 1), 0x5f);
    CHECK_EQ(ld(DATA + 200, 8), 8192);           /* sectors */
    CHECK_EQ(ld(DATA + 152, 2) & 0x100, 0x100);  /* NCQ */
    CHECK_EQ(ld(LIST + 4, 4), 512);              /* bytes moved */
    CHECK_EQ(ld(DATA + 20, 1), 'M');             /* QM00001, the bytes of words swapped */
    CHECK_EQ(ld(DATA + 21, 1), 'Q');
    CHECK(ld(ABAR + 8, 4) & 1);
    port_st(PORT0, PX_IS, UINT32_MAX);
    CHECK_EQ(ld(ABAR + 8, 4), 0);
}

static void test_transfers(const char *path)
{
    slot(1, 0x25, 100, 8, 4096, 0, false);       /* READ DMA EXT */
    go(PORT0, 1);
    CHECK_EQ(ld(DATA + 0x10000 + 512 * 3 + 40, 4), storage_word(103, 10));
    CHECK_EQ(ld(LIST + 32 + 4, 4), 4096);
    st(DATA + 0x10000, 4, 0xfeedface);
    slot(1, 0x35, 200, 1, 512, 1 << 6, false);   /* WRITE DMA EXT */
    go(PORT0, 1);
    CHECK_EQ(storage_file_word(path, 200, 0), 0xfeedface);
    slot(2, 0x24, 8190, 2, 1024, 0, false);      /* READ SECTORS EXT: PIO up to the last sector */
    go(PORT0, 2);
    CHECK_EQ(ld(DATA + 0x20000 + 512, 4), storage_word(8191, 0));
    slot(3, 0x34, 300, 40, 40 * 512, 1 << 6, false); /* WRITE SECTORS EXT: more than one buffer */
    for (unsigned i = 0; i < 40; i++) {
        st(DATA + 0x30000 + i * 512, 4, 0x1000 + i);
    }
    go(PORT0, 3);
    CHECK_EQ(storage_file_word(path, 339, 0), 0x1000 + 39);
    slot(4, 0xea, 0, 0, 0, 0, false);            /* FLUSH CACHE EXT */
    go(PORT0, 4);
    CHECK_EQ(port_ld(PORT0, PX_TFD) & 1, 0);
    /* TRIM of sectors 400 to 407 */
    st(DATA + 0x50000, 8, 400 | UINT64_C(8) << 48);
    for (unsigned i = 1; i < 64; i++) {
        st(DATA + 0x50000 + i * 8, 8, 0);
    }
    slot(5, 0x06, 0, 1, 512, 1 << 6, false);
    st(TABLE + 0x500 + 3, 1, 1);
    go(PORT0, 5);
    CHECK_EQ(port_ld(PORT0, PX_TFD) & 1, 0);
}

static void test_errors(void)
{
    port_restart(PORT0);
    slot(0, 0x25, 8190, 8, 4096, 0, false);      /* past the end */
    go(PORT0, 0);
    CHECK(port_ld(PORT0, PX_IS) & 1u << 30);     /* task file error */
    CHECK_EQ(port_ld(PORT0, PX_TFD) & 0x1101, 0x1001); /* ERR, IDNF */
    CHECK_EQ(port_ld(PORT0, PX_CI), 1);          /* the failing command stays */
    port_restart(PORT0);
    CHECK_EQ(port_ld(PORT0, PX_CI), 0);
    slot(0, 0x25, 0, 8, 1024, 0, false);         /* a list too short */
    go(PORT0, 0);
    CHECK(port_ld(PORT0, PX_IS) & 1u << 24);     /* overflow */
    port_restart(PORT0);
    slot(0, 0x25, 0, 8, 4096, 0, false);         /* data to nowhere */
    st(TABLE + 0x80, 8, UINT64_C(0xffffffff00000000));
    go(PORT0, 0);
    CHECK(port_ld(PORT0, PX_IS) & 1u << 28);     /* host bus data error */
    port_restart(PORT0);
    slot(0, 0xf1, 0, 0, 0, 0, false);            /* security: refused */
    go(PORT0, 0);
    CHECK_EQ(port_ld(PORT0, PX_TFD) >> 8 & 4, 4);
    port_restart(PORT0);
    port_st(PORT0, PX_CLB, 0xfffffc00);          /* a command list nowhere */
    port_st(PORT0, PX_CI, 1);
    CHECK(port_ld(PORT0, PX_IS) & 1u << 29);
    port_restart(PORT0);
}

static void queued(uint32_t slots)
{
    port_st(PORT0, PX_SACT, slots);
    port_st(PORT0, PX_CI, slots);
    WAIT(!port_ld(PORT0, PX_SACT) || port_ld(PORT0, PX_IS) & 1u << 30);
}

static void test_ncq(const char *path)
{
    for (unsigned i = 0; i < 8; i++) {
        slot(i, 0x60, 1000 + i * 16, 16, 8192, 0, true);
    }
    queued(0xff);
    for (unsigned i = 0; i < 8; i++) {
        CHECK_EQ(ld(DATA + i * 0x10000 + 512 * 15, 4), storage_word(1000 + i * 16 + 15, 0));
    }
    CHECK(port_ld(PORT0, PX_IS) & 8);            /* Set Device Bits FIS */
    CHECK_EQ(ld(FIS + 0x58, 1), 0xa1);
    st(DATA, 4, 0xabcd1234);
    slot(0, 0x61, 2000, 1, 512, 1 << 6, true);
    queued(1);
    CHECK_EQ(storage_file_word(path, 2000, 0), 0xabcd1234);
    /* One that fails: its tag is in the log, its bit stays. */
    slot(3, 0x60, 9000, 8, 4096, 0, true);
    queued(8);
    CHECK_EQ(port_ld(PORT0, PX_SACT), 8);
    CHECK_EQ(port_ld(PORT0, PX_TFD) & 1, 1);
    port_restart(PORT0);
    CHECK_EQ(port_ld(PORT0, PX_SACT), 0);
    slot(0, 0x2f, 0x10, 1, 512, 0, false);       /* READ LOG EXT, page 10h */
    go(PORT0, 0);
    CHECK_EQ(ld(DATA, 1), 3);
    CHECK_EQ(ld(DATA + 3, 1), 0x10);
    CHECK_EQ(ld(DATA + 4, 2), 9000);
    port_restart(PORT0);
}

static void packet(unsigned bytes, unsigned flags, const uint8_t *cdb)
{
    slot(0, 0xa0, 0, 0, bytes, flags | 1 << 5, false);
    st(TABLE + 3, 1, flags & 0x10000 ? 0 : 1);   /* DMA */
    st(TABLE + 5, 2, 0xfffe);
    put_bytes(TABLE + 0x40, cdb, 12);
    port_st(PORT1, PX_CI, 1);
    WAIT(!(port_ld(PORT1, PX_CI) & 1) || port_ld(PORT1, PX_IS) & 1u << 30);
}

static void test_atapi(void)
{
    static const uint8_t inquiry[12] = { 0x12, 0, 0, 0, 36 }, read[12] = { 0x28, 0, 0, 0, 0, 100, 0, 0, 40 },
                         toc[12] = { 0x43, 0, 0, 0, 0, 0, 0, 0, 20 }, eject[12] = { 0x1b, 0, 0, 0, 2 }, tur[12] = { 0 };

    port_start(PORT1);
    CHECK_EQ(port_ld(PORT1, PX_SIG), 0xeb140101);
    packet(36, 0, inquiry);                      /* a unit attention does not stop INQUIRY */
    CHECK_EQ(ld(DATA, 1), 5);
    CHECK_EQ(ld(DATA + 1, 1), 0x80);
    packet(36, 0, tur);
    CHECK(port_ld(PORT1, PX_TFD) & 1);           /* power on */
    CHECK_EQ(port_ld(PORT1, PX_TFD) >> 12, 6);
    port_restart(PORT1);
    packet(40 * 2048, 0, read);                  /* DMA: more than one part */
    CHECK_EQ(ld(DATA, 4), storage_word(400, 0));
    CHECK_EQ(ld(DATA + 39 * 2048, 4), storage_word(139 * 4, 0));
    packet(40 * 2048, 0x10000, read);            /* the same by PIO */
    CHECK_EQ(ld(DATA + 39 * 2048 + 512, 4), storage_word(139 * 4 + 1, 0));
    packet(20, 0, toc);
    CHECK_EQ(ld(DATA + 1, 1), 18);
    CHECK_EQ(ld(DATA + 14, 1), 0xaa);
    CHECK_EQ(ld(DATA + 18, 1) << 8 | ld(DATA + 19, 1), 1024);  /* lead-out */
    packet(8, 0, eject);
    packet(8, 0, tur);
    CHECK(port_ld(PORT1, PX_TFD) & 1);
    CHECK_EQ(port_ld(PORT1, PX_TFD) >> 12, 2);   /* not ready: the tray is open */
    port_restart(PORT1);
}

int main(void)
{
    static const char *const controller[] = { "id", "sata", NULL };
    static const char *const disk[] = { "drive", "d0", "bus", "sata.0", "serial", "QM00001", NULL };
    static const char *const cd[] = { "drive", "d1", "bus", "sata.1", "id", "cd", NULL };

    storage_start();
    const char *path = storage_image("d0", 4 << 20, NULL);
    storage_image("d1", 2 << 20, "if=none,media=cdrom");
    ahci = storage_add("ich9-ahci", controller);
    storage_add("ide-hd", disk);
    Device *cdrom = storage_add("ide-cd", cd);
    CHECK_EQ(config_ld(ahci, 0, 4), 0x29228086);
    storage_ready();
    storage_map_bar(ahci, 5, ABAR);
    test_start();
    test_identify();
    test_transfers(path);
    test_errors();
    test_ncq(path);
    test_atapi();
    storage_check_state(ahci);
    storage_check_state(cdrom);
    storage_finish();
    return test_result();
}
