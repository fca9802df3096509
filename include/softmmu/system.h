/*
 * system.h: the system emulator as a whole: what the command line said and
 * what the monitors and boards ask of it.
 *
 * Threads: main loop with the device lock, unless said otherwise.
 */
#ifndef SOFTMMU_SYSTEM_H
#define SOFTMMU_SYSTEM_H

#include "softmmu/chardev.h"
#include "softmmu/machine.h"
#include "util/json.h"

typedef struct SystemConfig {
    const char *arch;    /* "riscv64" */
    char *name;          /* -name; NULL */
    char uuid[37];       /* -uuid; zeros */
    bool uuid_set;
    bool nographic, no_defaults;
    bool migration_events;  /* asked for with migrate-set-capabilities */
    const struct AccelOps *accel; /* what runs the vCPUs */
} SystemConfig;

extern SystemConfig system_config; /* set while options are parsed */

/* ---- for the monitors ---- */
void system_request_quit(ShutdownCause cause);
/* "reboot", "shutdown", "panic", "watchdog" */
bool system_set_action(const char *event, const char *action, Error **errp);
const char *system_cpu_family(void); /* "riscv": CPU type names are MODEL-FAMILY-cpu */
char *system_cpu_type_name(void);    /* of the vCPUs in use; caller's */
int system_vcpu_thread_id(unsigned index);
char *system_vcpu_path(unsigned index); /* in the object tree; caller's */
/* Runs fn while the vCPU stands still, in its thread if the machine runs. */
void system_on_vcpu(struct Vcpu *vcpu, void (*fn)(struct Vcpu *vcpu, void *opaque), void *opaque);
/* Guest virtual memory without side effects, as `vcpu` sees it. */
bool system_debug_read(struct Vcpu *vcpu, uint64_t addr, void *buf, size_t len);
/* Also into ROM. */
bool system_debug_write(struct Vcpu *vcpu, uint64_t addr, const void *buf, size_t len);
/* NULL: all. */
Json *system_describe_options(const char *name, Error **errp);
/* Starts the gdb stub on a chardev spelling ("tcp::1234"); "none" stops it. */
bool system_start_gdb(const char *device, Error **errp);
/* qtest.c: -qtest CHARDEV; log NULL: to stderr, "none": nowhere. */
bool system_start_qtest(const char *chardev, const char *log, Error **errp);

#endif
