/*
 * cpu-model.c: CPU models and their properties (-cpu MODEL,prop=value…).
 *
 * A real core is its identification registers, as its Technical Reference Manual gives them; features follow from their fields
 * (id-fields.def). "max" is a list of features, everything there is code for; its fields follow from that. What "max" has not got is taken
 * out of the cores, too: SVE, SME, memory tagging and what else is not in the list.
 */
#include <stdio.h>
#include "target/arm/cpu-model.h"
#include "util/alloc.h"
#include "util/parse.h"

enum { DEFAULT_COUNTER_HZ = 62500000 };

/* Everything there is code for. */
static const char max_features[] = "FP AdvSIMD FP16 BF16 FHM FCMA JSCVT FRINTTS RDM DotProd I8MM DPB DPB2 "
    "LSE LSE2 RCPC RCPC2 CRC32 AES PMULL SHA1 SHA256 SHA512 SHA3 SM3 SM4 FlagM FlagM2 LSE128 MOPS HBC SB RNG CSSC WFxT BTI "
    "EL2 EL3 VHE PAN PAN2 PAN3 UAO HPDS HAF HDBS LVA LPA LPA2 TGRAN16 TGRAN64 TTST VMID16 XNX TTL TTCNP TLBIOS TLBIRANGE BBML2 DIT RAS IDST "
    "E0PD EVT ECV CSV2 CSV3 ETS Debugv8p2 PMUv3 ";

/* The first is "max". */
static const ArmModelDesc models[] = {
    { .name = "max", .counter_hz = 1000000000, .clidr = 0x82000023,
      .ccsidr = { { 0x701fe01a, 0x201fe01a }, { 0x70ffe03a } }, .n_pmu_counters = 6,
      .id = { [ARM_ID_MIDR] = 0x000f0510, [ARM_ID_PFR0] = 0xff2222, [ARM_ID_DFR0] = 0x10305006, [ARM_ID_MMFR0] = 0x1025,
              [ARM_ID_CTR] = 0x8444c004, [ARM_ID_DCZID] = 4 } },
    { .name = "cortex-a35", .id32 = ARM_ID32_V8(0x3010066, 0x10201105, 0x2102211),
      .counter_hz = 62500000, .clidr = 0xa200023,
      .ccsidr = { { 0x700fe01a, 0x200fe01a }, { 0x703fe07a } }, .n_pmu_counters = 6,
      .id = { [ARM_ID_MIDR] = 0x411fd040, [ARM_ID_PFR0] = 0x2222, [ARM_ID_DFR0] = 0x10305106, [ARM_ID_ISAR0] = 0x11120,
              [ARM_ID_MMFR0] = 0x101122, [ARM_ID_CTR] = 0x84448004, [ARM_ID_DCZID] = 0x4 } },
    { .name = "cortex-a53", .id32 = ARM_ID32_V8(0x3010066, 0x10101105, 0x2102211),
      .counter_hz = 62500000, .clidr = 0xa200023,
      .ccsidr = { { 0x700fe01a, 0x203fe002 }, { 0x707fe07a } }, .n_pmu_counters = 6,
      .id = { [ARM_ID_MIDR] = 0x410fd034, [ARM_ID_REVIDR] = 0x100, [ARM_ID_PFR0] = 0x2222, [ARM_ID_DFR0] = 0x10305106,
              [ARM_ID_ISAR0] = 0x11120, [ARM_ID_MMFR0] = 0x1122, [ARM_ID_CTR] = 0x84448004, [ARM_ID_DCZID] = 0x4 } },
    { .name = "cortex-a55", .id32 = ARM_ID32_V82(0x10010131, 0x11011, 0x4010088, 0x21110, 0x11142, 0x1011121, 0x10),
      .counter_hz = 62500000, .clidr = 0x82000023,
      .ccsidr = { { 0x700fe01a, 0x200fe01a }, { 0x703fe07a } }, .n_pmu_counters = 6,
      .id = { [ARM_ID_MIDR] = 0x412fd050, [ARM_ID_PFR0] = 0x10112222, [ARM_ID_PFR1] = 0x10, [ARM_ID_DFR0] = 0x10305408,
              [ARM_ID_ISAR0] = 0x100010211120, [ARM_ID_ISAR1] = 0x100001, [ARM_ID_MMFR0] = 0x101122, [ARM_ID_MMFR1] = 0x10212122,
              [ARM_ID_MMFR2] = 0x1011, [ARM_ID_CTR] = 0x84448004, [ARM_ID_DCZID] = 0x4 } },
    { .name = "cortex-a57", .id32 = ARM_ID32_V8(0x3010066, 0x10101105, 0x2102211),
      .counter_hz = 62500000, .clidr = 0xa200023,
      .ccsidr = { { 0x700fe01a, 0x201fe012 }, { 0x70ffe07a } }, .n_pmu_counters = 6,
      .id = { [ARM_ID_MIDR] = 0x411fd070, [ARM_ID_PFR0] = 0x2222, [ARM_ID_DFR0] = 0x10305106, [ARM_ID_ISAR0] = 0x11120,
              [ARM_ID_MMFR0] = 0x1124, [ARM_ID_CTR] = 0x8444c004, [ARM_ID_DCZID] = 0x4 } },
    { .name = "cortex-a710", .id32 = ARM_ID32_V82(0x21010131, 0x10000, 0x6010099, 0x21021110, 0x10142, 0x11011121, 0x1111111),
      .counter_hz = 62500000, .clidr = 0x1482000023,
      .ccsidr = { { 0xff0000001a, 0xff0000001a }, { 0x3ff0000003a } }, .n_pmu_counters = 20,
      .id = { [ARM_ID_MIDR] = 0x412fd471, [ARM_ID_PFR0] = 0x1201001120111112, [ARM_ID_PFR1] = 0x121, [ARM_ID_ZFR0] = 0x110100110021,
              [ARM_ID_DFR0] = 0xf010305609, [ARM_ID_ISAR0] = 0x221111110212120, [ARM_ID_ISAR1] = 0x10111110211502,
              [ARM_ID_MMFR0] = 0x22200101122, [ARM_ID_MMFR1] = 0x10212122, [ARM_ID_MMFR2] = 0x1221011110101011, [ARM_ID_CTR] = 0x49444c004,
              [ARM_ID_DCZID] = 0x4 } },
    { .name = "cortex-a72", .id32 = ARM_ID32_V8(0x3010066, 0x10201105, 0x2102211),
      .counter_hz = 62500000, .clidr = 0xa200023,
      .ccsidr = { { 0x700fe01a, 0x201fe012 }, { 0x707fe07a } }, .n_pmu_counters = 6,
      .id = { [ARM_ID_MIDR] = 0x410fd083, [ARM_ID_PFR0] = 0x2222, [ARM_ID_DFR0] = 0x10305106, [ARM_ID_ISAR0] = 0x11120,
              [ARM_ID_MMFR0] = 0x1124, [ARM_ID_CTR] = 0x8444c004, [ARM_ID_DCZID] = 0x4 } },
    { .name = "cortex-a76", .id32 = ARM_ID32_V82(0x10010131, 0x10000, 0x4010088, 0x21110, 0x10142, 0x1011121, 0x10),
      .counter_hz = 62500000, .clidr = 0x82000023,
      .ccsidr = { { 0x701fe01a, 0x201fe01a }, { 0x707fe03a } }, .n_pmu_counters = 6,
      .id = { [ARM_ID_MIDR] = 0x414fd0b1, [ARM_ID_PFR0] = 0x1100000010111112, [ARM_ID_PFR1] = 0x10, [ARM_ID_DFR0] = 0x10305408,
              [ARM_ID_ISAR0] = 0x100010211120, [ARM_ID_ISAR1] = 0x100001, [ARM_ID_MMFR0] = 0x101122, [ARM_ID_MMFR1] = 0x10212122,
              [ARM_ID_MMFR2] = 0x1011, [ARM_ID_CTR] = 0x8444c004, [ARM_ID_DCZID] = 0x4 } },
    { .name = "neoverse-n1", .id32 = ARM_ID32_V82(0x10010131, 0x10000, 0x4010088, 0x21110, 0x10142, 0x1011121, 0x10),
      .counter_hz = 62500000, .clidr = 0x82000023,
      .ccsidr = { { 0x701fe01a, 0x201fe01a }, { 0x70ffe03a } }, .n_pmu_counters = 6,
      .id = { [ARM_ID_MIDR] = 0x414fd0c1, [ARM_ID_PFR0] = 0x1100000010111112, [ARM_ID_PFR1] = 0x20, [ARM_ID_DFR0] = 0x10305408,
              [ARM_ID_ISAR0] = 0x100010211120, [ARM_ID_ISAR1] = 0x100001, [ARM_ID_MMFR0] = 0x101125, [ARM_ID_MMFR1] = 0x10212122,
              [ARM_ID_MMFR2] = 0x1011, [ARM_ID_CTR] = 0x8444c004, [ARM_ID_DCZID] = 0x4 } },
    { .name = "neoverse-n2", .id32 = ARM_ID32_V82(0x21010131, 0x10000, 0x6010099, 0x1021110, 0x10142, 0x11011121, 0x1111111),
      .counter_hz = 62500000, .clidr = 0x1482000023,
      .ccsidr = { { 0xff0000001a, 0xff0000001a }, { 0x3ff0000003a } }, .n_pmu_counters = 6,
      .id = { [ARM_ID_MIDR] = 0x410fd493, [ARM_ID_PFR0] = 0x1201001120111112, [ARM_ID_PFR1] = 0x121, [ARM_ID_ZFR0] = 0x110100110021,
              [ARM_ID_DFR0] = 0xf010305609, [ARM_ID_ISAR0] = 0x1221111110212120, [ARM_ID_ISAR1] = 0x11111110211502,
              [ARM_ID_MMFR0] = 0x22200101125, [ARM_ID_MMFR1] = 0x10212122, [ARM_ID_MMFR2] = 0x1221011112101011, [ARM_ID_CTR] = 0x4b444c004,
              [ARM_ID_DCZID] = 0x4 } },
    { .name = "neoverse-v1", .id32 = ARM_ID32_V82(0x21010131, 0x10000, 0x5010099, 0x1021110, 0x10142, 0x11011121, 0x1100111),
      .counter_hz = 62500000, .clidr = 0x82000023,
      .ccsidr = { { 0xff0000001a, 0xff0000001a }, { 0x7ff0000003a } }, .n_pmu_counters = 6,
      .id = { [ARM_ID_MIDR] = 0x411fd402, [ARM_ID_PFR0] = 0x1101000120111112, [ARM_ID_PFR1] = 0x20, [ARM_ID_ZFR0] = 0x100000100000,
              [ARM_ID_DFR0] = 0xf010305509, [ARM_ID_ISAR0] = 0x1011111110212120, [ARM_ID_ISAR1] = 0x11000010211302,
              [ARM_ID_MMFR0] = 0x101125, [ARM_ID_MMFR1] = 0x10212122, [ARM_ID_MMFR2] = 0x220011102101011, [ARM_ID_CTR] = 0xb444c004,
              [ARM_ID_DCZID] = 0x4 } },
};

static const struct { uint8_t ext, reg, bit; int8_t value; } fields[] = {
#define ID_FIELD(ext, reg, bit, value) { ARM_EXT_##ext, ARM_ID_##reg, bit, value },
#include "target/arm/id-fields.def"
#undef ID_FIELD
};

static const struct { const char *id, *requires; } exts[ARM_N_EXTS] = {
#define EXT(id, requires, doc) { #id, requires },
#include "target/arm/ext.def"
#undef EXT
};

static int field_get(const uint64_t *id, unsigned reg, unsigned bit)
{
    return (int)bits_sext(bits_get(id[reg], bit, 4), 4);
}

/* Registers of fields; the others are numbers of another kind. */
static bool is_features(unsigned reg)
{
    return reg != ARM_ID_MIDR && reg != ARM_ID_MPIDR && reg != ARM_ID_REVIDR && reg != ARM_ID_CTR && reg != ARM_ID_DCZID;
}

/* Pointer authentication: which fields say that it is there depends on the algorithm. Levels below 3 have other results (no PAuth2). */
static const struct { uint8_t reg, address, generic; } pauth_kinds[ARM_N_PAUTH_KINDS] = {
    [ARM_PAUTH_QARMA5] = { ARM_ID_ISAR1, 4, 24 }, [ARM_PAUTH_IMPDEF] = { ARM_ID_ISAR1, 8, 28 }, [ARM_PAUTH_QARMA3] = { ARM_ID_ISAR2, 12, 8 },
};
enum { PAUTH_LEVEL_MIN = 3, PAUTH_LEVEL_MAX = 5 };

/* Of the fields of one kind; ret_kind may be NULL. */
unsigned arm_pauth_level(const uint64_t *id, unsigned *ret_kind)
{
    for (unsigned k = 0; k < ARM_N_PAUTH_KINDS; k++) {
        unsigned level = (unsigned)bits_get(id[pauth_kinds[k].reg], pauth_kinds[k].address, 4);
        if (level) {
            if (ret_kind) {
                *ret_kind = k;
            }
            return level;
        }
    }
    return 0;
}

void arm_pauth_put(ArmModel *m, unsigned kind, unsigned level)
{
    level = level < PAUTH_LEVEL_MIN ? 0 : MIN(level, (unsigned)PAUTH_LEVEL_MAX);
    for (unsigned k = 0; k < ARM_N_PAUTH_KINDS; k++) {
        uint64_t *reg = &m->id[pauth_kinds[k].reg];
        *reg = bits_set(*reg, pauth_kinds[k].address, 4, k == kind ? level : 0);
        *reg = bits_set(*reg, pauth_kinds[k].generic, 4, k == kind && level);
    }
    m->ext[ARM_EXT_PAuth] = level;
    m->ext[ARM_EXT_FPAC] = level >= 4;
    m->ext[ARM_EXT_FPACCOMBINE] = level >= 5;
    m->ext[ARM_EXT_PACIMP] = level && kind == ARM_PAUTH_IMPDEF;
    m->ext[ARM_EXT_PACQARMA3] = level && kind == ARM_PAUTH_QARMA3;
}

static bool is_pauth(unsigned reg, unsigned bit)
{
    for (unsigned k = 0; k < ARM_N_PAUTH_KINDS; k++) {
        if (reg == pauth_kinds[k].reg && (bit == pauth_kinds[k].address || bit == pauth_kinds[k].generic)) {
            return true;
        }
    }
    return false;
}

/* ext[] from id[]. */
static void derive_features(ArmModel *m)
{
    unsigned kind = 0, level = arm_pauth_level(m->id, &kind);

    bool missing[ARM_N_EXTS] = { false }, known[ARM_N_EXTS] = { false };

    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        known[fields[i].ext] = true;
        missing[fields[i].ext] |= field_get(m->id, fields[i].reg, fields[i].bit) < fields[i].value;
    }
    for (unsigned e = 0; e < ARM_N_EXTS; e++) {
        m->ext[e] = known[e] && !missing[e];
    }
    arm_pauth_put(m, kind, level);
}

static void feature_on(ArmModel *m, unsigned ext)
{
    m->ext[ext] = true;
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        if (fields[i].ext == ext && field_get(m->id, fields[i].reg, fields[i].bit) < fields[i].value) {
            m->id[fields[i].reg] = bits_set(m->id[fields[i].reg], fields[i].bit, 4, (uint64_t)fields[i].value);
        }
    }
}

void arm_model_feature_off(ArmModel *m, unsigned ext)
{
    m->ext[ext] = false;
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) { /* a value means all that lower ones do */
        if (fields[i].ext == ext && field_get(m->id, fields[i].reg, fields[i].bit) >= fields[i].value) {
            m->id[fields[i].reg] = bits_set(m->id[fields[i].reg], fields[i].bit, 4, (uint64_t)(fields[i].value - 1) & 15);
        }
    }
    arm_model32_lower(m, ext);
    for (unsigned e = 0; e < ARM_N_EXTS; e++) {
        for (const char *p = exts[e].requires; m->ext[e] && *p; p += strcspn(p, " "), p += *p == ' ') {
            if (arm_ext_find(p, strcspn(p, " ")) == (int)ext) {
                arm_model_feature_off(m, e);
            }
        }
    }
}

int arm_ext_find(const char *name, size_t n)
{
    for (unsigned e = 0; e < ARM_N_EXTS; e++) {
        if (strlen(exts[e].id) == n && !strncmp(exts[e].id, name, n)) {
            return (int)e;
        }
    }
    return -1;
}

static void make_max(ArmModel *m)
{
    memcpy(m->id, models[0].id, sizeof(m->id));
    derive_features(m);
    for (const char *p = max_features; *p; p += strcspn(p, " ") + 1) {
        int e = arm_ext_find(p, strcspn(p, " "));
        assert(e >= 0); /* our own table */
        feature_on(m, (unsigned)e);
    }
    arm_pauth_put(m, ARM_PAUTH_IMPDEF, PAUTH_LEVEL_MAX);
}

/* A core, less what there is no code for. */
static void make_core(ArmModel *m, const ArmModelDesc *desc)
{
    ArmModel max = { .name = NULL };

    make_max(&max);
    memcpy(m->id, desc->id, sizeof(m->id));
    for (unsigned r = 0; r < ARM_N_ID_REGS; r++) {
        for (unsigned bit = 0; is_features(r) && bit < 64; bit += 4) {
            if (!is_pauth(r, bit) && field_get(m->id, r, bit) > field_get(max.id, r, bit)) {
                m->id[r] = bits_set(m->id[r], bit, 4, bits_get(max.id[r], bit, 4));
            }
        }
    }
    m->id[ARM_ID_CTR] &= ~BIT(29); /* DIC: translated code is looked at anew where IC IVAU says so */
    derive_features(m);
}

/* What is said again in numbers of its own. */
static void derive_numbers(ArmModel *m, const ArmModelDesc *desc)
{
    static const uint8_t pa_bits[] = { 32, 36, 40, 42, 44, 48, 52 };

    m->clidr = desc->clidr;
    memcpy(m->ccsidr, desc->ccsidr, sizeof(m->ccsidr));
    m->pa_bits = pa_bits[MIN(bits_get(m->id[ARM_ID_MMFR0], 0, 4), ARRAY_SIZE(pa_bits) - 1)];
    m->n_breakpoints = (uint8_t)(bits_get(m->id[ARM_ID_DFR0], 12, 4) + 1);
    m->n_watchpoints = (uint8_t)(bits_get(m->id[ARM_ID_DFR0], 20, 4) + 1);
    m->n_pmu_counters = desc->n_pmu_counters;
}

/* AArch32 alone. */
static void make_core32(ArmModel *m, const ArmModelDesc *desc)
{
    memcpy(m->id, desc->id, sizeof(m->id));
    arm_model32_derive(m, desc, true);
    m->clidr = desc->clidr;
    memcpy(m->ccsidr, desc->ccsidr, sizeof(m->ccsidr));
    m->pa_bits = m->ext[ARM_EXT_LPAE] ? 40 : 32;
    m->n_breakpoints = 6;
    m->n_watchpoints = 4;
    m->n_pmu_counters = desc->n_pmu_counters;
}

static void make_core64(ArmModel *m, const ArmModelDesc *desc)
{
    desc == models ? make_max(m) : make_core(m, desc);
    arm_model32_derive(m, desc == models ? arm_model32_find("max") : desc, false);
    m->aarch64 = true;
}

static const ArmModelDesc *find_core64(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(models); i++) {
        if (!strcmp(models[i].name, name)) {
            return &models[i];
        }
    }
    return NULL;
}

void arm_model_add_mte(ArmModel *m)
{
    feature_on(m, ARM_EXT_MTE);
    feature_on(m, ARM_EXT_MTE3);
}

bool arm_model_only32(const char *model)
{
    size_t n = model ? strcspn(model, ",") : 0;
    char *name = xasprintf("%.*s", (int)n, model ? model : "");
    bool only32 = !find_core64(name) && arm_model32_find(name);

    for (const char *p = model ? model + n : ""; *p && !only32; p += strcspn(p, ",")) {
        p++;
        only32 = !strncmp(p, "aarch64=off", 11) && (!p[11] || p[11] == ',');
    }
    free(name);
    return only32;
}

/* A core of both states that does without AArch64. */
static void drop_aarch64(ArmModel *m)
{
    bool el2 = m->ext[ARM_EXT_EL2], el3 = m->ext[ARM_EXT_EL3];

    m->ext[ARM_EXT_VHE] = m->ext[ARM_EXT_SEL2] = m->ext[ARM_EXT_PAuth] = m->ext[ARM_EXT_BTI] = m->ext[ARM_EXT_MTE] = m->ext[ARM_EXT_UAO] = false;
    m->ext[ARM_EXT_EL2] = el2;
    m->ext[ARM_EXT_EL3] = el3;
    m->aarch64 = false;
    m->pa_bits = MIN(m->pa_bits, 40);
}

bool arm_model_init(Vcpu *vcpu, const char *model, Error **errp)
{
    char *copy = xstrdup(model && *model ? model : vcpu->target->default_cpu);
    char *rest = copy, *name = strsep(&rest, ",");
    bool only32 = vcpu->target->word_bits == 32, aarch64 = !only32;
    const ArmModelDesc *desc = aarch64 ? find_core64(name) : arm_model32_find(name);
    ArmCpuChoice choice = { .no_pauth = false };
    Error *err = NULL;

    if (desc && aarch64 && arm_model_only32(model)) {
        error_set(errp, "'aarch64' feature cannot be disabled: this program runs that state");
        free(copy);
        return false;
    }
    if (!desc && only32 && arm_model_only32(model)) {
        desc = find_core64(name);
        aarch64 = desc;
    }
    if (!desc) {
        error_set(errp, "unable to find CPU model '%s'", name);
        free(copy);
        return false;
    }
    ArmModel *m = xnew(ArmModel);
    m->name = desc->name;
    m->counter_hz = desc->counter_hz ? desc->counter_hz : DEFAULT_COUNTER_HZ;
    (aarch64 ? make_core64 : make_core32)(m, desc);
    if (desc == models && !vcpu->softmmu) { /* machines: arm_cpu_set_tags() */
        arm_model_add_mte(m);
    }
    while (!err && rest) {
        char *value = strsep(&rest, ","), *prop = strsep(&value, "=");
        if (*prop) {
            arm_set_property(m, &choice, prop, value ? value : "on", &err);
        }
    }
    if (!err) {
        arm_properties_finish(m, &choice, &err);
    }
    free(copy);
    if (err) {
        error_propagate(errp, err);
        free(m);
        return false;
    }
    if (aarch64) {
        derive_numbers(m, desc);
    }
    if (only32 && aarch64) {
        drop_aarch64(m);
    }
    vcpu->model = m;
    return true;
}

static void names_print(FILE *out, const char *const *names)
{
    fprintf(out, "Available CPUs:\n");
    for (; *names; names++) {
        fprintf(out, "  %s\n", *names);
    }
}

void arm_models_print(FILE *out) { names_print(out, arm_model_names()); }
void arm_models32_print(FILE *out) { names_print(out, arm_model32_names()); }

static int by_name(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

void arm_model_sort_names(const ArmModelDesc *from, size_t n, const char **names)
{
    const char **sorted = xmalloc(n * sizeof(*sorted));

    for (size_t i = 0; i < n; i++) {
        sorted[i] = from[i].name;
    }
    qsort(sorted, n, sizeof(*sorted), by_name);
    memcpy(names, sorted, n * sizeof(*sorted)); /* threads write the same */
    free(sorted);
}

const char *const *arm_model_names(void)
{
    static const char *names[ARRAY_SIZE(models) + 1];

    arm_model_sort_names(models, ARRAY_SIZE(models), names);
    return names;
}
