/*
 * fdt.c: what the device trees of RISC-V boards have in common.
 *
 * Phandles: harts from the last to the first take two each (the hart, its interrupt controller).
 * Bindings: Devicetree specification 0.4, RISC-V bindings of Linux.
 */
#include <stdio.h>
#include "hw/riscv/fdt.h"

static uint32_t hart_phandle(const Fdt *f, unsigned hart)
{
    return 2 * (f->machine->smp.cpus - 1 - hart) + 1;
}

/* <intc line …> for each hart. */
void fdt_prop_hart_lines(Fdt *f, const char *name, const uint32_t *lines, unsigned n_lines)
{
    unsigned harts = f->machine->smp.cpus;
    uint32_t *cells = xnew_array(uint32_t, (size_t)harts * n_lines * 2);

    for (unsigned i = 0; i < harts; i++) {
        for (unsigned k = 0; k < n_lines; k++) {
            cells[(i * n_lines + k) * 2] = hart_phandle(f, i) + 1;
            cells[(i * n_lines + k) * 2 + 1] = lines[k];
        }
    }
    fdt_prop_cells_n(f, name, cells, (size_t)harts * n_lines * 2);
    free(cells);
}

/* riscv,isa-extensions: the single letters, then what stands between underscores. */
static void prop_isa_extensions(Fdt *f, const char *isa)
{
    size_t len = strlen(isa);
    char *list = xcalloc(len + 1, 2);
    size_t n = 0;
    const char *p = isa + MIN(len, 4);

    for (; *p && *p != '_'; p++) {
        list[n++] = *p;
        list[n++] = '\0';
    }
    while (*p == '_') {
        size_t part = strcspn(++p, "_");
        memcpy(list + n, p, part);
        n += part + 1;
        p += part;
    }
    fdt_check(f, fdt_property(f->buf, "riscv,isa-extensions", list, (int)n));
    free(list);
}

void fdt_cpus(Fdt *f, uint32_t timebase_hz)
{
    unsigned harts = f->machine->smp.cpus;

    fdt_node(f, "cpus");
    fdt_prop_cells(f, "#address-cells", 1);
    fdt_prop_cells(f, "#size-cells", 0);
    fdt_prop_cells(f, "timebase-frequency", timebase_hz);
    for (unsigned i = 0; i < harts; i++) {
        HartInfo info = harts_info(f->machine, i);
        char base[8];

        fdt_node(f, "cpu@%u", i);
        fdt_prop_cells(f, "phandle", hart_phandle(f, i));
        fdt_prop_text(f, "device_type", "cpu");
        fdt_prop_cells(f, "reg", i);
        fdt_prop_text(f, "status", "okay");
        fdt_prop_text(f, "compatible", "riscv");
        if (info.cbop_bytes) {
            fdt_prop_cells(f, "riscv,cbop-block-size", info.cbop_bytes);
        }
        if (info.cboz_bytes) {
            fdt_prop_cells(f, "riscv,cboz-block-size", info.cboz_bytes);
        }
        if (info.cbom_bytes) {
            fdt_prop_cells(f, "riscv,cbom-block-size", info.cbom_bytes);
        }
        prop_isa_extensions(f, info.isa);
        snprintf(base, sizeof(base), "%.5s", info.isa); /* rv64i, rv32e */
        fdt_prop_text(f, "riscv,isa-base", base);
        fdt_prop_text(f, "riscv,isa", info.isa);
        if (info.mmu) {
            fdt_prop_text(f, "mmu-type", info.mmu);
        }
        fdt_node(f, "interrupt-controller");
        fdt_prop_cells(f, "#interrupt-cells", 1);
        fdt_prop_flag(f, "interrupt-controller");
        fdt_prop_text(f, "compatible", "riscv,cpu-intc");
        fdt_prop_cells(f, "phandle", hart_phandle(f, i) + 1);
        fdt_end(f);
        fdt_end(f);
    }
    fdt_node(f, "cpu-map");
    fdt_node(f, "cluster0");
    for (unsigned i = 0; i < harts; i++) {
        fdt_node(f, "core%u", i);
        fdt_prop_cells(f, "cpu", hart_phandle(f, i));
        fdt_end(f);
    }
    fdt_end(f);
    fdt_end(f);
    fdt_end(f);
}
