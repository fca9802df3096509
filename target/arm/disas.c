/* disas.c: disassembly from the .isa rows, in the form of the architecture's assembly without aliases. */
#include "arm-decode.h"
#include "target/arm/cpu.h"

typedef struct Insn { vaddr pc; uint32_t word; } Insn;

static void reg(char *out, size_t size, size_t *at, bool wide, int n, const char *r31)
{
    if (n == 31) {
        decode_append(out, size, at, "%s%s", wide || *r31 != 's' ? "" : "w", *r31 == 's' ? r31 : wide ? "xzr" : "wzr");
    } else {
        decode_append(out, size, at, "%c%d", wide ? 'x' : 'w', n);
    }
}

/* Kinds: see isa/a64-base.isa. opaque: the Insn. */
static void operand(char *out, size_t size, size_t *at, char kind, int value, void *opaque)
{
    static const char *const conditions[16] = { "eq", "ne", "cs", "cc", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le", "al", "nv" };
    const Insn *insn = opaque;

    switch (kind) {
    case 'g':
        reg(out, size, at, insn->word >> 31, value, "z");
        break;
    case 's':
        reg(out, size, at, insn->word >> 31, value, "sp");
        break;
    case 'w':
        reg(out, size, at, false, value, "z");
        break;
    case 'x':
        reg(out, size, at, true, value, "z");
        break;
    case 'X':
        reg(out, size, at, true, value, "sp");
        break;
    case 'd':
    case 'n':
        decode_append(out, size, at, "%d", value);
        break;
    case 'h':
        decode_append(out, size, at, "%#x", (unsigned)value);
        break;
    case 'p':
        decode_append(out, size, at, "0x%" PRIx64, insn->pc + (int64_t)value);
        break;
    case 'c':
        decode_append(out, size, at, "%s", conditions[value & 15]);
        break;
    case 'v':
        decode_append(out, size, at, "v%d", value);
        break;
    case 'S':
    case 'O':
        decode_append(out, size, at, "s%d_%d_c%d_c%d_%d", value >> 14 & 3, value >> 11 & 7, value >> 7 & 15, value >> 3 & 15, value & 7);
        break;
    default:
        decode_append(out, size, at, "%d", value);
        break;
    }
}

size_t arm_disas(vaddr pc, const uint8_t *bytes, size_t n, uint64_t mode, char *out, size_t out_size)
{
    static bool ext[ARM_N_EXTS];
    ArmArgs args;
    size_t at = 0;

    if (n < 4) {
        return 0;
    }
    memset(ext, true, sizeof(ext)); /* threads write the same */
    Insn insn = { pc, ldle32(bytes) };
    int row = arm_decode32(insn.word, ext);
    if (row < 0) {
        decode_append(out, out_size, &at, ".inst\t0x%08x", insn.word);
        return 4;
    }
    arm_extract(row, insn.word, &args);
    decode_disas(&arm_rows[row], args.v, out, out_size, operand, &insn);
    return 4;
}
