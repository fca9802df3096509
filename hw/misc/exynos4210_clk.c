/*
 * exynos4210_clk.c: the clock management units of Exynos 4210.
 *
 * Samsung Exynos 4210 user's manual, chapter "Clock management unit". Registers are kept; a PLL that is on is locked. After reset they are as a boot loader leaves
 * them: PLLs on (800 MHz for the processors and the buses), UARTs and SD hosts on the 24 MHz crystal. Devices do not follow. Threads: BQL.
 */
#include "hw/device.h"

enum { N_WORDS = 0x15104 / 4, EPLL_CON0 = 0xc110, VPLL_CON0 = 0xc120, APLL_CON0 = 0x14100, MPLL_CON0 = 0x14108 };
#define PLL_ENABLE (1u << 31)
#define PLL_LOCKED (1u << 29)

typedef struct ExynosClk {
    Device dev;
    uint32_t word[N_WORDS];
} ExynosClk;

static const struct { uint32_t at, value; } initial[] = {
    { 0xc010, 0xfff }, { 0xc020, 0xfff }, { 0x14000, 0xfff }, { 0x14008, 0xfff }, /* lock times */
    { EPLL_CON0, PLL_ENABLE | 0x00300301 }, { VPLL_CON0, PLL_ENABLE | 0x00240201 }, { 0xc124, 0x66010464 },
    { APLL_CON0, PLL_ENABLE | 0x00c80601 }, { 0x14104, 0x1c }, { MPLL_CON0, PLL_ENABLE | 0x00c80601 }, { 0x1410c, 0x1c },
    { 0xc240, 0x00011111 }, { 0xc250, 0x00011111 },                               /* SD hosts and UARTs: XUSBXTI */
    { 0xc920, UINT32_MAX }, { 0xc924, UINT32_MAX }, { 0xc928, UINT32_MAX }, { 0xc92c, UINT32_MAX }, { 0xc930, UINT32_MAX }, { 0xc934, UINT32_MAX },
    { 0xc938, UINT32_MAX }, { 0xc940, UINT32_MAX }, { 0xc94c, UINT32_MAX }, { 0xc950, UINT32_MAX }, { 0xc960, UINT32_MAX }, { 0xc970, UINT32_MAX },
};

static uint64_t clk_read(Device *dev, const Register *reg, unsigned index)
{
    uint32_t at = 4 * index, value = ((ExynosClk *)dev)->word[index];
    bool pll = at == EPLL_CON0 || at == VPLL_CON0 || at == APLL_CON0 || at == MPLL_CON0;

    return pll && (value & PLL_ENABLE) ? value | PLL_LOCKED : value;
}

static const Register clk_regs[] = {
    { .name = "CLK", .offset = 0, .size = 4, .count = N_WORDS, REGISTER_ARRAY(ExynosClk, word), .no_reset = true, .read = clk_read },
};
static const RegisterBank clk_banks[] = { { .name = "exynos4210.clk", .size_bytes = 4 * N_WORDS, .regs = clk_regs, .n_regs = ARRAY_SIZE(clk_regs) } };

static void clk_reset_enter(Device *dev, ResetKind kind)
{
    ExynosClk *s = (ExynosClk *)dev;

    memset(s->word, 0, sizeof(s->word));
    for (size_t i = 0; i < ARRAY_SIZE(initial); i++) {
        s->word[initial[i].at / 4] = initial[i].value;
    }
}

static const DeviceType clk_type = {
    .type = { .name = "exynos4210.clk", .parent = "sys-bus-device", .summary = "clocks of Exynos 4210", .size_bytes = sizeof(ExynosClk) },
    .category = DEVICE_MISC, .bus = "System", .banks = clk_banks, .n_banks = ARRAY_SIZE(clk_banks), .reset_enter = clk_reset_enter,
};
DEVICE_TYPE_REGISTER(clk_type);
