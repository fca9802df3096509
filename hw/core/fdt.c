/*
 * fdt.c: writing device trees; see fdt.h.
 */
#include <stdio.h>
#include "hw/fdt.h"
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

void fdt_prop_flag(Fdt *f, const char *name)
{
    fdt_check(f, fdt_property(f->buf, name, NULL, 0));
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

bool fdt_load(Machine *m, Error **errp)
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

bool fdt_finish_chosen(Machine *m, gpa initrd, uint64_t initrd_bytes, Error **errp)
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
    if (!f.err && initrd_bytes) {
        set_cells(&f, chosen, "linux,initrd-start", initrd);
        set_cells(&f, chosen, "linux,initrd-end", initrd + initrd_bytes);
    }
    if (f.err) {
        error_set(errp, "cannot complete the device tree: %s", fdt_strerror(f.err));
        return false;
    }
    fdt_pack(m->fdt);
    m->fdt_bytes = fdt_totalsize(m->fdt);
    return true;
}
