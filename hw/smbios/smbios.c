/*
 * smbios.c: the structures of the SMBIOS table and its entry point.
 *
 * Specification: SMBIOS 3.6 (DSP0134): 5.2 (entry points), 6.1 (structures), 7.1 to 7.42 (types). Structures are those of
 * version 2.8 with the 32-bit entry point, 3.0 with the 64-bit one. The table address and the checksums in the entry
 * point are firmware's to fill in.
 */
#include <stdio.h>

#include "hw/fw_cfg.h"
#include "hw/pci.h"
#include "hw/smbios/internal.h"
#include "softmmu/options.h"

enum { MAX_32_BYTES = 0xffff, MEMORY_ARRAY = 0x1000 };
#define MEMORY_DEVICE_MAX (2 * KiB * GiB) /* of one module */

typedef struct Tables {
    const SmbiosBoard *board;
    VEC(uint8_t) bytes;
    size_t start;          /* of the current structure */
    uint8_t n_strings;
    VEC(char) strings;
    size_t largest;
    unsigned count;
    bool v3;
} Tables;

/* ---- pieces ---- */

static void u8(Tables *t, unsigned value) { *vec_push(&t->bytes) = (uint8_t)value; }

static void number(Tables *t, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        u8(t, (unsigned)(value >> 8 * i) & 0xff);
    }
}

static void u16(Tables *t, unsigned value) { number(t, value, 2); }
static void u32(Tables *t, uint32_t value) { number(t, value, 4); }

/* A string number: 0 for none, which an empty one is too (6.1.3). */
static void string(Tables *t, const char *text)
{
    if (!text || !*text) {
        u8(t, 0);
        return;
    }
    for (const char *p = text;; p++) {
        *vec_push(&t->strings) = *p;
        if (!*p) {
            break;
        }
    }
    u8(t, ++t->n_strings);
}

static void begin(Tables *t, unsigned type, unsigned handle)
{
    t->start = t->bytes.n;
    t->n_strings = 0;
    vec_clear(&t->strings);
    u8(t, type);
    u8(t, 0);
    u16(t, handle);
}

static void account(Tables *t, size_t start)
{
    t->largest = MAX(t->largest, t->bytes.n - start);
    t->count++;
}

static void end(Tables *t)
{
    t->bytes.at[t->start + 1] = (uint8_t)(t->bytes.n - t->start);
    for (size_t i = 0; i < t->strings.n; i++) {
        u8(t, (uint8_t)t->strings.at[i]);
    }
    if (!t->strings.n) {
        u8(t, 0);
    }
    u8(t, 0);
    account(t, t->start);
}

static const char *text(const Json *opts, const char *key, const char *fallback)
{
    const char *value = json_get_string(opts, key);

    return value ? value : fallback;
}

/* Checked when the option was given. */
static uint64_t count_of(const Json *opts, const char *key, uint64_t fallback)
{
    uint64_t value = fallback;

    return opts_uint(opts, key, fallback, &value, NULL) ? value : fallback;
}

/* ---- types ---- */

/* 7.1; firmware has its own unless the user says otherwise. */
static void bios(Tables *t)
{
    const Json *o = smbios_options(0);
    unsigned major = 0, minor = 0;
    bool uefi = false, vm = true;

    if (!json_count(o)) {
        return;
    }
    if (json_get_string(o, "release")) {
        sscanf(json_get_string(o, "release"), "%u.%u", &major, &minor);
    }
    (void)!opts_bool(o, "uefi", false, &uefi, NULL);
    (void)!opts_bool(o, "vm", true, &vm, NULL);
    begin(t, 0, 0x0000);
    string(t, text(o, "vendor", NULL));
    string(t, text(o, "version", NULL));
    u16(t, 0xe800);
    string(t, text(o, "date", NULL));
    u8(t, 0);
    number(t, 1 << 3, 8); /* characteristics are not given */
    u8(t, 0);
    u8(t, 1 << 2 | (uefi ? 1 << 3 : 0) | (vm ? 1 << 4 : 0));
    u8(t, major);
    u8(t, minor);
    u8(t, 0xff);
    u8(t, 0xff);
    end(t);
}

/* The first three fields of a UUID are little-endian (7.2.1). */
static void uuid(Tables *t, const char *given)
{
    static const uint8_t order[16] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };
    uint8_t bytes[16] = {0};

    (void)!smbios_parse_uuid(given ? given : t->board->machine->uuid, bytes);
    for (unsigned i = 0; i < 16; i++) {
        u8(t, bytes[order[i]]);
    }
}

static void system_info(Tables *t)
{
    const Json *o = smbios_options(1);

    begin(t, 1, 0x0100);
    string(t, text(o, "manufacturer", t->board->manufacturer));
    string(t, text(o, "product", t->board->product));
    string(t, text(o, "version", t->board->version));
    string(t, text(o, "serial", NULL));
    uuid(t, text(o, "uuid", NULL));
    u8(t, 6); /* woken by the power switch */
    string(t, text(o, "sku", NULL));
    string(t, text(o, "family", NULL));
    end(t);
}

static void baseboard(Tables *t)
{
    const Json *o = smbios_options(2);

    if (!json_count(o)) {
        return;
    }
    begin(t, 2, 0x0200);
    string(t, text(o, "manufacturer", t->board->manufacturer));
    string(t, text(o, "product", t->board->product));
    string(t, text(o, "version", t->board->version));
    string(t, text(o, "serial", NULL));
    string(t, text(o, "asset", NULL));
    u8(t, 1); /* a hosting board */
    string(t, text(o, "location", NULL));
    u16(t, 0x0300);
    u8(t, 10); /* motherboard */
    u8(t, 0);
    end(t);
}

static void chassis(Tables *t)
{
    const Json *o = smbios_options(3);

    begin(t, 3, 0x0300);
    string(t, text(o, "manufacturer", t->board->manufacturer));
    u8(t, 1); /* other */
    string(t, text(o, "version", t->board->version));
    string(t, text(o, "serial", NULL));
    string(t, text(o, "asset", NULL));
    for (unsigned i = 0; i < 3; i++) {
        u8(t, 3); /* boot-up, power supply, thermal state: safe */
    }
    u8(t, 2);     /* security: unknown */
    u32(t, 0);
    u8(t, 0);
    u8(t, 0);
    u8(t, 0);
    u8(t, 0);
    string(t, text(o, "sku", NULL));
    end(t);
}

static void processor(Tables *t, unsigned socket)
{
    const Json *o = smbios_options(4);
    const SmpConfig *smp = &t->board->machine->smp;
    unsigned cores = MAX(smp->max_cpus / MAX(smp->sockets, 1) / MAX(smp->threads, 1), 1);
    unsigned threads = cores * MAX(smp->threads, 1);
    uint64_t id = (uint64_t)t->board->cpu_features << 32 | t->board->cpu_signature;
    char *name = xasprintf("%s %u", text(o, "sock_pfx", "CPU"), socket);

    begin(t, 4, 0x0400 + socket);
    string(t, name);
    free(name);
    u8(t, 3);    /* central processor */
    u8(t, 0xfe); /* the family is in the 16-bit field */
    string(t, text(o, "manufacturer", t->board->manufacturer));
    number(t, count_of(o, "processor-id", id), 8);
    string(t, text(o, "version", t->board->version));
    u8(t, 0);
    u16(t, 0);
    u16(t, (uint16_t)count_of(o, "max-speed", 2000));
    u16(t, (uint16_t)count_of(o, "current-speed", 2000));
    u8(t, 0x41); /* populated, enabled */
    u8(t, 1);    /* upgrade: other */
    for (unsigned i = 0; i < 3; i++) {
        u16(t, 0xffff); /* caches */
    }
    string(t, text(o, "serial", NULL));
    string(t, text(o, "asset", NULL));
    string(t, text(o, "part", NULL));
    u8(t, MIN(cores, 255));
    u8(t, MIN(cores, 255));
    u8(t, MIN(threads, 255));
    u16(t, 1 << 1); /* characteristics: unknown */
    u16(t, (uint16_t)count_of(o, "processor-family", 1));
    if (t->v3) {
        u16(t, cores);
        u16(t, cores);
        u16(t, threads);
    }
    end(t);
}

static void port_connector(Tables *t, unsigned n, const Json *o)
{
    begin(t, 8, 0x0800 + n);
    string(t, text(o, "internal_reference", NULL));
    u8(t, 0);
    string(t, text(o, "external_reference", NULL));
    u8(t, (uint8_t)count_of(o, "connector_type", 0));
    u8(t, (uint8_t)count_of(o, "port_type", 0));
    end(t);
}

/* Segment, bus, device and function of a PCI function by id; zeros or ones when it is not there. */
static bool pci_address(const Json *o, unsigned *ret_bus, unsigned *ret_devfn, Error **errp)
{
    const char *id = json_get_string(o, "pcidev");
    Device *dev = id ? device_find(id) : NULL;

    *ret_bus = *ret_devfn = id ? 0 : 0xff;
    if (id && (!dev || !object_is_a(&dev->obj, "pci-device"))) {
        error_set(errp, "No PCI device %s for SMBIOS entry", id);
        return false;
    }
    if (dev) {
        *ret_bus = pci_bus_number(PCI_DEVICE(dev)->bus);
        *ret_devfn = PCI_DEVICE(dev)->devfn;
    }
    return true;
}

static bool system_slot(Tables *t, unsigned n, const Json *o, Error **errp)
{
    unsigned bus, devfn;

    if (!pci_address(o, &bus, &devfn, errp)) {
        return false;
    }
    begin(t, 9, 0x0900 + n);
    string(t, text(o, "slot_designation", NULL));
    u8(t, (uint8_t)count_of(o, "slot_type", 0));
    u8(t, (uint8_t)count_of(o, "slot_data_bus_width", 0));
    u8(t, (uint8_t)count_of(o, "current_usage", 0));
    u8(t, (uint8_t)count_of(o, "slot_length", 0));
    u16(t, (uint16_t)count_of(o, "slot_id", 0));
    u8(t, (uint8_t)count_of(o, "slot_characteristics1", 0));
    u8(t, (uint8_t)count_of(o, "slot_characteristics2", 0));
    u16(t, json_get_string(o, "pcidev") ? 0 : 0xffff);
    u8(t, bus);
    u8(t, devfn);
    end(t);
    return true;
}

static void oem_strings(Tables *t)
{
    unsigned n = 0;

    if (!smbios_oem_string(0)) {
        return;
    }
    begin(t, 11, 0x0e00);
    size_t at = t->bytes.n;
    u8(t, 0);
    for (; smbios_oem_string(n) && n < 255; n++) {
        string(t, smbios_oem_string(n));
        t->bytes.n = at + 1; /* the numbers are not in the structure */
    }
    t->bytes.at[at] = t->n_strings;
    end(t);
}

static void memory_array(Tables *t, uint64_t bytes, unsigned devices)
{
    uint64_t kib = bytes / KiB;

    begin(t, 16, MEMORY_ARRAY);
    u8(t, 1); /* elsewhere, system memory, multi-bit ECC */
    u8(t, 3);
    u8(t, 6);
    u32(t, kib < 0x80000000 ? (uint32_t)kib : 0x80000000);
    u16(t, 0xfffe);
    u16(t, devices);
    number(t, kib < 0x80000000 ? 0 : bytes, 8);
    end(t);
}

static void memory_device(Tables *t, unsigned n, uint64_t bytes)
{
    const Json *o = smbios_options(17);
    char *locator = xasprintf("%s %u", text(o, "loc_pfx", "DIMM"), n);
    uint64_t mib = bytes / MiB;

    begin(t, 17, 0x1100 + n);
    u16(t, MEMORY_ARRAY);
    u16(t, 0xfffe);
    u16(t, 0xffff); /* widths: unknown */
    u16(t, 0xffff);
    u16(t, mib < 0x7fff ? (unsigned)mib : 0x7fff);
    u8(t, 9);       /* DIMM */
    u8(t, 0);
    string(t, locator);
    free(locator);
    string(t, text(o, "bank", NULL));
    u8(t, 7);       /* RAM */
    u16(t, 1 << 1);
    u16(t, (uint16_t)count_of(o, "speed", 0));
    string(t, text(o, "manufacturer", t->board->manufacturer));
    string(t, text(o, "serial", NULL));
    string(t, text(o, "asset", NULL));
    string(t, text(o, "part", NULL));
    u8(t, 0);
    u32(t, mib < 0x7fff ? 0 : (uint32_t)mib);
    u16(t, (uint16_t)count_of(o, "speed", 0));
    u16(t, 0);
    u16(t, 0);
    u16(t, 0);
    end(t);
}

static void memory_mapped(Tables *t, unsigned n, const SmbiosRange *range)
{
    uint64_t last = range->base + range->size_bytes - 1;
    bool wide = last / KiB >= UINT32_MAX;

    begin(t, 19, 0x1300 + n);
    u32(t, wide ? UINT32_MAX : (uint32_t)(range->base / KiB));
    u32(t, wide ? UINT32_MAX : (uint32_t)(last / KiB));
    u16(t, MEMORY_ARRAY);
    u8(t, 1);
    number(t, wide ? range->base : 0, 8);
    number(t, wide ? last : 0, 8);
    end(t);
}

static void memory(Tables *t)
{
    uint64_t left = t->board->machine->ram_bytes;
    unsigned devices = (unsigned)DIV_ROUND_UP(left, MEMORY_DEVICE_MAX);

    if (!smbios_has_file(16)) {
        memory_array(t, left, devices);
    }
    for (unsigned i = 0; i < devices && !smbios_has_file(17); i++) {
        memory_device(t, i, MIN(left, MEMORY_DEVICE_MAX));
        left -= MIN(left, MEMORY_DEVICE_MAX);
    }
    for (unsigned i = 0; i < t->board->n_memory && !smbios_has_file(19); i++) {
        if (t->board->memory[i].size_bytes) {
            memory_mapped(t, i, &t->board->memory[i]);
        }
    }
}

static bool onboard_device(Tables *t, unsigned n, const Json *o, Error **errp)
{
    static const char *const kinds[] = {
        NULL, "other", "unknown", "video", "scsi", "ethernet", "tokenring", "sound", "pata", "sata", "sas",
    };
    const char *kind = text(o, "kind", "other");
    unsigned type = 0, bus, devfn;

    for (unsigned i = 1; i < ARRAY_SIZE(kinds); i++) {
        type = !strcmp(kind, kinds[i]) ? i : type;
    }
    if (!type) {
        error_set(errp, "smbios type 41 device kind '%s' is not known", kind);
        return false;
    }
    if (!pci_address(o, &bus, &devfn, errp)) {
        return false;
    }
    begin(t, 41, 0x2900 + n);
    string(t, text(o, "designation", NULL));
    u8(t, type | 0x80); /* enabled */
    u8(t, (uint8_t)count_of(o, "instance", 0));
    u16(t, json_get_string(o, "pcidev") ? 0 : 0xffff);
    u8(t, bus);
    u8(t, devfn);
    end(t);
    return true;
}

/* ---- all of them ---- */

static bool build(Tables *t, Error **errp)
{
    static void (*const first[])(Tables *t) = { bios, system_info, baseboard, chassis };
    const Json *o;
    const uint8_t *file;
    size_t len;

    for (unsigned n = 0; (file = smbios_file(n, &len)); n++) {
        size_t start = t->bytes.n;
        for (size_t i = 0; i < len; i++) {
            u8(t, file[i]);
        }
        account(t, start);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(first); i++) {
        if (!smbios_has_file(i)) {
            first[i](t);
        }
    }
    for (unsigned i = 0; i < t->board->machine->smp.sockets && !smbios_has_file(4); i++) {
        processor(t, i);
    }
    for (unsigned n = 0; (o = smbios_options_at(8, n)); n++) {
        port_connector(t, n, o);
    }
    for (unsigned n = 0; (o = smbios_options_at(9, n)); n++) {
        if (!system_slot(t, n, o, errp)) {
            return false;
        }
    }
    oem_strings(t);
    memory(t);
    if (!smbios_has_file(32)) {
        begin(t, 32, 0x2000);
        for (unsigned i = 0; i < 7; i++) {
            u8(t, 0); /* no errors */
        }
        end(t);
    }
    for (unsigned n = 0; (o = smbios_options_at(41, n)); n++) {
        if (!onboard_device(t, n, o, errp)) {
            return false;
        }
    }
    begin(t, 127, 0x7f00);
    end(t);
    return true;
}

static size_t entry_point(const Tables *t, uint8_t *a)
{
    if (t->v3) { /* 5.2.2 */
        memcpy(a, "_SM3_", 5);
        a[6] = 24;
        a[7] = 3;
        a[10] = 1;
        stle32(a + 12, (uint32_t)t->bytes.n);
        return 24;
    }
    memcpy(a, "_SM_", 4); /* 5.2.1 */
    a[5] = 31;
    a[6] = 2;
    a[7] = 8;
    stle16(a + 8, (uint16_t)t->largest);
    memcpy(a + 16, "_DMI_", 5);
    stle16(a + 22, (uint16_t)t->bytes.n);
    stle16(a + 28, (uint16_t)t->count);
    a[30] = 0x28;
    return 31;
}

bool smbios_build(const SmbiosBoard *board, uint8_t **ret_tables, size_t *ret_tables_len, uint8_t **ret_anchor,
                  size_t *ret_anchor_len, Error **errp)
{
    Tables t = { .board = board, .v3 = board->entry == SMBIOS_ENTRY_64 };
    uint8_t *anchor = xcalloc(1, 32);

    bool ok = build(&t, errp);
    if (ok && !t.v3 && t.bytes.n > MAX_32_BYTES && board->entry == SMBIOS_ENTRY_AUTO) {
        vec_free(&t.bytes);
        vec_free(&t.strings);
        t = (Tables){ .board = board, .v3 = true };
        ok = build(&t, errp);
    }
    if (ok && !t.v3 && t.bytes.n > MAX_32_BYTES) {
        error_set(errp, "SMBIOS 2.1 table length %zu exceeds %d", t.bytes.n, MAX_32_BYTES);
        ok = false;
    }
    vec_free(&t.strings);
    if (!ok) {
        vec_free(&t.bytes);
        free(anchor);
        return false;
    }
    *ret_anchor_len = entry_point(&t, anchor);
    *ret_anchor = anchor;
    *ret_tables = t.bytes.at;
    *ret_tables_len = t.bytes.n;
    return true;
}

bool smbios_install(const SmbiosBoard *board, Device *fw_cfg, Error **errp)
{
    uint8_t *tables, *anchor;
    size_t tables_len, anchor_len;

    if (!smbios_build(board, &tables, &tables_len, &anchor, &anchor_len, errp)) {
        return false;
    }
    bool ok = fw_cfg_add_file(fw_cfg, "etc/smbios/smbios-tables", tables, (uint32_t)tables_len, errp) &&
              fw_cfg_add_file(fw_cfg, "etc/smbios/smbios-anchor", anchor, (uint32_t)anchor_len, errp);
    free(tables);
    free(anchor);
    return ok;
}
