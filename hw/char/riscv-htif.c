/*
 * riscv-htif.c: the host-target interface of Berkeley's simulators.
 *
 * Two words of 64 bits. The guest writes a command to `tohost`: device in bits
 * 63:56, command in 55:48, payload below; answers come in `fromhost`, which the guest
 * clears. Device 0 takes system calls of bare-metal programs: an odd payload ends the
 * machine with the status payload >> 1, an even one is the address of a block of eight words
 * (number, arguments) of which `write` is done and others answered with ENOSYS.
 * Device 1 is the console: command 0 asks for a character, 1 writes one.
 * A 32-bit guest writes the low half first, then the high one, which completes the
 * command; a program that ends the machine may write the low half alone, over and
 * over, so the second time counts too.
 * Left out: the block device and system calls on the host's files.
 */
#include <errno.h>
#include "hw/riscv/htif.h"
#include "softmmu/chardev.h"
#include "softmmu/machine.h"
#include "util/bits.h"
#include "util/log.h"

enum { DEVICE_SYSCALL = 0, DEVICE_CONSOLE = 1, CONSOLE_GET = 0, CONSOLE_PUT = 1,
       SYSCALL_WRITE = 64, SYSCALL_WORDS = 8 };

typedef struct HtifState {
    Device dev;
    CharFrontend chr;
    MemoryRegion regs[2];
    uint64_t tohost, fromhost;
    bool wants_char, low_written;
} HtifState;

static uint64_t answer(unsigned device, unsigned command, uint64_t payload)
{
    return (uint64_t)device << 56 | (uint64_t)command << 48 | payload;
}

/* Blocks and text are in guest memory: whatever cannot be read ends the call. */
static void htif_syscall(HtifState *s, gpa block)
{
    AddressSpace *as = &machine_current()->memory;
    uint8_t words[SYSCALL_WORDS * 8], text[256];
    int64_t result = -ENOSYS;

    if (memory_read(as, block, words, sizeof(words), MEM_ATTRS_NONE) != MEM_OK) {
        log_guest_error("riscv.htif: no system call at 0x%" PRIx64 "\n", block);
        return;
    }
    uint64_t fd = ldle64(words + 8), from = ldle64(words + 16), len = ldle64(words + 24);
    if (ldle64(words) != SYSCALL_WRITE) {
        log_unimp("riscv.htif: system call %" PRIu64 "\n", ldle64(words));
    } else if (fd != 1 && fd != 2) {
        result = -EBADF;
    } else {
        result = 0;
        len = MIN(len, 64 * KiB); /* a short write, as for any file */
        while ((uint64_t)result < len) {
            size_t n = MIN(sizeof(text), len - (uint64_t)result);
            if (memory_read(as, from + (uint64_t)result, text, n, MEM_ATTRS_NONE) != MEM_OK) {
                result = result ? result : -EFAULT;
                break;
            }
            char_write_all(&s->chr, text, n);
            result += (int64_t)n;
        }
    }
    if (memory_store(as, block, 8, MEM_LITTLE_ENDIAN, (uint64_t)result, MEM_ATTRS_NONE) == MEM_OK) {
        s->fromhost = answer(DEVICE_SYSCALL, 0, 1);
    }
}

static void htif_command(HtifState *s)
{
    uint64_t value = s->tohost, payload = value & 0xffffffffffff;
    unsigned device = (unsigned)(value >> 56), command = (unsigned)(value >> 48 & 0xff);

    s->tohost = 0;
    s->low_written = false;
    if (!value) {
        return;
    }
    if (device == DEVICE_SYSCALL && command == 0) {
        if (payload & 1) {
            machine_request_shutdown_with(SHUTDOWN_CAUSE_GUEST_SHUTDOWN, (int)(payload >> 1));
        } else {
            htif_syscall(s, payload);
        }
    } else if (device == DEVICE_CONSOLE && command == CONSOLE_PUT) {
        uint8_t byte = (uint8_t)payload;
        char_write_all(&s->chr, &byte, 1);
    } else if (device == DEVICE_CONSOLE && command == CONSOLE_GET) {
        s->wants_char = true;
        char_accept_input(&s->chr);
    } else {
        log_unimp("riscv.htif: command %u of device %u\n", command, device);
    }
}

static MemResult tohost_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret_value,
                             MemAttrs attrs)
{
    HtifState *s = opaque;

    *ret_value = size == 8 ? s->tohost : (uint32_t)(s->tohost >> 8 * offset);
    return MEM_OK;
}

static MemResult tohost_write(void *opaque, uint64_t offset, unsigned size, uint64_t value,
                              MemAttrs attrs)
{
    HtifState *s = opaque;

    if (size == 8) {
        s->tohost = value;
        htif_command(s);
    } else if (offset) {
        s->tohost = (s->tohost & 0xffffffff) | value << 32;
        htif_command(s);
    } else {
        bool again = s->low_written && value;
        s->tohost = (s->tohost & ~0xffffffffull) | (uint32_t)value;
        s->low_written = value != 0;
        if (again) {
            htif_command(s);
        }
    }
    return MEM_OK;
}

static MemResult fromhost_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret_value,
                               MemAttrs attrs)
{
    HtifState *s = opaque;

    *ret_value = size == 8 ? s->fromhost : (uint32_t)(s->fromhost >> 8 * offset);
    return MEM_OK;
}

static MemResult fromhost_write(void *opaque, uint64_t offset, unsigned size, uint64_t value,
                                MemAttrs attrs)
{
    HtifState *s = opaque;

    s->fromhost = size == 8 ? value
                  : offset  ? (s->fromhost & 0xffffffff) | value << 32
                            : (s->fromhost & ~0xffffffffull) | (uint32_t)value;
    char_accept_input(&s->chr);
    return MEM_OK;
}

static const MemoryOps tohost_ops = {
    .read = tohost_read, .write = tohost_write, .endian = MEM_LITTLE_ENDIAN,
    .valid = { .min = 4, .max = 8 },
};
static const MemoryOps fromhost_ops = {
    .read = fromhost_read, .write = fromhost_write, .endian = MEM_LITTLE_ENDIAN,
    .valid = { .min = 4, .max = 8 },
};

/* --- console input --- */

static size_t htif_can_read(void *opaque)
{
    HtifState *s = opaque;

    return s->wants_char && !s->fromhost;
}

static void htif_receive(void *opaque, const uint8_t *buf, size_t len)
{
    HtifState *s = opaque;

    if (len) {
        s->wants_char = false;
        s->fromhost = answer(DEVICE_CONSOLE, CONSOLE_GET, 0x100u | buf[0]);
    }
}

static const CharHandlers htif_handlers = { .can_read = htif_can_read, .read = htif_receive };

/* --- the device --- */

static bool htif_realize(Device *dev, Error **errp)
{
    HtifState *s = (HtifState *)dev;

    memory_region_init_mmio(&s->regs[HTIF_FROMHOST], &dev->obj, &fromhost_ops, s,
                            "riscv.htif.fromhost", HTIF_BYTES);
    memory_region_init_mmio(&s->regs[HTIF_TOHOST], &dev->obj, &tohost_ops, s,
                            "riscv.htif.tohost", HTIF_BYTES);
    device_add_mmio(dev, &s->regs[HTIF_FROMHOST]);
    device_add_mmio(dev, &s->regs[HTIF_TOHOST]);
    char_set_handlers(&s->chr, &htif_handlers, s);
    return true;
}

static void htif_reset(Device *dev, ResetKind kind)
{
    HtifState *s = (HtifState *)dev;

    s->tohost = s->fromhost = 0;
    s->wants_char = s->low_written = false;
}

static const StateField htif_fields[] = {
    STATE_U(HtifState, tohost),
    STATE_U(HtifState, fromhost),
    STATE_U(HtifState, wants_char),
    STATE_U(HtifState, low_written),
};

static const StateDesc htif_state = {
    .name = "riscv.htif", .version = 1, .min_version = 1,
    .fields = htif_fields, .n_fields = ARRAY_SIZE(htif_fields),
};

static const Property htif_props[] = {
    PROP_CHR("chardev", HtifState, chr),
};

static const DeviceType htif_type = {
    .type = {
        .name = "riscv.htif",
        .parent = "sys-bus-device",
        .summary = "Berkeley host-target interface",
        .size_bytes = sizeof(HtifState),
        .props = htif_props,
        .n_props = ARRAY_SIZE(htif_props),
    },
    .category = DEVICE_INPUT,
    .bus = "System",
    .state = &htif_state,
    .realize = htif_realize,
    .reset_enter = htif_reset,
};
DEVICE_TYPE_REGISTER(htif_type);
