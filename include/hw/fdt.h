/*
 * fdt.h: writing a board's device tree.
 *
 * A tree is written in one pass with libfdt's sequential interface; the first failure is kept.
 * Devicetree specification 0.4.
 */
#ifndef HW_FDT_H
#define HW_FDT_H

#include <libfdt.h>
#include "hw/loader.h"

typedef struct Fdt {
    void *buf;
    int err;          /* first failure */
    Machine *machine;
} Fdt;

void fdt_check(Fdt *f, int err);
/* A node, closed by fdt_end(). */
void fdt_node(Fdt *f, const char *fmt, ...) PRINTF_LIKE(2, 3);
void fdt_end(Fdt *f);
void fdt_prop_cells_n(Fdt *f, const char *name, const uint32_t *cells, size_t n);
#define fdt_prop_cells(f, name, ...)                                    \
    fdt_prop_cells_n(f, name, (const uint32_t[]){ __VA_ARGS__ },        \
                     sizeof((const uint32_t[]){ __VA_ARGS__ }) / 4)
void fdt_prop_text(Fdt *f, const char *name, const char *text);
/* Several strings, each followed by a NUL in the literal. */
#define fdt_prop_texts(f, name, literal) \
    fdt_check(f, fdt_property((f)->buf, name, literal, sizeof(literal)))
void fdt_prop_flag(Fdt *f, const char *name);

/* Sets machine->fdt (malloc'd) and fdt_bytes to what `write` writes, without what depends
 * on loaded images. `write` is called again with a larger buffer when it is too small. */
NODISCARD bool fdt_make(Machine *machine, Fdt *f, void (*write)(Fdt *f), Error **errp);
/* Or takes -dtb. */
NODISCARD bool fdt_load(Machine *machine, Error **errp);
/* Command line and ramdisk (initrd_bytes 0: none) into /chosen. */
NODISCARD bool fdt_finish_chosen(Machine *machine, gpa initrd, uint64_t initrd_bytes, Error **errp);

#endif
