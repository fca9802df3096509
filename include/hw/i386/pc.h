/*
 * pc.h: the x86 boards: what "pc", "q35" and "microvm" share.
 */
#ifndef HW_I386_PC_H
#define HW_I386_PC_H

#include "hw/i386/cpus.h"
#include "hw/i386/pci-host.h"
#include "hw/loader.h"
#include "util/print.h"

typedef enum OnOffAuto { AUTO, ON, OFF } OnOffAuto;
/* Enumeration names of the above, for property tables. */
extern const char *const on_off_auto_names[];

enum { X86_N_GSI = 48, X86_MAX_FLASH = 2, X86_MAX_TRANSPORTS = 24 }; /* 24 and up: a second I/O APIC */

/* What differs between versions of a board; bits of X86Machine.compat. */
enum {
    PC_NO_SMBIOS_64 = 1 << 0,   /* before 8.1: the 32-bit SMBIOS anchor is the default */
    PC_Q35_OLD_SPLIT = 1 << 1,
};

typedef struct X86Machine {
    Machine machine;
    /* Options. */
    int acpi, smm, pic_option, pit_option, vmport, rtc_option, ioapic2_option, pcie_option; /* OnOffAuto */
    bool hpet_on, i8042_on, sata_on, smbus_on, isa_serial_on, fd_bootchk, option_roms_on, auto_cmdline_on;
    uint64_t max_ram_below_4g, max_fw_bytes;
    char *pcspk_audiodev, *smbios_entry, *oem_id, *oem_table_id, *pflash[X86_MAX_FLASH];
    uint32_t compat;
    /* Memory. */
    uint64_t below_4g_bytes, above_4g_bytes;
    MemoryRegion ram_below, ram_above, pci_memory, smram, bios, isa_bios, option_rom, port80, port_f0, master_abort;
    MemoryRegion *rom_memory;    /* where firmware goes */
    bool firmware_writable;      /* no shadow memory: it runs in place */
    uint64_t firmware_bytes;
    /* Processors and interrupts. */
    X86Cpu **cpus;
    ApicBus *apics;
    const X86Irqchip *irqchip;
    Irq gsi[X86_N_GSI], pic_int, a20, reset;
    Irq *pic_in[ISA_N_IRQS], *ferr;
    /* Devices; NULL: not there. */
    Device *transports[X86_MAX_TRANSPORTS]; /* virtio-mmio (microvm) */
    Device *pic, *ioapic, *ioapic2, *pit, *rtc, *hpet, *fw_cfg, *host, *south, *pm, *fdc;
    PciBus *root;
    IsaBus *isa;
} X86Machine;

/* x86-common.c */
/* AUTO counts as `automatic`. */
static inline bool x86_is_on(int option, bool automatic)
{
    return option == AUTO ? automatic : option == ON;
}
/* RAM below and above 4 GiB, and the board's containers. */
NODISCARD bool x86_create_memory(X86Machine *x, uint64_t low_limit, Error **errp);
/* GSI lines, APIC bus, MSI region, I/O APIC at its place, processors. */
NODISCARD bool x86_create_cpus(X86Machine *x, Error **errp);
NODISCARD bool x86_create_ioapic(X86Machine *x, Error **errp);
NODISCARD bool x86_create_ioapic2(X86Machine *x, Error **errp); /* GSIs 24 to 47 */
void x86_connect_isa(X86Machine *x);
Irq *x86_gsi(X86Machine *x, unsigned n);
/* The interval timer's device type. */
const char *x86_pit_type(X86Machine *x);
/* The 8259s on the ISA bus, whose lines become GSIs. */
NODISCARD bool x86_create_pic(X86Machine *x, Error **errp);
NODISCARD bool x86_create_fw_cfg(X86Machine *x, Error **errp);
/* What firmware asks fw_cfg on every board. */
void x86_fill_fw_cfg(X86Machine *x);
/* Of the MachineType. */
char *x86_vcpu_path(Machine *m, unsigned index);
void x86_print_pic(Machine *m, PrintFn *print, void *opaque);
void x86_print_lapic(Machine *m, unsigned vcpu, PrintFn *print, void *opaque);
#define X86_MACHINE_HOOKS .vcpu_path = x86_vcpu_path, .print_pic = x86_print_pic, .print_lapic = x86_print_lapic, \
                          .inject_nmi = x86_cpus_nmi

/* firmware.c: -bios or the default image, or flash chips; below 4 GiB and, its end, below 1 MiB. */
NODISCARD bool x86_load_firmware(X86Machine *x, const char *default_name, Error **errp);

/* pc-devices.c */
/* RTC, PIT, HPET, speaker, serial and parallel ports, i8042, port 92, DMA. */
NODISCARD bool pc_create_isa_devices(X86Machine *x, Error **errp);
NODISCARD bool pc_create_vga(X86Machine *x, Error **errp);
void pc_fill_cmos(X86Machine *x);
/* "cad" */
void pc_set_boot_order(X86Machine *x, const char *order);

#endif
