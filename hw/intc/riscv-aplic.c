/*
 * riscv-aplic.c: advanced platform-level interrupt controller.
 *
 * RISC-V Advanced Interrupt Architecture 1.0, chapter 4: one interrupt domain. A machine-level domain may
 * delegate sources to its one child, which is given by aplic_set_child(). Delivery is direct (4.8) or, with
 * msimode=on, by MSIs written to memory (4.9). Output n is hart hartid-base + n. Big-endian
 * domains (domaincfg.BE) are left out: the bit reads as zero.
 */
#include "hw/riscv/aplic.h"
#include "softmmu/machine.h"
#include "util/log.h"

enum {
    APLIC_MAX_SOURCES = 1024, APLIC_MAX_HARTS = 16384, APLIC_IDC = 0x4000, APLIC_IDC_STRIDE = 32,
    DOMAINCFG_IE = 1 << 8, DOMAINCFG_DM = 1 << 2,
    SOURCECFG_D = 1 << 10, SM_INACTIVE = 0, SM_DETACHED = 1, SM_EDGE1 = 4, SM_EDGE0 = 5,
    SM_LEVEL1 = 6, SM_LEVEL0 = 7,
};
#define DOMAINCFG_FIXED 0x80000000u
#define MMSICFG_LOCK 0x80000000u

typedef struct Idc {
    uint32_t delivery, force, threshold, topi;
} Idc;

typedef struct AplicState {
    Device dev;
    uint32_t aperture_size, hartid_base, num_harts, iprio_mask, num_irqs;
    bool msimode, mmode;
    Device *child;
    uint32_t n_words;
    uint32_t domaincfg, mmsi, mmsih, smsi, smsih, genmsi;
    uint32_t *sourcecfg, *target;
    uint8_t *level, *pending, *enabled; /* per source */
    uint32_t *idc_words;                /* the Idcs as numbers, for saved state */
    uint32_t n_idc_words;
    Idc *idc;
} AplicState;

void aplic_set_child(Device *parent, Device *child)
{
    ((AplicState *)parent)->child = child;
}

static unsigned source_mode(const AplicState *s, uint32_t n)
{
    return s->sourcecfg[n] & SOURCECFG_D ? (unsigned)SM_INACTIVE : s->sourcecfg[n] & 7;
}

static bool source_active(const AplicState *s, uint32_t n)
{
    return source_mode(s, n) != SM_INACTIVE;
}

/* The rectified input value (4.5.2). */
static bool source_input(const AplicState *s, uint32_t n)
{
    unsigned mode = source_mode(s, n);

    return mode >= SM_EDGE1 && s->level[n] == !(mode & 1);
}

static bool is_level(const AplicState *s, uint32_t n)
{
    return source_mode(s, n) >= SM_LEVEL1;
}

/* --- delivery --- */

static void send_msi(AplicState *s, uint32_t hart, uint32_t guest, uint32_t eiid)
{
    AplicState *root = s;
    uint32_t low = s->mmode ? root->mmsi : root->smsi, high = s->mmode ? root->mmsih : root->smsih;
    /* 4.9.1: fields of the machine-level configuration give the geometry for both. */
    uint32_t lhxw = root->mmsih >> 12 & 15, hhxw = root->mmsih >> 16 & 7;
    uint32_t lhxs = high >> 20 & 7, hhxs = root->mmsih >> 24 & 31;
    uint64_t group = hart >> lhxw & ((1u << hhxw) - 1), index = hart & ((1u << lhxw) - 1);
    gpa page = (uint64_t)(high & 0xfff) << 32 | low;

    page |= group << (hhxs + 12) | index << lhxs | guest;
    if (memory_store(&machine_current()->memory, page << 12, 4, MEM_LITTLE_ENDIAN, eiid,
                     MEM_ATTRS_NONE)) {
        log_guest_error("riscv.aplic: MSI to 0x%" PRIx64 " went nowhere\n", page << 12);
    }
}

/* The best deliverable source of a hart in direct mode, as topi says it: id << 16 | priority. */
static uint32_t idc_top(const AplicState *s, uint32_t hart)
{
    uint32_t best = 0, best_priority = UINT32_MAX;

    for (uint32_t n = 1; n < s->num_irqs; n++) {
        if (!s->pending[n] || !s->enabled[n] || s->target[n] >> 18 != hart) {
            continue;
        }
        uint32_t priority = s->target[n] & s->iprio_mask;
        priority = priority ? priority : 1;
        uint32_t threshold = s->idc[hart].threshold;
        if (priority < best_priority && (!threshold || priority < threshold)) {
            best = n;
            best_priority = priority;
        }
    }
    return best ? best << 16 | best_priority : 0;
}

static void idc_update(AplicState *s, uint32_t hart)
{
    Idc *idc = &s->idc[hart];

    if (s->msimode) {
        return;
    }
    idc->topi = idc_top(s, hart);
    irq_set(device_irq_out(&s->dev, NULL, hart),
            (s->domaincfg & DOMAINCFG_IE) && idc->delivery && (idc->force || idc->topi));
}

static void update_all(AplicState *s)
{
    for (uint32_t h = 0; h < s->num_harts; h++) {
        idc_update(s, h);
    }
}

static void source_update(AplicState *s, uint32_t n)
{
    if (!s->msimode) {
        uint32_t hart = s->target[n] >> 18;
        if (hart < s->num_harts) {
            idc_update(s, hart);
        }
        return;
    }
    if (s->pending[n] && s->enabled[n] && (s->domaincfg & DOMAINCFG_IE)) {
        s->pending[n] = 0; /* 4.9.2: forwarding clears it */
        send_msi(s, s->target[n] >> 18, s->target[n] >> 12 & 63, s->target[n] & 0x7ff);
    }
}

static void aplic_input(void *opaque, int line, int level)
{
    AplicState *s = opaque;
    uint32_t n = (uint32_t)line;

    if (!n) {
        return;
    }
    if (s->child && (s->sourcecfg[n] & SOURCECFG_D)) {
        s->level[n] = level != 0;
        irq_set(device_irq_in(s->child, NULL, n), level);
        return;
    }
    bool before = source_input(s, n);
    s->level[n] = level != 0;
    bool after = source_input(s, n);
    if (after && !before) {
        s->pending[n] = 1;
        source_update(s, n);
    } else if (!after && before && is_level(s, n)) {
        s->pending[n] = 0; /* 4.7: follows the input */
        source_update(s, n);
    }
}

/* --- registers --- */

/* 4.7: what a write may do to a pending bit depends on mode and delivery. */
static void pending_write(AplicState *s, uint32_t n, bool set)
{
    if (!n || n >= s->num_irqs || !source_active(s, n)) {
        return;
    }
    if (is_level(s, n) && (!s->msimode || (set && !source_input(s, n)))) {
        return;
    }
    s->pending[n] = set;
    source_update(s, n);
}

static void enable_write(AplicState *s, uint32_t n, bool set)
{
    if (n && n < s->num_irqs && source_active(s, n)) {
        s->enabled[n] = set;
        source_update(s, n);
    }
}

static void sourcecfg_write(AplicState *s, uint32_t n, uint32_t value)
{
    bool had_child = s->sourcecfg[n] & SOURCECFG_D;

    if (value & SOURCECFG_D) {
        value = s->child ? SOURCECFG_D : 0;
    } else {
        value &= 7;
        value = value == 2 || value == 3 ? 0 : value; /* reserved */
    }
    s->sourcecfg[n] = value;
    if (!source_active(s, n)) {
        s->pending[n] = s->enabled[n] = 0;
    } else if (is_level(s, n)) {
        s->pending[n] = source_input(s, n);
    } else if (source_input(s, n)) {
        s->pending[n] = 1; /* 4.5.2: the new source mode may set it */
    }
    if (s->child && (had_child || (value & SOURCECFG_D))) {
        irq_set(device_irq_in(s->child, NULL, n), value & SOURCECFG_D ? s->level[n] : 0);
    }
    if (s->msimode) {
        source_update(s, n);
    } else {
        update_all(s);
    }
}

static void target_write(AplicState *s, uint32_t n, uint32_t value)
{
    if (!source_active(s, n)) {
        return;
    }
    if (s->msimode) {
        s->target[n] = value & ~0x800u;
        source_update(s, n);
        return;
    }
    if (value >> 18 >= s->num_harts) {
        log_guest_error("riscv.aplic: source %u to hart %u, which is not there\n", n, value >> 18);
        return;
    }
    uint32_t priority = value & s->iprio_mask;
    s->target[n] = (value & ~((1u << 18) - 1)) | (priority ? priority : 1);
    update_all(s);
}

static uint32_t claim(AplicState *s, uint32_t hart)
{
    uint32_t top = s->idc[hart].topi, n = top >> 16;

    if (!n) {
        s->idc[hart].force = 0; /* 4.8.1.5 */
    } else if (!is_level(s, n)) {
        s->pending[n] = 0;
    }
    idc_update(s, hart);
    return top;
}

static uint32_t bits_word(const AplicState *s, const uint8_t *flags, uint32_t word)
{
    uint32_t value = 0;

    for (uint32_t b = 0; b < 32 && word * 32 + b < s->num_irqs; b++) {
        value |= (uint32_t)flags[word * 32 + b] << b;
    }
    return value;
}

static uint32_t input_word(const AplicState *s, uint32_t word)
{
    uint32_t value = 0;

    for (uint32_t b = 0; b < 32 && word * 32 + b < s->num_irqs; b++) {
        value |= (uint32_t)source_input(s, word * 32 + b) << b;
    }
    return value;
}

static bool msi_register(AplicState *s, uint64_t offset, uint32_t **ret)
{
    switch (offset) {
    case 0x1bc0: *ret = &s->mmsi; return s->mmode;
    case 0x1bc4: *ret = &s->mmsih; return s->mmode;
    case 0x1bc8: *ret = &s->smsi; return s->mmode;
    case 0x1bcc: *ret = &s->smsih; return s->mmode;
    default: return false;
    }
}

static uint32_t idc_read(AplicState *s, uint32_t hart, uint64_t reg)
{
    switch (reg) {
    case 0x00: return s->idc[hart].delivery;
    case 0x04: return s->idc[hart].force;
    case 0x08: return s->idc[hart].threshold;
    case 0x18: return s->idc[hart].topi;
    case 0x1c: return claim(s, hart);
    default: return 0;
    }
}

static MemResult aplic_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret,
                            MemAttrs attrs)
{
    AplicState *s = opaque;
    uint32_t *msi, n = (uint32_t)(offset & 0xfff) / 4;

    *ret = 0;
    if (offset == 0) {
        *ret = DOMAINCFG_FIXED | s->domaincfg | (s->msimode ? DOMAINCFG_DM : 0);
    } else if (offset < 0x1000) {
        *ret = n < s->num_irqs ? s->sourcecfg[n] : 0;
    } else if (msi_register(s, offset, &msi)) {
        *ret = *msi;
    } else if (offset >= 0x1c00 && offset < 0x1c80) {
        *ret = bits_word(s, s->pending, (uint32_t)(offset - 0x1c00) / 4);
    } else if (offset >= 0x1d00 && offset < 0x1d80) {
        *ret = input_word(s, (uint32_t)(offset - 0x1d00) / 4);
    } else if (offset >= 0x1e00 && offset < 0x1e80) {
        *ret = bits_word(s, s->enabled, (uint32_t)(offset - 0x1e00) / 4);
    } else if (offset == 0x3000) {
        *ret = s->genmsi;
    } else if (offset > 0x3000 && offset < 0x4000) {
        *ret = n < s->num_irqs && source_active(s, n) ? s->target[n] : 0;
    } else if (offset >= APLIC_IDC && !s->msimode) {
        uint64_t hart = (offset - APLIC_IDC) / APLIC_IDC_STRIDE;
        *ret = hart < s->num_harts ? idc_read(s, (uint32_t)hart,
                                              (offset - APLIC_IDC) % APLIC_IDC_STRIDE) : 0;
    }
    return MEM_OK;
}

static void bits_write(AplicState *s, uint64_t from, uint32_t value, bool set,
                       void (*fn)(AplicState *, uint32_t, bool))
{
    for (uint32_t b = 0; b < 32; b++) {
        if (value >> b & 1) {
            fn(s, (uint32_t)from * 8 + b, set);
        }
    }
}

static void idc_write(AplicState *s, uint32_t hart, uint64_t reg, uint32_t value)
{
    switch (reg) {
    case 0x00: s->idc[hart].delivery = value & 1; break;
    case 0x04: s->idc[hart].force = value & 1; break;
    case 0x08: s->idc[hart].threshold = value & s->iprio_mask; break;
    default: return;
    }
    idc_update(s, hart);
}

static MemResult aplic_write(void *opaque, uint64_t offset, unsigned size, uint64_t wide,
                             MemAttrs attrs)
{
    AplicState *s = opaque;
    uint32_t *msi, value = (uint32_t)wide, n = (uint32_t)(offset & 0xfff) / 4;

    if (offset == 0) {
        s->domaincfg = value & DOMAINCFG_IE;
        update_all(s);
        for (n = 1; s->msimode && n < s->num_irqs; n++) {
            source_update(s, n);
        }
    } else if (offset < 0x1000) {
        if (n < s->num_irqs) {
            sourcecfg_write(s, n, value);
        }
    } else if (msi_register(s, offset, &msi)) {
        if (!(s->mmsih & MMSICFG_LOCK)) {
            *msi = value;
        }
    } else if (offset >= 0x1c00 && offset < 0x1c80) {
        bits_write(s, offset - 0x1c00, value, true, pending_write);
    } else if (offset == 0x1cdc || offset == 0x2000) {
        pending_write(s, value, true);
    } else if (offset == 0x2004) {
        pending_write(s, __builtin_bswap32(value), true);
    } else if (offset >= 0x1d00 && offset < 0x1d80) {
        bits_write(s, offset - 0x1d00, value, false, pending_write);
    } else if (offset == 0x1ddc) {
        pending_write(s, value, false);
    } else if (offset >= 0x1e00 && offset < 0x1e80) {
        bits_write(s, offset - 0x1e00, value, true, enable_write);
    } else if (offset == 0x1edc) {
        enable_write(s, value, true);
    } else if (offset >= 0x1f00 && offset < 0x1f80) {
        bits_write(s, offset - 0x1f00, value, false, enable_write);
    } else if (offset == 0x1fdc) {
        enable_write(s, value, false);
    } else if (offset == 0x3000) {
        if (s->msimode) {
            s->genmsi = value & ~0x3f800u;
            send_msi(s, s->genmsi >> 18, 0, s->genmsi & 0x7ff);
        }
    } else if (offset > 0x3000 && offset < 0x4000) {
        if (n < s->num_irqs) {
            target_write(s, n, value);
        }
    } else if (offset >= APLIC_IDC && !s->msimode) {
        uint64_t hart = (offset - APLIC_IDC) / APLIC_IDC_STRIDE;
        if (hart < s->num_harts) {
            idc_write(s, (uint32_t)hart, (offset - APLIC_IDC) % APLIC_IDC_STRIDE, value);
        }
    }
    return MEM_OK;
}

static const MemoryOps aplic_ops = {
    .read = aplic_read, .write = aplic_write, .valid = { .min = 4, .max = 4 },
};

static const RegisterBank aplic_banks[] = {
    { .name = "riscv.aplic", .size_bytes = 0x8000, .ops = &aplic_ops },
};

/* --- device --- */

static bool aplic_realize(Device *dev, Error **errp)
{
    AplicState *s = (AplicState *)dev;

    if (s->num_irqs < 2 || s->num_irqs > APLIC_MAX_SOURCES || !s->num_harts ||
        s->num_harts > APLIC_MAX_HARTS || !s->iprio_mask || s->iprio_mask > 255) {
        error_set(errp, "riscv.aplic: num-irqs must be 2 to %d, num-harts 1 to %d, iprio-mask 1 to "
                  "255", APLIC_MAX_SOURCES, APLIC_MAX_HARTS);
        return false;
    }
    device_set_bank_size(dev, 0, MAX(s->aperture_size, APLIC_IDC));
    s->sourcecfg = xnew_array(uint32_t, s->num_irqs);
    s->target = xnew_array(uint32_t, s->num_irqs);
    s->level = xcalloc(s->num_irqs, 1);
    s->pending = xcalloc(s->num_irqs, 1);
    s->enabled = xcalloc(s->num_irqs, 1);
    s->idc = xnew_array(Idc, s->num_harts);
    s->idc_words = (uint32_t *)s->idc;
    s->n_idc_words = s->num_harts * (uint32_t)(sizeof(Idc) / 4);
    device_init_irqs_in(dev, NULL, aplic_input, s->num_irqs);
    device_init_irqs_out(dev, NULL, s->num_harts);
    return true;
}

static void aplic_unrealize(Device *dev)
{
    AplicState *s = (AplicState *)dev;

    free(s->sourcecfg);
    free(s->target);
    free(s->level);
    free(s->pending);
    free(s->enabled);
    free(s->idc);
}

static void aplic_reset_enter(Device *dev, ResetKind kind)
{
    AplicState *s = (AplicState *)dev;

    s->domaincfg = s->mmsi = s->mmsih = s->smsi = s->smsih = s->genmsi = 0;
    memset(s->sourcecfg, 0, s->num_irqs * sizeof(uint32_t));
    memset(s->pending, 0, s->num_irqs);
    memset(s->enabled, 0, s->num_irqs);
    memset(s->level, 0, s->num_irqs);
    memset(s->idc, 0, s->num_harts * sizeof(Idc));
    for (uint32_t n = 0; n < s->num_irqs; n++) {
        s->target[n] = s->msimode ? 0 : 1;
    }
}

static void aplic_reset_hold(Device *dev, ResetKind kind)
{
    AplicState *s = (AplicState *)dev;

    for (uint32_t h = 0; h < s->num_harts && !s->msimode; h++) {
        irq_lower(device_irq_out(dev, NULL, h));
    }
}

static bool aplic_post_load(void *opaque, uint32_t version, Error **errp)
{
    AplicState *s = opaque;

    for (uint32_t n = 0; n < s->num_irqs; n++) {
        s->level[n] = s->level[n] != 0;
        s->pending[n] = s->pending[n] != 0;
        s->enabled[n] = s->enabled[n] != 0;
        if ((s->sourcecfg[n] & SOURCECFG_D) && !s->child) {
            error_set(errp, "riscv.aplic: source %u is delegated, but there is no child", n);
            return false;
        }
    }
    for (uint32_t h = 0; h < s->num_harts && !s->msimode; h++) {
        idc_update(s, h);
    }
    return true;
}

static const StateField aplic_fields[] = {
    STATE_U(AplicState, domaincfg), STATE_U(AplicState, mmsi), STATE_U(AplicState, mmsih),
    STATE_U(AplicState, smsi), STATE_U(AplicState, smsih), STATE_U(AplicState, genmsi),
    STATE_U_PTR(AplicState, sourcecfg, num_irqs),
    STATE_U_PTR(AplicState, target, num_irqs),
    STATE_U_PTR(AplicState, level, num_irqs),
    STATE_U_PTR(AplicState, pending, num_irqs),
    STATE_U_PTR(AplicState, enabled, num_irqs),
    STATE_U_PTR(AplicState, idc_words, n_idc_words),
};

static const StateDesc aplic_state = {
    .name = "riscv.aplic", .version = 1, .min_version = 1,
    .fields = aplic_fields, .n_fields = ARRAY_SIZE(aplic_fields), .post_load = aplic_post_load,
};

static const Property aplic_props[] = {
    PROP_U32("aperture-size", AplicState, aperture_size, 0, NULL),
    PROP_U32("hartid-base", AplicState, hartid_base, 0, NULL),
    PROP_U32("num-harts", AplicState, num_harts, 0, NULL),
    PROP_U32("iprio-mask", AplicState, iprio_mask, 0, NULL),
    PROP_U32("num-irqs", AplicState, num_irqs, 0, NULL),
    PROP_B("msimode", AplicState, msimode, false, "on/off"),
    PROP_B("mmode", AplicState, mmode, false, "on/off"),
};

static const DeviceType aplic_type = {
    .type = {
        .name = "riscv.aplic",
        .parent = "sys-bus-device",
        .summary = "RISC-V advanced platform-level interrupt controller",
        .size_bytes = sizeof(AplicState),
        .props = aplic_props,
        .n_props = ARRAY_SIZE(aplic_props),
    },
    .category = DEVICE_MISC,
    .bus = "System",
    .banks = aplic_banks,
    .n_banks = ARRAY_SIZE(aplic_banks),
    .state = &aplic_state,
    .realize = aplic_realize,
    .unrealize = aplic_unrealize,
    .reset_enter = aplic_reset_enter,
    .reset_hold = aplic_reset_hold,
};
DEVICE_TYPE_REGISTER(aplic_type);
