/*
 * psci.c: power state coordination as the machine's own firmware, for the processors of target/arm.
 *
 * Specification: Arm DEN 0022E (PSCI 1.1), chapter 5. CPU_SUSPEND waits for an interrupt whatever state is asked for, as 5.4.1 allows.
 * Left out (NOT_SUPPORTED): MIGRATE, the optional functions of 1.0 and later but for PSCI_FEATURES, and SMCCC_VERSION. Threads: called by the
 * vCPU's thread without the BQL.
 */
#include "hw/arm/cpus.h"
#include "hw/arm/cpus-target.h"
#include "softmmu/bql.h"
#include "target/arm/cpu.h"

enum { /* numbers less 0x84000000; with 64-bit arguments 0xc4000000 */
    PSCI_VERSION, PSCI_CPU_SUSPEND, PSCI_CPU_OFF, PSCI_CPU_ON, PSCI_AFFINITY_INFO, PSCI_MIGRATE, PSCI_MIGRATE_INFO_TYPE,
    PSCI_MIGRATE_INFO_UP_CPU, PSCI_SYSTEM_OFF, PSCI_SYSTEM_RESET, PSCI_FEATURES,
};
enum { SUCCESS = 0, NOT_SUPPORTED = -1, INVALID_PARAMETERS = -2, ALREADY_ON = -4, NO_TRUSTED_OS = 2, VERSION_1_1 = 0x10001 };
#define FUNCTION_64 BIT(30)
#define FUNCTION_BASE UINT32_C(0x84000000)
/* Affinity fields: 39:32 and 23:0. */
#define AFFINITY (bits_mask(32, 8) | bits_mask(0, 24))

static bool has_64(unsigned function)
{
    return function == PSCI_CPU_SUSPEND || function == PSCI_CPU_ON || function == PSCI_AFFINITY_INFO;
}

static bool is_known(uint32_t id)
{
    uint32_t function = (id & ~(uint32_t)FUNCTION_64) - FUNCTION_BASE;

    return function <= PSCI_FEATURES && function != PSCI_MIGRATE && function != PSCI_MIGRATE_INFO_UP_CPU &&
           (!(id & FUNCTION_64) || has_64(function));
}

static ArmCpu *cpu_by_affinity(Machine *m, uint64_t affinity)
{
    for (unsigned i = 0; i < m->smp.cpus; i++) {
        if (arm_cpu(m, i)->mpidr == affinity) {
            return arm_cpu(m, i);
        }
    }
    return NULL;
}

static int64_t cpu_on(ArmCpu *caller, uint64_t affinity, uint64_t entry, uint64_t context)
{
    ArmCpu *cpu = affinity & ~AFFINITY ? NULL : cpu_by_affinity(caller->machine, affinity);

    bool to_thumb = entry & 1; /* 5.6: in AArch32 bit 0 says T32 */
    if (!cpu || (entry & (arm_model(cpu->vcpu)->aarch64 ? 3 : to_thumb ? 0 : 2))) {
        return INVALID_PARAMETERS;
    }
    if (arm_cpu_is_on(cpu->vcpu)) {
        return ALREADY_ON;
    }
    /* 6.4: at the highest non-secure level, as after a reset. */
    cpu->vcpu->target->cpu_reset(cpu->vcpu);
    arm_cpu_start(cpu->vcpu, caller->config->has_el2 ? 2 : 1, entry, context);
    arm_cpu_power(cpu->vcpu, true);
    return SUCCESS;
}

static int64_t affinity_info(ArmCpu *caller, uint64_t affinity, uint64_t level)
{
    ArmCpu *cpu = affinity & ~AFFINITY || level ? NULL : cpu_by_affinity(caller->machine, affinity);

    return !cpu ? INVALID_PARAMETERS : arm_cpu_is_on(cpu->vcpu) ? 0 : 1;
}

static int64_t run(ArmCpu *cpu, uint32_t id, const uint64_t args[3])
{
    switch ((id & ~(uint32_t)FUNCTION_64) - FUNCTION_BASE) {
    case PSCI_VERSION: return VERSION_1_1;
    case PSCI_CPU_SUSPEND: arm_cpu_wait(cpu->vcpu); return SUCCESS;
    case PSCI_CPU_OFF: arm_cpu_power(cpu->vcpu, false); return SUCCESS;
    case PSCI_CPU_ON: return cpu_on(cpu, args[0], args[1], args[2]);
    case PSCI_AFFINITY_INFO: return affinity_info(cpu, args[0], args[1]);
    case PSCI_MIGRATE_INFO_TYPE: return NO_TRUSTED_OS;
    case PSCI_SYSTEM_OFF:
        machine_request_shutdown(SHUTDOWN_CAUSE_GUEST_SHUTDOWN);
        arm_cpu_power(cpu->vcpu, false);
        return SUCCESS;
    case PSCI_SYSTEM_RESET:
        machine_request_reset(SHUTDOWN_CAUSE_GUEST_RESET);
        arm_cpu_power(cpu->vcpu, false);
        return SUCCESS;
    default: return is_known((uint32_t)args[0]) ? SUCCESS : NOT_SUPPORTED; /* PSCI_FEATURES */
    }
}

bool arm_psci_call(void *opaque, struct Vcpu *vcpu)
{
    ArmCpu *cpu = opaque;
    uint64_t *x = arm_state(vcpu)->x;
    uint32_t id = (uint32_t)x[0];

    if (!is_known(id)) {
        return false;
    }
    uint64_t mask = id & FUNCTION_64 ? UINT64_MAX : UINT32_MAX;
    const uint64_t args[3] = { x[1] & mask, x[2] & mask, x[3] & mask };
    bool took = bql_enter();
    x[0] = (uint64_t)run(cpu, id, args);
    bql_leave(took);
    return true;
}
