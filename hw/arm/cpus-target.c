/*
 * cpus-target.c: an Arm board's processors as vCPUs of target/arm: the platform behind counter and timers, a GICv3's system registers, PSCI.
 *
 * Threads: created and reset under the BQL; the platform's callbacks are called by the vCPU's thread, mostly without it.
 */
#include "accel/accel.h"
#include "accel/tcg.h"
#include "hw/arm/cpus-target.h"
#include "hw/arm/gic.h"
#include "softmmu/bql.h"
#include "softmmu/clock.h"
#include "target/arm/cpu.h"
#include "target/arm/mte.h"
#include "util/bits.h"

typedef struct ArmTimerSlot {
    Timer timer;
    ArmCpu *cpu;
    ArmTimer number;
} ArmTimerSlot;

/* A processor's side of the machine. */
typedef struct ArmTimers {
    ArmPlatform platform;
    ArmTimerSlot at[ARM_N_TIMERS];
} ArmTimers;

/* -- counter and timers --------------------------------------------------------------------------------------------------------- */

static uint64_t plat_guest_ns(void *opaque)
{
    return (uint64_t)clock_get_ns(VM_CLOCK_VIRTUAL);
}

static void timer_fires(void *opaque)
{
    ArmTimerSlot *t = opaque;

    arm_timer_expired(t->cpu->vcpu, t->number);
}

static void plat_timer_set(void *opaque, Vcpu *vcpu, ArmTimer number, uint64_t ns)
{
    Timer *timer = &((ArmTimers *)((ArmCpu *)opaque)->timers)->at[number].timer;

    if (ns > INT64_MAX) {
        timer_cancel(timer);
    } else {
        timer_set_ns(timer, (int64_t)ns);
    }
}

static void plat_output(void *opaque, Vcpu *vcpu, unsigned output, bool level)
{
    static const uint8_t outputs[ARM_N_OUTS] = {
        [ARM_TIMER_PHYS] = ARM_OUTPUT_TIMER_PHYS, [ARM_TIMER_VIRT] = ARM_OUTPUT_TIMER_VIRT, [ARM_TIMER_HYP] = ARM_OUTPUT_TIMER_HYP,
        [ARM_TIMER_HYPVIRT] = ARM_OUTPUT_TIMER_HYP_VIRT, [ARM_TIMER_SEC] = ARM_OUTPUT_TIMER_SECURE, [ARM_OUT_PMU] = ARM_OUTPUT_PMU,
        [ARM_OUT_GIC_MAINTENANCE] = ARM_N_OUTPUTS, /* the interrupt controller drives it itself */
    };
    bool took = bql_enter();

    if (outputs[output] < ARM_N_OUTPUTS) {
        irq_set(((ArmCpu *)opaque)->outputs[outputs[output]], level);
    }
    bql_leave(took);
}

/* The secure state sees its own devices and memory besides. */
static void plat_security(void *opaque, Vcpu *vcpu)
{
    ArmCpu *cpu = opaque;

    vcpu->as = vcpu->secure && cpu->config->secure ? &cpu->secure : &cpu->memory;
}

/* -- system registers of the interrupt controller --------------------------------------------------------------------------------- */

static GicV3Access access_now(const Vcpu *vcpu)
{
    return (GicV3Access){
        .el = arm_state(vcpu)->el, .secure = vcpu->secure, .el2 = arm_has(vcpu, EL2), .el3 = arm_has(vcpu, EL3),
        .virtual0 = arm_gic_virtual(vcpu, 0), .virtual1 = arm_gic_virtual(vcpu, 1),
    };
}

static bool gic_done(Vcpu *vcpu, GicV3Result result)
{
    if (result == GICV3_TRAP_EL2 || result == GICV3_TRAP_EL3) {
        arm_trap(vcpu, result == GICV3_TRAP_EL2 ? 2 : 3);
    }
    return result == GICV3_OK;
}

static bool gic_read(void *opaque, Vcpu *vcpu, uint32_t sysreg, uint64_t *ret)
{
    ArmCpu *cpu = opaque;
    GicV3Access how = access_now(vcpu);
    bool took = bql_enter();
    GicV3Result result = gicv3_sysreg_read(cpu->config->gic(cpu->machine), cpu->index, sysreg, &how, ret);

    bql_leave(took);
    return gic_done(vcpu, result);
}

static bool gic_write(void *opaque, Vcpu *vcpu, uint32_t sysreg, uint64_t value)
{
    ArmCpu *cpu = opaque;
    GicV3Access how = access_now(vcpu);
    bool took = bql_enter();
    GicV3Result result = gicv3_sysreg_write(cpu->config->gic(cpu->machine), cpu->index, sysreg, &how, value);

    bql_leave(took);
    return gic_done(vcpu, result);
}

static const ArmGicOps gic_ops = { .read = gic_read, .write = gic_write };

/* -- life ---------------------------------------------------------------------------------------------------------------------------- */

/* Allocation tags, which all processors share. */
static bool add_tags(const ArmCpu *cpu)
{
    ArmMachine *m = (ArmMachine *)cpu->machine;

    m->tags = m->tags ? m->tags : arm_tags_new();
    return arm_cpu_set_tags(cpu->vcpu, m->tags);
}

static bool check_levels(const ArmCpu *cpu, const Vcpu *vcpu, Error **errp)
{
    const ArmCpusConfig *config = cpu->config;

    if (config->has_el2 && !arm_has(vcpu, EL2)) {
        error_set(errp, "virtualization=on, but the CPU '%s' has no exception level 2", arm_model(vcpu)->name);
    } else if (config->has_el3 && !arm_has(vcpu, EL3)) {
        error_set(errp, "secure=on, but the CPU '%s' has no exception level 3", arm_model(vcpu)->name);
    } else if (config->has_mte && !add_tags(cpu)) {
        error_set(errp, "MTE requested, but not supported by the guest CPU");
    } else {
        return true;
    }
    return false;
}

static Vcpu *ops_create(ArmCpu *cpu, const char *model, Error **errp)
{
    Machine *m = cpu->machine;
    /* Programs and kernels of 64 bits run on processors that have that state, unless told to do without. */
    bool only32 = !strcmp(m->arch, "arm") || arm_model_only32(model);
    Vcpu *vcpu = vcpu_new(only32 ? &target_arm : &target_aarch64, true);

    vcpu->index = (int)cpu->index;
    vcpu->machine = m;
    vcpu->as = vcpu->as_nonsecure = &cpu->memory;
    vcpu->phys_ptr = memory_ram_of_vcpu;
    vcpu->parallel = m->smp.cpus > 1;
    ArmTimers *timers = xnew(ArmTimers);
    for (unsigned t = 0; t < ARM_N_TIMERS; t++) {
        timers->at[t].cpu = cpu;
        timers->at[t].number = (ArmTimer)t;
        timer_init(&timers->at[t].timer, VM_CLOCK_VIRTUAL, timer_fires, &timers->at[t]);
    }
    cpu->timers = timers;
    cpu->vcpu = vcpu;
    if (!vcpu->target->cpu_init(vcpu, model, errp) || !check_levels(cpu, vcpu, errp)) {
        vcpu_free(vcpu);
        free(timers);
        cpu->vcpu = NULL;
        return NULL;
    }
    arm_cpu_set_levels(vcpu, cpu->config->has_el2, cpu->config->has_el3);
    timers->platform = (ArmPlatform){ .guest_ns = plat_guest_ns, .timer_set = plat_timer_set, .output = plat_output, .security = plat_security,
                                      .cntfrq_hz = arm_model(vcpu)->counter_hz };
    arm_cpu_connect(vcpu, cpu->mpidr, 0, &timers->platform, cpu);
    arm_state(vcpu)->cbar = cpu->config->periphbase;
    if (cpu->config->gic) {
        arm_cpu_set_gic(vcpu, &gic_ops, cpu);
    }
    vcpu->target->cpu_reset(vcpu);
    return vcpu;
}

static void ops_start(ArmCpu *cpu)
{
    static const ArmPsci by_hvc = { ARM_CONDUIT_HVC, arm_psci_call }, by_smc = { ARM_CONDUIT_SMC, arm_psci_call };

    arm_cpu_set_psci(cpu->vcpu, cpu->conduit == PSCI_CONDUIT_HVC ? &by_hvc : cpu->conduit == PSCI_CONDUIT_SMC ? &by_smc : NULL, cpu);
    if (cpu->start_off) {
        arm_cpu_power(cpu->vcpu, false);
    } else {
        arm_cpu_start(cpu->vcpu, cpu->start_el, cpu->start_pc, 0);
    }
}

static void power_off(Vcpu *vcpu, void *opaque)
{
    arm_cpu_power(vcpu, false);
}

static void power_on(Vcpu *vcpu, void *opaque)
{
    uint64_t *pc = opaque;

    vcpu->target->cpu_reset(vcpu);
    arm_cpu_start(vcpu, 0, *pc, 0);
    arm_cpu_power(vcpu, true);
}

static void ops_power(ArmCpu *cpu, bool on, uint64_t pc)
{
    const AccelOps *accel = cpu->machine->accel;

    if (cpu->machine->running && accel && accel->run_on) {
        accel->run_on(cpu->vcpu, on ? power_on : power_off, &pc);
    } else {
        (on ? power_on : power_off)(cpu->vcpu, &pc);
    }
}

static void ops_line(ArmCpu *cpu, ArmLine line, bool level)
{
    static const uint8_t lines[ARM_N_LINES] = { ARM_IRQ_IRQ, ARM_IRQ_FIQ, ARM_IRQ_VIRQ, ARM_IRQ_VFIQ };

    cpu->vcpu->target->irq_set(cpu->vcpu, lines[line], level);
}

/* CCSIDR_EL1 in its two formats (DDI 0487 D23.2.26): one that has high bits is FEAT_CCIDX's. */
static ArmCacheInfo cache_info(uint64_t ccsidr)
{
    bool wide = ccsidr >> 32;
    uint32_t ways = (uint32_t)bits_get(ccsidr, 3, wide ? 21 : 10) + 1;
    ArmCacheInfo info = { .sets = (uint32_t)bits_get(ccsidr, wide ? 32 : 13, wide ? 24 : 15) + 1, .line_bytes = 16u << bits_get(ccsidr, 0, 3) };

    info.bytes = ccsidr ? ways * info.sets * info.line_bytes : 0;
    return info;
}

static void ops_info(ArmCpu *cpu, ArmCpuInfo *ret)
{
    const ArmModel *model = arm_model(cpu->vcpu);
    static const struct { const char *model, *compatible; } names[] = {
        { "cortex-a35", "arm,cortex-a35" }, { "cortex-a53", "arm,cortex-a53" }, { "cortex-a55", "arm,cortex-a55" },
        { "cortex-a57", "arm,cortex-a57" }, { "cortex-a72", "arm,cortex-a72" }, { "cortex-a76", "arm,cortex-a76" },
        { "neoverse-n1", "arm,neoverse-n1" }, { "neoverse-v1", "arm,neoverse-v1" }, { "neoverse-n2", "arm,neoverse-n2" },
        { "cortex-a7", "arm,cortex-a7" }, { "cortex-a8", "arm,cortex-a8" }, { "cortex-a9", "arm,cortex-a9" }, { "cortex-a15", "arm,cortex-a15" },
        { "cortex-a710", "arm,cortex-a710" }, { "cortex-a78ae", "arm,cortex-a78ae" }, { "a64fx", "arm,a64fx" },
    };

    ret->compatible = "arm,armv8";
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (model->name && !strcmp(model->name, names[i].model)) {
            ret->compatible = names[i].compatible;
        }
    }
    ret->midr = model->id[ARM_ID_MIDR];
    ret->phys_bits = model->pa_bits;
    ret->has_pmu = arm_has(cpu->vcpu, PMUv3) && arm_model_arch(model) >= 8;
    ret->dcache = cache_info(model->ccsidr[0][0]);
    ret->icache = cache_info(model->ccsidr[0][1]);
    ret->has_aarch64 = model->aarch64;
    ret->is_v8 = arm_model_arch(model) >= 8;
}

static void ops_memory_changed(ArmCpu *cpu)
{
    tlb_flush_all_vcpus(cpu->machine);
}

const ArmCpuOps arm_cpus_target_ops = {
    .create = ops_create, .start = ops_start, .power = ops_power, .line = ops_line, .info = ops_info, .memory_changed = ops_memory_changed,
};
