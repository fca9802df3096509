/*
 * aml.h: writing ACPI Machine Language.
 *
 * An Aml is a growing run of bytes. Calls append terms in the order of the encoding (operator, then operands); terms that
 * enclose others (scope, device, method, package, if, …) are opened and closed with aml_end():
 *
 *     aml_device(a, "RTC");
 *         aml_name(a, "_HID"), aml_eisa_id(a, "PNP0B00");
 *     aml_end(a);
 *
 * Names are written as in ASL ("\\_SB.PCI0", "^LNKA", "_HID"); segments shorter than four characters are filled with '_'.
 * Resource descriptors are collected in an Aml of their own and put down with aml_resources(), which empties it.
 *
 * Specification: ACPI 6.5, chapter 20 (AML) and 6.4 (resource data types).
 */
#ifndef HW_ACPI_AML_H
#define HW_ACPI_AML_H

#include "util/base.h"
#include "util/alloc.h"

enum { AML_MAX_DEPTH = 32 };

typedef struct Aml {
    VEC(uint8_t) bytes;
    size_t open[AML_MAX_DEPTH]; /* where the package length of each open term goes */
    unsigned depth;
} Aml;

void aml_free(Aml *a);
void aml_byte(Aml *a, uint8_t byte);
void aml_raw(Aml *a, const void *data, size_t len);
void aml_le(Aml *a, uint64_t value, unsigned size);

/* ---- terms without operands of variable length ---- */
enum { /* one-byte and 0x5b-prefixed (AML_EXT) operators whose operands follow as terms */
    AML_EXT = 0x5b00,
    AML_STORE = 0x70, AML_ADD = 0x72, AML_CONCAT = 0x73, AML_SUBTRACT = 0x74, AML_SHIFT_LEFT = 0x79, AML_SHIFT_RIGHT = 0x7a,
    AML_AND = 0x7b, AML_OR = 0x7d, AML_NOT = 0x80, AML_DEREF = 0x83, AML_NOTIFY = 0x86, AML_SIZEOF = 0x87, AML_INDEX = 0x88,
    AML_LAND = 0x90, AML_LOR = 0x91, AML_LNOT = 0x92, AML_EQUAL = 0x93, AML_GREATER = 0x94, AML_LESS = 0x95,
    AML_INCREMENT = 0x75, AML_TO_BUFFER = 0x96, AML_TO_HEX_STRING = 0x98, AML_RETURN = 0xa4,
    AML_ACQUIRE = AML_EXT | 0x23, AML_RELEASE = AML_EXT | 0x27,
};
void aml_op(Aml *a, unsigned op);
void aml_int(Aml *a, uint64_t value);   /* shortest form */
void aml_string(Aml *a, const char *text);
void aml_eisa_id(Aml *a, const char *id); /* "PNP0A03" as an integer */
void aml_uuid(Aml *a, const char *uuid);  /* a buffer in the mixed-endian order of ToUUID */
void aml_path(Aml *a, const char *path);  /* a reference to a name, or a method call: arguments follow */
void aml_local(Aml *a, unsigned n);
void aml_arg(Aml *a, unsigned n);
void aml_no_target(Aml *a);             /* the result of an operator is not stored */
void aml_buffer(Aml *a, const void *data, size_t len);

/* ---- declarations ---- */
void aml_name(Aml *a, const char *name); /* Name(): the object follows */
void aml_name_int(Aml *a, const char *name, uint64_t value);
void aml_name_string(Aml *a, const char *name, const char *text);
void aml_name_eisa_id(Aml *a, const char *name, const char *id);
enum { AML_SYSTEM_MEMORY = 0, AML_SYSTEM_IO = 1, AML_PCI_CONFIG = 2 };
void aml_region(Aml *a, const char *name, unsigned space, uint64_t offset, uint64_t len);
enum { AML_BYTE_ACC = 1, AML_WORD_ACC = 2, AML_DWORD_ACC = 3, AML_LOCK = 0x10, AML_ONES = 0x20, AML_ZEROS = 0x40 };
/* Units follow, then aml_end(). */
void aml_field(Aml *a, const char *region, unsigned flags);
void aml_field_unit(Aml *a, const char *name, unsigned bits); /* NULL: skip them */
/* CreateDWordField (source, offset, name); the source term has just been written after aml_op_create(). */
void aml_create_dword_field(Aml *a, const char *source, uint64_t offset, const char *name);
void aml_create_dword_field_arg(Aml *a, unsigned arg, uint64_t offset, const char *name);
void aml_mutex(Aml *a, const char *name);

/* ---- enclosing terms ---- */
void aml_scope(Aml *a, const char *name);
void aml_device(Aml *a, const char *name);
void aml_processor(Aml *a, const char *name, uint8_t id);
enum { AML_NOT_SERIALIZED = 0, AML_SERIALIZED = 1 };
void aml_method(Aml *a, const char *name, unsigned n_args, unsigned serialized);
void aml_package(Aml *a, unsigned n_elements);
void aml_if(Aml *a);                    /* predicate, then statements */
void aml_else(Aml *a);
void aml_while(Aml *a);
void aml_end(Aml *a);

/* ---- resource descriptors (6.4.2 small, 6.4.3 large) ---- */
void aml_resources(Aml *a, Aml *resources); /* ResourceTemplate(): adds the end tag */
void aml_res_io(Aml *r, uint16_t base, unsigned align, unsigned len);
void aml_res_irq(Aml *r, unsigned irq);     /* edge, active high, exclusive */
void aml_res_dma(Aml *r, unsigned channel); /* 8 bits, compatibility */
/* Fixed 64-bit memory that the device consumes. */
void aml_res_memory64(Aml *r, uint64_t base, uint64_t len);
void aml_res_memory32(Aml *r, uint32_t base, uint32_t len, bool writable);
/* Extended interrupt: level, active high, shared, consumer. */
void aml_res_interrupts(Aml *r, const uint32_t *irqs, unsigned n);
/* Level, active high, not shared. */
void aml_res_interrupt_level(Aml *r, uint32_t irq);
/* The same, edge. */
void aml_res_interrupt_edge(Aml *r, uint32_t irq);
/* Address spaces a bridge hands down: [min, min + len). */
void aml_res_bus_numbers(Aml *r, unsigned min, unsigned len);
void aml_res_io_window(Aml *r, uint32_t min, uint32_t len);
/* The same where the processors see I/O space in memory, at `translation`. */
void aml_res_io_window_in_memory(Aml *r, uint32_t min, uint32_t len, uint64_t translation);
void aml_res_memory_window(Aml *r, uint64_t min, uint64_t len, bool cacheable);

/* ---- tables ---- */
/* The 36-byte header every table but RSDP and FACS starts with; length and checksum are filled in later. */
void acpi_header(Aml *a, const char *signature, uint8_t revision, const char *oem_id, const char *oem_table_id);

#endif
