/*
 * aml.c: encoding of AML. See aml.h; section numbers are of ACPI 6.5.
 */
#include "hw/acpi/aml.h"

#include "util/bits.h"

void aml_free(Aml *a)
{
    vec_free(&a->bytes);
    *a = (Aml){0};
}

void aml_byte(Aml *a, uint8_t byte)
{
    *vec_push(&a->bytes) = byte;
}

void aml_raw(Aml *a, const void *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        aml_byte(a, ((const uint8_t *)data)[i]);
    }
}

void aml_le(Aml *a, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        aml_byte(a, (uint8_t)(value >> i * 8));
    }
}

/* ---- package length (20.2.4): of what follows and itself, so it is put in when the end is known ---- */

static void open_term(Aml *a)
{
    assert(a->depth < AML_MAX_DEPTH);
    a->open[a->depth++] = a->bytes.n;
}

static void insert(Aml *a, size_t at, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        aml_byte(a, 0);
    }
    memmove(a->bytes.at + at + n, a->bytes.at + at, a->bytes.n - n - at);
    memcpy(a->bytes.at + at, bytes, n);
}

void aml_end(Aml *a)
{
    assert(a->depth);
    size_t at = a->open[--a->depth], body = a->bytes.n - at;
    uint8_t bytes[4];
    unsigned n = body + 1 < 0x40 ? 1 : body + 2 < 0x1000 ? 2 : body + 3 < 0x100000 ? 3 : 4;
    size_t len = body + n;

    assert(len < 1u << 28);
    bytes[0] = (uint8_t)(n == 1 ? len : (n - 1) << 6 | (len & 0xf));
    for (unsigned i = 1; i < n; i++) {
        bytes[i] = (uint8_t)(len >> (8 * i - 4));
    }
    insert(a, at, bytes, n);
}

/* ---- names (20.2.2) ---- */

static void name_segment(Aml *a, const char **text)
{
    const char *p = *text;
    unsigned n = 0;

    for (; *p && *p != '.' && n < 4; p++, n++) {
        aml_byte(a, (uint8_t)*p);
    }
    for (; n < 4; n++) {
        aml_byte(a, '_');
    }
    assert(!*p || *p == '.');
    *text = p + (*p == '.');
}

void aml_path(Aml *a, const char *path)
{
    unsigned segments = 0;

    while (*path == '\\' || *path == '^') {
        aml_byte(a, (uint8_t)*path++);
    }
    for (const char *p = path; *p; p++) {
        segments += p == path || *p == '.';
    }
    if (segments == 2) {
        aml_byte(a, 0x2e); /* DualNamePrefix */
    } else if (segments > 2) {
        aml_byte(a, 0x2f); /* MultiNamePrefix */
        aml_byte(a, (uint8_t)segments);
    } else if (!segments) {
        aml_byte(a, 0);    /* NullName */
    }
    while (*path) {
        name_segment(a, &path);
    }
}

/* ---- data (20.2.3) ---- */

void aml_op(Aml *a, unsigned op)
{
    if (op & AML_EXT) {
        aml_byte(a, AML_EXT >> 8);
    }
    aml_byte(a, (uint8_t)op);
}

void aml_int(Aml *a, uint64_t value)
{
    if (value <= 1) {
        aml_byte(a, (uint8_t)value); /* ZeroOp, OneOp */
        return;
    }
    unsigned size = value <= UINT8_MAX ? 1 : value <= UINT16_MAX ? 2 : value <= UINT32_MAX ? 4 : 8;
    aml_byte(a, size == 1 ? 0x0a : size == 2 ? 0x0b : size == 4 ? 0x0c : 0x0e);
    aml_le(a, value, size);
}

void aml_string(Aml *a, const char *text)
{
    aml_byte(a, 0x0d);
    aml_raw(a, text, strlen(text) + 1);
}

/* Three letters of five bits, four hexadecimal digits; bytes of each half swapped (19.3.4, EisaId). */
void aml_eisa_id(Aml *a, const char *id)
{
    uint32_t value = 0;

    assert(strlen(id) == 7);
    for (unsigned i = 0; i < 3; i++) {
        value = value << 5 | (uint32_t)(id[i] - '@');
    }
    value = value << 16 | (uint32_t)strtoul(id + 3, NULL, 16);
    aml_byte(a, 0x0c);
    for (unsigned i = 0; i < 4; i++) {
        aml_byte(a, (uint8_t)(value >> (24 - 8 * i)));
    }
}

void aml_buffer(Aml *a, const void *data, size_t len)
{
    aml_byte(a, 0x11);
    open_term(a);
    aml_int(a, len);
    aml_raw(a, data, len);
    aml_end(a);
}

void aml_uuid(Aml *a, const char *uuid)
{
    /* Where the n-th byte of the text goes (19.6.142, ToUUID). */
    static const uint8_t order[16] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };
    uint8_t bytes[16];

    for (unsigned i = 0; i < 16; i++) {
        char digits[3];
        uuid += *uuid == '-';
        memcpy(digits, uuid, 2);
        digits[2] = 0;
        bytes[order[i]] = (uint8_t)strtoul(digits, NULL, 16);
        uuid += 2;
    }
    aml_buffer(a, bytes, sizeof(bytes));
}

void aml_local(Aml *a, unsigned n)
{
    assert(n < 8);
    aml_byte(a, (uint8_t)(0x60 + n));
}

void aml_arg(Aml *a, unsigned n)
{
    assert(n < 7);
    aml_byte(a, (uint8_t)(0x68 + n));
}

void aml_no_target(Aml *a)
{
    aml_byte(a, 0);
}

/* ---- declarations (20.2.5) ---- */

void aml_name(Aml *a, const char *name)
{
    aml_byte(a, 0x08);
    aml_path(a, name);
}

void aml_name_int(Aml *a, const char *name, uint64_t value)
{
    aml_name(a, name);
    aml_int(a, value);
}

void aml_name_string(Aml *a, const char *name, const char *text)
{
    aml_name(a, name);
    aml_string(a, text);
}

void aml_name_eisa_id(Aml *a, const char *name, const char *id)
{
    aml_name(a, name);
    aml_eisa_id(a, id);
}

void aml_region(Aml *a, const char *name, unsigned space, uint64_t offset, uint64_t len)
{
    aml_op(a, AML_EXT | 0x80);
    aml_path(a, name);
    aml_byte(a, (uint8_t)space);
    aml_int(a, offset);
    aml_int(a, len);
}

void aml_field(Aml *a, const char *region, unsigned flags)
{
    aml_op(a, AML_EXT | 0x81);
    open_term(a);
    aml_path(a, region);
    aml_byte(a, (uint8_t)flags);
}

void aml_field_unit(Aml *a, const char *name, unsigned bits)
{
    if (name) {
        name_segment(a, &name);
    } else {
        aml_byte(a, 0); /* ReservedField */
    }
    /* Encoded as a package length, but of the bits alone. */
    if (bits < 0x40) {
        aml_byte(a, (uint8_t)bits);
    } else {
        assert(bits < 0x1000);
        aml_byte(a, (uint8_t)(1 << 6 | (bits & 0xf)));
        aml_byte(a, (uint8_t)(bits >> 4));
    }
}

void aml_create_dword_field(Aml *a, const char *source, uint64_t offset, const char *name)
{
    aml_byte(a, 0x8a);
    aml_path(a, source);
    aml_int(a, offset);
    aml_path(a, name);
}

void aml_create_dword_field_arg(Aml *a, unsigned arg, uint64_t offset, const char *name)
{
    aml_byte(a, 0x8a);
    aml_arg(a, arg);
    aml_int(a, offset);
    aml_path(a, name);
}

void aml_mutex(Aml *a, const char *name)
{
    aml_op(a, AML_EXT | 0x01);
    aml_path(a, name);
    aml_byte(a, 0);
}

/* ---- enclosing terms ---- */

void aml_scope(Aml *a, const char *name)
{
    aml_byte(a, 0x10);
    open_term(a);
    aml_path(a, name);
}

void aml_device(Aml *a, const char *name)
{
    aml_op(a, AML_EXT | 0x82);
    open_term(a);
    aml_path(a, name);
}

void aml_processor(Aml *a, const char *name, uint8_t id)
{
    aml_op(a, AML_EXT | 0x83);
    open_term(a);
    aml_path(a, name);
    aml_byte(a, id);
    aml_le(a, 0, 4); /* no processor block */
    aml_byte(a, 0);
}

void aml_method(Aml *a, const char *name, unsigned n_args, unsigned serialized)
{
    assert(n_args < 8);
    aml_byte(a, 0x14);
    open_term(a);
    aml_path(a, name);
    aml_byte(a, (uint8_t)(n_args | serialized << 3));
}

void aml_package(Aml *a, unsigned n_elements)
{
    assert(n_elements < 256);
    aml_byte(a, 0x12);
    open_term(a);
    aml_byte(a, (uint8_t)n_elements);
}

void aml_if(Aml *a)
{
    aml_byte(a, 0xa0);
    open_term(a);
}

void aml_else(Aml *a)
{
    aml_byte(a, 0xa1);
    open_term(a);
}

void aml_while(Aml *a)
{
    aml_byte(a, 0xa2);
    open_term(a);
}

/* ---- resources (6.4) ---- */

void aml_resources(Aml *a, Aml *r)
{
    aml_byte(r, 0x79); /* end tag; checksum 0: not checked */
    aml_byte(r, 0);
    aml_buffer(a, r->bytes.at, r->bytes.n);
    aml_free(r);
}

void aml_res_io(Aml *r, uint16_t base, unsigned align, unsigned len)
{
    aml_byte(r, 0x47);
    aml_byte(r, 1); /* decodes 16 bits */
    aml_le(r, base, 2);
    aml_le(r, base, 2);
    aml_byte(r, (uint8_t)align);
    aml_byte(r, (uint8_t)len);
}

void aml_res_irq(Aml *r, unsigned irq)
{
    aml_byte(r, 0x22);
    aml_le(r, 1u << irq, 2);
}

void aml_res_dma(Aml *r, unsigned channel)
{
    aml_byte(r, 0x2a);
    aml_byte(r, (uint8_t)(1u << channel));
    aml_byte(r, 0);
}

void aml_res_memory32(Aml *r, uint32_t base, uint32_t len, bool writable)
{
    aml_byte(r, 0x86);
    aml_le(r, 9, 2);
    aml_byte(r, writable);
    aml_le(r, base, 4);
    aml_le(r, len, 4);
}

enum { INTERRUPT_CONSUMER = 1, INTERRUPT_EDGE = 2, INTERRUPT_ACTIVE_LOW = 4, INTERRUPT_SHARED = 8 };

static void extended_interrupt(Aml *r, unsigned flags, const uint32_t *irqs, unsigned n)
{
    aml_byte(r, 0x89);
    aml_le(r, 2 + 4 * n, 2);
    aml_byte(r, (uint8_t)flags);
    aml_byte(r, (uint8_t)n);
    for (unsigned i = 0; i < n; i++) {
        aml_le(r, irqs[i], 4);
    }
}

void aml_res_interrupts(Aml *r, const uint32_t *irqs, unsigned n)
{
    extended_interrupt(r, INTERRUPT_CONSUMER | INTERRUPT_SHARED, irqs, n);
}

void aml_res_interrupt_edge(Aml *r, uint32_t irq)
{
    extended_interrupt(r, INTERRUPT_CONSUMER | INTERRUPT_EDGE, &irq, 1);
}

void aml_res_interrupt_level(Aml *r, uint32_t irq)
{
    extended_interrupt(r, INTERRUPT_CONSUMER, &irq, 1);
}

/* Word, DWord or QWord address space descriptor (6.4.3.5): minimum and maximum fixed, positive decode, produced (or consumed). */
static void address_space_at(Aml *r, unsigned size, uint8_t kind, uint8_t type_flags, uint64_t min, uint64_t len, uint64_t translation,
                             bool consumed)
{
    aml_byte(r, size == 2 ? 0x88 : size == 4 ? 0x87 : 0x8a);
    aml_le(r, 3 + 5 * size, 2);
    aml_byte(r, kind);
    aml_byte(r, 0x0c | consumed);
    aml_byte(r, type_flags);
    aml_le(r, 0, size);             /* granularity */
    aml_le(r, min, size);
    aml_le(r, min + len - 1, size);
    aml_le(r, translation, size);
    aml_le(r, len, size);
}

static void address_space(Aml *r, unsigned size, uint8_t kind, uint8_t type_flags, uint64_t min, uint64_t len)
{
    address_space_at(r, size, kind, type_flags, min, len, 0, false);
}

void aml_res_memory64(Aml *r, uint64_t base, uint64_t len)
{
    address_space_at(r, 8, 0, 1, base, len, 0, true);
}

void aml_res_io_window_in_memory(Aml *r, uint32_t min, uint32_t len, uint64_t translation)
{
    /* The entire range; bit 4: memory on the processors' side, translated densely. */
    address_space_at(r, translation > UINT32_MAX ? 8 : 4, 1, 0x13, min, len, translation, false);
}

void aml_res_bus_numbers(Aml *r, unsigned min, unsigned len)
{
    address_space(r, 2, 2, 0, min, len);
}

void aml_res_io_window(Aml *r, uint32_t min, uint32_t len)
{
    address_space(r, 2, 1, 3, min, len); /* the entire range */
}

void aml_res_memory_window(Aml *r, uint64_t min, uint64_t len, bool cacheable)
{
    bool wide = min + len - 1 > UINT32_MAX;

    address_space(r, wide ? 8 : 4, 0, (uint8_t)(cacheable ? 3 : 1), min, len); /* read and write */
}

/* ---- tables (5.2.6) ---- */

static void padded(Aml *a, const char *text, size_t len)
{
    size_t n = strlen(text);

    for (size_t i = 0; i < len; i++) {
        aml_byte(a, (uint8_t)(i < n ? text[i] : ' '));
    }
}

void acpi_header(Aml *a, const char *signature, uint8_t revision, const char *oem_id, const char *oem_table_id)
{
    aml_raw(a, signature, 4);
    aml_le(a, 0, 4);
    aml_byte(a, revision);
    aml_byte(a, 0);
    padded(a, oem_id, 6);
    padded(a, oem_table_id, 8);
    aml_le(a, 1, 4);
    aml_raw(a, "BXPC", 4); /* ASL compiler */
    aml_le(a, 1, 4);
}
