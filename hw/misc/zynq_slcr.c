/*
 * zynq_slcr.c: the system level control registers of Zynq-7000: lock, clocks, resets, pins, boot mode.
 *
 * Xilinx UG585 (Zynq-7000 TRM), appendix B.28. Writes need the unlock key before. Reset of the whole system and of the second processor work; the other registers are
 * kept for software that reads back what it wrote: devices neither stop nor change speed, pins are always connected.
 *
 * A processor's reset line is followed by the main loop, in the order in which it was driven. Threads: BQL.
 */
#include "hw/arm/zynq.h"
#include "hw/device.h"
#include "softmmu/clock.h"
#include "util/log.h"

enum {
    KEY_LOCK = 0x767b, KEY_UNLOCK = 0xdf0d, SOFT_RESET = 1, CPU0_RESET = 1 << 0, CPU1_RESET = 1 << 1, CPU0_STOP = 1 << 4, CPU1_STOP = 1 << 5,
    A9_RESET_MASK = 0x133, N_WORDS = 0x1000 / 4, SECOND_CPU = 1,
};
#define REASON_POWER_ON 0x00400000u
#define REASON_SOFTWARE 0x00080000u
#define REBOOT_STATE 0xff000000u /* software's, kept over resets */

typedef struct ZynqSlcr {
    Device dev;
    Machine *machine;
    uint32_t boot_mode, word[N_WORDS];
    bool locked, was_held, restarting; /* was_held: since the main loop looked; restarting: by software */
    Timer follow;
} ZynqSlcr;

#define AT(offset) word[(offset) / 4]
enum { A9_CPU_RST_CTRL = 0x244, REBOOT_STATUS = 0x258, BOOT_MODE = 0x25c };

static void follow(void *opaque)
{
    ZynqSlcr *s = opaque;

    if (!s->machine || s->machine->smp.cpus <= SECOND_CPU) {
        return;
    }
    if (s->was_held) {
        arm_cpu_hold(arm_cpu(s->machine, SECOND_CPU));
    }
    /* It starts at 0, which software has mapped memory to (29.4). */
    if (s->was_held && !(s->AT(A9_CPU_RST_CTRL) & (CPU1_RESET | CPU1_STOP))) {
        s->was_held = false;
        arm_cpu_release(arm_cpu(s->machine, SECOND_CPU), 0);
    }
}

static void a9_reset_changed(ZynqSlcr *s)
{
    uint32_t lines = s->AT(A9_CPU_RST_CTRL);

    if (lines & (CPU0_RESET | CPU0_STOP)) {
        log_unimp("zynq_slcr: reset or clock stop of processor 0 alone\n");
    }
    s->was_held |= (lines & CPU1_RESET) != 0;
    timer_set_ns(&s->follow, clock_get_ns(VM_CLOCK_VIRTUAL));
}

static void slcr_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    ZynqSlcr *s = (ZynqSlcr *)dev;
    uint32_t *word = &s->AT(reg->offset) + index, mask = reg->aux;

    if (s->locked) {
        log_guest_error("zynq_slcr: write to %s while locked\n", reg->name);
        return;
    }
    *word = (*word & ~mask) | ((uint32_t)value & mask);
    if (reg->offset == A9_CPU_RST_CTRL) {
        a9_reset_changed(s);
    }
}

static void lock_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    ZynqSlcr *s = (ZynqSlcr *)dev;

    if ((value & 0xffff) == reg->aux) {
        s->locked = reg->aux == KEY_LOCK;
    }
}

static uint64_t lock_read(Device *dev, const Register *reg, unsigned index)
{
    return ((ZynqSlcr *)dev)->locked;
}

static void reset_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    ZynqSlcr *s = (ZynqSlcr *)dev;

    if (s->locked) {
        log_guest_error("zynq_slcr: write to %s while locked\n", reg->name);
    } else if (value & SOFT_RESET) {
        s->restarting = true;
        machine_request_reset(SHUTDOWN_CAUSE_GUEST_RESET);
    }
}

#define ARRAY(title, at, n, initial, mask) \
    { .name = title, .offset = at, .size = 4, .count = n, REGISTER_FIELD(ZynqSlcr, AT(at)), .reset = initial, .write = slcr_write, .aux = mask }
#define ONE(title, at, initial, mask) ARRAY(title, at, 1, initial, mask)
#define FIXED(title, at, initial) \
    { .name = title, .offset = at, .size = 4, REGISTER_FIELD(ZynqSlcr, AT(at)), .reset = initial, .read_only = true }
#define FPGA_CLOCK(title, at)                                                                                                     \
    ONE(title "_CLK_CTRL", at, 0x00101800, 0x03f03f30), ONE(title "_THR_CTRL", at + 4, 0, 0xf), ONE(title "_THR_CNT", at + 8, 0, 0xffff), \
        FIXED(title "_THR_STA", at + 12, 0x00010000)

static const Register slcr_regs[] = {
    ONE("SCL", 0x000, 0, 1),
    { .name = "SLCR_LOCK", .offset = 0x004, .size = 4, .write = lock_write, .write_only = true, .aux = KEY_LOCK },
    { .name = "SLCR_UNLOCK", .offset = 0x008, .size = 4, .write = lock_write, .write_only = true, .aux = KEY_UNLOCK },
    { .name = "SLCR_LOCKSTA", .offset = 0x00c, .size = 4, .read = lock_read, .read_only = true },
    ARRAY("PLL_CTRL", 0x100, 3, 0x0001a008, 0x0007f01b), FIXED("PLL_STATUS", 0x10c, 0x3f), ARRAY("PLL_CFG", 0x110, 3, 0x00177ea0, 0x003ffff0),
    ONE("ARM_CLK_CTRL", 0x120, 0x1f000400, 0x1f003f30), ONE("DDR_CLK_CTRL", 0x124, 0x18400003, 0xfff00003),
    ONE("DCI_CLK_CTRL", 0x128, 0x01e03201, 0x03f03f01), ONE("APER_CLK_CTRL", 0x12c, 0x01ffcccd, 0x01ffffff),
    ARRAY("USB_CLK_CTRL", 0x130, 2, 0x00101941, 0x03f03f71), ARRAY("GEM_RCLK_CTRL", 0x138, 2, 1, 0x11),
    ARRAY("GEM_CLK_CTRL", 0x140, 2, 0x00003c01, 0x03f03f71), ONE("SMC_CLK_CTRL", 0x148, 0x00003c21, 0x3f31), ONE("LQSPI_CLK_CTRL", 0x14c, 0x2821, 0x3f31),
    ONE("SDIO_CLK_CTRL", 0x150, 0x1e03, 0x3f33), ONE("UART_CLK_CTRL", 0x154, 0x3f03, 0x3f33), ONE("SPI_CLK_CTRL", 0x158, 0x3f03, 0x3f33),
    ONE("CAN_CLK_CTRL", 0x15c, 0x00501903, 0x03f03f33), ONE("CAN_MIOCLK_CTRL", 0x160, 0, 0x007f007f), ONE("DBG_CLK_CTRL", 0x164, 0x0f03, 0x3f73),
    ONE("PCAP_CLK_CTRL", 0x168, 0x0f01, 0x3f31), ONE("TOPSW_CLK_CTRL", 0x16c, 0, 1),
    FPGA_CLOCK("FPGA0", 0x170), FPGA_CLOCK("FPGA1", 0x180), FPGA_CLOCK("FPGA2", 0x190), FPGA_CLOCK("FPGA3", 0x1a0),
    ONE("CLK_621_TRUE", 0x1c4, 1, 1),
    { .name = "PSS_RST_CTRL", .offset = 0x200, .size = 4, .write = reset_write },
    ONE("DDR_RST_CTRL", 0x204, 0, 1), ONE("TOPSW_RST_CTRL", 0x208, 0, 1), ONE("DMAC_RST_CTRL", 0x20c, 0, 1), ONE("USB_RST_CTRL", 0x210, 0, 3),
    ONE("GEM_RST_CTRL", 0x214, 0, 0xf3), ONE("SDIO_RST_CTRL", 0x218, 0, 0x33), ONE("SPI_RST_CTRL", 0x21c, 0, 0xf), ONE("CAN_RST_CTRL", 0x220, 0, 3),
    ONE("I2C_RST_CTRL", 0x224, 0, 3), ONE("UART_RST_CTRL", 0x228, 0, 0xf), ONE("GPIO_RST_CTRL", 0x22c, 0, 1), ONE("LQSPI_RST_CTRL", 0x230, 0, 3),
    ONE("SMC_RST_CTRL", 0x234, 0, 3), ONE("OCM_RST_CTRL", 0x238, 0, 1), ONE("FPGA_RST_CTRL", 0x240, 0x01f33f0f, 0x01f33f0f),
    ONE("A9_CPU_RST_CTRL", A9_CPU_RST_CTRL, 0, A9_RESET_MASK), ONE("RS_AWDT_CTRL", 0x24c, 0, 3),
    { .name = "REBOOT_STATUS", .offset = REBOOT_STATUS, .size = 4, REGISTER_FIELD(ZynqSlcr, AT(REBOOT_STATUS)), .no_reset = true, .write = slcr_write,
      .aux = REBOOT_STATE },
    { .name = "BOOT_MODE", .offset = BOOT_MODE, .size = 4, REGISTER_FIELD(ZynqSlcr, boot_mode), .read_only = true, .no_reset = true },
    ONE("APU_CTRL", 0x300, 0, 7), ONE("WDT_CLK_SEL", 0x304, 0, 1), ONE("TZ_OCM_RAM0", 0x400, 0, UINT32_MAX), ONE("TZ_OCM_RAM1", 0x404, 0, UINT32_MAX),
    ONE("TZ_DDR_RAM", 0x430, 0, 0xffff), ONE("TZ_DMA_NS", 0x440, 0, 1), ONE("TZ_DMA_IRQ_NS", 0x444, 0, 0xffff), ONE("TZ_DMA_PERIPH_NS", 0x448, 0, 0xf),
    ONE("TZ_GEM", 0x450, 0, 3), ONE("TZ_SDIO", 0x454, 0, 3), ONE("TZ_USB", 0x458, 0, 3),
    FIXED("PSS_IDCODE", 0x530, 0x13727093), /* XC7Z020 */
    ONE("DDR_URGENT", 0x600, 0, 0xff), ONE("DDR_CAL_START", 0x60c, 0, 3), ONE("DDR_REF_START", 0x614, 0, 1), ONE("DDR_CMD_STA", 0x618, 0, 1),
    ONE("DDR_URGENT_SEL", 0x61c, 0, 0x3ff), ONE("DDR_DFI_STATUS", 0x620, 0, 1),
    /* Pins that tell the boot mode have no pull-up. */
    ARRAY("MIO_PIN", 0x700, 2, 0x1601, 0x3fff), ARRAY("MIO_PIN", 0x708, 7, 0x0601, 0x3fff), ARRAY("MIO_PIN", 0x724, 45, 0x1601, 0x3fff),
    ONE("MIO_LOOPBACK", 0x804, 0, 0xf), ARRAY("MIO_MST_TRI", 0x80c, 2, 0xffffffff, 0xffffffff),
    ARRAY("SD_WP_CD_SEL", 0x830, 2, 0, 0x003f003f), ONE("LVL_SHFTR_EN", 0x900, 0, 0x1f), ONE("OCM_CFG", 0x910, 0, 0x1f),
    ONE("GPIOB_CTRL", 0xb00, 0, 0xbfd), ONE("GPIOB_CFG_CMOS18", 0xb04, 0, 0x7777777), ONE("GPIOB_CFG_CMOS25", 0xb08, 0, 0x7777777),
    ONE("GPIOB_CFG_CMOS33", 0xb0c, 0, 0x7777777), ONE("GPIOB_CFG_HSTL", 0xb14, 0, 0x7777777), ONE("GPIOB_DRVR_BIAS_CTRL", 0xb18, 0, 0x7ffff),
    ARRAY("DDRIOB", 0xb40, 7, 0x800, 0x0fff), ARRAY("DDRIOB_DRIVE_SLEW", 0xb5c, 4, 0, 0x7ffff), ONE("DDRIOB_DDR_CTRL", 0xb6c, 0, 0x7fff),
    ONE("DDRIOB_DCI_CTRL", 0xb70, 0x20, 0x7fffff), FIXED("DDRIOB_DCI_STATUS", 0xb74, 0x2000), /* calibration done */
};
static const RegisterBank slcr_banks[] = { { .name = "slcr", .size_bytes = 0x1000, .regs = slcr_regs, .n_regs = ARRAY_SIZE(slcr_regs) } };

void zynq_slcr_connect(Device *dev, Machine *machine)
{
    ((ZynqSlcr *)dev)->machine = machine;
}

static bool slcr_realize(Device *dev, Error **errp)
{
    ZynqSlcr *s = (ZynqSlcr *)dev;

    timer_init(&s->follow, VM_CLOCK_VIRTUAL, follow, s);
    return true;
}

static void slcr_unrealize(Device *dev)
{
    timer_cancel(&((ZynqSlcr *)dev)->follow);
}

static void slcr_reset_enter(Device *dev, ResetKind kind)
{
    ZynqSlcr *s = (ZynqSlcr *)dev;

    timer_cancel(&s->follow);
    s->locked = true;
    s->was_held = false;
    s->AT(REBOOT_STATUS) = s->restarting ? (s->AT(REBOOT_STATUS) & REBOOT_STATE) | REASON_SOFTWARE : REASON_POWER_ON;
    s->restarting = false;
}

static bool slcr_post_load(void *opaque, uint32_t version, Error **errp)
{
    ZynqSlcr *s = opaque;

    if (s->was_held) {
        timer_set_ns(&s->follow, clock_get_ns(VM_CLOCK_VIRTUAL));
    }
    return true;
}

static const StateField slcr_fields[] = { STATE_U(ZynqSlcr, locked), STATE_U(ZynqSlcr, was_held), STATE_U(ZynqSlcr, restarting) };
static const StateDesc slcr_state = {
    .name = "zynq_slcr", .version = 1, .min_version = 1, .fields = slcr_fields, .n_fields = ARRAY_SIZE(slcr_fields), .post_load = slcr_post_load,
};
static const Property slcr_props[] = { PROP_U32("boot-mode", ZynqSlcr, boot_mode, 1, "What the boot mode pins say") };

static const DeviceType slcr_type = {
    .type = { .name = "xilinx-zynq_slcr", .parent = "sys-bus-device", .summary = "system control of Zynq-7000", .size_bytes = sizeof(ZynqSlcr),
              .props = slcr_props, .n_props = ARRAY_SIZE(slcr_props) },
    .category = DEVICE_MISC, .bus = "System", .banks = slcr_banks, .n_banks = ARRAY_SIZE(slcr_banks), .state = &slcr_state, .realize = slcr_realize,
    .unrealize = slcr_unrealize, .reset_enter = slcr_reset_enter,
};
DEVICE_TYPE_REGISTER(slcr_type);
