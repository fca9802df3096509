/*
 * boot.h: what firmware should boot from: bootindex properties, OpenFirmware paths, -boot.
 *
 * A bootable device has PROP_BOOTINDEX(Type, field, suffix) in its properties; the field is an int32_t that is 0 when
 * not set, else bootindex + 1. Its boot path is made of what each bus on the way (BusType.fw_path), or the device itself
 * (DeviceType.fw_path), says, and the suffix: "/pci@i0cf8/ide@1,1/drive@0" + "/disk@0".
 */
#ifndef HW_BOOT_H
#define HW_BOOT_H

#include "softmmu/machine.h"

bool bootindex_get(Object *obj, const Property *prop, PropValue *ret, Error **errp);
bool bootindex_set(Object *obj, const Property *prop, const PropValue *value, Error **errp);
#define PROP_BOOTINDEX(T, field, suffix) PROP_BOOTINDEX_NAMED("bootindex", T, field, suffix)
#define PROP_BOOTINDEX_NAMED(pname, T, field, suffix)                                                        \
    { .name = (pname), .kind = PROP_INT32, .offset = offsetof(T, field), .def_str = (suffix),            \
      .get = bootindex_get, .set = bootindex_set, .settable_when_realized = true, .help = "Position in the boot order" }

/* "/pci@i0cf8/ide@1,1/drive@0"; malloc'd. */
char *device_fw_path(Device *dev);
/* Contents of fw_cfg "bootorder": a path per line, the last without newline but with a zero byte, "HALT" at the end with
 * -boot strict=on. NULL, *ret_len 0: no device has a bootindex. malloc'd. */
char *boot_order_text(Machine *machine, size_t *ret_len);

/* Everything above, -boot menu, splash, splash-time and reboot-timeout, -uuid and whether there is a display as fw_cfg items;
 * also the user's -option-rom files. From the board's ready(). The bootorder file follows changed bootindex properties. */
NODISCARD bool boot_install(Machine *machine, Device *fw_cfg, Error **errp);
/* -option-rom FILE[,bootindex=N]: fw_cfg "genroms/NAME" in the order given. `name` is looked for in the data directories. */
NODISCARD bool boot_add_option_rom(const char *name, int32_t bootindex, Error **errp);
/* An option ROM of a device without ROM BAR, before boot_install(). */
NODISCARD bool boot_add_device_rom(const char *path, bool vga, Error **errp);
/* The same when the machine is being built ("kvmvapic.bin", "linuxboot_dma.bin"). */
NODISCARD bool boot_install_rom(Device *fw_cfg, const char *name, int32_t bootindex, Error **errp);
/* The board's way to write "cad" and the like where firmware looks (CMOS). Called at once, and when -boot once= is over. */
void boot_set_handler(Machine *machine, void (*set)(void *opaque, const char *order), void *opaque);
/* HMP boot_set: until the next start of the emulator. */
NODISCARD bool boot_set_order(const char *order, Error **errp);

#endif
