/*
 * exynos4210_mct.c: the multi core timer of Exynos 4210: a 64-bit counter with four comparators, and two local timers with two counters each.
 *
 * Samsung Exynos 4210 user's manual, chapter "Multi core timer"; Linux' samsung,exynos4210-mct binding (order of the interrupts: four comparators, two local timers).
 * The global counter is the guest's time at 24 MHz, plus what was written to it. A local timer's tick counter (TCNTB) divides its interrupt counter (ICNTB); an
 * interrupt comes after (TCNTB + 1) * (ICNTB + 1) ticks.
 *
 * Left out: the local timers' free running counters (FRCNTB, FRCNTO: said with -d unimp), halting the global counter while the debugger holds a processor.
 * Threads: BQL.
 */
#include "hw/device.h"
#include "softmmu/clock.h"
#include "util/log.h"

enum {
    N_COMPARATORS = 4, N_LOCAL = 2, IRQ_LOCAL = 4,
    TCON_ENABLE = 1 << 8, TCON_COMP = 1, TCON_AUTO = 2, TCON_MASK = 0x1ff,
    CNT_WSTAT_LOW = 1, CNT_WSTAT_HIGH = 2, WSTAT_TCON = 1 << 16,
    L_TIMER = 1, L_INTERRUPT = 2, L_INTERVAL = 4, L_FREE = 8,
    L_WSTAT_TCNTB = 1, L_WSTAT_ICNTB = 2, L_WSTAT_FRCNTB = 4, L_WSTAT_TCON = 8, L_ICNT = 1,
    LOCAL_AT = 0x300, LOCAL_STRIDE = 0x100,
};
#define CLOCK_HZ UINT64_C(24000000)
#define ICNTB_UPDATE (1u << 31)

typedef struct MctLocal {
    Device *dev;
    unsigned index;
    Timer timer;
    uint32_t tcntb, icntb, frcntb, tcon, pending, enable, wstat;
    int64_t since_ns;  /* the round that is under way began */
} MctLocal;

typedef struct MctComparator {
    Device *dev;
    unsigned index;
    Timer timer;
} MctComparator;

typedef struct Mct {
    Device dev;
    uint64_t offset;     /* of the counter from guest time */
    uint64_t stopped_at; /* its value while it does not run */
    uint32_t cnt_wstat, tcon, g_pending, g_enable, wstat;
    uint32_t done;       /* comparators that have had their value */
    uint64_t comp[N_COMPARATORS];
    uint32_t incr[N_COMPARATORS];
    MctComparator comparator[N_COMPARATORS];
    MctLocal local[N_LOCAL];
} Mct;

static uint64_t ticks(int64_t ns)
{
    return (uint64_t)((unsigned __int128)ns * CLOCK_HZ / NS_PER_SECOND);
}

/* The first nanosecond of a tick. */
static int64_t ns_of(uint64_t tick)
{
    unsigned __int128 ns = ((unsigned __int128)tick * NS_PER_SECOND + CLOCK_HZ - 1) / CLOCK_HZ;

    return ns > INT64_MAX ? INT64_MAX : (int64_t)ns;
}

/* -- the global counter ------------------------------------------------------------------------------------------------------------ */

static uint64_t counter(const Mct *s)
{
    return s->tcon & TCON_ENABLE ? ticks(clock_get_ns(VM_CLOCK_VIRTUAL)) + s->offset : s->stopped_at;
}

static void counter_set(Mct *s, uint64_t value)
{
    s->stopped_at = value;
    s->offset = value - ticks(clock_get_ns(VM_CLOCK_VIRTUAL));
}

static bool runs(const Mct *s, unsigned n)
{
    return (s->tcon & TCON_ENABLE) && (s->tcon >> 2 * n & TCON_COMP);
}

static void comparator_arm(Mct *s, unsigned n)
{
    uint64_t now = counter(s);

    device_set_irq(&s->dev, "sysbus-irq", n, (s->g_pending & s->g_enable) >> n & 1);
    if (!runs(s, n) || s->comp[n] < now) { /* what is over does not come again for 24,000 years */
        timer_cancel(&s->comparator[n].timer);
    } else {
        timer_set_ns(&s->comparator[n].timer, ns_of(s->comp[n] - s->offset));
    }
}

static void comparator_fires(void *opaque)
{
    MctComparator *c = opaque;
    Mct *s = (Mct *)c->dev;
    uint64_t now = counter(s);

    if (runs(s, c->index) && s->comp[c->index] <= now) {
        s->g_pending |= 1u << c->index;
        s->done |= 1u << c->index;
        if ((s->tcon >> 2 * c->index & TCON_AUTO) && s->incr[c->index]) {
            s->done &= ~(1u << c->index);
            s->comp[c->index] += (1 + (now - s->comp[c->index]) / s->incr[c->index]) * s->incr[c->index];
        }
    }
    comparator_arm(s, c->index);
}

static void all_arm(Mct *s)
{
    for (unsigned n = 0; n < N_COMPARATORS; n++) {
        comparator_arm(s, n);
    }
}

static uint64_t count_read(Device *dev, const Register *reg, unsigned index)
{
    return (uint32_t)(counter((Mct *)dev) >> 32 * index);
}

static void count_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    Mct *s = (Mct *)dev;
    uint64_t now = counter(s), half = index ? UINT64_C(0xffffffff) << 32 : UINT32_MAX;

    counter_set(s, (now & ~half) | value << 32 * index);
    s->cnt_wstat |= index ? CNT_WSTAT_HIGH : CNT_WSTAT_LOW;
    all_arm(s);
}

/* aux: 0 and 1 are the halves, 2 the increment. */
static uint64_t comp_read(Device *dev, const Register *reg, unsigned index)
{
    Mct *s = (Mct *)dev;

    return reg->aux == 2 ? s->incr[index] : (uint32_t)(s->comp[index] >> 32 * reg->aux);
}

static void comp_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    Mct *s = (Mct *)dev;

    if (reg->aux == 2) {
        s->incr[index] = (uint32_t)value;
    } else {
        uint64_t half = reg->aux ? UINT64_C(0xffffffff) << 32 : UINT32_MAX;
        s->comp[index] = (s->comp[index] & ~half) | value << 32 * reg->aux;
    }
    s->wstat |= 1u << (3 * index + reg->aux);
    s->done &= ~(1u << index);
    comparator_arm(s, index);
}

static void tcon_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    Mct *s = (Mct *)dev;
    uint64_t now = counter(s);

    s->tcon = (uint32_t)value & TCON_MASK;
    counter_set(s, now);
    s->wstat |= WSTAT_TCON;
    all_arm(s);
    for (unsigned n = 0; n < N_COMPARATORS; n++) { /* a slow guest may enable it when its time is over */
        if (!(s->done >> n & 1) && s->comp[n] <= now) {
            comparator_fires(&s->comparator[n]);
        }
    }
}

static void global_changed(Device *dev, const Register *reg, unsigned index, uint64_t old)
{
    all_arm((Mct *)dev);
}

/* -- the local timers ------------------------------------------------------------------------------------------------------------- */

static uint64_t round_ticks(const MctLocal *l)
{
    return ((uint64_t)l->tcntb + 1) * ((l->icntb & ~ICNTB_UPDATE) + UINT64_C(1));
}

static bool local_runs(const MctLocal *l)
{
    return (l->tcon & (L_TIMER | L_INTERRUPT)) == (L_TIMER | L_INTERRUPT);
}

static void local_arm(MctLocal *l)
{
    device_set_irq(l->dev, "sysbus-irq", IRQ_LOCAL + l->index, (l->pending & l->enable) != 0);
    if (local_runs(l)) {
        int64_t ns = ns_of(round_ticks(l));
        timer_set_ns(&l->timer, ns > INT64_MAX / 2 ? INT64_MAX / 2 : l->since_ns + ns);
    } else {
        timer_cancel(&l->timer);
    }
}

static void local_fires(void *opaque)
{
    MctLocal *l = opaque;
    int64_t round = MAX(ns_of(round_ticks(l)), 1), now = clock_get_ns(VM_CLOCK_VIRTUAL);

    if (local_runs(l)) {
        l->pending |= L_ICNT;
        if (l->tcon & L_INTERVAL) {
            l->since_ns += (now - l->since_ns) / round * round; /* what was missed is one interrupt */
        } else {
            l->tcon &= ~L_INTERRUPT;
        }
    }
    local_arm(l);
}

static MctLocal *local_of(Device *dev, const Register *reg)
{
    return &((Mct *)dev)->local[(reg->offset - LOCAL_AT) / LOCAL_STRIDE];
}

static void local_restart(MctLocal *l)
{
    l->since_ns = clock_get_ns(VM_CLOCK_VIRTUAL);
    local_arm(l);
}

static void tcntb_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    MctLocal *l = local_of(dev, reg);

    l->tcntb = (uint32_t)value;
    l->wstat |= L_WSTAT_TCNTB;
    local_restart(l);
}

static void icntb_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    MctLocal *l = local_of(dev, reg);

    l->icntb = (uint32_t)value & ~ICNTB_UPDATE;
    l->wstat |= L_WSTAT_ICNTB;
    if (value & ICNTB_UPDATE) { /* else from the next round on, which begins when the timer is started */
        local_restart(l);
    }
}

static void frcntb_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    local_of(dev, reg)->frcntb = (uint32_t)value;
    local_of(dev, reg)->wstat |= L_WSTAT_FRCNTB;
}

static void local_tcon_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    MctLocal *l = local_of(dev, reg);
    bool ran = local_runs(l);

    if (value & L_FREE) {
        log_unimp("exynos4210.mct: free running counter of a local timer\n");
    }
    l->tcon = (uint32_t)value & 0xf;
    l->wstat |= L_WSTAT_TCON;
    if (ran) {
        local_arm(l);
    } else {
        local_restart(l);
    }
}

/* Counts down within a round. */
static uint64_t tcnto_read(Device *dev, const Register *reg, unsigned index)
{
    MctLocal *l = local_of(dev, reg);
    uint64_t gone = local_runs(l) ? ticks(MAX(clock_get_ns(VM_CLOCK_VIRTUAL) - l->since_ns, 0)) % round_ticks(l) : 0;
    uint64_t tick_round = (uint64_t)l->tcntb + 1;

    return reg->aux ? (l->icntb & ~ICNTB_UPDATE) - gone / tick_round : l->tcntb - gone % tick_round;
}

static void local_changed(Device *dev, const Register *reg, unsigned index, uint64_t old)
{
    local_arm(local_of(dev, reg));
}

/* -- the table -------------------------------------------------------------------------------------------------------------------- */

#define LOCAL(n, at)                                                                                                                          \
    { .name = "TCNTB", .offset = at, .size = 4, REGISTER_FIELD(Mct, local[n].tcntb), .write = tcntb_write },                                  \
    { .name = "TCNTO", .offset = at + 0x04, .size = 4, .read = tcnto_read, .read_only = true },                                               \
    { .name = "ICNTB", .offset = at + 0x08, .size = 4, REGISTER_FIELD(Mct, local[n].icntb), .write = icntb_write },                           \
    { .name = "ICNTO", .offset = at + 0x0c, .size = 4, .read = tcnto_read, .read_only = true, .aux = 1 },                                     \
    { .name = "FRCNTB", .offset = at + 0x10, .size = 4, REGISTER_FIELD(Mct, local[n].frcntb), .write = frcntb_write },                        \
    { .name = "FRCNTO", .offset = at + 0x14, .size = 4, .read_only = true },                                                                  \
    { .name = "TCON", .offset = at + 0x20, .size = 4, REGISTER_FIELD(Mct, local[n].tcon), .write = local_tcon_write },                        \
    { .name = "INT_CSTAT", .offset = at + 0x30, .size = 4, REGISTER_FIELD(Mct, local[n].pending), .w1c_mask = 3, .changed = local_changed },  \
    { .name = "INT_ENB", .offset = at + 0x34, .size = 4, REGISTER_FIELD(Mct, local[n].enable), .write_mask = 3, .changed = local_changed },   \
    { .name = "WSTAT", .offset = at + 0x40, .size = 4, REGISTER_FIELD(Mct, local[n].wstat), .w1c_mask = 0xf }

static const Register mct_regs[] = {
    { .name = "G_CNT", .offset = 0x100, .size = 4, .count = 2, .read = count_read, .write = count_write },
    { .name = "G_CNT_WSTAT", .offset = 0x110, .size = 4, REGISTER_FIELD(Mct, cnt_wstat), .w1c_mask = 3 },
    { .name = "G_COMP_L", .offset = 0x200, .size = 4, .count = N_COMPARATORS, .stride = 16, .read = comp_read, .write = comp_write },
    { .name = "G_COMP_U", .offset = 0x204, .size = 4, .count = N_COMPARATORS, .stride = 16, .read = comp_read, .write = comp_write, .aux = 1 },
    { .name = "G_COMP_ADD_INCR", .offset = 0x208, .size = 4, .count = N_COMPARATORS, .stride = 16, .read = comp_read, .write = comp_write, .aux = 2 },
    { .name = "G_TCON", .offset = 0x240, .size = 4, REGISTER_FIELD(Mct, tcon), .write = tcon_write },
    { .name = "G_INT_CSTAT", .offset = 0x244, .size = 4, REGISTER_FIELD(Mct, g_pending), .w1c_mask = 0xf, .changed = global_changed },
    { .name = "G_INT_ENB", .offset = 0x248, .size = 4, REGISTER_FIELD(Mct, g_enable), .write_mask = 0xf, .changed = global_changed },
    { .name = "G_WSTAT", .offset = 0x24c, .size = 4, REGISTER_FIELD(Mct, wstat), .w1c_mask = 0x10fff },
    LOCAL(0, LOCAL_AT), LOCAL(1, LOCAL_AT + LOCAL_STRIDE),
};
static const RegisterBank mct_banks[] = { { .name = "exynos4210-mct", .size_bytes = 0x800, .regs = mct_regs, .n_regs = ARRAY_SIZE(mct_regs) } };

/* -- life ------------------------------------------------------------------------------------------------------------------------- */

static bool mct_realize(Device *dev, Error **errp)
{
    Mct *s = (Mct *)dev;

    for (unsigned n = 0; n < N_COMPARATORS; n++) {
        s->comparator[n].dev = dev;
        s->comparator[n].index = n;
        timer_init(&s->comparator[n].timer, VM_CLOCK_VIRTUAL, comparator_fires, &s->comparator[n]);
    }
    for (unsigned n = 0; n < N_LOCAL; n++) {
        s->local[n].dev = dev;
        s->local[n].index = n;
        timer_init(&s->local[n].timer, VM_CLOCK_VIRTUAL, local_fires, &s->local[n]);
    }
    return true;
}

static void stop_timers(Mct *s)
{
    for (unsigned n = 0; n < N_COMPARATORS; n++) {
        timer_cancel(&s->comparator[n].timer);
    }
    for (unsigned n = 0; n < N_LOCAL; n++) {
        timer_cancel(&s->local[n].timer);
    }
}

static void mct_unrealize(Device *dev)
{
    stop_timers((Mct *)dev);
}

static void mct_reset_enter(Device *dev, ResetKind kind)
{
    Mct *s = (Mct *)dev;

    stop_timers(s);
    memset(s->comp, 0, sizeof(s->comp));
    memset(s->incr, 0, sizeof(s->incr));
    s->done = 0;
    counter_set(s, 0);
    for (unsigned n = 0; n < N_LOCAL; n++) {
        s->local[n].since_ns = clock_get_ns(VM_CLOCK_VIRTUAL);
    }
}

static void mct_reset_hold(Device *dev, ResetKind kind)
{
    Mct *s = (Mct *)dev;

    all_arm(s);
    for (unsigned n = 0; n < N_LOCAL; n++) {
        local_arm(&s->local[n]);
    }
}

static bool mct_post_load(void *opaque, uint32_t version, Error **errp)
{
    Mct *s = opaque;

    for (unsigned n = 0; n < N_LOCAL; n++) {
        if (s->local[n].since_ns < 0 || s->local[n].since_ns > clock_get_ns(VM_CLOCK_VIRTUAL) || (s->local[n].icntb & ICNTB_UPDATE)) {
            error_set(errp, "exynos4210.mct: local timer %u is out of range", n);
            return false;
        }
    }
    mct_reset_hold(&s->dev, RESET_COLD);
    return true;
}

static const StateField local_fields[] = { STATE_U(MctLocal, since_ns) };
static const StateDesc local_state = { .name = "local", .version = 1, .min_version = 1, .fields = local_fields, .n_fields = ARRAY_SIZE(local_fields) };
static const StateField mct_fields[] = {
    STATE_U(Mct, offset), STATE_U(Mct, stopped_at), STATE_U(Mct, done), STATE_U_ARRAY(Mct, comp), STATE_U_ARRAY(Mct, incr),
    { .name = "local", .kind = STATE_STRUCT, .offset = offsetof(Mct, local), .elem_size = sizeof(MctLocal), .count = N_LOCAL, .sub = &local_state },
};
static const StateDesc mct_state = {
    .name = "exynos4210.mct", .version = 1, .min_version = 1, .fields = mct_fields, .n_fields = ARRAY_SIZE(mct_fields), .post_load = mct_post_load,
};
static const IrqDef mct_out[] = { { .name = "sysbus-irq", .count = N_COMPARATORS + N_LOCAL } };

static const DeviceType mct_type = {
    .type = { .name = "exynos4210.mct", .parent = "sys-bus-device", .summary = "multi core timer of Exynos 4210", .size_bytes = sizeof(Mct) },
    .category = DEVICE_MISC, .bus = "System", .banks = mct_banks, .n_banks = ARRAY_SIZE(mct_banks), .irqs_out = mct_out, .n_irqs_out = ARRAY_SIZE(mct_out),
    .state = &mct_state, .realize = mct_realize, .unrealize = mct_unrealize, .reset_enter = mct_reset_enter, .reset_hold = mct_reset_hold,
};
DEVICE_TYPE_REGISTER(mct_type);
