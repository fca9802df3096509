/*
 * i8042.c: the keyboard controller of a PC: ports 0x60 and 0x64, a PS/2 keyboard and mouse, the A20 gate and the reset line.
 *
 * Output lines: interrupts 1 and 12 of the ISA bus, "a20" (high: address line 20 passes) and "reset" (a pulse: the
 * processor is reset). One byte at a time is in the output buffer; its interrupt drops when it is read and rises with the next.
 * Leaves out: the test inputs, the security lock, reading the controller's program memory.
 *
 * Specification: IBM PS/2 Hardware Interface Technical Reference (1988), "Keyboard and auxiliary device controller";
 * Intel UPI-41AH/42AH data sheet (status register).
 */
#include "hw/input/ps2.h"
#include "hw/isa.h"
#include "softmmu/machine.h"
#include "util/log.h"

enum { /* status, port 0x64 */
    ST_OUTPUT_FULL = 0x01, ST_SYSTEM = 0x04, ST_COMMAND = 0x08, ST_NOT_LOCKED = 0x10, ST_AUX_FULL = 0x20,
};
enum { /* command byte, RAM 0 */
    CB_INT_KBD = 0x01, CB_INT_AUX = 0x02, CB_SYSTEM = 0x04, CB_NO_KBD = 0x10, CB_NO_AUX = 0x20, CB_TRANSLATE = 0x40,
};
enum { OUT_NOT_RESET = 0x01, OUT_A20 = 0x02, OUT_INT_KBD = 0x10, OUT_INT_AUX = 0x20 };
enum { FROM_NONE, FROM_CONTROLLER, FROM_KBD, FROM_AUX };

typedef struct I8042 {
    Device dev;
    Ps2Keyboard kbd;
    Ps2Mouse mouse;
    MemoryRegion data_mr, command_mr;
    Irq *irq_kbd, *irq_aux;
    uint8_t status, command;      /* command: whose parameter comes to port 0x60; 0: the keyboard's bytes */
    uint8_t output, output_from;  /* output_from FROM_NONE: empty */
    uint8_t outport;
    uint8_t ram[32];              /* RAM 0 is the command byte */
    uint8_t reply[4], n_replies;  /* of the controller, not in the output buffer yet */
    bool reply_aux;               /* they look as if the mouse had sent them (command D3) */
    bool break_prefix;            /* translation: 0xf0 was seen */
    bool filling;
} I8042;

static void drive_lines(I8042 *s)
{
    bool kbd = s->output_from != FROM_NONE && !(s->status & ST_AUX_FULL);
    bool aux = s->output_from != FROM_NONE && (s->status & ST_AUX_FULL);

    irq_set(s->irq_kbd, kbd && (s->ram[0] & CB_INT_KBD));
    irq_set(s->irq_aux, aux && (s->ram[0] & CB_INT_AUX));
}

static void put_output(I8042 *s, uint8_t byte, unsigned from, bool aux)
{
    s->output = byte;
    s->output_from = (uint8_t)from;
    s->status |= ST_OUTPUT_FULL;
    s->status = aux ? s->status | ST_AUX_FULL : s->status & (uint8_t)~ST_AUX_FULL;
}

/* The next byte of the keyboard; translated, a break prefix and its code are one. */
static bool take_keyboard(I8042 *s)
{
    while (ps2_ready(&s->kbd.port)) {
        uint8_t byte = ps2_take(&s->kbd.port);
        if (!(s->ram[0] & CB_TRANSLATE)) {
            put_output(s, byte, FROM_KBD, false);
            return true;
        }
        if (byte == 0xf0) {
            s->break_prefix = true;
            continue;
        }
        byte = ps2_set2_to_set1(byte) | (s->break_prefix ? 0x80 : 0);
        s->break_prefix = false;
        put_output(s, byte, FROM_KBD, false);
        return true;
    }
    return false;
}

/* Fills the empty output buffer: the controller first, then the keyboard, then the mouse. */
static void fill_output(I8042 *s)
{
    if (s->output_from == FROM_NONE && !s->filling) {
        s->filling = true; /* taking a byte may make the device queue another */
        if (s->n_replies) {
            put_output(s, s->reply[0], FROM_CONTROLLER, s->reply_aux);
            memmove(s->reply, s->reply + 1, --s->n_replies);
        } else if ((s->ram[0] & CB_NO_KBD) || !take_keyboard(s)) {
            if (!(s->ram[0] & CB_NO_AUX) && ps2_ready(&s->mouse.port)) {
                put_output(s, ps2_take(&s->mouse.port), FROM_AUX, true);
            }
        }
        s->filling = false;
    }
    drive_lines(s);
}

static void device_changed(void *opaque)
{
    fill_output(opaque);
}

static void reply(I8042 *s, uint8_t byte, bool aux)
{
    if (s->n_replies < sizeof(s->reply)) {
        s->reply[s->n_replies++] = byte;
        s->reply_aux = aux;
    }
    fill_output(s);
}

/* A board that does nothing of its own with the line has the machine reset. */
static void pulse_reset(I8042 *s)
{
    if (device_irq_out(&s->dev, "reset", 0)) {
        device_set_irq(&s->dev, "reset", 0, 1);
        device_set_irq(&s->dev, "reset", 0, 0);
    } else {
        machine_request_reset(SHUTDOWN_CAUSE_GUEST_RESET);
    }
}

static void set_outport(I8042 *s, uint8_t value)
{
    s->outport = value;
    device_set_irq(&s->dev, "a20", 0, !!(value & OUT_A20));
    if (!(value & OUT_NOT_RESET)) {
        pulse_reset(s);
    }
}

static void set_command_byte(I8042 *s, uint8_t value)
{
    s->ram[0] = value;
    s->status = value & CB_SYSTEM ? s->status | ST_SYSTEM : s->status & (uint8_t)~ST_SYSTEM;
    fill_output(s);
}

static uint8_t outport_as_read(const I8042 *s)
{
    return (uint8_t)((s->outport & ~(OUT_INT_KBD | OUT_INT_AUX)) |
                     (s->output_from == FROM_NONE ? 0 : s->status & ST_AUX_FULL ? OUT_INT_AUX : OUT_INT_KBD));
}

static MemResult command_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    I8042 *s = opaque;
    uint8_t command = (uint8_t)value;

    s->status |= ST_COMMAND;
    s->command = 0;
    if (command >= 0x20 && command <= 0x3f) {
        reply(s, s->ram[command & 31], false);
        return MEM_OK;
    }
    if ((command >= 0x60 && command <= 0x7f) || (command >= 0xd1 && command <= 0xd4)) {
        s->command = command;
        return MEM_OK;
    }
    if (command >= 0xf0) { /* pulses of the output port's low four bits where the command's are 0 */
        if (!(command & 1)) {
            pulse_reset(s);
        }
        return MEM_OK;
    }
    switch (command) {
    case 0xa7: set_command_byte(s, s->ram[0] | CB_NO_AUX); break;
    case 0xa8: set_command_byte(s, s->ram[0] & (uint8_t)~CB_NO_AUX); break;
    case 0xa9: reply(s, 0, false); break;               /* test of the mouse's lines: no error */
    case 0xaa:                                           /* self test: passed */
        s->status |= ST_SYSTEM;
        reply(s, 0x55, false);
        break;
    case 0xab: reply(s, 0, false); break;
    case 0xad: set_command_byte(s, s->ram[0] | CB_NO_KBD); break;
    case 0xae: set_command_byte(s, s->ram[0] & (uint8_t)~CB_NO_KBD); break;
    case 0xc0: reply(s, 0x80, false); break;            /* input port: not locked */
    case 0xd0: reply(s, outport_as_read(s), false); break;
    case 0xdd: set_outport(s, s->outport & (uint8_t)~OUT_A20); break;
    case 0xdf: set_outport(s, s->outport | OUT_A20); break;
    default:
        log_guest_error("i8042: unknown command 0x%02x\n", command);
    }
    return MEM_OK;
}

static MemResult command_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret_value, MemAttrs attrs)
{
    *ret_value = ((I8042 *)opaque)->status;
    return MEM_OK;
}

static MemResult data_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret_value, MemAttrs attrs)
{
    I8042 *s = opaque;

    *ret_value = s->output;
    if (!attrs.debug && s->output_from != FROM_NONE) {
        s->output_from = FROM_NONE;
        s->status &= (uint8_t)~(ST_OUTPUT_FULL | ST_AUX_FULL);
        drive_lines(s);
        fill_output(s);
    }
    return MEM_OK;
}

static MemResult data_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    I8042 *s = opaque;
    uint8_t byte = (uint8_t)value, command = s->command;

    s->status &= (uint8_t)~ST_COMMAND;
    s->command = 0;
    switch (command) {
    case 0:
        /* A byte for the keyboard opens its line. */
        s->ram[0] &= (uint8_t)~CB_NO_KBD;
        ps2_keyboard_write(&s->kbd, byte);
        break;
    case 0x60: set_command_byte(s, byte); break;
    case 0xd1: set_outport(s, byte); break;
    case 0xd2: reply(s, byte, false); break;
    case 0xd3: reply(s, byte, true); break;
    case 0xd4:
        s->ram[0] &= (uint8_t)~CB_NO_AUX;
        ps2_mouse_write(&s->mouse, byte);
        break;
    default:
        s->ram[command & 31] = byte;
    }
    fill_output(s);
    return MEM_OK;
}

static const MemoryOps data_ops = { .read = data_read, .write = data_write, .valid = { .min = 1, .max = 4 }, .impl = { .min = 1, .max = 1 } };
static const MemoryOps command_ops = {
    .read = command_read, .write = command_write, .valid = { .min = 1, .max = 4 }, .impl = { .min = 1, .max = 1 },
};

static bool i8042_realize(Device *dev, Error **errp)
{
    I8042 *s = (I8042 *)dev;
    IsaBus *bus = isa_bus_of(dev);

    memory_region_init_mmio(&s->data_mr, &dev->obj, &data_ops, s, "i8042-data", 1);
    memory_region_init_mmio(&s->command_mr, &dev->obj, &command_ops, s, "i8042-cmd", 1);
    isa_add_io(bus, 0x60, &s->data_mr);
    isa_add_io(bus, 0x64, &s->command_mr);
    s->irq_kbd = isa_irq(bus, 1);
    s->irq_aux = isa_irq(bus, 12);
    ps2_keyboard_init(&s->kbd, device_changed, s);
    ps2_mouse_init(&s->mouse, device_changed, s);
    return true;
}

static void i8042_unrealize(Device *dev)
{
    I8042 *s = (I8042 *)dev;

    ps2_keyboard_finish(&s->kbd);
    ps2_mouse_finish(&s->mouse);
}

static void i8042_reset_enter(Device *dev, ResetKind kind)
{
    I8042 *s = (I8042 *)dev;

    s->status = ST_COMMAND | ST_NOT_LOCKED;
    s->command = 0;
    s->output_from = FROM_NONE;
    s->n_replies = 0;
    s->break_prefix = false;
    memset(s->ram, 0, sizeof(s->ram));
    s->ram[0] = CB_INT_KBD | CB_INT_AUX;
    s->outport = OUT_NOT_RESET | OUT_A20;
    ps2_keyboard_reset(&s->kbd);
    ps2_mouse_reset(&s->mouse);
}

static void i8042_reset_hold(Device *dev, ResetKind kind)
{
    I8042 *s = (I8042 *)dev;

    drive_lines(s);
    device_set_irq(dev, "a20", 0, 1);
}

static bool i8042_post_load(void *opaque, uint32_t version, Error **errp)
{
    I8042 *s = opaque;

    if (s->output_from > FROM_AUX || s->n_replies > sizeof(s->reply)) {
        error_set(errp, "state of the keyboard controller makes no sense");
        return false;
    }
    drive_lines(s);
    device_set_irq(&s->dev, "a20", 0, !!(s->outport & OUT_A20));
    return true;
}

static const StateField i8042_fields[] = {
    { .name = "kbd", .kind = STATE_STRUCT, .offset = offsetof(I8042, kbd), .elem_size = sizeof(Ps2Keyboard), .sub = &ps2_keyboard_state },
    { .name = "mouse", .kind = STATE_STRUCT, .offset = offsetof(I8042, mouse), .elem_size = sizeof(Ps2Mouse), .sub = &ps2_mouse_state },
    STATE_U(I8042, status), STATE_U(I8042, command), STATE_U(I8042, output), STATE_U(I8042, output_from), STATE_U(I8042, outport),
    STATE_BYTES(I8042, ram), STATE_BYTES(I8042, reply), STATE_U(I8042, n_replies), STATE_U(I8042, reply_aux), STATE_U(I8042, break_prefix),
};

static const StateDesc i8042_state = {
    .name = "pckbd", .version = 1, .fields = i8042_fields, .n_fields = ARRAY_SIZE(i8042_fields), .post_load = i8042_post_load,
};

static const IrqDef i8042_irqs[] = { { .name = "a20", .count = 1 }, { .name = "reset", .count = 1 } };

static const DeviceType i8042_type = {
    .type = { .name = "i8042", .parent = "isa-device", .summary = "PC keyboard controller with PS/2 keyboard and mouse", .size_bytes = sizeof(I8042) },
    .category = DEVICE_INPUT, .bus = "ISA", .irqs_out = i8042_irqs, .n_irqs_out = ARRAY_SIZE(i8042_irqs), .state = &i8042_state,
    .realize = i8042_realize, .unrealize = i8042_unrealize, .reset_enter = i8042_reset_enter, .reset_hold = i8042_reset_hold,
    .user_creatable = true,
};
DEVICE_TYPE_REGISTER(i8042_type);
