/*
 * apic-bus.c: who gets an interrupt message (SDM volume 3, 11.6.2), and MSI writes (11.11).
 */
#include "hw/i386/apic.h"
#include "util/log.h"

typedef struct EoiListener {
    void (*eoi)(void *opaque, uint8_t vector);
    void *opaque;
} EoiListener;

struct ApicBus {
    VEC(Device *) apics;
    VEC(EoiListener) listeners;
    MemoryRegion msi;
    const X86Irqchip *chip; /* NULL: local APICs are here */
    unsigned next; /* lowest-priority arbitration: who wins a tie rotates */
};

static MemResult msi_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    *ret = UINT64_MAX; /* nothing answers: also a processor whose local APIC is off, or has no page in x2APIC mode (11.4.3) */
    return MEM_OK;
}

static MemResult msi_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    apic_bus_msi(opaque, APIC_BASE_ADDR + offset, (uint32_t)value);
    return MEM_OK;
}

static const MemoryOps msi_ops = { .read = msi_read, .write = msi_write, .valid = { 1, 4 }, .impl = { 1, 4 } };

ApicBus *apic_bus_new(void)
{
    ApicBus *bus = xnew(ApicBus);

    memory_region_init_mmio(&bus->msi, NULL, &msi_ops, bus, "apic-msi", APIC_MSI_BYTES);
    return bus;
}

MemoryRegion *apic_bus_msi_region(ApicBus *bus)
{
    return &bus->msi;
}

void apic_bus_set_chip(ApicBus *bus, const X86Irqchip *chip)
{
    bus->chip = chip;
}

/* 11.11: a message as a write to memory. */
static uint64_t msi_address(const ApicMessage *msg)
{
    return APIC_BASE_ADDR | (uint64_t)(msg->dest & 0xff) << 12 | (msg->logical ? 4u : 0u);
}

static uint32_t msi_data(const ApicMessage *msg)
{
    return msg->vector | (uint32_t)msg->delivery << 8 | (msg->level ? 3u << 14 : 0u);
}

void apic_bus_route(ApicBus *bus, unsigned gsi, const ApicMessage *msg)
{
    if (bus->chip && bus->chip->route) {
        bus->chip->route(gsi, msg != NULL, msg ? msi_address(msg) : 0, msg ? msi_data(msg) : 0);
    }
}

void apic_bus_add(ApicBus *bus, Device *apic)
{
    *vec_push(&bus->apics) = apic;
}

void apic_bus_add_eoi(ApicBus *bus, void (*eoi)(void *opaque, uint8_t vector), void *opaque)
{
    *vec_push(&bus->listeners) = (EoiListener){ eoi, opaque };
}

void apic_bus_eoi(ApicBus *bus, uint8_t vector)
{
    for (size_t i = 0; i < bus->listeners.n; i++) {
        bus->listeners.at[i].eoi(bus->listeners.at[i].opaque, vector);
    }
}

static void deliver_lowest(ApicBus *bus, const ApicMessage *msg)
{
    Device *best = NULL;

    for (size_t i = 0; i < bus->apics.n; i++) {
        Device *apic = bus->apics.at[(bus->next + i) % bus->apics.n];
        if (apic_matches(apic, msg) && apic_takes_fixed(apic) && (!best || apic_priority(apic) < apic_priority(best))) {
            best = apic;
        }
    }
    if (best) {
        bus->next++;
        apic_receive(best, msg);
    }
}

void apic_bus_deliver(ApicBus *bus, const ApicMessage *msg)
{
    if (bus->chip) {
        bus->chip->send_msi(msi_address(msg), msi_data(msg));
        return;
    }
    if (msg->delivery == APIC_LOWEST) {
        deliver_lowest(bus, msg);
        return;
    }
    for (size_t i = 0; i < bus->apics.n; i++) {
        if (apic_matches(bus->apics.at[i], msg)) {
            apic_receive(bus->apics.at[i], msg);
        }
    }
}

void apic_bus_deliver_to_others(ApicBus *bus, Device *sender, bool self_too, const ApicMessage *msg)
{
    for (size_t i = 0; i < bus->apics.n; i++) {
        if (bus->apics.at[i] != sender || self_too) {
            apic_receive(bus->apics.at[i], msg);
        }
    }
}

/* 11.11.1, 11.11.2: destination 19:12, redirection hint 3, destination mode 2; delivery mode 10:8, trigger 15. */
void apic_bus_msi(ApicBus *bus, uint64_t addr, uint32_t data)
{
    if (bus->chip) {
        bus->chip->send_msi(addr, data);
        return;
    }
    ApicMessage msg = {
        .dest = (uint32_t)(addr >> 12 & 0xff), .logical = addr >> 2 & 1, .vector = (uint8_t)data, .delivery = data >> 8 & 7,
        .level = data >> 15 & 1,
    };

    msg.broadcast = msg.dest == 0xff;
    /* Without the hint the delivery mode stands; with it one of the set is chosen, which matters for a logical set only. */
    if ((addr & 8) && msg.logical && msg.delivery == APIC_FIXED) {
        msg.delivery = APIC_LOWEST;
    }
    if (msg.delivery == APIC_RESERVED || msg.delivery == APIC_SIPI) {
        log_guest_error("apic: MSI with reserved delivery mode, data %08x\n", data);
        return;
    }
    apic_bus_deliver(bus, &msg);
}
