/*
 * gicv2.c: "arm_gic": the GICv2 interrupt controller: the device, its lines, which interrupt goes to whom.
 *
 * gicv2-dist.c has the distributor's registers, gicv2-cpu.c those of the CPU interfaces. Every processor sees its own interface and its own
 * part of the distributor at the same addresses: regions of its own that a board puts into its view of memory (gicv2_view()).
 *
 * Specification: IHI 0048B. Left out: power management (FIQ and IRQ bypass: the bits are stored), GICD_NSACR. Threads: BQL.
 */
#include <stdio.h>
#include "hw/intc/gicv2.h"

static const char *const outputs[] = { "irq", "fiq", "virq", "vfiq", "maintenance" };

V2Best v2_best(GicV2 *s, V2Cpu *cpu)
{
    V2Best best = { V2_NONE, 0xff, false };

    for (unsigned w = 0; w < s->n_words; w++) {
        const GicWord *word = v2_word(s, cpu, w);
        uint32_t ready = gic_word_ready(word);

        /* 4.3.1: a group that is off is not forwarded. */
        ready &= (s->ctlr & 1 ? ~word->group : 0) | (s->ctlr & 2 ? word->group : 0);
        while (ready) {
            unsigned n = (unsigned)__builtin_ctz(ready);

            ready &= ready - 1;
            /* Equal priorities: the lowest number (3.1.2). */
            if (word->priority[n] < best.priority && (!w || (s->targets[32 * w + n] >> cpu->index & 1))) {
                best = (V2Best){ 32 * w + n, word->priority[n], word->group >> n & 1 };
            }
        }
    }
    return best;
}

uint8_t v2_group_mask(unsigned bpr, bool group1, bool shared)
{
    /* 3.3.3: the binary point of group 1 counts from one bit higher. */
    unsigned bits = group1 && !shared ? bpr : bpr + 1;

    return (uint8_t)(0xffu << MIN(bits, 8u));
}

unsigned v2_lowest_active(const uint32_t *apr)
{
    for (unsigned i = 0; i < V2_N_APRS; i++) {
        if (apr[i]) {
            return 2 * (32 * i + (unsigned)__builtin_ctz(apr[i]));
        }
    }
    return 0xff;
}

void v2_update_cpu(GicV2 *s, V2Cpu *cpu)
{
    V2Best best = v2_best(s, cpu);
    unsigned running = MIN(v2_lowest_active(cpu->apr), v2_lowest_active(cpu->nsapr));
    bool irq = false, fiq = false;

    if (best.irq != V2_NONE && best.priority < cpu->pmr && (cpu->ctlr >> best.group1 & 1)) {
        bool shared = cpu->ctlr & V2_CTLR_CBPR;
        uint8_t mask = v2_group_mask(best.group1 && !shared ? cpu->abpr : cpu->bpr, best.group1, shared);

        if ((best.priority & mask) < running) {
            fiq = !best.group1 && (cpu->ctlr & V2_CTLR_FIQ);
            irq = !fiq;
        }
    }
    unsigned lines = irq | fiq << 1 | (s->virtualization ? v2_virtual_lines(cpu) << 2 : 0);

    for (unsigned changed = lines ^ cpu->lines; changed; changed &= changed - 1) {
        unsigned n = (unsigned)__builtin_ctz(changed);

        device_set_irq(&s->dev, outputs[n], cpu->index, lines >> n & 1);
    }
    cpu->lines = (uint8_t)lines;
}

void v2_update(GicV2 *s)
{
    for (unsigned i = 0; i < s->n_cpus; i++) {
        v2_update_cpu(s, &s->cpus[i]);
    }
}

static void input(void *opaque, int n, int level)
{
    GicV2 *s = opaque;
    unsigned n_spis = s->n_irqs - GIC_FIRST_SPI;

    if ((unsigned)n >= n_spis) {
        V2Cpu *cpu = &s->cpus[((unsigned)n - n_spis) / 32];
        unsigned ppi = ((unsigned)n - n_spis) % 32;

        if (ppi >= V2_N_SGIS && gic_word_input(&cpu->word, ppi, level)) {
            v2_update_cpu(s, cpu);
        }
        return;
    }
    unsigned irq = (unsigned)n + GIC_FIRST_SPI;
    if (!gic_word_input(v2_word(s, NULL, irq / 32), irq % 32, level)) {
        return;
    }
    for (unsigned i = 0; i < s->n_cpus; i++) {
        if (s->targets[irq] >> i & 1) {
            v2_update_cpu(s, &s->cpus[i]);
        }
    }
}

MemoryRegion *gicv2_view(Device *gic, unsigned cpu, unsigned view)
{
    return &((GicV2 *)gic)->cpus[cpu].regions[view];
}

static bool realize(Device *dev, Error **errp)
{
    static const struct { const char *name; const MemoryOps *ops; uint64_t bytes; } views[GICV2_N_VIEWS] = {
        { "gic_dist", &v2_dist_ops, 0x1000 }, { "gic_cpu", &v2_cpu_ops, 0x2000 },
        { "gic_viface", &v2_vctrl_ops, 0x1000 }, { "gic_vcpu", &v2_vcpu_ops, 0x2000 },
    };
    GicV2 *s = (GicV2 *)dev;

    if (s->n_cpus < 1 || s->n_cpus > GICV2_MAX_CPUS) {
        error_set(errp, "requested %u CPUs exceeds GIC maximum %u", s->n_cpus, GICV2_MAX_CPUS);
        return false;
    }
    if (s->n_irqs < 32 || s->n_irqs > 992 || s->n_irqs % 32) {
        error_set(errp, "num-irq=%u: a GICv2 has 32 to 992 interrupts, a multiple of 32", s->n_irqs);
        return false;
    }
    if (s->revision != 2 && (s->revision != 1 || s->security || s->virtualization)) {
        error_set(errp, "revision=%u: arm_gic is a GICv2, or, without extensions, a GICv1", s->revision);
        return false;
    }
    if (s->priority_bits < 4 || s->priority_bits > 8) {
        error_set(errp, "num-priority-bits=%u: a GIC has 4 to 8", s->priority_bits);
        return false;
    }
    s->n_words = s->n_irqs / 32;
    for (unsigned i = 0; i < s->n_cpus; i++) {
        V2Cpu *cpu = &s->cpus[i];

        cpu->gic = s;
        cpu->index = i;
        for (unsigned v = 0; v < (s->virtualization ? GICV2_N_VIEWS : GICV2_VIRT_CTRL); v++) {
            memory_region_init_mmio(&cpu->regions[v], &dev->obj, views[v].ops, cpu, views[v].name, views[v].bytes);
            if (!i) {
                device_add_mmio(dev, &cpu->regions[v]);
            }
        }
    }
    device_init_irqs_in(dev, NULL, input, s->n_irqs - GIC_FIRST_SPI + 32 * s->n_cpus);
    for (unsigned i = 0; i < ARRAY_SIZE(outputs); i++) {
        device_init_irqs_out(dev, outputs[i], s->n_cpus);
    }
    return true;
}

static void unrealize(Device *dev)
{
    GicV2 *s = (GicV2 *)dev;

    for (unsigned i = 1; i < s->n_cpus; i++) { /* the first one's are the device's */
        for (unsigned v = 0; v < (s->virtualization ? GICV2_N_VIEWS : GICV2_VIRT_CTRL); v++) {
            memory_region_finish(&s->cpus[i].regions[v]);
        }
    }
}

static void word_reset(const GicV2 *s, GicWord *w)
{
    *w = (GicWord){ .level = w->level, .group = s->reset_nonsecure ? UINT32_MAX : 0 }; /* the inputs are other devices' */
}

static void reset_enter(Device *dev, ResetKind kind)
{
    GicV2 *s = (GicV2 *)dev;

    s->ctlr = 0;
    for (unsigned w = 0; w < V2_MAX_WORDS - 1; w++) {
        word_reset(s, &s->spi[w]);
    }
    /* The field is RAZ/WI with one processor, which then is the target of all. */
    memset(s->targets, s->n_cpus == 1 ? 1 : 0, sizeof(s->targets));
    for (unsigned i = 0; i < s->n_cpus; i++) {
        V2Cpu *cpu = &s->cpus[i];

        word_reset(s, &cpu->word);
        cpu->word.enabled = cpu->word.edge = 0xffff; /* SGIs */
        memset(cpu->sgi_from, 0, sizeof(cpu->sgi_from));
        cpu->ctlr = cpu->bpr = 0;
        cpu->pmr = s->reset_nonsecure ? 0x80 : 0; /* below that non-secure software could not change it (4.4.2) */
        cpu->abpr = 1;
        memset(cpu->apr, 0, sizeof(cpu->apr));
        memset(cpu->nsapr, 0, sizeof(cpu->nsapr));
        cpu->hcr = cpu->vapr = 0;
        cpu->vmcr = 3u << 18 | 2u << 21; /* the least binary points */
        memset(cpu->lr, 0, sizeof(cpu->lr));
    }
}

static void drive_all(GicV2 *s)
{
    for (unsigned i = 0; i < s->n_cpus; i++) {
        for (unsigned n = 0; n < ARRAY_SIZE(outputs); n++) {
            device_set_irq(&s->dev, outputs[n], i, 0);
        }
        s->cpus[i].lines = 0;
        v2_update_cpu(s, &s->cpus[i]);
    }
}

static void reset_hold(Device *dev, ResetKind kind)
{
    drive_all((GicV2 *)dev);
}

static bool post_load(void *opaque, uint32_t version, Error **errp)
{
    GicV2 *s = opaque;

    s->ctlr &= 3;
    for (unsigned i = 0; i < s->n_cpus; i++) {
        V2Cpu *cpu = &s->cpus[i];

        if (cpu->bpr > 7 || cpu->abpr > 7 || cpu->abpr < 1 || cpu->pmr > 0xff) {
            error_set(errp, "GICv2 state: binary point %u, %u or priority mask %u out of range", cpu->bpr, cpu->abpr, cpu->pmr);
            return false;
        }
    }
    drive_all(s);
    return true;
}

static const StateField cpu_fields[] = {
    { .name = "word", .kind = STATE_STRUCT, .offset = offsetof(V2Cpu, word), .elem_size = sizeof(GicWord), .sub = &gic_word_state },
    STATE_BYTES(V2Cpu, sgi_from), STATE_U(V2Cpu, ctlr), STATE_U(V2Cpu, pmr), STATE_U(V2Cpu, bpr), STATE_U(V2Cpu, abpr),
    STATE_U_ARRAY(V2Cpu, apr), STATE_U_ARRAY(V2Cpu, nsapr), STATE_U(V2Cpu, hcr), STATE_U(V2Cpu, vmcr), STATE_U(V2Cpu, vapr),
    STATE_U_ARRAY(V2Cpu, lr),
};
static const StateDesc cpu_state = {
    .name = "arm_gic-cpu", .version = 1, .min_version = 1, .fields = cpu_fields, .n_fields = ARRAY_SIZE(cpu_fields),
};
static const StateField fields[] = {
    STATE_U(GicV2, ctlr), STATE_BYTES(GicV2, targets),
    { .name = "spi", .kind = STATE_STRUCT, .offset = offsetof(GicV2, spi), .elem_size = sizeof(GicWord), .count = V2_MAX_WORDS - 1,
      .sub = &gic_word_state },
    { .name = "cpus", .kind = STATE_STRUCT, .offset = offsetof(GicV2, cpus), .elem_size = sizeof(V2Cpu), .count = GICV2_MAX_CPUS,
      .sub = &cpu_state },
};
static const StateDesc state = {
    .name = "arm_gic", .version = 1, .min_version = 1, .fields = fields, .n_fields = ARRAY_SIZE(fields), .post_load = post_load,
};

static const Property props[] = {
    PROP_U32("num-cpu", GicV2, n_cpus, 1, NULL), PROP_U32("num-irq", GicV2, n_irqs, 32, NULL),
    PROP_U32("revision", GicV2, revision, 2, NULL),
    PROP_B("has-security-extensions", GicV2, security, false, NULL), PROP_B("irq-reset-nonsecure", GicV2, reset_nonsecure, false, NULL),
    PROP_B("has-virtualization-extensions", GicV2, virtualization, false, NULL),
    PROP_U32("num-priority-bits", GicV2, priority_bits, 8, NULL),
};

static const DeviceType type = {
    .type = { .name = "arm_gic", .parent = "sys-bus-device", .summary = "ARM Generic Interrupt Controller v2", .size_bytes = sizeof(GicV2),
              .props = props, .n_props = ARRAY_SIZE(props) },
    .category = DEVICE_MISC, .bus = "System", .state = &state, .realize = realize, .unrealize = unrealize,
    .reset_enter = reset_enter, .reset_hold = reset_hold,
};
DEVICE_TYPE_REGISTER(type);
