/*
 * gdb.c: registers as gdb and the monitor see them: org.gnu.gdb.aarch64.core (x0 to x30, sp, pc, cpsr: 0 to 33) and .fpu (v0 to v31,
 * fpsr, fpcr: 34 to 67).
 */
#include <stdio.h>
#include "target/arm/system.h"
#include "util/log.h"

enum { GDB_SP = 31, GDB_PC = 32, GDB_CPSR = 33, GDB_V0 = 34, GDB_FPSR = 66, GDB_FPCR = 67, N_REGS = 68 };

static const char *const names[N_REGS] = {
    "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "x18", "x19", "x20",
    "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "x29", "x30", "sp", "pc", "cpsr",
    "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20",
    "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31", "fpsr", "fpcr",
};

const char *arm_gdb_feature(const char *group)
{
    return !strcmp(group, "general") ? "org.gnu.gdb.aarch64.core" : !strcmp(group, "float") ? "org.gnu.gdb.aarch64.fpu" : NULL;
}

const char *arm_gdb_types(const char *group)
{
    if (!strcmp(group, "general")) {
        return "<flags id=\"cpsr_flags\" size=\"4\"><field name=\"SP\" start=\"0\" end=\"0\"/><field name=\"EL\" start=\"2\" end=\"3\"/>"
               "<field name=\"nRW\" start=\"4\" end=\"4\"/><field name=\"F\" start=\"6\" end=\"6\"/><field name=\"I\" start=\"7\" end=\"7\"/>"
               "<field name=\"A\" start=\"8\" end=\"8\"/><field name=\"D\" start=\"9\" end=\"9\"/><field name=\"V\" start=\"28\" end=\"28\"/>"
               "<field name=\"C\" start=\"29\" end=\"29\"/><field name=\"Z\" start=\"30\" end=\"30\"/><field name=\"N\" start=\"31\" end=\"31\"/></flags>";
    }
    return "<vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/><vector id=\"v2u\" type=\"uint64\" count=\"2\"/>"
           "<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/><vector id=\"v4u\" type=\"uint32\" count=\"4\"/>"
           "<vector id=\"v8u\" type=\"uint16\" count=\"8\"/><vector id=\"v16u\" type=\"uint8\" count=\"16\"/>"
           "<union id=\"vnd\"><field name=\"f\" type=\"v2d\"/><field name=\"u\" type=\"v2u\"/></union>"
           "<union id=\"vns\"><field name=\"f\" type=\"v4f\"/><field name=\"u\" type=\"v4u\"/></union>"
           "<union id=\"vnh\"><field name=\"u\" type=\"v8u\"/></union><union id=\"vnb\"><field name=\"u\" type=\"v16u\"/></union>"
           "<union id=\"aarch64v\"><field name=\"d\" type=\"vnd\"/><field name=\"s\" type=\"vns\"/><field name=\"h\" type=\"vnh\"/>"
           "<field name=\"b\" type=\"vnb\"/></union>";
}

const RegDesc *arm_regs(const Vcpu *vcpu, size_t *n)
{
    static RegDesc regs[N_REGS];

    for (unsigned i = 0; !regs[N_REGS - 1].name && i < N_REGS; i++) {
        RegDesc r = { names[i], i < GDB_V0 ? "general" : "float", UINT32_MAX, 64, (uint16_t)i, "int" };
        if (i < GDB_SP) {
            r.offset = (uint32_t)(offsetof(ArmState, x) + 8 * i);
        } else if (i == GDB_SP) {
            r.offset = offsetof(ArmState, sp);
            r.gdb_type = "data_ptr";
        } else if (i == GDB_PC) {
            r.gdb_type = "code_ptr";
        } else if (i >= GDB_V0 && i < GDB_FPSR) {
            r.offset = (uint32_t)(offsetof(ArmState, v) + 16 * (i - GDB_V0));
            r.bits = 128;
            r.gdb_type = "aarch64v";
        } else {
            r.bits = 32;
            r.gdb_type = i == GDB_CPSR ? "cpsr_flags" : "int";
        }
        regs[i] = r;
    }
    *n = N_REGS;
    return regs;
}

bool arm_reg_read(Vcpu *vcpu, const RegDesc *reg, void *out)
{
    if (reg->offset != UINT32_MAX) {
        memcpy(out, vcpu->state + reg->offset, reg->bits / 8);
        return true;
    }
    if (reg->number == GDB_PC) {
        vaddr pc = arm_pc(vcpu);
        memcpy(out, &pc, 8);
        return true;
    }
    uint32_t value = reg->number == GDB_CPSR ? (uint32_t)arm_spsr_of_state(vcpu) :
                     reg->number == GDB_FPSR ? arm_fpsr_get(vcpu) : arm_fpcr_get(vcpu);
    memcpy(out, &value, 4);
    return true;
}

bool arm_reg_write(Vcpu *vcpu, const RegDesc *reg, const void *in)
{
    uint32_t value;

    if (reg->offset != UINT32_MAX) {
        memcpy(vcpu->state + reg->offset, in, reg->bits / 8);
        return true;
    }
    if (reg->number == GDB_PC) {
        vaddr pc;
        memcpy(&pc, in, 8);
        arm_set_pc(vcpu, pc, 0);
        return true;
    }
    memcpy(&value, in, 4);
    if (reg->number == GDB_CPSR) {
        arm_nzcv_set(vcpu, value);
    } else if (reg->number == GDB_FPSR) {
        arm_fpsr_set(vcpu, value);
    } else {
        arm_fpcr_set(vcpu, value);
    }
    return true;
}

void arm_dump(Vcpu *vcpu, FILE *out, unsigned log_items)
{
    const ArmState *s = arm_state(vcpu);
    uint32_t nzcv = arm_nzcv_get(vcpu);

    fprintf(out, " PC=%016" PRIx64, arm_pc(vcpu));
    for (unsigned i = 0; i < 31; i++) {
        fprintf(out, "%sX%02u=%016" PRIx64, i % 3 == 0 ? i ? "\n" : " " : " ", i, s->x[i]);
    }
    fprintf(out, "  SP=%016" PRIx64 "\nPSTATE=%08x %c%c%c%c EL%u%c\n", s->sp, nzcv | (uint32_t)s->el << 2,
            nzcv >> 31 & 1 ? 'N' : '-', nzcv >> 30 & 1 ? 'Z' : '-', nzcv >> 29 & 1 ? 'C' : '-', nzcv >> 28 & 1 ? 'V' : '-', s->el, s->el ? 'h' : 't');
    if (log_items & LOG_FPU) {
        fprintf(out, "  FPCR=%08x FPSR=%08x\n", arm_fpcr_get(vcpu), arm_fpsr_get(vcpu));
        for (unsigned i = 0; i < 32; i++) {
            fprintf(out, "Q%02u=%016" PRIx64 ":%016" PRIx64 "%s", i, s->v[i].d[1], s->v[i].d[0], i % 2 ? "\n" : " ");
        }
    }
}
