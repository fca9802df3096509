/*
 * kvm-cpuid.c: x86 under KVM: what the host's processor and its kernel can give, the leaves of CPUID, the time stamp counter.
 *
 * Facts: Linux Documentation/virt/kvm/api.rst (KVM_GET_SUPPORTED_CPUID, KVM_SET_CPUID2), x86/cpuid.rst; SDM 2A CPUID. A model's leaves
 * are x86_cpuid()'s; extended state (leaf 0Dh) and the leaves of the hypervisor are the host's. Left out: AMX, which a process has to ask
 * for, and supervisor state.
 */
#if defined(__x86_64__)
#include <cpuid.h>
#endif
#include "target/x86/cpu-model.h"
#include "target/x86/kvm.h"

enum { MAX_LEAVES = 256, MAX_CPUID = 128, LEAF_KVM = 0x40000000, KVM_CLOCKSOURCE_OLD = 0, KVM_CLOCKSOURCE_NEW = 3 };
enum { N_XSTATES = 20, FIRST_EXTENDED_XSTATE = 2 };

static struct kvm_cpuid2 *supported;

/* Words of features by where CPUID has them: leaf, subleaf, register. Leaf 0: nested virtualization's and those of MSRs, none of which. */
static const struct { uint32_t leaf; uint8_t sub, reg; } words[X86_N_FEATURE_WORDS] = {
    [X86_WORD_1_EDX] = { 1, 0, 3 }, [X86_WORD_1_ECX] = { 1, 0, 2 }, [X86_WORD_7_0_EBX] = { 7, 0, 1 }, [X86_WORD_7_0_ECX] = { 7, 0, 2 },
    [X86_WORD_7_0_EDX] = { 7, 0, 3 }, [X86_WORD_7_1_EAX] = { 7, 1, 0 }, [X86_WORD_8000_0001_EDX] = { 0x80000001, 0, 3 },
    [X86_WORD_8000_0001_ECX] = { 0x80000001, 0, 2 }, [X86_WORD_8000_0008_EBX] = { 0x80000008, 0, 1 }, [X86_WORD_D_1_EAX] = { 0xd, 1, 0 },
    [X86_WORD_6_EAX] = { 6, 0, 0 }, [X86_WORD_8000_0007_EDX] = { 0x80000007, 0, 3 }, [X86_WORD_KVM_EAX] = { LEAF_KVM + 1, 0, 0 },
    [X86_WORD_7_1_ECX] = { 7, 1, 2 }, [X86_WORD_7_1_EDX] = { 7, 1, 3 }, [X86_WORD_7_2_EDX] = { 7, 2, 3 },
    [X86_WORD_8000_0007_EBX] = { 0x80000007, 0, 1 }, [X86_WORD_8000_0021_EAX] = { 0x80000021, 0, 0 },
};

/* -- the host --------------------------------------------------------------------------------------------------------- */

static const struct kvm_cpuid_entry2 *find(uint32_t leaf, uint32_t sub)
{
    for (uint32_t i = 0; i < supported->nent; i++) {
        const struct kvm_cpuid_entry2 *e = &supported->entries[i];
        if (e->function == leaf && (e->index == sub || !(e->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX))) {
            return e;
        }
    }
    return NULL;
}

static uint32_t reg_of(uint32_t leaf, uint32_t sub, unsigned reg)
{
    const struct kvm_cpuid_entry2 *e = find(leaf, sub);

    return e ? (&e->eax)[reg] : 0;
}

static void set_feature(uint32_t bits[X86_N_FEATURE_WORDS], X86Feature f, bool on)
{
    bits[f / 32] = on ? bits[f / 32] | 1u << f % 32 : bits[f / 32] & ~(1u << f % 32);
}

/* What KVM gives without its list saying so, or only with a local APIC of its own. */
static void adjust(uint32_t bits[X86_N_FEATURE_WORDS])
{
    static const uint16_t of_lapic[] = { X86_FEAT_X2APIC, X86_FEAT_TSC_DEADLINE, X86_FEAT_KVM_ASYNCPF, X86_FEAT_KVM_PV_EOI,
                                         X86_FEAT_KVM_PV_UNHALT, X86_FEAT_KVM_PV_IPI, X86_FEAT_KVM_ASYNCPF_INT };
    bool lapic = kvm_irqchip() != KVM_IRQCHIP_OFF;

    set_feature(bits, X86_FEAT_APIC, true);
    set_feature(bits, X86_FEAT_HYPERVISOR, true);
    set_feature(bits, X86_FEAT_X2APIC, true);
    set_feature(bits, X86_FEAT_TSC_DEADLINE, kvm_check_extension(KVM_CAP_TSC_DEADLINE_TIMER));
    set_feature(bits, X86_FEAT_KVM_MSI_EXT_DEST_ID, false); /* the board's I/O APIC and MSIs have 8 bits */
    for (size_t i = 0; !lapic && i < ARRAY_SIZE(of_lapic); i++) {
        set_feature(bits, of_lapic[i], false);
    }
    /* Nested virtualization has state that nobody keeps here. */
    set_feature(bits, X86_FEAT_VMX, false);
    set_feature(bits, X86_FEAT_SVM, false);
}

static void text_of(char *ret, uint32_t leaf, const uint8_t regs[], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t value = reg_of(leaf, 0, regs[i]);
        memcpy(ret + 4 * i, &value, 4);
    }
}

/* The kernel's list has no brand, the processor's own CPUID does. */
static void brand(char ret[49])
{
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t r[4] = { 0 };
#if defined(__x86_64__)
        __get_cpuid(0x80000002 + i, &r[0], &r[1], &r[2], &r[3]);
#endif
        memcpy(ret + 16 * i, r, 16);
    }
    ret[48] = 0;
}

bool x86_kvm_host_init(const char *arch, Error **errp)
{
    static const uint16_t defaults[] = { X86_FEAT_X2APIC, X86_FEAT_KVMCLOCK, X86_FEAT_KVM_NOPIODELAY, X86_FEAT_KVM_ASYNCPF,
                                         X86_FEAT_KVM_STEAL_TIME, X86_FEAT_KVM_PV_EOI, X86_FEAT_KVM_PV_UNHALT, X86_FEAT_KVMCLOCK_STABLE_BIT };
    static const uint8_t vendor_regs[] = { 1, 3, 2 };
    static X86HostCpu host;

    if (!supported) {
        supported = xcalloc(1, sizeof(*supported) + MAX_LEAVES * sizeof(supported->entries[0]));
    }
    supported->nent = MAX_LEAVES;
    if (x86_kvm_failed("KVM: CPUID of the host", kvm_system_ioctl(KVM_GET_SUPPORTED_CPUID, supported), errp)) {
        return false;
    }
    host = (X86HostCpu){ 0 };
    for (size_t w = 0; w < ARRAY_SIZE(words); w++) {
        host.features[w] = !words[w].leaf ? 0 : reg_of(words[w].leaf, words[w].sub, words[w].reg);
    }
    adjust(host.features);
    set_feature(host.features, X86_FEAT_LM, !strcmp(arch, "x86_64") && host.features[X86_FEAT_LM / 32] >> X86_FEAT_LM % 32 & 1);
    for (size_t i = 0; i < ARRAY_SIZE(defaults); i++) {
        set_feature(host.defaults, defaults[i], host.features[defaults[i] / 32] >> defaults[i] % 32 & 1);
    }
    text_of(host.vendor, 0, vendor_regs, 3);
    brand(host.model_id);
    uint32_t signature = reg_of(1, 0, 0), family = signature >> 8 & 15;
    host.family = family + (family == 15 ? signature >> 20 & 0xff : 0);
    host.model = (signature >> 4 & 15) | (family == 15 || family == 6 ? signature >> 12 & 0xf0 : 0);
    host.stepping = signature & 15;
    host.level = MIN(reg_of(0, 0, 0), 0x1fu);
    host.xlevel = MIN(reg_of(0x80000000, 0, 0), 0x80000021u);
    host.phys_bits = (uint8_t)reg_of(0x80000008, 0, 0);
    host.phys_bits = host.phys_bits ? host.phys_bits : 36;
    x86_model_set_host(&host);
    return true;
}

/* -- leaves ------------------------------------------------------------------------------------------------------------- */

static void add(struct kvm_cpuid2 *set, uint32_t leaf, uint32_t sub, bool indexed, const uint32_t r[4])
{
    if (set->nent < MAX_CPUID) {
        set->entries[set->nent++] = (struct kvm_cpuid_entry2){
            .function = leaf, .index = sub, .flags = indexed ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
            .eax = r[0], .ebx = r[1], .ecx = r[2], .edx = r[3],
        };
    }
}

/* State components that go with features of the model (SDM volume 1, 13.1). */
uint64_t x86_kvm_xcr0(const Vcpu *vcpu)
{
    static const struct { uint64_t components; X86Feature feature; } needs[] = {
        { 1 << 2, X86_FEAT_AVX }, { 3 << 3, X86_FEAT_MPX }, { 7 << 5, X86_FEAT_AVX512F }, { 1 << 9, X86_FEAT_PKU },
    };
    uint64_t can = reg_of(0xd, 0, 0), mask = 3;

    if (!x86_has(vcpu, X86_FEAT_XSAVE)) {
        return 0;
    }
    for (size_t i = 0; i < ARRAY_SIZE(needs); i++) {
        mask |= x86_has(vcpu, needs[i].feature) ? needs[i].components : 0;
    }
    return can & mask;
}

static void add_xsave(const Vcpu *vcpu, struct kvm_cpuid2 *set)
{
    uint64_t mask = x86_kvm_xcr0(vcpu);
    uint32_t top[4] = { (uint32_t)mask, 576, 576 }, options[4] = { x86_model(vcpu)->features[X86_WORD_D_1_EAX] };

    for (unsigned i = FIRST_EXTENDED_XSTATE; i < N_XSTATES; i++) {
        if (mask >> i & 1) {
            top[2] = MAX(top[2], reg_of(0xd, i, 0) + reg_of(0xd, i, 1));
        }
    }
    top[1] = mask ? top[1] : 0; /* the kernel follows XCR0 from here on */
    top[2] = mask ? top[2] : 0;
    add(set, 0xd, 0, true, top);
    add(set, 0xd, 1, true, options);
    for (unsigned i = FIRST_EXTENDED_XSTATE; i < N_XSTATES; i++) {
        if (mask >> i & 1) {
            const uint32_t r[4] = { reg_of(0xd, i, 0), reg_of(0xd, i, 1), reg_of(0xd, i, 2) };
            add(set, 0xd, i, true, r);
        }
    }
}

/* Leaves with subleaves: as many as say something, but the first in any case. */
static void add_indexed(Vcpu *vcpu, struct kvm_cpuid2 *set, uint32_t leaf)
{
    for (uint32_t sub = 0; sub < 8; sub++) {
        uint32_t r[4];
        x86_cpuid(vcpu, leaf, sub, r);
        bool topology = leaf == 0xb || leaf == 0x1f;
        bool empty = topology ? !(r[2] >> 8) : leaf == 7 ? !(r[0] | r[1] | r[2] | r[3]) : !(r[0] & 31);
        if (!sub || !empty || topology) {
            add(set, leaf, sub, true, r);
        }
        if (empty) {
            break;
        }
    }
}

static void add_leaf(Vcpu *vcpu, struct kvm_cpuid2 *set, uint32_t leaf)
{
    uint32_t r[4];

    switch (leaf) {
    case 4: case 7: case 0xb: case 0x1f: case 0x8000001d:
        add_indexed(vcpu, set, leaf);
        break;
    case 0xd:
        add_xsave(vcpu, set);
        break;
    default:
        x86_cpuid(vcpu, leaf, 0, r);
        add(set, leaf, 0, false, r);
        break;
    }
}

/* Who the hypervisor is, its paravirtual features. */
static void add_hypervisor(const Vcpu *vcpu, struct kvm_cpuid2 *set)
{
    const X86Model *m = x86_model(vcpu);
    uint32_t who[4] = { LEAF_KVM + 1 }, features[4] = { m->features[X86_WORD_KVM_EAX] };

    memcpy(&who[1], "KVMKVMKVM\0\0\0", 12);
    /* One property for the clock's old and new registers. */
    if (features[0] >> KVM_CLOCKSOURCE_OLD & 1) {
        features[0] |= reg_of(LEAF_KVM + 1, 0, 0) & 1u << KVM_CLOCKSOURCE_NEW;
    }
    add(set, LEAF_KVM, 0, false, who);
    add(set, LEAF_KVM + 1, 0, false, features);
}

bool x86_kvm_set_cpuid(Vcpu *vcpu, Error **errp)
{
    const X86Model *m = x86_model(vcpu);
    struct kvm_cpuid2 *set = xcalloc(1, sizeof(*set) + MAX_CPUID * sizeof(set->entries[0]));

    if (m->kvm_leaf) {
        add_hypervisor(vcpu, set);
    }
    for (uint32_t leaf = 0; leaf <= MIN(m->level, 0x20u); leaf++) {
        add_leaf(vcpu, set, leaf);
    }
    for (uint32_t leaf = 0x80000000; leaf <= MIN(m->xlevel, 0x80000030u); leaf++) {
        add_leaf(vcpu, set, leaf);
    }
    int r = kvm_vcpu_ioctl(vcpu, KVM_SET_CPUID2, set);
    free(set);
    return !x86_kvm_failed("KVM refuses the CPU model", r, errp);
}

/* -- time stamp counter -------------------------------------------------------------------------------------------------- */

bool x86_kvm_set_tsc_khz(Vcpu *vcpu, Error **errp)
{
    uint64_t khz = x86_model(vcpu)->tsc_hz / 1000;
    int host = kvm_vcpu_ioctl(vcpu, KVM_GET_TSC_KHZ, NULL);

    if (!khz || (host > 0 && (uint64_t)host == khz)) {
        return true;
    }
    if (kvm_check_extension(KVM_CAP_TSC_CONTROL) && kvm_vcpu_ioctl(vcpu, KVM_SET_TSC_KHZ, (void *)(uintptr_t)khz) >= 0) {
        return true;
    }
    error_set(errp, "TSC frequency mismatch between VM (%" PRIu64 " kHz) and host (%d kHz), and TSC scaling unavailable", khz, MAX(host, 0));
    return false;
}
