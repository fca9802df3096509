/*
 * unimplemented.c: a stretch of addresses where a board has a device that is not modelled: reads as 0, swallows writes, and says so with -d unimp.
 */
#include "hw/device.h"
#include "util/log.h"

typedef struct Unimplemented {
    Device dev;
    char *name;
    uint64_t bytes;
} Unimplemented;

static MemResult unimp_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    log_unimp("%s: read of %u bytes at 0x%" PRIx64 ": no such device\n", ((Unimplemented *)opaque)->name, size, offset);
    *ret = 0;
    return MEM_OK;
}

static MemResult unimp_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    log_unimp("%s: write of 0x%" PRIx64 " (%u bytes) at 0x%" PRIx64 ": no such device\n", ((Unimplemented *)opaque)->name, value, size, offset);
    return MEM_OK;
}

static const MemoryOps unimp_ops = { .read = unimp_read, .write = unimp_write, .valid = { .min = 1, .max = 8, .unaligned = true },
                                     .impl = { .min = 1, .max = 8, .unaligned = true } };
static const RegisterBank unimp_banks[] = { { .name = "unimplemented-device", .ops = &unimp_ops } };

static bool unimp_realize(Device *dev, Error **errp)
{
    Unimplemented *s = (Unimplemented *)dev;

    if (!s->bytes || !s->name) {
        error_set(errp, "unimplemented-device needs name= and size=");
        return false;
    }
    device_set_bank_size(dev, 0, s->bytes);
    return true;
}

static const Property unimp_props[] = {
    PROP_U64("size", Unimplemented, bytes, 0, "Bytes"), PROP_STR("name", Unimplemented, name, "What it stands for"),
};

static const DeviceType unimp_type = {
    .type = { .name = "unimplemented-device", .parent = "sys-bus-device", .summary = "a device that is not modelled",
              .size_bytes = sizeof(Unimplemented), .props = unimp_props, .n_props = ARRAY_SIZE(unimp_props) },
    .category = DEVICE_MISC, .bus = "System", .banks = unimp_banks, .n_banks = ARRAY_SIZE(unimp_banks), .realize = unimp_realize,
};
DEVICE_TYPE_REGISTER(unimp_type);
