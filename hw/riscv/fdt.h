/*
 * fdt.h: between the files of RISC-V boards: what their device trees have in common.
 */
#ifndef HW_RISCV_FDT_H
#define HW_RISCV_FDT_H

#include "hw/fdt.h"
#include "hw/riscv/boot.h"
#include "hw/riscv/harts.h"

/* <interrupt-controller line ...> for each hart. */
void fdt_prop_hart_lines(Fdt *f, const char *name, const uint32_t *lines, unsigned n_lines);
/* /cpus */
void fdt_cpus(Fdt *f, uint32_t timebase_hz);

#endif
