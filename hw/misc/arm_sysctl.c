/*
 * arm_sysctl.c: the system registers of Arm's Versatile, RealView and Versatile Express boards.
 *
 * Versatile PB (Arm DUI 0225D, 4.2), RealView PB-A8 (DUI 0417D, 4.3), Versatile Express uATX (DUI 0447J, 4.3 and 4.5: configuration by SYS_CFGCTRL). The kind of
 * board follows from sys_id. Writes to what SYS_LOCK protects need 0xa05f before.
 *
 * Left out: power-up of other sites, voltages and clocks of daughter boards beyond the properties, DVI multiplexer and shutdown of sites (kept).
 */
#include "hw/device.h"
#include "softmmu/clock.h"
#include "softmmu/machine.h"
#include "util/log.h"

enum {
    LOCK_KEY = 0xa05f, MCI_CARD = 1 << 0, MCI_WPROT = 1 << 1,
    RESET_BIT = 1 << 8,              /* SYS_RESETCTL of Versatile; RealView: any of its bits 0 to 2 */
    CFG_START_SHIFT = 31, CFG_WRITE = 1 << 30, CFG_DONE = 1, CFG_ERROR = 2,
    FUNC_OSC = 1, FUNC_VOLT = 2, FUNC_RESET = 5, FUNC_SHUTDOWN = 8, FUNC_REBOOT = 9, FUNC_DVIMODE = 11, FUNC_MUXFPGA = 7,
    MAX_VALUES = 8, CLCD_IDENT = 0x1f00,
    BOARD_PB926 = 0x100, BOARD_VEXPRESS = 0x190,
};

typedef struct SysCtl {
    Device dev;
    uint32_t sys_id, proc_id;
    uint32_t leds, osc[5], lock, cfgdata[2], flags, nvflags, resetlevel, sys_mci, clcd, cfg_data, cfg_ctrl, cfg_status;
    uint32_t mb_clock[6], db_clock[MAX_VALUES], db_volt[MAX_VALUES];
    uint32_t dvi_mode, mux_fpga;
} SysCtl;

static unsigned board(const SysCtl *s)
{
    return s->sys_id >> 16 & 0xfff;
}

static bool is_vexpress(const SysCtl *s)
{
    return board(s) == BOARD_VEXPRESS;
}

static bool locked(const SysCtl *s)
{
    return s->lock != LOCK_KEY;
}

static uint64_t counter_read(Device *dev, const Register *reg, unsigned index)
{
    return (uint32_t)((unsigned __int128)clock_get_ns(VM_CLOCK_VIRTUAL) * reg->aux / NS_PER_SECOND);
}

static uint64_t id_read(Device *dev, const Register *reg, unsigned index)
{
    return reg->aux ? ((SysCtl *)dev)->proc_id : ((SysCtl *)dev)->sys_id;
}

static void osc_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    if (!locked((SysCtl *)dev)) {
        ((SysCtl *)dev)->osc[index] = (uint32_t)value;
    }
}

static void lock_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    ((SysCtl *)dev)->lock = (uint32_t)value & 0xffff;
}

/* aux: 1 clears. */
static uint64_t flags_read(Device *dev, const Register *reg, unsigned index)
{
    return *(uint32_t *)((char *)dev + (reg->aux >> 1));
}

static void flags_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    uint32_t *at = (uint32_t *)((char *)dev + (reg->aux >> 1));

    *at = reg->aux & 1 ? *at & ~(uint32_t)value : *at | (uint32_t)value;
}

static void reset_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    SysCtl *s = (SysCtl *)dev;
    bool versatile = board(s) == BOARD_PB926;

    if (is_vexpress(s) || locked(s)) {
        return;
    }
    s->resetlevel = (uint32_t)value;
    if (versatile ? value & RESET_BIT : value & 7) {
        machine_request_reset(SHUTDOWN_CAUSE_GUEST_RESET);
    }
}

static uint64_t clcd_read(Device *dev, const Register *reg, unsigned index)
{
    SysCtl *s = (SysCtl *)dev;

    return is_vexpress(s) ? 0 : s->clcd;
}

static void clcd_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    SysCtl *s = (SysCtl *)dev;

    s->clcd = ((uint32_t)value & ~(uint32_t)CLCD_IDENT) | CLCD_IDENT;
    device_set_irq(dev, "pl110_mux_ctrl", 0, (int)(value & 3));
}

static uint64_t mci_read(Device *dev, const Register *reg, unsigned index)
{
    return ((SysCtl *)dev)->sys_mci;
}

static void mci_card(void *opaque, int n, int level)
{
    SysCtl *s = opaque;
    uint32_t bit = n ? MCI_CARD : MCI_WPROT;

    s->sys_mci = level ? s->sys_mci | bit : s->sys_mci & ~bit;
}

/* -- Versatile Express: configuration of the mother board and its daughter boards ------------------------------------------------- */

static uint32_t *cfg_place(SysCtl *s, unsigned function, unsigned site, unsigned position)
{
    if (function == FUNC_OSC) {
        return site ? position < MAX_VALUES && s->db_clock[position] ? &s->db_clock[position] : NULL
                    : position < ARRAY_SIZE(s->mb_clock) ? &s->mb_clock[position] : NULL;
    }
    if (function == FUNC_VOLT && site) {
        return position < MAX_VALUES && s->db_volt[position] ? &s->db_volt[position] : NULL;
    }
    if (function == FUNC_DVIMODE && !site) {
        return &s->dvi_mode;
    }
    return function == FUNC_MUXFPGA && !site ? &s->mux_fpga : NULL;
}

static bool cfg_run(SysCtl *s, uint32_t ctrl)
{
    unsigned function = ctrl >> 20 & 0x3f, site = ctrl >> 16 & 3, position = ctrl & 0xfff;
    uint32_t *at = cfg_place(s, function, site, position);

    if (at) {
        if (ctrl & CFG_WRITE) {
            *at = s->cfg_data;
        } else {
            s->cfg_data = *at;
        }
        return true;
    }
    if (ctrl & CFG_WRITE && (function == FUNC_SHUTDOWN || function == FUNC_REBOOT || function == FUNC_RESET)) {
        if (function == FUNC_SHUTDOWN) {
            machine_request_shutdown(SHUTDOWN_CAUSE_GUEST_SHUTDOWN);
        } else {
            machine_request_reset(SHUTDOWN_CAUSE_GUEST_RESET);
        }
        return true;
    }
    log_unimp("arm_sysctl: SYS_CFGCTRL 0x%x\n", ctrl);
    return false;
}

static void cfg_ctrl_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    SysCtl *s = (SysCtl *)dev;

    if (!is_vexpress(s)) {
        return;
    }
    s->cfg_ctrl = (uint32_t)value & ~(1u << 31 | 3u << 18);
    if (value >> CFG_START_SHIFT & 1) {
        s->cfg_status = CFG_DONE | (cfg_run(s, (uint32_t)value) ? 0 : CFG_ERROR);
    }
}

static uint64_t zero_read(Device *dev, const Register *reg, unsigned index)
{
    return 0;
}

static void ignored_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
}

#define FLAGS(text, at, member, clear) \
    { .name = (text), .offset = (at), .size = 4, .read = flags_read, .write = flags_write, .aux = offsetof(SysCtl, member) << 1 | (clear) }
#define CONSTANT(text, at) { .name = (text), .offset = (at), .size = 4, .read = zero_read, .write = ignored_write }

static const Register sysctl_regs[] = {
    { .name = "SYS_ID", .offset = 0x00, .size = 4, .read = id_read, .read_only = true },
    CONSTANT("SYS_SW", 0x04),
    { .name = "SYS_LED", .offset = 0x08, .size = 4, REGISTER_FIELD(SysCtl, leds), .write_mask = 0xff },
    { .name = "SYS_OSC", .offset = 0x0c, .size = 4, .count = 5, REGISTER_ARRAY(SysCtl, osc), .write = osc_write },
    { .name = "SYS_LOCK", .offset = 0x20, .size = 4, REGISTER_FIELD(SysCtl, lock), .write = lock_write },
    { .name = "SYS_100HZ", .offset = 0x24, .size = 4, .read = counter_read, .read_only = true, .aux = 100 },
    { .name = "SYS_CFGDATA1", .offset = 0x28, .size = 4, .count = 2, REGISTER_ARRAY(SysCtl, cfgdata) },
    FLAGS("SYS_FLAGSSET", 0x30, flags, 0), FLAGS("SYS_FLAGSCLR", 0x34, flags, 1), FLAGS("SYS_NVFLAGSSET", 0x38, nvflags, 0),
    FLAGS("SYS_NVFLAGSCLR", 0x3c, nvflags, 1),
    { .name = "SYS_RESETCTL", .offset = 0x40, .size = 4, REGISTER_FIELD(SysCtl, resetlevel), .write = reset_write },
    CONSTANT("SYS_PCICTL", 0x44),
    { .name = "SYS_MCI", .offset = 0x48, .size = 4, .read = mci_read, .read_only = true },
    CONSTANT("SYS_FLASH", 0x4c),
    { .name = "SYS_CLCD", .offset = 0x50, .size = 4, REGISTER_FIELD(SysCtl, clcd), .reset = CLCD_IDENT, .read = clcd_read, .write = clcd_write },
    CONSTANT("SYS_CLCDSER", 0x54), CONSTANT("SYS_BOOTCS", 0x58),
    { .name = "SYS_24MHZ", .offset = 0x5c, .size = 4, .read = counter_read, .read_only = true, .aux = 24000000 },
    CONSTANT("SYS_MISC", 0x60), CONSTANT("SYS_DMAPSR0", 0x64), CONSTANT("SYS_DMAPSR1", 0x68), CONSTANT("SYS_DMAPSR2", 0x6c),
    { .name = "SYS_PROCID0", .offset = 0x84, .size = 4, .read = id_read, .read_only = true, .aux = 1 },
    { .name = "SYS_PROCID1", .offset = 0x88, .size = 4, .read = id_read, .read_only = true, .aux = 1 },
    { .name = "SYS_CFGDATA", .offset = 0xa0, .size = 4, REGISTER_FIELD(SysCtl, cfg_data) },
    { .name = "SYS_CFGCTRL", .offset = 0xa4, .size = 4, REGISTER_FIELD(SysCtl, cfg_ctrl), .write = cfg_ctrl_write },
    { .name = "SYS_CFGSTAT", .offset = 0xa8, .size = 4, REGISTER_FIELD(SysCtl, cfg_status), .write_mask = 3 },
};

static const RegisterBank sysctl_banks[] = {
    { .name = "arm-sysctl", .size_bytes = 0x1000, .access_min = 1, .access_max = 4, .regs = sysctl_regs, .n_regs = ARRAY_SIZE(sysctl_regs) },
};

static void sysctl_reset(Device *dev, ResetKind kind)
{
    /* The mother board's oscillators (DUI 0447J, 4.5.2). */
    static const uint32_t clocks[6] = { 50000000, 23750000, 24000000, 24000000, 24000000, 24000000 };
    SysCtl *s = (SysCtl *)dev;

    memcpy(s->mb_clock, clocks, sizeof(clocks));
    s->flags = s->dvi_mode = s->mux_fpga = 0;
}

static const StateField sysctl_fields[] = {
    STATE_U(SysCtl, flags), STATE_U(SysCtl, nvflags), STATE_U(SysCtl, sys_mci), STATE_U_ARRAY(SysCtl, mb_clock), STATE_U_ARRAY(SysCtl, db_clock),
    STATE_U_ARRAY(SysCtl, db_volt), STATE_U(SysCtl, dvi_mode), STATE_U(SysCtl, mux_fpga),
};
static const StateDesc sysctl_state = {
    .name = "arm_sysctl", .version = 1, .min_version = 1, .fields = sysctl_fields, .n_fields = ARRAY_SIZE(sysctl_fields),
};
static const Property sysctl_props[] = {
    PROP_U32("sys_id", SysCtl, sys_id, 0, NULL), PROP_U32("proc_id", SysCtl, proc_id, 0, NULL),
#define DB(n) PROP_U32("db-clock[" #n "]", SysCtl, db_clock[n], 0, "Hz"), PROP_U32("db-voltage[" #n "]", SysCtl, db_volt[n], 0, "uV")
    DB(0), DB(1), DB(2), DB(3), DB(4), DB(5), DB(6), DB(7),
#undef DB
};
static const IrqDef sysctl_in[] = { { .count = 2, .handler = mci_card } }; /* write protection, card is there */
static const IrqDef sysctl_out[] = { { .name = "pl110_mux_ctrl", .count = 1 } };

static const DeviceType sysctl_type = {
    .type = { .name = "realview_sysctl", .parent = "sys-bus-device", .summary = "system registers of Arm's boards", .size_bytes = sizeof(SysCtl),
              .props = sysctl_props, .n_props = ARRAY_SIZE(sysctl_props) },
    .category = DEVICE_MISC, .bus = "System", .banks = sysctl_banks, .n_banks = ARRAY_SIZE(sysctl_banks), .irqs_in = sysctl_in,
    .n_irqs_in = ARRAY_SIZE(sysctl_in), .irqs_out = sysctl_out, .n_irqs_out = ARRAY_SIZE(sysctl_out), .state = &sysctl_state,
    .reset_enter = sysctl_reset,
};
DEVICE_TYPE_REGISTER(sysctl_type);
