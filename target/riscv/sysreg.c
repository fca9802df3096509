/*
 * sysreg.c: control and status registers: one table (sysreg.def), hooks for those that are not plain fields.
 *
 * RV32's …h registers are the upper halves of the 64-bit fields. Access fails (illegal instruction) when the register
 * does not exist, privilege is too low, or a control bit (TVM, counteren, stateen, STCE) forbids it.
 */
#include <time.h>
#include "target/riscv/tlb.h"
#include "target/riscv/pmp.h"
#include "target/riscv/trigger.h"
#include "util/random.h"

typedef struct CsrDesc {
    uint16_t first, last;
    const char *name;
    uint8_t gate;
    int32_t field;               /* offset in RiscvState, -1 none */
    uint64_t write_mask;
    bool (*read)(Vcpu *vcpu, unsigned csr, uint64_t *ret);
    bool (*write)(Vcpu *vcpu, unsigned csr, uint64_t value);
} CsrDesc;

static bool is_rv32(Vcpu *vcpu) { return riscv_model(vcpu)->xlen == 32; }

/* Replaces a 64-bit field, or one half of it on RV32. */
static uint64_t merge_half(Vcpu *vcpu, uint64_t old, uint64_t value, bool high)
{
    return !is_rv32(vcpu) ? value : high ? (uint32_t)old | value << 32 : (old & ~(uint64_t)UINT32_MAX) | (uint32_t)value;
}

static uint64_t half(Vcpu *vcpu, uint64_t value, bool high) { return high && is_rv32(vcpu) ? value >> 32 : value; }

static bool write_ignore(Vcpu *vcpu, unsigned csr, uint64_t value) { return true; }

/* -- floating point ---------------------------------------------------------------------------------- */

static bool fp_off(Vcpu *vcpu) { return vcpu->softmmu && !(riscv_state(vcpu)->mstatus & MSTATUS_FS); }
static void fp_dirty(Vcpu *vcpu) { riscv_state(vcpu)->mstatus |= MSTATUS_FS; }

static bool read_fflags(Vcpu *vcpu, unsigned csr, uint64_t *ret)
{
    *ret = riscv_fflags_get(vcpu);
    return !fp_off(vcpu);
}

static bool read_frm(Vcpu *vcpu, unsigned csr, uint64_t *ret)
{
    *ret = riscv_state(vcpu)->frm;
    return !fp_off(vcpu);
}

static bool read_fcsr(Vcpu *vcpu, unsigned csr, uint64_t *ret)
{
    *ret = riscv_fflags_get(vcpu) | riscv_state(vcpu)->frm << 5;
    return !fp_off(vcpu);
}

static bool write_fflags(Vcpu *vcpu, unsigned csr, uint64_t value)
{
    if (fp_off(vcpu)) {
        return false;
    }
    riscv_fflags_set(vcpu, (uint32_t)value);
    fp_dirty(vcpu);
    return true;
}

static bool write_frm(Vcpu *vcpu, unsigned csr, uint64_t value)
{
    if (fp_off(vcpu)) {
        return false;
    }
    riscv_frm_set(vcpu, (uint32_t)value);
    fp_dirty(vcpu);
    return true;
}

static bool write_fcsr(Vcpu *vcpu, unsigned csr, uint64_t value)
{
    return write_fflags(vcpu, csr, value) && write_frm(vcpu, csr, value >> 5);
}

/* -- vectors (Unprivileged 30.3) ------------------------------------------------------------------------ */

static bool vector_off(Vcpu *vcpu) { return vcpu->softmmu && !(riscv_state(vcpu)->mstatus & MSTATUS_VS); }

static bool read_vector(Vcpu *vcpu, unsigned csr, uint64_t *ret)
{
    const RvvState *v = &riscv_state(vcpu)->vector;

    switch (csr) {
    case 0x008:
        *ret = v->vstart;
        break;
    case 0x009:
        *ret = v->vxsat;
        break;
    case 0x00a:
        *ret = v->vxrm;
        break;
    case 0x00f:
        *ret = (uint64_t)v->vxrm << 1 | v->vxsat;
        break;
    case 0xc20:
        *ret = v->vl;
        break;
    case 0xc21:
        *ret = v->vill ? BIT(riscv_model(vcpu)->xlen - 1) : v->vtype;
        break;
    default:
        *ret = v->vlenb;
        break;
    }
    return !vector_off(vcpu);
}

static bool write_vector(Vcpu *vcpu, unsigned csr, uint64_t value)
{
    RvvState *v = &riscv_state(vcpu)->vector;

    if (vector_off(vcpu)) {
        return false;
    }
    switch (csr) {
    case 0x008:
        v->vstart = value & (v->vlenb * 8u - 1); /* as many bits as the largest index needs */
        v->full = !v->vill && !v->vstart && v->vl == v->vlmax;
        break;
    case 0x009:
        v->vxsat = value & 1;
        break;
    case 0x00a:
        v->vxrm = value & 3;
        break;
    default:
        v->vxsat = value & 1;
        v->vxrm = value >> 1 & 3;
        break;
    }
    riscv_state(vcpu)->mstatus |= MSTATUS_VS;
    return true;
}

/* -- entropy (Zkr: Unprivileged 30.5) ------------------------------------------------------------------- */

static bool read_seed(Vcpu *vcpu, unsigned csr, uint64_t *ret)
{
    RiscvState *s = riscv_state(vcpu);
    uint16_t random;

    if (vcpu->softmmu && ((s->priv == RISCV_U && !(s->mseccfg & BIT(8))) ||
                          (s->priv == RISCV_S && !(s->mseccfg & BIT(9))))) {
        return false;
    }
    if (!random_bytes(&random, sizeof(random), false)) {
        *ret = 1u << 30; /* WAIT */
    } else {
        *ret = 2u << 30 | random; /* ES16 */
    }
    return true;
}

/* -- counters -------------------------------------------------------------------------------------------- */

static uint64_t host_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

uint64_t riscv_time(const Vcpu *vcpu)
{
    const RiscvState *s = riscv_state(vcpu);

    return s->platform ? s->platform->time(s->platform_opaque) : host_ns();
}

/*
 * What cycle and instret count: nanoseconds; neither cycles nor instructions are counted. With -icount, so that runs repeat,
 * cycle counts guest time and instret instructions, the one that reads included.
 */
static uint64_t counter_now(Vcpu *vcpu, unsigned index)
{
    const RiscvState *s = riscv_state(vcpu);

    if (vcpu->use_icount && index == 2) {
        return tcg_insns_run(vcpu);
    }
    return vcpu->use_icount && s->platform ? s->platform->guest_ns() : host_ns();
}

/* An instruction is counted after it has read the counter (2.8). */
static uint64_t reads_itself(const Vcpu *vcpu, unsigned index)
{
    return vcpu->use_icount && index == 2;
}

/* Counters below M need their bit in mcounteren, in U mode also in scounteren. */
static bool counter_visible(Vcpu *vcpu, unsigned index)
{
    RiscvState *s = riscv_state(vcpu);

    if (!vcpu->softmmu || s->priv == RISCV_M) {
        return true;
    }
    return (s->mcounteren >> index & 1) && (s->priv == RISCV_S || !riscv_has(vcpu, S) || (s->scounteren >> index & 1));
}

static bool read_counter(Vcpu *vcpu, unsigned csr, uint64_t *ret)
{
    RiscvState *s = riscv_state(vcpu);
    unsigned index = csr & 0x1f;

    if (csr >= 0xc00 && !counter_visible(vcpu, index)) {
        return false;
    }
    uint64_t base = index == 0 ? s->mcycle_base : s->minstret_base;
    *ret = half(vcpu, base + (s->mcountinhibit >> index & 1 ? 0 : counter_now(vcpu, index) - reads_itself(vcpu, index)), csr & 0x80);
    return true;
}

static bool write_counter(Vcpu *vcpu, unsigned csr, uint64_t value)
{
    RiscvState *s = riscv_state(vcpu);
    unsigned index = csr & 0x1f;
    uint64_t *base = index == 0 ? &s->mcycle_base : &s->minstret_base;
    uint64_t now = s->mcountinhibit >> index & 1 ? 0 : counter_now(vcpu, index);

    *base = merge_half(vcpu, *base + now, value, csr & 0x80) - now;
    return true;
}

static bool read_inhibit(Vcpu *vcpu, unsigned csr, uint64_t *ret)
{
    *ret = riscv_state(vcpu)->mcountinhibit;
    return true;
}

static bool write_inhibit(Vcpu *vcpu, unsigned csr, uint64_t value)
{
    RiscvState *s = riscv_state(vcpu);
    uint64_t change = (s->mcountinhibit ^ value) & 5, now = counter_now(vcpu, 0);

    s->mcycle_base += change & 1 ? (value & 1 ? now : -now) : 0;
    now = counter_now(vcpu, 2);
    s->minstret_base += change & 4 ? (value & 4 ? now : -now) : 0;
    s->mcountinhibit ^= change;
    return true;
}

static bool read_time(Vcpu *vcpu, unsigned csr, uint64_t *ret)
{
    *ret = half(vcpu, riscv_time(vcpu), csr & 0x80);
    return counter_visible(vcpu, 1);
}

static bool read_hpm(Vcpu *vcpu, unsigned csr, uint64_t *ret)
{
    *ret = 0;
    return csr < 0xc00 || counter_visible(vcpu, csr & 0x1f);
}

static bool stimecmp_ok(Vcpu *vcpu, unsigned csr)
{
    RiscvState *s = riscv_state(vcpu);

    return (is_rv32(vcpu) || !(csr & 0x10)) &&
           (s->priv == RISCV_M || ((s->menvcfg & MENVCFG_STCE) && (s->mcounteren & 2)));
}

static bool read_stimecmp(Vcpu *vcpu, unsigned csr, uint64_t *ret)
{
    *ret = half(vcpu, riscv_state(vcpu)->stimecmp, csr & 0x10);
    return stimecmp_ok(vcpu, csr);
}

/* Sets STIP now or when the time comes. */
static void stimer_update(Vcpu *vcpu)
{
    RiscvState *s = riscv_state(vcpu);
    bool due = (s->menvcfg & MENVCFG_STCE) && riscv_time(vcpu) >= s->stimecmp;

    riscv_irq_set(vcpu, RISCV_IRQ_STI, due);
    if (s->platform && s->platform->stimer_set) {
        s->platform->stimer_set(s->platform_opaque, vcpu,
                                due || !(s->menvcfg & MENVCFG_STCE) ? UINT64_MAX : s->stimecmp);
    }
}

static bool write_stimecmp(Vcpu *vcpu, unsigned csr, uint64_t value)
{
    RiscvState *s = riscv_state(vcpu);

    if (!stimecmp_ok(vcpu, csr)) {
        return false;
    }
    __atomic_store_n(&s->stimecmp, merge_half(vcpu, s->stimecmp, value, csr & 0x10), __ATOMIC_SEQ_CST);
    stimer_update(vcpu);
    return true;
}

/*
 * In the timer's thread, beside the vCPU's, which stores stimecmp before it sets the timer: a deadline that was read
 * before the timer is set again may be an old one, so it is read anew until it stays. A spurious STIP goes with the
 * next write of stimecmp; none is lost.
 */
void riscv_stimer_expired(Vcpu *vcpu)
{
    RiscvState *s = riscv_state(vcpu);
    uint64_t deadline = __atomic_load_n(&s->stimecmp, __ATOMIC_SEQ_CST), again;

    if (!(s->menvcfg & MENVCFG_STCE)) {
        return;
    }
    if (riscv_time(vcpu) >= deadline) {
        riscv_irq_set(vcpu, RISCV_IRQ_STI, true);
        return;
    }
    for (;; deadline = again) { /* early, or reprogrammed */
        s->platform->stimer_set(s->platform_opaque, vcpu, deadline);
        again = __atomic_load_n(&s->stimecmp, __ATOMIC_SEQ_CST);
        if (again == deadline) {
            return;
        }
    }
}

/* -- status ------------------------------------------------------------------------------------------------- */

static uint64_t status_read(Vcpu *vcpu)
{
    uint64_t v = riscv_state(vcpu)->mstatus;
    bool dirty = (v & MSTATUS_FS) == MSTATUS_FS || (v & MSTATUS_VS) == MSTATUS_VS;

    return is_rv32(vcpu) ? (uint32_t)v | (dirty ? BIT(31) : 0) : v | (dirty ? BIT(63) : 0);
}

static bool read_mstatus(Vcpu *vcpu, unsigned csr, uint64_t *ret)
{
    *ret = status_read(vcpu);
    return true;
}

static bool read_sstatus(Vcpu *vcpu, unsigned csr, uint64_t *ret)
{
    *ret = status_read(vcpu) & (SSTATUS_MASK | (is_rv32(vcpu) ? BIT(31) : BIT(63)));
    return true;
}

static bool write_status(Vcpu *vcpu, uint64_t value, uint64_t mask)
{
    RiscvState *s = riscv_state(vcpu);
    uint64_t old = s->mstatus, legal = MSTATUS_MIE | MSTATUS_MPIE;

    if (riscv_has(vcpu, U)) {
        legal |= MSTATUS_MPP | MSTATUS_MPRV | MSTATUS_TW;
    }
    if (riscv_has(vcpu, S)) {
        legal |= MSTATUS_SIE | MSTATUS_SPIE | MSTATUS_SPP | MSTATUS_SUM | MSTATUS_MXR | MSTATUS_TVM | MSTATUS_TSR;
    }
    if (riscv_has(vcpu, S) || riscv_has(vcpu, F)) {
        legal |= MSTATUS_FS;
    }
    if (riscv_has(vcpu, Zve32x)) {
        legal |= MSTATUS_VS;
    }
    unsigned mpp = bits_get(value, 11, 2);
    if (mpp == 2 || (mpp == RISCV_S && !riscv_has(vcpu, S))) {
        legal &= ~MSTATUS_MPP; /* WARL: keeps the old mode */
    }
    mask &= legal;
    s->mstatus = (old & ~mask) | (value & mask);
    if ((old ^ s->mstatus) & MSTATUS_MXR) {
        tlb_flush(vcpu); /* permissions of cached translations depend on it */
    }
    return true;
}

static void interrupts_changed(Vcpu *vcpu)
{
    if (riscv_interrupt_pending(vcpu)) {
        vcpu_kick(vcpu);
    }
}

static bool write_mstatus(Vcpu *vcpu, unsigned csr, uint64_t value)
{
    write_status(vcpu, value, ~(uint64_t)0);
    interrupts_changed(vcpu);
    return true;
}

static bool write_sstatus(Vcpu *vcpu, unsigned csr, uint64_t value)
{
    write_status(vcpu, value, SSTATUS_MASK);
    interrupts_changed(vcpu);
    return true;
}

/* -- interrupt enables and pending bits ------------------------------------------------------------------------ */

static uint64_t all_irqs(Vcpu *vcpu) { return 0x888 | (riscv_has(vcpu, S) ? 0x222 : 0); }

static bool read_mie(Vcpu *vcpu, unsigned csr, uint64_t *ret)
{
    *ret = riscv_state(vcpu)->mie;
    return true;
}

static bool read_sie(Vcpu *vcpu, unsigned csr, uint64_t *ret)
{
    *ret = riscv_state(vcpu)->mie & riscv_state(vcpu)->mideleg;
    return true;
}

static void update_mie(Vcpu *vcpu, uint64_t value, uint64_t mask)
{
    RiscvState *s = riscv_state(vcpu);

    s->mie = (s->mie & ~mask) | (value & mask);
    interrupts_changed(vcpu);
}

static bool write_mie(Vcpu *vcpu, unsigned csr, uint64_t value)
{
    update_mie(vcpu, value, all_irqs(vcpu));
    return true;
}

static bool write_sie(Vcpu *vcpu, unsigned csr, uint64_t value)
{
    update_mie(vcpu, value, riscv_state(vcpu)->mideleg);
    return true;
}

static bool read_mip(Vcpu *vcpu, unsigned csr, uint64_t *ret)
{
    *ret = riscv_mip(vcpu);
    return true;
}

static bool read_sip(Vcpu *vcpu, unsigned csr, uint64_t *ret)
{
    *ret = riscv_mip(vcpu) & riscv_state(vcpu)->mideleg;
    return true;
}

static void update_mip(Vcpu *vcpu, uint64_t value, uint64_t mask)
{
    RiscvState *s = riscv_state(vcpu);

    s->mip = (s->mip & ~mask) | (value & mask);
    interrupts_changed(vcpu);
}

static bool write_mip(Vcpu *vcpu, unsigned csr, uint64_t value)
{
    /* STIP is read-only while stimecmp drives it (Sstc 2.3). */
    bool stce = riscv_state(vcpu)->menvcfg & MENVCFG_STCE;

    update_mip(vcpu, value, all_irqs(vcpu) & (BIT(RISCV_IRQ_SSI) | BIT(RISCV_IRQ_SEI) | (stce ? 0 : BIT(RISCV_IRQ_STI))));
    return true;
}

static bool write_sip(Vcpu *vcpu, unsigned csr, uint64_t value)
{
    update_mip(vcpu, value, riscv_state(vcpu)->mideleg & BIT(RISCV_IRQ_SSI));
    return true;
}

/* -- causes: the interrupt bit is kept in bit 63 -------------------------------------------------------------- */

static bool read_cause(Vcpu *vcpu, unsigned csr, uint64_t *ret)
{
    uint64_t v = csr == 0x342 ? riscv_state(vcpu)->mcause : riscv_state(vcpu)->scause;

    *ret = is_rv32(vcpu) ? (v & 0x7fffffff) | (v >> 63) << 31 : v;
    return true;
}

static bool write_cause(Vcpu *vcpu, unsigned csr, uint64_t value)
{
    uint64_t v = is_rv32(vcpu) ? (value & 0x7fffffff) | (value >> 31 & 1) << 63 : value;

    *(csr == 0x342 ? &riscv_state(vcpu)->mcause : &riscv_state(vcpu)->scause) = v;
    return true;
}

/* -- address translation ------------------------------------------------------------------------------------------ */

static bool satp_ok(Vcpu *vcpu)
{
    RiscvState *s = riscv_state(vcpu);

    return !(s->priv == RISCV_S && (s->mstatus & MSTATUS_TVM));
}

static bool read_satp(Vcpu *vcpu, unsigned csr, uint64_t *ret)
{
    uint64_t v = riscv_state(vcpu)->satp;

    *ret = is_rv32(vcpu) ? (v >> 60 & 1) << 31 | (v >> 44 & 0x1ff) << 22 | (v & 0x3fffff) : v;
    return satp_ok(vcpu);
}

static bool write_satp(Vcpu *vcpu, unsigned csr, uint64_t value)
{
    RiscvState *s = riscv_state(vcpu);
    unsigned max = riscv_model(vcpu)->satp_max;

    if (!satp_ok(vcpu)) {
        return false;
    }
    if (is_rv32(vcpu)) {
        value = (value >> 31 & 1) << 60 | (value >> 22 & 0x1ff) << 44 | (value & 0x3fffff);
    }
    /* A write with an unsupported mode has no effect (10.1.11). */
    unsigned mode = value >> 60;
    bool known = mode == RISCV_SATP_BARE || (is_rv32(vcpu) ? mode == RISCV_SATP_SV32
                                                           : mode >= RISCV_SATP_SV39 && mode <= RISCV_SATP_SV57);
    if (!known || mode > max) {
        return true;
    }
    if (s->satp != value) {
        s->satp = value;
        tlb_set_asid(vcpu, bits_get(value, 44, 16), value);
    }
    return true;
}

/* -- environment configuration, state enable -------------------------------------------------------------------- */

static uint64_t envcfg_mask(Vcpu *vcpu)
{
    return ENVCFG_FIOM | (riscv_has(vcpu, Zicbom) ? ENVCFG_CBIE | ENVCFG_CBCFE : 0) |
           (riscv_has(vcpu, Zicboz) ? ENVCFG_CBZE : 0);
}

static bool read_menvcfg(Vcpu *vcpu, unsigned csr, uint64_t *ret)
{
    *ret = half(vcpu, riscv_state(vcpu)->menvcfg, csr & 0x10);
    return true;
}

static bool write_menvcfg(Vcpu *vcpu, unsigned csr, uint64_t value)
{
    RiscvState *s = riscv_state(vcpu);
    uint64_t old = s->menvcfg;
    uint64_t mask = envcfg_mask(vcpu) | (riscv_has(vcpu, Svpbmt) ? MENVCFG_PBMTE : 0) |
                    (riscv_has(vcpu, Svadu) ? MENVCFG_ADUE : 0) | (riscv_has(vcpu, Sstc) ? MENVCFG_STCE : 0);

    value = merge_half(vcpu, old, value, csr & 0x10) & mask;
    if ((value & ENVCFG_CBIE) == 2 * BIT(4)) {
        value = (value & ~ENVCFG_CBIE) | (old & ENVCFG_CBIE); /* reserved */
    }
    s->menvcfg = value;
    if ((old ^ value) & (MENVCFG_PBMTE | MENVCFG_ADUE)) {
        tlb_flush(vcpu);
    }
    if ((old ^ value) & MENVCFG_STCE) {
        stimer_update(vcpu);
    }
    return true;
}

/* mstateen0.ENVCFG (62) and SE0 (63) guard S mode's registers. */
static bool stateen_ok(Vcpu *vcpu, unsigned index, unsigned bit)
{
    RiscvState *s = riscv_state(vcpu);

    return s->priv == RISCV_M || !riscv_has(vcpu, Smstateen) || (s->mstateen[index] >> bit & 1);
}

static bool read_senvcfg(Vcpu *vcpu, unsigned csr, uint64_t *ret)
{
    *ret = riscv_state(vcpu)->senvcfg;
    return stateen_ok(vcpu, 0, 62);
}

static bool write_senvcfg(Vcpu *vcpu, unsigned csr, uint64_t value)
{
    RiscvState *s = riscv_state(vcpu);

    if ((value & ENVCFG_CBIE) == 2 * BIT(4)) {
        value = (value & ~ENVCFG_CBIE) | (s->senvcfg & ENVCFG_CBIE);
    }
    s->senvcfg = value & envcfg_mask(vcpu);
    return stateen_ok(vcpu, 0, 62);
}

static bool read_mstateen(Vcpu *vcpu, unsigned csr, uint64_t *ret)
{
    if ((csr & 0x10) && !is_rv32(vcpu)) {
        return false;
    }
    *ret = half(vcpu, riscv_state(vcpu)->mstateen[csr & 3], csr & 0x10);
    return true;
}

static bool write_mstateen(Vcpu *vcpu, unsigned csr, uint64_t value)
{
    RiscvState *s = riscv_state(vcpu);
    uint64_t *reg = &s->mstateen[csr & 3];
    uint64_t mask = BIT(63) | ((csr & 3) == 0 ? BIT(62) | (riscv_has(vcpu, Zcmt) ? BIT(2) : 0) : 0);

    if ((csr & 0x10) && !is_rv32(vcpu)) {
        return false;
    }
    *reg = merge_half(vcpu, *reg, value, csr & 0x10) & mask;
    return true;
}

static bool read_sstateen(Vcpu *vcpu, unsigned csr, uint64_t *ret)
{
    *ret = (uint32_t)riscv_state(vcpu)->sstateen[csr & 3];
    return stateen_ok(vcpu, csr & 3, 63);
}

static bool write_sstateen(Vcpu *vcpu, unsigned csr, uint64_t value)
{
    RiscvState *s = riscv_state(vcpu);

    s->sstateen[csr & 3] = value & s->mstateen[csr & 3] & ((csr & 3) == 0 && riscv_has(vcpu, Zcmt) ? BIT(2) : 0);
    return stateen_ok(vcpu, csr & 3, 63);
}

/* -- machine information, PMP ----------------------------------------------------------------------------------- */

static bool read_id(Vcpu *vcpu, unsigned csr, uint64_t *ret)
{
    const RiscvModel *m = riscv_model(vcpu);

    *ret = csr == 0xf11 ? m->mvendorid : csr == 0xf12 ? m->marchid : m->mimpid;
    return true;
}

static bool read_pmpcfg(Vcpu *vcpu, unsigned csr, uint64_t *ret)
{
    return riscv_pmpcfg_read(vcpu, csr - 0x3a0, ret);
}

static bool write_pmpcfg(Vcpu *vcpu, unsigned csr, uint64_t value)
{
    return riscv_pmpcfg_write(vcpu, csr - 0x3a0, value);
}

static bool read_pmpaddr(Vcpu *vcpu, unsigned csr, uint64_t *ret)
{
    *ret = riscv_state(vcpu)->pmpaddr[csr - 0x3b0];
    return riscv_model(vcpu)->pmp;
}

static bool write_pmpaddr(Vcpu *vcpu, unsigned csr, uint64_t value)
{
    return riscv_pmpaddr_write(vcpu, csr - 0x3b0, value);
}

static bool read_mseccfg(Vcpu *vcpu, unsigned csr, uint64_t *ret)
{
    *ret = riscv_state(vcpu)->mseccfg;
    return riscv_has(vcpu, Smepmp) || riscv_has(vcpu, Zkr);
}

static bool write_mseccfg(Vcpu *vcpu, unsigned csr, uint64_t value)
{
    return (riscv_has(vcpu, Smepmp) || riscv_has(vcpu, Zkr)) && riscv_mseccfg_write(vcpu, value);
}

/* -- the table ------------------------------------------------------------------------------------------------------ */

enum { GATE_ALWAYS = 255, RISCV_EXT_ALWAYS = GATE_ALWAYS, RISCV_EXT_M_MODE = GATE_ALWAYS };

static const CsrDesc csrs[] = {
#define NO_FIELD -1
#define FIELD(x) (int32_t)offsetof(RiscvState, x)
#define CSR(first, last, name, gate, field, mask, read, write, doc) \
    { first, last, name, RISCV_EXT_##gate, field, mask, read, write },
#include "target/riscv/sysreg.def"
#undef CSR
#undef FIELD
};

/* By number: row + 1. Filled on first use; threads would write the same. */
static const CsrDesc *find(unsigned csr)
{
    static uint8_t row_of[4096];
    static _Atomic bool filled;

    static_assert(ARRAY_SIZE(csrs) < 255, "row_of is bytes");
    if (unlikely(!filled)) {
        for (size_t i = 0; i < ARRAY_SIZE(csrs); i++) {
            memset(&row_of[csrs[i].first], (int)i + 1, csrs[i].last - csrs[i].first + 1u);
        }
        filled = true;
    }
    return row_of[csr & 4095] ? &csrs[row_of[csr & 4095] - 1] : NULL;
}

/* The row, if the register exists for this hart in its current mode. */
static const CsrDesc *find_accessible(Vcpu *vcpu, unsigned csr, bool write)
{
    unsigned priv = csr >> 8 & 3, mode = vcpu->softmmu ? riscv_state(vcpu)->priv : RISCV_U;
    const CsrDesc *d = find(csr);

    if (!d || (d->gate != GATE_ALWAYS && !riscv_model(vcpu)->ext[d->gate])) {
        return NULL;
    }
    return mode < priv || (write && csr >> 10 == 3) ? NULL : d;
}

bool riscv_csr_read(Vcpu *vcpu, unsigned csr, uint64_t *ret)
{
    const CsrDesc *d = find_accessible(vcpu, csr, false);
    uint64_t value = 0;

    if (!d) {
        return false;
    }
    if (d->read) {
        if (!d->read(vcpu, csr, &value)) {
            return false;
        }
    } else if (d->field >= 0) {
        value = *(uint64_t *)(vcpu->state + d->field);
    }
    *ret = is_rv32(vcpu) ? (uint32_t)value : value;
    return true;
}

bool riscv_csr_write(Vcpu *vcpu, unsigned csr, uint64_t value)
{
    const CsrDesc *d = find_accessible(vcpu, csr, true);

    if (!d) {
        return false;
    }
    if (d->write) {
        return d->write(vcpu, csr, value);
    }
    if (d->field >= 0) {
        uint64_t *field = (uint64_t *)(vcpu->state + d->field);
        *field = (*field & ~d->write_mask) | (value & d->write_mask);
    }
    return true;
}

const char *riscv_csr_name(unsigned csr)
{
    static char names[8][24];
    static _Atomic unsigned next;
    const CsrDesc *d = find(csr);

    if (!d || d->first == d->last) {
        return d ? d->name : NULL;
    }
    /* A family: the number follows the prefix; "…counterh" puts it before the h. */
    char *out = names[next++ & 7];
    size_t n = strlen(d->name);
    bool h = d->name[n - 1] == 'h' && n > 9;
    unsigned first = strstr(d->name, "hpm") ? 3 : 0;
    snprintf(out, sizeof(names[0]), "%.*s%u%s", (int)(n - h), d->name, csr - d->first + first, h ? "h" : "");
    return out;
}
