/*
 * fdc.h: the floppy disk controller and its drives, shared by commands (fdc.c), data transfer (fdc-data.c) and drives
 * (floppy.c).
 */
#ifndef HW_BLOCK_FDC_H
#define HW_BLOCK_FDC_H

#include "hw/block-conf.h"
#include "hw/fdc.h"
#include "hw/isa.h"

enum { FDC_DRIVES = 2, FDC_SECTOR = 512, FDC_MAX_PARAMS = 16 };

typedef enum FloppyType { FLOPPY_AUTO, FLOPPY_144, FLOPPY_288, FLOPPY_120, FLOPPY_NONE } FloppyType;
extern const char *const floppy_type_names[];

typedef struct Fdc Fdc;

typedef struct FloppyDrive {
    Device dev;
    BlockConf conf;
    uint32_t unit;
    int type;                  /* FloppyType; auto until the medium decides */
    Fdc *fdc;
    /* The medium's geometry; sectors 0: none in the drive. */
    uint8_t cyls, heads, sectors, rate;
    /* Where the head is. */
    uint8_t track, head, sector;
    bool changed, perpendicular;
} FloppyDrive;

typedef enum FdcPhase { FDC_COMMAND, FDC_EXECUTION, FDC_RESULT } FdcPhase;
typedef enum FdcTransfer { FDC_NONE, FDC_READ, FDC_WRITE, FDC_VERIFY, FDC_FORMAT, FDC_SCAN } FdcTransfer;

enum { ST0_ABNORMAL = 0x40, ST0_INVALID = 0x80, ST0_READY_CHANGED = 0xc0, ST0_SEEK_END = 0x20, ST0_EQUIPMENT = 0x10 };
enum { ST1_MISSING_MARK = 0x01, ST1_NOT_WRITABLE = 0x02, ST1_NO_DATA = 0x04, ST1_DATA_ERROR = 0x20, ST1_END_OF_TRACK = 0x80 };
enum { ST2_SCAN_UNSATISFIED = 0x04, ST2_SCAN_EQUAL = 0x08, ST2_WRONG_TRACK = 0x10, ST2_DATA_ERROR = 0x20, ST2_DELETED = 0x40 };

struct Fdc {
    Device dev;
    Bus bus;
    uint32_t iobase, irq_n, dma_n;
    int fallback;
    int32_t bootindex[FDC_DRIVES];
    FloppyDrive *drives[FDC_DRIVES];
    MemoryRegion io_low, io_high;
    Irq *irq;
    const IsaDmaOps *dma;
    void *dma_controller;
    /* Registers. */
    uint8_t dor, tdr, dsr, msr_busy;
    FdcPhase phase;
    bool irq_level;
    uint8_t reset_senses;      /* SENSE INTERRUPT answers a reset still owes */
    uint8_t st0;               /* of the last seek */
    bool seek_pending;
    /* Command and result bytes. */
    uint8_t fifo[FDC_MAX_PARAMS];
    uint8_t fifo_at, fifo_len;
    /* SPECIFY, CONFIGURE, LOCK, …: kept for DUMPREG. */
    uint8_t specify[2], configure, precomp, last_sc;
    bool non_dma, lock;
    uint8_t perpendicular;
    /* A data transfer. */
    FdcTransfer transfer;
    bool multi_track, use_dma;
    uint8_t command, eot, filler, format_left, scan_kind;
    uint8_t st1, st2;
    bool scan_equal, past_end;
    uint8_t data[FDC_SECTOR];
    uint16_t data_at, data_len;
    bool data_valid;           /* reads: the sector is in data */
};

static inline FloppyDrive *fdc_drive(Fdc *s, unsigned n) { return n < FDC_DRIVES ? s->drives[n] : NULL; }
static inline FloppyDrive *fdc_selected(Fdc *s) { return fdc_drive(s, s->dor & 3); }

/* floppy.c */
void floppy_probe(FloppyDrive *d);
bool floppy_ready(const FloppyDrive *d);   /* a medium is in */
bool floppy_read_only(const FloppyDrive *d);
int64_t floppy_offset(const FloppyDrive *d, unsigned track, unsigned head, unsigned sector); /* -1: no such sector */
/* fdc-data.c */
void fdc_start_transfer(Fdc *s, FdcTransfer kind);
void fdc_start_format(Fdc *s);
uint8_t fdc_data_read(Fdc *s);
void fdc_data_write(Fdc *s, uint8_t value);
uint32_t fdc_dma_transfer(void *opaque, unsigned channel, uint32_t pos, uint32_t len);
/* fdc.c */
void fdc_result(Fdc *s, unsigned len);
void fdc_raise(Fdc *s);
void fdc_lower(Fdc *s);

#endif
