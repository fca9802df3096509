/*
 * system-priv.h: between main.c and system.c. Handlers of options report what is wrong; the
 * option itself is put in front by options_each().
 */
#ifndef SOFTMMU_SYSTEM_PRIV_H
#define SOFTMMU_SYSTEM_PRIV_H

#include "softmmu/monitor.h"
#include "softmmu/options-priv.h"

typedef bool OptionHandler(GivenOption *opt, Error **errp);

OptionHandler system_set_name, system_set_uuid, system_set_rtc, system_set_icount, system_add_fw_cfg, system_set_actions,
    system_set_watchdog_action, system_add_fd, system_set_overcommit, system_set_machine_options,
    system_set_smp, system_add_numa, system_set_memory, system_set_boot, system_add_chardev, system_add_serial, system_add_parallel, system_add_debugcon,
    system_add_hmp, system_add_qmp, system_add_qmp_pretty, system_add_option_rom, system_add_smbios, system_add_acpi_table;
/* When the machine is ready: what it does not pass on to firmware. */
bool system_check_boot(Error **errp);

/* backends.c */
OptionHandler system_set_snapshot, system_add_drive, system_add_image, system_add_blockdev,
    system_add_netdev, system_add_nic, system_add_net;
bool system_add_default_drives(bool want_cdrom, bool want_floppy, Error **errp);
void system_init_backends(void);
void system_finish_backends(void); /* flushes and closes */
/* Devices for -drive if=virtio and -nic. */
bool system_add_implicit_devices(Error **errp);

/* "kvm:tcg": sets system_config.accel if one of them works. */
bool system_choose_accel(const char *list, Error **errp);
/* None was chosen: says why, and ends the program. */
noreturn void system_no_accel(void);
/* Whether a property of -machine is really the accelerator's. */
bool system_is_accel_key(const char *key);
/* Ports that -device makes are not made for it. */
bool system_add_default_chardevs(bool have_mon_option, bool own_serial, bool own_parallel, Error **errp);
const char *system_panic_action(void);
const char *system_watchdog_action(void);
/* Monitors are attached last, so that a guest on the same mux comes first. */
bool system_attach_monitors(Error **errp);

/* -mem-path: the machine's memory is a memory-backend-file. */
bool system_set_memory_path(const char *path, bool prealloc, Error **errp);

#endif
