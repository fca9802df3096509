/*
 * gdb.c: registers as gdb and the monitor see them: gdb's org.gnu.gdb.i386.core, .sse, .segments and .avx in its numbering, then the control
 * registers; and the dump of `info registers` and -d cpu.
 *
 * gdb's pc is the instruction pointer, as processors have it, not the linear address.
 */
#include <stdio.h>
#include "target/x86/system.h"
#include "util/log.h"

enum { /* what is not a plain field; the number in RegDesc is gdb's, this is in the order of the table */
    R_IP, R_FLAGS, R_SEG, R_ST = R_SEG + 6, R_FPU = R_ST + 8, R_MXCSR = R_FPU + 8, R_CR8, N_SPECIAL,
};
enum { N_MAX = 24 + 16 + 17 + 2 + 16 + 8 };

typedef struct RegTable {
    RegDesc regs[N_MAX];
    uint8_t special[N_MAX];
    unsigned n;
} RegTable;

static const char *const names64[] = { "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12", "r13",
                                       "r14", "r15" };
static const uint8_t order64[] = { X86_RAX, X86_RBX, X86_RCX, X86_RDX, X86_RSI, X86_RDI, X86_RBP, X86_RSP, 8, 9, 10, 11, 12, 13, 14, 15 };
static const char *const names32[] = { "eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi" };
static const char *const seg_names[] = { "cs", "ss", "ds", "es", "fs", "gs" };
static const uint8_t seg_order[] = { X86_CS, X86_SS, X86_DS, X86_ES, X86_FS, X86_GS };
static const char *const st_names[] = { "st0", "st1", "st2", "st3", "st4", "st5", "st6", "st7" };
static const char *const fpu_names[] = { "fctrl", "fstat", "ftag", "fiseg", "fioff", "foseg", "fooff", "fop" };
static const char *const xmm_names[] = { "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
                                         "xmm12", "xmm13", "xmm14", "xmm15" };
static const char *const ymm_names[] = { "ymm0h", "ymm1h", "ymm2h", "ymm3h", "ymm4h", "ymm5h", "ymm6h", "ymm7h", "ymm8h", "ymm9h", "ymm10h",
                                         "ymm11h", "ymm12h", "ymm13h", "ymm14h", "ymm15h" };

static void add(RegTable *t, const char *name, const char *group, uint32_t offset, unsigned bits, const char *type, unsigned special)
{
    t->special[t->n] = (uint8_t)special;
    t->regs[t->n] = (RegDesc){ name, group, offset, (uint16_t)bits, (uint16_t)t->n, type };
    t->n++;
}

static void add_special(RegTable *t, const char *name, const char *group, unsigned bits, const char *type, unsigned special)
{
    add(t, name, group, UINT32_MAX, bits, type, special);
}

static void fill(RegTable *t, bool is64, bool avx, bool user)
{
    unsigned word = is64 ? 64 : 32, n_regs = is64 ? 16 : 8;

    for (unsigned i = 0; i < n_regs; i++) {
        unsigned reg = is64 ? order64[i] : i;
        add(t, is64 ? names64[i] : names32[i], "general", offsetof(X86State, gpr) + 8 * reg, word,
            reg == X86_RSP || reg == X86_RBP ? "data_ptr" : is64 ? "int64" : "int32", 0);
    }
    add_special(t, is64 ? "rip" : "eip", "general", word, "code_ptr", R_IP);
    add_special(t, "eflags", "general", 32, "i386_eflags", R_FLAGS);
    for (unsigned i = 0; i < 6; i++) {
        add_special(t, seg_names[i], "general", 32, "int32", R_SEG + i);
    }
    for (unsigned i = 0; i < 8; i++) {
        add_special(t, st_names[i], "general", 80, "i387_ext", R_ST + i);
    }
    for (unsigned i = 0; i < 8; i++) {
        add_special(t, fpu_names[i], "general", 32, "int", R_FPU + i);
    }
    for (unsigned i = 0; i < n_regs; i++) {
        add(t, xmm_names[i], "sse", offsetof(X86State, xmm) + 16 * i, 128, "vec128", 0);
    }
    add_special(t, "mxcsr", "sse", 32, "i386_mxcsr", R_MXCSR);
    if (is64) {
        add(t, "fs_base", "segments", offsetof(X86State, seg_base[X86_FS]), 64, "int", 0);
        add(t, "gs_base", "segments", offsetof(X86State, seg_base[X86_GS]), 64, "int", 0);
    }
    for (unsigned i = 0; avx && i < n_regs; i++) {
        add(t, ymm_names[i], "avx", offsetof(X86State, ymmh) + 16 * i, 128, "uint128", 0);
    }
    if (!user) {
        add(t, "k_gs_base", "system", offsetof(X86State, kernel_gs_base), 64, "int64", 0);
        add(t, "cr0", "system", offsetof(X86State, cr0), 64, "int64", 0);
        add(t, "cr2", "system", offsetof(X86State, cr2), 64, "int64", 0);
        add(t, "cr3", "system", offsetof(X86State, cr3), 64, "int64", 0);
        add(t, "cr4", "system", offsetof(X86State, cr4), 64, "int64", 0);
        add_special(t, "cr8", "system", 64, "int64", R_CR8);
        add(t, "efer", "system", offsetof(X86State, efer), 64, "int64", 0);
    }
}

const char *x86_gdb_feature(const char *group)
{
    static const char *const names[][2] = {
        { "general", "org.gnu.gdb.i386.core" }, { "sse", "org.gnu.gdb.i386.sse" }, { "segments", "org.gnu.gdb.i386.segments" },
        { "avx", "org.gnu.gdb.i386.avx" }, { "system", "org.emu.gdb.i386.system" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (!strcmp(group, names[i][0])) {
            return names[i][1];
        }
    }
    return NULL;
}

/* Types gdb does not predefine. */
const char *x86_gdb_types(const char *group)
{
    if (!strcmp(group, "general")) {
        return "<flags id=\"i386_eflags\" size=\"4\"><field name=\"CF\" start=\"0\" end=\"0\"/><field name=\"\" start=\"1\" end=\"1\"/>"
               "<field name=\"PF\" start=\"2\" end=\"2\"/><field name=\"AF\" start=\"4\" end=\"4\"/><field name=\"ZF\" start=\"6\" end=\"6\"/>"
               "<field name=\"SF\" start=\"7\" end=\"7\"/><field name=\"TF\" start=\"8\" end=\"8\"/><field name=\"IF\" start=\"9\" end=\"9\"/>"
               "<field name=\"DF\" start=\"10\" end=\"10\"/><field name=\"OF\" start=\"11\" end=\"11\"/><field name=\"NT\" start=\"14\" end=\"14\"/>"
               "<field name=\"RF\" start=\"16\" end=\"16\"/><field name=\"VM\" start=\"17\" end=\"17\"/><field name=\"AC\" start=\"18\" end=\"18\"/>"
               "<field name=\"VIF\" start=\"19\" end=\"19\"/><field name=\"VIP\" start=\"20\" end=\"20\"/><field name=\"ID\" start=\"21\" end=\"21\"/></flags>";
    }
    if (!strcmp(group, "sse")) {
        return "<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/><vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>"
               "<vector id=\"v16i8\" type=\"int8\" count=\"16\"/><vector id=\"v8i16\" type=\"int16\" count=\"8\"/>"
               "<vector id=\"v4i32\" type=\"int32\" count=\"4\"/><vector id=\"v2i64\" type=\"int64\" count=\"2\"/>"
               "<union id=\"vec128\"><field name=\"v4_float\" type=\"v4f\"/><field name=\"v2_double\" type=\"v2d\"/>"
               "<field name=\"v16_int8\" type=\"v16i8\"/><field name=\"v8_int16\" type=\"v8i16\"/><field name=\"v4_int32\" type=\"v4i32\"/>"
               "<field name=\"v2_int64\" type=\"v2i64\"/><field name=\"uint128\" type=\"uint128\"/></union>"
               "<flags id=\"i386_mxcsr\" size=\"4\"><field name=\"IE\" start=\"0\" end=\"0\"/><field name=\"DE\" start=\"1\" end=\"1\"/>"
               "<field name=\"ZE\" start=\"2\" end=\"2\"/><field name=\"OE\" start=\"3\" end=\"3\"/><field name=\"UE\" start=\"4\" end=\"4\"/>"
               "<field name=\"PE\" start=\"5\" end=\"5\"/><field name=\"DAZ\" start=\"6\" end=\"6\"/><field name=\"IM\" start=\"7\" end=\"7\"/>"
               "<field name=\"DM\" start=\"8\" end=\"8\"/><field name=\"ZM\" start=\"9\" end=\"9\"/><field name=\"OM\" start=\"10\" end=\"10\"/>"
               "<field name=\"UM\" start=\"11\" end=\"11\"/><field name=\"PM\" start=\"12\" end=\"12\"/><field name=\"FZ\" start=\"15\" end=\"15\"/></flags>";
    }
    return NULL;
}

static RegTable *table_of(const Vcpu *vcpu)
{
    static RegTable tables[2][2][2];
    bool is64 = vcpu->target->word_bits == 64, avx = x86_has(vcpu, X86_FEAT_AVX), user = !vcpu->softmmu;
    RegTable *t = &tables[is64][avx][user];

    if (!t->n) {
        fill(t, is64, avx, user);
    }
    return t;
}

const RegDesc *x86_regs(const Vcpu *vcpu, size_t *n)
{
    RegTable *t = table_of(vcpu);
    *n = t->n;
    return t->regs;
}

/* -- x87 ------------------------------------------------------------------------------------------------- */

/* Two bits a register: 0 valid, 1 zero, 2 special, 3 empty. */
static uint32_t full_tags(const X86State *s)
{
    uint32_t tags = 0;

    for (unsigned i = 0; i < 8; i++) {
        const X86Fpr *r = &s->fpr[i];
        unsigned exp = r->sign_exp & 0x7fff, tag = 0;
        if (s->fempty >> i & 1) {
            tag = 3;
        } else if (!exp && !r->mantissa) {
            tag = 1;
        } else if (!exp || exp == 0x7fff || !(r->mantissa >> 63)) {
            tag = 2;
        }
        tags |= tag << (2 * i);
    }
    return tags;
}

static uint32_t fpu_get(const X86State *s, unsigned i)
{
    switch (i) {
    case 0:
        return s->fcw;
    case 1:
        return (s->fsw & ~0x3800u) | (uint32_t)s->ftop << 11;
    case 2:
        return full_tags(s);
    case 3:
        return s->fcs;
    case 4:
        return (uint32_t)s->fip;
    case 5:
        return s->fds;
    case 6:
        return (uint32_t)s->fdp;
    default:
        return s->fop;
    }
}

static void fpu_set(X86State *s, unsigned i, uint32_t value)
{
    switch (i) {
    case 0:
        s->fcw = (uint16_t)value;
        break;
    case 1:
        s->fsw = value & ~0x3800u & 0xffff;
        s->ftop = value >> 11 & 7;
        break;
    case 2:
        s->fempty = 0;
        for (unsigned r = 0; r < 8; r++) {
            s->fempty |= (uint8_t)((value >> (2 * r) & 3) == 3) << r;
        }
        break;
    case 3:
        s->fcs = (uint16_t)value;
        break;
    case 4:
        s->fip = value;
        break;
    case 5:
        s->fds = (uint16_t)value;
        break;
    case 6:
        s->fdp = value;
        break;
    default:
        s->fop = value & 0x7ff;
    }
}

/* -- access ---------------------------------------------------------------------------------------------------- */

bool x86_reg_read(Vcpu *vcpu, const RegDesc *reg, void *out)
{
    const X86State *s = x86_state(vcpu);
    unsigned special = table_of(vcpu)->special[reg->number];
    uint64_t value;

    if (reg->offset != UINT32_MAX) {
        memcpy(out, vcpu->state + reg->offset, reg->bits / 8);
        return true;
    }
    if (special == R_IP) {
        value = x86_ip(vcpu);
    } else if (special == R_FLAGS) {
        value = x86_eflags_get(vcpu);
    } else if (special < R_ST) {
        value = s->seg_sel[seg_order[special - R_SEG]];
    } else if (special < R_FPU) {
        memcpy(out, s->fpr[(s->ftop + special - R_ST) & 7].bytes, 10);
        return true;
    } else if (special < R_MXCSR) {
        value = fpu_get(s, special - R_FPU);
    } else if (special == R_MXCSR) {
        value = x86_mxcsr_get(vcpu);
    } else {
        value = s->platform && s->platform->tpr_get ? s->platform->tpr_get(s->platform_opaque, vcpu) : 0;
    }
    memcpy(out, &value, reg->bits / 8);
    return true;
}

/* A selector alone changes a segment where it is one (real mode, VM86); elsewhere hidden parts would not fit it. */
static bool seg_write(Vcpu *vcpu, unsigned seg, uint16_t sel)
{
    X86State *s = x86_state(vcpu);

    if (sel == s->seg_sel[seg]) {
        return true;
    }
    if (!x86_is_real(s) && !x86_is_vm86(s)) {
        return false;
    }
    if (seg == X86_CS) {
        uint64_t ip = x86_ip(vcpu);
        x86_cs_set_real(vcpu, sel);
        s->pc = x86_linear_pc(s, ip);
    } else {
        x86_seg_load(vcpu, seg, sel);
    }
    return true;
}

bool x86_reg_write(Vcpu *vcpu, const RegDesc *reg, const void *in)
{
    X86State *s = x86_state(vcpu);
    unsigned special = table_of(vcpu)->special[reg->number];
    uint64_t value = 0;

    if (reg->offset != UINT32_MAX) {
        memcpy(vcpu->state + reg->offset, in, reg->bits / 8);
        return true;
    }
    memcpy(&value, in, MIN(reg->bits / 8u, 8u));
    if (special == R_IP) {
        s->pc = x86_linear_pc(s, value);
    } else if (special == R_FLAGS) {
        x86_flags_write(vcpu, (uint32_t)value, vcpu->softmmu ? UINT32_MAX : ~(uint32_t)(X86_VM | X86_IF | X86_IOPL));
    } else if (special < R_ST) {
        return seg_write(vcpu, seg_order[special - R_SEG], (uint16_t)value);
    } else if (special < R_FPU) {
        memcpy(s->fpr[(s->ftop + special - R_ST) & 7].bytes, in, 10);
    } else if (special < R_MXCSR) {
        fpu_set(s, special - R_FPU, (uint32_t)value);
    } else if (special == R_MXCSR) {
        x86_mxcsr_set(vcpu, (uint32_t)value & 0xffff);
    } else if (s->platform && s->platform->tpr_set) {
        s->platform->tpr_set(s->platform_opaque, vcpu, value & 15);
    }
    return true;
}

/* -- dump ---------------------------------------------------------------------------------------------------------- */

static void dump_seg_kind(FILE *out, const X86State *s, uint32_t attr)
{
    static const char *const system[2][16] = {
        { "Reserved", "TSS16-avl", "LDT", "TSS16-busy", "CallGate16", "TaskGate", "IntGate16", "TrapGate16", "Reserved", "TSS32-avl",
          "Reserved", "TSS32-busy", "CallGate32", "Reserved", "IntGate32", "TrapGate32" },
        { "<hiword>", "Reserved", "LDT", "Reserved", "Reserved", "Reserved", "Reserved", "Reserved", "Reserved", "TSS64-avl",
          "Reserved", "TSS64-busy", "CallGate64", "Reserved", "IntGate64", "TrapGate64" },
    };
    bool is_long = x86_is_long(s);

    fprintf(out, " DPL=%u ", attr >> 13 & 3);
    if (!(attr & X86_ATTR_S)) {
        fputs(system[is_long][attr >> 8 & 15], out);
    } else if (attr & X86_ATTR_CODE) {
        fprintf(out, "%s [%c%c", is_long && (attr & X86_ATTR_L) ? "CS64" : attr & X86_ATTR_B ? "CS32" : "CS16",
                attr & X86_ATTR_E ? 'C' : '-', attr & X86_ATTR_W ? 'R' : '-');
    } else {
        fprintf(out, "%s [%c%c", attr & X86_ATTR_B || is_long ? "DS  " : "DS16", attr & X86_ATTR_E ? 'E' : '-',
                attr & X86_ATTR_W ? 'W' : '-');
    }
    if (attr & X86_ATTR_S) {
        fprintf(out, "%c]", attr & X86_ATTR_A ? 'A' : '-');
    }
}

static void dump_seg(FILE *out, const X86State *s, bool wide, const char *name, uint16_t sel, uint64_t base, uint32_t limit, uint32_t attr)
{
    fprintf(out, "%-3s=%04x %0*" PRIx64 " %08x %08x", name, sel, wide ? 16 : 8, wide ? base : (uint32_t)base, limit, attr);
    if ((s->cr0 & X86_CR0_PE) && (attr & X86_ATTR_P)) {
        dump_seg_kind(out, s, attr);
    }
    fputc('\n', out);
}

static void dump_integers(Vcpu *vcpu, FILE *out, bool wide)
{
    static const char *const names[] = { "AX", "BX", "CX", "DX", "SI", "DI", "BP", "SP" };
    static const uint8_t order[] = { X86_RAX, X86_RBX, X86_RCX, X86_RDX, X86_RSI, X86_RDI, X86_RBP, X86_RSP };
    const X86State *s = x86_state(vcpu);
    uint32_t flags = x86_eflags_get(vcpu);
    int w = wide ? 16 : 8;

    for (unsigned i = 0; i < 8; i++) {
        uint64_t value = s->gpr[order[i]];
        fprintf(out, "%c%s=%0*" PRIx64 "%c", wide ? 'R' : 'E', names[i], w, wide ? value : (uint32_t)value, i % 4 == 3 ? '\n' : ' ');
    }
    for (unsigned i = 8; wide && i < 16; i++) {
        fprintf(out, "R%-2u=%016" PRIx64 "%c", i, s->gpr[i], i % 4 == 3 ? '\n' : ' ');
    }
    fprintf(out, "%cIP=%0*" PRIx64 " %cFL=%08x [%c%c%c%c%c%c%c] CPL=%u II=%u A20=%u SMM=%u HLT=%u\n", wide ? 'R' : 'E', w, x86_ip(vcpu),
            wide ? 'R' : 'E', flags, flags & X86_DF ? 'D' : '-', flags & X86_OF ? 'O' : '-', flags & X86_SF ? 'S' : '-',
            flags & X86_ZF ? 'Z' : '-', flags & X86_AF ? 'A' : '-', flags & X86_PF ? 'P' : '-', flags & X86_CF ? 'C' : '-', x86_cpl(vcpu),
            s->inhibit & X86_INHIBIT_IRQ, !s->a20_off, s->in_smm, atomic_load(&vcpu->halted));
}

static void dump_fpu(Vcpu *vcpu, FILE *out, bool wide)
{
    const X86State *s = x86_state(vcpu);

    fprintf(out, "FCW=%04x FSW=%04x [ST=%u] FTW=%02x MXCSR=%08x\n", s->fcw, fpu_get(s, 1), s->ftop, (uint8_t)~s->fempty & 0xff,
            x86_mxcsr_get(vcpu));
    for (unsigned i = 0; i < 8; i++) {
        fprintf(out, "FPR%u=%016" PRIx64 " %04x%c", i, s->fpr[i].mantissa, s->fpr[i].sign_exp, i % 2 ? '\n' : ' ');
    }
    for (unsigned i = 0; i < (wide ? 16u : 8u); i++) {
        fprintf(out, "XMM%02u=%016" PRIx64 " %016" PRIx64 "%c", i, s->xmm[i].u64[1], s->xmm[i].u64[0], i % 2 ? '\n' : ' ');
    }
}

void x86_dump(Vcpu *vcpu, FILE *out, unsigned log_items)
{
    static const char *const names[] = { "ES", "CS", "SS", "DS", "FS", "GS" };
    const X86State *s = x86_state(vcpu);
    bool wide = x86_is_code64(s), wide_regs = x86_is_long(s);
    int w = wide_regs ? 16 : 8, dr_width = vcpu->target->word_bits / 4;

    dump_integers(vcpu, out, wide);
    for (unsigned seg = 0; seg < X86_N_SEGS; seg++) {
        dump_seg(out, s, wide_regs, names[seg], s->seg_sel[seg], s->seg_base[seg], s->seg_limit[seg], s->seg_attr[seg]);
    }
    dump_seg(out, s, wide_regs, "LDT", s->ldt_sel, s->ldt_base, s->ldt_limit, s->ldt_attr);
    dump_seg(out, s, wide_regs, "TR", s->tr_sel, s->tr_base, s->tr_limit, s->tr_attr);
    fprintf(out, "GDT=     %0*" PRIx64 " %08x\n", w, s->gdt_base, s->gdt_limit);
    fprintf(out, "IDT=     %0*" PRIx64 " %08x\n", w, s->idt_base, s->idt_limit);
    fprintf(out, "CR0=%08x CR2=%0*" PRIx64 " CR3=%0*" PRIx64 " CR4=%08x\n", (uint32_t)s->cr0, w, s->cr2, w, s->cr3, (uint32_t)s->cr4);
    for (unsigned i = 0; i < 4; i++) {
        fprintf(out, "DR%u=%0*" PRIx64 " ", i, dr_width, s->dr[i]);
    }
    fprintf(out, "\nDR6=%0*" PRIx64 " DR7=%0*" PRIx64 "\n", dr_width, s->dr[6], dr_width, s->dr[7]);
    fprintf(out, "EFER=%016" PRIx64 "\n", s->efer);
    if (!log_items || log_items & LOG_FPU) {
        dump_fpu(vcpu, out, wide);
    }
}
