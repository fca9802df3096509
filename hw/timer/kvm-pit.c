/*
 * kvm-pit.c: "kvm-pit", the 8254 that the kernel has, and with it port 61h: reset, state for monitors and migration, and the HPET that
 * takes its place.
 *
 * Facts: Linux uapi asm/kvm.h, struct kvm_pit_state2. While the machine stands the kernel's timer is held: what it counts then would
 * come as a burst. Threads: BQL.
 */
#include "hw/i386/pit.h"
#include "hw/isa.h"
#include "softmmu/machine.h"
#include "target/x86/kvm.h"
#include "util/error.h"

enum { N_CHANNELS = 3, RW_BOTH = 3 };

typedef struct KvmPit {
    PitBase base;
    uint32_t iobase;
    char *lost_tick_policy;
    bool irq_off;                 /* the HPET has taken over */
    bool held;                    /* the machine stands, `state` is what goes back */
    struct kvm_pit_state2 state;
} KvmPit;

static void fetch(KvmPit *s)
{
    if (s->held) {
        return;
    }
    int r = kvm_vm_ioctl(KVM_GET_PIT2, &s->state);
    if (r < 0) {
        error_report("KVM: state of the PIT: %s", strerror(-r));
    }
}

static void load(KvmPit *s)
{
    s->state.flags = (s->state.flags & ~(uint32_t)KVM_PIT_FLAGS_HPET_LEGACY) | (s->irq_off ? KVM_PIT_FLAGS_HPET_LEGACY : 0);
    if (s->held) {
        return;
    }
    int r = kvm_vm_ioctl(KVM_SET_PIT2, &s->state);
    if (r < 0) {
        error_report("KVM: state of the PIT: %s", strerror(-r));
    }
}

/* Port 61h is the kernel's, too: the speaker port of ours never asks. */
static void set_gate(Device *pit, unsigned channel, bool level)
{
    KvmPit *s = (KvmPit *)pit;

    fetch(s);
    s->state.channels[channel].gate = level;
    load(s);
}

static bool gate(Device *pit, unsigned channel)
{
    fetch((KvmPit *)pit);
    return ((KvmPit *)pit)->state.channels[channel].gate;
}

static bool out(Device *pit, unsigned channel)
{
    return false;
}

static void hpet_takes_over(void *opaque, int n, int level)
{
    KvmPit *s = opaque;

    if (s->irq_off != (level != 0)) {
        fetch(s);
        s->irq_off = level != 0;
        load(s);
    }
}

static void vm_changed(void *opaque, bool running, RunState state)
{
    KvmPit *s = opaque;

    if (running) {
        s->held = false;
        load(s);
    } else {
        fetch(s);
        s->held = true;
    }
}

static bool kvm_pit_realize(Device *dev, Error **errp)
{
    static const PitOps ops = { .set_gate = set_gate, .gate = gate, .out = out };
    KvmPit *s = (KvmPit *)dev;
    struct kvm_pit_config config = { .flags = KVM_PIT_SPEAKER_DUMMY };
    struct kvm_reinject_control reinject = { .pit_reinject = 1 };
    const char *policy = s->lost_tick_policy ? s->lost_tick_policy : "delay";

    if (!strcmp(policy, "discard")) {
        reinject.pit_reinject = 0;
    } else if (strcmp(policy, "delay")) {
        error_set(errp, "Lost tick policy '%s' is not supported", policy);
        return false;
    }
    s->base.ops = &ops;
    if (x86_kvm_failed("KVM: interval timer", kvm_vm_ioctl(KVM_CREATE_PIT2, &config), errp) ||
        x86_kvm_failed("KVM: lost ticks of the interval timer", kvm_vm_ioctl(KVM_REINJECT_CONTROL, &reinject), errp)) {
        return false;
    }
    vm_add_change_handler(vm_changed, s);
    return true;
}

static void kvm_pit_reset(Device *dev, ResetKind kind)
{
    KvmPit *s = (KvmPit *)dev;

    memset(&s->state, 0, sizeof(s->state));
    for (unsigned i = 0; i < N_CHANNELS; i++) {
        /* A count of 0 is 65536. Gates 0 and 1 are tied high, port 61h drives gate 2. */
        s->state.channels[i] = (struct kvm_pit_channel_state){ .mode = 3, .rw_mode = RW_BOTH, .gate = i != 2 };
    }
    s->irq_off = false;
    load(s);
}

static void pre_save(void *opaque)
{
    fetch(opaque);
}

static bool post_load(void *opaque, uint32_t version, Error **errp)
{
    load(opaque);
    return true;
}

#define CHANNEL(member) \
    { .name = #member, .kind = STATE_UINT, .offset = offsetof(struct kvm_pit_channel_state, member), \
      .elem_size = sizeof(((struct kvm_pit_channel_state *)0)->member) }
static const StateField channel_fields[] = {
    CHANNEL(count), CHANNEL(latched_count), CHANNEL(count_latched), CHANNEL(status_latched), CHANNEL(status), CHANNEL(read_state),
    CHANNEL(write_state), CHANNEL(write_latch), CHANNEL(rw_mode), CHANNEL(mode), CHANNEL(bcd), CHANNEL(gate),
    { .name = "count_load_time", .kind = STATE_UINT, .offset = offsetof(struct kvm_pit_channel_state, count_load_time), .elem_size = 8 },
};
static const StateDesc channel_state = {
    .name = "kvm-pit-channel", .version = 1, .min_version = 1, .fields = channel_fields, .n_fields = ARRAY_SIZE(channel_fields),
};
static const StateField fields[] = {
    { .name = "channel", .kind = STATE_STRUCT, .offset = offsetof(KvmPit, state), .elem_size = sizeof(struct kvm_pit_channel_state),
      .count = N_CHANNELS, .sub = &channel_state },
    STATE_U(KvmPit, irq_off),
};
static const StateDesc kvm_pit_state = {
    .name = "kvm-pit", .version = 1, .min_version = 1, .fields = fields, .n_fields = ARRAY_SIZE(fields), .pre_save = pre_save,
    .post_load = post_load,
};

static const Property props[] = {
    PROP_U32("iobase", KvmPit, iobase, UINT32_MAX, NULL), PROP_STR("lost_tick_policy", KvmPit, lost_tick_policy, "delay or discard"),
};
static const IrqDef irqs_in[] = { { NULL, 1, hpet_takes_over } };
static const IrqDef irqs_out[] = { { NULL, 1, NULL } };

static const DeviceType kvm_pit_type = {
    .type = { .name = "kvm-pit", .parent = "isa-device", .summary = "8254 interval timer in the kernel", .size_bytes = sizeof(KvmPit),
              .props = props, .n_props = ARRAY_SIZE(props) },
    .category = DEVICE_MISC, .bus = "ISA", .irqs_in = irqs_in, .n_irqs_in = 1, .irqs_out = irqs_out, .n_irqs_out = 1,
    .state = &kvm_pit_state, .realize = kvm_pit_realize, .reset_enter = kvm_pit_reset,
};
DEVICE_TYPE_REGISTER(kvm_pit_type);
