/*
 * kvm-state.c: x86 registers between the kernel and X86State.
 *
 * Facts: Linux Documentation/virt/kvm/api.rst, uapi asm/kvm.h; SDM volume 3 for the registers. What X86State has no place for (pending
 * events, further XSAVE components, paravirtual MSRs, mp_state) is kept as read in X86Kvm and goes back as it came. Leaves out nested state.
 * What runs on by itself in the kernel, the TSC first of all, is written only after a reset.
 * Threads: the vCPU's own, or the vCPU stands still.
 */
#include "target/x86/kvm.h"
#include "util/alloc.h"

X86Kvm *x86_kvm(Vcpu *vcpu)
{
    X86State *s = x86_state(vcpu);

    if (!s->kvm) {
        s->kvm = xnew(X86Kvm);
        s->kvm->after_reset = true;
    }
    return s->kvm;
}

bool x86_kvm_failed(const char *what, int r, Error **errp)
{
    if (r < 0) {
        error_set_errno(errp, -r, "%s", what);
    }
    return r < 0;
}

/* -- model specific registers --------------------------------------------------------------------------------- */

enum { MSR_MTRR_FIRST = 0x200, MSR_MTRR_LAST = 0x2ff, MSR_TSC_DEADLINE = 0x6e0 };

typedef struct KvmMsr {
    uint32_t index;
    bool of_kvm;          /* offset is in X86Kvm, not in X86State */
    bool reset_only;      /* written after a reset only */
    uint16_t offset;
} KvmMsr;
#define MSR(index, field) { index, false, false, offsetof(X86State, field) }
#define PV_MSR(index, which) { index, true, false, offsetof(X86Kvm, msr) + (which) * sizeof(uint64_t) }
static const KvmMsr msrs[] = {
    /* The TSC first: the paravirtual clock is computed from it. */
    { 0x10, true, true, offsetof(X86Kvm, msr) + KVM_MSR_TSC * sizeof(uint64_t) }, MSR(0x3b, tsc_adjust),
    MSR(0xc0000081, star), MSR(0xc0000082, lstar), MSR(0xc0000083, cstar), MSR(0xc0000084, sfmask),
    MSR(0xc0000102, kernel_gs_base), MSR(0xc0000103, tsc_aux), MSR(0x174, sysenter_cs), MSR(0x175, sysenter_esp),
    MSR(0x176, sysenter_eip), MSR(0x277, pat), MSR(0x1a0, misc_enable), MSR(0x3a, feature_control), MSR(0x48, spec_ctrl),
    MSR(0x9e, smbase), MSR(0xda0, xss), MSR(0x17a, mcg_status), MSR(0x17b, mcg_ctl),
    MSR(0x2ff, mtrr_deftype),
    MSR(0x250, mtrr_fixed[0]), MSR(0x258, mtrr_fixed[1]), MSR(0x259, mtrr_fixed[2]), MSR(0x268, mtrr_fixed[3]),
    MSR(0x269, mtrr_fixed[4]), MSR(0x26a, mtrr_fixed[5]), MSR(0x26b, mtrr_fixed[6]), MSR(0x26c, mtrr_fixed[7]),
    MSR(0x26d, mtrr_fixed[8]), MSR(0x26e, mtrr_fixed[9]), MSR(0x26f, mtrr_fixed[10]),
    MSR(0x200, mtrr_var[0]), MSR(0x201, mtrr_var[1]), MSR(0x202, mtrr_var[2]), MSR(0x203, mtrr_var[3]), MSR(0x204, mtrr_var[4]),
    MSR(0x205, mtrr_var[5]), MSR(0x206, mtrr_var[6]), MSR(0x207, mtrr_var[7]), MSR(0x208, mtrr_var[8]), MSR(0x209, mtrr_var[9]),
    MSR(0x20a, mtrr_var[10]), MSR(0x20b, mtrr_var[11]), MSR(0x20c, mtrr_var[12]), MSR(0x20d, mtrr_var[13]),
    MSR(0x20e, mtrr_var[14]), MSR(0x20f, mtrr_var[15]),
    PV_MSR(0x4b564d00, KVM_MSR_WALL_CLOCK), PV_MSR(0x4b564d01, KVM_MSR_SYSTEM_TIME), PV_MSR(0x4b564d02, KVM_MSR_ASYNC_PF),
    PV_MSR(0x4b564d03, KVM_MSR_STEAL_TIME), PV_MSR(0x4b564d04, KVM_MSR_PV_EOI), PV_MSR(0x4b564d05, KVM_MSR_POLL),
    PV_MSR(0x4b564d06, KVM_MSR_ASYNC_PF_INT), PV_MSR(MSR_TSC_DEADLINE, KVM_MSR_TSC_DEADLINE),
};
/* Those this kernel has. */
static bool have_msr[ARRAY_SIZE(msrs)];

/* struct kvm_msrs with its entries: one whose end is open cannot be the head of another structure (C11 6.7.2.1). */
typedef struct MsrBuffer {
    uint32_t nmsrs, pad;
    struct kvm_msr_entry entries[ARRAY_SIZE(msrs)];
} MsrBuffer;
static_assert(offsetof(MsrBuffer, entries) == offsetof(struct kvm_msrs, entries), "as KVM_GET_MSRS has it");

void x86_kvm_find_msrs(void)
{
    struct kvm_msr_list probe = { .nmsrs = 0 };

    kvm_system_ioctl(KVM_GET_MSR_INDEX_LIST, &probe); /* E2BIG, with the number */
    struct kvm_msr_list *list = xcalloc(1, sizeof(*list) + probe.nmsrs * sizeof(uint32_t));
    list->nmsrs = probe.nmsrs;
    int r = kvm_system_ioctl(KVM_GET_MSR_INDEX_LIST, list);
    for (size_t i = 0; i < ARRAY_SIZE(msrs); i++) {
        /* MTRRs are not in the list of kernels that emulate them. */
        have_msr[i] = msrs[i].index >= MSR_MTRR_FIRST && msrs[i].index <= MSR_MTRR_LAST;
        for (uint32_t k = 0; r >= 0 && k < list->nmsrs && !have_msr[i]; k++) {
            have_msr[i] = list->indices[k] == msrs[i].index;
        }
    }
    free(list);
}

static uint64_t *msr_field(Vcpu *vcpu, const KvmMsr *m)
{
    return (uint64_t *)((m->of_kvm ? (uint8_t *)x86_kvm(vcpu) : (uint8_t *)x86_state(vcpu)) + m->offset);
}

static bool msr_wanted(Vcpu *vcpu, size_t i, bool put)
{
    /* The deadline is the local APIC's: written right after it (put_lapic). */
    return have_msr[i] && !(put && ((msrs[i].reset_only && !x86_kvm(vcpu)->after_reset) || msrs[i].index == MSR_TSC_DEADLINE));
}

/* Transfers all in one call; a register that is refused is left out from then on. */
static bool transfer_msrs(Vcpu *vcpu, bool put, Error **errp)
{
    MsrBuffer buf;
    size_t which[ARRAY_SIZE(msrs)];

    for (;;) {
        memset(&buf, 0, sizeof(buf));
        for (size_t i = 0; i < ARRAY_SIZE(msrs); i++) {
            if (msr_wanted(vcpu, i, put)) {
                which[buf.nmsrs] = i;
                buf.entries[buf.nmsrs++] = (struct kvm_msr_entry){ .index = msrs[i].index, .data = *msr_field(vcpu, &msrs[i]) };
            }
        }
        int r = kvm_vcpu_ioctl(vcpu, put ? KVM_SET_MSRS : KVM_GET_MSRS, &buf);
        if (x86_kvm_failed("KVM: model specific registers", r, errp)) {
            return false;
        }
        if ((uint32_t)r >= buf.nmsrs) {
            break;
        }
        have_msr[which[r]] = false;
    }
    for (uint32_t i = 0; !put && i < buf.nmsrs; i++) {
        *msr_field(vcpu, &msrs[which[i]]) = buf.entries[i].data;
    }
    return true;
}

/* -- segments ---------------------------------------------------------------------------------------------------- */

static struct kvm_segment to_segment(uint16_t sel, uint64_t base, uint32_t limit, uint32_t attr)
{
    return (struct kvm_segment){
        .base = base, .limit = limit, .selector = sel, .type = attr >> 8 & 15, .s = attr >> 12 & 1, .dpl = attr >> 13 & 3,
        .present = attr >> 15 & 1, .avl = attr >> 20 & 1, .l = attr >> 21 & 1, .db = attr >> 22 & 1, .g = attr >> 23 & 1,
        .unusable = !(attr & X86_ATTR_P),
    };
}

static struct kvm_segment put_segment(const X86State *s, X86SegId seg)
{
    struct kvm_segment k = to_segment(s->seg_sel[seg], s->seg_base[seg], s->seg_limit[seg], s->seg_attr[seg]);

    if (s->eflags & X86_VM) { /* what the processor insists on */
        k.type = 3;
        k.s = k.present = 1;
        k.dpl = 3;
        k.unusable = k.db = k.l = k.g = 0;
    }
    return k;
}

static uint32_t segment_attr(const struct kvm_segment *k)
{
    return k->unusable ? 0 : (uint32_t)(k->type << 8 | k->s << 12 | k->dpl << 13 | k->present << 15 | k->avl << 20 | k->l << 21 | k->db << 22 | k->g << 23);
}

static bool get_sregs(Vcpu *vcpu, Error **errp)
{
    X86State *s = x86_state(vcpu);
    struct kvm_sregs sr;

    if (x86_kvm_failed("KVM: segment and control registers", kvm_vcpu_ioctl(vcpu, KVM_GET_SREGS, &sr), errp)) {
        return false;
    }
    const struct kvm_segment *segs[X86_N_SEGS] = { &sr.es, &sr.cs, &sr.ss, &sr.ds, &sr.fs, &sr.gs };
    s->cr0 = sr.cr0;
    s->cr2 = sr.cr2;
    s->cr3 = sr.cr3;
    s->cr4 = sr.cr4;
    s->efer = sr.efer;
    for (unsigned i = 0; i < X86_N_SEGS; i++) {
        x86_seg_set(vcpu, (X86SegId)i, segs[i]->selector, segs[i]->base, segs[i]->limit, segment_attr(segs[i]));
    }
    s->tr_sel = sr.tr.selector;
    s->tr_base = sr.tr.base;
    s->tr_limit = sr.tr.limit;
    s->tr_attr = segment_attr(&sr.tr);
    s->ldt_sel = sr.ldt.selector;
    s->ldt_base = sr.ldt.base;
    s->ldt_limit = sr.ldt.limit;
    s->ldt_attr = segment_attr(&sr.ldt);
    s->gdt_base = sr.gdt.base;
    s->gdt_limit = sr.gdt.limit;
    s->idt_base = sr.idt.base;
    s->idt_limit = sr.idt.limit;
    x86_kvm(vcpu)->lapic.base = sr.apic_base;
    return true;
}

static bool put_sregs(Vcpu *vcpu, Error **errp)
{
    X86State *s = x86_state(vcpu);
    X86Kvm *k = x86_kvm(vcpu);
    struct kvm_sregs sr;

    if (x86_kvm_failed("KVM: segment and control registers", kvm_vcpu_ioctl(vcpu, KVM_GET_SREGS, &sr), errp)) {
        return false;
    }
    struct kvm_segment *segs[X86_N_SEGS] = { &sr.es, &sr.cs, &sr.ss, &sr.ds, &sr.fs, &sr.gs };
    for (unsigned i = 0; i < X86_N_SEGS; i++) {
        *segs[i] = put_segment(s, (X86SegId)i);
    }
    sr.tr = to_segment(s->tr_sel, s->tr_base, s->tr_limit, s->tr_attr);
    sr.tr.type = sr.tr.type ? sr.tr.type | 2 : 11;  /* present and busy, as virtual machines need it (SDM 27.3.1.2) */
    sr.tr.present = 1;
    sr.tr.unusable = sr.tr.s = 0;
    sr.ldt = to_segment(s->ldt_sel, s->ldt_base, s->ldt_limit, s->ldt_attr);
    sr.ldt.type = 2;
    sr.ldt.s = 0;
    sr.gdt.base = s->gdt_base;
    sr.gdt.limit = (uint16_t)s->gdt_limit;
    sr.idt.base = s->idt_base;
    sr.idt.limit = (uint16_t)s->idt_limit;
    sr.cr0 = s->cr0;
    sr.cr2 = s->cr2;
    sr.cr3 = s->cr3;
    sr.cr4 = s->cr4;
    sr.efer = s->efer;
    if (k->lapic_loaded) {
        sr.apic_base = k->lapic.base;
    }
    memset(sr.interrupt_bitmap, 0, sizeof(sr.interrupt_bitmap)); /* the events have it */
    return !x86_kvm_failed("KVM: segment and control registers", kvm_vcpu_ioctl(vcpu, KVM_SET_SREGS, &sr), errp);
}

/* -- general registers ---------------------------------------------------------------------------------------------- */

static bool get_regs(Vcpu *vcpu, Error **errp)
{
    X86State *s = x86_state(vcpu);
    struct kvm_regs r;

    if (x86_kvm_failed("KVM: registers", kvm_vcpu_ioctl(vcpu, KVM_GET_REGS, &r), errp)) {
        return false;
    }
    const uint64_t gpr[16] = { r.rax, r.rcx, r.rdx, r.rbx, r.rsp, r.rbp, r.rsi, r.rdi, r.r8, r.r9, r.r10, r.r11, r.r12, r.r13, r.r14, r.r15 };
    memcpy(s->gpr, gpr, sizeof(gpr));
    x86_eflags_set(vcpu, (uint32_t)r.rflags);
    s->pc = r.rip + s->seg_base[X86_CS];
    if (!x86_is_code64(s)) {
        s->pc = (uint32_t)s->pc;
    }
    return true;
}

static bool put_regs(Vcpu *vcpu, Error **errp)
{
    const X86State *s = x86_state(vcpu);
    const uint64_t *g = s->gpr;
    struct kvm_regs r = {
        .rax = g[0], .rcx = g[1], .rdx = g[2], .rbx = g[3], .rsp = g[4], .rbp = g[5], .rsi = g[6], .rdi = g[7], .r8 = g[8], .r9 = g[9],
        .r10 = g[10], .r11 = g[11], .r12 = g[12], .r13 = g[13], .r14 = g[14], .r15 = g[15], .rip = x86_ip(vcpu), .rflags = x86_eflags_get(vcpu),
    };

    if (!x86_is_code64(s)) {
        r.rip = (uint32_t)r.rip;
    }
    return !x86_kvm_failed("KVM: registers", kvm_vcpu_ioctl(vcpu, KVM_SET_REGS, &r), errp);
}

/* -- floating point and vectors ---------------------------------------------------------------------------------------- */

enum { XSTATE_LEGACY = 3, XSTATE_BV_AT = 512 };

/* What we know of, whether or not the guest has enabled it in XCR0: without XSAVE it uses SSE all the same. */
static uint64_t known_components(Vcpu *vcpu)
{
    return (x86_xcr0_supported(vcpu) & x86_kvm_xcr0(vcpu)) | XSTATE_LEGACY;
}

static struct kvm_xsave *xsave_area(Vcpu *vcpu)
{
    X86Kvm *k = x86_kvm(vcpu);

    if (!k->xsave) {
        int bytes = kvm_check_extension(KVM_CAP_XSAVE2);
        k->xsave_bytes = MAX((size_t)bytes, sizeof(*k->xsave));
        k->xsave = xcalloc(1, k->xsave_bytes);
    }
    return k->xsave;
}

static bool get_xsave(Vcpu *vcpu, Error **errp)
{
    X86State *s = x86_state(vcpu);
    struct kvm_xsave *area = xsave_area(vcpu);
    bool large = x86_kvm(vcpu)->xsave_bytes > sizeof(*area);
    struct kvm_xcrs xcrs;

    if (x86_kvm_failed("KVM: floating-point state", kvm_vcpu_ioctl(vcpu, large ? KVM_GET_XSAVE2 : KVM_GET_XSAVE, area), errp)) {
        return false;
    }
    /* Components of others are not read; those of ours may be there though XCR0 does not say so. */
    uint64_t known = known_components(vcpu), bv;
    uint8_t *image = (uint8_t *)area->region;
    memcpy(&bv, image + XSTATE_BV_AT, sizeof(bv));
    uint64_t kept = bv & known;
    memcpy(image + XSTATE_BV_AT, &kept, sizeof(kept));
    s->xcr0 = known;
    bool ok = x86_xrstor(vcpu, image, known, s->efer & X86_EFER_LMA);
    memcpy(image + XSTATE_BV_AT, &bv, sizeof(bv));
    s->xcr0 = 1;
    if (!ok) {
        error_set(errp, "KVM: floating-point state of an unknown form");
        return false;
    }
    if (kvm_check_extension(KVM_CAP_XCRS) && kvm_vcpu_ioctl(vcpu, KVM_GET_XCRS, &xcrs) >= 0 && xcrs.nr_xcrs) {
        s->xcr0 = xcrs.xcrs[0].value;
    }
    return true;
}

static bool put_xsave(Vcpu *vcpu, Error **errp)
{
    X86State *s = x86_state(vcpu);
    struct kvm_xsave *area = xsave_area(vcpu);
    uint64_t xcr0 = s->xcr0;
    struct kvm_xcrs xcrs = { .nr_xcrs = 1, .xcrs = { { .xcr = 0, .value = xcr0 ? xcr0 : 1 } } };

    if (x86_kvm(vcpu)->after_reset) {
        memset(area, 0, x86_kvm(vcpu)->xsave_bytes);
    }
    s->xcr0 = known_components(vcpu);
    x86_xsave(vcpu, (uint8_t *)area->region, s->xcr0, s->efer & X86_EFER_LMA);
    s->xcr0 = xcr0;
    if (kvm_check_extension(KVM_CAP_XCRS)) {
        kvm_vcpu_ioctl(vcpu, KVM_SET_XCRS, &xcrs);
    }
    return !x86_kvm_failed("KVM: floating-point state", kvm_vcpu_ioctl(vcpu, KVM_SET_XSAVE, area), errp);
}

/* -- events, debug registers ------------------------------------------------------------------------------------------ */

static bool get_events(Vcpu *vcpu, Error **errp)
{
    X86State *s = x86_state(vcpu);
    X86Kvm *k = x86_kvm(vcpu);
    struct kvm_vcpu_events *ev = &k->events;
    struct kvm_debugregs dr;
    struct kvm_mp_state mp;

    if (x86_kvm_failed("KVM: debug registers", kvm_vcpu_ioctl(vcpu, KVM_GET_DEBUGREGS, &dr), errp) ||
        x86_kvm_failed("KVM: pending events", kvm_vcpu_ioctl(vcpu, KVM_GET_VCPU_EVENTS, ev), errp)) {
        return false;
    }
    memcpy(s->dr, dr.db, sizeof(dr.db));
    s->dr[6] = dr.dr6;
    s->dr[7] = dr.dr7;
    s->nmi_blocked = ev->nmi.masked;
    s->inhibit = (ev->interrupt.shadow & KVM_X86_SHADOW_INT_MOV_SS ? X86_INHIBIT_ALL : 0) |
                 (ev->interrupt.shadow & KVM_X86_SHADOW_INT_STI ? X86_INHIBIT_IRQ : 0);
    s->in_smm = ev->flags & KVM_VCPUEVENT_VALID_SMM ? ev->smi.smm : 0;
    if (kvm_irqchip() != KVM_IRQCHIP_OFF) {
        if (x86_kvm_failed("KVM: run state", kvm_vcpu_ioctl(vcpu, KVM_GET_MP_STATE, &mp), errp)) {
            return false;
        }
        k->mp_state = mp.mp_state;
        s->wait_sipi = mp.mp_state == KVM_MP_STATE_UNINITIALIZED || mp.mp_state == KVM_MP_STATE_INIT_RECEIVED;
        atomic_store(&vcpu->halted, mp.mp_state == KVM_MP_STATE_HALTED);
    }
    return true;
}

static bool put_events(Vcpu *vcpu, Error **errp)
{
    X86State *s = x86_state(vcpu);
    X86Kvm *k = x86_kvm(vcpu);
    struct kvm_vcpu_events *ev = &k->events;
    struct kvm_debugregs dr = { .dr6 = s->dr[6], .dr7 = s->dr[7] };
    uint32_t valid = KVM_VCPUEVENT_VALID_SHADOW;

    memcpy(dr.db, s->dr, sizeof(dr.db));
    if (k->after_reset) {
        memset(ev, 0, sizeof(*ev));
        valid |= KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SIPI_VECTOR;
    }
    ev->nmi.masked = s->nmi_blocked;
    ev->interrupt.shadow = (s->inhibit & X86_INHIBIT_ALL ? KVM_X86_SHADOW_INT_MOV_SS : 0) |
                           (s->inhibit & X86_INHIBIT_IRQ ? KVM_X86_SHADOW_INT_STI : 0);
    if (kvm_check_extension(KVM_CAP_X86_SMM)) {
        valid |= KVM_VCPUEVENT_VALID_SMM;
        ev->smi.smm = s->in_smm;
    }
    ev->flags = valid | (ev->flags & (KVM_VCPUEVENT_VALID_PAYLOAD | KVM_VCPUEVENT_VALID_TRIPLE_FAULT));
    return !x86_kvm_failed("KVM: pending events", kvm_vcpu_ioctl(vcpu, KVM_SET_VCPU_EVENTS, ev), errp) &&
           !x86_kvm_failed("KVM: debug registers", kvm_vcpu_ioctl(vcpu, KVM_SET_DEBUGREGS, &dr), errp);
}

/* -- local APIC ----------------------------------------------------------------------------------------------------- */

bool x86_kvm_lapic_get(Vcpu *vcpu, X86KvmLapic *ret)
{
    struct kvm_sregs sr;

    if (x86_kvm(vcpu)->lapic_loaded) { /* the kernel has not got it yet */
        *ret = x86_kvm(vcpu)->lapic;
        return true;
    }
    if (kvm_vcpu_ioctl(vcpu, KVM_GET_LAPIC, &ret->page) < 0 || kvm_vcpu_ioctl(vcpu, KVM_GET_SREGS, &sr) < 0) {
        return false;
    }
    ret->base = sr.apic_base;
    return true;
}

void x86_kvm_lapic_load(Vcpu *vcpu, const X86KvmLapic *lapic)
{
    X86Kvm *k = x86_kvm(vcpu);

    k->lapic = *lapic;
    k->lapic_loaded = true;
}

static bool put_lapic(Vcpu *vcpu, Error **errp)
{
    X86Kvm *k = x86_kvm(vcpu);
    MsrBuffer deadline = { .nmsrs = 1, .entries = { { .index = MSR_TSC_DEADLINE, .data = k->msr[KVM_MSR_TSC_DEADLINE] } } };

    if (!k->lapic_loaded) {
        return true;
    }
    if (x86_kvm_failed("KVM: local APIC", kvm_vcpu_ioctl(vcpu, KVM_SET_LAPIC, &k->lapic.page), errp)) {
        return false;
    }
    if (x86_has(vcpu, X86_FEAT_TSC_DEADLINE)) {
        kvm_vcpu_ioctl(vcpu, KVM_SET_MSRS, &deadline);
    }
    k->lapic_loaded = false;
    return true;
}

static bool put_mp_state(Vcpu *vcpu, Error **errp)
{
    X86Kvm *k = x86_kvm(vcpu);

    if (kvm_irqchip() == KVM_IRQCHIP_OFF) {
        return true;
    }
    if (k->after_reset) {
        k->mp_state = x86_state(vcpu)->wait_sipi ? KVM_MP_STATE_UNINITIALIZED : KVM_MP_STATE_RUNNABLE;
    }
    struct kvm_mp_state mp = { .mp_state = k->mp_state };
    return !x86_kvm_failed("KVM: run state", kvm_vcpu_ioctl(vcpu, KVM_SET_MP_STATE, &mp), errp);
}

/* -- all of it --------------------------------------------------------------------------------------------------------- */

bool x86_kvm_get_state(Vcpu *vcpu, Error **errp)
{
    /* Segments before the instruction pointer, which counts from CS; EFER before the vectors. */
    return get_sregs(vcpu, errp) && get_regs(vcpu, errp) && get_xsave(vcpu, errp) && get_events(vcpu, errp) &&
           transfer_msrs(vcpu, false, errp);
}

bool x86_kvm_put_state(Vcpu *vcpu, Error **errp)
{
    X86Kvm *k = x86_kvm(vcpu);

    if (k->after_reset) {
        memset(k->msr, 0, sizeof(k->msr));
    }
    /* Segments set a pending interrupt, so the events come after them; the local APIC's mode is in the APIC base. */
    bool ok = put_sregs(vcpu, errp) && put_regs(vcpu, errp) && put_xsave(vcpu, errp) && transfer_msrs(vcpu, true, errp) &&
              put_lapic(vcpu, errp) && put_mp_state(vcpu, errp) && put_events(vcpu, errp);
    k->after_reset = k->after_reset && !ok;
    return ok;
}
