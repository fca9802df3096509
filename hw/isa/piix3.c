/*
 * piix3.c: "PIIX3", the 82371SB's PCI-to-ISA bridge: ISA bus, routing of the PCI interrupts, reset control at 0xcf9.
 *
 * Specification: Intel 82371FB/82371SB data sheet (290550-002, 1997), 2.2 (function 0), 2.5.5 (reset control). The parts on its ISA
 * bus (8259As, 8254, 8237s …) are devices of their own, made by the board.
 */
#include "hw/i386/pci-host.h"
#include "softmmu/machine.h"

enum { PIRQ_ROUTE = 0x60, ROUTE_OFF = 0x80, N_PIRQS = 4 };
enum { RESET_SYSTEM = 2, RESET_CPU = 4 };

typedef struct Piix3 {
    PciDevice pci;
    IsaBus *isa;
    Irq *irqs[ISA_N_IRQS];
    bool pirq[N_PIRQS];
    uint8_t reset_control;
    MemoryRegion reset_mr;
} Piix3;

/* An ISA interrupt is high while any PIRQ that is routed to it is. */
static void update(Piix3 *s)
{
    uint32_t high = 0;

    for (unsigned n = 0; n < N_PIRQS; n++) {
        uint8_t route = s->pci.config[PIRQ_ROUTE + n];
        if (s->pirq[n] && !(route & ROUTE_OFF)) {
            high |= 1u << (route & 15);
        }
    }
    for (unsigned n = 0; n < ISA_N_IRQS; n++) {
        irq_set(s->irqs[n], high >> n & 1);
    }
}

static void set_pirq(void *opaque, unsigned line, int level)
{
    Piix3 *s = opaque;

    if (line < N_PIRQS) {
        s->pirq[line] = level != 0;
        update(s);
    }
}

/* INTA of slot 1 is PIRQA, of slot 2 PIRQB … */
static unsigned map_pirq(void *opaque, unsigned devfn, unsigned pin)
{
    return ((devfn >> 3) + pin + 3) % N_PIRQS;
}

static MemResult reset_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    *ret = ((Piix3 *)opaque)->reset_control;
    return MEM_OK;
}

static MemResult reset_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    Piix3 *s = opaque;

    if (value & RESET_CPU) {
        machine_request_reset(SHUTDOWN_CAUSE_GUEST_RESET);
    } else {
        s->reset_control = value & RESET_SYSTEM;
    }
    return MEM_OK;
}

static const MemoryOps reset_ops = { .read = reset_read, .write = reset_write, .valid = { 1, 4 }, .impl = { 1, 1 } };

IsaBus *piix3_isa(Device *piix3)
{
    return ((Piix3 *)piix3)->isa;
}

static bool piix3_realize(PciDevice *pci, Error **errp)
{
    Piix3 *s = (Piix3 *)pci;

    s->isa = isa_bus_new(&pci->dev, "isa.0", pci->bus->memory, pci->bus->io);
    for (unsigned n = 0; n < ISA_N_IRQS; n++) {
        s->irqs[n] = isa_irq(s->isa, n);
    }
    pci->bus->set_irq = set_pirq;
    pci->bus->map_irq = map_pirq;
    pci->bus->opaque = s;
    memset(pci->write_mask + 0x4c, 0xff, 4);   /* ISA recovery timer, X-bus chip selects */
    memset(pci->write_mask + PIRQ_ROUTE, 0x8f, N_PIRQS);
    memset(pci->write_mask + 0x69, 0xff, 2);   /* top of memory, miscellaneous status */
    memset(pci->write_mask + 0x70, 0xcf, 2);   /* motherboard device IRQ routes */
    memset(pci->write_mask + 0x76, 0xff, 3);   /* DMA, chip select */
    memset(pci->write_mask + 0x80, 0x7f, 1);   /* APIC base */
    pci->write_mask[0x82] = 1;
    memset(pci->write_mask + 0xa0, 0xff, 0x10); /* SMI control */
    memory_region_init_mmio(&s->reset_mr, &pci->dev.obj, &reset_ops, s, "piix3-reset-control", 1);
    memory_region_add_overlap(pci->bus->io, 0xcf9, &s->reset_mr, 1);
    return true;
}

static void piix3_reset(PciDevice *pci)
{
    Piix3 *s = (Piix3 *)pci;
    uint8_t *c = pci->config;

    stle16(c + PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    stle16(c + PCI_STATUS, 0x0200);
    c[0x4c] = 0x4d;
    c[0x4e] = 0x03;
    memset(c + PIRQ_ROUTE, ROUTE_OFF, N_PIRQS);
    c[0x69] = 0x02;
    c[0x70] = 0x80;
    c[0x76] = c[0x77] = 0x0c;
    c[0x78] = 0x02;
    c[0xa0] = 0x08;
    c[0xa8] = 0x0f;
    s->reset_control = 0;
    update(s);
}

static void piix3_written(PciDevice *pci, unsigned offset, unsigned size)
{
    if (offset < PIRQ_ROUTE + N_PIRQS && offset + size > PIRQ_ROUTE) {
        update((Piix3 *)pci);
    }
}

static bool piix3_post_load(void *opaque, uint32_t version, Error **errp)
{
    update(opaque);
    return true;
}

static const PciType piix3 = {
    .vendor = 0x8086, .device = 0x7000, .class_code = 0x0601, .realize = piix3_realize, .reset = piix3_reset,
    .config_written = piix3_written,
};
static const StateField piix3_fields[] = {
    { .name = "pci", .kind = STATE_STRUCT, .offset = 0, .elem_size = sizeof(PciDevice), .sub = &pci_state },
    STATE_U(Piix3, reset_control),
};
static const StateDesc piix3_state = {
    .name = "PIIX3", .version = 1, .min_version = 1, .fields = piix3_fields, .n_fields = ARRAY_SIZE(piix3_fields),
    .post_load = piix3_post_load,
};
static const DeviceType piix3_type = {
    .type = { .name = "PIIX3", .parent = "pci-device", .summary = "ISA bridge", .size_bytes = sizeof(Piix3),
              .class_data = &piix3 },
    .category = DEVICE_BRIDGE, .state = &piix3_state, .bus = "PCI", .realize = pci_device_realize,
    .unrealize = pci_device_unrealize, .reset_hold = pci_device_reset,
};
DEVICE_TYPE_REGISTER(piix3_type);
