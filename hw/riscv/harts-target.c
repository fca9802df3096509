/*
 * harts-target.c: the board's harts as vCPUs of target/riscv.
 *
 * Threads: created and reset under the BQL; hart_time and
 * hart_stimer_set are called by the vCPU's own thread, without it.
 */
#include "hw/riscv/harts.h"
#include "target/riscv/cpu.h"

/* A hart's side of the machine. */
typedef struct HartPlatform {
    Device *mtimer;
    Vcpu *vcpu;
    Timer stimer;
} HartPlatform;

static uint64_t hart_time(void *opaque)
{
    HartPlatform *p = opaque;

    return p->mtimer ? aclint_mtime(p->mtimer) : 0;
}

static uint64_t hart_guest_ns(void)
{
    return (uint64_t)clock_get_ns(VM_CLOCK_VIRTUAL);
}

static void hart_stimer_fire(void *opaque)
{
    riscv_stimer_expired(((HartPlatform *)opaque)->vcpu);
}

static void hart_stimer_set(void *opaque, Vcpu *vcpu, uint64_t deadline)
{
    HartPlatform *p = opaque;
    int64_t at = deadline == UINT64_MAX || !p->mtimer ? INT64_MAX
                                                      : aclint_deadline_ns(p->mtimer, deadline);

    if (at == INT64_MAX) {
        timer_cancel(&p->stimer);
    } else {
        timer_set_ns(&p->stimer, at);
    }
}

static const RiscvPlatform hart_platform = {
    .time = hart_time,
    .guest_ns = hart_guest_ns,
    .stimer_set = hart_stimer_set,
    .time_hz = 10000000,
};

static Vcpu *hart_create(Machine *m, unsigned index, const char *model, uint64_t reset_pc,
                         Error **errp)
{
    Vcpu *vcpu = vcpu_new(strcmp(m->arch, "riscv32") ? &target_riscv64 : &target_riscv32, true);
    HartPlatform *p = xnew(HartPlatform);

    vcpu->index = (int)index;
    vcpu->machine = m;
    vcpu->as = &m->memory;
    vcpu->phys_ptr = memory_ram_of_vcpu;
    vcpu->parallel = m->smp.cpus > 1;
    p->vcpu = vcpu;
    timer_init(&p->stimer, VM_CLOCK_VIRTUAL, hart_stimer_fire, p);
    riscv_cpu_connect(vcpu, index, reset_pc, &hart_platform, p);
    if (!vcpu->target->cpu_init(vcpu, model, errp)) {
        vcpu_free(vcpu);
        free(p);
        return NULL;
    }
    vcpu->target->cpu_reset(vcpu);
    return vcpu;
}

static void hart_irq_set(Vcpu *vcpu, unsigned line, bool level)
{
    vcpu->target->irq_set(vcpu, line, level);
}

static void hart_set_time(Vcpu *vcpu, Device *mtimer)
{
    HartPlatform *p = riscv_state(vcpu)->platform_opaque;

    p->mtimer = mtimer;
}

static bool hart_info(Vcpu *vcpu, HartInfo *ret)
{
    const RiscvModel *m = riscv_model(vcpu);

    ret->isa = m->isa;
    switch (m->satp_max) {
    case RISCV_SATP_SV57: ret->mmu = "riscv,sv57"; break;
    case RISCV_SATP_SV48: ret->mmu = "riscv,sv48"; break;
    case RISCV_SATP_SV39: ret->mmu = "riscv,sv39"; break;
    case RISCV_SATP_SV32: ret->mmu = "riscv,sv32"; break;
    default: ret->mmu = m->mmu ? "riscv,none" : NULL; break;
    }
    ret->cbom_bytes = m->ext[RISCV_EXT_Zicbom] ? m->cbom_bytes : 0;
    ret->cbop_bytes = m->ext[RISCV_EXT_Zicbop] ? m->cbop_bytes : 0;
    ret->cboz_bytes = m->ext[RISCV_EXT_Zicboz] ? m->cboz_bytes : 0;
    return true;
}

const HartOps harts_target_ops = {
    .create = hart_create,
    .irq_set = hart_irq_set,
    .set_time = hart_set_time,
    .info = hart_info,
};
