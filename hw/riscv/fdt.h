/*
 * fdt.h: between the files of RISC-V boards: writing a device tree.
 */
#ifndef HW_RISCV_FDT_H
#define HW_RISCV_FDT_H

#include "hw/riscv/boot.h"
#include "hw/riscv/harts.h"

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
/* <interrupt-controller line ...> for each hart. */
void fdt_prop_hart_lines(Fdt *f, const char *name, const uint32_t *lines, unsigned n_lines);
/* /cpus */
void fdt_cpus(Fdt *f, uint32_t timebase_hz);

/* Sets machine->fdt (malloc'd) and fdt_bytes to what `write` writes, without what depends
 * on loaded images. `write` is called again with a larger buffer when it is too small. */
NODISCARD bool fdt_make(Machine *machine, Fdt *f, void (*write)(Fdt *f), Error **errp);
/* Or takes -dtb. */
NODISCARD bool riscv_load_fdt(Machine *machine, Error **errp);
/* Command line and ramdisk into /chosen. */
NODISCARD bool riscv_finish_fdt(Machine *machine, const RiscvBoot *boot, Error **errp);

#endif
