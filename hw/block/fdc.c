/*
 * fdc.c: the PC's floppy disk controller: registers, command and result phases, seeks.
 *
 * Specification: Intel 82077AA data sheet (290166), 2 (registers), 5 (controller phases), 6 (commands); 82078 for the commands
 * it adds. Seeks and rotation take no time. Leaves out: tape drives, single density, sectors of other sizes than 512 bytes.
 */
#include "hw/block/fdc.h"
#include "util/log.h"

enum { REG_SRA = 0, REG_SRB = 1, REG_DOR = 2, REG_TDR = 3, REG_MSR = 4, REG_FIFO = 5, REG_DIR = 7 };
enum { DOR_RESET = 4, DOR_DMA = 8, DOR_MOTOR = 0xf0, DSR_RESET = 0x80, DSR_POWERDOWN = 0x40 };
enum { MSR_RQM = 0x80, MSR_DIO = 0x40, MSR_NDMA = 0x20, MSR_BUSY = 0x10 };
enum { DIR_CHANGED = 0x80, VERSION_82077 = 0x90, RELATIVE_IN = 0x40 };

/* -- interrupts -------------------------------------------------------------------------------------------------------------- */

void fdc_raise(Fdc *s)
{
    s->irq_level = true;
    irq_set(s->irq, (s->dor & DOR_DMA) != 0); /* DMAGATE also gates the interrupt line (2.1.3) */
}

void fdc_lower(Fdc *s)
{
    s->irq_level = false;
    irq_set(s->irq, 0);
}

void fdc_result(Fdc *s, unsigned len)
{
    s->phase = FDC_RESULT;
    s->fifo_at = 0;
    s->fifo_len = (uint8_t)len;
}

static void idle(Fdc *s)
{
    s->phase = FDC_COMMAND;
    s->fifo_at = 0;
    s->fifo_len = 0;
}

/* -- reset ---------------------------------------------------------------------------------------------------------------------- */

/* 2.1.5.1: parameters of SPECIFY stay; those of CONFIGURE only with LOCK. */
static void controller_reset(Fdc *s, bool with_interrupt)
{
    fdc_lower(s);
    if (s->dma && s->transfer != FDC_NONE) {
        s->dma->release_dreq(s->dma_controller, s->dma_n);
    }
    idle(s);
    s->transfer = FDC_NONE;
    s->seek_pending = false;
    s->msr_busy = 0;
    if (!s->lock) {
        s->configure = 0x20; /* FIFO off */
        s->precomp = 0;
    }
    for (unsigned i = 0; i < FDC_DRIVES; i++) {
        if (s->drives[i]) {
            s->drives[i]->head = 0;
            s->drives[i]->sector = 1;
        }
    }
    s->reset_senses = with_interrupt ? 4 : 0;
    if (with_interrupt) {
        fdc_raise(s);
    }
}

/* -- commands (6) ------------------------------------------------------------------------------------------------------------------ */

static void result1(Fdc *s, uint8_t value)
{
    s->fifo[0] = value;
    fdc_result(s, 1);
}

static void seek_to(Fdc *s, unsigned unit, int track, bool relative)
{
    FloppyDrive *d = fdc_drive(s, unit);
    uint8_t st0 = (uint8_t)(ST0_SEEK_END | unit);

    s->dor = (uint8_t)((s->dor & ~3) | unit);
    if (d) {
        /* The head goes as far as there are tracks, some drives a little further. */
        int last = d->cyls ? d->cyls - 1 : 79;
        d->track = (uint8_t)(track < 0 ? 0 : track > last + 3 ? last + 3 : track);
        if (floppy_ready(d)) { /* a step with a disk in the drive clears the change line */
            d->changed = false;
        }
    } else {
        st0 |= ST0_EQUIPMENT | ST0_ABNORMAL; /* no track 0 signal */
    }
    s->st0 = st0;
    s->seek_pending = true;
    idle(s);
    fdc_raise(s);
}

static void cmd_recalibrate(Fdc *s) { seek_to(s, s->fifo[1] & 3, 0, false); }

static void cmd_seek(Fdc *s)
{
    FloppyDrive *d = fdc_drive(s, s->fifo[1] & 3);

    if (d) {
        d->head = s->fifo[1] >> 2 & 1;
    }
    seek_to(s, s->fifo[1] & 3, s->fifo[2], false);
}

static void cmd_relative_seek(Fdc *s)
{
    FloppyDrive *d = fdc_drive(s, s->fifo[1] & 3);
    int now = d ? d->track : 0;

    seek_to(s, s->fifo[1] & 3, s->fifo[0] & RELATIVE_IN ? now + s->fifo[2] : now - s->fifo[2], true);
}

static void cmd_sense_interrupt(Fdc *s)
{
    if (s->reset_senses) {
        unsigned unit = 4u - s->reset_senses--;
        s->fifo[0] = (uint8_t)(ST0_READY_CHANGED | unit);
        s->fifo[1] = s->drives[unit & 1] && unit < FDC_DRIVES ? s->drives[unit]->track : 0;
    } else if (s->seek_pending) {
        FloppyDrive *d = fdc_drive(s, s->st0 & 3);
        s->seek_pending = false;
        s->fifo[0] = (uint8_t)(s->st0 | (d ? d->head << 2 : 0));
        s->fifo[1] = d ? d->track : 0;
    } else {
        fdc_lower(s);
        result1(s, ST0_INVALID);
        return;
    }
    fdc_lower(s);
    fdc_result(s, 2);
}

static void cmd_sense_drive(Fdc *s)
{
    unsigned unit = s->fifo[1] & 3;
    FloppyDrive *d = fdc_drive(s, unit);
    uint8_t head = s->fifo[1] & 4;

    s->dor = (uint8_t)((s->dor & ~3) | unit);
    if (d) {
        d->head = head >> 2;
    }
    result1(s, (uint8_t)(0x28 | head | unit | (d && d->track == 0 ? 0x10 : 0) |
                         (d && floppy_ready(d) && floppy_read_only(d) ? 0x40 : 0)));
}

static void cmd_specify(Fdc *s)
{
    s->specify[0] = s->fifo[1];
    s->specify[1] = s->fifo[2];
    s->non_dma = s->fifo[2] & 1;
    idle(s);
}

static void cmd_configure(Fdc *s)
{
    s->configure = s->fifo[2];
    s->precomp = s->fifo[3];
    idle(s);
}

static void cmd_lock(Fdc *s)
{
    s->lock = s->fifo[0] & 0x80;
    result1(s, s->lock ? 0x10 : 0);
}

static void cmd_dumpreg(Fdc *s)
{
    uint8_t tracks[4] = { 0 };

    for (unsigned i = 0; i < FDC_DRIVES; i++) {
        tracks[i] = s->drives[i] ? s->drives[i]->track : 0;
    }
    memcpy(s->fifo, tracks, 4);
    s->fifo[4] = s->specify[0];
    s->fifo[5] = s->specify[1];
    s->fifo[6] = s->transfer == FDC_FORMAT ? s->last_sc : s->eot;
    s->fifo[7] = (uint8_t)((s->lock ? 0x80 : 0) | (s->perpendicular & 0x7f));
    s->fifo[8] = s->configure;
    s->fifo[9] = s->precomp;
    fdc_result(s, 10);
}

static void cmd_perpendicular(Fdc *s)
{
    s->perpendicular = (uint8_t)(s->fifo[1] & 0x80 ? s->fifo[1] & 0x3f : (s->perpendicular & 0x3c) | (s->fifo[1] & 3));
    idle(s);
}

static void cmd_version(Fdc *s) { result1(s, VERSION_82077); }
static void cmd_part_id(Fdc *s) { result1(s, 0x41); }

static void cmd_option(Fdc *s) { idle(s); }

static void cmd_powerdown(Fdc *s)
{
    result1(s, s->fifo[1]);
}

static void cmd_drive_spec(Fdc *s)
{
    /* Data rate tables of drives: the done bit asks for four result bytes. */
    if (s->fifo[1] & 0x80) {
        memset(s->fifo, 0, 4);
        s->fifo[2] = s->fifo[3] = 0;
        if (s->fifo[1] & 0x40) {
            idle(s);
            return;
        }
        fdc_result(s, 4);
    } else {
        idle(s);
    }
}

static void cmd_save(Fdc *s)
{
    memset(s->fifo, 0, FDC_MAX_PARAMS);
    s->fifo[2] = s->drives[0] ? s->drives[0]->track : 0;
    s->fifo[3] = s->drives[1] ? s->drives[1]->track : 0;
    s->fifo[6] = s->specify[0];
    s->fifo[7] = s->specify[1];
    s->fifo[8] = s->eot;
    s->fifo[9] = (uint8_t)((s->lock ? 0x80 : 0) | (s->perpendicular & 0x7f));
    s->fifo[10] = s->configure;
    s->fifo[11] = s->precomp;
    s->fifo[12] = s->dsr;
    fdc_result(s, 15);
}

static void cmd_restore(Fdc *s)
{
    s->specify[0] = s->fifo[7];
    s->specify[1] = s->fifo[8];
    s->eot = s->fifo[9];
    s->lock = s->fifo[10] & 0x80;
    s->perpendicular = s->fifo[10] & 0x7f;
    s->configure = s->fifo[11];
    s->precomp = s->fifo[12];
    idle(s);
}

static void cmd_read_id(Fdc *s)
{
    unsigned unit = s->fifo[1] & 3;
    FloppyDrive *d = fdc_drive(s, unit);
    uint8_t st0 = 0, st1 = 0;

    s->dor = (uint8_t)((s->dor & ~3) | unit);
    if (d) {
        d->head = s->fifo[1] >> 2 & 1;
    }
    if (!d || !floppy_ready(d) || d->rate != (s->dsr & 3) || d->head >= d->heads || d->track >= d->cyls) {
        st0 = ST0_ABNORMAL;
        st1 = ST1_MISSING_MARK;
    } else {
        /* The disk turns: each time another sector comes by. */
        d->sector = (uint8_t)(d->sector % d->sectors + 1);
    }
    s->fifo[0] = (uint8_t)(st0 | (s->fifo[1] & 7));
    s->fifo[1] = st1;
    s->fifo[2] = 0;
    s->fifo[3] = d ? d->track : 0;
    s->fifo[4] = d ? d->head : 0;
    s->fifo[5] = d ? d->sector : 0;
    s->fifo[6] = 2;
    fdc_result(s, 7);
    fdc_raise(s);
}

static void cmd_read(Fdc *s) { fdc_start_transfer(s, FDC_READ); }
static void cmd_write(Fdc *s) { fdc_start_transfer(s, FDC_WRITE); }
static void cmd_verify(Fdc *s) { fdc_start_transfer(s, FDC_VERIFY); }
static void cmd_format(Fdc *s) { fdc_start_format(s); }

static void cmd_scan(Fdc *s)
{
    uint8_t op = s->fifo[0] & 0x1f;
    s->scan_kind = op == 0x11 ? 0 : op == 0x19 ? 1 : 2;
    fdc_start_transfer(s, FDC_SCAN);
}

static void cmd_invalid(Fdc *s) { result1(s, ST0_INVALID); }

/* Opcode under mask, bytes that follow it; table 5-1 of the data sheet. */
static const struct FdcCommand {
    uint8_t value, mask, params;
    void (*run)(Fdc *s);
} commands[] = {
    { 0x06, 0x1f, 8, cmd_read }, { 0x05, 0x3f, 8, cmd_write }, { 0x08, 0xff, 0, cmd_sense_interrupt }, { 0x0f, 0xff, 2, cmd_seek },
    { 0x07, 0xff, 1, cmd_recalibrate }, { 0x03, 0xff, 2, cmd_specify }, { 0x04, 0xff, 1, cmd_sense_drive },
    { 0x0a, 0xbf, 1, cmd_read_id }, { 0x0d, 0xbf, 5, cmd_format }, { 0x02, 0x9f, 8, cmd_read }, { 0x0c, 0x1f, 8, cmd_read },
    { 0x09, 0x3f, 8, cmd_write }, { 0x16, 0x1f, 8, cmd_verify }, { 0x11, 0x1f, 8, cmd_scan }, { 0x19, 0x1f, 8, cmd_scan },
    { 0x1d, 0x1f, 8, cmd_scan }, { 0x10, 0xff, 0, cmd_version }, { 0x18, 0xff, 0, cmd_part_id }, { 0x13, 0xff, 3, cmd_configure },
    { 0x14, 0x7f, 0, cmd_lock }, { 0x0e, 0xff, 0, cmd_dumpreg }, { 0x12, 0xff, 1, cmd_perpendicular },
    { 0x8f, 0xbf, 2, cmd_relative_seek }, { 0x17, 0xff, 1, cmd_powerdown }, { 0x33, 0xff, 1, cmd_option },
    { 0x8e, 0xff, 1, cmd_drive_spec }, { 0x2e, 0xff, 0, cmd_save }, { 0x4e, 0xff, 15, cmd_restore }, { 0, 0, 0, cmd_invalid },
};

static const struct FdcCommand *command_of(uint8_t opcode)
{
    const struct FdcCommand *c = commands;

    while ((opcode & c->mask) != c->value) {
        c++;
    }
    return c;
}

static void fifo_write(Fdc *s, uint8_t value)
{
    if (!(s->dor & DOR_RESET)) {
        return;
    }
    if (s->phase == FDC_EXECUTION) {
        fdc_lower(s);
        fdc_data_write(s, value);
        return;
    }
    if (s->phase == FDC_RESULT) {
        log_guest_error("fdc: a command byte where a result is to be read\n");
        return;
    }
    if (s->fifo_at < FDC_MAX_PARAMS) {
        s->fifo[s->fifo_at++] = value;
    }
    const struct FdcCommand *c = command_of(s->fifo[0]);
    if (s->fifo_at > c->params) {
        c->run(s);
    }
}

static uint8_t fifo_read(Fdc *s)
{
    if (s->phase == FDC_EXECUTION) {
        fdc_lower(s);
        return fdc_data_read(s);
    }
    if (s->phase != FDC_RESULT) {
        return 0;
    }
    fdc_lower(s);
    uint8_t value = s->fifo[s->fifo_at++];
    if (s->fifo_at >= s->fifo_len) {
        idle(s);
    }
    return value;
}

/* -- registers ---------------------------------------------------------------------------------------------------------------------- */

static uint8_t status(const Fdc *s)
{
    bool to_host = s->phase == FDC_RESULT || (s->phase == FDC_EXECUTION && s->transfer == FDC_READ);
    uint8_t value = s->phase == FDC_COMMAND && !s->fifo_at ? 0 : MSR_BUSY;

    if (!(s->dor & DOR_RESET)) {
        return 0;
    }
    if (s->phase == FDC_EXECUTION) {
        return (uint8_t)(value | (s->use_dma ? 0 : MSR_RQM | MSR_NDMA | (to_host ? MSR_DIO : 0)));
    }
    return (uint8_t)(value | MSR_RQM | (to_host ? MSR_DIO : 0));
}

static uint8_t reg_read(Fdc *s, unsigned reg)
{
    FloppyDrive *d = fdc_selected(s);

    switch (reg) {
    case REG_SRA: return (uint8_t)((s->irq_level ? 0x80 : 0) | (s->drives[1] ? 0 : 0x40) | (d && !d->track ? 0 : 0x10) |
                                   (d && d->head ? 8 : 0) | (d && floppy_ready(d) && floppy_read_only(d) ? 0 : 2));
    case REG_SRB: return (uint8_t)(0xc0 | (s->dor & 1 ? 0x20 : 0) | (s->dor >> 4 & 3));
    case REG_DOR: return s->dor;
    case REG_TDR: return s->tdr;
    case REG_MSR: return status(s);
    case REG_FIFO: return fifo_read(s);
    case REG_DIR: return d && d->changed ? DIR_CHANGED : d ? 0 : DIR_CHANGED;
    default: return 0xff;
    }
}

static void reg_write(Fdc *s, unsigned reg, uint8_t value)
{
    uint8_t old = s->dor;

    switch (reg) {
    case REG_DOR:
        s->dor = value;
        if (!(old & DOR_RESET) && (value & DOR_RESET)) {
            controller_reset(s, true);
        } else if ((old & DOR_RESET) && !(value & DOR_RESET)) {
            controller_reset(s, false);
        } else if ((old ^ value) & DOR_DMA) {
            irq_set(s->irq, s->irq_level && (value & DOR_DMA));
        }
        break;
    case REG_TDR: s->tdr = value & 3; break;
    case REG_MSR: /* data rate select */
        if (s->dor & DOR_RESET) {
            s->dsr = value & 0x7f;
            if (value & DSR_RESET) {
                controller_reset(s, true);
            }
        }
        break;
    case REG_FIFO: fifo_write(s, value); break;
    case REG_DIR: /* configuration control: the rate again */
        s->dsr = (uint8_t)((s->dsr & ~3) | (value & 3));
        break;
    default:
        break;
    }
}

static MemResult low_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    *ret = reg_read(opaque, (unsigned)offset + 1);
    return MEM_OK;
}

static MemResult low_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    reg_write(opaque, (unsigned)offset + 1, (uint8_t)value);
    return MEM_OK;
}

static MemResult high_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    *ret = reg_read(opaque, REG_DIR);
    return MEM_OK;
}

static MemResult high_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    reg_write(opaque, REG_DIR, (uint8_t)value);
    return MEM_OK;
}

static const MemoryOps low_ops = { .read = low_read, .write = low_write, .valid = { 1, 4 }, .impl = { 1, 1 } };
static const MemoryOps high_ops = { .read = high_read, .write = high_write, .valid = { 1, 1 }, .impl = { 1, 1 } };

/* -- the device --------------------------------------------------------------------------------------------------------------------- */

unsigned fdc_cmos_type(Device *fdc, unsigned unit)
{
    FloppyDrive *d = fdc_drive((Fdc *)fdc, unit);

    switch (d ? d->type : FLOPPY_NONE) {
    case FLOPPY_120: return 2;
    case FLOPPY_144: return 4;
    case FLOPPY_288: return 5;
    default: return 0;
    }
}

bool fdc_geometry(Device *fdc, unsigned unit, unsigned *ret_cyls, unsigned *ret_heads, unsigned *ret_secs)
{
    FloppyDrive *d = fdc_drive((Fdc *)fdc, unit);

    if (!d || d->type == FLOPPY_NONE) {
        return false;
    }
    *ret_cyls = 80;
    *ret_heads = 2;
    *ret_secs = d->type == FLOPPY_120 ? 15 : d->type == FLOPPY_144 ? 18 : 36;
    return true;
}

static bool fdc_realize(Device *dev, Error **errp)
{
    Fdc *s = (Fdc *)dev;
    IsaBus *isa = isa_bus_of(dev);

    if (s->iobase > 0xfff0 || s->irq_n >= ISA_N_IRQS || s->dma_n >= 4) {
        error_set(errp, "iobase, irq or dma is not one of the ISA bus's");
        return false;
    }
    if (s->fallback == FLOPPY_AUTO || s->fallback == FLOPPY_NONE) {
        error_set(errp, "Cannot choose a fallback FDrive type of 'auto' or 'none'");
        return false;
    }
    s->irq = isa_irq(isa, s->irq_n);
    s->dma = isa_dma(isa, &s->dma_controller);
    if (s->dma) {
        s->dma->set_transfer(s->dma_controller, s->dma_n, fdc_dma_transfer, s);
    }
    /* Port 3F6h between the two belongs to the fixed disk's controller. */
    memory_region_init_mmio(&s->io_low, &dev->obj, &low_ops, s, "fdc", 5);
    memory_region_init_mmio(&s->io_high, &dev->obj, &high_ops, s, "fdc", 1);
    isa_add_io(isa, (uint16_t)(s->iobase + 1), &s->io_low);
    isa_add_io(isa, (uint16_t)(s->iobase + 7), &s->io_high);
    bus_init_embedded(&s->bus, "floppy-bus", dev, NULL);
    /* The -drive if=floppy that no other controller has. */
    for (unsigned i = 0; i < FDC_DRIVES; i++) {
        BlockBackend *blk = drive_get("floppy", i);
        const char *const props[] = { "drive", blk ? block_id(blk) : "", "unit", i ? "1" : "0", NULL };
        if (blk && !device_create("floppy", &s->bus, props, errp)) {
            return false;
        }
    }
    return true;
}

static void fdc_unrealize(Device *dev)
{
    Fdc *s = (Fdc *)dev;

    if (s->dma) {
        s->dma->release_dreq(s->dma_controller, s->dma_n);
        s->dma->set_transfer(s->dma_controller, s->dma_n, NULL, NULL);
    }
}

static void fdc_reset(Device *dev, ResetKind kind)
{
    Fdc *s = (Fdc *)dev;

    s->dor = DOR_RESET | DOR_DMA;
    s->dsr = 2; /* 250 kbit/s */
    s->tdr = 0;
    s->lock = false;
    s->non_dma = false;
    s->perpendicular = 0;
    controller_reset(s, false);
}

static bool post_load(void *opaque, uint32_t version, Error **errp)
{
    Fdc *s = opaque;

    if (s->phase > FDC_RESULT || s->transfer > FDC_SCAN || s->fifo_at > FDC_MAX_PARAMS || s->fifo_len > FDC_MAX_PARAMS ||
        (s->phase == FDC_RESULT && s->fifo_at >= s->fifo_len) || s->reset_senses > 4 ||
        s->data_at >= (s->transfer == FDC_FORMAT ? 4 : FDC_SECTOR) || (s->transfer == FDC_FORMAT && !s->format_left)) {
        error_set(errp, "isa-fdc: a transfer that cannot be");
        idle(s);
        s->transfer = FDC_NONE;
        s->data_at = 0;
        s->reset_senses = 0;
        return false;
    }
    irq_set(s->irq, s->irq_level && (s->dor & DOR_DMA));
    return true;
}

static const StateField fields[] = {
    STATE_U(Fdc, dor), STATE_U(Fdc, tdr), STATE_U(Fdc, dsr), STATE_U(Fdc, phase), STATE_U(Fdc, irq_level), STATE_U(Fdc, reset_senses),
    STATE_U(Fdc, st0), STATE_U(Fdc, seek_pending), STATE_BYTES(Fdc, fifo), STATE_U(Fdc, fifo_at), STATE_U(Fdc, fifo_len),
    STATE_BYTES(Fdc, specify), STATE_U(Fdc, configure), STATE_U(Fdc, precomp), STATE_U(Fdc, last_sc), STATE_U(Fdc, non_dma),
    STATE_U(Fdc, lock), STATE_U(Fdc, perpendicular), STATE_U(Fdc, transfer), STATE_U(Fdc, multi_track), STATE_U(Fdc, use_dma),
    STATE_U(Fdc, command), STATE_U(Fdc, eot), STATE_U(Fdc, filler), STATE_U(Fdc, format_left), STATE_U(Fdc, scan_kind),
    STATE_U(Fdc, st1), STATE_U(Fdc, st2), STATE_U(Fdc, scan_equal), STATE_U(Fdc, past_end), STATE_BYTES(Fdc, data), STATE_U(Fdc, data_at),
    STATE_U(Fdc, data_valid),
};
static const StateDesc state = {
    .name = "isa-fdc", .version = 1, .fields = fields, .n_fields = ARRAY_SIZE(fields), .post_load = post_load,
};

static const Property props[] = {
    PROP_U32("iobase", Fdc, iobase, 0x3f0, "First port"), PROP_U32("irq", Fdc, irq_n, 6, "Interrupt line"),
    PROP_U32("dma", Fdc, dma_n, 2, "DMA channel"),
    PROP_BOOTINDEX_NAMED("bootindexA", Fdc, bootindex[0], "/floppy@0"),
    PROP_BOOTINDEX_NAMED("bootindexB", Fdc, bootindex[1], "/floppy@1"),
    { .name = "fallback", .kind = PROP_ENUM, .offset = offsetof(Fdc, fallback), .names = floppy_type_names, .def = FLOPPY_288,
      .has_default = true, .type_name = "FdcDriveType", .help = "Type of a drive without a medium, 144/288/120" },
};

static char *fw_path(Device *dev)
{
    return xasprintf("fdc@%04x", ((Fdc *)dev)->iobase);
}

static const DeviceType isa_fdc_type = {
    .type = { .name = "isa-fdc", .parent = "isa-device", .size_bytes = sizeof(Fdc), .summary = "virtual floppy controller",
              .props = props, .n_props = ARRAY_SIZE(props) },
    .category = DEVICE_STORAGE, .bus = "ISA", .state = &state, .realize = fdc_realize, .unrealize = fdc_unrealize,
    .reset_hold = fdc_reset, .user_creatable = true, .fw_path = fw_path,
};
DEVICE_TYPE_REGISTER(isa_fdc_type);
