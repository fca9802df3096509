/*
 * sdhci-internal.h: between the files of the SD host controller. Register names as in the SD Host Controller Simplified Specification 3.00.
 */
#ifndef HW_SD_SDHCI_INTERNAL_H
#define HW_SD_SDHCI_INTERNAL_H

#include "hw/sdhci.h"

enum {
    SDHCI_MAX_BLOCK = 4096,
    BLKSIZE_MASK = 0xfff, BLKSIZE_BOUNDARY_SHIFT = 12,
    TRN_DMA = 1 << 0, TRN_COUNT = 1 << 1, TRN_AUTO_SHIFT = 2, TRN_READ = 1 << 4, TRN_MULTI = 1 << 5,
    AUTO_CMD12 = 1, AUTO_CMD23 = 2,
    CMD_RSP_MASK = 3, CMD_RSP_NONE = 0, CMD_RSP_136 = 1, CMD_RSP_BUSY = 3, CMD_DATA = 1 << 5, CMD_TYPE_ABORT = 3 << 6,
    PRN_CMD_INHIBIT = 1 << 0, PRN_DAT_INHIBIT = 1 << 1, PRN_DAT_ACTIVE = 1 << 2, PRN_WRITING = 1 << 8, PRN_READING = 1 << 9,
    PRN_CAN_WRITE = 1 << 10, PRN_CAN_READ = 1 << 11, PRN_INSERTED = 1 << 16, PRN_STABLE = 1 << 17, PRN_DETECT = 1 << 18,
    PRN_WRITABLE = 1 << 19, PRN_DAT_LEVELS = 0xf << 20, PRN_CMD_LEVEL = 1 << 24,
    HOST_DMA_SHIFT = 3, DMA_SDMA = 0, DMA_ADMA32 = 2, DMA_ADMA64 = 3,
    CLK_INTERNAL = 1 << 0, CLK_STABLE = 1 << 1, CLK_CARD = 1 << 2,
    RESET_ALL = 1, RESET_CMD = 2, RESET_DAT = 4,
    INT_CMD_DONE = 1 << 0, INT_DONE = 1 << 1, INT_DMA = 1 << 3, INT_WRITE_READY = 1 << 4, INT_READ_READY = 1 << 5, INT_INSERT = 1 << 6,
    INT_REMOVE = 1 << 7, INT_ERROR = 1 << 15,
    ERR_CMD_TIMEOUT = 1 << 0, ERR_DATA_TIMEOUT = 1 << 4, ERR_DATA_CRC = 1 << 5, ERR_AUTO = 1 << 8, ERR_ADMA = 1 << 9,
    ADMA_STATE_FETCH = 1, ADMA_STATE_TRANSFER = 3, ADMA_LENGTH_MISMATCH = 4,
};

/* What the data line is at. */
typedef enum SdhciPhase {
    SDHCI_IDLE,
    SDHCI_CARD,      /* the next block is to be got from the card, or given to it */
    SDHCI_WAIT_CARD, /* the card is at it */
    SDHCI_GUEST,     /* the guest reads or fills the buffer (no DMA) */
    SDHCI_MEMORY,    /* the buffer is to be moved to or from memory */
    SDHCI_BOUNDARY,  /* SDMA waits for a new address */
    SDHCI_WAIT_BUSY, /* the card is busy */
} SdhciPhase;

typedef struct Sdhci {
    Device dev;
    SdSlot slot;
    /* Properties. */
    uint8_t spec_version;
    uint64_t capareg, maxcurr;
    bool wp_inverted;
    AddressSpace *as;
    /* Registers. */
    uint32_t sdma, arg, rsp[4];
    uint16_t blksize, blkcnt, trnmod, nor, err, nor_enable, err_enable, nor_signal, err_signal, acmd_err, hostctl2, clkcon;
    uint8_t cmd_low, cmd_high, hostctl, pwrcon, blkgap, wakcon, timeout, adma_err;
    uint64_t adma;
    /* The transfer. */
    uint8_t phase;
    bool reading, dma, adma_end, busy_command, looping;
    uint16_t at;                     /* bytes of the block that the guest has read or filled, or that DMA has moved */
    uint64_t piece;                  /* ADMA: where the present descriptor's data goes on */
    uint32_t piece_bytes;
    uint8_t buffer[SDHCI_MAX_BLOCK];
} Sdhci;

void sdhci_update(Sdhci *s);
void sdhci_raise(Sdhci *s, uint16_t normal);
void sdhci_fail(Sdhci *s, uint16_t error);
/* sdhci-data.c */
void sdhci_data_start(Sdhci *s);
/* Goes on with the transfer as far as it gets. */
void sdhci_data_run(Sdhci *s);
void sdhci_data_stop(Sdhci *s);
uint8_t sdhci_buffer_get(Sdhci *s);
void sdhci_buffer_put(Sdhci *s, uint8_t byte);
void sdhci_card_ready(void *opaque);

#endif
