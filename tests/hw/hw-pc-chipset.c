/*
 * hw-pc-chipset.c: host bridge and south bridge of the PC boards: configuration ports, shadow memory, SMRAM, routing of PCI interrupts,
 * reset control.
 */
#include "tests/hw/hw-pc.h"
#include "tests/test.h"

static uint64_t smm_rd(gpa addr)
{
    uint64_t value = 0;

    memory_load(&x86_cpu(&pc->machine, 0)->smm, addr, 4, MEM_LITTLE_ENDIAN, &value, MEM_ATTRS_NONE);
    return value;
}

static void smm_wr(gpa addr, uint32_t value)
{
    memory_store(&x86_cpu(&pc->machine, 0)->smm, addr, 4, MEM_LITTLE_ENDIAN, value, MEM_ATTRS_NONE);
}

static void test_config(bool q35)
{
    reset();
    CHECK_EQ(config_rd(0, 0, 4), q35 ? 0x29c08086 : 0x12378086);
    CHECK_EQ(config_rd(0, 2, 2), q35 ? 0x29c0 : 0x1237);
    CHECK_EQ(config_rd(0, 8, 4) >> 8, 0x060000);
    CHECK_EQ(config_rd(q35 ? 0xf8 : 0x08, 0, 4), q35 ? 0x29188086 : 0x70008086);
    CHECK_EQ(config_rd(0xf0, 0, 4), UINT32_MAX); /* nobody */
    out(0xcf8, 4, 0x80001234);
    CHECK_EQ(in(0xcf8, 4), 0x80001234);
    out(0xcf8, 1, 0x55);                       /* no selection: an access of a byte */
    CHECK_EQ(in(0xcf8, 4), 0x80001234);
    out(0xcf8, 4, 0x00000000);
    CHECK_EQ(in(0xcfc, 4), UINT32_MAX);        /* not enabled */
}

static void test_pam(bool q35)
{
    unsigned pam = q35 ? 0x90 : 0x59;

    reset();
    uint64_t rom = rd(0, 0xffff0, 4);
    CHECK_EQ(rom, rd(0, 0xfffffff0, 4));       /* the firmware, twice */
    wr(0, 0xffff0, 4, ~rom & UINT32_MAX);
    CHECK_EQ(rd(0, 0xffff0, 4), rom);          /* ROM */
    config_wr(0, pam, 1, 0x30);                /* memory, read and write */
    wr(0, 0xffff0, 4, 0x12345678);
    CHECK_EQ(rd(0, 0xffff0, 4), 0x12345678);
    config_wr(0, pam, 1, 0x10);                /* read only */
    wr(0, 0xffff0, 4, 0);
    CHECK_EQ(rd(0, 0xffff0, 4), 0x12345678);
    config_wr(0, pam, 1, 0);
    CHECK_EQ(rd(0, 0xffff0, 4), rom);
    /* The stretches of 16 KiB, low and high half of a register. */
    config_wr(0, pam + 1, 1, 0x03);
    wr(0, 0xc3ffc, 4, 0x11111111);
    wr(0, 0xc4000, 4, 0x22222222);
    CHECK_EQ(rd(0, 0xc3ffc, 4), 0x11111111);
    CHECK_EQ(rd(0, 0xc4000, 4), 0);
    config_wr(0, pam + 1, 1, 0x30);
    wr(0, 0xc4000, 4, 0x33333333);
    CHECK_EQ(rd(0, 0xc4000, 4), 0x33333333);
    config_wr(0, pam + 6, 1, 0x30);
    wr(0, 0xefffc, 4, 0x44444444);
    CHECK_EQ(rd(0, 0xefffc, 4), 0x44444444);
    reset();
    CHECK_EQ(rd(0, 0xffff0, 4), rom);
}

static void test_smram(bool q35)
{
    unsigned smram = q35 ? 0x9d : 0x72;

    reset();
    CHECK_EQ(config_rd(0, smram, 1), 0x02);
    config_wr(0, smram, 1, 0x4a);              /* open */
    wr(0, 0xa0000, 4, 0xabcdef01);
    CHECK_EQ(rd(0, 0xa0000, 4), 0xabcdef01);
    CHECK_EQ(smm_rd(0xa0000), 0xabcdef01);
    config_wr(0, smram, 1, 0x0a);              /* closed: only in SMM */
    CHECK(rd(0, 0xa0000, 4) != 0xabcdef01);
    CHECK_EQ(smm_rd(0xa0000), 0xabcdef01);
    smm_wr(0xa0004, 0x5555);
    CHECK_EQ(smm_rd(0xa0004), 0x5555);
    CHECK_EQ(smm_rd(0xffff0), rd(0, 0xffff0, 4)); /* the rest is as ever */
    config_wr(0, smram, 1, 0x1a);              /* locked: cannot be opened any more */
    config_wr(0, smram, 1, 0x4a);
    CHECK_EQ(config_rd(0, smram, 1), 0x1a);
    reset();
    CHECK_EQ(config_rd(0, smram, 1), 0x02);
}

static void test_q35_memory(void)
{
    uint64_t top = pc->below_4g_bytes;

    reset();
    /* ECAM at 0xb0000000: 256 MiB. */
    config_wr(0, 0x64, 4, 0);
    config_wr(0, 0x60, 4, 0xb0000001);
    CHECK_EQ(rd(0, 0xb0000000, 4), 0x29c08086);
    CHECK_EQ(rd(0, 0xb00f8000, 4), 0x29188086);
    wr(0, 0xb0000060, 4, 0);
    CHECK_EQ(config_rd(0, 0x60, 1), 0);
    /* TSEG of 8 MiB at the top of memory. */
    wr(0, top - 0x100, 4, 0x1234);
    config_wr(0, 0x9d, 1, 0x0a);
    config_wr(0, 0x9e, 1, 0x05);
    CHECK_EQ(rd(0, top - 0x100, 4), UINT32_MAX);
    wr(0, top - 0x100, 4, 0);
    CHECK_EQ(smm_rd(top - 0x100), 0x1234);
    CHECK_EQ(rd(0, top - 8 * MiB - 4, 4), 0);
    /* The size that is asked for by ones. */
    config_wr(0, 0x50, 2, 0xffff);
    CHECK_EQ(config_rd(0, 0x50, 2), 16);
    config_wr(0, 0x9c, 1, 0xff);
    CHECK_EQ(config_rd(0, 0x9c, 1), 1);
    config_wr(0, 0x9c, 1, 2);
    smm_wr(0x38000, 0x77);
    CHECK_EQ(rd(0, 0x38000, 4), UINT32_MAX);
    CHECK_EQ(smm_rd(0x38000), 0x77);
    reset();
    CHECK_EQ(rd(0, 0x38000, 4), 0x77);
    /* Firmware keeps the start of TSEG and the top of memory in registers; the lock is for some of them. */
    config_wr(0, 0xac, 4, 0x0f012345);
    config_wr(0, 0xb0, 2, 0x1001);
    config_wr(0, 0xa8, 4, 0x0f000000);
    CHECK_EQ(config_rd(0, 0xac, 4), 0x0f000000);
    CHECK_EQ(config_rd(0, 0xb0, 2), 0x1000);
    CHECK_EQ(config_rd(0, 0xa8, 4), 0x0f000000);
    config_wr(0, 0x9d, 1, 0x1a);
    config_wr(0, 0xac, 4, 0);
    config_wr(0, 0xb0, 2, 0);
    CHECK_EQ(config_rd(0, 0xac, 4), 0x0f000000);
    CHECK_EQ(config_rd(0, 0xb0, 2), 0x1000);
    reset();
    CHECK_EQ(config_rd(0, 0xac, 4), 0);
    config_wr(0, 0xac, 4, 0x0f000000);
    CHECK_EQ(config_rd(0, 0xac, 4), 0x0f000000);
    reset();
}

/* Which processors are there: a bitmap, and after the first write one at a time. */
static void test_cpu_status(bool q35)
{
    uint16_t port = q35 ? 0xcd8 : 0xaf00;
    const SmpConfig *smp = &pc->machine.smp;

    reset();
    CHECK_EQ(in(port, 1), (1u << smp->cpus) - 1);
    CHECK_EQ(in(port + 4, 4), 0);
    out(port, 4, 0);
    out(port, 4, 0);
    out(port + 5, 1, 0);
    CHECK_EQ(in(port, 4), 0);
    CHECK_EQ(in(port + 4, 1), 1);
    out(port, 4, smp->cpus - 1);
    CHECK_EQ(in(port + 8, 4), smp->cpus - 1);
    CHECK_EQ(in(port + 4, 1), 1);
    out(port + 5, 1, 3);
    CHECK_EQ(in(port + 8, 4), x86_apic_id(smp, smp->cpus - 1));
    out(port, 4, smp->max_cpus);
    CHECK_EQ(in(port + 4, 1), 0);
    CHECK_EQ(in(port + 8, 4), 0);
    reset();
    CHECK_EQ(in(port, 1), (1u << smp->cpus) - 1);
}

/* SMI_LOCK: GBL_SMI_EN and the lock itself stay until the reset. */
static void test_smi_lock(void)
{
    reset();
    config_wr(0xf8, 0x40, 4, 0x600);
    config_wr(0xf8, 0x44, 1, 0x80);
    out(0x630, 4, 0x21);
    out(0x630, 4, 0x20);
    CHECK_EQ(in(0x630, 4), 0x20);
    out(0x630, 4, 0x21);
    config_wr(0xf8, 0xa0, 2, 0x10);
    out(0x630, 4, 0);
    CHECK_EQ(in(0x630, 4), 1);
    config_wr(0xf8, 0xa0, 2, 0);
    CHECK_EQ(config_rd(0xf8, 0xa0, 2), 0x10);
    reset();
    CHECK_EQ(config_rd(0xf8, 0xa0, 2), 0);
    config_wr(0xf8, 0x40, 4, 0x600);
    config_wr(0xf8, 0x44, 1, 0x80);
    out(0x630, 4, 0x21);
    out(0x630, 4, 0);
    CHECK_EQ(in(0x630, 4), 0);
    reset();
}

/* A function with an interrupt pin of its own: what is there on the board. */
static PciDevice *some_function(unsigned devfn)
{
    return pc->root->devices[devfn];
}

static void test_pirq(bool q35)
{
    unsigned bridge = q35 ? 0xf8 : 0x08, route = 0x60;

    reset();
    wr(0, APIC_BASE_ADDR + 0xf0, 4, 0x1ff);
    wr(0, APIC_BASE_ADDR + 0x350, 4, 0x700);
    out(0x20, 1, 0x11), out(0x21, 1, 0x08), out(0x21, 1, 0x04), out(0x21, 1, 0x01), out(0x21, 1, 0);
    out(0xa0, 1, 0x11), out(0xa1, 1, 0x70), out(0xa1, 1, 0x02), out(0xa1, 1, 0x01), out(0xa1, 1, 0);
    out(0x4d1, 1, 0x0c);
    PciBus *bus = pc->root;
    /* PIRQB to IRQ 10. */
    CHECK_EQ(config_rd(bridge, route + 1, 1), 0x80);
    bus->set_irq(bus->opaque, 1, 1);
    CHECK_EQ(apic_acknowledge(x86_cpu(&pc->machine, 0)->lapic), -1);
    config_wr(bridge, route + 1, 1, 0x0a);
    CHECK_EQ(ack(0), 0x72);
    out(0xa0, 1, 0x20), out(0x20, 1, 0x20);
    CHECK_EQ(ack(0), 0x72);                    /* level */
    bus->set_irq(bus->opaque, 1, 0);
    out(0xa0, 1, 0x20), out(0x20, 1, 0x20);
    CHECK_EQ(ack(0), -1);
    if (q35) { /* and to the I/O APIC's input 17 in any case */
        wr(0, IOAPIC_ADDR, 4, 0x10 + 2 * 17), wr(0, IOAPIC_ADDR + 0x10, 4, 0x8061);
        bus->set_irq(bus->opaque, 1, 1);
        CHECK_EQ(ack(0), 0x61);
        bus->set_irq(bus->opaque, 1, 0);
        CHECK_EQ(bus->map_irq(bus->opaque, 2 << 3, 0), 6);  /* slot 2, INTA: PIRQG */
        CHECK_EQ(bus->map_irq(bus->opaque, 31 << 3 | 2, 0), 0); /* D31IR: PIRQA */
    } else {
        CHECK_EQ(bus->map_irq(bus->opaque, 1 << 3, 0), 0);
        CHECK_EQ(bus->map_irq(bus->opaque, 3 << 3, 0), 2);
        CHECK_EQ(bus->map_irq(bus->opaque, 4 << 3, 2), 1);
    }
    CHECK(some_function(bridge) != NULL);
}

/* A function's interrupt pin comes back with its saved state, and can be lowered afterwards. */
static void test_pin_state(void)
{
    PciDevice *pci = PCI_DEVICE(device_find("bridge"));
    PciBus *bus = pc->root;
    StateBuffer saved = {0};
    size_t pos = 0;

    reset();
    unsigned line = bus->map_irq(bus->opaque, pci->devfn, pci->config[PCI_INTERRUPT_PIN] - 1u);
    pci_set_irq(pci, 1);
    CHECK_EQ(bus->irq_count[line], 1);
    device_save(&pci->dev, &saved);
    pci_set_irq(pci, 0);
    CHECK_EQ(bus->irq_count[line], 0);
    CHECK(device_load(&pci->dev, saved.at, saved.n, &pos, NULL));
    CHECK_EQ(bus->irq_count[line], 1);
    pci_set_irq(pci, 0);
    CHECK_EQ(bus->irq_count[line], 0);
    vec_free(&saved);
}

/* Messages of a bridge: enabled, masked, pending. */
static void test_msi(void)
{
    PciDevice *pci = PCI_DEVICE(device_find("bridge"));
    unsigned devfn = pci->devfn, cap = pci->msi.cap;

    reset();
    wr(1, APIC_BASE_ADDR + 0xf0, 4, 0x1ff);
    CHECK_EQ(config_rd(devfn, cap, 1), 5);
    CHECK_EQ(config_rd(devfn, cap + 2, 2), 0x180); /* 64 bits, mask bits, one message */
    config_wr(devfn, 4, 2, 4);                     /* bus master: a message is a write */
    config_wr(devfn, cap + 4, 4, 0xfee01000);
    config_wr(devfn, cap + 12, 2, 0x0045);
    pci_msi_notify(pci, 0);
    CHECK_EQ(ack(1), -1);                          /* not enabled */
    config_wr(devfn, cap + 2, 2, 1);
    CHECK(pci_msi_enabled(pci));
    pci_msi_notify(pci, 0);
    CHECK_EQ(ack(1), 0x45);
    wr(1, APIC_BASE_ADDR + 0xb0, 4, 0);
    config_wr(devfn, cap + 16, 4, 1);
    pci_msi_notify(pci, 0);
    CHECK_EQ(ack(1), -1);
    CHECK_EQ(config_rd(devfn, cap + 20, 4), 1);
    config_wr(devfn, cap + 16, 4, 0);
    CHECK_EQ(ack(1), 0x45);
    CHECK_EQ(config_rd(devfn, cap + 20, 4), 0);
    wr(1, APIC_BASE_ADDR + 0xb0, 4, 0);
}

static void test_ports(void)
{
    reset();
    CHECK_EQ(in(0x92, 1), 0);
    out(0x92, 1, 2);
    CHECK_EQ(in(0x92, 1), 2);
    out(0x80, 1, 0x55);
    CHECK_EQ(in(0x80, 1), 0xff);
    CHECK_EQ(in(0x2f0, 1), 0xff);              /* nobody */
    /* FERR# is IRQ 13 until port F0h is written. */
    out(0x21, 1, 0), out(0xa1, 1, 0);
    x86_cpus_ferr(&pc->machine, true);
    out(0xa0, 1, 0x0a);
    CHECK_EQ(in(0xa0, 1) & 0x20, 0x20);
    out(0xf0, 1, 0);
    /* Reset control: read back without the reset bit. */
    out(0xcf9, 1, 2);
    CHECK_EQ(in(0xcf9, 1), 2);
}

static void test_topology(void)
{
    SmpConfig smp = { .cpus = 24, .max_cpus = 24, .drawers = 1, .books = 1, .sockets = 2, .dies = 2, .clusters = 1, .modules = 1,
                      .cores = 3, .threads = 2 };

    CHECK_EQ(x86_apic_id(&smp, 0), 0);
    CHECK_EQ(x86_apic_id(&smp, 1), 1);
    CHECK_EQ(x86_apic_id(&smp, 5), 5);
    CHECK_EQ(x86_apic_id(&smp, 6), 8);         /* the next die: three cores take two bits */
    CHECK_EQ(x86_apic_id(&smp, 12), 16);       /* the next package */
    CHECK_EQ(x86_apic_id(&smp, 23), 16 + 8 + 5);
}

int test_chipset(bool q35)
{
    test_config(q35);
    test_pam(q35);
    test_smram(q35);
    if (q35) {
        test_q35_memory();
        test_smi_lock();
    }
    test_cpu_status(q35);
    test_pirq(q35);
    test_pin_state();
    test_msi();
    test_ports();
    test_topology();
    return test_failures;
}
