/*
 * sifive-plic.c: platform-level interrupt controller.
 *
 * RISC-V Platform-Level Interrupt Controller specification 1.0.0, with the bases
 * and strides as properties. Contexts come from hart-config: "MS,MS" gives context
 * 0 = hart 0 machine, 1 = hart 0 supervisor, 2 = hart 1 machine, … Output n of
 * group "" is context n. Inputs are level-triggered through a gateway (chapter 3.2):
 * a request that was forwarded stays pending until it is claimed, and a source
 * gives no new one before completion.
 */
#include "hw/device.h"
#include "util/log.h"

typedef struct PlicState {
    Device dev;
    char *hart_config;
    uint32_t hartid_base, num_sources, num_priorities, priority_base, pending_base, enable_base,
             enable_stride, context_base, context_stride, aperture_size;
    uint32_t n_contexts, n_words, n_enable;
    uint8_t *mode;        /* per context: 'M', 'S', … */
    uint32_t *priority;   /* per source */
    uint32_t *pending;    /* bit words */
    uint32_t *in_service; /* claimed, not completed */
    uint32_t *level;      /* inputs */
    uint32_t *enable;     /* contexts * words */
    uint32_t *threshold;  /* per context */
    uint8_t *output;      /* level last driven, per context */
} PlicState;

static bool bit_get(const uint32_t *words, uint32_t n)
{
    return words[n / 32] >> (n % 32) & 1;
}

static void bit_put(uint32_t *words, uint32_t n, bool on)
{
    if (on) {
        words[n / 32] |= 1u << (n % 32);
    } else {
        words[n / 32] &= ~(1u << (n % 32));
    }
}

/* The pending enabled source of the highest priority above the threshold; ties go
 * to the lowest number (1.5). 0: none. */
static uint32_t plic_best(const PlicState *s, uint32_t context)
{
    const uint32_t *enable = s->enable + (size_t)context * s->n_words;
    uint32_t best = 0, best_priority = s->threshold[context];

    for (uint32_t w = 0; w < s->n_words; w++) {
        uint32_t live = s->pending[w] & enable[w];
        while (live) {
            uint32_t n = w * 32 + (uint32_t)__builtin_ctz(live);
            live &= live - 1;
            if (s->priority[n] > best_priority) {
                best = n;
                best_priority = s->priority[n];
            }
        }
    }
    return best;
}

static void plic_update_context(PlicState *s, uint32_t context)
{
    bool level = plic_best(s, context) != 0;

    if (level != s->output[context]) {
        s->output[context] = level;
        irq_set(device_irq_out(&s->dev, NULL, context), level);
    }
}

/* After a change of source n: only the contexts that listen to it. */
static void plic_update_source(PlicState *s, uint32_t n)
{
    for (uint32_t c = 0; c < s->n_contexts; c++) {
        if (bit_get(s->enable + (size_t)c * s->n_words, n)) {
            plic_update_context(s, c);
        }
    }
}

static void plic_input(void *opaque, int n, int level)
{
    PlicState *s = opaque;

    if (!n) {
        return; /* source 0 does not exist (1.3) */
    }
    bit_put(s->level, (uint32_t)n, level);
    if (level && !bit_get(s->pending, (uint32_t)n) && !bit_get(s->in_service, (uint32_t)n)) {
        bit_put(s->pending, (uint32_t)n, true);
        plic_update_source(s, (uint32_t)n);
    }
}

static uint32_t plic_claim(PlicState *s, uint32_t context)
{
    uint32_t n = plic_best(s, context);

    /* The threshold masks notification, not claiming (1.7): ask again without it. */
    if (!n && s->threshold[context]) {
        uint32_t threshold = s->threshold[context];
        s->threshold[context] = 0;
        n = plic_best(s, context);
        s->threshold[context] = threshold;
    }
    if (n) {
        bit_put(s->pending, n, false);
        bit_put(s->in_service, n, true);
        plic_update_source(s, n);
    }
    return n;
}

static void plic_complete(PlicState *s, uint32_t context, uint32_t n)
{
    /* Ids that are not enabled for the context are ignored (1.8). */
    if (!n || n >= s->num_sources || !bit_get(s->enable + (size_t)context * s->n_words, n)) {
        log_guest_error("riscv.sifive.plic: context %u completes %u, which it does not serve\n",
                        context, n);
        return;
    }
    bit_put(s->in_service, n, false);
    if (bit_get(s->level, n) && !bit_get(s->pending, n)) {
        bit_put(s->pending, n, true);
        plic_update_source(s, n);
    }
}

static bool in_window(uint64_t offset, uint64_t base, uint64_t size)
{
    return offset >= base && offset - base < size;
}

static MemResult plic_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret,
                           MemAttrs attrs)
{
    PlicState *s = opaque;

    *ret = 0;
    if (in_window(offset, s->priority_base, 4 * (uint64_t)s->num_sources)) {
        *ret = s->priority[(offset - s->priority_base) / 4];
    } else if (in_window(offset, s->pending_base, 4 * (uint64_t)s->n_words)) {
        *ret = s->pending[(offset - s->pending_base) / 4];
    } else if (in_window(offset, s->enable_base, (uint64_t)s->n_contexts * s->enable_stride)) {
        uint64_t at = offset - s->enable_base, word = at % s->enable_stride / 4;
        if (word < s->n_words) {
            *ret = s->enable[at / s->enable_stride * s->n_words + word];
        }
    } else if (in_window(offset, s->context_base, (uint64_t)s->n_contexts * s->context_stride)) {
        uint64_t at = offset - s->context_base;
        uint32_t context = (uint32_t)(at / s->context_stride);
        at %= s->context_stride;
        if (at == 0) {
            *ret = s->threshold[context];
        } else if (at == 4) {
            *ret = plic_claim(s, context);
        }
    } else {
        log_guest_error("riscv.sifive.plic: read at 0x%" PRIx64 ": no such register\n", offset);
    }
    return MEM_OK;
}

/* WARL: as many low bits as the number of priorities has. */
static uint32_t plic_priority_mask(const PlicState *s)
{
    uint32_t mask = s->num_priorities;

    for (unsigned shift = 1; shift < 32; shift *= 2) {
        mask |= mask >> shift;
    }
    return mask;
}

static MemResult plic_write(void *opaque, uint64_t offset, unsigned size, uint64_t value,
                            MemAttrs attrs)
{
    PlicState *s = opaque;
    uint32_t v = (uint32_t)value;

    if (in_window(offset, s->priority_base, 4 * (uint64_t)s->num_sources)) {
        uint32_t n = (uint32_t)((offset - s->priority_base) / 4);
        v &= plic_priority_mask(s);
        if (n && v <= s->num_priorities) {
            s->priority[n] = v;
            plic_update_source(s, n);
        }
    } else if (in_window(offset, s->pending_base, 4 * (uint64_t)s->n_words)) {
        log_guest_error("riscv.sifive.plic: write to the read-only pending bits\n");
    } else if (in_window(offset, s->enable_base, (uint64_t)s->n_contexts * s->enable_stride)) {
        uint64_t at = offset - s->enable_base, word = at % s->enable_stride / 4;
        uint32_t context = (uint32_t)(at / s->enable_stride);
        if (word < s->n_words) {
            uint32_t valid = ~0u;
            if (word == 0) {
                valid &= ~1u;
            }
            if (word == s->n_words - 1 && s->num_sources % 32) {
                valid &= (1u << (s->num_sources % 32)) - 1;
            }
            s->enable[(size_t)context * s->n_words + word] = v & valid;
            plic_update_context(s, context);
        }
    } else if (in_window(offset, s->context_base, (uint64_t)s->n_contexts * s->context_stride)) {
        uint64_t at = offset - s->context_base;
        uint32_t context = (uint32_t)(at / s->context_stride);
        at %= s->context_stride;
        if (at == 0) {
            v &= plic_priority_mask(s);
            if (v <= s->num_priorities) {
                s->threshold[context] = v;
                plic_update_context(s, context);
            }
        } else if (at == 4) {
            plic_complete(s, context, v);
        }
    } else {
        log_guest_error("riscv.sifive.plic: write at 0x%" PRIx64 ": no such register\n", offset);
    }
    return MEM_OK;
}

static const MemoryOps plic_ops = {
    .read = plic_read, .write = plic_write, .valid = { .min = 4, .max = 4 },
};

static const RegisterBank plic_banks[] = {
    { .name = "riscv.sifive.plic", .size_bytes = 0x4000000, .ops = &plic_ops },
};

static bool plic_parse_harts(PlicState *s, Error **errp)
{
    const char *config = s->hart_config ? s->hart_config : "";

    s->mode = xcalloc(strlen(config) + 1, 1);
    for (const char *c = config; *c; c++) {
        if (*c == ',') {
            continue;
        }
        if (!strchr("MSUH", *c)) {
            error_set(errp, "riscv.sifive.plic: hart-config has '%c' (only U, S, H, M and ',')",
                      *c);
            return false;
        }
        s->mode[s->n_contexts++] = (uint8_t)*c;
    }
    if (!s->n_contexts) {
        error_set(errp, "riscv.sifive.plic: hart-config is empty");
        return false;
    }
    return true;
}

static bool plic_realize(Device *dev, Error **errp)
{
    PlicState *s = (PlicState *)dev;

    if (!s->num_sources || s->num_sources > 1024 || s->enable_stride < 4 ||
        s->context_stride < 8) {
        error_set(errp, "riscv.sifive.plic: num-sources must be 1 to 1024, enable-stride at "
                  "least 4, context-stride at least 8");
        return false;
    }
    s->n_contexts = 0;
    if (!plic_parse_harts(s, errp)) {
        free(s->mode);
        s->mode = NULL;
        return false;
    }
    device_set_bank_size(dev, 0, s->aperture_size);
    s->n_words = DIV_ROUND_UP(s->num_sources, 32);
    s->n_enable = s->n_words * s->n_contexts;
    s->priority = xnew_array(uint32_t, s->num_sources);
    s->pending = xnew_array(uint32_t, s->n_words);
    s->in_service = xnew_array(uint32_t, s->n_words);
    s->level = xnew_array(uint32_t, s->n_words);
    s->enable = xnew_array(uint32_t, s->n_enable);
    s->threshold = xnew_array(uint32_t, s->n_contexts);
    s->output = xcalloc(s->n_contexts, 1);
    device_init_irqs_in(dev, NULL, plic_input, s->num_sources);
    device_init_irqs_out(dev, NULL, s->n_contexts);
    return true;
}

static void plic_unrealize(Device *dev)
{
    PlicState *s = (PlicState *)dev;

    free(s->mode);
    free(s->priority);
    free(s->pending);
    free(s->in_service);
    free(s->level);
    free(s->enable);
    free(s->threshold);
    free(s->output);
}

static void plic_reset_enter(Device *dev, ResetKind kind)
{
    PlicState *s = (PlicState *)dev;

    memset(s->priority, 0, s->num_sources * sizeof(uint32_t));
    memset(s->pending, 0, s->n_words * sizeof(uint32_t));
    memset(s->in_service, 0, s->n_words * sizeof(uint32_t));
    memset(s->level, 0, s->n_words * sizeof(uint32_t));
    memset(s->enable, 0, s->n_enable * sizeof(uint32_t));
    memset(s->threshold, 0, s->n_contexts * sizeof(uint32_t));
}

static void plic_reset_hold(Device *dev, ResetKind kind)
{
    PlicState *s = (PlicState *)dev;

    for (uint32_t c = 0; c < s->n_contexts; c++) {
        s->output[c] = 0;
        irq_lower(device_irq_out(dev, NULL, c));
    }
}

static bool plic_post_load(void *opaque, uint32_t version, Error **errp)
{
    PlicState *s = opaque;

    for (uint32_t c = 0; c < s->n_contexts; c++) {
        s->output[c] = plic_best(s, c) != 0;
        irq_set(device_irq_out(&s->dev, NULL, c), s->output[c]);
    }
    return true;
}

static const StateField plic_fields[] = {
    STATE_U_PTR(PlicState, priority, num_sources),
    STATE_U_PTR(PlicState, pending, n_words),
    STATE_U_PTR(PlicState, in_service, n_words),
    STATE_U_PTR(PlicState, level, n_words),
    STATE_U_PTR(PlicState, enable, n_enable),
    STATE_U_PTR(PlicState, threshold, n_contexts),
};

static const StateDesc plic_state = {
    .name = "riscv.sifive.plic", .version = 1, .min_version = 1,
    .fields = plic_fields, .n_fields = ARRAY_SIZE(plic_fields), .post_load = plic_post_load,
};

static const Property plic_props[] = {
    PROP_STR("hart-config", PlicState, hart_config, NULL),
    PROP_U32("hartid-base", PlicState, hartid_base, 0, NULL),
    PROP_U32("num-sources", PlicState, num_sources, 1, NULL),
    PROP_U32("num-priorities", PlicState, num_priorities, 0, NULL),
    PROP_U32("priority-base", PlicState, priority_base, 0, NULL),
    PROP_U32("pending-base", PlicState, pending_base, 0, NULL),
    PROP_U32("enable-base", PlicState, enable_base, 0, NULL),
    PROP_U32("enable-stride", PlicState, enable_stride, 0, NULL),
    PROP_U32("context-base", PlicState, context_base, 0, NULL),
    PROP_U32("context-stride", PlicState, context_stride, 0, NULL),
    PROP_U32("aperture-size", PlicState, aperture_size, 0, NULL),
};

static const DeviceType plic_type = {
    .type = {
        .name = "riscv.sifive.plic",
        .parent = "sys-bus-device",
        .summary = "RISC-V platform-level interrupt controller",
        .size_bytes = sizeof(PlicState),
        .props = plic_props,
        .n_props = ARRAY_SIZE(plic_props),
    },
    .category = DEVICE_MISC,
    .bus = "System",
    .banks = plic_banks,
    .n_banks = ARRAY_SIZE(plic_banks),
    .state = &plic_state,
    .realize = plic_realize,
    .unrealize = plic_unrealize,
    .reset_enter = plic_reset_enter,
    .reset_hold = plic_reset_hold,
};
DEVICE_TYPE_REGISTER(plic_type);
