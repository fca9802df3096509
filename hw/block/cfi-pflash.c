/*
 * cfi-pflash.c: NOR flash with the Intel/Sharp command set, in one or more chips side by side.
 *
 * Common Flash Interface publication 68.04 (JESD68.01) for the query table, Intel
 * StrataFlash 28FxxxJ3 data sheet (290667) for commands: read array, identifier, query,
 * status; program, buffered program, block erase, lock bits (kept but not enforced).
 * Operations complete at once. In read-array mode the region is memory; writes, and reads
 * in the other modes, come here. Changes are written through to the drive, if there is one
 * and it is writable. With secure=on only secure accesses (those of system management mode)
 * reach the command interface; to others it is read-only memory.
 *
 * DEVIATION: clear status (50h) clears the ready bit, too, until the next operation. UEFI
 * firmware for virtual machines tells flash from ROM and RAM by the 0 it reads then.
 */
#include "block/block.h"
#include "hw/device.h"
#include "util/bits.h"
#include "util/log.h"

enum {
    CMD_PROGRAM_ALT = 0x10, CMD_ERASE = 0x20, CMD_PROGRAM = 0x40, CMD_CLEAR_STATUS = 0x50,
    CMD_LOCK = 0x60, CMD_STATUS = 0x70, CMD_ID = 0x90, CMD_QUERY = 0x98, CMD_CONFIRM = 0xd0,
    CMD_BUFFER = 0xe8, CMD_ARRAY = 0xff,
    STATUS_READY = 0x80, STATUS_ERASE_ERROR = 0x20, STATUS_PROGRAM_ERROR = 0x10,
    QUERY_BYTES = 0x52,
};

typedef struct PflashState {
    Device dev;
    BlockBackend *blk;
    uint32_t num_blocks;
    uint64_t sector_length;
    uint8_t width, device_width, max_device_width;
    bool big_endian, secure, old_handling;
    uint16_t id0, id1, id2, id3;
    char *name;
    MemoryRegion mem;
    uint8_t *storage;
    uint64_t size_bytes;
    bool read_only;
    uint8_t query[QUERY_BYTES];
    /* State. */
    uint8_t command;     /* mode of reads, or what waits for its second cycle */
    uint8_t cycle;       /* write cycles seen of a command */
    uint8_t status;
    uint32_t count;      /* words left of a buffered program */
    uint64_t buffer_at;  /* start of the buffer's block */
    uint32_t buffer_len;
    uint8_t *buffer;     /* old contents with the new words, of buffer_len bytes */
} PflashState;

static uint8_t chips(const PflashState *s)
{
    return s->width / s->device_width;
}

/* The same value on each chip's lines. */
static uint64_t on_all_chips(const PflashState *s, uint64_t value, unsigned size)
{
    uint64_t all = 0;

    for (unsigned i = 0; i < chips(s); i++) {
        all |= value << 8 * s->device_width * i;
    }
    return size < 8 ? all & (((uint64_t)1 << 8 * size) - 1) : all;
}

static void set_mode(PflashState *s, uint8_t command)
{
    s->command = command;
    s->cycle = 0;
    memory_region_set_romd(&s->mem, command == CMD_ARRAY);
}

static uint64_t storage_get(const PflashState *s, uint64_t offset, unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++) {
        value |= (uint64_t)s->storage[offset + i] << 8 * (s->big_endian ? size - 1 - i : i);
    }
    return value;
}

static void bytes_put(uint8_t *to, unsigned size, uint64_t value, bool big)
{
    for (unsigned i = 0; i < size; i++) {
        to[i] = (uint8_t)(value >> 8 * (big ? size - 1 - i : i));
    }
}

static void write_through(PflashState *s, uint64_t offset, uint64_t len)
{
    if (s->blk && !s->read_only) {
        int err = block_pwrite(s->blk, offset, s->storage + offset, len);
        if (err < 0) {
            error_report("cannot write flash '%s' to its drive: %s", s->name ? s->name : "",
                         strerror(-err));
        }
    }
    ram_mark_dirty(s->mem.ram, offset, len);
}

static bool is_shut(const PflashState *s, MemAttrs attrs)
{
    return s->secure && !attrs.secure;
}

/* --- reads outside read-array mode --- */

static uint64_t id_read(const PflashState *s, uint64_t offset)
{
    /* Word address within a block: 0 manufacturer, 1 device, 2 lock status. */
    switch (offset % s->sector_length / s->width) {
    case 0: return s->id0;
    case 1: return s->id1;
    default: return 0;
    }
}

static MemResult pflash_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret,
                             MemAttrs attrs)
{
    PflashState *s = opaque;
    uint64_t word = offset / s->width;

    switch (is_shut(s, attrs) ? CMD_ARRAY : s->command) {
    case CMD_ARRAY:
        *ret = storage_get(s, offset, size);
        break;
    case CMD_ID:
        *ret = on_all_chips(s, id_read(s, offset), size);
        break;
    case CMD_QUERY:
        *ret = on_all_chips(s, word < QUERY_BYTES ? s->query[word] : 0, size);
        break;
    default:
        *ret = on_all_chips(s, s->status, size);
        break;
    }
    return MEM_OK;
}

/* --- commands --- */

static void program(PflashState *s, uint64_t offset, unsigned size, uint64_t value)
{
    s->status |= STATUS_READY;
    if (s->read_only) {
        s->status |= STATUS_PROGRAM_ERROR;
        return;
    }
    /* Programming can only clear bits. */
    bytes_put(s->storage + offset, size, value & storage_get(s, offset, size), s->big_endian);
    write_through(s, offset, size);
}

static void erase(PflashState *s, uint64_t offset)
{
    uint64_t start = offset - offset % s->sector_length;

    s->status |= STATUS_READY;
    if (s->read_only) {
        s->status |= STATUS_ERASE_ERROR;
        return;
    }
    memset(s->storage + start, 0xff, s->sector_length);
    write_through(s, start, s->sector_length);
}

static void buffer_write(PflashState *s, uint64_t offset, unsigned size, uint64_t value)
{
    if (s->buffer_at == UINT64_MAX) {
        s->buffer_at = offset - offset % s->buffer_len;
        memcpy(s->buffer, s->storage + s->buffer_at, s->buffer_len);
    }
    if (offset < s->buffer_at || offset + size > s->buffer_at + s->buffer_len) {
        s->status |= STATUS_PROGRAM_ERROR; /* crosses the write buffer's block */
    } else {
        uint64_t old = 0;
        for (unsigned i = 0; i < size; i++) {
            old |= (uint64_t)s->buffer[offset - s->buffer_at + i]
                   << 8 * (s->big_endian ? size - 1 - i : i);
        }
        bytes_put(s->buffer + (offset - s->buffer_at), size, old & value, s->big_endian);
    }
}

static void first_cycle(PflashState *s, uint64_t offset, uint8_t command)
{
    switch (command) {
    case 0x00: /* some drivers reset with it */
    case 0xf0:
    case CMD_ARRAY:
        set_mode(s, CMD_ARRAY);
        break;
    case CMD_PROGRAM:
    case CMD_PROGRAM_ALT:
    case CMD_ERASE:
    case CMD_LOCK:
        set_mode(s, command);
        s->cycle = 1;
        break;
    case CMD_BUFFER:
        set_mode(s, command);
        s->status |= STATUS_READY; /* a buffer is free */
        s->cycle = 1;
        s->count = UINT32_MAX;
        s->buffer_at = UINT64_MAX;
        break;
    case CMD_CLEAR_STATUS:
        s->status = 0;
        set_mode(s, CMD_ARRAY);
        break;
    case CMD_STATUS:
    case CMD_ID:
    case CMD_QUERY:
        set_mode(s, command);
        break;
    default:
        log_guest_error("pflash: unknown command 0x%02x at 0x%" PRIx64 "\n", command, offset);
        set_mode(s, CMD_ARRAY);
        break;
    }
}

static MemResult pflash_write(void *opaque, uint64_t offset, unsigned size, uint64_t value,
                              MemAttrs attrs)
{
    PflashState *s = opaque;
    uint8_t command = (uint8_t)value;

    if (is_shut(s, attrs)) {
        log_guest_error("pflash: write at 0x%" PRIx64 " is not secure\n", offset);
        return MEM_OK;
    }
    if (s->cycle == 0) {
        first_cycle(s, offset, command);
        return MEM_OK;
    }
    switch (s->command) {
    case CMD_PROGRAM:
    case CMD_PROGRAM_ALT:
        program(s, offset, size, value);
        s->cycle = 0;
        s->command = CMD_STATUS;
        break;
    case CMD_ERASE:
        if (command == CMD_CONFIRM) {
            erase(s, offset);
            s->cycle = 0;
            s->command = CMD_STATUS;
        } else {
            /* Command sequence error. */
            s->status |= STATUS_READY | STATUS_ERASE_ERROR | STATUS_PROGRAM_ERROR;
            set_mode(s, command == CMD_ARRAY ? CMD_ARRAY : CMD_STATUS);
        }
        break;
    case CMD_LOCK:
        /* Set (0x01) or clear (0xd0) lock bits: accepted, without effect. */
        s->status |= STATUS_READY;
        set_mode(s, command == CMD_ARRAY ? CMD_ARRAY : CMD_STATUS);
        break;
    case CMD_BUFFER:
        if (s->cycle == 1) {
            /* The count is per chip, less one: each write to the bus has a word of every chip. */
            s->count = (uint32_t)(value & 0xffff & ((1u << 8 * MIN(s->device_width, 2)) - 1)) + 1;
            if ((uint64_t)s->count * s->width > s->buffer_len) {
                s->status |= STATUS_PROGRAM_ERROR;
            }
            s->cycle = 2;
        } else if (s->cycle == 2) {
            buffer_write(s, offset, size, value);
            if (--s->count == 0) {
                s->cycle = 3;
            }
        } else {
            if (command == CMD_CONFIRM && !(s->status & STATUS_PROGRAM_ERROR)) {
                if (s->read_only) {
                    s->status |= STATUS_PROGRAM_ERROR;
                } else {
                    memcpy(s->storage + s->buffer_at, s->buffer, s->buffer_len);
                    write_through(s, s->buffer_at, s->buffer_len);
                }
            } else {
                s->status |= STATUS_PROGRAM_ERROR;
            }
            set_mode(s, CMD_STATUS);
        }
        break;
    default:
        set_mode(s, CMD_ARRAY);
        break;
    }
    return MEM_OK;
}

/* A wide access is two of the bus's: UEFI writes a variable of its own where it runs from flash, and takes no for an answer, not a fault. */
static const MemoryOps pflash_ops[2] = {
    { .read = pflash_read, .write = pflash_write, .endian = MEM_LITTLE_ENDIAN,
      .valid = { .min = 1, .max = 8 }, .impl = { .min = 1, .max = 4 } },
    { .read = pflash_read, .write = pflash_write, .endian = MEM_BIG_ENDIAN,
      .valid = { .min = 1, .max = 8 }, .impl = { .min = 1, .max = 4 } },
};

/* --- set-up --- */

/* JESD68.01 tables 5 to 8; sizes are of one chip. */
static void make_query(PflashState *s)
{
    uint64_t chip_bytes = s->size_bytes / chips(s);
    uint64_t block_bytes = s->sector_length / chips(s);
    uint8_t *q = s->query;

    memset(q, 0, sizeof(s->query));
    memcpy(q + 0x10, "QRY", 3);
    q[0x13] = 0x01;                  /* command set: Intel extended */
    q[0x15] = 0x31;                  /* its table is at 0x31 */
    q[0x1b] = 0x45;                  /* Vcc 4.5 V … */
    q[0x1c] = 0x55;                  /* … 5.5 V */
    q[0x1f] = 0x07;                  /* typical times, 2^n: program 128 us, */
    q[0x20] = 0x07;                  /* buffer 128 us, */
    q[0x21] = 0x0a;                  /* erase 1024 ms; maxima 2^4 times as long */
    q[0x23] = q[0x24] = q[0x25] = 0x04;
    q[0x27] = (uint8_t)(64 - __builtin_clzll(chip_bytes - 1)); /* firmware is cut out of the next power of two */
    q[0x28] = 0x02;                  /* x8 and x16 */
    q[0x2a] = (uint8_t)__builtin_ctz(s->buffer_len / chips(s));
    q[0x2c] = 1;                     /* one erase region: */
    stle16(q + 0x2d, (uint16_t)(s->num_blocks - 1));
    stle16(q + 0x2f, (uint16_t)(block_bytes / 256));
    memcpy(q + 0x31, "PRI1", 4);
    q[0x35] = '0';                   /* version 1.0, no optional features */
    q[0x3f] = 1;                     /* one protection field */
}

static bool pflash_realize(Device *dev, Error **errp)
{
    PflashState *s = (PflashState *)dev;
    const char *name = s->name ? s->name : "pflash";

    if (!s->num_blocks || !s->sector_length || !s->width || s->width > 4 ||
        !bits_is_pow2(s->width) || !bits_is_pow2(s->sector_length) ||
        s->num_blocks > 65536 || s->sector_length > 16 * MiB) {
        error_set(errp, "cfi.pflash01: sector-length (to 16 MiB) and width (1, 2 or 4) must be "
                  "powers of two, num-blocks 1 to 65536");
        return false;
    }
    if (!s->device_width) {
        s->device_width = s->width;
    }
    if (!s->max_device_width) {
        s->max_device_width = s->device_width;
    }
    if (s->device_width > s->width || s->width % s->device_width) {
        error_set(errp, "cfi.pflash01: device-width %u does not fit width %u", s->device_width,
                  s->width);
        return false;
    }
    s->size_bytes = s->num_blocks * s->sector_length;
    s->buffer_len = (uint32_t)MIN(2048u, s->sector_length);
    s->read_only = s->blk && block_is_readonly(s->blk);
    if (s->blk && block_size_bytes(s->blk) != s->size_bytes) {
        error_set(errp, "device requires %" PRIu64 " bytes, block backend provides %" PRIu64
                  " bytes", s->size_bytes, block_size_bytes(s->blk));
        return false;
    }
    if (s->blk && !block_attach(&s->blk, name, !s->read_only, errp)) {
        return false;
    }
    if (!memory_region_init_romd(&s->mem, &dev->obj, &pflash_ops[s->big_endian], s, name,
                                 s->size_bytes, errp)) {
        return false;
    }
    s->storage = memory_region_host(&s->mem);
    /* Without a drive there are zeros, which do not use the host's memory. */
    if (s->blk) {
        int err = block_pread(s->blk, 0, s->storage, s->size_bytes);
        if (err < 0) {
            error_set_errno(errp, -err, "failed to read the initial flash content of '%s'", name);
            memory_region_finish(&s->mem);
            block_detach(&s->blk);
            return false;
        }
    }
    s->buffer = xcalloc(1, s->buffer_len);
    make_query(s);
    device_add_mmio(dev, &s->mem);
    return true;
}

static void pflash_unrealize(Device *dev)
{
    PflashState *s = (PflashState *)dev;

    memory_region_finish(&s->mem);
    if (s->blk) {
        block_detach(&s->blk);
    }
    free(s->buffer);
}

static void pflash_reset(Device *dev, ResetKind kind)
{
    PflashState *s = (PflashState *)dev;

    s->status = STATUS_READY;
    set_mode(s, CMD_ARRAY);
}

static bool pflash_post_load(void *opaque, uint32_t version, Error **errp)
{
    PflashState *s = opaque;

    if (s->buffer_at != UINT64_MAX &&
        (s->buffer_at % s->buffer_len || s->buffer_at >= s->size_bytes)) {
        if (s->command == CMD_BUFFER) {
            error_set(errp, "cfi.pflash01: the write buffer is outside the flash");
            return false;
        }
        s->buffer_at = UINT64_MAX;
    }
    memory_region_set_romd(&s->mem, s->command == CMD_ARRAY);
    return true;
}

static const StateField pflash_fields[] = {
    STATE_U(PflashState, command),
    STATE_U(PflashState, cycle),
    STATE_U(PflashState, status),
    STATE_U(PflashState, count),
    STATE_U(PflashState, buffer_at),
    STATE_U_PTR(PflashState, buffer, buffer_len),
};

static const StateDesc pflash_state = {
    .name = "pflash_cfi01", .version = 1, .min_version = 1,
    .fields = pflash_fields, .n_fields = ARRAY_SIZE(pflash_fields),
    .post_load = pflash_post_load,
};

static const Property pflash_props[] = {
    PROP_BLK("drive", PflashState, blk),
    PROP_U32("num-blocks", PflashState, num_blocks, 0, NULL),
    PROP_U64("sector-length", PflashState, sector_length, 0, NULL),
    PROP_U8("width", PflashState, width, 0, NULL),
    PROP_U8("device-width", PflashState, device_width, 0, NULL),
    PROP_U8("max-device-width", PflashState, max_device_width, 0, NULL),
    PROP_B("big-endian", PflashState, big_endian, false, "on/off"),
    PROP_B("secure", PflashState, secure, false, "on/off"),
    PROP_U16("id0", PflashState, id0, 0, NULL),
    PROP_U16("id1", PflashState, id1, 0, NULL),
    PROP_U16("id2", PflashState, id2, 0, NULL),
    PROP_U16("id3", PflashState, id3, 0, NULL),
    PROP_STR("name", PflashState, name, NULL),
};

static const DeviceType pflash_type = {
    .type = {
        .name = "cfi.pflash01",
        .parent = "sys-bus-device",
        .summary = "NOR flash, Intel command set",
        .size_bytes = sizeof(PflashState),
        .props = pflash_props,
        .n_props = ARRAY_SIZE(pflash_props),
    },
    .category = DEVICE_STORAGE,
    .bus = "System",
    .state = &pflash_state,
    .realize = pflash_realize,
    .unrealize = pflash_unrealize,
    .reset_enter = pflash_reset,
};
DEVICE_TYPE_REGISTER(pflash_type);
