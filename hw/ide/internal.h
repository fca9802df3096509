/*
 * internal.h: what the files of hw/ide/ share: a channel (cable, SATA link) with its drives, and what a controller does for it.
 *
 * A drive executes commands; the controller moves data. With a legacy controller the guest reads and writes the data
 * register itself and bus master DMA waits until the guest starts it; AHCI moves everything when the drive says so.
 */
#ifndef HW_IDE_INTERNAL_H
#define HW_IDE_INTERNAL_H

#include "hw/block-conf.h"
#include "hw/device.h"
#include "hw/dma.h"
#include "hw/scsi.h"
#include "util/bits.h"

typedef struct IdeChannel IdeChannel;
typedef struct IdeDrive IdeDrive;

enum { SECTOR = 512, IDE_MULT_MAX = 16, IDE_BUF_BYTES = IDE_MULT_MAX * SECTOR, IDE_TRIM_SECTORS = 64, PACKET_BYTES = 12 };

enum { /* status register */
    ATA_BSY = 0x80, ATA_DRDY = 0x40, ATA_DF = 0x20, ATA_DSC = 0x10, ATA_DRQ = 0x08, ATA_ERR = 0x01,
};
enum { /* error register */
    ATA_UNC = 0x40, ATA_IDNF = 0x10, ATA_ABRT = 0x04,
};
enum { ATA_NIEN = 2, ATA_SRST = 4, ATA_HOB = 0x80 };                          /* device control */
enum { ATA_DEV_UNIT = 0x10, ATA_DEV_LBA = 0x40 };                            /* device register */
enum { ATAPI_CD = 1, ATAPI_IO = 2 };                                           /* interrupt reason */

enum { /* commands, ATA/ATAPI-7 volume 1, table 25 */
    CMD_NOP = 0x00, CMD_DATA_SET_MANAGEMENT = 0x06, CMD_DEVICE_RESET = 0x08, CMD_RECALIBRATE = 0x10, CMD_READ = 0x20,
    CMD_READ_ONCE = 0x21, CMD_READ_EXT = 0x24, CMD_READ_DMA_EXT = 0x25, CMD_READ_NATIVE_MAX_EXT = 0x27,
    CMD_READ_MULTIPLE_EXT = 0x29, CMD_READ_LOG_EXT = 0x2f, CMD_WRITE = 0x30, CMD_WRITE_ONCE = 0x31, CMD_WRITE_EXT = 0x34,
    CMD_WRITE_DMA_EXT = 0x35, CMD_WRITE_MULTIPLE_EXT = 0x39, CMD_WRITE_DMA_FUA_EXT = 0x3d, CMD_VERIFY = 0x40,
    CMD_VERIFY_ONCE = 0x41, CMD_VERIFY_EXT = 0x42, CMD_READ_FPDMA = 0x60, CMD_WRITE_FPDMA = 0x61, CMD_SEEK = 0x70,
    CMD_DIAGNOSTIC = 0x90, CMD_INIT_PARAMETERS = 0x91, CMD_PACKET = 0xa0, CMD_IDENTIFY_PACKET = 0xa1, CMD_SMART = 0xb0,
    CMD_READ_MULTIPLE = 0xc4, CMD_WRITE_MULTIPLE = 0xc5, CMD_SET_MULTIPLE = 0xc6, CMD_READ_DMA = 0xc8,
    CMD_READ_DMA_ONCE = 0xc9, CMD_WRITE_DMA = 0xca, CMD_WRITE_DMA_ONCE = 0xcb, CMD_WRITE_MULTIPLE_FUA_EXT = 0xce,
    CMD_STANDBY_NOW = 0xe0, CMD_IDLE_NOW = 0xe1, CMD_STANDBY = 0xe2, CMD_IDLE = 0xe3, CMD_CHECK_POWER = 0xe5, CMD_SLEEP = 0xe6,
    CMD_FLUSH = 0xe7, CMD_FLUSH_EXT = 0xea, CMD_IDENTIFY = 0xec, CMD_SET_FEATURES = 0xef, CMD_READ_NATIVE_MAX = 0xf8,
};

/* What waits for the data register (or the controller). */
typedef enum IdePio {
    PIO_NONE, PIO_READ, PIO_WRITE, PIO_REPLY, PIO_PACKET, PIO_ATAPI, PIO_TRIM,
} IdePio;
typedef enum IdeDma { DMA_NONE, DMA_READ, DMA_WRITE, DMA_TRIM, DMA_ATAPI } IdeDma;

typedef struct IdeHost {
    void (*set_irq)(IdeChannel *ch, int level);
    /* Moves a data block at once and returns true, or lets the guest do it (false). NULL: the guest does. */
    bool (*pio)(IdeChannel *ch, uint8_t *buf, uint32_t len, bool to_device);
    /* The drive is ready for DMA: ide_dma_run() when the controller is. */
    void (*dma_ready)(IdeChannel *ch);
    /* The next piece of the guest's list, `bytes` at most; fewer: the list has ended. */
    void (*dma_list)(IdeChannel *ch, DmaList *list, uint64_t bytes);
    /* DMA is over: all moved, or the list was too short for the drive, or it failed. */
    void (*dma_end)(IdeChannel *ch, bool short_list, bool failed);
    /* The command is over; status and error are final. NULL: the interrupt says so. */
    void (*command_done)(IdeChannel *ch);
    AddressSpace *(*dma_space)(IdeChannel *ch);
} IdeHost;

typedef struct IdeTaskFile {
    uint8_t feature, nsector, low, mid, high;
} IdeTaskFile;

struct IdeDrive {
    Device dev;
    BlockConf conf;
    uint32_t unit;                /* property; UINT32_MAX: choose */
    char *model, *version;
    uint64_t wwn;
    uint16_t rotation_rate;
    bool is_cd;
    IdeChannel *channel;
    char serial_text[21];
    ScsiUnit scsi;                /* ATAPI */
    ScsiRequest packet;
    bool packet_active, packet_dma;
    /* Registers. */
    IdeTaskFile reg, hob;
    uint8_t select, status, error;
    bool irq_pending;
    /* Settings. */
    uint32_t cur_heads, cur_secs;  /* INITIALIZE DEVICE PARAMETERS */
    uint8_t multiple, dma_mode;    /* dma_mode: as SET FEATURES gave it */
    bool write_cache, smart;
    /* The command under way. */
    uint8_t command;
    bool lba48, drop;              /* drop: a reset waits for requests whose results are nobody's */
    IdePio pio;
    IdeDma dma;
    bool to_device, dma_waits, first_block;
    uint64_t lba, left;            /* sectors */
    uint32_t block;                /* sectors in a data block */
    uint32_t chunk;                /* sectors in the request under way */
    uint8_t *data;                 /* data block: buf, or the packet's own buffer */
    uint32_t data_at, data_bytes;
    uint32_t atapi_at, atapi_bytes; /* in the packet's buffer */
    uint8_t *trim;
    uint32_t trim_at, trim_bytes;
    struct iovec iov;
    uint8_t buf[IDE_BUF_BYTES];
};

struct IdeChannel {
    Bus bus;
    const IdeHost *host;
    void *opaque;
    unsigned units, first_serial;
    IdeDrive *drives[2];
    uint8_t selected, control;
    bool in_reset;
};

/* name NULL: as the house names buses; units: 1 or 2. */
void ide_channel_init(IdeChannel *ch, Device *parent, const char *name, unsigned units, const IdeHost *host, void *opaque);
static inline IdeDrive *ide_selected(IdeChannel *ch) { return ch->drives[ch->selected]; }

/* Command block registers 0 (data) to 7, and device control. */
void ide_write(IdeChannel *ch, unsigned reg, uint8_t value);
uint8_t ide_read(IdeChannel *ch, unsigned reg);
uint8_t ide_read_alternate(IdeChannel *ch);
void ide_write_control(IdeChannel *ch, uint8_t value);
void ide_data_write(IdeChannel *ch, uint32_t value, unsigned size);
uint32_t ide_data_read(IdeChannel *ch, unsigned size);
void ide_channel_reset(IdeChannel *ch);

/* ata.c */
void ide_drive_reset(IdeDrive *d);          /* power on, hardware and software reset */
void ide_cancel(IdeDrive *d);               /* what is under way ends without a trace */
void ide_execute(IdeDrive *d, uint8_t command);
void ide_set_signature(IdeDrive *d);
void ide_dma_run(IdeDrive *d);
/* The data block has been moved. */
void ide_data_done(IdeDrive *d);
void ide_start_data(IdeDrive *d, IdePio kind, uint8_t *data, uint32_t bytes, bool to_device);
/* The end of a command: interrupt, and back to rest. */
void ide_finish(IdeDrive *d, uint8_t error);
void ide_dma_want(IdeDrive *d, IdeDma kind);
uint64_t ide_sectors(const IdeDrive *d);
/* identify.c */
void ide_identify(const IdeDrive *d, uint8_t out[SECTOR]);
void ide_identify_packet(const IdeDrive *d, uint8_t out[SECTOR]);
void ide_smart(IdeDrive *d);
/* atapi.c */
void ide_packet(IdeDrive *d);
void ide_packet_cdb(IdeDrive *d);
void ide_atapi_data_done(IdeDrive *d);
void ide_atapi_dma(IdeDrive *d);
void ide_atapi_cancel(IdeDrive *d);

#endif
