/*
 * machine-none.c: the board with nothing on it, for every architecture: no
 * memory, no devices, at most one vCPU. What management programs start to ask
 * questions.
 */
#include "softmmu/machine.h"

static bool none_init(Machine *machine, Error **errp)
{
    if (machine->kernel) {
        error_set(errp, "machine 'none' cannot boot a kernel");
        return false;
    }
    if (machine->smp.cpus > 1) {
        error_set(errp, "machine 'none' has at most one CPU");
        return false;
    }
    if (machine->cpu_type) {
        error_set(errp, "machine 'none' takes no -cpu");
        return false;
    }
    return true;
}

static const char *const arches[] = { "riscv32", "riscv64", "x86_64", "i386", "aarch64", "arm", NULL };

static const MachineType none_machine = {
    .type = { .name = "none-machine", .parent = "machine", .summary = "empty machine" },
    .name = "none",
    .desc = "empty machine",
    .arches = arches,
    .max_cpus = 1,
    .default_cpus = 1,
    .ram_id = "ram",
    .no_serial = true,
    .no_parallel = true,
    .no_floppy = true,
    .no_cdrom = true,
    .init = none_init,
};
OBJECT_TYPE_REGISTER(none_machine);
