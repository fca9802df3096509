/*
 * register.c: dispatch by register tables.
 *
 * An access is cut at register boundaries. A read narrower than its register
 * gives the bytes asked for; a narrower write replaces these bytes in the
 * register's present value (of its field; without one in 0) and writes the whole.
 */
#include "hw/core/internal.h"
#include "util/log.h"

static uint64_t low_mask(unsigned size)
{
    return ~UINT64_C(0) >> (64 - 8 * size);
}

static uint64_t field_load(const void *field, unsigned size)
{
    switch (size) {
    case 1: return *(const uint8_t *)field;
    case 2: return *(const uint16_t *)field;
    case 4: return *(const uint32_t *)field;
    default: return *(const uint64_t *)field;
    }
}

static void field_store(void *field, unsigned size, uint64_t value)
{
    switch (size) {
    case 1: *(uint8_t *)field = (uint8_t)value; break;
    case 2: *(uint16_t *)field = (uint16_t)value; break;
    case 4: *(uint32_t *)field = (uint32_t)value; break;
    default: *(uint64_t *)field = value; break;
    }
}

static void *register_field(Device *dev, const Register *reg, unsigned index)
{
    return (char *)dev + reg->field + (size_t)index * reg->field_size;
}

bool register_peek(Device *dev, const Register *reg, unsigned index, uint64_t *ret_value)
{
    if (!reg->field_size) {
        return false;
    }
    *ret_value = field_load(register_field(dev, reg, index), reg->field_size);
    return true;
}

static uint32_t register_count(const Register *reg)
{
    return reg->count ? reg->count : 1;
}

static uint32_t register_stride(const Register *reg)
{
    return reg->stride ? reg->stride : reg->size;
}

/* The register at `offset`, which element and which byte of it. */
static const Register *register_find(const RegisterBank *bank, uint64_t offset, unsigned *ret_index,
                                     unsigned *ret_byte)
{
    size_t low = 0, high = bank->n_regs;

    while (low < high) {
        size_t mid = (low + high) / 2;
        if (bank->regs[mid].offset <= offset) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    /* Arrays may be interleaved, so an earlier row may be the one. */
    while (low--) {
        const Register *reg = &bank->regs[low];
        uint64_t from = offset - reg->offset;
        uint64_t index = from / register_stride(reg), byte = from % register_stride(reg);
        if (index < register_count(reg) && byte < reg->size) {
            *ret_index = (unsigned)index;
            *ret_byte = (unsigned)byte;
            return reg;
        }
    }
    return NULL;
}

static uint64_t read_one(Device *dev, const RegisterBank *bank, const Register *reg,
                         unsigned index)
{
    uint64_t value = 0;

    if (reg->write_only) {
        log_guest_error("%s: read of write-only register %s\n", bank->name, reg->name);
        return 0;
    }
    if (reg->read) {
        return reg->read(dev, reg, index);
    }
    register_peek(dev, reg, index, &value);
    return reg->read_mask ? value & reg->read_mask : value;
}

static void write_one(Device *dev, const RegisterBank *bank, const Register *reg, unsigned index,
                      uint64_t value)
{
    uint64_t old = 0;

    if (reg->read_only) {
        log_guest_error("%s: write of 0x%" PRIx64 " to read-only register %s\n", bank->name,
                        value, reg->name);
        return;
    }
    if (reg->write) {
        reg->write(dev, reg, index, value);
        return;
    }
    if (!register_peek(dev, reg, index, &old)) {
        return;
    }
    uint64_t mask = reg->write_mask ? reg->write_mask : reg->w1c_mask ? 0 : ~UINT64_C(0);
    uint64_t new = (old & ~mask) | (value & mask);
    new &= ~(value & reg->w1c_mask);
    field_store(register_field(dev, reg, index), reg->field_size, new);
    if (reg->changed) {
        reg->changed(dev, reg, index, old);
    }
}

uint64_t register_read(Device *dev, const RegisterBank *bank, uint64_t offset, unsigned size,
                       MemResult *ret_result)
{
    bool big = bank->endian == MEM_BIG_ENDIAN;
    uint64_t value = 0;

    *ret_result = MEM_OK;
    for (unsigned pos = 0; pos < size;) {
        unsigned index, byte;
        const Register *reg = register_find(bank, offset + pos, &index, &byte);
        if (!reg) {
            log_guest_error("%s: read of %u bytes at 0x%" PRIx64 ": no such register\n",
                            bank->name, size, offset);
            if (bank->strict) {
                *ret_result = MEM_DECODE_ERROR;
            }
            pos++;
            continue;
        }
        unsigned n = MIN(reg->size - byte, size - pos);
        uint64_t whole = read_one(dev, bank, reg, index) & low_mask(reg->size);
        uint64_t part = whole >> 8 * (big ? reg->size - byte - n : byte) & low_mask(n);
        value |= part << 8 * (big ? size - pos - n : pos);
        pos += n;
    }
    return value;
}

MemResult register_write(Device *dev, const RegisterBank *bank, uint64_t offset, unsigned size,
                         uint64_t value)
{
    bool big = bank->endian == MEM_BIG_ENDIAN;
    MemResult result = MEM_OK;

    for (unsigned pos = 0; pos < size;) {
        unsigned index, byte;
        const Register *reg = register_find(bank, offset + pos, &index, &byte);
        if (!reg) {
            log_guest_error("%s: write of %u bytes at 0x%" PRIx64 ": no such register\n",
                            bank->name, size, offset);
            if (bank->strict) {
                result = MEM_DECODE_ERROR;
            }
            pos++;
            continue;
        }
        unsigned n = MIN(reg->size - byte, size - pos);
        uint64_t part = value >> 8 * (big ? size - pos - n : pos) & low_mask(n);
        if (n < reg->size) {
            unsigned shift = 8 * (big ? reg->size - byte - n : byte);
            uint64_t whole = 0;
            register_peek(dev, reg, index, &whole);
            /* Bits that are cleared by writing ones must not be hit by their own value. */
            whole &= ~reg->w1c_mask;
            part = (whole & ~(low_mask(n) << shift)) | part << shift;
        }
        write_one(dev, bank, reg, index, part & low_mask(reg->size));
        pos += n;
    }
    return result;
}

static MemResult bank_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret_value,
                           MemAttrs attrs)
{
    DeviceBank *b = opaque;
    MemResult result;

    *ret_value = register_read(b->dev, b->bank, offset, size, &result);
    return result;
}

static MemResult bank_write(void *opaque, uint64_t offset, unsigned size, uint64_t value,
                            MemAttrs attrs)
{
    DeviceBank *b = opaque;

    return register_write(b->dev, b->bank, offset, size, value);
}

void device_banks_init(Device *dev)
{
    const DeviceType *type = device_type(dev);

    dev->banks = xnew_array(DeviceBank, type->n_banks + 1);
    for (size_t i = 0; i < type->n_banks; i++) {
        DeviceBank *b = &dev->banks[i];
        const RegisterBank *bank = &type->banks[i];

        b->dev = dev;
        b->bank = bank;
        if (bank->ops) {
            memory_region_init_mmio(&b->mr, &dev->obj, bank->ops, dev, bank->name,
                                    bank->size_bytes);
        } else {
            b->ops.read = bank_read;
            b->ops.write = bank_write;
            b->ops.endian = bank->endian;
            b->ops.valid.min = bank->access_min;
            b->ops.valid.max = bank->access_max;
            b->ops.valid.unaligned = b->ops.impl.unaligned = bank->unaligned;
            memory_region_init_mmio(&b->mr, &dev->obj, &b->ops, b, bank->name,
                                    bank->size_bytes);
        }
        device_add_mmio(dev, &b->mr);
    }
}

void device_banks_finish(Device *dev)
{
    const DeviceType *type = device_type(dev);

    for (size_t i = 0; dev->banks && i < type->n_banks; i++) {
        memory_region_finish(&dev->banks[i].mr);
    }
    /* Readers of the old view may still be inside. */
    if (dev->banks && type->n_banks) {
        memory_synchronize();
    }
    free(dev->banks);
    dev->banks = NULL;
    dev->n_mmio = 0;
}

void device_banks_reset(Device *dev)
{
    const DeviceType *type = device_type(dev);

    for (size_t i = 0; i < type->n_banks; i++) {
        for (size_t r = 0; r < type->banks[i].n_regs; r++) {
            const Register *reg = &type->banks[i].regs[r];
            for (unsigned index = 0; reg->field_size && !reg->no_reset &&
                 index < register_count(reg); index++) {
                field_store(register_field(dev, reg, index), reg->field_size, reg->reset);
            }
        }
    }
}
