/*
 * fdt.c: what the device trees of RISC-V boards have in common.
 *
 * A tree is written in one pass with libfdt's sequential interface; the first failure
 * is kept. Phandles: harts from the last to the first take two each (the hart, its
 * interrupt controller).
 * Bindings: Devicetree specification 0.4, RISC-V bindings of Linux.
 */
#include <libfdt.h>
#include <stdio.h>
#include "hw/riscv/fdt.h"
#include "util/bits.h"

void fdt_check(Fdt *f, int err)
{
    if (err < 0 && !f->err) {
        f->err = err;
    }
}

void fdt_node(Fdt *f, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    char *name = xvasprintf(fmt, ap);
    va_end(ap);
    fdt_check(f, fdt_begin_node(f->buf, name));
    free(name);
}

void fdt_end(Fdt *f)
{
    fdt_check(f, fdt_end_node(f->buf));
}

void fdt_prop_cells_n(Fdt *f, const char *name, const uint32_t *cells, size_t n)
{
    uint8_t *bytes = xcalloc(n + 1, 4);

    for (size_t i = 0; i < n; i++) {
        stbe32(bytes + 4 * i, cells[i]);
    }
    fdt_check(f, fdt_property(f->buf, name, bytes, (int)(4 * n)));
    free(bytes);
}

void fdt_prop_text(Fdt *f, const char *name, const char *text)
{
    fdt_check(f, fdt_property_string(f->buf, name, text));
}

/* Several strings, each followed by a NUL in the literal. */
#define fdt_prop_texts(f, name, literal) \
    fdt_check(f, fdt_property((f)->buf, name, literal, sizeof(literal)))

void fdt_prop_flag(Fdt *f, const char *name)
{
    fdt_check(f, fdt_property(f->buf, name, NULL, 0));
}

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

/* A tree with room to add properties later. */
static bool fdt_take(Machine *m, const void *tree, const char *what, Error **errp)
{
    int size = (int)fdt_totalsize(tree) + 16384 + (m->append ? (int)strlen(m->append) : 0);
    void *room = xcalloc(1, (size_t)size);
    int err = fdt_open_into(tree, room, size);

    if (err < 0) {
        error_set(errp, "device tree %s cannot be used: %s", what, fdt_strerror(err));
        free(room);
        return false;
    }
    free(m->fdt);
    m->fdt = room;
    m->fdt_bytes = (uint64_t)size;
    return true;
}

bool fdt_make(Machine *m, Fdt *f, void (*write)(Fdt *f), Error **errp)
{
    size_t size = 1 * MiB;

    f->machine = m;
    do {
        free(f->buf);
        f->err = 0;
        f->buf = xcalloc(1, size);
        fdt_check(f, fdt_create(f->buf, (int)size));
        fdt_check(f, fdt_finish_reservemap(f->buf));
        write(f);
        fdt_check(f, fdt_finish(f->buf));
        size *= 2;
    } while (f->err == -FDT_ERR_NOSPACE && size <= 64 * MiB);
    if (f->err) {
        error_set(errp, "cannot make the device tree: %s", fdt_strerror(f->err));
        free(f->buf);
        return false;
    }
    bool ok = fdt_take(m, f->buf, "of the board", errp);
    free(f->buf);
    return ok;
}

bool riscv_load_fdt(Machine *m, Error **errp)
{
    Image image;

    if (!image_open_raw(&image, "device tree", m->dtb, errp)) {
        return false;
    }
    int err = image.len > INT32_MAX ? -FDT_ERR_BADSTRUCTURE
                                    : fdt_check_full(image.data, image.len);
    bool ok = err >= 0;
    if (!ok) {
        error_set(errp, "device tree '%s' cannot be used: %s", m->dtb, fdt_strerror(err));
    } else {
        ok = fdt_take(m, image.data, m->dtb, errp);
    }
    image_close(&image);
    return ok;
}

static void set_cells(Fdt *f, int node, const char *name, uint64_t value)
{
    fdt_check(f, fdt_setprop_u64(f->buf, node, name, value));
}

bool riscv_finish_fdt(Machine *m, const RiscvBoot *boot, Error **errp)
{
    Fdt f = { .machine = m, .buf = m->fdt };
    int chosen = fdt_path_offset(m->fdt, "/chosen");

    if (chosen < 0) {
        chosen = fdt_add_subnode(m->fdt, 0, "chosen");
        fdt_check(&f, chosen);
    }
    if (!f.err && m->append && *m->append) {
        fdt_check(&f, fdt_setprop_string(m->fdt, chosen, "bootargs", m->append));
    }
    if (!f.err && boot->initrd_bytes) {
        set_cells(&f, chosen, "linux,initrd-start", boot->initrd);
        set_cells(&f, chosen, "linux,initrd-end", boot->initrd + boot->initrd_bytes);
    }
    if (f.err) {
        error_set(errp, "cannot complete the device tree: %s", fdt_strerror(f.err));
        return false;
    }
    fdt_pack(m->fdt);
    m->fdt_bytes = fdt_totalsize(m->fdt);
    return true;
}
