/*
 * kvm.c: x86 under KVM: registers between the kernel and X86State, CPUID and MSRs, interrupts of controllers that are ours,
 * port I/O, guest debugging.
 *
 * Facts: Linux Documentation/virt/kvm/api.rst, uapi asm/kvm.h; SDM volume 3 for the registers. Leaves out SMM and nested state.
 * Threads: the vCPU's own, or the vCPU stands still.
 */
#include <linux/kvm.h>
#include <string.h>
#include "accel/kvm.h"
#include "softmmu/bql.h"
#include "target/x86/cpu.h"

static bool failed(const char *what, int r, Error **errp)
{
    if (r < 0) {
        error_set_errno(errp, -r, "%s", what);
    }
    return r < 0;
}

/* -- model specific registers that are fields of the state ------------------------------------------------- */

typedef struct KvmMsr { uint32_t index; uint16_t offset; } KvmMsr;
#define MSR(index, field) { index, offsetof(X86State, field) }
static const KvmMsr msrs[] = {
    MSR(0xc0000081, star), MSR(0xc0000082, lstar), MSR(0xc0000083, cstar), MSR(0xc0000084, sfmask),
    MSR(0xc0000102, kernel_gs_base), MSR(0x174, sysenter_cs), MSR(0x175, sysenter_esp), MSR(0x176, sysenter_eip),
    MSR(0x277, pat), MSR(0xc0000103, tsc_aux), MSR(0x1a0, misc_enable), MSR(0x2ff, mtrr_deftype), MSR(0x3b, tsc_adjust),
    MSR(0x250, mtrr_fixed[0]), MSR(0x258, mtrr_fixed[1]), MSR(0x259, mtrr_fixed[2]), MSR(0x268, mtrr_fixed[3]),
    MSR(0x269, mtrr_fixed[4]), MSR(0x26a, mtrr_fixed[5]), MSR(0x26b, mtrr_fixed[6]), MSR(0x26c, mtrr_fixed[7]),
    MSR(0x26d, mtrr_fixed[8]), MSR(0x26e, mtrr_fixed[9]), MSR(0x26f, mtrr_fixed[10]),
    MSR(0x200, mtrr_var[0]), MSR(0x201, mtrr_var[1]), MSR(0x202, mtrr_var[2]), MSR(0x203, mtrr_var[3]), MSR(0x204, mtrr_var[4]),
    MSR(0x205, mtrr_var[5]), MSR(0x206, mtrr_var[6]), MSR(0x207, mtrr_var[7]), MSR(0x208, mtrr_var[8]), MSR(0x209, mtrr_var[9]),
    MSR(0x20a, mtrr_var[10]), MSR(0x20b, mtrr_var[11]), MSR(0x20c, mtrr_var[12]), MSR(0x20d, mtrr_var[13]),
    MSR(0x20e, mtrr_var[14]), MSR(0x20f, mtrr_var[15]),
};
/* Those this kernel has. */
static bool have_msr[ARRAY_SIZE(msrs)];

typedef struct MsrBuffer {
    struct kvm_msrs head;
    struct kvm_msr_entry entries[ARRAY_SIZE(msrs)];
} MsrBuffer;

static void find_msrs(void)
{
    struct kvm_msr_list probe = { .nmsrs = 0 };

    kvm_system_ioctl(KVM_GET_MSR_INDEX_LIST, &probe); /* E2BIG, with the number */
    struct kvm_msr_list *list = xcalloc(1, sizeof(*list) + probe.nmsrs * sizeof(uint32_t));
    list->nmsrs = probe.nmsrs;
    int r = kvm_system_ioctl(KVM_GET_MSR_INDEX_LIST, list);
    for (size_t i = 0; i < ARRAY_SIZE(msrs); i++) {
        /* MTRRs are not in the list of kernels that emulate them. */
        have_msr[i] = msrs[i].index >= 0x200 && msrs[i].index <= 0x2ff;
        for (uint32_t k = 0; r >= 0 && k < list->nmsrs && !have_msr[i]; k++) {
            have_msr[i] = list->indices[k] == msrs[i].index;
        }
    }
    free(list);
}

/* Transfers all in one call; a register that is refused is left out from then on. */
static bool transfer_msrs(Vcpu *vcpu, bool put, Error **errp)
{
    X86State *s = x86_state(vcpu);
    MsrBuffer buf;
    size_t which[ARRAY_SIZE(msrs)];

    for (;;) {
        memset(&buf, 0, sizeof(buf));
        for (size_t i = 0; i < ARRAY_SIZE(msrs); i++) {
            if (have_msr[i]) {
                which[buf.head.nmsrs] = i;
                buf.entries[buf.head.nmsrs++] = (struct kvm_msr_entry){
                    .index = msrs[i].index, .data = *(uint64_t *)((uint8_t *)s + msrs[i].offset) };
            }
        }
        int r = kvm_vcpu_ioctl(vcpu, put ? KVM_SET_MSRS : KVM_GET_MSRS, &buf);
        if (failed("KVM: model specific registers", r, errp)) {
            return false;
        }
        if ((uint32_t)r == buf.head.nmsrs) {
            break;
        }
        have_msr[which[r]] = false;
    }
    for (uint32_t i = 0; !put && i < buf.head.nmsrs; i++) {
        *(uint64_t *)((uint8_t *)s + msrs[which[i]].offset) = buf.entries[i].data;
    }
    return true;
}

/* -- general and control registers --------------------------------------------------------------------------- */

static void put_segment(const X86State *s, X86SegId seg, struct kvm_segment *ret)
{
    uint32_t a = s->seg_attr[seg];

    *ret = (struct kvm_segment){
        .base = s->seg_base[seg], .limit = s->seg_limit[seg], .selector = s->seg_sel[seg], .type = a >> 8 & 15, .s = a >> 12 & 1,
        .dpl = a >> 13 & 3, .present = a >> 15 & 1, .avl = a >> 20 & 1, .l = a >> 21 & 1, .db = a >> 22 & 1, .g = a >> 23 & 1,
        .unusable = !(a & X86_ATTR_P),
    };
    if (s->eflags & X86_VM) { /* what the processor insists on */
        ret->type = 3;
        ret->s = ret->present = 1;
        ret->dpl = 3;
        ret->unusable = ret->db = ret->l = ret->g = 0;
    }
}

static uint32_t segment_attr(const struct kvm_segment *k)
{
    return k->unusable ? 0 : (uint32_t)(k->type << 8 | k->s << 12 | k->dpl << 13 | k->present << 15 | k->avl << 20 | k->l << 21 | k->db << 22 | k->g << 23);
}

static bool get_state(Vcpu *vcpu, Error **errp)
{
    X86State *s = x86_state(vcpu);
    struct kvm_regs r;
    struct kvm_sregs sr;
    struct kvm_xsave xsave;
    struct kvm_xcrs xcrs;
    struct kvm_debugregs dr;
    struct kvm_vcpu_events ev;
    struct kvm_mp_state mp;

    if (failed("KVM: registers", kvm_vcpu_ioctl(vcpu, KVM_GET_REGS, &r), errp) ||
        failed("KVM: segment and control registers", kvm_vcpu_ioctl(vcpu, KVM_GET_SREGS, &sr), errp) ||
        failed("KVM: floating-point state", kvm_vcpu_ioctl(vcpu, KVM_GET_XSAVE, &xsave), errp) ||
        failed("KVM: debug registers", kvm_vcpu_ioctl(vcpu, KVM_GET_DEBUGREGS, &dr), errp) ||
        failed("KVM: pending events", kvm_vcpu_ioctl(vcpu, KVM_GET_VCPU_EVENTS, &ev), errp)) {
        return false;
    }
    const uint64_t gpr[16] = { r.rax, r.rcx, r.rdx, r.rbx, r.rsp, r.rbp, r.rsi, r.rdi, r.r8, r.r9, r.r10, r.r11, r.r12, r.r13, r.r14, r.r15 };
    memcpy(s->gpr, gpr, sizeof(gpr));
    const struct kvm_segment *segs[X86_N_SEGS] = { &sr.es, &sr.cs, &sr.ss, &sr.ds, &sr.fs, &sr.gs };
    s->cr0 = sr.cr0;
    s->cr2 = sr.cr2;
    s->cr3 = sr.cr3;
    s->cr4 = sr.cr4;
    s->efer = sr.efer;
    x86_eflags_set(vcpu, (uint32_t)r.rflags);
    for (unsigned i = 0; i < X86_N_SEGS; i++) {
        x86_seg_set(vcpu, (X86SegId)i, segs[i]->selector, segs[i]->base, segs[i]->limit, segment_attr(segs[i]));
    }
    s->pc = r.rip + s->seg_base[X86_CS];
    if (!(s->efer & X86_EFER_LMA) || !(s->seg_attr[X86_CS] & X86_ATTR_L)) {
        s->pc = (uint32_t)s->pc;
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
    if (kvm_vcpu_ioctl(vcpu, KVM_GET_XCRS, &xcrs) >= 0 && xcrs.nr_xcrs) {
        s->xcr0 = xcrs.xcrs[0].value;
    }
    x86_xrstor(vcpu, (const uint8_t *)xsave.region, s->xcr0 ? s->xcr0 & 7 : 3, s->efer & X86_EFER_LMA);
    memcpy(s->dr, dr.db, sizeof(dr.db));
    s->dr[6] = dr.dr6;
    s->dr[7] = dr.dr7;
    s->nmi_blocked = ev.nmi.masked;
    s->inhibit = (ev.interrupt.shadow & KVM_X86_SHADOW_INT_MOV_SS ? X86_INHIBIT_ALL : 0) |
                 (ev.interrupt.shadow & KVM_X86_SHADOW_INT_STI ? X86_INHIBIT_IRQ : 0);
    if (kvm_irqchip() != KVM_IRQCHIP_OFF && kvm_vcpu_ioctl(vcpu, KVM_GET_MP_STATE, &mp) >= 0) {
        s->wait_sipi = mp.mp_state == KVM_MP_STATE_UNINITIALIZED || mp.mp_state == KVM_MP_STATE_INIT_RECEIVED;
    }
    return transfer_msrs(vcpu, false, errp);
}

static bool put_state(Vcpu *vcpu, Error **errp)
{
    X86State *s = x86_state(vcpu);
    const uint64_t *g = s->gpr;
    struct kvm_regs r = {
        .rax = g[0], .rcx = g[1], .rdx = g[2], .rbx = g[3], .rsp = g[4], .rbp = g[5], .rsi = g[6], .rdi = g[7], .r8 = g[8], .r9 = g[9],
        .r10 = g[10], .r11 = g[11], .r12 = g[12], .r13 = g[13], .r14 = g[14], .r15 = g[15], .rip = x86_ip(vcpu), .rflags = x86_eflags_get(vcpu),
    };
    struct kvm_sregs sr;
    struct kvm_xsave xsave;
    struct kvm_vcpu_events ev;

    if (!(s->efer & X86_EFER_LMA) || !(s->seg_attr[X86_CS] & X86_ATTR_L)) {
        r.rip = (uint32_t)r.rip;
    }
    if (failed("KVM: segment and control registers", kvm_vcpu_ioctl(vcpu, KVM_GET_SREGS, &sr), errp)) {
        return false;
    }
    struct kvm_segment *segs[X86_N_SEGS] = { &sr.es, &sr.cs, &sr.ss, &sr.ds, &sr.fs, &sr.gs };
    for (unsigned i = 0; i < X86_N_SEGS; i++) {
        put_segment(s, (X86SegId)i, segs[i]);
    }
    sr.tr = (struct kvm_segment){ .base = s->tr_base, .limit = s->tr_limit, .selector = s->tr_sel, .type = s->tr_attr >> 8 & 15,
                                  .present = 1, .g = s->tr_attr >> 23 & 1 };
    sr.tr.type = sr.tr.type ? sr.tr.type | 2 : 11;  /* busy, as virtual machines need it */
    sr.ldt = (struct kvm_segment){ .base = s->ldt_base, .limit = s->ldt_limit, .selector = s->ldt_sel, .type = 2,
                                   .present = s->ldt_attr >> 15 & 1, .unusable = !(s->ldt_attr & X86_ATTR_P) };
    sr.gdt.base = s->gdt_base;
    sr.gdt.limit = (uint16_t)s->gdt_limit;
    sr.idt.base = s->idt_base;
    sr.idt.limit = (uint16_t)s->idt_limit;
    sr.cr0 = s->cr0;
    sr.cr2 = s->cr2;
    sr.cr3 = s->cr3;
    sr.cr4 = s->cr4;
    sr.efer = s->efer;
    memset(sr.interrupt_bitmap, 0, sizeof(sr.interrupt_bitmap));
    memset(&xsave, 0, sizeof(xsave));
    x86_xsave(vcpu, (uint8_t *)xsave.region, s->xcr0 ? s->xcr0 & 7 : 3, s->efer & X86_EFER_LMA);
    struct kvm_xcrs xcrs = { .nr_xcrs = 1, .xcrs = { { .xcr = 0, .value = s->xcr0 ? s->xcr0 : 1 } } };
    struct kvm_debugregs dr = { .dr6 = s->dr[6], .dr7 = s->dr[7] };
    memcpy(dr.db, s->dr, sizeof(dr.db));
    if (failed("KVM: segment and control registers", kvm_vcpu_ioctl(vcpu, KVM_SET_SREGS, &sr), errp) ||
        failed("KVM: registers", kvm_vcpu_ioctl(vcpu, KVM_SET_REGS, &r), errp) ||
        failed("KVM: debug registers", kvm_vcpu_ioctl(vcpu, KVM_SET_DEBUGREGS, &dr), errp) ||
        failed("KVM: pending events", kvm_vcpu_ioctl(vcpu, KVM_GET_VCPU_EVENTS, &ev), errp)) {
        return false;
    }
    if (kvm_check_extension(KVM_CAP_XCRS)) {
        kvm_vcpu_ioctl(vcpu, KVM_SET_XCRS, &xcrs);
    }
    if (failed("KVM: floating-point state", kvm_vcpu_ioctl(vcpu, KVM_SET_XSAVE, &xsave), errp)) {
        return false;
    }
    /* What is on its way into the guest is not ours to keep: only masks and shadows. */
    ev.nmi.masked = s->nmi_blocked;
    ev.interrupt.shadow = (s->inhibit & X86_INHIBIT_ALL ? KVM_X86_SHADOW_INT_MOV_SS : 0) |
                          (s->inhibit & X86_INHIBIT_IRQ ? KVM_X86_SHADOW_INT_STI : 0);
    ev.flags = KVM_VCPUEVENT_VALID_SHADOW;
    if (failed("KVM: pending events", kvm_vcpu_ioctl(vcpu, KVM_SET_VCPU_EVENTS, &ev), errp)) {
        return false;
    }
    if (kvm_irqchip() != KVM_IRQCHIP_OFF) {
        struct kvm_mp_state mp = { .mp_state = s->wait_sipi ? KVM_MP_STATE_UNINITIALIZED : KVM_MP_STATE_RUNNABLE };
        kvm_vcpu_ioctl(vcpu, KVM_SET_MP_STATE, &mp);
    }
    return transfer_msrs(vcpu, true, errp);
}

/* -- making ------------------------------------------------------------------------------------------------------ */

static bool vm_init(Machine *machine, int vm_fd, KvmIrqchip irqchip, Error **errp)
{
    /* Three pages below the firmware for real mode on processors that lack it, and one for its page table. */
    uint64_t identity = 0xfeffc000;

    if (failed("KVM: identity map", kvm_vm_ioctl(KVM_SET_IDENTITY_MAP_ADDR, &identity), errp) ||
        failed("KVM: task state segment", kvm_vm_ioctl(KVM_SET_TSS_ADDR, (void *)(intptr_t)(identity + 0x1000)), errp)) {
        return false;
    }
    find_msrs();
    if (irqchip == KVM_IRQCHIP_SPLIT) {
        if (!kvm_enable_cap(KVM_CAP_SPLIT_IRQCHIP, 24)) {
            error_set(errp, "KVM: split irqchip refused");
            return false;
        }
    } else if (irqchip == KVM_IRQCHIP_ON) {
        struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };
        if (failed("KVM: interrupt controllers", kvm_vm_ioctl(KVM_CREATE_IRQCHIP, NULL), errp) ||
            failed("KVM: interval timer", kvm_vm_ioctl(KVM_CREATE_PIT2, &pit), errp)) {
            return false;
        }
        for (unsigned gsi = 0; gsi < 24; gsi++) {
            if (gsi < 16 && gsi != 2) {
                kvm_route_irqchip(gsi, gsi < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE, gsi & 7);
            }
            if (gsi != 2) { /* line 0 is the timer's, which the I/O APIC has at pin 2 */
                kvm_route_irqchip(gsi, KVM_IRQCHIP_IOAPIC, gsi ? gsi : 2);
            }
        }
        kvm_route_commit();
    }
    return true;
}

enum { MAX_CPUID = 100 };

static void add_leaf(Vcpu *vcpu, struct kvm_cpuid2 *set, uint32_t leaf, uint32_t subleaf, uint32_t flags)
{
    uint32_t regs[4];

    if (set->nent < MAX_CPUID) {
        x86_cpuid(vcpu, leaf, subleaf, regs);
        set->entries[set->nent++] = (struct kvm_cpuid_entry2){ .function = leaf, .index = subleaf, .flags = flags, .eax = regs[0],
                                                               .ebx = regs[1], .ecx = regs[2], .edx = regs[3] };
    }
}

/* Words of features by where CPUID has them: leaf, subleaf, register. */
static const struct { uint32_t leaf; uint8_t sub, reg; } words[X86_N_FEATURE_WORDS] = {
    [X86_WORD_1_EDX] = { 1, 0, 3 }, [X86_WORD_1_ECX] = { 1, 0, 2 }, [X86_WORD_7_0_EBX] = { 7, 0, 1 }, [X86_WORD_7_0_ECX] = { 7, 0, 2 },
    [X86_WORD_7_0_EDX] = { 7, 0, 3 }, [X86_WORD_7_1_EAX] = { 7, 1, 0 }, [X86_WORD_8000_0001_EDX] = { 0x80000001, 0, 3 },
    [X86_WORD_8000_0001_ECX] = { 0x80000001, 0, 2 }, [X86_WORD_8000_0008_EBX] = { 0x80000008, 0, 1 }, [X86_WORD_D_1_EAX] = { 0xd, 1, 0 },
    [X86_WORD_6_EAX] = { 6, 0, 0 }, [X86_WORD_8000_0007_EDX] = { 0x80000007, 0, 3 },
};

/* What this host's KVM cannot give is taken out of the leaves. */
static void keep_supported(struct kvm_cpuid2 *set)
{
    enum { MAX = 256 };
    struct kvm_cpuid2 *can = xcalloc(1, sizeof(*can) + MAX * sizeof(can->entries[0]));

    can->nent = MAX;
    if (kvm_system_ioctl(KVM_GET_SUPPORTED_CPUID, can) >= 0) {
        for (size_t w = 0; w < ARRAY_SIZE(words); w++) {
            uint32_t mask = 0;
            for (uint32_t i = 0; i < can->nent; i++) {
                const struct kvm_cpuid_entry2 *e = &can->entries[i];
                if (e->function == words[w].leaf && e->index == words[w].sub) {
                    mask = (&e->eax)[words[w].reg];
                }
            }
            if (words[w].leaf == 1) { /* the local APIC is ours; the rest of these KVM does without saying so */
                mask |= words[w].reg == 3 ? 1u << 9 : 1u << 31;
                mask &= words[w].reg == 2 && kvm_irqchip() == KVM_IRQCHIP_OFF ? ~(1u << 24) : UINT32_MAX; /* TSC deadline */
            }
            for (uint32_t i = 0; i < set->nent; i++) {
                struct kvm_cpuid_entry2 *e = &set->entries[i];
                if (e->function == words[w].leaf && e->index == words[w].sub) {
                    (&e->eax)[words[w].reg] &= mask;
                }
            }
        }
    }
    free(can);
}

static bool set_cpuid(Vcpu *vcpu, Error **errp)
{
    const X86Model *m = x86_model(vcpu);
    struct kvm_cpuid2 *set = xcalloc(1, sizeof(*set) + MAX_CPUID * sizeof(set->entries[0]));
    static const uint8_t indexed[] = { 4, 7, 0xb, 0xd, 0x14, 0x1f };

    for (uint32_t leaf = 0; leaf <= m->level; leaf++) {
        bool sub = memchr(indexed, (int)leaf, sizeof(indexed)) != NULL;
        for (uint32_t i = 0; i < (sub ? leaf == 0xd ? 10u : 5u : 1u); i++) {
            add_leaf(vcpu, set, leaf, i, sub ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0);
        }
    }
    for (uint32_t leaf = 0x80000000; leaf <= m->xlevel; leaf++) {
        bool sub = leaf == 0x8000001d;
        for (uint32_t i = 0; i < (sub ? 5u : 1u); i++) {
            add_leaf(vcpu, set, leaf, i, sub ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0);
        }
    }
    keep_supported(set);
    /* The hypervisor's own leaves: who it is, and its paravirtual clock. */
    if (x86_has(vcpu, X86_FEAT_HYPERVISOR) && set->nent + 2 <= MAX_CPUID) {
        uint32_t features = (kvm_check_extension(KVM_CAP_ADJUST_CLOCK) ? BIT(0) | BIT(3) | BIT(24) : 0) | BIT(1);
        set->entries[set->nent++] = (struct kvm_cpuid_entry2){ .function = 0x40000000, .eax = 0x40000001, .ebx = 0x4b4d564b,
                                                               .ecx = 0x564b4d56, .edx = 0x4d };
        set->entries[set->nent++] = (struct kvm_cpuid_entry2){ .function = 0x40000001, .eax = features };
    }
    int r = kvm_vcpu_ioctl(vcpu, KVM_SET_CPUID2, set);
    free(set);
    return !failed("KVM refuses the CPU model", r, errp);
}

static bool vcpu_init(Vcpu *vcpu, Error **errp)
{
    return set_cpuid(vcpu, errp);
}

/* -- running -------------------------------------------------------------------------------------------------------- */

enum { EVENTS = 1u << X86_IRQ_INIT | 1u << X86_IRQ_SIPI };

/* Interrupts of a local APIC that is ours; with the kernel's, lines reach it by other ways. */
static bool before_run(Vcpu *vcpu)
{
    X86State *s = x86_state(vcpu);
    struct kvm_run *run = kvm_run_area(vcpu);
    uint32_t lines = atomic_load(&vcpu->interrupt_request);

    if (lines & 1u << X86_IRQ_NMI) {
        atomic_fetch_and(&vcpu->interrupt_request, ~(1u << X86_IRQ_NMI));
        kvm_vcpu_ioctl(vcpu, KVM_NMI, NULL);
    }
    if (kvm_irqchip() != KVM_IRQCHIP_OFF) {
        return true;
    }
    if (lines & EVENTS) {
        kvm_sync_state(vcpu);
        x86_take_init_sipi(vcpu);
        s->kvm_halted = false;
    }
    if (s->wait_sipi) {
        return false;
    }
    if (s->kvm_halted) {
        if (!(lines & 1u << X86_IRQ_NMI) && !((lines & 1u << X86_IRQ_INTR) && run->if_flag) && !(lines & EVENTS)) {
            return false;
        }
        s->kvm_halted = false;
    }
    run->request_interrupt_window = 0;
    if (lines & 1u << X86_IRQ_INTR) {
        if (run->ready_for_interrupt_injection && run->if_flag) {
            int vector = s->platform->interrupt_ack(s->platform_opaque, vcpu);
            if (vector >= 0) {
                kvm_vcpu_ioctl(vcpu, KVM_INTERRUPT, &(struct kvm_interrupt){ .irq = (uint32_t)vector });
            }
            run->request_interrupt_window = (atomic_load(&vcpu->interrupt_request) >> X86_IRQ_INTR) & 1;
        } else {
            run->request_interrupt_window = 1;
        }
    }
    run->cr8 = s->platform->tpr_get(s->platform_opaque, vcpu) >> 4;
    return true;
}

static void after_run(Vcpu *vcpu)
{
    X86State *s = x86_state(vcpu);
    struct kvm_run *run = kvm_run_area(vcpu);

    if (kvm_irqchip() == KVM_IRQCHIP_OFF) {
        if (run->cr8 != s->platform->tpr_get(s->platform_opaque, vcpu) >> 4) {
            s->platform->tpr_set(s->platform_opaque, vcpu, (uint8_t)run->cr8);
        }
        uint64_t base;
        if (s->platform->msr_read(s->platform_opaque, vcpu, 0x1b, &base) && base != run->apic_base) {
            s->platform->msr_write(s->platform_opaque, vcpu, 0x1b, run->apic_base);
        }
    }
}

static void port_io(Vcpu *vcpu, struct kvm_run *run)
{
    const X86State *s = x86_state(vcpu);
    uint8_t *data = (uint8_t *)run + run->io.data_offset;
    unsigned size = run->io.size;

    for (uint32_t i = 0; i < run->io.count; i++, data += size) {
        uint32_t value = 0;
        if (run->io.direction == KVM_EXIT_IO_OUT) {
            memcpy(&value, data, size);
            s->platform->io_write(s->platform_opaque, vcpu, run->io.port, size, value);
        } else {
            value = s->platform->io_read(s->platform_opaque, vcpu, run->io.port, size);
            memcpy(data, &value, size);
        }
    }
}

static bool handle_exit(Vcpu *vcpu)
{
    X86State *s = x86_state(vcpu);
    struct kvm_run *run = kvm_run_area(vcpu);

    switch (run->exit_reason) {
    case KVM_EXIT_IO:
        port_io(vcpu, run);
        return true;
    case KVM_EXIT_HLT:
        s->kvm_halted = true;
        return true;
    case KVM_EXIT_SET_TPR:
    case KVM_EXIT_IOAPIC_EOI:
        return true;
    default:
        return false;
    }
}

/* -- debugging -------------------------------------------------------------------------------------------------------- */

static bool update_debug(Vcpu *vcpu, Error **errp)
{
    struct kvm_guest_debug dbg = { 0 };
    size_t n;
    const KvmDebugPoint *watch = kvm_watchpoints(&n);
    unsigned reg = 0;
    uint64_t dr7 = 0x400;

    if (vcpu->single_step) {
        dbg.control |= KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP;
    }
    for (size_t i = 0; i < n && reg < 4; i++, reg++) {
        static const uint8_t length[9] = { [1] = 0, [2] = 1, [4] = 3, [8] = 2 };
        dbg.arch.debugreg[reg] = watch[i].addr;
        dr7 |= (uint64_t)2 << (2 * reg) | (uint64_t)(watch[i].read ? 3 : 1) << (16 + 4 * reg) | (uint64_t)length[watch[i].size_bytes] << (18 + 4 * reg);
    }
    const vaddr *pc = kvm_breakpoints(&n);
    for (size_t i = 0; i < n && reg < 4; i++, reg++) {
        dbg.arch.debugreg[reg] = pc[i];
        dr7 |= (uint64_t)2 << (2 * reg);
    }
    if (reg) {
        dbg.control |= KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP;
        dbg.arch.debugreg[7] = dr7;
    }
    return !failed("KVM: guest debugging", kvm_vcpu_ioctl(vcpu, KVM_SET_GUEST_DEBUG, &dbg), errp);
}

static bool debug_exit(Vcpu *vcpu)
{
    const struct kvm_run *run = kvm_run_area(vcpu);
    size_t n;
    const KvmDebugPoint *watch = kvm_watchpoints(&n);

    for (size_t i = 0; i < n; i++) {
        if (run->debug.arch.dr6 & BIT(i)) {
            vcpu->watch_hit = true;
            vcpu->watch_addr = watch[i].addr;
        }
    }
    return true;
}

const KvmTargetOps x86_kvm_ops = {
    .vm_init = vm_init,
    .vcpu_init = vcpu_init,
    .get_state = get_state,
    .put_state = put_state,
    .before_run = before_run,
    .after_run = after_run,
    .handle_exit = handle_exit,
    .update_debug = update_debug,
    .debug_exit = debug_exit,
};
