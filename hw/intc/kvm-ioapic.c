/*
 * kvm-ioapic.c: "kvm-ioapic", the I/O APIC that the kernel has: reset, and state for monitors and migration.
 *
 * Facts: Linux uapi asm/kvm.h, struct kvm_ioapic_state. Threads: BQL.
 */
#include "hw/i386/apic-state.h"
#include "target/x86/kvm.h"

enum { KERNEL_VERSION = 0x11 };

static void fetch(IoApic *s)
{
    struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_IOAPIC };
    int r = kvm_vm_ioctl(KVM_GET_IRQCHIP, &chip);

    if (r < 0) {
        error_report("KVM: state of the I/O APIC: %s", strerror(-r));
        return;
    }
    s->id = (uint8_t)chip.chip.ioapic.id;
    s->select = (uint8_t)chip.chip.ioapic.ioregsel;
    s->irr = chip.chip.ioapic.irr;
    for (unsigned n = 0; n < IOAPIC_PINS; n++) {
        s->table[n] = chip.chip.ioapic.redirtbl[n].bits;
    }
}

static void load(IoApic *s)
{
    struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_IOAPIC };
    int r;

    chip.chip.ioapic.base_address = IOAPIC_ADDR;
    chip.chip.ioapic.id = s->id;
    chip.chip.ioapic.ioregsel = s->select;
    chip.chip.ioapic.irr = s->irr;
    for (unsigned n = 0; n < IOAPIC_PINS; n++) {
        chip.chip.ioapic.redirtbl[n].bits = s->table[n];
    }
    r = kvm_vm_ioctl(KVM_SET_IRQCHIP, &chip);
    if (r < 0) {
        error_report("KVM: state of the I/O APIC: %s", strerror(-r));
    }
}

static bool kvm_ioapic_realize(Device *dev, Error **errp)
{
    IoApic *s = (IoApic *)dev;

    s->version = KERNEL_VERSION;
    s->fetch = fetch;
    s->load = load;
    return true;
}

static void kvm_ioapic_reset(Device *dev, ResetKind kind)
{
    IoApic *s = (IoApic *)dev;

    ioapic_power_up(s);
    load(s);
}

static const DeviceType kvm_ioapic_type = {
    .type = { .name = "kvm-ioapic", .parent = "sys-bus-device", .summary = "I/O APIC in the kernel", .size_bytes = sizeof(IoApic) },
    .category = DEVICE_MISC, .bus = "System", .state = &ioapic_state, .realize = kvm_ioapic_realize, .reset_enter = kvm_ioapic_reset,
};
DEVICE_TYPE_REGISTER(kvm_ioapic_type);
