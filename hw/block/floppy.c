/*
 * floppy.c: floppy disk drives: what size of image is which format, media that change.
 */
#include "hw/block/fdc.h"

const char *const floppy_type_names[] = { "auto", "144", "288", "120", "none", NULL };

/* Data rates as the rate select registers encode them (82077AA, 2.1.7): 500, 300, 250 kbit/s, 1 Mbit/s. */
enum { RATE_500 = 0, RATE_300 = 1, RATE_250 = 2, RATE_1000 = 3 };

/* The first of each type is what an image of another size is taken for. */
static const struct { uint8_t type, sectors, cyls, heads, rate; } formats[] = {
    { FLOPPY_144, 18, 80, 2, RATE_500 }, { FLOPPY_144, 20, 80, 2, RATE_500 }, { FLOPPY_144, 21, 80, 2, RATE_500 },
    { FLOPPY_144, 21, 82, 2, RATE_500 }, { FLOPPY_144, 21, 83, 2, RATE_500 }, { FLOPPY_144, 22, 80, 2, RATE_500 },
    { FLOPPY_144, 23, 80, 2, RATE_500 }, { FLOPPY_144, 24, 80, 2, RATE_500 },
    { FLOPPY_288, 36, 80, 2, RATE_1000 }, { FLOPPY_288, 39, 80, 2, RATE_1000 }, { FLOPPY_288, 40, 80, 2, RATE_1000 },
    { FLOPPY_288, 44, 80, 2, RATE_1000 }, { FLOPPY_288, 48, 80, 2, RATE_1000 },
    { FLOPPY_144, 9, 80, 2, RATE_250 }, { FLOPPY_144, 10, 80, 2, RATE_250 }, { FLOPPY_144, 10, 82, 2, RATE_250 },
    { FLOPPY_144, 10, 83, 2, RATE_250 }, { FLOPPY_144, 13, 80, 2, RATE_250 }, { FLOPPY_144, 14, 80, 2, RATE_250 },
    { FLOPPY_120, 15, 80, 2, RATE_500 }, { FLOPPY_120, 18, 82, 2, RATE_500 }, { FLOPPY_120, 18, 83, 2, RATE_500 },
    { FLOPPY_120, 9, 40, 2, RATE_300 }, { FLOPPY_120, 9, 40, 1, RATE_300 }, { FLOPPY_120, 10, 41, 2, RATE_300 },
    { FLOPPY_120, 10, 42, 2, RATE_300 }, { FLOPPY_120, 8, 40, 2, RATE_250 }, { FLOPPY_120, 8, 40, 1, RATE_250 },
};

bool floppy_ready(const FloppyDrive *d)
{
    return d->conf.blk && block_has_medium(d->conf.blk) && d->sectors;
}

bool floppy_read_only(const FloppyDrive *d)
{
    return block_is_readonly(d->conf.blk);
}

int64_t floppy_offset(const FloppyDrive *d, unsigned track, unsigned head, unsigned sector)
{
    if (track >= d->cyls || head >= d->heads || !sector || sector > d->sectors) {
        return -1;
    }
    return ((int64_t)(track * d->heads + head) * d->sectors + sector - 1) * FDC_SECTOR;
}

void floppy_probe(FloppyDrive *d)
{
    size_t best = ARRAY_SIZE(formats);

    if (!block_has_medium(d->conf.blk)) {
        d->sectors = 0;
        if (d->type == FLOPPY_AUTO) {
            d->type = d->fdc->fallback;
        }
        return;
    }
    uint64_t sectors = block_size_bytes(d->conf.blk) / FDC_SECTOR;
    for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
        if ((d->type == FLOPPY_AUTO || d->type == formats[i].type) &&
            sectors == (uint64_t)formats[i].sectors * formats[i].cyls * formats[i].heads) {
            best = i;
            break;
        }
    }
    for (size_t i = 0; best == ARRAY_SIZE(formats) && i < ARRAY_SIZE(formats); i++) {
        if (formats[i].type == (d->type == FLOPPY_AUTO ? d->fdc->fallback : d->type)) {
            best = i;
        }
    }
    if (best == ARRAY_SIZE(formats)) {
        best = 0;
    }
    if (d->type == FLOPPY_AUTO) {
        d->type = formats[best].type;
    }
    d->sectors = formats[best].sectors;
    d->cyls = formats[best].cyls;
    d->heads = formats[best].heads;
    d->rate = formats[best].rate;
}

static void medium_changed(void *opaque, bool loaded)
{
    FloppyDrive *d = opaque;

    d->changed = true;
    floppy_probe(d);
}

static const BlockMediaOps media_ops = { .changed = medium_changed };

static bool floppy_realize(Device *dev, Error **errp)
{
    FloppyDrive *d = (FloppyDrive *)dev;
    Fdc *fdc = (Fdc *)dev->bus->parent;

    d->fdc = fdc;
    if (!block_conf_attach(&d->conf, dev, false, true, FDC_SECTOR, errp)) {
        return false;
    }
    if (d->conf.logical_block_size != FDC_SECTOR || d->conf.physical_block_size != FDC_SECTOR) {
        error_set(errp, "Physical and logical block size must be 512 for floppy");
        block_conf_detach(&d->conf);
        return false;
    }
    block_set_media_ops(d->conf.blk, &media_ops, d);
    fdc->drives[d->unit] = d;
    d->sector = 1;
    d->changed = true;
    floppy_probe(d);
    return true;
}

static void floppy_unrealize(Device *dev)
{
    FloppyDrive *d = (FloppyDrive *)dev;

    d->fdc->drives[d->unit] = NULL;
    block_conf_detach(&d->conf);
}

static void floppy_reset(Device *dev, ResetKind kind)
{
    FloppyDrive *d = (FloppyDrive *)dev;

    d->track = d->head = 0;
    d->sector = 1;
    d->changed = true;
}

static bool bus_check(Bus *bus, Device *dev, Error **errp)
{
    Fdc *fdc = (Fdc *)bus->parent;
    FloppyDrive *d = (FloppyDrive *)dev;

    if (d->unit == UINT32_MAX) {
        d->unit = fdc->drives[0] ? 1 : 0;
    }
    if (d->unit >= FDC_DRIVES) {
        error_set(errp, "Can't create floppy unit %u, bus supports only %d units", d->unit, FDC_DRIVES);
        return false;
    }
    if (fdc->drives[d->unit]) {
        error_set(errp, "Floppy unit %u is in use", d->unit);
        return false;
    }
    return true;
}

static const BusType floppy_bus_type = {
    .type = { .name = "floppy-bus", .parent = "bus", .size_bytes = sizeof(Bus), .summary = "drives of a floppy disk controller" },
    .kind = "floppy-bus", .max_devices = FDC_DRIVES, .check = bus_check,
};
OBJECT_TYPE_REGISTER(floppy_bus_type);

static const StateField fields[] = {
    STATE_U(FloppyDrive, track), STATE_U(FloppyDrive, head), STATE_U(FloppyDrive, sector), STATE_U(FloppyDrive, changed),
};
static const StateDesc state = { .name = "floppy", .version = 1, .fields = fields, .n_fields = ARRAY_SIZE(fields) };

static const Property props[] = {
    BLOCK_CONF_PROPS(FloppyDrive, conf),
    PROP_U32("unit", FloppyDrive, unit, UINT32_MAX, "0: A, 1: B; default: the first that is free"),
    { .name = "drive-type", .kind = PROP_ENUM, .offset = offsetof(FloppyDrive, type), .names = floppy_type_names, .def = FLOPPY_AUTO,
      .has_default = true, .type_name = "FdcDriveType", .help = "FDC drive type, 144/288/120/none/auto" },
};

static const DeviceType floppy_type = {
    .type = { .name = "floppy", .parent = "device", .size_bytes = sizeof(FloppyDrive), .summary = "virtual floppy drive",
              .props = props, .n_props = ARRAY_SIZE(props) },
    .category = DEVICE_STORAGE, .bus = "floppy-bus", .state = &state, .realize = floppy_realize, .unrealize = floppy_unrealize,
    .reset_hold = floppy_reset, .user_creatable = true,
};
DEVICE_TYPE_REGISTER(floppy_type);
