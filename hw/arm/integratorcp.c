/*
 * integratorcp.c: Integrator/CP with an ARM926EJ-S core module.
 *
 * Arm DUI 0159B: memory map 4.1, interrupts 4.8. Memory is at 0 and at 0x80000000.
 *
 * Left out: flash, Ethernet (SMC91C111), AACI, touch screen, LEDs and switches (read as 0), the secondary interrupt controller's sources.
 */
#include "hw/arm/board.h"

enum { BOARD_ID = 0x113, N_UARTS = 2, IRQ_UART0 = 1, IRQ_TIMER0 = 5, IRQ_CLCD = 22, IRQ_MMCI = 23, SECONDARY = 26, SECONDARY_CARD = 3 };
#define RAM_ALIAS 0x80000000u
#define RAM_MAX_BYTES (256 * MiB)
#define PIC 0x14000000u
#define SECONDARY_PIC 0xca000000u
#define CONTROL 0xcb000000u

static const struct { const char *type; uint32_t base; int8_t irq; } devices[] = {
    { "pl050_keyboard", 0x18000000, 3 }, { "pl050_mouse", 0x19000000, 4 }, { "pl031", 0x15000000, 8 }, { "pl110", 0xc0000000, IRQ_CLCD },
};

typedef struct IntegratorMachine {
    ArmMachine arm;
    ArmCpusConfig cpus;
    MemoryRegion alias;
    Device *pic, *secondary;
    ArmBoot boot;
} IntegratorMachine;

static Irq *pic_irq(IntegratorMachine *s, unsigned n) { return device_irq_in(s->pic, NULL, n); }

static bool add_interrupts(IntegratorMachine *s, Error **errp)
{
    ArmCpu *cpu = arm_cpu(&s->arm.machine, 0);

    s->pic = arm_place("integrator_pic", NULL, PIC, &cpu->lines[ARM_LINE_IRQ], errp);
    s->secondary = s->pic ? arm_place("integrator_pic", NULL, SECONDARY_PIC, pic_irq(s, SECONDARY), errp) : NULL;
    if (!s->secondary) {
        return false;
    }
    device_connect_irq(s->pic, "sysbus-irq", 1, &cpu->lines[ARM_LINE_FIQ]);
    return true;
}

static bool add_devices(IntegratorMachine *s, Error **errp)
{
    Machine *m = &s->arm.machine;
    Device *control = arm_place("icp-ctrl-regs", NULL, CONTROL, device_irq_in(s->secondary, NULL, SECONDARY_CARD), errp);
    Device *pit = control && arm_place("integrator_core", NULL, 0x10000000, NULL, errp) ? arm_place("integrator_pit", NULL, 0x13000000, NULL, errp) : NULL;

    if (!pit) {
        return false;
    }
    for (unsigned n = 0; n < 3; n++) {
        device_connect_irq(pit, "sysbus-irq", n, pic_irq(s, IRQ_TIMER0 + n));
    }
    for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
        if (!arm_place(devices[i].type, NULL, devices[i].base, pic_irq(s, (unsigned)devices[i].irq), errp)) {
            return false;
        }
    }
    for (unsigned n = 0; n < N_UARTS; n++) {
        if (!arm_place_uart(m, n, 0x16000000 + 0x01000000 * n, pic_irq(s, IRQ_UART0 + n), errp)) {
            return false;
        }
    }
    return arm_place_mmci(0x1c000000, pic_irq(s, IRQ_MMCI), pic_irq(s, IRQ_MMCI + 1), control, errp);
}

static bool integrator_init(Machine *m, Error **errp)
{
    IntegratorMachine *s = (IntegratorMachine *)m;

    if (m->ram_bytes > RAM_MAX_BYTES) {
        error_set(errp, "integratorcp: cannot model more than 256 MiB RAM");
        return false;
    }
    if (!machine_create_ram(m, errp)) {
        return false;
    }
    memory_region_add(&m->system_memory, 0, m->ram);
    memory_region_init_alias(&s->alias, NULL, "ram.alias", m->ram, 0, m->ram_bytes);
    memory_region_add(&m->system_memory, RAM_ALIAS, &s->alias);
    s->cpus = (ArmCpusConfig){ .machine = m, .cluster_cpus = 1 };
    return arm_cpus_create(&s->cpus, errp) && add_interrupts(s, errp) && add_devices(s, errp);
}

static bool integrator_ready(Machine *m, Error **errp)
{
    IntegratorMachine *s = (IntegratorMachine *)m;

    s->boot = (ArmBoot){ .ram_bytes = m->ram_bytes, .board_id = BOARD_ID };
    return arm_boot_kernel(m, &s->boot, ": there is no flash", errp);
}

static const char *const arches[] = { "arm", "aarch64", NULL };

static const MachineType integrator_machine = {
    .type = { .name = "integratorcp-machine", .parent = "machine", .summary = "ARM Integrator/CP (ARM926EJ-S)", .size_bytes = sizeof(IntegratorMachine) },
    .name = "integratorcp", .desc = "ARM Integrator/CP (ARM926EJ-S)", .arches = arches, .max_cpus = 1, .default_cpus = 1, .default_cpu32 = "arm926",
    .default_cpu64 = "arm926", .default_ram_bytes = 128 * MiB, .ram_id = "integrator.ram", .default_block_if = "sd", .no_floppy = true, .no_cdrom = true,
    .no_parallel = true, .init = integrator_init, .ready = integrator_ready, .reset = arm_machine_reset, .vcpu_path = arm_vcpu_path,
};
OBJECT_TYPE_REGISTER(integrator_machine);
