/*
 * pcspk.c: "isa-pcspk", system control port B (61h): the gate of the PIT's channel 2, the speaker's data gate, channel 2's output and
 * the refresh bit that toggles every 15 us.
 *
 * Specification: IBM PC AT Technical Reference, port 61h. No sound is made.
 */
#include "hw/i386/pit.h"
#include "hw/isa.h"
#include "softmmu/clock.h"
#include "ui/audio.h"

enum { GATE2 = 1, SPEAKER = 2, REFRESH = 0x10, OUT2 = 0x20, REFRESH_NS = 15085 };

typedef struct Speaker {
    Device dev;
    uint32_t iobase;
    Object *pit;
    char *audiodev;
    bool migrate;
    uint8_t control;
} Speaker;

static uint64_t control_read(Device *dev, const Register *reg, unsigned index)
{
    Speaker *s = (Speaker *)dev;
    bool refresh = clock_get_ns(VM_CLOCK_VIRTUAL) / REFRESH_NS & 1;

    return s->control | (refresh ? REFRESH : 0u) | (pit_out(DEVICE(s->pit), 2) ? OUT2 : 0u);
}

static void control_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    Speaker *s = (Speaker *)dev;

    /* Bits 2 and 3 enable the parity and channel checks, of which there are none. */
    s->control = value & 0x0f;
    pit_set_gate(DEVICE(s->pit), 2, value & GATE2);
}

static const Register regs[] = {
    { .name = "CONTROL_B", .offset = 0, .size = 1, REGISTER_FIELD(Speaker, control), .read = control_read,
      .write = control_write },
};
static const RegisterBank banks[] = { { .name = "pcspk", .size_bytes = 1, .regs = regs, .n_regs = 1 } };

static bool pcspk_realize(Device *dev, Error **errp)
{
    Speaker *s = (Speaker *)dev;

    if (!s->pit) {
        error_set(errp, "isa-pcspk: no pit given");
        return false;
    }
    if (s->audiodev && *s->audiodev && !audio_check(s->audiodev, errp)) {
        return false;
    }
    isa_add_io(isa_bus_of(dev), (uint16_t)s->iobase, device_mmio(dev, 0));
    return true;
}

static const Property props[] = {
    PROP_STR("audiodev", Speaker, audiodev, "ID of an audiodev to use as a backend"),
    PROP_U32("iobase", Speaker, iobase, 0x61, NULL), PROP_B("migrate", Speaker, migrate, true, NULL),
    { .name = "pit", .kind = PROP_LINK, .offset = offsetof(Speaker, pit), .link_type = "isa-device" },
};

static const DeviceType pcspk_type = {
    .type = { .name = "isa-pcspk", .parent = "isa-device", .summary = "PC speaker port", .size_bytes = sizeof(Speaker),
              .props = props, .n_props = ARRAY_SIZE(props) },
    .category = DEVICE_SOUND, .bus = "ISA", .banks = banks, .n_banks = 1, .realize = pcspk_realize,
};
DEVICE_TYPE_REGISTER(pcspk_type);
