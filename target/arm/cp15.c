/*
 * cp15.c: coprocessor registers of AArch32 by one table (cp15.def), and VFP's own: what is not a plain field, what is found by number, who
 * may, what traps (Arm ARM DDI 0487, G8.2, G1.20).
 *
 * In user mode the rows that need no level are what Linux lets a program use. Leaves out: registers that cores define for themselves (c15 reads as
 * zero on those before Armv8), lockdown, tightly coupled memory; vector catch and the debug channel, which reads as empty.
 * Threads: the vCPU's own.
 */
#include "accel/tcg.h"
#include "softmmu/machine.h"
#include "target/arm/cp15.h"
#include "target/arm/mmu.h"
#include "target/arm/tlb.h"

enum { NEVER = ARM_SYSREG_NEVER };

unsigned arm_vmsa(const Vcpu *vcpu)
{
    const ArmModel *m = arm_model(vcpu);
    /* ID_MMFR0.VMSA: 3 Armv7, 4 with PXN, 5 with long descriptors. Armv6 cores say 3, too. */
    return m->ext[ARM_EXT_V7] ? m->id32[ARM_ID32_MMFR0] & 15 : m->ext[ARM_EXT_V6] ? 2 : 1;
}

/* -- what a model has ------------------------------------------------------------------------------------------------ */

static bool is_system(const Vcpu *vcpu) { return vcpu->softmmu; }
static bool is_v6(const Vcpu *vcpu) { return arm_has(vcpu, V6); }
static bool is_v6k(const Vcpu *vcpu) { return arm_has(vcpu, V6K); }
static bool is_v7(const Vcpu *vcpu) { return arm_has(vcpu, V7); }
static bool is_v8(const Vcpu *vcpu) { return arm_has(vcpu, V8A32); }
static bool before_v7(const Vcpu *vcpu) { return vcpu->softmmu && !arm_has(vcpu, V7); }
static bool before_v8(const Vcpu *vcpu) { return vcpu->softmmu && !arm_has(vcpu, V8A32); }
static bool is_v6_only(const Vcpu *vcpu) { return arm_has(vcpu, V6) && !arm_has(vcpu, V7); }
static bool has_lpae(const Vcpu *vcpu) { return arm_has(vcpu, LPAE); }
static bool has_el2(const Vcpu *vcpu) { return arm_has(vcpu, EL2); }
static bool has_el2_v8(const Vcpu *vcpu) { return arm_has(vcpu, EL2) && is_v8(vcpu); }
static bool has_el3(const Vcpu *vcpu) { return arm_has(vcpu, EL3); }
static bool has_el2_or_3(const Vcpu *vcpu) { return arm_has(vcpu, EL2) || arm_has(vcpu, EL3); }
static bool has_a32_el3(const Vcpu *vcpu) { return arm_has(vcpu, EL3) && !arm_model(vcpu)->aarch64; }
static bool has_a32_el3_v8(const Vcpu *vcpu) { return has_a32_el3(vcpu) && is_v8(vcpu); }
static bool has_pmu(const Vcpu *vcpu) { return vcpu->softmmu && arm_has(vcpu, PMUv3); }
static bool has_pmuser(const Vcpu *vcpu) { return arm_has(vcpu, PMUv3); } /* a program may ask whether it may count: under Linux not */
static bool has_pmu_v8(const Vcpu *vcpu) { return has_pmu(vcpu) && is_v8(vcpu); }
static bool has_gtimer(const Vcpu *vcpu) { return arm_has(vcpu, GTIMER); }
static bool has_gtimer_system(const Vcpu *vcpu) { return vcpu->softmmu && arm_has(vcpu, GTIMER); }
static bool has_gtimer_el2(const Vcpu *vcpu) { return has_gtimer(vcpu) && has_el2(vcpu); }
/* Security Extensions brought VBAR and address translation; a board that takes EL3 away leaves them. */
static bool has_vbar(const Vcpu *vcpu) { return is_v7(vcpu) || (arm_model(vcpu)->id[ARM_ID_MIDR] & 0xfff0) == 0xb760; } /* or ARM1176 */
static bool has_at(const Vcpu *vcpu) { return has_vbar(vcpu); }
/* Cortex-A7 and A15 keep the number of processors in their second-level cache's register. */
static bool has_l2(const Vcpu *vcpu) { return arm_has(vcpu, LPAE) && !arm_model(vcpu)->aarch64; }

/* Registers of the secure state where EL3 is AArch32; else there is one of each. */
static unsigned bank(const Vcpu *vcpu) { return arm_a32_el3_is_secure(vcpu) ? 3 : 1; }

static bool write_ignore(Vcpu *vcpu, uint32_t key, uint64_t value) { return true; }

/* -- identification ------------------------------------------------------------------------------------------------------ */

static bool read_mpidr(Vcpu *vcpu, uint32_t key, uint64_t *ret)
{
    const ArmModel *m = arm_model(vcpu);
    /* ID_MMFR3.MaintBcst: cores of multiprocessors say so in bit 31; before Armv7 the register is MIDR again, but for ARM11 MPCore. */
    bool smp = is_v8(vcpu) || bits_get(m->id32[ARM_ID32_MMFR3], 12, 4), mpcore = (m->id[ARM_ID_MIDR] & 0xfff0) == 0xb020;

    if (!is_v7(vcpu) && !mpcore) {
        *ret = m->id[ARM_ID_MIDR];
        return true;
    }
    bool ok = arm_sysreg_raw_read(vcpu, ARM_SYSREG(3, 0, 0, 0, 5), ret);
    *ret = smp ? (uint32_t)*ret : (uint32_t)*ret & ~(uint32_t)BIT(31);
    return ok;
}

static uint64_t *csselr(Vcpu *vcpu)
{
    ArmState *s = arm_state(vcpu);
    return bank(vcpu) == 3 ? &s->csselr_s : &s->csselr_el1;
}

static bool read_csselr(Vcpu *vcpu, uint32_t key, uint64_t *ret)
{
    *ret = *csselr(vcpu);
    return true;
}

static bool write_csselr(Vcpu *vcpu, uint32_t key, uint64_t value)
{
    *csselr(vcpu) = value & 15;
    return true;
}

static bool read_ccsidr(Vcpu *vcpu, uint32_t key, uint64_t *ret)
{
    unsigned level = (unsigned)bits_get(*csselr(vcpu), 1, 3), code = *csselr(vcpu) & 1;

    *ret = level < 3 ? (uint32_t)arm_model(vcpu)->ccsidr[level][code] : 0;
    return true;
}

static const struct { uint32_t key; uint8_t id; } id32_regs[] = {
#define ID32_REG(id, name, opc1, crn, crm, opc2) { ARM_CP(15, opc1, crn, crm, opc2), ARM_ID32_##id },
#define ID32_VFP(id, name, reg)
#include "target/arm/id32-regs.def"
#undef ID32_REG
#undef ID32_VFP
};

/* c0 without a row: what the model has as a number; c1 to c7 read as zero else, c0 as MIDR (B3.2 of Armv6). */
static bool read_id32(Vcpu *vcpu, uint32_t key, uint64_t *ret)
{
    const ArmModel *m = arm_model(vcpu);

    *ret = key >> 3 & 15 ? 0 : m->id[ARM_ID_MIDR];
    for (size_t i = 0; i < ARRAY_SIZE(id32_regs); i++) {
        if (id32_regs[i].key == key) {
            *ret = m->id32[id32_regs[i].id];
        }
    }
    return true;
}

static bool read_l2ctlr(Vcpu *vcpu, uint32_t key, uint64_t *ret)
{
    *ret = (uint64_t)(MIN(vcpu->machine->n_vcpus, 4u) - 1) << 24;
    return true;
}

static bool read_dbgdidr(Vcpu *vcpu, uint32_t key, uint64_t *ret)
{
    const ArmModel *m = arm_model(vcpu);
    unsigned version = MIN(m->id32[ARM_ID32_DFR0] & 15, 6u);

    *ret = (uint64_t)(m->n_watchpoints - 1) << 28 | (uint64_t)(m->n_breakpoints - 1) << 24 | 1u << 20 | version << 16;
    return true;
}

/* -- control ------------------------------------------------------------------------------------------------------------------ */

static void put_sctlr(Vcpu *vcpu, unsigned el, uint64_t value)
{
    uint64_t *reg = &arm_state(vcpu)->sctlr[el], old = *reg;
    /* Bits that are one: caches' and write buffer's old ones, alignment U and XP since Armv7. */
    uint64_t ones = is_v7(vcpu) ? 0x00c50078 : is_v6(vcpu) ? 0x00050078 : 0x78;

    *reg = (uint32_t)value | (el == 2 ? 0x30c50838 & ~SCTLR_WXN : ones);
    if ((old ^ *reg) & (SCTLR_WXN | SCTLR32_UWXN | SCTLR32_S | SCTLR32_R | SCTLR32_XP | SCTLR32_AFE | SCTLR_EE)) {
        tlb_flush(vcpu); /* permissions of cached translations depend on it */
    }
    arm_tlb_select(vcpu);
}

static bool write_sctlr(Vcpu *vcpu, uint32_t key, uint64_t value)
{
    put_sctlr(vcpu, bank(vcpu), value);
    return true;
}

static bool write_hsctlr(Vcpu *vcpu, uint32_t key, uint64_t value)
{
    put_sctlr(vcpu, 2, value);
    return true;
}

static bool write_cpacr(Vcpu *vcpu, uint32_t key, uint64_t value)
{
    ArmState *s = arm_state(vcpu);
    uint64_t mask = is_v6(vcpu) ? 0xc0f00000 : 0;

    if (has_a32_el3(vcpu) && !arm_is_secure_below_el3(vcpu)) { /* NSACR keeps what it forbids at no access */
        mask &= ~((s->nsacr & BIT(10) ? 0 : 3 * BIT(20)) | (s->nsacr & BIT(11) ? 0 : 3 * BIT(22)));
    }
    s->cptr[1] = (s->cptr[1] & ~mask) | (value & mask);
    return true;
}

static bool read_nsacr(Vcpu *vcpu, uint32_t key, uint64_t *ret)
{
    *ret = arm_model(vcpu)->aarch64 ? 0xc00 : arm_state(vcpu)->nsacr;
    return true;
}

static bool read_hcptr(Vcpu *vcpu, uint32_t key, uint64_t *ret)
{
    *ret = (uint32_t)arm_state(vcpu)->cptr[2] | 0x33ff;
    return true;
}

static bool write_scr(Vcpu *vcpu, uint32_t key, uint64_t value)
{
    ArmState *s = arm_state(vcpu);
    uint64_t mask = 0x7f | SCR_SMD | SCR_SIF | (arm_has(vcpu, EL2) ? SCR_HCE : 0);

    s->scr_el3 = value & mask;
    s->el = (uint8_t)arm_a32_level(vcpu, s->mode); /* secure modes but Monitor change sides with NS */
    arm_tlb_select(vcpu);
    arm_irq_check(vcpu);
    return true;
}

static void put_control(Vcpu *vcpu, uint64_t *reg, uint64_t value)
{
    if ((uint32_t)*reg != value) {
        *reg = bits_set(*reg, 0, 32, value);
        tlb_flush(vcpu);
        arm_tlb_select(vcpu);
    }
}

static bool write_ttbcr(Vcpu *vcpu, uint32_t key, uint64_t value)
{
    uint64_t mask = has_lpae(vcpu) && (value & TTBCR_EAE) ? 0xffffffff : 7 | (has_vbar(vcpu) ? TTBCR_PD0 | TTBCR_PD1 : 0);

    put_control(vcpu, &arm_state(vcpu)->tcr[bank(vcpu)], value & mask);
    return true;
}

static bool write_htcr(Vcpu *vcpu, uint32_t key, uint64_t value)
{
    ArmState *s = arm_state(vcpu);

    put_control(vcpu, (key >> 3 & 15) == 1 ? &s->vtcr_el2 : &s->tcr[2], (uint32_t)value);
    return true;
}

static bool write_fcseidr(Vcpu *vcpu, uint32_t key, uint64_t value)
{
    uint64_t *reg = &arm_state(vcpu)->fcseidr[bank(vcpu)];

    if (is_v7(vcpu)) {
        return true; /* not there: read as zero, writes ignored */
    }
    if (*reg != (value & 0xfe000000)) {
        *reg = value & 0xfe000000;
        tlb_flush(vcpu);
    }
    return true;
}

/* -- caches, TLB ------------------------------------------------------------------------------------------------------------------ */

static bool read_par(Vcpu *vcpu, uint32_t key, uint64_t *ret)
{
    const ArmState *s = arm_state(vcpu);
    *ret = bank(vcpu) == 3 ? s->par[3] : s->par_el1;
    return true;
}

static bool write_par(Vcpu *vcpu, uint32_t key, uint64_t value)
{
    ArmState *s = arm_state(vcpu);
    uint64_t *reg = bank(vcpu) == 3 ? &s->par[3] : &s->par_el1;
    *reg = key >> 16 ? value : bits_set(*reg, 0, 32, value);
    return true;
}

/* Test and clean: nothing is dirty. Meant for register 15: Z. */
static bool read_clean(Vcpu *vcpu, uint32_t key, uint64_t *ret)
{
    *ret = BIT(30);
    return true;
}

static bool write_icimvau(Vcpu *vcpu, uint32_t key, uint64_t value)
{
    enum { OLD_LINE_BYTES = 64 }; /* as large as any: their CTR is of another format */

    if (is_v7(vcpu)) {
        return arm_sysreg_raw_write(vcpu, ARM_SYSREG(1, 3, 7, 5, 1), value);
    }
    vaddr first = ROUND_DOWN(value, (vaddr)OLD_LINE_BYTES);
    tcg_icache_sync_range(vcpu, first, first + OLD_LINE_BYTES - 1);
    return true;
}

/* Clean and invalidate by address: needs the page, as AArch64's; invalidation alone needs write access. Before Armv7 they ask nobody. */
static bool write_dc(Vcpu *vcpu, uint32_t key, uint64_t value)
{
    bool invalidate = (key >> 3 & 15) == 6;
    return !is_v7(vcpu) || arm_sysreg_raw_write(vcpu, invalidate ? ARM_SYSREG(1, 0, 7, 6, 1) : ARM_SYSREG(1, 3, 7, 10, 1), value);
}

/* An address in bits 31:12 and an ASID in 7:0 become AArch64's form; operations on one of two TLBs, those on both. */
static bool write_tlbi(Vcpu *vcpu, uint32_t key, uint64_t value)
{
    unsigned crm = key >> 3 & 15, opc2 = key & 7;
    bool by_asid = !arm_cp_opc1(key) && opc2 == 2, ipa = arm_cp_opc1(key) == 4 && (crm == 0 || crm == 4);
    uint64_t v = ipa ? value & 0xfffffff : by_asid ? (value & 0xff) << 48 : (value & 0xff) << 48 | bits_get(value, 12, 20);

    if (arm_state(vcpu)->fcseidr[bank(vcpu)]) { /* the address is a modified one, entries are by the program's */
        opc2 = 0;
    }
    return arm_write_tlbi(vcpu, ARM_SYSREG(1, arm_cp_opc1(key), 8, crm == 5 || crm == 6 ? 7 : crm, opc2), v);
}

/* -- c15, debug, interrupt controller: by number ------------------------------------------------------------------------------------ */

static bool read_c15(Vcpu *vcpu, uint32_t key, uint64_t *ret)
{
    *ret = key == ARM_CP(15, 4, 15, 0, 0) ? (uint32_t)arm_state(vcpu)->cbar : 0;
    return true;
}

/* AArch64's number of a register of debug or of a GIC; 0: neither. */
static unsigned same_number(const Vcpu *vcpu, uint32_t key)
{
    unsigned opc1 = arm_cp_opc1(key), crn = key >> 7 & 15, crm = key >> 3 & 15, opc2 = key & 7;

    if (key >> 16) { /* ICC_SGI1R, ASGI1R, SGI0R */
        return key >> 15 & 1 && crm == 12 && opc1 < 3 ? ARM_SYSREG(3, 0, 12, 11, 5 + opc1) : 0;
    }
    if (!(key >> 15 & 1)) {
        return opc1 == 0 && vcpu->softmmu ? ARM_SYSREG(2, 0, crn, crm, opc2) : 0;
    }
    bool gic = (crn == 12 && crm >= 8) || (crn == 4 && crm == 6 && opc1 == 0);
    /* ICH_LRC: the upper halves of ICH_LR. */
    crm -= opc1 == 4 && crn == 12 && crm >= 14 ? 2 : 0;
    return gic && (opc1 == 0 || opc1 == 4 || opc1 == 6) ? ARM_SYSREG(3, opc1, crn, crm, opc2) : 0;
}

static const ArmCpReg *family(const Vcpu *vcpu, uint32_t key, ArmCpReg *r)
{
    unsigned crn = key >> 7 & 15, crm = key >> 3 & 15, opc1 = arm_cp_opc1(key);
    bool cp15 = key >> 15 & 1;

    *r = (ArmCpReg){ .key = key, .name = "family", .read_el = 1, .write_el = 1, .field = -1 };
    if (!vcpu->softmmu) {
        return NULL;
    }
    if (cp15 && !(key >> 16) && crn == 0 && opc1 == 0 && crm < 8) {
        *r = (ArmCpReg){ .key = key, .name = "identification", .read_el = 1, .write_el = NEVER, .field = -1, .flags = crm ? ARM_SR_TID3 : ARM_SR_TID1,
                         .read = read_id32 };
        return crm == 0 || is_v6(vcpu) ? r : NULL;
    }
    if (cp15 && !(key >> 16) && crn == 15 && !is_v8(vcpu)) {
        r->read = read_c15;
        r->write = write_ignore;
        return r;
    }
    r->same = (uint16_t)same_number(vcpu, key);
    const ArmSysreg *a64 = r->same ? arm_sysreg_find(vcpu, r->same) : NULL;
    if (!a64) {
        return NULL;
    }
    r->name = a64->name;
    r->read_el = a64->read_el;
    r->write_el = a64->write_el;
    r->flags = a64->flags;
    r->part = key >> 16 ? ARM_CP_WHOLE : cp15 && opc1 == 4 && crn == 12 && crm >= 14 ? ARM_CP_HIGH : ARM_CP_LOW;
    return r;
}

/* -- the table ----------------------------------------------------------------------------------------------------------------------- */

enum {
#define SHORT(name) name = ARM_SR_##name,
    SHORT(ENDS) SHORT(TVM) SHORT(TACR) SHORT(TID1) SHORT(TID2) SHORT(TSW) SHORT(TPCP) SHORT(TPU) SHORT(TOCU) SHORT(TICAB) SHORT(TTLB) SHORT(TCPAC) SHORT(TDA)
    SHORT(TDRA) SHORT(PMU) SHORT(TPMCR) SHORT(PMUSER) SHORT(CNTEN)
#undef SHORT
    SPACE = ARM_SR_SPACE | ARM_SR_ENDS,
};
#define BANKED (UINT32_C(1) << 31)

#define ALL_BITS (~(uint64_t)0)
#define ALWAYS is_system
#define NOTHING -1, 0
#define FIELD(name) (int32_t)offsetof(ArmState, name), 0
#define SAME(op0, op1, crn, crm, op2) -1, ARM_SYSREG(op0, op1, crn, crm, op2)
/* FIELD, SAME and NOTHING are two members. */
#define ROW(key, name, gate, read_el, write_el, flags, part, field, same, write_mask, read, write) \
    { key, name, gate, read_el, write_el, ARM_CP_##part, ((flags) & BANKED) != 0, (uint32_t)(flags) & ~BANKED, field, same, write_mask, read, write },
#define CP(name, cp, opc1, crn, crm, opc2, ...) ROW(ARM_CP(cp, opc1, crn, crm, opc2), name, __VA_ARGS__)
#define CP64(name, cp, opc1, crm, ...) ROW(ARM_CP64(cp, opc1, crm), name, __VA_ARGS__)
static const ArmCpReg regs[] = {
#include "target/arm/cp15.def"
};

/* By number, open addressing. Filled on first use under the lock. A number may mean one thing on old cores and another on new ones: two rows. */
static const ArmCpReg *find_row(const Vcpu *vcpu, uint32_t key)
{
    enum { SLOTS = 1024 };
    static_assert(ARRAY_SIZE(regs) < SLOTS / 2, "the hash table has room");
    static uint16_t row_of[SLOTS];
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static _Atomic bool filled;

    if (unlikely(!atomic_load_explicit(&filled, memory_order_acquire))) {
        pthread_mutex_lock(&lock);
        for (unsigned i = 0; i < ARRAY_SIZE(regs) && !filled; i++) {
            unsigned at = regs[i].key * 0x9e3779b1u >> 22;
            while (row_of[at]) {
                at = (at + 1) & (SLOTS - 1);
            }
            row_of[at] = (uint16_t)(i + 1);
        }
        atomic_store_explicit(&filled, true, memory_order_release);
        pthread_mutex_unlock(&lock);
    }
    for (unsigned at = key * 0x9e3779b1u >> 22; row_of[at]; at = (at + 1) & (SLOTS - 1)) {
        if (regs[row_of[at] - 1].key == key && regs[row_of[at] - 1].gate(vcpu)) {
            return &regs[row_of[at] - 1];
        }
    }
    return NULL;
}

const ArmCpReg *arm_cp_find(const Vcpu *vcpu, uint32_t key, ArmCpReg *scratch)
{
    const ArmCpReg *r = find_row(vcpu, key);

    return r ? r : family(vcpu, key, scratch);
}

/* -- access ------------------------------------------------------------------------------------------------------------------------------ */

/* HSTR: by the primary register, from the kernel and, to EL2, its programs. */
static bool hypervisor_wants(const Vcpu *vcpu, uint32_t key)
{
    const ArmState *s = arm_state(vcpu);
    unsigned n = key >> 16 ? key >> 3 & 15 : key >> 7 & 15;

    return (key >> 15 & 1) && s->el < 2 && arm_el2_enabled(vcpu) && n != 4 && n != 14 && (s->hstr_el2 >> n & 1);
}

static const ArmCpReg *accessible(Vcpu *vcpu, uint32_t key, bool write, ArmCpReg *scratch)
{
    const ArmState *s = arm_state(vcpu);
    const ArmCpReg *r = arm_cp_find(vcpu, key, scratch);
    unsigned needs = !r ? NEVER : write ? r->write_el : r->read_el;

    if (needs == NEVER || !vcpu->softmmu) {
        return needs == 0 ? r : NULL;
    }
    /* Hyp's registers are Monitor mode's while it looks at the non-secure state, no other secure mode's. */
    bool as_hyp = needs == 2 && s->el == 3 && !(s->mode == A32_MON && ((s->scr_el3 & SCR_NS) || (key >> 7 & 15) == 7));
    if (s->el < needs || as_hyp) {
        return NULL;
    }
    if (hypervisor_wants(vcpu, key)) {
        arm_trap(vcpu, 2);
    }
    if (r->flags & ~(uint32_t)(ARM_SR_ENDS | ARM_SR_SPACE)) {
        ArmSysreg as = { .flags = r->flags };
        unsigned level = arm_sysreg_trap_level(vcpu, &as, r->same, write);
        if (level) {
            arm_trap(vcpu, level);
        }
    }
    return r;
}

/* AArch64's register in the bank of now. */
static unsigned same_key(const Vcpu *vcpu, const ArmCpReg *r)
{
    if (r->banked && bank(vcpu) == 3) { /* the physical timer of the secure state */
        return arm_key_crn(r->same) == 14 ? ARM_SYSREG(3, 7, 14, 2, arm_key_op2(r->same)) : (r->same & ~(7u << 11)) | 6u << 11;
    }
    return r->same;
}

static uint64_t *field_of(Vcpu *vcpu, const ArmCpReg *r)
{
    ArmState *s = arm_state(vcpu);

    if (bank(vcpu) == 3 && r->field == (int32_t)offsetof(ArmState, tpidr_el0)) {
        return &s->tpidrurw_s;
    }
    if (bank(vcpu) == 3 && r->field == (int32_t)offsetof(ArmState, tpidrro_el0)) {
        return &s->tpidruro_s;
    }
    return (uint64_t *)(void *)(vcpu->state + r->field) + (r->banked ? bank(vcpu) : 0);
}

bool arm_cp_read(Vcpu *vcpu, uint32_t key, uint64_t *ret)
{
    ArmCpReg scratch;
    const ArmCpReg *r = accessible(vcpu, key, false, &scratch);
    uint64_t v = 0;

    if (!r) {
        return false;
    }
    if (r->read) {
        if (!r->read(vcpu, key, &v)) {
            return false;
        }
    } else if (r->same) {
        if (!arm_sysreg_raw_read(vcpu, same_key(vcpu, r), &v)) {
            return false;
        }
    } else if (r->field >= 0) {
        v = *field_of(vcpu, r);
    }
    *ret = r->part == ARM_CP_WHOLE ? v : r->part == ARM_CP_HIGH ? v >> 32 : (uint32_t)v;
    return true;
}

bool arm_cp_write(Vcpu *vcpu, uint32_t key, uint64_t value)
{
    ArmCpReg scratch;
    const ArmCpReg *r = accessible(vcpu, key, true, &scratch);

    if (!r) {
        return false;
    }
    if (r->write) {
        return r->write(vcpu, key, value);
    }
    if (r->same) {
        uint64_t old = 0;
        unsigned same = same_key(vcpu, r);
        /* Half a register leaves the other as it is. Numbers of 32 bits have no other half, operations neither. */
        if (r->part == ARM_CP_HIGH || (r->part == ARM_CP_LOW && r->write_mask)) {
            arm_sysreg_raw_read(vcpu, same, &old);
        }
        value = r->part == ARM_CP_HIGH ? bits_set(old, 32, 32, value) : r->part == ARM_CP_LOW ? bits_set(old, 0, 32, value) : value;
        return arm_sysreg_raw_write(vcpu, same, value);
    }
    if (r->field >= 0) {
        uint64_t *field = field_of(vcpu, r);
        value = r->part == ARM_CP_HIGH ? value << 32 : value;
        *field = (*field & ~r->write_mask) | (value & r->write_mask);
        if (r->flags & ARM_SR_SPACE) {
            arm_tlb_select(vcpu);
        }
    }
    return true;
}

/* -- VFP's own (G8.2: FPSID, FPSCR, MVFR0 to 2, FPEXC) --------------------------------------------------------------------------------------- */

enum { VFP_FPSID = 0, VFP_FPSCR = 1, VFP_MVFR2 = 5, VFP_MVFR1 = 6, VFP_MVFR0 = 7, VFP_FPEXC = 8, VFP_FPINST = 9, VFP_FPINST2 = 10 };

bool arm_vfp_sysreg_read(Vcpu *vcpu, unsigned reg, uint32_t *ret)
{
    const ArmModel *m = arm_model(vcpu);
    ArmState *s = arm_state(vcpu);

    if (reg == VFP_FPSCR) {
        *ret = arm_fpscr_get(vcpu);
        return true;
    }
    if (reg == VFP_FPSID && !arm_has(vcpu, VFP3)) { /* VFPv2 shows it to everybody */
        *ret = m->id32[ARM_ID32_FPSID];
        return true;
    }
    if (s->el == 0) {
        return false;
    }
    uint64_t id_trap = reg == VFP_FPSID ? 1u << 15 : HCR_TID3; /* HCR.TID0 */
    if (reg != VFP_FPEXC && s->el == 1 && (arm_hcr(vcpu) & id_trap)) {
        arm_trap_iss(vcpu, 2, ARM_EC_CP10, 0x1e00001 | reg << 10);
    }
    switch (reg) {
    case VFP_FPSID: *ret = m->id32[ARM_ID32_FPSID]; return true;
    case VFP_MVFR0: *ret = m->id32[ARM_ID32_MVFR0]; return is_v6(vcpu);
    case VFP_MVFR1: *ret = m->id32[ARM_ID32_MVFR1]; return is_v6(vcpu);
    case VFP_MVFR2: *ret = m->id32[ARM_ID32_MVFR2]; return is_v8(vcpu);
    case VFP_FPEXC: *ret = (uint32_t)s->fpexc; return true;
    case VFP_FPINST: case VFP_FPINST2: *ret = 0; return !is_v7(vcpu);
    default: return false;
    }
}

bool arm_vfp_sysreg_write(Vcpu *vcpu, unsigned reg, uint32_t value)
{
    ArmState *s = arm_state(vcpu);

    if (reg == VFP_FPSCR) {
        arm_fpscr_set(vcpu, value);
        return true;
    }
    if (s->el == 0) {
        return false;
    }
    switch (reg) {
    case VFP_FPSID: return true;
    case VFP_FPEXC: s->fpexc = value & BIT(30); return true; /* no exception is pending, ever */
    case VFP_FPINST: case VFP_FPINST2: return !is_v7(vcpu);
    default: return false;
    }
}
