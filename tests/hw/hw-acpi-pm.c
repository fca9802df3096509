/*
 * hw-acpi-pm.c: power management registers of PIIX4 and ICH9 as a guest's driver uses them.
 *
 * The virtual clock stands still and is set by hand, so nothing here depends on time.
 */
#include "hw/acpi.h"
#include "hw/fw_cfg.h"
#include "hw/smbus.h"
#include "softmmu/bql.h"
#include "tests/test.h"

static Machine *machine;
static int sci_level, smi_count, shutdowns, suspends, suspends_to_disk, wakeups;

static void sci_handler(void *opaque, int n, int level)
{
    sci_level = level;
}

static void smi_handler(void *opaque, int n, int level)
{
    smi_count += level;
}

static void on_shutdown(bool by_guest, ShutdownCause cause)
{
    shutdowns += cause == SHUTDOWN_CAUSE_GUEST_SHUTDOWN;
}

static void on_suspend(void)
{
    suspends++;
}

static void on_suspend_disk(void)
{
    suspends_to_disk++;
}

static void on_wakeup(void)
{
    wakeups++;
}

static void io_write(uint16_t port, unsigned size, uint32_t value)
{
    CHECK_EQ(memory_store(&machine->io, port, size, MEM_LITTLE_ENDIAN, value, MEM_ATTRS_NONE), MEM_OK);
}

static uint32_t io_read(uint16_t port, unsigned size)
{
    uint64_t value = 0;

    CHECK_EQ(memory_load(&machine->io, port, size, MEM_LITTLE_ENDIAN, &value, MEM_ATTRS_NONE), MEM_OK);
    return (uint32_t)value;
}

/* At `base` there is a PM1 block with SCI_EN set by `enable` at 0xb2. */
static void test_pm1(uint16_t base, uint8_t enable, uint8_t disable)
{
    io_write(0xb2, 1, enable);
    CHECK_EQ(io_read(base + 4, 2), ACPI_PM1_CNT_SCI_EN);
    CHECK_EQ(io_read(0xb2, 1), enable);
    io_write(0xb3, 1, 0x5a);
    CHECK_EQ(io_read(0xb3, 1), 0x5a);

    /* The power button: an event that waits, then an interrupt when enabled, until cleared. */
    machine_request_powerdown();
    machine_process_requests(machine);
    CHECK_EQ(io_read(base, 2), ACPI_PM1_POWER_BUTTON);
    CHECK_EQ(sci_level, 0);
    io_write(base + 2, 2, ACPI_PM1_POWER_BUTTON | ACPI_PM1_GLOBAL);
    CHECK_EQ(io_read(base + 2, 2), ACPI_PM1_POWER_BUTTON | ACPI_PM1_GLOBAL);
    CHECK_EQ(sci_level, 1);
    io_write(0xb2, 1, disable); /* legacy mode: no SCI */
    CHECK_EQ(sci_level, 0);
    CHECK_EQ(io_read(base + 4, 2), 0);
    io_write(0xb2, 1, enable);
    CHECK_EQ(sci_level, 1);
    io_write(base, 2, ACPI_PM1_GLOBAL); /* another bit */
    CHECK_EQ(sci_level, 1);
    io_write(base + 1, 1, ACPI_PM1_POWER_BUTTON >> 8);
    CHECK_EQ(io_read(base, 2), 0);
    CHECK_EQ(sci_level, 0);
    io_write(base + 4, 2, 0); /* SCI_EN is not the guest's */
    CHECK_EQ(io_read(base + 4, 2), ACPI_PM1_CNT_SCI_EN);
}

static void test_timer(uint16_t base)
{
    int64_t start = clock_get_ns(VM_CLOCK_VIRTUAL);
    /* The counter is 24 bits of 3.579545 MHz. */
    uint32_t before = io_read(base + 8, 4);
    clock_virtual_set_ns(start + NS_PER_SECOND);
    uint32_t after = io_read(base + 8, 4);
    CHECK(after >> 24 == 0);
    CHECK((((after - before) & 0xffffff) - 3579545u % 0x1000000u + 1) <= 2);

    /* Bit 23 changes: status; with the event enabled, an SCI. */
    io_write(base, 2, ACPI_PM1_TIMER);
    CHECK_EQ(io_read(base, 2), 0);
    io_write(base + 2, 2, ACPI_PM1_TIMER);
    CHECK_EQ(sci_level, 0);
    uint32_t left = 0x800000 - (io_read(base + 8, 4) & 0x7fffff);
    int64_t at = clock_get_ns(VM_CLOCK_VIRTUAL) + (int64_t)left * NS_PER_SECOND / ACPI_PM_TIMER_HZ;
    clock_virtual_set_ns(at - 2000);
    clock_run_virtual_timers();
    CHECK_EQ(io_read(base, 2), 0);
    clock_virtual_set_ns(at + 2000);
    clock_run_virtual_timers();
    CHECK_EQ(io_read(base, 2), ACPI_PM1_TIMER);
    CHECK_EQ(sci_level, 1);
    io_write(base + 2, 2, 0);
    CHECK_EQ(sci_level, 0);
    io_write(base, 2, ACPI_PM1_TIMER);
    CHECK_EQ(io_read(base, 2), 0);
}

static void test_gpe(uint16_t gpe, unsigned bytes, AcpiPm *pm)
{
    uint16_t enable = (uint16_t)(gpe + bytes / 2);

    acpi_pm_raise_gpe(pm, 9);
    CHECK_EQ(io_read(gpe, 2), 1 << 9);
    CHECK_EQ(sci_level, 0);
    io_write(enable + 1, 1, 1 << 1);
    CHECK_EQ(sci_level, 1);
    io_write(gpe + 1, 1, 1 << 1);
    CHECK_EQ(io_read(gpe, 2), 0);
    CHECK_EQ(sci_level, 0);
    io_write(enable, 2, 0);
}

/* S3, a wake-up by the monitor, S5. `setup` is what firmware does after a reset. */
static void test_sleep(uint16_t base, void (*setup)(void))
{
    Error *err = NULL;

    CHECK(!machine_request_wakeup(WAKEUP_OTHER, &err));
    CHECK(err != NULL);
    error_free(err);
    vm_start(machine);
    io_write(base + 4, 2, 1 << 10 | ACPI_PM1_CNT_SLP_EN);
    machine_process_requests(machine);
    CHECK_EQ(suspends, 1);
    CHECK_EQ(machine->state, RUN_STATE_SUSPENDED);
    vm_stop(machine, RUN_STATE_PAUSED); /* "stop" of a sleeping machine changes nothing */
    CHECK_EQ(machine->state, RUN_STATE_SUSPENDED);
    CHECK(machine_request_wakeup(WAKEUP_RTC, NULL)); /* not enabled */
    machine_process_requests(machine);
    CHECK_EQ(machine->state, RUN_STATE_SUSPENDED);
    CHECK(machine_request_wakeup(WAKEUP_OTHER, NULL));
    machine_process_requests(machine);
    CHECK_EQ(wakeups, 1);
    CHECK_EQ(machine->state, RUN_STATE_RUNNING);
    setup();
    CHECK_EQ(io_read(base, 2), ACPI_PM1_WAKE | ACPI_PM1_POWER_BUTTON);
    vm_stop(machine, RUN_STATE_PAUSED);
    io_write(base + 4, 2, 0 << 10 | ACPI_PM1_CNT_SLP_EN);
    machine_process_requests(machine);
    CHECK_EQ(shutdowns, 1);
    CHECK(!(io_read(base + 4, 2) & ACPI_PM1_CNT_SLP_EN));
    io_write(base + 4, 2, 2 << 10 | ACPI_PM1_CNT_SLP_EN); /* S4 */
    machine_process_requests(machine);
    machine_process_requests(machine);
    CHECK_EQ(suspends_to_disk, 1);
    CHECK_EQ(shutdowns, 2);
    suspends = wakeups = shutdowns = suspends_to_disk = 0;
    run_state_set(machine, RUN_STATE_PAUSED);
}

/* ---- SMBus ---- */

static uint8_t smbus_transfer(uint16_t base, uint8_t address, uint8_t command, uint8_t control)
{
    io_write(base, 1, 0xff);
    io_write(base + 4, 1, address);
    io_write(base + 3, 1, command);
    io_write(base + 2, 1, control | 0x40);
    return (uint8_t)io_read(base, 1);
}

static void test_smbus(uint16_t base)
{
    io_write(base + 5, 1, 0xa5); /* write byte 7 of the second EEPROM, read it and the next */
    CHECK_EQ(smbus_transfer(base, 0x51 << 1, 7, 2 << 2), 2);
    io_write(base + 5, 1, 0);
    CHECK_EQ(smbus_transfer(base, 0x51 << 1 | 1, 7, 2 << 2), 2);
    CHECK_EQ(io_read(base + 5, 1), 0xa5);
    CHECK_EQ(smbus_transfer(base, 0x51 << 1 | 1, 6, 3 << 2), 2);
    CHECK_EQ(io_read(base + 5, 1), 0);
    CHECK_EQ(io_read(base + 6, 1), 0xa5);
    CHECK_EQ(smbus_transfer(base, 0x50 << 1 | 1, 7, 2 << 2), 2);
    CHECK_EQ(io_read(base + 5, 1), 0);
    CHECK_EQ(smbus_transfer(base, 0x5a << 1 | 1, 7, 2 << 2), 4); /* nobody there */
    /* A block of three bytes: written as count and bytes. */
    io_write(base + 5, 1, 3);
    io_read(base + 2, 1);
    for (unsigned i = 0; i < 3; i++) {
        io_write(base + 7, 1, 0x11 * (i + 1));
    }
    CHECK_EQ(smbus_transfer(base, 0x57 << 1, 0x20, 5 << 2), 2);
    CHECK_EQ(smbus_transfer(base, 0x57 << 1 | 1, 0x20, 5 << 2), 2);
    CHECK_EQ(io_read(base + 5, 1), 3);
    io_read(base + 2, 1);
    for (unsigned i = 0; i < 3; i++) {
        CHECK_EQ(io_read(base + 7, 1), 0x11 * (i + 1));
    }
}

/* ---- PIIX4 ---- */

static PciBus *root;
static Device *piix;

static void config_write(unsigned devfn, unsigned offset, unsigned size, uint32_t value)
{
    pci_config_write(root, devfn, offset, size, value);
}

static void root_on_reset(void *opaque) /* the bus has no host bridge that would pass it on */
{
    device_reset_bus(&root->bus, RESET_COLD);
}

static void piix_setup(void)
{
    config_write(0x0b, 0x40, 4, 0x601);
    config_write(0x0b, 0x80, 1, 1);
}

static void test_piix(void)
{
    static const char *const props[] = { "addr", "01.3", "smb_io_base", "45312", "smm-enabled", "on", NULL };
    static Irq sci, smi;

    piix = device_create(PIIX4_PM_TYPE, &root->bus, props, NULL);
    irq_init(&sci, sci_handler, NULL, 0);
    irq_init(&smi, smi_handler, NULL, 0);
    device_connect_irq(piix, "sci", 0, &sci);
    device_connect_irq(piix, "smi", 0, &smi);
    CHECK(smbus_add_eeproms(piix, NULL));
    machine_reset(machine, RESET_COLD);
    CHECK_EQ(pci_config_read(root, 0x0b, 0, 4), 0x71138086);
    CHECK_EQ(pci_config_read(root, 0x0b, 0x40, 4), 1);
    CHECK_EQ(pci_config_read(root, 0x0b, 0x90, 4), 0xb101);
    piix_setup();
    CHECK_EQ(pci_config_read(root, 0x0b, 0x40, 4), 0x601);
    test_pm1(0x600, 0xf1, 0xf0);
    CHECK_EQ(smi_count, 0); /* APMC_EN is not set */
    config_write(0x0b, 0x5b, 1, 2);
    io_write(0xb2, 1, 0x33);
    CHECK_EQ(smi_count, 1);
    test_timer(0x600);
    test_smbus(0xb100);
    config_write(0x0b, 0x90, 4, 0x701);
    test_smbus(0x700);
    test_sleep(0x600, piix_setup);
    machine_reset(machine, RESET_COLD);
    uint64_t value;
    CHECK(memory_load(&machine->io, 0x604, 2, MEM_LITTLE_ENDIAN, &value, MEM_ATTRS_NONE) != MEM_OK || value == 0xffff);
}

/* ---- ICH9 ---- */

static Ich9Pm ich9;

static void ich9_setup(void)
{
    ich9_pm_set_base(&ich9, 0x600, true);
}

static void ich9_on_reset(void *opaque)
{
    ich9_pm_reset(&ich9, RESET_COLD);
}

static void test_tco(void)
{
    uint16_t tco = 0x660;
    int64_t now = clock_get_ns(VM_CLOCK_VIRTUAL);

    ich9.tco.no_reboot = true;
    io_write(tco + 0x12, 2, 10);
    io_write(tco + 0x08, 2, 0); /* run: 10 steps of 0.6 s */
    CHECK_EQ(io_read(tco, 2), 10);
    clock_virtual_set_ns(now + 3 * NS_PER_SECOND);
    clock_run_virtual_timers();
    CHECK_EQ(io_read(tco, 2), 5);
    io_write(tco, 2, 1);
    CHECK_EQ(io_read(tco, 2), 10);
    CHECK_EQ(io_read(tco + 4, 2), 0);
    clock_virtual_set_ns(now + 9 * NS_PER_SECOND + NS_PER_MS);
    clock_run_virtual_timers();
    CHECK_EQ(io_read(tco + 4, 2), 8);
    CHECK_EQ(io_read(tco + 6, 2), 0);
    clock_virtual_set_ns(now + 16 * NS_PER_SECOND);
    clock_run_virtual_timers();
    CHECK_EQ(io_read(tco + 6, 2), 6);
    io_write(tco + 4, 2, 8);
    io_write(tco + 6, 2, 6);
    io_write(tco + 0x08, 2, 1 << 11);
    CHECK_EQ(io_read(tco + 4, 2), 0);
    CHECK_EQ(io_read(tco + 6, 2), 0);
}

static void smi_feature_files(void)
{
    Device *fw_cfg = device_create("fw_cfg_mem", sysbus_get(), NULL, NULL);
    uint8_t wish[8] = { ICH9_SMI_BROADCAST };
    uint32_t len;

    CHECK(ich9_smi_features_install(&ich9, fw_cfg, NULL));
    /* Firmware writes its wish by DMA, then looks whether it was granted: here, by file 1 of 3 in the order of names. */
    CHECK(fw_cfg_set_file(fw_cfg, "etc/smi/requested-features", wish, 8, NULL));
    CHECK_EQ(ich9.smi_features, 0);
    memory_region_write(device_mmio(fw_cfg, 0), 0, 2, MEM_BIG_ENDIAN, FW_CFG_FILE_FIRST, MEM_ATTRS_NONE);
    CHECK_EQ(ich9.smi_features, ICH9_SMI_BROADCAST);
    CHECK_EQ(*fw_cfg_file(fw_cfg, "etc/smi/features-ok", &len), 1);
    ich9_pm_reset(&ich9, RESET_COLD);
    CHECK_EQ(ich9.smi_features, 0);
    CHECK_EQ(*fw_cfg_file(fw_cfg, "etc/smi/features-ok", &len), 0);
    wish[0] = 0x80; /* what nobody knows */
    CHECK(fw_cfg_set_file(fw_cfg, "etc/smi/requested-features", wish, 8, NULL));
    memory_region_write(device_mmio(fw_cfg, 0), 0, 2, MEM_BIG_ENDIAN, FW_CFG_FILE_FIRST, MEM_ATTRS_NONE);
    CHECK_EQ(*fw_cfg_file(fw_cfg, "etc/smi/features-ok", &len), 0);
    CHECK_EQ(ich9.smi_features, 0);
}

static void test_ich9(void)
{
    static Irq sci, smi;

    device_unrealize(piix); /* there is one of the two */
    irq_init(&sci, sci_handler, NULL, 0);
    irq_init(&smi, smi_handler, NULL, 0);
    ich9.smm = true;
    ich9.pm.s4_value = 2;
    ich9_pm_init(&ich9, &machine->obj, &machine->system_io);
    ich9.pm.sci = &sci;
    ich9.smi = &smi;
    machine_add_reset(ich9_on_reset, NULL);
    ich9_pm_reset(&ich9, RESET_COLD);
    ich9_setup();
    smi_count = 0;
    test_pm1(0x600, ICH9_ACPI_ENABLE, ICH9_ACPI_DISABLE);
    CHECK_EQ(smi_count, 0);
    io_write(0x630, 4, 1 | 1 << 5);
    io_write(0xb2, 1, 0x33);
    CHECK_EQ(smi_count, 1);
    CHECK_EQ(io_read(0x634, 4), 1 << 5);
    io_write(0x634, 4, 1 << 5);
    CHECK_EQ(io_read(0x634, 4), 0);
    ich9.smi_locked = true; /* nobody can turn SMIs off */
    io_write(0x630, 4, 0);
    CHECK_EQ(io_read(0x630, 4), 1);
    ich9.smi_locked = false;
    io_write(0x630, 4, 0);
    CHECK_EQ(io_read(0x630, 4), 0);
    test_timer(0x600);
    test_gpe(0x620, 16, &ich9.pm);
    test_tco();
    test_sleep(0x600, ich9_setup);
    smi_feature_files();
}

int main(void)
{
    static const MachineEvents events = { .shutdown = on_shutdown, .suspend = on_suspend, .suspend_disk = on_suspend_disk,
                                          .wakeup = on_wakeup };
    Error *err = NULL;

    bql_lock();
    machine = machine_new(machine_type_find("none", "riscv64"), "riscv64");
    if (!machine_build(machine, &err)) {
        fprintf(stderr, "%s\n", error_message(err));
        return 1;
    }
    machine_set_events(&events);
    root = xnew(PciBus);
    pci_root_init(root, NULL, "pci.0", false, &machine->system_memory, &machine->system_io, &machine->memory, NULL, NULL);
    machine_add_reset(root_on_reset, NULL);
    test_piix();
    test_ich9();
    return test_result();
}
