/*
 * raspi.c: Raspberry Pi boards: processors, memory, how kernels start.
 *
 * The GPU's firmware is not run: the board starts as firmware leaves it, with a kernel from -kernel (and -dtb), or with what -bios names at
 * 0x80000. The upper 64 MiB of memory are the GPU's. On BCM2837 boards the processors start at EL2, all but the first in a loop that waits for an
 * address at 0xd8 and what follows, as the firmware's armstub8 does and device trees ("spin-table") say. On BCM2836 boards they wait for one in mailbox 3
 * of their own.
 *
 * The system on the chip is bcm283x.c, which says what is left out.
 */
#include "hw/arm/raspi.h"
#include "hw/arm/smpboot32.h"
#include "softmmu/datadir.h"

enum { SPIN_TABLE = 0xd8, VCRAM_BYTES = 64 * MiB, SMP_BOOT = 0x40 };
#define MAILBOX3_OF_CORE0 0x400000ccu /* QA7, 4.8: read and clear */

const RaspiModel *raspi_model(const RaspiMachine *r)
{
    return r->arm.machine.type->type.class_data;
}

static bool raspi_init(Machine *m, Error **errp)
{
    RaspiMachine *r = (RaspiMachine *)m;
    const RaspiModel *model = raspi_model(r);

    if (m->ram_bytes != model->ram_bytes) {
        error_set(errp, "Invalid RAM size, should be %" PRIu64 " %s", model->ram_bytes >= GiB ? model->ram_bytes / GiB : model->ram_bytes / MiB,
                  model->ram_bytes >= GiB ? "GiB" : "MiB");
        return false;
    }
    if (!machine_create_ram(m, errp)) {
        return false;
    }
    memory_region_add(&m->system_memory, 0, m->ram);
    r->cpus = (ArmCpusConfig){ .machine = m, .has_el2 = model->has_el2, .cluster_cpus = m->smp.cpus, .affinity = model->affinity };
    return arm_cpus_create(&r->cpus, errp) && raspi_create_soc(r, errp);
}

static bool load_firmware(RaspiMachine *r, Error **errp)
{
    Machine *m = raspi_m(r);
    char *path = datadir_find(m->firmware);
    Image image;
    bool ok = false;

    if (!path) {
        error_set(errp, "Could not find ROM image '%s'", m->firmware);
    } else if (image_open_raw(&image, "firmware", path, errp)) {
        ok = image_load_raw(m, &image, "firmware", path, raspi_model(r)->firmware, errp);
    }
    free(path);
    return ok;
}

static bool raspi_ready(Machine *m, Error **errp)
{
    RaspiMachine *r = (RaspiMachine *)m;
    uint64_t usable = m->ram_bytes - VCRAM_BYTES;

    r->boot = (ArmBoot){ .ram_bytes = usable, .spin_table = SPIN_TABLE, .board_id = raspi_model(r)->machine_number };
    if (m->firmware && strcmp(m->firmware, "none")) {
        if (m->kernel) {
            error_set(errp, "-bios and -kernel cannot be used together: the firmware would load the kernel");
            return false;
        }
        r->boot.firmware_entry = raspi_model(r)->firmware;
        if (!load_firmware(r, errp)) {
            return false;
        }
    }
    if (!arm_load_images(m, &r->boot, errp) || !arm_take_dtb(m, &r->boot, usable, errp) ||
        !arm_place_boot(m, &r->boot, PSCI_CONDUIT_NONE, raspi_model(r)->has_el2 ? 2 : 1, errp)) {
        return false;
    }
    if (r->boot.is_linux && arm_boot_is32(m)) {
        arm_smpboot32(m, SMP_BOOT, &(ArmSmpBoot){ .reg = MAILBOX3_OF_CORE0 });
    }
    return true;
}

static const ObjectType raspi_base_type = { .name = "raspi-machine", .parent = "machine", .size_bytes = sizeof(RaspiMachine), .abstract = true };
OBJECT_TYPE_REGISTER(raspi_base_type);

static const char *const arches64[] = { "aarch64", NULL }, *const arches32[] = { "arm", "aarch64", NULL };

#define RASPI(id, machine_name, text, cpus, cpu, where, ...)                                                                            \
    static const RaspiModel model_##id = { __VA_ARGS__ };                                                                               \
    static const MachineType raspi_##id = {                                                                                             \
        .type = { .name = machine_name "-machine", .parent = "raspi-machine", .summary = text, .size_bytes = sizeof(RaspiMachine),       \
                  .class_data = &model_##id },                                                                                          \
        .name = machine_name, .desc = text, .arches = where, .min_cpus = cpus, .max_cpus = cpus, .default_cpus = cpus,                   \
        .default_cpu32 = cpu, .default_cpu64 = cpu, .default_ram_bytes = 1 * GiB, .ram_id = "ram", .default_block_if = "sd",              \
        .no_floppy = true, .no_cdrom = true, .no_parallel = true, .init = raspi_init, .ready = raspi_ready, .reset = arm_machine_reset,   \
        .vcpu_path = arm_vcpu_path,                                                                                                     \
    };                                                                                                                                  \
    OBJECT_TYPE_REGISTER(raspi_##id)

RASPI(3b, "raspi3b", "Raspberry Pi 3B (revision 1.2)", 4, "cortex-a53", arches64, .board_rev = 0xa02082, .peripherals = 0x3f000000,
      .ram_bytes = 1 * GiB, .firmware = 0x80000, .has_el2 = true);
RASPI(2b, "raspi2b", "Raspberry Pi 2B (revision 1.1)", 4, "cortex-a7", arches32, .board_rev = 0xa21041, .peripherals = 0x3f000000, .ram_bytes = 1 * GiB,
      .firmware = 0x8000, .affinity = 0xf00, .machine_number = 0xc43);
