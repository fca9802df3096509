/*
 * l2x0.c: Arm level 2 cache controller PL310: there is no cache to control, so operations are done at once.
 *
 * Arm DDI 0246H, chapter 3. Left out: interrupts, event counters (registers that are not listed read as 0).
 */
#include "hw/device.h"

enum { CACHE_ID = 0x410000c8, TYPE_INITIAL = 0x1c100100, AUX_INITIAL = 0x02020000, CTRL_ENABLE = 1 };

typedef struct L2x0 {
    Device dev;
    uint32_t cache_type, ctrl, aux, tag_latency, data_latency, filter[2], lockdown[16], lock_line, debug, prefetch, power;
} L2x0;

static uint64_t id_read(Device *dev, const Register *reg, unsigned index)
{
    return reg->aux ? ((L2x0 *)dev)->cache_type : CACHE_ID;
}

/* Sync, invalidate and clean by line, by way: never busy (bit 0 reads as 0). */
static uint64_t operation_read(Device *dev, const Register *reg, unsigned index)
{
    return 0;
}

static void operation_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
}

#define OPERATION(text, at) { .name = (text), .offset = (at), .size = 4, .read = operation_read, .write = operation_write }

static const Register l2x0_regs[] = {
    { .name = "reg0_cache_id", .offset = 0x000, .size = 4, .read = id_read, .read_only = true },
    { .name = "reg0_cache_type", .offset = 0x004, .size = 4, .read = id_read, .read_only = true, .aux = 1 },
    { .name = "reg1_control", .offset = 0x100, .size = 4, REGISTER_FIELD(L2x0, ctrl), .write_mask = CTRL_ENABLE },
    { .name = "reg1_aux_control", .offset = 0x104, .size = 4, REGISTER_FIELD(L2x0, aux), .reset = AUX_INITIAL },
    { .name = "reg1_tag_ram_control", .offset = 0x108, .size = 4, REGISTER_FIELD(L2x0, tag_latency), .write_mask = 0x777 },
    { .name = "reg1_data_ram_control", .offset = 0x10c, .size = 4, REGISTER_FIELD(L2x0, data_latency), .write_mask = 0x777 },
    OPERATION("reg7_cache_sync", 0x730), OPERATION("reg7_inv_pa", 0x770), OPERATION("reg7_inv_way", 0x77c), OPERATION("reg7_clean_pa", 0x7b0),
    OPERATION("reg7_clean_index", 0x7b8), OPERATION("reg7_clean_way", 0x7bc), OPERATION("reg7_clean_inv_pa", 0x7f0),
    OPERATION("reg7_clean_inv_index", 0x7f8), OPERATION("reg7_clean_inv_way", 0x7fc),
    { .name = "reg9_lockdown", .offset = 0x900, .size = 4, .count = 16, REGISTER_ARRAY(L2x0, lockdown), .write_mask = 0xffff },
    { .name = "reg9_lock_line_en", .offset = 0x950, .size = 4, REGISTER_FIELD(L2x0, lock_line), .write_mask = 1 },
    OPERATION("reg9_unlock_way", 0x954),
    { .name = "reg12_addr_filtering", .offset = 0xc00, .size = 4, .count = 2, REGISTER_ARRAY(L2x0, filter), .write_mask = 0xfff00001 },
    { .name = "reg15_debug_ctrl", .offset = 0xf40, .size = 4, REGISTER_FIELD(L2x0, debug), .write_mask = 7 },
    { .name = "reg15_prefetch_ctrl", .offset = 0xf60, .size = 4, REGISTER_FIELD(L2x0, prefetch) },
    { .name = "reg15_power_ctrl", .offset = 0xf80, .size = 4, REGISTER_FIELD(L2x0, power), .write_mask = 3 },
};
static const RegisterBank l2x0_banks[] = {
    { .name = "l2x0_cc", .size_bytes = 0x1000, .access_min = 1, .access_max = 4, .regs = l2x0_regs, .n_regs = ARRAY_SIZE(l2x0_regs) },
};
static const Property l2x0_props[] = { PROP_U32("cache-type", L2x0, cache_type, TYPE_INITIAL, NULL) };

static const DeviceType l2x0_type = {
    .type = { .name = "l2x0", .parent = "sys-bus-device", .summary = "Arm level 2 cache controller", .size_bytes = sizeof(L2x0),
              .props = l2x0_props, .n_props = ARRAY_SIZE(l2x0_props) },
    .category = DEVICE_MISC, .bus = "System", .banks = l2x0_banks, .n_banks = ARRAY_SIZE(l2x0_banks),
};
DEVICE_TYPE_REGISTER(l2x0_type);
