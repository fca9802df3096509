/*
 * kvm-irqchip.c: the interrupt controllers that KVM has for a PC: all of them (kernel-irqchip=on), or the local APICs (split).
 */
#include <linux/kvm.h>
#include "hw/i386/apic.h"
#include "hw/i386/kvm-irqchip.h"
#include "hw/pci.h"
#include "accel/kvm.h"

static void set_gsi(unsigned gsi, int level)
{
    if (gsi < IOAPIC_PINS) {
        kvm_set_irq(gsi, level != 0);
    }
}

static void send_msi(uint64_t address, uint32_t data)
{
    kvm_send_msi(address, data);
}

static void route(unsigned gsi, bool present, uint64_t address, uint32_t data)
{
    kvm_route_pin(gsi, present, address, data);
}

/* Messages of functions by eventfds: those to local APICs. */
static int wire_route(int gsi, uint64_t address, uint32_t data)
{
    return address >> 20 == APIC_BASE_ADDR >> 20 ? kvm_route_msi(gsi, address, data) : -1;
}

const X86Irqchip *kvm_irqchip_of_pc(const AccelOps *accel)
{
    static const X86Irqchip on = {
        .apic = "kvm-apic", .ioapic = "kvm-ioapic", .pic = "kvm-i8259", .pit = "kvm-pit", .set_gsi = set_gsi, .send_msi = send_msi,
    }, split = {
        .apic = "kvm-apic", .ioapic = "ioapic", .pic = "isa-i8259", .send_msi = send_msi, .route = route,
    };

    if (!kvm_enabled(accel) || kvm_irqchip() == KVM_IRQCHIP_OFF) {
        return NULL;
    }
    if (kvm_check_extension(KVM_CAP_IRQFD) && kvm_check_extension(KVM_CAP_IRQ_ROUTING)) {
        static const PciWiring wiring = { .route = wire_route, .release = kvm_route_release, .connect = kvm_irqfd };
        pci_set_wiring(&wiring);
    }
    return kvm_irqchip() == KVM_IRQCHIP_ON ? &on : &split;
}
