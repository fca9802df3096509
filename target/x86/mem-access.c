/*
 * mem-access.c: what an instruction is going to load and store, from its bytes and the registers before it runs: for data breakpoints
 * (debug.c), and for watchpoints where no TLB sees the accesses (user mode).
 *
 * A row of the instruction tables does not say whether its memory operand is read or written; the mnemonic does. Page-table walks, fetches
 * and descriptors are no accesses of an instruction. A repeated string instruction is looked at with its first iteration.
 */
#include "target/x86/decode.h"

typedef struct Toucher {
    const X86State *s;
    const X86Insn *in;
    bool is64;
    TargetTouch *touch;
    void *opaque;
} Toucher;

static uint64_t cut(uint64_t value, unsigned size) { return size >= 8 ? value : value & bits_mask(0, 8 * size); }

static void touch(const Toucher *t, unsigned seg, uint64_t offset, uint64_t size_bytes, bool read, bool write)
{
    uint64_t base = !t->is64 || seg >= X86_FS ? t->s->seg_base[seg] : 0, addr = base + offset;
    t->touch(t->opaque, t->is64 ? addr : (uint32_t)addr, size_bytes, read, write);
}

static bool starts(const char *name, const char *with) { return !strncmp(name, with, strlen(with)); }

static bool in_list(const char *name, const char *const *list)
{
    for (; *list; list++) {
        size_t n = strlen(*list);
        if ((*list)[n - 1] == '*' ? !strncmp(name, *list, n - 1) : !strcmp(name, *list)) {
            return true;
        }
    }
    return false;
}

/* A memory operand that comes first and is not written; one that is not read. All others that come first are both. */
static const char *const only_read[] = { "cmp", "test", "bt", "push", "call", "jmp", "mul", "imul", "div", "idiv", "bound", "ptest", "vptest",
    "comis*", "ucomis*", "vcomis*", "vucomis*", "vtest*", "lgdt", "lidt", "lldt", "ltr", "lmsw", "verr", "verw", "fld*", "fild", "fbld", "fadd",
    "fsub*", "fmul", "fdiv*", "fcom*", "fiadd", "fisub*", "fimul", "fidiv*", "ficom*", "ldmxcsr", "vldmxcsr", "fxrstor*", "xrstor*", "frstor",
    "prefetch*", NULL };
static const char *const only_written[] = { "mov*", "vmov*", "set*", "pop", "fst*", "fist*", "fbstp", "fsave*", "fnsave*", "fnst*", "stmxcsr",
    "vstmxcsr", "sgdt", "sidt", "sldt", "str", "smsw", "pextr*", "vpextr*", "extract*", "vextract*", "cvtps2ph", "vcvtps2ph", "mask*", "vmask*",
    "fxsave*", "xsave*", NULL };
static const char *const untouched[] = { "lea", "nop", "invlpg", "clflush*", "clwb", "prefetch*", NULL };

static void memory_operand(const Toucher *t, unsigned index)
{
    const X86Insn *in = t->in;
    const char *name = in->row->name;
    uint64_t offset = (uint64_t)in->disp;
    unsigned size = in->op[index].size;

    if (in_list(name, untouched)) {
        return;
    }
    if (in->base == X86_REG_RIP) {
        offset += in->next_pc;
    } else {
        offset += in->base == X86_NO_REG ? 0 : cut(t->s->gpr[in->base], in->addrsize);
        offset += in->index == X86_NO_REG ? 0 : cut(t->s->gpr[in->index], in->addrsize) << in->scale_log2;
    }
    bool written = index == 0 && !in_list(name, only_read), read = !written || !in_list(name, only_written);
    touch(t, in->seg, cut(offset, in->addrsize), MAX(size, 1u), read, written || !strcmp(name, "xchg"));
}

static void string_operands(const Toucher *t)
{
    const X86Insn *in = t->in;
    bool repeats = in->prefixes & (X86_PFX_REPE | X86_PFX_REPNE), compares = starts(in->row->name, "cmps") || starts(in->row->name, "scas");

    if (repeats && !cut(t->s->gpr[X86_RCX], in->addrsize)) {
        return;
    }
    for (unsigned i = 0; i < in->n_ops; i++) {
        if (in->op[i].kind == X86_OP_STR_SRC) {
            touch(t, in->seg_override == X86_NO_REG ? X86_DS : in->seg_override, cut(t->s->gpr[X86_RSI], in->addrsize), in->op[i].size, true, false);
        } else if (in->op[i].kind == X86_OP_STR_DST) {
            touch(t, X86_ES, cut(t->s->gpr[X86_RDI], in->addrsize), in->op[i].size, compares, !compares);
        }
    }
}

static void stack(const Toucher *t)
{
    const X86Insn *in = t->in;
    const char *name = in->row->name;
    unsigned width = t->is64 ? 8 : t->s->seg_attr[X86_SS] & X86_ATTR_B ? 4 : 2;
    uint64_t sp = t->s->gpr[X86_RSP];

    if (starts(name, "push") || starts(name, "call")) {
        touch(t, X86_SS, cut(sp - in->opsize, width), in->opsize, false, true);
    } else if (starts(name, "pop") || starts(name, "ret") || starts(name, "iret")) {
        touch(t, X86_SS, cut(sp, width), in->opsize, true, false);
    } else if (!strcmp(name, "leave")) {
        touch(t, X86_SS, cut(t->s->gpr[X86_RBP], width), in->opsize, true, false);
    }
}

void x86_mem_access(Vcpu *vcpu, const uint8_t *insn, size_t n, TargetTouch *touch_fn, void *opaque)
{
    const X86State *s = x86_state(vcpu);
    uint32_t cs = s->seg_attr[X86_CS];
    X86Code code = x86_is_code64(s) ? X86_CODE_64 : cs & X86_ATTR_B ? X86_CODE_32 : X86_CODE_16;
    X86Insn in;
    Toucher t = { .s = s, .in = &in, .is64 = code == X86_CODE_64, .touch = touch_fn, .opaque = opaque };

    if (x86_decode(x86_model(vcpu), code, s->pc, insn, n, &in) != X86_DECODE_OK) {
        return;
    }
    for (unsigned i = 0; i < in.n_ops; i++) {
        if (in.op[i].kind == X86_OP_MEM) {
            memory_operand(&t, i);
        }
    }
    string_operands(&t);
    stack(&t);
}
