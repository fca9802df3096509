/*
 * state.c: saved state as bytes, from the tables of registers and StateDescs.
 *
 * Stream of one description: version (u32), fields in table order, then each
 * subsection as a byte (1: follows). Numbers are little-endian in their own
 * size; a count that comes from a field is written as u32 before its elements.
 * A device is: type name (u8 length, bytes), register fields, description.
 * What is read is not trusted: lengths and counts are checked against the instance.
 */
#include "hw/core/internal.h"
#include "softmmu/clock.h"
#include "util/bits.h"

static void put(StateBuffer *out, const void *data, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        *vec_push(out) = ((const uint8_t *)data)[i];
    }
}

static void put_uint(StateBuffer *out, const void *field, unsigned size)
{
    uint8_t bytes[8];
    uint64_t value = 0;

    switch (size) {
    case 1: value = *(const uint8_t *)field; break;
    case 2: value = *(const uint16_t *)field; break;
    case 4: value = *(const uint32_t *)field; break;
    default: value = *(const uint64_t *)field; break;
    }
    stle64(bytes, value);
    put(out, bytes, size);
}

typedef struct Reader {
    const uint8_t *data;
    size_t len, pos;
} Reader;

static bool get(Reader *in, void *data, size_t n, Error **errp)
{
    if (n > in->len - in->pos) {
        error_set(errp, "saved state ends too early");
        return false;
    }
    memcpy(data, in->data + in->pos, n);
    in->pos += n;
    return true;
}

static bool get_uint(Reader *in, void *field, unsigned size, Error **errp)
{
    uint8_t bytes[8] = {0};

    if (!get(in, bytes, size, errp)) {
        return false;
    }
    switch (size) {
    case 1: *(uint8_t *)field = bytes[0]; break;
    case 2: *(uint16_t *)field = ldle16(bytes); break;
    case 4: *(uint32_t *)field = ldle32(bytes); break;
    default: *(uint64_t *)field = ldle64(bytes); break;
    }
    return true;
}

static bool get_bool(Reader *in, bool *field, const char *name, Error **errp)
{
    uint8_t byte;

    if (!get(in, &byte, 1, errp)) {
        return false;
    }
    if (byte > 1) {
        error_set(errp, "saved state has %u for '%s', neither true nor false", byte, name);
        return false;
    }
    *field = byte;
    return true;
}

static uint32_t field_count(const StateField *f, const void *opaque)
{
    if (f->count_is_field) {
        return *(const uint32_t *)((const char *)opaque + f->count_field);
    }
    return f->count ? f->count : 1;
}

static char *field_base(const StateField *f, void *opaque)
{
    char *base = (char *)opaque + f->offset;

    return f->indirect ? *(char **)base : base;
}

void state_save(const StateDesc *desc, void *opaque, StateBuffer *out)
{
    uint32_t version = desc->version;

    if (desc->pre_save) {
        desc->pre_save(opaque);
    }
    put_uint(out, &version, 4);
    for (size_t i = 0; i < desc->n_fields; i++) {
        const StateField *f = &desc->fields[i];
        uint32_t count = field_count(f, opaque);
        char *base = field_base(f, opaque);

        if (f->count_is_field) {
            put_uint(out, &count, 4);
        }
        for (uint32_t k = 0; k < count; k++) {
            char *elem = base + (size_t)k * f->elem_size;
            int64_t deadline;
            switch (f->kind) {
            case STATE_UINT:
                put_uint(out, elem, f->elem_size);
                break;
            case STATE_BUFFER:
                put(out, elem, f->elem_size);
                break;
            case STATE_TIMER:
                deadline = timer_deadline_ns((Timer *)elem);
                put_uint(out, &deadline, 8);
                break;
            case STATE_STRUCT:
                state_save(f->sub, elem, out);
                break;
            }
        }
    }
    for (size_t i = 0; desc->subsections && desc->subsections[i]; i++) {
        const StateDesc *sub = desc->subsections[i];
        uint8_t present = !sub->needed || sub->needed(opaque);
        put(out, &present, 1);
        if (present) {
            state_save(sub, opaque, out);
        }
    }
}

static bool load_desc(const StateDesc *desc, void *opaque, Reader *in, Error **errp)
{
    uint32_t version;

    if (!get_uint(in, &version, 4, errp)) {
        return false;
    }
    if (version > desc->version || version < desc->min_version) {
        error_set(errp, "saved state of '%s' has version %u, versions %u to %u are known",
                  desc->name, version, desc->min_version, desc->version);
        return false;
    }
    for (size_t i = 0; i < desc->n_fields; i++) {
        const StateField *f = &desc->fields[i];
        uint32_t count = field_count(f, opaque), saved;
        char *base = field_base(f, opaque);

        if (f->since_version > version) {
            continue;
        }
        if (f->count_is_field) {
            if (!get_uint(in, &saved, 4, errp)) {
                return false;
            }
            if (saved != count) {
                error_set(errp, "saved state of '%s' has %u of '%s', this device %u", desc->name,
                          saved, f->name, count);
                return false;
            }
        }
        for (uint32_t k = 0; k < count; k++) {
            char *elem = base + (size_t)k * f->elem_size;
            int64_t deadline;
            bool ok = true;
            switch (f->kind) {
            case STATE_UINT:
                ok = f->is_bool ? get_bool(in, (bool *)elem, f->name, errp) : get_uint(in, elem, f->elem_size, errp);
                break;
            case STATE_BUFFER:
                ok = get(in, elem, f->elem_size, errp);
                break;
            case STATE_TIMER:
                ok = get_uint(in, &deadline, 8, errp);
                if (ok && deadline == INT64_MAX) {
                    timer_cancel((Timer *)elem);
                } else if (ok) {
                    timer_set_ns((Timer *)elem, deadline);
                }
                break;
            case STATE_STRUCT:
                ok = load_desc(f->sub, elem, in, errp);
                break;
            }
            if (!ok) {
                return false;
            }
        }
    }
    for (size_t i = 0; desc->subsections && desc->subsections[i]; i++) {
        uint8_t present;
        if (!get(in, &present, 1, errp)) {
            return false;
        }
        if (present && !load_desc(desc->subsections[i], opaque, in, errp)) {
            return false;
        }
    }
    return !desc->post_load || desc->post_load(opaque, version, errp);
}

bool state_load(const StateDesc *desc, void *opaque, const uint8_t *data, size_t len, size_t *pos,
                Error **errp)
{
    Reader in = { data, len, *pos };
    bool ok = load_desc(desc, opaque, &in, errp);

    *pos = in.pos;
    return ok;
}

/* Calls put_uint/get_uint for each register field of the device. */
static bool registers_transfer(Device *dev, StateBuffer *out, Reader *in, Error **errp)
{
    const DeviceType *type = device_type(dev);

    for (size_t b = 0; b < type->n_banks; b++) {
        for (size_t r = 0; r < type->banks[b].n_regs; r++) {
            const Register *reg = &type->banks[b].regs[r];
            for (uint32_t i = 0; reg->field_size && i < MAX(reg->count, 1); i++) {
                char *field = (char *)dev + reg->field + (size_t)i * reg->field_size;
                if (out) {
                    put_uint(out, field, reg->field_size);
                } else if (!get_uint(in, field, reg->field_size, errp)) {
                    return false;
                }
            }
        }
    }
    return true;
}

void device_save(Device *dev, StateBuffer *out)
{
    const char *name = dev->obj.type->name;
    uint8_t len = (uint8_t)strlen(name);

    put(out, &len, 1);
    put(out, name, len);
    /* pre_save may bring registers up to date, so the description goes first. */
    if (device_type(dev)->state) {
        state_save(device_type(dev)->state, dev, out);
    }
    registers_transfer(dev, out, NULL, NULL);
}

static bool load_device(Device *dev, Reader *in, Error **errp)
{
    const char *name = dev->obj.type->name;
    const StateDesc *state = device_type(dev)->state;
    char seen[256];
    uint8_t len;

    if (!get(in, &len, 1, errp) || !get(in, seen, len, errp)) {
        return false;
    }
    if (len != strlen(name) || memcmp(seen, name, len)) {
        error_set(errp, "saved state is of a '%.*s', not of a '%s'", len, seen, name);
        return false;
    }
    if (!state) {
        return registers_transfer(dev, NULL, in, errp);
    }
    /* post_load looks at the registers, so it has to wait for them. */
    StateDesc fields = *state;
    uint32_t version = in->len - in->pos >= 4 ? ldle32(in->data + in->pos) : 0;
    fields.post_load = NULL;
    return load_desc(&fields, dev, in, errp) && registers_transfer(dev, NULL, in, errp) &&
           (!state->post_load || state->post_load(dev, version, errp));
}

bool device_load(Device *dev, const uint8_t *data, size_t len, size_t *pos, Error **errp)
{
    Reader in = { data, len, *pos };
    bool ok = load_device(dev, &in, errp);

    *pos = in.pos;
    return ok;
}
