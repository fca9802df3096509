/*
 * sysreg.c: control registers, XCR0 and model-specific registers (SDM 2.5, 2.6, 4; APM 2, 3).
 *
 * MSRs are one table (sysreg.def) with hooks for those that are not plain fields. Caching, microcode, performance counters and
 * thermal control are kept or ignored, as the table says; the machine has none of them.
 */
#include <time.h>
#include "target/x86/translate.h"
#include "target/x86/system.h"
#include "util/log.h"

static noreturn void gp0(Vcpu *vcpu) { x86_raise_code(vcpu, X86_EXC_GP, 0); }

/* -- address spaces: TLB sets are tagged with the PCID ---------------------------------------------------------- */

static uint32_t pcid(const X86State *s) { return s->cr4 & X86_CR4_PCIDE ? s->cr3 & 0xfff : 0; }

void x86_space_changed(Vcpu *vcpu)
{
    tlb_set_asid(vcpu, pcid(x86_state(vcpu)), 0);
}

void x86_pkru_changed(Vcpu *vcpu)
{
    if (vcpu->softmmu && x86_state(vcpu)->pkeys_seen) {
        tlb_flush(vcpu);
        x86_state(vcpu)->pkeys_seen = false;
    }
}

static bool uses_pdptes(const X86State *s, uint64_t cr0, uint64_t cr4)
{
    return (cr0 & X86_CR0_PG) && (cr4 & X86_CR4_PAE) && !(s->efer & X86_EFER_LME);
}

/* -- CR0, CR3, CR4 -------------------------------------------------------------------------------------------------- */

void x86_cr0_write(Vcpu *vcpu, uint64_t value)
{
    const uint64_t known = X86_CR0_PE | X86_CR0_MP | X86_CR0_EM | X86_CR0_TS | X86_CR0_NE | X86_CR0_WP | X86_CR0_AM | X86_CR0_NW |
                           X86_CR0_CD | X86_CR0_PG;
    X86State *s = x86_state(vcpu);

    if (value >> 32 || ((value & X86_CR0_PG) && !(value & X86_CR0_PE)) || ((value & X86_CR0_NW) && !(value & X86_CR0_CD))) {
        gp0(vcpu);
    }
    value = (value & known) | X86_CR0_ET;
    uint64_t changed = value ^ s->cr0, efer = s->efer;
    if ((changed & X86_CR0_PG) && (value & X86_CR0_PG) && (efer & X86_EFER_LME)) {
        bool tss16 = (s->tr_attr >> 8 & 15) == X86_SYS_TSS16_BUSY;
        if (!(s->cr4 & X86_CR4_PAE) || (s->seg_attr[X86_CS] & X86_ATTR_L) || tss16) {
            gp0(vcpu);
        }
        efer |= X86_EFER_LMA;
    } else if ((changed & X86_CR0_PG) && !(value & X86_CR0_PG)) {
        if (x86_is_code64(s) || (s->cr4 & X86_CR4_PCIDE)) {
            gp0(vcpu);
        }
        efer &= ~(uint64_t)X86_EFER_LMA;
    }
    if (uses_pdptes(s, value, s->cr4) && (changed & (X86_CR0_PG | X86_CR0_CD | X86_CR0_NW)) && !x86_pdptes_load(vcpu, s->cr3)) {
        gp0(vcpu);
    }
    s->cr0 = value;
    s->efer = efer;
    if (changed & X86_CR0_PE) {
        x86_seg_changed(vcpu);
    }
    /* PE alone changes no translation: PG is off on both sides. Firmware and boot loaders toggle it for every packet and sector. */
    if (changed & (X86_CR0_PG | X86_CR0_WP)) {
        tlb_flush(vcpu);
    }
}

void x86_cr3_write(Vcpu *vcpu, uint64_t value)
{
    X86State *s = x86_state(vcpu);
    bool keep = (s->cr4 & X86_CR4_PCIDE) && value >> 63;

    value &= keep ? bits_mask(0, 63) : UINT64_MAX;
    if (value & ~bits_mask(0, x86_model(vcpu)->phys_bits)) {
        gp0(vcpu);
    }
    if (uses_pdptes(s, s->cr0, s->cr4) && !x86_pdptes_load(vcpu, value)) {
        gp0(vcpu);
    }
    s->cr3 = value;
    x86_space_changed(vcpu);
    if (!keep) {
        tlb_flush_asid(vcpu, pcid(s));
    }
}

static uint64_t cr4_known(const Vcpu *vcpu)
{
    static const struct { uint64_t bits; uint16_t feature; } gates[] = {
        { X86_CR4_VME | X86_CR4_PVI, X86_FEAT_VME }, { X86_CR4_TSD, X86_FEAT_TSC }, { X86_CR4_DE, X86_FEAT_DE },
        { X86_CR4_PSE, X86_FEAT_PSE }, { X86_CR4_PAE, X86_FEAT_PAE }, { X86_CR4_MCE, X86_FEAT_MCE }, { X86_CR4_PGE, X86_FEAT_PGE },
        { X86_CR4_PCE, X86_FEAT_NONE }, { X86_CR4_OSFXSR, X86_FEAT_FXSR }, { X86_CR4_OSXMMEXCPT, X86_FEAT_SSE },
        { X86_CR4_UMIP, X86_FEAT_UMIP }, { X86_CR4_LA57, X86_FEAT_LA57 }, { X86_CR4_FSGSBASE, X86_FEAT_FSGSBASE },
        { X86_CR4_PCIDE, X86_FEAT_PCID }, { X86_CR4_OSXSAVE, X86_FEAT_XSAVE }, { X86_CR4_SMEP, X86_FEAT_SMEP },
        { X86_CR4_SMAP, X86_FEAT_SMAP }, { X86_CR4_PKE, X86_FEAT_PKU },
    };
    uint64_t known = 0;

    for (size_t i = 0; i < ARRAY_SIZE(gates); i++) {
        known |= gates[i].feature == X86_FEAT_NONE || x86_has(vcpu, gates[i].feature) ? gates[i].bits : 0;
    }
    return known;
}

void x86_cr4_write(Vcpu *vcpu, uint64_t value)
{
    const uint64_t flushing = X86_CR4_PSE | X86_CR4_PAE | X86_CR4_PGE | X86_CR4_LA57 | X86_CR4_PCIDE | X86_CR4_SMEP | X86_CR4_SMAP |
                              X86_CR4_PKE;
    X86State *s = x86_state(vcpu);
    uint64_t changed = value ^ s->cr4;
    bool is_long = x86_is_long(s);

    if ((value & ~cr4_known(vcpu)) || (is_long && (!(value & X86_CR4_PAE) || (changed & X86_CR4_LA57)))) {
        gp0(vcpu);
    }
    if ((changed & value & X86_CR4_PCIDE) && (!is_long || (s->cr3 & 0xfff))) {
        gp0(vcpu);
    }
    if (uses_pdptes(s, s->cr0, value) && (changed & (X86_CR4_PAE | X86_CR4_PGE | X86_CR4_PSE | X86_CR4_SMEP)) &&
        !x86_pdptes_load(vcpu, s->cr3)) {
        gp0(vcpu);
    }
    s->cr4 = value;
    if (changed & flushing) {
        x86_space_changed(vcpu);
        tlb_flush(vcpu);
    }
}

uint64_t x86_helper_cr_read(Vcpu *vcpu, uint32_t n)
{
    X86State *s = x86_state(vcpu);

    switch (n) {
    case 0:
        return s->cr0;
    case 2:
        return s->cr2;
    case 3:
        return s->cr3;
    case 4:
        return s->cr4;
    default:
        return s->platform && s->platform->tpr_get ? s->platform->tpr_get(s->platform_opaque, vcpu) : 0;
    }
}

void x86_helper_cr_write(Vcpu *vcpu, uint32_t n, uint64_t value)
{
    X86State *s = x86_state(vcpu);

    switch (n) {
    case 0:
        x86_cr0_write(vcpu, value);
        break;
    case 2:
        s->cr2 = value;
        break;
    case 3:
        x86_cr3_write(vcpu, value);
        break;
    case 4:
        x86_cr4_write(vcpu, value);
        break;
    default:
        if (value >> 4) {
            gp0(vcpu);
        }
        if (s->platform && s->platform->tpr_set) {
            s->platform->tpr_set(s->platform_opaque, vcpu, (uint8_t)value);
        }
    }
}

/* SDM 2.5: the low four bits; PE can be set only. */
void x86_helper_lmsw(Vcpu *vcpu, uint32_t value)
{
    uint64_t cr0 = x86_state(vcpu)->cr0;
    x86_cr0_write(vcpu, (cr0 & ~(uint64_t)(X86_CR0_MP | X86_CR0_EM | X86_CR0_TS)) | (value & 15));
}

void x86_helper_clts(Vcpu *vcpu)
{
    x86_state(vcpu)->cr0 &= ~(uint64_t)X86_CR0_TS;
}

/* -- time stamp counter (SDM 18.17) ------------------------------------------------------------------------------------ */

uint64_t x86_tsc(Vcpu *vcpu)
{
    const X86State *s = x86_state(vcpu);

    if (s->platform && s->platform->tsc) {
        return s->platform->tsc(s->platform_opaque) + s->tsc_offset;
    }
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec + s->tsc_offset;
}

/* -- hooks ----------------------------------------------------------------------------------------------------------------- */

typedef struct MsrDesc MsrDesc;
typedef bool MsrRead(Vcpu *vcpu, uint32_t msr, uint64_t *ret);
typedef bool MsrWrite(Vcpu *vcpu, const MsrDesc *d, uint32_t msr, uint64_t value);

struct MsrDesc {
    uint32_t first, last;
    const char *name;
    uint32_t gate;
    int32_t field;
    bool ignore;             /* bits outside the mask are dropped */
    uint64_t write_mask;
    MsrRead *read;
    MsrWrite *write;
};

static uint64_t *field_of(Vcpu *vcpu, const MsrDesc *d, uint32_t msr)
{
    return (uint64_t *)(vcpu->state + d->field) + (msr - d->first);
}

static bool write_ignore(Vcpu *vcpu, const MsrDesc *d, uint32_t msr, uint64_t value) { return true; }
static bool write_ignore_zero(Vcpu *vcpu, const MsrDesc *d, uint32_t msr, uint64_t value) { return !value; }

static bool write_canonical(Vcpu *vcpu, const MsrDesc *d, uint32_t msr, uint64_t value)
{
    if (!x86_is_canonical_base(vcpu, value)) {
        return false;
    }
    *field_of(vcpu, d, msr) = value;
    return true;
}

static bool read_tsc(Vcpu *vcpu, uint32_t msr, uint64_t *ret)
{
    *ret = x86_tsc(vcpu);
    return true;
}

/* A write moves IA32_TSC_ADJUST by as much. */
static void move_tsc(Vcpu *vcpu, uint64_t by)
{
    x86_state(vcpu)->tsc_offset += by;
    x86_state(vcpu)->tsc_adjust += by;
}

static bool write_tsc(Vcpu *vcpu, const MsrDesc *d, uint32_t msr, uint64_t value)
{
    move_tsc(vcpu, value - x86_tsc(vcpu));
    return true;
}

static bool write_tsc_adjust(Vcpu *vcpu, const MsrDesc *d, uint32_t msr, uint64_t value)
{
    move_tsc(vcpu, value - x86_state(vcpu)->tsc_adjust);
    return true;
}

static bool read_platform(Vcpu *vcpu, uint32_t msr, uint64_t *ret)
{
    const X86State *s = x86_state(vcpu);
    return s->platform && s->platform->msr_read && s->platform->msr_read(s->platform_opaque, vcpu, msr, ret);
}

static bool write_platform(Vcpu *vcpu, const MsrDesc *d, uint32_t msr, uint64_t value)
{
    const X86State *s = x86_state(vcpu);
    return s->platform && s->platform->msr_write && s->platform->msr_write(s->platform_opaque, vcpu, msr, value);
}

static bool is_amd(const Vcpu *vcpu)
{
    const char *vendor = x86_model(vcpu)->vendor;
    return !strcmp(vendor, "AuthenticAMD") || !strcmp(vendor, "HygonGenuine");
}

static bool read_core_count(Vcpu *vcpu, uint32_t msr, uint64_t *ret)
{
    const X86Topology *t = &x86_state(vcpu)->topology;
    uint64_t threads = MAX(t->n_threads, 1), cores = (uint64_t)MAX(t->n_cores, 1) * MAX(t->n_dies, 1);
    *ret = cores << 16 | threads * cores;
    return true;
}

/* Locked until reset (SDM 4, IA32_FEATURE_CONTROL bit 0). */
static bool write_feature_control(Vcpu *vcpu, const MsrDesc *d, uint32_t msr, uint64_t value)
{
    X86State *s = x86_state(vcpu);
    if (s->feature_control & 1) {
        return false;
    }
    s->feature_control = value;
    return true;
}

static bool read_ucode(Vcpu *vcpu, uint32_t msr, uint64_t *ret)
{
    uint64_t rev = x86_model(vcpu)->ucode_rev;
    *ret = rev ? rev : is_amd(vcpu) ? 0x01000065 : 0x100000000;
    return true;
}

static bool read_smbase(Vcpu *vcpu, uint32_t msr, uint64_t *ret)
{
    *ret = x86_state(vcpu)->smbase;
    return x86_state(vcpu)->in_smm;
}

static bool read_mtrrcap(Vcpu *vcpu, uint32_t msr, uint64_t *ret)
{
    *ret = 8 | BIT(8) | BIT(10); /* variable ranges, fixed ranges, write combining */
    return true;
}

static bool read_mcg_cap(Vcpu *vcpu, uint32_t msr, uint64_t *ret)
{
    *ret = 10 | BIT(8) | BIT(24); /* banks, MCG_CTL, software error recovery */
    return true;
}

static bool read_perf_status(Vcpu *vcpu, uint32_t msr, uint64_t *ret)
{
    *ret = 1000 | (uint64_t)4 << 40;
    return true;
}

static bool read_vm_cr(Vcpu *vcpu, uint32_t msr, uint64_t *ret)
{
    *ret = BIT(4) | BIT(3);
    return true;
}

static bool read_de_cfg(Vcpu *vcpu, uint32_t msr, uint64_t *ret)
{
    *ret = msr == 0xc0011029 ? BIT(1) : 0;
    return true;
}

/* Memory types that exist: UC WC WT WP WB; PAT has UC- besides. */
static bool is_memory_type(unsigned type) { return type <= 1 || (type >= 4 && type <= 6); }

static bool write_mtrr_types(Vcpu *vcpu, const MsrDesc *d, uint32_t msr, uint64_t value)
{
    for (unsigned i = 0; i < 64; i += 8) {
        if (!is_memory_type(value >> i & 0xff)) {
            return false;
        }
    }
    *field_of(vcpu, d, msr) = value;
    return true;
}

static bool write_mtrr_var(Vcpu *vcpu, const MsrDesc *d, uint32_t msr, uint64_t value)
{
    uint64_t address = bits_mask(12, x86_model(vcpu)->phys_bits - 12), low = msr & 1 ? BIT(11) : 0xff;

    if ((value & ~(address | low)) || (!(msr & 1) && !is_memory_type(value & 0xff))) {
        return false;
    }
    *field_of(vcpu, d, msr) = value;
    return true;
}

static bool write_pat(Vcpu *vcpu, const MsrDesc *d, uint32_t msr, uint64_t value)
{
    for (unsigned i = 0; i < 64; i += 8) {
        if (!is_memory_type(value >> i & 7) && (value >> i & 7) != 7) {
            return false;
        }
    }
    *field_of(vcpu, d, msr) = value;
    return true;
}

/* CTL is all ones or nothing, STATUS can be cleared only, ADDR and MISC hold what they are given (SDM 16.3.2). Linux leaves bit 10 of bank 4
 * out on AMD's processors (table walk errors of the GART), and bit 0 of bank 0 on Intel's first ones with these banks. */
static bool write_mc_bank(Vcpu *vcpu, const MsrDesc *d, uint32_t msr, uint64_t value)
{
    enum { CTL, STATUS };

    if (((msr & 3) == CTL && value && (value | BIT(10) | BIT(0)) != UINT64_MAX) || ((msr & 3) == STATUS && value)) {
        return false;
    }
    *field_of(vcpu, d, msr) = value;
    return true;
}

/* Bits 7, 11 and 12 tell what the processor lacks: sampling and branch traces. XD bit disable takes NX away: from CPUID and from EFER. */
static bool write_misc_enable(Vcpu *vcpu, const MsrDesc *d, uint32_t msr, uint64_t value)
{
    X86State *s = x86_state(vcpu);

    s->misc_enable = value & d->write_mask;
    if (s->misc_enable & X86_MISC_XD_DISABLE && s->efer & X86_EFER_NXE) {
        s->efer &= ~(uint64_t)X86_EFER_NXE;
        tlb_flush(vcpu);
    }
    return true;
}

static bool write_efer(Vcpu *vcpu, const MsrDesc *d, uint32_t msr, uint64_t value)
{
    X86State *s = x86_state(vcpu);
    uint64_t known = X86_EFER_LMA;

    known |= x86_has(vcpu, X86_FEAT_SYSCALL) ? X86_EFER_SCE : 0;
    known |= x86_has(vcpu, X86_FEAT_LM) ? X86_EFER_LME : 0;
    known |= x86_has(vcpu, X86_FEAT_NX) && !(s->misc_enable & X86_MISC_XD_DISABLE) ? X86_EFER_NXE : 0;
    known |= x86_has(vcpu, X86_FEAT_FXSR_OPT) ? BIT(14) : 0;
    value = (value & ~(uint64_t)X86_EFER_LMA) | (s->efer & X86_EFER_LMA);
    uint64_t changed = value ^ s->efer;
    if ((value & ~known) || ((changed & X86_EFER_LME) && (s->cr0 & X86_CR0_PG))) {
        return false;
    }
    s->efer = value;
    if (changed & X86_EFER_NXE) {
        tlb_flush(vcpu);
    }
    return true;
}

/* -- the table ------------------------------------------------------------------------------------------------------------- */

enum { ALWAYS = X86_FEAT_NONE, INTEL = 0x10000, AMD, EFER_GATE, TSC_AUX_GATE };
#define FIELD(x) ((int32_t)offsetof(X86State, x))
#define NO_FIELD -1
#define MSR(first, last, name, gate, field, mask, read, write, doc) { first, last, name, gate, field, false, mask, read, write },
#define MSR_DROP(first, last, name, gate, field, mask, read, write, doc) { first, last, name, gate, field, true, mask, read, write },

static const MsrDesc msrs[] = {
#include "target/x86/sysreg.def"
};

static bool gate_open(const Vcpu *vcpu, uint32_t gate)
{
    switch (gate) {
    case ALWAYS:
        return true;
    case INTEL:
        return !is_amd(vcpu);
    case AMD:
        return is_amd(vcpu);
    case EFER_GATE:
        return x86_has(vcpu, X86_FEAT_LM) || x86_has(vcpu, X86_FEAT_NX) || x86_has(vcpu, X86_FEAT_SYSCALL);
    case TSC_AUX_GATE:
        return x86_has(vcpu, X86_FEAT_RDTSCP) || x86_has(vcpu, X86_FEAT_RDPID);
    default:
        return x86_has(vcpu, (X86Feature)gate);
    }
}

static const MsrDesc *msr_find(const Vcpu *vcpu, uint32_t msr)
{
    size_t low = 0, high = ARRAY_SIZE(msrs);

    while (low < high) {
        size_t mid = (low + high) / 2;
        if (msrs[mid].last < msr) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low < ARRAY_SIZE(msrs) && msrs[low].first <= msr && gate_open(vcpu, msrs[low].gate) ? &msrs[low] : NULL;
}

bool x86_msr_read(Vcpu *vcpu, uint32_t msr, uint64_t *ret)
{
    const MsrDesc *d = msr_find(vcpu, msr);

    if (!d) {
        return false;
    }
    if (d->read) {
        return d->read(vcpu, msr, ret);
    }
    *ret = d->field == NO_FIELD ? 0 : *field_of(vcpu, d, msr);
    return true;
}

bool x86_msr_write(Vcpu *vcpu, uint32_t msr, uint64_t value)
{
    const MsrDesc *d = msr_find(vcpu, msr);

    if (!d) {
        return false;
    }
    value = d->ignore ? value & d->write_mask : value;
    if (d->write) {
        return d->write(vcpu, d, msr, value);
    }
    if (d->field == NO_FIELD || !d->write_mask || (value & ~d->write_mask)) {
        return false;
    }
    *field_of(vcpu, d, msr) = value;
    return true;
}

static void log_unknown(Vcpu *vcpu, const char *what)
{
    if (log_enabled(LOG_GUEST_ERROR)) {
        log_printf("CPU %d: %s of MSR %#x at " VADDR_FMT " is #GP\n", vcpu->index, what, (uint32_t)x86_state(vcpu)->gpr[X86_RCX],
                   x86_state(vcpu)->pc);
    }
}

void x86_helper_rdmsr(Vcpu *vcpu)
{
    X86State *s = x86_state(vcpu);
    uint64_t value;

    if (!x86_msr_read(vcpu, (uint32_t)s->gpr[X86_RCX], &value)) {
        log_unknown(vcpu, "read");
        gp0(vcpu);
    }
    s->gpr[X86_RAX] = (uint32_t)value;
    s->gpr[X86_RDX] = value >> 32;
}

void x86_helper_wrmsr(Vcpu *vcpu)
{
    X86State *s = x86_state(vcpu);
    uint64_t value = (uint32_t)s->gpr[X86_RAX] | s->gpr[X86_RDX] << 32;

    if (!x86_msr_write(vcpu, (uint32_t)s->gpr[X86_RCX], value)) {
        log_unknown(vcpu, "write");
        gp0(vcpu);
    }
}
