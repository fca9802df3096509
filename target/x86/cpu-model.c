/*
 * cpu-model.c: CPU models and their properties (-cpu MODEL,+feature,-feature,property=value…).
 *
 * A model is a row of models.def. What the translator cannot do is masked, with a warning unless check=off, an error with
 * enforce=on. `max` is everything that can be done. Leaf numbers grow with the features, as on processors that exist.
 */
#include <stdio.h>
#include "target/x86/cpu-model.h"
#include "util/alloc.h"
#include "util/parse.h"

typedef struct WordInfo { const char *text; } WordInfo;
static const WordInfo words[X86_N_FEATURE_WORDS] = {
#define FEATURE_WORD(id, leaf) [X86_WORD_##id] = { leaf },
#define FEATURE(word, id, name, bit)
#include "target/x86/features.def"
#undef FEATURE_WORD
#undef FEATURE
};

static const struct { const char *name; uint16_t feature; } features[] = {
#define FEATURE_WORD(id, leaf)
#define FEATURE(word, id, name, bit) { name, X86_FEAT_##id },
#include "target/x86/features.def"
#undef FEATURE_WORD
#undef FEATURE
};

/* Second names. Everywhere else '_' may stand for '-'. */
static const char *const feature_aliases[][2] = {
    { "sse3", "pni" }, { "pclmuldq", "pclmulqdq" }, { "sse4-1", "sse4.1" }, { "sse4-2", "sse4.2" }, { "xd", "nx" },
    { "ffxsr", "fxsr-opt" }, { "i64", "lm" },
};

/* What the instruction tables and this room implement. */
static const uint16_t supported[] = {
#define F(id) X86_FEAT_##id
    F(FPU), F(VME), F(DE), F(PSE), F(TSC), F(MSR), F(PAE), F(MCE), F(CX8), F(APIC), F(SEP), F(MTRR), F(PGE), F(MCA), F(CMOV), F(PAT),
    F(PSE36), F(CLFLUSH), F(ACPI), F(MMX), F(FXSR), F(SSE), F(SSE2), F(SS), F(HT),
    F(PNI), F(PCLMULQDQ), F(MONITOR), F(SSSE3), F(FMA), F(CX16), F(PCID), F(SSE41), F(SSE42), F(X2APIC), F(MOVBE), F(POPCNT),
    F(TSC_DEADLINE), F(AES), F(XSAVE), F(AVX), F(F16C), F(RDRAND), F(HYPERVISOR),
    F(FSGSBASE), F(TSC_ADJUST), F(BMI1), F(AVX2), F(SMEP), F(BMI2), F(ERMS), F(INVPCID), F(RDSEED), F(ADX), F(SMAP), F(CLFLUSHOPT),
    F(CLWB), F(SHA_NI), F(UMIP), F(PKU), F(LA57), F(RDPID), F(FSRM), F(FZRM), F(FSRS), F(FSRC),
    F(SYSCALL), F(NX), F(PDPE1GB), F(RDTSCP), F(LM), F(LAHF_LM), F(CMP_LEGACY), F(CR8LEGACY), F(ABM), F(_3DNOWPREFETCH), F(WBNOINVD),
    F(XSAVEOPT), F(XSAVEC), F(XGETBV1), F(ARAT),
    F(FXSR_OPT), F(MMXEXT), F(TOPOEXT),
#undef F
};

typedef struct ModelDesc {
    const char *name, *base, *vendor, *brand, *note, *features;
    uint32_t family, model, stepping, level, xlevel;
} ModelDesc;

static const ModelDesc models[] = {
#define MODEL(name, base, vendor, family, model, stepping, level, xlevel, brand, note, features) \
    { name, base, vendor, brand, note, features, family, model, stepping, level, xlevel },
#define ALIAS(name, row, by_machine)
#include "target/x86/models.def"
#undef MODEL
#undef ALIAS
};

static const struct { const char *name, *row; bool by_machine; } aliases[] = {
#define MODEL(...)
#define ALIAS(name, row, by_machine) { name, row, by_machine },
#include "target/x86/models.def"
#undef MODEL
#undef ALIAS
};

/* NULL: the translator runs guests. */
static const X86HostCpu *host;

void x86_model_set_host(const X86HostCpu *cpu) { host = cpu; }

static bool has(const X86Model *m, X86Feature f) { return m->features[f / 32] >> (f % 32) & 1; }

static void set(uint32_t bits[X86_N_FEATURE_WORDS], unsigned f, bool on)
{
    bits[f / 32] = on ? bits[f / 32] | 1u << f % 32 : bits[f / 32] & ~(1u << f % 32);
}

static int feature_find(const char *name, size_t n)
{
    char plain[40];
    if (n >= sizeof(plain)) {
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        plain[i] = name[i] == '_' ? '-' : name[i];
    }
    plain[n] = 0;
    const char *found = plain;
    for (size_t i = 0; i < ARRAY_SIZE(feature_aliases); i++) {
        if (!strcmp(plain, feature_aliases[i][0])) {
            found = feature_aliases[i][1];
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
        if (!strcmp(found, features[i].name)) {
            return features[i].feature;
        }
    }
    return -1;
}

const char *x86_feature_at(size_t i, uint16_t *ret_feature)
{
    if (i >= ARRAY_SIZE(features)) {
        return NULL;
    }
    *ret_feature = features[i].feature;
    return features[i].name;
}

const char *x86_feature_alias_at(size_t i, uint16_t *ret_feature)
{
    if (i >= ARRAY_SIZE(feature_aliases)) {
        return NULL;
    }
    *ret_feature = (uint16_t)feature_find(feature_aliases[i][1], strlen(feature_aliases[i][1]));
    return feature_aliases[i][0];
}

static const ModelDesc *row_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(models); i++) {
        if (!strcmp(models[i].name, name)) {
            return &models[i];
        }
    }
    return NULL;
}

/* Features of a row: those it is based on, changed. Rows refer to earlier rows only. */
static void row_features(const ModelDesc *row, uint32_t bits[X86_N_FEATURE_WORDS])
{
    const ModelDesc *base = row->base ? row_find(row->base) : NULL;
    if (base) {
        assert(base < row);
        row_features(base, bits);
    }
    for (const char *p = row->features; *p;) {
        size_t n = strcspn(p, " ");
        int f = feature_find(p + 1, n - 1);
        assert(f >= 0 && (*p == '+' || *p == '-')); /* our own tables */
        set(bits, (unsigned)f, *p == '+');
        p += n + strspn(p + n, " ");
    }
}

static void supported_features(uint32_t bits[X86_N_FEATURE_WORDS], bool is64)
{
    if (host) {
        memcpy(bits, host->features, X86_N_FEATURE_WORDS * sizeof(*bits));
        return;
    }
    memset(bits, 0, X86_N_FEATURE_WORDS * sizeof(*bits));
    for (size_t i = 0; i < ARRAY_SIZE(supported); i++) {
        set(bits, supported[i], is64 || supported[i] != X86_FEAT_LM);
    }
}

/* -- properties -------------------------------------------------------------------------------------------- */

typedef struct Parse {
    Vcpu *vcpu;
    X86Model *m;
    const char *name;       /* as the user wrote it */
    bool check, enforce;
    bool level_set, xlevel_set, phys_set;
    bool host_phys_set, host_phys;
    uint32_t host_phys_limit;
    uint32_t plus[X86_N_FEATURE_WORDS], minus[X86_N_FEATURE_WORDS];
} Parse;

static bool parse_u32(const char *name, const char *value, uint64_t max, uint32_t *ret, Error **errp)
{
    uint64_t v;
    if (!parse_uint(name, value, max, &v, errp)) {
        return false;
    }
    *ret = (uint32_t)v;
    return true;
}

/* "2.5G": thousands, as frequencies have them. */
static bool parse_hz(const char *name, const char *value, uint64_t *ret, Error **errp)
{
    char *end;
    double number = strtod(value, &end);
    double scale = *end == 'k' || *end == 'K' ? 1e3 : *end == 'M' ? 1e6 : *end == 'G' ? 1e9 : 1;
    if (end == value || end[scale > 1] || !(number >= 0) || number * scale >= 0x1p63) {
        error_set(errp, "Parameter '%s' expects a frequency below 2^63 Hz, such as 2500M", name);
        return false;
    }
    *ret = (uint64_t)(number * scale);
    return true;
}

static bool set_vendor(Parse *p, const char *value, Error **errp)
{
    if (strlen(value) != 12) {
        error_set(errp, "value of property 'vendor' must consist of exactly 12 characters");
        return false;
    }
    memcpy(p->m->vendor, value, 13);
    return true;
}

static bool set_phys_bits(Parse *p, const char *value, Error **errp)
{
    uint64_t v;
    if (!parse_uint("phys-bits", value, UINT8_MAX, &v, errp)) {
        return false;
    }
    p->m->phys_bits = (uint8_t)v;
    p->phys_set = v != 0;
    return true;
}

/* What the kernel's side of a hypervisor does, or hides: '-' stands for '_', too. */
static const char *const kvm_only[] = {
    "host-cache-info", "host-phys-bits", "host-phys-bits-limit", "hv-apicv", "hv-avic", "hv-crash", "hv-emsr-bitmap", "hv-enforce-cpuid", "hv-evmcs",
    "hv-frequencies", "hv-ipi", "hv-no-nonarch-coresharing", "hv-passthrough", "hv-reenlightenment", "hv-relaxed", "hv-reset", "hv-runtime",
    "hv-spinlocks", "hv-stimer", "hv-stimer-direct", "hv-syndbg", "hv-synic", "hv-time", "hv-tlbflush", "hv-tlbflush-direct", "hv-tlbflush-ext",
    "hv-vapic", "hv-vendor-id", "hv-version-id-build", "hv-version-id-major", "hv-version-id-minor", "hv-version-id-sbranch",
    "hv-version-id-snumber", "hv-version-id-spack", "hv-vpindex", "hv-xmm-input", "kvm-hint-dedicated", "kvm-pv-enforce-cpuid", "lmce", "pmu",
    "vmware-cpuid-freq",
};

static bool is_kvm_only(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(kvm_only); i++) {
        const char *a = kvm_only[i], *b = name;
        while (*a && (*a == *b || (*a == '-' && *b == '_'))) {
            a++, b++;
        }
        if (!*a && !*b) {
            return true;
        }
    }
    return false;
}

/* Off is how it is; on is nothing that the translator's guests could notice, and under KVM not there. */
static bool set_kvm_only(Parse *p, const char *name, const char *value, Error **errp)
{
    bool on;

    if (text_to_bool(value, &on) && !on) {
        return true;
    }
    if (host) {
        error_set(errp, "'%s' is not supported", name);
        return false;
    }
    if (p->check && p->vcpu->index == 0) {
        error_warn("-cpu %s,%s: has no effect without KVM", p->name, name);
    }
    return true;
}

static bool set_property(Parse *p, const char *name, const char *value, Error **errp)
{
    X86Model *m = p->m;
    uint32_t number;
    bool on;
    int f = feature_find(name, strlen(name));

    if (f >= 0) {
        if (!parse_bool(name, value, &on, errp)) {
            return false;
        }
        set(m->features, (unsigned)f, on);
        return true;
    }
    if (!strcmp(name, "vendor")) {
        return set_vendor(p, value, errp);
    } else if (!strcmp(name, "model-id") || !strcmp(name, "model_id")) {
        snprintf(m->model_id, sizeof(m->model_id), "%s", value);
        return true;
    } else if (!strcmp(name, "family")) {
        return parse_u32(name, value, 0xff + 0xf, &m->family, errp);
    } else if (!strcmp(name, "model")) {
        return parse_u32(name, value, 0xff, &m->model, errp);
    } else if (!strcmp(name, "stepping")) {
        return parse_u32(name, value, 0xf, &m->stepping, errp);
    } else if (!strcmp(name, "level")) {
        p->level_set = true;
        return parse_u32(name, value, UINT32_MAX, &m->level, errp);
    } else if (!strcmp(name, "xlevel")) {
        p->xlevel_set = true;
        return parse_u32(name, value, UINT32_MAX, &m->xlevel, errp);
    } else if (!strcmp(name, "min-level")) {
        bool ok = parse_u32(name, value, UINT32_MAX, &number, errp);
        m->level = ok ? MAX(m->level, number) : m->level;
        return ok;
    } else if (!strcmp(name, "min-xlevel")) {
        bool ok = parse_u32(name, value, UINT32_MAX, &number, errp);
        m->xlevel = ok ? MAX(m->xlevel, number) : m->xlevel;
        return ok;
    } else if (host && !strcmp(name, "host-phys-bits")) {
        p->host_phys_set = true;
        return parse_bool(name, value, &p->host_phys, errp);
    } else if (host && !strcmp(name, "host-phys-bits-limit")) {
        return parse_u32(name, value, UINT8_MAX, &p->host_phys_limit, errp);
    } else if (!strcmp(name, "phys-bits")) {
        return set_phys_bits(p, value, errp);
    } else if (!strcmp(name, "ucode-rev")) {
        return parse_uint(name, value, UINT64_MAX, &m->ucode_rev, errp);
    } else if (!strcmp(name, "tsc-frequency")) {
        return parse_uint(name, value, INT64_MAX, &m->tsc_hz, errp);
    } else if (!strcmp(name, "tsc-freq")) {
        return parse_hz(name, value, &m->tsc_hz, errp);
    } else if (!strcmp(name, "check")) {
        return parse_bool(name, value, &p->check, errp);
    } else if (!strcmp(name, "enforce")) {
        return parse_bool(name, value, &p->enforce, errp);
    } else if (!strcmp(name, "tcg-cpuid")) {
        return parse_bool(name, value, &m->accel_leaf, errp);
    } else if (!strcmp(name, "kvm")) {
        return parse_bool(name, value, &m->kvm_leaf, errp);
    } else if (!strcmp(name, "cpuid-0xb")) {
        return parse_bool(name, value, &m->topology_leaf, errp);
    } else if (!strcmp(name, "l3-cache")) {
        return parse_bool(name, value, &m->l3_cache, errp);
    } else if (!strcmp(name, "migratable") && m->is_max) {
        return parse_bool(name, value, &on, errp); /* what we can do is the same on every host */
    }
    if (is_kvm_only(name)) {
        return set_kvm_only(p, name, value, errp);
    }
    error_set(errp, "Property '%s-%s-cpu.%s' not found", p->name, p->vcpu->target->name, name);
    return false;
}

static bool parse_one(Parse *p, char *item, Error **errp)
{
    if (*item == '+' || *item == '-') {
        int f = feature_find(item + 1, strlen(item + 1));
        if (f < 0) {
            error_set(errp, "Property '%s-%s-cpu.%s' not found", p->name, p->vcpu->target->name, item + 1);
            return false;
        }
        set(*item == '+' ? p->plus : p->minus, (unsigned)f, true);
        return true;
    }
    char *rest = item, *prop = strsep(&rest, "=");
    const char *value = rest ? rest : "on";
    Error *err = NULL;
    if (!set_property(p, prop, value, &err)) {
        error_prepend(&err, "can't apply global %s-%s-cpu.%s=%s: ", p->name, p->vcpu->target->name, prop, value);
        error_propagate(errp, err);
        return false;
    }
    return true;
}

/* -- what can be done, what goes together --------------------------------------------------------------------- */

static const char *feature_name(unsigned f)
{
    for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
        if (features[i].feature == f) {
            return features[i].name;
        }
    }
    return "?";
}

static bool mask_features(Parse *p, Error **errp)
{
    X86Model *m = p->m;
    uint32_t can[X86_N_FEATURE_WORDS];
    bool any = false;

    supported_features(can, p->vcpu->target->word_bits == 64);
    for (unsigned w = 0; w < X86_N_FEATURE_WORDS; w++) {
        uint32_t missing = m->features[w] & ~can[w];
        m->features[w] &= can[w];
        for (unsigned bit = 0; bit < 32; bit++) {
            if (!(missing >> bit & 1)) {
                continue;
            }
            any = true;
            /* LM of the 32-bit program is nothing to warn of in user mode: nobody can use it there. */
            bool quiet = !p->vcpu->softmmu && w * 32 + bit == X86_FEAT_LM;
            if ((p->check || p->enforce) && !quiet && p->vcpu->index == 0) {
                error_warn("%s support requested feature: %s.%s [bit %u]", host ? "host doesn't" : "TCG doesn't", words[w].text, feature_name(w * 32 + bit), bit);
            }
        }
    }
    if (any && p->enforce) {
        error_set(errp, "%s doesn't support requested features", host ? "Host" : "TCG");
        return false;
    }
    return true;
}

/* State without the instructions that save it would be lost at the first task switch. */
static void drop_dependent(X86Model *m)
{
    static const uint16_t needs_xsave[] = { X86_FEAT_AVX, X86_FEAT_AVX2, X86_FEAT_FMA, X86_FEAT_F16C, X86_FEAT_PKU, X86_FEAT_XSAVEOPT,
                                            X86_FEAT_XSAVEC, X86_FEAT_XGETBV1, X86_FEAT_XSAVES };
    for (size_t i = 0; !has(m, X86_FEAT_XSAVE) && i < ARRAY_SIZE(needs_xsave); i++) {
        set(m->features, needs_xsave[i], false);
    }
    for (size_t i = 1; !has(m, X86_FEAT_AVX) && i < 4; i++) {
        set(m->features, needs_xsave[i], false);
    }
}

static void raise_levels(Parse *p)
{
    static const struct { uint8_t word; uint32_t leaf; } needs[] = {
        { X86_WORD_6_EAX, 6 }, { X86_WORD_7_0_EBX, 7 }, { X86_WORD_7_0_ECX, 7 }, { X86_WORD_7_0_EDX, 7 }, { X86_WORD_7_1_EAX, 7 },
        { X86_WORD_D_1_EAX, 0xd }, { X86_WORD_8000_0001_EDX, 0x80000001 }, { X86_WORD_8000_0001_ECX, 0x80000001 },
        { X86_WORD_8000_0007_EDX, 0x80000007 }, { X86_WORD_8000_0008_EBX, 0x80000008 },
    };
    X86Model *m = p->m;

    for (size_t i = 0; i < ARRAY_SIZE(needs); i++) {
        uint32_t leaf = m->features[needs[i].word] ? needs[i].leaf : 0;
        if (leaf >> 31 && !p->xlevel_set) {
            m->xlevel = MAX(m->xlevel, leaf);
        } else if (!(leaf >> 31) && !p->level_set) {
            m->level = MAX(m->level, leaf);
        }
    }
    if (has(m, X86_FEAT_TOPOEXT) && !p->xlevel_set) {
        m->xlevel = MAX(m->xlevel, 0x8000001eu);
    }
    if (has(m, X86_FEAT_XSAVE) && !p->level_set) {
        m->level = MAX(m->level, 0xdu);
    }
}

static bool set_address_bits(Parse *p, Error **errp)
{
    X86Model *m = p->m;

    if (p->host_phys_set && !p->phys_set) {
        m->phys_bits = p->host_phys ? host->phys_bits : 0;
    }
    if (p->host_phys_limit && !p->phys_set) {
        m->phys_bits = (uint8_t)MIN(m->phys_bits, p->host_phys_limit);
    }
    if (!p->phys_set && m->phys_bits) {
        /* the host's */
    } else if (!p->phys_set) {
        m->phys_bits = has(m, X86_FEAT_LM) ? 40 : has(m, X86_FEAT_PSE36) || has(m, X86_FEAT_PAE) ? 36 : 32;
    } else if (m->phys_bits < 32) {
        error_set(errp, "phys-bits should be at least 32 (but is %u)", m->phys_bits);
        return false;
    } else if (m->phys_bits > 52) {
        error_set(errp, "phys-bits should be between 32 and 52 (but is %u)", m->phys_bits);
        return false;
    }
    m->long_mode = has(m, X86_FEAT_LM);
    m->linear_bits = !m->long_mode ? 32 : has(m, X86_FEAT_LA57) ? 57 : 48;
    return true;
}

const char *x86_model_alias(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(aliases); i++) {
        if (!strcmp(aliases[i].name, name)) {
            return aliases[i].row;
        }
    }
    return NULL;
}

/* The row, or max or base, that `name` means; false: no such model. */
static bool start_from(Parse *p, const char *name)
{
    X86Model *m = p->m;
    const char *other = x86_model_alias(name);
    const ModelDesc *row = row_find(other ? other : name);
    if (row) {
        m->name = row->name;
        memcpy(m->vendor, row->vendor, 13);
        snprintf(m->model_id, sizeof(m->model_id), "%s", row->brand ? row->brand : "");
        m->family = row->family;
        m->model = row->model;
        m->stepping = row->stepping;
        m->level = row->level;
        m->xlevel = row->xlevel;
        row_features(row, m->features);
    } else if (host && (!strcmp(name, "max") || !strcmp(name, "host"))) {
        m->name = name[0] == 'm' ? "max" : "host";
        m->is_max = true;
        memcpy(m->vendor, host->vendor, sizeof(m->vendor));
        memcpy(m->model_id, host->model_id, sizeof(m->model_id));
        m->family = host->family;
        m->model = host->model;
        m->stepping = host->stepping;
        m->level = host->level;
        m->xlevel = host->xlevel;
        m->phys_bits = host->phys_bits;
        memcpy(m->features, host->features, sizeof(m->features));
        set(m->features, X86_FEAT_HT, false);
    } else if (!strcmp(name, "max")) {
        bool is64 = p->vcpu->target->word_bits == 64;
        m->name = "max";
        m->is_max = true;
        memcpy(m->vendor, "AuthenticAMD", 13);
        snprintf(m->model_id, sizeof(m->model_id), "QEMU TCG CPU version 2.5+");
        m->family = m->model = 6;
        m->stepping = 3;
        m->level = 0xd;
        m->xlevel = 0x80000008;
        supported_features(m->features, is64);
        set(m->features, X86_FEAT_HT, false);
    } else if (!strcmp(name, "base")) {
        m->name = "base";
        memcpy(m->vendor, "AuthenticAMD", 13);
    } else {
        return false;
    }
    set(m->features, X86_FEAT_HYPERVISOR, true);
    for (unsigned w = 0; host && strcmp(name, "base") && w < X86_N_FEATURE_WORDS; w++) {
        m->features[w] |= host->defaults[w];
    }
    return true;
}

bool x86_model_missing(const Target *target, const char *name, uint32_t ret_bits[X86_N_FEATURE_WORDS])
{
    X86Model m = { .name = NULL };
    Vcpu vcpu = { .target = target };
    Parse p = { .vcpu = &vcpu, .m = &m, .name = name };

    if (!start_from(&p, name)) {
        return false;
    }
    supported_features(ret_bits, target->word_bits == 64);
    for (unsigned w = 0; w < X86_N_FEATURE_WORDS; w++) {
        ret_bits[w] = m.features[w] & ~ret_bits[w];
    }
    return true;
}

bool x86_model_init(Vcpu *vcpu, const char *model, Error **errp)
{
    char *copy = xstrdup(model ? model : vcpu->target->default_cpu);
    char *rest = copy, *name = strsep(&rest, ",");
    X86Model *m = xnew(X86Model);
    Parse p = { .vcpu = vcpu, .m = m, .name = name, .check = true };
    bool ok = true;

    m->accel_leaf = m->kvm_leaf = m->topology_leaf = m->l3_cache = true;
    if (!host && !strcmp(name, "host")) {
        error_set(errp, vcpu->softmmu ? "CPU model 'host' requires KVM or HVF" : "unable to find CPU model 'host'");
        ok = false;
    } else if (!start_from(&p, name)) {
        error_set(errp, "unable to find CPU model '%s'", name);
        ok = false;
    }
    while (ok && rest) {
        char *item = strsep(&rest, ",");
        ok = !*item || parse_one(&p, item, errp);
    }
    if (ok) {
        for (unsigned w = 0; w < X86_N_FEATURE_WORDS; w++) {
            m->features[w] = (m->features[w] | p.plus[w]) & ~p.minus[w];
        }
        ok = mask_features(&p, errp) && set_address_bits(&p, errp);
        if (ok && !vcpu->softmmu && vcpu->target->word_bits == 64 && !m->long_mode) {
            error_set(errp, "The selected x86 CPU does not support 64 bit mode");
            ok = false;
        }
    }
    free(copy);
    if (!ok) {
        free(m);
        return false;
    }
    drop_dependent(m);
    raise_levels(&p);
    x86_cpuid_caches_init(m);
    vcpu->model = m;
    return true;
}

/* -- -cpu help --------------------------------------------------------------------------------------------------- */

enum { N_NAMES = ARRAY_SIZE(models) + ARRAY_SIZE(aliases) };

/* Capitals first, and Foo before Foo-x, as ASCII has it. */
static int by_name(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static size_t sorted_names(const char *names[static N_NAMES])
{
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_SIZE(models); i++) {
        names[n++] = models[i].name;
    }
    for (size_t i = 0; i < ARRAY_SIZE(aliases); i++) {
        names[n++] = aliases[i].name;
    }
    qsort(names, n, sizeof(*names), by_name);
    return n;
}

static void print_model(FILE *out, const char *name)
{
    char text[128] = "";
    const ModelDesc *row = row_find(name);

    for (size_t i = 0; i < ARRAY_SIZE(aliases); i++) {
        if (!strcmp(aliases[i].name, name)) {
            snprintf(text, sizeof(text), aliases[i].by_machine ? "(alias configured by machine type)" : "(alias of %s)", aliases[i].row);
        }
    }
    if (row) {
        snprintf(text, sizeof(text), "%s%s%s", row->brand ? row->brand : "", row->note ? " " : "", row->note ? row->note : "");
    }
    fprintf(out, "  %-20s  %s\n", name, text);
}

static void print_flags(FILE *out)
{
    enum { LINE = 75 };
    const char *names[ARRAY_SIZE(features)];
    size_t n = 0, column = 0;

    for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
        names[n++] = features[i].name;
    }
    qsort(names, n, sizeof(*names), by_name);
    fprintf(out, "\nRecognized CPUID flags:\n");
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(names[i]);
        if (column && column + 1 + len > LINE) {
            fputc('\n', out);
            column = 0;
        }
        column += (size_t)fprintf(out, "%s%s", column ? " " : "  ", names[i]);
    }
    fputc('\n', out);
}

void x86_models_print(FILE *out)
{
    const char *names[N_NAMES];
    size_t n = sorted_names(names);

    fprintf(out, "Available CPUs:\n");
    for (size_t i = 0; i < n; i++) {
        print_model(out, names[i]);
    }
    fprintf(out, "  %-20s  %s\n", "base", "base CPU model type with no features enabled");
    fprintf(out, "  %-20s  %s\n", "host", "processor with all supported host features ");
    fprintf(out, "  %-20s  %s\n", "max", "Enables all features supported by the accelerator in the current host");
    print_flags(out);
}

const char *const *x86_model_names(void)
{
    static const char *names[N_NAMES + 4];

    if (!names[0]) {
        size_t n = sorted_names(names);
        names[n++] = "base";
        names[n++] = "host";
        names[n++] = "max";
    }
    return names;
}
