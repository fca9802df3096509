/*
 * exynos4210_pmu.c: the power management unit of Exynos 4210, and its chip identification.
 *
 * Samsung Exynos 4210 user's manual, chapters "Power management unit" and "Chip ID". Power domains and processors follow their configuration at once; software reset
 * and the end of PS_HOLD (power off) work; the other registers are kept. A domain without power does not stop its devices. Left out: sleep modes. Threads: BQL.
 */
#include "hw/device.h"
#include "softmmu/machine.h"

enum {
    N_WORDS = 0x3d0c / 4, SWRESET = 0x0400, PS_HOLD = 0x330c, PS_HOLD_HIGH = 1 << 8, CORE_ON = 3, DOMAIN_ON = 7, STATUS_AT = 4,
    PRODUCT_ID = 0x43210211, /* Exynos 4210, revision 1.1 */
    BOOT_PINS_XUSBXTI = 1,   /* XOM[0]: the PLLs run from the 24 MHz of USB's crystal */
};

typedef struct ExynosPmu {
    Device dev;
    uint32_t word[N_WORDS];
} ExynosPmu;

static const struct { uint16_t at; uint32_t value; } initial[] = {
    { 0x0010, 1 },          /* OM_STAT */
    { 0x0200, 0x00010000 }, { 0x0208, 0x03030000 }, /* wake-up: status, configuration */
    { 0x0700, 0x00960000 }, { 0x0718, 1 },
    { PS_HOLD, 0x5300 },
};
/* Configuration, followed by status. */
static const struct { uint16_t at; uint8_t on; } domains[] = {
    { 0x2000, CORE_ON }, { 0x2080, CORE_ON }, { 0x2600, CORE_ON }, { 0x2620, CORE_ON }, /* processors, second-level cache */
    { 0x3c00, DOMAIN_ON }, { 0x3c20, DOMAIN_ON }, { 0x3c40, DOMAIN_ON }, { 0x3c60, DOMAIN_ON }, { 0x3c80, DOMAIN_ON }, { 0x3ca0, DOMAIN_ON },
    { 0x3ce0, DOMAIN_ON }, { 0x3d00, DOMAIN_ON },
};

static void pmu_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    ExynosPmu *s = (ExynosPmu *)dev;
    uint32_t at = 4 * index;

    for (size_t i = 0; i < ARRAY_SIZE(domains); i++) {
        if (at == domains[i].at + (uint32_t)STATUS_AT) {
            return; /* read-only */
        }
        if (at == domains[i].at) {
            s->word[index + 1] = (s->word[index + 1] & ~(uint32_t)domains[i].on) | ((uint32_t)value & domains[i].on);
        }
    }
    s->word[index] = (uint32_t)value;
    if (at == SWRESET && (value & 1)) {
        machine_request_reset(SHUTDOWN_CAUSE_GUEST_RESET);
    } else if (at == PS_HOLD && !(value & PS_HOLD_HIGH)) {
        machine_request_shutdown(SHUTDOWN_CAUSE_GUEST_SHUTDOWN);
    }
}

static const Register pmu_regs[] = {
    { .name = "PMU", .offset = 0, .size = 4, .count = N_WORDS, REGISTER_ARRAY(ExynosPmu, word), .no_reset = true, .write = pmu_write },
};
static const RegisterBank pmu_banks[] = { { .name = "exynos4210.pmu", .size_bytes = 4 * N_WORDS, .regs = pmu_regs, .n_regs = ARRAY_SIZE(pmu_regs) } };

static void pmu_reset_enter(Device *dev, ResetKind kind)
{
    ExynosPmu *s = (ExynosPmu *)dev;

    memset(s->word, 0, sizeof(s->word));
    for (size_t i = 0; i < ARRAY_SIZE(initial); i++) {
        s->word[initial[i].at / 4] = initial[i].value;
    }
    for (size_t i = 0; i < ARRAY_SIZE(domains); i++) {
        s->word[domains[i].at / 4] = s->word[domains[i].at / 4 + 1] = domains[i].on;
    }
}

static const DeviceType pmu_type = {
    .type = { .name = "exynos4210.pmu", .parent = "sys-bus-device", .summary = "power management of Exynos 4210", .size_bytes = sizeof(ExynosPmu) },
    .category = DEVICE_MISC, .bus = "System", .banks = pmu_banks, .n_banks = ARRAY_SIZE(pmu_banks), .reset_enter = pmu_reset_enter,
};
DEVICE_TYPE_REGISTER(pmu_type);

static uint64_t id_read(Device *dev, const Register *reg, unsigned index)
{
    return reg->aux;
}

static const Register chipid_regs[] = {
    { .name = "PRO_ID", .offset = 0, .size = 4, .read = id_read, .read_only = true, .aux = PRODUCT_ID },
    { .name = "PACKAGE_ID", .offset = 4, .size = 4, .read = id_read, .read_only = true },
    { .name = "XOM", .offset = 8, .size = 4, .read = id_read, .read_only = true, .aux = BOOT_PINS_XUSBXTI },
};
static const RegisterBank chipid_banks[] = {
    { .name = "exynos4210.chipid", .size_bytes = 0x100, .regs = chipid_regs, .n_regs = ARRAY_SIZE(chipid_regs) },
};
static const DeviceType chipid_type = {
    .type = { .name = "exynos4210.chipid", .parent = "sys-bus-device", .summary = "identification of Exynos 4210", .size_bytes = sizeof(Device) },
    .category = DEVICE_MISC, .bus = "System", .banks = chipid_banks, .n_banks = ARRAY_SIZE(chipid_banks),
};
DEVICE_TYPE_REGISTER(chipid_type);
