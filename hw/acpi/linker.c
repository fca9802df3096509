/*
 * linker.c: see linker.h.
 */
#include "hw/acpi/linker.h"

static void file_name(AcpiLinker *l, const char *name)
{
    size_t n = strlen(name);

    assert(n < LINKER_NAME_BYTES);
    aml_raw(&l->script, name, n);
    for (; n < LINKER_NAME_BYTES; n++) {
        aml_byte(&l->script, 0);
    }
}

static void finish_entry(AcpiLinker *l)
{
    while (l->script.bytes.n % LINKER_ENTRY_BYTES) {
        aml_byte(&l->script, 0);
    }
}

void linker_allocate(AcpiLinker *l, const char *file, uint32_t align, unsigned zone)
{
    aml_le(&l->script, LINKER_ALLOCATE, 4);
    file_name(l, file);
    aml_le(&l->script, align, 4);
    aml_byte(&l->script, (uint8_t)zone);
    finish_entry(l);
}

void linker_add_pointer(AcpiLinker *l, const char *file, uint32_t offset, unsigned size, const char *target)
{
    aml_le(&l->script, LINKER_ADD_POINTER, 4);
    file_name(l, file);
    file_name(l, target);
    aml_le(&l->script, offset, 4);
    aml_byte(&l->script, (uint8_t)size);
    finish_entry(l);
}

void linker_add_checksum(AcpiLinker *l, const char *file, uint32_t offset, uint32_t start, uint32_t len)
{
    aml_le(&l->script, LINKER_ADD_CHECKSUM, 4);
    file_name(l, file);
    aml_le(&l->script, offset, 4);
    aml_le(&l->script, start, 4);
    aml_le(&l->script, len, 4);
    finish_entry(l);
}

void linker_write_pointer(AcpiLinker *l, const char *file, uint32_t offset, unsigned size, const char *target,
                          uint32_t target_offset)
{
    aml_le(&l->script, LINKER_WRITE_POINTER, 4);
    file_name(l, file);
    file_name(l, target);
    aml_le(&l->script, offset, 4);
    aml_le(&l->script, target_offset, 4);
    aml_byte(&l->script, (uint8_t)size);
    finish_entry(l);
}
