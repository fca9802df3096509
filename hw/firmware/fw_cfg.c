/*
 * fw_cfg.c: firmware configuration device, memory-mapped flavour with DMA.
 *
 * "QEMU Firmware Configuration (fw_cfg) Device" (docs/specs/fw_cfg.rst of that project),
 * all sections but writing items through the data register. Three regions: selector
 * (big-endian 16 bits), data (bytes in string order) and DMA address (big-endian 64 bits).
 */
#include "hw/fw_cfg.h"
#include "softmmu/machine.h"
#include "util/bits.h"
#include "util/log.h"

enum {
    NAME_BYTES = 56, DIR_ENTRY_BYTES = 64,
    DMA_ERROR = 1, DMA_READ = 2, DMA_SKIP = 4, DMA_SELECT = 8, DMA_WRITE = 16,
    KEY_MASK = 0x3fff, FEATURE_TRADITIONAL = 1, FEATURE_DMA = 2,
};
#define DMA_SIGNATURE 0x51454d5520434647ull /* "QEMU CFG" */

typedef struct Item {
    uint8_t *data;
    uint32_t len;
} Item;

typedef struct FwCfgState {
    Device dev;
    uint32_t data_width;
    uint16_t file_slots;
    bool dma_enabled, acpi_mr_restore;
    Item *items;
    uint32_t n_items, n_files;
    uint16_t key;
    uint32_t pos;
    uint64_t dma_addr;
} FwCfgState;

static Item *current_item(FwCfgState *s)
{
    uint16_t key = s->key & KEY_MASK;

    return key < s->n_items ? &s->items[key] : NULL;
}

static void fw_cfg_select(FwCfgState *s, uint16_t key)
{
    s->key = key;
    s->pos = 0;
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
    FwCfgState *s = opaque;
    Item *item = current_item(s);
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++) {
        value = value << 8 | (item && s->pos < item->len ? item->data[s->pos] : 0);
        s->pos += item && s->pos < item->len;
    }
    *ret = value;
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

/* --- DMA --- */

static void dma_run(FwCfgState *s)
{
    AddressSpace *as = &machine_current()->memory;
    uint8_t desc[16], status[4];
    gpa at = s->dma_addr;

    s->dma_addr = 0;
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
    Item *item = current_item(s);
    uint32_t have = item && s->pos < item->len ? MIN(item->len - s->pos, len) : 0;
    if (control & DMA_READ) {
        if (have && memory_write(as, addr, item->data + s->pos, have, MEM_ATTRS_NONE)) {
            result = DMA_ERROR;
        }
        /* Past the end there are zeros; no more of them than memory takes. */
        for (uint32_t done = have; !result && done < len;) {
            uint32_t step = MIN(len - done, 4096);
            if (memory_fill(as, addr + done, 0, step, MEM_ATTRS_NONE)) {
                result = DMA_ERROR;
            }
            done += step;
        }
        s->pos += have;
    } else if (control & DMA_WRITE) {
        result = DMA_ERROR; /* no item here is writable */
    } else if (control & DMA_SKIP) {
        s->pos += have;
    }
    stbe32(status, result);
    memory_write(as, at, status, 4, MEM_ATTRS_NONE);
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

    if (size == 8) {
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

static const RegisterBank fw_cfg_banks[] = {
    { .name = "fwcfg.ctl", .size_bytes = 2, .ops = &ctl_ops },
    { .name = "fwcfg.data", .size_bytes = 8, .ops = &data_ops },
    { .name = "fwcfg.dma", .size_bytes = 8, .ops = &dma_ops },
};

/* --- items --- */

static void item_set(FwCfgState *s, uint16_t key, const void *data, uint32_t len)
{
    Item *item = &s->items[key];

    assert(key < s->n_items);
    free(item->data);
    item->data = len ? xmemdup(data, len) : NULL;
    item->len = len;
}

void fw_cfg_add_bytes(Device *dev, uint16_t key, const void *data, uint32_t len)
{
    item_set((FwCfgState *)dev, key, data, len);
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

bool fw_cfg_add_file(Device *dev, const char *name, const void *data, uint32_t len, Error **errp)
{
    FwCfgState *s = (FwCfgState *)dev;
    Item *dir = &s->items[FW_CFG_FILE_DIR];

    if (strlen(name) >= NAME_BYTES) {
        error_set(errp, "fw_cfg file name '%s' is longer than %d bytes", name, NAME_BYTES - 1);
        return false;
    }
    for (uint32_t i = 0; i < s->n_files; i++) {
        if (!strcmp((char *)dir->data + 4 + i * DIR_ENTRY_BYTES + 8, name)) {
            error_set(errp, "duplicate fw_cfg file name '%s'", name);
            return false;
        }
    }
    if (s->n_files == s->file_slots) {
        error_set(errp, "no room for fw_cfg file '%s': all %u slots are used", name,
                  s->file_slots);
        return false;
    }
    uint16_t key = (uint16_t)(FW_CFG_FILE_FIRST + s->n_files);
    dir->len = 4 + (s->n_files + 1) * DIR_ENTRY_BYTES;
    dir->data = xrealloc(dir->data, dir->len);
    uint8_t *entry = dir->data + 4 + s->n_files * DIR_ENTRY_BYTES;
    memset(entry, 0, DIR_ENTRY_BYTES);
    stbe32(entry, len);
    stbe16(entry + 4, key);
    memcpy(entry + 8, name, strlen(name));
    stbe32(dir->data, ++s->n_files);
    item_set(s, key, data, len);
    return true;
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
    uint8_t empty_dir[4] = {0};

    if (s->file_slots < 16 || s->file_slots > KEY_MASK - FW_CFG_FILE_FIRST) {
        error_set(errp, "x-file-slots must be between 16 and %d", KEY_MASK - FW_CFG_FILE_FIRST);
        return false;
    }
    s->n_items = FW_CFG_FILE_FIRST + s->file_slots;
    s->items = xnew_array(Item, s->n_items);
    fw_cfg_add_bytes(dev, FW_CFG_SIGNATURE, "QEMU", 4);
    fw_cfg_add_u32(dev, FW_CFG_ID, FEATURE_TRADITIONAL | (s->dma_enabled ? FEATURE_DMA : 0));
    fw_cfg_add_bytes(dev, FW_CFG_FILE_DIR, empty_dir, sizeof(empty_dir));
    if (!s->dma_enabled) {
        memory_region_set_enabled(device_mmio(dev, 2), false);
    }
    return true;
}

static void fw_cfg_unrealize(Device *dev)
{
    FwCfgState *s = (FwCfgState *)dev;

    for (uint32_t i = 0; i < s->n_items; i++) {
        free(s->items[i].data);
    }
    free(s->items);
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

static const Property fw_cfg_props[] = {
    PROP_U32("data_width", FwCfgState, data_width, UINT32_MAX, NULL),
    PROP_B("dma_enabled", FwCfgState, dma_enabled, true, "on/off"),
    PROP_U16("x-file-slots", FwCfgState, file_slots, 32, NULL),
    PROP_B("acpi-mr-restore", FwCfgState, acpi_mr_restore, true, "on/off"),
};

static const DeviceType fw_cfg_type = {
    .type = {
        .name = "fw_cfg_mem",
        .parent = "sys-bus-device",
        .summary = "firmware configuration",
        .size_bytes = sizeof(FwCfgState),
        .props = fw_cfg_props,
        .n_props = ARRAY_SIZE(fw_cfg_props),
    },
    .category = DEVICE_MISC,
    .bus = "System",
    .banks = fw_cfg_banks,
    .n_banks = ARRAY_SIZE(fw_cfg_banks),
    .state = &fw_cfg_state,
    .realize = fw_cfg_realize,
    .unrealize = fw_cfg_unrealize,
    .reset_enter = fw_cfg_reset,
};
DEVICE_TYPE_REGISTER(fw_cfg_type);
