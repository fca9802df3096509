/*
 * kvm-i8259.c: "kvm-i8259", one of the two 8259As that the kernel has: reset, and state for monitors and migration.
 *
 * Facts: Linux uapi asm/kvm.h, struct kvm_pic_state. Threads: BQL.
 */
#include "hw/i386/pic-state.h"
#include "target/x86/kvm.h"

static struct kvm_irqchip empty(const Pic *s)
{
    return (struct kvm_irqchip){ .chip_id = s->master ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE };
}

static void fetch(Pic *s)
{
    struct kvm_irqchip chip = empty(s);
    const struct kvm_pic_state *k = &chip.chip.pic;
    int r = kvm_vm_ioctl(KVM_GET_IRQCHIP, &chip);

    if (r < 0) {
        error_report("KVM: state of an 8259: %s", strerror(-r));
        return;
    }
    s->irr = k->irr;
    s->lines = k->last_irr;
    s->imr = k->imr;
    s->isr = k->isr;
    s->elcr = k->elcr & s->elcr_mask;
    s->base = k->irq_base & 0xf8;
    s->icw1 = k->init4 ? ICW1 | ICW1_ICW4 : ICW1;
    s->icw4 = (uint8_t)((k->auto_eoi ? ICW4_AUTO_EOI : 0) | (k->special_fully_nested_mode ? ICW4_SFNM : 0) | ICW4_8086);
    s->init_step = (uint8_t)(k->init_state ? k->init_state + 1 : 0);
    s->lowest = (k->priority_add + 7) & 7;
    s->read_isr = k->read_reg_select;
    s->poll = k->poll;
    s->special_mask = k->special_mask;
    s->rotate_auto_eoi = k->rotate_on_auto_eoi;
}

static void load(Pic *s)
{
    struct kvm_irqchip chip = empty(s);
    int r;

    chip.chip.pic = (struct kvm_pic_state){
        .last_irr = s->lines, .irr = s->irr, .imr = s->imr, .isr = s->isr, .priority_add = (s->lowest + 1) & 7, .irq_base = s->base,
        .read_reg_select = s->read_isr, .poll = s->poll, .special_mask = s->special_mask,
        .init_state = (uint8_t)(s->init_step ? s->init_step - 1 : 0), .auto_eoi = (s->icw4 & ICW4_AUTO_EOI) != 0,
        .rotate_on_auto_eoi = s->rotate_auto_eoi, .special_fully_nested_mode = (s->icw4 & ICW4_SFNM) != 0,
        .init4 = (s->icw1 & ICW1_ICW4) != 0, .elcr = s->elcr, .elcr_mask = s->elcr_mask,
    };
    r = kvm_vm_ioctl(KVM_SET_IRQCHIP, &chip);
    if (r < 0) {
        error_report("KVM: state of an 8259: %s", strerror(-r));
    }
}

static bool kvm_pic_realize(Device *dev, Error **errp)
{
    Pic *s = (Pic *)dev;

    s->fetch = fetch;
    s->load = load;
    return true;
}

static void kvm_pic_reset(Device *dev, ResetKind kind)
{
    Pic *s = (Pic *)dev;

    i8259_power_up(s);
    s->elcr = 0;
    load(s);
}

/* The chip comes last: the kernel gets everything when that has been read. */
static const StateField fields[] = {
    STATE_U(Pic, elcr), { .name = "chip", .kind = STATE_STRUCT, .offset = 0, .elem_size = sizeof(Pic), .sub = &i8259_state },
};
static const StateDesc kvm_pic_state = {
    .name = "kvm-i8259", .version = 1, .min_version = 1, .fields = fields, .n_fields = ARRAY_SIZE(fields),
};

static const DeviceType kvm_pic_type = {
    .type = { .name = "kvm-i8259", .parent = "isa-device", .summary = "8259A interrupt controller in the kernel", .size_bytes = sizeof(Pic),
              .props = i8259_props, .n_props = I8259_N_PROPS },
    .category = DEVICE_MISC, .bus = "ISA", .state = &kvm_pic_state, .realize = kvm_pic_realize, .reset_enter = kvm_pic_reset,
};
DEVICE_TYPE_REGISTER(kvm_pic_type);
