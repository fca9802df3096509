/*
 * virt-gic.c: the `virt` board's interrupt controller and how processors are wired to it.
 */
#include <stdio.h>
#include "hw/arm/virt.h"

#define NUMBER(name, value) \
    char name[24]; snprintf(name, sizeof(name), "%" PRIu64, (uint64_t)(value))
#define FLAG(on) ((on) ? "on" : "off")

/* A kernel that no firmware of the secure world precedes. */
static bool kernel_alone(const VirtMachine *v)
{
    return v->secure && v->arm.machine.kernel && !v->firmware_loaded;
}

static bool create_v2m(VirtMachine *v, Error **errp)
{
    NUMBER(base, VIRT_SPI_V2M + GIC_FIRST_SPI);
    NUMBER(n, VIRT_N_V2M);
    const char *props[] = { "base-spi", base, "num-spi", n, NULL };
    Device *dev = device_create("arm-gicv2m", NULL, props, errp);

    for (unsigned i = 0; dev && i < VIRT_N_V2M; i++) {
        device_connect_irq(dev, "sysbus-irq", i, gic_spi(v->gic_dev, VIRT_SPI_V2M + i));
    }
    if (dev) {
        sysbus_map(dev, 0, arm_virt_place(v, VIRT_GIC_V2M).base);
    }
    return dev != NULL;
}

static bool create_v2(VirtMachine *v, Error **errp)
{
    static const VirtPart places[GICV2_N_VIEWS] = { VIRT_GIC_DIST, VIRT_GIC_CPU, VIRT_GIC_HYP, VIRT_GIC_VCPU };
    Machine *m = arm_virt_m(v);
    unsigned n_views = v->virtualization ? GICV2_N_VIEWS : GICV2_VIRT_CTRL;
    NUMBER(cpus, m->smp.cpus);
    NUMBER(irqs, VIRT_N_SPIS + GIC_FIRST_SPI);
    const char *props[] = { "num-cpu", cpus, "num-irq", irqs, "has-security-extensions", FLAG(v->secure), "irq-reset-nonsecure", FLAG(kernel_alone(v)),
                            "has-virtualization-extensions", FLAG(v->virtualization), NULL };

    v->gic_dev = device_create("arm_gic", NULL, props, errp);
    if (!v->gic_dev) {
        return false;
    }
    memory_begin();
    for (unsigned view = 0; view < n_views; view++) {
        gpa base = arm_virt_place(v, places[view]).base;

        sysbus_map(v->gic_dev, view, base); /* for who is none of the processors: as the first */
        for (unsigned i = 1; i < m->smp.cpus; i++) {
            arm_cpu_overlay(arm_cpu(m, i), base, gicv2_view(v->gic_dev, i, view));
        }
    }
    memory_commit();
    return true;
}

/* Redistributors lie one after the other, in two regions where there are many. */
static void place_redists(VirtMachine *v)
{
    static const VirtPart parts[2] = { VIRT_GIC_REDIST, VIRT_REDIST2 };
    Machine *m = arm_virt_m(v);

    for (unsigned i = 0; i < m->smp.cpus; i++) {
        bool second = i >= v->n_redists[0];
        unsigned n = second ? i - v->n_redists[0] : i;

        gicv3_set_place(v->gic_dev, i, arm_cpu_affinity(&v->cpus, i), i + 1 == v->n_redists[0] || i + 1 == m->smp.cpus);
        memory_region_add(&m->system_memory, arm_virt_place(v, parts[second]).base + (uint64_t)n * arm_virt_redist_bytes(v),
                          gicv3_redist(v->gic_dev, i));
    }
}

static bool create_v3(VirtMachine *v, Error **errp)
{
    Machine *m = arm_virt_m(v);
    NUMBER(cpus, m->smp.cpus);
    NUMBER(irqs, VIRT_N_SPIS + GIC_FIRST_SPI);
    const char *props[] = { "num-cpu", cpus, "num-irq", irqs, "has-security-extensions", FLAG(v->secure), "irq-reset-nonsecure",
                            FLAG(kernel_alone(v)), "has-lpi", FLAG(v->have_its || v->gic_version == 4), "revision", v->gic_version == 4 ? "4" : "3", NULL };

    v->gic_dev = device_create("arm-gicv3", NULL, props, errp);
    if (!v->gic_dev) {
        return false;
    }
    memory_begin();
    sysbus_map(v->gic_dev, 0, arm_virt_place(v, VIRT_GIC_DIST).base);
    place_redists(v);
    memory_commit();
    return true;
}

static bool create_its(VirtMachine *v, Error **errp)
{
    Device *dev = device_create("arm-gicv3-its", NULL, NULL, errp);

    if (dev) {
        gicv3_its_connect(dev, v->gic_dev);
        sysbus_map(dev, 0, arm_virt_place(v, VIRT_GIC_ITS).base);
    }
    return dev != NULL;
}

static void wire_cpus(VirtMachine *v)
{
    static const char *const lines[ARM_N_LINES] = { "irq", "fiq", "virq", "vfiq" };
    static const unsigned ppis[ARM_N_OUTPUTS] = {
        [ARM_OUTPUT_TIMER_PHYS] = VIRT_PPI_TIMER_PHYS, [ARM_OUTPUT_TIMER_VIRT] = VIRT_PPI_TIMER_VIRT,
        [ARM_OUTPUT_TIMER_HYP] = VIRT_PPI_TIMER_HYP, [ARM_OUTPUT_TIMER_SECURE] = VIRT_PPI_TIMER_SECURE,
        [ARM_OUTPUT_TIMER_HYP_VIRT] = VIRT_PPI_TIMER_HYP_VIRT, [ARM_OUTPUT_PMU] = VIRT_PPI_PMU,
    };
    Machine *m = arm_virt_m(v);

    for (unsigned i = 0; i < m->smp.cpus; i++) {
        ArmCpu *cpu = arm_cpu(m, i);

        for (unsigned n = 0; n < ARM_N_LINES; n++) {
            device_connect_irq(v->gic_dev, lines[n], i, &cpu->lines[n]);
        }
        for (unsigned n = 0; n < ARM_N_OUTPUTS; n++) {
            cpu->outputs[n] = gic_ppi(v->gic_dev, VIRT_N_SPIS, i, ppis[n]);
        }
        device_connect_irq(v->gic_dev, "maintenance", i, gic_ppi(v->gic_dev, VIRT_N_SPIS, i, VIRT_PPI_MAINTENANCE));
    }
}

bool arm_virt_create_gic(VirtMachine *v, Error **errp)
{
    if (!(v->gic_version == 2 ? create_v2(v, errp) : create_v3(v, errp))) {
        return false;
    }
    wire_cpus(v);
    return (!v->have_v2m || create_v2m(v, errp)) && (!v->have_its || create_its(v, errp));
}
