/*
 * acpi.h: ACPI tables and power management registers of a PC.
 *
 * The board describes itself once in an AcpiBoard; acpi_install() makes the fw_cfg files etc/acpi/tables, etc/acpi/rsdp,
 * etc/table-loader and etc/system-states from it. The tables are made again whenever firmware selects one of the files,
 * because they say where firmware has put things (PCI BARs, ECAM).
 *
 * AcpiPm is the register block that every such chipset has (PM1 event and control, timer, GPE0), AcpiApm the two
 * SMI command ports. A chipset device embeds them; its SMBus controller is in hw/smbus.h.
 *
 * Specifications: ACPI 6.5; Intel 82371AB (PIIX4) and ICH9 data sheets for the blocks. Threads: BQL.
 */
#ifndef HW_ACPI_H
#define HW_ACPI_H

#include "hw/pci.h"
#include "softmmu/clock.h"
#include "softmmu/machine.h"

/* ---- tables ---- */

typedef enum AcpiChipset { ACPI_CHIPSET_PIIX, ACPI_CHIPSET_ICH9, ACPI_CHIPSET_MICROVM, ACPI_CHIPSET_ARM } AcpiChipset;

enum { ACPI_MAX_SERIAL = 4, ACPI_MAX_PARALLEL = 3, ACPI_MAX_OVERRIDES = 8, ACPI_MAX_VIRTIO = 32 };

typedef struct AcpiRange {
    uint64_t base, size_bytes; /* size 0: none */
} AcpiRange;

typedef struct AcpiIsaPort {
    uint16_t port; /* 0: not there */
    uint8_t irq;
} AcpiIsaPort;

typedef struct AcpiBoard {
    Machine *machine;
    Device *fw_cfg;              /* fw_cfg_io */
    AcpiChipset chipset;
    const char *oem_id, *oem_table_id;  /* NULL: "BOCHS ", "BXPC    " */

    /* Processors: local APIC ids of all that may ever be there; the first n_cpus are. */
    const uint32_t *apic_ids;
    unsigned n_cpus, max_cpus;
    AcpiRange ram[2];            /* where RAM is, in order; for SRAT */
    AcpiRange io_apic;           /* size 0: none */
    uint8_t io_apic_id;
    AcpiRange io_apic2;          /* microvm */
    uint8_t io_apic2_id, io_apic2_first;
    bool irq0_override;          /* ISA irq 0 arrives at I/O APIC pin 2 */
    uint8_t sci_irq;             /* 9 */
    uint16_t level_irqs;         /* ISA lines that are level, active high: 5, 9, 10, 11 on a PC */

    /* PCI. */
    PciBus *root;                /* NULL: none */
    AcpiRange pci_hole;          /* below 4 GiB, for BARs */
    AcpiRange pci_hole64;
    /* Configuration space as memory, as firmware has set it up; false: not now. NULL: there is none. */
    bool (*ecam)(void *opaque, AcpiRange *ret);
    void *opaque;
    uint8_t lpc_devfn;           /* of the ISA bridge: 0x08 (PIIX3), 0xf8 (ICH9) */

    /* Power management. */
    uint16_t pm_base;            /* I/O port of the PM1 block; 0: none */
    uint16_t gpe0_base;
    uint8_t gpe0_bytes;
    uint8_t acpi_enable, acpi_disable; /* values of port 0xb2 */
    bool reset_register;         /* port 0xcf9 works */
    bool no_s3, no_s4;
    uint8_t s4_value;            /* SLP_TYP, 2 */

    /* Legacy devices. */
    bool hpet, rtc, i8042, floppy;
    uint8_t floppy_type[2];      /* CMOS drive types, 0: no drive */
    AcpiIsaPort serial[ACPI_MAX_SERIAL], parallel[ACPI_MAX_PARALLEL];
    uint16_t fw_cfg_port;        /* 0x510; 0: none */
    uint16_t pvpanic_port;       /* 0x505; 0: none */

    /* Machines without ACPI fixed hardware. */
    bool hw_reduced;
    AcpiRange ged;               /* generic event device's registers (event, memory, reset), 0: none */
    uint8_t ged_irq;
    AcpiRange virtio[ACPI_MAX_VIRTIO]; /* virtio-mmio transports in use */
    uint16_t virtio_irq[ACPI_MAX_VIRTIO];
    const struct AcpiArm *arm;   /* ACPI_CHIPSET_ARM: what such boards have (hw/acpi-arm.h); stays the board's */
} AcpiBoard;

/* Copies the description (strings and apic_ids stay the board's). From the board's ready(). */
NODISCARD bool acpi_install(const AcpiBoard *board, Error **errp);
/* -acpitable data=…|file=…: kept until acpi_install(). */
struct Json;
NODISCARD bool acpi_add_user_table(const struct Json *opts, Error **errp);

/* Ports where firmware asks which processors are there (cpu-status.c). */
NODISCARD bool acpi_cpu_status_create(const Machine *machine, uint32_t (*apic_id)(const SmpConfig *smp, unsigned index), MemoryRegion *io,
                                      uint16_t port, Error **errp);

/* ---- PM1 event, control, timer and GPE0 registers ---- */

enum { /* PM1_STS and PM1_EN; PM1_CNT */
    ACPI_PM1_TIMER = 1 << 0, ACPI_PM1_GLOBAL = 1 << 5, ACPI_PM1_POWER_BUTTON = 1 << 8, ACPI_PM1_SLEEP_BUTTON = 1 << 9,
    ACPI_PM1_RTC = 1 << 10, ACPI_PM1_WAKE = 1 << 15,
    ACPI_PM1_CNT_SCI_EN = 1 << 0, ACPI_PM1_CNT_SLP_EN = 1 << 13,
};
#define ACPI_PM_TIMER_HZ 3579545
enum { ACPI_GPE_MAX_BYTES = 16 };

typedef struct AcpiPm {
    uint16_t status, enable, control;
    uint8_t gpe[ACPI_GPE_MAX_BYTES]; /* status bits, then enable bits */
    uint8_t gpe_bytes;               /* both together */
    bool no_s3, no_s4;
    uint8_t s4_value;
    uint64_t overflow_ticks;         /* of the timer, when bit 23 next changes */
    Timer timer;
    Irq *sci;
    MemoryRegion pm1_mr, gpe_mr;     /* 64 bits from PM_BASE; GPE0 */
} AcpiPm;

/* The owner sets pm->sci (level), no_s3, no_s4 and s4_value. Takes the power button and waking up: once per machine. */
void acpi_pm_init(AcpiPm *pm, Object *owner, unsigned gpe_bytes);
void acpi_pm_finish(AcpiPm *pm);
void acpi_pm_reset(AcpiPm *pm, ResetKind kind);
/* SCI_EN, as a write of the enable or disable command to port 0xb2 sets it. */
void acpi_pm_enable(AcpiPm *pm, bool on);
/* Level-style event: sets a bit of GPE0_STS. */
void acpi_pm_raise_gpe(AcpiPm *pm, unsigned bit);
void acpi_pm_update_sci(AcpiPm *pm);
extern const StateDesc acpi_pm_state; /* of an AcpiPm */

/* ---- ports 0xb2 and 0xb3 ---- */

typedef struct AcpiApm {
    uint8_t control, status;
    void (*command)(void *opaque, uint8_t value); /* after a write to 0xb2 */
    void *opaque;
    MemoryRegion mr;                 /* two bytes, at 0xb2 */
} AcpiApm;
void acpi_apm_init(AcpiApm *apm, Object *owner, void (*command)(void *opaque, uint8_t value), void *opaque);
void acpi_apm_reset(AcpiApm *apm);

/*
 * ---- PIIX4_PM ----
 * PCI function 8086:7113 with all of the above and an SMBus. Properties: smb_io_base, disable_s3, disable_s4, s4_val,
 * smm-enabled. Output lines: "sci", "smi". The board sets "smb_io_base" to 0xb100, connects the lines, and maps nothing:
 * PMBASE is a configuration register that firmware writes. GPE0 is at port 0xafe0.
 */
#define PIIX4_PM_TYPE "PIIX4_PM"

/*
 * ---- ICH9 ----
 * What the LPC function of the board embeds. set_base() after each write of PMBASE (0x40) or ACPI_CNTL (0x44).
 */
/* The TCO watchdog: counts down 0.6 s steps, the second time-out resets the machine unless no_reboot. */
typedef struct Ich9Tco {
    uint16_t reload, control1, control2, status1, status2;
    uint8_t data_in, data_out, message[2], wdcnt, sw_irq;
    bool second;                     /* one time-out has passed */
    bool no_reboot;                  /* GCS bit 5: kept by the LPC function */
    int64_t expires_ns;              /* INT64_MAX: halted */
    Timer timer;
    MemoryRegion mr;
    void (*smi)(void *opaque);       /* a time-out, while TCO SMIs are on */
    void *opaque;
} Ich9Tco;
void ich9_tco_init(Ich9Tco *tco, Object *owner, void (*smi)(void *opaque), void *opaque);
void ich9_tco_finish(Ich9Tco *tco);
void ich9_tco_reset(Ich9Tco *tco);
extern const StateDesc ich9_tco_state;

typedef struct Ich9Pm {
    AcpiPm pm;
    AcpiApm apm;
    uint32_t smi_enable, smi_status;
    bool smm;                        /* SMIs are possible at all */
    bool smi_locked;                 /* GBL_SMI_EN cannot be written */
    Irq *smi;
    MemoryRegion container, smi_mr;
    MemoryRegion *io;
    uint32_t base;                   /* UINT32_MAX: not mapped */
    Ich9Tco tco;
    uint64_t smi_features, smi_requested; /* agreed on, asked for by firmware (fw_cfg etc/smi) */
    uint8_t smi_features_ok;
    Device *fw_cfg;
} Ich9Pm;
void ich9_pm_init(Ich9Pm *s, Object *owner, MemoryRegion *io);
void ich9_pm_finish(Ich9Pm *s);
void ich9_pm_reset(Ich9Pm *s, ResetKind kind);
void ich9_pm_set_base(Ich9Pm *s, uint32_t base, bool enabled);
extern const StateDesc ich9_pm_state; /* of an Ich9Pm */
enum { ICH9_ACPI_ENABLE = 0x02, ICH9_ACPI_DISABLE = 0x03 };
/* fw_cfg etc/smi/supported-features, requested-features, features-ok: lets firmware ask for SMIs to all vCPUs. */
NODISCARD bool ich9_smi_features_install(Ich9Pm *s, Device *fw_cfg, Error **errp);
enum { ICH9_SMI_BROADCAST = 1 }; /* of smi_features: port 0xb2 raises the SMI on every vCPU */

#endif
