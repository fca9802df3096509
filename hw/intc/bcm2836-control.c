/*
 * bcm2836-control.c: the part of a BCM2836 or BCM2837 next to its four processors: interrupts per core, mailboxes, local timer.
 *
 * Broadcom "BCM2836 ARM-local peripherals" (QA7) rev 3.4, chapters 3 and 4. A core's sources: its four generic timers, four mailboxes, the GPU's
 * interrupt (routed to one core), its performance monitor, the local timer. Each goes to IRQ or FIQ.
 *
 * Left out: AXI outstanding counters; the prescaler's effect on the cores' own counters, which run at the rate CNTFRQ says.
 */
#include "hw/device.h"
#include "softmmu/clock.h"

enum {
    N_CORES = 4, N_MAILBOXES = 4, N_TIMERS = 4,
    SRC_MAILBOX = 4, SRC_GPU = 8, SRC_PMU = 9, SRC_LOCAL = 11,
    FIQ_SHIFT = 4,                      /* in timer and mailbox control: the FIQ bits, which win over the IRQ bits below */
    LOCAL_RELOAD = 0xfffffff, LOCAL_ENABLE = 1 << 28, LOCAL_IRQ = 1 << 29,
    LOCAL_FIQ = 4,                      /* in the routing register */
    CRYSTAL_HZ = 19200000, LOCAL_HZ = 2 * CRYSTAL_HZ,
};
#define LOCAL_FLAG (1u << 31)

typedef struct Control {
    Device dev;
    uint32_t control, prescaler, gpu_route, pmu_route, local_route, local;
    uint32_t timer_control[N_CORES], mailbox_control[N_CORES], mailbox[N_CORES * N_MAILBOXES];
    uint32_t lines[N_CORES];            /* levels of the inputs, at their places among the sources */
    uint64_t count_base;                /* value of the core timer at base_ns */
    int64_t base_ns;
    uint32_t count_latch;               /* high half, kept from reading the low one; low half, kept for writing the high one */
    bool gpu_irq, gpu_fiq, local_flag;
    Timer timer;
} Control;

static uint32_t pending(const Control *s, unsigned core)
{
    uint32_t src = s->lines[core];

    for (unsigned i = 0; i < N_MAILBOXES; i++) {
        src |= s->mailbox[core * N_MAILBOXES + i] ? 1u << (SRC_MAILBOX + i) : 0;
    }
    return src;
}

/* What of the enabled sources goes to IRQ (fiq false) or FIQ. */
static uint32_t sources(const Control *s, unsigned core, bool fiq)
{
    uint32_t t = s->timer_control[core], m = s->mailbox_control[core];
    uint32_t mask = fiq ? (t >> FIQ_SHIFT & 15) | (m >> FIQ_SHIFT & 15) << SRC_MAILBOX
                        : (t & ~(t >> FIQ_SHIFT) & 15) | (m & ~(m >> FIQ_SHIFT) & 15) << SRC_MAILBOX;
    uint32_t pmu = fiq ? s->pmu_route >> 4 : s->pmu_route & ~(s->pmu_route >> 4);
    uint32_t src;

    if (pmu >> core & 1) {
        mask |= 1u << SRC_PMU;
    }
    src = pending(s, core) & mask;
    if ((s->gpu_route >> (fiq ? 2 : 0) & 3) == core && (fiq ? s->gpu_fiq : s->gpu_irq)) {
        src |= 1u << SRC_GPU;
    }
    if (s->local_flag && (s->local & LOCAL_IRQ) && (s->local_route & 3) == core && ((s->local_route & LOCAL_FIQ) != 0) == fiq) {
        src |= 1u << SRC_LOCAL;
    }
    return src;
}

static void update(Control *s)
{
    for (unsigned core = 0; core < N_CORES; core++) {
        device_set_irq(&s->dev, "irq", core, sources(s, core, false) != 0);
        device_set_irq(&s->dev, "fiq", core, sources(s, core, true) != 0);
    }
}

static void set_line(Control *s, unsigned core, unsigned bit, int level)
{
    s->lines[core] = level ? s->lines[core] | 1u << bit : s->lines[core] & ~(1u << bit);
    update(s);
}

static void cntps_irq(void *opaque, int n, int level)  { set_line(opaque, (unsigned)n, 0, level); }
static void cntpns_irq(void *opaque, int n, int level) { set_line(opaque, (unsigned)n, 1, level); }
static void cnthp_irq(void *opaque, int n, int level)  { set_line(opaque, (unsigned)n, 2, level); }
static void cntv_irq(void *opaque, int n, int level)   { set_line(opaque, (unsigned)n, 3, level); }
static void pmu_irq(void *opaque, int n, int level)    { set_line(opaque, (unsigned)n, SRC_PMU, level); }

static void gpu_irq(void *opaque, int n, int level)
{
    ((Control *)opaque)->gpu_irq = level != 0;
    update(opaque);
}

static void gpu_fiq(void *opaque, int n, int level)
{
    ((Control *)opaque)->gpu_fiq = level != 0;
    update(opaque);
}

/* -- core timer (3.1.3) ---------------------------------------------------------------------------------------------- */

/* 19.2 MHz * prescaler / 2^31. */
static uint64_t count(const Control *s)
{
    uint64_t ns = (uint64_t)(clock_get_ns(VM_CLOCK_VIRTUAL) - s->base_ns);
    unsigned __int128 ticks = (unsigned __int128)ns * CRYSTAL_HZ / NS_PER_SECOND;

    return s->count_base + (uint64_t)(ticks * s->prescaler >> 31);
}

static void count_set(Control *s, uint64_t value)
{
    s->count_base = value;
    s->base_ns = clock_get_ns(VM_CLOCK_VIRTUAL);
}

static void prescaler_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    Control *s = (Control *)dev;

    count_set(s, count(s));
    s->prescaler = (uint32_t)value;
}

static uint64_t count_low_read(Device *dev, const Register *reg, unsigned index)
{
    Control *s = (Control *)dev;
    uint64_t now = count(s);

    s->count_latch = (uint32_t)(now >> 32);
    return (uint32_t)now;
}

static uint64_t count_high_read(Device *dev, const Register *reg, unsigned index)
{
    return ((Control *)dev)->count_latch;
}

static void count_low_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    ((Control *)dev)->count_latch = (uint32_t)value;
}

static void count_high_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    Control *s = (Control *)dev;

    count_set(s, value << 32 | s->count_latch);
}

/* -- local timer (4.11) ---------------------------------------------------------------------------------------------- */

static void local_arm(Control *s)
{
    uint64_t ticks = s->local & LOCAL_RELOAD;

    /* A reload value of nought would fire all the time: the counter needs one tick at least. */
    if (s->local & LOCAL_ENABLE && ticks) {
        timer_set_ns(&s->timer, clock_get_ns(VM_CLOCK_VIRTUAL) + (int64_t)(ticks * NS_PER_SECOND / LOCAL_HZ));
    } else {
        timer_cancel(&s->timer);
    }
}

static void local_fires(void *opaque)
{
    Control *s = opaque;

    s->local_flag = true;
    local_arm(s);
    update(s);
}

static uint64_t local_read(Device *dev, const Register *reg, unsigned index)
{
    Control *s = (Control *)dev;

    return s->local | (s->local_flag ? LOCAL_FLAG : 0);
}

static void local_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    Control *s = (Control *)dev;
    bool was_on = s->local & LOCAL_ENABLE;

    s->local = (uint32_t)value & (LOCAL_RELOAD | LOCAL_ENABLE | LOCAL_IRQ);
    if (!was_on || !(s->local & LOCAL_ENABLE)) { /* a running one goes on with its present period */
        local_arm(s);
    }
    update(s);
}

static void local_clear(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    Control *s = (Control *)dev;

    if (value & 1u << 30) {
        local_arm(s);
    }
    if (value & 1u << 31) {
        s->local_flag = false;
        update(s);
    }
}

/* -- other registers -------------------------------------------------------------------------------------------------- */

static void control_changed(Device *dev, const Register *reg, unsigned index, uint64_t old)
{
    update((Control *)dev);
}

static void pmu_set(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    Control *s = (Control *)dev;

    s->pmu_route = reg->aux ? s->pmu_route & ~(uint32_t)value : s->pmu_route | ((uint32_t)value & 0xff);
    update(s);
}

static uint64_t pmu_read(Device *dev, const Register *reg, unsigned index)
{
    return ((Control *)dev)->pmu_route;
}

static uint64_t source_read(Device *dev, const Register *reg, unsigned index)
{
    return sources((Control *)dev, index, reg->aux);
}

static void mailbox_set(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    ((Control *)dev)->mailbox[index] |= (uint32_t)value;
    update((Control *)dev);
}

static const Register control_regs[] = {
    { .name = "CONTROL", .offset = 0x00, .size = 4, REGISTER_FIELD(Control, control), .write_mask = 0x300 },
    { .name = "CORE_TIMER_PRESCALER", .offset = 0x08, .size = 4, REGISTER_FIELD(Control, prescaler), .write = prescaler_write },
    { .name = "GPU_INT_ROUTING", .offset = 0x0c, .size = 4, REGISTER_FIELD(Control, gpu_route), .write_mask = 0xf, .changed = control_changed },
    { .name = "PMU_ROUTING_SET", .offset = 0x10, .size = 4, .read = pmu_read, .write = pmu_set },
    { .name = "PMU_ROUTING_CLR", .offset = 0x14, .size = 4, .write = pmu_set, .write_only = true, .aux = 1 },
    { .name = "CORE_TIMER_LS", .offset = 0x1c, .size = 4, .read = count_low_read, .write = count_low_write },
    { .name = "CORE_TIMER_MS", .offset = 0x20, .size = 4, .read = count_high_read, .write = count_high_write },
    { .name = "LOCAL_INT_ROUTING", .offset = 0x24, .size = 4, REGISTER_FIELD(Control, local_route), .write_mask = 7, .changed = control_changed },
    { .name = "LOCAL_TIMER", .offset = 0x34, .size = 4, .read = local_read, .write = local_write },
    { .name = "LOCAL_TIMER_CLR", .offset = 0x38, .size = 4, .write = local_clear, .write_only = true },
    { .name = "CORE_TIMER_INT", .offset = 0x40, .size = 4, .count = N_CORES, REGISTER_ARRAY(Control, timer_control), .write_mask = 0xff,
      .changed = control_changed },
    { .name = "CORE_MAILBOX_INT", .offset = 0x50, .size = 4, .count = N_CORES, REGISTER_ARRAY(Control, mailbox_control), .write_mask = 0xff,
      .changed = control_changed },
    { .name = "IRQ_SOURCE", .offset = 0x60, .size = 4, .count = N_CORES, .read = source_read, .read_only = true },
    { .name = "FIQ_SOURCE", .offset = 0x70, .size = 4, .count = N_CORES, .read = source_read, .read_only = true, .aux = 1 },
    { .name = "MAILBOX_SET", .offset = 0x80, .size = 4, .count = N_CORES * N_MAILBOXES, .write = mailbox_set, .write_only = true },
    { .name = "MAILBOX_CLR", .offset = 0xc0, .size = 4, .count = N_CORES * N_MAILBOXES, REGISTER_ARRAY(Control, mailbox),
      .w1c_mask = 0xffffffff, .changed = control_changed },
};

static const RegisterBank control_banks[] = {
    { .name = "bcm2836-control", .size_bytes = 0x100, .access_min = 1, .access_max = 8, .regs = control_regs, .n_regs = ARRAY_SIZE(control_regs) },
};

static bool control_realize(Device *dev, Error **errp)
{
    Control *s = (Control *)dev;

    timer_init(&s->timer, VM_CLOCK_VIRTUAL, local_fires, s);
    return true;
}

static void control_unrealize(Device *dev)
{
    timer_cancel(&((Control *)dev)->timer);
}

static void control_reset_enter(Device *dev, ResetKind kind)
{
    Control *s = (Control *)dev;

    timer_cancel(&s->timer);
    s->local = s->pmu_route = s->count_latch = 0;
    s->local_flag = false;
    count_set(s, 0);
}

static void control_reset_hold(Device *dev, ResetKind kind)
{
    update((Control *)dev);
}

static bool control_post_load(void *opaque, uint32_t version, Error **errp)
{
    update(opaque);
    return true;
}

static const StateField control_fields[] = {
    STATE_U_ARRAY(Control, lines), STATE_U(Control, pmu_route), STATE_U(Control, local), STATE_U(Control, count_base), STATE_U(Control, base_ns),
    STATE_U(Control, count_latch), STATE_U(Control, gpu_irq), STATE_U(Control, gpu_fiq), STATE_U(Control, local_flag),
    STATE_TIMER_FIELD(Control, timer),
};

static const StateDesc control_state = {
    .name = "bcm2836-control", .version = 1, .min_version = 1, .fields = control_fields, .n_fields = ARRAY_SIZE(control_fields),
    .post_load = control_post_load,
};

static const IrqDef control_in[] = {
    { .name = "cntpsirq", .count = N_CORES, .handler = cntps_irq }, { .name = "cntpnsirq", .count = N_CORES, .handler = cntpns_irq },
    { .name = "cnthpirq", .count = N_CORES, .handler = cnthp_irq }, { .name = "cntvirq", .count = N_CORES, .handler = cntv_irq },
    { .name = "pmuirq", .count = N_CORES, .handler = pmu_irq }, { .name = "gpu-irq", .count = 1, .handler = gpu_irq },
    { .name = "gpu-fiq", .count = 1, .handler = gpu_fiq },
};
static const IrqDef control_out[] = { { .name = "irq", .count = N_CORES }, { .name = "fiq", .count = N_CORES } };

static const DeviceType control_type = {
    .type = { .name = "bcm2836-control", .parent = "sys-bus-device", .summary = "BCM2836 local interrupts and timers", .size_bytes = sizeof(Control) },
    .category = DEVICE_MISC, .bus = "System", .banks = control_banks, .n_banks = ARRAY_SIZE(control_banks),
    .irqs_in = control_in, .n_irqs_in = ARRAY_SIZE(control_in), .irqs_out = control_out, .n_irqs_out = ARRAY_SIZE(control_out),
    .state = &control_state, .realize = control_realize, .unrealize = control_unrealize, .reset_enter = control_reset_enter,
    .reset_hold = control_reset_hold,
};
DEVICE_TYPE_REGISTER(control_type);
