/*
 * apic.h: local APICs, I/O APICs and the messages between them.
 *
 * One ApicBus per machine carries the messages of local APICs (ICR), I/O APICs and MSI writes to the local APICs they are for,
 * and end-of-interrupt messages back. A local APIC ("apic") belongs to a processor and speaks to it through its output lines
 * "intr" (a level), "nmi", "smi", "init" (pulses) and "sipi" (a pulse whose level is the vector + 1).
 *
 * Specifications: Intel SDM volume 3, chapter 11 ("Advanced programmable interrupt controller"; chapter 10 in editions before
 * 2023), 82093AA I/O APIC data sheet (1996). Threads: BQL.
 */
#ifndef HW_I386_APIC_H
#define HW_I386_APIC_H

#include "hw/device.h"
#include "hw/i386/irqchip.h"
#include "util/print.h"

typedef struct ApicBus ApicBus;

typedef enum ApicDelivery {
    APIC_FIXED, APIC_LOWEST, APIC_SMI, APIC_RESERVED, APIC_NMI, APIC_INIT, APIC_SIPI, APIC_EXTINT,
} ApicDelivery;

typedef struct ApicMessage {
    uint32_t dest;
    uint8_t vector, delivery;   /* ApicDelivery */
    bool logical, broadcast;
    bool level;                 /* trigger mode */
} ApicMessage;

enum { APIC_BASE_ADDR = 0xfee00000u, APIC_BYTES = 0x1000, APIC_MSI_BYTES = 0x100000, IOAPIC_ADDR = 0xfec00000u, IOAPIC2_ADDR = 0xfec10000u,
       IOAPIC_PINS = 24 };
enum { APIC_BASE_BSP = 1 << 8, APIC_BASE_X2 = 1 << 10, APIC_BASE_ENABLE = 1 << 11 };

ApicBus *apic_bus_new(void);
void apic_bus_deliver(ApicBus *bus, const ApicMessage *msg);
/* A write of `data` to 0xfee00000 + offset by anybody but a processor. */
void apic_bus_msi(ApicBus *bus, uint64_t addr, uint32_t data);
/* The region "apic-msi" to be put at APIC_BASE_ADDR for devices. */
MemoryRegion *apic_bus_msi_region(ApicBus *bus);
/* Local APICs are an accelerator's (chip->send_msi). */
void apic_bus_set_chip(ApicBus *bus, const X86Irqchip *chip);
/* Input `gsi` of an I/O APIC sends this message at an active level; NULL: nothing. */
void apic_bus_route(ApicBus *bus, unsigned gsi, const ApicMessage *msg);
/* What hears of level-triggered vectors that ended. */
void apic_bus_add_eoi(ApicBus *bus, void (*eoi)(void *opaque, uint8_t vector), void *opaque);

/* Between device_new() and device_realize(). */
void apic_connect(Device *apic, ApicBus *bus, uint32_t id, bool is_bsp);
/* first_gsi: the board's line that is pin 0; line 0 is pin 2. */
void ioapic_connect(Device *ioapic, ApicBus *bus, unsigned first_gsi);
/* Whether the processor has x2APIC mode. */
void apic_set_x2(Device *apic, bool has_x2apic);
/* The processor's physical addresses; 52 unless said. */
void apic_set_phys_bits(Device *apic, unsigned bits);
/* ExtINT and virtual wire mode: `ack` gives the vector of the 8259s, INTR comes in through LINT0. */
void apic_set_pic(Device *apic, unsigned (*ack)(void *opaque), void *opaque);
/* The TSC, for the timer's deadline mode: when it will be `tsc`, on VM_CLOCK_VIRTUAL; INT64_MAX: never. */
void apic_set_tsc(Device *apic, int64_t (*deadline_ns)(void *opaque, uint64_t tsc), void *opaque);
/* Where the registers answer, -1: nowhere (disabled, x2APIC mode); called at each change and at reset. */
void apic_set_moved(Device *apic, void (*moved)(void *opaque, uint64_t base), void *opaque);
/* LINT0 and LINT1. */
void apic_set_lint(Device *apic, unsigned pin, bool level);
/* A processor's INIT: all but the id and APIC base. */
void apic_init_reset(Device *apic);
/* The INTA cycle: a vector, or -1: none after all. */
int apic_acknowledge(Device *apic);
uint8_t apic_tpr(Device *apic);
void apic_set_tpr(Device *apic, uint8_t tpr);
/* IA32_APIC_BASE, IA32_TSC_DEADLINE and 0x800 to 0x8ff; false: #GP. */
bool apic_msr_read(Device *apic, uint32_t msr, uint64_t *ret);
bool apic_msr_write(Device *apic, uint32_t msr, uint64_t value);
/* "info lapic" */
void apic_print(Device *apic, PrintFn *print, void *opaque);
void ioapic_print(Device *ioapic, PrintFn *print, void *opaque);

/* Between apic.c and apic-bus.c. */
void apic_bus_add(ApicBus *bus, Device *apic);
bool apic_matches(Device *apic, const ApicMessage *msg);
unsigned apic_priority(Device *apic);   /* PPR, for lowest-priority arbitration */
bool apic_takes_fixed(Device *apic);
void apic_receive(Device *apic, const ApicMessage *msg);
void apic_bus_eoi(ApicBus *bus, uint8_t vector);
void apic_bus_deliver_to_others(ApicBus *bus, Device *sender, bool self_too, const ApicMessage *msg);

#endif
