/*
 * regs.c: registers and the target description, both from the target's register table (RegDesc). A description
 * is "target.xml" including one file per register group; groups carry gdb's standard feature names.
 */
#include "gdbstub/internal.h"

static const RegDesc *find(Vcpu *vcpu, unsigned number)
{
    size_t n;
    const RegDesc *regs = vcpu->target->regs(vcpu, &n);

    /* Tables are in order of number almost everywhere. */
    if (number < n && regs[number].number == number) {
        return &regs[number];
    }
    for (size_t i = 0; i < n; i++) {
        if (regs[i].number == number) {
            return &regs[i];
        }
    }
    return NULL;
}

size_t gdb_reg_read(Vcpu *vcpu, unsigned number, void *out, size_t room)
{
    const RegDesc *reg = find(vcpu, number);
    size_t bytes = reg ? reg->bits / 8 : 0;

    if (!reg || bytes > room) {
        return 0;
    }
    if (reg->offset != UINT32_MAX) {
        memcpy(out, vcpu->state + reg->offset, bytes);
    } else if (!vcpu->target->reg_read(vcpu, reg, out)) {
        return 0;
    }
    return bytes;
}

size_t gdb_reg_write(Vcpu *vcpu, unsigned number, const void *in, size_t n)
{
    const RegDesc *reg = find(vcpu, number);
    size_t bytes = reg ? reg->bits / 8 : 0;

    if (!reg || n < bytes) {
        return 0;
    }
    if (reg->offset != UINT32_MAX) {
        memcpy(vcpu->state + reg->offset, in, bytes);
    } else if (!vcpu->target->reg_write(vcpu, reg, in)) {
        return 0;
    }
    return bytes;
}

unsigned gdb_reg_count_general(Vcpu *vcpu)
{
    size_t n;
    const RegDesc *regs = vcpu->target->regs(vcpu, &n);
    unsigned count = 0;

    for (size_t i = 0; i < n; i++) {
        if (!strcmp(regs[i].group, "general")) {
            count = MAX(count, regs[i].number + 1u);
        }
    }
    return count;
}

static const char *feature_name(const Target *target, const char *group)
{
    const char *name = target->gdb_feature ? target->gdb_feature(group) : NULL;
    return name ? name : group;
}

char *gdb_target_xml(Vcpu *vcpu, const char *annex)
{
    const Target *target = vcpu->target;
    GdbText text = { 0 };
    size_t n;
    const RegDesc *regs = target->regs(vcpu, &n);

    if (!strcmp(annex, "target.xml")) {
        gdb_text_add(&text, "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target>"
                     "<architecture>%s</architecture>", target->gdb_arch ? target->gdb_arch : target->name);
        for (size_t i = 0; i < n; i++) {
            if (i == 0 || strcmp(regs[i].group, regs[i - 1].group)) {
                gdb_text_add(&text, "<xi:include href=\"%s.xml\"/>", regs[i].group);
            }
        }
        gdb_text_add(&text, "</target>");
    } else {
        size_t len = strlen(annex);
        bool open = false;
        for (size_t i = 0; i < n; i++) {
            const RegDesc *reg = &regs[i];
            if (len < 5 || strlen(reg->group) != len - 4 || strncmp(reg->group, annex, len - 4) ||
                strcmp(annex + len - 4, ".xml")) {
                continue;
            }
            if (!open) {
                open = true;
                gdb_text_add(&text, "<?xml version=\"1.0\"?><!DOCTYPE feature SYSTEM \"gdb-target.dtd\">"
                             "<feature name=\"%s\">", feature_name(target, reg->group));
                const char *types = target->gdb_types ? target->gdb_types(reg->group) : NULL;
                if (types) {
                    gdb_text_add(&text, "%s", types);
                }
                /* gdb's name for a register that holds either format; it is not predefined. */
                if (!strcmp(reg->gdb_type, "riscv_double")) {
                    gdb_text_add(&text, "<union id=\"riscv_double\"><field name=\"float\" type=\"ieee_single\"/>"
                                 "<field name=\"double\" type=\"ieee_double\"/></union>");
                }
                if (!strcmp(reg->group, "vector")) {
                    for (unsigned lane = 8; lane <= 64; lane *= 2) {
                        gdb_text_add(&text, "<vector id=\"v%u\" type=\"uint%u\" count=\"%u\"/>", lane, lane,
                                     reg->bits / lane);
                    }
                    gdb_text_add(&text, "<union id=\"vector\"><field name=\"b\" type=\"v8\"/><field name=\"s\" type=\"v16\"/>"
                                 "<field name=\"w\" type=\"v32\"/><field name=\"l\" type=\"v64\"/></union>");
                }
            }
            gdb_text_add(&text, "<reg name=\"%s\" bitsize=\"%u\" regnum=\"%u\" type=\"%s\"/>", reg->name, reg->bits,
                         reg->number, !strcmp(reg->group, "vector") && reg->bits > 64 ? "vector" : reg->gdb_type);
        }
        if (!open) {
            return NULL;
        }
        gdb_text_add(&text, "</feature>");
    }
    *vec_push(&text) = 0;
    return text.at;
}

/* gdb's signal numbers by Linux's (asm-generic numbering), 1..31. */
static const uint8_t gdb_signals[32] = {
    0, 1, 2, 3, 4, 5, 6, 10, 8, 9, 30, 11, 31, 13, 14, 15, 0, 20, 19, 17, 18, 21, 22, 16, 24, 25, 26, 27, 28, 23, 32, 12,
};

int gdb_signal_from_linux(int signal)
{
    if (signal < 32) {
        return signal > 0 ? gdb_signals[signal] : 0;
    }
    return signal == 32 ? 77 : signal == 64 ? 78 : signal + 12; /* real-time 33..63 are 45..75 */
}

int gdb_signal_to_linux(int signal)
{
    for (int i = 1; i <= 64; i++) {
        if (signal && gdb_signal_from_linux(i) == signal) {
            return i;
        }
    }
    return 0;
}
