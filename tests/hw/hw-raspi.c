/*
 * hw-raspi.c: the Raspberry Pi 3B's devices through their registers, without processors: SD card on both hosts, mailboxes, DMA, timers, interrupts.
 */
#include "hw/arm/bcm2835.h"
#include "softmmu/clock.h"
#include "tests/hw/contract.h"
#include "tests/hw/storage.h"

enum {
    P = 0x3f000000, SYSTIMER = P + 0x3000, DMA = P + 0x7000, IC = P + 0xb200, MBOX = P + 0xb880, CPRMAN = P + 0x101000, POWER = P + 0x100000,
    GPIO = P + 0x200000, SDHOST = P + 0x202000, AUX = P + 0x215000, SDHCI = P + 0x300000, LOCAL = 0x40000000,
    BUFFER = 0x100000, DATA = 0x200000, CARD_BYTES = 8 << 20,
};

static const char *image;
static Device *gpu_ic;

/* -- the SD card by SDHCI ------------------------------------------------------------------------------------------------------- */

static uint32_t sdhci_command(unsigned number, unsigned flags, uint32_t arg)
{
    st(SDHCI + 0x30, 4, 0xffffffff);
    st(SDHCI + 0x08, 4, arg);
    st(SDHCI + 0x0e, 2, number << 8 | flags);
    return (uint32_t)ld(SDHCI + 0x30, 4);
}

enum { R_NONE = 0, R_136 = 1, R_48 = 2, R_BUSY = 3, WITH_DATA = 0x20, DONE = 1 };

static uint32_t identify(void)
{
    CHECK_EQ(ld(SDHCI + 0x24, 4) & 0x10000, 0x10000);  /* inserted */
    st(SDHCI + 0x34, 4, 0xffffffff);
    st(SDHCI + 0x2c, 2, 5);
    CHECK_EQ(ld(SDHCI + 0x2c, 2), 7);                   /* the clock is stable */
    CHECK_EQ(sdhci_command(0, R_NONE, 0), DONE);
    CHECK_EQ(sdhci_command(8, R_48, 0x1aa), DONE);
    CHECK_EQ(ld(SDHCI + 0x10, 4), 0x1aa);
    CHECK_EQ(sdhci_command(5, R_48, 0) & 0x18000, 0x18000);/* no SDIO: a timeout */
    CHECK_EQ(sdhci_command(55, R_48, 0), DONE);
    CHECK_EQ(ld(SDHCI + 0x10, 4) & 0x400020, 0x400020); /* the illegal command is told now, and APP_CMD */
    CHECK_EQ(sdhci_command(41, R_48, 0x40ff8000), DONE);
    CHECK_EQ(ld(SDHCI + 0x10, 4), 0x80ff8000);          /* powered up; standard capacity */
    CHECK_EQ(sdhci_command(2, R_136, 0), DONE);
    CHECK_EQ(ld(SDHCI + 0x1c, 4) >> 16, 0xaa);
    CHECK_EQ(sdhci_command(3, R_48, 0), DONE);
    uint32_t rca = (uint32_t)ld(SDHCI + 0x10, 4) & 0xffff0000;
    CHECK(rca != 0);
    CHECK_EQ(sdhci_command(9, R_136, rca), DONE);
    /* CSD: (C_SIZE + 1) << (C_SIZE_MULT + 2) blocks of 1 << READ_BL_LEN. The registers hold it from bit 8 on. */
    uint64_t middle = ld(SDHCI + 0x14, 4) | ld(SDHCI + 0x18, 4) << 32; /* bits 103 to 40 */
    uint64_t c_size = middle >> (62 - 40) & 0xfff, mult = middle >> (47 - 40) & 7, len = middle >> (80 - 40) & 15;
    CHECK_EQ((c_size + 1) << (mult + 2 + len), CARD_BYTES);
    CHECK_EQ(sdhci_command(7, R_BUSY, rca) & 3, 3);
    return rca;
}

static void test_sdhci(void)
{
    uint32_t rca = identify();

    /* One block by the buffer. */
    st(SDHCI + 0x04, 4, 1 << 16 | 512);
    st(SDHCI + 0x0c, 2, 0x10);
    sdhci_command(17, R_48 | WITH_DATA, 5 * 512);
    WAIT(ld(SDHCI + 0x30, 4) & 0x20);
    for (unsigned i = 0; i < 128; i++) {
        CHECK_EQ(ld(SDHCI + 0x20, 4), storage_word(5, i));
    }
    CHECK_EQ(ld(SDHCI + 0x30, 4) & 2, 2);
    /* Many, with the count and automatic CMD12, by SDMA across its boundary of 4 KiB. */
    st(SDHCI + 0x00, 4, DATA + 0x800);
    st(SDHCI + 0x04, 4, 16 << 16 | 512);
    st(SDHCI + 0x0c, 2, 0x37);
    sdhci_command(18, R_48 | WITH_DATA, 100 * 512);
    for (unsigned i = 1; i <= 2; i++) {
        WAIT(ld(SDHCI + 0x30, 4) & 8);
        CHECK_EQ(ld(SDHCI + 0x30, 4) & 2, 0);
        CHECK_EQ(ld(SDHCI + 0x00, 4), DATA + 0x1000 * i);
        st(SDHCI + 0x30, 2, 8);
        st(SDHCI + 0x00, 4, DATA + 0x1000 * i);
    }
    WAIT(ld(SDHCI + 0x30, 4) & 2);
    for (unsigned b = 0; b < 16; b++) {
        CHECK_EQ(ld(DATA + 0x800 + 512 * b + 4 * b, 4), storage_word(100 + b, b));
    }
    CHECK_EQ(sdhci_command(13, R_48, rca), DONE);
    CHECK_EQ(ld(SDHCI + 0x10, 4) >> 9 & 15, 4);         /* "tran" again */
    /* Writing by ADMA2: two descriptors that cut a block. */
    for (unsigned i = 0; i < 256; i++) {
        st(DATA + 4 * i, 4, 0xabc00000 + i);
    }
    st(BUFFER, 8, (uint64_t)DATA << 32 | 200 << 16 | 0x21);
    st(BUFFER + 8, 8, (uint64_t)(DATA + 200) << 32 | 824 << 16 | 0x23);
    st(SDHCI + 0x28, 1, 0x10);
    st(SDHCI + 0x58, 4, BUFFER);
    st(SDHCI + 0x04, 4, 2 << 16 | 512);
    st(SDHCI + 0x0c, 2, 0x27);
    sdhci_command(25, R_48 | WITH_DATA, 9 * 512);
    WAIT(ld(SDHCI + 0x30, 4) & 2);
    CHECK_EQ(storage_file_word(image, 9, 3), 0xabc00003);
    CHECK_EQ(storage_file_word(image, 10, 127), 0xabc000ff);
    CHECK_EQ(storage_file_word(image, 11, 0), storage_word(11, 0));
    /* A chain that leads round in circles is an error. */
    st(BUFFER, 8, (uint64_t)BUFFER << 32 | 0x31);
    st(SDHCI + 0x58, 4, BUFFER);
    st(SDHCI + 0x04, 4, 2 << 16 | 512);
    st(SDHCI + 0x0c, 2, 0x37);
    sdhci_command(18, R_48 | WITH_DATA, 0);
    WAIT(ld(SDHCI + 0x32, 2) & 0x200);
    st(SDHCI + 0x2f, 1, 6);
    CHECK_EQ(sdhci_command(12, R_BUSY, 0) & 3, 3);
    /* Behind the end. */
    sdhci_command(17, R_48 | WITH_DATA, CARD_BYTES);
    CHECK_EQ(ld(SDHCI + 0x10, 4) >> 31, 1);
    CHECK_EQ(ld(SDHCI + 0x32, 2) & 0x10, 0x10);
    st(SDHCI + 0x2f, 1, 6);
    /* Erased blocks are zeros. */
    sdhci_command(32, R_48, 20 * 512);
    sdhci_command(33, R_48, 21 * 512);
    sdhci_command(38, R_BUSY, 0);
    WAIT(ld(SDHCI + 0x30, 4) & 2);
    CHECK_EQ(storage_file_word(image, 20, 1) | storage_file_word(image, 21, 127), 0);
    CHECK_EQ(storage_file_word(image, 22, 1), storage_word(22, 1));
}

/* -- the same card by the BCM2835's own host, with DMA ----------------------------------------------------------------------------- */

static void sdhost_command(unsigned cmd, uint32_t arg)
{
    st(SDHOST + 4, 4, arg);
    st(SDHOST, 4, 0x8000 | cmd);
    CHECK_EQ(ld(SDHOST, 4) & 0xc000, 0);
}

/* source, destination: bus addresses. */
static void dma_run(unsigned ti, uint32_t source, uint32_t dest, uint32_t bytes)
{
    const uint32_t block[8] = { ti, source, dest, bytes };

    for (unsigned i = 0; i < 8; i++) {
        st(BUFFER + 4 * i, 4, block[i]);
    }
    st(DMA + 0x204, 4, 0xc0000000 | BUFFER);
    st(DMA + 0x200, 4, 1);
}

static void test_sdhost(void)
{
    st(GPIO + 0x10, 4, 0x24000000);                     /* pins 48 and 49 */
    CHECK_EQ(ld(SDHCI + 0x24, 4) & 0x10000, 0x10000);   /* not yet */
    st(GPIO + 0x14, 4, 0x924);                          /* 50 to 53: function 0, too */
    CHECK_EQ(ld(SDHCI + 0x24, 4) & 0x10000, 0);
    sdhost_command(0x400, 0);
    sdhost_command(8, 0x1aa);
    sdhost_command(55, 0);
    sdhost_command(41, 0x40ff8000);
    sdhost_command(2 | 0x200, 0);
    CHECK_EQ(ld(SDHOST + 0x1c, 4) >> 24, 0xaa);
    sdhost_command(3, 0);
    sdhost_command(7 | 0x800, (uint32_t)ld(SDHOST + 0x10, 4) & 0xffff0000);
    st(SDHOST + 0x3c, 4, 512);
    st(SDHOST + 0x50, 4, 8);
    sdhost_command(23, 8);
    sdhost_command(18 | 0x40, 64 * 512);
    dma_run(1 | 1 << 4 | 1 << 10 | 13 << 16, 0x7e202040, 0xc0000000 | DATA, 8 * 512 - 12);
    WAIT(ld(DMA + 0x200, 4) & 2);
    CHECK_EQ(ld(DMA + 0xfe0, 4), 4);
    for (unsigned i = 0; i < 3; i++) {                  /* the last words are the driver's */
        CHECK_EQ(ld(SDHOST + 0x40, 4), storage_word(71, 125 + i));
    }
    for (unsigned b = 0; b < 8; b++) {
        CHECK_EQ(ld(DATA + 512 * b + 8, 4), storage_word(64 + b, 2));
    }
    CHECK_EQ(ld(SDHOST + 0x34, 4) & 15, 1);
    st(DMA + 0x200, 4, 6);
    CHECK_EQ(ld(DMA + 0xfe0, 4), 0);
    /* Writing. */
    for (unsigned i = 0; i < 256; i++) {
        st(DATA + 4 * i, 4, 0x5a000000 + i);
    }
    st(SDHOST + 0x50, 4, 2);
    sdhost_command(23, 2);
    sdhost_command(25 | 0x80, 200 * 512);
    dma_run(1 << 8 | 1 << 6 | 13 << 16, 0xc0000000 | DATA, 0x7e202040, 1024);
    WAIT(ld(DMA + 0x200, 4) & 2);
    WAIT(storage_file_word(image, 201, 127) == 0x5a0000ff);
    CHECK_EQ(storage_file_word(image, 200, 1), 0x5a000001);
    CHECK_EQ(storage_file_word(image, 202, 0), storage_word(202, 0));
    st(GPIO + 0x10, 4, 0x3f000000);
    st(GPIO + 0x14, 4, 0xfff);
    CHECK_EQ(ld(SDHCI + 0x24, 4) & 0x10000, 0x10000);
}

/* -- memory to memory, two dimensions -------------------------------------------------------------------------------------------------- */

static void test_dma(void)
{
    for (unsigned i = 0; i < 64; i++) {
        st(DATA + i, 1, i);
        st(DATA + 0x1000 + i, 1, 0xee);
    }
    st(DMA + 0x200, 4, 1u << 31);
    const uint32_t block[8] = { 1 << 1 | 1 << 4 | 1 << 8, 0xc0000000 | DATA, 0xc0000000 | (DATA + 0x1000), 2 << 16 | 4, 4 << 16 | 12 };
    for (unsigned i = 0; i < 8; i++) {
        st(BUFFER + 4 * i, 4, block[i]);
    }
    st(DMA + 0x204, 4, 0xc0000000 | BUFFER);
    st(DMA + 0x200, 4, 1);
    WAIT(ld(DMA + 0x200, 4) & 2);
    for (unsigned row = 0; row < 3; row++) {
        CHECK_EQ(ld(DATA + 0x1000 + 8 * row + 3, 1), 16 * row + 3);
        CHECK_EQ(ld(DATA + 0x1000 + 8 * row + 4, 1), 0xee);
    }
    /* A chain without an end goes on without standing in the way, until it is stopped. */
    st(BUFFER, 4, 0);
    st(BUFFER + 12, 4, 0);
    st(BUFFER + 20, 4, 0xc0000000 | BUFFER);
    st(DMA + 0x204, 4, 0xc0000000 | BUFFER);
    st(DMA + 0x200, 4, 1);
    for (unsigned i = 0; i < 10; i++) {
        loop_run_once(loop_main(), true);
    }
    CHECK_EQ(ld(DMA + 0x200, 4) & 1, 1);
    st(DMA + 0x200, 4, 1u << 31);
    CHECK_EQ(ld(DMA + 0x200, 4), 0);
}

/* -- mailboxes -------------------------------------------------------------------------------------------------------------------------- */

static uint32_t property(const uint32_t *words, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        st(BUFFER + 4 * i, 4, words[i]);
    }
    CHECK_EQ(ld(MBOX + 0x18, 4), 0x40000000);
    st(MBOX + 0x20, 4, BUFFER | 8);
    CHECK_EQ(ld(MBOX + 0x18, 4), 1);
    CHECK_EQ(ld(MBOX, 4), BUFFER | 8);
    return (uint32_t)ld(BUFFER + 4, 4);
}

static void test_property(void)
{
    const uint32_t ask[] = { 64, 0, 0x10002, 4, 0, 0, 0x30002, 8, 0, 2, 0, 0x99999, 4, 0, 7, 0 };
    CHECK_EQ(property(ask, ARRAY_SIZE(ask)), 0x80000000);
    CHECK_EQ(ld(BUFFER + 16, 4), 0x80000004);
    CHECK_EQ(ld(BUFFER + 20, 4), 0xa02082);
    CHECK(ld(BUFFER + 40, 4) > 47900000 && ld(BUFFER + 40, 4) < 48100000); /* the UART's clock, of the PLL's registers */
    CHECK_EQ(ld(BUFFER + 52, 4), 0x80000000);           /* not known */
    CHECK_EQ(ld(BUFFER + 56, 4), 7);
    const uint32_t mode[] = { 80, 0, 0x48003, 8, 8, 800, 600, 0x48004, 8, 8, 800, 1200, 0x48005, 4, 4, 32, 0x40001, 8, 0, 0, 0 };
    CHECK_EQ(property(mode, ARRAY_SIZE(mode)), 0x80000001); /* the last tag does not fit into 80 bytes */
    uint32_t whole[ARRAY_SIZE(mode)];
    memcpy(whole, mode, sizeof(mode));
    whole[0] = sizeof(mode);
    CHECK_EQ(property(whole, ARRAY_SIZE(whole)), 0x80000000);
    CHECK_EQ(ld(BUFFER + 76, 4), 0x3c100000);
    const uint32_t pitch[] = { 28, 0, 0x40008, 4, 0, 0, 0 };
    CHECK_EQ(property(pitch, ARRAY_SIZE(pitch)), 0x80000000);
    CHECK_EQ(ld(BUFFER + 20, 4), 3200);
    /* Sizes that make no sense. */
    const uint32_t huge[] = { 0xffffffff, 0 }, room[] = { 28, 0, 0x10002, 0xfffffff0, 0, 0, 0 };
    CHECK_EQ(property(huge, 2), 0x80000001);
    CHECK_EQ(property(room, ARRAY_SIZE(room)), 0x80000001);
    /* Eight answers wait; what comes then waits in the other mailbox. */
    for (unsigned i = 0; i < 12; i++) {
        st(MBOX + 0x20, 4, BUFFER | 8);
    }
    CHECK_EQ(ld(MBOX + 0x18, 4), 0x80000008);
    CHECK_EQ(ld(MBOX + 0x38, 4), 4);
    for (unsigned i = 0; i < 12; i++) {
        CHECK_EQ(ld(MBOX, 4), BUFFER | 8);
    }
    CHECK_EQ(ld(MBOX + 0x18, 4), 0x40000000);
}

/* -- timers and interrupts ------------------------------------------------------------------------------------------------------------------ */

static void test_interrupts(void)
{
    st(SYSTIMER, 4, 0xf);
    st(IC + 0x10, 4, 1 << 1);
    st(SYSTIMER + 0x10, 4, (uint32_t)ld(SYSTIMER + 4, 4) + 2000);
    CHECK_EQ(ld(LOCAL + 0x60, 4), 0);
    WAIT(ld(SYSTIMER, 4) & 2);
    CHECK_EQ(ld(IC, 4), 0x100);
    CHECK_EQ(ld(IC + 4, 4), 2);
    CHECK_EQ(ld(LOCAL + 0x60, 4), 0x100);
    CHECK_EQ(ld(LOCAL + 0x64, 4), 0);
    st(LOCAL + 0x0c, 4, 3);                              /* to the last core */
    CHECK_EQ(ld(LOCAL + 0x60, 4), 0);
    CHECK_EQ(ld(LOCAL + 0x6c, 4), 0x100);
    st(IC + 0x0c, 4, 0x81);                              /* and as FIQ to the first */
    CHECK_EQ(ld(LOCAL + 0x70, 4), 0x100);
    st(SYSTIMER, 4, 2);
    CHECK_EQ(ld(LOCAL + 0x6c, 4) | ld(LOCAL + 0x70, 4), 0);
    /* Those with a bit of their own. */
    st(IC + 0x14, 4, 1 << (56 - 32));
    irq_raise(device_irq_in(gpu_ic, "gpu-irq", 56));
    CHECK_EQ(ld(IC, 4), 1 << 18);
    irq_lower(device_irq_in(gpu_ic, "gpu-irq", 56));
    /* Mailboxes of the cores. */
    st(LOCAL + 0x54, 4, 1 << 2);
    st(LOCAL + 0x80 + 16 + 8, 4, 0x11);
    CHECK_EQ(ld(LOCAL + 0x64, 4), 1 << 6);
    st(LOCAL + 0xc0 + 16 + 8, 4, 0x10);
    CHECK_EQ(ld(LOCAL + 0xc0 + 16 + 8, 4), 1);
    st(LOCAL + 0x54, 4, 1 << 6);
    CHECK_EQ(ld(LOCAL + 0x64, 4), 0);
    CHECK_EQ(ld(LOCAL + 0x74, 4), 1 << 6);
    st(LOCAL + 0xc0 + 16 + 8, 4, 1);
    CHECK_EQ(ld(LOCAL + 0x74, 4), 0);
    /* The local timer. */
    st(LOCAL + 0x24, 4, 2);
    st(LOCAL + 0x34, 4, 3u << 28 | 38400);
    WAIT(ld(LOCAL + 0x68, 4) & 0x800);
    st(LOCAL + 0x34, 4, 1 << 29 | 38400);
    st(LOCAL + 0x38, 4, 1u << 31);
    CHECK_EQ(ld(LOCAL + 0x68, 4), 0);
}

static void test_pins(void)
{
    st(GPIO + 0x58, 4, 1 << 5);                          /* falling edges of pin 5 */
    st(GPIO, 4, 1 << 15);                                /* which is an output */
    st(GPIO + 0x1c, 4, 1 << 5);
    CHECK_EQ(ld(GPIO + 0x34, 4), 1 << 5);
    CHECK_EQ(ld(GPIO + 0x40, 4), 0);
    st(GPIO + 0x28, 4, 1 << 5);
    CHECK_EQ(ld(GPIO + 0x40, 4), 1 << 5);
    st(IC + 0x14, 4, 1 << (49 - 32));
    CHECK_EQ(ld(IC + 8, 4), 1 << (49 - 32));
    st(GPIO + 0x40, 4, 1 << 5);
    CHECK_EQ(ld(IC + 8, 4), 0);
    /* Clocks need their password. */
    st(CPRMAN + 0xf4, 4, 0x1234);
    CHECK_EQ(ld(CPRMAN + 0xf4, 4), 0xa6ab);
    st(CPRMAN + 0xf0, 4, 0x5a000206);
    CHECK_EQ(ld(CPRMAN + 0xf0, 4), 0x206);
    CHECK_EQ(ld(POWER + 0x20, 4), 0x1000);
}

static void find_ic(Device *dev, void *opaque)
{
    if (!strcmp(dev->obj.type->name, "bcm2835-ic")) {
        gpu_ic = dev;
    }
}

int main(void)
{
    unsigned n = 0;

    image = storage_image("sd0", CARD_BYTES, "if=sd");
    storage_start_on("raspi3b", "aarch64", 0);
    storage_ready();
    device_foreach(find_ic, NULL);
    test_sdhci();
    test_sdhost();
    test_dma();
    test_property();
    test_interrupts();
    test_pins();
    device_foreach(contract_check, &n);
    CHECK(n >= 16);
    CHECK_EQ(contract_failures(), 0);
    storage_finish();
    return test_result();
}
