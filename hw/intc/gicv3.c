/*
 * gicv3.c: "arm-gicv3": the GICv3 interrupt controller: the device, its lines, which interrupt goes to whom.
 *
 * gicv3-dist.c and gicv3-redist.c have the registers in memory, gicv3-cpu.c those of the processors' interfaces (system registers),
 * gicv3-virt.c the virtual interface, gicv3-lpi.c message interrupts, gicv3-its.c who translates messages to them.
 * revision=4 is a GICv4.0: message interrupts of virtual processors.
 *
 * Specification: IHI 0069H. Affinity routing is always on, system registers always used. Left out: 1-of-N delivery
 * (GICD_TYPER.No1N says so), the legacy interface in memory, extended ranges of SPIs and PPIs, NMIs, message-based SPIs, GICD_NSACR,
 * GICD_STATUSR. Threads: BQL.
 */
#include <stdio.h>
#include "hw/intc/gicv3.h"

static const char *const outputs[] = { "irq", "fiq", "virq", "vfiq", "maintenance" };

V3Group v3_group(const GicV3 *s, const GicWord *w, unsigned n)
{
    if (w->group >> n & 1) {
        return V3_G1NS;
    }
    return !v3_single(s) && (w->group_mod >> n & 1) ? V3_G1S : V3_G0;
}

/* Interrupts of a word whose group is on. */
static uint32_t enabled_groups(const GicV3 *s, const GicWord *w)
{
    uint32_t mod = v3_single(s) ? 0 : w->group_mod, bits = 0;

    bits |= s->ctlr & V3_DCTLR_G0 ? ~w->group & ~mod : 0;
    bits |= s->ctlr & V3_DCTLR_G1S ? ~w->group & mod : 0;
    bits |= s->ctlr & V3_DCTLR_G1NS ? w->group : 0;
    return bits;
}

V3Best v3_best(GicV3 *s, V3Cpu *cpu)
{
    V3Best best = { V3_NONE, 0xff, V3_G0 };

    /* DEVIATION: GICR_WAKER.ProcessorSleep, which is set at reset, keeps nothing back (12.11.45 would): UEFI for this board relies on that. */
    for (unsigned n = 0; n < s->n_words; n++) {
        const GicWord *w = v3_word(s, cpu, n);
        uint32_t ready = gic_word_ready(w) & enabled_groups(s, w) & (n ? cpu->routed[n] : UINT32_MAX);

        for (; ready; ready &= ready - 1) {
            unsigned bit = (unsigned)__builtin_ctz(ready);

            if (w->priority[bit] < best.priority) {
                best = (V3Best){ 32 * n + bit, w->priority[bit], (uint8_t)v3_group(s, w, bit) };
            }
        }
    }
    if (cpu->lpi.best.priority < best.priority && (s->ctlr & V3_DCTLR_G1NS)) {
        best = cpu->lpi.best;
    }
    return best;
}

void v3_update_cpu(GicV3 *s, V3Cpu *cpu)
{
    V3Best best = v3_best(s, cpu);
    unsigned lines = v3_virtual_lines(cpu) << 2;

    if (v3_can_signal(cpu, best)) {
        /* 4.6.2: group 0 by FIQ. Group 1 of the other security state is a FIQ, too; without EL3 there is none. */
        lines |= best.group == V3_G0 || best.group == (cpu->in_secure ? V3_G1NS : V3_G1S) ? 2 : 1;
    }
    for (unsigned changed = lines ^ cpu->lines; changed; changed &= changed - 1) {
        unsigned n = (unsigned)__builtin_ctz(changed);

        device_set_irq(&s->dev, outputs[n], cpu->index, lines >> n & 1);
    }
    cpu->lines = (uint8_t)lines;
}

void v3_update(GicV3 *s)
{
    for (unsigned i = 0; i < s->n_cpus; i++) {
        v3_update_cpu(s, &s->cpus[i]);
    }
}

/* -- routing -------------------------------------------------------------------------------------------------------------- */

V3Cpu *v3_cpu_by_affinity(GicV3 *s, uint64_t mpidr)
{
    for (unsigned i = 0; i < s->n_cpus; i++) {
        if (s->cpus[i].mpidr == mpidr) {
            return &s->cpus[i];
        }
    }
    return NULL;
}

V3Cpu *v3_target(GicV3 *s, unsigned irq)
{
    return v3_cpu_by_affinity(s, s->router[irq] & ~BIT(31));
}

void v3_reroute(GicV3 *s)
{
    for (unsigned i = 0; i < s->n_cpus; i++) {
        memset(s->cpus[i].routed, 0, sizeof(s->cpus[i].routed));
    }
    for (unsigned irq = GIC_FIRST_SPI; irq < s->n_irqs; irq++) {
        V3Cpu *cpu = v3_target(s, irq);

        if (cpu) {
            cpu->routed[irq / 32] |= v3_bit(irq);
        }
    }
}

/* -- inputs ------------------------------------------------------------------------------------------------------------------ */

static void input(void *opaque, int n, int level)
{
    GicV3 *s = opaque;
    unsigned n_spis = s->n_irqs - GIC_FIRST_SPI;

    if ((unsigned)n >= n_spis) {
        V3Cpu *cpu = &s->cpus[((unsigned)n - n_spis) / 32];
        unsigned ppi = ((unsigned)n - n_spis) % 32;

        if (ppi >= 16 && gic_word_input(&cpu->word, ppi, level)) {
            v3_update_cpu(s, cpu);
        }
        return;
    }
    unsigned irq = (unsigned)n + GIC_FIRST_SPI;
    V3Cpu *cpu = v3_target(s, irq);
    if (gic_word_input(v3_word(s, NULL, irq / 32), irq % 32, level) && cpu) {
        v3_update_cpu(s, cpu);
    }
}

/* -- life ---------------------------------------------------------------------------------------------------------------------- */

void gicv3_set_place(Device *gic, unsigned cpu, uint64_t mpidr, bool last)
{
    ((GicV3 *)gic)->cpus[cpu].mpidr = mpidr;
    ((GicV3 *)gic)->cpus[cpu].last_of_region = last;
}

MemoryRegion *gicv3_redist(Device *gic, unsigned cpu)
{
    return &((GicV3 *)gic)->cpus[cpu].redist;
}

static bool realize(Device *dev, Error **errp)
{
    GicV3 *s = (GicV3 *)dev;

    if (s->n_cpus < 1 || s->n_cpus > GICV3_MAX_CPUS) {
        error_set(errp, "num-cpu=%u: a GICv3 has 1 to %u processors", s->n_cpus, GICV3_MAX_CPUS);
        return false;
    }
    if (s->n_irqs < 32 || s->n_irqs > 992 || s->n_irqs % 32) {
        error_set(errp, "num-irq=%u: a GICv3 has 32 to 992 interrupts, a multiple of 32", s->n_irqs);
        return false;
    }
    if (s->revision != 3 && (s->revision != 4 || !s->has_lpi)) {
        error_set(errp, "revision=%u: arm-gicv3 is a GICv3, or with has-lpi=on a GICv4", s->revision);
        return false;
    }
    s->n_words = s->n_irqs / 32;
    s->cpus = xnew_array(V3Cpu, s->n_cpus);
    memory_region_init_mmio(&s->dist, &dev->obj, &v3_dist_ops, s, "gicv3_dist", 0x10000);
    device_add_mmio(dev, &s->dist);
    for (unsigned i = 0; i < s->n_cpus; i++) {
        V3Cpu *cpu = &s->cpus[i];

        cpu->gic = s;
        cpu->index = i;
        cpu->mpidr = i;
        if (s->has_lpi) {
            v3_lpi_init(&cpu->lpi, false);
        }
        if (s->revision == 4) {
            v3_lpi_init(&cpu->vlpi, true);
        }
        memory_region_init_mmio(&cpu->redist, &dev->obj, &v3_redist_ops, cpu, "gicv3_redist",
                                s->revision == 4 ? GICV4_REDIST_BYTES : GICV3_REDIST_BYTES);
    }
    device_init_irqs_in(dev, NULL, input, s->n_irqs - GIC_FIRST_SPI + 32 * s->n_cpus);
    for (unsigned i = 0; i < ARRAY_SIZE(outputs); i++) {
        device_init_irqs_out(dev, outputs[i], s->n_cpus);
    }
    return true;
}

static void unrealize(Device *dev)
{
    GicV3 *s = (GicV3 *)dev;

    for (unsigned i = 0; i < s->n_cpus; i++) {
        memory_region_finish(&s->cpus[i].redist);
        v3_lpi_free(&s->cpus[i].lpi);
        v3_lpi_free(&s->cpus[i].vlpi);
    }
    free(s->cpus);
}

static void word_reset(const GicV3 *s, GicWord *w)
{
    *w = (GicWord){ .level = w->level, .group = s->reset_nonsecure ? UINT32_MAX : 0 }; /* the inputs are other devices' */
}

static void cpu_reset(GicV3 *s, V3Cpu *cpu)
{
    word_reset(s, &cpu->word);
    cpu->word.edge = 0xffff;                       /* SGIs */
    cpu->rctlr = 0;
    cpu->waker = s->reset_nonsecure ? 0 : 6;       /* ProcessorSleep, ChildrenAsleep: the secure world's to change */
    v3_lpi_reset(&cpu->lpi);
    v3_lpi_reset(&cpu->vlpi);
    cpu->ctlr[0] = cpu->ctlr[1] = 0;
    cpu->pmr = s->reset_nonsecure ? 0x80 : 0;      /* below that non-secure software could not change it */
    for (unsigned g = 0; g < V3_N_GROUPS; g++) {
        cpu->bpr[g] = V3_MIN_BPR + (g == V3_G1NS); /* 4.8.4: one more for non-secure group 1 */
        cpu->apr[g] = cpu->igrpen[g] = 0;
    }
    cpu->hcr = cpu->vapr[0] = cpu->vapr[1] = 0;
    cpu->vmcr = V3_MIN_BPR << 21 | (V3_MIN_BPR + 1) << 18 | 1u << 3; /* the least binary points, VFIQEn */
    memset(cpu->lr, 0, sizeof(cpu->lr));
}

static void reset_enter(Device *dev, ResetKind kind)
{
    GicV3 *s = (GicV3 *)dev;

    s->ctlr = s->security ? V3_DCTLR_ARE_S | V3_DCTLR_ARE_NS : V3_DCTLR_ARE_S | V3_DCTLR_DS;
    for (unsigned w = 0; w < V3_MAX_WORDS - 1; w++) {
        word_reset(s, &s->spi[w]);
    }
    memset(s->router, 0, sizeof(s->router));
    for (unsigned i = 0; i < s->n_cpus; i++) {
        cpu_reset(s, &s->cpus[i]);
    }
    v3_reroute(s);
}

static void drive_all(GicV3 *s)
{
    for (unsigned i = 0; i < s->n_cpus; i++) {
        for (unsigned n = 0; n < ARRAY_SIZE(outputs); n++) {
            device_set_irq(&s->dev, outputs[n], i, 0);
        }
        s->cpus[i].lines = 0;
        v3_update_cpu(s, &s->cpus[i]);
    }
}

static void reset_hold(Device *dev, ResetKind kind)
{
    drive_all((GicV3 *)dev);
}

static bool post_load(void *opaque, uint32_t version, Error **errp)
{
    GicV3 *s = opaque;

    s->ctlr = (s->ctlr & 7) | (s->security ? V3_DCTLR_ARE_S | V3_DCTLR_ARE_NS | (s->ctlr & V3_DCTLR_DS) : V3_DCTLR_ARE_S | V3_DCTLR_DS);
    for (unsigned i = 0; i < s->n_cpus; i++) {
        V3Cpu *cpu = &s->cpus[i];

        for (unsigned g = 0; g < V3_N_GROUPS; g++) {
            if (cpu->bpr[g] > 7) {
                error_set(errp, "GICv3 state: binary point %u", cpu->bpr[g]);
                return false;
            }
        }
        cpu->lpi.on = cpu->rctlr & V3_RCTLR_LPIS;
        cpu->vlpi.on = cpu->vlpi.n_words && (cpu->vlpi.pendbaser & V3_VPEND_VALID);
        v3_lpi_rebuild_summary(cpu, &cpu->lpi);
        v3_lpi_rebuild_summary(cpu, &cpu->vlpi);
    }
    v3_reroute(s);
    drive_all(s);
    return true;
}

static const StateField cpu_fields[] = {
    { .name = "word", .kind = STATE_STRUCT, .offset = offsetof(V3Cpu, word), .elem_size = sizeof(GicWord), .sub = &gic_word_state },
    STATE_U(V3Cpu, rctlr), STATE_U(V3Cpu, waker), STATE_U(V3Cpu, lpi.table_is_zero), STATE_U(V3Cpu, lpi.propbaser), STATE_U(V3Cpu, lpi.pendbaser),
    STATE_U_PTR(V3Cpu, lpi.pending, lpi.n_words),
    STATE_U(V3Cpu, vlpi.propbaser), STATE_U(V3Cpu, vlpi.pendbaser), STATE_U_PTR(V3Cpu, vlpi.pending, vlpi.n_words),
    STATE_U_ARRAY(V3Cpu, ctlr), STATE_U(V3Cpu, pmr), STATE_U_ARRAY(V3Cpu, bpr), STATE_U_ARRAY(V3Cpu, apr), STATE_U_ARRAY(V3Cpu, igrpen),
    STATE_U(V3Cpu, hcr), STATE_U(V3Cpu, vmcr), STATE_U_ARRAY(V3Cpu, vapr), STATE_U_ARRAY(V3Cpu, lr),
};
static const StateDesc cpu_state = {
    .name = "arm-gicv3-cpu", .version = 1, .min_version = 1, .fields = cpu_fields, .n_fields = ARRAY_SIZE(cpu_fields),
};
static const StateField fields[] = {
    STATE_U(GicV3, ctlr), STATE_U_ARRAY(GicV3, router),
    { .name = "spi", .kind = STATE_STRUCT, .offset = offsetof(GicV3, spi), .elem_size = sizeof(GicWord), .count = V3_MAX_WORDS - 1,
      .sub = &gic_word_state },
    { .name = "cpus", .kind = STATE_STRUCT, .offset = offsetof(GicV3, cpus), .elem_size = sizeof(V3Cpu), .indirect = true,
      .count_is_field = true, .count_field = offsetof(GicV3, n_cpus), .sub = &cpu_state },
};
static const StateDesc state = {
    .name = "arm-gicv3", .version = 1, .min_version = 1, .fields = fields, .n_fields = ARRAY_SIZE(fields), .post_load = post_load,
};

static const Property props[] = {
    PROP_U32("num-cpu", GicV3, n_cpus, 1, NULL), PROP_U32("num-irq", GicV3, n_irqs, 32, NULL), PROP_U32("revision", GicV3, revision, 3, NULL),
    PROP_B("has-security-extensions", GicV3, security, false, NULL), PROP_B("irq-reset-nonsecure", GicV3, reset_nonsecure, false, NULL), PROP_B("has-lpi", GicV3, has_lpi, false, NULL),
};

static const DeviceType type = {
    .type = { .name = "arm-gicv3", .parent = "sys-bus-device", .summary = "ARM Generic Interrupt Controller v3", .size_bytes = sizeof(GicV3),
              .props = props, .n_props = ARRAY_SIZE(props) },
    .category = DEVICE_MISC, .bus = "System", .state = &state, .realize = realize, .unrealize = unrealize,
    .reset_enter = reset_enter, .reset_hold = reset_hold,
};
DEVICE_TYPE_REGISTER(type);
