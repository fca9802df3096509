/* disas.c: disassembly from the instruction tables, in Intel's syntax. */
#include "target/decode.h"
#include "target/x86/x86-decode.h"

static const char *const names64[16] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                         "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15" };
static const char *const names8[8] = { "al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil" };
static const char *const names_high[4] = { "ah", "ch", "dh", "bh" };
static const char *const names_seg[6] = { "es", "cs", "ss", "ds", "fs", "gs" };

typedef struct Out { char *text; size_t size, at; } Out;
#define PUT(o, ...) decode_append((o)->text, (o)->size, &(o)->at, __VA_ARGS__)

static void reg(Out *o, unsigned n, unsigned size, bool high)
{
    if (n >= 16) {
        PUT(o, "?");
    } else if (high) {
        PUT(o, "%s", names_high[n & 3]);
    } else if (n >= 8) {
        PUT(o, "%s%s", names64[n], size == 1 ? "b" : size == 2 ? "w" : size == 4 ? "d" : "");
    } else if (size == 1) {
        PUT(o, "%s", names8[n]);
    } else if (size == 2) {
        PUT(o, "%s", names64[n] + 1);
    } else {
        PUT(o, "%c%s", size == 4 ? 'e' : 'r', names64[n] + 1);
    }
}

static void memory(Out *o, const X86Insn *in, unsigned size)
{
    static const struct { uint8_t size; const char *name; } sizes[] = {
        { 1, "byte ptr " }, { 2, "word ptr " }, { 4, "dword ptr " }, { 6, "fword ptr " }, { 8, "qword ptr " },
        { 10, "tbyte ptr " }, { 16, "xmmword ptr " }, { 32, "ymmword ptr " },
    };
    for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
        if (sizes[i].size == size) {
            PUT(o, "%s", sizes[i].name);
        }
    }
    if (in->seg_override != X86_NO_REG) {
        PUT(o, "%s:", names_seg[in->seg_override]);
    }
    PUT(o, "[");
    bool any = false;
    if (in->base == X86_REG_RIP) {
        PUT(o, "0x%" PRIx64 "]", in->next_pc + (uint64_t)in->disp);
        return;
    }
    if (in->base != X86_NO_REG) {
        reg(o, in->base, in->addrsize, false);
        any = true;
    }
    if (in->index != X86_NO_REG) {
        PUT(o, "%s", any ? "+" : "");
        reg(o, in->index, in->addrsize, false);
        if (in->scale_log2) {
            PUT(o, "*%u", 1u << in->scale_log2);
        }
        any = true;
    }
    if (!any) {
        PUT(o, "0x%" PRIx64, in->addrsize == 8 ? (uint64_t)in->disp : (uint32_t)in->disp);
    } else if (in->disp) {
        PUT(o, "%c0x%" PRIx64, in->disp < 0 ? '-' : '+', (uint64_t)(in->disp < 0 ? -in->disp : in->disp));
    }
    PUT(o, "]");
}

static void operand(Out *o, const X86Insn *in, unsigned i)
{
    const X86Operand *op = &in->op[i];

    switch ((X86OpKind)op->kind) {
    case X86_OP_REG: reg(o, op->reg, op->size, op->high); break;
    case X86_OP_MEM: memory(o, in, op->size); break;
    case X86_OP_IMM: {
        uint64_t v = i && in->op[i - 1].kind == X86_OP_IMM ? in->imm2 : in->imm;
        PUT(o, "0x%" PRIx64, op->size && op->size < 8 ? v & bits_mask(0, 8u * op->size) : v);
        break;
    }
    case X86_OP_REL:
        PUT(o, "0x%" PRIx64, in->code == X86_CODE_64 ? in->next_pc + in->imm : (uint32_t)(in->next_pc + in->imm));
        break;
    case X86_OP_FAR: PUT(o, "0x%" PRIx64 ":0x%" PRIx64, in->imm2, in->imm); break;
    case X86_OP_SEG: PUT(o, "%s", names_seg[op->reg]); break;
    case X86_OP_CR: PUT(o, "cr%u", op->reg); break;
    case X86_OP_DR: PUT(o, "dr%u", op->reg); break;
    case X86_OP_MMX: PUT(o, "mm%u", op->reg); break;
    case X86_OP_VEC: PUT(o, "%cmm%u", op->size == 32 ? 'y' : 'x', op->reg); break;
    case X86_OP_ST: PUT(o, "st(%u)", op->reg); break;
    case X86_OP_STR_SRC:
        PUT(o, "%s:[", names_seg[in->seg_override != X86_NO_REG ? in->seg_override : X86_DS]);
        reg(o, X86_RSI, in->addrsize, false);
        PUT(o, "]");
        break;
    case X86_OP_STR_DST:
        PUT(o, "es:[");
        reg(o, X86_RDI, in->addrsize, false);
        PUT(o, "]");
        break;
    case X86_OP_NONE: break;
    }
}

/* Of "cbw/cwde/cdqe" the part for the operand size. */
static void mnemonic(Out *o, const X86Insn *in)
{
    const char *name = in->row->name, *slash;
    unsigned skip = in->opsize == 2 ? 0 : in->opsize == 4 ? 1 : 2;

    while ((slash = strchr(name, '/')) && skip--) {
        name = slash + 1;
    }
    slash = strchr(name, '/');
    PUT(o, "%.*s", (int)(slash ? slash - name : (int)strlen(name)), name);
}

size_t x86_disas(vaddr pc, const uint8_t *bytes, size_t n, uint64_t mode, char *out, size_t out_size)
{
    X86Insn in;
    Out o = { out, out_size, 0 };

    if (x86_decode(NULL, x86_mode_code(mode), pc, bytes, n, &in) != X86_DECODE_OK) {
        PUT(&o, "(bad)");
        return MAX(in.length, 1);
    }
    if (in.prefixes & X86_PFX_LOCK) {
        PUT(&o, "lock ");
    }
    if (in.prefixes & (X86_PFX_REPE | X86_PFX_REPNE) && in.row->attrs & X86_ATTR_ROW_REP) {
        PUT(&o, "%s", in.prefixes & X86_PFX_REPE ? "rep " : "repne ");
    }
    mnemonic(&o, &in);
    for (unsigned i = 0; i < in.n_ops; i++) {
        PUT(&o, "%s", i ? ", " : "\t");
        operand(&o, &in, i);
    }
    return in.length;
}
