/*
 * i6300esb.c: Intel 6300ESB watchdog timer.
 *
 * Two stages count down one after the other; the first interrupts (or nothing), the second ends in the action of
 * -action watchdog=. Registers are unlocked for one write by 0x80 and 0x86 at the reload register.
 * Specification: Intel 6300ESB I/O Controller Hub datasheet (300641), chapter 16. The clock is 33 MHz over 2^15 or 2^5.
 */
#include "hw/pci.h"
#include "softmmu/clock.h"
#include "softmmu/machine.h"
#include "util/log.h"

enum {
    CONFIG = 0x60, LOCK = 0x68, TIMER1 = 0x00, TIMER2 = 0x04, GENERAL_INT = 0x08, RELOAD = 0x0c, BANK_BYTES = 0x10,
    CONFIG_REBOOT = 0x20, CONFIG_FREQ = 0x04, CONFIG_INT_TYPE = 3, LOCK_FREE_RUN = 4, LOCK_ENABLE = 2, LOCK_LOCKED = 1,
    RELOAD_DO = 0x100, RELOAD_TIMEOUT = 0x200,
};

typedef struct Esb {
    PciDevice pci;
    MemoryRegion mmio;
    Timer timer;
    uint32_t preload[2];
    uint8_t enabled, locked, free_run, reboot, fast, int_type, stage, unlock, int_active, expired;
} Esb;

static void restart(Esb *s, unsigned stage)
{
    uint64_t clocks = ((uint64_t)s->preload[stage] + 1) << (s->fast ? 5 : 15);

    s->stage = (uint8_t)stage;
    timer_cancel(&s->timer);
    if (s->enabled) {
        timer_set_ns(&s->timer, clock_get_ns(VM_CLOCK_VIRTUAL) + (int64_t)(clocks * 30));
    }
}

static void fire(void *opaque)
{
    Esb *s = opaque;

    if (s->stage == 0) {
        if (s->int_type == 0) {
            s->int_active = 1;
            pci_set_irq(&s->pci, 1);
        }
        restart(s, 1);
        return;
    }
    s->expired = 1;
    if (s->reboot) {
        machine_request_watchdog();
    }
    if (s->free_run) {
        restart(s, 0);
    }
}

static MemResult esb_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    Esb *s = opaque;

    *ret = offset == GENERAL_INT ? s->int_active : offset == RELOAD ? (s->expired ? RELOAD_TIMEOUT : 0) : 0;
    return MEM_OK;
}

static MemResult esb_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    Esb *s = opaque;

    if (offset == RELOAD && value == 0x80) {
        s->unlock = 1;
    } else if (offset == RELOAD && value == 0x86 && s->unlock == 1) {
        s->unlock = 2;
    } else {
        if (s->unlock == 2) {
            switch (offset) {
            case TIMER1: case TIMER2:
                s->preload[offset / 4] = (uint32_t)value & 0xfffff;
                break;
            case GENERAL_INT:
                if (value & 1) {
                    s->int_active = 0;
                    pci_set_irq(&s->pci, 0);
                }
                break;
            case RELOAD:
                if (value & RELOAD_TIMEOUT) {
                    s->expired = 0;
                }
                if (value & RELOAD_DO) {
                    restart(s, 0);
                }
                break;
            }
        }
        s->unlock = 0;
    }
    return MEM_OK;
}

static const MemoryOps esb_ops = { .read = esb_read, .write = esb_write, .valid = { 1, 4, false }, .impl = { 4, 4, false } };

static void config_written(PciDevice *pci, unsigned offset, unsigned size)
{
    Esb *s = (Esb *)pci;

    if (offset <= CONFIG && offset + size > CONFIG) {
        uint8_t v = pci->config[CONFIG];
        s->reboot = !(v & CONFIG_REBOOT);
        s->fast = (v & CONFIG_FREQ) != 0;
        s->int_type = v & CONFIG_INT_TYPE;
    }
    if (offset <= LOCK && offset + size > LOCK && !s->locked) {
        uint8_t v = pci->config[LOCK];
        bool was = s->enabled;
        s->locked = v & LOCK_LOCKED;
        s->free_run = (v & LOCK_FREE_RUN) != 0;
        s->enabled = (v & LOCK_ENABLE) != 0;
        if (!was && s->enabled) {
            restart(s, 0);
        } else if (!s->enabled) {
            timer_cancel(&s->timer);
        }
    }
    pci->config[LOCK] = (uint8_t)((s->free_run ? LOCK_FREE_RUN : 0) | (s->enabled ? LOCK_ENABLE : 0) | (s->locked ? LOCK_LOCKED : 0));
}

static void esb_reset(PciDevice *pci)
{
    Esb *s = (Esb *)pci;

    timer_cancel(&s->timer);
    s->preload[0] = s->preload[1] = 0xfffff;
    s->enabled = s->locked = s->free_run = s->fast = s->int_type = s->stage = s->unlock = s->int_active = 0;
    s->reboot = 1; /* s->expired survives: software reads it after the reset */
    pci->config[CONFIG] = pci->config[CONFIG + 1] = pci->config[LOCK] = 0;
}

static bool esb_realize(PciDevice *pci, Error **errp)
{
    Esb *s = (Esb *)pci;

    timer_init(&s->timer, VM_CLOCK_VIRTUAL, fire, s);
    pci->config[PCI_INTERRUPT_PIN] = 1;
    pci->write_mask[CONFIG] = 0x27;
    pci->write_mask[LOCK] = 0x07;
    memory_region_init_mmio(&s->mmio, &pci->dev.obj, &esb_ops, s, "i6300esb", BANK_BYTES);
    pci_add_bar(pci, 0, PCI_BAR_MEMORY, &s->mmio);
    return true;
}

static void esb_unrealize(PciDevice *pci)
{
    timer_cancel(&((Esb *)pci)->timer);
}

static const PciType esb_pci = {
    .vendor = 0x8086, .device = 0x25ab, .class_code = 0x0880, .realize = esb_realize, .unrealize = esb_unrealize, .reset = esb_reset,
    .config_written = config_written,
};

static const StateField esb_fields[] = {
    { .name = "pci", .kind = STATE_STRUCT, .offset = 0, .elem_size = sizeof(PciDevice), .sub = &pci_state },
    STATE_TIMER_FIELD(Esb, timer), STATE_U_ARRAY(Esb, preload), STATE_U(Esb, enabled), STATE_U(Esb, locked), STATE_U(Esb, free_run),
    STATE_U(Esb, reboot), STATE_U(Esb, fast), STATE_U(Esb, int_type), STATE_U(Esb, stage), STATE_U(Esb, unlock), STATE_U(Esb, int_active),
    STATE_U(Esb, expired),
};

static bool esb_post_load(void *opaque, uint32_t version, Error **errp)
{
    Esb *s = opaque;

    if (s->stage > 1 || s->preload[0] > 0xfffff || s->preload[1] > 0xfffff) {
        error_set(errp, "i6300esb: stage %u", s->stage);
        return false;
    }
    return true;
}

static const StateDesc esb_state = {
    .name = "i6300esb", .version = 1, .fields = esb_fields, .n_fields = ARRAY_SIZE(esb_fields), .post_load = esb_post_load,
};

static const DeviceType esb_type = {
    .type = { .name = "i6300esb", .parent = "pci-device", .size_bytes = sizeof(Esb), .summary = "Intel 6300ESB", .class_data = &esb_pci },
    .category = DEVICE_WATCHDOG, .state = &esb_state, .user_creatable = true, PCI_DEVICE_HOOKS,
};
DEVICE_TYPE_REGISTER(esb_type);
