/*
 * contract.c: see contract.h.
 */
#include "tests/hw/contract.h"
#include "tests/test.h"

static uint64_t seed = 0x9e3779b97f4a7c15ull;

static uint64_t rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* --- contract: register tables --- */

static uint64_t ones(unsigned size)
{
    return ~UINT64_C(0) >> (64 - 8 * size);
}

static void check_register(Device *dev, const RegisterBank *bank, const Register *reg,
                           unsigned index)
{
    uint64_t offset = reg->offset + (uint64_t)index * (reg->stride ? reg->stride : reg->size);
    uint64_t value, before, after;
    MemResult result;

    device_reset(dev, RESET_COLD);
    if (reg->field_size && !reg->no_reset) {
        CHECK(register_peek(dev, reg, index, &value));
        CHECK_EQ(value, reg->reset);
    }
    if (reg->write_only) {
        CHECK_EQ(register_read(dev, bank, offset, reg->size, &result), 0);
    } else if (!reg->read && register_peek(dev, reg, index, &value)) {
        uint64_t mask = reg->read_mask ? reg->read_mask : ones(reg->size);
        CHECK_EQ(register_read(dev, bank, offset, reg->size, &result), value & mask);
        for (unsigned i = 0; i < reg->size && bank->access_min <= 1; i++) {
            CHECK_EQ(register_read(dev, bank, offset + i, 1, &result),
                     (value & mask) >> 8 * i & 0xff);
        }
    }
    for (unsigned round = 0; round < 4; round++) {
        uint64_t put = round == 0 ? ones(reg->size) : round == 1 ? 0 : rnd() & ones(reg->size);
        bool have = register_peek(dev, reg, index, &before);
        CHECK_EQ(register_write(dev, bank, offset, reg->size, put), MEM_OK);
        if (!have || !register_peek(dev, reg, index, &after)) {
            continue;
        }
        if (reg->read_only) {
            CHECK_EQ(after, before);
        } else if (!reg->write && !reg->changed) {
            uint64_t mask = reg->write_mask ? reg->write_mask : reg->w1c_mask ? 0 : ~0ull;
            CHECK_EQ(after, ((before & ~mask) | (put & mask)) & ~(put & reg->w1c_mask) &
                     ones(reg->field_size));
        }
    }
}

static void check_tables(Device *dev)
{
    const DeviceType *type = device_type(dev);

    for (size_t b = 0; b < type->n_banks; b++) {
        const RegisterBank *bank = &type->banks[b];
        CHECK(bank->name && (bank->regs || bank->ops));
        for (size_t r = 0; r < bank->n_regs; r++) {
            const Register *reg = &bank->regs[r];
            unsigned count = reg->count ? reg->count : 1;
            CHECK(reg->name && (reg->size == 1 || reg->size == 2 || reg->size == 4 ||
                                reg->size == 8));
            CHECK(!r || bank->regs[r - 1].offset < reg->offset);
            CHECK(reg->field_size || reg->read || reg->write || reg->read_only ||
                  reg->write_only);
            for (unsigned i = 0; i < count && i < 40; i++) {
                check_register(dev, bank, reg, i);
            }
        }
    }
}

/* --- contract: saved state --- */

/* A bool that is neither 0 nor 1 has no defined value (C11 6.2.6.1). */
static bool bools_are_bools(const StateDesc *desc, const char *opaque)
{
    for (size_t i = 0; i < desc->n_fields; i++) {
        const StateField *f = &desc->fields[i];
        const char *base = f->indirect ? *(char *const *)(opaque + f->offset) : opaque + f->offset;
        uint32_t count = f->count_is_field ? *(const uint32_t *)(opaque + f->count_field) : MAX(f->count, 1);

        for (uint32_t k = 0; k < count; k++) {
            const char *elem = base + (size_t)k * f->elem_size;
            if ((f->is_bool && *(const uint8_t *)elem > 1) || (f->kind == STATE_STRUCT && !bools_are_bools(f->sub, elem))) {
                fprintf(stderr, "%s.%s\n", desc->name, f->name);
                return false;
            }
        }
    }
    for (size_t i = 0; desc->subsections && desc->subsections[i]; i++) {
        if (!bools_are_bools(desc->subsections[i], opaque)) {
            return false;
        }
    }
    return true;
}

static void check_state(Device *dev)
{
    StateBuffer a = {0}, b = {0};
    size_t pos = 0;
    Error *err = NULL;

    for (unsigned i = 0; i < 300; i++) {
        unsigned n = (unsigned)(rnd() % MAX(dev->n_mmio, 1));
        if (n < dev->n_mmio && strcmp(dev->obj.type->name, "riscv.sifive.test")) {
            uint64_t size = memory_region_size(dev->mmio[n]);
            uint64_t value, offset = rnd() % size;
            unsigned width = 1u << rnd() % 4;

            offset = rnd() & 1 ? offset : offset & 0xfff; /* often near the start */
            offset &= ~(uint64_t)(width - 1);
            if (rnd() & 1) {
                memory_region_write(dev->mmio[n], offset, width, MEM_LITTLE_ENDIAN, rnd(),
                                    MEM_ATTRS_NONE);
            } else {
                memory_region_read(dev->mmio[n], offset, width, MEM_LITTLE_ENDIAN, &value,
                                   MEM_ATTRS_NONE);
            }
        }
    }
    device_save(dev, &a);
    device_reset(dev, RESET_COLD);
    bool ok = device_load(dev, a.at, a.n, &pos, &err);
    CHECK(ok);
    if (!ok) {
        fprintf(stderr, "%s: %s\n", dev->obj.type->name, error_message(err));
        error_free(err);
        err = NULL;
    }
    CHECK_EQ(pos, a.n);
    device_save(dev, &b);
    CHECK_EQ(a.n, b.n);
    if (a.n != b.n || memcmp(a.at, b.at, a.n)) {
        test_failures++;
        fprintf(stderr, "%s: state differs after save, reset, load\n", dev->obj.type->name);
    }
    /* Cut short or damaged input: an error, never a crash. */
    for (size_t len = 0; len < a.n; len += 1 + a.n / 40) {
        pos = 0;
        CHECK(!device_load(dev, a.at, len, &pos, &err));
        error_free(err);
        err = NULL;
    }
    for (unsigned i = 0; i < 200 && a.n; i++) {
        a.at[rnd() % a.n] = (uint8_t)rnd();
        pos = 0;
        if (!device_load(dev, a.at, a.n, &pos, &err)) {
            error_free(err);
            err = NULL;
        }
        CHECK(!device_type(dev)->state || bools_are_bools(device_type(dev)->state, (char *)dev));
    }
    device_reset(dev, RESET_COLD);
    vec_free(&a);
    vec_free(&b);
}

static void check_prop(const ObjectType *owner, const Property *prop, void *opaque)
{
    PropValue value;
    char *def = property_default_text(prop);

    CHECK(property_type_name(prop) != NULL);
    free(def);
    if (object_property_get(opaque, prop->name, &value, NULL)) {
        char *text = prop_value_text(&value);
        CHECK(text != NULL);
        free(text);
        prop_value_finish(&value);
    }
}

void contract_check(Device *dev, void *opaque)
{
    object_type_foreach_prop(dev->obj.type, check_prop, dev);
    check_tables(dev);
    check_state(dev);
    (*(unsigned *)opaque)++;
}

int contract_failures(void)
{
    return test_failures;
}
