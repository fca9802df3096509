/*
 * cpus.c: see cpus.h.
 */
#include <stdio.h>
#include "accel/accel.h"
#include "hw/arm/cpus.h"

static const ArmCpuOps *cpu_ops;

void arm_cpus_set_ops(const ArmCpuOps *ops)
{
    cpu_ops = ops;
}

static const ObjectType cpu_type = {
    .name = "arm-cpu", .parent = "object", .summary = "an Arm processor", .size_bytes = sizeof(ArmCpu),
};
OBJECT_TYPE_REGISTER(cpu_type);

ArmCpu *arm_cpu(Machine *m, unsigned index)
{
    return ((ArmMachine *)m)->cpus[index];
}

uint64_t arm_cpu_affinity(const ArmCpusConfig *config, unsigned index)
{
    return config->affinity + ((uint64_t)(index / config->cluster_cpus) << 8 | index % config->cluster_cpus);
}

ArmCpuInfo arm_cpu_info(Machine *m, unsigned index)
{
    /* Without vCPUs (tests, -accel qtest): a Cortex-A57. */
    ArmCpuInfo info = { .compatible = "arm,cortex-a57", .midr = 0x411fd070, .phys_bits = 44, .has_pmu = true, .has_aarch64 = true, .is_v8 = true };
    ArmCpu *cpu = arm_cpu(m, index);

    if (cpu_ops && cpu->vcpu) {
        cpu_ops->info(cpu, &info);
    }
    return info;
}

static void cpu_line(void *opaque, int n, int level)
{
    ArmCpu *cpu = opaque;

    if (cpu_ops && cpu->vcpu) {
        cpu_ops->line(cpu, (ArmLine)n, level != 0);
    }
}

/* -- memory ------------------------------------------------------------------------------------------------------------ */

static void changed(ArmCpu *cpu)
{
    if (cpu_ops && cpu->vcpu) {
        cpu_ops->memory_changed(cpu);
    }
}

static void memory_changed(MemoryListener *listener)
{
    changed(container_of(listener, ArmCpu, memory_listener));
}

static void secure_changed(MemoryListener *listener)
{
    changed(container_of(listener, ArmCpu, secure_listener));
}

static void make_views(ArmCpu *cpu)
{
    Machine *m = cpu->machine;
    Object *owner = &cpu->obj;
    char name[32];

    memory_begin();
    memory_region_init(&cpu->root, owner, "memory", MEMORY_SIZE_ALL);
    memory_region_init_alias(&cpu->system, owner, "memory", &m->system_memory, 0, MEMORY_SIZE_ALL);
    memory_region_add(&cpu->root, 0, &cpu->system);
    snprintf(name, sizeof(name), "cpu-memory-%u", cpu->index);
    address_space_init(&cpu->memory, &cpu->root, name);
    if (cpu->config->secure) {
        memory_region_init(&cpu->secure_root, owner, "secure-memory", MEMORY_SIZE_ALL);
        memory_region_init_alias(&cpu->secure_system, owner, "memory", &cpu->root, 0, MEMORY_SIZE_ALL);
        memory_region_init_alias(&cpu->secure_devices, owner, "secure", cpu->config->secure, 0, MEMORY_SIZE_ALL);
        memory_region_add(&cpu->secure_root, 0, &cpu->secure_system);
        memory_region_add_overlap(&cpu->secure_root, 0, &cpu->secure_devices, 1);
        snprintf(name, sizeof(name), "cpu-secure-memory-%u", cpu->index);
        address_space_init(&cpu->secure, &cpu->secure_root, name);
    }
    memory_commit();
    cpu->memory_listener.commit = memory_changed;
    memory_listener_add(&cpu->memory_listener, &cpu->memory);
    if (cpu->config->secure) {
        cpu->secure_listener.commit = secure_changed;
        memory_listener_add(&cpu->secure_listener, &cpu->secure);
    }
}

void arm_cpu_overlay(ArmCpu *cpu, gpa addr, MemoryRegion *mr)
{
    memory_region_add_overlap(&cpu->root, addr, mr, 1);
}

/* -- life -------------------------------------------------------------------------------------------------------------- */

void arm_machine_reset(Machine *m, ResetKind kind)
{
    machine_reset_devices(m, kind);
    for (unsigned i = 0; cpu_ops && i < m->n_vcpus; i++) {
        cpu_ops->start(arm_cpu(m, i));
    }
}

void arm_cpu_hold(ArmCpu *cpu)
{
    if (cpu_ops && cpu->vcpu) {
        cpu_ops->power(cpu, false, 0);
    }
}

void arm_cpu_release(ArmCpu *cpu, uint64_t pc)
{
    if (cpu_ops && cpu->vcpu) {
        cpu_ops->power(cpu, true, pc);
    }
}

static bool cpu_create(const ArmCpusConfig *config, unsigned index, Error **errp)
{
    Machine *m = config->machine;
    ArmCpu *cpu = (ArmCpu *)object_new(&cpu_type);

    ((ArmMachine *)m)->cpus[index] = cpu;
    cpu->machine = m;
    cpu->config = config;
    cpu->index = index;
    cpu->mpidr = arm_cpu_affinity(config, index);
    object_add_child(object_container("/machine/unattached"), "device[*]", &cpu->obj);
    object_unref(&cpu->obj);
    for (int n = 0; n < ARM_N_LINES; n++) {
        irq_init(&cpu->lines[n], cpu_line, cpu, n);
    }
    make_views(cpu);
    if (cpu_ops) {
        const char *model = m->cpu_type ? m->cpu_type : m->arch && !strcmp(m->arch, "arm") ? m->type->default_cpu32 : m->type->default_cpu64;
        cpu->vcpu = cpu_ops->create(cpu, model, errp);
        if (!cpu->vcpu) {
            return false;
        }
        m->vcpus[m->n_vcpus++] = cpu->vcpu;
    }
    return true;
}

bool arm_cpus_create(const ArmCpusConfig *config, Error **errp)
{
    Machine *m = config->machine;

    if (!cpu_ops && &arm_cpus_target_ops) {
        cpu_ops = &arm_cpus_target_ops;
    }
    if (!cpu_ops && m->accel && strcmp(m->accel->name, "qtest")) {
        error_set(errp, "this program was built without Arm CPUs");
        return false;
    }
    ((ArmMachine *)m)->cpus = xnew_array(ArmCpu *, m->smp.cpus);
    m->vcpus = xnew_array(struct Vcpu *, m->smp.cpus);
    for (unsigned i = 0; i < m->smp.cpus; i++) {
        if (!cpu_create(config, i, errp)) {
            return false;
        }
    }
    return true;
}

char *arm_vcpu_path(Machine *m, unsigned index)
{
    return object_path(&arm_cpu(m, index)->obj);
}
