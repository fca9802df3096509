/*
 * x86-common.c: memory, interrupt lines and firmware data that every x86 board has.
 *
 * Interrupts: a GSI line 0 to 15 goes to the 8259s and to the I/O APIC, 16 to 23 to the I/O APIC alone. The 8259s' INT is LINT0 of
 * each local APIC. FERR# of the processors is GSI 13 until port F0h is written (IBM PC AT Technical Reference).
 */
#include <stdio.h>

#include "hw/fw_cfg.h"
#include "hw/i386/e820.h"
#include "hw/i386/pc.h"
#include "hw/i386/pic.h"

const char *const on_off_auto_names[] = { "auto", "on", "off", NULL };

/* -- memory ---------------------------------------------------------------------------------------------------------------- */

bool x86_create_memory(X86Machine *x, uint64_t low_limit, Error **errp)
{
    Machine *m = &x->machine;

    if (m->ram_bytes < 1 * MiB || m->ram_bytes % 4096) {
        error_set(errp, "memory of %" PRIu64 " bytes is not possible: '%s' takes multiples of 4 KiB from 1 MiB up",
                  m->ram_bytes, m->type->name);
        return false;
    }
    x->below_4g_bytes = MIN(m->ram_bytes, low_limit);
    x->above_4g_bytes = m->ram_bytes - x->below_4g_bytes;
    if (x->above_4g_bytes > UINT64_C(0x8000000000) * 8) {
        error_set(errp, "%" PRIu64 " bytes of memory are more than '%s' can address", m->ram_bytes, m->type->name);
        return false;
    }
    if (!machine_create_ram(m, errp)) {
        return false;
    }
    memory_region_init_alias(&x->ram_below, NULL, "ram-below-4g", m->ram, 0, x->below_4g_bytes);
    memory_region_add(&m->system_memory, 0, &x->ram_below);
    if (x->above_4g_bytes) {
        memory_region_init_alias(&x->ram_above, NULL, "ram-above-4g", m->ram, x->below_4g_bytes, x->above_4g_bytes);
        memory_region_add(&m->system_memory, 4 * GiB, &x->ram_above);
    }
    memory_region_init(&x->smram, NULL, "smram", 4 * GiB);
    return true;
}

/* -- interrupts ------------------------------------------------------------------------------------------------------------ */

static void gsi_line(void *opaque, int n, int level)
{
    X86Machine *x = opaque;

    if (x->irqchip->set_gsi) {
        x->irqchip->set_gsi((unsigned)n, level);
        return;
    }
    if (n < ISA_N_IRQS && n != 2 && x->pic) { /* input 2 of the master is the slave's */
        irq_set(x->pic_in[n], level);
    }
    Device *ioapic = n < IOAPIC_PINS ? x->ioapic : x->ioapic2;
    if (ioapic) {
        irq_set(device_irq_in(ioapic, NULL, (unsigned)n % IOAPIC_PINS), level);
    }
}

static void pic_int_line(void *opaque, int n, int level)
{
    x86_cpus_set_lint0(opaque, level != 0);
}

static unsigned pic_ack(void *opaque)
{
    X86Machine *x = opaque;
    return i8259_acknowledge(x->pic);
}

Irq *x86_gsi(X86Machine *x, unsigned n)
{
    return &x->gsi[n];
}

void x86_cpus_ferr(Machine *m, bool level)
{
    X86Machine *x = (X86Machine *)m;

    if (level) { /* stays until port F0h is written */
        irq_raise(x->ferr);
    }
}

static void a20_line(void *opaque, int n, int level)
{
    x86_cpus_set_a20(opaque, level != 0);
}

/* RESET# from the keyboard controller. */
static void reset_line(void *opaque, int n, int level)
{
    if (level) {
        machine_request_reset(SHUTDOWN_CAUSE_GUEST_RESET);
    }
}

bool x86_create_cpus(X86Machine *x, Error **errp)
{
    Machine *m = &x->machine;

    for (int n = 0; n < X86_N_GSI; n++) {
        irq_init(&x->gsi[n], gsi_line, x, n);
    }
    irq_init(&x->pic_int, pic_int_line, m, 0);
    irq_init(&x->a20, a20_line, m, 0);
    irq_init(&x->reset, reset_line, m, 0);
    x->apics = apic_bus_new();
    x->irqchip = x86_irqchip(m);
    if (x->irqchip->send_msi) {
        apic_bus_set_chip(x->apics, x->irqchip);
    }
    memory_region_add_overlap(&m->system_memory, APIC_BASE_ADDR, apic_bus_msi_region(x->apics), 0x1000);
    X86CpusConfig config = { .machine = m, .apics = x->apics, .smram = &x->smram, .pic_ack = pic_ack, .opaque = x };
    return x86_cpus_create(&config, errp);
}

/* Without 8259s the ISA lines go to the I/O APIC alone. */
void x86_connect_isa(X86Machine *x)
{
    Irq *lines[ISA_N_IRQS];

    for (unsigned n = 0; n < ISA_N_IRQS; n++) {
        lines[n] = &x->gsi[n];
    }
    isa_bus_set_irqs(x->isa, lines);
    x->ferr = isa_irq(x->isa, 13);
}

bool x86_create_ioapic2(X86Machine *x, Error **errp)
{
    if (x->irqchip->set_gsi) {
        error_set(errp, "ioapic2=on: the accelerator's interrupt controllers have one I/O APIC (kernel-irqchip=split has two)");
        return false;
    }
    Device *dev = device_new("ioapic", errp);

    if (!dev) {
        return false;
    }
    ioapic_connect(dev, x->apics, IOAPIC_PINS);
    bool ok = device_realize(dev, NULL, errp);
    object_unref(&dev->obj);
    if (ok) {
        sysbus_map(dev, 0, IOAPIC2_ADDR);
        x->ioapic2 = dev;
    }
    return ok;
}

bool x86_create_ioapic(X86Machine *x, Error **errp)
{
    Device *dev = device_new(x->irqchip->ioapic, errp);

    if (!dev) {
        return false;
    }
    ioapic_connect(dev, x->apics, 0);
    if (x->host) {
        object_add_child(&x->host->obj, "ioapic", &dev->obj);
    }
    bool ok = device_realize(dev, NULL, errp);
    object_unref(&dev->obj);
    if (ok) {
        if (!x->irqchip->set_gsi) {
            sysbus_map(dev, 0, IOAPIC_ADDR);
        }
        x->ioapic = dev;
    }
    return ok;
}

bool x86_create_pic(X86Machine *x, Error **errp)
{
    x86_connect_isa(x);
    x->pic = i8259_create(x->isa, x->irqchip->pic, x->irqchip->set_gsi ? NULL : &x->pic_int, x->pic_in, errp);
    return x->pic != NULL;
}

char *x86_vcpu_path(Machine *m, unsigned index)
{
    return object_path(&x86_cpu(m, index)->obj);
}

void x86_print_pic(Machine *m, PrintFn *print, void *opaque)
{
    X86Machine *x = (X86Machine *)m;

    if (x->ioapic) {
        ioapic_print(x->ioapic, print, opaque);
    }
    if (x->pic) {
        i8259_print(x->pic, print, opaque);
    }
    if (x->ioapic2) {
        ioapic_print(x->ioapic2, print, opaque);
    }
}

void x86_print_lapic(Machine *m, unsigned vcpu, PrintFn *print, void *opaque)
{
    apic_print(x86_cpu(m, vcpu)->lapic, print, opaque);
}

/* -- fw_cfg -------------------------------------------------------------------------------------------------------------------- */

bool x86_create_fw_cfg(X86Machine *x, Error **errp)
{
    Device *dev = device_new("fw_cfg_io", errp);

    if (!dev) {
        return false;
    }
    object_add_child(&x->machine.obj, "fw_cfg", &dev->obj);
    bool ok = device_realize(dev, NULL, errp);
    object_unref(&dev->obj);
    if (ok) {
        x->fw_cfg = dev;
    }
    return ok;
}

void x86_fill_fw_cfg(X86Machine *x)
{
    Machine *m = &x->machine;
    uint32_t limit = x86_apic_id(&m->smp, m->smp.max_cpus - 1) + 1;

    fw_cfg_add_u64(x->fw_cfg, FW_CFG_RAM_SIZE, m->ram_bytes);
    fw_cfg_add_u16(x->fw_cfg, FW_CFG_NB_CPUS, (uint16_t)m->smp.cpus);
    fw_cfg_add_u16(x->fw_cfg, FW_CFG_MAX_CPUS, (uint16_t)limit);
    fw_cfg_add_u16(x->fw_cfg, FW_CFG_NOGRAPHIC, !m->graphics);
    fw_cfg_add_u32(x->fw_cfg, FW_CFG_X86_IRQ0_OVERRIDE, 1);
    /* No NUMA nodes: their number, a node for each APIC id, the size of each node. */
    uint8_t *numa = xcalloc(limit + 1, 8);
    fw_cfg_add_bytes(x->fw_cfg, FW_CFG_NUMA, numa, (limit + 1) * 8);
    free(numa);
}
