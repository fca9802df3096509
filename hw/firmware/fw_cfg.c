/*
 * fw_cfg.c: firmware configuration device: registers in memory (fw_cfg_mem) or a PC's ports (fw_cfg_io), with DMA.
 *
 * "QEMU Firmware Configuration (fw_cfg) Device" (docs/specs/fw_cfg.rst of that project), all sections but writing items
 * through the data register. fw_cfg_mem has three regions: selector (big-endian 16 bits), data (bytes in string order) and
 * DMA address (big-endian 64 bits). fw_cfg_io has the selector (little-endian 16 bits) at 0x510, data at 0x511 and the
 * DMA address at 0x514.
 *
 * Items with keys below FW_CFG_FILE_FIRST and those of an architecture (FW_CFG_X86) have fixed places; files are
 * numbered in the order of their names. The directory is made when it is selected.
 */
#include "hw/fw_cfg.h"
#include "softmmu/machine.h"
#include "util/bits.h"
#include "util/log.h"

enum {
    NAME_BYTES = 56, DIR_ENTRY_BYTES = 64, N_ARCH_ITEMS = 0x20,
    DMA_ERROR = 1, DMA_READ = 2, DMA_SKIP = 4, DMA_SELECT = 8, DMA_WRITE = 16,
    KEY_WRITE = 0x4000, KEY_MASK = 0x3fff, FEATURE_TRADITIONAL = 1, FEATURE_DMA = 2,
    IO_BASE = 0x510, IO_DMA = 0x514,
};
#define DMA_SIGNATURE 0x51454d5520434647ull /* "QEMU CFG" */

typedef struct Item {
    uint8_t *data;
    uint32_t len;
} Item;

typedef struct File {
    char name[NAME_BYTES];
    Item item;
    bool writable;
    void (*selected)(void *opaque);
    void *selected_opaque;
    void (*written)(void *opaque);
    void *written_opaque;
} File;

typedef struct FwCfgState {
    Device dev;
    uint32_t data_width;
    uint16_t file_slots;
    bool dma_enabled, acpi_mr_restore;
    Item items[FW_CFG_FILE_FIRST], arch_items[N_ARCH_ITEMS];
    VEC(File) files; /* by name */
    uint16_t key;
    uint32_t pos;
    uint64_t dma_addr;
    bool dma_busy;
} FwCfgState;

static Item *item_of(FwCfgState *s, uint16_t key)
{
    unsigned n = key & KEY_MASK;

    if (key & FW_CFG_X86) {
        return n < N_ARCH_ITEMS ? &s->arch_items[n] : NULL;
    }
    return n < FW_CFG_FILE_FIRST ? &s->items[n]
           : n - FW_CFG_FILE_FIRST < s->files.n ? &s->files.at[n - FW_CFG_FILE_FIRST].item : NULL;
}

static File *file_of_key(FwCfgState *s, uint16_t key)
{
    unsigned n = key & KEY_MASK;

    return !(key & FW_CFG_X86) && n >= FW_CFG_FILE_FIRST && n - FW_CFG_FILE_FIRST < s->files.n
           ? &s->files.at[n - FW_CFG_FILE_FIRST] : NULL;
}

static void item_set(Item *item, const void *data, uint32_t len)
{
    uint8_t *copy = len ? xmemdup(data, len) : NULL; /* data may be the old contents */

    free(item->data);
    *item = (Item){ copy, len };
}

/* "File Directory": count, then size, key, reserved, name of each, big-endian. */
static void make_directory(FwCfgState *s)
{
    uint32_t len = 4 + (uint32_t)s->files.n * DIR_ENTRY_BYTES;
    uint8_t *dir = xcalloc(1, len);

    stbe32(dir, (uint32_t)s->files.n);
    for (uint32_t i = 0; i < s->files.n; i++) {
        uint8_t *entry = dir + 4 + i * DIR_ENTRY_BYTES;
        stbe32(entry, s->files.at[i].item.len);
        stbe16(entry + 4, (uint16_t)(FW_CFG_FILE_FIRST + i));
        memcpy(entry + 8, s->files.at[i].name, NAME_BYTES);
    }
    free(s->items[FW_CFG_FILE_DIR].data);
    s->items[FW_CFG_FILE_DIR] = (Item){ dir, len };
}

static void fw_cfg_select(FwCfgState *s, uint16_t key)
{
    File *file = file_of_key(s, key);

    s->key = key;
    s->pos = 0;
    if (file && file->selected) {
        file->selected(file->selected_opaque);
    } else if ((key & ~KEY_WRITE) == FW_CFG_FILE_DIR) {
        make_directory(s);
    }
}

/* Up to 8 bytes in string order, most significant first; zeros past the end. */
static uint64_t data_next(FwCfgState *s, unsigned size)
{
    Item *item = item_of(s, s->key);
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++) {
        value = value << 8 | (item && s->pos < item->len ? item->data[s->pos] : 0);
        s->pos += item && s->pos < item->len;
    }
    return value;
}

/* --- selector and data --- */

static MemResult ctl_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret,
                          MemAttrs attrs)
{
    *ret = 0;
    return MEM_OK;
}

static MemResult ctl_write(void *opaque, uint64_t offset, unsigned size, uint64_t value,
                           MemAttrs attrs)
{
    fw_cfg_select(opaque, (uint16_t)value);
    return MEM_OK;
}

static const MemoryOps ctl_ops = {
    .read = ctl_read, .write = ctl_write, .endian = MEM_BIG_ENDIAN,
    .valid = { .min = 2, .max = 2 },
};

static MemResult data_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret,
                           MemAttrs attrs)
{
    *ret = data_next(opaque, size);
    return MEM_OK;
}

static MemResult data_write(void *opaque, uint64_t offset, unsigned size, uint64_t value,
                            MemAttrs attrs)
{
    log_guest_error("fw_cfg: the data register is read-only\n");
    return MEM_OK;
}

static const MemoryOps data_ops = {
    .read = data_read, .write = data_write, .endian = MEM_BIG_ENDIAN,
    .valid = { .min = 1, .max = 8 },
};

/* Ports 0x510 and 0x511: 16-bit writes select, bytes are data. */
static MemResult io_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    return size == 2 ? ctl_write(opaque, offset, size, value, attrs) : data_write(opaque, offset, size, value, attrs);
}

static bool io_accepts(void *opaque, uint64_t offset, unsigned size, bool is_write, MemAttrs attrs)
{
    return size == 1 || (is_write && size == 2);
}

static const MemoryOps io_ops = {
    .read = data_read, .write = io_write, .endian = MEM_LITTLE_ENDIAN, .accepts = io_accepts,
    .valid = { .min = 1, .max = 2 },
};

/* --- DMA --- */

/* A transfer of up to 4 GiB must not go register by register. */
static bool is_memory(AddressSpace *as, gpa addr)
{
    rcu_read_lock();
    bool ok = memory_lookup(as, addr).host != NULL;
    rcu_read_unlock();
    return ok;
}

static void dma_transfer(FwCfgState *s, AddressSpace *as, gpa at)
{
    uint8_t desc[16], status[4];

    if (memory_read(as, at, desc, sizeof(desc), MEM_ATTRS_NONE)) {
        log_guest_error("fw_cfg: DMA descriptor at 0x%" PRIx64 " cannot be read\n", at);
        stbe32(status, DMA_ERROR);
        memory_write(as, at, status, 4, MEM_ATTRS_NONE);
        return;
    }
    uint32_t control = ldbe32(desc), len = ldbe32(desc + 4), result = 0;
    gpa addr = ldbe64(desc + 8);
    if (control & DMA_SELECT) {
        fw_cfg_select(s, (uint16_t)(control >> 16));
    }
    Item *item = item_of(s, s->key);
    uint32_t have = item && s->pos < item->len ? MIN(item->len - s->pos, len) : 0;
    if (control & DMA_READ) {
        if (have && memory_write(as, addr, item->data + s->pos, have, MEM_ATTRS_NONE)) {
            result = DMA_ERROR;
        }
        /* Past the end there are zeros; no more of them than memory takes. */
        for (uint32_t done = have; !result && done < len;) {
            uint32_t step = MIN(len - done, 4096);
            if (!is_memory(as, addr + done) || memory_fill(as, addr + done, 0, step, MEM_ATTRS_NONE)) {
                result = DMA_ERROR;
            }
            done += step;
        }
        s->pos += have;
    } else if (control & DMA_WRITE) {
        File *file = file_of_key(s, s->key);
        if (!file || !file->writable || have != len || memory_read(as, addr, item->data + s->pos, len, MEM_ATTRS_NONE)) {
            result = DMA_ERROR;
        } else {
            s->pos += len;
            if (file->written) {
                file->written(file->written_opaque);
            }
        }
    } else if (control & DMA_SKIP) {
        s->pos += have;
    }
    stbe32(status, result);
    memory_write(as, at, status, 4, MEM_ATTRS_NONE);
}

static void dma_run(FwCfgState *s)
{
    gpa at = s->dma_addr;

    s->dma_addr = 0;
    s->dma_busy = true;
    dma_transfer(s, &machine_current()->memory, at);
    s->dma_busy = false;
}

static MemResult dma_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret,
                          MemAttrs attrs)
{
    *ret = DMA_SIGNATURE >> 8 * (8 - size - offset);
    if (size < 8) {
        *ret &= ((uint64_t)1 << 8 * size) - 1;
    }
    return MEM_OK;
}

static MemResult dma_write(void *opaque, uint64_t offset, unsigned size, uint64_t value,
                           MemAttrs attrs)
{
    FwCfgState *s = opaque;

    if (s->dma_busy) {
        log_guest_error("fw_cfg: a transfer to the DMA register itself\n");
    } else if (size == 8) {
        s->dma_addr = value;
        dma_run(s);
    } else if (offset == 0) {
        s->dma_addr = value << 32;
    } else {
        s->dma_addr = (s->dma_addr & ~(uint64_t)UINT32_MAX) | value;
        dma_run(s);
    }
    return MEM_OK;
}

static const MemoryOps dma_ops = {
    .read = dma_read, .write = dma_write, .endian = MEM_BIG_ENDIAN,
    .valid = { .min = 4, .max = 8 },
};

static const RegisterBank fw_cfg_mem_banks[] = {
    { .name = "fwcfg.ctl", .size_bytes = 2, .ops = &ctl_ops },
    { .name = "fwcfg.data", .size_bytes = 8, .ops = &data_ops },
    { .name = "fwcfg.dma", .size_bytes = 8, .ops = &dma_ops },
};

static const RegisterBank fw_cfg_io_banks[] = {
    { .name = "fwcfg", .size_bytes = 2, .ops = &io_ops },
    { .name = "fwcfg.dma", .size_bytes = 8, .ops = &dma_ops },
};

/* --- items --- */

void fw_cfg_add_bytes(Device *dev, uint16_t key, const void *data, uint32_t len)
{
    Item *item = item_of((FwCfgState *)dev, key);

    assert(item);
    item_set(item, data, len);
}

void fw_cfg_add_u16(Device *dev, uint16_t key, uint16_t value)
{
    uint8_t bytes[2];

    stle16(bytes, value);
    fw_cfg_add_bytes(dev, key, bytes, sizeof(bytes));
}

void fw_cfg_add_u32(Device *dev, uint16_t key, uint32_t value)
{
    uint8_t bytes[4];

    stle32(bytes, value);
    fw_cfg_add_bytes(dev, key, bytes, sizeof(bytes));
}

void fw_cfg_add_u64(Device *dev, uint16_t key, uint64_t value)
{
    uint8_t bytes[8];

    stle64(bytes, value);
    fw_cfg_add_bytes(dev, key, bytes, sizeof(bytes));
}

static File *file_find(FwCfgState *s, const char *name)
{
    for (size_t i = 0; i < s->files.n; i++) {
        if (!strcmp(s->files.at[i].name, name)) {
            return &s->files.at[i];
        }
    }
    return NULL;
}

bool fw_cfg_add_file(Device *dev, const char *name, const void *data, uint32_t len, Error **errp)
{
    FwCfgState *s = (FwCfgState *)dev;
    size_t at = 0;

    if (strlen(name) >= NAME_BYTES) {
        error_set(errp, "fw_cfg file name '%s' is longer than %d bytes", name, NAME_BYTES - 1);
        return false;
    }
    if (file_find(s, name)) {
        error_set(errp, "duplicate fw_cfg file name '%s'", name);
        return false;
    }
    if (s->files.n == s->file_slots) {
        error_set(errp, "no room for fw_cfg file '%s': all %u slots are used", name, s->file_slots);
        return false;
    }
    vec_push(&s->files);
    while (at + 1 < s->files.n && strcmp(s->files.at[at].name, name) < 0) {
        at++;
    }
    memmove(s->files.at + at + 1, s->files.at + at, (s->files.n - 1 - at) * sizeof(File));
    s->files.at[at] = (File){0};
    memcpy(s->files.at[at].name, name, strlen(name));
    item_set(&s->files.at[at].item, data, len);
    return true;
}

bool fw_cfg_set_file(Device *dev, const char *name, const void *data, uint32_t len, Error **errp)
{
    File *file = file_find((FwCfgState *)dev, name);

    if (!file) {
        return fw_cfg_add_file(dev, name, data, len, errp);
    }
    item_set(&file->item, data, len);
    return true;
}

void fw_cfg_on_select(Device *dev, const char *name, void (*fn)(void *opaque), void *opaque)
{
    File *file = file_find((FwCfgState *)dev, name);

    assert(file);
    file->selected = fn;
    file->selected_opaque = opaque;
}

void fw_cfg_make_writable(Device *dev, const char *name, void (*fn)(void *opaque), void *opaque)
{
    File *file = file_find((FwCfgState *)dev, name);

    assert(file);
    file->writable = true;
    file->written = fn;
    file->written_opaque = opaque;
}

static const uint8_t *item_bytes(const Item *item, uint32_t *ret_len)
{
    *ret_len = item->len;
    return item->len ? item->data : (const uint8_t *)"";
}

const uint8_t *fw_cfg_file(Device *dev, const char *name, uint32_t *ret_len)
{
    File *file = file_find((FwCfgState *)dev, name);

    return file ? item_bytes(&file->item, ret_len) : NULL;
}

const uint8_t *fw_cfg_item(Device *dev, uint16_t key, uint32_t *ret_len)
{
    Item *item = item_of((FwCfgState *)dev, key);

    if (key == FW_CFG_FILE_DIR) {
        make_directory((FwCfgState *)dev);
    }
    return item ? item_bytes(item, ret_len) : NULL;
}

typedef struct Option {
    char *name;
    void *data;
    uint32_t len;
} Option;
static VEC(Option) options;

bool fw_cfg_add_option(const char *name, const void *data, uint32_t len, Error **errp)
{
    if (!*name || strlen(name) >= NAME_BYTES) {
        error_set(errp, "fw_cfg file name '%s' must have 1 to %d bytes", name, NAME_BYTES - 1);
        return false;
    }
    *vec_push(&options) = (Option){ xstrdup(name), xmemdup(data, len), len };
    return true;
}

bool fw_cfg_take_options(Device *dev, Error **errp)
{
    for (size_t i = 0; i < options.n; i++) {
        if (!fw_cfg_add_file(dev, options.at[i].name, options.at[i].data, options.at[i].len,
                             errp)) {
            return false;
        }
    }
    return true;
}

/* --- device --- */

static bool fw_cfg_realize(Device *dev, Error **errp)
{
    FwCfgState *s = (FwCfgState *)dev;

    if (s->file_slots < 16 || s->file_slots > KEY_MASK - FW_CFG_FILE_FIRST) {
        error_set(errp, "x-file-slots must be between 16 and %d", KEY_MASK - FW_CFG_FILE_FIRST);
        return false;
    }
    fw_cfg_add_bytes(dev, FW_CFG_SIGNATURE, "QEMU", 4);
    fw_cfg_add_u32(dev, FW_CFG_ID, FEATURE_TRADITIONAL | (s->dma_enabled ? FEATURE_DMA : 0));
    if (!s->dma_enabled) {
        memory_region_set_enabled(device_mmio(dev, dev->n_mmio - 1), false);
    }
    return true;
}

static bool fw_cfg_io_realize(Device *dev, Error **errp)
{
    MemoryRegion *io = &machine_current()->system_io;

    if (!fw_cfg_realize(dev, errp)) {
        return false;
    }
    memory_region_add(io, IO_BASE, device_mmio(dev, 0));
    memory_region_add(io, IO_DMA, device_mmio(dev, 1));
    return true;
}

static void fw_cfg_unrealize(Device *dev)
{
    FwCfgState *s = (FwCfgState *)dev;

    for (uint32_t i = 0; i < FW_CFG_FILE_FIRST; i++) {
        free(s->items[i].data);
    }
    for (uint32_t i = 0; i < N_ARCH_ITEMS; i++) {
        free(s->arch_items[i].data);
    }
    for (size_t i = 0; i < s->files.n; i++) {
        free(s->files.at[i].item.data);
    }
    vec_free(&s->files);
}

static void fw_cfg_io_unrealize(Device *dev)
{
    MemoryRegion *io = &machine_current()->system_io;

    memory_region_remove(io, device_mmio(dev, 0));
    memory_region_remove(io, device_mmio(dev, 1));
    fw_cfg_unrealize(dev);
}

static void fw_cfg_reset(Device *dev, ResetKind kind)
{
    FwCfgState *s = (FwCfgState *)dev;

    fw_cfg_select(s, 0);
    s->dma_addr = 0;
}

static const StateField fw_cfg_fields[] = {
    STATE_U(FwCfgState, key),
    STATE_U(FwCfgState, pos),
    STATE_U(FwCfgState, dma_addr),
};

static const StateDesc fw_cfg_state = {
    .name = "fw_cfg", .version = 1, .min_version = 1,
    .fields = fw_cfg_fields, .n_fields = ARRAY_SIZE(fw_cfg_fields),
};

#define FW_CFG_PROPS                                                   \
    PROP_B("dma_enabled", FwCfgState, dma_enabled, true, "on/off"),    \
    PROP_U16("x-file-slots", FwCfgState, file_slots, 32, NULL),        \
    PROP_B("acpi-mr-restore", FwCfgState, acpi_mr_restore, true, "on/off")

static const Property fw_cfg_mem_props[] = {
    PROP_U32("data_width", FwCfgState, data_width, UINT32_MAX, NULL), FW_CFG_PROPS,
};
static const Property fw_cfg_io_props[] = { FW_CFG_PROPS };

static const DeviceType fw_cfg_mem_type = {
    .type = {
        .name = "fw_cfg_mem",
        .parent = "sys-bus-device",
        .summary = "firmware configuration",
        .size_bytes = sizeof(FwCfgState),
        .props = fw_cfg_mem_props,
        .n_props = ARRAY_SIZE(fw_cfg_mem_props),
    },
    .category = DEVICE_MISC,
    .bus = "System",
    .banks = fw_cfg_mem_banks,
    .n_banks = ARRAY_SIZE(fw_cfg_mem_banks),
    .state = &fw_cfg_state,
    .realize = fw_cfg_realize,
    .unrealize = fw_cfg_unrealize,
    .reset_enter = fw_cfg_reset,
};
DEVICE_TYPE_REGISTER(fw_cfg_mem_type);

static const DeviceType fw_cfg_io_type = {
    .type = {
        .name = "fw_cfg_io",
        .parent = "sys-bus-device",
        .summary = "firmware configuration at ports 0x510 to 0x51b",
        .size_bytes = sizeof(FwCfgState),
        .props = fw_cfg_io_props,
        .n_props = ARRAY_SIZE(fw_cfg_io_props),
    },
    .category = DEVICE_MISC,
    .bus = "System",
    .banks = fw_cfg_io_banks,
    .n_banks = ARRAY_SIZE(fw_cfg_io_banks),
    .state = &fw_cfg_state,
    .realize = fw_cfg_io_realize,
    .unrealize = fw_cfg_io_unrealize,
    .reset_enter = fw_cfg_reset,
};
DEVICE_TYPE_REGISTER(fw_cfg_io_type);
