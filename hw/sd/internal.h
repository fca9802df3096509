/*
 * internal.h: between the files of the SD card.
 */
#ifndef HW_SD_INTERNAL_H
#define HW_SD_INTERNAL_H

#include "block/block.h"
#include "hw/sd.h"

/* As the card status says them (4.8, table 4-42). */
typedef enum SdState {
    SD_IDLE, SD_READY, SD_IDENT, SD_STBY, SD_TRAN, SD_SENDING, SD_RCV, SD_PRG, SD_DIS, SD_INACTIVE,
} SdState;

enum {
    SD_BUFFER_BYTES = 64 * 1024,
    SD_SMALL_BYTES = 64,            /* registers that are sent as data */
};
/* Card status (4.10.1) */
#define SD_OUT_OF_RANGE (1u << 31)
#define SD_ADDRESS_ERROR (1u << 30)
#define SD_BLOCK_LEN_ERROR (1u << 29)
#define SD_ERASE_SEQ_ERROR (1u << 28)
#define SD_WP_VIOLATION (1u << 26)
#define SD_ILLEGAL_COMMAND (1u << 22)
#define SD_ERROR (1u << 19)
#define SD_READY_FOR_DATA (1u << 8)
#define SD_APP_CMD (1u << 5)

/* What the data phase is about. */
typedef enum SdSource { SD_FROM_NOTHING, SD_FROM_SMALL, SD_FROM_MEMORY } SdSource;

typedef struct SdCard {
    Device dev;
    BlockBackend *blk;
    uint8_t spec_version;
    SdSlot *slot;                   /* whose wires lead here */
    /* State (saved). */
    uint8_t state, source, wide;
    bool app, high_capacity_host, powered, count_given, single, busy;
    uint8_t functions[6];           /* chosen by CMD6 */
    uint16_t rca;
    uint32_t status, block_len, count; /* status: error bits until told; count: CMD23's blocks left */
    uint32_t erase_first, erase_last;  /* in blocks; UINT32_MAX: not given */
    uint64_t pos;                   /* of the next byte of the data phase, in the card or in `small` */
    uint32_t small_bytes, well_written; /* well_written: ACMD22's blocks */
    uint8_t small[SD_SMALL_BYTES];
    /* Bytes of the card around pos: read ahead, or written and not yet on the medium. */
    uint64_t buffer_at;
    uint32_t buffer_bytes;
    uint8_t buffer[SD_BUFFER_BYTES];
    /* In flight. */
    bool io;
    struct iovec iov;
    uint8_t *to;                    /* who waits for what is read; NULL: nobody */
    uint32_t to_bytes;
    SdDone *done;
    void *done_opaque;
} SdCard;

static inline uint64_t sd_bytes(const SdCard *c)
{
    return c->blk && block_has_medium(c->blk) ? block_size_bytes(c->blk) : 0;
}

/* More than 2 GiB: addresses are in blocks (SDHC, SDXC). */
static inline bool sd_is_large(const SdCard *c)
{
    return sd_bytes(c) > 2 * GiB;
}

/* sd-registers.c: CID, CSD, SCR, SD status, the answer to CMD6. */
void sd_make_cid(const SdCard *c, uint8_t ret[16]);
void sd_make_csd(const SdCard *c, uint8_t ret[16]);
void sd_make_scr(const SdCard *c, uint8_t ret[8]);
void sd_make_status(const SdCard *c, uint8_t ret[64]);
void sd_switch(SdCard *c, uint32_t arg, uint8_t ret[64]);
/* Whether the CSD can say this many bytes. */
bool sd_size_ok(uint64_t bytes);

/* sd-data.c */
/* Ends the data phase: what is written goes to the medium. */
void sd_data_end(SdCard *c);
/* Forgets everything under way; waits for the medium. */
void sd_data_cancel(SdCard *c);
/* Erases blocks [first, last]. */
void sd_erase(SdCard *c, uint32_t first, uint32_t last);

#endif
