/*
 * cpu-model.c: CPU models and their properties (-cpu MODEL,prop=value…).
 *
 * A model is an ISA string plus a few numbers. Properties turn extensions on and off; what one needs must be there, what
 * one implies comes with it unless it was turned off by name.
 */
#include <stdio.h>
#include <ctype.h>
#include "target/riscv/cpu.h"
#include "util/alloc.h"
#include "util/json.h"
#include "util/parse.h"

enum { EXT_HIDDEN = 1, EXT_FIXED = 2 };

typedef struct ExtInfo {
    const char *id, *requires, *implies, *doc;
    uint8_t flags;
} ExtInfo;

static const ExtInfo exts[RISCV_N_EXTS] = {
#define EXT(id, flags, requires, implies, doc) [RISCV_EXT_##id] = { #id, requires, implies, doc, flags },
#include "target/riscv/ext.def"
#undef EXT
};

typedef struct ModelDesc {
    const char *name;
    uint8_t xlen;
    uint8_t satp;
    const char *isa;          /* ids separated by blanks */
    uint64_t mvendorid, marchid, mimpid;
} ModelDesc;

#define BASE "I M A F D C S U Zicsr Zifencei Zicntr Zihpm Sdtrig "
#define GENERAL BASE "Zic64b Zicbom Zicbop Zicboz Ziccamoa Ziccif Zicclsm Ziccrse Zihintntl Zihintpause Za64rs Zawrs Zfa " \
    "Zba Zbb Zbc Zbs Ssccptr Sscounterenw Ssstrict Sstc Sstvala Sstvecd Svadu Svvptc "
#define RVA22U BASE "B Zic64b Zicbom Zicbop Zicboz Ziccamoa Ziccif Zicclsm Ziccrse Zihintpause Za64rs Zfhmin Zkt "
#define RVA22S RVA22U "Ssccptr Sscounterenw Ssstrict Sstvala Sstvecd Ssu64xl Svade Svinval Svpbmt "
#define RVA23U RVA22U "V Zvfhmin Zvbb Zvkt Zicond Zihintntl Zimop Zawrs Zfa Zcb Zcmop "
#define RVA23S RVA23U "Ssccptr Sscounterenw Ssstrict Sstvala Sstvecd Ssu64xl Sstc Svade Svinval Svnapot Svpbmt "
#define ALL GENERAL "B Zalasr Zfbfmin Svrsw60t59b Zicond Zimop Zacas Zabha Zama16b Zfh Zcb Zcmop Zk Zks " \
    "V Zvfh Zvfbfmin Zvfbfwma Zvbb Zvbc Zvkng Zvksg Zvknha Smepmp Smstateen Svinval Svnapot Svpbmt "

static const ModelDesc models[] = {
    { "max", 32, RISCV_SATP_SV32, ALL },
    { "max", 64, RISCV_SATP_SV57, ALL "Ssu64xl" },
    { "rv32", 32, RISCV_SATP_SV32, GENERAL },
    { "rv32i", 32, RISCV_SATP_BARE, "I" },
    { "rv64", 64, RISCV_SATP_SV57, GENERAL "Ssu64xl" },
    { "rv64i", 64, RISCV_SATP_BARE, "I" },
    { "rva22s64", 64, RISCV_SATP_SV39, RVA22S },
    { "rva22u64", 64, RISCV_SATP_SV39, RVA22U },
    { "rva23s64", 64, RISCV_SATP_SV39, RVA23S },
    { "rva23u64", 64, RISCV_SATP_SV39, RVA23U },
    { "sifive-e31", 32, RISCV_SATP_BARE, "I M A C U Zicsr Zifencei Zicntr Zihpm Sdtrig", 0x489 },
    { "sifive-e51", 64, RISCV_SATP_BARE, "I M A C U Zicsr Zifencei Zicntr Zihpm Sdtrig", 0x489 },
    { "sifive-u34", 32, RISCV_SATP_SV32, BASE, 0x489 },
    { "sifive-u54", 64, RISCV_SATP_SV39, BASE, 0x489 },
};

/* Lower case, into a static-size buffer. */
static const char *lower(const char *id, char out[32])
{
    size_t n = 0;

    for (; id[n] && n < 31; n++) {
        out[n] = (char)tolower((unsigned char)id[n]);
    }
    out[n] = 0;
    return out;
}

static int ext_find(const char *name, size_t n)
{
    for (int i = 0; i < RISCV_N_EXTS; i++) {
        char id[32];
        if (strlen(exts[i].id) == n && !strncasecmp(lower(exts[i].id, id), name, n)) {
            return i;
        }
    }
    return -1;
}

/* Calls fn for each blank-separated extension of a list. */
static int next_ext(const char **list)
{
    while (**list == ' ') {
        (*list)++;
    }
    size_t n = strcspn(*list, " ");
    if (!n) {
        return -1;
    }
    int e = ext_find(*list, n);
    assert(e >= 0); /* our own tables */
    *list += n;
    return e;
}

typedef enum Setting { UNSET, ON, OFF } Setting;

static void imply(RiscvModel *m, const Setting *set)
{
    for (bool changed = true; changed;) {
        changed = false;
        for (int e = 0; e < RISCV_N_EXTS; e++) {
            const char *list = exts[e].implies;
            for (int i; m->ext[e] && (i = next_ext(&list)) >= 0;) {
                if (!m->ext[i] && set[i] != OFF) {
                    changed = m->ext[i] = true;
                }
            }
        }
    }
    /* C means the compressed loads and stores of the floating point that is there. */
    if (set[RISCV_EXT_Zcd] == UNSET) {
        m->ext[RISCV_EXT_Zcd] = m->ext[RISCV_EXT_C] && m->ext[RISCV_EXT_D];
    }
    m->ext[RISCV_EXT_Zcf] = m->xlen == 32 && m->ext[RISCV_EXT_C] && m->ext[RISCV_EXT_F];
}

static bool check(const RiscvModel *m, Error **errp)
{
    for (int e = 0; e < RISCV_N_EXTS; e++) {
        const char *list = exts[e].requires;
        for (int r; m->ext[e] && (r = next_ext(&list)) >= 0;) {
            if (!m->ext[r]) {
                error_set(errp, "%s extension requires %s extension", exts[e].id, exts[r].id);
                return false;
            }
        }
    }
    if ((m->ext[RISCV_EXT_Zcmp] || m->ext[RISCV_EXT_Zcmt]) && m->ext[RISCV_EXT_Zcd]) {
        error_set(errp, "Zcmp/Zcmt extensions are incompatible with Zcd extension");
        return false;
    }
    if (!m->ext[RISCV_EXT_I]) {
        error_set(errp, "a RISC-V CPU needs the I extension");
        return false;
    }
    return true;
}

static void make_isa_string(RiscvModel *m)
{
    size_t at = (size_t)snprintf(m->isa, sizeof(m->isa), "rv%d", m->xlen);
    char id[32];

    for (int e = 0; e < RISCV_N_EXTS; e++) {
        if (!m->ext[e] || (exts[e].flags & EXT_HIDDEN)) {
            continue;
        }
        bool is_long = exts[e].id[1];
        /* A long name after a single letter needs the separator as well. */
        at += (size_t)snprintf(m->isa + at, sizeof(m->isa) - at, "%s%s", is_long ? "_" : "", lower(exts[e].id, id));
        assert(at < sizeof(m->isa));
    }
}

static bool parse_block(const char *name, const char *value, uint16_t *ret, Error **errp)
{
    uint64_t v;

    if (!parse_uint(name, value, 4096, &v, errp)) {
        return false;
    }
    if (!bits_is_pow2(v) || v < 8) {
        error_set(errp, "Parameter '%s' expects a power of two from 8 to 4096", name);
        return false;
    }
    *ret = (uint16_t)v;
    return true;
}

static bool set_property(RiscvModel *m, Setting *set, const char *name, const char *value, Error **errp)
{
    static const struct { const char *name; uint8_t mode, xlen; } satp[] = {
        { "sv32", RISCV_SATP_SV32, 32 }, { "sv39", RISCV_SATP_SV39, 64 }, { "sv48", RISCV_SATP_SV48, 64 },
        { "sv57", RISCV_SATP_SV57, 64 },
    };
    bool on;
    uint64_t v;
    int e = !strcmp(name, "debug") ? RISCV_EXT_Sdtrig : ext_find(name, strlen(name));

    if (e >= 0 && !(exts[e].flags & EXT_FIXED)) {
        if (!parse_bool(name, value, &on, errp)) {
            return false;
        }
        m->ext[e] = on;
        set[e] = on ? ON : OFF;
        /* Turning a group off takes what it brought along. */
        const char *list = exts[e].implies;
        for (int i; !on && (i = next_ext(&list)) >= 0;) {
            if (set[i] == UNSET) {
                m->ext[i] = false;
            }
        }
        return true;
    }
    for (size_t i = 0; i < ARRAY_SIZE(satp); i++) {
        if (!strcmp(name, satp[i].name) && satp[i].xlen == m->xlen) {
            if (!parse_bool(name, value, &on, errp)) {
                return false;
            }
            m->satp_max = on ? MAX(m->satp_max, satp[i].mode)
                             : MIN(m->satp_max, i <= 1 ? RISCV_SATP_BARE : satp[i - 1].mode);
            return true;
        }
    }
    if (!strcmp(name, "mmu")) {
        return parse_bool(name, value, &m->mmu, errp);
    } else if (!strcmp(name, "pmp")) {
        return parse_bool(name, value, &m->pmp, errp);
    } else if (!strcmp(name, "num-pmp-regions")) {
        if (!parse_uint(name, value, 64, &v, errp)) {
            return false;
        }
        m->n_pmp = (uint8_t)v;
        return true;
    } else if (!strcmp(name, "cbom_blocksize")) {
        return parse_block(name, value, &m->cbom_bytes, errp);
    } else if (!strcmp(name, "cbop_blocksize")) {
        return parse_block(name, value, &m->cbop_bytes, errp);
    } else if (!strcmp(name, "cboz_blocksize")) {
        return parse_block(name, value, &m->cboz_bytes, errp);
    } else if (!strcmp(name, "vlen")) {
        if (!parse_uint(name, value, UINT16_MAX, &v, errp)) {
            return false;
        }
        if (!bits_is_pow2(v) || v < 128 || v > 8 * RVV_MAX_VLENB) {
            error_set(errp, "Vector extension implementation only supports VLEN a power of two in the range [128, %d]",
                      8 * RVV_MAX_VLENB);
            return false;
        }
        m->vlen_bits = (uint16_t)v;
        return true;
    } else if (!strcmp(name, "elen")) {
        if (!parse_uint(name, value, UINT16_MAX, &v, errp)) {
            return false;
        }
        if (v != 32 && v != 64) {
            error_set(errp, "Vector extension implementation only supports ELEN 32 or 64");
            return false;
        }
        m->elen_bits = (uint8_t)v;
        return true;
    } else if (!strcmp(name, "vext_spec")) {
        if (strcmp(value, "v1.0")) {
            error_set(errp, "Unsupported vector spec version '%s'", value);
            return false;
        }
        return true;
    } else if (!strcmp(name, "mvendorid")) {
        return parse_uint(name, value, UINT32_MAX, &m->mvendorid, errp);
    } else if (!strcmp(name, "marchid")) {
        return parse_uint(name, value, UINT64_MAX, &m->marchid, errp);
    } else if (!strcmp(name, "mimpid")) {
        return parse_uint(name, value, UINT64_MAX, &m->mimpid, errp);
    }
    error_set(errp, "Property '%s-riscv-cpu.%s' not found", m->name, name);
    return false;
}

/* What the vector unit looks at. */
static void set_vector_features(RiscvModel *m)
{
    const bool *x = m->ext;

    if (!x[RISCV_EXT_Zve64x]) {
        m->elen_bits = 32;
    }
    m->vector = (RvvFeatures){
        .f16_full = x[RISCV_EXT_Zvfh], .f16_convert = x[RISCV_EXT_Zvfhmin], .f32 = x[RISCV_EXT_Zve32f],
        .f64 = x[RISCV_EXT_Zve64d], .bf16_convert = x[RISCV_EXT_Zvfbfmin], .bf16_fma = x[RISCV_EXT_Zvfbfwma],
        .zvbb = x[RISCV_EXT_Zvbb], .zvbc = x[RISCV_EXT_Zvbc], .zvkb = x[RISCV_EXT_Zvkb],
        .zvkg = x[RISCV_EXT_Zvkg], .zvkned = x[RISCV_EXT_Zvkned], .zvknha = x[RISCV_EXT_Zvknha],
        .zvknhb = x[RISCV_EXT_Zvknhb], .zvksed = x[RISCV_EXT_Zvksed], .zvksh = x[RISCV_EXT_Zvksh],
    };
}

bool riscv_model_init(Vcpu *vcpu, const char *model, Error **errp)
{
    unsigned xlen = vcpu->target->word_bits;
    char *copy = xstrdup(model && *model ? model : vcpu->target->default_cpu);
    char *rest = copy, *name = strsep(&rest, ",");
    Setting set[RISCV_N_EXTS] = { UNSET };
    const ModelDesc *desc = NULL;

    for (size_t i = 0; i < ARRAY_SIZE(models); i++) {
        if (!strcmp(models[i].name, name) && models[i].xlen == xlen) {
            desc = &models[i];
        }
    }
    if (!desc) {
        error_set(errp, "unable to find CPU model '%s'", name);
        free(copy);
        return false;
    }
    RiscvModel *m = xnew(RiscvModel);
    m->name = desc->name;
    m->xlen = xlen;
    m->satp_max = desc->satp;
    m->mmu = m->pmp = true;
    m->n_pmp = 16;
    m->cbom_bytes = m->cbop_bytes = m->cboz_bytes = 64;
    m->vlen_bits = 128;
    m->elen_bits = 64;
    m->mvendorid = desc->mvendorid;
    m->marchid = desc->marchid;
    m->mimpid = desc->mimpid;
    m->ext[xlen == 64 ? RISCV_EXT_rv64 : RISCV_EXT_rv32] = true;
    const char *list = desc->isa;
    for (int e; (e = next_ext(&list)) >= 0;) {
        m->ext[e] = true;
    }
    imply(m, set);

    bool ok = true;
    while (ok && rest) {
        char *value = strsep(&rest, ","), *prop = strsep(&value, "=");
        if (!*prop) {
            continue;
        }
        ok = set_property(m, set, prop, value ? value : "on", errp); /* old forms: a bare name is on */
    }
    free(copy);
    if (ok) {
        imply(m, set);
        ok = check(m, errp);
    }
    if (!ok) {
        free(m);
        return false;
    }
    set_vector_features(m);
    if (!m->mmu) {
        m->satp_max = RISCV_SATP_BARE;
    }
    make_isa_string(m);
    vcpu->model = m;
    return true;
}

/* Properties as set_property() knows them, with what they are now. */
Json *riscv_model_props(const Vcpu *vcpu, bool full)
{
    const RiscvModel *m = vcpu->model;
    Json *props = json_object();

    for (unsigned e = 0; e < RISCV_N_EXTS; e++) {
        char name[24];
        size_t n = strlen(exts[e].id);

        if (exts[e].flags & (EXT_FIXED | EXT_HIDDEN) || n >= sizeof(name)) {
            continue;
        }
        for (size_t i = 0; i <= n; i++) {
            name[i] = (char)tolower((unsigned char)exts[e].id[i]);
        }
        json_put_bool(props, name, m->ext[e]);
    }
    json_put_bool(props, "mmu", m->mmu);
    json_put_bool(props, "pmp", m->pmp);
    json_put_uint(props, "num-pmp-regions", m->n_pmp);
    json_put_uint(props, "cbom_blocksize", m->cbom_bytes);
    json_put_uint(props, "cbop_blocksize", m->cbop_bytes);
    json_put_uint(props, "cboz_blocksize", m->cboz_bytes);
    json_put_uint(props, "vlen", m->vlen_bits);
    json_put_uint(props, "elen", m->elen_bits);
    json_put_uint(props, "mvendorid", m->mvendorid);
    json_put_uint(props, "marchid", m->marchid);
    json_put_uint(props, "mimpid", m->mimpid);
    return props;
}

void riscv_models_print(FILE *out, unsigned xlen)
{
    fprintf(out, "Available CPUs:\n");
    for (size_t i = 0; i < ARRAY_SIZE(models); i++) {
        if (models[i].xlen == xlen) {
            fprintf(out, "  %s\n", models[i].name);
        }
    }
}

static const char *const *model_names(unsigned xlen, const char **names)
{
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_SIZE(models); i++) {
        if (models[i].xlen == xlen) {
            names[n++] = models[i].name;
        }
    }
    return names;
}

const char *const *riscv64_model_names(void)
{
    static const char *names[ARRAY_SIZE(models) + 1];
    return model_names(64, names);
}

const char *const *riscv32_model_names(void)
{
    static const char *names[ARRAY_SIZE(models) + 1];
    return model_names(32, names);
}

uint64_t riscv_hwcap(const Vcpu *vcpu)
{
    const RiscvModel *m = riscv_model(vcpu);
    uint64_t cap = 0;

    for (int e = 0; e < RISCV_N_EXTS; e++) {
        char id[32];
        if (m->ext[e] && !exts[e].id[1] && !(exts[e].flags & EXT_HIDDEN) && e != RISCV_EXT_B) {
            cap |= BIT(lower(exts[e].id, id)[0] - 'a');
        }
    }
    return cap;
}
