/*
 * fw_cfg.h: data for firmware: numbered items and named files.
 *
 * Items are added while the board is built; the guest reads them through a
 * "fw_cfg_mem" device. Data is copied.
 */
#ifndef HW_FW_CFG_H
#define HW_FW_CFG_H

#include "hw/device.h"

enum {
    FW_CFG_SIGNATURE = 0x00, FW_CFG_ID = 0x01, FW_CFG_UUID = 0x02, FW_CFG_RAM_SIZE = 0x03,
    FW_CFG_NOGRAPHIC = 0x04, FW_CFG_NB_CPUS = 0x05, FW_CFG_KERNEL_ADDR = 0x07,
    FW_CFG_KERNEL_SIZE = 0x08, FW_CFG_INITRD_ADDR = 0x0a, FW_CFG_INITRD_SIZE = 0x0b,
    FW_CFG_BOOT_DEVICE = 0x0c, FW_CFG_NUMA = 0x0d, FW_CFG_BOOT_MENU = 0x0e,
    FW_CFG_MAX_CPUS = 0x0f, FW_CFG_KERNEL_DATA = 0x11, FW_CFG_INITRD_DATA = 0x12,
    FW_CFG_CMDLINE_SIZE = 0x14, FW_CFG_CMDLINE_DATA = 0x15, FW_CFG_FILE_DIR = 0x19,
    FW_CFG_FILE_FIRST = 0x20,
};

void fw_cfg_add_bytes(Device *fw_cfg, uint16_t key, const void *data, uint32_t len);
void fw_cfg_add_u16(Device *fw_cfg, uint16_t key, uint16_t value);
void fw_cfg_add_u32(Device *fw_cfg, uint16_t key, uint32_t value);
void fw_cfg_add_u64(Device *fw_cfg, uint16_t key, uint64_t value);
/* Fails when the name is too long or known, or x-file-slots are used up. */
NODISCARD bool fw_cfg_add_file(Device *fw_cfg, const char *name, const void *data, uint32_t len,
                               Error **errp);

/* -fw_cfg name=…,file=|string=: kept until a machine makes its device. */
NODISCARD bool fw_cfg_add_option(const char *name, const void *data, uint32_t len, Error **errp);
NODISCARD bool fw_cfg_take_options(Device *fw_cfg, Error **errp);

#endif
