/*
 * riscv-aclint.c: software interrupts and the machine timer.
 *
 * RISC-V Advanced Core Local Interruptor specification 1.0-rc4: MSWI (chapter 3),
 * MTIMER (chapter 2), SSWI (chapter 4). An MSWI at offset 0 and an MTIMER at 0x4000
 * with mtime at 0xbff8 are register compatible with the SiFive CLINT.
 * mtime follows the virtual clock. Output line n belongs to hart hartid-base + n.
 */
#include "hw/riscv/aclint.h"
#include "softmmu/clock.h"
#include "util/log.h"

enum { ACLINT_MAX_HARTS = 4095 };

/* --- MSWI and SSWI --- */

typedef struct SwiState {
    Device dev;
    uint32_t hartid_base, num_harts, sswi;
    uint8_t *msip; /* MSWI only: SSWI has no state (4.2) */
} SwiState;

static uint64_t swi_read(Device *dev, const Register *reg, unsigned index)
{
    SwiState *s = (SwiState *)dev;

    return index < s->num_harts && !s->sswi ? s->msip[index] : 0;
}

static void swi_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    SwiState *s = (SwiState *)dev;

    if (index >= s->num_harts) {
        log_guest_error("riscv.aclint.swi: no hart %u\n", s->hartid_base + index);
        return;
    }
    if (s->sswi) {
        /* 4.2: writing 1 sets SSIP of the hart; it is cleared in the hart. */
        if (value & 1) {
            irq_raise(device_irq_out(dev, NULL, index));
        }
        return;
    }
    s->msip[index] = value & 1;
    irq_set(device_irq_out(dev, NULL, index), (int)(value & 1));
}

static const Register swi_regs[] = {
    { .name = "MSIP/SETSSIP", .offset = 0, .size = 4, .count = ACLINT_MAX_HARTS,
      .read = swi_read, .write = swi_write },
};

static const RegisterBank swi_banks[] = {
    { .name = "riscv.aclint.swi", .size_bytes = 0x4000, .access_min = 4, .access_max = 4,
      .regs = swi_regs, .n_regs = ARRAY_SIZE(swi_regs) },
};

static bool harts_check(Device *dev, uint32_t num_harts, Error **errp)
{
    if (!num_harts || num_harts > ACLINT_MAX_HARTS) {
        error_set(errp, "%s: num-harts %u is not between 1 and %d", dev->obj.type->name,
                  num_harts, ACLINT_MAX_HARTS);
        return false;
    }
    return true;
}

static bool swi_realize(Device *dev, Error **errp)
{
    SwiState *s = (SwiState *)dev;

    if (!harts_check(dev, s->num_harts, errp)) {
        return false;
    }
    s->msip = xcalloc(s->num_harts, 1);
    device_init_irqs_out(dev, NULL, s->num_harts);
    return true;
}

static void swi_unrealize(Device *dev)
{
    free(((SwiState *)dev)->msip);
}

static void swi_reset_hold(Device *dev, ResetKind kind)
{
    SwiState *s = (SwiState *)dev;

    for (uint32_t i = 0; i < s->num_harts; i++) {
        s->msip[i] = 0;
        irq_lower(device_irq_out(dev, NULL, i));
    }
}

static bool swi_post_load(void *opaque, uint32_t version, Error **errp)
{
    SwiState *s = opaque;

    for (uint32_t i = 0; i < s->num_harts && !s->sswi; i++) {
        s->msip[i] &= 1;
        irq_set(device_irq_out(&s->dev, NULL, i), s->msip[i]);
    }
    return true;
}

static const StateField swi_fields[] = { STATE_U_PTR(SwiState, msip, num_harts) };

static const StateDesc swi_state = {
    .name = "riscv.aclint.swi", .version = 1, .min_version = 1,
    .fields = swi_fields, .n_fields = ARRAY_SIZE(swi_fields), .post_load = swi_post_load,
};

static const Property swi_props[] = {
    PROP_U32("hartid-base", SwiState, hartid_base, 0, NULL),
    PROP_U32("num-harts", SwiState, num_harts, 1, NULL),
    PROP_U32("sswi", SwiState, sswi, 0, NULL),
};

static const DeviceType swi_type = {
    .type = {
        .name = "riscv.aclint.swi",
        .parent = "sys-bus-device",
        .summary = "RISC-V ACLINT software interrupts",
        .size_bytes = sizeof(SwiState),
        .props = swi_props,
        .n_props = ARRAY_SIZE(swi_props),
    },
    .category = DEVICE_MISC,
    .bus = "System",
    .banks = swi_banks,
    .n_banks = ARRAY_SIZE(swi_banks),
    .state = &swi_state,
    .realize = swi_realize,
    .unrealize = swi_unrealize,
    .reset_hold = swi_reset_hold,
};
DEVICE_TYPE_REGISTER(swi_type);

/* --- MTIMER --- */

typedef struct MtimerState MtimerState;

typedef struct MtimerHart {
    MtimerState *owner;
    uint32_t index;
    Timer timer;
} MtimerHart;

struct MtimerState {
    Device dev;
    uint32_t hartid_base, num_harts, timecmp_base, time_base, aperture_size, timebase_freq;
    _Atomic uint64_t delta; /* mtime - ticks of the virtual clock */
    uint64_t saved_delta;   /* for saved state */
    uint64_t *timecmp;
    MtimerHart *harts;
};

static uint64_t clock_ticks(const MtimerState *s)
{
    uint64_t now = (uint64_t)clock_get_ns(VM_CLOCK_VIRTUAL);

    return (uint64_t)((unsigned __int128)now * s->timebase_freq / NS_PER_SECOND);
}

uint64_t aclint_mtime(Device *dev)
{
    MtimerState *s = (MtimerState *)dev;

    return clock_ticks(s) + atomic_load_explicit(&s->delta, memory_order_relaxed);
}

uint32_t aclint_timebase_hz(Device *dev)
{
    return ((MtimerState *)dev)->timebase_freq;
}

int64_t aclint_deadline_ns(Device *dev, uint64_t ticks)
{
    MtimerState *s = (MtimerState *)dev;
    uint64_t now = aclint_mtime(dev);
    int64_t now_ns = clock_get_ns(VM_CLOCK_VIRTUAL);

    if (ticks <= now) {
        return now_ns;
    }
    unsigned __int128 delay = ((unsigned __int128)(ticks - now) * NS_PER_SECOND +
                               s->timebase_freq - 1) / s->timebase_freq;
    return delay > (uint64_t)(INT64_MAX / 2 - now_ns) ? INT64_MAX : now_ns + (int64_t)delay;
}

static void mtimer_check(MtimerState *s, uint32_t index)
{
    bool due = aclint_mtime(&s->dev) >= s->timecmp[index];
    int64_t deadline = due ? INT64_MAX : aclint_deadline_ns(&s->dev, s->timecmp[index]);

    irq_set(device_irq_out(&s->dev, NULL, index), due);
    if (deadline == INT64_MAX) {
        timer_cancel(&s->harts[index].timer);
    } else {
        timer_set_ns(&s->harts[index].timer, deadline);
    }
}

static void mtimer_fire(void *opaque)
{
    MtimerHart *hart = opaque;

    mtimer_check(hart->owner, hart->index);
}

/* The half or whole of a 64-bit register that an access covers. */
static uint64_t part_get(uint64_t whole, uint64_t offset, unsigned size)
{
    return size == 8 ? whole : whole >> 8 * (offset & 4) & UINT32_MAX;
}

static uint64_t part_set(uint64_t whole, uint64_t offset, unsigned size, uint64_t value)
{
    unsigned shift = 8 * (offset & 4);

    return size == 8 ? value
                     : (whole & ~((uint64_t)UINT32_MAX << shift)) | (value & UINT32_MAX) << shift;
}

static MemResult mtimer_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret,
                             MemAttrs attrs)
{
    MtimerState *s = opaque;
    uint64_t hart = (offset - s->timecmp_base) / 8;

    *ret = 0;
    if (offset >= s->time_base && offset - s->time_base < 8) {
        *ret = part_get(aclint_mtime(&s->dev), offset - s->time_base, size);
    } else if (offset >= s->timecmp_base && hart < s->num_harts) {
        *ret = part_get(s->timecmp[hart], offset - s->timecmp_base, size);
    } else {
        log_guest_error("riscv.aclint.mtimer: read at 0x%" PRIx64 ": no such register\n", offset);
    }
    return MEM_OK;
}

static MemResult mtimer_write(void *opaque, uint64_t offset, unsigned size, uint64_t value,
                              MemAttrs attrs)
{
    MtimerState *s = opaque;
    uint64_t hart = (offset - s->timecmp_base) / 8;

    if (offset >= s->time_base && offset - s->time_base < 8) {
        uint64_t now = part_set(aclint_mtime(&s->dev), offset - s->time_base, size, value);
        atomic_store(&s->delta, now - clock_ticks(s));
        for (uint32_t i = 0; i < s->num_harts; i++) {
            mtimer_check(s, i);
        }
    } else if (offset >= s->timecmp_base && hart < s->num_harts) {
        s->timecmp[hart] = part_set(s->timecmp[hart], offset - s->timecmp_base, size, value);
        mtimer_check(s, (uint32_t)hart);
    } else {
        log_guest_error("riscv.aclint.mtimer: write at 0x%" PRIx64 ": no such register\n",
                        offset);
    }
    return MEM_OK;
}

static const MemoryOps mtimer_ops = {
    .read = mtimer_read, .write = mtimer_write,
    .valid = { .min = 4, .max = 8 },
};

static const RegisterBank mtimer_banks[] = {
    { .name = "riscv.aclint.mtimer", .size_bytes = 0x8000, .ops = &mtimer_ops },
};

static bool mtimer_realize(Device *dev, Error **errp)
{
    MtimerState *s = (MtimerState *)dev;

    if (!harts_check(dev, s->num_harts, errp)) {
        return false;
    }
    if (!s->timebase_freq || s->aperture_size < 8 || s->time_base > s->aperture_size - 8 ||
        (uint64_t)s->timecmp_base + 8 * (uint64_t)s->num_harts > s->aperture_size) {
        error_set(errp, "riscv.aclint.mtimer: registers do not fit into the aperture, "
                  "or timebase-freq is 0");
        return false;
    }
    device_set_bank_size(dev, 0, s->aperture_size);
    s->timecmp = xnew_array(uint64_t, s->num_harts);
    s->harts = xnew_array(MtimerHart, s->num_harts);
    for (uint32_t i = 0; i < s->num_harts; i++) {
        s->timecmp[i] = UINT64_MAX;
        s->harts[i].owner = s;
        s->harts[i].index = i;
        timer_init(&s->harts[i].timer, VM_CLOCK_VIRTUAL, mtimer_fire, &s->harts[i]);
    }
    device_init_irqs_out(dev, NULL, s->num_harts);
    return true;
}

static void mtimer_unrealize(Device *dev)
{
    MtimerState *s = (MtimerState *)dev;

    for (uint32_t i = 0; i < s->num_harts; i++) {
        timer_cancel(&s->harts[i].timer);
    }
    free(s->harts);
    free(s->timecmp);
}

/* 2.2 and 2.3: mtime is 0 after reset, mtimecmp unknown (here: never). */
static void mtimer_reset_enter(Device *dev, ResetKind kind)
{
    MtimerState *s = (MtimerState *)dev;

    atomic_store(&s->delta, -clock_ticks(s));
    for (uint32_t i = 0; i < s->num_harts; i++) {
        s->timecmp[i] = UINT64_MAX;
    }
}

static void mtimer_reset_hold(Device *dev, ResetKind kind)
{
    MtimerState *s = (MtimerState *)dev;

    for (uint32_t i = 0; i < s->num_harts; i++) {
        mtimer_check(s, i);
    }
}

static void mtimer_pre_save(void *opaque)
{
    MtimerState *s = opaque;

    s->saved_delta = atomic_load(&s->delta);
}

static bool mtimer_post_load(void *opaque, uint32_t version, Error **errp)
{
    MtimerState *s = opaque;

    atomic_store(&s->delta, s->saved_delta);
    mtimer_reset_hold(&s->dev, RESET_COLD);
    return true;
}

static const StateField mtimer_fields[] = {
    STATE_U(MtimerState, saved_delta),
    STATE_U_PTR(MtimerState, timecmp, num_harts),
};

static const StateDesc mtimer_state = {
    .name = "riscv.aclint.mtimer", .version = 1, .min_version = 1,
    .fields = mtimer_fields, .n_fields = ARRAY_SIZE(mtimer_fields),
    .pre_save = mtimer_pre_save, .post_load = mtimer_post_load,
};

static const Property mtimer_props[] = {
    PROP_U32("hartid-base", MtimerState, hartid_base, 0, NULL),
    PROP_U32("num-harts", MtimerState, num_harts, 1, NULL),
    PROP_U32("timecmp-base", MtimerState, timecmp_base, 0, NULL),
    PROP_U32("time-base", MtimerState, time_base, 0x7ff8, NULL),
    PROP_U32("aperture-size", MtimerState, aperture_size, 0x8000, NULL),
    PROP_U32("timebase-freq", MtimerState, timebase_freq, 0, NULL),
};

static const DeviceType mtimer_type = {
    .type = {
        .name = "riscv.aclint.mtimer",
        .parent = "sys-bus-device",
        .summary = "RISC-V ACLINT machine timer",
        .size_bytes = sizeof(MtimerState),
        .props = mtimer_props,
        .n_props = ARRAY_SIZE(mtimer_props),
    },
    .category = DEVICE_MISC,
    .bus = "System",
    .banks = mtimer_banks,
    .n_banks = ARRAY_SIZE(mtimer_banks),
    .state = &mtimer_state,
    .realize = mtimer_realize,
    .unrealize = mtimer_unrealize,
    .reset_enter = mtimer_reset_enter,
    .reset_hold = mtimer_reset_hold,
};
DEVICE_TYPE_REGISTER(mtimer_type);
