/*
 * internal.h: between the files that make SMBIOS tables.
 */
#ifndef HW_SMBIOS_INTERNAL_H
#define HW_SMBIOS_INTERNAL_H

#include "hw/smbios.h"

enum { SMBIOS_N_TYPES = 256 };

/* Options of a type that is there once, merged; an object, empty without options. */
const Json *smbios_options(unsigned type);
/* Those of a type that may be there many times (8, 9, 41): n-th, NULL after the last. */
const Json *smbios_options_at(unsigned type, size_t n);
/* Strings of type 11, in order. */
const char *smbios_oem_string(size_t n);
/* Structures from files, n-th; NULL after the last. */
const uint8_t *smbios_file(size_t n, size_t *ret_len);
bool smbios_has_file(unsigned type);
/* The text of a UUID as its 16 bytes in the order of the text. */
bool smbios_parse_uuid(const char *text, uint8_t ret[16]);

#endif
