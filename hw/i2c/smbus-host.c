/*
 * smbus-host.c: SMBus host controller registers of PIIX4 and ICH9, the bus and the EEPROMs on it.
 *
 * Left out: the slave interface, interrupts at the end of a transaction (it ends at once), packet error checking.
 *
 * Specifications: 82371AB (PIIX4) 7.3, ICH9 20.2 (host status to host block data), SMBus 2.0, 5.5.
 */
#include "hw/smbus.h"

enum { /* register offsets */
    HST_STS = 0, HST_CNT = 2, HST_CMD = 3, HST_ADD = 4, HST_D0 = 5, HST_D1 = 6, BLOCK_DB = 7, AUX_CTL = 0x0d,
};
enum { STS_INTR = 2, STS_DEV_ERR = 4, STS_W1C = 0x5e, CNT_START = 0x40, CNT_WRITABLE = 0x1f | 0x80, AUX_E32B = 2 };
enum { /* HST_CNT bits 4:2 */
    QUICK = 0, BYTE = 1, BYTE_DATA = 2, WORD_DATA = 3, PROCESS_CALL = 4, BLOCK = 5,
};
enum { EEPROM_BYTES = 256, FIRST_EEPROM = 0x50, N_EEPROMS = 8 };

/* ---- the bus ---- */

static bool bus_check(Bus *bus, Device *dev, Error **errp)
{
    uint8_t address = ((SmBusDevice *)dev)->address;

    for (Device *d = bus->first; d; d = d->bus_next) {
        if (((SmBusDevice *)d)->address == address) {
            error_set(errp, "SMBus address 0x%02x is in use by %s", address, d->obj.type->name);
            return false;
        }
    }
    return true;
}

static const BusType smbus_bus_type = {
    .type = { .name = "i2c-bus", .parent = "bus", .size_bytes = sizeof(Bus) }, .kind = "i2c-bus", .check = bus_check,
};
OBJECT_TYPE_REGISTER(smbus_bus_type);

static SmBusDevice *find(SmBusHost *h, uint8_t address)
{
    for (Device *d = h->bus.first; d; d = d->bus_next) {
        if (((SmBusDevice *)d)->address == address) {
            return (SmBusDevice *)d;
        }
    }
    return NULL;
}

/* ---- transactions ---- */

static void run(SmBusHost *h)
{
    SmBusDevice *dev = find(h, h->address >> 1);
    bool read = h->address & 1;
    unsigned protocol = h->control >> 2 & 7;
    uint8_t out[2 + SMBUS_BLOCK_BYTES] = { h->command, h->data0, h->data1 };

    if (!dev) {
        h->status |= STS_DEV_ERR; /* nobody acknowledges */
        return;
    }
    const SmBusType *type = dev->dev.obj.type->class_data;
    h->status |= STS_INTR;
    switch (protocol) {
    case QUICK:
        break;
    case BYTE:
        if (read) {
            h->data0 = type->read(dev);
        } else {
            type->write(dev, out, 1);
        }
        break;
    case BYTE_DATA:
    case WORD_DATA:
    case PROCESS_CALL:
        if (!read || protocol == PROCESS_CALL) {
            type->write(dev, out, protocol == BYTE_DATA ? 2 : 3);
        } else {
            type->write(dev, out, 1);
        }
        if (read || protocol == PROCESS_CALL) {
            h->data0 = type->read(dev);
            h->data1 = protocol == BYTE_DATA ? h->data1 : type->read(dev);
        }
        break;
    case BLOCK: {
        unsigned n = MIN(h->data0, SMBUS_BLOCK_BYTES);
        if (read) {
            type->write(dev, out, 1);
            n = type->read(dev);
            h->data0 = (uint8_t)MIN(n, SMBUS_BLOCK_BYTES);
            for (unsigned i = 0; i < h->data0; i++) {
                h->block[i] = type->read(dev);
            }
        } else {
            out[1] = (uint8_t)n;
            memcpy(out + 2, h->block, n);
            type->write(dev, out, 2 + n);
        }
        h->index = 0;
        break;
    }
    default:
        h->status = (uint8_t)((h->status & ~STS_INTR) | STS_DEV_ERR);
    }
}

/* ---- registers ---- */

static uint8_t block_data(SmBusHost *h, const uint8_t *value)
{
    uint8_t *byte = &h->block[h->index];

    if (value) {
        *byte = *value;
    }
    h->index = (uint8_t)((h->index + 1) % SMBUS_BLOCK_BYTES);
    return *byte;
}

static MemResult host_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    SmBusHost *h = opaque;

    switch (offset) {
    case HST_STS:
        *ret = h->status;
        break;
    case HST_CNT:
        h->index = 0;
        *ret = h->control & CNT_WRITABLE;
        break;
    case HST_CMD:
        *ret = h->command;
        break;
    case HST_ADD:
        *ret = h->address;
        break;
    case HST_D0:
        *ret = h->data0;
        break;
    case HST_D1:
        *ret = h->data1;
        break;
    case BLOCK_DB:
        *ret = block_data(h, NULL);
        break;
    case AUX_CTL:
        *ret = h->aux_control;
        break;
    default:
        *ret = 0;
    }
    return MEM_OK;
}

static MemResult host_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    SmBusHost *h = opaque;
    uint8_t byte = (uint8_t)value;

    switch (offset) {
    case HST_STS:
        h->status &= (uint8_t)~(byte & STS_W1C);
        break;
    case HST_CNT:
        h->control = byte & CNT_WRITABLE;
        if (byte & CNT_START) {
            run(h);
        }
        break;
    case HST_CMD:
        h->command = byte;
        break;
    case HST_ADD:
        h->address = byte;
        break;
    case HST_D0:
        h->data0 = byte;
        break;
    case HST_D1:
        h->data1 = byte;
        break;
    case BLOCK_DB:
        block_data(h, &byte);
        break;
    case AUX_CTL:
        h->aux_control = byte & AUX_E32B; /* the 32-byte buffer is all there is */
        break;
    default:
        break;
    }
    return MEM_OK;
}

static const MemoryOps host_ops = {
    .read = host_read, .write = host_write, .endian = MEM_LITTLE_ENDIAN,
    .valid = { .min = 1, .max = 4 }, .impl = { .min = 1, .max = 1 },
};

void smbus_host_init(SmBusHost *h, Device *parent)
{
    bus_init_embedded(&h->bus, "i2c-bus", parent, "i2c");
    memory_region_init_mmio(&h->mr, &parent->obj, &host_ops, h, "pm-smbus", SMBUS_HOST_BYTES);
}

void smbus_host_reset(SmBusHost *h)
{
    h->status = h->control = h->command = h->address = h->data0 = h->data1 = h->index = 0;
    h->aux_control = AUX_E32B;
    memset(h->block, 0, sizeof(h->block));
}

static bool host_post_load(void *opaque, uint32_t version, Error **errp)
{
    SmBusHost *h = opaque;

    if (h->index >= SMBUS_BLOCK_BYTES) {
        error_set(errp, "SMBus block index %u is out of range", h->index);
        return false;
    }
    return true;
}

static const StateField host_fields[] = {
    STATE_U(SmBusHost, status), STATE_U(SmBusHost, control), STATE_U(SmBusHost, command), STATE_U(SmBusHost, address),
    STATE_U(SmBusHost, data0), STATE_U(SmBusHost, data1), STATE_U(SmBusHost, aux_control), STATE_BYTES(SmBusHost, block),
    STATE_U(SmBusHost, index),
};

const StateDesc smbus_host_state = {
    .name = "smbus-host", .version = 1, .min_version = 1, .fields = host_fields, .n_fields = ARRAY_SIZE(host_fields),
    .post_load = host_post_load,
};

/* ---- EEPROM: 256 bytes, the first byte written is the address ---- */

typedef struct SmBusEeprom {
    SmBusDevice bus;
    uint8_t data[EEPROM_BYTES];
    uint8_t offset;
} SmBusEeprom;

static void eeprom_write(SmBusDevice *dev, const uint8_t *data, unsigned len)
{
    SmBusEeprom *e = (SmBusEeprom *)dev;

    e->offset = data[0];
    for (unsigned i = 1; i < len; i++) {
        e->data[e->offset++] = data[i];
    }
}

static uint8_t eeprom_read(SmBusDevice *dev)
{
    SmBusEeprom *e = (SmBusEeprom *)dev;

    return e->data[e->offset++];
}

static const SmBusType eeprom_class = { .write = eeprom_write, .read = eeprom_read };

static bool eeprom_realize(Device *dev, Error **errp)
{
    return true;
}

static void eeprom_reset(Device *dev, ResetKind kind)
{
    ((SmBusEeprom *)dev)->offset = 0;
}

static const Property eeprom_props[] = { PROP_U8("address", SmBusDevice, address, 0, NULL) };
static const StateField eeprom_fields[] = { STATE_BYTES(SmBusEeprom, data), STATE_U(SmBusEeprom, offset) };
static const StateDesc eeprom_state = {
    .name = "smbus-eeprom", .version = 1, .min_version = 1, .fields = eeprom_fields, .n_fields = ARRAY_SIZE(eeprom_fields),
};

static const DeviceType eeprom_type = {
    .type = { .name = "smbus-eeprom", .parent = "device", .summary = "EEPROM on an SMBus", .size_bytes = sizeof(SmBusEeprom),
              .props = eeprom_props, .n_props = ARRAY_SIZE(eeprom_props), .class_data = &eeprom_class },
    .category = DEVICE_MISC, .bus = "i2c-bus", .state = &eeprom_state, .realize = eeprom_realize,
    .reset_enter = eeprom_reset,
};
DEVICE_TYPE_REGISTER(eeprom_type);

bool smbus_add_eeproms(Device *controller, Error **errp)
{
    for (unsigned i = 0; i < N_EEPROMS; i++) {
        char *address = xasprintf("%u", FIRST_EEPROM + i);
        const char *props[] = { "address", address, NULL };
        Device *dev = device_create("smbus-eeprom", controller->first_bus, props, errp);
        free(address);
        if (!dev) {
            return false;
        }
    }
    return true;
}
