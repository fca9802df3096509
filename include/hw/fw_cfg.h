/*
 * fw_cfg.h: data for firmware: numbered items and named files.
 *
 * Items are added while the board is built; the guest reads them through a "fw_cfg_mem" device (registers in memory) or a
 * "fw_cfg_io" device (a PC's ports 0x510 to 0x51b, which it claims itself). Data is copied.
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
    FW_CFG_KERNEL_ENTRY = 0x10, FW_CFG_CMDLINE_ADDR = 0x13, FW_CFG_SETUP_ADDR = 0x16, FW_CFG_SETUP_SIZE = 0x17,
    FW_CFG_SETUP_DATA = 0x18,
    FW_CFG_X86 = 0x8000, /* items of their own for x86 */
    FW_CFG_X86_IRQ0_OVERRIDE = 0x8002, FW_CFG_X86_HPET = 0x8004,
};

void fw_cfg_add_bytes(Device *fw_cfg, uint16_t key, const void *data, uint32_t len);
void fw_cfg_add_u16(Device *fw_cfg, uint16_t key, uint16_t value);
void fw_cfg_add_u32(Device *fw_cfg, uint16_t key, uint32_t value);
void fw_cfg_add_u64(Device *fw_cfg, uint16_t key, uint64_t value);
/* Fails when the name is too long or known, or x-file-slots are used up. */
NODISCARD bool fw_cfg_add_file(Device *fw_cfg, const char *name, const void *data, uint32_t len,
                               Error **errp);
/* Replaces contents; a file that is not there is added. */
NODISCARD bool fw_cfg_set_file(Device *fw_cfg, const char *name, const void *data, uint32_t len, Error **errp);
/* Called when the guest selects the file, before it reads; may use fw_cfg_set_file(). */
void fw_cfg_on_select(Device *fw_cfg, const char *name, void (*fn)(void *opaque), void *opaque);
/* The guest may write the file (by DMA); fn, may be NULL, is called after each write. */
void fw_cfg_make_writable(Device *fw_cfg, const char *name, void (*fn)(void *opaque), void *opaque);
/* Contents of a file or item as they are; NULL: it is not there. Valid until they are changed. */
const uint8_t *fw_cfg_file(Device *fw_cfg, const char *name, uint32_t *ret_len);
const uint8_t *fw_cfg_item(Device *fw_cfg, uint16_t key, uint32_t *ret_len);

/* -fw_cfg name=…,file=|string=: kept until a machine makes its device. */
NODISCARD bool fw_cfg_add_option(const char *name, const void *data, uint32_t len, Error **errp);
NODISCARD bool fw_cfg_take_options(Device *fw_cfg, Error **errp);

#endif
