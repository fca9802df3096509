/*
 * mpcore.c: what is around Cortex-A9 and Cortex-A15 processors: see mpcore.h.
 *
 * Private memory regions: Arm DDI 0407I (Cortex-A9 MPCore), 1.5; DDI 0438I (Cortex-A15 MPCore), 8.2.1. Interrupt numbers of the private peripherals: 27 global
 * timer, 29 private timer, 30 watchdog; of a Cortex-A15 as on other boards.
 */
#include <stdio.h>
#include "hw/arm/mpcore.h"

enum {
    A9_SCU = 0x0000, A9_GIC_CPU = 0x0100, A9_GTIMER = 0x0200, A9_TIMER = 0x0600, A9_WATCHDOG = 0x0620, A9_GIC_DIST = 0x1000, A9_GIC_CPU_BYTES = 0x100,
    A9_PPI_GTIMER = 27, A9_PPI_TIMER = 29, A9_PPI_WATCHDOG = 30,
    A15_GIC_DIST = 0x1000, A15_GIC_CPU = 0x2000, A15_GIC_HYP = 0x4000, A15_GIC_VCPU = 0x6000,
    A15_PPI_MAINTENANCE = 25, A15_PPI_HYP = 26, A15_PPI_VIRT = 27, A15_PPI_SECURE = 29, A15_PPI_PHYS = 30,
};

#define NUMBER(name, value) \
    char name[24]; snprintf(name, sizeof(name), "%u", (unsigned)(value))

static Device *create_gic(Machine *m, MpCore *core, const char *revision, unsigned n_irqs, bool virtualization, Error **errp)
{
    NUMBER(cpus, m->smp.cpus);
    NUMBER(irqs, n_irqs);
    const char *props[] = { "num-cpu", cpus, "num-irq", irqs, "revision", revision, "has-virtualization-extensions", virtualization ? "on" : "off", NULL };

    core->n_spis = n_irqs - GIC_FIRST_SPI;
    core->gic = device_create("arm_gic", NULL, props, errp);
    for (unsigned i = 0; core->gic && i < m->smp.cpus; i++) {
        ArmCpu *cpu = arm_cpu(m, i);

        device_connect_irq(core->gic, "irq", i, &cpu->lines[ARM_LINE_IRQ]);
        device_connect_irq(core->gic, "fiq", i, &cpu->lines[ARM_LINE_FIQ]);
        if (virtualization) {
            device_connect_irq(core->gic, "virq", i, &cpu->lines[ARM_LINE_VIRQ]);
            device_connect_irq(core->gic, "vfiq", i, &cpu->lines[ARM_LINE_VFIQ]);
        }
    }
    return core->gic;
}

/* Region `first` for whoever is no processor, the others for each processor but the first. */
static void map_banked(Machine *m, gpa at, MemoryRegion *(*view)(Device *dev, unsigned cpu), Device *dev)
{
    for (unsigned i = 0; i < m->smp.cpus; i++) {
        if (i) {
            arm_cpu_overlay(arm_cpu(m, i), at, view(dev, i));
        } else {
            memory_region_add_overlap(&m->system_memory, at, view(dev, 0), 1);
        }
    }
}

static MemoryRegion *timer_view(Device *dev, unsigned cpu)
{
    return device_mmio(dev, cpu);
}

static MemoryRegion *dist_view(Device *dev, unsigned cpu)
{
    return gicv2_view(dev, cpu, GICV2_DIST);
}

bool a9mpcore_create(Machine *m, MpCore *core, gpa base, unsigned n_irqs, Error **errp)
{
    static const struct { const char *type; uint16_t at; uint8_t ppi; } timers[] = {
        { "arm.cortex-a9-global-timer", A9_GTIMER, A9_PPI_GTIMER }, { "arm_mptimer", A9_TIMER, A9_PPI_TIMER },
        { "arm_mptimer", A9_WATCHDOG, A9_PPI_WATCHDOG },
    };
    NUMBER(cpus, m->smp.cpus);
    const char *const n_cpus[] = { "num-cpu", cpus, NULL };
    Device *scu = device_create("a9-scu", NULL, n_cpus, errp);

    if (!scu || !create_gic(m, core, "1", n_irqs, false, errp)) {
        return false;
    }
    memory_begin();
    sysbus_map(scu, 0, base + A9_SCU);
    map_banked(m, base + A9_GIC_DIST, dist_view, core->gic);
    for (unsigned i = 0; i < m->smp.cpus; i++) { /* its registers end where the timers begin */
        memory_region_init_alias(&core->windows[i], NULL, "gic_cpu[*]", gicv2_view(core->gic, i, GICV2_CPU), 0, A9_GIC_CPU_BYTES);
        if (i) {
            arm_cpu_overlay(arm_cpu(m, i), base + A9_GIC_CPU, &core->windows[i]);
        } else {
            memory_region_add_overlap(&m->system_memory, base + A9_GIC_CPU, &core->windows[0], 1);
        }
    }
    memory_commit();
    for (unsigned t = 0; t < ARRAY_SIZE(timers); t++) {
        Device *dev = device_create(timers[t].type, NULL, n_cpus, errp);

        if (!dev) {
            return false;
        }
        map_banked(m, base + timers[t].at, timer_view, dev);
        for (unsigned i = 0; i < m->smp.cpus; i++) {
            device_connect_irq(dev, "sysbus-irq", i, gic_ppi(core->gic, core->n_spis, i, timers[t].ppi));
        }
    }
    return true;
}

bool a15mpcore_create(Machine *m, MpCore *core, gpa base, unsigned n_irqs, bool virtualization, Error **errp)
{
    static const uint16_t places[GICV2_N_VIEWS] = { A15_GIC_DIST, A15_GIC_CPU, A15_GIC_HYP, A15_GIC_VCPU };
    static const struct { ArmOutput from; uint8_t ppi; } outputs[] = {
        { ARM_OUTPUT_TIMER_PHYS, A15_PPI_PHYS }, { ARM_OUTPUT_TIMER_VIRT, A15_PPI_VIRT }, { ARM_OUTPUT_TIMER_HYP, A15_PPI_HYP },
        { ARM_OUTPUT_TIMER_SECURE, A15_PPI_SECURE },
    };
    unsigned n_windows = 0;

    if (!create_gic(m, core, "2", n_irqs, virtualization, errp)) {
        return false;
    }
    memory_begin();
    for (unsigned view = 0; view < (virtualization ? GICV2_N_VIEWS : GICV2_VIRT_CTRL); view++) {
        uint64_t bytes = view == GICV2_CPU ? 0x2000 : view == GICV2_VIRT_CPU ? 0x2000 : 0x1000;

        for (unsigned i = 0; i < m->smp.cpus; i++) {
            MemoryRegion *mr = gicv2_view(core->gic, i, view);

            if (memory_region_size(mr) > bytes && n_windows < ARRAY_SIZE(core->windows)) {
                memory_region_init_alias(&core->windows[n_windows], NULL, "gic[*]", mr, 0, bytes);
                mr = &core->windows[n_windows++];
            }
            if (i) {
                arm_cpu_overlay(arm_cpu(m, i), base + places[view], mr);
            } else {
                memory_region_add_overlap(&m->system_memory, base + places[view], mr, 1);
            }
        }
    }
    memory_commit();
    for (unsigned i = 0; i < m->smp.cpus; i++) {
        for (unsigned n = 0; n < ARRAY_SIZE(outputs); n++) {
            arm_cpu(m, i)->outputs[outputs[n].from] = gic_ppi(core->gic, core->n_spis, i, outputs[n].ppi);
        }
        device_connect_irq(core->gic, "maintenance", i, gic_ppi(core->gic, core->n_spis, i, A15_PPI_MAINTENANCE));
    }
    return true;
}
