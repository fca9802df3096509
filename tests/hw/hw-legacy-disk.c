/*
 * hw-legacy-disk.c: the PIIX's IDE channels and the floppy disk controller through their ports: on an ISA bus with lines and a DMA
 * controller of the test's own.
 *
 * IDE: identify, PIO, READ/WRITE MULTIPLE, CHS and LBA48, bus master DMA with its error cases, ATAPI, resets. Floppy: reset, seek,
 * read, write, format, verify, by DMA and PIO, change line, write protection, missing media.
 */
#include "hw/fdc.h"
#include "hw/ide.h"
#include "hw/isa.h"
#include "tests/hw/storage.h"

#define DATA (RAM + 0x100000)
#define PRDT (RAM + 0x1000)
enum { CMD = 0x1f0, CTRL = 0x3f6, CMD2 = 0x170, BM = 0xc000, FDC = 0x3f0 };

static MemoryRegion io_root;
static AddressSpace io;
static int lines[ISA_N_IRQS];

static uint32_t in(uint16_t port, unsigned size)
{
    uint64_t value = 0;

    CHECK_EQ(memory_load(&io, port, size, MEM_LITTLE_ENDIAN, &value, MEM_ATTRS_NONE), MEM_OK);
    return (uint32_t)value;
}

static void out(uint16_t port, unsigned size, uint32_t value)
{
    CHECK_EQ(memory_store(&io, port, size, MEM_LITTLE_ENDIAN, value, MEM_ATTRS_NONE), MEM_OK);
}

/* -- the DMA controller: one channel, memory at `dma_at` ------------------------------------------------------------------------ */

static IsaDmaTransfer *dma_fn;
static void *dma_opaque;
static bool dreq;
static uint32_t dma_len, dma_pos;
static bool dma_masked = true;

static void dma_run(void)
{
    if (dreq && !dma_masked && dma_fn && dma_pos < dma_len) {
        dma_pos = dma_fn(dma_opaque, 2, dma_pos, dma_len);
    }
}

static void dma_set(void *controller, unsigned channel, IsaDmaTransfer *transfer, void *opaque)
{
    CHECK_EQ(channel, 2);
    dma_fn = transfer;
    dma_opaque = opaque;
}

static void dma_hold(void *controller, unsigned channel)
{
    dreq = true;
    dma_run();
}

static void dma_release(void *controller, unsigned channel)
{
    dreq = false;
}

static void dma_read_mem(void *controller, unsigned channel, void *buf, uint32_t pos, uint32_t len)
{
    get_bytes(DATA + pos, buf, len);
}

static void dma_write_mem(void *controller, unsigned channel, const void *buf, uint32_t pos, uint32_t len)
{
    put_bytes(DATA + pos, buf, len);
}

static const IsaDmaOps dma_ops = { dma_set, dma_hold, dma_release, dma_read_mem, dma_write_mem, NULL };

static void dma_program(uint32_t len)
{
    dma_pos = 0;
    dma_len = len;
    dma_masked = len == 0;
}

static void line(void *opaque, int n, int level)
{
    lines[n] = level;
}

/* -- IDE ----------------------------------------------------------------------------------------------------------------------------- */

static void task(uint16_t base, unsigned unit, uint64_t lba, unsigned count, bool ext)
{
    out((uint16_t)(base + 6), 1, 0xe0 | unit << 4 | (ext ? 0 : (uint32_t)(lba >> 24 & 15)));
    if (ext) {
        out((uint16_t)(base + 2), 1, count >> 8);
        for (unsigned i = 0; i < 3; i++) {
            out((uint16_t)(base + 3 + i), 1, (uint8_t)(lba >> (24 + i * 8)));
        }
    }
    out((uint16_t)(base + 2), 1, count & 0xff);
    for (unsigned i = 0; i < 3; i++) {
        out((uint16_t)(base + 3 + i), 1, (uint8_t)(lba >> i * 8));
    }
}

static void command(uint16_t base, uint8_t c)
{
    out((uint16_t)(base + 7), 1, c);
    WAIT(!(in((uint16_t)(base + 0x206), 1) & 0x80));
}

static uint8_t status(uint16_t base) { return (uint8_t)in((uint16_t)(base + 7), 1); }

static void read_words(uint16_t base, uint16_t *to, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        to[i] = (uint16_t)in(base, 2);
    }
}

static uint16_t words[16 * 256];

static void test_ide_pio(const char *path)
{
    CHECK_EQ(in(CMD + 7, 1), 0x50);
    CHECK_EQ(in(CMD + 2, 1) | in(CMD + 4, 1) << 8, 1);
    task(CMD, 0, 0, 0, false);
    CHECK_EQ(lines[14], 0);
    command(CMD, 0xec);
    CHECK_EQ(lines[14], 1);
    CHECK_EQ(status(CMD), 0x58);
    CHECK_EQ(lines[14], 0);
    read_words(CMD, words, 256);
    CHECK_EQ(status(CMD), 0x50);
    CHECK_EQ(words[60] | words[61] << 16, 8192);
    CHECK_EQ(words[47], 0x8010);
    CHECK_EQ(words[10], 'Q' << 8 | 'M');
    CHECK_EQ(words[27], 'Q' << 8 | 'E');
    uint8_t sum = 0;
    for (unsigned i = 0; i < 256; i++) {
        sum = (uint8_t)(sum + words[i] + (words[i] >> 8));
    }
    CHECK_EQ(sum, 0);
    /* READ SECTORS, 32-bit wide */
    task(CMD, 0, 77, 2, false);
    command(CMD, 0x20);
    CHECK_EQ(in(CMD, 4), storage_word(77, 0));
    for (unsigned i = 1; i < 128; i++) {
        in(CMD, 4);
    }
    WAIT(status(CMD) == 0x58);
    CHECK_EQ(lines[14], 0);
    CHECK_EQ(in(CMD, 4), storage_word(78, 0));
    for (unsigned i = 1; i < 128; i++) {
        in(CMD, 4);
    }
    CHECK_EQ(status(CMD), 0x50);
    /* WRITE MULTIPLE EXT of 20 sectors: blocks of 16 */
    task(CMD, 0, 0, 16, false);
    command(CMD, 0xc6);
    task(CMD, 0, 5000, 20, true);
    command(CMD, 0x39);
    CHECK_EQ(lines[14], 0); /* no interrupt before the first block */
    for (unsigned i = 0; i < 20 * 256; i++) {
        WAIT(in(CTRL, 1) & 8);
        out(CMD, 2, i);
    }
    WAIT(status(CMD) == 0x50);
    CHECK_EQ(storage_file_word(path, 5000, 0), 0x00010000);
    CHECK_EQ(storage_file_word(path, 5019, 127), (0x13ffu << 16) | 0x13fe);
    CHECK_EQ(storage_file_word(path, 5020, 0), storage_word(5020, 0));
    /* CHS: the translation INITIALIZE DEVICE PARAMETERS sets */
    out(CMD + 6, 1, 0xa0 | 3);
    out(CMD + 2, 1, 17);
    command(CMD, 0x91);
    out(CMD + 6, 1, 0xa0 | 2);
    out(CMD + 2, 1, 1);
    out(CMD + 3, 1, 5);
    out(CMD + 4, 1, 9);
    out(CMD + 5, 1, 0);
    command(CMD, 0x20);
    CHECK_EQ(in(CMD, 4), storage_word((9 * 4 + 2) * 17 + 4, 0));
    for (unsigned i = 1; i < 128; i++) {
        in(CMD, 4);
    }
    /* Past the end, no such command, security */
    task(CMD, 0, 8192, 1, false);
    command(CMD, 0x20);
    CHECK_EQ(status(CMD) & 1, 1);
    CHECK_EQ(in(CMD + 1, 1), 0x10);
    command(CMD, 0xf1);
    CHECK_EQ(in(CMD + 1, 1), 4);
    task(CMD, 0, 0, 1, true);
    command(CMD, 0x27); /* READ NATIVE MAX ADDRESS EXT */
    CHECK_EQ(in(CMD + 3, 1) | in(CMD + 4, 1) << 8, 8191);
    /* SMART: return status */
    out(CMD + 1, 1, 0xda);
    out(CMD + 4, 1, 0x4f);
    out(CMD + 5, 1, 0xc2);
    command(CMD, 0xb0);
    CHECK_EQ(status(CMD), 0x50);
    CHECK_EQ(in(CMD + 4, 1), 0x4f);
    /* Nothing at unit 1; the interrupt can be switched off. */
    out(CMD + 6, 1, 0xb0);
    CHECK_EQ(status(CMD), 0);
    out(CMD + 6, 1, 0xa0);
    out(CTRL, 1, 2);
    command(CMD, 0xe7);
    CHECK_EQ(lines[14], 0);
    out(CTRL, 1, 0);
    CHECK_EQ(lines[14], 1);
    /* Software reset in the middle of a block */
    task(CMD, 0, 0, 1, false);
    command(CMD, 0x20);
    CHECK_EQ(in(CTRL, 1) & 8, 8);
    out(CTRL, 1, 4);
    CHECK_EQ(in(CTRL, 1) & 0x80, 0x80);
    out(CTRL, 1, 0);
    CHECK_EQ(in(CTRL, 1), 0x50);
    CHECK_EQ(in(CMD + 1, 1), 1);
    CHECK_EQ(lines[14], 0);
}

static void prd(unsigned n, gpa addr, uint32_t count, bool last)
{
    st(PRDT + n * 8, 4, addr);
    st(PRDT + n * 8 + 4, 4, (count & 0xffff) | (last ? 0x80000000 : 0));
}

static void test_ide_dma(const char *path)
{
    out(BM + 2, 1, 6);
    out(BM + 4, 4, (uint32_t)PRDT);
    prd(0, DATA, 0x10000, false);
    prd(1, DATA + 0x20000, 512, true);
    task(CMD, 0, 1000, 129, true);
    out(BM, 1, 8);
    out(CMD + 7, 1, 0x25);
    CHECK_EQ(in(CTRL, 1) & 0x80, 0x80);  /* waits for the bus master */
    out(BM, 1, 9);
    WAIT(lines[14]);
    CHECK_EQ(in(BM + 2, 1) & 7, 4);      /* over, with an interrupt */
    CHECK_EQ(status(CMD), 0x50);
    CHECK_EQ(ld(DATA + 512 * 127, 4), storage_word(1127, 0));
    CHECK_EQ(ld(DATA + 0x20000, 4), storage_word(1128, 0));
    out(BM, 1, 0);
    out(BM + 2, 1, 6);
    CHECK_EQ(in(BM + 2, 1) & 7, 0);
    st(DATA, 4, 0xdeadbeef);
    prd(0, DATA, 1024, true);
    task(CMD, 0, 2000, 1, false);
    out(CMD + 7, 1, 0xca);
    out(BM, 1, 1);
    WAIT(lines[14]);
    CHECK_EQ(in(BM + 2, 1) & 7, 5);      /* the table has more than the drive took: still active */
    status(CMD);
    out(BM, 1, 0);
    CHECK_EQ(storage_file_word(path, 2000, 0), 0xdeadbeef);
    /* A table that is too short: neither active nor an interrupt */
    out(BM + 2, 1, 6);
    prd(0, DATA, 512, true);
    task(CMD, 0, 1000, 2, false);
    out(CMD + 7, 1, 0xc8);
    out(BM, 1, 9);
    WAIT(!(in(BM + 2, 1) & 1));
    CHECK_EQ(in(BM + 2, 1) & 7, 0);
    out(BM, 1, 0);
    out(CTRL, 1, 4);
    out(CTRL, 1, 0);
    /* Data to nowhere; a table without end */
    out(BM + 2, 1, 6);
    prd(0, 0x10, 512, true);
    task(CMD, 0, 1000, 1, false);
    out(CMD + 7, 1, 0xc8);
    out(BM, 1, 9);
    WAIT(lines[14]);
    CHECK_EQ(in(BM + 2, 1) & 7, 6);
    CHECK_EQ(status(CMD) & 1, 1);
    out(BM, 1, 0);
    for (unsigned i = 0; i < 8192; i++) {
        st(PRDT + i * 8, 4, DATA);
        st(PRDT + i * 8 + 4, 4, 2);
    }
    out(BM + 2, 1, 6);
    task(CMD, 0, 0, 256, false);
    out(CMD + 7, 1, 0xc8);
    out(BM, 1, 9);
    WAIT(!(in(BM + 2, 1) & 1));
    out(BM, 1, 0);
    out(CTRL, 1, 4);
    out(CTRL, 1, 0);
    CHECK_EQ(in(CTRL, 1), 0x50);
}

static void packet(const uint8_t *cdb, unsigned limit)
{
    out(CMD2 + 6, 1, 0xa0);
    out(CMD2 + 1, 1, 0);
    out(CMD2 + 4, 1, limit & 0xff);
    out(CMD2 + 5, 1, limit >> 8);
    command(CMD2, 0xa0);
    CHECK_EQ(in(CMD2 + 2, 1) & 3, 1);
    CHECK_EQ(lines[15], 0);
    for (unsigned i = 0; i < 6; i++) {
        out(CMD2, 2, cdb[2 * i] | (uint32_t)cdb[2 * i + 1] << 8);
    }
    WAIT(!(in(CMD2 + 0x206, 1) & 0x80));
}

static void test_atapi(void)
{
    static const uint8_t tur[12] = { 0 }, read[12] = { 0x28, 0, 0, 0, 0, 5, 0, 0, 2 }, inquiry[12] = { 0x12, 0, 0, 0, 36 };
    unsigned total = 0, blocks = 0;
    uint32_t first = 0;

    out(CMD2 + 6, 1, 0xa0);
    CHECK_EQ(in(CMD2 + 4, 1) | in(CMD2 + 5, 1) << 8, 0xeb14);
    command(CMD2, 0xec);
    CHECK_EQ(status(CMD2) & 1, 1);
    CHECK_EQ(in(CMD2 + 5, 1), 0xeb);
    command(CMD2, 0xa1);
    read_words(CMD2, words, 256);
    CHECK_EQ(words[0], 0x85c0);
    packet(tur, 0xfffe);
    CHECK_EQ(status(CMD2) & 1, 1);
    CHECK_EQ(in(CMD2 + 1, 1) >> 4, 6);
    packet(tur, 0xfffe);
    CHECK_EQ(status(CMD2), 0x50);
    CHECK_EQ(in(CMD2 + 2, 1), 3);
    packet(inquiry, 0xfffe);
    CHECK_EQ(in(CMD2 + 4, 1), 36);
    read_words(CMD2, words, 18);
    CHECK(!memcmp((uint8_t *)words + 8, "QEMU    QEMU DVD-ROM", 20));
    /* 4096 bytes in pieces of 1000 */
    packet(read, 1000);
    while (status(CMD2) & 8) {
        unsigned n = in(CMD2 + 4, 1) | in(CMD2 + 5, 1) << 8;
        CHECK(n <= 1000);
        CHECK_EQ(in(CMD2 + 2, 1), 2);
        for (unsigned i = 0; i < n; i += 2) {
            uint32_t w = in(CMD2, 2);
            first |= total < 4 ? w << total * 8 : 0;
            total += 2;
        }
        blocks++;
        WAIT(!(in(CMD2 + 0x206, 1) & 0x80));
    }
    CHECK_EQ(total, 4096);
    CHECK_EQ(blocks, 5);
    CHECK_EQ(first, storage_word(20, 0));
    /* DMA */
    out(BM + 8 + 4, 4, (uint32_t)PRDT);
    prd(0, DATA, 4096, true);
    out(CMD2 + 1, 1, 1);
    command(CMD2, 0xa0);
    for (unsigned i = 0; i < 6; i++) {
        out(CMD2, 2, read[2 * i] | (uint32_t)read[2 * i + 1] << 8);
    }
    out(BM + 8, 1, 9);
    WAIT(lines[15]);
    CHECK_EQ(in(BM + 10, 1) & 7, 4);
    CHECK_EQ(status(CMD2), 0x50);
    CHECK_EQ(ld(DATA + 2048, 4), storage_word(24, 0));
    out(BM + 8, 1, 0);
    out(CMD2 + 7, 1, 8); /* DEVICE RESET */
    CHECK_EQ(in(CMD2 + 4, 1), 0x14);
}

/* -- floppy ---------------------------------------------------------------------------------------------------------------------------- */

static void fd_out(uint8_t value)
{
    CHECK_EQ(in(FDC + 4, 1) & 0xc0, 0x80);
    out(FDC + 5, 1, value);
}

static uint8_t fd_in(void)
{
    CHECK_EQ(in(FDC + 4, 1) & 0xc0, 0xc0);
    return (uint8_t)in(FDC + 5, 1);
}

static uint8_t st7[7];

static void fd_result(void)
{
    CHECK_EQ(lines[6], 1);
    for (unsigned i = 0; i < 7; i++) {
        st7[i] = fd_in();
    }
    CHECK_EQ(in(FDC + 4, 1), 0x80);
    CHECK_EQ(lines[6], 0);
}

static void fd_rw(uint8_t op, unsigned unit, unsigned c, unsigned h, unsigned r, unsigned eot)
{
    const uint8_t bytes[9] = { op, (uint8_t)(h << 2 | unit), (uint8_t)c, (uint8_t)h, (uint8_t)r, 2, (uint8_t)eot, 0x1b, 0xff };

    for (unsigned i = 0; i < 9; i++) {
        fd_out(bytes[i]);
    }
}

static void fd_seek(unsigned unit, unsigned track)
{
    fd_out(0x0f);
    fd_out((uint8_t)unit);
    fd_out((uint8_t)track);
    CHECK_EQ(lines[6], 1);
    fd_out(0x08);
    CHECK_EQ(fd_in() & 0xf3, 0x20 | unit);
    CHECK_EQ(fd_in(), track);
}

static void test_floppy(const char *path)
{
    uint8_t id[18 * 4];

    out(FDC + 2, 1, 0x00);
    out(FDC + 2, 1, 0x1c);
    CHECK_EQ(lines[6], 1);
    for (unsigned i = 0; i < 4; i++) {
        fd_out(0x08);
        CHECK_EQ(fd_in(), 0xc0 | i);
        fd_in();
    }
    CHECK_EQ(lines[6], 0);
    fd_out(0x08);
    CHECK_EQ(fd_in(), 0x80);
    fd_out(0x10);
    CHECK_EQ(fd_in(), 0x90);
    fd_out(0x03);
    fd_out(0xaf);
    fd_out(0x02);
    CHECK_EQ(in(FDC + 7, 1) & 0x80, 0x80);        /* the medium is new */
    out(FDC + 7, 1, 0);                            /* 500 kbit/s */
    fd_seek(0, 1);
    CHECK_EQ(in(FDC + 7, 1) & 0x80, 0);
    fd_out(0x07);
    fd_out(0);
    fd_out(0x08);
    CHECK_EQ(fd_in(), 0x20);
    CHECK_EQ(fd_in(), 0);
    /* Read sector 3 of track 0; then a whole cylinder with both heads */
    dma_program(512);
    fd_rw(0xe6, 0, 0, 0, 3, 18);
    fd_result();
    CHECK_EQ(st7[0], 0);
    CHECK_EQ(st7[5], 4);
    CHECK_EQ(ld(DATA, 4), storage_word(2, 0));
    fd_seek(0, 10);
    dma_program(36 * 512);
    fd_rw(0xe6, 0, 10, 0, 1, 18);
    fd_result();
    CHECK_EQ(st7[0] & 0xc0, 0);
    CHECK_EQ(st7[3], 11);
    CHECK_EQ(ld(DATA + 35 * 512, 4), storage_word(10 * 36 + 35, 0));
    /* More than there is: end of track */
    dma_program(40 * 512);
    fd_rw(0xe6, 0, 10, 0, 1, 18);
    fd_result();
    CHECK_EQ(st7[0] & 0xc0, 0x40);
    CHECK_EQ(st7[1], 0x80);
    /* The channel may be unmasked later. */
    dma_program(0);
    fd_rw(0xc6, 0, 10, 1, 5, 18);
    CHECK_EQ(lines[6], 0);
    CHECK_EQ(in(FDC + 4, 1), 0x10);
    dma_program(512);
    dma_run();
    fd_result();
    CHECK_EQ(ld(DATA, 4), storage_word(10 * 36 + 18 + 4, 0));
    /* Write */
    st(DATA, 4, 0xf10bb1e5);
    dma_program(1024);
    fd_rw(0xc5, 0, 10, 1, 17, 18);
    fd_result();
    CHECK_EQ(st7[0] & 0xc0, 0);
    CHECK_EQ(storage_file_word(path, 10 * 36 + 18 + 16, 0), 0xf10bb1e5);
    /* Wrong track, sector, size */
    fd_rw(0xe6, 0, 11, 0, 1, 18);
    fd_result();
    CHECK_EQ(st7[1], 4);
    CHECK_EQ(st7[2], 0x10);
    fd_rw(0xe6, 0, 10, 0, 19, 18);
    fd_result();
    CHECK_EQ(st7[1], 4);
    out(FDC + 7, 1, 2);                            /* the wrong rate reads nothing */
    fd_rw(0xe6, 0, 10, 0, 1, 18);
    fd_result();
    CHECK_EQ(st7[1], 1);
    out(FDC + 7, 1, 0);
    /* READ ID: sectors go by */
    fd_out(0x4a);
    fd_out(0);
    fd_result();
    unsigned seen = st7[5];
    fd_out(0x4a);
    fd_out(0);
    fd_result();
    CHECK_EQ(st7[3], 10);
    CHECK_EQ(st7[5], seen % 18 + 1);
    /* FORMAT TRACK */
    fd_seek(0, 20);
    for (unsigned i = 0; i < 18; i++) {
        id[i * 4] = 20;
        id[i * 4 + 1] = 0;
        id[i * 4 + 2] = (uint8_t)(i + 1);
        id[i * 4 + 3] = 2;
    }
    put_bytes(DATA, id, sizeof(id));
    dma_program(sizeof(id));
    fd_out(0x4d);
    fd_out(0);
    fd_out(2);
    fd_out(18);
    fd_out(0x54);
    fd_out(0xf6);
    fd_result();
    CHECK_EQ(st7[0] & 0xc0, 0);
    CHECK_EQ(storage_file_word(path, 20 * 36 + 17, 127), 0xf6f6f6f6);
    CHECK_EQ(storage_file_word(path, 20 * 36 + 18, 0), storage_word(20 * 36 + 18, 0));
    /* VERIFY to the end of the track */
    fd_rw(0x56, 0, 20, 0, 1, 18);
    fd_result();
    CHECK_EQ(st7[0] & 0xc0, 0);
    /* The same read without DMA */
    fd_out(0x03);
    fd_out(0xaf);
    fd_out(0x03);
    fd_rw(0x46, 0, 20, 1, 18, 18);
    for (unsigned i = 0; i < 512; i++) {
        CHECK_EQ(in(FDC + 4, 1), 0xf0);
        id[i & 3] = (uint8_t)in(FDC + 5, 1);
        if (i == 3) {
            CHECK_EQ(ldle32(id), storage_word(20 * 36 + 35, 0));
        }
    }
    fd_result();
    CHECK_EQ(st7[1], 0x80);                        /* nobody gave a terminal count */
    fd_out(0x03);
    fd_out(0xaf);
    fd_out(0x02);
    /* SENSE DRIVE STATUS, a drive without a disk, one that is not there, an unknown command */
    fd_out(0x04);
    fd_out(0);
    CHECK_EQ(fd_in() & 0x70, 0x20);
    dma_program(512);
    fd_rw(0xe6, 1, 0, 0, 1, 18);
    fd_result();
    CHECK_EQ(st7[1], 1);
    fd_rw(0xe6, 3, 0, 0, 1, 18);
    fd_result();
    CHECK_EQ(st7[1], 1);
    fd_out(0x1f);
    CHECK_EQ(fd_in(), 0x80);
    fd_out(0x0e);                                  /* DUMPREG */
    for (unsigned i = 0; i < 10; i++) {
        fd_in();
    }
    CHECK_EQ(in(FDC + 4, 1), 0x80);
}

static void test_floppy_media(Device *fdc)
{
    Error *err = NULL;
    BlockBackend *blk = block_find("fd0");
    const char *small = storage_image("small", 720 << 10, "if=none,readonly=on");

    CHECK_EQ(fdc_cmos_type(fdc, 0), 4);
    CHECK_EQ(fdc_cmos_type(fdc, 1), 5);            /* empty: what takes most */
    out(FDC + 2, 1, 0x1c);
    CHECK(block_change_medium(blk, small, "raw", "read-only", false, &err));
    CHECK_EQ(in(FDC + 7, 1) & 0x80, 0x80);
    out(FDC + 7, 1, 2);                            /* 250 kbit/s: nine sectors */
    fd_seek(0, 5);
    CHECK_EQ(in(FDC + 7, 1) & 0x80, 0);
    dma_program(512);
    fd_rw(0xe6, 0, 5, 1, 9, 9);
    fd_result();
    CHECK_EQ(st7[0] & 0xc0, 0);
    CHECK_EQ(ld(DATA, 4), storage_word(5 * 18 + 17, 0));
    fd_rw(0xc5, 0, 5, 1, 9, 9);
    fd_result();
    CHECK_EQ(st7[1], 2);                           /* write protected */
    CHECK(block_eject(blk, false, &err));
    fd_rw(0xe6, 0, 5, 1, 9, 9);
    fd_result();
    CHECK_EQ(st7[1], 1);
    CHECK_EQ(in(FDC + 7, 1) & 0x80, 0x80);
}

int main(void)
{
    static Irq irqs[ISA_N_IRQS];
    Irq *pirqs[ISA_N_IRQS];
    Error *err = NULL;

    storage_start();
    memory_region_init(&io_root, NULL, "isa-io", 0x10000);
    address_space_init(&io, &io_root, "isa-io");
    IsaBus *isa = isa_bus_new(NULL, "isa.0", &machine->system_memory, &io_root);
    for (int i = 0; i < ISA_N_IRQS; i++) {
        irq_init(&irqs[i], line, NULL, i);
        pirqs[i] = &irqs[i];
    }
    isa_bus_set_irqs(isa, pirqs);
    isa_bus_set_dma(isa, &dma_ops, NULL);
    const char *disk = storage_image("hd0", 4 << 20, "if=ide,index=0");
    storage_image("cd0", 1 << 20, "if=ide,index=2,media=cdrom");
    const char *floppy = storage_image("fd0", 1440 << 10, "if=floppy,index=0");
    CHECK(drive_add("if=floppy,index=1,id=fd1", NULL, 0, &err));
    static const char *const no_opts[] = { NULL };
    Device *ide = storage_add("piix3-ide", no_opts);
    CHECK(ide_add_drives(ide, 0, 2, &err));
    Device *fdc = device_create("isa-fdc", isa_bus_as_bus(isa), NULL, &err);
    CHECK(fdc != NULL);
    storage_ready();
    device_reset(fdc, RESET_COLD); /* its bus is not below the machine's */
    /* The bus master's ports: the test's I/O space is not the PCI bus's, where the BAR is at 0. */
    static MemoryRegion bus_master;
    memory_region_init_alias(&bus_master, NULL, "bus-master", PCI_DEVICE(ide)->bars[4].mr, 0, PCI_DEVICE(ide)->bars[4].size_bytes);
    memory_region_add(&io_root, BM, &bus_master);
    config_st(ide, PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MASTER);
    test_ide_pio(disk);
    test_ide_dma(disk);
    test_atapi();
    test_floppy(floppy);
    test_floppy_media(fdc);
    storage_check_state(fdc);
    storage_check_state(ide);
    storage_finish();
    return test_result();
}
