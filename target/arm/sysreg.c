/*
 * sysreg.c: system registers and operations: one table (sysreg.def, id-regs.def), hooks for those that are not plain fields.
 *
 * In user mode the registers are those that Linux lets a program use, and the identification registers as it shows them.
 */
#include <time.h>
#include "accel/tcg.h"
#include "target/arm/cpu.h"

enum { NEVER = ARM_SYSREG_NEVER };

static bool has_fp(const Vcpu *vcpu) { return arm_has(vcpu, FP); }
static bool has_dpb(const Vcpu *vcpu) { return arm_has(vcpu, DPB); }
static bool has_dpb2(const Vcpu *vcpu) { return arm_has(vcpu, DPB2); }

/* -- flags and floating point ------------------------------------------------------------------------- */

static bool read_nzcv(Vcpu *vcpu, unsigned key, uint64_t *ret)
{
    *ret = arm_nzcv_get(vcpu);
    return true;
}

static bool write_nzcv(Vcpu *vcpu, unsigned key, uint64_t value)
{
    arm_nzcv_set(vcpu, (uint32_t)value);
    return true;
}

static bool read_fpcr(Vcpu *vcpu, unsigned key, uint64_t *ret)
{
    *ret = arm_fpcr_get(vcpu);
    return true;
}

static bool write_fpcr(Vcpu *vcpu, unsigned key, uint64_t value)
{
    arm_fpcr_set(vcpu, (uint32_t)value);
    return true;
}

static bool read_fpsr(Vcpu *vcpu, unsigned key, uint64_t *ret)
{
    *ret = arm_fpsr_get(vcpu);
    return true;
}

static bool write_fpsr(Vcpu *vcpu, unsigned key, uint64_t value)
{
    arm_fpsr_set(vcpu, (uint32_t)value);
    return true;
}

/* -- the generic timer's counter ------------------------------------------------------------------------ */

static bool read_cntfrq(Vcpu *vcpu, unsigned key, uint64_t *ret)
{
    *ret = arm_model(vcpu)->counter_hz;
    return true;
}

static bool read_cntvct(Vcpu *vcpu, unsigned key, uint64_t *ret)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    unsigned __int128 ns = (unsigned __int128)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
    *ret = (uint64_t)(ns * arm_model(vcpu)->counter_hz / 1000000000);
    return true;
}

/* -- caches ----------------------------------------------------------------------------------------------- */

/* The smallest line (CTR_EL0.IminLine, DminLine: log2 of words). */
static vaddr line_bytes(const Vcpu *vcpu, unsigned field)
{
    return (vaddr)4 << bits_get(arm_model(vcpu)->id[ARM_ID_CTR], field, 4);
}

static bool write_ic_ivau(Vcpu *vcpu, unsigned key, uint64_t value)
{
    vaddr bytes = line_bytes(vcpu, 0), first = ROUND_DOWN(value, bytes);

    tcg_icache_sync_range(vcpu, first, first + bytes - 1);
    return true;
}

/* Needs read access (D7.5.9). */
static bool write_dc(Vcpu *vcpu, unsigned key, uint64_t value)
{
    guest_ptr_access(vcpu, value, 1, MMU_READ, vcpu->softmmu ? vcpu->target->mmu_index(vcpu, MMU_READ) : 0);
    return true;
}

/* -- identification ------------------------------------------------------------------------------------------ */

static const struct { uint16_t key; uint64_t user_mask, user_value; } id_regs[ARM_N_ID_REGS] = {
#define ID_REG(id, name, op0, op1, crn, crm, op2, user_mask, user_value) { ARM_SYSREG(op0, op1, crn, crm, op2), user_mask, user_value },
#include "target/arm/id-regs.def"
#undef ID_REG
};

static bool read_id(Vcpu *vcpu, unsigned key, uint64_t *ret)
{
    const ArmModel *m = arm_model(vcpu);

    for (unsigned i = 0; i < ARM_N_ID_REGS; i++) {
        if (id_regs[i].key == key) {
            *ret = vcpu->softmmu ? m->id[i] : (m->id[i] & id_regs[i].user_mask) | id_regs[i].user_value;
            return true;
        }
    }
    return false;
}

/* Places of the identification scheme that have no register read as zero. */
static bool read_raz(Vcpu *vcpu, unsigned key, uint64_t *ret)
{
    *ret = 0;
    return true;
}

/* -- the table ---------------------------------------------------------------------------------------------- */

#define ALWAYS NULL
#define NO_FIELD -1
#define FIELD(name) (int32_t)offsetof(ArmState, name)
static const ArmSysreg regs[] = {
#define SYSREG(name, op0, op1, crn, crm, op2, gate, read_el, write_el, flags, field, write_mask, read, write) \
    { ARM_SYSREG(op0, op1, crn, crm, op2), name, gate, read_el, write_el, flags, field, write_mask, read, write },
#include "target/arm/sysreg.def"
#undef SYSREG
#define ID_REG(id, name, op0, op1, crn, crm, op2, user_mask, user_value) \
    { ARM_SYSREG(op0, op1, crn, crm, op2), name, ALWAYS, op1 ? 0 : 1, NEVER, 0, NO_FIELD, 0, read_id, NULL },
#include "target/arm/id-regs.def"
#undef ID_REG
};
static const ArmSysreg reserved_id = { 0, "reserved", ALWAYS, 1, NEVER, 0, NO_FIELD, 0, read_raz, NULL };

const ArmSysreg *arm_sysreg_find(const Vcpu *vcpu, unsigned key)
{
    for (size_t i = 0; i < ARRAY_SIZE(regs); i++) {
        if (regs[i].key == key) {
            return !regs[i].gate || regs[i].gate(vcpu) ? &regs[i] : NULL;
        }
    }
    /* op0 3, op1 0, CRn 0, CRm 2 to 7: reserved for identification (D24.1.4), as is CRm 1 for AArch32's. */
    return key >> 7 == ARM_SYSREG(3, 0, 0, 0, 0) >> 7 && bits_get(key, 3, 4) >= 1 && bits_get(key, 3, 4) <= 7 ? &reserved_id : NULL;
}

/* Linux emulates reads of identification registers for programs, but for CRm 1. */
static unsigned current_el(const Vcpu *vcpu, unsigned key)
{
    bool id = key >> 7 == ARM_SYSREG(3, 0, 0, 0, 0) >> 7;
    return !vcpu->softmmu && id && bits_get(key, 3, 4) != 1 ? 1 : arm_state(vcpu)->el;
}

bool arm_sysreg_read(Vcpu *vcpu, unsigned key, uint64_t *ret)
{
    const ArmSysreg *r = arm_sysreg_find(vcpu, key);

    if (!r || current_el(vcpu, key) < r->read_el) {
        return false;
    }
    if (r->read) {
        return r->read(vcpu, key, ret);
    }
    *ret = 0;
    if (r->field >= 0) {
        memcpy(ret, vcpu->state + r->field, 8);
    }
    return true;
}

bool arm_sysreg_write(Vcpu *vcpu, unsigned key, uint64_t value)
{
    const ArmSysreg *r = arm_sysreg_find(vcpu, key);

    if (!r || arm_state(vcpu)->el < r->write_el) {
        return false;
    }
    if (r->write) {
        return r->write(vcpu, key, value);
    }
    if (r->field >= 0) {
        uint64_t old;
        memcpy(&old, vcpu->state + r->field, 8);
        value = (old & ~r->write_mask) | (value & r->write_mask);
        memcpy(vcpu->state + r->field, &value, 8);
    }
    return true;
}
