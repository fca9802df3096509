/*
 * boot.c: see boot.h. Boot paths: IEEE 1275 (Open Firmware), PCI bus binding 2.5 (names of PCI functions by class).
 */
#include <stdio.h>

#include "hw/boot.h"
#include "hw/fw_cfg.h"
#include "hw/loader.h"
#include "softmmu/datadir.h"
#include "util/bits.h"

enum { MAX_ROM_BYTES = 16 * 1024 * 1024, MAX_SPLASH_BYTES = 16 * 1024 * 1024 };
#define DEFAULT_ORDER "cad"

/* ---- bootindex properties ---- */

static int32_t *boot_field(const void *obj, const Property *prop)
{
    return (int32_t *)((char *)obj + prop->offset);
}

/* Calls fn for each place in the boot order that a device has (a floppy controller has one for each drive). */
typedef struct Places {
    Device *dev;
    void (*fn)(Device *dev, const Property *prop, void *opaque);
    void *opaque;
} Places;

static void places_prop(const ObjectType *owner, const Property *prop, void *opaque)
{
    Places *p = opaque;

    if (prop->set == bootindex_set && *boot_field(p->dev, prop) > 0) {
        p->fn(p->dev, prop, p->opaque);
    }
}

static void places_device(Device *dev, void *opaque)
{
    Places *p = opaque;

    p->dev = dev;
    object_type_foreach_prop(dev->obj.type, places_prop, p);
}

static void boot_places(void (*fn)(Device *dev, const Property *prop, void *opaque), void *opaque)
{
    Places p = { NULL, fn, opaque };

    device_foreach(places_device, &p);
}

typedef struct Search {
    int32_t index;
    const int32_t *self;
    bool found;
} Search;

static void search_visit(Device *dev, const Property *prop, void *opaque)
{
    Search *s = opaque;

    s->found |= boot_field(dev, prop) != s->self && *boot_field(dev, prop) == s->index + 1;
}

bool bootindex_get(Object *obj, const Property *prop, PropValue *ret, Error **errp)
{
    *ret = prop_int(*boot_field(obj, prop) - 1);
    return true;
}

bool bootindex_set(Object *obj, const Property *prop, const PropValue *value, Error **errp)
{
    int64_t index = value->kind == VALUE_UINT ? (int64_t)value->u : value->i;
    int32_t *field = boot_field(obj, prop);
    Search s = { (int32_t)index, field, false };

    if (index < -1 || index >= INT32_MAX) {
        error_set(errp, "bootindex %" PRId64 " is out of range", index);
        return false;
    }
    if (index >= 0) {
        boot_places(search_visit, &s);
    }
    if (s.found) {
        error_set(errp, "The bootindex %" PRId64 " has already been used", index);
        return false;
    }
    *field = (int32_t)index + 1;
    return true;
}

/* ---- paths ---- */

static char *piece_of(Device *dev)
{
    const BusType *bus = dev->bus ? bus_type(dev->bus) : NULL;

    if (device_type(dev)->fw_path) {
        return device_type(dev)->fw_path(dev);
    }
    if (bus && bus->fw_path) {
        return bus->fw_path(dev);
    }
    if (dev->bus == sysbus_get()) {
        if (dev->first_bus && object_is_a(&dev->first_bus->obj, "PCI")) {
            return xstrdup("pci@i0cf8"); /* known by its configuration port */
        }
        return xasprintf("%s@%016" PRIx64, dev->obj.type->name, dev->n_mmio ? dev->mmio_addr[0] : 0);
    }
    return NULL; /* nothing between it and its parent */
}

char *device_fw_path(Device *dev)
{
    char *parent = dev->bus && dev->bus->parent ? device_fw_path(dev->bus->parent) : xstrdup("");
    char *piece = piece_of(dev);
    char *path = piece && *piece ? xasprintf("%s/%s", parent, piece) : xstrdup(parent);

    free(parent);
    free(piece);
    return path;
}

/* ---- the order ---- */

typedef struct Entry {
    int32_t index;
    char *path;
} Entry;
typedef VEC(Entry) EntryList;

static struct {
    VEC(struct { char *name; int32_t index; bool vga; }) wanted; /* -option-rom, devices */
    VEC(struct { char *path; int32_t index; }) roms;   /* in fw_cfg, with a bootindex */
    void (*set)(void *opaque, const char *order);
    void *opaque;
    bool reset_before;
} boot;

static void add_entry(EntryList *list, int32_t index, char *path)
{
    for (size_t i = 0; i < list->n; i++) {
        if (list->at[i].index == index) { /* an inner device with its proxy's field */
            free(path);
            return;
        }
    }
    *vec_push(list) = (Entry){ index, path };
}

static void collect(Device *dev, const Property *prop, void *opaque)
{
    char *path = device_fw_path(dev);

    add_entry(opaque, *boot_field(dev, prop) - 1, xasprintf("%s%s", path, prop->def_str ? prop->def_str : ""));
    free(path);
}

static int by_index(const void *a, const void *b)
{
    int32_t x = ((const Entry *)a)->index, y = ((const Entry *)b)->index;

    return (x > y) - (x < y);
}

char *boot_order_text(Machine *m, size_t *ret_len)
{
    EntryList list = {0};
    char *text = NULL;
    size_t len = 0;

    for (size_t i = 0; i < boot.roms.n; i++) {
        add_entry(&list, boot.roms.at[i].index, xstrdup(boot.roms.at[i].path));
    }
    boot_places(collect, &list);
    if (list.n) {
        qsort(list.at, list.n, sizeof(Entry), by_index);
    }
    if (m->boot.strict && list.n) {
        *vec_push(&list) = (Entry){ INT32_MAX, xstrdup("HALT") };
    }
    for (size_t i = 0; i < list.n; i++) {
        char *longer = text ? xasprintf("%s\n%s", text, list.at[i].path) : xstrdup(list.at[i].path);
        free(text);
        free(list.at[i].path);
        text = longer;
    }
    len = text ? strlen(text) + 1 : 0;
    vec_free(&list);
    *ret_len = len;
    return text;
}

typedef struct OrderFile {
    Machine *machine;
    Device *fw_cfg;
} OrderFile;

static bool put_order(OrderFile *f, Error **errp)
{
    size_t len;
    char *text = boot_order_text(f->machine, &len);
    bool ok = fw_cfg_set_file(f->fw_cfg, "bootorder", text, (uint32_t)len, errp);

    free(text);
    return ok;
}

static void order_on_reset(void *opaque)
{
    OrderFile *f = opaque;
    Machine *m = f->machine;

    (void)!put_order(f, NULL);
    /* The first reset is the one at power on. */
    if (boot.reset_before && m->boot.once) {
        free(m->boot.once);
        m->boot.once = NULL;
        if (boot.set) {
            boot.set(boot.opaque, m->boot_order ? m->boot_order : DEFAULT_ORDER);
        }
    }
    boot.reset_before = true;
}

void boot_set_handler(Machine *m, void (*set)(void *opaque, const char *order), void *opaque)
{
    boot.set = set;
    boot.opaque = opaque;
    set(opaque, m->boot.once ? m->boot.once : m->boot_order ? m->boot_order : DEFAULT_ORDER);
}

bool boot_set_order(const char *order, Error **errp)
{
    if (!boot.set) {
        error_set(errp, "this machine has no list of boot devices to set");
        return false;
    }
    for (const char *p = order; *p; p++) {
        if (*p < 'a' || *p > 'p') {
            error_set(errp, "Invalid boot device '%c'", *p);
            return false;
        }
    }
    boot.set(boot.opaque, order);
    return true;
}

/* ---- option ROMs ---- */

bool boot_add_option_rom(const char *name, int32_t bootindex, Error **errp)
{
    char *path = datadir_find(name);

    if (!path) {
        error_set(errp, "option ROM '%s' is nowhere to be found", name);
        return false;
    }
    free(path);
    vec_push(&boot.wanted)->name = xstrdup(name);
    boot.wanted.at[boot.wanted.n - 1].index = bootindex;
    boot.wanted.at[boot.wanted.n - 1].vga = false;
    return true;
}

bool boot_add_device_rom(const char *path, bool vga, Error **errp)
{
    bool ok = boot_add_option_rom(path, -1, errp);

    if (ok) {
        boot.wanted.at[boot.wanted.n - 1].vga = vga;
    }
    return ok;
}

static bool install_rom(Device *fw_cfg, const char *name, const char *dir, int32_t bootindex, Error **errp)
{
    const char *base = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
    char *path = datadir_find(name), *file = xasprintf("%s/%s", dir, base);
    Image image = {0};

    if (!path) {
        error_set(errp, "option ROM '%s' is missing: install the package qemu-system-data, or give -L", name);
    }
    bool ok = path && image_open_raw(&image, "option ROM", path, errp);
    if (ok && image.len > MAX_ROM_BYTES) {
        error_set(errp, "option ROM '%s' is larger than %d bytes", path, MAX_ROM_BYTES);
        ok = false;
    }
    ok = ok && fw_cfg_add_file(fw_cfg, file, image.data, (uint32_t)image.len, errp);
    if (ok) {
        machine_note_rom(machine_current(), file, MACHINE_ROM_OF_FW_CFG, image.len);
    }
    if (ok && bootindex >= 0) {
        vec_push(&boot.roms)->path = xasprintf("/rom@%s", file);
        boot.roms.at[boot.roms.n - 1].index = bootindex;
    }
    image_close(&image);
    free(path);
    free(file);
    return ok;
}

bool boot_install_rom(Device *fw_cfg, const char *name, int32_t bootindex, Error **errp)
{
    return install_rom(fw_cfg, name, "genroms", bootindex, errp);
}

/* ---- what firmware is told ---- */

static bool put_splash(const BootOptions *options, Device *fw_cfg, Error **errp)
{
    Image image;

    if (!options->splash) {
        return true;
    }
    char *path = datadir_find(options->splash);
    if (!path) {
        error_set(errp, "failed to find file '%s'", options->splash);
        return false;
    }
    bool ok = image_open_raw(&image, "splash file", path, errp);
    free(path);
    if (!ok) {
        return false;
    }
    const uint8_t *d = image.data;
    bool jpeg = image.len > 10 && d[0] == 0xff && d[1] == 0xd8;
    bool bmp = image.len > 30 && d[0] == 'B' && d[1] == 'M' && ldle16(d + 28) == 24;
    ok = (jpeg || bmp) && image.len <= MAX_SPLASH_BYTES;
    if (!ok) {
        error_set(errp, "splash file '%s' format not recognized; must be JPEG or 24 bit BMP", options->splash);
    }
    ok = ok && fw_cfg_add_file(fw_cfg, jpeg ? "bootsplash.jpg" : "bootsplash.bmp", d, (uint32_t)image.len, errp);
    image_close(&image);
    return ok;
}

static bool put_times(const BootOptions *options, Device *fw_cfg, Error **errp)
{
    uint8_t wait[2], retry[4];

    stle32(retry, (uint32_t)options->reboot_timeout_ms);
    stle16(wait, (uint16_t)options->splash_time_ms);
    return fw_cfg_add_file(fw_cfg, "etc/boot-fail-wait", retry, sizeof(retry), errp) &&
           (options->splash_time_ms < 0 || fw_cfg_add_file(fw_cfg, "etc/boot-menu-wait", wait, sizeof(wait), errp));
}

static void put_uuid(const Machine *m, Device *fw_cfg)
{
    uint8_t bytes[16] = {0};
    unsigned n = 0;

    for (const char *p = m->uuid; *p && n < 32; p++) {
        if (*p != '-') {
            unsigned digit = *p <= '9' ? (unsigned)(*p - '0') : (unsigned)((*p | 32) - 'a' + 10);
            bytes[n / 2] |= (uint8_t)(digit << (n % 2 ? 0 : 4));
            n++;
        }
    }
    fw_cfg_add_bytes(fw_cfg, FW_CFG_UUID, bytes, sizeof(bytes));
}

bool boot_install(Machine *m, Device *fw_cfg, Error **errp)
{
    OrderFile *f = xnew(OrderFile); /* lives as long as the machine */

    m->boot.honoured = true;
    *f = (OrderFile){ m, fw_cfg };
    for (size_t i = 0; i < boot.wanted.n; i++) {
        if (!install_rom(fw_cfg, boot.wanted.at[i].name, boot.wanted.at[i].vga ? "vgaroms" : "genroms", boot.wanted.at[i].index,
                         errp)) {
            free(f);
            return false;
        }
    }
    if (!put_order(f, errp) || !put_times(&m->boot, fw_cfg, errp) || !put_splash(&m->boot, fw_cfg, errp)) {
        free(f);
        return false;
    }
    fw_cfg_add_u16(fw_cfg, FW_CFG_BOOT_MENU, m->boot.menu);
    fw_cfg_add_u16(fw_cfg, FW_CFG_NOGRAPHIC, !m->graphics);
    put_uuid(m, fw_cfg);
    machine_add_reset(order_on_reset, f);
    return true;
}
