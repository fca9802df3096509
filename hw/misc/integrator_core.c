/*
 * integrator_core.c: registers of the Integrator/CP: the core module's ("integrator_core") and the base board's ("icp-ctrl-regs").
 *
 * Integrator/CP (Arm DUI 0159B), 4.2 (core module registers; 0x100: the memory module's SPD data) and 4.4 (board registers). Writes to what CM_LOCK protects need
 * 0xa05f before. CM_CTRL bit 3 restarts the board.
 *
 * Left out: CM_CTRL's remap bit (RAM is at 0 from the beginning), oscillators' effect, interrupt registers of the core module (soft interrupts).
 */
#include "hw/device.h"
#include "softmmu/clock.h"
#include "softmmu/machine.h"

enum { CM_ID = 0x411a3001, LOCK_KEY = 0xa05f, LOCKED = 1 << 16, CTRL_RESET = 1 << 3, CTRL_KEPT = 0x37, N_SPD = 64, STAT = 0x00100000 };

typedef struct CoreModule {
    Device dev;
    uint32_t osc, ctrl, lock, auxosc, sdram, init, flags, nvflags;
} CoreModule;

static uint64_t id_read(Device *dev, const Register *reg, unsigned index)
{
    return reg->aux;
}

static bool unlocked(const CoreModule *s)
{
    return s->lock == LOCK_KEY;
}

static void osc_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    if (unlocked((CoreModule *)dev)) {
        ((CoreModule *)dev)->osc = (uint32_t)value;
    }
}

static void auxosc_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    if (unlocked((CoreModule *)dev)) {
        ((CoreModule *)dev)->auxosc = (uint32_t)value;
    }
}

static void ctrl_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    ((CoreModule *)dev)->ctrl = (uint32_t)value & CTRL_KEPT;
    if (value & CTRL_RESET) {
        machine_request_reset(SHUTDOWN_CAUSE_GUEST_RESET);
    }
}

static uint64_t lock_read(Device *dev, const Register *reg, unsigned index)
{
    CoreModule *s = (CoreModule *)dev;

    return s->lock | (unlocked(s) ? 0 : s->lock ? LOCKED : 0);
}

static void lock_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    ((CoreModule *)dev)->lock = (uint32_t)value & 0xffff;
}

static uint64_t counter_read(Device *dev, const Register *reg, unsigned index)
{
    return (uint32_t)((unsigned __int128)clock_get_ns(VM_CLOCK_VIRTUAL) * 24000000 / NS_PER_SECOND);
}

static uint64_t flags_read(Device *dev, const Register *reg, unsigned index)
{
    return reg->aux ? ((CoreModule *)dev)->nvflags : ((CoreModule *)dev)->flags;
}

static void flags_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    uint32_t *at = reg->aux ? &((CoreModule *)dev)->nvflags : &((CoreModule *)dev)->flags;

    *at = index ? *at & ~(uint32_t)value : *at | (uint32_t)value;
}

/* An SDRAM module of 128 MiB, as its serial presence detect (JEDEC 21-C, 4.1.2.5) says it; boot monitors look for some of it. */
static uint64_t spd_read(Device *dev, const Register *reg, unsigned index)
{
    static const uint8_t spd[N_SPD] = { 128, 8, 4, 11, 9, 1, 64, 0, 2, 0xa0, 0xa0, 0, 0, 8, 0, 1, 0x0e, 4, 0x1c, 1, 2, 0x20, 0xc0 };

    return spd[index];
}

static const Register core_regs[] = {
    { .name = "CM_ID", .offset = 0x00, .size = 4, .read = id_read, .read_only = true, .aux = CM_ID },
    { .name = "CM_PROC", .offset = 0x04, .size = 4, .read = id_read, .read_only = true },
    { .name = "CM_OSC", .offset = 0x08, .size = 4, REGISTER_FIELD(CoreModule, osc), .reset = 0x01000048, .write = osc_write },
    { .name = "CM_CTRL", .offset = 0x0c, .size = 4, REGISTER_FIELD(CoreModule, ctrl), .write = ctrl_write },
    { .name = "CM_STAT", .offset = 0x10, .size = 4, .read = id_read, .read_only = true, .aux = STAT },
    { .name = "CM_LOCK", .offset = 0x14, .size = 4, REGISTER_FIELD(CoreModule, lock), .read = lock_read, .write = lock_write },
    { .name = "CM_AUXOSC", .offset = 0x1c, .size = 4, REGISTER_FIELD(CoreModule, auxosc), .reset = 0x0007feff, .write = auxosc_write },
    { .name = "CM_SDRAM", .offset = 0x20, .size = 4, REGISTER_FIELD(CoreModule, sdram), .reset = 0x0001112e },
    { .name = "CM_INIT", .offset = 0x24, .size = 4, REGISTER_FIELD(CoreModule, init), .reset = 0x112, .read_only = true },
    { .name = "CM_REFCT", .offset = 0x28, .size = 4, .read = counter_read, .read_only = true },
    { .name = "CM_FLAGS", .offset = 0x30, .size = 4, .count = 2, .read = flags_read, .write = flags_write },
    { .name = "CM_NVFLAGS", .offset = 0x38, .size = 4, .count = 2, .read = flags_read, .write = flags_write, .aux = 1 },
    { .name = "CM_SPD", .offset = 0x100, .size = 1, .count = N_SPD, .read = spd_read, .read_only = true },
};
static const RegisterBank core_banks[] = {
    { .name = "integratorcm", .size_bytes = 0x800000, .access_min = 1, .access_max = 4, .regs = core_regs, .n_regs = ARRAY_SIZE(core_regs) },
};

static void core_reset(Device *dev, ResetKind kind)
{
    ((CoreModule *)dev)->flags = 0;
}

static const StateField core_fields[] = { STATE_U(CoreModule, flags), STATE_U(CoreModule, nvflags) };
static const StateDesc core_state = {
    .name = "integrator_core", .version = 1, .min_version = 1, .fields = core_fields, .n_fields = ARRAY_SIZE(core_fields),
};

static const DeviceType core_type = {
    .type = { .name = "integrator_core", .parent = "sys-bus-device", .summary = "Integrator/CP core module", .size_bytes = sizeof(CoreModule) },
    .category = DEVICE_MISC, .bus = "System", .banks = core_banks, .n_banks = ARRAY_SIZE(core_banks), .state = &core_state, .reset_enter = core_reset,
};
DEVICE_TYPE_REGISTER(core_type);

/* -- board registers: identification, flash, switches; whether a card is in the MMCI's slot ---------------------------------------- */

typedef struct IcpRegs {
    Device dev;
    uint32_t flash, intreg;
} IcpRegs;

enum { CP_ID = 0x41034003, CP_DECODE = 0x11, INT_WPROT = 1 << 0, INT_CARD = 1 << 3 };

static void card(void *opaque, int n, int level)
{
    IcpRegs *s = opaque;
    uint32_t bit = n ? INT_CARD : INT_WPROT;

    s->intreg = level ? s->intreg | bit : s->intreg & ~bit;
    device_set_irq(&s->dev, "sysbus-irq", 0, (s->intreg & INT_CARD) != 0);
}

static uint64_t intreg_read(Device *dev, const Register *reg, unsigned index)
{
    return ((IcpRegs *)dev)->intreg;
}

static void intreg_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    IcpRegs *s = (IcpRegs *)dev;

    s->intreg &= ~((uint32_t)value & INT_CARD);
    device_set_irq(dev, "sysbus-irq", 0, (s->intreg & INT_CARD) != 0);
}

static const Register icp_regs[] = {
    { .name = "CP_IDFIELD", .offset = 0x0, .size = 4, .read = id_read, .read_only = true, .aux = CP_ID },
    { .name = "CP_FLASHPROG", .offset = 0x4, .size = 4, REGISTER_FIELD(IcpRegs, flash), .write_mask = 3 },
    { .name = "CP_INTREG", .offset = 0x8, .size = 4, .read = intreg_read, .write = intreg_write },
    { .name = "CP_DECODE", .offset = 0xc, .size = 4, .read = id_read, .read_only = true, .aux = CP_DECODE },
};
static const RegisterBank icp_banks[] = {
    { .name = "icp_ctrl_regs", .size_bytes = 0x800000, .access_min = 1, .access_max = 4, .regs = icp_regs, .n_regs = ARRAY_SIZE(icp_regs) },
};
static const StateField icp_fields[] = { STATE_U(IcpRegs, intreg) };
static const StateDesc icp_state = {
    .name = "icp-ctrl-regs", .version = 1, .min_version = 1, .fields = icp_fields, .n_fields = ARRAY_SIZE(icp_fields),
};
static const IrqDef icp_in[] = { { .count = 2, .handler = card } };
static const IrqDef icp_out[] = { { .name = "sysbus-irq", .count = 1 } };

static const DeviceType icp_type = {
    .type = { .name = "icp-ctrl-regs", .parent = "sys-bus-device", .summary = "Integrator/CP board registers", .size_bytes = sizeof(IcpRegs) },
    .category = DEVICE_MISC, .bus = "System", .banks = icp_banks, .n_banks = ARRAY_SIZE(icp_banks), .irqs_in = icp_in, .n_irqs_in = ARRAY_SIZE(icp_in),
    .irqs_out = icp_out, .n_irqs_out = ARRAY_SIZE(icp_out), .state = &icp_state,
};
DEVICE_TYPE_REGISTER(icp_type);
