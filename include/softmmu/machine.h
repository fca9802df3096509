/*
 * machine.h: the root of a running system.
 *
 * A MachineType is a board (name, help, limits, defaults, properties of its
 * own, a function that builds it). A Machine is one instance: options as the
 * command line set them, memory, vCPUs, devices, run state. There is one per
 * process, at "/machine" in the object tree; code gets it as a parameter, or,
 * in callbacks without one, from machine_current().
 *
 * Order: machine_new -> options set -> machine_build (devices exist) ->
 * machine_reset -> vm_start. Threads: BQL, except machine_request_*().
 */
#ifndef SOFTMMU_MACHINE_H
#define SOFTMMU_MACHINE_H

#include "hw/device.h"
#include "softmmu/clock.h"
#include "util/print.h"

typedef struct Machine Machine;
typedef struct MachineType MachineType;
struct Vcpu;

/* As query-status names them. */
#define RUN_STATES(STATE)                                                        \
    STATE(DEBUG, "debug") STATE(INMIGRATE, "inmigrate")                          \
    STATE(INTERNAL_ERROR, "internal-error") STATE(IO_ERROR, "io-error")          \
    STATE(PAUSED, "paused") STATE(POSTMIGRATE, "postmigrate")                    \
    STATE(PRELAUNCH, "prelaunch") STATE(FINISH_MIGRATE, "finish-migrate")        \
    STATE(RESTORE_VM, "restore-vm") STATE(RUNNING, "running")                    \
    STATE(SAVE_VM, "save-vm") STATE(SHUTDOWN, "shutdown")                        \
    STATE(SUSPENDED, "suspended") STATE(WATCHDOG, "watchdog")                    \
    STATE(GUEST_PANICKED, "guest-panicked") STATE(COLO, "colo")
typedef enum RunState {
#define RUN_STATE_ENUM(name, text) RUN_STATE_##name,
    RUN_STATES(RUN_STATE_ENUM)
#undef RUN_STATE_ENUM
    RUN_STATE_N
} RunState;
const char *run_state_name(RunState state);

/* As QMP's ShutdownCause names them. */
#define SHUTDOWN_CAUSES(CAUSE)                                                         \
    CAUSE(NONE, "none") CAUSE(HOST_ERROR, "host-error") CAUSE(HOST_QMP_QUIT, "host-qmp-quit") \
    CAUSE(HOST_QMP_SYSTEM_RESET, "host-qmp-system-reset")                              \
    CAUSE(HOST_SIGNAL, "host-signal") CAUSE(HOST_UI, "host-ui")                        \
    CAUSE(GUEST_SHUTDOWN, "guest-shutdown") CAUSE(GUEST_RESET, "guest-reset")          \
    CAUSE(GUEST_PANIC, "guest-panic") CAUSE(SUBSYSTEM_RESET, "subsystem-reset")        \
    CAUSE(SNAPSHOT_LOAD, "snapshot-load")
typedef enum ShutdownCause {
#define SHUTDOWN_CAUSE_ENUM(name, text) SHUTDOWN_CAUSE_##name,
    SHUTDOWN_CAUSES(SHUTDOWN_CAUSE_ENUM)
#undef SHUTDOWN_CAUSE_ENUM
    SHUTDOWN_CAUSE_N
} ShutdownCause;
const char *shutdown_cause_name(ShutdownCause cause);
static inline bool shutdown_cause_by_guest(ShutdownCause cause)
{
    return cause >= SHUTDOWN_CAUSE_GUEST_SHUTDOWN && cause <= SHUTDOWN_CAUSE_GUEST_PANIC;
}

struct MachineType {
    ObjectType type;            /* name "virt-machine", parent "machine" */
    const char *name;           /* as -M takes it */
    const char *alias;
    const char *desc;           /* -M help */
    const char *const *arches;  /* "riscv32", "riscv64", …; NULL-terminated */
    bool is_default;
    const char *default_cpu32, *default_cpu64; /* -cpu names; the same for one-width boards */
    unsigned max_cpus, default_cpus;
    unsigned min_cpus;             /* 0: one */
    uint64_t default_ram_bytes;
    const char *ram_id;         /* name of the RAM block */
    const char *default_block_if;  /* "virtio", "none", … */
    unsigned units_per_bus;        /* of default_block_if; 0: what is usual (ide 2, scsi 7); q35: 1 */
    const char *default_nic;       /* device type for -nic without model */
    bool no_serial, no_parallel, no_floppy, no_cdrom;
    bool (*init)(Machine *machine, Error **errp); /* builds the board */
    /* After every -device is there: finishes tables (device tree), loads images. */
    bool (*ready)(Machine *machine, Error **errp);
    void (*reset)(Machine *machine, ResetKind kind); /* NULL: machine_reset_devices() */
    bool (*hotplug_ok)(Machine *machine, Device *dev, Error **errp);
    char *(*vcpu_path)(Machine *machine, unsigned index); /* in the object tree, malloc'd; NULL: /machine/soc0/harts[N] */
    /* "info pic", "info lapic" of a vCPU, "nmi"; NULL: the board has no such thing. */
    void (*print_pic)(Machine *machine, PrintFn *print, void *opaque);
    void (*print_lapic)(Machine *machine, unsigned vcpu, PrintFn *print, void *opaque);
    void (*inject_nmi)(Machine *machine);
    bool creates_nic;              /* one of default_nic when no option speaks of the network */
    bool has_vga;                  /* takes -vga */
    bool has_numa;                 /* tells its guest of nodes (-numa) */
    const char *usb_controller, *usb_addr; /* device type and PCI address of what -usb makes; NULL: nothing */
};

enum { MACHINE_MAX_SERIALS = 8, MACHINE_MAX_PARALLELS = 3 };

typedef struct SmpConfig {
    unsigned cpus, max_cpus;
    unsigned drawers, books, sockets, dies, clusters, modules, cores, threads; /* ≥ 1 when resolved */
} SmpConfig;

struct Chardev;

/* -boot, besides order= */
typedef struct BootOptions {
    char *once;               /* the order for the first boot only; NULL */
    bool menu, strict;
    char *splash;             /* a picture; NULL */
    int64_t splash_time_ms;   /* -1: not given */
    int64_t reboot_timeout_ms;/* -1: firmware does not try again */
    bool honoured;            /* the board gives them to its firmware (hw/boot.h) */
} BootOptions;

struct Machine {
    Object obj;
    const MachineType *type;
    const char *arch;              /* "riscv64" */
    /* Options. Strings are owned. */
    char *cpu_type;                /* -cpu text including properties; NULL: default */
    uint64_t ram_bytes, max_ram_bytes;
    unsigned ram_slots;
    char *memory_backend;          /* id of a memory backend object; NULL */
    SmpConfig smp;
    struct NumaConfig *numa;       /* NULL: no nodes (softmmu/numa.h) */
    char *kernel, *initrd, *append, *dtb, *firmware, *dumpdtb, *boot_order;
    char *shim;
    BootOptions boot;
    char uuid[37];                 /* -uuid; empty: none */
    char *dt_compatible;
    char *vga;                     /* -vga; NULL: the board's usual one */
    bool dump_guest_core, mem_merge, usb, graphics, suppress_vmdesc;
    bool no_reboot_action_shutdown; /* -no-reboot / -action reboot=shutdown */
    bool no_shutdown;               /* -no-shutdown / -action shutdown=pause */
    const struct AccelOps *accel;   /* what runs the vCPUs; NULL in tests */
    bool no_smm;                    /* the accelerator cannot enter system management mode */
    /* Parts. */
    MemoryRegion system_memory, system_io;
    AddressSpace memory, io;
    MemoryRegion *ram;
    Bus sysbus;
    struct Vcpu **vcpus;
    unsigned n_vcpus;
    void *fdt;                      /* malloc'd by the board */
    uint64_t fdt_bytes;
    struct Chardev *serials[MACHINE_MAX_SERIALS]; /* -serial, in order; NULL: none */
    struct Chardev *parallels[MACHINE_MAX_PARALLELS];
    /* Run state. */
    RunState state;
    bool built, running;
    bool no_autostart;              /* -S */
    int exit_status;
};

Machine *machine_current(void);
const MachineType *machine_type_find(const char *name_or_alias, const char *arch);
const MachineType *machine_type_default(const char *arch);
/* In the order of -M help. */
void machine_type_foreach(const char *arch, void (*fn)(const MachineType *type, void *opaque),
                          void *opaque);

/* -M help, and -M NAME,help. */
void machine_print_types(const char *arch, PrintFn *print, void *opaque);
void machine_print_help(const MachineType *type, PrintFn *print, void *opaque);

/* Makes /machine. Set options through the fields or object_property_parse(). */
Machine *machine_new(const MachineType *type, const char *arch);
/* Fills in what the user left open; checks against the board's limits.
 * `smp` may have zeros. */
NODISCARD bool machine_set_smp(Machine *machine, const SmpConfig *smp, Error **errp);
/* For boards: machine->ram of ram_bytes, from the memory backend if one is named. */
NODISCARD bool machine_create_ram(Machine *machine, Error **errp);
/* Memory, board, then (after the caller added -device devices) machine_ready(). */
NODISCARD bool machine_build(Machine *machine, Error **errp);
NODISCARD bool machine_ready(Machine *machine, Error **errp);
void machine_reset(Machine *machine, ResetKind kind);
/* Every device on every bus, then vCPUs, in three phases. */
void machine_reset_devices(Machine *machine, ResetKind kind);
/* Called at each reset for things that are not devices (ROM contents, vCPUs). */
void machine_add_reset(void (*fn)(void *opaque), void *opaque);
void machine_remove_reset(void (*fn)(void *opaque), void *opaque);
/* vcpus[index] starts at pc after each reset, wherever its architecture would. */
void machine_set_start(Machine *machine, unsigned index, uint64_t pc);
/* Bytes to be copied to guest memory at each reset (kept, freed by the machine). */
void machine_add_rom(Machine *machine, const char *name, gpa addr, void *data, uint64_t len,
                     uint64_t mem_len);
/* For machine_print_roms() alone: an image that has memory of its own, or is the file "dir/name" of fw_cfg. */
#define MACHINE_ROM_OF_FW_CFG UINT64_MAX
void machine_note_rom(Machine *machine, const char *name, gpa addr, uint64_t len);
/* Forgets what was added under this name: its data is about to go. */
void machine_drop_roms(Machine *machine, const char *name);

/* Of the RAM that images given to machine_add_rom() lie in, the largest stretch [*ret_start, *ret_end) without any; false: there is none. BQL. */
bool machine_unused_ram(Machine *machine, gpa *ret_start, gpa *ret_end);
/* "info roms" */
void machine_print_roms(PrintFn *print, void *opaque);

/* --- Run state --- */
/* Starts or continues / stops vCPUs and the virtual clock. */
void vm_start(Machine *machine);
void vm_stop(Machine *machine, RunState state);
bool run_state_is(RunState state);
void run_state_set(Machine *machine, RunState state);
typedef void VmChangeFn(void *opaque, bool running, RunState state);
void vm_add_change_handler(VmChangeFn *fn, void *opaque);
void vm_remove_change_handler(VmChangeFn *fn, void *opaque);
/* Stops and starts the vCPU threads: set by the accelerator before vm_start(). */
typedef struct VcpuControl {
    void (*pause_all)(void);
    void (*resume_all)(void);
    void (*reset_all)(void);
    /* Gives a vCPU its thread, stopped; machine_ready() calls it for each. */
    bool (*start)(struct Vcpu *vcpu, Error **errp);
} VcpuControl;
void machine_set_vcpu_control(const VcpuControl *control);

/* Requests: from any thread (vCPUs, signal-safe for shutdown); the main loop
 * carries them out soon in machine_process_requests(), which a source in the default
 * GMainContext calls, with the BQL. */
void machine_request_reset(ShutdownCause cause);
void machine_request_shutdown(ShutdownCause cause);
void machine_request_shutdown_with(ShutdownCause cause, int exit_status);
void machine_request_powerdown(void);
void machine_request_stop(RunState state);
/* What follows is -action's business. */
void machine_request_watchdog(void);
void machine_request_panic(bool crash_loaded);
void machine_process_requests(Machine *machine);
/*
 * Suspend to RAM: vCPUs stand still, devices and clocks go on (state "suspended"), until something that is enabled wakes
 * the machine, which is a reset with RESET_WAKEUP. Memory stays. request_suspend() from any thread, the others BQL.
 */
typedef enum WakeupReason { WAKEUP_OTHER, WAKEUP_RTC, WAKEUP_PM_TIMER, WAKEUP_POWER_BUTTON } WakeupReason;
void machine_request_suspend(void);
/* To disk: the guest has written its memory out, what is left is to power off. */
void machine_request_suspend_disk(void);
/* Fails when the machine is not suspended. A reason that is not enabled is ignored. */
NODISCARD bool machine_request_wakeup(WakeupReason reason, Error **errp);
/* OTHER (the monitor) is always enabled. */
void machine_enable_wakeup(WakeupReason reason, bool on);
bool machine_wakeup_enabled(WakeupReason reason);
/* Called when it falls asleep, and after the reset of waking up. */
void machine_add_suspend(void (*fn)(void *opaque), void *opaque);
void machine_add_wakeup(void (*fn)(void *opaque, WakeupReason reason), void *opaque);
/* A board that can be suspended says so, for query-current-machine and system_wakeup. */
void machine_set_can_suspend(bool can);
bool machine_can_suspend(void);

/* Set by the main loop: leave, with this status. */
void machine_set_quit_hook(void (*quit)(int status));
/* Power button: boards register what happens. */
void machine_add_powerdown(void (*fn)(void *opaque), void *opaque);

/* For the monitor's events; any may be NULL. */
typedef struct MachineEvents {
    void (*reset)(bool by_guest, ShutdownCause cause);
    void (*shutdown)(bool by_guest, ShutdownCause cause);
    void (*powerdown)(void);
    void (*suspend)(void);
    void (*suspend_disk)(void);
    void (*wakeup)(void);
    void (*stop)(void);
    void (*resume)(void);
    /* A watchdog fired; the guest told that it panicked, or that its crash kernel takes over. They carry out -action. */
    void (*watchdog)(void);
    void (*panicked)(bool crash_loaded);
} MachineEvents;
void machine_set_events(const MachineEvents *events);

#endif
