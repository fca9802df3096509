/*
 * harts.c: the harts of a board and the object tree's "riscv.hart_array".
 */
#include <stdio.h>
#include "hw/riscv/harts.h"

enum { HART_N_LINES = 64 };

static const HartOps *hart_ops;

void harts_set_ops(const HartOps *ops)
{
    hart_ops = ops;
}

/* --- the array device: /machine/soc0 --- */

typedef struct HartArray {
    Device dev;
    uint32_t num_harts, hartid_base;
    char *cpu_type;
    uint64_t resetvec;
} HartArray;

static const Property array_props[] = {
    PROP_U32("num-harts", HartArray, num_harts, 1, NULL),
    PROP_U32("hartid-base", HartArray, hartid_base, 0, NULL),
    PROP_STR("cpu-type", HartArray, cpu_type, NULL),
    PROP_U64("resetvec", HartArray, resetvec, 0x1000, NULL),
};

static const DeviceType array_type = {
    .type = {
        .name = "riscv.hart_array",
        .parent = "sys-bus-device",
        .summary = "RISC-V harts",
        .size_bytes = sizeof(HartArray),
        .props = array_props,
        .n_props = ARRAY_SIZE(array_props),
    },
    .category = DEVICE_CPU,
    .bus = "System",
};
DEVICE_TYPE_REGISTER(array_type);

/* A hart in the object tree; its state is the accelerator's. */
typedef struct HartObject {
    Object obj;
    Machine *machine;
    unsigned index;
    Irq lines[HART_N_LINES];
} HartObject;

static const ObjectType hart_type = {
    .name = "riscv-cpu",
    .parent = "object",
    .summary = "a RISC-V hart",
    .size_bytes = sizeof(HartObject),
};
OBJECT_TYPE_REGISTER(hart_type);

static void hart_line(void *opaque, int n, int level)
{
    HartObject *hart = opaque;
    Machine *m = hart->machine;

    if (hart_ops && hart->index < m->n_vcpus && m->vcpus[hart->index]) {
        hart_ops->irq_set(m->vcpus[hart->index], (unsigned)n, level != 0);
    }
}

static HartObject *hart_object(Machine *m, unsigned index)
{
    char *path = xasprintf("/machine/soc0/harts[%u]", index);
    Object *obj = object_resolve(path, NULL);

    free(path);
    return (HartObject *)obj;
}

bool harts_create(Machine *m, uint64_t reset_pc, Error **errp)
{
    char count[16], pc[24];

    if (!hart_ops && &harts_target_ops) {
        hart_ops = &harts_target_ops;
    }
    snprintf(count, sizeof(count), "%u", m->smp.cpus);
    snprintf(pc, sizeof(pc), "0x%" PRIx64, reset_pc);
    const char *props[] = { "num-harts", count, "resetvec", pc, NULL };
    Device *array = device_new("riscv.hart_array", errp);
    object_add_child(&m->obj, "soc0", &array->obj);
    for (const char **p = props; *p; p += 2) {
        if (!object_property_parse(&array->obj, p[0], p[1], errp)) {
            return false;
        }
    }
    bool ok = device_realize(array, NULL, errp);
    object_unref(&array->obj);
    if (!ok) {
        return false;
    }
    m->vcpus = xnew_array(struct Vcpu *, m->smp.cpus);
    for (unsigned i = 0; i < m->smp.cpus; i++) {
        HartObject *hart = (HartObject *)object_new(&hart_type);
        hart->machine = m;
        hart->index = i;
        object_add_child(&array->obj, "harts[*]", &hart->obj);
        object_unref(&hart->obj);
        for (int n = 0; n < HART_N_LINES; n++) {
            irq_init(&hart->lines[n], hart_line, hart, n);
            object_add_child(&hart->obj, "unnamed-gpio-in[*]", &hart->lines[n].obj);
        }
        if (hart_ops) {
            m->vcpus[i] = hart_ops->create(m, i, m->cpu_type, reset_pc, errp);
            if (!m->vcpus[i]) {
                return false;
            }
            m->n_vcpus++;
        }
    }
    return true;
}

Irq *harts_irq(Machine *m, unsigned index, unsigned line)
{
    HartObject *hart = hart_object(m, index);

    assert(hart && line < HART_N_LINES);
    return &hart->lines[line];
}

void harts_set_time(Machine *m, Device *mtimer)
{
    for (unsigned i = 0; hart_ops && i < m->n_vcpus; i++) {
        hart_ops->set_time(m->vcpus[i], mtimer);
    }
}

HartInfo harts_info(Machine *m, unsigned index)
{
    bool is32 = !strcmp(m->arch, "riscv32");
    HartInfo info = { .isa = is32 ? "rv32imafdc_zicsr_zifencei" : "rv64imafdc_zicsr_zifencei",
                      .mmu = is32 ? "riscv,sv32" : "riscv,sv57" };

    if (hart_ops && index < m->n_vcpus) {
        hart_ops->info(m->vcpus[index], &info);
    }
    return info;
}
