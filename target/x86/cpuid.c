/*
 * cpuid.c: what CPUID returns: the model's words, caches, topology, and what changes while running (OSXSAVE, OSPKE, APIC).
 *
 * SDM 2A CPUID, APM 3 appendix E. Leaves above the highest give what the highest basic leaf gives. Left out: leaves for
 * monitoring, tracing, SGX and performance counters, which no model has.
 */
#include <stdio.h>
#include "target/x86/cpu-model.h"

typedef struct Cache {
    uint8_t type, level, ways;  /* type: 1 data, 2 instruction, 3 both */
    uint16_t lines_per_tag;     /* AMD's leaves */
    uint32_t sets, edx;
} Cache;

typedef struct X86Caches {
    const char *model;          /* beginning of the model's name; NULL: any of the vendor */
    const char *vendor;
    Cache cache[4];             /* l1d l1i l2 l3 */
} X86Caches;

#define LINE_BYTES 64u
#define INTEL "GenuineIntel"
#define AMD "AuthenticAMD"

/* More specific names first. */
static const X86Caches caches[] = {
    { "EPYC-Rome", AMD, { { 1, 1, 8, 1, 64, 1 }, { 2, 1, 8, 1, 64, 1 }, { 3, 2, 8, 1, 1024, 0 }, { 3, 3, 16, 1, 16384, 2 } } },
    { "EPYC-Milan", AMD, { { 1, 1, 8, 1, 64, 1 }, { 2, 1, 8, 1, 64, 1 }, { 3, 2, 8, 1, 1024, 0 }, { 3, 3, 16, 1, 32768, 2 } } },
    { "EPYC-Genoa", AMD, { { 1, 1, 8, 1, 64, 1 }, { 2, 1, 8, 1, 64, 1 }, { 3, 2, 8, 1, 2048, 0 }, { 3, 3, 16, 1, 32768, 2 } } },
    { "EPYC-Turin", AMD, { { 1, 1, 12, 1, 64, 0 }, { 2, 1, 8, 1, 64, 0 }, { 3, 2, 16, 1, 1024, 2 }, { 3, 3, 16, 1, 32768, 1 } } },
    { "EPYC", AMD, { { 1, 1, 8, 1, 64, 1 }, { 2, 1, 4, 1, 256, 1 }, { 3, 2, 8, 1, 1024, 0 }, { 3, 3, 16, 1, 8192, 2 } } },
    { "Dhyana", "HygonGenuine", { { 1, 1, 8, 1, 64, 1 }, { 2, 1, 4, 1, 256, 1 }, { 3, 2, 8, 1, 1024, 0 }, { 3, 3, 16, 1, 8192, 6 } } },
    { NULL, AMD, { { 1, 1, 2, 1, 512, 1 }, { 2, 1, 2, 1, 512, 1 }, { 3, 2, 16, 1, 512, 0 }, { 3, 3, 16, 1, 16384, 2 } } },
    { NULL, "", { { 1, 1, 8, 0, 64, 1 }, { 2, 1, 8, 0, 64, 1 }, { 3, 2, 16, 0, 4096, 1 }, { 3, 3, 16, 0, 16384, 6 } } },
};

bool x86_is_amd(const X86Model *m) { return !strcmp(m->vendor, AMD) || !strcmp(m->vendor, "HygonGenuine"); }

void x86_cpuid_caches_init(X86Model *m)
{
    /* Before leaf 4, and before AMD's leaves, there is nothing to say. */
    if (m->level < 4 && m->xlevel < 0x80000006) {
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(caches) && !m->caches; i++) {
        const X86Caches *c = &caches[i];
        bool named = !c->model || !strncmp(m->name, c->model, strlen(c->model));
        m->caches = named && (!*c->vendor || !strcmp(c->vendor, m->vendor)) ? c : NULL;
    }
}

/* -- topology: the APIC id is package | die | core | thread, each as wide as it needs --------------------------- */

static unsigned width_of(unsigned n)
{
    unsigned bits = 0;
    while (1u << bits < n) {
        bits++;
    }
    return bits;
}

typedef struct Topology {
    unsigned threads, cores, dies, thread_bits, core_bits, package_bits, apic_id;
} Topology;

static Topology topology(const Vcpu *vcpu)
{
    const X86State *s = x86_state(vcpu);
    const X86Topology *p = &s->topology;
    Topology t = { .threads = MAX(p->n_threads, 1), .cores = MAX(p->n_cores, 1), .dies = MAX(p->n_dies, 1), .apic_id = s->apic_id };

    t.thread_bits = width_of(t.threads);
    t.core_bits = t.thread_bits + width_of(t.cores);
    t.package_bits = t.core_bits + width_of(t.dies);
    return t;
}

static unsigned logical_processors(const Topology *t) { return t->threads * t->cores * t->dies; }

/* Leaves 0Bh and 1Fh: level types 1 thread, 2 core, 5 die. */
static void topology_leaf(const Vcpu *vcpu, uint32_t subleaf, bool with_die, uint32_t r[4])
{
    Topology t = topology(vcpu);
    bool die_level = with_die && t.dies > 1;
    unsigned last = die_level ? 2 : 1;

    r[2] = subleaf & 0xff;
    r[3] = t.apic_id;
    if (subleaf == 0) {
        r[0] = t.thread_bits;
        r[1] = t.threads;
        r[2] |= 1 << 8;
    } else if (subleaf <= last) {
        r[0] = subleaf == last ? t.package_bits : t.core_bits;
        r[1] = subleaf == last ? logical_processors(&t) : t.threads * t.cores;
        r[2] |= subleaf == 2 ? 5 << 8 : 2 << 8;
    }
}

/* -- caches --------------------------------------------------------------------------------------------------------- */

static const Cache *cache_at(const X86Model *m, uint32_t i)
{
    return m->caches && i < 4 && (i < 3 || m->l3_cache) ? &m->caches->cache[i] : NULL;
}

/* Leaves 4 and 8000001Dh have one format. */
static void cache_leaf(const Vcpu *vcpu, uint32_t subleaf, bool amd, uint32_t r[4])
{
    const Cache *c = cache_at(x86_model(vcpu), subleaf);
    Topology t = topology(vcpu);

    if (!c) {
        return;
    }
    unsigned share_bits = c->level == 3 ? t.package_bits : t.thread_bits;
    r[0] = c->type | c->level << 5 | 1 << 8 | ((1u << share_bits) - 1) << 14;
    if (c->level == 2 && !(c->edx & 3) && amd) {
        r[0] &= ~(1u << 8);
    }
    if (!amd) {
        r[0] |= ((1u << (t.package_bits - t.thread_bits)) - 1) << 26;
    }
    r[1] = (LINE_BYTES - 1) | (uint32_t)(c->ways - 1) << 22;
    r[2] = c->sets - 1;
    r[3] = c->edx;
}

static uint32_t cache_kib(const Cache *c) { return c->ways * c->sets * LINE_BYTES / 1024; }

/* Associativity as leaf 80000006h has it. */
static uint32_t assoc_code(unsigned ways)
{
    return ways >= 16 ? 8 : ways >= 8 ? 6 : ways >= 4 ? 4 : ways >= 2 ? 2 : 1;
}

static void l1_leaf(const X86Model *m, uint32_t r[4])
{
    const Cache *d = cache_at(m, 0), *i = cache_at(m, 1);

    if (d && x86_is_amd(m)) {
        r[0] = r[1] = 0x01ff01ff; /* fully associative TLBs of 255 entries */
        r[2] = cache_kib(d) << 24 | (uint32_t)d->ways << 16 | (uint32_t)d->lines_per_tag << 8 | LINE_BYTES;
        r[3] = cache_kib(i) << 24 | (uint32_t)i->ways << 16 | (uint32_t)i->lines_per_tag << 8 | LINE_BYTES;
    }
}

static void l2_leaf(const X86Model *m, uint32_t r[4])
{
    const Cache *l2 = cache_at(m, 2), *l3 = cache_at(m, 3);

    if (!l2) {
        return;
    }
    r[2] = cache_kib(l2) << 16 | assoc_code(l2->ways) << 12 | (uint32_t)l2->lines_per_tag << 8 | LINE_BYTES;
    if (x86_is_amd(m)) {
        r[1] = 0x42004200; /* 512 entries, 4 ways */
        r[3] = l3 ? cache_kib(l3) / 512 << 18 | assoc_code(l3->ways) << 12 | (uint32_t)l3->lines_per_tag << 8 | LINE_BYTES : 0;
    }
}

/* -- extended state ------------------------------------------------------------------------------------------------- */

enum { XSTATE_X87_SSE = 3, XSTATE_AVX = 4, XSTATE_PKRU = 1 << 9, XSAVE_LEGACY_BYTES = 576 };
static const struct { uint64_t mask; uint16_t bytes, offset; uint8_t subleaf; } components[] = {
    { XSTATE_AVX, 256, 576, 2 }, { XSTATE_PKRU, 8, 2688, 9 },
};

uint64_t x86_xcr0_supported(const Vcpu *vcpu)
{
    uint64_t mask = !x86_has(vcpu, X86_FEAT_XSAVE) ? 0 : XSTATE_X87_SSE;

    mask |= mask && x86_has(vcpu, X86_FEAT_AVX) ? XSTATE_AVX : 0;
    return mask | (mask && x86_has(vcpu, X86_FEAT_PKU) ? XSTATE_PKRU : 0);
}

static uint32_t area_bytes(uint64_t xcr0, bool compact)
{
    uint32_t size = XSAVE_LEGACY_BYTES;
    for (size_t i = 0; i < ARRAY_SIZE(components); i++) {
        if (xcr0 & components[i].mask) {
            size = compact ? size + components[i].bytes : (uint32_t)components[i].offset + components[i].bytes;
        }
    }
    return size;
}

static void xsave_leaf(const Vcpu *vcpu, uint32_t subleaf, uint32_t r[4])
{
    uint64_t can = x86_xcr0_supported(vcpu);

    if (!can) {
        return;
    }
    if (subleaf == 0) {
        r[0] = (uint32_t)can;
        r[1] = area_bytes(x86_state(vcpu)->xcr0, false);
        r[2] = area_bytes(can, false);
    } else if (subleaf == 1) {
        r[0] = x86_model(vcpu)->features[X86_WORD_D_1_EAX];
        r[1] = area_bytes(x86_state(vcpu)->xcr0, true);
    }
    for (size_t i = 0; i < ARRAY_SIZE(components); i++) {
        if (components[i].subleaf == subleaf && can & components[i].mask) {
            r[0] = components[i].bytes;
            r[1] = components[i].offset;
        }
    }
}

/* -- the leaves --------------------------------------------------------------------------------------------------------- */

static void text(const char *s, size_t n, uint32_t *ret)
{
    for (size_t i = 0; i < n; i++) {
        *ret = i % 4 ? *ret | (uint32_t)(uint8_t)s[i] << 8 * (i % 4) : (uint8_t)s[i];
        ret += i % 4 == 3;
    }
}

static void vendor(const X86Model *m, uint32_t r[4])
{
    text(m->vendor, 4, &r[1]);
    text(m->vendor + 4, 4, &r[3]);
    text(m->vendor + 8, 4, &r[2]);
}

static uint32_t signature(const X86Model *m)
{
    uint32_t family = MIN(m->family, 15u), extended = m->family - family;
    return extended << 20 | m->model >> 4 << 16 | family << 8 | (m->model & 15) << 4 | m->stepping;
}

static bool apic_on(Vcpu *vcpu)
{
    const X86State *s = x86_state(vcpu);
    uint64_t base;

    if (!s->platform || !s->platform->msr_read || !s->platform->msr_read(s->platform_opaque, vcpu, 0x1b, &base)) {
        return true;
    }
    return base >> 11 & 1;
}

static void leaf1(Vcpu *vcpu, uint32_t r[4])
{
    const X86State *s = x86_state(vcpu);
    const X86Model *m = x86_model(vcpu);
    Topology t = topology(vcpu);
    unsigned n = logical_processors(&t);

    r[0] = signature(m);
    r[1] = (t.apic_id & 0xff) << 24 | LINE_BYTES / 8 << 8;
    r[2] = m->features[X86_WORD_1_ECX];
    r[3] = m->features[X86_WORD_1_EDX];
    if (s->cr4 & X86_CR4_OSXSAVE) {
        r[2] |= 1u << X86_FEAT_OSXSAVE % 32;
    }
    if (n > 1) {
        r[1] |= MIN(1u << t.package_bits, 255u) << 16;
        r[3] |= 1u << X86_FEAT_HT % 32;
    }
    if (vcpu->softmmu && !apic_on(vcpu)) {
        r[3] &= ~(1u << X86_FEAT_APIC % 32);
    }
}

static void leaf7(const Vcpu *vcpu, uint32_t subleaf, uint32_t r[4])
{
    const X86Model *m = x86_model(vcpu);

    if (subleaf == 0) {
        bool second = (m->features[X86_WORD_7_1_EAX] | m->features[X86_WORD_7_1_ECX] | m->features[X86_WORD_7_1_EDX]) != 0;
        r[0] = m->features[X86_WORD_7_2_EDX] ? 2 : second;
        r[1] = m->features[X86_WORD_7_0_EBX];
        r[2] = m->features[X86_WORD_7_0_ECX];
        r[3] = m->features[X86_WORD_7_0_EDX];
        if (r[2] >> X86_FEAT_PKU % 32 & 1 && x86_state(vcpu)->cr4 & X86_CR4_PKE) {
            r[2] |= 1u << X86_FEAT_OSPKE % 32;
        }
    } else if (subleaf == 1) {
        r[0] = m->features[X86_WORD_7_1_EAX];
        r[2] = m->features[X86_WORD_7_1_ECX];
        r[3] = m->features[X86_WORD_7_1_EDX];
    } else if (subleaf == 2) {
        r[3] = m->features[X86_WORD_7_2_EDX];
    }
}

static void extended_features(const Vcpu *vcpu, uint32_t r[4])
{
    const uint32_t same_as_leaf1 = 0x0183f3ff; /* AMD has these twice */
    const X86Model *m = x86_model(vcpu);
    Topology t = topology(vcpu);

    r[0] = signature(m);
    r[2] = m->features[X86_WORD_8000_0001_ECX];
    r[3] = m->features[X86_WORD_8000_0001_EDX];
    if (x86_state(vcpu)->misc_enable & X86_MISC_XD_DISABLE) {
        r[3] &= ~(1u << X86_FEAT_NX % 32);
    }
    if (x86_is_amd(m)) {
        r[3] |= m->features[X86_WORD_1_EDX] & same_as_leaf1;
        r[2] |= logical_processors(&t) > 1 ? 1u << X86_FEAT_CMP_LEGACY % 32 : 0;
    }
}

static void extended_topology(const Vcpu *vcpu, uint32_t r[4])
{
    Topology t = topology(vcpu);

    if (x86_has(vcpu, X86_FEAT_TOPOEXT)) {
        r[0] = t.apic_id;
        r[1] = (t.threads - 1) << 8 | ((t.apic_id >> t.thread_bits) & 0xff);
        r[2] = (t.dies - 1) << 8 | (t.apic_id >> t.core_bits & 0xff);
    }
}

static void sizes_leaf(const Vcpu *vcpu, uint32_t r[4])
{
    const X86Model *m = x86_model(vcpu);
    Topology t = topology(vcpu);
    unsigned n = logical_processors(&t);

    r[0] = m->phys_bits | (m->long_mode ? (uint32_t)m->linear_bits << 8 : 0);
    r[1] = m->features[X86_WORD_8000_0008_EBX];
    r[2] = n > 1 ? t.package_bits << 12 | (n - 1) : 0;
}

static void basic(Vcpu *vcpu, uint32_t leaf, uint32_t subleaf, uint32_t r[4])
{
    const X86Model *m = x86_model(vcpu);

    switch (leaf) {
    case 0:
        r[0] = m->level;
        vendor(m, r);
        break;
    case 1:
        leaf1(vcpu, r);
        break;
    case 2:
        if (m->caches && !x86_is_amd(m)) {
            r[0] = 1;
            r[3] = 0xff; /* leaf 4 tells */
        }
        break;
    case 4:
        if (!x86_is_amd(m)) {
            cache_leaf(vcpu, subleaf, false, r);
        }
        break;
    case 5:
        r[2] = 3; /* MWAIT hints are enumerated (none), and interrupts end it though disabled */
        break;
    case 6:
        r[0] = m->features[X86_WORD_6_EAX];
        break;
    case 7:
        leaf7(vcpu, subleaf, r);
        break;
    case 0xb:
        if (m->topology_leaf) {
            topology_leaf(vcpu, subleaf, false, r);
        }
        break;
    case 0xd:
        xsave_leaf(vcpu, subleaf, r);
        break;
    case 0x1f:
        topology_leaf(vcpu, subleaf, true, r);
        break;
    default:
        break;
    }
}

static void extended(Vcpu *vcpu, uint32_t leaf, uint32_t subleaf, uint32_t r[4])
{
    const X86Model *m = x86_model(vcpu);

    switch (leaf) {
    case 0x80000000:
        r[0] = m->xlevel;
        if (x86_is_amd(m)) {
            vendor(m, r);
        }
        break;
    case 0x80000001:
        extended_features(vcpu, r);
        break;
    case 0x80000002:
    case 0x80000003:
    case 0x80000004:
        text(m->model_id + 16 * (leaf - 0x80000002), 16, r);
        break;
    case 0x80000005:
        l1_leaf(m, r);
        break;
    case 0x80000006:
        l2_leaf(m, r);
        break;
    case 0x80000007:
        r[1] = m->features[X86_WORD_8000_0007_EBX];
        r[3] = m->features[X86_WORD_8000_0007_EDX];
        break;
    case 0x80000008:
        sizes_leaf(vcpu, r);
        break;
    case 0x8000001d:
        if (x86_is_amd(m)) {
            cache_leaf(vcpu, subleaf, true, r);
        }
        break;
    case 0x8000001e:
        extended_topology(vcpu, r);
        break;
    case 0x80000021:
        r[0] = m->features[X86_WORD_8000_0021_EAX];
        break;
    default:
        break;
    }
}

void x86_cpuid(Vcpu *vcpu, uint32_t leaf, uint32_t subleaf, uint32_t ret_regs[4])
{
    const X86Model *m = x86_model(vcpu);
    uint32_t r[4] = { 0 };

    if (leaf >> 16 == 0x4000) {
        if (leaf == 0x40000000 && m->accel_leaf && x86_has(vcpu, X86_FEAT_HYPERVISOR)) {
            r[0] = 0x40000001;
            text("TCGTCGTCGTCG", 12, r + 1);
        }
    } else if (leaf >> 31 && leaf <= m->xlevel) {
        extended(vcpu, leaf, subleaf, r);
    } else {
        basic(vcpu, MIN(leaf, m->level), subleaf, r);
    }
    memcpy(ret_regs, r, sizeof(r));
}

uint64_t x86_hwcap(const Vcpu *vcpu)
{
    return x86_model(vcpu)->features[X86_WORD_1_EDX];
}
